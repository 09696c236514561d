/* gloo-gateway: arguments and wiring; the work is in control/ and proxy/. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "config/settings.h"
#include "control/control.h"
#include "fastpath/fastpath.h"
#include "kinds.h"
#include "proxy/proxy.h"
#include "proxy/sandbox.h"
#include "version.h"

#define SETTINGS_DEFAULT "/etc/gloo-gateway/settings.yaml"

enum {
	OPTION_PROXY_CHANNEL = 256,
	OPTION_PROXY_UNIX_SOCKETS,
	OPTION_PROXY_SANDBOX_TEST,
};

static const struct option options[] = {
	{ "settings", required_argument, NULL, 's' },
	{ "check", no_argument, NULL, 'c' },
	{ "log-level", required_argument, NULL, 'l' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	/* How control starts its proxy, and a test of the proxy's sandbox. */
	{ "proxy-channel", required_argument, NULL, OPTION_PROXY_CHANNEL },
	{ "proxy-unix-sockets", no_argument, NULL, OPTION_PROXY_UNIX_SOCKETS },
	{ "proxy-sandbox-test", no_argument, NULL, OPTION_PROXY_SANDBOX_TEST },
	{ NULL, 0, NULL, 0 },
};

static const char usage_text[] =
	"Usage: gloo-gateway [--settings FILE] [--check] [--log-level LEVEL]\n"
	"       gloo-gateway xdp attach|detach|status DEV\n"
	"\n"
	"The daemon of the gateway; it stays in the foreground.\n"
	"\n"
	"  --settings FILE    settings, by default " SETTINGS_DEFAULT "\n"
	"  --check            read settings and store, say what is wrong, exit\n"
	"  --log-level LEVEL  error, warn, info or debug\n"
	"  --version          print the version\n"
	"  --help             print this text\n"
	"\n"
	"  xdp attach DEV     attach the XDP program to an interface\n"
	"  xdp detach DEV     take it off again\n"
	"  xdp status DEV     say which program is attached, and how\n"
	"\n"
	"Signals: SIGHUP re-reads settings and files, SIGUSR1 reopens the access\n"
	"log, SIGTERM drains and stops. See gloo-gateway(8).\n";

static int
usage(FILE *out)
{
	fputs(usage_text, out);
	return out == stdout ? 0 : 1;
}

static int
xdp_command(int argc, char **argv)
{
	struct error err = ERROR_INIT;
	struct settings *settings = NULL;
	struct fastpath_options fastpath;
	struct str out;
	int rc;

	if (argc != 4)
		return usage(stderr);
	log_open("xdp", LOG_LEVEL_WARN);
	settings = settings_read(access(SETTINGS_DEFAULT, R_OK) == 0 ?
			SETTINGS_DEFAULT :
			NULL,
		upstream_kinds, &err);
	if (settings == NULL) {
		fprintf(stderr, "gloo-gateway: %s\n", err.text);
		return 1;
	}
	str_init(&out);
	fastpath = (struct fastpath_options){
		.pin_path = settings->xdp_pin_path,
		.object = settings->xdp_object,
		.sizes = {
			.sources = settings->xdp_maps.sources,
			.connections = settings->xdp_maps.connections,
			.nat = settings->xdp_maps.nat,
			.fragments = settings->xdp_maps.fragments,
		},
		.flood_guard = settings->flood_guard,
		.hash_seed = settings->hash_seed,
	};
	rc = fastpath_command(argv[2], argv[3], &fastpath, &out, &err);
	fputs(out.data, stdout);
	if (rc != 0)
		fprintf(stderr, "gloo-gateway: %s\n", err.text);
	str_fini(&out);
	settings_free(settings);
	return rc == 0 ? 0 : 1;
}

int
main(int argc, char **argv)
{
	struct control_options control = { .kinds = upstream_kinds,
		.binary = -1,
		.argv = argv,
		.log_level = -1 };
	enum log_level level;
	bool check = false, unix_sockets = false;
	int c, rc;

	if (argc > 1 && strcmp(argv[1], "xdp") == 0)
		return xdp_command(argc, argv);
	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case 's':
			control.settings_path = optarg;
			break;
		case 'c':
			check = true;
			break;
		case 'l':
			if (log_level_parse(optarg, &level) != 0) {
				fprintf(stderr,
					"gloo-gateway: \"%s\" is no log level; "
					"use error, warn, info or debug\n",
					optarg);
				return 1;
			}
			control.log_level = (int)level;
			break;
		case 'V':
			printf("gloo-gateway %s (%s)\n", VERSION, BUILD_ID);
			return 0;
		case 'h':
			return usage(stdout);
		case OPTION_PROXY_UNIX_SOCKETS:
			unix_sockets = true;
			break;
		case OPTION_PROXY_CHANNEL:
			/* Nothing is left to do at exit, and a sanitizer's
			 * leak check does not work behind the sandbox. */
			_exit(proxy_main(atoi(optarg), unix_sockets,
				upstream_kinds));
		case OPTION_PROXY_SANDBOX_TEST:
			return proxy_sandbox_test();
		default:
			return usage(stderr);
		}
	}
	if (optind != argc) {
		fprintf(stderr, "gloo-gateway: unexpected argument \"%s\"\n",
			argv[optind]);
		return usage(stderr);
	}
	if (control.settings_path == NULL && access(SETTINGS_DEFAULT, F_OK) == 0)
		control.settings_path = SETTINGS_DEFAULT;
	if (check)
		return control_check(&control);
	control.binary = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	if (control.binary < 0) {
		fprintf(stderr, "gloo-gateway: cannot open own binary: %s\n",
			strerror(errno));
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	rc = control_main(&control);
	close(control.binary);
	return rc;
}
