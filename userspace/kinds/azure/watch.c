/*
 * An upstream of kind azure in control: the addresses of its host, which is
 * kept resolved; the credentials that calls need, from the secret, the
 * management API and the machine's identity; its functions, if they are
 * discovered. All of it goes to the host whole, whenever something of it is
 * another.
 *
 * Functions are discovered where the upstream has Gloo's label
 * discovery.solo.io/function_discovery: enabled. Keys are fetched where the
 * management API is known and there is no secret.
 */
#include "kinds/azure/watch.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/head.h"
#include "kinds/azure/azure.h"
#include "kinds/azure/inquiry.h"
#include "kinds/names_show.h"

#define DISCOVERY_LABEL "discovery.solo.io/function_discovery"
#define DISCOVERY_ON    "enabled"

/* A refusal is told for so long after the last one. */
#define REFUSED_MS 600000u

/* ---- endpoints */

static struct endpoint
endpoint_of(const struct azure_watch *w, const struct addr *a)
{
	struct endpoint e = { .addr = *a, .weight = 1, .health = ENDPOINT_UP };

	e.addr.port_be = htons(w->port);
	if (w->watched != NULL && w->name.length < sizeof(e.host)) {
		memcpy(e.host, w->name.data, w->name.length);
		e.host_rewrite = true;
	}
	return e;
}

static void
endpoints_report(struct azure_watch *w)
{
	const struct watched_state *s;
	struct endpoint *set;
	size_t count;

	if (w->watched == NULL) {
		struct endpoint only = endpoint_of(w, &w->literal);

		w->host->endpoints_replace(w->host, &only, 1);
		return;
	}
	s = watched_name_state(w->watched);
	if (s->count == 0 && !s->gone)
		return; /* what an earlier run knew stays */
	count = s->count < ENDPOINTS_MAX ? s->count : ENDPOINTS_MAX;
	set = xcalloc(count + 1, sizeof(*set));
	for (size_t i = 0; i < count; i++)
		set[i] = endpoint_of(w, &s->targets[i].addr);
	w->host->endpoints_replace(w->host, set, count);
	free(set);
}

/* What was found for another host is not asked as this one. */
static void
earlier_check(struct azure_watch *w)
{
	size_t count = 0;
	const struct endpoint *used = w->host->endpoints_used(w->host, &count);

	for (size_t i = 0; i < count; i++)
		if (strcasecmp(used[i].host, w->name.data) != 0 ||
			used[i].addr.port_be != htons(w->port)) {
			w->host->endpoints_replace(w->host, NULL, 0);
			return;
		}
}

/* ---- credentials */

const struct model_secret *
azure_watch_secret(const struct azure_watch *w, const char **why)
{
	const struct model_secret *s;

	*why = NULL;
	if (w->spec->secret == NULL)
		return NULL;
	s = w->host->secret_get(w->host);
	if (s == NULL)
		*why = "is not there";
	else if (s->type != MODEL_SECRET_AZURE)
		*why = "is none of kind azure (apiKeys)";
	return *why == NULL ? s : NULL;
}

static void
text_take(char **to, const char *text)
{
	mem_free_wiped(*to);
	*to = xstrdup(text);
}

static bool
key_is_good(const char *key)
{
	return key[0] != '\0' && strlen(key) <= AZURE_KEY_MAX &&
	       http_is_field_value(slice_of(key));
}

static void
secret_gather(const struct model_secret *s, struct azure_credentials *out)
{
	for (size_t i = 0; s != NULL && i < s->api_key_count; i++) {
		const struct model_pair *p = &s->api_keys[i];
		struct azure_known *known;

		if (!key_is_good(p->value))
			continue;
		if (strcmp(p->key, AZURE_KEYS_MASTER) == 0)
			text_take(&out->master, p->value);
		else if (strcmp(p->key, AZURE_KEYS_DEFAULT) == 0)
			text_take(&out->fallback, p->value);
		else if ((known = azure_credentials_add(out, p->key)) != NULL)
			text_take(&known->key, p->value);
	}
}

static void
found_gather(
	const struct azure_credentials *found, struct azure_credentials *out)
{
	if (found->master != NULL)
		text_take(&out->master, found->master);
	if (found->fallback != NULL)
		text_take(&out->fallback, found->fallback);
	for (size_t i = 0; i < found->count; i++) {
		const struct azure_known *f = &found->functions[i];
		struct azure_known *k = azure_credentials_add(out, f->name);

		k->level = f->level;
		k->path = f->path == NULL ? NULL : xstrdup(f->path);
		if (f->key != NULL)
			text_take(&k->key, f->key);
	}
}

