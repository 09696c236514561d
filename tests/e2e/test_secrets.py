"""Secrets: made, listed, named by upstreams, rotated, taken away; what is in them
reaches the proxy only where a route leads, and nobody's eyes at all."""
import base64
import glob
import json
import os
import re
import signal
import ssl
import sys

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import equal, check, run
from kube_watch import WatchServer

AWS_SECRET = "wJalrXUtnFEMIbPxRfiCYzzNeverShown"
AZURE_KEY = "azure-key-that-nobody-sees"


class Pki:
    """A CA, a server's certificate and as many clients' as are asked for."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.self_signed("ca", "/CN=Test CA", "basicConstraints=critical,CA:TRUE")
        self.issue("server", "/CN=backend.test", "subjectAltName=DNS:backend.test,IP:127.0.0.1")

    def path(self, name):
        return str(self.folder / name)

    def text(self, name):
        return (self.folder / name).read_text()

    def self_signed(self, name, subject, extension, days=30):
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.path(name + ".key"),
            "-out", self.path(name + ".pem"), "-days", days, "-subj", subject,
            "-addext", extension)

    def issue(self, name, subject, extension="basicConstraints=CA:FALSE"):
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-keyout", self.path(name + ".key"), "-out", self.path(name + ".csr"),
            "-subj", subject)
        (self.folder / (name + ".ext")).write_text(extension + "\n")
        run("openssl", "x509", "-req", "-in", self.path(name + ".csr"), "-CA",
            self.path("ca.pem"), "-CAkey", self.path("ca.key"), "-CAcreateserial",
            "-days", "30", "-extfile", self.path(name + ".ext"), "-out",
            self.path(name + ".pem"))

    def fingerprint(self, name):
        return run("openssl", "x509", "-in", self.path(name), "-noout", "-fingerprint",
                   "-sha256").stdout.strip().split("=")[1]

    def expired(self, name):
        """Of yesterday: openssl ca is the one command that takes both ends."""
        folder = self.folder / (name + ".ca")
        folder.mkdir()
        (folder / "index.txt").write_text("")
        (folder / "serial").write_text("77\n")
        (folder / "ca.cnf").write_text(
            "[ca]\ndefault_ca=d\n[d]\ndatabase=%s/index.txt\nserial=%s/serial\n"
            "new_certs_dir=%s\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n"
            % (folder, folder, folder))
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-keyout", self.path(name + ".key"), "-out", self.path(name + ".csr"),
            "-subj", "/CN=" + name)
        run("openssl", "ca", "-batch", "-notext", "-config", str(folder / "ca.cnf"), "-cert",
            self.path("ca.pem"), "-keyfile", self.path("ca.key"), "-in",
            self.path(name + ".csr"), "-out", self.path(name + ".pem"), "-startdate",
            "20200101000000Z", "-enddate", "20200201000000Z")


class TlsOrigin(e2e.Origin):
    """Asks for a client's certificate; remembers whose came."""

    def __init__(self, ns, pki):
        self.clients = []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pki.path("server.pem"), pki.path("server.key"))
        self.context.load_verify_locations(pki.path("ca.pem"))
        self.context.verify_mode = ssl.CERT_OPTIONAL
        super().__init__(ns)

    def serve(self, c):
        try:
            c["socket"] = self.context.wrap_socket(c["socket"], server_side=True)
            subject = c["socket"].getpeercert() or {}
            self.clients.append(dict(x[0] for x in subject.get("subject", ())).get("commonName"))
        except (OSError, ssl.SSLError):
            c["socket"].close()
            return
        super().serve(c)


