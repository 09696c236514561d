/* Which object is meant: by name, by rule, or by asking. */
#include "cli/choose.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "cli/api.h"
#include "cli/describe.h"
#include "cli/prompt.h"

const struct cli_flag choose_flags[MODEL_TYPE_COUNT][2] = {
	[MODEL_UPSTREAM] = { CLI_FLAG_NAME("upstream", "upstreams"),
		CLI_FLAG_END },
	[MODEL_UPSTREAM_GROUP] = { CLI_FLAG_NAME("upstream group",
					   "upstreamgroups"),
		CLI_FLAG_END },
	[MODEL_VIRTUAL_SERVICE] = { CLI_FLAG_NAME("virtual service",
					    "virtualservices"),
		CLI_FLAG_END },
	[MODEL_GATEWAY] = { CLI_FLAG_NAME("gateway", "gateways"),
		CLI_FLAG_END },
	[MODEL_SECRET] = { CLI_FLAG_NAME("secret", "secrets"), CLI_FLAG_END },
};

char *
choose_name(const struct cli *cli, enum model_type type, const char *question,
	struct error *err)
{
	struct doc *items;
	const char **names;
	char *name = NULL;
	size_t chosen;

	if (cli_name(cli) != NULL)
		return xstrdup(cli_name(cli));
	if (!cli->interactive) {
		error_set(err, ERROR_CONFIG, "the name of the %s is missing",
			api_word(type));
		return NULL;
	}
	items = api_list(cli, type, cli->ns, err);
	if (items == NULL)
		return NULL;
	names = xcalloc(doc_count(items) + 1, sizeof(*names));
	for (size_t i = 0; i < doc_count(items); i++)
		names[i] = describe_name(doc_at(items, i));
	if (prompt_choice(question, names, doc_count(items), doc_count(items),
		    &chosen, err) == 0)
		name = xstrdup(names[chosen]);
	free(names);
	doc_free(items);
	return name;
}

static void
word_add(const char **words, size_t *count, const char *word)
{
	for (size_t i = 0; i < *count; i++)
		if (strcmp(words[i], word) == 0)
			return;
	words[(*count)++] = word;
}

int
choose_namespace(const struct cli *cli, const char *question, char **answer,
	struct error *err)
{
	struct doc *status = api_get(cli, "/v1/status", NULL, NULL, NULL);
	const struct doc *objects = doc_get(status, "objects");
	const char **words = xcalloc(doc_count(objects) + 1, sizeof(*words));
	size_t count = 0;
	int rc;

	word_add(words, &count, cli->ns); /* an empty answer */
	for (size_t i = 0; i < doc_count(objects); i++) {
		const char *ns =
			doc_get_string(doc_at(objects, i), "namespace");

		if (ns != NULL)
			word_add(words, &count, ns);
	}
	rc = prompt_offer(question, words, count, cli->ns, answer, err);
	free(words);
	doc_free(status);
	return rc;
}

/* "ns.name" of the secrets that are the kind's own, a list. */
static struct doc *
secrets_list(const struct cli *cli, const char *kind)
{
	struct doc *items = api_list(cli, MODEL_SECRET, NULL, NULL);
	struct doc *names = doc_new_list();

	for (size_t i = 0; i < doc_count(items); i++) {
		const struct doc *one = doc_at(items, i);
		const char *type = doc_string(
			doc_find(one, "status", "secret", "type", NULL));
		char *name = xasprintf("%s.%s", describe_namespace(one),
			describe_name(one));

		if (type != NULL && strcasecmp(type, kind) == 0)
			doc_add(names, doc_new_string(name));
		free(name);
	}
	doc_free(items);
	return names;
}

int
choose_secret(const struct cli *cli, const char *kind,
	const struct kind_prompt *p, char **answer, struct error *err)
{
	struct doc *list = secrets_list(cli, kind);
	size_t count = doc_count(list), chosen;
	const char **names = xcalloc(count + 1, sizeof(*names));
	int rc;

	for (size_t i = 0; i < count; i++)
		names[i] = doc_string(doc_at(list, i));
	names[count] = "none"; /* an empty answer, too */
	if (count == 0)
		rc = prompt_text(p->question, p->fallback, answer, err);
	else
		rc = prompt_choice(p->question, names, count + 1, count,
			&chosen, err);
	if (count > 0 && rc == 0)
		*answer = xstrdup(chosen < count ? names[chosen] : "");
	free(names);
	doc_free(list);
	return rc;
}

static bool
serves_everything(const struct doc *vs)
{
	const struct doc *domains =
		doc_find(vs, "virtualHost", "domains", NULL);

	for (size_t i = 0; i < doc_count(domains); i++) {
		const char *domain = doc_string(doc_at(domains, i));

		if (domain != NULL && strcmp(domain, "*") == 0)
			return true;
	}
	return doc_count(domains) == 0;
}

struct doc *
choose_virtual_service(const struct cli *cli, const char *name, char **selected,
	struct error *err)
{
	struct doc *items, *vs = NULL;

	*selected = NULL;
	if (name != NULL)
		return api_object(
			cli, MODEL_VIRTUAL_SERVICE, cli->ns, name, NULL, err);
	items = api_list(cli, MODEL_VIRTUAL_SERVICE, cli->ns, err);
	for (size_t i = 0; i < doc_count(items) && vs == NULL; i++)
		if (serves_everything(doc_at(items, i)))
			vs = doc_steal_at(items, i);
	doc_free(items);
	if (vs != NULL)
		*selected = xstrdup(describe_name(vs));
	return vs;
}

struct doc *
choose_target_read(const struct cli *cli, void *arg, struct error *err)
{
	struct choose_target *t = arg;
	char *selected;
	struct doc *vs = choose_virtual_service(cli, t->name, &selected, err);

	if (selected != NULL && !t->said)
		cli_say("selected virtualservice %s for route", selected);
	t->said = true;
	free(selected);
	if (vs == NULL && err->code == ERROR_NONE)
		error_set(err, ERROR_CONFIG,
			"no virtual service has the domain *; name one with "
			"--name");
	return vs;
}
