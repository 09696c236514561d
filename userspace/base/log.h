/*
 * The program's own log: one line per event on stderr, starting with its noun
 * and ending with key=value. Under a journal (JOURNAL_STREAM set) each line
 * carries its <n> level mark. Keeps errno. Only the top of a call chain logs.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* who: printed in front of each line, e.g. "control", "proxy". */
void log_open(const char *who, enum log_level level);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
/* "error", "warn", "info", "debug" to a level; -1 when it is none of them. */
int log_level_parse(const char *word, enum log_level *level);
/* Also hands every line to sink (control keeps the last ones for
 * `glooctl gateway logs`); NULL turns it off. Called on the logging thread. */
typedef void log_sink_f(enum log_level level, const char *line, void *arg);
void log_set_sink(log_sink_f *sink, void *arg);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Ends the process with status 1 after logging; for what cannot go on. */
void log_fatal(const char *fmt, ...)
	__attribute__((format(printf, 1, 2), noreturn));

#endif
