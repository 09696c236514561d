/*
 * Tests userspace/kinds/aws/functions.c, listing.c and api.c: which functions
 * are found, how often they are asked for, and what stays when they cannot be.
 */
#include "aws_region.h"

#include "base/doc.h"
#include "base/table.h"
#include "kinds/aws/api.h"
#include "kinds/aws/functions.h"
#include "kinds/aws/listing.h"
#include "kinds/aws/numbers.h"

#define SECOND 1000
#define MINUTE (60 * SECOND)

struct lister {
	struct aws_credentials credentials;
	struct aws_api *api;
	struct aws_counts counts;
	struct aws_functions *functions;
	size_t listed, names, open; /* times; of the last */
	unsigned refused;
	char *first, *last, *line;
	const char *wanted; /* a function; or NULL */
};

/* "listed a b ? b:*": there may be other aliases of b. */
static void
on_listed(const struct aws_functions_known *known, void *arg)
{
	struct lister *l = arg;
	struct str line;

	l->listed++;
	l->names = known->count;
	l->open = known->open_count;
	free(l->first);
	free(l->last);
	l->first = xstrdup(known->count == 0 ? "" : known->names[0]);
	l->last = xstrdup(
		known->count == 0 ? "" : known->names[known->count - 1]);
	str_init(&line);
	str_puts(&line, "listed");
	for (size_t i = 0; i < known->count && known->count < 12; i++)
		str_printf(&line, " %s", known->names[i]);
	for (size_t i = 0; i < known->open_count && known->count < 12; i++)
		str_printf(&line, "%s %s", i == 0 ? " ?" : "", known->open[i]);
	str_putc(&line, '\n');
	/* The same again says nothing. */
	if (strcmp(line.data, l->line) != 0)
		str_puts(&told, line.data);
	free(l->line);
	l->line = str_steal(&line);
}

static void
on_wanted(struct table *functions, void *arg)
{
	struct lister *l = arg;

	if (l->wanted != NULL)
		table_set(functions, l->wanted, l);
}

static void
on_problem(const char *sentence, void *arg)
{
	(void)arg;
	str_printf(&told, "problem %s\n", sentence == NULL ? "-" : sentence);
}

static void
on_refused(void *arg)
{
	((struct lister *)arg)->refused++;
}

static void
begin(struct lister *l)
{
	const struct aws_api_options api = {
		.service = "lambda",
		.region = "us-east-2",
		.authority = "lambda.us-east-2.amazonaws.com",
		.tls = true,
		.credentials = &l->credentials,
	};
	struct aws_functions_options o = {
		.counts = &l->counts,
		.listed = on_listed,
		.wanted = on_wanted,
		.problem = on_problem,
		.refused = on_refused,
		.arg = l,
	};

	memset(l, 0, sizeof(*l));
	l->line = xstrdup("");
	aws_credentials_copy(&l->credentials, &region_credentials);
	l->api = aws_api_new(&api);
	o.api = l->api;
	l->functions = aws_functions_new(&o);
	aws_functions_wake(l->functions);
}

static void
end(struct lister *l)
{
	aws_functions_free(l->functions);
	aws_api_free(l->api);
	aws_credentials_fini(&l->credentials);
	assert_int_equal(l->counts.functions, 0);
	free(l->first);
	free(l->last);
	free(l->line);
}

/* Until one pass more is over. */
static void
pass_until_listed(struct lister *l)
{
	uint64_t until = l->counts.passes + 1;

	for (unsigned i = 0; l->counts.passes < until; i++) {
		assert_true(i < 10 * MINUTE / 10);
		pass(10);
	}
}

static const struct region_function three[] = {
	{ "hello", "1 2", "live", 0, NULL },
	{ "a-b_C9", NULL, NULL, 0, NULL },
	{ "zoo", "7", "beta live", 0, NULL },
};

static void
region_has(const struct region_function *functions, size_t count)
{
	region.functions = functions;
	region.count = count;
}

#define LIST        "GET /2015-03-31/functions?FunctionVersion=ALL&MaxItems=50\n"
#define ALIAS(name) "GET /2015-03-31/functions/" name "/aliases?MaxItems=50\n"
#define THREE_NAMES "listed a-b_C9 hello hello:1 hello:2 zoo zoo:7"
#define THREE_SOON  THREE_NAMES " ? hello:* a-b_C9:* zoo:*\n"
#define THREE_FULL                                                             \
	"listed a-b_C9 hello hello:1 hello:2 hello:live zoo zoo:7 zoo:beta "   \
	"zoo:live"
