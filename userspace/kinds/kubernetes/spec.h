/* The spec of a Kubernetes upstream: one port of a service. */
#ifndef KINDS_KUBERNETES_SPEC_H
#define KINDS_KUBERNETES_SPEC_H

#include <stddef.h>
#include <stdint.h>

#include "model/model.h"

struct kubernetes_spec {
	char *service_name, *service_namespace;
	uint16_t service_port;
	struct model_pair *selector; /* labels that its pods must have */
	size_t selector_count;
};

#endif
