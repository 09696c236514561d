/* One set of the maps that the contract names. */
#include "fastpath/maps.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/membarrier.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/mem.h"
#include "fastpath/pins.h"
#include "model/counters.h"

_Static_assert(GG_LISTENERS_MAX == LISTENERS_MAX,
	"kernel and proxy count the same slots");

#define PROGRAM_MAPS_MAX 64
#define ADMIT_SHIFT      1    /* a source is kept from half its burst on */
#define SAMPLE           1024 /* drops for one in gg_events */
/* Entries of sources that a CPU makes. At a microsecond each a fiftieth of its
 * time, and a table of 65536 is not turned over within seconds. */
#define SOURCES_PER_S 20000

struct shape {
	uint32_t type, key_size, value_size;
	uint32_t max_entries; /* at least; 0: any */
};

const char *const map_names[MAP_COUNT] = {
	[MAP_CFG] = GG_MAP_CFG,
	[MAP_VIP] = GG_MAP_VIP,
	[MAP_REASON] = GG_MAP_REASON,
	[MAP_LIMIT] = GG_MAP_LIMIT,
	[MAP_RL4] = GG_MAP_RL4,
	[MAP_RL6] = GG_MAP_RL6,
	[MAP_SKETCH] = GG_MAP_SKETCH,
	[MAP_MARK] = GG_MAP_MARK,
	[MAP_LIST] = GG_MAP_LIST,
	[MAP_LIST_HITS] = GG_MAP_LIST_HITS,
	[MAP_BLOCK] = GG_MAP_BLOCK,
	[MAP_EVENTS] = GG_MAP_EVENTS,
	[MAP_RING] = GG_MAP_RING,
	[MAP_BACKEND] = GG_MAP_BACKEND,
	[MAP_BACKEND_HITS] = GG_MAP_BACKEND_HITS,
	[MAP_SERVICE] = GG_MAP_SERVICE,
	[MAP_REVERSE] = GG_MAP_REVERSE,
	[MAP_CT4] = GG_MAP_CT4,
	[MAP_CT6] = GG_MAP_CT6,
	[MAP_NAT4] = GG_MAP_NAT4,
	[MAP_NAT6] = GG_MAP_NAT6,
	[MAP_FRAGMENT] = GG_MAP_FRAGMENT,
	[MAP_TX] = GG_MAP_TX,
};

