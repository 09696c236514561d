/*
 * What the management API and those who give out tokens answer. Whatever it is:
 * it is read or refused with a reason; functions are sorted, each once, of
 * names and templates that a call can use; keys and tokens are values of
 * fields; the next page is where the token may go.
 */
#include <stdint.h>
#include <stdlib.h>

#include "http/head.h"
#include "kinds/azure/management.h"
#include "kinds/azure/template.h"
#include "kinds/azure/token_answer.h"

#define ORIGIN "https://m.test"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(bool condition)
{
	if (!condition)
		abort();
}

static void
key_look(const char *key)
{
	expect(key == NULL || (key[0] != '\0' && strlen(key) <= AZURE_KEY_MAX &&
				      http_is_field_value(slice_of(key))));
}

static void
functions_look(struct slice body)
{
	static char app[] = "app", prefix[] = "v1/x";
	struct azure_spec specs[2] = { { .app_name = app },
		{ .app_name = app, .route_prefix = prefix } };

	for (size_t s = 0; s < 2; s++) {
		struct azure_credentials c = { 0 };
		struct error err = ERROR_INIT;
		char *next = NULL;

		if (azure_functions_read(
			    body, ORIGIN, &specs[s], &c, &next, &err) != 0)
			expect(err.code != ERROR_NONE && next == NULL);
		expect(next == NULL ||
			strncmp(next, ORIGIN "/", strlen(ORIGIN) + 1) == 0);
		for (size_t i = 0; i < c.count; i++) {
			const struct azure_known *k = &c.functions[i];
			struct azure_template *t =
				azure_template_new(slice_of(k->path), NULL);

			expect(t != NULL && k->name[0] != '\0');
			expect(i == 0 ||
				strcmp(c.functions[i - 1].name, k->name) < 0);
			azure_template_free(t);
		}
		free(next);
		azure_credentials_fini(&c);
	}
}

static void
keys_look(struct slice body)
{
	struct azure_credentials c = { 0 };
	struct error err = ERROR_INIT;
	char *key = NULL;

	if (azure_host_keys_read(body, &c, &err) != 0)
		expect(err.code != ERROR_NONE && c.master == NULL);
	else
		expect(c.master != NULL || c.fallback != NULL);
	key_look(c.master);
	key_look(c.fallback);
	azure_credentials_fini(&c);
	expect(azure_function_keys_read(body, &key, NULL) != 0 || key != NULL);
	key_look(key);
	free(key);
}

static void
token_look(struct slice body)
{
	struct azure_token_answer a;
	struct error err = ERROR_INIT;
	struct str text;

	if (azure_token_answer_read(body, 1000000, &a, &err) != 0) {
		expect(err.code != ERROR_NONE && a.bearer == NULL);
	} else {
		expect(strncmp(a.bearer, "Bearer ", 7) == 0);
		expect(http_is_field_value(slice_of(a.bearer)));
		expect(a.expires_ms > 1000000);
	}
	free(a.bearer);
	str_init(&text);
	azure_token_trouble(body, &text);
	azure_management_trouble(403, body, &text);
	for (size_t i = 0; i < text.length; i++)
		expect((unsigned char)text.data[i] >= ' ');
	str_fini(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice body = { (const char *)data, size };

	functions_look(body);
	keys_look(body);
	token_look(body);
	return 0;
}
