/* The three functions of a kind whose spec is wholly said by a schema table.
 * Private to kinds/. */
#ifndef KINDS_SPEC_H
#define KINDS_SPEC_H

#include <stdlib.h>

#include "model/schema.h"

/* Defines spec_read, spec_print and spec_free over that table. */
#define KIND_SPEC(table)                                                       \
	static void *spec_read(const struct doc *d, struct error *err)         \
	{                                                                      \
		return schema_read_new(&(table), d, err);                      \
	}                                                                      \
	static struct doc *spec_print(const void *spec)                        \
	{                                                                      \
		return schema_print(&(table), spec);                           \
	}                                                                      \
	static void spec_free(void *spec)                                      \
	{                                                                      \
		if (spec != NULL)                                              \
			schema_fini(&(table), spec);                           \
		free(spec);                                                    \
	}

#endif