#define THREE_TOLD THREE_FULL "\n"

/* ---- what is found */

static void
test_names_versions_aliases(void **state)
{
	struct lister l;
	const char *const *names;
	size_t count;

	(void)state;
	region_has(three, 3);
	begin(&l);
	assert_int_equal(region.asked_count, 0);
	pass(2 * SECOND);
	told_is(THREE_SOON THREE_TOLD);
	asked_is(LIST ALIAS("hello") ALIAS("a-b_C9") ALIAS("zoo"));
	names = aws_functions_names(l.functions, &count);
	assert_int_equal(count, 9);
	assert_string_equal(names[0], "a-b_C9");
	assert_int_equal(l.counts.functions, 9);
	assert_int_equal(l.counts.passes, 1);
	end(&l);
}

static void
test_none(void **state)
{
	struct lister l;

	(void)state;
	begin(&l);
	pass(2 * SECOND);
	told_is("listed\n");
	asked_is(LIST);
	end(&l);
}

/* Each 30 to 60 s. */
static void
test_again_and_again(void **state)
{
	struct lister l;
	uint64_t least = UINT64_MAX, most = 0;

	(void)state;
	begin(&l);
	pass(SECOND);
	for (unsigned i = 0; i < 100; i++) {
		uint64_t was = region.asked_ms, gap;
		size_t count = region.asked_count;

		while (region.asked_count == count)
			pass(1);
		gap = region.asked_ms - was;
		least = gap < least ? gap : least;
		most = gap > most ? gap : most;
	}
	assert_in_range(least, 30 * SECOND, 36 * SECOND);
	assert_in_range(most, 54 * SECOND, 60 * SECOND + 5);
	end(&l);
}

/* Three pages, whose markers have to be coded; all functions of all. */
static void
test_pages(void **state)
{
	struct region_function many[120];
	char names[120][16];
	struct lister l;

	(void)state;
	for (size_t i = 0; i < 120; i++) {
		snprintf(names[i], sizeof(names[i]), "f%03zu", i);
		many[i] = (struct region_function){ names[i], "1", NULL, 0,
			NULL };
	}
	region_has(many, 120);
	begin(&l);
	/* Functions at once. */
	while (l.listed == 0)
		pass(1);
	assert_int_equal(region.asked_count, 3);
	assert_int_equal(l.names, 240);
	assert_int_equal(l.open, 120);
	/* Their aliases, ten in a second, are told now and then. */
	pass(7 * SECOND);
	assert_int_equal(l.listed, 2);
	assert_in_range(l.open, 60, 90);
	pass(8 * SECOND);
	assert_int_equal(l.listed, 4);
	assert_int_equal(l.names, 240);
	assert_int_equal(l.open, 0);
	assert_string_equal(l.first, "f000");
	assert_string_equal(l.last, "f119:1");
	assert_int_equal(region.asked_count, 3 + 120);
	assert_non_null(strstr(region.asked.data,
		"functions?FunctionVersion=ALL&Marker=m%2B100&MaxItems=50\n"));
	end(&l);
}

static void
test_what_comes_and_goes(void **state)
{
	static const struct region_function later[] = {
		{ "hello", "2 3", "next", 0, NULL },
		{ "young", NULL, "live", 0, NULL },
	};
	struct lister l;

	(void)state;
	region_has(three, 3);
	begin(&l);
	pass(2 * SECOND);
	str_clear(&told);
	region_has(later, 2);
	pass_until_listed(&l);
	/* Functions and versions at once, with the aliases that are known; then
	 * with those that are there. */
	told_is("listed hello hello:2 hello:3 hello:live young ? young:*\n"
		"listed hello hello:2 hello:3 hello:next young young:live\n");
	end(&l);
}

/* What no function is called does not get into paths and lists. */
static void
test_odd_names(void **state)
{
	static const char *const cases[] = {
		"{\"Functions\":[{\"FunctionName\":\"a/../b\"},"
		"{\"FunctionName\":\"\"},{\"FunctionName\":7},7,null,"
		"{\"FunctionName\":\"a b\",\"Version\":\"1\"},"
		"{\"Version\":\"1\"},"
		"{\"FunctionName\":\"ok\",\"Version\":\"1/2\"}]}",
		"{\"Functions\":[{\"FunctionName\":\"ok\"},"
		"{\"FunctionName\":\"ok\",\"Version\":\"$LATEST\"}],"
		"\"NextMarker\":null}",
	};
	static const struct region_function ok[] = { { "ok", NULL,
		"a$ good a/b", 0, NULL } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct lister l;

		region_has(ok, 1);
		region.garbage = cases[i];
		begin(&l);
		pass(2 * SECOND);
		told_is("listed ok ? ok:*\nlisted ok ok:good\n");
		end(&l);
	}
}

