/*
 * A kind of upstream with functions that a test drives, in the place of azure
 * (so that secrets of that type are its own): its discovery reports what the
 * test says, and tells what control told it. A call to it is "call:" and the
 * name of the function, an app of the spec behind it. To be included before
 * control_child.h.
 */
#ifndef TESTS_UNIT_CONTROL_FUNCTION_KIND_H
#define TESTS_UNIT_CONTROL_FUNCTION_KIND_H

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/dialect.h"
#include "model/kind.h"
#include "model/schema.h"
#include "model/tables.h"
#include "net/loop.h"

#define CALLED_TEXT    128
#define CALLED_WAIT_MS 15000

/* Shared by the test and the control process. Each text is written by one side
 * alone, before the number behind it. */
struct called {
	/* To the kind: what to report, of the upstream whose spec has the app
	 * of that name. "a,b": functions; "-": not known. */
	char app[CALLED_TEXT], functions[CALLED_TEXT], credentials[CALLED_TEXT];
	enum called_what {
		CALLED_FUNCTIONS = 1,
		CALLED_CREDENTIALS = 2,
		CALLED_PROBE_ENDS = 4,
	} what;
	_Atomic uint32_t asked, done;
	/* From it. */
	char secret[CALLED_TEXT]; /* keys of the last that was got; "-": none */
	char meta[CALLED_TEXT];   /* of the last that was watched */
	char used[CALLED_TEXT];   /* when functions were reported; "a b " */
	_Atomic uint32_t opened, watched, secrets_changed, refused, probed;
};

static struct called *called;

/* ---- the spec */

struct called_spec {
	char *app;
	struct model_ref *secret;
	bool tls;
	uint64_t request_max;
};

static const struct schema_field called_fields[] = {
	{ .name = "app", .type = SCHEMA_STRING, SCHEMA_AT(called_spec, app) },
	{ .name = "maxRequestBytes",
		.type = SCHEMA_NUMBER,
		SCHEMA_AT(called_spec, request_max),
		.max = 1 << 30 },
	{ .name = "secretRef",
		.type = SCHEMA_POINTER,
		SCHEMA_AT(called_spec, secret),
		.sub = &model_ref_schema },
	{ .name = "tls", .type = SCHEMA_BOOL, SCHEMA_AT(called_spec, tls) },
	{ .name = NULL },
};

static const struct schema called_schema = {
	.fields = called_fields,
	.size = sizeof(struct called_spec),
};

static inline void *
called_read(const struct doc *d, struct error *err)
{
	return schema_read_new(&called_schema, d, err);
}

static inline struct doc *
called_print(const void *spec)
{
	return schema_print(&called_schema, spec);
}

static inline void
called_free(void *spec)
{
	if (spec != NULL)
		schema_fini(&called_schema, spec);
	free(spec);
}

static inline void
called_details(const void *spec, struct str *lines)
{
	str_printf(lines, "app: %s\n", ((const struct called_spec *)spec)->app);
}

static inline const struct model_ref *
called_secret(const void *spec)
{
	return ((const struct called_spec *)spec)->secret;
}

static inline bool
called_tls(const void *spec)
{
	return ((const struct called_spec *)spec)->tls;
}

/* ---- its dialect, control's part */

static inline int
called_write(const void *spec, const struct doc *destination,
	const char *const *known, size_t known_count, struct str *settings,
	struct str *warning, struct error *err)
{
	const struct called_spec *s = spec;
	const char *name = doc_get_string(destination, "functionName");
	bool found = known == NULL;

	if (name == NULL)
		return error_set(
			err, ERROR_CONFIG, "the route names no function");
	for (size_t i = 0; i < known_count; i++)
		found |= strcmp(known[i], name) == 0;
	str_printf(settings, "call:%s/%s", name, s->app);
	if (!found)
		str_printf(warning, "no function is named \"%s\"", name);
	return 0;
}

static inline uint64_t
called_request_max(const void *spec)
{
	return ((const struct called_spec *)spec)->request_max;
}

static const struct dialect called_dialect = {
	.write = called_write,
	.request_max = called_request_max,
};

/* ---- its discovery */

struct calling {
	struct kind_host *host;
	const struct called_spec *spec;
	struct loop_timer *timer;
	uint32_t done;
	kind_finding_f *each;
	void (*probe_done)(void *arg);
	void *probe_arg;
};

static inline void
called_secret_tell(const struct calling *w)
{
	const struct model_secret *s = w->host->secret_get(w->host);
	struct str text;

	str_init(&text);
	if (s == NULL)
		str_puts(&text, "-");
	for (size_t i = 0; s != NULL && i < s->api_key_count; i++)
		str_printf(&text, "%s ", s->api_keys[i].key);
	snprintf(called->secret, CALLED_TEXT, "%s", text.data);
	str_fini(&text);
}

static inline void
called_on_used(const char *name, void *arg)
{
	str_printf(arg, "%s ", name);
}

