"""Calls of Lambda functions, to a fake of Lambda that verifies every signature with
botocore: random requests (L1), how functions are named and routes rewrite (L2), what a
client gets where its function did not answer (L3), clocks that are apart (L6)."""
import base64
import http.client
import json
import os
import random
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import check, equal, wait_until
from lambda_bed import REGION, Bed
from lambda_fake import ACCOUNT, SYNC_MAX

COUNT = 10000 if e2e.SOAK else 500
SEED = int(os.environ.get("GG_SEED", "20260102"))
WHOLE_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:echo"
V2 = {"wrapAsApiGateway": True, "payloadFormatVersion": "2.0"}
REASON = "x-gloo-gateway-reason"


def setup():
    d = Bed()
    d.fake.versions["echo"], d.fake.aliases["echo"] = ["1", "2"], {"prod": "2"}
    return d


def teardown(d):
    try:
        equal(d.fake.broken, [], "the fake did not understand")
        d.nothing_shown()
    finally:
        d.close()


# ---- L1


def word(rng, most, letters):
    return "".join(rng.choice(letters) for _ in range(rng.randrange(most + 1)))


def random_target(rng):
    """What a client may send: some that need not be coded is, and the other way."""
    letters = "abcXYZ019-_.~ :@!$&'()*+,;=%?#[]<>\"|^`{}äßé€汉😀"
    parts = [urllib.parse.quote(word(rng, 12, letters) or "p",
                                safe=rng.choice(["", ":@!$&'()*+,;=", "-"]))
             for _ in range(rng.randrange(5))]
    # What dots mean is the router's, not the signature's.
    path = "/".join(p.replace(".", "%7E") for p in parts)
    if rng.random() < 0.3:
        return path
    pairs = [urllib.parse.quote(word(rng, 6, letters) or "n", safe="") + rng.choice(["=", "", "="])
             + urllib.parse.quote(word(rng, 10, letters), safe=rng.choice(["", "/:@!$'()*,;"]))
             for _ in range(rng.randrange(1, 6))]
    return path + "?" + "&".join(pairs)


def random_fields(rng):
    fields = []
    for _ in range(rng.randrange(6)):
        name = rng.choice(["x-a", "X-Amz-Date", "x-amz-security-token", "Authorization",
                           "X-Amz-Invocation-Type", "x-ab", "Content-Type", "Cookie",
                           "x-amz-content-sha256", "X-Forwarded-For", "X-Amz-Target"])
        value = word(rng, 30, "abc XYZ019,;=\"'/:-_+é").strip() or "v"
        fields.append((name, value.encode("utf-8").decode("latin-1")))
    return fields


def random_body(rng):
    return json.dumps({word(rng, 8, "abcé€😀\"\\"): word(rng, 40, "abc é€😀\"\\\n\0")
                       for _ in range(rng.randrange(4))},
                      ensure_ascii=rng.random() < 0.5).encode()


class Client(threading.Thread):
    """Random requests over one connection, to each of the routes in turn."""

    def __init__(self, d, seed, count):
        super().__init__(daemon=True)
        self.d, self.rng, self.count, self.wrong, self.done = d, random.Random(seed), count, [], 0
        self.start()

    def run(self):
        with e2e.Namespace(self.d.out):
            c = http.client.HTTPConnection(self.d.address, 8080, timeout=20 * e2e.PATIENCE)
            c.connect()
        try:
            while self.done < self.count and len(self.wrong) < 3:
                self.one(c)
                self.done += 1
        except (OSError, http.client.HTTPException) as e:
            self.wrong.append(repr(e))
        c.close()

    def one(self, c):
        rng = self.rng
        kind = rng.choice(["raw", "v2", "alb", "arn", "alias"])
        target, fields, body = f"/{kind}/" + random_target(rng), random_fields(rng), \
            random_body(rng)
        method = rng.choice(["POST", "PUT", "PATCH"])
        mark = f"{rng.random()}"
        c.putrequest(method, target, skip_accept_encoding=True)
        for name, value in fields + [("x-mark", mark), ("Content-Length", str(len(body)))]:
            c.putheader(name, value.encode("latin-1"))
        c.endheaders(body)
        r = c.getresponse()
        text = r.read()
        if r.status != 200 or not self.fits(kind, target, mark, method, body, text):
            self.wrong.append((r.status, r.getheaders(), text[:600], method, target, fields, body))

    @staticmethod
    def fits(kind, target, mark, method, body, text):
        """The function got what was sent."""
        if kind in ("raw", "arn", "alias"):
            return text == body
        event = json.loads(text)
        got = event["body"].encode()
        if (base64.b64decode(got) if event["isBase64Encoded"] else got) != body:
            return False
        if kind == "v2":
            asked = event["requestContext"]["http"]["method"]
            if event["rawQueryString"] != target.partition("?")[2]:
                return False
        else:
            asked = event["httpMethod"]
        return asked == method and event["headers"].get("x-mark") == mark


