"""What routes do: matchers, rewrites, redirects, header edits, timeouts,
streaming with back-pressure, the upstream pool, the access log."""
import json
import os
import random
import re
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
import name_servers
from e2e import equal, check

REF = lambda name: {"single": {"upstream": {"name": name, "namespace": "gloo-system"}}}


class Http:
    def __init__(self):
        self.lab = e2e.Lab()
        self.origin = e2e.Origin(self.lab.gw)
        self.other = e2e.Origin(self.lab.gw, lambda r, c: b"HTTP/1.1 200 OK\r\nContent-Length: 5"
                                b"\r\n\r\nother")
        self.gateway = e2e.Gateway(self.lab).start()
        self.gateway.upstream("origin", self.origin.host)
        self.gateway.upstream("other", self.other.host)
        self.version = 0

    def put(self, routes, domains=("*",), name="default", options=None, ok=200):
        host = {"domains": list(domains), "routes": routes}
        if options:
            host["options"] = options
        status, text = self.gateway.api("PUT", f"/v1/virtualservices/gloo-system/{name}", {
            "metadata": {"name": name, "namespace": "gloo-system"}, "virtualHost": host})
        equal(status, ok, text)
        return json.loads(text)

    def get(self, path="/", method="GET", host=None, body=None, **headers):
        h = {k.replace("_", "-"): v for k, v in headers.items()}
        if host:
            h["Host"] = host
        self.origin.forget()
        return e2e.request(self.lab.out, self.lab.address, 8080, method, path, body, h)

    def seen(self):
        """Request line and fields (lower-case names) of what the origin got."""
        lines = self.origin.received().decode("latin-1").split("\r\n\r\n")[0].split("\r\n")
        return lines[0], dict((a.lower(), b.strip()) for a, b in
                              (l.split(":", 1) for l in lines[1:]))


def setup():
    return Http()


def teardown(h):
    try:
        h.gateway.close()
    finally:
        h.origin.close()
        h.other.close()
        h.lab.close()


def direct(matcher, text):
    return {"matchers": [matcher], "directResponseAction": {"status": 200, "body": text}}


def test_first_match(h):
    """routes match in order: exact, prefix, regex, method, header, query"""
    h.put([
        direct({"exact": "/exact"}, "exact"),
        direct({"regex": "/r/[0-9]+"}, "regex"),
        direct({"prefix": "/m", "methods": ["PUT", "PURGE"]}, "method"),
        direct({"prefix": "/h", "headers": [{"name": "X-A", "value": "1"}]}, "header"),
        direct({"prefix": "/h", "headers": [{"name": "X-A", "value": "[2-3]+", "regex": True}]},
               "header regex"),
        direct({"prefix": "/h", "headers": [{"name": "X-B", "invertMatch": True}]}, "no X-B"),
        direct({"prefix": "/f", "headers": [{"name": "X-Forwarded-Proto", "value": "https"}]},
               "of proxies"),
        direct({"prefix": "/f", "headers": [{"name": "X-A"}]}, "of the hop"),
        direct({"prefix": "/f"}, "what is dropped is absent"),
        direct({"prefix": "/q", "queryParameters": [{"name": "a", "value": "b c"}]}, "query"),
        direct({"prefix": "/q", "queryParameters": [{"name": "x"}]}, "query presence"),
        direct({"prefix": "/Case", "caseSensitive": False}, "any case"),
        {"matchers": [{"prefix": "/one"}, {"exact": "/two"}],
         "directResponseAction": {"status": 200, "body": "two matchers"}},
        direct({"prefix": "/p"}, "prefix"),
    ])
    for path, wanted, more in (
            ("/exact", b"exact", {}), ("/exact?q=1", b"exact", {}), ("/exact/", 404, {}),
            ("/r/17", b"regex", {}), ("/r/17x", 404, {}), ("/r/", 404, {}),
            ("/m", 404, {}), ("/m", b"method", {"method": "PUT"}), ("/m", b"method", {"method": "PURGE"}),
            ("/h", b"header", {"X_A": "1"}), ("/h", b"header regex", {"X_A": "22"}),
            ("/h", b"no X-B", {"X_A": "12"}), ("/h", 404, {"X_B": "1"}),
            ("/f", b"what is dropped is absent", {"X_Forwarded_Proto": "https"}),
            ("/f", b"what is dropped is absent", {"X_A": "1", "Connection": "X-A"}),
            ("/f", b"of the hop", {"X_A": "1"}),
            ("/q?a=b%20c", b"query", {}), ("/q?a=b", 404, {}),
            ("/q?x", b"query presence", {}), ("/q?z=1&x=2", b"query presence", {}),
            ("/cASE/x", b"any case", {}), ("/P", 404, {}), ("/two", b"two matchers", {}),
            ("/one/more", b"two matchers", {}), ("/p", b"prefix", {}), ("/pq", b"prefix", {}),
            ("/", 404, {})):
        status, _, body = h.get(path, **more)
        equal(body if isinstance(wanted, bytes) else status, wanted, f"{path} {more}")


