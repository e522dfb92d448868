/* Every codec, by its vtable and through struct inflate, against what the libraries themselves
 * compress. */
#include "inflate.h"

#include "base/cleanup.h"

#include <bzlib.h>
#include <criterion/criterion.h>
#include <lzma.h>
#include <string.h>
#include <sys/mman.h>
#include <zlib.h>
#include <zstd.h>

struct buf {
    uint8_t *data;
    size_t len, cap;
};

static void buf_free(struct buf *b)
{
    free(b->data);
}
#define CLEANUP_BUF __attribute__((cleanup(buf_free)))

static void append(struct buf *b, const void *data, size_t n)
{
    cr_assert_lt(n, SIZE_MAX / 4);
    if (b->len + n + 1 > b->cap) {
        b->cap = 2 * (b->len + n + 1);
        b->data = realloc(b->data, b->cap);
    }
    if (n)
        memcpy(b->data + b->len, data, n);
    b->len += n;
}

/* Half noise, half runs: long enough codes and long enough matches. */
static struct buf sample(size_t n)
{
    struct buf b = {malloc(n + 1), n, n + 1};
    uint32_t x = 12345;
    for (size_t i = 0; i < n; i++) {
        x = x * 1664525 + 1013904223;
        b.data[i] = i % 1000 < 500 ? (uint8_t)(x >> 24) : (uint8_t)(i / 1000);
    }
    return b;
}

