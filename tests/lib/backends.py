"""Twenty backends, each in a namespace of its own behind one switch, and
clients that talk to them without a pause."""
import selectors
import socket
import threading
import time

import e2e
from e2e import run

COUNT = 20
OWN, DIRECT = 7000, 7001  # the ports at a backend's own and the service's address


class Loop(threading.Thread):
    """A selector with a thread of its own; `turn` is called each 10 ms."""

    def __init__(self):
        super().__init__(daemon=True)
        self.selector, self.lock = selectors.DefaultSelector(), threading.Lock()
        self.ended = threading.Event()
        self.start()

    def run(self):
        while not self.ended.is_set():
            with self.lock:
                for key, _ in self.selector.select(0):
                    key.data(key.fileobj)
                self.turn()
            self.ended.wait(0.01)

    def turn(self):
        pass

    def close(self):
        self.ended.set()
        self.join()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()


class Backends(Loop):
    """Behind gg1 of the lab's gateway, 10.97.0.2 and on. Each greets with its
    address and echoes, at its own address and, for mode dsr-l2, at the
    service's. A namespace each: what is sent to the wrong one is reset."""

    def __init__(self, lab, count=COUNT):
        super().__init__()
        self.lab, self.addresses = lab, [f"10.97.0.{2 + n}" for n in range(count)]
        self.switch = lab.gw[:-2] + "sw"
        e2e.undo.append(self.remove)
        run("ip", "netns", "add", self.switch)
        run("ip", "link", "add", "br0", "type", "bridge", ns=self.switch)
        run("ip", "link", "set", "br0", "up", ns=self.switch)
        self.plug(lab.gw, "gg1", "10.97.0.1", "box")
        for key in ("ip_forward=1", "conf.gg1.accept_local=1"):
            run("sysctl", "-qw", "net.ipv4." + key, ns=lab.gw)
        for n, address in enumerate(self.addresses):
            run("ip", "netns", "add", self.namespace(n))
            run("ip", "link", "set", "lo", "up", ns=self.namespace(n))
            run("ip", "addr", "add", lab.address + "/32", "dev", "lo", ns=self.namespace(n))
            self.plug(self.namespace(n), "eth0", address, f"b{n}")
            run("ip", "route", "add", "default", "via", "10.97.0.1", ns=self.namespace(n))
            for at, port in ((address, OWN), (lab.address, DIRECT)):
                with e2e.Namespace(self.namespace(n)):
                    s = socket.create_server((at, port), backlog=128)
                with self.lock:
                    self.selector.register(s, selectors.EVENT_READ, self.greets(address))

    def namespace(self, n):
        return f"{self.lab.gw[:-2]}b{n}"

    def plug(self, ns, device, address, port):
        run("ip", "link", "add", device, "netns", ns, "type", "veth", "peer", "name", port,
            "netns", self.switch)
        run("ip", "link", "set", port, "master", "br0", "up", ns=self.switch)
        run("ip", "addr", "add", address + "/24", "dev", device, ns=ns)
        run("ip", "link", "set", device, "up", ns=ns)
        # A frame that never saw a wire has no whole checksum otherwise.
        run("ethtool", "-K", device, "tx", "off", ns=ns, ok=None)

    def greets(self, name):
        def accept(listener):
            s = listener.accept()[0]
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            s.sendall(name.encode() + b"\n")
            self.selector.register(s, selectors.EVENT_READ, self.echo)
        return accept

    def echo(self, s):
        try:
            data = s.recv(65536)
            if data:
                s.sendall(data)
                return
        except OSError:
            pass
        self.selector.unregister(s)
        s.close()

    def remove(self):
        for ns in [self.switch] + [self.namespace(n) for n in range(len(self.addresses))]:
            run("ip", "netns", "del", ns, ok=None)

    def close(self):
        super().close()
        self.remove()


class Talk(Loop):
    """Connections from outside; each sends a line, waits for its echo, and sends
    the next one a tenth of a second later. `failed` says what went wrong."""

    def __init__(self, lab):
        self.lab, self.talks, self.failed, self.lines = lab, {}, [], 0
        super().__init__()

    def open(self, port, count):
        """So many more to that port; the addresses of those who answered."""
        names = []
        for _ in range(count):
            with e2e.Namespace(self.lab.out):
                s = socket.create_connection((self.lab.address, port),
                                             timeout=10 * e2e.PATIENCE)
            name = s.makefile("rb", buffering=0).readline().decode().strip()
            names.append(name)
            s.settimeout(0)
            with self.lock:
                self.talks[s] = {"port": port, "name": name, "lines": 0, "sent": b"", "got": b"",
                                 "due": 0}
                self.selector.register(s, selectors.EVENT_READ, self.hears)
        return names

    def fail(self, s, why):
        t = self.talks.pop(s)
        self.failed.append(f"port {t['port']}, {t['name']}, after {t['lines']} lines: {why}")
        self.selector.unregister(s)
        s.close()

    def hears(self, s):
        t = self.talks[s]
        try:
            data = s.recv(65536)
        except OSError as e:
            return self.fail(s, e.strerror)
        t["got"] += data
        if not data or not t["sent"].startswith(t["got"]):
            return self.fail(s, f"heard {t['got']!r} instead of {t['sent']!r}")
        if t["got"] == t["sent"]:
            t.update(lines=t["lines"] + 1, sent=b"", got=b"", due=time.monotonic() + 0.1)
            self.lines += 1

    def turn(self):
        now = time.monotonic()
        for s, t in list(self.talks.items()):
            if t["sent"] or t["due"] > now:
                continue
            t["sent"] = b"%d of %d" % (t["lines"], s.fileno()) + b"." * 200 + b"\n"
            try:
                s.sendall(t["sent"])
            except OSError as e:
                self.fail(s, e.strerror)

    def hang_up(self, keep):
        """Closes the oldest, so that so many are left."""
        with self.lock:
            for s in list(self.talks)[:-keep]:
                self.selector.unregister(s)
                del self.talks[s]
                s.close()

    def all_heard(self, lines=2):
        """Waits until each connection has had so many more answers."""
        with self.lock:
            want = {s: t["lines"] + lines for s, t in self.talks.items()}

        def late():
            with self.lock:
                return [self.talks[s] for s, n in want.items()
                        if s in self.talks and self.talks[s]["lines"] < n]
        try:
            e2e.wait_until("every connection", lambda: not late(), 20)
        except AssertionError as e:
            raise AssertionError(f"{e}; {len(late())} of {len(want)} are silent, such as "
                                 f"{late()[:1]}") from None
        e2e.equal(self.failed, [])
