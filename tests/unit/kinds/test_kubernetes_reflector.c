/*
 * Tests userspace/kinds/kubernetes/reflector.c against a scripted API server
 * (tests/lib/replay.h): what a server answers, request by request, which
 * requests come, and that the set that is told is the server's.
 */
#include "kubernetes_world.h"

#include "base/clock.h"
#include "base/doc.h"
#include "base/table.h"
#include "kinds/kubernetes/reflector.h"
#include "net/http_client.h"
#include "tests/lib/replay.h"

#define META(name, version)                                                    \
	"\"metadata\":{\"name\":\"" name                                       \
	"\",\"namespace\":\"d\",\"resourceVersion\":\"" version "\"}"
#define OBJECT(name, version) "{" META(name, version) "}"
#define LIST_PAGE(version, more, items)                                        \
	"{\"kind\":\"List\",\"metadata\":{\"resourceVersion\":\"" version      \
	"\",\"continue\":\"" more "\",\"remainingItemCount\":1},"              \
	"\"items\":[" items "]}"
#define LIST(version, items)  LIST_PAGE(version, "", items)
#define EVENT(type, object)   "{\"type\":\"" type "\",\"object\":" object "}\n"
#define ADDED(name, version)  EVENT("ADDED", OBJECT(name, version))
#define CHANGED(name, version) EVENT("MODIFIED", OBJECT(name, version))
#define DELETED(name, version) EVENT("DELETED", OBJECT(name, version))
#define BOOKMARK(version)                                                      \
	EVENT("BOOKMARK", "{\"kind\":\"EndpointSlice\",\"metadata\":{"         \
			  "\"resourceVersion\":\"" version                     \
			  "\"},\"endpoints\":null,\"ports\":null}")
#define INITIAL_END(version)                                                   \
	EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"" version      \
			  "\",\"annotations\":{\"k8s.io/initial-events-end\":" \
			  "\"true\"}}}")
#define STATUS(code, reason, message)                                          \
	"{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\","   \
	"\"message\":\"" message "\",\"reason\":\"" reason                     \
	"\",\"metadata\":{\"continue\":\"rest\"},\"code\":" #code "}"
#define TOO_LARGE                                                              \
	"{\"kind\":\"Status\",\"message\":\"Too large resource version\","     \
	"\"reason\":\"Timeout\",\"code\":504,\"details\":{\"causes\":["        \
	"{\"reason\":\"ResourceVersionTooLarge\"}],\"retryAfterSeconds\":1}}"
#define TEXT_404 "404 page not found\n"

#define EXPIRED STATUS(410, "Expired", "too old resource version: 10 (99)")

/* The ways in which scripts begin and end. */
#define NO_WATCHLIST                                                           \
	{ "sendInitialEvents=true resourceVersionMatch=NotOlderThan "          \
	  "allowWatchBookmarks=true watch=1",                                  \
		422, NULL, STATUS(422, "Invalid", "forbidden for watch"), 0,   \
		0, 0, NULL }
#define FIRST_LIST(version, items)                                             \
	{ "limit=500 resourceVersion=0 !watch= !continue=", 200, NULL,         \
		LIST(version, items), 0, 0, 0, NULL }
#define WATCH(version, events, ms)                                             \
	{ "watch=1 !sendInitialEvents allowWatchBookmarks=true "               \
	  "timeoutSeconds= resourceVersion=" version,                          \
		200, NULL, events, 0, ms, 0, NULL }
#define WATCH_FOREVER(version) WATCH(version, NULL, REPLAY_FOREVER)
#define END                                                                    \
	{ NULL, 0, NULL, NULL, 0, 0, 0, NULL }

#define SHORT_MS 30 /* a watch that is shorter is an error */
#define HELD_MS  60 /* this one is not */

struct world {
	struct loop *loop;
	struct http_client *http;
	struct kubernetes_account *account;
	struct kubernetes_api *api;
	struct replay *replay;
	struct kubernetes_reflector *reflector;
	struct kubernetes_times times;
	struct table *objects; /* "d/a" to its version */
	struct str said;       /* "+d/a@1 -d/b current settled " */
	char *reason;
	char version[16]; /* of the last object */
	/* what is waited for */
	const char *set;
	size_t requests;
};

static const char *const both_versions[] = { "v1", "v1beta1", NULL };

/* ---- what the reflector says */

static void
on_put(const struct doc *object, const char *version, void *arg)
{
	struct world *w = arg;
	const struct doc *meta = doc_get(object, "metadata");
	const char *at = doc_get_text(meta, "resourceVersion");
	char *key = xasprintf("%s/%s", doc_get_text(meta, "namespace"),
		doc_get_text(meta, "name"));

	str_printf(&w->said, "+%s@%s ", key, at);
	table_set(w->objects, key, xstrdup(at));
	snprintf(w->version, sizeof(w->version), "%s", version);
	free(key);
}

static void
on_gone(const char *ns, const char *name, void *arg)
{
	struct world *w = arg;
	char *key = xasprintf("%s/%s", ns, name);

	str_printf(&w->said, "-%s ", key);
	assert_true(table_remove(w->objects, key));
	free(key);
}

static void
on_settled(bool whole, void *arg)
{
	struct world *w = arg;

	str_puts(&w->said, whole ? "settled " : "settled-in-part ");
}

static void
on_state(enum kubernetes_state state, const char *reason, void *arg)
{
	static const char *const words[] = { "beginning", "current", "stale",
		"forbidden", "absent" };
	struct world *w = arg;

	str_printf(&w->said, "%s ", words[state]);
	free(w->reason);
	w->reason = xstrdup(reason);
}

static const struct kubernetes_reflector_events events = { on_put, on_gone,
	on_settled, on_state };

static int
text_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "d/a@1 d/b@7": all objects; caller frees. */
static char *
set_print(const struct world *w)
{
	char **all = xcalloc(table_count(w->objects) + 1, sizeof(*all));
	size_t place = 0, count = 0;
	const char *key;
	struct str s;
	void *value;

	while (table_next(w->objects, &place, &key, &value))
		all[count++] = xasprintf("%s@%s", key, (char *)value);
	qsort(all, count, sizeof(*all), text_compare);
	str_init(&s);
	for (size_t i = 0; i < count; i++) {
		str_printf(&s, "%s%s", i > 0 ? " " : "", all[i]);
		free(all[i]);
	}
	free(all);
	return str_steal(&s);
}

/* ---- the world */

static int
set_up(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));

	w->loop = loop_new();
	w->http = http_client_new(w->loop);
	w->objects = table_new(free);
	str_init(&w->said);
	w->times = (struct kubernetes_times){
		.backoff_min = 4,
		.backoff_max = 20,
		.backoff_reset = 120000,
		.absent = 40,
		.short_watch = SHORT_MS,
		.head = 10000,
		.watch_min = 60000,
		.watch_max = 60000,
		.watch_grace = 10000,
		.list_idle = 10000,
		.list_total = 20000,
		.initial_idle = 10000,
	};
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	kubernetes_reflector_free(w->reflector);
	kubernetes_api_free(w->api);
	kubernetes_account_close(w->account);
	http_client_free(w->http);
	replay_free(w->replay);
	loop_free(w->loop);
	table_free(w->objects);
	str_fini(&w->said);
	free(w->reason);
	free(w);
	return 0;
}

