/* The sets of maps in use, usually one. */
#include "fastpath/sets.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "fastpath/pins.h"

static struct map_set *
set_add(struct sets *s, const struct maps *maps)
{
	struct map_set *set;

	s->list = xreallocarray(s->list, s->count + 1, sizeof(*s->list));
	set = &s->list[s->count++];
	set->maps = *maps;
	set->program = NULL;
	return set;
}

static void
set_configure(const struct sets *s, const struct map_set *set)
{
	struct error err = ERROR_INIT;

	if (maps_configure(&set->maps, s->flood_guard, s->hash_seed, &err) != 0)
		log_warn("fastpath: %s", err.text);
}

/* One that was there already. */
static struct map_set *
set_adopt(struct sets *s, const struct maps *maps)
{
	struct map_set *set = set_add(s, maps);
	struct str differ;

	set_configure(s, set);
	str_init(&differ);
	maps_sizes_explain(maps, &s->sizes, &differ);
	if (differ.length > 0)
		log_info("fastpath: maps that are in use keep their size: %s",
			differ.data);
	str_fini(&differ);
	return set;
}

struct map_set *
sets_of_program(struct sets *s, uint32_t program_id)
{
	struct error err = ERROR_INIT;
	struct maps maps;

	if (maps_open_program(&maps, program_id, &err) != 0) {
		log_info("fastpath: the maps of program %u are not taken over:"
			 " %s",
			program_id, err.text);
		return NULL;
	}
	for (size_t i = 0; i < s->count; i++) {
		if (maps_equal(&s->list[i].maps, &maps)) {
			maps_close(&maps);
			return &s->list[i];
		}
	}
	return set_adopt(s, &maps);
}

struct map_set *
sets_primary(struct sets *s, struct error *err)
{
	struct error why = ERROR_INIT;
	struct program *program;
	struct map_set *set;
	struct maps maps;

	if (s->count > 0)
		return &s->list[0];
	maps_init(&maps);
	program = program_load(s->object, &maps, &s->sizes, &why);
	if (program == NULL) {
		/* Rather small maps than none. */
		maps_close(&maps);
		program = program_load(s->object, &maps, NULL, err);
		if (program == NULL) {
			maps_close(&maps);
			return NULL;
		}
		log_warn("fastpath: the maps are as built, not of the sizes of "
			 "xdp.maps: %s",
			why.text);
	}
	set = set_add(s, &maps);
	set->program = program;
	set_configure(s, set);
	return set;
}

struct program *
sets_program(const struct sets *s, struct map_set *set, struct error *err)
{
	if (set->program == NULL)
		set->program = program_load(s->object, &set->maps, &s->sizes,
			err);
	return set->program;
}

static bool
maps_are_pinned(const char *pin_path)
{
	int fd = pins_get(pin_path, PINS_MAPS, map_names[MAP_CFG]);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

void
sets_open(struct sets *s, const struct fastpath_options *options)
{
	struct error err = ERROR_INIT;
	struct maps maps;

	*s = (struct sets){
		.pin_path = options->pin_path,
		.object = options->object,
		.sizes = options->sizes,
		.flood_guard = options->flood_guard,
		.hash_seed = options->hash_seed,
	};
	if (!maps_are_pinned(s->pin_path))
		return;
	if (maps_open_pinned(&maps, s->pin_path, &err) != 0) {
		log_info("fastpath: the pinned maps are not taken over: %s",
			err.text);
		return;
	}
	set_adopt(s, &maps);
	s->pinned = true;
}

int
sets_guard(struct sets *s, uint32_t flood_guard, struct error *err)
{
	s->flood_guard = flood_guard;
	for (size_t i = 0; i < s->count; i++) {
		if (maps_configure(&s->list[i].maps, flood_guard, s->hash_seed,
			    err) != 0)
			return -1;
	}
	return 0;
}

int
sets_seed(struct sets *s, struct error *err)
{
	for (size_t i = 0; i < s->count; i++) {
		if (maps_seed(&s->list[i].maps, s->hash_seed, err) != 0)
			return -1;
	}
	return 0;
}

void
sets_seed_explain(const struct sets *s, struct str *out)
{
	for (size_t i = 0; s->hash_seed != 0 && i < s->count; i++) {
		if (maps_seed_is(&s->list[i].maps, s->hash_seed))
			continue;
		str_puts(out,
			"xdp.hashSeed is not in use yet: services are steered "
			"by the seed before it, and their connections would "
			"move; it is taken when no service is steered, or "
			"after a stop with xdp.onStop: detach");
		return;
	}
}

void
sets_pin(struct sets *s)
{
	struct error err = ERROR_INIT;

	if (s->pinned || s->count == 0)
		return;
	if (pins_prepare(s->pin_path, PINS_MAPS, &err) == 0 &&
		maps_pin(&s->list[0].maps, s->pin_path, &err) == 0) {
		s->pinned = true;
		return;
	}
	if (!s->warned)
		log_warn("fastpath: the maps are not pinned: %s", err.text);
	s->warned = true;
}

void
sets_close(struct sets *s)
{
	for (size_t i = 0; i < s->count; i++) {
		program_free(s->list[i].program);
		maps_close(&s->list[i].maps);
	}
	free(s->list);
	*s = (struct sets){ 0 };
}
