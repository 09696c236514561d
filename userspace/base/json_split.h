/*
 * Cuts a stream of JSON into the values that it is made of, whatever the chunks
 * in which it comes and however large a value is: the events of a Kubernetes
 * watch one after the other, or the members of one array in a single large
 * answer ("items"). Pure. It finds where values begin and end; whether one is
 * valid, who parses it says.
 */
#ifndef BASE_JSON_SPLIT_H
#define BASE_JSON_SPLIT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

struct json_split;

/* One whole value, at least a byte; text is valid during the call only, and s
 * must not be freed in it. Not 0: the rest is not wanted, json_split_feed
 * returns that, now and ever after. A number or a word has ended when something
 * comes that is no part of it: white space, for one. */
typedef int json_split_f(const char *text, size_t length, void *arg);

/* array NULL: the stream's values. Otherwise the stream is one map, and the
 * values are the members of the array below that key of it (written without
 * escapes). A value of more than max_bytes is passed over whole and counted.
 * More than 256 levels of nesting are no JSON. */
struct json_split *json_split_new(const char *array, size_t max_bytes,
	json_split_f *cb, void *arg);
void json_split_free(struct json_split *s);
/* Of a value that is passed over cb is told the beginning, max_bytes of it. */
void json_split_set_large(struct json_split *s, json_split_f *cb);

/* 0, what cb returned, or -1 and err when the stream is no JSON: then it cannot
 * be gone on with. */
int json_split_feed(struct json_split *s, const void *data, size_t length,
	struct error *err);
/* Nothing is begun and not ended; also when nothing came at all. */
int json_split_done(const struct json_split *s);
/* With an array: the map without the members of the array ("items":[]); valid
 * until the next feed. More than max_bytes of it are an error of feed. */
struct slice json_split_rest(const struct json_split *s);
/* Values that were too large. */
uint64_t json_split_skipped(const struct json_split *s);

#endif
