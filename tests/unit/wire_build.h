/* wire_build: records for tests, well formed unless a field is set otherwise. */
#ifndef TESTS_WIRE_BUILD_H
#define TESTS_WIRE_BUILD_H

#include "base/text.h"
#include "base/wire.h"

#include <string.h>

/* Fills magic, length and lengths of strings, then adds the record. */
static inline void wire_add(struct text *t, struct wire_record h, const char *path,
                            const char *target, const char *xattrs, size_t xattrs_len)
{
    h.magic = WIRE_MAGIC;
    h.path_len = (uint32_t)strlen(path);
    h.target_len = (uint32_t)strlen(target);
    h.xattrs_len = (uint32_t)xattrs_len;
    h.length = (uint32_t)sizeof h + h.path_len + h.target_len + h.xattrs_len;
    text_addn(t, (const char *)&h, sizeof h);
    text_add(t, path);
    text_add(t, target);
    text_addn(t, xattrs, xattrs_len);
}

static inline void wire_add_entry(struct text *t, enum wire_type type, const char *path,
                                  const char *target)
{
    wire_add(t, (struct wire_record){.kind = WIRE_ENTRY, .type = (uint16_t)type, .mode = 0755},
             path, target, "", 0);
}

static inline void wire_add_file(struct text *t, const char *path, uint64_t offset, uint64_t size)
{
    wire_add(
        t,
        (struct wire_record){
            .kind = WIRE_ENTRY, .type = WIRE_FILE, .mode = 0644, .offset = offset, .size = size},
        path, "", "", 0);
}

static inline void wire_add_end(struct text *t)
{
    wire_add(t, (struct wire_record){.kind = WIRE_END}, "", "", "", 0);
}

static inline void wire_add_error(struct text *t, uint32_t code, uint32_t num, const char *message)
{
    wire_add(t, (struct wire_record){.kind = WIRE_ERROR, .mode = code, .error_num = num}, message,
             "", "", 0);
}

/* One xattr as it lies in a record. */
static inline void wire_add_xattr(struct text *t, const char *name, const void *value, size_t n)
{
    uint16_t lengths[2] = {(uint16_t)strlen(name), (uint16_t)n};
    text_addn(t, (const char *)lengths, sizeof lengths);
    text_add(t, name);
    text_addn(t, value, n);
}

#endif
