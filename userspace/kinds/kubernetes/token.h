/*
 * Renews the token of the gateway's own service account (settings key
 * serviceAccount) at 80 % of its life, for the same time again, into the file
 * that the kubeconfig names by then. What hinders it is the condition "token".
 */
#ifndef KINDS_KUBERNETES_TOKEN_H
#define KINDS_KUBERNETES_TOKEN_H

#include "kinds/kubernetes/cluster.h"

struct kubernetes_token;

/* Needs c->api, which must live as long. NULL, which free takes: the
 * settings name no account whose token would be ours to renew. */
struct kubernetes_token *kubernetes_token_new(struct kubernetes_cluster *c);
void kubernetes_token_free(struct kubernetes_token *t);

#endif
