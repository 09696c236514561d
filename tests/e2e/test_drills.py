"""What must survive: the proxy killed, control killed, a thousand route
changes, under load with bodies that carry id and checksum. Without systemd;
tests/interop/test_systemd.py does the same with the real unit."""
# alone: the longest time without an answer is judged
import os
import signal
import socket
import sys
import time

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import equal, check

RATE = 400 if e2e.SANITIZED else 1500


class Drill:
    def __init__(self):
        self.lab = e2e.Lab()
        self.origin = e2e.echo_origin(self.lab)
        self.gateway = e2e.Gateway(self.lab, xdp=True).start()
        self.gateway.upstream("echo", "127.0.0.1:7000")
        self.gateway.route("/echo", "echo")


def setup():
    return Drill()


def teardown(d):
    try:
        d.gateway.close()
    finally:
        d.origin.terminate()
        d.origin.wait()
        d.lab.close()


def figures(f):
    return ", ".join(f"{k} {f[k]}" for k in ("ok", "refused", "reset", "closed", "status",
                                              "wrong", "timeout", "gap_ms", "rate"))


def after(d, load, requests):
    """Waits until that many more requests were answered through the gateway."""
    m = lambda: d.gateway.metric("gloo_gateway_listener_responses_2xx")
    start = m()
    e2e.wait_until(f"{requests} requests", lambda: m() - start >= requests, 30)


def test_steady(d):
    """under plain load nothing fails"""
    load = e2e.Load(d.lab, rate=RATE, seconds=3)
    f = load.finish()
    equal((f["refused"], f["reset"], f["closed"], f["status"], f["wrong"], f["timeout"]),
          (0,) * 6, figures(f))
    return figures(f)


def test_kill_proxy(d):
    """kill -9 of the proxy: none refused, mostly (--soak: always) back in < 200 ms, XDP stays"""
    gaps = []
    for i in range(3):
        load = e2e.Load(d.lab, rate=RATE)
        try:
            after(d, load, RATE)
            pid = d.gateway.proxy_pid()
            os.kill(pid, signal.SIGKILL)
            e2e.wait_until("a new proxy", lambda: d.gateway.proxy_pid() not in (0, pid))
            d.gateway.wait_ready()
            after(d, load, RATE)
        finally:
            f = load.stop()
        equal((f["refused"], f["wrong"], f["timeout"], f["status"]), (0, 0, 0, 0), figures(f))
        check(f["reset"] + f["closed"] <= 16, "only what was in flight may fail:", figures(f))
        gaps.append(f["gap_ms"])
    # Other work alone makes gaps of 100 ms and more: one of three may have met it.
    judged = max(gaps) if e2e.SOAK else sorted(gaps)[1]
    check(judged < 200 * e2e.PATIENCE, "longest gaps:", gaps)
    equal(d.gateway.get("/v1/status")["kernel"]["state"], "enforced")
    return f"gaps {', '.join(f'{g:.1f}' for g in gaps)} ms; {figures(f)}"


