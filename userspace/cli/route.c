/* Routes of a virtual service, as documents. */
#include "cli/route.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/function.h"
#include "model/regex.h"

struct doc *
route_list(struct doc *vs)
{
	struct doc *host = doc_get(vs, "virtualHost");
	struct doc *routes = doc_get(host, "routes");

	if (doc_type(host) != DOC_MAP)
		host = doc_set(vs, "virtualHost", doc_new_map());
	if (doc_type(routes) != DOC_LIST)
		routes = doc_set(host, "routes", doc_new_list());
	return routes;
}

/* ---- out of flags */

static int
path_read(const struct cli *cli, struct doc *matcher, struct error *err)
{
	static const struct {
		const char *flag, *key;
	} paths[] = {
		{ "path-exact", "exact" },
		{ "path-prefix", "prefix" },
		{ "path-regex", "regex" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		if (!cli_given(cli, paths[i].flag))
			continue;
		if (doc_count(matcher) > 0)
			return error_set(err, ERROR_CONFIG,
				"only one of --path-exact, --path-prefix and "
				"--path-regex can be given");
		doc_set_string(
			matcher, paths[i].key, cli_text(cli, paths[i].flag));
	}
	if (doc_count(matcher) == 0)
		return error_set(err, ERROR_CONFIG,
			"one of --path-prefix, --path-exact and --path-regex "
			"is needed");
	return 0;
}

/* "name=value", "name" */
static int
conditions_read(const struct cli *cli, const char *flag, bool regex,
	struct doc *list, struct error *err)
{
	const char *text;
	size_t place = 0;

	while ((text = cli_next(cli, flag, &place)) != NULL) {
		size_t length = strcspn(text, "=");
		struct doc *c;

		if (length == 0 || (regex && text[length] == '\0'))
			return error_set(err, ERROR_CONFIG,
				"--%s: \"%.64s\" is not of the form %s", flag,
				text, regex ? "name=regex" : "name=value");
		c = doc_add(list, doc_new_map());
		doc_set(c, "name", doc_new_string_n(text, length));
		if (text[length] == '=')
			doc_set_string(c, "value", text + length + 1);
		if (regex)
			doc_set(c, "regex", doc_new_bool(true));
	}
	return 0;
}

static void
methods_read(const struct cli *cli, struct doc *list)
{
	const char *text;
	size_t place = 0;

	while ((text = cli_next(cli, "method", &place)) != NULL) {
		while (*text != '\0') {
			size_t length = strcspn(text, ", ");

			if (length > 0)
				doc_add(list, doc_new_string_n(text, length));
			text += length + (text[length] != '\0');
		}
	}
}

static void
set_unless_empty(struct doc *map, const char *key, struct doc *list)
{
	if (doc_count(list) > 0)
		doc_set(map, key, list);
	else
		doc_free(list);
}

static struct doc *
matcher_read(const struct cli *cli, struct error *err)
{
	struct doc *matcher = doc_new_map();
	struct doc *headers = doc_new_list(), *query = doc_new_list();
	struct doc *methods = doc_new_list();
	bool good;

	good = path_read(cli, matcher, err) == 0 &&
	       conditions_read(cli, "header", false, headers, err) == 0 &&
	       conditions_read(cli, "header-regex", true, headers, err) == 0 &&
	       conditions_read(cli, "queryParameter", false, query, err) == 0;
	methods_read(cli, methods);
	set_unless_empty(matcher, "headers", headers);
	set_unless_empty(matcher, "queryParameters", query);
	set_unless_empty(matcher, "methods", methods);
	if (good)
		return matcher;
	doc_free(matcher);
	return NULL;
}

static struct doc *
reference_new(const char *name, const char *ns)
{
	struct doc *d = doc_new_map();

	doc_set_string(d, "name", name);
	doc_set_string(d, "namespace", ns);
	return d;
}

static int
group_action(const struct cli *cli, struct doc *action, struct error *err)
{
	const char *other = cli_given(cli, "dest-name")
				    ? "dest-name"
				    : function_flag_given(cli);

	if (other != NULL)
		return error_set(err, ERROR_CONFIG,
			"only one of --%s and --upstream-group-name can be "
			"given",
			other);
	doc_set(action, "upstreamGroup",
		reference_new(cli_text(cli, "upstream-group-name"),
			cli_text(cli, "upstream-group-namespace")));
	return 0;
}

static int
upstream_action(const struct cli *cli, struct doc *action, struct error *err)
{
	const char *name = cli_text(cli, "dest-name");
	const char *ns = cli_text(cli, "dest-namespace");
	struct doc *single = doc_set(action, "single", doc_new_map());

	doc_set(single, "upstream", reference_new(name, ns));
	return function_read(cli, ns, name, single, err);
}

struct doc *
route_from_flags(const struct cli *cli, struct error *err)
{
	bool group = cli_given(cli, "upstream-group-name");
	struct doc *route, *matcher, *action;

	if (cli_given(cli, "rest-function-name") ||
		cli_given(cli, "rest-parameters")) {
		error_set(err, ERROR_CONFIG,
			"--rest-function-name and --rest-parameters: REST "
			"functions are not served yet");
		return NULL;
	}
	if (!group && cli_text(cli, "dest-name") == NULL) {
		error_set(err, ERROR_CONFIG,
			"--dest-name, the upstream that the route leads to, "
			"is missing; or --upstream-group-name");
		return NULL;
	}
	matcher = matcher_read(cli, err);
	if (matcher == NULL)
		return NULL;
	route = doc_new_map();
	doc_add(doc_set(route, "matchers", doc_new_list()), matcher);
	action = doc_set(route, "routeAction", doc_new_map());
	if (cli_given(cli, "prefix-rewrite"))
		doc_set_string(doc_set(route, "options", doc_new_map()),
			"prefixRewrite", cli_text(cli, "prefix-rewrite"));
	if ((group ? group_action : upstream_action)(cli, action, err) == 0)
		return route;
	doc_free(route);
	return NULL;
}

/* ---- the order */

struct weight {
	bool exact, regex, nocase;
	size_t literal; /* bytes that a path has to begin with */
	size_t length;
	bool methods;
	size_t headers, query;
};

struct place {
	struct weight weight;
	size_t before; /* where it stood */
	struct doc *route;
};

static size_t
regex_weigh(const char *regex, bool *nocase)
{
	struct slice pattern = slice_of(regex);
	char *literal = xmalloc(pattern.length + 1);
	size_t length;

	*nocase |= regex_cut_nocase(&pattern);
	length = regex_literal(pattern, literal);
	free(literal);
	return length;
}

static struct weight
matcher_weigh(const struct doc *m)
{
	const char *exact = doc_get_string(m, "exact");
	const char *regex = doc_get_string(m, "regex");
	const char *prefix = doc_get_string(m, "prefix");
	const struct doc *sensitive = doc_get(m, "caseSensitive");
	const char *path = exact != NULL    ? exact
			   : regex != NULL  ? regex
			   : prefix != NULL ? prefix
					    : "/";
	struct weight w = {
		.exact = exact != NULL,
		.regex = exact == NULL && regex != NULL,
		.nocase =
			doc_type(sensitive) == DOC_BOOL && !doc_bool(sensitive),
		.literal = strlen(path),
		.length = strlen(path),
		.methods = doc_count(doc_get(m, "methods")) > 0,
		.headers = doc_count(doc_get(m, "headers")),
		.query = doc_count(doc_get(m, "queryParameters")),
	};

	if (w.regex)
		w.literal = regex_weigh(regex, &w.nocase);
	return w;
}

/* As the comparison functions of qsort(): the larger first. */
static int
larger_first(size_t a, size_t b)
{
	return a > b ? -1 : a < b;
}

/* Below 0: a comes first. */
static int
weight_compare(const struct weight *a, const struct weight *b)
{
	const size_t larger[][2] = {
		{ a->exact, b->exact },
		{ a->literal, b->literal },
		{ a->regex, b->regex },
		{ a->length, b->length },
		{ b->nocase, a->nocase },
		{ a->methods, b->methods },
		{ a->headers, b->headers },
		{ a->query, b->query },
	};

	for (size_t i = 0; i < ARRAY_SIZE(larger); i++) {
		int rc = larger_first(larger[i][0], larger[i][1]);

		if (rc != 0)
			return rc;
	}
	return 0;
}

static struct weight
route_weigh(const struct doc *route)
{
	const struct doc *matchers = doc_get(route, "matchers");
	struct weight widest = matcher_weigh(doc_at(matchers, 0));

	for (size_t i = 1; i < doc_count(matchers); i++) {
		struct weight w = matcher_weigh(doc_at(matchers, i));

		if (weight_compare(&w, &widest) > 0)
			widest = w;
	}
	return widest;
}

static int
place_compare(const void *va, const void *vb)
{
	const struct place *a = va, *b = vb;
	int rc = weight_compare(&a->weight, &b->weight);

	if (rc != 0)
		return rc;
	return a->before < b->before ? -1 : a->before > b->before;
}

size_t
route_sort(struct doc *routes)
{
	size_t count = doc_count(routes), moved = 0;
	struct place *places = xcalloc(count + 1, sizeof(*places));

	for (size_t i = 0; i < count; i++) {
		places[i].route = doc_steal_at(routes, 0);
		places[i].weight = route_weigh(places[i].route);
		places[i].before = i;
	}
	qsort(places, count, sizeof(*places), place_compare);
	for (size_t i = 0; i < count; i++) {
		doc_add(routes, places[i].route);
		moved += places[i].before != i;
	}
	free(places);
	return moved;
}
