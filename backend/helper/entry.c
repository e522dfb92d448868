#include "entry.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdarg.h>
#include <string.h>

#define ID_MAX     (UINT32_MAX - 1) /* (uid_t)-1 means "leave it" to chown */
#define XATTR_NAME 255              /* XATTR_NAME_MAX */
#define PATH_SHOWN 100              /* bytes of a path in a message */
#define MTIME_MIN  INT64_C(-0x80000000)
#define MTIME_MAX  INT64_C(0x37fffffff) /* ext4's 34 bits, year 2446 */

int entry_fail(const char *path, struct err *err, enum err_code code, int num, const char *fmt, ...)
{
    char why[ERR_TEXT_MAX / 2];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    struct text shown CLEANUP_TEXT = {0};
    size_t len = strlen(path);
    text_add_escaped(&shown, path, len > PATH_SHOWN ? PATH_SHOWN : len);
    if (len > PATH_SHOWN)
        text_add(&shown, "...");
    return err_set(err, code, num, "%s: %s", shown.data ? shown.data : "", why);
}

static int check_names(const char *path, const char *what, const char *s, struct err *err)
{
    if (strlen(s) > LIMIT_PATH_MAX)
        return entry_fail(path, err, ERR_UNSAFE_PATH, ENAMETOOLONG, "%s over %d bytes", what,
                          LIMIT_PATH_MAX);
    for (size_t n; *s; s += n + (s[n] == '/')) {
        n = strcspn(s, "/");
        if (n > LIMIT_NAME_MAX)
            return entry_fail(path, err, ERR_UNSAFE_PATH, ENAMETOOLONG, "a name over %d bytes",
                              LIMIT_NAME_MAX);
    }
    return 0;
}

static int read_path(struct archive_entry *ae, struct entry *e, struct err *err)
{
    e->path = archive_entry_pathname(ae);
    if (!e->path || !*e->path)
        return err_set(err, ERR_CORRUPT_ARCHIVE, EBADMSG, "an entry without a name");
    e->path_len = strlen(e->path);
    return check_names(e->path, "path", e->path, err);
}

static int read_target(struct archive_entry *ae, struct entry *e, struct err *err)
{
    const char *target = NULL;
    if (e->type == WIRE_HARDLINK)
        target = archive_entry_hardlink(ae);
    else if (e->type == WIRE_SYMLINK)
        target = archive_entry_symlink(ae);
    else
        return 0;
    if (!target || !*target)
        return entry_fail(e->path, err, ERR_CORRUPT_ARCHIVE, EBADMSG, "a link without a target");
    e->target = target;
    e->target_len = strlen(target);
    /* A symlink's target is data: its parts need not be names. */
    if (e->type == WIRE_HARDLINK)
        return check_names(e->path, "link target", target, err);
    if (e->target_len > LIMIT_PATH_MAX)
        return entry_fail(e->path, err, ERR_UNSAFE_PATH, ENAMETOOLONG, "link target over %d bytes",
                          LIMIT_PATH_MAX);
    return 0;
}

static int read_type(struct archive_entry *ae, struct entry *e, struct err *err)
{
    static const struct {
        unsigned mode;
        enum wire_type type;
    } types[] = {
        {AE_IFREG, WIRE_FILE},    {AE_IFDIR, WIRE_DIR},      {AE_IFLNK, WIRE_SYMLINK},
        {AE_IFCHR, WIRE_CHARDEV}, {AE_IFBLK, WIRE_BLOCKDEV}, {AE_IFIFO, WIRE_FIFO},
        {AE_IFSOCK, WIRE_SOCKET},
    };
    if (archive_entry_hardlink(ae)) {
        e->type = WIRE_HARDLINK;
        return 0;
    }
    size_t i = 0;
    while (i < ARRAY_SIZE(types) && types[i].mode != archive_entry_filetype(ae))
        i++;
    if (i == ARRAY_SIZE(types))
        return entry_fail(e->path, err, ERR_CORRUPT_ARCHIVE, EBADMSG, "an entry of unknown type");
    e->type = types[i].type;
    /* Old archives mark directories so; libarchive sees to it only where a name is ASCII. */
    if (e->type == WIRE_FILE && e->path[e->path_len - 1] == '/')
        e->type = WIRE_DIR;
    return 0;
}

static int read_size(struct archive_entry *ae, struct entry *e, struct err *err)
{
    int64_t size = archive_entry_size(ae);
    if (size < 0)
        return entry_fail(e->path, err, ERR_CORRUPT_ARCHIVE, EBADMSG, "a negative size");
    if (e->type == WIRE_HARDLINK && size > 0)
        return entry_fail(e->path, err, ERR_CORRUPT_ARCHIVE, EBADMSG,
                          "a hard link with contents of its own");
    e->size = e->type == WIRE_FILE ? (uint64_t)size : 0;
    return 0;
}

