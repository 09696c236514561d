/*
 * glooctl install kube: makes in a cluster what the gateway needs there
 * (config/kubernetes/), gets it a token, and tells the daemon of it. Done
 * again, it changes nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/yaml.h"
#include "cli/api.h"
#include "cli/command.h"
#include "cli/kube.h"
#include "cli/kube_local.h"
#include "kinds/kubernetes/manifest.h"
#include "kinds/kubernetes/token_request.h"

#define TOKEN_SECONDS_MAX UINT32_MAX

static cli_run_f install_kube;

static const struct cli_flag kube_flags[] = {
	KUBE_FLAGS,
	{ .name = "address",
		.argument = "ip",
		.help = "address of this box for the service gateway-proxy "
			"(default that on the way to the API server)" },
	{ .name = "token-seconds",
		.argument = "number",
		.fallback = "604800",
		.help = "how long a token of the gateway holds; renewed at "
			"80 %" },
	KUBE_LOCAL_FLAG_SETTINGS,
	{ .name = "dry-run",
		.letter = 'd',
		.help = "print what would be applied, change nothing" },
	CLI_FLAG_END,
};

static const struct cli_command kube = {
	.name = "kube",
	.summary = "let the gateway serve a Kubernetes cluster",
	.about = "Applies the namespace gloo-system, the service account "
		 "gloo-gateway with its roles,\nthe custom resource "
		 "definitions and the service gateway-proxy; writes a "
		 "kubeconfig and\na token beside the settings, and the key "
		 "kubernetes into them. What is there already\nstays "
		 "unchanged.\n",
	.examples = "  glooctl install kube\n"
		    "  glooctl install kube --dry-run --address 10.0.0.1 | "
		    "less\n",
	.flags = kube_flags,
	.run = install_kube,
};

static const struct cli_command *const children[] = { &kube, NULL };

const struct cli_command cli_command_install = {
	.name = "install",
	.summary = "connect the gateway to a cluster",
	.children = children,
};

/* ---- the cluster */

/* --address, else the one that the API server sees us from. */
static int
address_settle(const struct cli *cli, const struct kube *k,
	struct doc *manifests, char **ip, struct error *err)
{
	const char *given = cli_text(cli, "address");
	char text[ADDR_TEXT_MAX];
	struct addr a;

	*ip = given != NULL ? xstrdup(given) : kube_own_address(k, err);
	if (*ip == NULL)
		return -1;
	if (kubernetes_manifest_address(manifests, *ip, err) != 0) {
		if (given == NULL)
			error_prefix(err, "give the address of this box with "
					  "--address, as it is not known by "
					  "itself");
		return -1;
	}
	/* As the API server writes it. */
	addr_parse_ip(*ip, 0, &a);
	free(*ip);
	*ip = xstrdup(addr_format_ip(&a, text));
	return 0;
}

/* Before anything of the service is changed. */
static int
family_check(struct kube *k, const struct kube_local *l, const char *ip,
	struct error *err)
{
	struct kube_box box;
	int rc;

	kube_local_box(l, &box);
	/* What it was, if it is another one now. */
	free(box.address);
	box.address = NULL;
	rc = kube_share_family(k, &box, strchr(ip, ':') != NULL, err);
	kube_box_fini(&box);
	return rc;
}

static int
object_install(struct kube *k, const struct kube_local *l,
	const struct doc *object, const char *ip, struct error *err)
{
	enum kube_outcome outcome;
	char *label;
	int rc = 0;

	if (kubernetes_manifest_is(object, "Service"))
		rc = family_check(k, l, ip, err);
	if (rc == 0)
		rc = kube_apply(k, object, &outcome, err);
	if (rc == 0 && kubernetes_manifest_is(object, "Service"))
		rc = kube_publish(k, object, ip, &outcome, err);
	if (rc == 0) {
		label = kubernetes_manifest_label(object);
		kube_outcome_print(label, outcome);
		free(label);
	}
	return rc;
}

static int
objects_install(struct kube *k, const struct kube_local *l,
	const struct doc *manifests, const char *ip, struct error *err)
{
	for (size_t i = 0; i < doc_count(manifests); i++)
		if (object_install(k, l, doc_at(manifests, i), ip, err) != 0)
			return -1;
	return 0;
}

static void
manifests_print(const struct doc *manifests)
{
	struct str text;

	str_init(&text);
	for (size_t i = 0; i < doc_count(manifests); i++) {
		if (i > 0)
			str_puts(&text, "---\n");
		yaml_doc_write(doc_at(manifests, i), &text);
	}
	fputs(text.data, stdout);
	str_fini(&text);
}

/* ---- the account */

static int
file_install(const struct kube_local *l, const char *name, struct slice text,
	struct error *err)
{
	enum kube_outcome outcome;
	char *path;

	if (kube_local_put(l, name, text, &outcome, err) != 0)
		return -1;
	path = kube_local_path(l, name);
	kube_outcome_print(path, outcome);
	free(path);
	return 0;
}

/* Is the API server content with what stands in the folder? */
static int
account_try(const struct kube_local *l, struct error *err)
{
	char *path = kube_local_path(l, "kubeconfig");
	const struct kube_question q = { .method = "GET", .path = "/version" };
	struct kube *k = kube_open(path, NULL, err);
	int rc = k == NULL ? -1 : kube_ask(k, &q, NULL, NULL, err);

	kube_close(k);
	free(path);
	return rc;
}

