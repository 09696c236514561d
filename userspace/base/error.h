/*
 * An explanation of a failure, filled by the floor that saw it. The first
 * error wins; each floor on the way up may put its place in front:
 * "routes[3].upstream: no upstream is named "billing"".
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

enum error_code {
	ERROR_NONE,
	ERROR_CONFIG, /* the operator's input is wrong */
	ERROR_SYSTEM, /* a system call or library failed */
	ERROR_LIMIT,  /* a configured limit was reached */
};

struct error {
	enum error_code code;
	int line; /* in the document the operator wrote; 0: unknown */
	char text[512];
};

#define ERROR_INIT                                                             \
	{                                                                      \
		ERROR_NONE, 0, ""                                              \
	}

/* All return -1, so that "return error_set(...)" is one line; err may be NULL. */
int error_set(struct error *err, enum error_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* As error_set with ERROR_SYSTEM; appends ": " and the text of errnum. */
int error_errno(struct error *err, int errnum, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Puts "<place>" in front of what is there. No separator is added unless the
 * text so far does not begin with '.' or '[': then ": " joins them. */
int error_prefix(struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
