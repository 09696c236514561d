/* Questions to the operator, in the form "? question answer". */
#include "cli/prompt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

#define CHOICES_SHOWN                                                          \
	100 /* a cloud account may have thousands of functions                 \
	     */

/* A line of standard input without its end; NULL and err at the end. */
static char *
line_read(const char *question, struct error *err)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t n = getline(&line, &size, stdin);

	if (n < 0) {
		free(line);
		error_set(err, ERROR_CONFIG,
			"the input ended before the question \"%.200s\" was "
			"answered",
			question);
		return NULL;
	}
	while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
		line[--n] = '\0';
	return line;
}

/* hint stands in parentheses while somebody is typing; on a pipe the answer is
 * echoed instead, as a terminal does. */
static char *
ask(const char *question, const char *hint, const char *fallback,
	struct error *err)
{
	bool terminal = isatty(STDIN_FILENO) != 0;
	char *line;

	fflush(stdout);
	fprintf(stderr, "? %s ", question);
	if (terminal && hint != NULL && hint[0] != '\0')
		fprintf(stderr, "(%s) ", hint);
	fflush(stderr);
	line = line_read(question, err);
	if (line == NULL) {
		fputc('\n', stderr);
		return NULL;
	}
	if (line[0] == '\0' && fallback != NULL) {
		free(line);
		line = xstrdup(fallback);
	}
	if (!terminal)
		fprintf(stderr, "%s\n", line);
	return line;
}

int
prompt_text(const char *question, const char *fallback, char **answer,
	struct error *err)
{
	*answer = ask(question, fallback, fallback, err);
	return *answer == NULL ? -1 : 0;
}

int
prompt_secret(const char *question, char **answer, struct error *err)
{
	struct termios was, hidden;
	bool terminal = tcgetattr(STDIN_FILENO, &was) == 0;

	fflush(stdout);
	fprintf(stderr, "? %s ", question);
	fflush(stderr);
	if (terminal) {
		hidden = was;
		hidden.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	}
	*answer = line_read(question, err);
	if (terminal)
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
	/* That something was read can be seen, how much of it not. */
	fputs(*answer != NULL && **answer != '\0' ? "...\n" : "\n", stderr);
	return *answer == NULL ? -1 : 0;
}

/* "a, b and 7 more" */
static void
choices_put(struct str *s, const char *const *choices, size_t count)
{
	for (size_t i = 0; i < count && i < CHOICES_SHOWN; i++)
		str_printf(s, "%s%s", i > 0 ? ", " : "", choices[i]);
	if (count > CHOICES_SHOWN)
		str_printf(s, " and %zu more", count - CHOICES_SHOWN);
}

int
prompt_offer(const char *question, const char *const *choices, size_t count,
	const char *fallback, char **answer, struct error *err)
{
	struct str hint;

	str_init(&hint);
	choices_put(&hint, choices, count);
	*answer = ask(question, hint.data, fallback, err);
	str_fini(&hint);
	return *answer == NULL ? -1 : 0;
}

/* count: none, or several begin so. */
static size_t
choice_find(const char *word, const char *const *choices, size_t count)
{
	size_t found = count;

	for (size_t i = 0; i < count; i++)
		if (strcmp(word, choices[i]) == 0)
			return i;
	for (size_t i = 0; i < count && word[0] != '\0'; i++) {
		if (strncmp(word, choices[i], strlen(word)) != 0)
			continue;
		if (found < count)
			return count;
		found = i;
	}
	return found;
}

int
prompt_choice(const char *question, const char *const *choices, size_t count,
	size_t fallback, size_t *chosen, struct error *err)
{
	struct str hint;
	int rc = -1;
	char *line;

	if (count == 0)
		return error_set(err, ERROR_CONFIG,
			"\"%.200s\": there is nothing to choose from",
			question);
	str_init(&hint);
	choices_put(&hint, choices, count);
	for (;;) {
		line = ask(question, hint.data,
			fallback < count ? choices[fallback] : NULL, err);
		if (line == NULL)
			break;
		*chosen = choice_find(line, choices, count);
		if (*chosen < count) {
			free(line);
			rc = 0;
			break;
		}
		fprintf(stderr, "\"%s\" is none of: %s\n", line, hint.data);
		free(line);
	}
	str_fini(&hint);
	return rc;
}

int
prompt_yes_no(const char *question, bool fallback, bool *yes, struct error *err)
{
	for (;;) {
		char *line = ask(question, fallback ? "Y/n" : "y/N",
			fallback ? "yes" : "no", err);
		char first;

		if (line == NULL)
			return -1;
		first = line[0] | 0x20;
		free(line);
		if (first == 'y' || first == 'n') {
			*yes = first == 'y';
			return 0;
		}
		fputs("answer yes or no\n", stderr);
	}
}
