/* The erofs sink: the data file becomes the image, and nothing is made for each entry. */
#include "stages/unpack/sink.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "stages/snapshot/layer.h"
#include "stages/snapshot/lower.h"
#include "stages/snapshot/super.h"
#include "stages/unpack/erofs_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct sink_erofs {
    struct sink_place place;
    struct erofs_tree tree;
    uint64_t end;  /* of the contents that the entries name */
    uint64_t hole; /* the largest file that is one hole: they share one, behind the contents */
    int64_t begun; /* bytes of the data file whose way to the disk has been started */
};

static int fail(struct err *err, int num, const char *path)
{
    char shown[ENTRY_SHOWN_MAX];
    if (num == EINVAL)
        return err_set(err, ERR_CORRUPT_ARCHIVE, num,
                       "Linux takes none such: device or xattrs of \"%s\"",
                       entry_shown(path, strlen(path), shown));
    return err_sys(err, num, "cannot keep \"%s\"", entry_shown(path, strlen(path), shown));
}

static struct space_need erofs_need(int64_t bytes, int64_t entries)
{
    int64_t all, inodes = entries * (int64_t)sizeof(struct erofs_inode);
    return (struct space_need){__builtin_add_overflow(bytes, inodes, &all) ? INT64_MAX : all, 0};
}

static void erofs_close(void *sink)
{
    struct sink_erofs *s = sink;
    if (s)
        erofs_tree_free(&s->tree);
    free(s);
}

static int erofs_open(const struct sink_place *place, void **sink, struct err *err)
{
    struct sink_erofs *s = malloc(sizeof *s);
    if (!s)
        return err_sys(err, ENOMEM, "cannot begin an image");
    *s = (struct sink_erofs){.place = *place, .tree = EROFS_TREE_INIT(place->part)};
    *sink = s;
    return 0;
}

/* Names are the namespace's to keep. */
static int erofs_implied(void *sink, const char *path, struct err *err)
{
    return 0;
}

static int erofs_remove(void *sink, const char *path, bool dir, struct err *err)
{
    return 0;
}

static int erofs_entry(void *sink, const struct entry *e, const struct namespace_place *place,
                       struct err *err)
{
    struct sink_erofs *s = sink;
    int r = e->type == WIRE_HARDLINK ? erofs_tree_link(&s->tree, place->node, place->target)
                                     : erofs_tree_set(&s->tree, place->node, e);
    if (r < 0)
        return fail(err, -r, e->path);
    if (e->type != WIRE_FILE)
        return 0;
    if (e->offset == 0)
        s->hole = e->size > s->hole ? e->size : s->hole;
    else if (e->offset + e->size > s->end)
        s->end = e->offset + e->size;
    return 0;
}

/* The data file is the image: what is written back early, the fsync need not. */
static void erofs_grown(void *sink)
{
    struct sink_erofs *s = sink;
    struct stat st;
    if (fstat(s->place.data, &st) == 0)
        io_write_behind(s->place.data, &s->begun, st.st_size);
}

static uint64_t up(uint64_t bytes)
{
    return erofs_blocks(bytes) * EROFS_BLOCK;
}

/* What the data file lacks reads as zeros. */
static int settle_contents(struct sink_erofs *s, uint64_t *end)
{
    struct stat st;
    if (fstat(s->place.data, &st) < 0)
        return -errno;
    uint64_t there = (uint64_t)st.st_size, wanted = s->end > there ? s->end : there;
    wanted = up(wanted > EROFS_BLOCK ? wanted : EROFS_BLOCK);
    if (s->hole > 0) {
        for (size_t i = 0; i < s->tree.count; i++)
            if (S_ISREG(s->tree.inodes[i].mode) && s->tree.inodes[i].block == 0)
                s->tree.inodes[i].block = (uint32_t)(wanted / EROFS_BLOCK);
        wanted += up(s->hole);
    }
    if (wanted < s->hole || wanted > INT64_MAX)
        return -EFBIG;
    *end = wanted;
    return ftruncate(s->place.data, (off_t)wanted) < 0 ? -errno : 0;
}

static int erofs_finish(void *sink, const struct namespace *ns, struct err *err)
{
    struct sink_erofs *s = sink;
    uint64_t end = 0;
    int r = settle_contents(s, &end);
    if (r == 0)
        r = erofs_tree_place(&s->tree, ns);
    if (r == 0)
        r = erofs_write(&s->tree, s->place.data, end);
    if (r == 0 && (mkdirat(s->place.part, SINK_ROOTFS, 0700) < 0 ||
                   renameat(s->place.part, SINK_DATA, s->place.part, SINK_IMAGE) < 0))
        r = -errno;
    return r < 0 ? err_sys(err, -r, "cannot write the image") : 0;
}

