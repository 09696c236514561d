"""Names of static upstreams against real DNS servers: dnsmasq, whose records change
while it runs, and knot, which has zones and fails as an authority does. One client
asks all the time wherever nothing may be lost."""
import os
import pathlib
import shutil
import sys
import tempfile
import threading
import time

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from discovering import Asker, Gateway, Named, await_names, judged, patient, replace, shares
from e2e import check, equal, wait_until
from name_servers import A, AAAA, UDP_MAX, Dnsmasq, Knot, Liar

# How long servers fail, or are not there.
AWAY = 600 if e2e.SOAK else 5
PORT, ZONE = 8000, "zone.test"
# A name that is denied is asked for again after a second, then after two.
DENIED = 8


class Drill:
    def __init__(self):
        if not shutil.which("knotd"):
            raise e2e.Skip("knot is not installed")
        self.lab = lab = e2e.Lab()
        self.masq = Dnsmasq(lab.gw)
        self.knot = Knot(lab.gw, port=5354, zone=ZONE)
        self.origins = [Named(lab.gw, name, f"127.0.1.{n + 1}", PORT)
                        for n, name in enumerate("abc")]
        self.a, self.b, self.c = (o.host for o in self.origins)
        self.masq.set("up.test", "127.0.1.1")
        self.masq.start()
        self.knot.start("")
        self.gateway, self.server, self.asker = None, None, None
        self.use(self.masq)

    def use(self, server):
        """A gateway that asks that server."""
        if self.server is server:
            return
        if self.gateway:
            self.gateway.close()
        self.server = server
        self.gateway = Gateway(self.lab, f"dns: {{ servers: \"{server.at}\" }}\n").start()

    def upstream(self, name, *hosts):
        """hosts: "name:port"; its route has its own name."""
        self.gateway.glooctl("create", "upstream", "static", "--name", name, "--static-hosts",
                             ",".join(hosts), ok=(0, 2))
        self.gateway.route("/" + name, name)

    def ask_always(self, path):
        self.asker = Asker(self.lab, path, pause=0.005)
        return self.asker

    def all_served(self):
        """By one who asked since ask_always; how many requests."""
        asker, self.asker = self.asker, None
        asker.close()
        bad = [a for a in asker.answers if a[2] != 200]
        equal((bad[:3], asker.failed[:3]), ([], []))
        check(asker.answers, "it asked nothing")
        return len(asker.answers)

    def shown(self, upstream):
        """What `get upstream -o wide` has of its names: {title: cell} of each."""
        text = self.gateway.glooctl("get", "upstream", upstream, "-o", "wide").stdout
        table = text[text.index("\nNames\n") + 7:].split("\n")
        titles, *rows = [[c.strip() for c in line.split("|")[1:-1]]
                         for line in table[1:2] + table[3:table.index(table[0], 3)]]
        return [dict(zip(titles, row)) for row in rows if row[1]]

    def stays(self, name, hosts, seconds):
        """For so long its set is that one and it is said to be stale; no request fails.
        Returns what is said."""
        self.ask_always("/" + name)
        begin = time.monotonic()
        why = wait_until(f"{name} to be stale", lambda: self.gateway.problem(name), 40)
        wait_until("the time", lambda: equal(self.gateway.set(name), sorted(hosts))
                   or time.monotonic() - begin > seconds, seconds + 5)
        check(self.gateway.metric("gloo_gateway_upstream_stale_seconds",
                                  upstream=f"gloo-system.{name}") > 0, "no metric")
        count = self.all_served()
        return f"{seconds} s, {count} requests: {why}"


def setup():
    return Drill()


def teardown(d):
    try:
        if d.asker:
            d.asker.close()
        if d.gateway:
            d.gateway.close()
    finally:
        for o in d.origins:
            o.close()
        d.lab.close()


# ---- dnsmasq


def test_ttl(d):
    """a TTL of 1: another address is used when that is over, and no request fails"""
    d.masq.set("turn.test", "127.0.1.1")
    d.upstream("turn", f"turn.test:{PORT}")
    d.gateway.await_set("turn", [d.a])
    d.ask_always("/turn")
    took = []
    for n in range(6):
        address, host = (("127.0.1.2", d.b), ("127.0.1.1", d.a))[n % 2]
        begin = time.monotonic()
        d.masq.set("turn.test", address)
        d.gateway.await_set("turn", [host])
        took.append(time.monotonic() - begin)
    count = d.all_served()
    check(judged(took) < 2 * e2e.PATIENCE, took)
    await_names(d.gateway, "/turn", "a", count=5)
    return f"at most {max(took):.2f} s, {count} requests"