static struct buf gzip_with_header(const struct buf *in)
{
    static char name[] = "a name", comment[] = "a comment";
    static Bytef extra[300];
    struct gz_header_s head = {.name = (Bytef *)name,
                               .comment = (Bytef *)comment,
                               .extra = extra,
                               .extra_len = sizeof extra,
                               .hcrc = 1,
                               .time = 7};
    z_stream z = {0};
    cr_assert_eq(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    cr_assert_eq(deflateSetHeader(&z, &head), Z_OK);
    struct buf out = {malloc(in->len + 4096), 0};
    z.next_in = in->data;
    z.avail_in = (uInt)in->len;
    z.next_out = out.data;
    z.avail_out = (uInt)in->len + 4096;
    cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    out.len = z.total_out;
    deflateEnd(&z);
    return out;
}

static struct buf gzip_level(const struct buf *in, int level)
{
    z_stream z = {0};
    cr_assert_eq(deflateInit2(&z, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    struct buf out = {malloc(in->len + 4096), 0};
    z.next_in = in->data;
    z.avail_in = (uInt)in->len;
    z.next_out = out.data;
    z.avail_out = (uInt)in->len + 4096;
    cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    out.len = z.total_out;
    deflateEnd(&z);
    return out;
}

static struct buf gzip(const struct buf *in)
{
    return gzip_level(in, 6);
}

static struct buf gzip_stored(const struct buf *in)
{
    return gzip_level(in, 0);
}

static struct buf zstd(const struct buf *in)
{
    size_t cap = ZSTD_compressBound(in->len);
    struct buf out = {malloc(cap), 0};
    ZSTD_CCtx *ctx = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, 1);
    out.len = ZSTD_compress2(ctx, out.data, cap, in->data, in->len);
    ZSTD_freeCCtx(ctx);
    cr_assert_not(ZSTD_isError(out.len));
    return out;
}

static struct buf xz(const struct buf *in)
{
    size_t cap = lzma_stream_buffer_bound(in->len);
    struct buf out = {malloc(cap), 0};
    cr_assert_eq(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC64, NULL, in->data, in->len, out.data,
                                         &out.len, cap),
                 LZMA_OK);
    return out;
}

static struct buf bzip2(const struct buf *in)
{
    unsigned len = (unsigned)in->len * 2 + 1024;
    struct buf out = {malloc(len), 0};
    cr_assert_eq(BZ2_bzBuffToBuffCompress((char *)out.data, &len, (char *)in->data,
                                          (unsigned)in->len, 1, 0, 0),
                 BZ_OK);
    out.len = len;
    return out;
}

static const struct kind {
    const char *name;
    const struct codec *codec;
    struct buf (*compress)(const struct buf *);
} kinds[] = {
    {"gzip", &inflate_gzip, gzip},
    {"gzip, all header fields", &inflate_gzip, gzip_with_header},
    {"gzip, stored", &inflate_gzip, gzip_stored},
    {"zstd", &inflate_zstd, zstd},
    {"xz", &inflate_xz, xz},
    {"bzip2", &inflate_bzip2, bzip2},
};

/* Hands the codec `piece` bytes at a time. */
static int decode(const struct codec *codec, const uint8_t *in, size_t n, size_t piece,
                  struct buf *out, struct err *err)
{
    void *state = codec->open();
    cr_assert(state);
    int r = 0;
    while (r == 0 && n > 0) {
        size_t take = n < piece ? n : piece;
        struct span from = {in, take}, to;
        do {
            r = codec->run(state, &from, &to, err);
            if (r >= 0 && out)
                append(out, to.data, to.len);
        } while (r > 0 || (r == 0 && from.len > 0));
        in += take;
        n -= take;
    }
    if (r == 0)
        r = codec->finish(state, err);
    codec->close(state);
    return r;
}

static bool equal(const struct buf *a, const struct buf *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

Test(inflate, gives_back_what_went_in_in_pieces_of_any_size)
{
    static const size_t pieces[] = {SIZE_MAX, 65536, 4096, 511, 1};
    struct buf plain CLEANUP_BUF = sample(700001);
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        struct buf packed CLEANUP_BUF = kinds[k].compress(&plain);
        for (size_t p = 0; p < ARRAY_SIZE(pieces); p++) {
            struct buf out CLEANUP_BUF = {0};
            struct err err = {0};
            int r = decode(kinds[k].codec, packed.data, packed.len, pieces[p], &out, &err);
            cr_assert_eq(r, 0, "%s in %zu: %s", kinds[k].name, pieces[p], err.text);
            cr_assert(equal(&plain, &out), "%s in %zu", kinds[k].name, pieces[p]);
        }
    }
}

Test(inflate, notices_a_cut_at_every_byte)
{
    struct buf plain CLEANUP_BUF = sample(3000);
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        struct buf packed CLEANUP_BUF = kinds[k].compress(&plain);
        for (size_t n = 1; n < packed.len; n++) {
            struct err err = {0};
            int r = decode(kinds[k].codec, packed.data, n, SIZE_MAX, NULL, &err);
            cr_assert_lt(r, 0, "%s cut at %zu of %zu", kinds[k].name, n, packed.len);
            cr_assert_eq(err.code, ERR_CORRUPT_ARCHIVE, "%s at %zu", kinds[k].name, n);
        }
    }
}

Test(inflate, never_passes_altered_data_as_sound)
{
    struct buf plain CLEANUP_BUF = sample(3000);
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        struct buf packed CLEANUP_BUF = kinds[k].compress(&plain);
        size_t refused = 0;
        for (size_t i = 0; i < packed.len; i++) {
            struct buf out CLEANUP_BUF = {0};
            struct err err = {0};
            packed.data[i] ^= 0x10;
            int r = decode(kinds[k].codec, packed.data, packed.len, SIZE_MAX, &out, &err);
            packed.data[i] ^= 0x10;
            refused += r < 0;
            cr_assert(r < 0 || equal(&plain, &out), "%s altered at %zu", kinds[k].name, i);
        }
        cr_assert_gt(refused, packed.len / 2, "%s", kinds[k].name);
    }
}

