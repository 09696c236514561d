"""What a real Consul agent has becomes upstreams, and its instances their endpoints:
names, health, weights, maintenance, addresses, tags, data centres (C3, C4, C5, C8)."""
import json
import sys

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import consul
import e2e
from consul_bed import DISCOVER, Bed
from discovering import Gateway, await_names, shares
from e2e import check, equal, wait_until
from name_servers import Dnsmasq

SECOND = "127.0.0.2"  # where the agent of the second data centre is


class Drill(Bed):
    def __init__(self):
        super().__init__(whole="dns: { servers: \"127.0.0.1:5353\" }\n", gateway=False)
        self.names = Dnsmasq(self.gw)
        self.names.set("up.test", "127.0.0.1")
        self.names.start()
        self.second = None
        self.gateway = Gateway(self, self.lines()).start()

    def upstream(self, name, service, **spec):
        status, text = self.gateway.api("PUT", f"/v1/upstreams/gloo-system/{name}", {
            "metadata": {"name": name, "namespace": "gloo-system"},
            "upstreamSpec": {"consul": {"serviceName": service, **spec}}})
        equal(status, 200, text)

    def served(self, service, *names, seconds=10, **more):
        """Instances of these names, whose upstream has them and a route."""
        made = [self.instance(service, n, **more) for n in names]
        self.gateway.await_set(service, [o.host for o in made], seconds)
        self.gateway.route("/" + service, service)
        await_names(self.gateway, "/" + service, *names)
        return made


def setup():
    return Drill()


def teardown(d):
    if d.second:
        d.second.close()
    d.close()


def up(d, name):
    return sorted(e["address"] for e in d.gateway.item(name)["endpoints"] if e["health"] == "up")


def await_up(d, name, *origins, seconds=5):
    wanted = sorted(o.host for o in origins)
    try:
        wait_until(name, lambda: up(d, name) == wanted, seconds)
    except AssertionError as e:
        raise AssertionError(f"{e}: {up(d, name)}, wanted {wanted}") from None


def test_found(d):
    """a service becomes an upstream of its name, labelled, Accepted, and is served"""
    a, b = d.served("web", "a", "b", tags=["v1", "blue"])
    u = d.gateway.upstreams()["web"]
    equal(u["metadata"]["labels"]["discovered_by"], "consulplugin")
    equal(u["upstreamSpec"]["consul"]["serviceName"], "web")
    equal(d.gateway.status("web"), ("Accepted", ""))
    # Its own service is one of the catalog, too.
    wait_until("Consul's own", lambda: "consul" in d.gateway.upstreams())
    table = d.gateway.glooctl("get", "upstream", "web").stdout
    check("Consul" in table and "svc name: web" in table, table)


def test_wide(d):
    """glooctl get upstream -o wide: each endpoint with health and weight, and the last change"""
    text = d.gateway.glooctl("get", "upstream", "web", "-o", "wide").stdout
    for o in (d.origins["a"], d.origins["b"]):
        check(o.host in text, text)
    check("up" in text and "Discovery" in text, text)
    centres = text[text.index("Data centres"):].splitlines()
    check([c.strip() for c in centres[4].split("|")[2:6]] == ["the agent's own", "2", "2", "0"],
          text)


def test_numbers(d):
    """/metrics counts what was asked of the agent and answered"""
    wait_until("a question that waits", lambda: d.gateway.metrics()["gloo_gateway_consul_open"])
    before = d.gateway.metrics()
    check(0 < before["gloo_gateway_consul_answered"] <= before["gloo_gateway_consul_asked"], before)
    d.agent.register("news", 80)
    d.gateway.await_set("news", ["127.0.0.1:80"])
    check(d.gateway.metrics()["gloo_gateway_consul_changed"]
          > before["gloo_gateway_consul_changed"], before)
    d.agent.deregister("news-80")


def test_by_hand(d):
    """create upstream consul: served like one that was found; labels are not padded"""
    d.gateway.glooctl("create", "upstream", "consul", "--name", "mine", "--consul-service", "web",
                      "--consul-service-tags", "v1,blue")
    d.gateway.await_set("mine", [d.origins[n].host for n in "ab"])
    table = d.gateway.glooctl("get", "upstream", "mine").stdout
    check("svc name: web" in table and "svc tags:" in table and "v1" in table, table)
    d.gateway.glooctl("delete", "upstream", "mine")


def test_deleted_by_hand(d):
    """C8: an upstream that was found and is deleted by hand comes back, and serves"""
    d.served("kept", "k")
    d.gateway.glooctl("delete", "upstream", "kept", ok=None)
    d.gateway.await_set("kept", [d.origins["k"].host], 10)
    wait_until("it to be served", lambda: d.gateway.ask("/kept")[0] == 200, 10)


