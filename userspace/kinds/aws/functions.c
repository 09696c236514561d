/* Which functions, versions and aliases a region has. */
#include "kinds/aws/functions.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/table.h"
#include "kinds/aws/api.h"
#include "kinds/aws/listing.h"
#include "kinds/aws/numbers.h"
#include "net/loop.h"

#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS 60000
#define TRIES_MAX      6   /* of one question, then the pass is given up */
#define REST_DOUBLES   3   /* after so many throttled passes 8 times as long */
#define BEGIN_MS       500 /* many upstreams do not begin at once */
#define ALIAS_GAP_MS   100 /* Lambda takes 15 such questions in a second */
#define FORBIDDEN_MAX  5   /* functions in a row: no more are asked for */
#define PAGES_MAX      2000
#define MARKER_MAX     8192

enum list_state {
	LIST_ASLEEP, /* until it is woken */
	LIST_RESTING,
	LIST_FUNCTIONS,
	LIST_ALIASES,
};

struct aws_functions {
	struct aws_functions_options o;
	struct loop_timer *timer;
	struct aws_api_call *call;
	enum list_state state;
	uint64_t rest_until_ms; /* while it rests, monotonic */

	struct aws_listing *listing;
	bool are_known; /* names were told, by an earlier one of these, too */

	/* Of the pass that runs. */
	struct str path, query; /* of the question */
	char *marker;           /* of the next page; NULL: the first */
	size_t pages;
	size_t alias_at;     /* whose aliases are asked for */
	size_t wanted;       /* so many functions are before the others */
	uint64_t told_ms;    /* when what is known was told, monotonic */
	unsigned tries;      /* of the question */
	unsigned forbidden;  /* functions in a row whose aliases are */
	char *alias_problem; /* why some of them are not known */

	/* Of passes that are over. */
	uint64_t listed_ms; /* since 1970; 0: never */
	bool failed;        /* the last pass */
	unsigned throttled; /* passes in a row */
	char *problem;
};

static void
names_tell(struct aws_functions *f)
{
	struct aws_functions_known known;

	known.names = aws_listing_names(f->listing, &known.count);
	known.open = aws_listing_open(f->listing, &known.open_count);
	f->are_known = true;
	f->told_ms = loop_now_ms(f->o.loop);
	f->o.listed(&known, f->o.arg);
}

static void
names_settle(struct aws_functions *f)
{
	size_t count;

	(void)aws_listing_names(f->listing, &count);
	f->o.counts->functions -= count;
	aws_listing_settle(f->listing);
	(void)aws_listing_names(f->listing, &count);
	f->o.counts->functions += count;
	names_tell(f);
}

/* What is known of functions gets old, which is told once. */
static void
names_lapse(struct aws_functions *f)
{
	const char *const *open;
	size_t count;

	open = aws_listing_open(f->listing, &count);
	if (!f->are_known || (count == 1 && strcmp(open[0], "*") == 0))
		return;
	aws_listing_lapse(f->listing);
	names_tell(f);
}

/* ---- how it goes; texts are taken */

/* Told when it is another; not for a time or an id in what AWS says. */
static void
problem_set(struct aws_functions *f, char *problem)
{
	bool same = problem == NULL || f->problem == NULL
			    ? problem == f->problem
			    : text_is_same_but_digits(problem, f->problem);

	free(f->problem);
	f->problem = problem;
	if (!same)
		f->o.problem(problem, f->o.arg);
}

static void
pass_clear(struct aws_functions *f)
{
	aws_listing_clear(f->listing);
	free(f->marker);
	f->marker = NULL;
	free(f->alias_problem);
	f->alias_problem = NULL;
	f->pages = f->alias_at = 0;
	f->tries = f->forbidden = 0;
}

static void
rest(struct aws_functions *f)
{
	uint64_t ms = AWS_FUNCTIONS_REST_MIN_MS +
		      arc4random_uniform(AWS_FUNCTIONS_REST_MAX_MS -
					 AWS_FUNCTIONS_REST_MIN_MS + 1);

	ms <<= f->throttled > REST_DOUBLES ? REST_DOUBLES : f->throttled;
	pass_clear(f);
	f->state = LIST_RESTING;
	f->rest_until_ms = loop_now_ms(f->o.loop) + ms;
	loop_timer_start(f->timer, ms);
}

static char *
failure_make(
	enum aws_api_trouble trouble, const char *permission, const char *why)
{
	const char *name = strchr(permission, ':') + 1;

