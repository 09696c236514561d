/* One question to the management API. */
#include "kinds/azure/inquiry.h"

#include <stdlib.h>

#include "base/mem.h"
#include "kinds/azure/settings.h"

#define TIMEOUT_MS  60000u
#define IDLE_MS     30000u
#define ANSWER_MAX  (8u << 20)
#define RETRY_S_MAX 3600u

char *
azure_inquiry_origin(
	const struct azure_shared *shared, const struct azure_spec *spec)
{
	const char *url = spec->management_url != NULL
				  ? spec->management_url
				  : shared->settings->management_url;
	size_t length = strlen(url);

	while (length > 0 && url[length - 1] == '/')
		length--;
	return xstrndup(url, length);
}

struct http_call *
azure_inquiry_new(struct azure_shared *shared, enum azure_question question,
	const char *bearer, const char *url, const struct http_events *events,
	void *arg)
{
	static const char name[] = "Authorization: ";
	char *authorization = xmalloc(sizeof(name) + strlen(bearer));
	const char *headers[] = { "Accept: application/json", authorization,
		NULL };
	struct http_tls tls = { .ca = { shared->ca.data, shared->ca.length } };
	struct http_request request = {
		.method = azure_management_method(question),
		.url = url,
		.headers = headers,
		.tls = tls.ca.length > 0 ? &tls : NULL,
		.idle_timeout_ms = IDLE_MS,
		.total_timeout_ms = TIMEOUT_MS,
		.body_max = ANSWER_MAX,
	};
	struct http_call *call;

	memcpy(authorization, name, sizeof(name) - 1);
	strcpy(authorization + sizeof(name) - 1, bearer);
	call = http_call_new(shared->http, &request, events, arg);
	mem_free_wiped(authorization);
	return call;
}

bool
azure_inquiry_failed(enum azure_question question, const struct http_result *r,
	struct str *why)
{
	if (r->problem == NULL && r->status == 200)
		return false;
	str_puts(why, "the management API: ");
	if (r->problem != NULL) {
		str_puts(why, r->problem);
		return true;
	}
	azure_management_trouble(r->status, r->body, why);
	if (r->status == 403)
		str_printf(why,
			"; the gateway's identity needs the permission %s",
			azure_management_permission(question));
	else if (r->status == 404)
		str_puts(why,
			"; see subscriptionId, resourceGroup, functionAppName "
			"and slot");
	return true;
}

uint64_t
azure_inquiry_retry_ms(const struct http_call *call)
{
	const char *text = http_call_header(call, "Retry-After");
	unsigned long s;

	if (text == NULL || strlen(text) > 9 ||
		text[strspn(text, "0123456789")] != '\0')
		return 0;
	s = strtoul(text, NULL, 10);
	return 1000u * (uint64_t)(s < RETRY_S_MAX ? s : RETRY_S_MAX);
}
