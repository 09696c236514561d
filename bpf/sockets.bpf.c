/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which listening socket a new connection gets. gg_lookup brings what comes
 * for further addresses and ports of a listener to its sockets; gg_worker
 * chooses among these. Neither ever drops: what they do not know goes on as if
 * they were not there.
 */
#include <stddef.h>

#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/contract.h"

#define AF_INET 2

/* Listening sockets, by GG_SOCKET_KEY; a closed one leaves by itself. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, GG_SOCKETS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} gg_socket SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GG_LISTENERS_MAX);
	__type(key, struct gg_vip_key);
	__type(value, struct gg_listener);
} gg_listener SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, GG_BINDS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct gg_bind_key);
	__type(value, struct gg_bind);
} gg_bind SEC(".maps");

static __always_inline void
ip4_put(__u8 ip[16], __u32 ip4_be)
{
	ip[10] = ip[11] = 0xff;
	__builtin_memcpy(ip + 12, &ip4_be, 4);
}

/* Word by word: so the kernel lets a context's address be read. */
static __always_inline void
ip6_put(__u8 ip[16], __u32 w0, __u32 w1, __u32 w2, __u32 w3)
{
	__builtin_memcpy(ip, &w0, 4);
	__builtin_memcpy(ip + 4, &w1, 4);
	__builtin_memcpy(ip + 8, &w2, 4);
	__builtin_memcpy(ip + 12, &w3, 4);
}

/* In a group of SO_REUSEPORT, whose sockets have one address. Without a choice
 * of ours the kernel's hash chooses, also where a closed socket's connections
 * go: attached as "migrate", this permits that without tcp_migrate_req. */
SEC("sk_reuseport/migrate")
int
gg_worker(struct sk_reuseport_md *ctx)
{
	struct gg_vip_key key = { .l4_proto = ctx->ip_protocol };
	const struct gg_listener *listener;
	const struct bpf_sock *sk = ctx->sk;
	__u32 socket;

	if (sk == NULL || ctx->migrating_sk != NULL)
		return SK_PASS;
	key.port_be = bpf_htons(sk->src_port);
	if (sk->family == AF_INET) {
		ip4_put(key.ip, sk->src_ip4);
	} else {
		ip6_put(key.ip, sk->src_ip6[0], sk->src_ip6[1],
			sk->src_ip6[2], sk->src_ip6[3]);
	}
	listener = bpf_map_lookup_elem(&gg_listener, &key);
	if (listener == NULL || listener->workers == 0)
		return SK_PASS;
	socket = GG_SOCKET_KEY(listener->slot,
		bpf_get_smp_processor_id() % listener->workers);
	bpf_sk_select_reuseport(ctx, &gg_socket, &socket, 0);
	return SK_PASS;
}

/* Before the kernel's own lookup, for what belongs to no connection yet. */
SEC("sk_lookup")
int
gg_lookup(struct bpf_sk_lookup *ctx)
{
	struct gg_bind_key key = {
		.plen = GG_BIND_PLEN(128),
		.l4_proto = ctx->protocol,
		.port_be = bpf_htons(ctx->local_port),
	};
	struct gg_bind *bind;
	struct bpf_sock *sk;
	__u32 socket;
	long rc;

	if (ctx->family == AF_INET) {
		ip4_put(key.ip, ctx->local_ip4);
	} else {
		ip6_put(key.ip, ctx->local_ip6[0], ctx->local_ip6[1],
			ctx->local_ip6[2], ctx->local_ip6[3]);
	}
	bind = bpf_map_lookup_elem(&gg_bind, &key);
	if (bind == NULL)
		return SK_PASS;
	/* Its group is asked for a worker after that. */
	socket = GG_SOCKET_KEY(bind->slot, 0);
	sk = bpf_map_lookup_elem(&gg_socket, &socket);
	if (sk == NULL) {
		__sync_fetch_and_add(&bind->no_socket, 1);
		return SK_PASS;
	}
	rc = bpf_sk_assign(ctx, sk, 0);
	bpf_sk_release(sk);
	if (rc == 0)
		__sync_fetch_and_add(&bind->connections, 1);
	else
		__sync_fetch_and_add(&bind->no_socket, 1);
	return SK_PASS;
}

char gg_license[] SEC("license") = "Dual BSD/GPL";
