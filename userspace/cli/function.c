/* The functions of upstreams: which there are, and how a route names one. */
#include "cli/function.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "cli/api.h"
#include "cli/describe.h"

const char *
function_kind(const struct doc *upstream)
{
	const struct doc *spec = doc_get(upstream, "upstreamSpec");

	return doc_count(spec) > 0 ? doc_key_at(spec, 0) : "";
}

/* Where a destinationSpec of the kind names the function; NULL: it has none. */
static const char *
key_of(const struct cli *cli, const char *kind)
{
	const struct upstream_kind *k = kind_find(cli->kinds, kind);

	return k != NULL ? k->function_key : NULL;
}

bool
function_kind_has(const struct cli *cli, const struct doc *upstream)
{
	return key_of(cli, function_kind(upstream)) != NULL;
}

const char *
function_of(
	const struct upstream_kind *const *kinds, const struct doc *destination)
{
	const struct doc *spec = doc_get(destination, "destinationSpec");
	const struct upstream_kind *kind =
		doc_count(spec) > 0 ? kind_find(kinds, doc_key_at(spec, 0))
				    : NULL;

	if (kind == NULL || kind->function_key == NULL)
		return NULL;
	return doc_get_string(doc_value_at(spec, 0), kind->function_key);
}

/* ---- which there are */

struct names {
	const char **at;
	size_t count;
};

static void
names_add(struct names *n, const char *name)
{
	if (name == NULL)
		return;
	n->at = xreallocarray(n->at, n->count + 1, sizeof(*n->at));
	n->at[n->count++] = name;
}

/* Of the lists in the upstream's spec, those that are of functions. */
static void
listed_add(struct names *n, const struct doc *spec, const char *key)
{
	for (size_t i = 0; i < doc_count(spec); i++) {
		const struct doc *list = doc_value_at(spec, i);

		for (size_t k = 0;
			doc_type(list) == DOC_LIST && k < doc_count(list); k++)
			names_add(n, doc_get_string(doc_at(list, k), key));
	}
}

/* What /v1/endpoints has of the upstream, the caller's; or NULL. */
static struct doc *
found_get(const struct cli *cli, const struct doc *upstream)
{
	struct doc *answer;
	struct str query;

	str_init(&query);
	str_puts(&query, "limit=0&namespace=");
	str_put_escaped(&query, describe_namespace(upstream));
	str_puts(&query, "&name=");
	str_put_escaped(&query, describe_name(upstream));
	answer = api_get(cli, "/v1/endpoints", query.data, NULL, NULL);
	str_fini(&query);
	return answer;
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static struct doc *
names_sort(struct names *n)
{
	struct doc *list = doc_new_list();

	if (n->count > 0)
		qsort(n->at, n->count, sizeof(*n->at), compare);
	for (size_t i = 0; i < n->count; i++)
		if (i == 0 || strcmp(n->at[i], n->at[i - 1]) != 0)
			doc_add(list, doc_new_string(n->at[i]));
	return list;
}

struct doc *
function_names(const struct cli *cli, const struct doc *upstream, bool *found)
{
	const char *key = key_of(cli, function_kind(upstream));
	struct doc *answer = NULL, *list;
	const struct doc *item, *live;
	struct names n = { NULL, 0 };

	if (key != NULL) {
		listed_add(&n,
			doc_value_at(doc_get(upstream, "upstreamSpec"), 0),
			key);
		answer = found_get(cli, upstream);
	}
	item = doc_at(doc_get(answer, "items"), 0);
	live = doc_get(item, "functions");
	*found = doc_type(live) == DOC_LIST &&
		 !doc_bool(doc_get(item, "functionsOpen"));
	for (size_t i = 0; i < doc_count(live); i++)
		names_add(&n, doc_string(doc_at(live, i)));
	list = names_sort(&n);
	free(n.at);
	doc_free(answer);
	return list;
}

/* ---- out of flags */

/* Those that name the function; a NULL kind is whatever the upstream's is. */
static const struct naming {
	const char *flag, *kind;
} namings[] = {
	{ "function", NULL },
	{ "aws-function-name", "aws" },
	{ "azure-function-name", "azure" },
};

/* What a kind's destinations may say besides. */
static const struct option {
	const char *flag, *kind, *key;
	const char *words; /* of which it is one, between '|'; NULL: a switch */
} options[] = {
	{ "aws-invocation-style", "aws", "invocationStyle",
		FUNCTION_INVOCATION_STYLES },
	{ "aws-request-transformation", "aws", "requestTransformation", NULL },
	{ "aws-alb-wrap", "aws", "wrapAsAlb", NULL },
	{ "aws-api-gw-wrap", "aws", "wrapAsApiGateway", NULL },
	{ "aws-payload-format-version", "aws", "payloadFormatVersion",
		FUNCTION_PAYLOAD_VERSIONS },
	{ "aws-multi-value-headers", "aws", "multiValueHeaders", NULL },
	{ "aws-propagate-original-routing", "aws", "propagateOriginalRouting",
		NULL },
	{ "aws-unescape", "aws", "responseTransformation", NULL },
	{ "aws-alb-unwrap", "aws", "unwrapAsAlb", NULL },
	{ "aws-api-gw-unwrap", "aws", "unwrapAsApiGateway", NULL },
	{ "aws-response-streaming", "aws", "responseStreaming", NULL },
	{ "aws-log-tail", "aws", "logTail", NULL },
};

static const char *
naming_given(const struct cli *cli)
{
	for (size_t i = 0; i < ARRAY_SIZE(namings); i++)
		if (cli_given(cli, namings[i].flag))
			return namings[i].flag;
	return NULL;
}

bool
function_named(const struct cli *cli)
{
	return naming_given(cli) != NULL;
}

const char *
function_flag_given(const struct cli *cli)
{
	const char *naming = naming_given(cli);

	if (naming != NULL)
		return naming;
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (cli_given(cli, options[i].flag))
			return options[i].flag;
	return NULL;
}

static int
naming_read(
	const struct cli *cli, const struct naming **naming, struct error *err)
{
	*naming = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(namings); i++) {
		if (!cli_given(cli, namings[i].flag))
			continue;
		if (*naming != NULL)
			return error_set(err, ERROR_CONFIG,
				"only one of --%s and --%s can be given",
				(*naming)->flag, namings[i].flag);
		*naming = &namings[i];
		if (cli_text(cli, namings[i].flag)[0] == '\0')
			return error_set(err, ERROR_CONFIG,
				"--%s: the name of the function is empty",
				namings[i].flag);
	}
	return 0;
}

