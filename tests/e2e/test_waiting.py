"""Requests that wait for a connection: what lets them go on."""
import socket
import sys
import threading

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import check, equal, wait_until


class Waiting:
    def __init__(self):
        self.lab = e2e.Lab()
        self.released = threading.Event()
        self.origin = e2e.Origin(self.lab.gw, self.answer)
        self.gateway = e2e.Gateway(self.lab, workers=1).start()

    def answer(self, request, connection):
        if b"/held" in request.split(b" ")[1]:
            self.released.wait(30)
        return e2e.simple_answer(request, connection)

    def upstream(self, name, hosts, **more):
        status, text = self.gateway.api(
            "PUT", f"/v1/upstreams/gloo-system/{name}",
            {"metadata": {"name": name},
             "upstreamSpec": {"static": {"hosts": [
                 {"addr": a, "port": p} for a, p in hosts]}}, **more})
        equal(status, 200, text)

    def ask(self, path):
        """The thread of a request, and the list that its status comes to."""
        got = []
        def run():
            got.append(e2e.request(
                self.lab.out, self.lab.address, 8080, path=path)[0])
        t = threading.Thread(target=run, daemon=True)
        t.start()
        return t, got

    def pending(self, name):
        return self.gateway.metric(
            "gloo_gateway_upstream_pending_active", upstream=f"gloo-system.{name}")


def setup():
    return Waiting()


def teardown(w):
    w.released.set()
    try:
        w.gateway.close()
    finally:
        w.origin.close()
        w.lab.close()


def test_limit_raised(w):
    """maxConnections is raised: who waits goes on, though no connection is free"""
    hosts = [(w.origin.address, w.origin.port)]
    w.upstream("few", hosts, circuitBreakers={"maxConnections": 1})
    w.gateway.route("/few", "few", "--index", "0")
    held, held_status = w.ask("/few/held")
    wait_until("the held request", lambda: b"/held" in w.origin.received())
    others = [w.ask("/few/other") for _ in range(3)]
    wait_until("three to wait", lambda: w.pending("few") == 3)
    w.upstream("few", hosts, circuitBreakers={"maxConnections": 10})
    for t, _ in others:
        t.join(5 * e2e.PATIENCE)
    equal([status for _, status in others], [[200]] * 3)
    equal(held_status, [])
    w.released.set()
    held.join(5 * e2e.PATIENCE)
    equal(held_status, [200])
    equal(w.pending("few"), 0)


def test_client_leaves(w):
    """a client that leaves while its POST waits for a connection frees its place"""
    w.released.clear()
    w.upstream("one", [(w.origin.address, w.origin.port)],
               circuitBreakers={"maxConnections": 1, "maxPendingRequests": 1})
    w.gateway.route("/one", "one", "--index", "0")
    held, held_status = w.ask("/one/held")
    wait_until("the held request", lambda: b"/one/held" in w.origin.received())
    with e2e.Namespace(w.lab.out):
        s = socket.create_connection((w.lab.address, 8080))
    s.sendall(b"POST /one/late HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n")
    wait_until("it to wait", lambda: w.pending("one") == 1)
    s.close()
    wait_until("its place to be free", lambda: w.pending("one") == 0)
    w.released.set()
    held.join(5 * e2e.PATIENCE)
    equal(held_status, [200])
    check(b"/one/late" not in w.origin.received(), "nobody asked for it any more")


def test_endpoint_left(w):
    """an endpoint that leaves the set while it is connected to: another is asked"""
    with e2e.Namespace(w.lab.gw):
        full = socket.socket()
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        callers = [socket.socket() for _ in range(2)]
        for c in callers:
            c.setblocking(False)
            c.connect_ex(full.getsockname())
    more = {"connectionConfig": {"connectTimeout": f"{2 * e2e.PATIENCE:g}s"}}
    try:
        w.upstream("moved", [full.getsockname()], **more)
        w.gateway.route("/moved", "moved", "--index", "0")
        t, status = w.ask("/moved")
        wait_until("a connection that is not answered", lambda: w.gateway.metric(
            "gloo_gateway_upstream_connections_open",
            upstream="gloo-system.moved") == 1)
        w.upstream("moved", [(w.origin.address, w.origin.port)], **more)
        t.join(10 * e2e.PATIENCE)
        equal(status, [200])
        check(w.gateway.metric("gloo_gateway_upstream_connect_timeout",
                               upstream="gloo-system.moved") == 1, "counted")
    finally:
        for c in callers + [full]:
            c.close()


def test_other_worker(w):
    """connections that another worker only keeps make room for a request that waits"""
    w.gateway.close()
    w.gateway = e2e.Gateway(w.lab, workers=2).start()
    w.upstream("two", [(w.origin.address, w.origin.port)],
               circuitBreakers={"maxConnections": 2})
    w.gateway.route("/", "two")
    get = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n"
    with e2e.Namespace(w.lab.out):
        clients = [socket.create_connection((w.lab.address, 8080)) for _ in range(16)]
    for c in clients:  # of both workers, one after the other: the connections are kept
        c.settimeout(5 * e2e.PATIENCE)
        c.sendall(get)
        check(c.recv(4096).startswith(b"HTTP/1.1 200"), "answered")
    for c in clients:  # and all at once
        c.sendall(get)
    for c in clients:
        check(c.recv(4096).startswith(b"HTTP/1.1 200"), "answered")
        c.close()
    equal(w.pending("two"), 0)
    # One more: of a worker that had none left.
    check(w.gateway.metric("gloo_gateway_upstream_connections_open",
                           upstream="gloo-system.two") <= 3, "more than that")


if __name__ == "__main__":
    e2e.main(globals())
