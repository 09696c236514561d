"""The kernel half under the real unit: what `ip link` attached is adopted, what
a stop leaves, and additional addresses over restarts."""
import json
import os
import socket
import sys
import types

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
sys.path.insert(0, __file__.rsplit("/", 1)[0])
import e2e
import test_systemd
from e2e import equal, check, run

OBJECT = str(e2e.BUILD / "bpf/gateway.bpf.o")
RATE = 800


class Machine(test_systemd.Machine):
    def __init__(self):
        super().__init__()
        run("ip", "route", "add", "local", "10.66.0.0/24", "dev", "lo", ns=self.lab.gw)
        run("ip", "route", "add", "10.66.0.0/24", "via", self.lab.address, ns=self.lab.out)
        self.far = types.SimpleNamespace(out=self.lab.out, address="10.66.0.1")
        for n in (5, 6):
            run("ip", "addr", "add", f"10.98.0.{n}/24", "dev", "eth0", ns=self.lab.out)
        self.pins = self.bpffs / "gloo-gateway"

    def settings(self, xdp):
        self.root_path("etc/gloo-gateway/settings.yaml").write_text(
            "admin: { socket: /run/gloo-gateway/admin.sock, http: \"127.0.0.1:9091\" }\n"
            "proxy: { workers: 2, steering: cpu }\n"
            f"xdp: {{ interfaces: [ {{ name: gg0 }} ], {xdp} }}\n")

    def program(self):
        link = json.loads(run("ip", "-d", "-j", "link", "show", "gg0", ns=self.lab.gw).stdout)[0]
        return link.get("xdp", {}).get("prog", {}).get("id", 0)

    def counted(self, reason):
        """Of all slots, from the map that the attached program uses."""
        ids = json.loads(run("bpftool", "-j", "prog", "show", "id",
                             self.program()).stdout)["map_ids"]
        for i in ids:
            if json.loads(run("bpftool", "-j", "map", "show", "id", i).stdout)["name"] == "gg_reason":
                dump = json.loads(run("bpftool", "-j", "map", "dump", "id", i).stdout)
        return sum(cpu["value"][reason] for row in dump
                   for cpu in row.get("formatted", row)["values"])

    def lookups(self):
        """Descriptors that keep additional addresses served, pins apart."""
        inode = os.stat(f"/run/netns/{self.lab.gw}").st_ino
        return len([l for l in json.loads(run("bpftool", "-j", "link", "show").stdout or "[]")
                    if l.get("netns_ino") == inode])

    def knock(self, source):
        """At the Gateway with a limit, from 10.98.0.source."""
        return e2e.knock(self.lab.out, self.lab.address, 8081, f"10.98.0.{source}")

    def serves(self, address, port):
        try:
            return e2e.request(self.lab.out, address, port)[0] == 404
        except ConnectionRefusedError:
            return False


def setup():
    if os.geteuid() != 0:
        raise e2e.Skip("needs root")
    return Machine()


def teardown(m):
    m.close()


def send_udp(m, count):
    """To a port of nobody; each is counted as pass_no_vip_udp."""
    want = m.counted("pass_no_vip_udp") + count
    with e2e.Namespace(m.lab.out):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for _ in range(count):
        try:
            s.sendto(b"x", (m.lab.address, 4711))
        except ConnectionRefusedError:
            s.sendto(b"x", (m.lab.address, 4711)) # it told of the one before
    s.close()
    e2e.wait_until("the counter", lambda: m.counted("pass_no_vip_udp") >= want)
    equal(m.counted("pass_no_vip_udp"), want)


def test_adopted(m):
    """`ip link set … xdp obj`, then systemctl start: adopted, counters kept"""
    run("ip", "link", "set", "dev", "gg0", "xdp", "obj", OBJECT, "sec", "xdp", ns=m.lab.gw)
    program = m.program()
    send_udp(m, 50)
    equal(m.counted("pass_no_vip_udp"), 50)
    m.settings("onStop: keep")
    m.systemctl("start", "gloo-gateway")
    equal(m.program(), program)
    kernel = m.admin("/v1/status")["kernel"]
    check(kernel["interfaces"][0]["adopted"], kernel)
    equal(kernel["steering"], "the worker of their CPU", m.journal()[-2000:])
    send_udp(m, 50)
    equal(m.counted("pass_no_vip_udp"), 100)
    check(m.serves(m.lab.address, 8080))


