#include "fs/client/screen.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define HIDE_CURSOR "\033[?25l"
#define SHOW_CURSOR "\033[?25h"
#define ALTERNATE   "\033[?1049h"
#define ORDINARY    "\033[?1049l"
#define HOME        "\033[H"
#define CLEAR_RIGHT "\033[K"
#define CLEAR_BELOW "\033[J"

bool screen_is_terminal(int fd)
{
    const char *term = getenv("TERM");
    return isatty(fd) && term && *term && strcmp(term, "dumb") != 0;
}

void screen_size(int fd, int *width, int *height)
{
    struct winsize size;
    bool known = ioctl(fd, TIOCGWINSZ, &size) == 0;
    *width = known && size.ws_col > 0 ? size.ws_col : 80;
    *height = known && size.ws_row > 0 ? size.ws_row : 24;
}

static void say(const struct screen *screen, const char *s)
{
    (void)io_write(screen->fd, s, strlen(s));
}

static bool in_foreground(const struct screen *screen)
{
    pid_t owner = tcgetpgrp(screen->fd);
    return owner < 0 || owner == getpgrp();
}

/* Keys come one by one and unseen; Ctrl-C stays what it is. */
static void take(struct screen *screen)
{
    if (!screen->terminal || !in_foreground(screen))
        return;
    if (screen->keys) {
        struct termios t = screen->keyboard;
        t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        tcsetattr(STDIN_FILENO, TCSADRAIN, &t);
    }
    say(screen, screen->kind == SCREEN_WHOLE ? ALTERNATE HIDE_CURSOR : HIDE_CURSOR);
}

static void give_back(struct screen *screen)
{
    if (!screen->terminal || !in_foreground(screen))
        return;
    say(screen, screen->kind == SCREEN_WHOLE ? SHOW_CURSOR ORDINARY : SHOW_CURSOR);
    if (screen->keys)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &screen->keyboard);
}

