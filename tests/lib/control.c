/* What control does with the kernel half. */
#include "tests/lib/control.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/mem.h"

struct fastpath *
control_open(const char *pin_path, const char *interface)
{
	return control_open_seeded(pin_path, interface, 0);
}

struct fastpath *
control_open_seeded(const char *pin_path, const char *interface,
	uint32_t hash_seed)
{
	const struct fastpath_interface_option only = { interface,
		FASTPATH_AUTO };
	const struct fastpath_options options = {
		.pin_path = pin_path,
		.hash_seed = hash_seed,
		.interfaces = &only,
		.interface_count = 1,
	};
	struct fastpath *f = fastpath_open(&options);

	if (fastpath_state(f) != FASTPATH_ATTACHED)
		fail_msg("%s", fastpath_interface_get(f, 0)->problem);
	return f;
}

void
control_ask(struct fastpath *f, struct fastpath_service service,
	const struct fastpath_backend *backends, const bool *asked,
	size_t count)
{
	struct fastpath_backend *set = xcalloc(count, sizeof(*set));
	struct error err = ERROR_INIT;

	service.backends = set;
	service.backend_count = 0;
	for (size_t i = 0; i < count; i++) {
		if (asked[i])
			set[service.backend_count++] = backends[i];
	}
	if (fastpath_services_set(f, &service, 1, &err) != 0)
		fail_msg("%s", err.text);
	free(set);
}
