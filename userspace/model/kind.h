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
#include "model/model.h"

struct dialect;
struct http_client;
struct kind_host;
struct kind_program;
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

enum kind_level {
	KIND_OK,
	KIND_NOTE,    /* worth knowing, nothing is wrong */
	KIND_WARNING, /* stale, or a part does not work */
	KIND_ERROR,
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
	/* Default answer. NULL: there must be one; of a list, at least one; of
	 * a secret, none. */
	const char *fallback;
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
/* What a watch knows beside endpoints, for people: keys of its own into to, a
 * map of /v1/endpoints. */
typedef void kind_show_f(const void *state, struct doc *to);

/* What the kind does once for the whole control process, before any watch: it
 * finds services that become upstreams, reads resources from elsewhere, holds
 * the connection that its upstreams share. Called when the settings have the
 * kind's key; the result is freed by close, after all unwatch. After a reload
 * that changed that key: unwatch of all, close, open, watch of all. */
typedef void *kind_open_f(struct kind_program *program);
typedef void kind_close_f(void *shared);

/* What became of a resource that came through resource_put. */
struct kind_verdict {
	enum model_type type;
	const char *ns, *name;
	const char *state;   /* "Accepted", "Warning", "Rejected", "Pending" */
	const char *reason;  /* "" if there is nothing to say */
	uint64_t generation; /* that resource_put was given */
};
/* When it is known, and each time that it changes; Pending only if it lasts.
 * Must not put or remove resources itself. */
typedef void kind_judged_f(void *shared, const struct kind_verdict *verdict);

/* What discovery would make, whether it is on or not: calls each once for every
 * upstream document, which the callee frees. -1: not known yet, err says why. */
typedef void kind_preview_each_f(struct doc *upstream, void *arg);
typedef int kind_preview_f(void *shared, kind_preview_each_f *each, void *arg,
	struct error *err);

/* Numbers of what open made, for /metrics: calls each once for every one. The
 * name begins with the kind's key; type is "counter" or "gauge". */
typedef void kind_number_f(const char *name, const char *type,
	const char *help, uint64_t value, void *arg);
typedef void kind_numbers_f(
	const void *shared, kind_number_f *each, void *arg);

/* Its endpoints are spoken to with TLS although the upstream has no sslConfig
 * (static: useTls, or port 443). */
typedef bool kind_tls_f(const void *spec);

/* Of which keys subsets of its endpoints can be asked for: each, once for every
 * selector (model/subset.h). */
struct subset_selector;
typedef void kind_subset_each_f(
	const struct subset_selector *selector, void *arg);
typedef void kind_subsets_f(
	const void *spec, kind_subset_each_f *each, void *arg);

/* Valid during the call. */
typedef void kind_function_f(const char *name, void *arg);
/* The secret that its spec names came, changed or went; ask secret_get. */
typedef void kind_secret_changed_f(void *state);
/* The endpoint did not take the credentials that it was given last. */
typedef void kind_credentials_refused_f(void *state);
/* Asks now whether all that the upstream needs is permitted, for `glooctl check
 * lambda|azure`: each once for every finding, done once at the end, both later
 * than this call. Given up by unwatch; done is not called then. */
typedef void kind_finding_f(enum kind_level level, const char *sentence,
	void *arg);
typedef void kind_probe_f(void *state, kind_finding_f *each,
	void (*done)(void *arg), void *arg);

struct upstream_kind {
	const char *key;   /* below upstreamSpec: "static", "kube", "aws", ... */
	const char *title; /* in tables: "Static", "Kubernetes", "AWS", ... */

	kind_read_f *read;
	kind_print_f *print;
	kind_free_f *free;
	kind_details_f *details;
	const struct kind_flag *flags; /* ends with a NULL name; or NULL */
	const struct kind_prompt *prompts; /* ends with a NULL question */
	kind_tls_f *tls;                   /* NULL: never */
	kind_subsets_f *subsets;           /* NULL: there are none */

	/* Functions (model/dialect.h); all NULL for a kind that has none.
	 * function_key: where a destinationSpec of its names the function. */
	const struct dialect *dialect;
	const char *function_key;
	const struct model_ref *(*secret)(const void *spec); /* or NULL: none */
	kind_secret_changed_f *secret_changed;
	kind_credentials_refused_f *credentials_refused;
	kind_probe_f *probe;

	/* NULL while the kind cannot be served: then not_served says why, and
	 * the upstream gets that as its Warning. */
	kind_watch_f *watch;
	kind_unwatch_f *unwatch;
	kind_show_f *show; /* or NULL */
	const char *not_served;

