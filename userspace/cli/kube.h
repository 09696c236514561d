/*
 * A Kubernetes cluster in the words of glooctl: one question after the other,
 * each waited for, as whom a kubeconfig says.
 */
#ifndef CLI_KUBE_H
#define CLI_KUBE_H

#include "base/doc.h"
#include "base/error.h"
#include "base/str.h"

struct kube;

/* What both commands have. */
#define KUBE_FLAGS                                                             \
	{ .name = "kubeconfig",                                                \
		.argument = "path",                                            \
		.help = "which cluster, and as whom (default $KUBECONFIG, "    \
			"else ~/.kube/config)",                                \
		.complete = "file" },                                          \
	{                                                                      \
		.name = "context", .argument = "string",                       \
		.help = "context of the kubeconfig (default the current one)"  \
	}

/* kubeconfig NULL: $KUBECONFIG, else ~/.kube/config. context NULL: the current
 * one. Asks nobody yet. */
struct kube *kube_open(
	const char *kubeconfig, const char *context, struct error *err);
void kube_close(struct kube *k);

struct kube_question {
	const char *method, *path;
	const char *content_type; /* NULL: application/json */
	const struct doc *body;   /* or NULL */
};

/* 0 for 2xx: *answer (the caller's; may be NULL where there is none) unless
 * answer is NULL. -1 and err otherwise. *status, if given: of HTTP, or 0. */
int kube_ask(struct kube *k, const struct kube_question *q, struct doc **answer,
	int *status, struct error *err);

/* The address of this box on its way to the API server, or NULL and err; the
 * caller frees. */
char *kube_own_address(const struct kube *k, struct error *err);
/* The texts of a kubeconfig for the same server, and of its CA ("" if it has
 * none). It reads its token from the file "token" and the CA from "ca.crt",
 * both in its own folder. */
int kube_config_write(struct kube *k, struct str *kubeconfig, struct str *ca,
	struct error *err);

#endif
