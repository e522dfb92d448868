#include "stages/unpack/erofs_tree.h"

#include "base/array.h"
#include "base/limits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

void erofs_tree_free(struct erofs_tree *t)
{
    free(t->inodes);
    free(t->inode_of);
    free(t->first);
    free(t->children);
    heap_close(&t->heap);
}

struct erofs_tree_inode *erofs_tree_inode(const struct erofs_tree *t, uint32_t node)
{
    return &t->inodes[t->inode_of[node]];
}

/* --- what the entries say */

static const struct {
    const char *prefix; /* all but the last two: something follows */
    uint8_t index;
} spaces[] = {
    {"user.", EROFS_XATTR_USER},
    {"trusted.", EROFS_XATTR_TRUSTED},
    {"security.", EROFS_XATTR_SECURITY},
    {"system.posix_acl_access", EROFS_XATTR_ACL_ACCESS},
    {"system.posix_acl_default", EROFS_XATTR_ACL_DEFAULT},
};

#define XATTRS_MAX (2 * WIRE_RECORD_MAX)

/* The kernel would only find out when it reads the ACL: as Linux's acl(5) lies in an xattr, a
 * version and entries of 8 bytes. */
static bool is_acl(const struct entry_xattr *x)
{
    static const char version[4] = {2};
    return x->value_len >= 4 && x->value_len % 8 == 4 && memcmp(x->value, version, 4) == 0;
}

static bool spell_xattr(const struct entry_xattr *x, enum wire_type type, struct erofs_xattr *out,
                        size_t *prefix_len)
{
    for (size_t i = 0; i < sizeof spaces / sizeof spaces[0]; i++) {
        size_t n = strlen(spaces[i].prefix);
        bool acl = spaces[i].prefix[n - 1] != '.';
        if (x->name_len < n || memcmp(x->name, spaces[i].prefix, n) != 0 ||
            (x->name_len == n) != acl)
            continue;
        *prefix_len = n;
        *out = (struct erofs_xattr){.name_len = (uint8_t)(x->name_len - n),
                                    .name_index = spaces[i].index,
                                    .value_size = (uint16_t)x->value_len};
        return !acl || (is_acl(x) && type != WIRE_SYMLINK &&
                        (type == WIRE_DIR || spaces[i].index == EROFS_XATTR_ACL_ACCESS));
    }
    return false;
}

/* The xattrs as they lie behind an inode; how many bytes, or -EINVAL. */
static int spell_xattrs(const struct entry *e, char out[static XATTRS_MAX])
{
    const char *at = e->xattrs;
    size_t left = e->xattrs_len, size = sizeof(struct erofs_xattrs), prefix;
    struct entry_xattr x;
    memset(out, 0, size);
    while (entry_xattr_next(&at, &left, &x) > 0) {
        struct erofs_xattr head;
        if (!spell_xattr(&x, e->type, &head, &prefix))
            return -EINVAL;
        memcpy(out + size, &head, sizeof head);
        size += sizeof head;
        memcpy(out + size, x.name + prefix, head.name_len);
        size += head.name_len;
        memcpy(out + size, x.value, x.value_len);
        size += x.value_len;
        for (; size % 4; size++)
            out[size] = '\0';
    }
    return size > sizeof(struct erofs_xattrs) ? (int)size : 0;
}

static uint16_t type_bits(enum wire_type type)
{
    switch (type) {
    case WIRE_FILE:
    case WIRE_HARDLINK:
        return S_IFREG;
    case WIRE_DIR:
        return S_IFDIR;
    case WIRE_SYMLINK:
        return S_IFLNK | 0777; /* as every other file system has it */
    case WIRE_CHARDEV:
        return S_IFCHR;
    case WIRE_BLOCKDEV:
        return S_IFBLK;
    case WIRE_FIFO:
        return S_IFIFO;
    case WIRE_SOCKET:
        return S_IFSOCK;
    }
    return 0;
}

/* As Linux encodes a device for disks: new_encode_dev() of include/linux/kdev_t.h. */
static int encode_device(const struct entry *e, uint32_t *rdev)
{
    if (e->type != WIRE_CHARDEV && e->type != WIRE_BLOCKDEV)
        return 0;
    if (e->rdev_major > 0xfff || e->rdev_minor > 0xfffff)
        return -EINVAL;
    *rdev = (e->rdev_minor & 0xff) | e->rdev_major << 8 | (e->rdev_minor & ~0xffu) << 12;
    return 0;
}

