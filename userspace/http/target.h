/*
 * The request target decided once (list C 21): matching, limits and upstream
 * see the same string. Pure.
 *
 * Normal form of the path: %XX of unreserved characters and of "[" and "]"
 * decoded (http/write codes the brackets again), other %XX kept with capital
 * hex digits, "." and ".." segments resolved; empty segments
 * ("//") are kept. Refused: no leading "/", bad %, %00 and other control bytes
 * after decoding, raw control bytes, bytes >= 0x80, space, '"', "<", ">", "\",
 * "^", "`", "{", "|", "}", "#", %2f and %5c (they mean different things to
 * different origins), overlong or invalid UTF-8 after decoding, ".." above the
 * root, a "." or ".." segment with a parameter ("..;x": origins that cut the
 * parameter off would resolve it after us). The query is checked for the same
 * raw bytes and for bad %, and kept as it is; but "\", "^", "`", "{", "|" and
 * "}", which browsers send raw there, may stand in it (http/write escapes them).
 */
#ifndef HTTP_TARGET_H
#define HTTP_TARGET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct http_target {
	struct slice path;  /* normal form, without query */
	struct slice query; /* without "?"; data NULL when there was none */
};

/*
 * target: origin-form ("*" gives path "*"). When the path is in normal form
 * already (the usual case) the result points into target; else into scratch,
 * which needs room for target.length bytes (the normal form is never longer).
 * false: refuse with 400.
 */
bool http_target_normalise(struct slice target, char *scratch,
	struct http_target *out);

/* The host of an authority without port, lower-cased into out (authority
 * length bytes are enough), a trailing dot removed; "[::1]" keeps brackets.
 * The authority was checked by the parser. Returns the length. */
size_t http_authority_host(struct slice authority, char *out);
/* host[:port] well-formed? (list C 17) */
bool http_authority_valid(struct slice authority);

/* Has the path no "." and no ".." segment, with a parameter or without? */
bool http_path_is_resolved(struct slice path);

/* Prefix rewrite without double slashes: path begins with prefix; the result
 * is replacement joined with what follows it. "/httpbin/get" with prefix
 * "/httpbin" and replacement "/" is "/get"; prefix "/a/" and "/b" gives
 * "/b/x" for "/a/x"; the result always begins with "/". Where the prefix ended
 * within a segment the result may have a dot segment that the path had not:
 * "/a" and "/b/" make "/b/../x" of "/a../x". Sets out. */
void http_path_replace_prefix(struct slice path, size_t prefix_length,
	struct slice replacement, struct str *out);

#endif
