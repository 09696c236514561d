/* Memory that does not fail. */
#include "base/mem.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/log.h"

static void *
checked(void *p, size_t size)
{
	if (p == NULL)
		log_fatal("memory: none left size=%zu", size);
	return p;
}

void *
xmalloc(size_t size)
{
	return checked(malloc(size ? size : 1), size);
}

void *
xcalloc(size_t count, size_t size)
{
	if (count == 0 || size == 0)
		count = size = 1;
	return checked(calloc(count, size), size);
}

void *
xreallocarray(void *old, size_t count, size_t size)
{
	if (count == 0 || size == 0)
		count = size = 1;
	return checked(reallocarray(old, count, size), size);
}

void *
xmemdup(const void *data, size_t size)
{
	void *p = xmalloc(size);

	if (size > 0)
		memcpy(p, data, size);
	return p;
}

char *
xstrdup(const char *text)
{
	return xmemdup(text, strlen(text) + 1);
}

char *
xstrndup(const char *text, size_t length)
{
	size_t n = strnlen(text, length);
	char *p;

	if (n == SIZE_MAX)
		log_fatal("memory: none left size=%zu", n);
	p = xmalloc(n + 1);
	memcpy(p, text, n);
	p[n] = '\0';
	return p;
}

char *
xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		log_fatal("memory: none left for a text");
	return text;
}

void
mem_wipe(void *bytes, size_t length)
{
	if (length > 0)
		explicit_bzero(bytes, length);
}

void
mem_free_wiped(char *text)
{
	if (text != NULL)
		mem_wipe(text, strlen(text));
	free(text);
}

void
mem_keep_from_dumps(void)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	/* The limit is nothing to a program that core_pattern(5) pipes to. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void
mem_trim(void)
{
	malloc_trim(0);
}
