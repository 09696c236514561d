"""Azure Functions as whom the gateway is: App Service authentication with tokens of
instance metadata, of App Service and of a workload, that are kept and renewed; keys and
functions from the management API. All of them are ours (tests/lib/azure_*.py)."""
import os
import sys
import time

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import azure_fake
import azure_management
import azure_tokens
import e2e
from azure_bed import IDENTITY, Bed
from azure_fake import App, Authentication, Function
from azure_management import Management
from azure_tokens import AppService, Entra, Issuer, Metadata
from discovering import patient
from e2e import check, equal, wait_until

AUDIENCE = "api://shop"
WALK_S = 10  # between two walks because of a refusal
LIFE_S = 6   # of short tokens: renewed after half of it
# With --soak nearly as long as Azure lets a function take: 230 s.
LONG_S = 225 if e2e.SOAK else 1


class Drill(Bed):
    def __init__(self):
        self.shop = App("shop", Function("anon", "anonymous"), Function("fn"),
                        Function("long", "anonymous", run=self.long))
        self.bank = App("bank", Function("fn"), *[
            Function(f"f{n}", "anonymous") for n in range(7)],
            Function("products", "function", "products/{category}/{id?}"),
            Function("adm", "admin"), Function("gone", "anonymous"),
            Function("forbids", run=lambda call: (401, {"X-Own": "1"}, "")))
        super().__init__(self.shop, self.bank)
        self.issuer.seconds = LIFE_S
        self.shop.authentication = Authentication(self.issuer, AUDIENCE)
        self.metadata = self.add(Metadata(self.gw, self.issuer, address="169.254.169.254",
                                          port=80, clients=("machine", "second")))
        self.app_service = self.add(AppService(self.gw, self.issuer))
        self.cluster = Issuer("https://cluster.test/")
        self.entra = self.add(Entra(self.gw, self.issuer, self.cluster, tls=self.certificate,
                                    clients=("workload",)))
        self.management = self.add(Management(self.gw, self.issuer, self.certificate))
        self.management.apps["bank"] = self.bank
        self.management.page = 3
        self.extra = (f"azure:\n  managementUrl: {self.management.url}\n"
                      f"  authorityUrl: {self.entra.url}\n  caFile: {self.authority.cert}\n"
                      "  discoveryInterval: 1s\n")
        self.given = []
        self.begin()

    def long(self, _call):
        self.front.ended.wait(LONG_S)
        return 200, {}, "at last"

    def again(self, **environment):
        self.gateway.stop()
        self.begin(**environment)

    def count(self, giver, resource=AUDIENCE):
        return sum(1 for _, r in giver.times if r == resource)

    def walks(self):
        return sum(1 for m, t in self.management.asked if "host/default/listkeys" in t)

    def token_of(self, n=-1):
        return self.shop.requests[n].get("authorization")


def setup():
    d = Drill()
    d.secret("shop", fn=d.shop.functions["fn"].keys["default"])
    d.upstream(d.shop, secret="shop",
               functions={"anon": "Anonymous", "fn": "Function", "long": "Anonymous"},
               appServiceAuthentication={"audience": AUDIENCE})
    d.routes(d.way("/anon", "shop", "anon"), d.way("/fn", "shop", "fn"),
             d.way("/long", "shop", "long", timeout="300s"))
    d.ready("/anon")
    return d


def teardown(d):
    try:
        secrets = d.shop.secrets() + d.bank.secrets() + d.given + d.issuer.given + \
            d.cluster.given + [d.app_service.header]
        for where, text in d.shown().items():
            bad = [s for s in secrets if s in text]
            check(not bad, where, "shows", bad[:1])
        d.no_key_in_a_line(*d.shop.secrets(), *d.bank.secrets(), *d.given)
        for s in (*d.issuer.given, *d.cluster.given):
            for fake in (d.front, d.metadata, d.app_service, d.entra, d.management):
                check(not any(s in t for _, t in fake.asked), "a token stands in a URL")
        for fake in d.fakes:
            equal(fake.broken, [], "the fake failed")
    finally:
        d.close()