static void
begin_collection(struct world *w, const struct replay_line *script,
	struct kubernetes_collection c)
{
	struct error err = ERROR_INIT;

	w->replay = replay_new(w->loop, script, w);
	file_write("token", "one");
	file_write("config",
		"current-context: x\n"
		"contexts: [{name: x, context: {cluster: c, user: u}}]\n"
		"clusters: [{name: c, cluster: {server: "
		"'http://127.0.0.1:%u'}}]\n"
		"users: [{name: u, user: {tokenFile: token}}]\n",
		replay_port(w->replay));
	w->account = kubernetes_account_open(w->loop,
		&(struct kubernetes_account_options){ .kubeconfig = "config",
			.folder = folder,
			.insecure = true },
		&err);
	if (w->account == NULL)
		fail_msg("%s", err.text);
	w->api = kubernetes_api_new(w->loop, w->http, w->account);
	kubernetes_api_set_pace(
		w->api, &(struct kubernetes_pace){ 1, 100, 10 });
	c.times = &w->times;
	w->reflector = kubernetes_reflector_new(w->api, &c, &events, w);
}

static void
begin(struct world *w, const struct replay_line *script)
{
	begin_collection(w, script,
		(struct kubernetes_collection){
			.group = "discovery.k8s.io",
			.versions = both_versions,
			.plural = "endpointslices",
		});
}

static bool
is_reached(void *arg)
{
	struct world *w = arg;
	bool same = true;
	char *set;

	if (replay_count(w->replay) < w->requests)
		return false;
	if (w->set != NULL) {
		set = set_print(w);
		same = strcmp(set, w->set) == 0;
		free(set);
	}
	return same;
}

/* Runs until so many requests have come and the set is that. */
static void
reach(struct world *w, size_t requests, const char *set)
{
	char *have;

	w->requests = requests;
	w->set = set;
	if (run_for(w->loop, WAIT_MS, is_reached, w))
		return;
	have = set_print(w);
	fail_msg("%zu requests instead of %zu, set \"%s\" instead of \"%s\"; "
		 "said: %s; the last request: %s",
		replay_count(w->replay), requests, have, set, w->said.data,
		replay_head(w->replay, replay_count(w->replay) - 1));
}

static void
play(struct world *w, const struct replay_line *script, const char *set)
{
	size_t count = 0;

	while (script[count].asked != NULL)
		count++;
	begin(w, script);
	reach(w, count, set);
}

static bool
has_said(const struct world *w, const char *text)
{
	return strstr(w->said.data, text) != NULL;
}

static void
expect_reason(const struct world *w, const char *part)
{
	if (w->reason == NULL || strstr(w->reason, part) == NULL)
		fail_msg("\"%s\" is not in: %s", part,
			w->reason == NULL ? "nothing" : w->reason);
}

/* ---- list and watch */

static void
test_list_then_watch(void **state)
{
	static const struct replay_line script[] = {
		NO_WATCHLIST,
		FIRST_LIST("10", OBJECT("a", "5") "," OBJECT("b", "7")),
		WATCH("10",
			ADDED("c", "11") CHANGED("a", "12") DELETED("b", "13")
				BOOKMARK("20"),
			HELD_MS),
		/* The normal end of a watch: on from the bookmark, no list. */
		WATCH("20", CHANGED("c", "21"), HELD_MS),
		WATCH_FOREVER("21"),
		END,
	};
	struct kubernetes_reflector_counts counts;
	struct world *w = *state;

	play(w, script, "d/a@12 d/c@21");
	assert_non_null(strstr(replay_head(w->replay, 0),
		"GET /apis/discovery.k8s.io/v1/endpointslices?"));
	assert_non_null(strstr(
		replay_head(w->replay, 0), "Authorization: Bearer one\r\n"));
	assert_true(has_said(w, "current settled +d/c@11 +d/a@12 -d/b "));
	assert_false(has_said(w, "stale"));
	assert_string_equal(w->version, "v1");
	kubernetes_reflector_counts(w->reflector, &counts);
	assert_int_equal(counts.lists, 2); /* the WatchList and the list */
	assert_int_equal(counts.watches, 3);
	assert_int_equal(counts.events, 4);
	assert_int_equal(counts.skipped, 0);
	assert_true(counts.last_event_ms > 0);
}

static void
test_selectors_and_namespace(void **state)
{
	static const struct replay_line script[] = {
		{ "/api/v1/namespaces/web/secrets?labelSelector=a%3Db%2Cc&"
		  "fieldSelector=type%3Dkubernetes.io%2Ftls&watch=1",
			422, NULL, STATUS(422, "Invalid", "no"), 0, 0, 0,
			NULL },
		{ "/api/v1/namespaces/web/secrets?labelSelector=a%3Db%2Cc&"
		  "fieldSelector=type%3Dkubernetes.io%2Ftls&limit=500",
			200, NULL, LIST("x/ 1&", ""), 0, 0, 0, NULL },
		/* Opaque: whatever it is, it comes back as it was. */
		WATCH_FOREVER("x%2F%201%26"),
		END,
	};
	static const char *const versions[] = { "v1", NULL };
	struct world *w = *state;

	begin_collection(w, script,
		(struct kubernetes_collection){
			.group = "",
			.versions = versions,
			.plural = "secrets",
			.ns = "web",
			.labels = "a=b,c",
			.fields = "type=kubernetes.io/tls",
		});
	reach(w, 3, "");
}

static void
test_pages(void **state)
{
	static const struct replay_line script[] = {
		NO_WATCHLIST,
		{ "limit=500 resourceVersion=0", 200, NULL,
			LIST_PAGE("10", "p+2", OBJECT("a", "1")), 0, 0, 0,
			NULL },
		{ "limit=500 continue=p%2B2 !resourceVersion", 200, NULL,
			LIST_PAGE("10", "p3", OBJECT("b", "2")), 0, 0, 0,
			NULL },
		{ "limit=500 continue=p3 !resourceVersion", 200, NULL,
			LIST("10", OBJECT("c", "3")), 0, 0, 0, NULL },
		WATCH_FOREVER("10"),
		END,
	};
	struct world *w = *state;

	play(w, script, "d/a@1 d/b@2 d/c@3");
	/* Nothing is said before all is there. */
	assert_non_null(strstr(w->said.data + 18, "current settled "));
	assert_null(strstr(strstr(w->said.data, "settled"), "+"));
}

