/* glooctl create: new objects, out of flags, answers or files. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/yaml.h"
#include "cli/change.h"
#include "cli/choose.h"
#include "cli/command.h"
#include "cli/create.h"
#include "cli/describe.h"
#include "cli/group.h"
#include "cli/prompt.h"
#include "cli/rate_limit.h"
#include "config/config.h"

static cli_run_f create_file, create_upstream, create_upstream_kind;
static cli_run_f create_upstream_group, create_virtual_service;
static cli_run_f create_gateway;

static const struct cli_flag upstream_flags[] = {
	{ .name = "name",
		.argument = "string",
		.help = "name of the upstream" },
	{ .name = "function-discovery",
		.help = "find out which functions the upstream has, and keep "
			"looking (of kinds that have any)" },
	CLI_FLAG_END,
};

static const struct cli_command upstream = {
	.name = "upstream",
	.aliases = "upstreams us u",
	.summary = "create an upstream",
	.about = "With -i the kind and what it needs is asked for.\n",
	.examples = "  glooctl create upstream static --name httpbin "
		    "--static-hosts 127.0.0.1:8000\n"
		    "  glooctl create upstream aws --name hello-lambda "
		    "--aws-region us-east-2 \\\n"
		    "      --aws-secret-name aws --function-discovery\n"
		    "  glooctl create upstream -i\n",
	.flags = upstream_flags,
	.run = create_upstream,
	.kind_run = create_upstream_kind,
};

static const struct cli_flag upstream_group_flags[] = {
	{ .name = "name",
		.argument = "string",
		.help = "name of the upstream group" },
	CLI_FLAG_WEIGHTED_UPSTREAMS,
	CLI_FLAG_END,
};

static const struct cli_command upstream_group = {
	.name = "upstreamgroup",
	.aliases = "upstreamgroups ugs ug",
	.arguments = "[NAME]",
	.summary = "create an upstream group: upstreams that routes share",
	.about = "Each gets the share of the requests that its weight is of "
		 "all weights. Routes lead\nto a group by its name, so that a "
		 "changed weight holds for all of them at once.\nWith -i the "
		 "upstreams are asked for.\n",
	.examples = "  glooctl create upstreamgroup canary "
		    "--weighted-upstreams \\\n"
		    "      gloo-system.cart-v1=95,gloo-system.cart-v2=5\n"
		    "  glooctl create upstreamgroup -i\n",
	.flags = upstream_group_flags,
	.run = create_upstream_group,
	.arguments_max = 1,
};

static const struct cli_flag virtual_service_flags[] = {
	{ .name = "name",
		.argument = "string",
		.help = "name of the virtual service" },
	{ .name = "domains",
		.argument = "strings",
		.fallback = "*",
		.help = "domains that it serves, comma-separated" },
	{ .name = "display-name",
		.argument = "string",
		.help = "a name for people" },
	CLI_FLAGS_RATE_LIMIT,
	CLI_FLAG_END,
};

static const struct cli_command virtual_service = {
	.name = "virtualservice",
	.aliases = "virtualservices vs",
	.arguments = "[NAME]",
	.summary = "create a virtual service",
	.examples = "  glooctl create virtualservice --name api "
		    "--domains api.example.com\n"
		    "  glooctl create virtualservice --name api "
		    "--enable-rate-limiting \\\n"
		    "      --rate-limit-requests 100 --rate-limit-time-unit "
		    "MINUTE\n",
	.flags = virtual_service_flags,
	.run = create_virtual_service,
	.arguments_max = 1,
};

static const struct cli_flag gateway_flags[] = {
	{ .name = "name",
		.argument = "string",
		.help = "name of the gateway" },
	{ .name = "bind-address",
		.argument = "string",
		.fallback = "::",
		.help = "address to listen on" },
	{ .name = "bind-port",
		.argument = "number",
		.help = "port to listen on" },
	{ .name = "dest-name",
		.letter = 'u',
		.argument = "string",
		.help = "upstream of a TCP or UDP service; without it the "
			"gateway serves HTTP",
		.complete = "upstreams" },
	{ .name = "dest-namespace",
		.letter = 's',
		.argument = "string",
		.fallback = MODEL_NAMESPACE_DEFAULT,
		.help = "namespace of that upstream" },
	{ .name = "protocol",
		.argument = "word",
		.help = "of the service: TCP (default) or UDP",
		.complete = "TCP|UDP" },
	{ .name = "mode",
		.argument = "word",
		.help = "of the service: nat (default), dsr-l2, route, ipip, gue "
			"or relay",
		.complete = "nat|dsr-l2|route|ipip|gue|relay" },
	CLI_FLAG_END,
};

static const struct cli_command gateway = {
	.name = "gateway",
	.aliases = "gateways gw",
	.arguments = "[NAME]",
	.summary = "create a gateway: an address of HTTP, or a TCP or UDP "
		   "service",
	.examples = "  glooctl create gateway internal --bind-address 10.0.0.1 "
		    "--bind-port 8081\n"
		    "  glooctl create gateway mysql --bind-port 3306 "
		    "--dest-name mysql\n"
		    "  glooctl create gateway dns --bind-port 53 --dest-name "
		    "dns --protocol UDP\n",
	.flags = gateway_flags,
	.run = create_gateway,
	.arguments_max = 1,
};

static const struct cli_command *const children[] = {
	&upstream,
	&upstream_group,
	&virtual_service,
	&gateway,
	&create_secret_command,
	NULL,
};

static const struct cli_flag flags[] = {
	{ .name = "file",
		.letter = 'f',
		.argument = "path",
		.help = "documents of any type, YAML or JSON; - is standard "
			"input",
		.complete = "file",
		.here = true },
	{ .name = "replace",
		.help = "replace what exists already",
		.here = true },
	CLI_FLAG_NAMESPACE,
	CLI_FLAG_OUTPUT,
	CLI_FLAG_DRY_RUN,
	CLI_FLAG_END,
};

const struct cli_command cli_command_create = {
	.name = "create",
	.aliases = "c",
	.arguments = "-f FILE",
	.summary = "create objects",
	.about = "A file may hold several documents between \"---\"; all are "
		 "checked before the first\nis stored. An object that exists "
		 "is refused, unless --replace is given or the\ndocument has "
		 "the metadata.resourceVersion that is stored.\n",
	.examples = "  glooctl create -f routes.yaml\n"
		    "  glooctl get vs default -o yaml | sed s/a/b/ | glooctl "
		    "create -f -\n",
	.flags = flags,
	.children = children,
	.run = create_file,
};

struct doc *
create_object_new(const char *ns, const char *name)
{
	struct doc *object = doc_new_map();
	struct doc *meta = doc_set(object, "metadata", doc_new_map());

	doc_set_string(meta, "name", name);
	doc_set_string(meta, "namespace", ns);
	return object;
}

int
create_object_store(const struct cli *cli, enum model_type type,
	struct doc *object, bool replace)
{
	struct error err = ERROR_INIT;
	int rc;

	if (!replace && change_is_new(cli, type, describe_namespace(object),
				describe_name(object), &err) != 0)
		rc = cli_error(&err);
	else
		rc = change_store(cli, type, object, NULL);
	config_doc_free(object, type);
	return rc;
}

int
create_names_ask(const struct cli *cli, char **ns, char **name, struct error *err)
{
	*ns = *name = NULL;
	if (!cli->interactive) {
		if (cli_name(cli) == NULL)
			return error_set(
				err, ERROR_CONFIG, "--name is missing");
		*name = xstrdup(cli_name(cli));
		*ns = xstrdup(cli->ns);
		return 0;
	}
	if (cli_given(cli, "namespace"))
		*ns = xstrdup(cli->ns);
	else if (prompt_text("namespace:", cli->ns, ns, err) != 0)
		return -1;
	if (cli_name(cli) != NULL)
		*name = xstrdup(cli_name(cli));
	else if (prompt_text("name:", NULL, name, err) != 0)
		return -1;
	return 0;
}

/* ---- upstream */

