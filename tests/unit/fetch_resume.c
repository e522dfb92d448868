/* What fetch_run keeps of a download that was cut, when it goes on from there, and when it starts
 * over. */
#include "fetch_trial.h"

#include "base/cleanup.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

TestSuite(fetch_resume, .init = trial_setup, .fini = trial_teardown, .timeout = 60);

Test(fetch_resume, resumes_by_range)
{
    trial_needs_xattrs();
    trial_fails("rangetrunc/f", ERR_UNREACHABLE, RETRY_LATER);
    cr_assert_eq(trial_part_size(), HALF);
    trial_succeeds("rangetrunc/f");
    cr_assert_not(trial.fell);
    cr_assert_eq(trial_requests("/rangetrunc/f"), 2);
    cr_assert_str_eq(trial_header("/rangetrunc/f", "ranges", 0), "");
    cr_assert_str_eq(trial_header("/rangetrunc/f", "ranges", 1), "bytes=1500000-");
    cr_assert_eq(trial_header("/rangetrunc/f", "if_ranges", 1)[0], '"');
}

Test(fetch_resume, another_version_restarts)
{
    trial_needs_xattrs();
    trial_fails("etagchange/f", ERR_UNREACHABLE, RETRY_LATER);
    cr_assert_eq(trial_part_size(), HALF);
    trial_succeeds("etagchange/f");
    cr_assert_eq(trial_requests("/etagchange/f"), 2);
}

Test(fetch_resume, an_ignored_range_restarts)
{
    trial_needs_xattrs();
    trial_fails("rangeignore/f", ERR_UNREACHABLE, RETRY_LATER);
    trial_succeeds("rangeignore/f");
    cr_assert_eq(trial_requests("/rangeignore/f"), 2);
}

Test(fetch_resume, a_lying_range_restarts_in_the_same_attempt)
{
    trial_needs_xattrs();
    static const char *const how[] = {"offset", "total", "garbage", "none", "etag"};
    for (size_t i = 0; i < ARRAY_SIZE(how); i++) {
        char path[64];
        snprintf(path, sizeof path, "rangelie/f?how=%s", how[i]);
        trial_fails(path, ERR_UNREACHABLE, RETRY_LATER);
        trial_succeeds(path);
        trial_drop_blob();
        cr_assert_eq(trial_requests("/rangelie/f"), 3 * ((int)i + 1));
        cr_assert_str_eq(trial_header("/rangelie/f", "ranges", 3 * i + 1), "bytes=1500000-");
        cr_assert_str_eq(trial_header("/rangelie/f", "ranges", 3 * i + 2), "");
    }
}

Test(fetch_resume, a_weak_tag_resumes_nothing)
{
    trial_fails("weaktag/f", ERR_UNREACHABLE, RETRY_LATER);
    cr_assert_eq(trial_part_size(), -1);
    trial_succeeds("weaktag/f");
    cr_assert_str_eq(trial_header("/weaktag/f", "ranges", 1), "");
}

static void make_part(const void *bytes, size_t n, const char *tag)
{
    char name[PATHS_FILE_MAX];
    paths_part(name, trial.sha256);
    trial_put(trial.paths.blobs, name, bytes, n);
    int fd CLEANUP_CLOSE = openat(trial.paths.blobs, name, O_RDWR | O_CLOEXEC);
    if (tag)
        cr_assert_eq(fsetxattr(fd, TAG, tag, strlen(tag), 0), 0);
}

/* The server's tag of a content: the first digits of its digest. */
static const char *tag_of(const char *sha256)
{
    static char tag[32];
    snprintf(tag, sizeof tag, "\"%.16s\"", sha256);
    return tag;
}

Test(fetch_resume, a_whole_part_needs_no_server)
{
    make_part(trial.data, SIZE, NULL);
    cr_assert_eq(trial_run("404/f"), 0, "%s", trial.err.text);
    cr_assert(trial_has("tar"));
    cr_assert_eq(trial_requests("/404/f"), 0);
}

Test(fetch_resume, a_part_without_a_tag_starts_over)
{
    make_part(trial.data, HALF, NULL);
    trial_succeeds("range/f");
    cr_assert_str_eq(trial_header("/range/f", "ranges", 0), "");
}

Test(fetch_resume, a_part_with_a_forged_tag_starts_over)
{
    trial_needs_xattrs();
    make_part(trial.data, HALF, "\"a\"\r\nX-Evil: 1");
    trial_succeeds("range/f");
    cr_assert_eq(trial_requests("/range/f"), 1);
    cr_assert_str_eq(trial_header("/range/f", "if_ranges", 0), "");
}

Test(fetch_resume, a_part_that_is_too_long_starts_over_at_416)
{
    trial_needs_xattrs();
    char *longer = calloc(1, SIZE + 1000);
    make_part(longer, SIZE + 1000, tag_of(trial.sha256));
    free(longer);
    trial_succeeds("range/f");
    cr_assert_eq(trial_requests("/range/f"), 2);
    cr_assert_str_eq(trial_header("/range/f", "ranges", 0), "bytes=3001000-");
}

Test(fetch_resume, a_corrupt_part_is_found_out)
{
    trial_needs_xattrs();
    trial.data[5] ^= 1;
    make_part(trial.data, HALF, tag_of(trial.sha256));
    trial_fails("range/f", ERR_CHECKSUM_MISMATCH, RETRY_SCRATCH);
    cr_assert_eq(trial_part_size(), -1);
    trial_succeeds("range/f");
}

Test(fetch_resume, a_part_that_cannot_go_on_is_not_kept_for_nothing)
{
    trial_needs_xattrs();
    make_part(trial.data, HALF, tag_of(trial.sha256));
    trial_fails("503/f", ERR_HTTP_STATUS, RETRY_LATER);
    cr_assert_eq(trial_part_size(), HALF);
    trial_fails("404/f", ERR_HTTP_STATUS, RETRY_NEVER);
    cr_assert_eq(trial_part_size(), -1);
    trial_fails("503/f", ERR_HTTP_STATUS, RETRY_LATER);
    cr_assert_eq(trial_part_size(), -1);
}

Test(fetch_resume, a_cancelled_download_is_resumed)
{
    trial_needs_xattrs();
    trial_cancels("stallx1/f");
    cr_assert_eq(trial_part_size(), HALF);
    trial_succeeds("stallx1/f");
    cr_assert_str_eq(trial_header("/stallx1/f", "ranges", 1), "bytes=1500000-");
}

Test(fetch_resume, a_cancel_before_the_start_keeps_the_part)
{
    trial_needs_xattrs();
    int fds[2];
    cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
    cr_assert_eq(write(fds[1], "x", 1), 1);
    make_part(trial.data, HALF, tag_of(trial.sha256));
    trial.cancel_fd = fds[0];
    cr_assert_eq(trial_run("range/f"), -ECANCELED);
    cr_assert_eq(trial_part_size(), HALF);
    cr_assert_eq(trial_requests("/range/f"), 0);
    close(fds[0]);
    close(fds[1]);
}
