"""glooctl install kube and uninstall against an API server of our own: what is
made there and here, that once more changes nothing, and what is said when it
cannot be done."""
import base64
import json
import os
import pathlib
import re
import shutil
import socket
import stat
import sys
import tempfile
import time

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import check, equal, run
from kube_fake import ADMIN, Cluster

IP = "10.97.0.1"
OBJECTS = """\
namespace/gloo-system {0}
serviceaccount/gloo-gateway {0}
clusterrole.rbac.authorization.k8s.io/gloo-gateway {0}
clusterrolebinding.rbac.authorization.k8s.io/gloo-gateway {0}
role.rbac.authorization.k8s.io/gloo-gateway {0}
rolebinding.rbac.authorization.k8s.io/gloo-gateway {0}
customresourcedefinition.apiextensions.k8s.io/virtualservices.gateway.solo.io {0}
customresourcedefinition.apiextensions.k8s.io/routetables.gateway.solo.io {0}
customresourcedefinition.apiextensions.k8s.io/gateways.gateway.solo.io {0}
customresourcedefinition.apiextensions.k8s.io/upstreams.gloo.solo.io {0}
customresourcedefinition.apiextensions.k8s.io/upstreamgroups.gloo.solo.io {0}
service/gateway-proxy {0}
endpointslice.discovery.k8s.io/gateway-proxy {0}
"""
FILES = """\
{d}/kubernetes/ca.crt {0}
{d}/kubernetes/kubeconfig {0}
{d}/kubernetes/token {0}
{d}/settings.yaml {1}
"""
KUBECONFIG = """\
apiVersion: v1
clusters:
- cluster:
    certificate-authority: ca.crt
    server: {url}
  name: kubernetes
contexts:
- context:
    cluster: kubernetes
    namespace: gloo-system
    user: gloo-gateway
  name: gloo-gateway
current-context: gloo-gateway
kind: Config
users:
- name: gloo-gateway
  user:
    tokenFile: token
"""
SETTINGS = "# mine\nlogLevel: debug # and why\n"
BLOCK = """
# By glooctl install kube; glooctl uninstall takes it out.
kubernetes:
  address: "10.97.0.1"
  kubeconfig: kubernetes/kubeconfig
  namespace: gloo-system
  serviceAccount: gloo-gateway
"""
SERVICE = "/api/v1/namespaces/gloo-system/services/gateway-proxy"
SLICE = "/apis/discovery.k8s.io/v1/namespaces/gloo-system/endpointslices/gateway-proxy"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/gloo-system/leases/gloo-gateway"
CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/upstreams.gloo.solo.io"


class Install:
    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="ggti"))
        e2e.undo.append(lambda: shutil.rmtree(self.dir, ignore_errors=True))
        self.settings = self.dir / "settings.yaml"
        self.settings.write_text(SETTINGS)
        self.settings.chmod(0o640)
        (self.dir / "cluster").mkdir()
        self.cluster = Cluster(self.dir / "cluster")

    def glooctl(self, *argv, ok=(0,), config=None, settings=None, env=None):
        where = ("--kubeconfig", config or self.cluster.admin) if config != "" else ()
        return run(e2e.GLOOCTL, "--socket", self.dir / "none.sock", *argv, *where,
                   "--settings", settings or self.settings, ok=ok, env=env)

    def install(self, *more, address=IP, **how):
        where = ("--address", address) if address else ()
        return self.glooctl("install", "kube", *where, *more, **how)

    def local(self):
        """Every file with its bytes and mode."""
        return {str(p): (p.read_bytes(), stat.S_IMODE(p.stat().st_mode))
                for p in sorted((self.dir / "kubernetes").glob("*")) + [self.settings]}

    def token(self):
        return (self.dir / "kubernetes/token").read_text()

    def lines(self, objects, files, settings):
        return OBJECTS.format(objects) + FILES.format(files, settings, d=self.dir)