def test_gone(d):
    """a service that is deregistered: no upstream; registered again: served again"""
    o, = d.served("brief", "x")
    d.agent.deregister(o.id)
    wait_until("it to be gone", lambda: "brief" not in d.gateway.upstreams(), 10)
    wait_until("503", lambda: d.gateway.ask("/brief")[0] == 503, 5)
    d.instance("brief", "x")
    d.gateway.await_set("brief", [o.host], 10)
    wait_until("it to be served", lambda: d.gateway.ask("/brief")[0] == 200, 10)


def test_weights(d):
    """C3: weights of passing and of warning; an instance that warns gets the other"""
    a = d.instance("heavy", "ha", check="passing", Weights={"Passing": 3, "Warning": 1})
    b = d.instance("heavy", "hb", check="passing", Weights={"Passing": 1, "Warning": 1})
    d.gateway.await_set("heavy", [a.host, b.host], 10)
    d.gateway.route("/heavy", "heavy")
    await_names(d.gateway, "/heavy", "ha", "hb", count=40)
    got = shares(d.gateway, "/heavy", 400)
    check(2 < got["ha"] / got["hb"] < 4.6, got)
    d.agent.check(a.id, "warn")
    wait_until("the weight of warning", lambda: {e["address"]: e["weight"] for e in d.gateway.item(
        "heavy")["endpoints"]} == {a.host: 1, b.host: 1}, 5)
    after = shares(d.gateway, "/heavy", 200)
    check(0.6 < after["ha"] / after["hb"] < 1.6, after)
    d.agent.check(a.id, "pass")
    wait_until("the weight of passing", lambda: {e["address"]: e["weight"] for e in d.gateway.item(
        "heavy")["endpoints"]} == {a.host: 3, b.host: 1}, 5)
    return f"3 to 1: {got['ha']} and {got['hb']}; warning: {after['ha']} and {after['hb']}"


def test_weight_none(d):
    """C3: a weight of 0 for who warns means none of the requests"""
    a = d.instance("none", "na", check="passing", Weights={"Passing": 1, "Warning": 0})
    b = d.instance("none", "nb", check="passing")
    d.gateway.await_set("none", [a.host, b.host], 10)
    d.gateway.route("/none", "none")
    d.agent.check(a.id, "warn")
    await_up(d, "none", b)
    await_names(d.gateway, "/none", "nb")


def test_critical(d):
    """C3: a critical check takes an instance out, and all of them: 503; none is lost on the way"""
    a, b = d.served("ill", "ia", "ib", check="passing")
    d.ask_always("/ill")
    d.agent.check(a.id, "fail")
    await_up(d, "ill", b)
    d.agent.check(a.id, "pass")
    await_up(d, "ill", a, b)
    count = d.all_served()
    for o in (a, b):
        d.agent.check(o.id, "fail")
    wait_until("503", lambda: d.gateway.ask("/ill")[0] == 503, 5)
    for o in (a, b):
        d.agent.check(o.id, "pass")
    await_up(d, "ill", a, b)
    wait_until("it to be served", lambda: d.gateway.ask("/ill")[0] == 200, 5)
    return f"{count} requests"


def test_maintenance(d):
    """C3: maintenance of an instance takes it out; of the node, all of its"""
    a, b = d.served("rest", "ra", "rb")
    d.ask_always("/rest")
    d.agent.maintenance(a.id)
    await_up(d, "rest", b)
    d.agent.maintenance(a.id, False)
    await_up(d, "rest", a, b)
    # One at another node, which the agent's own maintenance is none of.
    d.agent.node("elsewhere", "127.0.0.1")
    c = d.origin("rc")
    d.agent.put("elsewhere", "rest", "rc", "127.0.0.1", c.port)
    await_up(d, "rest", a, b, c)
    d.agent.node_maintenance()
    await_up(d, "rest", c)
    d.agent.node_maintenance(False)
    await_up(d, "rest", a, b, c)
    return f"{d.all_served()} requests"


def test_same_id(d):
    """one id at two nodes is two instances"""
    a, b = d.origin("sa"), d.origin("sb")
    for node, o in (("n1", a), ("n2", b)):
        d.agent.node(node, "127.0.0.1")
        d.agent.put(node, "twice", "the-same", "127.0.0.1", o.port)
    d.gateway.await_set("twice", [a.host, b.host], 10)
    d.agent.forget("n1", "the-same")
    d.gateway.await_set("twice", [b.host], 10)


