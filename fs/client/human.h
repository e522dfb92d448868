/* human: numbers and times as people say them. Pure. */
#ifndef CLIENT_HUMAN_H
#define CLIENT_HUMAN_H

#include <stddef.h>
#include <stdint.h>

/* "29360128" → "28.0M"; what is no number stays as it is. */
void human_size(const char *bytes, char *out, size_t max);

/* "2026-01-02T03:04:05.678Z" → milliseconds since 1970; -1 if it is no such time. */
int64_t human_time(const char *time);

/* How long ago `ms` was at `now`: "just now", "42s ago", "3min 5s ago", "2h 7min ago", "4 days
 * ago". */
void human_ago(int64_t ms, int64_t now, char *out, size_t max);

#endif
