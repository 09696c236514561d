/* The radix trees of a virtual host. */
#include "routing/radix.h"

#include <stdlib.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/mem.h"
#include "model/model.h"

#define SORT_SMALL 24 /* below, insertion is quicker than counting */

/* A node that waits to be finished: the keys below it, and how many bytes of
 * them its ancestors have. */
struct pending {
	size_t index; /* of the node */
	size_t first, count;
	uint32_t depth;
	uint32_t cover; /* lowest route above that takes everything */
};

struct builder {
	struct block *block;
	struct radix_nodes *nodes;
	struct radix_key *keys, *spare;
	struct pending *pending; /* a stack */
	size_t pending_count, pending_size;
	radix_covered_f *covered;
	void *arg;
};

static uint8_t
byte_at(const struct builder *b, const struct radix_key *k, uint32_t depth)
{
	return *(const uint8_t *)block_at(b->block, k->text + depth);
}

/* How many bytes from depth on all keys have in common. */
static uint32_t
common_length(const struct builder *b, const struct radix_key *keys,
	size_t count, uint32_t depth)
{
	const char *first = block_at(b->block, keys[0].text + depth);
	uint32_t length = keys[0].length - depth;

	for (size_t i = 1; i < count && length > 0; i++) {
		const char *text = block_at(b->block, keys[i].text + depth);
		uint32_t n = 0;

		if (keys[i].length - depth < length)
			length = keys[i].length - depth;
		while (n < length && text[n] == first[n])
			n++;
		length = n;
	}
	return length;
}

/* By the byte at depth, the order otherwise kept. */
static void
keys_sort(
	struct builder *b, struct radix_key *keys, size_t count, uint32_t depth)
{
	size_t start[257] = { 0 };

	if (count < SORT_SMALL) {
		for (size_t i = 1; i < count; i++) {
			struct radix_key k = keys[i];
			uint8_t c = byte_at(b, &k, depth);
			size_t j = i;

			for (; j > 0 && byte_at(b, &keys[j - 1], depth) > c;
				j--)
				keys[j] = keys[j - 1];
			keys[j] = k;
		}
		return;
	}
	for (size_t i = 0; i < count; i++)
		start[byte_at(b, &keys[i], depth) + 1]++;
	for (size_t c = 1; c < 257; c++)
		start[c] += start[c - 1];
	for (size_t i = 0; i < count; i++)
		b->spare[start[byte_at(b, &keys[i], depth)]++] = keys[i];
	memcpy(keys, b->spare, count * sizeof(*keys));
}

static void
node_add(struct radix_nodes *nodes)
{
	if (nodes->count == nodes->capacity) {
		nodes->capacity = nodes->capacity ? nodes->capacity * 2 : 64;
		nodes->node = xreallocarray(
			nodes->node, nodes->capacity, sizeof(*nodes->node));
	}
	nodes->node[nodes->count++] =
		(struct image_node){ .route = IMAGE_NO_ROUTE };
}

static void
pending_push(struct builder *b, struct pending p)
{
	if (b->pending_count == b->pending_size) {
		b->pending_size = b->pending_size ? b->pending_size * 2 : 64;
		b->pending = xreallocarray(
			b->pending, b->pending_size, sizeof(*b->pending));
	}
	b->pending[b->pending_count++] = p;
}

/* The matchers of a node; those that an earlier route leaves nothing to are
 * reported. Returns the lowest route that takes everything below. */
static uint32_t
node_set_matchers(struct builder *b, struct image_node *node,
	const struct radix_key *keys, size_t count, uint32_t cover)
{
	uint32_t *list = &node->matchers;

	node->matcher_count = (uint32_t)count;
	if (count == 1 && keys[0].takes_all) {
		node->route = keys[0].route;
		node->path_type = keys[0].path_type;
	}
	if (count > 1) {
		node->matchers = block_room(b->block, count, sizeof(*list));
		list = block_at(b->block, node->matchers);
	}
	for (size_t i = 0; i < count; i++) {
		list[i] = keys[i].matcher;
		if (cover < keys[i].route)
			b->covered(&keys[i], cover, b->arg);
		else if (keys[i].takes_all)
			cover = keys[i].route;
	}
	return cover;
}

