/* event: a transition as the line of JSON that users read. Pure. */
#ifndef FS_EVENT_H
#define FS_EVENT_H

#include "backend/backend.h"

#define EVENT_LINE_MIN 100 /* bytes that every line has at least */

/* Adds the line, with its newline. What there is none of is null. Without memory out has failed. */
void event_add(struct text *out, const struct backend_event *event);

/* The number in a line that begins so; 0: there is none. */
int64_t event_seq(const char *line);

#endif
