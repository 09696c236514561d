/* Which host an external name may name, and lead to. */
#include "kinds/kubernetes/services_inner.h"

#include <string.h>

#include "base/mem.h"

/* Without the dot at the end, which only says that the name is whole. */
static struct slice
host_trim(const char *host)
{
	struct slice h = slice_of(host);

	if (h.length > 0 && h.data[h.length - 1] == '.')
		h.length--;
	return h;
}

static bool
host_is(struct slice host, const char *name)
{
	return slice_equal_nocase(host, slice_of(name));
}

/* suffix begins with a dot. */
static bool
host_is_below(struct slice host, const char *suffix)
{
	struct slice end = slice_of(suffix);

	if (host.length <= end.length)
		return false;
	host.data += host.length - end.length;
	host.length = end.length;
	return slice_equal_nocase(host, end);
}

static bool
host_is_listed(const struct kubernetes_services *s, struct slice host)
{
	for (size_t i = 0; i < s->settings->external_name_count; i++) {
		const char *name = s->settings->external_names[i];

		if (name[0] == '*' ? host_is_below(host, name + 1)
				   : host_is(host, name))
			return true;
	}
	return false;
}

static const char *
host_problem(const struct kubernetes_services *s, struct slice host)
{
	static const char *const servers[] = { "kubernetes",
		"kubernetes.default", "kubernetes.default.svc",
		"kubernetes.default.svc.cluster.local" };

	if (host_is(host, "localhost") || host_is_below(host, ".localhost") ||
		host_is(host, "localhost.localdomain") ||
		host_is(host, "ip6-localhost") || host_is(host, "ip6-loopback"))
		return "it means this box";
	if (host_is(host, "metadata.google.internal") ||
		host_is(host, "instance-data.ec2.internal"))
		return "it gives out credentials of this box";
	if (s->server != NULL && host_is(host, s->server))
		return "it is the API server";
	for (size_t i = 0; i < ARRAY_SIZE(servers); i++)
		if (host_is(host, servers[i]))
			return "it is the API server";
	return NULL;
}

static bool
addr_is(const char *text, const struct addr *a)
{
	struct addr parsed;

	return addr_parse_ip(text, 0, &parsed) == 0 &&
	       memcmp(parsed.ip, a->ip, sizeof(a->ip)) == 0;
}

/* By its URL, by what the name there leads to, and as a service. */
static bool
addr_is_server(const struct kubernetes_services *s, const struct addr *a)
{
	const struct service *v =
		kubernetes_service_find(s, "default", "kubernetes");
	const struct doc *ips =
		v == NULL ? NULL : doc_get(v->used, "clusterIPs");

	if (s->server != NULL && addr_is(s->server, a))
		return true;
	for (size_t i = 0; i < s->server_addr_count; i++)
		if (memcmp(s->server_addrs[i].ip, a->ip, sizeof(a->ip)) == 0)
			return true;
	for (size_t i = 0; i < doc_count(ips); i++)
		if (addr_is(doc_string(doc_at(ips, i)), a))
			return true;
	return false;
}

/* Where AWS and Alibaba Cloud tell a box its credentials; the others do so at a
 * link-local address. */
static bool
addr_is_metadata(const struct addr *a)
{
	return addr_is("fd00:ec2::254", a) || addr_is("100.100.100.200", a);
}

static const char *
addr_problem(const struct kubernetes_services *s, const struct addr *a)
{
	switch (addr_kind(a)) {
	case ADDR_UNSPECIFIED:
	case ADDR_THIS_NETWORK:
	case ADDR_LOOPBACK:
		return "it means this box";
	case ADDR_LINK_LOCAL:
		return "it is link-local";
	case ADDR_MULTICAST:
	case ADDR_BROADCAST:
		return "it is nobody's own";
	case ADDR_ORDINARY:
		break;
	}
	if (addr_is_metadata(a))
		return "it gives out credentials of this box";
	if (addr_is_server(s, a))
		return "it is the API server's";
	return NULL;
}

bool
kubernetes_services_addr_allowed(const struct kubernetes_services *s,
	const char *host, const struct addr *addr, struct error *err)
{
	const char *problem = addr_problem(s, addr);
	char text[ADDR_TEXT_MAX];

	if (problem == NULL || host_is_listed(s, host_trim(host)))
		return true;
	error_set(err, ERROR_CONFIG,
		"externalName \"%s\" leads to %s: %s; list the name in "
		"kubernetes.allowedExternalNames if it may be called",
		host, addr_format_ip(addr, text), problem);
	return false;
}

bool
kubernetes_services_host_allowed(const struct kubernetes_services *s,
	const char *host, struct error *err)
{
	const char *problem = host_problem(s, host_trim(host));
	struct addr literal;

	if (host_is_listed(s, host_trim(host)))
		return true;
	if (addr_parse_ip(host, 0, &literal) == 0)
		return kubernetes_services_addr_allowed(
			s, host, &literal, err);
	if (problem == NULL)
		return true;
	error_set(err, ERROR_CONFIG,
		"externalName \"%s\" is refused: %s; list it in "
		"kubernetes.allowedExternalNames if it may be called",
		host, problem);
	return false;
}
