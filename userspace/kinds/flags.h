/* What the command line flags of the kinds have in common: texts into a spec
 * document. Private to kinds/. */
#ifndef KINDS_FLAGS_H
#define KINDS_FLAGS_H

#include "base/doc.h"
#include "base/error.h"

int flag_text(struct doc *spec, const char *key, const char *value,
	struct error *err);
int flag_number(struct doc *spec, const char *key, const char *value,
	struct error *err);
/* "true", "false" or, of a switch without value, NULL. */
int flag_bool(struct doc *spec, const char *key, const char *value,
	struct error *err);
/* Comma-separated; added to what is there. */
int flag_list(struct doc *spec, const char *key, const char *value,
	struct error *err);
/* "k=v,k=v"; added to what is there. */
int flag_pairs(struct doc *spec, const char *key, const char *value,
	struct error *err);
/* As flag_pairs; the values true and false are no strings. */
int flag_options(struct doc *spec, const char *key, const char *value,
	struct error *err);
/* secretRef, whole ("namespace.name") or one part of it. */
int flag_secret(struct doc *spec, const char *value, struct error *err);
int flag_secret_name(struct doc *spec, const char *value, struct error *err);
int flag_secret_namespace(
	struct doc *spec, const char *value, struct error *err);

/* serviceSpec: "rest" or "grpc". */
int flag_service_spec(
	struct doc *spec, const char *value, struct error *err);
#define FLAG_SERVICE_SPEC                                                      \
	{                                                                      \
		"service-spec-type", "string",                                 \
			"functions that it has: rest or grpc (not supported "  \
			"yet)",                                                \
			flag_service_spec                                      \
	}

/* The list or map below key, made if there is none. */
struct doc *flag_child(struct doc *spec, const char *key, enum doc_type type);

typedef int flag_each_f(
	struct doc *spec, const char *key, char *one, struct error *err);
/* Calls each for every part between commas, spaces around it taken away;
 * empty parts are left out, but one must be there. */
int flag_each(struct doc *spec, const char *key, const char *value,
	flag_each_f *each, struct error *err);

#endif
