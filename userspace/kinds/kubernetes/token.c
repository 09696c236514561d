/* Renews the token of the gateway's own service account. */
#include "kinds/kubernetes/token.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "kinds/kubernetes/token_request.h"
#include "net/loop.h"

#define LOOK_MS      60000u /* the file may be another one, the clock set */
#define RETRY_MS     10000u /* twice as long after each failure, up to ... */
#define RETRY_MAX_MS 300000u
#define MODE         0600

struct kubernetes_token {
	struct kubernetes_cluster *cluster;
	char *path; /* of the token, when it was looked at last; or NULL */
	struct kubernetes_claims claims;
	struct kubernetes_call *call;
	unsigned failures; /* in a row */
	struct loop_timer *timer;
};

static void
condition(struct kubernetes_token *t, enum kind_level level, const char *reason)
{
	struct kind_program *program = t->cluster->program;

	program->condition_set(program, "token", level, reason);
}

static uint64_t
now_s(void)
{
	return clock_realtime_ms() / 1000;
}

/* Once it has expired nothing works any more. */
static void
fail(struct kubernetes_token *t, const char *why)
{
	bool over = t->claims.expires_s != 0 && t->claims.expires_s <= now_s();
	uint64_t delay_ms = RETRY_MAX_MS;
	char *text;

	if (over)
		text = xasprintf("the token of service account %s has expired, "
				 "and there is no new one: %s; `glooctl "
				 "install kube` gets one",
			t->cluster->settings->service_account, why);
	else
		text = xasprintf("the token of service account %s is not "
				 "renewed: %s",
			t->cluster->settings->service_account, why);
	condition(t, over ? KIND_ERROR : KIND_WARNING, text);
	free(text);
	if (t->failures < 5)
		delay_ms = RETRY_MS << t->failures;
	t->failures++;
	loop_timer_start(t->timer, delay_ms);
}

/* ---- the file */

static int
token_read(struct kubernetes_token *t, struct error *err)
{
	const struct kubernetes_settings *s = t->cluster->settings;
	struct str text;
	int rc;

	str_init(&text);
	rc = file_read(t->path, KUBERNETES_TOKEN_MAX, &text, err);
	if (rc == 0) {
		rc = kubernetes_token_claims(
			(struct slice){ text.data, text.length }, &t->claims,
			err);
		if (rc == 0 && !kubernetes_claims_are_of(&t->claims,
				       s->namespace_, s->service_account))
			rc = error_set(err, ERROR_CONFIG, "it is of %s",
				t->claims.subject);
		if (rc != 0)
			error_prefix(err, "%s", t->path);
	}
	str_fini(&text);
	return rc;
}

/* A token that does not read back as one of ours is not put in its place. */
static int
token_write(const struct kubernetes_token *t, const char *token,
	struct error *err)
{
	const struct kubernetes_settings *s = t->cluster->settings;
	struct kubernetes_claims claims;

	if (token == NULL)
		return error_set(err, ERROR_SYSTEM,
			"the API server answered without a token");
	if (kubernetes_token_claims(slice_of(token), &claims, err) != 0)
		return error_prefix(err, "what the API server answered");
	if (!kubernetes_claims_are_of(
		    &claims, s->namespace_, s->service_account))
		return error_set(err, ERROR_SYSTEM,
			"the API server answered with one of %s",
			claims.subject);
	return file_replace(t->path, token, strlen(token), MODE, err);
}

/* ---- its time */

static void
on_answer(const struct kubernetes_answer *answer, void *arg)
{
	struct kubernetes_token *t = arg;
	struct error err = ERROR_INIT;

	t->call = NULL;
	if (answer->problem != NULL) {
		fail(t, answer->problem);
		return;
	}
	if (token_write(t, kubernetes_token_of(answer->doc), &err) != 0) {
		fail(t, err.text);
		return;
	}
	log_info("kubernetes: token renewed account=%s file=%s",
		t->cluster->settings->service_account, t->path);
	condition(t, KIND_OK, "");
	t->failures = 0;
	/* Not at once: were our clock far ahead, it would be due again. */
	loop_timer_start(t->timer, LOOK_MS);
}

static void
ask(struct kubernetes_token *t)
{
	const struct kubernetes_settings *s = t->cluster->settings;
	char *path = kubernetes_token_path(s->namespace_, s->service_account);
	struct doc *d = kubernetes_token_request(
		t->claims.expires_s - t->claims.issued_s);
	struct kubernetes_request r = {
		.method = "POST",
		.path = path,
		.urgent = true,
	};
	struct str body;

	str_init(&body);
	json_doc_write(d, 0, &body);
	r.body = (struct slice){ body.data, body.length };
	t->call = kubernetes_api_call(t->cluster->api, &r, on_answer, t);
	str_fini(&body);
	doc_free(d);
	free(path);
}

/* The kubeconfig may name another file now, or none. */
static void
path_look(struct kubernetes_token *t)
{
	const char *path = kubernetes_account_token_file(t->cluster->account);

	if (path != NULL && t->path != NULL && strcmp(path, t->path) == 0)
		return;
	free(t->path);
	t->path = path == NULL ? NULL : xstrdup(path);
	t->claims = (struct kubernetes_claims){ 0 };
}

/* Nothing would be ours to renew. */
static void
rest(struct kubernetes_token *t)
{
	if (t->failures > 0)
		condition(t, KIND_OK, "");
	t->failures = 0;
	loop_timer_start(t->timer, LOOK_MS);
}

static void
look(void *arg)
{
	struct kubernetes_token *t = arg;
	struct error err = ERROR_INIT;
	uint64_t now = now_s(), due, delay_ms = LOOK_MS;

	path_look(t);
	if (t->path == NULL) {
		rest(t);
		return;
	}
	if (token_read(t, &err) != 0) {
		fail(t, err.text);
		return;
	}
	due = kubernetes_claims_due_s(&t->claims);
	if (due <= now) {
		ask(t);
		return;
	}
	condition(t, KIND_OK, "");
	t->failures = 0;
	if (due - now < LOOK_MS / 1000)
		delay_ms = (due - now) * 1000;
	loop_timer_start(t->timer, delay_ms);
}

/* ---- coming and going */

struct kubernetes_token *
kubernetes_token_new(struct kubernetes_cluster *c)
{
	struct kubernetes_token *t;

	if (c->settings->service_account == NULL)
		return NULL;
	t = xcalloc(1, sizeof(*t));
	t->cluster = c;
	t->timer = loop_timer_new(c->program->loop, look, t);
	/* Conditions are not told before open has returned. */
	loop_timer_start(t->timer, 0);
	return t;
}

void
kubernetes_token_free(struct kubernetes_token *t)
{
	if (t == NULL)
		return;
	if (t->call != NULL)
		kubernetes_call_cancel(t->call);
	loop_timer_free(t->timer);
	free(t->path);
	free(t);
}
