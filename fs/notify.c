#include "fs/notify.h"

#include "base/cleanup.h"
#include "base/lock.h"
#include "base/log.h"
#include "fs/slots.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#define STOP_MS      1000  /* for the replayer to end */
#define AGAIN_MS     100   /* to the replayer's next start; doubled each time, */
#define AGAIN_MOST   10000 /* up to this, */
#define WELL_MS      60000 /* and back to the first for one that ran that long */
#define LOOK_MS      1000  /* to the next look at a mount of which nothing could be learnt */
#define FILE_CHANGES (BACKEND_STATE | BACKEND_ERROR | BACKEND_PROGRESS)

struct notify {
    struct notify_ways ways;
    int event; /* wakes the thread */
    pthread_t thread;
    bool started;

    struct lock lock; /* guards what follows */
    struct slots slots;
    struct replay_command current;
    size_t rmdirs; /* of users, under way: until they are answered nobody else can use images/ */
    bool stopping;
    bool mute; /* inotify is not told */

    _Atomic pid_t replayer; /* 0: none that may be asking */

    /* The thread's, once it runs; before and after that notify_start's and notify_stop's. */
    int mounts; /* see notify_start; -1 once the tree is unmounted */
    pid_t pid;  /* to be reaped; 0: none */
    int commands;
    bool busy;                    /* it is at the current command */
    struct replay_command unsent; /* the last one, if it was not taken: for the next replayer */
    int64_t answer_due;           /* monotonic ms, as all of these; while busy */
    int64_t next_start, started_at, again;
    int64_t look_due; /* at the mount, INT64_MAX: when mounts says so */
};

struct notify *notify_new(const struct notify_ways *ways)
{
    struct notify *n = calloc(1, sizeof *n);
    if (!n || (n->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0 || !slots_init(&n->slots)) {
        if (n && n->event > 0)
            close(n->event);
        free(n);
        return NULL;
    }
    n->ways = *ways;
    n->mute = !ways->start;
    n->mounts = n->commands = -1;
    n->look_due = INT64_MAX;
    n->again = AGAIN_MS;
    lock_init(&n->lock, LOCK_NOTIFY, "notify");
    return n;
}

/* --- changes */

static void wake_thread(struct notify *n)
{
    eventfd_write(n->event, 1);
}

/* Most of what comes, a piece of a download after the other, makes nothing more to be told. */
static bool take_fresh(struct notify *n)
{
    bool fresh = n->slots.fresh;
    n->slots.fresh = false;
    return fresh;
}

/* Without a slot inotify is not told, but who polls is woken: to look costs them nothing. */
void notify_change(struct notify *n, unsigned changes, uint64_t id, const char *name)
{
    lock_take(&n->lock);
    bool held = slots_change(&n->slots, changes, id, name, text_monotonic_ms());
    bool fresh = take_fresh(n);
    lock_release(&n->lock);
    if (!held)
        n->ways.wake(n->ways.ctx, id, FILE_CHANGES);
    if (fresh)
        wake_thread(n);
}

void notify_rmdir_begins(struct notify *n, uint64_t id, const char *name)
{
    LOCK_SCOPE(&n->lock);
    n->rmdirs++;
    slots_rmdir_begins(&n->slots, id, name);
}

void notify_rmdir_ended(struct notify *n, uint64_t id, bool removed)
{
    lock_take(&n->lock);
    n->rmdirs--;
    slots_rmdir_ended(&n->slots, id, removed);
    lock_release(&n->lock);
    wake_thread(n);
}

/* Kernel threads, and callers from outside of our PID namespace, have number 0. */
bool notify_is_replayer(struct notify *n, pid_t caller, struct replay_command *command)
{
    if (caller <= 0 || caller != atomic_load(&n->replayer))
        return false;
    LOCK_SCOPE(&n->lock);
    *command = n->current;
    return true;
}

/* --- the replayer */

/* As long as it is not reaped, nobody else has its number. */
static bool has_ended(pid_t pid)
{
    siginfo_t info = {0};
    int r = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);
    return r < 0 ? errno == ECHILD : info.si_pid == pid;
}

