/*
 * What the tests of userspace/kinds/kubernetes/reflector.c share: a scripted
 * API server (tests/lib/replay.h), the lines of scripts, and a reflector whose
 * words are noted. Needs cmocka.
 */
#ifndef TESTS_KUBERNETES_REFLECTOR_WORLD_H
#define TESTS_KUBERNETES_REFLECTOR_WORLD_H

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
#define LIST(version, items)   LIST_PAGE(version, "", items)
#define EVENT(type, object)    "{\"type\":\"" type "\",\"object\":" object "}\n"
#define ADDED(name, version)   EVENT("ADDED", OBJECT(name, version))
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

/* Lines of a script: an answer; the same with headers; one that stays open for
 * so long, and one that is torn then. */
#define ANSWER_WITH(asked, status, headers, body)                              \
	{ asked, status, headers, body, 0, 0, 0, NULL }
#define ANSWER(asked, status, body) ANSWER_WITH(asked, status, NULL, body)
#define STREAM(asked, body, ms) { asked, 200, NULL, body, 0, ms, 0, NULL }
#define TORN(asked, body, ms) { asked, 200, NULL, body, 0, ms, 1, NULL }

/* The ways in which scripts begin and end. */
#define NO_WATCHLIST                                                           \
	ANSWER("sendInitialEvents=true resourceVersionMatch=NotOlderThan "     \
	       "allowWatchBookmarks=true watch=1",                             \
		422, STATUS(422, "Invalid", "forbidden for watch"))
#define FIRST_LIST(version, items)                                             \
	ANSWER("limit=500 resourceVersion=0 !watch= !continue=", 200,          \
		LIST(version, items))
#define LISTED(items) NO_WATCHLIST, FIRST_LIST("10", items)
#define WATCH(version, events, ms)                                             \
	STREAM("watch=1 !sendInitialEvents allowWatchBookmarks=true "          \
	       "timeoutSeconds= resourceVersion=" version,                     \
		events, ms)
#define WATCH_FOREVER(version) WATCH(version, NULL, REPLAY_FOREVER)
#define END { NULL, 0, NULL, NULL, 0, 0, 0, NULL }

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
	char *reason;          /* the last one */
	struct str reasons;    /* all of them, a line each */
	char version[16]; /* of the last object */
	/* what is waited for */
	const char *set;
	size_t requests;
	const char *words;
};

static const char *const both_versions[] = { "v1", "v1beta1", NULL };

/* ---- what the reflector says */

static inline void
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

static inline void
on_gone(const char *ns, const char *name, void *arg)
{
	struct world *w = arg;
	char *key = xasprintf("%s/%s", ns, name);

	str_printf(&w->said, "-%s ", key);
	assert_true(table_remove(w->objects, key));
	free(key);
}

static inline void
on_settled(bool whole, void *arg)
{
	struct world *w = arg;

	str_puts(&w->said, whole ? "settled " : "settled-in-part ");
}

static inline void
on_state(enum kubernetes_state state, const char *reason, void *arg)
{
	static const char *const words[] = { "beginning", "current", "stale",
		"forbidden", "absent" };
	struct world *w = arg;

	str_printf(&w->said, "%s ", words[state]);
	free(w->reason);
	w->reason = xstrdup(reason);
	str_printf(&w->reasons, "%s\n", reason);
}

static const struct kubernetes_reflector_events world_events = { on_put,
	on_gone, on_settled, on_state };

static inline int
text_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "d/a@1 d/b@7": all objects; caller frees. */
static inline char *
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

static inline int
set_up(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));

	w->loop = loop_new();
	w->http = http_client_new(w->loop);
	w->objects = table_new(free);
	str_init(&w->said);
	str_init(&w->reasons);
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

static inline int
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
	str_fini(&w->reasons);
	free(w->reason);
	free(w);
	return 0;
}

/* Where the API server is, from now on. */
static inline void
server_write(const struct world *w, const char *host, const char *path)
{
	file_write("config",
		"current-context: x\n"
		"contexts: [{name: x, context: {cluster: c, user: u}}]\n"
		"clusters: [{name: c, cluster: {server: "
		"'http://%s:%u%s'}}]\n"
		"users: [{name: u, user: {tokenFile: token}}]\n",
		host, replay_port(w->replay), path);
}

static inline void
begin_collection(struct world *w, const struct replay_line *script,
	struct kubernetes_collection c)
{
	struct error err = ERROR_INIT;

	w->replay = replay_new(w->loop, script, w);
	file_write("token", "one");
	server_write(w, "127.0.0.1", "");
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
	w->reflector = kubernetes_reflector_new(w->api, &c, &world_events, w);
}

static inline void
begin(struct world *w, const struct replay_line *script)
{
	begin_collection(w, script,
		(struct kubernetes_collection){
			.group = "discovery.k8s.io",
			.versions = both_versions,
			.plural = "endpointslices",
		});
}

static inline bool
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
static inline void
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

static inline void
play(struct world *w, const struct replay_line *script, const char *set)
{
	size_t count = 0;

	while (script[count].asked != NULL)
		count++;
	begin(w, script);
	reach(w, count, set);
}

static inline bool
has_said(const struct world *w, const char *text)
{
	return strstr(w->said.data, text) != NULL;
}

static inline void
expect_reason(const struct world *w, const char *part)
{
	if (w->reason == NULL || strstr(w->reason, part) == NULL)
		fail_msg("\"%s\" is not in: %s", part,
			w->reason == NULL ? "nothing" : w->reason);
}

static inline bool
words_are_said(void *arg)
{
	const struct world *w = arg;

	return has_said(w, w->words);
}

/* The last request may be here, and its answer not: that is waited for. */
static inline void
said_has(struct world *w, const char *part)
{
	w->words = part;
	if (!has_said(w, part) && !run_for(w->loop, WAIT_MS, words_are_said, w))
		fail_msg("\"%s\" is not in: %s", part, w->said.data);
}

static inline void
said_is(struct world *w, const char *text)
{
	said_has(w, text);
	assert_string_equal(w->said.data, text);
}

static inline void
said_not(const struct world *w, const char *part)
{
	if (has_said(w, part))
		fail_msg("\"%s\" is in: %s", part, w->said.data);
}

static inline struct kubernetes_reflector_counts
counts_of(const struct world *w)
{
	struct kubernetes_reflector_counts counts;

	kubernetes_reflector_counts(w->reflector, &counts);
	return counts;
}

#endif