def test_domains(h):
    """domains: exact before *.suffix (longest first) before prefix.* before *"""
    for name, domains in (("a", ["a.example.com"]), ("b", ["*.example.com"]),
                          ("c", ["*.deep.example.com"]), ("d", ["www.*"])):
        h.put([direct({"prefix": "/"}, name)], domains, name)
    h.put([direct({"prefix": "/"}, "default")])
    for host, wanted in (("a.example.com", "a"), ("A.Example.Com:80", "a"), ("b.example.com", "b"),
                         ("x.deep.example.com", "c"), ("example.com", "default"),
                         ("www.other.org", "d"), ("other.org", "default"), ("www.example.com", "b")):
        equal(h.get(host=host)[2].decode(), wanted, host)
    for name in "abcd":
        equal(h.gateway.api("DELETE", f"/v1/virtualservices/gloo-system/{name}")[0], 200)


def test_prefix_rewrite(h):
    """prefix rewrite never makes double slashes and keeps the query"""
    for prefix, to, path, wanted in (
            ("/httpbin", "/", "/httpbin/get?a=/httpbin", "/get?a=/httpbin"),
            ("/httpbin", "/", "/httpbin", "/"), ("/httpbin/", "/", "/httpbin/get", "/get"),
            ("/a", "/b", "/a/c", "/b/c"), ("/a/", "/b/", "/a/c", "/b/c"), ("/a", "/b/", "/a/c", "/b/c"),
            ("/a/", "/b", "/a/c", "/b/c"), ("/", "/v1", "/x", "/v1/x"), ("/", "/v1", "/", "/v1/")):
        h.put([{"matchers": [{"prefix": prefix}], "routeAction": REF("origin"),
                "options": {"prefixRewrite": to}}])
        equal(h.get(path)[0], 200)
        line, fields = h.seen()
        got = line.split(" ")[1]
        check(got == wanted or (wanted == "/v1/" and got == "/v1"), f"{prefix} {to} {path}: {line}")
        equal(fields["x-envoy-original-path"], path)


def test_redirect(h):
    """redirectAction: host, path, prefix, scheme, port, query, codes"""
    for action, path, status, location in (
            ({"hostRedirect": "new.example"}, "/a?b=c", 301, "http://new.example/a?b=c"),
            ({"pathRedirect": "/p", "responseCode": "FOUND"}, "/a?b", 302, "http://gw:8080/p?b"),
            ({"httpsRedirect": True, "hostRedirect": "n"}, "/a", 301, "https://n/a"),
            ({"hostRedirect": "n", "stripQuery": True, "responseCode": "SEE_OTHER"}, "/a?b", 303, "http://n/a"),
            ({"prefixRewrite": "/z", "responseCode": "TEMPORARY_REDIRECT"}, "/a/x", 307, "http://gw:8080/z/x"),
            ({"hostRedirect": "n", "portRedirect": 81, "responseCode": "PERMANENT_REDIRECT"}, "/a", 308,
             "http://n:81/a")):
        h.put([{"matchers": [{"prefix": "/a"}], "redirectAction": action}])
        got, headers, _ = h.get(path, host="gw:8080")
        equal((got, headers.get("location")), (status, location), action)


def test_direct_response(h):
    """directResponseAction: status and body; HEAD without the body"""
    h.put([{"matchers": [{"prefix": "/"}], "directResponseAction": {"status": 418, "body": "tea"}}])
    status, headers, body = h.get()
    equal((status, body, headers["content-length"]), (418, b"tea", "3"))
    status, headers, body = h.get(method="HEAD")
    equal((status, body, headers["content-length"]), (418, b"", "3"))


