"""Where AWS credentials come from, and that they go on (L5): environment, shared files,
a program, web identity and roles, containers, instance metadata. They expire while
requests are made and none fails; with STS away those that are good are used."""
import json
import sys
import threading
import time

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from aws_fakes import Container, Metadata, Sts
from discovering import Asker, replace
from e2e import check, equal, wait_until
from lambda_bed import Bed

ROLE = "arn:aws:iam::123456789012:role/"
# Seconds, of what is issued where it shall expire: renewed when half of them are over,
# or some more, and the rest is how late a machine with other work may be.
LIFE = 8
# The same where STS fails when they are due, which is after half of them and a twelfth at
# the latest: 14 s. It is asked again within five seconds, and five more are left.
LONGER_LIFE = 24
REASON = "x-gloo-gateway-reason"


class Drill(Bed):
    """One gateway after the other, each with an environment of its own."""

    def __init__(self):
        super().__init__(secret=False, gateway=False)
        self.sts = self.add(Sts(self.gw, self.accounts, tls=self.certificate))
        self.metadata = self.add(Metadata(self.gw, self.accounts))
        self.container = self.add(Container(self.gw, self.accounts))
        self.token_file = self.folder / "token"
        self.credentials = self.folder / ".aws/credentials"
        self.credentials.parent.mkdir()
        self.plain = dict(self.environment)

    def restart(self, environment=None, settings="", **spec):
        """With these variables besides; the upstream fn and its route /fn."""
        self.fake.verifier.denied.clear()
        if self.gateway:
            self.shown_nothing()
            self.gateway.close()
            self.gateway = None
        self.environment = {**self.plain, "AWS_ENDPOINT_URL_STS": self.sts.url,
                            **(environment or {})}
        self.settings = settings
        self.begin()
        if spec:
            self.upstream("fn", **spec)
        self.routes(self.way("/fn", "echo"))

    def shown_nothing(self):
        said = self.shown()
        environ = open(f"/proc/{self.gateway.process.pid}/environ", "rb").read().decode()
        for value in self.accounts.hidden() + list(self.sts.tokens):
            at = said.find(value)
            check(at < 0 or value in environ, f"it is shown: ...{said[max(0, at - 200):at]}")

    def used(self):
        """Whose keys signed the last call."""
        return self.fake.calls[-1].keys

    def source(self, name="fn"):
        return self.gateway.item(name)["credentials"]

    def web_identity(self, token="web.identity.token-1"):
        self.sts.tokens.add(token)
        replace(self.token_file, token + "\n")
        return {"AWS_WEB_IDENTITY_TOKEN_FILE": str(self.token_file),
                "AWS_ROLE_ARN": ROLE + "pod", "AWS_ROLE_SESSION_NAME": "gateway-pod"}

    def under_load(self, seconds, *paths):
        """Two who ask without a pause for each path; how many requests, all served."""
        askers = [Asker(self, path, pause=0.004) for path in paths or ("/fn",) for _ in range(2)]
        threading.Event().wait(seconds)
        for a in askers:
            a.close()
        wrong = [x for a in askers for x in [*[y for y in a.answers if y[2] != 200], *a.failed]]
        equal(wrong[:2], [], self.last_lines())
        return sum(len(a.answers) for a in askers)

    def renewals(self, issuer, seconds=1.6 * LIFE):
        """With what lives LIFE seconds; says how often it was issued meanwhile."""
        before = len(issuer.issued)
        used = {self.used().access}
        count = self.under_load(seconds)
        used |= {c.keys.access for c in self.fake.calls}
        issued = len(issuer.issued) - before
        check(issued >= 2 and len(used) >= 3, issued, used)
        check(issued < 12, "asked too often", issued)
        equal(self.fake.verifier.denied[:2], [])
        self.fake.calls.clear()
        return f"{issued} renewals, {count} requests, none failed"


def setup():
    return Drill()


def teardown(d):
    try:
        equal([f.broken for f in d.fakes if f.broken], [])
        d.shown_nothing()
    finally:
        d.close()


