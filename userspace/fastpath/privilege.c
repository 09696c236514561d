/* CAP_SYS_ADMIN for the length of one call. */
#include "fastpath/privilege.h"

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

static bool
capabilities_get(struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};

	return syscall(SYS_capget, &header, data) == 0;
}

static bool
capabilities_set(const struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};

	return syscall(SYS_capset, &header, data) == 0;
}

bool
privilege_raise(void)
{
	struct __user_cap_data_struct data[2];
	const uint32_t bit = CAP_TO_MASK(CAP_SYS_ADMIN);
	const unsigned word = CAP_TO_INDEX(CAP_SYS_ADMIN);

	if (!capabilities_get(data) || data[word].effective & bit ||
		!(data[word].permitted & bit))
		return false;
	data[word].effective |= bit;
	return capabilities_set(data);
}

void
privilege_lower(bool raised)
{
	struct __user_cap_data_struct data[2];
	int saved = errno;

	if (raised && capabilities_get(data)) {
		data[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective &=
			~(uint32_t)CAP_TO_MASK(CAP_SYS_ADMIN);
		capabilities_set(data);
	}
	errno = saved;
}
