"""Both ends of TCP services: endpoints that say who they are, clients that
know who answers."""
import select
import socket
import threading

import e2e
from e2e import equal


class Echo:
    """Says its name, echoes, and at the end of what it got says goodbye."""

    def __init__(self, ns, name, address="127.0.0.1", port=0):
        self.ns, self.name, self.address = ns, name, address
        self.threads = []
        self.listen(port)

    def listen(self, port):
        self.dead = threading.Event()
        with e2e.Namespace(self.ns):
            self.listener = socket.create_server(
                (self.address, port), backlog=64,
                family=socket.AF_INET6 if ":" in self.address else socket.AF_INET)
        self.port = self.listener.getsockname()[1]
        self.start(self.accept, self.listener)

    def start(self, what, s):
        t = threading.Thread(target=what, args=(s,), daemon=True)
        self.threads.append(t)
        t.start()

    def is_readable(self, s):
        """False: it is dead."""
        while not self.dead.is_set():
            if select.select([s], [], [], 0.02)[0]:
                return True
        return False

    def accept(self, listener):
        while self.is_readable(listener):
            self.start(self.serve, listener.accept()[0])
        listener.close()

    def serve(self, s):
        try:
            s.sendall(self.name + b"\n")
            while self.is_readable(s):
                data = s.recv(65536)
                if not data:
                    s.sendall(b"goodbye\n")
                    break
                s.sendall(data)
            else:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        except OSError:
            pass
        s.close()

    def die(self):
        """Whoever is connected is cut off."""
        self.dead.set()
        for t in self.threads:
            t.join()
        self.threads = []

    close = die


class Client:
    """A connection that knows who answers."""

    def __init__(self, ns, address, port):
        with e2e.Namespace(ns):
            self.s = socket.create_connection((address, port), timeout=10 * e2e.PATIENCE)
        self.got = b""
        self.name = self.line()

    def line(self):
        while b"\n" not in self.got:
            data = self.s.recv(65536)
            if not data:
                raise AssertionError(f"the end after {self.got!r}")
            self.got += data
        line, _, self.got = self.got.partition(b"\n")
        return line

    def says(self, text):
        self.s.sendall(text + b"\n")
        equal(self.line(), text)

    def close(self):
        self.s.close()
