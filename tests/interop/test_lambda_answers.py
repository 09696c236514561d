"""What functions are given and what becomes of what they answer: events and answers of
ALB and API Gateway in both forms, what is none of them (L4); streams in any pieces, cut
and corrupted (L8). The fake's frames are read by botocore, too."""
import base64
import json
import os
import random
import socket
import sys
import threading

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
import event_stream
from e2e import check, equal
from event_stream import chunk, complete, exception, prelude
from lambda_bed import Bed

SEED = int(os.environ.get("GG_SEED", "20260102"))
ROUNDS = 200 if e2e.SOAK else 20
REASON = "x-gloo-gateway-reason"
SHAPES = {  # of an event: how it is asked for, and of the answer
    "gloo": {"requestTransformation": True},
    "alb": {"wrapAsAlb": True, "unwrapAsAlb": True},
    "albm": {"wrapAsAlb": True, "multiValueHeaders": True, "unwrapAsAlb": True},
    "v1": {"wrapAsApiGateway": True, "unwrapAsApiGateway": True},
    "v2": {"wrapAsApiGateway": True, "unwrapAsApiGateway": True, "payloadFormatVersion": "2.0"},
    "raw": {},
}


class Drill(Bed):
    """The function of each shape answers with `gives` (bytes, or what becomes JSON) and
    keeps the event; "streams" does what `frames` says."""

    def __init__(self):
        super().__init__()
        self.gives, self.event, self.streams_as = b"{}", None, None
        self.fake.functions["shaped"] = self.shaped
        self.fake.functions["streams"] = lambda i: self.streams_as(i)
        self.routes(*(self.way(f"/{n}/", "shaped", **more) for n, more in SHAPES.items()),
                    self.way("/bytes/", "streams", responseStreaming=True),
                    self.way("/http/", "streams", responseStreaming=True, unwrapAsApiGateway=True),
                    self.way("/fn", "echo"))
        self.ready()

    def shaped(self, i):
        self.event = i.json() if i.event else None
        gives = self.gives
        i.result(gives if isinstance(gives, bytes) else json.dumps(gives))

    def raw(self, path, more=b"", method=b"GET"):
        """All bytes of the answer, until the connection ends, and how: "end" or "reset"."""
        with e2e.Namespace(self.out):
            s = socket.create_connection((self.address, 8080), timeout=20 * e2e.PATIENCE)
        with s:
            s.sendall(method + b" " + path.encode() + b" HTTP/1.1\r\nHost: a.test\r\n" + more
                      + b"Connection: close\r\n\r\n")
            got = b""
            try:
                while part := s.recv(65536):
                    got += part
            except ConnectionResetError:
                return got, "reset"
        return got, "end"

    def streamed(self, path, frames, pieces=None, fields=None, end=True):
        self.streams_as = lambda i: i.stream(frames, fields, pieces, end=end)
        return self.raw(path)


def setup():
    return Drill()


def teardown(d):
    try:
        equal((d.fake.broken, d.fake.verifier.denied), ([], []))
    finally:
        d.close()


def fields_of(got):
    """[(lower name, value)] of an answer's bytes."""
    lines = got.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return [(n.lower(), v) for n, v in (line.split(": ", 1) for line in lines)]


# ---- L4


def test_events(d):
    """L4: method, path, query, fields, cookies and body in the event, in each form"""
    d.gives = {"statusCode": 200}
    head = (b"X-A: 1\r\nX-A: 2\r\nCookie: a=b; c=d\r\nContent-Type: text/plain\r\n"
            b"Content-Length: 4\r\nUser-Agent: me/1\r\n")
    for shape in SHAPES:
        if shape == "raw":
            continue
        with e2e.Namespace(d.out):
            s = socket.create_connection((d.address, 8080), timeout=20 * e2e.PATIENCE)
        with s:
            s.sendall(f"PUT /{shape}/x%20y?q=1&q=%202&e= HTTP/1.1\r\nHost: a.test\r\n".encode()
                      + head + b"Connection: close\r\n\r\nbody")
            while s.recv(65536):
                pass
        e = d.event
        equal(e["body"], "body", shape)
        if shape == "v2":
            equal((e["version"], e["requestContext"]["http"]["method"], e["rawQueryString"],
                   e["cookies"], e["headers"]["x-a"], e["requestContext"]["http"]["userAgent"]),
                  ("2.0", "PUT", "q=1&q=%202&e=", ["a=b", "c=d"], "1,2", "me/1"))
            equal(e["queryStringParameters"]["q"], "1, 2")
            equal(e["requestContext"]["http"]["sourceIp"], "10.98.0.2")
            continue
        equal(e["httpMethod"], "PUT", shape)
        if shape in ("v1", "albm"):
            lower = {k.lower(): v for k, v in e["multiValueHeaders"].items()}
            equal(lower["x-a"], ["1", "2"], shape)
        if shape == "v1":
            equal(e["requestContext"]["identity"]["sourceIp"], "10.98.0.2")
            equal(e["multiValueQueryStringParameters"]["q"], ["1", " 2"])
            equal(e["queryStringParameters"]["e"], "")
        if shape == "alb":
            check("elb" in e["requestContext"] and "multiValueHeaders" not in e, e)
        if shape == "albm":
            check("headers" not in e, e)
            equal(e["multiValueQueryStringParameters"]["q"], ["1", "%202"])


