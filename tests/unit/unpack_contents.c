/* The contents of files, as the sink that makes directories takes them from the data file. */
#include "sink_fixture.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>

Test(contents, holes_stay_holes)
{
    struct fixture f = fixture_new();
    static char block[65536];
    memset(block, 'x', sizeof block);
    struct entry e = entry_file("sparse", 0644);
    e.offset = WIRE_BLOCK;
    e.size = 10 << 20;
    cr_assert_eq(pwrite(f.data, block, sizeof block, WIRE_BLOCK + (1 << 20)),
                 (ssize_t)sizeof block);
    cr_assert_eq(pwrite(f.data, "end", 3, WIRE_BLOCK + (9 << 20)), 3);
    cr_assert_eq(ftruncate(f.data, WIRE_BLOCK + (10 << 20)), 0);
    fixture_must(&f, e);
    e.path = "hole";
    e.offset = 0;
    e.size = 1LL << 40;
    fixture_must(&f, e);
    fixture_finish(&f);
    struct stat st = fixture_status(&f, "sparse");
    cr_assert_eq(st.st_size, 10 << 20);
    cr_assert_leq(st.st_blocks * 512, 256 << 10, "%lld blocks", (long long)st.st_blocks);
    char got[4];
    int fd CLEANUP_CLOSE = openat(f.root, "sparse", O_RDONLY);
    cr_assert(pread(fd, got, 4, (1 << 20) - 2) == 4 && memcmp(got, "\0\0xx", 4) == 0);
    cr_assert(pread(fd, got, 4, 9 << 20) == 4 && memcmp(got, "end\0", 4) == 0);
    st = fixture_status(&f, "hole");
    cr_assert(st.st_size == 1LL << 40 && st.st_blocks == 0);
    fixture_done(&f);
}

Test(contents, ranges_that_lie_give_zeros_and_nothing_else)
{
    struct fixture f = fixture_new();
    char got[16] = {1};
    struct entry e = fixture_file(&f, "short", "abc", 3);
    e.size = 100; /* beyond the end of the data file */
    fixture_must(&f, e);
    e = entry_file("beyond", 0644);
    e.offset = 1LL << 40;
    e.size = 16;
    fixture_must(&f, e);
    e.path = "far";
    e.offset = (uint64_t)INT64_MAX / WIRE_BLOCK * WIRE_BLOCK - WIRE_BLOCK;
    fixture_must(&f, e);
    fixture_finish(&f);
    cr_assert_eq(fixture_status(&f, "short").st_size, 100);
    cr_assert(fixture_holds(&f, "short", "abc"));
    int fd CLEANUP_CLOSE = openat(f.root, "beyond", O_RDONLY);
    cr_assert(io_read(fd, got, 16) == 16 && memcmp(got, (char[16]){0}, 16) == 0);
    fixture_done(&f);
}

/* Sizes about the step from one way of copying to the other, and about blocks. */
Test(contents, contents_are_exact)
{
    const size_t sizes[] = {0, 1, 4095, 4096, 4097, 65535, 65536, 65537, 9 << 20};
    static char bytes[9 << 20], got[9 << 20];
    struct fixture f = fixture_new();
    char path[32];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(1 + i * 2654435761u / 65536 % 255);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        snprintf(path, sizeof path, "f%zu", i);
        fixture_must(
            &f, fixture_file(&f, path, bytes + i, sizes[i] - (sizes[i] == sizeof bytes ? i : 0)));
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        snprintf(path, sizeof path, "f%zu", i);
        size_t size = sizes[i] - (sizes[i] == sizeof bytes ? i : 0);
        int fd CLEANUP_CLOSE = openat(f.root, path, O_RDONLY);
        cr_assert_eq(fixture_status(&f, path).st_size, (off_t)size);
        cr_assert_eq(io_read(fd, got, sizeof got), (ssize_t)size);
        cr_assert_eq(memcmp(got, bytes + i, size), 0, "%zu", size);
    }
    fixture_done(&f);
}

Test(contents, what_was_copied_is_given_back)
{
    static char bytes[8 << 20];
    struct fixture f = fixture_new();
    struct stat st;
    char path[16];
    memset(bytes, 'b', sizeof bytes);
    for (int i = 0; i < 20; i++) {
        snprintf(path, sizeof path, "f%d", i);
        fixture_must(&f, fixture_file(&f, path, bytes, sizeof bytes));
    }
    fsync(f.data);
    cr_assert_eq(fstat(f.data, &st), 0);
    cr_assert_leq(st.st_blocks * 512, 80 << 20);
    for (int i = 0; i < 20; i++) {
        snprintf(path, sizeof path, "f%d", i);
        int fd CLEANUP_CLOSE = openat(f.root, path, O_RDONLY);
        char last;
        cr_assert(pread(fd, &last, 1, sizeof bytes - 1) == 1 && last == 'b');
    }
    fixture_done(&f);
}

Test(contents, a_hole_gives_nothing_back)
{
    struct fixture f = fixture_new();
    struct entry hole = entry_file("hole", 0644), e = fixture_file(&f, "f", "kept", 4);
    hole.size = 1LL << 40;
    fixture_must(&f, hole);
    fixture_must(&f, e);
    fixture_finish(&f);
    cr_assert(fixture_holds(&f, "f", "kept"));
    fixture_done(&f);
}

Test(contents, a_full_disk_is_no_space)
{
    fixture_needs_root();
    fixture_own_mounts();
    char dir[] = "/tmp/sink_dir_full.XXXXXX";
    static char bytes[600 << 10];
    cr_assert(mkdtemp(dir));
    cr_assert_eq(mount("none", dir, "tmpfs", 0, "size=1M"), 0);
    struct fixture f = fixture_in(dir);
    memset(bytes, 'b', sizeof bytes);
    cr_assert_eq(fixture_add(&f, fixture_file(&f, "f", bytes, sizeof bytes)), -ENOSPC);
    cr_assert_eq(f.err.code, ERR_NO_SPACE);
    fixture_done(&f);
    cr_assert_eq(umount(dir), 0);
    rmdir(dir);
}

Test(contents, cancel_ends_a_long_copy)
{
    struct fixture f = fixture_new();
    int cancel[2];
    static char bytes[1 << 20];
    cr_assert_eq(pipe(cancel), 0);
    cr_assert_eq(write(cancel[1], "x", 1), 1);
    sink_dir.close(f.sink);
    cr_assert_eq(unlinkat(f.part, SINK_ROOTFS, AT_REMOVEDIR), 0);
    struct sink_place place = {f.part, f.data, cancel[0]};
    cr_assert_eq(sink_dir.open(&place, &f.sink, &f.err), 0);
    memset(bytes, 'b', sizeof bytes);
    cr_assert_eq(fixture_add(&f, fixture_file(&f, "f", bytes, sizeof bytes)), -ECANCELED);
    cr_assert_eq(f.err.code, ERR_CANCELLED);
    fixture_done(&f);
}
