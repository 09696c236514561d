/*
 * What STS answers: the credentials of AssumeRole and
 * AssumeRoleWithWebIdentity, or an error, in XML (STS API Reference). A strict
 * reader of what they need and no more of XML: no document type, no comments,
 * no CDATA. Pure; any bytes may come. Private to kinds/aws/.
 */
#ifndef KINDS_AWS_STS_ANSWER_H
#define KINDS_AWS_STS_ANSWER_H

#include "base/error.h"
#include "base/str.h"
#include "kinds/aws/credentials.h"

#define STS_ANSWER_MAX (64u << 10)

struct sts_answer {
	struct aws_credentials credentials; /* access_key NULL: none */
	char *code; /* "AccessDenied"; letters, digits, "."; NULL: no error */
	char *message; /* may quote what was asked: a secret; or NULL */
};

/* -1 and err: it is neither. out is uninitialised, and empty after that. err
 * quotes nothing. */
int sts_answer_read(
	struct slice xml, struct sts_answer *out, struct error *err);
void sts_answer_fini(struct sts_answer *a);

#endif
