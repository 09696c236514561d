/* Frames from one line of text. */
#include "tests/lib/packet.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAYERS_MAX 24
#define FIELDS_MAX 12

enum kind {
	ETH,
	VLAN,
	IP4,
	IP6,
	HOP,
	ROUTE,
	DEST,
	AH,
	FRAG,
	TCP,
	UDP,
	ICMP,
	ICMP6,
	RAW,
};

struct field {
	const char *name, *value;
};

struct layer {
	enum kind kind;
	struct field fields[FIELDS_MAX];
	size_t field_count;
	size_t start; /* in the frame */
};

struct build {
	const char *text;
	char words[1024];
	struct layer layers[LAYERS_MAX];
	size_t layer_count;
	struct packet *p;
};

static const struct {
	const char *word;
	int protocol; /* IP's number for it, -1: none */
} kinds[] = {
	[ETH] = { "eth", -1 },
	[VLAN] = { "vlan", -1 },
	[IP4] = { "ip4", 4 },
	[IP6] = { "ip6", 41 },
	[HOP] = { "hop", 0 },
	[ROUTE] = { "route", 43 },
	[DEST] = { "dest", 60 },
	[AH] = { "ah", 51 },
	[FRAG] = { "frag", 44 },
	[TCP] = { "tcp", 6 },
	[UDP] = { "udp", 17 },
	[ICMP] = { "icmp", 1 },
	[ICMP6] = { "icmp6", 58 },
	[RAW] = { "raw", -1 },
};

static void __attribute__((noreturn))
wrong(const struct build *b, const char *what)
{
	fprintf(stderr, "packet \"%s\": %s\n", b->text, what);
	exit(1);
}

/* ---- text */

static void
word_take(struct build *b, char *word)
{
	char *equals = strchr(word, '=');
	struct layer *layer;

	if (equals == NULL) {
		if (b->layer_count == LAYERS_MAX)
			wrong(b, "too many layers");
		layer = &b->layers[b->layer_count++];
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
			if (strcmp(kinds[i].word, word) == 0) {
				layer->kind = (enum kind)i;
				return;
			}
		}
		wrong(b, word);
	}
	if (b->layer_count == 0)
		wrong(b, "a field before any layer");
	layer = &b->layers[b->layer_count - 1];
	if (layer->field_count == FIELDS_MAX)
		wrong(b, "too many fields");
	*equals = '\0';
	layer->fields[layer->field_count++] =
		(struct field){ word, equals + 1 };
}

static void
text_read(struct build *b)
{
	char *place = NULL;

	if (strlen(b->text) >= sizeof(b->words))
		wrong(b, "too long");
	strcpy(b->words, b->text);
	for (char *word = strtok_r(b->words, " ", &place); word != NULL;
		word = strtok_r(NULL, " ", &place))
		word_take(b, word);
}

static const char *
text_of(const struct layer *layer, const char *name, const char *otherwise)
{
	for (size_t i = 0; i < layer->field_count; i++) {
		if (strcmp(layer->fields[i].name, name) == 0)
			return layer->fields[i].value;
	}
	return otherwise;
}

static bool
is_set(const struct layer *layer, const char *name)
{
	return text_of(layer, name, NULL) != NULL;
}

static unsigned
number(const struct layer *layer, const char *name, unsigned otherwise)
{
	const char *text = text_of(layer, name, NULL);

	return text == NULL ? otherwise : (unsigned)strtoul(text, NULL, 10);
}

static unsigned
hex(const struct layer *layer, const char *name, unsigned otherwise)
{
	const char *text = text_of(layer, name, NULL);

	return text == NULL ? otherwise : (unsigned)strtoul(text, NULL, 16);
}

/* ---- bytes */

static uint8_t *
at(struct build *b, size_t place)
{
	return packet_data(b->p) + place;
}

static void
put8(struct build *b, size_t place, unsigned value)
{
	*at(b, place) = (uint8_t)value;
}

static void
put16(struct build *b, size_t place, unsigned value)
{
	put8(b, place, value >> 8);
	put8(b, place + 1, value);
}

