"""Debian 12's own kernel (6.1) in QEMU, without KVM: our objects load, the
daemon shares an interface with xdp-filter through libxdp's dispatcher, adopts
what was attached through it, and leaves all clean; and its ipip, sit, ip6tnl and
fou devices take what modes ipip and gue send. The packages are downloaded
once, into the cache; nothing is installed."""
import glob
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import check, run

SECONDS = 300  # for the machine, from its first to its last line
SETTINGS = """\
admin: { socket: /run/gloo-gateway/admin.sock, http: "127.0.0.1:9091" }
proxy: { workers: 1, steering: cpu }
xdp: { interfaces: [ { name: v0, mode: native } ] }
"""
GATEWAY = """\
metadata: { name: gateway, namespace: gloo-system }
bindPort: 8080
additionalAddresses: [ { address: 10.66.0.0/24, port: 80 } ]
"""
# Name, service's address and port, mode, backend.
FAR = [("ipip4", "10.98.0.1", 8081, "ipip", "10.97.0.2"),
       ("gue4", "10.98.0.1", 8082, "gue", "10.97.0.2"),
       ("ipip6", "fd98::1", 8083, "ipip", "fd97::2"),
       ("gue6", "fd98::1", 8084, "gue", "fd97::2"),
       ("ipip64", "fd98::1", 8085, "ipip", "10.97.0.2"),
       ("gue46", "10.98.0.1", 8086, "gue", "fd97::2")]
# What those devices are in, those that others need first.
MODULES = ["ipv4/tunnel4", "ipv4/ip_tunnel", "ipv4/udp_tunnel", "ipv6/ip6_udp_tunnel",
           "ipv4/fou", "ipv6/tunnel6", "ipv4/ipip", "ipv6/sit", "ipv6/ip6_tunnel", "ipv6/fou6"]


def cache():
    base = pathlib.Path(os.environ.get("GG_CACHE", "/var/cache/gloo-gateway-tests"))
    base.mkdir(parents=True, exist_ok=True)
    return base / "kernel61"


def newest_kernel():
    names = run("apt-cache", "search", "--names-only",
                r"^linux-image-6\.1\.0-[0-9]+-cloud-amd64$").stdout.split("\n")
    names = [n.split()[0] for n in names if n.strip()]
    check(names, "apt knows no kernel linux-image-6.1.0-*-cloud-amd64; on another release than "
          "Debian 12 add its sources, then run apt-get update")
    return max(names, key=lambda n: int(n.split("-")[3]))


def packages():
    """The folder with what the packages have in them."""
    root = cache()
    if (root / ".complete").exists():
        return root
    shutil.rmtree(root, ignore_errors=True)
    debs = root / "debs"
    (debs / "partial").mkdir(parents=True)
    run("apt-get", "update", timeout=120)
    for argv in (["apt-get", "download", newest_kernel(), "busybox-static", "xdp-tools"],
                 ["apt-get", "install", "-y", "--download-only", "--no-install-recommends",
                  "-o", f"Dir::Cache::archives={debs}", "qemu-system-x86"]):
        p = subprocess.run(argv, cwd=debs, capture_output=True, text=True, timeout=600)
        check(p.returncode == 0, f"{' '.join(argv)} failed; is the network there?\n",
              p.stdout[-1000:], p.stderr[-2000:])
    for deb in debs.glob("*.deb"):
        run("dpkg", "-x", deb, root / "root", timeout=120)
    shutil.rmtree(debs)
    (root / ".complete").touch()
    return root


def one(pattern):
    found = glob.glob(str(pattern), recursive=True)
    check(found, "nothing matches", pattern)
    return found[0]


def libraries(program):
    return re.findall(r"(/\S+) \(0x", run("ldd", program).stdout)


