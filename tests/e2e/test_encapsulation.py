"""Modes ipip and gue, both families: a backend behind a router gets whole packets
inside others, and answers the client itself.

This kernel has neither ipip nor fou devices. What a backend would do with one of
them, a program of the tests' own does at its end (tests/tools/decapsulate.bpf.c),
which takes the outer headers away and counts."""
import json
import socket
import sys
import threading

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import check, equal, run, wait_until
from tcp import Client, Echo

BACKENDS = {4: "10.96.0.2", 6: "fd96::2"}
PORTS = {"ipip": 7001, "gue": 7002}
MTUS = {("ipip", 4): 1480, ("gue", 4): 1472, ("ipip", 6): 1460, ("gue", 6): 1452}
KINDS = {"ipip": 0, "gue": 1}
PROGRAMS = e2e.BUILD / "tests/tools"


def interfaces(mode):
    return (f"  interfaces: [ {{ name: gg0, mode: {mode} }}, {{ name: gg1, mode: {mode} }} ]\n"
            "  onStop: detach\n")


class Far:
    """The lab; behind gg1 a router, behind it a backend that has the service's
    addresses; and a link from the router to outside, for its answers:

        out ── gg0 box gg1 ── rt ── be
          └──────────────────┘
    """

    def __init__(self):
        self.lab = e2e.Lab()
        self.addresses = {4: self.lab.address, 6: self.lab.address6}
        self.rt, self.be = self.lab.gw[:-2] + "rt", self.lab.gw[:-2] + "be"
        for ns in (self.rt, self.be):
            e2e.undo.append(lambda ns=ns: run("ip", "netns", "del", ns, ok=None))
            run("ip", "netns", "add", ns)
            run("ip", "link", "set", "lo", "up", ns=ns)
        self.link(97, self.lab.gw, "gg1", self.rt, "rt0")
        self.link(96, self.rt, "rt1", self.be, "eth0")
        self.link(95, self.rt, "rt2", self.lab.out, "eth1")
        self.routes()
        for a in (self.lab.address + "/32", self.lab.address6 + "/128"):
            run("ip", "addr", "add", a, "dev", "lo", ns=self.be)
        self.attach("decapsulate", self.be, "eth0")
        self.attach("pass", self.rt, "rt0")
        self.attach("pass", self.lab.out, "eth0")
        self.echoes = [Echo(self.be, b"direct", a, p)
                       for a in self.addresses.values() for p in PORTS.values()]
        self.echoes += [Echo(self.be, b"own", BACKENDS[v], p)
                        for v in (4, 6) for p in PORTS.values()]
        self.datagrams = [self.echo_datagrams(a, p)
                          for a in self.addresses.values() for p in PORTS.values()]
        self.gateway = e2e.Gateway(self.lab, settings=interfaces("native")).start()

    def link(self, net, left, left_dev, right, right_dev):
        run("ip", "link", "add", left_dev, "netns", left, "type", "veth",
            "peer", "name", right_dev, "netns", right)
        for ns, dev, n in ((left, left_dev, 1), (right, right_dev, 2)):
            run("ip", "addr", "add", f"10.{net}.0.{n}/24", "dev", dev, ns=ns)
            run("ip", "addr", "add", f"fd{net}::{n}/64", "dev", dev, "nodad", ns=ns)
            run("ip", "link", "set", dev, "up", ns=ns)
            run("ethtool", "-K", dev, "tx", "off", ns=ns, ok=None)

    def routes(self):
        for ns, net, via in ((self.lab.gw, 96, "97:2"), (self.be, None, "96:1"),
                             (self.rt, 98, "95:2")):
            via, n = via.split(":")
            run("ip", "route", "add", f"10.{net}.0.0/24" if net else "default",
                "via", f"10.{via}.0.{n}", ns=ns)
            run("ip", "-6", "route", "add", f"fd{net}::/64" if net else "default",
                "via", f"fd{via}::{n}", ns=ns)
        for ns in (self.rt, self.lab.out, self.be):
            for dev in run("ls", "/proc/sys/net/ipv4/conf", ns=ns).stdout.split():
                run("sysctl", "-qw", f"net.ipv4.conf.{dev}.rp_filter=0", ns=ns, ok=None)
        run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
            ns=self.rt)

    def attach(self, program, ns, dev):
        run("ip", "link", "set", "dev", dev, "xdpdrv", "obj",
            PROGRAMS / f"{program}.bpf.o", "sec", "xdp", ns=ns)

    def echo_datagrams(self, address, port):
        with e2e.Namespace(self.be):
            s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET,
                              socket.SOCK_DGRAM)
            s.bind((address, port))

        def serve():
            try:
                while True:
                    data, peer = s.recvfrom(65536)
                    s.sendto(data, peer)
            except OSError:
                pass
        threading.Thread(target=serve, daemon=True).start()
        return s

    def taken(self, mode):
        """Packets in packets that the backend has got so far."""
        link = json.loads(run("ip", "-d", "-j", "link", "show", "eth0", ns=self.be).stdout)[0]
        program = json.loads(run("bpftool", "-j", "prog", "show", "id",
                                 link["xdp"]["prog"]["id"]).stdout)
        dump = json.loads(run("bpftool", "-j", "map", "dump", "id",
                              program["map_ids"][0]).stdout)
        return dump[KINDS[mode]]["formatted"]["value"]

    def put(self, version, mode, protocol="TCP", backend=None, ok=(200,)):
        """Asked for, the answer's text, and the name of the service."""
        name = f"{mode}{version}-{protocol.lower()}"
        backend = backend or BACKENDS[version]
        status, text = self.gateway.api("PUT", f"/v1/upstreams/gloo-system/{name}", {
            "upstreamSpec": {"static": {"hosts": [{"addr": backend, "port": PORTS[mode]}]}}})
        equal(status, 200, text)
        status, text = self.gateway.api("PUT", f"/v1/gateways/gloo-system/{name}", {
            "bindAddress": self.addresses[version], "bindPort": PORTS[mode],
            "tcpGateway": {"tcpHosts": [{
                "name": name, "mode": mode, "protocol": protocol,
                "destination": {"single": {"upstream": {"name": name}}}}]}})
        check(status in ok, status, text)
        return name, text

    def service(self, *args, **kwargs):
        name, _ = self.put(*args, **kwargs)
        wait_until(f"{name} to be steered", lambda: self.view(name)["servedBy"] == "xdp"
                   and all(b["reachable"] for b in self.view(name)["backends"]))
        return name

    def view(self, name):
        return next(s for s in self.gateway.get("/v1/services")["items"] if s["name"] == name)

    def drop(self, *names):
        for name in names:
            self.gateway.glooctl("delete", "gateway", name)

    def client(self, version, mode):
        return Client(self.lab.out, self.addresses[version], PORTS[mode])

    def path_mtu(self, version):
        """What the client has learnt."""
        route = json.loads(run("ip", "-j", f"-{version}", "route", "get",
                               self.addresses[version], ns=self.lab.out).stdout)[0]
        return next((m["mtu"] for m in route.get("metrics", []) if "mtu" in m), None)

    def neighbour(self, version, mac):
        """Where the box sends what goes to the router."""
        run("ip", "neigh", "replace", "10.97.0.2" if version == 4 else "fd97::2",
            "lladdr", mac, "dev", "gg1", "nud", "reachable", ns=self.lab.gw)

    def forget_mtu(self):
        for version in (4, 6):
            run("ip", f"-{version}", "route", "flush", "cache", ns=self.lab.out)


