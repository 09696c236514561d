/* Tests the commands of glooctl against a scripted admin server: what they
 * ask, print and answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fake.h"

#define KUBE                                                                   \
	"{\"discoveryMetadata\":{},\"metadata\":{\"labels\":{\"app\":"         \
	"\"httpbin\",\"discovered_by\":\"kubernetesplugin\"},\"name\":"        \
	"\"default-httpbin-8000\",\"namespace\":\"gloo-system\","              \
	"\"resourceVersion\":\"13678\"},\"status\":{\"reportedBy\":\"gloo\","  \
	"\"state\":\"Accepted\"},\"upstreamSpec\":{\"kube\":{\"selector\":"    \
	"{\"app\":\"httpbin\"},\"serviceName\":\"httpbin\","                   \
	"\"serviceNamespace\":\"default\",\"servicePort\":8000}}}"
#define AWS                                                                    \
	"{\"discoveryMetadata\":{},\"metadata\":{\"name\":\"hello-lambda\","   \
	"\"namespace\":\"gloo-system\"},\"upstreamSpec\":{\"aws\":{"           \
	"\"region\":\"us-east-2\",\"secretRef\":{\"name\":\"aws\","            \
	"\"namespace\":\"gloo-system\"}}}}"
#define ROUTE(path, name)                                                      \
	"{\"matchers\":[{\"prefix\":\"" path "\"}],\"routeAction\":{"          \
	"\"single\":{\"upstream\":{\"name\":\"" name "\",\"namespace\":"       \
	"\"gloo-system\"}}}}"
#define VS(routes)                                                             \
	"{\"metadata\":{\"name\":\"default\",\"namespace\":\"gloo-system\","   \
	"\"resourceVersion\":\"7\"},\"status\":{\"reportedBy\":\"gloo\","      \
	"\"state\":\"Accepted\"},\"virtualHost\":{\"domains\":[\"*\"],"        \
	"\"routes\":[" routes "]}}"
#define VERDICT(state, reason, resource)                                       \
	"{\"state\":\"" state "\",\"reason\":\"" reason                        \
	"\",\"line\":0,\"generation\":5,\"proxy\":\"enforced\",\"kernel\":"    \
	"\"off\",\"resource\":" resource "}"
#define GATEWAYS "GET /v1/gateways"
#define MYSQL    "/v1/gateways/gloo-system/mysql"
#define TCP_GATEWAY                                                            \
	"{\"metadata\":{\"name\":\"mysql\",\"namespace\":\"gloo-system\"},"  \
	"\"bindAddress\":\"::\",\"bindPort\":3306,\"status\":{\"state\":"    \
	"\"Accepted\"},\"tcpGateway\":{\"tcpHosts\":[{\"name\":\"mysql\","    \
	"\"destination\":{\"single\":{\"upstream\":{\"name\":\"db\","         \
	"\"namespace\":\"gloo-system\"}}}}]}}"
#define TCP_SERVICES                                                           \
	"{\"items\":[{\"namespace\":\"gloo-system\",\"name\":\"mysql\","      \
	"\"address\":\"[::]:3306\",\"protocol\":\"TCP\",\"mode\":\"nat\","   \
	"\"slot\":64,\"servedBy\":\"xdp\",\"service\":\"steered by XDP (nat"  \
	")\",\"relayed\":{\"open\":2},\"connections\":7,\"ring\":{\"moved\":" \
	"40,\"pinned\":1},\"backends\":[{\"address\":\"10.0.0.2:3306\","      \
	"\"state\":\"up\",\"reachable\":true,\"ringSlots\":65537,"            \
	"\"connections\":9,\"kept\":0,\"packets\":50,\"bytes\":4000},{"       \
	"\"address\":\"10.0.0.3:3306\",\"state\":\"up\",\"reachable\":"      \
	"false}]},{\"namespace\":\"gloo-system\",\"name\":\"other\"}]}"
#define TCP_TABLE                                                              \
	"+---------+-----------+----------+------------------+\n"              \
	"| GATEWAY |  ADDRESS  |  STATUS  | VIRTUAL SERVICES |\n"              \
	"+---------+-----------+----------+------------------+\n"              \
	"| mysql   | [::]:3306 | Accepted | TCP -> db        |\n"              \
	"+---------+-----------+----------+------------------+\n"
#define TCP_WIDE                                                               \
	"+---------+-----------+----------+------------------+-------"         \
	"------+---------+------------+-------+--------+--------+\n"           \
	"| GATEWAY |  ADDRESS  |  STATUS  | VIRTUAL SERVICES |  NAMES"         \
	"PACE  | VERSION | GENERATION | PROXY | KERNEL | REASON |\n"           \
	"+---------+-----------+----------+------------------+-------"         \
	"------+---------+------------+-------+--------+--------+\n"           \
	"| mysql   | [::]:3306 | Accepted | TCP -> db        | gloo-s"         \
	"ystem |         |            |       |        |        |\n"           \
	"+---------+-----------+----------+------------------+-------"         \
	"------+---------+------------+-------+--------+--------+\n"           \
	"Services\n"                                                           \
	"+-------------------+---------------+------+------+---------"         \
	"-------------+---------+------+----------------+\n"                   \
	"|      SERVICE      |    ADDRESS    | MODE | SLOT |        S"         \
	"ERVED        | RELAYED | KEPT | MOVED / PINNED |\n"                   \
	"+-------------------+---------------+------+------+---------"         \
	"-------------+---------+------+----------------+\n"                   \
	"| gloo-system.mysql | [::]:3306/TCP | nat  | 64   | steered "         \
	"by XDP (nat) | 2       | 7    | 40 / 1         |\n"                   \
	"+-------------------+---------------+------+------+---------"         \
	"-------------+---------+------+----------------+\n"                   \
	"Backends\n"                                                           \
	"+-------------------+---------------+-------------+-------+-"         \
	"------------+------+---------+-------+\n"                             \
	"|      SERVICE      |    BACKEND    |    STATE    | SLOTS | "         \
	"CONNECTIONS | KEPT | PACKETS | BYTES |\n"                             \
	"+-------------------+---------------+-------------+-------+-"         \
	"------------+------+---------+-------+\n"                             \
	"| gloo-system.mysql | 10.0.0.2:3306 | up          | 65537 | "         \
	"9           | 0    | 50      | 4000  |\n"                             \
	"|                   | 10.0.0.3:3306 | unreachable | 0     | "         \
	"0           | 0    | 0       | 0     |\n"                             \
	"+-------------------+---------------+-------------+-------+-"         \
	"------------+------+---------+-------+\n"
#define ITEMS(items) "{\"items\":[" items "]}"
#define END                                                                    \
	{                                                                      \
		NULL, 0, NULL, false                                           \
	}

#define KUBE_TABLE                                                             \
	"+----------------------+------------+----------+------------------"   \
	"------+\n"                                                            \
	"|       UPSTREAM       |    TYPE    |  STATUS  |        DETAILS   "   \
	"      |\n"                                                            \
	"+----------------------+------------+----------+------------------"   \
	"------+\n"                                                            \
	"| default-httpbin-8000 | Kubernetes | Accepted | svc name:      ht"   \
	"tpbin |\n"                                                            \
	"|                      |            |          | svc namespace: de"   \
	"fault |\n"                                                            \
	"|                      |            |          | port:          80"   \
	"00    |\n"                                                            \
	"|                      |            |          |                  "   \
	"      |\n"                                                            \
	"+----------------------+------------+----------+------------------"   \
	"------+\n"
#define AWS_TABLE                                                              \
	"+--------------+------+----------+-------------------------+\n"       \
	"|   UPSTREAM   | TYPE |  STATUS  |         DETAILS         |\n"       \
	"+--------------+------+----------+-------------------------+\n"       \
	"| hello-lambda | AWS  | Accepted | region: us-east-2       |\n"       \
	"|              |      |          | secret: gloo-system.aws |\n"       \
	"|              |      |          |                         |\n"       \
	"+--------------+------+----------+-------------------------+\n"
#define VS_TABLE                                                               \
	"+-----------------+---------+------+----------+---------+---------"   \
	"-----------------------+\n"                                           \
	"| VIRTUAL SERVICE | DOMAINS | SSL  |  STATUS  | PLUGINS |         "   \
	"    ROUTES             |\n"                                           \
	"+-----------------+---------+------+----------+---------+---------"   \
	"-----------------------+\n"                                           \
	"| default         | *       | none | Accepted |         | /httpbin"   \
	" ->                    |\n"                                           \
	"|                 |         |      |          |         | default-"   \
	"httpbin-8000           |\n"                                           \
	"+-----------------+---------+------+----------+---------+---------"   \
	"-----------------------+\n"
#define VS_EMPTY_TABLE                                                         \
	"+-----------------+---------+------+----------+---------+--------+\n" \
	"| VIRTUAL SERVICE | DOMAINS | SSL  |  STATUS  | PLUGINS | ROUTES |\n" \
	"+-----------------+---------+------+----------+---------+--------+\n" \
	"| default         | *       | none | Accepted |         |        |\n" \
	"+-----------------+---------+------+----------+---------+--------+\n"
#define VS_LIMITED                                                             \
	"{\"metadata\":{\"name\":\"default\",\"namespace\":\"gloo-system\","   \
	"\"resourceVersion\":\"7\"},\"status\":{\"reportedBy\":\"gloo\","      \
	"\"state\":\"Accepted\"},\"virtualHost\":{\"domains\":[\"*\"],"        \
	"\"options\":{\"ratelimitBasic\":{\"anonymousLimits\":{"               \
	"\"requestsPerUnit\":5,\"unit\":\"HOUR\"}}}}}"
#define VS_LIMITED_TABLE                                                       \
	"+-----------------+---------+------+----------+-------------"         \
	"---+--------+\n"                                                      \
	"| VIRTUAL SERVICE | DOMAINS | SSL  |  STATUS  |    PLUGINS  "         \
	"   | ROUTES |\n"                                                      \
	"+-----------------+---------+------+----------+-------------"         \
	"---+--------+\n"                                                      \
	"| default         | *       | none | Accepted | ratelimitBas"         \
	"ic |        |\n"                                                      \
	"|                 |         |      |          | 5 per HOUR  "         \
	"   |        |\n"                                                      \
	"+-----------------+---------+------+----------+-------------"         \
	"---+--------+\n"
#define LIMIT                                                                  \
	"{\"type\":\"virtualservices\",\"namespace\":\"gloo-system\","         \
	"\"name\":\"default\",\"rule\":\"anonymousLimits\","                   \
	"\"key\":\"sourceAddress\",\"prefixLengthV4\":32,"                     \
	"\"prefixLengthV6\":64,\"counts\":\"requests\",\"rate\":5,"            \
	"\"unit\":\"HOUR\",\"burst\":5,\"stage\":\"http\","                    \
	"\"action\":\"429\",\"enforcedBy\":\"proxy\",\"passed\":3,"            \
	"\"refused\":1,\"shadowed\":0,\"promoted\":0}"
#define LIMITS_TABLE                                                           \
	"+---------------------+-----------------+---------------+---"         \
	"---------+-------+-------+--------+--------+---------+\n"             \
	"|        WHERE        |      RULE       |      KEY      |   "         \
	" RATE    | BURST | STAGE | ACTION | PASSED | REFUSED |\n"             \
	"+---------------------+-----------------+---------------+---"         \
	"---------+-------+-------+--------+--------+---------+\n"             \
	"| VirtualService      | anonymousLimits | sourceAddress | 5 "         \
	"requests | 5     | http  | 429    | 3      | 1       |\n"             \
	"| gloo-system.default |                 | /32, /64      | pe"         \
	"r HOUR   |       |       |        |        |         |\n"             \
	"+---------------------+-----------------+---------------+---"         \
	"---------+-------+-------+--------+--------+---------+\n"
#define KUBE_YAML                                                              \
	"discoveryMetadata: {}\n"                                              \
	"metadata:\n"                                                          \
	"  labels:\n"                                                          \
	"    app: httpbin\n"                                                   \
	"    discovered_by: kubernetesplugin\n"                                \
	"  name: default-httpbin-8000\n"                                       \
	"  namespace: gloo-system\n"                                           \
	"  resourceVersion: \"13678\"\n"                                       \
	"status:\n"                                                            \
	"  reportedBy: gloo\n"                                                 \
	"  state: Accepted\n"                                                  \
	"upstreamSpec:\n"                                                      \
	"  kube:\n"                                                            \
	"    selector:\n"                                                      \
	"      app: httpbin\n"                                                 \
	"    serviceName: httpbin\n"                                           \
	"    serviceNamespace: default\n"                                      \
	"    servicePort: 8000\n"

#define UPSTREAMS "GET /v1/upstreams"
#define SERVICES  "GET /v1/virtualservices"
#define DEFAULT   "/v1/virtualservices/gloo-system/default"
#define HTTPBIN   "/v1/upstreams/gloo-system/default-httpbin-8000"
#define LAMBDA    "/v1/upstreams/gloo-system/hello-lambda"

#define KUBE_WIDE                                                              \
	"+----------------------+------------+----------+------------"         \
	"------------+-------------+---------+------------+-------+--"         \
	"------+--------+\n"                                                   \
	"|       UPSTREAM       |    TYPE    |  STATUS  |        DETA"         \
	"ILS         |  NAMESPACE  | VERSION | GENERATION | PROXY | K"         \
	"ERNEL | REASON |\n"                                                   \
	"+----------------------+------------+----------+------------"         \
	"------------+-------------+---------+------------+-------+--"         \
	"------+--------+\n"                                                   \
	"| default-httpbin-8000 | Kubernetes | Accepted | svc name:  "         \
	"    httpbin | gloo-system | 13678   |            |       |  "         \
	"      |        |\n"                                                   \
	"|                      |            |          | svc namespa"         \
	"ce: default |             |         |            |       |  "         \
	"      |        |\n"                                                   \
	"|                      |            |          | port:      "         \
	"    8000    |             |         |            |       |  "         \
	"      |        |\n"                                                   \
	"|                      |            |          |            "         \
	"            |             |         |            |       |  "         \
	"      |        |\n"                                                   \
	"+----------------------+------------+----------+------------"         \
	"------------+-------------+---------+------------+-------+--"         \
	"------+--------+\n"                                                   \
	"Endpoints\n"                                                          \
	"+----------------------------------+-------------+--------+-"         \
	"------------+-----+----------+\n"                                     \
	"|             UPSTREAM             |  ENDPOINT   | WEIGHT | "         \
	"  HEALTH    | FOR |   WHY    |\n"                                     \
	"+----------------------------------+-------------+--------+-"         \
	"------------+-----+----------+\n"                                     \
	"| gloo-system.default-httpbin-8000 | 10.0.0.1:80 | 1      | "         \
	"down        | 2 h | HTTP 503 |\n"                                     \
	"|                                  | 10.0.0.2:80 | 5      | "         \
	"up          | 7 s |          |\n"                                     \
	"|                                  | and 23 more |        | "         \
	"24 of 25 up |     |          |\n"                                     \
	"+----------------------------------+-------------+--------+-"         \
	"------------+-----+----------+\n"                                     \
	"In use\n"                                                             \
	"+----------------------------------+-------------+----------"         \
	"--+------------+-----------+\n"                                       \
	"|             UPSTREAM             | CONNECTIONS |  PENDING "         \
	"  |  REQUESTS  |  RETRIES  |\n"                                       \
	"+----------------------------------+-------------+----------"         \
	"--+------------+-----------+\n"                                       \
	"| gloo-system.default-httpbin-8000 | 3 of 16384  | 0 of 1638"         \
	"4 | 1 of 65536 | 0 of 1024 |\n"                                       \
	"+----------------------------------+-------------+----------"         \
	"--+------------+-----------+\n"

#define ROW_MAX 8

static const struct {
	const char *what, *line, *input;
	struct fake_row rows[ROW_MAX];
	int status;
	const char *out;  /* all of it, or NULL */
	const char *err;  /* a part of it, "" for nothing at all, or NULL */
	const char *sent; /* a part of the requests, or NULL */
} cases[] = {
	{ "get upstreams: the post's table with its last row and border",
		"get upstreams", NULL,
		{ { UPSTREAMS, 200, ITEMS(KUBE), false }, END }, CLI_OK,
		KUBE_TABLE, "", NULL },
	{ "get upstream -o yaml: the post's YAML",
		"get upstream default-httpbin-8000 -o yaml", NULL,
		{ { "GET " HTTPBIN, 200, KUBE, false }, END }, CLI_OK,
		KUBE_YAML, "", NULL },
	{ "get -o yaml of several: documents between ---", "get us -oyaml",
		NULL, { { UPSTREAMS, 200, ITEMS(KUBE "," KUBE), false }, END },
		CLI_OK, KUBE_YAML "---\n" KUBE_YAML, "", NULL },
	{ "get -o name prints names only", "get u --output=name", NULL,
		{ { UPSTREAMS, 200, ITEMS(KUBE "," AWS), false }, END }, CLI_OK,
		"default-httpbin-8000\nhello-lambda\n", "", NULL },
	{ "-n leaves the other namespaces out", "get u -o name -n other", NULL,
		{ { UPSTREAMS, 200, ITEMS(KUBE "," AWS), false }, END }, CLI_OK,
		"", "", NULL },
	{ "a missing upstream is named, with the nearest one",
		"get upstream default-httpbin-800", NULL,
		{ { "GET /v1/upstreams/gloo-system/default-httpbin-800", 404,
			  "{\"error\":\"x\"}", false },
			{ UPSTREAMS, 200, ITEMS(KUBE), false }, END },
		CLI_USAGE, "",
		"error: there is no upstream named \"default-httpbin-800\" in "
		"namespace gloo-system; did you mean default-httpbin-8000?\n",
		NULL },
	{ "a name that is none does not reach the daemon", "get u ../x", NULL,
		{ END }, CLI_USAGE, "", "\"../x\" is not a name", NULL },
	{ "get virtualservices: the post's table", "get virtualservices", NULL,
		{ { SERVICES, 200,
			  ITEMS(VS(ROUTE("/httpbin", "default-httpbin-8000"))),
			  false },
			END },
		CLI_OK, VS_TABLE, "", NULL },
	{ "get -o wide says what is enforced", "get vs -o wide", NULL,
		{ { SERVICES, 200, ITEMS(VS("")), false },
			{ "GET /v1/status", 200,
				"{\"objects\":[{\"type\":\"virtualservices\","
				"\"namespace\":\"gloo-system\",\"name\":"
				"\"default\",\"generation\":12,\"proxy\":"
				"\"enforced\",\"kernel\":\"off\"}]}",
				false },
			END },
		CLI_OK,
		"+-----------------+---------+------+----------+---------+"
		"--------+-------------+---------+------------+----------+"
		"--------+--------+\n"
		"| VIRTUAL SERVICE | DOMAINS | SSL  |  STATUS  | PLUGINS |"
		" ROUTES |  NAMESPACE  | VERSION | GENERATION |  PROXY   |"
		" KERNEL | REASON |\n"
		"+-----------------+---------+------+----------+---------+"
		"--------+-------------+---------+------------+----------+"
		"--------+--------+\n"
		"| default         | *       | none | Accepted |         |"
		"        | gloo-system | 7       | 12         | enforced |"
		" off    |        |\n"
		"+-----------------+---------+------+----------+---------+"
		"--------+-------------+---------+------------+----------+"
		"--------+--------+\n",
		"", NULL },
	{ "get upstreams -o wide: their endpoints, and what is in use",
		"get upstreams -o wide", NULL,
		{ { UPSTREAMS, 200, ITEMS(KUBE), false },
			{ "GET /v1/status", 200, "{}", false },
			{ "GET /v1/endpoints?limit=20", 200,
				"{\"items\":[{\"namespace\":\"gloo-system\","
				"\"name\":\"default-httpbin-8000\",\"count\":"
				"25,"
				"\"up\":24,\"inUse\":{\"connections\":{\"now\":"
				"3,"
				"\"limit\":16384},\"pending\":{\"now\":0,"
				"\"limit\":16384},\"requests\":{\"now\":1,"
				"\"limit\":65536},\"retries\":{\"now\":0,"
				"\"limit\":1024}},\"endpoints\":[{\"address\":"
				"\"10.0.0.1:80\",\"weight\":1,\"health\":"
				"\"down\","
				"\"seconds\":7300,\"why\":\"HTTP 503\"},"
				"{\"address\":\"10.0.0.2:80\",\"weight\":5,"
				"\"health\":\"up\",\"seconds\":7}]},"
				"{\"namespace\":\"other\",\"name\":"
				"\"default-httpbin-8000\",\"endpoints\":[]}]}",
				false },
			END },
		CLI_OK, KUBE_WIDE, "", NULL },
	{ "get gateways: what a TCP one leads to", "get gw", NULL,
		{ { GATEWAYS, 200, ITEMS(TCP_GATEWAY), false }, END }, CLI_OK,
		TCP_TABLE, "", NULL },
	{ "get gateways -o wide: who serves a TCP one",
		"get gateways -o wide", NULL,
		{ { GATEWAYS, 200, ITEMS(TCP_GATEWAY), false },
			{ "GET /v1/status", 200, "{}", false },
			{ "GET /v1/services", 200, TCP_SERVICES, false },
			END },
		CLI_OK, TCP_WIDE, "", NULL },
	{ "get virtualservice route: a table for each kind of action",
		"get virtualservice route --name default", NULL,
		{ { "GET " DEFAULT, 200,
			  VS("{\"matchers\":[{\"exact\":\"/a\",\"methods\":["
			     "\"GET\",\"HEAD\"],\"headers\":[{\"name\":\"x-b\","
			     "\"value\":\"1\"},{\"name\":\"y\"}]}],"
			     "\"redirectAction\":{\"hostRedirect\":\"e\"}}"
			     "," ROUTE("/", "web")),
			  false },
			END },
		CLI_OK,
		"Route Action\n"
		"+----+---------+-------------+------+--------+--------------+"
		"\n"
		"| ID | MATCHER |    TYPE     | VERB | HEADER |    ACTION    |"
		"\n"
		"+----+---------+-------------+------+--------+--------------+"
		"\n"
		"| 1  | /       | Path Prefix | *    |        | route action |"
		"\n"
		"+----+---------+-------------+------+--------+--------------+"
		"\n"
		"Redirect Action\n"
		"+----+---------+------------+-----------+--------+-----------"
		"------+\n"
		"| ID | MATCHER |    TYPE    |   VERB    | HEADER |     ACTION"
		"      |\n"
		"+----+---------+------------+-----------+--------+-----------"
		"------+\n"
		"| 0  | /a      | Exact Path | GET, HEAD | x-b:1  | redirect "
		"action |\n"
		"|    |         |            |           | y      |          "
		"       |\n"
		"+----+---------+------------+-----------+--------+-----------"
		"------+\n",
		"", NULL },
	{ "get proxies", "get proxies", NULL,
		{ { "GET /v1/proxies", 200,
			  "{\"items\":[{\"metadata\":{\"name\":"
			  "\"gateway-proxy\",\"namespace\":\"gloo-system\"},"
			  "\"listeners\":[{\"name\":\"l\",\"bindAddress\":"
			  "\"::\",\"bindPort\":8080,\"httpListener\":{"
			  "\"virtualHosts\":[{},{}]}},{\"bindAddress\":"
			  "\"10.0.0.1\",\"bindPort\":81}],\"status\":{\"state\""
			  ":\"Accepted\"}}]}",
			  false },
			END },
		CLI_OK,
		"+---------------+-------------+---------------+----------+\n"
		"|     PROXY     |  LISTENERS  | VIRTUAL HOSTS |  STATUS  |\n"
		"+---------------+-------------+---------------+----------+\n"
		"| gateway-proxy | [::]:8080   | 2             | Accepted |\n"
		"|               | 10.0.0.1:81 | 0             |          |\n"
		"+---------------+-------------+---------------+----------+\n",
		"", NULL },

	{ "create upstream static sends it and prints the verdict",
		"create upstream aws --name hello-lambda --aws-region us-east-2"
		" --aws-secret-name aws --aws-secret-namespace gloo-system",
		NULL,
		{ { "PUT " LAMBDA, 200, VERDICT("Accepted", "", AWS), false },
			END },
		CLI_OK, AWS_TABLE, "",
		"PUT " LAMBDA
		" {\"metadata\":{\"name\":\"hello-lambda\",\"namespace\":"
		"\"gloo-system\"},\"upstreamSpec\":{\"aws\":{\"region\":"
		"\"us-east-2\",\"secretRef\":{\"name\":\"aws\",\"namespace\":"
		"\"gloo-system\"}}}}\n" },
	{ "create upstream -i: the post's questions", "create upstream -i",
		"aws\nus-east-2\ngloo-system.aws\n\n"
		"hello-lambda\n",
		{ { "PUT " LAMBDA, 200, VERDICT("Accepted", "", AWS), false },
			END },
		CLI_OK, AWS_TABLE,
		"? What type of Upstream do you want to create? aws\n"
		"? What region are the AWS services in for this upstream? "
		"us-east-2\n"
		"? Choose an AWS credentials secret to link to this upstream:  "
		"gloo-system.aws\n"
		"? namespace: gloo-system\n"
		"? name: hello-lambda\n",
		NULL },
	{ "create upstream -i: the input ends too early", "create upstream -i",
		"static\n10.0.0.1:80\n", { END }, CLI_USAGE, "",
		"the input ended before the question", NULL },
	{ "create of what exists is refused",
		"create virtualservice --name default", NULL,
		{ { "GET " DEFAULT, 200, VS(""), false }, END }, CLI_USAGE, "",
		"there is a virtual service named \"default\" already", NULL },
	{ "create virtualservice: domains",
		"create virtualservice default --domains a.example,b.example "
		"--domains c.example",
		NULL,
		{ { "PUT " DEFAULT, 200, VERDICT("Accepted", "", VS("")),
			  false },
			END },
		CLI_OK, VS_EMPTY_TABLE, "",
		"\"virtualHost\":{\"domains\":[\"a.example\",\"b.example\","
		"\"c.example\"]}" },
	{ "create virtualservice: Gloo's flags of rate limiting",
		"create virtualservice default --enable-rate-limiting "
		"--rate-limit-requests 5 --rate-limit-time-unit HOUR",
		NULL,
		{ { "PUT " DEFAULT, 200, VERDICT("Accepted", "", VS("")),
			  false },
			END },
		CLI_OK, VS_EMPTY_TABLE, "",
		"\"options\":{\"ratelimitBasic\":{\"anonymousLimits\":{"
		"\"requestsPerUnit\":5,\"unit\":\"HOUR\"}}}" },
	{ "create virtualservice: what the flags leave out",
		"create virtualservice default --enable-rate-limiting", NULL,
		{ { "PUT " DEFAULT, 200, VERDICT("Accepted", "", VS("")),
			  false },
			END },
		CLI_OK, VS_EMPTY_TABLE, "",
		"{\"requestsPerUnit\":100,\"unit\":\"MINUTE\"}" },
	{ "create virtualservice: a rate without the switch",
		"create virtualservice default --rate-limit-requests 5", NULL,
		{ END }, CLI_USAGE, "", "add --enable-rate-limiting", NULL },
	{ "edit virtualservice: the limit changed, no editor",
		"edit virtualservice default --rate-limit-requests 7", NULL,
		{ { "GET " DEFAULT, 200, VS_LIMITED, false },
			{ "PUT " DEFAULT, 200, VERDICT("Accepted", "", VS("")),
				false },
			END },
		CLI_OK, VS_EMPTY_TABLE, "",
		"{\"requestsPerUnit\":7,\"unit\":\"HOUR\"}" },
	{ "edit virtualservice: the limit ended",
		"edit virtualservice default --enable-rate-limiting=false",
		NULL,
		{ { "GET " DEFAULT, 200, VS_LIMITED, false },
			{ "PUT " DEFAULT, 200, VERDICT("Accepted", "", VS("")),
				false },
			END },
		CLI_OK, VS_EMPTY_TABLE, "",
		"\"virtualHost\":{\"domains\":[\"*\"]}" },
	{ "edit virtualservice: a limit that is not there",
		"edit virtualservice default --rate-limit-time-unit DAY", NULL,
		{ { "GET " DEFAULT, 200, VS(""), false }, END }, CLI_USAGE, "",
		"has no rate limit: add --enable-rate-limiting", NULL },
	{ "get virtualservices: a rate limit in its words",
		"get virtualservice default", NULL,
		{ { "GET " DEFAULT, 200, VS_LIMITED, false }, END }, CLI_OK,
		VS_LIMITED_TABLE, "", NULL },
	{ "get limits: a table", "get limits", NULL,
		{ { "GET /v1/limits", 200, ITEMS(LIMIT), false }, END }, CLI_OK,
		LIMITS_TABLE, "", NULL },
	{ "get limits of a namespace that has none",
		"get limits -n other -o json", NULL,
		{ { "GET /v1/limits", 200, ITEMS(LIMIT), false }, END },
		CLI_OK, "[]\n", "", NULL },
	{ "get limits -o name: there is none", "get limits -o name", NULL,
		{ END }, CLI_USAGE, "", "no name of its own", NULL },
	{ "create virtualservice -i asks for domains until an empty one",
		"create virtualservice -i", "a.example\n\n\ndefault\n",
		{ { "PUT " DEFAULT, 200, VERDICT("Accepted", "", VS("")),
			  false },
			END },
		CLI_OK, VS_EMPTY_TABLE, "? name: default\n",
		"\"domains\":[\"a.example\"]" },
	{ "create gateway: an address of HTTP",
		"create gateway mysql --bind-address 10.0.0.1 --bind-port 81",
		NULL,
		{ { "PUT " MYSQL, 200, VERDICT("Accepted", "", TCP_GATEWAY),
			  false },
			END },
		CLI_OK, TCP_TABLE, "",
		"PUT " MYSQL " {\"bindAddress\":\"10.0.0.1\",\"bindPort\":81,"
		"\"metadata\":{\"name\":\"mysql\",\"namespace\":"
		"\"gloo-system\"}}\n" },
	{ "create gateway: a service",
		"create gateway mysql --bind-port 3306 -u db --mode relay",
		NULL,
		{ { "PUT " MYSQL, 200, VERDICT("Accepted", "", TCP_GATEWAY),
			  false },
			END },
		CLI_OK, TCP_TABLE, "",
		"{\"bindAddress\":\"::\",\"bindPort\":3306,\"metadata\":{"
		"\"name\":\"mysql\",\"namespace\":\"gloo-system\"},"
		"\"tcpGateway\":{\"tcpHosts\":[{\"destination\":{\"single\":"
		"{\"upstream\":{\"name\":\"db\",\"namespace\":"
		"\"gloo-system\"}}},\"mode\":\"relay\",\"name\":\"mysql\"}"
		"]}}\n" },
	{ "create gateway: a mode without an upstream",
		"create gateway mysql --mode nat", NULL, { END }, CLI_USAGE, "",
		"name the upstream with --dest-name", NULL },
	{ "create gateway: a port that is none",
		"create gateway mysql --bind-port 70000", NULL, { END },
		CLI_USAGE, "", "--bind-port", NULL },
	{ "Rejected: exit status 3, the reason, nothing printed",
		"create virtualservice other", NULL,
		{ { "PUT /v1/virtualservices/gloo-system/other", 422,
			  "{\"state\":\"Rejected\",\"reason\":\"the domain is "
			  "taken by default\"}",
			  false },
			END },
		CLI_REJECTED, "", "rejected: the domain is taken by default\n",
		NULL },
	{ "not enforced in time: exit status 4",
		"create virtualservice default", NULL,
		{ { "PUT " DEFAULT, 202,
			  "{\"state\":\"Pending\",\"reason\":\"\","
			  "\"generation\":9,\"proxy\":\"down\",\"kernel\":"
			  "\"off\",\"resource\":" VS("") "}",
			  false },
			END },
		CLI_PENDING, NULL,
		"pending: stored, but generation 9 is not enforced yet (proxy: "
		"down, kernel: off)",
		NULL },
	{ "the store is full: refused", "create virtualservice default", NULL,
		{ { "PUT " DEFAULT, 507, "{\"error\":\"no space left\"}",
			  false },
			END },
		CLI_REJECTED, "", "rejected: no space left\n", NULL },

	{ "add route without a name takes the first with the domain *",
		"add route --path-prefix /httpbin --dest-name "
		"default-httpbin-8000 --prefix-rewrite /",
		NULL,
		{ { SERVICES, 200, ITEMS(VS("")), false },
			{ "PUT " DEFAULT, 200,
				VERDICT("Accepted", "",
					VS(ROUTE("/httpbin",
						"default-httpbin-8000"))),
				false },
			END },
		CLI_OK, VS_TABLE, "selected virtualservice default for route\n",
		"{\"matchers\":[{\"prefix\":\"/httpbin\"}],\"options\":{"
		"\"prefixRewrite\":\"/\"},\"routeAction\":{\"single\":{"
		"\"upstream\":{\"name\":\"default-httpbin-8000\",\"namespace\":"
		"\"gloo-system\"}}}}" },
	{ "add route makes default when nothing has the domain *",
		"add route -p /httpbin -u default-httpbin-8000", NULL,
		{ { SERVICES, 200, ITEMS(""), false },
			{ "PUT " DEFAULT, 200,
				VERDICT("Accepted", "",
					VS(ROUTE("/httpbin",
						"default-httpbin-8000"))),
				false },
			END },
		CLI_OK, VS_TABLE,
		"creating virtualservice default with default domain *\n",
		"\"domains\":[\"*\"]" },
	{ "a new route goes to the end",
		"add route -p /b -u b --name default -o json", NULL,
		{ { "GET " DEFAULT, 200, VS(ROUTE("/a", "a")), false },
			{ "PUT " DEFAULT, 200, VERDICT("Accepted", "", "{}"),
				false },
			END },
		CLI_OK, NULL, "",
		"\"routes\":[" ROUTE("/a", "a") "," ROUTE("/b", "b") "]" },
	{ "--index 0 is in front",
		"add route -p /b -u b --name default -x 0 -o json", NULL,
		{ { "GET " DEFAULT, 200, VS(ROUTE("/a", "a")), false },
			{ "PUT " DEFAULT, 200, VERDICT("Accepted", "", "{}"),
				false },
			END },
		CLI_OK, NULL, "",
		"\"routes\":[" ROUTE("/b", "b") "," ROUTE("/a", "a") "]" },
	{ "--index beyond the list",
		"add route -p /b -u b --name default --index 2", NULL,
		{ { "GET " DEFAULT, 200, VS(ROUTE("/a", "a")), false }, END },
		CLI_USAGE, "", "it can be at most 1", NULL },
	{ "--index that is no number", "add route -p /b -u b -x -1", NULL,
		{ { SERVICES, 200, ITEMS(VS("")), false }, END }, CLI_USAGE, "",
		"\"-1\" is not a number", NULL },
	{ "all the matchers of add route",
		"add route -e /a -m GET,POST -m PUT -d x=1=2 -d y "
		"--header-regex z=[0-9]+ -q q=v -q r -u b -s other --name "
		"default -o json",
		NULL,
		{ { "GET " DEFAULT, 200, VS(""), false },
			{ "PUT " DEFAULT, 200, VERDICT("Accepted", "", "{}"),
				false },
			END },
		CLI_OK, NULL, "",
		"[{\"exact\":\"/a\",\"headers\":[{\"name\":\"x\",\"value\":"
		"\"1=2\"},{\"name\":\"y\"},{\"name\":\"z\",\"regex\":true,"
		"\"value\":\"[0-9]+\"}],\"methods\":[\"GET\",\"POST\",\"PUT\"],"
		"\"queryParameters\":[{\"name\":\"q\",\"value\":\"v\"},{"
		"\"name\":\"r\"}]}]" },
	{ "Warning: exit status 2 and the reason",
		"add route -p /b -u billing --name default", NULL,
		{ { "GET " DEFAULT, 200, VS(""), false },
			{ "PUT " DEFAULT, 200,
				VERDICT("Warning", "no upstream billing",
					VS("")),
				false },
			END },
		CLI_WARNING, NULL, "warning: no upstream billing\n", NULL },
	{ "somebody else was faster: read again and retried",
		"add route -p /b -u b --name default -o json", NULL,
		{ { "GET " DEFAULT, 200, VS(""), false },
			{ "GET " DEFAULT, 200, VS(ROUTE("/a", "a")), false },
			{ "PUT " DEFAULT, 409, "{\"error\":\"stale\"}", false },
			{ "PUT " DEFAULT, 200, VERDICT("Accepted", "", "{}"),
				false },
			END },
		CLI_OK, NULL, "",
		"\"routes\":[" ROUTE("/a", "a") "," ROUTE("/b", "b") "]" },
	{ "somebody else was always faster",
		"add route -p /b -u b --name default", NULL,
		{ { "GET " DEFAULT, 200, VS(""), false },
			{ "PUT " DEFAULT, 409, "{\"error\":\"stale\"}", false },
			END },
		CLI_USAGE, "", "error: stale\n", NULL },
	{ "two paths", "add route -p /b -e /b -u b", NULL, { END }, CLI_USAGE,
		"", "only one of --path-exact", NULL },
	{ "no path", "add route -u b", NULL, { END }, CLI_USAGE, "",
		"is needed\nsee glooctl add route --help\n", NULL },
	{ "no destination", "add route -p /b", NULL, { END }, CLI_USAGE, "",
		"--dest-name", NULL },
	{ "REST functions are not served yet", "add route -p / -u b -f f", NULL,
		{ END }, CLI_USAGE, "", "not served yet", NULL },
	{ "--function of an AWS upstream",
		"add route -p /lambda -u hello-lambda --function hello-world:1 "
		"--name default -o json",
		NULL,
		{ { "GET " LAMBDA, 200, AWS, false },
			{ "GET " DEFAULT, 200, VS(""), false },
			{ "PUT " DEFAULT, 200, VERDICT("Accepted", "", "{}"),
				false },
			END },
		CLI_OK, NULL, "",
		"\"destinationSpec\":{\"aws\":{\"logicalName\":"
		"\"hello-world:1\"}}" },
	{ "--function of an upstream without functions",
		"add route -p / -u default-httpbin-8000 --function f", NULL,
		{ { "GET " HTTPBIN, 200, KUBE, false }, END }, CLI_USAGE, "",
		"is of kind kube and has no functions", NULL },
	{ "add route --dry-run stores nothing and prints the whole object",
		"add route -p /b -u b --dry-run", NULL,
		{ { SERVICES, 200, ITEMS(""), false },
			{ "PUT " DEFAULT "?dryRun=true", 200,
				VERDICT("Accepted", "", VS("")), false },
			END },
		CLI_OK, NULL, NULL, "PUT " DEFAULT "?dryRun=true " },
	{ "add route -i asks in Gloo's order", "add route -i -o json",
		"default\n0\npath-p\n/b\nx=1\n\nGET\n\n"
		"default-httpbin-8000\nyes\n/\n",
		{ { UPSTREAMS, 200, ITEMS(KUBE), false },
			{ "GET " DEFAULT, 200, VS(ROUTE("/a", "a")), false },
			{ "PUT " DEFAULT, 200, VERDICT("Accepted", "", "{}"),
				false },
			END },
		CLI_OK, NULL,
		"? rewrite the matched portion of HTTP requests with this "
		"prefix: /\n",
		"\"routes\":[{\"matchers\":[{\"headers\":[{\"name\":\"x\","
		"\"value\":\"1\"}],\"methods\":[\"GET\"],\"prefix\":\"/b\"}],"
		"\"options\":{\"prefixRewrite\":\"/\"}" },

	{ "remove route", "remove route --name default --index 1 -o json", NULL,
		{ { "GET " DEFAULT, 200,
			  VS(ROUTE("/a", "a") "," ROUTE("/b", "b")), false },
			{ "PUT " DEFAULT, 200, VERDICT("Accepted", "", "{}"),
				false },
			END },
		CLI_OK, NULL, "", "\"routes\":[" ROUTE("/a", "a") "]" },
	{ "remove route beyond the list", "rm r --name default -x 1", NULL,
		{ { "GET " DEFAULT, 200, VS(ROUTE("/a", "a")), false }, END },
		CLI_USAGE, "", "has routes: 1, counted from 0", NULL },
	{ "remove route does not take another one after a conflict",
		"remove route --name default --index 0", NULL,
		{ { "GET " DEFAULT, 200, VS(ROUTE("/a", "a")), false },
			{ "GET " DEFAULT, 200,
				VS(ROUTE("/n", "n") "," ROUTE("/a", "a")),
				false },
			{ "PUT " DEFAULT, 409, "{\"error\":\"stale\"}", false },
			END },
		CLI_USAGE, "", "route 0 is /n -> n now", NULL },
	{ "remove route -i", "remove route -i -o json", "default\n1\n",
		{ { SERVICES, 200, ITEMS(VS("")), false },
			{ "GET " DEFAULT, 200,
				VS(ROUTE("/a", "a") "," ROUTE("/b", "b")),
				false },
			{ "PUT " DEFAULT, 200, VERDICT("Accepted", "", "{}"),
				false },
			END },
		CLI_OK, NULL, "? Choose the route to remove: 1\n",
		"\"routes\":[" ROUTE("/a", "a") "]" },
	{ "route sort", "route sort --name default -o json", NULL,
		{ { "GET " DEFAULT, 200,
			  VS(ROUTE("/", "a") "," ROUTE("/b", "b")), false },
			{ "PUT " DEFAULT, 200, VERDICT("Accepted", "", "{}"),
				false },
			END },
		CLI_OK, NULL, "sorted the routes of default: ",
		"\"routes\":[" ROUTE("/b", "b") "," ROUTE("/", "a") "]" },
	{ "route sort of what is sorted changes nothing",
		"route sort --name default", NULL,
		{ { "GET " DEFAULT, 200,
			  VS(ROUTE("/httpbin", "default-httpbin-8000")),
			  false },
			END },
		CLI_OK, VS_TABLE, "in order already", NULL },

	{ "delete: one line that names it", "delete virtualservice default",
		NULL,
		{ { "GET " DEFAULT, 200, VS(""), false },
			{ "DELETE " DEFAULT, 200,
				"{\"state\":\"Accepted\",\"reason\":\"\"}",
				false },
			END },
		CLI_OK, "virtual service gloo-system.default deleted\n", "",
		"DELETE " DEFAULT },
	{ "delete of a discovered upstream in use says both",
		"delete upstream default-httpbin-8000", NULL,
		{ { "GET " HTTPBIN, 200, KUBE, false },
			{ "DELETE " HTTPBIN, 200,
				"{\"state\":\"Warning\",\"reason\":\"used by "
				"default\"}",
				false },
			END },
		CLI_WARNING,
		"upstream gloo-system.default-httpbin-8000 deleted\n",
		"note: it was found by kubernetesplugin and will come back as "
		"long as what it was made from is there\n"
		"warning: used by default\n",
		NULL },
	{ "delete --dry-run deletes nothing", "delete vs default --dry-run",
		NULL, { { "GET " DEFAULT, 200, VS(""), false }, END }, CLI_OK,
		"virtual service gloo-system.default would be deleted\n", "",
		NULL },
	{ "delete -i offers what is there", "delete vs -i", "default\n",
		{ { SERVICES, 200, ITEMS(VS("")), false },
			{ "GET " DEFAULT, 200, VS(""), false },
			{ "DELETE " DEFAULT, 200, "{\"state\":\"Accepted\"}",
				false },
			END },
		CLI_OK, NULL, "? Choose a virtual service to delete: default\n",
		NULL },
	{ "delete without a name", "delete vs", NULL, { END }, CLI_USAGE, "",
		"the name of the virtual service is missing", NULL },

	{ "gateway url", "gateway url", NULL,
		{ { "GET /v1/url", 200, "{\"url\":\"http://10.98.0.1:8080\"}",
			  false },
			END },
		CLI_OK, "http://10.98.0.1:8080\n", "", NULL },
	{ "gateway url of a certain one", "proxy url --name b -n other", NULL,
		{ { "GET /v1/url?name=b&namespace=other", 200,
			  "{\"url\":\"http://10.98.0.1:81\"}", false },
			END },
		CLI_OK, "http://10.98.0.1:81\n", "", NULL },
	{ "gateway dump is JSON", "gateway dump", NULL,
		{ { "GET /v1/dump", 200, "{\"b\":1,\"a\":[]}", false }, END },
		CLI_OK, "{\n  \"a\": [],\n  \"b\": 1\n}\n", "", NULL },
	{ "gateway stats", "gateway stats", NULL,
		{ { "GET /v1/stats", 200, "requests: 5\n", false }, END },
		CLI_OK, "requests: 5\n", "", NULL },
	{ "gateway logs leaves debug lines out", "gateway logs", NULL,
		{ { "GET /v1/logs?since=0", 200,
			  "{\"lines\":[{\"seq\":1,\"level\":\"info\",\"text\":"
			  "\"a\"},{\"seq\":2,\"level\":\"debug\",\"text\":"
			  "\"b\"}],\"next\":3}",
			  false },
			END },
		CLI_OK, "info  a\n", "", NULL },
	{ "gateway logs -d shows them", "gateway logs -d", NULL,
		{ { "GET /v1/logs?since=0", 200,
			  "{\"lines\":[{\"seq\":1,\"level\":\"info\",\"text\":"
			  "\"a\"},{\"seq\":2,\"level\":\"debug\",\"text\":"
			  "\"b\"}],\"next\":3}",
			  false },
			END },
		CLI_OK, "info  a\ndebug b\n", "", NULL },

	{ "check: all is well, and how XDP is attached", "check", NULL,
		{ { "GET /v1/check", 200,
			  "{\"areas\":[{\"name\":\"upstreams\",\"errors\":[],"
			  "\"warnings\":[]},{\"name\":\"kernel\",\"errors\":[],"
			  "\"warnings\":[]}]}",
			  false },
			{ "GET /v1/status", 200,
				"{\"kernel\":{\"state\":\"enforced\","
				"\"interfaces\":[{\"name\":\"gg0\",\"attached\""
				":true,\"mode\":\"native\",\"dispatcher\":true,"
				"\"adopted\":false,\"problem\":\"\"}],"
				"\"mapBytes\":1048576,\"steering\":\"a worker "
				"by hash\",\"migration\":"
				"\"net.ipv4.tcp_migrate_req\"}}",
				false },
			END },
		CLI_OK,
		"Checking upstreams... OK\n"
		"Checking kernel... OK\n"
		"  gg0: native mode, by libxdp's dispatcher\n"
		"  maps: 1048576 bytes\n"
		"  new connections go to a worker by hash\n"
		"  a listener that closes hands on what waits in it: "
		"net.ipv4.tcp_migrate_req\n"
		"No problems detected.\n",
		"", NULL },
	{ "check: a numbered list of what is wrong", "check", NULL,
		{ { "GET /v1/check", 200,
			  "{\"areas\":[{\"name\":\"upstreams\",\"errors\":["
			  "\"a is wrong\",\"b is wrong\"],\"warnings\":[\"c\"]}"
			  ",{\"name\":\"proxies\",\"errors\":[],\"warnings\":["
			  "]}]}",
			  false },
			{ "GET /v1/status", 200, "{}", false }, END },
		CLI_REJECTED,
		"Checking upstreams... 2 Errors!\n"
		"Checking proxies... OK\n"
		"1. upstreams: a is wrong\n"
		"2. upstreams: b is wrong\n"
		"3. upstreams: warning: c\n",
		"", NULL },
	{ "check: warnings only", "check", NULL,
		{ { "GET /v1/check", 200,
			  "{\"areas\":[{\"name\":\"upstreams\",\"errors\":[],"
			  "\"warnings\":[\"c\"]}]}",
			  false },
			{ "GET /v1/status", 200, "{}", false }, END },
		CLI_WARNING,
		"Checking upstreams... 1 Warning!\n"
		"1. upstreams: warning: c\n",
		"", NULL },
	{ "check --list names the objects", "check --list", NULL,
		{ { "GET /v1/check", 200,
			  "{\"areas\":[{\"name\":\"virtual services\"}]}",
			  false },
			{ "GET /v1/status", 200,
				"{\"objects\":[{\"type\":\"virtualservices\","
				"\"namespace\":\"gloo-system\",\"name\":\"a\","
				"\"state\":\"Warning\",\"reason\":\"b\"}]}",
				false },
			END },
		CLI_OK,
		"virtual services: each is accepted, and what it refers to is "
		"there\n"
		"  gloo-system.a: Warning, b\n",
		"", NULL },
	{ "version of both", "version", NULL,
		{ { "GET /v1/version", 200,
			  "{\"version\":\"9.9.9\",\"buildId\":\"abc\","
			  "\"contract\":1}",
			  false },
			END },
		CLI_OK, NULL, "differ by more than a patch release", NULL },
	{ "names for the completion", "__names us", NULL,
		{ { UPSTREAMS, 200, ITEMS(KUBE), false }, END }, CLI_OK,
		"default-httpbin-8000\n", "", NULL },

	{ "an unknown flag", "get upstreams --ouput yaml", NULL, { END },
		CLI_USAGE, "",
		"error: unknown flag --ouput; did you mean --output?\n"
		"see glooctl get upstream --help\n",
		NULL },
	{ "an unknown letter", "get upstreams -z", NULL, { END }, CLI_USAGE, "",
		"error: unknown flag -z\n", NULL },
	{ "an unknown command", "gte upstreams", NULL, { END }, CLI_USAGE, "",
		"error: unknown command \"gte\" for glooctl; did you mean get?",
		NULL },
	{ "an unknown form", "get u -o xml", NULL, { END }, CLI_USAGE, "",
		"\"xml\" is none of table", NULL },
	{ "a flag without its value", "get u -o", NULL, { END }, CLI_USAGE, "",
		"-o needs a value", NULL },
	{ "one word too many", "get u a b", NULL, { END }, CLI_USAGE, "",
		"\"b\" is one argument too many", NULL },
	{ "a command that needs a further word", "get", NULL, { END },
		CLI_USAGE, "", "get needs a further word", NULL },
	{ "a namespace that is none", "get u x -n ../a", NULL, { END },
		CLI_USAGE, "", "is not a namespace", NULL },
	{ "a flag of the kind that is wrong",
		"create upstream kube --name a --kube-service-port x", NULL,
		{ END }, CLI_USAGE, "", "--kube-service-port: ", NULL },
};

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fake_result r;
		struct fake fake;
		char *log;
		bool err_bad;

		fake_start(&fake, cases[i].rows);
		r = fake_run(fake.socket, cases[i].line, cases[i].input);
		log = access(fake.log, R_OK) == 0 ? fake_log(&fake)
						  : xstrdup("");
		err_bad =
			cases[i].err != NULL &&
			(cases[i].err[0] == '\0'
					? r.err[0] != '\0'
					: strstr(r.err, cases[i].err) == NULL);
		if (r.status != cases[i].status || err_bad ||
			(cases[i].out != NULL &&
				strcmp(r.out, cases[i].out) != 0) ||
			(cases[i].sent != NULL &&
				strstr(log, cases[i].sent) == NULL))
			fail_msg("%s:\nstatus %d\n%s---\n%s---\n%s",
				cases[i].what, r.status, r.out, r.err, log);
		free(log);
		fake_result_fini(&r);
		fake_stop(&fake);
	}
}

static void
test_nobody_answers(void **state)
{
	struct fake_result r =
		fake_run("/tmp/no-such-folder/sock", "get upstreams", NULL);

	(void)state;
	assert_int_equal(r.status, CLI_USAGE);
	assert_string_equal(r.out, "");
	assert_non_null(strstr(r.err, "is the daemon running?"));
	fake_result_fini(&r);
	r = fake_run("/tmp/no-such-folder/sock", "version", NULL);
	assert_int_equal(r.status, CLI_OK);
	assert_non_null(strstr(r.out, "Server: version undefined"));
	fake_result_fini(&r);
	/* The completion stays silent. */
	r = fake_run("/tmp/no-such-folder/sock", "__names upstreams", NULL);
	assert_string_equal(r.err, "");
	fake_result_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_nobody_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
