/*
 * Whether all that an upstream of AWS needs is permitted, asked now: as whom it
 * comes (sts:GetCallerIdentity, which needs no permission), whether functions
 * may be listed, where they are discovered, and whether each one may be called
 * (an invocation that is a dry run: nothing runs).
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/table.h"
#include "kinds/aws/lambda_call.h"
#include "kinds/aws/watch.h"
#include "kinds/aws/watch_inner.h"
#include "net/loop.h"

#define FUNCTIONS_ASKED_MAX 64
#define AT_ONCE             4
#define PROBE_MS            25000 /* who asks waits for 30 s */
#define IDENTITY_FORM       "Action=GetCallerIdentity&Version=2011-06-15"

struct probe_function {
	char *label; /* as destinations name it */
	char *path, *query;
	enum kind_level level;
	char *finding; /* NULL: it has not been answered for, or it is said */
};

/* A place for a question about a function. */
struct probe_slot {
	struct aws_probe *probe;
	struct probe_function *function;
	struct aws_api_call *call; /* NULL: it is free */
};

struct aws_probe {
	struct aws_watch *w;
	kind_finding_f *each;
	void (*done)(void *arg);
	void *arg;
	struct loop_timer *begin, *deadline;

	struct aws_api *sts;       /* NULL: it is not asked */
	struct aws_api_call *call; /* one after the other, until functions */
	char *path;                /* of its question */
	struct table *named; /* functions so far, while they are gathered */
	struct probe_function *functions;
	size_t count, at, answered, said, left_out;
	struct probe_slot slots[AT_ONCE];
};

/* sentence is taken. */
static void
say(struct aws_probe *p, enum kind_level level, char *sentence)
{
	p->each(level, sentence, p->arg);
	free(sentence);
}

/* In their order, whoever is answered for first; all: with gaps. */
static void
functions_say(struct aws_probe *p, bool all)
{
	for (; p->said < p->count; p->said++) {
		struct probe_function *f = &p->functions[p->said];

		if (f->finding != NULL)
			say(p, f->level, f->finding);
		else if (!all)
			return;
		f->finding = NULL;
	}
}

/* ---- its end */

static void
functions_free(struct aws_probe *p)
{
	for (size_t i = 0; i < p->count; i++) {
		free(p->functions[i].label);
		free(p->functions[i].path);
		free(p->functions[i].query);
		free(p->functions[i].finding);
	}
	free(p->functions);
}

void
aws_probe_free(struct aws_probe *p)
{
	if (p == NULL)
		return;
	p->w->probe = NULL;
	loop_timer_free(p->begin);
	loop_timer_free(p->deadline);
	aws_api_cancel(p->call);
	for (size_t i = 0; i < AT_ONCE; i++)
		aws_api_cancel(p->slots[i].call);
	aws_api_free(p->sts);
	functions_free(p);
	free(p->path);
	free(p);
}

static void
probe_end(struct aws_probe *p)
{
	void (*done)(void *arg) = p->done;
	void *arg = p->arg;

	aws_probe_free(p);
	done(arg);
}

static void
on_deadline(void *arg)
{
	struct aws_probe *p = arg;

	functions_say(p, true);
	if (p->count == 0)
		say(p, KIND_WARNING,
			xasprintf("not all was answered within %d s",
				PROBE_MS / 1000));
	else
		say(p, KIND_WARNING,
			xasprintf("%zu of %zu functions were not answered for "
				  "within %d s",
				p->count - p->answered, p->count,
				PROBE_MS / 1000));
	probe_end(p);
}

/* What is wrong with every further question alike. False: it is not of that
 * sort. True: it is said, and p is no more. */
static bool
ends_all(struct aws_probe *p, const struct aws_api_reply *reply)
{
	const char *what = reply->trouble == AWS_API_REFUSED
				   ? "the credentials are not taken"
			   : reply->trouble == AWS_API_UNREACHED
				   ? "it cannot be asked"
				   : NULL;

	if (what == NULL)
		return false;
	functions_say(p, true);
	say(p, KIND_ERROR, xasprintf("%s: %s", what, reply->why));
	probe_end(p);
	return true;
}

/* A sentence of what is wrong; the caller frees. permission: where it is
 * AWS_API_FORBIDDEN, what is missing. */
