/* What the resources limit in the kernel: rules of gateways, prefixes of the
 * settings, sources that are blocked. */
#ifndef CONTROL_KERNEL_LIMITS_H
#define CONTROL_KERNEL_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/doc.h"
#include "base/str.h"
#include "control/core.h"
#include "model/limit.h"

/* A gateway that has taken a slot before it is an object's. */
struct gateway_ahead {
	const struct model_gateway *gateway;
	uint32_t slot;
};

/* Whether the kernel could hold them; err names the rule. */
int kernel_limits_check(const struct model_gateway *g, struct error *err);
/* Is there any of stage kernel? */
bool kernel_limits_wanted(const struct model_gateway *g);
/* The rule that counts those in the group of that index, as the kernel has it;
 * false: there is none by now. */
bool kernel_limits_rule(const struct model_gateway *g, uint32_t group,
	enum limit_counts counts, struct limit_rule *out);
/* Brings the maps to what the gateways, that one (or NULL) and the settings
 * say. */
int kernel_limits_tell(const struct control *c,
	const struct gateway_ahead *ahead, struct error *err);
/* Why xdp.denyPrefixes and xdp.allowPrefixes do nothing; NULL: they do, or there
 * are none. */
const char *kernel_prefixes_problem(const struct settings *s);
/* With the packets that each decided; for /v1/prefixes and for /metrics. */
struct doc *kernel_prefixes_print(const struct control *c);
void kernel_prefixes_metrics(const struct control *c, struct str *out);

int kernel_block(const struct control *c, uint32_t slot,
	const struct addr *addr, uint32_t ms, struct error *err);
void kernel_unblock(
	const struct control *c, uint32_t slot, const struct addr *addr);
/* Each second. */
void kernel_blocks_look(const struct control *c);
typedef void kernel_block_f(uint32_t slot, const struct addr *addr,
	uint64_t left_ms, uint64_t dropped, void *arg);
void kernel_blocks_each(const struct control *c, kernel_block_f *cb, void *arg);

#endif
