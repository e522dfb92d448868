#include "emit.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/wire.h"

#include <string.h>

#define EMIT_BYTES ((size_t)64 * 1024)

int emit_init(struct emit *e, int fd, struct err *err)
{
    *e = (struct emit){.fd = fd, .gathered = malloc(EMIT_BYTES)};
    if (!e->gathered)
        return err_set(err, ERR_INTERNAL, ENOMEM, "out of memory");
    return 0;
}

void emit_free(struct emit *e)
{
    free(e->gathered);
    *e = (struct emit){.fd = -1};
}

bool emit_has_room(const struct emit *e)
{
    return EMIT_BYTES - e->len >= (size_t)WIRE_RECORD_MAX;
}

static void add(struct emit *e, const void *data, size_t n)
{
    if (n)
        memcpy(e->gathered + e->len, data, n);
    e->len += n;
}

void emit_entry(struct emit *e, const struct entry *entry, uint64_t offset, uint64_t consumed)
{
    struct wire_record rec = {
        .magic = WIRE_MAGIC,
        .length = (uint32_t)(sizeof rec + entry->path_len + entry->target_len + entry->xattrs_len),
        .kind = WIRE_ENTRY,
        .type = (uint16_t)entry->type,
        .mode = entry->mode,
        .uid = entry->uid,
        .gid = entry->gid,
        .rdev_major = entry->rdev_major,
        .rdev_minor = entry->rdev_minor,
        .mtime = entry->mtime,
        .mtime_nsec = entry->mtime_nsec,
        .path_len = (uint32_t)entry->path_len,
        .target_len = (uint32_t)entry->target_len,
        .xattrs_len = (uint32_t)entry->xattrs_len,
        .offset = offset,
        .size = entry->size,
        .consumed = consumed,
    };
    add(e, &rec, sizeof rec);
    add(e, entry->path, entry->path_len);
    add(e, entry->target, entry->target_len);
    add(e, entry->xattrs, entry->xattrs_len);
}

void emit_progress(struct emit *e, uint64_t consumed, uint64_t produced)
{
    struct wire_record rec = {.magic = WIRE_MAGIC,
                              .length = sizeof rec,
                              .kind = WIRE_PROGRESS,
                              .size = produced,
                              .consumed = consumed};
    add(e, &rec, sizeof rec);
}

int emit_flush(struct emit *e, struct err *err)
{
    int r = io_write(e->fd, e->gathered, e->len);
    e->len = 0;
    return r < 0 ? err_sys(err, -r, "cannot write entry records") : 0;
}

void emit_drop(struct emit *e)
{
    e->len = 0;
}

int emit_last(struct emit *e, const struct err *err, uint64_t consumed)
{
    size_t text_len = err ? strlen(err->text) : 0;
    struct wire_record rec = {
        .magic = WIRE_MAGIC,
        .length = (uint32_t)(sizeof rec + text_len),
        .kind = err ? WIRE_ERROR : WIRE_END,
        .mode = err ? (uint32_t)err->code : e->ended,
        .path_len = (uint32_t)text_len,
        .consumed = consumed,
        .error_num = err ? (uint32_t)err->num : 0,
    };
    int r = emit_has_room(e) ? 0 : emit_flush(e, NULL);
    add(e, &rec, sizeof rec);
    if (err)
        add(e, err->text, text_len);
    return r < 0 ? r : emit_flush(e, NULL);
}

int emit_failure(int fd, const struct err *err)
{
    uint8_t room[sizeof(struct wire_record) + ERR_TEXT_MAX];
    struct emit e = {.fd = fd, .gathered = room};
    return emit_last(&e, err, 0);
}
