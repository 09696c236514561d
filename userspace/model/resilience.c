/* The tables of circuitBreakers, outlierDetection and retries. */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/doc.h"
#include "base/mem.h"
#include "model/model.h"
#include "model/tables.h"

#define HOUR_MS      3600000
#define ATTEMPTS_MAX 10

/* ---- circuitBreakers */

const struct policy_breakers policy_breakers_default = {
	.connections = POLICY_CONNECTIONS_DEFAULT,
	.pending = POLICY_PENDING_DEFAULT,
	.requests = POLICY_REQUESTS_DEFAULT,
	.retries = POLICY_RETRIES_DEFAULT,
};

#define MOST(key, member, value)                                               \
	{                                                                      \
		.name = (key), .type = SCHEMA_NUMBER,                          \
		SCHEMA_AT(policy_breakers, member), .fallback = (value)        \
	}

static const struct schema_field breakers_fields[] = {
	MOST("maxConnections", connections, POLICY_CONNECTIONS_DEFAULT),
	MOST("maxPendingRequests", pending, POLICY_PENDING_DEFAULT),
	MOST("maxRequests", requests, POLICY_REQUESTS_DEFAULT),
	MOST("maxRetries", retries, POLICY_RETRIES_DEFAULT),
	SCHEMA_NOT_YET("trackRemaining"),
	{ .name = NULL },
};

static int
breakers_check(void *base, struct error *err)
{
	const struct policy_breakers *b = base;

	if (b->connections == 0)
		return error_set(err, ERROR_CONFIG,
			".maxConnections: 0 connections serve no request");
	return 0;
}

const struct schema model_breakers_schema = {
	.fields = breakers_fields,
	.size = sizeof(struct policy_breakers),
	.check = breakers_check,
};

/* ---- outlierDetection */

static const struct schema_field outlier_fields[] = {
	{ .name = "baseEjectionTime",
		.type = SCHEMA_DURATION,
		SCHEMA_AT(policy_outlier, ejection_ms),
		.min = 1,
		.max = HOUR_MS,
		.fallback = 30000 },
	{ .name = "consecutive5xx",
		.type = SCHEMA_NUMBER,
		SCHEMA_AT(policy_outlier, errors),
		.fallback = 5 },
	{ .name = "consecutiveGatewayFailure",
		.type = SCHEMA_NUMBER,
		SCHEMA_AT(policy_outlier, gateway_errors),
		.fallback = 5 },
	{ .name = "enforcingConsecutive5xx",
		.type = SCHEMA_NUMBER,
		SCHEMA_AT(policy_outlier, errors_enforced),
		.max = 100,
		.fallback = 100 },
	{ .name = "enforcingConsecutiveGatewayFailure",
		.type = SCHEMA_NUMBER,
		SCHEMA_AT(policy_outlier, gateway_errors_enforced),
		.max = 100 },
	{ .name = "interval",
		.type = SCHEMA_DURATION,
		SCHEMA_AT(policy_outlier, interval_ms),
		.min = 1,
		.max = HOUR_MS,
		.fallback = 10000 },
	{ .name = "maxEjectionPercent",
		.type = SCHEMA_NUMBER,
		SCHEMA_AT(policy_outlier, ejected_max_percent),
		.max = 100,
		.fallback = 10 },
	{ .name = "maxEjectionTime",
		.type = SCHEMA_DURATION,
		SCHEMA_AT(policy_outlier, ejection_max_ms),
		.min = 1,
		.max = 24 * HOUR_MS,
		.fallback = 300000 },
	SCHEMA_NOT_YET("consecutiveLocalOriginFailure"),
	SCHEMA_NOT_YET("enforcingConsecutiveLocalOriginFailure"),
	SCHEMA_NOT_YET("enforcingLocalOriginSuccessRate"),
	SCHEMA_NOT_YET("enforcingSuccessRate"),
	SCHEMA_NOT_YET("splitExternalLocalOriginErrors"),
	SCHEMA_NOT_YET("successRateMinimumHosts"),
	SCHEMA_NOT_YET("successRateRequestVolume"),
	SCHEMA_NOT_YET("successRateStdevFactor"),
	{ .name = NULL },
};

