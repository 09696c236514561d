/* The rules that the gateway needs, one by one. */
#include "kinds/kubernetes/rules.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kinds/kubernetes/manifest.h"

struct kubernetes_rules {
	struct doc *manifests; /* what the rules point into */
	struct kubernetes_rule *all;
	size_t count;
};

/* ---- out of the roles */

static bool
is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* Without `resources` no custom resources are read, and nobody has to lead. */
static bool
needed(const struct kubernetes_settings *s, const struct kubernetes_rule *rule)
{
	if (is(rule->resource, "serviceaccounts/token"))
		return s->service_account != NULL;
	return s->resources || (!is(rule->group, "gateway.solo.io") &&
				       !is(rule->group, "gloo.solo.io") &&
				       !is(rule->group, "coordination.k8s.io"));
}

/* What the roles name by default, the settings may call otherwise. */
static void
settings_apply(
	const struct kubernetes_settings *s, struct kubernetes_rule *rule)
{
	if (rule->ns != NULL && s->namespace_ != NULL)
		rule->ns = s->namespace_;
	if (rule->name == NULL)
		return;
	if (is(rule->resource, "serviceaccounts/token"))
		rule->name = s->service_account;
	else if (is(rule->name, KUBERNETES_SERVICE) && s->service != NULL)
		rule->name = s->service;
}

static void
rule_put(struct kubernetes_rules *r, struct kubernetes_rule rule,
	const char *ns)
{
	rule.ns = ns;
	r->all = xreallocarray(r->all, r->count + 1, sizeof(*r->all));
	r->all[r->count++] = rule;
}

/* With watchNamespaces nothing is asked for in all of them. */
static void
rule_add(struct kubernetes_rules *r, const struct kubernetes_settings *s,
	struct kubernetes_rule rule)
{
	if (!needed(s, &rule))
		return;
	settings_apply(s, &rule);
	if (rule.ns != NULL || s->watch_namespace_count == 0)
		rule_put(r, rule, rule.ns);
	else
		for (size_t i = 0; i < s->watch_namespace_count; i++)
			rule_put(r, rule, s->watch_namespaces[i]);
}

static const char *
text_at(const struct doc *list, size_t i)
{
	const char *text = doc_string(doc_at(list, i));

	return text != NULL ? text : "";
}

/* Each has one group, and one name at most. */
static void
row_add(struct kubernetes_rules *r, const struct kubernetes_settings *s,
	const struct doc *row, const char *ns)
{
	const struct doc *resources = doc_get(row, "resources");
	const struct doc *verbs = doc_get(row, "verbs");
	struct kubernetes_rule rule = {
		.group = text_at(doc_get(row, "apiGroups"), 0),
		.name = doc_string(doc_at(doc_get(row, "resourceNames"), 0)),
		.ns = ns,
	};

	for (size_t i = 0; i < doc_count(resources); i++)
		for (size_t k = 0; k < doc_count(verbs); k++) {
			rule.resource = text_at(resources, i);
			rule.verb = text_at(verbs, k);
			rule_add(r, s, rule);
		}
}

struct kubernetes_rules *
kubernetes_rules_new(const struct kubernetes_settings *settings)
{
	struct kubernetes_rules *r = xcalloc(1, sizeof(*r));

	r->manifests = kubernetes_manifests();
	for (size_t i = 0; i < doc_count(r->manifests); i++) {
		const struct doc *role = doc_at(r->manifests, i);
		const struct doc *rows = doc_get(role, "rules");
		const char *ns = doc_string(
			doc_find(role, "metadata", "namespace", NULL));

		for (size_t k = 0; k < doc_count(rows); k++)
			row_add(r, settings, doc_at(rows, k), ns);
	}
	return r;
}

void
kubernetes_rules_free(struct kubernetes_rules *r)
{
	if (r == NULL)
		return;
	doc_free(r->manifests);
	free(r->all);
	free(r);
}

size_t
kubernetes_rules_count(const struct kubernetes_rules *r)
{
	return r->count;
}

const struct kubernetes_rule *
kubernetes_rules_at(const struct kubernetes_rules *r, size_t i)
{
	return &r->all[i];
}

/* ---- asking */

