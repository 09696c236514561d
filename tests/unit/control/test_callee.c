/* Tests userspace/control/callee.c: how long the credentials of a former secret
 * are used, and what a change of kind takes away. What it tells others, and
 * time, are the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "control/callee.h"
#include "control/calls.h"
#include "control/credentials.h"
#include "control/generation.h"
#include "control/relation.h"
#include "model/dialect.h"
#include "model/kind.h"
#include "tests/unit/net/fake_time.h"

static struct str told; /* a line each */
static struct control control;
static bool awaited, wrong_secret;
static struct doc *on_disk;

void
credentials_replace(struct control *c, uint32_t id, const char *kind,
	const void *bytes, size_t length)
{
	(void)c;
	str_printf(&told, "%s %u: \"%.*s\"\n", kind, id, (int)length,
		length > 0 ? (const char *)bytes : "");
}

void
credentials_drop(struct control *c, uint32_t id)
{
	(void)c;
	str_printf(&told, "drop %u\n", id);
}

void
generation_look(struct control *c)
{
	(void)c;
	str_puts(&told, "look\n");
}

bool
calls_secret_awaited(const struct control *c, const struct object *o)
{
	(void)c;
	(void)o;
	return awaited;
}

struct doc *
state_functions_read(const struct state *s, const char *ns, const char *name)
{
	(void)s;
	(void)ns;
	(void)name;
	return on_disk == NULL ? NULL : doc_copy(on_disk);
}

int
state_functions_write(const struct state *s, const char *ns, const char *name,
	const struct doc *names, struct error *err)
{
	(void)s;
	(void)ns;
	(void)name;
	(void)err;
	doc_free(on_disk);
	on_disk = doc_copy(names);
	return 0;
}

void
state_functions_remove(const struct state *s, const char *ns, const char *name)
{
	(void)s;
	(void)ns;
	(void)name;
	doc_free(on_disk);
	on_disk = NULL;
}

/* The spec of an upstream is its reference, of a plain kind there is none. */
const struct model_ref *
relation_kind_secret(const struct model_upstream *u)
{
	return u->spec;
}

char *
relation_kind_secret_problem(
	const struct objects *objects, const struct model_upstream *u)
{
	(void)objects;
	(void)u;
	return wrong_secret ? xstrdup("it is of another type") : NULL;
}

static struct model_secret secret;
static struct model_object secret_model = { .secret = &secret };
static struct object secret_object = { .model = &secret_model };
static struct object upstream_object;

struct object *
objects_find(const struct objects *o, enum model_type type, const char *ns,
	const char *name)
{
	(void)o;
	(void)ns;
	(void)name;
	return type == MODEL_SECRET ? &secret_object : &upstream_object;
}

#define CHARS(text) ((char *)(uintptr_t)(text))

static const struct dialect dialect;
static const struct upstream_kind aws = { .key = "aws", .dialect = &dialect },
				  azure = { .key = "azure",
					  .dialect = &dialect },
				  plain = { .key = "static" };
static struct model_ref s = { CHARS("s"), CHARS("ns") },
			t = { CHARS("t"), CHARS("ns") },
			s_again = { CHARS("s"), CHARS("ns") };
static struct model_upstream of_s = { .kind = &aws, .spec = &s },
			     of_s_again = { .kind = &aws, .spec = &s_again },
			     of_t = { .kind = &aws, .spec = &t },
			     of_none = { .kind = &aws },
			     of_azure = { .kind = &azure, .spec = &s },
			     of_plain = { .kind = &plain };

/* Never freed: one reference stays the test's. */
static struct model_object *
model(struct model_upstream *u)
{
	static struct model_object models[16];
	static size_t count;
	struct model_object *m = &models[count++ % 16];

	*m = (struct model_object){
		.type = MODEL_UPSTREAM, .refs = 1, .upstream = u
	};
	return m;
}

static struct callee *callee;

