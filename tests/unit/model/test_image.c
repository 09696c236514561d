/* image_check: good images pass; cut or changed ones never lead astray. */
#include "model/image.h"

#include "model/counters.h"
#include "model/image_radix.h"
#include "routing/balance.h"
#include "tests/unit/routing/virtual_host.h"

#define CHARS(text) ((char *)(uintptr_t)(text))

static uint64_t seed = 88172645463325252u;

static uint32_t
pick(uint32_t below)
{
	return (uint32_t)((balance_random(&seed) >> 33) % below);
}

/* Something of everything that an image can hold. */
static void
serve_everything(struct fixture *f)
{
	static const char *const domains[] = { "a.example.com", "*.example.com",
		"www.*", "*" };
	static struct model_header_matcher headers[] = {
		{ CHARS("x-a"), CHARS("1"), false, false },
		{ CHARS("x-b"), CHARS("[0-9]+"), true, true }
	};
	static struct model_query_matcher query[] = { { CHARS("q"), CHARS("x+"),
		true } };
	static char *methods[] = { CHARS("GET"), CHARS("BREW") };
	static struct model_header_value add[] = { { CHARS("x-add"), CHARS("v"),
		true } };
	static char *removed[] = { CHARS("x-remove") };
	static struct model_header_manipulation manipulation = { add, 1,
		removed, 1, add, 1, removed, 1 };
	static struct model_destination to[] = { { { CHARS("a"), CHARS("n") },
							 1, NULL, NULL, 0 },
		{ { CHARS("b"), CHARS("n") }, 3, NULL, NULL, 0 },
		{ { CHARS("none"), CHARS("n") }, 3, NULL, NULL, 0 } };
	static struct model_limit limits[] = {
		{ .rate = 100, .unit_s = 60 },
		{ .key = LIMIT_KEY_HEADER,
			.header = CHARS("x-key"),
			.rate = 7,
			.unit_s = 1 },
	};
	static struct model_gateway gateway;
	static char paths[64][16];
	static struct model_matcher m[64];
	static struct model_route routes[64];
	struct model_virtual_service vs = test_service(routes, 64);
	struct image_build_vhost vhost = { 0 };

	vs.headers = &manipulation;
	vs.limits = (struct model_limits){ limits, 2, NULL };
	gateway.meta = vs.meta;
	gateway.limits = (struct model_limits){ limits, 2, NULL };
	f->gateway = &gateway;
	for (uint32_t i = 0; i < 64; i++) {
		struct model_route *r = &routes[i];

		snprintf(paths[i], sizeof(paths[i]), "/%c%s%u",
			'0' + (int)(i % 40), i % 3 ? "/Abc" : "", i);
		m[i] = (struct model_matcher){ .path = paths[i] };
		m[i].path_type = (enum model_path)(i % 3);
		m[i].case_sensitive.given = i % 7 == 0;
		if (i % 4 == 0) {
			m[i].headers = headers;
			m[i].header_count = 2;
			m[i].query = query;
			m[i].query_count = 1;
			m[i].methods = methods;
			m[i].method_count = 2;
		}
		*r = test_route(CHARS("name"), &m[i]);
		r->options.headers = &manipulation;
		r->options.prefix_rewrite = CHARS("/new");
		r->action = (enum model_action)(i % 3);
		r->destinations = to + i % 2;
		r->destination_count = 1 + i % 3 % 2;
		r->redirect.host_redirect = CHARS("other");
		r->direct.body = CHARS("body");
	}
	vhost.block = fixture_block(f, &vs);
	vhost.length = f->block_length;
	vhost.domains = domains;
	vhost.domain_count = ARRAY_SIZE(domains);
	fixture_route(f, &vhost, 1);
}

/* Every slot, and the texts of those that there are. */
static void
services_walk(const struct image *image)
{
	for (uint32_t slot = 0; slot < SLOTS_MAX; slot++) {
		const struct image_service *s =
			image_service_get(image, slot);

		if (s == NULL)
			continue;
		assert_true(s->upstream < UPSTREAMS_MAX);
		assert_int_equal(
			image_text(image, s->name).data[s->name.length], 0);
	}
}

/* Each ends where it says. */
static void
text_walk(const struct image *image, struct image_str text)
{
	if (text.length > 0)
		assert_int_equal(strlen(image_text(image, text).data),
			text.length);
}

static void
texts_walk(const struct image *image, struct image_array texts)
{
	const struct image_str *s = image_at(image, texts.offset);

	for (uint32_t i = 0; i < texts.count; i++)
		text_walk(image, s[i]);
}

