"""Azure Functions: two function apps behind the gateway, each with keys of its own. The
apps are ours (tests/lib/azure_fake.py says what they do and from which page), with their
front end at the names and the port that Azure's have."""
import http.client
import os
import signal
import socket
import ssl
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import azure_fake
import e2e
from azure_bed import Bed
from azure_fake import App, Front, Function
from certificates import Authority
from e2e import check, equal, memory_has, wait_until

SLOW_S = 17  # longer than a route's time is where it says none
LEVELS = {"anon": "anonymous", "fn": "function", "adm": "admin"}
SPEC = {"anon": "Anonymous", "fn": "Function", "adm": "Admin"}
WRONG = "d3JvbmcgYW5kIG5vdCBhIGtleQ/+WrongAzFu=="


def redirects(call):
    return 302, {"Location": f"/api/next?code={azure_fake.key()}&a=1"}, ""


class Drill(Bed):
    def __init__(self):
        self.slow_may_end = threading.Event()
        levels = [Function(n, l) for n, l in LEVELS.items()]
        self.shop = App(
            "shop", *levels,
            Function("products", "anonymous", "products/{category:alpha}/{id:int?}"),
            Function("files", "function", "files/{*rest}"),
            Function("nothing", "anonymous", run=lambda call: None),
            Function("throws", "anonymous", run=lambda call: 1 / 0),
            Function("redirects", "anonymous", run=redirects),
            Function("forbids", "function", run=lambda call: (401, {}, "not you")),
            Function("slow", "anonymous", run=self.slow))
        self.bank = App("bank", Function("fn"), prefix="")
        super().__init__(self.shop, self.bank)
        self.begin()
        self.given = []  # keys that there were
        self.slow_answer, self.slow_took = None, 0
        self.asked_slow = threading.Thread(target=self.ask_slow, daemon=True)

    def slow(self, _call):
        self.slow_may_end.wait(SLOW_S)
        return 200, {}, "at last"

    def ask_slow(self):
        begin = time.monotonic()
        self.slow_answer = self.ask("/patient", seconds=SLOW_S + 20)
        self.slow_took = time.monotonic() - begin


def setup():
    d = Drill()
    d.secret("shop", fn=d.shop.functions["fn"].keys["default"],
             files=d.shop.functions["files"].keys["default"],
             forbids=d.shop.functions["forbids"].keys["default"], _master=d.shop.master)
    d.secret("bank", default=d.bank.keys["default"])
    d.upstream(d.shop, secret="shop", functions=[
        *({"functionName": n, "authLevel": l} for n, l in SPEC.items()),
        {"functionName": "products", "authLevel": "Anonymous",
         "route": "products/{category:alpha}/{id:int?}"},
        {"functionName": "files", "authLevel": "Function", "route": "files/{*rest}"},
        *({"functionName": n, "authLevel": "Anonymous"}
          for n in ("nothing", "throws", "redirects", "slow")),
        {"functionName": "forbids", "authLevel": "Function"}])
    d.upstream(d.bank, secret="bank", routePrefix="")
    d.routes(*(d.way(f"/{n}", "shop", n) for n in d.shop.functions),
             d.way("/bank", "bank", "fn"),
             # A route's time is 15 s, as in Gloo, unless it says another.
             d.way("/patient", "shop", "slow", timeout="240s"))
    d.ready("/fn")
    d.ready("/bank")
    d.asked_slow.start()
    wait_until("the slow one to run", lambda: any(
        c["function"] == "slow" for c in d.shop.calls))
    return d


def teardown(d):
    try:
        secrets = d.shop.secrets() + d.bank.secrets() + d.given
        d.nothing_shown(*secrets)
        d.no_key_in_a_line(*secrets)
        equal(d.front.strangers, [], "who came with another SNI")
        equal(d.front.broken, [], "the fake failed")
    finally:
        d.slow_may_end.set()
        d.close()


# ---- the fake itself

