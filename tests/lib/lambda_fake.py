"""Lambda's API over TLS, as botocore's service model and AWS's pages describe it, with
every signature verified. Written for the tests: what it does is this table.

    every request         signature, scope, host, session token, clock (five minutes) are
                          verified first: 403 InvalidSignatureException,
                          UnrecognizedClientException, ExpiredTokenException
    skew                  seconds by which its clock is ahead: of Date and of what it takes
    denied_actions        {"lambda:InvokeFunction", ...}: 403 AccessDeniedException
    POST .../invocations  name, name:qualifier, partial ARN, ARN; ?Qualifier=. Without such
                          a function: 404 ResourceNotFoundException. More than 6 MB, or
                          1 MB asynchronously: 413 RequestTooLargeException. No JSON:
                          400 InvalidRequestContentException. X-Amz-Invocation-Type Event:
                          202 and nothing; DryRun: 204; RequestResponse as below
    POST .../response-streaming-invocations   200 and frames
    GET  /functions       50 at most of a page (MaxItems below it), Marker, NextMarker;
                          FunctionVersion=ALL: versions too
    GET  /functions/F/aliases                 all of them; alias_asked: of which F;
                          only once alias_gate is set

A function is what `functions` has under its name: a callable that gets an Invocation and
answers with it, or bytes (its answer). These are there from the beginning:

    echo        its event                   failing    FunctionError Unhandled
    handled     FunctionError Handled       timing-out FunctionError, as of a timeout
    throttled   429, Retry-After: 7         throttled-once   that the first time of each
                                                       request id in the event
    too-large   413                         forbidden  403 AccessDeniedException
    broken      500 ServiceException        broken-once      that the first time
    hanging     never an answer             slow       after 300 ms
    creating    409 ResourceConflictException          counted   how often it ran
    cut         the connection ends in the answer      huge      7 MB
"""
import base64
import email.utils
import json
import random
import re
import threading
import time
import urllib.parse

import event_stream
from aws_signature import Denied, Verifier
from http_fake import Service

ACCOUNT = "123456789012"
SYNC_MAX, ASYNC_MAX = 6 * 1024 * 1024, 1024 * 1024
PAGE_MAX = 50
INVOKE = re.compile(r"^/(2015-03-31|2021-11-15)/functions/([^/]+)/"
                    r"(invocations|response-streaming-invocations)$")


class Invocation:
    """function, qualifier, event (bytes), kind ("RequestResponse", ...), keys, request."""

    def __init__(self, fake, request, answer, function, qualifier, keys):
        self.fake, self.request, self.to, self.keys = fake, request, answer, keys
        self.function, self.qualifier, self.event = function, qualifier, request.body
        self.kind = request.get("x-amz-invocation-type", "RequestResponse")
        self.streams = request.path.endswith("response-streaming-invocations")

    def json(self):
        return json.loads(self.event)

    def result(self, body, **fields):
        """200: what the function returned."""
        more = {"Content-Type": "application/json",
                "X-Amz-Executed-Version": self.qualifier or "$LATEST"}
        if self.request.get("x-amz-log-type") == "Tail":
            more["X-Amz-Log-Result"] = base64.b64encode(
                b"START RequestId: 1\nsecret words of the log\nREPORT RequestId: 1\t"
                b"Duration: 102.25 ms\tBilled Duration: 103 ms\tMemory Size: 128 MB\n").decode()
        self.to.reply(200, {**more, **fields}, body)

    def failed(self, how="Unhandled", type="Error", message="it went wrong", **more):
        self.result(json.dumps({"errorMessage": message, "errorType": type, **more}),
                    **{"X-Amz-Function-Error": how})

    def error(self, status, type, message, fields=None, **more):
        self.fake.error(self.to, status, type, message, fields, **more)

    def stream(self, frames, fields=None, pieces=None, pause=0.0, end=True):
        """frames: bytes; in pieces of random sizes, or all at once."""
        self.to.begin(200, {"Content-Type": "application/vnd.amazon.eventstream",
                            "X-Amz-Executed-Version": self.qualifier or "$LATEST",
                            **(fields or {})})
        for piece in event_stream.split(frames, self.fake.rng, pieces) if pieces else [frames]:
            self.to.chunk(piece)
            if pause:
                threading.Event().wait(pause)
        if end:
            self.to.end()