def claims(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def setup():
    return Install()


def teardown(i):
    i.cluster.close()


def test_dry_run(i):
    """--dry-run prints YAML and touches nothing, without a cluster if --address is given"""
    before = i.local()
    text = i.install("--dry-run", config=i.dir / "nothing").stdout
    equal(text.count("\n---\n"), 12)
    check("  - 10.97.0.1\n" in text, text[-600:])
    equal(i.local(), before)
    equal(i.cluster.objects, {})
    equal(i.cluster.asked, [])
    check(not (i.dir / "kubernetes").exists())


def test_install(i):
    """install: one line per object, a token of the account, the key in the settings"""
    p = i.install("--token-seconds", "3600")
    equal(p.stdout, i.lines("created", "created", "configured"))
    check("no daemon answers at" in p.stderr, p.stderr)
    equal(i.settings.read_text(), SETTINGS + BLOCK)
    equal(stat.S_IMODE(i.settings.stat().st_mode), 0o640)
    equal((i.dir / "kubernetes/kubeconfig").read_text(), KUBECONFIG.format(url=i.cluster.url))
    for name in ("ca.crt", "kubeconfig", "token"):
        equal(stat.S_IMODE((i.dir / "kubernetes" / name).stat().st_mode), 0o600, name)
    equal(stat.S_IMODE((i.dir / "kubernetes").stat().st_mode), 0o700)
    said = claims(i.token())
    equal((said["sub"], said["exp"] - said["iat"]),
          ("system:serviceaccount:gloo-system:gloo-gateway", 3600))
    check(i.token() not in p.stdout + p.stderr and ADMIN not in p.stdout + p.stderr)
    # The account was tried, as itself.
    equal(i.cluster.asked[-1], ("GET", "/version", said["sub"]))


def test_service(i):
    """install: the service has the address of the box in its slice and in its status"""
    o = i.cluster.objects
    equal(o[SERVICE]["status"], {"loadBalancer": {"ingress": [{"ip": IP}]}})
    equal(o[SERVICE]["spec"]["type"], "LoadBalancer")
    equal("selector" in o[SERVICE]["spec"], False)
    equal([p["port"] for p in o[SERVICE]["spec"]["ports"]], [8080])
    equal(o[SLICE]["endpoints"], [{"addresses": [IP], "conditions": {"ready": True}}])
    equal(o[SLICE]["metadata"]["labels"]["kubernetes.io/service-name"], "gateway-proxy")


def test_again(i):
    """install once more changes nothing, there or here"""
    files, versions = i.local(), i.cluster.versions()
    p = i.install()
    equal(p.stdout, i.lines("unchanged", "unchanged", "unchanged"))
    equal(i.local(), files)
    equal(i.cluster.versions(), versions)


def test_changed(i):
    """what somebody changed is made right again, and said; the rest is unchanged"""
    path = "/apis/rbac.authorization.k8s.io/v1/clusterroles/gloo-gateway"
    good = i.cluster.objects[path]["rules"]
    i.cluster.store(path, {**i.cluster.objects[path], "rules": []})
    lines = i.install().stdout.splitlines()
    equal([l for l in lines if not l.endswith(" unchanged")],
          ["clusterrole.rbac.authorization.k8s.io/gloo-gateway configured"])
    equal(i.cluster.objects[path]["rules"], good)


def test_another_box(i):
    """a second box adds its address to the first one's"""
    text = i.settings.read_text()
    p = i.install(address="10.97.0.2")
    lines = p.stdout.splitlines()
    check('kubernetes.address is "10.97.0.1", not "10.97.0.2": it stays' in p.stderr, p.stderr)
    equal([l for l in lines if not l.endswith(" unchanged")],
          ["service/gateway-proxy configured",
           "endpointslice.discovery.k8s.io/gateway-proxy configured"])
    o = i.cluster.objects
    equal([e["addresses"] for e in o[SLICE]["endpoints"]], [[IP], ["10.97.0.2"]])
    equal(o[SERVICE]["status"]["loadBalancer"]["ingress"], [{"ip": IP}, {"ip": "10.97.0.2"}])
    equal(i.settings.read_text(), text)
    versions = i.cluster.versions()
    i.install()
    equal(i.cluster.versions(), versions)


def test_meanwhile(i):
    """what another box writes while install runs is not lost"""
    o = i.cluster.objects

    def other():
        slice_ = json.loads(json.dumps(o[SLICE]))
        slice_["endpoints"].append({"addresses": ["10.97.0.3"]})
        i.cluster.store(SLICE, slice_)

    i.cluster.meanwhile[SLICE] = other
    p = i.install(address="10.97.0.4", ok=(1,))
    check("cannot apply endpointslice.discovery.k8s.io/gateway-proxy: " in p.stderr
          and "has been modified" in p.stderr, p.stderr)
    i.install(address="10.97.0.4")
    equal([e["addresses"][0] for e in o[SLICE]["endpoints"]],
          [IP, "10.97.0.2", "10.97.0.3", "10.97.0.4"])


def test_other_family(i):
    """an address of the other family makes the slice anew, unless others are in it"""
    versions, o = i.cluster.versions(), i.cluster.objects
    p = i.install(address="FD97:0:0::1", ok=(1,))
    check("has IPv4 addresses of other boxes (10.97.0.1, 10.97.0.2, 10.97.0.3, 10.97.0.4)"
          in p.stderr, p.stderr)
    equal(i.cluster.versions(), versions)
    del o[SLICE]["endpoints"][1:]
    i.install(address="FD97:0:0::1")
    equal((o[SLICE]["addressType"], [e["addresses"] for e in o[SLICE]["endpoints"]]),
          ("IPv6", [["fd97::1"]]))
    i.install()
    equal([e["addresses"] for e in o[SLICE]["endpoints"]], [[IP]])


def test_token_worn(i):
    """a token that is due, of another cluster or of somebody else is replaced"""
    path = i.dir / "kubernetes/token"
    old = i.token()
    i.cluster.forget_tokens()
    check(f"{path} configured\n" in i.install().stdout)
    check(i.token() != old)
    now = int(time.time())
    for sub, iat, exp in (("system:serviceaccount:gloo-system:gloo-gateway", now - 900, now + 100),
                          ("system:serviceaccount:a:b", now, now + 3600)):
        part = base64.urlsafe_b64encode(json.dumps(
            {"sub": sub, "iat": iat, "exp": exp}).encode()).decode().rstrip("=")
        worn = "e30." + part + ".c2ln"
        i.cluster.tokens[worn] = sub
        path.write_text(worn)
        check(f"{path} configured\n" in i.install().stdout, sub)
        equal(claims(i.token())["sub"], "system:serviceaccount:gloo-system:gloo-gateway")
    check(f"{path} unchanged\n" in i.install().stdout)


def test_foreign(i):
    """definitions of somebody else stay as they are, a service of his is an error"""
    for path in (CRD, SERVICE):
        o = i.cluster.objects[path]
        o["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "Helm"}
    versions = i.cluster.versions()
    p = i.install(ok=(1,))
    check("upstreams.gloo.solo.io left as it is: glooctl did not make it\n" in p.stdout, p.stdout)
    check("error: cannot apply service/gateway-proxy: it is there already, and glooctl did not "
          "make it" in p.stderr, p.stderr)
    equal(i.cluster.versions(), versions)
    for path in (CRD, SERVICE):
        i.cluster.objects[path]["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "glooctl"}


def test_refused(i):
    """errors: no kubeconfig, unreachable, unknown credentials, a missing right, an address"""
    stranger = i.cluster.kubeconfig("stranger", "hunter2")
    nobody = i.cluster.kubeconfig("nobody", ADMIN, "https://127.0.0.1:1")
    env = {k: v for k, v in os.environ.items() if k != "KUBECONFIG"}
    none = i.glooctl("install", "kube", ok=(1,), config="", env={**env, "HOME": str(i.dir)})
    check("error: there is no kubeconfig: " in none.stderr and "--kubeconfig" in none.stderr,
          none.stderr)
    p = i.install(ok=(1,), config=nobody)
    check("error: cannot apply namespace/gloo-system: " in p.stderr
          and "https://127.0.0.1:1" in p.stderr, p.stderr)
    p = i.install(ok=(1,), config=stranger)
    check(f"does not take the credentials of {stranger}: " in p.stderr, p.stderr)
    check("hunter2" not in p.stdout + p.stderr, p.stderr)
    i.cluster.forbidden = [("PATCH", "/clusterroles/")]
    p = i.install(ok=(1,))
    equal(p.stdout.splitlines()[-1], "serviceaccount/gloo-gateway unchanged")
    check("error: cannot apply clusterrole.rbac.authorization.k8s.io/gloo-gateway: " in p.stderr
          and 'User "admin" cannot patch' in p.stderr, p.stderr)
    i.cluster.forbidden = [("POST", "/token")]
    (i.dir / "kubernetes/token").unlink()
    p = i.install(ok=(1,))
    check("error: cannot get a token: " in p.stderr and 'User "admin" cannot' in p.stderr, p.stderr)
    i.cluster.forbidden = []
    # The API server is on loopback here, and so is the way to it.
    p = i.install(ok=(1,), address=None)
    check("give the address of this box with --address" in p.stderr
          and "it is a loopback address" in p.stderr, p.stderr)
    p = i.install(ok=(1,), settings=i.dir / "nowhere/settings.yaml")
    check(f"error: cannot make the folder {i.dir}/nowhere/kubernetes" in p.stderr, p.stderr)
    i.install()


def test_settings_by_hand(i):
    """settings that cannot be added to are left alone, and what to add is said"""
    text = i.settings.read_text()
    i.settings.write_text("{ logLevel: debug }\n")
    p = i.install(ok=(1,))
    check("add this to it:" in p.stderr and "  serviceAccount: gloo-gateway" in p.stderr, p.stderr)
    equal(i.settings.read_text(), "{ logLevel: debug }\n")
    i.settings.write_text(text)


def test_settings_link(i):
    """settings that are a link stay one"""
    real, link = i.dir / "real.yaml", i.dir / "link.yaml"
    real.write_text(SETTINGS)
    link.symlink_to(real)
    i.install(settings=link)
    check(link.is_symlink())
    equal(real.read_text(), SETTINGS + BLOCK)
    real.unlink()
    link.unlink()


def test_uninstall(i):
    """uninstall takes out what install made; definitions and namespace stay"""
    versions, files = i.cluster.versions(), i.local()
    p = i.glooctl("uninstall", "--dry-run")
    check("service/gateway-proxy would be deleted\n" in p.stdout, p.stdout)
    check("namespace/" not in p.stdout and "customresource" not in p.stdout, p.stdout)
    equal((i.cluster.versions(), i.local()), (versions, files))
    i.cluster.store(LEASE, {"kind": "Lease", "metadata": {"name": "gloo-gateway"}})
    p = i.glooctl("uninstall", "kube")
    check("lease.coordination.k8s.io/gloo-gateway deleted\n" in p.stdout, p.stdout)
    check("service/gateway-proxy deleted\n" in p.stdout, p.stdout)
    equal({o["kind"] for o in i.cluster.objects.values()},
          {"Namespace", "CustomResourceDefinition"})
    equal(i.settings.read_text(), SETTINGS)
    equal(stat.S_IMODE(i.settings.stat().st_mode), 0o640)
    equal(list((i.dir / "kubernetes").iterdir()), [])


def test_uninstall_again(i):
    """uninstall once more finds nothing, and is no error"""
    p = i.glooctl("uninstall")
    check("service/gateway-proxy not found\n" in p.stdout, p.stdout)
    check(f"{i.settings} unchanged\n" in p.stdout, p.stdout)


def test_uninstall_all(i):
    """uninstall --all: nothing of ours is left, what others made stays"""
    i.install()
    i.cluster.objects[CRD]["metadata"]["labels"] = {}
    p = i.glooctl("uninstall", "--all")
    check("upstreams.gloo.solo.io left as it is: glooctl did not make it\n" in p.stdout, p.stdout)
    equal(list(i.cluster.objects), [CRD])


def test_uninstall_parts(i):
    """--delete-crds and --delete-namespace are what they say"""
    i.cluster.objects.clear()
    i.install()
    i.glooctl("uninstall", "--delete-crds")
    equal({o["kind"] for o in i.cluster.objects.values()}, {"Namespace"})
    i.install()
    i.glooctl("uninstall", "--delete-namespace")
    equal({o["kind"] for o in i.cluster.objects.values()}, {"CustomResourceDefinition"})


def test_uninstall_without_cluster(i):
    """uninstall without a cluster puts this box in order, and says what is left"""
    i.install()
    p = i.glooctl("uninstall", ok=(1,), config=i.dir / "nothing")
    equal(i.settings.read_text(), SETTINGS)
    equal(list((i.dir / "kubernetes").iterdir()), [])
    check("error: " in p.stderr and "nothing" in p.stderr, p.stderr)


def test_uninstall_shared(i):
    """a box that goes leaves to the others what they need, but for --all"""
    i.cluster.objects.clear()
    i.install()
    o, other = i.cluster.objects, i.dir / "other.yaml"
    i.install(address="10.97.0.2", settings=other)
    name = re.sub("[^A-Za-z0-9._-]", "-", socket.gethostname())[:63]
    o[SLICE]["metadata"]["annotations"] = {"address.gloo-gateway/b": "10.97.0.2",
                                           "address.gloo-gateway/" + name: IP}
    kept = {p: v for p, v in i.cluster.versions().items() if p not in (SLICE, SERVICE)}
    p = i.glooctl("uninstall", "--delete-namespace")
    check("nothing else is deleted in the cluster: other boxes use it (10.97.0.2); --all"
          in p.stdout, p.stdout)
    equal({p: v for p, v in i.cluster.versions().items() if p not in (SLICE, SERVICE)}, kept)
    equal([e["addresses"] for e in o[SLICE]["endpoints"]], [["10.97.0.2"]])
    equal(o[SLICE]["metadata"]["annotations"], {"address.gloo-gateway/b": "10.97.0.2"})
    equal(o[SERVICE]["status"]["loadBalancer"]["ingress"], [{"ip": "10.97.0.2"}])
    equal(i.settings.read_text(), SETTINGS)
    versions = i.cluster.versions()
    check("(10.97.0.2)" in i.glooctl("uninstall").stdout)
    equal(i.cluster.versions(), versions)
    # The last one takes all with it.
    i.glooctl("uninstall", settings=other)
    equal({v["kind"] for v in o.values()}, {"Namespace", "CustomResourceDefinition"})
    other.unlink()
    i.install()
    i.install(address="10.97.0.2")
    i.glooctl("uninstall", "--all")
    equal(list(o), [])


class Running:
    """A gateway, and the API server on its loopback."""

    def __init__(self, i):
        self.lab = e2e.Lab()
        self.gateway = e2e.Gateway(self.lab).start()
        (self.gateway.dir / "cluster").mkdir()
        with e2e.Namespace(self.lab.gw):
            self.cluster = Cluster(self.gateway.dir / "cluster")
        i.running = self

    def glooctl(self, *argv, ok=(0,)):
        return run(e2e.GLOOCTL, "--socket", self.gateway.socket, *argv, ns=self.lab.gw, ok=ok)

    def install(self, *more):
        return self.glooctl("install", "kube", "--kubeconfig", self.cluster.admin,
                            "--address", self.lab.address, *more)

    def area(self):
        """What `glooctl check` says of the cluster. (Rights that are missing are
        asked for one by one, a few a second.)"""
        areas = [a for a in self.gateway.get("/v1/check")["areas"] if a["name"] == "kubernetes"]
        return areas[0] if areas else None

    def hears(self, level, part):
        return e2e.wait_until(f"{level}: {part}", lambda: [
            t for t in self.area()[level] if t.startswith(part + ":")], 30)[0]

    def close(self):
        self.cluster.close()
        try:
            self.gateway.close()
        finally:
            self.lab.close()


def test_daemon(i):
    """with a daemon: its settings are the ones, it reads them, and looks at its account"""
    r = Running(i)
    p = r.install("--token-seconds", "600")
    d = r.gateway.dir
    check(f"{d}/settings.yaml configured\n" in p.stdout, p.stdout)
    check(f", settings {d}/settings.yaml\n" in p.stdout
          and "\ngateway-proxy: " in p.stdout, p.stdout)
    equal(p.stderr, "")
    for part in ("permissions", "clock", "token"):
        r.hears("notes", part)
    check(f"{d}/settings.yaml unchanged\n" in r.install().stdout)


def test_rights(i):
    """a right that is missing is named by check"""
    r = i.running
    r.cluster.rules = [{"verbs": ["get", "watch"], "apiGroups": ["*"], "resources": ["*"]}]
    r.gateway.stop()
    r.gateway.start()
    said = r.hears("warnings", "permissions")
    for what in ("list services; ", "list endpointslices of discovery.k8s.io; ",
                 "patch virtualservices/status of gateway.solo.io; ",
                 "create serviceaccounts/token gloo-gateway in gloo-system; "):
        check(what in said, what, said)
    check(not re.search(r"\b(get|watch)\b", said), said)
    out = r.glooctl("check", ok=(2, 3)).stdout
    check("kubernetes: warning: permissions: list services; " in out, out)


def test_token_renewed(i):
    """a token at 80 % of its life is renewed by the daemon, for the same time again"""
    r = i.running
    path, now = r.gateway.dir / "kubernetes/token", int(time.time())
    who = "system:serviceaccount:gloo-system:gloo-gateway"
    part = base64.urlsafe_b64encode(json.dumps(
        {"sub": who, "iat": now - 700, "exp": now + 100}).encode()).decode().rstrip("=")
    old = "e30." + part + ".c2ln"
    r.cluster.tokens[old] = who
    r.gateway.stop()
    path.write_text(old)
    r.gateway.start()
    e2e.wait_until("another token", lambda: path.read_text() != old)
    said = claims(path.read_text())
    equal((said["sub"], said["exp"] - said["iat"]), (who, 800))
    equal(stat.S_IMODE(path.stat().st_mode), 0o600)
    e2e.wait_until("the line of it", lambda: "token renewed" in r.gateway.log_text())
    log = r.gateway.log_text()
    check(old not in log and path.read_text() not in log)


def test_token_not_renewed(i):
    """a token that cannot be renewed is said so, and when it is over as an error"""
    r = i.running
    path, now = r.gateway.dir / "kubernetes/token", int(time.time())
    who = "system:serviceaccount:gloo-system:gloo-gateway"
    r.cluster.forbidden = [("POST", "/token")]
    for life, level, words in ((100, "warnings", "is not renewed"),
                               (-100, "errors", "has expired")):
        part = base64.urlsafe_b64encode(json.dumps(
            {"sub": who, "iat": now - 900, "exp": now + life}).encode()).decode().rstrip("=")
        r.gateway.stop()
        path.write_text("e30." + part + ".c2ln")
        r.cluster.tokens[path.read_text()] = who
        r.gateway.start()
        check(words in r.hears(level, "token"), r.area())
    r.cluster.forbidden = []


def test_reload_refused(i):
    """settings that the daemon refuses are an error of install; what ran goes on"""
    r = i.running
    path = r.gateway.dir / "settings.yaml"
    text = path.read_text()
    path.write_text(text.replace("kubernetes:\n", "kubernetes:\n  no: such key\n"))
    p = r.glooctl("install", "kube", "--kubeconfig", r.cluster.admin, "--address",
                  r.lab.address, ok=(1,))
    check("error: " in p.stderr and "settings.yaml:" in p.stderr and "no" in p.stderr, p.stderr)
    check(r.area() is not None)
    path.write_text(text)
    r.install()


def test_daemon_uninstall(i):
    """uninstall: the daemon leaves the cluster, and goes on"""
    r = i.running
    before = (r.gateway.dir / "settings.yaml").read_text()
    r.glooctl("uninstall", "--kubeconfig", r.cluster.admin, "--all")
    equal(r.area(), None)
    equal(r.cluster.objects, {})
    check("kubernetes" in before and "kubernetes" not in
          (r.gateway.dir / "settings.yaml").read_text())
    equal(r.gateway.api("GET", "/readyz")[0], 200)
    r.close()


if __name__ == "__main__":
    e2e.main(globals())
