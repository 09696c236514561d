/* The program's own log: one write per line to stderr. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096

static const struct {
	const char *word;
	char mark; /* of syslog(3), as sd-daemon(3) reads it */
} levels[] = {
	[LOG_LEVEL_ERROR] = { "error", '3' },
	[LOG_LEVEL_WARN] = { "warn", '4' },
	[LOG_LEVEL_INFO] = { "info", '6' },
	[LOG_LEVEL_DEBUG] = { "debug", '7' },
};

static char log_who[32];
static bool log_in_journal;
static _Atomic int log_level = LOG_LEVEL_INFO;
static log_sink_f *log_sink;
static void *log_sink_arg;

void
log_open(const char *who, enum log_level level)
{
	snprintf(log_who, sizeof(log_who), "%s", who);
	log_in_journal = getenv("JOURNAL_STREAM") != NULL;
	log_set_level(level);
}

void
log_set_level(enum log_level level)
{
	atomic_store_explicit(&log_level, (int)level, memory_order_relaxed);
}

enum log_level
log_get_level(void)
{
	return (enum log_level)atomic_load_explicit(&log_level,
		memory_order_relaxed);
}

int
log_level_parse(const char *word, enum log_level *level)
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (strcmp(word, levels[i].word) == 0) {
			*level = (enum log_level)i;
			return 0;
		}
	}
	return -1;
}

void
log_set_sink(log_sink_f *sink, void *arg)
{
	log_sink = sink;
	log_sink_arg = arg;
}

static void
write_all(const char *data, size_t length)
{
	while (length > 0) {
		ssize_t n = write(STDERR_FILENO, data, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* nobody is left to be told */
		data += n;
		length -= (size_t)n;
	}
}

static void
log_write(enum log_level level, const char *fmt, va_list ap)
{
	int saved = errno;
	char buf[LINE_MAX_BYTES];
	char *line = buf + 3;
	size_t room = sizeof(buf) - 3 - 1; /* the mark and the newline */
	size_t used = 0;

	if (log_who[0] != '\0') {
		snprintf(line, room, "%s: ", log_who);
		used = strlen(line);
	}
	errno = saved; /* for %m */
	vsnprintf(line + used, room - used, fmt, ap);
	used = strlen(line);
	/* What a client sent must not make lines of its own. */
	for (size_t i = 0; i < used; i++) {
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = line[i] == '\t' ? ' ' : '?';
	}
	if (log_sink != NULL)
		log_sink(level, line, log_sink_arg);
	memcpy(buf, (char[]){ '<', levels[level].mark, '>' }, 3);
	line[used] = '\n';
	if (log_in_journal)
		write_all(buf, used + 4);
	else
		write_all(line, used + 1);
	errno = saved;
}

#define LOG_FUNCTION(name, level)                                              \
	void name(const char *fmt, ...)                                        \
	{                                                                      \
		va_list ap;                                                    \
                                                                               \
		if ((int)log_get_level() < (int)(level))                       \
			return;                                                \
		va_start(ap, fmt);                                             \
		log_write(level, fmt, ap);                                     \
		va_end(ap);                                                    \
	}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARN)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)

void
log_fatal(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_write(LOG_LEVEL_ERROR, fmt, ap);
	va_end(ap);
	exit(1);
}
