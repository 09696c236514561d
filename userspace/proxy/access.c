/* Lines of JSON about what was asked and answered. */
#include "proxy/access.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "model/endpoint.h"
#include "net/loop.h"
#include "net/wheel.h"

#define LINES_FULL (32u << 10)
#define LINES_MS   32
#define TEXT_MAX   4096 /* of one value; the rest is cut */

struct access_file {
	_Atomic uint32_t refs;
	int fd;
};

struct access {
	struct loop *loop;
	struct wheel *wheel;
	struct wheel_timer timer;
	struct access_file *file;
	struct str lines;
	uint64_t *dropped;
	time_t second; /* that `day` says */
	char day[48];
	bool torn; /* the file ends within a line */
};

struct access_file *
access_file_new(int fd)
{
	struct access_file *f = xcalloc(1, sizeof(*f));

	atomic_init(&f->refs, 1);
	f->fd = fd;
	return f;
}

struct access_file *
access_file_ref(struct access_file *f)
{
	if (f != NULL)
		atomic_fetch_add(&f->refs, 1);
	return f;
}

void
access_file_unref(struct access_file *f)
{
	if (f == NULL || atomic_fetch_sub(&f->refs, 1) != 1)
		return;
	close(f->fd);
	free(f);
}

static void
lines_drop(struct access *a, size_t from)
{
	for (size_t i = from; i < a->lines.length; i++)
		if (a->lines.data[i] == '\n')
			++*a->dropped;
}

static void
lines_write(struct access *a)
{
	size_t at = 0;

	wheel_timer_clear(&a->timer);
	if (a->file == NULL) {
		str_clear(&a->lines);
		return;
	}
	if (a->torn && write(a->file->fd, "\n", 1) == 1)
		a->torn = false;
	while (at < a->lines.length && !a->torn) {
		ssize_t n = write(
			a->file->fd, a->lines.data + at, a->lines.length - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		at += (size_t)n;
	}
	if (at < a->lines.length) {
		if (at > 0 && a->lines.data[at - 1] != '\n')
			a->torn = true;
		lines_drop(a, at);
	}
	str_clear(&a->lines);
}

static void
on_timer(struct wheel_timer *t)
{
	lines_write((struct access *)(void *)((char *)t -
					      offsetof(struct access, timer)));
}

struct access *
access_new(struct loop *loop, struct wheel *wheel, uint64_t *dropped)
{
	struct access *a = xcalloc(1, sizeof(*a));

	a->loop = loop;
	a->wheel = wheel;
	a->dropped = dropped;
	wheel_timer_init(&a->timer, on_timer);
	str_init(&a->lines);
	return a;
}

void
access_free(struct access *a)
{
	if (a == NULL)
		return;
	lines_write(a);
	wheel_timer_remove(a->wheel, &a->timer);
	access_file_unref(a->file);
	str_fini(&a->lines);
	free(a);
}

void
access_set_file(struct access *a, struct access_file *f)
{
	lines_write(a);
	access_file_ref(f);
	access_file_unref(a->file);
	a->file = f;
	a->torn = false;
}

bool
access_is_on(const struct access *a)
{
	return a->file != NULL;
}

/* Bytes that are not plain ASCII are escaped, so that a line is valid JSON
 * whatever a client sent; those above 0x7f stand as if they were Latin-1. */
static void
put_text(struct str *s, const char *key, struct slice text)
{
	size_t run = 0, length = text.length;

	if (length > TEXT_MAX)
		length = TEXT_MAX;
	str_puts(s, key);
	str_putc(s, '"');
	for (size_t i = 0; i < length; i++) {
		uint8_t c = (uint8_t)text.data[i];

		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\')
			continue;
		str_append(s, text.data + run, i - run);
		if (c == '"' || c == '\\')
			str_append(s, (char[]){ '\\', (char)c }, 2);
		else
			str_printf(s, "\\u%04x", c);
		run = i + 1;
	}
	if (run < length)
		str_append(s, text.data + run, length - run);
	str_putc(s, '"');
}

static void
put_number(struct str *s, const char *key, uint64_t number)
{
	str_printf(s, "%s%" PRIu64, key, number);
}

static void
put_time(struct access *a)
{
	uint64_t ms = clock_realtime_ms();
	time_t second = (time_t)(ms / 1000);
	struct tm tm;

	if (second != a->second) {
		gmtime_r(&second, &tm);
		strftime(a->day, sizeof(a->day),
			"{\"time\":\"%Y-%m-%dT%H:%M:%S.", &tm);
		a->second = second;
	}
	str_puts(&a->lines, a->day);
	str_printf(&a->lines, "%03dZ\"", (int)(ms % 1000));
}

static struct slice
endpoint_text(const struct addr *endpoint, char text[ADDR_TEXT_MAX])
{
	return slice_of(endpoint == NULL ? ""
			: endpoint_addr_is_pipe(endpoint)
				? "unix"
				: addr_format(endpoint, text));
}

static void
line_end(struct access *a)
{
	str_append(&a->lines, "}\n", 2);
	if (a->lines.length >= LINES_FULL)
		lines_write(a);
	else if (!wheel_timer_is_set(&a->timer))
		wheel_timer_set(
			a->wheel, &a->timer, loop_now_ms(a->loop) + LINES_MS);
}

void
access_write(struct access *a, const struct access_line *line)
{
	struct str *s = &a->lines;
	char text[ADDR_TEXT_MAX];

	if (a->file == NULL)
		return;
	put_time(a);
	put_text(s, ",\"client\":", slice_of(addr_format(line->client, text)));
	put_text(s, ",\"method\":", line->method);
	put_text(s, ",\"path\":", line->path);
	put_text(s, ",\"host\":", line->host);
	put_number(s, ",\"status\":", (uint64_t)line->status);
	put_number(s, ",\"bytes_sent\":", line->bytes_sent);
	put_number(s, ",\"bytes_received\":", line->bytes_received);
	put_number(s, ",\"duration_ms\":", line->duration_ms);
	put_text(s, ",\"upstream\":", line->upstream);
	put_text(s, ",\"endpoint\":", endpoint_text(line->endpoint, text));
	put_text(s, ",\"route\":", line->route);
	put_text(s, ",\"virtual_service\":", line->virtual_service);
	put_text(s, ",\"request_id\":", line->request_id);
	put_text(s, ",\"user_agent\":", line->user_agent);
	put_text(s, ",\"reason\":",
		slice_of(line->reason != NULL ? line->reason : "-"));
	if (line->detail != NULL)
		put_text(s, ",\"detail\":", slice_of(line->detail));
	if (line->limit.length > 0)
		put_text(s, ",\"limit\":", line->limit);
	line_end(a);
}

void
access_write_connection(struct access *a, const struct access_connection *line)
{
	struct str *s = &a->lines;
	char text[ADDR_TEXT_MAX];

	if (a->file == NULL)
		return;
	put_time(a);
	put_text(s, ",\"client\":", slice_of(addr_format(line->client, text)));
	put_text(s, ",\"protocol\":", slice_of("TCP"));
	put_text(s, ",\"service\":", line->service);
	put_number(s, ",\"bytes_sent\":", line->bytes_sent);
	put_number(s, ",\"bytes_received\":", line->bytes_received);
	put_number(s, ",\"duration_ms\":", line->duration_ms);
	put_text(s, ",\"upstream\":", line->upstream);
	put_text(s, ",\"endpoint\":", endpoint_text(line->endpoint, text));
	put_text(s, ",\"reason\":",
		slice_of(line->reason != NULL ? line->reason : "-"));
	line_end(a);
}
