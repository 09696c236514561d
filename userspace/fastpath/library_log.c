/* What libbpf and libxdp have to say. */
#include "fastpath/library_log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <bpf/libbpf.h>
#include <xdp/libxdp.h>

#include "base/log.h"

static char kernel_message[160];

/* The lines that say why, and where in them that begins. */
static const struct {
	const char *mark;
	bool whole; /* what stands before the mark belongs to it */
} reasons[] = {
	{ "Kernel error message: ", false },
	{ ": failed to create: ", true },
};

static void
line_log(const char *line)
{
	static const char library[] = "libbpf: ";
	const char *at;

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		at = strstr(line, reasons[i].mark);
		if (at == NULL)
			continue;
		at += strlen(reasons[i].mark);
		if (reasons[i].whole)
			at = line;
		if (strncmp(at, library, sizeof(library) - 1) == 0)
			at += sizeof(library) - 1;
		snprintf(kernel_message, sizeof(kernel_message), "%s", at);
	}
	log_debug("fastpath: %s", line);
}

static int __attribute__((format(printf, 1, 0)))
text_log(const char *fmt, va_list args)
{
	char text[2048];
	char *line, *rest = text;

	vsnprintf(text, sizeof(text), fmt, args);
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (line[0] != '\0')
			line_log(line);
	}
	return 0;
}

static int __attribute__((format(printf, 2, 0)))
libbpf_print(enum libbpf_print_level level, const char *fmt, va_list args)
{
	(void)level;
	return text_log(fmt, args);
}

static int __attribute__((format(printf, 2, 0)))
libxdp_print(enum libxdp_print_level level, const char *fmt, va_list args)
{
	(void)level;
	return text_log(fmt, args);
}

void
library_log_open(void)
{
	libbpf_set_print(libbpf_print);
	libxdp_set_print(libxdp_print);
}

void
library_log_forget(void)
{
	kernel_message[0] = '\0';
}

const char *
library_log_kernel(void)
{
	return kernel_message;
}
