"""The walk of the post that started it, in a real cluster: install, a service is
exposed and found, a route, both curls; what is printed is the post's, byte for
byte."""
import json
import re
import shutil
import sys

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
import kube
from e2e import check, equal, run, wait_until
from kube_bed import ACCOUNT, OWN, Bed

# The post's own lines.
UPSTREAM_ROWS = """\
+--------------------------------+------------+----------+------------------------------+
|            UPSTREAM            |    TYPE    |  STATUS  |           DETAILS            |
+--------------------------------+------------+----------+------------------------------+
| default-httpbin-8000           | Kubernetes | Accepted | svc name:      httpbin       |
|                                |            |          | svc namespace: default       |
|                                |            |          | port:          8000          |
"""
UPSTREAM_YAML = """\
discoveryMetadata: {}
metadata:
  labels:
    app: httpbin
    discovered_by: kubernetesplugin
  name: default-httpbin-8000
  namespace: gloo-system
  resourceVersion: "%s"
status:
  reportedBy: gloo
  state: Accepted
upstreamSpec:
  kube:
    selector:
      app: httpbin
    serviceName: httpbin
    serviceNamespace: default
    servicePort: 8000
"""
ROUTE_ROWS = """\
+-----------------+---------+------+----------+---------+--------------------------------+
| VIRTUAL SERVICE | DOMAINS | SSL  |  STATUS  | PLUGINS |             ROUTES             |
+-----------------+---------+------+----------+---------+--------------------------------+
| default         | *       | none | Accepted |         | /httpbin ->                    |
|                 |         |      |          |         | default-httpbin-8000           |
"""


class Walk:
    def __init__(self):
        if not shutil.which("gunicorn"):
            raise e2e.Skip("gunicorn is not installed")
        self.bed = Bed(audit=True)
        self.cluster = self.bed.cluster
        self.gateway = e2e.Gateway(self.bed, xdp=True).start()
        self.admin = self.cluster.kubeconfig(self.gateway.dir / "admin", f"token: {kube.ADMIN}")

    def glooctl(self, *argv, ok=(0,)):
        return run(e2e.GLOOCTL, "--socket", self.gateway.socket, *argv, ns=self.bed.gw, ok=ok)

    def install(self, *argv):
        return self.glooctl("install", "kube", "--kubeconfig", self.admin, *argv)

    def versions(self):
        """Of all that the installation makes: another one was written."""
        found = {}
        for kind, ns in (("Namespace", None), ("ServiceAccount", OWN), ("ClusterRole", None),
                         ("ClusterRoleBinding", None), ("CustomResourceDefinition", None),
                         ("Service", OWN), ("EndpointSlice", OWN)):
            for o in self.cluster.list(kind, ns):
                if o["metadata"].get("labels", {}).get(
                        "app.kubernetes.io/managed-by") == "glooctl":
                    found[kind, o["metadata"]["name"]] = o["metadata"]["resourceVersion"]
        return found

    def curl(self, path):
        return run("curl", "-sS", "--max-time", "20", self.url + path, ns=self.bed.out).stdout


def setup():
    return Walk()


def teardown(w):
    try:
        w.gateway.close()
    finally:
        w.bed.close()


def test_dry_run(w):
    """install kube --dry-run prints what kubectl can apply, and makes nothing"""
    text = w.install("--dry-run").stdout
    equal(w.versions(), {})
    for kind in ("Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding",
                 "CustomResourceDefinition", "Service"):
        check(f"kind: {kind}\n" in text, kind, text[:500])
    w.cluster.kubectl("create", "namespace", OWN)
    w.cluster.kubectl("apply", "--dry-run=server", "-f", "-", stdin=text)
    w.cluster.kubectl("delete", "namespace", OWN)


def test_install(w):
    """install kube: afterwards the gateway is connected, by a token of its own"""
    out = w.install()
    wait_until("the gateway to be connected", lambda: "default-kubernetes-443" in [
        u["metadata"]["name"] for u in w.gateway.get("/v1/upstreams")["items"]], 20)
    check(kube.ADMIN not in (w.gateway.dir / "settings.yaml").read_text())
    # The server writes down who watches a moment after it let them.
    wait_until("its own account to watch slices", lambda: f"system:serviceaccount:{OWN}:{ACCOUNT}" in {
        a["user"].get("username") for a in w.cluster.audit()
        if a.get("objectRef", {}).get("resource") == "endpointslices" and a["verb"] == "watch"})
    return f"{len(out.stdout.splitlines())} lines"


def test_install_again(w):
    """install kube once more changes nothing"""
    # What the gateway and the server themselves write after an installation is there.
    w.bed.await_definitions()
    w.bed.await_own_address()
    before = w.versions()
    check(len(before) >= 9, before)
    w.install()
    equal(w.versions(), before)