static const struct kind_flag *
kind_flag_find(const struct upstream_kind *kind, const char *name)
{
	for (const struct kind_flag *f = kind->flags;
		f != NULL && f->name != NULL; f++)
		if (strcmp(f->name, name) == 0)
			return f;
	return NULL;
}

static int
spec_from_flags(const struct cli *cli, const struct upstream_kind *kind,
	struct doc *spec, struct error *err)
{
	for (size_t i = 0; i < cli->value_count; i++) {
		const struct cli_value *v = &cli->values[i];
		const struct kind_flag *f = kind_flag_find(kind, v->flag->name);

		if (f == NULL || f->set(spec, v->value, err) == 0)
			continue;
		error_prefix(err, "--%s", f->name);
		return -1;
	}
	return 0;
}

static bool
is_needed(const struct kind_prompt *p)
{
	return p->fallback == NULL &&
	       (p->type == KIND_PROMPT_TEXT || p->type == KIND_PROMPT_LIST);
}

/* What is not asked for must have been given. */
static int
needs_check(const struct cli *cli, const struct upstream_kind *kind,
	struct error *err)
{
	for (const struct kind_prompt *p = kind->prompts;
		p != NULL && p->question != NULL; p++)
		if (is_needed(p) && !cli_given(cli, p->flag))
			return error_set(err, ERROR_CONFIG,
				"--%s is missing; with -i it is asked for",
				p->flag);
	return 0;
}

