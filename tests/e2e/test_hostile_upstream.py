"""Hostile and broken upstreams, raw bytes: what reached the client, and that
the next request gets its own answer. The numbers are those of list F of the
project's bad inputs. One worker, so that a connection that should have been
dropped would be the next one's; every answer names the request it is for."""
import contextlib
import sys

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
import wall
from e2e import check, equal
from wall import Client, answer_to
from wall import request as req

NUMBERS = ["D23", "D27", "F38", "F39", "F40", "F41"]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
GET = req("GET /x HTTP/1.1")
HEAD = req("HEAD /x HTTP/1.1")
OLD = req("GET /x HTTP/1.0")
POST = req("POST /x HTTP/1.1", "Content-Length: 5", body="query")


def setup():
    w = wall.Wall(workers=1)
    status, text = w.gateway.api("PUT", "/v1/virtualservices/gloo-system/quick", {
        "metadata": {"name": "quick", "namespace": "gloo-system"}, "virtualHost": {
            "domains": ["quick.example"], "routes": [{"matchers": [{"prefix": "/"}], "routeAction": {
                "single": {"upstream": {"name": "origin"}}}, "options": {"timeout": "0.5s"}}]}})
    check(status == 200, text)
    return w


def teardown(w):
    w.close()


class Scripted:
    """While it lasts the origin answers /x with these bytes; remembers where."""

    def __init__(self, w, *parts, early=False):
        self.w, self.parts, self.early, self.used = w, list(parts), early, []

    def answer(self, m, c):
        if m.target != b"/x":
            return answer_to(m) if not self.early or m.complete else None
        self.used.append(c)
        return self.parts

    def __enter__(self):
        self.w.origin.forget()
        self.w.origin.answer = self.answer
        if self.early:
            self.w.origin.on_head = lambda m, c: self.answer(m, c) if m.target == b"/x" else None
            self.w.origin.answer = lambda m, c: None if m.target == b"/x" else answer_to(m)
        return self

    def __exit__(self, *_):
        self.w.origin.answer, self.w.origin.on_head = lambda m, c: answer_to(m), None

    def dropped(self):
        check(self.used, "the origin was not asked")
        for c in self.used:
            e2e.wait_until("the origin's connection to end", lambda: c.ended)


def fresh(w):
    """No idle connection to the origin is left."""
    def drop():
        for c in w.origin.connections:
            w.origin.end(c, "fin")
    w.origin.do(drop)


def ways(w, data):
    """Over a fresh connection and a kept one; alone and with a request behind."""
    for kept in (False, True):
        for behind in (False, True):
            fresh(w)
            if kept:
                w.probe()
            c = Client(w).send(data + (req("GET /behind HTTP/1.1") if behind else b""))
            yield c, data.split(b" ")[0], behind
            c.close()
            w.probe()


def after(w, c, got, behind, method):
    """What comes behind the answer on the client's connection is its own."""
    closes = not got[0].complete or got[0].get(b"connection") == b"close" or got[0].until_close
    if closes:
        c.until_end()
        equal(len(c.responses([method, b"GET"])), 1, "answers before the end")
    elif behind:
        got = c.until(2, [method, b"GET"])
        equal((got[1].status, got[1].body), (200, b"GET /behind 0 00000000\n"), "behind it")
    else:
        w.probe(c)


FAILURES = ("reset", "bad_response", "request_timeout")


@contextlib.contextmanager
def counted(w, count, *names):
    """So many failures of the origin are counted meanwhile, each once and only
    under these names."""
    def read():
        values = w.gateway.metrics()
        return [sum(value for series, value in values.items()
                    if series.startswith(f"gloo_gateway_upstream_{n}{{") and "origin" in series)
                for n in FAILURES]
    before = read()
    yield
    more = dict(zip(FAILURES, (b - a for a, b in zip(before, read()))))
    equal(sum(more[n] for n in names), count, f"counted: {more}")
    equal(sum(more.values()), count, f"counted elsewhere: {more}")


def bad(w, *parts, data=GET):
    """One 502 with a body of our own, counted, and the connection is dropped."""
    with counted(w, 4, "bad_response", "reset"), Scripted(w, *parts) as script:
        for c, method, behind in ways(w, data):
            got = c.until(1, [method, b"GET"])
            check(got and got[0].status == 502 and got[0].complete, c.bytes[:300])
            for word in (b"EVIL", b"hello"):
                check(word not in c.bytes, "some of it came through:", c.bytes[:300])
            after(w, c, got, behind, method)
            script.dropped()


def passed(w, *parts, data=GET, status=200, body=b"hello", has=None, lacks=(), drops=False,
           interim=()):
    """The answer reaches the client, strictly valid."""
    with Scripted(w, *parts) as script:
        for c, method, behind in ways(w, data):
            got = c.until(1, [method, b"GET"])
            check(got and got[0].complete, c.bytes[:300])
            equal((got[0].status, got[0].body, got[0].interim), (status, body, list(interim)))
            for name, value in (has or {}).items():
                equal(got[0].get(name), value, name)
            for name in lacks:
                check(got[0].get(name) is None, name, "came through:", got[0].fields)
            check(b"EVIL" not in c.bytes, c.bytes[:300])
            after(w, c, got, behind, method)
            if drops:
                script.dropped()


