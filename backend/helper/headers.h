/* headers: the raw headers of each entry, seen beside libarchive, which drops what follows a NUL in
 * a name without a word, and parses on where readers of tar disagree.
 *
 * It parses no tar: libarchive says where an entry's headers begin and end, and this walks the
 * extension headers between. What is not as every writer makes them is `corrupt-archive`. */
#ifndef HELPER_HEADERS_H
#define HELPER_HEADERS_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* Positions count the tar's bytes. Zeroed: nothing seen. */
struct headers {
    uint8_t *kept; /* bytes that went by and are still wanted, the piece's front behind them */
    size_t len, room;
    const uint8_t *piece; /* the last one that libarchive was given; borrowed */
    size_t piece_len;
    uint64_t piece_at;
};

/* Before the piece is replaced: keeps what of it lies at `from` and behind. */
int headers_keep(struct headers *h, uint64_t from, struct err *err);

/* The next piece of the tar. */
void headers_piece(struct headers *h, const void *data, size_t n);

/* The headers of one entry lie at [from, to); the last piece ends at `to` or behind it, and `from`
 * was never less in headers_keep. */
int headers_check(struct headers *h, uint64_t from, uint64_t to, struct err *err);

void headers_free(struct headers *h);

#endif
