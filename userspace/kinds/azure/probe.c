/*
 * Whether all that an upstream of kind azure needs is permitted, for `glooctl
 * check azure`: the host's name, the keys, the tokens, and each question to the
 * management API, asked now, with the permission that is missing.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/table.h"
#include "kinds/azure/azure.h"
#include "kinds/azure/inquiry.h"
#include "kinds/azure/watch.h"
#include "net/loop.h"

struct azure_probing {
	struct azure_watch *watch;
	kind_finding_f *each;
	void (*done)(void *arg);
	void *arg;
	struct loop_timer *start;
	struct http_call *call; /* or NULL */
	enum azure_question question;
	struct azure_probing *next;
};

static void ask(struct azure_probing *p);

static void
probing_free(struct azure_probing *p)
{
	struct azure_probing **at = &p->watch->probings;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	if (p->call != NULL)
		http_call_cancel(p->call);
	loop_timer_free(p->start);
	free(p);
}

void
azure_probings_free(struct azure_watch *w)
{
	while (w->probings != NULL)
		probing_free(w->probings);
}

static void
finish(struct azure_probing *p)
{
	void (*done)(void *arg) = p->done;
	void *arg = p->arg;

	probing_free(p);
	done(arg);
}

static void __attribute__((format(printf, 3, 4)))
find(struct azure_probing *p, enum kind_level level, const char *fmt, ...)
{
	char sentence[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, args);
	va_end(args);
	text_defuse(sentence);
	p->each(level, sentence, p->arg);
}

/* ---- what is known already */

static void
name_find(struct azure_probing *p)
{
	const struct azure_watch *w = p->watch;
	const struct watched_state *s;

	if (w->watched == NULL)
		return;
	s = watched_name_state(w->watched);
	if (s->problem != NULL)
		find(p, s->count > 0 ? KIND_WARNING : KIND_ERROR, "%s: %s",
			w->name.data, s->problem);
	else if (!s->answered)
		find(p, KIND_WARNING, "%s: is still being looked up",
			w->name.data);
	else
		find(p, KIND_OK, "%s has %zu addresses", w->name.data,
			s->count);
}

static void
secret_find(struct azure_probing *p)
{
	const struct azure_watch *w = p->watch;
	const struct model_ref *ref = w->spec->secret;
	const struct model_secret *s;
	const char *why;

	if (ref == NULL) {
		if (!azure_spec_is_managed(w->spec))
			find(p, KIND_NOTE,
				"there is no secret and no subscriptionId with "
				"resourceGroup: only anonymous functions can "
				"be called");
		return;
	}
	s = azure_watch_secret(w, &why);
	if (s == NULL)
		find(p, KIND_ERROR, "the secret %s.%s %s", ref->ns, ref->name,
			why);
	else
		find(p, KIND_OK, "the secret %s.%s has %zu keys", ref->ns,
			ref->name, s->api_key_count);
}

struct asked {
	struct azure_probing *probing;
	struct azure_credentials known;
	struct table *names; /* they were looked at */
};

static void
function_find(struct asked *a, const char *name, uint8_t level)
{
	const struct azure_spec *spec = a->probing->watch->spec;
	const struct azure_credentials *c = &a->known;
	const struct azure_known *k = azure_credentials_find(c, name);
	bool own = k != NULL && k->key != NULL;
	bool keys = spec->secret != NULL || azure_spec_is_managed(spec);

	if (table_get(a->names, name) != NULL)
		return;
	table_set(a->names, name, a->names);
	if (level == AZURE_ADMIN && c->master == NULL)
		find(a->probing, KIND_ERROR,
			"function %s: level Admin needs the key _master, which "
			"is not there",
			name);
	else if (level == AZURE_ADMIN || level == AZURE_ANONYMOUS || own ||
		 c->fallback != NULL)
		return;
	else if (c->master != NULL)
		find(a->probing, KIND_NOTE,
			"function %s is called with the master key, which "
			"opens the whole app; give it a key of its own",
			name);
	else if (level == AZURE_FUNCTION || keys)
		find(a->probing, KIND_ERROR,
			"function %s: there is no key for it", name);
}

