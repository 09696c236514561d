/* What the files of slices.h share. */
#ifndef KINDS_KUBERNETES_SLICES_INNER_H
#define KINDS_KUBERNETES_SLICES_INNER_H

#include "base/str.h"
#include "kinds/kubernetes/slices.h"

enum member_state {
	MEMBER_READY = 1,
	MEMBER_LEAVING = 2, /* terminates and still serves */
};

/* One endpoint. Places in the record's text; 0: nothing. Compared as bytes. */
struct slice_member {
	uint8_t ip[16];
	uint64_t owner;
	uint32_t pod;          /* the name */
	uint32_t zones, nodes; /* of the hints: names, the last one empty */
	uint8_t state;         /* or of enum member_state */
	uint8_t pad[3];
};

_Static_assert(
	sizeof(struct slice_member) == 40, "no bytes but the named ones");

struct slice_port {
	uint32_t name, protocol; /* places in the record's text */
	uint16_t number;
	uint8_t all; /* of the pod's, number is 0 */
	uint8_t pad;
};

_Static_assert(sizeof(struct slice_port) == 12, "no bytes but the named ones");

/* Ports and those that have them: a slice is one such part, Endpoints have
 * several (subsets). */
struct slice_part {
	struct slice_port *ports;
	size_t port_count;
	struct slice_member *members;
	size_t member_count;
};

/* What was kept of one object. One that is nobody's has a key only. */
struct slice_record {
	char *key;     /* "ns/name" */
	char *service; /* "ns/service"; NULL: nobody's */
	struct slice_part *parts;
	size_t part_count;
	struct str text; /* begins with a NUL: place 0 */
};

static inline const char *
slice_text(const struct slice_record *r, uint32_t place)
{
	return r->text.data + place;
}

/* ---- slice_read.c */

/* Also of an object that is nobody's. NULL and err: it is not what it should
 * be. */
struct slice_record *kubernetes_slice_read(const struct doc *object,
	enum kubernetes_slice_sort sort, struct error *err);
void kubernetes_slice_free(struct slice_record *r); /* NULL is fine */
bool kubernetes_slice_is_same(
	const struct slice_record *a, const struct slice_record *b);

/* ---- slice_choice.c */

/* As kubernetes_slices_endpoints(); the records are all of one service. */
size_t kubernetes_slices_choose(struct slice_record *const *records,
	size_t record_count, const struct kubernetes_slices_query *q,
	struct endpoint *out, size_t room);

#endif
