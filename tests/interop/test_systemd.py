"""The real unit under a real systemd 252: a Debian 12 root made by debootstrap
(cached outside the tree), booted by systemd-nspawn in the lab's namespace.
start, reload, restart, stop, and the drills of tests/e2e/test_drills.py."""
import json
import os
import pathlib
import signal
import subprocess
import sys

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import equal, check, run

RATE = 1200
PACKAGES = ("systemd,systemd-sysv,dbus,iproute2,procps,kmod,curl,bpftool,libbpf1,libxdp1,"
            "libevent-core-2.1-7,libevent-extra-2.1-7,libjansson4,libyaml-0-2,libpcre2-8-0,"
            "libc-ares2,libcurl4,libsystemd0,libseccomp2,logrotate,kmod")


def cache():
    base = pathlib.Path(os.environ.get("GG_CACHE", "/var/cache/gloo-gateway-tests"))
    base.mkdir(parents=True, exist_ok=True)
    return base


def debian_root():
    root = cache() / "bookworm-systemd-2"
    if not (root / ".complete").exists():
        run("rm", "-rf", root)
        p = run("debootstrap", "--variant=minbase", "--include=" + PACKAGES, "bookworm", root,
                ok=None, timeout=600)
        if p.returncode != 0:
            raise AssertionError("debootstrap failed:\n" + (p.stdout + p.stderr)[-3000:])
        (root / ".complete").touch()
    return root


class Machine:
    """A booted container that shares the lab's gateway namespace."""

    def __init__(self):
        self.started = False
        self.lab = e2e.Lab()
        self.root = debian_root()
        self.dir = pathlib.Path("/run") / f"ggt{os.getpid()}"
        self.dir.mkdir()
        run("make", "-C", e2e.TOP, "--no-print-directory", f"DESTDIR={self.root}", "install",
            timeout=300)
        (self.root / "etc/gloo-gateway/settings.yaml").write_text(
            "admin: { socket: /run/gloo-gateway/admin.sock, http: \"127.0.0.1:9091\" }\n"
            "proxy: { workers: 2 }\n"
            "accessLog: { path: /var/log/gloo-gateway/access.json }\n"
            "xdp:\n  interfaces: [ { name: gg0, mode: auto } ]\n")
        run("touch", self.root / "etc/machine-id")
        self.bpffs = self.dir / "bpffs"
        self.bpffs.mkdir()
        run("mount", "-t", "bpf", "bpf", self.bpffs)
        self.console = open(self.dir / "console", "wb")
        self.nspawn = subprocess.Popen(
            ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit",
             "--console=read-only", f"--network-namespace-path=/run/netns/{self.lab.gw}",
             "--capability=all", "--system-call-filter=bpf",
             "--system-call-filter=perf_event_open", f"--bind={self.bpffs}:/sys/fs/bpf",
             "--volatile=overlay", f"--machine=ggt{os.getpid()}", "-b", "-D", str(self.root)],
            env=dict(os.environ, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY="1"),
            stdin=subprocess.DEVNULL, stdout=self.console, stderr=self.console)
        e2e.undo.append(lambda: self.nspawn.poll() is None and self.nspawn.terminate())
        self.leader = e2e.wait_until("the container's pid 1", self.find_leader, 20)
        try:
            e2e.wait_until("systemd to run", self.booted, 60)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.boot_report()}") from None
        self.origin = e2e.echo_origin(self.lab)

    def find_leader(self):
        """Its pid 1. nspawn has another child before, which makes this one and
        ends: that one is in no PID namespace of its own."""
        if self.nspawn.poll() is not None:
            raise AssertionError("nspawn ended: " + (self.dir / "console").read_text()[-2000:])
        for pid in run("pgrep", "-P", self.nspawn.pid, ok=None).stdout.split():
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            inside = [l.split()[1:] for l in status.splitlines() if l.startswith("NSpid:")]
            if inside and len(inside[0]) > 1 and inside[0][-1] == "1":
                return int(pid)
        return None

    def booted(self):
        return self.systemctl("is-system-running", ok=None).stdout.strip() in (
            "running", "degraded")

    def boot_report(self):
        """What a start that does not come to its end waits for."""
        said = []
        for argv in (["systemctl", "is-system-running"], ["systemctl", "list-jobs"],
                     ["systemctl", "--failed"], ["journalctl", "-b", "-n", "30", "--no-pager"]):
            p = self.inside(*argv, ok=None)
            said.append(f"$ {' '.join(argv)}\n{p.stdout}{p.stderr}")
        said.append("console: " + (self.dir / "console").read_text(errors="replace")[-2000:])
        return "\n".join(said)

    def inside(self, *argv, ok=(0,), timeout=90):
        return run("nsenter", "-t", self.leader, "-a", *argv, ok=ok, timeout=timeout)

    def root_path(self, path):
        """Where the container sees that path; its overlay is not under root."""
        return pathlib.Path(f"/proc/{self.leader}/root") / path

    def systemctl(self, *argv, ok=(0,)):
        return self.inside("systemctl", *argv, ok=ok)

    def show(self, what):
        return self.systemctl("show", "-P", what, "gloo-gateway").stdout.strip()

    def admin(self, path):
        p = self.inside("curl", "-s", "--unix-socket", "/run/gloo-gateway/admin.sock",
                        "http://localhost" + path)
        return json.loads(p.stdout)

    def proxy_pid(self):
        return self.admin("/v1/status")["proxy"]["pid"]

    def glooctl(self, *argv, ok=(0,)):
        return self.inside("glooctl", *argv, ok=ok)

    def ready(self):
        return self.inside("curl", "-sf", "--unix-socket", "/run/gloo-gateway/admin.sock",
                           "http://localhost/readyz", ok=None).returncode == 0

    def answered(self):
        p = self.inside("curl", "-s", "http://127.0.0.1:9091/metrics", ok=None)
        return sum(float(l.rsplit(" ", 1)[1]) for l in p.stdout.splitlines()
                   if l.startswith("gloo_gateway_listener_responses_2xx"))

    def journal(self):
        return self.inside("journalctl", "-u", "gloo-gateway", "-o", "cat", "--no-pager").stdout

    def close(self):
        try:
            self.nspawn.terminate()
            try:
                self.nspawn.wait(60)
            except subprocess.TimeoutExpired:
                os.kill(self.leader, signal.SIGKILL)
                self.nspawn.kill()
        finally:
            self.origin.terminate()
            self.origin.wait()
            run("umount", self.bpffs, ok=None)
            run("rm", "-rf", self.dir, ok=None)
            self.lab.close()