static bool
keys_are_proven(const struct azure_watch *w)
{
	return w->catalog != NULL && azure_catalog_proves(w->catalog);
}

void
azure_watch_gather(const struct azure_watch *w, struct azure_credentials *out)
{
	const char *why;

	*out = (struct azure_credentials){ 0 };
	if (w->catalog != NULL)
		found_gather(azure_catalog_found(w->catalog), out);
	out->proven = keys_are_proven(w);
	secret_gather(azure_watch_secret(w, &why), out);
	if (w->app != NULL && azure_token_get(w->app) != NULL)
		text_take(&out->bearer, azure_token_get(w->app));
}

/* Whether it is that of other texts. */
static bool
digest_replace(unsigned char digest[DIGEST_LENGTH], const char *const *texts,
	size_t count)
{
	unsigned char old[DIGEST_LENGTH];

	memcpy(old, digest, DIGEST_LENGTH);
	digest_texts(texts, count, digest);
	return memcmp(old, digest, DIGEST_LENGTH) != 0;
}

static bool
secrets_replace(
	unsigned char digest[DIGEST_LENGTH], const struct azure_credentials *c)
{
	const char **texts = xcalloc(3 + 2 * c->count, sizeof(*texts));
	size_t count = 0;
	bool others;

	texts[count++] = c->bearer;
	texts[count++] = c->master;
	texts[count++] = c->fallback;
	for (size_t i = 0; i < c->count; i++) {
		if (c->functions[i].key == NULL)
			continue;
		texts[count++] = c->functions[i].name;
		texts[count++] = c->functions[i].key;
	}
	others = digest_replace(digest, texts, count);
	free(texts);
	return others;
}

/* Whether there is another key or token among them. */
static bool
credentials_report(struct azure_watch *w)
{
	struct azure_credentials c;
	struct str bytes;
	bool others;

	azure_watch_gather(w, &c);
	w->dropped = azure_credentials_fit(&c, AZURE_CREDENTIALS_MAX);
	others = secrets_replace(w->secrets, &c);
	str_init(&bytes);
	if (c.bearer != NULL || c.master != NULL || c.fallback != NULL ||
		c.count > 0)
		azure_credentials_write(&c, &bytes);
	azure_credentials_fini(&c);
	if (digest_replace(w->sent, (const char *const[]){ bytes.data }, 1)) {
		w->host->credentials_replace(w->host, bytes.data, bytes.length);
		azure_refusal_sent(&w->refusal, others, keys_are_proven(w),
			clock_monotonic_ms());
	}
	str_fini_wiped(&bytes);
	return others;
}

/* ---- functions */

static void
functions_report(struct azure_watch *w)
{
	const struct azure_credentials *found;
	const char **names;
	size_t count = 0;

	if (!w->discovers || w->catalog == NULL ||
		!azure_catalog_knows_functions(w->catalog))
		return;
	found = azure_catalog_found(w->catalog);
	names = xcalloc(found->count + 1, sizeof(*names));
	/* Those without a path are of the spec alone. */
	for (size_t i = 0; i < found->count; i++)
		if (found->functions[i].path != NULL)
			names[count++] = found->functions[i].name;
	w->host->functions_replace(w->host, names, count);
	free(names);
}

/* ---- what is wrong */

static const char *
name_problem(const struct azure_watch *w)
{
	const struct watched_state *s;

	if (w->watched == NULL)
		return NULL;
	s = watched_name_state(w->watched);
	return s->problem;
}

static char *
problem_make(const struct azure_watch *w)
{
	const char *one = name_problem(w);

	if (one != NULL)
		return xasprintf("the app's host %s is not resolved: %s; see "
				 "functionAppName, slot and hostname, and "
				 "dns.servers",
			w->name.data, one);
	if (w->management != NULL)
		one = azure_token_problem(w->management);
	if (one == NULL && w->catalog != NULL)
		one = azure_catalog_problem(w->catalog);
	if (one == NULL && w->app != NULL)
		one = azure_token_problem(w->app);
	return one == NULL ? NULL : xstrdup(one);
}

static bool
has_key(const struct azure_credentials *c, const struct azure_function *f)
{
	const struct azure_known *k = azure_credentials_find(c, f->name);

	if (f->level == AZURE_ANONYMOUS || c->master != NULL)
		return true;
	return f->level == AZURE_FUNCTION &&
	       (c->fallback != NULL || (k != NULL && k->key != NULL));
}

