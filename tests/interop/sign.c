/*
 * Signs what it reads, for a judge: a JSON object on each line of standard
 * input (method, path, query, fields as [name, value], body, access_key,
 * secret_key, region, service, now_ms), on standard output x-amz-date, a space
 * and the Authorization field.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/doc.h"
#include "base/json.h"
#include "kinds/aws/sigv4.h"

static struct slice
text_of(const struct doc *d, const char *key)
{
	return slice_of(doc_get_text(d, key));
}

static int
line_sign(const struct doc *d, struct sigv4_key *key)
{
	struct sigv4_field fields[SIGV4_FIELDS_MAX];
	const struct doc *list = doc_get(d, "fields");
	struct sigv4_request r = { .method = text_of(d, "method"),
		.path = text_of(d, "path"),
		.query = text_of(d, "query"),
		.fields = fields,
		.body = text_of(d, "body"),
		.access_key = text_of(d, "access_key"),
		.secret_key = text_of(d, "secret_key"),
		.region = text_of(d, "region"),
		.service = text_of(d, "service"),
		.now_ms = (uint64_t)doc_get_integer(d, "now_ms") };
	char date[SIGV4_DATE_SIZE];
	struct str authorization;
	int rc;

	for (size_t i = 0; i < doc_count(list) && i < SIGV4_FIELDS_MAX; i++) {
		const struct doc *pair = doc_at(list, i);

		fields[r.field_count++] = (struct sigv4_field){
			slice_of(doc_string(doc_at(pair, 0))),
			slice_of(doc_string(doc_at(pair, 1))),
		};
	}
	str_init(&authorization);
	rc = sigv4_sign(key, &r, date, &authorization, NULL);
	if (rc == 0)
		printf("%s %s\n", date, authorization.data);
	str_fini(&authorization);
	return rc;
}

int
main(void)
{
	struct sigv4_key key = { .of = 0 };
	char *line = NULL;
	size_t size = 0;
	ssize_t length;
	int rc = 0;

	while (rc == 0 && (length = getline(&line, &size, stdin)) > 0) {
		struct error err = ERROR_INIT;
		struct doc *d = json_doc_read(line, (size_t)length, &err);

		if (d == NULL)
			fprintf(stderr, "sign: %s\n", err.text);
		rc = d == NULL ? -1 : line_sign(d, &key);
		doc_free(d);
	}
	free(line);
	sigv4_key_forget(&key);
	return rc == 0 ? 0 : 1;
}
