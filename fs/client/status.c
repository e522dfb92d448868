#include "fs/client/status.h"

#include "base/cleanup.h"
#include "fs/client/colour.h"
#include "fs/client/events.h"
#include "fs/client/hint.h"
#include "fs/client/human.h"
#include "fs/client/image.h"
#include "fs/client/print.h"
#include "fs/client/snapshot.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define LAST_EVENTS 10

void status_line(const char *label, const char *fmt, ...)
{
    va_list args;
    printf("%10s: ", label);
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    putchar('\n');
}

void status_title(const char *name, const char *state, const char *since)
{
    const char *paint = colour(stdout, colour_of_state(state)), *end = colour_end(stdout);
    int64_t ms = human_time(since);
    char ago[HUMAN_MAX];
    printf("%s%s%s %s - %s%s%s", paint, colour_dot(), end, name, paint, state, end);
    if (ms > 0)
        printf(" since %s; %s", since, human_age(text_now_ms() - ms, ago));
    putchar('\n');
}

/* When it came into the state that it is in; the row's last change, if the log has forgotten. */
static void find_since(const struct image *image, const struct events_lines *lines, char *out,
                       size_t max)
{
    snprintf(out, max, "%s", image_value(image, "updated"));
    for (size_t i = lines->n; i-- > 0;) {
        struct event e;
        if (!events_parse(lines->line[i], &e))
            continue;
        bool found = e.to && strcmp(e.to, image_value(image, "state")) == 0;
        if (found)
            snprintf(out, max, "%s", e.time);
        json_decref(e.json);
        if (found)
            return;
    }
}

static bool known(const struct image *image, const char *key)
{
    return strcmp(image_value(image, key), "-") != 0;
}

static void print_contents(const struct image *image)
{
    char size[HUMAN_MAX], bytes[HUMAN_MAX];
    status_line("SHA256", "%s", image_value(image, "sha256"));
    if (known(image, "size"))
        status_line("Archive", "%s, %s", human_size_of(image_value(image, "size"), size),
                    image_value(image, "format"));
    status_line("URL", "%s", image_value(image, "url"));
    if (image->rootfs.len)
        status_line("Rootfs", "%s", image->rootfs.data);
    status_line("Policy", "%s", image_value(image, "policy"));
    if (known(image, "sink"))
        status_line("Sink", "%s", image_value(image, "sink"));
    if (known(image, "entries"))
        status_line("Entries", "%s, %s unpacked, %s left out", image_value(image, "entries"),
                    human_size_of(image_value(image, "bytes"), bytes),
                    image_value(image, "skipped"));
}

static void print_work(const struct image *image)
{
    char percent[24] = "-", done[24] = "-", total[24] = "-", phase[24] = "-", of[2][HUMAN_MAX];
    sscanf(image->progress.data, "%23s %23s %23s %23s", percent, done, total, phase);
    status_line("Progress", "%s%% of %s, %s of %s", percent, phase, human_size_of(done, of[0]),
                human_size_of(total, of[1]));
}

static void print_snapshots(const struct tree_names *ids)
{
    struct text all CLEANUP_TEXT = {0};
    for (size_t i = 0; i < ids->n && i < 8; i++)
        text_addf(&all, "%s%s", i ? ", " : "", ids->name[i]);
    if (ids->n > 8)
        text_add(&all, ", ...");
    if (ids->n == 0)
        status_line("Snapshots", "none");
    else
        status_line("Snapshots", "%zu (%s)", ids->n, all.failed ? "" : all.data);
}

static void print_image(const struct image *image, const struct tree_names *ids,
                        const struct events_lines *lines)
{
    char since[TEXT_TIME_MAX], next[256];
    const char *name = image_value(image, "name"), *state = image_value(image, "state");
    bool rests = strcmp(state, "ACTIVE") == 0 || strcmp(state, "STORED") == 0 ||
                 strcmp(state, "FAILED") == 0;
    find_since(image, lines, since, sizeof since);
    status_title(name, state, since);
    print_contents(image);
    print_snapshots(ids);
    status_line("Created", "%s", image_value(image, "created"));
    if (!rests)
        print_work(image);
    if (known(image, "next_retry"))
        status_line("Retry", "at %s, after %s attempts", image_value(image, "next_retry"),
                    image_value(image, "attempts"));
    if (image->error.len)
        status_line("Error", "%s%s%s", colour(stdout, COLOUR_BAD), image->error.data,
                    colour_end(stdout));
    if (hint_next(name, state, image_value(image, "want"), image->error.data, next, sizeof next))
        status_line("Next", "%s", next);
    if (lines->n)
        putchar('\n');
    size_t first = lines->n > LAST_EVENTS ? lines->n - LAST_EVENTS : 0;
    for (size_t i = first; i < lines->n; i++)
        events_print(lines->line[i]);
}

