#include "stages/export/pax.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

static struct text out;

static void tear_down(void)
{
    text_free(&out);
}

TestSuite(pax, .fini = tear_down, .timeout = 60);

static const char *headers(const struct pax_entry *e)
{
    out.len = 0;
    pax_headers(&out, e);
    cr_assert_not(out.failed);
    cr_assert_eq(out.len % PAX_BLOCK, 0);
    return out.data;
}

static unsigned long octal(const char *field)
{
    return strtoul(field, NULL, 8);
}

static void check_sum(const char *h)
{
    unsigned sum = 0;
    for (size_t i = 0; i < PAX_BLOCK; i++)
        sum += i >= 148 && i < 156 ? ' ' : (unsigned char)h[i];
    cr_assert_eq(octal(h + 148), sum);
    cr_assert_eq(memcmp(h + 257, "ustar\00000", 8), 0);
}

/* The records before the entry's own header; NULL: there are none. Every one is well formed. */
static const char *records(const struct pax_entry *e)
{
    static char list[8192];
    const char *h = headers(e);
    check_sum(h);
    check_sum(h + out.len - PAX_BLOCK);
    if (h[156] != 'x') {
        cr_assert_eq(out.len, PAX_BLOCK);
        return NULL;
    }
    size_t size = octal(h + 124);
    cr_assert_eq(out.len, 2 * PAX_BLOCK + (size + PAX_BLOCK - 1) / PAX_BLOCK * PAX_BLOCK);
    memcpy(list, h + PAX_BLOCK, size);
    list[size] = '\0';
    for (size_t at = 0; at < size;) {
        size_t n = strtoul(list + at, NULL, 10);
        cr_assert(n > 0 && at + n <= size, "%s", list + at);
        cr_assert_eq(list[at + n - 1], '\n');
        at += n;
    }
    return list;
}

static const char *last(void)
{
    return out.data + out.len - PAX_BLOCK;
}

#define PLAIN PLAIN_OF(PAX_FILE)
#define PLAIN_OF(type_)                                                                            \
    .type = (type_), .path = "./f", .mode = 0100644, .mtime = {.tv_sec = 1700000000}

Test(pax, what_fits_needs_one_block)
{
    struct pax_entry e = {PLAIN, .uid = 07777777, .gid = 1000, .size = 077777777777};
    cr_assert_null(records(&e));
    cr_assert_str_eq(last(), "./f");
    cr_assert_eq(octal(last() + 100), 0644);
    cr_assert_eq(octal(last() + 108), 07777777);
    cr_assert_eq(octal(last() + 116), 1000);
    cr_assert_eq(strtoull(last() + 124, NULL, 8), 077777777777);
    cr_assert_eq(octal(last() + 136), 1700000000);
    cr_assert_eq(last()[156], '0');
    cr_assert_str_eq(last() + 265, "", "no names of owners");
    cr_assert_str_eq(last() + 297, "");
}

Test(pax, large_numbers_are_records)
{
    struct pax_entry e = {PLAIN, .uid = 010000000, .gid = 4294967294, .size = 0100000000000};
    cr_assert_str_eq(records(&e), "19 size=8589934592\n15 uid=2097152\n18 gid=4294967294\n");
    cr_assert_eq(octal(last() + 108), 0);
    cr_assert_eq(octal(last() + 124), 0);
}

static const char *path_of_bytes(size_t n, char byte)
{
    static char path[5000];
    memset(path, byte, n);
    memcpy(path, "./", 2);
    path[n] = '\0';
    return path;
}

Test(pax, long_names)
{
    struct pax_entry e = {PLAIN};
    char want[6000];
    e.path = path_of_bytes(100, 'a');
    cr_assert_null(records(&e), "100 bytes are the field's");
    cr_assert_eq(strncmp(last(), e.path, 100), 0);

    e.path = path_of_bytes(102, 'a');
    cr_assert_null(records(&e), "`.` is the prefix of what is behind it");
    cr_assert_str_eq(last() + 345, ".");
    cr_assert_eq(strncmp(last(), e.path + 2, 100), 0);

    static const size_t sizes[] = {103, 255, 256, 257, 4095, 4900};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        e.path = path_of_bytes(sizes[i], '\xe9');
        size_t n = sizes[i] + strlen("xxx path=\n") + (sizes[i] + 11 > 999);
        snprintf(want, sizeof want, "%zu path=%s\n", n, e.path);
        cr_assert_str_eq(records(&e), want);
    }
}

Test(pax, a_long_path_is_parted_where_it_can_be)
{
    char path[300];
    memset(path, 'd', sizeof path);
    memcpy(path, "./", 2);
    path[155] = '/';
    path[256] = '\0'; /* 155, /, 100 */
    struct pax_entry e = {PLAIN};
    e.path = path;
    cr_assert_null(records(&e));
    cr_assert_eq(strncmp(last() + 345, path, 155), 0);
    cr_assert_eq(strncmp(last(), path + 156, 100), 0);

    path[155] = 'd';
    path[156] = '/';
    cr_assert(records(&e), "the prefix is too long");

    path[156] = 'd';
    path[100] = '/';
    path[200] = '/';
    path[201] = '\0';
    e.type = PAX_DIR;
    cr_assert(records(&e) == NULL, "a slash at the end parts nothing");
    cr_assert_eq(strncmp(last() + 345, path, 100), 0);
    cr_assert_eq(last()[345 + 100], '\0');
}

