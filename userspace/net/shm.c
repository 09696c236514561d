/* Memory shared through a descriptor: sealed memfds. */
#include "net/shm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALS_SHARED (F_SEAL_SHRINK | F_SEAL_GROW)
#define SEALS_READ   (SEALS_SHARED | F_SEAL_WRITE)

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

static int
memfd_new(const char *name, size_t length, struct error *err)
{
	int fd;

	if (length == 0 || length > INT64_MAX)
		return error_set(err, ERROR_SYSTEM,
			"shared memory %s cannot have %zu bytes", name, length);
	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return error_errno(err, errno, "cannot make a memfd for %s",
			name);
	return fd;
}

int
shm_new_sealed(const char *name, const void *bytes, size_t length,
	struct error *err)
{
	int fd = memfd_new(name, length, err);

	if (fd < 0)
		return -1;
	if (write_all(fd, bytes, length) < 0) {
		error_errno(err, errno, "cannot fill the memfd of %s", name);
		goto fail;
	}
	if (fcntl(fd, F_ADD_SEALS, SEALS_READ | F_SEAL_SEAL) < 0) {
		error_errno(err, errno, "cannot seal the memfd of %s", name);
		goto fail;
	}
	return fd;
fail:
	close(fd);
	return -1;
}

int
shm_new_shared(const char *name, size_t length, struct error *err)
{
	int fd = memfd_new(name, length, err);

	if (fd < 0)
		return -1;
	if (ftruncate(fd, (off_t)length) < 0) {
		error_errno(err, errno, "cannot size the memfd of %s", name);
		goto fail;
	}
	if (fcntl(fd, F_ADD_SEALS, SEALS_SHARED | F_SEAL_SEAL) < 0) {
		error_errno(err, errno, "cannot seal the memfd of %s", name);
		goto fail;
	}
	return fd;
fail:
	close(fd);
	return -1;
}

static void *
map(int fd, int wanted, int protection, size_t *length, struct error *err)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	void *bytes;

	if (seals < 0) {
		error_errno(err, errno, "a descriptor is no shared memory");
		return NULL;
	}
	if ((seals & wanted) != wanted) {
		error_set(err, ERROR_SYSTEM,
			"shared memory is not sealed seals=%#x wanted=%#x",
			(unsigned)seals, (unsigned)wanted);
		return NULL;
	}
	if (fstat(fd, &st) < 0) {
		error_errno(err, errno, "cannot size shared memory");
		return NULL;
	}
	if (st.st_size <= 0) {
		error_set(err, ERROR_SYSTEM, "shared memory is empty");
		return NULL;
	}
	bytes = mmap(NULL, (size_t)st.st_size, protection, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED) {
		error_errno(err, errno, "cannot map shared memory");
		return NULL;
	}
	*length = (size_t)st.st_size;
	return bytes;
}

const void *
shm_map_sealed(int fd, size_t *length, struct error *err)
{
	return map(fd, SEALS_READ, PROT_READ, length, err);
}

void *
shm_map_shared(int fd, size_t *length, struct error *err)
{
	return map(fd, SEALS_SHARED, PROT_READ | PROT_WRITE, length, err);
}

void
shm_unmap(const void *bytes, size_t length)
{
	if (bytes != NULL)
		munmap((void *)(uintptr_t)bytes, length);
}
