/* Upstreams, their endpoints and who is in work there. */
#include "proxy/upstream.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/table.h"
#include "model/endpoint_key.h"
#include "net/shm.h"
#include "proxy/attempt.h"
#include "proxy/breaker.h"
#include "proxy/call_credentials.h"
#include "proxy/exchange.h"
#include "proxy/generation.h"
#include "proxy/link.h"
#include "proxy/secure.h"
#include "proxy/streak.h"
#include "proxy/trust.h"
#include "proxy/worker.h"
#include "routing/balance.h"

#define LOOK_MS    50   /* whether those who wait may go on */
#define REFUSED_MS 1000 /* credentials: control is not told more often */
#define REFUSED_LONG_MS 60000 /* so long ago is another matter */

struct registry {
	struct worker *worker;
	struct upstream *by_id[UPSTREAMS_MAX];
};

/* ---- sets */

static void
texts_end(struct endpoint *e)
{
	e->host[ENDPOINT_HOST_MAX - 1] = '\0';
	e->server_name[ENDPOINT_HOST_MAX - 1] = '\0';
}

struct endpoint_set *
endpoint_set_new(int fd, uint32_t count, uint64_t version, struct error *err)
{
	struct endpoint_set *s;
	const void *bytes = NULL;
	size_t length = 0;

	if (count > ENDPOINTS_MAX) {
		error_set(err, ERROR_LIMIT, "%u endpoints are too many", count);
		return NULL;
	}
	if (count > 0) {
		bytes = shm_map_sealed(fd, &length, err);
		if (bytes == NULL)
			return NULL;
		if (length != count * sizeof(struct endpoint)) {
			error_set(err, ERROR_CONFIG,
				"%zu bytes are not %u endpoints", length,
				count);
			shm_unmap(bytes, length);
			return NULL;
		}
	}
	s = xmalloc(sizeof(*s) + length);
	atomic_init(&s->refs, 1);
	s->count = count;
	s->version = version;
	if (count > 0) {
		memcpy(s->items, bytes, length);
		shm_unmap(bytes, length);
	}
	for (uint32_t i = 0; i < count; i++)
		texts_end(&s->items[i]);
	return s;
}

struct endpoint_set *
endpoint_set_ref(struct endpoint_set *s)
{
	atomic_fetch_add(&s->refs, 1);
	return s;
}

void
endpoint_set_unref(struct endpoint_set *s)
{
	if (s != NULL && atomic_fetch_sub(&s->refs, 1) == 1)
		free(s);
}

/* ---- backends */

static struct backend *
backend_new(struct worker *w, uint32_t id, const struct endpoint *e)
{
	struct backend *b = xcalloc(1, sizeof(*b));

	b->id = id;
	b->addr = e->addr;
	b->owner = e->owner;
	b->host = xstrdup(e->host);
	b->host_rewrite = e->host_rewrite;
	b->server_name = xstrdup(e->server_name);
	b->counts = &w->counters->upstream[id];
	return b;
}

static void
backend_free_if_done(struct backend *b)
{
	if (b->upstream != NULL || b->links > 0 || b->active > 0)
		return;
	streak_forget(b);
	secure_leave(b->secure, false);
	free(b->host);
	free(b->server_name);
	free(b->subsets);
	free(b->places);
	free(b);
}

static void
backend_leave(struct backend *b)
{
	b->links++; /* it must outlive the last idle connection */
	while (b->idle != NULL)
		link_close(b->idle);
	b->upstream = NULL;
	backend_unlink(b);
}

/* The name that TLS asks for and checks. */
static const char *
name_of(const struct backend *b, const struct trust *trust,
	char address[ADDR_TEXT_MAX])
{
	if (trust->server_name[0] != '\0')
		return trust->server_name;
	if (b->server_name[0] != '\0')
		return b->server_name;
	if (b->host[0] != '\0')
		return b->host;
	return addr_format_ip(&b->addr, address);
}

/* TLS is spoken there as its upstream has it from now on. Connections that wait
 * and were made otherwise end; so do the others when they are back. */
static void
backend_secure(struct backend *b)
{
	struct trust *trust = b->upstream->trust;
	struct secure *was = b->secure;
	char address[ADDR_TEXT_MAX];
	const char *name;

	if (trust == NULL && was == NULL)
		return;
	name = trust != NULL ? name_of(b, trust, address) : "";
	if (trust != NULL && was != NULL && secure_is_of(was, trust, name))
		return;
	while (b->idle != NULL)
		link_close(b->idle);
	b->secure = trust != NULL ? secure_new(b->upstream->worker, b, trust,
					    name, was)
				  : NULL;
	secure_leave(was, true);
}

