/*
 * How a Lambda function is named: NAME, NAME:QUALIFIER, ACCOUNT:function:NAME,
 * REGION:ACCOUNT:function:NAME or a whole ARN, each with a qualifier (a version
 * or an alias) or without (docs.aws.amazon.com, Lambda API, Invoke). Pure.
 */
#ifndef KINDS_AWS_FUNCTION_NAME_H
#define KINDS_AWS_FUNCTION_NAME_H

#include "base/error.h"
#include "base/str.h"

struct aws_function_name { /* parts of the text that was read */
	/* Length 0: not said. */
	struct slice partition, region, account, qualifier;
	struct slice name;
};

int aws_function_name_read(
	const char *text, struct aws_function_name *out, struct error *err);
/* NAME, or NAME:QUALIFIER unless that is $LATEST, appended: as discovery names
 * functions. */
void aws_function_name_short(
	const struct aws_function_name *name, struct str *out);
/* The ARN without qualifier, appended; all parts but the partition must be
 * there. */
void aws_function_name_arn(
	const struct aws_function_name *name, struct str *out);

#endif
