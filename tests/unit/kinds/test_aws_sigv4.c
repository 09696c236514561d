/*
 * Signatures of AWS: reference values that two SDKs agree on, the published
 * vectors of aws-c-auth (beside the checkout, in $GG_SHARED or ../shared;
 * skipped without), and the corners of the canonical request.
 */
#include "kinds/aws/sigv4.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include <openssl/sha.h>

#include "base/clock.h"
#include "base/doc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#define VECTORS    38
#define FIELDS_MAX 16
#define FILE_MAX   (64 << 10)
#define HASH_TEXT  (2 * SHA256_DIGEST_LENGTH + 1)
#define SECRET     "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define HOST       "lambda.us-east-2.amazonaws.com"
#define DATE       "20260102T030405Z"
#define EMPTY_HASH                                                             \
	"e3b0c44298fc1c149afbf4c8996fb924"                                     \
	"27ae41e4649b934ca495991b7852b855"

static struct slice
signature_of(const struct str *authorization)
{
	static const char mark[] = ", Signature=";
	const char *at = strstr(authorization->data, mark);

	assert_non_null(at);
	return slice_of(at + strlen(mark));
}

static const char *
hash_text(struct slice data, char out[HASH_TEXT])
{
	unsigned char hash[SHA256_DIGEST_LENGTH];

	SHA256((const unsigned char *)data.data, data.length, hash);
	for (size_t i = 0; i < sizeof(hash); i++)
		snprintf(out + 2 * i, 3, "%02x", hash[i]);
	return out;
}

/* ---- reference values */

struct reference {
	const char *path, *query, *token;
	bool hash_signed;
	const char *signature;
};

#define FUNCTIONS "/2015-03-31/functions/"
#define ARN                                                                    \
	"arn%3Aaws%3Alambda%3Aus-east-2%3A123456789012%3Afunction%3Ahello-"    \
	"world"

static const struct reference references[] = {
	{ FUNCTIONS "hello-world/invocations", "Qualifier=1", NULL, false,
		"e495a496a79bf44bfb9c80d262975bba"
		"1bf4d7c05587fa682bf67e6fac16e2e3" },
	{ FUNCTIONS "hello-world/invocations", "Qualifier=1", NULL, true,
		"a180205510e6825fef585bceb33074a8"
		"fa8d03d986368db7a20403af5d910b21" },
	{ FUNCTIONS ARN "/invocations", "Qualifier=%24LATEST",
		"TOK/EN+=", false,
		"5ca310bae41d0db32fff8eff5fa46ccf"
		"9a58deacb0936165e2c77ec0342882c4" },
	{ FUNCTIONS ARN "/invocations", "Qualifier=%24LATEST", "TOK/EN+=", true,
		"f59857799cebf32d96ce94ce0391cfe8"
		"36acd53318d7601bebbd91d66d58a355" },
};

/* Whether the signature is the one that the row gives. */
static bool
reference_holds(struct sigv4_key *key, const struct reference *row)
{
	char hash[HASH_TEXT], date[SIGV4_DATE_SIZE];
	struct sigv4_field fields[5] = {
		{ slice_of("x-amz-invocation-type"),
			slice_of("RequestResponse") },
		{ slice_of("host"), slice_of(HOST) },
		{ slice_of("content-type"), slice_of("application/json") },
	};
	struct sigv4_request r = { .method = slice_of("POST"),
		.path = slice_of(row->path),
		.query = slice_of(row->query),
		.fields = fields,
		.field_count = 3,
		.body = slice_of("{\"a\":1}"),
		.access_key = slice_of("AKIDEXAMPLE"),
		.secret_key = slice_of(SECRET),
		.region = slice_of("us-east-2"),
		.service = slice_of("lambda") };
	struct str authorization;
	bool holds;

	assert_int_equal(clock_parse("2026-01-02T03:04:05Z", &r.now_ms), 0);
	hash_text(r.body, hash);
	if (row->token != NULL)
		fields[r.field_count++] =
			(struct sigv4_field){ slice_of("x-amz-security-token"),
				slice_of(row->token) };
	if (row->hash_signed)
		fields[r.field_count++] =
			(struct sigv4_field){ slice_of("x-amz-content-sha256"),
				slice_of(hash) };
	str_init(&authorization);
	assert_int_equal(sigv4_sign(key, &r, date, &authorization, NULL), 0);
	assert_string_equal(date, DATE);
	assert_non_null(strstr(authorization.data,
		"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/us-east-2/"
		"lambda/aws4_request, SignedHeaders=content-type;host;x-amz-"));
	holds = slice_equal(
		signature_of(&authorization), slice_of(row->signature));
	str_fini(&authorization);
	return holds;
}

