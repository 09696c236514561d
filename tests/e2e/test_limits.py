"""The limits of the settings: raw bytes over each, what the client got, what
reached the origin, and the counter. Two are tested elsewhere: callBytes in
tests/unit/proxy/test_call.c, blockedSources in tests/unit/control/test_blocks.c."""
import contextlib
import re
import resource
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import check, equal

SETTINGS = """\
limits:
  headBytes: 4096
  targetBytes: 1024
  fields: 20
  headTimeout: 1s
  idleTimeout: 1500ms
  bodyIdleTimeout: 2s
  bodyRate: 1000
  bodyRateGrace: 1s
  bodyBytes: 10000
  rateLimitEntries: 1024
"""
BIG = 8 << 20


class Limits:
    def __init__(self):
        self.lab = e2e.Lab()
        self.origin = e2e.Origin(self.lab.gw, self.answer)
        self.gateway = e2e.Gateway(self.lab, SETTINGS).start()
        self.gateway.upstream("origin", self.origin.host)
        self.gateway.route("/", "origin")

    def answer(self, request, connection):
        if request.startswith(b"GET /big "):
            # As a socket takes it, until the gateway gives up.
            return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG + b"x" * BIG
        if request.startswith(b"GET /never "):
            return None
        return e2e.simple_answer(request, connection)

    def counter(self, name):
        return self.gateway.metric("gloo_gateway_listener_" + name)

    def connect(self, ns=None, address=None, **more):
        with e2e.Namespace(ns or self.lab.out):
            return socket.create_connection((address or self.lab.address, 8080),
                                            timeout=20 * e2e.PATIENCE, **more)

    def service(self, name, upstream, rate_limits=(), **options):
        """A virtual service of that domain, all of whose paths lead there."""
        status, text = self.gateway.api("PUT", f"/v1/virtualservices/gloo-system/{name}", {
            "metadata": {"name": name, "namespace": "gloo-system"}, "virtualHost": {
                "domains": [name], "options": {"rateLimits": list(rate_limits)},
                "routes": [{"matchers": [{"prefix": "/"}], "options": options, "routeAction": {
                    "single": {"upstream": {"name": upstream}}}}]}})
        equal(status, 200, text)

    def settings(self, old, new):
        """Changes the settings by a reload. A generation that is enforced after it
        says that the workers have them."""
        self.gateway.write_settings(SETTINGS.replace(old, new) if old else SETTINGS + new)
        before = self.gateway.log_text().count("reloading")
        self.gateway.process.send_signal(signal.SIGHUP)
        e2e.wait_until("the reload", lambda: self.gateway.log_text().count("reloading") > before)
        status, text = self.gateway.api("PUT", "/v1/virtualservices/gloo-system/tick", {
            "metadata": {"name": "tick", "namespace": "gloo-system"},
            "virtualHost": {"domains": [f"tick{before}.example"]}})
        equal(status, 200, text)


def setup():
    return Limits()


def teardown(l):
    try:
        l.gateway.close()
    finally:
        l.origin.close()
        l.lab.close()


def rest(s):
    """All that comes until the end; a reset is an end."""
    got = b""
    try:
        while part := s.recv(65536):
            got += part
    except ConnectionResetError:
        pass
    return got


def statuses(got):
    return [int(m) for m in re.findall(rb"HTTP/1\.1 (\d{3}) ", got)]


def refused(l, counter, status, data, head_reached=False):
    """Sends data; that answer, then the end; one more in the counter alone."""
    names = ("limit_head", "limit_fields", "limit_target", "limit_head_timeout", "limit_body",
             "limit_body_slow", "limit_answer_slow", "limit_connections",
             "limit_connections_source", "bad_requests")
    before = {n: l.counter(n) for n in names}
    l.origin.forget()
    s = l.connect()
    for part in data if isinstance(data, list) else [data]:
        s.sendall(part)
    got = rest(s)
    s.close()
    equal(statuses(got), [status], got[:300])
    check(b"connection: close" in got.lower(), got[:300])
    reached = l.origin.received()
    if head_reached:
        check(e2e.split_request(reached)[0] is None, "a complete request:", reached[-200:])
    else:
        equal(reached, b"", "reached the origin")
    e2e.wait_until("the counter", lambda: l.counter(counter) > before[counter])
    equal({n: l.counter(n) - before[n] for n in names},
          {n: int(n == counter) for n in names})