#define SHAPE(type, key, value, entries)                                       \
	{ BPF_MAP_TYPE_##type, sizeof(key), sizeof(value), entries }

static const struct shape shapes[MAP_COUNT] = {
	[MAP_CFG] = SHAPE(ARRAY, uint32_t, struct gg_cfg, 1),
	[MAP_VIP] = SHAPE(HASH, struct gg_vip_key, struct gg_vip, GG_VIPS_MAX),
	[MAP_REASON] = SHAPE(PERCPU_ARRAY, uint32_t, struct gg_counters,
		GG_SLOTS_MAX),
	[MAP_LIMIT] = SHAPE(ARRAY, uint32_t, struct gg_limit, GG_SLOTS_MAX),
	[MAP_RL4] = SHAPE(LRU_HASH, struct gg_rl4_key, struct gg_rl4, 0),
	[MAP_RL6] = SHAPE(LRU_HASH, struct gg_rl6_key, struct gg_rl6, 0),
	[MAP_SKETCH] = SHAPE(ARRAY, uint32_t, struct gg_sketch_line,
		2 * GG_SKETCH_LINES),
	[MAP_MARK] = SHAPE(ARRAY, uint32_t, uint64_t, GG_MARK_WORDS),
	[MAP_LIST] = SHAPE(LPM_TRIE, struct gg_list_key, struct gg_list,
		GG_LIST_MAX),
	[MAP_LIST_HITS] = SHAPE(PERCPU_ARRAY, uint32_t, uint64_t, GG_LIST_MAX),
	[MAP_BLOCK] = SHAPE(LRU_HASH, struct gg_block_key, struct gg_block, 0),
	[MAP_EVENTS] = { BPF_MAP_TYPE_RINGBUF, 0, 0, 0 },
	[MAP_RING] = SHAPE(ARRAY_OF_MAPS, uint32_t, uint32_t, GG_SLOTS_MAX),
	[MAP_BACKEND] = SHAPE(ARRAY, uint32_t, struct gg_backend,
		GG_BACKENDS_MAX),
	[MAP_BACKEND_HITS] = SHAPE(PERCPU_ARRAY, uint32_t,
		struct gg_backend_hits, GG_BACKENDS_MAX),
	[MAP_SERVICE] = SHAPE(ARRAY, uint32_t, struct gg_service, GG_SLOTS_MAX),
	[MAP_REVERSE] = SHAPE(HASH, struct gg_vip_key, struct gg_reverse,
		GG_BACKENDS_MAX),
	[MAP_CT4] = SHAPE(LRU_HASH, struct gg_flow4, struct gg_connection, 0),
	[MAP_CT6] = SHAPE(LRU_HASH, struct gg_flow6, struct gg_connection, 0),
	[MAP_NAT4] = SHAPE(LRU_HASH, struct gg_flow4, struct gg_nat4, 0),
	[MAP_NAT6] = SHAPE(LRU_HASH, struct gg_flow6, struct gg_nat6, 0),
	[MAP_FRAGMENT] = SHAPE(LRU_HASH, struct gg_fragment_key,
		struct gg_fragment, 0),
	[MAP_TX] = SHAPE(DEVMAP_HASH, uint32_t, struct bpf_devmap_val, 0),
};

void
maps_init(struct maps *m)
{
	for (int i = 0; i < MAP_COUNT; i++) {
		m->fd[i] = -1;
		m->id[i] = 0;
	}
}

void
maps_close(struct maps *m)
{
	for (int i = 0; i < MAP_COUNT; i++) {
		if (m->fd[i] >= 0)
			close(m->fd[i]);
	}
	maps_init(m);
}

int
maps_take(struct maps *m, enum map_kind kind, int fd, struct error *err)
{
	const struct shape *shape = &shapes[kind];
	struct bpf_map_info info = { 0 };
	uint32_t length = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &length) != 0) {
		close(fd);
		return error_errno(err, errno, "%s", map_names[kind]);
	}
	if (info.type != shape->type || info.key_size != shape->key_size ||
		info.value_size != shape->value_size ||
		info.max_entries < shape->max_entries) {
		close(fd);
		return error_set(err, ERROR_SYSTEM,
			"map %s (id %u) has another shape than this version's",
			map_names[kind], info.id);
	}
	if (m->fd[kind] >= 0)
		close(m->fd[kind]);
	m->fd[kind] = fd;
	m->id[kind] = info.id;
	return 0;
}

static int
cfg_read(const struct maps *m, struct gg_cfg *cfg, struct error *err)
{
	const uint32_t key = 0;

	if (bpf_map_lookup_elem(m->fd[MAP_CFG], &key, cfg) != 0)
		return error_errno(err, errno, "cannot read " GG_MAP_CFG);
	return 0;
}

/* What means something else in another version may well have the same size. */
static int
contract_check(const struct maps *m, struct error *err)
{
	struct gg_cfg cfg;

	if (cfg_read(m, &cfg, err) != 0)
		return -1;
	if (cfg.contract == 0 || cfg.contract == GG_CONTRACT_VERSION)
		return 0;
	return error_set(err, ERROR_SYSTEM,
		"map " GG_MAP_CFG " (id %u) is of contract %u, this version's"
		" is %d",
		m->id[MAP_CFG], cfg.contract, GG_CONTRACT_VERSION);
}

int
maps_open_pinned(struct maps *m, const char *pin_path, struct error *err)
{
	int fd;

	maps_init(m);
	for (int i = 0; i < MAP_COUNT; i++) {
		fd = pins_get(pin_path, PINS_MAPS, map_names[i]);
		if (fd < 0 && i != MAP_CFG)
			continue;
		if (fd < 0) {
			error_errno(err, errno, "no pinned map %s",
				map_names[i]);
			goto fail;
		}
		if (maps_take(m, (enum map_kind)i, fd, err) != 0)
			goto fail;
	}
	if (contract_check(m, err) != 0)
		goto fail;
	return 0;
fail:
	maps_close(m);
	return -1;
}

/* The map with this id if it is one of ours, else nothing happens. */
static int
maps_take_id(struct maps *m, uint32_t id, struct error *err)
{
	struct bpf_map_info info = { 0 };
	uint32_t length = sizeof(info);
	int fd = bpf_map_get_fd_by_id(id);

	if (fd < 0)
		return error_errno(err, errno, "cannot open map %u", id);
	if (bpf_obj_get_info_by_fd(fd, &info, &length) == 0) {
		for (int i = 0; i < MAP_COUNT; i++) {
			if (strcmp(info.name, map_names[i]) == 0)
				return maps_take(m, (enum map_kind)i, fd, err);
		}
	}
	close(fd);
	return 0;
}

