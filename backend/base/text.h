/* text: a growing string, and the few spellings that the whole program shares (times, sizes,
 * escapes, masked URLs). Pure; any thread. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    char *data; /* NUL-terminated once anything was added; owned; free with text_free */
    size_t len, cap;
    bool failed; /* out of memory: what was added is not whole */
};

void text_free(struct text *t);
#define CLEANUP_TEXT __attribute__((cleanup(text_free)))

void text_add(struct text *t, const char *s);
void text_addn(struct text *t, const char *s, size_t n);
void text_addf(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Adds n bytes as a C string's inside would spell them: \" \\ \n \t \r, and \ooo for every other
 * byte outside printable ASCII. */
void text_add_escaped(struct text *t, const char *s, size_t n);

/* Adds s with what is not printable ASCII escaped in that way, all else as it is: one line,
 * whatever s quotes. */
void text_add_printable(struct text *t, const char *s);

/* Milliseconds since 1970, wall clock and monotonic. */
int64_t text_now_ms(void);
int64_t text_monotonic_ms(void);

/* "2026-11-23T20:09:00.123Z", RFC 3339 in UTC; "-" for 0 (never set). */
#define TEXT_TIME_MAX 32
const char *text_time(int64_t ms, char out[static TEXT_TIME_MAX]);

#define TEXT_UNLIMITED INT64_MAX /* what "max" parses to */

/* "10", "64K", "100M", "10G", "1T" (powers of 1,024), "max". Returns false on anything else. */
bool text_parse_size(const char *s, int64_t *bytes);

/* A size, or "1%" to "100%". Returns false on anything else. */
bool text_parse_amount(const char *s, struct amount *amount);

/* "500ms", "30" (seconds), "30s", "5m", "1h", "1d", "max". Returns false on anything else. */
bool text_parse_duration(const char *s, int64_t *ms);

/* FNV-1a, 64 bits, a byte at a time (datatracker.ietf.org/doc/html/draft-eastlake-fnv). */
#define TEXT_HASH_INIT 0xcbf29ce484222325
static inline uint64_t text_hash_byte(uint64_t h, unsigned char byte)
{
    return (h ^ byte) * 0x100000001b3;
}

/* What stands before `@` in the URL's authority: a user's name alone may be a token. *at is where
 * it begins, len its bytes; false: there is none. */
bool text_find_credentials(const char *url, size_t n, size_t *at, size_t *len);

/* Adds the URL with `user:***` in their place. */
#define TEXT_MASK "user:***"
void text_add_masked_url(struct text *t, const char *url, size_t n);
/* Is that how its credentials read? They are known to nobody then. */
bool text_is_masked_url(const char *url, size_t n);

/* "0123ab…" of n bytes into out, which holds 2n + 1. */
void text_hex(const uint8_t *bytes, size_t n, char *out);

#endif
