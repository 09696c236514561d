/*
 * What the operator wants: Upstream, UpstreamGroup, VirtualService, Gateway,
 * Secret as plain structs.
 * Made by config/ from a document, immutable from then on, freed as a whole.
 * NULL and zero counts mean "not given". Names follow Gloo's fields.
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/limit.h"
#include "model/policy.h"

struct doc;
struct upstream_kind;

#define MODEL_NAMESPACE_DEFAULT "gloo-system"
#define MODEL_TIMEOUT_MS_DEFAULT 15000
#define MODEL_DIRECT_BODY_MAX 4096
#define MODEL_PAYLOAD_MAX 1024 /* bytes that a TCP health check sends */

enum model_type {
	MODEL_UPSTREAM,
	MODEL_UPSTREAM_GROUP,
	MODEL_VIRTUAL_SERVICE,
	MODEL_GATEWAY,
	MODEL_SECRET,
	MODEL_TYPE_COUNT,
};

struct model_bool {
	bool given, value;
};

struct model_u32 {
	bool given;
	uint32_t value;
};

/* Durations are written "15s", "1m30s", "250ms", "0s" (Go's form). */
struct model_duration {
	bool given;
	uint64_t ms;
};

struct model_pair {
	char *key, *value;
};

struct model_ref {
	char *name, *ns; /* ns: MODEL_NAMESPACE_DEFAULT when not given */
};

struct model_meta {
	char *name, *ns;
	struct model_pair *labels;
	size_t label_count;
	struct model_pair *annotations;
	size_t annotation_count;
	uint64_t resource_version; /* 0: not given */
	uint64_t created_ms;       /* since 1970; 0: not given; secrets only */
};

enum model_path {
	MODEL_PATH_PREFIX, /* "/a" matches "/a", "/a/b" and "/ab", as in Gloo */
	MODEL_PATH_EXACT,
	MODEL_PATH_REGEX, /* must match the whole path, query excluded */
};

struct model_header_matcher {
	char *name;
	char *value; /* NULL: presence */
	bool regex, invert_match;
};

struct model_query_matcher {
	char *name;
	char *value; /* NULL: presence */
	bool regex;
};

struct model_matcher {
	enum model_path path_type;
	char *path;
	struct model_bool case_sensitive; /* default true */
	struct model_header_matcher *headers;
	size_t header_count;
	struct model_query_matcher *query;
	size_t query_count;
	char **methods; /* none: any */
	size_t method_count;
};

struct model_destination {
	struct model_ref upstream;
	uint32_t weight; /* 1 for single */
	/* destinationSpec as written ({"aws": {...}}), for the kind; or NULL. */
	struct doc *spec;
	struct model_pair *subset; /* subset.values; none: all endpoints */
	size_t subset_count;
};

enum model_target { /* of a routeAction */
	MODEL_TARGET_SINGLE,
	MODEL_TARGET_MULTI,
	MODEL_TARGET_GROUP,
};

enum model_action {
	MODEL_ACTION_ROUTE,
	MODEL_ACTION_REDIRECT,
	MODEL_ACTION_DIRECT_RESPONSE,
};

struct model_redirect {
	char *host_redirect, *path_redirect, *prefix_rewrite;
	uint16_t status; /* 301 (default), 302, 303, 307, 308 */
	bool https_redirect, strip_query;
	struct model_u32 port_redirect;
};

struct model_direct_response {
	uint16_t status;
	char *body;
};

struct model_header_value {
	char *name, *value;
	bool append; /* false: replaces what is there */
};

struct model_header_manipulation {
	struct model_header_value *request_add;
	size_t request_add_count;
	char **request_remove;
	size_t request_remove_count;
	struct model_header_value *response_add;
	size_t response_add_count;
	char **response_remove;
	size_t response_remove_count;
};

struct model_retries {
	char *retry_on; /* as written; policy.on is made of it */
	uint32_t *codes;
	size_t code_count;
	struct policy_retries policy;
};

enum model_hash_source {
	MODEL_HASH_HEADER,
	MODEL_HASH_COOKIE,
	MODEL_HASH_SOURCE_IP,
};

struct model_hash_policy { /* lbHash.hashPolicies[] */
	enum model_hash_source source;
	char *name; /* of the header or cookie */
	char *path; /* of a cookie that we set */
	struct model_duration ttl; /* given: we set the cookie */
	bool source_ip;
	bool terminal; /* if it gives a hash, no further one is looked at */
};

struct model_route_options {
	char *prefix_rewrite;
	struct model_duration timeout; /* default 15 s; 0: none */
	struct model_duration idle_timeout; /* no byte either way */
	struct model_retries *retries; /* or NULL: the virtual host's */
	struct model_hash_policy *hash;
	size_t hash_count;
	char *host_rewrite;
	struct model_bool auto_host_rewrite;
	struct model_header_manipulation *headers; /* or NULL */
};

