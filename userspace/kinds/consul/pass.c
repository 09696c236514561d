/* As whom a Consul agent is asked. */
#include "kinds/consul/pass.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#define PEM_BYTES_MAX (1u << 20)
#define PEM_LOOK_MS   1000
#define HEADER        "X-Consul-Token: "

enum pass_file_sort {
	PASS_TOKEN,
	PASS_CA,
	PASS_CERT,
	PASS_KEY,
	PASS_FILES,
};

static const struct {
	const char *setting;
	size_t max;
} sorts[PASS_FILES] = {
	[PASS_TOKEN] = { "consul.tokenFile", CONSUL_TOKEN_BYTES_MAX },
	[PASS_CA] = { "consul.caFile", PEM_BYTES_MAX },
	[PASS_CERT] = { "consul.certFile", PEM_BYTES_MAX },
	[PASS_KEY] = { "consul.keyFile", PEM_BYTES_MAX },
};

struct pass_file {
	char *path; /* NULL: none */
	struct str text;
	bool failing; /* was said */
};

struct consul_pass {
	struct pass_file files[PASS_FILES];
	struct str header; /* empty: no token */
	struct http_tls tls;
	bool pem_read;
	uint64_t pem_ms; /* when it was */
};

/* ---- secrets */

static void
secret_clear(struct str *s)
{
	explicit_bzero(s->data, s->length);
	str_clear(s);
}

static void
secret_fini(struct str *s)
{
	secret_clear(s);
	str_fini(s);
}

/* In one piece: a str that grows leaves what it held in what it frees. */
static void
secret_set(struct str *s, const char *prefix, struct slice value)
{
	size_t before = strlen(prefix), length = before + value.length;
	char *text = xmalloc(length + 1);

	memcpy(text, prefix, before);
	memcpy(text + before, value.data, value.length);
	secret_clear(s);
	str_append(s, text, length);
	explicit_bzero(text, length);
	free(text);
}

/* ---- files */

/* An editor's line end is no part of it. */
static int
token_trim(struct str *s, struct error *err)
{
	while (s->length > 0 && isspace((unsigned char)s->data[s->length - 1]))
		s->data[--s->length] = '\0';
	for (size_t i = 0; i < s->length; i++)
		if (!isgraph((unsigned char)s->data[i]))
			return error_set(err, ERROR_CONFIG,
				"a token is one line of printable ASCII "
				"without spaces");
	return 0;
}

/* An empty one would stand for the system's roots, or for nobody. Opening
 * anything but a file might wait. */
static int
file_load(const struct pass_file *f, enum pass_file_sort sort, struct str *text,
	struct error *err)
{
	struct stat st;

	if (stat(f->path, &st) == 0 && !S_ISREG(st.st_mode))
		return error_set(err, ERROR_CONFIG, "%s is no file", f->path);
	if (file_read(f->path, sorts[sort].max, text, err) != 0)
		return -1;
	if (sort == PASS_TOKEN && token_trim(text, err) != 0)
		return error_prefix(err, "%s", f->path);
	if (text->length == 0)
		return error_set(err, ERROR_CONFIG, "%s is empty", f->path);
	return 0;
}

static void
failing_tell(struct pass_file *f, enum pass_file_sort sort, const char *why)
{
	if (!f->failing)
		log_warn("consul: %s: what it was before goes on being used: "
			 "%s",
			sorts[sort].setting, why);
	f->failing = true;
}

/* 1: another text than before; 0: the same, or the former one has to do. */
static int
file_refresh(struct pass_file *f, enum pass_file_sort sort, struct error *err)
{
	struct error why = ERROR_INIT;
	struct slice now;
	struct str text;
	int rc = 0;

	if (f->path == NULL)
		return 0;
	str_init(&text);
	if (file_load(f, sort, &text, &why) == 0) {
		now = (struct slice){ text.data, text.length };
		rc = !slice_equal(
			now, (struct slice){ f->text.data, f->text.length });
		if (rc == 1)
			secret_set(&f->text, "", now);
		f->failing = false;
	} else if (f->text.length > 0) {
		failing_tell(f, sort, why.text);
	} else {
		rc = error_set(
			err, why.code, "%s: %s", sorts[sort].setting, why.text);
	}
	secret_fini(&text);
	return rc;
}

static struct slice
file_text(const struct pass_file *f)
{
	return (struct slice){ f->text.data, f->text.length };
}

/* ---- both */

static int
token_refresh(struct consul_pass *p, struct error *err)
{
	struct pass_file *f = &p->files[PASS_TOKEN];
	int rc = file_refresh(f, PASS_TOKEN, err);

	if (rc == 1)
		secret_set(&p->header, HEADER, file_text(f));
	return rc;
}

static int
pem_refresh(struct consul_pass *p, uint64_t now_ms, struct error *err)
{
	if (p->pem_read && now_ms - p->pem_ms < PEM_LOOK_MS)
		return 0;
	for (enum pass_file_sort sort = PASS_CA; sort < PASS_FILES; sort++)
		if (file_refresh(&p->files[sort], sort, err) < 0)
			return -1;
	p->tls.ca = file_text(&p->files[PASS_CA]);
	p->tls.cert = file_text(&p->files[PASS_CERT]);
	p->tls.key = file_text(&p->files[PASS_KEY]);
	p->pem_read = true;
	p->pem_ms = now_ms;
	return 0;
}

int
consul_pass_refresh(struct consul_pass *p, uint64_t now_ms, struct error *err)
{
	int rc = token_refresh(p, err);

	if (rc < 0 || pem_refresh(p, now_ms, err) < 0)
		return -1;
	return rc;
}

const char *
consul_pass_header(const struct consul_pass *p)
{
	return p->header.length > 0 ? p->header.data : NULL;
}

const struct http_tls *
consul_pass_tls(const struct consul_pass *p)
{
	return &p->tls;
}

static char *
path_of(const char *folder, const char *path)
{
	if (path == NULL)
		return NULL;
	return path[0] == '/' ? xstrdup(path)
			      : xasprintf("%s/%s", folder, path);
}

struct consul_pass *
consul_pass_new(const struct consul_settings *settings, const char *folder)
{
	const char *paths[PASS_FILES] = {
		[PASS_TOKEN] = settings->token_file,
		[PASS_CA] = settings->ca_file,
		[PASS_CERT] = settings->cert_file,
		[PASS_KEY] = settings->key_file,
	};
	struct consul_pass *p = xcalloc(1, sizeof(*p));

	for (size_t i = 0; i < PASS_FILES; i++) {
		p->files[i].path = path_of(folder, paths[i]);
		str_init(&p->files[i].text);
	}
	str_init(&p->header);
	if (settings->token != NULL)
		secret_set(&p->header, HEADER, slice_of(settings->token));
	p->tls.insecure = settings->insecure_skip_verify.value;
	return p;
}

void
consul_pass_free(struct consul_pass *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < PASS_FILES; i++) {
		free(p->files[i].path);
		secret_fini(&p->files[i].text);
	}
	secret_fini(&p->header);
	free(p);
}
