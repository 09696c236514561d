/* The kernel half seen from control. */
#include "fastpath/fastpath.h"

#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/log.h"
#include "base/mem.h"
#include "fastpath/addresses.h"
#include "fastpath/attached.h"
#include "fastpath/dispatcher.h"
#include "fastpath/inner.h"
#include "fastpath/library_log.h"
#include "fastpath/maps.h"
#include "fastpath/pins.h"
#include "fastpath/privilege.h"
#include "fastpath/program.h"
#include "fastpath/sets.h"
#include "fastpath/sync.h"
#include "fastpath/watch.h"

#define REPAIR_PATIENCE 30 /* calls between attempts that nothing provoked */

/* ---- which program we attached ourselves */

static void
own_pin_name(char out[16], unsigned ifindex)
{
	snprintf(out, 16, "%u", ifindex);
}

static void
own_remember(const struct fastpath *f, unsigned ifindex, uint32_t program_id)
{
	struct error err = ERROR_INIT;
	char name[16];
	int fd = bpf_prog_get_fd_by_id(program_id);

	if (fd < 0)
		return;
	own_pin_name(name, ifindex);
	if (pins_prepare(f->pin_path, PINS_PROGRAMS, &err) != 0 ||
		pins_set(f->pin_path, PINS_PROGRAMS, name, fd, &err) != 0)
		log_debug("fastpath: the program is not pinned: %s", err.text);
	close(fd);
}

static bool
own_is(const struct fastpath *f, unsigned ifindex, uint32_t program_id)
{
	struct bpf_prog_info info = { 0 };
	uint32_t length = sizeof(info);
	char name[16];
	bool same;
	int fd;

	own_pin_name(name, ifindex);
	fd = pins_get(f->pin_path, PINS_PROGRAMS, name);
	if (fd < 0)
		return false;
	same = bpf_obj_get_info_by_fd(fd, &info, &length) == 0 &&
		info.id == program_id;
	close(fd);
	return same;
}

/* ---- an interface */

static int
interface_attach_mode(struct fastpath *f, struct map_set *set,
	struct interface *i, enum fastpath_mode mode, struct error *err)
{
	struct error quiet = ERROR_INIT;
	struct program *program = sets_program(&f->sets, set, err);

	if (program == NULL)
		return -1;
	if (f->dispatcher) {
		if (dispatcher_attach(f->object, &set->maps, i->ifindex, mode,
			    &quiet) == 0)
			return 0;
		log_debug("fastpath: %s: %s", i->shown.name, quiet.text);
	}
	return program_attach(program, i->ifindex, mode, err);
}

/* To an interface with room for our program. */
static int
interface_attach(struct fastpath *f, struct interface *i, struct error *err)
{
	struct error native = ERROR_INIT;
	struct map_set *set = sets_primary(&f->sets, err);

	if (set == NULL)
		return -1;
	if (i->wanted == FASTPATH_GENERIC)
		return interface_attach_mode(f, set, i, FASTPATH_GENERIC, err);
	if (interface_attach_mode(f, set, i, FASTPATH_NATIVE, &native) == 0)
		return 0;
	if (i->wanted == FASTPATH_NATIVE)
		return error_set(err, native.code, "native mode: %s",
			native.text);
	log_info("fastpath: %s: not in native mode: %s", i->shown.name,
		native.text);
	return interface_attach_mode(f, set, i, FASTPATH_GENERIC, err);
}

/* The mode was set anew: native and generic cannot overlap, so there is a gap
 * of some microseconds; what was there comes back if the other fails. */
static int
interface_switch(struct fastpath *f, struct interface *i, struct map_set *set,
	const struct attached *now, struct error *err)
{
	if (attached_detach(now, i->ifindex, err) != 0)
		return -1;
	if (interface_attach_mode(f, set, i, i->wanted, err) == 0)
		return 0;
	return interface_attach_mode(f, set, i, now->mode, NULL) == 0 ? 1 : -1;
}

static int
interface_replace(struct fastpath *f, struct interface *i, struct map_set *set,
	const struct attached *now, struct error *err)
{
	log_info("fastpath: %s: program %u is of another version, replacing it",
		i->shown.name, now->id);
	if (!now->dispatcher)
		return program_replace(set->program, i->ifindex, now, err);
	/* For a moment both run: packets counted twice rather than none. */
	if (dispatcher_attach(f->object, &set->maps, i->ifindex, now->mode,
		    err) != 0)
		return -1;
	return attached_detach(now, i->ifindex, err);
}

