/* super: overlay superblocks, made through the mount API (fsopen(2) and its kin, Linux 5.2). */
#ifndef STAGES_SNAPSHOT_SUPER_H
#define STAGES_SNAPSHOT_SUPER_H

#include "base/err.h"
#include "base/limits.h"

#include <stdbool.h>

struct super {
    const char *source; /* what `mount` shows first */
    int lower, upper, work;
    bool exclusive; /* only asks: refuse, with EBUSY, if another superblock writes to any of the
                       three; and read-only, as nobody will write to it */
};

/* Makes it, mounted nowhere, and returns a detached mount of it with the policy's flags, which
 * ends when that descriptor is closed; or -errno: -EINVAL is the kernel's word on the three
 * together, what it does not know is -ENOTSUP. */
int super_make(const struct super *s, enum policy policy, struct err *err);

/* Attaches a detached mount at dirfd/name, whole from the first moment on. */
int super_attach(int mount, int dirfd, const char *name, struct err *err);

/* The path of what is open as fd, for fsconfig(2) and for people to read in the mount table; where
 * that is too long, or an overlay's option could not spell it, the descriptor's own. */
#define SUPER_VALUE_MAX 256 /* it takes no longer string, the NUL counted */
const char *super_spell(char out[static SUPER_VALUE_MAX], int fd);

/* Gives a detached mount the policy's flags. */
int super_set_flags(int mount, enum policy policy);

#endif