static char *
key_note_of(const struct azure_watch *w, const struct azure_function *f)
{
	const struct model_ref *ref = w->spec->secret;
	bool admin = f->level == AZURE_ADMIN;
	char *which = admin ? xstrdup("\"" AZURE_KEYS_MASTER "\"")
			    : xasprintf("\"%s\", \"" AZURE_KEYS_DEFAULT
					"\" or \"" AZURE_KEYS_MASTER "\"",
				      f->name);
	char *where, *note;

	if (ref != NULL)
		where = xasprintf("the secret %s.%s", ref->ns, ref->name);
	else if (azure_spec_is_managed(w->spec))
		where = xasprintf("the app \"%s\"", w->spec->app_name);
	else
		where = xstrdup("a secret, and the upstream its secretRef,");
	note = xasprintf("function \"%s\" cannot be called: its level is %s, "
			 "and there is no key for it; give %s the key %s",
		f->name, admin ? "Admin" : "Function", where, which);
	free(where);
	free(which);
	return note;
}

/* The first function of the spec that cannot be called; keys that are still to
 * be fetched are no reason. */
static char *
key_note(const struct azure_watch *w)
{
	struct azure_credentials c;
	char *note = NULL;
	const char *why;

	azure_watch_secret(w, &why);
	if (why != NULL)
		return NULL; /* control says it */
	if (w->spec->secret == NULL && azure_spec_is_managed(w->spec) &&
		(w->catalog == NULL || !azure_catalog_knows_keys(w->catalog)))
		return NULL;
	azure_watch_gather(w, &c);
	for (size_t i = 0; note == NULL && i < w->spec->function_count; i++) {
		const struct azure_function *f = &w->spec->functions[i];

		if (!has_key(&c, f))
			note = key_note_of(w, f);
	}
	azure_credentials_fini(&c);
	return note;
}

static char *
note_make(const struct azure_watch *w)
{
	char *note;

	if (w->discovers && w->catalog == NULL)
		return xstrdup("functions are not discovered: that needs "
			       "subscriptionId and resourceGroup; give the "
			       "upstream both, or take its "
			       "label " DISCOVERY_LABEL " away");
	note = azure_refusal_note(&w->refusal);
	if (note != NULL)
		return note;
	if (w->dropped > 0)
		return xasprintf(
			"keys and routes of %zu functions of \"%s\" have no "
			"room and are not used; list those that are called in "
			"functions",
			w->dropped, w->spec->app_name);
	return key_note(w);
}

static void
condition_report(struct azure_watch *w)
{
	const struct watched_state *s =
		w->watched == NULL ? NULL : watched_name_state(w->watched);
	char *problem = problem_make(w);

	if (problem == NULL && s != NULL && !s->answered)
		return; /* it is not known yet */
	kind_telling_set(&w->told, w->host, problem, note_make(w));
}

static void
report(struct azure_watch *w)
{
	credentials_report(w);
	azure_refusal_settle(&w->refusal, keys_are_proven(w));
	functions_report(w);
	condition_report(w);
}

/* ---- what changes */

static void
on_name(const struct watched_state *state, void *arg)
{
	struct azure_watch *w = arg;

	(void)state;
	endpoints_report(w);
	condition_report(w);
}

static void
on_app_token(void *arg)
{
	struct azure_watch *w = arg;

	/* credentials_report says if it is another one. */
	azure_refusal_token(
		&w->refusal, azure_token_get(w->app) != NULL &&
				     azure_token_problem(w->app) == NULL);
	report(w);
}

static void
on_management_token(void *arg)
{
	struct azure_watch *w = arg;

	azure_catalog_go(w->catalog);
	condition_report(w);
}

static void
on_catalog(void *arg)
{
	report(arg);
}

void
azure_secret_changed(void *state)
{
	struct azure_watch *w = state;

	if (credentials_report(w))
		azure_refusal_end(&w->refusal, keys_are_proven(w));
	condition_report(w);
}

/* It is not known which of them was: each is got anew. */
void
azure_credentials_refused(void *state)
{
	struct azure_watch *w = state;

	if (!azure_refusal_add(
		    &w->refusal, keys_are_proven(w), clock_monotonic_ms()))
		return;
	loop_timer_start(w->calm, REFUSED_MS);
	if (w->app != NULL)
		azure_token_refused(w->app);
	if (w->catalog != NULL)
		azure_catalog_refused(w->catalog);
	condition_report(w);
}