def direct(d, app, function, given, where):
    """(status, body) of the fake's own, without a gateway"""
    code = urllib.parse.quote(given or "", safe="")
    line = app.path(function) + (f"?code={code}" if given and where == "query" else "")
    fields = {"Host": app.host, **({"x-functions-key": given}
                                   if given and where == "header" else {})}
    context = ssl.create_default_context(cafile=d.authority.cert)
    c = http.client.HTTPSConnection(app.host, 443, timeout=10, context=context)
    with e2e.Namespace(d.gw):
        c.sock = context.wrap_socket(socket.create_connection(("127.0.0.1", 443)),
                                     server_hostname=app.host)
    try:
        c.request("GET", line, headers=fields)
        r = c.getresponse()
        return r.status, r.read()
    finally:
        c.close()


def test_fake(d):
    """the fake: 3 levels, 5 keys, in the header or in the query, as its table says"""
    shop, count = App("lone", *[Function(n, l) for n, l in LEVELS.items()]), 0
    d.front.add(shop)
    for name, f in shop.functions.items():
        keys = {"none": None, "wrong": WRONG, "own": f.keys["default"],
                "host": shop.keys["default"], "master": shop.master}
        for situation, given in keys.items():
            good = {"anonymous": True, "function": situation in ("own", "host", "master"),
                    "admin": situation == "master"}[f.level]
            for where in ("header", "query"):
                status, body = direct(d, shop, f, given, where)
                equal(status, 200 if good else 401, f"{name}, {situation}, {where}")
                check(good or body == b"", body)
                count += 1
    d.front.requests = [r for r in d.front.requests if r[0] != "lone"]
    return f"{count} cases"


# ---- A1

def test_auth_matrix(d):
    """A1: 3 levels x 5 contents of a secret: what goes to the app, what the client gets"""
    shop = d.shop
    contents = {"none": {"another": "a2V5"},
                "wrong": {"fn": WRONG, "adm": WRONG, "_master": WRONG},
                "own": {"fn": shop.functions["fn"].keys["default"],
                        "adm": shop.functions["adm"].keys["default"]},
                "host": {"default": shop.keys["default"]},
                "master": {"_master": shop.master}}
    want = {"anon": [200] * 5, "fn": [503, "refused", 200, 200, 200],
            "adm": [503, "refused", 503, 503, 200]}
    sent = {"own": contents["own"]["fn"], "host": shop.keys["default"], "master": shop.master}
    ways = []
    for s, keys in contents.items():
        d.secret(f"matrix-{s}", **keys)
        d.upstream(shop, f"matrix-{s}", secret=f"matrix-{s}", functions=SPEC)
        ways += [d.way(f"/matrix/{s}/{n}", f"matrix-{s}", n) for n in LEVELS]
    d.routes(*ways, name="matrix", domains=["matrix.test"])
    host = {"Host": "matrix.test"}
    d.ready("/matrix/none/anon", headers=host)
    for n in LEVELS:
        for s, wanted in zip(contents, want[n]):
            path = f"/matrix/{s}/{n}"
            shop.requests.clear()
            if wanted == 200:
                wait_until(path, lambda: d.ask(path, headers=host)[0] == 200, 5)
                equal(shop.requests[-1].all("x-functions-key"),
                      [] if n == "anon" else [sent[s]], path)
            elif wanted == 503:
                d.refused(path, 503, "no_credentials", headers=host)
                equal(shop.requests, [], "the app was asked without a key")
            else:
                d.refused(path, 503, "credentials_refused", headers=host)
                check(1 <= len(shop.requests) <= 2, "attempts", len(shop.requests))
    d.gateway.glooctl("delete", "virtualservice", "matrix")
    return "15 cases"


# ---- A2

def test_paths(d):
    """A2: prefix, template, sub-path, query and method are those of the function"""
    rows = [
        # path, method, what the app saw, parameters
        ("/fn", "GET", "/api/fn", "", {}),
        ("/fn?a=1&b=%2F%20x", "PUT", "/api/fn", "a=1&b=%2F%20x", {}),
        ("/products/books/7?q=1", "GET", "/api/products/books/7", "q=1",
         {"category": "books", "id": "7"}),
        ("/products/books", "DELETE", "/api/products/books", "", {"category": "books"}),
        ("/files/a/b%20c/d?x", "PATCH", "/api/files/a/b%20c/d", "x", {"rest": "a/b c/d"}),
        ("/files", "GET", "/api/files", "", {}),
        ("/bank", "OPTIONS", "/fn", "", {}),
    ]
    for path, method, there, query, parameters in rows:
        call = d.call(path, method=method)
        equal((call["path"], call["query"], call["method"], call["parameters"]),
              (there, query, method, parameters), path)
    body = os.urandom(300_000)
    call = d.call("/fn", method="POST", body=body)
    equal((call["length"], call["body"]), (len(body), body[:200].decode("latin-1")))
    # int wants a number: the host's own 404 goes on. Without category there is none.
    equal(d.ask("/products/books/seven")[0], 404)
    d.refused("/products", 404, "path_too_short")
    equal(d.ask("/fn", method="HEAD")[0], 200)


