/* lines: the newest lines of a log that never ends, in memory.
 *
 * A place in it is a position: the bytes since the beginning of time. What does not fit goes from
 * the oldest end, whole lines and a quarter of what is kept at a time, so that the oldest line
 * stays the oldest for a while. Pure; the caller's lock. */
#ifndef FS_LINES_H
#define FS_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINES_LINE_MAX 8192 /* bytes of a line at most, its newline counted */

struct lines {
    char *bytes; /* a ring */
    int64_t capacity, keep;
    int64_t oldest, end; /* positions */
    int64_t first, next; /* numbers, from 0, of the oldest line and of the one to come */
    int64_t *marks;      /* see lines.c */
};

/* Where a reader is. */
struct lines_reader {
    int64_t position;
    int64_t line; /* the number of the line there */
    bool within;  /* it has read the beginning of it */
    char note[48];
    size_t note_len, note_at; /* what it is to be told first, and how much of that it was */
};

/* keep: bytes that are kept, but that the last line always is. 0 or -ENOMEM. */
int lines_init(struct lines *l, int64_t keep);
void lines_free(struct lines *l);

/* A line with its newline, LINES_LINE_MAX bytes at most. True: others had to go for it. */
bool lines_add(struct lines *l, const char *line, size_t len);

/* Copies what begins the oldest line, n bytes at most, and ends it with a NUL. */
void lines_peek(const struct lines *l, char *out, size_t n);

/* To that position, or the nearest that there is. */
void lines_seek(const struct lines *l, struct lines_reader *r, int64_t position);

/* Bytes that a read would find. */
int64_t lines_ready(const struct lines *l, const struct lines_reader *r);

/* Copies whole lines, as many as fit; of one that is longer than that, a piece. If lines are gone
 * that were to come next, a line that says how many comes first, in a read of its own. Returns the
 * bytes; 0 at the end. */
size_t lines_read(const struct lines *l, struct lines_reader *r, char *buf, size_t size);

#endif