/* A program of ours is there: keeps it, or puts a newer one in its place. */
static int
interface_keep(struct fastpath *f, struct interface *i,
	const struct attached *now, struct error *err)
{
	struct map_set *set = sets_of_program(&f->sets, now->id);
	bool adopted = set != NULL;
	struct program *program;

	if (set == NULL)
		set = sets_primary(&f->sets, err);
	if (set == NULL)
		return -1;
	program = sets_program(&f->sets, set, err);
	if (program == NULL)
		return adopted ? 0 : -1;
	if (i->wanted != FASTPATH_AUTO && i->wanted != now->mode)
		return interface_switch(f, i, set, now, err);
	if (adopted && memcmp(program_tag(program), now->tag,
			       sizeof(now->tag)) == 0)
		return 0;
	return interface_replace(f, i, set, now, err);
}

static void
interface_show(struct fastpath *f, struct interface *i,
	const struct attached *now)
{
	struct fastpath_interface *shown = &i->shown;

	i->root_id = now->root_id;
	shown->attached = now->ours;
	shown->dispatcher = now->ours && now->dispatcher;
	shown->mode = now->mode;
	shown->program_id = now->ours ? now->id : 0;
	shown->adopted = now->ours && !now->dispatcher &&
		now->id != i->own_id && !own_is(f, i->ifindex, now->id);
}

static void __attribute__((format(printf, 2, 3)))
interface_problem(struct interface *i, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(i->shown.problem, sizeof(i->shown.problem), fmt, args);
	va_end(args);
}

/* Our program is on the interface when this returns, or shown.problem says
 * why it is not. */
static void
interface_ensure(struct fastpath *f, struct interface *i)
{
	struct error err = ERROR_INIT;
	struct attached before, now = { 0 };
	int rc;

	i->shown.problem[0] = '\0';
	i->patience = REPAIR_PATIENCE;
	i->ifindex = if_nametoindex(i->shown.name);
	if (i->ifindex == 0) {
		interface_show(f, i, &now);
		interface_problem(i, "there is no interface %s", i->shown.name);
		return;
	}
	if (attached_query(i->ifindex, &before, &err) != 0) {
		interface_show(f, i, &now);
		interface_problem(i, "%s", err.text);
		return;
	}
	if (before.ours)
		rc = interface_keep(f, i, &before, &err);
	else if (before.id != 0 && !(before.dispatcher && f->dispatcher))
		rc = error_set(&err, ERROR_SYSTEM,
			"another XDP program (%s, id %u) is attached",
			before.name, before.id);
	else
		rc = interface_attach(f, i, &err);
	if (rc != 0)
		interface_problem(i, "%s", err.text);
	if (attached_query(i->ifindex, &now, NULL) != 0)
		now = before;
	if (now.ours && now.id != before.id) {
		i->own_id = now.id;
		own_remember(f, i->ifindex, now.id);
	}
	interface_show(f, i, &now);
}

static bool
shown_equal(const struct fastpath_interface *a,
	const struct fastpath_interface *b)
{
	return a->attached == b->attached && a->adopted == b->adopted &&
		a->dispatcher == b->dispatcher && a->mode == b->mode &&
		a->program_id == b->program_id &&
		strcmp(a->problem, b->problem) == 0;
}

static bool
interface_is_as_left(const struct interface *i)
{
	struct attached now;

	if (if_nametoindex(i->shown.name) != i->ifindex)
		return false;
	if (i->ifindex == 0)
		return true;
	return attached_query(i->ifindex, &now, NULL) == 0 &&
		now.root_id == i->root_id &&
		(!i->shown.attached || now.id == i->shown.program_id);
}

/* Before anything is made, so that what is there is used by all. */
static void
interfaces_adopt(struct fastpath *f)
{
	struct attached now;
	unsigned ifindex;

	for (size_t i = 0; i < f->interface_count; i++) {
		ifindex = if_nametoindex(f->interfaces[i].shown.name);
		if (ifindex != 0 && attached_query(ifindex, &now, NULL) == 0 &&
			now.ours)
			sets_of_program(&f->sets, now.id);
	}
}

/* ---- the whole */

