"""The management API (Azure Resource Manager) of function apps, in a test's hands, by
learn.microsoft.com/rest/api/appservice, 2022-03-01:

    GET  /subscriptions/S/resourceGroups/G/providers/Microsoft.Web/sites/APP/functions
         Web Apps - List Functions: {"value": [{"name": "APP/F", "properties": {"name",
         "config": {"bindings": [...]}, "invoke_url_template", "isDisabled"}}], "nextLink"}
    POST .../sites/APP/host/default/listkeys
         Web Apps - List Host Keys: {"masterKey", "functionKeys": {NAME: KEY}, "systemKeys"}
    POST .../sites/APP/functions/F/listkeys
         Web Apps - List Function Keys: {NAME: KEY}

    a token that is none of the issuer's for the API: 401 InvalidAuthenticationToken
    a permission that the identity lacks (`denied`): 403 AuthorizationFailed
    another subscription, group or app: 404 ResourceNotFound
    failing = (status, fields): that instead, 429 with Retry-After among them
    page: functions on one page; the next is at nextLink

    (errors: azure/azure-resource-manager/troubleshooting/common-deployment-errors, and
    management/request-limits-and-throttling)"""
import urllib.parse

from azure_tokens import document
from http_fake import Service

VERSION = "2022-03-01"
LIST = "Microsoft.Web/sites/functions/read"
HOST_KEYS = "Microsoft.Web/sites/host/listKeys/action"
FUNCTION_KEYS = "Microsoft.Web/sites/functions/listKeys/action"


class Management(Service):
    def __init__(self, ns, issuer, certificate, subscription="sub", group="group", **more):
        self.issuer, self.subscription, self.group = issuer, subscription, group
        self.apps, self.denied, self.failing, self.page = {}, set(), None, 50
        super().__init__(ns, self.says, tls=certificate, **more)
        self.audience = self.url

    def error(self, to, status, code, fields=None):
        to.reply(status, {"Content-Type": "application/json", **(fields or {})},
                 '{"error":{"code":"%s","message":"as the test wants"}}' % code)

    def says(self, request, to):
        scheme, _, token = (request.get("authorization") or "").partition(" ")
        claims, _ = self.issuer.read(token, self.audience) if token else (None, "")
        query = dict(urllib.parse.parse_qsl(request.query))
        if scheme != "Bearer" or not claims:
            return self.error(to, 401, "InvalidAuthenticationToken")
        if self.failing:
            status, fields = self.failing
            return self.error(to, status, "TooManyRequests" if status == 429 else "Failed",
                              fields)
        if query.get("api-version") != VERSION:
            return self.error(to, 400, "MissingApiVersionParameter")
        steps = urllib.parse.unquote(request.path).strip("/").split("/")
        if (steps[:7] != ["subscriptions", self.subscription, "resourceGroups", self.group,
                          "providers", "Microsoft.Web", "sites"]
                or steps[7] not in self.apps):
            return self.error(to, 404, "ResourceNotFound")
        return self.resource(request, to, self.apps[steps[7]], steps[8:], query)

    def resource(self, request, to, app, steps, query):
        what = {("GET", "functions", 1): LIST, ("POST", "host", 3): HOST_KEYS,
                ("POST", "functions", 3): FUNCTION_KEYS}.get(
                    (request.method, steps[0], len(steps)))
        if what is None:
            return self.error(to, 404, "NotFound")
        if what in self.denied:
            return self.error(to, 403, "AuthorizationFailed")
        if what == LIST:
            return self.functions(to, app, int(query.get("skip", 0)))
        if what == HOST_KEYS:
            return document(to, 200, {"masterKey": app.master, "functionKeys": app.keys,
                                      "systemKeys": {}})
        function = app.functions.get(steps[1])
        if not function:
            return self.error(to, 404, "NotFound")
        return document(to, 200, function.keys)

    def functions(self, to, app, skip):
        some = list(app.functions.values())
        answer = {"value": [self.function(app, f) for f in some[skip:skip + self.page]]}
        if len(some) > skip + self.page:
            answer["nextLink"] = (
                f"{self.url}/subscriptions/{self.subscription}/resourceGroups/{self.group}/"
                f"providers/Microsoft.Web/sites/{app.name}/functions?api-version={VERSION}"
                f"&skip={skip + self.page}")
        return document(to, 200, answer)

    @staticmethod
    def function(app, f):
        binding = {"type": "httpTrigger", "direction": "in", "name": "req",
                   "authLevel": f.level}
        if f.route != f.name:
            binding["route"] = f.route
        if f.methods:
            binding["methods"] = [m.lower() for m in f.methods]
        return {"id": f"/x/{f.name}", "name": f"{app.name}/{f.name}",
                "type": "Microsoft.Web/sites/functions",
                "properties": {"name": f.name, "isDisabled": f.disabled,
                               "config": {"bindings": [binding, {"type": "http",
                                                                 "direction": "out"}]},
                               "invoke_url_template":
                                   f"https://{app.host}{app.path(f).lower()}"}}
