/* What is wrong, by area. */
#include "control/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "config/store.h"
#include "control/control.h"
#include "control/files.h"
#include "control/generation.h"
#include "control/kernel_limits.h"
#include "control/materials.h"
#include "control/nat_ports.h"
#include "control/programs.h"
#include "control/services.h"
#include "control/status.h"
#include "control/spread.h"
#include "control/supervise.h"
#include "fastpath/fastpath.h"

struct area {
	struct doc *errors, *warnings, *notes;
};

static struct area
area_add(struct doc *areas, const char *name)
{
	struct doc *d = doc_add(areas, doc_new_map());
	struct area a;

	doc_set_string(d, "name", name);
	a.errors = doc_set(d, "errors", doc_new_list());
	a.warnings = doc_set(d, "warnings", doc_new_list());
	a.notes = doc_set(d, "notes", doc_new_list());
	return a;
}

static void __attribute__((format(printf, 2, 3)))
say(struct doc *to, const char *fmt, ...)
{
	char line[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	doc_add(to, doc_new_string(line));
}

static struct area
objects_check(const struct control *c, struct doc *areas, enum model_type type,
	const char *name)
{
	struct area a = area_add(areas, name);

	for (size_t i = 0; i < objects_count(c->objects, type); i++) {
		const struct object *o = objects_at(c->objects, type, i);
		struct status s;

		status_init(&s, c, o, 0);
		if (s.state == STATUS_REJECTED)
			say(a.errors, "%s is Rejected: %s", o->label, s.reason);
		else if (s.state != STATUS_ACCEPTED)
			say(a.warnings, "%s: %s", o->label, s.reason);
		status_fini(&s);
	}
	return a;
}

static bool
everybody_has(const char *path, mode_t rights)
{
	struct stat st;

	return path != NULL && stat(path, &st) == 0 && st.st_mode & rights;
}

static void
settings_check(const struct control *c, struct doc *areas)
{
	struct area a = area_add(areas, "settings");

	if (c->access_log_problem != NULL)
		say(a.errors, "the access log is off: %s",
			c->access_log_problem);
	if (c->settings->hash_seed != 0 &&
		everybody_has(c->settings->path, S_IROTH | S_IWOTH))
		say(a.warnings,
			"xdp.hashSeed is a secret, and %s can be read by "
			"everybody: chmod o= %s",
			c->settings->path, c->settings->path);
	if (objects_count(c->objects, MODEL_GATEWAY) == 0)
		say(a.warnings, "there is no gateway: nothing listens");
}

static void
proxies_check(const struct control *c, struct doc *areas)
{
	struct area a = area_add(areas, "proxies");
	struct supervisor_view view;
	char text[160];
	const char *why = status_not_ready(c, text, sizeof(text));

	if (why != NULL)
		say(a.errors, "%s", why);
	if (c->supervisor == NULL)
		return;
	supervisor_view(c->supervisor, &view);
	if (view.problem != NULL)
		say(a.errors, "%s", view.problem);
	if (generation_problem(c)[0] != '\0')
		say(a.errors, "the newest changes are not enforced: %s",
			generation_problem(c));
	if (view.pid != 0)
		say(a.notes, "pid %d, %u workers, generation %llu",
			(int)view.pid, view.workers,
			(unsigned long long)view.generation);
	if (view.draining > 0)
		say(a.notes, "%zu older ones drain", view.draining);
}

/* Only root reads secrets. */
static void
secret_files_check(const struct control *c, const struct area *a)
{
	const char *folder = c->settings->secret_directory;

	if (everybody_has(folder, S_IROTH | S_IWOTH | S_IXOTH))
		say(a->warnings, "%s can be read by everybody: chmod o= %s",
			folder, folder);
	for (size_t i = 0; i < objects_count(c->objects, MODEL_SECRET); i++) {
		const struct object *o =
			objects_at(c->objects, MODEL_SECRET, i);
		char *path = o->origin != NULL
				     ? NULL
				     : store_path(c->store, o->type, o->ns,
					       o->name);

		if (everybody_has(path, S_IRGRP | S_IROTH))
			say(a->warnings,
				"%s can be read by others: chmod go= %s", path,
				path);
		free(path);
	}
}

static void
key_files_check(const struct control *c, const struct area *a)
{
	for (size_t i = 0; i < objects_count(c->objects, MODEL_UPSTREAM); i++) {
		const struct object *o =
			objects_at(c->objects, MODEL_UPSTREAM, i);
		const struct model_tls *t =
			o->model == NULL ? NULL : o->model->upstream->tls;

		if (t != NULL && t->source == MODEL_TLS_FILES &&
			everybody_has(t->key_file, S_IRGRP | S_IROTH))
			say(a->warnings,
				"%s, the key of the upstream %s, can be read "
				"by others: chmod go= %s",
				t->key_file, o->label, t->key_file);
	}
}

static void
maps_check(const struct control *c, const struct area *a)
{
	struct str differ;

	say(a->notes, "the maps take %llu bytes",
		(unsigned long long)fastpath_map_bytes(c->fastpath));
	str_init(&differ);
	fastpath_sizes_explain(c->fastpath, &differ);
	if (differ.length > 0)
		say(a->warnings, "%s", differ.data);
	str_fini(&differ);
}

/* By what two boxes send a flow to the same backend. */
static void
hash_seed_check(const struct control *c, const struct area *a)
{
	struct str why;

	str_init(&why);
	fastpath_hash_seed_explain(c->fastpath, &why);
	if (why.length > 0)
		say(a->warnings, "%s", why.data);
	else if (c->settings->hash_seed != 0)
		say(a->notes, "flows are hashed with xdp.hashSeed");
	str_fini(&why);
}

/* Who gets a new connection. */
static void
steering_check(const struct control *c, const struct area *a)
{
	struct str text;

	if (c->steering.code != ERROR_NONE)
		say(a->errors, "additional addresses are not served: %s",
			c->steering.text);
	str_init(&text);
	spread_explain(c, &text);
	say(a->notes, "new connections go to %s", text.data);
	str_fini(&text);
	if (spread_migration(c) == NULL)
		say(a->warnings,
			"net.ipv4.tcp_migrate_req is 0: a listener that closes "
			"resets connections that wait in it: sysctl -w "
			"net.ipv4.tcp_migrate_req=1");
}

static bool
has_service(const struct control *c, bool (*is)(const struct object *gateway))
{
	for (size_t i = 0; i < objects_count(c->objects, MODEL_GATEWAY); i++)
		if (is(objects_at(c->objects, MODEL_GATEWAY, i)))
			return true;
	return false;
}

static void
nat_ports_check(const struct control *c, const struct area *a)
{
	struct str why;

	str_init(&why);
	if (has_service(c, service_is_nat))
		nat_ports_explain(&why);
	if (why.length > 0)
		say(a->warnings, "%s", why.data);
	str_fini(&why);
}

/* What it hides from the program of packets that are merged before. */
static void
generic_check(const struct control *c, const struct area *a, const char *name)
{
	if (has_service(c, service_is))
		say(a->notes,
			"%s: in generic mode no packet of a service is compared"
			" with the MTU of its way: ethtool -K %s gro off lro "
			"off",
			name, name);
}

static void
kernel_check(const struct control *c, struct doc *areas)
{
	struct area a = area_add(areas, "kernel");
	const char *problem = kernel_prefixes_problem(c->settings);

	if (problem != NULL)
		say(a.warnings, "%s", problem);
	if (c->fastpath == NULL)
		return;
	steering_check(c, &a);
	for (size_t i = 0; i < fastpath_interface_count(c->fastpath); i++) {
		const struct fastpath_interface *f =
			fastpath_interface_get(c->fastpath, i);

		if (!f->attached)
			say(a.errors, "XDP is not attached to %s: %s", f->name,
				f->problem);
		else
			say(a.notes, "%s: XDP in %s mode%s%s", f->name,
				f->mode == FASTPATH_GENERIC ? "generic"
							    : "native",
				f->dispatcher ? ", through the dispatcher" : "",
				f->adopted ? ", adopted" : "");
		if (f->attached && f->problem[0] != '\0')
			say(a.warnings, "%s: %s", f->name, f->problem);
		if (f->attached && f->mode == FASTPATH_GENERIC)
			generic_check(c, &a, f->name);
	}
	if (c->kernel.code != ERROR_NONE)
		say(a.errors, "%s", c->kernel.text);
	if (fastpath_state(c->fastpath) == FASTPATH_OFF) {
		say(a.notes, "off: no interface is configured");
		return;
	}
	maps_check(c, &a);
	hash_seed_check(c, &a);
	nat_ports_check(c, &a);
}

static bool
reason_is_same(
	const struct program_condition *a, const struct program_condition *b)
{
	return a->level == b->level && strcmp(a->reason, b->reason) == 0;
}

/* The parts that have that reason, and since when. */
static uint64_t
parts_list(const struct program *p, const struct program_condition *one,
	struct str *parts)
{
	uint64_t since = one->since;

	for (size_t i = 0; i < p->condition_count; i++) {
		const struct program_condition *other = &p->conditions[i];

		if (!reason_is_same(one, other))
			continue;
		str_printf(parts, "%s%s", parts->length > 0 ? ", " : "",
			other->part);
		if (other->since < since)
			since = other->since;
	}
	return since;
}

/* One sentence for each part; parts that are not well for the same reason have
 * one for all. */
static void
condition_say(const struct area *a, const struct program *p, size_t i)
{
	const struct program_condition *one = &p->conditions[i];
	struct doc *to = one->level == KIND_ERROR     ? a->errors
			 : one->level == KIND_WARNING ? a->warnings
						      : a->notes;
	char text[CLOCK_TEXT_MAX];
	struct str parts;
	uint64_t since;

	if (one->level == KIND_OK) {
		say(to, "%s: well", one->part);
		return;
	}
	for (size_t k = 0; k < i; k++)
		if (reason_is_same(one, &p->conditions[k]))
			return;
	str_init(&parts);
	since = parts_list(p, one, &parts);
	say(to, "%s: %s (since %s)", parts.data, one->reason,
		clock_format(since, text));
	str_fini(&parts);
}

static void
programs_check(const struct control *c, struct doc *areas)
{
	const struct program *p;

	for (size_t i = 0; (p = programs_at(c, i)) != NULL; i++) {
		struct area a;

		/* What is always open has something to say, or does not. */
		if (p->kind->settings_optional && p->condition_count == 0)
			continue;
		a = area_add(areas, p->kind->settings_key);
		for (size_t k = 0; k < p->condition_count; k++)
			condition_say(&a, p, k);
	}
}

struct doc *
check_print(const struct control *c)
{
	struct doc *d = doc_new_map();
	struct doc *areas = doc_set(d, "areas", doc_new_list());
	struct area a;

	settings_check(c, areas);
	objects_check(c, areas, MODEL_UPSTREAM, "upstreams");
	objects_check(c, areas, MODEL_UPSTREAM_GROUP, "upstream groups");
	objects_check(c, areas, MODEL_VIRTUAL_SERVICE, "virtual services");
	objects_check(c, areas, MODEL_GATEWAY, "gateways");
	proxies_check(c, areas);
	a = objects_check(c, areas, MODEL_SECRET, "secrets");
	secret_files_check(c, &a);
	key_files_check(c, &a);
	kernel_check(c, areas);
	programs_check(c, areas);
	return d;
}

/* ---- without the daemon */

static size_t
objects_say(const struct control *c)
{
	size_t rejected = 0;

	for (int t = 0; t < MODEL_TYPE_COUNT; t++)
		for (size_t i = 0;
			i < objects_count(c->objects, (enum model_type)t);
			i++) {
			const struct object *o =
				objects_at(c->objects, (enum model_type)t, i);
			struct status s;

			status_init(&s, c, o, 0);
			rejected += s.state == STATUS_REJECTED;
			if (s.state != STATUS_ACCEPTED)
				fprintf(stderr, "%s %s: %s: %s\n",
					model_type_kind(o->type), o->label,
					status_state_name(s.state), s.reason);
			status_fini(&s);
		}
	return rejected;
}

int
control_check(const struct control_options *options)
{
	struct control c = { .options = options, .access_log = -1 };
	struct error err = ERROR_INIT;
	int rc = 1;

	log_open("control", LOG_LEVEL_ERROR);
	c.settings = settings_read(
		options->settings_path, options->kinds, &err);
	if (c.settings == NULL) {
		fprintf(stderr, "gloo-gateway: %s\n", err.text);
		return 1;
	}
	c.workers = 1;
	c.objects = objects_new();
	c.materials = materials_new();
	c.upstream_ids = numbers_new(UPSTREAMS_MAX);
	c.slots = numbers_new(LISTENERS_MAX);
	c.service_slots = numbers_new(SLOTS_MAX - LISTENERS_MAX + 1);
	c.listeners = listeners_new(1);
	c.state = state_open_existing(c.settings->state_directory);
	if (files_look(&c, c.settings->config_directory, &err) == 0)
		rc = objects_say(&c) > 0;
	else
		fprintf(stderr, "gloo-gateway: %s\n", err.text);
	objects_free(c.objects);
	materials_free(c.materials);
	numbers_free(c.upstream_ids);
	numbers_free(c.slots);
	numbers_free(c.service_slots);
	listeners_free(c.listeners);
	state_close(c.state);
	settings_free(c.settings);
	return rc;
}