struct model_route {
	char *name;
	struct model_matcher *matchers; /* none: prefix "/" */
	size_t matcher_count;
	enum model_action action;
	enum model_target target;               /* MODEL_ACTION_ROUTE */
	struct model_destination *destinations; /* of a group: none */
	size_t destination_count;
	struct model_ref group; /* of MODEL_TARGET_GROUP alone */
	struct model_redirect redirect;
	struct model_direct_response direct;
	struct model_route_options options;
};

struct model_virtual_service {
	struct model_meta meta;
	char *display_name;
	char **domains; /* none: "*" */
	size_t domain_count;
	struct model_route *routes; /* first match wins */
	size_t route_count;
	struct model_header_manipulation *headers; /* virtualHost.options */
	struct model_retries *retries;             /* the same */
	struct model_limits limits;                /* the same */
};

struct model_bind { /* additionalAddresses[] */
	char *address; /* an address or a prefix */
	uint16_t port, end_port; /* 0: not given: bindPort; port alone */
};

enum model_l4 {
	MODEL_TCP,
	MODEL_UDP,
};

/* How a service's packets come to its endpoints. */
enum model_steer {
	MODEL_STEER_NAT,    /* XDP: both addresses rewritten */
	MODEL_STEER_DSR_L2, /* XDP: MAC rewritten */
	MODEL_STEER_ROUTE,  /* XDP: destination rewritten */
	MODEL_STEER_IPIP,   /* XDP: in another IP packet */
	MODEL_STEER_GUE,    /* XDP: in another IP packet and UDP */
	MODEL_STEER_RELAY,  /* TCP: by the proxy, in user space */
};

enum model_udp {
	MODEL_UDP_UNSAID,    /* sticky in mode nat, else stateless */
	MODEL_UDP_STATELESS, /* each packet goes by its hash */
	MODEL_UDP_STICKY,    /* every flow is kept */
};

#define MODEL_TCP_IDLE_MS_DEFAULT      3600000
#define MODEL_UDP_IDLE_MS_DEFAULT      30000
#define MODEL_DRAIN_MS_DEFAULT         900000
#define MODEL_CONNECT_ATTEMPTS_DEFAULT 3
#define MODEL_CONNECT_ATTEMPTS_MAX     16

struct model_tcp_host { /* tcpHosts[]; all beside name and destination ours */
	char *name;
	struct model_ref upstream; /* destination.single */
	uint8_t protocol;          /* enum model_l4 */
	uint8_t mode;              /* enum model_steer */
	uint8_t udp;               /* enum model_udp */
	bool always;               /* connectionTable: always */
	struct model_duration drain_timeout, idle_timeout;
	struct model_limits limits; /* of the kernel; no basic */
};

struct model_tcp_gateway {
	struct model_tcp_host *hosts;
	size_t host_count; /* 1 */
	/* options.tcpProxySettings */
	struct model_duration idle_timeout;
	struct model_u32 connect_attempts;
};

/* What holds: as given, or the default. */
uint64_t model_tcp_idle_ms(const struct model_tcp_gateway *t);
uint64_t model_tcp_drain_ms(const struct model_tcp_gateway *t);
uint32_t model_tcp_attempts(const struct model_tcp_gateway *t);
const char *model_steer_name(enum model_steer mode); /* "nat", ... */
const char *model_l4_name(enum model_l4 protocol);   /* "TCP", "UDP" */

struct model_gateway {
	struct model_meta meta;
	char *bind_address; /* "::" by default */
	uint16_t bind_port; /* 8080 by default */
	struct model_bind *binds; /* steered to the same listener */
	size_t bind_count;
	struct model_ref *virtual_services; /* none: all */
	size_t virtual_service_count;
	char **proxy_names;
	size_t proxy_name_count;
	struct model_tcp_gateway *tcp; /* NULL: of HTTP */
	struct model_limits limits; /* options; no basic; of HTTP only */
};

/* Of a TCP or UDP service they stand at its host. place, if given, is set to
 * where: "options.rateLimits". */
const struct model_limits *model_gateway_limits(
	const struct model_gateway *g, const char **place);

enum model_health_type {
	MODEL_HEALTH_HTTP = 1,
	MODEL_HEALTH_TCP,
};

struct model_status_range {
	uint32_t start, end; /* end is not in it */
};

struct model_payload {
	char *text; /* bytes in hexadecimal */
};

/* healthChecks[]: how it is asked whether an endpoint is well. Intervals of 0
 * are not given. */
struct model_health_check {
	uint64_t timeout_ms, interval_ms;
	uint64_t initial_jitter_ms, interval_jitter_ms;
	uint64_t unhealthy_interval_ms;
	uint64_t unhealthy_edge_interval_ms, healthy_edge_interval_ms;
	uint32_t interval_jitter_percent;
	uint32_t unhealthy_threshold, healthy_threshold; /* in a row */
	bool reuse_connection;
	uint8_t type; /* enum model_health_type */
	/* HTTP */
	char *host;   /* NULL: the endpoint's own name or address */
	char *path;   /* with its query */
	char *method; /* NULL: GET */
	struct model_status_range *statuses; /* none: 200 */
	size_t status_count;
	struct model_header_value *add;
	size_t add_count;
	char **remove;
	size_t remove_count;
	/* TCP: neither: it is enough to connect */
	struct model_payload *send; /* or NULL */
	struct model_payload *receive; /* in that order, gaps allowed */
	size_t receive_count;
};