Test(pax, links)
{
    struct pax_entry e = {PLAIN_OF(PAX_HARDLINK), .target = path_of_bytes(100, 'b')};
    cr_assert_null(records(&e));
    cr_assert_eq(strncmp(last() + 157, e.target, 100), 0);
    cr_assert_eq(last()[156], '1');
    e.target = path_of_bytes(101, 'b');
    char want[200];
    snprintf(want, sizeof want, "115 linkpath=%s\n", e.target);
    e.type = PAX_SYMLINK;
    cr_assert_str_eq(records(&e), want);
    cr_assert_eq(last()[156], '2');
}

Test(pax, the_length_of_a_record_counts_its_own_digits)
{
    for (size_t n = 1; n < 1100; n++) {
        char value[1100];
        memset(value, 'v', n);
        out.len = 0;
        pax_record(&out, "", "k", value, n);
        cr_assert_eq(strtoul(out.data, NULL, 10), out.len, "%zu", n);
    }
}

Test(pax, times)
{
    static const struct {
        struct timespec t;
        const char *reads;
    } times[] = {
        {{0, 0}, "0"},
        {{1700000000, 500000000}, "1700000000.5"},
        {{1700000000, 1}, "1700000000.000000001"},
        {{1, 123456789}, "1.123456789"},
        {{-1, 0}, "-1"},
        {{-2, 500000000}, "-1.5"},
        {{-1, 999999999}, "-0.000000001"},
        {{-100, 100000000}, "-99.9"},
    };
    char got[PAX_TIME_MAX];
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        pax_time(got, times[i].t);
        cr_assert_str_eq(got, times[i].reads);
    }
    struct pax_entry e = {PLAIN};
    e.mtime.tv_nsec = 500000000;
    cr_assert_str_eq(records(&e), "22 mtime=1700000000.5\n");
    cr_assert_eq(octal(last() + 136), 1700000000, "for who knows no records");
    e.mtime = (struct timespec){-2, 500000000};
    cr_assert_str_eq(records(&e), "14 mtime=-1.5\n");
    e.mtime = (struct timespec){0100000000000, 0};
    cr_assert_str_eq(records(&e), "20 mtime=8589934592\n");
}

Test(pax, devices)
{
    struct pax_entry e = {PLAIN_OF(PAX_CHARDEV), .rdev = makedev(4095, 1048575)};
    cr_assert_null(records(&e));
    cr_assert_eq(last()[156], '3');
    cr_assert_eq(octal(last() + 329), 4095);
    cr_assert_eq(octal(last() + 337), 1048575);
    e.type = PAX_FIFO;
    cr_assert_null(records(&e));
    cr_assert_eq(octal(last() + 329), 0);
}

Test(pax, xattrs)
{
    pax_xattr(&out, "user.colour", "bl\0e\n", 5);
    cr_assert_eq(out.len, 34);
    cr_assert_eq(memcmp(out.data, "34 SCHILY.xattr.user.colour=bl\0e\n\n", 34), 0);
    out.len = 0;
    pax_xattr(&out, "user.empty", "", 0);
    cr_assert_str_eq(out.data, "28 SCHILY.xattr.user.empty=\n");
    static const char *const coded[] = {"", "YQ", "YWI", "YWJj", "YWJj/w"};
    for (size_t n = 0; n < sizeof coded / sizeof coded[0]; n++) {
        char want[100];
        out.len = 0;
        pax_xattr(&out, "user.a=%", "abc\xff", n);
        snprintf(want, sizeof want, "%zu LIBARCHIVE.xattr.user.a%%3D%%25=%s\n",
                 34 + strlen(coded[n]), coded[n]);
        cr_assert_str_eq(out.data, want);
    }
}

Test(pax, a_sparse_file)
{
    struct pax_entry e = {PLAIN, .size = 4608, .sparse_size = 1 << 20};
    e.path = "./dir/name";
    cr_assert_str_eq(records(&e),
                     "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n"
                     "30 GNU.sparse.name=./dir/name\n31 GNU.sparse.realsize=1048576\n");
    cr_assert_str_eq(last(), "./GNUSparseFile.0/name");
    cr_assert_eq(octal(last() + 124), 4608);
}

Test(pax, records_of_others_come_last)
{
    pax_xattr(&out, "user.a", "b", 1);
    struct text more = out;
    out = (struct text){0};
    struct pax_entry e = {PLAIN, .uid = 1 << 30, .records = more.data, .records_len = more.len};
    cr_assert_str_eq(records(&e), "18 uid=1073741824\n25 SCHILY.xattr.user.a=b\n");
    text_free(&more);
}

Test(pax, padding)
{
    cr_assert_eq(pax_padding(0), 0);
    cr_assert_eq(pax_padding(1), 511);
    cr_assert_eq(pax_padding(512), 0);
    cr_assert_eq(pax_padding((1LL << 40) + 3), 509);
}
