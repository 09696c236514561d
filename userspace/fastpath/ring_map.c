/* The ring of one service in the kernel. */
#include "fastpath/ring_map.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include "base/mem.h"
#include "fastpath/privilege.h"

_Static_assert(offsetof(struct gg_ring_slot, base) == 2 &&
		offsetof(struct gg_ring_slot, flags) == 4 &&
		offsetof(struct gg_ring_slot, epoch) == 6,
	"the types below say so");

#define RING_BYTES (GG_RING_SLOTS * sizeof(struct gg_ring_slot))

void
ring_map_init(struct ring_map *r)
{
	*r = (struct ring_map){ .fd = -1 };
}

/* Takes fd. */
static int
ring_take(struct ring_map *r, int fd, struct error *err)
{
	struct bpf_map_info info = { 0 };
	uint32_t length = sizeof(info);
	void *at;

	if (bpf_obj_get_info_by_fd(fd, &info, &length) != 0) {
		error_errno(err, errno, "a ring of " GG_MAP_RING);
		close(fd);
		return -1;
	}
	at = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED) {
		error_errno(err, errno, "cannot map ring %u", info.id);
		close(fd);
		return -1;
	}
	*r = (struct ring_map){ .fd = fd, .id = info.id, .slots = at };
	return 0;
}

/* The types of key and value, so that a dump of the map has names; NULL: it
 * will be one of bytes. */
static struct btf *
ring_types(int *key, int *value)
{
	static const char *const fields[] = { "current", "base", "flags",
		"epoch" };
	struct btf *btf = btf__new_empty();
	int u16;

	if (btf == NULL)
		return NULL;
	*key = btf__add_int(btf, "__u32", sizeof(uint32_t), 0);
	u16 = btf__add_int(btf, "__u16", sizeof(uint16_t), 0);
	*value = btf__add_struct(btf, "gg_ring_slot",
		sizeof(struct gg_ring_slot));
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		btf__add_field(btf, fields[i], u16, (uint32_t)(16 * i), 0);
	if (*value > 0 && btf__load_into_kernel(btf) == 0)
		return btf;
	btf__free(btf);
	return NULL;
}

/* btf NULL: without types. */
static int
ring_create(struct ring_map *r, const struct btf *btf, int key, int value,
	struct error *err)
{
	LIBBPF_OPTS(bpf_map_create_opts, options,
		.map_flags = BPF_F_MMAPABLE);
	int fd;

	if (btf != NULL) {
		options.btf_fd = (uint32_t)btf__fd(btf);
		options.btf_key_type_id = (uint32_t)key;
		options.btf_value_type_id = (uint32_t)value;
	}
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "gg_ring_slots",
		sizeof(uint32_t), sizeof(struct gg_ring_slot), GG_RING_SLOTS,
		&options);
	if (fd < 0)
		return error_errno(err, errno, "cannot make a ring");
	return ring_take(r, fd, err);
}

int
ring_map_make(struct ring_map *r, struct error *err)
{
	int key = 0, value = 0, rc;
	struct btf *btf = ring_types(&key, &value);

	rc = ring_create(r, btf, key, value, err);
	btf__free(btf);
	return rc;
}

void
ring_map_close(struct ring_map *r)
{
	if (r->fd < 0)
		return;
	munmap((void *)(uintptr_t)r->slots, RING_BYTES);
	close(r->fd);
	ring_map_init(r);
}

/* A copy, before packets are to find it. */
static int
ring_forget_types(struct ring_map *r, struct error *err)
{
	struct ring_map plain;

	if (ring_create(&plain, NULL, 0, 0, err) != 0)
		return -1;
	memcpy((void *)(uintptr_t)plain.slots, r->slots, RING_BYTES);
	ring_map_close(r);
	*r = plain;
	return 0;
}

static int
ring_open_id(uint32_t id)
{
	bool raised = privilege_raise();
	int fd = bpf_map_get_fd_by_id(id);

	privilege_lower(raised);
	return fd;
}

int
ring_map_find(struct ring_map *r, int outer, uint32_t slot, struct error *err)
{
	uint32_t id = 0;
	int fd;

	if (bpf_map_lookup_elem(outer, &slot, &id) != 0) {
		if (errno == ENOENT)
			return 1;
		return error_errno(err, errno, "cannot read " GG_MAP_RING);
	}
	fd = ring_open_id(id);
	if (fd < 0)
		return error_errno(err, errno, "cannot open ring %u", id);
	return ring_take(r, fd, err);
}

void
ring_map_store(const struct ring_map *r, uint32_t at,
	struct gg_ring_slot value)
{
	volatile uint64_t *words = (volatile uint64_t *)(uintptr_t)r->slots;
	uint64_t word;

	memcpy(&word, &value, sizeof(word));
	words[at] = word;
}

int
ring_map_name(struct ring_map *r, int outer, uint32_t slot,
	struct error *err)
{
	uint32_t id = 0;
	int rc;

	if (bpf_map_lookup_elem(outer, &slot, &id) == 0 && id == r->id)
		return 0;
	rc = bpf_map_update_elem(outer, &slot, &r->fd, BPF_ANY);
	/* The pattern of rings has no types in the object: clang leaves out
	 * what only an inner map has. Linux 6.1 does not take others then. */
	if (rc != 0 && errno == EINVAL) {
		if (ring_forget_types(r, err) != 0)
			return -1;
		rc = bpf_map_update_elem(outer, &slot, &r->fd, BPF_ANY);
	}
	if (rc != 0)
		return error_errno(err, errno, "cannot write " GG_MAP_RING);
	return 0;
}