static int keep_strings(struct erofs_tree *t, const struct entry *e, struct erofs_tree_inode *i)
{
    char xattrs[XATTRS_MAX];
    int n = e->xattrs_len ? spell_xattrs(e, xattrs) : 0;
    if (n < 0)
        return n;
    i->xattrs_size = (uint16_t)n;
    i->size = e->type == WIRE_SYMLINK ? strlen(e->target) : e->size;
    int64_t at = n ? heap_add(&t->heap, xattrs, (size_t)n) : (int64_t)t->heap.end;
    i->strings = (uint64_t)at;
    if (at >= 0 && e->type == WIRE_SYMLINK)
        at = heap_add(&t->heap, e->target, i->size);
    return at < 0 ? (int)at : 0;
}

static int reach_node(struct erofs_tree *t, uint32_t node)
{
    while (t->nodes <= node) {
        size_t more = t->nodes ? 2 * t->nodes : 1024;
        uint32_t *inode_of = reallocarray(t->inode_of, more, sizeof *inode_of);
        if (!inode_of)
            return -ENOMEM;
        memset(inode_of + t->nodes, 0xff, (more - t->nodes) * sizeof *inode_of);
        t->inode_of = inode_of;
        t->nodes = more;
    }
    return 0;
}

int erofs_tree_set(struct erofs_tree *t, uint32_t node, const struct entry *e)
{
    struct erofs_tree_inode *list = array_more(t->inodes, t->count, &t->capacity, sizeof *list);
    if (!list || (t->inodes = list, reach_node(t, node)) < 0)
        return -ENOMEM;
    struct erofs_tree_inode *i = &list[t->count];
    *i = (struct erofs_tree_inode){
        .mtime = e->meta.mtime,
        .mtime_nsec = e->meta.mtime_nsec,
        .uid = e->meta.uid,
        .gid = e->meta.gid,
        .block = (uint32_t)(e->offset / EROFS_BLOCK),
        .mode = (uint16_t)(type_bits(e->type) | e->meta.mode),
    };
    int r = encode_device(e, &i->rdev);
    if (r == 0)
        r = keep_strings(t, e, i);
    if (r < 0)
        return r;
    t->inode_of[node] = (uint32_t)t->count++;
    return 0;
}

int erofs_tree_link(struct erofs_tree *t, uint32_t node, uint32_t target)
{
    int r = reach_node(t, node);
    if (r == 0)
        t->inode_of[node] = t->inode_of[target];
    return r;
}

/* --- names in order */

static int compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int r = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return r ? r : (a_len > b_len) - (a_len < b_len);
}

static int by_name(const void *a, const void *b, void *ctx)
{
    const struct namespace *ns = ctx;
    struct namespace_node x = namespace_at(ns, *(const uint32_t *)a);
    struct namespace_node y = namespace_at(ns, *(const uint32_t *)b);
    return compare(x.name, x.name_len, y.name, y.name_len);
}

static bool is_child(const struct namespace_node *x, uint32_t node)
{
    return node != NAMESPACE_ROOT && !x->skipped;
}

/* Children are counted, then each put behind its siblings, then sorted. */
static int sort_names(struct erofs_tree *t)
{
    uint32_t n = namespace_nodes(t->ns);
    t->first = calloc((size_t)n + 2, sizeof *t->first);
    t->children = calloc((size_t)n + 1, sizeof *t->children);
    if (!t->first || !t->children)
        return -ENOMEM;
    uint32_t *end = t->first + 1; /* of each parent's, as they come; its first in the end */
    for (uint32_t i = 0; i < n; i++) {
        struct namespace_node x = namespace_at(t->ns, i);
        if (is_child(&x, i))
            end[x.parent + 1]++;
    }
    for (uint32_t i = 1; i <= n; i++)
        end[i] += end[i - 1];
    for (uint32_t i = 0; i < n; i++) {
        struct namespace_node x = namespace_at(t->ns, i);
        if (is_child(&x, i))
            t->children[end[x.parent]++] = i;
    }
    for (uint32_t i = 0; i < n; i++)
        if (t->first[i + 1] - t->first[i] > 1)
            qsort_r(t->children + t->first[i], t->first[i + 1] - t->first[i], sizeof *t->children,
                    by_name, (void *)t->ns);
    return 0;
}

bool erofs_tree_next(struct erofs_tree_names *n)
{
    const struct erofs_tree *t = n->tree;
    bool child = n->at < t->first[n->dir + 1];
    struct namespace_node x = {0};
    if (child)
        x = namespace_at(t->ns, t->children[n->at]);
    if (n->dots < 2 && (!child || compare("..", n->dots + 1, x.name, x.name_len) < 0)) {
        bool up = n->dots++ > 0 && n->dir != NAMESPACE_ROOT;
        n->node = up ? namespace_at(t->ns, n->dir).parent : n->dir;
        n->name = "..";
        n->len = n->dots;
        return true;
    }
    if (!child)
        return false;
    n->node = t->children[n->at++];
    n->name = x.name;
    n->len = x.name_len;
    return true;
}

