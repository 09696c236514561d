"""Hostile requests, raw bytes: what reached the origin and what reached the
client. The numbers are those of the project's list of bad inputs (A framing,
B syntax, C target and host, D hop-by-hop and trust). A request is refused and
not one byte of it reaches the origin, or what is forwarded is one strictly
valid message."""
import re
import sys

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import check, equal

TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
TARGET = re.compile(rb"/[!$&-;=?-Z_a-z~%\[\]'()*+,./:@]*$")
HOP = (b"connection", b"keep-alive", b"proxy-connection", b"te", b"upgrade", b"trailer",
       b"http2-settings")


class Wall:
    def __init__(self):
        self.lab = e2e.Lab()
        self.origin = e2e.Origin(self.lab.gw)
        self.gateway = e2e.Gateway(self.lab).start()
        self.gateway.upstream("origin", self.origin.host)
        self.gateway.route("/", "origin")

    def send(self, data, seconds=3, expect=None, half_close=True):
        self.origin.forget()
        return e2e.talk(self.lab.out, self.lab.address, 8080, data, seconds,
                        half_close=half_close, expect=expect)

    def completed(self):
        """Did a whole request reach the origin, on any one connection?"""
        return any(e2e.split_request(c["bytes"])[0] for c in self.origin.connections)


def setup():
    return Wall()


def teardown(w):
    try:
        w.gateway.close()
    finally:
        w.origin.close()
        w.lab.close()


