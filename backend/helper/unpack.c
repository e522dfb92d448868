#include "unpack.h"

#include "base/text.h"

#include <errno.h>
#include <inttypes.h>

#define PROGRESS_BYTES (1 << 20)
#define PROGRESS_MS    100

/* Records follow what they speak of. */
static int flush(struct unpack *u, struct err *err)
{
    int r = contents_flush(&u->contents, err);
    return r < 0 ? r : emit_flush(&u->emit, err);
}

static int make_room(struct unpack *u, struct err *err)
{
    return emit_has_room(&u->emit) ? 0 : flush(u, err);
}

/* Also where much comes of little: a parent that hears of no headway ends us. */
static int show_progress(void *ctx, struct err *err)
{
    struct unpack *u = ctx;
    int64_t now = text_monotonic_ms();
    if (u->inflate.consumed - u->shown < PROGRESS_BYTES && now - u->shown_at < PROGRESS_MS)
        return 0;
    u->shown = u->inflate.consumed;
    u->shown_at = now;
    int r = make_room(u, err);
    if (r < 0)
        return r;
    emit_progress(&u->emit, u->inflate.consumed, u->inflate.produced);
    return flush(u, err);
}

int unpack_init(struct unpack *u, const struct limits *limits, int archive_fd, int data_fd,
                int records_fd, struct err *err)
{
    *u = (struct unpack){.limits = limits, .shown_at = text_monotonic_ms()};
    int r = emit_init(&u->emit, records_fd, err);
    if (r == 0)
        r = contents_init(&u->contents, data_fd, err);
    if (r == 0)
        r = inflate_init(&u->inflate, archive_fd, err);
    if (r == 0)
        r = reader_open(&u->reader, &u->inflate, err);
    u->inflate.on_read = show_progress;
    u->inflate.ctx = u;
    return r;
}

void unpack_free(struct unpack *u)
{
    reader_close(&u->reader);
    inflate_free(&u->inflate);
    contents_free(&u->contents);
    emit_free(&u->emit);
}

/* From the header, before a byte of contents is read. */
static int check_limits(struct unpack *u, struct err *err)
{
    const struct limits *l = u->limits;
    const struct entry *e = &u->entry;
    if (e->size > (uint64_t)l->max_file_size)
        return entry_fail(e->path, err, ERR_TOO_LARGE_FILE, EFBIG,
                          "%" PRIu64 " bytes, over max_file_size=%" PRId64
                          "; raise it with -o max_file_size=SIZE",
                          e->size, l->max_file_size);
    if (__builtin_add_overflow(u->total, (int64_t)e->size, &u->total) ||
        u->total > l->max_total_size)
        return err_set(err, ERR_TOO_LARGE_TOTAL, EFBIG,
                       "more contents than max_total_size=%" PRId64
                       " bytes; raise it with -o max_total_size=SIZE",
                       l->max_total_size);
    return 0;
}

static int write_contents(struct unpack *u, uint64_t *offset, struct err *err)
{
    int r = contents_begin(&u->contents, u->entry.size, offset, err);
    const void *data;
    size_t n;
    int64_t at;
    while (r == 0 && (r = reader_block(&u->reader, &data, &n, &at, err)) > 0) {
        r = contents_write(&u->contents, at, data, n, err);
        if (r == 0)
            r = show_progress(u, err);
    }
    if (r == 0)
        contents_end(&u->contents);
    return r;
}

static int one_entry(struct unpack *u, struct archive_entry *ae, struct err *err)
{
    if (u->reader.headers > (uint64_t)u->limits->max_files)
        return err_set(err, ERR_TOO_MANY_FILES, E2BIG,
                       "more entries than max_files=%" PRId64 "; raise it with -o max_files=N",
                       u->limits->max_files);
    int r = entry_read(ae, &u->entry, err);
    if (r == 0)
        r = check_limits(u, err);
    uint64_t offset = 0;
    if (r == 0 && u->entry.type == WIRE_FILE)
        r = write_contents(u, &offset, err);
    if (r == 0)
        r = make_room(u, err);
    if (r == 0)
        emit_entry(&u->emit, &u->entry, offset, u->inflate.consumed);
    return r;
}

static int all_entries(struct unpack *u, struct err *err)
{
    int r = reader_start(&u->reader, err);
    struct archive_entry *ae;
    while (r == 0 && (r = reader_next(&u->reader, &ae, err)) > 0)
        r = one_entry(u, ae, err);
    return r == 0 ? reader_drain(&u->reader, err) : r;
}

int unpack_run(struct unpack *u, struct err *err)
{
    int r = all_entries(u, err);
    u->emit.ended = u->reader.ended;
    /* What came before a failure is sent all the same: the parent may find fault earlier. */
    int flushed = contents_flush(&u->contents, r == 0 ? err : NULL);
    if (flushed < 0)
        emit_drop(&u->emit);
    return r == 0 ? flushed : r;
}

int64_t unpack_data_max(const struct limits *limits)
{
    int64_t max;
    if (__builtin_mul_overflow(limits->max_files, (int64_t)WIRE_BLOCK, &max) ||
        __builtin_add_overflow(max, limits->max_total_size, &max) ||
        __builtin_add_overflow(max, 2 * WIRE_BLOCK, &max))
        return INT64_MAX;
    return max;
}