static struct balance_candidate *
candidate_of(const struct backend *b)
{
	return balance_candidate(b->upstream->balance, b->index);
}

static void
active_note(const struct backend *b)
{
	if (b->upstream != NULL)
		candidate_of(b)->active = b->active;
	if (b->place_count > 0)
		subset_note_active(b);
}

void
backend_use(struct backend *b)
{
	b->active++;
	active_note(b);
}

void
backend_release(struct backend *b)
{
	b->active--;
	active_note(b);
	backend_free_if_done(b);
}

void
backend_begin(struct backend *b)
{
	gauge_up(&b->counts->requests_active);
	backend_use(b);
}

void
backend_end(struct backend *b)
{
	gauge_down(&b->counts->requests_active);
	backend_release(b);
}

void
backend_link(struct backend *b)
{
	b->links++;
}

void
backend_unlink(struct backend *b)
{
	b->links--;
	backend_free_if_done(b);
}

/* ---- the registry */

struct registry *
registry_new(struct worker *w)
{
	struct registry *r = xcalloc(1, sizeof(*r));

	r->worker = w;
	return r;
}

/* Serves those who wait, as far as there are connections. */
static void
waiting_serve(struct upstream *u)
{
	while (u->waiting != NULL && attempt_resume(u->waiting))
		;
}

static void
on_later(struct worker_later *later)
{
	waiting_serve(
		(struct upstream *)(void *)((char *)later -
					    offsetof(struct upstream, later)));
}

/* Nobody tells us of connections that other workers close, nor of limits that
 * a new generation raises. Those that others only keep they are asked for. */
static void
on_look(struct wheel_timer *t)
{
	struct upstream *u =
		(struct upstream *)(void *)((char *)t -
					    offsetof(struct upstream, look));
	struct worker *w = u->worker;
	const struct mail crowded = { .type = MAIL_CROWDED, .number = u->id };

	waiting_serve(u);
	if (u->waiting != NULL) {
		mailbox_send(w->outbox, &crowded);
		upstream_look_later(u);
	}
	worker_leave(w);
}

void
upstream_look_later(struct upstream *u)
{
	if (!wheel_timer_is_set(&u->look))
		wheel_timer_set(u->worker->wheel, &u->look,
			worker_now(u->worker) + LOOK_MS);
}

static struct trust *
trust_of(const struct generation *g, uint32_t id)
{
	return g != NULL ? generation_trust(g, id) : NULL;
}

static struct upstream *
upstream_new(struct registry *r, uint32_t id)
{
	struct upstream *u = xcalloc(1, sizeof(*u));

	u->id = id;
	u->worker = r->worker;
	u->balance = balance_new(0);
	u->waiting_last = &u->waiting;
	u->trust = trust_of(r->worker->generation, id);
	if (u->trust != NULL)
		trust_ref(u->trust);
	u->later.run = on_later;
	wheel_timer_init(&u->look, on_look);
	return u;
}

/* The endpoints that it had; those that moved to the new set are NULL. */
static void
backends_leave(struct backend **backends, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (backends[i] != NULL)
			backend_leave(backends[i]);
	free(backends);
}

static void
upstream_free(struct upstream *u)
{
	if (u == NULL)
		return;
	while (u->waiting != NULL)
		attempt_refuse(u->waiting);
	subsets_drop(u);
	backends_leave(u->backends, balance_count(u->balance));
	worker_later_remove(u->worker, &u->later);
	wheel_timer_remove(u->worker->wheel, &u->look);
	balance_free(u->balance);
	trust_unref(u->trust);
	call_credentials_unref(u->credentials);
	free(u);
}

void
registry_free(struct registry *r)
{
	if (r == NULL)
		return;
	for (uint32_t i = 0; i < UPSTREAMS_MAX; i++)
		upstream_free(r->by_id[i]);
	free(r);
}

