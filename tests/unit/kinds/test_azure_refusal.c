/* Tests userspace/kinds/azure/refusal.c: a row per course of events. */
#include "kinds/azure/refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static struct azure_authentication authentication = { "api://x" };
static struct model_ref secret = { .ns = "n", .name = "s" };

#define APP     .app_name = "my-app", .hostname = "app.test"
#define MANAGED APP, .subscription_id = "sub", .resource_group = "grp"

static const struct azure_spec of_secret = { APP, .secret = &secret };
static const struct azure_spec of_keys = { MANAGED };
static const struct azure_spec of_token = { APP,
	.authentication = &authentication };
static const struct azure_spec of_both = { MANAGED,
	.authentication = &authentication };

/* Notes. */
#define VAIN  "did not take the "
#define OWN   "a 401 without a body goes to clients"
#define LEVEL "whose level is not known"
/* Passing ones. */
#define ASKED  "another is asked for"
#define PROVEN "the management API gave the same key again"

struct course {
	struct azure_refusal refusal;
	bool proven;
	uint64_t now_ms;
	bool refusal_counts; /* the last one */
};

static void
sent(struct course *c, bool others)
{
	azure_refusal_sent(&c->refusal, others, c->proven, c->now_ms);
	azure_refusal_settle(&c->refusal, c->proven);
}

static void
event(struct course *c, char what)
{
	switch (what) {
	case 'r': /* refused */
		c->refusal_counts =
			azure_refusal_add(&c->refusal, c->proven, c->now_ms);
		break;
	case 'o': /* others are sent */
		sent(c, true);
		break;
	case 'u': /* what is sent is another way to the same function */
		sent(c, false);
		break;
	case 'p': /* the keys are proven */
	case 'd': /* or in doubt */
		c->proven = what == 'p';
		sent(c, false);
		break;
	case 't': /* the token came, is the same ... */
	case 'n': /* ... or could not be had */
		azure_refusal_token(&c->refusal, what == 't');
		azure_refusal_settle(&c->refusal, c->proven);
		break;
	case 'T': /* another token came */
		azure_refusal_token(&c->refusal, true);
		sent(c, true);
		break;
	case 'e': /* it is long past */
		azure_refusal_end(&c->refusal, c->proven);
		break;
	case '.':
		c->now_ms += 1500;
		break;
	default:
		fail_msg("%c is no event", what);
	}
}

static void
told_is(const char *events, const char *which, char *note, const char *wanted)
{
	if ((note == NULL) != (wanted == NULL) ||
		(note != NULL && strstr(note, wanted) == NULL))
		fail_msg("\"%s\": %s is %s, not %s", events, which,
			note == NULL ? "none" : note,
			wanted == NULL ? "none" : wanted);
	free(note);
}

