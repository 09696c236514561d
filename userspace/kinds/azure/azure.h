/* The parts that make up the kind azure. Private to kinds/azure/. */
#ifndef KINDS_AZURE_AZURE_H
#define KINDS_AZURE_AZURE_H

#include "model/dialect.h"
#include "model/kind.h"

extern const struct dialect azure_dialect;

kind_watch_f azure_watch;
kind_unwatch_f azure_unwatch;
kind_show_f azure_show;
kind_secret_changed_f azure_secret_changed;
kind_credentials_refused_f azure_credentials_refused;
kind_probe_f azure_probe;

kind_open_f azure_open;
kind_close_f azure_close;
int azure_settings_check(const struct doc *settings, struct error *err);

#endif
