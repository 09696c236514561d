"""Hostile requests, raw bytes: what reached the origin and what reached the
client. The numbers are those of the project's list of bad inputs: A framing,
B syntax, C target and host, D hop-by-hop and trust (F, hostile upstreams, is
in test_hostile_upstream). A request is refused and not one byte of it reaches
the origin, or what is forwarded is one strictly valid message. Every row is
sent whole, byte by byte, and behind a good request."""
import os
import pathlib
import re
import signal
import sys
import tarfile

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
import strict
import wall
from e2e import check, equal
from wall import Client, answer_to, cut, ended, folded, kept, mutated, refused, silent
from wall import request as req

CHUNKED = "Transfer-Encoding: chunked"
CLOSE = "Connection: close"
LAST = "0\r\n\r\n"
SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
NUMBERS = ([f"A{i}" for i in range(1, 12)] + [f"B{i}" for i in range(12, 17)]
           + ["C17", "C18", "C19", "C21", "C22"] + [f"D{i}" for i in range(23, 28)])


def setup():
    return wall.Wall()


def teardown(w):
    w.close()


def post(*fields, body="", version="1.1", **more):
    return req(f"POST /x HTTP/{version}", *fields, body=body, **more)


# ---- A framing


def test_a1(w):
    """A1 Content-Length with Transfer-Encoding is refused"""
    rows = [(f"A1 {what}", refused, post(*fields, body=LAST + SMUGGLED)) for what, fields in (
        ("CL then TE", ("Content-Length: 5", CHUNKED)),
        ("TE then CL", (CHUNKED, "Content-Length: 5")),
        ("CL 0", ("Content-Length: 0", CHUNKED)),
        ("far apart", ("Content-Length: 5", "A: b", "C: d", CHUNKED)),
        ("other case", ("CONTENT-LENGTH: 5", "transfer-ENCODING: Chunked")),
        ("CL twice", ("Content-Length: 5", "Content-Length: 5", CHUNKED)),
        ("TE hidden from some by Connection", ("Content-Length: 5", CHUNKED,
                                               "Connection: Transfer-Encoding")),
        ("CL hidden from some by Connection", ("Content-Length: 5", CHUNKED,
                                               "Connection: Content-Length")))]
    rows += [
        ("A1 a bad CL", refused, post("Content-Length: x", CHUNKED, body=LAST)),
        ("A1 a bad TE", refused, post("Content-Length: 5", "Transfer-Encoding: x", body=LAST),
         (400, 501)),
        ("A1 on GET", refused, req("GET /x HTTP/1.1", "Content-Length: 5", CHUNKED, body=LAST)),
        ("A1 in HTTP/1.0", refused, post("Content-Length: 5", CHUNKED, body=LAST, version="1.0")),
    ]
    return w.each(rows)


def test_a2(w):
    """A2 every Transfer-Encoding but exactly one "chunked" is refused"""
    values = ["gzip, chunked", "chunked, gzip", "chunked, chunked", "chunked, identity",
              "identity, chunked", "chunked;q=1", "chunked;", "chunked ;q=1", '"chunked"',
              "'chunked'", "", " ", "identity", "gzip", "deflate", "x-gzip", "\x0bchunked",
              "chunked\x0b", "\x0cchunked", "\x00chunked", "chunked\x00", "\xa0chunked",
              "chunked\xa0", "\x85chunked", ",chunked", "chunked,", ", chunked", "chunked ,",
              "chunked\r\n ", "\r\n chunked", "chunked\r\n\tgzip", "xchunked", "chunkedx",
              "chunked chunked", "chunked\tx", "cow, chunked", "chun ked", "chunke", "c",
              "\xef\xbd\x83hunked", "chunked\xe2\x80\xa9", "trailers, chunked", "chunked\r"]
    rows = [(f"A2 Transfer-Encoding: {v!r}", refused, post(f"Transfer-Encoding: {v}", body=LAST),
             (400, 501)) for v in values]
    for second in ("chunked", "identity", "gzip", ""):
        rows.append((f"A2 two lines, then {second!r}", refused,
                     post(CHUNKED, f"Transfer-Encoding: {second}", body=LAST), (400, 501)))
        rows.append((f"A2 two lines, first {second!r}", refused,
                     post(f"Transfer-Encoding: {second}", CHUNKED, body=LAST), (400, 501)))
    for line in ("Transfer-Encoding : chunked", "Transfer-Encoding\t: chunked",
                 " Transfer-Encoding: chunked", "Transfer-Encoding\x00: chunked",
                 "\x0bTransfer-Encoding: chunked", "Transfer-Encoding\xa0: chunked",
                 "X: a\rTransfer-Encoding: chunked", "X: a\nTransfer-Encoding: chunked",
                 "X: a\r\n Transfer-Encoding: chunked", "Transfer-Encoding chunked",
                 "Transfer\rEncoding: chunked", "Transfer-\r\nEncoding: chunked"):
        rows.append((f"A2 line {line!r}", refused, post(line, body=LAST)))
    body = "5\r\nhello\r\n" + LAST
    whole = {"method": b"POST", "body": b"hello", "has": {b"transfer-encoding": b"chunked"}}
    for v in ("chunked", "CHUNKED", "Chunked", " \t chunked \t ", "chunked "):
        rows.append((f"A2 valid {v!r}", kept, post(f"Transfer-Encoding: {v}", body=body), whole))
    rows.append(("A2 valid, no space", kept, post("Transfer-Encoding:chunked", body=body), whole))
    rows.append(("A2 valid, named by Connection", kept,
                 post(CHUNKED, "Connection: transfer-encoding", body=body), whole))
    # A twin for origins of the CGI family is no framing, and goes no further.
    rows.append(("A2 underscore twin", kept, post("Transfer_Encoding: chunked"),
                 {"method": b"POST", "lacks": [b"transfer_encoding", b"transfer-encoding"]}))
    return w.each(rows)


def test_a3(w):
    """A3 Transfer-Encoding in HTTP/1.0 is refused"""
    return w.each([
        ("A3 chunked", refused, post(CHUNKED, body=LAST, version="1.0"), (400, 501)),
        ("A3 keep-alive", refused, post(CHUNKED, "Connection: keep-alive", body=LAST + SMUGGLED,
                                        version="1.0"), (400, 501)),
        ("A3 identity", refused, post("Transfer-Encoding: identity", version="1.0"), (400, 501)),
        ("A3 before CL", refused, post(CHUNKED, "Content-Length: 5", body=LAST, version="1.0"),
         (400, 501)),
        ("A3 without Host", refused, post(CHUNKED, body=LAST, version="1.0", host=None),
         (400, 501)),
    ])


def test_a4(w):
    """A4 every odd Content-Length is refused; two equal ones at most become one"""
    values = ["+5", "-5", "-0", "+0", "0x5", "5.0", "5e0", '"5"', "'5'", "5;", "5;x=1", "5 5", "",
              " ", ",5", "5,", ",", "5,6", "5 ,6", "5, 5, 6", "\x005", "5\x00", "\xb25", "5\xb2",
              "\xd9\xa5", "\xef\xbc\x95", "9223372036854775808", "18446744073709551615",
              "18446744073709551616", "18446744073709551621", "99999999999999999999999",
              "1" + "0" * 200, "1_0", "5a", "a5", "0b1", "0o5", "five", "NaN", "Infinity", "5\x0b",
              "\x0b5", "5\r\n 5", "\r\n 5", "5\t5", "\xa05", "5\xa0", "5\r", "(5)", "5,+5", "*"]
    rows = [(f"A4 Content-Length: {v!r}", refused,
             post(f"Content-Length: {v}", body="hello" + SMUGGLED)) for v in values]
    for a, b in (("5", "6"), ("0", "5"), ("5", ""), ("", "5"), ("5", "+5"), ("5", "5,6")):
        rows.append((f"A4 two lines {a!r} {b!r}", refused,
                     post(f"Content-Length: {a}", f"Content-Length: {b}", body="hello!")))
    for line in ("Content-Length : 5", "Content-Length\t: 5", " Content-Length: 5",
                 "Content-Length\x00: 5", "X: a\rContent-Length: 5", "X: a\nContent-Length: 5",
                 "X: a\r\n Content-Length: 5", "Content-Length", "Content-Length 5"):
        rows.append((f"A4 line {line!r}", refused, post(line, body="hello")))
    once = {"method": b"POST", "body": b"hello", "has": {b"content-length": b"5"}}
    rows += [
        ("A4 5, 5", folded, post("Content-Length: 5, 5", body="hello"), once),
        ("A4 two equal lines", folded, post("Content-Length: 5", "Content-Length: 5",
                                            body="hello"), once),
        ("A4 05 and 5", folded, post("Content-Length: 05", "Content-Length: 5", body="hello"),
         once),
        ("A4 leading zeros", folded, post("Content-Length: 0005", body="hello"), once),
        ("A4 valid", kept, post("Content-Length: 5", body="hello"), once),
        ("A4 valid, spaces round it", kept, post("Content-Length: \t 5 \t", body="hello"), once),
        ("A4 valid, named by Connection", kept,
         post("Content-Length: 5", "Connection: Content-Length", body="hello"), once),
        ("A4 valid, zero", kept, post("Content-Length: 0"),
         {"method": b"POST", "has": {b"content-length": b"0"}}),
        ("A4 underscore twin", kept, post("Content_Length: 5"),
         {"method": b"POST", "lacks": [b"content_length", b"content-length"]}),
    ]
    return w.each(rows)