def test_none(d):
    """there are none anywhere: 503 and a sentence, a Warning; another upstream is served"""
    d.restart()
    d.secret = True
    d.put_secret("aws", d.keys)
    d.upstream("good")
    d.secret = False
    d.routes(d.way("/fn", "echo"), d.way("/good", "echo", "good"))
    d.ready("/good")
    fields, text = d.answers("/fn", 503)
    equal(fields[REASON], "no_credentials")
    equal([d.gateway.metric("gloo_gateway_upstream_connections_opened",
                            upstream=f"gloo-system.{n}") > 0 for n in ("fn", "good")],
          [False, True], "connections were opened")
    why = d.await_state("Warning", "credentials")
    check(any("fn" in line and "credentials" in line for line in d.gateway.checked()),
          d.gateway.checked())
    check(len(d.line("/fn", 503)["detail"]) > 20, "the log does not say why")
    d.answers("/good", 200)
    return why


def test_environment(d):
    """keys of the environment"""
    keys = d.accounts.add("AKIAENVIRONMENT00001", "environment/secret+0123456789")
    d.restart({"AWS_ACCESS_KEY_ID": keys.access, "AWS_SECRET_ACCESS_KEY": keys.secret})
    d.ready()
    equal(d.used().access, keys.access)
    check("environment" in d.source()["source"], d.source())


def test_files(d):
    """a profile of the settings goes before the environment; another key in it: none fails"""
    old = d.accounts.add("AKIAFILE000000000001", "file/secret-one+0123456789")
    new = d.accounts.add("AKIAFILE000000000002", "file/secret-two+0123456789")

    def write(k):
        replace(d.credentials, f"[default]\naws_access_key_id=no\naws_secret_access_key=no\n"
                f"[work]\naws_access_key_id = {k.access}\naws_secret_access_key={k.secret}\n")
    write(old)
    d.restart({"AWS_ACCESS_KEY_ID": "AKIASTRANGER", "AWS_SECRET_ACCESS_KEY": "another"},
              settings="aws: { profile: work }\n")
    d.ready()
    equal(d.used().access, old.access)
    # Sooner after they were read the file is not read again.
    d.under_load(10)
    d.ask_always("/fn", 0.05)
    write(new)
    # Before it is looked at again: what is refused is asked for at once.
    d.accounts.revoke(old.access)
    wait_until("the new key", lambda: d.used().access == new.access, 20)
    d.under_load(0.5)
    count = d.all_served()
    denied = d.fake.verifier.denied
    check(1 <= len(denied) < 20 and denied[0][0] == "UnrecognizedClientException", denied[:3])
    return f"{count} requests, none failed"


def test_program(d):
    """credential_process: a program that says them, again before they expire"""
    d.credentials.unlink(missing_ok=True)
    issued = d.folder / "issued"
    program = d.folder / "program"
    log = d.folder / "runs"
    program.write_text(f"#!/bin/sh\necho \"$1\" >>{log}\ncat {issued}\n")
    program.chmod(0o755)
    (d.folder / ".aws/config").write_text(
        f"[profile work]\ncredential_process = {program} \"an argument; true\"\n")

    def issue(seconds):
        k = d.accounts.issue(seconds, "program")
        replace(issued, json.dumps({"Version": 1, "AccessKeyId": k.access, "SecretAccessKey":
                                    k.secret, "SessionToken": k.token,
                                    "Expiration": k.expiration()}))
        return k
    # It lives longer: the gateway is only started then.
    first = issue(2 * LIFE)
    d.restart({"AWS_PROFILE": "work"})
    d.ready()
    equal(d.used().access, first.access)
    second = issue(3600)
    count = d.under_load(first.expires + 1 - time.time())
    equal(d.used().access, second.access)
    equal(set(log.read_text().split("\n")), {"an argument; true", ""})
    equal(d.fake.verifier.denied[:2], [])
    (d.folder / ".aws/config").unlink()
    return f"{count} requests, none failed"


def test_web_identity(d):
    """web identity: keys expire under load, the token is replaced: no request fails"""
    d.sts.seconds = LIFE
    d.restart(d.web_identity())
    d.ready()
    action, form = d.sts.actions[-1][1:]
    equal((action, form["RoleArn"], form["RoleSessionName"]),
          ("AssumeRoleWithWebIdentity", ROLE + "pod", "gateway-pod"))
    # Kubernetes has a new one in the file long before; the former ends.
    d.web_identity("web.identity.token-2")
    d.sts.tokens.discard("web.identity.token-1")
    note = d.renewals(d.sts)
    equal(d.sts.actions[-1][2]["WebIdentityToken"], "web.identity.token-2")
    return note


