/* Tests userspace/net/shm.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "net/shm.h"

static void
test_sealed_never_changes(void **state)
{
	const char *bytes;
	size_t length = 0;
	int fd;

	(void)state;
	fd = shm_new_sealed("image", "the image", 9, NULL);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	bytes = shm_map_sealed(fd, &length, NULL);
	assert_non_null(bytes);
	assert_int_equal(length, 9);
	assert_memory_equal(bytes, "the image", 9);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, 4), -1);
	assert_int_equal(ftruncate(fd, 4000), -1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), -1);
	assert_ptr_equal(mmap(NULL, 9, PROT_WRITE, MAP_SHARED, fd, 0),
		MAP_FAILED);
	/* Nor can it be taken for a shared one. */
	assert_null(shm_map_shared(fd, &length, NULL));
	shm_unmap(bytes, length);
	close(fd);
}

static void
test_shared_is_written_by_all(void **state)
{
	size_t length = 0, again = 0;
	char *one, *two;
	int fd;

	(void)state;
	fd = shm_new_shared("counters", 100000, NULL);
	assert_true(fd >= 0);
	one = shm_map_shared(fd, &length, NULL);
	two = shm_map_shared(fd, &again, NULL);
	assert_non_null(one);
	assert_non_null(two);
	assert_int_equal(length, 100000);
	assert_int_equal(one[99999], 0);
	one[99999] = 7;
	assert_int_equal(two[99999], 7);
	assert_int_equal(ftruncate(fd, 4), -1);
	assert_int_equal(ftruncate(fd, 4000000), -1);
	assert_null(shm_map_sealed(fd, &length, NULL));
	shm_unmap(one, length);
	shm_unmap(two, again);
	shm_unmap(NULL, 0);
	close(fd);
}

static void
test_what_is_not_sealed_is_refused(void **state)
{
	struct error err = ERROR_INIT;
	size_t length;
	int fd;

	(void)state;
	fd = memfd_create("hostile", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_null(shm_map_shared(fd, &length, &err));
	assert_int_equal(err.code, ERROR_SYSTEM);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW),
		0);
	assert_null(shm_map_sealed(fd, &length, NULL));
	close(fd);

	fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
	assert_null(shm_map_shared(fd, &length, NULL));
	close(fd);
	assert_null(shm_map_sealed(-1, &length, NULL));

	fd = memfd_create("empty", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	assert_int_equal(fcntl(fd, F_ADD_SEALS,
				 F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE),
		0);
	assert_null(shm_map_sealed(fd, &length, NULL));
	close(fd);
	assert_int_equal(shm_new_sealed("empty", "", 0, NULL), -1);
	assert_int_equal(shm_new_shared("empty", 0, NULL), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sealed_never_changes),
		cmocka_unit_test(test_shared_is_written_by_all),
		cmocka_unit_test(test_what_is_not_sealed_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
