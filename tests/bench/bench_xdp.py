#!/usr/bin/python3
"""Measures the XDP program on this machine, beside reference programs. Run by
scripts/bench; build/tests/bench/xdp does the measuring.

A figure is CPU time a packet, net: less what the same frames cost with an
empty program, or with what the row names. Each load is a process with fresh
programs and maps, in which every case runs once a round, one after the other.
The table has the least and the median of all rounds in nanoseconds, and of all
loads in L64: one lookup among 64 k entries of an LRU_HASH. What a load has in
L64 is the median of what its rounds have: how long memory takes changes from
second to second by several times, so only neighbours in time are compared. A
target is reached when both reach it.
"""
import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time

from document import DOCUMENT, document_write, machine, text_table
from proxies import BENCH, BUILD, TOP

L64 = "lookup 64k"
COUNTED = 0.99  # of a case's packets must be counted as the case says
SECONDS_MAX = 280  # of one process; alone on the machine it takes 40
LOADS_END = 260  # seconds after which no other load begins
LOADS_WRITTEN = 3  # at least, for the document


class Row:
    """One line of the table. case: as in tests/bench/xdp_cases.c."""

    def __init__(self, name, case, reach=None, anchor=None):
        self.name, self.case, self.reach, self.anchor = name, case, reach, anchor


FLOWS = (("1", "1 flow"), ("64k", "64 k flows"), ("1m", "1 M flows"))
KATRAN = {"1": 1.09, "64k": 4.0, "1m": 9.0}


def flow_rows(what, case, reach, anchor=KATRAN):
    return [Row(f"{what}, {text}", f"{case} {n}", reach.get(n), f"Katran {anchor[n]}")
            for n, text in FLOWS]


SAME = {"1": 0.75, "64k": 0.75, "1m": 0.75}
TABLE = {"1": 0.9, "64k": 2.2, "1m": 5.0}

ROWS = [
    Row("reference: LRU_HASH lookup among 64 k (L64)", L64),
    Row("reference: the same entry each time", "lookup 1"),
    Row("reference: among 1 M", "lookup 1m"),
    Row("reference: LRU_HASH insert into a full map of 1 M", "insert"),
    Row("reference: spin-locked bucket, 1 source", "bucket 1"),
    Row("reference: spin-locked bucket, 32 k sources", "bucket 32k"),
    Row("reference: bpf_ktime_get_ns", "ktime"),
    Row("reference: jiffies", "jiffies"),
    Row("passed: no listener", "no listener"),
    Row("passed: to a listener, 1 source", "listener 1"),
    Row("passed: to a listener, 32 k sources", "listener 32k"),
    Row("passed: to a listener, new sources", "listener new"),
    Row("the same, 32 k sources, 100 prefixes listed", "listener lists"),
    Row("limit alone: one hot source in the table", "limit hot", 0.30, "spin lock 0.40"),
    Row("limit alone: 32 k sources in the table", "limit 32k", 1.0, "spin lock 1.0"),
    Row("the same in a table for a million sources", "limit large 32k"),
    Row("limit alone: all sources new", "limit new", 0.6, "insert 11"),
    Row("limit alone: source refused", "limit refused", 0.30),
    Row("limits of packets, bytes, connections: one hot source", "limit words", 0.6),
    Row("limit by the fine clock: one hot source", "limit fine"),
    *flow_rows("forward dsr-l2", "dsr", SAME),
    *flow_rows("forward dsr-l2, IPv6", "dsr6", SAME),
    *flow_rows("forward route", "route", SAME),
    *flow_rows("forward route, IPv6", "route6", SAME),
    Row("forward dsr-l2, UDP, 64 k flows", "dsr udp 64k", 0.75),
    Row("forward dsr-l2, 64 k flows, 100 prefixes listed", "dsr lists 64k"),
    Row("back through route, 64 k flows", "route back"),
    *flow_rows("forward nat", "nat", TABLE),
    *flow_rows("back through nat", "nat back", TABLE),
    Row("forward dsr-l2, 5 % of slots in transition, 64 k flows", "dsr moved 64k", 0.85),
    Row("forward dsr-l2, 5 % of slots in transition, 1 M flows", "dsr moved 1m", 1.1),
    Row("forward route, 5 % of slots in transition, 64 k flows", "route moved 64k", 0.85),
    Row("forward route, 5 % of slots in transition, 1 M flows", "route moved 1m", 1.1),
    Row("SYN flood, dsr-l2", "dsr flood", 0.8, "Katran 1.6"),
    Row("SYN flood, route", "route flood", 0.8, "Katran 1.6"),
    Row("SYN flood, nat, guard of 20 000 a second", "nat flood", 1.6, "Katran 1.6"),
    Row("the same without a guard: every packet a connection", "nat new"),
    Row("forward dsr-l2 with a limit, 64 k sources below the threshold", "dsr limit below", 1.2),
    Row("forward dsr-l2 with a limit, 64 k sources in the table", "dsr limit keyed", 2.8),
]

