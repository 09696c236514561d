/* Tests userspace/control/materials.c with what it is made of (material.c,
 * tls_look.c, tls_files.c): what is sent to the proxy, when, and when it is to
 * forget it. The proxy, the making of generations and OpenSSL's
 * contexts are replaced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/yaml.h"
#include "config/config.h"
#include "control/generation.h"
#include "control/materials.h"
#include "control/programs.h"
#include "control/state.h"
#include "control/supervise.h"
#include "kinds.h"
#include "model/wire.h"
#include "net/shm.h"
#include "net/tls.h"
#include "tests/lib/certificates.h"

static struct control control;
static struct str told; /* what the proxy was, a line each */
static uint64_t last;   /* number of the last material that was sent */
static int touched;
static int tried;      /* contexts that were made */
static uint16_t least; /* version of the last */
static char roots[] = "/tmp/gg-roots-XXXXXX";

bool
supervisor_send_material(
	struct supervisor *s, uint64_t number, int fd, uint32_t length)
{
	struct error err = ERROR_INIT;
	struct wire_material *m;
	size_t size;

	(void)s;
	m = shm_map_shared(fd, &size, &err);
	if (m == NULL)
		fail_msg("%s", err.text);
	assert_int_equal(size, length);
	assert_int_equal(size, sizeof(*m) + m->ca_length + m->cert_length +
				       m->key_length);
	str_printf(&told, "send %.*s\n", (int)(size - sizeof(*m)),
		(const char *)(m + 1));
	/* As the proxy does; nobody else may see that. */
	mem_wipe(m, size);
	shm_unmap(m, size);
	last = number;
	return true;
}

void
supervisor_send_material_forget(struct supervisor *s, uint64_t number)
{
	(void)s;
	str_printf(&told, "forget %s\n", number == last ? "last" : "another");
}

uint64_t
generation_touch(struct control *c)
{
	(void)c;
	touched++;
	return 1;
}

/* The kind that is open, if one is. */
static struct program opened;

const struct program *
programs_at(const struct control *c, size_t i)
{
	(void)c;
	return i == 0 && opened.kind != NULL ? &opened : NULL;
}

struct tls_context {
	int refs;
};

/* One that knows all ciphers but UNKNOWN. */
struct tls_context *
tls_context_new(const struct tls_options *options, struct error *err)
{
	struct tls_context *made;

	tried++;
	least = options->version_min;
	if (options->ciphers != NULL &&
		strcmp(options->ciphers, "UNKNOWN") == 0) {
		error_set(err, ERROR_CONFIG, "cipher suites \"UNKNOWN\"");
		return NULL;
	}
	assert_true(options->ca.length > 0);
	made = xcalloc(1, sizeof(*made));
	made->refs = 1;
	return made;
}

struct tls_context *
tls_context_ref(struct tls_context *c)
{
	c->refs++;
	return c;
}

void
tls_context_unref(struct tls_context *c)
{
	if (c != NULL && --c->refs == 0)
		free(c);
}

static void
file_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int
setup(void **state)
{
	int fd;

	(void)state;
	strcpy(roots + strlen(roots) - 6, "XXXXXX");
	fd = mkstemp(roots);
	if (fd < 0)
		return -1;
	close(fd);
	file_write(roots, "ROOTS");
	memset(&control, 0, sizeof(control));
	control.settings = settings_read(NULL, upstream_kinds, NULL);
	free(control.settings->tls_roots);
	control.settings->tls_roots = xstrdup(roots);
	control.objects = objects_new();
	control.materials = materials_new();
	str_init(&told);
	touched = tried = 0;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	objects_free(control.objects);
	materials_free(control.materials);
	settings_free(control.settings);
	str_fini(&told);
	unlink(roots);
	return 0;
}

static struct object *
put(const char *text)
{
	struct error err = ERROR_INIT;
	struct doc *d = yaml_doc_read(text, strlen(text), &err);
	struct model_object *m = config_read(d, upstream_kinds, &err);
	struct object *o;

	if (m == NULL)
		fail_msg("%s", err.text);
	doc_free(d);
	o = objects_take(control.objects, m->type, m->meta->ns, m->meta->name);
	model_object_unref(o->model);
	o->model = m;
	materials_touch(&control);
	return o;
}

