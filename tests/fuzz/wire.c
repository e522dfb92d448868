/* A helper that writes anything at all: records, then policy and namespace. The first byte is the
 * policy, and how narrow the limits are. */
#include "fuzz.h"
#include "gate.h"
#include "records.h"

#include "base/cleanup.h"

static int take(void *ctx, const struct wire_item *item)
{
    return item->head.kind == WIRE_ENTRY ? gate_add(ctx, item) : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct limits limits[] = {{20, 10000, 30000, INT64_MAX},
                                           {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX}};
    static struct gate gate;
    if (size == 0)
        return 0;
    int fd CLEANUP_CLOSE = fuzz_file(data + 1, size - 1);
    gate_open(&gate, data[0] & 1 ? POLICY_FAITHFUL : POLICY_STRICT, &limits[data[0] >> 1 & 1]);
    records_read(fd, take, &gate);
    gate_close(&gate);
    return 0;
}
