/* Objects as rows of tables. */
#include "cli/describe.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/function.h"
#include "cli/row.h"
#include "cli/text_table.h"

static const char *
text_or(const char *text, const char *other)
{
	return text != NULL ? text : other;
}

const char *
describe_name(const struct doc *object)
{
	return text_or(
		doc_string(doc_find(object, "metadata", "name", NULL)), "");
}

const char *
describe_namespace(const struct doc *object)
{
	return text_or(
		doc_string(doc_find(object, "metadata", "namespace", NULL)),
		"");
}

static const char *
state_of(const struct doc *object)
{
	return text_or(doc_string(doc_find(object, "status", "state", NULL)),
		"Pending");
}

/* ---- routes */

static const struct path_type {
	const char *key, *title;
} path_types[] = {
	{ "exact", "Exact Path" },
	{ "prefix", "Path Prefix" },
	{ "regex", "Regex Path" },
};

/* The path of a matcher and its type; without any it is the prefix "/". */
static const char *
path_of(const struct doc *matcher, const struct path_type **type)
{
	for (size_t i = 0; i < ARRAY_SIZE(path_types); i++) {
		const char *path = doc_get_string(matcher, path_types[i].key);

		*type = &path_types[i];
		if (path != NULL)
			return path;
	}
	*type = &path_types[1];
	return "/";
}

void
describe_matchers(const struct doc *route, struct str *out)
{
	const struct doc *list = doc_get(route, "matchers");
	const struct path_type *type;

	for (size_t i = 0; i < doc_count(list) || i == 0; i++)
		str_printf(out, "%s%s", i > 0 ? ", " : "",
			path_of(doc_at(list, i), &type));
}

static void
redirect_describe(const struct doc *action, struct str *out)
{
	static const char *const keys[] = { "hostRedirect", "pathRedirect",
		"prefixRewrite" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (doc_get_string(action, keys[i]) != NULL) {
			str_puts(out, doc_get_string(action, keys[i]));
			return;
		}
	}
	str_puts(out, doc_bool(doc_get(action, "httpsRedirect")) ? "https"
								 : "redirect");
}

static void
upstream_describe(const char *name, const char *function, struct str *out)
{
	str_puts(out, name);
	if (function != NULL)
		str_printf(out, " (%s)", function);
}

void
describe_action(const struct doc *route,
	const struct upstream_kind *const *kinds, struct str *out)
{
	const struct doc *action = doc_get(route, "routeAction");
	const struct doc *many =
		doc_find(action, "multi", "destinations", NULL);
	const char *name = doc_string(
		doc_find(action, "single", "upstream", "name", NULL));
	const struct doc *group = doc_get(action, "upstreamGroup");
	const struct doc *direct = doc_get(route, "directResponseAction");

	if (group != NULL)
		str_printf(out, "upstream group: %s.%s",
			text_or(doc_get_string(group, "namespace"),
				MODEL_NAMESPACE_DEFAULT),
			text_or(doc_get_string(group, "name"), ""));
	else if (name != NULL)
		upstream_describe(name,
			function_of(kinds, doc_get(action, "single")), out);
	else if (many != NULL)
		str_printf(out, "%zu destinations", doc_count(many));
	else if (direct != NULL)
		str_printf(out, "%lld",
			(long long)doc_integer(doc_get(direct, "status")));
	else if (doc_get(route, "redirectAction") != NULL)
		redirect_describe(doc_get(route, "redirectAction"), out);
	else
		str_puts(out, "unknown");
}

/* "x-beta", "x-beta:1", "x-beta~[0-9]+", "!x-beta": one line each. */
static void
conditions_describe(const struct doc *list, struct str *out)
{
	for (size_t i = 0; i < doc_count(list); i++) {
		const struct doc *c = doc_at(list, i);
		const char *value = doc_get_string(c, "value");

		str_printf(out, "%s%s%s", i > 0 ? "\n" : "",
			doc_bool(doc_get(c, "invertMatch")) ? "!" : "",
			text_or(doc_get_string(c, "name"), ""));
		if (value != NULL)
			str_printf(out, "%c%s",
				doc_bool(doc_get(c, "regex")) ? '~' : ':',
				value);
	}
}

static void
methods_describe(const struct doc *list, struct str *out)
{
	for (size_t i = 0; i < doc_count(list); i++)
		row_item_add(out, ", ", doc_string(doc_at(list, i)));
	if (doc_count(list) == 0)
		str_puts(out, "*");
}

struct action_type {
	const char *key, *title, *word;
};

