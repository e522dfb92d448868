#include "records.h"

#include "fuzz.h"

#include <errno.h>
#include <string.h>

/* All that wire_read.h promises of a record. */
static void check_item(const struct wire_read *w, const struct wire_item *item)
{
    const struct wire_record *h = &item->head;
    uint64_t strings = (uint64_t)h->path_len + h->target_len + h->xattrs_len;
    FUZZ_MUST(h->magic == WIRE_MAGIC && h->kind >= WIRE_ENTRY && h->kind <= WIRE_ERROR);
    FUZZ_MUST(h->length <= WIRE_RECORD_MAX && h->length == sizeof *h + strings);
    FUZZ_MUST(item->path >= w->buf && item->path + strings <= w->buf + sizeof w->buf);
    FUZZ_MUST(item->target == item->path + h->path_len);
    FUZZ_MUST(item->xattrs == item->target + h->target_len);
    if (h->kind == WIRE_ENTRY)
        FUZZ_MUST(h->type >= WIRE_FILE && h->type <= WIRE_SOCKET && h->mode <= 07777);
    else
        FUZZ_MUST(h->target_len == 0 && h->xattrs_len == 0);
}

int records_read(int fd, int (*each)(void *ctx, const struct wire_item *item), void *ctx)
{
    static struct wire_read w; /* too large for a stack that is measured */
    struct wire_item item;
    struct err err = {0};
    int r;
    FUZZ_MUST(wire_read_init(&w, fd, -1, 1000, INT64_MAX, &err) == 0);
    while ((r = wire_read_next(&w, &item, &err)) > 0) {
        check_item(&w, &item);
        if ((r = each(ctx, &item)) != 0)
            return r;
    }
    if (r < 0) {
        fuzz_error(r, &err);
        FUZZ_MUST(r == -EPIPE || r == -EPROTO);
    }
    return r;
}
