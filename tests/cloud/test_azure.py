"""Azure Functions itself, where an app's key is in the environment, and the management
API, where an identity is: `make verify-cloud`. What is not there is skipped.

    GG_AZURE_APP         name of a function app, or GG_AZURE_HOSTNAME its host
    GG_AZURE_FUNCTION    a function of it with an HTTP trigger, GET and POST, level
                         function, that answers 200 whatever it gets
    GG_AZURE_KEY         its key, or one of the host's
    GG_AZURE_PREFIX      routePrefix of host.json, if not "api"
    GG_AZURE_ROOTS       another file of whom to trust
    GG_AZURE_SETTINGS    lines of settings.yaml more, as those of another cloud

    Of the management API, beside GG_AZURE_APP and GG_AZURE_FUNCTION:
    GG_AZURE_SUBSCRIPTION, GG_AZURE_GROUP   where the app is
    AZURE_FEDERATED_TOKEN_FILE with AZURE_TENANT_ID and AZURE_CLIENT_ID, or
    IDENTITY_ENDPOINT with IDENTITY_HEADER, or GG_AZURE_METADATA=1 on a machine with a
    managed identity     who asks; it needs Microsoft.Web/sites/functions/read,
                         .../host/listKeys/action and .../functions/listKeys/action

The gateway runs in the machine's own network, at its ports 8080 and 9091 of loopback.
"""
import os
import sys

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
from azure_bed import LABEL, Bed, ref
from cloud import OwnNetwork, needed
from e2e import check, equal, wait_until

REASON = "x-gloo-gateway-reason"


IDENTITIES = ("AZURE_FEDERATED_TOKEN_FILE", "IDENTITY_ENDPOINT", "GG_AZURE_METADATA")


def key_needed():
    where = () if os.environ.get("GG_AZURE_HOSTNAME") else ("GG_AZURE_APP",)
    needed(*where, "GG_AZURE_FUNCTION", "GG_AZURE_KEY")


def identity_needed():
    who = [n for n in IDENTITIES if os.environ.get(n)]
    needed("GG_AZURE_APP", "GG_AZURE_FUNCTION", "GG_AZURE_SUBSCRIPTION", "GG_AZURE_GROUP",
           *who or (" or ".join(IDENTITIES),))


def has(needs):
    try:
        needs()
    except e2e.Skip:
        return False
    return True


class Cloud(OwnNetwork, Bed):
    def __init__(self):
        self.function = os.environ.get("GG_AZURE_FUNCTION")
        self.key = os.environ.get("GG_AZURE_KEY")
        if not has(key_needed) and not has(identity_needed):
            return  # each test says what it needs
        self.open_network(os.environ.get("GG_AZURE_ROOTS"),
                          os.environ.get("GG_AZURE_SETTINGS", ""))
        if has(key_needed):
            self.with_key()
        if has(identity_needed):
            self.managed("fetched", os.environ["GG_AZURE_GROUP"])
            self.routes(self.way("/fetched", "fetched", self.function), name="fetched",
                        domains=["fetched.test"])

    def with_key(self):
        self.secret("good", **{self.function: self.key})
        self.secret("wrong", **{self.function: self.key[::-1]})
        for name in ("good", "wrong"):
            self.app(name)
        self.routes(self.way("/good", "good", self.function),
                    self.way("/wrong", "wrong", self.function),
                    self.way("/absent", "wrong", self.function + "-absent"))
        self.ready("/good", seconds=60)

    @staticmethod
    def where():
        return {"functionAppName": "app", **{k: os.environ[v] for k, v in (
            ("functionAppName", "GG_AZURE_APP"), ("hostname", "GG_AZURE_HOSTNAME"),
            ("routePrefix", "GG_AZURE_PREFIX")) if os.environ.get(v)}}

    def app(self, name):
        return self.put("upstreams", name, {"upstreamSpec": {"azure": {
            **self.where(), "secretRef": ref(name), "functions": [
                {"functionName": self.function, "authLevel": "Function"}]}}})

    def managed(self, name, group):
        """All of it from the management API."""
        return self.put("upstreams", name, {"upstreamSpec": {"azure": {
            **self.where(), "subscriptionId": os.environ["GG_AZURE_SUBSCRIPTION"],
            "resourceGroup": group}}}, LABEL)


