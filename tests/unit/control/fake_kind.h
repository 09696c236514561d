/*
 * A kind of upstream that a test drives: while it is open it listens on the
 * socket that its settings name, and does what each packet there says (a map,
 * JSON): report something to control, or tell what control told it. Its
 * upstreams have the one endpoint of their spec while they are watched; that of
 * the service "ill" has a problem, too.
 */
#ifndef TESTS_UNIT_CONTROL_FAKE_KIND_H
#define TESTS_UNIT_CONTROL_FAKE_KIND_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/kind.h"
#include "model/schema.h"
#include "net/loop.h"
#include "net/unix_socket.h"

#define FAKE_PACKET_MAX 65536

/* ---- its upstreams */

struct fake_spec {
	char *service;
	uint16_t port;
};

static const struct schema_field fake_fields[] = {
	{ .name = "port",
		.type = SCHEMA_NUMBER,
		SCHEMA_AT(fake_spec, port),
		.min = 1 },
	{ .name = "service",
		.type = SCHEMA_STRING,
		SCHEMA_AT(fake_spec, service) },
	{ .name = NULL },
};

static const struct schema fake_schema = {
	.fields = fake_fields,
	.size = sizeof(struct fake_spec),
};

static void *
fake_read(const struct doc *d, struct error *err)
{
	return schema_read_new(&fake_schema, d, err);
}

static struct doc *
fake_print(const void *spec)
{
	return schema_print(&fake_schema, spec);
}

static void
fake_free(void *spec)
{
	if (spec != NULL)
		schema_fini(&fake_schema, spec);
	free(spec);
}

static void
fake_details(const void *spec, struct str *lines)
{
	str_printf(lines, "service: %s\n",
		((const struct fake_spec *)spec)->service);
}

/* ---- what is open */

struct fake_shared {
	struct kind_program *program;
	int listening;
	struct loop_fd *watch;
	struct str told; /* a line for each verdict */
	int watched;
	struct doc *preview; /* a list; NULL: not known */
};

static int fake_opened; /* since control was started */

static struct doc *
fake_steal(struct doc *d, const char *key)
{
	struct doc *value = doc_steal(d, key);

	return value == NULL ? doc_new_null() : value;
}

/* As an editor would, in the round of the loop that d is of: "file", below the
 * settings' folder, becomes "text". */
static void
fake_edit(const struct kind_program *p, const struct doc *d)
{
	const char *text = doc_get_text(d, "text");
	char *path = xasprintf(
		"%s/%s", p->settings_folder, doc_get_text(d, "file"));

	if (doc_get(d, "file") != NULL &&
		file_replace(path, text, strlen(text), 0644, NULL) != 0)
		abort();
	free(path);
}

static bool
fake_is_settled(const struct doc *said, void *arg)
{
	return strcmp(doc_get_text(doc_get(said, "metadata"), "name"), arg) ==
	       0;
}

static void
fake_do(struct fake_shared *f, struct doc *d, struct str *answer)
{
	struct kind_program *p = f->program;
	const char *what = doc_get_text(d, "do"),
		   *ns = doc_get_text(d, "ns"), *name = doc_get_text(d, "name");
	enum model_type type = MODEL_UPSTREAM;
	struct error err = ERROR_INIT;

	model_type_parse(doc_get_text(d, "type"), &type);
	str_puts(answer, "ok");
	fake_edit(p, d);
	if (strcmp(what, "found") == 0 &&
		p->upstream_found(p, fake_steal(d, "doc"), &err) != 0) {
		str_clear(answer);
		str_puts(answer, err.text);
	} else if (strcmp(what, "many") == 0) {
		for (int64_t i = 0; i < doc_get_integer(d, "count"); i++) {
			struct doc *one = doc_copy(doc_get(d, "doc"));
			char *its = xasprintf("many-%lld", (long long)i);

			doc_set_string(doc_get(one, "metadata"), "name", its);
			if (p->upstream_found(p, one, &err) != 0) {
				str_clear(answer);
				str_puts(answer, err.text);
			}
			free(its);
		}
	} else if (strcmp(what, "gone") == 0) {
		p->upstream_gone(p, name);
	} else if (strcmp(what, "settled") == 0) {
		p->upstreams_settled(p,
			name[0] == '\0' ? NULL : fake_is_settled,
			(void *)(uintptr_t)name);
	} else if (strcmp(what, "put") == 0) {
		p->resource_put(p, type, ns, name, fake_steal(d, "doc"),
			(uint64_t)doc_get_integer(d, "generation"));
	} else if (strcmp(what, "remove") == 0) {
		p->resource_remove(p, type, ns, name);
	} else if (strcmp(what, "resources_settled") == 0) {
		p->resources_settled(p, type);
	} else if (strcmp(what, "condition") == 0) {
		p->condition_set(p, name,
			(enum kind_level)doc_get_integer(d, "level"),
			doc_get_text(d, "reason"));
	} else if (strcmp(what, "preview") == 0) {
		doc_free(f->preview);
		f->preview = doc_steal(d, "list");
	} else if (strcmp(what, "told") == 0) {
		str_clear(answer);
		str_printf(answer, "%s", f->told.data);
		str_clear(&f->told);
	} else if (strcmp(what, "state") == 0) {
		str_clear(answer);
		str_printf(answer, "opened %d watched %d tag %s namespace %s",
			fake_opened, f->watched,
			doc_get_text(p->settings, "tag"),
			p->discovery_namespace);
	}
}

