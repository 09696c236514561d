"""Real Consul agents in a network namespace, who speaks to them, and a relay between
them and a gateway."""
import http.client
import json
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time

import e2e
import relay
from e2e import check, wait_until

HTTP, DNS, LAN, WAN, SERVER = 8500, 8600, 8301, 8302, 8300
MANAGEMENT = "11111111-1111-1111-1111-111111111111"
# What is asked without a token sees nothing, as the agent does without one of its own.
ACL = {"acl": {"enabled": True, "default_policy": "deny", "tokens": {
    "initial_management": MANAGEMENT, "agent": MANAGEMENT}}}


def program():
    """Built if it is not there."""
    p = subprocess.run([str(e2e.TOP / "tests/interop/consul/build")], stdin=subprocess.DEVNULL,
                       capture_output=True, text=True, timeout=1800)
    if p.returncode == 3:
        raise e2e.Skip(p.stderr.strip().splitlines()[-1])
    check(p.returncode == 0, "tests/interop/consul/build:\n" + p.stderr[-3000:])
    return pathlib.Path(p.stdout.strip().splitlines()[-1]) / "consul"


class Refused(AssertionError, ValueError):
    """wait_until asks again."""

    def __init__(self, what, status, answer):
        super().__init__(f"{what}: {status} {str(answer)[:800]}")
        self.status, self.answer = status, answer


class Client:
    """Asks an agent's HTTP API. A connection for each thread."""

    def __init__(self, ns, address, token=None):
        self.ns, self.address, self.token, self.mine = ns, address, token, threading.local()

    def connect(self, timeout=20):
        c = http.client.HTTPConnection(self.address, HTTP, timeout=timeout * e2e.PATIENCE)
        with e2e.Namespace(self.ns):
            c.connect()
        return c

    def ask(self, method, path, body=None):
        """(status, headers, what it says); a kept connection that was closed is opened
        anew."""
        data = None if body is None else json.dumps(body)
        headers = {"X-Consul-Token": self.token} if self.token else {}
        while True:
            kept = getattr(self.mine, "connection", None)
            c, self.mine.connection = kept or self.connect(), None
            try:
                c.request(method, "/v1" + path, data, headers)
                r = c.getresponse()
                text = r.read()
                self.mine.connection = c
                break
            except (OSError, http.client.HTTPException):
                c.close()
                if not kept:
                    raise
        try:
            return r.status, dict(r.getheaders()), json.loads(text)
        except ValueError:
            return r.status, dict(r.getheaders()), text.decode(errors="replace")

    def good(self, method, path, body=None):
        status, _, answer = self.ask(method, path, body)
        if status != 200:
            raise Refused(f"{method} {path}", status, answer)
        return answer

    def index(self, path):
        return int(self.ask("GET", path)[1]["X-Consul-Index"])

    # ---- what is in the catalog

    def register(self, name, port, id=None, address="127.0.0.1", tags=(), check=None, **more):
        """With the agent; check: its state ("passing", "warning", "critical"), to be
        changed with `check`. more: as the API has it, Weights={"Passing": 2}."""
        id = id or f"{name}-{port}"
        self.good("PUT", "/agent/service/register", {
            "ID": id, "Name": name, "Address": address, "Port": port, "Tags": list(tags),
            "Check": {"CheckID": "check:" + id, "TTL": "1h", "Status": check} if check else None,
            **more})
        return id

    def deregister(self, id):
        self.good("PUT", "/agent/service/deregister/" + id)

    def check(self, id, word):
        """word: pass, warn, fail."""
        self.good("PUT", f"/agent/check/{word}/check:{id}")

    def maintenance(self, id, on=True):
        self.good("PUT", f"/agent/service/maintenance/{id}?enable={str(on).lower()}&reason=test")

    def node_maintenance(self, on=True):
        self.good("PUT", f"/agent/maintenance?enable={str(on).lower()}&reason=test")

    def node(self, name, address):
        """A node without an agent, as an external one."""
        self.good("PUT", "/catalog/register", {"Node": name, "Address": address})

    def put(self, node, name, id, address, port, tags=()):
        """An instance at such a node: cheaper than register."""
        self.good("PUT", "/catalog/register", {
            "Node": node, "SkipNodeUpdate": True, "Service": {
                "ID": id, "Service": name, "Address": address, "Port": port,
                "Tags": list(tags)}})

    def put_many(self, instances):
        """(node, name, id, address, port) of each, 64 at a time."""
        for at in range(0, len(instances), 64):
            self.good("PUT", "/txn", [{"Service": {"Verb": "set", "Node": node, "Service": {
                "ID": id, "Service": name, "Address": address, "Port": port}}}
                for node, name, id, address, port in instances[at:at + 64]])

    def forget(self, node, id=None):
        self.good("PUT", "/catalog/deregister", {"Node": node, **({"ServiceID": id} if id else {})})

    def usable(self, name, dc=None):
        """"address:port" of those whose checks all pass."""
        rows = self.good("GET", f"/health/service/{name}?passing" + (f"&dc={dc}" if dc else ""))
        return sorted(f"{r['Service']['Address'] or r['Node']['Address']}:{r['Service']['Port']}"
                      for r in rows)

    # ---- rights

    def new_token(self, rules):
        """A token of its own with these rights, in Consul's language of them."""
        name = f"p{time.monotonic_ns()}"
        self.good("PUT", "/acl/policy", {"Name": name, "Rules": rules})
        return self.good("PUT", "/acl/token", {"Policies": [{"Name": name}]})["SecretID"]

    def end_token(self, secret):
        for t in self.good("GET", "/acl/tokens"):
            if t.get("SecretID") == secret:
                self.good("DELETE", "/acl/token/" + t["AccessorID"])


