#include "stages/unpack/policy.h"

#include "wire_build.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static const struct limits limits = {
    .max_files = 10, .max_file_size = 1000, .max_total_size = 2500, .max_download_size = INT64_MAX};

struct fixture {
    struct policy_gate gate;
    struct entry e;
    struct err err;
};

static struct fixture fixture(enum policy policy)
{
    struct fixture f = {0};
    policy_init(&f.gate, policy, &limits);
    return f;
}

/* With lengths of their own, for strings that hold a NUL. */
static int check_n(struct fixture *f, struct wire_record h, const char *path, size_t path_len,
                   const char *target, size_t target_len, const struct text *xattrs)
{
    h.kind = WIRE_ENTRY;
    h.path_len = (uint32_t)path_len;
    h.target_len = (uint32_t)target_len;
    h.xattrs_len = xattrs ? (uint32_t)xattrs->len : 0;
    struct wire_item item = {
        .head = h, .path = path, .target = target, .xattrs = xattrs ? xattrs->data : ""};
    f->err = (struct err){0};
    return policy_check(&f->gate, &item, &f->e, &f->err);
}

static int check(struct fixture *f, struct wire_record h, const char *path, const char *target)
{
    return check_n(f, h, path, strlen(path), target, strlen(target), NULL);
}

static int check_type(struct fixture *f, enum wire_type type, const char *path, const char *target)
{
    return check(f, (struct wire_record){.type = (uint16_t)type, .mode = 0644}, path, target);
}

#define FILE_OF(mode_) ((struct wire_record){.type = WIRE_FILE, .mode = (mode_)})

Test(policy, paths)
{
    static char n255[256], n256[257], p4095[4096], p4097[4098];
    memset(n255, 'n', 255);
    memset(n256, 'n', 256);
    for (int i = 0; i < 4095; i++)
        p4095[i] = i % 2 ? '/' : 'a';
    for (int i = 0; i < 4097; i++)
        p4097[i] = i % 2 ? '/' : 'a';
    struct {
        const char *in, *out; /* NULL: refused */
    } cases[] = {
        {"a", "a"},
        {"./a", "a"},
        {"././a", "a"},
        {".//a", "a"},
        {"a//b///c", "a/b/c"},
        {"a/./d", "a/d"},
        {"a/", "a"},
        {"a/.", "a"},
        {".a", ".a"},
        {"..a", "..a"},
        {"a..", "a.."},
        {"...", "..."},
        {"a/..b/c", "a/..b/c"},
        {"..\\..\\x", "..\\..\\x"},
        {"%2e%2e/x", "%2e%2e/x"},
        {"a\nb\x1b", "a\nb\x1b"},
        {"\xff\xfe", "\xff\xfe"},
        {n255, n255},
        {p4095, p4095},
        {"", NULL},
        {"/", NULL},
        {"/a", NULL},
        {"//a", NULL},
        {"..", NULL},
        {"../a", NULL},
        {"a/..", NULL},
        {"a/../b", NULL},
        {"./../b", NULL},
        {"a//..", NULL},
        {n256, NULL},
        {p4097, NULL},
    };
    for (int policy = POLICY_STRICT; policy <= POLICY_FAITHFUL; policy++)
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            struct fixture f = fixture((enum policy)policy);
            int r = check(&f, FILE_OF(0644), cases[i].in, "");
            if (cases[i].out) {
                cr_assert_eq(r, 0, "%s: %s", cases[i].in, f.err.text);
                cr_assert_str_eq(f.e.path, cases[i].out);
            } else {
                cr_assert_lt(r, 0, "%s", cases[i].in);
                cr_assert_eq(f.err.code, ERR_UNSAFE_PATH, "%s", cases[i].in);
            }
        }
}

