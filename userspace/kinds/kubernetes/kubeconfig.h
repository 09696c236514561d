/*
 * What kubeconfig files say (kubernetes.io/docs: "Organizing Cluster Access
 * Using kubeconfig Files"), YAML or JSON. Of several files, the first one that
 * has an entry of a name counts, and the first that has a current-context; the
 * entry is taken whole. Pure: reads no file. Private to account.
 */
#ifndef KINDS_KUBERNETES_KUBECONFIG_H
#define KINDS_KUBERNETES_KUBECONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/doc.h"
#include "base/error.h"
#include "base/str.h"

#define KUBECONFIG_ENV_MAX 256 /* args and variables of a plugin, each */

struct kubeconfig;

/* users[].user.exec */
struct kubeconfig_exec {
	char *command; /* a path, or a name to be found in PATH */
	char **args;   /* without the command; ends with NULL */
	char **env;    /* "NAME=value"; ends with NULL */
	char *version; /* apiVersion: "client.authentication.k8s.io/v1" */
	char *hint;    /* installHint, or NULL */
	bool wants_cluster;  /* provideClusterInfo */
	struct doc *cluster; /* of the extension for plugins, or NULL */
};

/* What one context means. Paths are whole; what is not given is NULL, or of
 * length 0 for what stands in the file itself (decoded). */
struct kubeconfig_login {
	char *server; /* without "/" at the end */
	char *proxy, *server_name, *ns;
	bool insecure;
	char *ca_file, *cert_file, *key_file, *token_file;
	struct str ca, cert, key;
	char *token;
	struct kubeconfig_exec *exec;
};

struct kubeconfig *kubeconfig_new(void);
void kubeconfig_free(struct kubeconfig *k);
/* The next file in the order of precedence. path: for messages and for the
 * paths that the file names. */
int kubeconfig_add(struct kubeconfig *k, const char *path, const char *text,
	size_t length, struct error *err);

/* context NULL: the current one. NULL and err: which key of which file. */
struct kubeconfig_login *kubeconfig_login_new(
	const struct kubeconfig *k, const char *context, struct error *err);
void kubeconfig_login_free(struct kubeconfig_login *l);

/* path, or below folder when it does not begin with "/". */
char *kubeconfig_path(const char *folder, const char *path);
/* -1 and err unless the URL is https, or http and insecure is allowed. */
int kubeconfig_server_check(const char *server, bool insecure,
	struct error *err);

#endif
