/* Tests `create -f` and `edit`: documents in files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fake.h"

#define A "/v1/virtualservices/gloo-system/a"
#define B "/v1/virtualservices/gloo-system/b"
#define PLAIN(name)                                                            \
	"{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"gloo-system\","  \
	"\"resourceVersion\":\"7\"},\"status\":{\"state\":\"Accepted\"},"      \
	"\"virtualHost\":{\"domains\":[\"*\"]}}"
#define ACCEPTED(name)                                                         \
	"{\"state\":\"Accepted\",\"reason\":\"\",\"resource\":" PLAIN(name) "}"
#define END                                                                    \
	{                                                                      \
		NULL, 0, NULL, false                                           \
	}
#define ROW_MAX 6

static const struct {
	const char *what, *flags, *text;
	struct fake_row rows[ROW_MAX];
	int status;
	const char *err;  /* a part, "%" is the file; "" for nothing */
	const char *sent; /* all requests */
} creates[] = {
	{ "two documents of YAML", "-o name",
		"metadata: {name: a}\nvirtualHost: {}\n---\n"
		"kind: VirtualService\napiVersion: gateway.solo.io/v1\n"
		"metadata: {name: b}\nspec: {virtualHost: {}}\n",
		{ { "PUT " A, 200, ACCEPTED("a"), false },
			{ "PUT " B, 200, ACCEPTED("b"), false }, END },
		CLI_OK, "",
		"GET " A "\nGET /v1/virtualservices\nPUT " A
		" {\"metadata\":{\"name\":\"a\",\"namespace\":\"gloo-system\"},"
		"\"virtualHost\":{}}\n"
		"GET " B "\nGET /v1/virtualservices\nPUT " B
		" {\"apiVersion\":\"gateway.solo.io/v1\",\"kind\":"
		"\"VirtualService\",\"metadata\":{\"name\":\"b\",\"namespace\":"
		"\"gloo-system\"},\"spec\":{\"virtualHost\":{}}}\n" },
	{ "a list in JSON", "-o name",
		"[{\"metadata\":{\"name\":\"a\"},\"virtualHost\":{}}]",
		{ { "PUT " A, 200, ACCEPTED("a"), false }, END }, CLI_OK, "",
		NULL },
	{ "what exists is refused", "",
		"metadata: {name: a}\nvirtualHost: {}\n",
		{ { "GET " A, 200, PLAIN("a"), false }, END }, CLI_USAGE,
		"named \"a\" already", "GET " A "\n" },
	{ "unless it is to be replaced", "--replace -o name",
		"metadata: {name: a, resourceVersion: \"3\"}\n"
		"virtualHost: {}\n",
		{ { "PUT " A, 200, ACCEPTED("a"), false }, END }, CLI_OK, "",
		"PUT " A
		" {\"metadata\":{\"name\":\"a\",\"namespace\":\"gloo-system\"},"
		"\"virtualHost\":{}}\n" },
	{ "or the version is given", "-o name",
		"metadata: {name: a, resourceVersion: \"7\"}\n"
		"virtualHost: {}\n",
		{ { "PUT " A, 200, ACCEPTED("a"), false }, END }, CLI_OK, "",
		"PUT " A
		" {\"metadata\":{\"name\":\"a\",\"namespace\":\"gloo-system\","
		"\"resourceVersion\":\"7\"},\"virtualHost\":{}}\n" },
	{ "a syntax error names file and line", "",
		"metadata: {name: a}\nvirtualHost: [\n", { END }, CLI_REJECTED,
		"rejected: %:3: ", "" },
	{ "a wrong value in the second document: nothing is sent", "",
		"metadata: {name: a}\nvirtualHost: {}\n---\n"
		"metadata: {name: b}\nvirtualHost:\n  routes: 7\n",
		{ END }, CLI_REJECTED,
		"rejected: %:6: virtualHost.routes: ", "" },
	{ "what the daemon rejects has the line too", "",
		"metadata: {name: a}\nvirtualHost:\n  routes:\n"
		"  - matchers:\n    - regex: \"/a(\"\n"
		"    routeAction: {single: {upstream: {name: x}}}\n",
		{ { "PUT " A, 422,
			  "{\"state\":\"Rejected\",\"reason\":\"virtualHost."
			  "routes[0].matchers[0].regex: missing "
			  ")\",\"line\":1}",
			  false },
			END },
		CLI_REJECTED,
		"rejected: %:5: virtualHost.routes[0].matchers[0].regex: "
		"missing )\n",
		NULL },
	{ "the worst of all is the exit status", "-o name",
		"metadata: {name: a}\nvirtualHost: {}\n---\n"
		"metadata: {name: b}\nvirtualHost: {}\n",
		{ { "PUT " A, 422, "{\"state\":\"Rejected\",\"reason\":\"x\"}",
			  false },
			{ "PUT " B, 200, ACCEPTED("b"), false }, END },
		CLI_REJECTED, "rejected: %:1: x\n", NULL },
	{ "no document at all", "", "# nothing\n", { END }, CLI_USAGE,
		"holds no document", "" },
};

static char *
with_path(const char *text, const char *path)
{
	const char *p = strchr(text, '%');

	return p == NULL ? xstrdup(text)
			 : xasprintf("%.*s%s%s", (int)(p - text), text, path,
				   p + 1);
}

static char *
log_of(const struct fake *f)
{
	return access(f->log, R_OK) == 0 ? fake_log(f) : xstrdup("");
}