def setup():
    return Cloud()


def teardown(d):
    if has(key_needed) or has(identity_needed):
        d.close()


def test_calls(d):
    """A2: the function is called, with query and method; its key is in no URL"""
    key_needed()
    for method, body in (("GET", None), ("POST", b'{"name": "gloo"}')):
        status, fields, text = d.ask("/good?name=gloo", method, body,
                                     {"Content-Type": "application/json"})
        equal(status, 200, text[:300])
        check(d.key not in str(fields) and d.key.encode() not in text, "the key came back")


def test_client_key(d):
    """A6: a key that the client sends is not used: good or bad, it changes nothing"""
    key_needed()
    for field in (d.key, "none"):
        equal(d.ask("/wrong", headers={"x-functions-key": field})[0] in (502, 503), True, field)
        equal(d.ask("/good", headers={"x-functions-key": field})[0], 200, field)
        check(d.ask("/wrong?code=" + field)[0] in (502, 503), "a key of the query was used")


def test_wrong_key(d):
    """A1: a wrong key: never the site's own 401; the log has the sentence"""
    key_needed()
    status, fields, _ = d.ask("/wrong")
    check(status in (502, 503) and fields.get(REASON), status, fields)
    return fields[REASON]


def test_absent(d):
    """A8: a function that is not there"""
    key_needed()
    status, fields, text = d.ask("/absent")
    check(status in (404, 502, 503), status, fields, text[:300])
    return f"{status} {fields.get(REASON, '')}"


def test_check(d):
    """glooctl check azure: nothing is missing"""
    key_needed()
    p = d.gateway.glooctl("check", "azure", "good", ok=None)
    equal(p.returncode, 0, p.stdout + p.stderr)


def test_shown(d):
    """the key is not shown, nor is a token"""
    if not has(identity_needed):
        key_needed()
    # What a client has in its own query stands in its line.
    said = d.gateway.log_text() + "".join(
        line for line in d.gateway.access.read_text().splitlines() if "code=" not in line)
    for path in ("/v1/dump", "/metrics", "/v1/upstreams", "/v1/secrets", "/v1/endpoints"):
        said += d.gateway.api("GET", path)[1]
    check(not d.key or d.key not in said, "the key is shown")
    check("Bearer " not in said and "eyJ" not in said, "a token is shown")


# ---- the management API

def test_listed(d):
    """the management API: the function is among those that it lists, with its route"""
    identity_needed()
    wait_until(f"{d.function} to be found", lambda: d.function in d.gateway.item(
        "fetched").get("functions", []), 60)
    return f"{len(d.gateway.item('fetched')['functions'])} functions"


def test_keys(d):
    """the management API: keys are fetched, and open the function"""
    identity_needed()
    d.ready("/fetched", seconds=60, headers={"Host": "fetched.test"})
    wide = d.gateway.glooctl("get", "upstream", "fetched", "-o", "wide").stdout
    check("the management API" in wide, wide)
    d.await_state("fetched", "Accepted")


def test_permitted(d):
    """the management API: glooctl check azure asks it each question"""
    identity_needed()
    p = d.gateway.glooctl("check", "azure", "fetched", ok=None)
    equal(p.returncode, 0, p.stdout + p.stderr)
    for part in ("its functions", "the keys of its host", "the keys of its functions"):
        check(f"{part} may be asked for" in p.stdout, part, p.stdout)


def test_another_group(d):
    """the management API: an app that is not in that group is a Warning that says so"""
    identity_needed()
    d.managed("lost", os.environ["GG_AZURE_GROUP"] + "-absent")
    return d.await_state("lost", "Warning", "the management API: status 40", seconds=60)


if __name__ == "__main__":
    e2e.main(globals())
