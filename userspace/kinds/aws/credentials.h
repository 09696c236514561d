/*
 * AWS credentials as control gets them and as a dialect signs with them. The
 * chain that finds some (provider.h) never blocks the loop; what it found goes
 * to the proxy as bytes.
 */
#ifndef KINDS_AWS_CREDENTIALS_H
#define KINDS_AWS_CREDENTIALS_H

#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

struct aws_credentials {
	char *access_key, *secret_key;
	char *session_token;   /* "" : none */
	uint64_t expires_ms;   /* since 1970; 0: they do not */
};

/* Overwrites and frees what it holds. */
void aws_credentials_fini(struct aws_credentials *c);
/* Overwrites what was there. */
void aws_credentials_copy(
	struct aws_credentials *to, const struct aws_credentials *from);
/* "ASIA.../AKIA... is not one", without any value: the form of each part. */
int aws_credentials_check(const struct aws_credentials *c, struct error *err);

/* The bytes that the proxy is given; appended (the caller overwrites them). */
void aws_credentials_write(const struct aws_credentials *c, struct str *out);
int aws_credentials_read(
	struct slice bytes, struct aws_credentials *out, struct error *err);

#endif