def test_head_bytes(l):
    """headBytes: 431"""
    refused(l, "limit_head", 431, b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 5000 + b"\r\n\r\n")


def test_fields(l):
    """fields: 431"""
    refused(l, "limit_fields", 431, b"GET / HTTP/1.1\r\nHost: h\r\n"
            + b"".join(b"X%d: a\r\n" % i for i in range(30)) + b"\r\n")


def test_target(l):
    """targetBytes: 414"""
    refused(l, "limit_target", 414, b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\nHost: h\r\n\r\n")


def test_within(l):
    """at each limit, not over it: 200"""
    line = b"GET /" + b"a" * 1023 + b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
    fields = b"".join(b"X%d: a\r\n" % i for i in range(17))
    filler = b"X: " + b"a" * (4096 - len(line) - len(fields) - 3 - 4) + b"\r\n\r\n"
    equal(len(line + fields + filler), 4096)
    s = l.connect()
    s.sendall(line + fields + filler)
    equal(statuses(rest(s)), [200])
    for body in (b"Content-Length: 10000\r\n\r\n" + b"b" * 10000,
                 b"Transfer-Encoding: chunked\r\n\r\n2710\r\n" + b"b" * 10000 + b"\r\n0\r\n\r\n"):
        s = l.connect()
        s.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + body)
        equal(statuses(rest(s)), [200])


def test_head_timeout(l):
    """headTimeout: 408, also for a head that drips"""
    refused(l, "limit_head_timeout", 408, b"GET / HTTP/1.1\r\nHos")
    s = l.connect()
    start = time.monotonic()
    got = drip(s, b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 200, 0.05)
    equal(statuses(got), [408])
    check(0.9 < time.monotonic() - start < 5 * e2e.PATIENCE)


def drip(s, data, pause):
    """A byte each pause until an answer comes; all that comes."""
    s.settimeout(pause)
    for i in range(len(data)):
        try:
            s.sendall(data[i:i + 1])
            got = s.recv(65536)
            s.settimeout(10 * e2e.PATIENCE)
            return got + rest(s)
        except socket.timeout:
            pass
        except ConnectionResetError:
            return b""
    raise AssertionError("no answer to all of the dripping")


def test_idle_timeout(l):
    """idleTimeout: closed without an answer, counted"""
    before = l.counter("idle_closed")
    s = l.connect()
    equal(rest(s), b"")
    equal(l.counter("idle_closed") - before, 1)


def test_upstream_idle_timeout(l):
    """upstreamIdleTimeout: a kept connection to the origin is closed, counted"""
    l.settings(None, "  upstreamIdleTimeout: 300ms\n")
    try:
        def closed():
            return l.gateway.metric("gloo_gateway_upstream_idle_closed",
                                    upstream="gloo-system.origin")
        before = closed()
        s = l.connect()
        s.sendall(b"GET /once HTTP/1.1\r\nHost: h\r\n\r\n")
        check(s.recv(4096).startswith(b"HTTP/1.1 200"), "answered")
        e2e.wait_until("it to be closed", lambda: closed() > before)
        s.close()
    finally:
        l.settings("", "")


