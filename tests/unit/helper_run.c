#include "helper_run.h"

#include "base/cleanup.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <zlib.h>

void tar_pad(struct text *t)
{
    static const char zeros[512];
    text_addn(t, zeros, (512 - t->len % 512) % 512);
}

void tar_header(struct text *t, char type, const char *name, const char *link, size_t size)
{
    char h[512] = {0};
    memcpy(h, name, strnlen(name, 100));
    snprintf(h + 100, 8, "%07o", 04751);
    snprintf(h + 108, 8, "%07o", 1000);
    snprintf(h + 116, 8, "%07o", 100);
    snprintf(h + 124, 12, "%011zo", size);
    snprintf(h + 136, 12, "%011o", 1700000000);
    h[156] = type;
    if (link)
        memcpy(h + 157, link, strnlen(link, 100));
    memcpy(h + 257, "ustar\00000", 8);
    snprintf(h + 329, 8, "%07o", 8);
    snprintf(h + 337, 8, "%07o", 1);
    memset(h + 148, ' ', 8);
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof h; i++)
        sum += (unsigned char)h[i];
    snprintf(h + 148, 8, "%06o", sum);
    text_addn(t, h, sizeof h);
}

void tar_file(struct text *t, const char *name, const char *data, size_t n)
{
    tar_header(t, '0', name, NULL, n);
    text_addn(t, data, n);
    tar_pad(t);
}

void tar_pax_record(struct text *records, const char *key, const char *value, size_t n)
{
    size_t len = strlen(key) + n + 3, digits = 1;
    for (size_t ten = 10; len + digits >= ten; ten *= 10)
        digits++;
    text_addf(records, "%zu %s=", len + digits, key);
    text_addn(records, value, n);
    text_add(records, "\n");
}

void tar_pax(struct text *t, const struct text *records)
{
    tar_header(t, 'x', "pax", NULL, records->len);
    text_addn(t, records->data, records->len);
    tar_pad(t);
}

void tar_pax_one(struct text *t, const char *key, const char *value)
{
    struct text records CLEANUP_TEXT = {0};
    tar_pax_record(&records, key, value, strlen(value));
    tar_pax(t, &records);
}

void tar_end(struct text *t)
{
    static const char zeros[1024];
    text_addn(t, zeros, sizeof zeros);
}

void tar_gzip(struct text *t)
{
    z_stream z = {0};
    cr_assert_eq(deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t cap = deflateBound(&z, t->len);
    struct text out = {.data = malloc(cap), .cap = cap};
    z.next_in = (Bytef *)t->data;
    z.avail_in = (uInt)t->len;
    z.next_out = (Bytef *)out.data;
    z.avail_out = (uInt)cap;
    cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    out.len = z.total_out;
    deflateEnd(&z);
    text_free(t);
    *t = out;
}

void run_free(struct run *run)
{
    close(run->data);
    text_free(&run->records);
    free(run->message);
}
/* Starts the helper on an archive and a data file; returns its process, *records its stream. */
pid_t run_start(int archive, int data, const char *const limits[3], int *records)
{
    int p[2];
    cr_assert_eq(pipe2(p, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        int fds[3] = {fcntl(archive, F_DUPFD_CLOEXEC, 100), fcntl(data, F_DUPFD_CLOEXEC, 100),
                      fcntl(p[1], F_DUPFD_CLOEXEC, 100)};
        dup2(fds[0], WIRE_ARCHIVE_FD);
        dup2(fds[1], WIRE_DATA_FD);
        dup2(fds[2], WIRE_RECORDS_FD);
        execl(UNPACK_HELPER, UNPACK_HELPER, limits[0], limits[1], limits[2], NULL);
        _exit(127);
    }
    cr_assert_gt(pid, 0);
    close(p[1]);
    *records = p[0];
    return pid;
}

void run_collect(struct run *run, pid_t pid, int records)
{
    char chunk[65536];
    for (ssize_t n; (n = read(records, chunk, sizeof chunk)) > 0;)
        text_addn(&run->records, chunk, (size_t)n);
    close(records);
    cr_assert_eq(waitpid(pid, &run->status, 0), pid);
}

/* The next record and its strings; checks that the stream is well formed. */
const char *run_next(const struct run *run, size_t *at, struct wire_record *rec)
{
    if (*at == run->records.len)
        return NULL;
    cr_assert_leq(*at + sizeof *rec, run->records.len);
    memcpy(rec, run->records.data + *at, sizeof *rec);
    cr_assert_eq(rec->magic, WIRE_MAGIC);
    cr_assert_eq(rec->length, sizeof *rec + rec->path_len + rec->target_len + rec->xattrs_len);
    cr_assert_leq(rec->length, WIRE_RECORD_MAX);
    cr_assert_eq(rec->offset % WIRE_BLOCK, 0);
    const char *strings = run->records.data + *at + sizeof *rec;
    *at += rec->length;
    cr_assert_leq(*at, run->records.len);
    return strings;
}

void run_find_last(struct run *run)
{
    const char *strings;
    struct wire_record rec;
    for (size_t at = 0; (strings = run_next(run, &at, &rec));) {
        cr_assert(run->last.kind != WIRE_END && run->last.kind != WIRE_ERROR);
        run->last = rec;
        if (rec.kind == WIRE_ERROR)
            run->message = strndup(strings, rec.path_len);
    }
    cr_assert(run->last.kind == WIRE_END || run->last.kind == WIRE_ERROR, "status %d", run->status);
    cr_assert(WIFEXITED(run->status));
    cr_assert_eq(WEXITSTATUS(run->status), run->last.kind == WIRE_ERROR);
}

struct run run_with(const struct text *tar, int data, const char *const limits[3])
{
    int archive = memfd_create("archive", MFD_CLOEXEC), records;
    cr_assert_eq(write(archive, tar->data, tar->len), (ssize_t)tar->len);
    cr_assert_eq(lseek(archive, 0, SEEK_SET), 0);
    struct run run = {.data = data};
    pid_t pid = run_start(archive, run.data, limits, &records);
    close(archive);
    run_collect(&run, pid, records);
    run_find_last(&run);
    return run;
}

const char *const run_usual[3] = {"10000", "104857600", "10737418240"};
const char *const run_unlimited[3] = {"9223372036854775807", "9223372036854775807",
                                      "9223372036854775807"};

struct run run_tar(const struct text *tar)
{
    return run_with(tar, memfd_create("data", MFD_CLOEXEC), run_usual);
}

/* The entry of that number. */
const char *run_entry(const struct run *run, int number, struct wire_record *rec)
{
    const char *strings;
    for (size_t at = 0; (strings = run_next(run, &at, rec));)
        if (rec->kind == WIRE_ENTRY && number-- == 0)
            return strings;
    cr_assert(false, "no entry %d", number);
    abort();
}

int run_entries(const struct run *run)
{
    struct wire_record rec;
    int n = 0;
    for (size_t at = 0; run_next(run, &at, &rec);)
        n += rec.kind == WIRE_ENTRY;
    return n;
}

void run_holds(const struct run *run, const struct wire_record *rec, const char *data)
{
    char *got CLEANUP_FREE = malloc(rec->size + 1);
    cr_assert_geq(rec->offset, WIRE_BLOCK);
    cr_assert_eq(pread(run->data, got, rec->size, (off_t)rec->offset), (ssize_t)rec->size);
    cr_assert_eq(memcmp(got, data, rec->size), 0);
}
