"""Rate limits and the kernel half on a real veth: a source far beyond its limit
of requests is blocked there, Gateways limit packets and connections, prefixes
of the settings deny and allow."""
# alone: it keeps a pace of requests
import json
import signal
import sys
import threading
import time

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import check, equal, run
from rates import Rates, ask_until_refused


def setup():
    r = Rates(9, xdp=True)
    r.gateway.route("/", "origin")  # of all other domains
    return r


def teardown(r):
    r.close()


def get(r, source, port=8080, host="plain.example"):
    """The status; 0: its SYN was dropped, or the connection reset."""
    try:
        # Not much of a block passes meanwhile.
        with e2e.connect_once(r.lab.out, r.lab.address, port, f"10.98.0.{source}", 3) as s:
            s.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            return int(s.recv(65536)[9:12] or 0)
    except OSError:
        return 0


def map_dump(r, name):
    """The entries of a map of this gateway, as bpftool shows it by its name."""
    found = json.loads(run("bpftool", "-j", "-f", "map", "show", "name", name).stdout)
    # A single one of that name is no list.
    pinned = {m["id"] for m in (found if isinstance(found, list) else [found])
              if any(r.gateway.pin in p for p in m.get("pinned", []))}
    equal(len(pinned), 1, name)
    dump = json.loads(run("bpftool", "-j", "map", "dump", "id", pinned.pop()).stdout)
    return [row.get("formatted", row) for row in dump]


def test_seed(r):
    """by glooctl's flags, going on at ten times the limit: the kernel drops it for 30 s"""
    if e2e.SANITIZED:
        raise e2e.Skip("it waits out the 30 s; test_rates promotes in less under sanitizers")
    r.gateway.glooctl("create", "virtualservice", "--name", "limited",
                      "--domains", "limited.example", "--enable-rate-limiting",
                      "--rate-limit-requests", "100", "--rate-limit-time-unit", "MINUTE")
    r.gateway.route("/", "origin", "--name", "limited")

    def ask(source):
        return get(r, source, host="limited.example")
    ask_until_refused(lambda: ask(3))
    end = time.monotonic() + 20 * e2e.PATIENCE
    asked, began = 0, time.monotonic()
    while "10.98.0.3" not in r.blocked():
        check(time.monotonic() < end, r.blocked())
        # 1000 a minute, a little more so that the clock's grain does not matter.
        while asked < (time.monotonic() - began) * 18:
            ask(3)
            asked += 1
        threading.Event().wait(0.02)
    seen = r.blocked()["10.98.0.3"]
    equal((seen["by"], seen["rule"], seen["object"]),
          ("kernel", "anonymousLimits", "gloo-system.limited"))
    check(30 - 5 * e2e.PATIENCE <= seen["secondsLeft"] <= 30, seen)
    entries = map_dump(r, "gg_block")
    equal([e["key"]["ip"][12:] for e in entries], [[10, 98, 0, 3]])
    equal(ask(3), 0)
    equal(ask(4), 200)
    check(r.blocked()["10.98.0.3"]["dropped"] > 0, r.blocked())
    e2e.wait_until("its return", lambda: ask(3) in (200, 429), 40)
    e2e.wait_until("the end of the entry", lambda: map_dump(r, "gg_block") == [], 5)
    e2e.await_equal(r.blocked, {})


def row(r, rule):
    return r.limits(rule=rule)[0]


def test_connections(r):
    """a Gateway's limit of new connections per source: enforced, exact, counted"""
    status, verdict = r.gateway_put("second", 8081, {
        "name": "syns", "counts": "connections", "rate": 5, "unit": "HOUR"})
    equal((status, verdict["state"]), (200, "Accepted"), verdict)
    equal(verdict["kernel"], "enforced")
    answers = [get(r, 5, port=8081) for _ in range(8)]
    equal(answers, [200] * 5 + [0] * 3)
    equal(get(r, 6, port=8081), 200)
    seen = row(r, "syns")
    equal((seen["stage"], seen["enforcedBy"]), ("kernel", "kernel"))
    check(seen["refused"] >= 3, seen)
    r.gateway.glooctl("delete", "gateway", "second")


