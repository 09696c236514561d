/* Objects as rows of tables. */
#include "cli/describe.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/text_table.h"

#define CELLS_MAX 16

/* A row in the making; the texts of its cells may grow. */
struct row {
	struct str cells[CELLS_MAX];
	size_t count;
};

static struct str *
cell(struct row *r)
{
	str_init(&r->cells[r->count]);
	return &r->cells[r->count++];
}

static void
cell_put(struct row *r, const char *text)
{
	str_puts(cell(r), text != NULL ? text : "");
}

/* The row goes into the table and is empty again. */
static void
row_end(struct row *r, struct text_table *t)
{
	const char *texts[CELLS_MAX] = { NULL };

	for (size_t i = 0; i < r->count; i++)
		texts[i] = r->cells[i].data;
	text_table_add(t, texts);
	for (size_t i = 0; i < r->count; i++)
		str_fini(&r->cells[i]);
	r->count = 0;
}

/* A further item of a cell, behind the separator unless it is the first. */
static void
item_add(struct str *s, const char *separator, const char *text)
{
	str_printf(s, "%s%s", s->length > 0 ? separator : "",
		text != NULL ? text : "");
}

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

void
describe_action(const struct doc *route, struct str *out)
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
		str_puts(out, name);
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
		item_add(out, ", ", doc_string(doc_at(list, i)));
	if (doc_count(list) == 0)
		str_puts(out, "*");
}

struct action_type {
	const char *key, *title, *word;
};

static void
route_rows_add(struct text_table *t, size_t id, const struct doc *route,
	const struct action_type *action, bool wide)
{
	const struct doc *matchers = doc_get(route, "matchers");
	struct row r = { .count = 0 };

	for (size_t i = 0; i < doc_count(matchers) || i == 0; i++) {
		const struct doc *m = doc_at(matchers, i);
		const struct path_type *type;
		const char *path = path_of(m, &type);

		if (i == 0)
			str_printf(cell(&r), "%zu", id);
		else
			cell_put(&r, "");
		cell_put(&r, path);
		cell_put(&r, type->title);
		methods_describe(doc_get(m, "methods"), cell(&r));
		conditions_describe(doc_get(m, "headers"), cell(&r));
		cell_put(&r, i == 0 ? action->word : "");
		if (wide) {
			conditions_describe(
				doc_get(m, "queryParameters"), cell(&r));
			if (i == 0)
				describe_action(route, cell(&r));
			else
				cell_put(&r, "");
			cell_put(&r,
				i == 0 ? doc_get_string(route, "name") : "");
		}
		row_end(&r, t);
	}
}

