/*
 * What control and proxy say to each other: SOCK_SEQPACKET, one fixed message
 * per packet, descriptors beside it. Large things travel as sealed memfds.
 * Control treats everything from the proxy as untrusted.
 */
#ifndef MODEL_WIRE_H
#define MODEL_WIRE_H

#include <stdint.h>

#include "base/addr.h"

/* Both processes must agree on image.h, counters.h, endpoint.h, the memory of
 * filter/limit_table.h and this. */
#define WIRE_CONTRACT 7
#define WIRE_FDS_MAX 64 /* descriptors with one message */
#define WIRE_TEXT_MAX 256

enum wire_type {
	/* control to proxy */
	WIRE_SETTINGS,        /* struct wire_settings */
	WIRE_COUNTERS,        /* fd: the counters */
	WIRE_ACCESS_LOG,      /* fd: the file, or none: off */
	WIRE_TAKEOVER,        /* fd: the listening proxy.sock */
	WIRE_LISTENER,        /* listener; fds: one socket per worker */
	WIRE_LISTENER_CLOSE,  /* listener.slot */
	WIRE_IMAGE,           /* generation; fd: the sealed image */
	WIRE_ENDPOINTS,       /* endpoints; fd: array of struct endpoint, or none
				 when count is 0 */
	WIRE_ENDPOINTS_FORGET, /* endpoints.upstream: it was deleted */
	WIRE_HEALTH,          /* health: of one endpoint, since its set came */
	WIRE_LOG_LEVEL,       /* number */
	WIRE_DRAIN,           /* drain: stop accepting, finish, then exit */
	WIRE_LIMITS,          /* fd: what the keys of rate limits have used */
	WIRE_BLOCK,           /* block: connections of that source end, and no
				 new ones are taken */
	WIRE_MATERIAL,        /* material; fd: struct wire_material and its bytes;
				 before the first image that names it */
	WIRE_MATERIAL_FORGET, /* number: no image that is served names it */
	WIRE_CREDENTIALS, /* credentials, text: the kind's key; fd: length bytes
			     for its dialect, or none when length is 0. The
			     proxy overwrites them with zeros. */

	/* proxy to control */
	WIRE_HELLO = 100, /* hello: the first thing a proxy says on a channel; on
			     a take-over followed by its listeners, its counters
			     and WIRE_HELLO_END */
	WIRE_HELLO_END,
	WIRE_READY,    /* workers run */
	WIRE_ENFORCED, /* generation: every worker runs it */
	WIRE_REFUSED,  /* generation, text: the image was not usable */
	WIRE_DRAINED,  /* exiting now */
	WIRE_OUTLIER,  /* outlier: how one worker sees one endpoint */
	WIRE_FAR_BEYOND, /* far_beyond: a source goes on far beyond a limit */
	WIRE_CREDENTIALS_REFUSED, /* number: upstream; once a second at most */
	WIRE_TLS, /* tls, text: why TLS with that endpoint failed, one sentence;
		     empty text: it works again. Told when it changes, and each
		     reason once a second and endpoint at most. */
};

/* Certificates and keys, PEM, each may be empty. Its number is made of its
 * content by control and never 0, so that one number is one content for ever:
 * new bytes have a new number and a new image. The proxy copies what it needs
 * and overwrites the memfd's bytes with zeros; nobody prints any of it. */
struct wire_material {
	uint32_t ca_length, cert_length, key_length, pad;
	/* char ca[], cert[], key[]; without NUL */
};

/* Times in ms; 0: no limit. Defaults: config/settings.c. */
struct wire_settings {
	uint32_t workers;
	uint32_t orphan_timeout_ms;
	uint32_t head_timeout_ms;  /* request head complete, 10 s */
	uint32_t idle_timeout_ms;  /* kept client connection, 60 s */
	uint32_t upstream_idle_ms; /* kept upstream connection, 60 s */
	uint32_t body_idle_ms;     /* no body byte for so long, 30 s */
	uint32_t head_bytes, target_bytes, fields;
	uint32_t body_rate;       /* bytes a second that a body moves, 240 */
	uint32_t body_rate_grace_ms; /* over so long, 10 s */
	uint32_t connections_max;    /* of all clients, in all workers */
	uint32_t connections_per_source; /* IPv4 address, IPv6 /64 */
	uint32_t stream_idle_ms; /* no answer yet, and no other timeout, 5 min */
	uint64_t body_bytes;             /* of a request */
	uint64_t call_bytes; /* of calls, in memory of a worker, 64 MiB */
};

struct wire_message {
	uint32_t type; /* enum wire_type */
	uint32_t contract; /* WIRE_CONTRACT */
	union {
		uint64_t generation;
		uint64_t number;
		struct wire_settings settings;
		struct {
			uint32_t slot, workers;
			struct addr addr;
		} listener;
		struct {
			uint32_t upstream, count;
			uint64_t version;
		} endpoints;
		struct {
			uint32_t upstream;
			struct addr addr;
			uint8_t health; /* enum endpoint_health */
			uint64_t owner; /* of addr, as its set said */
		} health;
		struct {
			uint32_t upstream, worker;
			struct addr addr;
			/* Failures in a row, now; 0: the last answer was good.
			 * As struct policy_outlier has them. */
			uint32_t errors, gateway_errors;
			uint64_t owner; /* of addr, as its set said */
		} outlier;
		struct {
			uint32_t slot, ms; /* from now */
			struct addr addr;  /* without port */
		} block;
		struct {
			uint32_t slot;
			struct addr addr;
			uint64_t rule; /* limit_rule_identity */
		} far_beyond;
		struct {
			uint64_t number;
			uint32_t length; /* of the memfd */
		} material;
		struct {
			uint32_t upstream, length; /* of the memfd */
		} credentials;
		struct {
			uint32_t upstream, worker;
			struct addr addr;
			uint64_t owner; /* of addr, as its set said */
		} tls;
		struct {
			uint32_t deadline_ms;
		} drain;
		struct {
			uint32_t contract, pid, workers, ready;
			uint64_t generation;
			char build_id[64];
		} hello;
	};
	char text[WIRE_TEXT_MAX];
};

#endif