static int open_signals(struct screen *screen)
{
    static const int taken[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGWINCH};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_SIZE(taken); i++) {
        struct sigaction now;
        /* As nohup has it, say: a blocked signal would come all the same. */
        if (sigaction(taken[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
            sigaddset(&set, taken[i]);
    }
    if (screen->terminal) {
        sigaddset(&set, SIGTSTP);
        sigaddset(&set, SIGCONT);
    }
    screen->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (screen->signals < 0)
        return -errno;
    sigprocmask(SIG_BLOCK, &set, &screen->before);
    return 0;
}

int screen_open(struct screen *screen, int fd, enum screen_kind kind)
{
    *screen = (struct screen){.fd = fd, .kind = kind, .signals = -1};
    screen->terminal = kind != SCREEN_NONE && screen_is_terminal(fd);
    screen->keys =
        screen->terminal && kind == SCREEN_WHOLE && tcgetattr(STDIN_FILENO, &screen->keyboard) == 0;
    screen_size(fd, &screen->width, &screen->height);
    int r = open_signals(screen);
    if (r == 0)
        take(screen);
    return r;
}

static void give_back_late(void *screen)
{
    give_back(screen);
}

void screen_guard(struct screen *screen)
{
    guard_begin(&screen->guard, screen->signals, give_back_late, screen);
}

void screen_close(struct screen *screen)
{
    if (screen->signals < 0)
        return;
    guard_end(&screen->guard);
    give_back(screen);
    close(screen->signals);
    screen->signals = -1;
    sigprocmask(SIG_SETMASK, &screen->before, NULL);
    free(screen->columns);
    screen->columns = NULL;
    screen->lines = 0;
}

/* Columns of a line of n bytes; sequences take none. */
static int columns_of(const char *line, size_t n)
{
    int columns = 0;
    for (size_t i = 0; i < n; i++)
        if (line[i] != '\033')
            columns++;
        else
            while (i < n && line[i] != 'm')
                i++;
    return columns;
}

/* Back to where the frame begins; lines that were wider than the terminal is by now take several.
 */
static void add_back(const struct screen *screen, struct text *out)
{
    int rows = 0;
    for (size_t i = 0; i < screen->lines; i++)
        rows += screen->columns[i] > 0 ? (screen->columns[i] - 1) / screen->width + 1 : 1;
    if (rows > 0)
        text_addf(out, "\r\033[%dA", rows);
}

/* Each line over the one that was there: nothing is ever blank in between. */
static size_t add_lines(struct text *out, const struct text *lines)
{
    size_t n = 0;
    const char *at = lines && lines->data ? lines->data : "", *end;
    for (; (end = strchr(at, '\n')); at = end + 1, n++) {
        text_addn(out, at, (size_t)(end - at));
        text_add(out, CLEAR_RIGHT "\r\n");
    }
    return n;
}

static void remember(struct screen *screen, const struct text *frame, size_t lines)
{
    int *columns = reallocarray(screen->columns, lines + 1, sizeof *columns);
    screen->lines = 0;
    if (!columns)
        return;
    screen->columns = columns;
    const char *at = frame && frame->data ? frame->data : "", *end;
    for (; (end = strchr(at, '\n')); at = end + 1)
        columns[screen->lines++] = columns_of(at, (size_t)(end - at));
}

void screen_draw(struct screen *screen, const struct text *above, const struct text *frame)
{
    struct text out CLEANUP_TEXT = {0};
    if (!screen->terminal)
        return;
    if (!in_foreground(screen)) {
        if (above && above->len)
            (void)io_write(screen->fd, above->data, above->len);
        screen->lines = 0;
        return;
    }
    if (screen->kind == SCREEN_WHOLE)
        text_add(&out, HOME);
    else
        add_back(screen, &out);
    add_lines(&out, above);
    size_t lines = add_lines(&out, frame);
    text_add(&out, CLEAR_BELOW);
    if (out.failed)
        return;
    (void)io_write(screen->fd, out.data, out.len);
    remember(screen, frame, lines);
}

/* Whatever has stopped it: the terminal was somebody else's meanwhile. */
static void go_on(struct screen *screen)
{
    screen->lines = 0;
    take(screen);
}

static void stop(struct screen *screen)
{
    sigset_t set;
    give_back(screen);
    sigemptyset(&set);
    sigaddset(&set, SIGTSTP);
    raise(SIGTSTP);
    sigprocmask(SIG_UNBLOCK, &set, NULL); /* here it stops, and goes on */
    sigprocmask(SIG_BLOCK, &set, NULL);
    go_on(screen); /* also where nobody was there to stop it for */
}

/* SCREEN_TICK: it was nothing that the caller need know. */
static enum screen_event on_signal(struct screen *screen, int *sig)
{
    struct signalfd_siginfo info;
    if (read(screen->signals, &info, sizeof info) != sizeof info)
        return SCREEN_TICK;
    if (info.ssi_signo == SIGWINCH)
        return SCREEN_NEWS;
    if (info.ssi_signo == SIGTSTP)
        return stop(screen), SCREEN_NEWS;
    if (info.ssi_signo == SIGCONT)
        return go_on(screen), SCREEN_NEWS;
    *sig = (int)info.ssi_signo;
    return SCREEN_SIGNAL;
}

/* The end of what is typed is no news for ever: it is not asked any more. */
static enum screen_event on_key(struct screen *screen)
{
    char key;
    ssize_t n = read(STDIN_FILENO, &key, 1);
    if (n == 0)
        screen->keys = false;
    return n == 1 && (key == 'q' || key == 'Q') ? SCREEN_QUIT : SCREEN_TICK;
}

enum screen_event screen_wait(struct screen *screen, int fd, int ms, int *sig)
{
    struct pollfd fds[] = {
        {.fd = screen->signals, .events = POLLIN},
        {.fd = screen->keys ? STDIN_FILENO : -1, .events = POLLIN},
        {.fd = fd, .events = POLLIN},
        {.fd = screen->terminal || screen->kind == SCREEN_LINES ? -1 : screen->fd},
    };
    enum screen_event event = SCREEN_TICK;
    if (poll(fds, ARRAY_SIZE(fds), ms) > 0) {
        if (fds[0].revents)
            event = on_signal(screen, sig);
        else if (fds[1].revents)
            event = on_key(screen);
        if (event == SCREEN_TICK && fds[3].revents & POLLERR)
            event = SCREEN_QUIT;
        if (event == SCREEN_TICK && fds[2].revents)
            event = SCREEN_NEWS;
    }
    if (screen->terminal)
        screen_size(screen->fd, &screen->width, &screen->height);
    return event;
}
