/* The instances of a service in one data centre. */
#include "kinds/consul/feed.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "net/loop.h"

struct consul_feed {
	struct consul *consul;
	struct loop *loop;
	struct consul_follow *follow;
	char *service, *path;
	uint8_t consistency;
	bool use_cache;

	struct consul_query *query; /* NULL: waits for the own data centre */
	char *local; /* the own data centre when the query began, or NULL */

	struct consul_instances now;
	size_t shown;   /* of them, the first; the rest was shown before rights
			 * were lost */
	bool used;      /* endpoints of an earlier run may be its own */
	bool known;     /* now is all that there is */
	bool answered;  /* at least once since the start */
	bool empty;     /* the last answer had nobody that could be used */
	char *unusable; /* why, of the first of those that were there */
	bool filtered;  /* and hid some */
	uint64_t empty_ms;
	char *failure; /* NULL: it works */
	uint64_t failed_ms;

	void (*changed)(void *arg);
	void *arg;
};

/* ---- what is believed */

static bool
has_something(const struct consul_feed *f)
{
	return f->now.count > 0 || (!f->known && f->used);
}

/* Nobody is there, and that is neither nonsense nor a lack of rights. The
 * catalog as somebody with few rights sees it is enough if it has shown the
 * service before. */
static bool
empty_is_true(const struct consul_feed *f)
{
	enum consul_presence presence = consul_follow_presence(f->follow);

	if (!has_something(f))
		return true;
	if (f->filtered || f->unusable != NULL)
		return false;
	return presence == CONSUL_GONE ||
	       (presence == CONSUL_UNLISTED && f->known);
}

static void
empty_look(struct consul_feed *f)
{
	if (!f->empty || !empty_is_true(f))
		return;
	consul_instances_fini(&f->now);
	f->now = (struct consul_instances){ 0 };
	f->shown = 0;
	f->known = true;
}

static int
owner_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static bool
owner_is_in(const struct consul_instance *i, const uint64_t *sorted,
	size_t count)
{
	uint64_t owner = consul_instance_owner(i);

	return count > 0 && bsearch(&owner, sorted, count, sizeof(owner),
				    owner_compare) != NULL;
}

static bool
is_garbled(const struct consul_instances *got, const struct consul_instance *i)
{
	return owner_is_in(i, got->garbled, got->garbled_count);
}

/* Moves into more those of old that it does not have: from that place on all,
 * before it only who is garbled in more; those come first. Returns how many of
 * more are from more or garbled. */
static size_t
instances_keep(struct consul_instances *more, struct consul_instances *old,
	size_t from)
{
	size_t count = more->count, shown = 0;
	uint64_t *owners;

	if (from == old->count && more->garbled_count == 0)
		return count;
	owners = xcalloc(count + 1, sizeof(*owners));
	for (size_t i = 0; i < count; i++)
		owners[i] = consul_instance_owner(&more->items[i]);
	qsort(owners, count, sizeof(*owners), owner_compare);
	if (more->garbled_count > 0)
		qsort(more->garbled, more->garbled_count,
			sizeof(*more->garbled), owner_compare);
	more->items = xreallocarray(
		more->items, count + old->count + 1, sizeof(*more->items));
	for (int garbled = 1; garbled >= 0; garbled--) {
		for (size_t i = garbled ? 0 : from; i < old->count; i++) {
			struct consul_instance *one = &old->items[i];

			if (one->id == NULL ||
				(garbled && !is_garbled(more, one)) ||
				owner_is_in(one, owners, count))
				continue;
			more->items[more->count++] = *one;
			*one = (struct consul_instance){ 0 };
		}
		if (garbled)
			shown = more->count;
	}
	free(owners);
	return shown;
}

/* Takes got, which has somebody. Who has always had few rights sees instances
 * come and go; who loses some does not see others go. */
static void
instances_take(
	struct consul_feed *f, struct consul_instances *got, bool was_filtered)
{
	size_t from = !f->filtered   ? f->now.count
		      : was_filtered ? f->shown
				     : 0;

	f->shown = instances_keep(got, &f->now, from);
	consul_instances_fini(&f->now);
	f->now = *got;
	if (!f->filtered || !f->used)
		f->known = true;
}

static int
on_answer(const struct consul_answer *answer, void *arg, struct error *err)
{
	struct consul_feed *f = arg;
	struct consul_instances got;
	bool was_empty = f->empty, was_filtered = f->filtered;

	if (consul_instances_read(answer->body, f->local, &got, err) != 0)
		return -1;
	f->answered = true;
	f->filtered = answer->filtered;
	f->empty = got.count == 0;
	free(f->unusable);
	f->unusable = NULL;
	if (!f->empty) {
		instances_take(f, &got, was_filtered);
	} else {
		f->unusable = got.problem;
		got.problem = NULL;
		consul_instances_fini(&got);
		if (!was_empty)
			f->empty_ms = loop_now_ms(f->loop);
		if (f->filtered)
			f->shown = 0; /* these rights show nobody */
		empty_look(f);
	}
	f->changed(f->arg);
	return 0;
}

/* why NULL: it works. */
static void
failure_set(struct consul_feed *f, const char *why)
{
	const char *datacenter = consul_follow_datacenter(f->follow);

	if (f->failure == NULL)
		f->failed_ms = loop_now_ms(f->loop);
	free(f->failure);
	f->failure = why == NULL          ? NULL
		     : datacenter == NULL ? xstrdup(why)
					  : xasprintf("data centre \"%s\": %s",
						    datacenter, why);
	consul_follow_failing(f->follow, f->failure);
}

static void
on_failed(const char *why, uint64_t since_ms, void *arg)
{
	struct consul_feed *f = arg;

	(void)since_ms; /* the host notes when it is told */
	failure_set(f, why);
	f->changed(f->arg);
}

