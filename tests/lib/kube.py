"""A real Kubernetes control plane: etcd, API server and controllers in a network
namespace; no kubelet, no scheduler. And who speaks to it: requests over HTTPS,
a watch with the time of each event, kubectl."""
import http.client
import json
import os
import pathlib
import shutil
import ssl
import subprocess
import tempfile
import threading
import time

import certificates
import e2e
from e2e import check, run, wait_until

PORT = 6443
ADMIN = "admintok"
CONTROLLERS = ("endpoints-controller,endpointslice-controller,endpointslice-mirroring-controller,"
               "namespace-controller,garbage-collector-controller,serviceaccount-controller,"
               "root-ca-certificate-publisher-controller,deployment-controller,"
               "replicaset-controller")
# What the tests' own requests and the controllers do is not looked at.
AUDIT = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- { level: None, users: [admin, "system:apiserver"] }
- { level: Metadata }
"""
KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: test
clusters:
- name: test
  cluster:
    server: {server}
    certificate-authority: {authority}
contexts:
- name: test
  context: {{ cluster: test, user: test }}
users:
- name: test
  user:
    {user}
"""
# Of a kind: group and version, plural.
KINDS = {
    "Namespace": ("v1", "namespaces"), "Node": ("v1", "nodes"), "Pod": ("v1", "pods"),
    "Service": ("v1", "services"), "Secret": ("v1", "secrets"),
    "ServiceAccount": ("v1", "serviceaccounts"), "Endpoints": ("v1", "endpoints"),
    "EndpointSlice": ("discovery.k8s.io/v1", "endpointslices"),
    "Lease": ("coordination.k8s.io/v1", "leases"),
    "ClusterRole": ("rbac.authorization.k8s.io/v1", "clusterroles"),
    "ClusterRoleBinding": ("rbac.authorization.k8s.io/v1", "clusterrolebindings"),
    "CustomResourceDefinition": ("apiextensions.k8s.io/v1", "customresourcedefinitions"),
    "VirtualService": ("gateway.solo.io/v1", "virtualservices"),
    "RouteTable": ("gateway.solo.io/v1", "routetables"),
    "Gateway": ("gateway.solo.io/v1", "gateways"),
    "Upstream": ("gloo.solo.io/v1", "upstreams"),
    "UpstreamGroup": ("gloo.solo.io/v1", "upstreamgroups"),
}
WITHOUT_NAMESPACE = {"Namespace", "Node", "ClusterRole", "ClusterRoleBinding",
                     "CustomResourceDefinition"}


def programs():
    """The folder with the servers; built if it is not there."""
    p = subprocess.run([str(e2e.TOP / "tests/interop/kube/build")], stdin=subprocess.DEVNULL,
                       capture_output=True, text=True, timeout=1800)
    if p.returncode == 3:
        raise e2e.Skip(p.stderr.strip().splitlines()[-1])
    check(p.returncode == 0, "tests/interop/kube/build:\n" + p.stderr[-3000:])
    return pathlib.Path(p.stdout.strip().splitlines()[-1])


def path_of(kind, name=None, ns="default", sub=None):
    version, plural = KINDS[kind]
    path = ("/api/" if version == "v1" else "/apis/") + version
    if kind not in WITHOUT_NAMESPACE and ns is not None:
        path += f"/namespaces/{ns}"
    return "/".join([path, plural] + [p for p in (name, sub) if p])


class Refused(AssertionError, ValueError):
    """An answer that is none of 2xx. wait_until asks again."""

    def __init__(self, what, status, answer):
        super().__init__(f"{what}: {status} {json.dumps(answer)[:800]}")
        self.status, self.answer = status, answer