static void
test_expired_continue(void **state)
{
	static const struct replay_line script[] = {
		NO_WATCHLIST,
		{ "limit=500 resourceVersion=0", 200, NULL,
			LIST_PAGE("10", "p2", OBJECT("a", "1")), 0, 0, 0,
			NULL },
		{ "continue=p2", 410, NULL,
			STATUS(410, "Expired", "continue is too old"), 0, 0, 0,
			NULL },
		{ "resourceVersion=0 !limit= !continue=", 200, NULL,
			LIST("20", OBJECT("b", "2")), 0, 0, 0, NULL },
		WATCH_FOREVER("20"),
		END,
	};
	struct world *w = *state;

	play(w, script, "d/b@2");
	/* What came with the first page was dropped. */
	assert_string_equal(w->said.data, "+d/b@2 current settled ");
}

static void
test_expired_watch_by_status(void **state)
{
	static const struct replay_line script[] = {
		NO_WATCHLIST,
		FIRST_LIST("10", OBJECT("a", "1") "," OBJECT("b", "2")),
		WATCH("10", ADDED("c", "3"), HELD_MS),
		{ "watch=1 resourceVersion=3", 410, NULL, EXPIRED, 0, 0, 0,
			NULL },
		/* At the last version first, without a limit; then of now. */
		{ "resourceVersion=3 !limit= !watch=", 410, NULL, EXPIRED, 0, 0,
			0, NULL },
		{ "limit=500 !resourceVersion !watch=", 200, NULL,
			LIST("30", OBJECT("a", "1") "," OBJECT("c", "9")), 0, 0,
			0, NULL },
		WATCH_FOREVER("30"),
		END,
	};
	struct world *w = *state;

	play(w, script, "d/a@1 d/c@9");
	/* Only the difference, and never empty. */
	assert_true(has_said(w, "+d/c@3 +d/c@9 -d/b settled "));
	assert_false(has_said(w, "stale"));
}

static void
test_expired_watch_within_the_stream(void **state)
{
	static const struct replay_line script[] = {
		NO_WATCHLIST,
		FIRST_LIST("10", OBJECT("a", "1")),
		WATCH("10", EVENT("ERROR", EXPIRED), REPLAY_FOREVER),
		{ "resourceVersion=10 !limit= !watch=", 200, NULL,
			LIST("30", OBJECT("a", "1")), 0, 0, 0, NULL },
		WATCH_FOREVER("30"),
		END,
	};
	struct world *w = *state;

	play(w, script, "d/a@1");
	assert_string_equal(
		w->said.data, "+d/a@1 current settled settled ");
}

/* ---- WatchList */

static void
test_watch_list(void **state)
{
	static const struct replay_line script[] = {
		{ "sendInitialEvents=true resourceVersion=", 200, NULL,
			ADDED("a", "5") ADDED("b", "3") ADDED("x", "4")
				DELETED("x", "6") BOOKMARK("7") INITIAL_END("8")
					CHANGED("a", "9"),
			0, HELD_MS, 0, NULL },
		WATCH("9", EVENT("ERROR", EXPIRED), REPLAY_FOREVER),
		/* From the last version on, and then a set of now. */
		{ "sendInitialEvents=true resourceVersion=9", 200, NULL,
			EVENT("ERROR", EXPIRED), 0, REPLAY_FOREVER, 0, NULL },
		{ "sendInitialEvents=true !resourceVersion=9", 200, NULL,
			ADDED("a", "9") ADDED("c", "20") INITIAL_END("30"), 0,
			REPLAY_FOREVER, 0, NULL },
		END,
	};
	struct kubernetes_reflector_counts counts;
	struct world *w = *state;

	play(w, script, "d/a@9 d/c@20");
	assert_true(has_said(w,
		"current settled +d/a@9 +d/c@20 -d/b settled "));
	kubernetes_reflector_counts(w->reflector, &counts);
	assert_int_equal(counts.lists, 3);
	assert_int_equal(counts.watches, 1);
}

static void
test_watch_list_of_an_empty_set(void **state)
{
	static const struct replay_line script[] = {
		{ "sendInitialEvents=true", 200, NULL, INITIAL_END("8"), 0,
			HELD_MS, 0, NULL },
		WATCH_FOREVER("8"),
		END,
	};
	struct world *w = *state;

	play(w, script, "");
	assert_string_equal(w->said.data, "current settled ");
}

/* An etcd that tells no progress: 200, and the refusal in the stream. */
static void
test_watch_list_refused_within_the_stream(void **state)
{
	static const struct replay_line script[] = {
		{ "sendInitialEvents=true", 200, NULL,
			EVENT("ERROR",
				STATUS(500, "InternalError",
					"a watch stream was requested by the "
					"client but the required storage "
					"feature RequestWatchProgress is "
					"disabled")),
			0, REPLAY_FOREVER, 0, NULL },
		FIRST_LIST("10", OBJECT("a", "1")),
		WATCH("10", EVENT("ERROR", EXPIRED), REPLAY_FOREVER),
		/* It is not tried again. */
		{ "resourceVersion=10 !watch=", 200, NULL,
			LIST("30", OBJECT("a", "1")), 0, 0, 0, NULL },
		WATCH_FOREVER("30"),
		END,
	};
	struct world *w = *state;

	play(w, script, "d/a@1");
	assert_false(has_said(w, "stale"));
}

/* A server that knows nothing of it and begins a watch without an end. */
static void
test_watch_list_without_an_end(void **state)
{
	static const struct replay_line script[] = {
		{ "sendInitialEvents=true", 200, NULL,
			ADDED("a", "1") ADDED("old", "2"), 0, REPLAY_FOREVER, 0,
			NULL },
		FIRST_LIST("10", OBJECT("a", "1")),
		WATCH_FOREVER("10"),
		END,
	};
	struct world *w = *state;

	w->times.initial_idle = 50;
	play(w, script, "d/a@1");
	assert_string_equal(w->said.data, "+d/a@1 current settled ");
}

static void
test_watch_list_ends_early(void **state)
{
	static const struct replay_line script[] = {
		{ "sendInitialEvents=true", 200, NULL, ADDED("x", "1"), 0, 1, 0,
			NULL },
		FIRST_LIST("10", OBJECT("a", "1")),
		WATCH_FOREVER("10"),
		END,
	};

	play(*state, script, "d/a@1");
}

/* ---- silence and the future */

static void
test_silent_watch_leads_to_a_list(void **state)
{
	static const struct replay_line script[] = {
		NO_WATCHLIST,
		FIRST_LIST("10", OBJECT("a", "1") "," OBJECT("phantom", "2")),
		/* All of its time, and neither an event nor a bookmark. */
		WATCH("10", NULL, 120),
		{ "resourceVersion=10 !watch= !limit=", 504,
			"Retry-After: 1\r\n", TOO_LARGE, 0, 0, 0, NULL },
		{ "!resourceVersion !watch=", 200, NULL,
			LIST("4", OBJECT("a", "3")), 0, 0, 0, NULL },
		WATCH_FOREVER("4"),
		END,
	};
	struct world *w = *state;

	w->times.watch_min = w->times.watch_max = 120;
	play(w, script, "d/a@3");
	assert_true(has_said(w, "settled +d/a@3 -d/phantom settled "));
	assert_false(has_said(w, "stale"));
}