static struct doc *
review_new(const char *kind)
{
	struct doc *d = doc_new_map();

	doc_set_string(d, "apiVersion", "authorization.k8s.io/v1");
	doc_set_string(d, "kind", kind);
	doc_set(d, "spec", doc_new_map());
	return d;
}

struct doc *
kubernetes_rules_review(const char *ns)
{
	struct doc *d = review_new("SelfSubjectRulesReview");

	doc_set_string(doc_get(d, "spec"), "namespace", ns);
	return d;
}

struct doc *
kubernetes_rule_review(const struct kubernetes_rule *rule)
{
	struct doc *d = review_new("SelfSubjectAccessReview");
	struct doc *to = doc_set(doc_get(d, "spec"), "resourceAttributes",
		doc_new_map());
	size_t length = strcspn(rule->resource, "/");

	doc_set_string(to, "verb", rule->verb);
	doc_set_string(to, "group", rule->group);
	doc_set(to, "resource", doc_new_string_n(rule->resource, length));
	if (rule->resource[length] == '/')
		doc_set_string(to, "subresource", rule->resource + length + 1);
	if (rule->name != NULL)
		doc_set_string(to, "name", rule->name);
	if (rule->ns != NULL)
		doc_set_string(to, "namespace", rule->ns);
	return d;
}

/* ---- answers */

static bool
list_has(const struct doc *list, const char *word)
{
	for (size_t i = 0; i < doc_count(list); i++)
		if (is(text_at(list, i), word) || is(text_at(list, i), "*"))
			return true;
	return false;
}

/* "*" is all resources with their subresources, "*" before "/status" the
 * statuses of all. */
static bool
resource_granted(const struct doc *list, const char *resource)
{
	const char *slash = strchr(resource, '/');

	if (list_has(list, resource))
		return true;
	for (size_t i = 0; slash != NULL && i < doc_count(list); i++)
		if (text_at(list, i)[0] == '*' &&
			is(text_at(list, i) + 1, slash))
			return true;
	return false;
}

static bool
name_granted(const struct doc *names, const char *name)
{
	if (doc_count(names) == 0)
		return true;
	for (size_t i = 0; name != NULL && i < doc_count(names); i++)
		if (is(text_at(names, i), name))
			return true;
	return false;
}

bool
kubernetes_rule_granted(
	const struct kubernetes_rule *rule, const struct doc *review)
{
	const struct doc *rows =
		doc_find(review, "status", "resourceRules", NULL);

	for (size_t i = 0; i < doc_count(rows); i++) {
		const struct doc *row = doc_at(rows, i);

		if (list_has(doc_get(row, "verbs"), rule->verb) &&
			list_has(doc_get(row, "apiGroups"), rule->group) &&
			resource_granted(
				doc_get(row, "resources"), rule->resource) &&
			name_granted(doc_get(row, "resourceNames"), rule->name))
			return true;
	}
	return false;
}

/* ---- words */

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && is(a, b));
}

/* Do they differ by the verb alone? */
static bool
same_thing(const struct kubernetes_rule *a, const struct kubernetes_rule *b)
{
	return is(a->resource, b->resource) && is(a->group, b->group) &&
	       same_text(a->name, b->name) && same_text(a->ns, b->ns);
}

static void
thing_put(const struct kubernetes_rule *rule, struct str *out)
{
	str_printf(out, " %s", rule->resource);
	if (rule->name != NULL)
		str_printf(out, " %s", rule->name);
	if (rule->group[0] != '\0')
		str_printf(out, " of %s", rule->group);
	if (rule->ns != NULL)
		str_printf(out, " in %s", rule->ns);
}

void
kubernetes_rules_put(
	const struct kubernetes_rules *r, const bool *missing, struct str *out)
{
	const struct kubernetes_rule *before = NULL;

	for (size_t i = 0; i < r->count; i++) {
		if (!missing[i])
			continue;
		if (before != NULL && same_thing(before, &r->all[i])) {
			str_puts(out, ", ");
		} else if (before != NULL) {
			thing_put(before, out);
			str_puts(out, "; ");
		}
		str_puts(out, r->all[i].verb);
		before = &r->all[i];
	}
	if (before != NULL)
		thing_put(before, out);
}
