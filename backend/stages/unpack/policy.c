#include "stages/unpack/policy.h"

#include <errno.h>
#include <string.h>

void policy_init(struct policy_gate *g, enum policy policy, const struct limits *limits)
{
    g->policy = policy;
    g->limits = limits;
    g->entries = g->bytes = 0;
}

static int refuse(enum err_code code, const char *what, const char *s, size_t n, const char *why,
                  struct err *err)
{
    char shown[ENTRY_SHOWN_MAX];
    return err_set(err, code, EINVAL, "%s \"%s\" %s", what, entry_shown(s, n, shown), why);
}

static const char *component_fault(const char *s, size_t n)
{
    if (n == 2 && s[0] == '.' && s[1] == '.')
        return "has a .. component";
    if (n > LIMIT_NAME_MAX)
        return "has a name over 255 bytes";
    return NULL;
}

/* Drops empty and `.` components. What is wrong with the path; NULL if nothing is. */
static const char *normalise(const char *in, size_t n, char out[static LIMIT_PATH_MAX + 1])
{
    size_t len = 0;
    if (n == 0)
        return "is empty";
    if (in[0] == '/')
        return "begins with /";
    if (memchr(in, '\0', n))
        return "holds a NUL";
    for (const char *end = in + n, *slash; in < end; in = slash + 1) {
        slash = memchr(in, '/', (size_t)(end - in));
        slash = slash ? slash : end;
        size_t part = (size_t)(slash - in);
        if (part == 0 || (part == 1 && in[0] == '.'))
            continue;
        const char *fault = component_fault(in, part);
        if (fault)
            return fault;
        if (len + (len > 0) + part > LIMIT_PATH_MAX)
            return "is longer than 4095 bytes";
        if (len > 0)
            out[len++] = '/';
        memcpy(out + len, in, part);
        len += part;
    }
    out[len] = '\0';
    return NULL;
}

/* How far above its own directory a target rises at its highest, read as text. */
static unsigned climb_of(const char *target)
{
    int depth = 0, highest = 0;
    if (*target == '/')
        return 0;
    while (*target) {
        size_t n = strcspn(target, "/");
        if (n == 2 && target[0] == '.' && target[1] == '.')
            depth--;
        else if (n > 0 && !(n == 1 && target[0] == '.'))
            depth++;
        highest = depth < highest ? depth : highest;
        target += n + (target[n] == '/');
    }
    return (unsigned)-highest;
}

/* `l -> ../x` at the root is still let through: real images have such links, and from inside they
 * name /x. Depth counts the link itself. */
int policy_check_linked(const struct policy_gate *g, const struct entry *e, unsigned climb,
                        struct err *err)
{
    if (g->policy == POLICY_FAITHFUL || climb <= entry_depth(e->path))
        return 0;
    return refuse(ERR_UNSAFE_LINK, e->type == WIRE_SYMLINK ? "symlink" : "hard link to a symlink",
                  e->path, strlen(e->path), "climbs above the root of the image", err);
}

static int check_symlink(struct policy_gate *g, const struct wire_item *item, struct entry *e,
                         struct err *err)
{
    size_t n = item->head.target_len;
    const char *fault = n == 0                               ? "has no target"
                        : n > LIMIT_PATH_MAX                 ? "has a target over 4095 bytes"
                        : memchr(item->target, '\0', n) != 0 ? "has a target that holds a NUL"
                                                             : NULL;
    if (fault)
        return refuse(ERR_UNSAFE_LINK, "symlink", e->path, strlen(e->path), fault, err);
    memcpy(g->target, item->target, n);
    g->target[n] = '\0';
    e->target = g->target;
    e->climb = climb_of(g->target);
    return policy_check_linked(g, e, e->climb, err);
}

static int check_hardlink(struct policy_gate *g, const struct wire_item *item, struct entry *e,
                          struct err *err)
{
    const char *fault = normalise(item->target, item->head.target_len, g->target);
    if (fault)
        return refuse(ERR_UNSAFE_LINK, "target of a hard link", item->target, item->head.target_len,
                      fault, err);
    e->target = g->target;
    return 0;
}

static int count_entries(struct policy_gate *g, int64_t n, struct err *err)
{
    if (__builtin_add_overflow(g->entries, n, &g->entries) || g->entries > g->limits->max_files)
        return err_set(err, ERR_TOO_MANY_FILES, E2BIG,
                       "more than %lld entries, implied directories counted; -o max_files=N "
                       "allows more",
                       (long long)g->limits->max_files);
    return 0;
}

int policy_count_implied(struct policy_gate *g, unsigned n, struct err *err)
{
    return count_entries(g, n, err);
}