def chunked(item, table):
    return [(f"{item} {what}", cut, post(CHUNKED, body=body)) for what, body in table]


def test_a5(w):
    """A5 every odd chunk is refused, and no complete message reaches the origin"""
    tail = "hello\r\n" + LAST
    sizes = ["+5", "-5", "0x5", "0X5", "1_0", " 5", "\t5", "5 5", "5 ", "5\t", "5\x00", "\x005",
             "5h", "g", "", ";", ";a=b", '"5"', "5.", "5,5", "5\x0b", "\xb25", "\xef\xbc\x95",
             "00000000000000005", "0" * 100 + "5", "10000000000000005", "ffffffffffffffff",
             "8000000000000000", "fffffffffffffffffffff", "-1", "#5", "5\x7f"]
    table = [(f"size {s!r}", s + "\r\n" + tail) for s in sizes]
    table += [(f"last size {s!r}", "5\r\nhello\r\n" + s + "\r\n\r\n") for s in (
        "-0", "+0", "0x0", "00000000000000000", "0 ", " 0", "", "O")]
    table += [
        ("no CRLF after the data", "5\r\nhelloX\r\n" + LAST),
        ("data longer than said", "4\r\nhello\r\n" + LAST),
        ("data shorter than said", "6\r\nhello\r\n" + LAST),
        ("LF after the size", "5\n" + tail), ("LF after the data", "5\r\nhello\n" + LAST),
        ("CR after the size", "5\rhello\r\n" + LAST), ("CR after the data", "5\r\nhello\r" + LAST),
        ("LF CR after the size", "5\n\r" + tail), ("CR CR LF", "5\r\r\n" + tail),
        ("LF after the last size", "5\r\nhello\r\n0\n\r\n"),
        ("LF at the end", "5\r\nhello\r\n0\r\n\n"), ("LF LF", "5\r\nhello\r\n0\n\n"),
        ("CR at the end", "5\r\nhello\r\n0\r\n\rX"), ("empty line first", "\r\n5\r\n" + tail),
        ("two line ends after data", "5\r\nhello\r\n\r\n" + LAST),
        ("a request for a chunk", SMUGGLED + LAST),
    ]
    rows = chunked("A5", table)
    for what, body, data in (("zeros before a size", "0005\r\nhello\r\n000\r\n\r\n", b"hello"),
                             ("16 digits", "0000000000000005\r\n" + tail, b"hello"),
                             ("capital hex", "A\r\n0123456789\r\n" + LAST, b"0123456789"),
                             ("small hex", "a\r\n0123456789\r\n" + LAST, b"0123456789"),
                             ("none but the last", LAST, b""),
                             ("one byte each", "1\r\nx\r\n" * 300 + LAST, b"x" * 300),
                             ("a request in it", "%x\r\n%s\r\n" % (len(SMUGGLED), SMUGGLED) + LAST,
                              SMUGGLED.encode())):
        rows.append((f"A5 valid: {what}", kept, post(CHUNKED, body=body),
                     {"method": b"POST", "body": data}))
    return w.each(rows)


def test_a6(w):
    """A6 chunk extensions are dropped; odd or long ones are refused"""
    rows = [(f"A6 valid {e!r}", kept, post(CHUNKED, body=f"5{e}\r\nhello\r\n0{e}\r\n\r\n"),
             {"method": b"POST", "body": b"hello"})
            for e in (";a", ";a=b", ';a="b"', ';a="b;c\\"d"', ";a;b=c;d", "; a=b", ";a=b" * 50)]
    bad = [";\x01", ";a=\x01", ";a=\x00", ";a=\x7f", ";a\nb", ";a\rb", ";a\r b", ';a="b', ";", ";;",
           ';a="\r\n"', ";=b", ";\x0b", "\x00;a", " ;a", "\t;a", ";a\r\r\n"]
    rows += chunked("A6", [(f"extension {e!r}", f"5{e}\r\nhello\r\n" + LAST) for e in bad])
    rows += chunked("A6", [(f"extension of the last {e!r}", f"5\r\nhello\r\n0{e}\r\n\r\n")
                           for e in (";\x00", ";a\nb", ";a\rb", ';a="b', ";")])
    return w.each(rows + chunked("A6", [
        ("16 kB", "5;" + "a" * 16384 + "\r\nhello\r\n" + LAST),
        ("16 kB, quoted", '5;a="' + "a" * 16384 + '"\r\nhello\r\n' + LAST),
        ("16 kB at the end", "5\r\nhello\r\n0;" + "a" * 16384 + "\r\n\r\n"),
        ("many small ones", "5" + ";a" * 3000 + "\r\nhello\r\n" + LAST),
        ("one byte each with 1 kB", ("1;" + "a" * 1000 + "\r\nx\r\n") * 500 + LAST),
        ("one byte each with 60 bytes", ("1;" + "a" * 60 + "\r\nx\r\n") * 3000 + LAST),
        ("never ends", "5;" + "a" * 300000),
    ]))


def test_a7(w):
    """A7 trailers are dropped; forbidden or odd ones are refused"""
    names = ["Content-Length: 3", "content-length: 3", "Transfer-Encoding: chunked", "Host: evil",
             "HOST: evil", "Authorization: x", "Connection: close", ":path: /", "no colon",
             "X Y: 1", " folded", "\tfolded", "X: \x00", "X: \x01", "X: a\x7f", "X : 1", ": 1",
             "X\x00: 1", "X: a\nY: b", "X: a\rY: b", "X(: 1", "X\xe9: 1", "X: 1\r\n folded",
             "GET /smuggled HTTP/1.1"]
    rows = chunked("A7", [(repr(n), f"5\r\nhello\r\n0\r\n{n}\r\n\r\n") for n in names])
    rows += chunked("A7", [
        ("200 fields", "5\r\nhello\r\n0\r\n" + "X: 1\r\n" * 200 + "\r\n"),
        ("16 kB", "5\r\nhello\r\n0\r\nX: " + "a" * 16384 + "\r\n\r\n"),
        ("never end", "5\r\nhello\r\n0\r\n" + "X: 1\r\n" * 50000),
    ])
    for what, trailer in (("one", "X-T: 1\r\n"), ("two", "X-T: 1\r\nX-U: 2\r\n"),
                          ("empty value", "X-T:\r\n"), ("near a forbidden one", "Hosts: x\r\n"),
                          ("8-bit value", "X-T: \xe9\r\n")):
        rows.append((f"A7 valid: {what}", kept,
                     post(CHUNKED, "Trailer: X-T", body="5\r\nhello\r\n0\r\n" + trailer + "\r\n"),
                     {"method": b"POST", "body": b"hello", "lacks": [b"x-t", b"trailer"]}))
    return w.each(rows)


def local(w, status, head, body, sound=True):
    """An answer of the gateway's own before the body ends: the body is read
    and thrown away, or the connection ends; it never is a request. A body that
    is not sound may show so after the answer: then it ends."""
    for pieces in ([head + body], [head], [head, body], [head + body[:3]]):
        w.origin.forget()
        c = Client(w).send(pieces[0])
        c.until_bytes(b"HTTP/1.1 %d" % status)
        c.send(*pieces[1:])
        w.untouched()
        got = c.until(1, [b"POST"])
        equal([r.status for r in got], [status])
        if len(pieces) == 1 and len(pieces[0]) < len(head + body):
            c.shut()  # the body never comes
            c.until_end()
        elif got[0].get(b"connection") == b"close" or not sound:
            equal(len(c.until_end().responses([b"POST"])), 1)
        else:
            w.probe(c)
        check(not any(b"smuggled" in m.target for m in w.reached()), w.reached())
        c.close()


def test_a8(w):
    """A8 a body is a body on any method; after an early answer it never is a request"""
    n = len(SMUGGLED)
    rows = []
    for method in ("GET", "HEAD", "OPTIONS", "DELETE", "PATCH", "PUT", "QUERY", "get"):
        m = {"method": method.encode(), "body": SMUGGLED.encode()}
        rows += [
            (f"A8 {method}, Content-Length", kept,
             req(f"{method} /x HTTP/1.1", f"Content-Length: {n}", body=SMUGGLED), m),
            (f"A8 {method}, chunked", kept,
             req(f"{method} /x HTTP/1.1", CHUNKED, body=f"{n:x}\r\n{SMUGGLED}\r\n" + LAST), m)]
    second = {"target": b"/second"}
    follow = req("GET /second HTTP/1.1").decode()
    rows += [
        ("A8 CL.0", kept, post("Content-Length: 0", body=follow), {"method": b"POST"}, second),
        ("A8 POST without a length", kept, post(body=follow), {"method": b"POST"}, second),
        ("A8 GET with CL 0", kept, req("GET /x HTTP/1.1", "Content-Length: 0", body=follow), {},
         second),
        ("A8 empty chunked", kept, post(CHUNKED, body=LAST + follow), {"method": b"POST"}, second),
        ("A8 two empty lines before a request", kept, post("Content-Length: 5", body="hello\r\n\r\n"
                                                           + follow),
         {"method": b"POST", "body": b"hello"}, second),
    ]
    w.gateway.upstream("dead", "127.0.0.1:1")
    put(w, "early", {"domains": ["early.example"], "routes": [
        {"matchers": [{"prefix": "/moved"}], "redirectAction": {"hostRedirect": "n.example"}},
        {"matchers": [{"prefix": "/said"}], "directResponseAction": {"status": 429, "body": "no"}},
        {"matchers": [{"prefix": "/dead"}], "routeAction": {"single": {"upstream": {
            "name": "dead"}}}},
        {"matchers": [{"prefix": "/gone"}], "routeAction": {"single": {"upstream": {
            "name": "nothing-there"}}}}]}, (200, 202))
    body = SMUGGLED.encode()
    for path, status in (("/none", 404), ("/moved", 301), ("/said", 429), ("/gone", 503),
                         ("/dead", 502)):
        for what, fields, data in (
                ("CL", f"Content-Length: {n}", body),
                ("chunked", CHUNKED, b"%x\r\n%s\r\n0\r\n\r\n" % (n, body)),
                ("bad chunks", CHUNKED, body),
                ("Expect", f"Expect: 100-continue\r\nContent-Length: {n}", body),
                ("200 kB", "Content-Length: 200001", b"\n" + b"GET /smuggled HTTP/1.1\r\n" * 8333
                 + b"\r\n" * 4)):
            rows.append((f"A8 early {status}, {what}", local, status,
                         req(f"POST {path} HTTP/1.1", fields, host="Host: early.example"), data,
                         what != "bad chunks"))
    try:
        return w.each(rows)
    finally:
        remove(w, "early")