/* A server that always has one page more: what it says is not all there is, so
 * what is known stays. */
static void
test_pages_without_end(void **state)
{
	static const struct region_function ok[] = { { "ok", NULL, NULL, 0,
		NULL } };
	struct lister l;

	(void)state;
	region_has(ok, 1);
	begin(&l);
	pass(10 * SECOND);
	told_is("listed ok ? ok:*\nlisted ok\n");
	region.garbage = "{\"Functions\":[],\"NextMarker\":\"m+0\"}";
	region.asked_count = 0;
	pass(70 * SECOND);
	assert_true(region.asked_count % 2 == 0 && region.asked_count > 0);
	told_is("listed ok ? *\n"
		"problem ListFunctions failed, what is known of functions "
		"stays: the answer is no list of functions\n");
	end(&l);
}

/* What nobody has room for is left out, and that is said. */
static void
test_more_than_are_kept(void **state)
{
	struct aws_listing *l = aws_listing_new();
	const char *const *open;
	char name[16];
	size_t count;

	(void)state;
	for (unsigned i = 0; i < AWS_FUNCTIONS_MAX; i++) {
		assert_false(aws_listing_is_cut(l));
		snprintf(name, sizeof(name), "f%u", i);
		aws_listing_add(l, name, "$LATEST");
	}
	aws_listing_add_alias(l, "live");
	aws_listing_aliases_end(l, 0);
	assert_false(aws_listing_is_cut(l));
	aws_listing_settle(l);
	assert_true(aws_listing_is_cut(l));
	aws_listing_names(l, &count);
	assert_int_equal(count, AWS_FUNCTIONS_MAX);
	/* Which those are is not known. */
	open = aws_listing_open(l, &count);
	assert_int_equal(count, 1);
	assert_string_equal(open[0], "*");
	aws_listing_clear(l);
	assert_false(aws_listing_is_cut(l));
	for (unsigned i = 0; i <= AWS_FUNCTIONS_MAX; i++) {
		snprintf(name, sizeof(name), "%u", i);
		aws_listing_add(l, "f", name);
	}
	assert_true(aws_listing_is_cut(l));
	assert_int_equal(aws_listing_count(l), 1);
	aws_listing_free(l);
}

/* ---- what goes wrong */

#define ORIGIN "https://lambda.us-east-2.amazonaws.com"

static void
test_not_permitted(void **state)
{
	struct lister l;
	size_t asked;

	(void)state;
	region_has(three, 3);
	region.list_status = 403;
	region.word = "AccessDeniedException";
	region.message = "User: arn:aws:iam::1:user/g is not authorized to "
			 "perform: lambda:ListFunctions (Request ID: "
			 "5f0c3e1a-77d1-4b3e-9a0c-0123456789ab)";
	begin(&l);
	pass(SECOND);
	told_is("problem lambda:ListFunctions is not permitted, so functions "
		"are not discovered as they should be (" ORIGIN
		" answered 403 AccessDeniedException: User: "
		"arn:aws:iam::1:user/g is not authorized to perform: "
		"lambda:ListFunctions (Request ID: "
		"5f0c3e1a-77d1-4b3e-9a0c-0123456789ab)): allow it, or take the "
		"label discovery.solo.io/function_discovery away\n");
	assert_int_equal(region.asked_count, 1);
	region.message = "User: arn:aws:iam::1:user/g is not authorized to "
			 "perform: lambda:ListFunctions (Request ID: "
			 "c0ffee00-aaaa-bbbb-cccc-f00dfaceca11)";
	/* It is told once, and asked as often as ever. */
	pass(10 * MINUTE);
	told_is("");
	asked = region.asked_count;
	assert_in_range(asked, 10, 22);
	assert_int_equal(l.counts.failed, asked);
	region.list_status = 0;
	pass_until_listed(&l);
	told_is(THREE_SOON THREE_TOLD "problem -\n");
	end(&l);
}

#define NO_ALIASES                                                             \
	"problem lambda:ListAliases is not permitted, so functions are not "   \
	"discovered as they should be (" ORIGIN                                \
	" answered 403 AccessDenied: no): allow it, or take the label "        \
	"discovery.solo.io/function_discovery away\n"