static inline void
called_functions_report(struct calling *w)
{
	char text[CALLED_TEXT], *rest = text, *word;
	const char *names[16];
	size_t count = 0;
	struct str used;

	str_init(&used);
	w->host->functions_used(w->host, called_on_used, &used);
	snprintf(called->used, CALLED_TEXT, "%s", used.data);
	str_fini(&used);
	snprintf(text, sizeof(text), "%s", called->functions);
	while (count < 16 && (word = strsep(&rest, ",")) != NULL)
		if (word[0] != '\0')
			names[count++] = word;
	if (strcmp(called->functions, "-") == 0)
		w->host->functions_replace(w->host, NULL, 0);
	else
		w->host->functions_replace(w->host, names, count);
}

static inline void
called_on_timer(void *arg)
{
	struct calling *w = arg;

	loop_timer_start(w->timer, 1);
	if (w->done == called->asked || w->spec->app == NULL ||
		strcmp(called->app, w->spec->app) != 0)
		return;
	w->done = called->asked;
	if (called->what & CALLED_FUNCTIONS)
		called_functions_report(w);
	if (called->what & CALLED_CREDENTIALS)
		w->host->credentials_replace(w->host, called->credentials,
			strlen(called->credentials));
	if (called->what & CALLED_PROBE_ENDS) {
		w->each(KIND_ERROR, "lambda:List\x1b is not permitted",
			w->probe_arg);
		w->probe_done(w->probe_arg);
	}
	called->done = w->done;
}

static inline void *
called_watch(const void *spec, struct kind_host *host)
{
	struct calling *w = xcalloc(1, sizeof(*w));
	struct endpoint e = { .weight = 1 };

	if (host->shared != called)
		abort();
	w->host = host;
	w->spec = spec;
	w->done = called->asked;
	snprintf(called->meta, CALLED_TEXT, "%s.%s", host->meta->ns,
		host->meta->name);
	addr_parse_ip("127.0.0.1", 80, &e.addr);
	host->endpoints_replace(host, &e, 1);
	called_secret_tell(w);
	w->timer = loop_timer_new(host->loop, called_on_timer, w);
	called_on_timer(w);
	called->watched++;
	return w;
}

static inline void
called_unwatch(void *state)
{
	struct calling *w = state;

	loop_timer_free(w->timer);
	free(w);
}

static inline void
called_secret_changed(void *state)
{
	called_secret_tell(state);
	called->secrets_changed++;
}

static inline void
called_refused(void *state)
{
	(void)state;
	called->refused++;
}

/* Until the test says that it is done. */
static inline void
called_probe(
	void *state, kind_finding_f *each, void (*done)(void *arg), void *arg)
{
	struct calling *w = state;

	w->each = each;
	w->probe_done = done;
	w->probe_arg = arg;
	each(KIND_OK, "the app is there", arg);
	called->probed++;
}

static inline void *
called_open(struct kind_program *program)
{
	if (doc_type(program->settings) != DOC_MAP)
		abort();
	called->opened++;
	return called;
}

static inline void
called_close(void *shared)
{
	(void)shared;
}

static const struct upstream_kind upstream_kind_called = {
	.key = "azure",
	.title = "Azure",
	.read = called_read,
	.print = called_print,
	.free = called_free,
	.details = called_details,
	.tls = called_tls,
	.dialect = &called_dialect,
	.function_key = "functionName",
	.secret = called_secret,
	.secret_changed = called_secret_changed,
	.credentials_refused = called_refused,
	.probe = called_probe,
	.watch = called_watch,
	.unwatch = called_unwatch,
	.settings_key = "azure",
	.settings_optional = true,
	.open = called_open,
	.close = called_close,
};
#define CONTROL_CHILD_AZURE upstream_kind_called

/* ---- the test's side */

/* Before control is started. */
static inline void
called_make(void)
{
	called = mmap(NULL, sizeof(*called), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(called, MAP_FAILED);
}

static inline void
called_unmake(void)
{
	munmap(called, sizeof(*called));
}

static inline void
called_until(const _Atomic uint32_t *number, uint32_t least)
{
	uint64_t end = clock_monotonic_ms() + CALLED_WAIT_MS;

	while (*number < least) {
		if (clock_monotonic_ms() > end)
			fail_msg("stays %u, not %u", *number, least);
		poll(NULL, 0, 1);
	}
}

/* The upstream of that app does so; returns when it has. */
static inline void
called_do(const char *app, enum called_what what)
{
	snprintf(called->app, CALLED_TEXT, "%s", app);
	called->what = what;
	called->asked++;
	called_until(&called->done, called->asked);
}

static inline void
called_functions(const char *app, const char *names)
{
	snprintf(called->functions, CALLED_TEXT, "%s", names);
	called_do(app, CALLED_FUNCTIONS);
}

static inline void
called_credentials(const char *app, const char *bytes)
{
	snprintf(called->credentials, CALLED_TEXT, "%s", bytes);
	called_do(app, CALLED_CREDENTIALS);
}

#endif
