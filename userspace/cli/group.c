/* Upstream groups, as documents. */
#include "cli/group.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/api.h"
#include "cli/describe.h"
#include "cli/prompt.h"

static void
destination_add(
	struct doc *list, const char *ns, const char *name, uint32_t weight)
{
	struct doc *one = doc_add(list, doc_new_map());
	struct doc *to = doc_set(one, "destination", doc_new_map());
	struct doc *upstream = doc_set(to, "upstream", doc_new_map());

	doc_set_string(upstream, "name", name);
	doc_set_string(upstream, "namespace", ns);
	doc_set(one, "weight", doc_new_integer(weight));
}

/* The daemon says which weights are too large. */
static int
weight_read(const char *text, uint32_t *weight, struct error *err)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' ||
		value > UINT32_MAX)
		return error_set(err, ERROR_CONFIG,
			"\"%.64s\" is not a weight, which is a whole number",
			text);
	*weight = (uint32_t)value;
	return 0;
}

/* "namespace.name=weight"; a namespace has no dot. Changes the text. */
static int
weighted_read(struct doc *list, char *text, struct error *err)
{
	char *weight_text = strchr(text, '='), *name;
	uint32_t weight;

	if (weight_text != NULL)
		*weight_text++ = '\0';
	name = strchr(text, '.');
	if (weight_text == NULL || name == NULL || name == text ||
		name[1] == '\0')
		return error_set(err, ERROR_CONFIG,
			"--weighted-upstreams: \"%.64s%s%.64s\" is not of the "
			"form namespace.name=weight",
			text, weight_text != NULL ? "=" : "",
			weight_text != NULL ? weight_text : "");
	*name++ = '\0';
	if (weight_read(weight_text, &weight, err) != 0)
		return error_prefix(err, "--weighted-upstreams: %s.%s", text,
			name);
	destination_add(list, text, name, weight);
	return 0;
}

static int
flags_read(const struct cli *cli, struct doc *list, struct error *err)
{
	const char *text;
	size_t place = 0;
	int rc = 0;

	while (rc == 0 &&
		(text = cli_next(cli, "weighted-upstreams", &place)) != NULL) {
		char *copy = xstrdup(text), *rest = copy, *one;

		while (rc == 0 && (one = strsep(&rest, ", ")) != NULL)
			if (one[0] != '\0')
				rc = weighted_read(list, one, err);
		free(copy);
	}
	return rc;
}

/* ---- asking */

static int
weight_ask(const char *label, uint32_t *weight, struct error *err)
{
	char *question = xasprintf("What weight shall %s have?", label);
	struct error its = ERROR_INIT;
	char *text = NULL;
	int rc = -1;

	while (rc != 0 && prompt_text(question, "1", &text, err) == 0) {
		its = (struct error)ERROR_INIT;
		rc = weight_read(text, weight, &its);
		if (rc != 0)
			cli_say("%s", its.text);
		free(text);
	}
	free(question);
	return rc;
}

/* labels: of the items, and a last one for no more. */
static int
choices_ask(const struct doc *items, const char *const *labels,
	struct doc *list, struct error *err)
{
	size_t count = doc_count(items), chosen;
	uint32_t weight;

	for (;;) {
		const struct doc *one;

		if (prompt_choice("Choose an upstream for the group (empty: no "
				  "more):",
			    labels, count + 1, count, &chosen, err) != 0)
			return -1;
		if (chosen == count)
			return 0;
		if (weight_ask(labels[chosen], &weight, err) != 0)
			return -1;
		one = doc_at(items, chosen);
		destination_add(list, describe_namespace(one),
			describe_name(one), weight);
	}
}

static int
upstreams_ask(const struct cli *cli, struct doc *list, struct error *err)
{
	struct doc *items = api_list(cli, MODEL_UPSTREAM, NULL, err);
	size_t count = doc_count(items);
	char **labels;
	int rc;

	if (items == NULL)
		return -1;
	labels = xcalloc(count + 1, sizeof(*labels));
	for (size_t i = 0; i < count; i++)
		labels[i] = xasprintf("%s.%s",
			describe_namespace(doc_at(items, i)),
			describe_name(doc_at(items, i)));
	labels[count] = xstrdup("no more");
	rc = choices_ask(items, (const char *const *)labels, list, err);
	for (size_t i = 0; i <= count; i++)
		free(labels[i]);
	free(labels);
	doc_free(items);
	return rc;
}

struct doc *
group_destinations(const struct cli *cli, struct error *err)
{
	struct doc *list = doc_new_list();
	int rc = flags_read(cli, list, err);

	if (rc == 0 && cli->interactive &&
		!cli_given(cli, "weighted-upstreams"))
		rc = upstreams_ask(cli, list, err);
	if (rc == 0 && doc_count(list) == 0)
		rc = error_set(err, ERROR_CONFIG,
			"--weighted-upstreams is missing: the upstreams of "
			"the group, or -i to choose them");
	if (rc == 0)
		return list;
	doc_free(list);
	return NULL;
}
