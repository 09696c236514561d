"""Many services, and one that changes all the time (C6, C7), with a real agent: what
they cost the gateway, and that the agent is not asked without measure."""
import os
import sys
import threading
import time

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import consul
import e2e
from consul_bed import DISCOVER, Bed
from discovering import Gateway
from e2e import check, equal, wait_until

SERVICES, INSTANCES = 500, 20
CHANGES, SECONDS = 100, 30 if e2e.SOAK else 10
# Two a second, and those with which it begins; --soak holds it to C6's own number.
ASKED_A_SECOND, ASKED_FULL = 2, 60
QUIET = 2  # seconds after which the last state is in the proxy
# Agent and gateway share what processor there is: with other work beside them fewer
# changes are made. Ten times the questions make a drill all the same.
RATE = 90 if e2e.SOAK else 10 * ASKED_A_SECOND


class Scale(Bed):
    def __init__(self):
        super().__init__(gateway=False, direct=True)
        self.agent.settings["limits"] = {"http_max_conns_per_client": 2000}

    def fill(self):
        """The agent, empty, gets them all; SERVICES of INSTANCES each."""
        self.agent.restart()
        for n in range(INSTANCES):
            self.agent.node(f"n{n}", f"127.1.0.{n + 1}")
        self.agent.put_many([(f"n{i}", f"s{s}", f"s{s}", f"127.1.0.{i + 1}", 8000)
                             for s in range(SERVICES) for i in range(INSTANCES)])

    def counts(self):
        return {i["name"]: i["count"] for i in self.gateway.get("/v1/endpoints?limit=0")["items"]}

    def await_all(self, seconds):
        """Every service with all its instances."""
        begin = time.monotonic()

        def whole():
            counts = self.counts()
            return all(counts.get(f"s{n}") == INSTANCES for n in range(SERVICES))
        try:
            wait_until("all services", whole, seconds)
        except AssertionError as e:
            have = [self.counts().get(f"s{n}") for n in range(SERVICES)]
            raise AssertionError(f"{e}: {have.count(INSTANCES)} of {SERVICES} are whole; "
                                 + self.gateway.log_text()[-1500:]) from None
        return time.monotonic() - begin

    def cost(self):
        """(CPU seconds, descriptors, MB) of control."""
        pid = self.gateway.process.pid
        fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
        return ((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"),
                len(os.listdir(f"/proc/{pid}/fd")), e2e.memory_kb(pid, "Rss") / 1000)

    def drill(self, settings, seconds):
        self.fill()
        self.gateway = Gateway(self, f"consul:\n  httpAddress: \"{self.agent_at}\"\n{settings}"
                               + DISCOVER).start()
        took = self.await_all(seconds)
        cpu, fds, mb = self.cost()
        # One change each of some services, the first and the last among them.
        late, some = [], range(0, SERVICES, SERVICES // 10)
        for s in some:
            self.agent.put("n0", f"s{s}", f"s{s}", "127.1.1.1", 9000)
            put = time.monotonic()
            wait_until(f"s{s}", lambda: "127.1.1.1:9000" in self.gateway.set(f"s{s}"), seconds)
            late.append(time.monotonic() - put)
        # And what it costs when nothing happens.
        quiet, before = time.monotonic(), self.cost()[0]
        wait_until("ten seconds", lambda: time.monotonic() - quiet > (30 if e2e.SOAK else 5), 40)
        idle = (self.cost()[0] - before) / (time.monotonic() - quiet) * 100
        self.gateway.close()
        self.gateway = None
        return fds, max(late), (
            f"{SERVICES * INSTANCES} endpoints after {took:.1f} s and {cpu:.1f} s of CPU, {fds} "
            f"descriptors, {mb:.0f} MB; a change known in {max(late):.2f} s at most; then "
            f"{idle:.1f} % of a CPU")


def setup():
    return Scale()


def teardown(s):
    s.close()


def test_raised(s):
    """C7: 500 services of 20 instances, an agent that takes a connection for each"""
    fds, late, note = s.drill("  maxConnections: 1500\n", 120)
    check(fds < SERVICES + 200, note)
    check(late < 5 * e2e.PATIENCE, note)
    return note


def test_default(s):
    """C7: the same with the agent's 200 connections: services take turns, none is lost"""
    s.agent.settings.pop("limits")
    fds, late, note = s.drill("", 180)
    check(fds < 250, note)
    check("429" not in s.agent.log(), s.agent.log())
    return note


def test_churn(s):
    """C6: a service that changes all the time: few questions, and the last state counts"""
    s.agent.restart()
    s.relay = consul.Relay(s.agent)
    s.agent.node("n", "127.0.0.1")
    s.agent.put("n", "busy", "busy", "127.0.0.1", 1)
    s.agent.put("n", "calm", "calm", "127.0.0.1", 7)
    s.gateway = Gateway(s, f"consul:\n  httpAddress: \"127.0.0.1:{s.relay.PORT}\"\n"
                        + DISCOVER).start()
    s.gateway.await_set("busy", ["127.0.0.1:1"], 10)
    before, calm, begin = s.relay.of("busy"), s.relay.of("calm"), time.monotonic()
    port = 1
    for n in range(CHANGES * SECONDS):
        port = 1000 + n
        s.agent.put("n", "busy", "busy", "127.0.0.1", port)
        left = begin + (n + 1) / CHANGES - time.monotonic()
        if left > 0:
            threading.Event().wait(left)
    end = time.monotonic()
    asked = s.relay.of("busy") - before
    s.gateway.await_set("busy", [f"127.0.0.1:{port}"], 20)
    late = time.monotonic() - end
    rate = CHANGES * SECONDS / (end - begin)
    note = (f"{rate:.0f} changes a second for {end - begin:.0f} s, asked {asked} times, the last "
            f"state {late:.2f} s after the last change")
    # What takes longer may be asked of for longer.
    check(asked <= (ASKED_FULL if e2e.SOAK else ASKED_A_SECOND * (end - begin) + 2), note)
    check(asked >= SECONDS / 2, note)
    check(late < QUIET * e2e.PATIENCE, note)
    check(rate > RATE, note)
    check(s.relay.of("calm") - calm <= 1, s.relay.of("calm") - calm)
    equal(s.gateway.set("calm"), ["127.0.0.1:7"])
    return note


if __name__ == "__main__":
    e2e.main(globals())
