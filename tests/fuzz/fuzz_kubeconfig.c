/*
 * Kubeconfig files and what credential plugins print: no bytes crash a reader,
 * what is refused says why, and what is taken is whole: a server, certificate
 * and key together.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kinds/kubernetes/exec_plugin.h"
#include "kinds/kubernetes/kubeconfig.h"

#define SIZE_MAX_FED (32u << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(bool condition)
{
	if (!condition)
		abort();
}

static void
login_check(const struct kubeconfig_login *l)
{
	expect(l->server[0] != '\0');
	expect((l->cert_file != NULL || l->cert.length > 0) ==
		(l->key_file != NULL || l->key.length > 0));
	expect(l->token_file == NULL || l->token_file[0] == '/');
	if (l->exec != NULL)
		free(exec_plugin_info(
			l, (struct slice){ l->ca.data, l->ca.length }));
}

static void
config_feed(const char *text, size_t size)
{
	struct kubeconfig *k = kubeconfig_new();
	struct kubeconfig_login *l = NULL;
	struct error err = ERROR_INIT;

	if (kubeconfig_add(k, "/etc/kube/config", text, size, &err) == 0)
		l = kubeconfig_login_new(k, NULL, &err);
	if (l != NULL)
		login_check(l);
	else
		expect(err.code != ERROR_NONE && err.text[0] != '\0');
	kubeconfig_login_free(l);
	kubeconfig_free(k);
}

static void
credential_feed(const char *text, size_t size)
{
	struct exec_credential c;
	struct error err = ERROR_INIT;

	exec_credential_init(&c);
	if (exec_credential_read(text, size,
		    "client.authentication.k8s.io/v1", &c, &err) == 0) {
		expect(c.token != NULL || c.cert.length > 0);
		expect((c.cert.length > 0) == (c.key.length > 0));
	} else {
		expect(err.code != ERROR_NONE && err.text[0] != '\0');
	}
	exec_credential_fini(&c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size > SIZE_MAX_FED)
		return 0;
	text = malloc(size + 1);
	memcpy(text, data, size);
	text[size] = '\0';
	config_feed(text, size);
	credential_feed(text, size);
	free(text);
	return 0;
}