const struct schema model_outlier_schema = {
	.fields = outlier_fields,
	.size = sizeof(struct policy_outlier),
};

/* ---- retries */

static const struct schema_word retry_words[] = {
	{ "5xx", POLICY_RETRY_5XX },
	{ "gateway-error", POLICY_RETRY_GATEWAY_ERROR },
	{ "reset", POLICY_RETRY_RESET },
	{ "connect-failure", POLICY_RETRY_CONNECT_FAILURE },
	{ "retriable-4xx", POLICY_RETRY_4XX },
	{ "retriable-status-codes", POLICY_RETRY_STATUS },
	{ "refused-stream", POLICY_RETRY_REFUSED_STREAM },
	{ NULL, 0 },
};

static int
retry_word_parse(const char *word, size_t length, uint32_t *on)
{
	for (const struct schema_word *w = retry_words; w->name != NULL; w++) {
		if (strlen(w->name) != length ||
			memcmp(w->name, word, length) != 0)
			continue;
		*on |= (uint32_t)w->value;
		return 0;
	}
	return -1;
}

int
policy_retry_on_parse(const char *text, uint32_t *on, struct error *err)
{
	*on = 0;
	for (;;) {
		size_t length;

		text += strspn(text, " ");
		length = strcspn(text, ", ");
		if (retry_word_parse(text, length, on) != 0)
			return error_set(err, ERROR_CONFIG,
				"\"%.*s\" is none of 5xx, gateway-error, "
				"reset, connect-failure, retriable-4xx, "
				"retriable-status-codes, refused-stream",
				length < 64 ? (int)length : 64, text);
		text += length;
		text += strspn(text, " ");
		if (*text == '\0')
			return 0;
		text += *text == ',';
	}
}

static int
retry_on_check(const char *text, struct error *err)
{
	uint32_t on;

	return policy_retry_on_parse(text, &on, err);
}

static int
codes_read(const struct doc *d, void *base, struct error *err)
{
	struct model_retries *r = base;
	size_t count = doc_count(d);

	if (doc_type(d) != DOC_LIST)
		return error_set(err, ERROR_CONFIG, "expected a list, found %s",
			doc_type_name(doc_type(d)));
	if (count > POLICY_RETRY_CODES_MAX)
		return error_set(err, ERROR_CONFIG,
			"%zu are too many, at most %d are allowed", count,
			POLICY_RETRY_CODES_MAX);
	r->codes = xcalloc(count + 1, sizeof(*r->codes));
	for (; r->code_count < count; r->code_count++) {
		const struct doc *one = doc_at(d, r->code_count);
		int64_t code = doc_integer(one);

		if (doc_type(one) != DOC_INTEGER || code < 200 || code > 599) {
			error_set(err, ERROR_CONFIG,
				"[%zu]: expected a status, 200 to 599",
				r->code_count);
			return -1;
		}
		r->codes[r->code_count] = (uint32_t)code;
	}
	return 0;
}

static struct doc *
codes_print(const void *base)
{
	const struct model_retries *r = base;
	struct doc *list;

	if (r->code_count == 0)
		return NULL;
	list = doc_new_list();
	for (size_t i = 0; i < r->code_count; i++)
		doc_add(list, doc_new_integer(r->codes[i]));
	return list;
}

static void
codes_fini(void *base)
{
	struct model_retries *r = base;

	free(r->codes);
	r->codes = NULL;
	r->code_count = 0;
}

static const struct schema_custom codes = { codes_read, codes_print,
	codes_fini };

#define RATIO_DEFAULT 200 /* per mille */

static int
ratio_read(const struct doc *d, void *base, struct error *err)
{
	struct model_retries *r = base;
	double ratio = doc_real(d);

	if ((doc_type(d) != DOC_REAL && doc_type(d) != DOC_INTEGER) ||
		!(ratio >= 0 && ratio <= 1))
		return error_set(err, ERROR_CONFIG,
			"expected a number from 0 to 1, such as 0.2");
	r->policy.budget_permille = (uint32_t)(ratio * 1000 + 0.5);
	return 0;
}

