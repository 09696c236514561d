"""Generic mode, both families: services in all modes, limits per source and
per /64, both processes killed under traffic with limits on, and full maps."""
import json
import select
import socket
import sys
import threading
import time

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import check, equal, knock, run, wait_until
from tcp import Client, Echo

BACKENDS = {4: "10.97.0.2", 6: "fd97::2"}
TINY = "  maps: { sources: 1024, connections: 1024, nat: 1024, fragments: 1024 }\n"
INTERFACES = ("  interfaces: [ { name: gg0, mode: generic }, { name: gg1, mode: generic } ]\n"
              "  onStop: detach\n")
DATAGRAMS, PORT, DIRECT = 5300, 7000, 7001


class Generic:
    """The lab and a namespace behind gg1. Outside has all addresses of
    10.99.0.0/16 and fd99::/32."""

    def __init__(self):
        self.lab = e2e.Lab()
        self.be = self.lab.gw[:-2] + "be"
        e2e.undo.append(lambda: run("ip", "netns", "del", self.be, ok=None))
        run("ip", "netns", "add", self.be)
        run("ip", "link", "add", "gg1", "netns", self.lab.gw, "type", "veth",
            "peer", "name", "eth0", "netns", self.be)
        for ns, dev, n in ((self.lab.gw, "gg1", 1), (self.be, "eth0", 2)):
            run("ip", "link", "set", "lo", "up", ns=ns)
            run("ip", "addr", "add", f"10.97.0.{n}/24", "dev", dev, ns=ns)
            run("ip", "addr", "add", f"fd97::{n}/64", "dev", dev, "nodad", ns=ns)
            run("ip", "link", "set", dev, "up", ns=ns)
            run("ethtool", "-K", dev, "tx", "off", ns=ns, ok=None)
        for a in (self.lab.address + "/32", self.lab.address6 + "/128"):
            run("ip", "addr", "add", a, "dev", "lo", ns=self.be)
        for net, out, gw in (("10.99.0.0/16", "10.98.0.2", "10.97.0.1"),
                             ("fd99::/32", "fd98::2", "fd97::1")):
            family = "-6" if ":" in net else "-4"
            run("ip", family, "route", "add", "local", net, "dev", "lo", ns=self.lab.out)
            run("ip", family, "route", "add", net, "via", out, ns=self.lab.gw)
            run("ip", family, "route", "add", "default", "via", gw, ns=self.be)
        run("sysctl", "-qw", "net.ipv6.ip_nonlocal_bind=1", ns=self.lab.out)
        for key in ("ipv4.ip_forward=1", "ipv4.conf.gg1.accept_local=1",
                    "ipv6.conf.all.forwarding=1"):
            run("sysctl", "-qw", "net." + key, ns=self.lab.gw)
        self.addresses = {4: self.lab.address, 6: self.lab.address6}
        self.echoes = [Echo(self.be, b"own", BACKENDS[v], PORT) for v in (4, 6)]
        self.echoes += [Echo(self.be, b"direct", self.addresses[v], DIRECT) for v in (4, 6)]
        self.datagrams = [self.echo_datagrams(BACKENDS[v]) for v in (4, 6)]
        self.gateway = e2e.Gateway(self.lab, settings=INTERFACES).start()
        self.origin = e2e.Origin(self.lab.gw)
        self.gateway.upstream("origin", self.origin.host)
        self.gateway.route("/", "origin")

    def echo_datagrams(self, address):
        with e2e.Namespace(self.be):
            s = datagram_socket(address, DATAGRAMS)

        def serve():
            try:
                while True:
                    data, peer = s.recvfrom(2048)
                    s.sendto(data, peer)
            except OSError:
                pass
        threading.Thread(target=serve, daemon=True).start()
        return s

    def put(self, kind, name, document):
        status, text = self.gateway.api("PUT", f"/v1/{kind}/gloo-system/{name}", document)
        equal(status, 200, text)

    def service(self, version, mode, port, to, protocol="TCP", limits=()):
        """Of the backend's port `to`."""
        name = f"{mode}{version}-{port}"
        self.put("upstreams", f"b{version}-{to}", {"upstreamSpec": {"static": {"hosts": [
            {"addr": BACKENDS[version], "port": to}]}}})
        self.put("gateways", name, {
            "bindAddress": self.addresses[version], "bindPort": port,
            "tcpGateway": {"tcpHosts": [{
                "name": name, "mode": mode, "protocol": protocol,
                "rateLimits": list(limits),
                "destination": {"single": {"upstream": {"name": f"b{version}-{to}"}}}}]}})
        wait_until(f"{name} to be steered", lambda: self.view(name)["servedBy"] == "xdp"
                   and all(b["reachable"] for b in self.view(name)["backends"]))
        return name

    def view(self, name):
        return next(s for s in self.gateway.get("/v1/services")["items"] if s["name"] == name)

    def drops(self):
        return self.gateway.metric("gloo_gateway_kernel_packets", reason="drop_limit_packets")

    def dump(self, name):
        return json.loads(run("bpftool", "-j", "map", "dump", "pinned",
                              f"{self.gateway.pin}/maps/{name}").stdout)

    def kill(self):
        proxy = self.gateway.proxy_pid()
        self.gateway.process.kill()
        self.gateway.process.wait()
        run("kill", "-9", proxy)


