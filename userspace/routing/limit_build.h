/* Rate limits of stage http as a part of an image. Private to routing/. */
#ifndef ROUTING_LIMIT_BUILD_H
#define ROUTING_LIMIT_BUILD_H

#include "model/model.h"
#include "routing/block.h"

/* Those of an object; offsets count from the start of the block. */
struct image_array limits_put(struct block *b, const struct model_limits *l,
	enum model_type type, const struct model_meta *meta);

#endif
