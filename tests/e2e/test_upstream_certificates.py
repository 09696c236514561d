"""Certificates of upstreams: whom the gateway believes, as whom it comes, and what it
says when it believes nobody. Origins are Python's ssl; certificates are openssl's."""
import json
import os
import pathlib
import re
import shutil
import signal
import ssl
import stat
import sys
import tempfile
import threading
import time

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from certificates import Authority, self_signed
from discovering import Gateway, replace
from e2e import check, equal, wait_until
from name_servers import Dnsmasq
from tls_origin import TlsOrigin

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CLOSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
ROTATIONS = 10


def echo(request, _connection):
    body = request.partition(b"\r\n\r\n")[2]
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


class Drill:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ggtt"))
        self.folder.chmod(0o755)
        self.ca = Authority(self.folder / "ca", "ca")
        self.system = Authority(self.folder / "system", "system")
        self.good = self.ca.issue("good", "DNS:good.test", "IP:127.0.2.1")
        self.roots = self.folder / "roots.pem"
        self.roots.write_text(self.system.pem)
        self.lab = e2e.Lab()
        self.names = Dnsmasq(self.lab.gw)
        self.names.set("good.test", "127.0.2.1")
        self.names.set("other.test", "127.0.2.1")
        self.names.start()
        self.gateway = Gateway(
            self.lab, f"tls: {{ roots: \"{self.roots}\" }}\n"
            "dns: { servers: \"127.0.0.1:5353\" }\n").start()
        self.origins = []
        self.put("secrets", "ca", {"tls": {"rootCa": self.ca.pem}})

    def origin(self, certificate, answer=OK, address="127.0.2.1", **more):
        o = TlsOrigin(self.lab.gw, certificate,
                      answer if callable(answer) else lambda *_: answer, address=address, **more)
        self.origins.append(o)
        return o

    def put(self, kind, name, body, wanted=200):
        status, text = self.gateway.api("PUT", f"/v1/{kind}/gloo-system/{name}", {
            "metadata": {"name": name, "namespace": "gloo-system"}, **body})
        equal(status, wanted, text)
        return text

    def upstream(self, name, hosts, tls=None, route=True, **static):
        """tls: sslConfig; hosts: origins, or as the resource has them."""
        self.put("upstreams", name, {
            "upstreamSpec": {"static": {"hosts": [
                h if isinstance(h, dict) else {"addr": h.address, "port": h.port}
                for h in hosts], **static}},
            **({} if tls is None else {"sslConfig": tls})})
        if route:
            self.gateway.route(f"/{name}/", name)

    def ask(self, name):
        return self.gateway.ask(f"/{name}/")[0]

    def served(self, name, seconds=5):
        """It is, now or soon: what was told to control is in force before it answers."""
        wait_until(f"{name} to be served", lambda: self.ask(name) == 200, seconds)

    def refused(self, name, *words):
        """503; log, metric and `get upstream` say why, with one of the words. Returns
        what the access log says."""
        before = len(self.lines(name))
        equal(self.ask(name), 503)
        # Lines of answers before it may come only now.
        line = wait_until("its line", lambda: [
            x for x in self.lines(name)[before:] if x["status"] == 503])[-1]
        equal(line["reason"], "upstream_tls")

        def fits(text):
            return any(re.search(w, text, re.I) for w in words)
        check(fits(line["detail"]), "the access log does not say why:", line)
        check(self.gateway.metric("gloo_gateway_upstream_tls_failures",
                                  upstream="gloo-system." + name) > 0, "no metric counts it")
        try:
            wait_until("its status", lambda: self.gateway.status(name)[0] == "Warning"
                       and fits(self.gateway.status(name)[1]), 5)
        except AssertionError as e:
            raise AssertionError(f"{e}: {self.gateway.status(name)}") from None
        shown = self.gateway.glooctl("get", "upstream", name, "-o", "yaml", ok=None).stdout
        check(fits(" ".join(shown.split())), shown)
        return line["detail"]

    def lines(self, name):
        return [x for x in self.gateway.access_lines() if x["path"].startswith(f"/{name}/")]


