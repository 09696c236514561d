"""How the kernel half comes and goes: sizes of maps, the one-shot commands,
what a stop leaves, and how soon a detached program is back."""
# alone: how soon a program is back is judged
import json
import os
import re
import socket
import sys
import time

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import equal, check, run

OBJECT = str(e2e.BUILD / "bpf/gateway.bpf.o")


class Loading:
    def __init__(self):
        self.lab = e2e.Lab()
        for n in (5, 6):
            run("ip", "addr", "add", f"10.98.0.{n}/24", "dev", "eth0", ns=self.lab.out)
        self.gateway = e2e.Gateway(self.lab, xdp=True)
        self.origin = e2e.Origin(self.lab.gw)

    def settings(self, xdp):
        """Everything as the library writes it, with these keys below xdp."""
        self.gateway.write_settings("")
        path = self.gateway.dir / "settings.yaml"
        path.write_text(path.read_text() + "".join(f"  {line}\n" for line in xdp))

    def start(self, *xdp):
        self.settings(xdp)
        self.gateway.start()

    def program(self):
        link = json.loads(run("ip", "-d", "-j", "link", "show", "gg0", ns=self.lab.gw).stdout)[0]
        return link.get("xdp", {}).get("prog", {}).get("id", 0)

    def off(self):
        run("ip", "link", "set", "dev", "gg0", "xdp", "off", ns=self.lab.gw)

    def attach(self):
        run("ip", "link", "set", "dev", "gg0", "xdp", "obj", OBJECT, "sec", "xdp",
            ns=self.lab.gw)

    def check(self):
        return json.dumps(self.gateway.get("/v1/check"))

    def entries(self, name):
        return json.loads(run("bpftool", "-j", "map", "show", "pinned",
                              f"{self.gateway.pin}/maps/{name}").stdout)["max_entries"]

    def requests(self, reason="pass_listener_syn"):
        """Connection requests that the kernel counted for the listeners."""
        dump = json.loads(run("bpftool", "-j", "map", "dump", "pinned",
                              f"{self.gateway.pin}/maps/gg_reason").stdout)
        return sum(cpu["value"][reason] for row in dump
                   for cpu in row.get("formatted", row)["values"]
                   if row.get("formatted", row)["key"] != 0)

    def knock(self, source):
        """At the Gateway with a limit, from 10.98.0.source."""
        return e2e.knock(self.lab.out, self.lab.address, 8081, f"10.98.0.{source}")

    def one_shot(self, verb, ok=(0,)):
        # Its settings are those of the machine; the pin path is the default.
        return run(e2e.DAEMON, "xdp", verb, "gg0", ns=self.lab.gw, ok=ok)


def setup():
    return Loading()


def teardown(k):
    try:
        k.gateway.close()
    finally:
        k.origin.close()
        k.lab.close()


def test_sizes(k):
    """xdp.maps sets the sizes of the maps, and `check` says the bytes"""
    k.start("maps: { sources: 4096, connections: 2048, nat: 1024, fragments: 1024 }")
    equal([k.entries(n) for n in ("gg_rl4", "gg_rl6", "gg_ct4", "gg_ct6", "gg_nat4", "gg_nat6",
                                  "gg_fragment")], [4096, 4096, 2048, 2048, 1024, 1024, 1024])
    small = int(re.search(r"the maps take (\d+) bytes", k.check()).group(1))
    check("keep their size" not in k.check(), k.check())
    k.gateway.stop()
    k.start()
    default = int(re.search(r"the maps take (\d+) bytes", k.check()).group(1))
    check(small < default <= 64 << 20, small, default)
    return f"{small >> 20} MiB, as built {default >> 20} MiB"


def test_sizes_kept(k):
    """maps in use keep their size and what they counted; the log and `check` say so"""
    equal(e2e.request(k.lab.out, k.lab.address, 8080)[0], 404)
    before = k.requests()
    check(before >= 1)
    k.gateway.process.kill()
    k.gateway.process.wait()
    k.start("maps: { sources: 131072 }")
    equal(k.entries("gg_rl4"), 65536)
    check(k.requests() >= before)
    said = "gg_rl4 has 65536 entries (xdp.maps.sources: 131072)"
    check(said in k.check(), k.check())
    check(said in k.gateway.log_text(), k.gateway.log_text()[-2000:])
    k.gateway.stop()


