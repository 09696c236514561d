/*
 * The head of an HTTP/1.1 message, parsed in place (RFC 9112, RFC 9110).
 * Everything is an offset into the bytes that were parsed, so a head is valid
 * as long as those bytes are there and moves with them (http_head.bytes).
 *
 * Pure: bytes in, verdict out. No allocation, no I/O.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define HTTP_FIELDS_MAX 128 /* hard limit; http_limits.fields may be lower */

enum http_method {
	HTTP_METHOD_OTHER, /* a token we do not know; see head.method_text */
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_PUT,
	HTTP_DELETE,
	HTTP_OPTIONS,
	HTTP_PATCH,
	HTTP_TRACE,
	HTTP_CONNECT,
};

/* Fields that the program itself reads, removes or writes. */
enum http_field_id {
	HTTP_FIELD_OTHER,
	HTTP_FIELD_HOST,
	HTTP_FIELD_CONNECTION,
	HTTP_FIELD_CONTENT_LENGTH,
	HTTP_FIELD_CONTENT_TYPE,
	HTTP_FIELD_TRANSFER_ENCODING,
	HTTP_FIELD_EXPECT,
	HTTP_FIELD_UPGRADE,
	HTTP_FIELD_TE,
	HTTP_FIELD_TRAILER,
	HTTP_FIELD_KEEP_ALIVE,
	HTTP_FIELD_PROXY_CONNECTION,
	HTTP_FIELD_HTTP2_SETTINGS,
	HTTP_FIELD_DATE,
	HTTP_FIELD_SERVER,
	HTTP_FIELD_LOCATION,
	HTTP_FIELD_USER_AGENT,
	HTTP_FIELD_AUTHORIZATION,
	HTTP_FIELD_COOKIE,
	HTTP_FIELD_FORWARDED,
	HTTP_FIELD_X_FORWARDED_FOR,
	HTTP_FIELD_X_FORWARDED_PROTO,
	HTTP_FIELD_X_FORWARDED_HOST,
	HTTP_FIELD_X_REAL_IP,
	HTTP_FIELD_X_REQUEST_ID,
	HTTP_FIELD_X_ENVOY_ORIGINAL_PATH,
	HTTP_FIELD_X_ENVOY_EXPECTED_RQ_TIMEOUT_MS,
	HTTP_FIELD_COUNT,
};

/* Says how the message goes over one connection, and is not passed on (RFC 9110
 * 7.6.1, RFC 9112 6); beside what Connection names. */
static inline bool
http_field_is_of_hop(enum http_field_id id)
{
	const uint32_t set =
		1u << HTTP_FIELD_CONNECTION | 1u << HTTP_FIELD_CONTENT_LENGTH |
		1u << HTTP_FIELD_TRANSFER_ENCODING | 1u << HTTP_FIELD_UPGRADE |
		1u << HTTP_FIELD_TE | 1u << HTTP_FIELD_TRAILER |
		1u << HTTP_FIELD_KEEP_ALIVE |
		1u << HTTP_FIELD_PROXY_CONNECTION |
		1u << HTTP_FIELD_HTTP2_SETTINGS;

	_Static_assert(HTTP_FIELD_COUNT <= 32, "ids fit the set");
	return set >> id & 1;
}

struct http_field {
	uint32_t name, value; /* offsets into head.bytes */
	uint32_t value_length;
	uint16_t name_length;
	uint8_t id;      /* enum http_field_id */
	bool hop_by_hop; /* Connection, what it names, Keep-Alive, TE, Upgrade,
			    Proxy-Connection, HTTP2-Settings, Trailer,
			    Transfer-Encoding: never forwarded (list D 23, 24).
			    Content-Length too: who forwards writes its own from
			    the framing; Expect of a request, which is for us;
			    and fields that are one of ours but for "_" in place
			    of "-" (X_Forwarded_For, list D 26).
			    A Connection option that names a field with an id,
			    X-Forwarded-* or X-Envoy-* does not mark it. */
};

/* How the body of the message is delimited; decided once, in the parser. */
enum http_framing {
	HTTP_BODY_NONE,
	HTTP_BODY_LENGTH,
	HTTP_BODY_CHUNKED,
	HTTP_BODY_CLOSE, /* responses only: until the connection ends */
};

struct http_head {
	const char *bytes;
	uint32_t length; /* of the whole head, the empty line included */

	/* request */
	uint8_t method; /* enum http_method */
	struct slice method_text;
	/* The request target as received, its origin-form part only: for an
	 * absolute-form target the path and query of it ("/" if it has none;
	 * a query without a path is refused); "*" for OPTIONS *. Points into
	 * bytes. */
	struct slice target;
	/* The authority that counts (list C 17, 18): of an absolute-form target,
	 * else of Host. As sent, with its port. Empty for HTTP/1.0 without. */
	struct slice authority;
	bool expect_continue;

	/* response */
	uint16_t status;

	/* both */
	uint8_t version_minor; /* HTTP/1.x */
	bool keep_alive;       /* after this message, as far as the peer says */
	bool upgrade;          /* an Upgrade field was there */
	uint8_t framing;       /* enum http_framing */
	uint64_t content_length; /* HTTP_BODY_LENGTH; in an answer to HEAD and a
				    304 what the field said, if it is there */

	uint16_t field_count;
	struct http_field fields[HTTP_FIELDS_MAX];
};

