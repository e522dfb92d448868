/* floor URL SHA256 OUT: what no program that downloads, verifies and unpacks an archive can be much
 * faster than. One thread receives and hashes, another inflates (by ISA-L or zstd, or not at all)
 * and writes what comes out to one file, in order. No archive is kept, no entry looked at, nothing
 * synced. Exits 0 if the digest is the one, else 1. */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>
#ifdef HAVE_ISAL
#include <isa-l/igzip_lib.h>
#else
#include <zlib.h>
#endif

#define SLOTS      16
#define SLOT_BYTES (256u << 10)
#define OUT_BYTES  (256u << 10)

/* One producer, one consumer. A slot is the consumer's from `head` on up to `tail`. */
struct ring {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    size_t head, tail; /* guarded by mutex; they only grow */
    bool ended;        /* the same */
    size_t len[SLOTS];
    uint8_t bytes[SLOTS][SLOT_BYTES];
};

static struct ring ring = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "floor: %s: %s\n", what, why);
    _exit(1);
}

/* ---- the thread that receives */

struct receiver {
    EVP_MD_CTX *hash;
    size_t filled; /* of the slot that is being filled */
};

static void ring_wait_for_room(void)
{
    pthread_mutex_lock(&ring.mutex);
    while (ring.tail - ring.head == SLOTS)
        pthread_cond_wait(&ring.changed, &ring.mutex);
    pthread_mutex_unlock(&ring.mutex);
}

static void ring_push(size_t len, bool ended)
{
    pthread_mutex_lock(&ring.mutex);
    ring.len[ring.tail % SLOTS] = len;
    ring.tail += len > 0;
    ring.ended = ended;
    pthread_cond_signal(&ring.changed);
    pthread_mutex_unlock(&ring.mutex);
}

static size_t received(char *data, size_t one, size_t len, void *arg)
{
    struct receiver *r = arg;
    EVP_DigestUpdate(r->hash, data, len);
    for (size_t done = 0; done < len;) {
        if (r->filled == 0)
            ring_wait_for_room();
        size_t room = SLOT_BYTES - r->filled;
        size_t n = len - done < room ? len - done : room;
        memcpy(ring.bytes[ring.tail % SLOTS] + r->filled, data + done, n);
        done += n;
        r->filled += n;
        if (r->filled == SLOT_BYTES) {
            ring_push(SLOT_BYTES, false);
            r->filled = 0;
        }
    }
    return len;
}

static void receive(const char *url, const char *sha256)
{
    struct receiver r = {.hash = EVP_MD_CTX_new()};
    uint8_t digest[32];
    char hex[65];
    EVP_DigestInit_ex(r.hash, EVP_sha256(), NULL);
    CURL *curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 512L << 10);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, received);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &r);
    CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK)
        die(url, curl_easy_strerror(code));
    ring_push(r.filled, true);
    curl_easy_cleanup(curl);
    EVP_DigestFinal_ex(r.hash, digest, NULL);
    EVP_MD_CTX_free(r.hash);
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    if (strcmp(hex, sha256) != 0)
        die(url, "another digest");
}

/* ---- the thread that writes */

static void put(int fd, const uint8_t *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0)
            die("write", strerror(errno));
        data += n;
        len -= (size_t)n;
    }
}

#ifdef HAVE_ISAL
static void put_gzip(int fd, uint8_t *data, size_t len)
{
    static struct inflate_state state;
    static uint8_t out[OUT_BYTES];
    static size_t filled;
    if (!state.crc_flag) {
        isal_inflate_init(&state);
        state.crc_flag = ISAL_GZIP;
    }
    state.next_in = data;
    state.avail_in = (uint32_t)len;
    do {
        state.next_out = out + filled;
        state.avail_out = (uint32_t)(sizeof out - filled);
        if (isal_inflate(&state) != ISAL_DECOMP_OK)
            die("gzip", "corrupt");
        filled = sizeof out - state.avail_out;
        if (state.avail_out > 0 && state.block_state != ISAL_BLOCK_FINISH)
            break;
        put(fd, out, filled);
        filled = 0;
    } while (state.block_state != ISAL_BLOCK_FINISH);
}
#else
static void put_gzip(int fd, uint8_t *data, size_t len)
{
    static z_stream z;
    static uint8_t out[OUT_BYTES];
    if (!z.state)
        inflateInit2(&z, 15 + 16);
    z.next_in = data;
    z.avail_in = (uInt)len;
    do {
        z.next_out = out;
        z.avail_out = sizeof out;
        int r = inflate(&z, Z_NO_FLUSH);
        if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
            die("gzip", "corrupt");
        put(fd, out, sizeof out - z.avail_out);
    } while (z.avail_out == 0);
}
#endif

static void put_zstd(int fd, uint8_t *data, size_t len)
{
    static ZSTD_DStream *stream;
    static uint8_t out[OUT_BYTES];
    if (!stream)
        stream = ZSTD_createDStream();
    ZSTD_inBuffer in = {data, len, 0};
    size_t produced;
    do {
        ZSTD_outBuffer to = {out, sizeof out, 0};
        size_t r = ZSTD_decompressStream(stream, &to, &in);
        if (ZSTD_isError(r))
            die("zstd", ZSTD_getErrorName(r));
        produced = to.pos;
        put(fd, out, produced);
    } while (in.pos < in.size || produced == sizeof out);
}

static void put_any(int fd, uint8_t *data, size_t len, const uint8_t *magic)
{
    if (memcmp(magic, "\x1f\x8b", 2) == 0)
        put_gzip(fd, data, len);
    else if (memcmp(magic, "\x28\xb5\x2f\xfd", 4) == 0)
        put_zstd(fd, data, len);
    else
        put(fd, data, len);
}

static bool ring_wait_for_bytes(void)
{
    pthread_mutex_lock(&ring.mutex);
    while (ring.head == ring.tail && !ring.ended)
        pthread_cond_wait(&ring.changed, &ring.mutex);
    bool some = ring.head < ring.tail;
    pthread_mutex_unlock(&ring.mutex);
    return some;
}

static void ring_pop(void)
{
    pthread_mutex_lock(&ring.mutex);
    ring.head++;
    pthread_cond_signal(&ring.changed);
    pthread_mutex_unlock(&ring.mutex);
}

static void *write_on(void *arg)
{
    const int *fd = arg;
    uint8_t magic[4];
    for (bool first = true; ring_wait_for_bytes(); first = false) {
        size_t slot = ring.head % SLOTS;
        if (first)
            memcpy(magic, ring.bytes[slot], sizeof magic);
        put_any(*fd, ring.bytes[slot], ring.len[slot], magic);
        ring_pop();
    }
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: floor URL SHA256 OUT\n");
        return 2;
    }
    int fd = open(argv[3], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        die(argv[3], strerror(errno));
    pthread_t writer;
    pthread_create(&writer, NULL, write_on, &fd);
    receive(argv[1], argv[2]);
    pthread_join(writer, NULL);
    return close(fd) < 0;
}
