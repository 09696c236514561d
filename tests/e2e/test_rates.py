"""Rate limits of requests: exact over both workers, over generations and over
the death of either process; keys, actions, what is shown; a source that goes on
far beyond is blocked for a while, by the proxy or by the kernel."""
# alone: it keeps a pace of requests
import json
import os
import shutil
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import check, equal, run
from rates import Rates, ask_until_refused


class Workers(Rates):
    def __init__(self):
        # A copy, so that another build can take its place.
        self.binary = f"/tmp/ggt{os.getpid()}-gloo-gateway"
        shutil.copy(e2e.DAEMON, self.binary)
        super().__init__(39, "trustedProxies: [ 10.98.0.39 ]\n", binary=self.binary)
        for address in ("fd98::3/64", "fd98:0:0:1::3/64"):
            run("ip", "-6", "addr", "add", address, "dev", "eth0", "nodad", ns=self.lab.out)
        run("ip", "-6", "route", "add", "fd98:0:0:1::/64", "dev", "gg0", ns=self.lab.gw)

    def service(self, name, **options):
        """A virtual service with these options whose route leads to the origin."""
        status, text = self.gateway.api("PUT", f"/v1/virtualservices/gloo-system/{name}", {
            "metadata": {"name": name, "namespace": "gloo-system"},
            "virtualHost": {
                "domains": [f"{name}.example"], "options": options,
                "routes": [{"routeAction": {"single": {"upstream": {"name": "origin"}}}}]}})
        equal(status, 200, text)


def setup():
    return Workers()


def teardown(r):
    try:
        r.close()
    finally:
        os.unlink(r.binary)


class Client:
    """Kept connections of one address, used in turn."""

    def __init__(self, r, source, host, connections=8):
        self.r, self.host = r, host
        self.source = source if isinstance(source, str) else f"10.98.0.{source}"
        self.sockets = [self.connect() for _ in range(connections)]
        self.turn = 0

    def connect(self):
        with e2e.Namespace(self.r.lab.out):
            to = self.r.lab.address6 if ":" in self.source else self.r.lab.address
            return socket.create_connection((to, 8080), timeout=10 * e2e.PATIENCE,
                                            source_address=(self.source, 0))

    def get(self, *fields):
        """(status, fields) of the next request; (0, {}) for a reset."""
        s = self.sockets[self.turn % len(self.sockets)]
        self.turn += 1
        head = "".join(f"{f}\r\n" for f in (f"Host: {self.host}.example",) + fields)
        got = b""
        try:
            s.sendall(f"GET / HTTP/1.1\r\n{head}\r\n".encode())
            while b"\r\n\r\n" not in got:
                part = s.recv(65536)
                if not part:
                    return 0, {}
                got += part
            lines, _, body = got.partition(b"\r\n\r\n")
            first, *rest = lines.decode().split("\r\n")
            answer = dict(l.split(": ", 1) for l in rest)
            while len(body) < int(answer["content-length"]):
                body += s.recv(65536)
        except OSError:
            return 0, {}
        return int(first.split()[1]), answer

    def close(self):
        for s in self.sockets:
            s.close()


def limited_service(r, name="limited"):
    if r.gateway.api("GET", f"/v1/virtualservices/gloo-system/{name}")[0] == 200:
        return
    r.gateway.glooctl("create", "virtualservice", "--name", name, "--domains", f"{name}.example",
                      "--enable-rate-limiting", "--rate-limit-requests", "100",
                      "--rate-limit-time-unit", "MINUTE")
    r.gateway.route("/", "origin", "--name", name)


def many(client, count):
    """Their statuses, and the last of them that was refused."""
    answers = [client.get() for _ in range(count)]
    refused = [a[1] for a in answers if a[0] == 429]
    return [a[0] for a in answers], refused[-1] if refused else {}


def test_seed(r):
    """100 a minute by glooctl's flags, two workers: 100 pass and what the time gives, then a 429"""
    limited_service(r)
    c = Client(r, 3, "limited")
    last = {}

    def ask():
        nonlocal last
        status, last = c.get()
        return status
    passed, took = ask_until_refused(ask)
    c.close()
    # The burst; where other work holds it up it is longer.
    check(took < 0.5 * e2e.PATIENCE or not e2e.SOAK, f"{took:.3f} s")
    equal(last["retry-after"], "1")
    equal((last["ratelimit-limit"], last["ratelimit-remaining"]), ("100", "0"))
    equal(last["ratelimit-reset"], "60")
    row, = r.limits(name="limited")
    equal((row["rule"], row["passed"], row["refused"]), ("anonymousLimits", passed, 1))
    return f"{took * 1000:.0f} ms"


