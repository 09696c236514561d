"""Whom limits know, and what the kernel dropped, as people see it."""
import json
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import check, equal, run, wait_until


class Sources:
    def __init__(self):
        self.lab = e2e.Lab()
        for n in range(3, 10):
            run("ip", "addr", "add", f"10.98.0.{n}/24", "dev", "eth0", ns=self.lab.out)
        self.gateway = e2e.Gateway(self.lab, xdp=True).start()
        self.origin = e2e.Origin(self.lab.gw)
        self.gateway.upstream("origin", self.origin.host)
        self.gateway.route("/", "origin")


def setup():
    return Sources()


def teardown(t):
    try:
        t.gateway.close()
    finally:
        t.origin.close()
        t.lab.close()


def limited(t, name, port, *rules):
    status, text = t.gateway.api("PUT", f"/v1/gateways/gloo-system/{name}", {
        "bindPort": port, "options": {"rateLimits": list(rules)}})
    equal((status, json.loads(text)["kernel"]), (200, "enforced"), text)


def get(t, source, port):
    """The status; 0: its SYN was dropped, or the connection reset."""
    try:
        with e2e.connect_once(t.lab.out, t.lab.address, port, f"10.98.0.{source}") as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            return int(s.recv(65536)[9:12] or 0)
    except OSError:
        return 0


def rows(text):
    """{source: cells} of the table."""
    lines = [[c.strip() for c in line.split("|")[1:-1]]
             for line in text.splitlines() if line.startswith("|")]
    return {cells[0]: dict(zip(lines[0], cells)) for cells in lines[1:]}


def test_limited(t):
    """glooctl get sources: what a source has left, and what was dropped"""
    limited(t, "second", 8081,
            {"name": "syns", "counts": "connections", "rate": 5, "unit": "HOUR"})
    equal([get(t, 3, 8081) for _ in range(8)], [200] * 5 + [0] * 3)
    equal([get(t, 4, 8081) for _ in range(4)], [200] * 4)
    table = rows(t.gateway.glooctl("get", "sources").stdout)
    row = table["10.98.0.3"]
    dropped = int(row.pop("DROPPED"))
    check(dropped >= 3, row, dropped)
    equal(row, {"SOURCE": "10.98.0.3", "STATE": "limited", "WHERE": "gloo-system.second",
                "RULE": "syns", "RATE": "5 per HOUR", "LEFT": "0 of 5 connections",
                "BLOCKED UNTIL": ""})
    equal((table["10.98.0.4"]["LEFT"], table["10.98.0.4"]["DROPPED"]),
          ("1 of 5 connections", "0"))
    check("10.98.0.5" not in table, table)


def test_top(t):
    """those with most drops first, at most so many; of a namespace"""
    [get(t, 6, 8081) for _ in range(5 + 5)]
    p = t.gateway.glooctl("get", "sources", "--top", "--limit", "2")
    equal(list(rows(p.stdout)), ["10.98.0.6", "10.98.0.3"])
    equal(p.stderr, "2 of 3 sources are shown; --limit shows more\n")
    wide = rows(t.gateway.glooctl("get", "sources", "-o", "wide").stdout)
    equal((wide["10.98.0.3"]["ADDRESS"], wide["10.98.0.3"]["ENFORCED BY"]),
          ("[::]:8081", "kernel"))
    equal(t.gateway.glooctl("get", "sources", "-n", "other", "-o", "json").stdout, "[]\n")
    two = t.gateway.glooctl("top", "-n", "2", "--limit", "1").stdout
    equal((two.count("1 of 3 sources, 0 blocked"), two.count("| 10.98.0.6 ")), (2, 2), two)


def glooctl_start(t, *argv):
    p = subprocess.Popen([e2e.GLOOCTL, "--socket", t.gateway.socket, *argv],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    e2e.undo.append(p.kill)
    return p


def test_top_ends(t):
    """glooctl top goes on until Ctrl-C, which is no failure"""
    p = glooctl_start(t, "top")
    check("sources" in p.stdout.readline())
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=10 * e2e.PATIENCE)
    equal((p.returncode, err), (0, ""), out)