static void
test_bookmarks_are_no_silence(void **state)
{
	static const struct replay_line script[] = {
		NO_WATCHLIST,
		FIRST_LIST("10", OBJECT("a", "1")),
		WATCH("10", BOOKMARK("11"), 120),
		WATCH("11", BOOKMARK("12"), 120),
		WATCH_FOREVER("12"),
		END,
	};
	struct world *w = *state;

	w->times.watch_min = w->times.watch_max = 120;
	play(w, script, "d/a@1");
	assert_string_equal(w->said.data, "+d/a@1 current settled ");
}

/* A server that holds its end of the watch beyond its time. */
static void
test_we_end_a_watch_that_does_not_end(void **state)
{
	static const struct replay_line script[] = {
		NO_WATCHLIST,
		FIRST_LIST("10", OBJECT("a", "1")),
		WATCH("10", BOOKMARK("11"), REPLAY_FOREVER),
		WATCH("11", NULL, REPLAY_FOREVER),
		{ "resourceVersion=11 !watch=", 200, NULL,
			LIST("30", OBJECT("a", "1")), 0, 0, 0, NULL },
		WATCH("30", BOOKMARK("31"), REPLAY_FOREVER),
		END,
	};
	struct world *w = *state;

	w->times.watch_min = w->times.watch_max = 60;
	w->times.watch_grace = 40;
	play(w, script, "d/a@1");
	assert_non_null(strstr(
		replay_head(w->replay, 2), "timeoutSeconds=1&"));
}

static void
test_short_watches_back_off(void **state)
{
	static const struct replay_line script[] = {
		NO_WATCHLIST,
		FIRST_LIST("10", OBJECT("a", "1")),
		WATCH("10", NULL, 0),
		WATCH("10", NULL, 0),
		WATCH("10", NULL, 0),
		WATCH("10", CHANGED("a", "11"), 200),
		WATCH_FOREVER("11"),
		END,
	};
	struct world *w = *state;

	play(w, script, "d/a@11");
	assert_string_equal(w->said.data, "+d/a@1 current settled stale "
					  "current +d/a@11 ");
}

static void
test_watch_is_not_answered(void **state)
{
	static const struct replay_line script[] = {
		{ "sendInitialEvents=true", -1, NULL, NULL, 0, 0, 0, NULL },
		NO_WATCHLIST,
		FIRST_LIST("10", OBJECT("a", "1")),
		{ "watch=1 resourceVersion=10", -1, NULL, NULL, 0, 0, 0, NULL },
		WATCH("10", ADDED("b", "11"), REPLAY_FOREVER),
		END,
	};
	struct world *w = *state;

	w->times.head = 200;
	play(w, script, "d/a@1 d/b@11");
	assert_string_equal(w->said.data,
		"stale +d/a@1 current settled stale current +d/b@11 ");
}

/* What waits for its turn is not late. */
static void
test_the_pace_is_no_silence(void **state)
{
	static const struct replay_line script[] = {
		NO_WATCHLIST,
		FIRST_LIST("10", OBJECT("a", "1")),
		WATCH("10", ADDED("b", "11"), REPLAY_FOREVER),
		END,
	};
	struct world *w = *state;

	w->times.head = 150;
	begin(w, script);
	kubernetes_api_set_pace(
		w->api, &(struct kubernetes_pace){ 400, 1, 10 });
	reach(w, 3, "d/a@1 d/b@11");
	assert_string_equal(
		w->said.data, "+d/a@1 current settled +d/b@11 ");
}

/* A restored etcd: what is there is another one at the same version. */
static void
test_watch_from_the_future(void **state)
{
	static const struct replay_line script[] = {
		NO_WATCHLIST,
		FIRST_LIST("10", OBJECT("a", "1")),
		{ "watch=1 resourceVersion=10", 504, "Retry-After: 1\r\n",
			TOO_LARGE, 0, 0, 0, NULL },
		{ "!resourceVersion !watch=", 200, NULL,
			LIST("4", OBJECT("a", "1")), 0, 0, 0, NULL },
		WATCH("4", EVENT("ERROR", TOO_LARGE), REPLAY_FOREVER),
		{ "!resourceVersion !watch=", 200, NULL,
			LIST("5", OBJECT("a", "1")), 0, 0, 0, NULL },
		WATCH_FOREVER("5"),
		END,
	};
	struct world *w = *state;

	play(w, script, "d/a@1");
	assert_string_equal(w->said.data,
		"+d/a@1 current settled +d/a@1 settled +d/a@1 settled ");
}

static void
test_watch_that_always_fails_leads_to_a_list(void **state)
{
#define FAILS                                                                  \
	{ "watch=1 resourceVersion=10", 500, NULL,                             \
		STATUS(500, "InternalError", "etcd"), 0, 0, 0, NULL }
	static const struct replay_line script[] = {
		NO_WATCHLIST,
		FIRST_LIST("10", OBJECT("a", "1")),
		FAILS,
		FAILS,
		FAILS,
		FAILS,
		FAILS,
		FAILS,
		{ "resourceVersion=10 !watch=", 200, NULL,
			LIST("20", OBJECT("a", "2")), 0, 0, 0, NULL },
		WATCH_FOREVER("20"),
		END,
	};

	play(*state, script, "d/a@2");
}

/* ---- refusals and failures */

static void
test_too_many_requests(void **state)
{
	static const struct replay_line script[] = {
		{ "sendInitialEvents=true", 429, "Retry-After: 8\r\n",
			STATUS(429, "TooManyRequests", "later"), 0, 0, 0,
			NULL },
		NO_WATCHLIST,
		{ "resourceVersion=0", 503, "Retry-After: 9\r\n", "busy", 0, 0,
			0, NULL },
		FIRST_LIST("10", OBJECT("a", "1")),
		{ "watch=1 resourceVersion=10", 429, "Retry-After: 8\r\n",
			STATUS(429, "TooManyRequests", "later"), 0, 0, 0,
			NULL },
		WATCH_FOREVER("10"),
		END,
	};
	struct replay *r;
	struct world *w = *state;

	play(w, script, "d/a@1");
	/* A second lasts 10 ms here, a pause of our own 20 ms at most. */
	r = w->replay;
	assert_true(replay_time_ms(r, 1) - replay_time_ms(r, 0) >= 60);
	assert_true(replay_time_ms(r, 3) - replay_time_ms(r, 2) >= 70);
	assert_true(replay_time_ms(r, 5) - replay_time_ms(r, 4) >= 60);
	assert_string_equal(
		w->said.data, "stale +d/a@1 current settled stale ");
	expect_reason(w, "TooManyRequests: later");
}

/* An event that says less than no time. */
static void
test_retry_after_of_an_event(void **state)
{
	static const struct replay_line script[] = {
		NO_WATCHLIST,
		FIRST_LIST("10", OBJECT("a", "1")),
		WATCH("10",
			EVENT("ERROR", "{\"kind\":\"Status\",\"code\":429,"
				       "\"details\":{\"retryAfterSeconds\":"
				       "-1}}"),
			REPLAY_FOREVER),
		WATCH_FOREVER("10"),
		END,
	};
	struct world *w = *state;

	play(w, script, "d/a@1");
	assert_true(replay_time_ms(w->replay, 3) -
			    replay_time_ms(w->replay, 2) <
		    1000);
}

