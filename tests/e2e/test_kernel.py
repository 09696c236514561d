"""The kernel half on a real veth: modes, exact counters, adoption of a program
that `ip link` attached, and that the counters of kernel and proxy add up."""
import json
import os
import sys

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import equal, check, run
from kernel_maps import per_cpu_sum

OBJECT = str(e2e.BUILD / "bpf/gateway.bpf.o")


class Kernel:
    def __init__(self):
        self.lab = e2e.Lab()
        self.gateway = e2e.Gateway(self.lab, xdp=True).start()
        self.origin = e2e.Origin(self.lab.gw)
        self.gateway.upstream("origin", self.origin.host)
        self.gateway.route("/", "origin")


def setup():
    return Kernel()


def teardown(k):
    try:
        k.gateway.close()
    finally:
        k.origin.close()
        k.lab.close()


def link_program(k):
    link = json.loads(run("ip", "-d", "-j", "link", "show", "gg0", ns=k.lab.gw).stdout)[0]
    return link.get("xdp", {})


def reasons_map(k):
    """What `bpftool map show` says of it."""
    prog = link_program(k)["prog"]["id"]
    for i in json.loads(run("bpftool", "-j", "prog", "show", "id", prog).stdout)["map_ids"]:
        shown = json.loads(run("bpftool", "-j", "map", "show", "id", i).stdout)
        if shown["name"] == "gg_reason":
            return shown


def dump(map_id):
    rows = json.loads(run("bpftool", "-j", "map", "dump", "id", map_id).stdout)
    return [row.get("formatted", row) for row in rows]


def reasons(k):
    """gg_reason as `bpftool map dump` shows it, summed: {slot: {name: n}}."""
    result = {}
    for row in dump(reasons_map(k)["id"]):
        slot = result.setdefault(row["key"], {})
        for cpu in row["values"]:
            for name, n in cpu["value"].items():
                if isinstance(n, int):
                    slot[name] = slot.get(name, 0) + n
    return result


def send_udp(k, count, port, size=32):
    import socket
    with e2e.Namespace(k.lab.out):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    shown = reasons_map(k)
    names = list(dump(shown["id"])[0]["values"][0]["value"])  # each one u64, in their order

    def counted():
        return per_cpu_sum(shown["id"], 0, shown["bytes_value"],
                           8 * names.index("pass_no_vip_udp"))
    before = counted()
    for i in range(1, count + 1):
        s.sendto(b"x" * size, (k.lab.address, port))
        if i % 250 == 0:  # a veth's queue holds 256
            e2e.wait_until(f"{i} to be counted", lambda: counted() - before >= i)
    s.close()


def test_native(k):
    """the daemon attaches natively and says so in log, Gateway status and check"""
    check(link_program(k).get("mode") in (1, 4), link_program(k))
    check("native" in k.gateway.log_text(), k.gateway.log_text())
    listed = k.gateway.glooctl("check").stdout
    check("native" in listed or "native" in k.gateway.glooctl("check", "--list").stdout, listed)
    wide = k.gateway.glooctl("get", "gateways", "-o", "wide").stdout
    check("enforced" in wide or "native" in wide, wide)


def test_udp_exact(k):
    """10 000 packets to a UDP port of its own: bpftool's counts are exact"""
    before = reasons(k)[0]["pass_no_vip_udp"]
    before_bytes = reasons(k)[0]["pass_no_vip_udp_bytes"]
    send_udp(k, 10000, 4711)
    e2e.wait_until("the counter", lambda: reasons(k)[0]["pass_no_vip_udp"] - before >= 10000)
    equal(reasons(k)[0]["pass_no_vip_udp"] - before, 10000)
    equal(reasons(k)[0]["pass_no_vip_udp_bytes"] - before_bytes, 10000 * (14 + 20 + 8 + 32))


def test_by_name(k):
    """`bpftool map dump name gg_reason` is readable by name"""
    # It fails when another's map goes while it looks through all there are.
    e2e.wait_until("the dump", lambda: "pass_no_vip_udp" in run(
        "bpftool", "map", "dump", "name", "gg_reason", ok=None).stdout)


