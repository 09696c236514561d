/* Credentials that control sent. */
#include "proxy/call_credentials.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/dialect.h"
#include "net/shm.h"

/* What was sent, in memory of our own: nobody changes it while it is read. NULL
 * and err: it is not what it is said to be. */
static char *
bytes_take(int fd, uint32_t length, struct error *err)
{
	size_t mapped;
	void *sent = shm_map_shared(fd, &mapped, err);
	char *bytes = NULL;

	if (sent == NULL)
		return NULL;
	if (length == 0 || length > mapped || length > CALL_CREDENTIALS_MAX)
		error_set(err, ERROR_SYSTEM,
			"%u of %zu bytes are no credentials", length, mapped);
	else
		bytes = xmemdup(sent, length);
	mem_wipe(sent, mapped);
	shm_unmap(sent, mapped);
	return bytes;
}

struct call_credentials *
call_credentials_new(const struct dialect *dialect, int fd, uint32_t length,
	struct error *err)
{
	char *bytes = bytes_take(fd, length, err);
	struct call_credentials *c = NULL;
	void *made = NULL;

	if (bytes == NULL)
		return NULL;
	if (dialect == NULL)
		error_set(err, ERROR_SYSTEM, "its kind takes none");
	else
		made = dialect->credentials_new(
			(struct slice){ bytes, length }, err);
	if (made != NULL) {
		c = xcalloc(1, sizeof(*c));
		atomic_init(&c->refs, 1);
		c->dialect = dialect;
		c->made = made;
	}
	mem_wipe(bytes, length);
	free(bytes);
	return c;
}

struct call_credentials *
call_credentials_ref(struct call_credentials *c)
{
	if (c != NULL)
		atomic_fetch_add(&c->refs, 1);
	return c;
}

void
call_credentials_unref(struct call_credentials *c)
{
	if (c == NULL || atomic_fetch_sub(&c->refs, 1) > 1)
		return;
	c->dialect->credentials_free(c->made);
	free(c);
}
