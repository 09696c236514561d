/* The certificates and keys with which TLS is spoken to upstreams. */
#include "control/materials.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "control/material.h"
#include "control/supervise.h"
#include "control/tls_look.h"
#include "model/wire.h"
#include "net/shm.h"

struct materials {
	struct material_set *set;
	struct tls_look *look;
};

struct materials *
materials_new(void)
{
	struct materials *m = xcalloc(1, sizeof(*m));

	m->set = material_set_new();
	m->look = tls_look_new(m->set);
	return m;
}

void
materials_free(struct materials *m)
{
	if (m == NULL)
		return;
	tls_look_free(m->look);
	material_set_free(m->set);
	free(m);
}

/* ---- what upstreams have */

void
materials_touch(struct control *c)
{
	if (c->materials != NULL)
		tls_look_touch(c->materials->look);
}

void
materials_look_again(struct control *c, bool reload)
{
	tls_look_files(c, c->materials->look, reload);
}

const char *
materials_problem(const struct control *c, const struct object *o)
{
	if (c->materials == NULL)
		return NULL;
	/* What is looked at is a cache of what c has. */
	tls_look_run((struct control *)(uintptr_t)c, c->materials->look);
	return o->tls == NULL ? NULL : o->tls->problem;
}

const char *
materials_warning(const struct control *c, const struct object *o)
{
	if (c->materials == NULL)
		return NULL;
	tls_look_run((struct control *)(uintptr_t)c, c->materials->look);
	return o->tls == NULL ? NULL : o->tls->warning;
}

void
materials_remember(struct control *c)
{
	tls_look_remember(c, c->materials->look);
}

void
materials_secrets_settled(struct control *c, const struct upstream_kind *kind)
{
	if (c->materials != NULL)
		tls_look_settled(c, c->materials->look, kind);
}

static struct slice
text_slice(const char *text)
{
	return slice_of(text == NULL ? "" : text);
}

void
materials_bytes(const struct control *c, const struct image_build_tls *tls,
	struct slice *ca, struct slice *cert, struct slice *key)
{
	const struct material_set *s = c->materials->set;
	const struct material *roots = material_get(s, tls->roots);
	const struct material *own = material_get(s, tls->identity);

	*ca = text_slice(roots == NULL ? NULL : roots->ca);
	*cert = text_slice(own == NULL ? NULL : own->cert);
	*key = text_slice(own == NULL ? NULL : own->key);
}

/* ---- an image */

void
materials_begin(struct control *c)
{
	size_t place = 0;
	struct material *one;

	tls_look_run(c, c->materials->look);
	while ((one = material_next(c->materials->set, &place)) != NULL)
		one->using = false;
}

const struct image_build_tls *
materials_use(struct control *c, const struct object *o)
{
	const struct material_set *s = c->materials->set;

	if (o->tls == NULL || o->tls->problem != NULL)
		return NULL;
	material_get(s, o->tls->build.roots)->using = true;
	if (o->tls->build.identity != 0)
		material_get(s, o->tls->build.identity)->using = true;
	return &o->tls->build;
}

static size_t
length_of(const char *text)
{
	return text == NULL ? 0 : strlen(text);
}

static void
put(char **at, const char *text)
{
	size_t length = length_of(text);

	if (length > 0)
		memcpy(*at, text, length);
	*at += length;
}

/* The proxy overwrites it, so each gets its own. -1 and err. */
static int
memfd_make(const struct material *m, size_t *length, struct error *err)
{
	const struct wire_material head = {
		.ca_length = (uint32_t)length_of(m->ca),
		.cert_length = (uint32_t)length_of(m->cert),
		.key_length = (uint32_t)length_of(m->key),
	};
	struct wire_material *to;
	char *at;
	int fd;

	*length = sizeof(head) + head.ca_length + head.cert_length +
		  head.key_length;
	fd = shm_new_shared("gg-material", *length, err);
	if (fd < 0)
		return -1;
	to = shm_map_shared(fd, length, err);
	if (to == NULL) {
		close(fd);
		return -1;
	}
	*to = head;
	at = (char *)(to + 1);
	put(&at, m->ca);
	put(&at, m->cert);
	put(&at, m->key);
	shm_unmap(to, *length);
	return fd;
}

static void
material_send(struct control *c, struct material *m)
{
	struct error err = ERROR_INIT;
	size_t length;
	int fd = memfd_make(m, &length, &err);

	if (fd < 0) {
		log_error("proxy: a certificate is not sent: %s", err.text);
		return;
	}
	m->told = supervisor_send_material(
		c->supervisor, m->number, fd, (uint32_t)length);
	close(fd);
}

static void
send_missing(struct control *c)
{
	size_t place = 0;
	struct material *one;

	while ((one = material_next(c->materials->set, &place)) != NULL)
		if (one->used && !one->told && material_has_bytes(one))
			material_send(c, one);
}

void
materials_commit(struct control *c, uint64_t generation)
{
	size_t place = 0;
	struct material *one;

	while ((one = material_next(c->materials->set, &place)) != NULL) {
		one->used = one->using;
		if (one->used)
			one->gone = 0;
		else if (one->told && one->gone == 0)
			one->gone = generation;
	}
	material_set_drop(c->materials->set);
	send_missing(c);
}

/* ---- the proxy */

void
materials_send_all(struct control *c, bool fresh)
{
	size_t place = 0;
	struct material *one;

	if (c->materials == NULL)
		return;
	if (fresh)
		tls_look_forget(c, c->materials->look);
	while ((one = material_next(c->materials->set, &place)) != NULL) {
		/* One without bytes is remembered: an adopted proxy has it. */
		one->told = !fresh && !material_has_bytes(one) && one->needed;
		one->gone = 0;
	}
	material_set_drop(c->materials->set);
	send_missing(c);
}

void
materials_enforced(struct control *c, uint64_t generation)
{
	size_t place = 0;
	struct material *one;

	if (c->materials == NULL)
		return;
	while ((one = material_next(c->materials->set, &place)) != NULL) {
		if (one->gone == 0 || one->gone > generation)
			continue;
		supervisor_send_material_forget(c->supervisor, one->number);
		one->gone = 0;
		one->told = false;
	}
	material_set_drop(c->materials->set);
	tls_look_write(c, c->materials->look);
}

void
materials_counts(const struct control *c, struct materials_counts *out)
{
	size_t place = 0;
	struct material *one;

	memset(out, 0, sizeof(*out));
	if (c->materials == NULL)
		return;
	while ((one = material_next(c->materials->set, &place)) != NULL) {
		out->known++;
		out->sent += one->told;
	}
}
