/* The access log: opened here, written by the proxy. */
#include "control/access_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "control/supervise.h"

#define MODE 0640

void
access_log_close(struct control *c)
{
	if (c->access_log >= 0)
		close(c->access_log);
	c->access_log = -1;
	free(c->access_log_problem);
	c->access_log_problem = NULL;
}

void
access_log_open(struct control *c)
{
	const char *path = c->settings->access_log;

	access_log_close(c);
	if (path != NULL) {
		/* A FIFO without a reader must not hold control up. */
		c->access_log = open(path,
			O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY |
				O_NONBLOCK,
			MODE);
		if (c->access_log < 0) {
			c->access_log_problem = xasprintf(
				"cannot open %s: %s", path, strerror(errno));
			log_error("access log: %s", c->access_log_problem);
		}
	}
	supervisor_send_access_log(c->supervisor);
}
