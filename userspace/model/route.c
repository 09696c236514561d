/* The table of a route: its action and its options. */
#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "model/model.h"
#include "model/tables.h"

#define HASH_POLICIES_MAX 8

/* ---- actions */

static const struct schema_field multi_fields[] = {
	{ .name = "destinations",
		.type = SCHEMA_LIST,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_ARRAY_AT(model_route, destinations, destination_count),
		.min = 1,
		.max = MODEL_DESTINATIONS_MAX,
		.sub = &model_weighted_schema },
	{ .name = NULL },
};

static int
multi_check(void *base, struct error *err)
{
	const struct model_route *r = base;

	return model_weights_check(r->destinations, r->destination_count, err);
}

static const struct schema multi_schema = {
	.fields = multi_fields,
	.size = sizeof(struct model_route),
	.check = multi_check,
};

static const struct schema_field route_action_fields[] = {
	{ .name = "multi",
		.type = SCHEMA_STRUCT,
		SCHEMA_CHOICE_AT(model_route, target, MODEL_TARGET_MULTI),
		.sub = &multi_schema },
	{ .name = "single",
		.type = SCHEMA_ONE,
		SCHEMA_ARRAY_AT(model_route, destinations, destination_count),
		SCHEMA_CHOICE_AT(model_route, target, MODEL_TARGET_SINGLE),
		.sub = &model_single_schema },
	{ .name = "upstreamGroup",
		.type = SCHEMA_STRUCT,
		SCHEMA_AT(model_route, group),
		SCHEMA_CHOICE_AT(model_route, target, MODEL_TARGET_GROUP),
		.sub = &model_ref_schema },
	SCHEMA_NOT_YET("clusterHeader"),
	SCHEMA_NOT_YET("dynamicForwardProxy"),
	{ .name = NULL },
};

static const struct schema route_action_schema = {
	.fields = route_action_fields,
	.size = sizeof(struct model_route),
	.choice_needed = true,
};

static const struct schema_word redirect_codes[] = {
	{ "MOVED_PERMANENTLY", 301 },
	{ "FOUND", 302 },
	{ "SEE_OTHER", 303 },
	{ "TEMPORARY_REDIRECT", 307 },
	{ "PERMANENT_REDIRECT", 308 },
	{ NULL, 0 },
};

/* A host or address as it stands in a Host field, port allowed. */
static int
authority_check(const char *text, struct error *err)
{
	if (text[0] == '\0')
		return error_set(err, ERROR_CONFIG, "must not be empty");
	for (const char *p = text; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && strchr("-._:[]", *p) == NULL)
			return error_set(err, ERROR_CONFIG,
				"\"%.64s\" is not a host", text);
	return 0;
}

static int
redirect_check(void *base, struct error *err)
{
	const struct model_redirect *r = base;

	if (r->path_redirect != NULL && r->prefix_rewrite != NULL)
		return error_set(err, ERROR_CONFIG,
			"only one of \"pathRedirect\" and \"prefixRewrite\" "
			"may be given");
	return 0;
}

static const struct schema_field redirect_fields[] = {
	{ .name = "hostRedirect",
		.type = SCHEMA_STRING,
		SCHEMA_AT(model_redirect, host_redirect),
		.check = authority_check },
	{ .name = "httpsRedirect",
		.type = SCHEMA_BOOL,
		SCHEMA_AT(model_redirect, https_redirect) },
	{ .name = "pathRedirect",
		.type = SCHEMA_STRING,
		SCHEMA_AT(model_redirect, path_redirect),
		.check = model_path_check },
	{ .name = "portRedirect",
		.type = SCHEMA_NUMBER_GIVEN,
		SCHEMA_AT(model_redirect, port_redirect),
		.min = 1,
		.max = 65535 },
	{ .name = "prefixRewrite",
		.type = SCHEMA_STRING,
		SCHEMA_AT(model_redirect, prefix_rewrite),
		.check = model_path_check },
	{ .name = "responseCode",
		.type = SCHEMA_WORD,
		.flags = SCHEMA_KEEP,
		SCHEMA_AT(model_redirect, status),
		.fallback = 301,
		.words = redirect_codes },
	{ .name = "stripQuery",
		.type = SCHEMA_BOOL,
		SCHEMA_AT(model_redirect, strip_query) },
	SCHEMA_NOT_YET("regexRewrite"),
	{ .name = NULL },
};

static const struct schema redirect_schema = {
	.fields = redirect_fields,
	.size = sizeof(struct model_redirect),
	.check = redirect_check,
};

static const struct schema_field direct_fields[] = {
	{ .name = "body",
		.type = SCHEMA_STRING,
		SCHEMA_AT(model_direct_response, body),
		.max = MODEL_DIRECT_BODY_MAX },
	{ .name = "status",
		.type = SCHEMA_NUMBER,
		.flags = SCHEMA_REQUIRED | SCHEMA_KEEP,
		SCHEMA_AT(model_direct_response, status),
		.min = 200,
		.max = 599 },
	{ .name = NULL },
};

static const struct schema direct_schema = {
	.fields = direct_fields,
	.size = sizeof(struct model_direct_response),
};

/* ---- options */