def test_invariant(k):
    """kernel and proxy add up: connections by SYN = accepted; sums agree"""
    slot = k.gateway.get("/v1/dump")["listeners"][0]["slot"]
    syn = lambda: reasons(k)[slot]["pass_listener_syn"]
    accepted = lambda: k.gateway.metric("gloo_gateway_listener_connections_accepted")
    syn0, accepted0 = syn(), accepted()
    for i in range(50):
        equal(e2e.request(k.lab.out, k.lab.address, 8080, path=f"/{i}")[0], 200)
    e2e.wait_until("50 accepted", lambda: accepted() - accepted0 >= 50)
    equal((syn() - syn0, accepted() - accepted0), (50, 50))
    m = k.gateway.metric
    def balanced():
        n = {x: m("gloo_gateway_listener_" + x) for x in (
            "connections_accepted", "connections_open", "connections_closed", "requests",
            "responses_2xx", "responses_3xx", "responses_4xx", "responses_5xx",
            "responses_aborted", "requests_active")}
        return (n["connections_accepted"] == n["connections_open"] + n["connections_closed"]
                and n["requests"] == sum(v for x, v in n.items() if x.startswith("responses_"))
                + n["requests_active"])
    e2e.wait_until("the counters to add up", balanced)


def test_ipv6(k):
    """an IPv6 request is served and counted at the listener"""
    slot = k.gateway.get("/v1/dump")["listeners"][0]["slot"]
    before = reasons(k)[slot]["pass_listener_syn"]
    equal(e2e.request(k.lab.out, k.lab.address6, 8080)[0], 200)
    equal(reasons(k)[slot]["pass_listener_syn"] - before, 1)


def test_new_address(k):
    """an address added to the machine is followed into gg_vip"""
    run("ip", "addr", "add", "10.98.0.77/24", "dev", "gg0", ns=k.lab.gw)
    slot = k.gateway.get("/v1/dump")["listeners"][0]["slot"]
    before = reasons(k)[slot]["pass_listener_syn"]
    def counted():
        e2e.request(k.lab.out, "10.98.0.77", 8080)
        return reasons(k)[slot]["pass_listener_syn"] > before
    e2e.wait_until("the new address in gg_vip", counted)


def test_kill_control_keeps_xdp(k):
    """kill -9 of control: the program stays attached, its counters go on"""
    program = link_program(k)["prog"]["id"]
    before = reasons(k)[0]["pass_no_vip_udp"]
    k.gateway.process.kill()
    k.gateway.process.wait()
    send_udp(k, 100, 4712)
    e2e.wait_until("the counter", lambda: reasons(k)[0]["pass_no_vip_udp"] - before == 100)
    k.gateway.start()
    equal(link_program(k)["prog"]["id"], program)
    check(reasons(k)[0]["pass_no_vip_udp"] >= before + 100)


def test_detached_is_repaired(k):
    """a program taken off by other hands is put back within moments"""
    run("ip", "link", "set", "dev", "gg0", "xdp", "off", ns=k.lab.gw)
    e2e.wait_until("the program to be back", lambda: "prog" in link_program(k), 5)


def test_stop_detaches(k):
    """stopped with onStop: detach, the interface is clean"""
    k.gateway.stop()
    equal(link_program(k), {})
    check(not os.path.exists(k.gateway.pin) or not os.listdir(k.gateway.pin),
          os.listdir(k.gateway.pin) if os.path.exists(k.gateway.pin) else "")


def test_adopt_ip_link(k):
    """a program attached by `ip link` is adopted with its counters"""
    run("ip", "link", "set", "dev", "gg0", "xdp", "obj", OBJECT, "sec", "xdp", ns=k.lab.gw)
    program = link_program(k)["prog"]["id"]
    send_udp(k, 123, 4713)
    e2e.wait_until("the counter", lambda: reasons(k)[0]["pass_no_vip_udp"] == 123)
    k.gateway.start()
    equal(link_program(k)["prog"]["id"], program)
    equal(reasons(k)[0]["pass_no_vip_udp"], 123)
    check(k.gateway.get("/v1/status")["kernel"]["interfaces"][0]["adopted"])
    slot = k.gateway.get("/v1/dump")["listeners"][0]["slot"]
    equal(e2e.request(k.lab.out, k.lab.address, 8080)[0], 200)
    equal(reasons(k)[slot]["pass_listener_syn"], 1)
    k.gateway.stop()


def test_no_such_interface(k):
    """an interface that is not there: the gateway runs, with a Warning that names it"""
    k.gateway.xdp = False
    k.gateway.write_settings("")
    path = k.gateway.dir / "settings.yaml"
    path.write_text(path.read_text() + "  interfaces: [ { name: nosuch0, mode: auto } ]\n")
    k.gateway.start()
    equal(e2e.request(k.lab.out, k.lab.address, 8080)[0], 200)
    status = k.gateway.get("/v1/gateways")["items"][0]["status"]
    equal(status["state"], "Warning")
    check("nosuch0" in status["reason"], status)
    p = k.gateway.glooctl("check", ok=None)
    check("nosuch0" in p.stdout + p.stderr, p.stdout)
    k.gateway.stop()


if __name__ == "__main__":
    e2e.main(globals())