def test_path_too_long(d):
    """A2: what the route makes longer than an app takes is answered here"""
    d.routes(d.way("/s", "shop", "files", prefixRewrite="/" + "long/" * 20), name="long",
             domains=["long.test"])
    host = {"Host": "long.test"}
    d.ready("/s/x", headers=host)
    there = len(d.call("/s/x", headers=host)["path"]) - 1
    equal(d.ask("/s/" + "x" * (4096 - there), headers=host)[0], 200)
    d.shop.requests.clear()
    sentence = d.refused("/s/" + "x" * (4097 - there), 414, "path_too_long", headers=host)
    check("4096" in sentence and "files" in sentence, sentence)
    equal(d.shop.requests, [], "the app was asked")
    d.gateway.glooctl("delete", "virtualservice", "long")


def test_host_is_not_reached(d):
    """A2: no path of a client's leads to what is the host's own, whose key is the app's"""
    d.upstream(d.shop, "open", secret="shop", routePrefix="", functions=[
        {"functionName": "all", "authLevel": "Admin", "route": "{*rest}"}])
    d.routes(d.way("/open", "open", "all"), d.way("/up", "shop", "files"), name="open",
             domains=["open.test"])
    host = {"Host": "open.test"}
    d.shop.requests.clear()
    for path in ("/open/admin/host/keys", "/open/ADMIN/host/keys", "/open/%61dmin/host/keys",
                 "/open//admin/host/keys", "/open/x/../admin/host/keys",
                 "/open/x/%2e%2e/admin/host/keys", "/up/../admin/host/keys",
                 "/up/%2e%2e/%2e%2e/admin/host/keys", "/open/runtime/webhooks/x",
                 "/open/.auth/me", "/open/x%2f..%2f..%2fadmin/host/keys"):
        status, _, body = d.ask(path, headers=host)
        check(status in (400, 404), path, status)
        check(d.shop.keys["default"].encode() not in body, path, "the keys are told")
    for r in d.shop.requests:
        folded = urllib.parse.unquote(r.path).lower()
        check(not folded.startswith(("/admin", "//admin", "/runtime", "/.auth")), r.line)
    d.gateway.glooctl("delete", "virtualservice", "open")


def test_key_in_header_only(d):
    """A2: the key is in x-functions-key, once, and in no line of a request"""
    d.front.requests.clear()
    for path in ("/fn", "/fn?a=1", "/bank", "/adm"):
        d.call(path)
    for app, sni, r in d.front.requests:
        equal(len(r.all("x-functions-key")), 1, r.line)
        check("code" not in r.target, r.line)
        equal(sni, r.get("host"))
    d.no_key_in_a_line(*d.shop.secrets(), *d.bank.secrets())


def test_body_beyond_memory(d):
    """maxRequestBytes above limits.callBytes: a Warning that says which one counts"""
    most = 64 << 20
    verdict = d.upstream(d.shop, "bulky", secret="shop", functions=SPEC, maxRequestBytes=most + 1)
    equal(verdict["state"], "Warning")
    check("limits.callBytes" in verdict["reason"] and str(most) in verdict["reason"], verdict)
    d.routes(d.way("/bulky", "bulky", "fn"), name="bulky", domains=["bulky.test"])
    host = {"Host": "bulky.test"}
    d.ready("/bulky", headers=host)
    status, _, text = d.ask("/bulky", method="POST",
                            headers={**host, "Content-Length": str(most + 1)})
    check(status == 413 and b"limits.callBytes" in text, status, text)
    verdict = d.upstream(d.shop, "bulky", secret="shop", functions=SPEC, maxRequestBytes=most)
    equal(verdict["state"], "Accepted", verdict)
    d.gateway.glooctl("delete", "virtualservice", "bulky")
    d.gateway.glooctl("delete", "upstream", "bulky")


