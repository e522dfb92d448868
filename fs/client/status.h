/* status: `imgstore status`, of images, snapshots and the store. One thread. */
#ifndef CLIENT_STATUS_H
#define CLIENT_STATUS_H

#include "fs/client/commands.h"

#include <jansson.h>

enum outcome status_run(const struct request *request);

/* One aligned line, "     Label: text"; a text may go on over several. */
void status_line(const char *label, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* "● NAME - STATE" and, unless `since` is no time, " since …; 3min ago". */
void status_title(const char *name, const char *state, const char *since);

/* The store's; what could be asked for is in *json where it isn't NULL, else it is printed. */
int status_overview(const struct tree *tree, json_t **json, struct err *err);

#endif