static void
route_rows_add(struct text_table *t, size_t id, const struct doc *route,
	const struct action_type *action,
	const struct upstream_kind *const *kinds, bool wide)
{
	const struct doc *matchers = doc_get(route, "matchers");
	struct row r = { .count = 0 };

	for (size_t i = 0; i < doc_count(matchers) || i == 0; i++) {
		const struct doc *m = doc_at(matchers, i);
		const struct path_type *type;
		const char *path = path_of(m, &type);

		if (i == 0)
			str_printf(row_cell(&r), "%zu", id);
		else
			row_put(&r, "");
		row_put(&r, path);
		row_put(&r, type->title);
		methods_describe(doc_get(m, "methods"), row_cell(&r));
		conditions_describe(doc_get(m, "headers"), row_cell(&r));
		row_put(&r, i == 0 ? action->word : "");
		if (wide) {
			conditions_describe(
				doc_get(m, "queryParameters"), row_cell(&r));
			if (i == 0)
				describe_action(route, kinds, row_cell(&r));
			else
				row_put(&r, "");
			row_put(&r,
				i == 0 ? doc_get_string(route, "name") : "");
		}
		row_end(&r, t);
	}
}

void
describe_routes(const struct doc *routes,
	const struct upstream_kind *const *kinds, bool wide, struct str *out)
{
	static const struct action_type actions[] = {
		{ "routeAction", "Route Action", "route action" },
		{ "redirectAction", "Redirect Action", "redirect action" },
		{ "directResponseAction", "Direct Response Action",
			"direct response action" },
	};
	static const char *const titles[] = { "id", "matcher", "type", "verb",
		"header", "action", "query", "destination", "name" };

	for (size_t a = 0; a < ARRAY_SIZE(actions); a++) {
		struct text_table *t =
			text_table_new(wide ? ARRAY_SIZE(titles) : 6, titles);
		bool any = false;

		for (size_t i = 0; i < doc_count(routes); i++) {
			const struct doc *route = doc_at(routes, i);

			if (doc_get(route, actions[a].key) == NULL)
				continue;
			any = true;
			route_rows_add(t, i, route, &actions[a], kinds, wide);
		}
		if (any) {
			str_printf(out, "%s\n", actions[a].title);
			text_table_print(t, out);
		}
		text_table_free(t);
	}
}

/* ---- objects */

static void
upstream_row(struct row *r, const struct doc *object,
	const struct upstream_kind *const *kinds)
{
	const struct doc *spec = doc_get(object, "upstreamSpec");
	const char *key = doc_count(spec) > 0 ? doc_key_at(spec, 0) : "";
	const struct upstream_kind *kind = kind_find(kinds, key);
	struct str *details;
	void *read;

	row_put(r, describe_name(object));
	row_put(r, kind != NULL ? kind->title : "Unknown");
	row_put(r, state_of(object));
	details = row_cell(r);
	read = kind != NULL ? kind->read(doc_value_at(spec, 0), NULL) : NULL;
	if (read == NULL)
		return;
	kind->details(read, details);
	kind->free(read);
}

/* "{stage:prod, version:v1}" */
static void
subset_put(struct str *s, const struct doc *values)
{
	str_puts(s, "subset: {");
	for (size_t i = 0; i < doc_count(values); i++)
		str_printf(s, "%s%s:%s", i > 0 ? ", " : "",
			doc_key_at(values, i),
			text_or(doc_string(doc_value_at(values, i)), ""));
	str_puts(s, "}\n");
}

static void
weighted_put(struct str *s, const struct doc *d, long long total)
{
	const struct doc *ref =
		doc_find(d, "destination", "upstream", NULL);
	const struct doc *values =
		doc_find(d, "destination", "subset", "values", NULL);
	long long weight = (long long)doc_integer(doc_get(d, "weight"));

	str_printf(s, "destination type: Upstream\nnamespace: %s\nname: %s\n",
		text_or(doc_get_string(ref, "namespace"), ""),
		text_or(doc_get_string(ref, "name"), ""));
	if (doc_count(values) > 0)
		subset_put(s, values);
	str_printf(s, "weight: %lld   %% total: %.2f", weight,
		total > 0 ? 100.0 * (double)weight / (double)total : 0.0);
}

static void
upstream_group_row(struct row *r, const struct doc *object,
	const struct upstream_kind *const *kinds)
{
	const struct doc *list = doc_get(object, "destinations");
	long long total = 0;
	struct str *details;

	(void)kinds;
	for (size_t i = 0; i < doc_count(list); i++)
		total += (long long)doc_integer(
			doc_get(doc_at(list, i), "weight"));
	row_put(r, describe_name(object));
	row_put(r, state_of(object));
	str_printf(row_cell(r), "%lld", total);
	details = row_cell(r);
	for (size_t i = 0; i < doc_count(list); i++) {
		str_puts(details, i > 0 ? "\n\n" : "");
		weighted_put(details, doc_at(list, i), total);
	}
}

