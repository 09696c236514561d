"""What slices mean (K3, and K9 of v1): each rule with requests to pods, the slices
written by the real controller or by hand."""
import sys

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import check, equal, wait_until
from discovering import await_names, patient
from kube_bed import ZONE, Bed, Gateway, upstream_name

KUBERNETES = f"  zone: {ZONE}\n  allowedExternalNames: [ \"*.allowed.test\" ]\n"


class Rules:
    def __init__(self):
        self.bed = Bed()
        self.bed.install()
        self.gateway = Gateway(self.bed, kubernetes=KUBERNETES).start()

    def origin(self, name, **more):
        """An origin in a namespace, of which the API server knows nothing."""
        return self.bed.pod(name, name, exists=True, ready=None, **more)

    def route(self, service, port=8000):
        wait_until(service, lambda: upstream_name(service, port) in self.gateway.upstreams(),
                   patient(10))
        self.gateway.route("/" + service, upstream_name(service, port))

    def serves(self, service, *pods):
        await_names(self.gateway, "/" + service, *(p.name for p in pods))

    def warned(self, upstream):
        """Its status, which is to be a Warning."""
        def now():
            s = self.gateway.upstreams()[upstream]["status"]
            return s if s["state"] == "Warning" else None
        return wait_until(f"the Warning of {upstream}", now)

    def becomes(self, service, *pods):
        """The controllers, too, take their time."""
        self.gateway.await_set(upstream_name(service), [p.host for p in pods], 30)


def setup():
    return Rules()


def teardown(r):
    try:
        r.gateway.close()
    finally:
        r.bed.close()


def test_named_ports(r):
    """K3: a port by its name is another number in each slice"""
    pods = [r.bed.pod(f"named-{n}", "named", port=port,
                      ports=[{"name": "web", "containerPort": port}])
            for n, port in enumerate((8080, 8081))]
    r.bed.service("named", {"app": "named"}, target="web")
    r.route("named")
    r.becomes("named", *pods)
    r.serves("named", *pods)
    r.named = pods


def test_not_ready(r):
    """a pod that is not ready gets nothing, until it is"""
    a, b = r.named
    a.ready(False)
    r.becomes("named", b)
    r.serves("named", b)
    a.ready()
    r.becomes("named", a, b)


def test_terminating(r):
    """K3: one who terminates gets nothing while others are ready, and all if none is"""
    a, b = r.named
    a.terminate()
    r.becomes("named", b)
    r.serves("named", b)
    b.terminate()
    r.becomes("named", a, b)
    r.serves("named", a, b)
    for pod in (a, b):
        pod.finish()
    r.becomes("named")
    await_names(r.gateway, "/named", 503)


def test_nothing_there(r):
    """a slice whose endpoints, ports or number are null is no fault"""
    a = r.origin("null-a")
    r.bed.service("null")
    r.route("null")
    put = r.bed.cluster.create
    for name, endpoints, ports in (
            ("null-1", None, [{"name": "", "port": 8000, "protocol": "TCP"}]),
            ("null-2", [{"addresses": ["10.97.9.1"], "conditions": {}}], None),
            ("null-3", [{"addresses": [a.address], "conditions": {}}],
             [{"name": "", "port": 8000, "protocol": "TCP"}])):
        put({"kind": "EndpointSlice", "addressType": "IPv4", "endpoints": endpoints,
             "ports": ports, "metadata": {
                 "name": name, "labels": {"kubernetes.io/service-name": "null"}}})
    r.becomes("null", a)
    r.serves("null", a)


def test_two_slices(r):
    """K3: an address in two slices is one endpoint, and stays until both are gone"""
    a, b = r.origin("twice-a"), r.origin("twice-b")
    r.bed.service("twice")
    r.route("twice")
    r.bed.slice("twice-1", "twice", [a.address, b.address])
    r.bed.slice("twice-2", "twice", [a.address])
    r.becomes("twice", a, b)
    r.bed.cluster.delete("EndpointSlice", "twice-1")
    r.becomes("twice", a)
    r.serves("twice", a)
    r.bed.cluster.delete("EndpointSlice", "twice-2")
    r.becomes("twice")


def test_dual_stack(r):
    """K3: slices of both families serve one port"""
    a, b = r.origin("both-4"), r.origin("both-6")
    six = "fd97::" + b.address.split(".", 2)[2].replace(".", ":")
    origin = e2e.Origin(b.net, b.answer, six, 8000, e2e.socket.AF_INET6)
    r.bed.service("both")
    r.route("both")
    r.bed.slice("both-4", "both", [a.address])
    r.bed.slice("both-6", "both", [six], family="IPv6")
    r.gateway.await_set(upstream_name("both"), [a.host, f"[{six}]:8000"])
    r.serves("both", a, b)
    origin.close()


