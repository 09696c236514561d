/* Tests userspace/cli/cmd_get.c: the tables, forms and names of what there
 * is. */
#include "command_cases.h"

#define GATEWAYS "GET /v1/gateways"
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
#define SHARED                                                                 \
	"{\"type\":\"gateways\",\"namespace\":\"gloo-system\","               \
	"\"name\":\"second\",\"rule\":\"syns\",\"key\":\"sourceAddress\","     \
	"\"prefixLengthV4\":32,\"prefixLengthV6\":64,"                         \
	"\"counts\":\"connections\",\"rate\":5,\"unit\":\"HOUR\","           \
	"\"burst\":5,\"stage\":\"kernel\",\"action\":\"drop\","              \
	"\"enforcedBy\":\"kernel\",\"countedWith\":\"net\",\"refused\":3,"   \
	"\"shadowed\":0,\"promoted\":0}"
#define SHARED_TABLE                                                           \
	"+--------------------+------+---------------+---------------"         \
	"+-------+--------+--------+--------+----------+\n"                    \
	"|       WHERE        | RULE |      KEY      |     RATE      "         \
	"| BURST | STAGE  | ACTION | PASSED | REFUSED  |\n"                    \
	"+--------------------+------+---------------+---------------"         \
	"+-------+--------+--------+--------+----------+\n"                    \
	"| Gateway            | syns | sourceAddress | 5 connections "         \
	"| 5     | kernel | drop   | -      | 3        |\n"                    \
	"| gloo-system.second |      | /32, /64      | per HOUR      "         \
	"|       |        |        |        | with net |\n"                    \
	"+--------------------+------+---------------+---------------"         \
	"+-------+--------+--------+--------+----------+\n"
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
#define ELSEWHERE                                                              \
	"{\"metadata\":{\"name\":\"there\",\"namespace\":\"other\"}}"
#define ORIGIN_WIDE                                                            \
	"+-----------------+---------+------+----------+---------+---"         \
	"-----+-----------+---------+------------+-------+--------+--"         \
	"------+------------+\n"                                               \
	"| VIRTUAL SERVICE | DOMAINS | SSL  |  STATUS  | PLUGINS | RO"         \
	"UTES | NAMESPACE | VERSION | GENERATION | PROXY | KERNEL | R"         \
	"EASON |   ORIGIN   |\n"                                               \
	"+-----------------+---------+------+----------+---------+---"         \
	"-----+-----------+---------+------------+-------+--------+--"         \
	"------+------------+\n"                                               \
	"| a               | *       | none | Accepted |         |   "         \
	"     | b         |         |            |       |        |  "         \
	"      | Kubernetes |\n"                                               \
	"+-----------------+---------+------+----------+---------+---"         \
	"-----+-----------+---------+------------+-------+--------+--"         \
	"------+------------+\n"
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
	"------------+-----+-----------------------+\n"                        \
	"|             UPSTREAM             |  ENDPOINT   | WEIGHT | "         \
	"  HEALTH    | FOR |          WHY          |\n"                        \
	"+----------------------------------+-------------+--------+-"         \
	"------------+-----+-----------------------+\n"                        \
	"| gloo-system.default-httpbin-8000 | 10.0.0.1:80 | 1      | "         \
	"down        | 2 h | HTTP 503              |\n"                        \
	"|                                  | 10.0.0.2:80 | 5      | "         \
	"up          | 7 s | slow start, 23 s left |\n"                        \
	"|                                  | and 23 more |        | "         \
	"24 of 25 up |     |                       |\n"                        \
	"+----------------------------------+-------------+--------+-"         \
	"------------+-----+-----------------------+\n"                        \
	"Discovery\n"                                                          \
	"+----------------------------------+-------------+----------"         \
	"------------+--------------------+\n"                                 \
	"|             UPSTREAM             | LAST CHANGE |     STALE"         \
	" SINCE      |        WHY         |\n"                                 \
	"+----------------------------------+-------------+----------"         \
	"------------+--------------------+\n"                                 \
	"| gloo-system.default-httpbin-8000 | 95 s ago    | 2026-11-2"         \
	"6T13:00:00Z | connection refused |\n"                                 \
	"+----------------------------------+-------------+----------"         \
	"------------+--------------------+\n"                                 \
	"In use\n"                                                             \
	"+----------------------------------+--------------------+---"         \
	"---------+------------+-----------+\n"                                \
	"|             UPSTREAM             |    CONNECTIONS     |  P"         \
	"ENDING   |  REQUESTS  |  RETRIES  |\n"                                \
	"+----------------------------------+--------------------+---"         \
	"---------+------------+-----------+\n"                                \
	"| gloo-system.default-httpbin-8000 | 3 of 16384, 2 idle | 0 "         \
	"of 16384 | 1 of 65536 | 0 of 1024 |\n"                                \
	"+----------------------------------+--------------------+---"         \
	"---------+------------+-----------+\n"                                \
	"Retries and ejections so far\n"                                       \
	"+----------------------------------+---------+--------------"         \
	"--+-----------------+-----------+----------+\n"                       \
	"|             UPSTREAM             | RETRIES | BUDGET USED U"         \
	"P | OVER MAXRETRIES | EJECTIONS | WITHHELD |\n"                       \
	"+----------------------------------+---------+--------------"         \
	"--+-----------------+-----------+----------+\n"                       \
	"| gloo-system.default-httpbin-8000 | 120     | 7            "         \
	"  | 1               | 4         | 2        |\n"                       \
	"+----------------------------------+---------+--------------"         \
	"--+-----------------+-----------+----------+\n"