/* Moves what the old set shares with the new one; the rest stays behind. */
static void
backends_move(struct backend **old, size_t old_count,
	const struct endpoint_set *set, struct backend **to)
{
	struct endpoint_key *had = xcalloc(old_count + 1, sizeof(*had));
	struct endpoint_key *want = xcalloc(set->count + 1, sizeof(*want));
	uint32_t *from = xcalloc(set->count + 1, sizeof(*from));

	for (size_t n = 0; n < old_count; n++)
		had[n] = (struct endpoint_key){ &old[n]->addr, old[n]->owner,
			(uint32_t)n };
	for (uint32_t n = 0; n < set->count; n++)
		want[n] = (struct endpoint_key){ &set->items[n].addr,
			set->items[n].owner, n };
	endpoint_keys_sort(had, old_count);
	endpoint_keys_sort(want, set->count);
	endpoint_keys_match(had, old_count, want, set->count, from);
	for (uint32_t n = 0; n < set->count; n++) {
		if (from[n] == ENDPOINT_KEY_NONE)
			continue;
		to[n] = old[from[n]];
		old[from[n]] = NULL;
	}
	free(had);
	free(want);
	free(from);
}

static void
health_set(struct backend *b, uint8_t health)
{
	struct balance_candidate *c = candidate_of(b);

	if (health == ENDPOINT_UP && c->health != ENDPOINT_UP) {
		c->up_ms = worker_now(b->upstream->worker);
		b->errors = b->gateway_errors = 0;
	}
	c->health = health;
	if (b->place_count > 0)
		subset_note_health(b);
}

static void
subsets_set(struct backend *b, const struct endpoint *e)
{
	static const uint64_t none[SUBSETS_MAX];

	free(b->subsets);
	b->subsets = NULL;
	if (memcmp(e->subsets, none, sizeof(none)) != 0)
		b->subsets = xmemdup(e->subsets, sizeof(e->subsets));
}

static void
text_set(char **at, const char *text)
{
	if (strcmp(*at, text) == 0)
		return;
	free(*at);
	*at = xstrdup(text);
}

/* b takes its place in u's set; before: as it was balanced, or NULL. */
static void
backend_adopt(struct upstream *u, uint32_t index, const struct endpoint *e,
	const struct balance_candidate *before)
{
	struct backend *b = u->backends[index];
	struct balance_candidate *c = balance_candidate(u->balance, index);

	text_set(&b->host, e->host);
	b->host_rewrite = e->host_rewrite;
	text_set(&b->server_name, e->server_name);
	if (e->owner != 0)
		b->owner = e->owner;
	subsets_set(b, e);
	b->upstream = u;
	b->index = index;
	backend_secure(b);
	*c = (struct balance_candidate){
		.identity = hash_bytes(
			b->addr.ip, sizeof(b->addr.ip), b->addr.port_be),
		.up_ms = before != NULL ? before->up_ms : worker_now(u->worker),
		.active = b->active,
		.weight = e->weight,
		.health = before != NULL ? before->health : e->health,
	};
	health_set(b, e->health);
}

/* Endpoints that stay keep their connections and their past. */
static void
upstream_set(struct upstream *u, const struct endpoint_set *set)
{
	struct balance *was = u->balance;
	struct backend **old = u->backends;

	subsets_drop(u);
	u->backends = xcalloc(set->count + 1, sizeof(*u->backends));
	u->balance = balance_new(set->count);
	backends_move(old, balance_count(was), set, u->backends);
	for (uint32_t i = 0; i < set->count; i++) {
		struct backend *b = u->backends[i];
		const struct balance_candidate *before = NULL;

		if (b != NULL)
			before = balance_candidate(was, b->index);
		else
			u->backends[i] =
				backend_new(u->worker, u->id, &set->items[i]);
		backend_adopt(u, i, &set->items[i], before);
	}
	backends_leave(old, balance_count(was));
	balance_free(was);
	upstream_wake(u);
}

/* NULL: there is no such id. */
static struct upstream *
upstream_make(struct registry *r, uint32_t id)
{
	if (id == 0 || id >= UPSTREAMS_MAX)
		return NULL;
	if (r->by_id[id] == NULL)
		r->by_id[id] = upstream_new(r, id);
	return r->by_id[id];
}

void
registry_set(struct registry *r, uint32_t id, const struct endpoint_set *set)
{
	struct upstream *u = upstream_make(r, id);

	if (u != NULL)
		upstream_set(u, set);
}

void
registry_credentials(
	struct registry *r, uint32_t id, struct call_credentials *credentials)
{
	struct upstream *u = credentials != NULL ? upstream_make(r, id)
						 : registry_get(r, id);

	if (u == NULL)
		return;
	call_credentials_unref(u->credentials);
	u->credentials = call_credentials_ref(credentials);
	u->credentials_count++;
	u->refused_ms = 0;
}