static void
test_aliases_are_not_permitted(void **state)
{
	struct lister l;

	(void)state;
	region_has(three, 3);
	region.alias_status = 403;
	region.word = "AccessDenied";
	region.message = "no";
	begin(&l);
	pass(2 * SECOND);
	told_is(THREE_SOON NO_ALIASES);
	asked_is(LIST ALIAS("hello") ALIAS("a-b_C9") ALIAS("zoo"));
	region.alias_status = 0;
	pass_until_listed(&l);
	told_is(THREE_TOLD "problem -\n");
	/* Not any more: those that were known may not be all. */
	region.alias_status = 403;
	pass_until_listed(&l);
	told_is(THREE_FULL " ? hello:* a-b_C9:* zoo:*\n" NO_ALIASES);
	end(&l);
}

/* Of one function alone: the others' are known. */
static void
test_aliases_of_one_are_not_permitted(void **state)
{
	static const struct region_function one[] = {
		{ "hello", NULL, NULL, 403, "AccessDenied" },
		{ "zoo", NULL, "live", 0, NULL },
	};
	struct lister l;

	(void)state;
	region_has(one, 2);
	begin(&l);
	pass(2 * SECOND);
	told_is("listed hello zoo ? hello:* zoo:*\n"
		"listed hello zoo zoo:live ? hello:*\n" NO_ALIASES);
	asked_is(LIST ALIAS("hello") ALIAS("zoo"));
	end(&l);
}

/* Of all, as it seems: a few are asked. */
static void
test_aliases_are_never_permitted(void **state)
{
	struct region_function many[7];
	static const char *const names[] = { "a", "b", "c", "d", "e", "f",
		"g" };
	struct lister l;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (struct region_function){ names[i], NULL, "live",
			i == 0 ? 0 : 403, "AccessDenied" };
	region_has(many, ARRAY_SIZE(many));
	begin(&l);
	pass(2 * SECOND);
	told_is("listed a b c d e f g ? a:* b:* c:* d:* e:* f:* g:*\n"
		"listed a a:live b c d e f g ? b:* c:* d:* e:* f:* "
		"g:*\n" NO_ALIASES);
	asked_is(LIST ALIAS("a") ALIAS("b") ALIAS("c") ALIAS("d") ALIAS("e")
			ALIAS("f"));
	end(&l);
}

/* Of a pass that does not get through nothing is told but that. */
static void
test_what_was_known_stays(void **state)
{
	static const struct region_function other[] = { { "x", NULL, NULL, 0,
		NULL } };
	struct lister l;
	size_t count;

	(void)state;
	region_has(three, 3);
	begin(&l);
	pass(2 * SECOND);
	told_is(THREE_SOON THREE_TOLD);
	region_has(other, 1);
	region.down = true;
	pass(5 * MINUTE);
	/* There may be others by now. */
	told_is(THREE_FULL
		" ? *\n"
		"problem ListFunctions failed, what is known of functions "
		"stays: https://lambda: connection refused\n");
	aws_functions_names(l.functions, &count);
	assert_int_equal(count, 9);
	region.down = false;
	region.list_status = 500;
	region.word = "ServiceException";
	region.message = "an internal error";
	pass(10 * MINUTE);
	told_is("problem ListFunctions failed, what is known of functions "
		"stays: " ORIGIN " answered 500 ServiceException: an internal "
		"error\n");
	region.list_status = 0;
	region.garbage = "{\"Functions\":{}}";
	pass(10 * MINUTE);
	told_is("problem ListFunctions failed, what is known of functions "
		"stays: the answer is no list of functions\n");
	region.garbage = "<html>";
	pass(10 * MINUTE);
	told_is("");
	region.garbage = NULL;
	pass_until_listed(&l);
	told_is("listed x ? x:*\nlisted x\nproblem -\n");
	end(&l);
}

/* In the first pass: nobody says that those which an earlier run knew are gone.
 */
static void
test_aliases_fail_at_first(void **state)
{
	struct lister l;

	(void)state;
	region_has(three, 3);
	region.alias_status = 503;
	region.word = NULL;
	region.message = "later";
	begin(&l);
	pass(3 * MINUTE);
	told_is(THREE_SOON
		"problem ListAliases failed, what is known of functions "
		"stays: " ORIGIN " answered 503: later\n");
	/* Perhaps in the middle of a pass. */
	region.alias_status = 0;
	pass_until_listed(&l);
	assert_string_equal(l.line, THREE_TOLD);
	assert_non_null(strstr(told.data, "problem -\n"));
	str_clear(&told);
	end(&l);
}