def setup():
    return Far()


def teardown(t):
    try:
        t.gateway.close()
    finally:
        for s in t.echoes + t.datagrams:
            s.close()
        t.lab.close()


def echoed(c, block):
    """Half closes, and returns all that came back."""
    sender = threading.Thread(target=lambda: (c.s.sendall(block),
                                              c.s.shutdown(socket.SHUT_WR)))
    sender.start()
    while data := c.s.recv(1 << 18):
        c.got += data
    sender.join()
    return c.got


def test_streams(t):
    """TCP, IPv4 and IPv6: 1 MiB there and back; the client learns what fits"""
    block = bytes(range(256)) * 4096
    for version in (4, 6):
        for mode in PORTS:
            t.forget_mtu()
            name = t.service(version, mode)
            check(f"steered by XDP ({mode})" == t.view(name)["service"], t.view(name))
            before = t.taken(mode)
            c = t.client(version, mode)
            equal(c.name, b"direct", name)
            got = echoed(c, block)
            check(got == block + b"goodbye\n", name, len(got))
            c.close()
            check(t.taken(mode) - before > len(block) / 1500, name, t.taken(mode), before)
            equal(t.view(name)["relayed"]["accepted"], 0, name)
            equal(t.path_mtu(version), MTUS[mode, version], name)
            def counted(reason):
                return t.gateway.metric("gloo_gateway_kernel_packets", reason=reason,
                                        listener="gloo-system." + name)
            check(counted("answer_too_big") > 0, name)
            equal(counted("forward_reverse") or 0, 0, name)
            t.drop(name)


