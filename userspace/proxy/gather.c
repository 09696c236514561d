/* One sendmsg out of a head and runs of a body. */
#include "proxy/gather.h"

#include <stdint.h>
#include <string.h>

#include "http/body.h"

void
gather_reset(struct gather *g)
{
	g->head = (struct slice){ NULL, 0 };
	g->chunked = g->last = false;
	g->count = g->iov_count = 0;
	g->body = g->staged = 0;
}

bool
gather_is_empty(const struct gather *g)
{
	return g->head.length == 0 && g->body == 0 && !g->last;
}

static bool
stage_add(struct gather *g, struct slice run)
{
	char *to = g->stage + GATHER_FRONT + g->staged;
	struct iovec *tail = g->count > 0 ? &g->runs[g->count - 1] : NULL;

	if (run.length > GATHER_STAGE - g->staged)
		return false;
	if (tail == NULL || (char *)tail->iov_base + tail->iov_len != to) {
		if (g->count == GATHER_RUNS)
			return false;
		g->runs[g->count++] = (struct iovec){ to, 0 };
	}
	memcpy(to, run.data, run.length);
	g->runs[g->count - 1].iov_len += run.length;
	g->staged += run.length;
	return true;
}

bool
gather_has_room(const struct gather *g)
{
	return g->count < GATHER_RUNS &&
	       GATHER_STAGE - g->staged >= GATHER_SMALL;
}

bool
gather_add(struct gather *g, struct slice run)
{
	if (run.length == 0)
		return true;
	if (run.length <= GATHER_SMALL) {
		if (!stage_add(g, run))
			return false;
	} else {
		if (g->count == GATHER_RUNS)
			return false;
		g->runs[g->count++] =
			(struct iovec){ (void *)(uintptr_t)run.data,
				run.length };
	}
	g->body += run.length;
	return true;
}

static void
lay(struct gather *g, const void *data, size_t length)
{
	g->iov[g->iov_count++] =
		(struct iovec){ (void *)(uintptr_t)data, length };
}

/* A small head and the copied body behind it become one piece. */
static bool
head_join(struct gather *g)
{
	char *body = g->stage + GATHER_FRONT;

	if (g->head.length == 0 || g->head.length > GATHER_FRONT ||
		g->chunked || g->count == 0 || g->runs[0].iov_base != body)
		return false;
	memcpy(body - g->head.length, g->head.data, g->head.length);
	lay(g, body - g->head.length, g->head.length + g->runs[0].iov_len);
	return true;
}

size_t
gather_lay(struct gather *g)
{
	static const char end_last[] = "\r\n" HTTP_CHUNK_LAST;
	size_t total = 0;
	bool joined;

	g->iov_count = 0;
	joined = head_join(g);
	if (!joined && g->head.length > 0)
		lay(g, g->head.data, g->head.length);
	if (g->chunked && g->body > 0)
		lay(g, g->chunk_head, http_chunk_head(g->chunk_head, g->body));
	for (int i = joined; i < g->count; i++)
		g->iov[g->iov_count++] = g->runs[i];
	if (g->chunked && g->body > 0)
		lay(g, end_last, g->last ? sizeof(end_last) - 1 : 2);
	else if (g->chunked && g->last)
		lay(g, HTTP_CHUNK_LAST, sizeof(HTTP_CHUNK_LAST) - 1);
	for (int i = 0; i < g->iov_count; i++)
		total += g->iov[i].iov_len;
	return total;
}
