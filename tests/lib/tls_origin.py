"""An origin that speaks TLS, and remembers of each connection which name was asked
for, who came, and whether the session was resumed."""
import socket
import ssl
import threading

import e2e


class TlsOrigin(e2e.Origin):
    """certificate: as whom to answer; clients: the file of an authority, by which who
    comes must be certified. Each connection has "sni", "peer" (subject of the client's
    certificate), "resumed", "version" and "alpn"; refused: handshakes that failed."""

    def __init__(self, ns, certificate, answer=None, clients=None, alpn=("http/1.1",), **more):
        self.refused, self.clients, self.alpn = [], clients, alpn
        self.mine = threading.local()
        self.use(certificate)
        super().__init__(ns, answer, **more)

    def use(self, certificate, version_max=None):
        """From now on, and sessions of before are of no use."""
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate.cert, certificate.key)
        if self.clients:
            tls.verify_mode = ssl.CERT_REQUIRED
            tls.load_verify_locations(self.clients)
        if self.alpn:
            tls.set_alpn_protocols(list(self.alpn))
        if version_max:
            tls.maximum_version = version_max
        tls.sni_callback = self.asked_for
        self.tls = tls

    def asked_for(self, _socket, name, _context):
        self.mine.sni = name  # in the thread whose handshake it is

    def serve(self, c):
        self.mine.sni = None
        try:
            c["socket"].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            c["socket"] = s = self.tls.wrap_socket(c["socket"], server_side=True)
            peer = s.getpeercert() if self.clients else None
            c.update(sni=self.mine.sni, resumed=s.session_reused, version=s.version(),
                     alpn=s.selected_alpn_protocol(),
                     peer={k: v for part in (peer or {}).get("subject", ()) for k, v in part})
        except OSError as e:
            c["refused"] = str(e)
            self.refused.append(str(e))
            c["socket"].close()
            return
        super().serve(c)

    def spoken(self):
        """The connections whose handshake was done."""
        return [c for c in self.connections if "sni" in c]

    def resumed(self):
        return sum(1 for c in self.spoken() if c["resumed"])
