"""The lab with a Consul agent beside the gateway, a relay between the two, and origins
that are registered as instances."""
import signal

import consul
import e2e
from discovering import Asker, Gateway, Named

DISCOVER = "  serviceDiscovery: {}\n"


class Bed(e2e.Lab):
    """settings: lines below "consul"; whole: lines beside it; agent: Consul's own
    settings; direct: without the relay."""

    def __init__(self, settings=DISCOVER, whole="", agent=None, token=None, direct=False,
                 gateway=True):
        self.origins, self.asker, self.relay, self.gateway = {}, None, None, None
        self.settings, self.whole = settings, whole
        consul.program()  # or all is skipped, before anything was made
        super().__init__()
        self.agent = consul.Agent(self.gw, settings=agent, token=token).start()
        self.agent_at = f"127.0.0.1:{consul.HTTP}"
        if not direct:
            self.relay = consul.Relay(self.agent)
            self.agent_at = f"127.0.0.1:{consul.Relay.PORT}"
        if gateway:
            self.gateway = Gateway(self, self.lines()).start()

    def lines(self):
        where = "" if "httpAddress:" in self.settings else f"  httpAddress: \"{self.agent_at}\"\n"
        return f"consul:\n{where}{self.settings}{self.whole}"

    def reload(self, settings):
        """Other lines below "consul", in the gateway that runs."""
        self.settings = settings
        self.gateway.write_settings(self.lines())
        self.gateway.process.send_signal(signal.SIGHUP)

    def origin(self, name, address="127.0.0.1", **more):
        o = self.origins[name] = Named(self.gw, name, address, **more)
        return o

    def instance(self, service, name, **more):
        """An origin of that name, registered; more as in Client.register."""
        o = self.origins.get(name) or self.origin(name)
        o.id = self.agent.register(service, o.port, id=f"{service}-{name}", **more)
        return o

    def ask_always(self, path, pause=0.005):
        self.asker = Asker(self, path, pause=pause)

    def all_served(self):
        """By one who asked since ask_always; how many requests."""
        asker, self.asker = self.asker, None
        asker.close()
        e2e.equal(([a for a in asker.answers if a[2] != 200][:3], asker.failed[:3]), ([], []))
        e2e.check(asker.answers, "it asked nothing")
        return len(asker.answers)

    def close(self):
        try:
            if self.asker:
                self.asker.close()
            if self.gateway:
                self.gateway.close()
        finally:
            if self.relay:
                self.relay.close()
            for o in self.origins.values():
                o.close()
            self.agent.close()
            super().close()