static void
test_references(void **state)
{
	struct sigv4_key kept = { .of = 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(references); i++) {
		struct sigv4_key fresh = { .of = 0 };

		assert_true(reference_holds(&fresh, &references[i]));
		assert_true(reference_holds(&kept, &references[i]));
	}
}

static void
test_key(void **state)
{
	static const struct sigv4_key none;
	struct sigv4_key key = { .of = 0 };

	(void)state;
	assert_true(reference_holds(&key, &references[0]));
	/* What is kept is used: bytes of nothing sign nothing. */
	memset(key.bytes, 0, sizeof(key.bytes));
	assert_false(reference_holds(&key, &references[0]));
	/* But not where it is of another secret or of another day. */
	key.of ^= 1;
	assert_true(reference_holds(&key, &references[0]));
	memset(key.bytes, 0, sizeof(key.bytes));
	memcpy(key.day, "20260101", sizeof(key.day));
	assert_true(reference_holds(&key, &references[0]));
	sigv4_key_forget(&key);
	assert_memory_equal(&key, &none, sizeof(key));
}

/* ---- the published vectors */

static void
file_load(const char *folder, const char *name, struct str *out)
{
	struct error err = ERROR_INIT;
	char path[1024];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	str_init(out);
	if (file_read(path, FILE_MAX, out, &err) != 0)
		fail_msg("%s", err.text);
}

static struct slice
text_cut(char **rest, const char *end)
{
	char *at = strstr(*rest, end);
	struct slice cut = { *rest,
		at != NULL ? (size_t)(at - *rest) : strlen(*rest) };

	*rest += cut.length + (at != NULL ? strlen(end) : 0);
	return cut;
}

/* The name is lower-cased in place. A line that begins with a space goes on
 * with the value before it. */
static void
field_cut(char **rest, struct sigv4_field *field)
{
	char *name = *rest;

	field->name = text_cut(rest, ":");
	for (size_t i = 0; i < field->name.length; i++)
		if (name[i] >= 'A' && name[i] <= 'Z')
			name[i] |= 0x20;
	field->value = text_cut(rest, "\n");
	while (**rest == ' ')
		field->value.length += 1 + text_cut(rest, "\n").length;
}

struct vector {
	struct str text, hash;
	struct doc *context;
	struct sigv4_field fields[FIELDS_MAX];
	struct sigv4_request r;
};

static void
field_add(struct vector *v, const char *name, const char *value)
{
	assert_true(v->r.field_count < FIELDS_MAX);
	v->fields[v->r.field_count++] =
		(struct sigv4_field){ slice_of(name), slice_of(value) };
}

static void
request_read(struct vector *v)
{
	char *rest = v->text.data;
	struct slice line;
	const char *query;

	v->r.fields = v->fields;
	v->r.method = text_cut(&rest, " ");
	line = text_cut(&rest, " HTTP/1.1\n");
	query = memchr(line.data, '?', line.length);
	if (query != NULL) {
		v->r.query = (struct slice){ query + 1,
			line.length - (size_t)(query + 1 - line.data) };
		line.length = (size_t)(query - line.data);
	}
	v->r.path = line;
	while (*rest != '\0' && *rest != '\n') {
		assert_true(v->r.field_count < FIELDS_MAX);
		field_cut(&rest, &v->fields[v->r.field_count++]);
	}
	v->r.body = slice_of(*rest == '\n' ? rest + 1 : rest);
}

