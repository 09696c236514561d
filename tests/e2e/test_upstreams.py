"""Hostile or broken upstreams, raw bytes: 502 and a dropped connection, never
the next client's answer; the client always sees a cut as a cut."""
import re
import sys

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import check, equal

GET = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n"
CLOSE = b"GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


class Broken:
    def __init__(self):
        self.lab = e2e.Lab()
        self.script = None
        self.origin = e2e.Origin(self.lab.gw, lambda r, c: self.script(r, c))
        self.gateway = e2e.Gateway(self.lab).start()
        self.gateway.upstream("origin", self.origin.host)
        self.gateway.route("/", "origin")

    def ask(self, script, data=CLOSE, seconds=5):
        """script: bytes to answer with (then the origin closes), or a function."""
        if isinstance(script, bytes):
            def self_close(r, c, reply=script):
                c["socket"].sendall(reply)
                return "close"
            self.script = self_close
        else:
            self.script = script
        return e2e.talk(self.lab.out, self.lab.address, 8080, data, seconds)


def setup():
    return Broken()


def teardown(b):
    try:
        b.gateway.close()
    finally:
        b.origin.close()
        b.lab.close()


def statuses(got):
    return [int(m) for m in re.findall(rb"HTTP/1\.1 (\d{3}) ", got)]


def head(*lines, body=b""):
    return b"".join(l.encode("latin-1") + b"\r\n" for l in lines) + b"\r\n" + body