/* One child for each byte that follows. They wait on the stack, the first on
 * top: so what is below each comes to lie behind it before the next is seen to.
 */
static void
node_add_children(struct builder *b, size_t index, struct pending p)
{
	size_t first = b->nodes->count, count = 0, end = p.first + p.count;
	size_t begin[257];
	struct image_node *node;
	uint8_t bytes[256], *key = bytes;

	keys_sort(b, b->keys + p.first, p.count, p.depth);
	for (size_t i = p.first; i < end; i++) {
		uint8_t c = byte_at(b, &b->keys[i], p.depth);

		if (count > 0 && bytes[count - 1] == c)
			continue;
		begin[count] = i;
		bytes[count++] = c;
		node_add(b->nodes);
	}
	begin[count] = end;
	for (size_t i = count; i-- > 0;)
		pending_push(
			b, (struct pending){ first + i, begin[i],
				   begin[i + 1] - begin[i], p.depth, p.cover });
	node = &b->nodes->node[index];
	node->first_child = (uint32_t)first;
	node->child_count = (uint16_t)count;
	if (count > IMAGE_NODE_KEYS) {
		node->keys = block_room(b->block, count, 1);
		key = block_at(b->block, node->keys);
		memcpy(key, bytes, count);
	} else {
		memcpy(node->key, bytes, count);
	}
}

/* Those that end at depth to the front, the order otherwise kept. */
static size_t
keys_ending_first(
	struct builder *b, struct radix_key *keys, size_t count, uint32_t depth)
{
	size_t here = 0, rest = 0;

	for (size_t i = 0; i < count; i++) {
		if (keys[i].length == depth)
			keys[here++] = keys[i];
		else
			b->spare[rest++] = keys[i];
	}
	if (here > 0 && rest > 0)
		memcpy(keys + here, b->spare, rest * sizeof(*keys));
	return here;
}

static void
node_finish(struct builder *b, struct pending p)
{
	struct image_node *node = &b->nodes->node[p.index];
	struct radix_key *keys = b->keys + p.first;
	size_t here;

	node->label = keys[0].text + p.depth;
	node->label_length = common_length(b, keys, p.count, p.depth);
	if (node->label_length <= IMAGE_NODE_TEXT)
		memcpy(node->text, block_at(b->block, node->label),
			node->label_length);
	p.depth += node->label_length;
	here = keys_ending_first(b, keys, p.count, p.depth);
	p.cover = node_set_matchers(b, node, keys, here, p.cover);
	p.first += here;
	p.count -= here;
	if (p.count > 0)
		node_add_children(b, p.index, p);
}

uint32_t
radix_build(struct block *block, struct radix_nodes *nodes,
	struct radix_key *keys, size_t count, uint32_t cover,
	radix_covered_f *covered, void *arg)
{
	struct builder b = {
		.block = block,
		.nodes = nodes,
		.keys = keys,
		.covered = covered,
		.arg = arg,
	};
	size_t root = nodes->count;

	if (count == 0)
		return IMAGE_RADIX_NONE;
	b.spare = xreallocarray(NULL, count, sizeof(*keys));
	node_add(nodes);
	pending_push(&b, (struct pending){ root, 0, count, 0, cover });
	while (b.pending_count > 0)
		node_finish(&b, b.pending[--b.pending_count]);
	free(b.spare);
	free(b.pending);
	return (uint32_t)root;
}

/* ---- walking */

