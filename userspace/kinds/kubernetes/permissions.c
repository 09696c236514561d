/*
 * Does the account have every rule that the gateway needs? First everything
 * that it may do is asked for, once for each place; only what seems to be
 * missing is then asked for one by one, since not every server can list all it
 * would allow (SelfSubjectRulesReview's `incomplete`). While all is granted,
 * that is two requests.
 */
#include "kinds/kubernetes/permissions.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "kinds/kubernetes/rules.h"
#include "net/loop.h"

#define AGAIN_MS      (10 * 60 * 1000u)
#define MISSING_MS    60000u /* while some are missing */
#define REFUSED_MS    10000u /* after a refusal: so much later */
#define FAILED_MS     30000u /* no answer came */
#define CLOCK_SKEW_MS 60000u /* the server allows tokens a minute */

/* A namespace in which nobody grants anything: what may be done there may be
 * done everywhere. */
#define EVERYWHERE "gloo-gateway-everywhere"

#define REVIEWS "/apis/authorization.k8s.io/v1/"

struct kubernetes_permissions {
	struct kubernetes_cluster *cluster;
	struct kubernetes_rules *rules;
	bool *missing; /* by rule */
	struct kubernetes_call *call;
	size_t at;    /* the rule that is asked for */
	bool one;     /* it is asked for by itself */
	bool refused; /* since it began, somebody was */
	struct loop_timer *timer;
	uint64_t asked_ms; /* when the request was made */
};

static void next(struct kubernetes_permissions *p);

/* ---- what is said of it */

static void
condition(struct kubernetes_permissions *p, const char *part,
	enum kind_level level, const char *reason)
{
	struct kind_program *program = p->cluster->program;

	program->condition_set(program, part, level, reason);
}

/* True: none is missing. */
static bool
verdict(struct kubernetes_permissions *p)
{
	struct str text;
	bool all;

	str_init(&text);
	kubernetes_rules_put(p->rules, p->missing, &text);
	all = text.length == 0;
	if (all) {
		condition(p, "permissions", KIND_OK, "");
	} else {
		str_puts(&text,
			": the account may not; `glooctl install kube` grants "
			"it");
		condition(p, "permissions", KIND_WARNING, text.data);
	}
	str_fini(&text);
	return all;
}

/* The server's time is that of some moment between question and answer. */
static void
clock_compare(struct kubernetes_permissions *p, uint64_t server_ms)
{
	uint64_t now = clock_realtime_ms();
	uint64_t took = clock_monotonic_ms() - p->asked_ms;
	bool behind = server_ms > now;
	uint64_t skew = behind ? server_ms - now : now - server_ms;
	char *text;

	if (server_ms == 0 || took > CLOCK_SKEW_MS / 2)
		return;
	if (skew <= CLOCK_SKEW_MS) {
		condition(p, "clock", KIND_OK, "");
		return;
	}
	text = xasprintf("the clock of this box is %llu s %s the API server's: "
			 "tokens and certificates may not be valid yet, or any "
			 "more",
		(unsigned long long)(skew / 1000),
		behind ? "behind" : "ahead of");
	condition(p, "clock", KIND_WARNING, text);
	free(text);
}

/* ---- one question after the other */

static bool
same_place(const struct kubernetes_rule *a, const struct kubernetes_rule *b)
{
	return a->ns == b->ns ||
	       (a->ns != NULL && b->ns != NULL && strcmp(a->ns, b->ns) == 0);
}

static void
wait(struct kubernetes_permissions *p, uint64_t delay_ms)
{
	p->call = NULL;
	if (p->refused && delay_ms > REFUSED_MS)
		delay_ms = REFUSED_MS;
	loop_timer_start(p->timer, delay_ms);
}

/* The rules of that place. */
static void
review_read(struct kubernetes_permissions *p, const struct doc *review)
{
	const struct kubernetes_rule *here =
		kubernetes_rules_at(p->rules, p->at);

	for (size_t i = p->at; i < kubernetes_rules_count(p->rules); i++) {
		const struct kubernetes_rule *rule =
			kubernetes_rules_at(p->rules, i);

		if (same_place(here, rule))
			p->missing[i] = !kubernetes_rule_granted(rule, review);
	}
}