/* Makes room for size zero bytes at the end and returns where. */
static size_t
grow(struct build *b, size_t size)
{
	size_t place = b->p->length;

	if (place + size > PACKET_MAX)
		wrong(b, "the frame is too long");
	memset(at(b, place), 0, size);
	b->p->length += size;
	return place;
}

uint16_t
packet_checksum(const void *data, size_t length, uint32_t sum)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < length; i += 2)
		sum += (uint32_t)(bytes[i] << 8 |
			(i + 1 < length ? bytes[i + 1] : 0));
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* ---- layers, in order: everything but lengths and checksums */

static unsigned
protocol_of(const struct layer *layer)
{
	if (layer->kind == RAW)
		return number(layer, "proto", 253);
	return (unsigned)kinds[layer->kind].protocol;
}

static unsigned
type_of(const struct layer *layer)
{
	if (layer->kind == VLAN)
		return hex(layer, "tpid", 0x8100);
	if (layer->kind == IP4)
		return 0x0800;
	if (layer->kind == IP6)
		return 0x86dd;
	return 0x88b5; /* for experiments */
}

static void
address_put(struct build *b, const struct layer *layer, int family,
	const char *name, const char *otherwise, size_t place)
{
	if (inet_pton(family, text_of(layer, name, otherwise),
		    at(b, place)) != 1)
		wrong(b, "a wrong address");
}

static void
mac_put(struct build *b, const struct layer *layer, const char *name,
	const char *otherwise, size_t place)
{
	unsigned byte[6];
	const char *text = text_of(layer, name, otherwise);

	if (sscanf(text, "%x:%x:%x:%x:%x:%x", &byte[0], &byte[1], &byte[2],
		    &byte[3], &byte[4], &byte[5]) != 6)
		wrong(b, "a wrong link address");
	for (size_t i = 0; i < 6; i++)
		put8(b, place + i, byte[i]);
}

static void
ethernet_put(struct build *b, const struct layer *layer,
	const struct layer *next)
{
	size_t place = grow(b, 14);

	mac_put(b, layer, "to", "2:0:0:0:0:2", place);
	mac_put(b, layer, "from", "2:0:0:0:0:1", place + 6);
	put16(b, place + 12,
		hex(layer, "type", next == NULL ? 0x88b5 : type_of(next)));
}

static void
vlan_put(struct build *b, const struct layer *layer, const struct layer *next)
{
	size_t place = grow(b, 4);

	put16(b, place, number(layer, "id", 100));
	put16(b, place + 2,
		hex(layer, "type", next == NULL ? 0x88b5 : type_of(next)));
}

static void
ip4_put(struct build *b, const struct layer *layer, const struct layer *next)
{
	unsigned options = number(layer, "options", 0);
	size_t place = grow(b, 20 + options);

	put8(b, place,
		number(layer, "version", 4) << 4 |
			number(layer, "ihl", 5 + options / 4));
	put8(b, place + 1, hex(layer, "tos", 0));
	put16(b, place + 4, number(layer, "id", 1));
	put16(b, place + 6,
		number(layer, "df", 0) << 14 | number(layer, "mf", 0) << 13 |
			number(layer, "offset", 0));
	put8(b, place + 8, number(layer, "ttl", 64));
	put8(b, place + 9,
		number(layer, "proto",
			next == NULL ? 253 : protocol_of(next)));
	address_put(b, layer, AF_INET, "from", "192.0.2.1", place + 12);
	address_put(b, layer, AF_INET, "to", "198.51.100.1", place + 16);
	memset(at(b, place + 20), 1, options); /* no-operation */
}

static void
ip6_put(struct build *b, const struct layer *layer, const struct layer *next)
{
	size_t place = grow(b, 40);

	put16(b, place,
		number(layer, "version", 6) << 12 |
			hex(layer, "class", 0) << 4 |
			hex(layer, "flow", 0) >> 16);
	put16(b, place + 2, hex(layer, "flow", 0) & 0xffff);
	put8(b, place + 6,
		number(layer, "next", next == NULL ? 59 : protocol_of(next)));
	put8(b, place + 7, number(layer, "hops", 64));
	address_put(b, layer, AF_INET6, "from", "2001:db8::1", place + 8);
	address_put(b, layer, AF_INET6, "to", "2001:db8::2", place + 24);
}