static void
on_used(const char *name, void *arg)
{
	struct asked *a = arg;
	const struct azure_known *k = azure_credentials_find(&a->known, name);

	function_find(a, name, k == NULL ? AZURE_LEVEL_UNKNOWN : k->level);
}

/* Those of the spec, then those of routes. */
static void
functions_find(struct azure_probing *p)
{
	const struct azure_watch *w = p->watch;
	struct asked a = { .probing = p, .names = table_new(NULL) };

	azure_watch_gather(w, &a.known);
	for (size_t i = 0; i < w->spec->function_count; i++)
		function_find(&a, w->spec->functions[i].name,
			w->spec->functions[i].level);
	w->host->functions_used(w->host, on_used, &a);
	azure_credentials_fini(&a.known);
	table_free(a.names);
}

static void
token_find(
	struct azure_probing *p, const struct azure_token *t, const char *what)
{
	if (t == NULL)
		return;
	if (azure_token_problem(t) != NULL)
		find(p, azure_token_get(t) != NULL ? KIND_WARNING : KIND_ERROR,
			"%s", azure_token_problem(t));
	else if (azure_token_get(t) == NULL)
		find(p, KIND_WARNING, "a token for %s is still asked for",
			what);
	else
		find(p, KIND_OK, "there is a token for %s from %s", what,
			azure_token_source(t));
}

/* ---- what is asked now */

static bool
is_needed(const struct azure_watch *w, enum azure_question question)
{
	return question == AZURE_ASK_FUNCTIONS ? w->discovers
					       : w->spec->secret == NULL;
}

/* A function whose keys can be asked for; NULL: none is known. */
static const char *
some_function(const struct azure_watch *w)
{
	const struct azure_credentials *found = azure_catalog_found(w->catalog);

	if (w->spec->function_count > 0)
		return w->spec->functions[0].name;
	return found->count > 0 ? found->functions[0].name : NULL;
}

static void
go_on(struct azure_probing *p)
{
	if (p->question == AZURE_ASK_FUNCTION_KEYS) {
		finish(p);
		return;
	}
	p->question++;
	ask(p);
}

static void
on_done(struct http_call *call, const struct http_result *r, void *arg)
{
	static const char *const what[] = { "its functions",
		"the keys of its host", "the keys of its functions" };
	struct azure_probing *p = arg;
	struct str why;

	(void)call;
	p->call = NULL;
	str_init(&why);
	if (azure_inquiry_failed(p->question, r, &why))
		find(p, KIND_ERROR, "%s: %s", what[p->question], why.data);
	else
		find(p, KIND_OK, "%s may be asked for", what[p->question]);
	str_fini(&why);
	go_on(p);
}

static void
ask(struct azure_probing *p)
{
	static const struct http_events events = { .done = on_done };
	const struct azure_watch *w = p->watch;
	const char *function = w->catalog == NULL ? NULL : some_function(w);
	struct str url;
	char *origin;

	if (w->management == NULL || azure_token_get(w->management) == NULL) {
		finish(p);
		return;
	}
	if (!is_needed(w, p->question) ||
		(p->question == AZURE_ASK_FUNCTION_KEYS && function == NULL)) {
		go_on(p);
		return;
	}
	origin = azure_inquiry_origin(w->shared, w->spec);
	str_init(&url);
	azure_management_url(origin, w->spec, p->question, function, &url);
	p->call = azure_inquiry_new(w->shared, p->question,
		azure_token_get(w->management), url.data, &events, p);
	str_fini(&url);
	free(origin);
}

static void
on_start(void *arg)
{
	struct azure_probing *p = arg;
	const struct azure_watch *w = p->watch;

	name_find(p);
	secret_find(p);
	functions_find(p);
	token_find(p, w->app, "App Service authentication");
	token_find(p, w->management, "the management API");
	p->question = AZURE_ASK_FUNCTIONS;
	ask(p);
}

void
azure_probe(
	void *state, kind_finding_f *each, void (*done)(void *arg), void *arg)
{
	struct azure_watch *w = state;
	struct azure_probing *p = xcalloc(1, sizeof(*p));

	*p = (struct azure_probing){ .watch = w,
		.each = each,
		.done = done,
		.arg = arg,
		.next = w->probings };
	w->probings = p;
	p->start = loop_timer_new(w->shared->loop, on_start, p);
	loop_timer_start(p->start, 0);
}
