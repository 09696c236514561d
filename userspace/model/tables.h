/* How each struct of model.h is written: its schema table. */
#ifndef MODEL_TABLES_H
#define MODEL_TABLES_H

#include "model/limit.h"
#include "model/schema.h"

extern const struct schema model_meta_schema;
extern const struct schema model_ref_schema;
extern const struct schema model_upstream_schema; /* upstreamSpec is left to
						     config/: it needs kinds */
extern const struct schema model_upstream_group_schema;
extern const struct schema model_virtual_service_schema;
extern const struct schema model_gateway_schema;
extern const struct schema model_secret_schema;
extern const struct schema model_tls_schema; /* sslConfig of an upstream */
extern const struct schema model_tcp_gateway_schema; /* tcpGateway */
extern const struct schema model_route_schema;
extern const struct schema model_single_schema;   /* a destination */
extern const struct schema model_weighted_schema; /* one with its weight */
extern const struct schema model_matcher_schema;
extern const struct schema model_headers_schema; /* headerManipulation */
extern const struct schema model_balance_schema; /* loadBalancerConfig; of a
						    struct model_upstream */
extern const struct schema model_hash_schema; /* hashPolicies[] of lbHash */
extern const struct schema model_breakers_schema; /* circuitBreakers */
extern const struct schema model_outlier_schema;  /* outlierDetection */
extern const struct schema model_retries_schema;  /* retries */
extern const struct schema model_health_schema;   /* healthChecks[] */
extern const struct schema model_header_value_schema; /* of ...HeadersToAdd[] */
extern const struct schema model_limit_schema;        /* rateLimits[] */
extern const struct schema model_limit_basic_schema;  /* ratelimitBasic */

/* rateLimits of a structure whose member limits is a struct model_limits;
 * where it stands calls limits_check. */
#define MODEL_RATE_LIMITS(structure)                                           \
	{                                                                      \
		.name = "rateLimits", .type = SCHEMA_LIST,                     \
		SCHEMA_ARRAY_AT(structure, limits.items, limits.count),        \
		.max = LIMIT_RULES_MAX, .sub = &model_limit_schema             \
	}

/* Options that Gloo has both on routes and on virtual hosts. */
#define MODEL_OPTIONS_NOT_YET                                                  \
	SCHEMA_NOT_YET("bufferPerRoute"), SCHEMA_NOT_YET("cors"),              \
		SCHEMA_NOT_YET("csrf"), SCHEMA_NOT_YET("dlp"),                 \
		SCHEMA_NOT_YET("extProc"), SCHEMA_NOT_YET("extProcEarly"),     \
		SCHEMA_NOT_YET("extProcLate"), SCHEMA_NOT_YET("extauth"),      \
		SCHEMA_NOT_YET("extensions"), SCHEMA_NOT_YET("jwt"),           \
		SCHEMA_NOT_YET("jwtStaged"),                                   \
		SCHEMA_NOT_YET("rateLimitConfigs"),                            \
		SCHEMA_NOT_YET("rateLimitEarlyConfigs"),                       \
		SCHEMA_NOT_YET("rateLimitRegularConfigs"),                     \
		SCHEMA_NOT_YET("ratelimit"), SCHEMA_NOT_YET("ratelimitEarly"), \
		SCHEMA_NOT_YET("ratelimitRegular"), SCHEMA_NOT_YET("rbac"),    \
		SCHEMA_NOT_YET("stagedTransformations"),                       \
		SCHEMA_NOT_YET("transformations"), SCHEMA_NOT_YET("waf")

#define MODEL_DESTINATIONS_MAX 1000 /* of one list */
struct model_destination;
/* One of them has a weight. */
int model_weights_check(const struct model_destination *destinations,
	size_t count, struct error *err);

/* Checks of texts that several tables share. */
int model_name_check(const char *text, struct error *err);
int model_text_check(const char *text, struct error *err);    /* no controls */
int model_token_check(const char *text, struct error *err);   /* RFC 9110 */
int model_path_check(const char *text, struct error *err);    /* "/..." */
/* The name of a field that may be added or removed. */
int model_field_name_check(const char *text, struct error *err);
int model_address_check(const char *text, struct error *err); /* literal IP */
/* A DNS name or a literal address, without port and brackets. */
int model_host_check(const char *text, struct error *err);

#endif
