"""Between a gateway and the real API server; see relay.py."""
import ssl
import urllib.parse

import kube
import relay

PORT = 6444


def status(code, reason, **more):
    """A refusal as the API server makes one: for Relay.instead."""
    return code, more.pop("headers", {}), {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": f"{reason} by the relay", "reason": reason, "code": code, **more}


class Relay(relay.Relay):
    def __init__(self, cluster):
        self.expired = 0  # answers of the server itself that say so
        self.server = f"https://{cluster.address}:{PORT}"
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(cluster.dir / "server.crt", cluster.dir / "server.key")
        tls.set_alpn_protocols(["http/1.1"])
        super().__init__(cluster.ns, "0.0.0.0", PORT,
                         lambda: kube.Client(cluster).connect(3600), tls)

    def saw(self, part):
        self.expired += part.count(b'"reason":"Expired"')

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