	if (trouble == AWS_API_FORBIDDEN)
		return xasprintf(
			"%s is not permitted, so functions are not discovered "
			"as they should be (%s): allow it, or take the label "
			"%s away",
			permission, why,
			"discovery.solo.io/function_discovery");
	return xasprintf(
		"%s failed, what is known of functions stays: %s", name, why);
}

static void
pass_fail(struct aws_functions *f, enum aws_api_trouble trouble,
	const char *permission, const char *why)
{
	f->failed = true;
	if (f->state == LIST_FUNCTIONS)
		names_lapse(f);
	if (trouble == AWS_API_THROTTLED)
		f->throttled++;
	problem_set(f, failure_make(trouble, permission, why));
	rest(f);
}

static void
pass_end(struct aws_functions *f)
{
	char *problem = f->alias_problem;

	f->alias_problem = NULL;
	f->failed = false;
	f->throttled = 0;
	f->listed_ms = clock_realtime_ms();
	f->o.counts->passes++;
	names_settle(f);
	if (aws_listing_is_cut(f->listing) && problem == NULL)
		problem = xasprintf("there are more functions, versions and "
				    "aliases than the %d that are kept",
			AWS_FUNCTIONS_MAX);
	problem_set(f, problem);
	rest(f);
}

/* ---- asking */

static void on_functions(const struct aws_api_reply *reply, void *arg);
static void on_aliases(const struct aws_api_reply *reply, void *arg);

static void
query_begin(struct aws_functions *f, const char *more)
{
	str_clear(&f->query);
	str_puts(&f->query, more);
	if (f->marker != NULL) {
		str_puts(&f->query, "Marker=");
		str_put_escaped(&f->query, f->marker);
		str_putc(&f->query, '&');
	}
	str_puts(&f->query, "MaxItems=50");
}

static void
ask(struct aws_functions *f)
{
	bool all = f->state == LIST_FUNCTIONS;
	struct aws_api_question q = { .method = "GET" };

	str_clear(&f->path);
	str_puts(&f->path, "/2015-03-31/functions");
	if (!all) {
		str_putc(&f->path, '/');
		str_put_escaped(
			&f->path, aws_listing_at(f->listing, f->alias_at));
		str_puts(&f->path, "/aliases");
	}
	query_begin(f, all ? "FunctionVersion=ALL&" : "");
	q.path = f->path.data;
	q.query = f->query.data;
	f->call = aws_api_ask(f->o.api, &q, all ? on_functions : on_aliases, f);
	if (f->call != NULL) {
		f->o.counts->asked++;
		return;
	}
	/* They expired meanwhile; it is woken when there are others. */
	names_lapse(f);
	pass_clear(f);
	f->state = LIST_ASLEEP;
}

static void
pass_begin(struct aws_functions *f)
{
	pass_clear(f);
	f->state = LIST_FUNCTIONS;
	ask(f);
}

static void
on_time(void *arg)
{
	struct aws_functions *f = arg;

	if (f->state == LIST_RESTING)
		pass_begin(f);
	else
		ask(f);
}

/* Full jitter above what the service asks for. True: it is asked once more. */
static bool
ask_again(struct aws_functions *f, const struct aws_api_reply *reply)
{
	uint64_t most = BACKOFF_MIN_MS;

	if (reply->trouble != AWS_API_THROTTLED &&
		reply->trouble != AWS_API_FAILED &&
		reply->trouble != AWS_API_UNREACHED)
		return false;
	if (++f->tries >= TRIES_MAX)
		return false;
	most <<= f->tries;
	if (most > BACKOFF_MAX_MS)
		most = BACKOFF_MAX_MS;
	loop_timer_start(f->timer, (uint64_t)reply->retry_after_s * 1000 + 1 +
					   arc4random_uniform((uint32_t)most));
	return true;
}

static void
reply_count(struct aws_functions *f, enum aws_api_trouble trouble)
{
	if (trouble == AWS_API_THROTTLED)
		f->o.counts->throttled++;
	else if (trouble != AWS_API_FINE)
		f->o.counts->failed++;
	if (trouble == AWS_API_REFUSED)
		f->o.refused(f->o.arg);
}

/* ---- answers */

/* The list below key; NULL: it is no such answer. doc is the caller's. */
static const struct doc *
page_read(const struct aws_api_reply *reply, const char *key, struct doc **doc)
{
	const struct doc *list;

	*doc = json_doc_read(reply->body.data, reply->body.length, NULL);
	list = doc_get(*doc, key);
	return doc_type(list) == DOC_LIST ? list : NULL;
}