def setup():
    if os.geteuid() != 0:
        raise e2e.Skip("needs root")
    return Machine()


def teardown(m):
    m.close()


def after(m, requests):
    check(m.started, "the gateway did not start; see the case above")
    start = m.answered()
    e2e.wait_until(f"{requests} requests", lambda: m.answered() - start >= requests, 20)


def failures(f, *names):
    return tuple(f[n] for n in names or ("refused", "reset", "closed", "status", "wrong",
                                         "timeout"))


def figures(f):
    return ", ".join(f"{k} {f[k]}" for k in (
        "ok", "refused", "reset", "closed", "status", "wrong", "timeout", "gap_ms",
        "announced_close"))


def test_verify(m):
    """systemd-analyze: the unit verifies, and its exposure is at most 3.0"""
    p = m.inside("systemd-analyze", "verify", "--man=no",
                 "/usr/lib/systemd/system/gloo-gateway.service")
    check("gloo-gateway" not in p.stderr, p.stderr)
    p = m.inside("systemd-analyze", "security", "--offline=true", "--threshold=30",
                 "/usr/lib/systemd/system/gloo-gateway.service")
    return [l for l in p.stdout.splitlines() if "Overall" in l][0].strip("→ ")


def test_start(m):
    """systemctl start: active with a status text, XDP attached natively, socket there"""
    p = m.systemctl("start", "gloo-gateway", ok=None)
    check(p.returncode == 0, p.stderr, m.journal()[-3000:])
    equal(m.show("ActiveState"), "active")
    check(m.show("StatusText"), "StatusText")
    kernel = m.admin("/v1/status")["kernel"]
    equal(kernel["state"], "enforced", m.journal()[-3000:])
    equal(kernel["interfaces"][0]["mode"], "native")
    m.glooctl("create", "upstream", "static", "--name", "echo", "--static-hosts",
              "127.0.0.1:7000")
    m.glooctl("add", "route", "--path-prefix", "/echo", "--dest-name", "echo")
    equal(e2e.request(m.lab.out, m.lab.address, 8080, path="/echo/1")[2], b"/echo/1")
    mode = m.inside("stat", "-c", "%a %G", "/run/gloo-gateway/admin.sock").stdout.split()
    equal(mode[1], "gloo-gateway")
    m.started = True


