"""The real unit steers connections to twenty backends in modes nat, dsr-l2 and
route: backends are drained and put back, both processes are killed, the unit is
restarted, and no connection is lost. And well-known programs through XDP."""
import json
import os
import shutil
import socket
import subprocess
import sys
import threading

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
sys.path.insert(0, __file__.rsplit("/", 1)[0])
import backends
import e2e
import test_systemd
from e2e import check, equal, run

ROUNDS = 40 if e2e.SOAK else 4
EACH = 50  # connections of a mode at the beginning; each round brings more
MODES = {"nat": 7010, "dsr-l2": backends.DIRECT, "route": 7020}


class Machine(test_systemd.Machine):
    def __init__(self):
        super().__init__()
        self.backends = backends.Backends(self.lab)
        self.talk = backends.Talk(self.lab)
        self.root_path("etc/gloo-gateway/settings.yaml").write_text(
            "admin: { socket: /run/gloo-gateway/admin.sock, http: \"127.0.0.1:9091\" }\n"
            "proxy: { workers: 2 }\n"
            "xdp:\n  onStop: keep\n  interfaces:\n"
            "  - { name: gg0, mode: generic }\n  - { name: gg1, mode: generic }\n")
        self.systemctl("start", "gloo-gateway")
        e2e.wait_until("ready", self.ready, 30)
        self.set_weights()
        for mode, port in MODES.items():
            self.service(mode, mode, port, "direct" if mode == "dsr-l2" else "own")

    def put(self, path, document):
        c = e2e.UnixConnection(str(self.root_path("run/gloo-gateway/admin.sock")))
        try:
            c.request("PUT", path, json.dumps(document), {"Content-Type": "application/json"})
            r = c.getresponse()
            text = r.read().decode()
            equal(r.status, 200, text)
        finally:
            c.close()

    def upstream(self, name, port, weights):
        self.put(f"/v1/upstreams/gloo-system/{name}", {"upstreamSpec": {"static": {"hosts": [
            {"addr": a, "port": port, "loadBalancingWeight": w} for a, w in weights.items()]}}})

    def set_weights(self, drained=(), most=1):
        """All backends but those, in all modes, with weights from 1 to `most`."""
        weights = {a: 1 + n % most for n, a in enumerate(self.backends.addresses)
                   if a not in drained}
        self.upstream("own", backends.OWN, weights)
        self.upstream("direct", backends.DIRECT, weights)

    def service(self, name, mode, port, upstream, protocol="TCP"):
        self.put(f"/v1/gateways/gloo-system/{name}", {
            "bindAddress": self.lab.address, "bindPort": port, "tcpGateway": {"tcpHosts": [{
                "name": name, "mode": mode, "protocol": protocol,
                "destination": {"single": {"upstream": {"name": upstream}}}}]}})
        e2e.wait_until(f"{name} to be steered", lambda: self.view(name)["servedBy"] == "xdp"
                       and all(b["reachable"] for b in self.view(name)["backends"]))

    def view(self, name):
        return next(s for s in self.admin("/v1/services")["items"] if s["name"] == name)

    def with_slots(self, name):
        """The addresses that get new connections."""
        return {b["address"].split(":")[0] for b in self.view(name)["backends"]
                if b["ringSlots"] > 0}

    def program(self):
        link = json.loads(run("ip", "-d", "-j", "link", "show", "gg0", ns=self.lab.gw).stdout)[0]
        return link["xdp"]["prog"]["id"]

    def steered_only(self):
        for mode in MODES:
            equal(self.view(mode)["relayed"]["accepted"], 0, mode)

    def close(self):
        self.talk.close()
        self.backends.close()
        super().close()


def setup():
    if os.geteuid() != 0:
        raise e2e.Skip("needs root")
    return Machine()


def teardown(m):
    m.close()


def open_more(m, count):
    """In each mode; the addresses of those who answered."""
    return {name for port in MODES.values() for name in m.talk.open(port, count)}


def slots_of(m, wanted):
    e2e.wait_until("the slots", lambda: all(m.with_slots(mode) == wanted for mode in MODES))


def told(m, lines):
    return f"{len(m.talk.talks)} connections, {m.talk.lines - lines} lines, reset: 0"


def test_open(m):
    """connections to each of 20 backends in modes nat, dsr-l2 and route"""
    everybody = set(m.backends.addresses)
    slots_of(m, everybody)
    names = open_more(m, EACH)
    # Where they go is chance: of so few one in a hundred times somebody gets none.
    for _ in range(10):
        if names != everybody:
            names |= open_more(m, 5)
    equal(names, everybody)
    m.talk.all_heard()
    m.steered_only()
    return told(m, 0)


def test_drain(m):
    """5 of 20 backends are drained and put back, weights change: reset: 0"""
    lines = m.talk.lines
    everybody = set(m.backends.addresses)
    for n in range(ROUNDS):
        some = {m.backends.addresses[(7 * n + 4 * i) % len(everybody)] for i in range(5)}
        equal(len(some), 5)
        m.set_weights(some, 1 + n % 3)
        slots_of(m, everybody - some)
        names = open_more(m, 10)
        check(not names & some, names & some)
        m.talk.all_heard()
        m.set_weights()
        slots_of(m, everybody)
        open_more(m, 10)
        m.talk.all_heard()
        m.talk.hang_up(keep=3 * EACH + 120)
    m.steered_only()
    return f"{ROUNDS} times; {told(m, lines)}"