def test_header_manipulation(h):
    """headerManipulation both ways, on route and virtual host"""
    h.put([{"matchers": [{"prefix": "/"}], "routeAction": REF("origin"), "options": {
        "headerManipulation": {
            "requestHeadersToAdd": [{"header": {"key": "X-Add", "value": "route"}, "append": True},
                                    {"header": {"key": "X-Set", "value": "new"}, "append": False}],
            "requestHeadersToRemove": ["X-Gone"],
            "responseHeadersToAdd": [{"header": {"key": "X-Resp", "value": "1"}}],
            "responseHeadersToRemove": ["Server"]}}}],
        options={"headerManipulation": {
            "responseHeadersToAdd": [{"header": {"key": "X-Vhost", "value": "2"}}]}})
    h.origin.answer = lambda r, c: (b"HTTP/1.1 200 OK\r\nServer: s\r\nContent-Length: 0\r\n\r\n")
    try:
        _, headers, _ = h.get(X_Add="client", X_Set="old", X_Gone="1")
    finally:
        h.origin.answer = e2e.simple_answer
    text = h.origin.received().decode().lower()
    check("x-add: client" in text and "x-add: route" in text, text)
    check("x-set: new" in text and "x-set: old" not in text and "x-gone" not in text, text)
    equal((headers.get("x-resp"), headers.get("x-vhost"), headers.get("server")), ("1", "2", None))


def test_host_rewrite(h):
    """hostRewrite and autoHostRewrite; without them Host goes as it came"""
    h.put([{"matchers": [{"prefix": "/rw"}], "routeAction": REF("origin"),
            "options": {"hostRewrite": "inner.example"}},
           {"matchers": [{"prefix": "/"}], "routeAction": REF("origin")}])
    h.get("/rw", host="outer.example")
    equal(h.seen()[1]["host"], "inner.example")
    h.get("/", host="outer.example:8080")
    equal(h.seen()[1]["host"], "outer.example:8080")
    h.gateway.upstream("named", f"localhost:{h.origin.port}")
    h.put([{"matchers": [{"prefix": "/"}], "routeAction": REF("named"),
            "options": {"autoHostRewrite": True}}])
    e2e.wait_until("the name to be resolved", lambda: h.get(host="outer.example")[0] == 200)
    equal(h.seen()[1]["host"].split(":")[0], "localhost")


def test_request_id(h):
    """x-request-id is made when absent and kept when there"""
    h.put([{"matchers": [{"prefix": "/"}], "routeAction": REF("origin")}])
    ids = set()
    for _ in range(5):
        h.get()
        ids.add(h.seen()[1]["x-request-id"])
    equal(len(ids), 5)
    h.get(X_Request_Id="mine-17")
    equal(h.seen()[1]["x-request-id"], "mine-17")


def test_no_length_on_get(h):
    """a GET has no Content-Length and no Transfer-Encoding upstream; a POST of nothing keeps 0"""
    h.get()
    check("content-length" not in h.seen()[1] and "transfer-encoding" not in h.seen()[1], h.seen())
    h.get(method="POST", body=b"")
    equal(h.seen()[1].get("content-length"), "0")


def test_weights(h):
    """several destinations share by weight"""
    h.put([{"matchers": [{"prefix": "/"}], "routeAction": {"multi": {"destinations": [
        {"weight": 1, "destination": {"upstream": {"name": "origin", "namespace": "gloo-system"}}},
        {"weight": 3, "destination": {"upstream": {"name": "other", "namespace": "gloo-system"}}}]}}}])
    n = sum(h.get()[2] == b"other" for _ in range(200))
    check(110 < n < 185, f"{n} of 200 to the heavier one")


