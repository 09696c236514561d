"""TLS to upstreams, end to end: who is accepted and who is not, where it is
said, certificates of ours that are exchanged, health checks."""
import os
import pathlib
import shutil
import socket
import ssl
import sys
import tempfile

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import check, equal, wait_until


class Certificates:
    """An authority and what it issued, as files."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="ggtls"))
        os.chmod(self.dir, 0o755)
        self.make("authority", "keyUsage=keyCertSign")
        self.make("good", "subjectAltName=DNS:origin.test", "authority")
        self.make("wrong", "subjectAltName=DNS:other.test", "authority")
        self.make("old", "subjectAltName=DNS:origin.test", "authority", days=-1)
        self.make("self", "subjectAltName=DNS:origin.test")
        self.make("first", "extendedKeyUsage=clientAuth", "authority")
        self.make("second", "extendedKeyUsage=clientAuth", "authority")

    def path(self, name, end="crt"):
        return str(self.dir / f"{name}.{end}")

    def make(self, name, extension, issuer=None, days=2):
        e2e.run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes", "-subj", f"/CN={name}", "-keyout", self.path(name, "key"),
                "-out", self.path(name, "csr"))
        (self.dir / "extension").write_text(extension + "\n")
        by = (["-CA", self.path(issuer), "-CAkey", self.path(issuer, "key"), "-CAcreateserial"]
              if issuer else ["-signkey", self.path(name, "key")])
        e2e.run("openssl", "x509", "-req", "-in", self.path(name, "csr"), "-out",
                self.path(name), "-days", days, "-extfile", self.dir / "extension", *by)

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)


class Origin:
    """HTTP/1.1 over TLS: answers with the name of the client's certificate."""

    def __init__(self, ns, certificates, own):
        self.certificates, self.names, self.requests, self.shaken = certificates, [], 0, 0
        self.present(own)
        with e2e.Namespace(ns):
            self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.acceptor = e2e.Acceptor(self.listener, self.serve)

    def present(self, own, clients=False):
        """For the connections to come."""
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        c.load_cert_chain(self.certificates.path(own), self.certificates.path(own, "key"))
        c.sni_callback = lambda s, name, _: self.names.append(name)
        if clients:
            c.verify_mode = ssl.CERT_REQUIRED
            c.load_verify_locations(self.certificates.path("authority"))
        self.context = c

    def serve(self, s):
        try:
            with self.context.wrap_socket(s, server_side=True) as t:
                self.shaken += 1
                subject = dict(x[0] for x in (t.getpeercert() or {}).get("subject", ()))
                body = subject.get("commonName", "nobody").encode()
                for line in t.makefile("rb"):
                    if line.strip() == b"":
                        self.requests += 1
                        t.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"
                                  % (len(body), body))
        except OSError:
            s.close()

    def close(self):
        self.acceptor.close()


class World:
    def __init__(self):
        self.lab = e2e.Lab()
        self.certificates = Certificates()
        self.origin = Origin(self.lab.gw, self.certificates, "good")
        self.gateway = e2e.Gateway(self.lab).start()

    def upstream(self, name, config=None, ok=200, **more):
        tls = {"sni": "origin.test"}
        tls.update(config or {"sslFiles": {"rootCa": self.certificates.path("authority")}})
        spec = {"metadata": {"name": name, "namespace": "gloo-system"},
                "upstreamSpec": {"static": {"hosts": [
                    {"addr": "127.0.0.1", "port": self.origin.port}]}}, "sslConfig": tls}
        spec.update(more)
        status, text = self.gateway.api("PUT", f"/v1/upstreams/gloo-system/{name}", spec)
        equal(status, ok, text)

    def reason(self, name):
        return self.gateway.get(f"/v1/upstreams/gloo-system/{name}")["status"].get("reason", "")

    def state(self, name):
        return self.gateway.get(f"/v1/upstreams/gloo-system/{name}")["status"]["state"]

    def endpoint(self, name):
        item = self.gateway.get(f"/v1/endpoints?namespace=gloo-system&name={name}")["items"][0]
        return item["endpoints"][0]

    def materials(self):
        return tuple(self.gateway.metric("gloo_gateway_tls_materials" + of) for of in ("", "_sent"))

    def ask(self, path):
        return e2e.request(self.lab.out, self.lab.address, 8080, "GET", path)


def setup():
    w = World()
    w.upstream("tls")
    w.gateway.route("/good", "tls")
    return w


def teardown(w):
    try:
        w.gateway.close()
    finally:
        w.origin.close()
        w.certificates.close()
        w.lab.close()


def test_good(w):
    """a server with the right certificate is asked, over connections that are kept"""
    shaken = w.origin.shaken
    for _ in range(5):
        status, _, body = w.ask("/good")
        equal((status, body), (200, b"nobody"))
    check(w.origin.shaken - shaken <= 2, w.origin.shaken)  # two workers
    equal(set(w.origin.names), {"origin.test"})
    equal(w.state("tls"), "Accepted")


