/*
 * What a destination says of its function, from a document to bytes of the
 * image and to what the proxy has. The bytes are lines: a word with the
 * version, region, authority, path, query, ARN, account, and a digit for each
 * option.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "http/target.h"
#include "kinds/aws/lambda_call.h"
#include "model/schema.h"

#define FORM    "lambda1"
#define LINES   8
#define OPTIONS 7

/* ---- options: the destination's, else the upstream's */

struct way {
	size_t offset; /* of a struct model_bool in struct aws_destination */
	enum aws_event_shape shape;
};

#define AT(member) offsetof(struct aws_destination, member)

static const struct way wraps[] = {
	{ AT(request_transformation), AWS_EVENT_GLOO },
	{ AT(wrap_alb), AWS_EVENT_ALB },
	{ AT(wrap_api_gateway), AWS_EVENT_API_GATEWAY_V1 },
};

/* responseTransformation means the same since Gloo has unwrapAsApiGateway. */
static const struct way unwraps[] = {
	{ AT(unwrap_alb), AWS_EVENT_ALB },
	{ AT(unwrap_api_gateway), AWS_EVENT_API_GATEWAY_V1 },
	{ AT(response_transformation), AWS_EVENT_API_GATEWAY_V1 },
};

static struct model_bool
way_get(const struct aws_destination *d, const struct way *way)
{
	struct model_bool value;

	memcpy(&value, (const char *)d + way->offset, sizeof(value));
	return value;
}

/* What the destination says holds against all that the upstream says. */
static enum aws_event_shape
shape_of(const struct aws_destination *own, const struct aws_destination *over,
	const struct way *ways, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (way_get(own, &ways[i]).value)
			return ways[i].shape;
	for (size_t i = 0; i < count; i++)
		if (way_get(over, &ways[i]).value &&
			!way_get(own, &ways[i]).given)
			return ways[i].shape;
	return AWS_EVENT_RAW;
}

static enum aws_event_shape
shape_of_payload(enum aws_event_shape shape, uint8_t payload)
{
	return shape == AWS_EVENT_API_GATEWAY_V1 && payload == AWS_PAYLOAD_2_0
		       ? AWS_EVENT_API_GATEWAY_V2
		       : shape;
}

static bool
holds(struct model_bool own, struct model_bool over)
{
	return own.given ? own.value : over.value;
}

static void
options_merge(const struct aws_destination *own,
	const struct aws_destination *over, struct lambda_options *out)
{
	uint8_t payload = own->payload != 0 ? own->payload : over->payload;
	uint8_t style =
		own->invocation != 0 ? own->invocation : over->invocation;

	*out = (struct lambda_options){
		.invocation = style != 0 ? style : AWS_SYNC,
		.wrap = (uint8_t)shape_of_payload(
			shape_of(own, over, wraps, ARRAY_SIZE(wraps)), payload),
		.unwrap = (uint8_t)shape_of_payload(
			shape_of(own, over, unwraps, ARRAY_SIZE(unwraps)),
			payload),
		.multi_value_headers = holds(
			own->multi_value_headers, over->multi_value_headers),
		.streaming = holds(own->streaming, over->streaming),
		.original_routing =
			holds(own->original_routing, over->original_routing),
		.log_tail = holds(own->log_tail, over->log_tail),
	};
}

static int
options_check(const struct lambda_options *o, struct error *err)
{
	if (o->streaming && o->invocation != AWS_SYNC)
		return error_set(err, ERROR_CONFIG,
			"responseStreaming needs the invocationStyle SYNC: "
			"there is no answer otherwise");
	if (o->streaming && o->unwrap == AWS_EVENT_ALB)
		return error_set(err, ERROR_CONFIG,
			"responseStreaming and unwrapAsAlb do not go "
			"together: load balancers know no streams");
	return 0;
}

/* ---- control: from the document to bytes */

static void
line_put(struct str *out, const char *text)
{
	str_puts(out, text);
	str_putc(out, '\n');
}

static void
settings_put(const struct aws_spec *spec, const struct lambda_function *f,
	const struct lambda_options *o, struct str *out)
{
	const uint8_t digits[OPTIONS] = { o->invocation, o->wrap, o->unwrap,
		o->multi_value_headers, o->streaming, o->original_routing,
		o->log_tail };

	line_put(out, FORM);
	line_put(out, spec->region);
	aws_endpoint_authority(spec, AWS_LAMBDA, out);
	line_put(out, "");
	line_put(out, f->path.data);
	line_put(out, f->query.data);
	line_put(out, f->arn.data);
	line_put(out, f->account.data);
	for (size_t i = 0; i < OPTIONS; i++)
		str_putc(out, (char)('0' + digits[i]));
	line_put(out, "");
}

