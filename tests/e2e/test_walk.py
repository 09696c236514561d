"""The walk of the post that started it: upstream, route, both curls, with a
real httpbin, and what is printed on the way, byte for byte."""
import json
import re
import shutil
import subprocess
import sys

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import equal, check, run

VS_TABLE = """\
+-----------------+---------+------+----------+---------+--------------------------------+
| VIRTUAL SERVICE | DOMAINS | SSL  |  STATUS  | PLUGINS |             ROUTES             |
+-----------------+---------+------+----------+---------+--------------------------------+
| default         | *       | none | Accepted |         | /httpbin ->                    |
|                 |         |      |          |         | default-httpbin-8000           |
+-----------------+---------+------+----------+---------+--------------------------------+
"""

UPSTREAM_TABLE = """\
+----------------------+--------+----------+------------------+
|       UPSTREAM       |  TYPE  |  STATUS  |     DETAILS      |
+----------------------+--------+----------+------------------+
| default-httpbin-8000 | Static | Accepted | hosts:           |
|                      |        |          | - 127.0.0.1:8000 |
|                      |        |          |                  |
+----------------------+--------+----------+------------------+
"""

UPSTREAM_YAML = """\
discoveryMetadata: {}
metadata:
  name: default-httpbin-8000
  namespace: gloo-system
  resourceVersion: "%s"
status:
  reportedBy: gloo
  state: Accepted
upstreamSpec:
  static:
    hosts:
    - addr: 127.0.0.1
      port: 8000
"""

MOST_S = f"{20 * e2e.PATIENCE:g}"  # of one curl


class Walk:
    def __init__(self):
        if not shutil.which("gunicorn"):
            raise e2e.Skip("gunicorn is not installed")
        self.lab = e2e.Lab()
        self.httpbin = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self.lab.gw}", "/usr/bin/gunicorn", "-b",
             "127.0.0.1:8000", "-k", "gthread", "--threads", "8", "-w", "1",
             "httpbin:app"], cwd="/", stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        e2e.undo.append(self.httpbin.kill)
        self.gateway = e2e.Gateway(self.lab, xdp=True).start()
        e2e.wait_until("httpbin", lambda: e2e.request(
            self.lab.gw, "127.0.0.1", 8000, path="/get")[0] == 200, 30)

    def curl(self, path, *more):
        return run("curl", "-sS", "--max-time", MOST_S, *more, self.url + path,
                   ns=self.lab.out).stdout


def setup():
    return Walk()


def teardown(w):
    try:
        w.gateway.close()
    finally:
        w.httpbin.terminate()
        w.httpbin.wait()
        w.lab.close()


def test_create_upstream(w):
    """create upstream static prints the upstream as a table"""
    p = w.gateway.glooctl("create", "upstream", "static", "--name",
                          "default-httpbin-8000", "--static-hosts", "127.0.0.1:8000")
    equal(p.stdout, UPSTREAM_TABLE)


def test_get_upstreams(w):
    """get upstreams shows it, and -o json is nothing but JSON"""
    equal(w.gateway.glooctl("get", "upstreams").stdout, UPSTREAM_TABLE)
    p = w.gateway.glooctl("get", "upstream", "default-httpbin-8000", "-o", "json")
    equal(json.loads(p.stdout)["metadata"]["name"], "default-httpbin-8000")
    equal(p.stderr, "")


def test_upstream_yaml(w):
    """get upstream -o yaml has the key order of the post"""
    text = w.gateway.glooctl("get", "upstream", "default-httpbin-8000", "-o",
                             "yaml").stdout
    version = re.search(r'resourceVersion: "(\d+)"', text).group(1)
    equal(text, UPSTREAM_YAML % version)


def test_add_route(w):
    """add route makes the default virtual service and prints its table"""
    p = w.gateway.route("/httpbin", "default-httpbin-8000", "--prefix-rewrite", "/")
    equal(p.stdout, VS_TABLE)
    check("default" in p.stderr, "the chatter names the virtual service:", p.stderr)


def test_gateway_url(w):
    """gateway url prints the address that the outside uses"""
    w.url = w.gateway.glooctl("gateway", "url").stdout.strip()
    equal(w.url, "http://10.98.0.1:8080")


