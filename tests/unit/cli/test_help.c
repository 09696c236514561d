/* Tests what --help and the completions say, and that glooctl(1) knows every
 * command and flag. Runs in the top folder of the sources. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/command.h"
#include "fake.h"

#define MANUAL "docs/glooctl.1"

static char *manual;

static int
setup(void **state)
{
	struct error err = ERROR_INIT;
	struct str s;

	(void)state;
	str_init(&s);
	if (file_read(MANUAL, 1 << 20, &s, &err) != 0)
		fail_msg("%s", err.text);
	manual = str_steal(&s);
	str_fini(&s);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	free(manual);
	return 0;
}

/* As the manual writes it: "\-\-dest\-name". */
static void
manual_has_flag(const char *name)
{
	struct str s;

	str_init(&s);
	str_puts(&s, "\\-\\-");
	for (; *name != '\0'; name++)
		str_printf(&s, *name == '-' ? "\\-" : "%c", *name);
	if (strstr(manual, s.data) == NULL)
		fail_msg("%s: the flag %s is missing", MANUAL, s.data);
	str_fini(&s);
}

static void
command_check(const struct cli_command *c, const char *path)
{
	char *line = xasprintf("%s --help", path);
	struct fake_result r = fake_run(NULL, line, NULL);

	assert_int_equal(r.status, CLI_OK);
	assert_string_equal(r.err, "");
	assert_non_null(strstr(r.out, c->summary));
	if (c->run != NULL && strstr(manual, path) == NULL &&
		strstr(manual, c->name) == NULL)
		fail_msg("%s: %s is missing", MANUAL, path);
	for (const struct cli_flag *f = c->flags; f != NULL && f->name != NULL;
		f++) {
		if (strstr(r.out, f->name) == NULL)
			fail_msg("%s: --%s is missing", line, f->name);
		manual_has_flag(f->name);
	}
	for (char *p = strtok(r.out, "\n"); p != NULL; p = strtok(NULL, "\n"))
		if (strlen(p) > 100)
			fail_msg("%s: a line is too long: %s", line, p);
	fake_result_fini(&r);
	free(line);
	for (size_t i = 0; c->children != NULL && c->children[i] != NULL; i++) {
		char *below = xasprintf("%s%s%s", path,
			path[0] != '\0' ? " " : "", c->children[i]->name);

		if (!c->children[i]->hidden)
			command_check(c->children[i], below);
		free(below);
	}
}

static void
test_manual(void **state)
{
	(void)state;
	command_check(&cli_root, "");
	for (size_t i = 0; upstream_kinds[i] != NULL; i++)
		for (const struct kind_flag *f = upstream_kinds[i]->flags;
			f != NULL && f->name != NULL; f++)
			manual_has_flag(f->name);
}

static void
test_help(void **state)
{
	static const struct {
		const char *line;
		const char *part;
	} rows[] = {
		{ "", "Commands:\n  add " },
		{ "help", "Exit status: 0 ok; 1 wrong use" },
		{ "--help", "curl $(glooctl gateway url)" },
		{ "help get us", "Aliases: upstreams, us, u\n" },
		{ "get -h", "  upstream                    show upstreams\n" },
		{ "create upstream --help", "  kube  " },
		{ "create upstream static --help", "--static-hosts strings" },
		/* The two whose texts Gloo had swapped. */
		{ "add route --help",
			"-e, --path-exact string     exact path to match\n" },
		{ "add route --help",
			"-r, --path-regex string     regex that the whole" },
		{ "--version", "glooctl version " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fake_result r = fake_run(NULL, rows[i].line, NULL);

		if (r.status != CLI_OK || strstr(r.out, rows[i].part) == NULL)
			fail_msg("%s: %d\n%s%s", rows[i].line, r.status, r.out,
				r.err);
		fake_result_fini(&r);
	}
}

/* Sources the script and completes a line; glooctl itself is a function that
 * answers with names. */
static const char driver[] =
	"\nglooctl() {\n"
	"case \"$*\" in\n"
	"*'/s __names functions lambda --namespace other')\n"
	"printf '%s\\n' hello:1 'hello:$LATEST' 'hello$(pwd)' bye;;\n"
	"'__names functions') echo all;;\n"
	"'__names functions lambda --namespace gloo-system') echo near;;\n"
	"*) echo \"alpha beta $*\";;\n"
	"esac; }\n"
	"try() { COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _glooctl; "
	"echo \"${COMPREPLY[*]}\"; }\n"
	"try glooctl ge\n"
	"try glooctl get virtuals\n"
	"try glooctl get us al\n"
	"try glooctl add route --path-p\n"
	"try glooctl add route -u be\n"
	"try glooctl --socket /s get vs -o kube\n"
	"try glooctl --socket /s delete vs /\n"
	"try glooctl create upstream sta\n"
	"try glooctl create upstream static --static-h\n"
	"try glooctl get -o json u\n"
	"FAR='--socket /s add route -s other -u lambda'\n"
	"try glooctl $FAR --function ''\n"
	"try glooctl $FAR --function hello : 1\n"
	"try glooctl $FAR --function hello :\n"
	"try glooctl $FAR --function hello : 1 --path-p\n"
	"try glooctl $FAR -a b\n"
	"try glooctl add route --azure-function-name ''\n"
	"try glooctl add route --dest-name lambda --function ''\n"
	"try glooctl create upstream static --static-hosts 127.0.0.1 : 80 "
	"--na\n"
	"try glooctl check la\n";
static const char completed[] = "get\n"
				"virtualservice\n"
				"alpha\n"
				"--path-prefix\n"
				"beta\n"
				"kube-yaml\n"
				"/s\n"
				"static\n"
				"--static-hosts\n"
				"upstream upstreamgroup\n"
				"hello:1 hello:\\$LATEST hello\\$\\(pwd\\) "
				"bye\n"
				"1\n"
				"1 \\$LATEST\n"
				"--path-prefix\n"
				"bye\n"
				"all\n"
				"near\n"
				"--name --namespace\n"
				"lambda\n";

static void
test_completion_bash(void **state)
{
	struct fake_result r = fake_run(NULL, "completion bash", NULL);
	char buf[4096], folder[] = "/tmp/test-cli-XXXXXX";
	char *path, *command;
	size_t n;
	FILE *f;

	(void)state;
	assert_int_equal(r.status, CLI_OK);
	assert_non_null(mkdtemp(folder));
	path = xasprintf("%s/script", folder);
	command = xasprintf("bash %s 2>&1", path);
	f = fopen(path, "w");
	fputs(r.out, f);
	fputs(driver, f);
	fclose(f);
	f = popen(command, "r");
	n = fread(buf, 1, sizeof(buf) - 1, f);
	buf[n] = '\0';
	pclose(f);
	assert_string_equal(buf, completed);
	unlink(path);
	rmdir(folder);
	free(command);
	free(path);
	fake_result_fini(&r);
}

static void
test_completion_zsh(void **state)
{
	struct fake_result r = fake_run(NULL, "completion zsh", NULL);

	(void)state;
	assert_int_equal(r.status, CLI_OK);
	assert_int_equal(strncmp(r.out, "#compdef glooctl\n", 17), 0);
	assert_non_null(strstr(r.out, "'glooctl get us'"));
	fake_result_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_manual),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_completion_bash),
		cmocka_unit_test(test_completion_zsh),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
