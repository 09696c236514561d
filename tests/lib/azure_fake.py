"""A function app of Azure in a test's hands: the front end of App Service with the
functions host behind it, over TLS. It is ours and no emulator of Microsoft's, of which
there is none for HTTP triggers: what it does is this table, each row from a page of
learn.microsoft.com/azure, and where none says it, marked.

    pages  [trigger]  azure-functions/functions-bindings-http-webhook-trigger
           [keys]     azure-functions/function-keys-how-to, and [trigger] "Authorization keys"
           [host]     azure-functions/functions-host-json, "http"
           [auth]     app-service/overview-authentication-authorization,
                      app-service/configure-authentication-user-identities
           [limits]   [trigger] "Limits"
           [access]   app-service/app-service-ip-restrictions
           source     github.com/Azure/azure-functions-host
           seen       in answers of the platform that people show; no page says so
           ours       stricter than the platform, so that a mistake is seen

    row  what comes                               what it does                     from
    R1   TLS, SNI not a host of an app            the handshake fails              ours
    R2   Host is not that of SNI                  421                              ours
    R3   Host of no app                           404, page "Web Site not found"   seen
    R4   target > 4096 bytes                      414                              [limits] URL length is limited to 4 KB
    R5   body > 104 857 600 bytes                 413                              [limits] length is limited to 100 MB
    R6   address not let in                       403, x-ms-forbidden-ip           [access]; field: seen
    R7   App Service authentication, before       401 or 302 to the login, as set; [auth] unauthenticated requests:
         all below; no or a bad token             WWW-Authenticate, x-ms-          302, 401, 403, 404 can be chosen;
                                                  middleware-request-id            fields: seen
         token of somebody not allowed            403                              [auth] authorization policy checks
         a good token                             X-MS-CLIENT-PRINCIPAL* are the   [auth] external requests aren't
                                                  platform's, the client's go      allowed to set these headers
    R8   authentication off                       X-MS-CLIENT-PRINCIPAL* pass as   seen; worst case, so that who
                                                  they came                        relies on the platform is seen
    R9   the host starts                          waits `patience` s, then 503     source: host availability check,
                                                  "Function host is not running."  which waits, then this text
    R10  no worker of the platform                503, empty, or "The service is   seen
                                                  unavailable."
    R11  more than it takes                       429 "Too Busy"                   [host] maxOutstandingRequests
    R12  /admin/host/keys                         master key: all keys; else 401   [keys] _master: administrative
                                                                                   access to the runtime APIs
    R13  path: routePrefix, then the function's   the function, with parameters;   [trigger] customize the endpoint:
         route (its name, or a template)          none fits: 404, empty            prefix api unless host.json says;
                                                                                   route templates; default the name
    R14  a constraint is not met (alpha, int)     404, empty                       [trigger] route constraints
    R15  a method not among those listed          404, empty                       source; [trigger] methods
    R16  a function that is disabled              404, empty                       seen
    R17  level anonymous                          runs, any key or none            [trigger] authLevel anonymous
    R18  level function: its keys, host keys,     runs; any other key: 401, empty  [trigger] authLevel function; [keys]
         master key                                                                host keys open all functions
    R19  level admin: master key                  runs; any other key: 401, empty  [trigger] authLevel admin; [keys]
    R20  the key is in x-functions-key, or in     the field counts if both are     [trigger] API key authorization;
         the query's code, percent-decoded        there                            which counts: source
    R21  keys of one name, of host and function   either opens the function        source: values are compared
    R22  the function returns nothing             204, empty                       [trigger] default return value
         it returns 401 without a body             that: as R18's                   ours: the worst case
    R23  it throws                                500, empty                       source
    R24  no answer in `idle` s (230)              502 of the load balancer         [limits] 230 seconds, HTTP 502

docs/azure-fake.md says what that means for who uses the gateway."""
import json
import re
import secrets
import threading
import time
import urllib.parse

from http_fake import Service

REQUEST_MAX, TARGET_MAX = 104_857_600, 4096
PRINCIPAL = "x-ms-client-principal"
CONSTRAINTS = {"alpha": r"[A-Za-z]+", "int": r"[+-]?[0-9]+", "bool": r"(?i:true|false)",
               "guid": r"[0-9A-Fa-f-]{36}"}


def key():
    """As the platform's: 56 characters that have to be escaped in a query."""
    return secrets.token_urlsafe(36) + "/+AzFu=="