def setup():
    return Drill()


def teardown(d):
    try:
        d.gateway.close()
    finally:
        for o in d.origins:
            o.close()
        d.names.close()
        d.lab.close()
        shutil.rmtree(d.folder, ignore_errors=True)


# ---- whom it believes


def test_by_secret(d):
    """the CA of a Secret: the name is checked, SNI and ALPN are sent, TLS 1.3 is spoken"""
    o = d.origin(d.good)
    d.upstream("secret", [o], {"secretRef": {"name": "ca", "namespace": "gloo-system"},
                               "sni": "good.test"})
    d.served("secret")
    c = o.spoken()[0]
    equal((c["sni"], c["alpn"], c["version"]), ("good.test", "http/1.1", "TLSv1.3"))
    equal(d.gateway.status("secret"), ("Accepted", ""))
    equal(o.refused, [])


def test_by_file(d):
    """the CA of a file"""
    o = d.origin(d.good)
    d.upstream("file", [o], {"sslFiles": {"rootCa": str(d.ca.cert)}, "sni": "good.test"})
    d.served("file")


def test_system_roots(d):
    """without a CA those of the system count; another file of them counts after a reload"""
    o = d.origin(d.system.issue("sys", "DNS:good.test"), CLOSE)
    d.upstream("roots", [o], {"sni": "good.test"})
    d.served("roots")
    try:
        replace(d.roots, d.ca.pem)
        d.gateway.process.send_signal(signal.SIGHUP)
        wait_until("it not to be believed", lambda: d.ask("roots") == 503, 10)
        why = d.refused("roots", "trusted")
    finally:
        replace(d.roots, d.system.pem)
        d.gateway.process.send_signal(signal.SIGHUP)
    d.served("roots", 10)
    return why


def test_not_believed(d):
    """expired, self-signed, by another authority, for another name: 503, each with its reason"""
    other = Authority(d.folder / "other", "other")
    table = [
        ("past", d.ca.issue("expired", "DNS:good.test", days=-1), ["expired"]),
        ("alone", self_signed(d.folder, "alone", "DNS:good.test"), ["self.signed"]),
        ("stranger", other.issue("stranger", "DNS:good.test"), ["trusted"]),
        ("wrong", d.ca.issue("wrong", "DNS:bad.test"), ["bad.test"]),
        ("common", d.ca.issue("good.test"), ["good.test"]),
        ("client", d.ca.issue("purpose", "DNS:good.test", usage="clientAuth"),
         ["purpose", "usage"]),
    ]
    said = []
    for name, certificate, words in table:
        o = d.origin(certificate)
        d.upstream(name, [o], {"secretRef": {"name": "ca", "namespace": "gloo-system"},
                               "sni": "good.test"})
        said.append(f"{name}: {d.refused(name, *words)}")
        equal(o.received(), b"", f"{name} got bytes of the request")
    return "; ".join(said)


def test_not_tls(d):
    """an origin that hangs up, or answers a handshake with HTTP: 503, nothing is sent plainly"""
    said = []
    for name, reply, words in (
            ("closing", b"", ["closed", "ended", "end", "reset"]),
            ("http", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
             ["TLS", "record", "version"])):
        def serve(c, reply=reply):
            c["bytes"] += c["socket"].recv(65536)
            c["socket"].sendall(reply)
            c["socket"].close()
        o = e2e.Origin(d.lab.gw, address="127.0.2.1")
        o.serve = serve
        d.origins.append(o)
        d.upstream(name, [o], {"secretRef": {"name": "ca", "namespace": "gloo-system"}})
        said.append(f"{name}: {d.refused(name, *words)}")
        check(b"GET" not in o.received(), o.received())
    return "; ".join(said)


