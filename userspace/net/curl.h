/*
 * libcurl, loaded when it is first needed. The proxy never needs it and most
 * commands of glooctl do not, and with the forty libraries that it brings it
 * costs each start some 25 ms and each process some megabytes.
 */
#ifndef NET_CURL_H
#define NET_CURL_H

#define CURL_DISABLE_TYPECHECK /* its macros know the functions' names only */
#include <curl/curl.h>
#include <stdbool.h>

#include "base/error.h"

/* Which one is loaded; tests name others. */
extern const char *curl_library;

#define CURL_FUNCTIONS(F)                                                      \
	F(easy_cleanup)                                                        \
	F(easy_getinfo)                                                        \
	F(easy_init)                                                           \
	F(easy_setopt)                                                         \
	F(easy_strerror)                                                       \
	F(free)                                                                \
	F(global_cleanup)                                                      \
	F(global_init)                                                         \
	F(multi_add_handle)                                                    \
	F(multi_assign)                                                        \
	F(multi_cleanup)                                                       \
	F(multi_info_read)                                                     \
	F(multi_init)                                                          \
	F(multi_remove_handle)                                                 \
	F(multi_setopt)                                                        \
	F(multi_socket_action)                                                 \
	F(slist_append)                                                        \
	F(slist_free_all)                                                      \
	F(url)                                                                 \
	F(url_cleanup)                                                         \
	F(url_get)                                                             \
	F(url_set)

/* Each named as in libcurl, without "curl_" in front. */
struct curl_functions {
#define CURL_FUNCTION(name) __typeof__(curl_##name) *name;
	CURL_FUNCTIONS(CURL_FUNCTION)
#undef CURL_FUNCTION
};

/* To be used after curl_load succeeded. */
extern struct curl_functions curl;

/* Loads it, once; it stays. -1 and err: it is not installed, or cannot be used;
 * that is tried again with the next call. */
int curl_load(struct error *err);

#endif