struct fastpath *
fastpath_open(const struct fastpath_options *options)
{
	struct fastpath *f = xcalloc(1, sizeof(*f));
	struct fastpath_options kept = *options;
	struct error err = ERROR_INIT;
	struct interface *i;
	bool raised;

	f->watch_fd = -1;
	steering_open(f);
	f->interface_count = options->interface_count;
	f->interfaces = xcalloc(f->interface_count + 1, sizeof(*i));
	if (options->pin_path != NULL)
		f->pin_path = xstrdup(options->pin_path);
	if (options->object != NULL)
		f->object = xstrdup(options->object);
	for (size_t n = 0; n < f->interface_count; n++) {
		i = &f->interfaces[n];
		snprintf(i->shown.name, sizeof(i->shown.name), "%s",
			options->interfaces[n].name);
		i->wanted = options->interfaces[n].mode;
		i->shown.mode = FASTPATH_NATIVE;
	}
	if (f->interface_count == 0)
		return f;
	library_log_open();
	raised = privilege_raise();
	f->dispatcher = dispatcher_is_possible();
	kept.pin_path = f->pin_path;
	kept.object = f->object;
	sets_open(&f->sets, &kept);
	interfaces_adopt(f);
	for (size_t n = 0; n < f->interface_count; n++)
		interface_ensure(f, &f->interfaces[n]);
	sets_pin(&f->sets);
	privilege_lower(raised);
	f->watch_fd = watch_open(&err);
	if (f->watch_fd < 0)
		log_warn("fastpath: %s", err.text);
	return f;
}

int
fastpath_flood_guard_set(struct fastpath *f, uint32_t flood_guard,
	struct error *err)
{
	return sets_guard(&f->sets, flood_guard, err);
}

int
fastpath_hash_seed_set(struct fastpath *f, uint32_t hash_seed,
	struct error *err)
{
	f->sets.hash_seed = hash_seed;
	return sets_seed(&f->sets, err);
}

void
fastpath_hash_seed_explain(const struct fastpath *f, struct str *out)
{
	sets_seed_explain(&f->sets, out);
}

static void
interfaces_detach(struct fastpath *f)
{
	struct error err = ERROR_INIT;
	struct attached now;
	unsigned ifindex;

	for (size_t i = 0; i < f->interface_count; i++) {
		ifindex = if_nametoindex(f->interfaces[i].shown.name);
		if (ifindex == 0 || attached_query(ifindex, &now, NULL) != 0 ||
			!now.ours)
			continue;
		if (attached_detach(&now, ifindex, &err) != 0)
			log_warn("fastpath: %s: %s",
				f->interfaces[i].shown.name, err.text);
	}
}

void
fastpath_close(struct fastpath *f, bool detach)
{
	bool raised;

	if (f == NULL)
		return;
	if (detach && f->interface_count > 0) {
		raised = privilege_raise();
		interfaces_detach(f);
		pins_remove_all(f->pin_path);
		privilege_lower(raised);
	}
	steering_close(f);
	sets_close(&f->sets);
	if (f->watch_fd >= 0)
		close(f->watch_fd);
	free(f->interfaces);
	free(f->listeners);
	free(f->limits);
	free(f->prefixes);
	free(f->pin_path);
	free(f->object);
	free(f);
}

enum fastpath_state
fastpath_state(const struct fastpath *f)
{
	size_t attached = 0;

	if (f->interface_count == 0)
		return FASTPATH_OFF;
	for (size_t i = 0; i < f->interface_count; i++)
		attached += f->interfaces[i].shown.attached;
	if (attached == f->interface_count)
		return FASTPATH_ATTACHED;
	return attached > 0 ? FASTPATH_PARTIAL : FASTPATH_FAILED;
}

size_t
fastpath_interface_count(const struct fastpath *f)
{
	return f->interface_count;
}

const struct fastpath_interface *
fastpath_interface_get(const struct fastpath *f, size_t i)
{
	return i < f->interface_count ? &f->interfaces[i].shown : NULL;
}

/* ---- listeners */

int
listeners_sync(struct fastpath *f, struct error *err)
{
	const struct service_conf *services[GG_SLOTS_MAX];
	struct sync_services beside = {
		.known = f->steering.steered.wanted,
		.list = services,
	};
	struct addr *local = NULL;
	struct sync_entry *plan = NULL;
	size_t local_count, count;
	int rc = -1;

	if (f->sets.count == 0)
		return 0;
	beside.count = steered_published(&f->steering.steered, services);
	beside.maps = &f->sets.list[0].maps;
	if (addresses_read(&local, &local_count, err) != 0)
		goto out;
	if (sync_plan(f->listeners, f->listener_count, &beside, local,
		    local_count, f->limits, &plan, &count, err) != 0)
		goto out;
	for (size_t i = 0; i < f->sets.count; i++) {
		if (sync_apply(&f->sets.list[i].maps, plan, count, err) != 0)
			goto out;
	}
	rc = 0;
out:
	free(plan);
	free(local);
	return rc;
}

