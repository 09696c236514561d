/*
 * Where AWS credentials come from: a plan of what to ask (plan.h) is made and
 * gone through whenever others are wanted, one question at a time; what came of
 * it is held until the next ones are there.
 */
#include "kinds/aws/provider.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "kinds/aws/plan.h"
#include "kinds/aws/question.h"
#include "kinds/aws/refresh.h"
#include "kinds/aws/settings.h"
#include "net/loop.h"

#define LOOK_MS    60000  /* the clock may have been set */
#define FORCED_MS  10000  /* between two questions because of a refusal */
#define REFUSED_MS 300000 /* a refusal is told so long, unless it comes again  \
			   */

struct aws_provider {
	struct loop *loop;
	void (*changed)(const struct aws_credentials *c, void *arg);
	void (*problem)(const char *sentence, void *arg);
	void *arg;
	struct aws_settings *settings;
	char *folder, *region, *role_arn, *secret;
	char **environment; /* NULL: the process's */
	struct aws_credentials fixed;
	struct aws_place place;
	struct aws_asker asker;
	struct loop_timer *timer;

	/* Under way, while there is a question. */
	struct aws_question *question;
	struct aws_plan plan;
	size_t role;                 /* of the plan, that comes next */
	struct aws_credentials step; /* what came last */
	struct aws_session session;
	int64_t skew_ms; /* of STS */

	/* In use. */
	bool has;
	struct aws_credentials held;
	bool beyond; /* their expiry, if no others come */
	struct refresh_times times;
	uint64_t expired_ms; /* when those before did; 0: they did not */
	char *source;

	bool wanted; /* others are, not before that (monotonic) */
	uint64_t not_before_ms, forced_next_ms;
	unsigned attempts, failures; /* in a row */
	char *why;                   /* the last failure; NULL: it went well */
	uint64_t refused_ms;         /* monotonic; 0: they were not refused */
	bool refused_same;           /* and there are no others */
	char *told;

	bool calling, freed; /* to be freed when it is no longer in use */
};

/* ---- what is told */

static char *
sentence_none(const struct aws_provider *p)
{
	char at[CLOCK_TEXT_MAX];

	if (p->expired_ms == 0)
		return p->why == NULL ? NULL
				      : xasprintf("there are no AWS "
						  "credentials: %s",
						p->why);
	clock_format(p->expired_ms, at);
	return xasprintf("the AWS credentials expired at %s, and there are no "
			 "others: %s",
		at, p->why == NULL ? "they have not come yet" : p->why);
}

static char *
sentence_not_renewed(const struct aws_provider *p, uint64_t now_ms)
{
	char at[CLOCK_TEXT_MAX];

	if (p->held.expires_ms == 0)
		return xasprintf("the AWS credentials stay what they were, "
				 "since others cannot be looked for: %s",
			p->why);
	clock_format(p->held.expires_ms, at);
	if (now_ms >= p->held.expires_ms)
		return xasprintf("the AWS credentials expired at %s and stay "
				 "in use: %s",
			at, p->why);
	if (now_ms >= p->times.mandatory_ms)
		return xasprintf("the AWS credentials expire at %s and are not "
				 "renewed: %s",
			at, p->why);
	return NULL;
}

/* NULL: all is well, or will be before anybody has to know. */
static char *
sentence_get(const struct aws_provider *p)
{
	char *text = NULL;

	if (!p->has)
		return sentence_none(p);
	if (p->why != NULL)
		text = sentence_not_renewed(p, clock_realtime_ms());
	if (text == NULL && p->refused_same)
		text = xasprintf("AWS refuses the credentials of %s, and it "
				 "has no others: correct them there, or this "
				 "host's clock",
			p->source);
	return text;
}

static void
tell(struct aws_provider *p)
{
	char *text;

	if (p->freed)
		return;
	text = sentence_get(p);
	if (text == NULL ? p->told == NULL
			 : p->told != NULL &&
				   text_is_same_but_digits(p->told, text)) {
		free(text);
		return;
	}
	free(p->told);
	p->told = text;
	p->problem(text, p->arg);
}

