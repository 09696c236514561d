/*
 * A generation of routing configuration as one relocatable block of memory.
 * Control builds it in a memfd, seals it and sends the descriptor; the proxy
 * maps it read-only and walks it as it is. Nothing in it is a pointer: every
 * reference is a byte offset. 0 means "none".
 *
 * Two kinds of blocks, so that an unchanged virtual host is copied by memcpy:
 *
 *   struct image         the header; its offsets count from the image's start
 *   struct image_vhost   one virtual host; every offset inside it counts from
 *                        the vhost's own start (its `length` bytes are a unit)
 *
 * Upstreams are named by a stable id that control gives for as long as the
 * upstream lives; endpoint sets and counters use the same id, so they change
 * without touching an image.
 *
 * Built by routing/image_build, checked by image_check before the proxy uses
 * it (control is trusted; a bug in it must still not be a wild read).
 */
#ifndef MODEL_IMAGE_H
#define MODEL_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/error.h"
#include "base/str.h"
#include "model/policy.h"

#define IMAGE_MAGIC 0x35656772616d6967ull /* changes when the layout does */
#define IMAGE_CONTRACT 5
#define IMAGE_ALIGN 8
#define IMAGE_LINE 64 /* where vhosts and their nodes begin, for speed alone */

struct image_str { /* bytes, a NUL after them */
	uint32_t offset, length;
};

struct image_array { /* of what the comment beside it says */
	uint32_t offset, count;
};

struct image {
	uint64_t magic;
	uint32_t contract;
	uint32_t length; /* of the whole image */
	uint64_t generation;
	struct image_array listeners; /* struct image_listener */
	struct image_array upstreams; /* struct image_upstream, by id */
	struct image_array trusted;   /* struct addr_prefix */
	struct image_array services;  /* struct image_service, by slot */
};

struct image_listener {
	uint32_t slot; /* stable; counters and listening sockets go by it */
	struct image_str name; /* "namespace.name" of the gateway */
	/* Open addressing, count is a power of two or 0: struct image_host.
	 * Exact hosts as they are; "*.example.com" as ".example.com" and
	 * "www.*" as "www." (flags); lower case. */
	struct image_array hosts;
	uint32_t default_vhost; /* domain "*"; offset from the image's start */
	uint8_t has_suffix, has_prefix, pad[2];
	struct image_array limits; /* struct image_limit */
};

enum image_host_type {
	IMAGE_HOST_EXACT,
	IMAGE_HOST_SUFFIX,
	IMAGE_HOST_PREFIX,
};

struct image_host {
	struct image_str name; /* offset 0: an empty slot */
	uint32_t vhost;        /* offset from the image's start */
	uint32_t hash;
	uint32_t type; /* enum image_host_type */
};

struct image_upstream {
	uint32_t id;
	struct image_str name; /* "namespace.name" */
	struct image_str kind; /* "static" */
	uint32_t connect_timeout_ms;
	uint32_t max_requests_per_connection; /* 0: no limit */
	struct image_str unavailable; /* why it is not served, or empty */
	struct policy_balance balance;
	struct policy_breakers breakers;
	/* Failures in a row that control is told of at once; 0: never. */
	uint32_t outlier_errors, outlier_gateway_errors;
	uint32_t tls; /* struct image_tls; offset from the image's start; 0: plain */
};

/* How TLS is spoken to an upstream. Certificates and keys are no part of an
 * image: they are known by what wire.h calls material. */
struct image_tls {
	uint64_t roots;    /* material whose ca is trusted */
	uint64_t identity; /* material whose cert and key we come with; 0: none */
	struct image_str server_name; /* sslConfig.sni; empty: the endpoint's own
				       * (server_name, else host, else address) */
	struct image_array names; /* struct image_str: verifySubjectAltName, one
				   * has to fit; none: the server name has to */
	struct image_array alpn;  /* struct image_str, the best first; none:
				   * http/1.1 */
	struct image_str ciphers; /* of TLS 1.2, as OpenSSL writes lists; empty:
				   * its own */
	struct image_str curves;  /* as above */
	uint16_t version_min, version_max; /* 0x0303; 0: the library's */
	uint8_t renegotiation, pad[3];
};

struct image_service { /* of TCP: what the proxy relays */
	uint32_t slot; /* stable, as a listener's */
	struct image_str name; /* "namespace.name" of the gateway */
	uint32_t upstream;     /* id; 0: see unavailable */
	struct image_str unavailable; /* why nothing can be relayed, or empty */
	uint32_t idle_timeout_ms;
	uint32_t connect_attempts; /* 1.. */
};

/* ---- inside a vhost; offsets from the vhost's start ---- */

struct image_vhost {
	uint32_t length;
	struct image_str name;       /* "namespace.name" of the service */
	struct image_array routes;   /* struct image_route, in order */
	struct image_array matchers; /* struct image_matcher, in route order */
	struct image_array nodes;    /* the radix; private to routing/ */
	struct image_array regexes;  /* struct image_str, the patterns */
	uint32_t root;               /* private to routing/ */
	struct image_array residual; /* private to routing/ */
	uint32_t headers;            /* struct image_headers of the vhost */
	struct image_array limits;   /* struct image_limit */
};

