/*
 * The answer to a call of an Azure function. What the function said goes to the
 * client as it is. What the platform says to whoever calls it is for the
 * gateway, as far as one can be told from the other:
 *
 * 401  A functions host that does not take the key answers without a body. So
 *      an empty 401 to a request with a key or a token of ours is the
 *      platform's, and so is one with a challenge for a bearer token where the
 *      token is ours, or with the signs of App Service authentication
 *      (x-ms-middleware-request-id, authorization_uri in the challenge) where
 *      the client brought no token of its own: control is told, the request is
 *      sent once more (no function has run), then 503. An empty 401 without a
 *      key of ours is 502 where the level is not known and a key may be needed.
 *      Any other 401, and each of an anonymous function, is the function's. So
 *      is an empty one to a key, without a token of ours, where the key is
 *      proven (credentials.h): the first of them makes control fetch the keys
 *      anew, the same one comes, and what is sent once more is answered so.
 * 403  With x-ms-forbidden-ip (access restrictions), or of App Service
 *      authentication that knows our token but does not let it in: 502.
 * 30x  To a login, where a token of ours was sent: as 401.
 * 404  As it is: the host's own for what it does not have has no body, as many
 *      a function's.
 * 429  As it is, with a Retry-After if it has none.
 * 503  Empty, or with the text of a host that is starting or stopped: 503 with
 *      a Retry-After; sent once more if a retry is allowed, whatever the method
 *      where the host says that it does not run. Others: as they are.
 *      Of what comes in chunks the begin is looked at as it comes, and it is
 *      not sent once more.
 * else As it is, 204 (a function without a result) and 502, 504 of 230 s
 *      without an answer among them.
 *
 * No key stands in a Location that goes to the client.
 */
#include "kinds/azure/call.h"

#include <stdlib.h>

#include "base/mem.h"
#include "http/write.h"
#include "kinds/azure/query.h"
#include "kinds/azure/spec.h"

#define RETRY_AFTER_S     5 /* a host starts in seconds */
#define RETRY_AFTER_MAX_S 86400
#define THROTTLED_TEXT    "1"

#define SLICE(text) ((struct slice){ (text), sizeof(text) - 1 })

static const struct slice not_running = { "Function host is not running", 28 };
static const struct slice unavailable = { "The service is unavailable", 26 };

/* ---- heads */

static struct slice
field_get(const struct http_head *h, struct slice name)
{
	const struct http_field *f = http_head_find_name(h, name);

	return f == NULL ? (struct slice){ NULL, 0 } : http_field_value(h, f);
}

static bool
contains(struct slice text, const char *part)
{
	return text.length > 0 &&
	       memmem(text.data, text.length, part, strlen(part)) != NULL;
}

static bool
is_bearer(struct slice challenge)
{
	return challenge.length >= 6 &&
	       slice_equal_nocase(
		       (struct slice){ challenge.data, 6 }, SLICE("bearer"));
}

static uint32_t
retry_after_s(const struct http_head *h)
{
	struct slice text = field_get(h, SLICE("retry-after"));
	uint32_t s = 0;

	for (size_t i = 0; i < text.length; i++) {
		if (text.data[i] < '0' || text.data[i] > '9' || s > 99999)
			return RETRY_AFTER_S;
		s = s * 10 + (uint32_t)(text.data[i] - '0');
	}
	return s == 0                  ? RETRY_AFTER_S
	       : s > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S
				       : s;
}

/* As the function said it, without what is of the connection. */
static void
head_pass(const struct http_head *h, struct http_write *head)
{
	struct str location;

	str_init(&location);
	http_write_status_line(head, h->status);
	for (unsigned i = 0; i < h->field_count; i++) {
		const struct http_field *f = &h->fields[i];
		struct slice name = http_field_name(h, f);
		struct slice value = http_field_value(h, f);

		if (f->hop_by_hop)
			continue;
		if (f->id == HTTP_FIELD_LOCATION ||
			slice_equal_nocase(name, SLICE("content-location"))) {
			str_clear(&location);
			azure_location_strip(value, &location);
			value = (struct slice){ location.data,
				location.length };
		}
		http_write_field_parsed(head, name, value);
	}
	if (h->status == 429 && field_get(h, SLICE("retry-after")).data == NULL)
		http_write_field(
			head, SLICE("retry-after"), SLICE(THROTTLED_TEXT));
	str_fini(&location);
}

