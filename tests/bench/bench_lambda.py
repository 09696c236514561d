#!/usr/bin/python3
"""What a call of a Lambda function costs the gateway beside a plain request, on this
machine. Run by scripts/bench, in a network namespace of its own.

Both are POSTs of 1 KB to the same gateway with one worker, which the same origin answers
with 100 bytes over HTTP; so the ratio is what the call adds: the body collected and
hashed, the signature, the event. CPU time as in bench_http.py, rounds interleaved. The
signer by itself is tests/bench/sign."""
import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time

import proxies
from document import DOCUMENT, document_write, machine, text_table
from measure import Measure, quiet
from proxies import BENCH, BUILD, TOP, Gateway, Routes

BODY, ANSWER = 1024, 100  # bytes
SIGNER_US = 5  # at most, with a kept key

# Of each row: its name, the route's path, what its destination says beside the function.
CALLS = [
    ("call of Lambda, the body as it is", "/raw", {}),
    ("call of Lambda, as an event of API Gateway", "/event", {"wrapAsApiGateway": True}),
    ("call of Lambda, as an event of HTTP APIs", "/event2",
     {"wrapAsApiGateway": True, "payloadFormatVersion": "2.0"}),
]
PLAIN = "plain request"


class Caller(Gateway):
    """The gateway of bench_http.py, with an upstream of kind aws at the same origin."""

    def command(self):
        argv = super().command()
        self.write("config/upstreams/gloo-system/fn.yaml", {
            "metadata": {"name": "fn", "namespace": "gloo-system"},
            "upstreamSpec": {"aws": {
                "region": "us-east-2", "secretRef": {"name": "aws", "namespace": "gloo-system"},
                "endpointUrl": f"http://127.0.0.1:{proxies.ORIGIN_PORT}"}}})
        self.write("secrets/gloo-system/aws.yaml", {
            "metadata": {"name": "aws", "namespace": "gloo-system"},
            "aws": {"accessKey": "AKIDEXAMPLE", "sessionToken": "t" * 900,
                    "secretKey": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}}, 0o600)
        self.write("config/virtualservices/gloo-system/calls.yaml", {
            "metadata": {"name": "calls", "namespace": "gloo-system"},
            "virtualHost": {"domains": ["bench.example.com", "127.0.0.1"],
                            "routes": [
                self.route("/plain", "origin", None),
                *(self.route(path, "fn", {"aws": {"logicalName": "s", **spec}})
                  for _, path, spec in CALLS),
                # The rest is as in the benchmark of HTTP.
                {**self.route(self.routes.path(""), "origin", None),
                 "options": {"prefixRewrite": "/"}}]}})
        return argv

    def write(self, name, document, mode=0o644):
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        path.write_text(json.dumps(document))
        path.chmod(mode)

    @staticmethod
    def route(prefix, upstream, spec):
        single = {"upstream": {"name": upstream, "namespace": "gloo-system"}}
        if spec:
            single["destinationSpec"] = spec
        return {"matchers": [{"prefix": prefix}], "routeAction": {"single": single}}

    def is_up(self):
        return super().is_up() and proxies.get(self.port, "/event")[0] == 200

    def check_work(self):
        """What reached the origin is a call, signed."""
        status, _, sent = proxies.get(self.port, "/event/h")
        if status != 200:
            raise RuntimeError(f"a call is answered with {status}: {sent}")


def signer():
    """(with a kept key, with a new one), µs."""
    p = subprocess.run([BENCH / "sign", "20000", str(BODY)], stdout=subprocess.PIPE, text=True,
                       timeout=60, check=True, preexec_fn=proxies.on_cpu(proxies.PROXY_CPU))
    return [float(us) for us in re.findall(r"([\d.]+) us", p.stdout)]


def rows_of(figures, sign):
    plain, rows = figures[PLAIN], [["figure", "µs", "of a plain request", "to reach"]]
    for name, f in figures.items():
        ratio = statistics.median(a / b for a, b in zip(f, plain))
        rows.append([f"{name}, POST of 1 KB, keep-alive, 64 connections",
                     f"{min(f):.2f} ({statistics.median(f):.2f})",
                     f"{min(f) / min(plain):.2f} ({ratio:.2f})", "-"])
    for what, us, most in (("key kept", sign[0], SIGNER_US), ("new key", sign[1], None)):
        rows.append([f"signature alone, body of 1 KB, {what}", f"{us:.2f}",
                     f"{us / min(plain):.2f}",
                     "-" if most is None else
                     f"{most} µs: " + ("reached" if us <= most else "**not yet**")])
    return rows


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench lambda")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--rounds", type=int, default=16)
    options = parser.parse_args()
    if os.cpu_count() < 2:
        sys.exit("bench: needs two CPUs, one for the load and one for the proxy")
    before = quiet(options.write)
    proxies.files_raise()
    os.sched_setaffinity(0, {proxies.LOAD_CPU})
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: stopped"))
    began, measure = time.monotonic(), Measure(options.rounds, 0.5)
    origin, gateway = proxies.origin_start(), None
    try:
        gateway = Caller(Routes("prefix", 1))
        cases = {PLAIN: (gateway, "/plain/s")}
        cases.update({name: (gateway, path) for name, path, _ in CALLS})
        figures = measure.interleaved(cases, ANSWER, "--body", BODY)
        sign = signer()
    finally:
        if gateway:
            gateway.stop()
        origin.kill()
        origin.wait()
    rows = rows_of(figures, sign)
    where = (f"{machine()}; {measure.rounds} rounds of {measure.seconds:g} s, "
             f"{measure.disturbed} of {measure.measured} disturbed by other programs; "
             f"{before} before.")
    (BUILD / "bench").mkdir(exist_ok=True)
    (BUILD / "bench/lambda.json").write_text(json.dumps(
        {"where": where, "figures": figures, "signer": sign}, indent=1))
    print(text_table(rows) + "\n\nmin (median); " + where)
    if options.write:
        document_write("lambda", rows, where)
        print(f"written to {DOCUMENT.relative_to(TOP)}")
    print(f"{time.monotonic() - began:.0f} s")


main()