void
describe_routes(const struct doc *routes, bool wide, struct str *out)
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
			route_rows_add(t, i, route, &actions[a], wide);
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

	cell_put(r, describe_name(object));
	cell_put(r, kind != NULL ? kind->title : "Unknown");
	cell_put(r, state_of(object));
	details = cell(r);
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
	cell_put(r, describe_name(object));
	cell_put(r, state_of(object));
	str_printf(cell(r), "%lld", total);
	details = cell(r);
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

	item_add(s, "\n", key);
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

	(void)kinds;
	cell_put(r, describe_name(object));
	s = cell(r);
	for (size_t i = 0; i < doc_count(domains); i++)
		item_add(s, "\n", doc_string(doc_at(domains, i)));
	if (doc_count(domains) == 0)
		str_puts(s, "*");
	cell_put(r, "none");
	cell_put(r, state_of(object));
	s = cell(r);
	for (size_t i = 0; i < doc_count(options); i++)
		plugin_add(s, doc_key_at(options, i), doc_value_at(options, i));
	s = cell(r);
	for (size_t i = 0; i < doc_count(routes); i++) {
		if (i > 0)
			str_putc(s, '\n');
		describe_matchers(doc_at(routes, i), s);
		str_puts(s, " -> ");
		describe_action(doc_at(routes, i), s);
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
	cell_put(r, describe_name(object));
	address_put(cell(r), object);
	cell_put(r, state_of(object));
	s = cell(r);
	if (tcp != NULL) {
		tcp_host_put(s, doc_at(tcp, 0));
		return;
	}
	for (size_t i = 0; i < doc_count(refs); i++)
		item_add(s, "\n", doc_get_string(doc_at(refs, i), "name"));
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

static void
wide_cells(struct row *r, enum model_type type, const struct doc *object,
	const struct doc *status)
{
	const struct doc *o = status_find(status, type, object);

	cell_put(r, describe_namespace(object));
	cell_put(r, doc_string(doc_find(
			    object, "metadata", "resourceVersion", NULL)));
	if (doc_type(doc_get(o, "generation")) == DOC_INTEGER)
		str_printf(cell(r), "%lld",
			(long long)doc_integer(doc_get(o, "generation")));
	else
		cell_put(r, "");
	cell_put(r, doc_get_string(o, "proxy"));
	cell_put(r, doc_get_string(o, "kernel"));
	cell_put(r, doc_string(doc_find(object, "status", "reason", NULL)));
	cell_put(r, origin_of(object));
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
	const char *titles[CELLS_MAX];
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
		cell_put(r, "");
	cell_put(r, "---");
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

/* ---- endpoints */

static bool
is_among(const struct doc *item, const struct doc *objects)
{
	const char *name = text_or(doc_get_string(item, "name"), "");
	const char *ns = text_or(doc_get_string(item, "namespace"), "");

	for (size_t i = 0; i < doc_count(objects); i++)
		if (strcmp(describe_name(doc_at(objects, i)), name) == 0 &&
			strcmp(describe_namespace(doc_at(objects, i)), ns) == 0)
			return true;
	return false;
}

static void
number_put(struct str *s, const struct doc *d, const char *key)
{
	str_printf(s, "%lld", (long long)doc_integer(doc_get(d, key)));
}

void
describe_age(struct str *s, long long seconds)
{
	if (seconds < 120)
		str_printf(s, "%lld s", seconds);
	else if (seconds < 2 * 3600)
		str_printf(s, "%lld min", seconds / 60);
	else if (seconds < 48 * 3600)
		str_printf(s, "%lld h", seconds / 3600);
	else
		str_printf(s, "%lld d", seconds / 86400);
}

static void
label_put(struct row *r, const struct doc *item)
{
	str_printf(cell(r), "%s.%s",
		text_or(doc_get_string(item, "namespace"), ""),
		text_or(doc_get_string(item, "name"), ""));
}

/* Why it is not up; or else why TLS with it fails. */
static void
why_put(struct row *r, const struct doc *e)
{
	const char *why = doc_get_string(e, "why");
	const char *problem = doc_get_string(e, "problem");

	if (why == NULL && problem != NULL)
		str_printf(cell(r), "TLS: %s", problem);
	else
		cell_put(r, why);
}

static void
endpoint_rows_add(struct text_table *t, const struct doc *item)
{
	const struct doc *list = doc_get(item, "endpoints");
	long long count = (long long)doc_integer(doc_get(item, "count"));
	long long more = count - (long long)doc_count(list);
	struct row r = { .count = 0 };

	for (size_t i = 0; i < doc_count(list) || i == 0; i++) {
		const struct doc *e = doc_at(list, i);

		if (i == 0)
			label_put(&r, item);
		else
			cell_put(&r, "");
		cell_put(&r, e == NULL ? "none" : doc_get_string(e, "address"));
		if (e != NULL) {
			number_put(cell(&r), e, "weight");
			cell_put(&r, doc_get_string(e, "health"));
			describe_age(cell(&r),
				(long long)doc_integer(doc_get(e, "seconds")));
			why_put(&r, e);
		}
		row_end(&r, t);
	}
	if (more <= 0)
		return;
	cell_put(&r, "");
	str_printf(cell(&r), "and %lld more", more);
	cell_put(&r, "");
	number_put(cell(&r), item, "up");
	str_printf(&r.cells[r.count - 1], " of %lld up", count);
	row_end(&r, t);
}

/* When discovery last brought another set, and whether it can be asked. */
static void
discovery_row_add(struct text_table *t, const struct doc *item)
{
	const struct doc *seconds = doc_get(item, "changedSeconds");
	struct row r = { .count = 0 };
	struct str *s;

	label_put(&r, item);
	s = cell(&r);
	if (seconds == NULL) {
		str_puts(s, "before the start");
	} else {
		describe_age(s, (long long)doc_integer(seconds));
		str_puts(s, " ago");
	}
	cell_put(&r, doc_get_string(item, "staleSince"));
	cell_put(&r, doc_get_string(item, "staleReason"));
	row_end(&r, t);
}

static void
in_use_row_add(struct text_table *t, const struct doc *item)
{
	static const char *const keys[] = { "connections", "pending",
		"requests", "retries" };
	struct row r = { .count = 0 };

	label_put(&r, item);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const struct doc *d = doc_find(item, "inUse", keys[i], NULL);
		struct str *s = cell(&r);

		number_put(s, d, "now");
		str_puts(s, " of ");
		number_put(s, d, "limit");
		if (doc_get(d, "idle") != NULL) {
			str_puts(s, ", ");
			number_put(s, d, "idle");
			str_puts(s, " idle");
		}
	}
	row_end(&r, t);
}

static void
so_far_row_add(struct text_table *t, const struct doc *item)
{
	static const char *const keys[] = { "made", "budgetUsedUp",
		"overMaxRetries" };
	const struct doc *retries = doc_get(item, "retries");
	struct row r = { .count = 0 };

	label_put(&r, item);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		number_put(cell(&r), retries, keys[i]);
	number_put(cell(&r), item, "ejections");
	number_put(cell(&r), item, "ejectionsWithheld");
	row_end(&r, t);
}

/* A table each, one below the other. */
static const struct endpoint_part {
	const char *head;
	const char *titles[8]; /* up to the first NULL */
	void (*add)(struct text_table *t, const struct doc *item);
} endpoint_parts[] = {
	{ "Endpoints",
		{ "upstream", "endpoint", "weight", "health", "for", "why" },
		endpoint_rows_add },
	{ "Discovery", { "upstream", "last change", "stale since", "why" },
		discovery_row_add },
	{ "In use",
		{ "upstream", "connections", "pending", "requests", "retries" },
		in_use_row_add },
	{ "Retries and ejections so far",
		{ "upstream", "retries", "budget used up", "over maxRetries",
			"ejections", "withheld" },
		so_far_row_add },
};

static void
endpoint_part_print(const struct endpoint_part *part, const struct doc *items,
	const struct doc *objects, struct str *out)
{
	struct text_table *t;
	size_t columns = 0;
	bool any = false;

	while (part->titles[columns] != NULL)
		columns++;
	t = text_table_new(columns, part->titles);
	for (size_t i = 0; i < doc_count(items); i++) {
		if (!is_among(doc_at(items, i), objects))
			continue;
		part->add(t, doc_at(items, i));
		any = true;
	}
	if (any) {
		str_printf(out, "%s\n", part->head);
		text_table_print(t, out);
	}
	text_table_free(t);
}

void
describe_endpoints(
	const struct doc *items, const struct doc *objects, struct str *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(endpoint_parts); i++)
		endpoint_part_print(&endpoint_parts[i], items, objects, out);
}

