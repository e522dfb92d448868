#include "stages/snapshot/holder.h"

#include "base/cleanup.h"
#include "stages/snapshot/mountinfo.h"
#include "stages/snapshot/processes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

struct user {
    uint64_t mount;
    char *why;
};

/* Without asking the file system: what lies behind another process's directory may not answer. */
static bool mount_of(const char *path, uint64_t *mount)
{
    struct statx stx;
    if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_MNT_ID, &stx) < 0)
        return false;
    *mount = stx.stx_mnt_id;
    return stx.stx_mask & STATX_MNT_ID;
}

static bool uses(void *ctx, pid_t pid)
{
    static const char *const links[][2] = {{"cwd", "has its current directory there"},
                                           {"root", "has its root directory there"},
                                           {"exe", "runs a program from there"}};
    struct user *u = ctx;
    for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
        char path[64], who[PROCESSES_TEXT_MAX];
        uint64_t mount;
        snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, links[i][0]);
        if (mount_of(path, &mount) && mount == u->mount) {
            processes_describe(pid, who);
            snprintf(u->why, HOLDER_TEXT_MAX, "%s %s", who, links[i][1]);
            return true;
        }
    }
    return false;
}

struct inside {
    const char *point;
    char *why;
};

static bool lies_inside(void *ctx, const struct mountinfo *m)
{
    struct inside *in = ctx;
    const char *below = mountinfo_below(m->point, in->point);
    if (!below)
        return false;
    snprintf(in->why, HOLDER_TEXT_MAX, "%s (%s) is mounted inside, at %s", m->source, m->type,
             below);
    return true;
}

/* What is open there, but for mere mappings of files. */
static bool has_open(struct user *u, pid_t pid)
{
    char path[64 + NAME_MAX], who[PROCESSES_TEXT_MAX];
    uint64_t mount;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *fds CLEANUP_CLOSEDIR = opendir(path);
    for (struct dirent *e; fds && (e = readdir(fds));) {
        snprintf(path, sizeof path, "/proc/%d/fd/%s", (int)pid, e->d_name);
        if (e->d_name[0] != '.' && mount_of(path, &mount) && mount == u->mount) {
            processes_describe(pid, who);
            snprintf(u->why, HOLDER_TEXT_MAX, "%s has a file open there", who);
            return true;
        }
    }
    return false;
}

static bool uses_or_has_open(void *ctx, pid_t pid)
{
    return uses(ctx, pid) || has_open(ctx, pid);
}

static bool find_in_mount(const char *point, bool (*in_there)(void *ctx, pid_t pid),
                          char why[static HOLDER_TEXT_MAX])
{
    struct user u = {.why = why};
    struct inside in = {.point = point, .why = why};
    return mountinfo_each("/proc/self/mountinfo", lies_inside, &in) == 1 ||
           (mount_of(point, &u.mount) && processes_each(in_there, &u));
}

bool holder_in_mount(const char *point, char why[static HOLDER_TEXT_MAX])
{
    return find_in_mount(point, uses_or_has_open, why);
}

void holder_of_mount(const char *point, char why[static HOLDER_TEXT_MAX])
{
    if (!find_in_mount(point, uses, why))
        snprintf(why, HOLDER_TEXT_MAX, "a process has its current directory or an open file there");
}

/* `spelt` is how the option spells it: the path, or where super_spell() could not, a descriptor. */
static bool is_upper(const char *options, const char *upper, bool *spelt)
{
    const char *o = strstr(options, ",upperdir=");
    size_t n = strlen(upper);
    *spelt = o && strncmp(o + 10, "/proc/", 6) != 0;
    return o && strncmp(o += 10, upper, n) == 0 && (o[n] == ',' || !o[n]);
}

struct search {
    struct holder *holder;
    const char *upper;
    bool certain; /* of the mount that was seen last */
    struct processes_seen seen;
};

