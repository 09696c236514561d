"""Which Lambda functions there are (L7): asked page by page, throttled, refused, gone;
what is not known is no Warning; names that are offered; `glooctl check lambda` and what
is not permitted."""
import sys

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from aws_fakes import Sts
from e2e import check, equal, wait_until
from lambda_bed import Bed

COUNT, VERSIONS = 60, 45  # more than two pages
NAMES = [f"many-{n:03d}" for n in range(COUNT)]
LOT = [f"lot-{n:03d}" for n in range(1000)]


class Drill(Bed):
    def __init__(self):
        super().__init__(gateway=False)
        self.sts = self.add(Sts(self.gw, self.accounts, tls=self.certificate))
        self.settings = f"aws: {{ stsEndpointUrl: \"{self.sts.url}\" }}\n"
        self.few()
        self.begin()
        self.routes(self.way("/fn", "echo"))
        self.ready()

    def few(self, *names):
        """These functions alone, beside echo."""
        echo = self.fake.functions["echo"]
        self.fake.functions.clear()
        self.fake.functions.update({n: echo for n in ("echo", *names)})
        self.fake.versions.clear()
        self.fake.aliases.clear()

    def found(self, name="fn"):
        """The names that were found."""
        return set(self.gateway.item(name).get("functions", []))

    def again(self, name="fn", **more):
        """Another upstream finds anew, without a minute's pause."""
        self.upstream(name, discover=True, **more)

    def forget(self, name):
        """An upstream goes, so that nobody asks for what other cases have."""
        self.routes(self.way("/fn", "echo"))
        status, text = self.gateway.api("DELETE", f"/v1/upstreams/gloo-system/{name}")
        check(status == 200, status, text)

    def restart(self):
        """It would look again within a minute, too."""
        self.gateway.stop()
        self.gateway.start()


def setup():
    return Drill()


def teardown(d):
    try:
        equal(d.fake.broken, [])
        d.nothing_shown()
    finally:
        d.close()


def offered(d, upstream):
    """To the shell, for --function."""
    return set(d.gateway.glooctl("__names", "functions", upstream).stdout.split())


def test_off(d):
    """off by default: nothing is asked, and a name says nothing of itself"""
    verdict = d.routes(d.way("/fn", "echo"), d.way("/other", "whatever"))
    equal(verdict["state"], "Accepted")
    equal(d.fake.lists, [])
    d.answers("/other", 502)