/* As the proxy reads them. */
static void
tls_walk(const struct image *image)
{
	for (uint32_t id = 1; id < UPSTREAMS_MAX; id++) {
		const struct image_upstream *u = image_upstream_get(image, id);
		const struct image_tls *t;

		if (u == NULL || u->tls == 0)
			continue;
		t = image_at(image, u->tls);
		assert_true(t->roots != 0);
		texts_walk(image, t->names);
		texts_walk(image, t->alpn);
		text_walk(image, t->server_name);
		text_walk(image, t->ciphers);
		text_walk(image, t->curves);
	}
}

/* Of each destination of those routes: what its kind's dialect reads. */
static void
calls_walk(const struct image_vhost *v)
{
	const struct image_route *r = image_at(v, v->routes.offset);

	for (uint32_t i = 0; i < v->routes.count; i++) {
		const struct image_destination *d =
			image_at(v, r[i].destinations.offset);

		for (uint32_t k = 0; k < r[i].destinations.count; k++) {
			struct slice call = image_text(v, d[k].call);

			if (call.length > 0)
				assert_int_equal(call.data[call.length], 0);
		}
	}
}

static void
request_all(struct fixture *f)
{
	static const char *const heads[] = {
		"GET /0/Abc1 HTTP/1.1\nHost: a.example.com\nx-a: 1\nx-b: 2\n",
		"BREW /4?q=xx HTTP/1.1\nHost: b.example.com\nx-a: 1\n",
		"GET /1/ABC1 HTTP/1.1\nHost: www.x\n",
		"POST /2/Abc2/more HTTP/1.1\nHost: any\n",
		"GET /P/Abc32 HTTP/1.1\nHost: any\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		fixture_find(f, heads[i]);
		if (f->match.vhost != NULL)
			calls_walk(f->match.vhost);
		if (f->match.route != NULL)
			assert_true(f->match.prefix_length <=
				    f->request.target.path.length);
	}
}

static void
good_images_pass(void **state)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;

	serve_everything(f);
	assert_int_equal(image_check(f->image, f->image_length, &err), 0);
	services_walk(f->image);
	tls_walk(f->image);
	request_all(f);
	fixture_image(f, NULL, 0);
	assert_int_equal(image_check(f->image, f->image_length, &err), 0);
}

static void
cut_images_are_refused(void **state)
{
	struct fixture *f = *state;
	size_t refused = 0;

	serve_everything(f);
	for (size_t length = 0; length < f->image_length; length++) {
		struct error err = ERROR_INIT;
		struct image *cut = xmemdup(f->image, length);

		assert_int_equal(image_check(cut, length, &err), -1);
		assert_int_equal(err.code, ERROR_CONFIG);
		/* Even where the header says that this is all. */
		if (length >= sizeof(*cut)) {
			cut->length = (uint32_t)length;
			refused += image_check(cut, length, NULL) < 0;
		}
		free(cut);
	}
	assert_true(refused > f->image_length / 2);
}

/* What passes may be walked: no wild read, which the sanitizers see. */
static void
walk_if_it_passes(struct fixture *f, struct image *image)
{
	struct router *router = f->router;

	if (image_check(image, f->image_length, NULL) < 0)
		return;
	f->router = router_new(image, f->cache, NULL);
	if (f->router != NULL)
		request_all(f);
	services_walk(image);
	tls_walk(image);
	router_free(f->router);
	f->router = router;
	matcher_cache_trim(f->cache);
}

static void
changed_images_do_no_harm(void **state)
{
	struct fixture *f = *state;

	serve_everything(f);
	for (size_t i = 0; i < 12000; i++) {
		uint8_t *bytes = xmemdup(f->image, f->image_length);
		uint32_t changes = 1 + pick(3);

		while (changes-- > 0)
			bytes[pick((uint32_t)f->image_length)] ^=
				(uint8_t)(1u << pick(8));
		walk_if_it_passes(f, (struct image *)(void *)bytes);
		free(bytes);
	}
}

/* Each word in turn becomes small, large, or another offset. */
static void
changed_words_do_no_harm(void **state)
{
	struct fixture *f = *state;
	uint32_t words;

	serve_everything(f);
	words = (uint32_t)(f->image_length / 4);
	for (uint32_t i = 0; i < words; i++) {
		uint32_t *word = xmemdup(f->image, f->image_length);
		const uint32_t values[] = { 0, 1, UINT32_MAX, word[i] + 8,
			pick(words) * 4 };

		word[i] = values[pick(ARRAY_SIZE(values))];
		walk_if_it_passes(f, (struct image *)(void *)word);
		free(word);
	}
}