# ---- A3

def test_two_apps(d):
    """A3: two apps, one function's name, two secrets, at once: each gets its own key"""
    d.shop.requests.clear()
    d.bank.requests.clear()
    failed = []

    def asks(path, count=60):
        for _ in range(count):
            status, _, body = d.ask(path)
            if status != 200:
                failed.append((path, status, body))
    threads = [threading.Thread(target=asks, args=(p,)) for p in ("/fn", "/bank") * 3]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    equal(failed[:3], [])
    keys = {app.name: {r.get("x-functions-key") for r in app.requests if "fn" in r.path}
            for app in (d.shop, d.bank)}
    equal(keys, {"shop": {d.shop.functions["fn"].keys["default"]},
                 "bank": {d.bank.keys["default"]}})
    # Each secret by itself: that of one app is changed, the other's calls go on.
    d.ask_always("/fn")
    d.given.append(d.bank.keys["default"])
    d.bank.keys["default"] = azure_fake.key()
    d.secret("bank", default=d.bank.keys["default"])
    d.ready("/bank")
    wait_until("more to be asked", lambda: len(d.asker.answers) > 20)
    return f"{d.all_served(20)} requests beside a change"


# ---- A4

def test_rotation(d):
    """A4: a key that the app no longer takes: 503, a Warning, and well with the new one"""
    old = d.shop.functions["fn"].keys["default"]
    d.given.append(old)
    d.ask_always("/bank")
    d.shop.functions["fn"].keys["default"] = new = azure_fake.key()
    d.shop.requests.clear()
    sentence = d.refused("/fn", 503, "credentials_refused")
    check("key" in sentence and "fn" in sentence, sentence)
    why = d.await_state("shop", "Warning", "gloo-system.shop")
    p = d.gateway.glooctl("check", ok=None)
    check(p.returncode == 2 and "did not take the key" in p.stdout, p.stdout)
    pid = d.gateway.proxy_pid()
    d.gateway.glooctl("create", "secret", "azure", "shop", "--replace", "--api-keys",
                      ",".join(f"{n}={k}" for n, k in {
                          "fn": new, "files": d.shop.functions["files"].keys["default"],
                          "forbids": d.shop.functions["forbids"].keys["default"],
                          "_master": d.shop.master}.items()))
    d.ready("/fn")
    d.await_state("shop", "Accepted")
    equal(d.gateway.proxy_pid(), pid, "the proxy was started anew")
    equal(d.shop.requests[-1].get("x-functions-key"), new)
    return f"{d.all_served()} requests to the other app; {why}"


def test_own_401(d):
    """A4: a 401 of the function itself, with a body, goes to the client and alarms nobody"""
    status, _, body = d.ask("/forbids")
    equal((status, body), (401, b"not you"))
    equal(d.gateway.status("shop")[0], "Accepted")


# ---- A5

def test_names(d):
    """A5: hostname with a port, a slot: SNI and Host are those"""
    other = App("custom", Function("fn", "anonymous"), host="fx.contoso.test")
    slot = d.front.add(App("shop-blue", Function("fn", "anonymous")))
    front = d.add(Front(d.gw, d.certificate, other, port=8443))
    for app in (other, slot):
        d.dns.set(app.host, "127.0.0.1")
    d.upstream(other, functions={"fn": "Anonymous"}, hostname="fx.contoso.test:8443")
    d.upstream(d.shop, "blue", slot="blue", functions={"fn": "Anonymous"})
    d.routes(d.way("/custom", "custom", "fn"), d.way("/blue", "blue", "fn"), name="names",
             domains=["names.test"])
    host = {"Host": "names.test"}
    d.ready("/custom", headers=host)
    app, sni, r = front.requests[-1]
    equal((app, sni, r.all("host")), ("custom", "fx.contoso.test", ["fx.contoso.test:8443"]))
    equal(r.all("x-forwarded-host"), ["names.test"])
    d.ready("/blue", headers=host)
    equal(slot.requests[-1].all("host"), ["shop-blue.azurewebsites.net"])
    equal(front.strangers, [])
    d.gateway.glooctl("delete", "virtualservice", "names")


