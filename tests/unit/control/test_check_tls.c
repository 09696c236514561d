/* Tests userspace/control/check_tls.c: how TLS is spoken by health checks, when
 * that is another, and what is kept of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/yaml.h"
#include "config/config.h"
#include "control/check_tls.h"
#include "control/materials.h"
#include "kinds.h"
#include "net/tls_inner.h"
#include "tests/lib/certificates.h"

static struct control control;
static struct check_tls *all, *check;
static struct certificate authority;
static char roots[] = "/tmp/gg-roots-XXXXXX";

static int
setup(void **state)
{
	const struct certificate_options o = { .name = "authority",
		.authority = true };
	struct slice text;
	int fd;

	(void)state;
	strcpy(roots + strlen(roots) - 6, "XXXXXX");
	fd = mkstemp(roots);
	if (fd < 0)
		return -1;
	certificate_make(&authority, &o, NULL);
	text = certificate_text(&authority);
	if (write(fd, text.data, text.length) != (ssize_t)text.length)
		return -1;
	close(fd);
	memset(&control, 0, sizeof(control));
	control.settings = settings_read(NULL, upstream_kinds, NULL);
	control.objects = objects_new();
	control.materials = materials_new();
	check = check_tls_new(&control, &all, "gloo-system", "a");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	check_tls_free(check);
	assert_null(all);
	objects_free(control.objects);
	materials_free(control.materials);
	settings_free(control.settings);
	certificate_drop(&authority);
	unlink(roots);
	return 0;
}

/* more: of sslConfig, beside the roots; NULL: there is none. */
static void
upstream(const char *source, const char *more)
{
	char *text = more == NULL
			     ? xasprintf("metadata: {name: a}\nupstreamSpec: "
					 "{static: {hosts: [{addr: 127.0.0.1, "
					 "port: 80}]}}\n")
			     : xasprintf("metadata: {name: a}\nupstreamSpec: "
					 "{static: {hosts: [{addr: 127.0.0.1, "
					 "port: 80}]}}\nsslConfig: {%s%s}\n",
				       source, more);
	struct error err = ERROR_INIT;
	struct doc *d = yaml_doc_read(text, strlen(text), &err);
	struct model_object *m =
		d != NULL ? config_read(d, upstream_kinds, &err) : NULL;
	struct object *o;

	if (m == NULL)
		fail_msg("%s\n%s", err.text, text);
	doc_free(d);
	free(text);
	o = objects_take(control.objects, m->type, m->meta->ns, m->meta->name);
	model_object_unref(o->model);
	o->model = m;
	materials_touch(&control);
}

static void
by_files(const char *more)
{
	char *files = xasprintf("sslFiles: {rootCa: %s}", roots);

	upstream(files, more);
	free(files);
}

static void
every_change_is_another_version(void **state)
{
	static const char *const more[] = { ", sni: a.test", ", sni: b.test",
		", sni: b.test, verifySubjectAltName: [c.test]",
		", sni: b.test, verifySubjectAltName: [c.test, d.test]", "" };
	struct tls_context *context;
	uint64_t version;

	(void)state;
	by_files("");
	context = check_tls_get(check)->context;
	assert_non_null(context);
	version = check_tls_get(check)->version;
	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		by_files(more[i]);
		/* Names are no part of a context. */
		assert_ptr_equal(check_tls_get(check)->context, context);
		assert_int_not_equal(check_tls_get(check)->version, version);
		version = check_tls_get(check)->version;
		assert_int_equal(check_tls_get(check)->version, version);
	}
	by_files(", parameters: {minimumProtocolVersion: TLSv1_3}");
	assert_non_null(check_tls_get(check)->context);
	assert_int_not_equal(check_tls_get(check)->version, version);
}

/* When TLS is spoken no more, or cannot be, nothing of it is kept. */
static void
a_context_goes_with_tls(void **state)
{
	(void)state;
	for (int missing = 0; missing < 2; missing++) {
		struct tls_context *context;
		uint64_t version;

		by_files("");
		context = tls_context_ref(check_tls_get(check)->context);
		version = check_tls_get(check)->version;
		assert_int_equal(atomic_load(&context->refs), 2);
		if (missing) {
			upstream("secretRef: {name: none}", "");
			assert_null(check_tls_get(check)->context);
		} else {
			upstream("", NULL);
			assert_null(check_tls_get(check));
		}
		assert_int_equal(atomic_load(&context->refs), 1);
		tls_context_unref(context);
		/* A connection of before is none of what comes then. */
		by_files("");
		assert_non_null(check_tls_get(check)->context);
		assert_int_not_equal(check_tls_get(check)->version, version);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		CASE(every_change_is_another_version),
		CASE(a_context_goes_with_tls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