def test_slow_handshake(d):
    """handshakes that never end cost their own requests, and hold up nobody else's"""
    hang = 2 * e2e.PATIENCE
    silent = e2e.Origin(d.lab.gw, address="127.0.2.1")
    silent.serve = lambda c: c["socket"].recv(65536) and None
    d.origins.append(silent)
    good = d.origin(d.good)
    d.put("upstreams", "silent", {
        "upstreamSpec": {"static": {"hosts": [{"addr": silent.address, "port": silent.port}]}},
        "connectionConfig": {"connectTimeout": f"{hang:g}s"},
        "sslConfig": {"secretRef": {"name": "ca", "namespace": "gloo-system"}}})
    d.gateway.route("/silent/", "silent")
    d.upstream("beside", [good], {"secretRef": {"name": "ca", "namespace": "gloo-system"},
                                  "sni": "good.test"})
    d.served("beside")
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(d.ask("silent")))
               for _ in range(20)]
    for t in threads:
        t.start()
    late, begin = 0, time.monotonic()
    while time.monotonic() - begin < 0.8 * hang:
        one = time.monotonic()
        equal(d.ask("beside"), 200)
        late = max(late, time.monotonic() - one)
    for t in threads:
        t.join()
    check(set(answers) <= {502, 503, 504} and len(answers) == 20, answers)
    check(late < hang / 2, late)  # held up, it would wait for the end of one
    return f"{late * 1000:.0f} ms at most beside 20 of them, which got {sorted(set(answers))}"


# ---- names


def test_server_names(d):
    """which name is asked for: sni, else sniAddr of the host, else its DNS name, else none"""
    both = d.ca.issue("both", "DNS:good.test", "DNS:own.test", "DNS:sni.test", "IP:127.0.2.1")
    o = d.origin(both)
    ref = {"secretRef": {"name": "ca", "namespace": "gloo-system"}}
    table = [
        ("sni", {"addr": "good.test", "sniAddr": "own.test"}, {**ref, "sni": "sni.test"},
         "sni.test"),
        ("own", {"addr": "good.test", "sniAddr": "own.test"}, ref, "own.test"),
        ("named", {"addr": "good.test"}, ref, "good.test"),
        ("literal", {"addr": "127.0.2.1"}, ref, None),
    ]
    for name, host, tls, wanted in table:
        before = len(o.spoken())
        d.upstream(name, [{**host, "port": o.port}], tls)
        d.served(name, 10)
        equal(o.spoken()[before]["sni"], wanted, name)


def test_each_its_own(d):
    """two hosts of one upstream, each with a name and a certificate of its own"""
    one = d.origin(d.ca.issue("one", "DNS:one.test"), CLOSE)
    two = d.origin(d.ca.issue("two", "DNS:two.test"), CLOSE)
    d.upstream("each", [{"addr": o.address, "port": o.port, "sniAddr": n}
                        for o, n in ((one, "one.test"), (two, "two.test"))],
               {"secretRef": {"name": "ca", "namespace": "gloo-system"}})
    equal({d.ask("each") for _ in range(20)}, {200})
    equal([{c["sni"] for c in o.spoken()} for o in (one, two)], [{"one.test"}, {"two.test"}])


def test_address(d):
    """a literal address has to stand in the certificate as one"""
    good = d.origin(d.good)
    bad = d.origin(d.ca.issue("elsewhere", "IP:127.0.2.99", "DNS:127.0.2.1"))
    ref = {"secretRef": {"name": "ca", "namespace": "gloo-system"}}
    d.upstream("address", [good], ref)
    d.served("address")
    d.upstream("elsewhere", [bad], ref)
    return d.refused("elsewhere", "address", "127.0.2.1")


def test_alternatives(d):
    """verifySubjectAltName: one of these names has to fit, whatever was asked for"""
    o = d.origin(d.ca.issue("pod", "DNS:pod.internal"))
    ref = {"secretRef": {"name": "ca", "namespace": "gloo-system"}, "sni": "good.test"}
    d.upstream("alt", [o], {**ref, "verifySubjectAltName": ["none.test", "pod.internal"]})
    d.served("alt")
    equal(o.spoken()[0]["sni"], "good.test")
    d.upstream("noalt", [o], {**ref, "verifySubjectAltName": ["none.test"]})
    return d.refused("noalt", "name", "none.test", "pod.internal")


# ---- when it is spoken


