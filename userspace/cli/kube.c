/* A Kubernetes cluster in the words of glooctl. */
#include "cli/kube.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/yaml.h"
#include "kinds/kubernetes/account.h"
#include "kinds/kubernetes/api.h"
#include "kinds/kubernetes/manifest.h"
#include "net/http_client.h"
#include "net/loop.h"
#include "net/own_address.h"

/* One command, and somebody waits for it: no slower than it has to be. */
#define INTERVAL_MS 20
#define BURST       100

struct kube {
	struct loop *loop;
	struct http_client *http;
	struct kubernetes_account *account;
	struct kubernetes_api *api;
	char *source; /* the kubeconfig, for messages */
};

/* ---- coming and going */

static char *
kubeconfig_find(const char *given, struct error *err)
{
	const char *env = getenv("KUBECONFIG"), *home = getenv("HOME");
	char *path;

	if (given != NULL)
		return xstrdup(given);
	if (env != NULL && env[0] != '\0')
		return xstrdup(env);
	path = xasprintf("%s/.kube/config", home != NULL ? home : "");
	if (access(path, F_OK) == 0)
		return path;
	error_set(err, ERROR_CONFIG,
		"there is no kubeconfig: KUBECONFIG is not set, and there is "
		"no %s; give one with --kubeconfig",
		path);
	free(path);
	return NULL;
}

struct kube *
kube_open(const char *kubeconfig, const char *context, struct error *err)
{
	const struct kubernetes_pace pace = { .interval_ms = INTERVAL_MS,
		.burst = BURST,
		.second_ms = 1000 };
	struct kubernetes_account_options options = { .context = context,
		.folder = "." };
	char *source = kubeconfig_find(kubeconfig, err);
	struct kube *k;

	if (source == NULL)
		return NULL;
	k = xcalloc(1, sizeof(*k));
	k->source = source;
	k->loop = loop_new();
	k->http = http_client_new(k->loop);
	options.kubeconfig = source;
	k->account = kubernetes_account_open(k->loop, &options, err);
	if (k->account == NULL) {
		kube_close(k);
		return NULL;
	}
	k->api = kubernetes_api_new(k->loop, k->http, k->account);
	kubernetes_api_set_pace(k->api, &pace);
	return k;
}

void
kube_close(struct kube *k)
{
	if (k == NULL)
		return;
	if (k->api != NULL)
		kubernetes_api_free(k->api);
	if (k->account != NULL)
		kubernetes_account_close(k->account);
	http_client_free(k->http);
	loop_free(k->loop);
	free(k->source);
	free(k);
}

/* ---- one question */

struct answer {
	struct kube *kube;
	struct doc *doc;
	int status;
	struct error err;
};

static void
on_answer(const struct kubernetes_answer *answer, void *arg)
{
	struct answer *a = arg;
	const struct kube *k = a->kube;
	const char *server = kubernetes_account_server(k->account);

	a->status = answer->status;
	if (answer->doc != NULL)
		a->doc = doc_copy(answer->doc);
	if (answer->problem != NULL && answer->status == 401)
		error_set(&a->err, ERROR_SYSTEM,
			"%s does not take the credentials of %s: %s", server,
			k->source, answer->problem);
	else if (answer->problem != NULL && answer->status != 0)
		error_set(&a->err, ERROR_SYSTEM, "%s: %s", server,
			answer->problem);
	else if (answer->problem != NULL)
		error_set(&a->err, ERROR_SYSTEM, "%s", answer->problem);
	loop_stop(k->loop);
}

int
kube_ask(struct kube *k, const struct kube_question *q, struct doc **answer,
	int *status, struct error *err)
{
	struct kubernetes_request r = { .method = q->method,
		.path = q->path,
		.content_type = q->content_type };
	struct answer a = { .kube = k, .err = ERROR_INIT };
	struct str body;

	str_init(&body);
	if (q->body != NULL)
		json_doc_write(q->body, 0, &body);
	r.body = (struct slice){ body.data, body.length };
	kubernetes_api_call(k->api, &r, on_answer, &a);
	loop_run(k->loop);
	str_fini(&body);
	if (status != NULL)
		*status = a.status;
	if (answer != NULL)
		*answer = a.err.code == ERROR_NONE ? a.doc : NULL;
	if (answer == NULL || a.err.code != ERROR_NONE)
		doc_free(a.doc);
	if (a.err.code == ERROR_NONE)
		return 0;
	return error_set(err, a.err.code, "%s", a.err.text);
}

/* ---- this box */

