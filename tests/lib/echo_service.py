"""A gateway with a TCP service "echo" of two endpoints, and what a test asks of it."""
import json

import e2e
from e2e import equal
from tcp import Client

PORT = 7000


class EchoService:
    """The lab, and a and b, are made by whoever begins one."""

    bind_address = None  # of a service; None: all

    def start(self, settings=""):
        self.gateway = e2e.Gateway(self.lab, settings).start()
        self.upstream(self.a, self.b)
        self.put()

    def close(self):
        try:
            self.gateway.close()
        finally:
            self.a.close()
            self.b.close()
            self.lab.close()

    def api(self, method, path, body=None):
        status, text = self.gateway.api(method, path, body)
        equal(status, 200, text)
        return json.loads(text)

    def upstream(self, *echoes, **more):
        self.hosts([{"addr": e.address, "port": e.port} for e in echoes], **more)

    def hosts(self, hosts, **more):
        self.api("PUT", "/v1/upstreams/gloo-system/echo", {
            "metadata": {"name": "echo"}, **more,
            "upstreamSpec": {"static": {"hosts": hosts}}})

    def put(self, name="echo", port=PORT, **host):
        host = {"name": name, "destination": {"single": {"upstream": {"name": "echo"}}},
                **host}
        at = {"bindAddress": self.bind_address} if self.bind_address else {}
        return self.api("PUT", f"/v1/gateways/gloo-system/{name}", {
            "metadata": {"name": name}, **at, "bindPort": port,
            "tcpGateway": {"tcpHosts": [host]}})

    def status(self, name="echo"):
        return self.gateway.get(f"/v1/gateways/gloo-system/{name}")["status"]

    def service(self, name="echo"):
        return next(s for s in self.gateway.get("/v1/services")["items"]
                    if s["name"] == name)

    def client(self, port=PORT, address=None):
        return Client(self.lab.out, address or self.lab.address, port)

    def names(self, count=20):
        """Of the endpoints that so many new clients get to."""
        clients = [self.client() for _ in range(count)]
        for c in clients:
            c.close()
        return {c.name for c in clients}

    def refuses(self):
        try:
            self.client().close()
        except ConnectionRefusedError:
            return True