Test(policy, nul_in_names)
{
    struct fixture f = fixture(POLICY_FAITHFUL);
    cr_assert_lt(check_n(&f, FILE_OF(0644), "ok\0/../x", 8, "", 0, NULL), 0);
    cr_assert_eq(f.err.code, ERR_UNSAFE_PATH);
    cr_assert_lt(check_n(&f, (struct wire_record){.type = WIRE_SYMLINK}, "l", 1, "a\0b", 3, NULL),
                 0);
    cr_assert_eq(f.err.code, ERR_UNSAFE_LINK);
    cr_assert_lt(check_n(&f, (struct wire_record){.type = WIRE_HARDLINK}, "l", 1, "a\0b", 3, NULL),
                 0);
    cr_assert_eq(f.err.code, ERR_UNSAFE_LINK);
}

Test(policy, messages_are_one_printable_line)
{
    struct fixture f = fixture(POLICY_STRICT);
    char path[3000];
    memset(path, '\n', sizeof path);
    cr_assert_lt(check_n(&f, FILE_OF(0644), path, sizeof path, "", 0, NULL), 0);
    for (const char *p = f.err.text; *p; p++)
        cr_assert(*p >= 0x20 && *p < 0x7f);
    cr_assert_lt(strlen(f.err.text), 400);
    cr_assert(strstr(f.err.text, "..."));
}

Test(policy, root_entry_must_be_a_directory)
{
    const char *roots[] = {".", "./", "./.", ".//"};
    for (size_t i = 0; i < 4; i++) {
        struct fixture f = fixture(POLICY_FAITHFUL);
        cr_assert_eq(check_type(&f, WIRE_DIR, roots[i], ""), 0);
        cr_assert_str_eq(f.e.path, "");
        for (int type = WIRE_FILE; type <= WIRE_SOCKET; type++)
            if (type != WIRE_DIR) {
                cr_assert_lt(check_type(&f, (enum wire_type)type, roots[i], "x"), 0);
                cr_assert_eq(f.err.code, ERR_UNSAFE_PATH);
                f = fixture(POLICY_FAITHFUL);
            }
    }
}

Test(policy, modes)
{
    struct {
        enum wire_type type;
        unsigned mode, strict;
    } cases[] = {
        {WIRE_FILE, 0644, 0644},  {WIRE_FILE, 0666, 0644},  {WIRE_FILE, 0777, 0755},
        {WIRE_FILE, 04755, 0755}, {WIRE_FILE, 02711, 0711}, {WIRE_FILE, 01600, 0600},
        {WIRE_FILE, 0000, 0000},  {WIRE_FILE, 0400, 0400},  {WIRE_FILE, 07777, 0755},
        {WIRE_DIR, 0777, 0755},   {WIRE_DIR, 01777, 0755},  {WIRE_DIR, 02755, 0755},
        {WIRE_DIR, 0000, 0700},   {WIRE_DIR, 0555, 0755},   {WIRE_DIR, 0111, 0711},
        {WIRE_DIR, 0050, 0750},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct wire_record h = {.type = (uint16_t)cases[i].type, .mode = cases[i].mode};
        struct fixture strict = fixture(POLICY_STRICT), faithful = fixture(POLICY_FAITHFUL);
        cr_assert_eq(check(&strict, h, "x", ""), 0);
        cr_assert_eq(strict.e.meta.mode, cases[i].strict, "%o", cases[i].mode);
        cr_assert_eq(check(&faithful, h, "x", ""), 0);
        cr_assert_eq(faithful.e.meta.mode, cases[i].mode);
    }
}

Test(policy, owner_and_times_pass)
{
    struct fixture f = fixture(POLICY_STRICT);
    struct wire_record h = {
        .type = WIRE_FILE, .uid = 1000, .gid = 4294967294, .mtime = -5, .mtime_nsec = 7};
    cr_assert_eq(check(&f, h, "x", ""), 0);
    cr_assert(f.e.meta.uid == 1000 && f.e.meta.gid == 4294967294);
    cr_assert(f.e.meta.mtime == -5 && f.e.meta.mtime_nsec == 7);
    h.uid = UINT32_MAX;
    cr_assert_lt(check(&f, h, "x", ""), 0);
    cr_assert_eq(f.err.code, ERR_CORRUPT_ARCHIVE);
}

