/* A reflector and the bytes that come: large ones, what cannot be read, streams
 * in pieces, and a server at random. */
#include "kubernetes_reflector_world.h"

/* ---- bytes */

static void
test_any_chunks(void **state)
{
	static const char body[] = EVENT("ADDED",
		"{\"a\":\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98"
		"\x80\"," META("\xc3\xb6", "1") "}") INITIAL_END("2");
	static const struct replay_line script[] = {
		{ "sendInitialEvents", 200, NULL, body, 1, HELD_MS, 0, NULL },
		WATCH_FOREVER("2"),
		END,
	};

	play(*state, script, "d/\xc3\xb6@1");
}

/* An event with an object of so many bytes; caller frees. */
static char *
large_event(const char *name, const char *version, size_t bytes)
{
	char *filler = xmalloc(bytes + 1), *text;

	memset(filler, 'x', bytes);
	filler[bytes] = '\0';
	text = xasprintf(
		"{\"type\":\"ADDED\",\"object\":{\"data\":\"%s\",\"metadata\":{"
		"\"name\":\"%s\",\"namespace\":\"d\",\"resourceVersion\":"
		"\"%s\"}}}\n",
		filler, name, version);
	free(filler);
	return text;
}

static void
test_large_objects(void **state)
{
	char *two = large_event("two", "11", 2u << 20);
	char *five = large_event("five", "12", 5u << 20);
	char *body = xasprintf("%s%s%s", two, five, ADDED("b", "13"));
	const struct replay_line script[] = {
		LISTED(OBJECT("a", "1")),
		WATCH("10", body, HELD_MS),
		/* Something may have been missed: the whole set, once. */
		ANSWER("resourceVersion=13 !watch=", 200,
			LIST("20", OBJECT("a", "1") "," OBJECT(
					   "two", "11") "," OBJECT("b", "13"))),
		WATCH("20", BOOKMARK("21"), HELD_MS),
		WATCH_FOREVER("21"),
		END,
	};
	struct world *w = *state;

	play(w, script, "d/a@1 d/b@13 d/two@11");
	assert_int_equal(counts_of(w).skipped, 1);
	free(two);
	free(five);
	free(body);
}

/* The name of what cannot be read is had another way: what else is missing is
 * gone, and no list follows. */
static void
test_unreadable_objects_keep_themselves(void **state)
{
	static const struct replay_line script[] = {
		LISTED(OBJECT("a", "1") "," OBJECT("b", "2") "," OBJECT(
			"c", "3")),
		WATCH("10", EVENT("ERROR", EXPIRED), REPLAY_FOREVER),
		ANSWER("resourceVersion=10", 200,
			LIST("20",
				OBJECT("a", "1") ",{" META("b",
					"9") ",\"spec\":\"\xff\"},{" META("n",
					"9") ",\"spec\":\"\\u0000\"}")),
		WATCH("20", BOOKMARK("21"), HELD_MS),
		WATCH("21",
			EVENT("MODIFIED",
				"{" META("a", "22") ",\"spec\":\"\xff\"}")
				CHANGED("n", "23"),
			HELD_MS),
		/* Both are gone: all is known again without a list. */
		WATCH("23",
			EVENT("DELETED",
				"{" META("b", "24") ",\"spec\":\"\xff\"}")
				DELETED("a", "25"),
			HELD_MS),
		WATCH_FOREVER("25"),
		END,
	};
	struct world *w = *state;

	play(w, script, "d/n@23");
	said_has(w, "current settled -d/c settled-in-part "
		    "+d/n@23 -d/b -d/a settled ");
}

/* What cannot be read in a list may be one of those that are known: none is
 * said to be gone by it. */
