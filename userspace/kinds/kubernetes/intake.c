/* What the members of a list and the events of a watch come to. */
#include "kinds/kubernetes/intake.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "kinds/kubernetes/object_glimpse.h"
#include "kinds/kubernetes/object_set.h"

struct intake {
	const char *name;
	bool hidden;
	struct intake_events events;
	void *arg;
	struct object_set *set;
	bool passed;  /* something was passed over since the last list */
	bool doubt;   /* and it is not known what */
	bool settled; /* once */
	bool partial; /* what was told last was not the whole set */
	uint64_t skipped;
};

struct intake *
intake_new(const char *name, bool hidden, const struct intake_events *events,
	void *arg)
{
	struct intake *in = xcalloc(1, sizeof(*in));

	in->name = name;
	in->hidden = hidden;
	in->events = *events;
	in->arg = arg;
	in->set = object_set_new(
		&(struct object_set_events){ events->put, events->gone }, arg);
	return in;
}

void
intake_free(struct intake *in)
{
	if (in == NULL)
		return;
	object_set_free(in->set);
	free(in);
}

/* ---- what is passed over */

/* One line until the next whole set; the counter says how many. */
void
intake_pass_over_known(struct intake *in, const char *problem)
{
	in->skipped++;
	if (!in->passed)
		log_warn("kubernetes: an object of %s is passed over: %s",
			in->name, in->hidden ? "it cannot be read" : problem);
	in->passed = true;
}

void
intake_pass_over(struct intake *in, const char *problem)
{
	intake_pass_over_known(in, problem);
	in->doubt = true;
}

/* known: of which object it is. */
static void
pass_over_as(struct intake *in, bool known, const char *problem)
{
	if (known)
		intake_pass_over_known(in, problem);
	else
		intake_pass_over(in, problem);
}

bool
intake_unread(struct intake *in, const struct doc *object, bool aside,
	const char *problem)
{
	int rc = aside ? object_set_collect_mark(in->set, object, NULL)
		       : object_set_mark(in->set, object, NULL);

	pass_over_as(in, rc == 0, problem);
	return rc == 0;
}

void
intake_collect_unread(struct intake *in, struct slice text, const char *problem)
{
	struct doc *glimpse = object_glimpse(text, false);

	intake_unread(in, glimpse, true, problem);
	doc_free(glimpse);
}

/* ---- a whole set */

void
intake_begin(struct intake *in)
{
	in->doubt = in->passed = false;
}

int
intake_collect(
	struct intake *in, struct doc *object, size_t bytes, struct error *err)
{
	if (object_set_collect(in->set, object, bytes, err) == 0)
		return 0;
	if (err->code == ERROR_LIMIT)
		return -1;
	intake_pass_over(in, err->text);
	return 0;
}

void
intake_uncollect(struct intake *in, const struct doc *object)
{
	struct error err = ERROR_INIT;

	if (object_set_uncollect(in->set, object, &err) != 0)
		intake_pass_over(in, err.text);
}

void
intake_swap(struct intake *in)
{
	object_set_swap(in->set, in->doubt);
}

void
intake_abandon(struct intake *in)
{
	object_set_abandon(in->set);
}

void
intake_settle(struct intake *in)
{
	in->settled = true;
	in->partial = in->doubt || object_set_unread(in->set) > 0;
	in->events.settled(!in->partial, in->arg);
}

/* ---- changes */

void
intake_change(struct intake *in, const struct doc *object, bool deleted)
{
	struct error err = ERROR_INIT;
	int rc = deleted ? object_set_remove(in->set, object, &err)
			 : object_set_put(in->set, object, &err);

	/* What could not be read can be now, or is gone. */
	if (in->partial && !in->doubt && object_set_unread(in->set) == 0)
		intake_settle(in);
	if (rc != 0)
		intake_pass_over(in, err.text);
}

void
intake_empty(struct intake *in)
{
	object_set_empty(in->set);
	in->doubt = false;
}

void
intake_forget(struct intake *in)
{
	object_set_forget(in->set);
}

/* ---- how it stands */

bool
intake_is_whole(const struct intake *in)
{
	return in->settled && !in->partial;
}

bool
intake_is_in_doubt(const struct intake *in)
{
	return in->doubt;
}

size_t
intake_count(const struct intake *in)
{
	return object_set_count(in->set);
}

uint64_t
intake_skipped(const struct intake *in)
{
	return in->skipped;
}