def test_binary(d):
    """L4: bytes that are no text go to the function and come back as they are"""
    d.gives = {"statusCode": 200}
    body = bytes(range(256)) * 40
    for shape in ("alb", "albm", "v1", "v2"):
        d.answers(f"/{shape}/", 200, body, headers={"Content-Type": "application/octet-stream"})
        check(d.event["isBase64Encoded"] is True, shape)
        equal(base64.b64decode(d.event["body"]), body, shape)
        d.gives = {"statusCode": 200, "isBase64Encoded": True,
                   "headers": {"content-type": "image/png"},
                   "body": base64.b64encode(body).decode()}
        fields, got = d.answers(f"/{shape}/", 200)
        equal((got, fields["content-type"]), (body, "image/png"), shape)


def test_answers(d):
    """L4: status, fields, several of a name, cookies; what is of the hop is not passed on"""
    d.gives = {"statusCode": 201, "body": "made", "headers": {
        "content-type": "text/x", "X-N": 7, "X-Hop": "1", "Connection": "x-hop",
        "Content-Length": "999",
        "Transfer-Encoding": "chunked"}}
    for shape in ("alb", "v1", "v2"):
        got, _ = d.raw(f"/{shape}/")
        fields = fields_of(got)
        check(got.startswith(b"HTTP/1.1 201 ") and got.endswith(b"\r\n\r\nmade"), shape, got)
        equal([v for n, v in fields if n == "content-length"], ["4"], shape)
        equal([v for n, v in fields if n == "x-n"], ["7"], shape)
        equal([v for n, v in fields if n in ("transfer-encoding", "x-hop")], [], shape)
    several = {"statusCode": 200, "multiValueHeaders": {"set-cookie": ["a=1", "b=2"], "x-m": ["1"]}}
    for shape in ("albm", "v1"):
        d.gives = several
        fields = fields_of(d.raw(f"/{shape}/")[0])
        equal([v for n, v in fields if n == "set-cookie"], ["a=1", "b=2"], shape)
    d.gives = {"statusCode": 200, "cookies": ["a=1; Secure", "b=2"], "body": None}
    fields = fields_of(d.raw("/v2/")[0])
    equal([v for n, v in fields if n == "set-cookie"], ["a=1; Secure", "b=2"])


def test_anything(d):
    """L4: an HTTP API's function may answer with any JSON: 200 and that; raw ones too"""
    for gives in ({"a": [1, "é"]}, [1, 2], "text", 7, None):
        d.gives = gives
        fields, got = d.answers("/v2/", 200)
        check(fields["content-type"].startswith("application/json"), fields)
        equal(got.decode() if isinstance(gives, str) else json.loads(got), gives)
        equal(json.loads(d.answers("/raw/", 200)[1]), gives)


def test_without_body(d):
    """L4: HEAD, 204 and 304 have no body, whatever the function says"""
    for status in (200, 204, 304):
        d.gives = {"statusCode": status, "body": "there is one"}
        for shape in ("alb", "v1", "v2"):
            for method in (b"HEAD", b"GET"):
                got, _ = d.raw(f"/{shape}/", method=method)
                check(got.startswith(b"HTTP/1.1 %d " % status), got)
                if method == b"HEAD" or status != 200:
                    check(got.endswith(b"\r\n\r\n"), shape, got)


BAD = [b"", b"no JSON", b"{", b"[]", b'"text"', b"\xff\xfe", b'{"statusCode": 99}',
       b'{"statusCode": 600}', b'{"statusCode": 200.5}', b'{"statusCode": {}}',
       b'{"statusCode": 200, "headers": []}', b'{"statusCode": 200, "headers": {"a": {}}}',
       b'{"statusCode": 200, "multiValueHeaders": {"a": "b"}}',
       b'{"statusCode": 200, "body": "%%%", "isBase64Encoded": true}',
       b'{"statusCode": 200, "isBase64Encoded": "maybe"}', b'{"statusCode": 200} x',
       b'{"statusCode": 1e999}', b'{"statusCode": -200}']


