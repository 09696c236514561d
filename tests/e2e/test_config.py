"""What operators get wrong: settings, documents, files edited by hand, a full
disk, a second daemon. An error names file, path and line; what ran goes on."""
import json
import os
import sys

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import equal, check, run


class Config:
    def __init__(self):
        self.lab = e2e.Lab()
        self.origin = e2e.Origin(self.lab.gw)
        self.gateway = e2e.Gateway(self.lab).start()
        self.gateway.upstream("origin", self.origin.host)
        self.gateway.route("/", "origin")
        self.store = self.gateway.dir / "config"

    def serves(self):
        return e2e.request(self.lab.out, self.lab.address, 8080)[0] == 200

    def file(self, kind, name):
        return self.store / kind / "gloo-system" / f"{name}.yaml"


def setup():
    return Config()


def teardown(c):
    try:
        c.gateway.close()
    finally:
        c.origin.close()
        c.lab.close()


UPSTREAM = """\
metadata:
  name: bad
  namespace: gloo-system
upstreamSpec:
  static:
    hosts:
    - addr: 127.0.0.1
      port: %s
"""

BAD = [
    ("a wrong type", UPSTREAM % "eighty", "port", 8),
    ("a number out of range", UPSTREAM % "70000", "port", 8),
    ("a number beyond 64 bits", UPSTREAM % "99999999999999999999999", "", 8),
    ("an unknown key", UPSTREAM % "80\n      prot: 80", "prot", 9),
    ("a key twice", UPSTREAM % "80\n      port: 81", "port", 9),
    ("a NUL byte", UPSTREAM % "80\0", "", None),
    ("invalid UTF-8", (UPSTREAM % "80").encode() + b"# \xff\xfe\n", "", None),
    ("10 000 levels", "[" * 10000 + "]" * 10000, "nested", None),
    ("an alias", "metadata: &a { name: bad }\nx: *a\n", "", None),
    ("no document at all", "", "", None),
    ("a list", "- 1\n- 2\n", "", None),
    ("an SRV name with a port", UPSTREAM.replace("127.0.0.1", "_a._tcp.b.test") % "80", "SRV", None),
]


def test_bad_documents(c):
    """each bad document is refused (exit 3 or 1), naming path and line; nothing changes"""
    before = c.gateway.get("/v1/upstreams")
    for what, text, word, line in BAD:
        path = c.gateway.dir / "bad.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        p = c.gateway.glooctl("create", "-f", str(path), ok=(1, 3))
        check(word in p.stderr, f"{what}: {p.stderr}")
        if line:
            check(f"{line}" in p.stderr, f"{what}: line {line} in {p.stderr}")
        status, answer = c.gateway.api("PUT", "/v1/upstreams/gloo-system/bad",
                                       path.read_bytes(), "application/yaml")
        check(status in (400, 422), f"{what}: {status} {answer}")
        check(len(answer) > 20, answer)
    equal(c.gateway.get("/v1/upstreams"), before)
    check(c.serves())
    return f"{len(BAD)} documents"


def test_huge_document(c):
    """a 100 MB file is refused with the limit, by glooctl and in the store"""
    path = c.gateway.dir / "huge.yaml"
    with open(path, "w") as f:
        f.write(UPSTREAM % "80")
        f.write(("# " + "x" * 998 + "\n") * 100000)
    p = c.gateway.glooctl("create", "-f", str(path), ok=(1, 3))
    check("64" in p.stderr, p.stderr)
    os.rename(path, c.file("upstreams", "huge"))
    e2e.wait_until("the problem to be seen", lambda: "huge" in c.gateway.log_text())
    check(c.serves())
    c.file("upstreams", "huge").unlink()


