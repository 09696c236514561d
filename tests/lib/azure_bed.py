"""A gateway beside the fakes of Azure: names below azurewebsites.net are those of the
front end, an authority of the tests' own is trusted, and nothing else is reached."""
import base64
import json
import os
import pathlib
import shutil
import tempfile
import urllib.parse

import e2e
from azure_fake import Front
from azure_tokens import Issuer
from certificates import Authority
from discovering import Asker, Gateway
from e2e import check, equal, wait_until
from name_servers import Dnsmasq

LABEL = {"discovery.solo.io/function_discovery": "enabled"}
# Of the environment, what says who the gateway is.
IDENTITY = ("AZURE_", "IDENTITY_", "MSI_", "AWS_")


def ref(name):
    return {"name": name, "namespace": "gloo-system"}


class Bed(e2e.Lab):
    """apps: of the front end; settings: lines of settings.yaml more."""

    def __init__(self, *apps):
        if not shutil.which("dnsmasq"):
            raise e2e.Skip("dnsmasq is not installed")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ggtz"))
        self.folder.chmod(0o755)
        self.fakes, self.asker, self.gateway, self.extra = [], None, None, ""
        super().__init__()
        e2e.run("ip", "addr", "add", "169.254.169.254/32", "dev", "lo", ns=self.gw)
        self.authority = Authority(self.folder)
        self.certificate = self.authority.issue(
            "front", "DNS:*.azurewebsites.net", "DNS:fx.contoso.test", "IP:127.0.0.1")
        self.issuer = Issuer()
        self.front = self.add(Front(self.gw, self.certificate, *apps))
        self.dns = Dnsmasq(self.gw)
        for app in apps:
            self.dns.hosts[app.host] = ["127.0.0.1"]
        self.dns.write()
        self.dns.start()

    def add(self, fake):
        self.fakes.append(fake)
        return fake

    def lines(self):
        return (f"tls: {{ roots: {self.authority.cert} }}\n"
                f"dns: {{ servers: \"{self.dns.at}\" }}\n" + self.extra)

    def begin(self, **environment):
        """Started, or again with another environment."""
        if not self.gateway:
            self.gateway = Gateway(self, self.lines())
        self.gateway.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(IDENTITY)}, **environment}
        return self.gateway.start()

    # ---- what is written

    def put(self, kind, name, content, labels=None):
        """The verdict."""
        status, text = self.gateway.api("PUT", f"/v1/{kind}/gloo-system/{name}", {
            "metadata": {"name": name, "namespace": "gloo-system",
                         **({"labels": labels} if labels else {})}, **content})
        check(status == 200, status, text)
        return json.loads(text)

    def secret(self, name, **keys):
        return self.put("secrets", name, {"azure": {"apiKeys": keys}})

    def upstream(self, app, name=None, secret=None, discover=False, **spec):
        """functions: name -> level, those that the upstream lists."""
        azure = {"functionAppName": app.name, **spec}
        if isinstance(azure.get("functions"), dict):
            azure["functions"] = [{"functionName": n, "authLevel": l}
                                  for n, l in azure["functions"].items()]
        if secret:
            azure["secretRef"] = ref(secret)
        return self.put("upstreams", name or app.name, {"upstreamSpec": {"azure": azure}},
                        LABEL if discover else None)

    @staticmethod
    def way(prefix, upstream, function, **options):
        """A route; matcher: another one than that of the prefix."""
        matcher = options.pop("matcher", None) or {"prefix": prefix}
        return {"matchers": [matcher], **({"options": options} if options else {}),
                "routeAction": {"single": {
                    "upstream": ref(upstream),
                    "destinationSpec": {"azure": {"functionName": function}}}}}

    def routes(self, *ways, name="default", domains=("*",)):
        return self.put("virtualservices", name, {
            "virtualHost": {"domains": list(domains), "routes": list(ways)}})

    # ---- what is asked

    def ask(self, path, method=None, body=None, headers=None, seconds=20):
        """(status, fields, body)"""
        return e2e.request(self.out, self.address, 8080, path=path, body=body, headers=headers,
                           method=method or ("GET" if body is None else "POST"),
                           seconds=seconds)

    def call(self, path, **more):
        """What the function saw, of a call that was answered with 200."""
        status, _, text = self.ask(path, **more)
        check(status == 200, path, status, text[:500], self.last_lines())
        return json.loads(text)

    def ready(self, path, wanted=200, seconds=10, **more):
        """An answer of that status, soon."""
        try:
            wait_until(f"{path} to be {wanted}", lambda: self.ask(path, **more)[0] == wanted,
                       seconds)
        except AssertionError as e:
            raise AssertionError(f"{e}; it is {self.ask(path, **more)}\n"
                                 + self.last_lines()) from None

    def refused(self, path, status, word, **more):
        """The sentence of the log; such an answer must be there."""
        before = len(self.gateway.access_lines())
        got, fields, text = self.ask(path, **more)
        equal((got, fields.get("x-gloo-gateway-reason")), (status, word),
              f"{text[:300]} {self.last_lines()}")

        def found():
            return [l for l in self.gateway.access_lines()[before:]
                    if l["path"].split("?")[0] == path.split("?")[0] and l["reason"] == word
                    and l["status"] == status]
        line = wait_until(f"a line of {path}, {word}", found, 5)[-1]
        check(line.get("detail"), "the log says nothing", line)
        return line["detail"]

    def last_lines(self):
        return "\n".join(json.dumps(l) for l in self.gateway.access_lines()[-2:]) + \
            "\n" + self.gateway.log_text()[-1500:]

    def ask_always(self, path, pause=0.005):
        self.asker = Asker(self, path, pause=pause)

    def all_served(self, least=1):
        asker, self.asker = self.asker, None
        asker.close()
        equal(([a for a in asker.answers if a[2] != 200][:3], asker.failed[:3]), ([], []),
              self.last_lines())
        check(len(asker.answers) >= least, "it asked too little", len(asker.answers))
        return len(asker.answers)

    def await_state(self, name, wanted, words="", kind="upstreams", seconds=10):
        seen = []

        def same():
            seen[:] = self.gateway.status(name, kind)
            return seen[0] == wanted and words in seen[1]
        try:
            wait_until(f"{name} to be {wanted}, {words!r}", same, seconds)
        except AssertionError as e:
            raise AssertionError(f"{e}; it is {seen}\n{self.last_lines()}") from None
        return seen[1]

    # ---- what nobody may be shown

    def shown(self):
        """All that is written or said anywhere but in the files of secrets."""
        g = self.gateway
        said = {"log": g.log_text(), "access log": g.access.read_text()}
        for path in ("/v1/status", "/v1/check", "/v1/secrets", "/v1/upstreams", "/metrics",
                     "/v1/virtualservices", "/v1/endpoints", "/v1/dump"):
            status, text = g.api("GET", path)
            check(status == 200, path, status)
            said[path] = text
        for what in ("secrets", "upstreams", "virtualservices"):
            for form in ("yaml", "json", "wide", "table"):
                said[f"get {what} -o {form}"] = g.glooctl("get", what, "-o", form).stdout
        said["check"] = g.glooctl("check", ok=None).stdout
        for pid in (g.process.pid, g.proxy_pid()):
            said[f"command line of {pid}"] = open(f"/proc/{pid}/cmdline").read()
        for path, text in e2e.files_of(g.dir):
            if "secrets" not in path.relative_to(g.dir).parts:
                said[str(path)] = text.decode(errors="replace")
        return said

    def nothing_shown(self, *values):
        """Whole, escaped for a URL, or as Base64: of none of the values."""
        for where, text in self.shown().items():
            for value in values:
                for form in forms(value):
                    at = text.find(form)
                    check(at < 0, f"{where} shows a secret: ...{text[max(0, at - 200):at + 12]}")

    def no_key_in_a_line(self, *values):
        """Of all that reached the front end: keys stand in no request line."""
        for app, _, request in self.front.requests:
            for value in values:
                for form in forms(value):
                    check(form not in request.line, f"{app}: {request.line}")

    def close(self):
        try:
            if self.asker:
                self.asker.close()
            if self.gateway:
                self.gateway.close()
        finally:
            for f in self.fakes:
                f.close()
            self.dns.close()
            super().close()
            shutil.rmtree(self.folder, ignore_errors=True)


def forms(value):
    """As it is, escaped for a URL, in Base64."""
    return {value, urllib.parse.quote(value, safe=""), base64.b64encode(value.encode()).decode()}
