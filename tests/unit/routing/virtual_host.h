/*
 * Virtual hosts for tests: rows of routes become models, blocks, an image and
 * a router; requests come as the text of a head. What is made is freed by
 * fixture_clear.
 */
#ifndef TESTS_VIRTUAL_HOST_H
#define TESTS_VIRTUAL_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http/head.h"
#include "http/target.h"
#include "model/image.h"
#include "model/model.h"
#include "routing/image_build.h"
#include "routing/router.h"

/* An upstream whose name begins with "no" does not exist; ids by the rest. */
static const char *const missing_reason = "no upstream is named \"none\"";

struct fixture {
	struct str warnings; /* "place: text\n" */
	void *block, *image;
	uint32_t block_length;
	size_t image_length;
	struct matcher_cache *cache;
	struct router *router;
	struct router_scratch *scratch;
	uint64_t limited;
	const struct model_gateway *gateway; /* of the listener, or NULL */
	const struct model_upstream_group *groups;
	size_t group_count, groups_asked;
	struct error err;
	/* of the last request */
	struct http_head head;
	struct router_request request;
	struct router_match match;
	char host[512], target[8192], text[16384];
};

static inline uint32_t
test_upstream(const struct model_destination *d, struct str *call,
	const char **reason, void *arg)
{
	(void)arg;
	/* What is called is said by the namespace. */
	if (d->upstream.ns != NULL)
		str_puts(call, d->upstream.ns);
	if (strncmp(d->upstream.name, "no", 2) != 0)
		return (uint32_t)(d->upstream.name[0] - 'a' + 1);
	*reason = missing_reason;
	return 0;
}

/* Those of the fixture. */
static inline const struct model_upstream_group *
test_group(const struct model_ref *ref, const char **reason, void *arg)
{
	struct fixture *f = arg;

	f->groups_asked++;
	for (size_t i = 0; i < f->group_count; i++)
		if (strcmp(f->groups[i].meta.name, ref->name) == 0)
			return &f->groups[i];
	*reason = "no upstream group is named that";
	return NULL;
}

static inline void
test_warning(const char *place, const char *text, void *arg)
{
	struct fixture *f = arg;

	str_printf(&f->warnings, "%s: %s\n", place, text);
}

static inline void
fixture_init(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	str_init(&f->warnings);
	f->cache = matcher_cache_new();
	f->scratch = router_scratch_new(&f->limited);
}

static inline void
fixture_clear(struct fixture *f)
{
	router_free(f->router);
	matcher_cache_free(f->cache);
	router_scratch_free(f->scratch);
	str_fini(&f->warnings);
	free(f->block);
	free(f->image);
}

static inline void *
fixture_block(struct fixture *f, const struct model_virtual_service *vs)
{
	free(f->block);
	str_clear(&f->warnings);
	f->err = (struct error)ERROR_INIT;
	f->block = vhost_build(vs, test_upstream, test_group, test_warning, f,
		&f->block_length, &f->err);
	return f->block;
}

/* 26 upstreams, a to z, TLS to a and b; one listener in slot 1 with the vhosts. */
static inline void *
fixture_image(
	struct fixture *f, const struct image_build_vhost *vhosts, size_t count)
{
	static const struct addr_prefix trusted = { { 127 }, 8 };
	static const struct image_build_service services[] = {
		{ 200, "gloo-system.mysql", 2, NULL, 60000, 3 },
		{ 64, "gloo-system.off", 0, "no upstream", 1000, 1 },
	};
	static const char *const tls_names[] = { "a.test", "spiffe://b" };
	static const char *const alpn[] = { "http/1.1" };
	static const struct image_build_tls tls[] = {
		{ .roots = 1 },
		{ .roots = 2,
			.identity = 3,
			.server_name = "api.test",
			.names = tls_names,
			.name_count = 2,
			.alpn = alpn,
			.alpn_count = 1,
			.ciphers = "ECDHE+AESGCM",
			.curves = "P-256",
			.version_min = 0x0303,
			.version_max = 0x0304,
			.renegotiation = true },
	};
	static char names[26][2];
	struct image_build_upstream upstreams[26];
	struct image_build_listener listener = { .slot = 1,
		.name = "gloo-system.gateway",
		.gateway = f->gateway };
	struct image_build_input in = {
		.generation = 7,
		.vhosts = vhosts,
		.vhost_count = count,
		.listeners = &listener,
		.listener_count = 1,
		.upstreams = upstreams,
		.upstream_count = 26,
		.trusted = &trusted,
		.trusted_count = 1,
		.services = services,
		.service_count = 2,
	};
	size_t *indices = xcalloc(count + 1, sizeof(*indices));

