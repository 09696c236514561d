/* Secrets as a table: all that may be known of them. */
#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/describe.h"
#include "cli/text_table.h"

enum column {
	NAME,
	TYPE,
	STATUS,
	EXPIRES,
	AGE,
	USERS,
	FINGERPRINT,
	SUBJECT,
	NAMESPACE,
	VERSION_COLUMN,
	REASON,
	ORIGIN,
	COLUMNS,
};

#define NARROW FINGERPRINT /* of them, without -o wide */

static const char *const titles[COLUMNS] = {
	[NAME] = "secret",
	[TYPE] = "type",
	[STATUS] = "status",
	[EXPIRES] = "expires",
	[AGE] = "age",
	[USERS] = "used by",
	[FINGERPRINT] = "fingerprint (SHA-256)",
	[SUBJECT] = "subject",
	[NAMESPACE] = "namespace",
	[VERSION_COLUMN] = "version",
	[REASON] = "reason",
	[ORIGIN] = "origin",
};

/* "2027-11-26 (364 d)" */
static void
expires_put(struct str *s, const char *text, uint64_t now_ms)
{
	uint64_t at;

	if (clock_parse(text, &at) != 0)
		return;
	str_printf(s, "%.10s ", text);
	if (at <= now_ms) {
		str_puts(s, "(expired)");
		return;
	}
	str_putc(s, '(');
	describe_age(s, (long long)((at - now_ms) / 1000));
	str_putc(s, ')');
}

static void
age_put(struct str *s, const char *text, uint64_t now_ms)
{
	uint64_t at;

	if (clock_parse(text, &at) == 0 && at <= now_ms)
		describe_age(s, (long long)((now_ms - at) / 1000));
}

static void
users_put(struct str *s, const struct doc *users)
{
	for (size_t i = 0; i < doc_count(users); i++)
		str_printf(s, "%s%s", i > 0 ? "\n" : "",
			doc_string(doc_at(users, i)));
}

static void
secret_put(struct str cells[COLUMNS], const struct doc *d, uint64_t now_ms)
{
	const struct doc *status = doc_get(d, "status");
	const struct doc *secret = doc_get(status, "secret");
	const char *type = doc_get_string(secret, "type");

	str_puts(&cells[NAME], describe_name(d));
	str_puts(&cells[TYPE], type != NULL ? type : "unknown");
	str_puts(&cells[STATUS], doc_get_text(status, "state"));
	expires_put(&cells[EXPIRES], doc_get_text(secret, "notAfter"), now_ms);
	age_put(&cells[AGE], doc_get_text(secret, "created"), now_ms);
	users_put(&cells[USERS], doc_get(secret, "usedBy"));
	str_puts(&cells[FINGERPRINT], doc_get_text(secret, "fingerprint"));
	str_puts(&cells[SUBJECT], doc_get_text(secret, "subject"));
	str_puts(&cells[NAMESPACE], describe_namespace(d));
	str_puts(&cells[VERSION_COLUMN],
		doc_get_text(doc_get(d, "metadata"), "resourceVersion"));
	str_puts(&cells[REASON], doc_get_text(status, "reason"));
	str_puts(&cells[ORIGIN], doc_get_text(status, "origin"));
}

/* The last column is there when something in it is. */
static size_t
wide_count(const struct doc *items)
{
	for (size_t i = 0; i < doc_count(items); i++)
		if (doc_find(doc_at(items, i), "status", "origin", NULL) !=
			NULL)
			return COLUMNS;
	return COLUMNS - 1;
}

void
describe_secrets(const struct doc *items, uint64_t now_ms, bool wide,
	struct str *out)
{
	struct text_table *t =
		text_table_new(wide ? wide_count(items) : NARROW, titles);

	for (size_t i = 0; i < doc_count(items); i++) {
		const char *texts[COLUMNS];
		struct str cells[COLUMNS];

		for (size_t k = 0; k < COLUMNS; k++)
			str_init(&cells[k]);
		secret_put(cells, doc_at(items, i), now_ms);
		for (size_t k = 0; k < COLUMNS; k++)
			texts[k] = cells[k].data;
		text_table_add(t, texts);
		for (size_t k = 0; k < COLUMNS; k++)
			str_fini(&cells[k]);
	}
	text_table_print(t, out);
	text_table_free(t);
}