/* The superblock's number alone is not certain: once that one is gone the kernel gives it to the
 * next. Nor is the path, which may be another store's in a container, or what the store was called
 * when it was mounted: whoever borrows looks what it is. */
static bool is_held(void *ctx, const struct mountinfo *m)
{
    struct search *s = ctx;
    struct holder *h = s->holder;
    bool spelt;
    if (strcmp(m->type, "overlay") != 0 || strcmp(m->root, "/") != 0)
        return false;
    bool ours = is_upper(m->options, s->upper, &spelt) || (!spelt && h->dev);
    if (h->dev ? m->dev != h->dev : !ours)
        return false;
    s->certain = ours;
    return snprintf(h->point, sizeof h->point, "%s", m->point) < (int)sizeof h->point;
}

static bool holds(void *ctx, pid_t pid)
{
    struct search *s = ctx;
    struct holder *h = s->holder;
    char path[64], who[PROCESSES_TEXT_MAX];
    snprintf(path, sizeof path, "/proc/%d/mountinfo", (int)pid);
    if (processes_is_helper(pid)) {
        h->passing = true;
        return false;
    }
    if (!processes_is_new(&s->seen, pid) || mountinfo_each(path, is_held, s) != 1)
        return false;
    h->lender = pid;
    if (!s->certain)
        return false;
    processes_describe(pid, who);
    h->pid = pid;
    snprintf(h->who, sizeof h->who, "%s sees it at %.300s", who, h->point);
    return true;
}

void holder_find(struct holder *h, const char *upper)
{
    struct search s = {.holder = h, .upper = upper};
    h->pid = h->lender = 0;
    h->passing = false;
    if (!holds(&s, getpid()) && !processes_each(holds, &s))
        snprintf(h->who, sizeof h->who, "no process that can be seen has it mounted");
}

struct borrow {
    const struct holder *holder;
    int tree; /* or -errno */
};

static int open_in_namespace(const struct holder *h)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/root", (int)h->lender);
    int root CLEANUP_CLOSE = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    snprintf(path, sizeof path, "/proc/%d/ns/mnt", (int)h->lender);
    int ns CLEANUP_CLOSE = open(path, O_RDONLY | O_CLOEXEC);
    if (root < 0 || ns < 0 || unshare(CLONE_FS) < 0 || setns(ns, CLONE_NEWNS) < 0)
        return -errno;
    const char *point = h->point[1] ? h->point + 1 : ".";
    int tree = open_tree(root, point, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    return tree < 0 ? -errno : tree;
}

static void *borrow(void *arg)
{
    struct borrow *b = arg;
    b->tree = open_in_namespace(b->holder);
    return NULL;
}

#define MARK "trusted.imgstore.holder"

/* What is written on the upper is read on its overlay's root. */
static bool is_over(int tree, const char *upper)
{
    uint64_t mark, seen = 0;
    int fd CLEANUP_CLOSE = open(upper, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int root CLEANUP_CLOSE = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || root < 0 || getrandom(&mark, sizeof mark, 0) != sizeof mark ||
        fsetxattr(fd, MARK, &mark, sizeof mark, 0) < 0)
        return false;
    bool same = fgetxattr(root, MARK, &seen, sizeof seen) == sizeof seen && seen == mark;
    fremovexattr(fd, MARK);
    return same;
}

/* Only who is in a mount namespace may copy its mounts, and a thread that went there does not come
 * back: one is spent on it. */
int holder_borrow(const struct holder *h, const char *upper)
{
    struct borrow b = {.holder = h};
    pthread_t thread;
    if (h->lender == 0)
        return -ESRCH;
    int r = pthread_create(&thread, NULL, borrow, &b);
    if (r != 0)
        return -r;
    pthread_join(thread, NULL);
    int tree CLEANUP_CLOSE = b.tree;
    if (tree < 0)
        return tree;
    return is_over(tree, upper) ? steal_fd(tree) : -ENOENT;
}