int
maps_open_program(struct maps *m, uint32_t program_id, struct error *err)
{
	uint32_t ids[PROGRAM_MAPS_MAX];
	struct bpf_prog_info info = {
		.nr_map_ids = PROGRAM_MAPS_MAX,
		.map_ids = (uintptr_t)ids,
	};
	uint32_t length = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(program_id);
	int rc;

	maps_init(m);
	if (fd < 0)
		return error_errno(err, errno, "cannot open program %u",
			program_id);
	rc = bpf_obj_get_info_by_fd(fd, &info, &length);
	close(fd);
	if (rc != 0)
		return error_errno(err, errno, "program %u", program_id);
	for (uint32_t i = 0; i < info.nr_map_ids && i < PROGRAM_MAPS_MAX; i++) {
		if (maps_take_id(m, ids[i], err) != 0)
			goto fail;
	}
	if (m->fd[MAP_CFG] < 0) {
		error_set(err, ERROR_SYSTEM, "program %u has no map %s",
			program_id, map_names[MAP_CFG]);
		goto fail;
	}
	if (contract_check(m, err) != 0)
		goto fail;
	return 0;
fail:
	maps_close(m);
	return -1;
}

bool
maps_equal(const struct maps *a, const struct maps *b)
{
	return a->id[MAP_CFG] == b->id[MAP_CFG];
}

int
maps_pin(const struct maps *m, const char *pin_path, struct error *err)
{
	for (int i = 0; i < MAP_COUNT; i++) {
		if (m->fd[i] >= 0 &&
			pins_set(pin_path, PINS_MAPS, map_names[i], m->fd[i],
				err) != 0)
			return -1;
	}
	return 0;
}

/* The coarse clock moves once a tick: its resolution is the tick. */
uint32_t
maps_kernel_hz(void)
{
	struct timespec tick;

	if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) != 0 ||
		tick.tv_nsec <= 0)
		return 0;
	return (uint32_t)((1000000000 + tick.tv_nsec / 2) / tick.tv_nsec);
}

/* ---- gg_cfg */

static int
cfg_write(const struct maps *m, const struct gg_cfg *cfg, struct error *err)
{
	const uint32_t key = 0;

	if (bpf_map_update_elem(m->fd[MAP_CFG], &key, cfg, BPF_ANY) != 0)
		return error_errno(err, errno, "cannot write " GG_MAP_CFG);
	return 0;
}

static int
random_fill(void *to, size_t size, struct error *err)
{
	if (getrandom(to, size, 0) != (ssize_t)size)
		return error_errno(err, errno, "no random number");
	return 0;
}

static int
cfg_seed(struct gg_cfg *cfg, uint32_t seed, struct error *err)
{
	if (seed != 0 && (cfg->seed == 0 || !(cfg->flags & GG_CFG_STEER)))
		cfg->seed = seed;
	return cfg->seed != 0 ? 0 :
				random_fill(&cfg->seed, sizeof(cfg->seed), err);
}

int
maps_configure(const struct maps *m, uint32_t flood_guard, uint32_t seed,
	struct error *err)
{
	struct gg_cfg cfg;

	if (cfg_read(m, &cfg, err) != 0)
		return -1;
	cfg.contract = GG_CONTRACT_VERSION;
	cfg.hz = maps_kernel_hz();
	cfg.admit_shift = ADMIT_SHIFT;
	cfg.flood_guard = flood_guard;
	cfg.source_guard = cfg.hz == 0 ? 0 : SOURCES_PER_S / cfg.hz + 1;
	cfg.sample = SAMPLE;
	if (cfg.salt == 0 &&
		random_fill(&cfg.salt, sizeof(cfg.salt), err) != 0)
		return -1;
	if (cfg_seed(&cfg, seed, err) != 0)
		return -1;
	return cfg_write(m, &cfg, err);
}

int
maps_seed(const struct maps *m, uint32_t seed, struct error *err)
{
	struct gg_cfg cfg;
	uint32_t before;

	if (cfg_read(m, &cfg, err) != 0)
		return -1;
	before = cfg.seed;
	if (cfg_seed(&cfg, seed, err) != 0)
		return -1;
	return cfg.seed == before ? 0 : cfg_write(m, &cfg, err);
}

