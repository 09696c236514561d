/* Tests userspace/net/listener.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/listener.h"

static void
at(struct addr *a, const char *ip, uint16_t port)
{
	assert_int_equal(addr_parse_ip(ip, port, a), 0);
}

static void
test_one_socket_per_worker(void **state)
{
	struct addr a, b;
	int fds[4], value;
	socklen_t size = sizeof(value);

	(void)state;
	at(&a, "127.0.0.1", 0);
	assert_int_equal(listener_open(&a, fds, 4, NULL), 0);
	assert_int_equal(listener_addr(fds[0], &a), 0);
	assert_true(addr_port(&a) != 0);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(listener_addr(fds[i], &b), 0);
		assert_true(addr_equal(&a, &b));
		assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
		assert_true(fcntl(fds[i], F_GETFL) & O_NONBLOCK);
		assert_int_equal(getsockopt(fds[i], SOL_SOCKET, SO_ACCEPTCONN,
					 &value, &size),
			0);
		assert_int_equal(value, 1);
		close(fds[i]);
	}
}

static int
connect_to(const char *ip, uint16_t port)
{
	struct sockaddr_storage ss;
	struct addr a;
	socklen_t length;
	int fd;

	at(&a, ip, port);
	length = addr_to_sockaddr(&a, &ss);
	fd = socket(ss.ss_family, SOCK_STREAM, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&ss, length) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static void
test_the_ipv6_wildcard_takes_ipv4(void **state)
{
	struct addr a;
	int listening, client, accepted, value = 0;
	socklen_t size = sizeof(value);

	(void)state;
	at(&a, "::", 0);
	assert_int_equal(listener_open(&a, &listening, 1, NULL), 0);
	assert_int_equal(listener_addr(listening, &a), 0);
	client = connect_to("127.0.0.1", addr_port(&a));
	assert_true(client >= 0);
	accepted = accept(listening, NULL, NULL);
	assert_true(accepted >= 0);
	assert_int_equal(getsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &value,
				 &size),
		0);
	assert_int_equal(value, 1);
	close(client);
	close(accepted);
	close(listening);
}

static void
test_an_address_in_use_is_said(void **state)
{
	struct error err = ERROR_INIT;
	struct sockaddr_storage ss;
	char text[ADDR_TEXT_MAX];
	struct addr a;
	socklen_t length;
	int other, fds[2] = { 7, 7 };

	(void)state;
	/* Another program's, without SO_REUSEPORT. */
	at(&a, "127.0.0.1", 0);
	length = addr_to_sockaddr(&a, &ss);
	other = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(other, (struct sockaddr *)&ss, length), 0);
	assert_int_equal(listen(other, 1), 0);
	assert_int_equal(listener_addr(other, &a), 0);
	assert_int_equal(listener_open(&a, fds, 2, &err), -1);
	assert_int_equal(err.code, ERROR_SYSTEM);
	assert_non_null(strstr(err.text, addr_format(&a, text)));
	assert_non_null(strstr(err.text, "in use"));
	assert_int_equal(fds[0], -1);
	close(other);
}

static void
test_an_address_of_others(void **state)
{
	struct error err = ERROR_INIT;
	struct addr a;
	int fd;

	(void)state;
	at(&a, "192.0.2.1", 0);
	assert_int_equal(listener_open(&a, &fd, 1, &err), -1);
	assert_non_null(strstr(err.text, "192.0.2.1:0"));
	assert_int_equal(listener_addr(-1, &a), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_socket_per_worker),
		cmocka_unit_test(test_the_ipv6_wildcard_takes_ipv4),
		cmocka_unit_test(test_an_address_in_use_is_said),
		cmocka_unit_test(test_an_address_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
