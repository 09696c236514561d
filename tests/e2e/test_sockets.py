"""Which listening socket a new connection gets: additional addresses and ports
of a gateway, the worker of the CPU, and that swaps, deaths and another count of
workers lose nothing."""
import json
import os
import re
import sys
import types

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import equal, check, run

RATE = 600
BINDS = [{"address": "10.66.0.0/24", "port": 80},
         {"address": "10.66.0.7", "port": 8000, "endPort": 8009},
         {"address": "fd66::/64"}]


class Sockets:
    def __init__(self):
        self.lab = e2e.Lab()
        for ns, via in ((self.lab.gw, ("local", "dev", "lo")), (self.lab.out, None)):
            if via:
                run("ip", "route", "add", via[0], "10.66.0.0/24", *via[1:], ns=ns)
                run("ip", "-6", "route", "add", via[0], "fd66::/64", *via[1:], ns=ns)
            else:
                run("ip", "route", "add", "10.66.0.0/24", "via", self.lab.address, ns=ns)
                run("ip", "-6", "route", "add", "fd66::/64", "via", self.lab.address6, ns=ns)
        self.gateway = e2e.Gateway(self.lab)
        self.settings("steering: cpu")
        self.gateway.start()
        self.echo = e2e.echo_origin(self.lab)
        self.gateway.upstream("echo", "127.0.0.1:7000")
        self.gateway.route("/echo", "echo")
        self.far = types.SimpleNamespace(out=self.lab.out, address="10.66.0.1")

    def settings(self, more, workers=2, extra=""):
        self.gateway.write_settings(f"proxy: {{ workers: {workers}, {more} }}\n{extra}")

    def put(self, **changes):
        """The one gateway, changed; returns (HTTP status, document)."""
        g = self.gateway.get("/v1/gateways")["items"][0]
        for key in ("status", "additionalAddresses"):
            g.pop(key, None)
        g["metadata"].pop("resourceVersion", None)
        g.update(changes)
        status, text = self.gateway.api(
            "PUT", f"/v1/gateways/{g['metadata']['namespace']}/{g['metadata']['name']}", g)
        return status, json.loads(text)

    def get(self, address, port, path="/echo/x"):
        return e2e.request(self.lab.out, address, port, path=path)[0]

    def steered(self, address, result="steered"):
        return self.gateway.metric("gloo_gateway_listener_additional_connections",
                                   address=address, result=result)

    def state(self):
        return self.gateway.get("/v1/gateways")["items"][0]["status"]

    def kill_control(self):
        self.gateway.process.kill()
        self.gateway.process.wait()

    def lookups(self):
        """How many sk_lookup programs the gateway's namespace has."""
        links = json.loads(run("bpftool", "-j", "link", "show").stdout or "[]")
        inode = int(re.search(r"\d+", os.readlink("/proc/self/ns/net")).group())
        with e2e.Namespace(self.lab.gw):
            inode = int(re.search(r"\d+", os.readlink("/proc/thread-self/ns/net")).group())
        return len([l for l in links if l.get("netns_ino") == inode])


def setup():
    return Sockets()


def teardown(k):
    try:
        k.gateway.close()
    finally:
        k.echo.terminate()
        k.echo.wait()
        k.lab.close()


def refused(k, address, port):
    try:
        k.get(address, port)
    except ConnectionRefusedError:
        return True
    return False


def failures(f):
    return {n: f[n] for n in ("refused", "reset", "closed", "status", "wrong", "timeout") if f[n]}


def after(k, requests):
    """The load has come on by so many answers."""
    answered = lambda: k.gateway.metric("gloo_gateway_listener_responses_2xx")
    start = answered()
    e2e.wait_until(f"{requests} requests", lambda: answered() - start >= requests, 20)