def test_timeout(h):
    """options.timeout: 504 with the reason; 0 means none"""
    release = threading.Event()
    def slow(r, c):
        release.wait(10)
        return e2e.simple_answer(r, c)
    h.origin.answer = slow
    try:
        h.put([{"matchers": [{"prefix": "/"}], "routeAction": REF("origin"),
                "options": {"timeout": "0.3s"}}])
        status, _, body = h.get()
        equal(status, 504, body)
        check(b"time" in body, body)
        equal(h.seen()[1]["x-envoy-expected-rq-timeout-ms"], "300")
        h.put([{"matchers": [{"prefix": "/"}], "routeAction": REF("origin"),
                "options": {"timeout": "0s"}}])
        threading.Timer(1, release.set).start()
        equal(h.get()[0], 200)
        check("x-envoy-expected-rq-timeout-ms" not in h.seen()[1])
    finally:
        release.set()
        h.origin.answer = e2e.simple_answer


def test_connect_failed(h):
    """no listener upstream: 503 or 502 with the reason; another endpoint is tried"""
    h.gateway.upstream("dead", "127.0.0.1:1")
    h.put([{"matchers": [{"prefix": "/"}], "routeAction": REF("dead")}])
    status, _, body = h.get()
    check(status in (502, 503), status)
    check(b"dead" in body or b"connect" in body, body)
    h.gateway.upstream("half", f"127.0.0.1:1,{h.origin.host}")
    h.put([{"matchers": [{"prefix": "/"}], "routeAction": REF("half")}])
    for _ in range(20):
        equal(h.get()[0], 200)


def test_keepalive_pool(h):
    """upstream connections are kept and reused; client connections too"""
    h.put([{"matchers": [{"prefix": "/"}], "routeAction": REF("origin")}])
    h.get()
    before = len(h.origin.connections)
    got = e2e.talk(h.lab.out, h.lab.address, 8080,
                   [b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % i for i in range(20)]
                   + [b"GET /end HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"])
    equal(got.count(b"HTTP/1.1 200"), 21)
    check(len(h.origin.connections) - before <= 2, len(h.origin.connections) - before)


def test_http10(h):
    """HTTP/1.0 clients: answered, closed; chunked answers are un-chunked for them"""
    h.origin.answer = lambda r, c: (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                    b"5\r\nhello\r\n0\r\n\r\n")
    try:
        got = e2e.talk(h.lab.out, h.lab.address, 8080, b"GET / HTTP/1.0\r\nHost: h\r\n\r\n")
    finally:
        h.origin.answer = e2e.simple_answer
    head, body = got.split(b"\r\n\r\n", 1)
    equal(body, b"hello")
    check(b"chunked" not in head.lower(), head)


def test_half_close(h):
    """a client that shuts its side has 2 s for the answer to begin; then it is reset"""
    def ask(work):
        def answer(request, connection):
            threading.Event().wait(work)  # the work of the origin
            return b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
        h.origin.answer = answer
        with e2e.Namespace(h.lab.out):
            s = socket.create_connection((h.lab.address, 8080), 30 * e2e.PATIENCE)
        with s:
            began = time.monotonic()
            s.sendall(b"GET /half HTTP/1.1\r\nHost: h\r\n\r\n")
            s.shutdown(socket.SHUT_WR)
            got = b""
            try:
                while data := s.recv(65536):
                    got += data
            except ConnectionResetError:
                return got, "reset", time.monotonic() - began
            return got, "fin", time.monotonic() - began

    h.put([{"matchers": [{"prefix": "/"}], "routeAction": REF("origin")}])
    aborted = h.gateway.metric("gloo_gateway_listener_responses_aborted")
    try:
        got, end, took = ask(1)
        check(got.startswith(b"HTTP/1.1 200 ") and got.endswith(b"hello"), got)
        equal((end, h.gateway.metric("gloo_gateway_listener_responses_aborted")),
              ("fin", aborted))
        got, end, took = ask(6 * e2e.PATIENCE)
        equal((got, end), (b"", "reset"))
        check(2 <= took < 5 * e2e.PATIENCE, "reset after", took)
        equal(h.gateway.metric("gloo_gateway_listener_responses_aborted"), aborted + 1)
    finally:
        h.origin.answer = e2e.simple_answer
    equal(e2e.wait_until("the line", lambda: [l["reason"] for l in h.gateway.access_lines()
                                              if l["path"] == "/half"][1:]), ["client_abort"])
    return f"reset after {took:.1f} s"


