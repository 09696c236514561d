"""Who may ask AWS, and whether a request is signed as AWS wants it: recomputed by
botocore from the request line as it was sent, never by what the gateway says of it
(upstreams.md 4.2)."""
import datetime
import hashlib
import hmac
import itertools
import secrets
import threading
import time

import e2e

try:
    from botocore.auth import SigV4Auth
    from botocore.compat import HTTPHeaders
except ImportError:
    SigV4Auth = object

SKEW_S = 300  # AWS takes a clock that is five minutes off


def needed():
    if SigV4Auth is object:
        raise e2e.Skip("python3-botocore is not installed")


class Keys:
    """What a caller has; expires: seconds since 1970, or None."""

    def __init__(self, access, secret, token="", expires=None, source=""):
        self.access, self.secret, self.token = access, secret, token
        self.expires, self.source = expires, source

    def expiration(self):
        """ISO 8601, as STS and metadata write it."""
        return datetime.datetime.utcfromtimestamp(self.expires).strftime("%Y-%m-%dT%H:%M:%SZ")


class Accounts:
    """All keys that are good or were, by their id. `every`: of all that were made."""

    def __init__(self):
        self.lock, self.by_access, self.number = threading.Lock(), {}, itertools.count(1)

    def add(self, access, secret, token="", expires=None, source=""):
        k = Keys(access, secret, token, expires, source)
        with self.lock:
            self.by_access[access] = k
        return k

    def issue(self, seconds, source=""):
        """For a time, with a session token."""
        n = next(self.number)
        return self.add(f"ASIATEST{n:012d}", f"secret/{n}+" + secrets.token_hex(16),
                        f"token/{n}+{secrets.token_hex(24)}==", time.time() + seconds, source)

    def get(self, access):
        with self.lock:
            return self.by_access.get(access)

    def revoke(self, access):
        with self.lock:
            del self.by_access[access]

    def hidden(self):
        """All that nobody may ever be shown."""
        with self.lock:
            return [v for k in self.by_access.values() for v in (k.secret, k.token) if v]


class Denied(Exception):
    def __init__(self, type, message, status=403):
        super().__init__(message)
        self.type, self.message, self.status = type, message, status


class Sent:
    """A request, as SigV4Auth reads one."""

    def __init__(self, request, host, signed, date):
        self.method, self.params, self.body = request.method, None, request.body
        self.url = f"https://{host}{request.target}"
        self.context = {"timestamp": date}
        self.headers = HTTPHeaders()
        for name, value in request.fields:
            if name.lower() in signed:
                self.headers.add_header(name.lower(), value)


class Verifier(SigV4Auth):
    """judge(request): whose keys signed it, or Denied. Counts both."""

    def __init__(self, accounts, region, service, host, now=time.time):
        self.accounts, self.region, self.service, self.host = accounts, region, service, host
        self.now, self.good, self.denied, self.lock = now, 0, [], threading.Lock()

    def headers_to_sign(self, request):
        return request.headers

    def judge(self, request):
        try:
            keys = self.check(request)
        except Denied as e:
            self.denied.append((e.type, e.message, request.line))
            raise
        with self.lock:
            self.good += 1
        return keys

    def check(self, request):
        given = request.get("authorization")
        if not given:
            raise Denied("MissingAuthenticationTokenException", "Missing Authentication Token")
        algorithm, _, rest = given.partition(" ")
        try:
            parts = dict(p.strip().split("=", 1) for p in rest.split(","))
            access, day, region, service, last = parts["Credential"].split("/")
            signed, signature = parts["SignedHeaders"].split(";"), parts["Signature"]
        except (KeyError, ValueError):
            raise Denied("IncompleteSignatureException", f"cannot read {given!r}") from None
        date = request.get("x-amz-date", "")
        if algorithm != "AWS4-HMAC-SHA256" or not date.startswith(day) or last != "aws4_request":
            raise Denied("InvalidSignatureException", "the scope is not of that date")
        if (region, service) != (self.region, self.service):
            raise Denied("InvalidSignatureException",
                         f"Credential should be scoped to a valid region: {region}/{service}")
        keys = self.accounts.get(access)
        if not keys:
            raise Denied("UnrecognizedClientException",
                         "The security token included in the request is invalid.")
        must = ["host", "x-amz-date"] + (["x-amz-security-token"] if keys.token else [])
        if request.get("content-type"):
            must.append("content-type")
        if [n for n in must if n not in signed] or signed != sorted(signed):
            raise Denied("InvalidSignatureException", f"signed are {signed}")
        if any(len(request.all(n)) != 1 for n in ("host", "authorization", "x-amz-date")):
            raise Denied("InvalidSignatureException", "host or date stand there twice")
        if request.get("host") != self.host:
            raise Denied("InvalidSignatureException", f"Host is {request.get('host')}")
        self.check_signature(request, keys, signed, date, signature)
        if request.get("x-amz-security-token", "") != keys.token:
            raise Denied("UnrecognizedClientException",
                         "The security token included in the request is invalid.")
        self.check_time(date, keys)
        return keys

    def check_signature(self, request, keys, signed, date, signature):
        digest = request.get("x-amz-content-sha256")
        if digest and digest != hashlib.sha256(request.body).hexdigest():
            raise Denied("InvalidSignatureException", "the body is another one")
        judge = Verifier(self.accounts, self.region, self.service, self.host)
        judge.credentials = keys
        keys.access_key, keys.secret_key = keys.access, keys.secret
        judge._region_name, judge._service_name = self.region, self.service
        sent = Sent(request, self.host, signed, date)
        canonical = judge.canonical_request(sent)
        wanted = judge.signature(judge.string_to_sign(sent, canonical), sent)
        if not hmac.compare_digest(wanted, signature):
            raise Denied("InvalidSignatureException",
                         "The request signature we calculated does not match the signature you "
                         "provided. The Canonical String for this request should have been\n"
                         + canonical)

    def check_time(self, date, keys):
        then = datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(
            tzinfo=datetime.timezone.utc).timestamp()
        now = self.now()
        if then < now - SKEW_S:
            raise Denied("InvalidSignatureException", f"Signature expired: {date} is now earlier "
                         "than the service allows")
        if then > now + SKEW_S:
            raise Denied("InvalidSignatureException", f"Signature not yet current: {date} is "
                         "still later than the service allows")
        if keys.expires and time.time() > keys.expires:
            raise Denied("ExpiredTokenException",
                         "The security token included in the request is expired")
