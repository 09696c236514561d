#!/usr/bin/python3
"""Compares the gateway with nginx, HAProxy, Envoy and two floor programs on
this machine. Run by scripts/bench, in a network namespace of its own.

The figure is CPU time of the proxy per request, from schedstat of all tasks of
all its processes: on loopback the sender's context does the receiver's part of
the kernel's work too, so each proxy is charged what it causes. Rounds are
interleaved (A, B, C, A, B, C, ...) and short; the table has the least and the
median of all, and as ratio that of the leasts and the median of the rounds'
own ratios. A target is reached when both reach it.
"""
import argparse
import contextlib
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time

import proxies
import publish
from document import DOCUMENT, document_write, machine, text_table
from measure import Measure, quiet
from proxies import ALL, BENCH, BUILD, FLOORS, OURS, PEERS, TOP, Routes

COLUMNS = ["ours", "floor epoll", "floor libevent", "nginx", "HAProxy", "Envoy"]
IDLE = 10000
# A second at a low rate has too few requests for more.
LATENCIES = ["p50", "p99"]
PUBLISHED = 100000
CPUS = os.sched_getaffinity(0)


def column(proxy):
    return "ours" if proxy is OURS else proxy.name


def say(text):
    print(text, flush=True)


class Line:
    """One line of the table: figures by column, what was to be reached."""

    def __init__(self, name, unit, figures, target=None, reach=None, digits=2,
                 against=("nginx", "HAProxy", "Envoy")):
        self.name, self.unit, self.figures = name, unit, figures
        self.target, self.reach, self.digits = target, reach, digits
        self.against = against

    def value(self, name):
        v = self.figures.get(name)
        return min(v) if isinstance(v, list) and v else v if not isinstance(v, list) else None

    def cell(self, name):
        v = self.figures.get(name)
        if v is None or v == []:
            return "-"
        if isinstance(v, str):
            return v
        if isinstance(v, list):
            return f"{min(v):.{self.digits}f} ({statistics.median(v):.{self.digits}f})"
        return f"{v:.{self.digits}f}"

    def ratio(self, other):
        ours, theirs = self.value("ours"), self.value(other)
        if isinstance(ours, (int, float)) and isinstance(theirs, (int, float)) and theirs > 0:
            return ours / theirs
        return None

    def paired_ratio(self, other):
        """Median of the rounds' ratios: what ran one after the other."""
        ours, theirs = self.figures.get("ours"), self.figures.get(other)
        if not isinstance(ours, list) or not isinstance(theirs, list) or not theirs:
            return None
        return statistics.median(a / b for a, b in zip(ours, theirs))

    def ratio_cell(self, other):
        ratio, paired = self.ratio(other), self.paired_ratio(other)
        if ratio is None:
            return "-"
        return f"{ratio:.2f}" + ("" if paired is None else f" ({paired:.2f})")

    def best(self):
        """The peer that is hardest to beat."""
        found = [(r, c) for c in self.against if (r := self.ratio(c)) is not None]
        return max(found)[1] if found else None

    def cells(self):
        best = self.best()
        met = self.reach(self) if self.reach else None
        return ([self.name + (f", {self.unit}" if self.unit else "")]
                + [self.cell(c) for c in COLUMNS] + [self.ratio_cell("nginx") if self.against else "-",
                   "-" if best is None else f"{self.ratio_cell(best)} {best}",
                   (self.target or "-")
                   + ("" if met is None else ": reached" if met else ": **not yet**")])


HEAD = ["figure"] + COLUMNS + ["ours / nginx", "ours / best peer", "to reach"]


def ratio_at_most(other, most):
    def reached(line):
        name = line.best() if other == "best" else other
        r, paired = line.ratio(name), line.paired_ratio(name)
        return None if r is None else max(r, paired or 0) <= most
    return reached


def at_most(most):
    def reached(line):
        v = line.value("ours")
        return None if not isinstance(v, (int, float)) else round(v, line.digits) <= most
    return reached