/* Those that were asked for before are known. */
static void
test_aliases_fail_in_the_middle(void **state)
{
	struct lister l;

	(void)state;
	region_has(three, 3);
	begin(&l);
	while (region.asked_count < 3)
		pass(1);
	region.alias_status = 503;
	region.message = "later";
	while (strstr(told.data, "problem") == NULL)
		pass(10);
	told_is(THREE_SOON
		"listed a-b_C9 hello hello:1 hello:2 hello:live zoo zoo:7 ? "
		"a-b_C9:* zoo:*\n"
		"problem ListAliases failed, what is known of functions "
		"stays: " ORIGIN " answered 503: later\n");
	end(&l);
}

/* What the last pass read of those behind is known. */
static void
test_aliases_fail_later(void **state)
{
	struct lister l;

	(void)state;
	region_has(three, 3);
	begin(&l);
	pass(2 * SECOND);
	told_is(THREE_SOON THREE_TOLD);
	region.alias_status = 503;
	region.message = "later";
	pass(3 * MINUTE);
	told_is("problem ListAliases failed, what is known of functions "
		"stays: " ORIGIN " answered 503: later\n");
	end(&l);
}

/* Nobody who waits for one waits for all. */
static void
test_wanted_first(void **state)
{
	struct lister l;

	(void)state;
	region_has(three, 3);
	begin(&l);
	l.wanted = "zoo";
	pass(2 * SECOND);
	told_is(THREE_NAMES
		" ? zoo:* hello:* a-b_C9:*\n" THREE_NAMES
		" zoo:beta zoo:live ? hello:* a-b_C9:*\n" THREE_TOLD);
	asked_is(LIST ALIAS("zoo") ALIAS("hello") ALIAS("a-b_C9"));
	end(&l);
}

static void
test_a_function_that_goes_meanwhile(void **state)
{
	struct lister l;

	(void)state;
	region_has(three, 3);
	begin(&l);
	while (region.asked_count < 2)
		pass(1);
	region_has(three, 1);
	pass(2 * SECOND);
	told_is(THREE_SOON "listed a-b_C9 hello hello:1 hello:2 hello:live zoo "
			   "zoo:7\n");
	end(&l);
}

/* ---- throttled */

static void
test_throttled(void **state)
{
	struct lister l;
	uint64_t begun;

	(void)state;
	region_has(three, 3);
	region.throttles = 3;
	region.headers = "Retry-After: 7\n";
	begin(&l);
	while (region.asked_count == 0)
		pass(1);
	begun = fake_now_ms;
	while (l.counts.passes == 0)
		pass(100);
	/* Not sooner than it asked for, each time; nothing was lost. */
	assert_in_range(fake_now_ms - begun, 21 * SECOND, 50 * SECOND);
	told_is(THREE_SOON THREE_TOLD);
	asked_is(LIST LIST LIST LIST ALIAS("hello") ALIAS("a-b_C9")
			ALIAS("zoo"));
	assert_int_equal(l.counts.throttled, 3);
	assert_int_equal(l.counts.failed, 0);
	end(&l);
}

/* It does not ask again and again while nobody lets it. */
static void
test_throttled_without_end(void **state)
{
	struct lister l;
	size_t asked;

	(void)state;
	region_has(three, 3);
	region.throttles = UINT32_MAX;
	begin(&l);
	pass(60 * MINUTE);
	told_is("problem ListFunctions failed, what is known of functions "
		"stays: " ORIGIN " answered 429 TooManyRequestsException: Rate "
		"exceeded\n");
	asked = region.asked_count;
	/* passes of 6 questions, each 240 to 480 s and more */
	assert_in_range(asked, 30, 120);
	assert_int_equal(l.counts.throttled, asked);
	region.throttles = 0;
	pass_until_listed(&l);
	told_is(THREE_SOON THREE_TOLD "problem -\n");
	/* Then as before. */
	pass(10 * MINUTE);
	assert_in_range(l.counts.passes, 9, 21);
	end(&l);
}

/* ---- credentials and clocks */