def setup():
    return Generic()


def teardown(t):
    try:
        t.gateway.close()
    finally:
        for s in t.echoes + [t.origin]:
            s.close()
        run("ip", "netns", "del", t.be, ok=None)
        t.lab.close()


def datagram_socket(address, port=0):
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
    s.bind((address, port))
    return s


def source(version, n):
    """The n-th address outside; of IPv6, in a /64 of its own."""
    return f"10.99.{n >> 8}.{n & 255}" if version == 4 else f"fd99:0:0:{n:x}::1"


def test_attached(t):
    """both interfaces are in generic mode"""
    for dev in ("gg0", "gg1"):
        link = json.loads(run("ip", "-d", "-j", "link", "show", dev, ns=t.lab.gw).stdout)[0]
        equal(link["xdp"]["mode"], 2, dev)


def test_forward(t):
    """connections in modes nat, dsr-l2 and route, IPv4 and IPv6, with 1 MiB there and back"""
    block = bytes(range(256)) * 4096
    for version in (4, 6):
        for mode, port, to in (("nat", 7010, PORT), ("dsr-l2", DIRECT, DIRECT),
                               ("route", 7020, PORT)):
            name = t.service(version, mode, port, to)
            c = Client(t.lab.out, t.addresses[version], port)
            equal(c.name, b"direct" if mode == "dsr-l2" else b"own")
            sender = threading.Thread(target=lambda: (c.s.sendall(block),
                                                      c.s.shutdown(socket.SHUT_WR)))
            sender.start()
            while data := c.s.recv(1 << 18):
                c.got += data
            sender.join()
            check(c.got == block + b"goodbye\n", version, mode, len(c.got))
            c.close()
            equal(t.view(name)["relayed"]["accepted"], 0, name)


def test_limits(t):
    """new connections per IPv4 address and per IPv6 /64, of a listener and of a service"""
    limit = {"name": "syns", "counts": "connections", "rate": 5, "unit": "HOUR"}
    t.put("gateways", "limited", {"bindPort": 8081, "options": {"rateLimits": [limit]}})
    for version in (4, 6):
        t.service(version, "nat", 7030, PORT, limits=[limit])
        for port in (8081, 7030):
            def ask(address):
                return knock(t.lab.out, t.addresses[version], port, address)
            # Five addresses of one /64, and a sixth.
            one = [source(4, 1)] * 6 if version == 4 else [f"fd99:0:0:1::{n}" for n in range(1, 7)]
            equal([ask(a) for a in one], ["open"] * 5 + ["dropped"], f"IPv{version}, {port}")
            equal(ask(source(version, 2)), "open", f"IPv{version}, {port}")


class Sender(threading.Thread):
    """Datagrams from one address, up to `most`; `heard` counts the echoes."""

    def __init__(self, t, version, n, most=10 ** 9):
        super().__init__(daemon=True)
        with e2e.Namespace(t.lab.out):
            self.s = datagram_socket(source(version, n))
        self.s.connect((t.addresses[version], DATAGRAMS))
        self.most = most
        self.sent = self.heard = 0
        self.end = threading.Event()
        self.start()

    def hear(self):
        try:
            while self.s.recv(100, socket.MSG_DONTWAIT):
                self.heard += 1
        except BlockingIOError:
            pass

    def run(self):
        while not self.end.is_set():
            if self.sent < self.most:
                self.s.send(b"datagram")
                self.sent += 1
            self.end.wait(0.002)
            self.hear()

    def all_heard(self, more):
        """So many more are sent; each is answered."""
        self.most += more
        wait_until("every echo", lambda: self.heard == self.most)

    def stop(self):
        self.end.set()
        self.join()
        self.s.close()