static struct object *
upstream(const char *name, const char *ssl)
{
	char *text = xasprintf(
		"metadata: {name: %s}\nupstreamSpec: {static: {hosts: [{addr: "
		"127.0.0.1, port: 80}]}}\n%s%s",
		name, ssl != NULL ? "sslConfig: " : "", ssl != NULL ? ssl : "");
	struct object *o = put(text);

	free(text);
	return o;
}

static void
said(const char *want)
{
	assert_string_equal(told.data, want);
	str_clear(&told);
}

static void
counted(size_t known, size_t sent)
{
	struct materials_counts counts;

	materials_counts(&control, &counts);
	assert_int_equal(counts.known, known);
	assert_int_equal(counts.sent, sent);
}

/* An image in which a route leads to a and to b, if they are given. */
static void
image(uint64_t number, struct object *a, struct object *b)
{
	materials_begin(&control);
	if (a != NULL)
		materials_use(&control, a);
	if (b != NULL)
		materials_use(&control, b);
	materials_commit(&control, number);
}

#define SECRET(ca, cert)                                                       \
	"metadata: {name: s}\ntls: {rootCa: " ca ", certChain: " cert          \
	", privateKey: +KEY}"
#define OF_SECRET "{secretRef: {name: s}}"

static void
test_plain(void **state)
{
	struct object *o = upstream("a", NULL);

	(void)state;
	assert_null(materials_problem(&control, o));
	materials_begin(&control);
	assert_null(materials_use(&control, o));
	materials_commit(&control, 1);
	said("");
}

static void
test_sent_where_used(void **state)
{
	struct object *o = upstream("a", OF_SECRET);
	const struct image_build_tls *tls;

	(void)state;
	put(SECRET("CA", "CERT"));
	assert_null(materials_problem(&control, o));
	image(1, NULL, NULL);
	said("");
	counted(2, 0);
	materials_begin(&control);
	tls = materials_use(&control, o);
	assert_non_null(tls);
	assert_true(tls->roots != 0 && tls->identity != 0);
	assert_true(tls->roots != tls->identity);
	materials_commit(&control, 2);
	if (strcmp(told.data, "send CA\nsend CERT+KEY\n") != 0)
		assert_string_equal(told.data, "send CERT+KEY\nsend CA\n");
	str_clear(&told);
	counted(2, 2);
	image(3, o, NULL);
	said("");
}

/* Those without a CA of their own share the system's. */
static void
test_roots_shared(void **state)
{
	struct object *a = upstream("a", "{}"), *b = upstream("b", "{sni: b}");

	(void)state;
	image(1, a, b);
	said("send ROOTS\n");
	assert_int_equal(a->tls->build.roots, b->tls->build.roots);
	assert_int_equal(a->tls->build.identity, 0);
	assert_string_equal(b->tls->build.server_name, "b");
}

static void
test_one_way(void **state)
{
	struct object *o =
		upstream("a", "{secretRef: {name: s}, oneWayTls: true}");

	(void)state;
	put(SECRET("CA", "CERT"));
	image(1, o, NULL);
	said("send CA\n");
	assert_int_equal(o->tls->build.identity, 0);
}

/* The new before the image; the old is forgotten only once nobody runs it. */
static void
test_rotation(void **state)
{
	struct object *o =
		upstream("a", "{secretRef: {name: s}, oneWayTls: true}");
	uint64_t before;

	(void)state;
	put(SECRET("CA", "CERT"));
	image(1, o, NULL);
	said("send CA\n");
	before = o->tls->build.roots;
	put(SECRET("NEW", "CERT"));
	image(2, o, NULL);
	said("send NEW\n");
	assert_true(o->tls->build.roots != before);
	materials_enforced(&control, 1);
	said("");
	counted(2, 2);
	materials_enforced(&control, 2);
	said("forget another\n");
	counted(1, 1);
	materials_enforced(&control, 3);
	said("");
	/* The same bytes have the same number again. */
	put(SECRET("CA", "CERT"));
	image(3, o, NULL);
	said("send CA\n");
	assert_int_equal(o->tls->build.roots, before);
	/* Back before anybody forgot: it is still there. */
	put(SECRET("NEW", "CERT"));
	image(4, o, NULL);
	said("");
	materials_enforced(&control, 4);
	said("forget last\n");
}

