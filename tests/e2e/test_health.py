"""Active health checks and ejection: who is asked, what follows, what is seen."""
import http.client
import json
import signal
import sys
import time

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import check, equal, wait_until

REPLY = b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s"


class Named(e2e.Origin):
    """Answers with its name; /health with its health, /fail as it is told."""

    def __init__(self, ns, name, address="127.0.0.1"):
        self.name, self.health, self.fault = name, b"200 OK", None
        self.asked = 0
        super().__init__(ns, self.reply, address)

    def reply(self, request, _connection):
        path = request.split(b" ")[1]
        if path.startswith(b"/health"):
            self.asked += 1
            return REPLY % (self.health, 2, b"ok")
        if self.fault:
            return REPLY % (self.fault, 4, b"fail")
        return REPLY % (b"200 OK", len(self.name), self.name)


class Health:
    def __init__(self):
        self.lab = e2e.Lab()
        self.origins = [Named(self.lab.gw, n) for n in (b"a", b"b", b"c")]
        self.gateway = e2e.Gateway(self.lab).start()

    def upstream(self, name, hosts, **more):
        """Puts an upstream; hosts are (address, port)."""
        document = {"metadata": {"name": name},
                    "upstreamSpec": {"static": {"hosts": [
                        {"addr": a, "port": p} for a, p in hosts]}}, **more}
        status, text = self.gateway.api(
            "PUT", f"/v1/upstreams/gloo-system/{name}", document)
        equal(status, 200, text)

    def route(self, prefix, upstream):
        self.gateway.route(prefix, upstream, "--index", "0")

    def hosts(self):
        return [(o.address, o.port) for o in self.origins]

    def endpoints(self, name):
        """{address: endpoint} of /v1/endpoints."""
        item = self.gateway.get(f"/v1/endpoints?name={name}")["items"][0]
        return {e["address"]: e for e in item["endpoints"]}

    def healths(self, name):
        found = self.endpoints(name)
        return [found[o.host]["health"] for o in self.origins]

    def state(self, name):
        return self.gateway.get(f"/v1/upstreams/gloo-system/{name}")["status"]

    def bodies(self, path, count=30):
        return {e2e.request(self.lab.out, self.lab.address, 8080, path=path)[2]
                for _ in range(count)}


def setup():
    return Health()


def teardown(h):
    try:
        h.gateway.close()
    finally:
        for o in h.origins:
            o.close()
        h.lab.close()


def http_check(interval="200ms", **more):
    return [{"timeout": "1s", "interval": interval, "healthyThreshold": 2,
             "unhealthyThreshold": 2, "httpHealthCheck": {"path": "/health"}, **more}]


def test_http(h):
    """an HTTP check takes two of three endpoints down and up again, requests follow"""
    h.upstream("http", h.hosts(), healthChecks=http_check())
    h.route("/http", "http")
    wait_until("all to be asked", lambda: all(o.asked for o in h.origins))
    equal(h.healths("http"), ["up", "up", "up"])
    wait_until("all to serve", lambda: h.bodies("/http") == {b"a", b"b", b"c"})
    for o in h.origins[:2]:
        o.health = b"500 Oops"
    wait_until("two to be down", lambda: h.healths("http") == ["down", "down", "up"])
    equal(h.endpoints("http")[h.origins[0].host]["why"], "HTTP 500")
    wait_until("only the third to serve", lambda: h.bodies("/http") == {b"c"})
    for o in h.origins[:2]:
        o.health = b"200 OK"
    wait_until("two to be up", lambda: h.healths("http") == ["up", "up", "up"])
    wait_until("all to serve", lambda: h.bodies("/http") == {b"a", b"b", b"c"})