Test(inflate, takes_concatenated_streams_and_empty_ones)
{
    static const size_t pieces[] = {SIZE_MAX, 7, 1};
    struct buf plain CLEANUP_BUF = sample(50000), nothing CLEANUP_BUF = sample(0);
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        struct buf one CLEANUP_BUF = kinds[k].compress(&plain);
        struct buf none CLEANUP_BUF = kinds[k].compress(&nothing);
        struct buf all CLEANUP_BUF = {0}, want CLEANUP_BUF = {0};
        const struct buf *parts[] = {&none, &one, &none, &none, &one, &none};
        for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
            append(&all, parts[i]->data, parts[i]->len);
        append(&want, plain.data, plain.len);
        append(&want, plain.data, plain.len);
        for (size_t p = 0; p < ARRAY_SIZE(pieces); p++) {
            struct buf out CLEANUP_BUF = {0};
            struct err err = {0};
            int r = decode(kinds[k].codec, all.data, all.len, pieces[p], &out, &err);
            cr_assert_eq(r, 0, "%s in %zu: %s", kinds[k].name, pieces[p], err.text);
            cr_assert(equal(&want, &out), "%s in %zu", kinds[k].name, pieces[p]);
        }
    }
}

Test(inflate, refuses_bytes_behind_the_stream)
{
    static const char *const tails[] = {"x", "trailing garbage", "\0\0\0"};
    static const size_t lens[] = {1, 16, 3};
    struct buf plain CLEANUP_BUF = sample(5000);
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
        for (size_t t = 0; t < ARRAY_SIZE(tails); t++)
            for (size_t piece = 1; piece < 10000; piece *= 99) {
                struct buf packed CLEANUP_BUF = kinds[k].compress(&plain);
                append(&packed, tails[t], lens[t]);
                struct err err = {0};
                int r = decode(kinds[k].codec, packed.data, packed.len, piece, NULL, &err);
                cr_assert_lt(r, 0, "%s, tail %zu, in %zu", kinds[k].name, t, piece);
                cr_assert_eq(err.code, ERR_CORRUPT_ARCHIVE);
            }
}

Test(inflate, takes_many_empty_gzip_members)
{
    struct buf plain CLEANUP_BUF = sample(100), nothing CLEANUP_BUF = sample(0);
    struct buf none CLEANUP_BUF = gzip(&nothing), one CLEANUP_BUF = gzip(&plain);
    struct buf all = {malloc(none.len * 50000 + one.len + 1), 0};
    for (int i = 0; i < 50000; i++, all.len += none.len)
        memcpy(all.data + all.len, none.data, none.len);
    append(&all, one.data, one.len);
    struct buf out CLEANUP_BUF = {0};
    struct err err = {0};
    cr_assert_eq(decode(&inflate_gzip, all.data, all.len, 65536, &out, &err), 0, "%s", err.text);
    cr_assert(equal(&plain, &out));
    free(all.data);
}

Test(inflate, refuses_a_zstd_window_over_128_mib)
{
    /* Magic, a header without checksum, size or single segment, a window of 2^28; then of 2^27. */
    uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, (28 - 10) << 3, 0x01, 0x00, 0x00};
    struct err err = {0};
    cr_assert_lt(decode(&inflate_zstd, frame, sizeof frame, SIZE_MAX, NULL, &err), 0);
    cr_assert_eq(err.code, ERR_UNSUPPORTED_FORMAT);
    cr_assert(strstr(err.text, "128 MiB"), "%s", err.text);
    frame[5] = (27 - 10) << 3;
    cr_assert_eq(decode(&inflate_zstd, frame, sizeof frame, SIZE_MAX, NULL, &err), 0);
}

Test(inflate, refuses_an_xz_dictionary_over_its_memory)
{
    struct buf plain CLEANUP_BUF = sample(100);
    struct buf packed CLEANUP_BUF = xz(&plain);
    /* The block header: its size, flags, two sizes of the block as flags say, the filter LZMA2
     * with one byte of properties, the dictionary. */
    uint8_t *head = packed.data + 12, *filter = head + 2;
    size_t len = (head[0] + 1U) * 4;
    cr_assert_eq(head[1], 0xc0);
    for (int sizes = 0; sizes < 2; filter++)
        sizes += !(*filter & 0x80);
    cr_assert(filter[0] == 0x21 && filter[1] == 1);
    filter[2] = 34; /* 512 MiB */
    uint32_t crc = lzma_crc32(head, len - 4, 0);
    for (int i = 0; i < 4; i++)
        head[len - 4 + (size_t)i] = (uint8_t)(crc >> (8 * i));
    struct err err = {0};
    cr_assert_lt(decode(&inflate_xz, packed.data, packed.len, SIZE_MAX, NULL, &err), 0);
    cr_assert_eq(err.code, ERR_UNSUPPORTED_FORMAT);
    cr_assert(strstr(err.text, "128 MiB"), "%s", err.text);
}

