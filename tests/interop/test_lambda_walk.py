"""The walk of the post that started it, where its author had to stop: the route to a
Lambda function. Its commands as they were printed, in its region, with nothing said of
where Lambda is: the name lambda.us-east-2.amazonaws.com leads to real Node functions
behind serverless-offline, and before them a judge of signatures (botocore)."""
import http.client
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import aws_signature
import e2e
import node_packages
from aws_signature import Accounts, Denied, Verifier
from certificates import Authority
from discovering import Gateway
from e2e import check, equal, run, wait_until
from http_fake import Service
from name_servers import Dnsmasq

HERE = pathlib.Path(__file__).resolve().parent / "serverless"
HOST, REGION = "lambda.us-east-2.amazonaws.com", "us-east-2"
ACCESS, SECRET = "AKIAWALK000000000001", "walk/NEVER+SHOWN/0123456789abcdefghij"
INVOKE_PORT = 3002

SECRET_PROMPTS = """\
? Please choose a namespace
? name of secret
? Enter AWS Access Key ID (leave empty to read credentials from ~/.aws/credentials):
? Enter AWS Secret Key (leave empty to read credentials from ~/.aws/credentials):
"""
UPSTREAM_PROMPTS = """\
? What type of Upstream do you want to create?
? What region are the AWS services in for this upstream?
? Choose an AWS credentials secret to link to this upstream:
? namespace:
? name:
"""
TABLE = """\
+--------------+------+----------+-------------------------+
|   UPSTREAM   | TYPE |  STATUS  |         DETAILS         |
+--------------+------+----------+-------------------------+
| hello-lambda | AWS  | Accepted | region: us-east-2       |
|              |      |          | secret: gloo-system.aws |
|              |      |          |                         |
+--------------+------+----------+-------------------------+
"""


class Judge(Service):
    """Passes on what is signed as it must be."""

    def __init__(self, ns, certificate, accounts):
        self.ns = ns
        super().__init__(ns, self.passes, port=443, tls=certificate)
        self.verifier = Verifier(accounts, REGION, "lambda", HOST)

    def passes(self, request, to):
        try:
            self.verifier.judge(request)
        except Denied as e:
            to.reply(e.status, {"x-amzn-ErrorType": e.type, "Content-Type": "application/json"},
                     json.dumps({"message": e.message}))
            return
        with e2e.Namespace(self.ns):
            c = http.client.HTTPConnection("127.0.0.1", INVOKE_PORT, timeout=30 * e2e.PATIENCE)
            c.connect()
        fields = {n: v for n, v in request.fields if n.lower() not in ("host", "content-length")}
        c.request(request.method, request.target, request.body, fields)
        r = c.getresponse()
        body = r.read()
        hop = ("connection", "keep-alive", "content-length", "transfer-encoding", "date")
        to.reply(r.status, {n: v for n, v in r.getheaders() if n.lower() not in hop}, body)
        c.close()


