/* fault: makes one step of the daemon fail, or end the process, for tests (builds with
 * -Dtest_points=true; nothing of it is in an installed program, and no source of the program knows
 * of it: the linker puts it between, with --wrap).
 *
 * $IMGSTORE_FAULT says what happens, by the number that a step has among those of its kind:
 *
 *   trace               nothing, but each step is written to $IMGSTORE_FAULT_LOG
 *   fail:KIND:N[:NUM]   step N fails, with errno NUM instead of the table's
 *   break:KIND:N[:NUM]  step N and all after it fail
 *   before:N  after:N   the process dies (SIGKILL) before or after the Nth of the steps that leave
 *                       something behind: of the kinds WRITE, MOUNT, SQL and DB, counted together
 *   power:N             as before:N, and what was written and not synced is lost with it: a file
 *                       is as long as it was when it was last synced, the database's files hold
 *                       what they held then, and a rename
 *                       whose directory was not synced since has not happened
 *   zero:N              as power:N, but files keep their size: what was not synced reads as zeros
 *
 * Steps of the kind MALLOC, of which there are very many, are counted only where they are to fail,
 * and only those of the library whose file's name holds $IMGSTORE_FAULT_LIBRARY, if that is set;
 * its name stands for the function's, and the offset is that of no program.
 *
 * A thread without the program's descriptors, as an export's, leaves nothing behind.
 *
 * What happened is a line in $IMGSTORE_FAULT_LOG: `ACTION KIND NUMBER FUNCTION OFFSET`; the offset
 * of the call in the program is for addr2line. No such line: there was no step N. Children between
 * fork and exec are left alone. Any thread. */
#ifndef FAULT_FAULT_H
#define FAULT_FAULT_H

#include <stdbool.h>
#include <sys/types.h>

/* Of what is called before a sanitizer has made itself ready. */
#define FAULT_EARLY __attribute__((no_sanitize("address", "thread", "undefined")))

enum fault_kind {
    FAULT_ALLOC,
    FAULT_READ,  /* a file operation that changes nothing */
    FAULT_WRITE, /* one that does */
    FAULT_SQL,
    FAULT_MOUNT,
    FAULT_FORK,
    FAULT_THREAD,
    FAULT_DB,     /* what SQLite does to its files */
    FAULT_MALLOC, /* an allocation of a library's, not of the program's own */
    FAULT_JAIL,   /* of the unpacking helper alone: see helper/helper.c */
    FAULT_KINDS
};

struct fault_step {
    enum fault_kind kind;
    const char *name;
    const void *caller;
    int num;     /* what errno it fails with */
    long leaves; /* its number among what leaves something behind; 0: it leaves nothing */
};

/* True: the step is to fail, with s->num. May not return. */
bool fault_before(struct fault_step *s);
void fault_after(const struct fault_step *s);

/* For power: the file will be written to; it was synced; all of its file system was. */
void fault_dirty(int fd);
void fault_synced(int fd);
void fault_synced_all(int fd);

/* For power, of two directories: what was renamed and is not synced yet. ino 0: the whole of dev.
 */
void fault_moved(int from, const char *a, int to, const char *b);
void fault_renamed(int from, const char *a, int to, const char *b);
void fault_renames_synced(dev_t dev, ino_t ino);
void fault_renames_lose(void);

/* From now on allocations of libraries are counted, of the one that is called so or of all (only:
 * NULL). */
void fault_malloc_begin(const char *only);

/* SQLite's file operations: from now on they are counted; what is not synced is lost. */
void fault_vfs_begin(void);
void fault_vfs_lose(void);

#endif
