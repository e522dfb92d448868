/* heap: strings of an image that are read once, at its end, kept in an unnamed file meanwhile.
 *
 * In memory, an archive could make us large with them. One thread. */
#ifndef UNPACK_HEAP_H
#define UNPACK_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct heap {
    int dirfd; /* where the file is made, with the first string */
    int fd;    /* -1 until then */
    uint64_t end;
    char *buffer; /* what is not in the file yet: the last `held` bytes before `end` */
    size_t held;
};

#define HEAP_INIT(dirfd_)                                                                          \
    {                                                                                              \
        .dirfd = (dirfd_), .fd = -1                                                                \
    }

/* Where the n bytes are, or a negative errno. */
int64_t heap_add(struct heap *h, const void *bytes, size_t n);
/* After the last one: heap_read() works. 0 or a negative errno. */
int heap_end(struct heap *h);
/* Not by way of a mapping, through which a bad disk kills who reads. 0 or a negative errno. */
int heap_read(const struct heap *h, uint64_t at, void *bytes, size_t n);
void heap_close(struct heap *h);

#endif