/* Which of up to 16 keys is c; -1: none. */
static inline int
key_find(const uint8_t key[static IMAGE_NODE_KEYS], uint32_t count, uint8_t c)
{
#if defined(__SSE2__)
	__m128i keys = _mm_loadu_si128((const __m128i *)(const void *)key);
	__m128i same = _mm_cmpeq_epi8(keys, _mm_set1_epi8((char)c));
	unsigned mask = (unsigned)_mm_movemask_epi8(same) & ((1u << count) - 1);

	return mask != 0 ? __builtin_ctz(mask) : -1;
#else
	for (uint32_t i = 0; i < count; i++)
		if (key[i] == c)
			return (int)i;
	return -1;
#endif
}

static inline const struct image_node *
child_of(const struct image_vhost *vhost, const struct image_node *nodes,
	const struct image_node *node, uint8_t c)
{
	const uint8_t *keys, *at;
	int i;

	if (node->child_count <= IMAGE_NODE_KEYS) {
		i = key_find(node->key, node->child_count, c);
		return i < 0 ? NULL : &nodes[node->first_child + (uint32_t)i];
	}
	keys = image_at(vhost, node->keys);
	at = memchr(keys, c, node->child_count);
	return at == NULL ? NULL : &nodes[node->first_child + (at - keys)];
}

/* memcmp() == 0 without a call: labels are short. */
static inline bool
bytes_equal(const char *a, const char *b, size_t n)
{
	uint64_t x, y;

	for (; n >= sizeof(x); n -= sizeof(x)) {
		memcpy(&x, a, sizeof(x));
		memcpy(&y, b, sizeof(y));
		if (x != y)
			return false;
		a += sizeof(x);
		b += sizeof(x);
	}
	for (; n > 0; n--)
		if (*a++ != *b++)
			return false;
	return true;
}

/* Whether the path goes on with the node's label, of which the first bytes
 * are known to; at its end the path has a NUL, as the keys of exact matchers
 * do. */
static inline bool
label_fits(const struct image_vhost *vhost, const struct image_node *node,
	struct slice rest, size_t known)
{
	const char *label = node->text;
	size_t length = node->label_length;

	if (length <= known)
		return length <= rest.length || label[0] == '\0';
	if (length > IMAGE_NODE_TEXT)
		label = image_at(vhost, node->label);
	if (length > rest.length) {
		if (length != rest.length + 1 || label[rest.length] != '\0')
			return false;
		length = rest.length;
	}
	return length <= known ||
	       bytes_equal(label + known, rest.data + known, length - known);
}

/* length: of the path up to the node; ends: there it is over. */
static inline void
node_note(const struct image_vhost *vhost, const struct image_node *node,
	size_t length, bool ends, struct radix_found *found)
{
	const uint32_t *list = &node->matchers;

	if (node->route != IMAGE_NO_ROUTE) {
		if (node->matchers >= found->matcher ||
			(node->path_type == MODEL_PATH_EXACT && !ends))
			return;
		found->matcher = node->matchers;
		found->route = node->route;
		found->prefix_length = (uint32_t)length;
		found->path_type = node->path_type;
		return;
	}
	if (node->matcher_count > 1)
		list = image_at(vhost, node->matchers);
	if (*list < found->matcher)
		found->lists[found->count++] =
			(struct radix_list){ list, list + node->matcher_count };
}

void
radix_walk(const struct image_vhost *vhost, uint32_t root, struct slice path,
	struct radix_found *found)
{
	const struct image_node *nodes = image_at(vhost, vhost->nodes.offset);
	const struct image_node *node = &nodes[root];
	size_t length = path.length, known = 0;

	while (node != NULL && label_fits(vhost, node, path, known)) {
		bool ends = node->label_length > path.length;

		if (!ends) {
			path.data += node->label_length;
			path.length -= node->label_length;
		}
		if (node->matcher_count > 0)
			node_note(vhost, node,
				ends ? length : length - path.length, ends,
				found);
		if (ends)
			break;
		known = 1;
		node = child_of(vhost, nodes, node,
			path.length > 0 ? (uint8_t)path.data[0] : '\0');
	}
}