static void
faults_are_named(void **state)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;
	struct image *image;
	struct image_listener *l;
	struct image_service *s;
	struct image_vhost *v;
	struct image_node *n;

	serve_everything(f);
	image = f->image;
	l = (struct image_listener *)(uintptr_t)image_at(
		image, image->listeners.offset);
	v = (struct image_vhost *)(uintptr_t)image_at(image, l->default_vhost);
	n = (struct image_node *)(uintptr_t)image_at(v, v->nodes.offset);

	s = (struct image_service *)(uintptr_t)image_at(
		image, image->services.offset);
	s[1].slot = LISTENERS_MAX - 1;
	assert_int_equal(image_check(image, f->image_length, &err), -1);
	assert_string_equal(
		err.text, "the image is damaged: slot of a service");
	err = (struct error)ERROR_INIT;
	s[1].slot = 200;
	s[1].connect_attempts = 0;
	assert_int_equal(image_check(image, f->image_length, &err), -1);
	assert_string_equal(
		err.text, "the image is damaged: attempts of a service");
	err = (struct error)ERROR_INIT;
	s[1].connect_attempts = 3;
	n[n[0].first_child].label_length = 0;
	assert_int_equal(image_check(image, f->image_length, &err), -1);
	assert_string_equal(err.text, "the image is damaged: keys of a node");
	err = (struct error)ERROR_INIT;
	n[0].first_child = 0;
	assert_int_equal(image_check(image, f->image_length, &err), -1);
	assert_string_equal(
		err.text, "the image is damaged: children of a node");
	err = (struct error)ERROR_INIT;
	image->contract++;
	assert_int_equal(image_check(image, f->image_length, &err), -1);
	assert_non_null(strstr(err.text, "contract 6, not 5"));
	err = (struct error)ERROR_INIT;
	assert_int_equal(
		image_check((char *)image + 4, f->image_length - 4, &err), -1);
	assert_non_null(strstr(err.text, "not aligned"));
}

static void
faults_of_calls_are_named(void **state)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;
	const struct image *image;
	const struct image_listener *l;
	const struct image_vhost *v;
	const struct image_route *r;
	struct image_destination *d;

	serve_everything(f);
	image = f->image;
	l = image_at(image, image->listeners.offset);
	v = image_at(f->image, l->default_vhost);
	r = image_at(v, v->routes.offset);
	while (r->destinations.count == 0)
		r++;
	d = (struct image_destination *)(uintptr_t)image_at(
		v, r->destinations.offset);
	d->call = r->name; /* any text */
	assert_int_equal(image_check(f->image, f->image_length, &err), 0);
	d->call = (struct image_str){ v->length - 4, 8 };
	assert_int_equal(image_check(f->image, f->image_length, &err), -1);
	assert_string_equal(
		err.text, "the image is damaged: call out of bounds");
}

static void
faults_of_tls_are_named(void **state)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;
	const struct image_upstream *u;
	struct image_tls *t, was;
	struct image_str *alpn;
	char *name;

	serve_everything(f);
	u = image_upstream_get(f->image, 2);
	t = (struct image_tls *)(uintptr_t)image_at(f->image, u->tls);
	was = *t;
	t->roots = 0;
	assert_int_equal(image_check(f->image, f->image_length, &err), -1);
	assert_string_equal(
		err.text, "the image is damaged: roots of an upstream");
	*t = was;
	err = (struct error)ERROR_INIT;
	name = (char *)(uintptr_t)image_text(f->image, t->server_name).data;
	name[2] = '\0';
	assert_int_equal(image_check(f->image, f->image_length, &err), -1);
	assert_string_equal(err.text,
		"the image is damaged: server name with a NUL in it");
	name[2] = 'i';
	err = (struct error)ERROR_INIT;
	alpn = (struct image_str *)(uintptr_t)image_at(
		f->image, t->alpn.offset);
	alpn->offset += alpn->length;
	alpn->length = 0;
	assert_int_equal(image_check(f->image, f->image_length, &err), -1);
	assert_string_equal(
		err.text, "the image is damaged: a protocol's name");
}

static int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	fixture_init(f);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	fixture_clear(*state);
	free(*state);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(good_images_pass),
		TEST(cut_images_are_refused),
		TEST(changed_images_do_no_harm),
		TEST(changed_words_do_no_harm),
		TEST(faults_are_named),
		TEST(faults_of_calls_are_named),
		TEST(faults_of_tls_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
