/* The certificates and keys with which TLS is spoken to upstreams. */
#include "control/materials.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/table.h"
#include "control/generation.h"
#include "control/relation.h"
#include "control/secret.h"
#include "control/supervise.h"
#include "control/tls_before.h"
#include "model/wire.h"
#include "net/certificate.h"
#include "net/shm.h"
#include "net/tls.h"

#define FILE_MAX (4u << 20)
#define DIGEST_LENGTH 32
#define LOOK_MS  600000 /* certificates expire without anybody's doing */

struct material {
	uint64_t number;
	unsigned char digest[DIGEST_LENGTH]; /* of the bytes, ... */
	bool known; /* ... or it is of another life, and not known */
	char *ca, *cert, *key; /* of ours, each may be NULL */
	bool needed; /* some upstream's */
	bool using;  /* by the image that is being made */
	bool used;   /* by the newest image */
	bool told;   /* the proxy has it */
	uint64_t gone; /* the first generation without; 0: it is used */
};

/* A file that an upstream names, or the system's roots. */
struct source {
	char *text; /* NULL: see problem */
	char *problem;
	struct stat st; /* by which a change is seen */
	uint64_t serial; /* of this reading; not 0 */
	bool needed;
};

/* A context that was made to see whether it can be. */
struct trial {
	char *problem; /* NULL: it can */
	bool needed;
};

struct materials {
	struct table *items;   /* number in digits to struct material */
	struct table *sources; /* path to struct source */
	struct table *tried;   /* upstream_tls_key to struct trial */
	struct tls_context *held; /* of the last trial, whose roots the next
				   * one may share */
	struct tls_before *before; /* NULL: nothing is remembered */
	uint64_t written;          /* of tls_before_write */
	bool write_due;
	uint64_t serial; /* of the last source that was read */
	bool stale; /* upstreams have to be looked at, ... */
	bool all;   /* ... those that did not change as well */
	uint64_t looked_ms;
};

/* ---- making */

static void
bytes_wipe(struct material *m)
{
	mem_free_wiped(m->ca);
	mem_free_wiped(m->cert);
	mem_free_wiped(m->key);
	m->ca = m->cert = m->key = NULL;
}

static void
material_free(void *value)
{
	bytes_wipe(value);
	free(value);
}

static void
source_free(void *value)
{
	struct source *s = value;

	mem_free_wiped(s->text);
	free(s->problem);
	free(s);
}

static void
trial_free(void *value)
{
	free(((struct trial *)value)->problem);
	free(value);
}

struct materials *
materials_new(void)
{
	struct materials *m = xcalloc(1, sizeof(*m));

	m->items = table_new(material_free);
	m->sources = table_new(source_free);
	m->tried = table_new(trial_free);
	m->stale = m->all = true;
	return m;
}

void
materials_free(struct materials *m)
{
	if (m == NULL)
		return;
	table_free(m->items);
	table_free(m->sources);
	table_free(m->tried);
	tls_context_unref(m->held);
	tls_before_free(m->before);
	free(m);
}

/* ---- numbers */

/* By which two that have one number are told apart. */
static void
triple_digest(const char *ca, const char *cert, const char *key,
	unsigned char out[DIGEST_LENGTH])
{
	const char *const texts[] = { ca, cert, key };
	struct slice parts[3];

	for (size_t i = 0; i < 3; i++)
		parts[i] = texts[i] == NULL ? (struct slice){ NULL, 0 }
					    : slice_of(texts[i]);
	certificate_digest(parts, 3, out);
}

static char *
copy_or_null(const char *text)
{
	return text == NULL ? NULL : xstrdup(text);
}

static bool
has_bytes(const struct material *m)
{
	return m->ca != NULL || m->cert != NULL;
}

static struct material *
material_get(const struct materials *m, uint64_t number)
{
	char name[24];

	snprintf(name, sizeof(name), "%" PRIx64, number);
	return table_get(m->items, name);
}

static struct material *
material_add(struct materials *m, uint64_t number)
{
	struct material *one = xcalloc(1, sizeof(*one));
	char name[24];

	snprintf(name, sizeof(name), "%" PRIx64, number);
	one->number = number;
	table_set(m->items, name, one);
	return one;
}

