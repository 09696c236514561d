"""Bodies of 5 MB, many at once, and clients that are slow in both directions (L9): what
the proxy keeps of them is bounded, those that are too much are told so, others are
served, and in the end nothing of it is left."""
import socket
import sys
import threading
import time

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import check, equal, wait_until
from lambda_bed import Bed

MB = 1 << 20
SIZE = 5 * MB
CALL_BYTES = 24 * MB  # of each worker
WORKERS = 2
# Texts that grow have room for twice their length, and are copied: what is counted may
# be in memory three times for a moment. Beside it: connections, buffers, TLS.
BOUND_KB = 3 * WORKERS * CALL_BYTES // 1024 + (32 << 10)
MANY = 80  # of 5 MB: more than twice that


class Drill(Bed):
    def __init__(self):
        self.event = b'"' + b"x" * (SIZE - 2) + b'"'
        self.answer = b'{"statusCode": 200, "body": "' + b"y" * (SIZE - 40) + b'"}'
        super().__init__(settings=f"limits: {{ callBytes: {CALL_BYTES} }}\n")
        self.fake.functions["short"] = lambda i: i.result(b'{"a": %d}' % len(i.event))
        self.fake.functions["long"] = lambda i: i.result(self.answer)
        self.go_on = threading.Event()
        self.fake.functions["waits"] = self.waits
        self.fake.quick = True  # it keeps no bodies
        self.routes(self.way("/echo", "echo"),
                    self.way("/short", "short", options={"timeout": "60s"}),
                    self.way("/long", "long", unwrapAsApiGateway=True,
                             options={"timeout": "4s"}),
                    # A fake that answers many at once may take longer than 15 s.
                    self.way("/longer", "long", unwrapAsApiGateway=True,
                             options={"timeout": "60s"}),
                    self.way("/waits", "waits"),
                    self.way("/wrapped", "short", wrapAsApiGateway=True,
                             options={"timeout": "60s"}))
        self.ready("/short")
        self.before = self.memory()

    def waits(self, i):
        check(self.go_on.wait(60 * e2e.PATIENCE), "nobody let it go on")
        i.result(b"1")

    def memory(self):
        return e2e.memory_kb(self.gateway.proxy_pid())

    def active(self):
        return self.gateway.metric("gloo_gateway_upstream_call_bytes_active")

    def connect(self, small=False):
        with e2e.Namespace(self.out):
            s = socket.socket()
            if small:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
            s.settimeout(30 * e2e.PATIENCE)
            s.connect((self.address, 8080))
        return s

    def head(self, path, length, method=b"POST"):
        return (b"%s %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
                % (method, path.encode(), length))

    def at_once(self, count, path, body):
        """{status: how many} of so many clients; the most memory that there was."""
        found, lock, most = {}, threading.Lock(), [0]
        start = threading.Barrier(count)

        def one():
            start.wait()
            try:
                s = self.connect()
                with s:
                    got = b""
                    try:
                        s.sendall(self.head(path, len(body)) + body)
                    except OSError:
                        pass  # refused before all was sent
                    try:
                        while part := s.recv(1 << 18):
                            got = got or part[:64]
                    except OSError:
                        pass
                status = got.split(b" ")[1].decode() if b" " in got else "none"
            except OSError as e:
                status = repr(e)
            with lock:
                found[status] = found.get(status, 0) + 1
        threads = [threading.Thread(target=one, daemon=True) for _ in range(count)]
        for t in threads:
            t.start()
        while any(t.is_alive() for t in threads):
            most[0] = max(most[0], self.memory())
            threads[0].join(0.02) if threads[0].is_alive() else threading.Event().wait(0.02)
        for t in threads:
            t.join()
        return found, most[0]

    def nothing_left(self):
        wait_until("no bytes of calls", lambda: self.active() == 0, 10)
        # What the allocator keeps for the next ones is no more than was in use.
        bounded(self, self.memory())


def setup():
    return Drill()


def teardown(d):
    try:
        d.go_on.set()
        equal(d.fake.broken, [])
    finally:
        d.close()


def bounded(d, most):
    limit = d.before + BOUND_KB
    # A sanitizer keeps what is freed, for a while.
    check(most < limit or e2e.SANITIZED,
          f"{most} KB were in use, {d.before} before, {limit} may be")
    return f"{(most - d.before) >> 10} MB more than before"


def test_one_by_one(d):
    """bodies of 5 MB one after the other: memory does not grow"""
    for _ in range(3):
        equal(d.ask("/short", d.event)[0], 200)
    before = d.memory()
    for _ in range(200 if e2e.SOAK else 20):
        status, _, body = d.ask("/short", d.event)
        equal((status, body), (200, b'{"a": %d}' % SIZE))
    d.nothing_left()
    check(d.memory() < before + (32 << 10) or e2e.SANITIZED, before, d.memory())
    return f"{d.memory() - before} KB more"


