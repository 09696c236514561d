"""AWS Lambda itself, with an account's own credentials: what the drills of tests/interop
show with fakes, where it can be asked of the real service. `make verify-cloud`.

    AWS_REGION                 where
    GG_LAMBDA_FUNCTION         functions.mjs beside this; it is called some hundred times
    AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN   or AWS_PROFILE, or what
                               else the gateway takes credentials from, as
                               AWS_WEB_IDENTITY_TOKEN_FILE
    GG_LAMBDA_ENDPOINT, GG_LAMBDA_ROOTS   another endpoint, and whom to trust there

Permissions: lambda:InvokeFunction of it, lambda:ListFunctions and lambda:ListAliases.
The gateway runs in the machine's own network, at its ports 8080 and 9091 of loopback.
"""
import json
import os
import random
import sys
import time
import urllib.parse

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from cloud import OwnNetwork, needed
from e2e import check, equal, wait_until
from lambda_bed import LABEL, Bed

REASON = "x-gloo-gateway-reason"
SOURCES = ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE",
           "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
           "AWS_SHARED_CREDENTIALS_FILE")
COUNT = int(os.environ.get("GG_COUNT", "100"))
SEED = int(os.environ.get("GG_SEED", "20260102"))


class Cloud(OwnNetwork, Bed):
    """A Bed without a fake."""

    def __init__(self):
        needed("AWS_REGION", "GG_LAMBDA_FUNCTION")
        if not any(os.environ.get(n) for n in SOURCES):
            raise e2e.Skip("no credentials of AWS in the environment")
        self.secret = False
        self.region, self.function = os.environ["AWS_REGION"], os.environ["GG_LAMBDA_FUNCTION"]
        self.open_network(os.environ.get("GG_LAMBDA_ROOTS"))
        self.upstream("fn")
        self.routes(self.way("/fn", self.function),
                    self.way("/latest", self.function + ":$LATEST"),
                    self.way("/absent", self.function + "-absent"),
                    self.way("/async", self.function, invocationStyle="ASYNC"),
                    self.way("/dry", self.function, invocationStyle="DRY_RUN"),
                    self.way("/billed", self.function, logTail=True),
                    self.way("/v2", self.function, wrapAsApiGateway=True,
                             payloadFormatVersion="2.0", propagateOriginalRouting=True),
                    self.way("/alb", self.function, wrapAsAlb=True))
        self.ready(seconds=30)

    def upstream(self, name="fn", discover=False, more=None, **spec):
        url = os.environ.get("GG_LAMBDA_ENDPOINT")
        aws = {"region": self.region, **({"endpointUrl": url} if url else {}), **spec}
        return self.put("upstreams", name, {
            "metadata": {"labels": LABEL} if discover else {}, "upstreamSpec": {"aws": aws}})


def setup():
    return Cloud()


def teardown(d):
    d.close()


def test_calls(d):
    """a function is called and answers, by name and with $LATEST"""
    for path in ("/fn", "/latest"):
        fields, text = d.answers(path, 200, b'{"a": [1, 2]}')
        equal(json.loads(text), {"a": [1, 2]})
    return fields.get("x-amz-executed-version")


def test_random(d):
    """L1: random paths, queries and bodies: AWS takes every signature"""
    rng = random.Random(SEED)
    for n in range(COUNT):
        path = rng.choice(["/v2", "/alb"]) + "/" + urllib.parse.quote(
            "".join(rng.choice("aZ09-_ :@!$&'()*+,;=%é汉") for _ in range(rng.randrange(20))),
            safe=rng.choice(["", ":@!$&'()*+,;="]))
        query = urllib.parse.urlencode({f"k{i}": rng.random() for i in range(rng.randrange(3))})
        body = json.dumps({"n": n, "é": rng.random()}, ensure_ascii=rng.random() < 0.5).encode()
        fields, text = d.answers(path + ("?" + query if query else ""), 200, body,
                                 headers={"x-n": str(n), "Content-Type": "application/json"})
        event = json.loads(text)
        equal((event["headers"]["x-n"], event["body"]), (str(n), body.decode()), f"seed {SEED}")
    return f"{COUNT} requests, seed {SEED}"


def test_errors(d):
    """L3: a function that throws, one that takes too long, one that is not there"""
    for path, body, status, reason in (
            ("/fn", b'{"do": "throw"}', 502, "function_error"),
            ("/fn", b'{"do": "sleep"}', 504, "function_timeout"),
            ("/fn", b"no JSON", 400, "function_request_not_json"),
            ("/absent", b"{}", 502, None)):
        fields, _ = d.answers(path, status, body)
        # Without the right to call it AWS does not say that it is not there.
        check(fields.get(REASON) == reason or (reason is None and fields[REASON] in (
            "function_not_found", "function_forbidden")), path, fields)


def test_styles(d):
    """asynchronously 202, a dry run 204, billed milliseconds in the log"""
    d.answers("/async", 202, b"{}")
    d.answers("/dry", 204, b"{}")
    d.answers("/billed", 200, b"{}")
    check("billed_ms=" in d.line("/billed", 200).get("detail", ""), "the log does not say it")


def test_wrong_keys(d):
    """a key that is none, and a wrong secret: 503, never AWS's 403"""
    access = os.environ.get("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    d.put("secrets", "wrong", {"aws": {"accessKey": access, "secretKey": "w" * 40}})
    d.upstream("wrong", secretRef={"name": "wrong", "namespace": "gloo-system"})
    d.routes(d.way("/wrong", d.function, "wrong"), d.way("/fn", d.function), name="default")
    fields, _ = d.answers("/wrong", 503, b"{}")
    equal(fields[REASON], "credentials_refused")
    d.answers("/fn", 200, b"{}")


def test_found(d):
    """L7: the function is found in the account's list"""
    d.upstream("found", discover=True)
    name = d.function.split(":")[-1]
    begin = time.monotonic()
    wait_until(f"{name} to be found", lambda: name in d.gateway.item("found").get(
        "functions", []), 300)
    return f"{time.monotonic() - begin:.1f} s, {len(d.gateway.item('found')['functions'])} names"


def test_check(d):
    """glooctl check lambda: as whom, and that the function may be called"""
    d.upstream("checked", lambdaFunctions=[
        {"logicalName": "it", "lambdaFunctionName": d.function}])
    p = d.gateway.glooctl("check", "lambda", "checked", ok=None)
    equal(p.returncode, 0, p.stdout + p.stderr)


def test_shown(d):
    """no key of the environment is shown"""
    said = d.gateway.log_text() + d.gateway.api("GET", "/v1/dump")[1] + d.gateway.api(
        "GET", "/metrics")[1] + d.gateway.api("GET", "/v1/endpoints")[1]
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        value = os.environ.get(name)
        check(not value or value not in said, name + " is shown")


if __name__ == "__main__":
    e2e.main(globals())
