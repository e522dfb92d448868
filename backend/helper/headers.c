#include "headers.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK     ((size_t)512)
#define SIZE_AT   124
#define SIZE_LEN  12
#define TYPE_AT   156
#define EXTENSION "AKLVXgx" /* what libarchive takes for a header of the entry that follows */

static int corrupt(struct err *err, const char *what)
{
    return err_set(err, ERR_CORRUPT_ARCHIVE, EBADMSG, "%s", what);
}

static int append(struct headers *h, const uint8_t *data, size_t n, struct err *err)
{
    if (h->room - h->len < n) {
        size_t room = 2 * (h->len + n);
        uint8_t *more = realloc(h->kept, room);
        if (!more)
            return err_set(err, ERR_INTERNAL, ENOMEM, "out of memory");
        h->kept = more;
        h->room = room;
    }
    if (n > 0)
        memcpy(h->kept + h->len, data, n);
    h->len += n;
    return 0;
}

int headers_keep(struct headers *h, uint64_t from, struct err *err)
{
    uint64_t kept_at = h->piece_at - h->len;
    if (from >= h->piece_at) {
        size_t gone = (size_t)(from - h->piece_at);
        h->len = 0;
        return gone < h->piece_len ? append(h, h->piece + gone, h->piece_len - gone, err) : 0;
    }
    if (from > kept_at) {
        h->len -= (size_t)(from - kept_at);
        memmove(h->kept, h->kept + (from - kept_at), h->len);
    }
    return append(h, h->piece, h->piece_len, err);
}

void headers_piece(struct headers *h, const void *data, size_t n)
{
    h->piece_at += h->piece_len;
    h->piece = data;
    h->piece_len = n;
}

void headers_free(struct headers *h)
{
    free(h->kept);
    *h = (struct headers){0};
}

/* Digits with blanks before and an end behind: what every reader takes for the same number. */
static bool read_octal(const uint8_t *field, size_t *value)
{
    size_t i = 0, first;
    *value = 0;
    while (i < SIZE_LEN && field[i] == ' ')
        i++;
    for (first = i; i < SIZE_LEN && field[i] >= '0' && field[i] <= '7'; i++)
        *value = *value * 8 + (size_t)(field[i] - '0');
    size_t digits = i - first;
    while (i < SIZE_LEN && (field[i] == ' ' || field[i] == '\0'))
        i++;
    return digits > 0 && i == SIZE_LEN;
}

struct record {
    const char *key, *value;
    size_t key_len, value_len;
};

/* "LENGTH KEY=VALUE\n", LENGTH that of the whole: takes one from the front. */
static bool next_record(const char **at, size_t *left, struct record *r)
{
    const char *space = memchr(*at, ' ', *left);
    size_t n = 0;
    for (const char *p = *at; p < space; p++) {
        if (*p < '0' || *p > '9' || n > *left)
            return false;
        n = n * 10 + (size_t)(*p - '0');
    }
    if (!space || n > *left || n < (size_t)(space - *at) + 3 || (*at)[n - 1] != '\n')
        return false;
    const char *end = *at + n - 1, *equals;
    r->key = space + 1;
    equals = memchr(r->key, '=', (size_t)(end - r->key));
    if (!equals || equals == r->key)
        return false;
    r->key_len = (size_t)(equals - r->key);
    r->value = equals + 1;
    r->value_len = (size_t)(end - r->value);
    *at += n;
    *left -= n;
    return true;
}

static bool is_key(const struct record *r, const char *key)
{
    return r->key_len == strlen(key) && memcmp(r->key, key, r->key_len) == 0;
}

static bool names_something(const struct record *r)
{
    static const char *const names[] = {"path", "linkpath", "uname", "gname", "GNU.sparse.name"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (is_key(r, names[i]))
            return true;
    return false;
}

static int check_records(const uint8_t *body, size_t n, bool *sized, struct err *err)
{
    const char *at = (const char *)body;
    struct record r;
    while (n > 0) {
        if (!next_record(&at, &n, &r))
            return corrupt(err, "a malformed pax record");
        if (memchr(r.key, '\0', r.key_len) ||
            (names_something(&r) && memchr(r.value, '\0', r.value_len)))
            return corrupt(err, "a pax record whose name holds a NUL");
        *sized |= is_key(&r, "size");
    }
    return 0;
}

/* GNU's long names are as sound as any other field: all readers end them at a NUL. */
static int check_extension(char type, const uint8_t *body, size_t n, bool *sized, struct err *err)
{
    if (type == 'V' && n > 0)
        return corrupt(err, "a volume label with contents");
    return type == 'x' || type == 'X' || type == 'g' ? check_records(body, n, sized, err) : 0;
}

/* A pax size is that of the next header for some readers, and of the entry for others: they find
 * different entries behind it. */
static int walk(const uint8_t *at, size_t left, struct err *err)
{
    bool sized = false;
    while (left >= BLOCK) {
        char type = (char)at[TYPE_AT];
        size_t size, padded;
        if (type == '\0' || !strchr(EXTENSION, type))
            return 0;
        if (sized)
            return corrupt(err, "a pax size before another header's header");
        if (!read_octal(at + SIZE_AT, &size) || size > left - BLOCK)
            return corrupt(err, "an extension header of unclear size");
        int r = check_extension(type, at + BLOCK, size, &sized, err);
        if (r < 0)
            return r;
        padded = (size + BLOCK - 1) / BLOCK * BLOCK;
        if (padded > left - BLOCK)
            break;
        at += BLOCK + padded;
        left -= BLOCK + padded;
    }
    return corrupt(err, "headers without an entry");
}

int headers_check(struct headers *h, uint64_t from, uint64_t to, struct err *err)
{
    if (to < from || to < h->piece_at || to > h->piece_at + h->piece_len ||
        from + h->len < h->piece_at)
        return err_set(err, ERR_INTERNAL, EPROTO, "an entry's headers went by unseen");
    if (from >= h->piece_at)
        return walk(h->piece + (from - h->piece_at), (size_t)(to - from), err);
    size_t before = (size_t)(h->piece_at - from), kept = h->len;
    int r = append(h, h->piece, (size_t)(to - h->piece_at), err);
    if (r == 0)
        r = walk(h->kept + (kept - before), (size_t)(to - from), err);
    h->len = kept;
    return r;
}
