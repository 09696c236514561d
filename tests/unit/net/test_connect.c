/* Tests userspace/net/connect.c where TCP has no say: unix sockets. */
#include "net/connect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/unix_socket.h"

static char folder[] = "/tmp/test-connect-XXXXXX";
static char path[64];
static int listener;

static int
setup(void **state)
{
	struct sockaddr_un sun;

	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/s", folder);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return unix_socket_address(path, &sun, NULL) == 0 &&
			       bind(listener, (const struct sockaddr *)&sun,
				       sizeof(sun)) == 0 &&
			       listen(listener, 0) == 0
		       ? 0
		       : -1;
}

static int
teardown(void **state)
{
	(void)state;
	close(listener);
	unlink(path);
	return rmdir(folder);
}

/* A queue of one: the second waits until the first is taken. */
static void
test_full_queue(void **state)
{
	const struct addr none = { .port_be = 0 };
	bool full = true;
	int first = connect_start(&none, path, &full), second, other;
	char byte = 0;

	(void)state;
	assert_true(first >= 0);
	assert_false(full);
	assert_int_equal(connect_start(&none, path, NULL), -1);
	assert_int_equal(errno, EAGAIN);
	second = connect_start(&none, path, &full);
	assert_true(second >= 0);
	assert_true(full);
	assert_int_equal(connect_again(second, path), -1);
	assert_int_equal(errno, EAGAIN);
	other = accept(listener, NULL, NULL);
	assert_true(other >= 0);
	close(other);
	assert_int_equal(connect_again(second, path), 0);
	other = accept(listener, NULL, NULL);
	assert_int_equal(send(second, "x", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(recv(other, &byte, 1, 0), 1);
	assert_int_equal(byte, 'x');
	close(other);
	close(first);
	/* It is gone meanwhile. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(connect_again(second, path), -1);
	assert_int_not_equal(errno, EAGAIN);
	close(second);
	assert_int_equal(connect_start(&none, path, &full), -1);
	assert_int_equal(errno, ENOENT);
	assert_false(full);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_full_queue, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