class Initramfs:
    def __init__(self, packed, folder):
        self.packed, self.folder = packed, folder
        self.put(one(packed / "root/**/bin/busybox"), "bin/busybox", 0o755)
        for name in ("gloo-gateway", "glooctl"):
            self.program(e2e.BUILD / name, "usr/sbin/" + name)
        for name in ("xdp-loader", "xdp-filter"):
            self.program(one(packed / f"root/usr/sbin/{name}"), "usr/sbin/" + name)
        for name in ("ip", "bpftool", "ethtool"):
            self.program(shutil.which(name), "usr/sbin/" + name)
        for name in ("gateway", "sockets"):
            self.put(e2e.BUILD / f"bpf/{name}.bpf.o", name + ".bpf.o")
        # What libxdp and xdp-filter load at run time.
        for path in glob.glob("/usr/lib/*/bpf/*.o") + glob.glob(
                str(packed / "root/usr/lib/*/bpf/*.o")):
            self.put(path, path[path.index("usr/lib"):])
        self.put(one(packed / "root/lib/modules/*/kernel/drivers/net/veth.ko"), "veth.ko")
        for n, name in enumerate(MODULES):
            self.put(one(packed / f"root/lib/modules/*/kernel/net/{name}.ko"),
                     f"tunnels/{n}.ko")
        self.put(e2e.BUILD / "tests/tools/pass.bpf.o", "pass.bpf.o")
        for service in FAR:
            self.far(*service)
        self.put(e2e.TOP / "tests/interop/guest61.sh", "init", 0o755)
        self.text("etc/passwd", "root:x:0:0::/:/bin/sh\n"
                  "gloo-gateway-proxy:x:990:990::/:/bin/false\n")
        self.text("etc/group", "root:x:0:\ngloo-gateway:x:991:\ngloo-gateway-proxy:x:990:\n")
        self.text("etc/gloo-gateway/settings.yaml", SETTINGS)
        self.text("var/lib/gloo-gateway/config/gateways/gloo-system/gateway.yaml", GATEWAY)
        for name in ("proc", "sys", "dev", "tmp", "run"):
            (folder / name).mkdir(exist_ok=True)

    def put(self, source, target, mode=None):
        path = self.folder / target
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(os.path.realpath(source), path)
        path.chmod(mode or os.stat(source).st_mode & 0o777)

    def program(self, source, target):
        self.put(source, target, 0o755)
        for library in libraries(source):
            if not (self.folder / library[1:]).exists():
                self.put(library, library[1:])

    def text(self, target, text):
        path = self.folder / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def far(self, name, address, port, mode, backend):
        # JSON is YAML.
        for kind, document in (
                ("upstreams", {"upstreamSpec": {"static": {"hosts": [
                    {"addr": backend, "port": port}]}}}),
                ("gateways", {"bindAddress": address, "bindPort": port, "tcpGateway": {
                    "tcpHosts": [{"name": name, "mode": mode, "destination": {
                        "single": {"upstream": {"name": name}}}}]}})):
            document["metadata"] = {"name": name, "namespace": "gloo-system"}
            self.text(f"far/{kind}/gloo-system/{name}.yaml", json.dumps(document))

    def pack(self, image):
        busybox = self.folder / "bin/busybox"
        with open(image, "wb") as out:
            names = subprocess.run([busybox, "find", "."], cwd=self.folder, capture_output=True,
                                   check=True).stdout
            cpio = subprocess.Popen([busybox, "cpio", "-o", "-H", "newc"], cwd=self.folder,
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                    stderr=subprocess.DEVNULL)
            gzip = subprocess.Popen(["gzip", "-1"], stdin=cpio.stdout, stdout=out)
            cpio.stdin.write(names)
            cpio.stdin.close()
            check(cpio.wait() == 0 and gzip.wait() == 0, "the initramfs was not packed")


