/* One request to the daemon's admin socket and its answer, blocking. */
#include "cli/client.h"

#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "http/body.h"
#include "http/head.h"
#include "http/write.h"

#define HEAD_MAX       8192
#define ANSWER_MAX     (1u << 30)
#define ANSWER_SECONDS 40 /* a change is answered within 5, a probe within 30  \
			   */

static int
explain(const char *path, int errnum, struct error *err)
{
	const struct passwd *user = getpwuid(geteuid());

	switch (errnum) {
	case ENOENT:
	case ECONNREFUSED:
		return error_set(err, ERROR_SYSTEM,
			"nobody answers at %s: is the daemon running? Start it "
			"with \"systemctl start gloo-gateway\", or name its "
			"socket with --socket PATH",
			path);
	case EACCES:
	case EPERM:
		return error_set(err, ERROR_SYSTEM,
			"%s: permission denied: you are not in group "
			"gloo-gateway; as root: \"usermod -aG gloo-gateway "
			"%s\", then log in again",
			path, user != NULL ? user->pw_name : "NAME");
	default:
		return error_errno(err, errnum, "cannot connect to %s", path);
	}
}

static int
dial(const char *path, struct error *err)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = ANSWER_SECONDS };
	size_t length = strlen(path);
	int fd, errnum;

	if (length >= sizeof(un.sun_path))
		return error_set(err, ERROR_CONFIG,
			"%.200s: the path of a socket has at most %zu bytes",
			path, sizeof(un.sun_path) - 1);
	memcpy(un.sun_path, path, length + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_errno(err, errno, "cannot make a socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0)
		return fd;
	errnum = errno;
	close(fd);
	return explain(path, errnum, err);
}

/* A peer that stops reading may have answered already: that is no failure. */
static int
send_all(int fd, const char *data, size_t length, struct error *err)
{
	while (length > 0) {
		ssize_t n = send(fd, data, length, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
			return 0;
		if (n < 0)
			return error_errno(
				err, errno, "cannot send to the daemon");
		data += n;
		length -= (size_t)n;
	}
	return 0;
}

static int
request_send(int fd, const struct client_request *r, struct error *err)
{
	struct http_write w;
	char head[HEAD_MAX];
	struct slice query = { NULL, 0 };

	if (r->query != NULL)
		query = slice_of(r->query);
	http_write_init(&w, head, sizeof(head));
	http_write_request_line(
		&w, slice_of(r->method), slice_of(r->path), query);
	http_write_field(&w, slice_of("Host"), slice_of("localhost"));
	http_write_field(&w, slice_of("Connection"), slice_of("close"));
	http_write_field(&w, slice_of("User-Agent"), slice_of("glooctl"));
	if (r->content_type != NULL) {
		http_write_field(&w, slice_of("Content-Type"),
			slice_of(r->content_type));
		http_write_field_number(&w, "Content-Length", r->body.length);
	}
	http_write_end(&w);
	if (!http_write_ok(&w))
		return error_set(err, ERROR_CONFIG,
			"the request does not fit into %d bytes", HEAD_MAX);
	if (send_all(fd, head, w.length, err) != 0)
		return -1;
	return send_all(fd, r->body.data, r->body.length, err);
}

/* One read appended to in: its length, 0 at the end, -1 and err. */
static ssize_t
receive(int fd, struct str *in, struct error *err)
{
	char buf[65536];
	ssize_t n;

	do
		n = recv(fd, buf, sizeof(buf), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return error_set(err, ERROR_SYSTEM,
			"the daemon did not answer within %d s",
			ANSWER_SECONDS);
	if (n < 0)
		return error_errno(err, errno, "cannot read the answer");
	str_append(in, buf, (size_t)n);
	return n;
}

/* Reads up to the end of a final head and takes it off in. */
static int
head_read(int fd, struct str *in, enum http_method method,
	struct http_head *head, struct error *err)
{
	size_t already = 0;

	for (;;) {
		enum http_refusal why = HTTP_REFUSE_NONE;
		ssize_t n;

		switch (http_response_parse(in->data, in->length, already,
			method, &http_limits_default, head, &why)) {
		case HTTP_PARSE_DONE:
			str_consume(in, head->length);
			if (head->status >= 200)
				return 0;
			already = 0;
			continue;
		case HTTP_PARSE_BAD:
			return error_set(err, ERROR_SYSTEM,
				"what answers is not gloo-gateway (%s)",
				http_refusal_word(why));
		case HTTP_PARSE_MORE:
			break;
		}
		already = in->length;
		n = receive(fd, in, err);
		if (n < 0)
			return -1;
		if (n == 0)
			return error_set(err, ERROR_SYSTEM,
				"the daemon closed the connection without an "
				"answer");
	}
}

static int
body_read(int fd, struct str *in, const struct http_head *head,
	struct str *answer, struct error *err)
{
	struct http_body body;
	struct slice data;
	size_t used;
	ssize_t n;

	http_body_init(&body, head->framing, head->content_length);
	for (;;) {
		data = (struct slice){ NULL, 0 };
		used = 0;
		switch (http_body_read(
			&body, in->data, in->length, &data, &used)) {
		case HTTP_BODY_DATA:
			str_append(answer, data.data, data.length);
			str_consume(in, used);
			if (answer->length > ANSWER_MAX)
				return error_set(err, ERROR_LIMIT,
					"the answer has more than %u bytes",
					ANSWER_MAX);
			continue;
		case HTTP_BODY_DONE:
			return 0;
		case HTTP_BODY_BAD:
			return error_set(err, ERROR_SYSTEM,
				"the answer of the daemon is garbled");
		case HTTP_BODY_MORE:
			str_consume(in, used);
			break;
		}
		n = receive(fd, in, err);
		if (n < 0)
			return -1;
		if (n == 0)
			return http_body_end(&body)
				       ? 0
				       : error_set(err, ERROR_SYSTEM,
						 "the daemon closed the "
						 "connection in the middle of "
						 "its answer");
	}
}

int
client_call(
	const struct client_request *r, struct str *answer, struct error *err)
{
	struct http_head head;
	struct str in;
	int fd, rc = -1;

	fd = dial(r->socket, err);
	if (fd < 0)
		return -1;
	str_init(&in);
	if (request_send(fd, r, err) != 0)
		goto out;
	if (head_read(fd, &in, http_method_of(slice_of(r->method)), &head,
		    err) != 0)
		goto out;
	if (body_read(fd, &in, &head, answer, err) != 0)
		goto out;
	rc = head.status;
out:
	str_fini(&in);
	close(fd);
	return rc;
}