enum more {
	MORE_NOT,
	MORE_PAGES,
	MORE_BROKEN, /* it leads back, or nowhere: this is not all there is */
};

static enum more
marker_take(struct aws_functions *f, const struct doc *page)
{
	const char *next = doc_get_text(page, "NextMarker");
	enum more more = next[0] != '\0' ? MORE_PAGES : MORE_NOT;
	char *copy = NULL;

	if (more == MORE_PAGES &&
		(strlen(next) > MARKER_MAX ||
			(f->marker != NULL && strcmp(next, f->marker) == 0)))
		more = MORE_BROKEN;
	else if (more == MORE_PAGES && ++f->pages == PAGES_MAX)
		more = aws_listing_is_cut(f->listing) ? MORE_NOT : MORE_BROKEN;
	if (more == MORE_PAGES)
		copy = xstrdup(next);
	free(f->marker);
	f->marker = copy;
	f->tries = 0;
	return more;
}

/* Those whose aliases somebody waits for come first. */
static void
order(struct aws_functions *f)
{
	struct table *wanted = table_new(NULL);

	f->o.wanted(wanted, f->o.arg);
	f->wanted = aws_listing_order(f->listing, wanted);
	table_free(wanted);
}

static void
aliases_begin(struct aws_functions *f)
{
	f->state = LIST_ALIASES;
	f->alias_at = 0;
	f->pages = 0;
	if (aws_listing_count(f->listing) == 0) {
		pass_end(f);
		return;
	}
	order(f);
	names_settle(f);
	loop_timer_start(f->timer, ALIAS_GAP_MS);
}

/* The names of a page, and what is behind it. */
static enum more
functions_take(struct aws_functions *f, const struct aws_api_reply *reply)
{
	struct doc *page;
	const struct doc *list = page_read(reply, "Functions", &page);
	enum more more = MORE_BROKEN;

	for (size_t i = 0; i < doc_count(list); i++)
		aws_listing_add(f->listing,
			doc_get_text(doc_at(list, i), "FunctionName"),
			doc_get_text(doc_at(list, i), "Version"));
	if (list != NULL)
		more = marker_take(f, page);
	doc_free(page);
	return more;
}

static void
on_functions(const struct aws_api_reply *reply, void *arg)
{
	struct aws_functions *f = arg;

	f->call = NULL;
	reply_count(f, reply->trouble);
	if (reply->trouble != AWS_API_FINE) {
		if (!ask_again(f, reply))
			pass_fail(f, reply->trouble, "lambda:ListFunctions",
				reply->why);
		return;
	}
	switch (functions_take(f, reply)) {
	case MORE_PAGES:
		ask(f);
		break;
	case MORE_NOT:
		aliases_begin(f);
		break;
	case MORE_BROKEN:
		f->o.counts->failed++;
		pass_fail(f, AWS_API_UNUSABLE, "lambda:ListFunctions",
			"the answer is no list of functions");
	}
}

static void
alias_next(struct aws_functions *f)
{
	size_t count = aws_listing_count(f->listing);

	free(f->marker);
	f->marker = NULL;
	f->pages = 0;
	f->tries = 0;
	f->alias_at++;
	/* All alike, as it seems. */
	if (f->forbidden == FORBIDDEN_MAX)
		for (; f->alias_at < count; f->alias_at++)
			aws_listing_aliases_lapse(f->listing, f->alias_at);
	if (f->alias_at == count) {
		pass_end(f);
		return;
	}
	if (f->alias_at == f->wanted ||
		loop_now_ms(f->o.loop) - f->told_ms >= AWS_FUNCTIONS_TELL_MS)
		names_settle(f);
	loop_timer_start(f->timer, ALIAS_GAP_MS);
}

static void
alias_end(struct aws_functions *f)
{
	aws_listing_aliases_end(f->listing, f->alias_at);
	f->forbidden = 0;
	alias_next(f);
}