def test_verified(d):
    """A5: who shows a certificate of another name, or of a stranger's, is told nothing"""
    shown = {"name": d.authority.issue("wrong", "DNS:other.test"),
             "stranger": Authority(d.folder / "stranger", "stranger").issue(
                 "front", "DNS:*.azurewebsites.net")}
    for n, (what, certificate) in enumerate(shown.items()):
        app = App("shop", Function("fn"))
        front = d.add(Front(d.gw, certificate, app, port=9443 + n))
        d.upstream(d.shop, f"tls-{what}", secret="shop", functions={"fn": "Function"},
                   hostname=f"shop.azurewebsites.net:{9443 + n}")
        d.routes(d.way("/tls", f"tls-{what}", "fn"), name="tls", domains=["tls.test"])
        wait_until("a refusal", lambda: d.ask("/tls", headers={"Host": "tls.test"})[0] == 503
                   and d.gateway.access_lines()[-1]["reason"] == "upstream_tls", 10)
        equal(front.requests, [], "it was told something")
    d.gateway.glooctl("delete", "virtualservice", "tls")
    for what in shown:
        d.gateway.glooctl("delete", "upstream", f"tls-{what}")


# ---- A6

def test_client_fields(d):
    """A6: keys, principals, tokens and code that a client sends do not go on"""
    sent = {"x-functions-key": WRONG, "X-Functions-ClientId": "me", "X_Functions_Key": WRONG,
            "X-MS-CLIENT-PRINCIPAL": "eyJ4IjoxfQ==", "x-ms-client-principal-id": "root",
            "X-Ms-Client-Principal-Name": "root", "x_ms_client_principal_idp": "aad",
            "X-MS-TOKEN-AAD-ACCESS-TOKEN": "t", "Authorization": "Bearer of-the-client",
            "X-Mine": "1"}
    for path, key in (("/fn", [d.shop.functions["fn"].keys["default"]]), ("/anon", [])):
        d.shop.requests.clear()
        for query, left in (("code=" + WRONG, ""), ("a=1&code=x&b=2", "a=1&b=2"),
                            ("CODE=x&a=1", "a=1"), ("c%6Fde=x", ""), ("code", ""),
                            ("a=code=1&encode=2", "a=code=1&encode=2")):
            call = d.call(f"{path}?{query}", headers=dict(sent))
            equal(call["query"], left, query)
            fields = {}
            for n, v in call["fields"]:
                fields.setdefault(n.lower().replace("_", "-"), []).append(v)
            equal(len(fields.get("x-functions-key", [])), len(key), path)
            equal(d.shop.requests[-1].all("x-functions-key"), key, path)
            bad = [n for n in fields if n.startswith(("x-ms-", "x-functions-clientid"))]
            equal(bad, [], path)
            equal(fields["x-mine"], ["1"])
            # It is the client's to the function; no token of ours is asked for here.
            equal(fields["authorization"], ["Bearer of-the-client"])


def test_code_is_not_logged(d):
    """A6: a client's code is in no log: of a call, of one that is refused, of none"""
    code = azure_fake.key()
    d.given.append(code)
    asked = urllib.parse.quote(code, safe="")
    d.upstream(d.shop, "keyless", secret="keyless", functions=SPEC)
    d.routes(d.way("/keyless", "keyless", "fn"), d.way("/fn", "shop", "fn"), name="logged",
             domains=["logged.test"])
    host = {"Host": "logged.test"}
    d.ready("/fn", headers=host)
    rows = [("/fn?a=1&code={}&b=2", 200, "/fn?a=1&code=-&b=2"), ("/fn?CODE={}", 200, "/fn?CODE=-"),
            ("/fn?%63o%64e={}", 200, "/fn?%63o%64e=-"), ("/keyless?code={}", 503, "/keyless?code=-"),
            ("/nowhere?code={}", 404, "/nowhere?code=-"), ("/fn?encode=1", 200, "/fn?encode=1")]
    for path, status, line in rows:
        equal(d.ask(path.format(asked), headers=host)[0], status, path)
        wait_until(f"a line of {line}", lambda: [
            l for l in d.gateway.access_lines() if l["path"] == line and l["status"] == status], 5)
    d.nothing_shown(code)
    d.no_key_in_a_line(code)
    d.gateway.glooctl("delete", "virtualservice", "logged")
    d.gateway.glooctl("delete", "upstream", "keyless")


