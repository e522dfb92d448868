/* inflate: the archive's bytes in, the tar's bytes out. One layer of compression, recognised by
 * content; checksums, lengths and the end of the stream are verified on the way.
 *
 * One thread. The buffers live in struct inflate and are used again and again. */
#ifndef HELPER_INFLATE_H
#define HELPER_INFLATE_H

#include "base/err.h"
#include "base/format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define INFLATE_IN_BYTES  ((size_t)256 * 1024)
#define INFLATE_OUT_BYTES ((size_t)256 * 1024)
#define INFLATE_MEMORY_BYTES                                                                       \
    (128 << 20) /* what a stream may ask of its decoder: window, dictionary */

struct span {
    const uint8_t *data;
    size_t len;
};

/* One kind of stream. All of them are in one static array in inflate.c. */
struct codec {
    enum format format;

    /* The decoder's state, for close; NULL without memory. */
    void *(*open)(void);

    /* Takes bytes from the front of *in (it advances it) and sets *out to what came of them, empty
     * or not; *out is valid until the next call. Returns 1 if it wants to be called again before
     * there is more input, 0 if it has taken all of *in, or -errno. */
    int (*run)(void *state, struct span *in, struct span *out, struct err *err);

    /* The input is at its end and all of it was taken: 0 if the stream may end here. */
    int (*finish)(void *state, struct err *err);

    void (*close)(void *state);
};

extern const struct codec inflate_plain, inflate_gzip, inflate_zstd, inflate_xz, inflate_bzip2;

struct inflate {
    int fd; /* borrowed */
    const struct codec *codec;
    void *state;
    uint8_t *buffer;
    struct span in;    /* read and not yet taken */
    uint64_t consumed; /* bytes read from fd */
    uint64_t produced; /* bytes handed out */
    bool again;        /* the codec has more to give */
    bool eof;          /* fd is at its end */

    /* Called after each read from fd; a negative return ends it all. May be NULL. */
    int (*on_read)(void *ctx, struct err *err);
    void *ctx;
};

/* Takes memory, reads nothing. */
int inflate_init(struct inflate *inf, int fd, struct err *err);

/* Reads the first bytes and picks the codec; once, before inflate_next. An empty archive is
 * refused. */
int inflate_start(struct inflate *inf, struct err *err);

/* The next bytes of the tar, valid until the next call: how many, 0 at the verified end, or
 * -errno. */
ssize_t inflate_next(struct inflate *inf, const void **data, struct err *err);

void inflate_free(struct inflate *inf);

/* For codecs: `corrupt-archive`, said alike by all. Return -EBADMSG. */
int inflate_corrupt(struct err *err, enum format format, const char *what);
int inflate_truncated(struct err *err, enum format format);

#endif