static const struct schema_field hash_fields[] = {
	{ .name = "hashPolicies",
		.type = SCHEMA_LIST,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_ARRAY_AT(model_route_options, hash, hash_count),
		.min = 1,
		.max = HASH_POLICIES_MAX,
		.sub = &model_hash_schema },
	{ .name = NULL },
};

static const struct schema hash_schema = {
	.fields = hash_fields,
	.size = sizeof(struct model_route_options),
};

static const struct schema_field route_options_fields[] = {
	{ .name = "autoHostRewrite",
		.type = SCHEMA_BOOL_GIVEN,
		SCHEMA_AT(model_route_options, auto_host_rewrite) },
	{ .name = "headerManipulation",
		.type = SCHEMA_POINTER,
		SCHEMA_AT(model_route_options, headers),
		.sub = &model_headers_schema },
	{ .name = "hostRewrite",
		.type = SCHEMA_STRING,
		SCHEMA_AT(model_route_options, host_rewrite),
		.check = authority_check },
	{ .name = "idleTimeout",
		.type = SCHEMA_DURATION_GIVEN,
		SCHEMA_AT(model_route_options, idle_timeout),
		.min = 1 },
	{ .name = "lbHash",
		.type = SCHEMA_STRUCT,
		.sub = &hash_schema },
	{ .name = "prefixRewrite",
		.type = SCHEMA_STRING,
		SCHEMA_AT(model_route_options, prefix_rewrite),
		.check = model_path_check },
	{ .name = "retries",
		.type = SCHEMA_POINTER,
		SCHEMA_AT(model_route_options, retries),
		.sub = &model_retries_schema },
	{ .name = "timeout",
		.type = SCHEMA_DURATION_GIVEN,
		SCHEMA_AT(model_route_options, timeout) },
	MODEL_OPTIONS_NOT_YET,
	SCHEMA_NOT_YET("appendXForwardedHost"),
	SCHEMA_NOT_YET("envoyMetadata"),
	SCHEMA_NOT_YET("faults"),
	SCHEMA_NOT_YET("hostRewriteHeader"),
	SCHEMA_NOT_YET("hostRewritePathRegex"),
	SCHEMA_NOT_YET("maxStreamDuration"),
	SCHEMA_NOT_YET("rateLimits"),
	SCHEMA_NOT_YET("ratelimitBasic"),
	SCHEMA_NOT_YET("regexRewrite"),
	SCHEMA_NOT_YET("shadowing"),
	SCHEMA_NOT_YET("tracing"),
	SCHEMA_NOT_YET("upgrades"),
	{ .name = NULL },
};

static int
route_options_check(void *base, struct error *err)
{
	const struct model_route_options *o = base;

	if (o->host_rewrite != NULL && o->auto_host_rewrite.value)
		return error_set(err, ERROR_CONFIG,
			"only one of \"autoHostRewrite\" and \"hostRewrite\" "
			"may be given");
	return 0;
}

static const struct schema route_options_schema = {
	.fields = route_options_fields,
	.size = sizeof(struct model_route_options),
	.check = route_options_check,
};

/* ---- route */

static const struct schema_field route_fields[] = {
	{ .name = "directResponseAction",
		.type = SCHEMA_STRUCT,
		SCHEMA_AT(model_route, direct),
		SCHEMA_CHOICE_AT(
			model_route, action, MODEL_ACTION_DIRECT_RESPONSE),
		.sub = &direct_schema },
	{ .name = "matchers",
		.type = SCHEMA_LIST,
		SCHEMA_ARRAY_AT(model_route, matchers, matcher_count),
		.sub = &model_matcher_schema },
	{ .name = "name",
		.type = SCHEMA_STRING,
		SCHEMA_AT(model_route, name),
		.max = 256,
		.check = model_text_check },
	{ .name = "options",
		.type = SCHEMA_STRUCT,
		SCHEMA_AT(model_route, options),
		.sub = &route_options_schema },
	{ .name = "redirectAction",
		.type = SCHEMA_STRUCT,
		SCHEMA_AT(model_route, redirect),
		SCHEMA_CHOICE_AT(model_route, action, MODEL_ACTION_REDIRECT),
		.sub = &redirect_schema },
	{ .name = "routeAction",
		.type = SCHEMA_STRUCT,
		SCHEMA_CHOICE_AT(model_route, action, MODEL_ACTION_ROUTE),
		.sub = &route_action_schema },
	SCHEMA_NOT_YET("delegateAction"),
	SCHEMA_NOT_YET("graphqlApiRef"),
	SCHEMA_NOT_YET("inheritableMatchers"),
	SCHEMA_NOT_YET("inheritablePathMatchers"),
	SCHEMA_NOT_YET("optionsConfigRefs"),
	{ .name = NULL },
};

static int
route_check(void *base, struct error *err)
{
	const struct model_route *r = base;
	bool prefix = r->matcher_count == 0;

	for (size_t i = 0; i < r->matcher_count; i++)
		prefix |= r->matchers[i].path_type != MODEL_PATH_REGEX;
	if (!prefix && r->options.prefix_rewrite != NULL)
		return error_set(err, ERROR_CONFIG,
			"\"options.prefixRewrite\" needs a matcher with a "
			"prefix or an exact path");
	return 0;
}

const struct schema model_route_schema = {
	.fields = route_fields,
	.size = sizeof(struct model_route),
	.choice_needed = true,
	.check = route_check,
};
