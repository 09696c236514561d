/*
 * What a function app lets in: the keys of the app and of its functions, the
 * token of App Service authentication, and what the management API said of
 * each function, because it comes the same way. Control gathers it, the proxy
 * uses it. One for each upstream: two apps have nothing in common here.
 */
#ifndef KINDS_AZURE_CREDENTIALS_H
#define KINDS_AZURE_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

struct azure_template;

#define AZURE_KEY_MAX   1024 /* bytes; the platform's own have 56 */
#define AZURE_TOKEN_MAX 32768
#define AZURE_KNOWN_MAX 10000 /* functions */
/* Bytes of azure_credentials_write that control and proxy take. */
#define AZURE_CREDENTIALS_MAX (64u << 10)

struct azure_known {
	char *name;
	char *key;     /* NULL: it has none of its own */
	uint8_t level; /* enum azure_level */
	char *path;    /* template of the whole path; NULL: not known */
	struct azure_template *template; /* of path, where it was read */
};

struct azure_credentials {
	char *bearer;   /* "Bearer ..."; NULL: none */
	char *master;   /* the host's master key, _master; NULL */
	char *fallback; /* the host's key "default"; NULL */
	/* The keys were fetched because one was refused, and are the same: the
	 * host takes them, who refused is the function. */
	bool proven;
	struct azure_known *functions; /* sorted by name */
	size_t count;
};

/* Overwrites what is secret and frees what it holds. */
void azure_credentials_fini(struct azure_credentials *c);
const struct azure_known *azure_credentials_find(
	const struct azure_credentials *c, const char *function);
/* Makes one of that name, in its place, if there is none yet. NULL: there are
 * AZURE_KNOWN_MAX. Valid until the next. */
struct azure_known *azure_credentials_add(
	struct azure_credentials *c, const char *function);

/* Makes it fit into so many bytes: without the own keys of functions that the
 * host's default key opens too, then without the last functions; how many of
 * these. They can be called as functions that nobody described. */
size_t azure_credentials_fit(struct azure_credentials *c, size_t max);

/* The bytes that the proxy is given, appended; the caller overwrites them. */
void azure_credentials_write(
	const struct azure_credentials *c, struct str *out);
/* Templates are read, too. */
int azure_credentials_read(
	struct slice bytes, struct azure_credentials *out, struct error *err);

#endif