def test_not_too_often(d):
    """a TTL of 0 counts as 1: no more than two questions a second"""
    d.masq.ttl = 0
    d.masq.restart()
    try:
        d.masq.set("zero.test", "127.0.1.1")
        d.upstream("zero", f"zero.test:{PORT}")
        d.gateway.await_set("zero", [d.a])
        before, begin = d.masq.asked_for("zero.test"), time.monotonic()
        wait_until("five more questions",
                   lambda: d.masq.asked_for("zero.test") >= before + 5, 20)
        took = time.monotonic() - begin
        check(took > 2.5, "five in", took, "s")
    finally:
        d.masq.ttl = 1
        d.masq.restart()
    return f"five in {took:.1f} s"


def test_both_families(d):
    """A and AAAA are one set, and both are asked"""
    six = Named(d.lab.gw, "six", d.lab.address6, PORT, family=e2e.socket.AF_INET6)
    try:
        d.masq.set("both.test", "127.0.1.1", d.lab.address6)
        d.upstream("both", f"both.test:{PORT}")
        d.gateway.await_set("both", [d.a, six.host])
        await_names(d.gateway, "/both", "a", "six", count=40)
    finally:
        six.close()


def test_fifty(d):
    """fifty addresses of one name are fifty endpoints"""
    addresses = [f"10.1.0.{n}" for n in range(1, 51)]
    d.masq.set("many.test", *addresses)
    d.upstream("many", f"many.test:{PORT}")
    d.gateway.await_set("many", [f"{a}:{PORT}" for a in addresses])
    d.masq.set("many.test", *addresses[:25])
    d.gateway.await_set("many", [f"{a}:{PORT}" for a in addresses[:25]])


def denied(d, name, deny):
    """After deny() nobody has such an address: believed the second time."""
    host = name + ".test"
    d.masq.set(host, "127.0.1.1")
    d.upstream(name, f"{host}:{PORT}")
    d.gateway.await_set(name, [d.a])
    before, begin = d.masq.denied(host), time.monotonic()
    deny(host)
    wait_until("the first denial", lambda: d.masq.denied(host) > before, 10)
    # The set first: what it was told after that does not count.
    have, first = d.gateway.set(name), d.masq.denied(host) - before
    check(first > 1 or have == [d.a], "gone by one denial")
    d.gateway.await_set(name, [], DENIED)
    took, count = time.monotonic() - begin, d.masq.denied(host) - before
    check(count >= 2, count, "denials of A")
    await_names(d.gateway, "/" + name, 503, count=3)
    state, reason = d.gateway.status(name)
    check(state == "Warning" and host in reason, state, reason)
    return f"after {took:.1f} s and {count} denials: {reason}"


def test_no_such_name(d):
    """NXDOMAIN, twice in a row: no endpoints, 503, and a Warning; back when it is back"""
    note = denied(d, "gone", d.masq.set)
    d.masq.set("gone.test", "127.0.1.2")
    d.gateway.await_set("gone", [d.b], 40)
    await_names(d.gateway, "/gone", "b", count=3)
    equal(d.gateway.status("gone"), ("Accepted", ""))
    return note


def test_empty(d):
    """an answer without addresses, twice in a row: the same"""
    def deny(host):
        d.masq.set(host)
        d.masq.restart(f"--txt-record={host},nothing else")
        # In capitals: this answer is none of those that the gateway was given.
        equal(d.masq.answers(host.upper())[:2], (0, 0))
    try:
        return denied(d, "empty", deny)
    finally:
        d.masq.restart()


def test_server_gone(d):
    """nobody answers: what was known stays, and is said to be stale; followed again after it"""
    d.masq.set("alone.test", "127.0.1.1")
    d.upstream("alone", f"alone.test:{PORT}")
    d.gateway.await_set("alone", [d.a])
    d.masq.stop()
    note = d.stays("alone", [d.a], AWAY)
    shown = d.shown("alone")
    equal([(r["NAME"], r["ADDRESSES"]) for r in shown], [("alone.test", "1")])
    check(shown[0]["STALE SINCE"].endswith("Z") and shown[0]["WHY"], shown)
    p = d.gateway.glooctl("check", ok=(2,))
    check("gloo-system.alone: cannot resolve \"alone.test\"" in p.stdout, p.stdout)
    d.masq.set("alone.test", "127.0.1.2")
    d.masq.start()
    back = time.monotonic()
    d.gateway.await_set("alone", [d.b], 40)
    equal(d.gateway.problem("alone"), None)
    shown = d.shown("alone")
    equal([(r["NAME"], r["ADDRESSES"], r["TTL"], r["STALE SINCE"], r["WHY"]) for r in shown],
          [("alone.test", "1", "1 s", "", "")])
    return f"{note}; current {time.monotonic() - back:.1f} s after it was back"


