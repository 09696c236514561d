"""An API server as far as discovery asks one: Services and EndpointSlices, and
Upstreams and single Secrets, listed and watched over TLS, kept in memory, down when
a test says so. Not a judge of how
Kubernetes is: the tests in tests/interop ask a real one."""
import http.server
import json
import pathlib
import re
import socket
import ssl
import subprocess
import threading
import urllib.parse

import e2e

TOKEN = "watchtok"
PATHS = {"/api/v1/services": "services",
         "/apis/discovery.k8s.io/v1/endpointslices": "endpointslices",
         "/apis/gloo.solo.io/v1/upstreams": "upstreams"}
# One of them by its name is all that the account may ask for.
SECRETS = re.compile(r"/api/v1/namespaces/([a-z0-9-]+)/secrets$")


def service(name, ports, ns="default", labels=None, **meta):
    return {"metadata": {"name": name, "namespace": ns, "labels": labels or {"app": name},
                         "creationTimestamp": "2026-01-01T00:00:00Z", **meta},
            "spec": {"ports": ports, "selector": {"app": name}, "type": "ClusterIP"}}


def pod_slice(name, of, port, addresses, ns="default", port_name=None):
    """Each address is a ready pod of its own."""
    return {"metadata": {"name": name, "namespace": ns,
                         "labels": {"kubernetes.io/service-name": of}},
            "addressType": "IPv4",
            "ports": [{"name": port_name, "port": port, "protocol": "TCP"}],
            "endpoints": [{"addresses": [a],
                           "conditions": {"ready": True, "serving": True, "terminating": False},
                           "targetRef": {"kind": "Pod", "name": f"{of}-{a}", "namespace": ns,
                                         "uid": f"{of}-{a}"}} for a in addresses]}


class WatchServer:
    def __init__(self, folder, ns, address="127.0.0.1"):
        self.folder, self.ns, self.address = pathlib.Path(folder), ns, address
        self.objects = {what: {} for what in (*PATHS.values(), "secrets")}
        self.granted = set()  # (namespace, name) of secrets
        self.events, self.version = [], 100
        self.changed = threading.Condition()
        self.port, self.server, self.open = 0, None, set()
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout",
             self.folder / "api.key", "-out", self.folder / "api.crt", "-days", "2", "-subj",
             "/CN=test", "-addext", f"subjectAltName=IP:{address}"], check=True,
            capture_output=True)
        self.start()
        self.kubeconfig = self.folder / "kubeconfig"
        self.kubeconfig.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {
                "server": f"https://{address}:{self.port}", "certificate-authority": "api.crt"}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "users": [{"name": "test", "user": {"token": TOKEN}}]}))

    # ---- up and down

    def start(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "api.crt", self.folder / "api.key")
        with e2e.Namespace(self.ns):
            self.server = Server((self.address, self.port), Handler)
        self.server.api, self.server.down = self, False
        self.port = self.server.server_address[1]
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                 do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        """Connection refused from now on; watches end in the middle."""
        with self.changed:
            self.server.down = True
            self.changed.notify_all()
        self.server.shutdown()
        self.server.server_close()
        for s in list(self.open):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    # ---- objects

    def change(self, what, kind, doc):
        self.version += 1
        doc["metadata"]["resourceVersion"] = str(self.version)
        self.events.append((self.version, what, kind, doc))
        self.changed.notify_all()

    def put(self, what, *docs):
        with self.changed:
            for doc in docs:
                key = doc["metadata"]["namespace"], doc["metadata"]["name"]
                kind = "MODIFIED" if key in self.objects[what] else "ADDED"
                self.objects[what][key] = doc
                self.change(what, kind, doc)

    def delete(self, what, name, ns="default"):
        with self.changed:
            self.change(what, "DELETED", self.objects[what].pop((ns, name)))

    def listed(self, what, key=None):
        with self.changed:
            return self.version, [d for k, d in sorted(self.objects[what].items())
                                  if key in (None, k)]


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *_):
        """A client that goes away in the middle is none of ours."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.server.api.open.add(self.connection)

    def finish(self):
        self.server.api.open.discard(self.connection)
        super().finish()

    def reply(self, code, text, content_type="application/json"):
        data = text.encode()
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        what, secret, key = PATHS.get(url.path), SECRETS.match(url.path), None
        if secret:
            field = query.get("fieldSelector", "")
            what, key = "secrets", (secret[1], field.removeprefix("metadata.name="))
        if self.headers.get("Authorization") != "Bearer " + TOKEN:
            self.reply(401, '{"kind":"Status","code":401,"reason":"Unauthorized"}')
        elif secret and key not in self.server.api.granted:
            self.reply(403, json.dumps({
                "kind": "Status", "status": "Failure", "code": 403, "reason": "Forbidden",
                "message": "secrets is forbidden"}))
        elif what is None:
            self.reply(404, "404 page not found\n", "text/plain")
        elif "watch" in query:
            self.watch(what, query, key)
        else:
            version, items = self.server.api.listed(what, key)
            self.reply(200, json.dumps({
                "kind": "List", "metadata": {"resourceVersion": str(version)}, "items": items}))

    do_PATCH = do_POST = do_PUT = do_DELETE = \
        lambda self: self.reply(404, "404 page not found\n", "text/plain")

    def send(self, *events):
        text = "".join(json.dumps({"type": kind, "object": doc}) + "\n"
                       for kind, doc in events).encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))

    def watch(self, what, query, key):
        def is_asked(event):
            meta = event[3]["metadata"]
            return event[1] == what and key in (None, (meta["namespace"], meta["name"]))

        api = self.server.api
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        at = int(query.get("resourceVersion") or 0)
        if "sendInitialEvents" in query:
            at, items = api.listed(what, key)
            self.send(*[("ADDED", d) for d in items], ("BOOKMARK", {"metadata": {
                "resourceVersion": str(at),
                "annotations": {"k8s.io/initial-events-end": "true"}}}))
        with api.changed:
            seen = next((i for i, e in enumerate(api.events) if e[0] > at), len(api.events))
        while not self.server.down:
            with api.changed:
                api.changed.wait_for(
                    lambda: self.server.down or len(api.events) > seen, timeout=60)
                new, seen = api.events[seen:], len(api.events)
            if any(map(is_asked, new)):
                self.send(*[(e[2], e[3]) for e in new if is_asked(e)])

    def log_message(self, *_):
        """Nothing is said about requests."""
