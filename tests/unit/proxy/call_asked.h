/* Calls of functions as a client asks for them: what it got, what was sent. */
#ifndef TESTS_UNIT_PROXY_CALL_ASKED_H
#define TESTS_UNIT_PROXY_CALL_ASKED_H

#include "tests/unit/proxy/call_rig.h"

#define PASSED "HTTP/1.1 200 OK\r\nX-Step: pass\r\ncontent-length: 1\r\n"
#define OK     ANSWER("pass", "", "1", "a")
/* What every message begins with. */
#define CALL_LINE "POST /call HTTP/1.1\r\nhost: calls.example\r\n"

static const struct rig_answer always_ok[] = { { OK, 0, 0 }, END_OF_LIST };

static struct str got, sent;

static inline int
asked_start(void **state)
{
	str_init(&got);
	str_init(&sent);
	return group_start(state);
}

static inline int
asked_stop(void **state)
{
	str_fini(&got);
	str_fini(&sent);
	return group_stop(state);
}

static inline void
refused(const char *request, const char *status, const char *word,
	const char *sentence)
{
	struct str line;

	str_init(&line);
	str_printf(&line, "HTTP/1.1 %s ", status);
	ask(request, &got);
	begins(request, &got, line.data);
	has(request, &got, sentence);
	str_clear(&line);
	str_printf(&line, "\"reason\":\"%s\"", word);
	logged(line.data);
	str_fini(&line);
	nothing_is_held();
}

#endif
