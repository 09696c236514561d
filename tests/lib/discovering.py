"""A gateway whose upstreams are found, and what a drill asks of it: which endpoints
it has now, what it says of itself, and whether anybody who asks all the time ever
fails."""
import http.client
import threading
import time

import e2e
from e2e import wait_until

# Seconds from a change to what comes of it: what no machine needs where nothing else
# runs. It bounds what `judged` takes of many times; the figures are in the line of the
# case.
LATE = 0.5


def patient(seconds):
    """How long to wait for the gateway: in the long form so long. Else three times as
    long, since other work may hold up it, and the servers that it follows."""
    return seconds if e2e.SOAK else 3 * seconds


def replace(path, text):
    """Another content, whole or not at all."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.chmod(0o600)
    new.rename(path)


class Gateway(e2e.Gateway):
    """xdp: the interfaces that the program is attached to, in generic mode."""

    def __init__(self, lab, settings="", xdp=(), **more):
        self.interfaces = xdp
        super().__init__(lab, settings, **more)

    def write_settings(self, extra=None):
        if extra is not None:
            self.extra = extra
        base = self.extra
        interfaces = ", ".join(f"{{ name: {i}, mode: generic }}" for i in self.interfaces)
        xdp = f"  interfaces: [ {interfaces} ]\n" if interfaces else ""
        try:
            # It follows the line of pinPath: this comes first.
            super().write_settings(xdp + base)
        finally:
            self.extra = base

    def set(self, name):
        """The addresses that an upstream has now, without those that drain."""
        return sorted(e["address"] for e in self.item(name)["endpoints"]
                      if e["health"] != "draining")

    def route(self, prefix, upstream, *more, ok=(0, 2)):
        """A Warning of another route, whose upstream went, is none of this one."""
        return super().route(prefix, upstream, *more, ok=ok)

    def item(self, name):
        """What /v1/endpoints says of an upstream; KeyError: there is none of that name."""
        for i in self.get(f"/v1/endpoints?name={name}&limit=65536")["items"]:
            if i["name"] == name:
                return i
        raise KeyError(name)

    def problem(self, name):
        """Why its endpoints may be those of the past; None: they are current."""
        return self.item(name).get("staleReason")

    def status(self, name, kind="upstreams"):
        """(state, reason) of a resource."""
        status = self.get(f"/v1/{kind}/gloo-system/{name}")["status"]
        return status["state"], status.get("reason", "")

    def upstreams(self):
        return {u["metadata"]["name"]: u for u in self.get("/v1/upstreams")["items"]}

    def await_set(self, name, addresses, seconds=5):
        wanted, seen = sorted(addresses), []

        def same():
            seen[:] = self.set(name)
            return seen == wanted
        try:
            wait_until(name, same, seconds)
        except AssertionError as e:
            more, less = sorted(set(seen) - set(wanted)), sorted(set(wanted) - set(seen))
            raise AssertionError(f"{e}; {len(more)} too many: {more[:5]}, {len(less)} missing: "
                                 f"{less[:5]}\n" + self.log_text()[-1500:]) from None

    def ask(self, path, port=8080, **more):
        return e2e.request(self.lab.out, self.lab.address, port, path=path, **more)

    def checked(self, *levels):
        """Lines of `glooctl check` of those levels."""
        return [line for area in self.get("/v1/check")["areas"]
                for level in levels or ("errors", "warnings") for line in area.get(level, [])]

    def stale(self, part="endpoints"):
        """Does it say that a part of what it knows is of the past, and since when?"""
        return any(line.startswith(part + ": ") and "since 20" in line
                   for line in self.checked("errors", "warnings", "notes"))


class Named(e2e.Origin):
    """An origin that answers with its own name and counts how often."""

    def __init__(self, ns, name, address="127.0.0.1", port=0, **more):
        self.name, self.count = name, 0
        super().__init__(ns, self.says, address, port, **more)

    def says(self, request, _connection):
        self.count += 1
        body = self.name.encode()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def shares(gateway, path, count):
    """How many of so many requests each origin answered: {name: number}."""
    found = {}
    for _ in range(count):
        status, _, body = gateway.ask(path)
        e2e.check(status == 200, status, body)
        found[body.decode()] = found.get(body.decode(), 0) + 1
    return found


def await_names(gateway, path, *names, count=24):
    """So many requests in a row get to these and to no others (or such a status).
    A set that is shown
    may be told to the proxy a moment later, when it has changed just before."""
    def seen():
        answers = [gateway.ask(path) for _ in range(count)]
        return {body.decode() if status == 200 else status for status, _, body in answers}
    wait_until(f"{path} to be served by {names}", lambda: seen() == set(names), 5)
    e2e.equal(seen(), set(names))


class Asker(threading.Thread):
    """Asks one path of the gateway again and again over one connection; keeps
    (seconds before, seconds after, status, body) of each, or tells it."""

    def __init__(self, bed, path, told=None, pause=0.0, port=8080):
        super().__init__(daemon=True)
        self.bed, self.path, self.pause, self.port = bed, path, pause, port
        self.answers, self.failed, self.ended = [], [], threading.Event()
        self.told = told or (lambda *a: self.answers.append(a))
        self.start()

    def run(self):
        e2e.setns(self.bed.out)
        c = None
        while not self.ended.is_set():
            begin = time.monotonic()
            try:
                c = c or http.client.HTTPConnection(self.bed.address, self.port,
                                                    timeout=10 * e2e.PATIENCE)
                c.request("GET", self.path)
                r = c.getresponse()
                body = r.read().decode(errors="replace")
                self.told(begin, time.monotonic(), r.status, body)
            except (OSError, http.client.HTTPException) as e:
                self.failed.append((begin, repr(e)))
                c.close()
                c = None
            if self.pause:
                self.ended.wait(self.pause)
        if c:
            c.close()

    def close(self):
        self.ended.set()
        self.join(20)


def spread(samples):
    """"median 1.2, p99 3.4, most 5.6 ms" of seconds; and p99 in seconds."""
    s = sorted(samples)
    p99 = s[min(len(s) - 1, int(len(s) * 0.99))]
    return (f"median {s[len(s) // 2] * 1000:.1f}, p99 {p99 * 1000:.1f}, "
            f"most {s[-1] * 1000:.1f} ms of {len(s)}"), p99


def judged(samples):
    """Which of these times a bound is for: p99 in the long form (of less than a hundred
    that is the longest), else the one in the middle (see e2e.SOAK)."""
    return spread(samples)[1] if e2e.SOAK else sorted(samples)[len(samples) // 2]
