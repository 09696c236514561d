/* A block of an image while it grows. */
#include "routing/block.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "routing/hash.h"

void
block_init(struct block *b)
{
	memset(b, 0, sizeof(*b));
}

void
block_fini(struct block *b)
{
	free(b->bytes);
	free(b->strings);
	block_init(b);
}

static void
block_grow(struct block *b, size_t more)
{
	size_t need = b->length + more;

	if (need <= b->capacity)
		return;
	b->capacity = b->capacity < 2048 ? 4096 : b->capacity * 2;
	if (b->capacity < need)
		b->capacity = need;
	b->bytes = xreallocarray(b->bytes, b->capacity, 1);
}

void
block_reserve(struct block *b, size_t more)
{
	block_grow(b, more);
}

uint32_t
block_room(struct block *b, size_t count, size_t size)
{
	size_t pad = -b->length % IMAGE_ALIGN, offset;

	if (count == 0 || size == 0)
		return 0;
	block_grow(b, pad + count * size);
	memset(b->bytes + b->length, 0, pad + count * size);
	offset = b->length + pad;
	b->length = offset + count * size;
	return (uint32_t)offset;
}

uint32_t
block_copy(struct block *b, const void *bytes, size_t length)
{
	size_t pad = -b->length % IMAGE_LINE, offset = b->length + pad;

	if (length == 0)
		return 0;
	block_grow(b, pad + length);
	memset(b->bytes + b->length, 0, pad);
	memcpy(b->bytes + offset, bytes, length);
	b->length = offset + length;
	return (uint32_t)offset;
}

static struct block_slot *
string_slot(const struct block *b, struct slice text, uint32_t hash)
{
	size_t mask = b->string_size - 1;

	for (size_t i = hash & mask;; i = (i + 1) & mask) {
		struct block_slot *s = &b->strings[i];

		if (s->text.offset == 0 ||
			(s->hash == hash &&
				slice_equal(
					image_text(b->bytes, s->text), text)))
			return s;
	}
}

static void
strings_make_room(struct block *b)
{
	struct block_slot *old = b->strings;
	size_t old_size = b->string_size, mask;

	if (b->string_count * 2 < old_size)
		return;
	b->string_size = old_size == 0 ? 64 : old_size * 4;
	b->strings = xcalloc(b->string_size, sizeof(*b->strings));
	mask = b->string_size - 1;
	for (size_t i = 0; i < old_size; i++) {
		size_t k = old[i].hash & mask;

		if (old[i].text.offset == 0)
			continue;
		while (b->strings[k].text.offset != 0)
			k = (k + 1) & mask;
		b->strings[k] = old[i];
	}
	free(old);
}

struct image_str
block_string(struct block *b, struct slice text)
{
	uint32_t hash = text_hash(text);
	struct block_slot *s;

	strings_make_room(b);
	s = string_slot(b, text, hash);
	if (s->text.offset != 0)
		return s->text;
	block_grow(b, text.length + 1);
	s->hash = hash;
	s->text.offset = (uint32_t)b->length;
	s->text.length = (uint32_t)text.length;
	if (text.length > 0)
		memcpy(b->bytes + b->length, text.data, text.length);
	b->bytes[b->length + text.length] = '\0';
	b->length += text.length + 1;
	b->string_count++;
	return s->text;
}

struct image_str
block_text(struct block *b, const char *text)
{
	if (text == NULL)
		return (struct image_str){ 0, 0 };
	return block_string(b, slice_of(text));
}

void *
block_steal(struct block *b, uint32_t *length, struct error *err)
{
	void *bytes;

	block_grow(b, IMAGE_ALIGN);
	while (b->length % IMAGE_ALIGN != 0)
		b->bytes[b->length++] = '\0';
	if (b->length > UINT32_MAX) {
		error_set(err, ERROR_LIMIT, "would take more than 4 GiB");
		return NULL;
	}
	*length = (uint32_t)b->length;
	bytes = xreallocarray(b->bytes, b->length, 1);
	b->bytes = NULL;
	block_fini(b);
	return bytes;
}
