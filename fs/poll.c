#include "fs/poll.h"

static struct poll_file **bucket_of(struct poll_waiters *all, uint64_t key)
{
    return &all->buckets[(key ^ key >> 8) % POLL_BUCKETS]; /* inodes: the image is from bit 8 on */
}

void poll_init(struct poll_waiters *all)
{
    *all = (struct poll_waiters){0};
    lock_init(&all->lock, LOCK_POLL, "poll");
}

void poll_destroy(struct poll_waiters *all)
{
    lock_destroy(&all->lock);
}

static void link_in(struct poll_waiters *all, struct poll_file *file)
{
    struct poll_file **first = bucket_of(all, file->key);
    file->before = NULL;
    file->after = *first;
    if (*first)
        (*first)->before = file;
    *first = file;
}

static void unlink_from(struct poll_waiters *all, struct poll_file *file)
{
    *(file->before ? &file->before->after : bucket_of(all, file->key)) = file->after;
    if (file->after)
        file->after->before = file->before;
    fuse_pollhandle_destroy(file->handle);
    file->handle = NULL;
}

void poll_enter(struct poll_waiters *all, struct poll_file *file, uint64_t key,
                struct fuse_pollhandle *handle)
{
    if (!handle)
        return;
    LOCK_SCOPE(&all->lock);
    if (file->handle)
        unlink_from(all, file);
    file->handle = handle;
    file->key = key;
    link_in(all, file);
}

void poll_leave(struct poll_waiters *all, struct poll_file *file)
{
    LOCK_SCOPE(&all->lock);
    if (file->handle)
        unlink_from(all, file);
}

/* The kernel only wakes: it asks nothing back, so the lock may be held. */
void poll_wake(struct poll_waiters *all, uint64_t key)
{
    LOCK_SCOPE(&all->lock);
    for (struct poll_file *f = *bucket_of(all, key), *next; f; f = next) {
        next = f->after;
        if (f->key != key)
            continue;
        fuse_lowlevel_notify_poll(f->handle);
        unlink_from(all, f);
    }
}