def test_drops(t):
    """glooctl drops: time, interface, reason, from, to"""
    lines = t.gateway.glooctl("drops").stdout.splitlines()
    equal(lines[0].split(), ["TIME", "INTERFACE", "REASON", "LISTENER", "SOURCE", "->",
                             "DESTINATION"])
    first = lines[1].split()
    equal(first[1:4], ["gg0", "drop_limit_connections", "gloo-system.second"])
    check(first[4].startswith("10.98.0.3:") and first[5] == "->", first)
    equal(first[6:8] + first[9:], ["10.98.0.1:8081", "TCP", "bytes"])
    check(54 <= int(first[8]) <= 90, first)
    drop = t.gateway.get("/v1/drops")["items"][0]
    age = time.time() - time.mktime(time.strptime(drop["time"][:19], "%Y-%m-%dT%H:%M:%S")) \
        + time.timezone
    check(-1 <= age < 60 * e2e.PATIENCE, drop, age)


def test_follow(t):
    """glooctl drops -f: samples as they come, each once"""
    p = glooctl_start(t, "drops", "-f", "--limit", "0", "-o", "json")
    seen = []
    reader = threading.Thread(target=lambda: seen.extend(map(json.loads, p.stdout)))
    reader.start()
    last = t.gateway.get("/v1/drops")["last"]
    wait_until("the follower", lambda: json.loads(t.gateway.api(
        "GET", "/v1/drops")[1])["waiting"] == 1)
    for port in (8085, 8086):
        limited(t, f"follow-{port}", port,
                {"name": "syns", "counts": "connections", "rate": 1, "unit": "HOUR"})
        equal([get(t, 7, port), get(t, 7, port)], [200, 0])
        wait_until("its sample", lambda: any(
            d["destination"] == f"10.98.0.1:{port}" for d in seen))
    p.send_signal(signal.SIGINT)
    reader.join()
    equal(p.wait(10 * e2e.PATIENCE), 0)
    numbers = [d["number"] for d in seen]
    equal(numbers, list(range(last + 1, last + 1 + len(numbers))))
    equal({(d["reason"], d["protocol"], d["source"].split(":")[0]) for d in seen},
          {("drop_limit_connections", "TCP", "10.98.0.7")})


def test_blocked(t):
    """who is blocked comes first, with its rule and until when"""
    t.gateway.api("PUT", "/v1/gateways/gloo-system/third", {
        "bindPort": 8083, "options": {"rateLimits": [{
            "name": "slowly", "rate": 1, "unit": "SECOND",
            "promotion": {"factor": 2, "after": "1s", "duration": "60s"}}]}})

    def is_blocked():
        return get(t, 8, 8083) == 0
    wait_until("the block", is_blocked, 20)
    equal(get(t, 8, 8083), 0)
    out = t.gateway.glooctl("get", "sources").stdout
    table = rows(out)
    equal(list(table)[0], "10.98.0.8", out)
    row = table["10.98.0.8"]
    equal((row["STATE"], row["WHERE"], row["RULE"], row["RATE"]),
          ("blocked", "gloo-system.third", "slowly", "1 per SECOND"))
    clock, seconds = row["BLOCKED UNTIL"].split(" (")
    check(0 < int(seconds.split()[0]) <= 60 and clock[-1] == "Z" and len(clock) == 9, row)
    check(int(row["DROPPED"]) >= 1, row)
    check("drop_blocked" in t.gateway.glooctl("drops").stdout)


def test_notes(t):
    """/metrics counts what would have been dropped in shadow, and nothing that never was"""
    limited(t, "shy", 8084, {"name": "shy", "counts": "packets", "rate": 5, "unit": "HOUR",
                             "action": "shadow"})
    equal([get(t, 5, 8084) for _ in range(4)], [200] * 4)
    wait_until("the note", lambda: t.gateway.metric(
        "gloo_gateway_kernel_notes", reason="shadow_packets",
        listener="gloo-system.shy") > 5)
    equal([s for s in t.gateway.metrics() if "shadow_bytes" in s], [])
    equal(rows(t.gateway.glooctl("get", "sources").stdout)["10.98.0.5"]["STATE"], "shadow")


if __name__ == "__main__":
    e2e.main(globals())
