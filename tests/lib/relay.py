"""Between a gateway and a server that it asks by HTTP: passes on what both say, and
may answer in the server's place, change what is asked, cut answers into small
pieces, or break connections off."""
import http.client
import json
import socket
import threading
import time

import e2e


class Relay:
    """connect(): an HTTPConnection to the server itself. instead(method, path):
    (code, headers, answer) or None; change(path): the path that the server is asked;
    piece: bytes of an answer sent at a time, None: all. asked: (method, path) of each
    request; answers: (seconds when it was whole, path, code) of the server's own."""

    def __init__(self, ns, address, port, connect, tls=None):
        self.connect, self.tls, self.asked, self.answers = connect, tls, [], []
        self.instead, self.change, self.piece = lambda *_: None, lambda path: path, None
        self.lock, self.open, self.refusing = threading.Lock(), set(), False
        with e2e.Namespace(ns):
            self.listener = socket.create_server((address, port), backlog=512)
        self.acceptor = e2e.Acceptor(self.listener, self.serve)

    def serve(self, s):
        ours = None
        if self.refusing:
            s.close()
            return
        try:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                s = self.tls.wrap_socket(s, server_side=True)
            with self.lock:
                self.open.add(s)
            while request := self.read(s):
                ours = ours or self.connect()
                self.one(s, ours, *request)
        except (OSError, http.client.HTTPException, ValueError):
            pass
        finally:
            with self.lock:
                self.open.discard(s)
            s.close()
            if ours:
                ours.close()

    def read(self, s):
        """(method, path, headers, body), or None at the end."""
        data = b""
        while True:
            request, _ = e2e.split_request(data)
            if request:
                break
            part = s.recv(65536)
            if not part:
                return None
            data += part
        head, _, body = request.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ")
        headers = dict(line.split(": ", 1) for line in lines)
        return method, path, headers, body

    def one(self, s, ours, method, path, headers, body):
        self.asked.append((method, path))
        own = self.instead(method, path)
        if own:
            code, more, answer = own
            text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            more = {"Content-Type": "application/json", "Content-Length": len(text), **more}
            s.sendall(self.head(code, more) + text)
            return
        drop = {"host", "accept-encoding", "connection", "content-length", "transfer-encoding"}
        ours.request(method, self.change(path), body or None,
                     {k: v for k, v in headers.items() if k.lower() not in drop})
        r = ours.getresponse()
        keep = {k: v for k, v in r.getheaders()
                if k.lower() not in ("content-length", "transfer-encoding", "connection")}
        s.sendall(self.head(r.status, {**keep, "Transfer-Encoding": "chunked"}))
        while part := r.read1(65536):
            self.saw(part)
            size = self.piece or len(part)
            for at in range(0, len(part), size):
                cut = part[at:at + size]
                s.sendall(b"%x\r\n%s\r\n" % (len(cut), cut))
        r.close()  # or the connection takes no other request
        self.answers.append((time.monotonic(), path, r.status))
        s.sendall(b"0\r\n\r\n")

    def saw(self, part):
        """Bytes of an answer that the server itself gave."""

    @staticmethod
    def head(code, headers):
        lines = [f"HTTP/1.1 {code} {http.client.responses.get(code, 'Code')}"]
        return "\r\n".join(lines + [f"{k}: {v}" for k, v in headers.items()] + ["", ""]).encode()

    def plain(self):
        """Nothing but passing on, from now."""
        self.instead, self.change, self.piece = lambda *_: None, lambda path: path, None
        self.refusing = False

    def cut(self):
        """Every connection is broken off."""
        with self.lock:
            for s in self.open:
                e2e.hang_up(s)

    def close(self):
        self.acceptor.close()
        self.cut()