def test_random(d):
    """L1: random paths, queries, fields and bodies are signed as the verifier has them"""
    original = {"propagateOriginalRouting": True}
    d.routes(d.way("/raw", "echo", **original), d.way("/v2", "echo", **V2, **original),
             d.way("/alb", "echo:1", wrapAsAlb=True,
                   options={"prefixRewrite": "/re%20writ/%C3%A9"}),
             d.way("/arn", WHOLE_ARN + ":prod", **original, options={"hostRewrite": "b.test:81"}),
             d.way("/alias", "echo:$LATEST", logTail=True))
    d.ready("/raw")
    before = d.fake.verifier.good
    clients = [Client(d, SEED + n, COUNT // 4) for n in range(4)]
    for c in clients:
        c.join()
    wrong = [w for c in clients for w in c.wrong]
    equal((wrong[:1], d.fake.verifier.denied[:2]), ([], []), f"seed {SEED}")
    equal(sum(c.done for c in clients), COUNT)
    equal(d.fake.verifier.good - before, COUNT)
    forms = {c.request.target for c in d.fake.calls}
    equal(len(forms), 4, forms)
    hosts = {c.request.get("host") for c in d.fake.calls}
    equal(hosts, {d.fake.host})
    # No more of it is asked for than the calls need.
    names = {n.lower() for c in d.fake.calls for n, _ in c.request.fields}
    check(not names & {"x-a", "cookie", "x-mark", "x-amz-target"}, names)
    d.fake.calls.clear()
    return f"{COUNT} requests, seed {SEED}, over {d.fake.connections} connections"


def test_wrong_secret(d):
    """the verifier refuses a wrong secret and a wrong token: it can tell"""
    d.put_secret("wrong", type(d.keys)(d.keys.access, d.keys.secret[:-1] + "x"))
    d.upstream("wrong", secret="wrong")
    d.routes(d.way("/wrong", "echo", "wrong"), d.way("/fn", "echo"))
    fields, _ = d.answers("/wrong", 503, b"{}")
    equal(fields[REASON], "credentials_refused")
    check(d.fake.verifier.denied and d.fake.verifier.denied[-1][0] == "InvalidSignatureException",
          d.fake.verifier.denied)
    d.answers("/fn", 200, b"{}")
    d.fake.verifier.denied.clear()


# ---- L2


def test_names(d):
    """L2: name, name:1, alias, $LATEST, ARN with and without one, as destination or listed"""
    forms = {"echo": "", "echo:1": "1", "echo:prod": "prod", "echo:$LATEST": "$LATEST",
             WHOLE_ARN: "", WHOLE_ARN + ":2": "2", f"{ACCOUNT}:function:echo:1": "1"}
    d.upstream("listed", lambdaFunctions=[
        {"logicalName": "mine", "lambdaFunctionName": "echo", "qualifier": "1"},
        {"logicalName": "latest", "lambdaFunctionName": "echo", "qualifier": "$LATEST"}])
    d.upstream("account", awsAccountId=ACCOUNT)
    ways = [d.way(f"/n{n}/", form) for n, form in enumerate(forms)]
    wanted = {f"/n{n}/": q for n, q in enumerate(forms.values())}
    for prefix, name, upstream, qualifier in (("/mine/", "mine", "listed", "1"),
                                              ("/latest/", "latest", "listed", "$LATEST"),
                                              ("/account/", "echo:prod", "account", "prod")):
        ways.append(d.way(prefix, name, upstream))
        wanted[prefix] = qualifier
    d.routes(*ways)
    for path, qualifier in wanted.items():
        wait_until(path, lambda: d.ask(path, b'{"a":1}')[0] == 200, 5)
        call = d.fake.calls[-1]
        equal((call.function, call.qualifier), ("echo", qualifier), path)
    equal(d.fake.verifier.denied[:2], [])
    check("function%3Aecho" in d.fake.calls[-1].request.target, d.fake.calls[-1].request.target)


def test_rewrites(d):
    """L2: rewrites of path, query, host and fields do not break the signature"""
    headers = {"requestHeadersToAdd": [
        {"header": {"key": "x-amz-date", "value": "19700101T000000Z"}, "append": False},
        {"header": {"key": "authorization", "value": "Bearer no"}, "append": False},
        {"header": {"key": "x-added", "value": "yes"}}]}
    d.routes(d.way("/re", "echo:prod", **V2, propagateOriginalRouting=True, options={
        "prefixRewrite": "/there/a b".replace(" ", "%20"), "hostRewrite": "other.test",
        "headerManipulation": headers}))
    d.ready("/re")
    _, text = d.answers("/re/x?b=2&a=1&a=%2F", 200, b"text", headers={"Host": "who.test"})
    event = json.loads(text)
    check(event["rawPath"].startswith("/there/a"), event["rawPath"])
    equal(event["rawQueryString"], "b=2&a=1&a=%2F")
    equal((event["headers"]["x-added"], event["headers"].get("x-amz-date")),
          ("yes", "19700101T000000Z"))
    sent = d.fake.calls[-1].request
    equal(sent.get("x-envoy-original-path"), "/re/x?b=2&a=1&a=%2F")
    equal(sent.get("x-envoy-original-method"), "POST")
    equal(sent.query, "Qualifier=prod")
    equal(sent.all("x-added"), [])
    equal(d.fake.verifier.denied[:2], [])


def test_regions(d):
    """an ARN of another region is refused when it is written, with a sentence"""
    verdict = d.routes(d.way("/far", WHOLE_ARN.replace(REGION, "eu-west-1")), d.way("/fn", "echo"))
    check(verdict["state"] in ("Warning", "Rejected") and "eu-west-1" in json.dumps(verdict),
          verdict)
    d.answers("/fn", 200, b"{}")


# ---- L3

WAY = {"failing": (502, "function_error"), "handled": (502, "function_error"),
       "timing-out": (504, "function_timeout"), "throttled": (429, "function_throttled"),
       "too-large": (413, "function_request_too_large"),
       "forbidden": (502, "function_forbidden"), "absent": (502, "function_not_found"),
       "broken": (502, "lambda_failed"), "creating": (503, "function_not_ready"),
       "echo:9": (502, "function_not_found")}


def test_errors(d):
    """L3: what went wrong, as the client gets it; never 200, never AWS's 403 or 404"""
    d.routes(*(d.way(f"/{name.replace(':', '-')}/", name) for name in WAY), d.way("/fn", "echo"))
    d.ready()
    for name, (status, reason) in WAY.items():
        path = f"/{name.replace(':', '-')}/"
        fields, text = d.answers(path, status, b"{}")
        equal(fields.get(REASON), reason, path)
        if name == "throttled":
            equal(fields["retry-after"], "7")
        line = d.line(path, status)
        equal((line["status"], line["reason"]), (status, reason))
        check(len(line["detail"]) > 20, line)
        for private in (ACCOUNT, "arn:aws", "secret/place", "user/gateway"):
            check(private not in text.decode(), path, text)
            check(private not in json.dumps(fields), path, fields)
    line = d.line("/forbidden/", 502)
    check("lambda:InvokeFunction" in line["detail"], line)
    d.answers("/fn", 200, b"{}")


def test_bodies(d):
    """L3: no JSON: 400; more than a function takes: 413, and nothing is sent"""
    d.routes(d.way("/fn", "echo"), d.way("/async", "echo", invocationStyle="ASYNC"),
             d.way("/event", "echo", invocationStyle="ASYNC", wrapAsAlb=True))
    d.ready()
    fields, _ = d.answers("/fn", 400, b"no JSON")
    equal(fields[REASON], "function_request_not_json")
    before = len(d.fake.calls)
    for path, size in (("/fn", SYNC_MAX + 1), ("/async", (1 << 20) + 1)):
        got = e2e.talk(d.out, d.address, 8080, b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: "
                       b"%d\r\n\r\n" % (path.encode(), size))
        check(got.startswith(b"HTTP/1.1 413 "), path, got)
    # A body that fits, in Base64.
    refused = d.gateway.metric("gloo_gateway_upstream_calls_too_large")
    fields, _ = d.answers("/event", 413, b"\xff" * ((1 << 20) // 4 * 3))
    equal(fields[REASON], "function_request_too_large")
    check("1048576 where it is called asynchronously" in d.line("/event", 413)["detail"],
          d.line("/event", 413))
    e2e.await_equal(lambda: d.gateway.metric("gloo_gateway_upstream_calls_too_large"),
                    refused + 1)
    equal(len(d.fake.calls), before)
    d.answers("/event", 202, b"\xff" * 780000)
    _, text = d.answers("/fn", 200, b'"' + b"y" * (SYNC_MAX - 2) + b'"')
    equal(len(text), SYNC_MAX)


def test_styles(d):
    """L3: asynchronous: 202 and the function later; a dry run: 204 and nothing runs"""
    d.fake.functions["never"] = lambda i: i.failed()
    d.routes(d.way("/async", "never", invocationStyle="ASYNC"),
             d.way("/dry", "never", invocationStyle="DRY_RUN"),
             d.way("/absent", "absent", invocationStyle="DRY_RUN"))
    wait_until("202", lambda: d.ask("/async", b"{}")[0] == 202, 5)
    equal(d.fake.calls[-1].kind, "Event")
    equal(d.answers("/async", 202, b"{}")[1], b"")
    equal(d.answers("/dry", 204, b"{}")[1], b"")
    equal(d.fake.calls[-1].kind, "DryRun")
    d.answers("/absent", 502, b"{}")


def test_times(d):
    """L3: a route's timeout: 504; a connection that ends in the answer is no answer"""
    d.routes(d.way("/hanging", "hanging", options={"timeout": "0.3s"}),
             d.way("/slow", "slow", options={"timeout": "5s"}), d.way("/cut", "cut"),
             d.way("/unwrapped", "cut", unwrapAsApiGateway=True))
    d.ready("/slow")
    begin = time.monotonic()
    d.answers("/hanging", 504, b"{}")
    check(time.monotonic() - begin < 3 * e2e.PATIENCE, "it took too long")
    equal(d.line("/hanging", 504)["reason"], "upstream_timeout")
    d.answers("/unwrapped", 502, b"{}")
    got = e2e.talk(d.out, d.address, 8080, b"POST /cut HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
                   b"\r\n{}")
    check(got.startswith(b"HTTP/1.1 200") and b"{\"half\":" in got, got)
    check(not got.endswith(b"0\r\n\r\n"), "it ended as if it were whole", got)


def test_retries(d):
    """L3: retried is what has not run, whatever the method; what may have is not"""
    retry = {"retries": {"retryOn": "5xx,retriable-4xx,retriable-status-codes",
                         "retriableStatusCodes": [429], "numRetries": 2}}
    d.routes(d.way("/throttled", "throttled-once", options=retry),
             d.way("/broken", "broken-once", options=retry), d.way("/failing", "failing",
                                                                   options=retry),
             d.way("/fn", "echo"))
    d.ready()
    d.answers("/throttled", 200, b'"one"')
    d.answers("/broken", 502, b'"two"')
    d.answers("/broken", 200, b'"two"')
    d.answers("/broken", 200, b'"three"', method="PUT")
    before = len(d.fake.calls)
    d.answers("/failing", 502, b"{}", method="PUT")
    equal(len(d.fake.calls), before + 1, "a function that failed was called again")


def test_log_tail(d):
    """billed milliseconds are counted from the log's tail, which nobody is shown"""
    d.routes(d.way("/billed", "echo", logTail=True), d.way("/fn", "echo"))
    d.ready()
    before = d.gateway.metric("gloo_gateway_upstream_calls_billed_ms")
    fields, text = d.answers("/billed", 200, b"{}")
    check("secret words" not in text.decode() + json.dumps(fields), fields)
    equal([n for n in fields if "log" in n], [])
    wait_until("the milliseconds", lambda: d.gateway.metric(
        "gloo_gateway_upstream_calls_billed_ms") == before + 103)
    check("103" in d.line("/billed", 200)["detail"], "the log does not say it")


def test_stranger(d):
    """an endpoint whose certificate is another's is not believed, and gets nothing"""
    from certificates import Authority
    from lambda_fake import Lambda
    other = Authority(d.folder / "other", "other").issue("who", "DNS:localhost", "IP:127.0.0.1")
    fake = d.add(Lambda(d.gw, other, d.accounts, REGION))
    d.upstream("stranger", url=fake.url)
    d.routes(d.way("/stranger", "echo", "stranger"), d.way("/fn", "echo"))
    d.ready()
    fields, _ = d.answers("/stranger", 503, b"{}")
    equal(d.line("/stranger", 503)["reason"], "upstream_tls")
    equal(fake.asked, [])
    d.answers("/fn", 200, b"{}")


# ---- L6


def skewed(d, seconds):
    d.fake.skew = seconds
    before, denied = len(d.fake.asked), len(d.fake.verifier.denied)
    for _ in range(10):
        d.answers("/fn", 200, b"{}", method="POST")
    return len(d.fake.asked) - before, len(d.fake.verifier.denied) - denied


def test_skew(d):
    """L6: clocks that are apart are corrected for at once: one refusal for each change"""
    d.routes(d.way("/fn", "echo"))
    d.ready()
    notes = []
    for seconds in (3600, -7200, 0):
        asked, denied = skewed(d, seconds)
        # A worker each learns it, the first time.
        check(1 <= denied <= d.gateway.workers and asked == 10 + denied, seconds, asked, denied)
        notes.append(f"{seconds} s: {denied}")
    equal(d.fake.verifier.denied[-1][0], "InvalidSignatureException")
    d.fake.verifier.denied.clear()
    return "refused: " + ", ".join(notes)


def test_skew_lies(d):
    """L6: a clock that is off whatever is corrected: 503 and a sentence, one attempt more"""
    d.fake.now = lambda: time.time() + random.choice([-1, 1]) * random.randrange(1 << 16, 1 << 20)
    d.fake.verifier.now = lambda: 0
    try:
        before = len(d.fake.asked)
        fields, _ = d.answers("/fn", 503, b"{}")
        check(fields[REASON] in ("clock_skew", "credentials_refused"), fields)
        check(len(d.fake.asked) - before <= 3, d.fake.asked[before:])
    finally:
        del d.fake.now
        d.fake.skew, d.fake.verifier.now = 0, d.fake.now
    d.ready()
    d.fake.verifier.denied.clear()


if __name__ == "__main__":
    e2e.main(globals())
