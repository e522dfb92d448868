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

bool blob_suspect(const struct stage_job *job, enum format format, struct err *err)
{
    char name[PATHS_FILE_MAX], hex[DIGEST_HEX_MAX];
    int fd CLEANUP_CLOSE = open_blob(job, format);
    if (fd < 0 || !hash_file(fd, hex))
        return false;
    if (strcmp(hex, job->sha256) == 0) {
        boot_mark(fd);
        return false;
    }
    paths_blob(name, job->sha256, format);
    if (paths_discard(job->paths->blobs, name, NULL) < 0)
        return false;
    err_set(err, ERR_CHECKSUM_MISMATCH, EIO,
            "the download in the store was damaged: expected %s, got %s; retry fetches it anew",
            job->sha256, hex);
    return true;
}

int blob_check(const struct stage_job *job, enum format format, struct stage_result *result,
               struct err *err)
{
    int fd CLEANUP_CLOSE = open_blob(job, format);
    if (fd >= 0 && !boot_marked(fd))
        result->lost = blob_suspect(job, format, err);
    return result->lost ? -EIO : 0;
}
