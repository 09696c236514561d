#!/usr/bin/python3
"""How long a generation takes from control holding the models to the last
worker running them, in a gateway of its own: one virtual service of 1, 1000 or
100 000 prefix routes, one route of it changed, and a route changed in another
service beside it. The figures are the daemon's own (/metrics); `read` is the
whole PUT with the document read, checked and answered, which is not part of
them. Prints one line per case; root, because of the namespaces.

    tests/bench/publish.py [routes...]
"""
import json
import sys
import time

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e

ROUNDS = 4
# A PUT of 14 MB takes seconds, on a busy machine many.
e2e.PATIENCE = max(e2e.PATIENCE, 6)


def service(name, domains, routes, changed=None):
    """A virtual service of that many prefix routes."""
    def route(i):
        prefix = f"/team{i % 97}/service{i}/"
        if i == changed:
            prefix = f"/changed{time.monotonic_ns()}/"
        return {"matchers": [{"prefix": prefix}],
                "routeAction": {"single": {"upstream": {
                    "name": "origin", "namespace": "gloo-system"}}}}
    return {"metadata": {"name": name, "namespace": "gloo-system"},
            "virtualHost": {"domains": domains,
                            "routes": [route(i) for i in range(routes)]}}


def put(gateway, vs):
    """Stores vs; milliseconds: read, build, enforce; and the image's size."""
    body = json.dumps(vs)
    start = time.monotonic()
    status, text = gateway.api(
        "PUT", "/v1/virtualservices/gloo-system/" + vs["metadata"]["name"], body)
    took = (time.monotonic() - start) * 1000
    if status not in (200, 202):
        raise AssertionError(f"PUT: {status} {text[:300]}")
    e2e.wait_until("the generation to be enforced", lambda: gateway.metric(
        "gloo_gateway_generation") == gateway.metric("gloo_gateway_generation_enforced"), 60)
    m = gateway.metrics()
    return {"read": took,
            "build": m["gloo_gateway_generation_build_us"] / 1000,
            "enforce": m["gloo_gateway_generation_enforce_us"] / 1000,
            "bytes": m["gloo_gateway_generation_bytes"]}


def rollup(gateway, what):
    """Megabytes of both processes together."""
    return sum(e2e.memory_kb(pid, what)
               for pid in (gateway.process.pid, gateway.proxy_pid())) / 1000


def idle_memory(gateway):
    """{what: MB} once control has given back what it freed."""
    seen = []
    def steady():
        seen.append(rollup(gateway, "Pss"))
        return len(seen) > 150 and seen[-1] == seen[-100]
    e2e.wait_until("memory to be steady", steady, 30)
    return {what: rollup(gateway, what) for what in ("Pss", "Private_Dirty", "Rss")}


def peak(gateway, change):
    """Megabytes resident at most, both together, while change() runs."""
    pids = (gateway.process.pid, gateway.proxy_pid())
    for pid in pids:
        with open(f"/proc/{pid}/clear_refs", "w") as f:
            f.write("5")
    change()
    return sum(int(line.split()[1]) for pid in pids
               for line in open(f"/proc/{pid}/status") if line.startswith("VmHWM")) / 1000


def cases(gateway, routes):
    """(case, figures) for a table of that many routes; the best of ROUNDS."""
    def best(make, before=None):
        def once():
            if before:
                before()
            return put(gateway, make())
        return min((once() for _ in range(ROUNDS)), key=lambda f: f["build"] + f["enforce"])
    gateway.upstream("origin", "127.0.0.1:7000")
    yield "all new", best(lambda: service("big", ["*"], routes),
                          lambda: put(gateway, service("big", ["*"], 1)))
    yield "one route changed", best(
        lambda: service("big", ["*"], routes, changed=routes // 2))
    yield "one route beside it changed", best(
        lambda: service("small", ["small.example"], 2, changed=1))
    idle = idle_memory(gateway)
    most = peak(gateway, lambda: put(gateway, service("big", ["*"], routes, changed=0)))
    idle_memory(gateway)
    beside = peak(gateway, lambda: put(gateway, service(
        "small", ["small.example"], 2, changed=0)))
    yield "memory", (f"idle PSS {idle['Pss']:.1f} MB, private dirty "
                     f"{idle['Private_Dirty']:.1f} MB; resident at most when it is changed "
                     f"x{most / idle['Rss']:.2f}, one beside it x{beside / idle['Rss']:.2f}")


def measure(routes):
    lab = e2e.Lab()
    try:
        gateway = e2e.Gateway(lab, workers=1).start()
        try:
            yield from cases(gateway, routes)
        finally:
            gateway.close()
    finally:
        lab.close()


def main():
    counts = [int(a) for a in sys.argv[1:]] or [1, 1000, 100000]
    print("  routes  case                          build ms  enforce ms  "
          "together   image MB  (PUT in all)")
    for routes in counts:
        for case, f in measure(routes):
            if case == "memory":
                print(f"{routes:8}  {case}: {f}", flush=True)
                continue
            print(f"{routes:8}  {case:28}  {f['build']:8.2f}  {f['enforce']:10.2f}  "
                  f"{f['build'] + f['enforce']:8.2f}  {f['bytes'] / 1e6:9.2f}  "
                  f"({f['read']:.0f} ms)", flush=True)


if __name__ == "__main__":
    main()
