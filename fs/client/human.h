/* human: sizes, times and ages as people read them. Pure. */
#ifndef CLIENT_HUMAN_H
#define CLIENT_HUMAN_H

#include <stdint.h>

#define HUMAN_MAX 24

/* "984 B", "98.4 MiB": three digits; "-" below 0, for what nobody knows. */
const char *human_size(int64_t bytes, char out[static HUMAN_MAX]);

/* The same of a number that is text; what is none ("-") stays as it is. */
const char *human_size_of(const char *bytes, char out[static HUMAN_MAX]);

/* "12.0/28.0 MiB": both in the unit of the total; the size alone where there is no total (below
 * 1), and only one of them where all is done. */
#define HUMAN_PART_MAX (2 * HUMAN_MAX)
const char *human_part(int64_t done, int64_t total, char out[static HUMAN_PART_MAX]);

/* "0.3 s", "42 s", "3m05s", "2h07m", "3d04h"; "-" below 0. */
const char *human_duration(int64_t ms, char out[static HUMAN_MAX]);

/* How long ago that was, in its largest unit: "now", "42s ago", "3m ago", "2h ago", "5d ago". */
const char *human_age(int64_t ms, char out[static HUMAN_MAX]);

/* Milliseconds since 1970 of "2026-11-23T20:09:00.123Z"; 0 for what is no such time. */
int64_t human_time(const char *rfc3339);

#endif