def test_counts(r):
    """what a rule refused counts from when it came; two of one kind say that they share it"""
    syns = {"name": "syns", "counts": "connections", "rate": 2, "unit": "HOUR"}

    def refused(*rules):
        """Of the first rule: as it comes, and after three refusals."""
        status, verdict = r.gateway_put("second", 8081, *rules)
        equal((status, verdict["kernel"]), (200, "enforced"), verdict)
        before = row(r, rules[0]["name"])["refused"]
        answers = [get(r, 5, port=8081) for _ in range(rules[0]["rate"] + 3)]
        equal(answers, [200] * rules[0]["rate"] + [0] * 3)
        return before, row(r, rules[0]["name"])["refused"]
    # The slot has been another gateway's, then the same one's with another rule.
    for rule in (syns, {**syns, "rate": 3}, {**syns, "name": "other"}):
        before, after = refused(rule)
        check(before == 0 and after >= 3, rule, before, after)
        check("countedWith" not in row(r, rule["name"]))
    net = {**syns, "name": "net", "prefixLengthV4": 24, "rate": 100}
    check(refused(syns, net)[0] == 0)
    equal([row(r, n).get("countedWith") for n in ("syns", "net")], ["net", "syns"])
    equal(row(r, "syns")["refused"], row(r, "net")["refused"])
    r.gateway.glooctl("delete", "gateway", "second")


def test_shadow(r):
    """in shadow nothing is dropped, what would be is counted"""
    status, verdict = r.gateway_put("third", 8082, {
        "name": "shy", "counts": "packets", "rate": 5, "unit": "HOUR", "action": "shadow"})
    equal((status, verdict["state"]), (200, "Accepted"), verdict)
    equal([get(r, 5, port=8082) for _ in range(8)], [200] * 8)
    e2e.wait_until("the count", lambda: row(r, "shy")["shadowed"] > 10)
    equal(row(r, "shy")["refused"], 0)
    r.gateway.glooctl("delete", "gateway", "third")


def test_too_much(r):
    """a burst that no bucket of the kernel holds is Rejected with a sentence"""
    status, verdict = r.gateway_put("fourth", 8083, {
        "name": "huge", "counts": "bytes", "rate": 4294967291, "unit": "SECOND",
        "burst": 4294967291})
    equal((status, verdict["state"]), (422, "Rejected"), verdict)
    check("options.rateLimits" in verdict["reason"], verdict)


def test_additional_prefix(r):
    """a kernel limit of a Gateway that serves a prefix: a Warning names the prefix"""
    def put(*addresses):
        status, text = r.gateway.api("PUT", "/v1/gateways/gloo-system/wide", {
            "metadata": {"name": "wide", "namespace": "gloo-system"}, "bindPort": 8089,
            "additionalAddresses": [{"address": a} for a in addresses],
            "options": {"rateLimits": [
                {"name": "syns", "counts": "connections", "rate": 5, "unit": "HOUR"}]}})
        equal(status, 200, text)
        return json.loads(text)
    verdict = put("10.66.0.0/24", "10.67.0.1")
    equal(verdict["state"], "Warning", verdict)
    check("packets to 10.66.0.0/24 of additionalAddresses" in verdict["reason"], verdict)
    check("10.67" not in verdict["reason"], verdict)
    equal(put("10.67.0.1")["state"], "Accepted")
    r.gateway.glooctl("delete", "gateway", "wide")


def test_prefixes(r):
    """xdp.denyPrefixes and allowPrefixes, by a reload; the longest decides"""
    settings = r.gateway.dir / "settings.yaml"
    plain = settings.read_text()
    listed = plain.replace("xdp:\n", "xdp:\n  denyPrefixes: [ 10.98.0.4/30 ]\n"
                           "  allowPrefixes: [ 10.98.0.6 ]\n")
    settings.write_text(listed)
    r.gateway.process.send_signal(signal.SIGHUP)
    e2e.wait_until("the denial", lambda: get(r, 5) == 0)
    equal([get(r, n) for n in (3, 6, 8)], [200, 200, 200])
    seen = {i["prefix"]: i for i in r.gateway.get("/v1/prefixes")["items"]}
    equal({k: v["action"] for k, v in seen.items()},
          {"10.98.0.4/30": "deny", "10.98.0.6": "allow"})
    check(all(v["packets"] > 0 for v in seen.values()), seen)
    series = 'gloo_gateway_kernel_prefix_packets{prefix="10.98.0.4/30",action="deny"} '
    check(series in r.gateway.api("GET", "/metrics")[1], series)
    settings.write_text(plain)
    r.gateway.process.send_signal(signal.SIGHUP)
    e2e.wait_until("the end of the denial", lambda: get(r, 5) == 200)
    equal(r.gateway.get("/v1/prefixes")["items"], [])


if __name__ == "__main__":
    e2e.main(globals())
