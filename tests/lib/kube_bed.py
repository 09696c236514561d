"""The lab with a Kubernetes cluster behind the gateway: a switch with the API
server and with pods, each a network namespace with an origin in it. What a
kubelet would say of a pod is said here."""
import subprocess
import time

import discovering
import e2e
import kube
from e2e import run, wait_until

NODE, ZONE = "n1", "z1"
API = "10.97.0.250"
ACCOUNT, OWN = "gloo-gateway", "gloo-system"
MANIFESTS = e2e.TOP / "config/kubernetes"


def upstream_name(service, port=8000, ns="default"):
    return f"{ns}-{service}-{port}"


class Bed(e2e.Lab):
    """gg1 of the gateway, 10.97.0.1, leads to the switch; the API server is
    10.97.0.250, pods are 10.97.1.1 and on, fd97::1:1 and on."""

    def __init__(self, audit=False, cluster=True):
        self.pods, self.count = {}, 0
        super().__init__()
        tag = self.gw[:-2]
        self.switch, self.control = tag + "sw", tag + "kb"
        run("ip", "netns", "add", self.switch)
        self.batch(self.switch, "link set lo up", "link add br0 type bridge", "link set br0 up")
        run("sysctl", "-qw", "net.ipv6.conf.br0.disable_ipv6=1", ns=self.switch)
        self.plug(self.gw, "gg1", "10.97.0.1", "box")
        for key in ("ip_forward=1", "conf.gg1.accept_local=1"):
            run("sysctl", "-qw", "net.ipv4." + key, ns=self.gw)
        run("ip", "netns", "add", self.control)
        self.plug(self.control, "eth0", API, "api")
        if cluster:
            self.cluster = kube.Cluster(self.control, API, audit)
            self.cluster.create({"kind": "Node", "metadata": {"name": NODE, "labels": {
                "kubernetes.io/hostname": NODE, "topology.kubernetes.io/zone": ZONE}}})

    def batch(self, ns, *lines):
        run("ip", "-n", ns, "-batch", "-", stdin="\n".join(lines) + "\n")

    def plug(self, ns, device, address, port):
        """A cable from that namespace to the switch."""
        tail = address.split(".", 2)[2].replace(".", ":")
        # Who has an address after another has its link address, too: neighbours
        # believe what they know for a while, whatever they are told.
        mac = "02:00:" + ":".join(f"{int(b):02x}" for b in address.split("."))
        run("ip", "link", "add", device, "address", mac, "netns", ns, "type", "veth", "peer",
            "name", port, "netns", self.switch)
        self.batch(self.switch, f"link set {port} master br0 up")
        self.batch(ns, "link set lo up", f"addr add {address}/16 dev {device}",
                   f"addr add fd97::{tail}/64 dev {device} nodad", f"link set {device} up")
        # A frame that never saw a wire has no whole checksum otherwise.
        run("ethtool", "-K", device, "tx", "off", ns=ns, ok=None)

    def unplug(self, port):
        run("ip", "link", "del", port, ns=self.switch, ok=None)

    def cable(self, port, state):
        """"down": what is sent that way is lost, and nobody is told."""
        run("ip", "link", "set", port, state, ns=self.switch)

    def close(self):
        for pod in list(self.pods.values()):
            pod.close()
        for ns in (self.control, self.switch):
            run("ip", "netns", "del", ns, ok=None)
        super().close()

    # ---- what is in the cluster

    def namespace(self, name):
        self.cluster.put({"kind": "Namespace", "metadata": {"name": name}})
        wait_until("its ServiceAccount", lambda: self.cluster.ask(
            "GET", kube.path_of("ServiceAccount", "default", name))[0] == 200, 60)

    def service(self, name, selector=None, port=8000, target=None, ns="default", **spec):
        """With an own selector, or (None) for slices written by hand."""
        spec = {"ports": [{"port": port, "targetPort": target or port}], **spec}
        if selector:
            spec["selector"] = selector
        return self.cluster.put({"kind": "Service", "metadata": {
            "name": name, "namespace": ns, "labels": {"app": name}}, "spec": spec})

    def slice(self, name, service, endpoints, ports=None, ns="default", family="IPv4",
              write=None):
        """Endpoints as addresses, or as the API has them."""
        return (write or self.cluster.put)({
            "kind": "EndpointSlice", "addressType": family,
            "metadata": {"name": name, "namespace": ns,
                         "labels": {"kubernetes.io/service-name": service}},
            "endpoints": [e if isinstance(e, dict) else {
                "addresses": [e], "conditions": {"ready": True}} for e in endpoints],
            "ports": [{"name": "", "port": 8000, "protocol": "TCP"}] if ports is None else ports})

    def pod(self, name, app, **more):
        return Pod(self, name, app, **more)

    def adopt(self, app, ns="default", **more):
        """The pod that a controller made for a deployment, and that nobody runs yet."""
        def waiting():
            return [p for p in self.cluster.list("Pod", ns)
                    if p["metadata"].get("labels", {}).get("app") == app
                    and not p["spec"].get("nodeName")]
        name = wait_until("a pod of " + app, waiting, 60)[0]["metadata"]["name"]
        self.cluster.good("POST", kube.path_of("Pod", name, ns, "binding"), {
            "apiVersion": "v1", "kind": "Binding", "metadata": {"name": name},
            "target": {"apiVersion": "v1", "kind": "Node", "name": NODE}})
        return self.pod(name, app, ns=ns, exists=True, **more)

    def install(self):
        """What `glooctl install kube` makes, without asking it."""
        self.cluster.kubectl("apply", "-f", MANIFESTS)
        self.await_definitions()

    def await_definitions(self):
        """For a moment after it was made, a definition is answered 404, then 429."""
        for kind in ("VirtualService", "RouteTable", "Gateway", "Upstream", "UpstreamGroup"):
            wait_until(kind, lambda: self.cluster.ask(
                "GET", kube.path_of(kind, None, None))[0] == 200, 60)

    def await_own_address(self):
        """What the gateway writes of itself: in the status of gateway-proxy, and its slice.
        What fails of it is tried again after half a minute."""
        def address():
            s = self.cluster.get("Service", "gateway-proxy", OWN)
            return [i.get("ip") for i in s["status"].get("loadBalancer", {}).get("ingress", [])]
        e2e.await_equal(address, ["10.97.0.1"], "its address", 60)
        e2e.await_equal(lambda: self.usable("gateway-proxy", OWN), ["10.97.0.1:8080"],
                        "its slice", 60)

    def account(self, rules, name=ACCOUNT):
        """A ServiceAccount that may do what those rules say."""
        self.namespace(OWN)
        for doc in (
                {"kind": "ServiceAccount", "metadata": {"name": name, "namespace": OWN}},
                {"kind": "ClusterRole", "metadata": {"name": name}, "rules": rules},
                {"kind": "ClusterRoleBinding", "metadata": {"name": name},
                 "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                             "name": name},
                 "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": OWN}]}):
            self.cluster.put(doc)

    def slices_of(self, service, ns="default"):
        return [s for s in self.cluster.list("EndpointSlice", ns)
                if s["metadata"].get("labels", {}).get("kubernetes.io/service-name") == service]

    def usable(self, service, ns="default"):
        """"address:port" of those that a client should use, by the rules of
        KEP-1669, from a list that is fresh."""
        return usable(self.slices_of(service, ns))


