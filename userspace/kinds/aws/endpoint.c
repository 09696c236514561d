/* Where a service of AWS is asked: partitions, FIPS, dual stack
 * (docs.aws.amazon.com, "AWS service endpoints"), or as the upstream says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/mem.h"
#include "kinds/aws/spec.h"
#include "model/tables.h"

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

struct url {
	bool tls;
	uint16_t port;
	char *host; /* without brackets */
};

static int
port_read(const char *text, uint16_t *port)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || n == 0 || n > 65535)
		return -1;
	*port = (uint16_t)n;
	return 0;
}

/* text: what stands behind the scheme, without "/" at its end. */
static int
authority_read(char *text, struct url *out)
{
	char *port = strrchr(text, ':'), *end = strrchr(text, ']');
	struct addr addr;

	if (*text == '[') {
		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return -1;
		port = end[1] == ':' ? end + 1 : NULL;
		*end = '\0';
		text++;
		if (strchr(text, ':') == NULL ||
			addr_parse_ip(text, 0, &addr) != 0)
			return -1;
	} else if (port != strchr(text, ':')) {
		return -1; /* of an address without brackets */
	}
	if (port != NULL) {
		if (port_read(port + 1, &out->port) != 0)
			return -1;
		*port = '\0';
	}
	if (model_host_check(text, NULL) != 0)
		return -1;
	out->host = xstrdup(text);
	return 0;
}

static int
url_read(const char *text, struct url *out)
{
	size_t length;
	char *authority;
	int rc;

	if (strncmp(text, "https://", 8) == 0) {
		*out = (struct url){ true, PORT_HTTPS, NULL };
		text += 8;
	} else if (strncmp(text, "http://", 7) == 0) {
		*out = (struct url){ false, PORT_HTTP, NULL };
		text += 7;
	} else {
		return -1;
	}
	length = strlen(text);
	if (length > 0 && text[length - 1] == '/')
		length--;
	authority = xstrndup(text, length);
	rc = authority_read(authority, out);
	free(authority);
	return rc;
}

int
aws_endpoint_check(const char *text, struct error *err)
{
	struct url url;

	if (url_read(text, &url) != 0)
		return error_set(err, ERROR_CONFIG,
			"\"%.128s\" is not an endpoint such as "
			"https://host:443, without path and query",
			text);
	free(url.host);
	return 0;
}

void
aws_endpoint(const struct aws_spec *spec, const char *service, struct str *host,
	uint16_t *port, bool *tls)
{
	const struct partition *p = partition_of(spec->region);
	struct url url;

	*port = PORT_HTTPS;
	*tls = true;
	if (spec->endpoint_url != NULL && strcmp(service, AWS_LAMBDA) == 0 &&
		url_read(spec->endpoint_url, &url) == 0) {
		str_puts(host, url.host);
		*port = url.port;
		*tls = url.tls;
		free(url.host);
		return;
	}
	str_printf(host, "%s%s.%s.%s", service, spec->fips ? "-fips" : "",
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
