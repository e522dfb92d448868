/* unpack: the stage's own numbers, for its tests. The stage itself is unpack_run of stage.h. */
#ifndef UNPACK_UNPACK_H
#define UNPACK_UNPACK_H

/* How long a helper may go without an entry, a byte more of the archive read, or one of the tar
 * made: it says how far it is several times a second while it works. Only a stopped one, a disk
 * that is stuck, or one that lies, is idle for so long. */
#define UNPACK_STALL_MS 120000

/* In all it may take this many times the processor time that it has (limits_cpu_seconds): one that
 * tells of a byte more every two minutes ends, too. */
#define UNPACK_PATIENCE 4

/* How long a helper may take from its last record to its end. */
#define UNPACK_GRACE_MS 10000

#endif