def test_many(d):
    """a thousand functions are known before any alias; those that routes name come first"""
    d.few(*LOT)
    d.fake.aliases["lot-900"] = {"prod": "1"}
    d.upstream("lot")
    d.routes(d.way("/fn", "echo"), d.way("/prod", "lot-900:prod", "lot"))
    d.fake.alias_asked.clear()
    d.fake.alias_gate.clear()
    try:
        d.again("lot")
        wait_until("the functions", lambda: d.found("lot") == {"echo", *LOT}, 30)
        wait_until("a question for aliases", lambda: d.fake.alias_asked, 10)
        equal(d.state("default", "virtualservices")[0], "Accepted")
        gone = d.routes(d.way("/fn", "echo"), d.way("/gone", "lot-900:gone", "lot"))
        equal(gone["state"], "Accepted")
    finally:
        d.fake.alias_gate.set()
    why = d.await_state("Warning", "lot-900:gone", "default", "virtualservices", 20)
    asked = list(d.fake.alias_asked)
    equal(asked[0], "lot-900")
    check(len(asked) < len(LOT) // 2, len(asked))
    equal(d.found("lot"), {"echo", *LOT, "lot-900:prod"})
    equal(d.routes(d.way("/fn", "echo"), d.way("/prod", "lot-900:prod", "lot"),
                   d.way("/later", "lot-999:any", "lot"))["state"], "Accepted")
    equal(offered(d, "lot"), {"echo", *LOT, "lot-900:prod"})
    d.forget("lot")
    return f"{why}; after {len(asked)} of {len(LOT) + 1} questions for aliases"


def test_aliases_forbidden(d):
    """aliases may not be listed: no Warning of any; once they may, one of those that are gone"""
    d.few("hello")
    d.fake.versions["hello"], d.fake.aliases["hello"] = ["1"], {"prod": "1"}
    d.fake.denied_actions = {"lambda:ListAliases"}
    prod, gone = (d.way("/" + a, "hello:" + a, "aliases") for a in ("prod", "gone"))
    try:
        d.again("aliases")
        why = d.await_state("Warning", "lambda:ListAliases", "aliases", seconds=20)
        equal(d.found("aliases"), {"echo", "hello", "hello:1"})
        equal(d.routes(d.way("/fn", "echo"), prod, gone)["state"], "Accepted")
        d.answers("/prod", 200)
        d.answers("/gone", 502)
        # What was listed is known all the same.
        for absent in ("hello:2", "absent:prod"):
            verdict = d.routes(d.way("/fn", "echo"), d.way("/absent", absent, "aliases"))
            check(verdict["state"] == "Warning" and absent in verdict["reason"], verdict)
        equal(d.routes(d.way("/fn", "echo"), gone)["state"], "Accepted")
    finally:
        d.fake.denied_actions = set()
    d.restart()
    d.await_state("Warning", "hello:gone", "default", "virtualservices", 20)
    d.await_state("Accepted", "", "aliases")
    equal(d.routes(d.way("/fn", "echo"), prod)["state"], "Accepted")
    d.fake.aliases.clear()
    d.restart()
    d.await_state("Warning", "hello:prod", "default", "virtualservices", 20)
    d.answers("/fn", 200)
    d.forget("aliases")
    return why


def test_pages(d):
    """L7: functions, versions and aliases, in three pages of 50 at most"""
    d.few(*NAMES)
    d.fake.versions["many-007"] = [str(n + 1) for n in range(VERSIONS)]
    d.fake.aliases["many-007"] = {"prod": "2"}
    d.fake.lists.clear()
    d.again("pages")
    wait_until("the aliases", lambda: "many-007:prod" in d.found("pages"), 30)
    names, pages = d.found("pages"), [t for _, t in d.fake.lists]
    equal(offered(d, "pages"), names)
    check(len(pages) >= 3 and "Marker" not in pages[0] and "Marker=m50" in pages[1]
          and "Marker=m100" in pages[2], pages)
    wanted = {"echo", *NAMES, *(f"many-007:{n + 1}" for n in range(VERSIONS)), "many-007:prod"}
    equal(sorted(wanted ^ names), [])
    equal(d.fake.verifier.denied[:2], [])
    return f"{len(names)} names, {len(pages)} pages"


def test_absent(d):
    """a route to what was not found has a Warning, and is served"""
    d.few(*NAMES)
    verdict = d.routes(d.way("/fn", "echo"), d.way("/absent", "not-there", "pages"),
                       d.way("/here", "many-001", "pages"))
    equal(verdict["state"], "Warning")
    check("not-there" in verdict["reason"], verdict)
    d.answers("/here", 200)
    d.answers("/absent", 502)
    d.forget("pages")
    return verdict["reason"]


def test_throttled(d):
    """L7: 429 while pages are asked for: later, with pauses; nothing is lost"""
    d.few(*NAMES)
    d.fake.throttle_lists = 2
    d.fake.lists.clear()
    d.again("throttled")
    wait_until("the functions", lambda: "many-059" in d.found("throttled"), 30)
    times = [t for t, _ in d.fake.lists]
    equal(d.fake.throttle_lists, 0)
    check(len(times) >= 4, times)
    # Retry-After: 1
    check(all(b - a >= 1.0 for a, b in zip(times[:2], times[1:3])), times)
    check(d.gateway.metric("gloo_gateway_aws_discovery_throttled") >= 2, "it is not counted")
    d.forget("throttled")
    return f"{times[2] - times[0]:.1f} s for two refusals"


def test_forbidden(d):
    """functions may not be listed: a Warning that names the permission; calls go on"""
    d.fake.denied_actions = {"lambda:ListFunctions"}
    try:
        d.ask_always("/fn")
        d.again("forbidden")
        d.routes(d.way("/fn", "echo"), d.way("/forbidden", "echo", "forbidden"))
        why = d.await_state("Warning", "lambda:ListFunctions", "forbidden", seconds=20)
        d.answers("/forbidden", 200)
        return f"{why}; {d.all_served()} others served"
    finally:
        d.fake.denied_actions = set()


def test_restart(d):
    """the names that were known are known after a restart, while nothing can be listed"""
    d.few(*NAMES)
    d.fake.versions["many-007"], d.fake.aliases["many-007"] = ["1", "2"], {"prod": "2"}
    before = {"echo", *NAMES, "many-007:1", "many-007:2", "many-007:prod"}
    d.again("kept")
    wait_until("the aliases", lambda: d.found("kept") == before, 30)
    d.fake.denied_actions = {"lambda:ListFunctions"}
    try:
        d.restart()
        equal(d.found("kept"), before)
        d.ready()
        # Of functions that came since then nothing is known.
        later = d.routes(d.way("/fn", "echo"), d.way("/later", "later", "kept"))
        equal(later["state"], "Accepted")
        d.forget("kept")
    finally:
        d.fake.denied_actions = set()


def test_gone(d):
    """a function that is gone: a Warning of its route, which is called on; no other change"""
    d.few("many-000", "many-001")
    d.again("going")
    wait_until("the functions", lambda: "many-001" in d.found("going"), 30)
    equal(d.routes(d.way("/fn", "echo"), d.way("/here", "many-001", "going"))["state"],
          "Accepted")
    d.few("many-000")
    d.restart()
    why = d.await_state("Warning", "many-001", "default", "virtualservices", 20)
    d.answers("/fn", 200)
    d.answers("/here", 502)
    d.few("many-000", "many-001")
    d.answers("/here", 200)
    return why


# ---- glooctl check lambda


def checked(d, *more):
    p = d.gateway.glooctl("check", "lambda", *more, ok=None)
    return p.returncode, p.stdout + p.stderr


def test_check(d):
    """check lambda: as whom, what may be listed, what may be called; nothing runs"""
    d.few("hello", "other")
    d.upstream("asked", lambdaFunctions=[
        {"logicalName": "hello", "lambdaFunctionName": "hello"},
        {"logicalName": "hello-old", "lambdaFunctionName": "hello", "qualifier": "9"}])
    d.fake.calls.clear()
    code, text = checked(d, "asked")
    check("arn:aws:iam::123456789012:user/gateway" in text, text)
    check("hello" in text and code != 0 and "hello-old" in text, code, text)
    equal({c.kind for c in d.fake.calls}, {"DryRun"})
    d.upstream("asked", lambdaFunctions=[
        {"logicalName": "hello", "lambdaFunctionName": "hello"}])
    code, text = checked(d, "asked")
    equal(code, 0, text)
    return text.strip().splitlines()[-1]


def test_check_denied(d):
    """check lambda: the permission that is missing is named, of calls and of lists"""
    d.few("hello")
    d.fake.denied_actions = {"lambda:InvokeFunction", "lambda:ListFunctions"}
    try:
        d.upstream("denied", discover=True, lambdaFunctions=[
            {"logicalName": "hello", "lambdaFunctionName": "hello"}])
        code, text = checked(d, "denied")
        check(code != 0 and "lambda:InvokeFunction" in text and "lambda:ListFunctions" in text,
              code, text)
    finally:
        d.fake.denied_actions = set()


def test_check_wrong(d):
    """check lambda: wrong keys, an endpoint that is away, no such upstream"""
    d.put_secret("wrong", type(d.keys)(d.keys.access, d.keys.secret[:-1] + "x"))
    d.upstream("wrong", secret="wrong", lambdaFunctions=[
        {"logicalName": "hello", "lambdaFunctionName": "hello"}])
    code, text = checked(d, "wrong")
    check(code != 0 and ("secret" in text or "signature" in text.lower()), code, text)
    d.upstream("away", url="https://127.0.0.1:9", lambdaFunctions=[
        {"logicalName": "hello", "lambdaFunctionName": "hello"}])
    code, text = checked(d, "away")
    check(code != 0 and "127.0.0.1:9" in text, code, text)
    code, text = checked(d, "nowhere")
    check(code != 0 and "nowhere" in text, code, text)
    d.fake.verifier.denied.clear()


if __name__ == "__main__":
    e2e.main(globals())
