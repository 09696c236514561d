/* An upstream of AWS that control watches. */
#include "kinds/aws/watch.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/table.h"
#include "kinds/aws/function_name.h"
#include "kinds/aws/watch_inner.h"
#include "kinds/names_show.h"
#include "model/schema.h"

/* Beside the texts themselves in the bytes that the proxy is given. */
#define BYTES_BESIDE 64

bool
aws_tls(const void *data)
{
	struct str host;
	uint16_t port;
	bool tls;

	str_init(&host);
	aws_endpoint(data, AWS_LAMBDA, &host, &port, &tls);
	str_fini(&host);
	return tls;
}

/* ---- what is told */

static bool
is_pending(const struct aws_watch *w)
{
	if (w->watched != NULL && !watched_name_state(w->watched)->answered)
		return true;
	return w->provider != NULL && !aws_watch_has_credentials(w) &&
	       w->credentials_problem == NULL;
}

/* That its secret is not there, others say. The caller frees; NULL: none. */
static char *
problem_make(const struct aws_watch *w)
{
	const struct watched_state *s =
		w->watched == NULL ? NULL : watched_name_state(w->watched);

	if (s != NULL && s->problem != NULL)
		return xasprintf("cannot resolve \"%s\": %s%s", w->name,
			s->problem,
			s->gone ? ", said twice: it has no endpoints" : "");
	if (!aws_watch_has_credentials(w) && w->credentials_problem != NULL)
		return xasprintf(
			"there are no credentials: %s", w->credentials_problem);
	return NULL;
}

/* What does not hold though functions are called. */
static char *
note_make(const struct aws_watch *w)
{
	const char *c =
		aws_watch_has_credentials(w) ? w->credentials_problem : NULL;
	const char *f = w->functions_problem;

	if (c == NULL && f == NULL)
		return NULL;
	return xasprintf("%s%s%s%s",
		c == NULL ? "" : "the credentials are not renewed: ",
		c == NULL ? "" : c, c == NULL || f == NULL ? "" : "; ",
		f == NULL ? "" : f);
}

static void
condition_report(struct aws_watch *w)
{
	char *problem = problem_make(w);

	if (problem == NULL && is_pending(w))
		return;
	kind_telling_set(&w->told, w->host, problem, note_make(w));
}

/* Each once when it changes. */
static void
text_set(struct aws_watch *w, char **text, const char *now)
{
	free(*text);
	*text = now == NULL ? NULL : xstrdup(now);
	condition_report(w);
}

/* ---- what it was before */

/* Whether one of these keys says something else than it did when what is used
 * was found; not, if that is not known. */
static bool
has_changed(const struct aws_watch *w, const char *const *keys)
{
	const struct doc *used = w->host->used_spec;
	struct doc *now = schema_print(&aws_spec_schema, w->spec);
	bool changed = false;

	for (; used != NULL && *keys != NULL; keys++)
		changed |=
			!doc_equal(doc_get(used, *keys), doc_get(now, *keys));
	doc_free(now);
	return changed;
}

/* Of other functions than these nothing is known any more. */
static bool
has_other_functions(const struct aws_watch *w)
{
	static const char *const keys[] = { "region", "endpointUrl", "roleArn",
		"secretRef", NULL };

	return has_changed(w, keys);
}

/* Of another secret the host sees to that itself. */
static bool
has_other_role(const struct aws_watch *w)
{
	static const char *const keys[] = { "roleArn", NULL };

	return has_changed(w, keys);
}

/* ---- where Lambda is */

static void
endpoints_report(struct aws_watch *w, const struct watched_state *s)
{
	struct endpoint *set = xcalloc(s->count + 1, sizeof(*set));

	for (size_t i = 0; i < s->count; i++) {
		set[i] = w->common;
		memcpy(set[i].addr.ip, s->targets[i].addr.ip,
			sizeof(set[i].addr.ip));
	}
	w->host->endpoints_replace(w->host, set, s->count);
	free(set);
}

static void
on_name(const struct watched_state *state, void *arg)
{
	struct aws_watch *w = arg;

	if (state->count > 0 || state->gone)
		endpoints_report(w, state);
	condition_report(w);
}