static void
test_courses(void **state)
{
	static const struct {
		const struct azure_spec *spec;
		const char *events, *note, *passing;
	} rows[] = {
		{ &of_keys, "", NULL, NULL },
		/* Nobody can be asked for another one. */
		{ &of_secret, "r", VAIN "key", NULL },
		{ &of_secret, "ru", VAIN "key", NULL },
		{ &of_secret, "roe", NULL, NULL },
		{ &of_secret, "re", NULL, NULL },
		/* Others may be better, or as bad. */
		{ &of_keys, "r", NULL, ASKED },
		{ &of_keys, "rr", NULL, ASKED },
		{ &of_keys, "ru", NULL, ASKED },
		{ &of_keys, "ro", NULL, NULL },
		{ &of_keys, "o", NULL, NULL },
		{ &of_keys, "or", NULL, ASKED },
		{ &of_keys, "ror", VAIN "key", NULL },
		{ &of_keys, "rorr", VAIN "key", NULL },
		{ &of_keys, "roro", VAIN "key", NULL },
		{ &of_keys, "roer", NULL, ASKED },
		{ &of_keys, "rore", NULL, NULL },
		/* The same keys are proof. */
		{ &of_keys, "rp", OWN, PROVEN },
		{ &of_keys, "rorp", OWN, PROVEN },
		{ &of_keys, "rpe", OWN, PROVEN },
		{ &of_keys, "rpd", OWN, NULL },
		{ &of_keys, "rpde", NULL, NULL },
		{ &of_keys, "rpdr", OWN, ASKED },
		{ &of_keys, "rpdro", NULL, NULL },
		{ &of_keys, "rpdror", VAIN "key", NULL },
		/* A proven one is refused. */
		{ &of_keys, "rpr", OWN, PROVEN },
		{ &of_keys, "rp.r", OWN, PROVEN },
		{ &of_keys, "rp..r", LEVEL, NULL },
		{ &of_keys, "rp..rd", LEVEL, NULL },
		{ &of_keys, "rp..rdr", LEVEL, ASKED },
		{ &of_keys, "rp..rdrp", LEVEL, NULL },
		{ &of_keys, "rp..rdror", LEVEL, NULL },
		{ &of_keys, "rp..re", OWN, PROVEN },
		{ &of_keys, "rp..rde", NULL, NULL },
		/* Of a token there is no proof; the same one is in vain. */
		{ &of_token, "t", NULL, NULL },
		{ &of_token, "rn", NULL, ASKED },
		{ &of_token, "rT", NULL, NULL },
		{ &of_token, "rTt", NULL, NULL },
		{ &of_token, "rTr", VAIN "token", NULL },
		{ &of_token, "rt", VAIN "token", NULL },
		{ &of_token, "rnt", VAIN "token", NULL },
		/* The same of both are. */
		{ &of_both, "rt", NULL, ASKED },
		{ &of_both, "rtr", NULL, ASKED },
		{ &of_both, "rp", NULL, ASKED },
		{ &of_both, "rtp", VAIN "key or the token", NULL },
		{ &of_both, "rpt", VAIN "key or the token", NULL },
		{ &of_both, "rtnp", NULL, ASKED },
		{ &of_both, "rto", NULL, NULL },
		{ &of_both, "rTp", NULL, NULL },
		{ &of_both, "rTpr", VAIN "key or the token", NULL },
		{ &of_both, "rtrp", VAIN "key or the token", NULL },
		{ &of_both, "rtpd", VAIN "key or the token", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct course c = { .refusal.spec = rows[i].spec,
			.now_ms = 1000 };

		for (const char *e = rows[i].events; *e != '\0'; e++)
			event(&c, *e);
		told_is(rows[i].events, "the note",
			azure_refusal_note(&c.refusal), rows[i].note);
		told_is(rows[i].events, "the passing note",
			azure_refusal_passing_note(&c.refusal, c.proven),
			rows[i].passing);
	}
}

/* Nothing is asked for, and nothing told, of what was on its way. */
static void
test_refusals_on_their_way(void **state)
{
	static const struct {
		const char *events;
		bool counts;
	} rows[] = { { "r", true }, { "rr", true }, { "rpr", false },
		{ "rp.r", false }, { "rp..r", true }, { "rpdr", true },
		{ "rp..dpr", false } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct course c = { .refusal.spec = &of_keys, .now_ms = 1000 };

		for (const char *e = rows[i].events; *e != '\0'; e++)
			event(&c, *e);
		if (c.refusal_counts != rows[i].counts)
			fail_msg("\"%s\"", rows[i].events);
	}
}

/* It is the hostname that may be wrong. */
static void
test_own_name(void **state)
{
	struct azure_spec spec = { .app_name = "my-app" };
	struct course c = { .refusal.spec = &spec, .now_ms = 1000 };

	(void)state;
	event(&c, 'r');
	event(&c, 'p');
	told_is("rp", "the note", azure_refusal_note(&c.refusal), NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_courses),
		cmocka_unit_test(test_refusals_on_their_way),
		cmocka_unit_test(test_own_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
