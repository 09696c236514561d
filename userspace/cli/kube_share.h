/*
 * A cluster that several boxes serve: which entries of the slice gateway-proxy
 * are other boxes', and how one box leaves while they stay.
 */
#ifndef CLI_KUBE_SHARE_H
#define CLI_KUBE_SHARE_H

#include <stdbool.h>

#include "cli/kube.h"

/* This box, as far as it is known here. */
struct kube_box {
	char *annotation; /* of the slice, that names its entry: box.h */
	char *address;    /* of the settings, else on the way to the API
			   * server; NULL: not known */
};

void kube_box_fini(struct kube_box *box);

/* A list of the addresses in the slice that are not of this box; the caller
 * frees. Of a box that is not known by any of its marks, an only entry is taken
 * for its own unless another box put its name to it. slice may be NULL. */
struct doc *kube_share_others(
	const struct doc *slice, const struct kube_box *box);

/* "10.0.0.1, 10.0.0.2" */
void kube_share_put(const struct doc *others, struct str *out);

/* -1 and err: this box's address is of the family that the slice is not of, for
 * other boxes, so that they would go with it. */
int kube_share_family(struct kube *k, const struct kube_box *box, bool ipv6,
	struct error *err);
/* Takes the address of this box out of the slice and of the service's status,
 * with its annotation, if others are in the slice: then *others are they, the
 * caller's; else *others is NULL, and nothing was changed. */
int kube_share_leave(struct kube *k, const struct kube_box *box,
	struct doc **others, struct error *err);

#endif
