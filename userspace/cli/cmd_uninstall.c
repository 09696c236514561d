/*
 * glooctl uninstall: takes out what glooctl install kube made, first on this
 * box, so that it can be done without the cluster, then there, where other
 * boxes may still need it. What is gone already is no error.
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
	{ .name = "all",
		.help = "both of these, even if other boxes use the cluster" },
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
		 "gateways stay. While the\nservice gateway-proxy lists other "
		 "boxes, too, only the address of this one is taken\nout of "
		 "the cluster.\n",
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

/* The settings have no address if it is the one that the API server sees. */
static void
box_complete(struct kube_box *box, const struct kube *k)
{
	struct doc *manifests = kubernetes_manifests();

	if (box->address == NULL)
		box->address = kube_own_address(k, NULL);
	if (box->address != NULL && kubernetes_manifest_address(manifests,
					    box->address, NULL) != 0) {
		free(box->address);
		box->address = NULL;
	}
	doc_free(manifests);
}

static void
others_print(const struct doc *others)
{
	struct str list;

	str_init(&list);
	kube_share_put(others, &list);
	printf("service/" KUBERNETES_SERVICE " is without this box now\n"
	       "nothing else is deleted in the cluster: other boxes use it "
	       "(%s); --all deletes it for them, too\n",
		list.data);
	str_fini(&list);
}

/* 1: other boxes stay, and so does what they need. */
static int
box_leave(const struct cli *cli, struct kube *k, struct kube_box *box,
	struct error *err)
{
	struct doc *others = NULL;
	int rc;

	if (cli_switch(cli, "all"))
		return 0;
	box_complete(box, k);
	rc = kube_share_leave(k, box, &others, err);
	if (rc != 0)
		error_prefix(err, "cannot delete anything in the cluster");
	if (rc == 0 && others != NULL) {
		others_print(others);
		rc = 1;
	}
	doc_free(others);
	return rc;
}

static int
cluster_remove(const struct cli *cli, struct kube_box *box)
{
	struct error err = ERROR_INIT;
	struct kube *k = kube_open(cli_text(cli, "kubeconfig"),
		cli_text(cli, "context"), &err);
	int rc = k == NULL ? -1 : box_leave(cli, k, box, &err);

	if (rc == 0)
		rc = objects_remove(cli, k, &err);
	kube_close(k);
	return rc < 0 ? cli_error(&err) : CLI_OK;
}

static int
uninstall_run(struct cli *cli)
{
	struct error err = ERROR_INIT;
	struct kube_local local;
	struct kube_box box;
	int rc;

	if (cli->dry_run)
		return objects_remove(cli, NULL, &err) == 0 ? CLI_OK
							    : cli_error(&err);
	kube_local_init(&local, cli);
	kube_local_box(&local, &box);
	rc = local_remove(cli, &local);
	if (rc == CLI_OK)
		rc = cluster_remove(cli, &box);
	kube_box_fini(&box);
	kube_local_fini(&local);
	return rc;
}