/* Limits while parsing (spec B 15); defaults are safe at the edge. */
struct http_limits {
	uint32_t target_bytes; /* 8 KiB: HTTP_REFUSE_TARGET, 414 */
	uint32_t head_bytes;   /* 60 KiB: HTTP_REFUSE_HEAD_SIZE, 431 */
	uint16_t fields;       /* 100: HTTP_REFUSE_FIELDS, 431 */
};

extern const struct http_limits http_limits_default;

/* Why a message is refused; http_refusal_status() and http_refusal_word()
 * turn it into the answer and into the word of the access log. */
enum http_refusal {
	HTTP_REFUSE_NONE,
	HTTP_REFUSE_SYNTAX,      /* 400 "bad_syntax" */
	HTTP_REFUSE_FRAMING,     /* 400 "bad_framing": CL/TE faults */
	HTTP_REFUSE_HOST,        /* 400 "bad_host" */
	HTTP_REFUSE_TARGET_FORM, /* 400 "bad_target" */
	HTTP_REFUSE_TARGET,      /* 414 "target_too_long" */
	HTTP_REFUSE_HEAD_SIZE,   /* 431 "head_too_large" */
	HTTP_REFUSE_FIELDS,      /* 431 "too_many_fields" */
	HTTP_REFUSE_METHOD,      /* 501 "bad_method": longer than 32 bytes */
	HTTP_REFUSE_VERSION,     /* 505 "bad_version": HTTP/x.y, not 1.x */
	HTTP_REFUSE_TE,          /* 501 "bad_transfer_encoding" */
	HTTP_REFUSE_EXPECT,      /* 417 "bad_expect" */
	HTTP_REFUSE_CONNECT,     /* 405 "connect_refused": CONNECT, TRACE */
	HTTP_REFUSE_PROTOCOL,    /* close without an answer: TLS hello, H2 preface,
				    PROXY header, binary (B 16) */
	HTTP_REFUSE_COUNT,
};

int http_refusal_status(enum http_refusal why); /* 0: close silently */
const char *http_refusal_word(enum http_refusal why);

enum http_parse {
	HTTP_PARSE_MORE, /* incomplete: call again with more bytes */
	HTTP_PARSE_DONE,
	HTTP_PARSE_BAD,
};

/*
 * Parses the head at the start of bytes[0..length). already: how many of them
 * an earlier call answered MORE for (0 at first); only a hint that saves
 * scanning again. Leading empty lines (CRLF) before a request line, at most
 * two, are skipped: *skipped says how many bytes; head offsets count from
 * bytes + *skipped. Refusals are found as early as the bytes allow.
 */
enum http_parse http_request_parse(const char *bytes, size_t length,
	size_t already, const struct http_limits *limits, struct http_head *head,
	size_t *skipped, enum http_refusal *why);

/*
 * A response to a request with that method. 1xx are answered as any other
 * head (framing NONE). Refused: everything of list F 38 (status below 100 or
 * above 599, other versions, bad lines, CL/TE faults). A 101 is returned; what
 * it means is the caller's decision.
 */
enum http_parse http_response_parse(const char *bytes, size_t length,
	size_t already, enum http_method request_method,
	const struct http_limits *limits, struct http_head *head,
	enum http_refusal *why);

static inline struct slice
http_field_name(const struct http_head *h, const struct http_field *f)
{
	return (struct slice){ h->bytes + f->name, f->name_length };
}

static inline struct slice
http_field_value(const struct http_head *h, const struct http_field *f)
{
	return (struct slice){ h->bytes + f->value, f->value_length };
}

/* What only proxies say: dropped when another peer does. */
static inline bool
http_field_is_of_proxies(const struct http_head *h, const struct http_field *f)
{
	static const struct slice prefix = { "x-envoy-", 8 };
	const uint32_t set =
		1u << HTTP_FIELD_FORWARDED | 1u << HTTP_FIELD_X_FORWARDED_FOR |
		1u << HTTP_FIELD_X_FORWARDED_PROTO |
		1u << HTTP_FIELD_X_FORWARDED_HOST | 1u << HTTP_FIELD_X_REAL_IP |
		1u << HTTP_FIELD_X_ENVOY_ORIGINAL_PATH |
		1u << HTTP_FIELD_X_ENVOY_EXPECTED_RQ_TIMEOUT_MS;

	if (f->id != HTTP_FIELD_OTHER)
		return set >> f->id & 1;
	return f->name_length > prefix.length &&
	       slice_equal_nocase(
		       (struct slice){ h->bytes + f->name, prefix.length },
		       prefix);
}

/* Whether a field of a request is there for who decides by fields: what its
 * peer may not say, or says to this hop, does not reach the upstream and must
 * not choose it. */
bool http_field_counts(const struct http_head *h, const struct http_field *f,
	bool peer_trusted);

/* The scheme that the client used, as the upstream is told it: what the only
 * X-Forwarded-Proto that counts says if it is http or https, else that of the
 * connection. */
struct slice http_scheme(
	const struct http_head *h, bool peer_trusted, bool tls);

/* The first field with that id, or NULL. */
const struct http_field *http_head_find(const struct http_head *h,
	enum http_field_id id);
/* The first field with that name, compared without case, or NULL. */
const struct http_field *http_head_find_name(const struct http_head *h,
	struct slice name);
enum http_field_id http_field_id_of(struct slice name);
const char *http_method_name(enum http_method method); /* "GET" */
enum http_method http_method_of(struct slice text);
const char *http_status_reason(int status); /* "Not Found"; "" unknown */
/* RFC 9110 5.6.2 token, and a field value without CTL (HTAB is allowed). */
bool http_is_token(struct slice text);
bool http_is_field_value(struct slice text);

#endif