def test_json_line(c):
    """JSON too: the error names the line"""
    path = c.gateway.dir / "bad.json"
    path.write_text('{\n "metadata": {"name": "bad"},\n "upstreamSpec": {"static": {\n'
                    '  "hosts": [\n   {"addr": "127.0.0.1", "port": "x"}\n ]}}\n}\n')
    p = c.gateway.glooctl("create", "-f", str(path), ok=(1, 3))
    check("port" in p.stderr and "5" in p.stderr, p.stderr)


def test_edit_by_hand(c):
    """a file edited by hand is taken over; broken, its last good version serves on"""
    path = c.file("virtualservices", "default")
    good = path.read_text()
    path.write_text(good.replace("prefix: /", "prefix: /moved"))
    e2e.wait_until("the edited route", lambda: e2e.request(
        c.lab.out, c.lab.address, 8080, path="/moved")[0] == 200
        and e2e.request(c.lab.out, c.lab.address, 8080, path="/else")[0] == 404)
    path.write_text("metadata: { name: default }\nvirtualHost: { routes: 7 }\n")
    def rejected():
        return c.gateway.get("/v1/virtualservices/gloo-system/default")["status"][
            "state"] == "Rejected"
    e2e.wait_until("Rejected", rejected)
    reason = c.gateway.get("/v1/virtualservices/gloo-system/default")["status"]["reason"]
    check("routes" in reason, reason)
    equal(e2e.request(c.lab.out, c.lab.address, 8080, path="/moved")[0], 200)
    p = c.gateway.glooctl("check", ok=None)
    check(p.returncode != 0 and "default" in p.stdout + p.stderr, p.stdout)
    c.gateway.stop()
    c.gateway.start()
    equal(e2e.request(c.lab.out, c.lab.address, 8080, path="/moved")[0], 200,
          "the last good version serves after a restart too")
    path.write_text(good)
    e2e.wait_until("Accepted", lambda: not rejected() and c.serves())


def test_new_file(c):
    """a file put into the store by hand is served; removed, it is gone"""
    path = c.file("virtualservices", "byhand")
    path.write_text("metadata: { name: byhand, namespace: gloo-system }\n"
                    "virtualHost:\n  domains: [ hand.example ]\n  routes:\n"
                    "  - matcher: { prefix: /old }\n"
                    "    directResponseAction: { status: 200, body: old spelling }\n")
    ask = lambda: e2e.request(c.lab.out, c.lab.address, 8080, path="/old",
                              headers={"Host": "hand.example"})
    e2e.wait_until("the new file", lambda: ask()[2] == b"old spelling")
    path.unlink()
    e2e.wait_until("the default again", lambda: ask()[2] == b"hello\n")


def test_settings(c):
    """bad settings: --check and start name file, key and line, exit 1"""
    rows = [("admin: { socket: 7 }", "socket"), ("admn: { }", "admn"),
            ("proxy: { workers: -1 }", "workers"), ("proxy: { workers: 1000000 }", "workers"),
            ("logLevel: loud", "logLevel"), ("proxy: { orphanTimeout: soon }", "orphanTimeout"),
            ("xdp: { interfaces: [ { name: x, mode: fast } ] }", "mode"),
            ("trustedProxies: [ 10.0.0.0/33 ]", "trustedProxies"),
            ("admin: { http: 0.0.0.0:9091 }", "http"), ("a: 1\na: 2", "a")]
    path = c.gateway.dir / "bad-settings.yaml"
    for text, word in rows:
        path.write_text("# line one\n" + text + "\n")
        for more in (["--check"], []):
            p = run(e2e.DAEMON, "--settings", path, *more, ok=(0, 1), ns=c.lab.gw)
            equal(p.returncode, 1, text)
            check(word in p.stderr and "bad-settings.yaml" in p.stderr, text, p.stderr)
            check("2" in p.stderr or "3" in p.stderr, text, p.stderr)


def test_second_daemon(c):
    """a second daemon on the same store is refused with a sentence"""
    p = run(e2e.DAEMON, "--settings", c.gateway.dir / "settings.yaml", ok=(1,), ns=c.lab.gw)
    check("store" in p.stderr or "running" in p.stderr, p.stderr)
    check(str(c.gateway.process.pid) in p.stderr, p.stderr)
    check(c.serves())


