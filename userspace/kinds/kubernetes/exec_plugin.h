/*
 * A credential plugin (kubernetes.io/docs: "client-go credential plugins"): a
 * program that prints one ExecCredential (kinds/command.h). Private to account.
 */
#ifndef KINDS_KUBERNETES_EXEC_PLUGIN_H
#define KINDS_KUBERNETES_EXEC_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "kinds/kubernetes/kubeconfig.h"

struct exec_plugin;
struct loop;

struct exec_credential {
	char *token; /* NULL: none */
	struct str cert, key; /* PEM; both empty: none */
	uint64_t expires_ms;  /* of the day, since 1970; 0: never */
};
void exec_credential_init(struct exec_credential *c);
void exec_credential_fini(struct exec_credential *c);
/* Reads what a plugin of that apiVersion printed into out, which is empty. */
int exec_credential_read(const char *text, size_t length, const char *version,
	struct exec_credential *out, struct error *err);

/* The text of KUBERNETES_EXEC_INFO; caller frees. ca: PEM. */
char *exec_plugin_info(const struct kubeconfig_login *l, struct slice ca);

/* credential NULL: problem says why. Both are valid during the call; what is in
 * the credential may be moved out. The plugin is freed afterwards. */
typedef void exec_plugin_f(struct exec_credential *credential,
	const char *problem, void *arg);
/* NULL and err: it could not be started. Otherwise cb is called once, later,
 * unless cancelled. timeout_ms 0: COMMAND_TIMEOUT_MS. */
struct exec_plugin *exec_plugin_start(struct loop *loop,
	const struct kubeconfig_exec *x, const char *info, uint64_t timeout_ms,
	exec_plugin_f *cb, void *arg, struct error *err);
/* Kills it, with all that it started. */
void exec_plugin_cancel(struct exec_plugin *p);

#endif
