/* Tests userspace/control/blocks.c: whom a proxy may have blocked, and what is
 * said of it. */
#include "control/blocks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/yaml.h"
#include "config/config.h"
#include "control/limits.h"

static const struct upstream_kind *const kinds[] = { NULL };

#define SLOT 1

struct lab {
	struct control c;
	struct settings settings;
	struct addr_prefix trusted;
};

static void
put(struct objects *all, const char *text, uint32_t slot)
{
	struct error err = ERROR_INIT;
	struct doc *d = yaml_doc_read(text, strlen(text), &err);
	struct model_object *m = config_read(d, kinds, &err);
	struct object *o;

	if (m == NULL)
		fail_msg("%s: %s", text, err.text);
	o = objects_take(all, m->type, m->meta->ns, m->meta->name);
	o->model = m;
	o->slot = slot;
	doc_free(d);
}

static void
lab_init(struct lab *lab, uint32_t most)
{
	struct error err = ERROR_INIT;
	struct addr addr;

	memset(lab, 0, sizeof(*lab));
	lab->c.settings = &lab->settings;
	lab->settings.blocked_sources = most;
	assert_int_equal(
		addr_prefix_parse("192.0.2.128/25", &lab->trusted, &err), 0);
	lab->settings.trusted = &lab->trusted;
	lab->settings.trusted_count = 1;
	lab->c.objects = objects_new();
	put(lab->c.objects, "metadata: { name: gw }\nbindPort: 8080\n", SLOT);
	put(lab->c.objects,
		"metadata: { name: vs }\nvirtualHost: { options: { rateLimits: "
		"[ { name: blocks, rate: 1, unit: SECOND }, { name: never, "
		"rate: 1, unit: SECOND, promotion: { enabled: false } } ] } "
		"}\n",
		0);
	lab->c.listeners = listeners_new(1);
	assert_int_equal(addr_parse_ip("127.0.0.1", 0, &addr), 0);
	if (listeners_bind(lab->c.listeners, SLOT, &addr, &err) != 0)
		fail_msg("%s", err.text);
	lab->c.limits = limits_new();
	lab->c.blocks = blocks_new(&lab->c);
}

static void
lab_fini(struct lab *lab)
{
	blocks_free(lab->c.blocks);
	limits_free(lab->c.limits);
	listeners_free(lab->c.listeners);
	objects_free(lab->c.objects);
}

static void
say(struct lab *lab, const char *ip, uint32_t slot, const char *rule)
{
	struct wire_message m = { .type = WIRE_FAR_BEYOND };
	struct limit_rule r = { .rate = 1, .unit_s = 1 };

	strcpy(r.name, rule);
	m.far_beyond.slot = slot;
	m.far_beyond.rule =
		limit_rule_identity(&r, "virtualservices/gloo-system/vs");
	assert_int_equal(addr_parse_ip(ip, 4711, &m.far_beyond.addr), 0);
	blocks_far_beyond(lab->c.blocks, &m);
}

static size_t
count(const struct lab *lab)
{
	struct doc *d = blocks_print(lab->c.blocks);
	size_t n = doc_count(doc_get(d, "items"));

	doc_free(d);
	return n;
}

static void
only_whom_a_rule_blocks_is_blocked(void **state)
{
	static const struct {
		const char *what, *ip;
		uint32_t slot;
		const char *rule;
		size_t blocked;
	} rows[] = {
		{ "as a rule says", "192.0.2.1", SLOT, "blocks", 1 },
		{ "IPv6", "2001:db8::1", SLOT, "blocks", 1 },
		{ "by a rule that blocks nobody", "192.0.2.1", SLOT, "never",
			0 },
		{ "by no rule of ours", "192.0.2.1", SLOT, "other", 0 },
		{ "where nobody listens", "192.0.2.1", 2, "blocks", 0 },
		{ "at a slot that cannot be", "192.0.2.1", UINT32_MAX,
			"blocks", 0 },
		{ "a trusted proxy", "192.0.2.129", SLOT, "blocks", 0 },
		{ "this machine", "127.0.0.1", SLOT, "blocks", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lab lab;

		lab_init(&lab, 10);
		say(&lab, rows[i].ip, rows[i].slot, rows[i].rule);
		/* Another worker says so too. */
		say(&lab, rows[i].ip, rows[i].slot, rows[i].rule);
		if (count(&lab) != rows[i].blocked)
			fail_msg("%s", rows[i].what);
		lab_fini(&lab);
	}
}

static void
it_is_said_who_where_and_why(void **state)
{
	struct lab lab;
	struct doc *d, *one;
	struct str text;

	(void)state;
	str_init(&text);
	lab_init(&lab, 10);
	say(&lab, "192.0.2.1", SLOT, "blocks");
	d = blocks_print(lab.c.blocks);
	one = doc_at(doc_get(d, "items"), 0);
	assert_string_equal(doc_get_string(one, "source"), "192.0.2.1");
	assert_string_equal(doc_get_string(one, "listener"), "gloo-system.gw");
	assert_string_equal(doc_get_string(one, "object"), "gloo-system.vs");
	assert_string_equal(doc_get_string(one, "rule"), "blocks");
	assert_string_equal(doc_get_string(one, "by"), "proxy");
	assert_int_equal(doc_integer(doc_get(one, "secondsLeft")), 30);
	doc_free(d);
	blocks_look(lab.c.blocks); /* its time is not over */
	assert_int_equal(count(&lab), 1);
	blocks_metrics(lab.c.blocks, &text);
	assert_non_null(strstr(text.data, "gloo_gateway_blocked_sources 1\n"));
	blocks_slot_closed(lab.c.blocks, SLOT + 1);
	assert_int_equal(count(&lab), 1);
	blocks_slot_closed(lab.c.blocks, SLOT);
	assert_int_equal(count(&lab), 0);
	assert_non_null(strstr(text.data, "gloo_gateway_blocks 1\n"));
	str_fini(&text);
	lab_fini(&lab);
}

static void
there_is_a_most(void **state)
{
	struct lab lab;
	struct str text;

	(void)state;
	str_init(&text);
	lab_init(&lab, 2);
	say(&lab, "192.0.2.1", SLOT, "blocks");
	say(&lab, "192.0.2.2", SLOT, "blocks");
	say(&lab, "192.0.2.3", SLOT, "blocks");
	assert_int_equal(count(&lab), 2);
	blocks_metrics(lab.c.blocks, &text);
	assert_non_null(strstr(text.data, "gloo_gateway_blocks_refused 1\n"));
	str_fini(&text);
	lab_fini(&lab);
	lab_init(&lab, 0);
	say(&lab, "192.0.2.1", SLOT, "blocks");
	assert_int_equal(count(&lab), 0);
	lab_fini(&lab);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_whom_a_rule_blocks_is_blocked),
		cmocka_unit_test(it_is_said_who_where_and_why),
		cmocka_unit_test(there_is_a_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
