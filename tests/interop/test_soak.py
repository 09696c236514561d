"""Mixed load with a reload each second: against the build with the address and
undefined-behaviour sanitizers (no report, memory stays) and against the build
with the thread sanitizer (no race). scripts/test --interop builds both and runs
this for half a minute; --soak for ten."""
import os
import random
import select
import signal
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import check, equal

SECONDS = int(os.environ.get("GG_SOAK_SECONDS", "600" if e2e.SOAK else "25"))
RACE_SECONDS = 60 if e2e.SOAK else 20
SETTINGS = """\
accessLog: { path: /dev/null }
logLevel: warn
limits:
  connections: 5000
  headTimeout: 3s
  idleTimeout: 6s
  bodyIdleTimeout: 3s
  bodyRate: 20
  bodyRateGrace: 2s
  bodyBytes: 1000000
"""
# So that the resident memory says something too: a small quarantine, and stacks that
# are true. The fast unwinder reads what libraries without frame pointers left in that
# register; each such stack is a new one, kept for ever (1.2 kB a change in control).
ASAN = ("detect_leaks=1:quarantine_size_mb=1:thread_local_quarantine_size_kb=16:"
        "malloc_context_size=5:fast_unwind_on_malloc=0")


def setup():
    if os.geteuid() != 0:
        raise e2e.Skip("needs root")
    e2e.PATIENCE = 3


def odd_answer(request, _connection):
    """A body of the size that the path says, as chunks or with a length."""
    path = request.split(b" ")[1].split(b"/")
    body = b"o" * (int(path[-1]) if path[-1].isdigit() else 5)
    if b"chunked" in path:
        half = len(body) // 2
        return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(
            b"%x\r\n" % len(p) + p + b"\r\n" for p in (body[:half], body[half:]) if p
        ) + b"0\r\n\r\n"
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


class Crowd:
    """Clients of every sort but the well-behaved ones of tests/tools/load."""

    def __init__(self, lab):
        self.lab, self.stopping, self.resting = lab, threading.Event(), threading.Event()
        self.done, self.failures, self.pause = {}, [], 0.03
        self.threads = [threading.Thread(target=self.live, args=(f, n), daemon=True)
                        for n, f in enumerate((self.chunked, self.chunked, self.slow, self.slow,
                                               self.aborting, self.aborting, self.hostile,
                                               self.silent))]
        for t in self.threads:
            t.start()

    def live(self, action, number):
        e2e.setns(self.lab.out)
        dice = random.Random(number)
        while not self.stopping.is_set():
            if self.resting.is_set():
                self.stopping.wait(0.05)
                continue
            s = socket.create_connection((self.lab.address, 8080), timeout=30)
            try:
                wrong = action(s, dice)
            except OSError as e:
                wrong = str(e) if action in (self.chunked, self.slow) else None
            finally:
                s.close()
            if wrong:
                self.failures.append(f"{action.__name__}: {wrong}")
            self.done[action.__name__] = self.done.get(action.__name__, 0) + 1
            self.stopping.wait(self.pause)

    def stop(self):
        self.stopping.set()
        for t in self.threads:
            t.join(60)

    def answer(self, s, want):
        got = b""
        while part := s.recv(65536):
            got += part
        if not got.startswith(b"HTTP/1.1 200 ") or len(got) < want:
            return f"{len(got)} bytes: {got[:120]!r}"
        return None

    def chunked(self, s, dice):
        """A POST in chunks, answered in chunks or with a length."""
        size = dice.randrange(200000)
        s.sendall(b"POST /odd/%s/%d HTTP/1.1\r\nHost: s\r\nConnection: close\r\n"
                  b"Transfer-Encoding: chunked\r\n\r\n"
                  % (dice.choice((b"chunked", b"length")), size))
        for _ in range(dice.randrange(1, 8)):
            part = b"c" * dice.randrange(1, 30000)
            s.sendall(b"%x\r\n" % len(part) + part + b"\r\n")
        s.sendall(b"0\r\n\r\n")
        return self.answer(s, size)

    def slow(self, s, dice):
        """A head and a body that drip, an answer that is read in small bits."""
        data = (b"POST /odd/length/60000 HTTP/1.1\r\nHost: s\r\nConnection: close\r\n"
                b"Content-Length: 600\r\n\r\n" + b"s" * 600)
        while data:
            n = dice.randrange(20, 60)
            s.sendall(data[:n])
            data = data[n:]
            threading.Event().wait(0.05)
        threading.Event().wait(1)
        return self.answer(s, 60000)

    def aborting(self, s, dice):
        """Goes away in the middle of a head, a body or an answer."""
        data = (b"POST /odd/%s/900000 HTTP/1.1\r\nHost: s\r\nContent-Length: 5000\r\n\r\n"
                % dice.choice((b"chunked", b"length")) + b"a" * 5000)
        s.sendall(data[:dice.choice((len(data), dice.randrange(1, len(data))))])
        if dice.random() < 0.5:
            s.settimeout(0.05)
            s.recv(dice.randrange(1, 4000))
        if dice.random() < 0.5:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def hostile(self, s, dice):
        """A request in which bytes were changed, dropped or doubled, or noise."""
        data = bytearray(dice.choice((
            b"POST /odd/a HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"5;x=y\r\nhello\r\n0\r\nA: b\r\n\r\nGET /odd/1 HTTP/1.1\r\nHost: s\r\n\r\n",
            b"GET /odd/../%2e%2e//x?y HTTP/1.1\r\nHost: [::1]:80\r\nCookie: a\r\nX: " + b"z" * 300
            + b"\r\n\r\n" + b"PUT /odd/2 HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
            dice.randbytes(400))))
        for _ in range(dice.randrange(4)):
            at = dice.randrange(len(data))
            kind = dice.randrange(3)
            if kind == 0:
                data[at] = dice.randrange(256)
            elif kind == 1:
                del data[at:at + dice.randrange(1, 9)]
            else:
                data[at:at] = data[at:at + dice.randrange(1, 60)]
        s.sendall(bytes(data))
        s.settimeout(0.2)
        while s.recv(65536):
            pass

    def silent(self, s, dice):
        """Sends a part and waits for the limit that ends it."""
        s.sendall(dice.choice((b"", b"GET / HT", b"POST /odd/x HTTP/1.1\r\nHost: s\r\n"
                               b"Content-Length: 50\r\n\r\n12", b"GET /odd/length/9000000 HTTP/1.1"
                               b"\r\nHost: s\r\n\r\n")))
        end = time.monotonic() + 8
        while time.monotonic() < end and not self.resting.is_set() | self.stopping.is_set():
            self.stopping.wait(0.1)


