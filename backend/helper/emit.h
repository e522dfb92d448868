/* emit: records to the parent (base/wire.h). Entries are gathered; nothing is on its way before
 * emit_flush or the record that ends the stream. One thread. */
#ifndef HELPER_EMIT_H
#define HELPER_EMIT_H

#include "base/err.h"
#include "entry.h"

#include <stdbool.h>

struct emit {
    int fd; /* borrowed */
    uint8_t *gathered;
    size_t len;
    bool ended; /* what WIRE_END says: the archive has its end-of-archive blocks */
};

int emit_init(struct emit *e, int fd, struct err *err);
void emit_free(struct emit *e);

/* Whether there is room for any one record; if not, flush first. */
bool emit_has_room(const struct emit *e);

/* offset and size as in struct wire_record; there must be room. */
void emit_entry(struct emit *e, const struct entry *entry, uint64_t offset, uint64_t consumed);
void emit_progress(struct emit *e, uint64_t consumed, uint64_t produced);

int emit_flush(struct emit *e, struct err *err);

/* Forgets what is gathered: it speaks of contents that could not be written. */
void emit_drop(struct emit *e);

/* What is gathered and the last record: WIRE_END if err is NULL, else WIRE_ERROR. */
int emit_last(struct emit *e, const struct err *err, uint64_t consumed);

/* WIRE_ERROR alone, from one who has no struct emit, or must not use it. Takes no memory. */
int emit_failure(int fd, const struct err *err);

#endif
