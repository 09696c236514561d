/*
 * The names of a region's functions, versions and aliases, gathered pass by
 * pass: what is found in a pass replaces what was found in the last one, the
 * aliases of each function when they are known. Which there may be besides is
 * said, too. Pure. Private to functions.c.
 */
#ifndef KINDS_AWS_LISTING_H
#define KINDS_AWS_LISTING_H

#include <stdbool.h>
#include <stddef.h>

struct aws_listing;
struct table;

struct aws_listing *aws_listing_new(void);
void aws_listing_free(struct aws_listing *l); /* NULL is fine */

/* A name that an earlier listing settled, before anything else; those are to
 * come in order. It is settled anew; if it is one of an alias that alias is
 * known, though there may be others by now. */
void aws_listing_restore(struct aws_listing *l, const char *name);

/* A pass begins, or is given up: what it found so far is forgotten. */
void aws_listing_clear(struct aws_listing *l);
/* A function, and a version of it: "$LATEST" and "" are the function itself.
 * What Lambda calls none so is left out. */
void aws_listing_add(
	struct aws_listing *l, const char *function, const char *version);
/* The functions that were found in this pass, without versions. */
size_t aws_listing_count(const struct aws_listing *l);
const char *aws_listing_at(const struct aws_listing *l, size_t i);

/* Puts those that are keys of first before the others: how many they are. */
size_t aws_listing_order(struct aws_listing *l, const struct table *first);

/* An alias of the function whose aliases are being asked for ... */
void aws_listing_add_alias(struct aws_listing *l, const char *alias);
/* ... which is the i-th, and these are all that it has. */
void aws_listing_aliases_end(struct aws_listing *l, size_t i);
/* Those of the i-th cannot be asked for: it may have others by now than those
 * that are known. */
void aws_listing_aliases_lapse(struct aws_listing *l, size_t i);

/* What is to be known now: "name", "name:version", "name:alias", sorted. */
void aws_listing_settle(struct aws_listing *l);
/* The functions cannot be read: until it is settled the next time there may be
 * anything besides. */
void aws_listing_lapse(struct aws_listing *l);
/* As it was settled last; valid until the next time. */
const char *const *aws_listing_names(
	const struct aws_listing *l, size_t *count);
/* Of what there may be more, the same: "name:*", aliases of that function; "*":
 * anything. */
const char *const *aws_listing_open(const struct aws_listing *l, size_t *count);
/* There was more in this pass than AWS_FUNCTIONS_MAX. */
bool aws_listing_is_cut(const struct aws_listing *l);

#endif
