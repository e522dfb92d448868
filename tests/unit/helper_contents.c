#include "contents.h"

#include "base/cleanup.h"
#include "base/wire.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static int data_file(void)
{
    int fd = memfd_create("data", MFD_CLOEXEC);
    cr_assert_geq(fd, 0);
    return fd;
}

static uint64_t put(struct contents *c, size_t size, int byte)
{
    uint64_t at;
    char *data CLEANUP_FREE = malloc(size + 1);
    memset(data, byte, size);
    cr_assert_eq(contents_begin(c, size, &at, NULL), 0);
    if (size)
        cr_assert_eq(contents_write(c, 0, data, size, NULL), 0);
    contents_end(c);
    return at;
}

static void holds(int fd, uint64_t at, size_t size, int byte)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char b;
        cr_assert_eq(pread(fd, &b, 1, (off_t)(at + i)), 1, "short at %zu", i);
        cr_assert_eq(b, byte, "at %zu", i);
    }
}

Test(contents, begin_at_blocks_after_the_first)
{
    static const size_t sizes[] = {1, 4095, 4096, 4097, 0, 31000, 40000, 10, 300000, 5};
    uint64_t at[ARRAY_SIZE(sizes)], want = WIRE_BLOCK;
    int fd CLEANUP_CLOSE = data_file();
    struct contents c;
    cr_assert_eq(contents_init(&c, fd, NULL), 0);
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        at[i] = put(&c, sizes[i], (int)i + 1);
        cr_assert_eq(at[i], sizes[i] ? want : 0);
        want += (sizes[i] + 4095) / 4096 * 4096;
    }
    cr_assert_eq(contents_flush(&c, NULL), 0);
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        holds(fd, at[i], sizes[i], (int)i + 1);
        if (sizes[i] % 4096)
            holds(fd, at[i] + sizes[i], 4096 - sizes[i] % 4096, 0);
    }
    holds(fd, 0, WIRE_BLOCK, 0);
    struct stat st;
    cr_assert_eq(fstat(fd, &st), 0);
    cr_assert_eq((uint64_t)st.st_size, want);
    contents_free(&c);
}

Test(contents, leave_holes)
{
    int fd CLEANUP_CLOSE = data_file();
    struct contents c;
    uint64_t at;
    cr_assert_eq(contents_init(&c, fd, NULL), 0);
    cr_assert_eq(contents_begin(&c, 64 << 20, &at, NULL), 0);
    cr_assert_eq(contents_write(&c, 100, "a", 1, NULL), 0);
    cr_assert_eq(contents_write(&c, 1000, "b", 1, NULL), 0);
    cr_assert_eq(contents_write(&c, 32 << 20, "c", 1, NULL), 0);
    contents_end(&c);
    uint64_t next = put(&c, 3, 'd');
    cr_assert_eq(contents_flush(&c, NULL), 0);
    cr_assert_eq(next, at + (64 << 20));
    holds(fd, at + 100, 1, 'a');
    holds(fd, at + 101, 899, 0);
    holds(fd, at + 1000, 1, 'b');
    holds(fd, at + (32 << 20), 1, 'c');
    holds(fd, next, 3, 'd');
    struct stat st;
    cr_assert_eq(fstat(fd, &st), 0);
    cr_assert_lt(st.st_blocks * 512, 1 << 20);
    contents_free(&c);
}

Test(contents, cover_a_hole_at_the_end)
{
    int fd CLEANUP_CLOSE = data_file();
    struct contents c;
    uint64_t at;
    cr_assert_eq(contents_init(&c, fd, NULL), 0);
    cr_assert_eq(contents_begin(&c, 10000, &at, NULL), 0);
    contents_end(&c);
    cr_assert_eq(contents_flush(&c, NULL), 0);
    struct stat st;
    cr_assert_eq(fstat(fd, &st), 0);
    cr_assert_eq(st.st_size, 4096 + 3 * 4096);
    contents_free(&c);
}

Test(contents, refuse_what_is_out_of_bounds_or_order)
{
    int fd CLEANUP_CLOSE = data_file();
    struct contents c;
    uint64_t at;
    cr_assert_eq(contents_init(&c, fd, NULL), 0);
    cr_assert_eq(contents_begin(&c, 100, &at, NULL), 0);
    struct err err = {0};
    cr_assert_lt(contents_write(&c, 99, "ab", 2, &err), 0);
    cr_assert_eq(err.code, ERR_CORRUPT_ARCHIVE);
    cr_assert_lt(contents_write(&c, -1, "a", 1, NULL), 0);
    cr_assert_lt(contents_write(&c, INT64_MAX, "a", 1, NULL), 0);
    cr_assert_eq(contents_write(&c, 50, "a", 1, NULL), 0);
    cr_assert_lt(contents_write(&c, 50, "a", 1, NULL), 0);
    contents_free(&c);
}

Test(contents, refuse_more_than_a_file_can_hold)
{
    int fd CLEANUP_CLOSE = data_file();
    struct contents c;
    uint64_t at;
    struct err err = {0};
    cr_assert_eq(contents_init(&c, fd, NULL), 0);
    cr_assert_lt(contents_begin(&c, UINT64_MAX, &at, &err), 0);
    cr_assert_lt(contents_begin(&c, INT64_MAX, &at, &err), 0);
    cr_assert_eq(err.code, ERR_TOO_LARGE_TOTAL);
    contents_free(&c);
}

Test(contents, say_no_space)
{
    int fd CLEANUP_CLOSE = open("/dev/full", O_WRONLY | O_CLOEXEC);
    struct contents c;
    struct err err = {0};
    cr_assert_eq(contents_init(&c, fd, NULL), 0);
    put(&c, 10, 'a');
    cr_assert_eq(contents_flush(&c, &err), -ENOSPC);
    cr_assert_eq(err.code, ERR_NO_SPACE);
    contents_free(&c);
}