static void
test_credentials_that_are_not_taken(void **state)
{
	struct lister l;

	(void)state;
	region_has(three, 3);
	region.list_status = 403;
	region.word = "ExpiredTokenException";
	region.message = "The security token included in the request is "
			 "expired: " REGION_TOKEN;
	begin(&l);
	pass(SECOND);
	assert_int_equal(l.refused, 1);
	/* What AWS says then may have in it what was signed. */
	told_is("problem ListFunctions failed, what is known of functions "
		"stays: " ORIGIN " answered 403 ExpiredTokenException\n");
	region.list_status = 0;
	/* Others came: it does not wait for its time. */
	aws_functions_wake(l.functions);
	pass(2 * SECOND);
	told_is(THREE_SOON THREE_TOLD "problem -\n");
	/* When all is well others change nothing. */
	aws_functions_wake(l.functions);
	pass(2 * SECOND);
	assert_int_equal(l.counts.passes, 1);
	end(&l);
}

static void
test_without_credentials(void **state)
{
	struct lister l;

	(void)state;
	region_has(three, 3);
	begin(&l);
	aws_credentials_fini(&l.credentials);
	pass(10 * MINUTE);
	assert_int_equal(region.asked_count, 0);
	told_is("");
	aws_credentials_copy(&l.credentials, &region_credentials);
	aws_functions_wake(l.functions);
	pass(2 * SECOND);
	told_is(THREE_SOON THREE_TOLD);
	end(&l);
}

/* Ours is ten minutes slow, or fast: one question more, once. */
static void
test_a_clock_that_is_off(void **state)
{
	static const int64_t ahead_ms[] = { 10 * MINUTE, -10 * MINUTE,
		100 * MINUTE };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ahead_ms); i++) {
		struct lister l;

		region_has(three, 1);
		region.ahead_ms = ahead_ms[i];
		begin(&l);
		pass(2 * SECOND);
		told_is("listed hello hello:1 hello:2 ? hello:*\n"
			"listed hello hello:1 hello:2 hello:live\n");
		asked_is(LIST LIST ALIAS("hello"));
		assert_int_equal(aws_api_asked(l.api), 3);
		assert_int_equal(l.refused, 0);
		end(&l);
	}
}

static void
test_shown(void **state)
{
	struct doc *d = doc_new_map();
	struct lister l;
	struct str text;

	(void)state;
	str_init(&text);
	region_has(three, 3);
	begin(&l);
	pass(2 * SECOND);
	region.list_status = 403;
	region.word = "AccessDenied";
	region.message = "no";
	pass(60 * SECOND);
	aws_functions_show(l.functions, d);
	assert_int_equal(doc_get_integer(d, "count"), 9);
	assert_in_range(doc_get_integer(d, "ageSeconds"), 59, 62);
	assert_non_null(doc_get_string(d, "listedAt"));
	assert_in_range(doc_get_integer(d, "listedAgainInMs"), 1, 60 * SECOND);
	assert_non_null(strstr(doc_get_text(d, "problem"),
		"lambda:ListFunctions is not permitted"));
	doc_free(d);
	str_fini(&text);
	end(&l);
}

/* Given up in the middle of whatever it does. */
static void
test_ends_at_any_time(void **state)
{
	(void)state;
	for (uint64_t ms = 0; ms < 40 * SECOND; ms += 37) {
		struct lister l;

		region_has(three, 3);
		region.throttles = ms % 3;
		begin(&l);
		pass(ms);
		end(&l);
		assert_null(region.calls);
	}
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, region_begin, region_end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_names_versions_aliases),
		TEST(test_none),
		TEST(test_again_and_again),
		TEST(test_pages),
		TEST(test_what_comes_and_goes),
		TEST(test_odd_names),
		TEST(test_pages_without_end),
		TEST(test_more_than_are_kept),
		TEST(test_not_permitted),
		TEST(test_aliases_are_not_permitted),
		TEST(test_aliases_of_one_are_not_permitted),
		TEST(test_aliases_are_never_permitted),
		TEST(test_what_was_known_stays),
		TEST(test_aliases_fail_at_first),
		TEST(test_aliases_fail_in_the_middle),
		TEST(test_aliases_fail_later),
		TEST(test_wanted_first),
		TEST(test_a_function_that_goes_meanwhile),
		TEST(test_throttled),
		TEST(test_throttled_without_end),
		TEST(test_credentials_that_are_not_taken),
		TEST(test_without_credentials),
		TEST(test_a_clock_that_is_off),
		TEST(test_shown),
		TEST(test_ends_at_any_time),
	};

	return cmocka_run_group_tests(tests, told_setup, told_teardown);
}