	/* All NULL for a kind that needs none of this. settings_key is the key
	 * of settings.yaml, whose value settings_check reads; without the key
	 * in the settings, upstreams of a kind that has open are not served,
	 * and not_served says what to do about it; unless settings_optional:
	 * then it is opened with an empty map. judged, preview and
	 * numbers may be NULL. */
	const char *settings_key;
	bool settings_optional;
	int (*settings_check)(const struct doc *settings, struct error *err);
	kind_open_f *open;
	kind_close_f *close;
	kind_judged_f *judged;
	kind_preview_f *preview;
	kind_numbers_f *numbers;
	/* What the resources that it puts are changed with: "kubectl". How one
	 * stops an upstream from being found again: "delete the service, or
	 * ...". Both may be NULL. */
	const char *resources_tool;
	const char *discovery_stop;
};

/*
 * What a kind's discovery sees of control. All calls on the control thread.
 * A failure to discover empties nothing: report it with condition_set and keep
 * the endpoints; ok = true clears it.
 */
struct kind_host {
	struct loop *loop;
	struct resolver *resolver;
	void *shared; /* of open; NULL: the kind has none */
	uint64_t dns_refresh_ms; /* of watched_name_pace */
	bool tls; /* the upstream has an sslConfig */
	const struct model_meta *meta; /* of the upstream, while it is watched */
	/* Replaces the whole set; the array is copied. */
	void (*endpoints_replace)(struct kind_host *host,
		const struct endpoint *set, size_t count);
	/* What is used now, of an earlier run too. Valid until it is replaced.
	 */
	const struct endpoint *(*endpoints_used)(
		struct kind_host *host, size_t *count);
	/* Until watch has returned, or endpoints_replace was called: the spec,
	 * as print makes it, that what is used was found for; an operator's
	 * edit makes another of it. NULL: not known. */
	const struct doc *used_spec;
	void (*condition_set)(struct kind_host *host, bool ok,
		const char *reason);
	/* What does not hold for this upstream though its endpoints are as
	 * they should be ("HTTP/2 is not spoken to it yet"): its Warning. NULL
	 * takes it away. */
	void (*note_set)(struct kind_host *host, const char *note);

	/* The secret that kind->secret names, as the store or the cluster has
	 * it; NULL: it is not there. Valid until secret_changed. */
	const struct model_secret *(*secret_get)(struct kind_host *host);
	/* For the dialect's credentials_new; copied, sent to the proxy only
	 * while a route leads to the upstream, overwritten after use. Length
	 * 0: there are none. */
	void (*credentials_replace)(struct kind_host *host, const void *bytes,
		size_t length);
	/* All names that a destination may give, sorted; copied. An entry that
	 * ends with '*' is no name: there may be more that begin so, which is
	 * not known ("hello:*"; "*": any). NULL: it is not known which there
	 * are. */
	void (*functions_replace)(struct kind_host *host,
		const char *const *names, size_t count);
	/* As they were given last, by an earlier watch or run, too; NULL: it
	 * is not known. Valid until they are replaced. */
	const char *const *(*functions_known)(
		struct kind_host *host, size_t *count);
	/* What destinations of the upstream name now (function_key), in
	 * routes and groups: each, once for every one that names something. */
	void (*functions_used)(struct kind_host *host,
		kind_function_f *each, void *arg);
};

/*
 * What a kind that is open sees of control. All calls on the control thread,
 * never before open returned. What it reported stays until it says otherwise,
 * over restarts too: a source that cannot be asked changes nothing.
 */
/* All upstreams were found among which that one, by its document, would be. */
typedef bool kind_settled_f(const struct doc *said, void *arg);

struct kind_program {
	struct loop *loop;
	struct resolver *resolver;
	struct http_client *http;
	const struct doc *settings;      /* the value below settings_key */
	const char *discovery_namespace; /* where discovered upstreams go */
	const char *settings_folder;     /* of relative paths */

	/* A service was found: d (taken) is the upstream that it makes, with
	 * metadata.name, metadata.labels.discovered_by and the kind's spec. It
	 * is stored as an operator's own would be; keys that the operator has
	 * changed or added keep the operator's value. An upstream of that name
	 * that nothing discovered is left alone, and -1 and err say so; what
	 * could not be stored is tried again without being told. */
	int (*upstream_found)(struct kind_program *program, struct doc *d,
		struct error *err);
	void (*upstream_gone)(struct kind_program *program, const char *name);
	/* What was said of the upstream of that name when it was found last, in
	 * an earlier run too; NULL: nothing. Valid until it is found or gone.
	 */
	const struct doc *(*upstream_said)(
		struct kind_program *program, const char *name);
	/* All that is there was found: what was discovered before and not found
	 * since open, or since the last such call, is gone; if settled is not
	 * NULL, where it says so of what was said of the upstream. */
	void (*upstreams_settled)(struct kind_program *program,
		kind_settled_f *settled, void *arg);

	/* A resource of another store has that form now; d is taken, may be of
	 * the Kubernetes form. Enforced as one of our own store, but not written
	 * there. It is judged by and by, again whenever that changes. If our own
	 * store has one of that name, it is Rejected and says so. */
	void (*resource_put)(struct kind_program *program, enum model_type type,
		const char *ns, const char *name, struct doc *d,
		uint64_t generation);
	void (*resource_remove)(struct kind_program *program,
		enum model_type type, const char *ns, const char *name);
	/* All that is there was put: what was put before and not since open,
	 * or since the last such call, is gone. */
	void (*resources_settled)(struct kind_program *program,
		enum model_type type);

	/* A part of its work ("services", "endpoints", "token") that fails or
	 * works again; shown by `glooctl check` with the time since when.
	 * level: KIND_OK takes it away. Logged once when it changes. */
	void (*condition_set)(struct kind_program *program, const char *part,
		enum kind_level level, const char *reason);
};

/* The table of kinds is handed round by main; ends with NULL. */
const struct upstream_kind *kind_find(const struct upstream_kind *const *kinds,
	const char *key);

#endif
