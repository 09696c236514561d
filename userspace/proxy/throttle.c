/* A request and the rate limits. */
#include "proxy/throttle.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "filter/limit.h"
#include "filter/limit_table.h"
#include "http/write.h"
#include "model/limit.h"
#include "proxy/exchange.h"
#include "proxy/generation.h"
#include "proxy/session.h"
#include "proxy/worker.h"

/* Only who is behind the connection himself can be blocked for it. */
static bool
may_be_blocked(const struct exchange *x)
{
	return !addr_is_loopback(&x->session->peer) && !x->peer_trusted;
}

static void
far_beyond_tell(struct exchange *x)
{
	struct worker *w = x->worker;
	struct throttle_report *r = xcalloc(1, sizeof(*r));
	const struct mail mail = {
		.type = MAIL_FAR_BEYOND, .number = w->index, .object = r
	};

	r->slot = x->session->slot;
	r->addr = x->session->peer;
	r->addr.port_be = 0;
	r->rule = x->limit.rule->identity;
	limit_table_count(w->rates, r->rule, w->index, LIMIT_PROMOTED);
	mailbox_send(w->outbox, &mail);
}

bool
throttle_pass(struct exchange *x, const struct http_head *head)
{
	struct worker *w = x->worker;
	const struct filter_limit_request request = {
		.head = head,
		.match = &x->match,
		.image = x->generation->image,
		.client = &x->client,
		/* Not the worker's own time, which may be some ms behind that
		 * of another: the last of a burst would be refused. */
		.now_ms = clock_monotonic_ms(),
		.worker = w->index,
	};

	if (w->rates == NULL)
		return true;
	filter_limit_apply(w->rates, &request, &x->limit);
	if (!x->limit.refused)
		return true;
	x->session->counts->rate_limited++;
	if (x->limit.far_beyond && may_be_blocked(x))
		far_beyond_tell(x);
	if (x->limit.rule->action == LIMIT_ACTION_DROP)
		exchange_drop(x, "rate_limited");
	else
		exchange_refuse(x, 429, "rate_limited",
			"too many requests, see Retry-After");
	return false;
}

static bool
tells_itself(const struct http_head *answer)
{
	static const struct slice prefix = { "ratelimit", 9 };

	for (unsigned i = 0; i < answer->field_count; i++) {
		struct slice name = http_field_name(answer, &answer->fields[i]);

		if (name.length < prefix.length)
			continue;
		name.length = prefix.length;
		if (slice_equal_nocase(name, prefix))
			return true;
	}
	return false;
}

void
throttle_fields_write(const struct exchange *x, const struct http_head *answer,
	struct http_write *w)
{
	const struct filter_limit_verdict *v = &x->limit;

	if (v->rule == NULL)
		return;
	if (v->refused)
		http_write_field_number(w, "retry-after", v->retry_s);
	if (tells_itself(answer))
		return;
	http_write_field_number(w, "ratelimit-limit", v->rule->burst);
	http_write_field_number(w, "ratelimit-remaining", v->remaining);
	http_write_field_number(w, "ratelimit-reset", v->reset_s);
}