def test_location(d):
    """A6: no code comes back in a Location"""
    status, fields, _ = d.ask("/redirects")
    equal((status, fields["location"]), (302, "/api/next?a=1"))


# ---- A8

def test_answers(d):
    """A8: 204, 404, 429, 500: what the client gets"""
    status, fields, body = d.ask("/nothing")
    equal((status, body, "content-length" in fields), (204, b"", False))
    equal(d.ask("/throws")[0], 500)
    d.shop.functions["fn"].disabled = True
    equal(d.ask("/fn")[0], 404)
    d.shop.functions["fn"].disabled = False
    d.shop.busy = True
    status, fields, body = d.ask("/fn")
    d.shop.busy = False
    equal((status, body), (429, b"Too Busy"))
    check(int(fields["retry-after"]) >= 1, fields)
    d.shop.forbidden = True
    check("access restrictions" in d.refused("/fn", 502, "app_forbidden"), "the sentence")
    d.shop.forbidden = False
    d.shop.idle = 0.3
    d.shop.add(Function("stuck", "anonymous", run=lambda call: d.slow_may_end.wait(20) and None))
    d.routes(d.way("/stuck", "shop", "stuck"), name="stuck", domains=["stuck.test"])
    status, _, body = d.ask("/stuck", headers={"Host": "stuck.test"})
    d.shop.idle = 230
    check(status == 502 and b"502" in body, status, body)
    d.gateway.glooctl("delete", "virtualservice", "stuck", ok=(0, 2))


def test_unavailable(d):
    """A8: a host without a worker, or one that does not run: 503 with Retry-After"""
    for text in ("", "The service is unavailable."):
        d.shop.unavailable = text
        check("shop" in d.refused("/fn", 503, "host_unavailable"), "the sentence")
        check(int(d.ask("/fn")[1]["retry-after"]) >= 1, "no Retry-After")
    d.shop.unavailable = "the function's own words, which are long enough to be its own answer"
    status, fields, body = d.ask("/fn")
    equal((status, body.decode()), (503, d.shop.unavailable))
    d.shop.unavailable = None
    d.shop.starting, d.shop.patience = threading.Event(), 0
    d.refused("/fn", 503, "host_unavailable")
    d.shop.starting = None
    equal(d.ask("/fn")[0], 200)


def test_slow_start(d):
    """A8: a host that starts: who waits is served; with retries so is who was turned away"""
    d.shop.starting, d.shop.patience = threading.Event(), 20
    d.shop.requests.clear()
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(d.ask("/fn")[0]))
               for _ in range(4)]
    for t in threads:
        t.start()
    wait_until("the app to be asked", lambda: len(d.shop.requests) >= 4)
    equal(answers, [])
    d.shop.starting.set()
    for t in threads:
        t.join()
    equal(answers, [200] * 4)
    # All retries together take longer than waiting for the first two may, so that some
    # are left when the host runs.
    d.routes(d.way("/again", "shop", "fn", retries={
        "retryOn": "5xx", "numRetries": 10, "retryBackOff": {"baseInterval": "50ms",
                                                            "maxInterval": "2s"}}),
        name="again", domains=["again.test"])
    d.shop.starting, d.shop.patience = threading.Event(), 0
    d.shop.requests.clear()
    t = threading.Thread(target=lambda: answers.append(
        d.ask("/again", method="POST", body=b"once", headers={"Host": "again.test"})[0]))
    t.start()
    wait_until("it to be turned away twice", lambda: len(d.shop.requests) >= 2, 5)
    d.shop.calls.clear()
    d.shop.starting.set()
    t.join()
    d.shop.starting = None
    equal(answers[-1], 200)
    equal([c["body"] for c in d.shop.calls if c["method"] == "POST"], ["once"])
    d.gateway.glooctl("delete", "virtualservice", "again")


