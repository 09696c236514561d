/* Which bodies an event holds as text. */
#include "kinds/aws/event_text.h"

#include <string.h>

#include "base/json.h"
#include "base/utf8.h"

/* Lambda takes no event of more than that (docs.aws.amazon.com, "Lambda
 * quotas"). Nothing is lost when a longer text goes in Base64, which is at most
 * a third longer than the body, while escapes may make six bytes of each. */
#define EVENT_TEXT_MAX (6u << 20)

static bool
ends(struct slice text, const char *with)
{
	size_t length = strlen(with);

	return text.length >= length &&
	       slice_equal_nocase(
		       (struct slice){
			       text.data + text.length - length, length },
		       slice_of(with));
}

static bool
is_one_of(struct slice text, const char *const *these)
{
	for (; *these != NULL; these++)
		if (slice_equal_nocase(text, slice_of(*these)))
			return true;
	return false;
}

/* Types that ALB and HTTP APIs hand on as they are, and those that the others
 * do (REST hands on all that nobody declared binary; forms, above all). */
static bool
is_text_type(enum aws_event_shape shape, struct slice type)
{
	static const char *const always[] = { "application/json",
		"application/javascript", "application/xml", NULL };
	static const char *const often[] = {
		"application/x-www-form-urlencoded", "application/graphql",
		"application/x-ndjson", "application/yaml", NULL
	};
	const char *parameter = memchr(type.data, ';', type.length);

	if (parameter != NULL)
		type.length = (size_t)(parameter - type.data);
	while (type.length > 0 && (type.data[type.length - 1] == ' ' ||
					  type.data[type.length - 1] == '\t'))
		type.length--;
	if (is_one_of(type, always) ||
		(type.length > 5 &&
			slice_equal_nocase((struct slice){ type.data, 5 },
				slice_of("text/"))))
		return true;
	if (shape == AWS_EVENT_ALB)
		return false;
	if (ends(type, "+json") || ends(type, "+xml"))
		return true;
	return shape == AWS_EVENT_API_GATEWAY_V1 && is_one_of(type, often);
}

bool
event_text_is(enum aws_event_shape shape, struct slice type,
	struct slice coding, struct slice body)
{
	if (body.length == 0)
		return true;
	if (shape != AWS_EVENT_GLOO) {
		if (coding.length > 0)
			return false;
		if (type.length == 0 ? shape != AWS_EVENT_API_GATEWAY_V1
				     : !is_text_type(shape, type))
			return false;
	}
	return utf8_is_valid(body.data, body.length) &&
	       json_quoted_length(body.data, body.length) <= EVENT_TEXT_MAX;
}
