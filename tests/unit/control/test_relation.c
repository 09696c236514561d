/* How objects stand to each other. */
#include "control/relation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/yaml.h"
#include "config/config.h"

extern const struct upstream_kind upstream_kind_static;

static const struct upstream_kind *const kinds[] = { &upstream_kind_static,
	NULL };

static struct model_object *
read_model(const char *text)
{
	struct error err = ERROR_INIT;
	struct doc *d = yaml_doc_read(text, strlen(text), &err);
	struct model_object *m = config_read(d, kinds, &err);

	if (m == NULL)
		fail_msg("%s: %s", text, err.text);
	doc_free(d);
	return m;
}

static void
put(struct objects *all, const char *text)
{
	struct model_object *m = read_model(text);
	struct object *o =
		objects_take(all, m->type, m->meta->ns, m->meta->name);

	model_object_unref(o->model);
	o->model = m;
}

#define VS(name, domains)                                                      \
	"kind: VirtualService\nmetadata: { name: " name " }\n"                 \
	"virtualHost: { domains: [ " domains " ] }\n"
#define GW(name, address, port, more)                                          \
	"kind: Gateway\nmetadata: { name: " name " }\nbindAddress: \"" address \
	"\"\nbindPort: " port "\n" more

#define TCP(name, port, more)                                                  \
	GW(name, "::", port,                                                   \
		"tcpGateway: { tcpHosts: [ { name: x, " more                   \
		"destination: { single: { upstream: { name: t } } } } ] }\n")

static void
test_check(void **state)
{
	static const struct {
		const char *what, *text, *says; /* NULL: it is fine */
	} rows[] = {
		{ "a domain of its own", VS("new", "c.example"), NULL },
		{ "another's domain", VS("new", "c.example, a.example"),
			"belongs to the virtual service gloo-system.a" },
		{ "no domains mean all of them, and nobody has that",
			"kind: VirtualService\nmetadata: { name: new }\n"
			"virtualHost: {}\n",
			NULL },
		{ "its own older domain", VS("a", "a.example, d.example"),
			NULL },
		{ "served only by a gateway that has nobody else",
			VS("lonely", "a.example"), NULL },
		{ "a gateway that would serve two of one domain",
			GW("new", "127.0.0.1", "9000",
				"virtualServices: [ { name: a }, { name: "
				"lonely-two } ]"),
			"both have the domain" },
		{ "a port that is taken", GW("new", "::", "8080", ""),
			"gloo-system.main listens on port 8080" },
		{ "a wildcard meets every address",
			GW("new", "10.0.0.1", "8080",
				"virtualServices: [ { name: x } ]"),
			"listens on port 8080" },
		{ "0.0.0.0 and IPv6 do not meet",
			GW("new", "::1", "8081",
				"virtualServices: [ { name: x } ]"),
			NULL },
		{ "an additional address of its own",
			GW("new", "::", "9000",
				"virtualServices: [ { name: x } ]\n"
				"additionalAddresses: [ { address: 10.1.0.0/16 "
				"}, { address: 10.2.0.0/16, port: 86 } ]"),
			NULL },
		{ "an additional address that another has",
			GW("new", "::", "9000",
				"virtualServices: [ { name: x } ]\n"
				"additionalAddresses: [ { address: 10.1.0.0/16, "
				"port: 85, endPort: 90 } ]"),
			"10.1.0.0, ports 85 to 90: the gateway "
			"gloo-system.more listens there already" },
		{ "an additional address on which another listens",
			GW("new", "::", "9000",
				"virtualServices: [ { name: x } ]\n"
				"additionalAddresses: [ { address: 10.3.0.1, "
				"port: 8082 } ]"),
			"gloo-system.exact listens there already" },
		{ "listening on another's additional address",
			GW("new", "10.1.2.3", "87",
				"virtualServices: [ { name: x } ]"),
			"10.1.2.3, ports 87 to 87: the gateway "
			"gloo-system.more" },
		{ "a prefix around another's address",
			GW("new", "::", "9000",
				"virtualServices: [ { name: x } ]\n"
				"additionalAddresses: [ { address: 10.3.0.0/24, "
				"port: 8082 } ]"),
			NULL },
		{ "more than fit",
			GW("new", "::", "9000",
				"virtualServices: [ { name: x } ]\n"
				"additionalAddresses: [ { address: 10.5.0.0/16, "
				"port: 1, endPort: 5000 } ]"),
			"that would be 5003; at most 4032 are possible" },
		{ "a TCP service on a port that HTTP has",
			TCP("new", "8080", ""),
			"gloo-system.main listens on port 8080" },
		{ "UDP has ports of its own",
			TCP("new", "8080", "protocol: UDP, "), NULL },
		{ "UDP on a port that UDP has",
			TCP("new", "53", "protocol: UDP, "),
			"gloo-system.dns listens on UDP port 53" },
		{ "a TCP service serves no domain", TCP("new", "53", ""),
			NULL },
		{ "the gateway itself may stay where it is",
			GW("main", "::", "8080",
				"virtualServices: [ { name: a } ]"),
			NULL },
	};
	struct objects *all = objects_new();

	(void)state;
	put(all, VS("a", "a.example"));
	put(all, VS("b", "b.example"));
	put(all, VS("lonely-two", "a.example"));
	put(all, GW("main", "::", "8080",
			 "virtualServices: [ { name: a }, { name: b }, { name: "
			 "new } ]"));
	put(all, GW("other", "0.0.0.0", "8081",
			 "virtualServices: [ { name: lonely } ]"));
	put(all, GW("more", "::", "9001",
			 "virtualServices: [ { name: lonely } ]\n"
			 "additionalAddresses: [ { address: 10.1.0.0/16, port: "
			 "85, endPort: 86 }, { address: 10.1.2.3, port: 87 } "
			 "]"));
	put(all, GW("exact", "10.3.0.1", "8082",
			 "virtualServices: [ { name: lonely } ]"));
	put(all, TCP("dns", "53", "protocol: UDP, "));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct model_object *m = read_model(rows[i].text);
		struct error err = ERROR_INIT;
		int rc = relation_check(all, m, &err);

		if (rc != (rows[i].says == NULL ? 0 : -1) ||
			(rc != 0 && strstr(err.text, rows[i].says) == NULL))
			fail_msg("%s: %d %s", rows[i].what, rc, err.text);
		model_object_unref(m);
	}
	objects_free(all);
}

