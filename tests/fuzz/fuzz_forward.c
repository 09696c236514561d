/*
 * The heads that the proxy writes, read again by the strict parser: what was
 * taken from a client or an upstream, run through the filters and written, is
 * the same message again, with nothing of the hop it came by.
 */
#include "tests/fuzz/service.h"

#include <stdio.h>

#include "base/mem.h"
#include "proxy/exchange.h"
#include "proxy/forward.h"
#include "proxy/generation.h"
#include "proxy/session.h"
#include "proxy/upstream.h"
#include "proxy/worker.h"

#define SIZE_MAX_FED (16u << 10)

static const char service[] =
	"metadata: {name: default}\n"
	"virtualHost:\n"
	"  domains: ['*']\n"
	"  options:\n"
	"    headerManipulation:\n"
	"      requestHeadersToRemove: [x-remove]\n"
	"      responseHeadersToRemove: [server]\n"
	"  routes:\n"
	"  - matchers: [{prefix: /files}]\n"
	"    options: {prefixRewrite: /public/}\n"
	"    routeAction: {single: {upstream: {name: u}}}\n"
	"  - matchers: [{prefix: /a/}]\n"
	"    options:\n"
	"      prefixRewrite: /\n"
	"      hostRewrite: 'inner.example:8080'\n"
	"      headerManipulation:\n"
	"        requestHeadersToAdd:\n"
	"        - {header: {key: x-add, value: a b}}\n"
	"        - {header: {key: cookie, value: c}, append: false}\n"
	"        responseHeadersToAdd:\n"
	"        - {header: {key: set-cookie, value: c}}\n"
	"        - {header: {key: location, value: /}, append: false}\n"
	"    routeAction: {single: {upstream: {name: u}}}\n"
	"  - matchers: [{regex: '/r/[a-z]+'}]\n"
	"    options: {autoHostRewrite: true, timeout: 0s}\n"
	"    routeAction: {single: {upstream: {name: u}}}\n"
	"  - matchers: [{prefix: /}]\n"
	"    routeAction: {single: {upstream: {name: u}}}\n";

