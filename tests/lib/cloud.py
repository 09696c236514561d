"""For tests against the real services: a gateway in the machine's own network, where the
beds of the fakes have one of their own. It takes ports 8080 and 9091 of loopback."""
import os

import e2e
from discovering import Gateway
from e2e import run


def needed(*names):
    """Variables of the environment, or all is skipped."""
    missing = [n for n in names if not os.environ.get(n)]
    if missing:
        raise e2e.Skip("not in the environment: " + ", ".join(missing))


class OwnNetwork:
    """What a bed has of a lab, and its gateway; roots: a file of whom to trust."""

    def open_network(self, roots=None, settings=""):
        self.fakes, self.asker, self.gateway = [], None, None
        self.gw = self.out = f"ggt{os.getpid()}own"
        self.address = "127.0.0.1"
        run("ip", "netns", "attach", self.gw, os.getpid())
        tls = f"tls: {{ roots: {roots} }}\n" if roots else ""
        self.gateway = Gateway(self, tls + settings).start()

    def close(self):
        try:
            if self.gateway:
                self.gateway.close()
        finally:
            run("ip", "netns", "del", self.gw, ok=None)
