/* Credentials with which functions are called. */
#include "control/credentials.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/table.h"
#include "control/discovery.h"
#include "control/generation.h"
#include "control/object.h"
#include "control/supervise.h"
#include "model/kind.h"
#include "net/shm.h"

struct entry {
	uint32_t id;
	const char *kind;
	void *bytes; /* NULL: there are none */
	size_t length;
	bool using;    /* by the image that is being made */
	bool used;     /* by the newest image */
	bool told;     /* the proxy has some, or may have */
	uint64_t gone; /* the first generation without; 0: it is used */
};

struct credentials {
	struct table *items; /* id in digits to struct entry */
};

static void
bytes_wipe(struct entry *e)
{
	if (e->bytes != NULL)
		mem_wipe(e->bytes, e->length);
	free(e->bytes);
	e->bytes = NULL;
	e->length = 0;
}

static void
entry_free(void *value)
{
	bytes_wipe(value);
	free(value);
}

struct credentials *
credentials_new(void)
{
	struct credentials *all = xcalloc(1, sizeof(*all));

	all->items = table_new(entry_free);
	return all;
}

void
credentials_free(struct credentials *all)
{
	if (all == NULL)
		return;
	table_free(all->items);
	free(all);
}

static struct entry *
entry_get(const struct credentials *all, uint32_t id, char name[16])
{
	snprintf(name, 16, "%" PRIu32, id);
	return table_get(all->items, name);
}

static struct entry *
entry_take(struct credentials *all, uint32_t id, const char *kind)
{
	char name[16];
	struct entry *e = entry_get(all, id, name);

	if (e == NULL) {
		e = xcalloc(1, sizeof(*e));
		e->id = id;
		table_set(all->items, name, e);
	}
	e->kind = kind;
	return e;
}

static struct entry *
entry_next(const struct credentials *all, size_t *place)
{
	const char *name;
	void *value;

	return table_next(all->items, place, &name, &value) ? value : NULL;
}

/* Those that neither this process nor the proxy has anything of. */
static void
entries_drop(struct credentials *all)
{
	size_t place = 0;
	const char *name;
	void *value;

	while (table_next(all->items, &place, &name, &value)) {
		const struct entry *e = value;

		if (e->bytes == NULL && !e->used && !e->told)
			table_remove(all->items, name);
	}
}

/* ---- sending */

/* The proxy overwrites it, so it is nobody else's. -1 and err. */
static int
memfd_make(const struct entry *e, struct error *err)
{
	size_t length = e->length;
	void *to;
	int fd = shm_new_shared("gg-credentials", length, err);

	if (fd < 0)
		return -1;
	to = shm_map_shared(fd, &length, err);
	if (to == NULL) {
		close(fd);
		return -1;
	}
	memcpy(to, e->bytes, e->length);
	shm_unmap(to, length);
	return fd;
}

static void
entry_send(struct control *c, struct entry *e)
{
	struct error err = ERROR_INIT;
	int fd = memfd_make(e, &err);

	if (fd < 0) {
		log_error("proxy: credentials are not sent: %s", err.text);
		return;
	}
	e->told |= supervisor_send_credentials(
		c->supervisor, e->id, e->kind, fd, (uint32_t)e->length);
	close(fd);
}

static void
entry_forget(struct control *c, struct entry *e)
{
	supervisor_send_credentials(c->supervisor, e->id, e->kind, -1, 0);
	e->told = false;
	e->gone = 0;
}

void
credentials_replace(struct control *c, uint32_t id, const char *kind,
	const void *bytes, size_t length)
{
	struct entry *e;

	if (c->credentials == NULL)
		return;
	e = entry_take(c->credentials, id, kind);
	bytes_wipe(e);
	if (length > 0) {
		e->bytes = xmemdup(bytes, length);
		e->length = length;
		if (e->used)
			entry_send(c, e);
	} else if (e->told) {
		entry_forget(c, e);
	}
	entries_drop(c->credentials);
}

void
credentials_drop(struct control *c, uint32_t id)
{
	char name[16];
	struct entry *e = c->credentials == NULL
				  ? NULL
				  : entry_get(c->credentials, id, name);

	if (e == NULL)
		return;
	bytes_wipe(e);
	entries_drop(c->credentials);
}

/* ---- an image */

void
credentials_begin(struct control *c)
{
	size_t place = 0;
	struct entry *e;

	while (c->credentials != NULL &&
		(e = entry_next(c->credentials, &place)) != NULL)
		e->using = false;
}

void
credentials_use(struct control *c, uint32_t id, const char *kind)
{
	if (c->credentials != NULL)
		entry_take(c->credentials, id, kind)->using = true;
}

void
credentials_commit(struct control *c, uint64_t generation)
{
	size_t place = 0;
	struct entry *e;

	if (c->credentials == NULL)
		return;
	while ((e = entry_next(c->credentials, &place)) != NULL) {
		e->used = e->using;
		if (e->used)
			e->gone = 0;
		else if (e->told && e->gone == 0)
			e->gone = generation;
		if (e->used && !e->told && e->bytes != NULL)
			entry_send(c, e);
	}
	entries_drop(c->credentials);
}

void
credentials_enforced(struct control *c, uint64_t generation)
{
	size_t place = 0;
	struct entry *e;

	if (c->credentials == NULL)
		return;
	while ((e = entry_next(c->credentials, &place)) != NULL)
		if (e->gone != 0 && e->gone <= generation)
			entry_forget(c, e);
	entries_drop(c->credentials);
}

/* ---- the proxy */

/* What an adopted one may have. */
static void
all_may_be_told(struct control *c)
{
	for (size_t i = 0; i < objects_count(c->objects, MODEL_UPSTREAM); i++) {
		const struct object *o =
			objects_at(c->objects, MODEL_UPSTREAM, i);
		const struct upstream_kind *kind =
			o->model == NULL ? NULL : o->model->upstream->kind;
		struct entry *e;

		if (kind == NULL || kind->dialect == NULL)
			continue;
		e = entry_take(c->credentials, o->id, kind->key);
		e->told = true;
		if (!e->used)
			e->gone = generation_number(c);
	}
}

void
credentials_send_all(struct control *c, bool fresh)
{
	size_t place = 0;
	struct entry *e;

	if (c->credentials == NULL)
		return;
	while ((e = entry_next(c->credentials, &place)) != NULL) {
		e->told = false;
		e->gone = 0;
	}
	if (!fresh)
		all_may_be_told(c);
	place = 0;
	while ((e = entry_next(c->credentials, &place)) != NULL)
		if (e->used && e->bytes != NULL)
			entry_send(c, e);
	entries_drop(c->credentials);
}

void
credentials_refused(struct control *c, uint64_t id)
{
	for (size_t i = 0; i < objects_count(c->objects, MODEL_UPSTREAM); i++) {
		const struct object *o =
			objects_at(c->objects, MODEL_UPSTREAM, i);

		if (o->id == id)
			discovery_credentials_refused(o->discovery);
	}
}

void
credentials_counts(const struct control *c, struct credentials_counts *out)
{
	size_t place = 0;
	const struct entry *e;

	memset(out, 0, sizeof(*out));
	while (c->credentials != NULL &&
		(e = entry_next(c->credentials, &place)) != NULL) {
		out->known += e->bytes != NULL;
		out->sent += e->told;
	}
}