def test_proxy_status(m):
    """the proxy under the unit: own user, no capability, seccomp 2"""
    text = m.inside("cat", f"/proc/{m.proxy_pid()}/status").stdout
    status = dict(l.split(":\t", 1) for l in text.splitlines() if ":\t" in l)
    check("0" not in status["Uid"].split(), status["Uid"])
    for cap in ("CapPrm", "CapEff", "CapBnd"):
        equal(int(status[cap], 16), 0, cap)
    equal(status["Seccomp"], "2")


def test_reload(m):
    """systemctl reload under load: nothing fails, same processes"""
    load = e2e.Load(m.lab, rate=RATE)
    try:
        after(m, RATE)
        main, proxy = m.show("MainPID"), m.proxy_pid()
        for _ in range(3):
            m.systemctl("reload", "gloo-gateway")
            e2e.wait_until("ready", m.ready)
        equal((m.show("MainPID"), m.proxy_pid()), (main, proxy))
        after(m, RATE)
    finally:
        f = load.stop()
    equal(failures(f), (0,) * 6, f)
    equal(f["announced_close"], 0, f)
    return figures(f)


def build_id(m):
    return m.inside("/usr/sbin/gloo-gateway", "--version").stdout.split()[-1].strip("()")


def install_build(m, number):
    """The same program under another build id, put where the old one was."""
    path = m.root_path("usr/sbin/gloo-gateway")
    old = build_id(m)
    new = f"{number:012x}"[-len(old):]
    code = path.read_bytes()
    check(old.encode() in code, "no build id in the binary:", old)
    fresh = path.with_suffix(".new")
    fresh.write_bytes(code.replace(old.encode(), new.encode()))
    fresh.chmod(0o755)
    fresh.rename(path)
    equal(build_id(m), new)
    return new