# ---- A7

def test_metadata(d):
    """A7: a token of instance metadata goes to the app, in the place of the client's"""
    call = d.call("/fn", headers={"Authorization": "Bearer of-the-client",
                                  "X-MS-CLIENT-PRINCIPAL-ID": "root"})
    fields = [(n.lower(), v) for n, v in call["fields"]]
    equal([v for n, v in fields if n == "x-ms-client-principal-id"], ["machine"])
    token = [v for n, v in fields if n == "authorization"]
    equal(len(token), 1)
    check(token[0][len("Bearer "):] in d.issuer.given, "it is none of ours")
    equal(d.shop.requests[-1].get("x-functions-key"),
          d.shop.functions["fn"].keys["default"])


def test_cached(d):
    """A7: one token serves all requests, and is renewed before it is over: none fails"""
    before, begin = d.count(d.metadata), time.monotonic()
    d.ask_always("/anon")
    wait_until("three more tokens", lambda: d.count(d.metadata) >= before + 3, 30)
    took = time.monotonic() - begin
    n = d.all_served(100)
    given = d.count(d.metadata) - before
    check(given <= took / (LIFE_S / 2 - 1) + 1, given, "tokens in", took, "s")
    return f"{n} requests in {took:.0f} s with {given} tokens of {LIFE_S} s"


def test_source_down(d):
    """A7: metadata fails: the token is used until it is over, then 503, then well again"""
    wait_until("a fresh token", lambda: time.monotonic() - d.metadata.times[-1][0] < 0.5, 10)
    d.metadata.failing, last = 500, d.metadata.times[-1][0]
    d.ask_always("/anon")
    wait_until("it to be asked in vain", lambda: time.monotonic() - last > LIFE_S - 2.5, 10)
    served = d.all_served(20)
    d.ready("/anon", 503, seconds=LIFE_S + 3)
    sentence = d.refused("/anon", 503, "no_credentials")
    check("token" in sentence, sentence)
    why = d.await_state("shop", "Warning", "instance metadata")
    check("500" in why and "token" in why, why)
    p = d.gateway.glooctl("check", "azure", "shop", ok=(3,))
    check("no token for api://shop from instance metadata" in p.stdout, p.stdout)
    d.metadata.failing = None
    d.ready("/anon", seconds=20)
    d.await_state("shop", "Accepted")
    return f"{served} requests meanwhile; {why}"


def test_revoked(d):
    """A7: a token that the app does not take any more: another is got, the request served"""
    d.issuer.seconds = 3600
    before = d.count(d.metadata)
    wait_until("a long token", lambda: d.count(d.metadata) > before, patient(LIFE_S))
    # Not more than one in 10 s because of that.
    wait_until("that it may ask again",
               lambda: time.monotonic() - d.metadata.times[-1][0] > 10.2, 15)
    d.ready("/anon")
    d.issuer.revoke_all()
    before = d.count(d.metadata)
    status, _, body = d.ask("/anon")
    equal((status, d.count(d.metadata) - before), (200, 1), body)


def test_long(d):
    """A8: a function that takes as long as Azure lets it is waited for"""
    begin = time.monotonic()
    status, _, body = d.ask("/long", seconds=LONG_S + 30)
    equal((status, body), (200, b"at last"), f"after {time.monotonic() - begin:.0f} s")
    return f"{time.monotonic() - begin:.0f} s"


def test_not_allowed(d):
    """A7: the app knows the identity and does not let it in: 502 and a sentence, no 403"""
    d.shop.authentication.allowed = {"somebody"}
    sentence = d.refused("/anon", 502, "app_forbidden")
    check("identity" in sentence, sentence)
    d.shop.authentication.allowed = None
    equal(d.ask("/anon")[0], 200)


