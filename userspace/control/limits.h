/*
 * The rate limits of requests as control sees them: the memory that the proxies
 * count in, and what each rule let pass and refused.
 */
#ifndef CONTROL_LIMITS_H
#define CONTROL_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/doc.h"
#include "base/str.h"
#include "control/core.h"
#include "model/limit.h"

struct limits;

struct limits *limits_new(void);
void limits_free(struct limits *l);
/* What a proxy is given, made when it is first asked for; -1 and err. */
int limits_fd(struct limits *l, uint32_t entries, struct error *err);
/* What a running proxy counts in; takes fd. -1: not usable. */
int limits_adopt(struct limits *l, int fd, struct error *err);
/* A new generation is enforced: counts of rules that went are given up. */
void limits_enforced(const struct control *c);

/* The object and the rule of that identity; NULL: there is none by now. */
const struct object *limits_find(const struct control *c, uint64_t identity,
	struct limit_rule *rule);
/* Every rule of every object, for /v1/limits. */
struct doc *limits_print(const struct control *c);
void limits_metrics(const struct control *c, struct str *out);

#endif
