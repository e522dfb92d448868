#include "engine/changes.h"

unsigned changes_of_rootfs(bool before, bool now)
{
    return before == now ? 0 : now ? BACKEND_ROOTFS_COMES : BACKEND_ROOTFS_GOES;
}

unsigned changes_note(struct image *i, const struct image *was, bool other_error)
{
    unsigned changes = changes_of_rootfs(registry_shows_rootfs(was), registry_shows_rootfs(i));
    if (i->state != was->state) {
        i->state_changes++;
        changes |= BACKEND_STATE;
    }
    if (other_error) {
        i->error_changes++;
        changes |= BACKEND_ERROR;
    }
    if (i->state != was->state || i->done != was->done || i->total != was->total ||
        i->percent != was->percent || i->size != was->size) {
        i->progress_changes++;
        changes |= BACKEND_PROGRESS;
    }
    return changes;
}