def test_bad(d):
    """L4: an answer that is none of the mode: 502 with a reason; the next one is served"""
    found = 0
    for bad in BAD:
        d.gives = bad
        for shape in ("alb", "v1"):
            fields, _ = d.answers(f"/{shape}/", 502)
            equal(fields[REASON], "bad_function_answer", bad)
            found += 1
    check(len(d.line("/v1/", 502)["detail"]) > 10, "the log does not say why")
    d.gives = {"statusCode": 200, "body": "good"}
    equal(d.answers("/v1/", 200)[1], b"good")
    return f"{found} answers"


def test_smuggled(d):
    """L4: fields with line ends, names that are none, a second status: never in the answer"""
    for gives in ({"statusCode": 200, "headers": {"x-a": "1\r\nSet-Cookie: evil=1"}},
                  {"statusCode": 200, "headers": {"x-a\r\nSet-Cookie: evil": "1"}},
                  {"statusCode": 200, "headers": {"x a": "evil=1", "": "evil=1",
                                                  ":status": "evil=1"}},
                  {"statusCode": 200, "statusDescription": "200 OK\r\nSet-Cookie: evil=1"},
                  {"statusCode": 200, "multiValueHeaders": {"x": ["a\nSet-Cookie: evil=1"]}}):
        d.gives = gives
        for shape in ("alb", "v1", "v2"):
            got, _ = d.raw(f"/{shape}/")
            head = got.partition(b"\r\n\r\n")[0].lower()
            check(b"\nset-cookie" not in head and b"\r\n\r\n" in got, gives, got)
            check(got.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 502 ")), got)
    d.gives = {"statusCode": 200}
    d.answers("/v1/", 200)


def test_large(d):
    """L4: 7 MB are more than a function answers: 502, not a part of it"""
    d.fake.functions["shaped"], shaped = d.fake.functions["huge"], d.fake.functions["shaped"]
    try:
        d.answers("/v1/", 502)
    finally:
        d.fake.functions["shaped"] = shaped


# ---- L8


def test_frames(d):
    """the fake's frames are what botocore reads"""
    from botocore.eventstream import EventStreamBuffer
    buffer = EventStreamBuffer()
    for piece in event_stream.split(chunk(b"a" * 300) + complete("E", "d") + exception("X", "m"),
                                    random.Random(SEED), 7):
        buffer.add_data(piece)
    seen = [(e.headers, e.payload) for e in buffer]
    equal([h.get(":event-type") or h[":exception-type"] for h, _ in seen],
          ["PayloadChunk", "InvokeComplete", "X"])
    equal(seen[0][1], b"a" * 300)
    equal(json.loads(seen[1][1]), {"ErrorCode": "E", "ErrorDetails": "d"})


def random_stream(rng):
    """(frames, status, fields, body) of one with a head."""
    body = rng.randbytes(rng.choice([0, 1, 7, 100, 5000, 70000, 300000]))
    head = prelude(rng.choice([200, 201, 404]), {"x-r": str(rng.random()), "content-type": "a/b"},
                   ["a=1", "b=2"] if rng.random() < 0.5 else None)
    most = rng.choice([3, 40, 9000]) if len(body) <= 70000 else 1 << 20
    frames = b"".join(chunk(p) for p in event_stream.split(head + body, rng, most))
    return frames + complete(), json.loads(head[:-8]), body


def unchunk(got):
    head, _, rest = got.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" not in head.lower():
        return rest, True
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        if int(size, 16) == 0:
            return body, rest == b"\r\n"
        body, rest = body + rest[:int(size, 16)], rest[int(size, 16) + 2:]
    return body, False


def test_streams(d):
    """L8: streams in pieces of random sizes: head, cookies and body come as they were made"""
    rng = random.Random(SEED)
    for _ in range(ROUNDS):
        frames, head, body = random_stream(rng)
        # Many small writes cost more than they find; their places are random anyway.
        most = rng.choice([16, 64, 1 << 20]) if len(frames) < 20000 else rng.choice([4096, 1 << 20])
        got, how = d.streamed("/http/", frames, most)
        text, whole = unchunk(got)
        fields = fields_of(got)
        check(got.startswith(b"HTTP/1.1 %d " % head["statusCode"]) and whole, got[:300])
        equal((text == body, how), (True, "end"), f"seed {SEED}")
        check(("x-r", head["headers"]["x-r"]) in fields, fields)
        equal([v for n, v in fields if n == "set-cookie"], head.get("cookies", []))
    return f"{ROUNDS} streams, seed {SEED}"


def test_bytes(d):
    """L8: without a head of its own: 200 and the bytes, of the type that AWS says"""
    got, how = d.streamed("/bytes/", chunk(b"one") + chunk(b"") + chunk(b"two") + complete(), 5,
                          {"X-Amzn-Remapped-Content-Type": "text/html"})
    equal((unchunk(got), how), ((b"onetwo", True), "end"))
    check(("content-type", "text/html") in fields_of(got), got)
    got, _ = d.streamed("/bytes/", chunk(prelude(418) + b"tea") + complete(), None, {
        "X-Amzn-Remapped-Content-Type": "application/vnd.awslambda.http-integration-response"})
    check(got.startswith(b"HTTP/1.1 418 ") and unchunk(got) == (b"tea", True), got)
    equal(d.fake.calls[-1].request.path.rsplit("/", 1)[1], "response-streaming-invocations")


def in_two(d, begin, rest):
    """What the client got: the rest comes when it has the first part."""
    go_on = threading.Event()

    def streams(i):
        i.to.begin(200, {"Content-Type": "application/vnd.amazon.eventstream"})
        i.to.chunk(begin)
        check(go_on.wait(10 * e2e.PATIENCE), "nobody has read the first part")
        i.to.chunk(rest)
        i.to.end()
    d.streams_as = streams
    with e2e.Namespace(d.out):
        s = socket.create_connection((d.address, 8080), timeout=5 * e2e.PATIENCE)
    with s:
        s.sendall(b"GET /http/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        got = b""
        while b"first" not in got:
            got += s.recv(65536)
        go_on.set()
        while part := s.recv(65536):
            got += part
    return got


def test_at_once(d):
    """L8: what came of a stream, of a large frame too, reaches the client before the rest"""
    large = chunk(prelude(200) + b"first" + b"x" * (1 << 20)) + complete()
    for parts, body in (((chunk(prelude(200) + b"first"), chunk(b"second") + complete()),
                         b"firstsecond"),
                        ((large[:9000], large[9000:]), b"first" + b"x" * (1 << 20))):
        equal(unchunk(in_two(d, *parts)), (body, True))


def broken_ones():
    """(frames, whether the head is out before it breaks)"""
    begin = chunk(prelude(200) + b"begun")
    flipped = bytearray(chunk(b"payload" * 20))
    flipped[-30] ^= 1
    flipped_head = bytearray(chunk(b"payload"))
    flipped_head[9] ^= 1
    huge = b"\x7f\xff\xff\xff" + chunk(b"x")[4:]
    large = bytearray(chunk(b"y" * 300000))
    large[150000] ^= 1
    return {
        "a wrong CRC of the whole": (bytes(flipped), False),
        "a wrong CRC of the first bytes": (bytes(flipped_head), False),
        "a length of 2 GB": (huge, False),
        "an exception at first": (exception("ServiceException", "no"), False),
        "an error at first": (complete("Function.Error", "it threw"), False),
        "no end": (b"", False),
        "no NULs": (chunk(b'{"statusCode": 200}') + complete(), False),
        "a head that is none": (chunk(b'{"statusCode": "x"}' + b"\0" * 8) + complete(), False),
        "a head of 100 KB": (b"".join(chunk(b" " * 10000) for _ in range(10)) + complete(), False),
        "a wrong CRC after the head": (begin + bytes(flipped) + complete(), True),
        "an error after the head": (begin + complete("Function.Error", "it threw"), True),
        "an exception after the head": (begin + exception("ServiceException", "no"), True),
        "no InvokeComplete": (begin, True),
        "half a frame at the end": (begin + chunk(b"more")[:20], True),
        "a wrong CRC of a large frame": (begin + bytes(large) + complete(), True),
        "half a large frame at the end": (begin + chunk(b"more" * 50000)[:150000], True),
        "frames after the end": (begin + complete() + chunk(b"evil"), None),
    }


def test_broken(d):
    """L8: before the head a broken stream is a 502, behind it the connection is reset"""
    cases = broken_ones()
    for name, (frames, begun) in cases.items():
        for pieces in (None, 9) if len(frames) < 2000 else (None,):
            got, how = d.streamed("/http/", frames, pieces)
            if begun is None:
                check(b"evil" not in got, name, got)
            elif begun:
                check(got.startswith(b"HTTP/1.1 200 ") or (got, how) == (b"", "reset"), name, got)
                check(how == "reset" or not unchunk(got)[1], name, how, got)
            else:
                check(got.startswith(b"HTTP/1.1 502 "), name, pieces, got[:500])
                check((REASON, "bad_function_answer") in fields_of(got)
                      or (REASON, "function_error") in fields_of(got)
                      or (REASON, "lambda_failed") in fields_of(got), name, got)
    got, _ = d.streamed("/http/", chunk(prelude(200) + b"good") + complete())
    equal(unchunk(got), (b"good", True))
    return f"{len(cases)} ways"


def test_stream_errors(d):
    """L8: a streaming call that is throttled or not found is answered as any other"""
    f = d.fake.functions
    f["streams"], streams = f["throttled"], f["streams"]
    try:
        fields, _ = d.answers("/http/", 429)
        equal(fields["retry-after"], "7")
    finally:
        f["streams"] = streams


if __name__ == "__main__":
    e2e.main(globals())