def cut(w, *parts, data=GET, body=b"hel"):
    """The head came through, and the client sees that the body was cut."""
    with Scripted(w, *parts) as script:
        for c, method, _ in ways(w, data):
            c.until_end()
            got = c.responses([method, b"GET"])
            check(len(got) == 1 and not got[0].complete, "looks complete:", c.bytes[:300], c.ended)
            check(got[0].until_close is False or c.ended == "reset", "ends in good order")
            check(body.startswith(got[0].body) and b"EVIL" not in c.bytes, c.bytes[:300])
            script.dropped()


def cut_or_bad(w, *parts, data=GET, body=b"hello"):
    """Cut, or 502 when no byte of the answer had gone on; counted either way."""
    with counted(w, 4, "bad_response", "reset"), Scripted(w, *parts) as script:
        for c, method, behind in ways(w, data):
            got = c.until(1, [method, b"GET"])
            check(len(got) >= 1, c.bytes)
            check(b"EVIL" not in c.bytes, c.bytes)
            if got[0].status in (502, 504):
                check(got[0].complete and b"hello" not in c.bytes, c.bytes[:300])
                after(w, c, got, behind, method)
            else:
                c.until_end()
                got = c.responses([method, b"GET"])
                check(len(got) == 1 and not got[0].complete, "looks complete:", c.bytes[:300])
                check(body.startswith(got[0].body), c.bytes[:300])
            script.dropped()


def test_f38_status(w):
    """F38 bad status lines are a 502 and a dropped connection"""
    lines = ["HTTP/1.1 000 X", "HTTP/1.1 001 X", "HTTP/1.1 099 X", "HTTP/1.1 600 X",
             "HTTP/1.1 999 X", "HTTP/1.1 20 X", "HTTP/1.1 2000 X", "HTTP/1.1 0200 X",
             "HTTP/1.1 2x0 X", "HTTP/1.1 abc X", "HTTP/1.1 +20 X", "HTTP/1.1 -20 X",
             "HTTP/1.1 2.0 X", "HTTP/1.1 0x2 X", "HTTP/1.1  200 X", "HTTP/1.1\t200 X",
             "HTTP/1.1 200\tX", "HTTP/1.1 ", "HTTP/1.1", "HTTP/1.1 200X", "HTTP/1.1 20 0 X",
             "HTTP/2.0 200 OK", "HTTP/2 200 OK", "HTTP/0.9 200 OK", "HTTP/1.2 200 OK",
             "HTTP/3.0 200 OK", "HTTP/1.10 200 OK", "HTTP/01.1 200 OK", "HTTP/1,1 200 OK",
             "http/1.1 200 OK", "Http/1.1 200 OK", "HTTPS/1.1 200 OK", "ICY 200 OK", "200 OK",
             " HTTP/1.1 200 OK", "X HTTP/1.1 200 OK", "HTTP /1.1 200 OK", "HTTP/ 1.1 200 OK",
             "GET / HTTP/1.1", "<html>hello</html>", "hello", "\x00", "\x16\x03\x03\x00\x50",
             "\x15\x03\x01\x00\x02\x02\x16", "\xff\xfe", "HTTP/1.1 200 O\x00K", "HTTP/1.1 200 O\x01K",
             "HTTP/1.1 200 O\x7fK", "HTTP/1.1 200 O\rK", "HTTP/1.1 \xb2\xb2\xb2 X",
             "\r\nHTTP/1.1 200 OK", "\nHTTP/1.1 200 OK"]
    rows = [(f"F38 {l!r}", bad, l.encode("latin-1") + b"\r\nContent-Length: 4\r\n\r\nEVIL")
            for l in lines]
    rows += [
        ("F38 bare LF", bad, b"HTTP/1.1 200 OK\nContent-Length: 4\n\nEVIL"),
        ("F38 bare CR", bad, b"HTTP/1.1 200 OK\rContent-Length: 4\r\rEVIL"),
        ("F38 HTTP/0.9", bad, b"EVIL", "fin"),
        ("F38 HTTP/0.9, markup", bad, b"<html>EVIL</html>\r\n\r\n", "fin"),
        ("F38 empty", bad, b"", "fin"), ("F38 empty lines", bad, b"\r\n\r\n\r\n", "fin"),
        ("F38 1 MB of zeros", bad, b"\x00" * (1 << 20)),
        ("F38 1 MB of H", bad, b"H" * (1 << 20)),
    ]
    rows += [(f"F38 valid: {l}", passed, l.encode("latin-1")
              + b"\r\nContent-Length: 5\r\n\r\nhello")
             for l in ("HTTP/1.1 200 OK", "HTTP/1.1 200 ", "HTTP/1.1 200",
                       "HTTP/1.1 200 \xe9\t ok")]
    rows += [(f"F38 valid: {n}", code, n)
             for n in (201, 299, 300, 399, 404, 418, 499, 500, 503, 599)]
    return w.each(rows)