/* Of that content, made if there is none. The number is that of the digest's
 * beginning, or, where another has it, the next one. */
static struct material *
material_take(
	struct materials *m, const char *ca, const char *cert, const char *key)
{
	unsigned char digest[DIGEST_LENGTH];
	struct material *one;
	uint64_t number;

	triple_digest(ca, cert, key, digest);
	memcpy(&number, digest, sizeof(number));
	for (;; number++) {
		one = number == 0 ? NULL : material_get(m, number);
		if (number != 0 && (one == NULL || !one->known ||
					   memcmp(one->digest, digest,
						   sizeof(digest)) == 0))
			break;
	}
	if (one == NULL)
		one = material_add(m, number);
	one->needed = one->known = true;
	memcpy(one->digest, digest, sizeof(digest));
	if (!has_bytes(one)) {
		one->ca = copy_or_null(ca);
		one->cert = copy_or_null(cert);
		one->key = copy_or_null(key);
	}
	return one;
}

/* The proxy has it, from an earlier control. */
static void
material_remember(struct materials *m, uint64_t number)
{
	struct material *one = material_get(m, number);

	if (one == NULL) {
		one = material_add(m, number);
		one->told = true;
	}
	one->needed = true;
}

/* ---- files */

static void
source_read(struct source *s, const char *path)
{
	struct error err = ERROR_INIT;
	struct str text;

	str_init(&text);
	if (stat(path, &s->st) != 0) {
		error_errno(&err, errno, "cannot open %s", path);
		memset(&s->st, 0, sizeof(s->st));
	} else if (!S_ISREG(s->st.st_mode)) {
		error_set(&err, ERROR_CONFIG, "%s is not a file", path);
	} else {
		/* At once: what text moved away from would not be wiped. */
		str_reserve(&text, (size_t)s->st.st_size <= FILE_MAX
					   ? (size_t)s->st.st_size
					   : 0);
		file_read(path, FILE_MAX, &text, &err);
	}
	if (err.code == ERROR_NONE &&
		memchr(text.data, '\0', text.length) != NULL)
		error_set(&err, ERROR_CONFIG, "%s is no text", path);
	if (err.code == ERROR_NONE)
		s->text = xstrdup(text.data);
	else
		s->problem = xstrdup(err.text);
	str_fini_wiped(&text);
}

static const struct source *
source_take(struct materials *m, const char *path)
{
	struct source *s = table_get(m->sources, path);

	if (s == NULL) {
		s = xcalloc(1, sizeof(*s));
		s->serial = ++m->serial;
		source_read(s, path);
		table_set(m->sources, path, s);
	}
	s->needed = true;
	return s;
}

static bool
source_moved(const struct source *s, const char *path)
{
	struct stat now;

	if (stat(path, &now) != 0)
		return s->st.st_ino != 0;
	return now.st_ino != s->st.st_ino || now.st_dev != s->st.st_dev ||
	       now.st_size != s->st.st_size ||
	       now.st_mtim.tv_sec != s->st.st_mtim.tv_sec ||
	       now.st_mtim.tv_nsec != s->st.st_mtim.tv_nsec;
}

void
materials_look_again(struct control *c, bool reload)
{
	struct materials *m = c->materials;
	size_t place = 0;
	bool changed = false;
	const char *path;
	void *value;

	while (table_next(m->sources, &place, &path, &value)) {
		/* A package that is being upgraded writes it in steps. */
		bool roots = strcmp(path, c->settings->tls_roots) == 0;

		if ((roots && !reload) || !source_moved(value, path))
			continue;
		log_info("tls: %s changed", path);
		table_remove(m->sources, path);
		changed = true;
	}
	if (changed)
		generation_touch(c);
	if (reload || clock_monotonic_ms() - m->looked_ms >= LOOK_MS)
		m->all = true;
	if (changed || m->all)
		materials_touch(c);
}

/* ---- what an upstream needs */

