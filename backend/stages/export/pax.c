#include "stages/export/pax.h"

#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

/* A ustar header's fields. */
#define NAME_LEN   100
#define PREFIX_LEN 155
#define LINK_LEN   100

struct header {
    char name[NAME_LEN], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type;
    char link[LINK_LEN], magic[8], uname[32], gname[32], major[8], minor[8], prefix[PREFIX_LEN];
    char pad[12];
};
_Static_assert(sizeof(struct header) == PAX_BLOCK, "a ustar header is one block");

#define OCTAL_MAX(field) ((INT64_C(1) << 3 * (sizeof(field) - 1)) - 1) /* with a NUL behind it */

/* No snprintf: an archive of many small files is made of these. */
static void put_octal(char *field, size_t len, uint64_t value)
{
    field[len - 1] = '\0';
    for (size_t i = len - 1; i-- > 0; value >>= 3)
        field[i] = (char)('0' + (value & 7));
}
#define PUT(field, value) put_octal(field, sizeof(field), (uint64_t)(value))

static void put_checksum(struct header *h)
{
    unsigned sum = 0;
    const unsigned char *bytes = (const unsigned char *)h;
    memset(h->checksum, ' ', sizeof h->checksum);
    for (size_t i = 0; i < sizeof *h; i++)
        sum += bytes[i];
    put_octal(h->checksum, 7, sum);
}

static size_t digits_of(size_t n)
{
    size_t digits = 1;
    for (; n >= 10; n /= 10)
        digits++;
    return digits;
}

/* Its length counts the digits that say it. */
static void add_record(struct text *out, const char *prefix, const char *name, const void *value,
                       size_t n)
{
    size_t rest = strlen(prefix) + strlen(name) + n + 3; /* the blank, = and the newline */
    size_t all = rest + digits_of(rest);
    if (digits_of(all) > digits_of(rest))
        all = rest + digits_of(all);
    text_addf(out, "%zu %s%s=", all, prefix, name);
    text_addn(out, value, n);
    text_addn(out, "\n", 1);
}

void pax_record(struct text *out, const char *prefix, const char *name, const void *value, size_t n)
{
    add_record(out, prefix, name, value, n);
}

static void add_number(struct text *out, const char *name, int64_t value)
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%lld", (long long)value);
    add_record(out, "", name, digits, (size_t)n);
}

static void add_base64(struct text *out, const uint8_t *bytes, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i < 3 ? n - i : 3;
        uint32_t group = 0;
        for (size_t j = 0; j < 3; j++)
            group = group << 8 | (j < left ? bytes[i + j] : 0);
        for (size_t j = 0; j <= left; j++)
            text_addn(out, &digits[group >> (18 - 6 * j) & 63], 1);
    }
}

/* A record's name ends at its first `=`. Star's records, which all know, cannot spell one; GNU tar
 * and libarchive have each an escape of its own for it, and only the latter's is never taken for
 * another name. */
void pax_xattr(struct text *out, const char *name, const void *value, size_t n)
{
    struct text spelt CLEANUP_TEXT = {0}, coded CLEANUP_TEXT = {0};
    if (!strpbrk(name, "=%")) {
        add_record(out, "SCHILY.xattr.", name, value, n);
        return;
    }
    for (; *name; name++) {
        if (*name == '=' || *name == '%')
            text_addf(&spelt, "%%%02X", *name);
        else
            text_addn(&spelt, name, 1);
    }
    add_base64(&coded, value, n);
    add_record(out, "LIBARCHIVE.xattr.", spelt.data, coded.data ? coded.data : "", coded.len);
    out->failed |= spelt.failed || coded.failed;
}

void pax_time(char out[static PAX_TIME_MAX], struct timespec t)
{
    long long sec = t.tv_sec;
    long nsec = t.tv_nsec;
    bool negative = sec < 0;
    if (negative && nsec > 0) {
        sec++;
        nsec = 1000000000 - nsec;
    }
    int n = snprintf(out, PAX_TIME_MAX, "%s%lld", negative && sec == 0 ? "-" : "", sec);
    if (nsec == 0)
        return;
    n += snprintf(out + n, PAX_TIME_MAX - (size_t)n, ".%09ld", nsec);
    while (out[n - 1] == '0')
        out[--n] = '\0';
}

/* Where a path parts into prefix and name; NULL: it does not fit. */
static const char *find_part(const char *path, size_t len)
{
    size_t from = len > NAME_LEN ? len - NAME_LEN - 1 : 0;
    for (size_t i = from; i <= PREFIX_LEN && i + 1 < len; i++)
        if (path[i] == '/' && i > 0)
            return path + i;
    return NULL;
}