static char *
trouble_make(const char *what, const char *permission,
	const struct aws_api_reply *reply, enum kind_level *level)
{
	*level = KIND_ERROR;
	switch (reply->trouble) {
	case AWS_API_FORBIDDEN:
		return xasprintf("%s: the permission %s is missing: %s", what,
			permission, reply->why);
	case AWS_API_MISSING:
		*level = KIND_WARNING;
		return xasprintf("%s: it is not there: %s", what, reply->why);
	case AWS_API_THROTTLED:
		*level = KIND_WARNING;
		return xasprintf("%s: throttled, so it is not known: %s", what,
			reply->why);
	default:
		return xasprintf("%s: %s", what, reply->why);
	}
}

static void
trouble_say(struct aws_probe *p, const char *what, const char *permission,
	const struct aws_api_reply *reply)
{
	enum kind_level level;
	char *sentence = trouble_make(what, permission, reply, &level);

	say(p, level, sentence);
}

/* ---- each function */

static void functions_go_on(struct aws_probe *p);

static void
on_dry_run(const struct aws_api_reply *reply, void *arg)
{
	struct probe_slot *slot = arg;
	struct aws_probe *p = slot->probe;
	struct probe_function *f = slot->function;

	slot->call = NULL;
	if (ends_all(p, reply))
		return;
	p->answered++;
	f->level = KIND_OK;
	f->finding = reply->trouble == AWS_API_FINE
			     ? xasprintf("%s: may be called", f->label)
			     : trouble_make(f->label, "lambda:InvokeFunction",
				       reply, &f->level);
	functions_say(p, false);
	functions_go_on(p);
}

static void
slot_ask(struct probe_slot *slot)
{
	struct aws_probe *p = slot->probe;
	struct aws_api_question q = { .method = "POST",
		.invocation = "DryRun" };

	slot->function = &p->functions[p->at];
	q.path = slot->function->path;
	q.query = slot->function->query;
	slot->call = aws_api_ask(p->w->api, &q, on_dry_run, slot);
	if (slot->call != NULL)
		p->at++;
}

/* Frees p at the end. */
static void
functions_go_on(struct aws_probe *p)
{
	bool open = false;

	for (size_t i = 0; i < AT_ONCE; i++) {
		if (p->slots[i].call == NULL && p->at < p->count)
			slot_ask(&p->slots[i]);
		open |= p->slots[i].call != NULL;
	}
	if (open)
		return;
	if (p->at < p->count)
		say(p, KIND_ERROR, xstrdup("the credentials expired"));
	probe_end(p);
}

/* False: it cannot be called, and that is said. */
static bool
function_find(struct aws_probe *p, struct probe_function *f, const char *label)
{
	struct lambda_function found;
	struct error err = ERROR_INIT;
	struct str warning;
	bool ok;

	lambda_function_init(&found);
	str_init(&warning);
	ok = lambda_function_find(p->w->spec, label, NULL, 0, false, &found,
		     &warning, &err) == 0;
	if (ok)
		*f = (struct probe_function){
			.label = xstrdup(label),
			.path = str_steal(&found.path),
			.query = str_steal(&found.query),
		};
	else
		say(p, KIND_ERROR, xasprintf("%s: %s", label, err.text));
	lambda_function_fini(&found);
	str_fini(&warning);
	return ok;
}

/* Each once, whoever names it. */
static void
function_add(struct aws_probe *p, const char *label)
{
	if (table_get(p->named, label) != NULL)
		return;
	table_set(p->named, label, p);
	if (p->count == FUNCTIONS_ASKED_MAX)
		p->left_out++;
	else if (function_find(p, &p->functions[p->count], label))
		p->count++;
}

static void
on_used(const char *label, void *arg)
{
	function_add(arg, label);
}

/* Those of the spec and of routes as they are; of those that were listed the
 * names alone, since permissions are seldom of a version. */