class Agent(Client):
    """A server of its own, in memory (-dev), at an address of the namespace's loopback.
    settings: as in Consul's file of settings."""

    def __init__(self, ns, address="127.0.0.1", dc="dc1", settings=None, token=None):
        self.program = program()
        super().__init__(ns, address, token)
        self.process = None
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="ggtc"))
        settings = settings or {}
        self.settings = {
            "datacenter": dc, "node_name": "agent-" + dc, "bind_addr": address,
            "client_addr": address, "log_level": "warn", "disable_update_check": True, **settings,
            "ports": {"http": HTTP, "dns": DNS, "grpc": -1, "grpc_tls": -1, "serf_lan": LAN,
                      "serf_wan": -1 if dc == "dc1" else WAN, "server": SERVER,
                      **settings.get("ports", {})}}
        e2e.undo.append(self.close)

    def start(self, *argv, wait=True):
        """argv instead of -dev."""
        (self.dir / "agent.json").write_text(json.dumps(self.settings))
        with open(self.dir / "log", "ab") as log:
            # nsenter becomes the program: the process is the agent itself.
            self.process = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{self.ns}", str(self.program), "agent",
                 "-config-file", str(self.dir / "agent.json"), *(argv or ["-dev"])],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.dir)
        if wait:
            wait_until("Consul to have a leader", self.is_ready, 90)
        return self

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"consul ended with {self.process.returncode}:\n{self.log()}")
        # A session needs the leader and this node in the catalog; both take a moment.
        return (self.ask("GET", "/status/leader")[2] not in ("", None)
                and self.ask("GET", "/catalog/nodes")[2] not in ([], None))

    def start_without_leader(self):
        """It answers, but 500."""
        self.start("-server", "-bootstrap-expect=2", f"-data-dir={self.dir}/alone", wait=False)
        wait_until("Consul to say that it has no leader",
                   lambda: self.ask("GET", "/catalog/services")[0] == 500, 90)

    def log(self):
        return (self.dir / "log").read_text(errors="replace")[-3000:]

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def restart(self):
        """Killed, and started with nothing in the catalog and small indexes."""
        self.kill()
        return self.start()

    def close(self):
        self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)


class Relay(relay.Relay):
    """Where a gateway comes to instead of the agent; counts, and answers in its place."""

    PORT = 8501

    def __init__(self, agent):
        super().__init__(agent.ns, "127.0.0.1", self.PORT, lambda: agent.connect(3600))

    def of(self, service, answers=False):
        """How often the health of that service was asked for; or when answers came."""
        def fits(path):
            return path.split("?")[0] == "/v1/health/service/" + service
        if answers:
            return [t for t, path, status in list(self.answers) if fits(path)]
        return sum(1 for _, path in list(self.asked) if fits(path))
