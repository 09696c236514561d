"""List and watch (K2, K8): what a server may answer, by the real one or by the
relay in its place. Through all of it one client asks without a pause, and none
of its requests may fail."""
import re
import sys
import time

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import check, equal, wait_until
from discovering import Asker, patient
from kube_bed import Bed, Gateway
from kube_relay import Relay, status

SLICES = "endpointslices"
# Seconds that a request may take: less than connectTimeout, 5 s, for which one waits
# that is sent to an endpoint that is gone.
LONG = 2 if e2e.SOAK else min(4 * e2e.PATIENCE, 4.5)


class Drill:
    def __init__(self):
        self.bed = b = Bed()
        b.install()
        self.pods = [b.pod(n, "web", exists=True, ready=None) for n in ("a", "b")]
        b.service("web")
        b.slice("web-1", "web", [self.pods[0].address])
        self.relay, self.at = Relay(b.cluster), 0
        self.gateway = Gateway(b, server=self.relay.server).start()
        self.gateway.await_set("default-web-8000", [self.pods[0].host], 15)
        self.gateway.route("/web", "default-web-8000")
        self.bad, self.asker = [], Asker(b, "/web", self.told, pause=0.005)

    def fresh(self):
        """A gateway that had no failures yet: one that had some waits the longer
        before it asks again, up to half a minute."""
        self.asker.close()
        self.gateway.stop()
        self.relay.plain()
        self.bed.slice("web-1", "web", [self.pods[self.at].address])
        self.gateway.start()
        self.change()
        self.bad.clear()
        self.asker = Asker(self.bed, "/web", self.told, pause=0.005)

    def told(self, begin, end, code, body):
        if code != 200 or end - begin > LONG:
            self.bad.append((code, body[:200], round(end - begin, 2)))

    def change(self, seconds=10):
        """The other pod is the endpoint; returns how long it took to be known."""
        self.at = 1 - self.at
        pod = self.pods[self.at]
        begin = time.monotonic()
        self.bed.slice("web-1", "web", [pod.address])
        self.gateway.await_set("default-web-8000", [pod.host], seconds)
        return time.monotonic() - begin

    def again(self, instead):
        """Connections break; where it returns one, that is the server's answer."""
        self.relay.instead = instead
        self.relay.cut()

    def expire(self, also=lambda method, path: None):
        """The next watch is answered 410, so that all is listed anew; what else is
        asked is answered by `also`."""
        given, lists = [], self.relay.lists(SLICES)

        def instead(method, path):
            if of(path, "watch=") and "sendInitialEvents" not in path and not given:
                given.append(path)
                return status(410, "Expired")
            return also(method, path)
        self.again(instead)
        wait_until("the 410", lambda: given, 15)
        wait_until("a list", lambda: self.relay.lists(SLICES) > lists, 15)

    def unharmed(self):
        self.relay.plain()
        self.change(15)
        equal(self.bad, [])
        equal(self.asker.failed, [])


def of(path, *words):
    """Is all slices what is asked for, with these words in it?"""
    return path.split("?")[0].endswith("/" + SLICES) and all(w in path for w in words)


def is_list(path):
    return of(path) and "watch=" not in path


def setup():
    return Drill()


def teardown(d):
    try:
        d.asker.close()
        d.gateway.close()
    finally:
        d.relay.close()
        d.bed.close()


def test_change(d):
    """a change is known by its watch, without another list"""
    lists = d.relay.lists(SLICES)
    took = [d.change() for _ in range(4)]
    equal(d.relay.lists(SLICES), lists)
    return f"{max(took) * 1000:.0f} ms at most"


def test_watch_ends(d):
    """K8: watches that end in order are opened again, and nothing is listed"""
    def short(path):
        return re.sub("timeoutSeconds=[0-9]+", "timeoutSeconds=2", path)

    d.relay.change = short
    d.relay.cut()
    d.change(15)
    lists, watches = d.relay.lists(SLICES), d.relay.watches(SLICES)
    wait_until("three more watches", lambda: d.relay.watches(SLICES) >= watches + 3, 30)
    equal(d.relay.lists(SLICES), lists)
    d.unharmed()
    return f"{d.relay.watches(SLICES) - watches} watches, no list"


