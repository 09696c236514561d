"""What every end-to-end test needs: a gateway of its own in namespaces of its
own, clients outside, origins that remember what reached them, and cases that
report one line each. Python's standard library only.

A test file defines functions `test_*` (the docstring's first line is the
sentence of the case) and ends with `e2e.main(globals())`. Output per case:

    ok - sentence            not ok - sentence          skip - sentence # why

scripts/test runs several files at a time: what a file makes has its process id
in its name. A file that judges times says so in a line "# alone: why".
"""
import ctypes
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import traceback

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("GG_BUILD", TOP / "build")).resolve()
DAEMON = str(BUILD / "gloo-gateway")
GLOOCTL = str(BUILD / "glooctl")
SANITIZED = os.environ.get("GG_SANITIZED") == "1"
# How long things may take: sanitizer builds and shared machines are slow.
PATIENCE = float(os.environ.get("GG_PATIENCE", "3" if SANITIZED else "1"))
# The long form, where nothing else runs: all that the issues promise is judged, single
# figures as well. Else other work may hold up any of them for as long as it likes.
SOAK = os.environ.get("GG_SOAK") == "1"

libc = ctypes.CDLL(None, use_errno=True)


# What must be undone even when a setup fails half-way; the newest last.
undo = []


class Skip(Exception):
    pass


def wait_until(what, condition, seconds=10):
    """Polls until condition() is true (returns its value) or fails. What it raises
    while something is not there yet is "not yet"."""
    end, problem = time.monotonic() + seconds * PATIENCE, None
    while True:
        try:
            value, problem = condition(), None
        except (OSError, http.client.HTTPException, LookupError, ValueError) as e:
            value, problem = None, e
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds * PATIENCE:.0f} s for {what}"
                                 + (f"; last: {problem!r}" if problem else ""))
        threading.Event().wait(0.02)


def await_equal(read, wanted, what="", seconds=5):
    """Polls until read() is wanted, or fails with what it was last. For what the
    gateway says or does a moment later than what was seen of it."""
    last = [None]

    def now():
        last[0] = read()
        return last[0] == wanted
    try:
        wait_until(what or repr(wanted), now, seconds)
    except AssertionError as e:
        equal(last[0], wanted, e)
        raise  # it was never read


def await_steady(what, read, quiet_s, seconds=30):
    """What read() returns once that has been the same for so many seconds."""
    seen = [None, time.monotonic()]

    def steady():
        now = read()
        if now != seen[0]:
            seen[:] = now, time.monotonic()
        return time.monotonic() - seen[1] >= quiet_s
    wait_until(what + " to be steady", steady, seconds)
    return seen[0]


def run(*argv, ns=None, ok=(0,), stdin=None, env=None, timeout=60):
    """Runs a command (in a namespace); returns the completed process."""
    argv = [str(a) for a in argv]
    if ns:
        argv = ["nsenter", f"--net=/run/netns/{ns}"] + argv
    p = subprocess.run(argv, input=stdin, capture_output=True, text=True,
                       timeout=timeout * PATIENCE, env=env)
    if ok is not None and p.returncode not in ok:
        raise AssertionError(
            f"{' '.join(argv)}: exit {p.returncode}\n{p.stdout}{p.stderr}")
    return p


def setns(name):
    fd = os.open(f"/run/netns/{name}", os.O_RDONLY)
    try:
        if libc.setns(fd, 0x40000000) != 0:
            raise OSError(ctypes.get_errno(), "setns")
    finally:
        os.close(fd)