def test_sizes_refused(k):
    """a size that is too small is refused with its line, the daemon does not start"""
    k.settings(["maps: { nat: 10 }"])
    p = run(e2e.DAEMON, "--settings", k.gateway.dir / "settings.yaml", ok=None)
    equal(p.returncode, 1)
    check("xdp.maps.nat: expected 1024 to 16777216, found 10" in p.stderr, p.stderr)


def test_detached(k):
    """a program that somebody takes off is back within a second, every time"""
    k.start()
    slowest = 0
    for _ in range(5):
        k.off()
        start = time.monotonic()
        e2e.wait_until("the program", k.program, 5)
        slowest = max(slowest, time.monotonic() - start)
    check(slowest < 1 * e2e.PATIENCE, slowest)
    equal(k.gateway.get("/v1/status")["kernel"]["state"], "enforced")
    return f"at most {slowest * 1000:.0f} ms"


def test_in_the_way(k):
    """another's program in its place is left alone, and alarmed within a second"""
    stranger = k.gateway.dir / "stranger.c"
    stranger.write_text('__attribute__((section("xdp"), used)) int stranger(void *c)\n'
                        '{ return 2; }\n')
    run("clang", "-O2", "-g", "-target", "bpf", "-c", stranger, "-o", f"{stranger}.o")
    k.off()
    p = run("ip", "link", "set", "dev", "gg0", "xdp", "obj", f"{stranger}.o", "sec", "xdp",
            ns=k.lab.gw, ok=None)
    if p.returncode != 0: # ours was faster
        run("ip", "-force", "link", "set", "dev", "gg0", "xdp", "obj", f"{stranger}.o", "sec",
            "xdp", ns=k.lab.gw)
    e2e.wait_until("the alarm", lambda: k.gateway.get("/v1/status")["kernel"][
        "interfaces"][0]["problem"], 1)
    status = k.gateway.get("/v1/gateways")["items"][0]["status"]
    equal(status["state"], "Warning")
    check("stranger" in status["reason"], status)
    equal(e2e.request(k.lab.out, k.lab.address, 8080)[0], 404)
    k.off()
    e2e.wait_until("ours", lambda: k.gateway.get("/v1/status")["kernel"]["state"] == "enforced", 1)
    k.gateway.stop()
    equal(k.program(), 0)


def test_keep(k):
    """`ip link`, start, stop with onStop: keep: the kernel goes on with what it was told"""
    k.attach()
    program = k.program()
    k.start("onStop: keep")
    equal(e2e.request(k.lab.out, k.lab.address, 8080)[0], 404)
    before = k.requests()
    k.gateway.stop()
    equal(k.program(), program)
    for i in range(10):
        try:
            e2e.request(k.lab.out, k.lab.address, 8080)
            raise AssertionError("somebody listens")
        except ConnectionRefusedError:
            pass
    equal(k.requests() - before, 10)
    k.start("onStop: keep")
    equal(k.program(), program)
    equal(e2e.request(k.lab.out, k.lab.address, 8080)[0], 404)
    equal(k.requests() - before, 11)


def test_limits_begin(k):
    """limits count from the first client on: of a new Gateway, of one that moves to another port"""
    path = k.gateway.dir / "config/gateways/gloo-system/moves.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    for port in range(8082, 8086):
        # So that what comes next has to wait for its turn.
        status, text = k.gateway.api("PUT", "/v1/gateways/gloo-system/other",
                                     {"bindPort": port + 10})
        check(status in (200, 201), status, text)
        path.write_text(f"metadata: {{ name: moves, namespace: gloo-system }}\n"
                        f"bindPort: {port}\noptions: {{ rateLimits: [ {{ name: syns, "
                        "counts: connections, rate: 5, unit: HOUR } ] }\n")
        e2e.wait_until("the listener", lambda: run(
            "ss", "-tlnH", "sport", "=", f":{port}", ns=k.lab.gw).stdout)
        equal([e2e.knock(k.lab.out, k.lab.address, port, "10.98.0.5") for _ in range(7)],
              ["open"] * 5 + ["dropped"] * 2, port)
    path.unlink()
    equal(k.gateway.api("DELETE", "/v1/gateways/gloo-system/other")[0], 200)