def test_all_down(h):
    """an upstream without an endpoint that is up is a Warning, in check and wide too"""
    for o in h.origins:
        o.health = b"503 Leaving"
    try:
        h.upstream("gone", h.hosts(), healthChecks=http_check())
        wait_until("all to be down", lambda: h.healths("gone") == ["down"] * 3)
        status = h.state("gone")
        equal(status["state"], "Warning")
        check("none of its 3 endpoints is up" in status["reason"], status)
        check("HTTP 503" in status["reason"], status)
        found = h.gateway.glooctl("check", ok=(2, 3)).stdout
        check("gloo-system.gone: none of its 3 endpoints is up" in found, found)
        wide = h.gateway.glooctl("get", "upstream", "gone", "-o", "wide").stdout
        for o in h.origins:
            line = next(l for l in wide.split("Endpoints\n")[1].splitlines() if o.host in l)
            check("down" in line and "HTTP 503" in line, wide)
        check("0 of 16384" in wide, wide)
    finally:
        for o in h.origins:
            o.health = b"200 OK"
    wait_until("Accepted", lambda: h.state("gone")["state"] == "Accepted")
    wait_until("all to be up", lambda: h.healths("gone") == ["up"] * 3)
    metric = h.gateway.metric
    label = {"upstream": "gloo-system.gone"}
    equal(metric("gloo_gateway_upstream_endpoints_up", **label), 3)
    equal(metric("gloo_gateway_upstream_endpoints_down", **label), 0)
    check(metric("gloo_gateway_upstream_health_checks", result="failed", **label) >= 3)
    check(metric("gloo_gateway_upstream_health_checks", result="ok", **label) >= 6)


def test_tcp(h):
    """a TCP check that sends and expects bytes"""
    class Ping(e2e.Origin):
        word = b"+PONG\r\n"

        def serve(self, c):
            with c["socket"] as s:
                if s.recv(100) == b"PING\r\n":
                    s.sendall(b"+OK\r\n" + self.word)
                    s.recv(1)

    ping = Ping(h.lab.gw)
    h.upstream("tcp", [(ping.address, ping.port)], healthChecks=[
        {"timeout": "500ms", "interval": "200ms", "healthyThreshold": 1,
         "unhealthyThreshold": 2, "tcpHealthCheck": {
             "send": {"text": b"PING\r\n".hex()},
             "receive": [{"text": b"+PONG".hex()}]}}])

    def health():
        return h.endpoints("tcp")[ping.host]["health"]
    wait_until("a check", lambda: h.gateway.metric(
        "gloo_gateway_upstream_health_checks", upstream="gloo-system.tcp", result="ok"))
    equal(health(), "up")
    ping.word = b"-LOADING\r\n"
    wait_until("it to be down", lambda: health() == "down")
    ping.word = b"+PONG\r\n"
    wait_until("it to be up", lambda: health() == "up")
    ping.close()
    wait_until("it to be refused", lambda:
               h.endpoints("tcp")[ping.host].get("why") == "connect: refused")


def test_stopped(h):
    """an origin that is stopped (SIGSTOP) is noticed, and when it goes on too"""
    echo = e2e.echo_origin(h.lab, 7100)
    h.upstream("stopped", [("127.0.0.1", 7100)], healthChecks=[
        {"timeout": "300ms", "interval": "200ms", "healthyThreshold": 1,
         "unhealthyThreshold": 2, "httpHealthCheck": {"path": "/"}}])

    def one():
        return h.endpoints("stopped")["127.0.0.1:7100"]
    try:
        wait_until("a check", lambda: h.gateway.metric(
            "gloo_gateway_upstream_health_checks",
            upstream="gloo-system.stopped", result="ok"))
        equal(one()["health"], "up")
        echo.send_signal(signal.SIGSTOP)
        wait_until("it to be down", lambda: one()["health"] == "down")
        check("no answer in" in one()["why"] or "no connection in" in one()["why"], one())
        echo.send_signal(signal.SIGCONT)
        wait_until("it to be up", lambda: one()["health"] == "up")
    finally:
        echo.send_signal(signal.SIGCONT)
        echo.kill()
        echo.wait()