class Secrets:
    def __init__(self):
        self.lab = e2e.Lab()
        self.gateway = e2e.Gateway(self.lab, settings="logLevel: debug\n"
                                   "tls: { roots: roots.pem }\n")
        self.pki = Pki(self.gateway.dir / "pki")
        for name in ("one", "two", "three"):
            self.pki.issue(name, "/CN=" + name)
        (self.gateway.dir / "roots.pem").write_text(self.pki.text("ca.pem"))
        self.origin = TlsOrigin(self.lab.gw, self.pki)
        self.gateway.start()
        self.said = []  # all that commands printed

    def glooctl(self, *argv, ok=(0,), stdin=None, env=None):
        p = run(e2e.GLOOCTL, "--socket", self.gateway.socket, *argv, ok=ok, stdin=stdin, env=env)
        self.said.append(p.stdout + p.stderr)
        return p

    def upstream(self, name, ssl_config, ok=("Accepted",)):
        status, text = self.gateway.api("PUT", f"/v1/upstreams/gloo-system/{name}", {
            "metadata": {"name": name, "namespace": "gloo-system"},
            "sslConfig": ssl_config,
            "upstreamSpec": {"static": {"hosts": [
                {"addr": "127.0.0.1", "port": self.origin.port}]}}})
        self.said.append(text)
        equal(status, 200, text)
        verdict = json.loads(text)
        check(verdict["state"] in ok, text)
        return verdict

    def ask(self, path):
        return e2e.request(self.lab.out, self.lab.address, 8080, path=path)

    def secret(self, name):
        text = self.gateway.api("GET", f"/v1/secrets/gloo-system/{name}")[1]
        self.said.append(text)
        return json.loads(text)


def setup():
    return Secrets()


def teardown(c):
    try:
        c.gateway.close()
    finally:
        c.origin.close()
        c.lab.close()


def mode(path):
    return os.stat(path).st_mode & 0o7777


def test_create(c):
    """a TLS secret is created from files, stored with mode 0600 and listed"""
    p = c.glooctl("create", "secret", "tls", "client", "--rootca", c.pki.path("ca.pem"),
                  "--certchain", c.pki.path("one.pem"), "--privatekey", c.pki.path("one.key"))
    check("| client | TLS  | Accepted |" in p.stdout, p.stdout)
    path = c.gateway.dir / "secrets" / "gloo-system" / "client.yaml"
    equal(mode(path), 0o600)
    equal(mode(path.parent), 0o700)
    equal(mode(path.parent.parent), 0o700)
    check(c.pki.text("one.key").splitlines()[1] in path.read_text(), "the file has no key")
    wide = c.glooctl("get", "secrets", "-o", "wide").stdout
    check(c.pki.fingerprint("one.pem") in wide, wide)
    check("CN=one" in wide, wide)
    check(re.search(r"\(29 d\)|\(30 d\)", wide), wide)
    p = c.glooctl("create", "secret", "tls", "client", "--rootca", c.pki.path("ca.pem"), ok=(1,))
    check("already" in p.stderr, p.stderr)


def test_others(c):
    """keys of AWS and Azure come by flags, by questions, from the AWS tools' file"""
    c.glooctl("create", "secret", "aws", "--name", "aws", "--access-key", "AKIDEXAMPLE",
              "--secret-key", AWS_SECRET, "--session-token", AWS_SECRET + "T")
    p = c.glooctl("create", "secret", "azure", "-i",
                  stdin=f"\nazure\n_master={AZURE_KEY}\nhello={AZURE_KEY}2\n\n")
    check("Add an API key" in p.stderr, p.stderr)
    file = c.gateway.dir / "credentials"
    file.write_text("[other]\naws_access_key_id = no\n[default]\naws_access_key_id=AKID\n"
                    f"aws_secret_access_key = {AWS_SECRET}\n")
    env = dict(os.environ, AWS_SHARED_CREDENTIALS_FILE=str(file))
    env.pop("AWS_PROFILE", None)
    c.glooctl("create", "secret", "aws", "from-file", env=env)
    file.unlink()
    stored = (c.gateway.dir / "secrets" / "gloo-system" / "from-file.yaml").read_text()
    check(AWS_SECRET in stored and "AKID" in stored, stored)
    names = c.glooctl("get", "secret", "-o", "name").stdout.split()
    equal(names, ["aws", "azure", "client", "from-file"])


def test_rejected(c):
    """a key that is not the certificate's is Rejected, an expired one a Warning"""
    p = c.glooctl("create", "secret", "tls", "bad", "--certchain", c.pki.path("one.pem"),
                  "--privatekey", c.pki.path("two.key"), ok=(3,))
    check("privateKey" in p.stderr, p.stderr)
    check(not (c.gateway.dir / "secrets" / "gloo-system" / "bad.yaml").exists(), "it is stored")
    p = c.glooctl("create", "secret", "tls", "bad", "--rootca", c.pki.path("one.key"), ok=(3,))
    check("rootCa" in p.stderr, p.stderr)
    c.pki.expired("old")
    p = c.glooctl("create", "secret", "tls", "old", "--certchain", c.pki.path("old.pem"),
                  "--privatekey", c.pki.path("old.key"), ok=(2,))
    check("expired at 2020-02-01" in p.stderr, p.stderr)
    check("(expired)" in p.stdout, p.stdout)
    c.glooctl("delete", "secret", "old")