def test_back_pressure(h):
    """a 200 MB answer to a client that does not read: the proxy's memory stays small"""
    chunk = random.Random(1).randbytes(65521)
    size = 3200 * len(chunk)
    def big(r, c):
        c["socket"].sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // len(chunk)):
            c["socket"].sendall(chunk)
        return None
    h.origin.answer = big
    pid = h.gateway.proxy_pid()
    try:
        h.put([{"matchers": [{"prefix": "/"}], "routeAction": REF("origin"), "options": {"timeout": "0s"}}])
        before = e2e.memory_kb(pid)
        start, last = h.gateway.metric("gloo_gateway_upstream_bytes_received"), [-1]
        with e2e.Namespace(h.lab.out):
            s = socket.create_connection((h.lab.address, 8080), timeout=30 * e2e.PATIENCE)
        s.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        def stalled():
            now = h.gateway.metric("gloo_gateway_upstream_bytes_received")
            same, last[0] = now == last[0] and now > start, now
            threading.Event().wait(0.2)
            return same
        e2e.wait_until("the transfer to stall", stalled, 20)
        grown = e2e.memory_kb(pid) - before
        check(grown < 4096, f"{grown} kB more while the client does not read")
        head = b""
        while b"\r\n\r\n" not in head:
            head += s.recv(1)
        got, want = 0, chunk * 18
        while got < size:
            part = s.recv(1 << 20)
            check(part, "cut at", got)
            at = got % len(chunk)
            check(part == want[at:at + len(part)], "another byte after", got)
            got += len(part)
        s.close()
    finally:
        h.origin.answer = e2e.simple_answer
    return f"{grown} kB"