def test_check(k):
    """`glooctl check` says how workers get connections, and that migration is on"""
    text = k.gateway.glooctl("check").stdout
    check("new connections go to the worker of their CPU" in text, text)
    check("hands on what waits in it: net.ipv4.tcp_migrate_req" in text, text)
    equal(run("sysctl", "-n", "net.ipv4.tcp_migrate_req", ns=k.lab.gw).stdout.strip(), "1")


def test_additional(k):
    """one listener serves a prefix, a range of ports and IPv6, counted by address"""
    check(refused(k, "10.66.0.1", 80))
    status, doc = k.put(additionalAddresses=BINDS)
    equal(status, 200, doc)
    equal(k.state()["state"], "Accepted", k.state())
    for i in range(1, 51):
        equal(k.get(f"10.66.0.{i}", 80), 200)
    for port in range(8000, 8010):
        equal(k.get("10.66.0.7", port), 200)
    for i in range(5):
        equal(k.get(f"fd66::{i + 1}", 8080), 200)
    equal([k.steered(b["address"]) for b in BINDS], [50, 10, 5])
    equal(k.get(k.lab.address, 8080), 200)
    check(refused(k, "10.66.0.8", 8000))
    dump = run("bpftool", "map", "dump", "pinned", f"{k.gateway.pin}/sockets/gg_bind").stdout
    check("connections" in dump and "no_socket" in dump, dump[:300])
    return f"{len(dump.splitlines())} lines of gg_bind"


