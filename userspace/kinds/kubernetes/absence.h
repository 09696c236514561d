/*
 * Is a resource really not there, as a 404 says? A proxy, a wrong URL or a
 * server that begins says so as well; the server's own list of what it serves
 * decides. Private to reflector.
 */
#ifndef KINDS_KUBERNETES_ABSENCE_H
#define KINDS_KUBERNETES_ABSENCE_H

#include "base/str.h"
#include "kinds/kubernetes/api.h"

#define ABSENCE_VERSIONS_MAX 8

struct absence;

/* problem NULL: the server says in full that it serves none of them. */
typedef void absence_f(const char *problem, void *arg);
/* group "": core. versions ends with NULL. Both must outlive it. */
struct absence *absence_ask(struct kubernetes_api *api, const char *group,
	const char *const *versions, const char *plural, absence_f *cb,
	void *arg);
void absence_cancel(struct absence *a);

/* "/api/v1", "/apis/discovery.k8s.io/v1" appended to path. */
void api_path_put(struct str *path, const char *group, const char *version);

#endif