Test(policy, special_files_are_left_out_under_strict)
{
    for (int type = WIRE_CHARDEV; type <= WIRE_SOCKET; type++) {
        struct fixture strict = fixture(POLICY_STRICT), faithful = fixture(POLICY_FAITHFUL);
        cr_assert_eq(check_type(&strict, (enum wire_type)type, "x", ""), 0);
        cr_assert(strict.e.skip);
        cr_assert_eq(check_type(&faithful, (enum wire_type)type, "x", ""), 0);
        cr_assert_not(faithful.e.skip);
    }
}

Test(policy, symlinks_that_climb)
{
    struct {
        const char *path, *target;
        bool refused;
    } cases[] = {
        {"l", "x", false},
        {"l", "/etc/passwd", false},
        {"l", "/../../..", false},
        {"l", "..", false},
        {"l", "../etc", false},
        {"l", "./..", false},
        {"l", "a/..", false},
        {"l", "a/../..", false},
        {"l", "a/../../b/c/d", false},
        {"l", "...", false},
        {"a/l", "..", false},
        {"a/l", "../x", false},
        {"l", "../..", true},
        {"l", "../../../etc/passwd", true},
        {"l", "a/../../..", true},
        {"a/l", "../../../etc/passwd", true},
        {"a/b/l", "../..", false},
        {"a/b/l", "../../..", false},
        {"a/b/l", "x//..//../..", false},
        {"a/b/l", "../../../..", true},
        {"a/b/l", "x/../../../../..", true},
        {"a/b/l", "x/../../../..", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture strict = fixture(POLICY_STRICT), faithful = fixture(POLICY_FAITHFUL);
        int r = check_type(&strict, WIRE_SYMLINK, cases[i].path, cases[i].target);
        cr_assert_eq(r < 0, cases[i].refused, "%s -> %s", cases[i].path, cases[i].target);
        if (r < 0)
            cr_assert_eq(strict.err.code, ERR_UNSAFE_LINK);
        cr_assert_eq(check_type(&faithful, WIRE_SYMLINK, cases[i].path, cases[i].target), 0);
        cr_assert_str_eq(faithful.e.target, cases[i].target);
    }
}

Test(policy, a_symlink_reached_by_hard_link_is_judged_where_the_link_is)
{
    struct fixture f = fixture(POLICY_STRICT);
    cr_assert_eq(check_type(&f, WIRE_SYMLINK, "x/y/z/l", "../../../t"), 0);
    unsigned climb = f.e.climb;
    cr_assert_eq(climb, 3);
    cr_assert_eq(check_type(&f, WIRE_HARDLINK, "h", "x/y/z/l"), 0);
    cr_assert_lt(policy_check_linked(&f.gate, &f.e, climb, &f.err), 0);
    cr_assert_eq(f.err.code, ERR_UNSAFE_LINK);
    cr_assert_eq(check_type(&f, WIRE_HARDLINK, "a/b/c/h", "x/y/z/l"), 0);
    cr_assert_eq(policy_check_linked(&f.gate, &f.e, climb, &f.err), 0);
    f.gate.policy = POLICY_FAITHFUL;
    cr_assert_eq(check_type(&f, WIRE_HARDLINK, "h", "x/y/z/l"), 0);
    cr_assert_eq(policy_check_linked(&f.gate, &f.e, climb, &f.err), 0);
}

Test(policy, link_targets)
{
    static char long_target[4097];
    memset(long_target, 'a', 4096);
    struct fixture f = fixture(POLICY_FAITHFUL);
    cr_assert_eq(check_type(&f, WIRE_HARDLINK, "h", "./a//b/./c"), 0);
    cr_assert_str_eq(f.e.target, "a/b/c");
    const char *bad[] = {"", "/a", "../a", "a/../b", long_target};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert_lt(check_type(&f, WIRE_HARDLINK, "h", bad[i]), 0, "%s", bad[i]);
        cr_assert_eq(f.err.code, ERR_UNSAFE_LINK);
    }
    cr_assert_lt(check_type(&f, WIRE_SYMLINK, "l", ""), 0);
    cr_assert_eq(f.err.code, ERR_UNSAFE_LINK);
    f = fixture(POLICY_FAITHFUL);
    cr_assert_lt(check_type(&f, WIRE_SYMLINK, "l", long_target), 0);
    cr_assert_eq(f.err.code, ERR_UNSAFE_LINK);
    long_target[4095] = '\0';
    cr_assert_eq(check_type(&f, WIRE_SYMLINK, "l", long_target), 0);
}

