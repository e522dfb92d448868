#include "fs/notify.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* A replayer that is the test: it takes commands at the other end of the socket. */
static struct {
    struct notify *notify;
    _Atomic int end; /* of the newest one */
    atomic_int starts, wakes;
    pid_t pid;
    int mounts;
    atomic_int is_gone, looks;
} t = {.mounts = -1};

static int start(void *ctx, pid_t *pid)
{
    int ends[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    *pid = t.pid;
    atomic_store(&t.end, ends[1]);
    atomic_fetch_add(&t.starts, 1);
    return ends[0];
}

static void wake(void *ctx, uint64_t image, unsigned files)
{
    atomic_fetch_add(&t.wakes, 1);
}

static int is_gone(void *ctx)
{
    atomic_fetch_add(&t.looks, 1);
    return atomic_load(&t.is_gone);
}

static void begin_with(int (*start_it)(void *ctx, pid_t *pid))
{
    const struct notify_ways ways = {.wake = wake, .start = start_it, .is_gone = is_gone};
    struct err err = {0};
    t.notify = notify_new(&ways);
    cr_assert(t.notify);
    cr_assert_eq(notify_start(t.notify, t.mounts, &err), 0);
}

static void begin(void)
{
    begin_with(start);
}

static void end(void)
{
    notify_stop(t.notify);
    notify_free(t.notify);
}

TestSuite(notify, .init = begin, .fini = end);
TestSuite(starts, .fini = end);

static bool until(atomic_int *count, int n)
{
    for (int i = 0; i < 5000 && atomic_load(count) < n; i++)
        usleep(1000);
    return atomic_load(count) >= n;
}

/* The next command, 0 if none comes in that time. */
static uint64_t take(struct replay_command *c, int ms)
{
    struct pollfd p = {.events = POLLIN};
    cr_assert(until(&t.starts, 1));
    p.fd = atomic_load(&t.end);
    if (poll(&p, 1, ms) <= 0 || recv(p.fd, c, sizeof *c, 0) != (ssize_t)sizeof *c)
        return 0;
    return c->id;
}

static void answer(unsigned char num)
{
    cr_assert_eq(send(atomic_load(&t.end), &num, 1, 0), 1);
}

Test(notify, one_command_at_a_time)
{
    struct replay_command c;
    notify_change(t.notify, BACKEND_APPEARED, 1, "one");
    notify_change(t.notify, BACKEND_STATE, 2, "two");
    cr_assert_eq(take(&c, 5000), 1);
    cr_expect_eq(c.kind, REPLAY_APPEAR);
    cr_expect_str_eq(c.name, "one");
    struct replay_command none;
    cr_assert_eq(take(&none, 50), 0);
    answer(0);
    cr_assert_eq(take(&c, 5000), 2);
    cr_expect_eq(c.kind, REPLAY_MODIFY);
    answer(ENOENT);
    notify_change(t.notify, BACKEND_STATE, 2, "two");
    cr_assert_eq(take(&c, 5000), 2, "an error is taken in one's stride");
}

Test(notify, a_replayer_that_hangs_holds_up_nothing_else)
{
    struct replay_command c;
    notify_change(t.notify, BACKEND_STATE, 1, "one");
    cr_assert_eq(take(&c, 5000), 1);
    for (uint64_t id = 2; id < 100; id++)
        notify_change(t.notify, BACKEND_STATE, id, "another");
    cr_assert(until(&t.wakes, 99));
    for (uint64_t id = 2; id < 100; id++)
        notify_change(t.notify, BACKEND_STATE, id, "another");
    cr_assert(until(&t.wakes, 197), "who polls is woken at once, all the same");
    int64_t before = text_monotonic_ms();
    notify_stop(t.notify);
    cr_expect_lt(text_monotonic_ms() - before, 500);
    notify_change(t.notify, BACKEND_VANISHED, 3, "another");
}

Test(notify, a_replayer_that_died_is_started_again)
{
    struct replay_command c;
    cr_assert(until(&t.starts, 1));
    close(atomic_load(&t.end));
    cr_assert(until(&t.starts, 2));
    notify_change(t.notify, BACKEND_STATE, 1, "one");
    cr_assert_eq(take(&c, 5000), 1);
}

Test(notify, a_replayer_that_hangs_is_replaced)
{
    struct replay_command c;
    notify_change(t.notify, BACKEND_STATE, 1, "one");
    cr_assert_eq(take(&c, 5000), 1);
    notify_change(t.notify, BACKEND_STATE, 2, "two");
    usleep((NOTIFY_HANG_MS - 500) * 1000);
    cr_expect_eq(atomic_load(&t.starts), 1);
    cr_assert(until(&t.starts, 2));
    cr_assert_eq(take(&c, 5000), 2);
}

/* It stands where the rmdir holds the lock. */
Test(notify, a_replayer_that_waits_for_a_users_rmdir_is_waited_for)
{
    struct replay_command c;
    notify_rmdir_begins(t.notify, 7, "seven");
    notify_change(t.notify, BACKEND_STATE, 1, "one");
    cr_assert_eq(take(&c, 5000), 1);
    usleep((NOTIFY_HANG_MS + 500) * 1000);
    cr_expect_eq(atomic_load(&t.starts), 1);
    notify_rmdir_ended(t.notify, 7, false);
    cr_assert(until(&t.starts, 2), "then it hangs");
}

Test(notify, what_may_not_be_done_is_not_tried_again)
{
    struct replay_command c;
    notify_change(t.notify, BACKEND_STATE, 1, "one");
    cr_assert_eq(take(&c, 5000), 1);
    answer(EACCES);
    cr_assert_eq(recv(atomic_load(&t.end), &c, sizeof c, 0), 0);
    notify_change(t.notify, BACKEND_STATE, 2, "two");
    cr_assert(until(&t.wakes, 2));
    usleep(300000);
    cr_expect_eq(atomic_load(&t.starts), 1);
}

/* A process that ends only when it is killed; its number is the replayer's as long as it lives. */
static int start_process(void *ctx, pid_t *pid)
{
    t.pid = fork();
    if (t.pid == 0)
        for (;;)
            pause();
    return start(ctx, pid);
}

Test(starts, the_replayer_is_known_by_its_number)
{
    struct replay_command c, seen;
    begin_with(start_process);
    notify_change(t.notify, BACKEND_STATE, 5, "five");
    cr_assert_eq(take(&c, 5000), 5);
    cr_assert(notify_is_replayer(t.notify, t.pid, &seen));
    cr_expect_eq(seen.id, 5);
    cr_expect_not(notify_is_replayer(t.notify, 0, &seen), "a kernel thread");
    cr_expect_not(notify_is_replayer(t.notify, -1, &seen));
    cr_expect_not(notify_is_replayer(t.notify, getpid(), &seen));
    notify_stop(t.notify);
    cr_expect_not(notify_is_replayer(t.notify, t.pid, &seen));
    cr_expect(kill(t.pid, 0) < 0 && errno == ESRCH, "it is reaped");
}

/* Once. */
static int start_stopped(void *ctx, pid_t *pid)
{
    if (atomic_load(&t.starts) > 0)
        return -EAGAIN;
    t.pid = fork();
    if (t.pid == 0)
        for (;;)
            pause();
    return start(ctx, pid);
}

Test(starts, one_that_is_to_end_has_nothing_to_do_as_long_as_it_lives)
{
    struct replay_command c, seen = {.kind = REPLAY_VANISH};
    begin_with(start_stopped);
    cr_assert(until(&t.starts, 1));
    cr_assert_eq(kill(t.pid, SIGSTOP), 0);
    notify_change(t.notify, BACKEND_STATE, 5, "five");
    cr_assert_eq(take(&c, 5000), 5);
    close(atomic_load(&t.end));
    bool known = true;
    for (int i = 0; i < 5000 && (known = notify_is_replayer(t.notify, t.pid, &seen)) &&
                    seen.kind != REPLAY_NONE;
         i++)
        usleep(100);
    cr_expect(!known || seen.kind == REPLAY_NONE, "known %d, kind %d", known, seen.kind);
}

static int start_none(void *ctx, pid_t *pid)
{
    atomic_fetch_add(&t.starts, 1);
    return -EAGAIN;
}

Test(starts, one_that_cannot_be_started_is_tried_again)
{
    begin_with(start_none);
    notify_change(t.notify, BACKEND_STATE, 1, "one");
    cr_assert(until(&t.starts, 2));
    cr_assert(until(&t.wakes, 1));
}

/* A descriptor that always has something to say. */
Test(starts, it_goes_when_the_tree_is_unmounted)
{
    struct replay_command c;
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    close(ends[1]);
    t.mounts = ends[0];
    atomic_store(&t.is_gone, -EIO);
    begin_with(start_process);
    cr_assert(until(&t.looks, 10));
    cr_expect_eq(kill(t.pid, 0), 0, "it may be there");
    notify_change(t.notify, BACKEND_STATE, 1, "one");
    cr_assert_eq(take(&c, 5000), 1);
    atomic_store(&t.is_gone, 1);
    cr_expect_eq(recv(atomic_load(&t.end), &c, sizeof c, 0), 0);
    notify_change(t.notify, BACKEND_STATE, 2, "two");
    cr_assert(until(&t.wakes, 2), "who polls is woken");
    usleep(300000);
    cr_expect_eq(atomic_load(&t.starts), 1);
    int looks = atomic_load(&t.looks);
    usleep(50000);
    cr_expect_eq(atomic_load(&t.looks), looks, "it is gone for good");
}
