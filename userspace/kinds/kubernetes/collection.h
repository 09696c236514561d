/*
 * Which objects a reflector asks for, and the paths that ask for them. Private
 * to reflector.
 */
#ifndef KINDS_KUBERNETES_COLLECTION_H
#define KINDS_KUBERNETES_COLLECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "kinds/kubernetes/reflector.h"

struct collection {
	char *group, *plural, *ns, *labels, *fields;
	char **versions; /* the best first, NULL at the end */
	size_t version;  /* which of them is asked for */
	char *name;      /* "endpointslices.discovery.k8s.io" */
};

void collection_init(
	struct collection *c, const struct kubernetes_collection *what);
void collection_fini(struct collection *c);
const char *collection_version(const struct collection *c);
/* The next version is asked for from now on; false: there is none, and it is
 * the best one again. */
bool collection_version_next(struct collection *c);

/* "/api/v1/namespaces/web/secrets?labelSelector=a%3Db"; initialises path. */
void collection_path(const struct collection *c, struct str *path);
/* One parameter more; value NULL: none. */
void collection_query(struct str *path, const char *name, const char *value);
void collection_query_number(
	struct str *path, const char *name, uint64_t value);

#endif