/* The flag says nothing of the kind: the upstream has to. */
static const char *
kind_ask(const struct cli *cli, const char *flag, const char *ns,
	const char *name, struct error *err)
{
	struct doc *upstream =
		api_object(cli, MODEL_UPSTREAM, ns, name, NULL, err);
	const struct upstream_kind *kind =
		kind_find(cli->kinds, function_kind(upstream));

	if (upstream != NULL && (kind == NULL || kind->function_key == NULL))
		error_set(err, ERROR_CONFIG,
			"--%s: upstream %s is of kind %s and has no functions; "
			"leave it out, or name an upstream that has them",
			flag, name, function_kind(upstream));
	doc_free(upstream);
	return kind != NULL && kind->function_key != NULL ? kind->key : NULL;
}

static int
word_read(const struct option *o, const char *word, struct doc *to,
	struct error *err)
{
	size_t length = strlen(word);
	const char *at = o->words;

	while (*at != '\0') {
		size_t n = strcspn(at, "|");

		if (n == length && strncasecmp(at, word, n) == 0) {
			doc_set(to, o->key, doc_new_string_n(at, n));
			return 0;
		}
		at += n + (at[n] == '|');
	}
	return error_set(err, ERROR_CONFIG, "--%s: \"%.64s\" is none of %s",
		o->flag, word, o->words);
}

/* A switch that is turned off (=false) counts as well: against what is set for
 * the whole upstream. */
static int
options_read(const struct cli *cli, const char *name, const char *kind,
	struct doc *to, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		const struct option *o = &options[i];

		if (!cli_given(cli, o->flag))
			continue;
		if (strcmp(o->kind, kind) != 0)
			return error_set(err, ERROR_CONFIG,
				"--%s: upstream %s is of kind %s", o->flag,
				name, kind);
		if (o->words == NULL)
			doc_set(to, o->key,
				doc_new_bool(cli_switch(cli, o->flag)));
		else if (word_read(o, cli_text(cli, o->flag), to, err) != 0)
			return -1;
	}
	return 0;
}

int
function_read(const struct cli *cli, const char *ns, const char *name,
	struct doc *destination, struct error *err)
{
	const char *flag = function_flag_given(cli), *kind;
	const struct naming *naming;
	struct doc *spec, *its;

	if (flag == NULL)
		return 0;
	if (naming_read(cli, &naming, err) != 0)
		return -1;
	kind = naming != NULL ? naming->kind : NULL;
	if (kind == NULL)
		kind = kind_ask(cli, flag, ns, name, err);
	if (kind == NULL)
		return -1;
	spec = doc_set(destination, "destinationSpec", doc_new_map());
	its = doc_set(spec, kind, doc_new_map());
	if (naming != NULL)
		doc_set_string(
			its, key_of(cli, kind), cli_text(cli, naming->flag));
	return options_read(cli, name, kind, its, err);
}
