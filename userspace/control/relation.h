/* How objects stand to each other: which gateway serves which virtual service,
 * who else has a domain or an address. Pure. */
#ifndef CONTROL_RELATION_H
#define CONTROL_RELATION_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/doc.h"
#include "base/error.h"
#include "control/object.h"
#include "fastpath/sockets.h"

bool gateway_serves(
	const struct model_gateway *g, const char *ns, const char *name);
void gateway_addr(const struct model_gateway *g, struct addr *out);
/* The i-th of its additionalAddresses. */
void gateway_bind(
	const struct model_gateway *g, size_t i, struct sockets_bind *out);
/* Its services speak UDP. */
bool gateway_is_udp(const struct model_gateway *g);
/* The key of its slot: gateway and address, of UDP marked. The caller frees. */
char *gateway_slot_key(const struct model_gateway *g);

/* -1 and why: in the place of its older version m would take a domain, or an
 * address, that another object has. */
int relation_check(const struct objects *objects, const struct model_object *m,
	struct error *err);
/* Why the secret that sslConfig names is of no use; the caller frees, NULL: it
 * is, or it names none. */
char *relation_secret_problem(
	const struct objects *objects, const struct model_upstream *u);
/* The secret that its kind's spec names, of the kind's own type; NULL: none. */
const struct model_ref *relation_kind_secret(const struct model_upstream *u);
/* As relation_secret_problem, of that one. */
char *relation_kind_secret_problem(
	const struct objects *objects, const struct model_upstream *u);
/* What m refers to and is not there, one sentence; NULL if nothing. Freed by
 * the caller. */
char *relation_missing(
	const struct objects *objects, const struct model_object *m);
/* The secret of sslConfig or of the kind's secretRef; false: it names none. */
bool relation_upstream_uses(
	const struct model_upstream *u, const struct model_object *secret);
/* "namespace.name" of each upstream that names the secret, a list. */
struct doc *relation_secret_users(
	const struct objects *objects, const struct model_object *secret);
/* Who leads to the upstream or upstream group, which gateways name the virtual
 * service, or which upstreams the secret, one sentence; NULL if there are
 * none. */
char *relation_users(
	const struct objects *objects, const struct model_object *m);

#endif