def code(w, n):
    passed(w, b"HTTP/1.1 %d X\r\nContent-Length: 5\r\n\r\nhello" % n, status=n)


def test_f38_fields(w):
    """F38 bad field lines are a 502 and a dropped connection"""
    fields = ["X : a", "X\t: a", ": a", "X", "no colon", "X Y: a", "X(: a", "X\x00: a", "X\x80: a",
              "X: a\x00b", "X: a\x01", "X: a\x7f", "X: \x0b", "X: a\rb", "X: a\nb", " X: a", "\tX: a",
              "X: a\r\n b", "X: a\r\n\tb", "X: a\r\n ", "X;: a", "\"X\": a", "HTTP/1.1 200 OK",
              "X: a\r", "X\r: a"]
    rows = [(f"F38 {f!r}", bad, b"HTTP/1.1 200 OK\r\n" + f.encode("latin-1")
             + b"\r\nContent-Length: 4\r\n\r\nEVIL") for f in fields]
    rows += [(f"F38 {f!r} last", bad, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n"
              + f.encode("latin-1") + b"\r\n\r\nEVIL") for f in fields]
    return w.each(rows)


def test_f38_framing(w):
    """F38 framing faults of an answer are a 502 and a dropped connection"""
    rows = [(f"F38 Content-Length: {v!r}", bad, b"HTTP/1.1 200 OK\r\nContent-Length: "
             + v.encode("latin-1") + b"\r\n\r\nEVIL") for v in (
        "-4", "+4", "0x4", "4.0", "4e0", '"4"', "4;", "4 4", "", " ", ",4", "4,", "4,5", "4, 4, 5",
        "\x004", "\xb24", "9223372036854775808", "18446744073709551620", "9" * 40, "4a", "a", "1_0",
        "4\r\n 4", "4\x0b")]
    rows += [(f"F38 Transfer-Encoding: {v!r}", bad, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: "
              + v.encode("latin-1") + b"\r\n\r\n4\r\nEVIL\r\n0\r\n\r\n") for v in (
        "gzip, chunked", "chunked, gzip", "chunked, chunked", "chunked, identity", "identity",
        "gzip", "", "chunked;q=1", '"chunked"', "\x0bchunked", "chunked\x00", "xchunked", ",chunked",
        "chunked,", "chunked\r\n ", "\xa0chunked", "chunked chunked")]
    both = [("CL and TE", "Content-Length: 4\r\nTransfer-Encoding: chunked"),
            ("TE and CL", "Transfer-Encoding: chunked\r\nContent-Length: 4"),
            ("CL 0 and TE", "Content-Length: 0\r\nTransfer-Encoding: chunked"),
            ("two lengths", "Content-Length: 4\r\nContent-Length: 5"),
            ("two lengths, one odd", "Content-Length: 4\r\nContent-Length: x"),
            ("two codings", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
            ("two codings, one gzip", "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked")]
    rows += [(f"F38 {what}", bad, b"HTTP/1.1 200 OK\r\n" + f.encode()
              + b"\r\n\r\n4\r\nEVIL\r\n0\r\n\r\n") for what, f in both]
    rows += [(f"F38 {what}, answer to HEAD", bad_head, b"HTTP/1.1 200 OK\r\n" + f.encode()
              + b"\r\n\r\n") for what, f in both]
    rows += [
        ("F38 TE in HTTP/1.0", bad, b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
         b"4\r\nEVIL\r\n0\r\n\r\n"),
        ("F38 CL and TE, 204", bad, b"HTTP/1.1 204 N\r\nContent-Length: 4\r\n"
         b"Transfer-Encoding: chunked\r\n\r\nEVIL"),
        ("F38 bad CL, 304", bad, b"HTTP/1.1 304 N\r\nContent-Length: -4\r\n\r\n"),
        ("F38 valid: two equal lengths", passed,
         b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
        ("F38 valid: length", passed, OK), ("F38 valid: length of 0", nothing, 200),
        ("F38 valid: chunked", passed, CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"),
        ("F38 valid: chunks of a byte", passed, CHUNKED + b"".join(
            b"1\r\n%c\r\n" % c for c in b"hello") + b"0\r\n\r\n"),
        ("F38 valid: CHUNKED", passed, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: CHUNKED\r\n\r\n"
         b"005;a=b\r\nhello\r\n0;c\r\nX-T: 1\r\n\r\n"),
        ("F38 valid: until the end", passed, b"HTTP/1.1 200 OK\r\n\r\nhello", "fin"),
        ("F38 valid: HTTP/1.0", passed, b"HTTP/1.0 200 OK\r\n\r\nhello", "fin"),
        ("F38 valid: HTTP/1.0 with a length", passed,
         b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
        ("F38 valid: HTTP/1.0, kept", passed, b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"
         b"Content-Length: 5\r\n\r\nhello"),
        ("F38 valid: close", passed, b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
         b"Content-Length: 5\r\n\r\nhello", "fin"),
        ("F38 valid: byte by byte", passed, *[OK[i:i + 1] for i in range(len(OK))]),
        ("F38 chunked to an HTTP/1.0 client", old, CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"),
        ("F38 until the end to an HTTP/1.0 client", old, b"HTTP/1.1 200 OK\r\n\r\nhello", "fin"),
        ("F38 length to an HTTP/1.0 client", old, OK),
    ]
    return w.each(rows)


def bad_head(w, answer):
    bad(w, answer, data=HEAD)


def nothing(w, status):
    passed(w, b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status, body=b"")


def old(w, *parts):
    passed(w, *parts, data=OLD)


def test_f38_chunks(w):
    """F38 odd chunks of an answer: the client sees the cut, or a 502"""
    bodies = [f"{s}\r\nhello\r\n0\r\n\r\n" for s in (
        "+5", "-5", "0x5", "5 ", " 5", "5\t", "", "g", "5h", "5\x00", "00000000000000005",
        "10000000000000005", "ffffffffffffffff", "8000000000000000", "5;\x01", "5;", '5;a="b',
        "5;" + "a" * 20000, "5_0")]
    bodies += ["5\nhello\r\n0\r\n\r\n", "5\rhello\r\n0\r\n\r\n", "\r\n5\r\nhello\r\n0\r\n\r\n",
               "HTTP/1.1 200 OK\r\n\r\n"]
    late = ["5\r\nhelloX\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "5\r\nhello\r0\r\n\r\n",
            "4\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n0x0\r\n\r\n", "5\r\nhello\r\n-0\r\n\r\n",
            "5\r\nhello\r\n\r\n\r\n", "5\r\nhello\r\n0\n\n", "5\r\nhello\r\n0\r\n\n",
            "5\r\nhello\r\n0\r\n folded\r\n\r\n", "5\r\nhello\r\n0\r\nno colon\r\n\r\n",
            "5\r\nhello\r\n0\r\nX : 1\r\n\r\n", "5\r\nhello\r\n0\r\nX: \x00\r\n\r\n",
            "5\r\nhello\r\n0\r\nContent-Length: 3\r\n\r\n", "5\r\nhello\r\n0\r\nHost: x\r\n\r\n",
            "5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
            "5\r\nhello\r\n0\r\nConnection: close\r\n\r\n",
            "5\r\nhello\r\n0\r\n" + "X: 1\r\n" * 200 + "\r\n",
            "5\r\nhello\r\n0\r\nX: " + "a" * 20000 + "\r\n\r\n", "5\r\nhello\r\n"
            + "g\r\n", "1;" + "a" * 1000 + "\r\nh\r\n" + ("1;" + "a" * 1000 + "\r\ne\r\n") * 300]
    rows = [(f"F38 {b[:40]!r}", cut_or_bad, CHUNKED + b.encode("latin-1")) for b in bodies]
    rows += [(f"F38 {b[:40]!r}", cut_or_bad, CHUNKED + b.encode("latin-1")) for b in late[:-1]]
    rows.append(("F38 one byte each with 1 kB", ratio, CHUNKED + late[-1].encode()))
    rows += [(f"F38 in two parts, {b[:40]!r}", cut_or_bad, CHUNKED + b"5\r\nhel",
              b.encode("latin-1")[6:]) for b in late[:3] + late[4:6]]
    rows += [(f"F38 to an HTTP/1.0 client, {b[:40]!r}", cut_old, CHUNKED + b.encode("latin-1"))
             for b in (bodies[0], late[0], late[4], late[9])]
    return w.each(rows)


def ratio(w, answer):
    cut_or_bad(w, answer, body=b"h" + b"e" * 300)


def cut_old(w, answer):
    """Without chunks only a reset tells an HTTP/1.0 client of the cut."""
    with Scripted(w, answer) as script:
        c = Client(w).send(OLD).until_end()
        got = c.responses([b"GET"])
        if not (got and got[0].status == 502):
            equal(c.ended, "reset")
        c.close()
        script.dropped()
    w.probe()


def test_f39(w):
    """F39 an early end is a 502 before the head, and seen by the client in the body"""
    rows = []
    for how in ("fin", "reset"):
        rows += [(f"F39 no byte, {how}", ended_early, how, b"", POST),
                 (f"F39 no byte on GET, {how}", ended_early, how, b"", GET)]
        rows += [(f"F39 {how} after {i} bytes of the head", ended_early, how, OK[:i], GET)
                 for i in range(1, OK.index(b"hello"))]
        rows += [(f"F39 {how} after {i} bytes of a body with a length", cut_or_bad,
                  OK[:len(OK) - 5 + i], how) for i in range(5)]
        whole = b"5\r\nhello\r\n0\r\n\r\n"
        rows += [(f"F39 {how} after {i} bytes of chunks", cut_or_bad, CHUNKED + whole[:i], how)
                 for i in range(len(whole))]
        rows += [(f"F39 {how} after {i} bytes of a chunked body, HTTP/1.0 client", cut_old_end,
                  CHUNKED + whole[:i], how) for i in (0, 3, 6, 10, 12, 14)]
        rows += [(f"F39 {how} after {i} bytes, HTTP/1.0 client", cut_old_end, OK[:len(OK) - i], how)
                 for i in (1, 5)]
        rows += [(f"F39 {how} after 100", ended_early, how, b"HTTP/1.1 100 Continue\r\n\r\n", GET),
                 (f"F39 {how} in the head of an answer to HEAD", ended_early, how, OK[:20], HEAD)]
    rows += [(f"F39 reset at the head of a {m} of {n}", replayed, m, n, status)
             for m, n, status in (("PUT", 0, 200), ("PUT", 5, 200), ("PUT", 12000, 200),
                                  ("DELETE", 5, 200), ("POST", 5, 502), ("PATCH", 5, 502))]
    rows += [("F39 reset in a body that lasts until the end", reset_open, GET),
             ("F39 reset in such a body, HTTP/1.0 client", reset_open, OLD),
             ("F39 megabytes, cut", cut_or_bad_big, "fin"),
             ("F39 megabytes, reset", cut_or_bad_big, "reset")]
    return w.each(rows)


def ended_early(w, how, answer, data):
    """502; a POST is never sent twice once some of it may have been read, and
    what is idempotent at most twice. Each 502 is counted, once."""
    with counted(w, 4, "reset"), Scripted(w, answer, how) as script:
        before = 0
        for c, method, behind in ways(w, data):
            got = c.until(1, [method, b"GET"])
            equal(got[0].status, 502)
            after(w, c, got, behind, method)
            asked, before = len(script.used) - before, len(script.used)
            check(asked == 1 or (asked == 2 and method != b"POST" and not answer), "asked", asked)
            script.dropped()


def cut_old_end(w, answer, how):
    with Scripted(w, answer, how) as script:
        c = Client(w).send(OLD).until_end()
        got = c.responses([b"GET"])
        check(c.ended == "reset" or (got and got[0].status == 502) or not got[0].complete,
              "looks complete:", c.bytes, c.ended)
        c.close()
        script.dropped()
    w.probe()


def reset_open(w, data):
    with Scripted(w, b"HTTP/1.1 200 OK\r\n\r\nhel", "reset") as script:
        c = Client(w).send(data).until_end()
        got = c.responses([b"GET"])
        check((got and got[0].status == 502) or c.ended == "reset" or not got[0].complete, c.bytes)
        c.close()
        script.dropped()
    w.probe()


def cut_or_bad_big(w, how):
    big = b"x" * (4 << 20)
    for head, body in ((b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(big) + 1), big),
                       (CHUNKED, b"%x\r\n" % len(big) + big + b"\r\n")):
        with Scripted(w, head + body, how) as script:
            c = Client(w).send(GET).until_end()
            got = c.responses([b"GET"])
            check(len(got) == 1 and not got[0].complete, "looks complete", got[0].status)
            c.close()
            script.dropped()
        w.probe()


def late(w, answer, extra, data=GET):
    """Bytes that come once the connection is idle: dropped, never an answer."""
    with Scripted(w, answer) as script:
        c = Client(w).send(data)
        method = data.split(b" ")[0]
        got = c.until(1, [method])
        check(got[0].complete, c.bytes)
        def more():
            for used in script.used:
                if not used.ended:
                    w.origin.say(used, [extra])
        w.origin.do(more)
        for _ in range(3):
            w.probe(c if got[0].get(b"connection") != b"close" else None)
            w.probe()
        script.dropped()
        c.close()


def test_f40(w):
    """F40 bytes after a complete answer are never the next one's"""
    whole = CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"
    empty = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    # So much goes from socket to socket, and what follows it is not seen with it.
    body = b"hello" * 60000
    large = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    rows = []
    for what, extra in (("an answer", EVIL), ("two answers", EVIL + EVIL), ("a byte", b"E"),
                        ("a line end", b"\r\n"), ("an interim answer", b"HTTP/1.1 100 C\r\n\r\n"),
                        ("64 kB", b"EVIL" * 16384)):
        rows += [(f"F40 length, then {what}", extra_after, OK, extra, b"hello", GET),
                 (f"F40 300 kB, then {what}", extra_after, large, extra, body, GET),
                 (f"F40 chunked, then {what}", extra_after, whole, extra, b"hello", GET),
                 (f"F40 empty, then {what}", extra_after, empty, extra, b"", GET),
                 (f"F40 HEAD, then {what}", extra_after, OK[:-5], extra, b"", HEAD),
                 (f"F40 204, then {what}", extra_after, b"HTTP/1.1 204 N\r\n\r\n", extra, b"", GET),
                 (f"F40 304, then {what}", extra_after, b"HTTP/1.1 304 N\r\nContent-Length: 5\r\n\r\n",
                  extra, b"", GET),
                 (f"F40 length, later {what}", late, OK, extra),
                 (f"F40 300 kB, later {what}", late, large, extra),
                 (f"F40 chunked, later {what}", late, whole, extra),
                 (f"F40 HEAD, later {what}", late, OK[:-5], extra, HEAD),
                 (f"F40 204, later {what}", late, b"HTTP/1.1 204 N\r\n\r\n", extra),
                 (f"F40 304, later {what}", late, b"HTTP/1.1 304 N\r\nContent-Length: 5\r\n\r\n",
                  extra)]
    rows += [
        ("F40 HEAD with the body", extra_after, OK, b"", b"", HEAD),
        ("F40 HEAD with a chunked body", extra_after, whole, b"", b"", HEAD),
        ("F40 HEAD, body later", late, OK[:-5], b"EVIL!", HEAD),
        ("F40 204 with a length and a body", extra_after,
         b"HTTP/1.1 204 N\r\nContent-Length: 4\r\n\r\nEVIL", b"", b"", GET),
        ("F40 204 chunked", extra_after, b"HTTP/1.1 204 N\r\nTransfer-Encoding: chunked\r\n\r\n"
         b"4\r\nEVIL\r\n0\r\n\r\n", b"", b"", GET),
        ("F40 304 with the body", extra_after,
         b"HTTP/1.1 304 N\r\nContent-Length: 4\r\n\r\nEVIL", b"", b"", GET),
        ("F40 304 chunked", extra_after, b"HTTP/1.1 304 N\r\nTransfer-Encoding: chunked\r\n\r\n"
         b"4\r\nEVIL\r\n0\r\n\r\n", b"", b"", GET),
        ("F40 304 without a length", extra_after, b"HTTP/1.1 304 N\r\n\r\n", b"EVIL", b"", GET),
        ("F40 an early answer, body to come", early, OK),
        ("F40 an early answer, chunked body to come", early_chunked, OK),
        ("F40 an early chunked answer", early, whole),
        ("F40 a greeting", greeted, b"220 smtp.example ESMTP\r\n"),
        ("F40 an answer before the request", greeted, EVIL),
        ("F40 an early refusal that closes", early_close, "fin"),
        ("F40 an early refusal that resets", early_close, "reset"),
    ]
    return w.each(rows)


def extra_after(w, answer, extra, body, data):
    """The answer is passed on; nothing of what follows it, ever."""
    with Scripted(w, answer + extra) as script:
        for c, method, behind in ways(w, data):
            got = c.until(1, [method, b"GET"])
            check(got and got[0].complete, c.bytes)
            if got[0].status != 502:
                equal(got[0].body, body)
            after(w, c, got, behind, method)
            check(b"EVIL" not in c.bytes, c.bytes)
            script.dropped()


def early(w, answer):
    """The answer comes before the request's body ends: neither connection is
    used again with half a body in it."""
    with Scripted(w, answer, early=True) as script:
        c = Client(w).send(req("POST /x HTTP/1.1", "Content-Length: 50", body="first half"))
        got = c.until(1, [b"POST"])
        equal((got[0].status, got[0].body), (200, b"hello"))
        c.send(b"second half is EVIL" + b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n")
        c.until_end()
        equal(len(c.responses([b"POST", b"GET"])), 1)
        c.close()
        script.dropped()
    w.probe()
    check(not any(b"smuggled" in m.target for m in w.reached()))


def early_chunked(w, answer):
    with Scripted(w, answer, early=True) as script:
        c = Client(w).send(req("POST /x HTTP/1.1", "Transfer-Encoding: chunked", body="5\r\nhe"))
        got = c.until(1, [b"POST"])
        equal((got[0].status, got[0].body), (200, b"hello"))
        c.send(b"llo\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n").until_end()
        equal(len(c.responses([b"POST", b"GET"])), 1)
        c.close()
        script.dropped()
    w.probe()
    check(not any(b"smuggled" in m.target for m in w.reached()))


def early_close(w, how):
    """413 and the end, while the client is still sending."""
    answer = b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
    with Scripted(w, answer, how, early=True) as script:
        c = Client(w).send(req("POST /x HTTP/1.1", f"Content-Length: {1 << 20}",
                               body="x" * 1000))
        got = c.until(1, [b"POST"])
        check(got[0].status in (413, 502) and got[0].complete, c.bytes)
        c.send(b"x" * (1 << 19)).until_end()
        equal(len(c.responses([b"POST"])), 1)
        c.close()
        script.dropped()
    w.probe()


def greeted(w, greeting):
    """The upstream speaks before it is asked: if that is there when the
    connection is, it is not used. (What it says as our request is on its way
    cannot be told from an answer; so what becomes of its own connection later
    is its own affair.)"""
    fresh(w)
    w.origin.greeting = [greeting]
    try:
        for _ in range(5):
            c = Client(w).send(GET)
            got = c.until(1, [b"GET"])
            check(got and got[0].complete and (got[0].status == 502 or got[0].body in (
                b"EVIL", b"GET /x 0 00000000\n")), c.bytes)
            c.close()
    finally:
        w.origin.greeting = None
    fresh(w)
    for _ in range(5):
        w.probe()


def replayed(w, method, length, status):
    """A kept connection is reset when the head has come: what is idempotent is
    asked once more, whole; what is not is never sent twice."""
    body = b"b" * length
    tries = []
    fresh(w)
    w.probe()
    w.origin.forget()
    w.origin.on_head = lambda m, c: tries.append(c) or (["reset"] if len(tries) == 1 else None) \
        if m.target == b"/x" else None
    try:
        c = Client(w).send(req(f"{method} /x HTTP/1.1", f"Content-Length: {length}", body=body))
        got = c.until(1, [method.encode()])
        equal(got[0].status, status)
        whole = [m.body for m in w.origin.log]
        equal(whole, [body] if status == 200 else [])
        equal(len(tries), 2 if status == 200 else 1)
        c.close()
    finally:
        w.origin.on_head = None
    w.probe()


def mutated(w, answer, data=GET):
    """Whatever one odd byte makes of an answer: the client gets one strictly
    valid answer, or a 502, or sees the cut; and the next ones are their own."""
    for i, text in enumerate(wall.mutations(answer)):
        with Scripted(w, text, "shut") as script:
            c = Client(w).send(data)
            got = c.until(1, [data.split(b" ")[0]])
            check(len(got) == 1, f"{text!r}: {c.bytes!r}")
            c.close()
            check(script.used, text)
        if i % 8 == 0:
            w.probe()


def test_f38_mutations(w):
    """F38 one odd byte anywhere: a strictly valid answer, a 502 or a cut"""
    return w.each([
        ("F38 odd bytes in an answer", mutated, b"HTTP/1.1 200 OK\r\nX: a\r\n"
         b"Content-Length: 5\r\n\r\nhello"),
        ("F38 odd bytes in chunks", mutated, CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"),
        ("F38 odd bytes in an answer to HEAD", mutated, OK[:-5], HEAD),
    ])


def test_f41(w):
    """F41 huge, endless and slow answers: caps and timeouts"""
    quick = req("GET /x HTTP/1.1", host="Host: quick.example")
    many = b"".join(b"X-%d: a\r\n" % i for i in range(150))
    return w.each([
        ("F41 a head of 70 kB", bad, b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70000 + b"\r\n\r\nEVIL"),
        ("F41 a head without an end", bad, b"HTTP/1.1 200 OK\r\nX: " + b"a" * (1 << 20)),
        ("F41 a reason without an end", bad, b"HTTP/1.1 200 " + b"a" * (1 << 20)),
        ("F41 a name without an end", bad, b"HTTP/1.1 200 OK\r\n" + b"a" * (1 << 20)),
        ("F41 150 fields", bad, b"HTTP/1.1 200 OK\r\n" + many + b"Content-Length: 4\r\n\r\nEVIL"),
        ("F41 fields without an end", bad, b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 100000),
        ("F41 1xx without an end", bad, b"HTTP/1.1 100 Continue\r\n\r\n" * 20000),
        ("F41 1xx of 50 kB each", bad, (b"HTTP/1.1 103 E\r\nX: " + b"a" * 50000 + b"\r\n\r\n") * 40),
        ("F41 500 options of Connection", bad, b"HTTP/1.1 200 OK\r\nConnection: " + b",".join(
            b"x%d" % i for i in range(500)) + b"\r\nContent-Length: 4\r\n\r\nEVIL"),
        ("F41 valid: 90 fields", passed, b"HTTP/1.1 200 OK\r\n" + many[:many.index(b"X-90")]
         + b"Content-Length: 5\r\n\r\nhello"),
        ("F41 valid: a head of 50 kB", passed, b"HTTP/1.1 200 OK\r\nX: " + b"a" * 50000
         + b"\r\nContent-Length: 5\r\n\r\nhello"),
        ("F41 valid: 1 MB", large, 1 << 20),
        ("F41 nothing at all", slow, quick, b""), ("F41 some of a head", slow, quick, OK[:20]),
        ("F41 a head, no body", slow_body, quick, OK[:-5]),
        ("F41 some of a body", slow_body, quick, OK[:-2]),
        ("F41 some of a chunked body", slow_body, quick, CHUNKED + b"5\r\nhel"),
        ("F41 interim answers only", slow, quick, b"HTTP/1.1 100 Continue\r\n\r\n" * 3),
        ("F41 a body that lasts until the end, and does not end", slow_body, quick,
         b"HTTP/1.1 200 OK\r\n\r\nhel"),
    ])


def large(w, size):
    body = bytes(range(256)) * (size // 256)
    for head in (b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size,
                 CHUNKED + b"%X\r\n" % size):
        passed(w, head + body + (b"\r\n0\r\n\r\n" if head.startswith(CHUNKED) else b""), body=body)


def slow(w, data, answer):
    with counted(w, 1, "request_timeout"), Scripted(w, answer) as script:
        c = Client(w).send(data)
        got = c.until(1, [b"GET"])
        check(got[0].status == 504 and got[0].complete, c.bytes)
        if got[0].get(b"connection") != b"close":
            w.probe(c)
        c.close()
        script.dropped()
    w.probe()


def slow_body(w, data, answer):
    with counted(w, 1, "request_timeout"), Scripted(w, answer) as script:
        c = Client(w).send(data).until_end()
        got = c.responses([b"GET"])
        check(len(got) == 1 and (got[0].status == 504 or not got[0].complete), c.bytes, c.ended)
        c.close()
        script.dropped()
    w.probe()


def test_d23(w):
    """D23 hop-by-hop fields of an answer go no further, and strip nothing that counts"""
    def answer(*fields, body=b"hello"):
        return b"HTTP/1.1 200 OK\r\n" + b"".join(f.encode("latin-1") + b"\r\n" for f in fields) \
            + b"Content-Length: %d\r\n\r\n" % len(body) + body
    rows = [(f"D23 {f}", stripped, answer(f, "X-Kept: 1"), [f.partition(":")[0].lower().encode()])
            for f in ("Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "TE: trailers",
                      "Trailer: X-T", "Upgrade: h2c", "Upgrade: h2,h2c", "HTTP2-Settings: x",
                      "Keep_Alive: x", "Transfer_Encoding: chunked", "Content_Length: 9")]
    rows += [(f"D23 Connection: {o!r}", stripped,
              answer(f"Connection: {o}", "X-Inner: 1", "X-Kept: 1", "X-INNER: 2"), [b"x-inner"])
             for o in ("X-Inner", "x-inner, keep-alive", "close, X-Inner", ",,X-Inner,")]
    rows += [(f"D23 Connection: {o} strips nothing", passed,
              answer(f"Connection: {o}", "Set-Cookie: a", "Location: /l", "Date: d",
                     "Content-Type: t")) for o in (
        "Content-Length", "Transfer-Encoding", "Date", "Location", "Content-Type", "host")]
    rows += [
        ("D23 two cookies stay two", cookies, answer("Set-Cookie: a=1", "Set-Cookie: b=2")),
        ("D23 close of the upstream is not the client's", passed,
         answer("Connection: close"), "fin"),
    ]
    return w.each(rows)


def stripped(w, answer, names):
    passed(w, answer, lacks=names, has={b"x-kept": b"1"})


def cookies(w, answer):
    with Scripted(w, answer):
        c = Client(w).send(GET)
        got = c.until(1, [b"GET"])
        equal([v for n, v in got[0].fields if n == b"set-cookie"], [b"a=1", b"b=2"])
        c.close()


def test_d27(w):
    """D27 what an upstream puts into Location and reason goes on as it is, or not at all"""
    return w.each([
        ("D27 Location with CR", bad, b"HTTP/1.1 302 F\r\nLocation: /a\rSet-Cookie: x\r\n"
         b"Content-Length: 0\r\n\r\n"),
        ("D27 Location with NUL", bad, b"HTTP/1.1 302 F\r\nLocation: /a\x00\r\n"
         b"Content-Length: 0\r\n\r\n"),
        ("D27 Location with LF", bad, b"HTTP/1.1 302 F\r\nLocation: /a\nX: y\r\n"
         b"Content-Length: 0\r\n\r\n"),
        ("D27 reason with CR", bad, b"HTTP/1.1 302 F\rX: y\r\nContent-Length: 0\r\n\r\n"),
        ("D27 valid", moved, b"/a?b%0d%0a"),
    ])


def moved(w, location):
    passed(w, b"HTTP/1.1 302 F\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % location, status=302,
           body=b"", has={b"location": location})


def test_every_number(w):
    """every number of list F (without TLS) has rows; nothing is left open"""
    if len(sys.argv) > 1:
        raise e2e.Skip("only some were run")
    w.quiet()
    equal([n for n in NUMBERS if not w.rows[n]], [])
    check(len(w.logged()) > sum(w.rows.values()), "the access log has them all")
    return ", ".join(f"{n}: {w.rows[n]}" for n in NUMBERS) + f"; {sum(w.rows.values())} rows"


if __name__ == "__main__":
    e2e.main(globals())
