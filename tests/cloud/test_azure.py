"""Azure Functions itself, where an app's key is in the environment: `make verify-cloud`.

    GG_AZURE_APP         name of a function app, or GG_AZURE_HOSTNAME its host
    GG_AZURE_FUNCTION    a function of it with an HTTP trigger, GET and POST, level
                         function, that answers 200 whatever it gets
    GG_AZURE_KEY         its key, or one of the host's
    GG_AZURE_PREFIX      routePrefix of host.json, if not "api"
    GG_AZURE_ROOTS       another file of whom to trust

The gateway runs in the machine's own network, at its ports 8080 and 9091 of loopback.
"""
import os
import sys

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from azure_bed import Bed, ref
from cloud import OwnNetwork, needed
from e2e import check, equal

REASON = "x-gloo-gateway-reason"


class Cloud(OwnNetwork, Bed):
    def __init__(self):
        if not os.environ.get("GG_AZURE_HOSTNAME"):
            needed("GG_AZURE_APP")
        needed("GG_AZURE_FUNCTION", "GG_AZURE_KEY")
        self.function, self.key = os.environ["GG_AZURE_FUNCTION"], os.environ["GG_AZURE_KEY"]
        self.open_network(os.environ.get("GG_AZURE_ROOTS"))
        self.secret("good", **{self.function: self.key})
        self.secret("wrong", **{self.function: self.key[::-1]})
        for name in ("good", "wrong"):
            self.app(name)
        self.routes(self.way("/good", "good", self.function),
                    self.way("/wrong", "wrong", self.function),
                    self.way("/absent", "good", self.function + "-absent"))
        self.ready("/good", seconds=60)

    def app(self, name):
        where = {k: os.environ[v] for k, v in (
            ("functionAppName", "GG_AZURE_APP"), ("hostname", "GG_AZURE_HOSTNAME"),
            ("routePrefix", "GG_AZURE_PREFIX")) if os.environ.get(v)}
        return self.put("upstreams", name, {"upstreamSpec": {"azure": {
            **where, "secretRef": ref(name), "functions": [
                {"functionName": self.function, "authLevel": "Function"}]}}})


def setup():
    return Cloud()


def teardown(d):
    d.close()


def test_calls(d):
    """A2: the function is called, with query and method; its key is in no URL"""
    for method, body in (("GET", None), ("POST", b'{"name": "gloo"}')):
        status, fields, text = d.ask("/good?name=gloo", method, body,
                                     {"Content-Type": "application/json"})
        equal(status, 200, text[:300])
        check(d.key not in str(fields) and d.key.encode() not in text, "the key came back")


def test_client_key(d):
    """A6: a key that the client sends is not used: good or bad, it changes nothing"""
    for field in (d.key, "none"):
        equal(d.ask("/wrong", headers={"x-functions-key": field})[0] in (502, 503), True, field)
        equal(d.ask("/good", headers={"x-functions-key": field})[0], 200, field)
        check(d.ask("/wrong?code=" + field)[0] in (502, 503), "a key of the query was used")


def test_wrong_key(d):
    """A1: a wrong key: never the site's own 401; the log has the sentence"""
    status, fields, _ = d.ask("/wrong")
    check(status in (502, 503) and fields.get(REASON), status, fields)
    return fields[REASON]


def test_absent(d):
    """A8: a function that is not there"""
    status, fields, text = d.ask("/absent")
    check(status in (404, 502, 503), status, fields, text[:300])
    return f"{status} {fields.get(REASON, '')}"


def test_check(d):
    """glooctl check azure: nothing is missing"""
    p = d.gateway.glooctl("check", "azure", "good", ok=None)
    equal(p.returncode, 0, p.stdout + p.stderr)


def test_shown(d):
    """the key is not shown"""
    said = d.gateway.log_text() + d.gateway.access.read_text()
    for path in ("/v1/dump", "/metrics", "/v1/upstreams", "/v1/secrets", "/v1/endpoints"):
        said += d.gateway.api("GET", path)[1]
    check(d.key not in said, "it is shown")


if __name__ == "__main__":
    e2e.main(globals())
