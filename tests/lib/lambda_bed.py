"""A gateway whose upstream "fn" is the fake of Lambda, and who asks it: TLS by an
authority of the tests' own, keys of a secret of their own."""
import json
import os
import pathlib
import shutil
import tempfile

import aws_signature
import e2e
from aws_signature import Accounts
from certificates import Authority
from discovering import Asker, Gateway
from e2e import check, equal, wait_until
from lambda_fake import Lambda

REGION = "us-east-2"
ACCESS, SECRET = "AKIAEXAMPLE000000001", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYNEVERSHOWN"
LABEL = {"discovery.solo.io/function_discovery": "enabled"}


class Bed(e2e.Lab):
    """settings: lines of settings.yaml more; environment: of the gateway, instead of what
    AWS_... the tests run with; secret: whether "fn" has the good keys."""

    def __init__(self, settings="", environment=None, secret=True, gateway=True, more=""):
        aws_signature.needed()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ggtl"))
        self.folder.chmod(0o755)
        self.fakes, self.asker, self.gateway = [], None, None
        super().__init__()
        self.authority = Authority(self.folder)
        self.certificate = self.authority.issue("lambda", "DNS:localhost", "IP:127.0.0.1")
        self.accounts = Accounts()
        self.keys = self.accounts.add(ACCESS, SECRET, source="secret")
        self.fake = self.add(Lambda(self.gw, self.certificate, self.accounts, REGION))
        # Nobody asks the machine's own instance metadata, if it has any.
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        self.environment.update({"AWS_EC2_METADATA_DISABLED": "true", "HOME": str(self.folder)}
                                if environment is None else environment)
        self.settings, self.secret = settings, secret
        if gateway:
            self.begin(more)

    def add(self, fake):
        self.fakes.append(fake)
        return fake

    def lines(self):
        return f"tls: {{ roots: {self.authority.cert} }}\n" + self.settings

    def begin(self, more=""):
        self.gateway = Gateway(self, self.lines() + more)
        self.gateway.environment = self.environment
        self.gateway.start()
        if self.secret:
            self.put_secret("aws", self.keys)
        self.upstream("fn")
        return self.gateway

    # ---- what is written

    def put(self, kind, name, object):
        """The verdict."""
        status, text = self.gateway.api("PUT", f"/v1/{kind}/gloo-system/{name}", {
            "metadata": {"name": name, "namespace": "gloo-system",
                         **object.pop("metadata", {})}, **object})
        check(status == 200, status, text)
        return json.loads(text)

    def put_secret(self, name, keys):
        return self.put("secrets", name, {"aws": {
            "accessKey": keys.access, "secretKey": keys.secret,
            **({"sessionToken": keys.token} if keys.token else {})}})

    def upstream(self, name="fn", url=None, secret="aws", discover=False, more=None, **spec):
        """Others of its kind."""
        aws = {"region": REGION, "endpointUrl": url or self.fake.url, **spec}
        if self.secret and secret:
            aws["secretRef"] = {"name": secret, "namespace": "gloo-system"}
        return self.put("upstreams", name, {
            "metadata": {"labels": LABEL} if discover else {}, "upstreamSpec": {"aws": aws},
            **(more or {})})

    @staticmethod
    def way(prefix, function, upstream="fn", options=None, **aws):
        """A route; options: as the route has them (options)."""
        return {"matcher": {"prefix": prefix}, **({"options": options} if options else {}),
                "routeAction": {"single": {
                    "upstream": {"name": upstream, "namespace": "gloo-system"},
                    "destinationSpec": {"aws": {"logicalName": function, **aws}}}}}

    def routes(self, *ways, name="default"):
        """Of the virtual service; the verdict."""
        return self.put("virtualservices", name, {
            "virtualHost": {"domains": ["*"], "routes": list(ways)}})

    # ---- what is asked

    def ask(self, path, body=None, method=None, **more):
        """(status, fields, body)"""
        return e2e.request(self.out, self.address, 8080, path=path, body=body,
                           method=method or ("GET" if body is None else "POST"), **more)

    def answers(self, path, wanted=200, body=None, **more):
        status, fields, text = self.ask(path, body, **more)
        check(status == wanted, path, status, text[:500], self.last_lines())
        return fields, text

    def ready(self, path="/fn", body=b"{}", seconds=10):
        """Credentials are there."""
        wait_until(f"{path} to be served", lambda: self.ask(path, body)[0] == 200, seconds)

    def last_lines(self):
        return "\n".join(json.dumps(l) for l in self.gateway.access_lines()[-2:]) + \
            "\n" + self.gateway.log_text()[-1500:]

    def line(self, path, status):
        """The access log's last of that path with that status."""
        def found():
            return [l for l in self.gateway.access_lines()
                    if l["path"].split("?")[0] == path and l["status"] == status]
        return wait_until(f"a line of {path}, {status}", found, 5)[-1]

    def ask_always(self, path, pause=0.005):
        self.asker = Asker(self, path, pause=pause)

    def all_served(self):
        asker, self.asker = self.asker, None
        asker.close()
        equal(([a for a in asker.answers if a[2] != 200][:3], asker.failed[:3]), ([], []),
              self.last_lines())
        check(asker.answers, "it asked nothing")
        return len(asker.answers)

    def state(self, name="fn", kind="upstreams"):
        return self.gateway.status(name, kind)

    def await_state(self, wanted, words="", name="fn", kind="upstreams", seconds=10):
        seen = []

        def same():
            seen[:] = self.state(name, kind)
            return seen[0] == wanted and words in seen[1]
        try:
            wait_until(f"{name} to be {wanted}, {words!r}", same, seconds)
        except AssertionError as e:
            raise AssertionError(f"{e}; it is {seen}") from None
        return seen[1]

    # ---- what nobody may be shown

    def shown(self):
        """All that is written or said anywhere but in files of secrets."""
        g = self.gateway
        said = [g.log_text(), g.access.read_text() if g.access.exists() else ""]
        for path in ("/v1/status", "/v1/check", "/v1/secrets", "/v1/upstreams", "/metrics",
                     "/v1/virtualservices", "/v1/endpoints", "/v1/dump"):
            said.append(g.api("GET", path)[1])
        for what in ("secrets", "upstreams", "virtualservices", "proxy"):
            said.append(g.glooctl("get", what, "-o", "yaml", ok=None).stdout)
        for pid in (g.process.pid, g.proxy_pid()):
            said += [open(f"/proc/{pid}/{file}", "rb").read().decode(errors="replace")
                     for file in ("cmdline", "environ")]
        said += [text.decode(errors="replace") for path, text in e2e.files_of(g.dir)
                 if "secrets" not in path.relative_to(g.dir).parts]
        return "\n".join(said)

    def nothing_shown(self, besides=()):
        said = self.shown()
        for value in self.accounts.hidden() + list(besides):
            at = said.find(value)
            check(at < 0, f"a secret is shown: ...{said[max(0, at - 200):at + 20]}")

    def close(self):
        try:
            if self.asker:
                self.asker.close()
            if self.gateway:
                self.gateway.close()
        finally:
            for f in self.fakes:
                f.close()
            super().close()
            shutil.rmtree(self.folder, ignore_errors=True)