def test_refused(d):
    """connections that break off or are refused are no reason to list anew"""
    d.fresh()
    d.relay.cut()
    d.change(15)
    lists = d.relay.lists(SLICES)
    d.relay.refusing = True
    d.relay.cut()
    wait_until("it to say that it is stale", d.gateway.stale, 20)
    equal(d.gateway.set("default-web-8000"), [d.pods[d.at].host])
    d.relay.refusing = False
    wait_until("it to be current", lambda: not d.gateway.stale(), 40)
    equal(d.relay.lists(SLICES), lists)
    d.unharmed()


def test_gone_http(d):
    """K2: 410 as the answer to a watch: listed anew, nothing is missed"""
    d.fresh()
    d.expire()
    d.change(15)
    d.unharmed()


def test_gone_in_stream(d):
    """K2: 410 within a watch, by the real server after a restart: listed anew"""
    d.fresh()
    d.relay.refusing = True
    d.relay.cut()
    expired = d.relay.expired
    d.at = 1 - d.at
    for n in range(5):
        d.bed.slice("other-1", "other", [f"10.97.9.{n + 1}"])
    d.bed.slice("web-1", "web", [d.pods[d.at].address])
    d.bed.cluster.kill_api()
    d.bed.cluster.start_api()
    d.relay.refusing = False
    d.gateway.await_set("default-web-8000", [d.pods[d.at].host], patient(40))
    check(d.relay.expired > expired, "the server gave no 410")
    d.unharmed()


def refuse_watch_list(d, answer):
    d.fresh()
    refused, listed = [], []

    def also(method, path):
        if of(path, "sendInitialEvents="):
            refused.append(path)
            return answer
        if is_list(path):
            listed.append(path)
    d.expire(also)
    wait_until("a list", lambda: listed, 20)
    d.change(20)
    check(refused, "it was not asked for")
    d.unharmed()


def test_watch_list_422(d):
    """K2: a server that knows no WatchList answers 422: listed and watched"""
    refuse_watch_list(d, status(422, "Invalid"))


def test_watch_list_500(d):
    """an old etcd behind a new server refuses WatchList within the stream: the same"""
    _, _, answer = status(500, "InternalError")
    refuse_watch_list(d, (200, {}, {"type": "ERROR", "object": answer}))


def test_pages(d):
    """a list in pages, whose token expires on the way: nothing is lost"""
    d.fresh()
    everybody = [f"10.97.9.{n}" for n in range(1, 8)]
    d.bed.service("paged")
    for n, address in enumerate(everybody):
        d.bed.slice(f"paged-{n}", "paged", [address])
    hosts = [a + ":8000" for a in everybody]
    d.gateway.await_set("default-paged-8000", hosts, patient(5))
    given, pages, stored, mark = [], [], [], len(d.relay.asked)

    def also(method, path):
        if of(path, "sendInitialEvents="):
            return status(422, "Invalid")
        if is_list(path) and "limit=" not in path and not stored:
            stored.append(path)
            return status(410, "Expired")
        if is_list(path) and "continue=" in path:
            pages.append(path)
            if len(pages) == 2:
                given.append(path)
                return status(410, "Expired", metadata={"continue": "inconsistent"})
    # A list of a version is given by a cache, all at once; when that is refused,
    # one of what is stored is asked for, in pages.
    d.relay.change = lambda path: path.replace("limit=500", "limit=2")
    d.expire(also)
    d.bed.slice("paged-0", "paged", ["10.97.9.100"])
    try:
        wait_until("the page that is refused", lambda: given, 20)
    except AssertionError as e:
        raise AssertionError(f"{e}: {[p for p in d.relay.asked[mark:] if of(p[1])]}") from None
    d.gateway.await_set("default-paged-8000", ["10.97.9.100:8000"] + hosts[1:], 20)
    for n in range(len(everybody)):
        d.bed.cluster.delete("EndpointSlice", f"paged-{n}")
    d.bed.cluster.delete("Service", "paged")
    d.unharmed()
    return f"{len(pages)} pages after the first"


def test_too_many(d):
    """K2: 429 with Retry-After is waited for, and nothing is lost"""
    d.fresh()
    refused = []

    def instead(method, path):
        if of(path) and len(refused) < 3:
            refused.append(time.monotonic())
            return status(429, "TooManyRequests", headers={"Retry-After": "1"})
    d.again(instead)
    wait_until("three refusals", lambda: len(refused) == 3, 30)
    d.change(20)
    gaps = [b - a for a, b in zip(refused, refused[1:])]
    check(min(gaps) > 0.9, gaps)
    d.unharmed()
    return f"asked again after {', '.join(f'{g:.1f}' for g in gaps)} s"


