/* Two hands at one document. */
#include "base/doc_merge.h"

static bool
is_same(const struct doc *a, const struct doc *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return doc_equal(a, b);
}

static struct doc *
copy_of(const struct doc *d)
{
	return d == NULL ? NULL : doc_copy(d);
}

static void
key_merge(struct doc *out, const char *key, const struct doc *base,
	const struct doc *mine, const struct doc *theirs)
{
	struct doc *merged = doc_merge(doc_get(base, key), doc_get(mine, key),
		doc_get(theirs, key));

	if (merged != NULL)
		doc_set(out, key, merged);
}

struct doc *
doc_merge(const struct doc *base, const struct doc *mine,
	const struct doc *theirs)
{
	struct doc *out;

	if (is_same(mine, base))
		return copy_of(theirs);
	if (doc_type(mine) != DOC_MAP || doc_type(theirs) != DOC_MAP)
		return copy_of(mine);
	out = doc_new_map();
	doc_set_line(out, doc_line(mine));
	for (size_t i = 0; i < doc_count(mine); i++)
		key_merge(out, doc_key_at(mine, i), base, mine, theirs);
	for (size_t i = 0; i < doc_count(theirs); i++)
		if (doc_get(mine, doc_key_at(theirs, i)) == NULL)
			key_merge(out, doc_key_at(theirs, i), base, mine,
				theirs);
	return out;
}
