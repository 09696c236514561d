/*
 * The form of ~/.aws/credentials and ~/.aws/config (docs.aws.amazon.com, "AWS
 * SDKs and Tools Reference Guide", shared config and credentials files), read
 * as botocore does: "#" and ";" begin a comment at the beginning of a line
 * only; a line that is indented more than the key above it belongs to that one.
 * Pure; any bytes may come. Private to kinds/aws/.
 */
#ifndef KINDS_AWS_SHARED_FILE_H
#define KINDS_AWS_SHARED_FILE_H

#include <stdbool.h>

#include "base/error.h"
#include "base/str.h"

#define SHARED_FILE_MAX (1u << 20)

/* A key of a profile; all within the text. Once with an empty key where a
 * section of it begins. Of two equal keys the later one counts. */
typedef void shared_file_f(
	struct slice profile, struct slice key, struct slice value, void *arg);

/* is_config: profiles are "[profile NAME]" and "[default]" there, and other
 * sections are passed over; else each section is one. err names the line and
 * quotes nothing. */
int shared_file_read(struct slice text, bool is_config, shared_file_f *each,
	void *arg, struct error *err);

#endif
