"""Upstreams from a cluster, against an API server of our own: a Service becomes an
upstream, its pods get the requests, and an API server that is away takes nothing."""
import json
import os
import sys
import threading
import time

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import check, equal, wait_until
from kube_watch import WatchServer, pod_slice, service

NAME = "default-httpbin-8000"
SEED = """\
discoveryMetadata: {}
metadata:
  labels:
    app: httpbin
    discovered_by: kubernetesplugin
  name: default-httpbin-8000
  namespace: gloo-system
  resourceVersion: "VERSION"
status:
  reportedBy: gloo
  state: Accepted
upstreamSpec:
  kube:
    selector:
      app: httpbin
    serviceName: httpbin
    serviceNamespace: default
    servicePort: 8000
"""
HTTPBIN = [{"port": 8000, "protocol": "TCP", "targetPort": 8000}]
CHANGES = 40
SERVICES, PODS = 1000, 20


class Kubernetes:
    def __init__(self):
        self.lab = e2e.Lab()
        # One worker: with two, the one that is asked next may hear of a change a
        # moment later than the one that was asked last.
        self.gateway = e2e.Gateway(self.lab, workers=1)
        self.api = WatchServer(self.gateway.dir, self.lab.gw)
        self.gateway.write_settings("kubernetes: { kubeconfig: kubeconfig, resources: false }\n")
        self.gateway.start()
        # Two "pods" of one address and two ports, as a rollout has them.
        self.pods = [e2e.Origin(self.lab.out, self.answer(n), "10.98.0.2") for n in (0, 1)]

    @staticmethod
    def answer(n):
        return lambda request, c: (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npod%d" % n)

    def pod(self, n):
        """The service's only pod is that one now."""
        self.api.put("endpointslices",
                     pod_slice("httpbin-1", "httpbin", self.pods[n].port, ["10.98.0.2"]))

    def ask(self, path="/httpbin/get"):
        return e2e.request(self.lab.out, self.lab.address, 8080, path=path)

    def upstream(self, name=NAME):
        status, text = self.gateway.api("GET", f"/v1/upstreams/gloo-system/{name}")
        return json.loads(text) if status == 200 else None

    def state(self, name=NAME):
        found = self.upstream(name)
        return found and (found["status"]["state"], found["status"].get("reason", ""))


def setup():
    return Kubernetes()


def teardown(k):
    try:
        k.gateway.close()
    finally:
        k.api.stop()
        for pod in k.pods:
            pod.close()
        k.lab.close()


def test_seed(k):
    """a Service is an upstream, printed as the walk has it"""
    k.api.put("services", service("httpbin", HTTPBIN))
    k.pod(0)
    wait_until("the upstream", lambda: k.state() == ("Accepted", ""))
    printed = k.gateway.glooctl("get", "upstream", NAME, "-o", "yaml").stdout
    version = k.upstream()["metadata"]["resourceVersion"]
    equal(printed, SEED.replace("VERSION", version))
    table = k.gateway.glooctl("get", "upstreams").stdout
    check("| default-httpbin-8000" in table and "svc name:      httpbin" in table, table)
    k.gateway.glooctl("add", "route", "--path-prefix", "/httpbin", "--dest-name", NAME,
                      "--prefix-rewrite", "/")
    equal(k.ask()[::2], (200, b"pod0"))


def test_change(k):
    """a pod that takes another's place gets the next request"""
    took = []
    for i in range(CHANGES):
        n = (i + 1) % 2
        threading.Event().wait(0.06)  # a change of its own, not one of a flood
        start = time.monotonic()
        k.pod(n)
        while k.ask()[2] != b"pod%d" % n:
            check(time.monotonic() - start < 5 * e2e.PATIENCE, "it never does")
        took.append(1000 * (time.monotonic() - start))
        # What is gone is not asked again.
        for _ in range(3):
            equal(k.ask()[2], b"pod%d" % n)
    took.sort()
    return f"in {took[len(took) // 2]:.0f} ms, at most {took[-1]:.0f} ms, request included"


def test_deleted_by_hand(k):
    """a discovered upstream that is deleted by hand comes back"""
    said = k.gateway.glooctl("delete", "upstream", NAME)
    check("gloo.solo.io/discover" in said.stdout + said.stderr, said.stdout, said.stderr)
    wait_until("it to be back", lambda: k.state() == ("Accepted", ""))
    equal(wait_until("an answer", lambda: k.ask()[0] == 200), True)


def test_not_served(k):
    """HTTP/2 is a Warning that is served as HTTP/1.1, TLS one that is not served"""
    annotated = lambda key, value: k.api.put("services", service(
        "httpbin", HTTPBIN, annotations={"gloo.solo.io/" + key: value}))
    annotated("h2_service", "true")
    wait_until("the Warning", lambda: k.state()[0] == "Warning")
    check("HTTP/2" in k.state()[1] and "stale" not in k.state()[1], k.state())
    equal(k.ask()[0], 200)
    annotated("sslService.secret", "tls")
    wait_until("nothing to be sent in the clear", lambda: k.ask()[0] == 503)
    wait_until("it to say so", lambda: "TLS" in k.state()[1])
    annotated("upstream_config", '{"circuitBreakers": {"maxConnections": 7}}')
    wait_until("it to be served again", lambda: k.ask()[0] == 200)
    wait_until("the field", lambda: k.upstream()["circuitBreakers"] == {"maxConnections": 7})
    k.api.put("services", service("httpbin", HTTPBIN))
    wait_until("the field to go", lambda: "circuitBreakers" not in k.upstream())
    wait_until("it to be enforced", lambda: k.state() == ("Accepted", ""))


def test_away(k):
    """an API server that is away takes nothing, over a restart of the gateway as well"""
    k.api.stop()
    wait_until("glooctl check to say so", lambda: "services" in k.gateway.glooctl(
        "check", ok=None).stdout)
    equal(k.ask()[0], 200)
    k.gateway.stop()
    k.gateway.start()
    equal(wait_until("an answer from what the disk knows", lambda: k.ask()[0]), 200)
    wait_until("the Warning", lambda: k.state()[0] == "Warning")
    check("stale since" in k.state()[1], k.state())
    # What went meanwhile goes when it can be asked again, and nothing before.
    k.api.put("services", service("other", [{"port": 1}]))
    k.api.start()
    wait_until("it to be asked again", lambda: k.state("default-other-1"), 45)
    wait_until("the Warning to go", lambda: k.state() == ("Accepted", ""))
    equal(k.ask()[0], 200)


def test_gone(k):
    """a Service that is deleted takes its upstream with it"""
    k.api.delete("services", "other")
    wait_until("it to go", lambda: k.upstream("default-other-1") is None)
    check(k.upstream() is not None)


def test_many(k):
    """1000 Services of 20 pods"""
    pid = k.gateway.process.pid
    before = e2e.memory_kb(pid)
    used = lambda: sum(int(n) for n in open(f"/proc/{pid}/stat").read().split()[13:15])
    ticks, start = used(), time.monotonic()
    for i in range(SERVICES):
        k.api.put("services", service(f"s{i}", [{"port": 80}]))
        k.api.put("endpointslices", pod_slice(f"s{i}-1", f"s{i}", 80, [
            f"10.{50 + i // 250}.{i % 250}.{n + 1}" for n in range(PODS)]))
    def all_known():
        items = k.gateway.get("/v1/endpoints")["items"]
        return sum(i["up"] == PODS for i in items) == SERVICES
    wait_until("all of them", all_known, 60)
    took, ticks = time.monotonic() - start, used() - ticks
    equal(k.ask()[0], 200)
    grown = e2e.memory_kb(pid) - before
    for i in range(SERVICES):
        k.api.delete("services", f"s{i}")
        k.api.delete("endpointslices", f"s{i}-1")
    wait_until("all of them to go", lambda: k.upstream("default-s999-80") is None and
               len(k.gateway.get("/v1/endpoints")["items"]) == 1, 60)
    equal(k.ask()[0], 200)
    return f"{took:.1f} s, {ticks / os.sysconf('SC_CLK_TCK'):.1f} s of CPU, {grown // 1024} MB"


if __name__ == "__main__":
    e2e.main(globals())