/* One answer to one prompt. 1: the prompt has had its last one. *any: one was
 * taken. */
static int
prompt_answer(const struct cli *cli, const struct upstream_kind *kind,
	const struct kind_prompt *p, const struct kind_flag *f,
	struct doc *spec, bool *any, struct error *err)
{
	struct error its = ERROR_INIT;
	char *text = NULL;
	bool yes;
	int rc = 1;

	if (p->type == KIND_PROMPT_YES_NO) {
		if (prompt_yes_no(p->question,
			    p->fallback != NULL && p->fallback[0] == 'y', &yes,
			    err) != 0)
			return -1;
		return f->set(spec, yes ? "true" : "false", err) == 0 ? 1 : -1;
	}
	if (p->type == KIND_PROMPT_SECRET)
		rc = choose_secret(cli, kind->key, p, &text, err);
	else
		rc = prompt_text(p->question, p->fallback, &text, err);
	if (rc != 0)
		return -1;
	rc = 1;
	if (text[0] != '\0') {
		rc = p->type != KIND_PROMPT_LIST;
		if (f->set(spec, text, &its) != 0) {
			cli_say("%s", its.text);
			rc = 0;
		}
	} else if (p->type == KIND_PROMPT_TEXT) {
		rc = 0;
	} else if (is_needed(p) && !*any) {
		cli_say("at least one is needed");
		rc = 0;
	}
	*any |= text[0] != '\0' && its.code == ERROR_NONE;
	free(text);
	return rc;
}

