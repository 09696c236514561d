"""As whom the gateway comes, and what if it may not (K4, K5)."""
import os
import sys

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
import kube
from e2e import check, equal, wait_until
from kube_bed import ACCOUNT, OWN, Bed, Gateway
from kube_relay import Relay, status

PLUGIN = """\
#!/bin/sh
case "$KUBERNETES_EXEC_INFO" in *ExecCredential*) ;; *) echo "no exec info" >&2; exit 1 ;; esac
echo "asked" >>{dir}/plugin.log
printf '{{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":'
printf '{{"token":"%s"}}}}\\n' "$(cat {dir}/plugin.token)"
"""


class Access:
    def __init__(self):
        self.bed = b = Bed()
        self.cluster = b.cluster
        b.install()
        self.pod = b.pod("a", "web", exists=True, ready=None)
        b.service("web")
        b.slice("web-1", "web", [self.pod.address])
        self.relay = Relay(self.cluster)
        self.gateway = Gateway(b, token=self.cluster.token_of(ACCOUNT, secret="one"),
                               server=self.relay.server).start()
        self.up(15)
        self.gateway.route("/web", "default-web-8000")
        self.serial = 0

    def up(self, seconds=10):
        self.gateway.await_set("default-web-8000", [self.pod.host], seconds)

    def change(self, seconds=15):
        """Something changes at the API server, and is known."""
        self.serial += 1
        more = f"10.97.9.{self.serial}"
        self.bed.slice("web-1", "web", [self.pod.address, more])
        self.gateway.await_set("default-web-8000", [self.pod.host, more + ":8000"], seconds)
        self.bed.slice("web-1", "web", [self.pod.address])
        self.up()

    def refused(self, path=kube.path_of("EndpointSlice", None, None), code=401):
        """The API server refuses the token in the file by now, which it believes for
        some seconds without looking; then every connection is made anew."""
        own = kube.Client(self.cluster, self.gateway.token_file.read_text())
        wait_until(f"{code}", lambda: own.ask("GET", path)[0] == code, 20)
        self.relay.cut()

    def may(self, rule):
        """By the API server: the first of what that rule says."""
        resource, _, sub = rule["resources"][0].partition("/")
        own = kube.Client(self.cluster, self.cluster.token_of(ACCOUNT))
        return own.good("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
            "spec": {"resourceAttributes": {
                "verb": rule["verbs"][0], "group": rule["apiGroups"][0], "resource": resource,
                "subresource": sub}}})["status"]["allowed"]

    def fresh(self, token=None):
        """A gateway that had no failures yet, with another token."""
        self.gateway.stop()
        self.gateway.give(token or self.cluster.token_of(ACCOUNT))
        self.cluster.kubeconfig(self.gateway.dir / "kubeconfig",
                                f"tokenFile: {self.gateway.token_file}", self.relay.server)
        self.gateway.start()
        self.up(15)

    def said(self):
        return " ".join(self.gateway.checked("errors", "warnings", "notes"))

    def hears(self, *words, seconds=40):
        try:
            wait_until(" ".join(words), lambda: all(w in self.said() for w in words), seconds)
        except AssertionError as e:
            raise AssertionError(f"{e}; it says: {self.said()}") from None

    def restart(self, user, server=None):
        """With another way to come."""
        self.gateway.stop()
        self.cluster.kubeconfig(self.gateway.dir / "kubeconfig", user, server)
        self.gateway.start()
        self.up(15)
        self.change()


def setup():
    return Access()


def teardown(a):
    try:
        a.gateway.close()
    finally:
        a.relay.close()
        a.bed.close()


def test_token_replaced(a):
    """K4: another token in the file, the old one revoked: nobody notices"""
    old = kube.Client(a.cluster, a.gateway.token_file.read_text())
    a.gateway.give(a.cluster.token_of(ACCOUNT, secret="two"))
    a.cluster.delete("Secret", "one", OWN)
    wait_until("the old one to be refused", lambda: old.ask(
        "GET", kube.path_of("Service", None, None))[0] == 401, 20)
    a.relay.cut()
    a.change()
    equal(a.gateway.ask("/web")[0], 200)


