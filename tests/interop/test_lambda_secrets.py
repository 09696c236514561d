"""Secrets of AWS keys: missing, half, expired, replaced: the route answers 503 with a
sentence, the upstream says Warning, all others go on. Nobody is ever shown a value, no
process leaves one behind, and the proxy has what a route needs and no more."""
import os
import pathlib
import sys

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import check, equal, wait_until
from lambda_bed import Bed

REASON = "x-gloo-gateway-reason"


class Drill(Bed):
    def __init__(self):
        super().__init__()
        self.said = []
        self.routes(*self.ways())
        self.ready("/good")

    def ways(self, *names):
        """/NAME of each upstream, and that which is always good."""
        return [self.way("/good", "echo"), *(self.way("/" + n, "echo", n) for n in names)]

    def begin(self, more=""):
        super().begin("logLevel: debug\n")

    def goes_on(self):
        """Who asked all the time for what is good was served."""
        return f"{self.all_served()} others served"


def setup():
    return Drill()


def teardown(d):
    try:
        equal(d.fake.broken, [])
        d.nothing_shown()
    finally:
        d.close()


def test_missing(d):
    """there is no such secret: 503, Warning; it works when the secret comes"""
    d.ask_always("/good")
    d.upstream("missing", secret="absent")
    d.routes(*d.ways("missing"))
    check(b"absent" in d.answers("/missing", 503)[1], "it does not say which")
    line = d.line("/missing", 503)
    check(line["reason"] == "route_unavailable" and "absent" in line["detail"], line)
    why = d.await_state("Warning", "absent", "missing")
    check(any("absent" in line for line in d.gateway.checked()), d.gateway.checked())
    d.put_secret("absent", d.keys)
    d.ready("/missing")
    d.await_state("Accepted", "", "missing")
    return f"{why}; {d.goes_on()}"


def test_deleted(d):
    """the secret is taken away: what is known of the upstream stays, and it says so"""
    d.ask_always("/good")
    d.gateway.glooctl("delete", "secret", "absent", ok=None)
    d.await_state("Warning", "absent", "missing")
    d.put_secret("absent", d.keys)
    d.ready("/missing")
    return d.goes_on()


def test_half(d):
    """half a key: refused when it is written, or 503 and a sentence; others go on"""
    d.ask_always("/good")
    verdicts = []
    for values in ({"accessKey": "AKIAHALF000000000001"}, {"secretKey": "half+secret/0123456789"},
                   {"accessKey": "AKIAHALF000000000001", "secretKey": ""},
                   {"accessKey": "a\nb", "secretKey": "half+secret/0123456789"}):
        status, text = d.gateway.api("PUT", "/v1/secrets/gloo-system/half", {
            "metadata": {"name": "half", "namespace": "gloo-system"}, "aws": values})
        check("half+secret" not in text, text)
        verdicts.append(status)
        if status == 200:
            d.upstream("half", secret="half")
            d.routes(*d.ways("half"))
            fields, _ = d.answers("/half", 503)
            equal(fields[REASON], "no_credentials")
            d.await_state("Warning", "", "half")
        else:
            equal(status, 422, text)
            check(len(text) > 40, text)
    return f"{verdicts}; {d.goes_on()}"


def test_half_by_hand(d):
    """the same, written into the folder: that secret alone is Rejected"""
    d.ask_always("/good")
    d.upstream("hand", secret="hand")
    d.routes(*d.ways("hand"))
    path = pathlib.Path(d.gateway.dir, "secrets/gloo-system/hand.yaml")
    path.write_text("metadata: {name: hand, namespace: gloo-system}\n"
                    "aws: {secretKey: half+secret/0123456789}\n")
    path.chmod(0o600)
    d.answers("/hand", 503)
    d.await_state("Warning", "hand", "hand")
    path.write_text("metadata: {name: hand, namespace: gloo-system}\n"
                    f"aws: {{accessKey: {d.keys.access}, secretKey: {d.keys.secret}}}\n")
    d.ready("/hand")
    return d.goes_on()


def test_expired(d):
    """a session that has expired: 503, a Warning; the next secret is used at once"""
    d.ask_always("/good")
    old = d.accounts.issue(-1, "expired")
    d.put_secret("session", old)
    d.upstream("session", secret="session")
    d.routes(*d.ways("session"))
    fields, _ = d.answers("/session", 503)
    equal(fields[REASON], "credentials_refused")
    why = d.await_state("Warning", "refuse", "session")
    d.put_secret("session", d.accounts.issue(3600, "fresh"))
    # What was refused is asked for again in ten seconds; this does not wait for that.
    wait_until("the new session", lambda: d.ask("/session")[0] == 200, 5)
    d.await_state("Accepted", "", "session")
    return f"{why}; {d.goes_on()}"


def test_rotated(d):
    """keys that are replaced every 100 ms, the former revoked: no request fails"""
    d.put_secret("turns", d.accounts.issue(3600))
    d.upstream("turns", secret="turns")
    d.routes(*d.ways("turns"))
    d.ready("/turns")
    d.ask_always("/turns", 0.002)
    former = None
    for _ in range(10):
        k = d.accounts.issue(3600)
        d.put_secret("turns", k)
        wait_until("the new key", lambda: d.fake.calls[-1].keys is k, 5)
        if former:
            d.accounts.revoke(former.access)
            d.accounts.add(former.access + "X", former.secret, former.token)  # still hidden
        former = k
    return f"{d.all_served()} requests"


def test_only_where_needed(d):
    """the proxy has keys while a route leads to their upstream, and not before or after"""
    k = d.accounts.issue(3600)
    pid = d.gateway.proxy_pid()
    d.put_secret("near", k)
    d.upstream("near", secret="near")
    needle = k.secret.encode()
    check(not e2e.memory_has(pid, needle), "the proxy has keys that no route needs")
    d.routes(*d.ways("near"))
    d.ready("/near")
    check(e2e.memory_has(pid, needle), "they are not found where they are: this cannot tell")
    d.routes(*d.ways())
    wait_until("the proxy to forget them", lambda: not e2e.memory_has(pid, needle), 10)
    equal(d.gateway.proxy_pid(), pid)


def test_new_proxy(d):
    """a proxy that is killed: the next one has the keys again"""
    pid = d.gateway.proxy_pid()
    os.kill(pid, 9)
    wait_until("another proxy", lambda: d.gateway.proxy_pid() not in (0, None, pid), 10)
    d.ready("/good")


def test_dumps(d):
    """both processes leave no core, and nobody may read their memory or attach"""
    for pid in (d.gateway.process.pid, d.gateway.proxy_pid()):
        limits = open(f"/proc/{pid}/limits").read()
        line = [x for x in limits.splitlines() if x.startswith("Max core file size")][0]
        equal(line.split()[4:6], ["0", "0"], line)
        # What may not be dumped belongs to root, whoever it runs as.
        equal(os.stat(f"/proc/{pid}/mem").st_uid, 0)


def test_files(d):
    """files of secrets alone hold values, 0600 in folders of 0700"""
    hidden = [v.encode() for v in d.accounts.hidden()]
    found = 0
    for path, text in e2e.files_of(d.gateway.dir):
        if any(v in text for v in hidden):
            check("/secrets/" in str(path), path)
            equal(path.stat().st_mode & 0o777, 0o600, path)
            equal(path.parent.stat().st_mode & 0o777, 0o700, path)
            found += 1
    check(found >= 3, found)
    return f"{found} files"


if __name__ == "__main__":
    e2e.main(globals())
