#include "fs/client/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

static const int held[] = {SIGCHLD, SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};

/* A blocked signal would come though it is ignored. */
static void fill(sigset_t *set)
{
    struct sigaction now;
    sigemptyset(set);
    for (size_t i = 0; i < sizeof held / sizeof held[0]; i++)
        if (sigaction(held[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
            sigaddset(set, held[i]);
}

void signals_hold(struct signals *before)
{
    sigset_t set;
    sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_DFL}, &before->child);
    fill(&set);
    sigprocmask(SIG_BLOCK, &set, &before->mask);
}

void signals_put_back(const struct signals *before)
{
    sigaction(SIGCHLD, &before->child, NULL);
    sigprocmask(SIG_SETMASK, &before->mask, NULL);
}

static int code_of(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A shell that suspends itself, in a group of its own: nobody out there would know to continue it.
 * Where it is of our group, what has stopped it has stopped that; what it may not do with the
 * terminal, it would try again for ever. */
static void on_stop(pid_t child, int sig)
{
    if (getpgid(child) != getpgrp() && sig != SIGTTIN && sig != SIGTTOU)
        kill(child, SIGCONT);
}

/* Everyone who has ended; true: the child is among them. */
static bool reap(pid_t child, int *code)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
        if (pid == child && WIFSTOPPED(status)) {
            on_stop(child, WSTOPSIG(status));
        } else if (pid == child) {
            *code = code_of(status);
            return true;
        }
    }
    return false;
}

int signals_wait(pid_t child)
{
    sigset_t set;
    siginfo_t info;
    int code = 0;
    fill(&set);
    while (!reap(child, &code)) {
        int n = sigwaitinfo(&set, &info);
        /* By code: kill(2)'s are not positive, the kernel's are. When the terminal goes, the kernel
         * tells the leader of the session alone, and that may be this process. */
        if (n > 0 && n != SIGCHLD && (info.si_code <= 0 || n == SIGHUP))
            kill(child, n);
    }
    return code;
}