def test_38(b):
    """F38 bad status lines, versions, fields and framing: 502"""
    table = [
        ("status 0", head("HTTP/1.1 000 X")), ("status 99", head("HTTP/1.1 099 X")),
        ("status 600", head("HTTP/1.1 600 X")), ("status 1000", head("HTTP/1.1 1000 X")),
        ("letters", head("HTTP/1.1 abc X")), ("short", head("HTTP/1.1 20 X")),
        ("HTTP/2.0", head("HTTP/2.0 200 OK")), ("HTTP/0.9", b"<html>hello</html>"),
        ("garbage", b"\x00\x01\x02\x03\r\n\r\n"), ("no colon", head("HTTP/1.1 200 OK", "bad field")),
        ("space before colon", head("HTTP/1.1 200 OK", "X : y")),
        ("NUL in value", head("HTTP/1.1 200 OK", "X: a\x00b")),
        ("folding", b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n"),
        ("bare LF", b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok"),
        ("CL and TE", head("HTTP/1.1 200 OK", "Content-Length: 2", "Transfer-Encoding: chunked",
                           body=b"0\r\n\r\n")),
        ("negative CL", head("HTTP/1.1 200 OK", "Content-Length: -2", body=b"ok")),
        ("two CL", head("HTTP/1.1 200 OK", "Content-Length: 2", "Content-Length: 3", body=b"ok")),
        ("odd TE", head("HTTP/1.1 200 OK", "Transfer-Encoding: gzip", body=b"ok")),
        ("TE in 1.0", head("HTTP/1.0 200 OK", "Transfer-Encoding: chunked", body=b"0\r\n\r\n")),
    ]
    for what, reply in table:
        got = b.ask(reply)
        equal(statuses(got), [502], f"{what}: {got[:300]!r}")
    return f"{len(table)} answers"


def test_39_head(b):
    """F39 the connection ends before or inside the head: 502"""
    for reply in (b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 200 OK\r\n"):
        got = b.ask(reply)
        equal(statuses(got), [502], got)


def test_39_body(b):
    """F39 the connection ends inside the body: the client sees the cut"""
    got = b.ask(head("HTTP/1.1 200 OK", "Content-Length: 100", body=b"only this"))
    check(got.endswith(b"only this") and b"Content-Length: 100" in got.title(), got)
    got = b.ask(head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", body=b"5\r\nhello\r\n"))
    check(not got.endswith(b"0\r\n\r\n"), "no final chunk:", got)
    got = b.ask(head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", body=b"5\r\nhello\r\nzz\r\n"))
    check(not got.endswith(b"0\r\n\r\n"), "no final chunk:", got)


def test_close_delimited(b):
    """an answer until the connection ends arrives whole, marked complete"""
    got = b.ask(head("HTTP/1.1 200 OK", body=b"until the end"), GET, 2)
    check(b"until the end" in got and got.endswith(b"0\r\n\r\n"), got)


def test_39_retry(b):
    """F39 an idle connection that turns out closed: the request is sent again once"""
    state = {"n": 0}
    def script(r, c):
        state["n"] += 1
        c["n"] = c.get("n", 0) + 1
        if c["n"] > 1:
            return "close"  # a kept connection dies on its second request
        return e2e.simple_answer(r, c)
    for i in range(10):
        got = b.ask(script)
        equal(statuses(got), [200], f"request {i}: {got!r}")
    check(b.gateway.metric("gloo_gateway_upstream_retried_idle") >= 1, "counted")


def test_40(b):
    """F40 bytes after a complete answer: the connection is dropped, nobody gets them"""
    def script(r, c):
        return (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
                b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    for _ in range(10):
        got = b.ask(script)
        check(b"evil" not in got and statuses(got) == [200], got)
    late = {"c": None}
    def good(r, c):
        late["c"] = c
        return e2e.simple_answer(r, c)
    equal(statuses(b.ask(good)), [200])
    try:
        late["c"]["socket"].sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    except OSError:
        pass
    got = b.ask(good)
    check(b"evil" not in got and statuses(got) == [200], got)


def test_40_bodiless(b):
    """F40 204, 304 and HEAD with a body: the body is ignored, the connection dropped"""
    for status in ("204 No Content", "304 Not Modified"):
        for _ in range(3):
            got = b.ask(lambda r, c: head(f"HTTP/1.1 {status}", "Content-Length: 4", body=b"evil"))
            check(b"evil" not in got, got)
            equal(statuses(got), [int(status[:3])])
    for _ in range(3):
        got = b.ask(lambda r, c: head("HTTP/1.1 200 OK", "Content-Length: 4", body=b"evil"),
                    CLOSE.replace(b"GET", b"HEAD"))
        check(b"evil" not in got and statuses(got) == [200], got)


def test_41_big_head(b):
    """F41 a head beyond the limit: 502"""
    got = b.ask(head("HTTP/1.1 200 OK", "X: " + "a" * 200000))
    equal(statuses(got), [502], got[:200])
    got = b.ask(head("HTTP/1.1 200 OK", *[f"X{i}: a" for i in range(1000)]))
    equal(statuses(got), [502], got[:200])


def test_41_reset(b):
    """F41 a reset at any point: 502 or a visible cut, no crash"""
    import socket
    import struct
    whole = head("HTTP/1.1 200 OK", "Content-Length: 20", body=b"0123456789")
    pid = b.gateway.proxy_pid()
    for at in range(0, len(whole) + 1, 3):
        def script(r, c, at=at):
            c["socket"].sendall(whole[:at])
            c["socket"].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return "close"
        got = b.ask(script)
        check(statuses(got) in ([502], [200]), at, got)
        if statuses(got) == [200]:
            check(len(got.split(b"\r\n\r\n", 1)[1]) < 20, got)
    equal(b.gateway.proxy_pid(), pid)


def test_early_answer(b):
    """an answer before the body was read: it arrives, the connection is not reused"""
    def script(r, c):
        return None
    class Early(e2e.Origin):
        def serve(self, c):
            c["socket"].recv(1000)
            c["socket"].sendall(head("HTTP/1.1 413 Too Large", "Content-Length: 3", body=b"big"))
            c["socket"].recv(1)
            c["eof"] = True
    early = Early(b.lab.gw)
    b.gateway.upstream("early", early.host)
    b.gateway.glooctl("add", "route", "--path-prefix", "/early", "--dest-name", "early",
                      "--index", "0")
    got = e2e.talk(b.lab.out, b.lab.address, 8080,
                   b"POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 5000,
                   expect=b"big")
    equal(statuses(got), [413], got)
    early.close()


def test_never_mixed(b):
    """answers never go to another client: 400 clients with ids over flaky upstreams"""
    import random
    import threading
    rng = random.Random(7)
    def script(r, c):
        path = r.split(b" ")[1]
        x = rng.random()
        if x < 0.1:
            return "close"
        reply = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(path) + path
        if x < 0.2:
            return reply + b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n/evil"
        if x < 0.3:
            c["socket"].sendall(reply[:-2])
            return "close"
        return reply
    b.script = script
    wrong = []
    def client(n):
        for i in range(20):
            path = b"/id-%d-%d" % (n, i)
            got = e2e.talk(b.lab.out, b.lab.address, 8080,
                           b"GET " + path + b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            if statuses(got)[:1] == [200]:
                body = got.split(b"\r\n\r\n", 1)[1]
                if not path.startswith(body):
                    wrong.append((path, got))
    threads = [threading.Thread(target=client, args=(n,)) for n in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    equal(wrong, [])


if __name__ == "__main__":
    e2e.main(globals())