class Namespace:
    """Runs a block of this thread inside a network namespace."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        self.old = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        if self.name:
            setns(self.name)

    def __exit__(self, *_):
        libc.setns(self.old, 0x40000000)
        os.close(self.old)


class Lab:
    """Two namespaces: the gateway's ("gw", 10.98.0.1) and outside ("out",
    10.98.0.2), joined by veth gg0 (gateway's side) and eth0."""

    def __init__(self):
        undo.append(self.close)
        tag = f"ggt{os.getpid()}"
        self.gw, self.out = tag + "gw", tag + "out"
        self.address, self.address6 = "10.98.0.1", "fd98::1"
        run("ip", "netns", "add", self.gw)
        run("ip", "netns", "add", self.out)
        run("ip", "link", "add", "gg0", "netns", self.gw, "type", "veth",
            "peer", "name", "eth0", "netns", self.out)
        for ns, dev, n in ((self.gw, "gg0", 1), (self.out, "eth0", 2)):
            run("sysctl", "-qw", f"net.ipv6.conf.{dev}.accept_dad=0", ns=ns)
            run("ip", "link", "set", "lo", "up", ns=ns)
            run("ip", "addr", "add", f"10.98.0.{n}/24", "dev", dev, ns=ns)
            run("ip", "-6", "addr", "add", f"fd98::{n}/64", "dev", dev, "nodad",
                ns=ns)
            run("ip", "link", "set", dev, "up", ns=ns)
            run("ethtool", "-K", dev, "tx", "off", ns=ns, ok=None)

    def close(self):
        for ns in (self.out, self.gw):
            run("ip", "netns", "del", ns, ok=None)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=20 * PATIENCE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Gateway:
    """A gloo-gateway started directly, in the lab's gateway namespace."""

    def __init__(self, lab, settings="", xdp=False, workers=2, binary=None):
        self.lab, self.binary = lab, binary or DAEMON
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="ggt"))
        os.chmod(self.dir, 0o755)
        self.socket = str(self.dir / "admin.sock")
        self.pin = f"/sys/fs/bpf/ggt{os.getpid()}"
        self.access = self.dir / "access.json"
        self.log_path = self.dir / "log"
        self.workers, self.extra, self.xdp = workers, settings, xdp
        self.process = None
        self.environment = None  # this one's
        self.write_settings()

    def write_settings(self, extra=None):
        if extra is not None:
            self.extra = extra
        xdp = f"xdp:\n  pinPath: {self.pin}\n"
        if self.xdp:
            xdp += "  interfaces: [ { name: gg0, mode: auto } ]\n"
        proxy = "" if "proxy:" in self.extra else f"proxy: {{ workers: {self.workers} }}\n"
        (self.dir / "settings.yaml").write_text(
            "directoryConfigSource: { directory: config }\n"
            "directorySecretSource: { directory: secrets }\n"
            "stateDirectory: state\n"
            "admin: { socket: admin.sock, http: \"127.0.0.1:9091\" }\n"
            + ("" if "accessLog:" in self.extra else "accessLog: { path: access.json }\n")
            + proxy + xdp + self.extra)

    def start(self, wait=True):
        self.log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self.lab.gw}", self.binary,
             "--settings", str(self.dir / "settings.yaml")],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env=self.environment)
        undo.append(self.process.kill)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=15):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(
                    f"the daemon ended with {self.process.returncode}:\n"
                    + self.log_text()[-2000:])
            return self.api("GET", "/readyz")[0] == 200
        wait_until("the gateway to be ready", ready, seconds)

    def log_text(self):
        return self.log_path.read_text(errors="replace")

    def api(self, method, path, body=None, content_type="application/json"):
        c = UnixConnection(self.socket)
        try:
            if isinstance(body, (dict, list)):
                body = json.dumps(body)
            c.request(method, path, body, {"Content-Type": content_type}
                      if body is not None else {})
            r = c.getresponse()
            return r.status, r.read().decode()
        finally:
            c.close()

    def get(self, path):
        status, text = self.api("GET", path)
        if status != 200:
            raise AssertionError(f"GET {path}: {status} {text}")
        return json.loads(text)

    def glooctl(self, *argv, ok=(0,), stdin=None):
        return run(GLOOCTL, "--socket", self.socket, *argv, ok=ok, stdin=stdin)

    def proxy_pid(self):
        return self.get("/v1/status")["proxy"]["pid"]

    def upstream(self, name, *hosts):
        self.glooctl("create", "upstream", "static", "--name", name,
                     "--static-hosts", ",".join(hosts))

    def route(self, prefix, upstream, *more, ok=(0,)):
        return self.glooctl("add", "route", "--path-prefix", prefix,
                            "--dest-name", upstream, *more, ok=ok)

    def metrics(self):
        """{series: value} of /metrics."""
        values = {}
        for line in self.api("GET", "/metrics")[1].splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                values[name] = float(value)
        return values

    def metric(self, name, **labels):
        """The sum over all series of that name with those labels."""
        total = 0
        for series, value in self.metrics().items():
            if series.split("{")[0] == name and all(
                    f'{k}="{v}"' in series for k, v in labels.items()):
                total += value
        return total

    def access_lines(self):
        if not self.access.exists():
            return []
        return [json.loads(l) for l in whole_lines(self.access.read_bytes())]

    def stop(self, seconds=40):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(seconds * PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise AssertionError("the daemon did not stop on SIGTERM")
            finally:
                self.log.close()
        return self.process.returncode if self.process else None

    def close(self):
        """Stops what is left, keeps nothing; shows sanitizer reports."""
        proxy = None
        try:
            proxy = self.proxy_pid()
        except (OSError, AssertionError, KeyError, ValueError,
                http.client.HTTPException):
            pass
        try:
            self.stop()
        finally:
            if proxy and os.path.exists(f"/proc/{proxy}"):
                try:
                    if b"proxy-channel" in open(f"/proc/{proxy}/cmdline", "rb").read():
                        os.kill(proxy, signal.SIGKILL)
                except OSError:
                    pass
            text = self.log_text() if self.log_path.exists() else ""
            shutil.rmtree(self.dir, ignore_errors=True)
            run("rm", "-rf", self.pin, ok=None)
        for mark in ("AddressSanitizer", "LeakSanitizer", "runtime error:",
                     "ThreadSanitizer", "Assertion `"):
            if mark in text:
                at = text.index(mark)
                raise AssertionError("report in the log:\n" + text[max(0, at - 400):at + 4000])


def whole_lines(data):
    """Without one that is just being written."""
    return data[:data.rfind(b"\n") + 1].decode().splitlines()


def files_of(folder):
    """[(path, bytes)] of all files below it. Where one went meanwhile, what was in
    it may stand where it had been looked already: all is read again."""
    found = []

    def gone(problem):
        raise problem

    def whole():
        found.clear()
        for below, _, names in os.walk(folder, onerror=gone):
            for path in (pathlib.Path(below, n) for n in names):
                if stat.S_ISREG(path.stat().st_mode):
                    found.append((path, path.read_bytes()))
        return True
    wait_until(f"the files of {folder} to stay while they are read", whole)
    return found


def hang_up(s):
    """Whoever waits for that socket in another thread closes it: a number that is
    free while a thread is about to use it may become another one's, whose
    connections or bytes it would take."""
    try:
        s.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


class Acceptor(threading.Thread):
    """Gives each connection of a listener to `serve`, in a thread of its own."""

    def __init__(self, listener, serve):
        super().__init__(daemon=True)
        self.listener, self.serve, self.sockets = listener, serve, []
        self.start()

    def run(self):
        with self.listener:
            while True:
                try:
                    s, _ = self.listener.accept()
                except OSError:
                    return
                self.sockets.append(s)
                threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def close(self):
        """The port is free then, and every connection ends."""
        hang_up(self.listener)
        self.join()
        for s in self.sockets:
            hang_up(s)


class Origin:
    """A raw TCP origin that keeps every byte it got, connection by connection,
    and answers with what `answer(request_bytes, connection)` returns: bytes
    (sent as they are), None (nothing yet) or "close"."""

    def __init__(self, ns, answer=None, address="127.0.0.1", port=0, family=socket.AF_INET):
        self.answer = answer or simple_answer
        self.connections = []
        with Namespace(ns):
            self.listener = socket.socket(family)
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind((address, port))
            self.listener.listen(128)
        self.address = address
        self.port = self.listener.getsockname()[1]
        self.host = f"[{address}]:{self.port}" if ":" in address else f"{address}:{self.port}"
        self.acceptor = Acceptor(self.listener, self.accepted)

    def accepted(self, s):
        c = {"bytes": b"", "socket": s, "requests": 0, "eof": False}
        self.connections.append(c)
        self.serve(c)

    def serve(self, c):
        pending = b""
        try:
            while True:
                data = c["socket"].recv(65536)
                if not data:
                    break
                c["bytes"] += data
                pending += data
                while True:
                    request, rest = split_request(pending)
                    if request is None:
                        break
                    pending = rest
                    c["requests"] += 1
                    reply = self.answer(request, c)
                    if reply == "close":
                        c["socket"].close()
                        return
                    if reply:
                        c["socket"].sendall(reply)
        except OSError:
            pass
        c["eof"] = True
        try:
            c["socket"].close()
        except OSError:
            pass

    def received(self):
        return b"".join(c["bytes"] for c in self.connections)

    def forget(self):
        for c in self.connections:
            c["bytes"] = b""

    def close(self):
        self.acceptor.close()


def split_request(data):
    """(first whole request, rest) of bytes that a correct proxy sent, or
    (None, data). Knows Content-Length and chunked."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None, data
    head = data[:end].lower()
    at = end + 4
    if b"\r\ntransfer-encoding: chunked" in head:
        while True:
            line = data.find(b"\r\n", at)
            if line < 0:
                return None, data
            size = int(data[at:line].split(b";")[0], 16)
            at = line + 2 + size + 2
            if len(data) < at:
                return None, data
            if size == 0:
                return data[:at], data[at:]
    for line in head.split(b"\r\n")[1:]:
        if line.startswith(b"content-length:"):
            at += int(line[15:])
    if len(data) < at:
        return None, data
    return data[:at], data[at:]


def simple_answer(request, _connection):
    body = b"" if request.startswith(b"HEAD ") else b"hello\n"
    return b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n" + body


def small_window(lab, port=8080):
    """A client's connection that takes little at a time."""
    with Namespace(lab.out):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(20 * PATIENCE)
        s.connect((lab.address, port))
    return s


def talk(ns, address, port, data, seconds=5, half_close=False, expect=None):
    """Sends bytes from a namespace and returns all that comes back until the
    peer closes, `expect` bytes stand in it, or the time is over."""
    with Namespace(ns):
        s = socket.create_connection((address, port), timeout=seconds * PATIENCE)
    got = b""
    try:
        s.settimeout(seconds * PATIENCE)
        try:
            for part in data if isinstance(data, (list, tuple)) else [data]:
                s.sendall(part)
            if half_close:
                s.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused before all was sent; there may be an answer
        while expect is None or expect not in got:
            part = s.recv(65536)
            if not part:
                break
            got += part
    except OSError:
        pass
    finally:
        s.close()
    return got


# A SYN that got no answer is sent again after a second, which a limit of connections
# would count: less than that, so that giving up may be a little late.
ONE_SYN_S = 0.8


def connect_once(ns, address, port, source=None, seconds=5):
    """A connection by one SYN; reads of it may take so many seconds. TimeoutError:
    the SYN was dropped."""
    with Namespace(ns):
        s = socket.create_connection((address, port), timeout=ONE_SYN_S,
                                     source_address=(source, 0) if source else None)
    s.settimeout(seconds * PATIENCE)
    return s


def knock(ns, address, port, source=None):
    """What becomes of one SYN: "open", "refused" or "dropped"."""
    try:
        connect_once(ns, address, port, source).close()
        return "open"
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "dropped"


def request(ns, address, port, method="GET", path="/", body=None, headers=None, seconds=20):
    with Namespace(ns):
        c = http.client.HTTPConnection(address, port, timeout=seconds * PATIENCE)
        c.connect()
    try:
        c.request(method, path, body, headers or {})
        r = c.getresponse()
        return r.status, dict((k.lower(), v) for k, v in r.getheaders()), r.read()
    finally:
        c.close()


class Load:
    """tests/tools/load in the outside namespace; stop() gives its figures."""

    def __init__(self, lab, path="/echo", keep=8, fresh=8, rate=1500, seconds=60,
                 port=8080):
        self.p = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{lab.out}", str(BUILD / "tests/tools/load"),
             lab.address, str(port), path, str(keep), str(fresh), str(rate),
             str(seconds)],
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        undo.append(self.p.kill)

    def stop(self):
        self.p.send_signal(signal.SIGTERM)
        return self.finish()

    def finish(self):
        out, _ = self.p.communicate(timeout=120 * PATIENCE)
        return json.loads(out)


