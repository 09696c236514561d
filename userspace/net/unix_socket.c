/* Unix sockets: address, and listening at a path. */
#include "net/unix_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 128

int
unix_socket_address(
	const char *path, struct sockaddr_un *sun, struct error *err)
{
	*sun = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(sun->sun_path))
		return error_set(err, ERROR_CONFIG,
			"the path %s is too long for a socket", path);
	strcpy(sun->sun_path, path);
	return 0;
}

static int
socket_file_remove(const char *path, struct error *err)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return 0; /* bind will say what else is wrong */
	if (!S_ISSOCK(st.st_mode))
		return error_set(err, ERROR_CONFIG,
			"%s is in the way: it is not a socket", path);
	if (unlink(path) < 0)
		return error_errno(err, errno, "cannot replace %s", path);
	return 0;
}

int
unix_socket_listen(const char *path, int type, mode_t mode, gid_t group,
	struct error *err)
{
	struct sockaddr_un sun;
	int fd;

	if (unix_socket_address(path, &sun, err) < 0 ||
		socket_file_remove(path, err) < 0)
		return -1;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_errno(err, errno, "cannot make a socket");
	/* Linux gives the file the mode that the socket has, so that nobody
	 * gets in before its group and mode are right. */
	if (fchmod(fd, 0600) < 0 ||
		bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 ||
		(group != (gid_t)-1 && chown(path, (uid_t)-1, group) < 0) ||
		chmod(path, mode) < 0 || listen(fd, BACKLOG) < 0) {
		error_errno(err, errno, "cannot listen on %s", path);
		close(fd);
		return -1;
	}
	return fd;
}