bool
maps_seed_is(const struct maps *m, uint32_t seed)
{
	struct gg_cfg cfg;

	return cfg_read(m, &cfg, NULL) == 0 && cfg.seed == seed;
}

int
maps_flag(const struct maps *m, uint32_t flag, bool on, struct error *err)
{
	struct gg_cfg cfg;

	if (cfg_read(m, &cfg, err) != 0)
		return -1;
	if (((cfg.flags & flag) != 0) == on)
		return 0;
	cfg.flags ^= flag;
	return cfg_write(m, &cfg, err);
}

/* ---- counters */

/* Adds the words of a value of a per-CPU map, over all CPUs, to sum. */
static int
cpus_add(int fd, uint32_t key, uint64_t *sum, size_t words)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t *values;
	int rc = -1;

	if (cpus <= 0)
		return -1;
	values = xcalloc((size_t)cpus * words, sizeof(*values));
	if (bpf_map_lookup_elem(fd, &key, values) != 0)
		goto out;
	for (size_t i = 0; i < (size_t)cpus * words; i++)
		sum[i % words] += values[i];
	rc = 0;
out:
	free(values);
	return rc;
}

int
maps_count(const struct maps *m, uint32_t slot, struct gg_counters *sum)
{
	return cpus_add(m->fd[MAP_REASON], slot, (uint64_t *)sum,
		sizeof(*sum) / sizeof(uint64_t));
}

int
maps_count_backend(const struct maps *m, uint16_t index,
	struct gg_backend_hits *sum)
{
	return cpus_add(m->fd[MAP_BACKEND_HITS], index, (uint64_t *)sum,
		sizeof(*sum) / sizeof(uint64_t));
}

int
maps_await_programs(struct error *err)
{
	if (syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0)
		return 0;
	return error_errno(err, errno, "the kernel does not say when programs "
				       "have ended (membarrier)");
}

static uint64_t
map_bytes(int fd)
{
	char path[64], line[128];
	unsigned long long bytes = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (file == NULL)
		return 0;
	while (fgets(line, sizeof(line), file) != NULL) {
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			break;
	}
	fclose(file);
	return bytes;
}

uint64_t
maps_bytes(const struct maps *m)
{
	uint64_t sum = 0;

	for (int i = 0; i < MAP_COUNT; i++) {
		if (m->fd[i] >= 0)
			sum += map_bytes(m->fd[i]);
	}
	return sum;
}

/* ---- sizes */

/* Which of the sizes a map has; the others have the size of the contract. */
static const struct {
	enum map_kind kind;
	const char *key; /* of the settings */
	size_t offset;
} sized[] = {
#define SIZED(kind, member)                                                    \
	{                                                                      \
		kind, #member, offsetof(struct fastpath_sizes, member)         \
	}
	SIZED(MAP_RL4, sources),
	SIZED(MAP_RL6, sources),
	SIZED(MAP_CT4, connections),
	SIZED(MAP_CT6, connections),
	SIZED(MAP_NAT4, nat),
	SIZED(MAP_NAT6, nat),
	SIZED(MAP_FRAGMENT, fragments),
#undef SIZED
};

#define SIZED_COUNT (sizeof(sized) / sizeof(sized[0]))

static uint32_t
size_at(const struct fastpath_sizes *sizes, size_t i)
{
	uint32_t size;

	memcpy(&size, (const char *)sizes + sized[i].offset, sizeof(size));
	return size;
}

uint32_t
maps_size_wanted(const struct fastpath_sizes *sizes, enum map_kind kind)
{
	for (size_t i = 0; i < SIZED_COUNT; i++) {
		if (sized[i].kind == kind)
			return size_at(sizes, i);
	}
	return 0;
}

void
maps_sizes_explain(const struct maps *m, const struct fastpath_sizes *sizes,
	struct str *out)
{
	for (size_t i = 0; i < SIZED_COUNT; i++) {
		struct bpf_map_info info = { 0 };
		uint32_t length = sizeof(info), wanted = size_at(sizes, i);
		int fd = m->fd[sized[i].kind];

		if (wanted == 0 || fd < 0 ||
			bpf_obj_get_info_by_fd(fd, &info, &length) != 0 ||
			info.max_entries == wanted)
			continue;
		str_printf(out,
			"%s%s has %u entries (xdp.maps.%s: %" PRIu32 ")",
			out->length > 0 ? ", " : "", map_names[sized[i].kind],
			info.max_entries, sized[i].key, wanted);
	}
}