static void
test_new_proxy(void **state)
{
	struct object *o =
		upstream("a", "{secretRef: {name: s}, oneWayTls: true}");

	(void)state;
	put(SECRET("CA", "CERT"));
	image(1, o, NULL);
	said("send CA\n");
	put(SECRET("NEW", "CERT"));
	image(2, o, NULL);
	said("send NEW\n");
	/* It has never seen the old one. */
	materials_send_all(&control, true);
	said("send NEW\n");
	materials_enforced(&control, 2);
	said("");
}

static void
test_missing(void **state)
{
	struct object *o = upstream("a", OF_SECRET);
	uint64_t epoch;

	(void)state;
	assert_string_equal(materials_problem(&control, o),
		"sslConfig.secretRef: no secret is named \"gloo-system.s\"");
	epoch = control.upstream_epoch;
	materials_begin(&control);
	assert_null(materials_use(&control, o));
	materials_commit(&control, 1);
	said("");
	put("metadata: {name: s}\naws: {accessKey: a, secretKey: b}");
	assert_non_null(strstr(materials_problem(&control, o), "of type AWS"));
	put(SECRET("CA", "CERT"));
	assert_null(materials_problem(&control, o));
	assert_true(control.upstream_epoch > epoch);
	epoch = control.upstream_epoch;
	/* Other bytes lead no route elsewhere. */
	put(SECRET("NEW", "CERT"));
	assert_null(materials_problem(&control, o));
	assert_int_equal(control.upstream_epoch, epoch);
	image(2, NULL, NULL);
	counted(2, 0);
}

static void
test_files(void **state)
{
	char *ssl = xasprintf("{sslFiles: {rootCa: %s.none}}", roots);
	char *none = xasprintf("%s.none", roots);
	struct object *o = upstream("a", ssl);

	(void)state;
	assert_non_null(strstr(materials_problem(&control, o), none));
	materials_look_again(&control, false);
	assert_int_equal(touched, 0);
	file_write(none, "no certificate");
	materials_look_again(&control, false);
	assert_int_equal(touched, 1);
	assert_non_null(
		strstr(materials_problem(&control, o), "sslConfig.sslFiles.rootCa: "));
	assert_null(strstr(materials_problem(&control, o), "no certificate\""));
	unlink(none);
	free(none);
	free(ssl);
}

static void
file_write_slice(const char *path, struct slice text)
{
	char *copy = xstrndup(text.data, text.length);

	file_write(path, copy);
	free(copy);
}

/* A certificate and its key are exchanged one after the other: in between what
 * was there before goes on. */
static void
test_files_in_two_steps(void **state)
{
	struct certificate one, two;
	char *cert = xasprintf("%s.cert", roots);
	char *key = xasprintf("%s.key", roots);
	char *ssl = xasprintf(
		"{sslFiles: {tlsCert: %s, tlsKey: %s}}", cert, key);
	char *again = xasprintf(
		"{sni: x, sslFiles: {tlsCert: %s, tlsKey: %s}}", cert, key);
	struct object *o, *other;
	uint64_t before, epoch;

	(void)state;
	certificate_make(
		&one, &(struct certificate_options){ .name = "one" }, NULL);
	certificate_make(
		&two, &(struct certificate_options){ .name = "two" }, NULL);
	file_write_slice(cert, certificate_text(&one));
	file_write_slice(key, certificate_key_text(&one));
	o = upstream("a", ssl);
	assert_null(materials_problem(&control, o));
	assert_null(materials_warning(&control, o));
	before = o->tls->build.identity;
	assert_true(before != 0);
	epoch = control.upstream_epoch;
	image(1, o, NULL);
	str_clear(&told);

	file_write_slice(cert, certificate_text(&two));
	materials_look_again(&control, false);
	assert_null(materials_problem(&control, o));
	assert_non_null(
		strstr(materials_warning(&control, o), "does not belong"));
	assert_int_equal(o->tls->build.identity, before);
	assert_int_equal(control.upstream_epoch, epoch);
	image(2, o, NULL);
	said("");
	/* The same of a file that is not there; one who comes has nothing. */
	unlink(key);
	materials_look_again(&control, false);
	o = upstream("a", again);
	other = upstream("b", ssl);
	assert_null(materials_problem(&control, o));
	assert_non_null(strstr(materials_warning(&control, o), key));
	assert_string_equal(o->tls->build.server_name, "x");
	assert_int_equal(o->tls->build.identity, before);
	assert_non_null(strstr(materials_problem(&control, other), key));

	file_write_slice(key, certificate_key_text(&two));
	materials_look_again(&control, false);
	assert_null(materials_problem(&control, o));
	assert_null(materials_warning(&control, o));
	assert_null(materials_problem(&control, other));
	assert_true(o->tls->build.identity != before);
	/* What has other files does not go on with these. */
	unlink(roots);
	materials_look_again(&control, true);
	o = upstream("a", "{}");
	assert_non_null(strstr(materials_problem(&control, o), "tls.roots"));

	unlink(cert);
	unlink(key);
	certificate_drop(&one);
	certificate_drop(&two);
	free(again);
	free(ssl);
	free(cert);
	free(key);
}

