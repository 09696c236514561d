/*
 * The rules that the gateway needs, one by one: those of the roles in
 * config/kubernetes/, as far as the settings use them. How an API server is
 * asked for them, and how its answers are read. Pure.
 */
#ifndef KINDS_KUBERNETES_RULES_H
#define KINDS_KUBERNETES_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/doc.h"
#include "base/str.h"
#include "kinds/kubernetes/settings.h"

struct kubernetes_rules;

struct kubernetes_rule {
	const char *verb, *group, *resource; /* "services/status" */
	const char *name; /* NULL: whatever its name */
	const char *ns;   /* NULL: in all of them */
};

/* settings must live as long. */
struct kubernetes_rules *kubernetes_rules_new(
	const struct kubernetes_settings *settings);
void kubernetes_rules_free(struct kubernetes_rules *r);
size_t kubernetes_rules_count(const struct kubernetes_rules *r);
const struct kubernetes_rule *kubernetes_rules_at(
	const struct kubernetes_rules *r, size_t i);

/* A SelfSubjectRulesReview: everything that may be done in ns. */
struct doc *kubernetes_rules_review(const char *ns);
/* Does its answer grant that rule? */
bool kubernetes_rule_granted(
	const struct kubernetes_rule *rule, const struct doc *review);
/* A SelfSubjectAccessReview: may this be done? (Its answer says so in
 * status.allowed.) */
struct doc *kubernetes_rule_review(const struct kubernetes_rule *rule);

/* Names those of which missing is true: "list, watch endpointslices of
 * discovery.k8s.io; create serviceaccounts/token gloo-gateway in
 * gloo-system". */
void kubernetes_rules_put(const struct kubernetes_rules *r,
	const bool *missing, struct str *out);

#endif