class Client:
    """Asks the API server with a token. A connection for each thread."""

    def __init__(self, cluster, token=ADMIN):
        self.cluster, self.token, self.mine = cluster, token, threading.local()

    def connect(self, timeout=30):
        c = http.client.HTTPSConnection("127.0.0.1", PORT, timeout=timeout * e2e.PATIENCE,
                                        context=self.cluster.trust)
        with e2e.Namespace(self.cluster.ns):
            c.connect()
        return c

    def headers(self, content_type=None):
        h = {"Authorization": "Bearer " + self.token, "Accept": "application/json"}
        return h if content_type is None else {**h, "Content-Type": content_type}

    def ask(self, method, path, body=None, content_type="application/json"):
        """(status, what it says); a kept connection that was closed is opened anew."""
        data = None if body is None else json.dumps(body)
        while True:
            kept = getattr(self.mine, "connection", None)
            c, self.mine.connection = kept or self.connect(), None
            try:
                c.request(method, path, data, self.headers(content_type if data else None))
                r = c.getresponse()
                text = r.read()
                self.mine.connection = c
                break
            except (OSError, http.client.HTTPException):
                c.close()
                if not kept:
                    raise
        try:
            return r.status, json.loads(text)
        except ValueError:
            return r.status, text.decode(errors="replace")

    def good(self, method, path, body=None, content_type="application/json"):
        """What it says. It is asked again for a moment where it has too much to do (429:
        nothing was done), and to read also where it is not ready (503: a write may have
        been done all the same)."""
        end = time.monotonic() + 5 * e2e.PATIENCE
        again = (429, 503) if method == "GET" else (429,)
        while True:
            status, answer = self.ask(method, path, body, content_type)
            if 200 <= status < 300:
                return answer
            if status not in again or time.monotonic() > end:
                raise Refused(f"{method} {path}", status, answer)
            threading.Event().wait(0.2)

    def get(self, kind, name, ns="default"):
        return self.good("GET", path_of(kind, name, ns))

    def list(self, kind, ns=None):
        return self.good("GET", path_of(kind, None, ns))["items"]

    def create(self, doc):
        ns = doc["metadata"].get("namespace", "default")
        return self.good("POST", path_of(doc["kind"], None, ns),
                         {"apiVersion": KINDS[doc["kind"]][0], **doc})

    def put(self, doc):
        """Makes it so, whether it was there or not."""
        meta = doc["metadata"]
        doc = {"apiVersion": KINDS[doc["kind"]][0], **doc}
        return self.good(
            "PATCH", path_of(doc["kind"], meta["name"], meta.get("namespace", "default"))
            + "?fieldManager=tests&force=true", doc, "application/apply-patch+yaml")

    def replace(self, doc):
        """Of what is there; cheaper than put."""
        meta = doc["metadata"]
        path = path_of(doc["kind"], meta["name"], meta.get("namespace", "default"))
        return self.good("PUT", path, {"apiVersion": KINDS[doc["kind"]][0], **doc})

    def patch(self, kind, name, change, ns="default", sub=None):
        return self.good("PATCH", path_of(kind, name, ns, sub), change,
                         "application/merge-patch+json")

    def delete(self, kind, name, ns="default", grace=None):
        body = None if grace is None else {"gracePeriodSeconds": grace}
        status, answer = self.ask("DELETE", path_of(kind, name, ns), body)
        if status not in (200, 202, 404):
            raise Refused(f"DELETE {kind} {name}", status, answer)

    def token_of(self, account, ns="gloo-system", seconds=600, secret=None):
        """A token that lives so long, or as long as the Secret that it is bound to."""
        bound = None
        if secret:
            uid = self.create({"kind": "Secret", "metadata": {"name": secret, "namespace": ns}})
            bound = {"kind": "Secret", "apiVersion": "v1", "name": secret,
                     "uid": uid["metadata"]["uid"]}
        answer = self.good("POST", path_of("ServiceAccount", account, ns, "token"), {
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds, "boundObjectRef": bound}})
        return answer["status"]["token"]


class Watch:
    """Lists, then watches; each event is told with the time when it came:
    told(type, object, seconds). After a break it lists anew: type "LIST", and the
    object is the list of all."""

    def __init__(self, cluster, kind, told, ns=None):
        self.cluster, self.client, self.told = cluster, Client(cluster), told
        self.path, self.ended, self.current = path_of(kind, None, ns), False, threading.Event()
        self.connection = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        wait_until("a watch of " + kind, self.current.is_set)

    def run(self):
        while not self.ended:
            try:
                all_of_them = self.client.good("GET", self.path)
                self.told("LIST", all_of_them["items"], time.monotonic())
                self.follow(all_of_them["metadata"]["resourceVersion"])
            except (OSError, http.client.HTTPException, Refused, ValueError):
                pass
            self.current.clear()
            threading.Event().wait(0.05)

    def follow(self, version):
        self.connection = c = self.client.connect(3600)
        try:
            c.request("GET", f"{self.path}?watch=1&timeoutSeconds=3600&resourceVersion={version}",
                      headers=self.client.headers())
            r = c.getresponse()
            check(r.status == 200, r.status)
            self.current.set()
            while line := r.readline():
                now = time.monotonic()
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                self.told(event["type"], event["object"], now)
        finally:
            c.close()

    def close(self):
        self.ended = True
        try:
            self.connection.sock.shutdown(2)
        except (OSError, AttributeError):
            pass


