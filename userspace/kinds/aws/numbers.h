/* What control does for all upstreams of AWS together, as numbers. Private to
 * kinds/aws/. */
#ifndef KINDS_AWS_NUMBERS_H
#define KINDS_AWS_NUMBERS_H

#include <stdint.h>

#include "model/kind.h"

struct aws_counts {
	uint64_t credentials;         /* that the proxy was to get */
	uint64_t credentials_refused; /* that an endpoint did not take */
	uint64_t asked;     /* questions of the discovery of functions */
	uint64_t throttled; /* of them */
	uint64_t failed;    /* of them, for another reason */
	uint64_t passes;    /* all functions were listed */
	uint64_t upstreams, without_credentials, functions; /* now */
};

void aws_numbers_each(
	const struct aws_counts *c, kind_number_f *each, void *arg);

#endif