def test_restarted(d):
    """the gateway is started while nobody answers: it serves what it knew"""
    d.masq.set("kept.test", "127.0.1.1")
    d.upstream("kept", f"kept.test:{PORT}")
    d.gateway.await_set("kept", [d.a])
    d.masq.stop()
    try:
        d.gateway.stop()
        d.gateway.start()
        equal(d.gateway.set("kept"), [d.a])
        equal(shares(d.gateway, "/kept", 5), {"a": 5})
    finally:
        d.masq.start()


# ---- dnsmasq, with somebody in between who lies


def test_once(d):
    """NXDOMAIN once is not believed: nobody notices"""
    liar, kinds = Liar(d.masq), {A: "A", AAAA: "AAAA"}

    def once(answer):
        """The first answer of either family; the next ones are true."""
        end = answer.index(b"\0", 12) + 1
        kind = int.from_bytes(answer[end:end + 2], "big")
        if b"\4once" not in answer or not kinds.pop(kind, None):
            return [answer]
        return [answer[:3] + bytes([answer[3] & 0xf0 | 3]) + b"\0\1" + bytes(6)
                + answer[12:end + 4]]
    try:
        d.use(liar)
        d.masq.set("once.test", "127.0.1.1")
        d.upstream("once", f"once.test:{PORT}")
        d.gateway.await_set("once", [d.a])
        d.ask_always("/once")
        liar.change = once
        wait_until("a denial", lambda: not kinds, 10)
        d.masq.set("once.test", "127.0.1.1", "127.0.1.2")
        d.gateway.await_set("once", [d.a, d.b], 10)
        return f"{d.all_served()} requests"
    finally:
        liar.close()


def lied_to(d, lies, wait=3, believed=None):
    """{name: change of its answers}: {name: its set meanwhile}; then none is changed.
    believed: (address, seconds): all have it so soon."""
    liar = Liar(d.masq)
    try:
        d.use(liar)
        for name in lies:
            d.masq.set(f"{name}.test", "127.0.1.1")
            d.upstream(name, f"{name}.test:{PORT}")
        for name in lies:
            d.gateway.await_set(name, [d.a], 10)
        d.ask_always("/" + name)
        liar.change = lambda answer: next(
            (change for name, change in lies.items() if name.encode() in answer),
            lambda answer: [answer])(answer)
        for name in lies:
            d.masq.set(f"{name}.test", "127.0.1.2")
        asked, begin = liar.asked, time.monotonic()
        if believed:
            for name in lies:
                d.gateway.await_set(name, [believed[0]], believed[1])
        else:
            wait_until("questions", lambda: liar.asked > asked + 2 * len(lies) and
                       time.monotonic() - begin > wait, 40)
        during = {name: d.gateway.set(name) for name in lies}
        equal(d.gateway.process.poll(), None)
        liar.change = lambda answer: [answer]
        for name in lies:
            d.gateway.await_set(name, [d.b], 40)
        d.all_served()
        return during
    finally:
        liar.close()


def forged(answer, last):
    """With another last number of each address of IPv4: a forger's own server."""
    return answer.replace(bytes([127, 0, 1, 2]), bytes([127, 0, 1, last]))


def test_forged(d):
    """answers with another number, for another question or none are not believed"""
    def lies(answer):
        number = bytes([answer[0] ^ 1, answer[1]])
        other = answer.replace(b"forged", b"forgex")
        return [number + forged(answer, 3)[2:], forged(other, 3), forged(answer, 3)[:2] +
                b"\x81\x80\0\0\0\0\0\0\0\0", answer[:11], b"", answer]
    during = lied_to(d, {"forged": lies})["forged"]
    check(d.c not in during, during)


