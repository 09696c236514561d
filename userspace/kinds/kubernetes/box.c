/* The name of this box in a cluster. */
#include "kinds/kubernetes/box.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define BOX_MAX 63

/* What an annotation may be called. */
char *
kubernetes_box_annotation(const char *identity)
{
	char box[HOST_NAME_MAX + 1];
	size_t length;

	if (identity != NULL)
		snprintf(box, sizeof(box), "%s", identity);
	else if (gethostname(box, sizeof(box)) != 0)
		snprintf(box, sizeof(box), "gateway");
	box[BOX_MAX] = '\0';
	for (char *p = box; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && strchr("-_.", *p) == NULL)
			*p = '-';
	/* Both ends are letters or digits. */
	length = strlen(box);
	while (length > 0 && !isalnum((unsigned char)box[length - 1]))
		box[--length] = '\0';
	return xasprintf(KUBERNETES_BOX_ANNOTATION "%s",
		length == 0 ? "gateway" : box + strspn(box, "-_."));
}
