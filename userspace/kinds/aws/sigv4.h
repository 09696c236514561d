/*
 * AWS Signature Version 4 in the Authorization field (docs.aws.amazon.com,
 * "Create a signed AWS API request"). Pure. Signing is the last thing that is
 * done to a request: nothing that is signed may change afterwards. The same
 * signer serves Invoke, STS and the discovery of functions.
 */
#ifndef KINDS_AWS_SIGV4_H
#define KINDS_AWS_SIGV4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

#define SIGV4_DATE_SIZE  17 /* "20260102T030405Z" and NUL */
#define SIGV4_KEY_LENGTH 32

struct sigv4_field { /* names in lower case; order does not matter */
	struct slice name, value;
};

/* A signing key is good for a day, region, service and secret. One for each
 * thread that signs; zeros at first; overwritten by sigv4_key_forget. */
struct sigv4_key {
	char day[9];
	uint64_t of; /* a digest of region, service and secret; 0: none */
	unsigned char bytes[SIGV4_KEY_LENGTH];
};

struct sigv4_request {
	struct slice method;
	struct slice path;  /* as it goes on the wire, percent-coded there */
	struct slice query; /* as it goes on the wire, without "?" */
	/* Those to be signed: host and, if there is one, x-amz-security-token
	 * among them; x-amz-date is added here. */
	const struct sigv4_field *fields;
	size_t field_count;
	struct slice body;
	struct slice access_key, secret_key, region, service;
	uint64_t now_ms;      /* since 1970 */
	bool single_encoded;  /* S3 alone; others code the path once more */
	bool path_as_it_is;   /* "." and ".." and "//" stay (S3 alone) */
};

/* date: for x-amz-date; authorization: the value of that field, appended. -1:
 * more fields than SIGV4_FIELDS_MAX. */
#define SIGV4_FIELDS_MAX 64
int sigv4_sign(struct sigv4_key *key, const struct sigv4_request *r,
	char date[SIGV4_DATE_SIZE], struct str *authorization,
	struct error *err);
/* For tests and for finding out why a signature is refused: the canonical
 * request, appended. */
int sigv4_canonical(const struct sigv4_request *r,
	const char date[SIGV4_DATE_SIZE], struct str *out, struct error *err);
void sigv4_key_forget(struct sigv4_key *key);

#endif