def test_garbled(d):
    """answers that are cut off, loop in themselves, or are truncated without TCP: what was known stays"""
    def cut(answer):
        return [answer[:len(answer) - 7]]

    def loop(answer):
        # The name of an answer leads back to itself (RFC 1035, 4.1.4).
        return [answer.replace(b"\xc0\x0c", b"\xc0\x1c")]

    def counts(answer):
        return [answer[:4] + b"\xff\xff\xff\xff\xff\xff\xff\xff" + answer[12:]]

    def truncated(answer):
        return [answer[:2] + bytes([answer[2] | 2]) + answer[3:]]
    lies = {"cutoff": cut, "loops": loop, "counts": counts, "shortened": truncated}
    equal(lied_to(d, lies), {name: [d.a] for name in lies})


def test_slow(d):
    """a server that takes a second and a half for each answer is waited for"""
    def slowly(answer):
        threading.Event().wait(1.5)
        return [answer]
    # The answer that is on its way has the former address, for the second of its TTL;
    # the next one is the new one: four seconds.
    lied_to(d, {"slow": slowly}, believed=(d.b, patient(5)))


# ---- knot


def test_truncated(d):
    """an answer that does not fit into UDP comes by TCP: all hundred addresses"""
    d.use(d.knot)
    addresses = [f"10.1.1.{n}" for n in range(1, 101)]
    d.knot.start("".join(f"many A {a}\n" for a in addresses))
    equal(d.knot.answers("many." + ZONE)[2], True, f"more than {UDP_MAX} bytes")
    d.upstream("large", f"many.{ZONE}:{PORT}")
    d.gateway.await_set("large", [f"{a}:{PORT}" for a in addresses], 10)


def test_services(d):
    """SRV: the smallest priority alone, by weight; ports are those of the records"""
    d.use(d.knot)
    hosts = "".join(f"{n} A 127.0.1.{i + 1}\n" for i, n in enumerate("abc"))
    d.knot.start(hosts + f"_http._tcp.web SRV 1 10 {PORT} a\n_http._tcp.web SRV 1 30 {PORT} b\n"
                         f"_http._tcp.web SRV 5 90 {PORT} c\n")
    d.upstream("web", f"_http._tcp.web.{ZONE}")
    d.gateway.await_set("web", [d.a, d.b], 10)
    await_names(d.gateway, "/web", "a", "b", count=40)
    got = shares(d.gateway, "/web", 400)
    check(set(got) == {"a", "b"} and 2 < got["b"] / got["a"] < 4.6, got)
    d.knot.start(hosts + f"_http._tcp.web SRV 5 90 {PORT} c\n")
    d.gateway.await_set("web", [d.c], 10)
    await_names(d.gateway, "/web", "c", count=5)
    # A weight of 0 is legal, and a target that has no address is none.
    d.knot.start(hosts + f"_http._tcp.web SRV 1 0 {PORT} a\n_http._tcp.web SRV 1 0 {PORT} nobody\n")
    d.gateway.await_set("web", [d.a], 10)
    return f"of weights 10 and 30: {got['a']} and {got['b']} of 400"


def test_no_service(d):
    """SRV whose target is the root: there is no such service"""
    d.use(d.knot)
    d.knot.start(f"a A 127.0.1.1\n_http._tcp.none SRV 1 1 {PORT} a\n")
    d.upstream("none", f"_http._tcp.none.{ZONE}")
    d.gateway.await_set("none", [d.a], 10)
    d.knot.start("a A 127.0.1.1\n_http._tcp.none SRV 0 0 0 .\n")
    d.gateway.await_set("none", [], DENIED)


def test_fails(d):
    """SERVFAIL: what was known stays, and is said to be stale; followed again after it"""
    d.use(d.knot)
    d.knot.start("fails A 127.0.1.1\n")
    d.upstream("fails", f"fails.{ZONE}:{PORT}")
    d.gateway.await_set("fails", [d.a], 10)
    d.knot.start(None)
    equal(d.knot.answers("fails." + ZONE)[0], 2, "SERVFAIL")
    note = d.stays("fails", [d.a], AWAY)
    d.knot.start("fails A 127.0.1.2\n")
    d.gateway.await_set("fails", [d.b], 40)
    equal(d.gateway.problem("fails"), None)
    return note


def test_alias(d):
    """CNAME: the smallest TTL of the chain counts"""
    d.use(d.knot)
    d.knot.start("alias 1 CNAME old\nold 300 A 127.0.1.1\nnew 300 A 127.0.1.2\n")
    d.upstream("alias", f"alias.{ZONE}:{PORT}")
    d.gateway.await_set("alias", [d.a], 10)
    d.knot.start("alias 1 CNAME new\nold 300 A 127.0.1.1\nnew 300 A 127.0.1.2\n")
    begin = time.monotonic()
    d.gateway.await_set("alias", [d.b], 10)
    took = time.monotonic() - begin
    # A question while knot was started anew has failed: the next one is a second later.
    check(took < 4 * e2e.PATIENCE, took)
    return f"{took:.1f} s"


