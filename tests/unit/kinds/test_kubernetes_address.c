/* The address of the box at its Service, with a server of the test's own and a
 * kernel that says what the test wants. */
#include "kubernetes_fake.h"

#include "base/addr.h"
#include "kinds/kubernetes/address.h"
#include "net/own_address.h"
#include "net/resolver.h"

#define SLICE                                                                  \
	"/apis/discovery.k8s.io/v1/namespaces/gloo-system/endpointslices/"     \
	"gateway-proxy"
#define SERVICE "/api/v1/namespaces/gloo-system/services/gateway-proxy"

/* ---- the kernel: which way it would go */

static const char *own, *asked_for;
static char peer[ADDR_TEXT_MAX];

int
own_address(const struct addr *to, struct addr *out)
{
	addr_format(to, peer);
	return own == NULL ? -1 : addr_parse_ip(own, 0, out);
}

static resolver_answer_f *resolved;
static void *resolved_arg;

struct resolver_query *
resolver_query_new(
	struct resolver *r, const char *name, resolver_answer_f *cb, void *arg)
{
	(void)r;
	asked_for = name;
	resolved = cb;
	resolved_arg = arg;
	return (struct resolver_query *)&asked_for;
}

void
resolver_query_cancel(struct resolver_query *q)
{
	assert_ptr_equal(q, &asked_for);
	asked_for = NULL;
}

static const char *server;

const char *
kubernetes_account_server(const struct kubernetes_account *a)
{
	(void)a;
	return server;
}

/* ---- */

static struct kind_program program = { .condition_set = on_condition };
static struct kubernetes_settings settings;
static struct kubernetes_api api;
static struct kubernetes_cluster cluster = {
	.program = &program,
	.settings = &settings,
	.api = &api,
};
static struct kubernetes_address *address;

static void
begin(const char *url, const char *ip)
{
	server = url;
	own = ip;
	address = kubernetes_address_new(&cluster);
	pass(0);
}

static int
setup(void **state)
{
	(void)state;
	str_init(&told);
	settings = (struct kubernetes_settings){
		.namespace_ = (char *)"gloo-system",
		.service = (char *)"gateway-proxy",
		.identity = (char *)"box:1_",
	};
	asked_for = NULL;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	kubernetes_address_free(address);
	fake_end();
	return 0;
}

#define SLICE_OF(type, annotations, endpoints)                                 \
	"{\"addressType\": \"" type "\", \"metadata\": {\"resourceVersion\":"  \
	" \"7\", \"annotations\": " annotations "}, \"endpoints\": " endpoints \
	"}"
#define ENDPOINT(ip)                                                           \
	"{\"addresses\":[\"" ip "\"],\"conditions\":{\"ready\":true}}"
#define MINE(ip) "{\"address.gloo-gateway/box-1\":\"" ip "\"}"
#define SERVICE_OF(ingress)                                                    \
	"{\"metadata\": {\"resourceVersion\": \"9\"}, \"status\":"             \
	" {\"loadBalancer\": {" ingress "}}}"

/* Nothing more is asked than whether it is still so. */
static void
calm(const char *ip)
{
	struct str text;

	told_is("");
	pass(KUBERNETES_ADDRESS_AGAIN_MS - 1);
	assert_null(fake_calls);
	pass(KUBERNETES_ADDRESS_LOOK_MS);
	call_is("GET " SLICE);
	str_init(&text);
	str_printf(&text, SLICE_OF("IPv4", MINE("%s"), "[" ENDPOINT("%s") "]"),
		ip, ip);
	answer(fake_calls, 200, text.data);
	str_clear(&text);
	str_printf(&text,
		SERVICE_OF("\"ingress\": [{\"ip\": \"%s\","
			   " \"ipMode\": \"VIP\"}]"),
		ip);
	call_is("GET " SERVICE);
	answer(fake_calls, 200, text.data);
	assert_null(fake_calls);
	told_is("");
	str_fini(&text);
}

static void
test_first(void **state)
{
	(void)state;
	begin("https://10.0.0.1:6443", "10.0.0.5");
	assert_string_equal(peer, "10.0.0.1:6443");
	call_is("GET " SLICE);
	answer(fake_calls, 200, SLICE_OF("IPv4", "null", "null"));
	assert_string_equal(
		fake_calls->type, "application/merge-patch+json");
	call_is("PATCH " SLICE " {\"endpoints\":[" ENDPOINT("10.0.0.5")
		"],\"metadata\":{\"annotations\":" MINE("10.0.0.5")
		",\"resourceVersion\":\"7\"}}");
	answer(fake_calls, 200, "{}");
	call_is("GET " SERVICE);
	answer(fake_calls, 200, SERVICE_OF(""));
	call_is("PATCH " SERVICE "/status {\"metadata\":{\"resourceVersion\":"
		"\"9\"},\"status\":{\"loadBalancer\":{\"ingress\":[{\"ip\":"
		"\"10.0.0.5\"}]}}}");
	answer(fake_calls, 200, "{}");
	calm("10.0.0.5");
}

