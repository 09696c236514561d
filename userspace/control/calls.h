/*
 * Calls to functions: what the proxy has to know of a destination whose
 * upstream is of a kind with a dialect (model/dialect.h), beside the secrets
 * and the functions that there are.
 */
#ifndef CONTROL_CALLS_H
#define CONTROL_CALLS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "control/core.h"
#include "model/kind.h"
#include "model/model.h"

/* The settings of calls to d, appended; of a plain kind there are none. o: the
 * upstream that d names, which has a model. False: it cannot be served, reason
 * says why. True and a reason: it can, and that is a Warning; "": all is well.
 */
bool calls_write(const struct object *o, const struct model_destination *d,
	struct str *settings, char *reason, size_t size);
/* Why nothing can be called there, whatever the function: its secret; false:
 * nothing speaks against it. */
bool calls_lack(const struct control *c, const struct object *o, char *reason,
	size_t size);

/* The functions of the upstream that routes and upstream groups name: each,
 * once for every destination. */
void calls_functions_each(const struct control *c,
	const struct model_upstream *u, kind_function_f *each, void *arg);

/* Why not every request that its functions take can be collected; false:
 * nothing speaks against it. */
bool calls_cut(const struct control *c, const struct model_upstream *u,
	char *reason, size_t size);

/* The secret of the upstream is another store's, which has not said yet which
 * there are. */
bool calls_secret_awaited(const struct control *c, const struct object *o);
/* That secret came, changed or went: routes may lead elsewhere, and the kinds
 * of upstreams that name it are told. */
void calls_secret_changed(struct control *c, const char *ns, const char *name);
/* That kind has said all its secrets, or will say none. */
void calls_secrets_settled(struct control *c, const struct upstream_kind *kind);

#endif
