#include "fs/client/transfer.h"

#include "base/cleanup.h"
#include "fs/client/bar.h"
#include "fs/client/colour.h"
#include "fs/client/screen.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define PIECE    (1 << 18)
#define FRAME_MS 100
#define STOP_MS  10

struct copier {
    struct transfer *transfer;
    int ended; /* an eventfd */
    int r;
    struct err err;
};

/* What stops the thread is a signal, which interrupts what it waits for. */
static void interrupt(int sig)
{
}

/* -EINTR: it is to stop. */
static int write_piece(const struct transfer *transfer, int to, ssize_t size)
{
    for (ssize_t at = 0; at < size;) {
        ssize_t n = write(to, transfer->buffer + at, (size_t)(size - at));
        if (n < 0 && (errno != EINTR || transfer->stop))
            return -errno;
        at += n < 0 ? 0 : n;
    }
    return 0;
}

int transfer_copy(struct transfer *transfer, int from, int to, bool *wrote)
{
    *wrote = false;
    while (!transfer->stop) {
        ssize_t n = read(from, transfer->buffer, PIECE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
        int r = write_piece(transfer, to, n);
        if (r < 0)
            return *wrote = true, r;
        transfer->done += n;
    }
    return -EINTR;
}

static void *copy(void *arg)
{
    struct copier *c = arg;
    c->r = c->transfer->run(c->transfer, &c->err);
    (void)eventfd_write(c->ended, 1);
    return NULL;
}

static void draw(const struct transfer *t, struct screen *screen, struct meter *meter)
{
    struct text frame CLEANUP_TEXT = {0};
    int64_t now = text_monotonic_ms(), done = t->done;
    meter_add(meter, now, done);
    struct bar bar = {.name = t->name,
                      .phase = t->phase,
                      .percent = t->total > 0 ? (int)(done * 100 / t->total) : -1,
                      .done = done,
                      .total = t->total,
                      .rate = meter_rate(meter, now),
                      .colour = colour(stderr, COLOUR_BUSY)};
    if (bar.percent > 100) /* it grows while it is read */
        bar.percent = 100;
    bar.left_ms = meter_left(bar.rate, done, t->total);
    bar_add(&frame, &bar, screen->width - 1, (int)strlen(t->name));
    text_add(&frame, "\n");
    screen_draw(screen, NULL, &frame);
}

/* 0, or the signal. */
static int attend(const struct transfer *t, struct screen *screen, int ended)
{
    struct meter meter = {0};
    int sig;
    for (;;) {
        enum screen_event event = screen_wait(screen, ended, FRAME_MS, &sig);
        eventfd_t count;
        if (event == SCREEN_SIGNAL)
            return sig;
        if (event == SCREEN_NEWS && eventfd_read(ended, &count) == 0)
            return 0;
        if (screen->terminal)
            draw(t, screen, &meter);
    }
}

/* Again and again: the signal may come just before the thread begins to wait. */
static void stop(struct transfer *t, pthread_t thread)
{
    struct timespec until;
    t->stop = true;
    if (t->break_off)
        t->break_off(t);
    do {
        pthread_kill(thread, SIGUSR1);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += STOP_MS * 1000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
    } while (pthread_timedjoin_np(thread, NULL, &until) == ETIMEDOUT);
}

static int run(struct transfer *t, struct screen *screen, struct copier *c, struct err *err)
{
    pthread_t thread;
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = interrupt}, NULL);
    int r = pthread_create(&thread, NULL, copy, c);
    if (r != 0)
        return err_set(err, ERR_NONE, r, "cannot start a thread: %s", strerror(r));
    int sig = attend(t, screen, c->ended);
    if (sig)
        stop(t, thread);
    else
        pthread_join(thread, NULL);
    screen_draw(screen, NULL, NULL);
    if (!sig && c->r < 0 && err)
        *err = c->err;
    return sig && c->r < 0 ? sig : c->r; /* it may have come to its end all the same */
}

int transfer_go(struct transfer *transfer, struct err *err)
{
    int64_t began = text_monotonic_ms();
    int ended CLEANUP_CLOSE = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    char *buffer CLEANUP_FREE = transfer->buffer = malloc(PIECE);
    struct copier c = {.transfer = transfer, .ended = ended};
    struct screen screen;
    if (!buffer)
        return err_set(err, ERR_NONE, ENOMEM, "out of memory");
    int r = ended < 0 ? -errno : screen_open(&screen, STDERR_FILENO, SCREEN_LINES);
    if (r < 0)
        return err_set(err, ERR_NONE, -r, "cannot wait: %s", strerror(-r));
    r = run(transfer, &screen, &c, err);
    screen_close(&screen);
    transfer->ms = text_monotonic_ms() - began;
    return r;
}
