#include "fs/client/guard.h"

#include "fs/client/outcome.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

static bool ends_a_program(unsigned sig)
{
    return sig == SIGINT || sig == SIGQUIT || sig == SIGTERM || sig == SIGHUP;
}

/* Should it be another signal, it is too late for that, too. */
static void look(const struct guard *guard)
{
    struct signalfd_siginfo info;
    if (read(guard->signals, &info, sizeof info) != sizeof info || !ends_a_program(info.ssi_signo))
        return;
    guard->last(guard->arg);
    fputs("imgstore: the daemon does not answer\n", stderr);
    _exit(OUTCOME_SIGNAL + (int)info.ssi_signo);
}

static void *watch(void *arg)
{
    struct guard *guard = arg;
    struct pollfd fds[] = {{.fd = guard->ended, .events = POLLIN},
                           {.fd = guard->signals, .events = POLLIN}};
    for (;;) {
        if (poll(fds, 2, -1) <= 0)
            continue;
        if (!fds[0].revents)
            poll(fds, 1, GUARD_MS); /* whoever should look at it has time to */
        if (fds[0].revents)
            return NULL;
        look(guard);
    }
}

void guard_begin(struct guard *guard, int signals, void (*last)(void *arg), void *arg)
{
    *guard = (struct guard){.signals = signals, .last = last, .arg = arg};
    guard->ended = eventfd(0, EFD_CLOEXEC);
    guard->runs = guard->ended >= 0 && pthread_create(&guard->thread, NULL, watch, guard) == 0;
    if (!guard->runs && guard->ended >= 0)
        close(guard->ended);
}

void guard_end(struct guard *guard)
{
    if (!guard->runs)
        return;
    (void)eventfd_write(guard->ended, 1);
    pthread_join(guard->thread, NULL);
    close(guard->ended);
    *guard = (struct guard){0};
}
