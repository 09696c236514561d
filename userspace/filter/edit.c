/* Which fields of a head are left out and which are added. */
#include "filter/filter.h"

#include "http/chars.h"

void
head_edit_init(struct head_edit *e)
{
	memset(e->removed, 0, sizeof(e->removed));
	e->added_count = 0;
	e->overflow = false;
}

void
head_edit_remove(struct head_edit *e, size_t field)
{
	if (field < HTTP_FIELDS_MAX)
		e->removed[field / 64] |= UINT64_C(1) << (field % 64);
}

bool
head_edit_is_removed(const struct head_edit *e, size_t field)
{
	return field < HTTP_FIELDS_MAX &&
	       (e->removed[field / 64] >> (field % 64) & 1) != 0;
}

void
head_edit_add(struct head_edit *e, struct slice name, struct slice value)
{
	if (e->added_count == EDIT_FIELDS_MAX) {
		e->overflow = true;
		return;
	}
	e->added[e->added_count].name = name;
	e->added[e->added_count].value = value;
	e->added_count++;
}

/* Origins of the CGI family read "X_User" as "X-User": who takes one of them
 * away means both (list D 26). */
static bool
is_named(struct slice field, struct slice name)
{
	if (field.length != name.length)
		return false;
	for (size_t i = 0; i < name.length; i++) {
		char c = http_char_lower(field.data[i]);
		char n = http_char_lower(name.data[i]);

		if (c != n && !(c == '_' && n == '-'))
			return false;
	}
	return true;
}

void
head_edit_remove_name(
	struct head_edit *e, const struct http_head *h, struct slice name)
{
	uint32_t kept = 0;

	for (unsigned i = 0; i < h->field_count; i++)
		if (is_named(http_field_name(h, &h->fields[i]), name))
			head_edit_remove(e, i);
	for (uint32_t i = 0; i < e->added_count; i++)
		if (!slice_equal_nocase(e->added[i].name, name))
			e->added[kept++] = e->added[i];
	e->added_count = kept;
}