# ---- secrets that are not well

def test_missing_secret(d):
    """a secret that is not there: 503 with a sentence, Warning; it comes: served"""
    d.ask_always("/fn")
    verdict = d.upstream(d.shop, "later", secret="later", functions=SPEC)
    equal(verdict["state"], "Warning")
    check('no secret is named "gloo-system.later"' in verdict["reason"], verdict)
    d.routes(d.way("/later", "later", "fn"), d.way("/later-anon", "later", "anon"),
             name="later", domains=["later.test"])
    host = {"Host": "later.test"}
    d.shop.requests.clear()
    status, _, text = d.ask("/later", headers=host)
    check(status == 503 and b'no secret is named "gloo-system.later"' in text, status, text)
    line = wait_until("a line of it", lambda: [
        l for l in d.gateway.access_lines() if l["path"] == "/later"])[0]
    check("gloo-system.later" in line.get("detail", ""), line)
    equal([r for r in d.shop.requests if not r.get("x-functions-key")], [])
    d.secret("later", fn=d.shop.functions["fn"].keys["default"])
    d.ready("/later", headers=host)
    # Half: no master key, and adm wants one.
    why = d.await_state("later", "Warning", '"adm" cannot be called')
    # Another kind's: its name is right, its contents are not.
    d.gateway.glooctl("delete", "secret", "later", ok=(0, 2))
    d.gateway.glooctl("create", "secret", "aws", "later", "--access-key", "AKID",
                      "--secret-key", "NotOfAzureAtAll")
    d.ready("/later", 503, headers=host)
    d.await_state("later", "Warning", "secret")
    d.gateway.glooctl("delete", "secret", "later", ok=(0, 2))
    d.gateway.glooctl("delete", "virtualservice", "later")
    d.gateway.glooctl("delete", "upstream", "later")
    return f"{d.all_served()} requests elsewhere; {why}"


def test_no_connection_without_a_key(d):
    """a key that is not there is known before anybody is connected to"""
    d.secret("half", fn=d.shop.functions["fn"].keys["default"])
    d.upstream(d.shop, "half", secret="half", functions=SPEC,
               hostname="shop.azurewebsites.net:9")
    d.routes(d.way("/half", "half", "adm"), d.way("/whole", "half", "fn"), name="half",
             domains=["half.test"])
    host = {"Host": "half.test"}
    d.ready("/whole", 502, headers=host)  # nobody listens there
    opened = "gloo_gateway_upstream_connect_failed"
    before = d.gateway.metric(opened, upstream="gloo-system.half")
    check(before > 0, "no connection was tried")
    for more in ({}, {"body": b"once"}):
        check('"adm"' in d.refused("/half", 503, "no_credentials", headers=host, **more), "why")
    equal(d.gateway.metric(opened, upstream="gloo-system.half"), before)
    d.gateway.glooctl("delete", "virtualservice", "half")
    d.gateway.glooctl("delete", "upstream", "half")


def test_secret_leaves_the_proxy(d):
    """a key is in the proxy while a route leads there, and no longer"""
    key = azure_fake.key()
    d.given.append(key)
    d.shop.keys["for-a-time"] = key
    d.secret("time", default=key)
    d.upstream(d.shop, "time", secret="time", functions={"fn": "Function"})

    def has():
        return memory_has(d.gateway.proxy_pid(), key.encode())
    check(not has(), "the proxy has a key that no route needs")
    d.routes(d.way("/time", "time", "fn"), name="time", domains=["time.test"])
    d.ready("/time", headers={"Host": "time.test"})
    check(has(), "the drill does not find the key that is there")
    d.gateway.glooctl("delete", "virtualservice", "time")
    wait_until("the key to be overwritten", lambda: not has(), 10)
    d.gateway.glooctl("delete", "upstream", "time")


# ---- as an operator types it

