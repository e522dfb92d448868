#include "fs/client/wait.h"

#include "base/cleanup.h"
#include "fs/client/colour.h"
#include "fs/client/commands.h"
#include "fs/client/hint.h"
#include "fs/client/human.h"
#include "fs/client/screen.h"
#include "fs/client/target.h"
#include "fs/client/track.h"

#include <errno.h>
#include <string.h>

#define FRAME_MS  50  /* no two frames within */
#define REDRAW_MS 250 /* the time left runs though nothing comes */

#define NAME_COLUMNS 24 /* longer ones stick out */

struct waiting {
    struct live live;
    struct screen screen;
    bool colour, just_begun;
    int name_width; /* what the lines of all align to */
    int64_t began;
    json_t *seen;
    enum outcome all;
    struct text above; /* what is put down for good by the next frame */
};

/* On a terminal once the frame is gone from there, else at once. */
static void put_down(struct waiting *w)
{
    if (w->screen.terminal)
        return;
    fputs(w->above.data ? w->above.data : "", stderr);
    text_free(&w->above);
}

static void add_word(struct waiting *w, const char *name, const char *word)
{
    enum colour colour = w->colour ? colour_of_state(word) : COLOUR_NONE;
    text_addf(&w->above, "%-*s  %s%s%s", w->name_width, name, colour_begin(colour), word,
              colour ? COLOUR_END : "");
}

static void say_failed(struct waiting *w, const struct live_image *image)
{
    char next[512];
    const char *error = image->image.error.len ? image->image.error.data : "failed";
    if (!w->screen.terminal) {
        text_addf(&w->above, "imgstore: %s: %s\n", image->name, error);
        return;
    }
    add_word(w, image->name, "FAILED");
    text_addf(&w->above, "  %s\n", error);
    if (hint_next(image->name, "FAILED", NULL, error, next, sizeof next))
        text_addf(&w->above, "  next: %s\n", next);
}

/* Of what was ready from the start, scripts hear nothing. */
static void say_ready(struct waiting *w, const struct live_image *image)
{
    char spelt[HUMAN_MAX];
    const struct track *track = image->more;
    const char *size = image_value(&image->image, "size");
    if (!w->screen.terminal && !track->was_pending)
        return;
    add_word(w, image->name, track->phase);
    if (strcmp(size, "-") != 0)
        text_addf(&w->above, "  %s", human_size(atoll(size), spelt));
    if (w->just_begun && track->was_pending)
        text_addf(&w->above, " in %s", human_duration(text_monotonic_ms() - w->began, spelt));
    text_add(&w->above, "\n");
}

/* Of those in which there is work; the others say how it ended, and come again. */
static void say_phase(struct waiting *w, const struct live_image *image)
{
    static const char *const working[] = {"queued", "download", "unpack", "activate"};
    const char *phase = ((const struct track *)image->more)->phase;
    for (size_t i = 0; i < ARRAY_SIZE(working) && !w->screen.terminal; i++)
        if (strcmp(working[i], phase) == 0)
            text_addf(&w->above, "%-*s  %s\n", w->name_width, image->name, phase);
}

static void end_with(struct waiting *w, struct live_image *image, enum outcome outcome)
{
    image->done = true;
    if (w->all == OUTCOME_DONE)
        w->all = outcome;
}

static void judge(struct waiting *w, struct live_image *image)
{
    struct track *track = track_of(image);
    if (image->error < 0 || !track) {
        if (!track || !track->was_pending) /* it has never been there */
            target_explain(w->live.tree, image->name, image->error, &image->why);
        text_addf(&w->above, "imgstore: %s: %s\n", image->name,
                  image->error < 0 ? image->why.text : "out of memory");
        end_with(w, image, outcome_of(image->error < 0 ? image->error : -ENOMEM));
        return;
    }
    unsigned changes = track_update(track, &image->image, text_monotonic_ms());
    enum image_verdict verdict = image_verdict(&image->image);
    if (verdict == IMAGE_PENDING) {
        track->was_pending = true;
        if (changes & TRACK_PHASE)
            say_phase(w, image);
        return;
    }
    if (verdict == IMAGE_READY)
        say_ready(w, image);
    else
        say_failed(w, image);
    if (w->seen)
        json_array_append_new(w->seen, image_json(&image->image));
    end_with(w, image, verdict == IMAGE_READY ? OUTCOME_DONE : OUTCOME_FAILED);
}