/* What the install put there is noted as ours, and stays as it is. */
static void
test_installed(void **state)
{
	(void)state;
	begin("https://10.0.0.1:6443", "10.0.0.5");
	answer(fake_calls, 200,
		SLICE_OF("IPv4", "{}", "[" ENDPOINT("10.0.0.5") "]"));
	call_is("PATCH " SLICE " {\"endpoints\":[" ENDPOINT("10.0.0.5")
		"],\"metadata\":{\"annotations\":" MINE("10.0.0.5")
		",\"resourceVersion\":\"7\"}}");
	answer(fake_calls, 200, "{}");
	answer(fake_calls, 200,
		SERVICE_OF("\"ingress\": [{\"ip\": \"10.0.0.5\"}]"));
	assert_null(fake_calls);
	calm("10.0.0.5");
}

/* The box moves; the other box keeps its entry. */
static void
test_moves(void **state)
{
	(void)state;
	begin("https://10.0.0.1:6443", "10.0.0.6");
	answer(fake_calls, 200,
		SLICE_OF("IPv4", MINE("10.0.0.5"),
			"[" ENDPOINT("10.0.0.5") "," ENDPOINT("10.0.0.9") "]"));
	call_is("PATCH " SLICE " {\"endpoints\":[" ENDPOINT("10.0.0.9") ","
		ENDPOINT("10.0.0.6") "],\"metadata\":{\"annotations\":"
		MINE("10.0.0.6") ",\"resourceVersion\":\"7\"}}");
	answer(fake_calls, 200, "{}");
	answer(fake_calls, 200,
		SERVICE_OF("\"ingress\": [{\"ip\": \"10.0.0.5\"},"
			   " {\"ip\": \"10.0.0.9\", \"ipMode\": \"VIP\"}]"));
	call_is("PATCH " SERVICE "/status {\"metadata\":{\"resourceVersion\":"
		"\"9\"},\"status\":{\"loadBalancer\":{\"ingress\":[{\"ip\":"
		"\"10.0.0.9\",\"ipMode\":\"VIP\"},{\"ip\":\"10.0.0.6\"}]}}}");
	answer(fake_calls, 200, "{}");
	told_is("");

	/* Again, while it runs. */
	own = "10.0.0.7";
	pass(KUBERNETES_ADDRESS_LOOK_MS);
	call_is("GET " SLICE);
	answer(fake_calls, 404, NULL);
}

/* Others write at the same time: it begins again. */
static void
test_conflicts(void **state)
{
	(void)state;
	begin("https://10.0.0.1:6443", "10.0.0.5");
	answer(fake_calls, 200, SLICE_OF("IPv4", "null", "[]"));
	answer(fake_calls, 409, NULL);
	pass(KUBERNETES_ADDRESS_LOOK_MS);
	answer(fake_calls, 200,
		SLICE_OF("IPv4", MINE("10.0.0.5"),
			"[" ENDPOINT("10.0.0.5") "]"));
	answer(fake_calls, 200, SERVICE_OF(""));
	answer(fake_calls, 409, NULL);
	pass(KUBERNETES_ADDRESS_LOOK_MS);
	call_is("GET " SLICE);
	told_is("");
}

static void
test_not_installed(void **state)
{
	(void)state;
	begin("https://10.0.0.1:6443", "10.0.0.5");
	answer(fake_calls, 404, NULL);
	told_is("");
	pass(KUBERNETES_ADDRESS_AGAIN_MS - 1);
	assert_null(fake_calls);
}

