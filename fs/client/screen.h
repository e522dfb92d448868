/* screen: a terminal that is drawn on in place, and the keys and signals that may come meanwhile.
 *
 * Where the stream is no terminal, nothing is ever drawn, but signals are told all the same. All is
 * put back by screen_close: between screen_open and it the cursor is hidden, echo may be off, and
 * SIGINT, SIGQUIT, SIGTERM, SIGHUP and SIGTSTP are taken by screen_wait alone. One thread. */
#ifndef CLIENT_SCREEN_H
#define CLIENT_SCREEN_H

#include "base/text.h"
#include "fs/client/guard.h"

#include <signal.h>
#include <stdbool.h>
#include <termios.h>

/* Can lines be redrawn there? Not where TERM is missing or "dumb". */
bool screen_is_terminal(int fd);

/* Columns and rows, 80 and 24 where nobody knows. */
void screen_size(int fd, int *width, int *height);

enum screen_kind {
    SCREEN_NONE,  /* signals alone, also on a terminal */
    SCREEN_LINES, /* a few lines below what was there, redrawn in place */
    SCREEN_WHOLE, /* all of it, with keys; what was there is back at the end */
};

struct screen {
    int fd;
    enum screen_kind kind;
    bool terminal, keys;
    int width, height; /* as of the last screen_wait or screen_open */
    /* Of the frame that is shown. */
    size_t lines;
    int *columns; /* of each line */
    int signals;  /* a signalfd */
    sigset_t before;
    struct termios keyboard;
    struct guard guard;
};

/* 0 or -errno. A screen that is closed, or all zero with fd and signals at -1, may be closed again.
 */
int screen_open(struct screen *screen, int fd, enum screen_kind kind);
/* For who has nothing to take back, and asks the daemon in between: should that not answer, so that
 * screen_wait is not called for long, a signal that ends a program does, once the screen is put
 * back. Until screen_close the screen may not be moved. */
void screen_guard(struct screen *screen);
void screen_close(struct screen *screen);
#define CLEANUP_SCREEN __attribute__((cleanup(screen_close)))

/* Puts `above` down for good, and shows `frame` below it instead of the frame there was: both are
 * lines that end in a newline and are at most width - 1 columns (SCREEN_WHOLE: and
 * height - 1 lines). NULL: nothing. In the background only `above` is written. */
void screen_draw(struct screen *screen, const struct text *above, const struct text *frame);

enum screen_event {
    SCREEN_TICK,  /* that long nothing has come */
    SCREEN_NEWS,  /* fd is ready, or the terminal's size is another */
    SCREEN_QUIT,  /* the key q; or it is a pipe, not SCREEN_LINES, that nobody reads any more */
    SCREEN_SIGNAL /* *sig: one that ends a program */
};
/* fd may be -1. A stop by Ctrl-Z is seen to, and all that was set is set again after it. */
enum screen_event screen_wait(struct screen *screen, int fd, int ms, int *sig);

#endif