class Cluster(Client):
    """Its programs run in the namespace `ns`, whose address outside is `address`;
    whoever makes one has made both."""

    def __init__(self, ns, address, audit=False):
        self.bin = programs()
        super().__init__(self)
        self.ns, self.address, self.audits = ns, address, audit
        self.server = f"https://{address}:{PORT}"
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="ggtk"))
        self.running = {}
        e2e.undo.append(self.close)
        for name in ("etcd", "kcm"):
            (self.dir / name).mkdir(mode=0o700)
        self.keys()
        self.trust = ssl.create_default_context(cafile=str(self.dir / "ca.crt"))
        self.kubeconfig(self.dir / "admin", f"token: {ADMIN}", f"https://127.0.0.1:{PORT}")
        self.start_etcd()
        self.start_api()
        self.start_controllers()
        wait_until("the ServiceAccount `default`",
                   lambda: self.ask("GET", path_of("ServiceAccount", "default"))[0] == 200, 60)

    def keys(self):
        """One authority for the server and for clients that have a certificate."""
        def openssl(*argv):
            run("openssl", *argv, timeout=30)
        d = self.dir
        openssl("genrsa", "-out", d / "sa.key", "2048")
        openssl("rsa", "-in", d / "sa.key", "-pubout", "-out", d / "sa.pub")
        self.authority = certificates.Authority(d, "ca")
        self.authority.issue("server", "IP:127.0.0.1", f"IP:{self.address}", "DNS:localhost",
                             "DNS:kubernetes.default.svc", subject="/CN=kube-apiserver")
        (d / "tokens.csv").write_text(f'{ADMIN},admin,1,"system:masters"\n')
        (d / "audit.yaml").write_text(AUDIT)

    def certificate(self, name, subject):
        """Of a client."""
        self.authority.issue(name, subject=subject, usage="clientAuth")

    def kubeconfig(self, path, user, server=None):
        pathlib.Path(path).write_text(KUBECONFIG.format(
            server=server or self.server, authority=self.dir / "ca.crt", user=user))
        return path

    def start(self, name, *argv):
        # nsenter becomes the program: the process is the server itself.
        log = open(self.dir / (name + ".log"), "ab")
        p = subprocess.Popen(["nsenter", f"--net=/run/netns/{self.ns}", str(self.bin / name),
                              *(str(a) for a in argv)],
                             stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        self.running[name] = p

    def ends(self, name):
        """What it said, when it has ended."""
        p = self.running[name]
        if p.poll() is not None:
            text = (self.dir / (name + ".log")).read_text(errors="replace")
            raise AssertionError(f"{name} ended with {p.returncode}:\n{text[-3000:]}")

    def kill(self, name):
        p = self.running.pop(name, None)
        if p:
            p.kill()
            p.wait()

    def start_etcd(self):
        self.start("etcd", "--data-dir", self.dir / "etcd",
                   "--listen-client-urls", "http://127.0.0.1:2379",
                   "--advertise-client-urls", "http://127.0.0.1:2379",
                   "--listen-peer-urls", "http://127.0.0.1:2380",
                   "--initial-advertise-peer-urls", "http://127.0.0.1:2380",
                   "--initial-cluster", "default=http://127.0.0.1:2380", "--unsafe-no-fsync",
                   "--max-request-bytes", "8388608", "--log-level", "warn")

    def start_api(self):
        audit = ["--audit-policy-file", self.dir / "audit.yaml", "--audit-log-path",
                 self.dir / "audit.log"] if self.audits else []
        self.start("kube-apiserver", "--etcd-servers=http://127.0.0.1:2379",
                   "--etcd-compaction-interval=20s", "--bind-address=0.0.0.0",
                   f"--advertise-address={self.address}", f"--secure-port={PORT}",
                   f"--tls-cert-file={self.dir}/server.crt",
                   f"--tls-private-key-file={self.dir}/server.key",
                   f"--token-auth-file={self.dir}/tokens.csv",
                   f"--client-ca-file={self.dir}/ca.crt", "--authorization-mode=RBAC",
                   "--service-account-issuer=https://kubernetes.default.svc",
                   f"--service-account-signing-key-file={self.dir}/sa.key",
                   f"--service-account-key-file={self.dir}/sa.pub",
                   "--service-cluster-ip-range=10.96.0.0/16", "--endpoint-reconciler-type=none",
                   "--profiling=false", "--request-timeout=5s", *audit)

        def ready():
            self.ends("etcd")
            self.ends("kube-apiserver")
            return self.ask("GET", "/readyz") == (200, "ok")
        wait_until("the API server to be ready", ready, 180)

    def start_controllers(self):
        self.start("kube-controller-manager", f"--kubeconfig={self.dir}/admin",
                   "--bind-address=127.0.0.1", "--leader-elect=false",
                   f"--cert-dir={self.dir}/kcm", "--kube-api-qps=500", "--kube-api-burst=500",
                   f"--service-account-private-key-file={self.dir}/sa.key",
                   f"--root-ca-file={self.dir}/ca.crt", f"--controllers={CONTROLLERS}")

    def kill_api(self):
        """As a machine that fails: open watches break off."""
        self.kill("kube-apiserver")

    def kill_all(self):
        """The controllers, too, which otherwise come back when they like."""
        self.kill("kube-controller-manager")
        self.kill_api()

    def start_all(self):
        self.start_api()
        self.start_controllers()

    def kubectl(self, *argv, ok=(0,), stdin=None):
        return run(self.bin / "kubectl", "--kubeconfig", self.dir / "admin", *argv, ns=self.ns,
                   ok=ok, stdin=stdin, env={**os.environ, "HOME": str(self.dir)})

    def audit(self):
        """What others than the tests and controllers asked; watches twice, at
        their begin (stage ResponseStarted) and their end."""
        path = self.dir / "audit.log"
        lines = path.read_text().splitlines() if path.exists() else []
        found = []
        for line in lines:
            try:
                found.append(json.loads(line))
            except ValueError:
                pass  # the last one is being written
        return found

    def close(self):
        for name in ("kube-controller-manager", "kube-apiserver", "etcd"):
            self.kill(name)
        shutil.rmtree(self.dir, ignore_errors=True)
