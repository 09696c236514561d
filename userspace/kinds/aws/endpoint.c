/* Where a service of AWS is asked: partitions, FIPS, dual stack
 * (docs.aws.amazon.com, "AWS service endpoints"), or as the upstream says. */
#include <string.h>

#include "kinds/aws/spec.h"
#include "kinds/aws/url.h"

#define PORT_HTTP  80
#define PORT_HTTPS 443

struct partition {
	const char *regions; /* how their names begin */
	const char *name, *suffix, *dual_suffix;
};

/* Those with a longer beginning first; the last one is all others'. */
static const struct partition partitions[] = {
	{ "cn-", "aws-cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn" },
	{ "us-gov-", "aws-us-gov", "amazonaws.com", "api.aws" },
	{ "us-isob-", "aws-iso-b", "sc2s.sgov.gov", "api.aws.scloud" },
	{ "us-isof-", "aws-iso-f", "csp.hci.ic.gov", "api.aws.hci.ic.gov" },
	{ "us-iso-", "aws-iso", "c2s.ic.gov", "api.aws.ic.gov" },
	{ "eu-isoe-", "aws-iso-e", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk" },
	{ "eusc-", "aws-eusc", "amazonaws.eu", "api.amazonwebservices.eu" },
	{ "", "aws", "amazonaws.com", "api.aws" },
};

static const struct partition *
partition_of(const char *region)
{
	const struct partition *p = partitions;

	while (strncmp(region, p->regions, strlen(p->regions)) != 0)
		p++;
	return p;
}

const char *
aws_partition(const char *region)
{
	return partition_of(region)->name;
}

int
aws_endpoint_check(const char *text, struct error *err)
{
	if (aws_url_check_base(text, NULL) != 0)
		return error_set(err, ERROR_CONFIG,
			"\"%.128s\" is not an endpoint such as "
			"https://host:443, without path and query",
			text);
	return 0;
}

/* In GovCloud the usual endpoint of STS is the validated one. */
static bool
is_fips_anyway(const struct aws_spec *spec, const char *service)
{
	return strcmp(service, AWS_STS) == 0 && !spec->dual_stack &&
	       strncmp(spec->region, "us-gov-", strlen("us-gov-")) == 0;
}

void
aws_endpoint(const struct aws_spec *spec, const char *service, struct str *host,
	uint16_t *port, bool *tls)
{
	const struct partition *p = partition_of(spec->region);
	bool fips = spec->fips && !is_fips_anyway(spec, service);
	struct aws_url url;

	*port = PORT_HTTPS;
	*tls = true;
	if (spec->endpoint_url != NULL && strcmp(service, AWS_LAMBDA) == 0 &&
		aws_url_read(spec->endpoint_url, &url, NULL) == 0) {
		str_append(host, url.host.data, url.host.length);
		*port = url.port;
		*tls = url.tls;
		return;
	}
	str_printf(host, "%s%s.%s.%s", service, fips ? "-fips" : "",
		spec->region, spec->dual_stack ? p->dual_suffix : p->suffix);
}

void
aws_endpoint_authority(
	const struct aws_spec *spec, const char *service, struct str *out)
{
	struct str host;
	uint16_t port;
	bool tls;

	str_init(&host);
	aws_endpoint(spec, service, &host, &port, &tls);
	str_printf(
		out, strchr(host.data, ':') != NULL ? "[%s]" : "%s", host.data);
	if (port != (tls ? PORT_HTTPS : PORT_HTTP))
		str_printf(out, ":%u", port);
	str_fini(&host);
}