static enum call_step
pass(const struct http_head *h, struct http_write *head,
	struct call_refusal *refusal)
{
	head_pass(h, head);
	if (http_write_ok(head))
		return CALL_PASS;
	azure_refuse(refusal, 502, "answer_head_too_large",
		"the head of the function's answer is too large");
	return CALL_REFUSE;
}

/* ---- the platform's word */

static enum call_step
not_let_in(struct azure_call *call, struct call_refusal *refusal,
	struct call_news *news)
{
	const struct azure_target *t = call->target;

	if (!call->key_sent && !call->token_sent) {
		azure_refuse(refusal, 502, "credentials_missing",
			"\"%.64s\" wants a key for function \"%.64s\", or a "
			"token, and the upstream has none: give it a secret, "
			"or appServiceAuthentication",
			t->app, t->function);
		return CALL_REFUSE;
	}
	azure_refuse(refusal, 503, "credentials_refused",
		"\"%.64s\" did not take the %s%s%s for function \"%.64s\"",
		t->app, call->key_sent ? "key" : "",
		call->key_sent && call->token_sent ? " or the " : "",
		call->token_sent ? "token" : "", t->function);
	news->credentials_refused = true;
	news->nothing_ran = true;
	if (call->refused)
		return CALL_REFUSE;
	call->refused = true;
	return CALL_AGAIN;
}

static enum call_step
token_missing(const struct azure_call *call, struct call_refusal *refusal)
{
	azure_refuse(refusal, 502, "credentials_missing",
		"App Service authentication of \"%.64s\" wants a token: give "
		"the upstream appServiceAuthentication",
		call->target->app);
	return CALL_REFUSE;
}

static enum call_step
not_there(struct azure_call *call, bool runs, uint32_t after_s,
	struct call_refusal *refusal, struct call_news *news)
{
	azure_refuse(refusal, 503, "host_unavailable",
		runs ? "the functions host of \"%.64s\" is not available"
		     : "the functions host of \"%.64s\" does not run (yet)",
		call->target->app);
	refusal->retry_after_s = after_s;
	/* Further ones are for the route's retries to decide. */
	news->nothing_ran = !runs && !call->unavailable;
	call->unavailable = true;
	return CALL_AGAIN;
}

static bool
is_app_authentication(const struct http_head *h)
{
	return field_get(h, SLICE("x-ms-middleware-request-id")).data != NULL ||
	       contains(field_get(h, SLICE("www-authenticate")),
		       "authorization_uri");
}

static bool
is_login(const struct http_head *h)
{
	static const char *const places[] = { "://login.microsoftonline.",
		"://login.windows.net/", "://login.partner.microsoftonline.cn",
		"/.auth/login/" };
	struct slice location = field_get(h, SLICE("location"));

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (contains(location, places[i]))
			return true;
	return false;
}

/* A key may have been needed: of an anonymous function it is not. */
static bool
empty_is_the_platforms(const struct azure_call *call)
{
	if (call->token_sent)
		return true;
	if (call->key_sent)
		return !call->key_proven;
	return call->level == AZURE_LEVEL_UNKNOWN && !call->client_token;
}

/* Its body decides. One whose length is said is collected, so that it can be
 * asked again; another could be of any length. */
static enum call_step
look_begin(struct azure_call *call, const struct http_head *h)
{
	azure_answer_forget(call);
	call->kept = xmemdup(h, sizeof(*h));
	call->kept->bytes = xmemdup(h->bytes, h->length);
	return h->framing == HTTP_BODY_LENGTH ? CALL_COLLECT : CALL_DECODE;
}

static bool
has_no_body(const struct azure_call *call, const struct http_head *h)
{
	if (call->head_asked)
		return h->content_length == 0;
	return h->framing == HTTP_BODY_NONE ||
	       (h->framing == HTTP_BODY_LENGTH && h->content_length == 0);
}

static enum call_step
answer_401(struct azure_call *call, const struct http_head *h,
	struct http_write *head, struct call_refusal *refusal,
	struct call_news *news)
{
	if (call->token_sent &&
		is_bearer(field_get(h, SLICE("www-authenticate"))))
		return not_let_in(call, refusal, news);
	if (is_app_authentication(h) && call->token_sent)
		return not_let_in(call, refusal, news);
	if (is_app_authentication(h) && !call->client_token)
		return token_missing(call, refusal);
	if (!empty_is_the_platforms(call))
		return pass(h, head, refusal);
	if (has_no_body(call, h))
		return not_let_in(call, refusal, news);
	if (call->head_asked || h->framing == HTTP_BODY_LENGTH)
		return pass(h, head, refusal);
	return look_begin(call, h);
}