def put(w, name, virtual_host, statuses=(200,)):
    status, text = w.gateway.api("PUT", f"/v1/virtualservices/gloo-system/{name}", {
        "metadata": {"name": name, "namespace": "gloo-system"}, "virtualHost": virtual_host})
    check(status in statuses, status, text)


def remove(w, name):
    w.gateway.api("DELETE", f"/v1/virtualservices/gloo-system/{name}")


def partial(w, half):
    """A request, and some of a second: the first is answered."""
    w.origin.forget()
    c = Client(w).send(wall.FIRST + half)
    equal([r.body for r in c.until(1, [b"GET"])], [wall.FIRST_BODY])
    equal(len([m for m in w.reached() if m.complete]), 1)
    c.close()
    # The gateway may be sending what it has of the second to the origin: that is over
    # before the next row forgets what the origin got.
    w.quiet()


def pipelined(w, count, body, every):
    """So many requests at once, each answered in its turn."""
    w.origin.forget()
    made = []
    for i in range(count):
        kind = i % every
        if kind == 0:
            made.append((b"POST", b"/n%d" % i, req(f"POST /n{i} HTTP/1.1",
                                                    f"Content-Length: {body}", body="b" * body)))
        elif kind == 1:
            made.append((b"HEAD", b"/n%d" % i, req(f"HEAD /n{i} HTTP/1.1")))
        elif kind == 2:
            made.append((b"PUT", b"/n%d" % i, req(f"PUT /n{i} HTTP/1.1", CHUNKED,
                                                  body="1\r\nc\r\n" + LAST)))
        else:
            made.append((b"GET", b"/n%d" % i, req(f"GET /n{i} HTTP/1.1")))
    methods = [m for m, _, _ in made]
    c = Client(w).send(b"".join(d for _, _, d in made))
    got = c.until(count, methods)
    messages = w.reached()
    equal([(m.method, m.target) for m in messages], [(m, t) for m, t, _ in made])
    equal([r.body for r in got], [b"" if m.method == b"HEAD" else
                                  answer_to(m).partition(b"\r\n\r\n")[2] for m in messages])
    w.probe(c)
    c.close()


def pipelined_shut(w, count):
    """The client says all it has and shuts its side: all is answered."""
    w.origin.forget()
    c = Client(w).send(b"".join(req(f"POST /n{i} HTTP/1.1", "Content-Length: 3", body="abc")
                                for i in range(count))).shut().until_end()
    got = c.responses([b"POST"] * count)
    equal([r.status for r in got], [200] * count)
    equal([m.target for m in w.reached()], [b"/n%d" % i for i in range(count)])
    equal(c.ended, "fin")
    c.close()


def test_a9(w):
    """A9 pipelined requests are answered in order, each once"""
    rows = [(f"A9 {n} requests, bodies of {body}", pipelined, n, body, every)
            for n, body, every in ((2, 1, 2), (20, 0, 7), (40, 100, 4), (300, 10, 5),
                                   (30, 20000, 4))]
    rows += [(f"A9 {n} requests, then FIN", pipelined_shut, n) for n in (1, 2, 20, 200)]
    rows += [
        ("A9 nothing behind close", kept, req("GET /x HTTP/1.1", CLOSE,
                                              body=req("GET /second HTTP/1.1")), {}),
        ("A9 nothing behind HTTP/1.0", kept, req("GET /x HTTP/1.0",
                                                 body=req("GET /second HTTP/1.1")), {})]
    rows += [(f"A9 half of a second: {half[-20:]!r}", partial, half) for half in (
        b"G", b"GET /half HT", b"GET /half HTTP/1.1\r\nHost: h\r\n", b"\r", b"\r\n",
        b"POST /half HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhel",
        b"POST /half HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel")]
    return w.each(rows)


def waits(w, fields, pieces, body):
    """The client waits for the 100 before it sends the body."""
    w.origin.forget()
    c = Client(w).send(post("Expect: 100-continue", *fields))
    c.until_bytes(b"HTTP/1.1 100 Continue\r\n\r\n")
    c.send(*pieces)
    got = c.until(1, [b"POST"])
    equal([(r.status, r.interim) for r in got], [(200, [100])])
    messages = w.reached()
    equal([(m.body, m.get(b"expect")) for m in messages], [(body, None)])
    w.probe(c)
    c.close()


def early_final(w, status, body):
    """The origin answers for good before the body has come."""
    w.origin.forget()
    w.origin.on_head = lambda m, c: b"HTTP/1.1 %d No\r\nContent-Length: 2\r\n\r\nno" % status \
        if m.target == b"/x" else None
    try:
        c = Client(w).send(post("Expect: 100-continue", f"Content-Length: {len(SMUGGLED)}"))
        c.until_bytes(b"HTTP/1.1 %d" % status)
        c.send(body)
        got = c.until(1, [b"POST"])
        equal([r.status for r in got], [status])
        if got[0].get(b"connection") == b"close":
            c.until_end()
        else:
            w.probe(c)
        c.close()
        check(not any(b"smuggled" in m.target for m in w.reached()))
    finally:
        w.origin.on_head = None


def test_a10(w):
    """A10 Expect: 100-continue once, twice is fine, other values are 417"""
    one = {"method": b"POST", "body": b"hello", "lacks": [b"expect"]}
    rows = [(f"A10 Expect: {v!r}", refused,
             post(f"Expect: {v}", f"Content-Length: {len(SMUGGLED)}", body=SMUGGLED), (status,))
            for status, values in (
                (417, ("200-ok", "100", "continue", "", "100-continue;q=1", '"100-continue"',
                       "100-continue, x", "x, 100-continue", "100 continue")),
                (400, ("100-continue\x00",)))
            for v in values]
    rows += [(f"A10 valid {f}", kept, post(*f, "Content-Length: 5", body="hello"), one)
             for f in (("Expect: 100-continue",), ("Expect: 100-Continue",),
                       ("Expect: 100-continue", "Expect: 100-continue"))]
    rows += [
        ("A10 two values", refused, post("Expect: 100-continue", "Expect: x", "Content-Length: 0"),
         (417,)),
        ("A10 without a body", kept, req("GET /x HTTP/1.1", "Expect: 100-continue"),
         {"lacks": [b"expect"]}),
        ("A10 from HTTP/1.0 it is ignored", kept,
         post("Expect: 100-continue", "Content-Length: 5", body="hello", version="1.0"), one),
        ("A10 chunked body at once", kept,
         post("Expect: 100-continue", CHUNKED, body="5\r\nhello\r\n" + LAST), one),
        ("A10 waits, length", waits, ("Content-Length: 5",), [b"hello"], b"hello"),
        ("A10 waits, in pieces", waits, ("Content-Length: 5",), [b"h", b"el", b"lo"], b"hello"),
        ("A10 waits, chunked", waits, (CHUNKED,), [b"5\r\nhel", b"lo\r\n0\r\n\r\n"], b"hello"),
        ("A10 bad chunks", cut, post("Expect: 100-continue", CHUNKED, body="x\r\n" + LAST)),
    ]
    rows += [(f"A10 final {status}, then {what}", early_final, status, body)
             for status in (417, 404, 200, 302)
             for what, body in (("the body", SMUGGLED.encode()), ("nothing", b""),
                                ("a request in its place", SMUGGLED.encode() * 2))]
    return w.each(rows)


def cut_everywhere(w, data, how):
    """Ends after every byte: no request of an incomplete head, no leak."""
    head = data.index(b"\r\n\r\n") + 4
    for places in (range(head), range(head, len(data))):
        w.origin.forget()
        for i in places:
            c = Client(w).send(data[:i])
            if how == "reset":
                c.reset()
                continue
            c.shut().until_end()
            got = c.responses([b"POST"])
            c.close()
            check(len(got) <= 1 and all(r.status in (400, 408, 502) for r in got), i, c.bytes)
        w.quiet()
        messages = w.reached()
        check(not any(m.complete for m in messages), "complete for the origin")
        check(not messages or places[0] == head, "an incomplete head:", messages)


