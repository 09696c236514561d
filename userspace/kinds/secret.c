/* How a reference to a secret is shown. */
#include "kinds/secret.h"

void
kind_secret_details(const struct model_ref *secret, struct str *lines)
{
	if (secret != NULL)
		str_printf(lines, "secret: %s.%s\n", secret->ns, secret->name);
	else
		str_puts(lines, "secret: <None>\n");
}
