/* http_header: what the header fields that matter here mean. Pure; any thread. */
#ifndef STAGES_FETCH_HTTP_HEADER_H
#define STAGES_FETCH_HTTP_HEADER_H

#include <stdbool.h>
#include <stdint.h>

/* Content-Length: digits alone, no overflow. */
bool http_header_length(const char *value, int64_t *length);

struct http_range {
    int64_t first, last; /* first ≤ last */
    int64_t total;       /* > last; -1 if the server does not know */
};

/* Content-Range of a 206: "bytes 0-9/100", "bytes 0-9/<star>". */
bool http_header_range(const char *value, struct http_range *range);

/* Does the ETag name exactly these bytes? Weak ones ("W/") do not. */
bool http_header_strong(const char *etag);

/* Retry-After, seconds or a date, in ms from `now` (ms since 1970); 0 if it says nothing or what
 * has passed; INT64_MAX if it is beyond counting. */
int64_t http_header_retry_after(const char *value, int64_t now);

/* "Not Found"; "" for what has no name. Ours, never the server's own words. */
const char *http_header_reason(long status);

#endif
