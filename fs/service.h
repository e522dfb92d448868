/* service: tells a service manager how we are, by the protocol that sd_notify(3) documents.
 *
 * Nothing is told unless NOTIFY_SOCKET says where to; what cannot be told is let go: a daemon that
 * works is not to end because nobody listens. From one thread at a time. */
#ifndef FS_SERVICE_H
#define FS_SERVICE_H

#include "base/err.h"

#include <stdbool.h>

/* Takes NOTIFY_SOCKET, and out of the environment: what is started later is no service. Before
 * any other thread starts. */
void service_begin(void);

/* The tree is there and is served. forked: we are not the process that was started. */
void service_ready(bool forked, const char *store, const char *mountpoint);

void service_stopping(bool keep_mounts);

/* It is not there, nor will it be. */
void service_failed(const struct err *err);

#endif
