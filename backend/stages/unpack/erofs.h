/* erofs: the on-disk format, as much of it as an image of ours has.
 *
 * Source: Linux, fs/erofs/erofs_fs.h and Documentation/filesystems/erofs.rst. All integers are
 * little-endian. A nid is a place in the metadata area in units of 32 bytes; directories list names
 * in ascending byte order, `.` and `..` among them, in blocks that each begin with their entries
 * and go on with the names. */
#ifndef UNPACK_EROFS_H
#define UNPACK_EROFS_H

#include <stdint.h>

#define EROFS_BLOCK      4096
#define EROFS_BLOCK_BITS 12
#define EROFS_SLOT       32 /* bytes of a nid's unit */

static inline uint64_t erofs_blocks(uint64_t bytes)
{
    return (bytes + EROFS_BLOCK - 1) / EROFS_BLOCK;
}

/* A nid is the inode's number for users too, and readdir(3) leaves out what has the number 0. */
#define EROFS_FIRST_NID 2

#define EROFS_SUPER_AT    1024
#define EROFS_SUPER_MAGIC 0xe0f5e1e2u
#define EROFS_COMPAT_CHKSUM                                                                        \
    0x1u /* checksum: CRC-32C of the block from the superblock on, begun                           \
            with all ones, not inverted at the end */
#define EROFS_COMPAT_MTIME 0x2u

struct erofs_super {
    uint32_t magic, checksum, feature_compat;
    uint8_t blkszbits, extslots;
    uint16_t root_nid;
    uint64_t inos;
    uint64_t build_time;
    uint32_t build_time_nsec, blocks, meta_blkaddr, xattr_blkaddr;
    uint8_t uuid[16], volume_name[16];
    uint32_t feature_incompat;
    uint8_t reserved[44];
};
_Static_assert(sizeof(struct erofs_super) == 128, "as on disk");

/* i_format: bit 0, extended; bits 1 to 3, where the contents lie. */
#define EROFS_EXTENDED   0x1u
#define EROFS_FLAT_PLAIN (0u << 1) /* in blocks one after the other */
#define EROFS_FLAT_INLINE                                                                          \
    (2u << 1) /* but the last part, right behind the inode and its xattrs,                         \
                 within one block */

struct erofs_inode {
    uint16_t format, xattr_icount; /* 0, or 4-byte units of the xattrs, less two */
    uint16_t mode, reserved;
    uint64_t size;
    uint32_t block_or_rdev, ino;
    uint32_t uid, gid;
    uint64_t mtime;
    uint32_t mtime_nsec, nlink;
    uint8_t reserved2[16];
};
_Static_assert(sizeof(struct erofs_inode) == 64, "as on disk");

/* Before the xattrs of an inode, which are aligned to 4 bytes each. */
struct erofs_xattrs {
    uint32_t name_filter;
    uint8_t shared_count, reserved[7];
};
_Static_assert(sizeof(struct erofs_xattrs) == 12, "as on disk");

/* Then the name without its prefix, and the value. */
struct erofs_xattr {
    uint8_t name_len, name_index;
    uint16_t value_size;
};
_Static_assert(sizeof(struct erofs_xattr) == 4, "as on disk");

#define EROFS_XATTR_USER        1
#define EROFS_XATTR_ACL_ACCESS  2
#define EROFS_XATTR_ACL_DEFAULT 3
#define EROFS_XATTR_TRUSTED     4
#define EROFS_XATTR_SECURITY    6

struct erofs_dirent {
    uint64_t nid;
    uint16_t name_at; /* from the block's begin; the first one's tells how many there are */
    uint8_t type, reserved;
} __attribute__((packed));
_Static_assert(sizeof(struct erofs_dirent) == 12, "as on disk");

enum erofs_type {
    EROFS_TYPE_FILE = 1,
    EROFS_TYPE_DIR,
    EROFS_TYPE_CHARDEV,
    EROFS_TYPE_BLOCKDEV,
    EROFS_TYPE_FIFO,
    EROFS_TYPE_SOCKET,
    EROFS_TYPE_SYMLINK
};

#endif