/* What does not fit is shortened, for readers that know no records. */
static void put_path(struct header *h, struct text *records, const char *path)
{
    size_t len = strlen(path);
    const char *part = len > NAME_LEN ? find_part(path, len) : NULL;
    if (part) {
        memcpy(h->prefix, path, (size_t)(part - path));
        path = part + 1;
        len = strlen(path);
    } else if (len > NAME_LEN) {
        add_record(records, "", "path", path, len);
        len = NAME_LEN;
    }
    memcpy(h->name, path, len);
}

static void put_target(struct header *h, struct text *records, const char *target)
{
    size_t len = strlen(target);
    if (len > LINK_LEN) {
        add_record(records, "", "linkpath", target, len);
        len = LINK_LEN;
    }
    memcpy(h->link, target, len);
}

static int64_t put_or_record(int64_t value, int64_t most, const char *name, struct text *records)
{
    if (value >= 0 && value <= most)
        return value;
    add_number(records, name, value);
    return 0;
}

static void put_mtime(struct header *h, struct text *records, struct timespec t)
{
    char time[PAX_TIME_MAX];
    bool fits = t.tv_nsec == 0 && t.tv_sec >= 0 && t.tv_sec <= OCTAL_MAX(h->mtime);
    PUT(h->mtime, fits || (t.tv_sec > 0 && t.tv_sec <= OCTAL_MAX(h->mtime)) ? t.tv_sec : 0);
    if (fits)
        return;
    pax_time(time, t);
    add_record(records, "", "mtime", time, strlen(time));
}

/* Format 1.0: the name is a record's, so that who does not know it finds the map with the contents,
 * under a name that says what it is. */
static void put_sparse(struct header *h, struct text *records, const struct pax_entry *e)
{
    static const char odd[] = "./GNUSparseFile.0/";
    const char *slash = strrchr(e->path, '/'), *base = slash ? slash + 1 : e->path;
    size_t len = strlen(base), room = NAME_LEN - (sizeof odd - 1);
    memcpy(h->name, odd, sizeof odd - 1);
    memcpy(h->name + sizeof odd - 1, base, len < room ? len : room);
    add_record(records, "", "GNU.sparse.major", "1", 1);
    add_record(records, "", "GNU.sparse.minor", "0", 1);
    add_record(records, "", "GNU.sparse.name", e->path, strlen(e->path));
    add_number(records, "GNU.sparse.realsize", e->sparse_size);
}

static void begin(struct header *h, char type)
{
    memset(h, 0, sizeof *h);
    h->type = type;
    memcpy(h->magic, "ustar\00000", sizeof h->magic);
}

static void add_records(struct text *out, const struct text *records)
{
    struct header h;
    begin(&h, 'x');
    memcpy(h.name, "././@PaxHeader", 14);
    PUT(h.mode, 0);
    PUT(h.uid, 0);
    PUT(h.gid, 0);
    PUT(h.size, records->len);
    PUT(h.mtime, 0);
    put_checksum(&h);
    text_addn(out, (const char *)&h, sizeof h);
    text_addn(out, records->data, records->len);
    begin(&h, 0);
    memset(&h, 0, sizeof h);
    text_addn(out, (const char *)&h, pax_padding((int64_t)records->len));
}

static void put_devices(struct header *h, const struct pax_entry *e)
{
    bool device = e->type == PAX_CHARDEV || e->type == PAX_BLOCKDEV;
    PUT(h->major, device ? major(e->rdev) : 0);
    PUT(h->minor, device ? minor(e->rdev) : 0);
}

void pax_headers(struct text *out, const struct pax_entry *e)
{
    struct header h;
    struct text records = {0};
    begin(&h, (char)e->type);
    if (e->sparse_size == 0)
        put_path(&h, &records, e->path);
    if (e->target)
        put_target(&h, &records, e->target);
    PUT(h.mode, e->mode & 07777);
    PUT(h.size, put_or_record(e->size, OCTAL_MAX(h.size), "size", &records));
    PUT(h.uid, put_or_record(e->uid, OCTAL_MAX(h.uid), "uid", &records));
    PUT(h.gid, put_or_record(e->gid, OCTAL_MAX(h.gid), "gid", &records));
    put_mtime(&h, &records, e->mtime);
    if (e->sparse_size > 0)
        put_sparse(&h, &records, e);
    put_devices(&h, e);
    if (e->records_len)
        text_addn(&records, e->records, e->records_len);
    put_checksum(&h);
    if (records.len)
        add_records(out, &records);
    text_addn(out, (const char *)&h, sizeof h);
    out->failed |= records.failed;
    text_free(&records);
}
