"""Retries, breakers, balance and hashes as an operator says them, against the
real daemon with several origins."""
import json
import sys
import threading
import time

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import equal, check

SERVICE = """\
metadata: {name: default, namespace: gloo-system}
virtualHost:
  domains: ["*"]
  routes:
  - matchers: [{prefix: /again}]
    routeAction: {single: {upstream: {name: again, namespace: gloo-system}}}
    options:
      retries:
        retryOn: gateway-error,connect-failure, refused-stream
        numRetries: 2
        perTryTimeout: 2s
        retryBackOff: {baseInterval: 1ms, maxInterval: 5ms}
        retryBudget: {retryRatio: 0.5, minRetriesPerSecond: 100}
  - matchers: [{prefix: /budget}]
    routeAction: {single: {upstream: {name: budget, namespace: gloo-system}}}
    options:
      retries:
        retryOn: 5xx
        numRetries: 2
        retryBackOff: {baseInterval: 1ms, maxInterval: 5ms}
        retryBudget: {retryRatio: 0.2, minRetriesPerSecond: 0}
  - matchers: [{prefix: /warm}]
    routeAction: {single: {upstream: {name: warm, namespace: gloo-system}}}
  - matchers: [{prefix: /narrow}]
    routeAction: {single: {upstream: {name: narrow, namespace: gloo-system}}}
  - matchers: [{prefix: /ring}]
    routeAction: {single: {upstream: {name: ring, namespace: gloo-system}}}
    options:
      lbHash: {hashPolicies: [{header: x-user}]}
  - matchers: [{prefix: /turns}]
    routeAction: {single: {upstream: {name: turns, namespace: gloo-system}}}
"""


def answer_with(letter):
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + letter.encode()
    return lambda request, connection: reply


class Resilience:
    def __init__(self):
        self.lab = e2e.Lab()
        self.origins = [e2e.Origin(self.lab.gw, answer_with(l)) for l in "abc"]
        self.special = e2e.Origin(self.lab.gw)
        self.gateway = None
        self.start(2)

    def start(self, workers):
        if self.gateway:
            self.gateway.close()
        self.gateway = e2e.Gateway(self.lab, workers=workers).start()
        hosts = [o.port for o in self.origins]
        self.upstream("again", [self.special.port])
        self.upstream("budget", [self.special.port])
        self.upstream("warm", hosts)
        self.upstream("narrow", [self.special.port], circuitBreakers={
            "maxConnections": 6, "maxPendingRequests": 100})
        self.upstream("ring", hosts, loadBalancerConfig={"ringHash": {}})
        self.upstream("turns", hosts, loadBalancerConfig={"roundRobin": {}})
        self.gateway.glooctl("create", "-f", "-", stdin=SERVICE)

    def upstream(self, name, ports, **options):
        status, text = self.gateway.api("PUT", f"/v1/upstreams/gloo-system/{name}", {
            "metadata": {"name": name, "namespace": "gloo-system"},
            "upstreamSpec": {"static": {"hosts": [
                {"addr": "127.0.0.1", "port": p} for p in ports]}}, **options})
        check(status in (200, 201), status, text)

    def ask(self, path, **headers):
        return e2e.request(self.lab.out, self.lab.address, 8080, path=path,
                           headers={k.replace("_", "-"): v for k, v in headers.items()})

    def who(self, path, **headers):
        status, _, body = self.ask(path, **headers)
        equal(status, 200, body)
        return body.decode()

    def endpoints(self, name):
        """{port: what /v1/endpoints says of it}"""
        item = self.gateway.get(f"/v1/endpoints?namespace=gloo-system&name={name}")["items"][0]
        return {int(e["address"].rsplit(":", 1)[1]): e for e in item["endpoints"]}

    def counted(self, name, upstream):
        return self.gateway.metric(f"gloo_gateway_upstream_{name}",
                                   upstream=f"gloo-system.{upstream}")


def setup():
    return Resilience()


def teardown(r):
    try:
        r.gateway.close()
    finally:
        for o in r.origins + [r.special]:
            o.close()
        r.lab.close()


def test_retries(r):
    """a policy of retries, said in YAML, works and shows in /metrics"""
    refused = {}

    def script(request, _):
        path = request.split(b" ")[1]
        refused[path] = refused.get(path, 0) + 1
        if refused[path] <= 2:
            return b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
        return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    r.special.answer = script
    for i in range(5):
        status, _, body = r.ask(f"/again/{i}")
        equal((status, body), (200, b"ok"))
    equal(r.counted("retried", "again"), 10)
    equal(r.counted("requests", "again"), 15)
    equal(r.counted("responses_5xx", "again"), 10)
    equal(r.counted("responses_2xx", "again"), 5)
    e2e.await_equal(lambda: r.counted("retries_active", "again"), 0)
    # One more than is tried again: the client gets the last answer.
    refused[b"/again/last"] = -1
    equal(r.ask("/again/last")[0], 503)
    status, text = r.gateway.api("GET", "/v1/virtualservices/gloo-system/default")
    equal(status, 200)
    retries = json.loads(text)["virtualHost"]["routes"][0]["options"]["retries"]
    equal(retries["retryOn"], "gateway-error,connect-failure, refused-stream")


