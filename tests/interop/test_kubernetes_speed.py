"""How fast: from a slice's change to the first request at the new endpoint, and a
cluster of a thousand services. Times are measured from when the change comes to a
watch of our own, so the API server's are not in them; "in all" has them too."""
import os
import random
import sys
import threading
import time

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
import kube
from e2e import check, equal, wait_until
from discovering import LATE, Asker, judged, spread
from kube_bed import Bed, Gateway, upstream_name

CHANGES = 200
KNOWN = 30 if e2e.SOAK else 60  # seconds until a thousand services are
SERVICES, EACH = 1000, 20
WRITERS = 6


class Speed:
    def __init__(self):
        sys.setswitchinterval(0.001)
        self.bed = b = Bed()
        b.install()
        self.pods = [b.pod(n, "web", exists=True, ready=None) for n in ("a", "b")]
        b.service("web")
        b.slice("web-1", "web", [self.pods[0].address])
        self.gateway = Gateway(b).start()
        self.gateway.await_set("default-web-8000", [self.pods[0].host], 15)
        self.gateway.route("/web", "default-web-8000")


def in_time(samples, what=""):
    note, _ = spread(samples)
    check(judged(samples) < LATE * e2e.PATIENCE, what + note)
    return note


def setup():
    return Speed()


def teardown(s):
    try:
        s.gateway.close()
    finally:
        s.bed.close()


def test_first_request(s):
    """from a slice's change to the first request at the new endpoint, and the last at the old"""
    came, dice = {}, random.Random(7)

    def told(sort, o, now):
        if sort == "MODIFIED" and o["metadata"]["name"] == "web-1":
            came[o["metadata"]["resourceVersion"]] = now
    watch = kube.Watch(s.bed.cluster, "EndpointSlice", told, "default")
    asker = Asker(s.bed, "/web")
    since, whole, late = [], [], []
    try:
        for n in range(CHANGES):
            old, new = s.pods[n % 2], s.pods[(n + 1) % 2]
            old.asked.clear()
            new.asked.clear()
            begin = time.monotonic()
            version = s.bed.slice("web-1", "web", [new.address], write=s.bed.cluster.replace)[
                "metadata"]["resourceVersion"]
            wait_until("its event", lambda: version in came)
            wait_until("a request", lambda: new.asked, 5)
            first = new.asked[0][0]
            threading.Event().wait(dice.random() * 0.1)
            since.append(max(first - came[version], 0))
            whole.append(first - begin)
            late.append(max([t for t, _ in old.asked], default=begin) - came[version])
    finally:
        asker.close()
        watch.close()
    equal(asker.failed, [])
    equal({a[2] for a in asker.answers}, {200})
    note = in_time(since)
    old = in_time([max(t, 0) for t in late], "the last request at the old endpoint: ")
    return f"{note}; in all {spread(whole)[0]}; the last at the old {old}"


def in_parallel(count, action):
    """action(i) for i below count, by some threads; what went wrong is raised."""
    failed, numbers, lock = [], iter(range(count)), threading.Lock()

    def work():
        while not failed:
            with lock:
                i = next(numbers, None)
            if i is None:
                return
            try:
                action(i)
            except Exception as e:  # told below, in the thread of the test
                failed.append(e)
    threads = [threading.Thread(target=work) for _ in range(WRITERS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failed:
        raise failed[0]


def test_thousand(s):
    """1000 services of 20 endpoints each: how long until all are known, and what it takes"""
    def addresses(i):
        return [f"10.97.{64 + (i * EACH + n) // 250}.{1 + (i * EACH + n) % 250}"
                for n in range(EACH)]

    def make(i):
        name = f"many-{i:04d}"
        s.bed.cluster.create({"kind": "Service", "metadata": {"name": name}, "spec": {
            "clusterIP": "None", "ports": [{"port": 8000}]}})
        s.bed.slice(name + "-1", name, addresses(i), write=s.bed.cluster.create)
    s.gateway.stop()
    in_parallel(SERVICES, make)

    def cpu():
        fields = open(f"/proc/{s.gateway.process.pid}/stat").read().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    begin = time.monotonic()
    s.gateway.start()
    ready = time.monotonic() - begin

    def all_there():
        items = {i["name"]: i for i in s.gateway.get("/v1/endpoints?limit=1")["items"]}
        return all(items.get(upstream_name(f"many-{i:04d}"), {}).get("count") == EACH
                   for i in range(SERVICES))
    wait_until("all of them", all_there, 90)
    known = time.monotonic() - begin
    for i in (0, SERVICES // 2, SERVICES - 1):
        equal(s.gateway.set(upstream_name(f"many-{i:04d}")),
              sorted(f"{a}:8000" for a in addresses(i)))
    used, control = cpu(), e2e.memory_kb(s.gateway.process.pid)
    proxy = e2e.memory_kb(s.gateway.proxy_pid())
    check(known < KNOWN * e2e.PATIENCE, known)
    return (f"ready after {ready:.1f} s, all known after {known:.1f} s; {used:.1f} s of CPU, "
            f"control {control // 1000} MB, proxy {proxy // 1000} MB")


def test_among_many(s):
    """among the thousand a change is as fast, and nothing else is touched"""
    b, came = s.bed, {}
    watch = kube.Watch(b.cluster, "EndpointSlice", lambda sort, o, now: sort == "MODIFIED"
                       and came.setdefault(o["metadata"]["resourceVersion"], now), "default")
    asker, since = Asker(b, "/web"), []
    try:
        for n in range(40):
            new = s.pods[(n + 1) % 2]
            new.asked.clear()
            version = b.slice("web-1", "web", [new.address], write=b.cluster.replace)[
                "metadata"]["resourceVersion"]
            wait_until("its event", lambda: version in came)
            wait_until("a request", lambda: new.asked, 5)
            since.append(max(new.asked[0][0] - came[version], 0))
            threading.Event().wait(0.06)
    finally:
        asker.close()
        watch.close()
    return in_time(since)


if __name__ == "__main__":
    e2e.main(globals())
