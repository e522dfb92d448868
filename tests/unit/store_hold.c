#include "store/hold.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char tmp[] = "/tmp/imgstore-hold-XXXXXX";
static char path[64];
static struct err err;

static void set_up(void)
{
    cr_assert(mkdtemp(tmp));
    snprintf(path, sizeof path, "%s/.lock", tmp);
}

static void tear_down(void)
{
    io_remove_tree(AT_FDCWD, tmp);
}

TestSuite(hold, .init = set_up, .fini = tear_down);

/* What a second process gets, with its error. */
static int take_elsewhere(struct err *why)
{
    int ends[2], r = 0, status;
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct err e = {0};
        r = hold_take(path, "the store", &e);
        _exit(write(ends[1], &r, sizeof r) == sizeof r && write(ends[1], &e, sizeof e) == sizeof e
                  ? 0
                  : 1);
    }
    close(ends[1]);
    cr_assert_eq(io_read(ends[0], &r, sizeof r), sizeof r);
    cr_assert_eq(io_read(ends[0], why, sizeof *why), sizeof *why);
    close(ends[0]);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0);
    return r;
}

Test(hold, a_second_process_is_refused_and_told_who_holds_it)
{
    char holder[32];
    struct err why = {0};
    int fd = hold_take(path, "the store", &err);
    cr_assert_geq(fd, 0, "%s", err.text);
    cr_assert_eq(take_elsewhere(&why), -EBUSY);
    snprintf(holder, sizeof holder, "by process %d;", (int)getpid());
    cr_assert(strstr(why.text, "the store is held") == why.text, "%s", why.text);
    cr_assert(strstr(why.text, holder), "%s", why.text);
    cr_assert_eq(take_elsewhere(&why), -EBUSY, "the look itself has not let it go");
    close(fd);
    cr_assert_geq(take_elsewhere(&why), 0, "%s", why.text);
}

Test(hold, it_ends_with_the_process_however_that_ends)
{
    int ready[2], status;
    char c;
    cr_assert_eq(pipe2(ready, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (hold_take(path, "x", NULL) < 0 || write(ready[1], "r", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    cr_assert_eq(read(ready[0], &c, 1), 1);
    cr_assert_eq(hold_take(path, "x", &err), -EBUSY);
    kill(pid, SIGKILL);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    int fd = hold_take(path, "x", &err);
    cr_assert_geq(fd, 0, "%s", err.text);
    close(fd);
}

Test(hold, the_file_is_private_and_not_inherited)
{
    struct stat st;
    int fd = hold_take(path, "x", &err);
    cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_mode, S_IFREG | 0600);
    close(fd);
}

Test(hold, a_symlink_is_not_followed)
{
    cr_assert_eq(symlink("target", path), 0);
    cr_assert_eq(hold_take(path, "x", &err), -ELOOP);
    cr_assert(strstr(err.text, path), "%s", err.text);
}

Test(hold, a_folder_that_is_not_there)
{
    snprintf(path, sizeof path, "%s/no/.lock", tmp);
    cr_assert_eq(hold_take(path, "x", &err), -ENOENT);
}