#define CONSUL                                                                 \
	"{\"metadata\":{\"name\":\"web\",\"namespace\":\"gloo-system\","     \
	"\"resourceVersion\":\"3\"},\"status\":{\"state\":\"Warning\","       \
	"\"reason\":\"cannot resolve \\\"a.test\\\": no name server answered "  \
	"in time\"},\"upstreamSpec\":{\"consul\":{\"serviceName\":\"web\","     \
	"\"serviceTags\":[\"v1\",\"blue\"]}}}"
#define CONSUL_ENDPOINTS                                                       \
	"{\"items\":[{\"namespace\":\"gloo-system\",\"name\":\"web\","        \
	"\"count\":0,\"endpoints\":[{\"address\":\"10.0.0.1:80\","            \
	"\"weight\":1,\"health\":\"up\",\"seconds\":7,\"host\":\"b.test\"}]"   \
	",\"names\":[{\"name\":\"a.test\",\"addresses\":0,\"ttlSeconds\":0"   \
	",\"askedAgainInMs\":4900,\"staleSince\":\"2026-11-26T13:00:00Z\","    \
	"\"problem\":\"no name server answered in time\"},{\"name\":"          \
	"\"b.test\",\"addresses\":1,\"ttlSeconds\":300,\"askedAgainInMs\":"   \
	"240000}],\"dataCenters\":[{\"instances\":3,\"fit\":2,\"out\":1},{"   \
	"\"name\":\"dc2\",\"instances\":0,\"fit\":0,\"out\":0,"              \
	"\"problem\":\"no path\"}]}]}"