def test_login(d):
    """A7: without a token that app sends others to a login; who is called is told 502"""
    d.shop.authentication.login = True
    d.upstream(d.shop, "plain", functions={"anon": "Anonymous"})
    d.routes(d.way("/plain", "plain", "anon"), name="plain", domains=["plain.test"])
    host = {"Host": "plain.test"}
    d.ready("/plain", 302, headers=host)
    d.shop.authentication.login = False
    d.refused("/plain", 502, "credentials_missing", headers=host)
    equal(d.ask("/plain", headers={**host, "Authorization": "Bearer x.y"})[0], 401)
    d.gateway.glooctl("delete", "virtualservice", "plain")
    d.gateway.glooctl("delete", "upstream", "plain")


def test_second_identity(d):
    """A7: managedIdentityClientId: the token is that one's"""
    d.upstream(d.shop, "second", functions={"anon": "Anonymous"},
               appServiceAuthentication={"audience": AUDIENCE},
               managedIdentityClientId="second")
    d.routes(d.way("/second", "second", "anon"), name="second", domains=["second.test"])
    d.ready("/second", headers={"Host": "second.test"})
    call = d.call("/second", headers={"Host": "second.test"})
    equal([v for n, v in call["fields"] if n == "X-MS-CLIENT-PRINCIPAL-ID"], ["second"])
    d.gateway.glooctl("delete", "virtualservice", "second")
    d.gateway.glooctl("delete", "upstream", "second")


# ---- the management API

def test_fetched(d):
    """keys and functions come from the management API, page by page"""
    d.upstream(d.bank, discover=True, subscriptionId="sub", resourceGroup="group")
    d.routes(*(d.way(f"/{n}", "bank", n) for n in d.bank.functions), name="bank",
             domains=["bank.test"])
    d.host = {"Host": "bank.test"}
    d.ready("/fn", headers=d.host, seconds=15)
    equal(d.bank.requests[-1].get("x-functions-key"),
          d.bank.functions["fn"].keys["default"])
    call = d.call("/products/books/3", headers=d.host)
    equal(call["parameters"], {"category": "books", "id": "3"})
    d.call("/adm", headers=d.host)
    equal(d.bank.requests[-1].get("x-functions-key"), d.bank.master)
    d.call("/f6", headers=d.host)
    equal(d.bank.requests[-1].get("x-functions-key"), None)
    equal(d.await_state("bank", "Accepted"), "")
    names = d.gateway.item("bank")["functions"]
    equal(sorted(names), sorted(d.bank.functions))
    wide = d.gateway.glooctl("get", "upstream", "bank", "-o", "wide").stdout
    check("products" in wide, wide)
    p = d.gateway.glooctl("check", "azure", "bank")
    for part in ("its functions", "the keys of its host", "the keys of its functions"):
        check(f"{part} may be asked for" in p.stdout, part, p.stdout)


def test_management_revoked(d):
    """A7: the management API does not take its token any more: another, and no Warning"""
    before = d.count(d.metadata, d.management.url)
    d.issuer.revoke_all()
    wait_until("another token", lambda: d.count(d.metadata, d.management.url) > before, 20)
    asked = d.walks()
    wait_until("two more walks", lambda: d.walks() > asked + 1, 20)
    equal(d.gateway.status("bank"), ("Accepted", ""))
    check("InvalidAuthenticationToken" not in d.gateway.log_text(), d.last_lines())
    equal(d.count(d.metadata, d.management.url), before + 1)
    d.ready("/anon", seconds=15)  # its token was revoked, too


def test_gone_function(d):
    """a function that disappears, or is disabled, is a Warning of its route, nothing else"""
    d.ask_always("/fn")
    gone = d.bank.functions.pop("gone")
    why = d.await_state("bank", "Warning", '"gone"', kind="virtualservices")
    equal(d.gateway.status("bank")[0], "Accepted")
    d.bank.add(gone)
    d.await_state("bank", "Accepted", kind="virtualservices")
    gone.disabled = True
    d.await_state("bank", "Warning", "disabled", kind="virtualservices")
    gone.disabled = False
    d.await_state("bank", "Accepted", kind="virtualservices")
    equal(d.call("/gone", headers=d.host)["function"], "gone")
    return why + f"; {d.all_served()} requests"


