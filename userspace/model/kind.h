/*
 * A kind of upstream, the contract. Connections, timeouts, retries, health,
 * counters and endpoint sets are done for every kind alike; a kind adds only
 * what is its own.
 *
 * To add one: make userspace/kinds/<name>/ with a file that defines
 * `const struct upstream_kind upstream_kind_<name>`. That is all; the Makefile
 * finds it.
 */
#ifndef MODEL_KIND_H
#define MODEL_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/doc.h"
#include "base/error.h"
#include "base/str.h"
#include "model/endpoint.h"

struct kind_host;
struct loop;
struct resolver;

/* A command line flag of `glooctl create upstream <key>`; set() puts the value
 * into the spec document, checking it. */
struct kind_flag {
	const char *name;     /* "static-hosts" */
	const char *argument; /* "strings", "string", "uint32"; NULL: a switch */
	const char *help;
	int (*set)(struct doc *spec, const char *value, struct error *err);
};

enum kind_prompt_type {
	KIND_PROMPT_TEXT,
	KIND_PROMPT_LIST,   /* asked again until empty */
	KIND_PROMPT_SECRET, /* a choice among the secrets, "ns.name" */
	KIND_PROMPT_YES_NO,
};

/* A question of `glooctl create upstream -i`; the answer goes through the flag
 * of that name. */
struct kind_prompt {
	enum kind_prompt_type type;
	const char *question;
	const char *fallback; /* default answer, or NULL */
	const char *flag;
};

/* spec: read, print, describe. Called while a generation is built and in the
 * CLI: must not touch the network. */
typedef void *kind_read_f(const struct doc *spec, struct error *err);
typedef struct doc *kind_print_f(const void *spec);
typedef void kind_free_f(void *spec);
/* The lines of DETAILS in `glooctl get upstreams`, each ended with '\n', the
 * empty last line not included. */
typedef void kind_details_f(const void *spec, struct str *lines);

/* discovery (control process): start watching, report through the host; the
 * result is the kind's state, stopped and freed by unwatch. */
typedef void *kind_watch_f(const void *spec, struct kind_host *host);
typedef void kind_unwatch_f(void *state);

struct upstream_kind {
	const char *key;   /* below upstreamSpec: "static", "kube", "aws", ... */
	const char *title; /* in tables: "Static", "Kubernetes", "AWS", ... */

	kind_read_f *read;
	kind_print_f *print;
	kind_free_f *free;
	kind_details_f *details;
	const struct kind_flag *flags; /* ends with a NULL name; or NULL */
	const struct kind_prompt *prompts; /* ends with a NULL question */

	/* NULL while the kind cannot be served: then not_served says why, and
	 * the upstream gets that as its Warning. */
	kind_watch_f *watch;
	kind_unwatch_f *unwatch;
	const char *not_served;
};

/*
 * What a kind's discovery sees of control. All calls on the control thread.
 * A failure to discover empties nothing: report it with condition_set and keep
 * the endpoints; ok = true clears it.
 */
struct kind_host {
	struct loop *loop;
	struct resolver *resolver;
	/* Replaces the whole set; the array is copied. */
	void (*endpoints_replace)(struct kind_host *host,
		const struct endpoint *set, size_t count);
	void (*condition_set)(struct kind_host *host, bool ok,
		const char *reason);
};

/* The table of kinds is handed round by main; ends with NULL. */
const struct upstream_kind *kind_find(const struct upstream_kind *const *kinds,
	const char *key);

#endif
