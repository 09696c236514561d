/*
 * A Secret as Kubernetes has it: `data` in base64, or `stringData`, under the
 * names that type kubernetes.io/tls and Gloo use. Private to config/.
 *
 *   tls.crt, tls.key, ca.crt           tls
 *   aws_access_key_id, aws_secret_access_key, aws_session_token    aws
 *   tls, aws or azure, a YAML map      what Gloo wrote itself
 */
#ifndef CONFIG_KUBE_SECRET_H
#define CONFIG_KUBE_SECRET_H

#include "base/doc.h"
#include "base/error.h"

/* Brings data, stringData and type of d to the canonical keys, if it has them.
 * No error repeats a value. */
int kube_secret_lift(struct doc *d, struct error *err);
/* A canonical secret, which may be redacted (null stays null), with
 * apiVersion, kind and metadata. */
struct doc *kube_secret_form(const struct doc *canonical);

#endif
