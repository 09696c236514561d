"""Where AWS credentials come from, in a test's hands: STS, instance metadata (IMDSv2),
the credentials endpoint of containers. What they issue is good at the fakes of services,
for as long as it says.

    Sts          POST Action=AssumeRole            signed by keys of `accounts`, 403 else
                 POST AssumeRoleWithWebIdentity    unsigned; the token is in `tokens`, else
                                                   400 InvalidIdentityToken
                 POST GetCallerIdentity            signed
                 down: no connection; failing: (status, code, message) instead
    Metadata     PUT /latest/api/token             with its TTL, else 400
                 GET .../security-credentials/, .../<role>   with that token, else 401
                 end_sessions(): the tokens are good no more
    Container    GET path                          with Authorization: token, else 403
"""
import json
import time
import urllib.parse
import xml.sax.saxutils

from aws_signature import Denied, Verifier
from http_fake import Service

XMLNS = "https://sts.amazonaws.com/doc/2011-06-15/"
TOKEN_TTL = "x-aws-ec2-metadata-token-ttl-seconds"
CREDENTIALS = "/latest/meta-data/iam/security-credentials/"


class Issuer(Service):
    """seconds: how long what it issues is good."""

    def __init__(self, ns, answer, accounts, seconds=3600, **more):
        self.accounts, self.seconds, self.issued = accounts, seconds, []
        super().__init__(ns, answer, **more)

    def issue(self, source):
        keys = self.accounts.issue(self.seconds, source)
        self.issued.append((time.monotonic(), keys))
        return keys

    def document(self, source, **more):
        k = self.issue(source)
        return json.dumps({"AccessKeyId": k.access, "SecretAccessKey": k.secret,
                           "Token": k.token, "Expiration": k.expiration(), **more})


class Sts(Issuer):
    def __init__(self, ns, accounts, region="us-east-2", **more):
        self.tokens, self.failing, self.actions = set(), None, []
        super().__init__(ns, self.says, accounts, **more)
        self.verifier = Verifier(accounts, region, "sts", self.host)

    def says(self, request, to):
        form = dict(urllib.parse.parse_qsl(request.body.decode()))
        action = form.get("Action")
        self.actions.append((time.monotonic(), action, form))
        if self.failing:
            return self.error(to, *self.failing)
        try:
            if action == "AssumeRoleWithWebIdentity":
                self.by_token(request, form, to)
            else:
                self.signed(request, action, form, to)
        except Denied as e:
            self.error(to, e.status, e.type.replace("Exception", ""), e.message)

    def by_token(self, request, form, to):
        if request.get("authorization"):
            raise Denied("InvalidAction", "this action is not signed", 400)
        if form.get("WebIdentityToken") not in self.tokens:
            raise Denied("InvalidIdentityToken", "The token is of no provider that is known", 400)
        self.assumed("AssumeRoleWithWebIdentity", form, to,
                     "<SubjectFromWebIdentityToken>system:serviceaccount:a:b"
                     "</SubjectFromWebIdentityToken>")

    def signed(self, request, action, form, to):
        keys = self.verifier.judge(request)
        if action == "AssumeRole":
            self.assumed(action, form, to)
        elif action == "GetCallerIdentity":
            self.reply(to, action, "<Arn>arn:aws:iam::123456789012:user/gateway</Arn>"
                       f"<UserId>{keys.access}</UserId><Account>123456789012</Account>")
        else:
            raise Denied("InvalidAction", f"{action} is not known", 400)

    def assumed(self, action, form, to, more=""):
        if not form.get("RoleArn", "").startswith("arn:") or len(form["RoleSessionName"]) < 2:
            raise Denied("ValidationError", "RoleArn or RoleSessionName", 400)
        k = self.issue(f"{action} {form['RoleArn']}")
        e = xml.sax.saxutils.escape
        self.reply(to, action, f"{more}<AssumedRoleUser><Arn>{e(form['RoleArn'])}/s</Arn>"
                   "<AssumedRoleId>AROATEST:s</AssumedRoleId></AssumedRoleUser><Credentials>"
                   f"<AccessKeyId>{e(k.access)}</AccessKeyId>"
                   f"<SecretAccessKey>{e(k.secret)}</SecretAccessKey>"
                   f"<SessionToken>{e(k.token)}</SessionToken>"
                   f"<Expiration>{k.expiration()}</Expiration></Credentials>")

    def reply(self, to, action, result):
        to.reply(200, {"Content-Type": "text/xml"},
                 f'<{action}Response xmlns="{XMLNS}"><{action}Result>{result}</{action}Result>'
                 "<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>"
                 f"</{action}Response>")

    def error(self, to, status, code, message):
        to.reply(status, {"Content-Type": "text/xml"},
                 f'<ErrorResponse xmlns="{XMLNS}"><Error><Type>Sender</Type><Code>{code}</Code>'
                 f"<Message>{xml.sax.saxutils.escape(message)}</Message></Error>"
                 "<RequestId>1</RequestId></ErrorResponse>")


class Metadata(Issuer):
    def __init__(self, ns, accounts, role="gateway-role", **more):
        self.role, self.sessions, self.number, self.code = role, set(), 0, "Success"
        super().__init__(ns, self.says, accounts, **more)

    def end_sessions(self):
        self.sessions.clear()

    def says(self, request, to):
        if request.method == "PUT" and request.target == "/latest/api/token":
            if not request.get(TOKEN_TTL, "").isdigit() or request.get("x-forwarded-for"):
                return to.reply(400)
            self.number += 1
            token = f"imds-session-{self.number}=="
            self.sessions.add(token)
            return to.reply(200, {"Content-Type": "text/plain",
                                  TOKEN_TTL: request.get(TOKEN_TTL)}, token)
        if request.get("x-aws-ec2-metadata-token") not in self.sessions:
            return to.reply(401)
        if request.target == CREDENTIALS:
            return to.reply(200, {"Content-Type": "text/plain"}, self.role)
        if request.target != CREDENTIALS + self.role:
            return to.reply(404)
        if self.code != "Success":
            return to.reply(200, {"Content-Type": "text/plain"},
                            json.dumps({"Code": self.code, "Message": "no role"}))
        to.reply(200, {"Content-Type": "text/plain"}, self.document(
            "instance metadata", Code="Success", Type="AWS-HMAC",
            LastUpdated="2026-01-02T03:04:05Z"))


class Container(Issuer):
    PATH = "/v2/credentials/1"

    def __init__(self, ns, accounts, token="Basic container-token", **more):
        self.token = token
        super().__init__(ns, self.says, accounts, **more)

    def says(self, request, to):
        if request.get("authorization") != self.token:
            return to.reply(403, {"Content-Type": "application/json"},
                            '{"code": "AccessDenied", "message": "who are you?"}')
        if request.method != "GET" or request.target != self.PATH:
            return to.reply(404)
        to.reply(200, {"Content-Type": "application/json"},
                 self.document("container", RoleArn="arn:aws:iam::123456789012:role/task"))