int
fastpath_listeners_set(struct fastpath *f, const struct fastpath_listener *set,
	size_t count, struct error *err)
{
	free(f->listeners);
	f->listeners = count == 0 ? NULL : xmemdup(set, count * sizeof(*set));
	f->listener_count = count;
	f->steering.steered.listeners_changed = true;
	return listeners_sync(f, err);
}

int
fastpath_watch_fd(const struct fastpath *f)
{
	return f->watch_fd;
}

void
fastpath_network_changed(struct fastpath *f)
{
	struct error err = ERROR_INIT;

	if (f->watch_fd < 0)
		return;
	if (steering_watch(f) && listeners_sync(f, &err) != 0)
		log_warn("fastpath: addresses changed: %s", err.text);
}

/* A set of maps came along. */
static int
everything_sync(struct fastpath *f, struct error *err)
{
	if (prefixes_sync(f, err) != 0)
		return -1;
	blocks_spread(f);
	return limits_sync(f, err);
}

bool
fastpath_repair(struct fastpath *f)
{
	struct error err = ERROR_INIT;
	size_t set_count = f->sets.count;
	struct fastpath_interface before;
	bool changed = false, as_left, raised;

	if (f->interface_count == 0)
		return false;
	raised = privilege_raise();
	for (size_t n = 0; n < f->interface_count; n++) {
		struct interface *i = &f->interfaces[n];

		as_left = interface_is_as_left(i);
		if (as_left && (i->shown.attached || i->patience-- > 0))
			continue;
		before = i->shown;
		interface_ensure(f, i);
		changed |= !as_left || !shown_equal(&before, &i->shown);
	}
	sets_pin(&f->sets);
	privilege_lower(raised);
	if (f->sets.count != set_count && everything_sync(f, &err) != 0)
		log_warn("fastpath: %s", err.text);
	/* Its maps, its interfaces and their mode: services need them all. */
	if ((changed || f->sets.count != set_count) &&
		steering_sync(f, &err) != 0)
		log_warn("fastpath: %s", err.text);
	return changed;
}

/* ---- counters */

static int
counters_sum(
	const struct fastpath *f, uint32_t slot, struct gg_counters *sum)
{
	memset(sum, 0, sizeof(*sum));
	if (slot >= GG_SLOTS_MAX)
		return -1;
	for (size_t i = 0; i < f->sets.count; i++)
		if (maps_count(&f->sets.list[i].maps, slot, sum) != 0)
			return -1;
	return 0;
}

int
fastpath_counters(const struct fastpath *f, uint32_t slot,
	fastpath_counter_f *cb, void *arg)
{
	static const char *const names[] = {
#define X(name, help) #name,
		GG_REASONS(X)
#undef X
	};
	struct gg_count counts[GG_REASON_COUNT];
	struct gg_counters sum;

	if (counters_sum(f, slot, &sum) != 0)
		return -1;
	memcpy(counts, &sum, sizeof(counts));
	for (size_t i = 0; i < GG_REASON_COUNT; i++)
		cb(names[i], counts[i].packets, counts[i].bytes, arg);
	return 0;
}

int
fastpath_notes(const struct fastpath *f, uint32_t slot, fastpath_note_f *cb,
	void *arg)
{
	struct gg_counters sum;

	if (counters_sum(f, slot, &sum) != 0)
		return -1;
#define X(name, help) cb(#name, sum.note_##name, arg);
	GG_NOTES(X)
#undef X
	return 0;
}

uint64_t
fastpath_map_bytes(const struct fastpath *f)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < f->sets.count; i++)
		sum += maps_bytes(&f->sets.list[i].maps);
	return sum;
}

void
fastpath_sizes_explain(const struct fastpath *f, struct str *out)
{
	struct str differ;

	str_init(&differ);
	for (size_t i = 0; i < f->sets.count; i++)
		maps_sizes_explain(&f->sets.list[i].maps, &f->sets.sizes,
			&differ);
	if (differ.length > 0)
		str_printf(out,
			"%s: maps keep the size that they were made with; after "
			"a stop with xdp.onStop: detach they are made anew",
			differ.data);
	str_fini(&differ);
}