/* --- probe */

/* An image of one file, in the part directory. */
static int make_probe(int part, struct err *err)
{
    static const char contents[] = "probe";
    const struct entry file = {.type = WIRE_FILE,
                               .path = "file",
                               .target = "",
                               .meta.mode = 0644,
                               .offset = EROFS_BLOCK,
                               .size = sizeof contents};
    int data CLEANUP_CLOSE = openat(part, SINK_DATA, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (data < 0 || pwrite(data, contents, sizeof contents, EROFS_BLOCK) != sizeof contents)
        return err_sys(err, errno, "cannot write images/" PATHS_PROBE);
    const struct sink_place place = {part, data, -1};
    struct namespace_place where;
    struct namespace *ns = namespace_new();
    void *sink = NULL;
    int r = ns ? erofs_open(&place, &sink, err) : err_sys(err, ENOMEM, "cannot try erofs");
    if (r == 0)
        r = namespace_add(ns, &file, &where, err);
    if (r == 0)
        r = erofs_entry(sink, &file, &where, err);
    if (r == 0)
        r = erofs_finish(sink, ns, err);
    erofs_close(sink);
    namespace_free(ns);
    return r;
}

struct probe {
    struct paths *paths;
    int lower;
    struct err file; /* why images are not mounted from their file */
};

static int try_overlay(void *ctx, int folder, struct err *err)
{
    const struct probe *probe = ctx;
    struct layer l CLEANUP_LAYER = LAYER_NONE;
    int r = layer_make(probe->paths, PATHS_PROBE, probe->lower, &l, err);
    if (r < 0)
        return r;
    struct super s = {
        .source = "imgstore", .lower = probe->lower, .upper = l.upper, .work = l.work};
    int mount CLEANUP_CLOSE = super_make(&s, POLICY_STRICT, err);
    if (mount < 0)
        return mount;
    char read_back[8] = "";
    int file CLEANUP_CLOSE = openat(mount, "file", O_RDONLY | O_CLOEXEC);
    if (file < 0 || read(file, read_back, sizeof read_back) < 0 || strcmp(read_back, "probe") != 0)
        return err_set(err, ERR_MOUNT_FAILED, EIO, "what an erofs image holds cannot be read");
    return 0;
}

static int try_mount(struct probe *probe, enum image_mount how, struct err *err)
{
    struct paths *p = probe->paths;
    p->image_mount = how;
    int lower CLEANUP_CLOSE = probe->lower = lower_open(p, PATHS_PROBE, err);
    int r = lower < 0 ? lower : paths_probe(p->overlays, "overlays", try_overlay, probe, err);
    lower_unmount(p, PATHS_PROBE);
    p->image_mount = r == 0 ? how : IMAGE_MOUNT_ANY;
    return r;
}

/* File systems lie on each other two deep: an image that is mounted from its file is one deeper
 * than what the file lies on, and the overlay may be one too many then. Of a loop device nobody
 * counts what it lies on. */
static int try_mounts(void *ctx, int part, struct err *err)
{
    struct probe *probe = ctx;
    int r = make_probe(part, err);
    if (r < 0 || try_mount(probe, IMAGE_MOUNT_FILE, &probe->file) == 0)
        return r;
    struct err loop;
    r = try_mount(probe, IMAGE_MOUNT_LOOP, &loop);
    return r < 0 ? err_set(err, loop.code, -r, "%s; %s", probe->file.text, loop.text) : 0;
}

static int erofs_probe(struct paths *p, char how[static SINK_HOW_MAX], struct err *err)
{
    struct probe probe = {.paths = p};
    lower_unmount(p, PATHS_PROBE); /* of one that was killed */
    int r = paths_probe(p->images, "images", try_mounts, &probe, err);
    if (r == 0 && p->image_mount == IMAGE_MOUNT_FILE)
        snprintf(how, SINK_HOW_MAX, "erofs files, mounted from the file");
    else if (r == 0)
        snprintf(how, SINK_HOW_MAX, "erofs files, mounted over loop devices, because %s",
                 probe.file.text);
    return r;
}

const struct sink_kind sink_erofs = {
    .name = "erofs",
    .probe = erofs_probe,
    .need = erofs_need,
    .open = erofs_open,
    .implied = erofs_implied,
    .remove = erofs_remove,
    .entry = erofs_entry,
    .grown = erofs_grown,
    .finish = erofs_finish,
    .close = erofs_close,
};
