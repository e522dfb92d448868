#include "fs/client/export.h"

#include "base/cleanup.h"
#include "fs/client/change.h"
#include "fs/client/human.h"
#include "fs/client/screen.h"
#include "fs/client/target.h"
#include "fs/client/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

struct export
{
    const struct tree *tree;
    const char *file;           /* NULL: standard output */
    char path[2 * NAME_MAX];    /* below the root */
    char whole[PATH_MAX];       /* the file itself, where a link leads to it */
    char beside[PATH_MAX + 16]; /* what is written, until it is whole; "" for none */
    int to;
    bool to_failed; /* it is not the image that is at fault */
};

/* What is not whole. */
static void take_back(struct export *out)
{
    if (out->beside[0])
        unlink(out->beside);
    out->beside[0] = '\0';
}

static int write_all(struct transfer *t, struct err *err)
{
    struct export *out = t->ctx;
    bool wrote;
    int from CLEANUP_CLOSE = tree_open(out->tree, out->path, err);
    if (from < 0)
        return from;
    int r = transfer_copy(t, from, out->to, &wrote);
    out->to_failed = r < 0 && wrote;
    if (out->to_failed)
        return err_sys(err, -r, "cannot write %s", out->file ? out->file : "to standard output");
    return r < 0 ? change_explain(out->tree, out->path, -r, err) : 0;
}

/* Why there is no such file below export/: there is no such image, or it is not mounted. */
static int explain_missing(const struct tree *tree, const struct target *target, struct err *err)
{
    char path[TARGET_PATH_MAX];
    struct text state CLEANUP_TEXT = {0};
    target_path(target, "state", path);
    int r = tree_read(tree, path, &state, err);
    if (r < 0)
        return r;
    return err_set(
        err, ERR_NONE, EBUSY,
        "it is %s, and only what is ACTIVE can be exported; `imgstore activate %s` mounts it",
        state.data, target->name);
}

/* What is no ordinary file: a pipe, which may wait for its reader, or a device. */
static int open_special(struct export *out, struct err *err)
{
    struct stat st;
    if (!out->file || stat(out->file, &st) < 0 || S_ISREG(st.st_mode))
        return 0;
    if (S_ISDIR(st.st_mode))
        err_set(err, ERR_NONE, EISDIR, "%s is a directory: name a file in it", out->file);
    else if ((out->to = open(out->file, O_WRONLY | O_CLOEXEC)) < 0)
        err_sys(err, errno, "cannot write %s", out->file);
    out->to_failed = out->to < 0;
    return out->to < 0 ? -err->num : 0;
}

/* Where it is written until it is whole. */
static int open_beside(struct export *out, struct err *err)
{
    struct stat st;
    bool there = stat(out->file, &st) == 0;
    if (!realpath(out->file, out->whole))
        snprintf(out->whole, sizeof out->whole, "%s", out->file);
    if (strlen(out->file) >= PATH_MAX - 8 ||
        snprintf(out->beside, sizeof out->beside, "%s.XXXXXX", out->whole) >= PATH_MAX) {
        out->beside[0] = '\0';
        return err_set(err, ERR_NONE, ENAMETOOLONG, "the file's name is too long");
    }
    out->to = mkostemp(out->beside, O_CLOEXEC);
    if (out->to < 0) {
        int num = errno;
        out->beside[0] = '\0';
        return err_sys(err, num, "cannot write %s", out->file);
    }
    mode_t mask = umask(0);
    umask(mask);
    (void)fchmod(out->to, there ? st.st_mode & 0777 : 0666 & ~mask);
    return 0;
}

/* Under its name only once it is whole, and on disk. */
static int finish(struct export *out, struct err *err)
{
    if (!out->beside[0])
        return 0;
    if ((fsync(out->to) < 0 && errno != EINVAL) || rename(out->beside, out->whole) < 0)
        return err_sys(err, errno, "cannot write %s", out->file);
    out->beside[0] = '\0';
    return 0;
}

static void say_done(const struct transfer *t, const struct export *out)
{
    char size[HUMAN_MAX], took[HUMAN_MAX];
    if (screen_is_terminal(STDERR_FILENO))
        fprintf(stderr, "%s  exported  %s in %s%s%s\n", t->name, human_size(t->done, size),
                human_duration(t->ms, took), out->file ? " to " : "", out->file ? out->file : "");
}

static int write_whole(struct transfer *t, struct export *out, struct err *err)
{
    int r = out->to < 0 ? open_beside(out, err) : 0;
    out->to_failed = r < 0;
    if (r == 0)
        r = transfer_go(t, err);
    if (r == 0 && (r = finish(out, err)) < 0)
        out->to_failed = true;
    take_back(out);
    if (out->file && out->to >= 0)
        close(out->to);
    return r;
}

/* No signal finds something half done that nobody would take back. */
static int export_to(struct transfer *t, struct export *out, struct err *err)
{
    sigset_t ends, before;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGQUIT);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGHUP);
    sigprocmask(SIG_BLOCK, &ends, &before);
    int r = write_whole(t, out, err);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return r;
}

static int export_what(struct transfer *t, struct export *out, const struct target *target,
                       struct err *err)
{
    snprintf(out->path, sizeof out->path, "export/%s.tar", t->name);
    int r = tree_stat(out->tree, out->path, err);
    if (r == -ENOENT)
        r = explain_missing(out->tree, target, err);
    if (r == 0 && (r = open_special(out, err)) == 0)
        r = export_to(t, out, err);
    return r;
}

enum outcome export_run(const struct request *request)
{
    struct err err = {0};
    struct target target;
    const char *what = request->argv[0], *file = request->argc > 1 ? request->argv[1] : "-";
    struct export out = {.tree = request->tree, .to = -1};
    struct transfer t = {.name = what, .phase = "export", .run = write_all, .ctx = &out};
    if (target_parse(what, &target, &err) < 0)
        return commands_fail(what, -EINVAL, &err);
    if (strcmp(file, "-") != 0)
        out.file = file;
    else if (isatty(out.to = STDOUT_FILENO)) {
        fprintf(stderr,
                "imgstore: %s: a tar is nothing for a terminal; name a file (`imgstore export %s "
                "%s.tar`) or pipe it on\n",
                what, what, what);
        return OUTCOME_USAGE;
    }
    int r = export_what(&t, &out, &target, &err);
    if (r > 0) {
        fprintf(stderr, "imgstore: %s: broken off%s\n", what,
                out.file ? ", nothing of it is kept" : "");
        return OUTCOME_SIGNAL + (unsigned)r;
    }
    if (r < 0 && out.to_failed)
        return commands_fail(what, r, &err), OUTCOME_REFUSED;
    if (r < 0)
        return target_fail(request->tree, what, r, &err);
    say_done(&t, &out);
    return OUTCOME_DONE;
}