static size_t look(struct waiting *w)
{
    struct err err = {0};
    int r = live_look(&w->live, &err);
    if (r < 0) {
        text_addf(&w->above, "imgstore: %s\n", err.text);
        w->all = outcome_of(r);
        return 0;
    }
    size_t left = 0;
    for (size_t i = 0; i < w->live.n; i++) {
        struct live_image *image = &w->live.image[i];
        if (!image->done && image->fresh)
            judge(w, image);
        left += !image->done;
    }
    return left;
}

static bool is_pending(const struct live_image *image)
{
    return !image->done;
}

static void draw(struct waiting *w)
{
    struct text frame CLEANUP_TEXT = {0};
    size_t n;
    put_down(w);
    if (!w->screen.terminal)
        return;
    struct live_image **images CLEANUP_FREE = track_sort(&w->live, is_pending, &n);
    if (images)
        track_add_all(&frame, images, n, w->screen.height - 1, text_monotonic_ms(),
                      w->screen.width - 1, w->colour);
    screen_draw(&w->screen, &w->above, &frame);
    text_free(&w->above);
}

/* Ctrl-C ends the waiting alone. */
static void say_left(struct waiting *w, int sig)
{
    struct text names CLEANUP_TEXT = {0};
    size_t left = 0;
    for (size_t i = 0; i < w->live.n; i++)
        if (!w->live.image[i].done && ++left <= 8)
            text_addf(&names, " %s", w->live.image[i].name);
    w->all = OUTCOME_SIGNAL + (unsigned)sig;
    if (left == 1)
        text_addf(&w->above, "%s goes on in the background; `imgstore wait%s`\n", names.data + 1,
                  names.data);
    else
        text_addf(&w->above, "%zu images go on in the background; `imgstore wait%s%s`\n", left,
                  names.failed ? "" : names.data, left > 8 ? " ..." : "");
}

/* False: the user has enough. */
static bool pause_or_end(struct waiting *w)
{
    int sig, ms = live_pause(&w->live);
    if (w->screen.terminal && ms > REDRAW_MS)
        ms = REDRAW_MS;
    enum screen_event event = screen_wait(&w->screen, live_fd(&w->live), ms, &sig);
    if (event == SCREEN_NEWS && w->screen.terminal)
        event = screen_wait(&w->screen, -1, FRAME_MS, &sig);
    if (event == SCREEN_SIGNAL)
        say_left(w, sig);
    return event != SCREEN_SIGNAL;
}

static void wait_on(struct waiting *w)
{
    bool goes_on = true;
    if (look(w) > 0)
        live_watch(&w->live);
    while (goes_on && look(w) > 0) {
        draw(w);
        goes_on = pause_or_end(w);
    }
    put_down(w);
    screen_draw(&w->screen, &w->above, NULL);
    text_free(&w->above);
}

static int longest_name(const struct live *live)
{
    int longest = 0;
    for (size_t i = 0; i < live->n; i++) {
        int width = (int)strlen(live->image[i].name);
        if (width > longest && width <= NAME_COLUMNS)
            longest = width;
    }
    return longest;
}

enum outcome wait_for(const struct tree *tree, char *const *names, size_t n, bool just_begun,
                      json_t *seen)
{
    struct waiting w = {.just_begun = just_begun, .seen = seen, .began = text_monotonic_ms()};
    struct err err = {0};
    int r = live_open(&w.live, tree, names, n, &err);
    if (r == 0 && (r = screen_open(&w.screen, STDERR_FILENO, SCREEN_LINES)) < 0)
        err_set(&err, ERR_NONE, -r, "cannot take signals: %s", strerror(-r));
    if (r == 0) {
        screen_guard(&w.screen);
        w.name_width = longest_name(&w.live);
        w.colour = colour_on(stderr);
        wait_on(&w);
        screen_close(&w.screen);
    }
    live_close(&w.live);
    return r < 0 ? commands_fail(NULL, r, &err) : w.all;
}