/* ---- services */

static void
service_row_add(struct text_table *t, const struct doc *item)
{
	const struct doc *relayed = doc_get(item, "relayed");
	struct row r = { .count = 0 };
	struct str *s;

	label_put(&r, item);
	str_printf(cell(&r), "%s/%s",
		text_or(doc_get_string(item, "address"), ""),
		text_or(doc_get_string(item, "protocol"), ""));
	cell_put(&r, doc_get_string(item, "mode"));
	number_put(cell(&r), item, "slot");
	s = cell(&r);
	str_puts(s, text_or(doc_get_string(item, "service"), ""));
	if (doc_get_string(item, "problem") != NULL)
		item_add(s, "; ", doc_get_string(item, "problem"));
	number_put(cell(&r), relayed, "open");
	number_put(cell(&r), item, "connections");
	s = cell(&r);
	number_put(s, doc_get(item, "ring"), "moved");
	str_puts(s, " / ");
	number_put(s, doc_get(item, "ring"), "pinned");
	row_end(&r, t);
}

static void
backend_rows_add(struct text_table *t, const struct doc *item)
{
	const struct doc *list = doc_get(item, "backends");
	struct row r = { .count = 0 };

	for (size_t i = 0; i < doc_count(list); i++) {
		const struct doc *b = doc_at(list, i);

		if (i == 0)
			label_put(&r, item);
		else
			cell_put(&r, "");
		cell_put(&r, doc_get_string(b, "address"));
		cell_put(&r, !doc_bool(doc_get(b, "reachable"))
				     ? "unreachable"
				     : doc_get_string(b, "state"));
		number_put(cell(&r), b, "ringSlots");
		number_put(cell(&r), b, "connections");
		number_put(cell(&r), b, "kept");
		number_put(cell(&r), b, "packets");
		number_put(cell(&r), b, "bytes");
		row_end(&r, t);
	}
}

void
describe_services(
	const struct doc *items, const struct doc *objects, struct str *out)
{
	static const char *const titles[] = { "service", "address", "mode",
		"slot", "served", "relayed", "kept", "moved / pinned" };
	static const char *const backend_titles[] = { "service", "backend",
		"state", "slots", "connections", "kept", "packets", "bytes" };
	struct text_table *t = text_table_new(ARRAY_SIZE(titles), titles);
	struct text_table *backends =
		text_table_new(ARRAY_SIZE(backend_titles), backend_titles);
	bool any = false, any_backend = false;

	for (size_t i = 0; i < doc_count(items); i++) {
		const struct doc *item = doc_at(items, i);

		if (!is_among(item, objects))
			continue;
		service_row_add(t, item);
		backend_rows_add(backends, item);
		any = true;
		any_backend |= doc_count(doc_get(item, "backends")) > 0;
	}
	if (any) {
		str_puts(out, "Services\n");
		text_table_print(t, out);
	}
	if (any_backend) {
		str_puts(out, "Backends\n");
		text_table_print(backends, out);
	}
	text_table_free(t);
	text_table_free(backends);
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

			cell_put(&r, l == 0 ? describe_name(proxy) : "");
			address = cell(&r);
			if (one != NULL)
				address_put(address, one);
			str_printf(cell(&r), "%zu",
				doc_count(doc_find(one, "httpListener",
					"virtualHosts", NULL)));
			cell_put(&r, l == 0 ? state_of(proxy) : "");
			row_end(&r, t);
		}
	}
	text_table_print(t, out);
	text_table_free(t);
}