class Bench(Measure):
    def __init__(self, options):
        super().__init__(options.rounds or (2 if options.quick else 16),
                         0.3 if options.quick else 0.5)
        self.options = options
        self.missing = {}
        self.absent = {}  # by name of routes: the same, with these routes
        self.proxies = []
        for p in ALL:
            why = p.missing()
            if why:
                self.missing[column(p)] = why
                say(f"{p.name}: {why}")
            else:
                self.proxies.append(p)
        self.lines = []
        self.running = []

    def add(self, line, routes=None):
        absent = self.absent.get(routes.name, {}) if routes else {}
        for name, why in (self.missing | absent).items():
            line.figures.setdefault(name, why)
        self.lines.append(line)
        say("  " + " | ".join(line.cells()))

    def wanted(self, row):
        if self.options.only:
            return row in self.options.only
        return not self.options.quick or row in ("keep", "10k", "close", "memory", "syscalls")

    # ---- proxies and load

    def start(self, kinds, routes):
        """{column: proxy}; one that cannot do it says why in the table."""
        started = {}
        absent = self.absent.setdefault(routes.name, {})
        for kind in kinds:
            why = kind.unfit(routes)
            if why:
                absent[column(kind)] = why
                continue
            try:
                p = kind(routes)
            except (RuntimeError, OSError) as e:
                if kind is OURS:
                    raise
                say(f"  {kind.name}, {routes.name} routes: {e}")
                absent[column(kind)] = "did not start"
                continue
            self.running.append(p)
            started[column(kind)] = p
        return started

    def stop(self, started):
        for p in started.values():
            p.stop()
            self.running.remove(p)

    # ---- the rows

    def row_requests(self):
        rows = [
            ("keep", "keep-alive, 64 connections, 100 B", "s", 100, [],
             "nginx x 0.88", ratio_at_most("nginx", 0.88)),
            ("first", "the same, first route of 1000", "s", 100, [], None, None),
            ("10k", "10 KB answer", "m", 10240, [], "best x 0.95",
             ratio_at_most("best", 0.95)),
            ("100k", "100 KB answer", "l", 102400, [], "best x 0.90",
             ratio_at_most("best", 0.90)),
            ("1m", "1 MB answer", "x", 1 << 20, [], None, None),
            ("post", "POST of 10 KB", "s", 100, ["--body", 10240], None, None),
            ("close", "new connection per request", "s", 100, ["--close"], "best x 0.95",
             ratio_at_most("best", 0.95)),
        ]
        rows = [r for r in rows if self.wanted(r[0])]
        if not rows and not self.wanted("syscalls") and not self.wanted("latency"):
            return
        routes = Routes("prefix", 1000)
        started = self.start(self.proxies, routes)
        for row, name, answer, expect, more, target, reach in rows:
            cases = {c: (p, routes.path(answer, row == "first")) for c, p in started.items()}
            # Rows that are judged: the machine is fast for seconds only, and each
            # proxy shall have met that.
            figures = self.interleaved(cases, expect, *more,
                                       times=3 if target else 1)
            self.add(Line(name, "µs", figures, target, reach), routes)
            if row == "keep":
                self.add(Line("the same, against Envoy", "µs",
                              {c: figures[c] for c in ("ours", "Envoy") if c in figures},
                              "Envoy x 0.25", ratio_at_most("Envoy", 0.25), against=("Envoy",)))
        if self.wanted("syscalls"):
            figures = {c: self.syscalls(p) for c, p in started.items()}
            self.add(Line("system calls per request, one at a time", "", figures, "6.0",
                          at_most(6.0), digits=1), routes)
        if self.wanted("latency"):
            self.row_latency(started, routes)
        self.stop(started)

    def syscalls(self, proxy):
        """By strace of all its processes, less what the connection itself costs."""
        counts = []
        for requests in (500, 1500):
            out = proxy.dir / "strace"
            pids = proxy.pids()
            argv = ["strace", "-c", "-f", "-o", str(out)]
            for pid in pids:
                argv += ["-p", str(pid)]
            p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
            try:
                proxies.wait_until("strace", lambda: all(
                    "TracerPid:\t0\n" not in open(f"/proc/{pid}/task/{task}/status").read()
                    for pid in pids for task in os.listdir(f"/proc/{pid}/task")), 10)
                self.load(proxy.port, proxy.routes.path("s"), 100, "--connections", 1,
                          "--requests", requests, "--seconds", 30)
            finally:
                p.send_signal(signal.SIGINT)
                p.wait(10)
            total = re.search(r"^100\.00 +[\d.]+ +(?:\d+ +)?(\d+) .*total$", out.read_text(), re.M)
            counts.append(int(total.group(1)))
        return (counts[1] - counts[0]) / 1000

    def row_routes(self):
        if not self.wanted("routes"):
            return
        sets = [Routes("prefix", 1), Routes("prefix", 1000), Routes("prefix", 100000),
                Routes("regex", 1), Routes("regex", 1000), Routes("regex", 100000)]
        figures = {}
        started = {r.name: self.start([p for p in self.proxies if p not in FLOORS], r)
                   for r in sets}
        # Those that are compared run one after the other.
        cases = {(r.name, c): (started[r.name][c], r.path("s"))
                 for c in COLUMNS for r in sets if c in started[r.name]}
        # A request takes these 10 ms and more, so a few rounds say enough.
        slow = {case: cases.pop(case) for case in list(cases)
                if case[0] == "100000 regex" and case[1] != "ours"}
        got = self.interleaved(cases, 100) | self.interleaved(slow, 100, times=0.25)
        for r in sets:
            figures[r.name] = {c: got[(r.name, c)] for c in started[r.name]}
            self.stop(started[r.name])
            self.add(Line(f"{r.count} {r.kind} route{'s' if r.count > 1 else ''}, last one hit",
                          "µs", dict(figures[r.name])), r)
        for more, one, most in (("1000 prefix", "1 prefix", None),
                                ("100000 prefix", "1 prefix", 5), ("1000 regex", "1 regex", 3),
                                ("100000 regex", "1 regex", None)):
            added = {c: (statistics.median(
                a / b for a, b in zip(figures[more][c], figures[one][c])) - 1) * 100
                     for c in figures[more] if c in figures[one]}
            self.add(Line(f"{more} routes against 1: added cost", "%", added,
                          f"{most} %" if most else None, at_most(most) if most else None,
                          digits=1, against=()))

    def row_memory(self):
        if not self.wanted("memory") and not self.wanted("idle"):
            return
        routes = Routes("prefix", 1000)
        started = self.start(self.proxies, routes)
        if self.wanted("memory"):
            for what, key, most in (("PSS", "Pss", 20), ("private dirty", "Private_Dirty", 10)):
                self.add(Line(f"memory with 1000 routes, idle, all processes: {what}", "MB",
                              {c: p.memory_kb(key) / 1024 for c, p in started.items()},
                              f"{most} MB", at_most(most), digits=1, against=()), routes)
        if self.wanted("idle"):
            figures = {c: self.idle_kb(p) for c, p in started.items()}
            self.add(Line(f"{IDLE} idle keep-alive connections, user memory each", "KB",
                          figures, "0.7 KB", at_most(0.7), against=()), routes)
        self.stop(started)

    def idle_kb(self, proxy):
        path = proxy.routes.path("s")
        self.load(proxy.port, path, 100, "--seconds", 0.3)
        before = proxy.memory_kb("Private_Dirty")
        p = subprocess.Popen(
            [BENCH / "generate", str(proxy.port), path, "100", "--idle", "--connections",
             str(IDLE), "--seconds", "30"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, preexec_fn=proxies.on_cpu(proxies.LOAD_CPU))
        try:
            result = json.loads(p.stdout.readline())
            if result["errors"] or result["requests"] != IDLE:
                raise RuntimeError(f"{proxy.name}: idle connections: {result}")
            return (proxy.memory_kb("Private_Dirty") - before) / IDLE
        finally:
            p.communicate()

    def row_instructions(self):
        """By callgrind, less what a run costs that is half as long: no noise
        at all. Ours in a harness, since the sandbox does not let valgrind in;
        Envoy is too large for it."""
        if not self.wanted("instructions"):
            return
        figures = {"ours": self.collected_by_replay(3000) - self.collected_by_replay(1000)}
        for kind in self.proxies:
            if kind in FLOORS or kind in (proxies.Nginx, proxies.HAProxy):
                figures[column(kind)] = (self.collected_by(kind, 3000)
                                         - self.collected_by(kind, 1000))
        self.add(Line("instructions in user space per request", "",
                      {c: n / 2000 for c, n in figures.items()}, digits=0))
        for kind, routes, most in (("prefix", 100000, 5), ("regex", 1000, 3)):
            many, one = (self.collected_by_replay(3000, n, kind)
                         - self.collected_by_replay(1000, n, kind) for n in (routes, 1))
            self.add(Line(f"the same: added by {routes} {kind} routes against 1", "%",
                          {"ours": (many / one - 1) * 100}, f"{most} %", at_most(most),
                          digits=1, against=()))

    def collected_by_replay(self, requests, routes=1000, kind="prefix"):
        p = subprocess.run(
            ["valgrind", "--tool=callgrind", "--toggle-collect=event_base_loop",
             f"--callgrind-out-file={BUILD}/bench/callgrind.replay",
             BENCH / "replay", str(requests), str(routes), kind],
            capture_output=True, text=True, timeout=300)
        found = re.search(r"Collected : (\d+)", p.stderr)
        if p.returncode or not found:
            raise RuntimeError(f"replay under valgrind: {p.returncode}\n{p.stderr[-2000:]}")
        return int(found.group(1))

    def collected_by(self, kind, requests):
        p = proxies.valgrinded(kind)(Routes("prefix", 1000))
        self.running.append(p)
        try:
            self.load(p.port, p.routes.path("s"), 100, "--connections", 1, "--requests",
                      requests, "--seconds", 120)
            p.process.send_signal(signal.SIGTERM)
            p.process.wait(30)
            found = re.search(r"Collected : (\d+)", p.log_text())
            if not found:
                raise RuntimeError(f"{p.name} under valgrind: {p.log_text()}")
            return int(found.group(1))
        finally:
            self.stop({"": p})

    def row_latency(self, started, routes):
        """At shares of the rate that the slowest reaches. Direct is measured in each
        round, since what disturbs one round disturbs all of it."""
        path = routes.path("s")
        most = min(max(self.load(p.port, path, 100, "--seconds", 0.5)["requests"] * 2
                       for _ in range(4)) for p in started.values())
        for share in (30, 60, 80):
            rate = most * share // 100
            over = {(c, key): [] for c in started for key in LATENCIES}
            for _ in range(max(1, self.rounds // 2)):
                direct = self.latencies(proxies.ORIGIN_PORT, path, rate)
                for c, p in started.items():
                    found = self.latencies(p.port, path, rate)
                    for key in LATENCIES:
                        over[c, key].append(found[key] - direct[key])
            for key in LATENCIES:
                self.add(Line(
                    f"latency over direct, {rate} requests/s ({share} % of what the slowest "
                    f"reaches): {key}", "µs",
                    {c: statistics.median(over[c, key]) for c in started}, digits=0,
                    against=()), routes)

    def latencies(self, port, path, rate):
        result = self.load(port, path, 100, "--seconds", 1, "--rate", rate)
        return {key: result[key + "_us"] for key in LATENCIES}

    def row_publish(self):
        """The daemon's own figures, in a gateway with both CPUs for itself."""
        if not self.wanted("publish"):
            return
        os.sched_setaffinity(0, CPUS)
        try:
            with contextlib.closing(publish.measure(PUBLISHED)) as cases:
                for case, f in cases:
                    if case in ("all new", "one route changed"):
                        self.add(Line(
                            "from control holding the model to the last worker running it, "
                            f"{PUBLISHED} prefix routes, {case}", "ms",
                            {"ours": f["build"] + f["enforce"]}, "300 ms", at_most(300),
                            digits=0, against=()))
                    else:
                        break
        finally:
            os.sched_setaffinity(0, {proxies.LOAD_CPU})

    # ---- the whole

    def run(self):
        origin = proxies.origin_start()
        try:
            self.row_requests()
            self.row_routes()
            self.row_memory()
            self.row_instructions()
            self.row_publish()
        finally:
            for p in list(self.running):
                p.stop()
            origin.kill()
            origin.wait()


def where_of(bench, before):
    versions = ", ".join(f"{p.name} {p.version()}" for p in PEERS if p in bench.proxies)
    return (f"{machine()}; {versions}; "
            f"{bench.rounds} rounds of {bench.seconds:g} s "
            f"({3 * bench.rounds} of judged rows of requests), {bench.disturbed} of "
            f"{bench.measured} disturbed by other programs; {before} before.")


ROWS = ["keep", "first", "10k", "100k", "1m", "post", "close", "syscalls", "latency", "routes",
        "memory", "idle", "instructions", "publish"]


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench http")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--only", nargs="+", choices=ROWS, metavar="ROW")
    options = parser.parse_args()
    if os.cpu_count() < 2:
        sys.exit("bench: needs two CPUs, one for the load and one for the proxy")
    if options.write and (options.only or options.quick):
        sys.exit("bench: --write goes with all rows; leave --only and --quick away")
    before = quiet(options.write)
    (BUILD / "bench").mkdir(exist_ok=True)
    if proxies.files_raise() < IDLE + 2000:
        sys.exit(f"bench: a process must be allowed {IDLE + 2000} open files; see ulimit -Hn")
    os.sched_setaffinity(0, {proxies.LOAD_CPU})
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: stopped"))
    began = time.monotonic()
    bench = Bench(options)
    bench.run()
    rows = [HEAD] + [l.cells() for l in bench.lines]
    where = where_of(bench, before)
    (BUILD / "bench/http.json").write_text(json.dumps(
        {"where": where, "lines": [[l.name, l.unit, l.figures] for l in bench.lines]}, indent=1))
    say("\n" + text_table(rows) + "\n\nmin (median); " + where)
    if options.write:
        document_write("http", rows, where)
        say(f"written to {DOCUMENT.relative_to(TOP)}")
    say(f"{time.monotonic() - began:.0f} s")


main()
