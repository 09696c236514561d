"""Real DNS servers in a network namespace: dnsmasq, whose records change while it runs,
and knot, which is the authority of a zone and can fail like one."""
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading

import e2e
from e2e import wait_until

A, TXT, AAAA = 1, 16, 28
UDP_MAX = 1232  # bytes of knot's answers by UDP; longer ones are truncated


def question(name, kind=A, number=7):
    labels = b"".join(bytes([len(p)]) + p.encode() for p in name.rstrip(".").split("."))
    # With an OPT record (RFC 6891): 4096 bytes of answer may come by UDP.
    return (struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 1) + labels
            + struct.pack("!BHH", 0, kind, 1) + struct.pack("!BHHIH", 0, 41, 4096, 0, 0))


def asked(ns, address, port, name, kind=A):
    """(code, number of answers, truncated) of one question over UDP, or None."""
    with e2e.Namespace(ns):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with s:
        s.settimeout(0.3 * e2e.PATIENCE)
        try:
            s.connect((address, port))
            s.send(question(name, kind))
            flags, _, count = struct.unpack_from("!HHH", s.recv(65536), 2)
        except OSError:
            return None
    return flags & 15, count, bool(flags & 0x0200)


class Server:
    """In the namespace, at that address and port."""

    def __init__(self, ns, address="127.0.0.1", port=5353):
        self.ns, self.address, self.port, self.process = ns, address, port, None
        self.at = f"{address}:{port}"
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="ggtd"))
        self.dir.chmod(0o755)
        e2e.undo.append(self.close)

    def run(self, *argv):
        with open(self.dir / "log", "ab") as log:
            self.process = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{self.ns}", *(str(a) for a in argv)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def log(self):
        path = self.dir / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def answers(self, name, kind=A):
        """What `asked` says, once an answer comes: of a server that other work keeps from
        running it may come too late for one question."""
        return wait_until(f"an answer about {name}",
                          lambda: asked(self.ns, self.address, self.port, name, kind))

    def await_up(self, name="up.test"):
        def up():
            if self.process.poll() is not None:
                raise AssertionError(f"{self.process.args} ended:\n{self.log()[-2000:]}")
            return asked(self.ns, self.address, self.port, name) is not None
        wait_until("the DNS server", up, 20)
        return self

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def close(self):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


class Dnsmasq(Server):
    """Authority of everything below "test". Its addresses change with `set`, in the
    running server; whatever else it is told (srv, text, options) needs `start`."""

    def __init__(self, *argv, ttl=1, **more):
        super().__init__(*argv, **more)
        self.ttl, self.hosts, self.options = ttl, {}, []
        self.write()

    def write(self):
        path = self.dir / "hosts"
        new = self.dir / "hosts.new"
        new.write_text("".join(f"{a} {name}\n" for name, addresses in self.hosts.items()
                               for a in addresses))
        new.chmod(0o644)
        new.rename(path)

    def start(self):
        self.run("dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts",
                 "--conf-file=/dev/null", f"--port={self.port}",
                 f"--listen-address={self.address}", "--bind-interfaces", "--user=root",
                 "--pid-file=", "--local=/test/", f"--local-ttl={self.ttl}", "--log-queries",
                 "--log-facility=-", f"--addn-hosts={self.dir}/hosts", *self.options)
        return self.await_up()

    def set(self, name, *addresses):
        """These, and no others; none: there is no such name."""
        self.hosts.pop(name, None)
        if addresses:
            self.hosts[name] = addresses
        self.write()
        if self.process:
            self.process.send_signal(signal.SIGHUP)
            wanted = (0 if addresses else 3, sum(1 for a in addresses if ":" not in a))
            # In capitals: the log tells these questions from a gateway's.
            wait_until("dnsmasq to have read " + name,
                       lambda: self.answers(name.upper())[:2] == wanted)

    def restart(self, *options):
        """With these options beside its own, and no longer those of before."""
        self.stop()
        self.options = list(options)
        return self.start()

    def asked_for(self, name, kind="A"):
        """How often a gateway asked: the server's own log of it, which is of all."""
        return len(re.findall(rf"query\[{kind}\] {re.escape(name)} from", self.log()))

    def denied(self, name):
        """How often a gateway was told that the name has no address of IPv4, or is none."""
        return len(re.findall(rf"query\[A\] {re.escape(name)} from .*\n.* {re.escape(name)} is "
                              r"(?:NXDOMAIN|NODATA)", self.log()))


class Knot(Server):
    """Authority of the zone "zone.test"; its records are text, `@` as in a file of a
    zone. Without records (None) it has the zone but cannot load it: SERVFAIL."""

    def __init__(self, *argv, zone="zone.test", **more):
        super().__init__(*argv, **more)
        self.zone, self.serial, self.records = zone, 1, None

    def start(self, records):
        self.stop()
        self.records = records
        path = self.dir / "zone"
        path.unlink(missing_ok=True)
        if records is not None:
            self.serial += 1
            path.write_text(f"$ORIGIN {self.zone}.\n$TTL 1\n"
                            f"@ SOA ns.{self.zone}. nobody.{self.zone}. {self.serial} 60 60 60 1\n"
                            f"@ NS ns\nns A {self.address}\n" + records)
        (self.dir / "knot.conf").write_text(f"""\
server:
    rundir: "{self.dir}"
    listen: {self.address}@{self.port}
    udp-max-payload: {UDP_MAX}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "{self.dir}/db{self.serial}"
log:
  - target: stderr
    any: warning
zone:
  - domain: {self.zone}
    file: "{path}"
    journal-content: none
""")
        self.run("knotd", "-c", self.dir / "knot.conf")
        return self.await_up("ns." + self.zone)


class Liar:
    """Before a server, by UDP alone. change(answer): the answers that are sent instead
    of that one, in order. asked: how many questions came."""

    def __init__(self, server, port=5355):
        self.server, self.change, self.asked = server, lambda answer: [answer], 0
        self.at = f"{server.address}:{port}"
        with e2e.Namespace(server.ns):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((server.address, port))
        self.socket.settimeout(0.1)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.ended.is_set():
            try:
                data, peer = self.socket.recvfrom(4096)
            except socket.timeout:
                continue
            self.asked += 1
            threading.Thread(target=self.one, args=(data, peer), daemon=True).start()

    def one(self, data, peer):
        try:
            with e2e.Namespace(self.server.ns):
                s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            with s:
                s.settimeout(2 * e2e.PATIENCE)
                s.connect((self.server.address, self.server.port))
                s.send(data)
                answer = s.recv(65536)
            for one in self.change(answer):
                self.socket.sendto(one, peer)
        except OSError:
            pass

    def close(self):
        self.ended.set()
        self.thread.join()
        self.socket.close()
