#include "stages/export/tree.h"

#include "base/cleanup.h"
#include "stages/export/links.h"
#include "stages/export/pax.h"
#include "stages/export/sparse.h"
#include "stages/export/walk.h"
#include "stages/export/xattrs.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

#define SHOWN 200 /* bytes of a path in a message */

struct tree {
    struct flow *flow;
    uint64_t written;
    struct walk walk;
    struct links links;
    struct xattrs xattrs;
    struct sparse sparse;
    struct text headers;
    char *room;                /* FLOW_PIECE bytes */
    char target[PATH_MAX + 1]; /* of a symbolic link */
};

/* --- bytes */

static int cancelled(struct err *err)
{
    return err_set(err, ERR_CANCELLED, ECANCELED, "nobody reads it any more");
}

static int put(struct tree *t, const void *bytes, size_t n, struct err *err)
{
    const char *from = bytes;
    while (n > 0) {
        size_t room;
        char *to = flow_room(t->flow, &room);
        if (!to)
            return cancelled(err);
        room = room < n ? room : n;
        if (from)
            memcpy(to, from, room);
        else
            memset(to, 0, room);
        from = from ? from + room : NULL;
        n -= room;
        t->written += room;
        flow_filled(t->flow, room);
    }
    return 0;
}

static int put_zeros(struct tree *t, uint64_t n, struct err *err)
{
    return put(t, NULL, (size_t)n, err);
}

static int fail(const struct tree *t, int num, struct err *err)
{
    struct text path CLEANUP_TEXT = {0};
    text_add_escaped(&path, t->walk.path.data, strnlen(t->walk.path.data, SHOWN));
    return err_sys(err, num, "cannot read %s", path.data ? path.data : "an entry");
}

/* Straight into the flow's buffer. */
static int put_contents(struct tree *t, int64_t at, int64_t n, struct err *err)
{
    while (n > 0) {
        size_t room;
        char *to = flow_room(t->flow, &room);
        if (!to)
            return cancelled(err);
        ssize_t got;
        do
            got = pread(t->walk.fd, to, (int64_t)room < n ? room : (size_t)n, at);
        while (got < 0 && errno == EINTR);
        if (got < 0)
            return fail(t, errno, err);
        if (got == 0)
            return put_zeros(t, (uint64_t)n, err);
        t->written += (uint64_t)got;
        flow_filled(t->flow, (size_t)got);
        at += got;
        n -= got;
    }
    return 0;
}

/* --- entries */

static int put_headers(struct tree *t, struct pax_entry *e, struct err *err)
{
    const struct stat *st = &t->walk.st;
    e->path = t->walk.path.data;
    e->mode = st->st_mode;
    e->uid = st->st_uid;
    e->gid = st->st_gid;
    e->mtime = st->st_mtim;
    e->rdev = st->st_rdev;
    t->headers.len = 0;
    pax_headers(&t->headers, e);
    if (t->headers.failed)
        return err_sys(err, ENOMEM, "cannot hold an entry's headers");
    return put(t, t->headers.data, t->headers.len, err);
}

static int put_sparse(struct tree *t, struct pax_entry *e, struct err *err)
{
    const struct sparse *s = &t->sparse;
    e->sparse_size = t->walk.st.st_size;
    e->size = (int64_t)s->map.len + s->bytes;
    int r = put_headers(t, e, err);
    if (r == 0)
        r = put(t, s->map.data, s->map.len, err);
    for (size_t i = 0; r == 0 && i < s->count; i++)
        r = put_contents(t, s->data[i].at, s->data[i].size, err);
    return r < 0 ? r : put_zeros(t, pax_padding(s->bytes), err);
}

static int put_file(struct tree *t, struct pax_entry *e, struct err *err)
{
    int64_t size = t->walk.st.st_size;
    int r = sparse_find(&t->sparse, t->walk.fd, size, t->room, FLOW_PIECE, t->flow);
    if (r < 0)
        return r == -ECANCELED ? cancelled(err) : fail(t, -r, err);
    if (r > 0)
        return put_sparse(t, e, err);
    e->size = size;
    r = put_headers(t, e, err);
    if (r == 0)
        r = put_contents(t, 0, size, err);
    return r < 0 ? r : put_zeros(t, pax_padding(size), err);
}