static void
on_answer(const struct kubernetes_answer *answer, void *arg)
{
	struct kubernetes_permissions *p = arg;
	const struct doc *status = doc_get(answer->doc, "status");
	char *text;

	p->call = NULL;
	clock_compare(p, answer->date_ms);
	if (answer->status == 403 || answer->status == 404) {
		text = xasprintf("the account's rules cannot be asked for: %s",
			answer->problem);
		condition(p, "permissions", KIND_NOTE, text);
		free(text);
		wait(p, AGAIN_MS);
		return;
	}
	/* That the server does not answer, those say who need it. */
	if (answer->problem != NULL || status == NULL) {
		wait(p, FAILED_MS);
		return;
	}
	if (p->one)
		p->missing[p->at] = !doc_bool(doc_get(status, "allowed"));
	else
		review_read(p, answer->doc);
	p->at++;
	next(p);
}

static void
ask(struct kubernetes_permissions *p, const char *path, struct doc *review)
{
	struct kubernetes_request r = { .method = "POST", .path = path };
	struct str body;

	str_init(&body);
	json_doc_write(review, 0, &body);
	r.body = (struct slice){ body.data, body.length };
	p->asked_ms = clock_monotonic_ms();
	p->call = kubernetes_api_call(p->cluster->api, &r, on_answer, p);
	str_fini(&body);
	doc_free(review);
}

/* Is that rule the first of its place? */
static bool
place_begins(const struct kubernetes_permissions *p, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (same_place(kubernetes_rules_at(p->rules, i),
			    kubernetes_rules_at(p->rules, at)))
			return false;
	return true;
}

static void
next(struct kubernetes_permissions *p)
{
	size_t count = kubernetes_rules_count(p->rules);
	const struct kubernetes_rule *rule;

	if (!p->one) {
		while (p->at < count && !place_begins(p, p->at))
			p->at++;
		if (p->at < count) {
			rule = kubernetes_rules_at(p->rules, p->at);
			ask(p, REVIEWS "selfsubjectrulesreviews",
				kubernetes_rules_review(rule->ns != NULL
								? rule->ns
								: EVERYWHERE));
			return;
		}
		p->one = true;
		p->at = 0;
	}
	while (p->at < count && !p->missing[p->at])
		p->at++;
	if (p->at < count) {
		ask(p, REVIEWS "selfsubjectaccessreviews",
			kubernetes_rule_review(
				kubernetes_rules_at(p->rules, p->at)));
		return;
	}
	wait(p, verdict(p) ? AGAIN_MS : MISSING_MS);
}

static void
begin(void *arg)
{
	struct kubernetes_permissions *p = arg;

	p->refused = false;
	p->at = 0;
	p->one = false;
	next(p);
}

/* ---- coming and going */

struct kubernetes_permissions *
kubernetes_permissions_new(struct kubernetes_cluster *c)
{
	struct kubernetes_permissions *p = xcalloc(1, sizeof(*p));

	p->cluster = c;
	p->rules = kubernetes_rules_new(c->settings);
	p->missing = xcalloc(
		kubernetes_rules_count(p->rules) + 1, sizeof(*p->missing));
	p->timer = loop_timer_new(c->program->loop, begin, p);
	/* Conditions are not told before open has returned. */
	loop_timer_start(p->timer, 0);
	return p;
}

void
kubernetes_permissions_free(struct kubernetes_permissions *p)
{
	if (p == NULL)
		return;
	if (p->call != NULL)
		kubernetes_call_cancel(p->call);
	loop_timer_free(p->timer);
	kubernetes_rules_free(p->rules);
	free(p->missing);
	free(p);
}

void
kubernetes_permissions_again(struct kubernetes_permissions *p)
{
	if (p == NULL || p->refused)
		return;
	p->refused = true;
	if (p->call == NULL)
		wait(p, REFUSED_MS);
}
