/* Whole files: read with a limit, replaced atomically. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

int
file_read(const char *path, size_t max, struct str *out, struct error *err)
{
	size_t before = out->length;
	char buf[16384];
	ssize_t n;
	int rc = -1;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, errno, "cannot open %s", path);
	for (;;) {
		n = read(fd, buf, sizeof(buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			error_errno(err, errno, "cannot read %s", path);
			goto out;
		}
		if (n == 0)
			break;
		if ((size_t)n > max - (out->length - before)) {
			error_set(err, ERROR_LIMIT,
				"%s has more than %zu bytes", path, max);
			goto out;
		}
		str_append(out, buf, (size_t)n);
	}
	rc = 0;
out:
	close(fd);
	return rc;
}

static int
write_all(int fd, const char *data, size_t length)
{
	while (length > 0) {
		ssize_t n = write(fd, data, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		data += n;
		length -= (size_t)n;
	}
	return 0;
}

/* "a/b" to "a", "/b" to "/", "b" to ".". */
static char *
folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return xstrdup(".");
	if (slash == path)
		return xstrdup("/");
	return xstrndup(path, (size_t)(slash - path));
}

static int
folder_sync(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int saved, rc;

	if (fd < 0)
		return -1;
	rc = fsync(fd);
	saved = errno;
	close(fd);
	errno = saved;
	return rc;
}

static int
replace(const char *path, const void *data, size_t length, mode_t mode,
	bool sync, struct error *err)
{
	char *folder = folder_of(path);
	/* Short, since a name may already be as long as a name can be. */
	char *temp = xasprintf("%s/.new-XXXXXX", folder);
	int rc = -1;
	int fd;

	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0) {
		error_errno(err, errno, "cannot make a file in %s", folder);
		goto out;
	}
	if (fchmod(fd, mode) < 0 || write_all(fd, data, length) < 0 ||
		(sync && fsync(fd) < 0)) {
		error_errno(err, errno, "cannot write %s", path);
		close(fd);
		goto remove;
	}
	if (close(fd) < 0) {
		error_errno(err, errno, "cannot write %s", path);
		goto remove;
	}
	if (rename(temp, path) < 0) {
		error_errno(err, errno, "cannot replace %s", path);
		goto remove;
	}
	if (sync && folder_sync(folder) < 0) {
		error_errno(err, errno, "cannot sync the folder %s", folder);
		goto out;
	}
	rc = 0;
	goto out;
remove:
	unlink(temp);
out:
	free(temp);
	free(folder);
	return rc;
}

int
file_replace(const char *path, const void *data, size_t length, mode_t mode,
	struct error *err)
{
	return replace(path, data, length, mode, true, err);
}

int
file_replace_lazily(const char *path, const void *data, size_t length,
	mode_t mode, struct error *err)
{
	return replace(path, data, length, mode, false, err);
}

static int
make_folder(const char *path, mode_t mode, struct error *err)
{
	struct stat st;
	int why;

	if (mkdir(path, mode) == 0)
		return 0;
	why = errno;
	/* A read-only or protected parent answers EROFS or EACCES before
	 * EEXIST. */
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	return error_errno(err, why == EEXIST ? ENOTDIR : why,
		"cannot make the folder %s", path);
}

int
file_make_folders(const char *path, mode_t mode, struct error *err)
{
	char *copy = xstrdup(path);
	int rc = 0;

	for (char *p = copy + 1; copy[0] != '\0' && *p != '\0' && rc == 0;
		p++) {
		if (*p != '/' || p[-1] == '/')
			continue;
		*p = '\0';
		rc = make_folder(copy, mode, err);
		*p = '/';
	}
	if (rc == 0)
		rc = make_folder(copy, mode, err);
	free(copy);
	return rc;
}
