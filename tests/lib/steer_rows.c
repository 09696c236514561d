/* The packet table of steering. */
#include "tests/lib/steer_rows.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>

#include <linux/bpf.h>

#define R(name) GG_REASON_##name

/* To the service addresses; to the backend of a slot; back to the sender. */
#define A4    "ip4 to=198.51.100.10 "
#define A6    "ip6 to=2001:db8::10 "
#define B(n)  "eth to=2:0:0:0:1:" #n " from=2:0:0:0:2:1 "
#define BACK  "eth to=2:0:0:0:0:1 from=2:0:0:0:0:2 "
#define ICMP4 "ip4 from=198.51.100.10 to=192.0.2.1 "

const struct steer_row steer_rows[] = {
	/* ---- dsr-l2 */
	{ "dsr-l2: the link addresses change and a hop is taken",
		"eth " A4 "tcp to=80 data=10", XDP_TX, R(forward), 64,
		B(64) A4 "ttl=63 tcp to=80 data=10" },
	{ "dsr-l2: SYN is a connection request",
		"eth " A4 "tcp to=80 flags=S options=20", XDP_TX,
		R(forward_syn), 64,
		B(64) A4 "ttl=63 tcp to=80 flags=S options=20" },
	{ "dsr-l2: UDP", "eth " A4 "udp to=53 data=3", XDP_TX, R(forward), 65,
		B(65) A4 "ttl=63 udp to=53 data=3" },
	{ "dsr-l2: UDP without checksum stays so",
		"eth " A4 "udp to=53 sum=0 data=3", XDP_TX, R(forward), 65,
		B(65) A4 "ttl=63 udp to=53 sum=0 data=3" },
	{ "dsr-l2: TCP over IPv6", "eth " A6 "tcp to=80 data=1", XDP_TX,
		R(forward), 66, B(66) A6 "hops=63 tcp to=80 data=1" },
	{ "dsr-l2: UDP over IPv6", "eth " A6 "udp to=53 data=1", XDP_TX,
		R(forward), 67, B(67) A6 "hops=63 udp to=53 data=1" },
	{ "dsr-l2: one VLAN tag stays", "eth vlan id=5 " A4 "tcp to=80",
		XDP_TX, R(forward), 64,
		B(64) "vlan id=5 " A4 "ttl=63 tcp to=80" },
	{ "dsr-l2: two VLAN tags stay",
		"eth vlan tpid=88a8 id=5 vlan id=6 " A6 "tcp to=80", XDP_TX,
		R(forward), 66,
		B(66) "vlan tpid=88a8 id=5 vlan id=6 " A6 "hops=63 tcp to=80" },
	{ "dsr-l2: three VLAN tags are not looked into",
		"eth vlan vlan vlan " A4 "tcp to=80", XDP_PASS,
		R(pass_too_many_vlans), 0, NULL },
	{ "dsr-l2: IPv4 options are walked",
		"eth " A4 "options=8 tcp to=80 data=4", XDP_TX, R(forward), 64,
		B(64) A4 "options=8 ttl=63 tcp to=80 data=4" },
	{ "dsr-l2: extension headers are walked",
		"eth " A6 "hop dest size=16 tcp to=80", XDP_TX, R(forward), 66,
		B(66) A6 "hops=63 hop dest size=16 tcp to=80" },
	{ "dsr-l2: an authenticated packet may pass: its addresses stay",
		"eth " A6 "ah size=24 tcp to=80", XDP_TX, R(forward), 66,
		B(66) A6 "hops=63 ah size=24 tcp to=80" },
	{ "padding at the frame's end stays",
		"eth " A4 "udp to=53 pad=18", XDP_TX, R(forward), 65,
		B(65) A4 "ttl=63 udp to=53 pad=18" },
	{ "TTL 1 ends here", "eth " A4 "ttl=1 tcp to=80", XDP_DROP,
		R(drop_ttl), 64, NULL },
	{ "TTL 0 was wrong before", "eth " A4 "ttl=0 tcp to=80", XDP_DROP,
		R(drop_ttl), 64, NULL },
	{ "hop limit 1 ends here", "eth " A6 "hops=1 udp to=53", XDP_DROP,
		R(drop_ttl), 67, NULL },
	{ "TTL 2 goes on with 1", "eth " A4 "ttl=2 tcp to=80", XDP_TX,
		R(forward), 64, B(64) A4 "ttl=1 tcp to=80" },
	{ "TTL 255: its byte is the high one of a checksum word",
		"eth " A4 "ttl=255 id=65535 tcp to=80", XDP_TX, R(forward), 64,
		B(64) A4 "ttl=254 id=65535 tcp to=80" },
	{ "a service without a backend", "eth " A4 "tcp to=90", XDP_DROP,
		R(drop_no_backend), 76, NULL },
	{ "a backend whose next hop is not known", "eth " A4 "tcp to=91",
		XDP_DROP, R(drop_no_neighbour), 77, NULL },
	{ "a backend on another interface", "eth " A4 "tcp to=93",
		XDP_REDIRECT, R(forward), 80, B(80) A4 "ttl=63 tcp to=93" },
	{ "a backend on an interface that gg_tx does not have",
		"eth " A4 "tcp to=94", XDP_DROP, R(drop_no_neighbour), 81,
		NULL },
	{ "a listener at a service's address", "eth " A4 "tcp to=443 flags=S",
		XDP_PASS, R(pass_listener_syn), 1, NULL },
	{ "another port of a service's address is the stack's",
		"eth " A4 "tcp to=22", XDP_PASS, R(pass_no_vip_tcp), 0, NULL },
	{ "the TCP service's port in UDP is the stack's",
		"eth " A4 "udp to=80", XDP_PASS, R(pass_no_vip_udp), 0, NULL },
	/* ---- flags */
	{ "TCP without flags", "eth " A4 "tcp to=80 flags=", XDP_DROP,
		R(drop_tcp_flags), 64, NULL },
	{ "SYN and FIN", "eth " A4 "tcp to=80 flags=SF", XDP_DROP,
		R(drop_tcp_flags), 64, NULL },
	{ "SYN and RST", "eth " A4 "tcp to=81 flags=SR", XDP_DROP,
		R(drop_tcp_flags), 68, NULL },
	{ "FIN without ACK", "eth " A6 "tcp to=80 flags=F", XDP_DROP,
		R(drop_tcp_flags), 66, NULL },
	{ "FIN, PSH and URG without ACK", "eth " A4 "tcp to=82 flags=FPU",
		XDP_DROP, R(drop_tcp_flags), 72, NULL },
	{ "FIN with ACK", "eth " A4 "tcp to=80 flags=FA", XDP_TX, R(forward),
		64, B(64) A4 "ttl=63 tcp to=80 flags=FA" },
	{ "RST without ACK", "eth " A4 "tcp to=80 flags=R", XDP_TX, R(forward),
		64, B(64) A4 "ttl=63 tcp to=80 flags=R" },
	{ "SYN with data (TFO)", "eth " A4 "tcp to=80 flags=S data=7", XDP_TX,
		R(forward_syn), 64,
		B(64) A4 "ttl=63 tcp to=80 flags=S data=7" },
	{ "flags that nobody sends, to a listener",
		"eth " A4 "tcp to=443 flags=SF", XDP_PASS,
		R(pass_listener_syn), 1, NULL },
	/* ---- route */
	{ "route: the destination becomes the backend",
		"eth " A4 "tcp to=81 data=11", XDP_TX, R(forward), 68,
		B(68) "ip4 to=10.0.0.68 ttl=63 tcp to=8080 data=11" },
	{ "route: its answer comes from the service, by way of the stack",
		"eth ip4 from=10.0.0.68 to=192.0.2.1 tcp from=8080 to=40000 "
		"data=5",
		XDP_PASS, R(forward_reverse), 68,
		"eth ip4 from=198.51.100.10 to=192.0.2.1 ttl=63 tcp from=81 "
		"to=40000 data=5" },
	{ "route: or by way of the one next hop that its clients have",
		"eth ip4 from=10.0.0.84 to=192.0.2.1 tcp from=8080 to=40000",
		XDP_TX, R(forward_reverse), 84,
		"eth to=2:0:0:0:3:1 from=2:0:0:0:0:2 ip4 from=198.51.100.10 "
		"to=192.0.2.1 ttl=63 tcp from=95 to=40000" },
	{ "route: what a backend answers to the box's own probes",
		"eth ip4 from=10.0.0.68 to=10.0.0.1 tcp from=8080 to=40000",
		XDP_PASS, R(pass_no_vip_tcp), 0, NULL },
	{ "route: another port of the backend",
		"eth ip4 from=10.0.0.68 to=192.0.2.1 tcp from=22 to=40000",
		XDP_PASS, R(pass_no_vip_tcp), 0, NULL },
	{ "route: an answer with TTL 1",
		"eth ip4 from=10.0.0.68 to=192.0.2.1 ttl=1 tcp from=8080",
		XDP_DROP, R(drop_ttl), 68, NULL },
	{ "route: UDP", "eth " A4 "udp to=54 data=3", XDP_TX, R(forward), 69,
		B(69) "ip4 to=10.0.0.69 ttl=63 udp to=8080 data=3" },
	{ "route: UDP without checksum stays so",
		"eth " A4 "udp to=54 sum=0 data=4", XDP_TX, R(forward), 69,
		B(69) "ip4 to=10.0.0.69 ttl=63 udp to=8080 sum=0 data=4" },
	{ "route: TCP over IPv6", "eth " A6 "tcp to=81 data=9", XDP_TX,
		R(forward), 70,
		B(70) "ip6 to=fd00::70 hops=63 tcp to=8080 data=9" },
	{ "route: UDP over IPv6", "eth " A6 "udp to=54 data=8", XDP_TX,
		R(forward), 71,
		B(71) "ip6 to=fd00::71 hops=63 udp to=8080 data=8" },
	{ "route: an answer over IPv6",
		"eth ip6 from=fd00::71 to=2001:db8::1 udp from=8080 to=40000",
		XDP_PASS, R(forward_reverse), 71,
		"eth ip6 from=2001:db8::10 to=2001:db8::1 hops=63 udp from=54 "
		"to=40000" },
	{ "route: VLAN, options and an odd length",
		"eth vlan id=9 " A4 "options=12 tcp to=81 options=12 data=13",
		XDP_TX, R(forward), 68,
		B(68) "vlan id=9 ip4 to=10.0.0.68 options=12 ttl=63 tcp "
		      "to=8080 options=12 data=13" },
	{ "route: extension headers",
		"eth vlan vlan " A6 "hop route dest size=24 tcp to=81 data=3",
		XDP_TX, R(forward), 70,
		B(70) "vlan vlan ip6 to=fd00::70 hops=63 hop route dest size=24 "
		      "tcp to=8080 data=3" },
	{ "route: a routing header that has segments left",
		"eth " A6 "route left=1 tcp to=81", XDP_DROP, R(drop_malformed),
		70, NULL },
	{ "route: an authenticated packet cannot be changed",
		"eth " A6 "ah size=24 tcp to=81", XDP_DROP, R(drop_malformed),
		70, NULL },
	/* ---- nat */
	{ "nat: SYN begins a connection from the box's address",
		"eth " A4 "tcp to=82 flags=S", XDP_TX, R(forward_syn), 72,
		B(72) "ip4 from=10.0.0.1 to=10.0.0.72 ttl=63 tcp from=@ "
		      "to=8080 flags=S" },
	{ "+the answer goes back the way that the client came",
		"eth from=2:0:0:0:1:72 to=2:0:0:0:2:1 ip4 from=10.0.0.72 "
		"to=10.0.0.1 tcp from=8080 to=@ flags=SA",
		XDP_TX, R(forward_reverse), 72,
		BACK "ip4 from=198.51.100.10 to=192.0.2.1 ttl=63 tcp from=82 "
		     "to=40000 flags=SA" },
	{ "+what follows takes the same way",
		"eth " A4 "tcp to=82 data=21", XDP_TX, R(forward), 72,
		B(72) "ip4 from=10.0.0.1 to=10.0.0.72 ttl=63 tcp from=@ "
		      "to=8080 data=21" },
	{ "+by another router, as when the first one failed",
		"eth from=2:0:0:0:0:9 " A4 "tcp to=82 data=1", XDP_TX,
		R(forward), 72,
		B(72) "ip4 from=10.0.0.1 to=10.0.0.72 ttl=63 tcp from=@ "
		      "to=8080 data=1" },
	{ "+what comes back follows",
		"eth ip4 from=10.0.0.72 to=10.0.0.1 tcp from=8080 to=@", XDP_TX,
		R(forward_reverse), 72,
		"eth to=2:0:0:0:0:9 from=2:0:0:0:0:2 ip4 from=198.51.100.10 "
		"to=192.0.2.1 ttl=63 tcp from=82 to=40000" },
	{ "+SYN again is the same connection",
		"eth " A4 "tcp to=82 flags=S", XDP_TX, R(forward_syn), 72,
		B(72) "ip4 from=10.0.0.1 to=10.0.0.72 ttl=63 tcp from=@ "
		      "to=8080 flags=S" },
	{ "+an answer with TTL 1",
		"eth ip4 from=10.0.0.72 to=10.0.0.1 ttl=1 tcp from=8080 to=@",
		XDP_DROP, R(drop_ttl), 72, NULL },
	{ "+another sender at that port is the stack's",
		"eth ip4 from=10.0.0.99 to=10.0.0.1 tcp from=8080 to=@",
		XDP_PASS, R(pass_no_vip_tcp), 0, NULL },
	{ "+an error about the answer reaches the backend as its own",
		"eth ip4 from=203.0.113.9 to=198.51.100.10 icmp type=3 code=4 "
		"mtu=1300 quote=40 " ICMP4 "ttl=60 tcp from=82 to=40000 "
		"data=100",
		XDP_TX, R(forward_icmp), 72,
		B(72) "ip4 from=10.0.0.1 to=10.0.0.72 ttl=63 icmp type=3 code=4 "
		      "mtu=1300 quote=40 ip4 from=10.0.0.72 to=10.0.0.1 ttl=60 "
		      "tcp from=8080 to=@ data=100" },
	{ "+an error that quotes 8 bytes, so no checksum",
		"eth ip4 from=203.0.113.9 to=198.51.100.10 icmp type=11 "
		"quote=28 " ICMP4 "ttl=1 tcp from=82 to=40000 data=10",
		XDP_TX, R(forward_icmp), 72,
		B(72) "ip4 from=10.0.0.1 to=10.0.0.72 ttl=63 icmp type=11 "
		      "quote=28 ip4 from=10.0.0.72 to=10.0.0.1 ttl=1 tcp "
		      "from=8080 to=@ data=10" },
	{ "+an error about what the client sent reaches the client",
		"eth ip4 from=10.0.0.250 to=10.0.0.1 icmp type=3 code=1 "
		"quote=48 ip4 from=10.0.0.1 to=10.0.0.72 ttl=63 tcp from=@ "
		"to=8080 data=21",
		XDP_TX, R(forward_icmp), 72,
		BACK "ip4 from=198.51.100.10 to=192.0.2.1 ttl=63 icmp type=3 "
		     "code=1 quote=48 ip4 to=198.51.100.10 ttl=63 tcp to=82 "
		     "data=21" },
	{ "nat: what is of no connection", "eth " A4 "tcp to=82 data=1",
		XDP_DROP, R(drop_nat_unknown), 72, NULL },
	{ "nat: RST of no connection", "eth " A4 "tcp to=82 flags=R", XDP_DROP,
		R(drop_nat_unknown), 72, NULL },
	{ "nat: an error about no connection",
		"eth ip4 from=203.0.113.9 to=198.51.100.10 icmp type=3 code=4 "
		"mtu=1300 quote=40 " ICMP4 "tcp from=82 to=40000",
		XDP_DROP, R(drop_icmp), 72, NULL },
	{ "nat: any datagram begins a flow", "eth " A4 "udp to=55 data=5",
		XDP_TX, R(forward), 73,
		B(73) "ip4 from=10.0.0.1 to=10.0.0.73 ttl=63 udp from=@ "
		      "to=8080 data=5" },
	{ "+its answer without checksum stays so",
		"eth ip4 from=10.0.0.73 to=10.0.0.1 udp from=8080 to=@ sum=0 "
		"data=9",
		XDP_TX, R(forward_reverse), 73,
		BACK "ip4 from=198.51.100.10 to=192.0.2.1 ttl=63 udp from=55 "
		     "to=40000 sum=0 data=9" },
	{ "+port unreachable from the backend",
		"eth ip4 from=10.0.0.73 to=10.0.0.1 icmp type=3 code=3 "
		"quote=33 ip4 from=10.0.0.1 to=10.0.0.73 ttl=63 udp from=@ "
		"to=8080 data=5",
		XDP_TX, R(forward_icmp), 73,
		BACK "ip4 from=198.51.100.10 to=192.0.2.1 ttl=63 icmp type=3 "
		     "code=3 quote=33 ip4 to=198.51.100.10 ttl=63 udp to=55 "
		     "data=5" },
	{ "+an error that quotes a datagram without checksum",
		"eth ip4 from=203.0.113.9 to=198.51.100.10 icmp type=3 code=4 "
		"quote=30 " ICMP4 "ttl=60 udp from=55 to=40000 sum=0 data=4",
		XDP_TX, R(forward_icmp), 73,
		B(73) "ip4 from=10.0.0.1 to=10.0.0.73 ttl=63 icmp type=3 code=4 "
		      "quote=30 ip4 from=10.0.0.73 to=10.0.0.1 ttl=60 udp "
		      "from=8080 to=@ sum=0 data=4" },
	{ "nat: TCP over IPv6", "eth " A6 "tcp to=82 flags=S data=1", XDP_TX,
		R(forward_syn), 74,
		B(74) "ip6 from=fd00::1 to=fd00::74 hops=63 tcp from=@ to=8080 "
		      "flags=S data=1" },
	{ "+its answer",
		"eth ip6 from=fd00::74 to=fd00::1 tcp from=8080 to=@ flags=SA",
		XDP_TX, R(forward_reverse), 74,
		BACK "ip6 from=2001:db8::10 to=2001:db8::1 hops=63 tcp from=82 "
		     "to=40000 flags=SA" },
	{ "+packet too big about its answer",
		"eth ip6 from=2001:db8::99 to=2001:db8::10 icmp6 type=2 "
		"mtu=1280 quote=70 ip6 from=2001:db8::10 to=2001:db8::1 tcp "
		"from=82 to=40000 data=100",
		XDP_TX, R(forward_icmp), 74,
		B(74) "ip6 from=fd00::1 to=fd00::74 hops=63 icmp6 type=2 "
		      "mtu=1280 quote=70 ip6 from=fd00::74 to=fd00::1 tcp "
		      "from=8080 to=@ data=100" },
	{ "+unreachable about what the client sent",
		"eth ip6 from=fd00::fe to=fd00::1 icmp6 type=1 code=0 quote=60 "
		"ip6 from=fd00::1 to=fd00::74 hops=60 tcp from=@ to=8080 "
		"data=4",
		XDP_TX, R(forward_icmp), 74,
		BACK "ip6 from=2001:db8::10 to=2001:db8::1 hops=63 icmp6 type=1 "
		     "code=0 quote=60 ip6 to=2001:db8::10 hops=60 tcp to=82 "
		     "data=4" },
	{ "nat: UDP over IPv6", "eth " A6 "udp to=55 data=5", XDP_TX,
		R(forward), 75,
		B(75) "ip6 from=fd00::1 to=fd00::75 hops=63 udp from=@ to=8080 "
		      "data=5" },
	{ "+its answer", "eth ip6 from=fd00::75 to=fd00::1 udp from=8080 to=@",
		XDP_TX, R(forward_reverse), 75,
		BACK "ip6 from=2001:db8::10 to=2001:db8::1 hops=63 udp from=55 "
		     "to=40000" },
	{ "nat: a client that is a backend (hairpin)",
		"eth from=2:0:0:0:1:72 ip4 from=10.0.0.72 to=198.51.100.10 tcp "
		"to=82 flags=S",
		XDP_TX, R(forward_syn), 72,
		B(72) "ip4 from=10.0.0.1 to=10.0.0.72 ttl=63 tcp from=@ "
		      "to=8080 flags=S" },
	{ "+its answer",
		"eth from=2:0:0:0:1:72 ip4 from=10.0.0.72 to=10.0.0.1 tcp "
		"from=8080 to=@ flags=SA",
		XDP_TX, R(forward_reverse), 72,
		"eth to=2:0:0:0:1:72 from=2:0:0:0:0:2 ip4 from=198.51.100.10 "
		"to=10.0.0.72 ttl=63 tcp from=82 to=40000 flags=SA" },
	{ "nat: VLAN tags and options stay",
		"eth vlan id=3 vlan id=4 " A4 "options=4 tcp to=82 flags=S",
		XDP_TX, R(forward_syn), 72,
		B(72) "vlan id=3 vlan id=4 ip4 from=10.0.0.1 to=10.0.0.72 "
		      "options=4 ttl=63 tcp from=@ to=8080 flags=S" },
	{ "nat: TTL 1 begins nothing", "eth " A4 "ttl=1 tcp to=82 flags=S",
		XDP_DROP, R(drop_ttl), 72, NULL },
	/* ---- fragments */
	{ "the first fragment has the ports",
		"eth " A4 "id=7 mf=1 udp to=53 data=16", XDP_TX, R(forward), 65,
		B(65) A4 "ttl=63 id=7 mf=1 udp to=53 data=16" },
	{ "+a later one goes where it went",
		"eth " A4 "id=7 mf=1 offset=3 raw proto=17 data=24", XDP_TX,
		R(forward_fragment), 65,
		B(65) A4 "ttl=63 id=7 mf=1 offset=3 raw proto=17 data=24" },
	{ "+so does the last one",
		"eth " A4 "id=7 offset=6 raw proto=17 data=5", XDP_TX,
		R(forward_fragment), 65,
		B(65) A4 "ttl=63 id=7 offset=6 raw proto=17 data=5" },
	{ "+a fragment of another packet",
		"eth " A4 "id=8 offset=6 raw proto=17 data=5", XDP_DROP,
		R(drop_fragment), 0, NULL },
	{ "a later fragment before the first one",
		"eth " A4 "id=9 offset=3 raw proto=17 data=24", XDP_DROP,
		R(drop_fragment), 0, NULL },
	{ "a first fragment without the ports",
		"eth " A4 "mf=1 raw proto=6 data=8", XDP_DROP,
		R(drop_fragment), 0, NULL },
	{ "a later fragment to no service",
		"eth ip4 id=9 offset=3 raw proto=17 data=24", XDP_PASS,
		R(pass_fragment), 0, NULL },
	{ "a first fragment without the flags to a service",
		"eth " A4 "len=28 mf=1 tcp to=80 cut=42", XDP_DROP,
		R(drop_fragment), 0, NULL },
	{ "fragments of a listener at a service's address: the first is its",
		"eth " A4 "id=5 mf=1 tcp to=443 data=12", XDP_PASS,
		R(pass_listener), 1, NULL },
	{ "+reach the stack, all of them",
		"eth " A4 "id=5 offset=4 raw proto=6 data=12", XDP_PASS,
		R(pass_fragment), 0, NULL },
	{ "fragments of a ping to a service's address are the stack's",
		"eth " A4 "id=5 offset=185 raw proto=1 data=12", XDP_PASS,
		R(pass_fragment), 0, NULL },
	{ "route: a fragment's checksum is changed in the first one",
		"eth " A4 "id=7 mf=1 udp to=54 len=48 data=16", XDP_TX,
		R(forward), 69,
		B(69) "ip4 to=10.0.0.69 ttl=63 id=7 mf=1 udp to=8080 len=48 "
		      "data=16" },
	{ "+and the later ones have none",
		"eth " A4 "id=7 offset=3 raw proto=17 data=24", XDP_TX,
		R(forward_fragment), 69,
		B(69) "ip4 to=10.0.0.69 ttl=63 id=7 offset=3 raw proto=17 "
		      "data=24" },
	{ "route: fragments over IPv6",
		"eth " A6 "frag id=7 mf=1 tcp to=81 data=4", XDP_TX, R(forward),
		70,
		B(70) "ip6 to=fd00::70 hops=63 frag id=7 mf=1 tcp to=8080 "
		      "data=4" },
	{ "+later", "eth " A6 "frag id=7 offset=3 next=6 data=20", XDP_TX,
		R(forward_fragment), 70,
		B(70) "ip6 to=fd00::70 hops=63 frag id=7 offset=3 next=6 "
		      "data=20" },
	{ "nat: fragments of an answer",
		"eth " A4 "udp to=55 data=5", XDP_TX, R(forward), 73, B(73)
		"ip4 from=10.0.0.1 to=10.0.0.73 ttl=63 udp from=@ to=8080 "
		"data=5" },
	{ "+the first",
		"eth ip4 from=10.0.0.73 to=10.0.0.1 id=3 mf=1 udp from=8080 "
		"to=@ len=64 data=16",
		XDP_TX, R(forward_reverse), 73,
		BACK "ip4 from=198.51.100.10 to=192.0.2.1 ttl=63 id=3 mf=1 udp "
		     "from=55 to=40000 len=64 data=16" },
	{ "+a later one",
		"eth ip4 from=10.0.0.73 to=10.0.0.1 id=3 offset=3 raw proto=17 "
		"data=40",
		XDP_TX, R(forward_reverse), 73,
		BACK "ip4 from=198.51.100.10 to=192.0.2.1 ttl=63 id=3 offset=3 "
		     "raw proto=17 data=40" },
	/* ---- ICMP */
	{ "ping to a service's address is answered",
		"eth " A4 "ttl=7 icmp id=77 seq=3 data=56", XDP_TX,
		R(answer_echo), 0,
		BACK ICMP4 "icmp type=0 id=77 seq=3 data=56" },
	{ "ping: the checksum carries (0xfff7 and more)",
		"eth " A4 "icmp id=63488 seq=0", XDP_TX, R(answer_echo), 0,
		BACK ICMP4 "icmp type=0 id=63488 seq=0" },
	{ "ping: a checksum of 0",
		"eth " A4 "icmp id=63487 seq=0", XDP_TX, R(answer_echo), 0,
		BACK ICMP4 "icmp type=0 id=63487 seq=0" },
	{ "ping over IPv6", "eth vlan id=2 " A6 "icmp6 id=77 seq=3 data=9",
		XDP_TX, R(answer_echo), 0,
		BACK "vlan id=2 ip6 from=2001:db8::10 to=2001:db8::1 icmp6 "
		     "type=129 id=77 seq=3 data=9" },
	{ "ping to another address is the stack's", "eth ip4 icmp", XDP_PASS,
		R(pass_icmp), 0, NULL },
	{ "an answer to a ping of the box's", "eth " A4 "icmp type=0", XDP_PASS,
		R(pass_icmp), 0, NULL },
	{ "neighbour solicitations are the stack's",
		"eth " A6 "hops=255 icmp6 type=135 data=24", XDP_PASS,
		R(pass_icmpv6), 0, NULL },
	{ "dsr-l2: an error goes to the backend that sent what it quotes",
		"eth ip4 from=203.0.113.9 to=198.51.100.10 icmp type=3 code=4 "
		"mtu=1300 quote=40 " ICMP4 "tcp from=80 to=40000 data=100",
		XDP_TX, R(forward_icmp), 64,
		B(64) "ip4 from=203.0.113.9 to=198.51.100.10 ttl=63 icmp type=3 "
		      "code=4 mtu=1300 quote=40 " ICMP4
		      "tcp from=80 to=40000 data=100" },
	{ "route: an error about an answer reaches the backend as its own",
		"eth ip4 from=203.0.113.9 to=198.51.100.10 icmp type=3 code=4 "
		"mtu=1300 quote=48 " ICMP4 "tcp from=81 to=40000 data=100",
		XDP_TX, R(forward_icmp), 68,
		B(68) "ip4 from=203.0.113.9 to=10.0.0.68 ttl=63 icmp type=3 "
		      "code=4 mtu=1300 quote=48 ip4 from=10.0.0.68 "
		      "to=192.0.2.1 tcp from=8080 to=40000 data=100" },
	{ "route: an error of the backend's own comes from the service",
		"eth ip4 from=10.0.0.69 to=192.0.2.1 icmp type=3 code=3 "
		"quote=33 ip4 to=10.0.0.69 ttl=63 udp to=8080 data=5",
		XDP_PASS, R(forward_icmp), 69,
		"eth ip4 from=198.51.100.10 to=192.0.2.1 ttl=63 icmp type=3 "
		"code=3 quote=33 ip4 to=198.51.100.10 ttl=63 udp to=54 data=5" },
	{ "route: one of a router's on the way keeps its source",
		"eth ip6 from=fd00::99 to=2001:db8::1 icmp6 type=3 quote=60 "
		"ip6 to=fd00::70 tcp to=8080 data=5",
		XDP_PASS, R(forward_icmp), 70,
		"eth ip6 from=fd00::99 to=2001:db8::1 hops=63 icmp6 type=3 "
		"quote=60 ip6 to=2001:db8::10 tcp to=81 data=5" },
	{ "an error about the box's own connection at that address",
		"eth ip4 from=203.0.113.9 to=198.51.100.10 icmp type=3 code=1 "
		"quote=28 " ICMP4 "tcp from=33000 to=443",
		XDP_PASS, R(pass_icmp), 0, NULL },
	{ "an error whose quote is cut",
		"eth " A4 "icmp type=3 code=1 quote=27 " ICMP4 "tcp from=80",
		XDP_DROP, R(drop_icmp), 0, NULL },
	{ "an error whose quote is a later fragment",
		"eth " A4 "icmp type=3 code=1 quote=28 ip4 "
		"from=198.51.100.10 offset=9 tcp from=80",
		XDP_DROP, R(drop_icmp), 0, NULL },
	{ "an error about a tunnel that ends in the box (ESP)",
		"eth " A4 "icmp type=3 code=4 mtu=1300 quote=28 " ICMP4
		"raw proto=50 data=64",
		XDP_PASS, R(pass_icmp), 0, NULL },
	{ "about a later fragment of such a tunnel (GRE)",
		"eth " A4 "icmp type=3 code=4 mtu=1300 quote=28 ip4 "
		"from=198.51.100.10 offset=9 raw proto=47 data=64",
		XDP_PASS, R(pass_icmp), 0, NULL },
	{ "about SCTP of the box's own",
		"eth " A4 "icmp type=3 code=2 quote=28 " ICMP4
		"raw proto=132 data=12",
		XDP_PASS, R(pass_icmp), 0, NULL },
	{ "about a ping of the box's own, over IPv6",
		"eth " A6 "icmp6 type=1 quote=48 ip6 from=2001:db8::10 "
		"to=2001:db8::1 icmp6",
		XDP_PASS, R(pass_icmpv6), 0, NULL },
	{ "about ESP after extension headers",
		"eth " A6 "icmp6 type=2 mtu=1280 quote=80 ip6 "
		"from=2001:db8::10 to=2001:db8::1 hop dest size=16 raw proto=50 "
		"data=64",
		XDP_PASS, R(pass_icmpv6), 0, NULL },
	{ "an error that quotes a first fragment",
		"eth " A4 "icmp type=3 code=1 quote=28 ip4 from=198.51.100.10 "
		"to=192.0.2.1 id=7 mf=1 udp from=54 to=40000 len=48 data=16",
		XDP_TX, R(forward_icmp), 69,
		B(69) "ip4 to=10.0.0.69 ttl=63 icmp type=3 code=1 quote=28 ip4 "
		      "from=10.0.0.69 to=192.0.2.1 id=7 mf=1 udp from=8080 "
		      "to=40000 len=48 data=16" },
	{ "over IPv6 the headers of the quote are walked: dsr-l2",
		"eth " A6 "icmp6 type=2 mtu=1280 quote=100 ip6 "
		"from=2001:db8::10 to=2001:db8::1 hop dest size=16 tcp from=80 "
		"to=40000 data=100",
		XDP_TX, R(forward_icmp), 66,
		B(66) A6 "hops=63 icmp6 type=2 mtu=1280 quote=100 ip6 "
			 "from=2001:db8::10 to=2001:db8::1 hop dest size=16 tcp "
			 "from=80 to=40000 data=100" },
	{ "route: a first fragment after six headers, its sums kept right",
		"eth " A6 "icmp6 type=2 mtu=1280 quote=140 ip6 "
		"from=2001:db8::10 to=2001:db8::1 hop dest route dest dest "
		"frag id=7 mf=1 tcp from=81 to=40000 data=100",
		XDP_TX, R(forward_icmp), 70,
		B(70) "ip6 to=fd00::70 hops=63 icmp6 type=2 mtu=1280 quote=140 "
		      "ip6 from=fd00::70 to=2001:db8::1 hop dest route dest "
		      "dest frag id=7 mf=1 tcp from=8080 to=40000 data=100" },
	{ "a quote with seven headers is not walked to its end",
		"eth " A6 "icmp6 type=2 mtu=1280 quote=140 ip6 "
		"from=2001:db8::10 to=2001:db8::1 hop dest route dest dest "
		"frag dest tcp from=81 to=40000 data=100",
		XDP_PASS, R(pass_icmpv6), 0, NULL },
	{ "nor is one whose headers are cut",
		"eth " A6 "icmp6 type=2 mtu=1280 quote=60 ip6 "
		"from=2001:db8::10 to=2001:db8::1 hop dest size=16 tcp from=81",
		XDP_PASS, R(pass_icmpv6), 0, NULL },
	{ "a quote over IPv6 that ends with its headers",
		"eth " A6 "icmp6 type=2 mtu=1280 quote=71 ip6 "
		"from=2001:db8::10 to=2001:db8::1 hop dest size=16 tcp from=81",
		XDP_DROP, R(drop_icmp), 0, NULL },
	{ "a quote over IPv6 that is a later fragment of a service's",
		"eth " A6 "icmp6 type=2 mtu=1280 quote=80 ip6 "
		"from=2001:db8::10 frag id=7 offset=9 next=6 data=100",
		XDP_DROP, R(drop_icmp), 0, NULL },
	{ "or of the box's own tunnel",
		"eth " A6 "icmp6 type=2 mtu=1280 quote=80 ip6 "
		"from=2001:db8::10 frag id=7 offset=9 next=50 data=100",
		XDP_PASS, R(pass_icmpv6), 0, NULL },
	{ "a later fragment of an extension header: what it holds is data",
		"eth " A6 "icmp6 type=2 mtu=1280 quote=80 ip6 "
		"from=2001:db8::10 frag id=7 offset=9 next=60 data=100",
		XDP_PASS, R(pass_icmpv6), 0, NULL },
	{ "an error to a service's address with TTL 1",
		"eth " A4 "ttl=1 icmp type=3 code=1 quote=28 " ICMP4
		"tcp from=80",
		XDP_DROP, R(drop_ttl), 64, NULL },
	{ "an MTU below 68 is the backend's to judge",
		"eth " A4 "icmp type=3 code=4 mtu=67 quote=40 " ICMP4
		"tcp from=80 to=40000 data=100",
		XDP_TX, R(forward_icmp), 64,
		B(64) A4 "ttl=63 icmp type=3 code=4 mtu=67 quote=40 " ICMP4
			 "tcp from=80 to=40000 data=100" },
	{ "route: so is none at all, as of routers before RFC 1191",
		"eth " A4 "icmp type=3 code=4 mtu=0 quote=40 " ICMP4
		"tcp from=81 to=40000 data=100",
		XDP_TX, R(forward_icmp), 68,
		B(68) "ip4 to=10.0.0.68 ttl=63 icmp type=3 code=4 mtu=0 "
		      "quote=40 ip4 from=10.0.0.68 to=192.0.2.1 tcp from=8080 "
		      "to=40000 data=100" },
	{ "and one below 1280 over IPv6",
		"eth " A6 "icmp6 type=2 mtu=1279 quote=60 ip6 "
		"from=2001:db8::10 to=2001:db8::1 tcp from=81 to=40000 "
		"data=100",
		XDP_TX, R(forward_icmp), 70,
		B(70) "ip6 to=fd00::70 hops=63 icmp6 type=2 mtu=1279 quote=60 "
		      "ip6 from=fd00::70 to=2001:db8::1 tcp from=8080 to=40000 "
		      "data=100" },
	{ "nat: SYN of a connection over IPv6",
		"eth " A6 "tcp to=82 flags=S", XDP_TX, R(forward_syn), 74,
		B(74) "ip6 from=fd00::1 to=fd00::74 hops=63 tcp from=@ to=8080 "
		      "flags=S" },
	{ "+packet too big about its answer, which has headers",
		"eth " A6 "icmp6 type=2 mtu=1280 quote=100 ip6 "
		"from=2001:db8::10 to=2001:db8::1 dest size=16 frag id=9 mf=1 "
		"tcp from=82 to=40000 data=100",
		XDP_TX, R(forward_icmp), 74,
		B(74) "ip6 from=fd00::1 to=fd00::74 hops=63 icmp6 type=2 "
		      "mtu=1280 quote=100 ip6 from=fd00::74 to=fd00::1 dest "
		      "size=16 frag id=9 mf=1 tcp from=8080 to=@ data=100" },
	{ "an error whose checksum carries",
		"eth " A4 "icmp type=3 code=3 mtu=65535 quote=28 " ICMP4
		"udp from=54 to=65535 data=9 fill=ff",
		XDP_TX, R(forward_icmp), 69,
		B(69) "ip4 to=10.0.0.69 ttl=63 icmp type=3 code=3 mtu=65535 "
		      "quote=28 ip4 from=10.0.0.69 to=192.0.2.1 udp from=8080 "
		      "to=65535 data=9 fill=ff" },
	/* ---- MTU */
	{ "as big as the way on takes", "eth " A4 "df=1 tcp to=92 data=1360",
		XDP_TX, R(forward), 78,
		B(78) A4 "df=1 ttl=63 tcp to=92 data=1360" },
	{ "a byte more: its sender is told",
		"eth " A4 "df=1 tcp to=92 data=1361", XDP_TX, R(answer_too_big),
		78,
		BACK ICMP4 "id=0 df=1 icmp type=3 code=4 mtu=1400 quote=128 " A4
			   "df=1 tcp to=92 data=1361" },
	{ "so is the sender of one that might be cut",
		"eth vlan id=6 vlan id=7 " A4 "options=8 tcp to=92 data=1400",
		XDP_TX, R(answer_too_big), 78,
		BACK "vlan id=6 vlan id=7 " ICMP4
		     "id=0 df=1 icmp type=3 code=4 mtu=1400 quote=128 " A4
		     "options=8 tcp to=92 data=1400" },
	{ "too big over IPv6", "eth vlan id=6 " A6 "tcp to=92 data=1341",
		XDP_TX, R(answer_too_big), 79,
		BACK "vlan id=6 ip6 from=2001:db8::10 to=2001:db8::1 icmp6 "
		     "type=2 mtu=1400 quote=128 " A6 "tcp to=92 data=1341" },
	{ "nat: too big", "eth " A4 "df=1 tcp to=84 flags=S data=1400", XDP_TX,
		R(answer_too_big), 83,
		BACK ICMP4 "id=0 df=1 icmp type=3 code=4 mtu=1400 quote=128 " A4
			   "df=1 tcp to=84 flags=S data=1400" },
	{ "a later fragment that is too big: nobody to tell",
		"eth " A4 "id=7 mf=1 tcp to=92 data=4", XDP_TX, R(forward), 78,
		B(78) A4 "id=7 mf=1 ttl=63 tcp to=92 data=4" },
	{ "+it is dropped",
		"eth " A4 "id=7 offset=3 raw proto=6 data=1400", XDP_DROP,
		R(drop_too_big), 78, NULL },
	/* ---- nothing to do with a service */
	{ "a reply to a port of the nat range that has no connection",
		"eth ip4 from=10.0.0.72 to=10.0.0.1 tcp from=8080 to=2000 "
		"flags=SA",
		XDP_PASS, R(pass_no_vip_tcp), 0, NULL },
	{ "an IPv6 packet to the mapped address of a service in mode route",
		"eth ip6 to=::ffff:198.51.100.10 tcp to=81", XDP_DROP,
		R(drop_malformed), 68, NULL },
	{ NULL, NULL, 0, R(pass_not_ip), 0, NULL },
};

void
steer_row_build(struct packet *p, const char *text, unsigned port)
{
	char words[1024];
	size_t n = 0;

	for (; *text != '\0'; text++) {
		if (*text == '@')
			n += (size_t)snprintf(words + n, sizeof(words) - n,
				"%u", port);
		else
			words[n++] = *text;
		assert(n + 8 < sizeof(words));
	}
	words[n] = '\0';
	packet_build(p, words);
}