static void
functions_gather(struct aws_probe *p)
{
	const struct aws_spec *spec = p->w->spec;
	const struct aws_destination *over = spec->overrides;
	const char *const *names = NULL;
	size_t count = 0;

	p->functions = xcalloc(FUNCTIONS_ASKED_MAX, sizeof(*p->functions));
	p->named = table_new(NULL);
	for (size_t i = 0; i < spec->function_count; i++)
		function_add(p, spec->functions[i].logical_name);
	if (over != NULL && over->logical_name != NULL)
		function_add(p, over->logical_name);
	p->w->host->functions_used(p->w->host, on_used, p);
	if (p->w->functions != NULL)
		names = aws_functions_names(p->w->functions, &count);
	for (size_t i = 0; i < count; i++)
		if (strchr(names[i], ':') == NULL)
			function_add(p, names[i]);
	table_free(p->named);
	p->named = NULL;
}

static void
functions_begin(struct aws_probe *p)
{
	functions_gather(p);
	if (p->left_out > 0)
		say(p, KIND_NOTE,
			xasprintf("%zu functions more are known: only %d are "
				  "asked for",
				p->left_out, FUNCTIONS_ASKED_MAX));
	if (p->count == 0)
		say(p, KIND_NOTE,
			xstrdup(p->w->functions == NULL
					? "no function is asked for: no route "
					  "names one, nor do the upstream's "
					  "lambdaFunctions, and the "
					  "label " AWS_DISCOVERY_LABEL
					  " does not say \"enabled\""
					: "no function is asked for: none was "
					  "discovered (yet)"));
	functions_go_on(p);
}

/* ---- discovery */

static void
question_ask(struct aws_probe *p, const char *path, const char *query,
	void (*done)(const struct aws_api_reply *reply, void *arg))
{
	struct aws_api_question q = { .method = "GET", .query = query };

	free(p->path);
	p->path = xstrdup(path);
	q.path = p->path;
	p->call = aws_api_ask(p->w->api, &q, done, p);
	if (p->call == NULL)
		functions_begin(p);
}

static void
on_aliases(const struct aws_api_reply *reply, void *arg)
{
	struct aws_probe *p = arg;

	p->call = NULL;
	if (ends_all(p, reply))
		return;
	/* It may have been deleted meanwhile. */
	if (reply->trouble == AWS_API_FINE || reply->trouble == AWS_API_MISSING)
		say(p, KIND_OK, xstrdup("aliases may be listed"));
	else
		trouble_say(p, "the discovery of aliases", "lambda:ListAliases",
			reply);
	functions_begin(p);
}

static void
aliases_ask(struct aws_probe *p)
{
	size_t count;
	const char *const *names = aws_functions_names(p->w->functions, &count);
	struct str path;

	if (count == 0) {
		functions_begin(p);
		return;
	}
	str_init(&path);
	str_puts(&path, "/2015-03-31/functions/");
	/* The first one in order has nothing behind its name. */
	str_put_escaped(&path, names[0]);
	str_puts(&path, "/aliases");
	question_ask(p, path.data, "MaxItems=1", on_aliases);
	str_fini(&path);
}

static void
on_list(const struct aws_api_reply *reply, void *arg)
{
	struct aws_probe *p = arg;

	p->call = NULL;
	if (ends_all(p, reply))
		return;
	if (reply->trouble == AWS_API_FINE)
		say(p, KIND_OK, xstrdup("functions may be listed"));
	else
		trouble_say(p, "the discovery of functions",
			"lambda:ListFunctions", reply);
	aliases_ask(p);
}

static void
discovery_begin(struct aws_probe *p)
{
	if (p->w->functions == NULL)
		functions_begin(p);
	else
		question_ask(p, "/2015-03-31/functions",
			"FunctionVersion=ALL&MaxItems=1", on_list);
}

/* ---- as whom */

static void
on_identity(const struct aws_api_reply *reply, void *arg)
{
	struct aws_probe *p = arg;
	struct slice arn = aws_xml_find(reply->body, "Arn");

	p->call = NULL;
	if (reply->trouble == AWS_API_REFUSED) {
		(void)ends_all(p, reply);
		return;
	}
	if (reply->trouble == AWS_API_FINE && arn.length > 0)
		say(p, KIND_OK,
			xasprintf("they belong to %.*s", (int)arn.length,
				arn.data));
	else
		say(p, KIND_NOTE,
			xasprintf("whose they are is not known: %s",
				reply->trouble == AWS_API_FINE
					? "the answer names nobody"
					: reply->why));
	discovery_begin(p);
}

