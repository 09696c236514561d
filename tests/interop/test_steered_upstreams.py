"""TCP services whose endpoints are a Consul service's, or the addresses of a name,
steered by XDP: ring and backends follow."""
import sys
import time

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import consul
import e2e
from discovering import Gateway, patient
from e2e import check, equal, wait_until
from kernel_maps import Ring
from kube_bed import API, Bed
from name_servers import Dnsmasq
from tcp import Client, Echo

PORT = 7000
CHANGES = 20


class Steered:
    def __init__(self):
        consul.program()  # or all is skipped, before anything was made
        self.bed = b = Bed(cluster=False)
        self.agent = consul.Agent(b.control, API).start()
        self.names = Dnsmasq(b.control, API, 53)
        self.names.start()
        self.pods = []
        for name in "abc":
            p = b.pod(name, "echo", port=PORT, origin=False, ready=None, exists=True)
            p.echo = Echo(p.net, name.encode(), p.address, PORT)
            self.pods.append(p)
        self.gateway = Gateway(
            b, f"dns: {{ servers: \"{API}\" }}\n"
            f"consul:\n  httpAddress: \"{API}:{consul.HTTP}\"\n  serviceDiscovery: {{}}\n",
            xdp=("gg0", "gg1")).start()

    def register(self, pod, **more):
        self.agent.register("echo", PORT, id=pod.name, address=pod.address, **more)

    def service(self, name, port, upstream):
        status, text = self.gateway.api("PUT", f"/v1/gateways/gloo-system/{name}", {
            "metadata": {"name": name}, "bindAddress": self.bed.address, "bindPort": port,
            "tcpGateway": {"tcpHosts": [{"name": name, "destination": {"single": {
                "upstream": {"name": upstream, "namespace": "gloo-system"}}}}]}})
        equal(status, 200, text)

    def state(self, name):
        return next(s for s in self.gateway.get("/v1/services")["items"] if s["name"] == name)

    def owners(self, name):
        ring = Ring(self.gateway.pin, self.state(name)["slot"])
        try:
            return ring.owners()
        finally:
            ring.close()

    def await_owners(self, name, *pods, seconds=patient(5)):
        wanted = {p.host for p in pods}
        try:
            wait_until(name, lambda: self.owners(name) == wanted, seconds)
        except AssertionError as e:
            raise AssertionError(f"{e}: {self.owners(name)}, wanted {wanted}; "
                                 f"{self.state(name)}") from None

    def answers(self, port, count=30):
        clients = [Client(self.bed.out, self.bed.address, port) for _ in range(count)]
        for c in clients:
            c.close()
        return {c.name.decode() for c in clients}


def setup():
    return Steered()


def teardown(s):
    try:
        s.gateway.close()
    finally:
        for p in s.pods:
            p.echo.close()
        s.agent.close()
        s.bed.close()


def test_consul(s):
    """a tcpGateway of a Consul service is steered by XDP, and nothing is relayed"""
    a, b, _ = s.pods
    s.register(a)
    s.register(b)
    s.gateway.await_set("echo", [a.host, b.host], 10)
    s.service("echo", PORT, "echo")
    s.await_owners("echo", a, b)
    equal(s.state("echo")["servedBy"], "xdp", s.state("echo"))
    equal(s.answers(PORT), {"a", "b"})
    equal(s.state("echo")["relayed"]["accepted"], 0)


def test_consul_leaves(s):
    """who is in maintenance or deregistered keeps its connections and gets no new one"""
    a, b, c = s.pods
    # Of ten one in five hundred times all are the same one's.
    clients = [Client(s.bed.out, s.bed.address, PORT) for _ in range(20)]
    check({x.name for x in clients} == {b"a", b"b"}, clients)
    s.agent.maintenance("a")
    s.await_owners("echo", b)
    equal(s.answers(PORT), {"b"})
    s.agent.deregister("a")
    s.register(c)
    s.await_owners("echo", b, c)
    for x in clients:
        x.says(b"still here")
        x.close()
    equal(s.answers(PORT), {"b", "c"})


def test_consul_away(s):
    """the agent is killed, and comes back with nothing: no entry is lost until it says so"""
    _, b, c = s.pods
    s.agent.kill()
    wait_until("it to be stale", lambda: s.gateway.problem("echo"), 40)
    equal(s.owners("echo"), {b.host, c.host})
    equal(s.answers(PORT), {"b", "c"})
    s.agent.start()
    s.register(b)
    s.await_owners("echo", b, seconds=70)
    equal(s.answers(PORT, 5), {"b"})


def test_consul_turns(s):
    """an instance moves to and fro: each time the ring is that of the last change"""
    a, b, _ = s.pods
    took = []
    for n in range(CHANGES // 4):
        pod = (a, b)[n % 2]
        begin = time.monotonic()
        s.agent.register("echo", PORT, id="b", address=pod.address)
        s.await_owners("echo", pod)
        took.append(time.monotonic() - begin)
    for n in range(CHANGES):
        s.agent.register("echo", PORT, id="b", address=(a, b)[n % 2].address)
    s.await_owners("echo", b)
    equal(s.answers(PORT, 5), {"b"})
    return f"{max(took):.2f} s at most"


def test_consul_nobody(s):
    """without an instance connections are refused or dropped; with one they are served again"""
    _, b, _ = s.pods
    s.agent.maintenance("b")
    s.await_owners("echo")
    check(e2e.knock(s.bed.out, s.bed.address, PORT) != "open")
    s.agent.maintenance("b", False)
    s.await_owners("echo", b)
    equal(s.answers(PORT, 5), {"b"})


def test_name(s):
    """a tcpGateway of a static upstream with a name: steered, and the ring follows the name"""
    a, b, c = s.pods
    s.names.set("echo.test", a.address, b.address)
    s.gateway.upstream("named", f"echo.test:{PORT}")
    s.gateway.await_set("named", [a.host, b.host], 10)
    s.service("named", PORT + 1, "named")
    s.await_owners("named", a, b)
    equal(s.state("named")["servedBy"], "xdp", s.state("named"))
    equal(s.answers(PORT + 1), {"a", "b"})
    keeper = [Client(s.bed.out, s.bed.address, PORT + 1) for _ in range(10)]
    s.names.set("echo.test", c.address)
    s.await_owners("named", c)
    equal(s.answers(PORT + 1, 10), {"c"})
    for x in keeper:
        x.says(b"still here")
        x.close()
    equal(s.state("named")["relayed"]["accepted"], 0)


def test_name_unknown(s):
    """nobody resolves the name: the ring stays; then it is denied twice: nobody is in it"""
    _, _, c = s.pods
    s.names.stop()
    wait_until("it to be stale", lambda: s.gateway.problem("named"), 40)
    equal(s.owners("named"), {c.host})
    equal(s.answers(PORT + 1, 5), {"c"})
    s.names.hosts.pop("echo.test")
    s.names.write()
    s.names.start()
    s.await_owners("named", seconds=70)
    check(e2e.knock(s.bed.out, s.bed.address, PORT + 1) != "open")
    s.names.set("echo.test", c.address)
    s.await_owners("named", c, seconds=70)
    equal(s.answers(PORT + 1, 5), {"c"})


if __name__ == "__main__":
    e2e.main(globals())
