"""The proxies that the benchmark compares, each with one worker on CPU 1 and
the same work: routes, prefix rewrite, X-Forwarded-For, one header added each
way, one removed from the answer. Standard library only."""
import ctypes
import glob
import http.client
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
BUILD = pathlib.Path(os.environ.get("GG_BUILD", TOP / "build")).resolve()
BENCH = BUILD / "tests/bench"
LOAD_CPU, PROXY_CPU = 0, 1
ORIGIN_PORT = 2000

libc = ctypes.CDLL(None)


class Routes:
    """A set of routes: "prefix" (rewritten to /) or "regex" (left alone)."""

    def __init__(self, kind, count):
        self.kind, self.count = kind, count
        self.name = f"{count} {kind}"

    def number(self, i):
        return f"/{'route' if self.kind == 'prefix' else 'regex'}{i:06d}/"

    def path(self, answer, first=False):
        return self.number(0 if first else self.count - 1) + answer

    def lines(self, prefix, regex):
        form = prefix if self.kind == "prefix" else regex
        return "\n".join(form.replace("%", self.number(i)) for i in range(self.count))


def template(name, **values):
    text = (HERE / name).read_text()
    for key, value in values.items():
        text = text.replace(f"@{key}@", str(value))
    return text


def files_raise():
    """As many descriptors as this machine allows, for all that is started.
    Returns how many."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def on_cpu(cpu):
    """For a child: its CPU, and that it ends when the benchmark does."""
    def before():
        os.sched_setaffinity(0, {cpu})
        libc.prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
    return before


def wait_until(what, condition, seconds):
    end = time.monotonic() + seconds
    while True:
        try:
            value = condition()
        except (OSError, http.client.HTTPException, ValueError):
            value = None
        if value:
            return value
        if time.monotonic() > end:
            raise RuntimeError(f"waited {seconds} s for {what}")
        threading.Event().wait(0.02)


def get(port, path):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        c.request("GET", path)
        r = c.getresponse()
        return r.status, {k.lower(): v for k, v in r.getheaders()}, r.read().decode()
    finally:
        c.close()


def origin_start():
    p = subprocess.Popen([BENCH / "origin", str(ORIGIN_PORT)], preexec_fn=on_cpu(LOAD_CPU))
    wait_until("the origin", lambda: get(ORIGIN_PORT, "/s")[0] == 200, 10)
    return p


class Proxy:
    """One that runs. Subclasses say how it is started."""
    edits = True
    ports = iter(range(2001, 4000))

    def __init__(self, routes):
        self.routes = routes
        self.port = next(Proxy.ports)
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="ggbench"))
        os.chmod(self.dir, 0o755)
        self.log = open(self.dir / "log", "wb")
        try:
            self.process = subprocess.Popen(
                [str(a) for a in self.command()], stdin=subprocess.DEVNULL,
                stdout=self.log, stderr=self.log, cwd=self.dir,
                preexec_fn=on_cpu(PROXY_CPU))
            wait_until(self.name, self.is_up, 10 + routes.count / 500)
            self.check_work()
        except BaseException:
            self.stop()
            raise

    def is_up(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} ended:\n" + self.log_text())
        return get(self.port, self.routes.path("s"))[0] == 200

    def log_text(self):
        return (self.dir / "log").read_text(errors="replace")[-2000:]

    def check_work(self):
        """It does what the others do, or it is not compared."""
        status, answer, sent = get(self.port, self.routes.path("h"))
        sent = sent.lower()
        path = "/h" if self.routes.kind == "prefix" or not self.edits else self.routes.path("h")
        wanted = [(status == 200, "status"),
                  (sent.startswith(f"get {path} http/1.1\r\n"), "path"),
                  ("\r\nx-forwarded-for: 127.0.0.1\r\n" in sent, "x-forwarded-for")]
        if self.edits:
            wanted += [("\r\nx-bench: 1\r\n" in sent, "x-bench"),
                       (answer.get("x-proxy") == "1", "x-proxy"),
                       ("x-origin" not in answer, "x-origin"),
                       (get(self.port, "/none/h")[0] == 404, "404 without a route")]
        for ok, what in wanted:
            if not ok:
                raise RuntimeError(f"{self.name} does not do its work ({what}): {sent} {answer}")

    def pids(self):
        """All processes of it."""
        found, at = [self.process.pid], 0
        while at < len(found):
            for children in glob.glob(f"/proc/{found[at]}/task/*/children"):
                try:
                    found += [int(p) for p in open(children).read().split()]
                except OSError:
                    pass
            at += 1
        return found

    def cpu_ns(self):
        """(run, waited): time on a CPU, and ready to run but kept from it by
        another program."""
        run = waited = 0
        for pid in self.pids():
            for stat in glob.glob(f"/proc/{pid}/task/*/schedstat"):
                fields = open(stat).read().split()
                run += int(fields[0])
                waited += int(fields[1])
        return run, waited

    def memory_kb(self, what):
        """Of all processes together; what as /proc/PID/smaps_rollup has it."""
        total = 0
        for pid in self.pids():
            text = open(f"/proc/{pid}/smaps_rollup").read()
            total += int(re.search(rf"^{what}: +(\d+)", text, re.M).group(1))
        return total

    def stop(self):
        p = getattr(self, "process", None)
        if p is not None and p.poll() is None:
            rest = self.pids()[1:]
            p.send_signal(self.stop_signal)
            try:
                p.wait(10)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
                for pid in rest:
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    stop_signal = signal.SIGTERM

    @classmethod
    def missing(cls):
        """Why it cannot be compared, or None."""
        return None

    @classmethod
    def unfit(cls, routes):
        """Why it is not compared with these routes, or None."""
        return None


def valgrinded(kind):
    """The same in one process under callgrind, which reports when it ends."""
    class Valgrinded(kind):
        def command(self):
            more = ["-g", "master_process off;"] if kind is Nginx else []
            return ["valgrind", "--tool=callgrind", "--callgrind-out-file=callgrind.out",
                    *super().command(), *more]
    return Valgrinded


class Gateway(Proxy):
    name = "gloo-gateway"

    def command(self):
        kinds = {"gateways": ("gateway", "metadata: { name: gateway, namespace: gloo-system }\n"
                              f"bindAddress: 127.0.0.1\nbindPort: {self.port}\n"),
                 "upstreams": ("origin", "metadata: { name: origin, namespace: gloo-system }\n"
                               "upstreamSpec: { static: { hosts: [ { addr: 127.0.0.1, "
                               f"port: {ORIGIN_PORT} }} ] }} }}\n"),
                 "virtualservices": ("bench", self.virtual_service())}
        for kind, (name, text) in kinds.items():
            folder = self.dir / "config" / kind / "gloo-system"
            folder.mkdir(parents=True)
            (folder / f"{name}.yaml").write_text(text)
        (self.dir / "settings.yaml").write_text(
            "directoryConfigSource: { directory: config }\n"
            "directorySecretSource: { directory: secrets }\n"
            "stateDirectory: state\n"
            "admin: { socket: admin.sock }\n"
            "proxy: { workers: 1, drainTimeout: 1s, orphanTimeout: 10s }\n"
            f"xdp: {{ pinPath: {self.pins} }}\n")
        return [BUILD / "gloo-gateway", "--settings", self.dir / "settings.yaml"]

    @property
    def pins(self):
        return f"/sys/fs/bpf/ggbench{self.port}"

    def stop(self):
        super().stop()
        # Without an interface nothing is pinned there.
        if os.path.isdir(self.pins):
            os.rmdir(self.pins)

    def virtual_service(self):
        to = ("routeAction: { single: { upstream: "
              "{ name: origin, namespace: gloo-system } } } }")
        return template("virtualservice.yaml", ROUTES=self.routes.lines(
            "  - { matchers: [ { prefix: \"%\" } ], options: { prefixRewrite: / }, " + to,
            "  - { matchers: [ { regex: \"%[a-z]+\" } ], " + to))


class Floor(Proxy):
    edits = False

    def command(self):
        return [BENCH / self.program, self.port, ORIGIN_PORT]


class FloorEpoll(Floor):
    name, program = "floor epoll", "floor_epoll"


class FloorLibevent(Floor):
    name, program = "floor libevent", "floor_libevent"


class Nginx(Proxy):
    name, stop_signal = "nginx", signal.SIGTERM

    def command(self):
        (self.dir / "nginx.conf").write_text(template(
            "nginx.conf", DIR=self.dir, PORT=self.port, ORIGIN=ORIGIN_PORT,
            ROUTES=self.routes.lines(
                "location % { proxy_pass http://origin/; }",
                "location ~ ^%[a-z]+$ { proxy_pass http://origin; }")))
        return ["nginx", "-p", self.dir, "-c", "nginx.conf"]

    @classmethod
    def missing(cls):
        return None if shutil.which("nginx") else "not installed"

    @classmethod
    def unfit(cls, routes):
        if routes.kind == "regex" and routes.count > 10000:
            return "not run: 1.6 GB, tries all in order"
        return None

    @classmethod
    def version(cls):
        return subprocess.run(["nginx", "-v"], capture_output=True,
                              text=True).stderr.split("/")[-1].strip()


class HAProxy(Proxy):
    name = "HAProxy"

    def command(self):
        (self.dir / "routes.map").write_text(
            self.routes.lines("% origin", "^%[a-z]+$ origin") + "\n")
        prefix = self.routes.kind == "prefix"
        (self.dir / "haproxy.cfg").write_text(template(
            "haproxy.cfg", DIR=self.dir, PORT=self.port, ORIGIN=ORIGIN_PORT,
            MATCH="map_beg" if prefix else "map_reg",
            REWRITE="http-request set-path /%[path,field(3,/,0)]" if prefix else ""))
        return ["haproxy", "-db", "-f", "haproxy.cfg"]

    @classmethod
    def missing(cls):
        return None if shutil.which("haproxy") else "not installed"

    @classmethod
    def version(cls):
        return subprocess.run(["haproxy", "-v"], capture_output=True,
                              text=True).stdout.split()[2]


class Envoy(Proxy):
    name = "Envoy"

    def command(self):
        to = "route: { cluster: origin, timeout: 15s"
        (self.dir / "envoy.yaml").write_text(template(
            "envoy.yaml", PORT=self.port, ORIGIN=ORIGIN_PORT,
            ROUTES=self.routes.lines(
                "              - { match: { prefix: \"%\" }, " + to + ", prefix_rewrite: / } }",
                "              - { match: { safe_regex: { regex: \"%[a-z]+\" } }, " + to + " } }")))
        return [Envoy.binary(), "-c", "envoy.yaml", "--concurrency", "1",
                "--disable-hot-restart", "-l", "error"]

    @staticmethod
    def binary():
        found = glob.glob(str(BUILD / "envoy/lib/python*/site-packages/envoy/_bin/envoy"))
        return found[0] if found else shutil.which("envoy")

    @classmethod
    def missing(cls):
        return None if cls.binary() else "not installed"

    @classmethod
    def version(cls):
        text = subprocess.run([cls.binary(), "--version"], capture_output=True, text=True).stdout
        return re.search(r"/(\d+\.\d+\.\d+)", text).group(1)


OURS = Gateway
FLOORS = [FloorEpoll, FloorLibevent]
PEERS = [Nginx, HAProxy, Envoy]
ALL = [OURS] + FLOORS + PEERS