/* What is used of its own name, of an earlier run too, stays until that is
 * known; what is used of another region's does not. */
static void
former_keep(struct aws_watch *w)
{
	size_t count = 0, kept = 0;
	const struct endpoint *used = w->host->endpoints_used(w->host, &count);
	struct endpoint *set = xcalloc(count + 1, sizeof(*set));

	for (size_t i = 0; i < count; i++) {
		if (strcasecmp(used[i].host, w->name) != 0 ||
			used[i].addr.port_be != w->common.addr.port_be)
			continue;
		set[kept] = w->common;
		set[kept++].addr = used[i].addr;
	}
	if (kept != count)
		w->host->endpoints_replace(w->host, set, kept);
	free(set);
}

static void
endpoint_watch(struct aws_watch *w, const char *host, uint16_t port)
{
	struct endpoint *e = &w->common;

	e->weight = 1;
	e->health = ENDPOINT_UP;
	if (addr_parse_ip(host, port, &e->addr) == 0) {
		w->host->endpoints_replace(w->host, e, 1);
		return;
	}
	e->addr.port_be = htons(port);
	/* It is who TLS asks for and checks, too. */
	snprintf(e->host, sizeof(e->host), "%s", host);
	e->host_rewrite = true;
	w->name = xstrdup(host);
	former_keep(w);
	w->watched = watched_name_new(
		w->host->resolver, host, WATCHED_ADDRESSES, on_name, w);
	watched_name_pace(w->watched, w->host->dns_refresh_ms);
}

/* ---- credentials */

static size_t
length_of(const char *text)
{
	return text == NULL ? 0 : strlen(text);
}

static void
credentials_give(struct aws_watch *w)
{
	const struct aws_credentials *c = &w->credentials;
	struct str bytes;

	str_init(&bytes);
	str_reserve(&bytes, length_of(c->access_key) +
				    length_of(c->secret_key) +
				    length_of(c->session_token) + BYTES_BESIDE);
	aws_credentials_write(c, &bytes);
	w->host->credentials_replace(w->host, bytes.data, bytes.length);
	str_fini_wiped(&bytes);
}

static void
credentials_set(struct aws_watch *w, const struct aws_credentials *c)
{
	struct aws_counts *counts = &w->shared->counts;

	w->are_former = false;
	counts->without_credentials -= !aws_watch_has_credentials(w);
	if (c != NULL) {
		aws_credentials_copy(&w->credentials, c);
		credentials_give(w);
		counts->credentials++;
	} else {
		aws_credentials_fini(&w->credentials);
		w->host->credentials_replace(w->host, NULL, 0);
	}
	counts->without_credentials += !aws_watch_has_credentials(w);
	if (c != NULL && w->functions != NULL)
		aws_functions_wake(w->functions);
	condition_report(w);
}

static void
on_credentials(const struct aws_credentials *c, void *arg)
{
	credentials_set(arg, c);
}

static void
on_credentials_problem(const char *sentence, void *arg)
{
	struct aws_watch *w = arg;

	/* The former serve until it is known that there are none in their
	 * place: nobody is to be called as who it may be no more. */
	if (sentence != NULL && w->are_former)
		credentials_set(w, NULL);
	text_set(w, &w->credentials_problem, sentence);
}

/* secret: the name of whose fixed are. Both or none. */
static struct aws_provider *
provider_make(struct aws_watch *w, const struct aws_credentials *fixed,
	const char *secret)
{
	const struct kind_program *program = w->shared->program;
	const struct aws_provider_options options = {
		.loop = w->host->loop,
		.http = program->http,
		.settings = program->settings,
		.settings_folder = program->settings_folder,
		.region = w->spec->region,
		.fips = w->spec->fips,
		.dual_stack = w->spec->dual_stack,
		.fixed = fixed,
		.secret = secret,
		.role_arn = w->spec->role_arn,
		.no_role_chaining = w->spec->no_role_chaining,
		.changed = on_credentials,
		.problem = on_credentials_problem,
		.arg = w,
	};

	return aws_provider_new(&options);
}

