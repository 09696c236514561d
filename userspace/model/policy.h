/*
 * How upstreams are used: which endpoint gets a request, how much an upstream
 * may have in work, when an endpoint is left out for its answers, what is
 * tried again. Plain numbers of fixed layout: the same struct is what the
 * operator wrote (model.h) and what the proxy runs (image.h). The defaults
 * stand in the schema tables.
 */
#ifndef MODEL_POLICY_H
#define MODEL_POLICY_H

#include <stdint.h>

#include "base/error.h"

enum policy_balance_type {
	POLICY_BALANCE_DEFAULT, /* not said: least request */
	POLICY_LEAST_REQUEST,
	POLICY_ROUND_ROBIN,
	POLICY_RANDOM,
	POLICY_RING_HASH,
	POLICY_MAGLEV,
	POLICY_BALANCE_COUNT,
};

#define POLICY_CHOICES_MAX 16
#define POLICY_RING_MAX    (1u << 20)

/* loadBalancerConfig */
struct policy_balance {
	uint64_t slow_start_ms; /* 0: an endpoint has its full share at once */
	uint32_t ring_min, ring_max;
	uint8_t type;             /* enum policy_balance_type */
	uint8_t choices;          /* least request: of so many drawn */
	uint8_t panic_percent;    /* fewer up than that: all are used */
	uint8_t slow_min_percent; /* of its share, at first */
	uint8_t pad[4];
};

/* circuitBreakers: of one upstream, all workers together. */
struct policy_breakers {
	uint32_t connections; /* open or being opened */
	uint32_t pending;     /* requests that wait for a connection */
	uint32_t requests;    /* in work */
	uint32_t retries;     /* in work that are not the first attempt */
};

#define POLICY_CONNECTIONS_DEFAULT 16384
#define POLICY_PENDING_DEFAULT     16384
#define POLICY_REQUESTS_DEFAULT    65536
#define POLICY_RETRIES_DEFAULT     1024

extern const struct policy_breakers policy_breakers_default;

/* outlierDetection. Consecutive failures of one endpoint; 0: not looked at. */
struct policy_outlier {
	/* How often it is seen who may come back; for how long what a worker
	 * said of its failures counts. */
	uint64_t interval_ms;
	uint64_t ejection_ms; /* times the number of ejections so far */
	uint64_t ejection_max_ms;
	uint32_t errors;         /* answers 500-599 and all failures below */
	uint32_t gateway_errors; /* 502, 503, 504, no connection, no answer */
	uint8_t errors_enforced, gateway_errors_enforced; /* percent */
	uint8_t ejected_max_percent; /* one may always be */
	uint8_t pad[5];
};

/* retries.retryOn */
enum policy_retry_on {
	POLICY_RETRY_5XX = 1,
	POLICY_RETRY_GATEWAY_ERROR = 2,
	POLICY_RETRY_RESET = 4,
	POLICY_RETRY_CONNECT_FAILURE = 8,
	POLICY_RETRY_4XX = 16, /* 409 */
	POLICY_RETRY_STATUS = 32,
	POLICY_RETRY_REFUSED_STREAM = 64, /* HTTP/2 has such */
};

struct policy_retries {
	uint64_t try_timeout_ms; /* 0: only the route's timeout */
	uint64_t backoff_ms, backoff_max_ms;
	uint64_t budget_ttl_ms;   /* how far back requests count */
	uint32_t attempts;        /* further ones */
	uint32_t budget_permille; /* of the requests of that time */
	uint32_t budget_min_per_s;
	uint32_t on; /* or of enum policy_retry_on */
};

#define POLICY_RETRY_CODES_MAX   32
#define POLICY_BUDGET_TTL_MS_MAX 60000

/* "5xx,connect-failure"; err names the word that is not known. */
int policy_retry_on_parse(const char *text, uint32_t *on, struct error *err);

#endif
