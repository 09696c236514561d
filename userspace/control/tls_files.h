/*
 * The files of certificates and keys that upstreams name (sslConfig.sslFiles),
 * and the system's roots: each is read once, for all that name it, and again
 * when it changed on disk. Bytes are overwritten as soon as nothing needs them.
 */
#ifndef CONTROL_TLS_FILES_H
#define CONTROL_TLS_FILES_H

#include <stdbool.h>
#include <stdint.h>

struct tls_files;

struct tls_file {
	char *text;      /* NULL: see problem */
	char *problem;   /* one sentence; NULL: there is a text */
	uint64_t serial; /* of this reading; not 0 */
};

struct tls_files *tls_files_new(void);
void tls_files_free(struct tls_files *f); /* NULL is fine */

/* What is at path, read if it is not known; needed from now on. Valid until
 * tls_files_drop forgets it or tls_files_look_again finds that it changed. */
const struct tls_file *tls_files_take(struct tls_files *f, const char *path);
/* Nothing is needed but what is taken from now on, ... */
void tls_files_unneed(struct tls_files *f);
/* ... and what was not is forgotten. */
void tls_files_drop(struct tls_files *f);

/* Those that changed on disk are read again when they are taken; not the one at
 * the path but, which may be NULL. True: there was one. */
bool tls_files_look_again(struct tls_files *f, const char *but);

#endif
