/*
 * Commands of glooctl as rows: a line, the script of the admin server (fake.h),
 * and what is asked, printed and answered. With the resources that they are
 * about.
 */
#ifndef TESTS_UNIT_CLI_COMMAND_CASES_H
#define TESTS_UNIT_CLI_COMMAND_CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
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
#define AZURE                                                                  \
	"{\"metadata\":{\"name\":\"fx\",\"namespace\":\"gloo-system\"},"       \
	"\"upstreamSpec\":{\"azure\":{\"functionAppName\":\"app\","            \
	"\"functions\":[{\"authLevel\":\"Function\",\"functionName\":"         \
	"\"orders\"}]}}}"
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
#define TCP_GATEWAY                                                            \
	"{\"metadata\":{\"name\":\"mysql\",\"namespace\":\"gloo-system\"},"  \
	"\"bindAddress\":\"::\",\"bindPort\":3306,\"status\":{\"state\":"    \
	"\"Accepted\"},\"tcpGateway\":{\"tcpHosts\":[{\"name\":\"mysql\","    \
	"\"destination\":{\"single\":{\"upstream\":{\"name\":\"db\","         \
	"\"namespace\":\"gloo-system\"}}}}]}}"
#define TCP_TABLE                                                              \
	"+---------+-----------+----------+------------------+\n"              \
	"| GATEWAY |  ADDRESS  |  STATUS  | VIRTUAL SERVICES |\n"              \
	"+---------+-----------+----------+------------------+\n"              \
	"| mysql   | [::]:3306 | Accepted | TCP -> db        |\n"              \
	"+---------+-----------+----------+------------------+\n"
#define ITEMS(items) "{\"items\":[" items "]}"
#define END                                                                    \
	{                                                                      \
		NULL, 0, NULL, false                                           \
	}
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
#define UPSTREAMS "GET /v1/upstreams"
#define SERVICES  "GET /v1/virtualservices"
#define DEFAULT   "/v1/virtualservices/gloo-system/default"
#define HTTPBIN   "/v1/upstreams/gloo-system/default-httpbin-8000"
#define LAMBDA    "/v1/upstreams/gloo-system/hello-lambda"

#define ROW_MAX 8

struct command_case {
	const char *what, *line, *input;
	struct fake_row rows[ROW_MAX];
	int status;
	const char *out;  /* all of it, or NULL */
	const char *err;  /* a part of it, "" for nothing at all, or NULL */
	const char *sent; /* a part of the requests, or NULL */
};

static inline void
command_cases_run(const struct command_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
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

#endif
