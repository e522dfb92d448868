#include "stages/digest.h"

#include "base/text.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

struct digest {
    EVP_MD_CTX *sum;
    EVP_MD_CTX *copy; /* finalising ends a context: the hex is read from a copy */
    bool failed;
};

int digest_prepare(struct err *err)
{
    char hex[DIGEST_HEX_MAX];
    struct digest *d = OSSL_LIB_CTX_get0_global_default() ? digest_new() : NULL;
    bool works = d && digest_hex(d, hex);
    digest_free(d);
    return works ? 0 : err_set(err, ERR_INTERNAL, ENOMEM, "OpenSSL has no SHA-256, or no memory");
}

struct digest *digest_new(void)
{
    struct digest *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->sum = EVP_MD_CTX_new();
    d->copy = EVP_MD_CTX_new();
    if (!d->sum || !d->copy) {
        digest_free(d);
        return NULL;
    }
    digest_restart(d);
    return d;
}

void digest_free(struct digest *d)
{
    if (!d)
        return;
    EVP_MD_CTX_free(d->sum);
    EVP_MD_CTX_free(d->copy);
    free(d);
}

void digest_restart(struct digest *d)
{
    d->failed = EVP_DigestInit_ex(d->sum, EVP_sha256(), NULL) != 1;
}

void digest_add(struct digest *d, const void *bytes, size_t n)
{
    if (EVP_DigestUpdate(d->sum, bytes, n) != 1)
        d->failed = true;
}

bool digest_hex(struct digest *d, char out[static DIGEST_HEX_MAX])
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned len;
    if (d->failed || EVP_MD_CTX_copy_ex(d->copy, d->sum) != 1 ||
        EVP_DigestFinal_ex(d->copy, sum, &len) != 1)
        return false;
    text_hex(sum, len, out);
    return true;
}