def test_pieces(h):
    """an answer in small and large pieces, to a fast and a slow reader, comes as it was sent"""
    sizes = [1, 100, 70000, 5, 300000, 4095, 100, 200000, 16384, 16385, 1, 90000, 7]
    body = random.Random(2).randbytes(sum(sizes))
    received = lambda: h.gateway.metric("gloo_gateway_upstream_bytes_received")
    def pieces(r, c):
        s, at = c["socket"], 0
        s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
        for n in sizes:
            before = received()
            s.sendall(body[at:at + n])
            at += n
            if n <= 100:  # so that it comes by itself
                e2e.wait_until("a piece to be read", lambda: received() > before, 10)
        return None
    h.origin.answer = pieces
    try:
        h.put([{"matchers": [{"prefix": "/"}], "routeAction": REF("origin")}])
        check(h.get()[2] == body, "to a fast reader")
        s = e2e.small_window(h.lab)
        s.sendall(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        got = b""
        while part := s.recv(1000):
            got += part
        s.close()
        check(got.partition(b"\r\n\r\n")[2] == body, "to a slow reader")
    finally:
        h.origin.answer = e2e.simple_answer


def test_upload_back_pressure(h):
    """a 100 MB upload to an origin that does not read: the same"""
    release = threading.Event()
    total = [0]
    class Slow(e2e.Origin):
        def serve(self, c):
            release.wait(30)
            s = c["socket"]
            while total[0] < (100 << 20):
                part = s.recv(1 << 20)
                if not part:
                    return
                total[0] += len(part)
                if b"\r\n\r\n" in part and total[0] < 10000:
                    total[0] -= part.index(b"\r\n\r\n") + 4
            s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    slow = Slow(h.lab.gw)
    h.gateway.upstream("slow", slow.host)
    h.put([{"matchers": [{"prefix": "/"}], "routeAction": REF("slow"), "options": {"timeout": "0s"}}])
    pid = h.gateway.proxy_pid()
    before = e2e.memory_kb(pid)
    start, last = h.gateway.metric("gloo_gateway_upstream_bytes_sent"), [-1]
    result = []
    def upload():
        result.append(e2e.request(h.lab.out, h.lab.address, 8080, "POST", "/", b"y" * (100 << 20)))
    t = threading.Thread(target=upload)
    t.start()
    def stalled():
        now = h.gateway.metric("gloo_gateway_upstream_bytes_sent")
        same, last[0] = now == last[0] and now > start, now
        threading.Event().wait(0.2)
        return same
    e2e.wait_until("the upload to stall", stalled, 20)
    grown = e2e.memory_kb(pid) - before
    release.set()
    t.join(60 * e2e.PATIENCE)
    slow.close()
    equal(result[0][0], 200)
    check(grown < 4096, f"{grown} kB more while the origin does not read")
    return f"{grown} kB"


def test_access_log(h):
    """each request has a JSON line; the reason is one word, - when upstream answered"""
    h.put([{"matchers": [{"prefix": "/log"}], "routeAction": REF("origin")},
           {"matchers": [{"prefix": "/dead"}], "routeAction": REF("dead")}])
    h.get("/log?x=1", User_Agent="agent \"q\"")
    h.get("/nowhere")
    h.get("/dead")
    def line(path):
        for l in h.gateway.access_lines():
            if l["path"].split("?")[0] == path:
                return l
    one = e2e.wait_until("the line", lambda: line("/log"))
    equal((one["status"], one["reason"], one["method"], one["client"].split(":")[0]),
          (200, "-", "GET", "10.98.0.2"))
    check("origin" in one["upstream"] and one["user_agent"] == 'agent "q"', one)
    equal(e2e.wait_until("the line", lambda: line("/nowhere"))["reason"], "no_route")
    reason = e2e.wait_until("the line", lambda: line("/dead"))["reason"]
    check(re.fullmatch("[a-z_]+", reason) and reason != "-", reason)


def test_access_log_full_disk(h):
    """a full disk drops lines of the access log and counts them; requests go on"""
    logs = h.gateway.dir / "logs"
    logs.mkdir()
    e2e.run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", logs)
    try:
        h.gateway.write_settings("accessLog: { path: logs/access.json }\n")
        h.gateway.stop()
        h.gateway.start()
        h.put([direct({"prefix": "/"}, "x")])
        def dropped():
            for _ in range(50):
                equal(h.get("/" + "long/" * 100)[0], 200)
            return h.gateway.metric("gloo_gateway_access_log_dropped") > 0
        e2e.wait_until("dropped lines", dropped, 20)
        for line in (logs / "access.json").read_text().splitlines()[:-1]:
            json.loads(line)
    finally:
        h.gateway.write_settings("")
        h.gateway.stop()
        e2e.run("umount", logs, ok=None)
        h.gateway.start()


def test_no_route_no_service(h):
    """no route: 404; no virtual service for the host: 404"""
    h.put([direct({"prefix": "/only"}, "x")], ["only.example"])
    equal(h.get("/", host="only.example")[0], 404)
    equal(h.get("/", host="other.example")[0], 404)


def test_dns(h):
    """names are resolved again by TTL, against a real dnsmasq; failures empty nothing"""
    import shutil
    import subprocess
    if not shutil.which("dnsmasq"):
        raise e2e.Skip("dnsmasq is not installed")
    zone = h.gateway.dir / "hosts"
    zone.write_text("127.0.0.1 app.test\n")
    def start():
        process = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{h.lab.gw}", "dnsmasq", "--keep-in-foreground",
             "--port=5353", "--listen-address=127.0.0.1", "--bind-interfaces", "--no-resolv",
             "--no-hosts", f"--addn-hosts={zone}", "--local-ttl=1", "--user=root",
             "--local=/test/", f"--srv-host=_http._tcp.web.test,app.test,{h.origin.port},1,10",
             "--conf-file=/dev/null", "--pid-file="], stderr=subprocess.DEVNULL)
        e2e.wait_until("dnsmasq to answer", lambda: name_servers.asked(
            h.lab.gw, "127.0.0.1", 5353, "app.test"))
        return process
    dns = start()
    try:
        h.gateway.stop()
        h.gateway.write_settings("dns: { servers: \"127.0.0.1:5353\" }\n")
        h.gateway.start()
        h.gateway.upstream("app", f"app.test:{h.origin.port}")
        h.put([{"matchers": [{"prefix": "/"}], "routeAction": REF("app")}])
        e2e.wait_until("the first address", lambda: h.get()[0] == 200)
        second = e2e.Origin(h.lab.gw, lambda r, c: b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond",
                            address="127.0.0.7", port=h.origin.port)
        zone.write_text("127.0.0.7 app.test\n")
        dns.send_signal(signal.SIGHUP)
        e2e.wait_until("the second address", lambda: h.get()[2] == b"second", 20)
        dns.terminate()
        dns.wait()
        dump = lambda: json.dumps(h.gateway.get("/v1/dump"))
        us = lambda: h.gateway.get("/v1/upstreams/gloo-system/app")["status"]
        e2e.wait_until("the failure to be told", lambda: us().get("reason"), 30)
        check("127.0.0.7" in dump(), dump())
        equal(h.get()[2], b"second", "the last endpoints stay")
        second.close()
        # A name is the Host, unless the route says otherwise (Gloo); a service has its own port.
        zone.write_text("127.0.0.1 app.test\n")
        dns = start()
        h.gateway.upstream("srv", "_http._tcp.web.test")
        h.put([{"matchers": [{"prefix": "/kept"}], "routeAction": REF("srv"),
                "options": {"autoHostRewrite": False}},
               {"matchers": [{"prefix": "/"}], "routeAction": REF("srv")}])
        e2e.wait_until("the service", lambda: h.get(host="outer.example")[0] == 200, 40)
        equal(h.seen()[1]["host"], "app.test")
        h.get("/kept", host="outer.example")
        equal(h.seen()[1]["host"], "outer.example")
        # Said twice that there is none: it is believed, and says so.
        zone.write_text("")
        dns.send_signal(signal.SIGHUP)
        e2e.wait_until("the service to be gone", lambda: h.get()[0] == 503, 20)
        reason = h.gateway.get("/v1/upstreams/gloo-system/srv")["status"]["reason"]
        check("_http._tcp.web.test" in reason, reason)
        stale = h.gateway.metrics()["gloo_gateway_dns_stale_names"]
        check(stale >= 1, stale)
    finally:
        if dns.poll() is None:
            dns.terminate()
            dns.wait()
        h.gateway.write_settings("")


