/* Probes of what calls to functions need. */
#include "control/function_probe.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/table.h"
#include "control/admin.h"
#include "control/object.h"
#include "net/loop.h"

struct waiter {
	struct waiter *next;
	struct probe *probe;
	struct http_server_request *request;
	struct loop_timer *timer;
};

struct probe { /* that runs */
	struct function_probes *all;
	char *key; /* of its upstream */
	struct doc *findings;
	struct waiter *waiters;
};

struct function_probes {
	struct control *control;
	struct table *running; /* key to struct probe */
};

/* ---- those who wait */

static void
waiter_free(struct waiter *w)
{
	loop_timer_free(w->timer);
	free(w);
}

static void
finding_add(struct doc *to, enum kind_level level, const char *sentence)
{
	static const char *const levels[] = {
		[KIND_OK] = "ok",
		[KIND_NOTE] = "note",
		[KIND_WARNING] = "warning",
		[KIND_ERROR] = "error",
	};
	struct doc *d = doc_add(to, doc_new_map());
	char *text = xstrdup(sentence);

	/* Others' words may be in it. */
	text_defuse(text);
	doc_set_string(d, "level", levels[level]);
	doc_set_string(d, "sentence", text);
	free(text);
}

/* more: a warning beside what was found; NULL: that is all. */
static void
waiter_answer(struct waiter *w, const char *more)
{
	struct doc *d = doc_new_map();
	struct doc *findings =
		doc_set(d, "findings", doc_copy(w->probe->findings));

	if (more != NULL)
		finding_add(findings, KIND_WARNING, more);
	admin_reply_doc(w->request, 200, d);
	waiter_free(w);
}

static void
on_patience(void *arg)
{
	struct waiter *w = arg;
	struct waiter **at = &w->probe->waiters;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	waiter_answer(w, "not all of it was answered within 30 seconds");
}

static void
waiter_add(struct probe *p, struct http_server_request *r)
{
	struct waiter *w = xcalloc(1, sizeof(*w));

	w->probe = p;
	w->request = r;
	w->timer = loop_timer_new(p->all->control->loop, on_patience, w);
	loop_timer_start(w->timer, FUNCTION_PROBE_MS);
	w->next = p->waiters;
	p->waiters = w;
}

/* ---- those that run */

static void
probe_free(void *value)
{
	struct probe *p = value;

	doc_free(p->findings);
	free(p->key);
	free(p);
}

/* p is freed. */
static void
probe_end(struct probe *p, const char *more)
{
	struct waiter *w;

	while ((w = p->waiters) != NULL) {
		p->waiters = w->next;
		waiter_answer(w, more);
	}
	table_remove(p->all->running, p->key);
}

static void
on_finding(enum kind_level level, const char *sentence, void *arg)
{
	finding_add(((struct probe *)arg)->findings, level, sentence);
}

static void
on_done(void *arg)
{
	probe_end(arg, NULL);
}

void
function_probe_run(struct function_probes *all, const struct object *o,
	void *state, const char *problem, struct http_server_request *r)
{
	struct probe *p = table_get(all->running, o->key);

	if (p != NULL) {
		waiter_add(p, r);
		return;
	}
	p = xcalloc(1, sizeof(*p));
	p->all = all;
	p->key = xstrdup(o->key);
	p->findings = doc_new_list();
	table_set(all->running, o->key, p);
	if (problem != NULL)
		finding_add(p->findings, KIND_ERROR, problem);
	waiter_add(p, r);
	o->model->upstream->kind->probe(state, on_finding, on_done, p);
}

void
function_probe_give_up(struct function_probes *all, const char *key)
{
	struct probe *p = all == NULL ? NULL : table_get(all->running, key);

	if (p != NULL)
		probe_end(p, "the upstream was changed meanwhile: ask again");
}

struct function_probes *
function_probes_new(struct control *c)
{
	struct function_probes *all = xcalloc(1, sizeof(*all));

	all->control = c;
	all->running = table_new(probe_free);
	return all;
}

void
function_probes_free(struct function_probes *all)
{
	size_t place = 0;
	const char *key;
	void *value;

	if (all == NULL)
		return;
	while (table_next(all->running, &place, &key, &value)) {
		struct probe *p = value;
		struct waiter *w;

		while ((w = p->waiters) != NULL) {
			p->waiters = w->next;
			admin_reply_error(
				w->request, 503, 0, "the gateway stops");
			waiter_free(w);
		}
	}
	table_free(all->running);
	free(all);
}
