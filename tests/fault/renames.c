/* For a power cut: renames whose directory was not synced since have not happened. */
#include "fault.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define RENAMES_MAX 4096

/* By path: a descriptor would keep an overlay busy, and does not outlive a thread with a table of
 * its own. */
static struct renamed {
    bool synced;
    struct stat from_dir, to_dir;
    char a[PATH_MAX], b[PATH_MAX];
} renames[RENAMES_MAX];
static size_t count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

int __real_fstat64(int fd, struct stat *s);
int __real_fstatfs64(int fd, struct statfs *s);
ssize_t __real_readlink(const char *path, char *p, size_t n);
int __real_renameat2(int from, const char *a, int to, const char *b, unsigned flags);

static bool locate(int fd, const char *name, struct stat *dir, char path[static PATH_MAX])
{
    char link[64], folder[PATH_MAX];
    struct statfs fs;
    snprintf(link, sizeof link, "/proc/thread-self/fd/%d", fd);
    ssize_t n = __real_readlink(link, folder, sizeof folder - 1);
    if (n < 0 || __real_fstat64(fd, dir) < 0 || __real_fstatfs64(fd, &fs) < 0 ||
        fs.f_type == OVERLAYFS_SUPER_MAGIC)
        return false;
    folder[n] = '\0';
    return snprintf(path, PATH_MAX, "%s/%s", folder, name) < PATH_MAX;
}

void fault_renamed(int from, const char *a, int to, const char *b)
{
    pthread_mutex_lock(&lock);
    if (count < RENAMES_MAX) {
        struct renamed *r = &renames[count];
        r->synced = false;
        if (locate(from, a, &r->from_dir, r->a) && locate(to, b, &r->to_dir, r->b))
            count++;
    }
    pthread_mutex_unlock(&lock);
}

static bool is_dir(const struct stat *s, dev_t dev, ino_t ino)
{
    return s->st_dev == dev && (ino == 0 || s->st_ino == ino);
}

void fault_renames_synced(dev_t dev, ino_t ino)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < count; i++) {
        struct renamed *r = &renames[i];
        if (is_dir(&r->from_dir, dev, ino) || is_dir(&r->to_dir, dev, ino))
            r->synced = true;
    }
    while (count > 0 && renames[count - 1].synced)
        count--;
    pthread_mutex_unlock(&lock);
}

void fault_renames_lose(void)
{
    pthread_mutex_lock(&lock);
    for (size_t i = count; i-- > 0;)
        if (!renames[i].synced)
            (void)!__real_renameat2(AT_FDCWD, renames[i].b, AT_FDCWD, renames[i].a,
                                    RENAME_NOREPLACE);
}