class Life:
    """A gateway of another build under that load, changed each second."""

    def __init__(self, build, sanitizer):
        binary = e2e.TOP / build / "gloo-gateway"
        if not binary.exists():
            raise e2e.Skip(f"{build} is not built; scripts/test --interop does that")
        os.environ.update(sanitizer)
        self.lab = e2e.Lab()
        self.echoes = [e2e.echo_origin(self.lab, port) for port in (7000, 7001)]
        self.odd = e2e.Origin(self.lab.gw, odd_answer)
        self.gateway = e2e.Gateway(self.lab, SETTINGS, binary=str(binary)).start()
        self.gateway.upstream("echo", "127.0.0.1:7000")
        self.gateway.upstream("odd", self.odd.host)
        self.gateway.route("/echo", "echo")
        self.gateway.route("/odd", "odd")
        self.host = self.gateway.get("/v1/virtualservices/gloo-system/default")["virtualHost"]
        self.crowd = Crowd(self.lab)
        self.load = e2e.Load(self.lab, rate=200, seconds=3600)
        self.proxy, self.changes = self.gateway.proxy_pid(), 0

    def put(self, path, document):
        status, text = self.gateway.api("PUT", "/v1/" + path, document)
        equal(status, 200, text)

    def change(self):
        """A reload, another route, and with each fifth another upstream and a
        gateway that comes or goes."""
        self.changes += 1
        i = self.changes % 10000
        self.gateway.process.send_signal(signal.SIGHUP)
        route = {"matchers": [{"regex": f"/changing/{i:04d}.*"}],
                 "routeAction": {"single": {"upstream": {"name": "echo",
                                                         "namespace": "gloo-system"}}}}
        self.put("virtualservices/gloo-system/default", {
            "metadata": {"name": "default", "namespace": "gloo-system"},
            "virtualHost": {"domains": ["*"], "routes": self.host["routes"][:2] + [route]}})
        if i % 5 == 0:
            self.put("upstreams/gloo-system/echo", e2e.static_upstream(
                "echo", 7000, *([7001] if i % 10 == 0 else [])))
            if i % 10 == 0:
                self.put("gateways/gloo-system/more", {
                    "metadata": {"name": "more", "namespace": "gloo-system"},
                    "bindAddress": "::", "bindPort": 8081})
            else:
                self.gateway.api("DELETE", "/v1/gateways/gloo-system/more")

    def pids(self):
        return self.gateway.process.pid, self.proxy

    def memory(self):
        """kB that control and proxy have allocated, and kB that are resident, the
        least of three looks, while only the well-behaved are there: else the one
        with more of the others' bodies in its buffers has more. What is resident
        contains what the sanitizer's allocator has touched, and that can go on
        growing while nothing more is held."""
        def held(pid):
            p = e2e.run("gdb", "-p", pid, "-batch", "-nx", "-ex", "print ((unsigned long (*)"
                        "(void)) __sanitizer_get_current_allocated_bytes)()")
            return int(p.stdout.rsplit("$1 = ", 1)[1].split()[0]) / 1000
        self.crowd.resting.set()
        try:
            e2e.wait_until("the others to be gone", lambda: self.gateway.metric(
                "gloo_gateway_listener_connections_open") <= 16, 20)
            return [[min(look(pid) for _ in range(3)) for pid in self.pids()]
                    for look in (held, e2e.memory_kb)]
        finally:
            self.crowd.resting.clear()

    def stall(self, count):
        """So many at once that do not read their answers, until the limit ends each:
        beside the crowd, so that more large buffers are in use, and are kept, than the
        crowd alone ever needs."""
        poll, clients = select.poll(), []
        for _ in range(count):
            s = e2e.connect_once(self.lab.out, self.lab.address, 8080)
            s.sendall(b"GET /odd/chunked/9000000 HTTP/1.1\r\nHost: s\r\n\r\n")
            poll.register(s, select.POLLRDHUP)
            clients.append(s)
        e2e.wait_until("those who do not read to be closed",
                       lambda: len(poll.poll(0)) == count, 20)
        for s in clients:
            s.close()

    def warm_up(self, seconds):
        """Everything faster, so that what keeps memory for later use, of ours and
        of the sanitizer's, has its size when the first minute begins."""
        self.stall(len(self.crowd.threads))
        end, self.crowd.pause = time.monotonic() + seconds, 0.001
        while time.monotonic() < end:
            self.change()
            threading.Event().wait(0.04)
        self.crowd.pause = 0.03

    def run(self, seconds, at=(), measure=None):
        """A change each second; returns what measure() said after those seconds."""
        start, found = time.monotonic(), []
        for i in range(1, seconds + 1):
            pause = start + i - time.monotonic()
            if pause > 0:
                threading.Event().wait(pause)
            self.change()
            if i in at:
                found.append(measure())
        return found

    def close(self):
        try:
            f = self.load.stop()
        finally:
            self.crowd.stop()
            try:
                same = self.gateway.proxy_pid() == self.proxy
            finally:
                try:
                    self.gateway.close()
                finally:
                    self.odd.close()
                    for e in self.echoes:
                        e.terminate()
                        e.wait()
                    self.lab.close()
        note = ", ".join(f"{k} {f[k]}" for k in ("ok", "refused", "reset", "closed", "status",
                                                  "wrong", "timeout")) + "; " + ", ".join(
            f"{k} {v}" for k, v in sorted(self.crowd.done.items()))
        check(same, "the proxy died on the way;", note)
        equal(tuple(f[k] for k in ("refused", "reset", "closed", "status", "wrong", "timeout")),
              (0,) * 6, note)
        equal(self.crowd.failures[:5], [], note)
        for sort in ("chunked", "slow", "aborting", "hostile", "silent"):
            check(self.crowd.done.get(sort), "nothing came of", sort)
        return note


def test_memory(_):
    """mixed load and a reload each second, address sanitizer: no report, memory stays"""
    full = SECONDS >= 300
    life = Life("build-san", {"ASAN_OPTIONS": ASAN})
    try:
        life.warm_up(60 if full else 5)
        found = life.run(SECONDS, (60 if full else SECONDS // 2, SECONDS), life.memory)
    finally:
        note = life.close()
    (first, first_resident), (last, last_resident) = found
    note = f"{SECONDS} s; " + ", ".join(
        f"{who} holds {a:.0f} -> {b:.0f} kB, resident {c} -> {d} kB" for who, a, b, c, d in zip(
            ("control", "proxy"), first, last, first_resident, last_resident)) + "; " + note
    most = 1.02 if full else 1.1
    for a, b in zip(first + first_resident, last + last_resident):
        check(b <= a * most, "memory grew:", note)
    return note


def test_threads(_):
    """mixed load and a reload each second, thread sanitizer: no race"""
    life = Life("build-tsan", {"TSAN_OPTIONS": "history_size=4"})
    try:
        life.run(RACE_SECONDS)
    finally:
        note = life.close()
    return f"{RACE_SECONDS} s; " + note


if __name__ == "__main__":
    e2e.main(globals())
