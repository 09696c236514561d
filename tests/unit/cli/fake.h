/*
 * A scripted admin server on a temporary Unix socket, and glooctl run against
 * it in a process of its own with its input and both outputs caught.
 */
#ifndef TESTS_CLI_FAKE_H
#define TESTS_CLI_FAKE_H

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/cli.h"
#include "kinds.h"

#define FAKE_ROWS  40
#define FAKE_WORDS 40

/* The answer to one request line without version, "GET /v1/upstreams"; of
 * several with the same one each is given once, the last again and again. */
struct fake_row {
	const char *request; /* NULL ends the script */
	int status;
	const char *body;
	bool raw; /* body is the whole message */
};

struct fake {
	char folder[40], socket[64], log[64];
	pid_t pid;
};

struct fake_result {
	int status;
	char *out, *err;
};

static void
fake_put(int fd, const char *data, size_t length)
{
	while (length > 0) {
		ssize_t n = send(fd, data, length, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		data += n;
		length -= (size_t)n;
	}
}

static size_t
fake_content_length(const char *head)
{
	const char *p = strstr(head, "Content-Length: ");

	return p != NULL ? strtoul(p + 16, NULL, 10) : 0;
}

/* The whole request; false when the client went before its end. */
static bool
fake_read(int fd, struct str *in)
{
	for (;;) {
		const char *end = strstr(in->data, "\r\n\r\n");
		char buf[4096];
		ssize_t n;

		if (end != NULL && in->length - (size_t)(end + 4 - in->data) >=
					   fake_content_length(in->data))
			return true;
		n = recv(fd, buf, sizeof(buf), 0);
		if (n <= 0)
			return false;
		str_append(in, buf, (size_t)n);
	}
}

static const struct fake_row *
fake_find(const struct fake_row *rows, bool *used, const char *line)
{
	const struct fake_row *last = NULL;

	for (size_t i = 0; rows[i].request != NULL; i++) {
		if (strcmp(rows[i].request, line) != 0)
			continue;
		last = &rows[i];
		if (!used[i]) {
			used[i] = true;
			return last;
		}
	}
	return last;
}

static void
fake_serve(int fd, const struct fake_row *rows, bool *used, FILE *log)
{
	static const struct fake_row unknown = { "", 404,
		"{\"error\": \"no such thing\"}", false };
	const struct fake_row *row;
	struct str in, answer;
	const char *body;
	char *line;

	str_init(&in);
	str_init(&answer);
	if (!fake_read(fd, &in))
		goto out;
	line = xstrndup(in.data, strcspn(in.data, "\r"));
	*strrchr(line, ' ') = '\0';
	row = fake_find(rows, used, line);
	if (row == NULL)
		row = &unknown;
	body = strstr(in.data, "\r\n\r\n") + 4;
	fprintf(log, "%s%s%s\n", line, *body != '\0' ? " " : "", body);
	fflush(log);
	if (row->raw)
		str_puts(&answer, row->body);
	else
		str_printf(&answer,
			"HTTP/1.1 %d X\r\nContent-Type: application/json\r\n"
			"Content-Length: %zu\r\n\r\n%s",
			row->status, strlen(row->body), row->body);
	fake_put(fd, answer.data, answer.length);
	free(line);
out:
	str_fini(&in);
	str_fini(&answer);
}

static void
fake_loop(int listening, const struct fake_row *rows, const char *path)
{
	bool used[FAKE_ROWS] = { false };
	FILE *log = fopen(path, "w");

	for (;;) {
		int fd = accept(listening, NULL, NULL);

		if (fd < 0)
			_exit(0);
		fake_serve(fd, rows, used, log);
		close(fd);
	}
}

static inline void
fake_start(struct fake *f, const struct fake_row *rows)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(f->folder, "/tmp/test-cli-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->socket, sizeof(f->socket), "%s/sock", f->folder);
	snprintf(f->log, sizeof(f->log), "%s/log", f->folder);
	strcpy(un.sun_path, f->socket);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(fd, 16), 0);
	fflush(NULL);
	f->pid = fork();
	assert_true(f->pid >= 0);
	if (f->pid == 0) {
		/* A test that fails does not come to fake_stop. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fake_loop(fd, rows, f->log);
	}
	close(fd);
}

static inline void
fake_stop(struct fake *f)
{
	kill(f->pid, SIGTERM);
	waitpid(f->pid, NULL, 0);
	unlink(f->socket);
	unlink(f->log);
	rmdir(f->folder);
}

/* The requests so far, a line each: what was asked and the body. */
static inline char *
fake_log(const struct fake *f)
{
	struct str s;
	char *text;

	str_init(&s);
	assert_int_equal(file_read(f->log, 1 << 20, &s, NULL), 0);
	text = str_steal(&s);
	str_fini(&s);
	return text;
}

static char *
fake_file_read(FILE *f)
{
	struct str s;
	char buf[4096], *text;
	size_t n;

	str_init(&s);
	rewind(f);
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		str_append(&s, buf, n);
	text = str_steal(&s);
	str_fini(&s);
	fclose(f);
	return text;
}

/* Words between spaces; "_" stands for a space inside of one. */
static int
fake_words(char *line, char **argv)
{
	int argc = 0;

	for (char *w = strtok(line, " "); w != NULL; w = strtok(NULL, " ")) {
		assert_true(argc < FAKE_WORDS);
		argv[argc++] = w;
		for (; *w != '\0'; w++)
			if (*w == '_' && w[1] != '_' && w[-1] != '_')
				*w = ' ';
	}
	argv[argc] = NULL;
	return argc;
}

/* Runs "glooctl <line>"; socket may be NULL. */
static inline struct fake_result
fake_run(const char *socket, const char *line, const char *input)
{
	FILE *in = tmpfile(), *out = tmpfile(), *err = tmpfile();
	struct fake_result r;
	int status;
	pid_t pid;

	fputs(input != NULL ? input : "", in);
	rewind(in);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char *argv[FAKE_WORDS + 4];
		char *words = xasprintf("glooctl %s", line);
		int argc = fake_words(words, argv), rc;

		if (socket != NULL)
			setenv("GLOO_GATEWAY_SOCKET", socket, 1);
		dup2(fileno(in), STDIN_FILENO);
		dup2(fileno(out), STDOUT_FILENO);
		dup2(fileno(err), STDERR_FILENO);
		rc = cli_main(argc, argv, upstream_kinds);
		fflush(NULL);
		free(words);
		_exit(rc);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	r.status = WEXITSTATUS(status);
	r.out = fake_file_read(out);
	r.err = fake_file_read(err);
	fclose(in);
	return r;
}

static inline void
fake_result_fini(struct fake_result *r)
{
	free(r->out);
	free(r->err);
}

#endif