static void
extension_put(struct build *b, const struct layer *layer,
	const struct layer *next)
{
	size_t size = number(layer, "size", 8);
	unsigned length = layer->kind == AH ? (unsigned)size / 4 - 2 :
					      (unsigned)size / 8 - 1;
	size_t place = grow(b, size);

	put8(b, place,
		number(layer, "next", next == NULL ? 59 : protocol_of(next)));
	if (size < 2)
		return;
	put8(b, place + 1, number(layer, "len", length));
	if (layer->kind != AH && size >= 8) {
		put8(b, place + 2, 1); /* PadN over the rest */
		put8(b, place + 3, (unsigned)size - 4);
	}
	if (layer->kind == ROUTE && size >= 8) {
		put8(b, place + 2, 253); /* for experiments */
		put8(b, place + 3, number(layer, "left", 0));
	}
}

static void
fragment_put(struct build *b, const struct layer *layer,
	const struct layer *next)
{
	size_t place = grow(b, 8);

	put8(b, place,
		number(layer, "next", next == NULL ? 59 : protocol_of(next)));
	put16(b, place + 2,
		number(layer, "offset", 0) << 3 | number(layer, "mf", 0));
	put16(b, place + 6, number(layer, "id", 1));
}

static unsigned
tcp_flags(const struct build *b, const char *text)
{
	static const char letters[] = "FSRPAU";
	unsigned flags = 0;
	const char *letter;

	for (; *text != '\0'; text++) {
		letter = strchr(letters, *text);
		if (letter == NULL)
			wrong(b, "a wrong TCP flag");
		flags |= 1u << (letter - letters);
	}
	return flags;
}

static void
tcp_put(struct build *b, const struct layer *layer)
{
	unsigned options = number(layer, "options", 0);
	size_t place = grow(b, 20 + options);

	put16(b, place, number(layer, "from", 40000));
	put16(b, place + 2, number(layer, "to", 80));
	put8(b, place + 12, number(layer, "doff", 5 + options / 4) << 4);
	put8(b, place + 13, tcp_flags(b, text_of(layer, "flags", "A")));
	put16(b, place + 14, 64240);
	memset(at(b, place + 20), 1, options);
}

static void
udp_put(struct build *b, const struct layer *layer)
{
	size_t place = grow(b, 8);

	put16(b, place, number(layer, "from", 40000));
	put16(b, place + 2, number(layer, "to", 53));
}

static void
icmp_put(struct build *b, const struct layer *layer)
{
	size_t place = grow(b, 8);

	put8(b, place, number(layer, "type", layer->kind == ICMP ? 8 : 128));
	put8(b, place + 1, number(layer, "code", 0));
	put16(b, place + 4, number(layer, "id", 0));
	put16(b, place + 6, number(layer, "seq", number(layer, "mtu", 0)));
}

static void
layer_put(struct build *b, struct layer *layer, const struct layer *next)
{
	size_t data = number(layer, "data", 0), place;

	layer->start = b->p->length;
	switch (layer->kind) {
	case ETH:
		ethernet_put(b, layer, next);
		break;
	case VLAN:
		vlan_put(b, layer, next);
		break;
	case IP4:
		ip4_put(b, layer, next);
		break;
	case IP6:
		ip6_put(b, layer, next);
		break;
	case HOP:
	case ROUTE:
	case DEST:
	case AH:
		extension_put(b, layer, next);
		break;
	case FRAG:
		fragment_put(b, layer, next);
		break;
	case TCP:
		tcp_put(b, layer);
		break;
	case UDP:
		udp_put(b, layer);
		break;
	case ICMP:
	case ICMP6:
		icmp_put(b, layer);
		break;
	case RAW:
		break;
	}
	place = grow(b, data);
	memset(at(b, place), (int)hex(layer, "fill", 0x61), data);
}

