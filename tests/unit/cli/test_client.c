/* Tests userspace/cli/client.c against scripted answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>

#include "cli/client.h"
#include "fake.h"

static const struct {
	const char *what, *answer;
	int status;
	const char *body;  /* or NULL */
	const char *error; /* a part of it */
} cases[] = {
	{ "a body with its length",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200,
		"hello", NULL },
	{ "a chunked body",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
		200, "hello", NULL },
	{ "a body that ends with the connection",
		"HTTP/1.1 404 Not Found\r\n\r\nhello", 404, "hello", NULL },
	{ "no body", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", NULL },
	{ "an interim answer before it",
		"HTTP/1.1 100 Continue\r\n\r\n"
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
		200, "ok", NULL },
	{ "no answer", "", -1, NULL, "without an answer" },
	{ "half a head", "HTTP/1.1 200 OK\r\nContent-", -1, NULL,
		"without an answer" },
	{ "half a body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", -1,
		NULL, "in the middle" },
	{ "chunks that are none",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		"zz\r\nhel",
		-1, NULL, "garbled" },
	{ "something else", "SSH-2.0-OpenSSH_9.2\r\n\r\n", -1, NULL,
		"is not gloo-gateway" },
};

static int
call(const char *socket, struct str *answer, struct error *err)
{
	struct client_request r = {
		.socket = socket, .method = "GET", .path = "/x"
	};

	return client_call(&r, answer, err);
}

static void
test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct fake_row rows[] = {
			{ "GET /x", 0, cases[i].answer, true },
			{ NULL, 0, NULL, false },
		};
		struct error err = ERROR_INIT;
		struct fake fake;
		struct str answer;
		int status;

		str_init(&answer);
		fake_start(&fake, rows);
		status = call(fake.socket, &answer, &err);
		if (status != cases[i].status)
			fail_msg("%s: %d %s", cases[i].what, status, err.text);
		if (cases[i].body != NULL)
			assert_string_equal(answer.data, cases[i].body);
		if (cases[i].error != NULL &&
			strstr(err.text, cases[i].error) == NULL)
			fail_msg("%s: %s", cases[i].what, err.text);
		fake_stop(&fake);
		str_fini(&answer);
	}
}

static void
test_request(void **state)
{
	static const struct fake_row rows[] = {
		{ "PUT /v1/a?dryRun=true", 200, "{}", false },
		{ NULL, 0, NULL, false },
	};
	struct client_request r = { .method = "PUT",
		.path = "/v1/a",
		.query = "dryRun=true",
		.content_type = "application/json",
		.body = { "{\"a\":1}", 7 } };
	struct error err = ERROR_INIT;
	struct fake fake;
	struct str answer;
	char *log;

	(void)state;
	str_init(&answer);
	fake_start(&fake, rows);
	r.socket = fake.socket;
	assert_int_equal(client_call(&r, &answer, &err), 200);
	log = fake_log(&fake);
	assert_string_equal(log, "PUT /v1/a?dryRun=true {\"a\":1}\n");
	free(log);
	fake_stop(&fake);
	str_fini(&answer);
}

static void
test_nobody(void **state)
{
	struct error err = ERROR_INIT;
	char path[300];
	struct str answer;

	(void)state;
	str_init(&answer);
	assert_int_equal(call("/tmp/no-such-folder/sock", &answer, &err), -1);
	assert_non_null(strstr(err.text, "/tmp/no-such-folder/sock"));
	assert_non_null(strstr(err.text, "systemctl start gloo-gateway"));
	assert_non_null(strstr(err.text, "--socket"));

	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	err = (struct error)ERROR_INIT;
	assert_int_equal(call(path, &answer, &err), -1);
	assert_non_null(strstr(err.text, "at most 107 bytes"));
	str_fini(&answer);
}

/* Root may connect to anything, so the child is somebody else. */
static void
test_denied(void **state)
{
	static const struct fake_row rows[] = { { NULL, 0, NULL, false } };
	struct fake fake;
	int status;
	pid_t pid;

	(void)state;
	fake_start(&fake, rows);
	assert_int_equal(chmod(fake.folder, 0755), 0);
	assert_int_equal(chmod(fake.socket, 0), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		struct error err = ERROR_INIT;
		struct str answer;

		str_init(&answer);
		if (geteuid() == 0 && setuid(65534) != 0)
			_exit(2);
		if (call(fake.socket, &answer, &err) != -1)
			_exit(3);
		_exit(strstr(err.text, "not in group gloo-gateway") == NULL);
	}
	waitpid(pid, &status, 0);
	fake_stop(&fake);
	assert_int_equal(status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_nobody),
		cmocka_unit_test(test_denied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