static void
context_read(struct vector *v)
{
	const struct doc *c = v->context;
	const struct doc *keys = doc_get(c, "credentials");
	const char *token = doc_get_string(keys, "token");

	v->r.access_key = slice_of(doc_get_text(keys, "access_key_id"));
	v->r.secret_key = slice_of(doc_get_text(keys, "secret_access_key"));
	v->r.region = slice_of(doc_get_text(c, "region"));
	v->r.service = slice_of(doc_get_text(c, "service"));
	v->r.path_as_it_is = !doc_bool(doc_get(c, "normalize"));
	assert_int_equal(
		clock_parse(doc_get_text(c, "timestamp"), &v->r.now_ms), 0);
	if (token != NULL && !doc_bool(doc_get(c, "omit_session_token")))
		field_add(v, "x-amz-security-token", token);
	if (doc_bool(doc_get(c, "sign_body"))) {
		str_reserve(&v->hash, HASH_TEXT);
		field_add(v, "x-amz-content-sha256",
			hash_text(v->r.body, v->hash.data));
	}
}

static void
vector_check(const char *folder)
{
	struct str context, canonical, signature, got;
	struct vector v = { .r = { .field_count = 0 } };
	struct sigv4_key key = { .of = 0 };
	char date[SIGV4_DATE_SIZE];

	file_load(folder, "request.txt", &v.text);
	file_load(folder, "context.json", &context);
	file_load(folder, "header-canonical-request.txt", &canonical);
	file_load(folder, "header-signature.txt", &signature);
	str_init(&v.hash);
	v.context = json_doc_read(context.data, context.length, NULL);
	assert_non_null(v.context);
	request_read(&v);
	context_read(&v);
	str_init(&got);
	assert_int_equal(sigv4_sign(&key, &v.r, date, &got, NULL), 0);
	if (!slice_equal(signature_of(&got), slice_of(signature.data))) {
		str_clear(&got);
		sigv4_canonical(&v.r, date, &got, NULL);
		fail_msg("%s: wrong signature; canonical request:\n%s\nnot:"
			 "\n%s",
			folder, got.data, canonical.data);
	}
	str_clear(&got);
	assert_int_equal(sigv4_canonical(&v.r, date, &got, NULL), 0);
	assert_string_equal(got.data, canonical.data);
	str_fini(&got);
	doc_free(v.context);
	str_fini(&v.hash);
	str_fini(&signature);
	str_fini(&canonical);
	str_fini(&context);
	str_fini(&v.text);
}

static unsigned checked;

static int
vector_visit(const char *path, const struct stat *st, int type, struct FTW *w)
{
	(void)st;
	if (type == FTW_D && w->level == 2) {
		vector_check(path);
		checked++;
	}
	return 0;
}

static int
entry_remove(const char *path, const struct stat *st, int type, struct FTW *w)
{
	(void)st;
	(void)type;
	(void)w;
	return remove(path);
}

static void
test_vectors(void **state)
{
	const char *shared = getenv("GG_SHARED");
	char path[512], command[1024], folder[] = "/tmp/gg-sigv4-XXXXXX";

	(void)state;
	snprintf(path, sizeof(path), "%s/data/aws-sigv4/v4.tar.gz",
		shared != NULL ? shared : "../shared");
	if (access(path, R_OK) != 0) {
		print_message("skipped: %s is not there\n", path);
		skip();
	}
	assert_non_null(mkdtemp(folder));
	snprintf(command, sizeof(command), "tar -xzf '%s' -C %s", path, folder);
	assert_int_equal(system(command), 0);
	assert_int_equal(nftw(folder, vector_visit, 16, FTW_PHYS), 0);
	assert_int_equal(
		nftw(folder, entry_remove, 16, FTW_PHYS | FTW_DEPTH), 0);
	assert_int_equal(checked, VECTORS);
}

/* ---- corners */

struct corner {
	const char *what, *path, *query;
	struct {
		const char *name, *value;
	} fields[4];
	bool single_encoded, path_as_it_is;
	const char *canonical; /* up to the hash of the body */
};