def test_budget(r):
    """beyond its share of the requests no retry is made, and that is counted and shown"""
    asked = []

    def failing(request, _):
        asked.append(request)
        return b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"

    r.special.answer = failing
    count = 100
    equal([r.ask(f"/budget/{i}")[0] for i in range(count)], [503] * count)
    retried, used_up = (r.counted(n, "budget") for n in ("retried", "retry_budget_used_up"))
    equal(len(asked), count + retried)
    # Each worker has a fifth of its own requests, in whole retries.
    check(count / 5 - 2 <= retried <= count / 5, retried, "retries")
    # A request ends with its second retry or with one that was refused.
    check(count - retried / 2 <= used_up <= count, used_up, "refused")
    equal(r.counted("retry_overflow", "budget"), 0)
    wide = r.gateway.glooctl("get", "upstream", "budget", "-o", "wide").stdout
    row = wide[wide.index("Retries and ejections so far"):].splitlines()[4].split()
    equal([int(row[i]) for i in (3, 5)], [retried, used_up], wide)
    return f"{retried:.0f} retries, {used_up:.0f} refused, of {count} requests"


WARM_S = 6


def test_slow_start(r):
    """what comes back up gets a small share at first, and its whole one in the end"""
    ill = threading.Event()
    ill.set()
    origin = r.origins[2]

    def answer(request, connection):
        if request.startswith(b"GET /health") and ill.is_set():
            return b"HTTP/1.1 503 Ill\r\nContent-Length: 0\r\n\r\n"
        return answer_with("c")(request, connection)

    def why(port):
        e = r.endpoints("warm")[port]
        return e["health"], e.get("why", "")

    origin.answer = answer
    r.upstream("warm", [o.port for o in r.origins], loadBalancerConfig={"roundRobin": {
        "slowStartConfig": {"slowStartWindow": f"{WARM_S}s"}}}, healthChecks=[{
            "timeout": "1s", "interval": "100ms", "healthyThreshold": 1, "unhealthyThreshold": 1,
            "httpHealthCheck": {"path": "/health"}}])
    e2e.wait_until("c to be down", lambda: why(origin.port) == ("down", "HTTP 503"))
    check(why(r.origins[0].port)[1].startswith("slow start, "), r.endpoints("warm"))
    e2e.wait_until("the others to be warm", lambda: {why(o.port) for o in r.origins[:2]}
                   == {("up", "")}, 3 * WARM_S)
    ill.clear()
    e2e.wait_until("c to be up", lambda: why(origin.port)[0] == "up")
    check(why(origin.port)[1].startswith("slow start, "), why(origin.port))
    began, got = time.monotonic(), []
    while (at := time.monotonic() - began) < WARM_S + 2:
        got.append((at, r.who("/warm")))

    def share(since, until):
        part = [who for at, who in got if since <= at < until]
        check(len(part) >= 20, len(part), "requests between", since, "and", until)
        return part.count("c") / len(part)

    first, last, warm = share(0, WARM_S / 4), share(WARM_S * 3 / 4, WARM_S), share(
        WARM_S + .5, WARM_S + 2)
    check(first < 0.2, first, "at first")
    check(first + 0.05 < last, first, "at first,", last, "at last")
    check(0.25 < warm < 0.42, warm, "when warm")
    equal(why(origin.port), ("up", ""))
    return f"{first:.2f} at first, {last:.2f} at last, {warm:.2f} when warm"


def test_connections(r):
    """maxConnections holds for two workers together, and all are served"""
    clients, statuses, most = 24, [], [0]
    lock = threading.Lock()
    inside = [0]

    def slow(request, _):
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        threading.Event().wait(0.03)  # the work of the origin
        with lock:
            inside[0] -= 1
        return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    r.special.answer = slow
    threads = [threading.Thread(target=lambda i=i: statuses.append(
        r.ask(f"/narrow/{i}")[0])) for i in range(clients)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    equal(statuses, [200] * clients)
    # One more: of a worker that has none, or when both ask at the same moment.
    check(2 <= most[0] <= 7, most[0], "at once")
    equal(r.counted("pending_overflow", "narrow"), 0)
    for gauge in ("pending_active", "requests_active"):
        e2e.await_equal(lambda: r.counted(gauge, "narrow"), 0, gauge)
    check(r.counted("connections_opened", "narrow") < clients, "connections are kept")
    return f"at most {most[0]} at once"


def test_affinity(r):
    """a ring: the same user, the same endpoint; few move when one goes"""
    users = [f"user-{i}" for i in range(200)]
    first = {u: r.who("/ring", X_User=u) for u in users}
    equal({u: r.who("/ring", X_User=u) for u in users}, first)
    equal(set(first.values()), set("abc"))
    r.upstream("ring", [o.port for o in r.origins[:2]], loadBalancerConfig={"ringHash": {}})
    e2e.wait_until("c to get nothing", lambda: all(
        r.who("/ring", X_User=u) != "c" for u in users[:50]))
    second = {u: r.who("/ring", X_User=u) for u in users}
    equal(set(second.values()), set("ab"))
    stayed = [u for u in users if first[u] != "c"]
    moved = [u for u in stayed if second[u] != first[u]]
    check(len(moved) < len(stayed) / 4, len(moved), "of", len(stayed), "moved")
    return f"{len(moved)} of {len(stayed)} moved"


def test_turns(r):
    """round robin is exactly even, with one worker"""
    r.start(1)
    got = [r.who("/turns") for _ in range(60)]
    equal({l: got.count(l) for l in "abc"}, {"a": 20, "b": 20, "c": 20})
    equal(got[:30], got[30:], "always in the same order")


if __name__ == "__main__":
    e2e.main(globals())
