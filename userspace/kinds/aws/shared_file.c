/* The form of the shared credentials and config files. */
#include "kinds/aws/shared_file.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

struct reader {
	bool is_config;
	shared_file_f *each;
	void *arg;
	bool in_profile, in_section; /* in_section: also of another sort */
	struct slice profile;
	bool has_key;      /* since the section began */
	size_t key_indent; /* of the last key */
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static struct slice
trim(struct slice s)
{
	while (s.length > 0 && is_blank(s.data[0])) {
		s.data++;
		s.length--;
	}
	while (s.length > 0 && is_blank(s.data[s.length - 1]))
		s.length--;
	return s;
}

static struct slice
unquote(struct slice s)
{
	if (s.length >= 2 && (s.data[0] == '"' || s.data[0] == '\'') &&
		s.data[s.length - 1] == s.data[0])
		return (struct slice){ s.data + 1, s.length - 2 };
	return s;
}

/* "profile NAME" to NAME; false: it is a section of another sort. */
static bool
config_profile(struct slice name, struct slice *profile)
{
	const struct slice word = slice_of("profile");

	if (slice_equal(name, slice_of("default"))) {
		*profile = name;
		return true;
	}
	if (!slice_starts(name, word) || name.length == word.length ||
		!is_blank(name.data[word.length]))
		return false;
	*profile = unquote(trim((struct slice){
		name.data + word.length, name.length - word.length }));
	return profile->length > 0;
}

static int
section_read(struct reader *r, struct slice line, struct error *err)
{
	const char *end = memchr(line.data, ']', line.length);
	struct slice name;

	if (end == NULL)
		return error_set(err, ERROR_CONFIG,
			"a section's name has no \"]\" behind it");
	name = trim(
		(struct slice){ line.data + 1, (size_t)(end - line.data) - 1 });
	r->in_section = true;
	r->has_key = false;
	r->profile = name;
	r->in_profile = r->is_config ? config_profile(name, &r->profile)
				     : name.length > 0;
	if (r->in_profile)
		r->each(r->profile, (struct slice){ name.data, 0 },
			(struct slice){ name.data, 0 }, r->arg);
	return 0;
}

static int
key_read(struct reader *r, struct slice line, struct error *err)
{
	const char *sign = memchr(line.data, '=', line.length);
	size_t length = sign == NULL ? 0 : (size_t)(sign - line.data);
	struct slice key = trim((struct slice){ line.data, length });

	if (!r->in_section)
		return error_set(err, ERROR_CONFIG,
			"a key stands in front of the first section");
	if (key.length == 0)
		return error_set(err, ERROR_CONFIG,
			"it is neither a section, nor a key and its value, "
			"nor a comment");
	if (r->in_profile)
		r->each(r->profile, key,
			trim((struct slice){
				sign + 1, line.length - length - 1 }),
			r->arg);
	return 0;
}

static int
line_read(struct reader *r, struct slice line, struct error *err)
{
	struct slice text = trim(line);
	size_t indent = (size_t)(text.data - line.data);

	if (text.length == 0 || text.data[0] == '#' || text.data[0] == ';')
		return 0;
	if (r->has_key && indent > r->key_indent)
		return 0;
	if (text.data[0] == '[')
		return section_read(r, text, err);
	r->has_key = true;
	r->key_indent = indent;
	return key_read(r, text, err);
}

int
shared_file_read(struct slice text, bool is_config, shared_file_f *each,
	void *arg, struct error *err)
{
	struct reader r = { .is_config = is_config, .each = each, .arg = arg };
	int line = 0;

	if (text.length > SHARED_FILE_MAX)
		return error_set(err, ERROR_LIMIT, "more than %u bytes",
			SHARED_FILE_MAX);
	if (slice_starts(text, slice_of(BYTE_ORDER_MARK))) {
		text.data += strlen(BYTE_ORDER_MARK);
		text.length -= strlen(BYTE_ORDER_MARK);
	}
	while (text.length > 0) {
		const char *end = memchr(text.data, '\n', text.length);
		size_t length =
			end == NULL ? text.length : (size_t)(end - text.data);

		line++;
		if (line_read(&r, (struct slice){ text.data, length }, err) !=
			0) {
			if (err != NULL)
				err->line = line;
			return error_prefix(err, "line %d", line);
		}
		length += end != NULL;
		text.data += length;
		text.length -= length;
	}
	return 0;
}
