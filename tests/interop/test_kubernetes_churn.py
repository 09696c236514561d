"""Everything changes at random (K1): services, pods, slices, tokens, rights, and an
API server that is killed; clients ask all the time. And an API server that stays
away while the gateway is restarted."""
import os
import random
import sys
import threading
import time

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import check, equal, wait_until
from discovering import LATE, Asker, patient
from kube_bed import ACCOUNT, Bed, Gateway, upstream_name
from kube_truth import Truth

SECONDS = int(os.environ.get("GG_SOAK_SECONDS", "600" if e2e.SOAK else "60"))
AWAY = 300 if e2e.SOAK else 4
SERVICES, PODS_MAX = 4, 5
# Seconds until when one who is gone may still be asked. In the short form the API server
# that is started anew, again and again, has the processor to itself for longer than that.
GRACE = (0.1 if e2e.SOAK else LATE) * e2e.PATIENCE
# Seconds between which gateway and test see the same event.
APART = 0.1 * e2e.PATIENCE
# With this and the seed that it prints, a run's choices come again.
SEED = int(os.environ.get("GG_SEED", time.time_ns() % 1000000))


def pause(seconds):
    threading.Event().wait(seconds)


class Churn:
    def __init__(self):
        sys.setswitchinterval(0.001)
        self.bed = b = Bed()
        self.cluster, self.dice, self.serial = b.cluster, random.Random(SEED), 0
        b.install()
        self.names = [f"s{n}" for n in range(SERVICES)]
        self.pods = {name: [] for name in self.names}
        self.past, self.away, self.done, self.answers, self.acts = [], [], {}, [], []
        for name in self.names:
            b.service(name, {"app": name})
            for _ in range(2):
                self.add(name)
        self.gateway = Gateway(b, token=self.cluster.token_of(ACCOUNT, seconds=600)).start()
        self.truth = Truth(b.cluster)
        for name in self.names:
            self.same(name)
            self.gateway.route("/" + name, upstream_name(name))
        b.service("canary")

    def same(self, name, seconds=10):
        """The gateway has what a fresh list says."""
        def is_same():
            sets[:] = self.gateway.set(upstream_name(name)), self.bed.usable(name)
            return sets[0] == sets[1]
        sets = []
        try:
            wait_until(name, is_same, seconds)
        except AssertionError as e:
            raise AssertionError(f"{e}: the gateway has {sets[0]}, a fresh list "
                                 f"{sets[1]}") from None

    def current(self):
        """Gateway and controllers follow the API server again; returns after how
        many seconds the gateway did."""
        self.serial += 1
        begin = time.monotonic()
        address = f"10.97.9.{self.serial % 250 + 1}"
        self.bed.slice("canary-1", "canary", [address])
        self.gateway.await_set(upstream_name("canary"), [address + ":8000"], 70)
        took = time.monotonic() - begin
        name = self.dice.choice(self.names)
        pod = self.add(name)
        wait_until("the controllers", lambda: pod.host in self.bed.usable(name), 40)
        return took

    # ---- what happens

    def add(self, name):
        self.serial += 1
        pod = self.bed.pod(f"{name}-{self.serial}", name)
        pod.service = name
        self.pods[name].append(pod)
        return pod

    def retire(self, pod):
        """In order: it is told, serves on for a while, and its address dies after
        everybody could know."""
        self.pods[pod.service].remove(pod)
        self.past.append(pod)
        pod.terminate()
        pause(self.dice.random() * 0.5)
        pod.finish()
        wait_until("it to be gone", lambda: not self.truth.may(
            pod.service, pod.host, time.monotonic() - GRACE, time.monotonic()), 40)
        pod.close()

    def one_more(self):
        name = self.dice.choice(self.names)
        if len(self.pods[name]) < PODS_MAX:
            self.add(name)

    def one_less(self):
        name = self.dice.choice(self.names)
        if len(self.pods[name]) > 1 or self.dice.random() < 0.2:
            if self.pods[name]:
                self.retire(self.dice.choice(self.pods[name]))

    def not_ready(self):
        everybody = [p for pods in self.pods.values() for p in pods] or [self.add("s0")]
        pod = self.dice.choice(everybody)
        pod.ready(False)
        pause(self.dice.random() * 0.3)
        pod.ready()

    def replaced(self):
        """Another pod at the address of one that has gone."""
        name = self.dice.choice(self.names)
        if not self.pods[name]:
            return
        old = self.pods[name][0]
        self.retire(old)
        self.serial += 1
        pod = self.bed.pod(f"{name}-{self.serial}", name, address=old.address)
        pod.service = name
        self.pods[name].append(pod)

    def service_again(self):
        """Deleted, and made anew."""
        name = self.dice.choice(self.names)
        begin = time.monotonic()
        self.cluster.delete("Service", name)
        pause(self.dice.random() * 0.3)
        self.bed.service(name, {"app": name})
        wait_until("its endpoints", lambda: len(self.bed.usable(name)) == len(self.pods[name]), 40)
        self.same(name, patient(3))
        # What is the same may be of before: that it was deleted is heard of later.
        self.away.append((name, begin - APART, time.monotonic() + GRACE))

    def token(self):
        self.gateway.give(self.cluster.token_of(ACCOUNT, seconds=600))

    def server_killed(self):
        self.cluster.kill_all()
        pause(self.dice.random() * 2)
        self.cluster.start_all()
        self.current()

    def settled(self):
        """The controllers have written down what was done so far."""
        for name in self.names:
            wait_until("the controllers", lambda: self.bed.usable(name) == sorted(
                p.host for p in self.pods[name]), 40)

    def right_lost(self):
        """Slices are forbidden when the watch has to be opened anew, for a while: what
        is written meanwhile the gateway cannot know, so nothing may be under way."""
        self.settled()
        rules = self.cluster.get("ClusterRole", ACCOUNT)["rules"]
        self.cluster.patch("ClusterRole", ACCOUNT, {"rules": [
            r for r in rules if r["resources"] != ["endpointslices"]]})
        self.cluster.kill_all()
        self.cluster.start_all()
        pause(1 + self.dice.random() * 2)
        self.cluster.patch("ClusterRole", ACCOUNT, {"rules": rules})
        self.current()

    def run(self, seconds):
        often = [self.one_more, self.one_less, self.not_ready, self.replaced, self.service_again]
        seldom = [self.token, self.server_killed, self.right_lost]
        end, rare = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            left = end - time.monotonic()
            due = int((seconds - left) / max(seconds / 12, 8))
            # Such a one takes up to half a minute.
            if due > rare and left > 15:
                rare = due
                action = seldom[rare % len(seldom)]
            else:
                action = self.dice.choice(often)
            self.done[action.__name__] = self.done.get(action.__name__, 0) + 1
            begin = time.monotonic()
            action()
            self.acts.append((round(begin, 3), round(time.monotonic(), 3), action.__name__))
            pause(self.dice.random() * 0.2)

    # ---- what came of it

    def around(self, when):
        """What was done when that happened."""
        return [a for a in self.acts if a[0] - 12 <= when <= a[1] + 1]

    def failures(self):
        """Answers of 5xx though somebody was ready all the time; how many came while
        nobody was, and while the service was made anew."""
        found, nobody, anew = [], 0, 0
        for name, begin, end, code, body in self.answers:
            if code < 500:
                continue
            if any(n == name and a <= end and begin <= b for n, a, b in self.away):
                anew += 1
            # An event may be seen here that much later than by the gateway.
            elif self.truth.somebody(name, begin - APART, end + APART):
                found.append((name, round(begin, 3), code, body[:120]))
            else:
                nobody += 1
        return found, nobody, anew

    def astray(self):
        """Requests that came to a pod of another service."""
        return [(p.name, round(t, 3), line)
                for p in self.past + [p for pods in self.pods.values() for p in pods]
                for t, line in p.asked if line.split(" ")[1] != "/" + p.service]

    def strays(self):
        """Requests that came to one who was gone for longer than GRACE, or whose
        coming was not seen here so long after."""
        return [(p.name, round(t, 3), line)
                for p in self.past + [p for pods in self.pods.values() for p in pods]
                for t, line in p.asked
                if not self.truth.may(p.service, p.host, t - GRACE, t + GRACE)]


