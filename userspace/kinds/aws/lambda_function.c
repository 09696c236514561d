/* Which Lambda function the logical name of a destination means: one that the
 * upstream lists, else one of that name. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kinds/aws/function_name.h"
#include "kinds/aws/lambda_call.h"

#define INVOKE_PATH "/2015-03-31/functions/"
#define INVOKE_VERB "/invocations"
#define STREAM_PATH "/2021-11-15/functions/"
#define STREAM_VERB "/response-streaming-invocations"

void
lambda_function_init(struct lambda_function *f)
{
	str_init(&f->path);
	str_init(&f->query);
	str_init(&f->arn);
	str_init(&f->account);
}

void
lambda_function_fini(struct lambda_function *f)
{
	str_fini(&f->path);
	str_fini(&f->query);
	str_fini(&f->arn);
	str_fini(&f->account);
}

/* What the upstream says besides: the qualifier, region and account. */
static int
name_complete(const struct aws_spec *spec, const struct aws_function *listed,
	struct aws_function_name *name, struct error *err)
{
	struct slice region = slice_of(spec->region);

	if (listed != NULL && listed->qualifier != NULL) {
		struct slice own = slice_of(listed->qualifier);

		if (name->qualifier.length > 0 &&
			!slice_equal(name->qualifier, own))
			return error_set(err, ERROR_CONFIG,
				"function \"%.200s\" has two qualifiers in "
				"lambdaFunctions, \"%.*s\" and \"%.128s\"",
				listed->logical_name,
				(int)name->qualifier.length,
				name->qualifier.data, listed->qualifier);
		name->qualifier = own;
	}
	if (name->region.length > 0 && !slice_equal(name->region, region))
		return error_set(err, ERROR_CONFIG,
			"function \"%.*s\" is in region %.*s, the upstream "
			"calls those of %s: an upstream has one region",
			(int)name->name.length, name->name.data,
			(int)name->region.length, name->region.data,
			spec->region);
	name->region = region;
	if (name->account.length == 0 && spec->account_id != NULL)
		name->account = slice_of(spec->account_id);
	return 0;
}

static int
name_compare(const void *key, const void *element)
{
	return strcmp(key, *(const char *const *)element);
}

/* Of another account nothing was asked. */
static bool
is_foreign(const struct aws_spec *spec, const struct aws_function_name *name)
{
	return name->account.length > 0 &&
	       (spec->account_id == NULL ||
		       !slice_equal(name->account, slice_of(spec->account_id)));
}

static bool
has(const char *const *known, size_t known_count, const char *name)
{
	return known_count > 0 && bsearch(name, known, known_count,
					  sizeof(*known), name_compare) != NULL;
}

/* Versions are listed with their function, aliases by a question of their own.
 */
static bool
is_version(struct slice qualifier)
{
	for (size_t i = 0; i < qualifier.length; i++)
		if (qualifier.data[i] < '0' || qualifier.data[i] > '9')
			return false;
	return true;
}

/* What is known says that it is not there; not: it is, or that is not known. */
static bool
is_missing(const struct aws_spec *spec, const struct aws_function_name *name,
	const char *const *known, size_t known_count)
{
	struct str text;
	bool may_be;

	if (is_foreign(spec, name) || has(known, known_count, "*"))
		return false;
	str_init(&text);
	aws_function_name_short(name, &text);
	may_be = has(known, known_count, text.data);
	if (!may_be && !is_version(name->qualifier)) {
		str_clear(&text);
		str_append(&text, name->name.data, name->name.length);
		str_puts(&text, ":*");
		may_be = has(known, known_count, text.data);
	}
	str_fini(&text);
	return !may_be;
}

static void
escaped_put(struct str *out, struct slice text)
{
	char *copy = xstrndup(text.data, text.length);

	str_put_escaped(out, copy);
	free(copy);
}

static void
wire_put(const struct aws_function_name *name, bool streaming,
	struct lambda_function *out)
{
	str_puts(&out->path, streaming ? STREAM_PATH : INVOKE_PATH);
	if (name->account.length > 0) {
		aws_function_name_arn(name, &out->arn);
		str_append(&out->account, name->account.data,
			name->account.length);
		str_put_escaped(&out->path, out->arn.data);
	} else {
		escaped_put(&out->path, name->name);
	}
	str_puts(&out->path, streaming ? STREAM_VERB : INVOKE_VERB);
	if (name->qualifier.length > 0) {
		str_puts(&out->query, "Qualifier=");
		escaped_put(&out->query, name->qualifier);
	}
}

int
lambda_function_find(const struct aws_spec *spec, const char *logical_name,
	const char *const *known, size_t known_count, bool streaming,
	struct lambda_function *out, struct str *warning, struct error *err)
{
	const struct aws_function *listed =
		aws_spec_function(spec, logical_name);
	struct aws_function_name name;

	if (aws_function_name_read(
		    listed != NULL ? listed->function_name : logical_name,
		    &name, err) != 0 ||
		name_complete(spec, listed, &name, err) != 0)
		return -1;
	wire_put(&name, streaming, out);
	if (known != NULL && is_missing(spec, &name, known, known_count))
		str_printf(warning,
			"function \"%s\" was not found in region %s; it is "
			"called nevertheless",
			logical_name, spec->region);
	else if (known == NULL && listed == NULL && spec->function_count > 0)
		str_printf(warning,
			"function \"%s\" is none of the upstream's "
			"lambdaFunctions; it is called by that name",
			logical_name);
	return 0;
}