static void
test_failures_of_a_watch_do_not_lead_to_a_list(void **state)
{
	static const struct replay_line script[] = {
		NO_WATCHLIST,
		FIRST_LIST("10", OBJECT("a", "1")),
		{ "watch=1 resourceVersion=10", 0, NULL, NULL, 0, 0, 0, NULL },
		{ "watch=1 resourceVersion=10", 500, NULL,
			STATUS(500, "InternalError", "etcd"), 0, 0, 0, NULL },
		{ "watch=1 resourceVersion=10", 502, NULL, "<html>", 0, 0, 0,
			NULL },
		WATCH("10",
			EVENT("ERROR", STATUS(500, "InternalError", "etcd")),
			REPLAY_FOREVER),
		/* Torn in the middle of an event. */
		{ "watch=1 resourceVersion=10", 200, NULL,
			ADDED("b", "12") "{\"type\":\"DEL", 0, HELD_MS, 1,
			NULL },
		WATCH("12", CHANGED("a", "13"), REPLAY_FOREVER),
		END,
	};
	struct world *w = *state;

	play(w, script, "d/a@13 d/b@12");
	assert_string_equal(w->said.data, "+d/a@1 current settled stale "
					  "current +d/b@12 +d/a@13 ");
}

static void
test_forbidden(void **state)
{
	static const char denied[] =
		STATUS(403, "Forbidden", "endpointslices is forbidden");
	static const struct replay_line script[] = {
		NO_WATCHLIST,
		{ "limit=500", 403, NULL, denied, 0, 0, 0, NULL },
		{ "limit=500", 403, NULL, denied, 0, 0, 0, NULL },
		FIRST_LIST("10", OBJECT("a", "1")),
		{ "watch=1 resourceVersion=10", 403, NULL, denied, 0, 0, 0,
			NULL },
		{ "watch=1 resourceVersion=10", 403, NULL, denied, 0, 0, 0,
			NULL },
		WATCH("10", ADDED("b", "11"), REPLAY_FOREVER),
		END,
	};
	struct world *w = *state;

	begin(w, script);
	reach(w, 3, "");
	expect_reason(w,
		"may not list endpointslices.discovery.k8s.io: GET "
		"/apis/discovery.k8s.io/v1/endpointslices: Forbidden: "
		"endpointslices is forbidden");
	reach(w, 6, "d/a@1");
	expect_reason(w, "may not watch endpointslices.discovery.k8s.io");
	reach(w, 7, "d/a@1 d/b@11");
	assert_string_equal(w->said.data, "forbidden +d/a@1 current settled "
					  "forbidden current +d/b@11 ");
}

static void
token_changes(void *arg)
{
	(void)arg;
	file_write("token", "two");
}

static void
test_unauthorized(void **state)
{
	static const char unauthorized[] =
		STATUS(401, "Unauthorized", "Unauthorized");
	static const struct replay_line script[] = {
		NO_WATCHLIST,
		FIRST_LIST("10", OBJECT("a", "1")),
		/* The token has changed by the time that it is refused: read
		 * and asked again at once. */
		{ "watch=1 Bearer one", 401, NULL, unauthorized, 0, 0, 0,
			token_changes },
		{ "watch=1 resourceVersion=10 two", 200, NULL, NULL, 0, HELD_MS,
			0, NULL },
		/* This one stays refused: once more, then it is told. */
		{ "watch=1 resourceVersion=10", 401, NULL, unauthorized, 0, 0,
			0, NULL },
		{ "watch=1 resourceVersion=10", 401, NULL, unauthorized, 0, 0,
			0, NULL },
		WATCH("10", ADDED("b", "11"), REPLAY_FOREVER),
		END,
	};
	struct world *w = *state;

	play(w, script, "d/a@1 d/b@11");
	assert_string_equal(w->said.data, "+d/a@1 current settled stale "
					  "current +d/b@11 ");
}

static void
test_half_a_list_says_nothing(void **state)
{
	static const struct replay_line script[] = {
		NO_WATCHLIST,
		FIRST_LIST("10", OBJECT("a", "1") "," OBJECT("b", "2")),
		WATCH("10", EVENT("ERROR", EXPIRED), REPLAY_FOREVER),
		{ "resourceVersion=10", 200, NULL,
			"{\"metadata\":{\"resourceVersion\":\"20\"},\"items\":["
			OBJECT("b", "3"),
			0, 20, 1, NULL },
		{ "resourceVersion=10", 200, NULL, "{\"items\":[", 0, 20, 0,
			NULL },
		{ "resourceVersion=10", 200, NULL, "[]", 0, 0, 0, NULL },
		{ "resourceVersion=10", 200, NULL, "{\"items\":[]}", 0, 0, 0,
			NULL },
		{ "resourceVersion=10", 200, NULL, "", 0, 0, 0, NULL },
		{ "resourceVersion=10", 200, NULL,
			LIST("30", OBJECT("a", "1") "," OBJECT("b", "2")), 0, 0,
			0, NULL },
		WATCH_FOREVER("30"),
		END,
	};
	struct world *w = *state;

	play(w, script, "d/a@1 d/b@2");
	assert_null(strchr(strstr(w->said.data, "settled"), '+'));
	assert_null(strchr(w->said.data, '-'));
	assert_true(has_said(w, "settled stale current settled "));
}

/* ---- what is not there */

static void
test_older_version(void **state)
{
	static const struct replay_line script[] = {
		{ "/v1/endpointslices sendInitialEvents", 404, NULL, TEXT_404,
			0, 0, 0, NULL },
		{ "/v1beta1/endpointslices sendInitialEvents", 422, NULL,
			STATUS(422, "Invalid", "no"), 0, 0, 0, NULL },
		{ "/v1beta1/endpointslices limit=500", 200, NULL,
			LIST("10", OBJECT("a", "1")), 0, 0, 0, NULL },
		{ "/v1beta1/endpointslices watch=1", 200, NULL, NULL, 0,
			REPLAY_FOREVER, 0, NULL },
		END,
	};
	struct world *w = *state;

	play(w, script, "d/a@1");
	assert_string_equal(w->version, "v1beta1");
}

#define GROUPS(groups)                                                         \
	"{\"kind\":\"APIGroupList\",\"groups\":[" groups "]}"
#define NO_VERSION                                                             \
	{ "/v1/endpointslices", 404, NULL, TEXT_404, 0, 0, 0, NULL },          \
	{ "/v1beta1/endpointslices", 404, NULL, TEXT_404, 0, 0, 0, NULL }
#define NOT_SERVED                                                             \
	{ "GET /apis/discovery.k8s.io/v1 ", 404, NULL, TEXT_404, 0, 0, 0,      \
		NULL },                                                        \
	{ "GET /apis/discovery.k8s.io/v1beta1 ", 404, NULL, TEXT_404, 0, 0, 0, \
		NULL }

