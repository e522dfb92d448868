#include "fs/client/import.h"

#include "base/cleanup.h"
#include "fs/client/change.h"
#include "fs/client/human.h"
#include "fs/client/screen.h"
#include "fs/client/transfer.h"
#include "fs/client/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

struct import {
    const struct tree *tree;
    const char *file; /* as the user has called it */
    int from;
    char path[NAME_MAX + 64]; /* below the root */
    _Atomic bool made;
};

/* What is written there is given up; nothing is left of it. */
static void take_back(struct transfer *t)
{
    const struct import *in = t->ctx;
    if (in->made)
        (void)change_unlink(in->tree, in->path, NULL);
}

static int refuse(const struct import *in, int r, struct err *err)
{
    change_explain(in->tree, in->path, -r, err);
    return r;
}

/* Its close says what became of the archive as a whole. */
static int write_all(struct transfer *t, struct err *err)
{
    struct import *in = t->ctx;
    bool wrote;
    int to = change_create(in->tree, in->path, err);
    if (to < 0)
        return to;
    in->made = true;
    int r = transfer_copy(t, in->from, to, &wrote);
    if (r == 0 && t->done == 0)
        r = err_set(err, ERR_NONE, EINVAL, "%s is empty", in->file);
    else if (r < 0 && !wrote)
        err_sys(err, -r, "cannot read %s", in->file);
    if (r < 0 && !wrote) {
        /* First: an archive that is cut must not be taken for a whole one. */
        take_back(t);
        close(to);
        return r;
    }
    if (close(to) < 0 && r == 0)
        r = -errno;
    return r < 0 ? refuse(in, r, err) : 0;
}

static int open_file(const char *file, const char *name, int64_t *size, struct err *err)
{
    struct stat st;
    bool standard = strcmp(file, "-") == 0;
    if (standard && isatty(STDIN_FILENO))
        return err_set(err, ERR_NONE, EINVAL,
                       "standard input is a terminal: name a file, or pipe an archive in");
    int fd CLEANUP_CLOSE =
        standard ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(err, errno, "cannot open %s", file);
    if (S_ISDIR(st.st_mode))
        return err_set(err, ERR_NONE, EINVAL,
                       "%s is a directory: pack it first (tar -C %s -c . | imgstore import %s -)",
                       file, file, name);
    *size = S_ISREG(st.st_mode) ? st.st_size : 0;
    return steal_fd(fd);
}

/* A file that cannot be opened is wrong use; an archive that is not taken, whatever is wrong with
 * it, is refused. */
static enum outcome fail(const struct import *in, const char *name, int r, const struct err *err)
{
    enum outcome outcome = commands_fail(name, r, err);
    if (outcome == OUTCOME_NO_DAEMON)
        return outcome;
    return in->from < 0 ? OUTCOME_USAGE : in->made ? OUTCOME_REFUSED : outcome;
}

static void say_done(const struct transfer *t, bool waits)
{
    char size[HUMAN_MAX], took[HUMAN_MAX];
    if (!screen_is_terminal(STDERR_FILENO))
        return;
    fprintf(stderr, "%s  imported  %s in %s", t->name, human_size(t->done, size),
            human_duration(t->ms, took));
    if (!waits)
        fprintf(stderr, "; `imgstore wait %s` returns once it is ready", t->name);
    fputc('\n', stderr);
}

static enum outcome go_on(const struct request *request, char *name)
{
    enum outcome outcome = OUTCOME_DONE;
    if (request->options->wait)
        outcome = wait_for(request->tree, &name, 1, true, NULL);
    if (request->options->json && outcome <= OUTCOME_FAILED) {
        enum outcome shown = commands_show(request, name);
        outcome = outcome == OUTCOME_DONE ? shown : outcome;
    }
    return outcome;
}

enum outcome import_run(const struct request *request)
{
    struct err err = {0};
    char *name = request->argv[0];
    struct import in = {.tree = request->tree, .file = request->argv[1], .from = -1};
    struct transfer t = {
        .name = name, .phase = "import", .run = write_all, .break_off = take_back, .ctx = &in};
    if (commands_check_name(name, &err) < 0)
        return commands_fail(name, -EINVAL, &err);
    int from CLEANUP_CLOSE = open_file(in.file, name, &t.total, &err);
    in.from = from;
    if (strcmp(in.file, "-") == 0)
        in.file = "standard input";
    if (from < 0)
        return fail(&in, name, from, &err);
    snprintf(in.path, sizeof in.path, "import/%s", name);
    int r = transfer_go(&t, &err);
    if (r > 0) {
        fprintf(stderr, "imgstore: %s: broken off, nothing of it is kept\n", name);
        return OUTCOME_SIGNAL + (unsigned)r;
    }
    if (r < 0)
        return fail(&in, name, r, &err);
    say_done(&t, request->options->wait);
    return go_on(request, name);
}