/* The system's roots are looked at on reload only. */
static void
test_roots_reloaded(void **state)
{
	struct object *o = upstream("a", "{}");

	(void)state;
	image(1, o, NULL);
	said("send ROOTS\n");
	file_write(roots, "OTHERS");
	materials_look_again(&control, false);
	image(2, o, NULL);
	said("");
	materials_look_again(&control, true);
	assert_int_equal(touched, 1);
	image(3, o, NULL);
	said("send OTHERS\n");
	unlink(roots);
	materials_look_again(&control, true);
	/* Those of before go on. */
	assert_null(materials_problem(&control, o));
	assert_non_null(strstr(materials_warning(&control, o), "tls.roots"));
	o = upstream("b", "{}");
	assert_non_null(strstr(materials_problem(&control, o), "tls.roots"));
}

static void
test_parameters(void **state)
{
	struct object *o = upstream("a",
		"{parameters: {cipherSuites: [A, B], ecdhCurves: [X25519], "
		"minimumProtocolVersion: TLSv1_3}, verifySubjectAltName: [x]}");
	const struct image_build_tls *tls;

	(void)state;
	materials_begin(&control);
	tls = materials_use(&control, o);
	assert_string_equal(tls->ciphers, "A:B");
	assert_string_equal(tls->curves, "X25519");
	assert_int_equal(tls->version_min, 0x0304);
	assert_int_equal(tls->version_max, 0);
	assert_int_equal(tls->name_count, 1);
	assert_string_equal(tls->names[0], "x");
}

/* With what no context can be made no request need find out; what many need is
 * tried once. */
static void
test_tried(void **state)
{
	struct object *a = upstream("a", "{parameters: {cipherSuites: [A]}}");
	struct object *b =
		upstream("b", "{sni: b, parameters: {cipherSuites: [A]}}");
	struct object *c =
		upstream("c", "{parameters: {cipherSuites: [UNKNOWN]}}");
	uint64_t epoch;

	(void)state;
	assert_null(materials_problem(&control, a));
	assert_null(materials_problem(&control, b));
	assert_string_equal(materials_problem(&control, c),
		"TLS: cipher suites \"UNKNOWN\"");
	assert_int_equal(tried, 2);
	materials_touch(&control);
	assert_non_null(materials_problem(&control, c));
	assert_int_equal(tried, 2);
	epoch = control.upstream_epoch;
	/* What was good before helps no more than what is there now. */
	a = upstream("a", "{parameters: {cipherSuites: [UNKNOWN]}}");
	assert_non_null(materials_problem(&control, a));
	assert_true(control.upstream_epoch > epoch);
	a = upstream("a", "{parameters: {minimumProtocolVersion: TLSv1_0}}");
	assert_null(materials_problem(&control, a));
	assert_int_equal(a->tls->build.version_min, 0x0303);
	assert_int_equal(least, 0x0303);
}

/* Only what changed is looked at: the others keep what was found. */
static void
test_only_what_changed(void **state)
{
	struct object *a = upstream("a", OF_SECRET), *b, *r;
	const struct upstream_tls *of_a, *of_b, *of_r;

	(void)state;
	b = upstream("b", "{secretRef: {name: t}}");
	r = upstream("r", "{}");
	put(SECRET("CA", "CERT"));
	put("metadata: {name: t}\ntls: {rootCa: OTHER}");
	image(1, a, b);
	str_clear(&told);
	of_a = a->tls;
	of_b = b->tls;
	of_r = r->tls;
	put("metadata: {name: t}\ntls: {rootCa: THIRD}");
	objects_find(control.objects, MODEL_SECRET, "gloo-system", "t")
		->version++;
	image(2, a, b);
	said("send THIRD\n");
	assert_ptr_equal(a->tls, of_a);
	assert_ptr_equal(r->tls, of_r);
	assert_ptr_not_equal(b->tls, of_b);
	/* What they need stays, though nobody looked. */
	materials_enforced(&control, 2);
	said("forget another\n");
	of_b = b->tls;
	materials_touch(&control);
	image(3, a, b);
	said("");
	assert_ptr_equal(b->tls, of_b);
	/* Certificates expire: all are looked at now and then. */
	materials_look_again(&control, true);
	assert_null(materials_problem(&control, a));
	assert_ptr_not_equal(a->tls, of_a);
}

