#include "fs/client/live.h"

#include "base/array.h"
#include "base/cleanup.h"

#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define LOOK_MS     50 /* where nobody tells */
#define EACH_TICK   32 /* images that are read again though nothing was told of them */
#define IMAGE_TELLS (IN_MODIFY | IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVE | SELF_TELLS)
#define SELF_TELLS  (IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

static int watch(const struct live *live, const char *name, uint32_t mask)
{
    char path[PATH_MAX + 256];
    snprintf(path, sizeof path, "%s/images/%s", live->tree->root, name);
    return live->inotify < 0 ? -1 : inotify_add_watch(live->inotify, path, mask);
}

/* From then on its changes are told, or (out of watches) it is read at every look. */
static void watch_image(struct live *live, size_t i)
{
    int wd = watch(live, live->image[i].name, IMAGE_TELLS);
    live->image[i].watch = -1;
    if (wd >= live->watches) {
        int *of = reallocarray(live->of, (size_t)wd + 64, sizeof *of);
        if (!of)
            return;
        live->of = of;
        for (; live->watches < wd + 64; live->watches++)
            of[live->watches] = -1;
    }
    if (wd < 0)
        return;
    live->of[wd] = (int)i;
    live->image[i].watch = wd;
}

static struct live_image *find(struct live *live, const char *name)
{
    for (size_t i = 0; i < live->n; i++)
        if (strcmp(live->image[i].name, name) == 0)
            return &live->image[i];
    return NULL;
}

static int add(struct live *live, const char *name)
{
    struct live_image *more = array_more(live->image, live->n, &live->capacity, sizeof *more);
    if (!more)
        return -ENOMEM;
    live->image = more;
    more[live->n] = (struct live_image){.name = strdup(name), .watch = -1, .stale = true};
    if (!more[live->n].name)
        return -ENOMEM;
    watch_image(live, live->n++);
    return 0;
}

static void drop(struct live *live, struct live_image *image)
{
    if (image->watch >= 0)
        live->of[image->watch] = -1;
    image_free(&image->image);
    free(image->name);
    free(image->more);
}

/* Those that are not known yet. */
static int add_all(struct live *live, struct err *err)
{
    bool none = live->n == 0;
    struct tree_names names __attribute__((cleanup(tree_free_names))) = {0};
    int r = tree_list(live->tree, &names, err);
    if (r == 0 && names.n == live->n) /* as a rule; a search for each would take long */
        return 0;
    for (size_t i = 0; r == 0 && i < names.n; i++)
        if ((none || !find(live, names.name[i])) && (r = add(live, names.name[i])) < 0)
            err_set(err, ERR_NONE, -r, "out of memory");
    return r;
}

/* First the watch, then the reading: what comes in between is told. */
void live_watch(struct live *live)
{
    if (live->inotify >= 0)
        return;
    live->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (live->all)
        live->folder = watch(live, "", IN_CREATE | IN_DELETE | IN_MOVE | IN_ONLYDIR);
    for (size_t i = 0; i < live->n; i++) {
        if (!live->image[i].done)
            watch_image(live, i);
        live->image[i].stale = true;
    }
}

int live_open(struct live *live, const struct tree *tree, char *const *names, size_t n,
              struct err *err)
{
    *live = (struct live){.tree = tree, .all = n == 0, .folder = -1, .inotify = -1};
    if (live->all) {
        live_watch(live);
        return add_all(live, err);
    }
    for (size_t i = 0; i < n; i++) /* a name that is there twice is one image */
        if (!find(live, names[i]) && add(live, names[i]) < 0)
            return err_set(err, ERR_NONE, ENOMEM, "out of memory");
    return 0;
}

void live_close(struct live *live)
{
    for (size_t i = 0; i < live->n; i++)
        drop(live, &live->image[i]);
    free(live->image);
    free(live->of);
    if (live->inotify >= 0)
        close(live->inotify);
    *live = (struct live){.inotify = -1};
}

int live_fd(const struct live *live)
{
    return live->inotify;
}

static bool is_watched(const struct live *live, const struct live_image *image)
{
    return image->watch >= 0 && live->inotify >= 0;
}

/* What is gone may come back, but nobody waits for it: each tick will do. */
static bool can_rest(const struct live *live, const struct live_image *image)
{
    return image->done || (!image->stale && (is_watched(live, image) || image->error == -ENOENT));
}

