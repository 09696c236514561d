/* JSON text to documents and back (jansson). Lines of values are kept. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/doc.h"
#include "base/error.h"
#include "base/str.h"

/* Exactly one value, RFC 8259; NULL and err->line on failure. */
struct doc *json_doc_read(const char *text, size_t length, struct error *err);
/* Keys sorted; indent 0: one line. No newline at the end. */
void json_doc_write(const struct doc *d, int indent, struct str *out);
/* text with quotes, escaped, appended to out: for the access log. What is no
 * UTF-8 becomes U+FFFD. */
void json_quote(struct str *out, const char *text, size_t length);
/* How many bytes json_quote appends. */
size_t json_quoted_length(const char *text, size_t length);

#endif