def test_limits_refused(k):
    """a Gateway that is refused, as another program has the port, limits nothing there"""
    with e2e.Namespace(k.lab.gw):
        other = socket.create_server(("0.0.0.0", 8096), backlog=64)
    try:
        status, text = k.gateway.api("PUT", "/v1/gateways/gloo-system/refused", {
            "bindPort": 8096, "options": {"rateLimits": [
                {"name": "syns", "counts": "connections", "rate": 2, "unit": "HOUR"}]}})
        check(status >= 400 and "in use by another program" in text, status, text)
        equal([e2e.knock(k.lab.out, k.lab.address, 8096, "10.98.0.5") for _ in range(7)],
              ["open"] * 7)
    finally:
        other.close()


def test_limits_keep(k):
    """stopped with onStop: keep: a limited source is still dropped, by the kernel"""
    status, text = k.gateway.api("PUT", "/v1/gateways/gloo-system/limited", {
        "bindPort": 8081, "options": {"rateLimits": [
            {"name": "syns", "counts": "connections", "rate": 5, "unit": "HOUR"}]}})
    equal(status, 200, text)
    equal([k.knock(5) for _ in range(7)], ["open"] * 5 + ["dropped"] * 2)
    k.gateway.stop()
    refused = k.requests("drop_limit_connections")
    equal([k.knock(5) for _ in range(3)], ["dropped"] * 3)
    equal([k.knock(6) for _ in range(6)], ["refused"] * 5 + ["dropped"])
    equal(k.requests("drop_limit_connections") - refused, 4)
    k.start("onStop: keep")
    equal([k.knock(n) for n in (5, 6)], ["dropped"] * 2)
    k.gateway.process.kill()
    k.gateway.process.wait()
    equal([k.knock(n) for n in (5, 6)], ["dropped"] * 2)
    k.start("onStop: keep")
    equal([k.knock(n) for n in (5, 6)], ["dropped"] * 2)
    equal(k.requests("drop_limit_connections") - refused, 10)


def test_detach(k):
    """the same with onStop: detach: interface and pins are clean"""
    k.gateway.stop()
    check(k.program() != 0)
    k.start("onStop: detach")
    k.gateway.stop()
    equal(k.program(), 0)
    check(not os.path.exists(k.gateway.pin) or not os.listdir(k.gateway.pin))


def test_limits_detach(k):
    """stopped with onStop: detach: the limits are gone, and back with the next start"""
    equal([k.knock(5) for _ in range(7)], ["refused"] * 7)
    k.start("onStop: detach")
    equal([k.knock(5) for _ in range(7)], ["open"] * 5 + ["dropped"] * 2)
    k.gateway.stop()
    equal([k.knock(5) for _ in range(7)], ["refused"] * 7)


def test_one_shot(k):
    """`gloo-gateway xdp attach`, `status`, `detach`: by hand, and the daemon adopts it"""
    pins = "/sys/fs/bpf/gloo-gateway"
    if os.path.exists("/etc/gloo-gateway/settings.yaml") or os.path.exists(f"{pins}/maps"):
        raise e2e.Skip("a gateway is installed on this machine")
    check("no XDP program is attached" in k.one_shot("status").stdout)
    check("gg0: attached, native mode" in k.one_shot("attach").stdout)
    try:
        program = k.program()
        check(program != 0)
        check(f"program {program}," in k.one_shot("status").stdout)
        check(os.path.exists(f"{pins}/maps/gg_reason"))
        k.start()
        equal(k.program(), program)
        k.gateway.process.kill()
        k.gateway.process.wait()
        equal(k.program(), program)
    finally:
        check("gg0: detached" in k.one_shot("detach").stdout)
    equal(k.program(), 0)
    check(not os.path.exists(f"{pins}/maps"))
    p = k.one_shot("polish", ok=None)
    check(p.returncode == 1 and "attach, detach or status" in p.stderr, p.stderr)
    k.start()
    k.gateway.stop()


if __name__ == "__main__":
    e2e.main(globals())