#define CONSUL_WIDE                                                            \
	"+----------+--------+---------+---------------------+-------"         \
	"------+---------+------------+-------+--------+-------------"         \
	"-----------------+\n"                                                 \
	"| UPSTREAM |  TYPE  | STATUS  |       DETAILS       |  NAMES"         \
	"PACE  | VERSION | GENERATION | PROXY | KERNEL |            R"         \
	"EASON            |\n"                                                 \
	"+----------+--------+---------+---------------------+-------"         \
	"------+---------+------------+-------+--------+-------------"         \
	"-----------------+\n"                                                 \
	"| web      | Consul | Warning | svc name: web       | gloo-s"         \
	"ystem | 3       |            |       |        | cannot resol"         \
	"ve \"a.test\": no  |\n"                                               \
	"|          |        |         | svc tags: [v1 blue] |       "         \
	"      |         |            |       |        | name server "         \
	"answered in time |\n"                                                 \
	"|          |        |         |                     |       "         \
	"      |         |            |       |        |             "         \
	"                 |\n"                                                 \
	"+----------+--------+---------+---------------------+-------"         \
	"------+---------+------------+-------+--------+-------------"         \
	"-----------------+\n"                                                 \
	"Endpoints\n"                                                          \
	"+-----------------+----------------------+--------+--------+"         \
	"-----+-----+\n"                                                       \
	"|    UPSTREAM     |       ENDPOINT       | WEIGHT | HEALTH |"         \
	" FOR | WHY |\n"                                                       \
	"+-----------------+----------------------+--------+--------+"         \
	"-----+-----+\n"                                                       \
	"| gloo-system.web | 10.0.0.1:80 (b.test) | 1      | up     |"         \
	" 7 s |     |\n"                                                       \
	"+-----------------+----------------------+--------+--------+"         \
	"-----+-----+\n"                                                       \
	"Discovery\n"                                                          \
	"+-----------------+-------------+-------------+-----+\n"              \
	"|    UPSTREAM     | LAST CHANGE | STALE SINCE | WHY |\n"              \
	"+-----------------+-------------+-------------+-----+\n"              \
	"| gloo-system.web | never       |             |     |\n"              \
	"+-----------------+-------------+-------------+-----+\n"              \
	"Names\n"                                                              \
	"+-----------------+--------+-----------+-------+------------"         \
	"----+----------------------+--------------------------------"         \
	"+\n"                                                                  \
	"|    UPSTREAM     |  NAME  | ADDRESSES |  TTL  | ASKED AGAIN"         \
	" IN |     STALE SINCE      |              WHY               "         \
	"|\n"                                                                  \
	"+-----------------+--------+-----------+-------+------------"         \
	"----+----------------------+--------------------------------"         \
	"+\n"                                                                  \
	"| gloo-system.web | a.test | 0         |       | 4 s        "         \
	"    | 2026-11-26T13:00:00Z | no name server answered in     "         \
	"|\n"                                                                  \
	"|                 |        |           |       |            "         \
	"    |                      | time                           "         \
	"|\n"                                                                  \
	"|                 | b.test | 1         | 5 min | 4 min      "         \
	"    |                      |                                "         \
	"|\n"                                                                  \
	"+-----------------+--------+-----------+-------+------------"         \
	"----+----------------------+--------------------------------"         \
	"+\n"                                                                  \
	"Data centres\n"                                                       \
	"+-----------------+-----------------+-----------+--------+--"         \
	"-----------+---------+\n"                                             \
	"|    UPSTREAM     |   DATA CENTRE   | INSTANCES | WANTED | N"         \
	"OT PASSING |   WHY   |\n"                                             \
	"+-----------------+-----------------+-----------+--------+--"         \
	"-----------+---------+\n"                                             \
	"| gloo-system.web | the agent's own | 3         | 2      | 1"         \
	"           |         |\n"                                             \
	"|                 | dc2             | 0         | 0      | 0"         \
	"           | no path |\n"                                             \
	"+-----------------+-----------------+-----------+--------+--"         \
	"-----------+---------+\n"                                             \
	"In use\n"                                                             \
	"+-----------------+-------------+---------+----------+------"         \
	"---+\n"                                                               \
	"|    UPSTREAM     | CONNECTIONS | PENDING | REQUESTS | RETRI"         \
	"ES |\n"                                                               \
	"+-----------------+-------------+---------+----------+------"         \
	"---+\n"                                                               \
	"| gloo-system.web | 0 of 0      | 0 of 0  | 0 of 0   | 0 of "         \
	"0  |\n"                                                               \
	"+-----------------+-------------+---------+----------+------"         \
	"---+\n"                                                               \
	"Retries and ejections so far\n"                                       \
	"+-----------------+---------+----------------+--------------"         \
	"---+-----------+----------+\n"                                        \
	"|    UPSTREAM     | RETRIES | BUDGET USED UP | OVER MAXRETRI"         \
	"ES | EJECTIONS | WITHHELD |\n"                                        \
	"+-----------------+---------+----------------+--------------"         \
	"---+-----------+----------+\n"                                        \
	"| gloo-system.web | 0       | 0              | 0            "         \
	"   | 0         | 0        |\n"                                        \
	"+-----------------+---------+----------------+--------------"         \
	"---+-----------+----------+\n"
#define CONSUL_TABLE                                                           \
	"+----------+--------+---------+---------------------+\n"              \
	"| UPSTREAM |  TYPE  | STATUS  |       DETAILS       |\n"              \
	"+----------+--------+---------+---------------------+\n"              \
	"| web      | Consul | Warning | svc name: web       |\n"              \
	"|          |        |         | svc tags: [v1 blue] |\n"              \
	"|          |        |         |                     |\n"              \
	"+----------+--------+---------+---------------------+\n"