/* ---- times */

static void
want(struct aws_provider *p, uint64_t pause_ms)
{
	p->wanted = true;
	p->not_before_ms = clock_monotonic_ms() + pause_ms;
}

static uint64_t
until(uint64_t at_ms, uint64_t now_ms, uint64_t most_ms)
{
	if (at_ms <= now_ms)
		return 0;
	return at_ms - now_ms < most_ms ? at_ms - now_ms : most_ms;
}

static bool
do_expire(const struct aws_provider *p)
{
	return p->has && p->held.expires_ms != 0 && !p->beyond;
}

static void
timer_start(struct aws_provider *p)
{
	uint64_t now_ms = clock_realtime_ms(), delay_ms = LOOK_MS;

	if (p->freed)
		return;
	if (p->question == NULL && p->wanted)
		delay_ms =
			until(p->not_before_ms, clock_monotonic_ms(), delay_ms);
	else if (p->question == NULL)
		delay_ms = until(p->times.renew_ms, now_ms, delay_ms);
	if (do_expire(p))
		delay_ms = until(p->held.expires_ms, now_ms, delay_ms);
	loop_timer_start(p->timer, delay_ms);
}

/* ---- coming to an end */

static bool
is_same(const struct aws_credentials *a, const struct aws_credentials *b)
{
	return a->expires_ms == b->expires_ms &&
	       strcmp(a->access_key, b->access_key) == 0 &&
	       strcmp(a->secret_key, b->secret_key) == 0 &&
	       strcmp(a->session_token, b->session_token) == 0;
}

static void
why_set(struct aws_provider *p, char *why)
{
	free(p->why);
	p->why = why;
}

static void
take(struct aws_provider *p)
{
	aws_credentials_fini(&p->held);
	p->held = p->step;
	p->step = (struct aws_credentials){ 0 };
	p->has = true;
	p->expired_ms = 0;
	p->changed(&p->held, p->arg);
}

/* Others were got, or the same ones again. */
static void
succeed(struct aws_provider *p)
{
	bool same = p->has && is_same(&p->step, &p->held);
	bool is_file = p->plan.is_file && p->plan.origin == AWS_ORIGIN_GIVEN &&
		       p->plan.role_count == 0;
	struct refresh_times t = refresh_times(
		p->step.expires_ms, clock_realtime_ms(), same, is_file);

	p->beyond = p->plan.origin == AWS_ORIGIN_INSTANCE &&
		    p->plan.role_count == 0;
	aws_plan_fini(&p->plan);
	p->attempts = p->failures = 0;
	p->wanted = false;
	why_set(p, NULL);
	p->refused_same = same && p->refused_ms != 0;
	if (!same) {
		p->refused_ms = 0;
		p->times = t;
		take(p);
	} else {
		p->times.renew_ms = t.renew_ms;
		aws_credentials_fini(&p->step);
	}
	tell(p);
}

/* why is taken. */
static void
fail(struct aws_provider *p, enum aws_trouble trouble, char *why)
{
	aws_plan_fini(&p->plan);
	aws_credentials_fini(&p->step);
	if (trouble != AWS_TROUBLE_LASTS && ++p->attempts < REFRESH_ATTEMPTS) {
		free(why);
		want(p, refresh_attempt_pause_ms(trouble, p->attempts));
		return;
	}
	text_defuse(why);
	why_set(p, why);
	p->attempts = 0;
	want(p, refresh_failure_pause_ms(++p->failures));
	tell(p);
}

/* Instance metadata gives some that have expired when it cannot get others
 * itself: they may be good still. */
static void
got(struct aws_provider *p)
{
	uint64_t expires_ms = p->step.expires_ms;

	if (expires_ms == 0 || expires_ms > clock_realtime_ms() ||
		(p->plan.origin == AWS_ORIGIN_INSTANCE &&
			p->plan.role_count == 0))
		succeed(p);
	else
		fail(p, AWS_TROUBLE_PASSES,
			xasprintf("%s: it gives credentials that have expired "
				  "already; is this host's clock right?",
				p->source));
}

