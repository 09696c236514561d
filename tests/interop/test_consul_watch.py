"""How a Consul agent is asked, by blocking queries, and what no failure of it may do
(C1, C2, bad input). Through all of it one client asks without a pause, and none of its
requests may fail."""
import json
import sys
import time
import urllib.parse

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from consul_bed import Bed
from discovering import judged, spread
from e2e import check, equal, wait_until

HEALTH = "/v1/health/service/"
# Seconds: the median, and the longest where single ones are judged.
LATE, FAR_TOO_LATE = 0.1, 1


class Drill(Bed):
    def __init__(self):
        super().__init__()
        self.a, self.b = self.origin("a"), self.origin("b")
        self.at = self.a
        self.put(self.a)
        self.gateway.await_set("web", [self.a.host], 15)
        self.gateway.route("/web", "web")

    def put(self, origin):
        """That is the one instance."""
        self.at = origin
        self.agent.register("web", origin.port, id="web-1")

    def change(self, seconds=10):
        """The other one; how long it took to be known."""
        begin = time.monotonic()
        self.put(self.b if self.at is self.a else self.a)
        self.gateway.await_set("web", [self.at.host], seconds)
        return time.monotonic() - begin

    def fresh(self):
        """A gateway that had no failures yet: one that had some waits the longer
        before it asks again."""
        if self.asker:
            self.asker.close()
        self.gateway.stop()
        self.relay.plain()
        self.gateway.start()
        self.change(15)
        self.ask_always("/web")

    def back(self, start):
        """The agent, which forgot everything: it is not asked before it knows again."""
        self.relay.refusing = True
        self.relay.cut()
        start()
        self.put(self.at)

    def unharmed(self, seconds=40):
        self.relay.plain()
        self.change(seconds)
        e2e.await_equal(lambda: self.gateway.problem("web"), None)
        return f"{self.all_served()} requests"

    def stale(self, seconds=40):
        """What it says of it; the endpoints are those of before."""
        why = wait_until("it to be stale", lambda: self.gateway.problem("web"), seconds)
        equal(self.gateway.set("web"), [self.at.host])
        return why

    def questions(self, service="web"):
        """The queries of a service's health, as maps, in order."""
        return [dict(urllib.parse.parse_qsl(p.partition("?")[2], keep_blank_values=True))
                for _, p in list(self.relay.asked) if p.split("?")[0] == HEALTH + service]

    def many(self, word, count):
        """Services of one instance each, and what Consul says of them."""
        names = [f"{word}{n}" for n in range(count)]
        for name in names:
            self.agent.register(name, self.a.port, id=name)
        for name in names:
            self.gateway.await_set(name, [self.a.host], 15)
        return names, [self.rows(name) for name in names]

    def instead(self, answers, always=False):
        """{service: (code, headers, body)}, each once, or always; waits until they
        were given. Returns how many questions each was asked before it."""
        given = {}

        def answer(_method, path):
            name = path.split("?")[0].removeprefix(HEALTH)
            if name in answers and (always or name not in given):
                given.setdefault(name, len(self.questions(name)))
                return answers[name]
        self.relay.instead = answer
        self.relay.cut()
        wait_until("the questions", lambda: len(given) == len(answers), 20)
        return given

    def rows(self, service="web"):
        return self.agent.good("GET", "/health/service/" + service)


def setup():
    return Drill()


def teardown(d):
    d.close()