static int check_size(struct policy_gate *g, const struct entry *e, struct err *err)
{
    char shown[ENTRY_SHOWN_MAX];
    entry_shown(e->path, strlen(e->path), shown);
    if (e->size > (uint64_t)g->limits->max_file_size)
        return err_set(err, ERR_TOO_LARGE_FILE, EFBIG,
                       "file \"%s\" has %llu bytes, more than %lld; -o max_file_size=SIZE allows "
                       "more",
                       shown, (unsigned long long)e->size, (long long)g->limits->max_file_size);
    if (__builtin_add_overflow(g->bytes, (int64_t)e->size, &g->bytes) ||
        g->bytes > g->limits->max_total_size)
        return err_set(err, ERR_TOO_LARGE_TOTAL, EFBIG,
                       "the files have more than %lld bytes together; -o max_total_size=SIZE "
                       "allows more",
                       (long long)g->limits->max_total_size);
    int64_t end;
    if (e->offset % WIRE_BLOCK || __builtin_add_overflow(e->offset, e->size, &end))
        return err_set(err, ERR_INTERNAL, EPROTO,
                       "the unpacking helper gave file \"%s\" an impossible place", shown);
    return 0;
}

static bool begins(const struct entry_xattr *x, const char *prefix)
{
    size_t n = strlen(prefix);
    return x->name_len >= n && memcmp(x->name, prefix, n) == 0;
}

static bool in_space(const struct entry_xattr *x, const char *space)
{
    return x->name_len > strlen(space) && begins(x, space);
}

/* Linux has four name spaces of xattrs, `user.` on files and directories alone: what it could not
 * hold is left out under either policy. */
static bool keep_xattr(const struct policy_gate *g, enum wire_type type,
                       const struct entry_xattr *x)
{
    bool user = in_space(x, "user.");
    if (x->name_len > LIMIT_NAME_MAX || memchr(x->name, '\0', x->name_len))
        return false;
    if (begins(x, "trusted.overlay.") || begins(x, "user.overlay."))
        return false;
    if (user)
        return type == WIRE_FILE || type == WIRE_DIR;
    return g->policy == POLICY_FAITHFUL &&
           (in_space(x, "trusted.") || in_space(x, "security.") || in_space(x, "system."));
}

static int check_xattrs(struct policy_gate *g, const struct wire_item *item, struct entry *e,
                        struct err *err)
{
    const char *at = item->xattrs;
    size_t left = item->head.xattrs_len, total = 0;
    struct entry_xattr x;
    e->xattrs = g->xattrs;
    for (const char *one = at; entry_xattr_next(&at, &left, &x) > 0; one = at) {
        total += x.name_len + x.value_len;
        if (keep_xattr(g, e->type, &x)) {
            memcpy(g->xattrs + e->xattrs_len, one, (size_t)(at - one));
            e->xattrs_len += (size_t)(at - one);
        }
    }
    if (total > LIMIT_XATTRS_MAX)
        return refuse(ERR_TOO_LARGE_FILE, "entry", e->path, strlen(e->path),
                      "has more than 3072 bytes of xattrs, which no option raises", err);
    return 0;
}

/* Linux spells "leave it as it is" so; an owner it cannot be. */
static int check_owner(const struct entry *e, struct err *err)
{
    if (e->meta.uid != UINT32_MAX && e->meta.gid != UINT32_MAX)
        return 0;
    return refuse(ERR_CORRUPT_ARCHIVE, "entry", e->path, strlen(e->path),
                  "has an owner that cannot be", err);
}

static uint32_t strict_mode(const struct entry *e)
{
    return (e->meta.mode & 0755) | (e->type == WIRE_DIR ? 0700 : 0);
}

static int check_type(struct policy_gate *g, const struct wire_item *item, struct entry *e,
                      struct err *err)
{
    switch (e->type) {
    case WIRE_FILE:
        return check_size(g, e, err);
    case WIRE_DIR:
        return 0;
    case WIRE_SYMLINK:
        return check_symlink(g, item, e, err);
    case WIRE_HARDLINK:
        return check_hardlink(g, item, e, err);
    case WIRE_CHARDEV:
    case WIRE_BLOCKDEV:
    case WIRE_FIFO:
    case WIRE_SOCKET:
        e->skip = g->policy == POLICY_STRICT;
        return 0;
    }
    return err_set(err, ERR_INTERNAL, EPROTO, "unknown type of entry %d", (int)e->type);
}

static struct entry entry_of(const struct policy_gate *g, const struct wire_record *h)
{
    return (struct entry){
        .type = (enum wire_type)h->type,
        .path = g->path,
        .target = "",
        .meta = {h->mode, h->uid, h->gid, h->mtime_nsec, h->mtime},
        .rdev_major = h->rdev_major,
        .rdev_minor = h->rdev_minor,
        .offset = h->offset,
        .size = h->size,
    };
}

int policy_check(struct policy_gate *g, const struct wire_item *item, struct entry *e,
                 struct err *err)
{
    int r = count_entries(g, 1, err);
    if (r < 0)
        return r;
    const char *fault = normalise(item->path, item->head.path_len, g->path);
    if (fault)
        return refuse(ERR_UNSAFE_PATH, "path", item->path, item->head.path_len, fault, err);
    *e = entry_of(g, &item->head);
    if (*e->path == '\0' && e->type != WIRE_DIR)
        return err_set(err, ERR_UNSAFE_PATH, EINVAL, "the root entry is not a directory");
    if ((r = check_type(g, item, e, err)) < 0 || (r = check_owner(e, err)) < 0)
        return r;
    if (g->policy == POLICY_STRICT)
        e->meta.mode = strict_mode(e);
    return check_xattrs(g, item, e, err);
}
