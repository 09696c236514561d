/* An upstream of kind azure while it is watched (watch.c), as its probe sees
 * it. Private to kinds/azure/. */
#ifndef KINDS_AZURE_WATCH_H
#define KINDS_AZURE_WATCH_H

#include <stdbool.h>

#include "kinds/azure/catalog.h"
#include "kinds/azure/refusal.h"
#include "kinds/azure/settings.h"
#include "kinds/azure/spec.h"
#include "kinds/azure/token.h"
#include "kinds/telling.h"
#include "model/kind.h"
#include "net/digest.h"
#include "net/loop.h"
#include "net/watched_name.h"

struct azure_probing;

struct azure_watch {
	struct kind_host *host;
	struct azure_shared *shared;
	struct azure_spec *spec;
	struct str name; /* of the host */
	uint16_t port;
	struct addr literal;
	struct watched_name *watched;         /* NULL: name is an address */
	struct azure_token *management, *app; /* or NULL */
	struct azure_catalog *catalog;        /* or NULL */
	bool discovers;                       /* functions */
	size_t dropped; /* functions that the credentials have no room for */
	/* Of the credentials that the host was given last; of the keys and the
	 * token among them. */
	unsigned char sent[DIGEST_LENGTH], secrets[DIGEST_LENGTH];
	struct azure_refusal refusal;
	struct loop_timer *calm; /* ends that */
	struct kind_telling told;
	struct azure_probing *probings; /* that go on */
};

/* What stands there is gathered: keys, tokens, what is known of functions. */
void azure_watch_gather(
	const struct azure_watch *w, struct azure_credentials *out);
/* The upstream's secret, of its type; NULL: it is not there, and *why says what
 * is (a sentence's end), if it names one at all. */
const struct model_secret *azure_watch_secret(
	const struct azure_watch *w, const char **why);
void azure_probings_free(struct azure_watch *w);

#endif