def test_node_address(d):
    """C4: without an address of its own an instance has its node's"""
    a = d.origin("va", "127.0.3.1")
    d.agent.node("far", "127.0.3.1")
    d.agent.put("far", "void", "va", "", a.port)
    d.gateway.await_set("void", [a.host], 10)
    d.gateway.route("/void", "void")
    await_names(d.gateway, "/void", "va", count=3)


def test_host_name(d):
    """C4: an address that is a name is resolved, followed, and kept when nobody resolves it"""
    a = d.origin("ga", "127.0.4.1")
    b = d.origin("gb", "127.0.4.2", port=a.port)
    d.names.set("host.test", "127.0.4.1")
    d.agent.register("named", a.port, address="host.test")
    d.gateway.await_set("named", [a.host], 10)
    d.gateway.route("/named", "named")
    d.names.set("host.test", "127.0.4.2")
    d.gateway.await_set("named", [b.host], 10)
    d.names.stop()
    d.ask_always("/named")
    why = wait_until("it to be stale", lambda: d.gateway.problem("named"), 40)
    equal(d.gateway.set("named"), [b.host])
    count = d.all_served()
    d.names.start()
    wait_until("it to be current", lambda: not d.gateway.problem("named"), 40)
    return f"{count} requests; {why}"


def test_tags(d):
    """C5: by tags: those of the service, those an instance must have, and must not have"""
    a = d.instance("tagged", "ta", tags=["v1", "blue"])
    b = d.instance("tagged", "tb", tags=["v1", "green"])
    c = d.instance("tagged", "tc", tags=["v2", "blue"])
    d.gateway.await_set("tagged", [a.host, b.host, c.host], 10)
    table = [
        ("one", {"serviceTags": ["v1"]}, [a, b]),
        ("all", {"serviceTags": ["v1", "blue"]}, [a]),
        ("must", {"instanceTags": ["blue"]}, [a, c]),
        ("never", {"instanceBlacklistTags": ["green"]}, [a, c]),
        ("mixed", {"serviceTags": ["v1"], "instanceBlacklistTags": ["green"]}, [a]),
        ("nobody", {"instanceTags": ["red"]}, []),
    ]
    for name, spec, wanted in table:
        d.upstream("by-" + name, "tagged", **spec)
    for name, spec, wanted in table:
        d.gateway.await_set("by-" + name, [o.host for o in wanted], 10)
    # A tag that comes later.
    d.agent.register("tagged", c.port, id=c.id, tags=["v1", "v2", "blue"])
    d.gateway.await_set("by-one", [a.host, b.host, c.host], 10)
    for name, _, _ in table:
        d.gateway.glooctl("delete", "upstream", "by-" + name)


def test_consistency(d):
    """default, stale and consistent reads, and the agent's cache, are asked for as the upstream says"""
    d.instance("modes", "m")
    d.gateway.await_set("modes", [d.origins["m"].host], 10)

    def asked(word):
        return any(p.startswith("/v1/health/service/modes") and word in p.split("?")[-1].split("&")
                   for p in words(d))
    check(not asked("stale") and not asked("consistent") and not asked("cached"), words(d)[-3:])
    d.upstream("modes-stale", "modes", consistencyMode="StaleMode")
    wait_until("stale", lambda: asked("stale"))
    d.upstream("modes-sure", "modes", consistencyMode="ConsistentMode")
    wait_until("consistent", lambda: asked("consistent"))
    d.upstream("modes-cached", "modes", queryOptions={"useCache": True})
    wait_until("cached", lambda: asked("cached"))
    for name in ("stale", "sure", "cached"):
        d.gateway.await_set("modes-" + name, [d.origins["m"].host])
        d.gateway.glooctl("delete", "upstream", "modes-" + name)


def words(d):
    """Paths asked, with "stale=" and "stale" the same."""
    return [p.replace("=&", "&").removesuffix("=") for _, p in list(d.relay.asked)]


def test_others_untouched(d):
    """G3: one upstream is changed by hand and its instances too: no other is told anything"""
    others = [d.instance(f"other{n}", f"o{n}") for n in range(3)]
    for n, o in enumerate(others):
        d.gateway.await_set(f"other{n}", [o.host], 10)

    def told(name):
        return d.gateway.metric("gloo_gateway_upstream_endpoint_messages",
                                upstream=f"gloo-system.{name}")

    def others_told():
        return [told(f"other{n}") for n in range(3)]
    # A set that is shown is told a moment later, when it has changed just before.
    wait_until("the others to be told", lambda: min(others_told()) > 0)
    before, mine = e2e.await_steady("what they were told", others_told, 1), told("web")
    check(mine > 0, "no such metric")
    u = d.gateway.get("/v1/upstreams/gloo-system/web")
    u.pop("status", None)
    u["circuitBreakers"] = {"maxConnections": 77}
    status, text = d.gateway.api("PUT", "/v1/upstreams/gloo-system/web", u)
    equal(status, 200, text)
    for n in range(3):
        d.instance("web", f"w{n}")
    d.gateway.await_set("web", [d.origins[n].host for n in ("a", "b", "w0", "w1", "w2")], 10)
    wait_until("the one that changed to be told", lambda: told("web") > mine)
    equal(others_told(), before)
    equal(d.gateway.get("/v1/upstreams/gloo-system/web")["circuitBreakers"]["maxConnections"], 77)


