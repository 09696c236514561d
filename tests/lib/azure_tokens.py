"""Who gives tokens of Microsoft Entra out, in a test's hands. Pages of
learn.microsoft.com: [vm] entra/identity/managed-identities-azure-resources/
how-to-use-vm-token; [app] azure/app-service/overview-managed-identity, REST endpoint
reference; [entra] entra/identity-platform/v2-oauth2-client-creds-grant-flow, third case,
and entra/workload-id/workload-identity-federation.

    Metadata   GET /metadata/identity/oauth2/token?api-version=2018-02-01&resource=R
               [&client_id=C]                                                        [vm]
               without "Metadata: true", or with X-Forwarded-For: 400                [vm]
               another api-version, no resource: 400; a client_id unknown: 400
               {"access_token","expires_in","expires_on","resource","token_type"}
               failing = N: that status (404, 410, 429, 5xx are to be tried again)   [vm]
    AppService GET $IDENTITY_ENDPOINT?api-version=2019-08-01&resource=R[&client_id=C]
               X-IDENTITY-HEADER must be $IDENTITY_HEADER, else 401                  [app]
    Entra      POST /TENANT/oauth2/v2.0/token, of a form: grant_type
               client_credentials, client_id, scope=R/.default,
               client_assertion_type ...jwt-bearer, client_assertion                 [entra]
               the assertion is a token of the cluster for api://AzureADTokenExchange,
               not over: else 401 invalid_client
               {"token_type","expires_in","access_token"}: no expires_on             [entra]

A token is a JWT (RFC 7519). Its signature is HS256 with a key that the fakes share; the
platform's is RS256 with keys that it publishes: to who only carries it that is the same."""
import base64
import hashlib
import hmac
import json
import secrets
import time
import urllib.parse

from http_fake import Service

MANAGEMENT = "https://management.azure.com"
EXCHANGE = "api://AzureADTokenExchange"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


# Who takes a token allows for clocks that differ: Microsoft's own library for 300 s.
# So one that was good when it was sent is, too.
SKEW_S = 1


class Issuer:
    """seconds: how long its tokens are good. given: every token there was; revoked: those
    that are good no more."""

    def __init__(self, name="https://sts.windows.net/tenant/", seconds=3600):
        self.name, self.seconds, self.key = name, seconds, secrets.token_bytes(32)
        self.given, self.revoked = [], set()

    def sign(self, text):
        return b64(hmac.new(self.key, text.encode(), hashlib.sha256).digest())

    def issue(self, audience, subject="gateway", seconds=None):
        now = int(time.time())
        claims = {"aud": audience, "iss": self.name, "sub": subject, "nbf": now - 60,
                  "exp": now + (self.seconds if seconds is None else seconds),
                  "jti": secrets.token_hex(8)}
        head = b64(json.dumps({"typ": "JWT", "alg": "HS256"}).encode())
        text = f"{head}.{b64(json.dumps(claims).encode())}"
        token = f"{text}.{self.sign(text)}"
        self.given.append(token)
        return token, claims

    def read(self, token, audience):
        """(claims, None), or (None, why)"""
        text, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature, self.sign(text)):
            return None, "invalid_token: signature"
        body = text.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        if claims["aud"] != audience:
            return None, f"invalid_token: audience {claims['aud']}"
        if not claims["nbf"] <= time.time() < claims["exp"] + SKEW_S:
            return None, "invalid_token: expired"
        if token in self.revoked:
            return None, "invalid_token: revoked"
        return claims, None

    def revoke_all(self):
        self.revoked.update(self.given)


def document(to, status, value):
    to.reply(status, {"Content-Type": "application/json"}, json.dumps(value))


class Giver(Service):
    """failing: a status instead of tokens; times: when each was given; clients: those of
    the machine's identities, the first if none is named."""

    def __init__(self, ns, answer, issuer, clients=("machine",), **more):
        self.issuer, self.clients, self.failing, self.times = issuer, clients, None, []
        super().__init__(ns, answer, **more)

    def give(self, to, resource, client, expires_on=True):
        if client is not None and client not in self.clients:
            return document(to, 400, {"error": "invalid_request",
                                      "error_description": "Identity not found"})
        token, claims = self.issuer.issue(resource, client or self.clients[0])
        self.times.append((time.monotonic(), resource))
        left = claims["exp"] - int(time.time())
        answer = {"access_token": token, "expires_in": str(left), "resource": resource,
                  "token_type": "Bearer"}
        if expires_on:
            answer["expires_on"] = str(claims["exp"])
        else:
            answer["expires_in"] = left
        return document(to, 200, answer)

    def fails(self, to):
        if self.failing:
            document(to, self.failing, {"error": "server_error",
                                        "error_description": "as the test wants"})
        return self.failing


class Metadata(Giver):
    def __init__(self, ns, issuer, **more):
        super().__init__(ns, self.says, issuer, **more)

    def says(self, request, to):
        q = dict(urllib.parse.parse_qsl(request.query))
        if request.path != "/metadata/identity/oauth2/token" or request.method != "GET":
            return document(to, 404, {"error": "not_found"})
        if request.get("metadata") != "true" or request.get("x-forwarded-for"):
            return document(to, 400, {"error": "bad_request_102",
                                      "error_description": "Required metadata header not "
                                                           "specified"})
        if q.get("api-version") != "2018-02-01" or not q.get("resource"):
            return document(to, 400, {"error": "invalid_request"})
        return self.fails(to) or self.give(to, q["resource"], q.get("client_id"))


class AppService(Giver):
    """header: the value of $IDENTITY_HEADER; endpoint: of $IDENTITY_ENDPOINT."""

    def __init__(self, ns, issuer, **more):
        self.header = secrets.token_hex(16)
        super().__init__(ns, self.says, issuer, **more)
        self.endpoint = self.url + "/msi/token"

    def says(self, request, to):
        q = dict(urllib.parse.parse_qsl(request.query))
        if request.path != "/msi/token":
            return document(to, 404, {})
        if request.get("x-identity-header") != self.header:
            return document(to, 401, {"error": "unauthorized"})
        if q.get("api-version") != "2019-08-01" or not q.get("resource"):
            return document(to, 400, {"error": "invalid_request"})
        return self.fails(to) or self.give(to, q["resource"], q.get("client_id"))


class Entra(Giver):
    """cluster: the Issuer of the workloads' own tokens; assertions: those that came."""

    def __init__(self, ns, issuer, cluster, tenant="tenant", clients=("workload",), **more):
        self.cluster, self.tenant, self.assertions = cluster, tenant, []
        super().__init__(ns, self.says, issuer, clients=clients, **more)

    def says(self, request, to):
        form = dict(urllib.parse.parse_qsl(request.body.decode()))
        if request.method != "POST" or request.target != f"/{self.tenant}/oauth2/v2.0/token":
            return document(to, 404, {"error": "not_found"})
        if self.fails(to):
            return None
        if (form.get("grant_type") != "client_credentials"
                or form.get("client_assertion_type") != JWT_BEARER
                or not form.get("scope", "").endswith("/.default")
                or request.get("content-type") != "application/x-www-form-urlencoded"):
            return document(to, 400, {"error": "invalid_request"})
        assertion = form.get("client_assertion", "")
        self.assertions.append(assertion)
        claims, why = self.cluster.read(assertion, EXCHANGE)
        if not claims or form.get("client_id") not in self.clients:
            return document(to, 401, {"error": "invalid_client",
                                      "error_description": f"AADSTS700024: {why}"})
        return self.give(to, form["scope"][:-len("/.default")], form["client_id"],
                         expires_on=False)