def test_full_disk(c):
    """a full disk: the change is refused, the old file stays whole, traffic goes on"""
    old = c.file("virtualservices", "default").read_bytes()
    vs = c.gateway.get("/v1/virtualservices/gloo-system/default")
    c.gateway.stop()
    moved = str(c.store) + ".saved"
    os.rename(c.store, moved)
    os.mkdir(c.store)
    run("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", c.store)
    try:
        run("cp", "-a", moved + "/.", c.store)
        c.gateway.start()
        filler = os.open(c.store / "filler", os.O_WRONLY | os.O_CREAT)
        try:
            while True:
                os.write(filler, b"x" * 4096)
        except OSError:
            os.close(filler)
        vs["metadata"].pop("resourceVersion")
        vs["virtualHost"]["routes"] *= 60
        status, text = c.gateway.api("PUT", "/v1/virtualservices/gloo-system/default", vs)
        equal(status, 507, text)
        check("space" in text.lower(), text)
        equal(c.file("virtualservices", "default").read_bytes(), old)
        equal(sorted(os.listdir(c.store / "virtualservices" / "gloo-system")), ["default.yaml"])
        check(c.serves())
        c.gateway.stop()
    finally:
        run("umount", c.store, ok=None)
        os.rmdir(c.store)
        os.rename(moved, c.store)
    c.gateway.start()
    check(c.serves())


def test_stale_version(c):
    """a stale resourceVersion is 409 and changes nothing"""
    vs = c.gateway.get("/v1/virtualservices/gloo-system/default")
    equal(c.gateway.api("PUT", "/v1/virtualservices/gloo-system/default", vs)[0], 200)
    equal(c.gateway.api("PUT", "/v1/virtualservices/gloo-system/default", vs)[0], 409)


def test_duplicate_domain(c):
    """a second virtual service with the same domain is Rejected, naming the first"""
    p = c.gateway.glooctl("create", "virtualservice", "--name", "other", "--domains", "*",
                          ok=(3,))
    check("default" in p.stderr, p.stderr)
    check(c.serves())


def test_bad_regex(c):
    """a regex that does not compile is Rejected with its place"""
    p = c.gateway.glooctl("add", "route", "--path-regex", "/a(", "--dest-name", "origin",
                          ok=(3,))
    check("regex" in p.stderr and "routes[" in p.stderr, p.stderr)


def test_regex_without_end(c):
    """a regex that backtracks without end is given up, counted, and answered with 500"""
    routes = [{"matchers": [{"regex": "/(a+)+b"}], "directResponseAction": {"status": 418}},
              {"matchers": [{"prefix": "/"}], "directResponseAction": {"status": 200}}]
    vs = {"metadata": {"name": "evil", "namespace": "gloo-system"},
          "virtualHost": {"domains": ["evil.example"], "routes": routes}}
    equal(c.gateway.api("PUT", "/v1/virtualservices/gloo-system/evil", vs)[0], 200)
    def status(path):
        return e2e.request(c.lab.out, c.lab.address, 8080, path=path,
                           headers={"Host": "evil.example"})[0]
    before = c.gateway.metric("gloo_gateway_regex_limited")
    equal(status("/aaab"), 418)
    equal(c.gateway.metric("gloo_gateway_regex_limited"), before)
    equal(status("/other"), 200)
    equal(status("/" + "a" * 4000 + "bc"), 500)
    equal(c.gateway.metric("gloo_gateway_regex_limited"), before + 1)
    equal(c.gateway.api("DELETE", "/v1/virtualservices/gloo-system/evil")[0], 200)