void
upstream_credentials_refused(struct upstream *u)
{
	const struct mail mail = { .type = MAIL_CREDENTIALS_REFUSED,
		.number = u->id };
	uint64_t now = worker_now(u->worker);

	if (u->refused_ms == 0 || now >= u->refused_ms + REFUSED_LONG_MS)
		u->refused_ms = now;
	if (u->refused_told_ms != 0 && now < u->refused_told_ms + REFUSED_MS)
		return;
	u->refused_told_ms = now;
	mailbox_send(u->worker->outbox, &mail);
}

void
registry_health(struct registry *r, uint32_t id, const struct addr *addr,
	uint64_t owner, enum endpoint_health health)
{
	struct upstream *u = registry_get(r, id);

	if (u == NULL)
		return;
	for (size_t i = 0; i < balance_count(u->balance); i++) {
		struct backend *b = u->backends[i];

		if (addr_equal(&b->addr, addr) &&
			endpoint_owner_fits(b->owner, owner))
			health_set(b, (uint8_t)health);
	}
	balance_changed(u->balance);
}

static void
upstream_secure(struct upstream *u, struct trust *trust)
{
	if (u->trust == trust)
		return;
	trust_unref(u->trust);
	u->trust = trust != NULL ? trust_ref(trust) : NULL;
	for (size_t i = 0; i < balance_count(u->balance); i++)
		backend_secure(u->backends[i]);
}

/* What is no longer in it, or is not served, says nothing of TLS and stays as
 * it is while requests of an older generation may be on their way there. Then
 * what is not served lets go of its keys. */
void
registry_secure(struct registry *r, const struct generation *g, bool older)
{
	for (uint32_t id = 1; id < UPSTREAMS_MAX; id++) {
		const struct image_upstream *u;

		if (r->by_id[id] == NULL)
			continue;
		u = image_upstream_get(g->image, id);
		if (u == NULL)
			continue;
		if (u->tls != 0 || u->unavailable.length == 0 || !older)
			upstream_secure(r->by_id[id], generation_trust(g, id));
	}
}

void
registry_forget(struct registry *r, uint32_t id)
{
	if (id >= UPSTREAMS_MAX)
		return;
	upstream_free(r->by_id[id]);
	r->by_id[id] = NULL;
}

struct upstream *
registry_get(const struct registry *r, uint32_t id)
{
	return id < UPSTREAMS_MAX ? r->by_id[id] : NULL;
}

static struct link *
idle_find(const struct upstream *u)
{
	for (size_t i = 0; i < balance_count(u->balance); i++)
		if (u->backends[i]->idle != NULL)
			return u->backends[i]->idle;
	return NULL;
}

bool
upstream_close_one_idle(struct upstream *u)
{
	struct link *l = u->idle_count > 0 ? idle_find(u) : NULL;

	link_close(l);
	return l != NULL;
}

void
registry_close_idle(struct registry *r)
{
	for (uint32_t i = 0; i < UPSTREAMS_MAX; i++)
		while (r->by_id[i] != NULL &&
			upstream_close_one_idle(r->by_id[i]))
			;
}

void
upstream_wake(struct upstream *u)
{
	if (u != NULL && u->waiting != NULL)
		worker_later_add(u->worker, &u->later);
}

/* members: NULL for all of them. */
static struct backend *
member_at(const struct upstream *u, const uint32_t *members, size_t i)
{
	return u->backends[members != NULL ? members[i] : i];
}

static size_t
number_of(const struct upstream *u, const uint32_t *members, size_t count,
	const struct addr *addr)
{
	for (size_t i = 0; addr != NULL && i < count; i++)
		if (addr_equal(&member_at(u, members, i)->addr, addr))
			return i;
	return BALANCE_NONE;
}

struct backend *
upstream_choose(struct upstream *u, const struct policy_balance *policy,
	uint64_t subset, const uint64_t *hash, const struct addr *avoid)
{
	const struct subset *s = subset != 0 ? subset_get(u, subset) : NULL;
	struct balance *balance = s != NULL ? s->balance : u->balance;
	const uint32_t *members = s != NULL ? s->members : NULL;
	const struct balance_request r = {
		.now_ms = worker_now(u->worker),
		.random = &u->worker->random,
		.hash = hash != NULL ? *hash : 0,
		.hashed = hash != NULL,
		.avoid = number_of(u, members, balance_count(balance), avoid),
	};
	size_t at = balance_pick(balance, policy, &r);

	return at == BALANCE_NONE ? NULL : member_at(u, members, at);
}

struct backend *
upstream_pick(
	struct upstream *u, const struct exchange *x, const struct addr *avoid)
{
	return upstream_choose(u, &x->upstream->balance, x->subset,
		x->hashed ? &x->hash : NULL, avoid);
}