static int
destination_write(const struct aws_spec *spec,
	const struct aws_destination *own, const char *const *known,
	size_t known_count, struct str *settings, struct str *warning,
	struct error *err)
{
	static const struct aws_destination nothing;
	const struct aws_destination *over =
		spec->overrides != NULL ? spec->overrides : &nothing;
	const char *name = own->logical_name != NULL ? own->logical_name
						     : over->logical_name;
	struct lambda_options options;
	struct lambda_function f;
	int rc;

	if (name == NULL)
		return error_set(err, ERROR_CONFIG,
			"a route to AWS needs a function: say "
			"destinationSpec.aws.logicalName, or glooctl add route "
			"--function NAME[:QUALIFIER]");
	options_merge(own, over, &options);
	if (options_check(&options, err) != 0)
		return -1;
	lambda_function_init(&f);
	rc = lambda_function_find(spec, name, known, known_count,
		options.streaming, &f, warning, err);
	if (rc == 0)
		settings_put(spec, &f, &options, settings);
	lambda_function_fini(&f);
	return rc;
}

int
lambda_write(const void *spec, const struct doc *destination,
	const char *const *known, size_t known_count, struct str *settings,
	struct str *warning, struct error *err)
{
	struct aws_destination own;
	int rc;

	if (schema_read(&aws_destination_schema, destination, &own, err) != 0)
		return error_prefix(err, "destinationSpec.aws");
	rc = destination_write(
		spec, &own, known, known_count, settings, warning, err);
	schema_fini(&aws_destination_schema, &own);
	return rc;
}

/* ---- proxy: back from bytes */

/* 0: there are not so many lines, or more. */
static int
lines_cut(struct slice text, struct slice lines[LINES])
{
	for (size_t i = 0; i < LINES; i++) {
		const char *end = text.length > 0
					  ? memchr(text.data, '\n', text.length)
					  : NULL;

		if (end == NULL)
			return -1;
		lines[i] =
			(struct slice){ text.data, (size_t)(end - text.data) };
		text.data += lines[i].length + 1;
		text.length -= lines[i].length + 1;
	}
	return text.length == 0 ? 0 : -1;
}

/* Letters, digits and these. */
static bool
is_of(struct slice text, const char *others)
{
	for (size_t i = 0; i < text.length; i++) {
		char c = text.data[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9'))
			continue;
		if (c == '\0' || strchr(others, c) == NULL)
			return false;
	}
	return true;
}

static bool
lines_are_sound(const struct slice lines[LINES])
{
	return slice_equal(lines[0], slice_of(FORM)) && lines[1].length > 0 &&
	       is_of(lines[1], "-") && http_authority_valid(lines[2]) &&
	       slice_starts(lines[3], slice_of("/")) &&
	       is_of(lines[3], "/-._~%") && is_of(lines[4], "=-._~%") &&
	       is_of(lines[5], ":-._") && is_of(lines[6], "") &&
	       lines[7].length == OPTIONS;
}

static int
options_read(struct slice text, struct lambda_options *out)
{
	static const uint8_t most[OPTIONS] = { AWS_DRY_RUN,
		AWS_EVENT_API_GATEWAY_V2, AWS_EVENT_API_GATEWAY_V2, 1, 1, 1,
		1 };
	uint8_t digits[OPTIONS];

	for (size_t i = 0; i < OPTIONS; i++) {
		digits[i] = (uint8_t)(text.data[i] - '0');
		if (digits[i] > most[i])
			return -1;
	}
	*out = (struct lambda_options){ digits[0], digits[1], digits[2],
		digits[3] == 1, digits[4] == 1, digits[5] == 1,
		digits[6] == 1 };
	return out->invocation == AWS_INVOCATION_UNSAID
		       ? -1
		       : options_check(out, NULL);
}

static char *
line_copy(struct slice line)
{
	return xstrndup(line.data, line.length);
}

void *
lambda_target_new(struct slice settings, struct error *err)
{
	struct slice lines[LINES];
	struct lambda_options options;
	struct lambda_target *t;

	if (lines_cut(settings, lines) != 0 || !lines_are_sound(lines) ||
		options_read(lines[7], &options) != 0) {
		error_set(err, ERROR_SYSTEM,
			"what is said of a Lambda function has another form "
			"than it is written in");
		return NULL;
	}
	t = xcalloc(1, sizeof(*t));
	t->region = line_copy(lines[1]);
	t->authority = line_copy(lines[2]);
	t->path = line_copy(lines[3]);
	t->query = line_copy(lines[4]);
	t->arn = line_copy(lines[5]);
	t->account = line_copy(lines[6]);
	t->options = options;
	return t;
}

void
lambda_target_free(void *target)
{
	struct lambda_target *t = target;

	if (t == NULL)
		return;
	free(t->region);
	free(t->authority);
	free(t->path);
	free(t->query);
	free(t->arn);
	free(t->account);
	free(t);
}
