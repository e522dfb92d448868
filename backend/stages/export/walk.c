#include "stages/export/walk.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "stages/unpack/beneath.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define LISTING ((size_t)64 << 10)
#define TRIES   4 /* at what is replaced while it is looked at */

static int fail(const struct walk *w, int num, const char *what, struct err *err)
{
    struct text shown CLEANUP_TEXT = {0};
    text_add_escaped(&shown, w->path.data, w->path.len < 200 ? w->path.len : 200);
    return err_sys(err, num, "cannot %s %s", what, shown.data ? shown.data : "an entry");
}

static struct walk_folder *top(struct walk *w)
{
    return &w->folders[w->depth - 1];
}

static void cut(struct text *t, size_t len)
{
    t->len = len;
    t->data[len] = '\0';
}

/* --- names of a folder */

static int add_name(struct walk *w, const struct dirent64 *d)
{
    if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
        return 0;
    struct walk_name *entries = array_more(w->entries, w->count, &w->room, sizeof *entries);
    if (!entries)
        return -ENOMEM;
    w->entries = entries;
    w->entries[w->count++] = (struct walk_name){w->names.len, d->d_type};
    text_addn(&w->names, d->d_name, strlen(d->d_name) + 1);
    return w->names.failed ? -ENOMEM : 0;
}

static int compare(const void *a, const void *b, void *names)
{
    const struct walk_name *left = a, *right = b;
    const char *bytes = names;
    return strcmp(bytes + left->at, bytes + right->at);
}

/* A folder that has been removed has no names. */
static int list(struct walk *w, struct walk_folder *folder)
{
    ssize_t n;
    while ((n = getdents64(folder->fd, w->listing, LISTING)) > 0) {
        const struct dirent64 *d;
        for (ssize_t at = 0; at < n; at += d->d_reclen) {
            d = (const struct dirent64 *)(w->listing + at);
            int r = add_name(w, d);
            if (r < 0)
                return r;
        }
    }
    if (n < 0 && errno != ENOENT)
        return -errno;
    if (w->count > folder->first)
        qsort_r(w->entries + folder->first, w->count - folder->first, sizeof *w->entries, compare,
                w->names.data);
    return 0;
}

/* --- folders on the way down */

/* The root stays open; of the others those that are nearest. */
static void shut_one(struct walk *w)
{
    if (w->depth <= WALK_OPEN)
        return;
    struct walk_folder *far = &w->folders[w->depth - WALK_OPEN];
    cleanup_close(&far->fd);
    far->fd = -1;
}

static int enter(struct walk *w)
{
    struct walk_folder *folders =
        array_more(w->folders, w->depth, &w->capacity, sizeof *w->folders);
    if (!folders)
        return -ENOMEM;
    w->folders = folders;
    w->depth++;
    *top(w) = (struct walk_folder){
        .fd = steal_fd(w->fd),
        .dev = w->st.st_dev,
        .ino = w->st.st_ino,
        .path_len = w->path.len,
        .names = w->names.len,
        .first = w->count,
        .next = w->count,
    };
    shut_one(w);
    return list(w, top(w));
}

static void leave(struct walk *w)
{
    struct walk_folder *folder = top(w);
    cleanup_close(&folder->fd);
    w->count = folder->first;
    cut(&w->names, folder->names);
    w->depth--;
}

/* Opens folder i + 1, by its name in folder i. A folder that is another one by now is as good as
 * gone. */
static int reopen_one(struct walk *w, size_t i)
{
    struct walk_folder *parent = &w->folders[i], *folder = &w->folders[i + 1];
    struct stat st;
    char name[NAME_MAX + 1];
    size_t len = folder->path_len - parent->path_len - 1;
    memcpy(name, w->path.data + parent->path_len, len);
    name[len] = '\0';
    int fd CLEANUP_CLOSE = beneath_open(parent->fd, name, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_dev != folder->dev || st.st_ino != folder->ino)
        return -ENOENT;
    folder->fd = steal_fd(fd);
    return 0;
}

/* From the nearest one that is open on; all that are opened stay so, as the way is back up there.
 */