/* ---- lengths and checksums, from the inside to the outside */

/* Of the pseudo header of the IP layer around it; ip is NULL without one. */
static uint32_t
pseudo_sum(struct build *b, const struct layer *ip, unsigned protocol,
	size_t length)
{
	size_t place, size;
	uint32_t sum = protocol + (uint32_t)length;

	if (ip == NULL)
		return 0;
	place = ip->start + (ip->kind == IP4 ? 12 : 8);
	size = ip->kind == IP4 ? 8 : 32;
	return sum + (uint16_t)~packet_checksum(at(b, place), size, 0);
}

static void
sum_put(struct build *b, const struct layer *layer, size_t offset,
	uint32_t pseudo)
{
	size_t length = b->p->length - layer->start;
	unsigned sum = packet_checksum(at(b, layer->start), length, pseudo);

	if (sum == 0 && layer->kind == UDP)
		sum = 0xffff;
	put16(b, layer->start + offset, hex(layer, "sum", sum));
}

static void
layer_finish(struct build *b, const struct layer *layer,
	const struct layer *ip)
{
	size_t length = b->p->length - layer->start, header;

	if (is_set(layer, "quote") && length > 8 + number(layer, "quote", 0)) {
		length = 8 + number(layer, "quote", 0);
		b->p->length = layer->start + length;
	}
	switch (layer->kind) {
	case IP4:
		put16(b, layer->start + 2,
			number(layer, "len", (unsigned)length));
		header = (*at(b, layer->start) & 15) * 4u;
		put16(b, layer->start + 10,
			packet_checksum(at(b, layer->start),
				header < length ? header : length, 0));
		break;
	case IP6:
		put16(b, layer->start + 4,
			number(layer, "len", (unsigned)length - 40));
		break;
	case TCP:
		sum_put(b, layer, 16, pseudo_sum(b, ip, 6, length));
		break;
	case UDP:
		put16(b, layer->start + 4,
			number(layer, "len", (unsigned)length));
		sum_put(b, layer, 6, pseudo_sum(b, ip, 17, length));
		break;
	case ICMP:
		sum_put(b, layer, 2, 0);
		break;
	case ICMP6:
		sum_put(b, layer, 2, pseudo_sum(b, ip, 58, length));
		break;
	default:
		break;
	}
}

static const struct layer *
ip_around(const struct build *b, size_t i)
{
	while (i-- > 0) {
		if (b->layers[i].kind == IP4 || b->layers[i].kind == IP6)
			return &b->layers[i];
	}
	return NULL;
}

/* pad= and cut= may stand anywhere; the last counts. */
static void
frame_trim(struct build *b)
{
	for (size_t i = 0; i < b->layer_count; i++) {
		if (is_set(&b->layers[i], "pad"))
			grow(b, number(&b->layers[i], "pad", 0));
	}
	for (size_t i = 0; i < b->layer_count; i++) {
		size_t cut = number(&b->layers[i], "cut", PACKET_MAX);

		if (cut < b->p->length)
			b->p->length = cut;
	}
}

void
packet_build(struct packet *p, const char *text)
{
	struct build b = { .text = text, .p = p };

	memset(p, 0, sizeof(*p));
	text_read(&b);
	for (size_t i = 0; i < b.layer_count; i++)
		layer_put(&b, &b.layers[i],
			i + 1 < b.layer_count ? &b.layers[i + 1] : NULL);
	for (size_t i = b.layer_count; i-- > 0;)
		layer_finish(&b, &b.layers[i], ip_around(&b, i));
	frame_trim(&b);
}

void
packet_print(const char *what, const uint8_t *data, size_t length)
{
	fprintf(stderr, "%s:", what);
	for (size_t i = 0; i < length && i < 160; i++)
		fprintf(stderr, "%s%02x", i % 16 == 0 ? "\n  " : " ", data[i]);
	fprintf(stderr, "\n");
}
