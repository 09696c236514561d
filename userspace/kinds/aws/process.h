/* The line of a credential_process. Private to kinds/aws/, pure. */
#ifndef KINDS_AWS_PROCESS_H
#define KINDS_AWS_PROCESS_H

#include "base/error.h"

/* Words as a shell makes them of blanks, quotes and backslashes, and of nothing
 * else; ends with NULL, has at least one. NULL and err, which quotes nothing:
 * there is none, or a quote has no end. */
char **aws_process_split(const char *line, struct error *err);
void aws_process_words_free(char **words);

#endif