class Machine:
    """Booted once; what its console said."""

    def __init__(self):
        self.dir = pathlib.Path(e2e.tempfile.mkdtemp(prefix="ggt61"))
        e2e.undo.append(lambda: shutil.rmtree(self.dir, ignore_errors=True))
        packed = packages()
        (self.dir / "root").mkdir()
        Initramfs(packed, self.dir / "root").pack(self.dir / "initrd")
        self.console = self.boot(packed / "root")
        self.cases, said = {}, []
        for line in self.console.splitlines():
            word = line.strip().split()
            if line.startswith("@|"):
                said.append(line[3:])
            elif len(word) == 3 and word[0] == "@@" and word[2] in ("ok", "fail"):
                self.cases[word[1]] = (word[2], said)
                said = []
                self.cases[word[1]] = (word[2], said)
        self.verified = dict(re.findall(r"^@@ verified (\S+) (\d+)", self.console, re.M))

    @staticmethod
    def emulator(root):
        """Its command and libraries; apt downloads none that is installed."""
        installed = shutil.which("qemu-system-x86_64")
        if installed:
            return [installed], ""
        return ([one(root / "usr/bin/qemu-system-x86_64"), "-L", root / "usr/share/qemu", "-L",
                 root / "usr/share/seabios"],
                ":".join(str(root / p)
                         for p in ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu")))

    def boot(self, root):
        command, lib = self.emulator(root)
        argv = [*command, "-accel", "tcg", "-cpu", "max", "-m", "1024", "-smp",
                "1", "-nographic", "-no-reboot", "-net", "none", "-kernel",
                one(root / "boot/vmlinuz-*"), "-initrd", self.dir / "initrd", "-append",
                "console=ttyS0 panic=1 loglevel=1"]
        with open(self.dir / "console", "wb") as out:
            p = subprocess.Popen([str(a) for a in argv], env=dict(os.environ, LD_LIBRARY_PATH=lib),
                                 stdin=subprocess.DEVNULL, stdout=out, stderr=out)
            e2e.undo.append(p.kill)
            try:
                p.wait(SECONDS * e2e.PATIENCE)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        text = (self.dir / "console").read_text(errors="replace").replace("\r", "")
        check("@@ version" in text, "the machine did not come up:\n" + text[-3000:])
        return text

    def expect(self, name):
        result, said = self.cases.get(name, ("missing", [self.console[-2000:]]))
        check(result == "ok", f"{name}: {result}\n" + "\n".join(said))


def setup():
    if os.uname().machine != "x86_64":
        raise e2e.Skip("the kernel that it boots is for amd64")
    return Machine()


def test_boot(m):
    """Debian's own 6.1 kernel boots, with a veth pair"""
    m.expect("lab")
    return re.search(r"@@ version (\S+)", m.console).group(1)


def test_ip_link(m):
    """the XDP object loads there with plain `ip link` and counts"""
    m.expect("ip_link")


def test_sockets_load(m):
    """the object of sockets loads there"""
    m.expect("sockets_load")


def test_beside(m):
    """attached by xdp-loader through the dispatcher beside xdp-filter, both run"""
    m.expect("beside")


def test_adopts(m):
    """the daemon adopts program and maps through the dispatcher, counters kept"""
    m.expect("adopts")


def test_steers(m):
    """an additional address is served, the worker chosen by CPU"""
    m.expect("steers")


def test_killed(m):
    """kill -9 of the daemon: all goes on, the next one finds everything"""
    m.expect("killed")


def test_stops(m):
    """a stop takes exactly ours off, xdp-filter goes on, no pin is left"""
    m.expect("stops")


def test_attaches(m):
    """the daemon attaches by itself through the dispatcher beside xdp-filter"""
    m.expect("attaches")


def test_unloads(m):
    """xdp-filter unloaded, interface and dispatcher's pins are clean"""
    m.expect("unloads")


def test_alone(m):
    """alone on the interface: attached natively, detached clean"""
    m.expect("alone")


def test_tunnels(m):
    """its tunnel devices take what modes ipip and gue send, in both families"""
    m.expect("tunnels")
    for name, *_ in FAR:
        m.expect(name)


def test_instructions(m):
    """what its verifier had to look at"""
    check({"gg_gateway", "gg_worker", "gg_lookup"} <= set(m.verified), m.verified,
          m.console[-1500:])
    for name, count in m.verified.items():
        check(int(count) < 1000000, name, count)
    return ", ".join(f"{n} {c}" for n, c in sorted(m.verified.items()))


if __name__ == "__main__":
    e2e.main(globals())
