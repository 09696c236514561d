"""Against moto, which others wrote: calls whose signatures and rights it enforces, roles
that its STS issues keys of, its list of functions. It is no judge of GETs and of empty
bodies (it refuses good signatures of those), so lists are asked for without enforcement,
and of the rest tests/lib/aws_signature.py is the judge."""
import hashlib
import http.client
import json
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from aws_signature import Keys
from e2e import equal, wait_until
from http_fake import Front
from lambda_bed import REGION, Bed

HERE = pathlib.Path(__file__).resolve().parent / "moto"
CACHE = pathlib.Path(os.environ.get("GG_CACHE", "/var/cache/gloo-gateway-tests"))
PORT = 15000
REASON = "x-gloo-gateway-reason"
ACCOUNT = "123456789012"


def installed():
    """moto's own python, with what requirements.txt says."""
    text = (HERE / "requirements.txt").read_bytes()
    folder = CACHE / ("moto-" + hashlib.sha256(text).hexdigest()[:16])
    python = folder / "bin/python"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        for argv in (["/usr/bin/python3", "-m", "venv", str(folder)],
                     [str(folder / "bin/pip"), "install", "-q", "--no-deps", "-r",
                      str(HERE / "requirements.txt")]):
            p = subprocess.run(argv, capture_output=True, text=True, timeout=300)
            if p.returncode != 0:
                raise e2e.Skip(f"moto: {' '.join(argv[:3])}: "
                               + (p.stderr.strip() or p.stdout.strip() or "failed")
                               .splitlines()[-1])
        (folder / "complete").touch()
    return python


class Drill(Bed):
    def __init__(self):
        python = installed()
        super().__init__(secret=False, gateway=False)
        self.log = open(self.folder / "moto.log", "wb")
        self.moto = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self.gw}", str(python), "-m", "moto.server", "-H",
             "127.0.0.1", "-p", str(PORT)], stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=self.log, cwd=self.folder)
        e2e.undo.append(self.moto.kill)
        wait_until("moto", lambda: self.ask_moto("GET", "/moto-api/")[0] == 200, 60)
        equal(self.ask_moto("POST", "/moto-api/config",
                            '{"lambda": {"use_docker": false}}')[0], 201)
        p = e2e.run(python, HERE / "prepare.py", f"http://127.0.0.1:{PORT}", REGION, ns=self.gw)
        said = json.loads(p.stdout)
        self.role = said["role"]
        self.users = {n: Keys(u["access"], u["secret"]) for n, u in said["users"].items()}
        self.front = self.add(Front(self.gw, self.certificate, PORT))
        self.settings = f"aws: {{ stsEndpointUrl: \"{self.front.url}\" }}\n"
        self.begin()
        self.secret = True
        for name, keys in self.users.items():
            self.put_secret(name, keys)

    def ask_moto(self, method, path, body=None):
        with e2e.Namespace(self.gw):
            c = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30 * e2e.PATIENCE)
            c.connect()
        c.request(method, path, body, {"Content-Type": "text/plain"})
        r = c.getresponse()
        text = r.read()
        c.close()
        return r.status, text

    def enforce(self, on=True):
        equal(self.ask_moto("POST", "/moto-api/reset-auth", "0" if on else "inf")[0], 200)

    def caller(self, name="caller", **more):
        return self.upstream(name, url=self.front.url, secret=name, **more)

    def close(self):
        try:
            super().close()
        finally:
            self.moto.terminate()
            self.moto.wait()
            self.log.close()


def setup():
    return Drill()


def teardown(d):
    try:
        said = d.shown()
        equal([n for n, k in d.users.items() if k.secret in said], [], "a secret is shown")
    finally:
        d.close()


def test_calls(d):
    """name, version and ARN are called, and moto accepts each signature"""
    d.caller()
    d.upstream("account", url=d.front.url, secret="caller", awsAccountId=ACCOUNT)
    d.routes(d.way("/name", "hello-world", "caller"), d.way("/version", "hello-world:1", "caller"),
             d.way("/arn", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:hello-world", "caller"),
             d.way("/account", "hello-world", "account"),
             d.way("/async", "hello-world", "caller", invocationStyle="ASYNC"),
             d.way("/event", "hello-world", "caller", wrapAsApiGateway=True))
    d.enforce()
    for path in ("/name", "/version", "/arn", "/account", "/event"):
        d.ready(path)
        d.answers(path, 200, b'{"a": 1}')
    d.answers("/async", 202, b"{}")


def test_refused(d):
    """moto refuses a wrong key, an unknown one and one without rights: never 200 or 403"""
    right = d.users["caller"]
    # It says why in XML, as Lambda does not: which of both it is cannot be told.
    for name, keys in (("wrong", Keys(right.access, right.secret[:-1] + "x")),
                       ("unknown", Keys("AKIAUNKNOWN000000001", right.secret)),
                       ("nobody", d.users["nobody"])):
        d.put_secret(name, keys)
        d.caller(name)
        d.routes(d.way("/" + name, "hello-world", name), d.way("/name", "hello-world", "caller"))
        fields, _ = d.answers("/" + name, 502, b"{}")
        equal(fields[REASON], "function_forbidden", name)
        d.answers("/name", 200, b"{}")


def test_role(d):
    """a role is assumed at moto's STS by keys of a profile; its keys call the function"""
    d.enforce(False)
    d.secret = False
    right = d.users["caller"]
    folder = d.folder / ".aws"
    folder.mkdir()
    (folder / "credentials").write_text(f"[default]\naws_access_key_id = {right.access}\n"
                                        f"aws_secret_access_key = {right.secret}\n")
    d.upstream("role", url=d.front.url, secret=None, roleArn=d.role)
    d.routes(d.way("/role", "hello-world", "role"))
    d.ready("/role")
    d.enforce()
    d.answers("/role", 200, b"{}")
    (folder / "credentials").unlink()
    d.secret = True
    return d.gateway.item("role")["credentials"]["source"]


def test_list(d):
    """moto's list of functions and versions is read"""
    d.enforce(False)
    d.caller(discover=True)
    wait_until("the functions", lambda: {"hello-world", "hello-world:1", "other"} <= set(
        d.gateway.item("caller").get("functions", [])), 20)


if __name__ == "__main__":
    e2e.main(globals())