/* "https://[::1]:6443/x" to "::1" and "6443"; both are the caller's. */
static void
server_split(const char *url, char **host, char **port)
{
	const char *begin = strstr(url, "://"), *end;

	begin = begin == NULL ? url : begin + 3;
	if (*begin == '[') {
		begin++;
		end = begin + strcspn(begin, "]");
		*host = xstrndup(begin, (size_t)(end - begin));
		end += *end == ']';
	} else {
		end = begin + strcspn(begin, ":/");
		*host = xstrndup(begin, (size_t)(end - begin));
	}
	*port = *end == ':' ? xstrndup(end + 1, strcspn(end + 1, "/"))
			    : xstrdup(strncmp(url, "http:", 5) == 0 ? "80"
								    : "443");
}

char *
kube_own_address(const struct kube *k, struct error *err)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_DGRAM };
	const char *server = kubernetes_account_server(k->account);
	struct addrinfo *all = NULL;
	char *host, *port, *ip = NULL;
	char text[ADDR_TEXT_MAX];
	struct addr there, own;
	int unknown, why = 0;

	server_split(server, &host, &port);
	unknown = getaddrinfo(host, port, &hints, &all);
	for (const struct addrinfo *ai = all; ai != NULL && ip == NULL;
		ai = ai->ai_next) {
		addr_from_sockaddr(&there, ai->ai_addr);
		why = own_address(&there, &own);
		if (why == 0)
			ip = xstrdup(addr_format_ip(&own, text));
	}
	if (ip == NULL)
		error_set(err, ERROR_SYSTEM,
			"the address of this box is not known, since there is "
			"no way to %s (%s); give it with --address",
			server,
			unknown != 0 ? gai_strerror(unknown) : strerror(-why));
	if (all != NULL)
		freeaddrinfo(all);
	free(host);
	free(port);
	return ip;
}

/* ---- a kubeconfig of our own */

struct trust {
	struct kube *kube;
	struct doc *cluster;
	struct str *ca;
	bool done;
	struct error err;
};

static void
on_ticket(const char *token, const struct http_tls *tls, const char *problem,
	void *arg)
{
	struct trust *t = arg;

	(void)token;
	t->done = true;
	loop_stop(t->kube->loop);
	if (problem != NULL) {
		error_set(&t->err, ERROR_SYSTEM, "%s", problem);
		return;
	}
	if (tls == NULL)
		return;
	str_append(t->ca, tls->ca.data, tls->ca.length);
	if (tls->ca.length > 0)
		doc_set_string(t->cluster, "certificate-authority", "ca.crt");
	if (tls->server_name != NULL)
		doc_set_string(
			t->cluster, "tls-server-name", tls->server_name);
}

static void
named_add(struct doc *config, const char *list, const char *name,
	const char *key, struct doc *value)
{
	struct doc *one = doc_add(
		doc_set(config, list, doc_new_list()), doc_new_map());

	doc_set_string(one, "name", name);
	doc_set(one, key, value);
}

static struct doc *
config_new(struct doc *cluster)
{
	struct doc *d = doc_new_map();
	struct doc *user = doc_new_map(), *context = doc_new_map();

	doc_set_string(user, "tokenFile", "token");
	doc_set_string(context, "cluster", "kubernetes");
	doc_set_string(context, "user", KUBERNETES_ACCOUNT);
	doc_set_string(context, "namespace", KUBERNETES_NAMESPACE);
	doc_set_string(d, "apiVersion", "v1");
	doc_set_string(d, "kind", "Config");
	doc_set_string(d, "current-context", KUBERNETES_ACCOUNT);
	named_add(d, "clusters", "kubernetes", "cluster", cluster);
	named_add(d, "contexts", KUBERNETES_ACCOUNT, "context", context);
	named_add(d, "users", KUBERNETES_ACCOUNT, "user", user);
	return d;
}

int
kube_config_write(struct kube *k, struct str *kubeconfig, struct str *ca,
	struct error *err)
{
	struct trust t = { .kube = k, .ca = ca, .err = ERROR_INIT };
	const char *proxy = kubernetes_account_proxy(k->account);
	struct doc *config;

	t.cluster = doc_new_map();
	doc_set_string(
		t.cluster, "server", kubernetes_account_server(k->account));
	if (proxy != NULL && proxy[0] != '\0')
		doc_set_string(t.cluster, "proxy-url", proxy);
	kubernetes_account_ticket(k->account, on_ticket, &t);
	if (!t.done)
		loop_run(k->loop);
	config = config_new(t.cluster);
	yaml_doc_write(config, kubeconfig);
	doc_free(config);
	if (t.err.code != ERROR_NONE)
		return error_set(err, t.err.code, "%s", t.err.text);
	return 0;
}
