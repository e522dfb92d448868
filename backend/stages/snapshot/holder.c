#include "stages/snapshot/holder.h"

#include "base/cleanup.h"
#include "base/wire.h"
#include "stages/snapshot/mountinfo.h"

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

/* Calls each with every process until it returns true. */
static bool each_process(bool (*each)(void *ctx, pid_t pid), void *ctx)
{
    DIR *proc CLEANUP_CLOSEDIR = opendir("/proc");
    for (struct dirent *e; proc && (e = readdir(proc));) {
        char *end;
        long pid = strtol(e->d_name, &end, 10);
        if (pid > 0 && !*end && each(ctx, (pid_t)pid))
            return true;
    }
    return false;
}

#define COMM_MAX 64

static void name_of(pid_t pid, char comm[static COMM_MAX])
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    FILE *f CLEANUP_FCLOSE = fopen(path, "re");
    strcpy(comm, "?");
    if (f && fgets(comm, COMM_MAX, f))
        comm[strcspn(comm, "\n")] = '\0';
}

static void describe(pid_t pid, char *out, size_t size)
{
    char comm[COMM_MAX];
    name_of(pid, comm);
    snprintf(out, size, "pid %d (%s)", (int)pid, comm);
}

/* Anyone may bear a helper's name; ours are children of ours. */
static bool is_helper(pid_t pid)
{
    char path[64], stat[256] = "", state;
    int parent = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f CLEANUP_FCLOSE = fopen(path, "re");
    if (!f || !fgets(stat, sizeof stat, f))
        return false;
    const char *comm = strchr(stat, '('), *end = strrchr(stat, ')');
    return comm && end && sscanf(end, ") %c %d", &state, &parent) == 2 && parent == getpid() &&
           (size_t)(end - comm - 1) == strlen(WIRE_HELPER_NAME) &&
           strncmp(comm + 1, WIRE_HELPER_NAME, strlen(WIRE_HELPER_NAME)) == 0;
}

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
        char path[64], who[128];
        uint64_t mount;
        snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, links[i][0]);
        if (mount_of(path, &mount) && mount == u->mount) {
            describe(pid, who, sizeof who);
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

void holder_of_mount(const char *point, char why[static HOLDER_TEXT_MAX])
{
    struct user u = {.why = why};
    struct inside in = {.point = point, .why = why};
    if (mountinfo_each("/proc/self/mountinfo", lies_inside, &in) == 1)
        return;
    if (mount_of(point, &u.mount) && each_process(uses, &u))
        return;
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

#define NAMESPACES_MAX 64 /* that are remembered; others are read once a process */

struct search {
    struct holder *holder;
    const char *upper;
    bool certain; /* of the mount that was seen last */
    ino_t seen[NAMESPACES_MAX];
    size_t count;
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

/* One look at a mount table is enough, however many processes share it: there may be thousands. */
static bool is_new(struct search *s, pid_t pid)
{
    char path[64];
    struct stat st;
    snprintf(path, sizeof path, "/proc/%d/ns/mnt", (int)pid);
    if (stat(path, &st) < 0)
        return true;
    for (size_t i = 0; i < s->count; i++)
        if (s->seen[i] == st.st_ino)
            return false;
    if (s->count < NAMESPACES_MAX)
        s->seen[s->count++] = st.st_ino;
    return true;
}

static bool holds(void *ctx, pid_t pid)
{
    struct search *s = ctx;
    struct holder *h = s->holder;
    char path[64], who[128];
    snprintf(path, sizeof path, "/proc/%d/mountinfo", (int)pid);
    if (is_helper(pid)) {
        h->passing = true;
        return false;
    }
    if (!is_new(s, pid) || mountinfo_each(path, is_held, s) != 1)
        return false;
    h->lender = pid;
    if (!s->certain)
        return false;
    describe(pid, who, sizeof who);
    h->pid = pid;
    snprintf(h->who, sizeof h->who, "%s sees it at %.300s", who, h->point);
    return true;
}

void holder_find(struct holder *h, const char *upper)
{
    struct search s = {.holder = h, .upper = upper};
    h->pid = h->lender = 0;
    h->passing = false;
    if (!holds(&s, getpid()) && !each_process(holds, &s))
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
