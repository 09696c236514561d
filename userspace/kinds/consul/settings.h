/*
 * The settings below "consul": where the agent is, as whom to ask it, and what
 * is discovered. Private to kinds/consul/.
 */
#ifndef KINDS_CONSUL_SETTINGS_H
#define KINDS_CONSUL_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/doc.h"
#include "base/error.h"
#include "model/model.h"

struct consul_settings {
	char *http_address; /* "127.0.0.1:8500", "https://host:8501",
			     * "unix:///run/consul.sock"; Gloo's httpAddress */
	char *datacenter;   /* dataCenter; NULL: the agent's own */
	char *token, *token_file; /* one of them or none; the file is read again
				   * for each call */
	char *ca_file, *cert_file, *key_file; /* caFile, certFile, keyFile */
	struct model_bool insecure_skip_verify; /* insecureSkipVerify */
	struct model_duration wait_time; /* waitTime: of blocking queries, 5m */
	uint32_t connections_max; /* maxConnections, 150: below the agent's
				   * limits.http_max_conns_per_client of 200 */
	struct consul_settings_discovery { /* serviceDiscovery */
		bool given; /* without it nothing is discovered, but upstreams
			     * that name a service are served */
		char **datacenters; /* dataCenters; none: datacenter */
		size_t datacenter_count;
		bool per_tag; /* splitByTag: an upstream for each tag, too */
		char **include_tags, **exclude_tags; /* tagsInclude/Exclude */
		size_t include_count, exclude_count;
		uint8_t consistency; /* consistencyMode, of catalog queries */
	} discovery;
};

struct consul_settings *consul_settings_read(
	const struct doc *settings, struct error *err);
void consul_settings_free(struct consul_settings *s);
int consul_settings_check(const struct doc *settings, struct error *err);

#endif
