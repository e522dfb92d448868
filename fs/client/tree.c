#include "fs/client/tree.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "fs/client/outcome.h"
#include "fs/client/reason.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define FS_TYPE "fuse.imgstorefs"

/* What mountinfo escapes: space, tab, newline and backslash, as \ooo. In place. */
static void unescape(char *s)
{
    char *to = s;
    for (const char *p = s; *p; to++) {
        unsigned byte;
        if (*p == '\\' && sscanf(p, "\\%3o", &byte) == 1 && strlen(p) >= 4) {
            *to = (char)byte;
            p += 4;
        } else {
            *to = *p++;
        }
    }
    *to = '\0';
}

/* The mount point, if the line is a mount of ours: fields 5 and the first one after " - ". */
static char *our_mount_point(char *line)
{
    const char *type = strstr(line, " - ");
    if (!type || strncmp(type + 3, FS_TYPE " ", sizeof FS_TYPE) != 0)
        return NULL;
    char *save, *field = strtok_r(line, " ", &save);
    for (int i = 1; field && i < 5; i++)
        field = strtok_r(NULL, " ", &save);
    if (field)
        unescape(field);
    return field;
}

int tree_find_mount(struct tree *tree, FILE *mountinfo, struct err *err)
{
    struct text all CLEANUP_TEXT = {0};
    char *line CLEANUP_FREE = NULL;
    size_t cap = 0;
    int found = 0;
    while (getline(&line, &cap, mountinfo) > 0) {
        const char *at = our_mount_point(line);
        /* A new mount over a dead one shows twice: it is one place. */
        if (!at || (found > 0 && strcmp(at, tree->root) == 0))
            continue;
        snprintf(tree->root, sizeof tree->root, "%s", at);
        text_addf(&all, "%s%s", found++ ? ", " : "", at);
    }
    if (found == 0)
        return err_set(err, ERR_NONE, ENOTCONN,
                       "no imgstorefs is mounted here; `imgstore worker` starts one");
    if (found > 1)
        return err_set(err, ERR_NONE, EINVAL,
                       "several imgstorefs are mounted (%s): choose one with --mount",
                       all.failed ? "" : all.data);
    return 0;
}

/* The kernel has several words for a daemon that has gone. */
static bool is_gone(int num)
{
    return num == ENOTCONN || num == ECONNABORTED || num == ESHUTDOWN;
}

static int no_daemon(const struct tree *tree, int num, struct err *err)
{
    if (is_gone(num))
        return err_set(err, ERR_NONE, ENOTCONN,
                       "no daemon at %s: it has ended; started again (as a service, or by "
                       "`imgstorefs` with its options) it goes on from there",
                       tree->root);
    return err_set(err, ERR_NONE, ENOTCONN, "no daemon at %s: %s", tree->root, strerror(num));
}

static int no_tree(const struct tree *tree, struct err *err)
{
    return err_set(
        err, ERR_NONE, ENOTCONN,
        "no daemon at %s: no imgstorefs is mounted there; `imgstore worker %s` starts one",
        tree->root, tree->root);
}

static int not_permitted(const struct tree *tree, int num, struct err *err)
{
    return err_set(err, ERR_NONE, num,
                   "%s: not permitted: unless the daemon runs with ctl_group or allow_other, "
                   "its own user alone sees the tree; run this as that user, or with sudo",
                   tree->root);
}

int tree_open_root(const struct tree *tree, struct err *err)
{
    int root = open(tree->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0 && (errno == EACCES || errno == EPERM))
        return not_permitted(tree, errno, err);
    return root < 0 ? no_daemon(tree, errno, err) : root;
}

int tree_look(const struct tree *tree, struct err *err)
{
    int root CLEANUP_CLOSE = tree_open_root(tree, err);
    if (root < 0)
        return root;
    if (faccessat(root, "images", F_OK, 0) == 0 && faccessat(root, "ctl", F_OK, 0) == 0)
        return 0;
    if (errno == EACCES || errno == EPERM)
        return not_permitted(tree, errno, err);
    return errno == ENOENT ? no_tree(tree, err) : no_daemon(tree, errno, err);
}

int tree_explain(const struct tree *tree, int num, struct err *err)
{
    if (is_gone(num))
        return no_daemon(tree, num, err);
    if (num != ENOENT && num != ENODEV)
        return err_set(err, ERR_NONE, num, "%s", outcome_word(-num));
    int r = tree_look(tree, err);
    return r < 0 ? r : err_set(err, ERR_NONE, ENOENT, "%s", outcome_word(-ENOENT));
}

int tree_find(struct tree *tree, const char *mount, struct err *err)
{
    if (!mount)
        mount = getenv("IMGSTORE_MOUNT");
    if (mount && *mount) {
        if ((size_t)snprintf(tree->root, sizeof tree->root, "%s", mount) >= sizeof tree->root)
            return err_set(err, ERR_NONE, EINVAL, "the mount point's path is too long");
    } else {
        FILE *mountinfo CLEANUP_FCLOSE = fopen("/proc/self/mountinfo", "re");
        if (!mountinfo)
            return err_set(err, ERR_NONE, ENOTCONN, "cannot read /proc/self/mountinfo: %s",
                           strerror(errno));
        int r = tree_find_mount(tree, mountinfo, err);
        if (r < 0)
            return r;
    }
    return tree_look(tree, err);
}