def test_answers_tell(r):
    """an answer that passed says how much is left"""
    r.service("told", rateLimits=[{"rate": 100, "unit": "HOUR"}])
    c = Client(r, 4, "told")
    for left in ("99", "98"):
        status, answer = c.get()
        equal((status, answer["ratelimit-limit"], answer["ratelimit-remaining"]),
              (200, "100", left))
        check("retry-after" not in answer, answer)
    c.close()


def test_proxy_killed(r):
    """the proxy dies half-way: still exactly 100 and what the time gives"""
    limited_service(r)
    c = Client(r, 5, "limited")
    began = time.monotonic()
    equal(set(many(c, 60)[0]), {200})
    c.close()
    old = r.gateway.proxy_pid()
    os.kill(old, signal.SIGKILL)
    e2e.wait_until("another proxy", lambda: r.gateway.proxy_pid() not in (0, old))
    r.gateway.wait_ready()
    c = Client(r, 5, "limited")
    statuses, last = many(c, 60)
    c.close()
    passed = 60 + statuses.count(200)
    may = 100 + int((time.monotonic() - began) / 0.6)
    check(100 <= passed <= may, f"{passed} passed, 100 to {may} may")
    check(statuses.count(429) >= 60 - (may - 60), statuses)
    equal(last.get("retry-after"), "1")


def test_generations(r):
    """a new generation leaves what was used"""
    limited_service(r, "again")
    c = Client(r, 6, "again")
    began = time.monotonic()
    equal(set(many(c, 100)[0]), {200})
    r.service("other")
    r.gateway.route("/more", "origin", "--name", "again", "--index", "0")
    statuses = many(c, 20)[0]
    c.close()
    check(statuses.count(200) <= int((time.monotonic() - began) / 0.6), statuses)


def test_control_killed(r):
    """control is killed and started again: what was used is known"""
    limited_service(r, "adopted")
    c = Client(r, 7, "adopted")
    began = time.monotonic()
    equal(set(many(c, 100)[0]), {200})
    r.gateway.process.kill()
    r.gateway.process.wait()
    r.gateway.start()
    equal(r.gateway.get("/v1/status")["proxy"]["adopted"], True)
    statuses = many(c, 20)[0]
    c.close()
    check(statuses.count(200) <= int((time.monotonic() - began) / 0.6), statuses)
    row, = r.limits(name="adopted")
    equal(row["passed"], 100 + statuses.count(200))
    equal(row["refused"], statuses.count(429))


def test_upgrade(r):
    """another build takes over in place: its proxy goes on from what was used"""
    limited_service(r, "upgraded")
    c = Client(r, 19, "upgraded")
    began = time.monotonic()
    equal(set(many(c, 100)[0]), {200})
    c.close()
    old = r.gateway.proxy_pid()
    shutil.copy(e2e.DAEMON, r.binary + ".new")
    os.rename(r.binary + ".new", r.binary)
    r.gateway.process.send_signal(signal.SIGHUP)
    e2e.wait_until("another proxy", lambda: r.gateway.proxy_pid() not in (0, old))
    r.gateway.wait_ready()
    c = Client(r, 19, "upgraded")
    statuses = many(c, 20)[0]
    c.close()
    check(statuses.count(200) <= int((time.monotonic() - began) / 0.6), statuses)


def test_seen(r):
    """log, metrics, get limits and the table of services name rule and counts"""
    r.service("seen", rateLimits=[{"name": "by hand", "rate": 2, "unit": "HOUR"}])
    c = Client(r, 8, "seen")
    equal(many(c, 3)[0], [200, 200, 429])
    c.close()
    line = e2e.wait_until("the line", lambda: [
        l for l in r.gateway.access_lines() if l["host"] == "seen.example" and l["status"] == 429])
    equal((line[0]["reason"], line[0]["limit"]), ("rate_limited", "by hand"))
    equal(r.gateway.metric("gloo_gateway_limit_events", rule="by hand", result="refused"), 1)
    equal(r.gateway.metric("gloo_gateway_limit_events", rule="by hand", result="passed"), 2)
    check(r.gateway.metric("gloo_gateway_listener_rate_limited") >= 1)
    table = r.gateway.glooctl("get", "limits").stdout
    for word in ("by hand", "2 requests", "per HOUR", "sourceAddress", "gloo-system.seen", "429"):
        check(word in table, table)
    check("ENFORCED BY" in r.gateway.glooctl("get", "limits", "-o", "wide").stdout)
    listed = json.loads(r.gateway.glooctl("get", "limits", "-o", "json").stdout)
    check([i for i in listed if i["rule"] == "by hand" and i["refused"] == 1], listed)
    limited_service(r)
    check("100 per MINUTE" in r.gateway.glooctl("get", "vs", "limited").stdout)


