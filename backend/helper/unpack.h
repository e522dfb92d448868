/* unpack: archive in, data file and records out. The whole of the helper's work, once it is in its
 * jail. */
#ifndef HELPER_UNPACK_H
#define HELPER_UNPACK_H

#include "base/err.h"
#include "base/limits.h"
#include "contents.h"
#include "emit.h"
#include "inflate.h"
#include "reader.h"

struct unpack {
    const struct limits *limits; /* max_download_size is not looked at */
    struct inflate inflate;
    struct reader reader;
    struct contents contents;
    struct emit emit;
    struct entry entry;
    int64_t total;    /* logical bytes of the files so far */
    uint64_t shown;   /* bytes of the archive that the last progress record said */
    int64_t shown_at; /* ms, monotonic */
};

/* Takes memory for all of it, reads nothing. `u` stays where it is until unpack_free. */
int unpack_init(struct unpack *u, const struct limits *limits, int archive_fd, int data_fd,
                int records_fd, struct err *err);
void unpack_free(struct unpack *u);

/* All entries. The caller sends the last record, and what is still gathered with it. */
int unpack_run(struct unpack *u, struct err *err);

/* The most bytes that the data file can come to under these limits; INT64_MAX for no bound. */
int64_t unpack_data_max(const struct limits *limits);

#endif