int live_pause(const struct live *live)
{
    if (live->all && live->folder < 0)
        return LOOK_MS;
    for (size_t i = 0; i < live->n; i++)
        if (!can_rest(live, &live->image[i]))
            return LOOK_MS;
    return LIVE_TICK_MS;
}

static void make_all_stale(struct live *live)
{
    for (size_t i = 0; i < live->n; i++)
        live->image[i].stale = true;
}

/* An image that is made anew under its name is another folder: it is watched anew. */
static int on_folder(struct live *live, const struct inotify_event *e)
{
    if (!e->len || !image_name_ok(e->name))
        return 0;
    struct live_image *image = find(live, e->name);
    if (!image)
        return e->mask & (IN_CREATE | IN_MOVED_TO) ? add(live, e->name) : 0;
    image->stale = true;
    if (e->mask & (IN_CREATE | IN_MOVED_TO))
        watch_image(live, (size_t)(image - live->image));
    return 0;
}

static int on_event(struct live *live, const struct inotify_event *e)
{
    if (e->mask & IN_Q_OVERFLOW)
        return make_all_stale(live), live->all ? add_all(live, NULL) : 0;
    if (live->folder >= 0 && e->wd == live->folder)
        return on_folder(live, e);
    if (e->wd < 0 || e->wd >= live->watches || live->of[e->wd] < 0)
        return 0;
    struct live_image *image = &live->image[live->of[e->wd]];
    image->stale = true;
    if (e->mask & IN_IGNORED) {
        live->of[e->wd] = -1;
        if (image->watch == e->wd)
            image->watch = -1;
    }
    return 0;
}

static int take_events(struct live *live)
{
    _Alignas(struct inotify_event) char buffer[16384];
    ssize_t n;
    while (live->inotify >= 0 && (n = read(live->inotify, buffer, sizeof buffer)) > 0)
        for (char *at = buffer; at < buffer + n;) {
            const struct inotify_event *e = (const struct inotify_event *)(void *)at;
            int r = on_event(live, e);
            if (r < 0)
                return r;
            at += sizeof *e + e->len;
        }
    return 0;
}

static int read_again(struct live *live, struct live_image *image)
{
    image_free(&image->image);
    image->stale = false;
    image->fresh = true;
    image->error = image_read(live->tree, image->name, &image->image, &image->why);
    image->there = image->error == 0;
    if (image->error < 0)
        image_free(&image->image);
    return image->error == -ENOTCONN ? -ENOTCONN : 0;
}

/* Of all, those that were told to be gone are; by the order of the others nothing changes. */
static void forget_gone(struct live *live)
{
    size_t kept = 0;
    for (size_t i = 0; live->all && i < live->n; i++) {
        struct live_image *image = &live->image[i];
        if (image->fresh && image->error == -ENOENT && !image->stale) {
            drop(live, image);
            continue;
        }
        if (image->watch >= 0)
            live->of[image->watch] = (int)kept;
        live->image[kept++] = *image;
    }
    if (live->all)
        live->n = kept;
}

/* What was not told: new images, and a few of the others, one after the other; and whether there is
 * a daemon at all. */
static int tick(struct live *live, struct err *err)
{
    int64_t now = text_monotonic_ms();
    if (now - live->ticked < LIVE_TICK_MS)
        return 0;
    live->ticked = now;
    for (size_t k = 0; k < EACH_TICK && k < live->n; k++)
        live->image[live->next++ % live->n].stale = true;
    int r = tree_look(live->tree, err);
    return r == 0 && live->all ? add_all(live, err) : r;
}

int live_look(struct live *live, struct err *err)
{
    if (take_events(live) < 0)
        return err_set(err, ERR_NONE, ENOMEM, "out of memory");
    forget_gone(live);
    int r = tick(live, err);
    for (size_t i = 0; i < live->n && r == 0; i++) {
        struct live_image *image = &live->image[i];
        image->fresh = false;
        if (can_rest(live, image))
            continue;
        if (live->inotify >= 0 && image->watch < 0)
            watch_image(live, i);
        if (read_again(live, image) < 0) {
            *err = image->why;
            r = -ENOTCONN;
        }
    }
    return r;
}