def gone(w, told, more):
    """The client goes away within an answer: the upstream's connection ends."""
    w.origin.forget()
    used = []
    w.origin.answer = lambda m, c: used.append(c) or [told] if m.target == b"/x" else answer_to(m)
    try:
        c = Client(w).send(req())
        if more:
            c.until_bytes(told[-3:])
        else:
            e2e.wait_until("the request at the origin", lambda: used)
        c.reset()
        e2e.wait_until("the origin's connection to end", lambda: used and used[0].ended)
    finally:
        w.origin.answer = lambda m, c: answer_to(m)
    w.probe()


def test_a11(w):
    """A11 FIN and RST after every byte: no request of an incomplete head, no leak"""
    def proxy_files():
        return len(list(e2e.pathlib.Path(f"/proc/{w.gateway.proxy_pid()}/fd").iterdir()))
    w.probe()
    files = proxy_files()
    rows = []
    for how in ("fin", "reset"):
        for what, data in (
                ("GET", req("GET /cut HTTP/1.1", "X-A: b")),
                ("Content-Length", post("X-A: b", "Content-Length: 5", body="hello")),
                ("chunked", post(CHUNKED, body="5;x\r\nhello\r\n0\r\nT: 1\r\n\r\n")),
                ("Expect", post("Expect: 100-continue", "Content-Length: 5", body="hello"))):
            rows.append((f"A11 {what}, {how}", cut_everywhere, data, how))
    head = b"HTTP/1.1 200 OK\r\n"
    rows += [("A11 the client goes before the answer", gone, b"", False),
             ("A11 the client goes within the head", gone, head, False),
             ("A11 the client goes within a body", gone, head + b"Content-Length: 9\r\n\r\nabc",
              True),
             ("A11 the client goes within chunks", gone,
              head + b"Transfer-Encoding: chunked\r\n\r\n9\r\nabc", True)]
    got = w.each(rows)
    e2e.wait_until("descriptors as before", lambda: proxy_files() <= files + 8)
    return got


# ---- B syntax


def test_b12(w):
    """B12 bare CR, bare LF and LF CR line ends are refused"""
    rows = []
    for eol in ("\n", "\r", "\n\r", "\r\r\n", "\r\n\n", "\x0b\r\n", "\x85"):
        rows += [
            (f"B12 {eol!r} everywhere", ended,
             ("GET /x HTTP/1.1" + eol + "Host: h" + eol + eol).encode("latin-1")),
            (f"B12 {eol!r} after the request line", ended,
             ("GET /x HTTP/1.1" + eol + "Host: h\r\n\r\n").encode("latin-1"))]
        if eol != "\x85":  # there it is part of a value, as any byte of 8 bits
            rows += [(f"B12 {eol!r} in a field", ended, req("GET /x HTTP/1.1", f"X: a{eol}Y: b")),
                     (f"B12 {eol!r} after Host", ended,
                      ("GET /x HTTP/1.1\r\nHost: h" + eol + "X: y\r\n\r\n").encode("latin-1"))]
        rows.append((f"B12 {eol!r} at the end", ended,
                     ("GET /x HTTP/1.1\r\nHost: h\r\n" + (eol if eol != "\r\n\n" else "\n"))
                     .encode("latin-1")))
        rows.append((f"B12 {eol!r} before the request", ended, eol.encode("latin-1") * 3 + req(),
                     (400,)) if eol not in ("\x0b\r\n", "\x85") else
                    (f"B12 {eol!r} before the request", silent, eol.encode("latin-1") + req()))
    rows += [("B12 three empty lines before a request", ended, b"\r\n\r\n\r\n" + req()),
             ("B12 valid: one before", kept, b"\r\n" + req()),
             ("B12 valid: two before", kept, b"\r\n\r\n" + req())]
    return w.each(rows)


def test_b13(w):
    """B13 field syntax: space before the colon, odd names, control bytes, folding"""
    fields = ["X : a", "X\t: a", ": a", " : a", "no colon", "X", "X Y: a", "X\x00: a", "\x00: a",
              "X\x7f: a", "X\x80: a", "X\xff: a", "\xef\xbb\xbfX: a", "X: a\r\n b", "X: a\r\n\tb",
              "X: a\r\n ", "X: a\r\n\t", "X:\r\n a", "\tX: a", " X: a", "X: a\x0b", "X: a\x0cb",
              "\x0bX: a", "=: a\r\n=", "X\r: a", "X: a\r", "\r: a"]
    fields += [f"X{c}: a" for c in '(),/;<=>?@[\\]{}"']
    fields += [f"X: a{chr(c)}b" for c in list(range(9)) + list(range(11, 13)) +
               list(range(14, 32)) + [127]]
    fields += [f"X: {chr(c)}" for c in (0, 1, 8, 11, 12, 14, 27, 31, 127)]
    rows = [(f"B13 {f!r}", refused, req("GET /x HTTP/1.1", f)) for f in fields]
    rows += [(f"B13 {f!r} first", refused, ("GET /x HTTP/1.1\r\n" + f + "\r\nHost: h\r\n\r\n")
              .encode("latin-1")) for f in (" X: a", "\tX: a", " ", "\t", " Host: x", ": a", "X")]
    rows += [(f"B13 {f!r} last", refused, req("GET /x HTTP/1.1", "A: b", f))
             for f in (" folded", "\tfolded", " ", "\t")]
    rows += [(f"B13 valid {n}: {v!r}", kept, req("GET /x HTTP/1.1", f"{n}:{v}"),
              {"has": {n.lower().encode(): v.strip(" \t").encode("latin-1")}})
             for n, v in (("X", ""), ("X", " \t "), ("X", "a"), ("X", " a b\tc "), ("X", " \xe9\x80"),
                          ("X", " ::,;\"'()<>@"), ("!#$%&'*+-.^_`|~09azAZ", " odd name"),
                          ("X-" + "n" * 200, " long name"), ("Cookie", " a=b; c=d"),
                          ("X", " " + "v" * 8000))]
    rows.append(("B13 valid: a field twice", kept, req("GET /x HTTP/1.1", "X: a", "X: b"),
                 {"has": {b"x": b"a, b"}}))
    return w.each(rows)


def test_b14(w):
    """B14 request lines"""
    bad = ["GET  /x HTTP/1.1", "GET\t/x HTTP/1.1", "GET /x\tHTTP/1.1", "GET /x  HTTP/1.1",
           "GET /x HTTP/1.1 ", "GET /x HTTP/1.1\t", " GET /x HTTP/1.1", "GET /x", "GET /x ",
           "GET", "GET ", "/x HTTP/1.1", "GET /x HTTP/1.2x", "GET /x HTTP/1.2", "GET /x HTTP/1.9",
           "GET /x http/1.1", "GET /x Http/1.1", "GET /x HTTP/2.0", "GET /x HTTP/2",
           "GET /x HTTP/3.0", "GET /x HTTP/1.10", "GET /x HTTP/11", "GET /x HTTP/0.9",
           "GET /x HTTP/1,1", "GET /x HTTP/1.", "GET /x HTTP/.1", "GET /x HTTP/1", "GET /x HTTP/",
           "GET /x HTTP", "GET /x HTTP /1.1", "GET /x HTTP/ 1.1", "GET /x HTTP/1. 1",
           "GET /x HTTP/01.1", "GET /x HTTP/1.01", "GET /x HTTP/+1.1", "GET /x HTTP/-1.1",
           "GET /x HTTP/1.1x", "GET /x HTTPS/1.1", "GET /x XTTP/1.1", "GET /x HTTP/1.1\x00",
           "GET /x HTTP/1.1\x0b", "GET /x HTTP/\xb9.1", "GET /x HTTP/1.1 HTTP/1.1",
           "GET /x y HTTP/1.1", "GET /x HTTP/1.1 GET /y HTTP/1.1",
           "GET /x#f HTTP/1.1", "GET /#f HTTP/1.1", "GET # HTTP/1.1",
           "GET x HTTP/1.1", "GET ../x HTTP/1.1", "GET ?x HTTP/1.1", "GET @h/x HTTP/1.1",
           "GET \\x HTTP/1.1", "GET * HTTP/1.1", "POST * HTTP/1.1", "OPTIONS ** HTTP/1.1",
           "OPTIONS *x HTTP/1.1", "OPTIONS */ HTTP/1.1", "GET */x HTTP/1.1", "GET  HTTP/1.1",
           "GET HTTP/1.1", "GET h HTTP/1.1", "GET h:80 HTTP/1.1", "GET : HTTP/1.1",
           "G:T /x HTTP/1.1", "G[T /x HTTP/1.1", "G/T /x HTTP/1.1", "G(T /x HTTP/1.1",
           "GET, /x HTTP/1.1", "GET; /x HTTP/1.1", "G\"T /x HTTP/1.1", "G@T /x HTTP/1.1",
           "GE\x00T /x HTTP/1.1", "GE\xc9T /x HTTP/1.1", "GE\x7fT /x HTTP/1.1",
           "GE\rT /x HTTP/1.1", "{} /x HTTP/1.1", "HTTP/1.1 200 OK"]
    bad += [f"GET /{chr(c)}x HTTP/1.1" for c in list(range(32)) + [127, 128, 160, 233, 255]]
    bad += [f"GET /x?{chr(c)} HTTP/1.1" for c in (0, 1, 9, 10, 11, 13, 31, 127, 128, 255)]
    rows = [(f"B14 {line!r}", refused, req(line), (400, 501, 505)) for line in bad]
    rows += [("B14 nothing but Host", refused, b"Host: h\r\n\r\n"),
             ("B14 HTTP/0.9", ended, b"GET /x\r\n"), ("B14 HTTP/0.9 at root", ended, b"GET /\r\n\r\n"),
             ("B14 valid: OPTIONS * asks us, not a route", local, 404, req("OPTIONS * HTTP/1.1"), b""),
             ("B14 valid: a method of its own", kept, req("M-SEARCH /x HTTP/1.1"),
              {"method": b"M-SEARCH"}),
             ("B14 valid: all token characters", kept, req("!#$%&'*+-.^_`|~09azAZ /x HTTP/1.1"),
              {"method": b"!#$%&'*+-.^_`|~09azAZ"}),
             ("B14 valid: HTTP/1.0", kept, req("GET /x HTTP/1.0")),
             ("B14 valid: HTTP/1.0 kept", kept, req("GET /x HTTP/1.0", "Connection: keep-alive")),
             ("B14 valid: HTTP/1.0 without Host", kept, req("GET /x HTTP/1.0", host=None)),
             ("B14 valid: the usual", kept, req()), ("B14 valid: HEAD", kept,
                                                     req("HEAD /x HTTP/1.1"), {"method": b"HEAD"})]
    return w.each(rows)