/* "http://host:port" of the settings, without the "/" that may end it. */
static struct aws_api *
sts_make_of(struct aws_watch *w, const char *url)
{
	const char *authority = strstr(url, "://");
	struct aws_api_options o = {
		.http = w->shared->program->http,
		.service = AWS_STS,
		.region = w->spec->region,
		.tls = strncmp(url, "https:", 6) == 0,
		.credentials = &w->credentials,
	};
	struct aws_api *api;
	char *text;

	if (authority == NULL) /* of the environment, which nobody checked */
		return NULL;
	authority += strlen("://");
	text = xstrndup(authority, strcspn(authority, "/"));
	o.authority = text;
	api = aws_api_new(&o);
	free(text);
	return api;
}

/* Where credentials are asked for, too (sts.c). NULL: an upstream with an
 * endpoint of its own talks to no other one. */
static struct aws_api *
sts_make(struct aws_watch *w)
{
	static const char *const variables[] = { "AWS_ENDPOINT_URL_STS",
		"AWS_ENDPOINT_URL" };
	const char *given =
		doc_get_string(w->shared->program->settings, "stsEndpointUrl");
	struct aws_api *api;
	struct str url;

	for (size_t i = 0; given == NULL && i < ARRAY_SIZE(variables); i++)
		given = getenv(variables[i]);
	if (given != NULL)
		return sts_make_of(w, given);
	if (w->spec->endpoint_url != NULL)
		return NULL;
	str_init(&url);
	str_puts(&url, "https://");
	aws_endpoint_authority(w->spec, AWS_STS, &url);
	api = sts_make_of(w, url.data);
	str_fini(&url);
	return api;
}

static void
identity_begin(struct aws_probe *p)
{
	static const struct aws_api_question q = {
		.method = "POST", .path = "/", .body = IDENTITY_FORM
	};

	p->sts = sts_make(p->w);
	if (p->sts != NULL)
		p->call = aws_api_ask(p->sts, &q, on_identity, p);
	if (p->call == NULL)
		discovery_begin(p);
}

static void
credentials_say(struct aws_probe *p)
{
	const struct aws_watch *w = p->w;
	const char *source = aws_provider_source(w->provider);
	char until[CLOCK_TEXT_MAX];

	if (w->credentials.expires_ms == 0)
		say(p, KIND_OK, xasprintf("credentials are of %s", source));
	else
		say(p, KIND_OK,
			xasprintf("credentials are of %s, until %s", source,
				clock_format(
					w->credentials.expires_ms, until)));
	if (w->credentials_problem != NULL)
		say(p, KIND_WARNING,
			xasprintf("they are not renewed: %s",
				w->credentials_problem));
}

static void
on_begin(void *arg)
{
	struct aws_probe *p = arg;
	const struct aws_watch *w = p->w;

	if (w->provider != NULL && aws_watch_has_credentials(w)) {
		credentials_say(p);
		identity_begin(p);
		return;
	}
	if (w->provider == NULL)
		say(p, KIND_ERROR,
			xasprintf("there are no credentials: the secret "
				  "\"%s.%s\" is not there, or not of AWS",
				w->spec->secret->ns, w->spec->secret->name));
	else
		say(p, KIND_ERROR,
			xasprintf("there are no credentials: %s",
				w->credentials_problem != NULL
					? w->credentials_problem
					: "nobody has answered yet"));
	probe_end(p);
}

void
aws_probe(void *state, kind_finding_f *each, void (*done)(void *arg), void *arg)
{
	struct aws_watch *w = state;
	struct aws_probe *p = xcalloc(1, sizeof(*p));

	aws_probe_free(w->probe);
	w->probe = p;
	p->w = w;
	p->each = each;
	p->done = done;
	p->arg = arg;
	for (size_t i = 0; i < AT_ONCE; i++)
		p->slots[i].probe = p;
	p->deadline = loop_timer_new(w->host->loop, on_deadline, p);
	p->begin = loop_timer_new(w->host->loop, on_begin, p);
	loop_timer_start(p->deadline, PROBE_MS);
	loop_timer_start(p->begin, 0);
}
