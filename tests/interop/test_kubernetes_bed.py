"""The bed of the other test_kubernetes files, without a gateway: a real control
plane, slices by its own controller, pods in namespaces, and the relay."""
import sys
import time

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
import kube
from e2e import check, equal, wait_until
from kube_bed import ACCOUNT, OWN, Bed, usable
from kube_relay import Relay, status


def setup():
    return Bed(audit=True)


def teardown(b):
    b.close()


def test_version(b):
    """the API server is a real one of version 1.36, and kubectl speaks to it"""
    version = b.cluster.good("GET", "/version")["gitVersion"]
    check(version.startswith("v1.36."), version)
    nodes = b.cluster.kubectl("get", "nodes", "-o", "name").stdout
    equal(nodes, "node/n1\n")
    return version


def test_named_ports(b):
    """two pods with other numbers behind one named port: two slices by the controller"""
    for n, port in enumerate((8080, 8081)):
        b.pod(f"named-{n}", "named", port=port, ports=[{"name": "web", "containerPort": port}])
    b.service("named", {"app": "named"}, target="web")
    hosts = sorted(p.host for p in b.pods.values())
    wait_until("both pods", lambda: b.usable("named") == hosts, 30)
    equal(len(b.slices_of("named")), 2)


def test_reachable(b):
    """the gateway's namespace reaches pods and the API server, an origin keeps who asked"""
    pod = next(iter(b.pods.values()))
    answer = e2e.request(b.gw, pod.address, pod.port, path="/there")
    equal((answer[0], answer[2]), (200, pod.name.encode()))
    equal(pod.asked[-1][1], "GET /there HTTP/1.1")
    with e2e.Namespace(b.gw):
        e2e.socket.create_connection((b.cluster.address, kube.PORT), 10).close()


def test_terminating(b):
    """a pod deleted in order is terminating while others serve, and gone when forced"""
    first, second = list(b.pods.values())[:2]
    first.terminate()
    wait_until("one of two", lambda: b.usable("named") == [second.host], 30)
    condition = [e["conditions"] for s in b.slices_of("named") for e in s["endpoints"]
                 if e["addresses"] == [first.address]]
    equal(condition, [{"ready": False, "serving": True, "terminating": True}])
    second.terminate()
    wait_until("both, since none is ready",
               lambda: b.usable("named") == sorted([first.host, second.host]), 30)
    for pod in (first, second):
        pod.finish()
    wait_until("nobody", lambda: b.usable("named") == [], 30)
    for pod in (first, second):
        pod.close()
        equal(e2e.knock(b.gw, pod.address, pod.port), "dropped")


def test_watch(b):
    """a watch tells what changes and when, also after the API server was killed"""
    seen = []
    watch = kube.Watch(b.cluster, "EndpointSlice", lambda *a: seen.append(a), "default")
    b.service("by-hand")
    b.slice("by-hand-1", "by-hand", ["10.97.9.1"])
    wait_until("an event", lambda: any(
        t == "ADDED" and o["metadata"]["name"] == "by-hand-1" for t, o, _ in seen))
    begin = time.monotonic()
    b.cluster.kill_all()
    b.cluster.start_api()
    took = time.monotonic() - begin
    b.cluster.start_controllers()
    wait_until("the watch again", watch.current.is_set, 20)
    equal(usable(b.slices_of("by-hand")), ["10.97.9.1:8000"])
    b.slice("by-hand-1", "by-hand", ["10.97.9.2"])
    wait_until("a change", lambda: any(
        t == "MODIFIED" and usable([o]) == ["10.97.9.2:8000"] for t, o, _ in seen))
    watch.close()
    return f"killed, and ready again after {took:.1f} s"


def test_account(b):
    """an account may do what its rules say, and a token ends with its Secret"""
    b.account([{"apiGroups": [""], "resources": ["services"], "verbs": ["list"]}])
    token = b.cluster.token_of(ACCOUNT, secret="bound")
    other = kube.Client(b.cluster, token)
    wait_until("the rule", lambda: other.ask("GET", kube.path_of("Service", None, None))[0] == 200)
    equal(other.ask("GET", kube.path_of("Secret", None, None))[0], 403)
    b.cluster.delete("Secret", "bound", OWN)
    # The API server believes a token for ten seconds without looking.
    wait_until("the token to be refused",
               lambda: other.ask("GET", kube.path_of("Service", None, None))[0] == 401, 20)
    name = f"system:serviceaccount:{OWN}:{ACCOUNT}"
    asked = [(a["verb"], a["objectRef"]["resource"], a["responseStatus"]["code"])
             for a in b.cluster.audit()
             if a["user"].get("username") == name and a["stage"] == "ResponseComplete"]
    check(("list", "services", 200) in asked and ("list", "secrets", 403) in asked, asked)


def test_certificate(b):
    """a client with a certificate is who it says"""
    b.cluster.certificate("client", "/O=system:masters/CN=someone")
    argv = ["curl", "-sS", "--cacert", b.cluster.dir / "ca.crt", "--cert",
            b.cluster.dir / "client.crt", "--key", b.cluster.dir / "client.key",
            b.cluster.server + "/readyz"]
    equal(e2e.run(*argv, ns=b.gw).stdout, "ok")


def test_controllers(b):
    """kubectl create deployment and expose: pods by the controllers, to be given life here"""
    b.cluster.kubectl("create", "deployment", "web", "--image=web")
    b.cluster.kubectl("expose", "deploy", "web", "--port", "8000")
    pod = b.adopt("web")
    wait_until("the pod", lambda: b.usable("web") == [pod.host], 60)


def test_relay(b):
    """the relay passes on byte for byte, answers instead, and counts"""
    relay = Relay(b.cluster)
    relay.piece = 3
    path = kube.path_of("EndpointSlice", None, None)

    def ask(path=path):
        return e2e.run("curl", "-sS", "--cacert", b.cluster.dir / "ca.crt", "-H",
                       "Authorization: Bearer " + kube.ADMIN, "-w", "%{http_code}",
                       relay.server + path, ns=b.gw).stdout
    texts = []

    def passed_on():
        """Whoever writes anything changes the version of every list."""
        before = b.cluster.good("GET", path)
        texts.append(ask())
        return b.cluster.good("GET", path) == before and before
    direct = wait_until("a moment in which nobody writes", passed_on)
    equal(texts[-1][-3:], "200")
    equal(e2e.json.loads(texts[-1][:-3]), direct)
    relay.instead = lambda method, path: status(429, "TooManyRequests", headers={"Retry-After": 1})
    check(ask().endswith("429"), "the answer in the server's place")
    relay.instead = lambda *_: None
    relay.change = lambda path: path + "&timeoutSeconds=1"
    text = ask(path + "?watch=1")
    check('"type":"ADDED"' in text and text.endswith("200"), text[:300])
    equal((relay.lists("endpointslices"), relay.watches("endpointslices")),
          (len(texts) + 1, 1))
    relay.close()


if __name__ == "__main__":
    e2e.main(globals())
