/*
 * Which bodies an event holds as text, and which in Base64. Private to
 * event_wrap.
 */
#ifndef KINDS_AWS_EVENT_TEXT_H
#define KINDS_AWS_EVENT_TEXT_H

#include <stdbool.h>

#include "base/str.h"
#include "kinds/aws/event.h"

/* type, coding: Content-Type and Content-Encoding, empty where there is none.
 * What is no UTF-8 is no text, whatever it says of itself: it would not survive
 * in JSON. Nor is what JSON would make longer than an event may be. */
bool event_text_is(enum aws_event_shape shape, struct slice type,
	struct slice coding, struct slice body);

#endif
