#include "fs/client/shell.h"

#include "fs/client/enter.h"
#include "fs/client/hint.h"
#include "fs/client/target.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static int not_active(const struct target *target, const char *state, struct err *err)
{
    char next[256];
    if (*target->id)
        return err_set(err, ERR_NONE, EBUSY,
                       "it is %s, not ACTIVE; `imgstore activate %s` tries to mount it again",
                       state, target->name);
    if (strcmp(state, "FAILED") == 0)
        snprintf(next, sizeof next, "`imgstore status %s` says why, and what to do", target->name);
    else
        hint_next(target->name, state, "stored", NULL, next, sizeof next);
    return err_set(err, ERR_NONE, EBUSY, "it is %s, not ACTIVE: %s", state, next);
}

/* Where its root file system is, through the tree: what `rootfs` leads to may move meanwhile. */
static int find(const struct tree *tree, const struct target *target, struct text *rootfs,
                struct err *err)
{
    struct text state CLEANUP_TEXT = {0};
    char path[TARGET_PATH_MAX];
    target_path(target, "state", path);
    int r = tree_read(tree, path, &state, err);
    if (r < 0)
        return r;
    if (strcmp(state.data, "ACTIVE") != 0)
        return not_active(target, state.data, err);
    target_path(target, "rootfs", path);
    text_addf(rootfs, "%s/%s", tree->root, path);
    return rootfs->failed ? err_set(err, ERR_NONE, ENOMEM, "out of memory") : 0;
}

enum outcome shell_run(const struct request *request)
{
    struct text rootfs CLEANUP_TEXT = {0};
    struct target target;
    struct err err = {0};
    const char *word = request->argv[0];
    char **command = request->argv + 1;
    int r = target_parse(word, &target, &err);
    if (r == 0)
        r = find(request->tree, &target, &rootfs, &err);
    if (r < 0)
        return target_fail(request->tree, word, r, &err);
    if (*command && strcmp(*command, "--") == 0) /* a habit; no command is called so */
        command++;
    r = enter_run(rootfs.data, word, command, &err);
    if (r >= 0)
        return (enum outcome)r;
    commands_fail(word, r, &err);
    return (enum outcome)SHELL_NOT_ENTERED;
}
