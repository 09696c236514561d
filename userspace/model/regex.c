/*
 * The text that every match of a regex begins with. Wrong answers would lose
 * requests, so everything that is not plainly understood ends the text, and
 * what could change the meaning of the whole pattern gives none.
 */
#include "model/regex.h"

static bool
one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

/* The place after the class that begins at text[i] == '['. */
static size_t
class_end(struct slice text, size_t i)
{
	i++;
	if (i < text.length && text.data[i] == '^')
		i++;
	if (i < text.length && text.data[i] == ']')
		i++;
	for (; i < text.length && text.data[i] != ']'; i++) {
		if (text.data[i] == '\\')
			i++;
		else if (text.data[i] == '[' && i + 1 < text.length &&
			 one_of(text.data[i + 1], ":.="))
			return text.length; /* [:name:], rare: not followed */
	}
	return i + 1;
}

/* What may follow "(": a group, or (?: (?= (?! (?> (?< (?P< and no option,
 * comment, verb, condition or recursion. */
static bool
group_is_plain(struct slice text, size_t i)
{
	struct slice rest = { text.data + i + 1, text.length - i - 1 };

	if (rest.length == 0 || !one_of(rest.data[0], "?*"))
		return true;
	if (rest.data[0] == '*' || rest.length < 2)
		return false;
	return one_of(rest.data[1], ":=!><") ||
	       slice_starts(rest, slice_of("?P<"));
}

/* Neither alternatives at the top nor anything that reaches beyond its place.
 */
static bool
pattern_is_plain(struct slice text)
{
	size_t depth = 0, i = 0;

	while (i < text.length) {
		char c = text.data[i];

		if (c == '\\') {
			if (i + 1 < text.length &&
				one_of(text.data[i + 1], "QE"))
				return false;
			i += 2;
			continue;
		}
		if (c == '[') {
			size_t end = class_end(text, i);

			if (end >= text.length &&
				memchr(text.data + i, '|', text.length - i))
				return false;
			i = end;
			continue;
		}
		if (c == '(') {
			if (!group_is_plain(text, i))
				return false;
			depth++;
		} else if (c == ')') {
			depth -= depth > 0;
		} else if (c == '|' && depth == 0) {
			return false;
		}
		i++;
	}
	return true;
}

static bool
is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z');
}

bool
regex_cut_nocase(struct slice *pattern)
{
	const struct slice mark = slice_of("(?i)");

	if (!slice_starts(*pattern, mark))
		return false;
	pattern->data += mark.length;
	pattern->length -= mark.length;
	return true;
}

size_t
regex_literal(struct slice pattern, char *out)
{
	size_t i = 0, length = 0;

	if (!pattern_is_plain(pattern))
		return 0;
	if (pattern.length > 0 && pattern.data[0] == '^')
		i = 1;
	while (i < pattern.length) {
		char c = pattern.data[i++];

		if (one_of(c, "^$.[()|?*+{"))
			break;
		if (c == '\\') {
			if (i == pattern.length || is_alnum(pattern.data[i]))
				break;
			c = pattern.data[i++];
		}
		if (i < pattern.length && one_of(pattern.data[i], "?*{"))
			break; /* need not be there */
		out[length++] = c;
		if (i < pattern.length && pattern.data[i] == '+')
			break;
	}
	return length;
}
