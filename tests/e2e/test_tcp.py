"""TCP services: relayed in user space where XDP does not steer them."""
import hashlib
import os
import signal
import socket
import sys
import threading

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import check, equal, wait_until
from echo_service import PORT, EchoService
from tcp import Echo


class Tcp(EchoService):
    def __init__(self):
        self.lab = e2e.Lab()
        self.a, self.b = (Echo(self.lab.gw, n) for n in (b"a", b"b"))
        self.start()

    def settled(self):
        wait_until("no relayed connection", lambda: self.service()["relayed"]["open"] == 0)


def setup():
    return Tcp()


def teardown(t):
    t.close()


def test_says_so(t):
    """without an interface a service is relayed: status, table, /v1/services say so"""
    why = "relayed in user space: no interface is configured (xdp.interfaces)"
    equal((t.status()["state"], t.status()["reason"]), ("Accepted", why))
    s = t.service()
    equal((s["servedBy"], s["protocol"], s["mode"], s["address"]),
          ("relay", "TCP", "nat", f"[::]:{PORT}"))
    check(64 <= s["slot"] <= 255, s)
    wide = t.gateway.glooctl("get", "gateway", "echo", "-o", "wide").stdout
    check("relayed in user space" in wide and "TCP -> echo" in wide, wide)
    check("virtual services" not in t.gateway.glooctl("get", "proxy", "-o", "yaml").stdout)


def test_echo(t):
    """bytes go both ways, IPv4 and IPv6, balanced over the endpoints"""
    equal(t.names(), {b"a", b"b"})
    c = t.client()
    for text in (b"one", b"two", b"x" * 3000):
        c.says(text)
    c.close()
    c = t.client(address=t.lab.address6)
    c.says(b"six")
    c.close()
    t.settled()
    check(t.service()["relayed"]["accepted"] >= 22, t.service())
    equal(t.gateway.metric("gloo_gateway_service_relayed_open", service="gloo-system.echo"), 0)


def test_half_close(t):
    """a client that has ended its side still gets the rest"""
    c = t.client()
    c.s.sendall(b"last words\n")
    c.s.shutdown(socket.SHUT_WR)
    equal((c.line(), c.line()), (b"last words", b"goodbye"))
    equal(c.s.recv(1), b"")
    c.close()


def test_big_transfer(t):
    """64 MiB go there and back at once, byte for byte"""
    c = t.client()
    block = os.urandom(1 << 20)
    sent, got = hashlib.sha256(), hashlib.sha256(c.got)

    def send():
        for _ in range(64):
            c.s.sendall(block)
            sent.update(block)
        c.s.shutdown(socket.SHUT_WR)
    sender = threading.Thread(target=send)
    sender.start()
    count, tail = 0, b""
    while True:
        data = c.s.recv(1 << 18)
        if not data:
            break
        count += len(data)
        data = tail + data
        tail = data[-8:]
        got.update(data[:-8])
    sender.join()
    c.close()
    equal((count, tail), ((64 << 20) + 8, b"goodbye\n"))
    equal(got.hexdigest(), sent.hexdigest())


def test_backend_dies(t):
    """an endpoint dies: its connections are cut, new ones all reach the other"""
    clients = [t.client() for _ in range(10)]
    equal({c.name for c in clients}, {b"a", b"b"})
    t.a.die()
    for c in clients:
        if c.name == b"b":
            c.says(b"still here")
            continue
        try:
            data = c.s.recv(1)
            raise AssertionError(f"not cut: {data!r}")
        except ConnectionResetError:
            pass
    equal(t.names(), {b"b"})
    t.a.listen(t.a.port)
    wait_until("the endpoint to be used again", lambda: b"a" in t.names(5))
    for c in clients:
        c.close()
    t.settled()


def test_backend_removed(t):
    """an endpoint that leaves keeps its connections and gets no new ones"""
    clients = [t.client() for _ in range(10)]
    t.upstream(t.b)
    wait_until("one endpoint", lambda: len(
        t.gateway.get("/v1/endpoints?name=echo")["items"][0]["endpoints"]) == 1)
    wait_until("no new one to a", lambda: t.names() == {b"b"})
    for c in clients:
        c.says(b"still here")
        c.close()
    t.upstream(t.a, t.b)
    wait_until("both again", lambda: t.names() == {b"a", b"b"})
    t.settled()


def test_idle_timeout(t):
    """a connection on which nothing moves is closed after idleTimeout"""
    t.put("idle", PORT + 1, idleTimeout="1s")
    c = t.client(PORT + 1)
    c.says(b"x")
    equal(c.s.recv(1), b"")
    c.close()
    equal(t.gateway.metric("gloo_gateway_service_relayed_idle_closed",
                           service="gloo-system.idle"), 1)
    t.gateway.glooctl("delete", "gateway", "idle")


def test_access_log(t):
    """a relayed connection has one line in the access log"""
    c = t.client()
    c.says(b"logged")
    name = c.name.decode()
    c.s.shutdown(socket.SHUT_WR)
    equal((c.line(), c.s.recv(1)), (b"goodbye", b""))
    c.close()
    def line():
        lines = [l for l in t.gateway.access_lines() if l.get("bytes_received") == 7]
        return lines and lines[-1]
    l = wait_until("the line", line)
    equal((l["protocol"], l["service"], l["upstream"], l["reason"], l["bytes_sent"]),
          ("TCP", "gloo-system.echo", "gloo-system.echo", "-", 2 + 7 + 8), l)
    equal(l["endpoint"], f"127.0.0.1:{getattr(t, name).port}")


