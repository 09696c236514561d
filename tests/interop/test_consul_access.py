"""As whom a Consul agent is asked, and how it is reached: tokens that are replaced,
revoked or may too little (C2, C9), TLS with certificates of both sides, a unix socket."""
import os
import pathlib
import shutil
import sys
import tempfile
import time

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import consul
import e2e
from certificates import Authority
from consul_bed import DISCOVER, Bed
from discovering import Gateway, replace
from e2e import check, equal, wait_until

READ = 'service_prefix "" { policy = "read" }\nnode_prefix "" { policy = "read" }'
NO_NODES = 'service_prefix "" { policy = "read" }'
NOTHING = 'key_prefix "" { policy = "read" }'
HTTPS = 8502


def lines(d, *more):
    """Below "consul"."""
    return "".join(f"  {line}\n" for line in (f"tokenFile: {d.file}", *more)) + DISCOVER


class Drill(Bed):
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ggta"))
        self.folder.chmod(0o755)
        self.tokens = []
        authority = Authority(self.folder)
        server = authority.issue("agent", "DNS:localhost", "IP:127.0.0.1")
        self.client = authority.issue("client", usage="clientAuth")
        self.stranger = Authority(self.folder / "other", "other")
        self.authority = authority
        super().__init__(gateway=False, direct=True, token=consul.MANAGEMENT, agent={
            **consul.ACL, "addresses": {"http": f"127.0.0.1 unix://{self.folder}/consul.sock"},
            "ports": {"https": HTTPS}, "tls": {"https": {
                "ca_file": str(authority.cert), "cert_file": str(server.cert),
                "key_file": str(server.key), "verify_incoming": True}}})
        self.file = self.folder / "token"
        self.settings = lines(self)
        self.give(self.token(READ))
        self.a, self.b = self.origin("a"), self.origin("b")
        self.at = self.b
        self.gateway = Gateway(self, self.lines()).start()
        self.change()
        self.gateway.route("/web", "web")

    def token(self, rules):
        self.tokens.append(self.agent.new_token(rules))
        return self.tokens[-1]

    def give(self, token):
        replace(self.file, token)

    def change(self, seconds=15):
        begin = time.monotonic()
        self.at = self.b if self.at is self.a else self.a
        self.agent.register("web", self.at.port, id="web-1")
        self.gateway.await_set("web", [self.at.host], seconds)
        return time.monotonic() - begin

    def fresh(self):
        """A gateway that had no failures yet, with a token that is good."""
        if self.asker:
            self.asker.close()
            self.asker = None
        self.gateway.stop()
        self.give(self.token(READ))
        self.settings = lines(self)
        self.gateway.write_settings(self.lines())
        self.gateway.start()
        self.change()

    def again(self):
        """Everything is asked anew: what is open cannot tell what it would be told."""
        for _ in range(2):
            self.agent.register("web", 1, id="gone", check="critical")
            self.agent.deregister("gone")

    def keeps(self, words):
        """Endpoints stay, requests are served, and it says one of these words."""
        self.ask_always("/web")
        self.again()

        def told():
            lines = [self.gateway.problem("web") or ""] + self.gateway.checked()
            return next((x for x in lines if any(w in x for w in words)), None)
        try:
            why = wait_until(f"one of {words}", told, 40)
        except AssertionError as e:
            raise AssertionError(f"{e}: it says {self.gateway.problem('web')}, "
                                 f"{self.gateway.checked()}") from None
        equal(self.gateway.set("web"), [self.at.host])
        check("web" in self.gateway.upstreams(), "the upstream is gone")
        return why

    def well_again(self):
        self.give(self.token(READ))
        # Its backoff is a minute at most; questions that wait for news wait longer.
        begin = time.monotonic()
        self.change(70)
        wait_until("it to be current", lambda: not self.gateway.problem("web"), 10)
        return f"{time.monotonic() - begin:.1f} s after it, {self.all_served()} requests"


def setup():
    return Drill()


def teardown(d):
    try:
        secrets = d.tokens + [consul.MANAGEMENT]
        text = d.gateway.log_text() + d.gateway.api("GET", "/v1/check")[1] + d.gateway.api(
            "GET", "/v1/dump")[1]
        equal([s for s in secrets if s in text], [], "a token was told")
    finally:
        d.close()
        shutil.rmtree(d.folder, ignore_errors=True)


def test_token(d):
    """a token of a file: services are found and followed"""
    return f"{max(d.change() for _ in range(3)) * 1000:.0f} ms at most"