def test_port(d):
    """port 443 is TLS, also without sslConfig; unless useTls: false"""
    secure = d.origin(d.system.issue("p443", "IP:127.0.2.43"), address="127.0.2.43", port=443)
    plain = e2e.Origin(d.lab.gw, lambda *_: OK, address="127.0.2.44", port=443)
    d.origins.append(plain)
    d.upstream("port", [secure])
    d.served("port")
    d.upstream("off", [plain], useTls=False)
    d.served("off")
    check(plain.received().startswith(b"GET "), plain.received()[:20])
    # And the other way round: TLS where it is asked for.
    other = d.origin(d.system.issue("p9", "IP:127.0.2.45"), address="127.0.2.45")
    d.upstream("on", [other], useTls=True)
    d.served("on")
    equal(other.refused, [])


def test_versions(d):
    """parameters: the versions that are spoken; none in common is 503"""
    old = d.origin(d.good)
    old.use(d.good, ssl.TLSVersion.TLSv1_2)
    ref = {"secretRef": {"name": "ca", "namespace": "gloo-system"}, "sni": "good.test"}
    d.upstream("old", [old], ref)
    d.served("old")
    equal(old.spoken()[0]["version"], "TLSv1.2")
    d.upstream("new", [old], {**ref, "parameters": {"minimumProtocolVersion": "TLSv1_3"}})
    return d.refused("new", "version", "protocol")


def test_parameters_of_no_use(d):
    """parameters that no handshake can go by are a Warning before any request"""
    o = d.origin(d.good)
    ref = {"secretRef": {"name": "ca", "namespace": "gloo-system"}, "sni": "good.test"}
    for key in "cipherSuites", "ecdhCurves":
        d.upstream("none", [o], {**ref, "parameters": {key: ["NOSUCH"]}})
        wait_until("its Warning", lambda: d.gateway.status("none")[0] == "Warning"
                   and "NOSUCH" in d.gateway.status("none")[1], 5)
        equal(d.ask("none"), 503)
    # What is lower than the lowest that is spoken is no reason not to.
    d.upstream("none", [o], {**ref, "parameters": {"minimumProtocolVersion": "TLSv1_0"}})
    d.served("none")
    d.put("upstreams", "none", {
        "upstreamSpec": {"static": {"hosts": [{"addr": o.address, "port": o.port}]}},
        "sslConfig": {**ref, "parameters": {"maximumProtocolVersion": "TLSv1_1"}}}, 422)


# ---- as whom it comes


def test_client_certificate(d):
    """an origin that asks for a certificate: that of the Secret is shown; without one 503"""
    o = d.origin(d.good, clients=d.ca.cert)
    me = d.ca.issue("me", usage="clientAuth", subject="/CN=gateway-one")
    d.put("secrets", "me", {"tls": {"rootCa": d.ca.pem, "certChain": me.pem,
                                    "privateKey": me.key_pem}})
    d.upstream("mutual", [o], {"secretRef": {"name": "me", "namespace": "gloo-system"},
                               "sni": "good.test"})
    d.served("mutual")
    equal(o.spoken()[0]["peer"]["commonName"], "gateway-one")
    d.upstream("nobody", [o], {"secretRef": {"name": "ca", "namespace": "gloo-system"},
                               "sni": "good.test"})
    equal(d.ask("nobody"), 503)
    equal([c for c in o.spoken() if not c["peer"]], [])
    return d.refused("nobody", "certificate")


def test_client_files(d):
    """the same by files"""
    o = d.origin(d.good, clients=d.ca.cert)
    me = d.ca.issue("filed", usage="clientAuth", subject="/CN=gateway-two")
    d.upstream("filed", [o], {"sslFiles": {"rootCa": str(d.ca.cert), "tlsCert": str(me.cert),
                                           "tlsKey": str(me.key)}, "sni": "good.test"})
    d.served("filed")
    equal(o.spoken()[0]["peer"]["commonName"], "gateway-two")

    def named():
        return [w for a in d.gateway.get("/v1/check")["areas"] for w in a["warnings"]
                if str(me.key) in w and "can be read by others" in w]
    os.chmod(me.key, 0o644)
    equal(len(named()), 1)
    os.chmod(me.key, 0o600)
    equal(named(), [])


