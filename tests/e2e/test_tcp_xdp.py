"""TCP and UDP services that XDP steers, and what becomes of connections when it
starts or stops to do so."""
import json
import socket
import sys
import threading
import time

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import check, equal, run, wait_until
from echo_service import PORT, EchoService
from tcp import Client, Echo

INTERFACES = ("  interfaces: [ { name: gg0, mode: generic }, { name: gg1, mode: generic } ]\n"
              "logLevel: debug\n")
SECRET, SEED = "0123456789abcdef", 0x3625dec6
CHECKS = [{"interval": "1s", "timeout": "1s", "unhealthyThreshold": 1,
           "healthyThreshold": 1, "unhealthyInterval": "1s", "tcpHealthCheck": {}}]


class Steered(EchoService):
    """The lab and a third namespace with two backends, 10.97.0.2 and .3."""

    bind_address = "10.98.0.1"

    def __init__(self):
        self.lab = e2e.Lab()
        self.be = self.lab.gw[:-2] + "be"
        e2e.undo.append(lambda: run("ip", "netns", "del", self.be, ok=None))
        run("ip", "netns", "add", self.be)
        run("ip", "link", "add", "gg1", "netns", self.lab.gw, "type", "veth",
            "peer", "name", "eth0", "netns", self.be)
        for ns, dev, addresses in ((self.lab.gw, "gg1", ("10.97.0.1",)),
                                   (self.be, "eth0", ("10.97.0.2", "10.97.0.3"))):
            run("ip", "link", "set", "lo", "up", ns=ns)
            for a in addresses:
                run("ip", "addr", "add", a + "/24", "dev", dev, ns=ns)
            run("ip", "link", "set", dev, "up", ns=ns)
            run("ethtool", "-K", dev, "tx", "off", ns=ns, ok=None)
        # Mode route: the answers, which the stack of the box sends on.
        run("ip", "route", "add", "default", "via", "10.97.0.1", ns=self.be)
        for key in ("ip_forward=1", "conf.gg1.accept_local=1"):
            run("sysctl", "-qw", "net.ipv4." + key, ns=self.lab.gw)
        self.a = Echo(self.be, b"a", "10.97.0.2", PORT)
        self.b = Echo(self.be, b"b", "10.97.0.3", PORT)
        self.start(INTERFACES)

    def upstream(self, *echoes, weights=(1, 1), **more):
        self.hosts([{"addr": e.address, "port": e.port, "loadBalancingWeight": w}
                    for e, w in zip(echoes, weights)], **{"healthChecks": CHECKS, **more})

    def states(self):
        return {b["address"].split(":")[0]: b["state"] for b in self.service()["backends"]}

    def seed(self):
        """Of the hash of flows, as the kernel has it."""
        dump = json.loads(run("bpftool", "-j", "map", "dump", "pinned",
                              f"{self.gateway.pin}/maps/gg_cfg").stdout)
        return dump[0]["formatted"]["value"]["seed"]

    def kill(self):
        self.gateway.process.kill()
        self.gateway.process.wait()

    def reachable(self):
        wait_until("both backends", lambda: [
            b["reachable"] for b in self.service()["backends"]] == [True, True])


def setup():
    return Steered()


def teardown(t):
    t.close()


def test_steered(t):
    """XDP steers a service in mode nat, says so, and nothing is relayed"""
    t.reachable()
    s = t.status()
    equal(s["state"], "Accepted", s)
    check("steered by XDP (nat)" in s["reason"], s)
    equal(t.names(), {b"a", b"b"})
    service = t.service()
    equal((service["servedBy"], service["relayed"]["accepted"]), ("xdp", 0))
    equal(t.states(), {"10.97.0.2": "up", "10.97.0.3": "up"})
    check(sum(b["connections"] for b in service["backends"]) >= 20, service)
    wide = t.gateway.glooctl("get", "gateway", "echo", "-o", "wide").stdout
    check("steered by XDP (nat)" in wide and "10.97.0.3:7000" in wide, wide)
    check(t.gateway.metric("gloo_gateway_kernel_packets", listener="gloo-system.echo",
                           reason="forward") > 0)
    equal(t.gateway.metric("gloo_gateway_service_steered", service="gloo-system.echo"), 1)
    notes = [line for a in t.gateway.get("/v1/check")["areas"] for line in a["notes"]]
    check("gg1: in generic mode no packet of a service" in " ".join(notes), notes)


