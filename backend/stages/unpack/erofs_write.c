#include "stages/unpack/erofs_write.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BUFFER ((size_t)256 * 1024)

/* The image's metadata on their way to the disk. */
struct out {
    int fd;
    uint64_t base; /* where the metadata begin, in bytes */
    uint64_t at;   /* from there, of what is behind the buffer */
    char *buffer;
    size_t len;
    uint64_t inos;
};

static int flush(struct out *o)
{
    int r = io_pwrite(o->fd, o->buffer, o->len, (int64_t)(o->base + o->at - o->len));
    if (r == 0)
        o->len = 0;
    return r;
}

/* Zeros where bytes is NULL. */
static int put(struct out *o, const void *bytes, size_t n)
{
    for (size_t done = 0, some; done < n; done += some) {
        int r = o->len == BUFFER ? flush(o) : 0;
        if (r < 0)
            return r;
        some = n - done < BUFFER - o->len ? n - done : BUFFER - o->len;
        if (bytes)
            memcpy(o->buffer + o->len, (const char *)bytes + done, some);
        else
            memset(o->buffer + o->len, 0, some);
        o->len += some;
        o->at += some;
    }
    return 0;
}

static int pad(struct out *o, uint64_t at)
{
    return put(o, NULL, at - o->at);
}

static int put_strings(struct out *o, const struct erofs_tree *t, uint64_t at, size_t n)
{
    char bytes[UINT16_MAX];
    int r = heap_read(&t->heap, at, bytes, n);
    return r < 0 ? r : put(o, bytes, n);
}

/* --- names */

static uint8_t type_of(uint16_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return EROFS_TYPE_DIR;
    case S_IFCHR:
        return EROFS_TYPE_CHARDEV;
    case S_IFBLK:
        return EROFS_TYPE_BLOCKDEV;
    case S_IFIFO:
        return EROFS_TYPE_FIFO;
    case S_IFSOCK:
        return EROFS_TYPE_SOCKET;
    case S_IFLNK:
        return EROFS_TYPE_SYMLINK;
    default:
        return EROFS_TYPE_FILE;
    }
}

/* As many of the names as one block holds, which is what place_one() measured. */
static size_t fill(struct erofs_tree_names *names, char block[static EROFS_BLOCK])
{
    struct erofs_tree_names begin = *names, before = begin;
    size_t count = 0, used = 0;
    for (; erofs_tree_next(names); before = *names, count++) {
        used += sizeof(struct erofs_dirent) + names->len;
        if (used > EROFS_BLOCK) {
            used -= sizeof(struct erofs_dirent) + names->len;
            *names = before;
            break;
        }
    }
    memset(block, 0, EROFS_BLOCK);
    size_t name_at = count * sizeof(struct erofs_dirent);
    for (size_t i = 0; i < count && erofs_tree_next(&begin); i++) {
        const struct erofs_tree_inode *inode = erofs_tree_inode(names->tree, begin.node);
        struct erofs_dirent d = {.nid = inode->place / EROFS_SLOT,
                                 .name_at = (uint16_t)name_at,
                                 .type = type_of(inode->mode)};
        memcpy(block + i * sizeof d, &d, sizeof d);
        memcpy(block + name_at, begin.name, begin.len);
        name_at += begin.len;
    }
    return used;
}

/* --- inodes */

static int put_inlined(struct out *o, struct erofs_tree *t, uint32_t node,
                       const struct erofs_tree_inode *i)
{
    char block[EROFS_BLOCK];
    if (!i->inlined)
        return 0;
    if (S_ISLNK(i->mode))
        return put_strings(o, t, i->strings + i->xattrs_size, i->inlined);
    struct erofs_tree_names names = EROFS_TREE_NAMES(t, node);
    for (uint64_t n = erofs_blocks(i->size); n > 0; n--)
        fill(&names, block);
    return put(o, block, i->inlined);
}

static uint32_t block_or_rdev(const struct out *o, const struct erofs_tree *t,
                              const struct erofs_tree_inode *i)
{
    switch (i->mode & S_IFMT) {
    case S_IFREG:
        return i->block;
    case S_IFDIR:
    case S_IFLNK:
        return (uint32_t)(o->base / EROFS_BLOCK + erofs_blocks(t->inode_bytes)) + i->block;
    default:
        return i->rdev;
    }
}