def usable(slices):
    ready, last = set(), set()
    for s in slices:
        for e in s.get("endpoints") or []:
            c = e.get("conditions") or {}
            for port in s.get("ports") or []:
                if s["addressType"] == "FQDN" or port.get("port") is None:
                    continue
                host = e["addresses"][0]
                at = f"[{host}]:{port['port']}" if ":" in host else f"{host}:{port['port']}"
                if c.get("ready") in (None, True):
                    ready.add(at)
                elif c.get("terminating") and c.get("serving") in (None, True):
                    last.add(at)
    return sorted(ready or last)


class Pod:
    """A namespace on the switch with an origin, and its object at the API server.
    httpbin=True: a real one. Else an origin of this process, which keeps when it
    was asked (`asked`: seconds, first line) and answers with its own name."""

    def __init__(self, bed, name, app, ns="default", port=8000, address=None, httpbin=False,
                 origin=True, ports=None, ready=True, exists=False, labels=None):
        bed.count += 1
        n = bed.count
        self.bed, self.name, self.ns, self.port = bed, name, ns, port
        self.address = address or f"10.97.{1 + n // 250}.{1 + n % 250}"
        self.net, self.cable = f"{bed.gw[:-2]}p{n}", f"p{n}"
        self.asked, self.origin, self.process = [], None, None
        bed.pods[n] = self
        self.number = n
        run("ip", "netns", "add", self.net)
        # The switch hears where the address is now.
        run("sysctl", "-qw", "net.ipv4.conf.default.arp_notify=1", ns=self.net)
        bed.plug(self.net, "eth0", self.address, self.cable)
        bed.batch(self.net, "route add default via 10.97.0.1")
        self.host = f"{self.address}:{port}"
        if httpbin:
            self.start_httpbin()
        elif origin:
            self.origin = e2e.Origin(self.net, self.answer, self.address, port)
        if not exists:
            bed.cluster.create({"kind": "Pod", "metadata": {
                "name": name, "namespace": ns, "labels": {"app": app, **(labels or {})}}, "spec": {
                "nodeName": NODE, "automountServiceAccountToken": False, "containers": [
                    {"name": "c", "image": "none", "ports": ports or [{"containerPort": port}]}]}})
        if ready is not None:
            self.ready(ready)

    def answer(self, request, _connection):
        self.asked.append((time.monotonic(), request.split(b"\r\n", 1)[0].decode("latin-1")))
        body = self.name.encode()
        return (b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)) + (
            b"" if request.startswith(b"HEAD ") else body)

    def start_httpbin(self):
        self.process = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self.net}", "/usr/bin/gunicorn", "-b", self.host, "-k",
             "gthread", "--threads", "8", "-w", "1", "httpbin:app"], cwd="/",
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        e2e.undo.append(self.process.kill)
        wait_until("httpbin", lambda: e2e.request(
            self.net, self.address, self.port, path="/get")[0] == 200, 60)

    def ready(self, yes=True):
        self.bed.cluster.patch("Pod", self.name, {"status": {
            "phase": "Running", "podIP": self.address, "podIPs": [{"ip": self.address}],
            "conditions": [{"type": "Ready", "status": "True" if yes else "False"}]}},
            self.ns, "status")

    def terminate(self):
        """As `kubectl delete pod`: it goes on serving until its kubelet is done."""
        self.bed.cluster.delete("Pod", self.name, self.ns)

    def finish(self):
        """What the kubelet does then; the object is gone, the origin still there."""
        self.bed.cluster.delete("Pod", self.name, self.ns, grace=0)

    def close(self):
        """The origin and its address are no more."""
        self.bed.pods.pop(self.number, None)
        self.bed.unplug(self.cable)
        if self.process:
            self.process.kill()
            self.process.wait()
        if self.origin:
            self.origin.close()
        run("ip", "netns", "del", self.net, ok=None)


class Gateway(discovering.Gateway):
    """A gateway that comes to the cluster with a token of its own ServiceAccount,
    from a file beside its settings."""

    def __init__(self, bed, settings="", kubernetes="", token=None, server=None, **more):
        super().__init__(bed, f"kubernetes:\n  kubeconfig: kubeconfig\n{kubernetes}{settings}",
                         **more)
        self.token_file = self.dir / "token"
        self.give(token or bed.cluster.token_of(ACCOUNT, seconds=3600))
        bed.cluster.kubeconfig(self.dir / "kubeconfig", f"tokenFile: {self.token_file}", server)

    def give(self, token):
        """Another token, as a kubelet does it."""
        discovering.replace(self.token_file, token)