	for (size_t i = 0; i < count; i++)
		indices[i] = i;
	listener.vhosts = indices;
	listener.vhost_count = count;
	for (uint32_t i = 0; i < 26; i++) {
		names[i][0] = (char)('a' + i);
		upstreams[25 - i] = (struct image_build_upstream){
			.id = i + 1,
			.name = names[i],
			.kind = "static",
			.connect_timeout_ms = 5000,
			.tls = i < 2 ? &tls[i] : NULL,
		};
	}
	f->err = (struct error)ERROR_INIT;
	router_free(f->router);
	f->router = NULL;
	free(f->image);
	f->image = image_build(&in, &f->image_length, &f->err);
	free(indices);
	return f->image;
}

static inline void
fixture_route(
	struct fixture *f, const struct image_build_vhost *vhosts, size_t count)
{
	if (fixture_image(f, vhosts, count) == NULL)
		fail_msg("image_build: %s", f->err.text);
	if (image_check(f->image, f->image_length, &f->err) < 0)
		fail_msg("image_check: %s", f->err.text);
	f->router = router_new(f->image, f->cache, &f->err);
	if (f->router == NULL)
		fail_msg("router_new: %s", f->err.text);
}

/* The virtual service alone, for every host. */
static inline void
fixture_serve(struct fixture *f, const struct model_virtual_service *vs)
{
	struct image_build_vhost vhost = { 0 };

	vhost.block = fixture_block(f, vs);
	if (vhost.block == NULL)
		fail_msg("vhost_build: %s", f->err.text);
	vhost.length = f->block_length;
	fixture_route(f, &vhost, 1);
}

/* head: the request line and fields with "\n" for line ends. */
static inline void
fixture_parse(struct fixture *f, const char *head)
{
	enum http_refusal why = HTTP_REFUSE_NONE;
	size_t length = 0, skipped;

	for (; *head != '\0'; head++) {
		if (*head == '\n')
			f->text[length++] = '\r';
		f->text[length++] = *head;
	}
	memcpy(f->text + length, "\r\n", 2);
	if (http_request_parse(f->text, length + 2, 0, &http_limits_default,
		    &f->head, &skipped, &why) != HTTP_PARSE_DONE)
		fail_msg("%s: %s", f->text, http_refusal_word(why));
	f->request.listener = 1;
	f->request.head = &f->head;
	f->request.host.data = f->host;
	f->request.host.length =
		http_authority_host(f->head.authority, f->host);
	if (!http_target_normalise(
		    f->head.target, f->target, &f->request.target))
		fail_msg("%s: target", f->text);
}

static inline void
fixture_find(struct fixture *f, const char *head)
{
	fixture_parse(f, head);
	router_find(f->router, f->scratch, &f->request, &f->match);
}

/* The name of the route that the request finds; "-" for none. */
static inline const char *
fixture_name(struct fixture *f, const char *head)
{
	fixture_find(f, head);
	if (f->match.route == NULL)
		return "-";
	return image_text(f->match.vhost, f->match.route->name).data;
}

static inline struct model_virtual_service
test_service(struct model_route *routes, size_t count)
{
	static char name[] = "default", ns[] = "gloo-system";
	struct model_virtual_service vs = { 0 };

	vs.meta.name = name;
	vs.meta.ns = ns;
	vs.routes = routes;
	vs.route_count = count;
	return vs;
}

/* A route that answers by itself, named name. */
static inline struct model_route
test_route(char *name, struct model_matcher *matcher)
{
	struct model_route r = { 0 };

	r.name = name;
	r.matchers = matcher;
	r.matcher_count = matcher != NULL;
	r.action = MODEL_ACTION_DIRECT_RESPONSE;
	r.direct.status = 200;
	return r;
}

#endif