def test_other_address_and_slot(t):
    """a service keeps its slot over changes; another address has another"""
    slot = t.service()["slot"]
    t.put(mode="relay", idleTimeout="90s")
    equal((t.service()["slot"], t.service()["service"]),
          (slot, "relayed in user space: mode relay"))
    old = t.client()
    t.put(port=PORT + 2)
    check(t.service()["slot"] != slot, t.service())
    c = t.client(PORT + 2)
    c.says(b"there")
    old.says(b"still here")
    old.close()
    c.close()
    wait_until("the old address to be closed", t.refuses)
    t.put()
    equal(t.names(), {b"a", b"b"})


def test_http_and_tcp(t):
    """a gateway turns from HTTP to TCP and back; who is connected stays"""
    def alone():
        """The sockets of what it was before are closed: one per worker."""
        found = e2e.run("ss", "-tlnH", "sport", "=", f":{PORT + 3}", ns=t.lab.gw).stdout
        return len(found.splitlines()) == t.gateway.workers
    t.gateway.glooctl("create", "gateway", "turns", "--bind-port", str(PORT + 3))
    t.gateway.glooctl("create", "virtualservice", "all", "--domains", "*")
    equal(e2e.request(t.lab.out, t.lab.address, PORT + 3)[0], 404)
    t.put("turns", PORT + 3)
    wait_until("TCP alone", alone)
    c = t.client(PORT + 3)
    c.says(b"TCP")
    t.api("PUT", "/v1/gateways/gloo-system/turns",
          {"metadata": {"name": "turns"}, "bindPort": PORT + 3})
    wait_until("HTTP alone", alone)
    equal(e2e.request(t.lab.out, t.lab.address, PORT + 3)[0], 404)
    c.says(b"goes on")
    c.close()
    t.gateway.glooctl("delete", "gateway", "turns")
    t.gateway.glooctl("delete", "virtualservice", "all")


def test_refused(t):
    """what cannot be is refused with a sentence, and nothing changes"""
    def refused(body, what):
        status, text = t.gateway.api("PUT", "/v1/gateways/gloo-system/wrong", body)
        check(status == 422 or status == 400, status, text)
        check(what in text, text)
    host = {"name": "x", "destination": {"single": {"upstream": {"name": "echo"}}}}
    refused({"bindPort": PORT, "tcpGateway": {"tcpHosts": [host]}}, "listens on port 7000 already")
    refused({"bindPort": PORT + 4, "tcpGateway": {"tcpHosts": [{**host, "mode": "geneve"}]}},
            "expected one of nat, dsr-l2, route, ipip, gue, relay")
    equal(t.names(), {b"a", b"b"})


def test_missing_upstream(t):
    """an upstream that is not there is a Warning, and clients are reset"""
    host = {"name": "x", "destination": {"single": {"upstream": {"name": "nobody"}}}}
    t.api("PUT", "/v1/gateways/gloo-system/missing", {
        "bindPort": PORT + 5, "tcpGateway": {"tcpHosts": [host]}})
    s = t.status("missing")
    equal(s["state"], "Warning")
    check('no upstream is named "gloo-system.nobody"' in s["reason"], s)
    try:
        t.client(PORT + 5)
        raise AssertionError("served")
    except ConnectionResetError:
        pass
    t.gateway.glooctl("delete", "gateway", "missing")


def test_udp_is_not_relayed(t):
    """a UDP service without XDP is a Warning that says why"""
    t.put("dns", PORT, protocol="UDP")
    s = t.status("dns")
    equal(s["state"], "Warning")
    check("UDP is not relayed, and XDP does not steer it: no interface is configured"
          in s["reason"], s)
    equal(t.service("dns")["servedBy"], "none")
    equal(t.names(), {b"a", b"b"})
    t.gateway.glooctl("delete", "gateway", "dns")


def test_reload(t):
    """a reload leaves relayed connections alone"""
    c = t.client()
    t.gateway.process.send_signal(signal.SIGHUP)
    wait_until("the reload", lambda: "reloading" in t.gateway.log_text())
    c.says(b"still here")
    equal(t.names(), {b"a", b"b"})
    c.close()


def test_control_dies(t):
    """kill -9 of control: relayed connections go on, slots are the same after"""
    c, slot = t.client(), t.service()["slot"]
    t.gateway.process.kill()
    t.gateway.process.wait()
    c.says(b"alone")
    d = t.client()
    t.gateway.start()
    c.says(b"taken over")
    d.says(b"taken over")
    equal(t.service()["slot"], slot)
    # Those of tests before may be ending.
    e2e.await_equal(lambda: t.service()["relayed"]["open"], 2)
    c.close()
    d.close()
    t.settled()


def test_restart(t):
    """a stop drains: a connection ends in its own time, then the next start serves"""
    slot = t.service()["slot"]
    c = t.client()
    t.gateway.process.send_signal(signal.SIGTERM)
    def refused():
        try:
            t.client().close()
        except (ConnectionError, AssertionError):
            return True
    wait_until("no new connections", refused)
    c.says(b"while draining")
    check(t.gateway.process.poll() is None)
    c.close()
    equal(t.gateway.process.wait(30 * e2e.PATIENCE), 0)
    t.gateway.start()
    equal(t.service()["slot"], slot)
    equal(t.names(), {b"a", b"b"})


if __name__ == "__main__":
    e2e.main(globals())