static void
test_create(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(creates); i++) {
		struct fake_result r;
		struct fake fake;
		char *path, *line, *err, *log;

		fake_start(&fake, creates[i].rows);
		path = xasprintf("%s/file", fake.folder);
		assert_int_equal(file_replace(path, creates[i].text,
					 strlen(creates[i].text), 0600, NULL),
			0);
		line = xasprintf("create -f %s %s", path, creates[i].flags);
		r = fake_run(fake.socket, line, NULL);
		err = with_path(creates[i].err, path);
		log = log_of(&fake);
		if (r.status != creates[i].status ||
			(err[0] == '\0' ? r.err[0] != '\0'
					: strstr(r.err, err) == NULL) ||
			(creates[i].sent != NULL &&
				strcmp(log, creates[i].sent) != 0))
			fail_msg("%s: %d\n%s%s%s", creates[i].what, r.status,
				r.out, r.err, log);
		unlink(path);
		free(path);
		free(line);
		free(err);
		free(log);
		fake_result_fini(&r);
		fake_stop(&fake);
	}
}

static void
test_create_input(void **state)
{
	static const struct fake_row rows[] = {
		{ "PUT " A, 200, ACCEPTED("a"), false },
		END,
	};
	struct fake_result r;
	struct fake fake;

	(void)state;
	fake_start(&fake, rows);
	r = fake_run(fake.socket, "create -f - -o name",
		"metadata: {name: a}\nvirtualHost: {}\n");
	assert_string_equal(r.err, "");
	assert_string_equal(r.out, "a\n");
	assert_int_equal(r.status, CLI_OK);
	fake_result_fini(&r);
	fake_stop(&fake);
}

/* ---- edit: the editor is a script */

#define GET_A                                                                  \
	{                                                                      \
		"GET " A, 200, PLAIN("a"), false                               \
	}

static const struct {
	const char *what, *editor, *flags;
	struct fake_row rows[ROW_MAX];
	int status;
	const char *err;
	const char *sent; /* a part of the requests */
} edits[] = {
	{ "a change is stored with the version that was read",
		"sed -i s/[*]/a.example/", "",
		{ GET_A, { "PUT " A, 200, ACCEPTED("a"), false }, END }, CLI_OK,
		"",
		"PUT " A
		" {\"metadata\":{\"name\":\"a\",\"namespace\":\"gloo-system\","
		"\"resourceVersion\":\"7\"},\"virtualHost\":{\"domains\":["
		"\"a.example\"]}}\n" },
	{ "no change, nothing is sent", "true", "", { GET_A, END }, CLI_OK,
		"edit cancelled: nothing changed\n", NULL },
	{ "an editor that fails", "false", "", { GET_A, END }, CLI_USAGE,
		"the editor (false) failed", NULL },
	{ "rejected: the editor opens again with the reason",
		/* The second time it sees the reason and corrects. */
		"f() { grep -q rejected: \"$1\" && sed -i s/bad/good/ \"$1\" "
		"|| sed -i s/[*]/bad/ \"$1\"; }; f",
		"",
		{ GET_A,
			{ "PUT " A, 422,
				"{\"state\":\"Rejected\",\"reason\":\"bad "
				"domain\"}",
				false },
			{ "PUT " A, 200, ACCEPTED("a"), false }, END },
		CLI_OK, "rejected: ", "\"domains\":[\"good\"]" },
	{ "rejected and left so", "sed -i s/[*]/bad/", "",
		{ GET_A,
			{ "PUT " A, 422,
				"{\"state\":\"Rejected\",\"reason\":\"bad "
				"domain\"}",
				false },
			END },
		CLI_REJECTED, "edit given up: nothing was stored\n", NULL },
	{ "text that is no YAML",
		"f() { grep -q rejected: \"$1\" || echo '[' >> \"$1\"; }; f",
		"", { GET_A, END }, CLI_REJECTED, "rejected: line ", NULL },
	{ "somebody else changed it meanwhile: the text is kept",
		"sed -i s/[*]/a.example/", "",
		{ GET_A, { "PUT " A, 409, "{\"error\":\"stale\"}", false },
			END },
		CLI_USAGE, "error: stale\nyour text is kept in ", NULL },
	{ "another version than the one wanted", "true", "--resource-version 6",
		{ GET_A, END }, CLI_USAGE, "the version stored is 7, not 6",
		NULL },
};

/* The only file that edit may leave is the one it says it keeps. */
static void
kept_remove(const char *err)
{
	const char *p = strstr(err, "kept in ");
	char *path;

	if (p == NULL)
		return;
	path = xstrndup(p + 8, strcspn(p + 8, "\n"));
	assert_int_equal(unlink(path), 0);
	free(path);
}

static void
test_edit(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(edits); i++) {
		struct fake_result r;
		struct fake fake;
		char *line, *log;

		fake_start(&fake, edits[i].rows);
		setenv("EDITOR", edits[i].editor, 1);
		setenv("TMPDIR", fake.folder, 1);
		line = xasprintf("edit vs a -o name %s", edits[i].flags);
		r = fake_run(fake.socket, line, NULL);
		unsetenv("TMPDIR");
		log = log_of(&fake);
		if (r.status != edits[i].status ||
			(edits[i].err[0] == '\0'
					? r.err[0] != '\0'
					: strstr(r.err, edits[i].err) ==
						  NULL) ||
			(edits[i].sent != NULL &&
				strstr(log, edits[i].sent) == NULL) ||
			(edits[i].sent == NULL && edits[i].status == CLI_OK &&
				strstr(log, "PUT") != NULL))
			fail_msg("%s: %d\n%s%s%s", edits[i].what, r.status,
				r.out, r.err, log);
		kept_remove(r.err);
		free(line);
		free(log);
		fake_result_fini(&r);
		fake_stop(&fake);
		assert_int_not_equal(access(fake.folder, F_OK), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_create_input),
		cmocka_unit_test(test_edit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