LARGE = random.Random(3).randbytes(300000)


class UnixOrigin:
    """Answers each connection's requests with its own words, at a path; /large with more."""

    def __init__(self, path):
        import socketserver
        import threading
        seen = self.seen = []

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                while True:
                    line = self.rfile.readline()
                    if not line:
                        return
                    headers = {}
                    for field in iter(self.rfile.readline, b"\r\n"):
                        name, _, value = field.decode("latin-1").partition(":")
                        headers[name.lower()] = value.strip()
                    seen.append((line.decode(), headers))
                    body = LARGE if "/large" in line.decode() else b"unix"
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
                                     + body)

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True
        self.server = Server(str(path), Handler)
        os.chmod(path, 0o666)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def full_queue(h, path):
    """a unix socket whose queue is full is waited for, as TCP does, until connectTimeout"""
    os.unlink(path)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    os.chmod(path, 0o666)
    listener.listen(0)
    first = socket.socket(socket.AF_UNIX)
    first.connect(str(path))
    upstream = json.loads(h.gateway.api("GET", "/v1/upstreams/gloo-system/pipe")[1])
    upstream.pop("status", None)
    upstream.pop("healthChecks", None)
    upstream["connectionConfig"] = {"connectTimeout": "400ms"}
    equal(h.gateway.api("PUT", "/v1/upstreams/gloo-system/pipe", upstream)[0], 200)
    began = time.monotonic()
    check(h.get()[0] in (502, 503, 504))
    check(time.monotonic() - began >= 0.35, time.monotonic() - began)
    began = time.monotonic()
    equal(e2e.talk(h.lab.out, h.lab.address, 8081, b"ping"), b"")
    check(time.monotonic() - began >= 0.35, time.monotonic() - began)
    upstream["connectionConfig"] = {"connectTimeout": "20s"}
    upstream["metadata"].pop("resourceVersion", None)
    equal(h.gateway.api("PUT", "/v1/upstreams/gloo-system/pipe", upstream)[0], 200)
    got = []
    client = threading.Thread(target=lambda: got.append(h.get()))
    client.start()
    listener.settimeout(20 * e2e.PATIENCE)
    listener.accept()[0].close()
    c = listener.accept()[0]
    while b"\r\n\r\n" not in c.recv(65536):
        pass
    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nroom")
    client.join(20)
    equal([g[2] for g in got], [b"room"])
    # The same by TCP.
    again = socket.socket(socket.AF_UNIX)
    again.connect(str(path))
    client = threading.Thread(target=lambda: got.append(
        e2e.talk(h.lab.out, h.lab.address, 8081, b"ping", half_close=True)))
    client.start()
    listener.accept()[0].close()
    while (r := listener.accept()[0]).recv(100) != b"ping":
        r.close()
    r.sendall(b"pong")
    r.close()
    client.join(20)
    equal(got[-1], b"pong")
    for s in (first, again, listener, c):
        s.close()


