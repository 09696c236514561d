/* Certificates and keys that control sent. */
#include "proxy/vault.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/table.h"
#include "model/wire.h"
#include "net/shm.h"

struct vault {
	struct table *by_number; /* struct kept */
};

struct kept {
	struct vault_item material; /* within bytes */
	uint64_t number;
	bool old; /* of a control before the one that is there */
	size_t length;
	char bytes[];
};

static const char *
key_print(uint64_t number, char out[24])
{
	snprintf(out, 24, "%016" PRIx64, number);
	return out;
}

static void
kept_free(void *value)
{
	struct kept *k = value;

	mem_wipe(k->bytes, k->length);
	free(k);
}

struct vault *
vault_new(void)
{
	struct vault *m = xcalloc(1, sizeof(*m));

	m->by_number = table_new(kept_free);
	return m;
}

void
vault_free(struct vault *m)
{
	if (m == NULL)
		return;
	table_free(m->by_number);
	free(m);
}

/* What was sent, in memory of our own: nobody changes it while it is read. */
static struct kept *
kept_new(const void *sent, size_t length, struct error *err)
{
	struct wire_material head;
	struct kept *k;
	uint64_t sum;

	if (length < sizeof(head) || length > VAULT_ITEM_MAX) {
		error_set(
			err, ERROR_SYSTEM, "%zu bytes are no material", length);
		return NULL;
	}
	k = xmalloc(sizeof(*k) + length);
	k->length = length;
	k->old = false;
	memcpy(k->bytes, sent, length);
	memcpy(&head, k->bytes, sizeof(head));
	sum = sizeof(head) + (uint64_t)head.ca_length + head.cert_length +
	      head.key_length;
	if (sum != length) {
		error_set(err, ERROR_SYSTEM,
			"%zu bytes of material are not what its head says",
			length);
		kept_free(k);
		return NULL;
	}
	k->material.ca =
		(struct slice){ k->bytes + sizeof(head), head.ca_length };
	k->material.cert = (struct slice){ k->material.ca.data + head.ca_length,
		head.cert_length };
	k->material.key =
		(struct slice){ k->material.cert.data + head.cert_length,
			head.key_length };
	return k;
}

int
vault_take(struct vault *m, uint64_t number, int fd, struct error *err)
{
	char key[24];
	size_t length;
	void *sent = shm_map_shared(fd, &length, err);
	struct kept *k, *was;

	if (sent == NULL)
		return -1;
	k = kept_new(sent, length, err);
	mem_wipe(sent, length);
	shm_unmap(sent, length);
	if (k == NULL)
		return -1;
	key_print(number, key);
	k->number = number;
	was = table_get(m->by_number, key);
	if (was != NULL)
		was->old = false;
	if (number == 0 || was != NULL)
		kept_free(k);
	else
		table_set(m->by_number, key, k);
	return number != 0 ? 0
			   : error_set(err, ERROR_SYSTEM,
				     "material without a number");
}

void
vault_forget(struct vault *m, uint64_t number)
{
	char key[24];

	table_remove(m->by_number, key_print(number, key));
}

void
vault_age(struct vault *m)
{
	size_t place = 0;
	const char *key;
	void *value;

	while (table_next(m->by_number, &place, &key, &value))
		((struct kept *)value)->old = true;
}

void
vault_sweep(struct vault *m, vault_named_f *named, const void *arg)
{
	size_t place = 0;
	const char *key;
	void *value;

	while (table_next(m->by_number, &place, &key, &value)) {
		const struct kept *k = value;

		if (k->old && !named(k->number, arg))
			table_remove(m->by_number, key);
	}
}

const struct vault_item *
vault_get(const struct vault *m, uint64_t number)
{
	char key[24];
	const struct kept *k = table_get(m->by_number, key_print(number, key));

	return k != NULL ? &k->material : NULL;
}
