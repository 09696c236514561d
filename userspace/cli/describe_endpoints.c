/* Endpoints and services, as tables: how well what upstreams have is. */
#include <string.h>

#include "base/mem.h"
#include "cli/describe.h"
#include "cli/row.h"
#include "cli/text_table.h"

#define NAMES_SHOWN     20 /* of each upstream */
#define FUNCTIONS_SHOWN 20

/* ---- endpoints */

static bool
is_among(const struct doc *item, const struct doc *objects)
{
	const char *name = doc_get_text(item, "name");
	const char *ns = doc_get_text(item, "namespace");

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
	str_printf(row_cell(r), "%s.%s", doc_get_text(item, "namespace"),
		doc_get_text(item, "name"));
}

/* Why it is not up; or else why TLS with it fails. */
static void
why_put(struct row *r, const struct doc *e)
{
	const char *why = doc_get_string(e, "why");
	const char *problem = doc_get_string(e, "problem");

	if (why == NULL && problem != NULL)
		str_printf(row_cell(r), "TLS: %s", problem);
	else
		row_put(r, why);
}

/* "127.0.0.1:80", and the name that led there. */
static void
address_put(struct row *r, const struct doc *e)
{
	const char *host = doc_get_string(e, "host");
	struct str *s = row_cell(r);

	str_puts(s, e == NULL ? "none" : doc_get_text(e, "address"));
	if (host != NULL)
		str_printf(s, " (%s)", host);
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
			row_put(&r, "");
		address_put(&r, e);
		if (e != NULL) {
			number_put(row_cell(&r), e, "weight");
			row_put(&r, doc_get_string(e, "health"));
			describe_age(row_cell(&r),
				(long long)doc_integer(doc_get(e, "seconds")));
			why_put(&r, e);
		}
		row_end(&r, t);
	}
	if (more <= 0)
		return;
	row_put(&r, "");
	str_printf(row_cell(&r), "and %lld more", more);
	row_put(&r, "");
	number_put(row_cell(&r), item, "up");
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
	s = row_cell(&r);
	if (seconds == NULL) {
		str_puts(s, doc_integer(doc_get(item, "count")) == 0
				    ? "never"
				    : "before the start");
	} else {
		describe_age(s, (long long)doc_integer(seconds));
		str_puts(s, " ago");
	}
	row_put(&r, doc_get_string(item, "staleSince"));
	row_put(&r, doc_get_string(item, "staleReason"));
	row_end(&r, t);
}

/* Of a list below the item, one by one: the first has the item's label. */
static struct row
part_row(const struct doc *item, size_t i)
{
	struct row r = { .count = 0 };

	if (i == 0)
		label_put(&r, item);
	else
		row_put(&r, "");
	return r;
}

/* Of the last good answer, if there was one. */
static void
ttl_put(struct row *r, const struct doc *name)
{
	long long ttl = (long long)doc_integer(doc_get(name, "ttlSeconds"));
	struct str *s = row_cell(r);

	if (ttl > 0 || doc_integer(doc_get(name, "addresses")) > 0)
		describe_age(s, ttl);
}

static void
name_row_add(struct text_table *t, struct row *r, const struct doc *name)
{
	row_put(r, doc_get_string(name, "name"));
	number_put(row_cell(r), name, "addresses");
	ttl_put(r, name);
	describe_age(row_cell(r),
		(long long)doc_integer(doc_get(name, "askedAgainInMs")) / 1000);
	row_put(r, doc_get_string(name, "staleSince"));
	row_put(r, doc_get_string(name, "problem"));
	row_end(r, t);
}

/* Of many the first, those that cannot be resolved before the others. */
static void
name_rows_add(struct text_table *t, const struct doc *item)
{
	const struct doc *list = doc_get(item, "names");
	size_t shown = 0;
	struct row r;

	for (int well = 0; well < 2; well++)
		for (size_t i = 0; i < doc_count(list) && shown < NAMES_SHOWN;
			i++) {
			const struct doc *name = doc_at(list, i);

			if ((doc_get(name, "problem") == NULL) != well)
				continue;
			r = part_row(item, shown++);
			name_row_add(t, &r, name);
		}
	if (shown == doc_count(list))
		return;
	r = part_row(item, shown);
	str_printf(row_cell(&r), "and %zu more", doc_count(list) - shown);
	row_end(&r, t);
}

static void
data_center_rows_add(struct text_table *t, const struct doc *item)
{
	const struct doc *list = doc_get(item, "dataCenters");

	for (size_t i = 0; i < doc_count(list); i++) {
		const struct doc *one = doc_at(list, i);
		const char *name = doc_get_string(one, "name");
		struct row r = part_row(item, i);

		row_put(&r, name != NULL ? name : "the agent's own");
		number_put(row_cell(&r), one, "instances");
		number_put(row_cell(&r), one, "fit");
		number_put(row_cell(&r), one, "out");
		row_put(&r, doc_get_string(one, "problem"));
		row_end(&r, t);
	}
}

/* Of many the first. A map in place of the list: nobody knows which there are,
 * and why not. */
