#include "stages/unpack/blob.h"

#include "base/boot.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "stages/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

#define CHUNK (256 * 1024)

static bool is_cancelled(const struct stage_job *job)
{
    struct pollfd p = {.fd = job->cancel_fd, .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

/* 0, or a negative errno: then nothing is known of it. */
static int hash_file(const struct stage_job *job, int fd, char hex[static DIGEST_HEX_MAX])
{
    struct digest *digest = digest_new();
    char *chunk CLEANUP_FREE = malloc(CHUNK);
    ssize_t n = !digest || !chunk ? -ENOMEM : lseek(fd, 0, SEEK_SET) < 0 ? -errno : 1;
    while (n > 0 && (n = is_cancelled(job) ? -ECANCELED : io_read(fd, chunk, CHUNK)) > 0)
        digest_add(digest, chunk, (size_t)n);
    if (n == 0 && !digest_hex(digest, hex))
        n = -ENOMEM;
    digest_free(digest);
    return (int)n;
}

/* Each name of the digest finds out for itself, under either policy: the first one takes it away.
 */
static int start_anew(struct stage_result *result)
{
    result->format = FORMAT_UNKNOWN;
    result->size = -1;
    result->retry = RETRY_SCRATCH;
    return -EIO;
}

/* Unless it has been replaced since by what was fetched anew. */
static int discard(const struct stage_job *job, int fd, struct stage_result *result,
                   struct err *err)
{
    char name[PATHS_FILE_MAX];
    struct stat judged, there;
    paths_blob(name, job->sha256, result->format);
    if (fstat(fd, &judged) < 0 || fstatat(job->paths->blobs, name, &there, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_sys(err, errno, "cannot look at blobs/%s", name);
    return judged.st_ino == there.st_ino ? paths_discard(job->paths->blobs, name, err) : 0;
}

/* 0 if it is whole, and noted to be; -EIO if it was not, and is gone; another errno if that cannot
 * be told. */
static int judge(const struct stage_job *job, int fd, struct stage_result *result, struct err *err)
{
    char hex[DIGEST_HEX_MAX];
    int r = hash_file(job, fd, hex);
    if (r < 0)
        return r == -ECANCELED ? err_set(err, ERR_CANCELLED, ECANCELED, "cancelled")
                               : err_sys(err, -r, "cannot read the download in the store");
    if (strcmp(hex, job->sha256) == 0) {
        boot_mark(fd);
        return 0;
    }
    if ((r = discard(job, fd, result, err)) < 0)
        return r;
    err_set(err, ERR_CHECKSUM_MISMATCH, EIO,
            "the download in the store was damaged: expected %s, got %s", job->sha256, hex);
    return start_anew(result);
}

void blob_suspect(const struct stage_job *job, int fd, struct stage_result *result, struct err *err)
{
    struct err why = {0};
    if (judge(job, fd, result, &why) < 0 && result->retry == RETRY_SCRATCH)
        *err = why;
}

static int is_gone(const struct stage_job *job, struct stage_result *result, struct err *err)
{
    err_set(err, ERR_IO, EIO, "the download is gone from the store: there is no blob %s",
            job->sha256);
    return start_anew(result);
}

static int is_cut_short(const struct stage_job *job, int fd, struct stage_result *result,
                        struct err *err)
{
    err_set(err, ERR_IO, EIO, "the download in the store was damaged: it has %lld bytes, not %lld",
            (long long)result->size, (long long)job->size);
    return discard(job, fd, result, err) < 0 ? -err->num : start_anew(result);
}

int blob_open(const struct stage_job *job, struct stage_result *result, struct err *err)
{
    char name[PATHS_FILE_MAX];
    int64_t size = 0;
    result->format = paths_find_blob(job->paths, job->sha256, &size);
    if (result->format == FORMAT_UNKNOWN)
        return errno == ENOENT ? is_gone(job, result, err)
                               : err_sys(err, errno, "cannot look at the blob %s", job->sha256);
    paths_blob(name, job->sha256, result->format);
    int fd CLEANUP_CLOSE = openat(job->paths->blobs, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return errno == ENOENT ? is_gone(job, result, err)
                               : err_sys(err, errno, "cannot open blobs/%s", name);
    result->size = st.st_size;
    if (job->size != 0 && result->size != job->size)
        return is_cut_short(job, fd, result, err);
    int r = boot_marked(fd) ? 0 : judge(job, fd, result, err);
    if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
        r = err_sys(err, errno, "cannot read blobs/%s", name);
    return r < 0 ? r : steal_fd(fd);
}