def test_body_length(l):
    """bodyBytes: 413 by Content-Length, and nothing reaches the origin"""
    refused(l, "limit_body", 413, b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10001\r\n\r\nabc")
    refused(l, "limit_body", 413, b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n"
            b"Expect: 100-continue\r\n\r\n")


def test_body_chunks(l):
    """bodyBytes: 413 when chunks exceed it, the origin sees no complete request"""
    chunk = b"3e8\r\n" + b"c" * 1000 + b"\r\n"
    head = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    refused(l, "limit_body", 413, [head] + [chunk] * 10 + [b"1\r\nx\r\n"], True)
    refused(l, "limit_body", 413, head + chunk * 10 + b"1\r\nx\r\n0\r\n\r\n", True)


def test_body_reload(l):
    """bodyBytes made less by a reload holds for the next request, not for the one in work"""
    without_rate = SETTINGS.replace("bodyRate: 1000", "bodyRate: 0").replace(
        "bodyIdleTimeout: 2s", "bodyIdleTimeout: 30s")
    l.settings(SETTINGS, without_rate)
    for head, body, last in (
            (b"Content-Length: 8000", b"r" * 4000, b""),
            (b"Transfer-Encoding: chunked", b"fa0\r\n" + b"r" * 4000 + b"\r\n", b"0\r\n\r\n")):
        post = b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + head + b"\r\n\r\n"
        s = l.connect()
        s.sendall(post + body)
        e2e.wait_until("the request to be in work", lambda: l.counter("requests_active") == 1)
        l.settings(SETTINGS, without_rate.replace("bodyBytes: 10000", "bodyBytes: 500"))
        refused(l, "limit_body", 413, post + body + last, b"chunked" in head)
        s.sendall(body + last)
        equal(statuses(rest(s)), [200], head)
        l.settings(SETTINGS, without_rate)
    l.settings("", "")


def test_body_idle(l):
    """bodyIdleTimeout: 408 when the body stands still"""
    l.settings("bodyRate: 1000", "bodyRate: 0")
    try:
        start = time.monotonic()
        refused(l, "limit_body_slow", 408,
                b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n1234", True)
        check(time.monotonic() - start > 1.9)
    finally:
        l.settings("", "")


def test_body_rate(l):
    """bodyRate: 408 to a body that drips, the origin sees no complete request"""
    for framing, field, data in (
            ("length", b"Content-Length: 9999", b"x" * 400),
            ("chunked", b"Transfer-Encoding: chunked", b"1\r\nx\r\n" * 70)):
        before = l.counter("limit_body_slow")
        l.origin.forget()
        s = l.connect()
        s.sendall(b"POST / HTTP/1.1\r\nHost: h\r\n" + field + b"\r\n\r\n")
        start = time.monotonic()
        got = drip(s, data, 0.02)
        took = time.monotonic() - start
        check(statuses(got) in ([408], []), framing, got)
        check(0.9 < took < 5 * e2e.PATIENCE, framing, took)
        check(e2e.split_request(l.origin.received())[0] is None, framing)
        e2e.wait_until("the counter", lambda: l.counter("limit_body_slow") == before + 1)


def test_body_rate_enough(l):
    """bodyRate: a body that is faster passes, however long it takes"""
    # By the clock, at four times the rate: a late piece is made up for.
    l.settings("bodyBytes: 10000", "bodyBytes: 20000")
    try:
        s = l.connect()
        s.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
                  b"Content-Length: 12800\r\n\r\n")
        start = time.monotonic()
        for i in range(40):
            threading.Event().wait(max(0, start + i * 0.08 - time.monotonic()))
            s.sendall(b"y" * 320)
        equal(statuses(rest(s)), [200])
    finally:
        l.settings("", "")


@contextlib.contextmanager
def sloth(l, idle):
    """A client whose body is larger than sockets hold, and the listener of its
    origin, which takes what it is made to: (client, listener, size)."""
    l.settings("bodyIdleTimeout: 2s\n  bodyRate: 1000\n  bodyRateGrace: 1s\n  bodyBytes: 10000",
               f"bodyIdleTimeout: {idle}\n  bodyRate: 1000\n  bodyRateGrace: 1s\n  bodyBytes: 0")
    with e2e.Namespace(l.lab.gw):
        listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(20 * e2e.PATIENCE)
    l.gateway.upstream("sloth", f"127.0.0.1:{listener.getsockname()[1]}")
    l.service("sloth", "sloth")
    size = 16 << 20

    def send():
        with contextlib.suppress(OSError):  # it may be refused before its end
            s.sendall(b"POST / HTTP/1.1\r\nHost: sloth\r\nConnection: close\r\n"
                      b"Content-Length: %d\r\n\r\n" % size + b"z" * size)
    try:
        with l.connect() as s:
            threading.Thread(target=send, daemon=True).start()
            yield s, listener, size
    finally:
        listener.close()
        l.gateway.glooctl("delete", "virtualservice", "sloth")
        l.gateway.glooctl("delete", "upstream", "sloth")
        l.settings("", "")


def test_body_rate_slow_origin(l):
    """bodyRate: an origin that does not take the body is not the client's fault"""
    before = l.counter("limit_body_slow")
    with sloth(l, "30s") as (s, listener, size):
        try:
            origin, _ = listener.accept()
        except OSError:
            raise AssertionError(rest(s)[:300]) from None
        got = 0
        for _ in range(30):  # 3 s, faster than the idle timeout, slower than the client
            got += len(origin.recv(16384))
            threading.Event().wait(0.1)
        origin.settimeout(20 * e2e.PATIENCE)
        while got < size:
            part = origin.recv(1 << 20)
            check(part, "cut after", got)
            got += len(part)
        origin.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        equal(statuses(rest(s)), [200])
        origin.close()
    equal(l.counter("limit_body_slow"), before)


def timed_out(l, upstream):
    return l.gateway.metric("gloo_gateway_upstream_request_timeout",
                            upstream=f"gloo-system.{upstream}")


def test_body_idle_origin(l):
    """bodyIdleTimeout: 504 when it is the origin that does not take the body, counted as its"""
    before = l.counter("limit_body_slow")
    with sloth(l, "1s") as (s, _, _):
        start = time.monotonic()
        got = rest(s)
        check(time.monotonic() - start > 0.9)
        equal(statuses(got), [504], got[:300])
        check(b"did not take the request in time" in got, got[:300])
        equal(timed_out(l, "sloth"), 1)
    equal(l.counter("limit_body_slow"), before)


def test_stream_idle(l):
    """streamIdleTimeout: 504 on a route without a timeout when no answer comes, counted"""
    l.service("stream", "origin", timeout="0s")
    l.settings(None, "  streamIdleTimeout: 500ms\n")
    try:
        before = timed_out(l, "origin")
        with l.connect() as s:
            start = time.monotonic()
            s.sendall(b"GET /never HTTP/1.1\r\nHost: stream\r\nConnection: close\r\n\r\n")
            got = rest(s)
            check(0.4 < time.monotonic() - start < 5 * e2e.PATIENCE)
        equal(statuses(got), [504], got[:300])
        equal(timed_out(l, "origin") - before, 1)
    finally:
        l.gateway.glooctl("delete", "virtualservice", "stream")
        l.settings("", "")


def test_rate_limit_entries(l):
    """rateLimitEntries: more keys than that refuse nobody, free nobody, and are counted"""
    entries, keys = 1024, 2000
    l.service("keys", "origin", rate_limits=[
        {"name": "key", "key": "header", "header": "X-Key", "rate": 3, "unit": "HOUR"}])

    def replaced():
        return l.gateway.metric("gloo_gateway_limit_replaced")
    with l.connect() as s:
        def get(key):
            s.sendall(b"GET / HTTP/1.1\r\nHost: keys\r\nX-Key: %s\r\n\r\n" % key)
            got = b""
            while e2e.split_request(got)[0] is None:
                part = s.recv(65536)
                check(part, "closed after", got)
                got += part
            return statuses(got)[0]
        equal([get(b"spent") for _ in range(4)], [200, 200, 200, 429])
        equal(replaced(), 0)
        equal({get(b"%d" % i) for i in range(keys)}, {200})
        equal(get(b"spent"), 429)
    count = int(replaced())
    check(keys - entries < count < keys, count)
    l.gateway.glooctl("delete", "virtualservice", "keys")
    return f"{count} replaced"


def small_window(l):
    s = e2e.small_window(l.lab)
    s.sendall(b"GET /big HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    return s


def read_slowly(l, pause):
    """GET /big with a small window; reads a little each pause. Returns bytes
    read, seconds, and the gateway's memory growth on the way."""
    pid = l.gateway.proxy_pid()
    before = e2e.memory_kb(pid)
    s = small_window(l)
    start, got, grown = time.monotonic(), 0, 0
    e2e.wait_until("the request to be in work", lambda: l.counter("requests_active") == 1)
    while time.monotonic() - start < 30 * e2e.PATIENCE and l.counter("requests_active"):
        if pause:
            got += len(s.recv(20))
        threading.Event().wait(pause or 0.1)
        grown = max(grown, e2e.memory_kb(pid) - before)
    s.close()
    return got, time.monotonic() - start, grown


def test_answer_idle(l):
    """a client that does not read: a bounded buffer, then it is cut off and counted"""
    before = l.counter("limit_answer_slow")
    _, took, grown = read_slowly(l, 0)
    equal(l.counter("limit_answer_slow") - before, 1)
    check(1.9 < took < 10 * e2e.PATIENCE, took)
    if not e2e.SANITIZED:
        check(grown < 1024, f"{grown} kB for one slow reader")
    return f"{took:.1f} s, {grown} kB"


def test_answer_rate(l):
    """a client that reads 200 bytes a second is cut off and counted"""
    before = l.counter("limit_answer_slow")
    got, took, grown = read_slowly(l, 0.1)
    check(got > 100, got)
    equal(l.counter("limit_answer_slow") - before, 1)
    check(1.9 < took < 10 * e2e.PATIENCE, took)
    return f"{took:.1f} s, {grown} kB"


def test_answer_rate_enough(l):
    """a client that reads 10 kB a second gets all of it"""
    before = l.counter("limit_answer_slow")
    s = small_window(l)
    got, start = 0, time.monotonic()
    while time.monotonic() - start < 6:
        part = s.recv(1000)
        check(part, "cut off after", got)
        got += len(part)
        threading.Event().wait(0.1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    check(got + len(rest(s)) > BIG, "cut off")
    equal(l.counter("limit_answer_slow"), before)


def crowd(l, count, ns=None, address=None, source=None):
    """Opens so many connections, each with a request; (those answered, the
    number refused)."""
    kept, lost = [], 0
    for _ in range(count):
        s = None
        try:
            s = l.connect(ns, address, source_address=(source, 0) if source else None)
            s.sendall(b"GET /crowd HTTP/1.1\r\nHost: h\r\n\r\n")
            got = s.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            got = b""
        if got:
            equal(statuses(got), [200])
            kept.append(s)
        else:
            lost += 1
            if s:
                s.close()
    return kept, lost


def close_all(l, sockets):
    for s in sockets:
        s.close()
    e2e.wait_until("the connections to end", lambda: l.counter("connections_open") == 0)


def test_connections(l):
    """connections: those over it, in all workers together, are reset and counted"""
    close_all(l, [])  # also those of tests before
    l.settings("", "  connections: 5\n")
    before = l.counter("limit_connections")
    l.origin.forget()
    kept, lost = crowd(l, 9)
    equal((len(kept), lost, l.counter("limit_connections") - before), (5, 4, 4))
    equal(l.origin.received().count(b"GET /crowd "), 5)
    close_all(l, kept)
    kept, lost = crowd(l, 5)
    equal((len(kept), lost), (5, 0), "places are given back")
    close_all(l, kept)
    equal(l.counter("connections_accepted"),
          l.counter("connections_closed") + l.counter("connections_open"))
    l.settings("", "")


def test_connections_per_source(l):
    """connectionsPerSource: reset and counted; other sources, loopback and trusted ones not"""
    close_all(l, [])
    l.settings("", "  connectionsPerSource: 3\n")
    e2e.run("ip", "addr", "add", "10.98.0.3/24", "dev", "eth0", ns=l.lab.out)
    for a in ("fd98::3/64", "fd98:0:0:1::2/64"):
        e2e.run("ip", "-6", "addr", "add", a, "dev", "eth0", "nodad", ns=l.lab.out)
    e2e.run("ip", "-6", "route", "add", "fd98:0:0:1::/64", "dev", "gg0", ns=l.lab.gw)
    counter = lambda: l.counter("limit_connections_source")
    before = counter()
    l.origin.forget()
    first, lost = crowd(l, 5)
    equal((len(first), lost, counter() - before), (3, 2, 2))
    equal(l.origin.received().count(b"GET /crowd "), 3)
    other, lost = crowd(l, 4, source="10.98.0.3")
    equal((len(other), lost), (3, 1), "another address")
    v6, lost = crowd(l, 2, address=l.lab.address6, source="fd98::2")
    v6b, lost2 = crowd(l, 2, address=l.lab.address6, source="fd98::3")
    equal((len(v6) + len(v6b), lost + lost2), (3, 1), "one /64 is one source")
    v6c, lost = crowd(l, 2, address=l.lab.address6, source="fd98:0:0:1::2")
    equal((len(v6c), lost), (2, 0), "another /64")
    local, lost = crowd(l, 6, ns=l.lab.gw, address="127.0.0.1")
    equal((len(local), lost), (6, 0), "loopback")
    close_all(l, first + other + v6 + v6b + v6c + local)
    before = counter()
    l.settings("", "  connectionsPerSource: 3\ntrustedProxies: [ 10.98.0.3, \"fd98::/64\" ]\n")
    trusted, lost = crowd(l, 6, source="10.98.0.3")
    equal((len(trusted), lost), (6, 0), "a trusted proxy")
    trusted6, lost = crowd(l, 6, address=l.lab.address6)
    equal((len(trusted6), lost, counter() - before), (6, 0, 0), "a trusted prefix")
    first, lost = crowd(l, 4)
    equal((len(first), lost, counter() - before), (3, 1, 1), "the others go on being limited")
    close_all(l, first + trusted + trusted6)
    l.settings("", "  connectionsPerSource: 0\n")
    many, lost = crowd(l, 20)
    equal((len(many), lost), (20, 0), "off")
    close_all(l, many)
    l.settings("", "")


def test_idle_memory(l):
    """a kept connection without a request costs at most 0.7 kB of the proxy's memory"""
    if e2e.SANITIZED:
        raise e2e.Skip("a sanitizer's memory is its own")
    count = 4000
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < count + 200:
        raise e2e.Skip(f"only {hard} descriptors are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 200, hard))
    l.settings("idleTimeout: 1500ms", "idleTimeout: 10m\n  connectionsPerSource: 0")
    first, _ = crowd(l, 100)
    before = e2e.memory_kb(l.gateway.proxy_pid())
    kept, lost = crowd(l, count - 100)
    each = (e2e.memory_kb(l.gateway.proxy_pid()) - before) * 1024 / len(kept)
    close_all(l, first + kept)
    l.settings("", "")
    equal(lost, 0)
    check(each <= 700, f"{each:.0f} bytes each")
    return f"{each:.0f} bytes each"


def test_sums(l):
    """the counters add up after all of this"""
    e2e.wait_until("all to end", lambda: l.counter("connections_open") == 0)
    equal(l.counter("connections_accepted"), l.counter("connections_closed"))
    equal(l.counter("requests_active"), 0)
    equal(l.counter("requests"), sum(l.counter("responses_" + r) for r in (
        "2xx", "3xx", "4xx", "5xx", "aborted")))


def test_descriptors(l):
    """connections: never more than there are descriptors, and those that came are served"""
    l.gateway.stop()
    script = l.gateway.dir / "few"
    script.write_text(f"#!/bin/sh\nulimit -n 400\nexec {e2e.DAEMON} \"$@\"\n")
    script.chmod(0o755)
    few = e2e.Gateway(l.lab, binary=str(script)).start()
    try:
        few.upstream("origin", l.origin.host)
        few.route("/", "origin")
        counter = lambda n: few.metric("gloo_gateway_listener_" + n)
        kept, lost = crowd(l, 330)
        equal((len(kept), lost, counter("limit_connections")), (300, 30, 30))
        kept[-1].sendall(b"GET /last HTTP/1.1\r\nHost: h\r\n\r\n")
        equal(statuses(kept[-1].recv(65536)), [200])
        equal(counter("accept_failed"), 0)
        for s in kept:
            s.close()
    finally:
        few.close()


if __name__ == "__main__":
    e2e.main(globals())