/* Of its secret where it names one: never anybody else's in its place. */
static void
provider_start(struct aws_watch *w)
{
	const struct model_secret *secret;
	struct aws_credentials fixed;
	char *name;

	if (w->spec->secret == NULL) {
		w->provider = provider_make(w, NULL, NULL);
		return;
	}
	secret = w->host->secret_get(w->host);
	if (secret == NULL || secret->type != MODEL_SECRET_AWS)
		return;
	/* Borrowed: the provider copies what it needs. */
	fixed = (struct aws_credentials){
		.access_key = secret->aws.access_key,
		.secret_key = secret->aws.secret_key,
		.session_token = secret->aws.session_token,
	};
	name = xasprintf("%s.%s", w->spec->secret->ns, w->spec->secret->name);
	w->provider = provider_make(w, &fixed, name);
	free(name);
}

void
aws_secret_changed(void *state)
{
	struct aws_watch *w = state;

	aws_provider_free(w->provider);
	w->provider = NULL;
	free(w->credentials_problem);
	w->credentials_problem = NULL;
	provider_start(w);
	/* Those of one that went do not serve. */
	w->are_former = true;
	if (w->provider == NULL)
		credentials_set(w, NULL);
	else
		condition_report(w);
}

void
aws_credentials_refused(void *state)
{
	struct aws_watch *w = state;

	w->shared->counts.credentials_refused++;
	if (w->provider != NULL)
		aws_provider_refused(w->provider);
}

/* ---- functions */

static int
text_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Beside those that were listed, those that the spec names. */
static void
on_listed(const struct aws_functions_known *known, void *arg)
{
	struct aws_watch *w = arg;
	const struct aws_spec *spec = w->spec;
	const char **all = xcalloc(
		known->count + known->open_count + spec->function_count + 1,
		sizeof(*all));
	size_t count = 0, kept = 0;

	for (size_t i = 0; i < known->count; i++)
		all[count++] = known->names[i];
	for (size_t i = 0; i < known->open_count; i++)
		all[count++] = known->open[i];
	for (size_t i = 0; i < spec->function_count; i++)
		all[count++] = spec->functions[i].logical_name;
	qsort(all, count, sizeof(*all), text_compare);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || strcmp(all[kept - 1], all[i]) != 0)
			all[kept++] = all[i];
	w->host->functions_replace(w->host, all, kept);
	free(all);
}

struct wanted {
	const struct aws_spec *spec;
	struct table *functions;
};

/* That function, if an alias or a version of it is meant. */
static void
on_used(const char *logical_name, void *arg)
{
	const struct wanted *to = arg;
	const struct aws_function *f =
		aws_spec_function(to->spec, logical_name);
	struct aws_function_name name;
	char *function;

	if (aws_function_name_read(f != NULL ? f->function_name : logical_name,
		    &name, NULL) != 0 ||
		(name.qualifier.length == 0 &&
			(f == NULL || f->qualifier == NULL)))
		return;
	function = xstrndup(name.name.data, name.name.length);
	table_set(to->functions, function, to->functions);
	free(function);
}

static void
on_wanted(struct table *functions, void *arg)
{
	struct aws_watch *w = arg;
	const struct aws_destination *over = w->spec->overrides;
	struct wanted to = { .spec = w->spec, .functions = functions };

	if (over != NULL && over->logical_name != NULL)
		on_used(over->logical_name, &to);
	w->host->functions_used(w->host, on_used, &to);
}

static void
on_functions_problem(const char *sentence, void *arg)
{
	struct aws_watch *w = arg;

	text_set(w, &w->functions_problem, sentence);
}

static bool
discovery_is_on(const struct model_meta *meta)
{
	for (size_t i = 0; meta != NULL && i < meta->label_count; i++)
		if (strcmp(meta->labels[i].key, AWS_DISCOVERY_LABEL) == 0)
			return strcmp(meta->labels[i].value, "enabled") == 0;
	return false;
}