/* Those of one function are not to be had. */
static void
alias_fail(struct aws_functions *f, const struct aws_api_reply *reply)
{
	switch (reply->trouble) {
	case AWS_API_MISSING: /* deleted since it was listed */
		alias_end(f);
		break;
	case AWS_API_FORBIDDEN: /* perhaps those of this one alone */
		if (f->alias_problem == NULL)
			f->alias_problem = failure_make(reply->trouble,
				"lambda:ListAliases", reply->why);
		aws_listing_aliases_lapse(f->listing, f->alias_at);
		f->forbidden++;
		alias_next(f);
		break;
	default: /* what was read of the others in the last pass stays */
		names_settle(f);
		pass_fail(f, reply->trouble, "lambda:ListAliases", reply->why);
	}
}

static enum more
aliases_take(struct aws_functions *f, const struct aws_api_reply *reply)
{
	struct doc *page;
	const struct doc *list = page_read(reply, "Aliases", &page);
	enum more more = MORE_BROKEN;

	for (size_t i = 0; i < doc_count(list); i++)
		aws_listing_add_alias(
			f->listing, doc_get_text(doc_at(list, i), "Name"));
	if (list != NULL)
		more = marker_take(f, page);
	doc_free(page);
	return more;
}

static void
on_aliases(const struct aws_api_reply *reply, void *arg)
{
	static const struct aws_api_reply unusable = { .trouble =
							       AWS_API_UNUSABLE,
		.why = "the answer is no list of aliases" };
	struct aws_functions *f = arg;

	f->call = NULL;
	reply_count(f, reply->trouble);
	if (reply->trouble != AWS_API_FINE) {
		if (!ask_again(f, reply))
			alias_fail(f, reply);
		return;
	}
	switch (aliases_take(f, reply)) {
	case MORE_PAGES:
		ask(f);
		break;
	case MORE_NOT:
		alias_end(f);
		break;
	case MORE_BROKEN:
		f->o.counts->failed++;
		alias_fail(f, &unusable);
	}
}

/* ---- whole */

/* Of functions that came since then nothing is known. */
static void
former_take(struct aws_functions *f)
{
	size_t count;

	f->are_known = f->o.former != NULL;
	for (size_t i = 0; i < f->o.former_count; i++)
		aws_listing_restore(f->listing, f->o.former[i]);
	f->o.former = NULL;
	(void)aws_listing_names(f->listing, &count);
	f->o.counts->functions += count;
	names_lapse(f);
}

struct aws_functions *
aws_functions_new(const struct aws_functions_options *o)
{
	struct aws_functions *f = xcalloc(1, sizeof(*f));

	f->o = *o;
	f->timer = loop_timer_new(o->loop, on_time, f);
	f->listing = aws_listing_new();
	str_init(&f->path);
	str_init(&f->query);
	former_take(f);
	return f;
}

void
aws_functions_free(struct aws_functions *f)
{
	size_t count;

	if (f == NULL)
		return;
	(void)aws_listing_names(f->listing, &count);
	f->o.counts->functions -= count;
	aws_api_cancel(f->call);
	loop_timer_free(f->timer);
	pass_clear(f);
	aws_listing_free(f->listing);
	str_fini(&f->path);
	str_fini(&f->query);
	free(f->problem);
	free(f);
}

void
aws_functions_wake(struct aws_functions *f)
{
	if (f->state == LIST_FUNCTIONS || f->state == LIST_ALIASES ||
		(f->state == LIST_RESTING && !f->failed))
		return;
	f->state = LIST_RESTING;
	f->rest_until_ms = loop_now_ms(f->o.loop);
	loop_timer_start(f->timer, arc4random_uniform(BEGIN_MS));
}

const char *const *
aws_functions_names(const struct aws_functions *f, size_t *count)
{
	return aws_listing_names(f->listing, count);
}

void
aws_functions_show(const struct aws_functions *f, struct doc *to)
{
	uint64_t now = loop_now_ms(f->o.loop), real = clock_realtime_ms();
	char text[CLOCK_TEXT_MAX];
	size_t count;

	(void)aws_listing_names(f->listing, &count);
	doc_set(to, "count", doc_new_integer((int64_t)count));
	if (f->listed_ms != 0) {
		doc_set_string(
			to, "listedAt", clock_format(f->listed_ms, text));
		doc_set(to, "ageSeconds",
			doc_new_integer(
				real < f->listed_ms
					? 0
					: (int64_t)((real - f->listed_ms) /
						    1000)));
	}
	if (f->state == LIST_RESTING)
		doc_set(to, "listedAgainInMs",
			doc_new_integer(
				f->rest_until_ms > now
					? (int64_t)(f->rest_until_ms - now)
					: 0));
	if (f->problem != NULL)
		doc_set_string(to, "problem", f->problem);
}