def test_b15(w):
    """B15 over limits: 414, 431, 501; at the limit: kept"""
    big = 60 << 10
    before = {limit: w.gateway.metric("gloo_gateway_listener_limit_" + limit)
              for limit in ("target", "head", "fields")}
    got = w.each([
        ("B15 target of 8193 bytes", refused, req("GET /" + "a" * 8192 + " HTTP/1.1"), (414,)),
        ("B15 target of 200 kB", refused, req("GET /" + "a" * 200000 + " HTTP/1.1"), (414,)),
        ("B15 query too long", refused, req("GET /?" + "a" * 9000 + " HTTP/1.1"), (414,)),
        ("B15 absolute-form too long", refused, req("GET http://h/" + "a" * 9000 + " HTTP/1.1"),
         (414,)),
        ("B15 target without an end", refused, b"GET /" + b"a" * 20000, (414,)),
        ("B15 a field of 70 kB", refused, req("GET /x HTTP/1.1", "X: " + "a" * 70000), (431,)),
        ("B15 a field without an end", refused, req()[:-2] + b"X: " + b"a" * 100000, (431,)),
        ("B15 a name of 70 kB", refused, req("GET /x HTTP/1.1", "X" * 70000 + ": a"), (431,)),
        ("B15 101 fields", refused, req("GET /x HTTP/1.1", *[f"X{i}: a" for i in range(100)]),
         (431,)),
        ("B15 10 000 fields", refused, req("GET /x HTTP/1.1", *["X:"] * 10000), (431,)),
        ("B15 fields without an end", refused, req()[:-2] + b"X: a\r\n" * 20000, (431,)),
        ("B15 500 options of Connection", refused,
         req("GET /x HTTP/1.1", "Connection: " + ",".join(f"x{i}" for i in range(500))), (431,)),
        ("B15 method of 33 bytes", refused, req("A" * 33 + " /x HTTP/1.1"), (400, 501)),
        ("B15 method without an end", refused, b"A" * 5000, (400, 501)),
        ("B15 valid: target of 8192 bytes", kept, req("GET /" + "a" * 8191 + " HTTP/1.1"),
         {"target": b"/" + b"a" * 8191}),
        ("B15 valid: 100 fields", kept, req("GET /x HTTP/1.1", *[f"X{i}: a" for i in range(99)])),
        ("B15 valid: method of 32 bytes", kept, req("A" * 32 + " /x HTTP/1.1"),
         {"method": b"A" * 32}),
        ("B15 valid: a head of 59 kB", kept, req("GET /x HTTP/1.1", "X: " + "a" * (big - 1024))),
    ])
    m = w.gateway.metric
    for limit in ("target", "head", "fields"):
        check(m("gloo_gateway_listener_limit_" + limit) > before[limit], limit, "is counted")
    return got