static void
test_unreadable_members_keep_what_is_known(void **state)
{
	static const struct replay_line script[] = {
		LISTED(OBJECT("a", "1") "," OBJECT("b", "2")),
		WATCH("10", EVENT("ERROR", EXPIRED), REPLAY_FOREVER),
		ANSWER("resourceVersion=10", 200,
			LIST("20", OBJECT("a", "3") ",{\"metadata\":{\"name\":"
						    "\"b\xff\"}}")),
		WATCH("20", BOOKMARK("21"), HELD_MS),
		/* So the whole set is asked for again. */
		ANSWER("resourceVersion=21 !watch=", 200,
			LIST("30", OBJECT("a", "3"))),
		WATCH_FOREVER("30"),
		END,
	};
	struct world *w = *state;

	begin(w, script);
	reach(w, 5, "d/a@3 d/b@2");
	reach(w, 7, "d/a@3");
	said_has(w, "current settled +d/a@3 settled-in-part "
		    "-d/b settled ");
}

static void
test_hostile_events(void **state)
{
	static const char body[] =
		"null\n7\n\"x\"\n[]\n{}\n{\"type\":7}\n"
		"{\"type\":\"ADDED\"}\n"
		"{\"type\":\"ADDED\",\"object\":null}\n"
		"{\"type\":\"ADDED\",\"object\":{\"metadata\":null}}\n"
		"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":"
		"\"a\\u0000b\"}}}\n"
		"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":"
		"\"\xff\xfe\"}}}\n"
		"{\"type\":\"DELETED\",\"object\":{\"metadata\":{\"name\":7}}}"
		"\n"
		"{\"type\":\"BOOKMARK\"}\n"
		"{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{"
		"\"resourceVersion\":12}}}\n"
		"{\"type\":\"OTHER\",\"object\":{}}\n" ADDED("b", "13");
	static const struct replay_line script[] = {
		LISTED(OBJECT("a", "1")),
		WATCH("10", body, REPLAY_FOREVER),
		END,
	};
	struct world *w = *state;

	play(w, script, "d/a@1 d/b@13");
	assert_int_equal(counts_of(w).skipped, 13);
}

static void
test_a_stream_that_is_no_json(void **state)
{
	static const struct replay_line script[] = {
		LISTED(OBJECT("a", "1")),
		WATCH("10", ADDED("b", "11") "<html>", REPLAY_FOREVER),
		WATCH("11", ADDED("c", "12"), REPLAY_FOREVER),
		END,
	};

	play(*state, script, "d/a@1 d/b@11 d/c@12");
}

/* ---- churn */

/*
 * A server with objects that change at random and answers that fail at random,
 * in all ways above. In the end it is well, and what was told is what it has.
 */
struct server {
	uint64_t seed;
	unsigned version;    /* the last one */
	unsigned compacted;  /* what is older is expired */
	unsigned at[8];      /* of each object; 0: it is not there */
	unsigned past[4096]; /* which object a version changed */
	bool deletion[4096];
	size_t lists, answers;
	struct str body;
	bool well;
};

static struct server server;

static unsigned
chance(unsigned below)
{
	server.seed = hash_bytes(&server.seed, sizeof(server.seed), 1);
	return (unsigned)(server.seed % below);
}

static void
server_change(void)
{
	unsigned i = chance(8);

	if (server.version + 1 >= 4096)
		return;
	server.version++;
	server.past[server.version] = i;
	server.deletion[server.version] = server.at[i] != 0 && chance(3) == 0;
	server.at[i] = server.deletion[server.version] ? 0 : server.version;
}

static void
object_put(unsigned i, unsigned version)
{
	str_printf(&server.body, OBJECT("o%u", "%u"), i, version);
}

static void
server_list(void)
{
	bool first = true;

	str_printf(&server.body,
		"{\"metadata\":{\"resourceVersion\":\"%u\"},\"items\":[",
		server.version);
	for (unsigned i = 0; i < 8; i++) {
		if (server.at[i] == 0)
			continue;
		if (!first)
			str_putc(&server.body, ',');
		first = false;
		object_put(i, server.at[i]);
	}
	str_puts(&server.body, "]}");
}

static void
event_put(unsigned version)
{
	str_printf(&server.body, "{\"type\":\"%s\",\"object\":",
		server.deletion[version] ? "DELETED" : "MODIFIED");
	object_put(server.past[version], version);
	str_puts(&server.body, "}\n");
}