def test_token_revoked(a):
    """K4: a revoked token says so and empties nothing; a new one is taken by itself"""
    a.cluster.delete("Secret", "two", OWN)
    a.refused()
    a.hears("Unauthorized")
    a.up()
    equal(a.gateway.ask("/web")[0], 200)
    token = a.cluster.token_of(ACCOUNT, seconds=600)
    a.gateway.give(token)
    a.change(40)
    check(token not in a.gateway.log_text(), "a token is in the log")
    check(token.rsplit(".", 1)[1] not in a.gateway.log_text(), "a part of it is")


def test_rule_missing(a):
    """K5: endpoint slices forbidden: said with verb and resource, the rest goes on"""
    a.fresh()
    rules = a.cluster.get("ClusterRole", ACCOUNT)["rules"]
    a.cluster.patch("ClusterRole", ACCOUNT, {"rules": [
        r for r in rules if r["resources"] != ["endpointslices"]]})
    try:
        a.refused(code=403)
        a.hears("endpointslices", "watch", "may not")
        a.up()
        equal(a.gateway.ask("/web")[0], 200)
        a.bed.service("other")
        wait_until("a new service", lambda: "default-other-8000" in a.gateway.upstreams(), 20)
    finally:
        a.cluster.patch("ClusterRole", ACCOUNT, {"rules": rules})
    a.change(40)


def test_each_rule(a):
    """K5: `glooctl check` names whichever rule is missing"""
    rules = a.cluster.get("ClusterRole", ACCOUNT)["rules"]
    try:
        for n, rule in enumerate(rules):
            a.cluster.patch("ClusterRole", ACCOUNT, {"rules": rules[:n] + rules[n + 1:]})
            # Who looks before the server has heard of it looks again in ten minutes.
            wait_until("the server to refuse it", lambda: not a.may(rule), 20)
            a.fresh()
            resource = rule["resources"][0].split("/")[0]
            a.hears("permissions: ", resource, "the account may not")
            out = a.gateway.glooctl("check", ok=None)
            check(resource in out.stdout + out.stderr, out.stdout)
    finally:
        a.cluster.patch("ClusterRole", ACCOUNT, {"rules": rules})
    a.fresh()
    a.change()
    return f"{len(rules)} rules"


def test_certificate(a):
    """a client certificate instead of a token"""
    a.cluster.certificate("client", "/O=system:masters/CN=gateway")
    d = a.cluster.dir
    a.restart(f"client-certificate: {d}/client.crt\n    client-key: {d}/client.key")


def test_plugin(a):
    """an exec plugin gives the token, and is asked again when it is refused"""
    d = a.gateway.dir
    (d / "plugin.token").write_text(a.cluster.token_of(ACCOUNT))
    (d / "plugin").write_text(PLUGIN.format(dir=d))
    os.chmod(d / "plugin", 0o755)
    a.restart("exec: { apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, "
              f"provideClusterInfo: false, command: {d}/plugin }}", a.relay.server)
    def asked():
        return len((d / "plugin.log").read_text().splitlines())
    before, refused = asked(), []

    def instead(method, path):
        if not refused:
            refused.append(path)
            return status(401, "Unauthorized")
    a.relay.instead = instead
    a.relay.cut()
    wait_until("it to be asked again", lambda: asked() > before, 15)
    a.change(20)
    return f"asked {asked()} times"


def test_untrusted(a):
    """a server with another authority's certificate is told nothing"""
    config = a.gateway.dir / "kubeconfig"
    a.fresh()
    a.cluster.kubeconfig(config, f"token: {a.cluster.token_of(ACCOUNT)}")
    text = config.read_text()
    run = e2e.run
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "/dev/null",
        "-out", a.gateway.dir / "other.crt", "-days", "3", "-subj", "/CN=other")
    a.gateway.stop()
    config.write_text(text.replace(f"{a.cluster.dir}/ca.crt", f"{a.gateway.dir}/other.crt"))
    a.gateway.start()
    a.hears("certificate")
    a.up()
    equal(a.gateway.ask("/web")[0], 200)
    a.gateway.stop()
    config.write_text(text)
    a.gateway.start()
    a.change()


def test_no_account(a):
    """K5: an account without any right: the state on disk serves, and why is said"""
    a.bed.account([], name="nobody")
    a.gateway.stop()
    a.cluster.kubeconfig(a.gateway.dir / "kubeconfig",
                         f"token: {a.cluster.token_of('nobody')}")
    a.gateway.start()
    a.hears("endpointslices", "services", "list")
    a.up()
    equal(a.gateway.ask("/web")[0], 200)


if __name__ == "__main__":
    e2e.main(globals())
