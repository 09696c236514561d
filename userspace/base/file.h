/* Whole files: read with a limit, replaced so that a crash leaves old or new. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/str.h"

/* Appends the file to out. More than max bytes is an error. */
int file_read(const char *path, size_t max, struct str *out,
	struct error *err);
/* Temp file in the same folder, fsync, rename, fsync of the folder. On any
 * failure (full disk) the temp file is removed and the old file stays. */
int file_replace(const char *path, const void *data, size_t length, mode_t mode,
	struct error *err);
/* The same without waiting for the disk, for what can be had again: a process
 * that ends leaves old or new, a loss of power perhaps an empty file. */
int file_replace_lazily(const char *path, const void *data, size_t length,
	mode_t mode, struct error *err);
/* mkdir -p. */
int file_make_folders(const char *path, mode_t mode, struct error *err);

#endif
