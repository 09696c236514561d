/* The packet table of modes ipip and gue. */
#include "tests/lib/encapsulation_rows.h"

#include <assert.h>
#include <stdio.h>

#include <linux/bpf.h>

#define R(name) GG_REASON_##name

/* To the service addresses; to the backend of a slot; back to the sender; the
 * outer headers of what goes to a backend. */
#define A4    "ip4 to=198.51.100.10 "
#define A6    "ip6 to=2001:db8::10 "
#define B(n)  "eth to=2:0:0:0:1:" #n " from=2:0:0:0:2:1 "
#define BACK  "eth to=2:0:0:0:0:1 from=2:0:0:0:0:2 "
#define ICMP4 "ip4 from=198.51.100.10 to=192.0.2.1 "
#define O4(n) "ip4 from=10.0.0.1 to=10.0.0." #n " id=0 df=1 "
#define O6(n) "ip6 from=fd00::1 to=fd00::" #n " flow=# "
#define GUE   "udp from=@ to=6080 sum=0 "

const struct steer_row encapsulation_rows[] = {
	/* ---- ipip */
	{ "ipip: another IP packet around it, one hop less inside",
		"eth " A4 "tcp to=100 data=10", XDP_TX, R(forward), 85,
		B(85) O4(85) A4 "ttl=63 tcp to=100 data=10" },
	{ "ipip: SYN is a connection request",
		"eth " A4 "df=1 tcp to=100 flags=S options=20", XDP_TX,
		R(forward_syn), 85,
		B(85) O4(85) A4 "df=1 ttl=63 tcp to=100 flags=S options=20" },
	{ "ipip: UDP", "eth " A4 "udp to=56 data=3", XDP_TX, R(forward), 86,
		B(86) O4(86) A4 "ttl=63 udp to=56 data=3" },
	{ "ipip: UDP without checksum stays so",
		"eth " A4 "udp to=56 sum=0 data=3", XDP_TX, R(forward), 86,
		B(86) O4(86) A4 "ttl=63 udp to=56 sum=0 data=3" },
	{ "ipip: a checksum that is wrong stays so",
		"eth " A4 "tcp to=100 sum=beef data=9", XDP_TX, R(forward), 85,
		B(85) O4(85) A4 "ttl=63 tcp to=100 sum=beef data=9" },
	{ "ipip: IPv6 in IPv6", "eth " A6 "tcp to=100 data=1", XDP_TX,
		R(forward), 87,
		B(87) O6(87) A6 "hops=63 tcp to=100 data=1" },
	{ "ipip: UDP over IPv6 in IPv6", "eth " A6 "udp to=56 data=1400",
		XDP_TX, R(forward), 88,
		B(88) O6(88) A6 "hops=63 udp to=56 data=1400" },
	{ "ipip: IPv4 in IPv6", "eth vlan id=5 " A4 "tcp to=103 data=1", XDP_TX,
		R(forward), 95,
		B(95) "vlan id=5 " O6(95) A4 "ttl=63 tcp to=103 data=1" },
	{ "ipip: DSCP and ECN are seen outside, too",
		"eth " A4 "tos=bb tcp to=100", XDP_TX, R(forward), 85,
		B(85) O4(85) "tos=bb " A4 "tos=bb ttl=63 tcp to=100" },
	{ "ipip: so they are of IPv6; the inner label stays",
		"eth " A6 "class=b9 flow=12345 tcp to=100", XDP_TX, R(forward),
		87,
		B(87) O6(87) "class=b9 " A6
			     "class=b9 flow=12345 hops=63 tcp to=100" },
	{ "ipip: one VLAN tag stays", "eth vlan id=5 " A4 "tcp to=100", XDP_TX,
		R(forward), 85,
		B(85) "vlan id=5 " O4(85) A4 "ttl=63 tcp to=100" },
	{ "ipip: two VLAN tags stay",
		"eth vlan tpid=88a8 id=5 vlan id=6 " A6 "tcp to=100", XDP_TX,
		R(forward), 87,
		B(87) "vlan tpid=88a8 id=5 vlan id=6 " O6(87) A6
		      "hops=63 tcp to=100" },
	{ "ipip: IPv4 options go along",
		"eth " A4 "options=8 tcp to=100 data=4", XDP_TX, R(forward), 85,
		B(85) O4(85) A4 "options=8 ttl=63 tcp to=100 data=4" },
	{ "ipip: extension headers go along",
		"eth " A6 "hop dest size=16 tcp to=100", XDP_TX, R(forward), 87,
		B(87) O6(87) A6 "hops=63 hop dest size=16 tcp to=100" },
	{ "ipip: an authenticated packet may pass: its addresses stay",
		"eth " A6 "ah size=24 tcp to=100", XDP_TX, R(forward), 87,
		B(87) O6(87) A6 "hops=63 ah size=24 tcp to=100" },
	{ "ipip: padding at the frame's end is no part of it",
		"eth " A4 "udp to=56 pad=18", XDP_TX, R(forward), 86,
		B(86) O4(86) A4 "ttl=63 udp to=56 pad=18" },
	{ "ipip: TTL 1 ends here", "eth " A4 "ttl=1 tcp to=100", XDP_DROP,
		R(drop_ttl), 85, NULL },
	{ "ipip: TTL 2 arrives with 1", "eth " A4 "ttl=2 tcp to=100", XDP_TX,
		R(forward), 85, B(85) O4(85) A4 "ttl=1 tcp to=100" },
	{ "ipip: flags that nobody sends", "eth " A4 "tcp to=100 flags=SF",
		XDP_DROP, R(drop_tcp_flags), 85, NULL },
	{ "ipip: to another interface", "eth " A4 "tcp to=104 data=5",
		XDP_REDIRECT, R(forward), 98,
		B(98) O4(98) A4 "ttl=63 tcp to=104 data=5" },
	{ "ipip: without a next hop", "eth " A4 "tcp to=105", XDP_DROP,
		R(drop_no_neighbour), 99, NULL },
	/* ---- gue */
	{ "gue: and UDP in between, its source by the flow",
		"eth " A4 "tcp to=101 data=10", XDP_TX, R(forward), 89,
		B(89) O4(89) GUE A4 "ttl=63 tcp to=101 data=10" },
	{ "gue: another flow, another port",
		"eth " A4 "tcp from=40001 to=101 data=10", XDP_TX, R(forward),
		89,
		B(89) O4(89) GUE A4 "ttl=63 tcp from=40001 to=101 data=10" },
	{ "gue: UDP", "eth " A4 "udp to=57 data=3", XDP_TX, R(forward), 90,
		B(90) O4(90) GUE A4 "ttl=63 udp to=57 data=3" },
	{ "gue: IPv6 in IPv6, without a checksum of its own",
		"eth " A6 "tcp to=101 flags=S data=1", XDP_TX, R(forward_syn),
		91, B(91) O6(91) GUE A6 "hops=63 tcp to=101 flags=S data=1" },
	{ "gue: UDP over IPv6", "eth vlan id=9 " A6 "udp to=57 data=1", XDP_TX,
		R(forward), 92,
		B(92) "vlan id=9 " O6(92) GUE A6 "hops=63 udp to=57 data=1" },
	{ "gue: IPv6 in IPv4", "eth vlan id=5 vlan id=6 " A6 "tcp to=103",
		XDP_TX, R(forward), 96,
		B(96) "vlan id=5 vlan id=6 " O4(96) GUE A6
		      "hops=63 tcp to=103" },
	{ "gue: DSCP and ECN are seen outside, too",
		"eth " A6 "class=2e tcp to=103", XDP_TX, R(forward), 96,
		B(96) O4(96) "tos=2e " GUE A6 "class=2e hops=63 tcp to=103" },
	/* ---- fragments */
	{ "ipip: a first fragment, whole in itself",
		"eth " A4 "id=7 mf=1 tcp to=100 data=4", XDP_TX, R(forward), 85,
		B(85) O4(85) A4 "id=7 mf=1 ttl=63 tcp to=100 data=4" },
	{ "+a later one goes to the same backend",
		"eth " A4 "id=7 offset=3 raw proto=6 data=80", XDP_TX,
		R(forward_fragment), 85,
		B(85) O4(85) A4 "id=7 offset=3 ttl=63 raw proto=6 data=80" },
	{ "gue: a first fragment over IPv6",
		"eth " A6 "frag mf=1 id=9 udp to=57 len=1000 data=8", XDP_TX,
		R(forward), 92,
		B(92) O6(92) GUE A6
		"hops=63 frag mf=1 id=9 udp to=57 len=1000 data=8" },
	{ "+a later one has the port of the first",
		"eth " A6 "frag offset=2 id=9 raw proto=17 data=24", XDP_TX,
		R(forward_fragment), 92,
		B(92) O6(92) GUE A6
		"hops=63 frag offset=2 id=9 raw proto=17 data=24" },
	{ "ipip: a later fragment whose first was not seen",
		"eth " A4 "id=8 offset=3 raw proto=6 data=80", XDP_DROP,
		R(drop_fragment), 0, NULL },
	/* ---- ICMP */
	{ "ipip: the flow of the following error",
		"eth ip4 from=192.0.2.1 to=198.51.100.10 tcp from=40000 to=100",
		XDP_TX, R(forward), 85,
		B(85) O4(85) "ip4 from=192.0.2.1 to=198.51.100.10 ttl=63 "
			     "tcp from=40000 to=100" },
	{ "+an error goes to the backend that sent what it quotes, as it is",
		"eth ip4 from=203.0.113.9 to=198.51.100.10 icmp type=3 code=4 "
		"mtu=1300 quote=40 " ICMP4 "tcp from=100 to=40000 data=100",
		XDP_TX, R(forward_icmp), 85,
		B(85) O4(85)
		"ip4 from=203.0.113.9 to=198.51.100.10 ttl=63 icmp type=3 "
		"code=4 mtu=1300 quote=40 " ICMP4
		"tcp from=100 to=40000 data=100" },
	{ "gue: the flow of the following error", "eth " A6 "udp to=57",
		XDP_TX, R(forward), 92,
		B(92) O6(92) GUE A6 "hops=63 udp to=57" },
	{ "+over IPv6 as well, and with the port of the flow",
		"eth ip6 from=fd00::99 to=2001:db8::10 icmp6 type=2 mtu=1300 "
		"quote=60 ip6 from=2001:db8::10 to=2001:db8::1 "
		"udp from=57 to=40000 data=50",
		XDP_TX, R(forward_icmp), 92,
		B(92) O6(92) GUE
		"ip6 from=fd00::99 to=2001:db8::10 hops=63 icmp6 type=2 "
		"mtu=1300 quote=60 ip6 from=2001:db8::10 to=2001:db8::1 "
		"udp from=57 to=40000 data=50" },
	{ "ipip: an error that does not fit: nobody is told",
		"eth ip4 from=203.0.113.9 to=198.51.100.10 icmp type=3 code=1 "
		"quote=1400 " ICMP4 "tcp from=102 to=40000 data=1500",
		XDP_DROP, R(drop_too_big), 93, NULL },
	/* ---- MTU: 1400 less 20, 1400 less 48, 1300 less 48 */
	{ "ipip: as big as the way on takes",
		"eth " A4 "df=1 tcp to=102 data=1340", XDP_TX, R(forward), 93,
		B(93) O4(93) A4 "df=1 ttl=63 tcp to=102 data=1340" },
	{ "ipip: a byte more, and its sender is told what fits",
		"eth " A4 "df=1 tcp to=102 data=1341", XDP_TX,
		R(answer_too_big), 93,
		BACK ICMP4 "id=0 df=1 icmp type=3 code=4 mtu=1380 quote=128 " A4
			   "df=1 tcp to=102 data=1341" },
	{ "ipip: so is the sender of one that might be cut",
		"eth vlan id=6 vlan id=7 " A4 "options=8 tcp to=102 data=1333",
		XDP_TX, R(answer_too_big), 93,
		BACK "vlan id=6 vlan id=7 " ICMP4
		     "id=0 df=1 icmp type=3 code=4 mtu=1380 quote=128 " A4
		     "options=8 tcp to=102 data=1333" },
	{ "ipip: a later fragment that is too big: nobody to tell",
		"eth " A4 "id=7 mf=1 tcp to=102 data=4", XDP_TX, R(forward), 93,
		B(93) O4(93) A4 "id=7 mf=1 ttl=63 tcp to=102 data=4" },
	{ "+it is dropped", "eth " A4 "id=7 offset=3 raw proto=6 data=1361",
		XDP_DROP, R(drop_too_big), 93, NULL },
	{ "gue over IPv6: as big as the way on takes",
		"eth " A6 "tcp to=102 data=1292", XDP_TX, R(forward), 94,
		B(94) O6(94) GUE A6 "hops=63 tcp to=102 data=1292" },
	{ "gue over IPv6: a byte more",
		"eth vlan id=6 " A6 "tcp to=102 data=1293", XDP_TX,
		R(answer_too_big), 94,
		BACK "vlan id=6 ip6 from=2001:db8::10 to=2001:db8::1 icmp6 "
		     "type=2 mtu=1352 quote=128 " A6 "tcp to=102 data=1293" },
	{ "IPv6 is never told less than 1280 bytes",
		"eth " A6 "tcp to=104 data=1221", XDP_TX, R(answer_too_big), 97,
		BACK "ip6 from=2001:db8::10 to=2001:db8::1 icmp6 "
		     "type=2 mtu=1280 quote=128 " A6 "tcp to=104 data=1221" },
	{ "what is not bigger than that cannot be helped",
		"eth " A6 "tcp to=104 data=1220", XDP_DROP, R(drop_too_big), 97,
		NULL },
	{ "what fits below it goes", "eth " A6 "tcp to=104 data=1192", XDP_TX,
		R(forward), 97,
		B(97) O6(97) GUE A6 "hops=63 tcp to=104 data=1192" },
	/* ---- errors about the outer packet: the box's stack has them, too */
	{ "a router on the way says what fits",
		"eth ip4 from=10.9.9.9 to=10.0.0.1 icmp type=3 code=4 mtu=1480 "
		"quote=80 ip4 from=10.0.0.1 to=10.0.0.85 " A4
		"tcp to=100 data=1480",
		XDP_PASS, R(pass_icmp), 0, NULL },
	{ "+as big as that", "eth " A4 "tcp to=100 data=1420", XDP_TX,
		R(forward), 85, B(85) O4(85) A4 "ttl=63 tcp to=100 data=1420" },
	{ "+a byte more", "eth " A4 "tcp to=100 data=1421", XDP_TX,
		R(answer_too_big), 85,
		BACK ICMP4 "id=0 df=1 icmp type=3 code=4 mtu=1460 quote=128 " A4
			   "tcp to=100 data=1421" },
	{ "so it does over IPv6 and in UDP",
		"eth ip6 from=fd00::99 to=fd00::1 icmp6 type=2 mtu=1400 "
		"quote=1232 ip6 from=fd00::1 to=fd00::92 udp from=50000 "
		"to=6080 sum=0 " A6 "udp to=57 data=1400",
		XDP_PASS, R(pass_icmpv6), 0, NULL },
	{ "+a byte too much", "eth vlan id=3 " A6 "udp to=57 data=1305", XDP_TX,
		R(answer_too_big), 92,
		BACK "vlan id=3 ip6 from=2001:db8::10 to=2001:db8::1 icmp6 "
		     "type=2 mtu=1352 quote=128 " A6 "udp to=57 data=1305" },
	{ "that a backend is not reached is the stack's",
		"eth ip4 from=10.9.9.9 to=10.0.0.1 icmp type=3 code=1 "
		"quote=80 ip4 from=10.0.0.1 to=10.0.0.85 " A4 "tcp to=100 "
		"data=40",
		XDP_PASS, R(pass_icmp), 0, NULL },
	{ NULL, NULL, 0, R(pass_not_ip), 0, NULL },
};

void
encapsulation_row_build(struct packet *p, const char *text, uint64_t hash)
{
	char words[1024];
	size_t n = 0;

	for (; *text != '\0'; text++) {
		if (*text == '@')
			n += (size_t)snprintf(words + n, sizeof(words) - n,
				"%u", 49152 + (unsigned)(hash % 16384));
		else if (*text == '#')
			n += (size_t)snprintf(words + n, sizeof(words) - n,
				"%x", (unsigned)(hash & 0xfffff));
		else
			words[n++] = *text;
		assert(n + 8 < sizeof(words));
	}
	words[n] = '\0';
	packet_build(p, words);
}