def test_reload_new_build(m):
    """systemctl reload to another build, ten times under load: nothing refused, nothing fails"""
    load = e2e.Load(m.lab, rate=RATE, seconds=120)
    try:
        after(m, RATE)
        main, started = m.show("MainPID"), m.show("ExecMainStartTimestamp")
        for i in range(10):
            proxy = m.proxy_pid()
            build = install_build(m, 0xb111d0000000 + i)
            m.systemctl("reload", "gloo-gateway")
            e2e.wait_until("the new build to run", lambda: m.ready() and m.admin(
                "/v1/status")["proxy"]["pid"] not in (0, proxy), 20)
            equal(m.admin("/v1/version")["buildId"], build)
            after(m, RATE // 4)
        equal((m.show("MainPID"), m.show("ExecMainStartTimestamp")), (main, started))
    finally:
        f = load.stop()
    equal(failures(f), (0,) * 6, figures(f))
    return figures(f)


def test_kill_proxy(m):
    """kill -9 of the proxy: none refused, back in < 200 ms, XDP untouched"""
    load = e2e.Load(m.lab, rate=RATE)
    try:
        for _ in range(10 if e2e.SOAK else 3):
            after(m, RATE // 2)
            pid = m.proxy_pid()
            m.inside("kill", "-9", str(pid))
            e2e.wait_until("a new proxy", lambda: m.proxy_pid() not in (0, pid) and m.ready())
        after(m, RATE // 2)
    finally:
        f = load.stop()
    equal(failures(f, "refused", "wrong", "timeout", "status"), (0,) * 4, f)
    check(f["gap_ms"] < 200 * e2e.PATIENCE, f)
    equal(m.admin("/v1/status")["kernel"]["state"], "enforced")
    return figures(f)


def test_kill_control(m):
    """kill -9 of control: systemd starts a new one, which takes the proxy over; no failure"""
    load = e2e.Load(m.lab, rate=RATE)
    try:
        proxy = m.proxy_pid()
        for _ in range(10 if e2e.SOAK else 3):
            after(m, RATE // 2)
            main = m.show("MainPID")
            m.inside("kill", "-9", main)
            e2e.wait_until("a new control", lambda: m.show("MainPID") not in ("0", main)
                           and m.ready(), 20)
            equal(m.proxy_pid(), proxy)
        after(m, RATE // 2)
    finally:
        f = load.stop()
    equal(failures(f), (0,) * 6, f)
    return figures(f)


def test_restart(m):
    """systemctl restart, ten times under load: nothing refused, nothing fails"""
    load = e2e.Load(m.lab, rate=RATE, seconds=120)
    try:
        after(m, RATE // 2)
        for _ in range(10):
            main = m.show("MainPID")
            m.systemctl("restart", "gloo-gateway")
            e2e.wait_until("ready", m.ready)
            check(m.show("MainPID") != main, "it was not restarted")
            after(m, RATE // 4)
    finally:
        f = load.stop()
    equal(failures(f), (0,) * 6, figures(f))
    return figures(f)


def test_route_changes(m):
    """1000 route changes, each tenth with another upstream, under load: nothing fails or closes"""
    vs = m.admin("/v1/virtualservices/gloo-system/default")
    sock = f"/proc/{m.leader}/root/run/gloo-gateway/admin.sock"
    host = lambda pid: [p for p in os.listdir("/proc") if p.isdigit() and inner(p) == str(pid)][0]
    main, proxy = host(m.show("MainPID")), host(m.proxy_pid())
    def make(i):
        route = {"matchers": [{"prefix": f"/changing/{i:04d}"}],
                 "routeAction": {"single": {"upstream": {"name": "echo",
                                                         "namespace": "gloo-system"}}}}
        return {"metadata": {"name": "default", "namespace": "gloo-system"},
                "virtualHost": {"domains": ["*"],
                                "routes": vs["virtualHost"]["routes"][:1] + [route]}}
    def memory():
        return e2e.memory_kb(main, "Rss"), e2e.memory_kb(proxy, "Rss")
    upstream = lambda i: e2e.static_upstream(
        "echo", 7000, *([7001] if i % 20 == 0 else []))
    other = e2e.echo_origin(m.lab, 7001)
    load = e2e.Load(m.lab, rate=RATE, seconds=180)
    try:
        after(m, RATE)
        e2e.change_routes(sock, "default", make, 100, also=upstream)
        first = memory()
        e2e.change_routes(sock, "default", lambda i: make(i + 100), 900, also=upstream)
        last = memory()
    finally:
        f = load.stop()
        other.terminate()
        other.wait()
    note = (f"control {first[0]} -> {last[0]} kB, proxy {first[1]} -> {last[1]} kB; "
            + figures(f))
    equal(failures(f), (0,) * 6, note)
    equal(f["announced_close"], 0, note)
    for a, b in zip(first, last):
        check(b <= a * 1.02, "memory grew:", note)
    return note


def inner(pid):
    """The pid of a host process in its innermost pid namespace, if nested."""
    try:
        for line in open(f"/proc/{pid}/status"):
            if line.startswith("NSpid:"):
                ids = line.split()[1:]
                return ids[-1] if len(ids) > 1 else None
    except OSError:
        return None


def test_logrotate(m):
    """logrotate moves the access log and the daemon writes to the new one"""
    e2e.request(m.lab.out, m.lab.address, 8080, path="/echo/before")
    e2e.wait_until("the log", lambda: "before" in m.inside(
        "cat", "/var/log/gloo-gateway/access.json").stdout)
    m.inside("logrotate", "-f", "/etc/logrotate.d/gloo-gateway")
    def fresh():
        e2e.request(m.lab.out, m.lab.address, 8080, path="/echo/rotated")
        return "rotated" in m.inside("cat", "/var/log/gloo-gateway/access.json", ok=None).stdout
    e2e.wait_until("a line in the new log", fresh)


def test_stop(m):
    """systemctl stop: both processes gone, the interface clean, exit clean"""
    proxy = m.proxy_pid()
    m.systemctl("stop", "gloo-gateway")
    equal(m.show("ActiveState"), "inactive")
    equal(m.show("Result"), "success")
    check(m.inside("test", "-e", f"/proc/{proxy}", ok=None).returncode != 0)
    link = json.loads(run("ip", "-d", "-j", "link", "show", "gg0", ns=m.lab.gw).stdout)[0]
    equal(link.get("xdp", {}), {})


if __name__ == "__main__":
    e2e.main(globals())
