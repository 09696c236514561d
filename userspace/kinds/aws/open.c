/* What upstreams of AWS share in the control process. */
#include <stdlib.h>

#include "base/mem.h"
#include "kinds/aws/watch.h"
#include "kinds/aws/watch_inner.h"

void *
aws_open(struct kind_program *program)
{
	struct aws_shared *s = xcalloc(1, sizeof(*s));

	s->program = program;
	return s;
}

void
aws_close(void *shared)
{
	free(shared);
}

void
aws_numbers(const void *shared, kind_number_f *each, void *arg)
{
	const struct aws_shared *s = shared;

	aws_numbers_each(&s->counts, each, arg);
}