LIVE = [("drop 1", "XDP_DROP", None), ("drop 1m", "XDP_DROP, 1 M flows", None),
        ("turn 1", "XDP_TX alone", None), ("dsr 1", "forward dsr-l2, 1 flow", "drop 1"),
        ("dsr 1m", "forward dsr-l2, 1 M flows", "drop 1m")]
LIVE_REACH = 0.45
LIVE_ANCHOR = {"dsr 1": "Katran 6.9 of 20", "dsr 1m": "Katran 1.7 of 20"}

HEAD = ["figure", "ns", "L64", "anchor, L64", "to reach"]


def say(text):
    print(text, flush=True)


def measure(*argv, netns=False):
    """The lines that build/tests/bench/xdp prints."""
    command = [str(BENCH / "xdp"), *map(str, argv)]
    if netns:
        command = ["unshare", "--net", "--", *command]
    try:
        p = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                           timeout=SECONDS_MAX)
    except subprocess.TimeoutExpired:
        sys.exit(f"bench: {' '.join(command)} did not end within {SECONDS_MAX} s: the machine "
                 "is too busy for figures; run it alone")
    if p.returncode:
        sys.exit(f"bench: {' '.join(command)} ended with {p.returncode}; its message is above")
    return [json.loads(line) for line in p.stdout.splitlines()]


def least_median(values):
    return min(values), statistics.median(values)


def pair(values, digits):
    return "%.*f (%.*f)" % (digits, values[0], digits, values[1])


def verdict(met):
    return "reached" if met else "**short**"


class Cases:
    """Gross figures of all cases, and whether they measured what they say."""

    def __init__(self):
        self.loads = []  # {case: [ns of its rounds]}
        self.floor, self.problem, self.grown = {}, {}, {}

    def take(self, lines):
        load = {}
        self.loads.append(load)
        for line in lines:
            case = line["case"]
            load.setdefault(case, []).append(line["ns"])
            self.floor[case] = line.get("floor")
            if "grown" in line:
                self.grown[case] = max(line["grown"], self.grown.get(case, 0))
            if "problem" in line:
                self.problem[case] = "not measured: " + line["problem"]
            if "counted" in line and line["counted"] < COUNTED * line["packets"]:
                self.problem[case] = self.elsewhere(line)

    @staticmethod
    def elsewhere(line):
        share = line["counted"] * 100 / line["packets"]
        return f"not measured: {share:.0f} % {line['as']}, most: {line['most']}"

    def why_not(self, case):
        floor = self.floor.get(case)
        return self.problem.get(case) or (floor and self.problem.get(floor)) or None

    def gross(self, case):
        return [ns for load in self.loads for ns in load[case]]

    def net(self, case):
        gross = least_median(self.gross(case))
        floor = least_median(self.gross(self.floor[case]))
        return gross[0] - floor[0], gross[1] - floor[1]

    def ratio_of(self, load, case):
        """In L64. Some cases have only the last round."""
        def net(case):
            return [a - b for a, b in zip(reversed(load[case]),
                                          reversed(load[self.floor[case]]))]
        return statistics.median(a / b for a, b in zip(net(case), net(L64)))

    def ratio(self, case):
        return least_median([self.ratio_of(load, case) for load in self.loads])

    def row(self, row):
        to_reach = "-" if row.reach is None else f"{row.reach:g}"
        why = self.why_not(row.case)
        if why:
            return [row.name, why, "-", row.anchor or "-", to_reach]
        net, ratio = self.net(row.case), self.ratio(row.case)
        if row.reach is not None:
            to_reach += ": " + verdict(max(round(r, 2) for r in ratio) <= row.reach)
        return [row.name, pair(net, 1), pair(ratio, 2), row.anchor or "-", to_reach]

    def grown_rows(self):
        rows = []
        for row in ROWS:
            if row.case in self.grown:
                grown, why = self.grown[row.case], self.why_not(row.case)
                rows.append([f"{row.name}: entries more in the tables",
                             why or str(grown), "-", "-",
                             "0" if why else "0: " + verdict(grown <= 0)])
        return rows

    def floors(self):
        least = [min(self.gross(case)) for case in self.loads[0] if case.startswith("floor ")]
        return f"{min(least):.1f} to {max(least):.1f} ns"