def test_headless(r):
    """a service without an address of its own is served by its pods"""
    pod = r.bed.pod("headless-0", "headless")
    r.bed.service("headless", {"app": "headless"}, clusterIP="None")
    r.route("headless")
    r.becomes("headless", pod)
    r.serves("headless", pod)


def test_publish_not_ready(r):
    """publishNotReadyAddresses: a pod that is not ready serves"""
    pod = r.bed.pod("early-0", "early", ready=False)
    r.bed.service("early", {"app": "early"}, publishNotReadyAddresses=True)
    r.route("early")
    r.becomes("early", pod)
    r.serves("early", pod)


def test_ports(r):
    """each port of a service is an upstream of its own"""
    pod = r.origin("ports-0")
    other = e2e.Origin(pod.net, lambda *_: b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother",
                       pod.address, 9000)
    r.bed.cluster.put({"kind": "Service", "metadata": {"name": "ports"}, "spec": {"ports": [
        {"name": "http", "port": 80, "targetPort": 8000},
        {"name": "admin", "port": 81, "targetPort": 9000}]}})
    r.bed.slice("ports-1", "ports", [pod.address], ports=[
        {"name": "http", "port": 8000, "protocol": "TCP"},
        {"name": "admin", "port": 9000, "protocol": "TCP"}])
    r.gateway.await_set("default-ports-80", [pod.host])
    r.gateway.await_set("default-ports-81", [f"{pod.address}:9000"])
    r.gateway.route("/ports", "default-ports-81")
    await_names(r.gateway, "/ports", "other", count=5)
    other.close()


def test_zone(r):
    """hints: endpoints of the box's zone, if all have hints; else all"""
    a, b = r.origin("zone-a"), r.origin("zone-b")
    r.bed.service("zone")
    r.route("zone")

    def endpoints(*zones):
        r.bed.slice("zone-1", "zone", [
            {"addresses": [p.address], "conditions": {"ready": True},
             **({"hints": {"forZones": [{"name": z}]}} if z else {})}
            for p, z in zip((a, b), zones)])
    endpoints(ZONE, "z2")
    r.becomes("zone", a)
    r.serves("zone", a)
    endpoints(ZONE, None)
    r.becomes("zone", a, b)
    endpoints("z2", "z2")
    r.becomes("zone", a, b)


def test_owner(r):
    """another pod at the same address: the connections to the former are not used"""
    a = r.origin("owner-0")
    r.bed.service("owner")
    r.route("owner")

    def owned_by(uid):
        r.bed.slice("owner-1", "owner", [{
            "addresses": [a.address], "conditions": {"ready": True},
            "targetRef": {"kind": "Pod", "namespace": "default", "name": uid, "uid": uid}}])
    owned_by("first")
    r.becomes("owner", a)
    r.serves("owner", a)
    before = list(a.origin.connections)
    check(any(not c["eof"] for c in before), "no connection is kept")
    owned_by("second")
    wait_until("the kept connections to be closed", lambda: all(c["eof"] for c in before))
    asked = [c["requests"] for c in before]
    r.serves("owner", a)
    equal([c["requests"] for c in before], asked)


def test_external_name(r):
    """an external name that leads into the box is refused, with the reason"""
    for name, target in (("local", "localhost"), ("api", "kubernetes.default.svc")):
        r.bed.cluster.put({"kind": "Service", "metadata": {"name": name}, "spec": {
            "type": "ExternalName", "externalName": target, "ports": [{"port": 8000}]}})
        u = wait_until(name, lambda: r.gateway.upstreams().get(upstream_name(name)))
        s = r.warned(u["metadata"]["name"])
        check(target in s["reason"], s)
        equal(r.gateway.set(upstream_name(name)), [])


def test_http2(r):
    """a port that speaks HTTP/2 alone is not Accepted while that is not served"""
    r.bed.cluster.put({"kind": "Service", "metadata": {"name": "h2"}, "spec": {"ports": [
        {"port": 8000, "appProtocol": "kubernetes.io/h2c"}]}})
    wait_until("it", lambda: "default-h2-8000" in r.gateway.upstreams())
    s = r.warned("default-h2-8000")
    check("HTTP/2" in s["reason"], s)


def test_one_other(r):
    """a change of one service touches no endpoint of another"""
    def others():
        """Without those that drain, which end when they have drained."""
        return {i["name"]: [{k: v for k, v in e.items() if k != "seconds"}
                            for e in i["endpoints"] if e["health"] != "draining"]
                for i in r.gateway.get("/v1/endpoints?limit=1000")["items"]
                if i["name"] != "default-zone-8000"}
    before = others()
    r.bed.cluster.delete("EndpointSlice", "zone-1")
    r.becomes("zone")
    equal(others(), before)


if __name__ == "__main__":
    e2e.main(globals())