def test_many(d):
    """80 bodies of 5 MB at once: some are told 503, memory is bounded, all end"""
    found, most = d.at_once(MANY, "/short", d.event)
    check(set(found) <= {"200", "503"} and found.get("200", 0) >= 4, found)
    note = bounded(d, most)
    d.nothing_left()
    equal(d.ask("/short", b"{}")[0], 200)
    return f"{found}, {note}"


def test_long_answers(d):
    """80 answers of 5 MB that are collected at once: the same"""
    found, most = d.at_once(MANY, "/longer", b"")
    check(set(found) <= {"200", "503", "502"} and found.get("200", 0) >= 2, found)
    note = bounded(d, most)
    d.nothing_left()
    return f"{found}, {note}"


def test_wrapped(d):
    """bodies that become events are counted twice while they are two"""
    found, most = d.at_once(20, "/wrapped", b"x" * (4 * MB))
    check(set(found) <= {"200", "503"} and found.get("200", 0) >= 1, found)
    note = bounded(d, most)
    d.nothing_left()
    return f"{found}, {note}"


def test_slow_senders(d):
    """300 clients that announce 5 MB and send little hold no endpoint and little memory"""
    connections = d.fake.connections
    slow = [d.connect() for _ in range(300)]
    try:
        for s in slow:
            s.sendall(d.head("/short", SIZE) + b'"' + b"x" * 1000)
        equal(d.ask("/short", b"{}")[0], 200)
        check(d.fake.connections - connections <= WORKERS, "they hold endpoints")
        note = bounded(d, d.memory())
        begin = time.monotonic()
        for _ in range(20):
            equal(d.ask("/short", b"{}")[0], 200)
        note += f"; {(time.monotonic() - begin) * 50:.0f} ms for each of others"
    finally:
        for s in slow:
            s.close()
    d.nothing_left()
    return note


def test_slow_readers(d):
    """40 clients that do not read answers of 5 MB: bounded, and not beyond the route's time"""
    found = []
    slow = [d.connect(small=True) for _ in range(40)]
    try:
        for s in slow:
            s.sendall(d.head("/long", 0, b"GET"))
        # Those who are refused hear it; those who are served have begun to.
        for s in slow:
            found.append(s.recv(16)[9:12])
        note = bounded(d, d.memory())
        held = d.active()
        check(held <= WORKERS * CALL_BYTES, held)
        # They do not read on, and are no longer kept for. With other work beside it the
        # fake may still have their answers to make.
        wait_until("others to be served", lambda: d.ask("/long")[0] == 200,
                   15 if e2e.SOAK else 30)
    finally:
        for s in slow:
            s.close()
    check(set(found) <= {b"200", b"503", b"502", b"504"} and b"200" in found, found)
    # The fake makes forty answers at once, which takes less than the route's time; with
    # other work beside it those that come last may be late, but not most of them.
    check(found.count(b"504") <= (0 if e2e.SOAK else len(found) // 4), found)
    d.nothing_left()
    equal(d.ask("/longer")[0], 200)
    return f"{found.count(b'200')} of {len(found)} began, {int(held) >> 20} MB held; {note}"


def test_slow_readers_passed(d):
    """40 clients that do not read what is only passed on hold no memory of calls"""
    slow = [d.connect(small=True) for _ in range(40)]
    small = b'"' + b"z" * (MB - 2) + b'"'
    try:
        for s in slow:
            s.sendall(d.head("/echo", len(small)) + small)
            check(s.recv(16).startswith(b"HTTP/1.1 200"), "it is not served")
        note = bounded(d, d.memory())
        # What was sent to them is let go a moment later, and not when it is given up.
        wait_until("no bytes of calls", lambda: d.active() < MB, 1)
        equal(d.ask("/short", b"{}")[0], 200)
    finally:
        for s in slow:
            s.close()
    d.nothing_left()
    return note


def test_hung_up(d):
    """clients that go away in the middle, of their body and of their call: all is let go"""
    for n in range(60):
        s = d.connect()
        s.sendall(d.head("/waits", SIZE) + d.event[:SIZE // 2 if n % 2 else SIZE // 50])
        s.close()
    several = [d.connect() for _ in range(4)]
    for s in several:
        s.sendall(d.head("/waits", 4 * MB) + b'"' + b"x" * (4 * MB - 2) + b'"')
    wait_until("their calls", lambda: sum("waits" in t for _, t in d.fake.asked) >= 4, 20)
    for s in several:
        s.close()
    d.nothing_left()
    d.go_on.set()
    equal(d.ask("/short", b"{}")[0], 200)


if __name__ == "__main__":
    e2e.main(globals())