/* The target of a link that is none any more is like a name that is gone. */
static int read_target(struct tree *t)
{
    ssize_t n = readlinkat(t->walk.folder, t->walk.name, t->target, PATH_MAX);
    if (n < 0)
        return -errno;
    t->target[n] = '\0';
    return 0;
}

/* Of what is not open. Who could not look is not told that there is nothing. */
static bool is_gone(const struct tree *t, int num)
{
    struct stat st;
    if (num == EINVAL) /* no symbolic link any more */
        return true;
    return num == ENOENT && fstatat(t->walk.folder, t->walk.name, &st, AT_SYMLINK_NOFOLLOW) < 0 &&
           errno == ENOENT;
}

static enum pax_type type_of(mode_t mode)
{
    return S_ISDIR(mode)    ? PAX_DIR
           : S_ISLNK(mode)  ? PAX_SYMLINK
           : S_ISCHR(mode)  ? PAX_CHARDEV
           : S_ISBLK(mode)  ? PAX_BLOCKDEV
           : S_ISFIFO(mode) ? PAX_FIFO
                            : PAX_FILE;
}

static int read_more(struct tree *t, struct pax_entry *e)
{
    const struct walk *w = &t->walk;
    int r = w->fd >= 0 ? xattrs_read(&t->xattrs, w->fd, NULL)
                       : xattrs_read(&t->xattrs, w->folder, w->name);
    if (r == 0 && e->type == PAX_SYMLINK) {
        r = read_target(t);
        e->target = t->target;
    }
    e->records = t->xattrs.records.data;
    e->records_len = t->xattrs.records.len;
    return r;
}

/* All but the first name of a file stand for it. */
static int see_links(struct tree *t, struct pax_entry *e)
{
    const char *first;
    if (t->walk.st.st_nlink < 2 || e->type == PAX_DIR)
        return 0;
    int r = links_see(&t->links, &t->walk.st, t->walk.path.data, &first);
    if (r == 0 && first)
        *e = (struct pax_entry){.type = PAX_HARDLINK, .target = first};
    return r;
}

static int put_entry(struct tree *t, struct err *err)
{
    struct pax_entry e = {.type = type_of(t->walk.st.st_mode)};
    int r = read_more(t, &e);
    if (r < 0 && t->walk.fd < 0 && is_gone(t, -r))
        return 0;
    if (r == 0)
        r = see_links(t, &e);
    if (r < 0)
        return fail(t, -r, err);
    return e.type == PAX_FILE ? put_file(t, &e, err) : put_headers(t, &e, err);
}

static int put_all(struct tree *t, struct err *err)
{
    int r;
    while ((r = walk_next(&t->walk, err)) > 0) {
        if (S_ISSOCK(t->walk.st.st_mode))
            continue;
        r = put_entry(t, err);
        if (r < 0)
            return r;
    }
    if (r < 0)
        return r;
    uint64_t end = t->written + 2 * PAX_BLOCK;
    return put_zeros(t, (end + PAX_END - 1) / PAX_END * PAX_END - t->written, err);
}

int tree_write(int root, struct flow *flow, struct err *err)
{
    struct tree t = {.flow = flow, .walk = {.fd = -1}, .room = malloc(FLOW_PIECE)};
    int r = xattrs_begin(&t.xattrs);
    r = r < 0 || !t.room ? err_sys(err, ENOMEM, "cannot begin") : walk_begin(&t.walk, root, err);
    if (r == 0)
        r = put_all(&t, err);
    walk_free(&t.walk);
    links_free(&t.links);
    xattrs_free(&t.xattrs);
    sparse_free(&t.sparse);
    text_free(&t.headers);
    free(t.room);
    return r;
}
