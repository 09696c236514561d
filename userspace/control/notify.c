/* What control tells systemd. */
#include "control/notify.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <systemd/sd-daemon.h>

#include "base/clock.h"

void
notify_ready(const char *status)
{
	sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void
notify_reloading(void)
{
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		clock_monotonic_us());
}

void
notify_stopping(uint64_t ms)
{
	sd_notifyf(0,
		"STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=%" PRIu64,
		ms * 1000);
}

void
notify_status(const char *status)
{
	sd_notifyf(0, "STATUS=%s", status);
}

void
notify_store_add(const char *name, const int *fds, size_t count)
{
	char *text;

	if (asprintf(&text, "FDSTORE=1\nFDNAME=%s", name) < 0)
		return;
	sd_pid_notify_with_fds(0, 0, text, fds, (unsigned)count);
	free(text);
}

void
notify_store_remove(const char *name)
{
	sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}

void
notify_stored(notify_stored_f *cb, void *arg)
{
	char **names = NULL;
	int count = sd_listen_fds_with_names(1, &names);

	for (int i = 0; i < count; i++) {
		int fd = SD_LISTEN_FDS_START + i;

		fcntl(fd, F_SETFD, FD_CLOEXEC);
		cb(fd, names[i], arg);
		free(names[i]);
	}
	free(names);
}
