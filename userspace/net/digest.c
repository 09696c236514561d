/* SHA-256 of lists of texts. */
#include "net/digest.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void
digest_texts(const char *const *texts, size_t count,
	unsigned char out[DIGEST_LENGTH])
{
	EVP_MD_CTX *sum = EVP_MD_CTX_new();
	bool good =
		sum != NULL && EVP_DigestInit_ex(sum, EVP_sha256(), NULL) == 1;

	for (size_t i = 0; good && i < count; i++) {
		uint64_t length =
			texts[i] == NULL ? UINT64_MAX : strlen(texts[i]);

		good = EVP_DigestUpdate(sum, &length, sizeof(length)) == 1 &&
		       (length == UINT64_MAX ||
			       EVP_DigestUpdate(sum, texts[i], length) == 1);
	}
	good = good && EVP_DigestFinal_ex(sum, out, NULL) == 1;
	EVP_MD_CTX_free(sum);
	/* SHA-256 is missing only where there is no memory, or no OpenSSL. */
	if (!good)
		abort();
}
