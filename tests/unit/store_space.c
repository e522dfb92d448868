#include "store/space.h"

#include "base/cleanup.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

static int check(const char *dir, int64_t bytes, int64_t inodes, struct err *err)
{
    int fd CLEANUP_CLOSE = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return space_check(fd, "the thing", &(struct space_need){bytes, inodes}, err);
}

Test(space, what_fits_and_what_is_unknown_passes)
{
    struct err err = {0};
    cr_assert_eq(check("/tmp", 0, 0, &err), 0);
    cr_assert_eq(check("/tmp", 1, 1, &err), 0);
    cr_assert_eq(space_check(-1, "it", &(struct space_need){INT64_MAX, INT64_MAX}, &err), 0);
    cr_assert_eq(err.num, 0);
}

Test(space, too_many_bytes)
{
    struct err err = {0};
    cr_assert_eq(check("/tmp", INT64_MAX, 0, &err), -ENOSPC);
    cr_assert_eq(err.code, ERR_NO_SPACE);
    cr_assert_str_eq(err.text, "the thing does not fit");
}

Test(space, too_many_inodes_where_they_are_counted)
{
    struct err err = {0};
    struct statvfs fs;
    cr_assert_eq(statvfs("/tmp", &fs), 0);
    cr_assert_eq(check("/tmp", 0, INT64_MAX, &err), fs.f_files ? -ENOSPC : 0);
    cr_assert_eq(statvfs("/proc", &fs), 0);
    cr_assert_eq(fs.f_files, 0, "proc is to stand for those that count none");
    cr_assert_eq(check("/proc", 0, INT64_MAX, &err), 0);
}

Test(space, what_is_missing)
{
    struct statvfs fs;
    cr_assert_eq(statvfs("/tmp", &fs), 0);
    int64_t size = (int64_t)fs.f_blocks * (int64_t)fs.f_frsize;
    int64_t used = size - (int64_t)fs.f_bavail * (int64_t)fs.f_frsize, slack = size / 20;
    cr_expect_eq(space_missing("/tmp", &(struct amount){.bytes = 1}, 0), 0);
    cr_expect_eq(space_missing("/nowhere", &(struct amount){.bytes = INT64_MAX}, 0), 0);
    int64_t all = space_missing("/tmp", &(struct amount){.percent = 100}, 0);
    cr_expect(llabs(all - used) < slack, "%lld %lld", (long long)all, (long long)used);
    int64_t more = space_missing("/tmp", &(struct amount){.bytes = size}, size);
    cr_expect(llabs(more - used - size) < slack, "%lld", (long long)more);
    more = space_missing("/tmp", &(struct amount){.bytes = INT64_MAX}, INT64_MAX);
    cr_expect(more > INT64_MAX - size - slack);
}

Test(space, is_explained_for_no_space_alone)
{
    struct err err = {.num = EIO, .code = ERR_IO, .text = "broken"};
    space_explain(&err, &(struct space_need){7, 8}, "/tmp");
    cr_assert_str_eq(err.text, "broken");
    err.code = ERR_NO_SPACE;
    space_explain(&err, &(struct space_need){7, 8}, "/tmp");
    cr_assert_eq(strncmp(err.text, "broken; needed: 7 bytes, 8 inodes; free in /tmp: ", 49), 0,
                 "%s", err.text);
    cr_assert(strstr(err.text + 49, " bytes"));
    space_explain(NULL, NULL, "/tmp");
}

Test(space, says_what_it_knows)
{
    struct err err = {.code = ERR_NO_SPACE, .text = "full"};
    space_explain(&err, &(struct space_need){0, 8}, "/nowhere");
    cr_assert_str_eq(err.text, "full; needed: 8 inodes");
    space_explain(&err, NULL, "/nowhere");
    cr_assert_str_eq(err.text, "full; needed: 8 inodes");
}