static void
on_calm(void *arg)
{
	struct azure_watch *w = arg;

	azure_refusal_end(&w->refusal, keys_are_proven(w));
	if (w->refusal.proven_ms != 0)
		loop_timer_start(w->calm, REFUSED_MS);
	condition_report(w);
}

/* ---- */

static bool
discovery_is_on(const struct model_meta *meta)
{
	for (size_t i = 0; meta != NULL && i < meta->label_count; i++)
		if (strcmp(meta->labels[i].key, DISCOVERY_LABEL) == 0)
			return strcmp(meta->labels[i].value, DISCOVERY_ON) == 0;
	return false;
}

static void
name_watch(struct azure_watch *w)
{
	azure_spec_host(w->spec, &w->name, &w->port);
	if (addr_parse_ip(w->name.data, w->port, &w->literal) == 0) {
		endpoints_report(w);
		return;
	}
	w->watched = watched_name_new(
		w->host->resolver, w->name.data, WATCHED_ADDRESSES, on_name, w);
	watched_name_pace(w->watched, w->host->dns_refresh_ms);
	earlier_check(w);
}

static void
management_watch(struct azure_watch *w)
{
	struct azure_catalog_options o = { .shared = w->shared,
		.spec = w->spec,
		.functions = w->discovers,
		.keys = w->spec->secret == NULL,
		.changed = on_catalog,
		.arg = w };
	char *origin;

	if (!azure_spec_is_managed(w->spec) || (!o.functions && !o.keys))
		return;
	origin = azure_inquiry_origin(w->shared, w->spec);
	w->management = azure_token_new(w->shared, origin,
		w->spec->identity_client_id, on_management_token, w);
	o.token = w->management;
	w->catalog = azure_catalog_new(&o);
	free(origin);
}

void *
azure_watch(const void *spec, struct kind_host *host)
{
	struct azure_watch *w = xcalloc(1, sizeof(*w));

	w->host = host;
	w->told.quotes = true;
	w->shared = host->shared;
	w->refusal.spec = w->spec = azure_spec_copy(spec);
	w->discovers = discovery_is_on(host->meta);
	str_init(&w->name);
	/* Nothing so far. */
	digest_replace(w->sent, (const char *const[]){ "" }, 1);
	w->calm = loop_timer_new(host->loop, on_calm, w);
	name_watch(w);
	management_watch(w);
	if (w->spec->authentication != NULL)
		w->app = azure_token_new(w->shared,
			w->spec->authentication->audience,
			w->spec->identity_client_id, on_app_token, w);
	report(w);
	return w;
}

void
azure_unwatch(void *state)
{
	struct azure_watch *w = state;

	if (w == NULL)
		return;
	azure_probings_free(w);
	watched_name_free(w->watched);
	azure_catalog_free(w->catalog);
	azure_token_free(w->management);
	azure_token_free(w->app);
	loop_timer_free(w->calm);
	kind_telling_fini(&w->told, w->host);
	azure_spec_free(w->spec);
	str_fini(&w->name);
	free(w);
}

/* ---- for people */

static void
token_show(struct doc *tokens, const char *what, const struct azure_token *t)
{
	struct doc *d;
	char until[CLOCK_TEXT_MAX];

	if (t == NULL)
		return;
	d = doc_add(tokens, doc_new_map());
	doc_set_string(d, "of", what);
	doc_set_string(d, "source", azure_token_source(t));
	if (azure_token_expires_ms(t) != 0)
		doc_set_string(d, "expires",
			clock_format(azure_token_expires_ms(t), until));
	if (azure_token_problem(t) != NULL)
		doc_set_string(d, "problem", azure_token_problem(t));
}

/* "names", "tokens", "keysFrom", "keysNote". */
void
azure_show(const void *state, struct doc *to)
{
	const struct azure_watch *w = state;
	struct doc *tokens = doc_new_list();
	char *note =
		azure_refusal_passing_note(&w->refusal, keys_are_proven(w));

	if (note != NULL)
		doc_set_string(to, "keysNote", note);
	free(note);
	if (w->watched != NULL)
		names_show_add(doc_set(to, "names", doc_new_list()),
			w->name.data, watched_name_state(w->watched));
	token_show(tokens, "the management API", w->management);
	token_show(tokens, "App Service authentication", w->app);
	if (doc_count(tokens) > 0)
		doc_set(to, "tokens", tokens);
	else
		doc_free(tokens);
	if (w->spec->secret != NULL)
		doc_set_string(to, "keysFrom", "the secret");
	else if (w->catalog != NULL)
		doc_set_string(to, "keysFrom", "the management API");
}