static enum call_step
answer_403(struct azure_call *call, const struct http_head *h,
	struct http_write *head, struct call_refusal *refusal)
{
	if (field_get(h, SLICE("x-ms-forbidden-ip")).data != NULL) {
		azure_refuse(refusal, 502, "app_forbidden",
			"the access restrictions of \"%.64s\" do not let this "
			"gateway in",
			call->target->app);
		return CALL_REFUSE;
	}
	if (call->token_sent && is_app_authentication(h)) {
		azure_refuse(refusal, 502, "app_forbidden",
			"App Service authentication of \"%.64s\" does not let "
			"the gateway's identity in",
			call->target->app);
		return CALL_REFUSE;
	}
	return pass(h, head, refusal);
}

static enum call_step
answer_503(struct azure_call *call, const struct http_head *h,
	struct http_write *head, struct call_refusal *refusal,
	struct call_news *news)
{
	if (has_no_body(call, h))
		return not_there(call, true, retry_after_s(h), refusal, news);
	if (call->head_asked || (h->framing == HTTP_BODY_LENGTH &&
					h->content_length > AZURE_COLLECT_MAX))
		return pass(h, head, refusal);
	return look_begin(call, h);
}

enum call_step
azure_answer(void *data, const struct http_head *answer,
	struct http_write *head, struct call_refusal *refusal,
	struct call_news *news)
{
	struct azure_call *call = data;

	switch (answer->status) {
	case 401:
		return answer_401(call, answer, head, refusal, news);
	case 403:
		return answer_403(call, answer, head, refusal);
	case 503:
		return answer_503(call, answer, head, refusal, news);
	case 301:
	case 302:
	case 303:
	case 307:
		if (call->token_sent && is_login(answer))
			return not_let_in(call, refusal, news);
	}
	return pass(answer, head, refusal);
}

/* ---- answers whose body says whose word they are */

void
azure_answer_forget(struct azure_call *call)
{
	if (call->kept != NULL)
		free((char *)call->kept->bytes);
	free(call->kept);
	call->kept = NULL;
	call->looked = call->given = 0;
	call->judged = false;
}

/* So much of a body as decides: any byte of a 401, the text of a 503. */
static size_t
look_takes(const struct azure_call *call)
{
	return call->kept->status == 401 ? 1 : AZURE_LOOK_MAX;
}

/* CALL_PASS: it is the function's, the head is written. */
static enum call_step
judge(struct azure_call *call, struct slice text, struct http_write *head,
	struct call_refusal *refusal, struct call_news *news)
{
	if (call->kept->status == 401 && text.length == 0)
		return not_let_in(call, refusal, news);
	if (call->kept->status == 503 &&
		(text.length == 0 || slice_starts(text, not_running) ||
			slice_starts(text, unavailable)))
		return not_there(call, !slice_starts(text, not_running),
			retry_after_s(call->kept), refusal, news);
	return pass(call->kept, head, refusal);
}

enum call_step
azure_answer_whole(void *data, struct slice body, struct http_write *head,
	struct slice *out, struct call_refusal *refusal, struct call_news *news)
{
	enum call_step step = judge(data, body, head, refusal, news);

	*out = body;
	return step == CALL_PASS ? CALL_DONE : step;
}

enum call_step
azure_answer_bytes(void *data, struct slice in, bool last, size_t *used,
	struct http_write *head, struct slice *out,
	struct call_refusal *refusal, struct call_news *news)
{
	struct azure_call *call = data;
	enum call_step step;
	size_t most;

	*used = 0;
	if (!call->judged) {
		most = look_takes(call) - call->looked;
		*used = in.length < most ? in.length : most;
		if (*used > 0)
			memcpy(call->look + call->looked, in.data, *used);
		call->looked += *used;
		if (call->looked < look_takes(call) && !last)
			return CALL_MORE;
		step = judge(call, (struct slice){ call->look, call->looked },
			head, refusal, news);
		call->judged = step == CALL_PASS;
		return call->judged ? CALL_HEAD : CALL_REFUSE;
	}
	if (call->given < call->looked) {
		*out = (struct slice){ call->look + call->given,
			call->looked - call->given };
		call->given = call->looked;
		return CALL_DATA;
	}
	*used = in.length;
	*out = in;
	if (in.length > 0)
		return CALL_DATA;
	return last ? CALL_DONE : CALL_MORE;
}