struct need {
	struct secret_pem pem;
	struct upstream_tls_stamp stamp;
	char *problem;
};

static const char *
file_text(struct materials *m, const char *path, uint64_t *serial,
	struct need *to)
{
	const struct source *s;

	if (path == NULL || to->problem != NULL)
		return NULL;
	s = source_take(m, path);
	*serial = s->serial;
	if (s->problem != NULL)
		to->problem = xasprintf("sslConfig.sslFiles: %s", s->problem);
	return s->text;
}

static void
files_need(struct materials *m, const struct model_tls *t, struct need *to)
{
	struct error err = ERROR_INIT;

	to->pem = (struct secret_pem){
		.cert = file_text(m, t->cert_file, &to->stamp.cert, to),
		.key = file_text(m, t->key_file, &to->stamp.key, to),
		.ca = file_text(m, t->ca_file, &to->stamp.ca, to),
		.cert_place = "sslConfig.sslFiles.tlsCert",
		.key_place = "sslConfig.sslFiles.tlsKey",
		.ca_place = "sslConfig.sslFiles.rootCa",
	};
	if (to->problem == NULL && secret_pem_check(&to->pem, &err) != 0)
		to->problem = xstrdup(err.text);
}

/* 0: there is none. A version is given once, but not that of one that was
 * restored; what is Rejected has none. */
static uint64_t
secret_stamp(const struct control *c, const struct model_tls *t)
{
	const struct object *o;
	uint64_t of[3];

	if (t == NULL || t->source != MODEL_TLS_SECRET)
		return 0;
	o = objects_find(
		c->objects, MODEL_SECRET, t->secret.ns, t->secret.name);
	if (o == NULL)
		return 0;
	of[0] = o->version;
	of[1] = (uint64_t)(uintptr_t)o;
	of[2] = (uint64_t)(uintptr_t)o->model;
	return hash_bytes(of, sizeof(of), 1);
}

static void
secret_need(const struct control *c, const struct model_upstream *u,
	struct need *to)
{
	const struct model_ref *ref = &u->tls->secret;
	struct object *o;

	to->problem = relation_secret_problem(c->objects, u);
	if (to->problem != NULL)
		return;
	o = objects_find(c->objects, MODEL_SECRET, ref->ns, ref->name);
	to->pem = secret_pem_of(o->model->secret);
	to->pem.cert_place = "its secret's certChain";
	to->pem.ca_place = "its secret's rootCa";
}

static void
roots_need(struct control *c, struct need *to)
{
	const struct source *s =
		source_take(c->materials, c->settings->tls_roots);

	to->stamp.roots = s->serial;
	to->pem.ca = s->text;
	if (s->problem != NULL)
		to->problem = xasprintf("the certificates that the system "
					"trusts (tls.roots): %s",
			s->problem);
}

static char *
expiry_explain(const struct need *n)
{
	struct str text;
	char *made = NULL;

	str_init(&text);
	secret_pem_warn(&n->pem, clock_realtime_ms(), &text);
	if (text.length > 0)
		made = str_steal(&text);
	str_fini(&text);
	return made;
}

/* What the proxy would find with the first request is found now, once for all
 * that need the same. */
static void
context_try(struct control *c, struct upstream_tls *now)
{
	struct materials *m = c->materials;
	char *key = upstream_tls_key(&now->build);
	struct trial *t = table_get(m->tried, key);
	struct error err = ERROR_INIT;
	struct tls_context *made;

	if (t == NULL) {
		t = xcalloc(1, sizeof(*t));
		made = upstream_tls_context(c, &now->build, &err);
		if (made == NULL)
			t->problem = xasprintf("TLS: %s", err.text);
		tls_context_unref(m->held);
		m->held = made;
		table_set(m->tried, key, t);
	}
	free(key);
	t->needed = true;
	if (t->problem != NULL)
		now->problem = xstrdup(t->problem);
}