def test_role(d):
    """a role of the upstream, assumed by who the process is: both expire under load"""
    d.sts.seconds = LIFE
    d.restart(d.web_identity(), roleArn=ROLE + "functions")
    d.ready()
    wanted = f"AssumeRole {ROLE}functions"
    equal(d.used().source, wanted)
    note = d.renewals(d.sts)
    equal({a for _, a, _ in d.sts.actions[-4:]}, {"AssumeRole", "AssumeRoleWithWebIdentity"})
    equal(d.sts.verifier.denied[:2], [])
    # Alone: with the web identity itself.
    d.upstream("fn", roleArn=ROLE + "alone", disableRoleChaining=True)
    wait_until("the role alone", lambda: d.ask("/fn", b"{}")[0] == 200 and d.used().source
               == f"AssumeRoleWithWebIdentity {ROLE}alone")
    return note


def test_sts_fails(d):
    """STS fails when keys are due: those that there are are used, and it is said"""
    d.sts.seconds = LONGER_LIFE
    d.restart(d.web_identity())
    d.ready()
    d.sts.failing = (503, "ServiceUnavailable", "come later")
    before = len(d.sts.actions)
    fails = threading.Event()

    def mend():
        # Three attempts make one failure; it asks again within five seconds.
        wait_until("three attempts", lambda: len(d.sts.actions) >= before + 3, 20)
        fails.set()
        d.sts.failing = None
    t = threading.Thread(target=mend, daemon=True)
    t.start()
    d.sts.seconds = 3600
    count = d.under_load(LONGER_LIFE - 1)
    t.join()
    check(fails.is_set() and len(d.sts.issued), "it was not asked")
    wait_until("others", lambda: d.used().expires - time.time() > 3000, 5)
    equal(d.fake.verifier.denied[:2], [])
    return f"{count} requests, none failed"


def test_sts_down(d):
    """STS is away, with keys that are good: nobody notices"""
    d.sts.seconds = 3600
    d.restart(d.web_identity())
    d.ready()
    d.sts.down = True
    try:
        seconds = 600 if e2e.SOAK else 10
        count = d.under_load(seconds)
        equal(d.state()[0], "Accepted")
    finally:
        d.sts.down = False
    return f"{seconds} s, {count} requests"


def test_sts_refuses(d):
    """a role that may not be assumed: 503, and a Warning that says which and why"""
    d.sts.failing = (403, "AccessDenied", "User is not authorized to perform: sts:AssumeRole")
    d.restart(d.web_identity(), roleArn=ROLE + "forbidden")
    try:
        fields, _ = d.answers("/fn", 503)
        equal(fields[REASON], "no_credentials")
        return d.await_state("Warning", "STS refuses role")
    finally:
        d.sts.failing = None


def test_metadata(d):
    """instance metadata: sessions end, keys expire under load: no request fails"""
    d.metadata.seconds = LIFE
    d.restart({"AWS_EC2_METADATA_DISABLED": "false"},
              f"aws: {{ imdsEndpointUrl: \"{d.metadata.url}\" }}\n")
    d.ready()
    check("metadata" in d.source()["source"], d.source())
    d.metadata.end_sessions()
    note = d.renewals(d.metadata)
    equal({m for m, _ in d.metadata.asked}, {"PUT", "GET"})
    check(d.metadata.number >= 2, "the session that ended was used on")
    return note


def test_metadata_away(d):
    """instance metadata is away when keys are due: they are used beyond their time"""
    d.metadata.seconds = LIFE
    d.restart({"AWS_EC2_METADATA_DISABLED": "false"},
              f"aws: {{ imdsEndpointUrl: \"{d.metadata.url}\" }}\n")
    d.ready()
    d.metadata.down = True
    for k in list(d.accounts.by_access.values()):
        k.expires = None  # AWS takes them longer than metadata says
    try:
        return f"{d.under_load(1.5 * LIFE)} requests, none failed"
    finally:
        d.metadata.down = False


def test_container(d):
    """the endpoint of containers, with a token of a file that is replaced"""
    d.container.seconds = LIFE
    token = d.folder / "container-token"
    replace(token, d.container.token)
    d.restart({"AWS_CONTAINER_CREDENTIALS_FULL_URI": d.container.url + Container.PATH,
               "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token)})
    d.ready()
    d.container.token = "Basic another-token"
    replace(token, d.container.token)
    return d.renewals(d.container)


if __name__ == "__main__":
    e2e.main(globals())
