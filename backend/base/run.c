#include "base/run.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

extern char **environ;

static int spawn(char *const argv[], int keep, int report, pid_t *pid)
{
    sigset_t none, all;
    posix_spawnattr_t attr;
    posix_spawn_file_actions_t places;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setflags(&attr,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
    posix_spawn_file_actions_init(&places);
    posix_spawn_file_actions_adddup2(&places, report, STDERR_FILENO);
    posix_spawn_file_actions_addopen(&places, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&places, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (keep >= 0)
        posix_spawn_file_actions_adddup2(&places, keep, RUN_KEPT_FD);
    posix_spawn_file_actions_addclosefrom_np(&places, RUN_KEPT_FD + (keep >= 0));
    int r = posix_spawnp(pid, argv[0], &places, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&places);
    posix_spawnattr_destroy(&attr);
    return -r;
}

/* What comes in time; the end of file is the program's end, or its way to the background. */
static int listen_to(int report, int64_t deadline, struct text *out)
{
    char piece[256];
    struct pollfd p = {.fd = report, .events = POLLIN};
    for (;;) {
        int64_t left = deadline - text_monotonic_ms();
        int n = left <= 0 ? 0 : poll(&p, 1, (int)left);
        if (n == 0)
            return -ETIMEDOUT;
        ssize_t got = n < 0 ? -1 : read(report, piece, sizeof piece);
        if (got == 0)
            return 0;
        if (got < 0 && errno != EINTR)
            return -errno;
        if (got > 0 && out->len < RUN_SAID_MAX)
            text_addn(out, piece, (size_t)got);
    }
}

/* One that has closed its standard error may run on. */
static bool ends_by(pid_t pid, int64_t deadline)
{
    int n, fd CLEANUP_CLOSE = pidfd_open(pid, 0);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (fd < 0)
        return true;
    do {
        int64_t left = deadline - text_monotonic_ms();
        n = poll(&p, 1, left < 0 ? 0 : (int)left);
    } while (n < 0 && errno == EINTR);
    return n != 0;
}

static int await_end(pid_t pid, bool kill_it)
{
    int status;
    if (kill_it)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Lines become clauses. */
static void spell(struct text *heard, char said[static RUN_SAID_MAX])
{
    struct text shown CLEANUP_TEXT = {0};
    char *rest = heard->data;
    for (char *line; (line = strsep(&rest, "\n"));) {
        if (!*line)
            continue;
        text_add(&shown, shown.len ? "; " : "");
        text_add_printable(&shown, line);
    }
    snprintf(said, RUN_SAID_MAX, "%s", shown.data ? shown.data : "it does not say why");
}

int run_program(char *const argv[], int keep, int timeout_ms, char said[static RUN_SAID_MAX])
{
    int ends[2];
    pid_t pid;
    struct text heard CLEANUP_TEXT = {0};
    said[0] = '\0';
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    int ours CLEANUP_CLOSE = ends[0], theirs CLEANUP_CLOSE = ends[1];
    /* Not where it would be written over while the others take their places. */
    int kept CLEANUP_CLOSE = keep < 0 ? -1 : fcntl(keep, F_DUPFD_CLOEXEC, RUN_KEPT_FD + 1);
    if (keep >= 0 && kept < 0)
        return -errno;
    int r = spawn(argv, kept, theirs, &pid);
    if (r < 0)
        return r;
    close(steal_fd(theirs));
    int64_t deadline = text_monotonic_ms() + timeout_ms;
    if ((r = listen_to(ours, deadline, &heard)) == 0 && !ends_by(pid, deadline))
        r = -ETIMEDOUT;
    int status = await_end(pid, r < 0);
    spell(&heard, said);
    return r < 0 ? r : status;
}