def test_rejected(k):
    """a wrong additional address is Rejected with its place, what was there goes on"""
    status, doc = k.put(additionalAddresses=[{"address": "10.66.0.0/40"}])
    equal(status // 100, 4, doc)
    check("additionalAddresses[0].address" in json.dumps(doc), doc)
    equal(k.get("10.66.0.9", 80), 200)


def test_moved(k):
    """the listener moves to another port and back, under load: nothing fails"""
    load = e2e.Load(k.far, rate=RATE, port=80)
    try:
        after(k, RATE // 2)
        for i in range(20):
            equal(k.put(bindPort=8081 - i % 2, additionalAddresses=BINDS)[0], 200)
            after(k, RATE // 10)
    finally:
        f = load.stop()
    equal(failures(f), {}, f)
    return f"{f['ok']} requests, 20 moves"


def test_killed_control(k):
    """kill -9 of control: additional addresses are served on, then taken over"""
    load = e2e.Load(k.far, rate=RATE, port=80)
    try:
        after(k, RATE // 2)
        before = k.steered("10.66.0.0/24")
        proxy = k.gateway.proxy_pid()
        k.kill_control()
        equal(k.get("10.66.0.3", 80), 200)
        k.gateway.start()
        equal(k.gateway.proxy_pid(), proxy)
        check(k.steered("10.66.0.0/24") > before, "the counter began anew")
        after(k, RATE // 2)
    finally:
        f = load.stop()
    equal(failures(f), {}, f)


def test_workers(k):
    """another count of workers, in place, under load: nothing fails"""
    load = e2e.Load(k.far, rate=RATE, port=80, seconds=90)
    try:
        after(k, RATE // 2)
        for workers in (4, 1, 3, 2):
            proxy = k.gateway.proxy_pid()
            k.kill_control()
            k.settings("steering: cpu", workers)
            k.gateway.start()
            e2e.wait_until("a new proxy", lambda: k.gateway.proxy_pid() not in (0, proxy))
            equal(k.gateway.get("/v1/status")["proxy"]["workers"], workers)
            after(k, RATE // 2)
            e2e.wait_until("the old one to end", lambda: k.gateway.get(
                "/v1/status")["proxy"]["draining"] == 0, 40)
    finally:
        f = load.stop()
    equal(failures(f), {}, f)
    return f"{f['ok']} requests"


def test_detached_by_others(k):
    """a steering that somebody detached is attached again"""
    equal(k.lookups(), 1)
    run("bpftool", "link", "detach", "pinned", f"{k.gateway.pin}/sockets/link")
    e2e.wait_until("the steering to be back", lambda: k.get("10.66.0.4", 80) == 200, 5)
    equal(k.lookups(), 1)
    e2e.wait_until("the line", lambda: "was detached, it is attached again"
                   in k.gateway.log_text())


def test_withdrawn(k):
    """without additional addresses no program is left in the way"""
    equal(k.put(bindPort=8080)[0], 200)
    check(refused(k, "10.66.0.1", 80))
    equal(k.lookups(), 0)
    equal(k.put(additionalAddresses=BINDS)[0], 200)
    equal(k.get("10.66.0.1", 80), 200)


def test_reload(k):
    """steering and pin path are changed by a reload, under load: nothing fails"""
    load = e2e.Load(k.far, rate=RATE, port=80)
    old = k.gateway.pin
    e2e.undo.append(lambda: run("rm", "-rf", old, ok=None))
    try:
        after(k, RATE // 2)
        k.gateway.pin = old + "b"
        k.settings("steering: hash")
        k.gateway.process.send_signal(1)
        e2e.wait_until("the pins to move", lambda: os.path.exists(
            f"{k.gateway.pin}/sockets/link") and not os.path.exists(f"{old}/sockets"))
        e2e.wait_until("the other steering", lambda: "go to a worker by hash" in json.dumps(
            k.gateway.get("/v1/check")))
        after(k, RATE // 2)
    finally:
        f = load.stop()
    equal(failures(f), {}, f)
    equal(k.lookups(), 1)


def test_keep(k):
    """stopped with onStop: keep, the steering stays and lets through what has no listener"""
    extra = "xdp: { onStop: keep, pinPath: %s }\n" % k.gateway.pin
    text = (k.gateway.dir / "settings.yaml").read_text()
    (k.gateway.dir / "settings.yaml").write_text(
        re.sub(r"xdp:\n  pinPath: .*\n", extra, text))
    k.gateway.process.send_signal(1)
    e2e.wait_until("the reload", lambda: k.gateway.log_text().count("reloading") >= 2)
    k.gateway.stop()
    equal(k.lookups(), 1)
    check(refused(k, "10.66.0.1", 80))
    other = e2e.Origin(k.lab.gw, address="10.66.0.1", port=80)
    equal(e2e.request(k.lab.out, "10.66.0.1", 80)[0], 200)
    other.close()
    k.gateway.start()
    equal(k.get("10.66.0.2", 80), 200)
    equal(k.lookups(), 1)
    check(k.steered("10.66.0.0/24", "no_socket") >= 2)


def test_stop(k):
    """stopped with onStop: detach, nothing is left"""
    k.settings("steering: cpu")
    k.gateway.process.send_signal(1)
    e2e.wait_until("the reload", lambda: "the worker of their CPU" in json.dumps(
        k.gateway.get("/v1/check")))
    k.gateway.stop()
    equal(k.lookups(), 0)
    check(not os.path.exists(k.gateway.pin) or not os.listdir(k.gateway.pin))


def test_not_permitted(k):
    """without the privileges: a Warning that says so, and the listener serves"""
    wrapper = k.gateway.dir / "unprivileged"
    wrapper.write_text("#!/bin/sh\nexec setpriv --inh-caps=-bpf,-sys_admin,-net_admin,-perfmon "
                       "--bounding-set=-bpf,-sys_admin,-net_admin,-perfmon "
                       f"{e2e.DAEMON} \"$@\"\n")
    wrapper.chmod(0o755)
    k.gateway.binary = str(wrapper)
    k.gateway.start()
    equal(k.get(k.lab.address, 8080), 200)
    equal(k.state()["state"], "Warning")
    check("additionalAddresses are not served" in k.state()["reason"], k.state())
    check("CAP_BPF" in k.state()["reason"], k.state())
    check(refused(k, "10.66.0.1", 80))
    p = k.gateway.glooctl("check", ok=None)
    check("additional addresses are not served" in p.stdout + p.stderr, p.stdout)
    k.gateway.stop()


if __name__ == "__main__":
    e2e.main(globals())
