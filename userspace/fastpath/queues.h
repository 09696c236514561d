/* How many receive queues an interface has now. */
#ifndef FASTPATH_QUEUES_H
#define FASTPATH_QUEUES_H

#include <stdint.h>

/* 0: there is no such interface, or its driver does not say. */
uint32_t queues_count(const char *interface);

#endif