static bool
text_is(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Both have theirs from the same files, or the system. */
static bool
files_are_same(const struct model_tls *a, const struct model_tls *b)
{
	bool of_a = a != NULL && a->source == MODEL_TLS_FILES;
	bool of_b = b != NULL && b->source == MODEL_TLS_FILES;

	if ((a != NULL && a->source == MODEL_TLS_SECRET) ||
		(b != NULL && b->source == MODEL_TLS_SECRET) || of_a != of_b)
		return false;
	return !of_a || (text_is(a->cert_file, b->cert_file) &&
				text_is(a->key_file, b->key_file) &&
				text_is(a->ca_file, b->ca_file) &&
				a->one_way == b->one_way);
}

/* Files that people exchange one after the other do not fit for a moment: what
 * was good before goes on. */
static void
before_keep(struct control *c, struct upstream_tls *now,
	const struct upstream_tls *before)
{
	char *problem = now->problem;

	if (problem == NULL || before == NULL || before->problem != NULL ||
		!files_are_same(now->model->upstream->tls,
			before->model->upstream->tls))
		return;
	now->build.roots = before->build.roots;
	now->build.identity = before->build.identity;
	material_get(c->materials, now->build.roots)->needed = true;
	if (now->build.identity != 0)
		material_get(c->materials, now->build.identity)->needed = true;
	now->problem = NULL;
	context_try(c, now);
	if (now->problem == NULL) {
		free(now->warning);
		now->warning = xasprintf("%s; what was read before is used "
					 "until that is mended",
			problem);
	}
	free(problem);
}

/* Its secret is another store's, which has not been asked yet. */
static bool
remembered_use(struct control *c, const struct object *o,
	struct upstream_tls *now)
{
	struct materials *m = c->materials;
	const struct model_tls *t = o->model->upstream->tls;
	struct tls_numbers numbers;

	if (t == NULL || t->source != MODEL_TLS_SECRET ||
		objects_find(c->objects, MODEL_SECRET, t->secret.ns,
			t->secret.name) != NULL ||
		!tls_before_get(m->before, o, &numbers))
		return false;
	now->build.roots = numbers.roots;
	now->build.identity = numbers.identity;
	material_remember(m, numbers.roots);
	if (numbers.identity != 0)
		material_remember(m, numbers.identity);
	now->remembered = true;
	now->warning = xstrdup("its certificates are those that were in use "
			       "when the gateway was restarted, until its "
			       "secret has been read");
	return true;
}

static struct upstream_tls *
upstream_look(struct control *c, const struct object *o)
{
	struct upstream_tls *made = upstream_tls_new(o->model);
	const struct model_upstream *u = o->model->upstream;
	struct need n = { .problem = NULL };

	if (made == NULL || remembered_use(c, o, made))
		return made;
	if (u->tls != NULL && u->tls->source == MODEL_TLS_FILES)
		files_need(c->materials, u->tls, &n);
	else if (u->tls != NULL && u->tls->source == MODEL_TLS_SECRET)
		secret_need(c, u, &n);
	if (u->tls != NULL && u->tls->one_way)
		n.pem.cert = n.pem.key = NULL;
	if (n.problem == NULL)
		made->warning = expiry_explain(&n);
	if (n.problem == NULL && n.pem.ca == NULL)
		roots_need(c, &n);
	n.stamp.secret = secret_stamp(c, u->tls);
	made->stamp = n.stamp;
	made->problem = n.problem;
	if (n.problem != NULL) {
		before_keep(c, made, o->tls);
		return made;
	}
	made->build.roots =
		material_take(c->materials, n.pem.ca, NULL, NULL)->number;
	if (n.pem.cert != NULL)
		made->build.identity =
			material_take(c->materials, NULL, n.pem.cert,
				n.pem.key)
				->number;
	context_try(c, made);
	before_keep(c, made, o->tls);
	return made;
}

static bool
source_is_same(struct materials *m, const char *path, uint64_t serial)
{
	return serial == 0 || source_take(m, path)->serial == serial;
}

/* Nothing of it is another: what it was made of has not to be read again. */
static bool
upstream_is_same(struct control *c, const struct object *o)
{
	struct materials *m = c->materials;
	const struct upstream_tls *was = o->tls;
	const struct upstream_tls_stamp *s;
	const struct model_tls *t;

	if (was == NULL || was->model != o->model || was->remembered)
		return false;
	s = &was->stamp;
	t = o->model->upstream->tls;
	return s->secret == secret_stamp(c, t) &&
	       (t == NULL || (source_is_same(m, t->cert_file, s->cert) &&
				     source_is_same(m, t->key_file, s->key) &&
				     source_is_same(m, t->ca_file, s->ca))) &&
	       source_is_same(m, c->settings->tls_roots, s->roots);
}

static void
number_need(struct materials *m, uint64_t number)
{
	struct material *one = number == 0 ? NULL : material_get(m, number);

	if (one != NULL)
		one->needed = true;
}

/* It stays as it is. */
static void
upstream_need(struct materials *m, const struct upstream_tls *t)
{
	char *key = upstream_tls_key(&t->build);
	struct trial *tried = table_get(m->tried, key);

	free(key);
	if (tried != NULL)
		tried->needed = true;
	number_need(m, t->build.roots);
	number_need(m, t->build.identity);
}

/* Is it another reason, or one at all? */
static bool
problem_differs(const struct upstream_tls *a, const struct upstream_tls *b)
{
	const char *x = a == NULL ? NULL : a->problem;
	const char *y = b == NULL ? NULL : b->problem;

	if (x == NULL || y == NULL)
		return x != y;
	return strcmp(x, y) != 0;
}

/* What nothing needs any more. */
static void
unneeded_drop(struct materials *m)
{
	size_t place = 0;
	const char *key;
	void *value;

	while (table_next(m->items, &place, &key, &value)) {
		struct material *one = value;

		if (one->needed || one->used)
			continue;
		if (one->told)
			bytes_wipe(one);
		else
			table_remove(m->items, key);
	}
	place = 0;
	while (table_next(m->sources, &place, &key, &value))
		if (!((struct source *)value)->needed)
			table_remove(m->sources, key);
	place = 0;
	while (table_next(m->tried, &place, &key, &value))
		if (!((struct trial *)value)->needed)
			table_remove(m->tried, key);
	tls_context_unref(m->held);
	m->held = NULL;
}

static void
needs_forget(struct materials *m)
{
	size_t place = 0;
	const char *key;
	void *value;

	while (table_next(m->items, &place, &key, &value))
		((struct material *)value)->needed = false;
	place = 0;
	while (table_next(m->sources, &place, &key, &value))
		((struct source *)value)->needed = false;
	place = 0;
	while (table_next(m->tried, &place, &key, &value))
		((struct trial *)value)->needed = false;
}

/* Looks at the upstreams of which something changed, at all of them now and
 * then; those that can be served now, or no longer, lead
 * routes elsewhere. */
static void
look(struct control *c)
{
	struct materials *m = c->materials;

	if (!m->stale)
		return;
	m->stale = false;
	if (m->all)
		m->looked_ms = clock_monotonic_ms();
	needs_forget(m);
	for (size_t i = 0; i < objects_count(c->objects, MODEL_UPSTREAM); i++) {
		struct object *o = objects_at(c->objects, MODEL_UPSTREAM, i);
		struct upstream_tls *now;

		if (o->model != NULL && !m->all && upstream_is_same(c, o)) {
			upstream_need(m, o->tls);
			continue;
		}
		now = o->model == NULL ? NULL : upstream_look(c, o);
		m->write_due |= o->tls != NULL || now != NULL;
		if (problem_differs(o->tls, now))
			c->upstream_epoch++;
		upstream_tls_free(o->tls);
		o->tls = now;
	}
	m->all = false;
	unneeded_drop(m);
}

void
materials_touch(struct control *c)
{
	if (c->materials != NULL)
		c->materials->stale = true;
}

const char *
materials_problem(const struct control *c, const struct object *o)
{
	if (c->materials == NULL)
		return NULL;
	/* What is looked at is a cache of what c has. */
	look((struct control *)(uintptr_t)c);
	return o->tls == NULL ? NULL : o->tls->problem;
}

const char *
materials_warning(const struct control *c, const struct object *o)
{
	if (c->materials == NULL)
		return NULL;
	look((struct control *)(uintptr_t)c);
	return o->tls == NULL ? NULL : o->tls->warning;
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
	const struct material *roots = material_get(c->materials, tls->roots);
	const struct material *own =
		material_get(c->materials, tls->identity);

	*ca = text_slice(roots == NULL ? NULL : roots->ca);
	*cert = text_slice(own == NULL ? NULL : own->cert);
	*key = text_slice(own == NULL ? NULL : own->key);
}

/* ---- an image */

void
materials_begin(struct control *c)
{
	size_t place = 0;
	const char *key;
	void *value;

	look(c);
	while (table_next(c->materials->items, &place, &key, &value))
		((struct material *)value)->using = false;
}

const struct image_build_tls *
materials_use(struct control *c, const struct object *o)
{
	const struct materials *m = c->materials;

	if (o->tls == NULL || o->tls->problem != NULL)
		return NULL;
	material_get(m, o->tls->build.roots)->using = true;
	if (o->tls->build.identity != 0)
		material_get(m, o->tls->build.identity)->using = true;
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
	const char *key;
	void *value;

	while (table_next(c->materials->items, &place, &key, &value)) {
		struct material *one = value;

		if (one->used && !one->told && has_bytes(one))
			material_send(c, one);
	}
}

void
materials_commit(struct control *c, uint64_t generation)
{
	size_t place = 0;
	const char *key;
	void *value;

	while (table_next(c->materials->items, &place, &key, &value)) {
		struct material *one = value;

		one->used = one->using;
		if (one->used)
			one->gone = 0;
		else if (one->told && one->gone == 0)
			one->gone = generation;
	}
	unneeded_drop(c->materials);
	send_missing(c);
}

/* ---- what was before */

void
materials_remember(struct control *c)
{
	tls_before_free(c->materials->before);
	c->materials->before = tls_before_read(c);
	materials_touch(c);
}

void
materials_secrets_settled(struct control *c, const struct upstream_kind *kind)
{
	if (c->materials == NULL ||
		!tls_before_settle(c->materials->before, kind))
		return;
	materials_touch(c);
	generation_touch(c);
}

/* A proxy that was not there before has nothing of it. */
static void
remembered_forget(struct control *c)
{
	bool any = !tls_before_is_empty(c->materials->before);

	tls_before_free(c->materials->before);
	c->materials->before = NULL;
	if (!any)
		return;
	materials_touch(c);
	look(c);
	generation_touch(c);
}

void
materials_send_all(struct control *c, bool fresh)
{
	size_t place = 0;
	const char *key;
	void *value;

	if (c->materials == NULL)
		return;
	if (fresh)
		remembered_forget(c);
	while (table_next(c->materials->items, &place, &key, &value)) {
		struct material *one = value;

		/* One without bytes is remembered: an adopted proxy has it. */
		one->told = !fresh && !has_bytes(one) && one->needed;
		one->gone = 0;
	}
	unneeded_drop(c->materials);
	send_missing(c);
}

void
materials_enforced(struct control *c, uint64_t generation)
{
	size_t place = 0;
	const char *key;
	void *value;

	if (c->materials == NULL)
		return;
	while (table_next(c->materials->items, &place, &key, &value)) {
		struct material *one = value;

		if (one->gone == 0 || one->gone > generation)
			continue;
		supervisor_send_material_forget(c->supervisor, one->number);
		one->gone = 0;
		one->told = false;
	}
	unneeded_drop(c->materials);
	/* What is not known yet is not to be forgotten. */
	if (c->state != NULL && c->materials->write_due &&
		!c->materials->stale &&
		tls_before_is_empty(c->materials->before)) {
		c->materials->write_due = false;
		tls_before_write(c, &c->materials->written);
	}
}

void
materials_counts(const struct control *c, struct materials_counts *out)
{
	size_t place = 0;
	const char *key;
	void *value;

	memset(out, 0, sizeof(*out));
	while (c->materials != NULL &&
		table_next(c->materials->items, &place, &key, &value)) {
		out->known++;
		out->sent += ((struct material *)value)->told;
	}
}