#define PLAIN() "host:h\nx-amz-date:" DATE "\n\nhost;x-amz-date\n"

static const struct corner corners[] = {
	{ .what = "no path is the root",
		.path = "",
		.query = "",
		.canonical = "GET\n/\n\n" PLAIN() },
	{ .what = "a coded path is coded once more, capitals",
		.path = "/a%3ab:c(d)*!'/\xc3\xa9~_.-",
		.query = "",
		.canonical = "GET\n/a%253ab%3Ac%28d%29%2A%21%27/"
			     "%C3%A9~_.-\n\n" PLAIN() },
	{ .what = "but not of S3",
		.path = "/a%3Ab/../c//d",
		.query = "",
		.single_encoded = true,
		.path_as_it_is = true,
		.canonical = "GET\n/a%3Ab/../c//d\n\n" PLAIN() },
	{ .what = "dots and empty segments go",
		.path = "//a/./b/../../../c/.//d/",
		.query = "",
		.canonical = "GET\n/c/d/\n\n" PLAIN() },
	{ .what = "a dot at the end leaves no slash",
		.path = "/a/b/.",
		.query = "",
		.canonical = "GET\n/a/b\n\n" PLAIN() },
	{ .what = "dots of more, and with something, are names",
		.path = "/.../..a/.b",
		.query = "",
		.canonical = "GET\n/.../..a/.b\n\n" PLAIN() },
	{ .what = "they stay where the path is as it is",
		.path = "/a/../%41//.",
		.query = "",
		.path_as_it_is = true,
		.canonical = "GET\n/a/../%2541//.\n\n" PLAIN() },
	{ .what = "parameters are sorted by name, then by value",
		.path = "/",
		.query = "b=2&a=2&B=1&a=10&a=&a-=x&aa=",
		.canonical = "GET\n/\nB=1&a=&a=10&a=2&a-=x&aa=&b=2\n" PLAIN() },
	{ .what = "by the coded name: %C3 stands before letters",
		.path = "/",
		.query = "z=1&\xc3\xa9=2&A=3",
		.canonical = "GET\n/\n%C3%A9=2&A=3&z=1\n" PLAIN() },
	{ .what = "a value that is empty or missing keeps its sign",
		.path = "/",
		.query = "acl&x=&&=v&",
		.canonical = "GET\n/\n=v&acl=&x=\n" PLAIN() },
	{ .what = "only the first sign parts",
		.path = "/",
		.query = "a=b=c",
		.canonical = "GET\n/\na=b%3Dc\n" PLAIN() },
	{ .what = "a space is %20 however it is written",
		.path = "/",
		.query = "a=1+2&b=1%202&c=1 2&d=1%2b2",
		.canonical =
			"GET\n/\na=1%202&b=1%202&c=1%202&d=1%2B2\n" PLAIN() },
	{ .what = "codes are capitals, those that need none are none",
		.path = "/",
		.query = "q=%7e%41%2f%c3%A9%24LATEST",
		.canonical = "GET\n/\nq=~A%2F%C3%A9%24LATEST\n" PLAIN() },
	{ .what = "a percent sign that codes nothing is itself",
		.path = "/",
		.query = "a=%&b=%4&c=%zz&d=%",
		.canonical = "GET\n/\na=%25&b=%254&c=%25zz&d=%25\n" PLAIN() },
	{ .what = "fields of one name are joined in their order",
		.path = "/",
		.query = "",
		.fields = { { "x-b", "2" }, { "x-a", "z" }, { "x-b", "1" },
			{ "x-b", "" } },
		.canonical = "GET\n/\n\nhost:h\nx-a:z\nx-amz-date:" DATE
			     "\nx-b:2,1,\n\nhost;x-a;x-amz-date;x-b\n" },
	{ .what = "spaces go at the ends and are one within, in quotes too",
		.path = "/",
		.query = "",
		.fields = { { "x-a", " \t a  b\t\tc \"d   e\"  " },
			{ "x-c", "  " } },
		.canonical =
			"GET\n/\n\nhost:h\nx-a:a b c \"d e\"\nx-amz-date:" DATE
			"\nx-c:\n\nhost;x-a;x-amz-date;x-c\n" },
	{ .what = "a name that begins another one stands before it",
		.path = "/",
		.query = "",
		.fields = { { "x-amz-date-a", "1" }, { "x-amz", "2" } },
		.canonical = "GET\n/\n\nhost:h\nx-amz:2\nx-amz-date:" DATE
			     "\nx-amz-date-a:1\n\n"
			     "host;x-amz;x-amz-date;x-amz-date-a\n" },
};