def exact_rows(lines):
    above = below = contended = came = 0
    for line in lines:
        if "problem" in line:
            return [["two CPUs on one source", "not measured: " + line["problem"], "-",
                     "racy code up to 4.3 % above", "0 / 0"]]
        if line["refused"] < line["passed"]:
            return [["two CPUs on one source", "not measured: no excess", "-",
                     "racy code up to 4.3 % above", "0 / 0"]]
        came += line["exact"]
        contended += line["contended"]
        above = max(above, line["passed"] - line["due"])
        below = max(below, line["due"] - line["passed"] - line["contended"])
    return [["two CPUs on one source, packets admitted above burst + rate t / below it "
             "beyond drop_limit_contended", f"{above} / {below}", "-",
             "racy code up to 4.3 % above", "0 / 0: " + verdict(above <= 0 and below <= 0)],
            ["the same: packets that came, of these drop_limit_contended",
             f"{came}, {contended}", "-", "-", "-"]]


def ring_row(lines):
    ms = least_median(lines[0]["ring_ms"])
    return ["ring rebuilt, 65 537 slots, 100 backends", pair(ms, 2) + " ms", "-", "-",
            "10 ms: " + verdict(ms[1] < 10)]


class Live:
    """Millions of packets a CPU second, of every receiver and round."""

    def __init__(self):
        self.mpps, self.problem = {}, {}

    def take(self, lines):
        for line in lines:
            name = line["live"]
            if line["arrived"] != line["sent"]:
                self.problem[name] = (f"not measured: {line['arrived']} of {line['sent']} "
                                      "frames came back")
            self.mpps.setdefault(name, []).append(line["arrived"] / line["cpu_ns"] * 1e3)

    def rows(self):
        for name, text, of in LIVE:
            text = "live frames over veth, one CPU: " + text
            mpps = self.mpps[name]
            best = max(mpps), statistics.median(mpps)
            anchor = LIVE_ANCHOR.get(name, "-")
            to_reach = "-" if of is None else f"{LIVE_REACH} x XDP_DROP"
            if name in self.problem:
                yield [text, self.problem[name], "-", anchor, to_reach]
                continue
            cell = pair(best, 2) + " Mpps"
            if of is not None:
                ratio = statistics.median(a / b for a, b in zip(mpps, self.mpps[of]))
                cell += f", x {ratio:.2f}"
                to_reach += ": " + verdict(round(ratio, 2) >= LIVE_REACH)
            yield [text, cell, "-", anchor, to_reach]


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench xdp")
    parser.add_argument("--loads", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if os.cpu_count() < 2:
        sys.exit("bench: needs two CPUs")
    if options.loads < 1 or options.loads > 10:
        sys.exit("bench: --loads is 1 to 10")
    if options.write and options.loads < LOADS_WRITTEN:
        sys.exit(f"bench: --write wants {LOADS_WRITTEN} loads at least")
    load_before = os.getloadavg()[0]
    if load_before > 1:
        say(f"warning: the load average is {load_before:.1f}; other programs spoil the figures")
    (BUILD / "bench").mkdir(exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: stopped"))
    began = time.monotonic()
    cases, live, rounds, loads = Cases(), Live(), 6, 0
    while loads < options.loads and time.monotonic() - began < LOADS_END:
        cases.take(measure("cases", rounds))
        live.take(measure("live", rounds, netns=True))
        loads += 1
        say(f"    load {loads} of {options.loads}: {time.monotonic() - began:.0f} s")
    rows = ([HEAD] + [cases.row(r) for r in ROWS] + cases.grown_rows()
            + exact_rows(measure("exact", 5)) + [ring_row(measure("ring", 30))]
            + list(live.rows()))
    where = (f"{machine()}; {loads} loads of {rounds} rounds, floors {cases.floors()}, "
             f"load average {load_before:.1f} before.")
    (BUILD / "bench/xdp.json").write_text(json.dumps(
        {"where": where, "loads": cases.loads, "floor": cases.floor, "mpps": live.mpps,
         "rows": rows}, indent=1))
    say("\n" + text_table(rows) + "\n\nmin (median); " + where)
    if options.write and loads < LOADS_WRITTEN:
        say(f"not written: {loads} loads are too few, the machine is too busy")
    elif options.write:
        document_write("xdp", rows, where)
        say(f"written to {DOCUMENT.relative_to(TOP)}")
    say(f"{time.monotonic() - began:.0f} s")


main()
