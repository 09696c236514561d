/* Gloo's flags for the rate limit of a virtual service. */
#include "cli/rate_limit.h"

#include <string.h>

#include "model/limit.h"

bool
rate_limit_given(const struct cli *cli)
{
	return cli_given(cli, "enable-rate-limiting") ||
	       cli_given(cli, "rate-limit-requests") ||
	       cli_given(cli, "rate-limit-time-unit");
}

/* map[key], made if it is not there. */
static struct doc *
map_take(struct doc *map, const char *key)
{
	struct doc *child = doc_get(map, key);

	return doc_type(child) == DOC_MAP
		       ? child
		       : doc_set(map, key, doc_new_map());
}

static int
limit_end(struct doc *object)
{
	struct doc *host = doc_get(object, "virtualHost");
	struct doc *options = doc_get(host, "options");

	if (doc_get(options, "ratelimitBasic") == NULL)
		return 1;
	doc_free(doc_steal(options, "ratelimitBasic"));
	if (doc_count(options) == 0)
		doc_free(doc_steal(host, "options"));
	return 0;
}

/* What is not given stays as it is, or is the default. */
static int
limit_set(const struct cli *cli, struct doc *limits, struct error *err)
{
	bool made = doc_count(limits) == 0;
	size_t requests;

	if (cli_number(cli, "rate-limit-requests", LIMIT_HTTP_MAX, &requests,
		    err) != 0)
		return -1;
	if (made || cli_given(cli, "rate-limit-requests"))
		doc_set(limits, "requestsPerUnit",
			doc_new_integer((int64_t)requests));
	if (made || cli_given(cli, "rate-limit-time-unit"))
		doc_set_string(limits, "unit",
			cli_text(cli, "rate-limit-time-unit"));
	return 0;
}

int
rate_limit_apply(const struct cli *cli, struct doc *object, struct error *err)
{
	struct doc *options, *basic, *before;
	bool on = cli_switch(cli, "enable-rate-limiting");
	int rc;

	if (cli_given(cli, "enable-rate-limiting") && !on)
		return limit_end(object);
	basic = doc_find(
		object, "virtualHost", "options", "ratelimitBasic", NULL);
	if (!on && basic == NULL)
		return error_set(err, ERROR_CONFIG,
			"the virtual service has no rate limit: add "
			"--enable-rate-limiting");
	options = map_take(map_take(object, "virtualHost"), "options");
	before = doc_copy(doc_get(options, "ratelimitBasic"));
	basic = map_take(options, "ratelimitBasic");
	rc = limit_set(cli, map_take(basic, "anonymousLimits"), err);
	if (rc == 0 && before != NULL && doc_equal(before, basic))
		rc = 1;
	doc_free(before);
	return rc;
}
