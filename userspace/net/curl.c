/* libcurl, loaded when it is first needed. */
#include "net/curl.h"

#include <dlfcn.h>

const char *curl_library = "libcurl.so.4";
struct curl_functions curl;

/* POSIX has dlsym return functions as void *, which C cannot convert. */
static int
function_find(void *library, const char *name, void (**out)(void),
	struct error *err)
{
	*(void **)out = dlsym(library, name);
	return *out != NULL ? 0
			    : error_set(err, ERROR_SYSTEM, "%s has no %s: %s",
				      curl_library, name, dlerror());
}

static int
functions_find(void *library, struct curl_functions *out, struct error *err)
{
#define CURL_FUNCTION(name)                                                    \
	if (function_find(library, "curl_" #name,                              \
		    (void (**)(void))(void *)&out->name, err) != 0)            \
		return -1;
	CURL_FUNCTIONS(CURL_FUNCTION)
#undef CURL_FUNCTION
	return 0;
}

int
curl_load(struct error *err)
{
	static bool loaded;
	struct curl_functions found;
	void *library;

	if (loaded)
		return 0;
	library = dlopen(curl_library, RTLD_NOW | RTLD_LOCAL);
	if (library == NULL)
		return error_set(err, ERROR_SYSTEM,
			"libcurl cannot be loaded (%s); install the package "
			"libcurl4",
			dlerror());
	if (functions_find(library, &found, err) != 0) {
		dlclose(library);
		return -1;
	}
	if (found.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		dlclose(library);
		return error_set(
			err, ERROR_SYSTEM, "libcurl cannot be initialised");
	}
	curl = found;
	loaded = true;
	return 0;
}
