/*
 * The key `kubernetes` in the text of settings.yaml: put in and taken out, and
 * every other byte, comments too, stays what it is. Pure.
 */
#ifndef CLI_SETTINGS_KEY_H
#define CLI_SETTINGS_KEY_H

#include "base/error.h"
#include "base/str.h"

#define SETTINGS_KEY "kubernetes"
/* Beside the settings. */
#define SETTINGS_KEY_KUBECONFIG "kubernetes/kubeconfig"

/* Appends to out the text with the key at its end; address: of this box, or
 * NULL when the daemon is to find it out. 1: it has the key already, out is the
 * text as it is, and err says what in it is not as it would be made, if
 * anything. -1 and err: it is no block of YAML that could be added to, and what
 * to add by hand. */
int settings_key_add(struct slice text, const char *address, struct str *out,
	struct error *err);
/* Appends to out the text without the key. 1: it has none, or, which err then
 * says, one that was not made here; out is the text as it is. */
int settings_key_remove(struct slice text, struct str *out, struct error *err);

#endif
