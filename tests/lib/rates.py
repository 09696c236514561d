"""A gateway before clients of many addresses, and what it says of rate limits."""
import json
import time

import e2e
from e2e import check, equal, run


class Rates:
    """Clients have 10.98.0.2 up to that of last; upstream "origin" answers."""

    def __init__(self, last, settings="", **more):
        self.lab = e2e.Lab()
        for n in range(3, last + 1):
            run("ip", "addr", "add", f"10.98.0.{n}/24", "dev", "eth0", ns=self.lab.out)
        self.gateway = e2e.Gateway(self.lab, settings, **more).start()
        self.origin = e2e.Origin(self.lab.gw)
        self.gateway.upstream("origin", self.origin.host)

    def close(self):
        try:
            self.gateway.close()
        finally:
            self.origin.close()
            self.lab.close()

    def gateway_put(self, name, port, *rules):
        """(status, verdict) of a Gateway with these rules."""
        status, text = self.gateway.api("PUT", f"/v1/gateways/gloo-system/{name}", {
            "metadata": {"name": name, "namespace": "gloo-system"}, "bindPort": port,
            "options": {"rateLimits": list(rules)}})
        return status, json.loads(text)

    def limits(self, **wanted):
        return [i for i in self.gateway.get("/v1/limits")["items"]
                if all(i.get(k) == v for k, v in wanted.items())]

    def blocked(self):
        return {i["source"]: i for i in self.gateway.get("/v1/blocked")["items"]}


def ask_until_refused(ask):
    """Of a limit of 100 a minute that nothing of was used: as many are answered 200, and
    one more for each 0.6 s that it takes; then comes a 429. ask() gives a status. Returns
    how many passed, and the seconds."""
    statuses, began = [], time.monotonic()
    while 429 not in statuses:
        statuses.append(ask())
        took = time.monotonic() - began
        check(len(statuses) <= 101 + int(took / 0.6), len(statuses), "in", took)
    passed = len(statuses) - 1
    equal(statuses, [200] * passed + [429])
    check(passed >= 100, passed, "pass")
    return passed, took
