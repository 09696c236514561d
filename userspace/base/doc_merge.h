/*
 * Two hands at one document: what was changed since a common older version of
 * it is found key by key. Pure.
 */
#ifndef BASE_DOC_MERGE_H
#define BASE_DOC_MERGE_H

#include "base/doc.h"

/*
 * theirs, but for what mine changed, added or took away since base: that stays
 * as mine has it. Maps are merged by their keys, a list or a scalar is taken as
 * a whole. NULL says that there is none, of the result too, which the caller
 * frees.
 */
struct doc *doc_merge(const struct doc *base, const struct doc *mine,
	const struct doc *theirs);

#endif