def test_loop(d):
    """a loop of CNAMEs is no address, costs next to nothing, and harms nobody else"""
    d.use(d.knot)
    d.knot.start("round CNAME trip\ntrip CNAME round\ngood A 127.0.1.1\n")
    d.upstream("loop", f"round.{ZONE}:{PORT}")
    d.upstream("good", f"good.{ZONE}:{PORT}")
    d.gateway.await_set("good", [d.a], 10)
    state, reason = wait_until("a Warning", lambda: (
        lambda s: s if s[0] == "Warning" else None)(d.gateway.status("loop")), 15)
    check("round." + ZONE in reason, reason)
    ticks = cpu_ticks(d.gateway)
    begin = time.monotonic()
    wait_until("three seconds", lambda: time.monotonic() - begin > 3)
    used = cpu_ticks(d.gateway) - ticks
    check(used < 100 * e2e.PATIENCE, used, "ticks in three seconds")
    equal(d.gateway.ask("/loop")[0], 503)
    equal(shares(d.gateway, "/good", 3), {"a": 3})
    d.knot.start("round A 127.0.1.2\ngood A 127.0.1.1\n")
    d.gateway.await_set("loop", [d.b], 40)
    return f"{used} ticks of CPU; {reason}"


def cpu_ticks(gateway):
    fields = open(f"/proc/{gateway.process.pid}/stat").read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


# ---- resolv.conf


class OwnEtc:
    """A daemon that sees another /etc, which may be changed while it runs."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="ggte"))
        self.dir.chmod(0o755)
        self.etc = self.dir / "etc"
        self.etc.mkdir()
        for name in ("passwd", "group", "nsswitch.conf", "hosts", "ld.so.cache", "ssl",
                     "localtime", "machine-id"):
            if os.path.exists("/etc/" + name):
                e2e.run("cp", "-aL", "/etc/" + name, self.etc)
        self.program = self.dir / "daemon"
        self.program.write_text(
            "#!/bin/sh\nexec unshare --mount --propagation private sh -c '\n"
            f"mount --bind {self.etc} /etc && exec \"$@\"' - {e2e.DAEMON} \"$@\"\n")
        self.program.chmod(0o755)

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)


def test_resolv_conf(d):
    """/etc/resolv.conf is replaced, or written anew, while it runs: the other server is asked"""
    d.gateway.close()
    etc, first, second = OwnEtc(), Dnsmasq(d.lab.gw, "127.0.0.53", 53), Dnsmasq(
        d.lab.gw, "127.0.0.54", 53)
    resolv = etc.etc / "resolv.conf"
    resolv.write_text("search nowhere.test\nnameserver 127.0.0.53\n")
    first.set("conf.test", "127.0.1.1")
    second.set("conf.test", "127.0.1.2")
    try:
        first.start()
        second.start()
        d.server, d.gateway = None, Gateway(d.lab, binary=str(etc.program)).start()
        d.upstream("conf", f"conf.test:{PORT}")
        d.gateway.await_set("conf", [d.a], 10)
        d.ask_always("/conf")
        begin = time.monotonic()
        replace(resolv, "nameserver 127.0.0.54\n")
        resolv.chmod(0o644)
        d.gateway.await_set("conf", [d.b], 15)
        renamed = time.monotonic() - begin
        begin = time.monotonic()
        resolv.write_text("nameserver 127.0.0.53\n")
        d.gateway.await_set("conf", [d.a], 15)
        written = time.monotonic() - begin
        # The file is away for a while: nothing is lost, and followed again after it.
        resolv.rename(etc.etc / "away")
        begin = time.monotonic()
        wait_until("three seconds", lambda: equal(d.gateway.set("conf"), [d.a])
                   or time.monotonic() - begin > 3)
        (etc.etc / "away").rename(resolv)
        first.set("conf.test", "127.0.1.3")
        d.gateway.await_set("conf", [d.c], 20)
        count = d.all_served()
        equal(first.asked_for("conf.test.nowhere.test"), 0, "the search list was tried")
    finally:
        d.gateway.close()
        for s in (first, second):
            s.stop()
        etc.close()
        d.gateway = None
    return f"replaced: {renamed:.1f} s, written: {written:.1f} s; {count} requests"


if __name__ == "__main__":
    e2e.main(globals())