def segment_pattern(segment):
    """(regular expression of one segment of a template, may it be missing)"""
    one = re.fullmatch(r"\{(\*{0,2})([A-Za-z_]\w*)((?::[^}=?]+)*)(\?|=[^}]*)?\}", segment)
    if not one:
        return re.escape(segment), False
    stars, name, constraints, missing = one.groups()
    if stars:
        return f"(?P<{name}>.*)", True
    pattern = "[^/]+"
    for constraint in filter(None, constraints.split(":")):
        pattern = CONSTRAINTS[constraint]
    return f"(?P<{name}>{pattern})", missing is not None


def template_pattern(template):
    """R13, R14: of a whole path."""
    pattern = ""
    for segment in filter(None, template.split("/")):
        one, missing = segment_pattern(segment)
        pattern += f"(?:/{one})?" if missing else f"/{one}"
    return re.compile((pattern or "/") + "/?", re.IGNORECASE)


class Function:
    """run(call): None, or (status, fields, body); call: a dictionary that echo shows.
    keys: by name; level: "anonymous", "function", "admin"."""

    def __init__(self, name, level="function", route=None, methods=None, run=None, keys=None):
        self.name, self.level, self.methods = name, level, methods
        self.route = name if route is None else route
        self.run, self.disabled = run or echo, False
        self.keys = {"default": key()} if keys is None else keys


def echo(call):
    """What came, but for the key: who calls shall not get it from here."""
    call = {**call, "fields": [(n, "(a key)" if v and n.lower() == "x-functions-key" else v)
                               for n, v in call["fields"]]}
    return 200, {"Content-Type": "application/json", "X-Function": call["function"]}, \
        json.dumps(call)


class App:
    """keys: of the host, by name; master: _master. authentication: see Authentication;
    starting: an Event that is set when the host runs, or None."""

    def __init__(self, name, *functions, host=None, prefix="api"):
        self.name, self.prefix = name, prefix
        self.host = host or f"{name}.azurewebsites.net"
        self.functions = {f.name: f for f in functions}
        self.master, self.keys = key(), {"default": key()}
        self.authentication, self.starting, self.patience = None, None, 10
        self.forbidden, self.busy, self.unavailable = False, False, None
        self.idle = 230
        self.calls, self.requests = [], []  # functions that ran; all that came

    def add(self, function):
        self.functions[function.name] = function
        return function

    def secrets(self):
        return [self.master, *self.keys.values()] + [
            k for f in self.functions.values() for k in f.keys.values()]

    def path(self, function):
        return "/".join(["", *filter(None, (self.prefix, function.route))])

    def find(self, method, path):
        """R13 to R16: (function, parameters) or None."""
        for f in self.functions.values():
            found = template_pattern(self.path(f)).fullmatch(path)
            if found and not f.disabled and (not f.methods or method in f.methods):
                return f, {k: v for k, v in found.groupdict().items() if v is not None}
        return None

    def opens(self, function, given):
        """R17 to R21"""
        if function.level == "anonymous":
            return True
        if given is None:
            return False
        if given == self.master or function.level == "admin":
            return given == self.master
        return given in [*function.keys.values(), *self.keys.values()]


class Authentication:
    """App Service authentication: tokens of `issuer` for `audience` (azure_tokens);
    login: a 302 instead of the 401; allowed: who may come, None: anybody."""

    def __init__(self, issuer, audience, login=False, allowed=None):
        self.issuer, self.audience, self.login, self.allowed = issuer, audience, login, allowed

    def judge(self, request):
        """(claims, None) or (None, (status, fields))"""
        fields = {"x-ms-middleware-request-id": secrets.token_hex(16)}
        scheme, _, token = (request.get("authorization") or "").partition(" ")
        claims, why = self.issuer.read(token, self.audience) if scheme == "Bearer" else \
            (None, "no token")
        if claims and (self.allowed is None or claims["sub"] in self.allowed):
            return claims, None
        if claims:
            return None, (403, fields)
        if self.login:
            return None, (302, {**fields, "Location":
                                "https://login.microsoftonline.com/t/oauth2/v2.0/authorize?x=1"})
        return None, (401, {**fields, "WWW-Authenticate":
                            f'Bearer realm="app" error="{why}" authorization_uri='
                            '"https://login.microsoftonline.com/t/oauth2/v2.0/authorize"'})