/* All that `status` has always had, and what belongs to the image besides. */
static json_t *json_of(const struct image *image, const struct tree_names *ids,
                       const struct events_lines *lines)
{
    json_t *object = image_json(image), *snapshots = json_array(), *events = json_array();
    for (size_t i = 0; i < ids->n; i++)
        json_array_append_new(snapshots, json_string(ids->name[i]));
    size_t first = lines->n > LAST_EVENTS ? lines->n - LAST_EVENTS : 0;
    for (size_t i = first; i < lines->n; i++)
        json_array_append_new(events, json_loads(lines->line[i], 0, NULL));
    json_object_set_new(object, "snapshots", snapshots);
    json_object_set_new(object, "events", events);
    return object;
}

static int image_status(const struct tree *tree, const char *name, json_t **json, struct err *err)
{
    struct image image CLEANUP_IMAGE = {0};
    struct events events CLEANUP_EVENTS = {.fd = -1};
    struct events_lines lines __attribute__((cleanup(events_free_lines))) = {0};
    struct tree_names ids __attribute__((cleanup(tree_free_names))) = {0};
    int r = image_read(tree, name, &image, err);
    if (r == 0)
        r = snapshot_list(tree, name, &ids, err);
    if (r < 0)
        return r;
    /* Without its history the image is what it is. */
    if (events_open(tree, &events, NULL) == 0)
        (void)events_last(&events, name, -1, &lines);
    if (json)
        *json = json_of(&image, &ids, &lines);
    else
        print_image(&image, &ids, &lines);
    return 0;
}

static void print_snapshot(const struct snapshot *s)
{
    char name[TARGET_PATH_MAX], size[HUMAN_MAX];
    snprintf(name, sizeof name, "%s@%s", s->image, s->id);
    status_title(name, s->state, s->created);
    status_line("Image", "%s", s->image);
    status_line("Rootfs", "%s", s->rootfs.len ? s->rootfs.data : "-");
    status_line("Written", "%s", human_size_of(s->upper_bytes, size));
    if (strcmp(s->state, "FAILED") == 0)
        status_line("Next",
                    "`imgstore activate %s` tries to mount it again; the daemon's log says "
                    "why it failed",
                    s->image);
}

static int snapshot_status(const struct tree *tree, const struct target *target, json_t **json,
                           struct err *err)
{
    struct snapshot s CLEANUP_SNAPSHOT = {0};
    int r = snapshot_read(tree, target, &s, err);
    if (r == 0 && json)
        *json = snapshot_json(&s);
    else if (r == 0)
        print_snapshot(&s);
    return r;
}

static int status_of(const struct tree *tree, const char *word, json_t **json, struct err *err)
{
    struct target target;
    int r = target_parse(word, &target, err);
    if (r < 0)
        return r;
    return *target.id ? snapshot_status(tree, &target, json, err)
                      : image_status(tree, target.name, json, err);
}

static enum outcome overview(const struct request *request)
{
    json_t *json = NULL;
    struct err err = {0};
    int r = status_overview(request->tree, request->options->json ? &json : NULL, &err);
    if (r == 0 && request->options->json)
        r = print_json(json);
    return r < 0 ? commands_fail(NULL, r, &err) : OUTCOME_DONE;
}

/* One is an object, as it has always been; several are an array of them. */
enum outcome status_run(const struct request *request)
{
    enum outcome outcome = OUTCOME_DONE;
    json_t *all = request->options->json && request->argc > 1 ? json_array() : NULL;
    if (request->argc == 0)
        return overview(request);
    for (int i = 0; i < request->argc; i++) {
        json_t *json = NULL;
        struct err err = {0};
        if (i > 0 && !request->options->json)
            putchar('\n');
        int r =
            status_of(request->tree, request->argv[i], request->options->json ? &json : NULL, &err);
        if (r == 0 && all)
            json_array_append_new(all, json);
        else if (r == 0 && request->options->json)
            r = print_json(json);
        if (r < 0 && outcome == OUTCOME_DONE)
            outcome = target_fail(request->tree, request->argv[i], r, &err);
        else if (r < 0)
            target_fail(request->tree, request->argv[i], r, &err);
    }
    if (all)
        print_json(all);
    return outcome;
}
