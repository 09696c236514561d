/* One-shot commands: `gloo-gateway xdp attach|detach|status DEV`. */
#include "fastpath/fastpath.h"

#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "fastpath/attached.h"
#include "fastpath/library_log.h"
#include "fastpath/maps.h"
#include "fastpath/pins.h"
#include "fastpath/privilege.h"

static const char *
mode_name(enum fastpath_mode mode)
{
	return mode == FASTPATH_GENERIC ? "generic" : "native";
}

static void
attached_print(const char *device, const struct attached *a, struct str *out)
{
	str_printf(out, "%s: attached, %s mode%s, program %u, tag ", device,
		mode_name(a->mode),
		a->dispatcher ? " through libxdp's dispatcher" : "", a->id);
	for (size_t i = 0; i < sizeof(a->tag); i++)
		str_printf(out, "%02x", a->tag[i]);
	str_putc(out, '\n');
}

static int
command_attach(const char *device, unsigned ifindex,
	const struct fastpath_options *with, struct str *out, struct error *err)
{
	const struct fastpath_interface_option wanted = { device,
		FASTPATH_AUTO };
	const struct fastpath_options options = {
		.pin_path = with->pin_path,
		.object = with->object,
		.sizes = with->sizes,
		.flood_guard = with->flood_guard,
		.hash_seed = with->hash_seed,
		.interfaces = &wanted,
		.interface_count = 1,
	};
	struct fastpath *f = fastpath_open(&options);
	const struct fastpath_interface *shown = fastpath_interface_get(f, 0);
	struct attached now;
	int rc;

	if (!shown->attached)
		rc = error_set(err, ERROR_SYSTEM, "%s: %s", device,
			shown->problem);
	else
		rc = attached_query(ifindex, &now, err);
	if (rc == 0)
		attached_print(device, &now, out);
	fastpath_close(f, false);
	return rc;
}

/* Whether a program on any interface still uses these maps. */
static bool
maps_in_use(const struct maps *maps)
{
	struct if_nameindex *all = if_nameindex();
	struct attached now;
	struct maps others;
	bool found = false;

	for (struct if_nameindex *at = all;
		at != NULL && at->if_index != 0 && !found; at++) {
		if (attached_query(at->if_index, &now, NULL) != 0 ||
			!now.ours || maps_open_program(&others, now.id, NULL))
			continue;
		found = maps_equal(maps, &others);
		maps_close(&others);
	}
	if_freenameindex(all);
	return found;
}

/* The pins go with the last interface. */
static void
pins_tidy(const char *pin_path)
{
	struct maps pinned;

	if (maps_open_pinned(&pinned, pin_path, NULL) != 0)
		return;
	if (!maps_in_use(&pinned))
		pins_remove_all(pin_path);
	maps_close(&pinned);
}

static int
command_detach(const char *device, unsigned ifindex,
	const struct fastpath_options *with, struct str *out, struct error *err)
{
	struct attached now;

	if (attached_query(ifindex, &now, err) != 0)
		return error_prefix(err, "%s", device);
	if (now.id == 0) {
		str_printf(out, "%s: no XDP program is attached\n", device);
		return 0;
	}
	if (!now.ours)
		return error_set(err, ERROR_SYSTEM,
			"%s: the attached XDP program (%s, id %u) is not ours",
			device, now.name, now.id);
	if (attached_detach(&now, ifindex, err) != 0)
		return error_prefix(err, "%s", device);
	pins_tidy(with->pin_path);
	str_printf(out, "%s: detached\n", device);
	return 0;
}

static int
command_status(const char *device, unsigned ifindex,
	const struct fastpath_options *with, struct str *out, struct error *err)
{
	struct maps pinned, used;
	struct attached now;

	if (attached_query(ifindex, &now, err) != 0)
		return error_prefix(err, "%s", device);
	if (now.id == 0) {
		str_printf(out, "%s: no XDP program is attached\n", device);
		return 0;
	}
	if (!now.ours) {
		str_printf(out,
			"%s: another XDP program is attached, %s mode: %s, "
			"program %u\n",
			device, mode_name(now.mode), now.name, now.id);
		return 0;
	}
	attached_print(device, &now, out);
	if (maps_open_program(&used, now.id, err) != 0)
		return error_prefix(err, "%s", device);
	for (int i = 0; i < MAP_COUNT; i++)
		str_printf(out, "  map %s, id %u\n", map_names[i], used.id[i]);
	if (maps_open_pinned(&pinned, with->pin_path, NULL) == 0) {
		if (maps_equal(&pinned, &used))
			str_printf(out, "  pinned in %s/" PINS_MAPS "\n",
				with->pin_path);
		maps_close(&pinned);
	}
	maps_close(&used);
	return 0;
}

int
fastpath_command(const char *verb, const char *device,
	const struct fastpath_options *options, struct str *out,
	struct error *err)
{
	static const struct {
		const char *verb;
		int (*run)(const char *device, unsigned ifindex,
			const struct fastpath_options *with,
			struct str *out, struct error *err);
	} commands[] = {
		{ "attach", command_attach },
		{ "detach", command_detach },
		{ "status", command_status },
	};
	unsigned ifindex;
	bool raised;
	int rc;

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].verb, verb) != 0)
			continue;
		ifindex = if_nametoindex(device);
		if (ifindex == 0)
			return error_set(err, ERROR_CONFIG,
				"there is no interface %s", device);
		library_log_open();
		raised = privilege_raise();
		rc = commands[i].run(device, ifindex, options, out, err);
		privilege_lower(raised);
		return rc;
	}
	return error_set(err, ERROR_CONFIG,
		"\"%s\" is no xdp command; use attach, detach or status", verb);
}
