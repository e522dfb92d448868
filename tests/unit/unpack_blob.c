#include "stages/unpack/blob.h"

#include "base/io.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* SHA-256 of "abc" (FIPS 180-2, appendix B.1). */
#define ABC   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define OTHER "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char dir[] = "/tmp/imgstore-blob-XXXXXX";
static struct paths paths;
static struct err err;
static struct stage_result result;

static void set_up(void)
{
    cr_assert_not_null(mkdtemp(dir));
    cr_assert_geq(paths.blobs = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0);
    paths.images = paths.blobs;
    result = (struct stage_result){.format = FORMAT_GZIP, .size = 3};
    err = (struct err){.num = EBADMSG, .code = ERR_CORRUPT_ARCHIVE, .text = "damaged"};
}

static void tear_down(void)
{
    close(paths.blobs);
    io_remove_tree(AT_FDCWD, dir);
}

TestSuite(blob, .init = set_up, .fini = tear_down);

static bool there(const char *name)
{
    return faccessat(paths.blobs, name, F_OK, 0) == 0;
}

static void make(const char *name)
{
    int fd = openat(paths.blobs, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert_eq(io_write(fd, "abc", 3), 0);
    close(fd);
}

static void suspect(const char *sha256, const char *name)
{
    const struct stage_job job = {.sha256 = sha256, .paths = &paths};
    make(name);
    int fd = openat(paths.blobs, name, O_RDONLY | O_CLOEXEC);
    blob_suspect(&job, fd, &result, &err);
    close(fd);
}

Test(blob, that_is_what_its_name_says_stays)
{
    suspect(ABC, ABC ".tar.gz");
    cr_assert(there(ABC ".tar.gz"));
    cr_assert_eq(err.code, ERR_CORRUPT_ARCHIVE);
    cr_assert_str_eq(err.text, "damaged");
    cr_assert_eq(result.retry, RETRY_NEVER);
}

Test(blob, that_is_not_goes_and_both_digests_are_told)
{
    suspect(OTHER, OTHER ".tar.gz");
    cr_assert_not(there(OTHER ".tar.gz"));
    cr_assert_eq(err.code, ERR_CHECKSUM_MISMATCH);
    cr_assert_eq(err.num, EIO);
    cr_assert_not_null(strstr(err.text, "expected " OTHER ", got " ABC));
    cr_assert_eq(result.retry, RETRY_SCRATCH);
    cr_assert_eq(result.format, FORMAT_UNKNOWN);
}

/* Another name's run found the damage first, and it has been fetched anew meanwhile. */
Test(blob, that_is_not_what_was_read_is_fetched_anew_but_what_came_since_stays)
{
    const struct stage_job job = {.sha256 = OTHER, .paths = &paths};
    make(OTHER ".tar.gz");
    int fd = openat(paths.blobs, OTHER ".tar.gz", O_RDONLY | O_CLOEXEC);
    cr_assert_eq(unlinkat(paths.blobs, OTHER ".tar.gz", 0), 0);
    make(OTHER ".tar.gz");
    blob_suspect(&job, fd, &result, &err);
    close(fd);
    cr_assert_eq(err.code, ERR_CHECKSUM_MISMATCH);
    cr_assert_eq(result.retry, RETRY_SCRATCH);
    cr_assert(there(OTHER ".tar.gz"));
}

Test(blob, that_another_run_has_taken_away_is_fetched_anew)
{
    const struct stage_job job = {.sha256 = OTHER, .paths = &paths};
    make(OTHER ".tar.gz");
    int fd = openat(paths.blobs, OTHER ".tar.gz", O_RDONLY | O_CLOEXEC);
    cr_assert_eq(unlinkat(paths.blobs, OTHER ".tar.gz", 0), 0);
    blob_suspect(&job, fd, &result, &err);
    close(fd);
    cr_assert_eq(err.code, ERR_CHECKSUM_MISMATCH);
    cr_assert_eq(result.retry, RETRY_SCRATCH);
}

static int find(int64_t known)
{
    const struct stage_job job = {.sha256 = ABC, .paths = &paths, .size = known};
    int fd = blob_open(&job, &result, &err);
    if (fd < 0)
        return fd;
    cr_assert_eq(lseek(fd, 0, SEEK_CUR), 0);
    close(fd);
    return 0;
}

Test(blob, of_the_size_that_it_had_is_found)
{
    make(ABC ".tar.gz");
    cr_assert_eq(find(3), 0);
    cr_assert_eq(result.format, FORMAT_GZIP);
    cr_assert_eq(result.size, 3);
    cr_assert_eq(find(0), 0, "a size that is not known is any");
}

Test(blob, that_was_cut_short_goes_and_is_fetched_anew)
{
    make(ABC ".tar.gz");
    cr_assert_eq(find(4), -EIO);
    cr_assert_eq(result.retry, RETRY_SCRATCH);
    cr_assert_not_null(strstr(err.text, "3 bytes, not 4"));
    cr_assert_not(there(ABC ".tar.gz"));
}

Test(blob, that_is_missing_is_fetched_anew)
{
    cr_assert_eq(find(3), -EIO);
    cr_assert_eq(result.retry, RETRY_SCRATCH);
    cr_assert_eq(err.code, ERR_IO);
}