static void
function_rows_add(struct text_table *t, const struct doc *item)
{
	const struct doc *functions = doc_get(item, "functions");
	bool known = doc_type(functions) == DOC_LIST;
	size_t count = known ? doc_count(functions) : 0;
	struct row r;

	for (size_t i = 0; i < count && i < FUNCTIONS_SHOWN; i++) {
		r = part_row(item, i);
		row_put(&r, doc_string(doc_at(functions, i)));
		row_put(&r, "");
		row_end(&r, t);
	}
	if (count > 0 && count <= FUNCTIONS_SHOWN)
		return;
	r = part_row(item, count);
	if (count > 0)
		str_printf(
			row_cell(&r), "and %zu more", count - FUNCTIONS_SHOWN);
	else
		row_put(&r, known ? "none" : "not known");
	row_put(&r, doc_get_string(functions, "problem"));
	row_end(&r, t);
}

static void
credential_put(struct row *r, struct text_table *t, const char *what,
	const char *source, const char *expires, const char *why)
{
	row_put(r, what);
	row_put(r, source);
	row_put(r, expires);
	row_put(r, why);
	row_end(r, t);
}

/* Where they come from, never one of them: those of AWS, the keys of functions
 * and the tokens of Azure. */
static void
credential_rows_add(struct text_table *t, const struct doc *item)
{
	const struct doc *aws = doc_get(item, "credentials");
	const struct doc *tokens = doc_get(item, "tokens");
	const char *problem = doc_get_string(aws, "problem");
	const char *keys = doc_get_string(item, "keysFrom");
	const char *note = doc_get_string(item, "keysNote");
	size_t count = 0;
	struct row r;

	if (aws != NULL) {
		r = part_row(item, count++);
		if (problem == NULL && !doc_bool(doc_get(aws, "known")))
			problem = "there are none yet";
		credential_put(&r, t, "calls", doc_get_string(aws, "source"),
			doc_get_string(aws, "expiresAt"), problem);
	}
	if (keys != NULL || note != NULL) {
		r = part_row(item, count++);
		credential_put(&r, t, "calls", keys, NULL, note);
	}
	for (size_t i = 0; i < doc_count(tokens); i++) {
		const struct doc *one = doc_at(tokens, i);

		r = part_row(item, count++);
		credential_put(&r, t, doc_get_string(one, "of"),
			doc_get_string(one, "source"),
			doc_get_string(one, "expires"),
			doc_get_string(one, "problem"));
	}
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
		struct str *s = row_cell(&r);

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
		number_put(row_cell(&r), retries, keys[i]);
	number_put(row_cell(&r), item, "ejections");
	number_put(row_cell(&r), item, "ejectionsWithheld");
	row_end(&r, t);
}

/* A table each, one below the other. */
static const struct endpoint_part {
	const char *head;
	const char *titles[8]; /* up to the first NULL */
	void (*add)(struct text_table *t, const struct doc *item);
	const char *keys[3]; /* of items that have one of them; none: of all */
} endpoint_parts[] = {
	{ "Endpoints",
		{ "upstream", "endpoint", "weight", "health", "for", "why" },
		endpoint_rows_add, { NULL } },
	{ "Discovery", { "upstream", "last change", "stale since", "why" },
		discovery_row_add, { NULL } },
	{ "Names",
		{ "upstream", "name", "addresses", "ttl", "asked again in",
			"stale since", "why" },
		name_rows_add, { "names" } },
	{ "Data centres",
		{ "upstream", "data centre", "instances", "wanted",
			"not passing", "why" },
		data_center_rows_add, { "dataCenters" } },
	{ "Functions", { "upstream", "function", "why" }, function_rows_add,
		{ "functions" } },
	{ "Credentials", { "upstream", "for", "source", "expire", "why" },
		credential_rows_add, { "credentials", "keysFrom", "tokens" } },
	{ "In use",
		{ "upstream", "connections", "pending", "requests", "retries" },
		in_use_row_add, { NULL } },
	{ "Retries and ejections so far",
		{ "upstream", "retries", "budget used up", "over maxRetries",
			"ejections", "withheld" },
		so_far_row_add, { NULL } },
};

static bool
part_is_of(const struct endpoint_part *part, const struct doc *item)
{
	bool has = part->keys[0] == NULL;

	for (size_t i = 0; i < ARRAY_SIZE(part->keys) && part->keys[i] != NULL;
		i++)
		has |= doc_get(item, part->keys[i]) != NULL;
	return has;
}

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
		if (!is_among(doc_at(items, i), objects) ||
			!part_is_of(part, doc_at(items, i)))
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
	str_printf(row_cell(&r), "%s/%s", doc_get_text(item, "address"),
		doc_get_text(item, "protocol"));
	row_put(&r, doc_get_string(item, "mode"));
	number_put(row_cell(&r), item, "slot");
	s = row_cell(&r);
	str_puts(s, doc_get_text(item, "service"));
	if (doc_get_string(item, "problem") != NULL)
		row_item_add(s, "; ", doc_get_string(item, "problem"));
	number_put(row_cell(&r), relayed, "open");
	number_put(row_cell(&r), item, "connections");
	s = row_cell(&r);
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
			row_put(&r, "");
		row_put(&r, doc_get_string(b, "address"));
		row_put(&r, !doc_bool(doc_get(b, "reachable"))
				    ? "unreachable"
				    : doc_get_string(b, "state"));
		number_put(row_cell(&r), b, "ringSlots");
		number_put(row_cell(&r), b, "connections");
		number_put(row_cell(&r), b, "kept");
		number_put(row_cell(&r), b, "packets");
		number_put(row_cell(&r), b, "bytes");
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
