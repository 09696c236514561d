/* The secret that a cloud kind's spec refers to. Private to kinds/. */
#ifndef KINDS_SECRET_H
#define KINDS_SECRET_H

#include "base/str.h"
#include "model/model.h"

/* Its line in the details of the table; secret may be NULL. */
void kind_secret_details(const struct model_ref *secret, struct str *lines);

#endif