def test_server_error(d):
    """answers of 500 for everything: what was known stays, and is said to be stale"""
    d.fresh()
    d.again(lambda *_: status(500, "InternalError"))
    wait_until("it to say that it is stale", d.gateway.stale, 20)
    equal(d.gateway.set("default-web-8000"), [d.pods[d.at].host])
    asked = len(d.relay.asked)
    d.unharmed()
    return f"{len(d.relay.asked) - asked} requests until all was well"


def test_pieces(d):
    """K2: an answer in pieces of three bytes, cut within characters"""
    d.fresh()
    words = {"note": "Zażółć gęślą jaźń 网关 🌐 " * 40}
    d.bed.cluster.patch("EndpointSlice", "web-1", {"metadata": {"annotations": words}})
    d.relay.piece = 3
    d.expire()
    d.change(30)
    d.change(15)
    d.unharmed()


def test_silent_link(d):
    """a cable that loses everything for three seconds: all goes on after it"""
    d.fresh()
    d.bed.cable("api", "down")
    begin = time.monotonic()
    wait_until("three seconds", lambda: time.monotonic() - begin > 3)
    equal(d.gateway.set("default-web-8000"), [d.pods[d.at].host])
    d.bed.cable("api", "up")
    d.unharmed()


def test_large_object(d):
    """an object of a megabyte is read, also when it comes in pieces"""
    d.fresh()
    d.relay.piece = 1000
    endpoints = [{"addresses": [f"10.97.{100 + n // 250}.{1 + n % 250}"],
                  "conditions": {"ready": True, "serving": True, "terminating": False},
                  "hostname": f"{'h' * 50}-{n}", "nodeName": "n" * 100 + str(n),
                  "zone": "z" * 60,
                  "targetRef": {"kind": "Pod", "namespace": "default", "name": "p" * 150 + str(n),
                                "uid": f"{n:036d}", "fieldPath": "f" * 400}}
                 for n in range(1000)]
    d.bed.service("large")
    made = d.bed.slice("large-1", "large", endpoints, write=d.bed.cluster.create)
    d.gateway.await_set("default-large-8000", [
        e["addresses"][0] + ":8000" for e in made["endpoints"]], 20)
    d.bed.cluster.delete("Service", "large")
    d.bed.cluster.delete("EndpointSlice", "large-1")
    d.unharmed()
    return f"{len(e2e.json.dumps(made)) // 1000} kB"


def test_hostile_objects(d):
    """objects of wrong types, with nulls and no UTF-8: those are skipped, once said"""
    d.fresh()
    good = d.bed.slices_of("web")[0]
    version = good["metadata"]["resourceVersion"]
    bad = [b"null", b"7", b"[]", b'{"metadata":null}', b'{"metadata":{"name":5}}',
           b'{"metadata":{"name":"x","namespace":["y"],"labels":"z"}}',
           b'{"metadata":{"name":"\\u0000","namespace":"default"},"endpoints":{}}',
           b'{"metadata":{"name":"\xff\xfe","namespace":"default"}}',
           b'{"metadata":{"name":"t","namespace":"default","labels":'
           b'{"kubernetes.io/service-name":"web"}},"addressType":"IPv4","endpoints":"none"}',
           b'{"metadata":{"name":"u","namespace":"default","labels":'
           b'{"kubernetes.io/service-name":"web"}},"addressType":"IPv4",'
           b'"endpoints":[{"addresses":["10.97.300.1"]},{"addresses":[null]}],'
           b'"ports":[{"name":"","port":"x"}]}']
    body = (b'{"kind":"EndpointSliceList","apiVersion":"discovery.k8s.io/v1","metadata":'
            b'{"resourceVersion":"%s"},"items":[%s]}' % (
                version.encode(), b",".join(bad + [e2e.json.dumps(good).encode()])))
    listed = []

    def also(method, path):
        if of(path, "sendInitialEvents="):
            return status(422, "Invalid")
        if is_list(path):
            listed.append(path)
            return 200, {}, body
    d.expire(also)
    wait_until("the list", lambda: listed, 20)
    d.change(20)
    equal(d.gateway.process.poll(), None)
    d.unharmed()


if __name__ == "__main__":
    e2e.main(globals())