def test_rotated_there(d):
    """A4: a key is renewed at the platform: it is fetched anew, no request fails"""
    d.extra = d.extra.replace("discoveryInterval: 1s", "discoveryInterval: 1h")
    d.gateway.write_settings(d.lines())
    d.again()
    d.ready("/fn", headers=d.host, seconds=15)
    walked = d.walks()
    last = time.monotonic()
    wait_until("that it may ask again", lambda: time.monotonic() - last > WALK_S + 0.5, 15)
    equal(d.walks(), walked, "it asks though nothing is wrong")
    function = d.bank.functions["fn"]
    d.given += [function.keys["default"]]
    function.keys["default"] = azure_fake.key()
    begin = time.monotonic()
    status, _, body = d.ask("/fn", headers=d.host)
    took = time.monotonic() - begin
    equal((status, d.bank.requests[-1].get("x-functions-key")),
          (200, function.keys["default"]), body)
    check(d.walks() > walked, "who told it?")
    wait_until("no Warning", lambda: d.gateway.status("bank")[0] == "Accepted")
    return f"{took * 1000:.0f} ms"


def test_own_empty_401(d):
    """A4: a function's own 401 without a body: the same key is fetched, the client gets it"""
    reason = "x-gloo-gateway-reason"
    last = time.monotonic()
    wait_until("that it may ask again", lambda: time.monotonic() - last > WALK_S + 0.5, 15)
    walked = d.walks()

    def proven():
        status, fields, _ = d.ask("/forbids", headers=d.host)
        return (status, fields.get(reason)) == (401, None) and "function's own" in \
            d.gateway.glooctl("get", "upstream", "bank", "-o", "wide").stdout
    wait_until("the function's own 401", proven, 15)
    d.bank.calls.clear()
    for n in range(20):
        status, fields, body = d.ask("/forbids", headers=d.host)
        equal((status, fields.get("x-own"), fields.get(reason), body), (401, "1", None, b""), n)
        equal(d.walks(), walked + 1, f"{n}: the keys were fetched")
    # Once more for the first one of a worker that had not heard of it yet.
    runs = [c["function"] for c in d.bank.calls]
    check(set(runs) == {"forbids"} and 20 <= len(runs) <= 20 + d.gateway.workers, runs)
    equal(d.ask("/fn", headers=d.host)[0], 200)
    equal(d.gateway.status("bank"), ("Accepted", ""))
    # Not for ever: a key that is renewed meanwhile is found.
    function = d.bank.functions["fn"]
    d.given += [function.keys["default"]]
    function.keys["default"] = azure_fake.key()
    begin = time.monotonic()
    d.ready("/fn", headers=d.host, seconds=30)
    took = time.monotonic() - begin
    equal(d.walks(), walked + 2)
    equal(d.bank.requests[-1].get("x-functions-key"), function.keys["default"])
    return f"a renewed key is found after {took:.0f} s"


def test_denied(d):
    """a permission that is missing: what was known stays, check names it"""
    d.extra = d.extra.replace("discoveryInterval: 1h", "discoveryInterval: 1s")
    d.gateway.write_settings(d.lines())
    d.again()
    d.ready("/fn", headers=d.host, seconds=15)
    for permission in (azure_management.LIST, azure_management.HOST_KEYS,
                       azure_management.FUNCTION_KEYS):
        d.management.denied = {permission}
        p = d.gateway.glooctl("check", "azure", "bank", ok=(3,))
        check(permission in p.stdout and "AuthorizationFailed" in p.stdout, p.stdout)
        d.await_state("bank", "Warning", permission, seconds=20)
        equal(d.ask("/fn", headers=d.host)[0], 200)
        d.management.denied = set()
        d.await_state("bank", "Accepted", seconds=30)