static int read_numbers(struct archive_entry *ae, struct entry *e, struct err *err)
{
    int64_t uid = archive_entry_uid(ae), gid = archive_entry_gid(ae);
    if (uid < 0 || uid > ID_MAX || gid < 0 || gid > ID_MAX)
        return entry_fail(e->path, err, ERR_CORRUPT_ARCHIVE, ERANGE,
                          "an owner or group that is no Linux id");
    e->mode = archive_entry_mode(ae) & 07777;
    e->uid = (uint32_t)uid;
    e->gid = (uint32_t)gid;
    if (e->type == WIRE_CHARDEV || e->type == WIRE_BLOCKDEV) {
        uint64_t major = archive_entry_rdevmajor(ae), minor = archive_entry_rdevminor(ae);
        if (major > UINT32_MAX || minor > UINT32_MAX)
            return entry_fail(e->path, err, ERR_CORRUPT_ARCHIVE, ERANGE, "no Linux device number");
        e->rdev_major = (uint32_t)major;
        e->rdev_minor = (uint32_t)minor;
    }
    int64_t mtime = archive_entry_mtime_is_set(ae) ? archive_entry_mtime(ae) : 0;
    if (mtime >= MTIME_MIN && mtime <= MTIME_MAX) {
        long nsec = archive_entry_mtime_nsec(ae);
        nsec = nsec > 0 && nsec < 1000000000 ? nsec : 0;
        /* libarchive takes the fraction of "-1.5" for one that is counted up from -1. */
        bool below = mtime < 0 && nsec > 0;
        e->mtime = below ? mtime - 1 : mtime;
        e->mtime_nsec = (uint32_t)(below ? 1000000000 - nsec : nsec);
    }
    return 0;
}

static bool has_xattr(const struct entry *e, const char *name, size_t name_len)
{
    uint16_t len[2];
    for (size_t at = 0; at < e->xattrs_len; at += sizeof len + len[0] + len[1]) {
        memcpy(len, e->xattrs + at, sizeof len);
        if (len[0] == name_len && memcmp(e->xattrs + at + sizeof len, name, name_len) == 0)
            return true;
    }
    return false;
}

static void add_xattr(struct entry *e, const char *name, size_t name_len, const void *value,
                      size_t size)
{
    uint16_t len[2] = {(uint16_t)name_len, (uint16_t)size};
    uint8_t *to = e->xattrs + e->xattrs_len;
    memcpy(to, len, sizeof len);
    memcpy(to + sizeof len, name, name_len);
    if (size)
        memcpy(to + sizeof len + name_len, value, size);
    e->xattrs_len += sizeof len + name_len + size;
}

/* libarchive hands them out last first, and its own writer puts each in twice: the first one seen
 * is the one that counts. */
static int read_xattrs(struct archive_entry *ae, struct entry *e, struct err *err)
{
    const char *name;
    const void *value;
    size_t size, kept = 0, seen = 0;
    archive_entry_xattr_reset(ae);
    while (archive_entry_xattr_next(ae, &name, &value, &size) == ARCHIVE_OK) {
        size_t name_len = name ? strlen(name) : 0;
        if (name_len == 0 || name_len > XATTR_NAME)
            return entry_fail(e->path, err, ERR_CORRUPT_ARCHIVE, ENAMETOOLONG,
                              "an xattr whose name is empty or over %d bytes", XATTR_NAME);
        bool again = size <= LIMIT_XATTRS_MAX && has_xattr(e, name, name_len);
        seen += name_len + size;
        kept += again ? 0 : name_len + size;
        if (size > LIMIT_XATTRS_MAX || kept > LIMIT_XATTRS_MAX ||
            seen > (size_t)4 * LIMIT_XATTRS_MAX)
            return entry_fail(e->path, err, ERR_TOO_LARGE_FILE, E2BIG,
                              "xattrs over %d bytes, the most that an entry may have",
                              LIMIT_XATTRS_MAX);
        if (!again)
            add_xattr(e, name, name_len, value, size);
    }
    return 0;
}

int entry_read(struct archive_entry *ae, struct entry *e, struct err *err)
{
    /* All but the xattrs, which xattrs_len bounds. */
    memset(e, 0, offsetof(struct entry, xattrs));
    int (*const parts[])(struct archive_entry *, struct entry *, struct err *) = {
        read_path, read_type, read_target, read_size, read_numbers, read_xattrs,
    };
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        int r = parts[i](ae, e, err);
        if (r < 0)
            return r;
    }
    return 0;
}
