/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Passes all. One end of a veth sends frames by XDP only where the other runs a
 * program, too. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("xdp")
int
pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char gg_license[] SEC("license") = "Dual BSD/GPL";
