#include "stages/unpack/jail.h"

#include "base/io.h"
#include "fake_helper.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
    struct jail jail;
    struct err err;
    int archive, data, spawned;
    char helper[PATH_MAX];
};

static void *spawn(void *ctx)
{
    static const struct limits limits = {1, 2, 3, 4};
    struct fixture *f = ctx;
    f->spawned = jail_spawn(&f->jail, f->helper, &limits, f->archive, f->data, &f->err);
    return NULL;
}

static struct fixture fixture(enum fake_action action)
{
    struct fixture f = {.jail = JAIL_INIT};
    struct fake_script s = {.action = action};
    f.archive = open("/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    f.data = open("/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    cr_assert_eq(io_write(f.archive, &s, sizeof s), 0);
    lseek(f.archive, 0, SEEK_SET);
    cr_assert_gt(readlink("/proc/self/exe", f.helper, sizeof f.helper - 1), 0);
    strcpy(strrchr(f.helper, '/') + 1, "fake_helper");
    return f;
}

static void done(struct fixture *f)
{
    jail_kill(&f->jail);
    cr_assert(waitpid(-1, NULL, 0) < 0 && errno == ECHILD);
    close(f->archive);
    close(f->data);
}

Test(jail, one_that_ends_well)
{
    struct fixture f = fixture(FAKE_EXIT);
    spawn(&f);
    cr_assert_eq(f.spawned, 0, "%s", f.err.text);
    cr_assert_eq(jail_end(&f.jail, 5000, &f.err), 0, "%s", f.err.text);
    done(&f);
}

Test(jail, one_that_lingers_is_ended)
{
    struct fixture f = fixture(FAKE_LINGER);
    spawn(&f);
    cr_assert_eq(jail_end(&f.jail, 200, &f.err), -ETIMEDOUT);
    cr_assert_eq(f.err.code, ERR_INTERNAL);
    done(&f);
}

Test(jail, it_dies_with_the_thread_that_started_it)
{
    struct fixture f = fixture(FAKE_HANG);
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, spawn, &f), 0);
    pthread_join(thread, NULL);
    cr_assert_eq(f.spawned, 0);
    cr_assert_eq(jail_end(&f.jail, 5000, &f.err), -EIO);
    cr_assert(strstr(f.err.text, "SIGKILL"), "%s", f.err.text);
    done(&f);
}

Test(jail, killing_what_never_was)
{
    struct jail j = JAIL_INIT;
    jail_kill(&j);
    jail_kill(&j);
}
