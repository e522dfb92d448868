#include "stages/intake.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

static char dir[] = "/tmp/imgstore-intake-XXXXXX";
static struct paths paths;
static struct intake in;
static struct err err;

static void set_up(void)
{
    cr_assert(mkdtemp(dir));
    paths.blobs = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_eq(intake_open(&in, &paths, "it", 0, "the test", &err), 0);
}

static void tear_down(void)
{
    intake_close(&in, false);
    close(paths.blobs);
    io_remove_tree(AT_FDCWD, dir);
}

TestSuite(intake, .init = set_up, .fini = tear_down);

static bool is_there(const char *name)
{
    return faccessat(paths.blobs, name, F_OK, 0) == 0;
}

/* Bytes that tell where they are from. */
static void add(size_t n)
{
    char *bytes CLEANUP_FREE = malloc(n + 1);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(((size_t)in.size + i) * 2654435761u >> 13);
    cr_assert_eq(intake_add(&in, bytes, n, &err), 0);
}

static void holds(size_t n)
{
    struct stat st;
    char want[DIGEST_HEX_MAX], got[DIGEST_HEX_MAX];
    struct digest *d = digest_new();
    cr_assert_eq(in.size, (int64_t)n);
    cr_assert_eq(intake_flush(&in, &err), 0);
    cr_assert(fstat(in.fd, &st) == 0 && (size_t)st.st_size == n);
    char *bytes CLEANUP_FREE = malloc(n + 1);
    cr_assert_eq(io_pread(in.fd, bytes, n, 0), (ssize_t)n);
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(bytes[i], (char)(i * 2654435761u >> 13), "byte %zu", i);
    digest_add(d, bytes, n);
    cr_assert(digest_hex(d, want));
    digest_free(d);
    cr_assert_eq(intake_digest(&in, got, &err), 0);
    cr_assert_str_eq(got, want);
}

/* Small pieces are gathered, large ones written as they are, and each in its turn. */
Test(intake, pieces_of_any_size_are_one_stream)
{
    static const size_t sizes[] = {
        1,  INTAKE_BUFFER - 1, 1, INTAKE_BUFFER, 0, 5, 300000, INTAKE_BUFFER - 5, 400000,
        17, INTAKE_BUFFER};
    size_t all = 0;
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        add(sizes[i]);
        all += sizes[i];
        cr_assert_lt(in.buffered, INTAKE_BUFFER);
    }
    holds(all);
    add(10);
    holds(all + 10);
}

Test(intake, a_large_piece_is_not_copied)
{
    struct stat st;
    add(2 * INTAKE_BUFFER + 7);
    cr_assert_eq(in.buffered, 0);
    cr_assert(fstat(in.fd, &st) == 0 && (size_t)st.st_size == 2 * INTAKE_BUFFER + 7);
}

Test(intake, restarted_it_is_empty)
{
    add(100000);
    cr_assert_eq(intake_restart(&in, &err), 0);
    holds(0);
    add(30);
    holds(30);
}

Test(intake, what_is_there_is_taken_up)
{
    int never = eventfd(0, EFD_CLOEXEC), at_once = eventfd(1, EFD_CLOEXEC);
    add(150000);
    cr_assert_eq(intake_flush(&in, &err), 0);
    intake_close(&in, true);
    cr_assert(is_there("it"));
    cr_assert_eq(intake_open(&in, &paths, "it", 0, "the test", &err), 0);
    cr_assert_eq(intake_take_up(&in, at_once, &err), -ECANCELED);
    cr_assert_eq(intake_take_up(&in, never, &err), 0);
    add(4);
    holds(150004);
    close(never);
    close(at_once);
}

Test(intake, named_it_is_a_blob)
{
    enum format format;
    char sha256[DIGEST_HEX_MAX], blob[PATHS_FILE_MAX];
    cr_assert_eq(intake_sync(&in, &format, &err), -EINVAL, "there is nothing in it");
    add(1000);
    cr_assert_eq(intake_digest(&in, sha256, &err), 0);
    cr_assert_eq(intake_sync(&in, &format, &err), 0);
    cr_assert_eq(format, FORMAT_TAR);
    cr_assert_eq(intake_name(&in, sha256, format, &err), 0);
    intake_close(&in, false);
    paths_blob(blob, sha256, format);
    cr_assert(is_there(blob));
    cr_assert_not(is_there("it"));
}

Test(intake, closed_without_a_name_it_is_gone)
{
    add(1000);
    intake_close(&in, false);
    cr_assert_not(is_there("it"));
}

Test(intake, one_that_is_to_be_new_must_not_be_there)
{
    struct intake other;
    cr_assert_eq(intake_open(&other, &paths, "it", O_EXCL, "the test", &err), -EEXIST);
    intake_close(&other, false);
    cr_assert(is_there("it"));
}
