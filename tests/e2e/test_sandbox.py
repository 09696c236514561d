"""The proxy's walls: its own user, no capability, seccomp, no path opened."""
import os
import pwd
import sys

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import equal, check, run


class Sandbox:
    def __init__(self):
        self.lab = e2e.Lab()
        self.gateway = e2e.Gateway(self.lab).start()


def setup():
    return Sandbox()


def teardown(s):
    try:
        s.gateway.close()
    finally:
        s.lab.close()


def status_of(pid):
    return dict(l.rstrip("\n").split(":\t", 1) for l in open(f"/proc/{pid}/status")
                if ":\t" in l)


def test_status(s):
    """/proc/PID/status of the proxy: own user, no capability, seccomp 2, no new privileges"""
    pid = s.gateway.proxy_pid()
    status = status_of(pid)
    uid = str(pwd.getpwnam("gloo-gateway-proxy").pw_uid)
    equal(set(status["Uid"].split()), {uid})
    check("0" not in status["Gid"].split(), status["Gid"])
    equal(status.get("Groups", "").strip(), "")
    for cap in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        equal(int(status[cap], 16), 0, cap)
    equal(status["Seccomp"], "2")
    equal(status["NoNewPrivs"], "1")
    for task in os.listdir(f"/proc/{pid}/task"):
        equal(status_of(f"{pid}/task/{task}")["Seccomp"], "2")
    return f"{len(os.listdir(f'/proc/{pid}/task'))} threads"


def test_no_core(s):
    """neither process writes a core, and the proxy's memory is root's alone: keys are in it"""
    for pid in (s.gateway.process.pid, s.gateway.proxy_pid()):
        with open(f"/proc/{pid}/limits") as f:
            core = next(line for line in f if line.startswith("Max core file size")).split()
        equal(core[4:6], ["0", "0"])
    # proc(5): that of a process that is not to be dumped is root's, whoever it runs as.
    equal(os.stat(f"/proc/{s.gateway.proxy_pid()}/environ").st_uid, 0)


def test_refused_calls(s):
    """inside the sandbox execve, open, bpf and a Unix socket are refused"""
    p = run(e2e.DAEMON, "--proxy-sandbox-test", ok=(0,))
    for call in ("execve", "open for reading", "open for writing", "bpf", "ptrace", "socket"):
        line = [l for l in p.stdout.splitlines() if l.startswith(call)]
        check(line and line[0].split(": ")[1] in ("EPERM", "Bad system call") or
              (e2e.SANITIZED and "for the sanitizer" in line[0]), p.stdout)


def test_no_paths(s):
    """the proxy holds no file but what control gave it"""
    pid = s.gateway.proxy_pid()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:
            continue  # closed meanwhile
        if target.startswith("/") and not target.startswith(("/memfd:", "/dev/null")):
            check(target in (str(s.gateway.access), str(s.gateway.log_path)), target)


def test_control_is_bounded(s):
    """control does not run the proxy's code: two processes, one binary"""
    exe = lambda pid: os.stat(f"/proc/{pid}/exe")
    a, b = exe(s.gateway.process.pid), exe(s.gateway.proxy_pid())
    equal((a.st_dev, a.st_ino), (b.st_dev, b.st_ino))


if __name__ == "__main__":
    e2e.main(globals())
