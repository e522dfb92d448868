/* holder: who keeps an overlay from going away.
 *
 * Looks through /proc when something was found in use, so that the answer can say by whom. What
 * it cannot see it does not name: best effort. Any thread. */
#ifndef STAGES_SNAPSHOT_HOLDER_H
#define STAGES_SNAPSHOT_HOLDER_H

#include <stdbool.h>
#include <sys/types.h>

#define HOLDER_TEXT_MAX 512

/* Why the mount at `point` cannot be unmounted, as a clause: "pid 12 (bash) has its current
 * directory there". */
void holder_of_mount(const char *point, char why[static HOLDER_TEXT_MAX]);
/* Is anyone seen in there? Who can unmount asks the kernel, which sees all. */
bool holder_in_mount(const char *point, char why[static HOLDER_TEXT_MAX]);

/* Looks for the overlay over `upper` (its path) in every mount namespace, this one first, but for
 * those of unpacking helpers: such a one begins as a copy of all mounts and lets go of them in its
 * next few system calls (helper/jail.h). */
struct holder {
    dev_t dev;                 /* of its superblock, or 0: not known */
    bool passing;              /* found: there is a helper, which has it, or had it just now */
    pid_t pid;                 /* found: whose namespace; 0 if in none, or only a helper's */
    pid_t lender;              /* found: whose namespace may have it; 0 if none; pid, if there is */
    char who[HOLDER_TEXT_MAX]; /* "pid 12 (runc) sees it at /", or that there is none */
    char point[4096];          /* found: where the lender sees it */
};
void holder_find(struct holder *h, const char *upper);

/* A detached copy of the mount that was found, which is one over `upper`; or -errno. */
int holder_borrow(const struct holder *h, const char *upper);

#endif