static void
test_users(void **state)
{
	struct objects *all = objects_new();
	struct model_object *used, *unused;
	char *text;

	(void)state;
	put(all, "kind: VirtualService\nmetadata: { name: v }\nvirtualHost:\n"
		 "  routes:\n  - matchers: [ { prefix: / } ]\n    routeAction: "
		 "{ single: { upstream: { name: u } } }\n");
	used = read_model("kind: Upstream\nmetadata: { name: u }\n"
			  "upstreamSpec: { static: { hosts: [ { addr: a, port: "
			  "80 } ] } }\n");
	unused = read_model("kind: Upstream\nmetadata: { name: w }\n"
			    "upstreamSpec: { static: { hosts: [ { addr: a, "
			    "port: 80 } ] } }\n");
	text = relation_users(all, used);
	assert_string_equal(text, "it is still routed to by gloo-system.v");
	assert_null(relation_users(all, unused));
	free(text);
	put(all, TCP("service", "53", ""));
	model_object_unref(used);
	used = read_model("kind: Upstream\nmetadata: { name: t }\n"
			  "upstreamSpec: { static: { hosts: [ { addr: a, port: "
			  "80 } ] } }\n");
	text = relation_users(all, used);
	assert_string_equal(
		text, "it is still routed to by gloo-system.service");
	free(text);
	put(all, "kind: UpstreamGroup\nmetadata: { name: g }\ndestinations:\n"
		 "- { destination: { upstream: { name: w } }, weight: 0 }\n"
		 "- { destination: { upstream: { name: x } }, weight: 1 }\n");
	text = relation_users(all, unused);
	assert_string_equal(text, "it is still routed to by gloo-system.g");
	free(text);
	model_object_unref(used);
	used = read_model("kind: UpstreamGroup\nmetadata: { name: g }\n"
			  "destinations: [ { destination: { upstream: { name: "
			  "w } }, weight: 1 } ]\n");
	assert_null(relation_users(all, used));
	put(all, "kind: VirtualService\nmetadata: { name: v2 }\nvirtualHost:\n"
		 "  routes:\n  - routeAction: { upstreamGroup: { name: g } }\n");
	text = relation_users(all, used);
	assert_string_equal(text, "it is still routed to by gloo-system.v2");
	free(text);
	model_object_unref(used);
	model_object_unref(unused);
	objects_free(all);
}