static const struct command_case cases[] = {
	{ "get upstreams: the post's table with its last row and border",
		"get upstreams", NULL,
		{ { UPSTREAMS, 200, ITEMS(KUBE), false }, END }, CLI_OK,
		KUBE_TABLE, "", NULL },
	{ "get upstreams --preview: what discovery would make",
		"get upstreams --preview", NULL,
		{ { "GET /v1/upstreams?preview=true", 200, ITEMS(KUBE), false },
			END },
		CLI_OK, KUBE_TABLE, "", NULL },
	{ "get upstream NAME --preview -o name",
		"get upstream default-httpbin-8000 --preview -o name", NULL,
		{ { "GET /v1/upstreams?preview=true", 200, ITEMS(KUBE "," AWS),
			  false },
			END },
		CLI_OK, "default-httpbin-8000\n", "", NULL },
	{ "get upstream --preview of what discovery does not make",
		"get upstream other --preview", NULL,
		{ { "GET /v1/upstreams?preview=true", 200, ITEMS(KUBE), false },
			END },
		CLI_USAGE, "",
		"discovery makes no upstream named \"other\"\n", NULL },
	{ "get upstreams --preview -n leaves the other namespaces out",
		"get upstreams --preview -n other -o name", NULL,
		{ { "GET /v1/upstreams?preview=true", 200,
			  ITEMS(KUBE "," AWS "," ELSEWHERE), false },
			END },
		CLI_OK, "there\n", "", NULL },
	{ "get upstream NAME --preview -n",
		"get upstream there --preview -n a", NULL,
		{ { "GET /v1/upstreams?preview=true", 200, ITEMS(ELSEWHERE),
			  false },
			END },
		CLI_USAGE, "",
		"discovery makes no upstream named \"there\" in namespace a\n",
		NULL },
	{ "get upstreams --preview without discovery",
		"get upstreams --preview", NULL,
		{ { "GET /v1/upstreams?preview=true", 409,
			  "{\"error\":\"nothing is discovered\"}", false },
			END },
		CLI_USAGE, "", "nothing is discovered\n", NULL },
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
	{ "get -o wide says of what is changed elsewhere where that is",
		"get vs -o wide", NULL,
		{ { SERVICES, 200,
			  ITEMS("{\"metadata\":{\"name\":\"a\","
				"\"namespace\":\"b\"},\"status\":{\"state\":\"Accepted\",\"origin\":"
				"\"Kubernetes\"}}"),
			  false },
			{ "GET /v1/status", 200, "{}", false }, END },
		CLI_OK, ORIGIN_WIDE, "", NULL },
	{ "get upstreams -o wide: their endpoints, and what is in use",
		"get upstreams -o wide", NULL,
		{ { UPSTREAMS, 200, ITEMS(KUBE), false },
			{ "GET /v1/status", 200, "{}", false },
			{ "GET /v1/endpoints?limit=20", 200,
				"{\"items\":[{\"namespace\":\"gloo-system\","
				"\"name\":\"default-httpbin-8000\",\"count\":"
				"25,\"changedSeconds\":95,"
				"\"staleSince\":\"2026-11-26T13:00:00Z\","
				"\"staleReason\":\"connection refused\","
				"\"up\":24,\"inUse\":{\"connections\":{\"now\":"
				"3,\"idle\":2,"
				"\"limit\":16384},\"pending\":{\"now\":0,"
				"\"limit\":16384},\"requests\":{\"now\":1,"
				"\"limit\":65536},\"retries\":{\"now\":0,"
				"\"limit\":1024}},\"retries\":{\"made\":120,"
				"\"budgetUsedUp\":7,\"overMaxRetries\":1},"
				"\"ejections\":4,\"ejectionsWithheld\":2,"
				"\"endpoints\":[{\"address\":"
				"\"10.0.0.1:80\",\"weight\":1,\"health\":"
				"\"down\","
				"\"seconds\":7300,\"why\":\"HTTP 503\"},"
				"{\"address\":\"10.0.0.2:80\",\"weight\":5,"
				"\"health\":\"up\",\"seconds\":7,\"why\":"
				"\"slow start, 23 s left\"}]},"
				"{\"namespace\":\"other\",\"name\":"
				"\"default-httpbin-8000\",\"endpoints\":[]}]}",
				false },
			END },
		CLI_OK, KUBE_WIDE, "", NULL },
	{ "get upstream -o wide: names, data centres, and a reason beside the "
	  "details",
		"get upstream web -o wide", NULL,
		{ { "GET /v1/upstreams/gloo-system/web", 200, CONSUL, false },
			{ "GET /v1/status", 200, "{}", false },
			{ "GET /v1/endpoints?limit=20", 200, CONSUL_ENDPOINTS,
				false },
			END },
		CLI_OK, CONSUL_WIDE, "", NULL },
	{ "get upstream says why it is not Accepted", "get upstream web", NULL,
		{ { "GET /v1/upstreams/gloo-system/web", 200, CONSUL, false },
			END },
		CLI_OK, CONSUL_TABLE,
		"warning: cannot resolve \"a.test\": no name server answered in "
		"time\n",
		NULL },
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
	{ "get virtualservices: a rate limit in its words",
		"get virtualservice default", NULL,
		{ { "GET " DEFAULT, 200, VS_LIMITED, false }, END }, CLI_OK,
		VS_LIMITED_TABLE, "", NULL },
	{ "get limits: a table", "get limits", NULL,
		{ { "GET /v1/limits", 200, ITEMS(LIMIT), false }, END }, CLI_OK,
		LIMITS_TABLE, "", NULL },
	{ "get limits: two rules that the kernel counts together", "get limits",
		NULL,
		{ { "GET /v1/limits", 200, ITEMS(SHARED), false }, END },
		CLI_OK, SHARED_TABLE, "", NULL },
	{ "get limits of a namespace that has none",
		"get limits -n other -o json", NULL,
		{ { "GET /v1/limits", 200, ITEMS(LIMIT), false }, END },
		CLI_OK, "[]\n", "", NULL },
	{ "get limits -o name: there is none", "get limits -o name", NULL,
		{ END }, CLI_USAGE, "", "no name of its own", NULL },
};

static void
test_get(void **state)
{
	(void)state;
	command_cases_run(cases, ARRAY_SIZE(cases));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
