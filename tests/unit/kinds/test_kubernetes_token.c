/* Tests the renewal of the token: when it is asked for, for how long, what is
 * written, and what is said when it fails. */
#include "kubernetes_fake.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/file.h"
#include "kinds/kubernetes/token.h"
#include "kinds/kubernetes/token_request.h"

#define REQUEST                                                                \
	"POST /api/v1/namespaces/gloo-system/serviceaccounts/gloo-gateway/"    \
	"token {\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":"         \
	"\"TokenRequest\",\"spec\":{\"expirationSeconds\":600}}"
#define OURS "system:serviceaccount:gloo-system:gloo-gateway"

static char ns[] = "gloo-system", account[] = "gloo-gateway";
static char folder[] = "/tmp/test-token-XXXXXX";
static char *path; /* NULL: the account has no token file */
static struct kubernetes_settings settings = { .namespace_ = ns,
	.service_account = account };
static struct kind_program program = { .condition_set = on_condition };
static struct kubernetes_cluster cluster = { .program = &program,
	.settings = &settings };

const char *
kubernetes_account_token_file(const struct kubernetes_account *a)
{
	(void)a;
	return path;
}

static uint64_t
now_s(void)
{
	return clock_realtime_ms() / 1000;
}

static char *
token_make(const char *subject, uint64_t issued_s, uint64_t life_s)
{
	char *claims = xasprintf("{\"sub\":\"%s\",\"iat\":%" PRIu64
				 ",\"exp\":%" PRIu64 "}",
		subject, issued_s, issued_s + life_s);
	struct str text;

	str_init(&text);
	str_puts(&text, "e30.");
	base64_encode(claims, strlen(claims), &text);
	while (text.data[text.length - 1] == '=')
		text.data[--text.length] = '\0';
	str_puts(&text, ".c2ln");
	free(claims);
	return str_steal(&text);
}

static void
file_write(const char *token)
{
	assert_int_equal(
		file_replace(path, token, strlen(token), 0600, NULL), 0);
}

static void
token_write(const char *subject, uint64_t life_s)
{
	char *token = token_make(subject, now_s(), life_s);

	file_write(token);
	free(token);
}

static void
file_is(const char *want)
{
	struct stat st;
	struct str text;

	str_init(&text);
	assert_int_equal(file_read(path, 1 << 20, &text, NULL), 0);
	assert_string_equal(text.data, want);
	str_fini(&text);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

/* Answers with a token of that subject, which is the caller's. */
static char *
token_answer(const char *subject)
{
	char *token = token_make(subject, now_s(), 600);
	char *json = xasprintf("{\"status\":{\"token\":\"%s\"}}", token);

	answer(fake_calls, 201, json);
	free(json);
	return token;
}

static int
setup(void **state)
{
	(void)state;
	if (path == NULL) {
		assert_non_null(mkdtemp(folder));
		path = xasprintf("%s/token", folder);
	}
	fake_now_ms = 1000000;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(path);
	fake_end();
	return 0;
}

static void
test_renewed_at_80_percent(void **state)
{
	struct kubernetes_token *t;
	char *token;

	(void)state;
	token_write(OURS, 600);
	t = kubernetes_token_new(&cluster);
	told_is("");
	pass(479999);
	assert_null(fake_calls);
	str_clear(&told);
	pass(1);
	call_is(REQUEST);
	assert_true(fake_calls->urgent); /* all else needs it */
	token = token_answer(OURS);
	file_is(token);
	told_is("");
	free(token);
	/* And the next. */
	pass(479999);
	assert_null(fake_calls);
	pass(1);
	call_is(REQUEST);
	kubernetes_token_free(t);
}

/* glooctl may have put another one there. */
static void
test_file_replaced(void **state)
{
	struct kubernetes_token *t;

	(void)state;
	token_write(OURS, 600);
	t = kubernetes_token_new(&cluster);
	pass(300000);
	token_write(OURS, 6000);
	pass(1000000);
	assert_null(fake_calls);
	kubernetes_token_free(t);
}

static void
test_failures(void **state)
{
	static const unsigned waits_s[] = { 10, 20, 40, 80, 160, 300, 300 };
	struct kubernetes_token *t;
	char *token;

	(void)state;
	token_write(OURS, 10000);
	t = kubernetes_token_new(&cluster);
	pass(8000000);
	str_clear(&told);
	for (size_t i = 0; i < ARRAY_SIZE(waits_s); i++) {
		answer(fake_calls, 403, "{}");
		told_is(i > 0 ? "" :
			"token warning: the token of service account "
			"gloo-gateway is not renewed: the server said 403\n");
		pass(waits_s[i] * 1000 - 1);
		assert_null(fake_calls);
		pass(1);
		assert_non_null(fake_calls);
	}
	token = token_answer(OURS);
	file_is(token);
	told_is("token ok\n");
	free(token);
	kubernetes_token_free(t);
}

/* From then on it is an error, and what to do is said. */
static void
test_expired(void **state)
{
	struct kubernetes_token *t;

	(void)state;
	token_write(OURS, 600);
	pass(600000);
	t = kubernetes_token_new(&cluster);
	pass(0);
	answer(fake_calls, 401, "{}");
	told_is("token error: the token of service account gloo-gateway has "
		"expired, and there is no new one: the server said 401; "
		"`glooctl install kube` gets one\n");
	/* It did. */
	token_write(OURS, 600);
	pass(10000);
	assert_null(fake_calls);
	told_is("token ok\n");
	kubernetes_token_free(t);
}

/* What is answered goes into the file only if it is the account's. */
static void
test_wrong_answers(void **state)
{
	static const struct {
		const char *json, *why;
	} rows[] = {
		{ "{}", "the API server answered without a token" },
		{ "{\"status\":{\"token\":\"opaque\"}}",
			"what the API server answered: it is not the token of "
			"a service account" },
	};
	struct kubernetes_token *t;
	char *before, *token;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows) + 1; i++) {
		before = token_make(OURS, now_s(), 600);
		file_write(before);
		t = kubernetes_token_new(&cluster);
		pass(480000);
		str_clear(&told);
		if (i < ARRAY_SIZE(rows)) {
			answer(fake_calls, 201, rows[i].json);
			assert_non_null(strstr(told.data, rows[i].why));
		} else {
			token = token_answer("system:serviceaccount:a:b");
			assert_non_null(strstr(told.data,
				"answered with one of "
				"system:serviceaccount:a:b"));
			free(token);
		}
		assert_non_null(strstr(told.data, "token warning: "));
		assert_null(strstr(told.data, "opaque"));
		file_is(before);
		free(before);
		kubernetes_token_free(t);
		fake_end();
	}
}

