/*
 * Credentials as JSON, as a program, a container's agent and instance metadata
 * give them. Pure; any bytes may come. Private to kinds/aws/.
 */
#ifndef KINDS_AWS_DOCUMENT_H
#define KINDS_AWS_DOCUMENT_H

#include "base/error.h"
#include "base/str.h"
#include "kinds/aws/credentials.h"

enum aws_document {
	AWS_DOCUMENT_PROCESS,   /* "Version": 1, "SessionToken"; they need not
				 * expire */
	AWS_DOCUMENT_CONTAINER, /* "Token" */
	AWS_DOCUMENT_INSTANCE,  /* "Token", and "Code" is "Success" if
				 * it is there */
};

/* err quotes nothing of it but an instance's Code. *out is empty after that. */
int aws_document_read(enum aws_document sort, struct slice json,
	struct aws_credentials *out, struct error *err);

#endif