def test_missing(c):
    """an upstream whose secret is missing is a Warning, its routes answer 503"""
    verdict = c.upstream("backend", {"secretRef": {"name": "later"}, "sni": "backend.test"},
                         ok=("Warning",))
    check('no secret is named "gloo-system.later"' in verdict["reason"], verdict)
    p = c.gateway.route("/", "backend", ok=(2,))
    check("gloo-system.later" in p.stderr, p.stderr)
    equal(c.ask("/")[0], 503)
    equal(c.origin.connections, [], "somebody connected")


def signed_part(pem):
    """Of a certificate, as OpenSSL keeps it in one piece."""
    return ssl.PEM_cert_to_DER_cert(pem)[4:204]


def test_used(c):
    """with its secret it is spoken to; the proxy has what a route needs and no more"""
    der = signed_part(c.pki.text("two.pem"))
    c.glooctl("create", "secret", "tls", "unused", "--certchain", c.pki.path("two.pem"),
              "--privatekey", c.pki.path("two.key"))
    c.upstream("idle", {"secretRef": {"name": "unused"}})
    check(not e2e.memory_has(c.gateway.proxy_pid(), der), "the proxy has what no route needs")
    c.glooctl("create", "secret", "tls", "later", "--rootca", c.pki.path("ca.pem"),
              "--certchain", c.pki.path("one.pem"), "--privatekey", c.pki.path("one.key"))
    equal(c.ask("/")[0], 200)
    equal(c.origin.clients[-1], "one")
    check(e2e.memory_has(c.gateway.proxy_pid(), signed_part(c.pki.text("one.pem"))),
          "what a route needs is not there")
    check(not e2e.memory_has(c.gateway.proxy_pid(), der), "the proxy has what no route needs")
    equal(c.secret("later")["status"]["secret"]["usedBy"], ["gloo-system.backend"])
    table = c.glooctl("get", "secret", "later").stdout
    check("gloo-system.backend" in table, table)


def built(c):
    """The generation in which the routes were built."""
    return [o["generation"] for o in c.gateway.get("/v1/status")["objects"]
            if o["name"] == "default"][0]


def test_rotated(c):
    """new bytes are used by new connections, the same proxy runs, old ones go on"""
    pid, generation = c.gateway.proxy_pid(), c.gateway.get("/v1/status")["generation"]
    created = c.secret("later")["status"]["secret"]["created"]
    before = built(c)
    c.glooctl("create", "secret", "tls", "later", "--replace", "--rootca", c.pki.path("ca.pem"),
              "--certchain", c.pki.path("three.pem"), "--privatekey", c.pki.path("three.key"))

    def seen():
        equal(c.ask("/")[0], 200)
        return c.origin.clients[-1] == "three"
    e2e.wait_until("the new certificate to be used", seen)
    equal(c.gateway.proxy_pid(), pid)
    equal(built(c), before, "the routes were built again")
    check(c.gateway.get("/v1/status")["generation"] > generation, "no generation was made")
    shown = c.secret("later")["status"]["secret"]
    equal(shown["fingerprint"], c.pki.fingerprint("three.pem"))
    equal(shown["created"], created)


