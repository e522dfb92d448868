#include "inflate.h"

#include "base/cleanup.h"

#include <string.h>

static const struct codec *const codecs[] = {
    &inflate_plain, &inflate_gzip, &inflate_zstd, &inflate_xz, &inflate_bzip2,
};

int inflate_corrupt(struct err *err, enum format format, const char *what)
{
    return err_set(err, ERR_CORRUPT_ARCHIVE, EBADMSG, "%s: %s", format_name(format), what);
}

int inflate_truncated(struct err *err, enum format format)
{
    return inflate_corrupt(err, format, "the archive is cut short");
}

int inflate_init(struct inflate *inf, int fd, struct err *err)
{
    *inf = (struct inflate){.fd = fd, .buffer = malloc(INFLATE_IN_BYTES)};
    if (!inf->buffer)
        return err_set(err, ERR_INTERNAL, ENOMEM, "out of memory");
    return 0;
}

/* Reads what one read gives, behind what is there. */
static int refill(struct inflate *inf, struct err *err)
{
    ssize_t n;
    do
        n = read(inf->fd, inf->buffer + inf->in.len, INFLATE_IN_BYTES - inf->in.len);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_sys(err, errno, "cannot read the archive");
    inf->eof = n == 0;
    inf->in.data = inf->buffer;
    inf->in.len += (size_t)n;
    inf->consumed += (uint64_t)n;
    return inf->on_read ? inf->on_read(inf->ctx, err) : 0;
}

static const struct codec *find_codec(enum format format)
{
    for (size_t i = 0; i < ARRAY_SIZE(codecs); i++)
        if (codecs[i]->format == format)
            return codecs[i];
    return NULL;
}

int inflate_start(struct inflate *inf, struct err *err)
{
    while (!inf->eof && inf->in.len < FORMAT_SNIFF_BYTES) {
        int r = refill(inf, err);
        if (r < 0)
            return r;
    }
    const struct codec *codec = find_codec(format_sniff(inf->in.data, inf->in.len));
    if (!codec)
        return err_set(err, ERR_UNSUPPORTED_FORMAT, EINVAL, "the archive is empty");
    inf->state = codec->open();
    if (!inf->state)
        return err_set(err, ERR_INTERNAL, ENOMEM, "out of memory");
    inf->codec = codec;
    return 0;
}

ssize_t inflate_next(struct inflate *inf, const void **data, struct err *err)
{
    for (;;) {
        if (!inf->again && inf->in.len == 0) {
            int r = inf->eof ? 0 : refill(inf, err);
            if (r < 0)
                return r;
            if (inf->eof)
                return inf->codec->finish(inf->state, err);
        }
        struct span out = {0};
        int r = inf->codec->run(inf->state, &inf->in, &out, err);
        if (r < 0)
            return r;
        inf->again = r > 0;
        if (out.len > 0) {
            inf->produced += out.len;
            *data = out.data;
            return (ssize_t)out.len;
        }
    }
}

void inflate_free(struct inflate *inf)
{
    if (inf->codec)
        inf->codec->close(inf->state);
    free(inf->buffer);
    *inf = (struct inflate){.fd = -1};
}
