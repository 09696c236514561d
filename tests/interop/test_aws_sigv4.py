"""Signatures of AWS against an independent judge: botocore says what the signature of
each request has to be, for thousands of random paths, queries, fields and bodies."""
import hashlib
import json
import os
import random
import subprocess
import sys
import urllib.parse

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from e2e import check, equal

COUNT = 100000 if e2e.SOAK else 10000
SEED = int(os.environ.get("GG_SEED", "20260102"))
HOST = "lambda.us-east-2.amazonaws.com"
LETTERS = "abcXYZ019-_.~ :/@!$&'()*+,;=%?#[]<>\"\\|^`{}äßé€汉😀"
NAMES = ["content-type", "x-amz-invocation-type", "x-amz-log-type", "x-a", "x-ab", "x-a-b",
         "x-amz-date-of-another"]


def word(rng, most, letters=LETTERS):
    return "".join(rng.choice(letters) for _ in range(rng.randrange(most + 1)))


def path(rng):
    """As it goes on the wire: some that may stand raw do."""
    parts = [rng.choice(["", ".", ".."]) if rng.random() < 0.15
             else urllib.parse.quote(word(rng, 12), safe=rng.choice(["", ":@!$&'()*+,;="]))
             for _ in range(rng.randrange(6))]
    return "/" + "/".join(parts)


def query(rng):
    if rng.random() < 0.3:
        return ""
    pairs = []
    for _ in range(rng.randrange(1, 6)):
        name = rng.choice(["Qualifier", "Marker", "a", "a-", "A", word(rng, 6) or "n"])
        value = rng.choice(["", "$LATEST", "1", word(rng, 10)])
        pairs.append(urllib.parse.quote(name, safe="-_.~") + "="
                     + urllib.parse.quote(value, safe="-_.~"))
    return "&".join(pairs)


def fields(rng, body):
    found = [["host", HOST]]
    for _ in range(rng.randrange(6)):
        value = word(rng, 20, "ab \t,;=\"'/é")
        found.append([rng.choice(NAMES), value])
    if rng.random() < 0.3:
        found.append(["x-amz-security-token", word(rng, 300, "abcXYZ019/+=") or "t"])
    if rng.random() < 0.3:
        found.append(["x-amz-content-sha256", hashlib.sha256(body.encode()).hexdigest()])
    rng.shuffle(found)
    return found


def requests(rng):
    # Few of each, so that keys are kept, changed and kept again.
    secrets = [word(rng, 40, "abcXYZ019/+") or "s" for _ in range(3)]
    for _ in range(COUNT):
        body = word(rng, 60)
        yield {"method": rng.choice(["GET", "POST", "PUT"]), "path": path(rng),
               "query": query(rng), "fields": fields(rng, body), "body": body,
               "access_key": "AKIDEXAMPLE", "secret_key": rng.choice(secrets),
               "region": rng.choice(["us-east-2", "cn-north-1"]),
               "service": rng.choice(["lambda", "sts"]),
               "now_ms": 1767323045000 + rng.randrange(3) * 86400000}


class Judge:
    """What botocore makes of the same request."""

    def __init__(self):
        try:
            import botocore.auth
            import botocore.awsrequest
            import botocore.credentials
        except ImportError:
            raise e2e.Skip("python3-botocore is not installed")
        self.auth, self.request = botocore.auth.SigV4Auth, botocore.awsrequest.AWSRequest
        self.credentials = botocore.credentials.Credentials

    def authorization(self, r, date):
        url = f"https://{HOST}{r['path']}" + (f"?{r['query']}" if r["query"] else "")
        request = self.request(r["method"], url, data=r["body"].encode())
        for name, value in r["fields"] + [["x-amz-date", date]]:
            request.headers.add_header(name, value)
        request.context["timestamp"] = date
        signer = self.auth(self.credentials(r["access_key"], r["secret_key"]),
                           r["service"], r["region"])
        signed = signer.headers_to_sign(request)
        canonical = signer.canonical_request(request)
        signature = signer.signature(signer.string_to_sign(request, canonical), request)
        return (f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, "
                f"SignedHeaders={signer.signed_headers(signed)}, Signature={signature}")


def test_random_requests_are_signed_as_botocore_signs_them():
    judge, rng = Judge(), random.Random(SEED)
    asked = list(requests(rng))
    program = os.path.join(os.environ.get("GG_BUILD", "build"), "tests/interop/sign")
    answer = subprocess.run([program], input="".join(json.dumps(r) + "\n" for r in asked),
                            stdout=subprocess.PIPE, text=True, check=True, timeout=300)
    lines = answer.stdout.splitlines()
    equal(len(lines), len(asked), "signatures")
    different = 0
    for r, line in zip(asked, lines):
        date, got = line.split(" ", 1)
        equal(got, judge.authorization(r, date), f"seed {SEED}, {json.dumps(r)}")
        different += got.rsplit("=", 1)[1] != lines[0].rsplit("=", 1)[1]
    check(different > COUNT * 0.9, "hardly any signature differs from the first")
    return f"{COUNT} requests, seed {SEED}"


if __name__ == "__main__":
    e2e.main(globals())
