/* events: the tree's log of what happened, read from its beginning and never waited for. One
 * thread. */
#ifndef CLIENT_EVENTS_H
#define CLIENT_EVENTS_H

#include "fs/client/tree.h"

#include <jansson.h>
#include <stdbool.h>

struct events {
    int fd;
    struct text kept; /* what was read */
    size_t at;        /* where in it the next line begins */
};

/* Opens it; -ENOENT: this tree has none. */
int events_open(const struct tree *tree, struct events *events, struct err *err);
void events_close(struct events *events);
#define CLEANUP_EVENTS __attribute__((cleanup(events_close)))

/* 1 and the next line, without its end, which stays until the next call; 0: there is none yet;
 * -ENOTCONN: there will be none, as the daemon has gone. */
int events_next(struct events *events, char **line);

/* Is the line about that image? Quick, for most lines are not. */
bool events_is_of(const char *line, const char *image);

/* The last `max` lines (-1: all) about an image that are there now. Free with events_free_lines. */
struct events_lines {
    char **line;
    size_t n, cap;
};
int events_last(struct events *events, const char *image, long max, struct events_lines *lines);
void events_free_lines(struct events_lines *lines);

/* A line's fields, into its json; NULL is what the log has null for. Free with json_decref(json).
 */
struct event {
    json_t *json;
    const char *time, *from, *to, *code, *message;
};
/* false: it is no event. */
bool events_parse(const char *line, struct event *event);

/* "2026-01-02T03:04:05.678Z  NEW -> DOWNLOADING", with what failed behind. */
void events_print(const char *line);

#endif
