/*
 * What becomes of a key or a token that the app of an upstream did not take:
 * another is asked for, others come, or there are none that are better; and
 * what people are told of it. Whom to ask, and the time, are watch.c's; here is
 * nothing but what follows. Private to kinds/azure/.
 *
 * "proven" is azure_catalog_proves of now.
 */
#ifndef KINDS_AZURE_REFUSAL_H
#define KINDS_AZURE_REFUSAL_H

#include <stdbool.h>
#include <stdint.h>

#include "kinds/azure/spec.h"

enum azure_refusal_state {
	AZURE_REFUSAL_NONE,
	AZURE_REFUSAL_ASKED,      /* others are asked for */
	AZURE_REFUSAL_SAME_TOKEN, /* the same token came; keys still may */
	AZURE_REFUSAL_RENEWED,    /* others were sent, not refused so far */
	AZURE_REFUSAL_IN_VAIN,    /* these as well, or there are no others */
};

struct azure_refusal {
	const struct azure_spec *spec; /* lasts longer; the rest begins as 0 */
	enum azure_refusal_state state;
	/* When the keys that are in use were proven last, monotonic; 0: they
	 * were not, or that is long past. They may be in doubt since, and then
	 * be refused. */
	uint64_t proven_ms;
	/* Proven keys were refused nevertheless, by a function of unknown
	 * level. It outlasts that they are in doubt and proven again. */
	bool level_unknown;
};

/* What is refused is refused by the function itself. */
bool azure_refusal_is_own(const struct azure_refusal *r, bool proven);

/* What was sent last is refused. false: that was on its way when it was proven,
 * and is no reason to do anything. */
bool azure_refusal_add(struct azure_refusal *r, bool proven, uint64_t now_ms);
/* The token was asked for: there is one, which may be the same, or none could
 * be had. */
void azure_refusal_token(struct azure_refusal *r, bool came);
/* Something else was sent; others: with another key or token. */
void azure_refusal_sent(
	struct azure_refusal *r, bool others, bool proven, uint64_t now_ms);
/* After each of these two: whether all that was asked for came, and is the
 * same. */
void azure_refusal_settle(struct azure_refusal *r, bool proven);
/* The last one is long past, or its cause is gone. */
void azure_refusal_end(struct azure_refusal *r, bool proven);

/* A Warning, one sentence; the caller frees. NULL: there is none. */
char *azure_refusal_note(const struct azure_refusal *r);
/* The same of what is no failure, and worth knowing. */
char *azure_refusal_passing_note(const struct azure_refusal *r, bool proven);

#endif