int tree_read(const struct tree *tree, const char *path, struct text *out, struct err *err)
{
    int root CLEANUP_CLOSE = tree_open_root(tree, err);
    if (root < 0)
        return root;
    int fd CLEANUP_CLOSE = openat(root, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return tree_explain(tree, errno, err);
    char buf[4096];
    ssize_t n;
    do {
        n = read(fd, buf, sizeof buf);
        if (n < 0 && errno != EINTR)
            return tree_explain(tree, errno, err);
        text_addn(out, buf, n < 0 ? 0 : (size_t)n);
    } while (n < 0 || n == sizeof buf); /* a value is whole in one read: no second for its end */
    text_add(out, "");
    if (out->failed)
        return err_set(err, ERR_NONE, ENOMEM, "out of memory");
    if (out->len > 0 && out->data[out->len - 1] == '\n')
        out->data[--out->len] = '\0';
    return 0;
}

int tree_read_link(const struct tree *tree, const char *path, struct text *out, struct err *err)
{
    int root CLEANUP_CLOSE = tree_open_root(tree, err);
    if (root < 0)
        return root;
    char target[PATH_MAX];
    ssize_t n = readlinkat(root, path, target, sizeof target);
    if (n < 0)
        return tree_explain(tree, errno, err);
    text_addn(out, target, (size_t)n);
    return out->failed ? err_set(err, ERR_NONE, ENOMEM, "out of memory") : 0;
}

static int write_once(int fd, const struct text *t)
{
    ssize_t n;
    do
        n = write(fd, t->data, t->len);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    return (size_t)n == t->len ? 0 : -EIO;
}

int tree_write(const struct tree *tree, const char *control, const char *line, struct err *err)
{
    struct text request CLEANUP_TEXT = {0};
    char path[NAME_MAX];
    text_addf(&request, "%s\n", line);
    if (request.failed)
        return err_set(err, ERR_NONE, ENOMEM, "out of memory");
    int root CLEANUP_CLOSE = tree_open_root(tree, err);
    if (root < 0)
        return root;
    snprintf(path, sizeof path, "ctl/%s", control);
    int fd CLEANUP_CLOSE = openat(root, path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) /* no image's fault: whatever is mounted here has no such file */
        return err_set(err, ERR_NONE, ENOTCONN, "no daemon at %s: it has no %s", tree->root, path);
    if (fd < 0)
        return tree_explain(tree, errno, err);
    int r = write_once(fd, &request);
    if (r < 0) {
        r = tree_explain(tree, -r, err);
        if (!is_gone(-r))
            reason_add(tree, control, line, -r, err);
    }
    return r;
}

int tree_open(const struct tree *tree, const char *path, struct err *err)
{
    int root CLEANUP_CLOSE = tree_open_root(tree, err);
    if (root < 0)
        return root;
    int fd = openat(root, path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? tree_explain(tree, errno, err) : fd;
}

int tree_stat(const struct tree *tree, const char *path, struct err *err)
{
    int root CLEANUP_CLOSE = tree_open_root(tree, err);
    if (root < 0)
        return root;
    return faccessat(root, path, F_OK, 0) < 0 ? tree_explain(tree, errno, err) : 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_name(struct tree_names *names, size_t *cap, const char *name)
{
    char **more = array_more(names->name, names->n, cap, sizeof *more);
    if (!more)
        return -ENOMEM;
    names->name = more;
    char *copy = strdup(name);
    if (!copy)
        return -ENOMEM;
    names->name[names->n++] = copy;
    return 0;
}

int tree_list(const struct tree *tree, struct tree_names *names, struct err *err)
{
    return tree_list_below(tree, "images", names, err);
}

int tree_list_below(const struct tree *tree, const char *path, struct tree_names *names,
                    struct err *err)
{
    *names = (struct tree_names){0};
    int root CLEANUP_CLOSE = tree_open_root(tree, err);
    if (root < 0)
        return root;
    int fd = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir CLEANUP_CLOSEDIR = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        return tree_explain(tree, errno, err);
    size_t cap = 0;
    for (struct dirent *e; errno = 0, (e = readdir(dir));) {
        if (e->d_name[0] == '.') /* no name begins so */
            continue;
        if (add_name(names, &cap, e->d_name) < 0)
            return err_set(err, ERR_NONE, ENOMEM, "out of memory");
    }
    if (errno != 0)
        return tree_explain(tree, errno, err);
    if (names->n > 0)
        qsort(names->name, names->n, sizeof *names->name, by_name);
    return 0;
}

void tree_free_names(struct tree_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->name[i]);
    free(names->name);
    *names = (struct tree_names){0};
}
