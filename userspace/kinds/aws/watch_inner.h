/* What an upstream's watch knows, for those who ask with it. Private to
 * watch.c, probe.c and open.c. */
#ifndef KINDS_AWS_WATCH_INNER_H
#define KINDS_AWS_WATCH_INNER_H

#include <stdbool.h>

#include "kinds/aws/api.h"
#include "kinds/aws/credentials.h"
#include "kinds/aws/functions.h"
#include "kinds/aws/numbers.h"
#include "kinds/aws/provider.h"
#include "kinds/aws/spec.h"
#include "kinds/telling.h"
#include "model/kind.h"
#include "net/watched_name.h"

/* Of open. */
struct aws_shared {
	struct kind_program *program;
	struct aws_counts counts;
};

struct aws_probe;

struct aws_watch {
	struct kind_host *host;
	struct aws_shared *shared;
	struct aws_spec *spec; /* its own */

	/* Where Lambda is. */
	char *name;                   /* NULL: a literal address */
	struct watched_name *watched; /* of name */
	struct endpoint common;       /* what its endpoints share */

	/* As whom it is called. */
	struct aws_provider *provider;      /* NULL: its secret is not there */
	bool are_former; /* what the proxy has may be of another role, or of
			  * what the secret was before */
	struct aws_credentials credentials; /* access_key NULL: none */
	char *credentials_problem;

	struct aws_api *api;             /* Lambda's */
	struct aws_functions *functions; /* NULL: they are not discovered */
	char *functions_problem;
	struct aws_probe *probe; /* that runs; or NULL */
	struct kind_telling told;
};

static inline bool
aws_watch_has_credentials(const struct aws_watch *w)
{
	return w->credentials.access_key != NULL;
}

/* Gives it up: done is not called. NULL is fine. */
void aws_probe_free(struct aws_probe *p);

#endif