def test_no_secret(d):
    """a Secret that is not there: a Warning and 503, nothing is sent; served when it comes"""
    o = d.origin(d.good)
    d.put("upstreams", "early", {
        "upstreamSpec": {"static": {"hosts": [{"addr": o.address, "port": o.port}]}},
        "sslConfig": {"secretRef": {"name": "later", "namespace": "gloo-system"},
                      "sni": "good.test"}})
    d.gateway.route("/early/", "early")
    state, reason = d.gateway.status("early")
    check(state == "Warning" and "later" in reason, state, reason)
    equal(d.ask("early"), 503)
    equal(o.connections, [])
    d.put("secrets", "later", {"tls": {"rootCa": d.ca.pem}})
    d.served("early")
    equal(d.gateway.status("early"), ("Accepted", ""))


def test_secret_gone_while_waiting(d):
    """a Secret goes while requests wait for a connection: they still go by TLS"""
    released = threading.Event()
    held = []

    def answer(request, _connection):
        held.append(request)
        released.wait(30)
        return OK
    o = d.origin(d.good, answer)
    d.put("secrets", "goes", {"tls": {"rootCa": d.ca.pem}})
    d.put("upstreams", "waiting", {
        "upstreamSpec": {"static": {"hosts": [{"addr": o.address, "port": o.port}]}},
        "circuitBreakers": {"maxConnections": 1},
        "sslConfig": {"secretRef": {"name": "goes", "namespace": "gloo-system"},
                      "sni": "good.test"}})
    d.gateway.route("/waiting/", "waiting")
    got = []
    asking = [threading.Thread(target=lambda: got.append(d.ask("waiting")), daemon=True)
              for _ in range(6)]
    for t in asking:
        t.start()
    # A worker has one connection; the kernel spreads the six over them.
    wait_until("each to wait or to be held", lambda: len(held) + d.gateway.metric(
        "gloo_gateway_upstream_pending_active", upstream="gloo-system.waiting") == 6)
    status, text = d.gateway.api("DELETE", "/v1/secrets/gloo-system/goes")
    equal(status, 200, text)
    equal(d.ask("waiting"), 503)
    released.set()
    for t in asking:
        t.join(10 * e2e.PATIENCE)
    equal(got, [200] * 6)
    equal(o.refused, [])
    d.put("secrets", "goes", {"tls": {"rootCa": d.ca.pem}})
    d.served("waiting")


