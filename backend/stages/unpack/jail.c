#include "stages/unpack/jail.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"
#include "base/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define REPORT_FD (WIRE_RECORDS_FD + 1) /* where the child says why it could not start */
#define PARKED    16                    /* above every descriptor that has a place */

/* Between fork and exec: nothing here may allocate or take a lock. */
struct child {
    const char *helper;
    char *const *argv;
    int archive, data, records, report;
    pid_t parent;
};

static void reset_signals(void)
{
    sigset_t none;
    for (int i = 1; i < NSIG; i++)
        signal(i, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* First out of the way of the places, then down into them. */
static int place_descriptors(struct child *c)
{
    int *fds[] = {&c->archive, &c->data, &c->records, &c->report};
    static const int places[] = {WIRE_ARCHIVE_FD, WIRE_DATA_FD, WIRE_RECORDS_FD, REPORT_FD};
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        int parked = fcntl(*fds[i], F_DUPFD_CLOEXEC, PARKED);
        if (parked < 0)
            return -1;
        *fds[i] = parked;
    }
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        if (dup3(*fds[i], places[i], places[i] == REPORT_FD ? O_CLOEXEC : 0) < 0)
            return -1;
    c->report = REPORT_FD;
    close(STDERR_FILENO);
    return close_range(REPORT_FD + 1, UINT_MAX, 0);
}

static _Noreturn void run_child(struct child *c)
{
    char *const no_environment[] = {NULL};
    reset_signals();
    setsid();
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == c->parent &&
        place_descriptors(c) == 0)
        execve(c->helper, c->argv, no_environment);
    int num = errno;
    (void)!write(c->report, &num, sizeof num); /* the right number at every step */
    _exit(127);
}

/* With all signals blocked, so that none of our handlers runs in the child. */
static pid_t fork_child(struct child *c)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    c->parent = getpid();
    pid_t pid = fork();
    int saved = errno;
    if (pid == 0)
        run_child(c);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    return pid;
}

/* The report's end of file is the exec's success. */
static int await_exec(int report, const char *helper, struct err *err)
{
    int num;
    if (io_read(report, &num, sizeof num) != sizeof num)
        return 0;
    return err_set(err, ERR_INTERNAL, num > 0 ? num : EIO,
                   "cannot start the unpacking helper %s: %s", helper, strerror(num));
}

static int cannot(struct err *err, int num, const char *what)
{
    return err_set(err, ERR_INTERNAL, num, "cannot start the unpacking helper: %s: %s", what,
                   strerror(num));
}

int jail_spawn(struct jail *j, const char *helper, const struct limits *limits, int archive,
               int data, struct err *err)
{
    char numbers[3][24];
    const int64_t values[] = {limits->max_files, limits->max_file_size, limits->max_total_size};
    for (size_t i = 0; i < ARRAY_SIZE(values); i++)
        snprintf(numbers[i], sizeof numbers[i], "%lld", (long long)values[i]);
    char *argv[] = {(char *)(uintptr_t)helper, numbers[0], numbers[1], numbers[2], NULL};
    int records[2], reports[2];

    if (pipe2(records, O_CLOEXEC) < 0)
        return cannot(err, errno, "pipe");
    int records_in CLEANUP_CLOSE = records[0], records_out CLEANUP_CLOSE = records[1];
    if (pipe2(reports, O_CLOEXEC) < 0)
        return cannot(err, errno, "pipe");
    int report_in CLEANUP_CLOSE = reports[0], report_out CLEANUP_CLOSE = reports[1];
    struct child c = {helper, argv, archive, data, records_out, report_out, 0};
    pid_t pid = fork_child(&c);
    if (pid < 0)
        return cannot(err, errno, "fork");
    j->pidfd = pidfd_open(pid, 0);
    if (j->pidfd < 0) {
        int num = errno;
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return cannot(err, num, "pidfd_open");
    }
    close(steal_fd(report_out));
    int r = await_exec(report_in, helper, err);
    if (r < 0)
        jail_kill(j);
    else
        j->records = steal_fd(records_in);
    return r;
}

static bool wait_until(int pidfd, int64_t deadline)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    for (;;) {
        int64_t left = deadline - text_monotonic_ms();
        int n = poll(&p, 1, left < 0 ? 0 : (int)left);
        if (n > 0)
            return true;
        if (n == 0 || errno != EINTR)
            return false;
    }
}

static void reap(struct jail *j, siginfo_t *how)
{
    while (waitid(P_PIDFD, (id_t)j->pidfd, how, WEXITED) < 0 && errno == EINTR)
        ;
    close(steal_fd(j->pidfd));
}

static int killed_by(int sig, struct err *err)
{
    if (sig == SIGXFSZ)
        return err_set(err, ERR_TOO_LARGE_TOTAL, EFBIG,
                       "the archive holds more than max_total_size allows");
    if (sig == SIGXCPU)
        return err_set(err, ERR_TOO_LARGE_TOTAL, ETIME,
                       "the archive takes more processor time to unpack than max_total_size "
                       "allows; -o max_total_size=SIZE allows more");
    const char *name = sigabbrev_np(sig);
    return err_set(err, ERR_INTERNAL, EIO, "the unpacking helper was killed by SIG%s",
                   name ? name : "???");
}

int jail_end(struct jail *j, int grace_ms, struct err *err)
{
    siginfo_t how = {0};
    bool ended = wait_until(j->pidfd, text_monotonic_ms() + grace_ms);
    if (!ended)
        pidfd_send_signal(j->pidfd, SIGKILL, NULL, 0);
    reap(j, &how);
    if (!ended)
        return err_set(err, ERR_INTERNAL, ETIMEDOUT, "the unpacking helper did not end");
    if (how.si_code != CLD_EXITED)
        return killed_by(how.si_status, err);
    if (how.si_status != 0)
        return err_set(err, ERR_INTERNAL, EIO, "the unpacking helper ended with status %d",
                       how.si_status);
    return 0;
}

void jail_kill(struct jail *j)
{
    siginfo_t how;
    if (j->pidfd >= 0) {
        pidfd_send_signal(j->pidfd, SIGKILL, NULL, 0);
        reap(j, &how);
    }
    if (j->records >= 0)
        close(steal_fd(j->records));
}
