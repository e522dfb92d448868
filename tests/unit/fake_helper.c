#include "fake_helper.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"
#include "wire_build.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

extern char **environ;

static char *take(size_t n)
{
    char *p = malloc(n + 1);
    if (!p || io_read(WIRE_ARCHIVE_FD, p, n) != (ssize_t)n)
        _exit(99);
    return p;
}

static void tell(int argc, char **argv)
{
    struct text what = {0}, record = {0};
    sigset_t blocked;
    int death = 0, ignored = 0, odd = 0;
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    for (int i = 1; i < NSIG; i++) {
        struct sigaction a;
        odd += sigismember(&blocked, i) == 1;
        ignored += sigaction(i, NULL, &a) == 0 && a.sa_handler == SIG_IGN;
    }
    prctl(PR_GET_PDEATHSIG, &death);
    text_add(&what, "fds");
    for (int fd = 0; fd < 4096; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            text_addf(&what, " %d", fd);
    text_addf(&what, "; cloexec %d", fcntl(WIRE_RECORDS_FD, F_GETFD));
    text_addf(&what, "; data %d", fcntl(WIRE_DATA_FD, F_GETFL) & O_ACCMODE);
    text_addf(&what, "; archive %d", fcntl(WIRE_ARCHIVE_FD, F_GETFL) & O_ACCMODE);
    text_addf(&what, "; env %d; blocked %d; ignored %d; death %d; session %d; args",
              environ[0] != NULL, odd, ignored, death, getsid(0) == getpid());
    for (int i = 1; i < argc; i++)
        text_addf(&what, " %s", argv[i]);
    wire_add_error(&record, 18, 5, what.data);
    io_write(WIRE_RECORDS_FD, record.data, record.len);
}

static void write_slowly(const char *p, size_t n, unsigned ms)
{
    for (; n > 0; n--, p++) {
        io_write(WIRE_RECORDS_FD, p, 1);
        nanosleep(&(struct timespec){.tv_nsec = ms * 1000000L}, NULL);
    }
}

int main(int argc, char **argv)
{
    struct fake_script s;
    if (io_read(WIRE_ARCHIVE_FD, &s, sizeof s) != sizeof s)
        return 98;
    char *data = take(s.data_len), *wire = take(s.wire_len);
    lseek(WIRE_DATA_FD, WIRE_BLOCK, SEEK_SET);
    io_write(WIRE_DATA_FD, data, s.data_len);
    if (s.action == FAKE_TELL)
        tell(argc, argv);
    if (s.action == FAKE_FUZZ)
        fake_fuzz(s.arg);
    if (s.action == FAKE_SLOW)
        write_slowly(wire, s.wire_len, s.arg);
    else
        io_write(WIRE_RECORDS_FD, wire, s.wire_len);
    while (s.action == FAKE_FLOOD && io_write(WIRE_RECORDS_FD, wire, s.wire_len) == 0)
        ;
    if (s.action == FAKE_SIGNAL) {
        signal((int)s.arg, SIG_DFL); /* a sanitizer may have its own */
        raise((int)s.arg);
    }
    if (s.action == FAKE_LINGER)
        close(WIRE_RECORDS_FD);
    if (s.action == FAKE_LINGER || s.action == FAKE_HANG)
        for (;;)
            pause();
    _exit(s.action == FAKE_EXIT ? (int)s.arg : 0);
}