def test_nat_ports(t):
    """a port that mode nat and the box itself may take deserves a Warning"""
    def sysctl(setting):
        run("sysctl", "-qw", "net.ipv4." + setting, ns=t.lab.gw)

    def checked():
        return [line for a in t.gateway.get("/v1/check")["areas"] for line in a["warnings"]
                if "ip_local_port_range" in line]

    equal(checked(), [])
    try:
        sysctl("ip_local_port_range=20000 60999")
        s = t.status()
        equal(s["state"], "Warning", s)
        check("gives 20000, too" in s["reason"], s)
        equal(len(checked()), 2, checked())  # of the gateway and of the kernel
        sysctl("ip_local_reserved_ports=1024-32767")
        equal(t.status()["state"], "Accepted")
        equal(checked(), [])
    finally:
        sysctl("ip_local_port_range=32768 60999")


def test_bytes(t):
    """8 MiB there and back, and a half-closed connection, through XDP"""
    c = t.client()
    block = bytes(range(256)) * 4096

    def send():
        for _ in range(8):
            c.s.sendall(block)
        c.s.shutdown(socket.SHUT_WR)
    sender = threading.Thread(target=send)
    sender.start()
    while True:
        data = c.s.recv(1 << 18)
        if not data:
            break
        c.got += data
    sender.join()
    check(c.got == block * 8 + b"goodbye\n", len(c.got))
    c.close()


def test_from_the_box(t):
    """who connects from the box itself is relayed"""
    before = t.service()["relayed"]["accepted"]
    c = Client(t.lab.gw, t.lab.address, PORT)
    c.says(b"from here")
    c.close()
    equal(t.service()["relayed"]["accepted"], before + 1)


def test_limited(t):
    """rateLimits of a steered host: each source has its own, exact and counted"""
    run("ip", "addr", "add", "10.98.0.7/24", "dev", "eth0", ns=t.lab.out)
    verdict = t.put("limited", port=7100, rateLimits=[
        {"name": "syns", "counts": "connections", "rate": 5, "unit": "HOUR"}])
    equal((verdict["state"], verdict["kernel"]), ("Accepted", "enforced"), verdict)
    equal(t.service("limited")["servedBy"], "xdp")
    wait_until("its backends", lambda: all(
        b["reachable"] for b in t.service("limited")["backends"]))

    def served(source):
        try:
            with e2e.connect_once(t.lab.out, t.lab.address, 7100, source) as s:
                return s.recv(1) in (b"a", b"b")
        except OSError:
            return False
    equal([served("10.98.0.2") for _ in range(8)], [True] * 5 + [False] * 3)
    equal([served("10.98.0.7") for _ in range(5)], [True] * 5)
    rule = next(i for i in t.gateway.get("/v1/limits")["items"] if i["rule"] == "syns")
    equal((rule["name"], rule["enforcedBy"]), ("limited", "kernel"), rule)
    check(rule["refused"] >= 3, rule)
    seen = {i["source"]: i for i in t.gateway.get("/v1/sources")["items"]}
    equal(sorted(seen), ["10.98.0.2", "10.98.0.7"], seen)
    row = seen["10.98.0.2"]
    equal((row["listener"], row["address"], row["state"]),
          ("gloo-system.limited", "10.98.0.1:7100", "limited"))
    equal(row["limits"], [{"counts": "connections", "left": 0, "burst": 5,
                           "rule": "syns", "rate": 5, "unit": "HOUR"}])
    check(row["dropped"] >= 3 and seen["10.98.0.7"]["dropped"] == 0, seen)
    t.gateway.glooctl("delete", "gateway", "limited")


