#include "stages/unpack/blob.h"

#include "base/boot.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "stages/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define CHUNK (256 * 1024)

static bool hash_file(int fd, char hex[static DIGEST_HEX_MAX])
{
    struct digest *digest = digest_new();
    char *chunk CLEANUP_FREE = malloc(CHUNK);
    ssize_t n = digest && chunk ? 1 : -1;
    while (n > 0 && (n = io_read(fd, chunk, CHUNK)) > 0)
        digest_add(digest, chunk, (size_t)n);
    bool known = n == 0 && digest_hex(digest, hex);
    digest_free(digest);
    return known;
}

static int open_blob(const struct stage_job *job, enum format format)
{
    char name[PATHS_FILE_MAX];
    paths_blob(name, job->sha256, format);
    return openat(job->paths->blobs, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

/* Each name of the digest finds out for itself: the first one takes it away. */
static int start_anew(struct stage_result *result)
{
    result->format = FORMAT_UNKNOWN;
    result->size = -1;
    result->retry = RETRY_SCRATCH;
    return -EIO;
}

static int discard(const struct stage_job *job, struct stage_result *result, struct err *err)
{
    char name[PATHS_FILE_MAX];
    paths_blob(name, job->sha256, result->format);
    return paths_discard(job->paths->blobs, name, err);
}

int blob_suspect(const struct stage_job *job, struct stage_result *result, struct err *err)
{
    char hex[DIGEST_HEX_MAX];
    int fd CLEANUP_CLOSE = open_blob(job, result->format);
    if (fd < 0 || !hash_file(fd, hex))
        return 0;
    if (strcmp(hex, job->sha256) == 0) {
        boot_mark(fd);
        return 0;
    }
    if (discard(job, result, NULL) < 0)
        return 0;
    err_set(err, ERR_CHECKSUM_MISMATCH, EIO,
            "the download in the store was damaged: expected %s, got %s", job->sha256, hex);
    return start_anew(result);
}

int blob_find(const struct stage_job *job, struct stage_result *result, struct err *err)
{
    int64_t size = 0;
    result->format = paths_find_blob(job->paths, job->sha256, &size);
    result->size = size;
    if (result->format == FORMAT_UNKNOWN && errno != ENOENT)
        return err_sys(err, errno, "cannot look at the blob %s", job->sha256);
    if (result->format == FORMAT_UNKNOWN) {
        err_set(err, ERR_IO, EIO, "the download is gone from the store: there is no blob %s",
                job->sha256);
        return start_anew(result);
    }
    if (job->size != 0 && size != job->size) {
        err_set(err, ERR_IO, EIO,
                "the download in the store was damaged: it has %lld bytes, not %lld",
                (long long)size, (long long)job->size);
        return discard(job, result, err) < 0 ? -err->num : start_anew(result);
    }
    int fd CLEANUP_CLOSE = open_blob(job, result->format);
    return fd < 0 || boot_marked(fd) ? 0 : blob_suspect(job, result, err);
}
