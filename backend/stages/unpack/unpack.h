/* unpack: the stage's own numbers, for its tests. The stage itself is unpack_run of stage.h. */
#ifndef UNPACK_UNPACK_H
#define UNPACK_UNPACK_H

/* The longest silence of a helper. It says how far it is every few MiB of either side; only a
 * stopped one, or a disk that is stuck, is silent for so long. */
#define UNPACK_STALL_MS 120000

/* How long a helper may take from its last record to its end. */
#define UNPACK_GRACE_MS 10000

#endif