def test_glooctl(d):
    """glooctl: secret, upstream, route and check, as one types them"""
    g, shop = d.gateway, d.shop
    own = shop.functions["fn"].keys["default"]
    g.glooctl("create", "secret", "azure", "--name", "typed", "--api-keys",
              f"fn={own},_master={shop.master}")
    p = g.glooctl("create", "upstream", "azure", "--name", "typed", "--azure-app-name", "shop",
                  "--azure-secret-name", "typed", "--azure-functions",
                  "fn=Function,anon=Anonymous,adm=Admin")
    check("typed" in p.stdout and "Azure" in p.stdout and "function app name: shop" in p.stdout,
          p.stdout)
    g.glooctl("create", "virtualservice", "typed", "--domains", "typed.test")
    for function in ("fn", "anon", "adm"):
        g.glooctl("add", "route", "--name", "typed", "--path-prefix", f"/{function}",
                  "--dest-name", "typed", "--function", function)
    host = {"Host": "typed.test"}
    d.ready("/fn", headers=host)
    equal(d.call("/fn/", headers=host)["function"], "fn")
    equal(d.call("/anon", headers=host)["function"], "anon")
    equal(d.call("/adm", headers=host)["function"], "adm")
    equal(shop.requests[-1].get("x-functions-key"), shop.master)
    p = g.glooctl("add", "route", "--name", "typed", "--path-prefix", "/no", "--dest-name",
                  "typed", "--function", "nosuch", ok=(2,))
    check('"nosuch"' in p.stderr, p.stderr)
    p = g.glooctl("check", "azure", "typed")
    check("Checking gloo-system.typed... OK" in p.stdout, p.stdout)
    check("shop.azurewebsites.net has 1 address" in p.stdout, p.stdout)
    check("No problems detected." in p.stdout, p.stdout)
    equal(g.glooctl("get", "upstream", "typed", "-o", "yaml").stdout.count("azure:"), 1)
    g.glooctl("create", "secret", "azure", "typed", "--replace", "--api-keys", f"fn={own}")
    p = g.glooctl("check", "azure", "typed", ok=(3,))
    check("adm" in p.stdout and "_master" in p.stdout, p.stdout)
    p = g.glooctl("check", "azure", "nosuch", ok=(1, 3))
    check("nosuch" in p.stderr, p.stderr)
    g.glooctl("delete", "virtualservice", "typed")
    g.glooctl("delete", "upstream", "typed")


def test_interactive(d):
    """glooctl create secret -i and create upstream -i: asked, and made"""
    g = d.gateway
    g.glooctl("create", "secret", "azure", "-i",
              stdin=f"\nasked\nfn={d.shop.functions['fn'].keys['default']}\n\n")
    p = g.glooctl("create", "upstream", "-i", "azure",
                  stdin="shop\ngloo-system.asked\n\nasked\n")
    check("function app name: shop" in p.stdout, p.stdout)
    doc = g.get("/v1/upstreams/gloo-system/asked")
    equal(doc["upstreamSpec"]["azure"]["functionAppName"], "shop")
    g.glooctl("delete", "upstream", "asked")


# ---- what is shown

def test_nothing_shown(d):
    """keys are in no log, view, metric, table and file but their own"""
    secrets = d.shop.secrets() + d.bank.secrets()
    d.nothing_shown(*secrets)
    d.no_key_in_a_line(*secrets)
    # The drill finds what is there.
    files = "".join(p.read_text() for p in (d.gateway.dir / "secrets").rglob("*.yaml"))
    check(d.bank.keys["default"] in files, "the file of the secret has no key")


def test_slow_function(d):
    """A8: a function that takes its time is waited for"""
    d.asked_slow.join(SLOW_S + 20)
    equal(d.slow_answer and d.slow_answer[0], 200, f"after {d.slow_took:.0f} s {d.slow_answer}")
    check(d.slow_took >= SLOW_S - 1, d.slow_took)
    return f"{d.slow_took:.0f} s"


def test_restart(d):
    """a proxy that died, and a control process that is started anew: called again"""
    pid = d.gateway.proxy_pid()
    os.kill(pid, signal.SIGKILL)
    wait_until("another proxy", lambda: d.gateway.proxy_pid() not in (0, pid))
    d.ready("/fn")
    d.gateway.process.kill()
    d.gateway.process.wait()
    equal(d.ask("/fn")[0], 200, "the proxy does not go on by itself")
    d.gateway.start()
    d.ready("/fn")
    d.ready("/bank")


if __name__ == "__main__":
    e2e.main(globals())
