/* Messages between threads. */
#include "proxy/mailbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/loop.h"

struct mailbox {
	pthread_mutex_t mutex;
	struct mail *first, **last;
	struct loop_fd *watch;
	int fd;
	mailbox_f *cb;
	void *arg;
};

static struct mail *
mailbox_take(struct mailbox *m)
{
	struct mail *first;

	pthread_mutex_lock(&m->mutex);
	first = m->first;
	m->first = NULL;
	m->last = &m->first;
	pthread_mutex_unlock(&m->mutex);
	return first;
}

static void
on_wake(int fd, unsigned what, void *arg)
{
	struct mailbox *m = arg;
	struct mail *mail, *next;
	uint64_t count;

	(void)what;
	if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		log_fatal("mailbox: cannot read errno=%d", errno);
	for (mail = mailbox_take(m); mail != NULL; mail = next) {
		next = mail->next;
		m->cb(mail, m->arg);
		free(mail);
	}
}

struct mailbox *
mailbox_new(struct loop *loop, mailbox_f *cb, void *arg)
{
	struct mailbox *m = xcalloc(1, sizeof(*m));

	pthread_mutex_init(&m->mutex, NULL);
	m->last = &m->first;
	m->cb = cb;
	m->arg = arg;
	m->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (m->fd < 0)
		log_fatal("mailbox: no eventfd errno=%d", errno);
	m->watch = loop_fd_new(loop, m->fd, LOOP_READ, on_wake, m);
	return m;
}

void
mailbox_free(struct mailbox *m)
{
	struct mail *mail, *next;

	if (m == NULL)
		return;
	for (mail = mailbox_take(m); mail != NULL; mail = next) {
		next = mail->next;
		free(mail);
	}
	loop_fd_free(m->watch);
	close(m->fd);
	pthread_mutex_destroy(&m->mutex);
	free(m);
}

void
mailbox_send(struct mailbox *m, const struct mail *mail)
{
	struct mail *copy = xmemdup(mail, sizeof(*mail));
	const uint64_t one = 1;

	copy->next = NULL;
	pthread_mutex_lock(&m->mutex);
	*m->last = copy;
	m->last = &copy->next;
	pthread_mutex_unlock(&m->mutex);
	if (write(m->fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_fatal("mailbox: cannot wake errno=%d", errno);
}
