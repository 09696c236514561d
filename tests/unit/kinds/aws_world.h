/*
 * The kind aws with all around it in the test's hands: the region, its name,
 * the host, and where credentials come from: "asked for credentials: the secret
 * gloo-system.aws, of AKID" is a provider that was made, "refused" one that was
 * told so.
 */
#ifndef TESTS_UNIT_KINDS_AWS_WORLD_H
#define TESTS_UNIT_KINDS_AWS_WORLD_H

#include "aws_region.h"
#include "fake_calls.h"
#include "fake_watched.h"

#include "kinds/aws/provider.h"

#define LAMBDA_HOST "lambda.us-east-2.amazonaws.com"
#define LABEL       "discovery.solo.io/function_discovery"

extern const struct upstream_kind upstream_kind_aws;

/* ---- credentials */

struct aws_provider {
	char *source;
	void (*changed)(const struct aws_credentials *c, void *arg);
	void (*problem)(const char *sentence, void *arg);
	void *arg;
};

static struct aws_provider *fake_provider; /* the one there is; or NULL */

struct aws_provider *
aws_provider_new(const struct aws_provider_options *o)
{
	struct aws_provider *p = xcalloc(1, sizeof(*p));

	assert_null(fake_provider);
	assert_string_equal(o->region, "us-east-2");
	assert_true((o->fixed == NULL) == (o->secret == NULL));
	p->source = o->secret == NULL ? xstrdup("the environment")
				      : xasprintf("the secret %s", o->secret);
	p->changed = o->changed;
	p->problem = o->problem;
	p->arg = o->arg;
	str_printf(&told, "asked for credentials: %s", p->source);
	if (o->fixed != NULL)
		str_printf(&told, ", of %s", o->fixed->access_key);
	if (o->role_arn != NULL)
		str_printf(&told, ", as %s%s", o->role_arn,
			o->no_role_chaining ? " alone" : "");
	str_printf(&told, "%s%s", o->fips ? ", FIPS" : "",
		o->dual_stack ? ", dual stack" : "");
	str_putc(&told, '\n');
	fake_provider = p;
	return p;
}

void
aws_provider_free(struct aws_provider *p)
{
	if (p == NULL)
		return;
	assert_ptr_equal(p, fake_provider);
	fake_provider = NULL;
	free(p->source);
	free(p);
}

void
aws_provider_refused(struct aws_provider *p)
{
	assert_ptr_equal(p, fake_provider);
	str_puts(&told, "refused\n");
}

const char *
aws_provider_source(const struct aws_provider *p)
{
	return p->source;
}

/* NULL: there are none any more. */
static inline void
credentials_come(const struct aws_credentials *c)
{
	assert_non_null(fake_provider);
	fake_provider->changed(c, fake_provider->arg);
}

static inline void
credentials_fail(const char *sentence)
{
	assert_non_null(fake_provider);
	fake_provider->problem(sentence, fake_provider->arg);
}

/* ---- the kind */

static struct {
	struct kind_program program;
	struct doc *settings;
	void *shared;
	struct called u;
} world;

static inline void
on_world_number(const char *name, const char *type, const char *help,
	uint64_t value, void *arg)
{
	(void)type, (void)help;
	if (strcmp(name, arg) == 0)
		str_printf(&told, "%s %u\n", name, (unsigned)value);
}

static inline void
number_is(const char *name, unsigned value)
{
	char *want = xasprintf("%s %u\n", name, value);

	upstream_kind_aws.numbers(world.shared, on_world_number, (char *)name);
	told_is(want);
	free(want);
}

/* key: of the label, or NULL. */
static inline void
world_init(const char *key)
{
	called_init(&world.u, &upstream_kind_aws, world.shared, "u", key);
}

/* What it tells at once stays to be read. */
static inline void
world_watch(const char *key, const char *spec_yaml)
{
	world_init(key);
	upstream_resume(&world.u.upstream, spec_yaml);
}

static inline int
world_begin(void **state)
{
	(void)region_begin(state);
	unsetenv("AWS_ENDPOINT_URL");
	unsetenv("AWS_ENDPOINT_URL_STS");
	memset(&world, 0, sizeof(world));
	world.settings = doc_new_map();
	world.program = (struct kind_program){ .settings = world.settings,
		.settings_folder = "/etc/gloo-gateway" };
	world.shared = upstream_kind_aws.open(&world.program);
	return 0;
}

static inline int
world_end(void **state)
{
	upstream_unwatch(&world.u.upstream);
	assert_null(fake_provider);
	assert_null(fake_names);
	str_clear(&told);
	number_is("aws_upstreams", 0);
	number_is("aws_without_credentials", 0);
	number_is("aws_functions", 0);
	upstream_kind_aws.close(world.shared);
	doc_free(world.settings);
	return region_end(state);
}

#endif