def test_rotated(d):
    """C9: the file has another token, the former is revoked: nothing is lost"""
    d.ask_always("/web")
    for _ in range(3):
        old = d.tokens[-1]
        d.give(d.token(READ))
        d.change()
        d.agent.end_token(old)
        d.change(40)
    wait_until("it to be current", lambda: not d.gateway.problem("web"), 40)
    return f"{d.all_served()} requests"


def test_unknown(d):
    """C2: 403, the token is unknown: what was known stays, and it says so"""
    d.fresh()
    d.give("22222222-2222-2222-2222-222222222222")
    d.agent.end_token(d.tokens[-1])
    why = d.keeps(["403", "ACL not found", "token", "permission"])
    return f"{d.well_again()}: {why}"


def test_no_nodes(d):
    """C2: a token without node:read: 200 and [] though the catalog names it: it stays"""
    d.fresh()
    d.give(d.token(NO_NODES))
    why = d.keeps(["node", "ACL", "token", "rights", "catalog"])
    return f"{d.well_again()}: {why}"


def test_no_rights(d):
    """C2: a token without any right: 200 and an empty catalog: all stays"""
    d.fresh()
    d.give(d.token(NOTHING))
    why = d.keeps(["ACL", "token", "rights", "catalog"])
    return f"{d.well_again()}: {why}"


def test_no_token(d):
    """C2: started anew without a token: 200 and [] without any mark: all it knew stays"""
    d.fresh()
    d.gateway.stop()
    d.settings = DISCOVER
    d.gateway.write_settings(d.lines())
    d.gateway.start()
    why = d.keeps(["token", "ACL", "catalog", "right"])
    d.settings = lines(d)
    d.reload(d.settings)
    return f"{d.well_again()}: {why}"


def test_file_empty(d):
    """C9: the file is empty, as while somebody writes it: the token that was read is used"""
    d.fresh()
    d.ask_always("/web")
    d.give("")
    took = d.change(40)
    d.give(d.token(READ))
    d.change(70)
    return f"{took:.2f} s, {d.all_served()} requests"


def test_file_away(d):
    """C9: the file is away: the token that was read is used"""
    d.fresh()
    d.ask_always("/web")
    d.file.rename(d.folder / "away")
    took = d.change(40)
    (d.folder / "away").rename(d.file)
    d.change(70)
    return f"{took:.2f} s, {d.all_served()} requests"


def test_emptied_for_real(d):
    """a service whose last instance goes, by one who may see that: no endpoint is kept"""
    d.fresh()
    o = d.origin("last")
    d.agent.register("leaving", o.port, id="leaving")
    d.gateway.await_set("leaving", [o.host], 10)
    d.agent.deregister("leaving")
    wait_until("it to be gone", lambda: "leaving" not in d.gateway.upstreams(), 20)


def test_unix_socket(d):
    """the agent by its unix socket"""
    d.fresh()
    wait_until("the socket", lambda: os.path.exists(d.folder / "consul.sock"))
    d.ask_always("/web")
    d.reload(lines(d, f"httpAddress: \"unix://{d.folder}/consul.sock\""))
    d.change(20)
    # The change may have come by what was open before.
    wait_until("something to be open to the socket", lambda: "consul.sock" in e2e.run(
        "ss", "-Hx", "state", "established", ns=d.gw).stdout)
    return f"{d.all_served()} requests"


def connections(d, port):
    """Of the gateway's to that port of loopback."""
    text = e2e.run("ss", "-Htnp", "state", "established", f"( dport = :{port} )",
                   ns=d.gw).stdout
    return text.count(f"pid={d.gateway.process.pid},")


def test_tls(d):
    """the agent by TLS, with certificates of both sides, checked"""
    d.fresh()
    d.ask_always("/web")
    d.reload(lines(d, f"httpAddress: \"https://127.0.0.1:{HTTPS}\"",
                   f"caFile: {d.authority.cert}", f"certFile: {d.client.cert}",
                   f"keyFile: {d.client.key}"))
    d.change(20)
    wait_until("something to be open to the port of TLS", lambda: connections(d, HTTPS) > 0)
    return f"{d.all_served()} requests"


def test_tls_stranger(d):
    """an agent that another authority certified is not believed: what was known stays"""
    d.fresh()
    d.reload(lines(d, f"httpAddress: \"https://127.0.0.1:{HTTPS}\"",
                   f"caFile: {d.stranger.cert}", f"certFile: {d.client.cert}",
                   f"keyFile: {d.client.key}"))
    why = d.keeps(["certificate", "verif", "TLS", "SSL"])
    d.reload(lines(d, f"httpAddress: \"127.0.0.1:{consul.HTTP}\""))
    return f"{d.well_again()}: {why}"


if __name__ == "__main__":
    e2e.main(globals())
