#include "store/seal.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/random.h>

#define KEY_FILE    ".key"
#define KEY_BYTES   32
#define NONCE_BYTES 12
#define TAG_BYTES   16
#define VERSION     1 /* a sealed value: version, nonce, ciphertext, tag */
#define OVERHEAD    (1 + NONCE_BYTES + TAG_BYTES)
#define PLAIN_MAX   (1 << 20) /* far above any URL: lengths are ints below */

struct seal {
    uint8_t key[KEY_BYTES];
};

/* --- the key */

static int set_aside(const struct paths *p, struct err *err)
{
    log_warn(NULL,
             "%s/" KEY_FILE " is damaged; it is kept as " KEY_FILE ".damaged. Images whose URL has "
             "credentials and that are still to be downloaded must be fetched again",
             p->dir);
    if (renameat(p->root, KEY_FILE, p->root, KEY_FILE ".damaged") < 0)
        return err_sys(err, errno, "cannot move %s/" KEY_FILE " out of the way", p->dir);
    return 0;
}

static int make_key(struct seal *s, const struct paths *p, struct err *err)
{
    if (getrandom(s->key, sizeof s->key, 0) != sizeof s->key)
        return err_sys(err, errno, "cannot make a key for the store");
    return paths_write_file(p, KEY_FILE, s->key, sizeof s->key, err);
}

static int load_key(struct seal *s, const struct paths *p, struct err *err)
{
    uint8_t found[KEY_BYTES + 1] = {0};
    ssize_t n = paths_read_file(p, KEY_FILE, found, sizeof found);
    memcpy(s->key, found, sizeof s->key);
    OPENSSL_cleanse(found, sizeof found);
    if (n == KEY_BYTES)
        return 0;
    if (n < 0 && n != -ENOENT && n != -EISDIR && n != -ELOOP) /* it may be a good one */
        return err_sys(err, (int)-n, "cannot read %s/" KEY_FILE, p->dir);
    int r = n == -ENOENT ? 0 : set_aside(p, err);
    return r < 0 ? r : make_key(s, p, err);
}

int seal_open(struct seal **out, const struct paths *paths, struct err *err)
{
    struct seal *s = calloc(1, sizeof *s);
    if (!s)
        return err_sys(err, ENOMEM, "cannot hold the store's key");
    int r = load_key(s, paths, err);
    if (r < 0)
        seal_close(s);
    else
        *out = s;
    return r;
}

void seal_close(struct seal *s)
{
    if (!s)
        return;
    OPENSSL_cleanse(s->key, sizeof s->key);
    free(s);
}

/* --- values */

static void cleanup_context(EVP_CIPHER_CTX **c)
{
    EVP_CIPHER_CTX_free(*c);
}
#define CLEANUP_CONTEXT __attribute__((cleanup(cleanup_context)))

static EVP_CIPHER_CTX *begin(const struct seal *s, const uint8_t *nonce, const struct text *bound,
                             int encrypt)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int len;
    if (c && EVP_CipherInit_ex2(c, EVP_aes_256_gcm(), s->key, nonce, encrypt, NULL) == 1 &&
        EVP_CipherUpdate(c, NULL, &len, (const uint8_t *)bound->data, (int)bound->len) == 1)
        return c;
    EVP_CIPHER_CTX_free(c);
    return NULL;
}

int seal_lock(const struct seal *s, const struct text *bound, const char *bytes, size_t n,
              struct text *sealed)
{
    if (n > PLAIN_MAX || bound->failed || bound->len > PLAIN_MAX)
        return -ENOMEM;
    uint8_t *out CLEANUP_FREE = malloc(n + OVERHEAD);
    if (!out)
        return -ENOMEM;
    uint8_t *nonce = out + 1, *text = nonce + NONCE_BYTES;
    int len, last;
    out[0] = VERSION;
    if (getrandom(nonce, NONCE_BYTES, 0) != NONCE_BYTES)
        return -EIO;
    EVP_CIPHER_CTX *c CLEANUP_CONTEXT = begin(s, nonce, bound, 1);
    if (!c || EVP_CipherUpdate(c, text, &len, (const uint8_t *)bytes, (int)n) != 1 ||
        EVP_CipherFinal_ex(c, text + len, &last) != 1 ||
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, text + n) != 1)
        return -EIO;
    text_addn(sealed, (const char *)out, n + OVERHEAD);
    return sealed->failed ? -ENOMEM : 0;
}

int seal_unlock(const struct seal *s, const struct text *bound, const void *sealed, size_t n,
                struct text *bytes)
{
    const uint8_t *in = sealed, *nonce = in + 1, *text = nonce + NONCE_BYTES;
    if (n < OVERHEAD || n > PLAIN_MAX || in[0] != VERSION)
        return -EBADMSG;
    size_t plain = n - OVERHEAD;
    uint8_t tag[TAG_BYTES], *out CLEANUP_FREE = malloc(plain + 1);
    if (!out || bound->failed || bound->len > PLAIN_MAX)
        return -ENOMEM;
    memcpy(tag, text + plain, TAG_BYTES);
    int len, last;
    EVP_CIPHER_CTX *c CLEANUP_CONTEXT = begin(s, nonce, bound, 0);
    bool ready = c && EVP_CipherUpdate(c, out, &len, text, (int)plain) == 1 &&
                 EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1;
    bool opened = ready && EVP_CipherFinal_ex(c, out + len, &last) == 1; /* it is the tag's word */
    if (opened)
        text_addn(bytes, (const char *)out, plain);
    OPENSSL_cleanse(out, plain + 1);
    return !ready ? -ENOMEM : !opened ? -EBADMSG : bytes->failed ? -ENOMEM : 0;
}
