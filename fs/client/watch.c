#include "fs/client/watch.h"

#include "base/cleanup.h"
#include "fs/client/colour.h"
#include "fs/client/screen.h"
#include "fs/client/target.h"
#include "fs/client/track.h"

#include <errno.h>
#include <string.h>

#define FRAME_MS 100 /* no two frames within */

struct watching {
    const struct tree *tree;
    struct live live;
    struct screen screen;
    bool colour, json;
};

static void print_json_line(const struct live_image *image)
{
    json_t *object = image->there ? image_json(&image->image)
                                  : json_pack("{s:s, s:n}", "name", image->name, "state");
    if (object)
        json_dumpf(object, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
    json_decref(object);
    putchar('\n');
}

/* For a script: a line as often as the state or the phase is another one, or the image is gone. */
static void print_change(const struct watching *w, const struct live_image *image)
{
    char when[TEXT_TIME_MAX];
    const struct track *track = image->more;
    const char *state = image->there ? image_value(&image->image, "state") : "gone";
    if (w->json) {
        print_json_line(image);
        return;
    }
    printf("%s %s %s", text_time(text_now_ms(), when), image->name, state);
    if (image->there && image->image.error.len > 0)
        printf(" %s", image->image.error.data);
    else if (image->there)
        printf(" %s", track->phase);
    putchar('\n');
}

static bool has_changed(struct live_image *image)
{
    struct track *track = image->more;
    if (image->there)
        return track_update(track, &image->image, text_monotonic_ms()) != 0;
    bool was_there = track->phase[0] != '\0';
    *track = (struct track){0};
    return was_there;
}

static int look(struct watching *w, struct err *err)
{
    int r = live_look(&w->live, err);
    for (size_t i = 0; i < w->live.n && r == 0; i++) {
        struct live_image *image = &w->live.image[i];
        if (!image->fresh)
            continue;
        if (!track_of(image))
            return err_set(err, ERR_NONE, ENOMEM, "out of memory");
        if (has_changed(image) && !w->screen.terminal)
            print_change(w, image);
    }
    if (!w->screen.terminal)
        fflush(stdout);
    return r;
}

/* "3 under way, 12 active, 1 failed" */
static void add_sums(struct text *out, struct live_image *const *images, size_t n)
{
    size_t way = 0, failed = 0, ready = 0;
    for (size_t i = 0; i < n; i++) {
        enum image_verdict verdict = image_verdict(&images[i]->image);
        way += verdict == IMAGE_PENDING;
        failed += verdict == IMAGE_FAILED;
        ready += verdict == IMAGE_READY;
    }
    text_addf(out, "%zu image%s: %zu under way, %zu ready, %zu failed", n, n == 1 ? "" : "s", way,
              ready, failed);
}

static void add_head(struct text *out, const struct watching *w, struct live_image *const *images,
                     size_t n)
{
    struct text sums CLEANUP_TEXT = {0};
    static const char quit[] = "q quits";
    int width = w->screen.width - 1, room = width - (int)sizeof quit - 1;
    add_sums(&sums, images, n);
    text_addf(&sums, "  (%s)", w->tree->root);
    text_add(out, w->colour ? colour_begin(COLOUR_BOLD) : "");
    bar_add_cut(out, sums.failed ? "" : sums.data, room > 0 ? room : width);
    text_add(out, w->colour ? COLOUR_END : "");
    if (room > 0)
        text_addf(out, "  %s", quit);
    text_add(out, "\n");
}

static void draw(struct watching *w)
{
    struct text frame CLEANUP_TEXT = {0};
    size_t n;
    struct live_image **images CLEANUP_FREE = track_sort(&w->live, NULL, &n);
    if (!images)
        return;
    add_head(&frame, w, images, n);
    if (n == 0)
        text_add(&frame, w->screen.width > 70
                             ? "no images; `imgstore fetch NAME URL SHA256` gets one\n"
                             : "no images\n");
    else
        track_add_all(&frame, images, n, w->screen.height - 2, text_monotonic_ms(),
                      w->screen.width - 1, w->colour);
    screen_draw(&w->screen, NULL, &frame);
}

/* False: the user has enough; *sig is why, 0 for a key. */
static bool pause_or_end(struct watching *w, int *sig)
{
    enum screen_event event = screen_wait(&w->screen, live_fd(&w->live), live_pause(&w->live), sig);
    if (event == SCREEN_NEWS && w->screen.terminal)
        event = screen_wait(&w->screen, -1, FRAME_MS, sig);
    return event != SCREEN_SIGNAL && event != SCREEN_QUIT;
}

/* 0: the user has enough. */
static int watch_on(struct watching *w, int *sig, struct err *err)
{
    for (;;) {
        int r = look(w, err);
        if (r < 0)
            return r;
        if (w->screen.terminal)
            draw(w);
        if (ferror(stdout) || !pause_or_end(w, sig))
            return 0;
    }
}

/* A name that is wrong is told before the screen is taken. */
static int check_names(const struct request *request, struct err *err)
{
    for (int i = 0; i < request->argc; i++) {
        struct image image CLEANUP_IMAGE = {0};
        int r = commands_check_name(request->argv[i], err);
        if (r == 0)
            r = image_read(request->tree, request->argv[i], &image, err);
        if (r < 0) {
            target_explain(request->tree, request->argv[i], r, err);
            return err_context(err, "%s", request->argv[i]), r;
        }
    }
    return 0;
}

/* Ctrl-C is how one leaves it on a terminal. */
static enum outcome outcome_of_end(const struct watching *w, int sig)
{
    if (sig == 0 || (sig == SIGINT && w->screen.terminal))
        return OUTCOME_DONE;
    return OUTCOME_SIGNAL + (unsigned)sig;
}

enum outcome watch_run(const struct request *request)
{
    struct watching w = {.tree = request->tree, .json = request->options->json};
    struct err err = {0};
    int sig = 0, r = check_names(request, &err);
    if (r < 0)
        return commands_fail(NULL, r, &err);
    r = live_open(&w.live, request->tree, request->argv, (size_t)request->argc, &err);
    live_watch(&w.live);
    enum screen_kind kind = w.json ? SCREEN_NONE : SCREEN_WHOLE;
    if (r == 0 && (r = screen_open(&w.screen, STDOUT_FILENO, kind)) < 0)
        err_set(&err, ERR_NONE, -r, "cannot take signals: %s", strerror(-r));
    if (r == 0) {
        screen_guard(&w.screen);
        w.colour = colour_on(stdout);
        r = watch_on(&w, &sig, &err);
        screen_close(&w.screen);
    }
    live_close(&w.live);
    return r < 0 ? commands_fail(NULL, r, &err) : outcome_of_end(&w, sig);
}