Test(policy, max_files)
{
    struct fixture f = fixture(POLICY_STRICT);
    for (int i = 0; i < 10; i++)
        cr_assert_eq(check(&f, FILE_OF(0644), "same", ""), 0);
    cr_assert_lt(check(&f, FILE_OF(0644), "same", ""), 0);
    cr_assert_eq(f.err.code, ERR_TOO_MANY_FILES);
    cr_assert(strstr(f.err.text, "10 entries") && strstr(f.err.text, "max_files"));

    f = fixture(POLICY_STRICT);
    cr_assert_eq(check(&f, FILE_OF(0644), "a/b/c", ""), 0);
    cr_assert_eq(policy_count_implied(&f.gate, 9, &f.err), 0);
    cr_assert_lt(policy_count_implied(&f.gate, 1, &f.err), 0);
    cr_assert_eq(f.err.code, ERR_TOO_MANY_FILES);
}

static struct wire_record sized(uint64_t offset, uint64_t size)
{
    return (struct wire_record){.type = WIRE_FILE, .offset = offset, .size = size};
}

Test(policy, sizes)
{
    struct fixture f = fixture(POLICY_STRICT);
    cr_assert_eq(check(&f, sized(4096, 1000), "a", ""), 0);
    cr_assert_lt(check(&f, sized(4096, 1001), "a", ""), 0);
    cr_assert_eq(f.err.code, ERR_TOO_LARGE_FILE);
    cr_assert(strstr(f.err.text, "1001") && strstr(f.err.text, "max_file_size"));
    cr_assert_lt(check(&f, sized(4096, UINT64_MAX), "a", ""), 0);
    cr_assert_eq(f.err.code, ERR_TOO_LARGE_FILE);
    cr_assert_eq(check(&f, sized(0, 1000), "b", ""), 0, "%s", f.err.text);
    cr_assert_eq(check(&f, sized(0, 500), "b", ""), 0);
    cr_assert_eq(f.gate.bytes, 2500);
    cr_assert_lt(check(&f, sized(0, 1), "b", ""), 0);
    cr_assert_eq(f.err.code, ERR_TOO_LARGE_TOTAL);
    cr_assert(strstr(f.err.text, "2500") && strstr(f.err.text, "max_total_size"));
}

Test(policy, sizes_do_not_overflow)
{
    struct limits max = {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX};
    struct fixture f = fixture(POLICY_STRICT);
    f.gate.limits = &max;
    cr_assert_lt(check(&f, sized(0, (uint64_t)INT64_MAX + 1), "a", ""), 0);
    cr_assert_eq(f.err.code, ERR_TOO_LARGE_FILE);
    cr_assert_eq(check(&f, sized(0, INT64_MAX), "a", ""), 0);
    cr_assert_lt(check(&f, sized(0, 1), "a", ""), 0);
    cr_assert_eq(f.err.code, ERR_TOO_LARGE_TOTAL);
}

Test(policy, places_in_the_data_file)
{
    const uint64_t bad[] = {1, 4095, 4097, UINT64_MAX, UINT64_MAX - 4095, (1ull << 63) - 4096};
    struct fixture f = fixture(POLICY_STRICT);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        f = fixture(POLICY_STRICT);
        struct limits max = {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX};
        f.gate.limits = &max;
        cr_assert_lt(check(&f, sized(bad[i], 8192), "a", ""), 0, "%llu",
                     (unsigned long long)bad[i]);
        cr_assert_eq(f.err.code, ERR_INTERNAL);
    }
}

