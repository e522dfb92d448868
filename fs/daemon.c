#include "fs/daemon.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

/* --- background */

int daemon_fork(void)
{
    int ends[2];
    char up = 0;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    pid_t child = fork();
    if (child < 0)
        return -errno;
    if (child == 0) {
        close(ends[0]);
        setsid();
        return ends[1];
    }
    close(ends[1]);
    ssize_t n = read(ends[0], &up, 1);
    _exit(n == 1 ? 0 : 1); /* the child has said why on our standard error */
}

void daemon_ready(int fd)
{
    int null CLEANUP_CLOSE = open("/dev/null", O_RDWR | O_CLOEXEC);
    (void)!chdir("/"); /* so that no file system is kept from being unmounted */
    for (int std = 0; null >= 0 && std <= 2; std++)
        dup2(null, std);
    if (write(fd, "", 1) == 1)
        close(fd);
}

/* --- signals */

#define AGAIN_MS 50 /* a stop that fell between a look at the flag and a sleep is repeated */

static struct {
    pthread_t thread, main;
    void (*stop)(void *ctx);
    void *ctx;
    int last; /* the signal that came; read after the join */
} signals;

static void set_of_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGUSR2);
    sigaddset(set, SIGUSR1); /* from daemon_signals_end: no more to wait for */
}

static void *take_signals(void *arg)
{
    sigset_t set;
    set_of_signals(&set);
    sigwait(&set, &signals.last);
    struct timespec again = {.tv_nsec = AGAIN_MS * 1000000L};
    for (int s = signals.last; s != SIGUSR1;) {
        signals.stop(signals.ctx);
        pthread_kill(signals.main, SIGCHLD); /* wakes it from a sleep */
        s = sigtimedwait(&set, NULL, &again);
    }
    return NULL;
}

static void wake(int s)
{
}

int daemon_signals_begin(void (*stop)(void *ctx), void *ctx, struct err *err)
{
    sigset_t set;
    set_of_signals(&set);
    sigaction(SIGCHLD, &(struct sigaction){.sa_handler = wake}, NULL);
    sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signals.main = pthread_self();
    signals.stop = stop;
    signals.ctx = ctx;
    int r = pthread_create(&signals.thread, NULL, take_signals, NULL);
    return r ? err_sys(err, r, "cannot start a thread for signals") : 0;
}

bool daemon_signals_end(void)
{
    pthread_kill(signals.thread, SIGUSR1);
    pthread_join(signals.thread, NULL);
    return signals.last == SIGUSR2;
}