class Lambda(Service):
    def __init__(self, ns, certificate, accounts, region="us-east-2", address="127.0.0.1",
                 rng=None):
        self.accounts, self.region, self.rng = accounts, region, rng or random.Random(1)
        self.functions = dict(BUILT_IN)
        self.versions, self.aliases = {}, {}  # name -> ["1", ...], name -> {"prod": "1"}
        self.skew, self.denied_actions, self.calls, self.seen = 0.0, set(), [], {}
        self.throttle_lists, self.lists, self.quick = 0, [], False
        self.alias_asked, self.alias_gate = [], threading.Event()
        self.alias_gate.set()
        super().__init__(ns, self.says, address, tls=certificate)
        self.verifier = Verifier(accounts, region, "lambda", self.host, self.now)

    def now(self):
        return time.time() + self.skew

    def common(self):
        return {"Date": email.utils.formatdate(self.now(), usegmt=True),
                "x-amzn-RequestId": "11111111-2222-3333-4444-555555555555"}

    def error(self, to, status, type, message, fields=None, **more):
        if self.quick and status == 429:
            fields = {}
        to.reply(status, {"Content-Type": "application/json",
                          "x-amzn-ErrorType": type + ":http://internal.amazon.com/coral/",
                          **(fields or {})}, json.dumps({"Message": message, **more}))

    def deny(self, to, action, resource="*"):
        self.error(to, 403, "AccessDeniedException",
                   f"User: arn:aws:iam::{ACCOUNT}:user/gateway is not authorized to perform: "
                   f"{action} on resource: {resource} because no identity-based policy allows "
                   f"the {action} action")

    def says(self, request, to):
        try:
            keys = self.verifier.judge(request)
        except Denied as e:
            self.error(to, e.status, e.type, e.message)
            return
        invoke = INVOKE.match(request.path)
        if request.method == "POST" and invoke:
            self.invoked(request, to, invoke, keys)
        elif request.method == "GET" and request.path == "/2015-03-31/functions":
            self.listed(request, to)
        elif request.method == "GET" and request.path.endswith("/aliases"):
            self.aliased(request, to)
        else:
            self.error(to, 404, "UnknownOperationException", request.line)

    # ---- calls

    def name_of(self, part, query):
        """(function, qualifier) of what stands in the path, or None: 404."""
        text = urllib.parse.unquote(part)
        asked = urllib.parse.parse_qs(query, keep_blank_values=True).get("Qualifier", [""])[0]
        arn = re.match(rf"^(?:arn:aws:lambda:{self.region}:)?({ACCOUNT}):function:(.+)$", text)
        if arn:
            text = arn.group(2)
        function, _, qualifier = text.partition(":")
        if function not in self.functions or (qualifier and asked and qualifier != asked):
            return None
        qualifier = asked or qualifier
        known = {"", "$LATEST", *self.versions.get(function, []),
                 *self.aliases.get(function, {})}
        return (function, qualifier) if qualifier in known else None

    def invoked(self, request, to, match, keys):
        named = self.name_of(match.group(2), request.query)
        kind = request.get("x-amz-invocation-type", "RequestResponse")
        streams = match.group(3) != "invocations"
        if "lambda:InvokeFunction" in self.denied_actions:
            return self.deny(to, "lambda:InvokeFunction")
        if (match.group(1) == "2021-11-15") != streams:
            return self.error(to, 404, "UnknownOperationException", request.line)
        if not named:
            return self.error(to, 404, "ResourceNotFoundException",
                              f"Function not found: arn:aws:lambda:{self.region}:{ACCOUNT}:"
                              f"function:{urllib.parse.unquote(match.group(2))}", Type="User")
        call = Invocation(self, request, to, *named, keys)
        with self.lock:
            if not self.quick:
                self.calls.append(call)
        if kind == "DryRun":
            return to.reply(204)
        most = ASYNC_MAX if kind == "Event" else SYNC_MAX
        if len(request.body) > most:
            return self.error(to, 413, "RequestTooLargeException",
                              f"Request must be smaller than {most} bytes")
        if request.body:
            try:
                json.loads(request.body)
            except ValueError as e:
                return self.error(to, 400, "InvalidRequestContentException",
                                  f"Could not parse request body into json: {e}", Type="User")
        if kind == "Event":
            return to.reply(202, {"X-Amz-Executed-Version": "$LATEST"})
        function = self.functions[named[0]]
        if isinstance(function, bytes):
            call.result(function)
        else:
            function(call)

    def times(self, what):
        """How often it was asked of that, from 0."""
        with self.lock:
            self.seen[what] = self.seen.get(what, 0) + 1
            return self.seen[what] - 1

    # ---- lists

    def throttles(self, to):
        with self.lock:
            if self.throttle_lists <= 0:
                return False
            self.throttle_lists -= 1
        self.error(to, 429, "TooManyRequestsException", "Rate exceeded", {"Retry-After": "1"},
                   Reason="CallerRateLimitExceeded")
        return True

    def listed(self, request, to):
        self.lists.append((time.monotonic(), request.target))
        if "lambda:ListFunctions" in self.denied_actions:
            return self.deny(to, "lambda:ListFunctions")
        if self.throttles(to):
            return
        query = dict(urllib.parse.parse_qsl(request.query))
        rows = []
        for name in sorted(self.functions):
            rows.append((name, "$LATEST"))
            if query.get("FunctionVersion") == "ALL":
                rows += [(name, v) for v in self.versions.get(name, [])]
        at = int(query.get("Marker", "m0")[1:])
        size = min(int(query.get("MaxItems", PAGE_MAX)), PAGE_MAX)
        page = {"Functions": [{
            "FunctionName": n, "Version": v, "Runtime": "nodejs20.x",
            "FunctionArn": f"arn:aws:lambda:{self.region}:{ACCOUNT}:function:{n}:{v}"}
            for n, v in rows[at:at + size]],
            "NextMarker": f"m{at + size}" if at + size < len(rows) else None}
        to.reply(200, {"Content-Type": "application/json"}, json.dumps(page))

    def aliased(self, request, to):
        name = urllib.parse.unquote(request.path.split("/")[3])
        self.alias_asked.append(name)
        self.alias_gate.wait(60)
        if "lambda:ListAliases" in self.denied_actions:
            return self.deny(to, "lambda:ListAliases")
        if name not in self.functions:
            return self.error(to, 404, "ResourceNotFoundException", "Function not found")
        to.reply(200, {"Content-Type": "application/json"}, json.dumps(
            {"Aliases": [{"Name": a, "FunctionVersion": v}
                         for a, v in self.aliases.get(name, {}).items()]}))