def setup():
    return Churn()


def teardown(c):
    try:
        c.gateway.close()
    finally:
        c.truth.close()
        c.bed.close()


def test_churn(c):
    """K1: random changes of everything: the set is that of a fresh list, no request fails"""
    askers = [Asker(c.bed, "/" + name, lambda *a, name=name: c.answers.append((name, *a)),
                    pause=0.01) for name in c.names]
    note = f"seed {SEED}"
    try:
        c.run(SECONDS)
        for name in c.names:
            c.same(name)
    except AssertionError as e:
        raise AssertionError(f"{note}: {e}") from None
    finally:
        for a in askers:
            a.close()
    failed = [(n, *f) for n, a in zip(c.names, askers) for f in a.failed]
    equal(failed[:3], [], note + ": " + str(c.around(failed[0][1]) if failed else ""))
    found, nobody, anew = c.failures()
    equal(found[:5], [], f"{note}: 5xx though a pod was ready, in all {len(found)}; "
          + str(c.around(found[0][1]) if found else ""))
    wrong = [a for a in c.answers if a[3] == 200 and not a[4].startswith(a[0] + "-")]
    equal(wrong[:5], [], f"{note}: answers of another service's pods, in all {len(wrong)}")
    equal(c.astray(), [], f"{note}: requests to pods of another service")
    strays = c.strays()
    equal(strays[:5], [], f"{note}: requests to pods that were gone, in all {len(strays)}; "
          + str(c.around(strays[0][1]) if strays else ""))
    check(len(c.answers) > nobody + anew, "nothing was served")
    return (f"{note}, {len(c.answers)} requests, of 5xx {nobody} while nobody was ready and "
            f"{anew} while the service was made anew; "
            + ", ".join(f"{k} {v}" for k, v in sorted(c.done.items())))


def test_server_away(c):
    """the API server is away, the gateway restarted meanwhile: it serves, and says since when"""
    name = "s0"
    if not c.pods[name]:
        c.add(name)
    c.same(name)
    hosts = c.gateway.set(upstream_name(name))
    c.cluster.kill_all()
    begin = time.monotonic()

    def stale():
        wait_until("it to say so", c.gateway.stale, 40)
    stale()
    c.gateway.stop()
    c.gateway.start()
    equal(c.gateway.set(upstream_name(name)), hosts)
    answers = []
    asker = Asker(c.bed, "/" + name, lambda *a: answers.append(a[2]), pause=0.01)
    try:
        stale()
        pause(max(AWAY - (time.monotonic() - begin), 0))
        equal(c.gateway.set(upstream_name(name)), hosts)
        text = c.gateway.glooctl("check", ok=None)
        check("since 20" in text.stdout + text.stderr, text.stdout, text.stderr)
    finally:
        asker.close()
    equal((set(answers), asker.failed), ({200}, []))
    c.cluster.start_all()
    back = time.monotonic()
    took = c.current()
    for n in c.names:
        c.same(n)
    return (f"away for {back - begin:.0f} s, {len(answers)} requests; current "
            f"{took:.1f} s after it was back")


if __name__ == "__main__":
    e2e.main(globals())