static void
fake_on_connection(int fd, unsigned what, void *arg)
{
	static char packet[FAKE_PACKET_MAX];
	int one = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	struct str answer;
	struct doc *d;
	ssize_t n;

	(void)what;
	if (one < 0)
		return;
	n = recv(one, packet, sizeof(packet), 0);
	d = n > 0 ? json_doc_read(packet, (size_t)n, NULL) : NULL;
	str_init(&answer);
	fake_do(arg, d, &answer);
	(void)!send(one, answer.data, answer.length + 1, MSG_NOSIGNAL);
	str_fini(&answer);
	doc_free(d);
	close(one);
}

static void *
fake_open(struct kind_program *program)
{
	struct fake_shared *f = xcalloc(1, sizeof(*f));
	char *path = xasprintf("%s/%s", program->settings_folder,
		doc_get_text(program->settings, "socket"));

	f->program = program;
	str_init(&f->told);
	f->listening = unix_socket_listen(
		path, SOCK_SEQPACKET, 0600, (gid_t)-1, NULL);
	f->watch = loop_fd_new(program->loop, f->listening, LOOP_READ,
		fake_on_connection, f);
	fake_opened++;
	free(path);
	return f;
}

static void
fake_close(void *shared)
{
	struct fake_shared *f = shared;

	/* All of them were unwatched before. */
	if (f->watched != 0)
		abort();
	loop_fd_free(f->watch);
	close(f->listening);
	str_fini(&f->told);
	doc_free(f->preview);
	free(f);
}

static void
fake_judged(void *shared, const struct kind_verdict *v)
{
	struct fake_shared *f = shared;

	str_printf(&f->told, "%s %s.%s %llu %s: %s\n", model_type_kind(v->type),
		v->ns, v->name, (unsigned long long)v->generation, v->state,
		v->reason);
}

static int
fake_preview(void *shared, kind_preview_each_f *each, void *arg,
	struct error *err)
{
	const struct fake_shared *f = shared;

	if (f->preview == NULL)
		return error_set(err, ERROR_SYSTEM, "nothing was heard yet");
	for (size_t i = 0; i < doc_count(f->preview); i++)
		each(doc_copy(doc_at(f->preview, i)), arg);
	return 0;
}

static void
fake_numbers(const void *shared, kind_number_f *each, void *arg)
{
	const struct fake_shared *f = shared;

	each("fake_watched", "gauge", "upstreams that are watched",
		(uint64_t)f->watched, arg);
}

static void *
fake_watch(const void *spec, struct kind_host *host)
{
	struct fake_shared *f = host->shared;
	struct endpoint e = { .weight = 1 };
	const char *service;

	if (f == NULL)
		abort();
	f->watched++;
	addr_parse_ip("127.0.0.1", ((const struct fake_spec *)spec)->port,
		&e.addr);
	service = ((const struct fake_spec *)spec)->service;
	host->endpoints_replace(host, &e, 1);
	if (service != NULL && strcmp(service, "ill") == 0)
		host->condition_set(host, false, "a\tserver's\x1b[2Jwords");
	return f;
}

static void
fake_unwatch(void *state)
{
	((struct fake_shared *)state)->watched--;
}

static int
fake_settings_check(const struct doc *d, struct error *err)
{
	for (size_t i = 0; i < doc_count(d); i++) {
		const char *key = doc_key_at(d, i);

		if (strcmp(key, "socket") == 0 || strcmp(key, "tag") == 0)
			continue;
		err->line = doc_line(doc_value_at(d, i));
		return error_set(
			err, ERROR_CONFIG, ".%s: no such key", key);
	}
	return 0;
}

static const struct upstream_kind fake_kind = {
	.key = "fake",
	.title = "Fake",
	.read = fake_read,
	.print = fake_print,
	.free = fake_free,
	.details = fake_details,
	.watch = fake_watch,
	.unwatch = fake_unwatch,
	.not_served = "the settings have no key \"fake\"",
	.settings_key = "fake",
	.settings_check = fake_settings_check,
	.open = fake_open,
	.close = fake_close,
	.judged = fake_judged,
	.preview = fake_preview,
	.numbers = fake_numbers,
	.resources_tool = "fakectl",
	.discovery_stop = "delete the fake service",
};

/* ---- the test's side */

/* What the kind answers to one packet; the caller frees. NULL: nothing, for it
 * is closed at the moment. */
static inline char *
fake_ask(const char *folder, const char *text)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	char *answer = xcalloc(1, FAKE_PACKET_MAX);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%.80s/kind.sock", folder);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0 ||
		send(fd, text, strlen(text), MSG_NOSIGNAL) < 0 ||
		recv(fd, answer, FAKE_PACKET_MAX - 1, 0) <= 0) {
		free(answer);
		answer = NULL;
	}
	close(fd);
	return answer;
}

/* As fake_ask; what it answers must contain says. */
static inline void
fake_tell(const char *folder, const char *text, const char *says)
{
	char *answer = fake_ask(folder, text);

	if (answer == NULL || strstr(answer, says) == NULL) {
		print_error("%s: %s (wanted %s)\n", text,
			answer == NULL ? "no answer" : answer, says);
		fail();
	}
	free(answer);
}

#endif