def test_edit(r):
    """edit virtualservice: by flags more, then no limit at all, the form kept"""
    limited_service(r, "edited")
    r.gateway.glooctl("edit", "virtualservice", "edited", "--rate-limit-requests", "1")
    text = r.gateway.glooctl("get", "vs", "edited", "-o", "yaml").stdout
    check("requestsPerUnit: 1\n" in text and "unit: MINUTE\n" in text, text)
    c = Client(r, 9, "edited")
    equal(many(c, 3)[0], [200, 429, 429])
    r.gateway.glooctl("edit", "virtualservice", "edited", "--enable-rate-limiting=false")
    equal(set(many(c, 20)[0]), {200})
    c.close()
    check("ratelimit" not in r.gateway.glooctl("get", "vs", "edited", "-o", "yaml").stdout)
    equal(r.limits(name="edited"), [])
    wrong = r.gateway.glooctl("edit", "vs", "edited", "--rate-limit-requests", "5", ok=(1,))
    check("--enable-rate-limiting" in wrong.stderr, wrong.stderr)


def test_keys(r):
    """by header, for everybody together, by network, IPv6 by /64"""
    r.service("keys", rateLimits=[
        {"name": "key", "key": "header", "header": "X-Key", "rate": 2, "unit": "HOUR"}])
    c = Client(r, 10, "keys")
    equal([c.get("X-Key: a")[0] for _ in range(3)], [200, 200, 429])
    equal(c.get("x-key: b")[0], 200)
    equal([c.get()[0] for _ in range(4)], [200] * 4)  # without it the rule does not apply
    c.close()
    r.service("all", rateLimits=[{"key": "none", "rate": 3, "unit": "HOUR"}])
    equal([Client(r, n, "all", 1).get()[0] for n in range(10, 14)], [200, 200, 200, 429])
    r.service("nets", rateLimits=[{"prefixLengthV4": 30, "rate": 3, "unit": "HOUR"}])
    equal([Client(r, n, "nets", 1).get()[0] for n in (12, 13, 14, 15, 16)],
          [200, 200, 200, 429, 200])
    r.service("six", rateLimits=[{"rate": 2, "unit": "HOUR"}])
    equal([Client(r, a, "six", 1).get()[0] for a in ("fd98::2", "fd98::3", "fd98::3",
                                                    "fd98:0:0:1::3")], [200, 200, 429, 200])


def test_actions(r):
    """drop resets the connection, shadow only counts, countRejected keeps out"""
    r.service("dropped", rateLimits=[{"rate": 1, "unit": "HOUR", "action": "drop"}])
    c = Client(r, 17, "dropped", 1)
    equal([c.get()[0], c.get()[0]], [200, 0])
    r.service("shadow", rateLimits=[{"rate": 1, "unit": "HOUR", "action": "shadow"}])
    c = Client(r, 17, "shadow")
    equal(many(c, 3)[0], [200] * 3)
    row, = r.limits(name="shadow")
    equal((row["passed"], row["refused"], row["shadowed"]), (1, 0, 2))
    r.service("strict", rateLimits=[{"rate": 4, "unit": "SECOND", "countRejected": True}])
    c = Client(r, 17, "strict")
    passed, pauses, asked = 0, 0, time.monotonic()
    end = asked + 1.5
    while asked < end:
        before, asked = asked, time.monotonic()
        passed += c.get()[0] == 200
        # Who keeps still for a quarter of a second gets one more.
        pauses += int((time.monotonic() - before) / 0.25)
    check(4 <= passed <= 4 + pauses, passed, "passed, with", pauses, "pauses")