def echo(i):
    i.result(i.event or b"null")


def throttled(i):
    i.error(429, "TooManyRequestsException", "Rate Exceeded.", {"Retry-After": "7"},
            Reason="ReservedFunctionConcurrentInvocationLimitExceeded", Type="User")


def throttled_once(i):
    throttled(i) if i.fake.times(("throttled", i.event)) == 0 else echo(i)


def service_error(i):
    i.error(500, "ServiceException", "An error occurred and the request cannot be processed.")


def broken_once(i):
    service_error(i) if i.fake.times(("broken", i.event)) == 0 else echo(i)


def slow(i):
    threading.Event().wait(0.3)
    echo(i)


def cut(i):
    i.to.raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
             b"{\"half\":")
    i.to.cut()


BUILT_IN = {
    "echo": echo,
    "failing": lambda i: i.failed(trace=["at secret/place.js"]),
    "handled": lambda i: i.failed("Handled", "TypeError"),
    "timing-out": lambda i: i.failed(type="Sandbox.Timedout", message="2026-01-02T03:04:05.678Z "
                                     "11111111 Task timed out after 3.00 seconds"),
    "throttled": throttled,
    "throttled-once": throttled_once,
    "too-large": lambda i: i.error(413, "RequestTooLargeException", "Request must be smaller"),
    "forbidden": lambda i: i.fake.deny(i.to, "lambda:InvokeFunction"),
    "broken": service_error,
    "broken-once": broken_once,
    "hanging": lambda i: i.to.hang(),
    "slow": slow,
    "creating": lambda i: i.error(409, "ResourceConflictException", "The operation cannot be "
                                  "performed at this time. The function is currently: Pending"),
    "counted": lambda i: i.result(str(i.fake.times("counted") + 1)),
    "cut": cut,
    "huge": lambda i: i.result(b'"' + b"x" * (7 << 20) + b'"'),
}