/* One that is there, is the gateway's, and need not be renewed yet. */
static bool
token_good(const struct kube_local *l)
{
	char *path = kube_local_path(l, "token");
	struct kubernetes_claims claims;
	struct str text;
	bool good;

	str_init(&text);
	good = file_read(path, KUBERNETES_TOKEN_MAX, &text, NULL) == 0 &&
	       kubernetes_token_claims(
		       (struct slice){ text.data, text.length }, &claims,
		       NULL) == 0 &&
	       kubernetes_claims_are_of(
		       &claims, KUBERNETES_NAMESPACE, KUBERNETES_ACCOUNT) &&
	       kubernetes_claims_due_s(&claims) > clock_realtime_ms() / 1000 &&
	       account_try(l, NULL) == 0;
	str_fini(&text);
	free(path);
	return good;
}

static int
token_get(struct kube *k, const struct kube_local *l, size_t seconds,
	struct error *err)
{
	char *path = kubernetes_token_path(
		KUBERNETES_NAMESPACE, KUBERNETES_ACCOUNT);
	struct doc *request = kubernetes_token_request(seconds), *answer;
	const struct kube_question q = {
		.method = "POST", .path = path, .body = request
	};
	int rc = kube_ask(k, &q, &answer, NULL, err);
	const char *token;

	token = kubernetes_token_of(answer);
	if (rc != 0)
		error_prefix(err, "cannot get a token");
	else if (token == NULL)
		rc = error_set(err, ERROR_SYSTEM,
			"the API server answered without a token");
	else
		rc = file_install(l, "token", slice_of(token), err);
	if (rc == 0)
		rc = account_try(l, err);
	doc_free(answer);
	doc_free(request);
	free(path);
	return rc;
}

static int
account_install(struct kube *k, const struct kube_local *l, size_t seconds,
	struct error *err)
{
	struct str config, ca;
	char *path;
	int rc;

	str_init(&config);
	str_init(&ca);
	rc = kube_config_write(k, &config, &ca, err);
	if (rc == 0 && ca.length > 0)
		rc = file_install(l, "ca.crt",
			(struct slice){ ca.data, ca.length }, err);
	if (rc == 0)
		rc = file_install(l, "kubeconfig",
			(struct slice){ config.data, config.length }, err);
	str_fini(&config);
	str_fini(&ca);
	if (rc != 0)
		return -1;
	if (!token_good(l))
		return token_get(k, l, seconds, err);
	path = kube_local_path(l, "token");
	kube_outcome_print(path, KUBE_UNCHANGED);
	free(path);
	return 0;
}

/* ---- the daemon */

/* What were four pods. */
static void
roles_print(const struct cli *cli)
{
	struct doc *status = api_get(cli, "/v1/status", NULL, NULL, NULL);
	const struct doc *proxy = doc_get(status, "proxy");

	if (status != NULL)
		printf("discovery, gateway, gloo: version %s, settings %s\n"
		       "gateway-proxy: %s, generation %lld\n",
			doc_get_text(status, "version"),
			doc_get_text(status, "settings"),
			doc_get_text(proxy, "state"),
			(long long)doc_get_integer(proxy, "generation"));
	doc_free(status);
}

static int
daemon_tell(const struct cli *cli, const struct kube_local *l)
{
	struct error why = ERROR_INIT;
	int rc = kube_local_reload(l, cli, &why);

	if (rc < 0)
		return cli_error(&why);
	if (rc > 0)
		cli_say("%s", why.text);
	else
		roles_print(cli);
	return CLI_OK;
}

/* ---- all of it */

static int
install_for_real(const struct cli *cli, struct kube *k,
	const struct doc *manifests, const char *ip, size_t seconds)
{
	struct error err = ERROR_INIT;
	enum kube_outcome outcome;
	struct kube_local local;
	int rc = CLI_USAGE;

	kube_local_init(&local, cli);
	if (kube_local_prepare(&local, &err) != 0 ||
		objects_install(k, &local, manifests, ip, &err) != 0 ||
		account_install(k, &local, seconds, &err) != 0 ||
		kube_local_settings_add(&local,
			cli_given(cli, "address") ? ip : NULL, &outcome,
			&err) < 0) {
		rc = cli_error(&err);
		goto out;
	}
	kube_outcome_print(local.settings, outcome);
	if (err.code != ERROR_NONE)
		cli_say("%s", err.text);
	rc = daemon_tell(cli, &local);
out:
	kube_local_fini(&local);
	return rc;
}

static int
install_kube(struct cli *cli)
{
	struct error err = ERROR_INIT;
	struct doc *manifests;
	struct kube *k = NULL;
	size_t seconds;
	char *ip = NULL;
	int rc;

	if (cli_number(cli, "token-seconds", TOKEN_SECONDS_MAX, &seconds,
		    &err) != 0)
		return cli_usage(cli, "%s", err.text);
	if (seconds < KUBERNETES_TOKEN_LIFE_MIN_S)
		return cli_usage(cli, "--token-seconds: at least %u",
			KUBERNETES_TOKEN_LIFE_MIN_S);
	manifests = kubernetes_manifests();
	/* What is only printed needs no cluster if the address is given. */
	if (!cli->dry_run || !cli_given(cli, "address"))
		k = kube_open(cli_text(cli, "kubeconfig"),
			cli_text(cli, "context"), &err);
	if (err.code != ERROR_NONE ||
		address_settle(cli, k, manifests, &ip, &err) != 0) {
		rc = cli_error(&err);
	} else if (cli->dry_run) {
		manifests_print(manifests);
		rc = CLI_OK;
	} else {
		rc = install_for_real(cli, k, manifests, ip, seconds);
	}
	free(ip);
	kube_close(k);
	doc_free(manifests);
	return rc;
}
