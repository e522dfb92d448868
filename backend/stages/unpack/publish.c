#include "base/cleanup.h"
#include "base/log.h"
#include "stages/stage.h"
#include "stages/unpack/info.h"
#include "stages/unpack/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* A part that is from before the last boot, or has no info, was perhaps torn by a power cut; one
 * that is missing a start took for a leftover. */
static int ensure_whole(const struct stage_job *job, const char *part, struct stage_result *result,
                        struct err *err)
{
    bool this_boot;
    if (info_read(job->paths->images, part, result, &this_boot) == 0 && this_boot)
        return 0;
    log_debug(job->name, "images/%s may not be whole: it is unpacked again", part);
    return unpack_run(job, result, err);
}

static int sync_images(int images, struct err *err)
{
    return fsync(images) < 0 ? err_sys(err, errno, "cannot sync images/") : 0;
}

static int sync_one(int dirfd, const char *name)
{
    int fd CLEANUP_CLOSE = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* One call for thousands of files: an fsync of each would be a journal commit of each. An image in
 * a file is two, and does not wait for what else is on its way to the disk. */
static int sync_part(int images, const char *part)
{
    int dir CLEANUP_CLOSE = openat(images, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0)
        return -errno;
    int r = sync_one(dir, SINK_IMAGE);
    if (r == -ENOENT)
        return syncfs(images) < 0 ? -errno : 0;
    if (r == 0)
        r = sync_one(dir, INFO_FILE);
    return r == 0 && fsync(dir) < 0 ? -errno : r;
}

int publish_run(const struct stage_job *job, struct stage_result *result, struct err *err)
{
    int images = job->paths->images;
    char image[PATHS_FILE_MAX], part[PATHS_FILE_MAX];
    paths_image(image, job->sha256, job->policy);
    paths_image_part(part, job->sha256, job->policy);
    if (paths_have_image(job->paths, job->sha256, job->policy)) {
        info_read(images, image, result, NULL);
        paths_discard(images, part, NULL);
        return sync_images(images, err);
    }
    if (errno != ENOENT)
        return err_sys(err, errno, "cannot look at images/%s", image);
    int r = ensure_whole(job, part, result, err);
    if (r < 0)
        return r;
    result->need = (struct space_need){.bytes = 4096}; /* the folder may grow by a block */
    if ((r = sync_part(images, part)) < 0)
        return err_sys(err, -r, "cannot sync the image");
    if (renameat2(images, part, images, image, RENAME_NOREPLACE) < 0 && errno != EEXIST)
        return err_sys(err, errno, "cannot rename images/%s", part);
    paths_discard(images, part, NULL);
    return sync_images(images, err);
}
