"""An API server as far as `glooctl install kube` asks one: objects by their path,
server-side apply, tokens of service accounts, over TLS on loopback. Not a judge
of how Kubernetes is: the tests in tests/interop ask a real one."""
import base64
import copy
import http.server
import json
import pathlib
import ssl
import subprocess
import threading
import time
import urllib.parse

ADMIN = "admintok"
KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: test
clusters:
- name: test
  cluster: {{ server: "{server}", certificate-authority: {folder}/ca.crt }}
contexts:
- name: test
  context: {{ cluster: test, user: test }}
users:
- name: test
  user: {{ token: {token} }}
"""


def merged(old, new):
    """Maps key by key; everything else is replaced."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return copy.deepcopy(new)
    return {**old, **{k: merged(old.get(k), v) for k, v in new.items()}}


def merge_patched(old, new):
    """RFC 7396: null takes a key away."""
    if not isinstance(new, dict):
        return copy.deepcopy(new)
    old = old if isinstance(old, dict) else {}
    kept = {k: v for k, v in old.items() if k not in new}
    return {**kept, **{k: merge_patched(old.get(k), v) for k, v in new.items()
                       if v is not None}}


def status(code, reason, message):
    return code, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
                  "reason": reason, "message": message}


class Cluster:
    """objects: path -> document. forbidden: (verb, part of a path) that is
    answered 403. meanwhile: path -> what happens before the next PATCH of it. rules: what an account may do, as far as it is told so. asked:
    (method, path, who) of each request."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.objects, self.version, self.forbidden, self.asked = {}, 100, [], []
        self.tokens, self.meanwhile = {ADMIN: "admin"}, {}
        self.rules = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
        self.lock = threading.Lock()
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout",
             self.folder / "ca.key", "-out", self.folder / "ca.crt", "-days", "2", "-subj",
             "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"], check=True,
            capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "ca.crt", self.folder / "ca.key")
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.cluster = self
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                 do_handshake_on_connect=False)
        self.url = f"https://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.admin = self.kubeconfig("admin", ADMIN)

    def kubeconfig(self, name, token, server=None):
        path = self.folder / name
        path.write_text(KUBECONFIG.format(server=server or self.url, folder=self.folder,
                                          token=token))
        return path

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def versions(self):
        return {p: o["metadata"]["resourceVersion"] for p, o in self.objects.items()}

    def forget_tokens(self):
        """As if it were another cluster."""
        self.tokens = {ADMIN: "admin"}

    # ---- requests

    def store(self, path, doc):
        self.version += 1
        doc["metadata"]["resourceVersion"] = str(self.version)
        self.objects[path] = doc

    def apply(self, path, body):
        path, _, sub = path.partition("/status")
        old = self.objects.get(path)
        space = path.split("/namespaces/")[1].split("/")[0] if "/namespaces/" in path else None
        if space and "/api/v1/namespaces/" + space not in self.objects and \
                path != "/api/v1/namespaces/" + space:
            return status(404, "NotFound", f'namespaces "{space}" not found')
        if old is None and sub + body.get("status", "") != "":
            return status(404, "NotFound", "there is no such object")
        if old and body["metadata"].get("resourceVersion",
                                        old["metadata"]["resourceVersion"]) != \
                old["metadata"]["resourceVersion"]:
            return status(409, "Conflict", "the object has been modified")
        if old and old["kind"] == "EndpointSlice" and \
                old["addressType"] != body["addressType"]:
            return status(422, "Invalid", "addressType: field is immutable")
        new = merged(old, body)
        if new != old:
            self.store(path, new)
        return (200 if old else 201), self.objects[path]

    def merge(self, path, body):
        path = path.removesuffix("/status")
        old = self.objects.get(path)
        if old is None:
            return status(404, "NotFound", "there is no such object")
        if body["metadata"]["resourceVersion"] != old["metadata"]["resourceVersion"]:
            return status(409, "Conflict", "the object has been modified")
        self.store(path, merge_patched(old, body))
        return 200, self.objects[path]

    def token(self, path, body):
        account = self.objects.get(path[:-len("/token")])
        if account is None:
            return status(404, "NotFound", "there is no such service account")
        meta, now = account["metadata"], int(time.time())
        who = f"system:serviceaccount:{meta['namespace']}:{meta['name']}"
        claims = {"sub": who, "iat": now, "exp": now + body["spec"]["expirationSeconds"],
                  "jti": len(self.tokens)}
        part = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        token = "e30." + part + ".c2ln"
        self.tokens[token] = who
        return 201, {"kind": "TokenRequest", "status": {"token": token}}

    def answer(self, method, path, body, token, merge=False):
        who = self.tokens.get(token)
        self.asked.append((method, path, who))
        if who is None:
            return status(401, "Unauthorized", "Unauthorized")
        for verb, part in self.forbidden:
            if verb == method and part in path:
                return status(403, "Forbidden", f'{path} is forbidden: User "{who}" cannot '
                              f"{verb.lower()} it")
        if method == "GET" and path == "/version":
            return 200, {"gitVersion": "v1.36.4"}
        # It serves nothing that could be watched, and says so.
        if method == "GET" and path == "/apis":
            return 200, {"kind": "APIGroupList", "groups": []}
        if method == "GET" and path == "/api/v1":
            return 200, {"kind": "APIResourceList", "resources": []}
        if method == "GET" and path in self.objects:
            return 200, self.objects[path]
        if method == "PATCH":
            self.meanwhile.pop(path, lambda: None)()
            return (self.merge if merge else self.apply)(path, body)
        if method == "POST" and path.endswith("/token"):
            return self.token(path, body)
        if method == "POST" and path.endswith("/selfsubjectrulesreviews"):
            return 201, {"status": {"resourceRules": self.rules}}
        if method == "POST" and path.endswith("/selfsubjectaccessreviews"):
            return 201, {"status": {"allowed": False}}
        if method == "DELETE" and path in self.objects:
            return 200, self.objects.pop(path)
        return status(404, "NotFound", path + " not found")


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        """A client that goes away in the middle is none of ours."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do(self):
        cluster = self.server.cluster
        length = int(self.headers.get("Content-Length", 0))
        text = self.rfile.read(length)
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        path = urllib.parse.urlsplit(self.path).path
        merge = self.headers["Content-Type"] == "application/merge-patch+json"
        if self.command == "PATCH" and not merge and (
                self.headers["Content-Type"] != "application/apply-patch+yaml"
                or "fieldManager=glooctl&force=true" not in self.path):
            code, doc = status(400, "BadRequest", "that is no server-side apply of ours")
        else:
            with cluster.lock:
                code, doc = cluster.answer(self.command, path,
                                           json.loads(text) if text else None, token, merge)
        data = json.dumps(doc).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = do_DELETE = do

    def log_message(self, *_):
        pass