static bool keeps(enum policy policy, enum wire_type type, const char *name)
{
    struct text x CLEANUP_TEXT = {0};
    struct fixture f = fixture(policy);
    wire_add_xattr(&x, name, "v", 1);
    cr_assert_eq(check_n(&f, (struct wire_record){.type = (uint16_t)type}, "f", 1,
                         type == WIRE_SYMLINK ? "t" : "", type == WIRE_SYMLINK, &x),
                 0);
    cr_assert(f.e.xattrs_len == 0 || f.e.xattrs_len == x.len);
    return f.e.xattrs_len > 0;
}

Test(policy, xattrs_are_filtered)
{
    struct {
        enum wire_type type;
        const char *name;
        bool strict, faithful;
    } cases[] = {
        {WIRE_FILE, "user.a", true, true},
        {WIRE_DIR, "user.a", true, true},
        {WIRE_SYMLINK, "user.a", false, false}, /* Linux has none there */
        {WIRE_FIFO, "user.a", false, false},
        {WIRE_FILE, "user.", false, false},
        {WIRE_FILE, "user", false, false},
        {WIRE_FILE, "user.overlay.opaque", false, false},
        {WIRE_FILE, "user.overlayfs", true, true},
        {WIRE_FILE, "user.overlay.", false, false},
        {WIRE_FILE, "trusted.overlay.", false, false},
        {WIRE_FILE, "trusted.overlay.opaque", false, false},
        {WIRE_DIR, "trusted.overlay.redirect", false, false},
        {WIRE_FILE, "trusted.a", false, true},
        {WIRE_FILE, "security.capability", false, true},
        {WIRE_SYMLINK, "security.selinux", false, true},
        {WIRE_FILE, "system.posix_acl_access", false, true},
        {WIRE_FILE, "com.apple.quarantine", false, false},
        {WIRE_FILE, "USER.a", false, false},
        {WIRE_FILE, "", false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert_eq(keeps(POLICY_STRICT, cases[i].type, cases[i].name), cases[i].strict, "%s",
                     cases[i].name);
        cr_assert_eq(keeps(POLICY_FAITHFUL, cases[i].type, cases[i].name), cases[i].faithful, "%s",
                     cases[i].name);
    }
    char long_name[300] = "user.";
    memset(long_name + 5, 'n', 251);
    cr_assert_not(keeps(POLICY_STRICT, WIRE_FILE, long_name));
    long_name[255] = '\0';
    cr_assert(keeps(POLICY_STRICT, WIRE_FILE, long_name));
}

Test(policy, one_xattr_of_many_is_left_out)
{
    struct text x CLEANUP_TEXT = {0}, want CLEANUP_TEXT = {0};
    struct fixture f = fixture(POLICY_STRICT);
    wire_add_xattr(&x, "user.a", "1", 1);
    wire_add_xattr(&x, "trusted.b", "22", 2);
    wire_add_xattr(&x, "user.c", "", 0);
    wire_add_xattr(&want, "user.a", "1", 1);
    wire_add_xattr(&want, "user.c", "", 0);
    cr_assert_eq(check_n(&f, FILE_OF(0644), "f", 1, "", 0, &x), 0);
    cr_assert_eq(f.e.xattrs_len, want.len);
    cr_assert_eq(memcmp(f.e.xattrs, want.data, want.len), 0);
}

Test(policy, xattrs_have_a_limit)
{
    static char value[3072];
    struct text exact CLEANUP_TEXT = {0}, over CLEANUP_TEXT = {0};
    struct fixture f = fixture(POLICY_STRICT);
    wire_add_xattr(&exact, "user.a", value, 3072 - 6);
    cr_assert_eq(check_n(&f, FILE_OF(0644), "f", 1, "", 0, &exact), 0);
    wire_add_xattr(&over, "user.a", value, 3072 - 6);
    wire_add_xattr(&over, "x", "", 0);
    cr_assert_lt(check_n(&f, FILE_OF(0644), "f", 1, "", 0, &over), 0);
    cr_assert_eq(f.err.code, ERR_TOO_LARGE_FILE);
    cr_assert(strstr(f.err.text, "3072"));
}
