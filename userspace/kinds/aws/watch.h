/*
 * An upstream of AWS that control watches: where Lambda is in its region, with
 * which credentials it is called, and, where its label asks for it, which
 * functions there are. Private to kinds/aws/.
 */
#ifndef KINDS_AWS_WATCH_H
#define KINDS_AWS_WATCH_H

#include "model/kind.h"

/* On an upstream: its functions are discovered. */
#define AWS_DISCOVERY_LABEL "discovery.solo.io/function_discovery"

kind_tls_f aws_tls;
kind_watch_f aws_watch;
kind_unwatch_f aws_unwatch;
kind_secret_changed_f aws_secret_changed;
kind_credentials_refused_f aws_credentials_refused;
kind_show_f aws_show;

/* In open.c: */
kind_open_f aws_open;
kind_close_f aws_close;
kind_numbers_f aws_numbers;

/* In probe.c: */
kind_probe_f aws_probe;

#endif