/* Neither version: core Endpoints are another collection, which is there. All
 * that an earlier run may have had of it is not there: that is told once. */
static void
test_absent_at_first(void **state)
{
	static const struct replay_line script[] = {
		NO_VERSION,
		NOT_SERVED,
		{ "GET /apis ", 200, NULL, GROUPS("{\"name\":\"apps\"}"), 0,
			0, 0, NULL },
		/* Again after a while, the best version first. */
		NO_VERSION,
		{ "/v1/endpointslices", 200, NULL,
			ADDED("a", "1") INITIAL_END("2"), 0, REPLAY_FOREVER, 0,
			NULL },
		END,
	};
	struct world *w = *state;

	play(w, script, "d/a@1");
	assert_string_equal(w->said.data,
		"absent settled +d/a@1 current settled ");
	assert_true(replay_time_ms(w->replay, 5) -
			    replay_time_ms(w->replay, 4) >=
		    25);
}

/* A server that begins: its 404 is not believed. */
static void
test_404_alone_at_first(void **state)
{
	static const struct replay_line script[] = {
		NO_VERSION,
		NOT_SERVED,
		{ "GET /apis ", 404, NULL, TEXT_404, 0, 0, 0, NULL },
		NO_VERSION,
		NOT_SERVED,
		{ "GET /apis ", 200, NULL,
			GROUPS("{\"name\":\"discovery.k8s.io\",\"versions\":["
			       "{\"version\":\"v1\"}]}"),
			0, 0, 0, NULL },
		{ "/v1/endpointslices", 200, NULL,
			ADDED("a", "1") INITIAL_END("2"), 0, REPLAY_FOREVER, 0,
			NULL },
		END,
	};
	struct world *w = *state;

	play(w, script, "d/a@1");
	assert_string_equal(w->said.data, "stale +d/a@1 current settled ");
}

static void
test_definition_is_deleted_and_made_again(void **state)
{
	static const struct replay_line script[] = {
		{ "/v1/endpointslices", 200, NULL,
			ADDED("a", "1") ADDED("b", "1") INITIAL_END("2")
				DELETED("a", "3") DELETED("b", "4"),
			0, HELD_MS, 0, NULL },
		{ "watch=1 resourceVersion=4", 404, NULL, TEXT_404, 0, 0, 0,
			NULL },
		{ "/v1/endpointslices", 404, NULL, TEXT_404, 0, 0, 0, NULL },
		{ "/v1beta1/endpointslices", 404, NULL, TEXT_404, 0, 0, 0,
			NULL },
		{ "/v1/endpointslices sendInitialEvents", 200, NULL,
			ADDED("a", "9") INITIAL_END("9"), 0, REPLAY_FOREVER, 0,
			NULL },
		END,
	};
	struct world *w = *state;

	play(w, script, "d/a@9");
	assert_true(has_said(w, "current settled -d/a -d/b absent +d/a@9 "
				"current settled "));
}

/* The watch broke and the definition was deleted meanwhile: the server says in
 * full what it serves. */
static void
test_definition_is_deleted_unseen(void **state)
{
	static const struct replay_line script[] = {
		{ "/v1/endpointslices", 200, NULL,
			ADDED("a", "1") INITIAL_END("2"), 0, HELD_MS, 1, NULL },
		{ "watch=1", 404, NULL, TEXT_404, 0, 0, 0, NULL },
		{ "/v1/endpointslices", 404, NULL, TEXT_404, 0, 0, 0, NULL },
		{ "/v1beta1/endpointslices", 404, NULL, TEXT_404, 0, 0, 0,
			NULL },
		{ "GET /apis/discovery.k8s.io/v1 ", 200, NULL,
			"{\"kind\":\"APIResourceList\",\"resources\":["
			"{\"name\":\"others\"}]}",
			0, 0, 0, NULL },
		{ "GET /apis/discovery.k8s.io/v1beta1 ", 404, NULL, TEXT_404, 0,
			0, 0, NULL },
		{ "GET /apis ", 200, NULL,
			"{\"kind\":\"APIGroupList\",\"groups\":[{\"name\":"
			"\"discovery.k8s.io\",\"versions\":[{\"version\":"
			"\"v1\"}]}]}",
			0, 0, 0, NULL },
		{ "/v1/endpointslices", 404, NULL, TEXT_404, 0, REPLAY_FOREVER,
			0, NULL },
		END,
	};
	struct world *w = *state;

	play(w, script, "");
	assert_true(has_said(w, "current settled -d/a absent "));
	assert_false(has_said(w, "stale"));
}

/* Something in between, or a server that begins, answers 404 to everything:
 * that empties nothing. */
static void
test_404_alone_empties_nothing(void **state)
{
	static const struct replay_line script[] = {
		{ "/v1/endpointslices", 200, NULL,
			ADDED("a", "1") INITIAL_END("2"), 0, HELD_MS, 1, NULL },
		{ "watch=1", 404, NULL, TEXT_404, 0, 0, 0, NULL },
		{ "/v1/endpointslices", 404, NULL, TEXT_404, 0, 0, 0, NULL },
		{ "/v1beta1/endpointslices", 404, NULL, TEXT_404, 0, 0, 0,
			NULL },
		{ "/apis/discovery.k8s.io/v1 ", 404, NULL, TEXT_404, 0, 0, 0,
			NULL },
		{ "/apis/discovery.k8s.io/v1beta1 ", 404, NULL, TEXT_404, 0, 0,
			0, NULL },
		{ "GET /apis ", 404, NULL, TEXT_404, 0, 0, 0, NULL },
		{ "/v1/endpointslices", 404, NULL, TEXT_404, 0, 0, 0, NULL },
		{ "/v1beta1/endpointslices", 404, NULL, TEXT_404, 0, 0, 0,
			NULL },
		/* Its list contradicts its 404. */
		{ "/apis/discovery.k8s.io/v1 ", 200, NULL,
			"{\"kind\":\"APIResourceList\",\"resources\":["
			"{\"name\":\"endpointslices\"}]}",
			0, 0, 0, NULL },
		{ "/v1/endpointslices", 404, NULL, TEXT_404, 0, 0, 0, NULL },
		{ "/v1beta1/endpointslices", 404, NULL, TEXT_404, 0, 0, 0,
			NULL },
		{ "/apis/discovery.k8s.io/v1 ", 404, NULL, TEXT_404, 0, 0, 0,
			NULL },
		{ "/apis/discovery.k8s.io/v1beta1 ", 404, NULL, TEXT_404, 0, 0,
			0, NULL },
		{ "GET /apis ", 200, NULL,
			"{\"kind\":\"APIGroupList\",\"groups\":[{\"name\":"
			"\"discovery.k8s.io\",\"versions\":[{\"version\":"
			"\"v1\"}]}]}",
			0, 0, 0, NULL },
		{ "/v1/endpointslices sendInitialEvents", 200, NULL,
			ADDED("a", "1") INITIAL_END("2"), 0, REPLAY_FOREVER, 0,
			NULL },
		END,
	};
	struct world *w = *state;

	play(w, script, "d/a@1");
	assert_string_equal(w->said.data,
		"+d/a@1 current settled stale current settled ");
}

