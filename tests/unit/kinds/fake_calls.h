/*
 * An upstream of a kind whose upstreams take calls (model/dialect.h): beside
 * what fake_host.h writes down, "u credentials N" is the N-th that the host was
 * given ("u credentials -": none), "u functions a b" all that a destination may
 * name ("u functions ?": it is not known).
 */
#ifndef TESTS_UNIT_KINDS_FAKE_CALLS_H
#define TESTS_UNIT_KINDS_FAKE_CALLS_H

#include "fake_host.h"

#define CALLED_BYTES 4096
#define CALLED_NAMES 12 /* more are counted */
#define CALLED_USED  4

struct called {
	struct upstream upstream; /* first */
	struct model_meta meta;
	struct model_pair label;
	const struct model_secret *secret; /* NULL: it is not there */
	unsigned given;                    /* credentials so far */
	char bytes[CALLED_BYTES];          /* the last ones */
	size_t length;
	size_t names;                   /* of functions, the last time */
	const char *used[CALLED_USED];  /* functions, up to the first NULL */
	const char *known[CALLED_USED]; /* before, as those */
};

static inline const struct model_secret *
called_secret_get(struct kind_host *host)
{
	return ((struct called *)host)->secret;
}

static inline void
called_credentials(struct kind_host *host, const void *bytes, size_t length)
{
	struct called *c = (struct called *)host;

	assert_true(length <= sizeof(c->bytes));
	if (length > 0)
		memcpy(c->bytes, bytes, length);
	c->length = length;
	if (length > 0)
		str_printf(&told, "%s credentials %u\n", c->upstream.name,
			++c->given);
	else
		str_printf(&told, "%s credentials -\n", c->upstream.name);
}

static inline void
called_functions(struct kind_host *host, const char *const *names, size_t count)
{
	struct called *c = (struct called *)host;

	c->names = count;
	str_printf(&told, "%s functions", c->upstream.name);
	if (names == NULL)
		str_puts(&told, " ?");
	else if (count > CALLED_NAMES)
		str_printf(&told, " %zu", count);
	for (size_t i = 0; names != NULL && i < count; i++) {
		if (i > 0)
			assert_true(strcmp(names[i - 1], names[i]) < 0);
		if (count <= CALLED_NAMES)
			str_printf(&told, " %s", names[i]);
	}
	str_putc(&told, '\n');
}

static inline const char *const *
called_known(struct kind_host *host, size_t *count)
{
	const struct called *c = (struct called *)host;

	*count = 0;
	while (*count < CALLED_USED && c->known[*count] != NULL)
		++*count;
	return *count == 0 ? NULL : c->known;
}

static inline void
called_used(struct kind_host *host, kind_function_f *each, void *arg)
{
	const struct called *c = (struct called *)host;

	for (size_t i = 0; i < CALLED_USED && c->used[i] != NULL; i++)
		each(c->used[i], arg);
}

/* What is in use is to be put into c->upstream, and a secret into c, before
 * upstream_resume. key: of a label that says "enabled", or NULL. */
static inline void
called_init(struct called *c, const struct upstream_kind *kind, void *shared,
	const char *name, const char *key)
{
	struct kind_host *host = &c->upstream.host;

	memset(c, 0, sizeof(*c));
	upstream_init(&c->upstream, kind, shared, name);
	c->label = (struct model_pair){ (char *)key, (char *)"enabled" };
	c->meta = (struct model_meta){ .labels = &c->label,
		.label_count = key != NULL };
	host->secret_get = called_secret_get;
	host->credentials_replace = called_credentials;
	host->functions_replace = called_functions;
	host->functions_known = called_known;
	host->functions_used = called_used;
	host->meta = &c->meta;
}

#endif