def test_additional(m):
    """an additional address is served by the confined unit"""
    path = m.root_path("var/lib/gloo-gateway/config/gateways/gloo-system/gateway.yaml")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("metadata: { name: gateway, namespace: gloo-system }\nbindPort: 8080\n"
                    "additionalAddresses: [ { address: 10.66.0.0/24, port: 80 } ]\n")
    e2e.wait_until("the additional address", lambda: m.serves("10.66.0.1", 80))
    check((m.pins / "sockets/link").exists())
    m.glooctl("create", "upstream", "static", "--name", "echo", "--static-hosts",
              "127.0.0.1:7000")
    m.glooctl("add", "route", "--path-prefix", "/echo", "--dest-name", "echo")


def test_limits(m):
    """a Gateway's limit of new connections is enforced by the kernel"""
    path = m.root_path("var/lib/gloo-gateway/config/gateways/gloo-system/limited.yaml")
    path.write_text("metadata: { name: limited, namespace: gloo-system }\nbindPort: 8081\n"
                    "options: { rateLimits: [ { name: syns, counts: connections, rate: 5, "
                    "unit: HOUR } ] }\n")
    e2e.wait_until("the listener", lambda: m.knock(6) == "open")
    equal([m.knock(5) for _ in range(7)], ["open"] * 5 + ["dropped"] * 2)


def restarts(m, count):
    load = e2e.Load(m.far, rate=RATE, port=80, seconds=120)
    try:
        test_systemd.after(m, RATE // 2)
        for _ in range(count):
            main = m.show("MainPID")
            m.systemctl("restart", "gloo-gateway")
            e2e.wait_until("ready", m.ready)
            check(m.show("MainPID") != main, "it was not restarted")
            test_systemd.after(m, RATE // 4)
    finally:
        f = load.stop()
    equal(test_systemd.failures(f), (0,) * 6, test_systemd.figures(f))
    return test_systemd.figures(f)


def test_restart_keep(m):
    """systemctl restart with onStop: keep: same program, no client of 10.66.0.1 fails"""
    m.started = True
    program, before = m.program(), m.counted("pass_no_vip_udp")
    note = restarts(m, 5)
    equal((m.program(), m.counted("pass_no_vip_udp")), (program, before))
    equal(m.knock(5), "dropped")
    return note


def test_stop_keep(m):
    """systemctl stop with onStop: keep: it counts and limits on, the next start adopts it"""
    program = m.program()
    m.systemctl("stop", "gloo-gateway")
    equal(m.program(), program)
    check(not m.serves("10.66.0.1", 80) and not m.serves(m.lab.address, 8080))
    before = m.counted("pass_listener_syn")
    for _ in range(7):
        m.serves(m.lab.address, 8080)
    equal(m.counted("pass_listener_syn") - before, 7)
    before = m.counted("drop_limit_connections")
    equal((m.knock(5), m.knock(5), m.knock(6)), ("dropped", "dropped", "refused"))
    equal(m.counted("drop_limit_connections") - before, 2)
    m.settings("onStop: detach")
    m.systemctl("start", "gloo-gateway")
    equal(m.program(), program)
    equal(m.knock(5), "dropped")
    check(m.serves("10.66.0.1", 80))


def test_restart_detach(m):
    """systemctl restart with onStop: detach: no client of 10.66.0.1 fails either"""
    return restarts(m, 5)


def test_stop_detach(m):
    """systemctl stop with onStop: detach: interface, pins and network are clean, no limits"""
    equal(m.lookups(), 1)
    equal([m.knock(5) for _ in range(7)], ["open"] * 5 + ["dropped"] * 2)
    m.systemctl("stop", "gloo-gateway")
    equal([m.knock(5) for _ in range(7)], ["refused"] * 7)
    equal(m.program(), 0)
    e2e.wait_until("systemd to let the link go", lambda: m.lookups() == 0, 5)
    equal(os.listdir(m.pins), [])
    check(not m.serves("10.66.0.1", 80))


if __name__ == "__main__":
    e2e.main(globals())
