"""Raw bytes against a gateway, with an origin behind it that remembers every
byte: what tests of hostile input share. A row sends bytes; its verdict is what
reached the origin and what reached the client, both read by tests/lib/strict."""
import collections
import json
import queue
import re
import selectors
import socket
import struct
import threading
import time
import zlib

import e2e
import strict
from e2e import check, equal

SECONDS = 5  # a row that takes longer than this hangs
LINGER = 1.5  # seconds; the gateway resets what comes 2 s after its answer


def answer_to(m):
    """What the origin says to a message: it names the message, so that an
    answer that went to the wrong request is seen."""
    body = b"%s %s %d %08x\n" % (m.method, m.target, len(m.body), zlib.crc32(m.body))
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    return head if m.method == b"HEAD" else head + body


class Connection:
    """One that the gateway opened to the origin."""

    def __init__(self, s):
        self.socket, self.bytes, self.pending = s, b"", b""
        self.ended = self.bad = None   # ended: "fin" or "reset"
        self.headed = False

    def messages(self):
        """What came since the last forget(); Bad if it is not strictly valid."""
        if self.bad:
            raise self.bad
        return strict.requests(self.bytes)


class Origin:
    """One thread serves all connections, so that settle() can tell when all
    that was sent to them has been looked at. answer(message, connection)
    gives what to send for a complete request, a list of bytes, "fin" or
    "reset" (or bytes, or None); on_head the same as soon as the head is there,
    greeting what is said before any."""

    def __init__(self, ns):
        self.answer, self.on_head = lambda m, c: answer_to(m), None
        self.greeting = None
        self.connections, self.jobs = [], queue.Queue()
        self.log = []  # the complete messages, in the order of their coming
        with e2e.Namespace(ns):
            self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.host = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.wake, self.woken = socket.socketpair()
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.selector.register(self.woken, selectors.EVENT_READ)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            ready = self.selector.select()
            fresh = [k for k, _ in ready if k.fileobj is not self.woken]
            for key in fresh:
                if key.fileobj is self.listener:
                    c = Connection(self.listener.accept()[0])
                    c.socket.settimeout(SECONDS * e2e.PATIENCE)
                    # What is said is sent, not kept until the last of it is
                    # acknowledged: the order is what many rows are about.
                    c.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self.connections.append(c)
                    self.selector.register(c.socket, selectors.EVENT_READ, c)
                    if self.greeting:
                        self.say(c, self.greeting)
                else:
                    self.read(key.data)
            if not fresh:  # all is read: it is the turn of the jobs
                self.woken.recv(1)
                job, done = self.jobs.get()
                if job() == "stop":
                    done.set()
                    return
                done.set()

    def do(self, job):
        """Runs job in the origin's thread, after all that has come before."""
        done = threading.Event()
        self.jobs.put((job, done))
        self.wake.send(b"x")
        check(done.wait(SECONDS * e2e.PATIENCE), "the origin hangs")

    def settle(self):
        self.do(lambda: None)

    def end(self, c, how):
        if c.ended:
            return
        c.ended = how
        self.selector.unregister(c.socket)
        c.socket.close()

    def read(self, c):
        try:
            data = c.socket.recv(1 << 18)
        except OSError:
            self.end(c, "reset")
            return
        if not data:
            self.end(c, "fin")
            return
        c.bytes += data
        c.pending += data
        try:
            self.serve(c)
        except strict.Bad as bad:
            c.bad = bad
            self.end(c, "fin")

    def serve(self, c):
        while c.pending and not c.ended:
            m = strict.requests(c.pending)[0]
            if self.on_head and not c.headed and m.method:
                c.headed = True
                self.say(c, self.on_head(m, c))
            if not m.complete or c.ended:
                return
            c.pending = c.pending[m.length:]
            c.headed = False
            self.log.append(m)
            self.say(c, self.answer(m, c))

    def say(self, c, what):
        for part in what if isinstance(what, list) else [what]:
            try:
                if part == "fin":
                    self.end(c, "fin")
                elif part == "shut":
                    c.socket.shutdown(socket.SHUT_WR)
                elif part == "reset":
                    c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                        struct.pack("ii", 1, 0))
                    self.end(c, "reset")
                elif part:
                    c.socket.sendall(part)
            except OSError:
                self.end(c, "reset")

    def forget(self):
        def job():
            self.connections = [c for c in self.connections if not c.ended]
            for c in self.connections:
                c.bytes, c.bad = b"", None
            self.log = []
        self.do(job)

    def got(self):
        """The connections that brought bytes since forget()."""
        self.settle()
        return [c for c in self.connections if c.bytes or c.bad]

    def close(self):
        self.do(lambda: "stop")
        self.listener.close()
        for c in self.connections:
            c.socket.close()


