/*
 * What gives AWS credentials: STS's XML, JSON of programs and of metadata, the
 * shared files, the line of a credential_process, an address, and the bytes
 * that the proxy is given. No bytes crash a reader; what is refused says why;
 * what is taken is whole and of the form that a request can carry.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kinds/aws/document.h"
#include "kinds/aws/process.h"
#include "kinds/aws/shared_file.h"
#include "kinds/aws/sts_answer.h"
#include "kinds/aws/url.h"

#define SIZE_MAX_FED (32u << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(bool condition)
{
	if (!condition)
		abort();
}

static void
expect_why(const struct error *err)
{
	expect(err->code != ERROR_NONE && err->text[0] != '\0');
}

static void
credentials_check(struct aws_credentials *c)
{
	struct aws_credentials again;
	struct str bytes;

	expect(aws_credentials_check(c, NULL) == 0);
	str_init(&bytes);
	aws_credentials_write(c, &bytes);
	expect(aws_credentials_read((struct slice){ bytes.data, bytes.length },
		       &again, NULL) == 0);
	expect(strcmp(again.secret_key, c->secret_key) == 0 &&
		strcmp(again.session_token, c->session_token) == 0 &&
		again.expires_ms == c->expires_ms);
	aws_credentials_fini(&again);
	str_fini_wiped(&bytes);
}

static void
sts_feed(struct slice in)
{
	struct sts_answer a;
	struct error err = ERROR_INIT;

	if (sts_answer_read(in, &a, &err) != 0) {
		expect_why(&err);
		return;
	}
	expect((a.code == NULL) != (a.credentials.access_key == NULL));
	if (a.code == NULL)
		credentials_check(&a.credentials);
	sts_answer_fini(&a);
}

static void
document_feed(struct slice in)
{
	for (int sort = AWS_DOCUMENT_PROCESS; sort <= AWS_DOCUMENT_INSTANCE;
		sort++) {
		struct aws_credentials c;
		struct error err = ERROR_INIT;

		if (aws_document_read(sort, in, &c, &err) == 0)
			credentials_check(&c);
		else
			expect_why(&err);
		aws_credentials_fini(&c);
	}
}

static void
bytes_feed(struct slice in)
{
	struct aws_credentials c;
	struct error err = ERROR_INIT;

	if (aws_credentials_read(in, &c, &err) == 0)
		credentials_check(&c);
	else
		expect_why(&err);
	aws_credentials_fini(&c);
}

static void
on_key(struct slice profile, struct slice key, struct slice value, void *arg)
{
	const struct slice *in = arg;
	const struct slice parts[] = { profile, key, value };

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		expect(parts[i].data >= in->data &&
			parts[i].data + parts[i].length <=
				in->data + in->length);
}

static void
file_feed(struct slice in)
{
	for (int is_config = 0; is_config < 2; is_config++) {
		struct error err = ERROR_INIT;

		if (shared_file_read(in, is_config == 1, on_key, &in, &err) !=
			0)
			expect_why(&err);
	}
}

static void
text_feed(const char *text)
{
	struct error err = ERROR_INIT;
	char **words = aws_process_split(text, &err);
	struct aws_url u;

	if (words == NULL) {
		expect_why(&err);
	} else {
		expect(words[0] != NULL && words[0][0] != '\0');
		aws_process_words_free(words);
	}
	err = (struct error)ERROR_INIT;
	if (aws_url_read(text, &u, &err) != 0) {
		expect_why(&err);
		return;
	}
	expect(u.host.length > 0 && u.port > 0);
	expect(u.path.length == 0 || u.path.data[0] == '/');
	expect(memchr(u.host.data, '@', u.host.length) == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = { NULL, size };
	char *bytes, *text;

	if (size > SIZE_MAX_FED)
		return 0;
	/* Of its own size, so that a byte too many is seen. */
	bytes = malloc(size + (size == 0));
	memcpy(bytes, data, size);
	in.data = bytes;
	sts_feed(in);
	document_feed(in);
	bytes_feed(in);
	file_feed(in);
	text = xstrndup(bytes, size);
	text_feed(text);
	free(text);
	free(bytes);
	return 0;
}