static void
test_missing(void **state)
{
	struct objects *all = objects_new();
	struct model_object *vs = read_model(VS("a", "x.example"));
	struct model_object *gw = read_model(
		GW("g", "::", "80", "virtualServices: [ { name: a } ]"));
	char *text = relation_missing(all, vs);

	(void)state;
	assert_string_equal(text, "there is no gateway to serve it");
	free(text);
	text = relation_missing(all, gw);
	assert_non_null(strstr(text, "\"gloo-system.a\""));
	free(text);
	put(all, VS("a", "x.example"));
	put(all, GW("g", "::", "80", "virtualServices: [ { name: a } ]"));
	assert_null(relation_missing(all, vs));
	assert_null(relation_missing(all, gw));
	put(all, TCP("g", "80", ""));
	text = relation_missing(all, vs);
	assert_string_equal(text, "no gateway serves it");
	free(text);
	model_object_unref(vs);
	model_object_unref(gw);
	objects_free(all);
}

/* An upstream and its secret; it is used by those that name it. */
static void
test_secret(void **state)
{
	struct objects *all = objects_new();
	struct model_object *u = read_model(
		"metadata: {name: u}\nupstreamSpec: {static: {hosts: [{addr: "
		"127.0.0.1, port: 80}]}}\nsslConfig: {secretRef: {name: s}}");
	struct model_object *s =
		read_model("metadata: {name: s}\ntls: {rootCa: x}");
	struct doc *users;
	char *text;

	(void)state;
	text = relation_missing(all, u);
	assert_string_equal(text, "sslConfig.secretRef: no secret is named "
				  "\"gloo-system.s\"");
	free(text);
	/* Of another namespace it is another one. */
	put(all, "metadata: {name: s, namespace: other}\ntls: {rootCa: x}");
	text = relation_missing(all, u);
	assert_non_null(text);
	free(text);
	objects_take(all, MODEL_SECRET, "gloo-system", "s");
	text = relation_missing(all, u);
	assert_non_null(strstr(text, "is Rejected"));
	free(text);
	put(all, "metadata: {name: s}\nazure: {apiKeys: {a: b}}");
	text = relation_missing(all, u);
	assert_non_null(strstr(text, "is of type Azure, needed is one of type "
				     "TLS"));
	free(text);
	put(all, "metadata: {name: s}\ntls: {rootCa: x}");
	assert_null(relation_missing(all, u));
	assert_null(relation_users(all, s));
	put(all, "metadata: {name: u}\nupstreamSpec: {static: {hosts: [{addr: "
		 "127.0.0.1, port: 80}]}}\nsslConfig: {secretRef: {name: s}}");
	put(all, "metadata: {name: v}\nupstreamSpec: {static: {hosts: [{addr: "
		 "127.0.0.1, port: 80}]}}\nsslConfig: {}");
	text = relation_users(all, s);
	assert_string_equal(text, "it is still named by gloo-system.u");
	free(text);
	users = relation_secret_users(all, s);
	assert_int_equal(doc_count(users), 1);
	assert_string_equal(doc_string(doc_at(users, 0)), "gloo-system.u");
	doc_free(users);
	model_object_unref(u);
	model_object_unref(s);
	objects_free(all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_users),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
