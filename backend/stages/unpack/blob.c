#include "stages/unpack/blob.h"

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

void blob_suspect(const struct stage_job *job, enum format format, struct err *err)
{
    char name[PATHS_FILE_MAX], hex[DIGEST_HEX_MAX];
    paths_blob(name, job->sha256, format);
    int fd CLEANUP_CLOSE = openat(job->paths->blobs, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || !hash_file(fd, hex) || strcmp(hex, job->sha256) == 0)
        return;
    if (paths_discard(job->paths->blobs, name, NULL) == 0)
        err_set(err, ERR_CHECKSUM_MISMATCH, EIO,
                "the download in the store was damaged: expected %s, got %s; retry fetches it anew",
                job->sha256, hex);
}
