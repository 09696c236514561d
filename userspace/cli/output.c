/* Objects on standard output, in the form that -o asks for. */
#include "cli/output.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/yaml.h"
#include "cli/api.h"
#include "cli/describe.h"
#include "config/config.h"

static const struct {
	const char *word;
	enum cli_output form;
} forms[] = {
	{ "table", CLI_OUTPUT_TABLE },
	{ "wide", CLI_OUTPUT_WIDE },
	{ "yaml", CLI_OUTPUT_YAML },
	{ "json", CLI_OUTPUT_JSON },
	{ "kube-yaml", CLI_OUTPUT_KUBE_YAML },
	{ "name", CLI_OUTPUT_NAME },
};

int
output_parse(const char *word, enum cli_output *form, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		if (strcmp(word, forms[i].word) == 0) {
			*form = forms[i].form;
			return 0;
		}
	}
	return error_set(err, ERROR_CONFIG,
		"--output: \"%.64s\" is none of table, wide, yaml, json, "
		"kube-yaml, name",
		word);
}

static void
put(struct str *text)
{
	fwrite(text->data, 1, text->length, stdout);
	str_fini(text);
}

static void
json_put(const struct doc *d)
{
	struct str text;

	str_init(&text);
	json_doc_write(d, 2, &text);
	str_putc(&text, '\n');
	put(&text);
}

static void
yaml_put(const struct doc *d, bool more)
{
	struct str text;

	str_init(&text);
	if (more)
		str_puts(&text, "---\n");
	yaml_doc_write(d, &text);
	put(&text);
}

bool
output_document(const struct cli *cli, const struct doc *d)
{
	switch (cli->output) {
	case CLI_OUTPUT_JSON:
		json_put(d);
		return true;
	case CLI_OUTPUT_YAML:
	case CLI_OUTPUT_KUBE_YAML:
		yaml_put(d, false);
		return true;
	default:
		return false;
	}
}

bool
output_documents(const struct cli *cli, const struct doc *list)
{
	if (cli->output == CLI_OUTPUT_JSON)
		return output_document(cli, list);
	if (cli->output != CLI_OUTPUT_YAML &&
		cli->output != CLI_OUTPUT_KUBE_YAML)
		return false;
	for (size_t i = 0; i < doc_count(list); i++)
		yaml_put(doc_at(list, i), i > 0);
	return true;
}

static void
kube_put(enum model_type type, const struct doc *items)
{
	for (size_t i = 0; i < doc_count(items); i++) {
		struct doc *d = config_kube_form(doc_at(items, i), type);

		yaml_put(d, i > 0);
		doc_free(d);
	}
}

#define ENDPOINTS_SHOWN "20" /* of each upstream */

/* How well the upstreams' endpoints are, below their table. */
static int
endpoints_add(const struct cli *cli, const struct doc *items, struct str *text,
	struct error *err)
{
	struct doc *d = api_get(
		cli, "/v1/endpoints", "limit=" ENDPOINTS_SHOWN, NULL, err);

	if (d == NULL)
		return -1;
	describe_endpoints(doc_get(d, "items"), items, text);
	doc_free(d);
	return 0;
}

/* Who serves the TCP and UDP services among the gateways. */
static int
services_add(const struct cli *cli, const struct doc *items, struct str *text,
	struct error *err)
{
	struct doc *d;

	for (size_t i = 0; i < doc_count(items); i++) {
		if (doc_get(doc_at(items, i), "tcpGateway") == NULL)
			continue;
		d = api_get(cli, "/v1/services", NULL, NULL, err);
		if (d == NULL)
			return -1;
		describe_services(doc_get(d, "items"), items, text);
		doc_free(d);
		return 0;
	}
	return 0;
}

int
output_objects(const struct cli *cli, enum model_type type,
	const struct doc *items, bool one, struct error *err)
{
	struct doc *status = NULL;
	struct str text;
	int rc = 0;

	switch (cli->output) {
	case CLI_OUTPUT_JSON:
		json_put(one ? doc_at(items, 0) : items);
		return 0;
	case CLI_OUTPUT_YAML:
		output_documents(cli, items);
		return 0;
	case CLI_OUTPUT_KUBE_YAML:
		kube_put(type, items);
		return 0;
	case CLI_OUTPUT_NAME:
		for (size_t i = 0; i < doc_count(items); i++)
			printf("%s\n", describe_name(doc_at(items, i)));
		return 0;
	case CLI_OUTPUT_WIDE:
		if (type == MODEL_SECRET)
			break;
		status = api_get(cli, "/v1/status", NULL, NULL, err);
		if (status == NULL)
			return -1;
		break;
	case CLI_OUTPUT_TABLE:
		break;
	}
	str_init(&text);
	if (type == MODEL_SECRET)
		describe_secrets(items, clock_realtime_ms(),
			cli->output == CLI_OUTPUT_WIDE, &text);
	else
		describe_objects(type, items, cli->kinds, status, &text);
	if (status != NULL && type == MODEL_UPSTREAM)
		rc = endpoints_add(cli, items, &text, err);
	if (status != NULL && type == MODEL_GATEWAY)
		rc = services_add(cli, items, &text, err);
	put(&text);
	doc_free(status);
	return rc;
}