def test_service_address(w):
    """kubectl get svc -n gloo-system shows the gateway's address and its port"""
    w.bed.await_own_address()
    rows = w.cluster.kubectl("get", "svc", "-n", OWN).stdout.splitlines()
    equal(rows[0].split(), ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"])
    name, sort, _, external, ports, _ = next(
        r.split() for r in rows if r.startswith("gateway-proxy "))
    # By default the address on the way to the API server.
    equal((name, sort, external), ("gateway-proxy", "LoadBalancer", "10.97.0.1"))
    check(re.fullmatch(r"8080(:\d+)?/TCP", ports), ports)


def test_expose(w):
    """httpbin is deployed and exposed; it shows up by itself as in the post"""
    c = w.cluster
    equal(c.kubectl("create", "deployment", "httpbin", "--image=citizenstig/httpbin").stdout,
          "deployment.apps/httpbin created\n")
    equal(c.kubectl("expose", "deploy", "httpbin", "--name=httpbin", "--port", "8000",
                    "--selector=app=httpbin").stdout, "service/httpbin exposed\n")
    w.pod = w.bed.adopt("httpbin", httpbin=True)
    wait_until("its endpoint", lambda: w.bed.usable("httpbin") == [w.pod.host], 30)

    def rows():
        text = w.glooctl("get", "upstreams").stdout
        return text if text.startswith(UPSTREAM_ROWS) else None
    try:
        wait_until("the rows of the post", rows)
    except AssertionError as e:
        raise AssertionError(f"{e}:\n{w.glooctl('get', 'upstreams').stdout}") from None


def test_upstream_yaml(w):
    """get upstream -o yaml: the same keys in the same order"""
    text = w.glooctl("get", "upstream", "default-httpbin-8000", "-o", "yaml").stdout
    version = re.search(r'resourceVersion: "(\d+)"', text)
    check(version, text)
    equal(text, UPSTREAM_YAML % version.group(1))


def test_preview(w):
    """get upstreams --preview shows what discovery makes"""
    text = w.glooctl("get", "upstreams", "--preview").stdout
    check("default-httpbin-8000" in text and "svc name:      httpbin" in text, text)


def test_add_route(w):
    """add route makes the route and prints the table of the post"""
    p = w.glooctl("add", "route", "--path-prefix", "/httpbin", "--dest-name",
                  "default-httpbin-8000", "--prefix-rewrite", "/")
    check(p.stdout.startswith(ROUTE_ROWS), p.stdout)
    check("default" in p.stderr, p.stderr)


def test_curl(w):
    """curl $(glooctl gateway url)/httpbin/get and /httpbin/ip"""
    w.url = w.glooctl("gateway", "url").stdout.strip()
    equal(w.url, f"http://{w.bed.address}:8080")
    # This httpbin hides some headers unless it is asked to show them.
    body = json.loads(w.curl("/httpbin/get?show_env=1"))
    h = body["headers"]
    equal((h["Host"], h["X-Envoy-Expected-Rq-Timeout-Ms"], h["X-Envoy-Original-Path"]),
          (f"{w.bed.address}:8080", "15000", "/httpbin/get?show_env=1"))
    equal(body["url"], f"http://{w.bed.address}:8080/get?show_env=1")
    check("Content-Length" not in h, "no body length on a GET:", h)
    equal(json.loads(w.curl("/httpbin/ip")), {"origin": "10.98.0.2"})


def test_user_changes(w):
    """what a user writes into a discovered upstream stays when the service changes"""
    u = w.gateway.get("/v1/upstreams/gloo-system/default-httpbin-8000")
    u["circuitBreakers"] = {"maxConnections": 77}
    u.pop("status")
    status, text = w.gateway.api("PUT", "/v1/upstreams/gloo-system/default-httpbin-8000", u)
    equal(status, 200, text)
    w.cluster.patch("Service", "httpbin", {"metadata": {"labels": {"tier": "front"}}})

    def now():
        return w.gateway.get("/v1/upstreams/gloo-system/default-httpbin-8000")
    wait_until("the new label", lambda: now()["metadata"]["labels"].get("tier") == "front")
    equal(now()["circuitBreakers"], {"maxConnections": 77})
    equal(json.loads(w.curl("/httpbin/ip")), {"origin": "10.98.0.2"})


def test_deleted_by_hand(w):
    """a discovered upstream that is deleted says that it comes back, and does"""
    p = w.glooctl("delete", "upstream", "default-httpbin-8000", ok=(0, 2))
    check("discover" in p.stdout + p.stderr, p.stdout, p.stderr)
    wait_until("it to be back", lambda: json.loads(
        w.curl("/httpbin/ip")) == {"origin": "10.98.0.2"})


def test_opted_out(w):
    """a service that opts out is no upstream, and is one again"""
    def found():
        return "default-quiet-8000" in w.glooctl("get", "upstreams").stdout

    w.bed.service("quiet")
    wait_until("it to be found", found)
    for where in ("annotations", "labels"):
        w.cluster.patch("Service", "quiet", {"metadata": {where: {
            "gloo.solo.io/discover": "false"}}})
        wait_until("it to be gone", lambda: not found())
        w.cluster.patch("Service", "quiet", {"metadata": {where: {
            "gloo.solo.io/discover": None}}})
        wait_until("it to be found again", found)
    w.cluster.delete("Service", "quiet")


def test_service_deleted(w):
    """the service deleted: its upstream is gone, the route answers 503"""
    w.cluster.kubectl("delete", "service", "httpbin")
    wait_until("it to be gone", lambda: "default-httpbin-8000" not in w.glooctl(
        "get", "upstreams").stdout)
    # The upstream goes first, and the workers hear of it.
    wait_until("503", lambda: run("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}",
                                  w.url + "/httpbin/ip", ns=w.bed.out).stdout == "503")


def test_uninstall(w):
    """uninstall takes away what install made; with --all the definitions, too"""
    w.glooctl("uninstall", "--kubeconfig", w.admin)
    wait_until("the rest to be gone", lambda: {kind for kind, _ in w.versions()} <= {
        "Namespace", "CustomResourceDefinition"}, 60)
    w.glooctl("uninstall", "--kubeconfig", w.admin, "--all")
    wait_until("all to be gone", lambda: w.versions() == {}, 90)
    equal(w.gateway.api("GET", "/readyz")[0], 200)
    check("kubernetes:" not in (w.gateway.dir / "settings.yaml").read_text())


if __name__ == "__main__":
    e2e.main(globals())