def test_visible(d):
    """how soon after Consul's answer a change is in the proxy's set"""
    took, whole = [], []
    for _ in range(10):
        wanted = d.b if d.at is d.a else d.a
        begin = time.monotonic()
        d.put(wanted)
        wanted = [wanted.host]
        while d.gateway.set("web") != wanted:
            check(time.monotonic() < begin + 10 * e2e.PATIENCE, "not in ten seconds")
        now = time.monotonic()
        came = [t for t in d.relay.of("web", answers=True) if begin < t]
        took.append(max(now - came[-1], 0) if came else 0)
        whole.append(now - begin)
    note, _ = spread(took)
    check(sorted(took)[len(took) // 2] < LATE * e2e.PATIENCE, note)
    check(judged(took) < FAR_TOO_LATE * e2e.PATIENCE, note)
    return f"{note}; from the change itself {spread(whole)[0]}"


def test_blocks(d):
    """queries wait at the agent: a quiet service is not asked for again"""
    count = len(d.questions())
    d.change()

    def waits():
        for q in d.questions()[count:]:
            if q.get("index") and q.get("wait", "") in ("300000ms", "300s", "5m"):
                return q
    last = wait_until("a question that waits for five minutes", waits, 20)
    check(int(last["index"]) > 1, last)
    before, begin = len(d.questions()), time.monotonic()
    # Another service's change wakes no query of this one.
    for n in range(3):
        d.agent.register("another", 1000 + n, id="another")
    wait_until("three seconds", lambda: time.monotonic() - begin > 3)
    equal(d.questions()[before:], [])
    return f"index {last['index']}, wait {last['wait']}"


def test_index_backwards(d):
    """C1: the agent is restarted, its index is a small one: what it says is known soon"""
    for n in range(300):
        d.agent.good("PUT", f"/kv/k{n}", {})
    took = []
    for _ in range(3):
        d.change()
        old = d.agent.index("/health/service/web")
        d.ask_always("/web")
        asked = len(d.questions())
        d.agent.restart()
        wanted = d.b if d.at is d.a else d.a
        begin = time.monotonic()
        d.put(wanted)
        new = d.agent.index("/health/service/web")
        d.gateway.await_set("web", [wanted.host], 20)
        took.append(time.monotonic() - begin)
        check(new < old, new, "is not smaller than", old)
        # An index that is doubted is asked with once more, and not waited for.
        first = wait_until("a question", lambda: d.questions()[asked:])[0]
        check(int(first.get("index", "0")) <= 1 or first["wait"] == "1000ms",
              d.questions()[asked:])
        d.all_served()
        for n in range(300):
            d.agent.good("PUT", f"/kv/k{n}", {})
    # Two seconds; with other work beside it, an agent that starts takes longer at times.
    check(judged(took) < 2 * e2e.PATIENCE, took)
    return f"{', '.join(f'{t:.2f}' for t in took)} s"


def test_indexes(d):
    """C1: an index that goes backwards, is 0, or is none: asked anew without one"""
    d.fresh()
    wrong = ["1", "0", "many", "-5", "99999999999999999999999", None]
    names, rows = d.many("index", len(wrong))
    given = d.instead({name: (200, {} if value is None else {"X-Consul-Index": value}, r)
                       for name, value, r in zip(names, wrong, rows)})
    d.relay.plain()
    for name in names:
        d.agent.register(name, d.b.port, id=name)
    for name, value in zip(names, wrong):
        d.gateway.await_set(name, [d.b.host], 40)
        later = d.questions(name)[given[name]:]
        check(int(later[0].get("index", "0")) <= 1, "after", value, later)
    return f"{', '.join(str(w) for w in wrong)}; {d.unharmed()}"


def test_large_index(d):
    """C1: an index of 64 bits is kept whole"""
    d.fresh()
    d.instead({"web": (200, {"X-Consul-Index": "18446744073709551610"}, d.rows())})
    wait_until("the next question", lambda: d.questions()[-1].get("index") ==
               "18446744073709551610", 20)
    # Consul itself has a smaller one: what it says is heard when it is asked anew.
    d.relay.plain()
    d.relay.cut()
    return d.unharmed()


def test_killed(d):
    """C2: kill -9 of the agent: what was known stays; current again when it is back"""
    d.fresh()
    d.agent.kill()
    why = d.stale()
    count = len(d.relay.asked)
    begin = time.monotonic()
    wait_until("four seconds", lambda: time.monotonic() - begin > 4)
    tries = len(d.relay.asked) - count
    d.stale()
    d.back(d.agent.start)
    note = d.unharmed(70)
    return f"{tries} questions in 4 s, {note}: {why}"


def test_no_leader(d):
    """C2: 500, no cluster leader: what was known stays"""
    d.fresh()
    d.agent.kill()
    d.agent.start_without_leader()
    why = d.stale(60)
    answers = [a for a in d.relay.answers if a[2] == 500]
    wait_until("an answer of 500", lambda: [a for a in d.relay.answers if a[2] == 500], 60)
    d.stale()
    d.back(d.agent.restart)
    return f"{d.unharmed(70)}, {len(answers)} answers of 500: {why}"


def test_refused(d):
    """C2: connections are refused, and break off: what was known stays"""
    d.fresh()
    d.relay.refusing = True
    d.relay.cut()
    why = d.stale()
    return f"{d.unharmed(70)}: {why}"


def test_limited(d):
    """429 is waited for: what was known stays, and it is not asked without a pause"""
    d.fresh()
    before = len(d.questions())
    d.relay.instead = lambda method, path: (429, {}, b"Your IP is issuing too many requests")
    d.relay.cut()
    d.stale()
    begin = time.monotonic()
    wait_until("three seconds", lambda: time.monotonic() - begin > 3)
    count = len(d.questions()) - before
    check(count < 15, count, "questions")
    return f"{count} questions, then {d.unharmed(70)}"


def test_hostile(d):
    """answers that are cut off or of wrong types: nothing is lost, and each says why, once"""
    d.fresh()
    good = json.dumps(d.rows()).encode()
    wrong = [good[:len(good) // 2], b"", b"No path to datacenter", b"{}", b"7", b"null",
             b"[1, 2]", b'["\xff\xfe"]', b"[" * 100000, good + b"]", b'[{"Service": 5}]']
    names, _ = d.many("wrong", len(wrong))
    log = len(d.gateway.log_text())
    d.instead({name: (200, {"X-Consul-Index": "7"}, body) for name, body in zip(names, wrong)},
              always=True)
    said = []
    for name, body in zip(names, wrong):
        said.append(wait_until(f"{name} to be stale by {body[:40]}",
                               lambda: d.gateway.problem(name), 40))
        equal(d.gateway.set(name), [d.a.host], body[:40])
    lines = [line for line in d.gateway.log_text()[log:].splitlines() if "wrong" in line]
    check(len(lines) <= 3 * len(wrong), len(lines), "lines of the log:", lines[:5])
    equal(d.gateway.process.poll(), None)
    note = d.unharmed()
    for name in names:
        d.agent.register(name, d.b.port, id=name)
    for name in names:
        d.gateway.await_set(name, [d.b.host], 70)
        e2e.await_equal(lambda: d.gateway.problem(name), None)
    return f"{len(wrong)} of them, {note}; {said[0]}"


def test_hostile_rows(d):
    """single rows that are wrong are passed over alone, and it says so; the good one serves"""
    d.fresh()
    (name,), (rows,) = d.many("rows", 1)
    row = rows[0]
    wrong = [None, 7, [], "web", {**row, "Service": None}, {**row, "Node": None, "Service": {
        **row["Service"], "ID": "node", "Address": "127.0.9.250"}}]
    for n, more in enumerate((
            {"Port": "x"}, {"Port": 70000}, {"Port": -1}, {"Port": 80.5}, {"Port": 0},
            {"Address": 5}, {"Address": "a b\r\nc"}, {"Address": "a" * 100000},
            {"Address": "999.1.2.3:5"}, {"ID": 5, "Address": "127.0.9.251"})):
        wrong.append({**row, "Service": {**row["Service"], "ID": f"bad{n}",
                                         "Address": f"127.0.9.{n}", **more}})
    for n, checks in enumerate(("passing", [{"Status": []}], [5], {"Status": "passing"})):
        wrong.append({**row, "Checks": checks, "Service": {
            **row["Service"], "ID": f"ill{n}", "Address": f"127.0.8.{n}"}})
    d.instead({name: (200, {"X-Consul-Index": "7"}, wrong + [row])}, always=True)
    wait_until("it to say so", lambda: d.gateway.checked() or d.gateway.problem(name)
               or d.gateway.status(name)[1], 20)
    said = d.gateway.problem(name) or d.gateway.status(name)[1] or d.gateway.checked()[0]
    have = d.gateway.set(name)
    check(d.a.host in have, have)
    check(not [h for h in have if h.startswith("127.0.9.")], have)
    equal(d.gateway.process.poll(), None)
    return f"{len(wrong)} wrong, {len(have)} served, {d.unharmed()}; {said}"


def test_enormous(d):
    """an answer of more than the gateway takes is no answer"""
    d.fresh()
    before = e2e.memory_kb(d.gateway.process.pid)
    row = json.dumps(d.rows()[0]).encode()
    body = b"[" + b",".join([row] * (150000000 // len(row))) + b"]"
    d.instead({"web": (200, {"X-Consul-Index": "7"}, body)})
    d.relay.plain()
    note = d.unharmed(70)
    equal(d.gateway.process.poll(), None)
    more = e2e.memory_kb(d.gateway.process.pid) - before
    check(more < 150000, more, "kB more")
    return f"{len(body) // 1000000} MB, {more / 1000:.0f} MB more memory, {note}"


def test_restarted(d):
    """the gateway is started while the agent is away: it serves what it knew"""
    d.fresh()
    d.agent.kill()
    d.gateway.stop()
    d.gateway.start()
    equal(d.gateway.set("web"), [d.at.host])
    d.asker.close()
    d.ask_always("/web")
    d.stale()
    d.back(d.agent.start)
    return d.unharmed(70)


if __name__ == "__main__":
    e2e.main(globals())
