/*
 * What the steps of a reflector (reflector.c) and its watches
 * (reflector_watch.c) share. Everything ends in one of the functions that
 * decide on the next step; after it nothing of this step is there any more.
 */
#ifndef KINDS_KUBERNETES_REFLECTOR_INNER_H
#define KINDS_KUBERNETES_REFLECTOR_INNER_H

#include "kinds/kubernetes/absence.h"
#include "kinds/kubernetes/collection.h"
#include "kinds/kubernetes/intake.h"
#include "kinds/kubernetes/reflector.h"

struct loop_timer;

enum step {
	STEP_LIST,    /* the whole set, by pages */
	STEP_INITIAL, /* the whole set, by a watch */
	STEP_WATCH,   /* what changes */
};

struct kubernetes_reflector {
	struct kubernetes_api *api;
	struct kubernetes_times times;
	struct kubernetes_reflector_events events;
	void *arg;

	struct collection what;
	struct intake *intake;
	char *server;     /* that the version is of */
	char *at;         /* the version up to which all was said; NULL: none */
	bool consistent;  /* a list is to be of now, not of a cache */
	bool unlimited;   /* a list is to be in one page */
	bool listed_only; /* the server takes no WatchList */
	bool again;       /* all is to be said again */
	unsigned cycles;  /* sets in a row without a watch that held */
	unsigned rewatches; /* that the server failed at, in a row */

	enum step step; /* under way, or after the pause */
	struct kubernetes_call *call;
	struct absence *absence;
	struct loop_timer *pause;
	/* Of a watch: it is not answered, its set does not come, or it holds.
	 */
	struct loop_timer *steady;
	char *page;         /* continue, of the list under way */
	uint64_t watch_ms;  /* what the server was told */
	uint64_t opened_ms; /* 0: not yet */
	bool heard;         /* an event, or a bookmark */

	uint64_t backoff_ms, failed_ms;
	struct kubernetes_recovery recovery;
	uint64_t seed;
	enum kubernetes_state state;
	char *reason;
	struct kubernetes_reflector_counts counts;
};

uint64_t reflector_now_ms(const struct kubernetes_reflector *r);
/* At random, below bound; 0: 0. */
uint64_t reflector_random_below(struct kubernetes_reflector *r, uint64_t bound);

/* ---- what is told, if it is something else */

void reflector_state_set(struct kubernetes_reflector *r,
	enum kubernetes_state state, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void reflector_current_set(struct kubernetes_reflector *r);
/* What the server did not want to be done ("list", "watch"), or why not. */
void reflector_failure_set(struct kubernetes_reflector *r, const char *verb,
	const struct kubernetes_answer *a);

/* ---- the next step */

void reflector_step_after(
	struct kubernetes_reflector *r, enum step step, uint64_t delay_ms);
/* After a failure; not before the server wants to be asked. */
void reflector_step_back_off(
	struct kubernetes_reflector *r, enum step step, uint64_t at_least_ms);
/* The whole set is needed: the first time at once. */
void reflector_set_again(struct kubernetes_reflector *r);
/* A whole set could not be had; says why. */
void reflector_set_failed(struct kubernetes_reflector *r, const char *verb,
	const struct kubernetes_answer *a);
/* True: the kubeconfig was changed, and what came is of another server than
 * before, or half of it. */
bool reflector_server_left(struct kubernetes_reflector *r);

/* ---- what came */

/* False: it is none, or too long. */
bool reflector_at_set(struct kubernetes_reflector *r, const char *version);
/* True: everything up to that version was said; false: it is none. */
bool reflector_set_take(struct kubernetes_reflector *r, const char *version);
/* One of a whole set; object is taken. */
void reflector_set_collect(
	struct kubernetes_reflector *r, struct doc *object, size_t bytes);

/* ---- a watch */

/* For STEP_INITIAL and STEP_WATCH. */
void reflector_watch_begin(struct kubernetes_reflector *r);
/* r->steady: it is not answered, or has held. */
void reflector_on_steady(void *arg);

#endif
