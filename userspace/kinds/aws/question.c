/* What questions to sources of credentials share. */
#include "kinds/aws/question.h"

#include "base/mem.h"

/* SDKs' "standard" retries: 500, 502, 503 and 504 are passing, 429 is being
 * asked too often. */
enum aws_trouble
aws_status_trouble(int status)
{
	if (status == 429)
		return AWS_TROUBLE_THROTTLED;
	return status >= 500 ? AWS_TROUBLE_PASSES : AWS_TROUBLE_LASTS;
}

void
aws_result_wipe(const struct http_result *result)
{
	if (result->body.length > 0)
		mem_wipe((void *)(uintptr_t)result->body.data,
			result->body.length);
}
