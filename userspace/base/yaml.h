/*
 * YAML text to documents and back (libyaml). Plain scalars follow the core
 * schema (null, true, false, integers, reals); an integer that does not fit
 * 64 bits is an error. Anchors, aliases, tags and several documents in one
 * text are refused, except yaml_doc_read_all.
 */
#ifndef BASE_YAML_H
#define BASE_YAML_H

#include "base/doc.h"
#include "base/error.h"
#include "base/str.h"

struct doc *yaml_doc_read(const char *text, size_t length, struct error *err);
/* A list of the documents separated by "---"; empty ones are left out. */
struct doc *yaml_doc_read_all(const char *text, size_t length,
	struct error *err);
/* Block style, keys sorted, as `kubectl -o yaml` prints; "..." never. */
void yaml_doc_write(const struct doc *d, struct str *out);

#endif
