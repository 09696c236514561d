/* The key `kubernetes` in the text of settings.yaml. */
#include "cli/settings_key.h"

#include <string.h>

#include "base/doc.h"
#include "base/yaml.h"
#include "kinds/kubernetes/manifest.h"

#define COMMENT "# By glooctl install kube; glooctl uninstall takes it out.\n"

static void
block_put(struct str *out, const char *address)
{
	str_puts(out, COMMENT SETTINGS_KEY ":\n");
	if (address != NULL)
		str_printf(out, "  address: \"%s\"\n", address);
	str_puts(out, "  kubeconfig: " SETTINGS_KEY_KUBECONFIG "\n"
		      "  namespace: " KUBERNETES_NAMESPACE "\n"
		      "  serviceAccount: " KUBERNETES_ACCOUNT "\n");
}

/* NULL without err: the text says nothing. */
static struct doc *
settings_doc(struct slice text, struct error *err)
{
	struct error its = ERROR_INIT;
	struct doc *d = yaml_doc_read(text.data, text.length, &its);

	if (d == NULL && its.code == ERROR_NONE)
		return doc_new_map();
	if (doc_type(d) == DOC_NULL && d != NULL) {
		doc_free(d);
		return doc_new_map();
	}
	if (d != NULL && doc_type(d) == DOC_MAP)
		return d;
	if (d != NULL)
		error_set(err, ERROR_CONFIG, "it is not a map of keys");
	else
		error_set(err, its.code, "line %d: %s", its.line, its.text);
	doc_free(d);
	return NULL;
}

/* Whether the new text says what the old one did, but for the key. */
static bool
same_but_key(struct doc *old, struct slice text, bool with)
{
	struct doc *new = settings_doc(text, NULL);
	bool same = new != NULL && (doc_get(new, SETTINGS_KEY) != NULL) == with;

	doc_free(doc_steal(old, SETTINGS_KEY));
	if (same) {
		doc_free(doc_steal(new, SETTINGS_KEY));
		same = doc_equal(old, new);
	}
	doc_free(new);
	return same;
}

/* What would let the daemon use another account or address. */
static void
compare(const struct doc *key, const char *address, struct error *err)
{
	const char *config = doc_get_text(key, "kubeconfig");
	const char *ip = doc_get_text(key, "address");

	if (strcmp(config, SETTINGS_KEY_KUBECONFIG) != 0)
		error_set(err, ERROR_CONFIG,
			SETTINGS_KEY ".kubeconfig is \"%.200s\", not "
			"\"" SETTINGS_KEY_KUBECONFIG "\": it stays",
			config);
	else if (address != NULL && strcmp(ip, address) != 0)
		error_set(err, ERROR_CONFIG,
			SETTINGS_KEY ".address is \"%.64s\", not \"%s\": it "
			"stays",
			ip, address);
}

int
settings_key_add(struct slice text, const char *address, struct str *out,
	struct error *err)
{
	struct doc *old = settings_doc(text, err);
	size_t begin = out->length, block;
	int rc = 0;

	if (old == NULL)
		return -1;
	str_append(out, text.data, text.length);
	if (doc_get(old, SETTINGS_KEY) != NULL) {
		compare(doc_get(old, SETTINGS_KEY), address, err);
		doc_free(old);
		return 1;
	}
	if (text.length > 0 && text.data[text.length - 1] != '\n')
		str_putc(out, '\n');
	if (text.length > 0)
		str_putc(out, '\n');
	block = out->length;
	block_put(out, address);
	if (!same_but_key(old,
		    (struct slice){ out->data + begin, out->length - begin },
		    true))
		rc = error_set(err, ERROR_CONFIG,
			"it is not written so that a key could be added at its "
			"end; add this to it:\n%s",
			out->data + block);
	doc_free(old);
	return rc;
}

/* ---- taking it out */

static const char *
line_end(const char *p, const char *end)
{
	const char *newline = memchr(p, '\n', (size_t)(end - p));

	return newline == NULL ? end : newline + 1;
}

static bool
line_is(const char *p, const char *end, const char *line)
{
	size_t length = strlen(line);

	return (size_t)(end - p) >= length && memcmp(p, line, length) == 0;
}

/* The lines of the key: its own, and those after it that are indented or, as
 * lists may be, begin with a dash. */
static const char *
key_end(const char *key, const char *end)
{
	const char *p = line_end(key, end), *last = p;

	while (p < end && strchr(" \t-\n\r", *p) != NULL) {
		const char *next = line_end(p, end);

		if (*p != '\n' && *p != '\r')
			last = next;
		p = next;
	}
	return last;
}

static const char *
key_begin(const char *text, const char *end)
{
	for (const char *p = text; p < end; p = line_end(p, end))
		if (line_is(p, end, SETTINGS_KEY ":"))
			return p;
	return NULL;
}

/* Our comment above it goes too, and the empty line above that. */
static const char *
comment_begin(const char *text, const char *key)
{
	size_t length = strlen(COMMENT);

	if ((size_t)(key - text) < length ||
		memcmp(key - length, COMMENT, length) != 0)
		return key;
	key -= length;
	if (key - text >= 2 && key[-1] == '\n' && key[-2] == '\n')
		key--;
	return key;
}

/* What names another account was written by hand. */
static bool
is_ours(const struct doc *settings, struct error *err)
{
	struct error its = ERROR_INIT;

	compare(doc_get(settings, SETTINGS_KEY), NULL, &its);
	if (its.code == ERROR_NONE)
		return true;
	error_set(err, its.code, "%s", its.text);
	return false;
}

int
settings_key_remove(struct slice text, struct str *out, struct error *err)
{
	const char *end = text.data + text.length, *key;
	struct doc *old = settings_doc(text, err);
	size_t begin = out->length;
	int rc = 0;

	if (old == NULL)
		return -1;
	key = key_begin(text.data, end);
	if (doc_get(old, SETTINGS_KEY) == NULL || !is_ours(old, err)) {
		str_append(out, text.data, text.length);
		doc_free(old);
		return 1;
	}
	if (key != NULL) {
		const char *rest = key_end(key, end);

		key = comment_begin(text.data, key);
		str_append(out, text.data, (size_t)(key - text.data));
		str_append(out, rest, (size_t)(end - rest));
	}
	if (key == NULL ||
		!same_but_key(old,
			(struct slice){ out->data + begin,
				out->length - begin },
			false))
		rc = error_set(err, ERROR_CONFIG,
			"its key " SETTINGS_KEY " is not written as a block; "
			"take it out by hand");
	doc_free(old);
	return rc;
}
