/*
 * Models to a generation's image. Pure: no I/O, no global state. A virtual
 * host is built as its own block, so that control keeps the blocks of services
 * that did not change and image_build copies them.
 */
#ifndef ROUTING_IMAGE_BUILD_H
#define ROUTING_IMAGE_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "model/image.h"
#include "model/model.h"

/* The id of the upstream a destination names; 0 and *reason (one sentence that
 * names it, e.g. `no upstream is named "gloo-system.billing"`) when it cannot
 * be served: the route then answers 503 with that reason. An id and *reason: it
 * leads there, and the reason is a Warning of the route. What a call to it has
 * to know (image_destination.call) is appended to call, which is empty; of a
 * kind that is not called nothing is. */
typedef uint32_t vhost_upstream_f(const struct model_destination *destination,
	struct str *call, const char **reason, void *arg);
/* The group that a route names; NULL and *reason as above. */
typedef const struct model_upstream_group *vhost_group_f(
	const struct model_ref *ref, const char **reason, void *arg);
/* Something worth a Warning: place is "routes[3]", text a sentence. */
typedef void vhost_warning_f(const char *place, const char *text, void *arg);

/* bytes (malloc) and length of the block. Fails on nothing but a regex that
 * does not compile or a service that would pass 4 GiB. Unreachable routes
 * (an earlier matcher takes everything) are warned about. group may be NULL: no
 * group is there. */
void *vhost_build(const struct model_virtual_service *vs,
	vhost_upstream_f *upstream, vhost_group_f *group,
	vhost_warning_f *warning, void *arg, uint32_t *length,
	struct error *err);

struct image_build_vhost {
	const void *block; /* of vhost_build */
	uint32_t length;
	const char *const *domains; /* lower case; "*" alone is the default */
	size_t domain_count;
};

struct image_build_listener {
	uint32_t slot;
	const char *name;
	const size_t *vhosts; /* indices into image_build_input.vhosts */
	size_t vhost_count;
	const struct model_gateway *gateway; /* for its limits, or NULL */
};

/* struct image_tls, with texts for its strings. */
struct image_build_tls {
	uint64_t roots, identity;     /* roots: never 0 */
	const char *server_name;      /* NULL: the endpoint's own */
	const char *const *names;     /* of the certificate: one has to fit */
	const char *const *alpn;      /* the best first; none: http/1.1 */
	size_t name_count, alpn_count;
	const char *ciphers, *curves; /* OpenSSL's lists; NULL: its own */
	uint16_t version_min, version_max; /* 0x0303; 0: the library's */
	bool renegotiation;
};

struct image_build_upstream {
	uint32_t id;
	const char *name, *kind;
	uint32_t connect_timeout_ms, max_requests_per_connection;
	const char *unavailable; /* or NULL */
	struct policy_balance balance;
	const struct policy_breakers *breakers; /* NULL: the defaults */
	const struct policy_outlier *outlier;   /* or NULL */
	const struct image_build_tls *tls;      /* NULL: plain */
};

struct image_build_service {
	uint32_t slot; /* LISTENERS_MAX.. */
	const char *name;
	uint32_t upstream;       /* id; 0: none */
	const char *unavailable; /* or NULL */
	uint32_t idle_timeout_ms, connect_attempts;
};

struct image_build_input {
	uint64_t generation;
	const struct image_build_vhost *vhosts;
	size_t vhost_count;
	const struct image_build_listener *listeners;
	size_t listener_count;
	const struct image_build_upstream *upstreams; /* any order */
	size_t upstream_count;
	const struct addr_prefix *trusted;
	size_t trusted_count;
	const struct image_build_service *services; /* any order */
	size_t service_count;
};

/* malloc'ed image and its length. The same domain twice on one listener is an
 * error that names both services (control refuses it before). */
void *image_build(const struct image_build_input *in, size_t *length,
	struct error *err);

#endif