/* ---- bytes */

static void
test_any_chunks(void **state)
{
	static const char body[] =
		EVENT("ADDED", "{\"a\":\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98"
			       "\x80\"," META("\xc3\xb6", "1") "}")
			INITIAL_END("2");
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
		NO_WATCHLIST,
		FIRST_LIST("10", OBJECT("a", "1")),
		WATCH("10", body, HELD_MS),
		/* Something may have been missed: the whole set, once. */
		{ "resourceVersion=13 !watch=", 200, NULL,
			LIST("20", OBJECT("a", "1") "," OBJECT("two",
						   "11") "," OBJECT("b", "13")),
			0, 0, 0, NULL },
		WATCH("20", BOOKMARK("21"), HELD_MS),
		WATCH_FOREVER("21"),
		END,
	};
	struct kubernetes_reflector_counts counts;
	struct world *w = *state;

	play(w, script, "d/a@1 d/b@13 d/two@11");
	kubernetes_reflector_counts(w->reflector, &counts);
	assert_int_equal(counts.skipped, 1);
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
		NO_WATCHLIST,
		FIRST_LIST("10", OBJECT("a", "1") "," OBJECT("b", "2") ","
				OBJECT("c", "3")),
		WATCH("10", EVENT("ERROR", EXPIRED), REPLAY_FOREVER),
		{ "resourceVersion=10", 200, NULL,
			LIST("20", OBJECT("a", "1") ",{" META("b", "9")
					   ",\"spec\":\"\xff\"},{"
					   META("n", "9")
					   ",\"spec\":\"\\u0000\"}"),
			0, 0, 0, NULL },
		WATCH("20", BOOKMARK("21"), HELD_MS),
		WATCH("21",
			EVENT("MODIFIED", "{" META("a", "22")
						  ",\"spec\":\"\xff\"}")
				CHANGED("n", "23"),
			HELD_MS),
		/* Both are gone: all is known again without a list. */
		WATCH("23",
			EVENT("DELETED", "{" META("b", "24")
						 ",\"spec\":\"\xff\"}")
				DELETED("a", "25"),
			HELD_MS),
		WATCH_FOREVER("25"),
		END,
	};
	struct world *w = *state;

	play(w, script, "d/n@23");
	assert_true(has_said(w, "current settled -d/c settled-in-part "
				"+d/n@23 -d/b -d/a settled "));
}

/* What cannot be read in a list may be one of those that are known: none is
 * said to be gone by it. */
static void
test_unreadable_members_keep_what_is_known(void **state)
{
	static const struct replay_line script[] = {
		NO_WATCHLIST,
		FIRST_LIST("10", OBJECT("a", "1") "," OBJECT("b", "2")),
		WATCH("10", EVENT("ERROR", EXPIRED), REPLAY_FOREVER),
		{ "resourceVersion=10", 200, NULL,
			LIST("20", OBJECT("a", "3") ",{\"metadata\":{\"name\":"
						    "\"b\xff\"}}"),
			0, 0, 0, NULL },
		WATCH("20", BOOKMARK("21"), HELD_MS),
		/* So the whole set is asked for again. */
		{ "resourceVersion=21 !watch=", 200, NULL,
			LIST("30", OBJECT("a", "3")), 0, 0, 0, NULL },
		WATCH_FOREVER("30"),
		END,
	};
	struct world *w = *state;

	begin(w, script);
	reach(w, 5, "d/a@3 d/b@2");
	reach(w, 7, "d/a@3");
	assert_true(has_said(w, "current settled +d/a@3 settled-in-part "
				"-d/b settled "));
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
		NO_WATCHLIST,
		FIRST_LIST("10", OBJECT("a", "1")),
		WATCH("10", body, REPLAY_FOREVER),
		END,
	};
	struct kubernetes_reflector_counts counts;
	struct world *w = *state;

	play(w, script, "d/a@1 d/b@13");
	kubernetes_reflector_counts(w->reflector, &counts);
	assert_int_equal(counts.skipped, 13);
}

static void
test_a_stream_that_is_no_json(void **state)
{
	static const struct replay_line script[] = {
		NO_WATCHLIST,
		FIRST_LIST("10", OBJECT("a", "1")),
		WATCH("10", ADDED("b", "11") "<html>", REPLAY_FOREVER),
		WATCH("11", ADDED("c", "12"), REPLAY_FOREVER),
		END,
	};

	play(*state, script, "d/a@1 d/b@11 d/c@12");
}

/* ---- the callee */

static void
test_again(void **state)
{
	static const struct replay_line script[] = {
		NO_WATCHLIST,
		FIRST_LIST("10", OBJECT("a", "1")),
		WATCH_FOREVER("10"),
		{ "resourceVersion=10 !watch=", 200, NULL,
			LIST("20", OBJECT("a", "1")), 0, 0, 0, NULL },
		WATCH_FOREVER("20"),
		END,
	};
	struct world *w = *state;

	begin(w, script);
	reach(w, 3, "d/a@1");
	kubernetes_reflector_again(w->reflector);
	reach(w, 5, "d/a@1");
	assert_string_equal(
		w->said.data, "+d/a@1 current settled +d/a@1 settled ");
}

static void
server_moves(void *arg)
{
	struct world *w = arg;

	file_write("config",
		"current-context: x\n"
		"contexts: [{name: x, context: {cluster: c, user: u}}]\n"
		"clusters: [{name: c, cluster: {server: "
		"'http://localhost:%u/cluster'}}]\n"
		"users: [{name: u, user: {tokenFile: token}}]\n",
		replay_port(w->replay));
}

/* Another server: versions of the old one mean nothing to it. */
static void
test_another_server(void **state)
{
	static const struct replay_line script[] = {
		NO_WATCHLIST,
		FIRST_LIST("10", OBJECT("a", "1") "," OBJECT("b", "2")),
		{ "watch=1", 200, NULL, NULL, 0, HELD_MS, 0, server_moves },
		{ "/cluster/apis watch=1", 200, NULL, EVENT("ERROR", EXPIRED),
			0, REPLAY_FOREVER, 0, NULL },
		{ "/cluster/apis sendInitialEvents !resourceVersion=10", 200,
			NULL, ADDED("a", "1") INITIAL_END("1"), 0,
			REPLAY_FOREVER, 0, NULL },
		END,
	};
	struct world *w = *state;

	play(w, script, "d/a@1");
	assert_true(has_said(w, "settled +d/a@1 -d/b settled "));
}

static void
on_other_answer(const struct kubernetes_answer *answer, void *arg)
{
	(void)answer;
	(void)arg;
}

struct later {
	const struct world *world;
	uint64_t at_ms;
};

static bool
is_later(void *arg)
{
	const struct later *l = arg;

	return loop_now_ms(l->world->loop) >= l->at_ms;
}

