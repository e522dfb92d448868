#include "stages/export/sparse.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MiB   ((int64_t)1 << 20)
#define BLOCK ((int64_t)SPARSE_BLOCK)

static struct sparse s;
static struct flows *flows;
static struct flow *flow;
static int fd;
static char room[128 << 10];

static void set_up(void)
{
    fd = memfd_create("sparse", MFD_CLOEXEC);
    cr_assert_geq(fd, 0);
    cr_assert(flows = flows_open());
    cr_assert(flow = flow_new(flows));
}

static void tear_down(void)
{
    close(fd);
    sparse_free(&s);
    flow_free(flow);
    flows_close(flows);
}

TestSuite(sparse, .init = set_up, .fini = tear_down, .timeout = 120);

static void put(int byte, int64_t at, int64_t end)
{
    char *bytes CLEANUP_FREE = malloc((size_t)(end - at));
    memset(bytes, byte, (size_t)(end - at));
    cr_assert_eq(io_pwrite(fd, bytes, (size_t)(end - at), at), 0);
}

static int find(int64_t size)
{
    cr_assert_eq(ftruncate(fd, size), 0);
    return sparse_find(&s, fd, size, room, sizeof room, flow);
}

static void is_extent(size_t i, int64_t at, int64_t end)
{
    cr_assert_lt(i, s.count);
    cr_assert_eq(s.data[i].at, at, "%zu at %lld", i, (long long)s.data[i].at);
    cr_assert_eq(s.data[i].size, end - at, "%zu: %lld", i, (long long)s.data[i].size);
}

Test(sparse, small_files_are_not_looked_at)
{
    cr_assert_eq(find(0), 0);
    cr_assert_eq(find(MiB), 0);
}

Test(sparse, a_file_without_holes)
{
    put('x', 0, 3 * MiB + 5);
    cr_assert_eq(find(3 * MiB + 5), 0);
}

Test(sparse, nothing_but_a_hole)
{
    cr_assert_eq(find(MiB + 1), 1);
    cr_assert_eq(s.count, 1);
    is_extent(0, MiB + 1, MiB + 1);
    cr_assert_eq(s.bytes, 0);
    cr_assert_eq(s.map.len, 512);
    cr_assert_str_eq(s.map.data, "1\n1048577\n0\n");
}

Test(sparse, a_hole_at_the_end)
{
    put('x', 0, 10);
    cr_assert_eq(find(4 * MiB), 1);
    cr_assert_eq(s.count, 2);
    is_extent(0, 0, BLOCK);
    is_extent(1, 4 * MiB, 4 * MiB);
    cr_assert_str_eq(s.map.data, "2\n0\n4096\n4194304\n0\n");
}

Test(sparse, holes_at_the_front_and_within)
{
    put('x', 2 * MiB, 2 * MiB + BLOCK);
    put('y', 5 * MiB - 3, 5 * MiB);
    cr_assert_eq(find(5 * MiB), 1);
    cr_assert_eq(s.count, 2);
    is_extent(0, 2 * MiB, 2 * MiB + BLOCK);
    is_extent(1, 5 * MiB - BLOCK, 5 * MiB);
    cr_assert_eq(s.bytes, 2 * BLOCK);
    cr_assert_eq(find(5 * MiB), 1, "again");
    cr_assert_eq(s.count, 2);
    cr_assert_eq(s.bytes, 2 * BLOCK);
}

Test(sparse, the_last_block_may_be_a_short_one)
{
    put('x', 4 * MiB, 4 * MiB + 7);
    cr_assert_eq(find(4 * MiB + 7), 1);
    cr_assert_eq(s.count, 1);
    is_extent(0, 4 * MiB, 4 * MiB + 7);
    put(0, 4 * MiB, 4 * MiB + 7);
    cr_assert_eq(find(4 * MiB + 7), 1);
    is_extent(0, 4 * MiB + 7, 4 * MiB + 7);
}

Test(sparse, a_short_hole_is_not_worth_it)
{
    put('x', 0, 8 * MiB);
    put(0, 2 * MiB, 2 * MiB + SPARSE_MIN - BLOCK);
    cr_assert_eq(find(8 * MiB), 0);
    put(0, 2 * MiB, 2 * MiB + SPARSE_MIN);
    cr_assert_eq(find(8 * MiB), 1);
    cr_assert_eq(s.count, 2);
    is_extent(0, 0, 2 * MiB);
    is_extent(1, 2 * MiB + SPARSE_MIN, 8 * MiB);
}

/* Wherever one lies that is as long as a step, it is found. */
Test(sparse, no_long_hole_is_missed)
{
    for (int64_t at = BLOCK; at < 2 * MiB; at += 31 * BLOCK) {
        put('x', 0, 4 * MiB);
        put(0, at, at + SPARSE_STEP);
        cr_assert_eq(find(4 * MiB), 1, "at %lld", (long long)at);
        is_extent(0, 0, at);
        is_extent(1, at + SPARSE_STEP, 4 * MiB);
    }
}

/* What a file system says of holes must make no difference. */
Test(sparse, zeros_and_holes_are_alike)
{
    char map[512];
    put('x', 0, 3);
    put('x', 3 * MiB + 77, 3 * MiB + 78);
    cr_assert_eq(find(6 * MiB), 1);
    memcpy(map, s.map.data, sizeof map);
    cr_assert_eq(s.map.len, sizeof map);
    put(0, 3, 3 * MiB + 77);
    put(0, 3 * MiB + 78, 6 * MiB);
    cr_assert_eq(find(6 * MiB), 1);
    cr_assert_eq(memcmp(map, s.map.data, sizeof map), 0);
}

Test(sparse, a_look_ends_once_nobody_wants_it)
{
    struct err err = {.num = EIO};
    put('x', 0, 2 * MiB);
    flow_break(flow, &err);
    cr_assert_eq(find(2 * MiB), -ECANCELED, "while it is looked for");
    cr_assert_eq(find(8 * MiB), -ECANCELED);
    cr_assert_eq(find(MiB), 0, "nothing is read");
}

/* A map cannot grow without end, and what is behind the last extent is there. */
Test(sparse, a_map_is_bounded)
{
    const int64_t step = BLOCK + SPARSE_MIN, n = SPARSE_EXTENTS + 10;
    char block[SPARSE_BLOCK];
    memset(block, 'x', sizeof block);
    for (int64_t i = 0; i < n; i++)
        cr_assert_eq(io_pwrite(fd, block, sizeof block, i * step), 0);
    cr_assert_eq(find(n * step), 1);
    cr_assert_eq(s.count, SPARSE_EXTENTS + 1);
    is_extent(0, 0, BLOCK);
    is_extent(1, step, step + BLOCK);
    is_extent(SPARSE_EXTENTS, SPARSE_EXTENTS * step, n * step);
}

Test(sparse, a_file_that_got_shorter_ends_in_a_hole)
{
    put('x', 0, BLOCK);
    cr_assert_eq(ftruncate(fd, BLOCK), 0);
    cr_assert_eq(sparse_find(&s, fd, 8 * MiB, room, sizeof room, flow), 0, "it is filled up later");
}
