/* What was asked of the agent, as numbers. */
#include "base/mem.h"
#include "kinds/consul/agent.h"
#include "kinds/consul/catalog.h"

void
consul_numbers(const void *shared, kind_number_f *each, void *arg)
{
	struct consul_agent_counts c;

	consul_agent_counts(consul_agent_of(shared), &c);
	const struct {
		const char *name, *type, *help;
		uint64_t value;
	} rows[] = {
		{ "consul_asked", "counter", "questions to the Consul agent",
			c.asked },
		{ "consul_answered", "counter",
			"questions that were answered, also without news",
			c.answered },
		{ "consul_changed", "counter", "answers that brought news",
			c.changed },
		{ "consul_failed", "counter",
			"questions without a usable answer", c.failed },
		{ "consul_limited", "counter",
			"questions that the agent refused for its limits (429)",
			c.limited },
		{ "consul_index_resets", "counter",
			"indexes given up since they went backwards or an "
			"answer failed",
			c.index_resets },
		{ "consul_gave_way", "counter",
			"questions given up so that others have a turn",
			c.gave_way },
		{ "consul_recovered", "counter",
			"pauses cut short since the agent answers again",
			c.recovered },
		{ "consul_open", "gauge", "questions that wait at the agent",
			c.open },
		{ "consul_waiting", "gauge",
			"questions whose turn has not come", c.waiting },
		{ "consul_connections_limit", "gauge",
			"connections to the agent that are used at most",
			c.connections },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		each(rows[i].name, rows[i].type, rows[i].help, rows[i].value,
			arg);
}