def test_by_hand(c):
    """a file that is edited is taken over; of a broken one nothing is repeated"""
    path = c.gateway.dir / "secrets" / "gloo-system" / "later.yaml"
    text = path.read_text()
    path.write_text(text[:len(text) // 2] + "\n  {NeverShownEither: *x\n")

    def rejected():
        return c.secret("later")["status"]["state"] == "Rejected"
    e2e.wait_until("the file to be rejected", rejected)
    check("NeverShownEither" not in json.dumps(c.secret("later")), "it is repeated")
    equal(c.ask("/")[0], 200)
    c.gateway.stop()
    c.gateway.start()
    equal(c.ask("/")[0], 200, "the last good version does not serve after a restart")
    path.write_text("metadata: {name: later, namespace: gloo-system}\ntls:\n  rootCa: |\n"
                    + "".join("    " + l + "\n" for l in c.pki.text("ca.pem").splitlines()))
    e2e.wait_until("the file to be taken over",
                   lambda: c.secret("later")["status"]["state"] == "Accepted")

    def seen():
        equal(c.ask("/")[0], 200)
        return c.origin.clients[-1] is None
    e2e.wait_until("no certificate to be shown", seen)


def test_proxy_dies(c):
    """a new proxy is given everything again, and so is one that control adopts"""
    pid = c.gateway.proxy_pid()
    os.kill(pid, signal.SIGKILL)
    e2e.wait_until("another proxy", lambda: c.gateway.proxy_pid() not in (0, pid))
    e2e.wait_until("it to serve", lambda: c.ask("/")[0] == 200)
    pid = c.gateway.proxy_pid()
    c.gateway.process.kill()
    c.gateway.process.wait()
    equal(c.ask("/")[0], 200)
    c.gateway.start()
    equal(c.gateway.proxy_pid(), pid, "the proxy was not adopted")
    c.glooctl("create", "secret", "tls", "later", "--replace", "--rootca", c.pki.path("ca.pem"),
              "--certchain", c.pki.path("one.pem"), "--privatekey", c.pki.path("one.key"))

    def seen():
        equal(c.ask("/")[0], 200)
        return c.origin.clients[-1] == "one"
    e2e.wait_until("the certificate to be used", seen)


def test_files_and_roots(c):
    """sslFiles and the system's roots: what is missing is said, what changes is seen"""
    ca = c.gateway.dir / "files-ca.pem"
    verdict = c.upstream("backend", {"sslFiles": {"rootCa": str(ca)}, "sni": "backend.test"},
                         ok=("Warning",))
    check(str(ca) in verdict["reason"], verdict)
    equal(c.ask("/")[0], 503)
    ca.write_text(c.pki.text("ca.pem"))
    e2e.wait_until("the file to be seen", lambda: c.ask("/")[0] == 200)
    ca.write_text(c.pki.text("one.pem"))
    e2e.wait_until("another CA not to be trusted", lambda: c.ask("/")[0] == 503)
    c.upstream("backend", {"sni": "backend.test"}, ok=("Accepted", "Warning"))
    equal(c.ask("/")[0], 200, "the system's roots are not used")
    # What failed before is known until the worker that saw it succeeds.
    c.glooctl("edit", "upstream", "backend", "--ssl-secret-name", "later", ok=(0, 2))
    equal(c.gateway.get("/v1/upstreams/gloo-system/backend")["sslConfig"],
          {"secretRef": {"name": "later", "namespace": "gloo-system"}, "sni": "backend.test"})
    equal(c.ask("/")[0], 200)


def test_deleted(c):
    """a used secret is deleted with a Warning; nothing is spoken plainly then"""
    p = c.glooctl("delete", "secret", "later", ok=(2,))
    check("it is still named by gloo-system.backend" in p.stderr, p.stderr)
    equal(c.ask("/")[0], 503)
    check(not glob.glob(f"{c.gateway.dir}/state/good/secrets/*/later.json"), "state keeps it")
    c.glooctl("create", "secret", "tls", "later", "--rootca", c.pki.path("ca.pem"),
              "--certchain", c.pki.path("one.pem"), "--privatekey", c.pki.path("one.key"))
    equal(c.ask("/")[0], 200)


def test_never_shown(c):
    """no value stands in an answer, log, dump, argument, environment or open file"""
    for form in ("table", "wide", "yaml", "json", "kube-yaml", "name"):
        c.glooctl("get", "secrets", "-o", form)
        c.glooctl("get", "upstreams", "-o", form)
    for command in (("gateway", "dump"), ("gateway", "stats"), ("gateway", "logs"), ("check",),
                    ("get", "proxy", "-o", "yaml")):
        c.glooctl(*command, ok=(0, 1, 2))
    c.glooctl("create", "secret", "aws", "aws", "--replace", "--dry-run", "--access-key", "A",
              "--secret-key", AWS_SECRET, "-o", "yaml")
    for path in ("/v1/status", "/v1/check", "/v1/secrets", "/metrics", "/v1/endpoints"):
        c.said.append(c.gateway.api("GET", path)[1])
    status, text = c.gateway.api("PUT", "/v1/secrets/gloo-system/x",
                                 '{"aws": {"secretKey": "' + AWS_SECRET + '" "x"}}')
    c.said.append(text)
    equal(status, 400, text)
    said = "\n".join(c.said) + c.gateway.log_text()
    hidden = [AWS_SECRET, AZURE_KEY, "NeverShownEither"]
    for name in ("one", "two", "three"):
        hidden += c.pki.text(name + ".key").splitlines()[1:-1]
    for pid in (c.gateway.process.pid, c.gateway.proxy_pid()):
        for file in ("cmdline", "environ"):
            said += open(f"/proc/{pid}/{file}", "rb").read().decode(errors="replace")
    for value in hidden:
        check(value not in said, f"a value is shown: ...{said[max(0, said.find(value) - 80):][:160]}")
    for path, text in e2e.files_of(c.gateway.dir):
        if path.is_relative_to(c.gateway.dir / "pki"):
            continue
        if any(value.encode() in text for value in hidden):
            check("/secrets/" in str(path), f"{path} has a value")
            equal(mode(path), 0o600, path)
            equal(mode(path.parent), 0o700, path.parent)


def test_cluster(c):
    """a Secret of a cluster that an Upstream names is used, rotated, kept in memory"""
    gateway, pki = e2e.Gateway(c.lab), c.pki

    def secret(name):
        return {"metadata": {"name": "tls", "namespace": "prod"}, "type": "kubernetes.io/tls",
                "data": {key: base64.b64encode(pki.text(file).encode()).decode()
                         for key, file in (("tls.crt", name + ".pem"), ("tls.key", name + ".key"),
                                           ("ca.crt", "ca.pem"))}}

    def problems():
        return [w for a in gateway.get("/v1/check")["areas"] for w in a["warnings"]]
    c.gateway.stop()
    try:
        api = WatchServer(gateway.dir, c.lab.gw)
        gateway.write_settings("logLevel: debug\nkubernetes: { kubeconfig: kubeconfig }\n")
        gateway.start()
        api.put("secrets", secret("one"), {
            "metadata": {"name": "other", "namespace": "prod"}, "data": {"x": "bm8="}})
        api.put("upstreams", {
            "metadata": {"name": "backend", "namespace": "gloo-system", "generation": 1},
            "spec": {"static": {"hosts": [{"addr": "127.0.0.1", "port": c.origin.port}]},
                     "sslConfig": {"secretRef": {"name": "tls", "namespace": "prod"},
                                   "sni": "backend.test"}}})
        e2e.wait_until("the right to be missed", lambda: any(
            "--resource-name=tls" in w for w in problems()))
        gateway.route("/", "backend", ok=(2,))
        equal(c.ask("/")[0], 503)
        api.granted.add(("prod", "tls"))
        e2e.wait_until("the secret to be read", lambda: c.ask("/")[0] == 200, 90)
        equal(c.origin.clients[-1], "one")
        equal([s["metadata"]["name"] for s in gateway.get("/v1/secrets")["items"]], ["tls"])
        api.put("secrets", secret("two"))

        def seen():
            equal(c.ask("/")[0], 200)
            return c.origin.clients[-1] == "two"
        e2e.wait_until("the new certificate to be used", seen)
        status = gateway.get("/v1/secrets/prod/tls")["status"]
        equal(status["origin"], "Kubernetes")
        equal(status["secret"]["usedBy"], ["gloo-system.backend"])
        line = pki.text("two.key").splitlines()[1]
        hidden = [line, base64.b64encode(pki.text("two.key").encode()).decode()[:60]]
        for path, text in e2e.files_of(gateway.dir):
            check(not any(h.encode() in text for h in hidden), f"{path} has a value")
        # Control alone ends while the API server is away: the proxy goes on with
        # what it has until that can be asked again.
        api.stop()
        gateway.process.kill()
        gateway.process.wait()
        gateway.start()
        for _ in range(20):
            equal(c.ask("/")[0], 200)
        status = gateway.get("/v1/upstreams/gloo-system/backend")["status"]
        equal(status["state"], "Warning")
        check("secret" in status["reason"], status)
        equal(gateway.get("/v1/secrets")["items"], [])
        api.start()
        e2e.wait_until("the secret to be read again", lambda: gateway.get(
            "/v1/secrets")["items"], 90)
        for _ in range(20):
            equal(c.ask("/")[0], 200)
        equal(c.origin.clients[-1], "two")
        api.delete("secrets", "tls", "prod")
        e2e.wait_until("it to be gone", lambda: c.ask("/")[0] == 503)
    finally:
        gateway.close()
        c.gateway.start()


if __name__ == "__main__":
    e2e.main(globals())
