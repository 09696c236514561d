/* What becomes of a key or a token that an app did not take. */
#include "kinds/azure/refusal.h"

#include "base/mem.h"

/* Until the proxy has what was sent, and control what was on its way. */
#define ON_ITS_WAY_MS 3000u

/* ---- what follows */

/* Of a token there is no such proof. */
bool
azure_refusal_is_own(const struct azure_refusal *r, bool proven)
{
	return proven && r->spec->authentication == NULL;
}

static bool
is_asked(const struct azure_refusal *r)
{
	return r->state == AZURE_REFUSAL_ASKED ||
	       r->state == AZURE_REFUSAL_SAME_TOKEN;
}

bool
azure_refusal_add(struct azure_refusal *r, bool proven, uint64_t now_ms)
{
	if (azure_refusal_is_own(r, proven)) {
		if (now_ms - r->proven_ms < ON_ITS_WAY_MS)
			return false;
		/* To functions of all other levels the proxy takes it for their
		 * own. */
		r->level_unknown = true;
		return true;
	}
	if (r->state == AZURE_REFUSAL_RENEWED || r->spec->secret != NULL)
		r->state = AZURE_REFUSAL_IN_VAIN;
	else if (r->state == AZURE_REFUSAL_NONE)
		r->state = AZURE_REFUSAL_ASKED;
	return true;
}

void
azure_refusal_token(struct azure_refusal *r, bool came)
{
	if (is_asked(r))
		r->state =
			came ? AZURE_REFUSAL_SAME_TOKEN : AZURE_REFUSAL_ASKED;
}

void
azure_refusal_sent(
	struct azure_refusal *r, bool others, bool proven, uint64_t now_ms)
{
	if (others) {
		r->proven_ms = 0;
		if (is_asked(r))
			r->state = AZURE_REFUSAL_RENEWED;
	}
	if (azure_refusal_is_own(r, proven)) {
		r->proven_ms = now_ms;
		r->state = AZURE_REFUSAL_NONE;
	}
}

void
azure_refusal_settle(struct azure_refusal *r, bool proven)
{
	if (r->state == AZURE_REFUSAL_SAME_TOKEN &&
		(proven || !azure_spec_is_managed(r->spec)))
		r->state = AZURE_REFUSAL_IN_VAIN;
}

void
azure_refusal_end(struct azure_refusal *r, bool proven)
{
	r->state = AZURE_REFUSAL_NONE;
	r->level_unknown = false;
	if (!azure_refusal_is_own(r, proven))
		r->proven_ms = 0;
}

/* ---- what is told */

/* What the app did not take. */
static const char *
refused_name(const struct azure_spec *s)
{
	if (s->authentication == NULL)
		return "key";
	return s->secret == NULL && !azure_spec_is_managed(s)
		       ? "token"
		       : "key or the token";
}

static char *
in_vain_note(const struct azure_spec *s)
{
	if (s->secret != NULL)
		return xasprintf("the function app \"%s\" did not take the %s "
				 "that it was sent last; give the secret %s.%s "
				 "its present keys",
			s->app_name, refused_name(s), s->secret->ns,
			s->secret->name);
	return xasprintf("the function app \"%s\" did not take the %s that it "
			 "was sent last, and asking for another did not help; "
			 "see %s",
		s->app_name, refused_name(s),
		s->authentication == NULL
			? "that hostname is that of functionAppName in "
			  "subscriptionId and resourceGroup"
			: "the audience of appServiceAuthentication, and whom "
			  "the app lets in");
}

char *
azure_refusal_note(const struct azure_refusal *r)
{
	if (r->level_unknown)
		return xasprintf(
			"the function app \"%s\" did not take the key for a "
			"function whose level is not known; list the function "
			"with its authLevel in functions",
			r->spec->app_name);
	if (r->state == AZURE_REFUSAL_IN_VAIN)
		return in_vain_note(r->spec);
	/* The same key proves whose it is, not who was called with it. */
	if (r->proven_ms != 0 && r->spec->hostname != NULL)
		return xasprintf(
			"a 401 without a body goes to clients as the "
			"function's own; if every call gets one, hostname is "
			"not that of functionAppName \"%s\"",
			r->spec->app_name);
	return NULL;
}

char *
azure_refusal_passing_note(const struct azure_refusal *r, bool proven)
{
	if (azure_refusal_is_own(r, proven) && !r->level_unknown)
		return xstrdup("a 401 without a body is the function's own: "
			       "the management API gave the same key again");
	if (is_asked(r))
		return xasprintf("the app did not take the %s; another is "
				 "asked for",
			refused_name(r->spec));
	return NULL;
}
