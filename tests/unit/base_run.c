#include "base/run.h"

#include "base/text.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

TestSuite(run, .timeout = 60);

static int shell(const char *script, int keep, int timeout_ms, char said[static RUN_SAID_MAX])
{
    char *argv[] = {(char *)"sh", (char *)"-c", (char *)(uintptr_t)script, NULL};
    return run_program(argv, keep, timeout_ms, said);
}

Test(run, its_status_and_what_it_said_come_back)
{
    char said[RUN_SAID_MAX];
    cr_assert_eq(shell("exit 0", -1, 5000, said), 0);
    cr_assert_eq(
        shell("echo out; echo one >&2; echo >&2; printf 'two\\tx' >&2; exit 3", -1, 5000, said), 3);
    cr_assert_str_eq(said, "one; two\\tx");
    cr_assert_eq(shell("exit 4", -1, 5000, said), 4);
    cr_assert_str_eq(said, "it does not say why");
    cr_assert_eq(shell("kill -KILL $$", -1, 5000, said), 128 + SIGKILL);
}

Test(run, what_it_says_is_cut)
{
    char said[RUN_SAID_MAX];
    cr_assert_eq(shell("head -c 1000000 /dev/zero | tr '\\0' x >&2; exit 1", -1, 30000, said), 1);
    cr_assert_eq(strlen(said), RUN_SAID_MAX - 1);
}

Test(run, one_that_is_not_there_is_told_from_one_that_fails)
{
    char said[RUN_SAID_MAX], *argv[] = {(char *)"imgstorefs-no-such-program", NULL};
    setenv("PATH", "/usr/bin:/bin", 1); /* a folder that is closed to us would be told instead */
    cr_assert_eq(run_program(argv, -1, 5000, said), -ENOENT);
}

Test(run, one_that_does_not_end_is_killed)
{
    char said[RUN_SAID_MAX];
    int64_t begun = text_monotonic_ms();
    cr_assert_eq(shell("exec sleep 50", -1, 100, said), -ETIMEDOUT);
    cr_assert_eq(shell("exec 2>&-; exec sleep 50", -1, 100, said), -ETIMEDOUT);
    cr_assert_lt(text_monotonic_ms() - begun, 10000);
}

Test(run, it_has_no_descriptor_of_ours)
{
    char said[RUN_SAID_MAX];
    int open_one = open("/dev/zero", O_RDONLY); /* not close-on-exec */
    cr_assert_geq(open_one, 0);
    cr_assert_eq(shell("for f in /proc/self/fd/[3-9] /proc/self/fd/[1-9][0-9]; do "
                       "readlink $f; done | grep zero && exit 1; exit 0",
                       -1, 5000, said),
                 0, "%s", said);
    close(open_one);
}

/* How the one that serves a layer is told from one that is dead. */
Test(run, a_lock_lasts_as_long_as_who_is_in_the_background)
{
    char said[RUN_SAID_MAX], path[] = "/tmp/imgstore-run-XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);
    cr_assert_geq(fd, 0);
    unlink(path);
    cr_assert_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
    char name[64];
    snprintf(name, sizeof name, "/proc/%d/fd/%d", (int)getpid(), fd);
    int other = open(name, O_RDWR | O_CLOEXEC);
    cr_assert_geq(other, 0);
    cr_assert_eq(shell("sleep 1 >/dev/null 2>&1 & exit 0", fd, 5000, said), 0);
    close(fd);
    cr_assert_eq(flock(other, LOCK_SH | LOCK_NB), -1);
    cr_assert_eq(flock(other, LOCK_SH), 0); /* waits for its end */
    close(other);
}