def test_bad_secret(d):
    """a Secret that does not hold together is Rejected, and the last good one goes on"""
    o = d.origin(d.good, CLOSE, clients=d.ca.cert)
    me, other = (d.ca.issue(n, usage="clientAuth") for n in ("fits", "fits-not"))
    whole = {"rootCa": d.ca.pem, "certChain": me.pem, "privateKey": me.key_pem}
    d.put("secrets", "pair", {"tls": whole})
    d.upstream("pair", [o], {"secretRef": {"name": "pair", "namespace": "gloo-system"},
                             "sni": "good.test"})
    d.served("pair")
    for what, bad in (("another key", {**whole, "privateKey": other.key_pem}),
                      ("no key", {"rootCa": d.ca.pem, "certChain": me.pem}),
                      ("no PEM", {**whole, "privateKey": "-----BEGIN nothing"}),
                      ("cut", {**whole, "certChain": me.pem[:len(me.pem) // 2]})):
        status, text = d.gateway.api("PUT", "/v1/secrets/gloo-system/pair", {
            "metadata": {"name": "pair", "namespace": "gloo-system"}, "tls": bad})
        check(400 <= status < 500, what, status, text)
        for line in other.key_lines() + me.key_lines():
            check(line not in text, what, "shows the key")
        equal(d.ask("pair"), 200, what)


# ---- sessions, and another certificate while it runs


def test_resumption(d):
    """sessions are resumed: most connections after the first, with TLS 1.3 and 1.2"""
    note = []
    for word, version in (("1.3", None), ("1.2", ssl.TLSVersion.TLSv1_2)):
        name = "resume" + word.replace(".", "")
        o = d.origin(d.good, CLOSE)
        o.use(d.good, version)
        d.upstream(name, [o], {"secretRef": {"name": "ca", "namespace": "gloo-system"},
                               "sni": "good.test"})
        d.served(name)
        for _ in range(30):
            equal(d.ask(name), 200)
        count, resumed = len(o.spoken()), o.resumed()
        # A worker has sessions of its own; each begins with one that is whole.
        check(resumed >= count - 8, word, resumed, "of", count)
        note.append(f"TLS {word}: {resumed} of {count}")
        # Another certificate there, and sessions of before are of no use.
        o.use(d.good, version)
        equal({d.ask(name) for _ in range(6)}, {200})
    return ", ".join(note)


def test_not_resumed_by_others(d):
    """a session is of one upstream's trust: one that trusts nobody there gets none of it"""
    o = d.origin(d.good, CLOSE)
    d.upstream("mine", [o], {"secretRef": {"name": "ca", "namespace": "gloo-system"},
                             "sni": "good.test"})
    d.served("mine")
    equal({d.ask("mine") for _ in range(10)}, {200})
    d.upstream("theirs", [o], {"sni": "good.test"})
    equal({d.ask("theirs") for _ in range(10)}, {503})


def test_rotation(d):
    """the Secret gets another certificate again and again under load: no request fails"""
    o = d.origin(d.good, echo, clients=d.ca.cert)
    ones = [d.ca.issue(f"turn{n}", usage="clientAuth", subject=f"/CN=turn{n}")
            for n in range(ROTATIONS)]

    def give(one):
        d.put("secrets", "turn", {"tls": {"rootCa": d.ca.pem, "certChain": one.pem,
                                          "privateKey": one.key_pem}})
    give(ones[0])
    d.upstream("turn", [o], {"secretRef": {"name": "turn", "namespace": "gloo-system"},
                             "sni": "good.test"})
    d.served("turn")
    load = e2e.Load(d.lab, "/turn/x", keep=4, fresh=4, rate=200, seconds=60)
    proxy = d.gateway.proxy_pid()
    for one in ones[1:]:
        give(one)
        name = one.cert.stem
        wait_until(f"{name} to be shown", lambda: any(
            c.get("peer", {}).get("commonName") == name for c in list(o.connections)), 10)
    f = load.stop()
    equal((f["refused"], f["reset"], f["closed"], f["status"], f["wrong"], f["timeout"]),
          (0,) * 6, f)
    equal(d.gateway.proxy_pid(), proxy)
    return (f"{ROTATIONS - 1} times, {f['ok']} requests, {f['rate']:.0f} a second, at most "
            f"{f['gap_ms']:.0f} ms without an answer")


def test_rotation_of_trust(d):
    """the CA of a Secret is replaced together with the origin's certificate: no restart"""
    second = Authority(d.folder / "second", "second")
    o = d.origin(d.good, CLOSE)
    d.put("secrets", "trust", {"tls": {"rootCa": d.ca.pem}})
    d.upstream("trust", [o], {"secretRef": {"name": "trust", "namespace": "gloo-system"},
                              "sni": "good.test"})
    d.served("trust")
    d.put("secrets", "trust", {"tls": {"rootCa": d.ca.pem + second.pem}})
    o.use(second.issue("next", "DNS:good.test"))
    equal({d.ask("trust") for _ in range(10)}, {200})
    d.put("secrets", "trust", {"tls": {"rootCa": d.ca.pem}})
    wait_until("it not to be believed", lambda: d.ask("trust") == 503, 5)
    equal({d.ask("trust") for _ in range(10)}, {503})


def test_files_changed(d):
    """files that are replaced count after a reload"""
    mine = d.folder / "changed.pem"
    mine.write_text(d.system.pem)
    o = d.origin(d.good, CLOSE)
    d.upstream("changed", [o], {"sslFiles": {"rootCa": str(mine)}, "sni": "good.test"})
    equal(d.ask("changed"), 503)
    replace(mine, d.ca.pem)
    d.gateway.process.send_signal(signal.SIGHUP)
    d.served("changed", 10)


# ---- what others notice of it, and what nobody may


def test_others_untouched(d):
    """an upstream's TLS is changed: no other is told endpoints, and its connections stay"""
    one, two = d.origin(d.good), d.origin(d.good)
    ref = {"secretRef": {"name": "ca", "namespace": "gloo-system"}, "sni": "good.test"}
    d.upstream("edited", [one], ref)
    d.upstream("calm", [two], ref)
    d.served("edited")
    for _ in range(20):
        equal(d.ask("calm"), 200)

    def told():
        return d.gateway.metric("gloo_gateway_upstream_endpoint_messages",
                                upstream="gloo-system.calm")
    before, connections = told(), len(two.connections)
    check(before > 0, "no such metric")
    for n in range(5):
        d.upstream("edited", [one], {**ref, "alpnProtocols": ["http/1.1"], "sni": "good.test",
                                     "verifySubjectAltName": [f"n{n}.test", "good.test"]},
                   route=False)
        d.served("edited")
        for _ in range(4):
            equal(d.ask("calm"), 200)
    equal(told(), before)
    check(len(two.connections) - connections <= 2, connections, len(two.connections))


def test_health(d):
    """health checks speak TLS too: up by a good certificate, down by one that is not believed"""
    good, bad = d.origin(d.good), d.origin(d.ca.issue("ill", "DNS:ill.test"))
    for name, o in (("well", good), ("unwell", bad)):
        d.put("upstreams", name, {
            "upstreamSpec": {"static": {"hosts": [{"addr": o.address, "port": o.port}]}},
            "sslConfig": {"secretRef": {"name": "ca", "namespace": "gloo-system"},
                          "sni": "good.test"},
            "healthChecks": [{"interval": "0.2s", "timeout": "1s", "unhealthyThreshold": 1,
                              "healthyThreshold": 1, "httpHealthCheck": {"path": "/health"}}]})
    wait_until("a check", lambda: b"/health" in good.received(), 10)
    equal([e["health"] for e in d.gateway.item("well")["endpoints"]], ["up"])
    wait_until("it to be down", lambda: [e["health"] for e in d.gateway.item("unwell")[
        "endpoints"]] == ["down"], 10)
    equal(bad.received(), b"")
    return d.gateway.item("unwell")["endpoints"][0]["why"]


def test_secret_commands(d):
    """glooctl create secret tls, get secrets: kind, fingerprint, expiry, who uses it; no value"""
    me = d.ca.issue("shown", usage="clientAuth")
    d.gateway.glooctl("create", "secret", "tls", "--name", "shown", "--rootca", d.ca.cert,
                      "--certchain", me.cert, "--privatekey", me.key)
    o = d.origin(d.good, clients=d.ca.cert)
    d.upstream("shown", [o], {"secretRef": {"name": "shown", "namespace": "gloo-system"},
                              "sni": "good.test"})
    d.served("shown")
    table = d.gateway.glooctl("get", "secrets").stdout
    check("SECRET" in table and "TYPE" in table and "shown" in table and "TLS" in table, table)
    wide = d.gateway.glooctl("get", "secret", "shown", "-o", "wide").stdout
    fingerprint = me.fingerprint()
    check(fingerprint in wide or fingerprint[:20] in wide, fingerprint, wide)
    whole = json.dumps(d.gateway.get("/v1/secrets/gloo-system/shown"))
    check(fingerprint in whole and "gloo-system.shown" in whole.replace("upstreams/", ""), whole)
    for text in (table, wide, whole):
        check(me.key_lines()[0] not in text, text)


def numbers_of(key):
    """A key's private number, as OpenSSL keeps it in memory and as it is written."""
    text = e2e.run("openssl", "ec", "-in", key, "-noout", "-text").stdout
    digits = "".join(re.search(r"priv:\n((?:\s+[0-9a-f:]+\n)+)", text).group(1).split())
    number = bytes.fromhex(digits.replace(":", ""))[-32:]
    return number, number[::-1]


def in_memory(pid, *needles):
    found = set()
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            place, mode = line.split()[:2]
            if "r" not in mode or "[v" in line:
                continue
            begin, end = (int(x, 16) for x in place.split("-"))
            try:
                mem.seek(begin)
                data = mem.read(end - begin)
            except OSError:
                continue
            found |= {n for n in needles if n in data}
    return found


def test_memory(d):
    """the proxy has the keys that its routes use, no others, and not when they are used no more"""
    if e2e.SANITIZED:
        raise e2e.Skip("a sanitizer keeps what was freed")
    used, unused = (d.ca.issue(n, usage="clientAuth") for n in ("used", "unused"))
    for one in (used, unused):
        d.put("secrets", one.cert.stem, {"tls": {"rootCa": d.ca.pem, "certChain": one.pem,
                                                 "privateKey": one.key_pem}})
    o = d.origin(d.good, clients=d.ca.cert)
    ref = {"sni": "good.test"}
    d.upstream("used", [o], {**ref, "secretRef": {"name": "used", "namespace": "gloo-system"}})
    d.upstream("unused", [o], {**ref, "secretRef": {"name": "unused",
                                                    "namespace": "gloo-system"}}, route=False)
    d.served("used")
    pid = d.gateway.proxy_pid()
    check(in_memory(pid, *numbers_of(used.key)), "the key that is used was not found: "
          "this test sees nothing")
    equal(in_memory(pid, *numbers_of(unused.key)), set(), "a key that no route uses")
    texts = [line.encode() for line in unused.key_lines()]
    equal(in_memory(pid, *texts), set(), "the text of a key that no route uses")
    d.gateway.glooctl("remove", "route", "--name", "default", "--index", str(len(d.gateway.get(
        "/v1/virtualservices/gloo-system/default")["virtualHost"]["routes"]) - 1), ok=(0, 2))
    equal(d.ask("used"), 404)
    rest = [line.encode() for line in used.key_lines()] + list(numbers_of(used.key))
    try:
        wait_until("the key to be gone", lambda: not in_memory(pid, *rest), 10)
    except AssertionError as e:
        left = in_memory(pid, *rest)
        raise AssertionError(f"{e}: of its text {len(left & set(rest[:-2]))} lines are left, of "
                             f"its number {len(left & set(rest[-2:]))} forms") from None
    equal(d.gateway.proxy_pid(), pid)


def test_nothing_told(d):
    """no byte of a key is in any output: logs, metrics, dumps, tables, documents; files are 0600"""
    keys = [p for p in d.folder.rglob("*.key")]
    lines = {line for k in keys for line in k.read_text().splitlines() if "---" not in line}
    check(len(lines) > 10, lines)
    g = d.gateway
    texts = {"log": g.log_text(), "access log": g.access.read_text()}
    for path in ("/v1/dump", "/v1/secrets", "/v1/secrets/gloo-system/me", "/v1/upstreams",
                 "/v1/check", "/v1/status", "/v1/endpoints", "/v1/virtualservices", "/metrics"):
        texts[path] = g.api("GET", path)[1]
    for argv in (("get", "secrets"), ("get", "secrets", "-o", "yaml"),
                 ("get", "secrets", "-o", "json"), ("get", "secrets", "-o", "wide"),
                 ("get", "secret", "me", "-o", "kube-yaml"), ("get", "upstreams", "-o", "yaml"),
                 ("check",)):
        p = g.glooctl(*argv, ok=None)
        texts["glooctl " + " ".join(argv)] = p.stdout + p.stderr
    for what, text in texts.items():
        equal([line for line in lines if line in text.replace("\\n", "\n")], [], what)
    kept = [p for p, text in e2e.files_of(g.dir) if p != g.log_path
            and any(line in text for line in map(str.encode, lines))]
    check(any(p.is_relative_to(g.dir / "secrets") for p in kept), "no secret is stored", kept)
    # The last good version of each is of secrets, too.
    equal([str(p) for p in kept if "secrets" not in p.relative_to(g.dir).parts], [])
    equal([str(p) for p in kept if stat.S_IMODE(os.stat(p).st_mode) & 0o077], [])
    return f"{len(keys)} keys, {len(texts)} outputs, {len(kept)} files"


if __name__ == "__main__":
    e2e.main(globals())
