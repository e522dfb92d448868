#include "fs/client/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>

static const int held[] = {SIGCHLD, SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};

static void fill(sigset_t *set)
{
    sigemptyset(set);
    for (size_t i = 0; i < sizeof held / sizeof held[0]; i++)
        sigaddset(set, held[i]);
}

void signals_hold(void)
{
    sigset_t set;
    fill(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

void signals_as_they_were(void)
{
    sigset_t set;
    for (int i = 1; i < SIGRTMAX; i++)
        signal(i, SIG_DFL);
    sigemptyset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
}

static int code_of(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Everyone who has ended; true: the child is among them. */
static bool reap(pid_t child, int *code)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == child) {
            *code = code_of(status);
            return true;
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