static int reopen(struct walk *w)
{
    size_t i = w->depth - 1, keep = w->depth > WALK_OPEN ? w->depth - WALK_OPEN : 0;
    while (w->folders[i].fd < 0)
        i--;
    for (; i + 1 < w->depth; i++) {
        int r = reopen_one(w, i);
        if (r < 0)
            return r;
        if (i > 0 && i <= keep) {
            close(w->folders[i].fd);
            w->folders[i].fd = -1;
        }
    }
    return 0;
}

/* --- entries */

static bool is_gone(int r)
{
    return r == -ENOENT || r == -ESTALE;
}

/* Another type than was expected is there by now. */
static bool is_another(int r)
{
    return r == -ENOTDIR || r == -ELOOP || r == -ENXIO || r == -EISDIR;
}

static int open_entry(struct walk *w, int dir, const char *name, unsigned char type)
{
    int flags = type == DT_DIR ? O_DIRECTORY : O_NONBLOCK;
    w->fd = beneath_open(dir, name, O_RDONLY | O_NOATIME | O_NOCTTY | flags, 0);
    if (w->fd < 0)
        return w->fd;
    return fstat(w->fd, &w->st) < 0 ? -errno : 0;
}

static void shut_entry(struct walk *w)
{
    cleanup_close(&w->fd);
    w->fd = -1;
}

/* Files and folders are opened and looked at then; others must not be. */
static int look(struct walk *w, int dir, const char *name, unsigned char type)
{
    for (int tries = 0; tries < TRIES; tries++) {
        int r = 0;
        if (type == DT_REG || type == DT_DIR)
            r = open_entry(w, dir, name, type);
        else if (fstatat(dir, name, &w->st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
            return -errno;
        if (r < 0 && !is_another(r))
            return r;
        unsigned char now = r < 0 ? DT_UNKNOWN : IFTODT(w->st.st_mode);
        if (now == type)
            return 0;
        shut_entry(w);
        type = now;
    }
    return -ENOENT;
}

static int take_next(struct walk *w)
{
    struct walk_folder *folder = top(w);
    const struct walk_name *entry = &w->entries[folder->next++];
    cut(&w->path, folder->path_len);
    if (folder->fd < 0) {
        int r = reopen(w);
        if (is_gone(r) || is_another(r))
            folder->next = w->count; /* and all that is in it */
        if (r < 0)
            return is_another(r) ? -ENOENT : r;
    }
    w->folder = folder->fd;
    w->name = w->names.data + entry->at;
    text_add(&w->path, w->name);
    int r = look(w, folder->fd, w->name, entry->type);
    if (r == 0 && S_ISDIR(w->st.st_mode))
        text_add(&w->path, "/");
    return r < 0 ? r : w->path.failed ? -ENOMEM : 0;
}

int walk_begin(struct walk *w, int root, struct err *err)
{
    *w = (struct walk){.fd = -1};
    text_add(&w->path, "./");
    text_add(&w->names, "");
    w->listing = malloc(LISTING);
    if (!w->listing || w->path.failed || w->names.failed)
        return err_sys(err, ENOMEM, "cannot begin");
    int r = open_entry(w, root, "", DT_DIR);
    return r < 0 ? fail(w, -r, "open", err) : 0;
}

int walk_next(struct walk *w, struct err *err)
{
    if (!w->begun) /* the root is there already */
        return w->begun = true;
    if (w->fd >= 0 && S_ISDIR(w->st.st_mode)) {
        int r = enter(w);
        if (r < 0)
            return fail(w, -r, "list", err);
    }
    shut_entry(w);
    while (w->depth > 0) {
        if (top(w)->next == w->count) {
            leave(w);
            continue;
        }
        int r = take_next(w);
        if (r == 0)
            return 1;
        shut_entry(w);
        if (!is_gone(r))
            return fail(w, -r, "read", err);
    }
    return 0;
}

void walk_free(struct walk *w)
{
    shut_entry(w);
    while (w->depth > 0)
        leave(w);
    free(w->folders);
    free(w->entries);
    free(w->listing);
    text_free(&w->names);
    text_free(&w->path);
}