/* are_others: what an earlier watch found is not of these. */
static void
functions_start(struct aws_watch *w, bool are_others)
{
	struct aws_functions_options options = {
		.loop = w->host->loop,
		.api = w->api,
		.counts = &w->shared->counts,
		.listed = on_listed,
		.wanted = on_wanted,
		.problem = on_functions_problem,
		.refused = aws_credentials_refused,
		.arg = w,
	};

	if (!are_others)
		options.former = w->host->functions_known(
			w->host, &options.former_count);
	if (discovery_is_on(w->host->meta))
		w->functions = aws_functions_new(&options);
	if (w->functions == NULL || are_others)
		w->host->functions_replace(w->host, NULL, 0);
}

/* ---- whole */

static struct aws_spec *
spec_copy(const struct aws_spec *spec)
{
	struct doc *d = schema_print(&aws_spec_schema, spec);
	struct aws_spec *copy = schema_read_new(&aws_spec_schema, d, NULL);

	doc_free(d);
	return copy;
}

static struct aws_api *
api_make(struct aws_watch *w, bool tls)
{
	struct aws_api_options options = {
		.http = w->shared->program->http,
		.service = AWS_LAMBDA,
		.region = w->spec->region,
		.tls = tls,
		.credentials = &w->credentials,
	};
	struct aws_api *api;
	struct str authority;

	str_init(&authority);
	aws_endpoint_authority(w->spec, AWS_LAMBDA, &authority);
	options.authority = authority.data;
	api = aws_api_new(&options);
	str_fini(&authority);
	return api;
}

void *
aws_watch(const void *data, struct kind_host *host)
{
	struct aws_watch *w = xcalloc(1, sizeof(*w));
	struct str name;
	uint16_t port;
	bool tls, others;

	w->host = host;
	w->shared = host->shared;
	w->spec = spec_copy(data);
	w->shared->counts.upstreams++;
	w->shared->counts.without_credentials++;
	/* Before anything is replaced. */
	others = has_other_functions(w);
	w->are_former = has_other_role(w);
	str_init(&name);
	aws_endpoint(w->spec, AWS_LAMBDA, &name, &port, &tls);
	w->api = api_make(w, tls);
	endpoint_watch(w, name.data, port);
	str_fini(&name);
	functions_start(w, others);
	provider_start(w);
	condition_report(w);
	return w;
}

void
aws_unwatch(void *state)
{
	struct aws_watch *w = state;

	if (w == NULL)
		return;
	w->shared->counts.upstreams--;
	w->shared->counts.without_credentials -= !aws_watch_has_credentials(w);
	aws_probe_free(w->probe);
	aws_functions_free(w->functions);
	aws_provider_free(w->provider);
	watched_name_free(w->watched);
	aws_api_free(w->api);
	aws_credentials_fini(&w->credentials);
	kind_telling_fini(&w->told, w->host);
	free(w->credentials_problem);
	free(w->functions_problem);
	free(w->name);
	schema_fini(&aws_spec_schema, w->spec);
	free(w->spec);
	free(w);
}

/* ---- for people */

static void
credentials_show(const struct aws_watch *w, struct doc *to)
{
	char text[CLOCK_TEXT_MAX];

	if (w->provider == NULL) {
		doc_set_string(to, "problem", "its secret is not there");
		return;
	}
	doc_set_string(to, "source", aws_provider_source(w->provider));
	doc_set(to, "known", doc_new_bool(aws_watch_has_credentials(w)));
	if (w->credentials.expires_ms != 0)
		doc_set_string(to, "expiresAt",
			clock_format(w->credentials.expires_ms, text));
	if (w->credentials_problem != NULL)
		doc_set_string(to, "problem", w->credentials_problem);
}

/* "names", "credentials" and, if functions are discovered, "discovery"; never a
 * value of the credentials. */
void
aws_show(const void *state, struct doc *to)
{
	const struct aws_watch *w = state;

	if (w->name != NULL)
		names_show_add(doc_set(to, "names", doc_new_list()), w->name,
			watched_name_state(w->watched));
	credentials_show(w, doc_set(to, "credentials", doc_new_map()));
	if (w->functions != NULL)
		aws_functions_show(
			w->functions, doc_set(to, "discovery", doc_new_map()));
}
