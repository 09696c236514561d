/* libcurl, loaded when it is first needed. */
#include "net/curl.h"

#include <dlfcn.h>

struct curl_functions curl;

/* POSIX has dlsym return functions as void *, which C cannot convert. */
static int
function_find(void *library, const char *name, void (**out)(void),
	struct error *err)
{
	*(void **)out = dlsym(library, name);
	return *out != NULL ? 0
			    : error_set(err, ERROR_SYSTEM, "%s has no %s: %s",
				      CURL_LIBRARY, name, dlerror());
}

int
curl_load(struct error *err)
{
	static void *library;

	if (curl.multi_init != NULL)
		return 0;
	if (library == NULL)
		library = dlopen(CURL_LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (library == NULL)
		return error_set(err, ERROR_SYSTEM,
			"libcurl cannot be loaded (%s); install the package "
			"libcurl4",
			dlerror());
#define CURL_FUNCTION(name)                                                    \
	if (function_find(library, "curl_" #name,                              \
		    (void (**)(void))(void *)&curl.name, err) != 0)            \
		return -1;
	CURL_FUNCTIONS(CURL_FUNCTION)
#undef CURL_FUNCTION
	if (curl.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
		return 0;
	curl.multi_init = NULL;
	return error_set(err, ERROR_SYSTEM, "libcurl cannot be initialised");
}