def test_unreachable_route(c):
    """a route behind one that takes everything: Warning that says so"""
    p = c.gateway.route("/hidden", "origin", ok=(2,))
    check("routes[1]: prefix /hidden is never reached: routes[0], prefix /, comes first"
          in p.stderr, p.stderr)
    vs = c.gateway.get("/v1/virtualservices/gloo-system/default")
    del vs["metadata"]["resourceVersion"]
    c.gateway.glooctl("delete", "virtualservice", "default")
    p = c.gateway.glooctl("create", "-f", "-", stdin=json.dumps(
        {"apiVersion": "gateway.solo.io/v1", "kind": "VirtualService", **vs}), ok=(2,))
    check("prefix /hidden is never reached" in p.stderr, p.stderr)
    p = c.gateway.glooctl("route", "sort", "--name", "default")
    check("2 of 2 moved" in p.stderr, p.stderr)
    check("never" not in p.stderr, p.stderr)
    p = c.gateway.glooctl("route", "sort", "--name", "default")
    check("in order already" in p.stderr, p.stderr)
    c.gateway.glooctl("remove", "route", "--name", "default", "--index", "0")


def test_port_in_use(c):
    """a Gateway on a port that is taken is Rejected with a sentence"""
    gw = c.gateway.get("/v1/gateways/gloo-system/gateway")
    new = {"metadata": {"name": "second", "namespace": "gloo-system"}, "bindPort": 8080}
    status, text = c.gateway.api("PUT", "/v1/gateways/gloo-system/second", new)
    equal(status, 422, text)
    check("8080" in text, text)
    new["bindPort"] = c.origin.port
    new["bindAddress"] = "127.0.0.1"
    status, text = c.gateway.api("PUT", "/v1/gateways/gloo-system/second", new)
    equal(status, 422, text)
    check("in use" in text, text)
    new["bindPort"] = 8181
    new["bindAddress"] = "::"
    status, text = c.gateway.api("PUT", "/v1/gateways/gloo-system/second", new)
    equal(status, 200, text)
    equal(e2e.request(c.lab.out, c.lab.address, 8181)[0], 200)
    equal(c.gateway.api("DELETE", "/v1/gateways/gloo-system/second")[0], 200)
    def refused():
        try:
            e2e.request(c.lab.out, c.lab.address, 8181)
        except ConnectionRefusedError:
            return True
    e2e.wait_until("the second listener to be closed", refused)
    equal(c.gateway.get("/v1/gateways/gloo-system/gateway")["bindPort"], gw["bindPort"])


def test_other_kinds(c):
    """the other four kinds are read and printed; what they lack is a Warning"""
    specs = {
        "kube": {"serviceName": "httpbin", "serviceNamespace": "default", "servicePort": 8000},
        "aws": {"region": "us-east-2", "secretRef": {"name": "aws", "namespace": "gloo-system"}},
        "azure": {"functionAppName": "app",
                  "secretRef": {"name": "azure", "namespace": "gloo-system"}},
        "consul": {"serviceName": "web", "serviceTags": ["v1"]},
    }
    reasons = {"kube": "no cluster is configured", "consul": "no Consul agent is configured",
               "aws": 'no secret is named "gloo-system.aws"',
               "azure": 'no secret is named "gloo-system.azure"'}
    for kind, spec in specs.items():
        status, text = c.gateway.api("PUT", f"/v1/upstreams/gloo-system/{kind}", {
            "metadata": {"name": kind, "namespace": "gloo-system"}, "upstreamSpec": {kind: spec}})
        equal(status, 200, text)
        verdict = json.loads(text)
        equal(verdict["state"], "Warning", text)
        check(reasons.get(kind, "not served yet") in verdict["reason"], text)
        printed = c.gateway.get(f"/v1/upstreams/gloo-system/{kind}")["upstreamSpec"][kind]
        for key, value in spec.items():
            equal(printed[key], value)
        equal(c.gateway.api("DELETE", f"/v1/upstreams/gloo-system/{kind}")[0], 200)


if __name__ == "__main__":
    e2e.main(globals())