static bool reap_until(struct notify *n, int64_t deadline)
{
    while (n->pid > 0) {
        if (has_ended(n->pid)) {
            atomic_store(&n->replayer, 0);
            (void)waitpid(n->pid, NULL, WNOHANG);
            n->pid = 0;
        } else if (text_monotonic_ms() >= deadline) {
            return false;
        } else {
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
    }
    return true;
}

/* Its number is taken back before it can become someone else's. */
static void end_replayer(struct notify *n, int64_t deadline)
{
    atomic_store(&n->replayer, 0);
    if (n->commands >= 0)
        close(steal_fd(n->commands));
    n->busy = false;
    if (n->pid > 0)
        kill(n->pid, SIGKILL);
    (void)reap_until(n, deadline);
}

static void replace_replayer(struct notify *n, const char *why)
{
    int64_t now = text_monotonic_ms();
    end_replayer(n, now);
    if (now - n->started_at >= WELL_MS)
        n->again = AGAIN_MS;
    n->next_start = now + n->again;
    log_warn(NULL, "the process that inotify events come from %s: started again in %lld ms", why,
             (long long)n->again);
    n->again = n->again * 2 < AGAIN_MOST ? n->again * 2 : AGAIN_MOST;
}

/* Not before the last one is gone. */
static void start_replayer(struct notify *n, int64_t now)
{
    n->started_at = now;
    n->next_start = now + n->again;
    if (!reap_until(n, now))
        return;
    int fd = n->ways.start(n->ways.ctx, &n->pid);
    if (fd < 0) {
        n->again = n->again * 2 < AGAIN_MOST ? n->again * 2 : AGAIN_MOST;
        log_warn(NULL, "cannot start the process that inotify events come from: %s", strerror(-fd));
        return;
    }
    n->commands = fd;
    atomic_store(&n->replayer, n->pid);
}

static void go_without(struct notify *n)
{
    end_replayer(n, text_monotonic_ms());
    LOCK_SCOPE(&n->lock);
    n->mute = true;
}

/* What the mount's permissions forbid is forbidden for good. */
static void heed_answer(struct notify *n, unsigned char num)
{
    n->busy = false;
    if (num != EACCES && num != EPERM)
        return;
    log_warn(NULL,
             "inotify events are not made, as this user may not change the tree (%s); "
             "poll(2) works",
             strerror(num));
    go_without(n);
}

/* It may wait as a user's rmdir does, for as long as that takes. */
static void heed_silence(struct notify *n)
{
    lock_take(&n->lock);
    bool waits = n->rmdirs > 0;
    lock_release(&n->lock);
    if (waits)
        n->answer_due = text_monotonic_ms() + NOTIFY_HANG_MS;
    else
        replace_replayer(n, "hangs");
}

static void take_answer(struct notify *n)
{
    unsigned char num;
    ssize_t r = recv(n->commands, &num, 1, MSG_DONTWAIT);
    if (r == 1)
        heed_answer(n, num);
    else if (r < 0 && errno == EAGAIN && n->busy && text_monotonic_ms() >= n->answer_due)
        heed_silence(n);
    else if (r == 0 || (errno != EAGAIN && errno != EINTR))
        replace_replayer(n, "has ended");
}

/* What it is about to ask is known before it can. */
static void send_command(struct notify *n, const struct replay_command *c)
{
    lock_take(&n->lock);
    n->current = *c;
    lock_release(&n->lock);
    if (send(n->commands, c, sizeof *c, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof *c) {
        n->busy = true;
    } else {
        n->unsent = *c;
        replace_replayer(n, "takes no command");
    }
    n->answer_due = text_monotonic_ms() + NOTIFY_HANG_MS;
}

/* --- the thread */

static bool wake_pollers(struct notify *n)
{
    uint64_t id;
    unsigned files;
    lock_take(&n->lock);
    slots_release_due(&n->slots, text_monotonic_ms());
    while (!n->stopping && slots_take_woken(&n->slots, &id, &files)) {
        lock_release(&n->lock);
        n->ways.wake(n->ways.ctx, id, files);
        lock_take(&n->lock);
    }
    if (n->mute)
        slots_forget_commands(&n->slots);
    bool stopping = n->stopping;
    lock_release(&n->lock);
    return !stopping;
}

static bool next_command(struct notify *n, struct replay_command *c)
{
    if (n->unsent.kind != REPLAY_NONE) {
        *c = n->unsent;
        n->unsent.kind = REPLAY_NONE;
        return true;
    }
    LOCK_SCOPE(&n->lock);
    return slots_take_command(&n->slots, c);
}

static void feed_replayer(struct notify *n)
{
    struct replay_command c;
    int64_t now = text_monotonic_ms();
    if (n->mute)
        (void)reap_until(n, now);
    if (n->commands < 0 && !n->mute && now >= n->next_start)
        start_replayer(n, now);
    if (n->commands >= 0 && !n->busy && next_command(n, &c))
        send_command(n, &c);
}

static void look_at_mount(struct notify *n)
{
    int r = n->ways.is_gone(n->ways.ctx);
    n->look_due = r < 0 ? text_monotonic_ms() + LOOK_MS : INT64_MAX;
    if (r <= 0)
        return;
    n->mounts = -1;
    go_without(n);
}

static int wait_ms(struct notify *n)
{
    LOCK_SCOPE(&n->lock);
    int64_t when = slots_next_due(&n->slots);
    if (n->commands < 0 && !n->mute && n->next_start < when)
        when = n->next_start;
    if (n->busy && n->answer_due < when)
        when = n->answer_due;
    if (n->look_due < when)
        when = n->look_due;
    int64_t left = when - text_monotonic_ms();
    if (n->mute && n->pid > 0 && left > AGAIN_MS) /* it is dying */
        left = AGAIN_MS;
    return left > INT_MAX ? -1 : left < 0 ? 0 : (int)left;
}

static void *run(void *arg)
{
    struct notify *n = arg;
    eventfd_t count;
    while (wake_pollers(n)) {
        feed_replayer(n);
        struct pollfd fds[] = {{.fd = n->event, .events = POLLIN},
                               {.fd = n->commands, .events = POLLIN},
                               {.fd = n->mounts, .events = POLLPRI}};
        (void)poll(fds, 3, wait_ms(n));
        if (fds[2].revents || text_monotonic_ms() >= n->look_due)
            look_at_mount(n);
        (void)eventfd_read(n->event, &count);
        if (n->commands >= 0)
            take_answer(n);
    }
    return NULL;
}

int notify_start(struct notify *n, int mounts, struct err *err)
{
    n->mounts = mounts;
    int r = pthread_create(&n->thread, NULL, run, n);
    if (r)
        return err_sys(err, r, "cannot start a thread for watchers");
    n->started = true;
    return 0;
}

void notify_stop(struct notify *n)
{
    if (!n || !n->started)
        return;
    lock_take(&n->lock);
    n->stopping = true;
    lock_release(&n->lock);
    wake_thread(n);
    pthread_join(n->thread, NULL);
    n->started = false;
    end_replayer(n, text_monotonic_ms() + STOP_MS);
}

void notify_free(struct notify *n)
{
    if (!n)
        return;
    if (!reap_until(n, text_monotonic_ms() + STOP_MS))
        log_warn(NULL, "process %d, which inotify events come from, does not end", (int)n->pid);
    slots_free(&n->slots);
    close(n->event);
    lock_destroy(&n->lock);
    free(n);
}