def test_killed(m):
    """kill -9 of both processes, with backends drained before: reset: 0"""
    lines, program = m.talk.lines, m.program()
    some = set(m.backends.addresses[3:8])
    for _ in range(10 if e2e.SOAK else 2):
        m.set_weights(some)
        slots_of(m, set(m.backends.addresses) - some)
        main = m.show("MainPID")
        m.inside("kill", "-9", main, m.proxy_pid())
        m.talk.all_heard()
        e2e.wait_until("a new control", lambda: m.show("MainPID") not in ("0", main)
                       and m.ready(), 30)
        check(not open_more(m, 5) & some)
        m.talk.all_heard()
        m.set_weights()
        slots_of(m, set(m.backends.addresses))
        m.talk.all_heard()
    equal(m.program(), program)
    m.steered_only()
    return told(m, lines)


def test_restart(m):
    """systemctl restart with xdp.onStop: keep: reset: 0"""
    lines, program = m.talk.lines, m.program()
    for _ in range(20 if e2e.SOAK else 3):
        main = m.show("MainPID")
        m.systemctl("restart", "gloo-gateway")
        e2e.wait_until("ready", m.ready, 30)
        check(m.show("MainPID") != main, "it was not restarted")
        m.talk.all_heard()
        open_more(m, 5)
        m.talk.all_heard()
    equal(m.program(), program)
    m.steered_only()
    return told(m, lines)


def test_stopped(m):
    """systemctl stop with xdp.onStop: keep: the kernel goes on steering: reset: 0"""
    lines = m.talk.lines
    m.systemctl("stop", "gloo-gateway")
    open_more(m, 5)
    m.talk.all_heard()
    m.systemctl("start", "gloo-gateway")
    e2e.wait_until("ready", m.ready, 30)
    open_more(m, 5)
    m.talk.all_heard()
    return told(m, lines)


def start(m, *argv):
    """A program in the namespace of the first backend."""
    p = subprocess.Popen(["nsenter", f"--net=/run/netns/{m.backends.namespace(0)}",
                          *(str(a) for a in argv)],
                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
    e2e.undo.append(p.kill)
    return p


def in_each_mode(m, name, port, use, protocol="TCP"):
    """A service in each mode before that port of the first backend; what `use`
    of the service's port says."""
    said = []
    for mode in MODES:
        m.upstream(name, port, {m.backends.addresses[0]: 1})
        m.service(f"{name}-{mode}", mode, port, name, protocol)
        said.append(f"{mode} {use(port)}")
        if protocol == "TCP":
            equal(m.view(f"{name}-{mode}")["relayed"]["accepted"], 0, mode)
        m.glooctl("delete", "gateway", f"{name}-{mode}")
    return ", ".join(said)


def listens(m, port):
    return f":{port} " in run("ss", "-tlnH", ns=m.backends.namespace(0)).stdout


def test_iperf3(m):
    """iperf3 through nat, dsr-l2 and route, both ways"""
    if not shutil.which("iperf3"):
        raise e2e.Skip("iperf3 is not installed")
    server = start(m, "iperf3", "-s", "-p", 5201)
    e2e.wait_until("iperf3", lambda: listens(m, 5201))

    def rate(port, *more):
        out = run("iperf3", "-J", "-c", m.lab.address, "-p", port, "-t", 2, "-M", 1400, *more,
                  ns=m.lab.out).stdout
        bits = json.loads(out)["end"]["sum_received"]["bits_per_second"]
        check(bits > 0, out)
        return f"{bits / 1e6:.0f}"
    try:
        return in_each_mode(m, "iperf", 5201, lambda port:
                            f"{rate(port)} Mbit/s and {rate(port, '-R')} back")
    finally:
        server.kill()
        server.wait()


def test_curl(m):
    """curl through nat, dsr-l2 and route: a small answer, and 100 kB there and back"""
    origin = start(m, e2e.BUILD / "tests/tools/echo", "0.0.0.0", 8090)
    e2e.wait_until("the origin", lambda: listens(m, 8090))
    body = m.dir / "body"
    body.write_bytes(os.urandom(50000).hex().encode())

    def ask(port):
        url = f"http://{m.lab.address}:{port}/through-xdp"
        equal(run("curl", "-sf", url, ns=m.lab.out).stdout, "/through-xdp")
        p = run("curl", "-sf", "-H", "Expect:", "-w", "\n%{time_total}", "--data-binary",
                f"@{body}", url, ns=m.lab.out).stdout
        text, took = p.rsplit("\n", 1)
        check(text == body.read_text(), len(text))
        return f"{float(took) * 1000:.0f} ms"
    try:
        return in_each_mode(m, "web", 8090, ask)
    finally:
        origin.kill()
        origin.wait()


def test_udp(m):
    """a UDP echo through nat, dsr-l2 and route: 200 datagrams come back whole"""
    servers = []
    for address in (m.backends.addresses[0], m.lab.address):
        with e2e.Namespace(m.backends.namespace(0)):
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.bind((address, 5300))
        threading.Thread(target=echo_datagrams, args=(s,), daemon=True).start()
        servers.append(s)

    def ask(port):
        with e2e.Namespace(m.lab.out):
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with s:
            s.settimeout(5 * e2e.PATIENCE)
            s.connect((m.lab.address, port))
            for n in range(200):
                data = b"%d" % n + b"u" * (7 * n)
                s.send(data)
                equal(s.recv(2048), data)
        return "200 of 200"
    note = in_each_mode(m, "datagrams", 5300, ask, "UDP")
    for s in servers:
        with e2e.Namespace(m.backends.namespace(0)):
            e = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            e.sendto(b"end", s.getsockname())
            e.close()
    return note


def echo_datagrams(s):
    while True:
        data, peer = s.recvfrom(2048)
        if data == b"end":
            return s.close()
        s.sendto(data, peer)


if __name__ == "__main__":
    e2e.main(globals())
