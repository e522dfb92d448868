#include "fs/client/wait.h"

#include "base/cleanup.h"
#include "fs/client/commands.h"

#include <errno.h>
#include <time.h>

/* What is quickly done is quickly seen; what takes long is not looked at too often. */
#define LOOK_FIRST_MS 2
#define LOOK_LAST_MS  100

/* Its outcome, once it has one; false while it is under way. */
static bool settled(const struct tree *tree, const char *name, json_t *seen, enum outcome *outcome)
{
    struct image image CLEANUP_IMAGE = {0};
    struct err err = {0};
    int r = image_read(tree, name, &image, &err);
    if (r < 0) {
        *outcome = commands_fail(name, r, &err);
        return true;
    }
    enum image_verdict verdict = image_verdict(&image);
    if (verdict == IMAGE_PENDING)
        return false;
    *outcome = verdict == IMAGE_READY ? OUTCOME_DONE : OUTCOME_FAILED;
    if (verdict == IMAGE_FAILED)
        fprintf(stderr, "imgstore: %s: %s\n", name, image.error.len ? image.error.data : "failed");
    if (seen)
        json_array_append_new(seen, image_json(&image));
    return true;
}

/* One look at all that are not done yet; the number of those that still are not. */
static size_t look(const struct tree *tree, char *const *names, size_t n, bool *done, json_t *seen,
                   enum outcome *all)
{
    size_t left = 0;
    for (size_t i = 0; i < n && *all != OUTCOME_NO_DAEMON; i++) {
        enum outcome each = OUTCOME_DONE;
        if (done[i])
            continue;
        done[i] = settled(tree, names[i], seen, &each);
        left += !done[i];
        if (*all == OUTCOME_DONE || each == OUTCOME_NO_DAEMON)
            *all = each;
    }
    return left;
}

enum outcome wait_for(const struct tree *tree, char *const *names, size_t n, json_t *seen)
{
    long pause = LOOK_FIRST_MS;
    bool *done CLEANUP_FREE = calloc(n, sizeof *done);
    enum outcome all = OUTCOME_DONE;
    if (!done)
        return commands_fail(NULL, -ENOMEM, &(struct err){.text = "out of memory"});
    while (look(tree, names, n, done, seen, &all) > 0 && all != OUTCOME_NO_DAEMON) {
        nanosleep(&(struct timespec){.tv_nsec = pause * 1000000}, NULL);
        pause = 2 * pause < LOOK_LAST_MS ? 2 * pause : LOOK_LAST_MS;
    }
    return all;
}
