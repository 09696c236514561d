"""CPU time of a proxy per request, in rounds that are interleaved: what is compared ran
one after the other. See bench_http.py for what is charged to whom."""
import json
import os
import subprocess
import sys

import proxies
from proxies import BENCH

# A round in which the proxy had to wait for its CPU for more than this part of
# its work is measured again: another program was there.
DISTURBED = 0.02

# Percent of the CPUs that other programs may take before figures that are kept.
BUSY_MOST = 10
BUSY_SECONDS = 2


def quiet(write):
    """What the machine does before the measurement, for the document. One that is not
    quiet is told of; its figures are not to be written. The load average does not decide:
    it remembers for minutes the build that scripts/bench has just made."""
    last = subprocess.check_output(["vmstat", str(BUSY_SECONDS), "2"], text=True).splitlines()[-1]
    idle, waits = map(int, last.split()[14:16])
    share = 100 - idle - waits
    if share > BUSY_MOST:
        what = f"other programs take {share} % of the CPUs, more than {BUSY_MOST} %"
        if write:
            sys.exit(f"bench: {what}: nothing would be worth writing; wait for them or end "
                     "them (see top), or leave --write away")
        print(f"warning: {what}, and spoil the figures", flush=True)
    return f"load average {os.getloadavg()[0]:.1f}, {share} % of the CPUs busy"


class Measure:
    """rounds of so many seconds; measured, disturbed: rounds there were, and those that
    stayed disturbed."""

    def __init__(self, rounds, seconds):
        self.rounds, self.seconds = rounds, seconds
        self.measured = self.disturbed = self.patience = 0

    @staticmethod
    def load(port, path, expect, *more):
        """The generator's figures; wrong answers end the benchmark."""
        p = subprocess.run(
            [BENCH / "generate", str(port), path, str(expect)] + [str(m) for m in more],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=180,
            preexec_fn=proxies.on_cpu(proxies.LOAD_CPU))
        result = json.loads(p.stdout) if p.stdout else {"errors": 1, "error": "it crashed"}
        if result["errors"]:
            raise RuntimeError(f"load on port {port}, {path}: {result}")
        return result

    def cpu_us(self, proxy, path, expect, *more):
        while True:
            run, waited = proxy.cpu_ns()
            result = self.load(proxy.port, path, expect, *more)
            after = proxy.cpu_ns()
            run, waited = after[0] - run, after[1] - waited
            disturbed = waited > run * DISTURBED
            if not disturbed or self.patience == 0:
                break
            self.patience -= 1
        self.disturbed += disturbed
        self.measured += 1
        return run / 1000 / result["requests"]

    def interleaved(self, cases, expect, *more, times=1):
        """{case: [µs per round]}; cases: {case: (proxy, path)}."""
        figures = {case: [] for case in cases}
        rounds = max(1, int(self.rounds * times))
        self.patience = len(cases) * rounds // 2
        for n in range(-1, rounds):  # the first warms up
            for case, (proxy, path) in cases.items():
                seconds = 0.2 if n < 0 else self.seconds
                us = self.cpu_us(proxy, path, expect, "--seconds", seconds, *more)
                if n >= 0:
                    figures[case].append(us)
        return figures