def test_curl_get(w):
    """curl /httpbin/get shows the rewritten path and Gloo's headers"""
    # This httpbin hides some headers unless it is asked to show them.
    body = json.loads(w.curl("/httpbin/get?show_env=1"))
    h = body["headers"]
    equal(body["url"], "http://10.98.0.1:8080/get?show_env=1")
    equal(h["Host"], "10.98.0.1:8080")
    equal(h["X-Envoy-Expected-Rq-Timeout-Ms"], "15000")
    equal(h["X-Envoy-Original-Path"], "/httpbin/get?show_env=1")
    check(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", h["X-Request-Id"]),
          h["X-Request-Id"])
    check("Content-Length" not in h, "no body length on a GET:", h)
    equal((h["X-Forwarded-For"], h["X-Forwarded-Proto"]), ("10.98.0.2", "http"))


def test_curl_ip(w):
    """curl /httpbin/ip answers with the client's address"""
    equal(json.loads(w.curl("/httpbin/ip"))["origin"], "10.98.0.2")


def test_curl_post(w):
    """a POST body arrives whole, with Content-Length and chunked"""
    data = "x" * 100000
    p = run("curl", "-sS", "--max-time", MOST_S, "--data-binary", "@-",
            w.url + "/httpbin/post", ns=w.lab.out, stdin=data)
    equal(json.loads(p.stdout)["data"] or "".join(json.loads(p.stdout)["form"]), data)
    p = run("curl", "-sS", "--max-time", MOST_S, "-H", "Transfer-Encoding: chunked",
            "-H", "Content-Type: text/plain", "--data-binary", "@-",
            w.url + "/httpbin/anything", ns=w.lab.out, stdin=data, ok=None)
    equal(p.returncode, 0, p.stderr)


def test_stream(w):
    """a streamed and a compressed answer pass unchanged"""
    equal(len(w.curl("/httpbin/stream/20").splitlines()), 20)
    equal(json.loads(w.curl("/httpbin/gzip", "--compressed"))["gzipped"], True)
    equal(w.curl("/httpbin/bytes/50000?seed=1", "-o", "/dev/null", "-w",
                 "%{size_download}"), "50000")


def test_missing_upstream(w):
    """add route to an upstream that does not exist: exit 2, names it, 503 there"""
    p = w.gateway.route("/billing", "billing", ok=(2,))
    check("billing" in p.stderr, p.stderr)
    check("Warning" in p.stdout, p.stdout)
    out = w.curl("/billing", "-i")
    check(out.startswith("HTTP/1.1 503 "), out)
    check("billing" in out.split("\n\n", 1)[1], out)
    equal(json.loads(w.curl("/httpbin/ip"))["origin"], "10.98.0.2")


def test_upstream_comes(w):
    """once the missing upstream is made, the route serves without a change"""
    w.gateway.upstream("billing", "127.0.0.1:8000")
    e2e.wait_until("the route to serve", lambda: w.curl(
        "/billing", "-o", "/dev/null", "-w", "%{http_code}") == "404")
    vs = w.gateway.get("/v1/virtualservices/gloo-system/default")
    equal(vs["status"]["state"], "Accepted")
    w.gateway.glooctl("remove", "route", "--name", "default", "--index", "1")
    w.gateway.glooctl("delete", "upstream", "billing")


def test_delete_upstream_in_use(w):
    """deleting an upstream in use: Warning that names the service; 503; back again"""
    p = w.gateway.glooctl("delete", "upstream", "default-httpbin-8000", ok=(2,))
    check("default" in p.stderr + p.stdout, p.stderr)
    out = w.curl("/httpbin/get", "-i")
    check(out.startswith("HTTP/1.1 503 "), out)
    w.gateway.upstream("default-httpbin-8000", "127.0.0.1:8000")
    e2e.wait_until("the route to serve", lambda: w.curl(
        "/httpbin/get", "-o", "/dev/null", "-w", "%{http_code}") == "200")


def test_check_command(w):
    """glooctl check finds no problem, and with XDP attached says native"""
    p = w.gateway.glooctl("check")
    check("No problems detected." in p.stdout, p.stdout)
    status = w.gateway.get("/v1/status")
    equal(status["kernel"]["state"], "enforced", status["kernel"])
    equal(status["kernel"]["interfaces"][0]["mode"], "native")


def test_restart_keeps(w):
    """after a restart everything serves as before"""
    w.gateway.stop()
    w.gateway.start()
    equal(json.loads(w.curl("/httpbin/ip"))["origin"], "10.98.0.2")
    equal(w.gateway.glooctl("get", "virtualservices").stdout, VS_TABLE)


if __name__ == "__main__":
    e2e.main(globals())