/* Control begins again, with a proxy that has what it had. */
static void
begin_again(void)
{
	objects_free(control.objects);
	materials_free(control.materials);
	control.objects = objects_new();
	control.materials = materials_new();
	upstream("a", OF_SECRET);
	materials_remember(&control);
	materials_send_all(&control, false);
	said("");
}

/* A secret of another store is not on this disk: until that has been asked an
 * adopted proxy goes on with what it has. */
static void
test_remembered(void **state)
{
	char folder[] = "/tmp/gg-state-XXXXXX";
	struct object *o = upstream("a", OF_SECRET), *s;
	char *path, *line;
	struct error err = ERROR_INIT;
	uint64_t roots_number, identity;
	const struct upstream_kind *kube = kind_find(upstream_kinds, "kube");

	(void)state;
	assert_non_null(mkdtemp(folder));
	control.state = state_open(folder, &err);
	assert_non_null(control.state);
	opened.kind = kube;
	s = put(SECRET("CA", "CERT"));
	s->origin = kube;
	assert_null(materials_problem(&control, o));
	roots_number = o->tls->build.roots;
	identity = o->tls->build.identity;
	image(1, o, NULL);
	materials_enforced(&control, 1);
	str_clear(&told);

	begin_again();
	o = objects_find(control.objects, MODEL_UPSTREAM, "gloo-system", "a");
	assert_null(materials_problem(&control, o));
	assert_non_null(materials_warning(&control, o));
	assert_true(o->tls->remembered);
	assert_int_equal(o->tls->build.roots, roots_number);
	assert_int_equal(o->tls->build.identity, identity);
	image(2, o, NULL);
	materials_enforced(&control, 2);
	said("");
	/* Once more before the store was asked. */
	begin_again();
	o = objects_find(control.objects, MODEL_UPSTREAM, "gloo-system", "a");
	assert_null(materials_problem(&control, o));
	image(3, o, NULL);
	/* The same is the same: nothing is sent. */
	s = put(SECRET("CA", "CERT"));
	s->origin = kube;
	materials_secrets_settled(&control, kube);
	assert_null(materials_problem(&control, o));
	assert_false(o->tls->remembered);
	assert_int_equal(o->tls->build.identity, identity);
	image(4, o, NULL);
	said("");
	materials_enforced(&control, 4);
	said("");
	/* It is not there any more. */
	begin_again();
	o = objects_find(control.objects, MODEL_UPSTREAM, "gloo-system", "a");
	assert_null(materials_problem(&control, o));
	touched = 0;
	materials_secrets_settled(&control, kube);
	assert_int_equal(touched, 1);
	assert_non_null(materials_problem(&control, o));
	/* A new proxy has nothing; another secret is another one's. */
	begin_again();
	o = upstream("a", "{secretRef: {name: t}}");
	assert_non_null(materials_problem(&control, o));
	o = upstream("a", OF_SECRET);
	assert_null(materials_problem(&control, o));
	image(5, o, NULL);
	materials_send_all(&control, true);
	said("");
	assert_non_null(materials_problem(&control, o));
	/* Nobody is there who would ask. */
	opened.kind = NULL;
	begin_again();
	o = objects_find(control.objects, MODEL_UPSTREAM, "gloo-system", "a");
	assert_non_null(materials_problem(&control, o));

	path = xasprintf("%s/tls.json", folder);
	line = xasprintf("rm -r %s", folder);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(system(line), 0);
	free(path);
	free(line);
	state_close(control.state);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_plain),
		CASE(test_sent_where_used),
		CASE(test_roots_shared),
		CASE(test_one_way),
		CASE(test_rotation),
		CASE(test_new_proxy),
		CASE(test_missing),
		CASE(test_files),
		CASE(test_files_in_two_steps),
		CASE(test_roots_reloaded),
		CASE(test_parameters),
		CASE(test_tried),
		CASE(test_remembered),
		CASE(test_only_what_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