def test_backend_dies(t):
    """a backend goes down: its slots move at once, the others' connections stay"""
    clients = [t.client() for _ in range(10)]
    t.a.die()
    wait_until("a to be down", lambda: t.states().get("10.97.0.2") == "down")
    equal(t.names(), {b"b"})
    for c in clients:
        if c.name == b"b":
            c.says(b"still here")
        c.close()
    t.a.listen(PORT)
    wait_until("a to be up", lambda: t.states().get("10.97.0.2") == "up")
    equal(t.names(40), {b"a", b"b"})


def test_backend_removed(t):
    """a backend that leaves keeps its connections and gets no new ones"""
    clients = [t.client() for _ in range(10)]
    t.upstream(t.b)
    wait_until("no new one to a", lambda: t.names() == {b"b"})
    for c in clients:
        c.says(b"still here")
        c.close()
    t.upstream(t.a, t.b)
    wait_until("both again", lambda: t.names(40) == {b"a", b"b"})


def test_weights(t):
    """endpoints that change all the time: two commits per 50 ms at most, the last one counts"""
    def asked():
        return t.gateway.log_text().count("XDP is asked to steer")
    def change(n):
        for i in range(15):
            t.upstream(t.a, t.b, weights=(1 + n, 1 + i))
    before, begin = asked(), time.monotonic()
    threads = [threading.Thread(target=change, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # In this order: what is committed until the look is in the time, too.
    count = asked() - before
    took = time.monotonic() - begin
    # Theirs and that of the configuration, which a change of weights is, too.
    check(1 <= count <= 2 * (took / 0.05 + 1), count, took)
    t.upstream(t.a, t.b, weights=(3, 1))
    def slots():
        return [b["ringSlots"] for b in t.service()["backends"]]
    wait_until("three to one", lambda: abs(slots()[0] - 3 * slots()[1]) < 300)
    t.upstream(t.a, t.b)
    return f"{count} commits of 60 changes in {took:.1f} s"


def test_control_dies(t):
    """kill -9 of both processes: steered connections go on"""
    c, slot = t.client(), t.service()["slot"]
    proxy = t.gateway.proxy_pid()
    t.gateway.process.kill()
    t.gateway.process.wait()
    run("kill", "-9", proxy)
    c.says(b"alone")
    d = t.client()
    t.gateway.start()
    c.says(b"taken over")
    d.says(b"taken over")
    equal(t.service()["slot"], slot)
    c.close()
    d.close()


def test_gone_meanwhile(t):
    """a service whose file went while no daemon ran is steered no more"""
    t.gateway.process.kill()
    t.gateway.process.wait()
    t.client().close()
    for path in (t.gateway.dir / "config/gateways").rglob("*.yaml"):
        path.unlink()
    t.gateway.start()
    equal(t.gateway.get("/v1/services")["items"], [])
    wait_until("nobody to listen", t.refuses)
    t.put()
    t.reachable()
    equal(t.names(), {b"a", b"b"})


def test_udp(t):
    """a UDP service: what is sent comes back"""
    with e2e.Namespace(t.be):
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("10.97.0.2", PORT))

    def serve():
        try:
            while True:
                data, peer = server.recvfrom(2048)
                server.sendto(data, peer)
        except OSError:
            pass
    threading.Thread(target=serve, daemon=True).start()
    t.upstream(t.a)
    t.put("dns", protocol="UDP")
    wait_until("the service", lambda: t.service("dns")["servedBy"] == "xdp")
    with e2e.Namespace(t.lab.out):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(5 * e2e.PATIENCE)
    s.sendto(b"ping", (t.lab.address, PORT))
    equal(s.recvfrom(2048), (b"ping", (t.lab.address, PORT)))
    s.close()
    t.gateway.glooctl("delete", "gateway", "dns")
    t.upstream(t.a, t.b)


def test_route(t):
    """mode route: the backend sees the client, the client the service"""
    t.put("routed", PORT + 1, mode="route")
    status, text = t.gateway.api("PUT", "/v1/gateways/gloo-system/routed6", {
        "bindAddress": "::", "bindPort": PORT + 2, "tcpGateway": {"tcpHosts": [{
            "name": "x", "mode": "route",
            "destination": {"single": {"upstream": {"name": "echo"}}}}]}})
    equal(status, 422, text)
    c = t.client(PORT + 1)
    c.says(b"routed")
    def ends():
        return run("ss", "-tnH", "src", ":7000", ns=t.be).stdout
    check("10.98.0.2:" in ends(), ends())
    equal(t.service("routed")["relayed"]["accepted"], 0)
    c.close()
    t.gateway.glooctl("delete", "gateway", "routed")


def test_dsr(t):
    """mode dsr-l2: the backend has the address, and answers the client itself"""
    run("ip", "addr", "add", t.lab.address + "/32", "dev", "lo", ns=t.be)
    direct = Echo(t.be, b"direct", t.lab.address, PORT + 1)
    t.upstream(t.a)
    t.put("direct", PORT + 1, mode="dsr-l2")
    before = t.gateway.metric("gloo_gateway_kernel_packets", listener="gloo-system.direct",
                              reason="forward_reverse")
    c = t.client(PORT + 1)
    c.says(b"directly")
    equal(c.name, b"direct")
    c.close()
    service = t.service("direct")
    equal((service["servedBy"], service["relayed"]["accepted"]), ("xdp", 0))
    check("steered by XDP (dsr-l2)" in t.status("direct")["reason"], t.status("direct"))
    equal(t.gateway.metric("gloo_gateway_kernel_packets", listener="gloo-system.direct",
                           reason="forward_reverse"), before)
    direct.close()
    run("ip", "addr", "del", t.lab.address + "/32", "dev", "lo", ns=t.be)
    t.gateway.glooctl("delete", "gateway", "direct")
    t.upstream(t.a, t.b)


def test_unreachable(t):
    """a backend whose next hop does not answer is a Warning, though not at once"""
    nobody = Echo(t.lab.gw, b"x")  # for its port; the address has nobody
    nobody.address = "10.97.0.99"
    t.upstream(nobody, healthChecks=[])
    answer = t.put("late", PORT + 2)
    equal(answer["state"], "Accepted", answer)
    s = wait_until("the Warning", lambda: t.status("late")["state"] == "Warning"
                   and t.status("late"))
    check("10.97.0.99" in s["reason"], s)
    nobody.close()
    t.gateway.glooctl("delete", "gateway", "late")
    t.upstream(t.a, t.b)


def test_no_route(t):
    """a service whose backend has no route is refused with a sentence"""
    t.api("PUT", "/v1/upstreams/gloo-system/far", {
        "upstreamSpec": {"static": {"hosts": [{"addr": "203.0.113.9", "port": 1}]}}})
    status, text = t.gateway.api("PUT", "/v1/gateways/gloo-system/far", {
        "bindAddress": "10.98.0.1", "bindPort": PORT + 1,
        "tcpGateway": {"tcpHosts": [{"name": "far", "destination": {
            "single": {"upstream": {"name": "far"}}}}]}})
    equal(status, 422, text)
    check("203.0.113.9" in text, text)
    equal(t.names(), {b"a", b"b"})


def test_interface_without_xdp(t):
    """a backend behind an interface without XDP: refused, or relayed with a Warning"""
    t.gateway.stop()
    t.gateway.write_settings(INTERFACES.replace(", { name: gg1, mode: generic }", ""))
    t.gateway.start()
    s = wait_until("the Warning", lambda: t.status()["state"] == "Warning" and t.status())
    check("is over gg1, where no XDP program brings its answers back" in s["reason"], s)
    check("relayed in user space: XDP refuses it" in s["reason"], s)
    equal(t.names(), {b"a", b"b"})
    status, text = t.gateway.api("PUT", "/v1/gateways/gloo-system/more", {
        "bindAddress": "10.98.0.1", "bindPort": PORT + 3, "tcpGateway": {"tcpHosts": [{
            "name": "x", "destination": {"single": {"upstream": {"name": "echo"}}}}]}})
    equal(status, 422, text)
    check("is over gg1" in text, text)
    t.gateway.write_settings(INTERFACES)
    t.gateway.process.send_signal(1)
    wait_until("XDP to take over", lambda: t.service()["servedBy"] == "xdp")
    t.reachable()
    equal(t.names(), {b"a", b"b"})


def test_relay_and_back(t):
    """mode relay and back: new connections follow, older ones stay where they are"""
    steered = t.client()
    t.put(mode="relay")
    equal(t.service()["servedBy"], "relay")
    c = t.client()
    c.says(b"relayed")
    e2e.await_equal(lambda: t.service()["relayed"]["open"], 1)
    steered.says(b"still steered")
    t.put()
    wait_until("XDP to take over", lambda: t.service()["servedBy"] == "xdp")
    accepted = t.service()["relayed"]["accepted"]
    d = t.client()
    d.says(b"steered")
    equal(t.service()["relayed"]["accepted"], accepted)
    c.says(b"still relayed")
    steered.says(b"still steered")
    for s in (c, d, steered):
        s.close()


def test_interfaces_come(t):
    """an interface that a reload brings: from relayed to steered, nothing is lost"""
    t.gateway.stop()
    t.gateway.write_settings("")
    t.gateway.start()
    equal(t.service()["servedBy"], "relay")
    c = t.client()
    t.gateway.write_settings(INTERFACES)
    t.gateway.process.send_signal(1)
    wait_until("XDP to take over", lambda: t.service()["servedBy"] == "xdp")
    t.reachable()
    d = t.client()
    d.says(b"steered")
    c.says(b"still relayed")
    d.close()
    c.close()


def test_hash_seed(t):
    """xdp.hashSeed waits while a service is steered, and a check says so"""
    def checked(level):
        areas = t.gateway.get("/v1/check")["areas"]
        return [line for a in areas for line in a[level] if "xdp.hashSeed" in line]

    settings = t.gateway.dir / "settings.yaml"
    c, before = t.client(), t.seed()
    check(before != 0)
    t.gateway.write_settings(f"  hashSeed: {SECRET}\n" + INTERFACES)
    settings.chmod(0o644)
    t.gateway.process.send_signal(1)
    wait_until("two warnings", lambda: len(checked("warnings")) == 2)
    warnings = " ".join(checked("warnings"))
    check("can be read by everybody: chmod o=" in warnings, warnings)
    check("is not in use yet: services are steered" in warnings, warnings)
    check("is not in use yet" in t.gateway.log_text())
    equal(t.seed(), before)
    c.says(b"still there")
    c.close()
    settings.chmod(0o640)
    t.api("DELETE", "/v1/gateways/gloo-system/echo")
    wait_until("the seed", lambda: t.seed() == SEED)
    equal(checked("warnings"), [])
    equal(len(checked("notes")), 1)
    check(SECRET not in t.gateway.log_text())
    t.put()
    t.reachable()
    equal(t.names(), {b"a", b"b"})
    # A start over empty maps, and one that finds them.
    for stop in (t.gateway.stop, t.kill):
        stop()
        t.gateway.start()
        equal(t.seed(), SEED)
        equal(checked("warnings"), [])
        t.reachable()


if __name__ == "__main__":
    e2e.main(globals())