def change_routes(socket_path, name, make, count, each_ms=20, clients=4, also=None):
    """Puts `make(i)` (a virtual service) for i = 1..count, one each `each_ms`
    by the clock, from several clients in turn: a client waits for its verdict,
    the next change does not. Before every tenth the upstream `also(i)`."""
    start = time.monotonic() + 0.1
    failures = []

    def client(n):
        c = UnixConnection(socket_path)
        for i in range(n + 1, count + 1, clients):
            pause = start + i * each_ms / 1000 - time.monotonic()
            if pause > 0:
                threading.Event().wait(pause)
            if also and i % 10 == 0:
                upstream = also(i)
                put(c, i, f"upstreams/gloo-system/{upstream['metadata']['name']}", upstream)
            put(c, i, f"virtualservices/gloo-system/{name}", make(i))
            if failures:
                break
        c.close()

    def put(c, i, path, document):
        c.request("PUT", "/v1/" + path, json.dumps(document),
                  {"Content-Type": "application/json"})
        r = c.getresponse()
        text = r.read()
        if r.status != 200:
            failures.append((i, r.status, text))

    threads = [threading.Thread(target=client, args=(n,)) for n in range(clients)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    took = time.monotonic() - start
    equal(failures, [])
    return took


def static_upstream(name, *ports):
    return {"metadata": {"name": name, "namespace": "gloo-system"},
            "upstreamSpec": {"static": {"hosts": [
                {"addr": "127.0.0.1", "port": p} for p in ports]}}}


def echo_origin(lab, port=7000):
    p = subprocess.Popen(
        ["nsenter", f"--net=/run/netns/{lab.gw}", str(BUILD / "tests/tools/echo"),
         "127.0.0.1", str(port)])
    undo.append(p.kill)
    def up():
        with Namespace(lab.gw):
            socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    wait_until("the echo origin", up)
    return p


def memory_kb(pid, what="Anonymous"):
    """Memory of a process: what it made itself, or with "Rss" all of it."""
    for line in open(f"/proc/{pid}/smaps_rollup"):
        if line.startswith(what + ":"):
            return int(line.split()[1])


def memory_has(pid, needle):
    """Do these bytes stand in what a process can write?"""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            span, rights, _, _, _, *name = line.split()
            if "rw" not in rights or (name and "counters" in name[0]):
                continue
            low, high = (int(x, 16) for x in span.split("-"))
            if high - low > 1 << 28:
                continue  # the shadow of a sanitizer, mostly holes
            try:
                memory.seek(low)
                if needle in memory.read(high - low):
                    return True
            except (OSError, ValueError):
                continue
    return False


def check(condition, *what):
    if not condition:
        raise AssertionError(" ".join(str(w) for w in what) or "check failed")


def equal(got, wanted, what=""):
    if got != wanted:
        raise AssertionError(f"{what}\n  got    {got!r}\n  wanted {wanted!r}")


def main(names):
    """Runs the test_* functions of a file, in order; `only` by argument. A
    function `setup()` returns the fixture handed to each; `teardown(fixture)`
    ends it."""
    only = sys.argv[1:]
    tests = [(n, f) for n, f in names.items()
             if n.startswith("test_") and callable(f) and (not only or n in only)]
    failed = 0
    fixture = None
    # Over its time, a file still takes away what it made.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        try:
            fixture = names["setup"]() if "setup" in names else None
        except Skip as e:
            for n, f in tests:
                print(f"skip - {sentence(n, f)} # {e}", flush=True)
            tests = []
        for n, f in tests:
            try:
                start = time.monotonic()
                note = f(fixture) if "setup" in names else f()
                took = time.monotonic() - start
                print(f"ok - {sentence(n, f)}" + (f" ({note})" if note else "")
                      + (f" [{took:.1f} s]" if took > 2 else ""), flush=True)
            except Skip as e:
                print(f"skip - {sentence(n, f)} # {e}", flush=True)
            except Exception:
                failed += 1
                print(f"not ok - {sentence(n, f)}", flush=True)
                print("    " + traceback.format_exc().replace("\n", "\n    "), flush=True)
    except Exception:
        failed += 1
        print(f"not ok - setup of {sys.argv[0]}\n    "
              + traceback.format_exc().replace("\n", "\n    "), flush=True)
    finally:
        if fixture is not None and "teardown" in names:
            try:
                names["teardown"](fixture)
                if SANITIZED:
                    print("ok - no sanitizer report in the log", flush=True)
            except Exception:
                failed += 1
                print(f"not ok - teardown of {sys.argv[0]}\n    "
                      + traceback.format_exc().replace("\n", "\n    "), flush=True)
        for f in reversed(undo):
            try:
                f()
            except (OSError, AssertionError):
                pass
    sys.exit(1 if failed else 0)


def sentence(name, f):
    return (f.__doc__ or name).strip().splitlines()[0]
