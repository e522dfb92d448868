/* What a helper that was taken over may say: records that are mostly well formed, so that they get
 * far, and lie as well as they can. The lower bits of the seed say how badly: 0 not at all, 1 one
 * in 500, 2 one in 20, 3 bytes at random besides. */
#include "fake_helper.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "wire_build.h"

static uint32_t state;

static uint32_t random_below(uint32_t n)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state % n;
}

static bool lies(uint32_t seed)
{
    static const uint32_t one_in[] = {0, 500, 20, 100};
    return one_in[seed % 4] && random_below(one_in[seed % 4]) == 0;
}

static void random_path(char *out, size_t size, uint32_t i, bool lie)
{
    static const char *const bad[] = {"/etc/passwd",
                                      "../../../tmp/escaped",
                                      "d1/../../x",
                                      "..",
                                      "",
                                      ".",
                                      "/",
                                      "./",
                                      "d1//./x",
                                      "link/through",
                                      "d2",
                                      "d2/f/below-a-file",
                                      "\n\033[31m",
                                      "\xff\xfe",
                                      "...",
                                      "d3/.../.."};
    if (lie && random_below(8) == 0) {
        size_t n = 200 + random_below(4200);
        n = n < size ? n : size - 1;
        memset(out, random_below(2) ? 'n' : '/', n);
        out[n] = '\0';
    } else if (lie) {
        snprintf(out, size, "%s", bad[random_below(ARRAY_SIZE(bad))]);
    } else {
        snprintf(out, size, "d%u/e%u/f%u", random_below(8), random_below(8),
                 random_below(20) ? i : random_below(i + 1));
    }
}

static void random_target(char *out, size_t size, enum wire_type type, uint32_t i, bool lie)
{
    static const char *const targets[] = {"../x", "../../x", "/etc/passwd", "x", "../../../d1"};
    *out = '\0';
    if (type == WIRE_SYMLINK && !lie)
        snprintf(out, size, "%s", targets[random_below(ARRAY_SIZE(targets))]);
    else if (type == WIRE_SYMLINK || type == WIRE_HARDLINK)
        random_path(out, size, i, lie);
}

static uint64_t random_size(bool lie)
{
    static const uint64_t sizes[] = {UINT64_MAX, INT64_MAX, 1ull << 40, 1ull << 30, 4097, 0};
    return lie ? sizes[random_below(ARRAY_SIZE(sizes))] : random_below(3 * WIRE_BLOCK);
}

static void random_xattrs(struct text *x, bool lie)
{
    static const char *const names[] = {"user.a", "trusted.overlay.opaque", "security.capability",
                                        "user.overlay.metacopy", "system.posix_acl_access"};
    static const char value[64];
    if (lie)
        for (uint32_t n = random_below(70); n > 0; n--)
            wire_add_xattr(x, names[random_below(ARRAY_SIZE(names))], value, random_below(64));
    else if (random_below(10) == 0)
        wire_add_xattr(x, "user.a", "v", 1);
}

static void random_record(struct text *t, uint32_t seed, uint32_t i)
{
    static const enum wire_type usual[] = {WIRE_FILE,    WIRE_FILE, WIRE_FILE,
                                           WIRE_SYMLINK, WIRE_FIFO, WIRE_CHARDEV};
    struct text xattrs CLEANUP_TEXT = {0};
    char path[4500], target[4500];
    bool lie = lies(seed);
    enum wire_type type =
        lie && random_below(4) == 0 ? 1 + random_below(9) : usual[random_below(ARRAY_SIZE(usual))];
    random_path(path, sizeof path, i, lie);
    random_target(target, sizeof target, type, i, lie);
    random_xattrs(&xattrs, lie);
    struct wire_record h = {
        .kind = (uint16_t)(random_below(50) ? WIRE_ENTRY : WIRE_PROGRESS),
        .type = (uint16_t)type,
        .mode = random_below(010000),
        .uid = lie && random_below(3) == 0 ? UINT32_MAX : random_below(70000),
        .rdev_major = random_below(300),
        .mtime = lie ? (int64_t)((uint64_t)state << 32 | state) : (int64_t)random_below(UINT32_MAX),
        .mtime_nsec = lie && random_below(20) == 0 ? state : random_below(1000000000),
        .offset = type == WIRE_FILE ? WIRE_BLOCK * (uint64_t)random_below(lie ? UINT32_MAX : 4) : 0,
        .size = type == WIRE_FILE ? random_size(lie) : 0,
        .consumed = lie ? (uint64_t)state << 33 : i,
    };
    bool entry = h.kind == WIRE_ENTRY;
    size_t at = t->len;
    wire_add(t, h, entry ? path : "", entry ? target : "", entry ? xattrs.data : NULL,
             entry ? xattrs.len : 0);
    if (lie && seed % 4 == 3)
        for (uint32_t n = random_below(4); n > 0; n--)
            t->data[at + random_below((uint32_t)(t->len - at))] = (char)random_below(256);
}

void fake_fuzz(uint32_t seed)
{
    state = seed * 2654435761u + 1;
    for (uint32_t i = 0; i < FAKE_RECORDS; i++) {
        struct text t CLEANUP_TEXT = {0};
        random_record(&t, seed, i);
        io_write(WIRE_RECORDS_FD, t.data, t.len);
    }
}