/* ---- going through the plan */

static void
role_next(struct aws_provider *p)
{
	struct error err = ERROR_INIT;

	if (p->role == p->plan.role_count) {
		got(p);
		return;
	}
	p->question = aws_role_ask(
		&p->asker, &p->plan.roles[p->role++], &p->step, &err);
	if (p->question == NULL)
		fail(p, AWS_TROUBLE_LASTS, xstrdup(err.text));
}

static void
origin_ask(struct aws_provider *p)
{
	const struct aws_plan *plan = &p->plan;
	struct error err = ERROR_INIT;

	switch (plan->origin) {
	case AWS_ORIGIN_PROCESS:
		p->question = aws_process_ask(&p->asker, plan->process, &err);
		break;
	case AWS_ORIGIN_WEB_IDENTITY:
		p->question = aws_web_identity_ask(
			&p->asker, &plan->identity, plan->token_file, &err);
		break;
	case AWS_ORIGIN_CONTAINER:
		p->question = aws_container_ask(&p->asker, plan, &err);
		break;
	case AWS_ORIGIN_INSTANCE:
		p->question = aws_instance_ask(
			&p->asker, plan->url, &p->session, &err);
		break;
	default:
		aws_credentials_copy(&p->step, &plan->given);
		role_next(p);
		return;
	}
	if (p->question == NULL)
		fail(p, AWS_TROUBLE_LASTS,
			xasprintf("%s: %s", plan->source, err.text));
}

static void
source_set(struct aws_provider *p)
{
	struct str s;

	str_init(&s);
	str_puts(&s, p->plan.source);
	for (size_t i = 0; i < p->plan.role_count; i++)
		str_printf(&s, ", with it role %s", p->plan.roles[i].arn);
	free(p->source);
	p->source = str_steal(&s);
	text_defuse(p->source);
}

static void
begin(struct aws_provider *p)
{
	struct error err = ERROR_INIT;

	p->forced_next_ms = clock_monotonic_ms() + FORCED_MS;
	p->role = 0;
	if (aws_plan_make(&p->place, &p->plan, &err) != 0) {
		fail(p, AWS_TROUBLE_LASTS, xstrdup(err.text));
		return;
	}
	source_set(p);
	origin_ask(p);
}

/* ---- events */

static void provider_destroy(struct aws_provider *p);

/* What was called during an event may have freed it. */
static void
event_end(struct aws_provider *p)
{
	timer_start(p);
	p->calling = false;
	if (p->freed)
		provider_destroy(p);
}

static void
on_answer(struct aws_credentials *c, enum aws_trouble trouble,
	const char *problem, void *arg)
{
	struct aws_provider *p = arg;

	p->calling = true;
	p->question = NULL;
	if (c == NULL) {
		fail(p, trouble, xasprintf("%s: %s", p->plan.source, problem));
	} else {
		aws_credentials_fini(&p->step);
		p->step = *c;
		*c = (struct aws_credentials){ 0 };
		role_next(p);
	}
	event_end(p);
}

static void
expire(struct aws_provider *p)
{
	if (!do_expire(p) || clock_realtime_ms() < p->held.expires_ms)
		return;
	p->expired_ms = p->held.expires_ms;
	aws_credentials_fini(&p->held);
	p->has = false;
	if (!p->wanted)
		want(p, 0);
	p->changed(NULL, p->arg);
}

static void
refusal_forget(struct aws_provider *p)
{
	if (p->refused_ms == 0 ||
		clock_monotonic_ms() - p->refused_ms < REFUSED_MS)
		return;
	p->refused_ms = 0;
	p->refused_same = false;
}

static void
on_timer(void *arg)
{
	struct aws_provider *p = arg;

	p->calling = true;
	expire(p);
	refusal_forget(p);
	if (!p->wanted && clock_realtime_ms() >= p->times.renew_ms)
		want(p, 0);
	if (!p->freed && p->question == NULL && p->wanted &&
		clock_monotonic_ms() >= p->not_before_ms)
		begin(p);
	tell(p);
	event_end(p);
}

