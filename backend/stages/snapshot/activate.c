#include "stages/snapshot/snapshot.h"
#include "stages/stage.h"

/* What a new layer takes: itself, upper and its first state, work and the kernel's folder there;
 * the mount point. A block each. */
#define LAYER_INODES 6
#define LAYER_BYTES  (LAYER_INODES * 4096)

int activate_run(const struct stage_job *job, struct stage_result *result, struct err *err)
{
    char key[PATHS_FILE_MAX];
    paths_image(key, job->sha256, job->policy);
    result->retry = RETRY_NEVER;
    result->need = (struct space_need){LAYER_BYTES, LAYER_INODES};
    int r = job->settings->snapshot->mount(job->paths, job->name, key, job->policy, err);
    if (r < 0 && err && err->code == ERR_IO)
        err->code = ERR_MOUNT_FAILED;
    return r;
}
