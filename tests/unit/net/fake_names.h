/*
 * Names in the test's hands, for what asks with getaddrinfo, as libcurl's
 * threads do: whatever ends in ".test" is 127.0.0.1, but nobody.test is
 * nobody, and answers may be held back. To be included once in a test program.
 */
#ifndef TESTS_UNIT_NET_FAKE_NAMES_H
#define TESTS_UNIT_NET_FAKE_NAMES_H

#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static pthread_mutex_t names = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t names_go = PTHREAD_COND_INITIALIZER;
static bool names_held;
static unsigned names_waiting;

int
getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
	struct addrinfo **out)
{
	int (*real)(const char *, const char *, const struct addrinfo *,
		struct addrinfo **);

	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	pthread_mutex_lock(&names);
	names_waiting++;
	while (names_held)
		pthread_cond_wait(&names_go, &names);
	names_waiting--;
	pthread_cond_broadcast(&names_go);
	pthread_mutex_unlock(&names);
	if (name != NULL && strcmp(name, "nobody.test") == 0)
		return EAI_NONAME;
	if (name != NULL && strstr(name, ".test") != NULL)
		name = "127.0.0.1";
	return real(name, service, hints, out);
}

static inline void
names_hold(void)
{
	pthread_mutex_lock(&names);
	names_held = true;
	pthread_mutex_unlock(&names);
}

/* All who waited have gone on. */
static inline void
names_release(void)
{
	pthread_mutex_lock(&names);
	names_held = false;
	pthread_cond_broadcast(&names_go);
	while (names_waiting > 0)
		pthread_cond_wait(&names_go, &names);
	pthread_mutex_unlock(&names);
}

#endif
