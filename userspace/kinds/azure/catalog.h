/*
 * What the management API says of one function app: its functions, if they are
 * to be discovered, and its keys, if they are to be fetched. Asked page by page
 * and key by key, one question at a time, every discoveryInterval with jitter;
 * sooner, with backoff and full jitter, when something failed, and not before a
 * Retry-After. A part that cannot be had leaves what is known of it. A token
 * that is not taken (401) is dropped, unless there is another one by then, and
 * the question asked again with another one, once in a walk.
 */
#ifndef KINDS_AZURE_CATALOG_H
#define KINDS_AZURE_CATALOG_H

#include <stdbool.h>
#include <stddef.h>

#include "kinds/azure/credentials.h"
#include "kinds/azure/spec.h"

#define AZURE_PAGES_MAX              100
#define AZURE_FUNCTION_KEYS_MAX      200 /* others go with the host's default */
#define AZURE_CATALOG_RETRY_MS_MIN   10000u
#define AZURE_CATALOG_REFUSED_MS_MIN 10000u /* between two because of that */

struct azure_catalog;
struct azure_shared;
struct azure_token;

struct azure_catalog_options {
	struct azure_shared *shared;
	const struct azure_spec *spec; /* both last longer than the catalog */
	struct azure_token *token;
	bool functions, keys; /* at least one of them */
	/* Something is another: never called before azure_catalog_new
	 * returned. */
	void (*changed)(void *arg);
	void *arg;
};

struct azure_catalog *azure_catalog_new(const struct azure_catalog_options *o);
void azure_catalog_free(struct azure_catalog *c); /* NULL is fine */
/* The token is another, there is none any more, or none can be had. */
void azure_catalog_go(struct azure_catalog *c);
/* A key was refused: they are fetched anew, not more than once in 10 s, and
 * less and less often while the same ones come. */
void azure_catalog_refused(struct azure_catalog *c);
/* That was done, and the same ones came: they are good, and it is a function
 * that refuses with a 401 of its own. So for as long as they would not be
 * fetched anew: 20 s at first, at most half of discoveryInterval; a refusal
 * after that proves it anew, or finds another key. */
bool azure_catalog_proves(const struct azure_catalog *c);
/* Without a token among it. Valid until changed. */
const struct azure_credentials *azure_catalog_found(
	const struct azure_catalog *c);
/* The functions were found at least once. */
bool azure_catalog_knows_functions(const struct azure_catalog *c);
bool azure_catalog_knows_keys(const struct azure_catalog *c);
/* What failed last time, one sentence; NULL: nothing. */
const char *azure_catalog_problem(const struct azure_catalog *c);

#endif
