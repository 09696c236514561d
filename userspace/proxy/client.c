/* Whose request it is. */
#include "proxy/client.h"

#include <string.h>

#include "proxy/generation.h"

static struct slice
trim(struct slice s)
{
	while (s.length > 0 && (*s.data == ' ' || *s.data == '\t')) {
		s.data++;
		s.length--;
	}
	while (s.length > 0 &&
		(s.data[s.length - 1] == ' ' || s.data[s.length - 1] == '\t'))
		s.length--;
	return s;
}

/* The part behind the last comma, which is cut off the list. */
static struct slice
last_cut(struct slice *list)
{
	const char *comma = memrchr(list->data, ',', list->length);
	const char *from = comma != NULL ? comma + 1 : list->data;
	struct slice last = { from,
		(size_t)(list->data + list->length - from) };

	list->length = comma != NULL ? (size_t)(comma - list->data) : 0;
	return trim(last);
}

static bool
address_read(struct slice text, struct addr *out)
{
	char ip[ADDR_TEXT_MAX];

	if (text.length == 0 || text.length >= sizeof(ip))
		return false;
	memcpy(ip, text.data, text.length);
	ip[text.length] = '\0';
	return addr_parse_ip(ip, 0, out) == 0;
}

/* From the right; false: this is as far as one can trust. */
static bool
field_walk(const struct generation *g, struct slice list, struct addr *out)
{
	while (list.length > 0)
		if (!address_read(last_cut(&list), out) ||
			!generation_trusts(g, out->ip))
			return false;
	return true;
}

bool
client_address(const struct generation *g, const struct addr *peer,
	const struct http_head *head, struct addr *out)
{
	*out = *peer;
	if (!generation_trusts(g, peer->ip))
		return false;
	for (unsigned i = head->field_count; i-- > 0;)
		if (head->fields[i].id == HTTP_FIELD_X_FORWARDED_FOR &&
			!field_walk(g, http_field_value(head, &head->fields[i]),
				out))
			break;
	return true;
}
