"""Between a gateway and the real API server: passes on what both say, and may
answer in the server's place, change what is asked, cut answers into small pieces,
or break connections off."""
import http.client
import json
import socket
import ssl
import threading
import urllib.parse

import e2e
import kube

PORT = 6444


def status(code, reason, **more):
    """A refusal as the API server makes one: for Relay.instead."""
    return code, more.pop("headers", {}), {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": f"{reason} by the relay", "reason": reason, "code": code, **more}


class Relay:
    """instead(method, path): (code, headers, answer) or None; change(path): the path
    that the server is asked; piece: bytes of an answer sent at a time, None: all."""

    def __init__(self, cluster):
        self.cluster, self.asked = cluster, []
        self.instead, self.change, self.piece = lambda *_: None, lambda path: path, None
        self.lock, self.open, self.refusing = threading.Lock(), set(), False
        self.expired = 0  # answers of the server itself that say so
        self.server = f"https://{cluster.address}:{PORT}"
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(cluster.dir / "server.crt", cluster.dir / "server.key")
        tls.set_alpn_protocols(["http/1.1"])
        with e2e.Namespace(cluster.ns):
            self.listener = socket.create_server(("0.0.0.0", PORT), backlog=64)
        self.tls = tls
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            if self.refusing:
                s.close()
                continue
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def serve(self, s):
        ours = None
        try:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            s = self.tls.wrap_socket(s, server_side=True)
            with self.lock:
                self.open.add(s)
            while request := self.read(s):
                ours = ours or kube.Client(self.cluster).connect(3600)
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
            self.expired += part.count(b'"reason":"Expired"')
            size = self.piece or len(part)
            for at in range(0, len(part), size):
                cut = part[at:at + size]
                s.sendall(b"%x\r\n%s\r\n" % (len(cut), cut))
        r.close()  # or the connection takes no other request
        s.sendall(b"0\r\n\r\n")

    @staticmethod
    def head(code, headers):
        lines = [f"HTTP/1.1 {code} {http.client.responses.get(code, 'Code')}"]
        return "\r\n".join(lines + [f"{k}: {v}" for k, v in headers.items()] + ["", ""]).encode()

    def lists(self, plural):
        """How often all of these were asked for, as a list or as a watch that
        begins with them; pages after the first do not count."""
        return sum(1 for q in self.queries(plural)
                   if "continue" not in q and ("watch" not in q or "sendInitialEvents" in q))

    def watches(self, plural):
        """How often changes alone were asked for."""
        return sum(1 for q in self.queries(plural)
                   if "watch" in q and "sendInitialEvents" not in q)

    def queries(self, plural):
        found = []
        for method, path in list(self.asked):
            at, _, query = path.partition("?")
            if method == "GET" and at.endswith("/" + plural):
                found.append({k: v for k, v in urllib.parse.parse_qsl(query)
                              if v not in ("0", "false") or k == "resourceVersion"})
        return found

    def cut(self):
        """Every connection is broken off."""
        with self.lock:
            for s in self.open:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def close(self):
        self.listener.close()
        self.cut()