class Client:
    """A raw connection from outside. ended: "fin" or "reset" once it is."""

    def __init__(self, w, port=8080):
        with e2e.Namespace(w.lab.out):
            self.socket = socket.create_connection((w.lab.address, port),
                                                   SECONDS * e2e.PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.bytes, self.ended = b"", None
        self.late = False  # bytes may have come after the gateway lingered

    def send(self, *parts):
        start = time.monotonic()
        try:
            for part in parts:
                self.socket.sendall(part)
        except OSError:
            pass  # refused before all was sent: the answer tells
        self.late = self.late or time.monotonic() - start > LINGER
        return self

    def shut(self):
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        return self

    def read(self):
        try:
            data = self.socket.recv(1 << 18)
        except ConnectionError:
            self.ended = "fin" if self.late else "reset"
            return
        if not data:
            self.ended = "fin"
        self.bytes += data

    def responses(self, methods):
        return strict.responses(self.bytes, methods, self.ended == "fin")

    def until(self, count, methods):
        """Reads until so many responses are complete, or the end."""
        while not self.ended:
            got = self.responses(methods)
            if len([r for r in got if r.complete]) >= count and \
                    not got[-1].get(b"connection") == b"close":
                break
            self.read()
        return self.responses(methods)

    def until_end(self):
        while not self.ended:
            self.read()
        return self

    def until_bytes(self, text):
        while text not in self.bytes and not self.ended:
            self.read()
        check(text in self.bytes, "wanted", text, "got", self.bytes)

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()


def request(line="GET /x HTTP/1.1", *fields, body="", host="Host: h"):
    """A request from parts in latin-1; host None: none."""
    lines = [line] + ([host] if host is not None else []) + list(fields)
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    return head + (body.encode("latin-1") if isinstance(body, str) else body)


class Wall:
    """A gateway that sends everything to one origin, and the rows' verdicts."""

    def __init__(self, workers=2, settings=""):
        self.lab = e2e.Lab()
        self.origin = Origin(self.lab.gw)
        self.gateway = e2e.Gateway(self.lab, settings, workers=workers).start()
        self.gateway.upstream("origin", self.origin.host)
        self.gateway.route("/", "origin")
        self.rows = collections.Counter()  # by item: "A4"
        self.probes = 0
        e2e.wait_until("the route", lambda: self.probe() or True)

    def close(self):
        try:
            self.gateway.close()
        finally:
            self.origin.close()
            self.lab.close()

    def each(self, rows):
        """Runs (item and what, verdict, *arguments); names all that fail."""
        failures = []
        for title, verdict, *arguments in rows:
            self.rows[title.split(" ")[0]] += 1
            try:
                verdict(self, *arguments)
            except (AssertionError, strict.Bad) as e:
                failures.append(f"{title}: {type(e).__name__}: {e}")
            except OSError as e:
                failures.append(f"{title}: hangs: {e}")
        if failures:
            raise AssertionError(f"{len(failures)} of {len(rows)} rows\n  "
                                 + "\n  ".join(failures))
        return f"{len(rows)} rows"

    def probe(self, client=None):
        """A plain request, on a connection of its own if none is given, gets
        its own answer."""
        self.probes += 1
        target = b"/probe-%d" % self.probes
        c = client or Client(self)
        seen = len(c.bytes)
        c.send(b"GET " + target + b" HTTP/1.1\r\nHost: h\r\n\r\n")
        while not c.ended and not c.bytes[seen:].endswith(b" 00000000\n"):
            c.read()
        text = c.bytes[seen:]
        if client is None:
            c.close()
        got = strict.responses(text, [b"GET"])
        equal([(r.status, r.body) for r in got], [(200, b"GET %s 0 00000000\n" % target)],
              "the next request")

    def reached(self):
        """All messages that reached the origin, incomplete ones at the end."""
        found = [m for c in self.origin.got() for m in c.messages()]
        log = list(self.origin.log)
        equal(len([m for m in found if m.complete]), len(log), "complete messages")
        return log + [m for m in found if not m.complete]

    def quiet(self):
        """Waits until the gateway has no connection left and no request."""
        metric = self.gateway.metric
        e2e.wait_until("no connection left", lambda: not metric(
            "gloo_gateway_listener_connections_open"))
        equal(metric("gloo_gateway_listener_requests_active"), 0, "requests left")

    def logged(self):
        """The lines of the access log; each is one object of JSON, and bytes
        that clients sent are escaped in it."""
        text = self.gateway.access.read_bytes()
        check(not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", text), "control bytes in the log")
        return [json.loads(line) for line in e2e.whole_lines(text)]

    def untouched(self):
        got = [c.bytes for c in self.origin.got()]
        equal(got, [], "reached the origin")


# ---- verdicts

FIRST = b"GET /first HTTP/1.1\r\nHost: h\r\n\r\n"
FIRST_BODY = b"GET /first 0 00000000\n"


def ways(data):
    """As one piece, byte by byte, and behind a good request."""
    yield "whole", [data], False
    if len(data) < 400:
        yield "byte by byte", [data[i:i + 1] for i in range(len(data))], False
    yield "pipelined", [FIRST + data], True


def refused(w, data, statuses=(400,)):
    """One answer with such a status, then the end; nothing reaches the origin."""
    for way, pieces, behind in ways(data):
        w.origin.forget()
        c = Client(w).send(*pieces).until_end()
        got = c.responses([b"GET", b"GET"])
        c.close()
        if behind:
            check(got and (got[0].status, got[0].body) == (200, FIRST_BODY), way, c.bytes)
            equal([m.target for m in w.reached()], [b"/first"], way)
            got = got[1:]
        else:
            w.untouched()
        equal(c.ended, "fin", way)
        equal(len(got), 1, f"{way}: one answer: {c.bytes!r}")
        check(got[0].status in statuses, way, "answered", c.bytes[:200])
        check(got[0].complete and got[0].get(b"connection") == b"close", way, c.bytes[:200])


def silent(w, data):
    """The end without an answer; nothing reaches the origin."""
    for way, pieces, behind in ways(data):
        w.origin.forget()
        c = Client(w).send(*pieces).until_end()
        c.close()
        if behind:
            got = c.responses([b"GET"])
            check([r.status for r in got] in ([200], []), way, c.bytes)
            check([m.target for m in w.reached()] in ([b"/first"], []), way)
        else:
            equal(c.bytes, b"", way)
            w.untouched()


def ended(w, data, statuses=(400,)):
    """An end of the head may never have come: refused or cut; never passed on."""
    for way, pieces, behind in ways(data):
        w.origin.forget()
        c = Client(w).send(*pieces).shut().until_end()
        c.close()
        got = c.responses([b"GET", b"GET"])
        messages = w.reached()
        if behind:
            check(got and got[0].status == 200, way, c.bytes)
            equal([m.target for m in messages], [b"/first"], way)
            got, messages = got[1:], []
        equal(messages, [], way)
        check(not got or (len(got) == 1 and got[0].status in statuses), way, c.bytes)


def cut(w, data, statuses=(400,)):
    """The head may have gone on before the fault showed: the origin sees no
    complete message and its connection is not used again; the client gets one
    refusal, or the end."""
    for way, pieces, behind in ways(data):
        w.origin.forget()
        c = Client(w).send(*pieces).until_end()
        c.close()
        got = c.responses([b"GET", b"GET"])
        connections = w.origin.got()
        whole = [m.target for x in connections for m in x.messages() if m.complete]
        if behind:
            check(got and (got[0].status, got[0].body) == (200, FIRST_BODY), way, c.bytes)
            got = got[1:]
        equal(whole, [b"/first"] if behind else [], f"{way}: complete at the origin")
        for x in connections:
            if not all(m.complete for m in x.messages()):
                e2e.wait_until(f"{way}: the origin's connection to end", lambda: x.ended)
        check(not got or (len(got) == 1 and got[0].status in statuses), way, c.bytes[:300])
    w.probe()


def kept(w, data, *wanted, methods=None, statuses=None):
    """Exactly these messages reach the origin, strictly valid; the client gets
    their answers in order, and goes on using the connection. wanted: dicts of
    method, target, body, has {name: value}, lacks [names]."""
    wanted = wanted or ({},)
    for way, pieces, behind in ways(data):
        want = (({"target": b"/first"},) if behind else ()) + wanted
        asked = ([b"GET"] if behind else []) + list(
            methods or [x.get("method", b"GET") for x in wanted])
        w.origin.forget()
        c = Client(w).send(*pieces)
        got = c.until(len(asked), asked)
        messages = w.reached()
        equal([m.complete for m in messages], [True] * len(want), f"{way}: {messages}")
        for m, x in zip(messages, want):
            equal((m.method, m.target, m.body), (x.get("method", b"GET"), x.get(
                "target", b"/x"), x.get("body", b"")), way)
            for name, value in x.get("has", {}).items():
                equal(m.get(name), value, f"{way}: {name}")
            for name in x.get("lacks", ()):
                check(m.get(name) is None, way, name, "went on:", m.fields)
        expected = [b"" if x.get("method") == b"HEAD" else
                    answer_to(m).partition(b"\r\n\r\n")[2]
                    for m, x in zip(messages, want)]
        if statuses is None:
            equal([(r.status, r.body) for r in got], [(200, b) for b in expected], way)
        if got[-1].get(b"connection") == b"close":
            equal(c.until_end().ended, "fin", way)
        else:
            w.probe(c)
        c.close()


ODD_BYTES = b"\x00\x01\t\n\r :\x7f\x80,;\"%"


def mutations(data):
    """Each odd byte before each byte of data and in its place; each byte left
    out, and said twice."""
    for i in range(len(data)):
        for b in ODD_BYTES:
            yield data[:i] + bytes([b]) + data[i:]
            yield data[:i] + bytes([b]) + data[i + 1:]
        yield data[:i] + data[i + 1:]
        yield data[:i] + data[i:i + 1] + data[i:]


def mutated(w, data, method=b"GET"):
    """Whatever one odd byte makes of a request: what reaches the origin is
    strictly valid and is answered, the rest is refused or cut."""
    for text in mutations(data):
        w.origin.forget()
        c = Client(w).send(text).shut().until_end()
        c.close()
        try:
            got = c.responses([method] * 3)
            whole = [m for m in w.reached() if m.complete]
            equal([r.body for r in got if r.status == 200],
                  [b"" if m.method == b"HEAD" else answer_to(m).partition(b"\r\n\r\n")[2]
                   for m in whole])
            check(all(r.complete for r in got), got)
            check(len(whole) <= 2, whole)
        except (AssertionError, strict.Bad) as e:
            raise AssertionError(f"{text!r}: {type(e).__name__}: {e}") from e
    w.probe()


def folded(w, data, *wanted):
    """Refused, or passed on as these messages."""
    c = Client(w).send(data)
    got = c.until(1, [b"GET"])
    c.close()
    check(got, "no answer")
    (refused if got[0].status == 400 else kept)(w, data, *(() if got[0].status == 400
                                                         else wanted))
