/* The key `aws` of settings.yaml. Private to kinds/aws/. */
#ifndef KINDS_AWS_SETTINGS_H
#define KINDS_AWS_SETTINGS_H

#include <stdbool.h>

#include "base/doc.h"
#include "base/error.h"

struct aws_settings {
	char *sts_endpoint_url;        /* stsEndpointUrl; NULL: by region */
	char *imds_endpoint_url;       /* imdsEndpointUrl; NULL: the usual */
	bool imds_v1_fallback;         /* imdsV1Fallback */
	char *profile;                 /* NULL: $AWS_PROFILE or default */
	char *shared_credentials_file; /* sharedCredentialsFile; NULL:
					* $AWS_SHARED_CREDENTIALS_FILE or
					* ~/.aws/credentials */
	char *config_file;             /* configFile; NULL: likewise */
};

/* NULL reads as an empty map; NULL and err: it is wrong. */
struct aws_settings *aws_settings_read(const struct doc *d, struct error *err);
void aws_settings_free(struct aws_settings *s);

#endif