static struct doc *
ratio_print(const void *base)
{
	const struct model_retries *r = base;

	if (r->policy.budget_permille == RATIO_DEFAULT)
		return NULL;
	return doc_new_real(r->policy.budget_permille / 1000.0);
}

static const struct schema_custom ratio = { ratio_read, ratio_print, NULL };

static const struct schema_field budget_fields[] = {
	{ .name = "minRetriesPerSecond",
		.type = SCHEMA_NUMBER,
		SCHEMA_AT(model_retries, policy.budget_min_per_s),
		.max = 1000000,
		.fallback = 3 },
	/* Its own row, so that the default is there when it is not given. */
	{ .name = "retryRatio",
		.type = SCHEMA_CUSTOM,
		SCHEMA_AT(model_retries, policy.budget_permille),
		.fallback = RATIO_DEFAULT,
		.custom = &ratio },
	{ .name = "ttl",
		.type = SCHEMA_DURATION,
		SCHEMA_AT(model_retries, policy.budget_ttl_ms),
		.min = 1000,
		.max = POLICY_BUDGET_TTL_MS_MAX,
		.fallback = 10000 },
	{ .name = NULL },
};

static const struct schema budget_schema = {
	.fields = budget_fields,
	.size = sizeof(struct model_retries),
};

static const struct schema_field backoff_fields[] = {
	{ .name = "baseInterval",
		.type = SCHEMA_DURATION,
		SCHEMA_AT(model_retries, policy.backoff_ms),
		.min = 1,
		.max = HOUR_MS,
		.fallback = 25 },
	{ .name = "maxInterval",
		.type = SCHEMA_DURATION,
		SCHEMA_AT(model_retries, policy.backoff_max_ms),
		.min = 1,
		.max = HOUR_MS },
	{ .name = NULL },
};

static const struct schema backoff_schema = {
	.fields = backoff_fields,
	.size = sizeof(struct model_retries),
};

static const struct schema_field retries_fields[] = {
	{ .name = "numRetries",
		.type = SCHEMA_NUMBER,
		SCHEMA_AT(model_retries, policy.attempts),
		.max = ATTEMPTS_MAX,
		.fallback = 1 },
	{ .name = "perTryTimeout",
		.type = SCHEMA_DURATION,
		SCHEMA_AT(model_retries, policy.try_timeout_ms) },
	{ .name = "retriableStatusCodes",
		.type = SCHEMA_CUSTOM,
		.custom = &codes },
	{ .name = "retryBackOff",
		.type = SCHEMA_STRUCT,
		.sub = &backoff_schema },
	{ .name = "retryBudget", .type = SCHEMA_STRUCT, .sub = &budget_schema },
	{ .name = "retryOn",
		.type = SCHEMA_STRING,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_AT(model_retries, retry_on),
		.max = 256,
		.check = retry_on_check },
	SCHEMA_NOT_YET("previousPriorities"),
	SCHEMA_NOT_YET("rateLimitedRetryBackOff"),
	{ .name = NULL },
};

static int
retries_check(void *base, struct error *err)
{
	struct model_retries *r = base;
	struct policy_retries *p = &r->policy;

	policy_retry_on_parse(r->retry_on, &p->on, NULL);
	if (p->backoff_max_ms != 0 && p->backoff_max_ms < p->backoff_ms)
		return error_set(err, ERROR_CONFIG,
			".retryBackOff.maxInterval: is less than the "
			"baseInterval");
	if (r->code_count > 0 && !(p->on & POLICY_RETRY_STATUS))
		return error_set(err, ERROR_CONFIG,
			".retriableStatusCodes: has no effect without "
			"\"retriable-status-codes\" in retryOn");
	return 0;
}

const struct schema model_retries_schema = {
	.fields = retries_fields,
	.size = sizeof(struct model_retries),
	.check = retries_check,
};
