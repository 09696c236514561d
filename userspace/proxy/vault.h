/*
 * Certificates and keys that control sent, by their numbers, for the TLS
 * contexts that images ask for. A memfd that brought them is left with zeros;
 * what is forgotten here is overwritten. Nothing of it is ever printed. Main
 * thread only. Private to proxy/.
 */
#ifndef PROXY_VAULT_H
#define PROXY_VAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

#define VAULT_ITEM_MAX (8u << 20) /* bytes of one */

struct vault;

struct vault_item { /* PEM; each may be empty */
	struct slice ca, cert, key;
};

struct vault *vault_new(void);
void vault_free(struct vault *m);
/* fd holds a struct wire_material and its bytes, can be written and not be
 * resized; it stays the caller's. A number that is there already is what it
 * was. */
int vault_take(struct vault *m, uint64_t number, int fd, struct error *err);
void vault_forget(struct vault *m, uint64_t number);
/* Another control: what came before is not known to it. */
void vault_age(struct vault *m);
/* What came before that, and has not come again, goes unless it is named: that
 * control will not say that it is to be forgotten. */
typedef bool vault_named_f(uint64_t number, const void *arg);
void vault_sweep(struct vault *m, vault_named_f *named, const void *arg);
/* NULL: it did not come. */
const struct vault_item *vault_get(const struct vault *m, uint64_t number);

#endif
