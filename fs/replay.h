/* replay: the process that makes what has changed happen on our own mount, so that the kernel tells
 * those who watch it with inotify.
 *
 * A process, not a thread of the daemon: a thread that waits for an answer of its own process
 * outlives that one's SIGKILL, and keeps /dev/fuse open with it: nobody's requests would ever end.
 * This one has no descriptor but its end of a socket pair and that of a mount; it is the daemon's
 * own program started anew (there is nothing to be found or installed, nor of the daemon's memory
 * in it). It does one command at a time with plain system calls, answers with a byte, and ends when
 * the other end is closed, or its parent's thread ends. It works through a copy of the mount, which
 * it alone has, else by the mount's path: then whoever unmounts in the middle of a command is told
 * EBUSY. */
#ifndef FS_REPLAY_H
#define FS_REPLAY_H

#include "backend/backend.h"
#include "fs/mounted.h"

#include <sys/types.h>

#define REPLAY_NAME "imgstorefs-watch" /* argv[0] */

enum replay_kind {
    REPLAY_NONE,   /* nothing, of one that is to end: no call of its is anyone else's */
    REPLAY_APPEAR, /* mkdir images/NAME */
    REPLAY_LINK,   /* symlink rootfs */
    REPLAY_UNLINK, /* unlink rootfs */
    REPLAY_MODIFY, /* open, write, close each of files */
    REPLAY_VANISH, /* remove each file and snapshots/, then rmdir images/NAME */
    REPLAY_GONE,   /* the folder has told of itself: remove what is below REPLAY_GONE_DIR */
};

/* Where only this process finds the files of an image whose folder is no more. */
#define REPLAY_GONE_DIR ".gone"

struct replay_command {
    uint64_t id; /* of the image; 0 of REPLAY_NONE */
    enum replay_kind kind;
    unsigned files; /* MODIFY: BACKEND_STATE, _ERROR, _PROGRESS */
    bool rootfs;    /* VANISH: it was there */
    char name[BACKEND_NAME_MAX + 1];
};

/* Starts the process. Returns a socket for a command (a struct replay_command) at a time, each
 * answered by a byte, the errno of what went wrong or 0; or -errno. The process is the caller's to
 * reap. It must be the thread that lives on. */
int replay_start(const struct mounted *mount, pid_t *pid);

/* The process: argv is what replay_start has made. Returns its exit status. */
int replay_main(int argc, char **argv);

#endif