static struct replay_line
server_fail(void)
{
	static const struct replay_line failures[] = {
		ANSWER("", 0, NULL),
		ANSWER("", 500, "etcd"),
		ANSWER_WITH("", 429, "Retry-After: 1\r\n", ""),
		ANSWER("", 403, STATUS(403, "Forbidden", "no")),
		ANSWER("", 401, ""),
		TORN("", "{\"metadata\":{}", 3),
		ANSWER("", 200, ""),
		ANSWER("", 504, TOO_LARGE),
		ANSWER("", 410, EXPIRED),
		ANSWER("", 404, TEXT_404),
	};

	return failures[chance(ARRAY_SIZE(failures))];
}

static struct replay_line
server_watch(const char *head)
{
	static const uint64_t times[] = { 1, HELD_MS };
	const char *at = strstr(head, "&resourceVersion=");
	unsigned from = at == NULL ? 0 : (unsigned)atoi(at + 17);
	struct replay_line line = ANSWER("", 200, NULL);

	if (from < server.compacted) {
		str_puts(&server.body, EVENT("ERROR", EXPIRED));
	} else {
		for (unsigned v = from + 1; v <= server.version; v++)
			event_put(v);
		if (server.well || chance(2) == 0)
			str_printf(
				&server.body, BOOKMARK("%u"), server.version);
	}
	line.open_ms = server.well ? REPLAY_FOREVER : times[chance(2)];
	line.torn = !server.well && chance(3) == 0;
	if (line.torn && chance(2) == 0)
		str_puts(&server.body, "{\"type\":\"MODI");
	line.chunk = chance(2) * (1 + chance(50));
	return line;
}

static struct replay_line
server_answer(const char *head, void *arg)
{
	struct replay_line line = ANSWER("", 200, NULL);

	(void)arg;
	server.answers++;
	str_clear(&server.body);
	if (!server.well) {
		for (unsigned i = chance(4); i > 0; i--)
			server_change();
		if (chance(20) == 0)
			server.compacted = server.version;
		if (chance(4) == 0)
			return server_fail();
	}
	if (strstr(head, "sendInitialEvents") != NULL) {
		line.status = 422;
	} else if (strstr(head, "watch=1") != NULL) {
		line = server_watch(head);
	} else if (strstr(head, "endpointslices") != NULL) {
		server.lists++;
		server_list();
	} else {
		line.status = 503;
	}
	line.body = server.body.data;
	return line;
}

static bool
server_has_answered(void *arg)
{
	(void)arg;
	return server.answers >= 200;
}

static bool
sets_are_the_same(void *arg)
{
	struct world *w = arg;

	for (unsigned i = 0; i < 8; i++) {
		char *key = xasprintf("d/o%u", i);
		const char *have = table_get(w->objects, key);
		bool same = have == NULL ? server.at[i] == 0
					 : (unsigned)atoi(have) == server.at[i];

		free(key);
		if (!same)
			return false;
	}
	return true;
}

static void
test_churn(void **state)
{
	static const struct replay_line script[] = { END };
	struct world *w = *state;

	w->times.short_watch = 5;
	w->times.backoff_max = 8;
	memset(&server, 0, sizeof(server));
	server.seed = clock_monotonic_us();
	printf("seed %llu\n", (unsigned long long)server.seed);
	str_init(&server.body);
	begin(w, script);
	replay_then(w->replay, server_answer);
	assert_true(run_for(w->loop, 60000, server_has_answered, w));
	server.well = true;
	assert_true(run_for(w->loop, WAIT_MS, sets_are_the_same, w));
	assert_true(server.version > 50);
	str_fini(&server.body);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(test_any_chunks),
		T(test_large_objects),
		T(test_unreadable_objects_keep_themselves),
		T(test_unreadable_members_keep_what_is_known),
		T(test_hostile_events),
		T(test_a_stream_that_is_no_json),
		T(test_churn),
	};

	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