/* An option, and of Gloo's rate limit what it says. */
static void
plugin_add(struct str *s, const char *key, const struct doc *value)
{
	const struct doc *limits = doc_get(value, "anonymousLimits");

	row_item_add(s, "\n", key);
	if (limits != NULL)
		str_printf(s, "\n%lld per %s",
			(long long)doc_integer(
				doc_get(limits, "requestsPerUnit")),
			text_or(doc_get_string(limits, "unit"), ""));
}

static void
virtual_service_row(struct row *r, const struct doc *object,
	const struct upstream_kind *const *kinds)
{
	const struct doc *host = doc_get(object, "virtualHost");
	const struct doc *domains = doc_get(host, "domains");
	const struct doc *options = doc_get(host, "options");
	const struct doc *routes = doc_get(host, "routes");
	struct str *s;

	row_put(r, describe_name(object));
	s = row_cell(r);
	for (size_t i = 0; i < doc_count(domains); i++)
		row_item_add(s, "\n", doc_string(doc_at(domains, i)));
	if (doc_count(domains) == 0)
		str_puts(s, "*");
	row_put(r, "none");
	row_put(r, state_of(object));
	s = row_cell(r);
	for (size_t i = 0; i < doc_count(options); i++)
		plugin_add(s, doc_key_at(options, i), doc_value_at(options, i));
	s = row_cell(r);
	for (size_t i = 0; i < doc_count(routes); i++) {
		if (i > 0)
			str_putc(s, '\n');
		describe_matchers(doc_at(routes, i), s);
		str_puts(s, " -> ");
		describe_action(doc_at(routes, i), kinds, s);
	}
}

/* "[::]:8080" */
static void
address_put(struct str *s, const struct doc *d)
{
	const char *ip = text_or(doc_get_string(d, "bindAddress"), "::");

	str_printf(s, strchr(ip, ':') != NULL ? "[%s]:%lld" : "%s:%lld", ip,
		(long long)doc_integer(doc_get(d, "bindPort")));
}

/* "TCP -> mysql": of no virtual service. */
static void
tcp_host_put(struct str *s, const struct doc *host)
{
	str_printf(s, "%s -> %s",
		text_or(doc_get_string(host, "protocol"), "TCP"),
		text_or(doc_string(doc_find(host, "destination", "single",
				"upstream", "name", NULL)),
			""));
}

static void
gateway_row(struct row *r, const struct doc *object,
	const struct upstream_kind *const *kinds)
{
	const struct doc *refs = doc_get(object, "virtualServices");
	const struct doc *tcp =
		doc_find(object, "tcpGateway", "tcpHosts", NULL);
	struct str *s;

	(void)kinds;
	if (refs == NULL)
		refs = doc_find(object, "httpGateway", "virtualServices", NULL);
	row_put(r, describe_name(object));
	address_put(row_cell(r), object);
	row_put(r, state_of(object));
	s = row_cell(r);
	if (tcp != NULL) {
		tcp_host_put(s, doc_at(tcp, 0));
		return;
	}
	for (size_t i = 0; i < doc_count(refs); i++)
		row_item_add(s, "\n", doc_get_string(doc_at(refs, i), "name"));
	if (doc_count(refs) == 0)
		str_puts(s, "all");
}

/* What the daemon says of this object in /v1/status. */
static const struct doc *
status_find(const struct doc *status, enum model_type type,
	const struct doc *object)
{
	const struct doc *list = doc_get(status, "objects");

	for (size_t i = 0; i < doc_count(list); i++) {
		const struct doc *o = doc_at(list, i);
		const char *word = text_or(doc_get_string(o, "type"), "");
		const char *name = text_or(doc_get_string(o, "name"), "");
		const char *ns = text_or(doc_get_string(o, "namespace"), "");
		enum model_type its;

		if (model_type_parse(word, &its) == 0 && its == type &&
			strcmp(name, describe_name(object)) == 0 &&
			strcmp(ns, describe_namespace(object)) == 0)
			return o;
	}
	return NULL;
}

/* The other store that it is of, or NULL. */
static const char *
origin_of(const struct doc *object)
{
	return doc_string(doc_find(object, "status", "origin", NULL));
}