/* A rate limit of stage http (model/limit.h); its texts count from the start
 * of what it stands in, a vhost or the image. */
struct image_limit {
	uint64_t identity; /* limit_rule_identity */
	uint64_t most;     /* burst * cost */
	uint32_t per_ms, cost; /* limit_units */
	uint32_t burst;
	struct image_str name;
	struct image_str header; /* lower case; LIMIT_KEY_HEADER */
	uint32_t far_beyond; /* refused within promote_ms; 0: not promoted */
	uint32_t promote_ms;
	uint8_t key, action; /* enum limit_key, enum limit_action */
	uint8_t plen4, plen6;
	uint8_t count_rejected, field_id, pad[2];
};

enum image_matcher_flag {
	IMAGE_MATCHER_NOCASE = 1,
};

#define IMAGE_NO_REGEX UINT32_MAX

struct image_matcher {
	uint32_t route;    /* index; lowest index that matches wins */
	uint8_t path_type; /* enum model_path */
	uint8_t flags;
	uint16_t method_mask; /* bit enum http_method; 0: any */
	struct image_str path;
	uint32_t regex;              /* index into regexes, or IMAGE_NO_REGEX */
	struct image_array methods;  /* struct image_str: methods that are not
					in enum http_method */
	struct image_array headers;  /* struct image_condition */
	struct image_array query;    /* struct image_condition */
};

struct image_condition {
	struct image_str name;  /* headers: lower case */
	struct image_str value; /* not used with a regex */
	uint32_t regex;         /* or IMAGE_NO_REGEX */
	uint8_t presence, invert, field_id, pad;
};

enum image_action {
	IMAGE_ACTION_ROUTE,
	IMAGE_ACTION_REDIRECT,
	IMAGE_ACTION_DIRECT,
	IMAGE_ACTION_UNAVAILABLE, /* 503 with `reason` */
};

enum image_host_rewrite { /* of a route without host_rewrite */
	IMAGE_HOST_KEPT,        /* autoHostRewrite: false */
	IMAGE_HOST_ENDPOINT,    /* true: the endpoint's name, if it has one */
	IMAGE_HOST_AS_ENDPOINT, /* not given: as endpoint.host_rewrite says */
};

struct image_route {
	uint8_t action; /* enum image_action */
	uint8_t auto_host_rewrite; /* enum image_host_rewrite */
	uint8_t partial; /* 1: destinations are left out, that lead nowhere */
	uint8_t pad;
	struct image_str name; /* of the route, or empty */
	uint32_t timeout_ms;   /* 0: none */
	uint32_t idle_timeout_ms; /* 0: as the settings say */
	uint32_t retries;         /* struct image_retries, 0: none */
	struct image_array hash;  /* struct image_hash */
	uint32_t total_weight;
	struct image_array destinations; /* struct image_destination */
	struct image_str prefix_rewrite; /* offset 0: none */
	struct image_str host_rewrite;
	uint32_t headers;      /* struct image_headers, 0: none */
	struct image_str reason; /* IMAGE_ACTION_UNAVAILABLE */
	/* redirect and direct response */
	uint16_t status;
	uint8_t https_redirect, strip_query;
	struct image_str host_redirect, path_redirect;
	uint16_t port_redirect, pad2;
	struct image_str body;
};

struct image_destination {
	uint32_t upstream; /* id */
	uint32_t weight;
	uint64_t subset; /* subset_identity; 0: all of its endpoints */
	struct image_str call; /* of a kind with a dialect: what its write made;
				* empty: plain HTTP */
};

struct image_retries {
	struct policy_retries policy;
	struct image_array codes; /* uint32_t, statuses */
};

enum image_hash_source {
	IMAGE_HASH_HEADER,
	IMAGE_HASH_COOKIE,
	IMAGE_HASH_SOURCE_IP,
};

struct image_hash { /* what decides on a ring */
	struct image_str name; /* of the header or cookie */
	struct image_str path; /* of a cookie that we set */
	uint32_t ttl_s;        /* of that cookie; 0: of the session */
	uint8_t source;        /* enum image_hash_source */
	uint8_t terminal, sets_cookie, pad;
};

struct image_headers { /* headerManipulation, arrays of struct image_header */
	struct image_array request_add, request_remove;
	struct image_array response_add, response_remove;
};

struct image_header {
	struct image_str name; /* as written */
	struct image_str value; /* empty for the remove lists */
	uint8_t append, field_id, pad[2];
};

/* Everything in bounds, aligned and consistent; err says what is not. */
int image_check(const void *bytes, size_t length, struct error *err);

static inline struct slice
image_text(const void *base, struct image_str s)
{
	return (struct slice){ (const char *)base + s.offset, s.length };
}

static inline const void *
image_at(const void *base, uint32_t offset)
{
	return (const char *)base + offset;
}

#endif