static bool is_dir(const struct erofs_tree *t, uint32_t node)
{
    return S_ISDIR(erofs_tree_inode(t, node)->mode);
}

int erofs_tree_walk(struct erofs_tree *t,
                    int (*each)(struct erofs_tree *t, uint32_t node, void *ctx), void *ctx)
{
    uint32_t *stack = malloc(((size_t)namespace_nodes(t->ns) + 1) * sizeof *stack);
    if (!stack)
        return -ENOMEM;
    size_t depth = 1;
    stack[0] = NAMESPACE_ROOT;
    int r = each(t, NAMESPACE_ROOT, ctx);
    while (r == 0 && depth > 0) {
        uint32_t dir = stack[--depth];
        for (uint32_t i = t->first[dir]; r == 0 && i < t->first[dir + 1]; i++)
            r = each(t, t->children[i], ctx);
        for (uint32_t i = t->first[dir + 1]; i-- > t->first[dir];)
            if (is_dir(t, t->children[i]))
                stack[depth++] = t->children[i];
    }
    free(stack);
    return r;
}

/* --- places */

/* Blocks and the bytes of the last one that a directory's names take. */
static void measure_names(const struct erofs_tree *t, uint32_t dir, uint64_t *blocks,
                          uint32_t *last)
{
    struct erofs_tree_names n = EROFS_TREE_NAMES(t, dir);
    *blocks = 1;
    *last = 0;
    while (erofs_tree_next(&n)) {
        uint32_t more = (uint32_t)(sizeof(struct erofs_dirent) + n.len);
        if (*last + more > EROFS_BLOCK) {
            ++*blocks;
            *last = 0;
        }
        *last += more;
    }
}

/* What of its contents goes behind an inode, if it fits the block; and blocks of the second run. */
static void split(struct erofs_tree *t, uint32_t node, struct erofs_tree_inode *i, uint64_t *blocks)
{
    uint32_t last = 0;
    *blocks = 0;
    if (S_ISDIR(i->mode)) {
        measure_names(t, node, blocks, &last);
        i->size = (*blocks - 1) * EROFS_BLOCK + last;
    } else if (S_ISLNK(i->mode)) {
        last = (uint32_t)i->size;
        *blocks = 1;
    }
    if (last > 0 && sizeof(struct erofs_inode) + i->xattrs_size + last <= EROFS_BLOCK) {
        i->inlined = (uint16_t)last;
        --*blocks;
    }
}

/* An inode does not cross blocks; nor does it with its xattrs and what is inlined behind them. */
static uint64_t align(uint64_t at, const struct erofs_tree_inode *i)
{
    uint64_t whole = sizeof(struct erofs_inode) + (i->inlined ? i->xattrs_size + i->inlined : 0u);
    at = (at + EROFS_SLOT - 1) / EROFS_SLOT * EROFS_SLOT;
    return at % EROFS_BLOCK + whole > EROFS_BLOCK ? (at / EROFS_BLOCK + 1) * EROFS_BLOCK : at;
}

static int place_one(struct erofs_tree *t, uint32_t node, void *ctx)
{
    struct erofs_tree_inode *i = erofs_tree_inode(t, node);
    uint64_t blocks;
    (void)ctx;
    if (S_ISDIR(i->mode) && node != NAMESPACE_ROOT)
        erofs_tree_inode(t, namespace_at(t->ns, node).parent)->nlink++; /* its `..` */
    i->nlink += S_ISDIR(i->mode) ? 2 : 1;
    if (i->nlink > 1 && !S_ISDIR(i->mode))
        return 0;
    split(t, node, i, &blocks);
    if (!S_ISREG(i->mode)) {
        if (t->names_blocks + blocks > UINT32_MAX)
            return -EFBIG;
        i->block = (uint32_t)t->names_blocks;
        t->names_blocks += blocks;
    }
    i->place = align(t->inode_bytes, i);
    t->inode_bytes = i->place + sizeof(struct erofs_inode) + i->xattrs_size + i->inlined;
    return 0;
}

static int make_implied(struct erofs_tree *t)
{
    const struct entry implied = {.type = WIRE_DIR, .meta = ENTRY_META_IMPLIED};
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < namespace_nodes(t->ns); i++)
        if (namespace_at(t->ns, i).is_dir && (i >= t->nodes || t->inode_of[i] == EROFS_TREE_NONE))
            r = erofs_tree_set(t, i, &implied);
    return r;
}

int erofs_tree_place(struct erofs_tree *t, const struct namespace *ns)
{
    t->ns = ns;
    t->inode_bytes = EROFS_FIRST_NID * EROFS_SLOT;
    int r = make_implied(t);
    if (r == 0)
        r = sort_names(t);
    if (r == 0)
        r = erofs_tree_walk(t, place_one, NULL);
    return r < 0 ? r : heap_end(&t->heap);
}