def test_gateway_rule(r):
    """a rule of a Gateway holds for all its services; one refused costs no other rule"""
    status, verdict = r.gateway_put("second", 8081, {"name": "gate", "rate": 3, "unit": "HOUR"})
    equal(status, 200, verdict)
    r.service("inner", rateLimits=[{"name": "inner", "rate": 1, "unit": "HOUR"}])
    r.service("outer")

    def get(host):
        return e2e.talk(r.lab.out, r.lab.address, 8081,
                        f"GET / HTTP/1.1\r\nHost: {host}.example\r\n"
                        "Connection: close\r\n\r\n".encode())[9:12]
    equal([get("inner"), get("inner"), get("inner")], [b"200", b"429", b"429"])
    equal([get("outer"), get("outer"), get("outer")], [b"200", b"200", b"429"])
    r.gateway.glooctl("delete", "gateway", "second")


def test_no_limit_no_fields(r):
    """without a rule no answer speaks of one"""
    r.service("free")
    c = Client(r, 18, "free")
    status, answer = c.get()
    c.close()
    equal(status, 200)
    check(not [k for k in answer if k.startswith("ratelimit")], answer)


def hammer(r, source, host, per_s, until, seconds=20):
    """Asks so often until until() is true, each time a connection is lost on a new
    one; the statuses, 0 for what was reset or refused."""
    statuses, client = [], None
    end = time.monotonic() + seconds * e2e.PATIENCE
    while not until():
        if time.monotonic() > end:
            raise AssertionError(f"for {seconds} s in vain: {statuses[-40:]}")
        for _ in range(per_s // 5):
            try:
                client = client or Client(r, source, host, 1)
                statuses.append(client.get()[0])
            except OSError:
                statuses.append(0)
            if statuses[-1] == 0:
                client = None
        threading.Event().wait(0.2)
    return statuses


def may_connect(r, source, host):
    try:
        c = Client(r, source, host, 1)
    except OSError:
        return 0
    status = c.get()[0]
    c.close()
    return status


# How long a block lasts: so long that all that is judged of it is judged before its end.
BLOCK_S = round(4 * e2e.PATIENCE)


def test_promoted(r):
    """far beyond: blocked and shown, others untouched, and it comes back by itself"""
    r.service("beyond", rateLimits=[{
        "name": "far", "rate": 100, "unit": "MINUTE",
        "promotion": {"after": "1s", "duration": f"{BLOCK_S}s"}}])
    idle = Client(r, 20, "beyond", 2)  # open while it happens
    statuses = hammer(r, 20, "beyond", 200, lambda: "10.98.0.20" in r.blocked())
    check(429 in statuses, statuses[-20:])
    seen = r.blocked()["10.98.0.20"]
    equal((seen["rule"], seen["object"], seen["by"]), ("far", "gloo-system.beyond", "proxy"))
    check(1 <= seen["secondsLeft"] <= BLOCK_S, seen)
    e2e.wait_until("the end of what was open", lambda: idle.get()[0] == 0, 2)
    equal(may_connect(r, 20, "beyond"), 0)
    equal(may_connect(r, 21, "beyond"), 200)
    check(r.gateway.metric("gloo_gateway_listener_blocked_source") > 0)
    equal(r.gateway.metric("gloo_gateway_blocked_sources"), 1)
    check(f"10.98.0.20 is blocked for {BLOCK_S} s" in r.gateway.log_text(), "log")
    # Also where the proxy that was told is no more.
    old = r.gateway.proxy_pid()
    os.kill(old, signal.SIGKILL)
    e2e.wait_until("another proxy", lambda: r.gateway.proxy_pid() not in (0, old))
    r.gateway.wait_ready()
    if r.blocked().get("10.98.0.20", {}).get("secondsLeft", 0) > 1:
        equal(may_connect(r, 20, "beyond"), 0)
    e2e.wait_until("its return", lambda: may_connect(r, 20, "beyond") in (200, 429))
    # The proxy's clock may be some ms ahead.
    e2e.await_equal(r.blocked, {})
    check(r.limits(name="beyond")[0]["promoted"] >= 1)


def test_promoted_with_its_64(r):
    """an IPv6 source is blocked with its /64, and shown as that"""
    r.service("six-beyond", rateLimits=[{
        "name": "far", "rate": 100, "unit": "MINUTE",
        "promotion": {"after": "1s", "duration": f"{BLOCK_S}s"}}])
    idle = Client(r, "fd98::3", "six-beyond", 2)  # a neighbour's, open while it happens
    hammer(r, "fd98::2", "six-beyond", 200, lambda: "fd98::/64" in r.blocked())
    e2e.wait_until("the end of what was open", lambda: idle.get()[0] == 0, 2)
    equal(may_connect(r, "fd98::3", "six-beyond"), 0)
    equal(may_connect(r, "fd98:0:0:1::3", "six-beyond"), 200)
    check(f"fd98::/64 is blocked for {BLOCK_S} s" in r.gateway.log_text(), "log")
    check("| fd98::/64 " in r.gateway.glooctl("get", "sources").stdout)
    e2e.wait_until("its return", lambda: may_connect(r, "fd98::3", "six-beyond") in (200, 429))
    e2e.await_equal(r.blocked, {})


class Pace:
    """How long a client has been refused at a pace that promotes, if `after` is 1 s: ten
    in that time do. Ten in 0.75 s, each time, are more in whichever second is taken."""

    def __init__(self):
        self.statuses, self.refused, self.since = {}, [], 0

    def add(self, status):
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if status != 429:
            return
        self.refused.append(time.monotonic())
        if len(self.refused) <= 10 or self.refused[-1] - self.refused[-11] > 0.75:
            self.since = self.refused[-1]

    def seconds(self):
        return self.refused[-1] - self.since if self.refused else 0


def test_not_promoted(r):
    """not blocked: behind a trusted proxy, by a network's key, or just over the limit"""
    r.service("spared", rateLimits=[{
        "name": "mild", "rate": 5, "unit": "SECOND", "promotion": {"after": "1s"}}])
    soon = {"rate": 5, "unit": "SECOND", "promotion": {"after": "1s", "factor": 2}}
    r.service("wide", rateLimits=[{"name": "net", "prefixLengthV4": 24, **soon}])
    r.service("behind", rateLimits=[{"name": "client", **soon}])
    before = r.gateway.metric("gloo_gateway_blocks")
    mild = Client(r, 22, "spared", 1)
    proxy = Client(r, 39, "behind", 1)
    wide = Client(r, 23, "wide", 1)
    behind, net = Pace(), Pace()
    # In two seconds is a whole one of those that the proxy counts in; in the third
    # control would have heard of it.
    end = time.monotonic() + 20 * e2e.PATIENCE
    while min(behind.seconds(), net.seconds()) < 3:
        check(time.monotonic() < end, "not far beyond:", behind.statuses, net.statuses)
        for _ in range(8):
            behind.add(proxy.get("X-Forwarded-For: 192.0.2.7")[0])
            net.add(wide.get()[0])
        check(set(behind.statuses) | set(net.statuses) <= {200, 429},
              behind.statuses, net.statuses)
        for _ in range(2):
            check(mild.get()[0] in (200, 429))
        threading.Event().wait(0.05)
    equal(r.blocked(), {})
    equal(r.gateway.metric("gloo_gateway_blocks"), before)


def test_kernel_off(r):
    """a rule for the kernel without an interface: a Warning that says so"""
    status, verdict = r.gateway_put("third", 8082, {
        "name": "packets", "counts": "packets", "rate": 1000, "unit": "SECOND"})
    equal((status, verdict["state"]), (200, "Warning"), verdict)
    check("stage kernel are not enforced" in verdict["reason"], verdict)
    row, = r.limits(rule="packets")
    equal((row["stage"], row["enforcedBy"]), ("kernel", "nobody"))
    r.gateway.glooctl("delete", "gateway", "third")


def test_prefixes_off(r):
    """denied and allowed prefixes without an interface: a warning that says so"""
    settings = r.gateway.dir / "settings.yaml"
    plain = settings.read_text()
    wrong = "xdp.denyPrefixes and xdp.allowPrefixes do nothing"

    def checked():
        return wrong in r.gateway.glooctl("check", ok=(0, 1, 2)).stdout
    check(not checked())
    settings.write_text(plain.replace("xdp:\n", "xdp:\n  denyPrefixes: [ 192.0.2.0/24 ]\n"))
    r.gateway.process.send_signal(signal.SIGHUP)
    e2e.wait_until("the warning", checked)
    check(wrong in r.gateway.log_text(), "log")
    settings.write_text(plain)
    r.gateway.process.send_signal(signal.SIGHUP)
    e2e.wait_until("its end", lambda: not checked())


if __name__ == "__main__":
    e2e.main(globals())
