/*
 * credential_process: a program that prints credentials (AWS SDKs and Tools
 * Reference Guide, "Process credential provider"). Its line is split as a shell
 * would split it, and no shell is run.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "kinds/aws/document.h"
#include "kinds/aws/process.h"
#include "kinds/aws/question.h"
#include "kinds/command.h"

struct process {
	struct aws_question question; /* the first */
	char *name;
	aws_answer_f *cb;
	void *arg;
	struct command *command;
};

/* ---- its line */

/* One word of it, from *at on; false: there is no more. Its quotes are left
 * out; open: one of them has no end. */
static bool
word_read(const char **at, struct str *word, bool *open)
{
	const char *p = *at + strspn(*at, " \t\r\n");
	char quote = '\0';

	str_clear(word);
	*open = false;
	if (*p == '\0')
		return false;
	for (; *p != '\0'; p++) {
		if (quote == '\0' && strchr(" \t\r\n", *p) != NULL)
			break;
		if (*p == quote) {
			quote = '\0';
		} else if (quote == '\0' && (*p == '"' || *p == '\'')) {
			quote = *p;
		} else if (*p == '\\' && p[1] != '\0' &&
			   (quote == '\0' ||
				   (quote == '"' &&
					   (p[1] == '"' || p[1] == '\\')))) {
			str_putc(word, *++p);
		} else {
			str_putc(word, *p);
		}
	}
	*open = quote != '\0';
	*at = p;
	return true;
}

char **
aws_process_split(const char *line, struct error *err)
{
	char **words = xcalloc(1, sizeof(*words));
	size_t count = 0;
	bool open = false;
	struct str word;

	str_init(&word);
	while (!open && word_read(&line, &word, &open)) {
		words = xreallocarray(words, count + 2, sizeof(*words));
		words[count++] = xstrdup(word.data);
		words[count] = NULL;
	}
	str_fini_wiped(&word);
	if (!open && count > 0 && words[0][0] != '\0')
		return words;
	error_set(err, ERROR_CONFIG,
		open ? "credential_process has a quote without an end"
		     : "credential_process names no program");
	aws_process_words_free(words);
	return NULL;
}

void
aws_process_words_free(char **words)
{
	for (size_t i = 0; words[i] != NULL; i++)
		mem_free_wiped(words[i]);
	free(words);
}

/* ---- its end */

static void
process_free(struct process *p)
{
	free(p->name);
	free(p);
}

static void
process_fail(struct process *p, const char *why, const char *complaint)
{
	char *problem = xasprintf("credential_process %.64s: %s%s; run it by "
				  "hand as the gateway's user",
		p->name, why, complaint);

	p->cb(NULL, AWS_TROUBLE_LASTS, problem, p->arg);
	free(problem);
}

static void
on_end(const struct command_result *result, void *arg)
{
	struct process *p = arg;
	struct aws_credentials c = { 0 };
	struct error err = ERROR_INIT;

	if (result->problem != NULL) {
		process_fail(p, result->problem, result->complaint);
	} else if (aws_document_read(AWS_DOCUMENT_PROCESS, result->output, &c,
			   &err) != 0) {
		error_prefix(&err, "what it printed");
		process_fail(p, err.text, result->complaint);
	} else {
		p->cb(&c, AWS_TROUBLE_LASTS, NULL, p->arg);
	}
	aws_credentials_fini(&c);
	process_free(p);
}

static void
process_cancel(struct aws_question *q)
{
	struct process *p = (struct process *)q;

	command_cancel(p->command);
	process_free(p);
}

/* ---- its beginning */

static int
process_start(struct process *p, const struct aws_asker *a, char *const *words,
	struct error *err)
{
	const struct command_line line = {
		.argv = words,
		.env = a->place->environment,
	};
	int problem = command_start(a->loop, &line, on_end, p, &p->command);

	if (problem == 0)
		return 0;
	return error_errno(err, problem,
		"credential_process %.64s cannot be run", p->name);
}

struct aws_question *
aws_process_ask(
	const struct aws_asker *a, const char *command_line, struct error *err)
{
	char **words = aws_process_split(command_line, err);
	struct process *p;
	int rc;

	if (words == NULL)
		return NULL;
	p = xcalloc(1, sizeof(*p));
	p->question.cancel = process_cancel;
	p->cb = a->cb;
	p->arg = a->arg;
	p->name = xstrdup(words[0]);
	text_defuse(p->name);
	rc = process_start(p, a, words, err);
	aws_process_words_free(words);
	if (rc == 0)
		return &p->question;
	process_free(p);
	return NULL;
}
