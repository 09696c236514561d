/*
 * Route templates, queries and what the proxy reads: a template's text, a
 * client's path and a query, a line each. Whatever they are: a template is read
 * or refused with a reason; a path that is made begins with "/" and is as long
 * as its parts; no query keeps its code, and stripping twice is stripping once.
 * The whole as settings and credentials as well.
 */
#include <stdint.h>
#include <stdlib.h>

#include "kinds/azure/azure.h"
#include "kinds/azure/credentials.h"
#include "kinds/azure/query.h"
#include "kinds/azure/template.h"
#include "tests/fuzz/lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
template_look(struct slice text, struct slice path)
{
	struct error err = ERROR_INIT;
	struct azure_template *t = azure_template_new(text, &err);
	const char *missing = NULL;
	struct str out;

	expect(t != NULL || err.code != ERROR_NONE);
	if (t == NULL)
		return;
	str_init(&out);
	if (azure_template_fill(t, path, &out, &missing) != 0) {
		expect(missing != NULL && strchr(missing, '{') != NULL);
	} else {
		expect(out.length > 0 && out.data[0] == '/');
		expect(out.length <= 3 * text.length + path.length + 2);
	}
	str_fini(&out);
	azure_template_free(t);
}

static void
query_look(struct slice query)
{
	struct str once, twice;

	str_init(&once);
	str_init(&twice);
	expect(azure_query_strip(query, &once) || once.length == 0);
	expect(once.length <= query.length);
	azure_query_strip((struct slice){ once.data, once.length }, &twice);
	expect(slice_equal((struct slice){ once.data, once.length },
		(struct slice){ twice.data, twice.length }));
	expect(memmem(once.data, once.length, "&code=", 6) == NULL);
	expect(once.length < 5 || memcmp(once.data, "code=", 5) != 0);
	str_clear(&once);
	str_clear(&twice);
	azure_location_strip(query, &once);
	azure_location_strip((struct slice){ once.data, once.length }, &twice);
	expect(slice_equal((struct slice){ once.data, once.length },
		(struct slice){ twice.data, twice.length }));
	str_fini(&once);
	str_fini(&twice);
}

static void
bytes_look(struct slice bytes)
{
	struct azure_credentials c;
	struct error err = ERROR_INIT;
	void *target = azure_dialect.target_new(bytes, &err);
	struct str again;

	expect(target != NULL || err.code != ERROR_NONE);
	azure_dialect.target_free(target);
	if (azure_credentials_read(bytes, &c, NULL) != 0)
		return;
	str_init(&again);
	azure_credentials_write(&c, &again);
	azure_credentials_fini(&c);
	expect(azure_credentials_read(
		       (struct slice){ again.data, again.length }, &c, NULL) ==
		0);
	azure_credentials_fini(&c);
	str_fini(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = { (const char *)data, size }, text, path;

	bytes_look(rest);
	text = line_take(&rest);
	path = line_take(&rest);
	template_look(text, path);
	query_look(size == 0 ? (struct slice){ "", 0 } : rest);
	return 0;
}