def test_pipe(h):
    """an upstream that is a unix socket: requests, health, TCP; only where settings allow it"""
    path = h.gateway.dir / "app.sock"
    origin = UnixOrigin(path)
    us = lambda: h.gateway.get("/v1/upstreams/gloo-system/pipe")["status"]
    try:
        h.gateway.glooctl("create", "upstream", "pipe", "--name", "pipe", "--pipe-path", str(path), ok=(0, 2))
        h.put([{"matchers": [{"prefix": "/"}], "routeAction": REF("pipe")}])
        equal(h.get()[0], 502)
        check("proxy.unixSockets" in us()["reason"], us())
        # A reload says that it is not enough, and so does the upstream still.
        h.gateway.write_settings("proxy: { workers: 2, unixSockets: true }\n")
        h.gateway.process.send_signal(signal.SIGHUP)
        e2e.wait_until("the reload", lambda: "proxy.unixSockets takes effect at the next restart"
                       in h.gateway.log_text())
        check("proxy.unixSockets" in us()["reason"], us())
        equal(h.get()[0], 502)
        h.gateway.stop()
        h.gateway.start()
        e2e.wait_until("the socket to be asked", lambda: h.get(host="outer.example")[2] == b"unix")
        equal(origin.seen[-1][1]["host"], "outer.example")
        check(h.get("/large")[2] == LARGE, "a large answer")
        check("reason" not in us(), us())
        wide = h.gateway.glooctl("get", "upstream", "pipe", "-o", "wide")
        check(f"unix:{path}" in str(wide), wide)
        # Health goes by the same way.
        status, text = h.gateway.api("GET", "/v1/upstreams/gloo-system/pipe")
        upstream = json.loads(text)
        upstream["healthChecks"] = [{"timeout": "1s", "interval": "100ms", "unhealthyThreshold": 1,
                                     "healthyThreshold": 1, "reuseConnection": False,
                                     "httpHealthCheck": {"path": "/health"}}]
        upstream.pop("status", None)
        equal(h.gateway.api("PUT", "/v1/upstreams/gloo-system/pipe", upstream)[0], 200)
        e2e.wait_until("a check", lambda: any("/health" in line for line, _ in origin.seen))
        equal(next(f["host"] for line, f in origin.seen if "/health" in line), "localhost")
        # TCP, relayed.
        gateway = {"metadata": {"name": "raw"}, "bindAddress": "0.0.0.0", "bindPort": 8081,
                   "tcpGateway": {"tcpHosts": [{"name": "raw", "destination": {
                       "single": {"upstream": {"name": "pipe", "namespace": "gloo-system"}}}}]}}
        check(h.gateway.api("PUT", "/v1/gateways/gloo-system/raw", gateway)[0] in (200, 201))
        got = e2e.talk(h.lab.out, h.lab.address, 8081, b"GET /raw HTTP/1.1\r\nHost: r\r\n\r\n",
                       half_close=True)
        check(got.endswith(b"unix"), got)
        # TLS with it fails: it is named by its path.
        upstream["sslConfig"] = {"sni": "pipe.test"}
        upstream["metadata"].pop("resourceVersion", None)
        equal(h.gateway.api("PUT", "/v1/upstreams/gloo-system/pipe", upstream)[0], 200)
        e2e.wait_until("TLS to fail", lambda: h.get()[0] != 200 and
                       f"TLS with unix:{path} fails" in us().get("reason", ""))
        check(f"TLS with endpoint unix:{path} fails" in h.gateway.log_text())
        del upstream["sslConfig"]
        equal(h.gateway.api("PUT", "/v1/upstreams/gloo-system/pipe", upstream)[0], 200)
        origin.close()
        e2e.wait_until("the check to fail", lambda: "is up: unix:" in us().get("reason", ""))
        full_queue(h, path)
        h.gateway.api("DELETE", "/v1/gateways/gloo-system/raw")
    finally:
        h.gateway.write_settings("")


if __name__ == "__main__":
    e2e.main(globals())