def test_bad(w):
    """a certificate that is old, of nobody or of another: 503, and it is said why"""
    for own, why in (("old", "its certificate (CN=old) has expired"),
                     ("self", "its certificate (CN=self) is self-signed"),
                     ("wrong", "its certificate is for other.test, not for origin.test")):
        w.origin.present(own)
        # Another upstream: no connection of before, no session.
        name = f"bad-{own}"
        w.upstream(name)
        w.gateway.route(f"/{own}", name)
        before = w.origin.requests
        status, _, body = w.ask(f"/{own}")
        equal(status, 503)
        check(b"TLS with it failed" in body and b"certificate" not in body, body)
        equal(w.origin.requests, before)
        line = wait_until("the access log", lambda: [
            l for l in w.gateway.access_lines() if l["upstream"] == f"gloo-system.{name}"])[-1]
        equal(line["reason"], "upstream_tls")
        check(line["detail"].startswith(why), line)
        wait_until("the Warning", lambda: why in w.reason(name))
        equal(w.state(name), "Warning")
        check(w.endpoint(name)["problem"].startswith(why), w.endpoint(name))
        labels = {"upstream": f"gloo-system.{name}"}
        equal(w.gateway.metric("gloo_gateway_upstream_tls_failures", **labels), 1)
        equal(w.gateway.metric("gloo_gateway_upstream_endpoints_tls_failing", **labels), 1)
        shown = w.gateway.glooctl("get", "upstream", name, "-o", "wide", ok=None).stdout
        check("TLS: its certificate" in shown, shown)
        said = w.gateway.glooctl("get", "upstream", name).stderr
        check(said.startswith("warning: TLS with ") and why in said, said)
        p = w.gateway.glooctl("check", ok=(2,))
        check(f"upstreams: warning: gloo-system.{name}: TLS with " in p.stdout, p.stdout)
    check(w.gateway.log_text().count("has expired") == 1, w.gateway.log_text())
    # It is mended: the next handshake says so, whichever worker makes it.
    w.origin.present("good")
    for name in ("old", "self", "wrong"):
        equal(w.ask(f"/{name}")[0], 200)
        wait_until("no Warning", lambda: w.state(f"bad-{name}") == "Accepted")
        check("problem" not in w.endpoint(f"bad-{name}"), w.endpoint(f"bad-{name}"))


def test_own_certificate(w):
    """our certificate of a Secret is shown, and exchanged without a restart"""
    c = w.certificates
    w.origin.present("good", clients=True)
    known, sent = w.materials()
    create = ["create", "secret", "tls", "--rootca", c.path("authority"), "--name", "ours"]
    w.gateway.glooctl(*create, "--certchain", c.path("first"), "--privatekey",
                      c.path("first", "key"))
    w.upstream("mutual", {"secretRef": {"name": "ours", "namespace": "gloo-system"}})
    equal(w.materials(), (known + 1, sent))  # no route leads there
    w.gateway.route("/mutual", "mutual")
    equal(w.ask("/mutual")[2], b"first")
    equal(w.materials(), (known + 1, sent + 1))
    pid = w.gateway.proxy_pid()
    secret = {"metadata": {"name": "ours", "namespace": "gloo-system"}, "tls": {
        "certChain": open(c.path("second")).read(), "rootCa": open(c.path("authority")).read(),
        "privateKey": open(c.path("second", "key")).read()}}
    status, text = w.gateway.api("PUT", "/v1/secrets/gloo-system/ours", secret)
    equal(status, 200, text)
    wait_until("the second", lambda: w.ask("/mutual")[2] == b"second")
    equal(w.gateway.proxy_pid(), pid)
    wait_until("the first forgotten", lambda: w.materials() == (known + 1, sent + 1))
    # Who comes with none is refused.
    w.upstream("bare")
    w.gateway.route("/bare", "bare")
    equal(w.ask("/bare")[0], 503)
    wait_until("the Warning", lambda: "it refused with the alert" in w.reason("bare"))
    w.origin.present("good")
    # Nothing of it is in what the gateway writes.
    for name in ("first", "second"):
        key = open(c.path(name, "key")).read().splitlines()[1]
        for path in (w.gateway.log_path, w.gateway.access):
            check(key not in path.read_text(), path)


def test_health(w):
    """health checks speak TLS, and say why not"""
    checks = [{"timeout": "1s", "interval": "100ms", "healthyThreshold": 1,
               "unhealthyThreshold": 1, "reuseConnection": False,
               "httpHealthCheck": {"path": "/"}}]
    w.origin.present("wrong")
    w.upstream("checked", healthChecks=checks)
    wait_until("down", lambda: w.endpoint("checked")["health"] == "down")
    check(w.endpoint("checked")["why"].startswith("TLS: its certificate is for other.test"),
          w.endpoint("checked"))
    w.origin.present("good")
    wait_until("up", lambda: w.endpoint("checked")["health"] == "up")


def test_proxy_starts_anew(w):
    """another proxy is given the certificates too"""
    w.origin.present("good")
    pid, materials = w.gateway.proxy_pid(), w.materials()
    check(materials[1] > 0, materials)
    os.kill(pid, 9)
    wait_until("another proxy", lambda: w.gateway.proxy_pid() not in (0, pid))
    w.gateway.wait_ready()
    equal(w.ask("/good")[0], 200)
    equal(w.materials(), materials)


e2e.main(globals())