static bool
is_stale(void *arg)
{
	return has_said(arg, "stale ");
}

/* Others are told when one finds that the server is back; none waits it out. */
static void
test_recovery_ends_the_pause(void **state)
{
	static const struct replay_line script[] = {
		NO_WATCHLIST,
		FIRST_LIST("10", OBJECT("a", "1")),
		/* libcurl tries again by itself, on a new connection. */
		{ "watch=1 resourceVersion=10", 0, NULL, NULL, 0, 0, 0, NULL },
		{ "watch=1 resourceVersion=10", 0, NULL, NULL, 0, 0, 0, NULL },
		{ "/else", 200, NULL, "{}", 0, 0, 0, NULL },
		WATCH("10", CHANGED("a", "13"), REPLAY_FOREVER),
		END,
	};
	struct world *w = *state;
	uint64_t away;

	w->times.backoff_min = w->times.backoff_max = 3600000;
	begin(w, script);
	reach(w, 4, "d/a@1");
	run_for(w->loop, WAIT_MS, is_stale, w);
	assert_true(has_said(w, "stale "));
	/* For longer than what the API takes for a second. */
	away = loop_now_ms(w->loop);
	run_for(w->loop, WAIT_MS, is_later, &(struct later){ w, away + 20 });
	kubernetes_api_call(w->api,
		&(struct kubernetes_request){ .path = "/else" },
		on_other_answer, NULL);
	reach(w, 6, "d/a@13");
}

/* While a watch is open: it ends with the first request to the other one. */
static void
test_another_server_while_a_watch_is_open(void **state)
{
	static const struct replay_line script[] = {
		NO_WATCHLIST,
		FIRST_LIST("10", OBJECT("a", "1") "," OBJECT("b", "2")),
		{ "watch=1", 200, NULL, NULL, 0, REPLAY_FOREVER, 0,
			server_moves },
		{ "/cluster/else", 200, NULL, "{}", 0, 0, 0, NULL },
		{ "/cluster/apis sendInitialEvents !resourceVersion=10", 200,
			NULL, ADDED("a", "1") INITIAL_END("1"), 0,
			REPLAY_FOREVER, 0, NULL },
		END,
	};
	struct world *w = *state;

	begin(w, script);
	reach(w, 3, "d/a@1 d/b@2");
	kubernetes_api_call(w->api,
		&(struct kubernetes_request){ .path = "/else" },
		on_other_answer, NULL);
	reach(w, 5, "d/a@1");
	assert_true(has_said(w, "settled +d/a@1 -d/b settled "));
	assert_false(has_said(w, "stale"));
}

/* Between the pages of a list: they are not put together. */
static void
test_another_server_within_a_list(void **state)
{
	static const struct replay_line script[] = {
		NO_WATCHLIST,
		{ "limit=500 resourceVersion=0", 200, NULL,
			LIST_PAGE("10", "p2", OBJECT("a", "1")), 0, 0, 0,
			server_moves },
		{ "/cluster/apis continue=p2", 200, NULL,
			LIST("10", OBJECT("b", "2")), 0, 0, 0, NULL },
		{ "/cluster/apis sendInitialEvents", 200, NULL,
			ADDED("c", "1") INITIAL_END("1"), 0, REPLAY_FOREVER, 0,
			NULL },
		END,
	};
	struct world *w = *state;

	play(w, script, "d/c@1");
	assert_string_equal(w->said.data, "+d/c@1 current settled ");
}

/* ---- churn */

/*
 * A server with objects that change at random and answers that fail at random,
 * in all ways above. In the end it is well, and what was told is what it has.
 */
struct server {
	uint64_t seed;
	unsigned version;     /* the last one */
	unsigned compacted;   /* what is older is expired */
	unsigned at[8];       /* of each object; 0: it is not there */
	unsigned past[4096];  /* which object a version changed */
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
		{ "", 0, NULL, NULL, 0, 0, 0, NULL },
		{ "", 500, NULL, "etcd", 0, 0, 0, NULL },
		{ "", 429, "Retry-After: 1\r\n", "", 0, 0, 0, NULL },
		{ "", 403, NULL, STATUS(403, "Forbidden", "no"), 0, 0, 0,
			NULL },
		{ "", 401, NULL, "", 0, 0, 0, NULL },
		{ "", 200, NULL, "{\"metadata\":{}", 0, 3, 1, NULL },
		{ "", 200, NULL, "", 0, 0, 0, NULL },
		{ "", 504, NULL, TOO_LARGE, 0, 0, 0, NULL },
		{ "", 410, NULL, EXPIRED, 0, 0, 0, NULL },
		{ "", 404, NULL, TEXT_404, 0, 0, 0, NULL },
	};

	return failures[chance(ARRAY_SIZE(failures))];
}

static struct replay_line
server_watch(const char *head)
{
	static const uint64_t times[] = { 1, HELD_MS };
	const char *at = strstr(head, "&resourceVersion=");
	unsigned from = at == NULL ? 0 : (unsigned)atoi(at + 17);
	struct replay_line line = { "", 200, NULL, NULL, 0, 0, 0, NULL };

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
	struct replay_line line = { "", 200, NULL, NULL, 0, 0, 0, NULL };

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
					 : (unsigned)atoi(have) ==
						   server.at[i];

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
		T(test_list_then_watch),
		T(test_selectors_and_namespace),
		T(test_pages),
		T(test_expired_continue),
		T(test_expired_watch_by_status),
		T(test_expired_watch_within_the_stream),
		T(test_watch_list),
		T(test_watch_list_of_an_empty_set),
		T(test_watch_list_refused_within_the_stream),
		T(test_watch_list_without_an_end),
		T(test_watch_list_ends_early),
		T(test_silent_watch_leads_to_a_list),
		T(test_bookmarks_are_no_silence),
		T(test_we_end_a_watch_that_does_not_end),
		T(test_short_watches_back_off),
		T(test_watch_is_not_answered),
		T(test_the_pace_is_no_silence),
		T(test_watch_from_the_future),
		T(test_watch_that_always_fails_leads_to_a_list),
		T(test_too_many_requests),
		T(test_retry_after_of_an_event),
		T(test_failures_of_a_watch_do_not_lead_to_a_list),
		T(test_forbidden),
		T(test_unauthorized),
		T(test_half_a_list_says_nothing),
		T(test_older_version),
		T(test_absent_at_first),
		T(test_404_alone_at_first),
		T(test_definition_is_deleted_and_made_again),
		T(test_definition_is_deleted_unseen),
		T(test_404_alone_empties_nothing),
		T(test_any_chunks),
		T(test_large_objects),
		T(test_unreadable_objects_keep_themselves),
		T(test_unreadable_members_keep_what_is_known),
		T(test_hostile_events),
		T(test_a_stream_that_is_no_json),
		T(test_again),
		T(test_another_server),
		T(test_recovery_ends_the_pause),
		T(test_another_server_while_a_watch_is_open),
		T(test_another_server_within_a_list),
		T(test_churn),
	};

	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