/* ---- coming and going */

static char **
environment_copy(char *const *pairs)
{
	size_t count = 0;
	char **copy;

	if (pairs == NULL)
		return NULL;
	while (pairs[count] != NULL)
		count++;
	copy = xcalloc(count + 1, sizeof(*copy));
	for (size_t i = 0; i < count; i++)
		copy[i] = xstrdup(pairs[i]);
	return copy;
}

static void
environment_free(char **pairs)
{
	for (size_t i = 0; pairs != NULL && pairs[i] != NULL; i++)
		mem_free_wiped(pairs[i]);
	free(pairs);
}

static char *
text_copy(const char *text)
{
	return text == NULL ? NULL : xstrdup(text);
}

static void
options_copy(struct aws_provider *p, const struct aws_provider_options *o)
{
	p->loop = o->loop;
	p->changed = o->changed;
	p->problem = o->problem;
	p->arg = o->arg;
	p->settings = aws_settings_read(o->settings, NULL);
	if (p->settings == NULL)
		p->settings = aws_settings_read(NULL, NULL);
	p->folder = text_copy(o->settings_folder);
	p->region = xstrdup(o->region);
	p->role_arn = text_copy(o->role_arn);
	p->secret = text_copy(o->secret);
	p->environment = environment_copy(o->environment);
	if (o->fixed != NULL)
		aws_credentials_copy(&p->fixed, o->fixed);
}

struct aws_provider *
aws_provider_new(const struct aws_provider_options *o)
{
	struct aws_provider *p = xcalloc(1, sizeof(*p));

	options_copy(p, o);
	p->place = (struct aws_place){
		.settings = p->settings,
		.folder = p->folder,
		.environment =
			p->environment != NULL ? p->environment : environ,
		.fixed = o->fixed == NULL ? NULL : &p->fixed,
		.secret = p->secret,
		.role_arn = p->role_arn,
		.no_role_chaining = o->no_role_chaining,
	};
	p->asker = (struct aws_asker){
		.loop = o->loop,
		.http = o->http,
		.place = &p->place,
		.region = p->region,
		.fips = o->fips,
		.dual_stack = o->dual_stack,
		.skew_ms = &p->skew_ms,
		.cb = on_answer,
		.arg = p,
	};
	p->times = (struct refresh_times){ UINT64_MAX, UINT64_MAX };
	p->timer = loop_timer_new(o->loop, on_timer, p);
	want(p, 0);
	timer_start(p);
	return p;
}

static void
provider_destroy(struct aws_provider *p)
{
	loop_timer_free(p->timer);
	aws_plan_fini(&p->plan);
	aws_credentials_fini(&p->step);
	aws_credentials_fini(&p->held);
	aws_credentials_fini(&p->fixed);
	aws_session_forget(&p->session);
	aws_settings_free(p->settings);
	environment_free(p->environment);
	free(p->folder);
	free(p->region);
	free(p->role_arn);
	free(p->secret);
	free(p->source);
	free(p->why);
	free(p->told);
	free(p);
}

void
aws_provider_free(struct aws_provider *p)
{
	if (p == NULL)
		return;
	p->freed = true;
	aws_question_cancel(p->question);
	p->question = NULL;
	if (!p->calling)
		provider_destroy(p);
}

/* While a question is under way others are coming anyway. */
void
aws_provider_refused(struct aws_provider *p)
{
	uint64_t now_ms = clock_monotonic_ms();
	uint64_t at_ms =
		p->forced_next_ms > now_ms ? p->forced_next_ms : now_ms;

	p->refused_ms = now_ms;
	if (p->question != NULL || (p->wanted && p->not_before_ms <= at_ms))
		return;
	want(p, at_ms - now_ms);
	if (!p->calling)
		timer_start(p);
}

const char *
aws_provider_source(const struct aws_provider *p)
{
	return p->source == NULL ? "not looked for yet" : p->source;
}
