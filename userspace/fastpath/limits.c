/* Limits per source: what is wanted, brought into gg_limit. */
#include "fastpath/limits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "base/mem.h"
#include "fastpath/inner.h"
#include "fastpath/rate.h"
#include "fastpath/sources.h"

#define FRAME_FULL 1514 /* bytes: a smaller burst would stop every transfer */

/* ---- from what is wanted to what the kernel has */

static int
rule_rate(const struct fastpath_rate *rate, const char *name, uint32_t hz,
	struct gg_rate *out, uint8_t *flags, struct error *err)
{
	if (rate_make(rate, hz, out, err) != 0)
		return error_prefix(err, "%s", name);
	if (out->flags & GG_RATE_FINE)
		*flags |= GG_RULE_FINE;
	return 0;
}

static int
rule_make(const struct fastpath_rule *rule, uint32_t hz, struct gg_rule *out,
	struct error *err)
{
	*out = (struct gg_rule){ .plen4 = rule->plen4, .plen6 = rule->plen6 };
	if (rule->plen4 < 1 || rule->plen4 > 32)
		return error_set(err, ERROR_CONFIG,
			"an IPv4 prefix of %u bits is out of 1..32",
			rule->plen4);
	if (rule->plen6 < 1 || rule->plen6 > 128)
		return error_set(err, ERROR_CONFIG,
			"an IPv6 prefix of %u bits is out of 1..128",
			rule->plen6);
	if (rule->packets.rate == 0 && rule->bytes.rate == 0 &&
		rule->connections.rate == 0)
		return error_set(err, ERROR_CONFIG, "limits nothing");
	if (rule->bytes.rate != 0 && rule->bytes.burst < FRAME_FULL)
		return error_set(err, ERROR_CONFIG,
			"bytes: a burst of %llu lets no full frame pass: at "
			"least %d",
			(unsigned long long)rule->bytes.burst, FRAME_FULL);
	if (rule->shadow)
		out->flags |= GG_RULE_SHADOW;
	if (rule_rate(&rule->packets, "packets", hz, &out->packets, &out->flags,
		    err) != 0 ||
		rule_rate(&rule->bytes, "bytes", hz, &out->bytes, &out->flags,
			err) != 0)
		return -1;
	return rule_rate(&rule->connections, "connections", hz,
		&out->connections, &out->flags, err);
}

static int
limit_make(const struct fastpath_limits *limits, struct gg_limit *out,
	struct error *err)
{
	uint32_t hz = maps_kernel_hz();

	if (limits->slot == 0 || limits->slot >= GG_SLOTS_MAX)
		return error_set(err, ERROR_LIMIT, "slot %u is out of 1..%d",
			limits->slot, GG_SLOTS_MAX - 1);
	if (limits->count > GG_RULES_MAX)
		return error_set(err, ERROR_LIMIT,
			"slot %u: %u rules; the kernel half holds %d",
			limits->slot, limits->count, GG_RULES_MAX);
	*out = (struct gg_limit){ .count = limits->count };
	for (uint32_t i = 0; i < limits->count; i++) {
		if (rule_make(&limits->rules[i], hz, &out->rules[i], err) != 0)
			return error_prefix(err, "rules[%u]", i);
	}
	return 0;
}

int
fastpath_limits_check(const struct fastpath_limits *limits, struct error *err)
{
	struct gg_limit made;

	return limit_make(limits, &made, err);
}

/* ---- into the maps */

static int
slot_read(const struct maps *maps, uint32_t slot, struct gg_limit *out,
	struct error *err)
{
	if (bpf_map_lookup_elem(maps->fd[MAP_LIMIT], &slot, out) != 0)
		return error_errno(err, errno, "cannot read " GG_MAP_LIMIT);
	return 0;
}

/* Buckets of other rules count in other tokens: they begin anew. */
static int
slot_write(struct fastpath *f, const struct maps *maps, uint32_t slot,
	const struct gg_limit *rules, struct error *err)
{
	struct gg_limit now, wanted = *rules;

	if (slot_read(maps, slot, &now, err) != 0)
		return -1;
	wanted.epoch = now.epoch;
	if (memcmp(&now, &wanted, sizeof(now)) == 0)
		return 0;
	wanted.epoch++;
	if (bpf_map_update_elem(maps->fd[MAP_LIMIT], &slot, &wanted, BPF_ANY) !=
		0)
		return error_errno(err, errno, "cannot write " GG_MAP_LIMIT);
	if (slot_read(maps, slot, &now, err) != 0)
		return -1;
	if (memcmp(&now, &wanted, sizeof(now)) != 0)
		return error_set(err, ERROR_SYSTEM,
			GG_MAP_LIMIT " does not hold what was written");
	fastpath_limit_forget(f, slot);
	return 0;
}

/* Those that are limited, or those that are not any more. */
static int
slots_write(struct fastpath *f, bool limited, struct error *err)
{
	static const struct gg_limit none;

	for (size_t i = 0; i < f->sets.count; i++) {
		const struct maps *maps = &f->sets.list[i].maps;

		if (maps->fd[MAP_LIMIT] < 0) {
			if (f->limits == NULL)
				continue;
			return error_set(err, ERROR_SYSTEM,
				"the attached program is of a version without "
				"limits");
		}
		for (uint32_t slot = 1; slot < GG_SLOTS_MAX; slot++) {
			const struct gg_limit *wanted = f->limits == NULL ?
				&none :
				&f->limits[slot];

			if ((wanted->count > 0) == limited &&
				slot_write(f, maps, slot, wanted, err) != 0)
				return -1;
		}
	}
	return 0;
}

/* The entry of a listener says that it is limited only while gg_limit has the
 * rules. */
int
limits_sync(struct fastpath *f, struct error *err)
{
	if (slots_write(f, true, err) != 0 || listeners_sync(f, err) != 0)
		return -1;
	return slots_write(f, false, err);
}

int
fastpath_limits_set(struct fastpath *f, const struct fastpath_limits *set,
	size_t count, struct error *err)
{
	struct gg_limit *limits = NULL;

	if (count > 0)
		limits = xcalloc(GG_SLOTS_MAX, sizeof(*limits));
	for (size_t i = 0; i < count; i++) {
		struct gg_limit made;

		if (limit_make(&set[i], &made, err) != 0)
			goto fail;
		if (limits[set[i].slot].count > 0) {
			error_set(err, ERROR_CONFIG,
				"slot %u has two sets of limits", set[i].slot);
			goto fail;
		}
		limits[set[i].slot] = made;
	}
	free(f->limits);
	f->limits = limits;
	return limits_sync(f, err);
fail:
	free(limits);
	return -1;
}
