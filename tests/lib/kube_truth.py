"""What a correct gateway may do at each moment, by an own watch of the slices: who
could be asked, and from when on somebody could not."""
import bisect
import threading

import kube
from kube_bed import usable


class Truth:
    """Keeps for each service of a namespace when which addresses were usable."""

    def __init__(self, cluster, ns="default"):
        self.lock, self.slices, self.history = threading.Lock(), {}, {}
        self.watch = kube.Watch(cluster, "EndpointSlice", self.told, ns)

    def told(self, sort, o, now):
        with self.lock:
            if sort == "LIST":
                self.slices = {s["metadata"]["name"]: s for s in o}
            elif sort == "DELETED":
                self.slices.pop(o["metadata"]["name"], None)
            elif sort in ("ADDED", "MODIFIED"):
                self.slices[o["metadata"]["name"]] = o
            by_service = {}
            for s in self.slices.values():
                of = s["metadata"].get("labels", {}).get("kubernetes.io/service-name")
                by_service.setdefault(of, []).append(s)
            for service in set(by_service) | set(self.history):
                past = self.history.setdefault(service, [(0.0, frozenset())])
                state = frozenset(usable(by_service.get(service, [])))
                if past[-1][1] != state:
                    past.append((now, state))

    def states(self, service, begin, end):
        """Those that held at some time from begin to end."""
        with self.lock:
            past = self.history.get(service, [(0.0, frozenset())])
            first = bisect.bisect_right(past, begin, key=lambda p: p[0]) - 1
            return [s for t, s in past[max(first, 0):] if t <= end]

    def somebody(self, service, begin, end):
        """Could one be asked all the time?"""
        return all(self.states(service, begin, end))

    def may(self, service, host, begin, end):
        """Could this one be asked at some time?"""
        return any(host in s for s in self.states(service, begin, end))

    def close(self):
        self.watch.close()
