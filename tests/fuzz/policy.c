/* Entries, spelled so that mutations make archives' tricks and not broken records: a byte for type
 * and flags, then strings with a byte of length each (0xff: two more, repeated that often). */
#include "fuzz.h"
#include "gate.h"

#include <string.h>

/* Its bytes, or long ones made of a short one: limits are in the thousands. */
static uint32_t take_string(struct fuzz_input *in, char *out, size_t max)
{
    size_t n = fuzz_take(in, 1), times = 1;
    if (n == 0xff) {
        n = fuzz_take(in, 1);
        times = fuzz_take(in, 2);
    }
    const uint8_t *bytes = fuzz_take_bytes(in, &n);
    if (n == 0)
        return 0;
    size_t len = 0;
    for (; times > 0 && len + n <= max; times--, len += n)
        memcpy(out + len, bytes, n);
    return (uint32_t)len;
}

static void put_xattr(char *out, uint32_t *len, const char *name, uint32_t name_len, uint32_t size)
{
    const uint16_t lengths[2] = {(uint16_t)name_len, (uint16_t)size};
    memcpy(out + *len, lengths, sizeof lengths);
    memcpy(out + *len + sizeof lengths, name, name_len);
    memset(out + *len + sizeof lengths + name_len, 'v', size);
    *len += (uint32_t)sizeof lengths + name_len + size;
}

static uint32_t take_xattrs(struct fuzz_input *in, char *out, size_t max)
{
    uint32_t len = 0;
    for (size_t n = fuzz_take(in, 1) % 8; n > 0; n--) {
        char name[300];
        uint32_t name_len = take_string(in, name, sizeof name), size = fuzz_take(in, 2) % 4096;
        if (len + 4 + name_len + size <= max)
            put_xattr(out, &len, name, name_len, size);
    }
    return len;
}

static uint32_t take_number(struct fuzz_input *in)
{
    uint32_t n = fuzz_take(in, 1);
    return n == 0xff ? UINT32_MAX : n == 0xfe ? fuzz_take(in, 4) : n;
}

static void take_numbers(struct fuzz_input *in, struct wire_record *h)
{
    h->mode = fuzz_take(in, 2) & 07777;
    h->uid = take_number(in);
    h->gid = take_number(in);
    h->mtime = take_number(in);
    h->mtime_nsec = take_number(in) % 1000000000;
    if (h->type == WIRE_FILE) {
        h->size = (uint64_t)take_number(in) << fuzz_take(in, 1) % 64;
        h->offset = (uint64_t)take_number(in) << fuzz_take(in, 1) % 64;
    }
}

/* A record as wire_read would let it through. */
static void take_item(struct fuzz_input *in, struct wire_item *item)
{
    static char path[5000], target[5000], xattrs[20000];
    struct wire_record *h = &item->head;
    uint32_t first = fuzz_take(in, 1);
    *h = (struct wire_record){.magic = WIRE_MAGIC, .kind = WIRE_ENTRY};
    h->type = (uint16_t)(WIRE_FILE + first % WIRE_SOCKET);
    h->path_len = take_string(in, path, sizeof path);
    if (h->type == WIRE_SYMLINK || h->type == WIRE_HARDLINK)
        h->target_len = take_string(in, target, sizeof target);
    if (first & 0x80)
        h->xattrs_len = take_xattrs(in, xattrs, sizeof xattrs);
    if (first & 0x40)
        take_numbers(in, h);
    h->length = (uint32_t)sizeof *h + h->path_len + h->target_len + h->xattrs_len;
    item->path = path;
    item->target = target;
    item->xattrs = xattrs;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct gate gate;
    struct fuzz_input in = {data, size};
    uint32_t first = fuzz_take(&in, 1);
    const struct limits limits = {fuzz_take(&in, 2), take_number(&in), take_number(&in), INT64_MAX};
    const struct limits none = {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX};
    gate_open(&gate, first & 1 ? POLICY_FAITHFUL : POLICY_STRICT, first & 2 ? &limits : &none);
    struct wire_item item;
    int r = 0;
    while (r == 0 && in.left > 0) {
        take_item(&in, &item);
        r = gate_add(&gate, &item);
    }
    gate_close(&gate);
    return 0;
}