enum model_tls_source { /* of certificates and keys */
	MODEL_TLS_SYSTEM, /* neither is given: whom the system trusts */
	MODEL_TLS_SECRET,
	MODEL_TLS_FILES,
};

/* sslConfig of an upstream. Versions are TLS's own numbers (0x0303 is 1.2), 0:
 * TLS_AUTO. */
struct model_tls {
	uint8_t source;          /* enum model_tls_source */
	struct model_ref secret; /* secretRef; name NULL: not given */
	char *cert_file, *key_file, *ca_file; /* sslFiles, absolute; or NULL */
	char *server_name;                    /* sni */
	char **names; /* verifySubjectAltName */
	size_t name_count;
	char **alpn; /* alpnProtocols: "http/1.1"; "h2" is not yet */
	size_t alpn_count;
	uint16_t version_min, version_max; /* parameters */
	char **ciphers, **curves;
	size_t cipher_count, curve_count;
	bool renegotiation, one_way;
};

struct model_upstream {
	struct model_meta meta;
	struct model_pair *discovery_labels; /* discoveryMetadata.labels */
	size_t discovery_label_count;
	const struct upstream_kind *kind;
	void *spec; /* the kind's own */
	struct model_duration connect_timeout; /* default 5 s */
	struct model_u32 max_requests_per_connection;
	struct policy_balance balance;
	struct policy_breakers *breakers; /* NULL: the defaults */
	struct policy_outlier *outlier;   /* NULL: nobody is left out */
	struct model_health_check *health_checks; /* one, as in Envoy, or none */
	size_t health_check_count;
	struct model_tls *tls; /* sslConfig, or NULL */
	/* How often names are asked for; without both: by TTL. */
	struct model_bool respect_dns_ttl;
	struct model_duration dns_refresh;
};

/* In ms; 0: by TTL. */
uint64_t model_dns_refresh_ms(const struct model_upstream *u);

enum model_secret_type {
	MODEL_SECRET_TLS = 1,
	MODEL_SECRET_AWS,
	MODEL_SECRET_AZURE,
};

/* What nobody may see: no value in it stands in a log, an error, a dump or an
 * answer. Its texts are overwritten before they are freed. */
struct model_secret {
	struct model_meta meta;
	uint8_t type; /* enum model_secret_type */
	struct model_secret_tls { /* PEM; chain and key are both given or not */
		char *cert_chain, *private_key, *root_ca;
	} tls;
	struct model_secret_aws {
		char *access_key, *secret_key, *session_token; /* token or NULL */
	} aws;
	struct model_pair *api_keys; /* of azure */
	size_t api_key_count;
};

/* Destinations that many routes share, so that weights are changed once. */
struct model_upstream_group {
	struct model_meta meta;
	struct model_destination *destinations; /* at least one */
	size_t destination_count;
};

/* Any of them, shared and immutable. */
struct model_object {
	enum model_type type;
	uint32_t refs;
	union {
		struct model_meta *meta; /* the first member of each */
		struct model_upstream *upstream;
		struct model_upstream_group *upstream_group;
		struct model_virtual_service *virtual_service;
		struct model_gateway *gateway;
		struct model_secret *secret;
	};
};

struct model_object *model_object_ref(struct model_object *o);
void model_object_unref(struct model_object *o); /* NULL is fine */

/* "upstreams", "virtualservices", ...: folders of the store, /v1/... */
const char *model_type_plural(enum model_type type);
/* "Upstream", "VirtualService", "Gateway", "Secret": kind of the Kubernetes form.
 */
const char *model_type_kind(enum model_type type);
/* From the plural, the kind or one of Gloo's short names; -1: none. */
int model_type_parse(const char *word, enum model_type *type);

/* "virtualservices/gloo-system/api": what limit_rule_identity calls owner. */
#define MODEL_OWNER_MAX 544
void model_owner(enum model_type type, const char *ns, const char *name,
	char out[MODEL_OWNER_MAX]);

void model_upstream_free(struct model_upstream *u);
void model_upstream_group_free(struct model_upstream_group *g);
void model_virtual_service_free(struct model_virtual_service *vs);
void model_gateway_free(struct model_gateway *g);
void model_secret_free(struct model_secret *s);
/* "TLS", "AWS", "Azure": in tables. */
const char *model_secret_title(const struct model_secret *s);

/* A name of a resource or namespace: 1 to 253 of [a-z0-9.-], beginning and
 * ending with [a-z0-9]; it becomes a file name. */
bool model_name_valid(const char *name);

#endif