static int
setup(void **state)
{
	static char ns[] = "ns", name[] = "a", label[] = "ns.a";

	(void)state;
	str_init(&told);
	awaited = wrong_secret = false;
	upstream_object = (struct object){ .type = MODEL_UPSTREAM,
		.ns = ns,
		.name = name,
		.label = label,
		.id = 7,
		.model = model(&of_s) };
	callee = callee_new(&control, &upstream_object);
	callee_show(callee);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	callee_free(callee);
	doc_free(on_disk);
	on_disk = NULL;
	str_fini(&told);
	return 0;
}

static void
said(const char *want)
{
	assert_string_equal(told.data, want);
	str_clear(&told);
}

static void
give(const char *bytes)
{
	callee_credentials_replace(callee, bytes, strlen(bytes));
}

static void
test_former_secret(void **state)
{
	(void)state;
	give("one");
	said("aws 7: \"one\"\n");
	/* The same secret, though the spec is another. */
	callee_change(callee, model(&of_s_again));
	pass(60000);
	said("");
	callee_change(callee, model(&of_t));
	pass(9999);
	said("");
	give("two");
	said("aws 7: \"two\"\n");
	pass(60000);
	said("");
	/* Those of the new one do not come. */
	callee_change(callee, model(&of_none));
	pass(9999);
	said("");
	pass(1);
	said("aws 7: \"\"\n");
	pass(60000);
	said("");
}

/* A kind that makes that many has a fault; what there is stays. */
static void
test_too_large(void **state)
{
	static char bytes[CREDENTIALS_MAX + 1];

	(void)state;
	callee_credentials_replace(callee, bytes, sizeof(bytes));
	said("");
	memset(bytes, 'x', sizeof(bytes));
	callee_credentials_replace(callee, bytes, CREDENTIALS_MAX);
	assert_true(told.length > CREDENTIALS_MAX);
}

static void
test_awaited_secret(void **state)
{
	(void)state;
	awaited = true;
	give("");
	said("");
	give("one");
	said("aws 7: \"one\"\n");
	awaited = false;
	give("");
	said("aws 7: \"\"\n");
}

static void
test_secret(void **state)
{
	(void)state;
	assert_ptr_equal(callee_secret(callee), &secret);
	wrong_secret = true;
	assert_null(callee_secret(callee));
	wrong_secret = false;
	callee_change(callee, model(&of_none));
	assert_null(callee_secret(callee));
}

static void
test_functions(void **state)
{
	static const char *const two[] = { "f", "g" };
	struct callee *again;
	uint64_t epoch = control.upstream_epoch;
	size_t count;

	(void)state;
	callee_functions_replace(callee, two, 2);
	said("look\n");
	assert_int_equal(control.upstream_epoch, epoch + 1);
	callee_functions_replace(callee, two, 2);
	said("");
	again = callee_new(&control, &upstream_object);
	assert_non_null(callee_functions(again, &count));
	assert_int_equal(count, 2);
	/* Nobody could look at what it leads to yet. */
	callee_functions_replace(again, two, 1);
	said("");
	callee_free(again);
	callee_functions_replace(callee, NULL, 0);
	said("look\n");
	assert_null(on_disk);
}

static void
test_other_kind(void **state)
{
	static const char *const two[] = { "f", "g" };
	size_t count;

	(void)state;
	callee_functions_replace(callee, two, 2);
	give("one");
	callee_change(callee, model(&of_t));
	str_clear(&told);
	/* Its dialect must not read what another wrote. */
	callee_change(callee, model(&of_azure));
	said("look\naws 7: \"\"\n");
	assert_null(callee_functions(callee, &count));
	assert_null(on_disk);
	pass(60000);
	said("");
	give("key");
	said("azure 7: \"key\"\n");
	callee_change(callee, model(&of_plain));
	said("drop 7\n");
	pass(60000);
	said("");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_former_secret),
		CASE(test_too_large),
		CASE(test_awaited_secret),
		CASE(test_secret),
		CASE(test_functions),
		CASE(test_other_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