def strict_messages(data):
    """Every request in what reached the origin, or a complaint."""
    messages = []
    while data:
        end = data.find(b"\r\n\r\n")
        check(end >= 0, "no end of the head:", data)
        lines = data[:end].split(b"\r\n")
        parts = lines[0].split(b" ")
        check(len(parts) == 3 and TOKEN.match(parts[0]) and parts[2] == b"HTTP/1.1", lines[0])
        check(TARGET.match(parts[1]) or parts[1] == b"*", "target:", lines[0])
        fields = []
        for line in lines[1:]:
            name, colon, value = line.partition(b":")
            check(colon and TOKEN.match(name), "field:", line)
            value = value.strip(b" \t")
            check(not re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", value), "value:", line)
            fields.append((name.lower(), value))
        names = [n for n, _ in fields]
        check(names.count(b"host") == 1, "one Host:", names)
        for hop in HOP:
            check(hop not in names, "hop-by-hop field went on:", hop)
        body = data[end + 4:]
        cl = [v for n, v in fields if n == b"content-length"]
        te = [v for n, v in fields if n == b"transfer-encoding"]
        check(len(cl) + len(te) <= 1, "one framing:", fields)
        if te:
            equal(te, [b"chunked"])
            whole, rest = e2e.split_request(data)
            check(whole, "incomplete chunked body:", data)
        elif cl:
            check(cl[0].isdigit(), cl)
            n = int(cl[0])
            check(len(body) >= n, "incomplete body:", data)
            rest = body[n:]
        else:
            rest = body
        messages.append((parts[0], parts[1], dict(fields), data[:len(data) - len(rest)]))
        data = rest
    return messages


def req(line="GET /x HTTP/1.1", *fields, body="", host="Host: h"):
    text = line + "\r\n" + "".join(f + "\r\n" for f in ((host,) if host else ()) + fields)
    out = (text + "\r\n").encode("latin-1")
    return out + (body.encode("latin-1") if isinstance(body, str) else body)


def statuses(got):
    return [int(m) for m in re.findall(rb"HTTP/1\.1 (\d{3}) ", got)]


def refused(w, what, data, allowed=(400,)):
    got = w.send(data)
    first = statuses(got)[:1]
    origin = w.origin.received()
    check(origin == b"", f"{what}: reached the origin: {origin!r}")
    if allowed == "close":
        check(got == b"", f"{what}: expected silence, got {got!r}")
    else:
        check(first and first[0] in allowed, f"{what}: answered {got[:200]!r}")
        check(b"connection: close" in got.lower(), f"{what}: stays open: {got[:200]!r}")
        equal(len(statuses(got)), 1, what)


def clean(w, what, data, count=1, status=200, expect_body=None):
    got = w.send(data)
    messages = strict_messages(w.origin.received())
    equal(len(messages), count, what)
    equal(statuses(got), [status] * count, f"{what}: {got!r}")
    return messages


def rows(w, table):
    for row in table:
        refused(w, *row)
    return f"{len(table)} inputs"


CHUNKED = "Transfer-Encoding: chunked"


def test_a1(w):
    """A1 Content-Length with Transfer-Encoding is refused"""
    return rows(w, [
        ("CL then TE", req("POST /x HTTP/1.1", "Content-Length: 5", CHUNKED,
                           body="0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n")),
        ("TE then CL", req("POST /x HTTP/1.1", CHUNKED, "Content-Length: 5", body="0\r\n\r\n")),
        ("CL 0 and TE", req("POST /x HTTP/1.1", CHUNKED, "Content-Length: 0", body="0\r\n\r\n")),
    ])


def test_a2(w):
    """A2 every Transfer-Encoding but exactly one "chunked" is refused"""
    values = ["gzip, chunked", "chunked, gzip", "chunked;q=1", '"chunked"', "", "identity",
              "gzip", "\x0bchunked", "chunked\x0b", "\x00chunked", "\xa0chunked", ",chunked",
              "chunked,", "chunked\r\n ", "xchunked", "chunked chunked", "cow, chunked"]
    table = [(repr(v), req("POST /x HTTP/1.1", f"Transfer-Encoding: {v}", body="0\r\n\r\n"),
              (400, 501)) for v in values]
    table.append(("two lines", req("POST /x HTTP/1.1", CHUNKED, CHUNKED, body="0\r\n\r\n"),
                  (400, 501)))
    table.append(("space before colon", req("POST /x HTTP/1.1", "Transfer-Encoding : chunked",
                                            body="0\r\n\r\n"), (400, 501)))
    return rows(w, table)


def test_a3(w):
    """A3 Transfer-Encoding in HTTP/1.0 is refused"""
    return rows(w, [("1.0", req("POST /x HTTP/1.0", CHUNKED, body="0\r\n\r\n"), (400, 501))])


def test_a4(w):
    """A4 every odd Content-Length is refused"""
    values = ["+5", "-5", "0x5", "5.0", "5e0", '"5"', "5;", "5 5", "", ",5", "5,", "5,6", "\x005",
              "\xb25", "9223372036854775808", "99999999999999999999999", "1_0", " ", "5a"]
    table = [(repr(v), req("POST /x HTTP/1.1", f"Content-Length: {v}", body="hello"))
             for v in values]
    table.append(("two different", req("POST /x HTTP/1.1", "Content-Length: 5",
                                       "Content-Length: 6", body="hello!")))
    return rows(w, table)


def test_a4_equal(w):
    """A4 two equal lengths are refused or become one"""
    for what, data in (("list", req("POST /x HTTP/1.1", "Content-Length: 5, 5", body="hello")),
                       ("lines", req("POST /x HTTP/1.1", "Content-Length: 5",
                                     "Content-Length: 5", body="hello"))):
        got = w.send(data)
        messages = strict_messages(w.origin.received())
        check((not messages and statuses(got) == [400]) or
              (len(messages) == 1 and messages[0][2][b"content-length"] == b"5"), what, got)


def bad_chunks(w, table):
    """The head may have gone on when the fault shows: the origin then must not
    see a complete message, and the client gets 400 or a cut."""
    for what, body in table:
        got = w.send(req("POST /x HTTP/1.1", CHUNKED, body=body))
        check(not w.completed(), f"{what}: a complete message: {w.origin.received()!r}")
        check(statuses(got) in ([400], []), f"{what}: {got!r}")
    return f"{len(table)} inputs"


def test_a5(w):
    """A5 every odd chunk is refused, and no complete message reaches the origin"""
    return bad_chunks(w, [
        ("sign", "+5\r\nhello\r\n0\r\n\r\n"), ("minus", "-5\r\nhello\r\n0\r\n\r\n"),
        ("0x", "0x5\r\nhello\r\n0\r\n\r\n"), ("underscore", "1_0\r\nhello\r\n0\r\n\r\n"),
        ("leading space", " 5\r\nhello\r\n0\r\n\r\n"), ("inner space", "5 5\r\nhello\r\n0\r\n\r\n"),
        ("17 digits", "00000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("wraps", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("huge", "ffffffffffffffff\r\nhello\r\n0\r\n\r\n"), ("no size", "\r\nhello\r\n0\r\n\r\n"),
        ("no CRLF after data", "5\r\nhelloX\r\n0\r\n\r\n"),
        ("bare LF after size", "5\nhello\r\n0\r\n\r\n"), ("bare LF after data", "5\r\nhello\n0\r\n\r\n"),
        ("bare CR after size", "5\rhello\r\n0\r\n\r\n"), ("LF at the end", "5\r\nhello\r\n0\n\n"),
        ("not hex", "g\r\nhello\r\n0\r\n\r\n"),
    ])


def test_a6(w):
    """A6 chunk extensions are dropped; odd or long ones are refused"""
    m = clean(w, "extension", req("POST /x HTTP/1.1", CHUNKED, "Connection: close",
                                  body="5;a=b;c=\"d\"\r\nhello\r\n0;x\r\n\r\n"))
    check(b"a=b" not in m[0][3] and b"hello" in m[0][3], m)
    return bad_chunks(w, [
        ("control byte", "5;a=\x01\r\nhello\r\n0\r\n\r\n"), ("bare LF", "5;a\nb\r\nhello\r\n0\r\n\r\n"),
        ("bare CR", "5;a\rb\r\nhello\r\n0\r\n\r\n"), ("16 kB", "5;" + "a" * 16384 + "\r\nhello\r\n0\r\n\r\n"),
        ("1 byte each with 1 kB", ("1;" + "a" * 1000 + "\r\nx\r\n") * 500 + "0\r\n\r\n"),
    ])


def test_a7(w):
    """A7 trailers are dropped; forbidden or odd ones are refused"""
    m = clean(w, "trailer", req("POST /x HTTP/1.1", CHUNKED, "Connection: close",
                                body="5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n"))
    check(b"X-T" not in m[0][3], m)
    return bad_chunks(w, [
        (name, f"5\r\nhello\r\n0\r\n{name}\r\n\r\n") for name in (
            "Content-Length: 3", "Transfer-Encoding: chunked", "Host: evil", "Authorization: x",
            "Connection: close", ":path: /", "no colon", "X Y: 1", " folded", "X: \x00",
            "X : 1")])


def test_a8(w):
    """A8 a body on GET is a body; after an early answer it never is a request"""
    clean(w, "GET with a body", req("GET /x HTTP/1.1", "Content-Length: 36", "Connection: close",
                                    body="GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n "))
    w.gateway.glooctl("create", "virtualservice", "--name", "early", "--domains", "early.example")
    body = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
    got = w.send(b"POST /nothing HTTP/1.1\r\nHost: early.example\r\nContent-Length: %d\r\n\r\n"
                 % len(body) + body)
    equal(statuses(got), [404], got)
    equal(w.origin.received(), b"")
    got = w.send(b"POST /nothing HTTP/1.1\r\nHost: early.example\r\nTransfer-Encoding: chunked\r\n"
                 b"\r\n%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n")
    equal(statuses(got), [404], got)
    equal(w.origin.received(), b"")
    w.gateway.glooctl("delete", "virtualservice", "early")


def test_a9(w):
    """A9 pipelined requests are answered in order, each once"""
    data = b"".join(req(f"GET /{i} HTTP/1.1") for i in range(20)) + \
        req("GET /last HTTP/1.1", "Connection: close")
    w.origin.answer = lambda r, c: (b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(
        r.split(b" ")[1])) + r.split(b" ")[1]
    try:
        got = w.send(data)
    finally:
        w.origin.answer = e2e.simple_answer
    bodies = re.findall(rb"\r\n\r\n(/[a-z0-9]+)", got)
    equal(bodies, [b"/%d" % i for i in range(20)] + [b"/last"])
    got = w.send(req() + b"GET /half HT", expect=b"hello", half_close=False)
    equal(statuses(got), [200], "a partial second request does not block the first")


def test_a10(w):
    """A10 Expect: 100-continue once, twice is fine, other values are 417"""
    refused(w, "other", req("POST /x HTTP/1.1", "Expect: 200-ok", "Content-Length: 5",
                            body="hello"), (417,))
    for fields in (("Expect: 100-continue",), ("Expect: 100-continue", "Expect: 100-continue")):
        got = w.send(req("POST /x HTTP/1.1", *fields, "Content-Length: 5", "Connection: close",
                         body="hello"))
        equal([s for s in statuses(got) if s != 100], [200], got)
        check(statuses(got).count(100) <= 1, got)
        m = strict_messages(w.origin.received())
        equal(len(m), 1)
        check(m[0][3].endswith(b"hello"), m)
    # The client waits for the 100 before it sends the body.
    w.origin.forget()
    with e2e.Namespace(w.lab.out):
        import socket
        s = socket.create_connection((w.lab.address, 8080), timeout=5 * e2e.PATIENCE)
    s.sendall(req("POST /x HTTP/1.1", "Expect: 100-continue", "Content-Length: 5"))
    got = b""
    while b"\r\n\r\n" not in got:
        part = s.recv(4096)
        check(part, got)
        got += part
    equal(statuses(got), [100])
    s.sendall(b"hello")
    got = b""
    while b"hello\n" not in got:
        part = s.recv(4096)
        check(part, got)
        got += part
    equal(statuses(got), [200])
    s.close()


def test_a11(w):
    """A11 cut at every byte: nothing of an incomplete head reaches the origin"""
    data = req("POST /cut HTTP/1.1", "X-A: b", "Content-Length: 5", body="hello")
    head = data.index(b"\r\n\r\n") + 4
    for i in range(len(data)):
        got = w.send(data[:i], seconds=2)
        if i < head:
            equal(w.origin.received(), b"", f"cut at {i}")
            check(statuses(got) in ([], [400], [408]), f"cut at {i}: {got!r}")
        else:
            check(not w.completed(), f"cut at {i}: completed for the client")
            check(statuses(got) in ([], [400], [408], [502]), f"cut at {i}: {got!r}")
    e2e.wait_until("no connection left", lambda: w.gateway.metric(
        "gloo_gateway_listener_connections_open") <= 1)
    equal(w.gateway.metric("gloo_gateway_listener_requests_active"), 0)
    return f"{len(data)} cuts"


def test_b12(w):
    """B12 bare CR, bare LF and LF CR line ends are refused"""
    table = []
    for eol in (b"\n", b"\r", b"\n\r", b"\r\r\n"):
        table.append((repr(eol), b"GET /x HTTP/1.1" + eol + b"Host: h" + eol + eol, (400,)))
        table.append((repr(eol) + " in a field", b"GET /x HTTP/1.1\r\nHost: h\r\nX: a" + eol
                      + b"Y: b\r\n\r\n", (400,)))
    # An incomplete head (a lone CR at the end) may also simply be cut.
    for what, data, allowed in table:
        got = w.send(data)
        equal(w.origin.received(), b"", what)
        check(statuses(got) in ([400], []), what, got)
    return f"{len(table)} inputs"


def test_b13(w):
    """B13 field syntax: space before the colon, odd names, control bytes, folding"""
    fields = ["X : a", ": a", "no colon", "X Y: a", "X(: a", "X\x00: a", "X: a\x00b", "X: a\x01",
              "X: a\x7f", "X\x80: a", "X: a\r\n b", "X: a\r\n\tb", "\tX: a", "X\t: a", "X;: a",
              "\"X\": a", "X: \x0b", "X: \x08"]
    table = [(repr(f), req("GET /x HTTP/1.1", f)) for f in fields]
    table.append(("space before the first field", b"GET /x HTTP/1.1\r\n Host: h\r\n\r\n"))
    return rows(w, table)


def test_b14(w):
    """B14 request lines"""
    bad = [("two spaces", "GET  /x HTTP/1.1"), ("tab", "GET\t/x HTTP/1.1"),
           ("space at the end", "GET /x HTTP/1.1 "), ("leading space", " GET /x HTTP/1.1"),
           ("no version", "GET /x"), ("1.2x", "GET /x HTTP/1.2x"), ("lower http", "GET /x http/1.1"),
           ("2.0", "GET /x HTTP/2.0"), ("1.10", "GET /x HTTP/1.10"), ("0.9", "GET /x HTTP/0.9"),
           ("control byte", "GET /\x01 HTTP/1.1"), ("DEL", "GET /\x7f HTTP/1.1"),
           ("8 bit", "GET /\xe9 HTTP/1.1"), ("fragment", "GET /x#f HTTP/1.1"),
           ("no slash", "GET x HTTP/1.1"), ("star", "GET * HTTP/1.1"), ("empty target", "GET  HTTP/1.1"),
           ("space in the target", "GET /a b HTTP/1.1"), ("method with a colon", "G:T /x HTTP/1.1"),
           ("method with brackets", "G[T /x HTTP/1.1"), ("1,1", "GET /x HTTP/1,1"),
           ("NUL", "GET /\x00 HTTP/1.1")]
    return rows(w, [(what, req(line), (400, 501, 505)) for what, line in bad])


def test_b15(w):
    """B15 over limits: 414, 431, 501"""
    got = rows(w, [
        ("target", req("GET /" + "a" * 9000 + " HTTP/1.1"), (414,)),
        ("one field", req("GET /x HTTP/1.1", "X: " + "a" * 70000), (431,)),
        ("many fields", req("GET /x HTTP/1.1", *[f"X{i}: a" for i in range(150)]), (431,)),
        ("long method", req("A" * 100 + " /x HTTP/1.1"), (400, 501)),
    ])
    m = w.gateway.metric
    equal([m("gloo_gateway_listener_limit_" + l) for l in ("target", "head", "fields")],
          [1, 1, 1])
    return got


def test_b16(w):
    """B16 another protocol on the plain port: closed without an answer"""
    return rows(w, [
        ("TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200, "close"),
        ("H2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", "close"),
        ("PROXY v1", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET /x HTTP/1.1\r\nHost: h\r\n\r\n", "close"),
        ("PROXY v2", b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + b"\x01" * 12, "close"),
        ("binary", b"\x80\x2e\x01\x03\x01" + b"\xff" * 40, "close"),
    ])


def test_c17(w):
    """C17 Host: none, two, empty, ill-formed"""
    bad = ["Host:", "Host: a/b", "Host: a?b", "Host: a#b", "Host: u@h", "Host: a\\b", "Host: <h>",
           "Host: a b", "Host: a:80:81", "Host: a:65536", "Host: a:x", "Host: [::1", "Host: ::1",
           "Host: a\x00", "Host: [g]", "Host: a,b", "Host: :80"]
    table = [(h, req("GET /x HTTP/1.1", host=h)) for h in bad]
    table.append(("none", req("GET /x HTTP/1.1", host=None)))
    table.append(("two", req("GET /x HTTP/1.1", "Host: h")))
    table.append(("two different", req("GET /x HTTP/1.1", "Host: other")))
    return rows(w, table)


def test_c18(w):
    """C18 absolute-form: its authority replaces Host, the upstream is the configured one"""
    m = clean(w, "absolute", req("GET http://other.example:81/p?q HTTP/1.1", "Connection: close"))
    equal((m[0][1], m[0][2][b"host"]), (b"/p?q", b"other.example:81"))
    m = clean(w, "no path", req("GET http://169.254.169.254 HTTP/1.1", "Connection: close"))
    equal((m[0][1], m[0][2][b"host"]), (b"/", b"169.254.169.254"))
    return rows(w, [
        ("userinfo", req("GET http://u:p@h/ HTTP/1.1")), ("ftp", req("GET ftp://h/ HTTP/1.1")),
        ("gopher", req("GET gopher://h/ HTTP/1.1")), ("file", req("GET file:///etc/passwd HTTP/1.1")),
        ("no authority", req("GET http:///x HTTP/1.1")), ("bad port", req("GET http://h:99999/ HTTP/1.1")),
    ])


def test_c19(w):
    """C19 CONNECT and TRACE are refused"""
    return rows(w, [("CONNECT", req("CONNECT h:443 HTTP/1.1"), (405, 501)),
                    ("CONNECT path", req("CONNECT /x HTTP/1.1"), (400, 405, 501)),
                    ("TRACE", req("TRACE /x HTTP/1.1"), (405,))])


def test_c21(w):
    """C21 the path is decided once: route and origin see the same string"""
    for sent, seen in ((b"/a/../b", b"/b"), (b"/a/./b", b"/a/b"), (b"/%61bc", b"/abc"),
                       (b"/a%7eb", b"/a~b"), (b"/a%2bb", b"/a%2Bb"), (b"/a//b", b"/a//b"),
                       (b"/a;p/b", b"/a;p/b"), (b"/a/..", b"/"), (b"/x?q=%zz", None),
                       (b"/%2e%2e/a", None), (b"/a?x=../..", b"/a?x=../.."), (b"/a/%2e%2e/b", b"/b")):
        data = b"GET " + sent + b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        if seen is None:
            refused(w, sent, data)
        else:
            equal(clean(w, sent, data)[0][1], seen)
    return rows(w, [(p, req(f"GET {p} HTTP/1.1")) for p in (
        "/a%00b", "/a%0db", "/a%", "/a%2", "/a%zz", "/..", "/a/../../b", "/a%2fb", "/a%5cb",
        "/a\\b", "/%c0%af", "/%ff", "/a%7fb", "/%e0%80%af", "/%ed%a0%80", "/a{b}", "/a|b", "/a\"b",
        "/a<b>", "/a^b", "/a`b")])


def test_c22(w):
    """C22 the host is compared without case and trailing dot, the path with case"""
    w.gateway.glooctl("create", "virtualservice", "--name", "cased", "--domains", "Cased.Example")
    w.gateway.glooctl("add", "route", "--name", "cased", "--path-prefix", "/Up", "--dest-name",
                      "origin")
    for host in ("cased.example", "CASED.EXAMPLE", "cased.example.", "cased.example:8080"):
        clean(w, host, req("GET /Up HTTP/1.1", "Connection: close", host=f"Host: {host}"))
    got = w.send(req("GET /up HTTP/1.1", "Connection: close", host="Host: cased.example"))
    equal(statuses(got), [404])
    w.gateway.glooctl("delete", "virtualservice", "cased")


def test_d23(w):
    """D23 hop-by-hop fields go no further, and cannot strip what counts"""
    m = clean(w, "named", req(
        "GET /x HTTP/1.1", "Connection: close, X-Secret, Keep-Alive", "X-Secret: 1",
        "Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "TE: trailers", "X-Kept: 1"))
    check(b"x-secret" not in m[0][2] and b"x-kept" in m[0][2], m)
    m = clean(w, "protected", req(
        "POST /x HTTP/1.1", "Connection: close, Host, Content-Length, X-Forwarded-For, "
        "Authorization, X-Request-Id", "Content-Length: 5", "Authorization: Basic x",
        body="hello"))
    fields = m[0][2]
    equal((fields[b"host"], fields[b"content-length"], fields[b"authorization"]),
          (b"h", b"5", b"Basic x"))
    equal(fields[b"x-forwarded-for"], b"10.98.0.2")
    check(b"x-request-id" in fields, fields)


def test_d23_response(w):
    """D23 the same on the way back"""
    w.origin.answer = lambda r, c: (
        b"HTTP/1.1 200 OK\r\nConnection: X-Inner\r\nX-Inner: 1\r\nKeep-Alive: timeout=5\r\n"
        b"Proxy-Connection: x\r\nX-Outer: 1\r\nContent-Length: 2\r\n\r\nok")
    try:
        got = w.send(req()).lower()
    finally:
        w.origin.answer = e2e.simple_answer
    check(b"x-outer" in got, got)
    for name in (b"x-inner", b"keep-alive:", b"proxy-connection"):
        check(name not in got, name, got)


def test_d24(w):
    """D24 Upgrade and HTTP2-Settings are never forwarded"""
    for upgrade in ("h2c", "websocket"):
        m = clean(w, upgrade, req(
            "GET /x HTTP/1.1", f"Upgrade: {upgrade}", "Connection: Upgrade, HTTP2-Settings, close",
            "HTTP2-Settings: AAMAAABkAAQAAP__", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13"))
        check(b"upgrade" not in m[0][2] and b"http2-settings" not in m[0][2], m)


def test_d25(w):
    """D25 an unasked 101 is a 502; a flood of 1xx is bounded"""
    w.origin.answer = lambda r, c: (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n"
                                    b"Connection: Upgrade\r\n\r\nraw bytes")
    try:
        got = w.send(req("GET /x HTTP/1.1", "Connection: Upgrade", "Upgrade: x"))
        equal(statuses(got), [502], got)
        check(b"raw bytes" not in got, got)
        w.origin.answer = lambda r, c: b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 1000
        got = w.send(req())
        equal([s for s in statuses(got) if s >= 200], [502], got[-300:])
        w.origin.answer = lambda r, c: (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 5
                                        + e2e.simple_answer(r, c))
        got = w.send(req("GET /x HTTP/1.1", "Connection: close"))
        equal([s for s in statuses(got) if s >= 200], [200], got)
    finally:
        w.origin.answer = e2e.simple_answer


def test_d26(w):
    """D26 forwarding fields from an untrusted client are replaced, twins dropped"""
    m = clean(w, "spoofed", req(
        "GET /x HTTP/1.1", "Connection: close", "X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: https",
        "X-Forwarded-Host: evil", "Forwarded: for=1.2.3.4", "X-Real-IP: 1.2.3.4",
        "X_Forwarded_For: 1.2.3.4", "X_Forwarded-Proto: https", "X-Envoy-Original-Path: /admin",
        "X-Envoy-Expected-Rq-Timeout-Ms: 1", "X-Envoy-Internal: true"))
    fields = m[0][2]
    equal(fields[b"x-forwarded-for"], b"10.98.0.2")
    equal(fields[b"x-forwarded-proto"], b"http")
    for name in (b"x-forwarded-host", b"forwarded", b"x-real-ip", b"x_forwarded_for",
                 b"x_forwarded-proto", b"x-envoy-original-path", b"x-envoy-internal"):
        check(name not in fields, name, fields)
    equal(fields[b"x-envoy-expected-rq-timeout-ms"], b"15000")


def test_d26_trusted(w):
    """D26 a trusted peer's X-Forwarded-For is appended to"""
    w.gateway.write_settings("trustedProxies: [ 10.98.0.0/24 ]\n")
    import signal
    w.gateway.process.send_signal(signal.SIGHUP)
    def appended():
        m = clean(w, "trusted", req("GET /x HTTP/1.1", "Connection: close",
                                    "X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: https"))
        return (m[0][2][b"x-forwarded-for"], m[0][2][b"x-forwarded-proto"]) == (
            b"1.2.3.4, 10.98.0.2", b"https")
    e2e.wait_until("the new setting", appended)
    w.gateway.write_settings("")
    w.gateway.process.send_signal(signal.SIGHUP)
    e2e.wait_until("the old setting", lambda: not appended())


def test_d27(w):
    """D27 CR, LF and control bytes never get into a redirect's Location"""
    vs = {"metadata": {"name": "moved", "namespace": "gloo-system"}, "virtualHost": {
        "domains": ["moved.example"], "routes": [{"matchers": [{"prefix": "/"}], "redirectAction": {
            "hostRedirect": "new.example", "responseCode": "FOUND"}}]}}
    equal(w.gateway.api("PUT", "/v1/virtualservices/gloo-system/moved", vs)[0], 200)
    host = "Host: moved.example"
    got = w.send(req("GET /a%20b?x=%0d%0aSet-Cookie:x HTTP/1.1", "Connection: close", host=host))
    equal(statuses(got), [302])
    location = [l for l in got.split(b"\r\n") if l.lower().startswith(b"location:")]
    equal(len(location), 1)
    check(b"new.example/a%20b" in location[0], location)
    check(b"set-cookie" not in [l.split(b":")[0].lower() for l in got.split(b"\r\n")], got)
    equal(w.gateway.api("DELETE", "/v1/virtualservices/gloo-system/moved")[0], 200)


if __name__ == "__main__":
    e2e.main(globals())
