/*
 * The accepted spellings of a resource brought to the canonical one, as a
 * document: what comes after knows only that one. Private to config/.
 */
#ifndef CONFIG_NORMALISE_H
#define CONFIG_NORMALISE_H

#include "base/doc.h"
#include "base/error.h"
#include "model/kind.h"
#include "model/model.h"

/* From `kind`, else from the keys. kinds may be NULL: then an unknown key with
 * a map below it is taken for a kind of upstream. */
int normalise_type(const struct doc *d,
	const struct upstream_kind *const *kinds, enum model_type *type,
	struct error *err);
/* A copy in the canonical spelling, with the lines of the original. The place
 * in an error is that of the original. */
struct doc *normalise(const struct doc *d, enum model_type type,
	const struct upstream_kind *const *kinds, struct error *err);
/* apiVersion of the Kubernetes form. */
const char *normalise_api_version(enum model_type type);

#endif
