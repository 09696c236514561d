/*
 * What a cluster's account is on this box: the folder kubernetes/ beside the
 * settings with kubeconfig, ca.crt and token, the key in the settings that
 * names it, and the daemon that reads both.
 */
#ifndef CLI_KUBE_LOCAL_H
#define CLI_KUBE_LOCAL_H

#include "base/error.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/kube_objects.h"
#include "cli/kube_share.h"

struct kube_local {
	char *settings; /* the file: --settings, else the one that the daemon
			 * reads, else the usual one */
	char *folder;   /* kubernetes/ beside it */
};

#define KUBE_LOCAL_FLAG_SETTINGS                                               \
	{                                                                      \
		.name = "settings", .argument = "path",                        \
		.help = "settings file of the daemon (default the one that "   \
			"it reads, else /etc/gloo-gateway/settings.yaml)",     \
		.complete = "file"                                             \
	}

void kube_local_init(struct kube_local *l, const struct cli *cli);
void kube_local_fini(struct kube_local *l);

/* Makes the folder, and sees whether files can be made in it. */
int kube_local_prepare(const struct kube_local *l, struct error *err);
/* The path of a file in the folder; the caller frees. */
char *kube_local_path(const struct kube_local *l, const char *name);
/* Mode 0600; not written when it says that already. */
int kube_local_put(const struct kube_local *l, const char *name,
	struct slice text, enum kube_outcome *outcome, struct error *err);
int kube_local_remove(const struct kube_local *l, const char *name,
	enum kube_outcome *outcome, struct error *err);

/* The key in the settings, settings_key.h. 1: it was there and stays, and err
 * says what is otherwise in it. */
int kube_local_settings_add(const struct kube_local *l, const char *address,
	enum kube_outcome *outcome, struct error *err);
int kube_local_settings_remove(const struct kube_local *l,
	enum kube_outcome *outcome, struct error *err);

/* What the settings say of this box in the cluster; box is the caller's. */
void kube_local_box(const struct kube_local *l, struct kube_box *box);

/* The daemon reads them again, and says whether they are right. 1: there is
 * none, or it reads other settings; why says so. */
int kube_local_reload(const struct kube_local *l, const struct cli *cli,
	struct error *why);

#endif