static void
test_corners(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(corners); i++) {
		const struct corner *row = &corners[i];
		struct sigv4_field fields[5] = { { slice_of("host"),
			slice_of("h") } };
		struct sigv4_request r = { .method = slice_of("GET"),
			.path = slice_of(row->path),
			.query = slice_of(row->query),
			.fields = fields,
			.field_count = 1,
			.single_encoded = row->single_encoded,
			.path_as_it_is = row->path_as_it_is };
		struct str got, wanted;

		for (size_t j = 0; j < ARRAY_SIZE(row->fields); j++)
			if (row->fields[j].name != NULL)
				fields[r.field_count++] = (struct sigv4_field){
					slice_of(row->fields[j].name),
					slice_of(row->fields[j].value)
				};
		str_init(&got);
		str_init(&wanted);
		str_printf(&wanted, "%s" EMPTY_HASH, row->canonical);
		assert_int_equal(sigv4_canonical(&r, DATE, &got, NULL), 0);
		if (strcmp(got.data, wanted.data) != 0)
			fail_msg("%s:\n%s\nnot:\n%s", row->what, got.data,
				wanted.data);
		str_fini(&wanted);
		str_fini(&got);
	}
}

static void
test_too_many_fields(void **state)
{
	struct sigv4_field fields[SIGV4_FIELDS_MAX + 1];
	struct sigv4_request r = { .method = slice_of("GET"),
		.path = slice_of("/"),
		.fields = fields,
		.field_count = ARRAY_SIZE(fields),
		.access_key = slice_of("A"),
		.secret_key = slice_of("S"),
		.region = slice_of("r"),
		.service = slice_of("s") };
	struct sigv4_key key = { .of = 0 };
	struct error err = ERROR_INIT;
	char date[SIGV4_DATE_SIZE];
	struct str out;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		fields[i] =
			(struct sigv4_field){ slice_of("x"), slice_of("1") };
	str_init(&out);
	assert_int_equal(sigv4_sign(&key, &r, date, &out, &err), -1);
	assert_string_equal(err.text, "65 fields are to be signed, 64 may be");
	assert_int_equal(out.length, 0);
	r.field_count--;
	assert_int_equal(sigv4_sign(&key, &r, date, &out, NULL), 0);
	str_fini(&out);
}

/* The clock may say anything. */
static void
test_any_time(void **state)
{
	static const struct {
		uint64_t now_ms;
		const char *date;
	} rows[] = {
		{ 0, "19700101T000000Z" },
		{ 1767323045999, DATE },
		{ 253402300799000, "99991231T235959Z" },
		{ 253402300800000, "99991231T235959Z" },
		{ UINT64_MAX, "99991231T235959Z" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sigv4_request r = { .method = slice_of("GET"),
			.path = slice_of("/"),
			.access_key = slice_of("A"),
			.secret_key = slice_of("S"),
			.region = slice_of("r"),
			.service = slice_of("s"),
			.now_ms = rows[i].now_ms };
		struct sigv4_key key = { .of = 0 };
		char date[SIGV4_DATE_SIZE];
		struct str out;

		str_init(&out);
		assert_int_equal(sigv4_sign(&key, &r, date, &out, NULL), 0);
		assert_string_equal(date, rows[i].date);
		str_fini(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_key),
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_corners),
		cmocka_unit_test(test_too_many_fields),
		cmocka_unit_test(test_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
