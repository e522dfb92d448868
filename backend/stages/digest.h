/* digest: SHA-256 as a stream: bytes go in as they pass, the hex can be read at any point.
 *
 * Running out of memory is remembered and shows when the hex is asked for. One thread a digest. */
#ifndef STAGES_DIGEST_H
#define STAGES_DIGEST_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct digest;

#define DIGEST_HEX_MAX 65 /* 64 lower-case hex digits and the NUL */

/* Once, before the first, in one thread: OpenSSL makes itself ready. */
int digest_prepare(struct err *err);

struct digest *digest_new(void); /* NULL when out of memory */
void digest_free(struct digest *d);

void digest_add(struct digest *d, const void *bytes, size_t n);
void digest_restart(struct digest *d);

/* The digest of what was added so far; more may follow. False when out of memory. */
bool digest_hex(struct digest *d, char out[static DIGEST_HEX_MAX]);

#endif