static void
test_refused(void **state)
{
	(void)state;
	begin("https://10.0.0.1:6443", "10.0.0.5");
	answer(fake_calls, 403, NULL);
	told_is("address warning: cannot read the slice for the address "
		"10.0.0.5 of this box: " SLICE ": the server said 403\n");
	pass(29999);
	assert_null(fake_calls);
	pass(KUBERNETES_ADDRESS_LOOK_MS);
	answer(fake_calls, 0, NULL);
	told_is("");
	pass(30000 + KUBERNETES_ADDRESS_LOOK_MS);
	answer(fake_calls, 200, SLICE_OF("IPv6", "null", "[]"));
	told_is("address warning: cannot use the slice for the address "
		"10.0.0.5 of this box: " SLICE ": its addressType is another; "
		"glooctl install kube makes it anew\n");
	pass(30000 + KUBERNETES_ADDRESS_LOOK_MS);
	answer(fake_calls, 200, SLICE_OF("IPv4", "null", "[]"));
	answer(fake_calls, 422, NULL);
	told_is("address warning: cannot write the slice for the address "
		"10.0.0.5 of this box: " SLICE ": the server said 422\n");
}

static void
test_strange(void **state)
{
	(void)state;
	begin("https://10.0.0.1:6443", "10.0.0.5");
	answer(fake_calls, 200,
		SLICE_OF("IPv4", "5",
			"[null, {\"addresses\": null}, {\"addresses\": [7]},"
			" 3]"));
	answer(fake_calls, 200, "[]");
	answer(fake_calls, 200, "{\"status\": {\"loadBalancer\": []}}");
	call_is("PATCH " SERVICE "/status {\"metadata\":{\"resourceVersion\":"
		"\"\"},\"status\":{\"loadBalancer\":{\"ingress\":[{\"ip\":"
		"\"10.0.0.5\"}]}}}");
}

static void
test_which_way(void **state)
{
	static const struct {
		const char *url, *own, *peer;
	} rows[] = {
		{ "https://[fd00::1]:7443/prefix", "fd00::5", "[fd00::1]:7443" },
		{ "https://10.0.0.1/prefix", "10.0.0.5", "10.0.0.1:443" },
		{ "https://[fd00::1]", "fd00::5", "[fd00::1]:443" },
	};
	static const char *const local[] = { "127.0.0.1", "::1", "fe80::1",
		"169.254.3.4", "0.0.0.0" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		begin(rows[i].url, rows[i].own);
		assert_string_equal(peer, rows[i].peer);
		call_is("GET " SLICE);
		kubernetes_address_free(address);
	}
	for (size_t i = 0; i < ARRAY_SIZE(local); i++) {
		begin("https://10.0.0.1", local[i]);
		assert_null(fake_calls);
		assert_non_null(strstr(told.data, "address note: "));
		str_clear(&told);
		fake_forget();
		kubernetes_address_free(address);
	}
	/* No way at all. */
	begin("https://10.0.0.1", NULL);
	assert_null(fake_calls);
	told_is("");
}

static void
test_name(void **state)
{
	struct addr a;

	(void)state;
	begin("https://api.test:6443", "10.0.0.5");
	assert_string_equal(asked_for, "api.test");
	resolved(&(struct resolver_answer){ .verdict = RESOLVER_NO_NAME,
			 .failure = "no such name" },
		resolved_arg);
	assert_null(fake_calls);
	pass(KUBERNETES_ADDRESS_LOOK_MS);
	addr_parse_ip("10.0.0.2", 0, &a);
	resolved(&(struct resolver_answer){ .addrs = &a, .addr_count = 1,
			 .ttl_s = 60 },
		resolved_arg);
	assert_string_equal(peer, "10.0.0.2:6443");
	call_is("GET " SLICE);
}

/* What the operator says is not to be known better. */
static void
test_given(void **state)
{
	(void)state;
	settings.address = (char *)"192.0.2.1";
	begin("https://api.test:6443", NULL);
	assert_null(asked_for);
	call_is("GET " SLICE);
	answer(fake_calls, 200, SLICE_OF("IPv4", "{}", "[]"));
	call_is("PATCH " SLICE " {\"endpoints\":[" ENDPOINT("192.0.2.1")
		"],\"metadata\":{\"annotations\":" MINE("192.0.2.1")
		",\"resourceVersion\":\"7\"}}");
}

static void
test_end_while_asking(void **state)
{
	(void)state;
	begin("https://api.test:6443", "10.0.0.5");
	kubernetes_address_free(address);
	assert_null(asked_for);
	begin("https://10.0.0.1", "10.0.0.5");
	assert_non_null(fake_calls);
}

int
main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		ROW(test_first),
		ROW(test_installed),
		ROW(test_moves),
		ROW(test_conflicts),
		ROW(test_not_installed),
		ROW(test_refused),
		ROW(test_strange),
		ROW(test_which_way),
		ROW(test_name),
		ROW(test_given),
		ROW(test_end_while_asking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
