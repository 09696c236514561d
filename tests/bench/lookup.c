/*
 * What a lookup and a build cost, without the proxy around them: tables of
 * prefix and regex routes, hit at random and hit last. Prints figures and
 * judges none.
 *
 *     lookup [prefix|regex [ROUTES [LOOKUPS]]]
 *
 * The last form does nothing else, for callgrind.
 */
#include <inttypes.h>
#include <time.h>

#include "routing/balance.h"
#include "tests/unit/routing/virtual_host.h"

#define ROUNDS  7
#define PARENTS 97

struct table {
	size_t count;
	struct model_route *routes;
	struct model_matcher *matchers;
	char (*paths)[64];    /* of the matchers */
	char (*requests)[96]; /* one that meets each */
	uint32_t *order;      /* of the requests, at random */
};

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void
route_make(struct table *t, size_t i, bool regex)
{
	static char name[] = "r";
	struct model_matcher *m = &t->matchers[i];

	if (regex) {
		snprintf(t->paths[i], sizeof(t->paths[i]),
			"/svc%zu/v[0-9]+/users/[^/]+/profile", i);
		snprintf(t->requests[i], sizeof(t->requests[i]),
			"/svc%zu/v12/users/alice/profile", i);
		m->path_type = MODEL_PATH_REGEX;
	} else {
		snprintf(t->paths[i], sizeof(t->paths[i]),
			"/team%zu/service%zu/", i % PARENTS, i);
		snprintf(t->requests[i], sizeof(t->requests[i]),
			"/team%zu/service%zu/users/42", i % PARENTS, i);
	}
	m->path = t->paths[i];
	t->routes[i] = test_route(name, m);
}

static void
table_init(struct table *t, size_t count, bool regex)
{
	uint64_t seed = 42;

	t->count = count;
	t->routes = xcalloc(count, sizeof(*t->routes));
	t->matchers = xcalloc(count, sizeof(*t->matchers));
	t->paths = xcalloc(count, sizeof(*t->paths));
	t->requests = xcalloc(count, sizeof(*t->requests));
	t->order = xcalloc(count, sizeof(*t->order));
	for (size_t i = 0; i < count; i++) {
		size_t k = (balance_random(&seed) >> 33) % (i + 1);

		route_make(t, i, regex);
		t->order[i] = t->order[k];
		t->order[k] = (uint32_t)i;
	}
}

static void
table_fini(struct table *t)
{
	free(t->routes);
	free(t->matchers);
	free(t->paths);
	free(t->requests);
	free(t->order);
}

static void
lookup(struct fixture *f, struct slice path)
{
	f->request.target.path = path;
	router_find(f->router, f->scratch, &f->request, &f->match);
	if (f->match.route == NULL)
		abort();
}

/* Nanoseconds of one. The requests lie in memory in the order in which they
 * come, as a proxy's would be in its cache; the table is met at random. */
static double
lookups_time(struct fixture *f, const struct table *t, size_t count, bool last)
{
	char(*text)[96] = xcalloc(t->count, sizeof(*text));
	struct slice *paths = xcalloc(t->count, sizeof(*paths));
	uint64_t begin;
	double spent;

	for (size_t i = 0; i < t->count; i++) {
		memcpy(text[i], t->requests[last ? t->count - 1 : t->order[i]],
			sizeof(text[i]));
		paths[i] = slice_of(text[i]);
	}
	begin = now_ns();
	for (size_t i = 0, k = 0; i < count; i++) {
		lookup(f, paths[k]);
		if (++k == t->count)
			k = 0;
	}
	spent = (double)(now_ns() - begin);
	free(paths);
	free(text);
	return spent / (double)count;
}

static void
best(double *value, double now)
{
	if (*value == 0 || now < *value)
		*value = now;
}

static double
since_ms(uint64_t *begin)
{
	uint64_t end = now_ns();
	double spent = (double)(end - *begin) / 1e6;

	*begin = end;
	return spent;
}

/* As the proxy has it: at the beginning of a page. */
static void
image_settle(struct fixture *f)
{
	size_t size = (f->image_length + 4095) / 4096 * 4096;
	void *page = aligned_alloc(4096, size);

	if (page == NULL)
		abort();
	memcpy(page, f->image, f->image_length);
	free(f->image);
	f->image = page;
}

static void
row(struct fixture *f, size_t count, bool regex)
{
	double build = 0, image = 0, check = 0, make = 0, any = 0, last = 0;
	struct image_build_vhost vhost = { 0 };
	struct model_virtual_service vs;
	struct table t;

	table_init(&t, count, regex);
	vs = test_service(t.routes, count);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t begin = now_ns();

		vhost.block = fixture_block(f, &vs);
		vhost.length = f->block_length;
		best(&build, since_ms(&begin));
		fixture_image(f, &vhost, 1);
		best(&image, since_ms(&begin));
		image_settle(f);
		since_ms(&begin);
		if (image_check(f->image, f->image_length, &f->err) < 0)
			abort();
		best(&check, since_ms(&begin));
		f->router = router_new(f->image, f->cache, &f->err);
		best(&make, since_ms(&begin));
		matcher_cache_trim(f->cache);
		begin = now_ns();
		best(&any, lookups_time(f, &t, 400000, false));
		best(&last, lookups_time(f, &t, 400000, true));
	}
	printf("%-6s %6zu  %6.1f %6.1f  %7.2f %7.2f %7.2f %7.2f  %6.1f\n",
		regex ? "regex" : "prefix", count, any, last, build, image,
		check, make, (double)f->image_length / 1e6);
	table_fini(&t);
}

static void
replay(struct fixture *f, bool regex, size_t count, size_t lookups)
{
	struct model_virtual_service vs;
	struct table t;

	table_init(&t, count, regex);
	vs = test_service(t.routes, count);
	fixture_serve(f, &vs);
	for (size_t i = 0; i < lookups; i++)
		lookup(f, slice_of(t.requests[t.order[i % count]]));
	table_fini(&t);
}

int
main(int argc, char **argv)
{
	static struct fixture f;
	bool regex = argc > 1 && strcmp(argv[1], "regex") == 0;

	fixture_init(&f);
	fixture_route(&f, NULL, 0);
	fixture_parse(&f, "GET / HTTP/1.1\nHost: example.com\n");
	if (argc > 1) {
		replay(&f, regex, argc > 2 ? strtoul(argv[2], NULL, 10) : 1000,
			argc > 3 ? strtoul(argv[3], NULL, 10) : 100000);
	} else {
		printf("routes         lookup ns      build   image   check  "
		       "router   image\n"
		       "               random last       ms      ms      ms    "
		       "  ms      MB\n");
		for (size_t n = 1; n <= 100000; n *= n == 1 ? 1000 : 10)
			row(&f, n, false);
		row(&f, 1000, true);
		row(&f, 10000, true);
	}
	fixture_clear(&f);
	return 0;
}
