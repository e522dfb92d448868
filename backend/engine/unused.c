#include "engine/unused.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "stages/unpack/info.h"
#include "stages/unpack/sink.h"
#include "store/space.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

void unused_free(struct unused *u)
{
    free(u->items);
    *u = (struct unused){0};
}

const char *unused_word(enum unused_kind kind)
{
    static const char *const words[] = {
        [UNUSED_PART] = "part", [UNUSED_BLOB] = "blob", [UNUSED_IMAGE] = "image"};
    return words[kind];
}

/* The names are paths.c's. */
bool unused_parse(struct unused_item *item, bool image, const char *name)
{
    *item = (struct unused_item){.kind = UNUSED_IMAGE};
    if (snprintf(item->name, sizeof item->name, "%s", name) >= (int)sizeof item->name ||
        strspn(name, "0123456789abcdef") != PATHS_DIGEST_LEN)
        return false;
    memcpy(item->sha256, name, PATHS_DIGEST_LEN);
    const char *rest = name + PATHS_DIGEST_LEN;
    if (image)
        return rest[0] == '\0' || strcmp(rest, ".faithful") == 0;
    item->kind = strcmp(rest, ".part") == 0 ? UNUSED_PART : UNUSED_BLOB;
    return rest[0] == '.';
}

int unused_add(struct unused *u, const struct unused_item *item)
{
    struct unused_item *items = array_more(u->items, u->count, &u->capacity, sizeof *items);
    if (!items)
        return -ENOMEM;
    u->items = items;
    u->items[u->count++] = *item;
    return 0;
}

/* --- the order */

static int by_digest(const void *a, const void *b)
{
    const struct unused_item *x = a, *y = b;
    return strcmp(x->sha256, y->sha256);
}

static int by_use(const void *a, const void *b)
{
    const struct unused_item *x = a, *y = b;
    if (x->used != y->used)
        return x->used > y->used ? 1 : -1;
    int digests = strcmp(x->sha256, y->sha256);
    if (digests)
        return digests;
    return x->kind != y->kind ? (int)x->kind - (int)y->kind : strcmp(x->name, y->name);
}

static void share_use(struct unused_item *items, size_t n)
{
    int64_t last = items[0].used;
    for (size_t i = 1; i < n; i++)
        last = items[i].used > last ? items[i].used : last;
    for (size_t i = 0; i < n; i++)
        items[i].used = last;
}

void unused_sort(struct unused *u)
{
    if (u->count == 0)
        return;
    qsort(u->items, u->count, sizeof *u->items, by_digest);
    for (size_t i = 0, n; i < u->count; i += n) {
        for (n = 1; i + n < u->count && by_digest(&u->items[i], &u->items[i + n]) == 0;)
            n++;
        share_use(&u->items[i], n);
    }
    qsort(u->items, u->count, sizeof *u->items, by_use);
}

bool unused_goes(const struct unused_item *item, int64_t before, int64_t wanted, int64_t gone)
{
    return item->used < before || gone < wanted;
}

/* --- the disk */

int64_t unused_file_bytes(int images, const char *name, const char *file)
{
    char path[PATHS_FILE_MAX];
    struct stat st;
    snprintf(path, sizeof path, "%.*s/%s", PATHS_KEY_MAX, name, file);
    return fstatat(images, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? space_taken(&st) : -1;
}

/* Of an image in a file, what that takes up; of a directory, what its files hold, as it was noted
 * when they were unpacked: to look at each one would cost what removing it does. */
static int64_t image_bytes(int images, const char *name)
{
    struct stage_result result = {.bytes = -1};
    int64_t bytes = unused_file_bytes(images, name, SINK_IMAGE);
    if (bytes >= 0)
        return bytes;
    (void)info_read(images, name, &result, NULL);
    return result.bytes > 0 ? result.bytes : 0;
}

struct unused_census unused_census_of(const struct unused_item *item)
{
    bool blob = item->kind == UNUSED_BLOB;
    return (struct unused_census){
        .blobs = blob,
        .blob_bytes = blob ? item->size : 0,
        .images = item->kind == UNUSED_IMAGE,
    };
}

static void count(struct unused *u, const struct unused_item *item)
{
    struct unused_census one = unused_census_of(item);
    u->census.blobs += one.blobs;
    u->census.blob_bytes += one.blob_bytes;
    u->census.images += one.images;
}

static int look_at(struct unused *u, const struct unused_ask *ask, int dirfd, bool image,
                   const char *name)
{
    struct unused_item item;
    struct stat st;
    if (!unused_parse(&item, image, name))
        return 0;
    bool needed = ask->needed(ask->ctx, item.sha256, &item.size);
    bool known = needed && (item.kind != UNUSED_BLOB || item.size >= 0);
    if (!known && fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    if (!known)
        item.size = st.st_size;
    count(u, &item);
    if (needed)
        return 0;
    item.bytes = image ? image_bytes(dirfd, name) : space_taken(&st);
    item.used = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
    return unused_add(u, &item);
}

static int scan_dir(struct unused *u, const struct unused_ask *ask, int dirfd, bool image)
{
    DIR *dir CLEANUP_CLOSEDIR = io_list(dirfd);
    int r = dir ? 0 : -errno;
    for (struct dirent *d; r == 0 && (d = readdir(dir));)
        r = atomic_load(ask->cancelled) ? -ECANCELED : look_at(u, ask, dirfd, image, d->d_name);
    return r;
}

int unused_scan(struct unused *u, const struct paths *paths, const struct unused_ask *ask)
{
    int r = scan_dir(u, ask, paths->blobs, false);
    if (r == 0)
        r = scan_dir(u, ask, paths->images, true);
    if (r == 0)
        unused_sort(u);
    return r;
}

int unused_discard(const struct unused_item *item, const struct paths *paths, struct err *err)
{
    int dirfd = item->kind == UNUSED_IMAGE ? paths->images : paths->blobs;
    if (faccessat(dirfd, item->name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
        return -ENOENT;
    return paths_discard(dirfd, item->name, err);
}
