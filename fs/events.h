/* events: the file `events`: the store's transitions, a line each, from memory.
 *
 * A read at the end waits. It is parked, takes no thread, and is answered once: by the thread that
 * is woken when lines have come, by an interrupt, or when the program ends. */
#ifndef FS_EVENTS_H
#define FS_EVENTS_H

#include "fs/ops.h"

struct events;

/* keep: bytes of lines. NULL: no memory. */
struct events *events_new(int64_t keep);

/* Takes what the history has, and from then on what the backend reports. Between the backend's open
 * and its start, on the same thread. */
int events_attach(struct events *e, struct backend *backend, struct err *err);

/* Starts the thread that wakes readers, after the last fork. */
int events_start(struct events *e, struct err *err);

/* Ends it, and whoever waits is answered ENODEV. Once the backend has stopped and no request is
 * served any more, before the session is unmounted. */
void events_stop(struct events *e);
/* Once the session is destroyed. */
void events_free(struct events *e);

#endif
