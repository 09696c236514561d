/* What control does for all upstreams of AWS together, as numbers. */
#include "kinds/aws/numbers.h"

#include "base/mem.h"

void
aws_numbers_each(const struct aws_counts *c, kind_number_f *each, void *arg)
{
	const struct {
		const char *name, *type, *help;
		uint64_t value;
	} rows[] = {
		{ "aws_credentials", "counter",
			"credentials that were found for upstreams of AWS",
			c->credentials },
		{ "aws_credentials_refused", "counter",
			"times that a service did not take the credentials",
			c->credentials_refused },
		{ "aws_discovery_asked", "counter",
			"questions for Lambda functions and aliases",
			c->asked },
		{ "aws_discovery_throttled", "counter",
			"questions for functions that were throttled (429)",
			c->throttled },
		{ "aws_discovery_failed", "counter",
			"questions for functions without a usable answer",
			c->failed },
		{ "aws_discovery_passes", "counter",
			"times that all functions of a region were listed",
			c->passes },
		{ "aws_upstreams", "gauge", "upstreams of AWS", c->upstreams },
		{ "aws_without_credentials", "gauge",
			"upstreams of AWS that have no credentials now",
			c->without_credentials },
		{ "aws_functions", "gauge",
			"names of functions that are discovered",
			c->functions },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		each(rows[i].name, rows[i].type, rows[i].help, rows[i].value,
			arg);
}
