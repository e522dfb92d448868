#include "stages/fetch/part.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define TAG_XATTR "user.imgstore.etag"

static void read_tag(struct part *p)
{
    ssize_t n = fgetxattr(p->in.fd, TAG_XATTR, p->tag, sizeof p->tag - 1);
    p->tag[n < 0 ? 0 : n] = '\0';
}

int part_open(struct part *p, const struct paths *paths, const char *sha256, int cancel_fd,
              struct err *err)
{
    char name[PATHS_FILE_MAX];
    *p = (struct part){.sha256 = sha256};
    paths_part(name, sha256);
    int r = intake_open(&p->in, paths, name, 0, "the download", err);
    if (r < 0)
        return r;
    read_tag(p);
    return intake_take_up(&p->in, cancel_fd, err);
}

int part_restart(struct part *p, const char *tag, struct err *err)
{
    int r = intake_restart(&p->in, err);
    if (r < 0)
        return r;
    p->tag[0] = '\0';
    size_t len = tag ? strlen(tag) : 0;
    /* Where there are no xattrs, this download is one that cannot be resumed. */
    if (len > 0 && len < PART_TAG_MAX && fsetxattr(p->in.fd, TAG_XATTR, tag, len, 0) == 0)
        memcpy(p->tag, tag, len + 1);
    else
        fremovexattr(p->in.fd, TAG_XATTR);
    return 0;
}

bool part_whole(struct part *p)
{
    char got[DIGEST_HEX_MAX];
    return intake_digest(&p->in, got, NULL) == 0 && strcmp(got, p->sha256) == 0;
}

static int check_digest(struct part *p, struct err *err)
{
    char got[DIGEST_HEX_MAX];
    int r = intake_digest(&p->in, got, err);
    if (r < 0 || strcmp(got, p->sha256) == 0)
        return r;
    return err_set(err, ERR_CHECKSUM_MISMATCH, EBADMSG, "expected %s, got %s", p->sha256, got);
}

/* The tag goes first: a whole part needs none, and a blob never had one. */
int part_finish(struct part *p, enum format *format, struct err *err)
{
    int r = check_digest(p, err);
    if (r < 0)
        return r;
    fremovexattr(p->in.fd, TAG_XATTR);
    r = intake_sync(&p->in, format, err);
    return r < 0 ? r : intake_name(&p->in, p->sha256, *format, err);
}

static bool can_resume(struct part *p)
{
    struct stat st;
    intake_flush(&p->in, NULL); /* what of it the disk takes is a beginning all the same */
    return p->tag[0] && fstat(p->in.fd, &st) == 0 && st.st_size > 0;
}

void part_close(struct part *p, bool keep)
{
    intake_close(&p->in, p->in.fd >= 0 && keep && can_resume(p));
}