def test_once_per_endpoint(h):
    """each endpoint is asked over one kept connection, however many workers there are"""
    origin = Named(h.lab.gw, b"once")
    # A check that is late would end the connection.
    h.upstream("once", [(origin.address, origin.port)],
               healthChecks=http_check("100ms", timeout="20s"))
    wait_until("ten questions", lambda: origin.asked >= 10)
    equal(len(origin.connections), 1)
    check(b"user-agent: gloo-gateway-health" in origin.received(), origin.received()[:200])
    h.upstream("once", [(origin.address, origin.port)])
    wait_until("the end of the connection", lambda: origin.connections[0]["eof"])
    origin.close()


def test_control_restart(h):
    """who was down stays down over a restart of control, before it is asked again"""
    origin = Named(h.lab.gw, b"down")
    origin.health = b"500 Oops"
    h.upstream("memory", [(origin.address, origin.port)], healthChecks=http_check())

    def one():
        return h.endpoints("memory")[origin.host]
    wait_until("it to be down", lambda: one()["health"] == "down")
    state = h.gateway.dir / "state/endpoints/gloo-system/memory.json"
    wait_until("that to be remembered", lambda: any(
        e.get("health") == "down" for e in json.loads(state.read_text())["endpoints"]), 30)
    h.gateway.process.kill()
    h.gateway.process.wait()
    h.gateway.start()
    equal(one()["health"], "down")
    origin.health = b"200 OK"
    wait_until("it to be up", lambda: one()["health"] == "up")
    origin.close()


def test_ejection(h):
    """five failures in a row eject an endpoint, and it comes back"""
    bad = h.origins[1]
    h.upstream("eject", h.hosts(), outlierDetection={
        "consecutive5xx": 5, "interval": "100ms", "baseEjectionTime": "1s",
        "maxEjectionPercent": 50})
    h.route("/eject", "eject")
    wait_until("all to serve", lambda: h.bodies("/eject") == {b"a", b"b", b"c"})
    bad.fault = b"500 Oops"

    def ejected():
        h.bodies("/eject", 10)
        one = h.endpoints("eject")[bad.host]
        return one["health"] == "down" and "ejected" in one["why"]
    wait_until("it to be ejected", ejected)
    check(h.gateway.metric("gloo_gateway_upstream_ejections",
                           upstream="gloo-system.eject") >= 1)
    bad.fault = None
    wait_until("it to come back", lambda: h.healths("eject") == ["up", "up", "up"], 30)
    wait_until("all to serve", lambda: h.bodies("/eject") == {b"a", b"b", b"c"}, 30)
    text = h.gateway.log_text()
    check(f"endpoint {bad.host} is ejected for" in text, text)
    check(f"endpoint {bad.host} is no longer ejected" in text, text)


def test_ejection_withheld(h):
    """an endpoint that fails every other time but may not be ejected is no flood"""
    turn = [0]
    def reply(request, _connection):
        turn[0] += 1
        return REPLY % (b"500 Oops" if turn[0] % 2 else b"200 OK", 2, b"ok")
    origins = [e2e.Origin(h.lab.gw, reply) for _ in range(2)]
    label = {"upstream": "gloo-system.flood"}
    try:
        h.upstream("flood", [(o.address, o.port) for o in origins], outlierDetection={
            "consecutive5xx": 1, "maxEjectionPercent": 10})
        h.route("/flood", "flood")
        def ejected():
            h.bodies("/flood", 4)
            return h.gateway.metric("gloo_gateway_upstream_ejections", **label) == 1
        wait_until("one to be ejected", ejected)
        with e2e.Namespace(h.lab.out):
            c = http.client.HTTPConnection(h.lab.address, 8080, timeout=20 * e2e.PATIENCE)
            c.connect()
        before = h.gateway.metric("gloo_gateway_upstream_ejections_withheld", **label)
        start = time.monotonic()
        for _ in range(1000):
            c.request("GET", "/flood")
            c.getresponse().read()
        seconds = time.monotonic() - start
        c.close()
        h.bodies("/flood", 1)
        told = h.gateway.metric("gloo_gateway_upstream_ejections_withheld", **label) - before
        # At once and every 50 ms, each.
        check(told <= 2 * (seconds / 0.05 + 2), f"{told} reports in {seconds:.2f} s")
    finally:
        for o in origins:
            o.close()


if __name__ == "__main__":
    e2e.main(globals())