def test_kill_control(d):
    """kill -9 of control: no failed request, the next control takes the proxy over"""
    load = e2e.Load(d.lab, rate=RATE)
    try:
        after(d, load, RATE)
        pid = d.gateway.proxy_pid()
        for i in range(3):
            d.gateway.process.kill()
            d.gateway.process.wait()
            d.gateway.start()
            equal(d.gateway.proxy_pid(), pid, "the proxy was adopted")
            after(d, load, RATE // 2)
    finally:
        f = load.stop()
    equal((f["refused"], f["reset"], f["closed"], f["status"], f["wrong"], f["timeout"]),
          (0,) * 6, figures(f))
    d.gateway.route("/other", "echo")
    equal(e2e.request(d.lab.out, d.lab.address, 8080, path="/other/x")[2], b"/other/x")
    return figures(f)


def test_kill_both(d):
    """kill -9 of both: a new start serves again with what was enforced"""
    pid = d.gateway.proxy_pid()
    d.gateway.process.kill()
    d.gateway.process.wait()
    os.kill(pid, signal.SIGKILL)
    d.gateway.start()
    equal(e2e.request(d.lab.out, d.lab.address, 8080, path="/echo/x")[2], b"/echo/x")


def test_route_changes(d):
    """route changes, one each 20 ms, each tenth with another upstream: nothing fails or closes"""
    changes = 1000 if os.environ.get("GG_FULL") == "1" else 200
    vs = d.gateway.get("/v1/virtualservices/gloo-system/default")
    other = e2e.echo_origin(d.lab, 7001)
    proxy, control = d.gateway.proxy_pid(), d.gateway.process.pid
    def make(i):
        route = {"matchers": [{"prefix": f"/changing/{i:04d}"}],
                 "routeAction": {"single": {"upstream": {"name": "echo",
                                                         "namespace": "gloo-system"}}}}
        return {"metadata": {"name": "default", "namespace": "gloo-system"},
                "virtualHost": {"domains": ["*"],
                                "routes": vs["virtualHost"]["routes"][:1] + [route]}}
    # What is resident is code, too, that comes in when first it is needed, which on a
    # busy machine may be late. What the proxy made itself moves by some 100 kB under load;
    # a fifth of it is 350 bytes a change.
    what, most = ("Rss", 1.02) if e2e.SOAK else ("Anonymous", 1.2)
    def memory():
        return tuple(min(e2e.memory_kb(pid, what) for _ in range(3)) for pid in (control, proxy))
    upstream = lambda i: e2e.static_upstream(
        "echo", 7000, *([7001] if i % 20 == 0 else []))
    load = e2e.Load(d.lab, rate=RATE, seconds=180)
    try:
        after(d, load, RATE)
        first_took = e2e.change_routes(d.gateway.socket, "default", make, changes // 10,
                                       also=upstream)
        first = memory()
        took = e2e.change_routes(d.gateway.socket, "default", lambda i: make(i + changes // 10),
                                 changes - changes // 10, also=upstream)
        last = memory()
    finally:
        f = load.stop()
        other.terminate()
        other.wait()
    note = (f"{changes} changes, control {first[0]} -> {last[0]} kB, proxy {first[1]} -> "
            f"{last[1]} kB in {first_took + took:.1f} s; {figures(f)}")
    equal((f["refused"], f["reset"], f["closed"], f["status"], f["wrong"], f["timeout"]),
          (0,) * 6, note)
    equal(f["announced_close"], 0, "no connection closed: " + note)
    if not e2e.SANITIZED:
        # Half of it where the gateway has to share its processors: a client waits
        # for the verdict before its next change.
        pace = 0.02 if e2e.SOAK else 0.04
        check(took < changes * pace + 3 * e2e.PATIENCE, "the changes kept their pace:", note)
        for a, b in zip(first, last) if changes == 1000 else ():
            check(b <= a * most, "memory grew:", note)
    e2e.wait_until("the last route", lambda: e2e.request(
        d.lab.out, d.lab.address, 8080, path="/changing/")[0] in (200, 404))
    equal(d.gateway.proxy_pid(), proxy)
    return note


def given_back(memory):
    """memory() once control has given back what it freed: when nothing has changed
    for 2 s. Sanitizers keep it."""
    return memory() if e2e.SANITIZED else e2e.await_steady("memory", memory, 2)


def test_old_images_are_freed(d):
    """200 changes of a service of 1000 routes: no old image, memory and descriptors stay"""
    changes = 200 if not e2e.SANITIZED else 40
    proxy, control = d.gateway.proxy_pid(), d.gateway.process.pid
    name = "/v1/virtualservices/gloo-system/thousand"
    def route(prefix):
        return {"matchers": [{"prefix": prefix}],
                "routeAction": {"single": {"upstream": {"name": "echo",
                                                        "namespace": "gloo-system"}}}}
    routes = [route(f"/team{i % 17}/service{i}/") for i in range(1000)]
    def change(i):
        routes[i % 1000] = route(f"/changed/{i}/")
        status, text = d.gateway.api("PUT", name, {
            "metadata": {"name": "thousand", "namespace": "gloo-system"},
            "virtualHost": {"domains": ["thousand.example"], "routes": routes}})
        equal(status, 200, text[:300])
    def images(pid):
        return sum("gg-image" in line for line in open(f"/proc/{pid}/maps"))
    def held():
        return tuple(len(os.listdir(f"/proc/{pid}/fd")) for pid in (control, proxy))
    def memory():
        return e2e.memory_kb(control), e2e.memory_kb(proxy)
    def settled():
        return images(proxy) == 1 and images(control) == 1
    for i in range(changes // 5):
        change(i)
    e2e.wait_until("old images to go", settled)
    first, first_held = given_back(memory), held()
    for i in range(changes // 5, changes):
        change(i)
    e2e.wait_until("old images to go", settled)
    last = given_back(memory)
    note = f"control {first[0]} -> {last[0]} kB, proxy {first[1]} -> {last[1]} kB"
    # The admin connection of the last look may still be closing.
    check(all(b <= a + 1 for a, b in zip(first_held, held())), "descriptors:", first_held,
          held())
    equal(e2e.request(d.lab.out, d.lab.address, 8080, path=f"/changed/{changes - 1}/x",
                      headers={"Host": "thousand.example"})[0], 200)
    equal(d.gateway.api("DELETE", name)[0], 200)
    if not e2e.SANITIZED:
        for a, b in zip(first, last):
            check(b <= a * 1.1, "memory grew:", note)
    return note


def test_sighup(d):
    """SIGHUP re-reads settings; a broken file leaves what ran"""
    settings = (d.gateway.dir / "settings.yaml").read_text()
    (d.gateway.dir / "settings.yaml").write_text("admin: [ 1\n")
    d.gateway.process.send_signal(signal.SIGHUP)
    e2e.wait_until("an error in the log", lambda: "settings.yaml" in d.gateway.log_text())
    equal(e2e.request(d.lab.out, d.lab.address, 8080, path="/echo/x")[2], b"/echo/x")
    (d.gateway.dir / "settings.yaml").write_text(settings)
    d.gateway.process.send_signal(signal.SIGHUP)
    equal(e2e.request(d.lab.out, d.lab.address, 8080, path="/echo/x")[2], b"/echo/x")


def test_access_log_reopened(d):
    """SIGUSR1 reopens the access log after a rotation"""
    old = d.gateway.access.with_suffix(".1")
    d.gateway.access.rename(old)
    d.gateway.process.send_signal(signal.SIGUSR1)
    def rotated():
        e2e.request(d.lab.out, d.lab.address, 8080, path="/echo/rotated")
        return any(l["path"] == "/echo/rotated" for l in d.gateway.access_lines())
    e2e.wait_until("a line in the new file", rotated)


def answer(s):
    """One answer without a body, or with one of Content-Length."""
    got = b""
    while b"\r\n\r\n" not in got:
        part = s.recv(65536)
        check(part, "the connection ended:", got)
        got += part
    head, _, body = got.partition(b"\r\n\r\n")
    head = head.lower()
    want = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
    while len(body) < want:
        part = s.recv(65536)
        check(part, "cut:", got)
        body += part
    return head, body


def test_sigterm_drains(d):
    """SIGTERM: red at once, serving for stopDelay, then closing, refusing, and a deadline"""
    delay, deadline = 2, 4
    d.gateway.write_settings(f"proxy: {{ workers: 2, stopDelay: {delay}s, "
                             f"drainTimeout: {deadline}s }}\n")
    reloads = d.gateway.log_text().count("reloading")
    d.gateway.process.send_signal(signal.SIGHUP)
    e2e.wait_until("the reload", lambda: d.gateway.log_text().count("reloading") > reloads)
    d.gateway.wait_ready()
    proxy = d.gateway.proxy_pid()

    def connect():
        with e2e.Namespace(d.lab.out):
            return socket.create_connection((d.lab.address, 8080), timeout=20 * e2e.PATIENCE)
    post = b"POST /echo/slow HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n1234"
    get = b"GET /echo/kept HTTP/1.1\r\nHost: x\r\n\r\n"
    working, stuck, kept, idle = (connect() for _ in range(4))
    working.sendall(post)
    stuck.sendall(post)
    for s in (kept, idle):
        s.sendall(get)
        check(b"connection: close" not in answer(s)[0])
    e2e.wait_until("two requests to be in work", lambda: d.gateway.metric(
        "gloo_gateway_listener_requests_active") == 2)

    start = time.monotonic()
    d.gateway.process.terminate()
    e2e.wait_until("readiness to turn red", lambda: d.gateway.api("GET", "/readyz")[0] == 503)
    red = time.monotonic() - start
    check(red < 0.5 * e2e.PATIENCE, "red after", red)
    served = 0
    while True:
        try:
            s = connect()
        except ConnectionRefusedError:
            break
        try:
            s.sendall(get)
            head, body = answer(s)
        except (ConnectionResetError, BrokenPipeError, AssertionError):
            break  # the last ones in the queue, when the sockets are closed
        check(head.startswith(b"http/1.1 200") and body == b"/echo/kept", head)
        served += b"connection: close" not in head
        s.close()
    refusing = time.monotonic() - start
    check(delay - 0.1 < refusing < delay + 1 * e2e.PATIENCE, "refused after", refusing)
    check(served > 0, "new connections are served while stopDelay passes")
    kept.sendall(get)
    head, body = answer(kept)
    check(body == b"/echo/kept" and b"connection: close" in head, head)
    equal(kept.recv(1), b"")
    working.sendall(b"5678")
    head, body = answer(working)
    check(body == b"12345678" and b"connection: close" in head, head, body)
    equal(idle.recv(1), b"", "an idle connection is closed")
    idle_after = time.monotonic() - start
    check(idle_after < delay + 2.5 * e2e.PATIENCE, idle_after)
    try:
        got = stuck.recv(100)
    except ConnectionResetError:
        got = b""
    equal(got, b"", "what does not end is cut off")
    cut = time.monotonic() - start
    check(delay + deadline - 0.2 < cut < delay + deadline + 2 * e2e.PATIENCE, "cut after", cut)
    equal(d.gateway.process.wait(10 * e2e.PATIENCE), 0)
    check(not os.path.exists(f"/proc/{proxy}"), "the proxy ended too")
    return (f"red {red * 1000:.0f} ms, {served} served meanwhile, refusing {refusing:.1f} s, "
            f"deadline {cut:.1f} s")


if __name__ == "__main__":
    e2e.main(globals())
