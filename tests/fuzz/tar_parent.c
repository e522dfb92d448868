#include "tar_parent.h"

#include "fuzz.h"
#include "gate.h"
#include "records.h"

#include <string.h>
#include <unistd.h>

struct trial {
    struct gate gate;
    bool refused;
    uint64_t end; /* of the last file's range */
    uint64_t data_size;
    uint16_t last; /* kind of the last record */
};

/* Ranges go up, never over each other, within the data file. */
static void check_range(struct trial *t, const struct wire_record *h)
{
    if (h->type != WIRE_FILE || h->size == 0)
        return;
    FUZZ_MUST(h->offset >= WIRE_BLOCK && h->offset % WIRE_BLOCK == 0 && h->offset >= t->end);
    t->end = h->offset + h->size;
    FUZZ_MUST(t->end <= t->data_size);
}

static int take(void *ctx, const struct wire_item *item)
{
    struct trial *t = ctx;
    FUZZ_MUST(t->last != WIRE_END && t->last != WIRE_ERROR);
    t->last = item->head.kind;
    if (item->head.kind != WIRE_ENTRY)
        return 0;
    check_range(t, &item->head);
    FUZZ_MUST(!memchr(item->path, '\0', item->head.path_len) && item->head.path_len > 0);
    if (!t->refused)
        t->refused = gate_add(&t->gate, item) < 0;
    return 0;
}

void tar_parent_check(int records, const struct limits *limits, enum policy policy,
                      uint64_t data_size, bool failed)
{
    static struct trial t;
    t.refused = false;
    t.end = 0;
    t.data_size = data_size;
    t.last = 0;
    gate_open(&t.gate, policy, limits);
    FUZZ_MUST(lseek(records, 0, SEEK_SET) == 0 && records_read(records, take, &t) == 0);
    FUZZ_MUST(t.last == (failed ? WIRE_ERROR : WIRE_END));
    gate_close(&t.gate);
}