struct scene {
	struct worker worker;
	struct session session;
	struct generation *generation;
	struct backend backend;
	struct exchange exchange;
	struct router_scratch *scratch;
	uint64_t limited;
	struct http_head again;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(bool condition)
{
	if (!condition)
		abort();
}

static struct scene *
scene_get(void)
{
	static struct scene *s;

	if (s != NULL)
		return s;
	s = xcalloc(1, sizeof(*s));
	s->generation = aligned_alloc(
		_Alignof(struct generation), sizeof(*s->generation));
	expect(s->generation != NULL);
	memset(s->generation, 0, sizeof(*s->generation));
	s->generation->router = service_router(service);
	s->generation->image = router_image(s->generation->router);
	s->scratch = router_scratch_new(&s->limited);
	str_init(&s->worker.texts);
	s->worker.head_up = xmalloc(WORKER_HEAD);
	s->worker.head_down = xmalloc(WORKER_HEAD);
	s->worker.path = xmalloc(SIZE_MAX_FED);
	s->worker.host = xmalloc(SIZE_MAX_FED);
	s->backend.host = xstrdup("endpoint.example");
	expect(addr_parse_ip("192.0.2.7", 8080, &s->backend.addr) == 0);
	return s;
}

static void
exchange_reset(struct scene *s, const char *peer)
{
	struct exchange *x = &s->exchange;

	memset(x, 0, sizeof(*x));
	x->worker = &s->worker;
	x->session = &s->session;
	x->generation = s->generation;
	x->backend = &s->backend;
	strcpy(x->id, "00000000-0000-4000-8000-000000000000");
	expect(addr_parse_ip(peer, 1234, &s->session.peer) == 0);
	x->peer_trusted = generation_trusts(s->generation, s->session.peer.ip);
}

static bool
is_of_one_hop(const struct http_head *h)
{
	for (unsigned i = 0; i < h->field_count; i++)
		if (h->fields[i].hop_by_hop &&
			h->fields[i].id != HTTP_FIELD_CONTENT_LENGTH &&
			h->fields[i].id != HTTP_FIELD_TRANSFER_ENCODING)
			return true;
	return false;
}

/* Every field that goes on is there with its values, in their order. */
static void
fields_compare(const struct http_head *from, const struct http_head *to,
	const struct head_edit *edit)
{
	unsigned at = 0, sent = 0;

	for (unsigned i = 0; i < from->field_count; i++) {
		struct slice name = http_field_name(from, &from->fields[i]);

		if (head_edit_is_removed(edit, i))
			continue;
		expect(!from->fields[i].hop_by_hop);
		while (at < to->field_count &&
			!(slice_equal(
				  name, http_field_name(to, &to->fields[at])) &&
				slice_equal(http_field_value(
						    from, &from->fields[i]),
					http_field_value(to, &to->fields[at]))))
			at++;
		expect(at++ < to->field_count);
		sent++;
	}
	/* Beyond those: what was added, Host, framing, Connection. */
	expect(to->field_count <= sent + edit->added_count + 3);
}

/* RFC 3986, but for brackets in the query, which all the world sends. */
static bool
may_stand(char c, bool query)
{
	static const char raw[] = "-._~!$&'()*+,;=:@/%";

	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z') || (c && strchr(raw, c)) ||
	       (query && (c == '?' || c == '[' || c == ']'));
}

static void
target_check(struct slice target)
{
	bool query = false;

	for (size_t i = 0; i < target.length; i++) {
		if (may_stand(target.data[i], query))
			continue;
		expect(target.data[i] == '?');
		query = true;
	}
}

/* Byte by byte what came, but for those that may not stand there. */
static void
query_compare(struct slice came, struct slice sent)
{
	size_t at = 0;

	expect((came.data == NULL) == (sent.data == NULL));
	for (size_t i = 0; i < came.length; i++) {
		unsigned char c = (unsigned char)came.data[i];
		char text[sizeof("%00")] = { (char)c };

		if (!may_stand((char)c, true))
			snprintf(text, sizeof(text), "%%%02X", c);
		expect(sent.length - at >= strlen(text) &&
			memcmp(sent.data + at, text, strlen(text)) == 0);
		at += strlen(text);
	}
	expect(at == sent.length);
}

static void
request_compare(struct scene *s, const struct http_head *head,
	const struct filter_request *f, struct slice sent)
{
	static const struct http_limits limits = { WORKER_HEAD, WORKER_HEAD,
		HTTP_FIELDS_MAX };
	static char scratch[4 * SIZE_MAX_FED];
	struct http_head *again = &s->again;
	struct http_target target;
	enum http_refusal why;
	size_t skipped;

	if (http_request_parse(sent.data, sent.length, 0, &limits, again,
		    &skipped, &why) != HTTP_PARSE_DONE) {
		/* More fields than a head may have, ours among them. */
		expect(why == HTTP_REFUSE_FIELDS);
		return;
	}
	expect(skipped == 0 && again->length == sent.length);
	target_check(again->target);
	expect(slice_equal(again->method_text, head->method_text));
	expect(again->framing == head->framing &&
		again->content_length == head->content_length);
	expect(!is_of_one_hop(again) && !again->upgrade && again->keep_alive);
	expect(f->host.length == 0 || slice_equal(again->authority, f->host));
	/* What matched is what the upstream sees, in its own normal form. */
	expect(http_target_normalise(again->target, scratch, &target));
	expect(slice_equal(target.path, f->path));
	query_compare(f->query, target.query);
	fields_compare(head, again, &f->edit);
}

static void
request_forward(struct scene *s, struct http_head *head, const char *peer)
{
	struct exchange *x = &s->exchange;
	struct filter_request *f = &s->worker.filter;
	struct router_request request = { .listener = SERVICE_SLOT,
		.head = head };
	struct slice sent;

	if (!http_target_normalise(
		    head->target, s->worker.path, &request.target))
		return;
	exchange_reset(s, peer);
	request.peer_trusted = x->peer_trusted;
	request.host.data = s->worker.host;
	request.host.length =
		http_authority_host(head->authority, s->worker.host);
	router_find(s->generation->router, s->scratch, &request, &x->match);
	if (x->match.route == NULL) {
		expect(request.target.path.data[0] == '*');
		return;
	}
	sent = forward_request(x, head, &request.target);
	if (sent.data == NULL) {
		expect(f->escapes);
		return;
	}
	expect(http_path_is_resolved(f->path));
	request_compare(s, head, f, sent);
}

static void
answer_forward(struct scene *s, struct http_head *head, enum http_method method,
	bool client_10)
{
	static const struct http_limits limits = { WORKER_HEAD, WORKER_HEAD,
		HTTP_FIELDS_MAX };
	struct exchange *x = &s->exchange;
	struct http_head *again = &s->again;
	bool open_end = head->framing == HTTP_BODY_CHUNKED ||
			head->framing == HTTP_BODY_CLOSE;
	enum http_refusal why;
	struct slice sent;

	exchange_reset(s, "192.0.2.1");
	x->request_method = (uint8_t)method;
	x->version_10 = client_10;
	x->chunked = open_end && !client_10;
	x->until_close = open_end && client_10;
	x->keep = !x->until_close && head->length % 2 == 0;
	sent = forward_answer(x, head);
	expect(sent.data != NULL);
	if (http_response_parse(sent.data, sent.length, 0, method, &limits,
		    again, &why) != HTTP_PARSE_DONE) {
		expect(why == HTTP_REFUSE_FIELDS);
		return;
	}
	expect(again->length == sent.length && again->status == head->status);
	if (x->until_close)
		expect(again->framing == HTTP_BODY_CLOSE);
	else if (open_end)
		expect(again->framing == HTTP_BODY_CHUNKED);
	else
		expect(again->framing == head->framing);
	if (again->framing == HTTP_BODY_LENGTH)
		expect(again->content_length == head->content_length);
	expect(again->keep_alive == (x->keep && !x->until_close));
	expect(!http_head_find(again, HTTP_FIELD_UPGRADE) &&
		!http_head_find(again, HTTP_FIELD_TRAILER) &&
		!http_head_find(again, HTTP_FIELD_KEEP_ALIVE));
	fields_compare(head, again, &s->worker.filter.edit);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_head head;
	struct scene *s = scene_get();
	const char *bytes = (const char *)data;
	enum http_refusal why;
	size_t skipped;

	if (size > SIZE_MAX_FED)
		size = SIZE_MAX_FED;
	if (http_request_parse(bytes, size, 0, &http_limits_default, &head,
		    &skipped, &why) == HTTP_PARSE_DONE) {
		request_forward(s, &head, "192.0.2.1");
		request_forward(s, &head, "127.0.0.1"); /* trusted */
	}
	for (int way = 0; way < 4; way++) {
		enum http_method method = way & 1 ? HTTP_HEAD : HTTP_GET;

		if (http_response_parse(bytes, size, 0, method,
			    &http_limits_default, &head,
			    &why) == HTTP_PARSE_DONE &&
			head.status >= 200)
			answer_forward(s, &head, method, way & 2);
	}
	return 0;
}
