"""HTTP services in a test's hands: what a request line and its fields were, byte for
byte, and answers of any form, over TLS or without."""
import http.client
import socket
import ssl
import threading

import e2e


class Request:
    """target: as it was sent; fields: (name, value) in their order; body: whole."""

    def __init__(self, line, fields, body):
        self.line, self.fields, self.body = line, fields, body
        self.method, self.target, self.version = line.split(" ")
        self.path, _, self.query = self.target.partition("?")

    def all(self, name):
        return [v for n, v in self.fields if n.lower() == name.lower()]

    def get(self, name, default=None):
        found = self.all(name)
        return found[0] if found else default


class Answer:
    """To one request: reply, or begin, chunk ... and end; raw bytes; cut."""

    def __init__(self, s, request, service):
        self.socket, self.request, self.service, self.chunks = s, request, service, False

    def raw(self, data):
        self.socket.sendall(data)

    def head(self, status, fields):
        lines = [f"HTTP/1.1 {status} {http.client.responses.get(status, 'Code')}"]
        self.raw("\r\n".join(lines + [f"{n}: {v}" for n, v in fields.items()]
                             + ["", ""]).encode("latin-1"))

    def reply(self, status, fields=None, body=b""):
        body = body.encode() if isinstance(body, str) else body
        fields = {**self.service.common(), **(fields or {})}
        if status not in (204, 304):
            fields["Content-Length"] = len(body)
        lines = [f"HTTP/1.1 {status} {http.client.responses.get(status, 'Code')}"]
        self.raw("\r\n".join(lines + [f"{n}: {v}" for n, v in fields.items()]
                             + ["", ""]).encode("latin-1") + body)

    def begin(self, status, fields=None):
        self.chunks = True
        self.head(status, {**self.service.common(), "Transfer-Encoding": "chunked",
                           **(fields or {})})

    def chunk(self, data):
        if data:  # or it would be the last one
            self.raw(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self):
        self.raw(b"0\r\n\r\n")

    def cut(self):
        raise ConnectionAbortedError("cut, as the test wants")

    def hang(self):
        """Until the client goes, or the service is closed."""
        self.socket.settimeout(None)
        while self.socket.recv(65536):
            pass
        self.cut()


class Service:
    """answer(request, answer): in a thread of each connection. tls: a Certificate.
    down: connections are closed at once; asked: (method, target) of each request."""

    def __init__(self, ns, answer, address="127.0.0.1", port=0, tls=None):
        self.answer, self.tls, self.asked, self.down = answer, None, [], False
        self.connections, self.handshakes, self.broken = 0, 0, []
        self.lock = threading.Lock()
        if tls:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(tls.cert, tls.key)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with e2e.Namespace(ns):
            self.listener = socket.socket(family)
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind((address, port))
            self.listener.listen(512)
        self.port = self.listener.getsockname()[1]
        self.host = f"[{address}]:{self.port}" if ":" in address else f"{address}:{self.port}"
        self.url = f"http{'s' if tls else ''}://{self.host}"
        self.acceptor = e2e.Acceptor(self.listener, self.serve)

    def common(self):
        """Fields of every answer."""
        return {}

    def serve(self, s):
        if self.down:
            s.close()
            return
        try:
            with self.lock:
                self.connections += 1
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                s = self.tls.wrap_socket(s, server_side=True)
                with self.lock:
                    self.handshakes += 1
            reader = s.makefile("rb")
            while request := self.read(s, reader):
                if self.down:
                    break
                with self.lock:
                    self.asked.append((request.method, request.target))
                self.answer(request, Answer(s, request, self))
        except OSError:
            pass
        except Exception as e:
            self.broken.append(repr(e))
        finally:
            e2e.hang_up(s)
            s.close()

    def read(self, s, reader):
        """None at the end."""
        line = reader.readline(65536).decode("latin-1").rstrip("\r\n")
        if not line:
            return None
        fields = []
        while field := reader.readline(65536).decode("latin-1").rstrip("\r\n"):
            name, _, value = field.partition(":")
            fields.append((name, value.strip(" \t")))
        named = {n.lower(): v for n, v in fields}
        if named.get("expect", "").lower() == "100-continue":
            s.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = b""
        if "chunked" in named.get("transfer-encoding", ""):
            parts = []
            while size := int(reader.readline().split(b";")[0], 16):
                parts.append(reader.read(size))
                reader.readline()
            while reader.readline().strip():
                pass
            body = b"".join(parts)
        elif "content-length" in named:
            body = reader.read(int(named["content-length"]))
            if len(body) < int(named["content-length"]):
                return None
        return Request(line, fields, body)

    def close(self):
        self.down = True
        self.acceptor.close()


class Front(e2e.Acceptor):
    """TLS in front of a service that speaks none: bytes pass as they are."""

    def __init__(self, ns, certificate, target_port, address="127.0.0.1"):
        self.ns, self.target = ns, (address, target_port)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(certificate.cert, certificate.key)
        with e2e.Namespace(ns):
            listener = socket.create_server((address, 0), backlog=128)
        self.port = listener.getsockname()[1]
        self.url = f"https://{address}:{self.port}"
        super().__init__(listener, self.passes)

    def passes(self, s):
        ours = None
        try:
            s = self.tls.wrap_socket(s, server_side=True)
            with e2e.Namespace(self.ns):
                ours = socket.create_connection(self.target, timeout=60)
            threading.Thread(target=self.pump, args=(ours, s), daemon=True).start()
            self.pump(s, ours)
        except OSError:
            pass
        finally:
            for end in (s, ours):
                if end:
                    e2e.hang_up(end)
                    end.close()

    @staticmethod
    def pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        e2e.hang_up(sink)
