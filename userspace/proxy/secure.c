/* TLS with one endpoint. */
#include "proxy/secure.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/conn.h"
#include "net/wheel.h"
#include "proxy/mailbox.h"
#include "proxy/trust.h"
#include "proxy/upstream.h"
#include "proxy/worker.h"

#define TELL_MS  1000  /* not more often */
#define AGAIN_MS 10000 /* what still fails is told so often */

struct secure {
	uint32_t refs; /* the worker's alone */
	struct trust *trust;
	struct worker *worker;
	struct backend *backend; /* NULL: it has another */
	char *name;
	struct tls_kept *kept[SECURE_KEPT_MAX]; /* the newest last */
	unsigned kept_count;
	char *problem, *told; /* "" when all is well */
	uint64_t told_ms;     /* 0: never */
	uint32_t failures; /* of trust, when it was told; UINT32_MAX: never */
	struct wheel_timer timer;
};

/* ---- telling */

static void
tell(struct secure *s)
{
	struct secure_report *r = xcalloc(1, sizeof(*r));
	const struct mail mail = { .type = MAIL_TLS, .object = r };

	r->upstream = s->backend->id;
	r->worker = s->worker->index;
	r->addr = s->backend->addr;
	r->owner = s->backend->owner;
	snprintf(r->problem, sizeof(r->problem), "%s", s->problem);
	free(s->told);
	s->told = xstrdup(s->problem);
	s->told_ms = worker_now(s->worker);
	if (s->problem[0] != '\0')
		atomic_fetch_add(&s->trust->failures, 1);
	s->failures = atomic_load(&s->trust->failures);
	mailbox_send(s->worker->outbox, &mail);
}

/* Control knows what there is to say. That all is well it may have heard
 * otherwise from another worker since. */
static bool
is_told(const struct secure *s)
{
	return strcmp(s->problem, s->told) == 0 &&
	       (s->problem[0] != '\0' ||
		       s->failures == atomic_load(&s->trust->failures));
}

static void
on_timer(struct wheel_timer *t)
{
	struct secure *s =
		(struct secure *)(void *)((char *)t -
					  offsetof(struct secure, timer));

	if (!is_told(s))
		tell(s);
}

static void
note(struct secure *s, const char *problem)
{
	uint64_t now = worker_now(s->worker);
	bool told;

	if (strcmp(problem, s->problem) != 0) {
		free(s->problem);
		s->problem = xstrdup(problem);
	}
	told = is_told(s);
	if (s->backend == NULL || (told && problem[0] == '\0'))
		return;
	if (s->told_ms == 0 || now >= s->told_ms + (told ? AGAIN_MS : TELL_MS))
		tell(s);
	else if (!told)
		wheel_timer_set(
			s->worker->wheel, &s->timer, s->told_ms + TELL_MS);
}

/* ---- birth and end */

struct secure *
secure_new(struct worker *w, struct backend *b, struct trust *trust,
	const char *name, const struct secure *before)
{
	struct secure *s = xcalloc(1, sizeof(*s));

	s->refs = 1;
	s->trust = trust_ref(trust);
	s->worker = w;
	s->backend = b;
	s->name = xstrdup(name);
	s->problem = xstrdup("");
	s->told = xstrdup("");
	s->told_ms = before != NULL ? before->told_ms : 0;
	s->failures = UINT32_MAX;
	wheel_timer_init(&s->timer, on_timer);
	return s;
}

struct secure *
secure_ref(struct secure *s)
{
	s->refs++;
	return s;
}

void
secure_unref(struct secure *s)
{
	if (s == NULL || --s->refs > 0)
		return;
	wheel_timer_remove(s->worker->wheel, &s->timer);
	while (s->kept_count > 0)
		tls_kept_free(s->kept[--s->kept_count]);
	trust_unref(s->trust);
	free(s->name);
	free(s->problem);
	free(s->told);
	free(s);
}

void
secure_leave(struct secure *s, bool past)
{
	if (s == NULL)
		return;
	if (past && s->told[0] != '\0') {
		s->problem[0] = '\0';
		tell(s);
	}
	s->backend = NULL;
	wheel_timer_clear(&s->timer);
	secure_unref(s);
}

bool
secure_is_of(
	const struct secure *s, const struct trust *trust, const char *name)
{
	return s->trust == trust && strcmp(s->name, name) == 0;
}

const char *
secure_problem(const struct secure *s)
{
	return s->problem;
}

void
secure_fail(struct secure *s, const char *problem)
{
	note(s, problem);
}

/* ---- connections */

/* A ticket is used once (RFC 8446 C.4). */
static struct tls_kept *
kept_take(struct secure *s)
{
	return s->kept_count > 0 ? s->kept[--s->kept_count] : NULL;
}

int
secure_begin(struct secure *s, struct conn *c)
{
	struct tls_kept *kept;
	struct tls_peer peer;
	struct error err = ERROR_INIT;
	int rc;

	if (s->trust->context == NULL) {
		note(s, s->trust->problem);
		return -1;
	}
	kept = kept_take(s);
	peer = (struct tls_peer){
		.server_name = s->name,
		.names = s->trust->names,
		.resume = kept,
	};
	rc = tls_client_begin(c, s->trust->context, &peer, &err);
	tls_kept_free(kept);
	if (rc < 0)
		note(s, err.text);
	return rc;
}

static bool
protocol_is_ours(const char *alpn)
{
	return alpn[0] == '\0' || strcmp(alpn, "http/1.1") == 0 ||
	       strcmp(alpn, "http/1.0") == 0;
}

/* Takes the tickets that may have come already. What it says before it was
 * asked would become somebody's answer. */
static enum tls_step
quiet_or_failed(struct secure *s, struct conn *c)
{
	char unasked[1];
	size_t n;

	switch (conn_receive(c, unasked, sizeof(unasked), &n)) {
	case CONN_GOT_NOTHING:
		return TLS_DONE;
	case CONN_GOT_DATA:
		note(s, "it speaks before it is asked");
		return TLS_FAILED;
	case CONN_GOT_END:
		note(s, "it closed the connection after the handshake");
		return TLS_FAILED;
	case CONN_GOT_ERROR:
		break;
	}
	note(s, tls_problem(c));
	return TLS_FAILED;
}

enum tls_step
secure_step(struct secure *s, struct conn *c)
{
	enum tls_step step = tls_client_step(c);
	char text[128];

	if (step == TLS_FAILED)
		note(s, tls_problem(c));
	if (step != TLS_DONE)
		return step;
	if (!protocol_is_ours(tls_alpn(c))) {
		snprintf(text, sizeof(text),
			"it wants to speak \"%s\", which is not spoken here",
			tls_alpn(c));
		note(s, text);
		return TLS_FAILED;
	}
	return quiet_or_failed(s, c);
}

static void
kept_add(struct secure *s, struct tls_kept *k)
{
	if (s->kept_count == SECURE_KEPT_MAX) {
		tls_kept_free(s->kept[0]);
		memmove(s->kept, s->kept + 1,
			(SECURE_KEPT_MAX - 1) * sizeof(s->kept[0]));
		s->kept_count--;
	}
	s->kept[s->kept_count++] = k;
}

bool
secure_settle(struct secure *s, struct conn *c)
{
	struct tls_kept *k;

	/* With TLS 1.3 a handshake says nothing of our certificate yet. */
	if (!tls_is_accepted(c))
		return false;
	note(s, "");
	if (s->backend == NULL || (k = tls_keep(c)) == NULL)
		return false;
	kept_add(s, k);
	return true;
}