static int put_inode(struct erofs_tree *t, uint32_t node, void *ctx)
{
    struct out *o = ctx;
    const struct erofs_tree_inode *i = erofs_tree_inode(t, node);
    if (o->inos > 0 && i->place < o->at) /* another name's */
        return 0;
    size_t xattrs = i->xattrs_size;
    struct erofs_inode inode = {
        .format = EROFS_EXTENDED | (i->inlined ? EROFS_FLAT_INLINE : EROFS_FLAT_PLAIN),
        .xattr_icount = (uint16_t)(xattrs ? (xattrs - sizeof(struct erofs_xattrs)) / 4 + 1 : 0),
        .mode = i->mode,
        .size = i->size,
        .block_or_rdev = block_or_rdev(o, t, i),
        .ino = t->inode_of[node] + 1,
        .uid = i->uid,
        .gid = i->gid,
        .mtime = (uint64_t)i->mtime,
        .mtime_nsec = i->mtime_nsec,
        .nlink = i->nlink,
    };
    o->inos++;
    int r = pad(o, i->place);
    if (r == 0)
        r = put(o, &inode, sizeof inode);
    if (r == 0 && xattrs)
        r = put_strings(o, t, i->strings, xattrs);
    return r == 0 ? put_inlined(o, t, node, i) : r;
}

/* --- what is not inlined */

static int put_blocks(struct erofs_tree *t, uint32_t node, void *ctx)
{
    struct out *o = ctx;
    char block[EROFS_BLOCK] = {0};
    const struct erofs_tree_inode *i = erofs_tree_inode(t, node);
    uint64_t at = (erofs_blocks(t->inode_bytes) + i->block) * EROFS_BLOCK;
    bool link = S_ISLNK(i->mode) && !i->inlined;
    if ((!S_ISDIR(i->mode) && !link) || at < o->at)
        return 0;
    if (link) {
        int r = heap_read(&t->heap, i->strings + i->xattrs_size, block, i->size);
        return r < 0 ? r : put(o, block, sizeof block);
    }
    struct erofs_tree_names names = EROFS_TREE_NAMES(t, node);
    int r = 0;
    for (uint64_t n = erofs_blocks(i->size - i->inlined); r == 0 && n > 0; n--) {
        fill(&names, block);
        r = put(o, block, sizeof block);
    }
    return r;
}

/* --- the superblock */

static uint32_t crc32c(const uint8_t *bytes, size_t n)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < n; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0); /* Castagnoli's polynomial, reversed */
    }
    return crc;
}

static int put_super(const struct out *o, const struct erofs_tree *t)
{
    uint8_t block[EROFS_BLOCK] = {0};
    struct erofs_super super = {
        .magic = EROFS_SUPER_MAGIC,
        .feature_compat = EROFS_COMPAT_CHKSUM | EROFS_COMPAT_MTIME,
        .blkszbits = EROFS_BLOCK_BITS,
        .root_nid = (uint16_t)(erofs_tree_inode(t, NAMESPACE_ROOT)->place / EROFS_SLOT),
        .inos = o->inos,
        .blocks = (uint32_t)((o->base + o->at) / EROFS_BLOCK),
        .meta_blkaddr = (uint32_t)(o->base / EROFS_BLOCK),
    };
    memcpy(block + EROFS_SUPER_AT, &super, sizeof super);
    super.checksum = crc32c(block + EROFS_SUPER_AT, EROFS_BLOCK - EROFS_SUPER_AT);
    memcpy(block + EROFS_SUPER_AT, &super, sizeof super);
    return io_pwrite(o->fd, block, sizeof block, 0);
}

int erofs_write(struct erofs_tree *t, int fd, uint64_t end)
{
    uint64_t blocks = end / EROFS_BLOCK + erofs_blocks(t->inode_bytes) + t->names_blocks;
    if (blocks > UINT32_MAX)
        return -EFBIG;
    char *buffer CLEANUP_FREE = malloc(BUFFER);
    struct out o = {.fd = fd, .base = end, .buffer = buffer};
    if (!buffer)
        return -ENOMEM;
    int r = erofs_tree_walk(t, put_inode, &o);
    if (r == 0)
        r = pad(&o, erofs_blocks(t->inode_bytes) * EROFS_BLOCK);
    if (r == 0)
        r = erofs_tree_walk(t, put_blocks, &o);
    if (r == 0)
        r = flush(&o);
    return r == 0 ? put_super(&o, t) : r;
}
