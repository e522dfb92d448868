#include "reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>

/* More than any entry within the limits has (a pax header with path, link and xattrs comes to less
 * than 24 KiB); the rest is for sparse maps. */
#define ENTRY_HEADERS_MAX ((uint64_t)1 << 20)
#define OVERHEAD_ENTRY    ((uint64_t)32 << 10) /* allowed for each entry seen ... */
#define OVERHEAD_BASE     ((uint64_t)64 << 20) /* ... and once */
#define TAIL_MAX          ((uint64_t)64 << 20) /* inflated bytes behind the end of the archive */

static int corrupt(struct err *err, const char *what)
{
    return err_set(err, ERR_CORRUPT_ARCHIVE, EBADMSG, "%s", what);
}

static int check_budget(const struct reader *r, struct err *err)
{
    /* libarchive was handed up to a buffer more than it has taken. */
    uint64_t headers = r->inflate->produced - r->header_at;
    if (r->in_headers && headers > ENTRY_HEADERS_MAX + INFLATE_OUT_BYTES)
        return corrupt(err, "the headers of one entry take more than 1 MiB");
    uint64_t overhead = r->inflate->produced - r->contents;
    if (overhead > OVERHEAD_BASE + r->headers * OVERHEAD_ENTRY)
        return corrupt(err, "headers and skipped data take more than 64 MiB and 32 KiB an entry");
    return 0;
}

/* Of the first block. */
static bool is_null(const uint8_t *data, size_t n)
{
    size_t i = 0;
    while (i < n && i < 512 && data[i] == 0)
        i++;
    return i == n || i == 512;
}

/* How much of the tar libarchive has taken; it was handed more. */
static uint64_t taken(struct archive *a)
{
    return (uint64_t)archive_filter_bytes(a, 0);
}

static ssize_t next_piece(struct archive *a, struct reader *r, const void **data)
{
    if (headers_keep(&r->raw, r->in_headers ? r->raw_at : taken(a), r->err) < 0)
        return -1;
    ssize_t n = inflate_next(r->inflate, data, r->err);
    headers_piece(&r->raw, n > 0 ? *data : NULL, n > 0 ? (size_t)n : 0);
    return n;
}

static la_ssize_t on_read(struct archive *a, void *ctx, const void **data)
{
    struct reader *r = ctx;
    bool first = r->inflate->produced == 0;
    ssize_t n = next_piece(a, r, data);
    if (first && n > 0)
        r->starts_null = is_null(*data, (size_t)n);
    if (n > 0 && check_budget(r, r->err) < 0)
        n = -1;
    r->failed = n < 0;
    if (n < 0)
        archive_set_error(a, EIO, "cannot read");
    return n < 0 ? -1 : n;
}

int reader_open(struct reader *r, struct inflate *inflate, struct err *err)
{
    *r = (struct reader){.archive = archive_read_new(), .inflate = inflate};
    if (!r->archive)
        return err_set(err, ERR_INTERNAL, ENOMEM, "out of memory");
    if (archive_read_support_format_tar(r->archive) != ARCHIVE_OK ||
        archive_read_set_read_callback(r->archive, on_read) != ARCHIVE_OK ||
        archive_read_set_callback_data(r->archive, r) != ARCHIVE_OK)
        return err_set(err, ERR_INTERNAL, EINVAL, "libarchive cannot read tar");
    return 0;
}

void reader_close(struct reader *r)
{
    if (r->archive)
        archive_read_free(r->archive);
    headers_free(&r->raw);
    *r = (struct reader){0};
}

/* In the C locale names are exact bytes, and libarchive says so of each pax name that is not ASCII.
 * Nobody here looks at ACLs, or at names of owners. */
static bool is_harmless(const char *warning)
{
    static const char encoding[] = "can't be converted from UTF-8 to current locale.";
    return strstr(warning, encoding) || strncmp(warning, "Parse error:  SCHILY.acl.", 25) == 0;
}

/* libarchive's error strings are fixed texts, but for numbers; it may have none. */
static int failure(struct reader *r, struct err *err)
{
    if (r->failed)
        return -err->num;
    int num = archive_errno(r->archive);
    const char *text = archive_error_string(r->archive);
    if (num == ENOMEM)
        return err_set(err, ERR_INTERNAL, ENOMEM, "out of memory");
    if (archive_format(r->archive) == 0)
        return err_set(err, ERR_UNSUPPORTED_FORMAT, EINVAL, "no tar archive, compressed or not");
    if (!text)
        return corrupt(err, "damaged tar archive");
    static const char ignoring[] = "Ignoring "; /* libarchive would; we don't */
    if (strncmp(text, ignoring, sizeof ignoring - 1) == 0)
        text += sizeof ignoring - 1;
    return err_set(err, ERR_CORRUPT_ARCHIVE, EBADMSG, "tar: %s", text);
}

static int next_header(struct reader *r, struct archive_entry **entry, struct err *err)
{
    int result = archive_read_next_header(r->archive, entry);
    if (result == ARCHIVE_EOF && r->headers == 0 && !r->starts_null)
        return corrupt(err, "headers, but no entry");
    r->ended = result == ARCHIVE_EOF && taken(r->archive) > r->raw_at;
    if (result == ARCHIVE_EOF)
        return 0;
    if (result != ARCHIVE_OK && result != ARCHIVE_WARN)
        return failure(r, err);
    /* A warning may be gone from the result (a GNU long link does that), never from the text. */
    const char *warning = archive_error_string(r->archive);
    if (result == ARCHIVE_WARN || warning)
        if (!warning || !is_harmless(warning))
            return failure(r, err);
    int seen = headers_check(&r->raw, r->raw_at, taken(r->archive), err);
    return seen < 0 ? seen : 1;
}

int reader_start(struct reader *r, struct err *err)
{
    int result = inflate_start(r->inflate, err);
    if (result < 0)
        return result;
    r->err = err;
    r->in_headers = true;
    return archive_read_open1(r->archive) == ARCHIVE_OK ? 0 : failure(r, err);
}

int reader_next(struct reader *r, struct archive_entry **entry, struct err *err)
{
    r->err = err;
    if (r->headers > 0 && archive_read_data_skip(r->archive) != ARCHIVE_OK)
        return failure(r, err);
    r->header_at = r->inflate->produced;
    r->raw_at = taken(r->archive);
    r->in_headers = true;
    int result = next_header(r, entry, err);
    r->in_headers = false;
    r->headers += result > 0;
    return result;
}

int reader_block(struct reader *r, const void **data, size_t *n, int64_t *offset, struct err *err)
{
    r->err = err;
    la_int64_t at = 0;
    int result = archive_read_data_block(r->archive, data, n, &at);
    if (result == ARCHIVE_EOF)
        return 0;
    if (result != ARCHIVE_OK)
        return failure(r, err);
    *offset = at;
    r->contents += *n;
    return 1;
}

int reader_drain(struct reader *r, struct err *err)
{
    uint64_t end = r->inflate->produced;
    for (;;) {
        const void *data;
        ssize_t n = inflate_next(r->inflate, &data, err);
        if (n <= 0)
            return (int)n;
        /* What is not compressed is bounded by its download. */
        if (r->inflate->codec->format != FORMAT_TAR && r->inflate->produced - end > TAIL_MAX)
            return corrupt(err, "more than 64 MiB follow the end of the archive");
    }
}