def parameter(query, name):
    """The first of that name, decoded, case aside; or None."""
    for pair in filter(None, query.split("&")):
        key_, _, value = pair.partition("=")
        if urllib.parse.unquote_plus(key_).lower() == name:
            return urllib.parse.unquote_plus(value)
    return None


class Front(Service):
    """Of all apps; requests: (app's name or None, SNI, Request) of each."""

    def __init__(self, ns, certificate, *apps, address="127.0.0.1", port=443):
        self.apps, self.requests = {}, []
        self.mine = threading.local()
        self.strangers = []  # R1: names that were asked for
        self.ended = threading.Event()
        for app in apps:
            self.add(app)
        super().__init__(ns, self.says, address, port, tls=certificate)
        self.tls.sni_callback = self.greeted

    def add(self, app):
        self.apps[app.host] = app
        return app

    def greeted(self, _socket, name, _context):
        self.mine.sni = name  # in the thread of the connection
        if name not in self.apps:
            self.strangers.append(name)
            return 112  # unrecognized_name
        return None

    def serve(self, s):
        self.mine.sni = None
        super().serve(s)

    def says(self, request, to):
        host, _, port = (request.get("host") or "").partition(":")
        app = self.apps.get(host)
        with self.lock:
            self.requests.append((app and app.name, self.mine.sni, request))
            if app:
                app.requests.append(request)
        status, fields, body = self.answer_of(app, host, request)
        to.reply(status, fields, b"" if request.method == "HEAD" else body)

    def answer_of(self, app, host, request):
        if host != self.mine.sni:
            return 421, {}, "SNI and Host differ"
        if not app:
            return 404, {"Content-Type": "text/html"}, "<h1>404 Web Site not found.</h1>"
        if len(request.target) > TARGET_MAX:
            return 414, {}, ""
        if len(request.body) > REQUEST_MAX:
            return 413, {}, ""
        if app.forbidden:
            return 403, {"x-ms-forbidden-ip": "203.0.113.9"}, "<h1>Error 403 - Forbidden</h1>"
        fields = [(n, v) for n, v in request.fields]
        if app.authentication:
            claims, refused = app.authentication.judge(request)
            if refused:
                return (*refused, "")
            fields = [(n, v) for n, v in fields if not n.lower().startswith(PRINCIPAL)]
            fields += [("X-MS-CLIENT-PRINCIPAL-ID", claims["sub"])]
        if app.unavailable is not None:
            return 503, {}, app.unavailable
        if app.busy:
            return 429, {}, "Too Busy"
        if app.starting and not self.wait(app.starting, app.patience):
            return 503, {}, "Function host is not running."
        return self.host_says(app, request, fields)

    def wait(self, event, seconds):
        end = time.monotonic() + seconds
        while not event.wait(0.05) and time.monotonic() < end and not self.ended.is_set():
            pass
        return event.is_set()

    def host_says(self, app, request, fields):
        """The functions host, R12 and on."""
        given = request.get("x-functions-key")
        if given is None:
            given = parameter(request.query, "code")
        path = urllib.parse.unquote(request.path)
        if path.lower() == "/admin/host/keys":
            return (200, {}, json.dumps(app.keys)) if given == app.master else (401, {}, "")
        found = app.find(request.method, path)
        if not found:
            return 404, {}, ""
        function, parameters = found
        if not app.opens(function, given):
            return 401, {}, ""
        call = {"app": app.name, "function": function.name, "method": request.method,
                "path": request.path, "query": request.query, "parameters": parameters,
                "fields": fields, "length": len(request.body),
                "body": request.body[:200].decode("latin-1")}
        with self.lock:
            app.calls.append(call)
        return self.runs(app, function, call)

    def runs(self, app, function, call):
        """R22 to R24"""
        done, result = threading.Event(), []

        def run():
            try:
                result.append(function.run(call))
            except Exception:  # a function's own
                result.append((500, {}, ""))
            done.set()
        if app.idle == 230:
            run()
        else:
            threading.Thread(target=run, daemon=True).start()
        if not self.wait(done, app.idle):
            return 502, {"Content-Type": "text/html"}, "<h1>502 - Web server received an " \
                "invalid response</h1>"
        return result[0] or (204, {}, b"")

    def close(self):
        self.ended.set()
        super().close()