static int
spec_from_answers(const struct cli *cli, const struct upstream_kind *kind,
	struct doc *spec, struct error *err)
{
	for (const struct kind_prompt *p = kind->prompts;
		p != NULL && p->question != NULL; p++) {
		const struct kind_flag *f = kind_flag_find(kind, p->flag);
		bool any = false;
		int rc = 0;

		if (f == NULL || cli_given(cli, p->flag))
			continue;
		while (rc == 0)
			rc = prompt_answer(cli, kind, p, f, spec, &any, err);
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* With the label that says whether its functions are looked for, as Gloo's. */
static struct doc *
upstream_new(const struct cli *cli, const char *ns, const char *name)
{
	struct doc *object = create_object_new(ns, name);
	struct doc *labels;

	if (!cli_given(cli, "function-discovery"))
		return object;
	labels = doc_set(doc_get(object, "metadata"), "labels", doc_new_map());
	doc_set_string(labels, "discovery.solo.io/function_discovery",
		cli_switch(cli, "function-discovery") ? "enabled" : "disabled");
	return object;
}

static int
upstream_create(const struct cli *cli, const struct upstream_kind *kind)
{
	struct error err = ERROR_INIT;
	struct doc *spec = doc_new_map(), *object, *specs;
	char *ns = NULL, *name = NULL;
	int rc;

	if (cli_given(cli, "function-discovery") && kind->function_key == NULL)
		error_set(&err, ERROR_CONFIG,
			"--function-discovery: upstreams of kind %s have no "
			"functions; leave it out",
			kind->key);
	if (err.code != ERROR_NONE ||
		spec_from_flags(cli, kind, spec, &err) != 0 ||
		(cli->interactive ? spec_from_answers(cli, kind, spec, &err)
				  : needs_check(cli, kind, &err)) != 0 ||
		create_names_ask(cli, &ns, &name, &err) != 0) {
		doc_free(spec);
		rc = cli_usage(cli, "%s", err.text);
		goto out;
	}
	object = upstream_new(cli, ns, name);
	specs = doc_set(object, "upstreamSpec", doc_new_map());
	doc_set(specs, kind->key, spec);
	rc = create_object_store(cli, MODEL_UPSTREAM, object, false);
out:
	free(ns);
	free(name);
	return rc;
}

static int
create_upstream_kind(struct cli *cli)
{
	return upstream_create(cli, cli_kind(cli));
}

static int
create_upstream(struct cli *cli)
{
	struct error err = ERROR_INIT;
	const char **keys;
	size_t count = 0, chosen;
	int rc;

	if (!cli->interactive && isatty(STDIN_FILENO) == 0)
		return cli_usage(
			cli, "which kind of upstream? Name it, or use -i");
	cli->interactive = true;
	while (cli->kinds[count] != NULL)
		count++;
	keys = xcalloc(count + 1, sizeof(*keys));
	for (size_t i = 0; i < count; i++)
		keys[i] = cli->kinds[i]->key;
	rc = prompt_choice("What type of Upstream do you want to create?", keys,
		count, count, &chosen, &err);
	free(keys);
	return rc == 0 ? upstream_create(cli, cli->kinds[chosen])
		       : cli_error(&err);
}

/* ---- upstream group */

static int
create_upstream_group(struct cli *cli)
{
	struct error err = ERROR_INIT;
	struct doc *list = group_destinations(cli, &err), *object;
	char *ns = NULL, *name = NULL;
	int rc;

	if (list == NULL || create_names_ask(cli, &ns, &name, &err) != 0) {
		doc_free(list);
		rc = cli_usage(cli, "%s", err.text);
		goto out;
	}
	object = create_object_new(ns, name);
	doc_set(object, "destinations", list);
	rc = create_object_store(cli, MODEL_UPSTREAM_GROUP, object, false);
out:
	free(ns);
	free(name);
	return rc;
}

/* ---- virtual service */

static void
domains_add(struct doc *list, const char *text)
{
	while (*text != '\0') {
		size_t length = strcspn(text, ", ");

		if (length > 0)
			doc_add(list, doc_new_string_n(text, length));
		text += length + (text[length] != '\0');
	}
}

static int
domains_ask(const struct cli *cli, struct doc *list, struct error *err)
{
	const char *text;
	size_t place = 0;
	char *answer;

	while ((text = cli_next(cli, "domains", &place)) != NULL)
		domains_add(list, text);
	while (cli->interactive && !cli_given(cli, "domains")) {
		bool last;

		if (prompt_text("Add a domain for this virtual service (empty "
				"defaults to all domains)?",
			    "", &answer, err) != 0)
			return -1;
		last = answer[0] == '\0';
		domains_add(list, answer);
		free(answer);
		if (last)
			break;
	}
	if (doc_count(list) == 0)
		domains_add(list, cli_text(cli, "domains"));
	return 0;
}

static int
create_virtual_service(struct cli *cli)
{
	struct error err = ERROR_INIT;
	struct doc *domains = doc_new_list(), *object;
	char *ns = NULL, *name = NULL;
	int rc;

	if (domains_ask(cli, domains, &err) != 0 ||
		create_names_ask(cli, &ns, &name, &err) != 0) {
		doc_free(domains);
		rc = cli_usage(cli, "%s", err.text);
		goto out;
	}
	object = create_object_new(ns, name);
	if (cli_given(cli, "display-name"))
		doc_set_string(
			object, "displayName", cli_text(cli, "display-name"));
	doc_set(doc_set(object, "virtualHost", doc_new_map()), "domains",
		domains);
	if (rate_limit_given(cli) && rate_limit_apply(cli, object, &err) < 0) {
		doc_free(object);
		rc = cli_usage(cli, "%s", err.text);
		goto out;
	}
	rc = create_object_store(cli, MODEL_VIRTUAL_SERVICE, object, false);
out:
	free(ns);
	free(name);
	return rc;
}

/* ---- gateway */

static struct doc *
tcp_gateway_new(const struct cli *cli, const char *name)
{
	struct doc *tcp = doc_new_map();
	struct doc *hosts = doc_set(tcp, "tcpHosts", doc_new_list());
	struct doc *host = doc_add(hosts, doc_new_map());
	struct doc *destination = doc_set(host, "destination", doc_new_map());
	struct doc *single = doc_set(destination, "single", doc_new_map());
	struct doc *upstream_ref = doc_set(single, "upstream", doc_new_map());

	doc_set_string(host, "name", name);
	doc_set_string(upstream_ref, "name", cli_text(cli, "dest-name"));
	doc_set_string(
		upstream_ref, "namespace", cli_text(cli, "dest-namespace"));
	if (cli_given(cli, "protocol"))
		doc_set_string(host, "protocol", cli_text(cli, "protocol"));
	if (cli_given(cli, "mode"))
		doc_set_string(host, "mode", cli_text(cli, "mode"));
	return tcp;
}

static int
create_gateway(struct cli *cli)
{
	struct error err = ERROR_INIT;
	struct doc *object;
	char *ns = NULL, *name = NULL;
	size_t port;
	int rc;

	if (!cli_given(cli, "dest-name") &&
		(cli_given(cli, "protocol") || cli_given(cli, "mode")))
		return cli_usage(cli, "--protocol and --mode are of services: "
				      "name the upstream with --dest-name");
	if (create_names_ask(cli, &ns, &name, &err) != 0 ||
		(cli_given(cli, "bind-port") &&
			cli_number(cli, "bind-port", UINT16_MAX, &port, &err) !=
				0)) {
		rc = cli_usage(cli, "%s", err.text);
		goto out;
	}
	object = create_object_new(ns, name);
	doc_set_string(object, "bindAddress", cli_text(cli, "bind-address"));
	if (cli_given(cli, "bind-port"))
		doc_set(object, "bindPort", doc_new_integer((int64_t)port));
	if (cli_given(cli, "dest-name"))
		doc_set(object, "tcpGateway", tcp_gateway_new(cli, name));
	rc = create_object_store(cli, MODEL_GATEWAY, object, false);
out:
	free(ns);
	free(name);
	return rc;
}

/* ---- files */

static int
input_read(struct str *text, struct error *err)
{
	char buf[65536];
	size_t n;

	while ((n = fread(buf, 1, sizeof(buf), stdin)) > 0) {
		if (n > DOC_MAX_BYTES - text->length)
			return error_set(err, ERROR_LIMIT,
				"it has more than %u MiB", DOC_MAX_BYTES >> 20);
		str_append(text, buf, n);
	}
	if (ferror(stdin))
		return error_errno(err, errno, "cannot read it");
	return 0;
}

/* The documents of a JSON value: itself, or the items of a list. */
static struct doc *
json_spread(struct doc *d)
{
	struct doc *list;

	if (doc_type(d) == DOC_LIST)
		return d;
	list = doc_steal(d, "items");
	if (doc_type(list) == DOC_LIST) {
		doc_free(d);
		return list;
	}
	if (list != NULL)
		doc_set(d, "items", list);
	list = doc_new_list();
	doc_add(list, d);
	return list;
}

static struct doc *
documents_read(const struct str *text, struct error *err)
{
	size_t blank = strspn(text->data, " \t\r\n");
	char first = text->data[blank];
	struct doc *d;

	if ((first != '{' && first != '[') ||
		strstr(text->data, "\n---") != NULL)
		return yaml_doc_read_all(text->data, text->length, err);
	d = json_doc_read(text->data, text->length, err);
	return d != NULL ? json_spread(d) : NULL;
}

static int
rejection_say(const char *file, const struct error *err)
{
	if (err->line > 0)
		cli_say("rejected: %s:%d: %s", file, err->line, err->text);
	else
		cli_say("rejected: %s: %s", file, err->text);
	return CLI_REJECTED;
}

/* How bad: what was refused, failed, is pending, is a warning. */
static int
worse(int a, int b)
{
	static const int rank[] = {
		[CLI_OK] = 0,
		[CLI_WARNING] = 1,
		[CLI_PENDING] = 2,
		[CLI_USAGE] = 3,
		[CLI_REJECTED] = 4,
	};

	return rank[a] >= rank[b] ? a : b;
}

static int
document_store(const struct cli *cli, struct doc *d,
	const struct model_object *o, const char *file)
{
	const struct change_place place = { file, d };
	struct error err = ERROR_INIT;
	struct doc *meta = doc_get(d, "metadata");

	if (o->meta->resource_version == 0 && !cli_switch(cli, "replace") &&
		change_is_new(cli, o->type, o->meta->ns, o->meta->name, &err) !=
			0)
		return cli_error(&err);
	if (cli_switch(cli, "replace"))
		doc_free(doc_steal(meta, "resourceVersion"));
	return change_store(cli, o->type, d, &place);
}

static int
documents_store(const struct cli *cli, struct doc *list, const char *file)
{
	size_t count = doc_count(list);
	struct model_object **objects = xcalloc(count + 1, sizeof(*objects));
	struct error err = ERROR_INIT;
	int rc = CLI_OK;

	for (size_t i = 0; i < count; i++) {
		struct doc *d = doc_at(list, i);
		struct doc *meta = doc_get(d, "metadata");

		if (doc_type(meta) == DOC_MAP &&
			doc_get(meta, "namespace") == NULL)
			doc_set_string(meta, "namespace", cli->ns);
		objects[i] = config_read(d, cli->kinds, &err);
		if (objects[i] == NULL) {
			rc = rejection_say(file, &err);
			goto out;
		}
	}
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && (cli->output == CLI_OUTPUT_YAML ||
				     cli->output == CLI_OUTPUT_KUBE_YAML))
			puts("---");
		rc = worse(rc,
			document_store(cli, doc_at(list, i), objects[i], file));
	}
out:
	for (size_t i = 0; i < count; i++)
		model_object_unref(objects[i]);
	free(objects);
	return rc;
}

static int
create_file(struct cli *cli)
{
	const char *file = cli_text(cli, "file");
	struct error err = ERROR_INIT;
	struct doc *list = NULL;
	struct str text;
	int rc;

	if (file == NULL)
		return cli_usage(cli,
			"what? Say upstream, upstreamgroup, virtualservice, "
			"gateway, secret or -f FILE");
	str_init(&text);
	if (strcmp(file, "-") == 0) {
		file = "standard input";
		rc = input_read(&text, &err);
	} else {
		rc = file_read(file, DOC_MAX_BYTES, &text, &err);
	}
	if (rc != 0) {
		rc = cli_error(&err);
		goto out;
	}
	list = documents_read(&text, &err);
	if (list == NULL) {
		rc = rejection_say(file, &err);
	} else if (doc_count(list) == 0) {
		error_set(&err, ERROR_CONFIG, "%.200s holds no document", file);
		rc = cli_error(&err);
	} else {
		rc = documents_store(cli, list, file);
	}
out:
	/* There may be secrets among them. */
	doc_free_wiped(list);
	str_fini_wiped(&text);
	return rc;
}