def test_choice(d):
    """C5: by the settings: an upstream for each tag, tags that are taken in and left out"""
    d.instance("split", "p1", tags=["red"])
    d.instance("split", "p2", tags=["red", "dark"])
    d.gateway.await_set("split", [d.origins["p1"].host, d.origins["p2"].host], 10)
    d.reload("  serviceDiscovery: { splitByTag: true, tagsExclude: [blue] }\n")
    d.gateway.await_set("split-red", [d.origins["p1"].host, d.origins["p2"].host], 10)
    d.gateway.await_set("split-dark", [d.origins["p2"].host], 10)
    # Of a service of which every instance has the tag nothing is left.
    d.instance("outcast", "oc", tags=["blue"])
    d.instance("incast", "ic", tags=["yellow"])
    wait_until("the other", lambda: "incast" in d.gateway.upstreams(), 10)
    check("outcast" not in d.gateway.upstreams(), "outcast was found")
    d.reload(DISCOVER)
    wait_until("those of tags to be gone", lambda: "split-red" not in d.gateway.upstreams(), 10)
    d.gateway.await_set("outcast", [d.origins["oc"].host], 10)


def test_edited(d):
    """what was found for a service outlives a restart, and not that another one is asked for"""
    first, second = d.instance("first", "e1"), d.instance("second", "e2")
    d.upstream("edited", "first")
    d.gateway.await_set("edited", [first.host])
    d.upstream("edited", "second")
    d.gateway.await_set("edited", [second.host])
    # It is remembered for which, a second later.
    state = d.gateway.dir / "state/endpoints/gloo-system/edited.json"
    wait_until("that to be remembered", lambda: json.loads(
        state.read_text())["spec"]["serviceName"] == "second")
    d.agent.kill()
    d.gateway.process.kill()
    d.gateway.process.wait()
    d.gateway.start()
    wait_until("it to be stale", lambda: d.gateway.problem("edited"), 20)
    equal(d.gateway.set("edited"), [second.host])
    d.upstream("edited", "first")
    d.gateway.await_set("edited", [])
    d.agent.start()
    d.agent.register("first", first.port, id="e1")
    # What fails is tried again after a minute at most.
    d.gateway.await_set("edited", [first.host], 70)


def test_data_centres(d):
    """C5: instances of two data centres; one that is not reached keeps its own, the other goes on"""
    d.agent.settings["ports"]["serf_wan"] = consul.WAN
    d.agent.restart()
    d.second = second = consul.Agent(d.gw, SECOND, "dc2").start()
    second.good("PUT", f"/agent/join/{d.agent.address}?wan=1")
    wait_until("both data centres", lambda: sorted(
        d.agent.good("GET", "/catalog/datacenters")) == ["dc1", "dc2"], 60)
    one = d.instance("wide", "d1")
    two, three = d.origin("d2"), d.origin("d3")
    second.register("wide", two.port, id="d2")
    wait_until("the way to dc2", lambda: d.agent.usable("wide", "dc2") == [two.host], 60)
    d.upstream("both", "wide", dataCenters=["dc1", "dc2"])
    d.upstream("there", "wide", dataCenters=["dc2"])
    d.gateway.await_set("both", [one.host, two.host], 70)
    d.gateway.await_set("there", [two.host], 10)
    d.gateway.route("/both", "both")
    second.register("wide", three.port, id="d3")
    d.gateway.await_set("both", [one.host, two.host, three.host], 10)
    d.ask_always("/both")
    second.kill()
    four = d.instance("wide", "d4")
    d.gateway.await_set("both", [o.host for o in (one, two, three, four)], 10)
    why = wait_until("it to be stale", lambda: d.gateway.problem("both"), 60)
    equal(d.gateway.set("both"), sorted(o.host for o in (one, two, three, four)))
    equal(d.gateway.set("there"), sorted([two.host, three.host]))
    check("dc2" in why, why)
    return f"{d.all_served()} requests; {why}"


if __name__ == "__main__":
    e2e.main(globals())
