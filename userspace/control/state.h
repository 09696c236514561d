/*
 * Control's own memory on disk, below the state directory: the last enforced
 * version of every object (good/), the last endpoints of every upstream
 * (endpoints/) and its functions (functions/), what kinds of upstream reported (discovered/, resources/), with
 * which certificates TLS was spoken (tls.json), and which number each name has
 * (ids.json).
 */
#ifndef CONTROL_STATE_H
#define CONTROL_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/doc.h"
#include "base/error.h"
#include "control/numbers.h"
#include "model/endpoint.h"
#include "model/model.h"

struct state;

/* Makes the folders. */
struct state *state_open(const char *root, struct error *err);
/* Makes nothing, for looking only. */
struct state *state_open_existing(const char *root);
void state_close(struct state *s);

/* NULL: there is none, or it cannot be read (which is logged). */
struct doc *state_good_read(const struct state *s, enum model_type type,
	const char *ns, const char *name);
int state_good_write(const struct state *s, enum model_type type,
	const char *ns, const char *name, const struct doc *d,
	struct error *err);
/* Without waiting for the disk. */
int state_good_write_lazily(const struct state *s, enum model_type type,
	const char *ns, const char *name, const struct doc *d,
	struct error *err);
void state_good_remove(const struct state *s, enum model_type type,
	const char *ns, const char *name);

/*
 * What came from elsewhere, by the key of the kind that reported it: what
 * discovery said last of an upstream, or a resource of another store. Written
 * without waiting for the disk, for it can be asked again.
 */
enum state_area {
	STATE_DISCOVERED,
	STATE_RESOURCES,
};

struct state_report {
	enum state_area area;
	const char *kind;
	enum model_type type;
	const char *ns, *name;
};

int state_report_write(const struct state *s, const struct state_report *r,
	const struct doc *d, struct error *err);
void state_report_remove(const struct state *s, const struct state_report *r);
/* d is the callee's (doc_free); r is valid during the call. */
typedef void state_report_f(
	const struct state_report *r, struct doc *d, void *arg);
/* All of a kind: upstreams, gateways, virtual services. */
void state_reports_each(const struct state *s, enum state_area area,
	const char *kind, state_report_f *cb, void *arg);

/* The array is the caller's (free); NULL and 0: nothing is known. Of the health
 * it is remembered who was down. Owners are kept. *spec is the caller's, too:
 * of the kind, as print makes it, that the endpoints were found for; NULL: not
 * known. */
struct endpoint *state_endpoints_read(const struct state *s, const char *ns,
	const char *name, struct doc **spec, size_t *count);
/* Without waiting for the disk: they may move every second, and be many. spec
 * may be NULL. */
int state_endpoints_write(const struct state *s, const char *ns,
	const char *name, const struct doc *spec, const struct endpoint *set,
	size_t count, struct error *err);
void state_endpoints_remove(
	const struct state *s, const char *ns, const char *name);

/* Names of functions that were discovered, a list of texts; NULL: they are not
 * known. The caller's. */
struct doc *state_functions_read(
	const struct state *s, const char *ns, const char *name);
int state_functions_write(const struct state *s, const char *ns,
	const char *name, const struct doc *names, struct error *err);
void state_functions_remove(
	const struct state *s, const char *ns, const char *name);

/* What control/tls_before.h keeps; NULL: nothing. */
struct doc *state_tls_read(const struct state *s);
int state_tls_write(
	const struct state *s, const struct doc *d, struct error *err);

/* False: there are no numbers yet, or they cannot be read. */
bool state_ids_read(const struct state *s, struct numbers *upstreams,
	struct numbers *slots, struct numbers *services);
int state_ids_write(const struct state *s, const struct numbers *upstreams,
	const struct numbers *slots, const struct numbers *services,
	struct error *err);

#endif