class Walk(e2e.Lab):
    def __init__(self):
        aws_signature.needed()
        packages = node_packages.installed(HERE, "lambda-offline")
        super().__init__()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ggtw"))
        self.folder.chmod(0o755)
        self.offline = self.serverless(packages)
        self.names = Dnsmasq(self.gw).start()
        self.names.set(HOST, "127.0.0.1")
        authority = Authority(self.folder / "ca")
        self.accounts = Accounts()
        self.accounts.add(ACCESS, SECRET)
        self.judge = Judge(self.gw, authority.issue("lambda", "DNS:" + HOST), self.accounts)
        self.gateway = Gateway(self, f"tls: {{ roots: {authority.cert} }}\n"
                               f"dns: {{ servers: \"{self.names.at}\" }}\n").start()
        self.url = f"http://{self.address}:8080"

    def serverless(self, packages):
        """Node functions, exposed as the Invoke API."""
        project = self.folder / "project"
        project.mkdir()
        for name in ("serverless.yml", "functions.js", "package.json"):
            shutil.copy(HERE / name, project)
        (project / "node_modules").symlink_to(packages / "node_modules")
        self.log = open(self.folder / "serverless.log", "wb")
        p = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self.gw}", "node",
             "node_modules/osls/bin/serverless.js", "offline", "--host", "127.0.0.1",
             "--lambdaPort", str(INVOKE_PORT), "--noPrependStageInUrl", "--noTimeout"],
            cwd=project, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env={**os.environ, "SLS_TELEMETRY_DISABLED": "1", "CI": "1", "HOME": str(self.folder)})
        e2e.undo.append(p.kill)

        def up():
            check(p.poll() is None, (self.folder / "serverless.log").read_text()[-2000:])
            return e2e.request(self.gw, "127.0.0.1", INVOKE_PORT, "POST",
                               "/2015-03-31/functions/counts/invocations", b"{}")[0] == 200
        wait_until("serverless-offline", up, 60)
        return p

    def type(self, *argv, answers=""):
        """A command as it is typed; what it asks goes to stderr."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        return run(e2e.GLOOCTL, "--socket", self.gateway.socket, *argv, stdin=answers,
                   env={**env, "HOME": str(self.folder)})

    def curl(self, path, *more):
        return run("curl", "-sS", "--max-time", "20", *more, self.url + path, ns=self.out).stdout

    def close(self):
        try:
            self.gateway.close()
        finally:
            self.judge.close()
            self.names.close()
            self.offline.terminate()
            self.offline.wait()
            self.log.close()
            super().close()
            shutil.rmtree(self.folder, ignore_errors=True)


def setup():
    return Walk()


def teardown(w):
    try:
        equal((w.judge.broken, w.judge.verifier.denied), ([], []))
    finally:
        w.close()


def asks(stderr, wanted):
    """The questions come in their order, each at the beginning of a line."""
    lines = [line for line in stderr.splitlines() if line.startswith("? ")]
    wanted = wanted.splitlines()
    equal(len(lines), len(wanted), stderr)
    for line, want in zip(lines, wanted):
        check(line.startswith(want), f"asked {line!r} where {want!r} was printed")


def test_secret(w):
    """glooctl create secret aws -i: its questions in its order, and no key on the screen"""
    p = w.type("create", "secret", "aws", "-i",
               answers=f"gloo-system\naws\n{ACCESS}\n{SECRET}\n")
    asks(p.stderr, SECRET_PROMPTS)
    check(SECRET not in p.stdout + p.stderr, "the key is shown")


def test_upstream(w):
    """glooctl create upstream -i: its questions, and its table byte for byte"""
    p = w.type("create", "upstream", "-i",
               answers="aws\nus-east-2\ngloo-system.aws\ngloo-system\nhello-lambda\n")
    asks(p.stderr, UPSTREAM_PROMPTS)
    equal(p.stdout, TABLE)


def test_route(w):
    """glooctl add route ... --function hello-world:1, as it was typed"""
    p = w.type("add", "route", "--path-prefix", "/lambda", "--dest-name", "hello-lambda",
               "--function", "hello-world:1")
    check("/lambda" in p.stdout and "Accepted" in p.stdout, p.stdout)


def test_curl(w):
    """curl ${GATEWAY_URL}/lambda: here it succeeds, with what the function returns"""
    text = w.curl("/lambda")
    said = json.loads(text)
    equal((said["hello"], said["name"]), ("world", "hello-world"))
    # Of a GET the function gets an empty event.
    check(said["event"] in ({}, None, ""), said)
    equal(w.judge.asked[-1], ("POST",
                              "/2015-03-31/functions/hello-world/invocations?Qualifier=1"))
    said = json.loads(w.curl("/lambda", "-d", '{"a": [1, "é"]}'))
    equal(said["event"], {"a": [1, "é"]})
    return f"node {said['version']}"


def test_events(w):
    """an HTTP API's event and answer, with a real function: status, cookies, path, method"""
    w.type("add", "route", "--path-prefix", "/page", "--dest-name", "hello-lambda", "--function",
           "page", "--aws-api-gw-wrap", "--aws-api-gw-unwrap", "--aws-payload-format-version",
           "2.0", "--index", "0")
    text = w.curl("/page/x?a=1&a=2", "-i", "-X", "PUT", "-d", "text")
    check(text.startswith("HTTP/1.1 201"), text)
    for line in ("content-type: text/html", "x-method: PUT", "set-cookie: a=1", "set-cookie: b=2"):
        check(f"\n{line.lower()}\n" in text.lower(), line, text)
    check(text.endswith("<p>/page/x?a=1&a=2</p>"), text)


def test_throws(w):
    """a function that throws: 502, not 200; one that is not there: 502, not 404"""
    for name, reason in (("throws", "function_error"), ("absent", "function_not_found")):
        w.type("add", "route", "--path-prefix", "/" + name, "--dest-name", "hello-lambda",
               "--function", name, "--index", "0")
        text = w.curl("/" + name, "-i", "-d", "{}")
        check(text.startswith("HTTP/1.1 502") and reason in text, text)
        check("functions.js" not in text, "its stack is shown", text)


def test_async(w):
    """asynchronously: 202 at once, and the function runs"""
    w.type("add", "route", "--path-prefix", "/async", "--dest-name", "hello-lambda", "--function",
           "counts", "--aws-invocation-style", "ASYNC", "--index", "0")
    w.type("add", "route", "--path-prefix", "/count", "--dest-name", "hello-lambda", "--function",
           "counts", "--index", "0")

    def count():
        return json.loads(w.curl("/count", "-d", "{}"))["count"]

    def ended():
        """How often it ran, by the log: asking it would count."""
        return (w.folder / "serverless.log").read_text().count("(λ: counts) RequestId")
    before = count()
    e2e.await_equal(ended, before)
    check(w.curl("/async", "-i", "-d", "{}").startswith("HTTP/1.1 202"), "it is not 202")
    wait_until("it to run", lambda: ended() > before)
    equal(count(), before + 2)


def test_shown(w):
    """nothing that is shown has the key: tables, yaml, the log, metrics"""
    said = w.gateway.log_text()
    for argv in (("get", "upstreams"), ("get", "upstream", "hello-lambda", "-o", "yaml"),
                 ("get", "secrets", "-o", "yaml"), ("get", "vs", "-o", "yaml"), ("check",)):
        said += run(e2e.GLOOCTL, "--socket", w.gateway.socket, *argv, ok=None).stdout
    for path in ("/metrics", "/v1/dump", "/v1/status"):
        said += w.gateway.api("GET", path)[1]
    check("hello-lambda" in said and SECRET not in said, "it is shown")


if __name__ == "__main__":
    e2e.main(globals())