def test_killed(t):
    """both processes killed and started under traffic: limits hold, the others go on"""
    said = []
    for version in (4, 6):
        name = t.service(version, "nat", DATAGRAMS, DATAGRAMS, "UDP", [
            {"name": "load", "counts": "packets", "rate": 100, "unit": "HOUR"}])
        talk = Client(t.lab.out, t.addresses[version], 7010)
        before, began = t.drops(), time.monotonic()
        greedy, modest = Sender(t, version, 10), Sender(t, version, 11, 0)
        wait_until("the limit", lambda: t.drops() > before)
        for _ in range(3):
            t.kill()
            sent = greedy.sent
            modest.all_heard(15)
            wait_until("more", lambda: greedy.sent > sent + 200)
            talk.says(b"alone")
            t.gateway.start()
            modest.all_heard(15)
            talk.says(b"taken over")
        for s in (greedy, modest):
            s.stop()
        equal(modest.heard, 90)
        # Each 36 s of 100 an hour bring one more.
        check(100 <= greedy.heard <= 101 + int((time.monotonic() - began) / 36), greedy.heard)
        wait_until("the drops to be counted",
                   lambda: t.drops() - before >= greedy.sent - greedy.heard)
        talk.close()
        t.gateway.glooctl("delete", "gateway", name)
        said.append(f"IPv{version}: {greedy.heard} of {greedy.sent} and 90 of 90")
    return ", ".join(said)


def ask_all(t, version, first, count, each):
    """So many datagrams from each of so many sources; the echoes of each, of
    which one less is expected at most."""
    sockets, before = [], t.drops()
    for n in range(first, first + count):
        with e2e.Namespace(t.lab.out):
            s = datagram_socket(source(version, n))
        s.connect((t.addresses[version], DATAGRAMS))
        sockets.append(s)
        for _ in range(each):
            s.send(b"datagram")
    got, want = dict.fromkeys(sockets, 0), sockets
    end = time.monotonic() + 10 * e2e.PATIENCE
    while want:
        ready = select.select(want, [], [], 0.05)[0]
        # What is not dropped is answered, sooner or later.
        if not ready and (sum(got.values()) + t.drops() - before >= count * each
                          or time.monotonic() > end):
            break
        for s in ready:
            s.recv(100)
            got[s] += 1
        want = [s for s in want if got[s] < each - 1]
    for s in sockets:
        s.close()
    return list(got.values())


def test_full(t):
    """full maps: new sources are served, and limited, like the first; who talks, talks on"""
    t.gateway.stop()
    t.gateway.write_settings(INTERFACES + TINY)
    t.gateway.start()
    count, burst, said = 2000, 8, []
    for version in (4, 6):
        name = t.service(version, "nat", DATAGRAMS, DATAGRAMS, "UDP", [
            {"name": "load", "counts": "packets", "rate": burst, "unit": "HOUR"}])
        before = t.drops()
        c = Client(t.lab.out, t.addresses[version], 7010)
        heard = []
        for n in range(0, count, 20):
            heard += ask_all(t, version, 1000 + n, 20, burst + 1)
            c.says(b"still here")
        e2e.await_equal(lambda: t.drops() - before, count * (burst + 1) - sum(heard))
        # Of sources that share their cells of the sketch, the second has what
        # is left when the first gets an entry: half the burst less a packet.
        exact = sum(n == burst for n in heard)
        check(exact >= 0.98 * count and min(heard) >= burst / 2 - 1, exact, min(heard))
        entries = len(t.dump(f"gg_rl{version}")), len(t.dump(f"gg_nat{version}"))
        check(all(512 <= n <= 1024 for n in entries), entries)
        c.close()
        t.gateway.glooctl("delete", "gateway", name)
        said.append(f"IPv{version}: {exact} of {count} sources exactly {burst}, the least "
                    f"{min(heard)}; {entries[0]} entries of sources, {entries[1]} of nat")
    return "; ".join(said)


if __name__ == "__main__":
    e2e.main(globals())