Test(inflate, refuses_an_xz_check_of_unknown_kind)
{
    struct buf plain CLEANUP_BUF = sample(100);
    struct buf packed CLEANUP_BUF = xz(&plain);
    packed.data[7] = 0x0b; /* reserved by the format */
    uint32_t crc = lzma_crc32(packed.data + 6, 2, 0);
    for (int i = 0; i < 4; i++)
        packed.data[8 + i] = (uint8_t)(crc >> (8 * i));
    struct err err = {0};
    cr_assert_lt(decode(&inflate_xz, packed.data, packed.len, SIZE_MAX, NULL, &err), 0);
    cr_assert_eq(err.code, ERR_UNSUPPORTED_FORMAT);
}

static int file_of(const void *data, size_t n)
{
    int fd = memfd_create("archive", MFD_CLOEXEC);
    cr_assert_geq(fd, 0);
    cr_assert_eq(pwrite(fd, data, n, 0), (ssize_t)n);
    return fd;
}

static int reads;

static int count_read(void *ctx, struct err *err)
{
    reads++;
    return 0;
}

Test(inflate, picks_the_codec_by_content)
{
    struct buf plain CLEANUP_BUF = sample(700001);
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        struct buf packed CLEANUP_BUF = kinds[k].compress(&plain), out CLEANUP_BUF = {0};
        int fd CLEANUP_CLOSE = file_of(packed.data, packed.len);
        struct inflate inf;
        struct err err = {0};
        cr_assert_eq(inflate_init(&inf, fd, &err), 0);
        reads = 0;
        inf.on_read = count_read;
        cr_assert_eq(inflate_start(&inf, &err), 0);
        cr_assert_eq(inf.codec, kinds[k].codec);
        const void *data;
        ssize_t n;
        while ((n = inflate_next(&inf, &data, &err)) > 0)
            append(&out, data, (size_t)n);
        cr_assert_eq(n, 0, "%s: %s", kinds[k].name, err.text);
        cr_assert(equal(&plain, &out), "%s", kinds[k].name);
        cr_assert_eq(inf.consumed, packed.len);
        cr_assert_eq(inf.produced, plain.len);
        cr_assert_geq(reads, (int)(packed.len / INFLATE_IN_BYTES));
        inflate_free(&inf);
    }
}

Test(inflate, hands_a_plain_tar_through)
{
    struct buf plain CLEANUP_BUF = sample(700001), out CLEANUP_BUF = {0};
    plain.data[0] = 'n';
    int fd CLEANUP_CLOSE = file_of(plain.data, plain.len);
    struct inflate inf;
    cr_assert_eq(inflate_init(&inf, fd, NULL), 0);
    cr_assert_eq(inflate_start(&inf, NULL), 0);
    const void *data;
    ssize_t n;
    while ((n = inflate_next(&inf, &data, NULL)) > 0)
        append(&out, data, (size_t)n);
    cr_assert_eq(n, 0);
    cr_assert(equal(&plain, &out));
    inflate_free(&inf);
}

Test(inflate, refuses_an_empty_archive)
{
    int fd CLEANUP_CLOSE = file_of("", 0);
    struct inflate inf;
    struct err err = {0};
    cr_assert_eq(inflate_init(&inf, fd, &err), 0);
    cr_assert_lt(inflate_start(&inf, &err), 0);
    cr_assert_eq(err.code, ERR_UNSUPPORTED_FORMAT);
    inflate_free(&inf);
}
