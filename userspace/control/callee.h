/*
 * What discovery says of an upstream whose functions are called: which
 * functions it has, with what credentials they are called, and of which secret
 * those are made. Part of control/discovery.
 */
#ifndef CONTROL_CALLEE_H
#define CONTROL_CALLEE_H

#include <stddef.h>
#include <stdint.h>

#include "control/core.h"
#include "control/object.h"
#include "model/model.h"

struct callee;

/* Of the upstream o, with the functions that the disk remembers. */
struct callee *callee_new(struct control *c, const struct object *o);
void callee_free(struct callee *e); /* NULL is fine */
/* The object has it: from now on routes are looked at when it changes. */
void callee_show(struct callee *e);
/* Before it is watched anew. What another kind found is not this one's; while
 * the credentials of another secret are not there those of the former are used,
 * for a while. */
void callee_change(struct callee *e, struct model_object *upstream);

/* As those of struct kind_host. */
const struct model_secret *callee_secret(const struct callee *e);
void callee_credentials_replace(
	struct callee *e, const void *bytes, size_t length);
void callee_functions_replace(
	struct callee *e, const char *const *names, size_t count);

/* Sorted; NULL: it is not known which there are. */
const char *const *callee_functions(const struct callee *e, size_t *count);

#endif
