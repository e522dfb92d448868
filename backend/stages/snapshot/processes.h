/* processes: all those of the machine, one after the other, for whoever looks who uses a mount.
 * What may not be looked at is passed over. Any thread. */
#ifndef STAGES_SNAPSHOT_PROCESSES_H
#define STAGES_SNAPSHOT_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Calls each with every process until it returns true: true then. */
bool processes_each(bool (*each)(void *ctx, pid_t pid), void *ctx);

/* "pid 12 (bash)" */
#define PROCESSES_TEXT_MAX 128
void processes_describe(pid_t pid, char out[static PROCESSES_TEXT_MAX]);

/* Anyone may bear an unpacking helper's name; ours are children of ours. */
bool processes_is_helper(pid_t pid);

/* The first that is seen of its mount namespace? One look at a mount table is enough, however many
 * processes share it: there may be thousands. */
#define PROCESSES_NAMESPACES_MAX 64 /* that are remembered; others are looked at once a process */
struct processes_seen {
    ino_t namespaces[PROCESSES_NAMESPACES_MAX];
    size_t count;
};
bool processes_is_new(struct processes_seen *seen, pid_t pid);

#endif