def test_b16(w):
    """B16 another protocol on the plain port: closed without an answer"""
    return w.each([
        ("B16 TLS 1.2 hello", silent, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
         + b"\x00" * 200),
        ("B16 SSLv2 hello", silent, b"\x80\x2e\x01\x03\x01" + b"\xff" * 40),
        ("B16 H2 preface", silent, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00" + b"\0" * 4),
        ("B16 PROXY v1", silent, b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + req()),
        ("B16 PROXY v1 unknown", silent, b"PROXY UNKNOWN\r\n" + req()),
        ("B16 PROXY v2", ended, b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + b"\x01" * 12 + req()),
        ("B16 NULs", silent, b"\x00" * 64), ("B16 a NUL, then a request", silent, b"\x00" + req()),
        ("B16 0xff", silent, b"\xff" * 64), ("B16 UTF-8 mark", silent, b"\xef\xbb\xbf" + req()),
        ("B16 SSH", ended, b"SSH-2.0-OpenSSH_9.2\r\n"), ("B16 SMTP", ended, b"EHLO h\r\n"),
        ("B16 RESP", ended, b"*1\r\n$4\r\nPING\r\n"), ("B16 MQTT", silent, b"\x10\x10\x00\x04MQTT"),
        ("B16 a response", refused, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ])


def test_b_mutations(w):
    """B13 one odd byte anywhere: refused, or one strictly valid message"""
    smuggled = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
    return w.each([
        ("B13 odd bytes in a GET", mutated, req("GET /x?y HTTP/1.1", "X-A: b")),
        ("B13 odd bytes in a length", mutated,
         post(f"Content-Length: {len(smuggled)}", body=smuggled), b"POST"),
        ("A5 odd bytes in chunks", mutated,
         post(CHUNKED, body=f"{len(smuggled):x}\r\n{smuggled}\r\n0\r\n\r\n"), b"POST"),
        ("C18 odd bytes in an absolute-form", mutated, req("GET http://g:80/x HTTP/1.1")),
    ])


# ---- C target, Host, routing


def test_c17(w):
    """C17 Host: none, two, empty, ill-formed"""
    bad = ["Host:", "Host: ", "Host: a/b", "Host: /", "Host: a?b", "Host: a#b", "Host: u@h",
           "Host: u:p@h", "Host: @h", "Host: a\\b", "Host: <h>", "Host: a<b", "Host: a>b",
           "Host: a b", "Host: a\tb", "Host: a:80:81", "Host: a::80", "Host: a:", "Host: a:+80",
           "Host: a:-1", "Host: a:65536", "Host: a:99999", "Host: a:000080", "Host: a:0x50",
           "Host: a:8 0", "Host: a:x", "Host: a:80x", "Host: a:80/", "Host: [::1", "Host: ::1",
           "Host: [::1]]", "Host: [[::1]]", "Host: []", "Host: [::1]x", "Host: [::1]:x",
           "Host: [::1]:65536", "Host: [g]", "Host: [1.2.3.4]", "Host: [::1%eth0]",
           "Host: [::1%25eth0]", "Host: [::1\x00]", "Host: [1:2:3:4:5:6:7:8:9]", "Host: a\x00",
           "Host: \x00a", "Host: a\x00b", "Host: a,b", "Host: a, b", "Host: a;b", "Host: :80",
           "Host: a%00b", "Host: a%2eb", "Host: \"a\"", "Host: a'b", "Host: a(b)", "Host: a|b",
           "Host: a^b", "Host: a`b", "Host: {a}", "Host: a!b", "Host: $a", "Host: a=b", "Host: *",
           "Host: a..b", "Host: .a", "Host: .", "Host: ..", "Host: a..", "Host: \xe9.example",
           "Host: b\xc3\xbccher.example", "Host: a\x7f", "Host: http://h", "Host: //h",
           "Host: " + "a" * 256, "Host: h\r\n x", "Host : h", "Host\t: h", " Host: h",
           "Host\x00: h", "H\xf6st: h", "Host h"]
    rows = [(f"C17 {h!r}", refused, req("GET /x HTTP/1.1", host=h)) for h in bad]
    rows += [
        ("C17 none", refused, req("GET /x HTTP/1.1", host=None)),
        ("C17 none, absolute-form", refused, req("GET http://h/x HTTP/1.1", host=None)),
        ("C17 two", refused, req("GET /x HTTP/1.1", "Host: h")),
        ("C17 two different", refused, req("GET /x HTTP/1.1", "Host: other")),
        ("C17 two, one empty", refused, req("GET /x HTTP/1.1", "Host:")),
        ("C17 two in HTTP/1.0", refused, req("GET /x HTTP/1.0", "Host: other")),
        ("C17 other case, two", refused, req("GET /x HTTP/1.1", "HOST: h")),
        ("C17 bad Host beside absolute-form", refused, req("GET http://h/x HTTP/1.1",
                                                           host="Host: a/b")),
        ("C17 in HTTP/1.0", refused, req("GET /x HTTP/1.0", host="Host: a/b")),
        ("C17 underscore twin", kept, req("GET /x HTTP/1.1"), {"has": {b"host": b"h"}}),
    ]
    rows += [(f"C17 valid {h}", kept, req("GET /x HTTP/1.1", host=f"Host: {h}"),
              {"has": {b"host": h.encode()}})
             for h in ("h", "h:80", "h:0", "h:65535", "a.b.example", "127.0.0.1:8080", "[::1]",
                       "[::1]:8080", "[2001:db8::1]", "[::ffff:1.2.3.4]", "a_b.example", "a-b",
                       "h.", "h.:80", "A.Example", "1", "2130706433", "a" * 255)]
    return w.each(rows)


def test_c18(w):
    """C18 absolute-form: its authority replaces Host, the upstream is the configured one"""
    rows = [(f"C18 {target}", kept, req(f"GET {target} HTTP/1.1"),
             {"target": seen, "has": {b"host": host}}) for target, seen, host in (
        ("http://other.example:81/p?q", b"/p?q", b"other.example:81"),
        ("http://169.254.169.254", b"/", b"169.254.169.254"),
        ("http://169.254.169.254/latest/meta-data", b"/latest/meta-data", b"169.254.169.254"),
        ("http://localhost:9091/metrics", b"/metrics", b"localhost:9091"),
        ("http://127.0.0.1/", b"/", b"127.0.0.1"), ("http://2130706433/", b"/", b"2130706433"),
        ("http://0x7f.1/", b"/", b"0x7f.1"), ("http://[::1]:9091/x", b"/x", b"[::1]:9091"),
        ("HTTP://h/x", b"/x", b"h"), ("http://h//x", b"//x", b"h"),
        ("http://h/a/../b", b"/b", b"h"), ("http://h/http://g/", b"/http://g/", b"h"))]
    rows += [(f"C18 {t!r}", refused, req(f"GET {t} HTTP/1.1")) for t in (
        "http://u:p@h/", "http://u@h/", "http://@h/", "http://h@g:80/", "http://h%40g/",
        "https://h/x", "HTTPS://h/x", "https://h:443/",
        "ftp://h/", "gopher://h/", "file:///etc/passwd", "file://h/x", "data:x", "ws://h/",
        "javascript:x", "unix:/run/x", "http:/h/x", "http:h/x", "http:///x", "http://", "http:",
        "http://:80/", "http://h:99999/", "http://h:65536/", "http://h:/", "http://h:x/",
        "http://h:-1/", "http://[::1/", "http://[g]/", "http://h#f", "http://h/x#f", "http://h\\x",
        "http://h;x/", "http://a,b/", "http://a..b/", "http://h\x00/", "http://h/../x",
        "http://h/%00", "http://h?x", "httpx://h/", "http//h/", "://h/", "//h:80@g/ ", "http://\xe9/",
        "http://*/", "http://h/ x")]
    rows.append(("C18 other Host beside it", kept,
                 req("GET http://one.example/p HTTP/1.1", host="Host: two.example"),
                 {"target": b"/p", "has": {b"host": b"one.example"}}))
    rows.append(("C18 origin-form that looks like it", kept, req("GET //evil.example/p HTTP/1.1"),
                 {"target": b"//evil.example/p", "has": {b"host": b"h"}}))
    return w.each(rows)


def test_c19(w):
    """C19 CONNECT and TRACE are refused"""
    return w.each([
        (f"C19 {line}", refused, req(line, *fields), statuses)
        for line, fields, statuses in (
            ("CONNECT h:443 HTTP/1.1", (), (405, 501)), ("CONNECT h:443 HTTP/1.0", (), (405, 501)),
            ("CONNECT 127.0.0.1:22 HTTP/1.1", (), (405, 501)),
            ("CONNECT /x HTTP/1.1", (), (400, 405, 501)),
            ("CONNECT http://h/ HTTP/1.1", (), (400, 405, 501)),
            ("CONNECT h:443 HTTP/1.1", ("Content-Length: 5",), (405, 501)),
            ("TRACE /x HTTP/1.1", (), (405,)), ("TRACE * HTTP/1.1", (), (405,)),
            ("TRACE http://h/x HTTP/1.1", (), (405,)),
            ("TRACE /x HTTP/1.1", ("Max-Forwards: 0",), (405,)))
    ] + [("C19 in small letters it is a method as any other", kept, req("trace /x HTTP/1.1"),
          {"method": b"trace"})])


PATHS = (
    ("/a/../b", "/b"), ("/a/./b", "/a/b"), ("/./a", "/a"), ("/.", "/"), ("/a/.", "/a/"),
    ("/a/..", "/"), ("/a/b/../../c", "/c"), ("/a/b/..", "/a/"), ("/a//b", "/a//b"), ("//", "//"),
    ("//a", "//a"), ("/a//../b", "/a/b"), ("/%61bc", "/abc"), ("/%41", "/A"), ("/a%7eb", "/a~b"),
    ("/a%2bb", "/a%2Bb"), ("/a%2Bb", "/a%2Bb"), ("/a%20b", "/a%20b"), ("/a%25b", "/a%25b"),
    ("/a%252e%252e/b", "/a%252e%252e/b"), ("/a%252fb", "/a%252fb"), ("/a;p/b", "/a;p/b"),
    ("/a;p=1;q", "/a;p=1;q"), ("/a%3bp", "/a%3Bp"), ("/a%3Fb", "/a%3Fb"), ("/a%23b", "/a%23b"),
    ("/a/%2e%2e/b", "/b"), ("/a/%2e/b", "/a/b"), ("/a/.%2e/b", "/b"), ("/a/%2E./b", "/b"),
    ("/...", "/..."), ("/..a", "/..a"), ("/a..", "/a.."), ("/.a", "/.a"), ("/a./b", "/a./b"),
    ("/a?x=../..", "/a?x=../.."), ("/a?", "/a?"), ("/?", "/?"), ("/a??b", "/a??b"),
    ("/a?b#", None), ("/a?x=%2f", "/a?x=%2f"), ("/a?x=%00", "/a?x=%00"), ("/a?x={y}", "/a?x=%7By%7D"),
    ("/a?x=a|b", "/a?x=a%7Cb"), ("/a?x=\\", "/a?x=%5C"), ("/a?x=^`", "/a?x=%5E%60"),
    ("/%C3%A9", "/%C3%A9"), ("/%c3%a9", "/%C3%A9"), ("/%F0%9F%98%80", "/%F0%9F%98%80"),
    ("/a:b@c!$&'()*+,=", "/a:b@c!$&'()*+,="), ("/[a]", "/%5Ba%5D"), ("/%5ba%5d", "/%5Ba%5D"), ("/a?b=[c]", "/a?b=[c]"))
BAD_PATHS = (
    "/a%00b", "/%00", "/a%0db", "/a%0ab", "/a%09b", "/a%1fb", "/a%7fb", "/a%", "/a%2", "/a%zz",
    "/a%2x", "/a%u0041", "/a%%41", "/a%-1", "/..", "/../", "/../a", "/a/../../b", "/./../a",
    "/%2e%2e/a", "/.%2e/a", "/a/%2e%2e/%2e%2e/b", "//../../a", "/a%2fb", "/a%2Fb", "/%2f",
    "/a%2f..%2fb", "/a%5cb", "/a%5Cb", "/a\\b", "/..\\a", "/a/..;/b", "/..;/a", "/a/..;x/b",
    "/a/.;/b", "/a/%2e%2e;/b", "/%c0%af", "/%c0%ae%c0%ae/a", "/%ff", "/%fe", "/%80", "/%c3",
    "/%c3/a", "/%c3%28", "/%e0%80%af", "/%e0%80%80", "/%f0%80%80%af", "/%ed%a0%80", "/%ed%bf%bf",
    "/%f4%90%80%80", "/%f8%88%80%80%80", "/%c1%81", "/a{b}", "/a|b", "/a\"b", "/a<b>", "/a^b",
    "/a`b", "/x?q=%zz", "/x?q=%", "/x?q=%2", "/x?a\"b", "/x?<a>", "/a%c0%80", "/%e2%82",
    "/a?b%")


def test_c21(w):
    """C21 the path is decided once: route and origin see the same string"""
    rows = []
    for sent, seen in PATHS:
        data = req(f"GET {sent} HTTP/1.1")
        if seen is None:
            rows.append((f"C21 {sent}", folded, data, {"target": sent.encode()}))
        else:
            rows.append((f"C21 {sent}", kept, data, {"target": seen.encode()}))
    rows += [(f"C21 {p}", refused, req(f"GET {p} HTTP/1.1")) for p in BAD_PATHS]
    rows += [(f"C21 absolute-form {p}", refused, req(f"GET http://h{p} HTTP/1.1"))
             for p in ("/..", "/a%2fb", "/%00", "/%2e%2e/a", "/a\\b")]
    # A route that guards /admin is not got round by any spelling.
    put(w, "guarded", {"domains": ["guarded.example"], "routes": [
        {"matchers": [{"prefix": "/admin"}], "directResponseAction": {"status": 403}},
        {"matchers": [{"regex": "/r/(a+)+secret"}], "directResponseAction": {"status": 403}},
        {"matchers": [{"prefix": "/files"}], "options": {"prefixRewrite": "/public/"},
         "routeAction": {"single": {"upstream": {"name": "origin"}}}},
        {"matchers": [{"prefix": "/"}], "routeAction": {"single": {"upstream": {
            "name": "origin"}}}}]})
    host = "Host: guarded.example"
    rows += [(f"C21 rewritten {p}", kept, req(f"GET {p} HTTP/1.1", host=host),
              {"target": seen, "lacks": [b"x-secret"]})
             for p, seen in (("/files/a", b"/public/a"), ("/files", b"/public/"),
                             ("/filesystem", b"/public/ystem"), ("/files...", b"/public/..."),
                             ("/files/..a", b"/public/..a"), ("/files/x/../y", b"/public/y"))]
    rows += [(f"C21 the rewritten path leaves its prefix: {p}", local, 400,
              req(f"POST {p} HTTP/1.1", "Content-Length: 0", host=host), b"")
             for p in ("/files../admin", "/files..", "/files.", "/files./x", "/files..;/admin",
                       "/files%2e%2e/admin", "/files.%2e/x", "/files.;x")]
    rows += [(f"C21 guarded {p}", local, 403, req(f"POST {p} HTTP/1.1", "Content-Length: 0",
                                                  host=host), b"")
             for p in ("/admin", "/admin/x", "/%61dmin", "/a/../admin", "/./admin", "/x/%2e%2e/admin",
                       "/adm%69n?x", "/admin;x", "http://guarded.example/admin", "/a/.%2e/admin/")]
    # Nor by a path on which the regex of the guard is given up.
    rows += [(f"C21 guarded by a regex, {what}", local, status, req(
        f"POST /r/{path} HTTP/1.1", "Content-Length: 0", host=host), b"")
             for what, path, status in (("it matches", "aaasecret", 403),
                                        ("it is given up", "a" * 60 + "secretb", 500))]
    rows += [(f"C21 not guarded, and not the same path: {p}", kept,
              req(f"GET {p} HTTP/1.1", host=host), {"target": p.encode()})
             for p in ("//admin", "/Admin", "/a;/admin", "/x?/admin")]
    rows += [(f"C21 guarded, refused {p}", refused, req(f"GET {p} HTTP/1.1", host=host))
             for p in ("/..;/admin", "/%2fadmin", "/%5cadmin", "/\\admin", "/x/..%2fadmin",
                       "/admin%00", "/%c0%aeadmin")]
    try:
        return w.each(rows)
    finally:
        remove(w, "guarded")


def test_c22(w):
    """C22 the host is compared without case and trailing dot, the path with case"""
    put(w, "cased", {"domains": ["Cased.Example"], "routes": [
        {"matchers": [{"prefix": "/Up"}], "routeAction": {"single": {"upstream": {
            "name": "origin"}}}}]})
    rows = [(f"C22 {h}", kept, req("GET /Up HTTP/1.1", host=f"Host: {h}"),
             {"target": b"/Up", "has": {b"host": h.encode()}})
            for h in ("cased.example", "CASED.EXAMPLE", "cased.example.", "cased.example:8080",
                      "Cased.Example.:80")]
    rows += [(f"C22 {h} {p}", local, 404, req(f"POST {p} HTTP/1.1", "Content-Length: 0",
                                              host=f"Host: {h}"), b"")
             for h, p in (("cased.example", "/up"), ("CASED.example", "/UP"),
                          ("cased.example.", "/u%70"))]
    rows += [("C22 absolute-form", kept, req("GET http://CASED.example./Up HTTP/1.1"),
              {"target": b"/Up"}),
             ("C22 a name within a name", kept, req("GET /up HTTP/1.1", host="Host: xcased.example"),
              {"target": b"/up"})]
    try:
        return w.each(rows)
    finally:
        remove(w, "cased")


# ---- D hop-by-hop, trust


def test_d23(w):
    """D23 hop-by-hop fields go no further, and cannot strip what counts"""
    rows = [(f"D23 {f}", kept, req("GET /x HTTP/1.1", f, "X-Kept: 1"),
             {"lacks": [f.partition(":")[0].lower().encode()], "has": {b"x-kept": b"1"}})
            for f in ("Connection: keep-alive", "Connection: x", "Connection: close", "Connection:",
                      "Connection: ,", "Connection: ,,close,,", "Keep-Alive: timeout=5",
                      "Proxy-Connection: keep-alive", "Proxy-Connection: close", "TE: trailers",
                      "TE: gzip", "TE: trailers, chunked", "TE: trailers;q=0.5", "Trailer: X-T",
                      "Upgrade: x", "Keep_Alive: 5", "Proxy_Connection: x")]
    for option in ("X-Secret", "x-secret", "close, X-Secret", "X-Secret, close", ",X-Secret,",
                   "\tX-Secret\t,", "keep-alive,X-Secret"):
        rows.append((f"D23 named by Connection: {option!r}", kept,
                     req("GET /x HTTP/1.1", "X-Secret: 1", f"Connection: {option}", "X-Kept: 1",
                         "X-SECRET: 2"), {"lacks": [b"x-secret"], "has": {b"x-kept": b"1"}}))
    rows.append(("D23 named by the second line", kept,
                 req("GET /x HTTP/1.1", "Connection: keep-alive", "X-Secret: 1",
                     "Connection: X-Secret"), {"lacks": [b"x-secret"]}))
    for name, value in (("Host", b"h"), ("Authorization", b"Basic x"), ("Cookie", b"a=b"),
                        ("X-Forwarded-For", b"10.98.0.2"), ("X-Forwarded-Proto", b"http"),
                        ("X-Envoy-Expected-Rq-Timeout-Ms", b"15000"), ("X-Request-Id", b"id-1"),
                        ("Content-Length", b"5"), ("content-length", b"5")):
        rows.append((f"D23 Connection: {name} does not strip it", kept,
                     post(f"Connection: {name}", "Authorization: Basic x", "Content-Length: 5",
                          "X-Request-Id: id-1", "Cookie: a=b", body="hello"),
                     {"method": b"POST", "body": b"hello", "has": {name.lower().encode(): value}}))
    rows.append(("D23 Connection: Transfer-Encoding does not strip it", kept,
                 post("Connection: Transfer-Encoding", CHUNKED, body="5\r\nhello\r\n" + LAST),
                 {"method": b"POST", "body": b"hello"}))
    rows += [(f"D23 option {o!r} is none: the connection ends", kept,
              req("GET /x HTTP/1.1", f"Connection: {o}"), {"lacks": [b"connection"]})
             for o in ("a b", "\"close\"", "close;x", "a/b", "(x)", "keep-alive; x")]
    return w.each(rows)


def test_d24(w):
    """D24 Upgrade and HTTP2-Settings are never forwarded; a refused upgrade is no tunnel"""
    rows = []
    for upgrade in ("h2c", "websocket", "h2c, websocket", "TLS/1.0", "HTTP/2.0", "x", ""):
        rows.append((f"D24 Upgrade: {upgrade!r}", kept, req(
            "GET /x HTTP/1.1", f"Upgrade: {upgrade}", "Connection: Upgrade, HTTP2-Settings",
            "HTTP2-Settings: AAMAAABkAAQAAP__", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13"),
            {"lacks": [b"upgrade", b"http2-settings", b"connection"]}))
    rows += [
        ("D24 without Connection", kept, req("GET /x HTTP/1.1", "Upgrade: h2c", "HTTP2-Settings: x"),
         {"lacks": [b"upgrade", b"http2-settings"]}),
        ("D24 bytes sent early are requests", kept, req(
            "GET /x HTTP/1.1", "Upgrade: websocket", "Connection: Upgrade",
            body=req("GET /second HTTP/1.1")), {}, {"target": b"/second"}),
        ("D24 frames sent early are not", refused_second, req(
            "GET /x HTTP/1.1", "Upgrade: websocket", "Connection: Upgrade"),
         b"\x81\x85\x01\x02\x03\x04hello"),
        ("D24 with a body", kept, post("Upgrade: h2c", "Connection: Upgrade", "Content-Length: 5",
                                       body="hello"), {"method": b"POST", "body": b"hello"}),
        ("D24 HTTP2_Settings", kept, req("GET /x HTTP/1.1", "HTTP2_Settings: x"),
         {"lacks": [b"http2_settings"]}),
    ]
    return w.each(rows)


def refused_second(w, data, junk):
    w.origin.forget()
    c = Client(w).send(data + junk).until_end()
    got = c.responses([b"GET", b"GET"])
    c.close()
    equal([r.status for r in got][:1], [200])
    equal([m.target for m in w.reached()], [b"/x"])


def informed(w, answer, statuses, interim=()):
    w.origin.forget()
    w.origin.answer = lambda m, c: answer if m.target == b"/x" else answer_to(m)
    try:
        c = Client(w).send(req("GET /x HTTP/1.1", "Connection: Upgrade", "Upgrade: x"))
        got = c.until(1, [b"GET"])
        check(len(got) == 1 and got[0].status in statuses, c.bytes)
        equal(got[0].interim, list(interim))
        check(b"raw bytes" not in c.bytes, c.bytes)
        c.close()
    finally:
        w.origin.answer = lambda m, c: answer_to(m)
    w.probe()


def test_d25(w):
    """D25 an unasked 101 is a 502; a flood of 1xx is bounded"""
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    return w.each([
        ("D25 101", informed, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n"
         b"Connection: Upgrade\r\n\r\nraw bytes", (502,)),
        ("D25 101 without Upgrade", informed, b"HTTP/1.1 101 OK\r\n\r\n" + ok, (502,)),
        ("D25 101 after 100", informed, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 OK\r\n\r\n", (502,)),
        ("D25 1000 times 103", informed, hints * 1000, (502,)),
        ("D25 33 times 100", informed, b"HTTP/1.1 100 Continue\r\n\r\n" * 33 + ok, (502,)),
        ("D25 5 times 103", informed, hints * 5 + ok, (200,)),
        ("D25 100 that nobody asked for", informed, b"HTTP/1.1 100 Continue\r\n\r\n" + ok, (200,)),
        ("D25 102, 199", informed, b"HTTP/1.1 102 P\r\n\r\nHTTP/1.1 199 M\r\n\r\n" + ok, (200,)),
        ("D25 103 of 100 kB", informed, b"HTTP/1.1 103 E\r\nX: " + b"a" * 100000 + b"\r\n\r\n" + ok,
         (502,)),
        ("D25 103 with a bad field", informed, b"HTTP/1.1 103 E\r\nX : a\r\n\r\n" + ok, (502,)),
    ])


SPOOFED = ("X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil",
           "Forwarded: for=1.2.3.4", "X-Real-IP: 1.2.3.4", "X-Envoy-Original-Path: /admin",
           "X-Envoy-Internal: true", "X-Envoy-External-Address: 1.2.3.4",
           "X-Envoy-Expected-Rq-Timeout-Ms: 1", "X-Forwarded-For: 5.6.7.8")
TWINS = ("X_Forwarded_For", "X_Forwarded-For", "X-Forwarded_For", "X_Forwarded_Proto",
         "X_FORWARDED_HOST", "X_Real_IP", "X_Request_Id", "X_Envoy_Original_Path", "X-Envoy_Internal",
         "X_Forwarded_Anything", "Content_Length", "Transfer_Encoding", "Proxy_Connection",
         "User_Agent", "Content_Type")


def test_d26(w):
    """D26 forwarding fields from an untrusted client are replaced, twins dropped"""
    ours = {b"x-forwarded-for": b"10.98.0.2", b"x-forwarded-proto": b"http",
            b"x-envoy-expected-rq-timeout-ms": b"15000"}
    gone = [b"x-forwarded-host", b"forwarded", b"x-real-ip", b"x-envoy-original-path",
            b"x-envoy-internal", b"x-envoy-external-address"]
    rows = [(f"D26 {f}", kept, req("GET /x HTTP/1.1", f), {"has": ours, "lacks": gone})
            for f in SPOOFED]
    rows += [(f"D26 {f} named by Connection", kept,
              req("GET /x HTTP/1.1", f, "Connection: " + f.partition(":")[0]),
              {"has": ours, "lacks": gone}) for f in SPOOFED]
    rows += [(f"D26 twin {t}", kept, req("GET /x HTTP/1.1", f"{t}: 1"),
              {"has": ours, "lacks": [t.lower().encode()]}) for t in TWINS]
    rows += [
        ("D26 all at once", kept, req("GET /x HTTP/1.1", *SPOOFED), {"has": ours, "lacks": gone}),
        ("D26 a request id is taken", kept, req("GET /x HTTP/1.1", "X-Request-Id: abc-1"),
         {"has": {b"x-request-id": b"abc-1"}}),
        ("D26 an underscore of nobody's is kept", kept, req("GET /x HTTP/1.1", "my_field: 1"),
         {"has": {b"my_field": b"1"}}),
    ]
    put(w, "edited", {"domains": ["edited.example"], "options": {"headerManipulation": {
        "requestHeadersToRemove": ["x-user"], "requestHeadersToAdd": [
            {"header": {"key": "x-role", "value": "guest"}, "append": False}]}}, "routes": [
        {"matchers": [{"prefix": "/"}], "routeAction": {"single": {"upstream": {
            "name": "origin"}}}}]})
    rows += [(f"D26 {f} is as good as removed", kept,
              req("GET /x HTTP/1.1", f, host="Host: edited.example"),
              {"has": {b"x-role": b"guest"}, "lacks": [b"x-user", b"x_user", b"x_role"]})
             for f in ("X-User: root", "X_User: root", "x_user: root", "X-Role: root",
                       "X_Role: root", "Connection: X-Role")]
    rows += [(f"D26 request id {v!r} is replaced", replaced, v)
             for v in ("a b", "a\"b", "a;b", "x" * 200, "\xe9", "")]
    try:
        return w.each(rows)
    finally:
        remove(w, "edited")


def replaced(w, value):
    w.origin.forget()
    c = Client(w).send(req("GET /x HTTP/1.1", f"X-Request-Id: {value}", CLOSE)).until_end()
    equal([r.status for r in c.responses([b"GET"])], [200])
    check(re.fullmatch(rb"[0-9a-f-]{36}", w.reached()[0].get(b"x-request-id")), w.reached())
    c.close()


def test_d26_trusted(w):
    """D26 a trusted peer's X-Forwarded-For is appended to, its X-Forwarded-Proto chooses routes"""
    put(w, "secure", {"domains": ["secure.example"], "routes": [
        {"matchers": [{"prefix": "/", "headers": [{"name": "x-forwarded-proto",
                                                   "value": "https"}]}],
         "directResponseAction": {"status": 200, "body": "secure"}}]})

    def status():
        c = Client(w).send(req("GET /x HTTP/1.1", CLOSE, "X-Forwarded-Proto: https",
                               host="Host: secure.example")).until_end()
        c.close()
        r, = c.responses([b"GET"])
        return r.status
    equal(status(), 404, "of who is not trusted")
    w.gateway.write_settings("trustedProxies: [ 10.98.0.0/24 ]\n")
    w.gateway.process.send_signal(signal.SIGHUP)

    def seen():
        w.origin.forget()
        c = Client(w).send(req("GET /x HTTP/1.1", CLOSE, "X-Forwarded-For: 1.2.3.4",
                               "X-Forwarded-For: 5.6.7.8", "X-Forwarded-Proto: https")).until_end()
        c.close()
        m, = w.reached()
        return m.get(b"x-forwarded-for"), m.get(b"x-forwarded-proto")
    e2e.wait_until("the new setting", lambda: seen() == (
        b"1.2.3.4, 5.6.7.8, 10.98.0.2", b"https"))
    # Of both workers: the other one may hear of it later.
    e2e.wait_until("of who is trusted", lambda: status() == 200)
    remove(w, "secure")
    w.rows["D26"] += 3
    w.gateway.write_settings("")
    w.gateway.process.send_signal(signal.SIGHUP)
    e2e.wait_until("the old setting", lambda: seen() == (b"10.98.0.2", b"http"))


def located(w, target, location, host="Host: moved.example"):
    w.origin.forget()
    c = Client(w).send(req(f"GET {target} HTTP/1.1", host=host))
    got = c.until(1, [b"GET"])
    equal([(r.status, r.get(b"location")) for r in got], [(302, location)])
    c.close()
    w.untouched()


def test_d27(w):
    """D27 CR, LF and control bytes never get into a redirect's Location"""
    put(w, "moved", {"domains": ["moved.example"], "routes": [
        {"matchers": [{"prefix": "/same"}], "redirectAction": {"responseCode": "FOUND"}},
        {"matchers": [{"prefix": "/pre/"}], "redirectAction": {
            "prefixRewrite": "/", "responseCode": "FOUND"}},
        {"matchers": [{"prefix": "/"}], "redirectAction": {
            "hostRedirect": "new.example", "responseCode": "FOUND"}}]})
    rows = [(f"D27 {t}", located, t, b"http://new.example" + l) for t, l in (
        ("/a%20b", b"/a%20b"), ("/a?x=%0d%0aSet-Cookie:x", b"/a?x=%0d%0aSet-Cookie:x"),
        ("/a?x={y}|\\^`", b"/a?x=%7By%7D%7C%5C%5E%60"), ("/%C3%A9", b"/%C3%A9"),
        ("/a%22b", b"/a%22b"), ("/a%3Cb%3E", b"/a%3Cb%3E"), ("//evil.example", b"//evil.example"),
        ("http://moved.example/a", b"/a"))]
    rows += [(f"D27 {t} refused", refused, req(f"GET {t} HTTP/1.1", host="Host: moved.example"))
             for t in ("/a%0d%0aSet-Cookie:x", "/a%00", "/a%0ab", "/a\rb", "/%0d%0a%0d%0a<x>")]
    rows += [("D27 no other origin by slashes", located, "/pre//evil.example/",
              b"http://moved.example/evil.example/"),
             ("D27 with a port", located, "/same", b"http://moved.example:8080/same",
              "Host: moved.example:8080")]
    try:
        return w.each(rows)
    finally:
        remove(w, "moved")


def test_corpus(w):
    """what h2o's fuzzer kept: refused, or strictly valid messages"""
    archive = pathlib.Path(os.environ.get("GG_SHARED", e2e.TOP.parent / "shared"),
                           "data/h2o-fuzz/http1.tar.gz")
    if not archive.exists():
        raise e2e.Skip(f"{archive} is not there")
    files = passed = 0
    with tarfile.open(archive) as tar:
        for member in tar:
            if not member.isfile():
                continue
            parts = tar.extractfile(member).read().split(b"\n--MARK--\n")
            w.origin.forget()
            c = Client(w).send(*parts).shut().until_end()
            c.close()
            try:
                whole = [m for m in w.reached() if m.complete]
                # Whose answer is ours, and whether it was asked with HEAD, is
                # not known in every case.
                if b"HEAD" not in b"".join(parts):
                    c.responses([b"GET"] * 1000)
            except (AssertionError, strict.Bad) as e:
                raise AssertionError(f"{member.name}: {type(e).__name__}: {e}") from e
            files += 1
            passed += len(whole)
    w.probe()
    equal(files, 1972)
    check(passed > 100, passed)
    return f"{files} files, {passed} requests at the origin"


def test_every_number(w):
    """every number of the lists A, B, C and D (without tunnels) has rows"""
    if len(sys.argv) > 1:
        raise e2e.Skip("only some were run")
    equal([n for n in NUMBERS if not w.rows[n]], [])
    check(len(w.logged()) > sum(w.rows.values()), "the access log has them all")
    return ", ".join(f"{n}: {w.rows[n]}" for n in NUMBERS) + f"; {sum(w.rows.values())} rows"


if __name__ == "__main__":
    e2e.main(globals())
