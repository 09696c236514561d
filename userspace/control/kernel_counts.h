/*
 * What the limits of the kernel refused. It counts by slot and kind alone, for
 * as long as the maps live; so a rule begins with what was counted when the
 * rules of its slot and kind last changed, or when control began.
 */
#ifndef CONTROL_KERNEL_COUNTS_H
#define CONTROL_KERNEL_COUNTS_H

#include <stdint.h>

#include "control/core.h"
#include "model/limit.h"

struct kernel_counts;

struct kernel_counts *kernel_counts_new(void);
void kernel_counts_free(struct kernel_counts *k);
/* The kernel has the rules of the gateways as they are. */
void kernel_counts_told(const struct control *c);
/* It may count in other maps from now on. */
void kernel_counts_forget(struct kernel_counts *k);
/* Packets that a rule dropped at the slot, or in shadow would have, with those
 * of kernel_counts_other(). */
uint64_t kernel_counts_refused(
	const struct control *c, uint32_t slot, const struct limit_rule *r);
/* Another rule of the list that the kernel counts together with r. */
bool kernel_counts_other(const struct model_limits *l,
	const struct limit_rule *r, struct limit_rule *out);

#endif