def test_datagrams(t):
    """UDP, IPv4 and IPv6: of all sizes up to what fits, and one in fragments"""
    for version in (4, 6):
        for mode in PORTS:
            t.forget_mtu()
            name = t.service(version, mode, "UDP")
            before = t.taken(mode)
            with e2e.Namespace(t.lab.out):
                s = socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6,
                                  socket.SOCK_DGRAM)
            s.settimeout(5 * e2e.PATIENCE)
            s.connect((t.addresses[version], PORTS[mode]))
            most = MTUS[mode, version] - (28 if version == 4 else 48)
            for size in (1, 17, 18, 500, 1200, most):
                data = bytes(n & 0xff for n in range(size))
                s.send(data)
                check(s.recv(65536) == data, name, size)
            equal(t.taken(mode) - before, 6, name)
            # Fragments that fit: the sender learns it from the first one.
            data = bytes(range(256)) * 16

            def back():
                try:
                    s.settimeout(0.2)
                    s.send(data)
                    return s.recv(65536) == data
                except (TimeoutError, OSError):
                    return False
            wait_until(f"{name}: a datagram in fragments", back)
            equal(t.path_mtu(version), MTUS[mode, version], name)
            s.close()
            t.drop(name)


def test_other_family(t):
    """a backend of the other family than the service"""
    for version, mode in ((4, "ipip"), (6, "gue"), (4, "gue"), (6, "ipip")):
        name = t.service(version, mode, backend=BACKENDS[10 - version])
        c = t.client(version, mode)
        equal(c.name, b"direct", name)
        got = echoed(c, b"x" * 100000)
        check(got == b"x" * 100000 + b"goodbye\n", name, len(got))
        c.close()
        t.drop(name)


def test_path_mtu(t):
    """a narrower link behind the router: the box hears of it, and tells clients"""
    narrow = 1420
    for ns, dev in ((t.rt, "rt1"), (t.be, "eth0")):
        run("ip", "link", "set", dev, "mtu", narrow, ns=ns)

    def rows():
        return [r["formatted"]["value"] for r in json.loads(run(
            "bpftool", "-j", "map", "dump", "pinned", f"{t.gateway.pin}/maps/gg_backend").stdout)
            if r["formatted"]["value"]["path_mtu"]]

    def macs():
        return [":".join(f"{int(str(b), 0):02x}" for b in r["to_mac"]) for r in rows()]
    equal(rows(), [])
    for version in (4, 6):
        for mode in PORTS:
            t.forget_mtu()
            name = t.service(version, mode)
            c = t.client(version, mode)
            got = echoed(c, b"x" * 100000)
            check(got == b"x" * 100000 + b"goodbye\n", name, len(got))
            c.close()
            equal(t.path_mtu(version), MTUS[mode, version] - 1500 + narrow, name)
            equal([r["path_mtu"] for r in rows()], [narrow], name)
            check(t.gateway.metric("gloo_gateway_kernel_notes", reason="path_mtu",
                                   listener="gloo-system." + name) >= 1, name)
            if mode == "ipip":  # the daemon writes the row anew, and leaves that
                mac = macs()[0]
                for m in ("02:00:00:00:00:77", mac):
                    t.neighbour(version, m)
                    wait_until(f"{m} in the map", lambda: macs() == [m])
                    equal([r["path_mtu"] for r in rows()], [narrow], name)
            t.drop(name)
            wait_until("its row to be free", lambda: rows() == [])
    for ns, dev in ((t.rt, "rt1"), (t.be, "eth0")):
        run("ip", "link", "set", dev, "mtu", 1500, ns=ns)


def test_generic(t):
    """in generic mode TCP is refused, or relayed with a Warning; UDP is served"""
    name = t.service(4, "gue")
    t.gateway.stop()
    t.gateway.write_settings(interfaces("generic"))
    t.gateway.start()
    s = wait_until("the Warning", lambda: (
        s := t.gateway.get(f"/v1/gateways/gloo-system/{name}")["status"])["state"] == "Warning"
        and s)
    check("modes ipip and gue need native mode" in s["reason"], s)
    check("relayed in user space: XDP refuses it" in s["reason"], s)
    c = t.client(4, "gue")
    equal(c.name, b"own")
    c.close()
    _, text = t.put(6, "ipip", ok=(422,))
    check("modes ipip and gue need native mode" in text, text)
    t.service(4, "ipip", "UDP")
    with e2e.Namespace(t.lab.out):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(5 * e2e.PATIENCE)
    before = t.taken("ipip")
    s.sendto(b"ping", (t.addresses[4], PORTS["ipip"]))
    equal(s.recvfrom(2048), (b"ping", (t.addresses[4], PORTS["ipip"])))
    equal(t.taken("ipip"), before + 1)
    s.close()


if __name__ == "__main__":
    e2e.main(globals())