/* Broken here already, or what stands beside it would wait for its end. */
static void
reason_put(struct row *r, const char *text)
{
	struct str *s = row_cell(r), lines;

	if (text == NULL)
		return;
	str_init(&lines);
	text_table_wrap(text, &lines);
	str_append(s, lines.data, lines.length - 1); /* not the last end */
	str_fini(&lines);
}

static void
wide_cells(struct row *r, enum model_type type, const struct doc *object,
	const struct doc *status)
{
	const struct doc *o = status_find(status, type, object);

	row_put(r, describe_namespace(object));
	row_put(r, doc_string(doc_find(
			    object, "metadata", "resourceVersion", NULL)));
	if (doc_type(doc_get(o, "generation")) == DOC_INTEGER)
		str_printf(row_cell(r), "%lld",
			(long long)doc_integer(doc_get(o, "generation")));
	else
		row_put(r, "");
	row_put(r, doc_get_string(o, "proxy"));
	row_put(r, doc_get_string(o, "kernel"));
	reason_put(r, doc_string(doc_find(object, "status", "reason", NULL)));
	row_put(r, origin_of(object));
}

/* The last column is there when something in it is. */
#define WIDE_TITLES                                                            \
	"namespace", "version", "generation", "proxy", "kernel", "reason",     \
		"origin"
#define WIDE_COUNT 7

static size_t
wide_count(const struct doc *items)
{
	for (size_t i = 0; i < doc_count(items); i++)
		if (origin_of(doc_at(items, i)) != NULL)
			return WIDE_COUNT;
	return WIDE_COUNT - 1;
}

static const struct form {
	size_t columns;
	const char *titles[ROW_CELLS_MAX];
	void (*row)(struct row *r, const struct doc *object,
		const struct upstream_kind *const *kinds);
} object_forms[MODEL_TYPE_COUNT] = {
	[MODEL_UPSTREAM] = { 4,
		{ "upstream", "type", "status", "details", WIDE_TITLES },
		upstream_row },
	[MODEL_UPSTREAM_GROUP] = { 4,
		{ "upstream group", "status", "total weight", "details",
			WIDE_TITLES },
		upstream_group_row },
	[MODEL_VIRTUAL_SERVICE] = { 6,
		{ "virtual service", "domains", "ssl", "status", "plugins",
			"routes", WIDE_TITLES },
		virtual_service_row },
	[MODEL_GATEWAY] = { 4,
		{ "gateway", "address", "status", "virtual services",
			WIDE_TITLES },
		gateway_row },
};

/* As Gloo parts them. */
static void
apart_put(struct row *r, size_t columns, struct text_table *t)
{
	for (size_t i = 1; i < columns; i++)
		row_put(r, "");
	row_put(r, "---");
	row_end(r, t);
}

void
describe_objects(enum model_type type, const struct doc *items,
	const struct upstream_kind *const *kinds, const struct doc *status,
	struct str *out)
{
	const struct form *f = &object_forms[type];
	size_t more = status != NULL ? wide_count(items) : 0;
	struct text_table *t = text_table_new(f->columns + more, f->titles);
	struct row r = { .count = 0 };

	for (size_t i = 0; i < doc_count(items); i++) {
		if (type == MODEL_UPSTREAM_GROUP && i > 0)
			apart_put(&r, f->columns, t);
		f->row(&r, doc_at(items, i), kinds);
		if (status != NULL)
			wide_cells(&r, type, doc_at(items, i), status);
		row_end(&r, t);
	}
	text_table_print(t, out);
	text_table_free(t);
}

void
describe_proxies(const struct doc *items, struct str *out)
{
	static const char *const titles[] = { "proxy", "listeners",
		"virtual hosts", "status" };
	struct text_table *t = text_table_new(ARRAY_SIZE(titles), titles);
	struct row r = { .count = 0 };

	for (size_t i = 0; i < doc_count(items); i++) {
		const struct doc *proxy = doc_at(items, i);
		const struct doc *list = doc_get(proxy, "listeners");

		for (size_t l = 0; l < doc_count(list) || l == 0; l++) {
			const struct doc *one = doc_at(list, l);
			struct str *address;

			row_put(&r, l == 0 ? describe_name(proxy) : "");
			address = row_cell(&r);
			if (one != NULL)
				address_put(address, one);
			str_printf(row_cell(&r), "%zu",
				doc_count(doc_find(one, "httpListener",
					"virtualHosts", NULL)));
			row_put(&r, l == 0 ? state_of(proxy) : "");
			row_end(&r, t);
		}
	}
	text_table_print(t, out);
	text_table_free(t);
}
