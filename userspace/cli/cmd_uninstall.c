/*
 * glooctl uninstall: takes out what glooctl install kube made, first on this
 * box, so that it can be done without the cluster, then there. What is gone
 * already is no error.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cli/command.h"
#include "cli/kube_local.h"
#include "kinds/kubernetes/manifest.h"

static cli_run_f uninstall_run;

static const struct cli_flag flags[] = {
	KUBE_FLAGS,
	{ .name = "delete-crds",
		.help = "the custom resource definitions too, with every "
			"resource of theirs" },
	{ .name = "delete-namespace",
		.help = "the namespace gloo-system too, with all that is in "
			"it" },
	{ .name = "all", .help = "both of these" },
	KUBE_LOCAL_FLAG_SETTINGS,
	{ .name = "dry-run",
		.letter = 'd',
		.help = "print what would be deleted, change nothing" },
	CLI_FLAG_END,
};

/* As it was installed. */
static const struct cli_command kube = {
	.name = "kube",
	.summary = "the same",
	.run = uninstall_run,
};

static const struct cli_command *const children[] = { &kube, NULL };

const struct cli_command cli_command_uninstall = {
	.name = "uninstall",
	.summary = "undo glooctl install kube",
	.about = "The gateway and its own upstreams, virtual services and "
		 "gateways stay.\n",
	.examples = "  glooctl uninstall\n"
		    "  glooctl uninstall --all\n",
	.flags = flags,
	.children = children,
	.run = uninstall_run,
};

/* ---- this box */

static int
local_remove(const struct cli *cli, const struct kube_local *l)
{
	static const char *const files[] = { "kubeconfig", "token", "ca.crt" };
	struct error err = ERROR_INIT, why = ERROR_INIT;
	enum kube_outcome outcome;

	if (kube_local_settings_remove(l, &outcome, &err) < 0)
		return cli_error(&err);
	kube_outcome_print(l->settings, outcome);
	if (err.code != ERROR_NONE)
		cli_say("%s", err.text);
	/* Before the files: until then they are used. */
	switch (kube_local_reload(l, cli, &why)) {
	case 0:
		break;
	case 1:
		cli_say("%s", why.text);
		break;
	default:
		return cli_error(&why);
	}
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char *path = kube_local_path(l, files[i]);
		int rc = kube_local_remove(l, files[i], &outcome, &err);

		if (rc == 0)
			kube_outcome_print(path, outcome);
		free(path);
		if (rc != 0)
			return cli_error(&err);
	}
	return CLI_OK;
}

/* ---- the cluster */

static bool
wanted(const struct cli *cli, const struct doc *object)
{
	bool all = cli_switch(cli, "all");

	if (kubernetes_manifest_is(object, "Namespace"))
		return all || cli_switch(cli, "delete-namespace");
	if (kubernetes_manifest_is(object, "CustomResourceDefinition"))
		return all || cli_switch(cli, "delete-crds");
	return true;
}

static int
object_remove(const struct cli *cli, struct kube *k, const struct doc *object,
	struct error *err)
{
	char *label = kubernetes_manifest_label(object);
	enum kube_outcome outcome;
	int rc = 0;

	if (cli->dry_run)
		printf("%s would be deleted\n", label);
	else
		rc = kube_delete(k, object, &outcome, err);
	if (rc == 0 && !cli->dry_run)
		kube_outcome_print(label, outcome);
	free(label);
	return rc;
}

/* The last made is the first to go; the Lease is made by the daemon. */
static int
objects_remove(const struct cli *cli, struct kube *k, struct error *err)
{
	struct doc *manifests = kubernetes_manifests();
	int rc = 0;

	doc_add(manifests, kubernetes_manifest_lease());
	for (size_t i = doc_count(manifests); i-- > 0 && rc == 0;)
		if (wanted(cli, doc_at(manifests, i)))
			rc = object_remove(cli, k, doc_at(manifests, i), err);
	doc_free(manifests);
	return rc;
}

static int
cluster_remove(const struct cli *cli)
{
	struct error err = ERROR_INIT;
	struct kube *k = kube_open(cli_text(cli, "kubeconfig"),
		cli_text(cli, "context"), &err);
	int rc = CLI_OK;

	if (k == NULL || objects_remove(cli, k, &err) != 0)
		rc = cli_error(&err);
	kube_close(k);
	return rc;
}

static int
uninstall_run(struct cli *cli)
{
	struct error err = ERROR_INIT;
	struct kube_local local;
	int rc = CLI_OK;

	if (cli->dry_run)
		return objects_remove(cli, NULL, &err) == 0 ? CLI_OK
							    : cli_error(&err);
	kube_local_init(&local, cli);
	rc = local_remove(cli, &local);
	kube_local_fini(&local);
	return rc == CLI_OK ? cluster_remove(cli) : rc;
}