static void
test_wrong_files(void **state)
{
	static const struct {
		const char *text, *why; /* NULL: there is none */
	} rows[] = {
		{ NULL, "cannot open " },
		{ "opaque", "it is not the token of a service account" },
		{ "", "it is not the token of a service account" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kubernetes_token *t;

		unlink(path);
		if (rows[i].text != NULL)
			file_write(rows[i].text);
		t = kubernetes_token_new(&cluster);
		pass(0);
		assert_null(fake_calls);
		if (strstr(told.data, "token warning: ") == NULL ||
			strstr(told.data, rows[i].why) == NULL ||
			strstr(told.data, "opaque") != NULL)
			fail_msg("%s", told.data);
		kubernetes_token_free(t);
		fake_end();
	}
}

/* It is somebody else's: neither asked for nor replaced. */
static void
test_foreign_token(void **state)
{
	struct kubernetes_token *t;

	(void)state;
	token_write("system:serviceaccount:a:b", 600);
	t = kubernetes_token_new(&cluster);
	pass(1000000);
	assert_null(fake_calls);
	assert_non_null(
		strstr(told.data, "it is of system:serviceaccount:a:b"));
	kubernetes_token_free(t);
}

/* The folder cannot be written to: said, tried again, no token is left over. */
static void
test_unwritable(void **state)
{
	struct kubernetes_token *t;
	char *whole = path, *token;

	(void)state;
	path = xasprintf("%s/gone/token", folder);
	*strrchr(path, '/') = '\0';
	assert_int_equal(mkdir(path, 0700), 0);
	path[strlen(path)] = '/';
	token_write(OURS, 600);
	t = kubernetes_token_new(&cluster);
	pass(480000);
	str_clear(&told);
	unlink(path);
	*strrchr(path, '/') = '\0';
	assert_int_equal(rmdir(path), 0);
	token = token_answer(OURS);
	assert_non_null(strstr(told.data, "cannot make a file in "));
	free(token);
	kubernetes_token_free(t);
	free(path);
	path = whole;
}

/* A clock that is wrong by hours does not lead to a request a second. */
static void
test_clock_wrong(void **state)
{
	struct kubernetes_token *t;
	size_t count = 0;
	char *token;

	(void)state;
	token = token_make(OURS, now_s() - 100000, 600);
	file_write(token);
	free(token);
	t = kubernetes_token_new(&cluster);
	for (int i = 0; i < 600; i++) {
		pass(1000);
		if (fake_calls == NULL)
			continue;
		count++;
		token = token_make(OURS, now_s() - 100000, 600);
		str_clear(&told);
		{
			char *json = xasprintf(
				"{\"status\":{\"token\":\"%s\"}}", token);

			answer(fake_calls, 201, json);
			free(json);
		}
		free(token);
	}
	assert_in_range(count, 9, 11);
	kubernetes_token_free(t);
}

/* The kubeconfig names another file, none, and again the first. */
static void
test_another_file(void **state)
{
	char *first = path, *second = xasprintf("%s/second", folder), *token;
	struct kubernetes_token *t;

	(void)state;
	token_write(OURS, 6000);
	t = kubernetes_token_new(&cluster);
	pass(0);
	path = second;
	token_write(OURS, 600);
	pass(480000);
	call_is(REQUEST);
	token = token_answer(OURS);
	file_is(token);
	free(token);
	path = NULL;
	pass(1000000);
	assert_null(fake_calls);
	str_clear(&told);
	/* Nothing is there, and that is not the end of it. */
	unlink(second);
	path = second;
	pass(60000);
	assert_non_null(strstr(told.data, "token warning: "));
	str_clear(&told);
	path = NULL;
	pass(300000);
	told_is("token ok\n");
	path = first;
	token_write(OURS, 600);
	pass(480000);
	call_is(REQUEST);
	kubernetes_token_free(t);
	free(second);
}

static void
test_not_ours(void **state)
{
	(void)state;
	settings.service_account = NULL;
	assert_null(kubernetes_token_new(&cluster));
	settings.service_account = account;
	kubernetes_token_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_renewed_at_80_percent),
		TEST(test_file_replaced),
		TEST(test_failures),
		TEST(test_expired),
		TEST(test_wrong_answers),
		TEST(test_wrong_files),
		TEST(test_foreign_token),
		TEST(test_unwritable),
		TEST(test_clock_wrong),
		TEST(test_another_file),
		TEST(test_not_ours),
	};
	int rc;

	str_init(&told);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(folder);
	free(path);
	return rc;
}