/* ---- asking */

static bool
local_is_same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Which of its addresses an instance is called at depends on where we are. */
static void
query_start(struct consul_feed *f)
{
	static const struct consul_events events = { on_answer, on_failed };
	const char *datacenter = consul_follow_datacenter(f->follow);
	const char *local =
		datacenter == NULL ? NULL : consul_own_datacenter(f->consul);
	struct consul_question question = {
		.path = f->path,
		.datacenter = datacenter,
		.consistency = f->consistency,
		.use_cache = f->use_cache,
	};

	if (datacenter != NULL && consul_own_datacenter_is_due(f->consul))
		return;
	if (f->query != NULL && local_is_same(f->local, local))
		return;
	consul_query_free(f->query);
	failure_set(f, NULL); /* the next one tells of its own */
	free(f->local);
	f->local = local == NULL ? NULL : xstrdup(local);
	f->query = consul_query_new(
		consul_agent_of(f->consul), &question, &events, f);
}

static void
on_presence(void *arg)
{
	struct consul_feed *f = arg;

	query_start(f);
	empty_look(f);
	f->changed(f->arg);
}

/* ---- its life */

struct consul_feed *
consul_feed_new(struct consul *c, struct loop *loop,
	const struct consul_spec *spec, const char *datacenter, bool used,
	void (*changed)(void *arg), void *arg)
{
	struct consul_feed *f = xcalloc(1, sizeof(*f));
	struct str path;

	f->consul = c;
	f->loop = loop;
	f->service = xstrdup(spec->service_name);
	str_init(&path);
	str_puts(&path, "/v1/health/service/");
	str_put_escaped(&path, f->service);
	f->path = str_steal(&path);
	f->consistency = spec->consistency;
	f->use_cache = spec->use_cache.value;
	f->used = used;
	f->changed = changed;
	f->arg = arg;
	f->follow =
		consul_follow_new(c, datacenter, f->service, on_presence, f);
	query_start(f);
	return f;
}

void
consul_feed_free(struct consul_feed *f)
{
	if (f == NULL)
		return;
	consul_query_free(f->query);
	consul_follow_free(f->follow);
	consul_instances_fini(&f->now);
	free(f->service);
	free(f->path);
	free(f->local);
	free(f->unusable);
	free(f->failure);
	free(f);
}

/* ---- questions */

const struct consul_instances *
consul_feed_instances(const struct consul_feed *f)
{
	return &f->now;
}

bool
consul_feed_is_known(const struct consul_feed *f)
{
	return f->known;
}

const char *
consul_feed_datacenter(const struct consul_feed *f)
{
	const char *name = consul_follow_datacenter(f->follow);

	return name != NULL ? name : consul_own_datacenter(f->consul);
}

bool
consul_feed_has_spoken(const struct consul_feed *f)
{
	return f->answered || f->failure != NULL;
}

static char *
service_text(const struct consul_feed *f)
{
	const char *datacenter = consul_follow_datacenter(f->follow);

	if (datacenter == NULL)
		return xasprintf("service \"%s\"", f->service);
	return xasprintf(
		"service \"%s\" of data centre \"%s\"", f->service, datacenter);
}

static char *
empty_problem(const struct consul_feed *f)
{
	enum consul_presence presence = consul_follow_presence(f->follow);
	char *service = service_text(f), *text;

	if (f->unusable != NULL)
		text = xasprintf("no instance of %s can be used%s: %s", service,
			has_something(f) ? ", and those that were known stay"
					 : "",
			f->unusable);
	else if (!has_something(f) && presence == CONSUL_LISTED)
		text = xasprintf("Consul shows no instance of %s, though its "
				 "catalog lists it: the token may lack "
				 "service:read or node:read",
			service);
	else if (!has_something(f))
		text = xasprintf("there is no %s in Consul's catalog, or the "
				 "token may not read it",
			service);
	else
		text = xasprintf("Consul shows no instance of %s any more, %s: "
				 "those that were known stay; the token may "
				 "lack service:read or node:read",
			service,
			presence == CONSUL_LISTED
				? "though its catalog lists it"
			: f->filtered ? "and hides some for lack of rights"
				      : "and its catalog does not say that it "
					"is gone");
	free(service);
	return text;
}

/* What is not there, and what nobody has, is said at once. */
static uint64_t
empty_due(const struct consul_feed *f, bool nobody)
{
	enum consul_presence presence = consul_follow_presence(f->follow);

	if (!has_something(f) &&
		(presence == CONSUL_GONE || presence == CONSUL_UNLISTED))
		return nobody ? 0 : UINT64_MAX;
	return f->empty_ms + CONSUL_EMPTY_TELL_MS;
}

static char *
filtered_problem(const struct consul_feed *f)
{
	char *service = service_text(f), *text;

	text = xasprintf("Consul hides instances of %s for lack of rights: "
			 "those that were known stay; give the token "
			 "service:read and node:read",
		service);
	free(service);
	return text;
}

char *
consul_feed_problem(const struct consul_feed *f, bool nobody, uint64_t *due_ms)
{
	uint64_t now = loop_now_ms(f->loop), due = UINT64_MAX;
	char *problem = NULL;

	if (f->failure != NULL) {
		due = f->answered ? f->failed_ms + CONSUL_STALE_TELL_MS : 0;
		if (now >= due)
			problem = xstrdup(f->failure);
	}
	if (problem == NULL && f->empty) {
		if (empty_due(f, nobody) < due)
			due = empty_due(f, nobody);
		if (now >= due)
			problem = empty_problem(f);
	} else if (problem == NULL && f->filtered) {
		problem = filtered_problem(f);
	}
	*due_ms = problem == NULL && due != UINT64_MAX ? due : 0;
	return problem;
}