def test_management_down(d):
    """the management API throttles, fails and is away: what was known is served"""
    for failing in ((429, {"Retry-After": "2"}), (500, {}), "down"):
        d.ask_always("/anon")
        if failing == "down":
            d.management.down = True
        else:
            d.management.failing = failing
        d.await_state("bank", "Warning", seconds=20)
        asked = len(d.management.asked)
        if failing != "down" and failing[0] == 429:
            last = time.monotonic()
            wait_until("most of Retry-After", lambda: time.monotonic() - last > 1.2)
            check(len(d.management.asked) <= asked + 1, "Retry-After is not heeded")
        equal(d.ask("/fn", headers=d.host)[0], 200)
        d.management.failing, d.management.down = None, False
        d.await_state("bank", "Accepted", seconds=40)
        d.all_served()


# ---- other identities

def test_app_service(d):
    """A7: IDENTITY_ENDPOINT and IDENTITY_HEADER: the token of App Service"""
    before = d.count(d.metadata)
    d.again(IDENTITY_ENDPOINT=d.app_service.endpoint, IDENTITY_HEADER=d.app_service.header)
    d.ready("/anon", seconds=15)
    equal((d.count(d.app_service) >= 1, d.count(d.metadata)), (True, before))
    p = d.gateway.glooctl("check", "azure", "shop")
    check("from App Service" in p.stdout, p.stdout)


def test_workload(d):
    """A7: the token of a workload's file, given to Entra; a file that is replaced is read"""
    file = d.folder / "assertion"

    def give(seconds):
        new = d.folder / "assertion.new"
        new.write_text(d.cluster.issue(azure_tokens.EXCHANGE, "sa", seconds)[0] + "\n")
        new.rename(file)
    give(3600)
    d.issuer.seconds = LIFE_S
    d.again(AZURE_FEDERATED_TOKEN_FILE=str(file), AZURE_TENANT_ID="tenant",
            AZURE_CLIENT_ID="workload")
    d.ready("/anon", seconds=15)
    p = d.gateway.glooctl("check", "azure", "shop")
    check("from workload identity" in p.stdout, p.stdout)
    first = d.entra.assertions[-1]
    give(3600)
    d.cluster.revoked.add(first)
    d.ask_always("/anon")
    before = d.count(d.entra)
    wait_until("another token", lambda: d.count(d.entra) > before + 1, 15)
    served = d.all_served()
    check(d.entra.assertions[-1] != first, "the file was not read again")
    give(-1)
    why = d.await_state("shop", "Warning", "invalid_client", seconds=15)
    give(3600)
    d.ready("/anon", seconds=20)
    d.await_state("shop", "Accepted", seconds=20)
    return f"{served} requests; {why}"


# ---- what is asked of the real services

def test_cloud(d):
    """tests/cloud/test_azure.py, asked of the fakes: nothing of it is skipped or fails"""
    d.gateway.stop()
    d.issuer.seconds = 3600
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(IDENTITY)},
        "GG_AZURE_APP": "bank", "GG_AZURE_FUNCTION": "fn", "GG_AZURE_METADATA": "1",
        "GG_AZURE_KEY": d.bank.functions["fn"].keys["default"],
        "GG_AZURE_SUBSCRIPTION": "sub", "GG_AZURE_GROUP": "group",
        "GG_AZURE_ROOTS": d.authority.cert,
        "GG_AZURE_SETTINGS": f"dns: {{ servers: \"{d.dns.at}\" }}\n{d.extra}"}
    file = __file__.rsplit("/", 2)[0] + "/cloud/test_azure.py"
    try:
        lines = e2e.run(sys.executable, file, ns=d.gw, env=environment, timeout=120,
                        ok=None).stdout.splitlines()
    finally:
        d.again()
    bad = [line for line in lines if not line.startswith("ok - ")]
    check(len(lines) >= 10 and not bad, "\n".join(lines))
    return f"{len(lines)} drills"


if __name__ == "__main__":
    e2e.main(globals())
