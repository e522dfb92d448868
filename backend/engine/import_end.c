#include "engine/import.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "engine/engine.h"
#include "engine/unused.h"
#include "stages/fetch/fetch.h"
#include "stages/unpack/ahead.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* --- the blob */

/* With its own name beside it until the image is on disk: by that a start after a crash tells that
 * nobody has ever asked for the blob. One that is there already is replaced by what has just been
 * seen to be whole. */
static int name_blob(struct backend_import *i, enum format format, struct err *err)
{
    char blob[PATHS_FILE_MAX];
    int blobs = i->in.paths->blobs;
    paths_blob(blob, i->sha256, format);
    if (linkat(blobs, i->in.name, blobs, blob, 0) < 0)
        return intake_name(&i->in, i->sha256, format, err);
    if (fsync(blobs) == 0)
        return 0;
    err_sys(err, errno, "cannot sync the name of the import");
    unlinkat(blobs, blob, 0);
    return -err->num;
}

/* From now on cleanup leaves it, and nobody breaks it off. */
static int claim_digest(struct backend_import *i, struct err *err)
{
    char sha256[DIGEST_HEX_MAX];
    int r = intake_digest(&i->in, sha256, err);
    if (r < 0)
        return r;
    LOCK_SCOPE(&i->all->lock);
    if (i->unlinked)
        return err_set(err, ERR_CANCELLED, ECANCELED, "cancelled");
    strcpy(i->sha256, sha256);
    return 0;
}

/* --- the command */

static void said(void *ctx, const struct err *err, size_t line)
{
    struct backend_import *i = ctx;
    i->engine_said = *err;
    sem_post(&i->answered);
}

/* Under the lock: what is handed over before the stop is answered. */
static bool submit(struct backend_import *i, const struct backend_command *command)
{
    LOCK_SCOPE(&i->all->lock);
    if (i->all->stopping)
        return false;
    engine_submit(i->all->engine, command, said, i);
    return true;
}

static int ask_engine(struct backend_import *i, enum format format, struct err *err)
{
    struct backend_fetch line = {.url = FETCH_IMPORTED,
                                 .name = i->name,
                                 .imported = true,
                                 .format = format,
                                 .size = i->in.size};
    strcpy(line.sha256, i->sha256);
    if (!submit(i, &(struct backend_command){.kind = BACKEND_FETCH, .lines = &line, .count = 1}))
        return err_set(err, ERR_INTERRUPTED, ECANCELED, "the daemon is stopping");
    while (sem_wait(&i->answered) < 0)
        ;
    if (i->engine_said.num)
        *err = i->engine_said;
    return -i->engine_said.num;
}

/* There is no way back: it cannot be tried again. */
int import_end(struct backend_import *i, enum format format, bool unpacked, struct err *err)
{
    int r = claim_digest(i, err);
    if (r == 0)
        r = name_blob(i, format, err);
    if (r < 0)
        return r;
    if (unpacked && ahead_seal_as(i->ahead, i->sha256))
        i->ahead = NULL; /* the image's stages take it */
    r = ask_engine(i, format, err);
    return r == -EAGAIN ? -(err->num = EIO) : r;
}

/* --- what is left */

/* Another import may be about to need the very same. A blob that has no second name was there
 * before: a cache. */
void import_refused(struct engine *e, const char *sha256)
{
    char blob[PATHS_FILE_MAX];
    struct stat st;
    int64_t size;
    if (registry_next_of_digest(e->registry, sha256, NULL) || imports_need(e->imports, sha256) > 1)
        return;
    enum format format = paths_find_blob(&e->paths, sha256, &size);
    paths_blob(blob, sha256, format);
    if (format != FORMAT_UNKNOWN && fstatat(e->paths.blobs, blob, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        st.st_nlink > 1)
        paths_discard(e->paths.blobs, blob, NULL);
    (void)chores_unwanted(e, sha256, e->config->policy);
    chores_sweep(e, NULL);
}

static void discard_twin(struct engine *e, const struct stat *import)
{
    DIR *dir CLEANUP_CLOSEDIR = io_list(e->paths.blobs);
    struct unused_item item;
    struct stat st;
    for (struct dirent *d; dir && (d = readdir(dir));)
        if (unused_parse(&item, false, d->d_name) &&
            !registry_next_of_digest(e->registry, item.sha256, NULL) &&
            fstatat(e->paths.blobs, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            st.st_ino == import->st_ino)
            unlinkat(e->paths.blobs, d->d_name, 0);
}

void import_clear(struct engine *e)
{
    DIR *dir CLEANUP_CLOSEDIR = io_list(e->paths.blobs);
    struct stat st;
    for (struct dirent *d; dir && (d = readdir(dir));) {
        if (!paths_is_import(d->d_name) ||
            fstatat(e->paths.blobs, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (st.st_nlink > 1)
            discard_twin(e, &st);
        unlinkat(e->paths.blobs, d->d_name, 0);
    }
}
