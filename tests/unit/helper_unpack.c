/* The built helper as a process, over archives made here: what it says, what it writes, what it
 * refuses, and that it is in its jail before it reads. */
#include "base/cleanup.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/wire.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <zlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* ---- archives ---- */

static void pad(struct text *t)
{
    static const char zeros[512];
    text_addn(t, zeros, (512 - t->len % 512) % 512);
}

static void header(struct text *t, char type, const char *name, const char *link, size_t size)
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

static void file(struct text *t, const char *name, const char *data, size_t n)
{
    header(t, '0', name, NULL, n);
    text_addn(t, data, n);
    pad(t);
}

static void pax_record(struct text *records, const char *key, const char *value, size_t n)
{
    size_t len = strlen(key) + n + 3, digits = 1;
    for (size_t ten = 10; len + digits >= ten; ten *= 10)
        digits++;
    text_addf(records, "%zu %s=", len + digits, key);
    text_addn(records, value, n);
    text_add(records, "\n");
}

static void pax(struct text *t, const struct text *records)
{
    header(t, 'x', "pax", NULL, records->len);
    text_addn(t, records->data, records->len);
    pad(t);
}

static void pax_one(struct text *t, const char *key, const char *value)
{
    struct text records CLEANUP_TEXT = {0};
    pax_record(&records, key, value, strlen(value));
    pax(t, &records);
}

static void end(struct text *t)
{
    static const char zeros[1024];
    text_addn(t, zeros, sizeof zeros);
}

static void gzip(struct text *t)
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

/* ---- runs ---- */

struct run {
    int data;            /* the data file */
    struct text records; /* the stream */
    int status;          /* of the process */
    struct wire_record last;
    char *message; /* of a WIRE_ERROR */
};

static void run_free(struct run *run)
{
    close(run->data);
    text_free(&run->records);
    free(run->message);
}
#define CLEANUP_RUN __attribute__((cleanup(run_free)))

/* Starts the helper on an archive and a data file; returns its process, *records its stream. */
static pid_t start(int archive, int data, const char *const limits[3], int *records)
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

static void collect(struct run *run, pid_t pid, int records)
{
    char chunk[65536];
    for (ssize_t n; (n = read(records, chunk, sizeof chunk)) > 0;)
        text_addn(&run->records, chunk, (size_t)n);
    close(records);
    cr_assert_eq(waitpid(pid, &run->status, 0), pid);
}

/* The next record and its strings; checks that the stream is well formed. */
static const char *next(const struct run *run, size_t *at, struct wire_record *rec)
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

static void find_last(struct run *run)
{
    const char *strings;
    struct wire_record rec;
    for (size_t at = 0; (strings = next(run, &at, &rec));) {
        cr_assert(run->last.kind != WIRE_END && run->last.kind != WIRE_ERROR);
        run->last = rec;
        if (rec.kind == WIRE_ERROR)
            run->message = strndup(strings, rec.path_len);
    }
    cr_assert(run->last.kind == WIRE_END || run->last.kind == WIRE_ERROR, "status %d", run->status);
    cr_assert(WIFEXITED(run->status));
    cr_assert_eq(WEXITSTATUS(run->status), run->last.kind == WIRE_ERROR);
}

static struct run unpack_with(const struct text *tar, int data, const char *const limits[3])
{
    int archive = memfd_create("archive", MFD_CLOEXEC), records;
    cr_assert_eq(write(archive, tar->data, tar->len), (ssize_t)tar->len);
    cr_assert_eq(lseek(archive, 0, SEEK_SET), 0);
    struct run run = {.data = data};
    pid_t pid = start(archive, run.data, limits, &records);
    close(archive);
    collect(&run, pid, records);
    find_last(&run);
    return run;
}

static const char *const usual[] = {"10000", "104857600", "10737418240"};
static const char *const unlimited[] = {"9223372036854775807", "9223372036854775807",
                                        "9223372036854775807"};

static struct run unpack(const struct text *tar)
{
    return unpack_with(tar, memfd_create("data", MFD_CLOEXEC), usual);
}

/* The entry of that number. */
static const char *entry(const struct run *run, int number, struct wire_record *rec)
{
    const char *strings;
    for (size_t at = 0; (strings = next(run, &at, rec));)
        if (rec->kind == WIRE_ENTRY && number-- == 0)
            return strings;
    cr_assert(false, "no entry %d", number);
    abort();
}

static int entries(const struct run *run)
{
    struct wire_record rec;
    int n = 0;
    for (size_t at = 0; next(run, &at, &rec);)
        n += rec.kind == WIRE_ENTRY;
    return n;
}

static void holds(const struct run *run, const struct wire_record *rec, const char *data)
{
    char *got CLEANUP_FREE = malloc(rec->size + 1);
    cr_assert_geq(rec->offset, WIRE_BLOCK);
    cr_assert_eq(pread(run->data, got, rec->size, (off_t)rec->offset), (ssize_t)rec->size);
    cr_assert_eq(memcmp(got, data, rec->size), 0);
}

static void refuses(const struct text *tar, const char *const limits[3], enum err_code code,
                    const char *says)
{
    struct run run CLEANUP_RUN = unpack_with(tar, memfd_create("data", MFD_CLOEXEC), limits);
    cr_assert_eq(run.last.kind, WIRE_ERROR, "%s", says);
    cr_assert_eq(run.last.mode, code, "%s: %s, %s", says, err_word(run.last.mode), run.message);
    cr_assert(strstr(run.message, says), "%s: %s", says, run.message);
    cr_assert_neq(run.last.error_num, 0);
}

/* ---- what it says ---- */

Test(unpack, tells_every_type)
{
    static const struct {
        char type;
        enum wire_type wire;
        const char *link;
    } kinds[] = {
        {'0', WIRE_FILE, NULL},    {'5', WIRE_DIR, NULL},     {'2', WIRE_SYMLINK, "../t"},
        {'1', WIRE_HARDLINK, "f"}, {'3', WIRE_CHARDEV, NULL}, {'4', WIRE_BLOCKDEV, NULL},
        {'6', WIRE_FIFO, NULL},
    };
    struct text tar CLEANUP_TEXT = {0};
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        header(&tar, kinds[i].type, "name", kinds[i].link, 0);
    end(&tar);
    struct run run CLEANUP_RUN = unpack(&tar);
    cr_assert_eq(run.last.kind, WIRE_END);
    cr_assert_eq(run.last.consumed, tar.len);
    cr_assert_eq(entries(&run), (int)ARRAY_SIZE(kinds));
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        struct wire_record rec;
        const char *strings = entry(&run, (int)i, &rec);
        cr_assert_eq(rec.type, kinds[i].wire);
        cr_assert_eq(rec.mode, 04751);
        cr_assert_eq(rec.uid, 1000);
        cr_assert_eq(rec.gid, 100);
        cr_assert_eq(rec.mtime, 1700000000);
        cr_assert_eq(rec.offset, 0);
        bool device = kinds[i].type == '3' || kinds[i].type == '4';
        cr_assert_eq(rec.rdev_major, device ? 8 : 0);
        cr_assert_eq(rec.rdev_minor, device ? 1 : 0);
        cr_assert_eq(strncmp(strings, "name", rec.path_len), 0);
        cr_assert_eq(rec.target_len, kinds[i].link ? strlen(kinds[i].link) : 0);
        if (kinds[i].link)
            cr_assert_eq(memcmp(strings + 4, kinds[i].link, rec.target_len), 0);
    }
}

Test(unpack, puts_contents_at_blocks)
{
    static const size_t sizes[] = {5, 4096, 0, 4097, 300000, 1};
    char *data CLEANUP_FREE = malloc(300000);
    for (size_t i = 0; i < 300000; i++)
        data[i] = (char)(i * 7 + i / 251);
    for (int packed = 0; packed < 2; packed++) {
        struct text tar CLEANUP_TEXT = {0};
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
            file(&tar, "f", data + i, sizes[i] - (sizes[i] == 300000) * i);
        end(&tar);
        if (packed)
            gzip(&tar);
        struct run run CLEANUP_RUN = unpack(&tar);
        cr_assert_eq(run.last.kind, WIRE_END, "%s", run.message);
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
            struct wire_record rec;
            entry(&run, (int)i, &rec);
            cr_assert_eq(rec.size, sizes[i] - (sizes[i] == 300000) * i);
            if (rec.size)
                holds(&run, &rec, data + i);
            else
                cr_assert_eq(rec.offset, 0);
        }
        struct stat st;
        cr_assert_eq(fstat(run.data, &st), 0);
        cr_assert_eq(st.st_size % WIRE_BLOCK, 0);
    }
}

Test(unpack, leaves_holes_of_sparse_files)
{
    struct text tar CLEANUP_TEXT = {0}, records CLEANUP_TEXT = {0};
    pax_record(&records, "GNU.sparse.size", "50000000", 8);
    pax_record(&records, "GNU.sparse.numblocks", "2", 1);
    pax_record(&records, "GNU.sparse.map", "1000,3,40000000,3", 17);
    pax(&tar, &records);
    file(&tar, "sparse", "abcdef", 6);
    file(&tar, "after", "x", 1);
    end(&tar);
    struct run run CLEANUP_RUN = unpack(&tar);
    cr_assert_eq(run.last.kind, WIRE_END, "%s", run.message);
    struct wire_record rec, after;
    entry(&run, 0, &rec);
    entry(&run, 1, &after);
    cr_assert_eq(rec.size, 50000000);
    cr_assert_geq(after.offset, rec.offset + rec.size);
    holds(&run, &after, "x");
    char *got CLEANUP_FREE = malloc(rec.size);
    cr_assert_eq(pread(run.data, got, rec.size, (off_t)rec.offset), (ssize_t)rec.size);
    cr_assert_eq(memcmp(got + 1000, "abc", 3), 0);
    cr_assert_eq(memcmp(got + 40000000, "def", 3), 0);
    memset(got + 1000, 0, 3);
    memset(got + 40000000, 0, 3);
    for (size_t i = 0; i < rec.size; i++)
        cr_assert_eq(got[i], 0);
    struct stat st;
    cr_assert_eq(fstat(run.data, &st), 0);
    cr_assert_lt(st.st_blocks * 512, 1 << 20);
}

Test(unpack, keeps_names_as_they_are)
{
    /* NFD, Latin-1, a control character: pax, GNU, ustar. */
    static const char *const names[] = {"cafe\xcc\x81/f", "latin-\xe9", "tab\there"};
    struct text tar CLEANUP_TEXT = {0};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        pax_one(&tar, "path", names[i]);
        header(&tar, '0', "short", NULL, 0);
        header(&tar, '0', names[i], NULL, 0);
    }
    pax_one(&tar, "linkpath", names[0]);
    header(&tar, '2', "l", "short", 0);
    end(&tar);
    struct run run CLEANUP_RUN = unpack(&tar);
    cr_assert_eq(run.last.kind, WIRE_END, "%s", run.message);
    struct wire_record rec;
    const char *strings;
    for (size_t i = 0; i < 2 * ARRAY_SIZE(names); i++) {
        strings = entry(&run, (int)i, &rec);
        cr_assert_eq(rec.path_len, strlen(names[i / 2]));
        cr_assert_eq(memcmp(strings, names[i / 2], rec.path_len), 0);
    }
    strings = entry(&run, 2 * ARRAY_SIZE(names), &rec);
    cr_assert_eq(rec.target_len, strlen(names[0]));
    cr_assert_eq(memcmp(strings + 1, names[0], rec.target_len), 0);
}

Test(unpack, hands_over_each_xattr_once)
{
    struct text tar CLEANUP_TEXT = {0}, records CLEANUP_TEXT = {0};
    pax_record(&records, "SCHILY.xattr.user.a", "old", 3);
    pax_record(&records, "LIBARCHIVE.xattr.user.a", "AAEC", 4);
    pax_record(&records, "SCHILY.xattr.user.a", "\0\1\2", 3);
    pax(&tar, &records);
    file(&tar, "f", "", 0);
    end(&tar);
    struct run run CLEANUP_RUN = unpack(&tar);
    cr_assert_eq(run.last.kind, WIRE_END, "%s", run.message);
    struct wire_record rec;
    const char *strings = entry(&run, 0, &rec);
    struct {
        uint16_t name_len, value_len;
        char name[6], value[3];
    } __attribute__((packed)) want = {6, 3, "user.a", {0, 1, 2}};
    cr_assert_eq(rec.xattrs_len, sizeof want);
    cr_assert_eq(memcmp(strings + rec.path_len, &want, sizeof want), 0);
}

Test(unpack, keeps_times_that_a_file_system_can)
{
    static const struct {
        const char *pax;
        int64_t sec;
        uint32_t nsec;
    } times[] = {
        {"1700000001.25", 1700000001, 250000000},
        {"-100", -100, 0},
        {"99999999999", 0, 0},
        {"9223372036854775807", 0, 0},
        {"nan", 0, 0},
        {"1e300", 1, 0},
    };
    struct text tar CLEANUP_TEXT = {0};
    for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
        pax_one(&tar, "mtime", times[i].pax);
        header(&tar, '5', "d", NULL, 0);
    }
    end(&tar);
    struct run run CLEANUP_RUN = unpack(&tar);
    cr_assert_eq(run.last.kind, WIRE_END, "%s", run.message);
    for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
        struct wire_record rec;
        entry(&run, (int)i, &rec);
        cr_assert_eq(rec.mtime, times[i].sec, "%s", times[i].pax);
        cr_assert_eq(rec.mtime_nsec, times[i].nsec, "%s", times[i].pax);
    }
}

Test(unpack, shows_progress_within_a_file)
{
    char *data CLEANUP_FREE = calloc(1, 8 << 20);
    struct text tar CLEANUP_TEXT = {0};
    file(&tar, "f", data, 8 << 20);
    end(&tar);
    struct run run CLEANUP_RUN = unpack(&tar);
    struct wire_record rec;
    uint64_t consumed = 0;
    int n = 0;
    for (size_t at = 0; next(&run, &at, &rec) && rec.kind == WIRE_PROGRESS; n++) {
        cr_assert_gt(rec.consumed, consumed);
        consumed = rec.consumed;
    }
    cr_assert_eq(rec.kind, WIRE_ENTRY);
    cr_assert_geq(n, 7);
}

Test(unpack, takes_an_archive_of_nothing_and_one_without_an_end)
{
    struct text tar CLEANUP_TEXT = {0};
    end(&tar);
    struct run empty CLEANUP_RUN = unpack(&tar);
    cr_assert_eq(empty.last.kind, WIRE_END);
    cr_assert_eq(entries(&empty), 0);
    struct text open CLEANUP_TEXT = {0};
    file(&open, "f", "x", 1);
    struct run run CLEANUP_RUN = unpack(&open);
    cr_assert_eq(run.last.kind, WIRE_END);
}

Test(unpack, takes_what_follows_the_end)
{
    struct text tar CLEANUP_TEXT = {0};
    file(&tar, "f", "x", 1);
    end(&tar);
    file(&tar, "second", "x", 1);
    text_add(&tar, "noise");
    struct run run CLEANUP_RUN = unpack(&tar);
    cr_assert_eq(run.last.kind, WIRE_END, "%s", run.message);
    cr_assert_eq(entries(&run), 1);
    cr_assert_eq(run.last.consumed, tar.len);
}

/* ---- what it refuses ---- */

Test(unpack, refuses_what_is_no_tar)
{
    struct text t CLEANUP_TEXT = {0};
    refuses(&t, usual, ERR_UNSUPPORTED_FORMAT, "empty");
    for (int i = 0; i < 1000; i++)
        text_add(&t, "some text\n");
    refuses(&t, usual, ERR_UNSUPPORTED_FORMAT, "no tar");
    gzip(&t);
    refuses(&t, usual, ERR_UNSUPPORTED_FORMAT, "no tar");
    struct text twice CLEANUP_TEXT = {0};
    file(&twice, "f", "x", 1);
    end(&twice);
    gzip(&twice);
    gzip(&twice);
    refuses(&twice, usual, ERR_UNSUPPORTED_FORMAT, "no tar");
}

Test(unpack, refuses_damage)
{
    struct text tar CLEANUP_TEXT = {0}, bad CLEANUP_TEXT = {0};
    file(&tar, "f", "0123456789", 10);
    text_addn(&bad, tar.data, tar.len);
    size_t second = tar.len;
    file(&tar, "g", "0123456789", 10);
    for (size_t cut = 1; cut < 512; cut += 37) {
        struct text short_ = {.data = tar.data, .len = second + cut};
        refuses(&short_, usual, ERR_CORRUPT_ARCHIVE, "");
    }
    struct text body = {.data = tar.data, .len = second + 512 + 3};
    refuses(&body, usual, ERR_CORRUPT_ARCHIVE, "Truncated");
    tar.data[second + 10] ^= 1; /* the header's checksum fails: a retry for libarchive */
    refuses(&tar, usual, ERR_CORRUPT_ARCHIVE, "Damaged");
    tar.data[second + 10] ^= 1;
    gzip(&tar);
    tar.data[tar.len - 5] ^= 1;
    refuses(&tar, usual, ERR_CORRUPT_ARCHIVE, "tar.gz: ");
}

Test(unpack, refuses_malformed_pax_records)
{
    static const char *const bad[] = {"path=x\n",    "0 path=x\n", "99 path=x\n",
                                      "-9 path=x\n", "5 =x\n",     "10 path=xyz"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct text tar CLEANUP_TEXT = {0}, records CLEANUP_TEXT = {0};
        text_add(&records, bad[i]);
        pax(&tar, &records);
        file(&tar, "f", "x", 1);
        end(&tar);
        refuses(&tar, usual, ERR_CORRUPT_ARCHIVE, "");
        /* A GNU long link makes libarchive forget the warning. */
        struct text hidden CLEANUP_TEXT = {0};
        header(&hidden, 'K', "././@LongLink", NULL, 2);
        text_add(&hidden, "t");
        pad(&hidden);
        text_addn(&hidden, tar.data, tar.len);
        refuses(&hidden, usual, ERR_CORRUPT_ARCHIVE, "");
    }
}

Test(unpack, refuses_over_the_limits_and_names_them)
{
    struct text tar CLEANUP_TEXT = {0};
    char data[3000] = {0};
    for (int i = 0; i < 4; i++)
        file(&tar, "f", data, sizeof data);
    header(&tar, '5', "d", NULL, 0);
    end(&tar);
    const char *files[] = {"4", "3000", "12000"}, *size[] = {"5", "2999", "12000"},
               *total[] = {"5", "3000", "11999"}, *fits[] = {"5", "3000", "12000"};
    refuses(&tar, files, ERR_TOO_MANY_FILES, "-o max_files=");
    refuses(&tar, size, ERR_TOO_LARGE_FILE, "-o max_file_size=");
    refuses(&tar, total, ERR_TOO_LARGE_TOTAL, "-o max_total_size=");
    struct run run CLEANUP_RUN = unpack_with(&tar, memfd_create("data", MFD_CLOEXEC), fits);
    cr_assert_eq(run.last.kind, WIRE_END, "%s", run.message);
    struct run all CLEANUP_RUN = unpack_with(&tar, memfd_create("data", MFD_CLOEXEC), unlimited);
    cr_assert_eq(all.last.kind, WIRE_END, "%s", all.message);
}

Test(unpack, judges_a_size_before_it_writes)
{
    struct text tar CLEANUP_TEXT = {0}, records CLEANUP_TEXT = {0};
    pax_record(&records, "GNU.sparse.size", "104857601", 9);
    pax_record(&records, "GNU.sparse.map", "0,6", 3);
    pax(&tar, &records);
    file(&tar, "sparse", "abcdef", 6);
    struct run run CLEANUP_RUN = unpack(&tar);
    cr_assert_eq(run.last.mode, ERR_TOO_LARGE_FILE, "%s", run.message);
    struct stat st;
    cr_assert_eq(fstat(run.data, &st), 0);
    cr_assert_leq(st.st_size, WIRE_BLOCK);
}

Test(unpack, refuses_names_that_linux_cannot_hold)
{
    char name[5000];
    memset(name, 'n', sizeof name);
    name[256] = '\0';
    struct text component CLEANUP_TEXT = {0}, path CLEANUP_TEXT = {0}, link CLEANUP_TEXT = {0};
    pax_one(&component, "path", name);
    header(&component, '0', "f", NULL, 0);
    refuses(&component, usual, ERR_UNSAFE_PATH, "255");
    for (size_t i = 0; i < 4096; i++)
        name[i] = i % 2 ? '/' : 'n';
    name[4096] = '\0';
    pax_one(&path, "path", name);
    header(&path, '0', "f", NULL, 0);
    refuses(&path, usual, ERR_UNSAFE_PATH, "4095");
    pax_one(&link, "linkpath", name);
    header(&link, '2', "f", "t", 0);
    refuses(&link, usual, ERR_UNSAFE_PATH, "4095");
}

Test(unpack, refuses_xattrs_that_are_too_large)
{
    char value[3100];
    memset(value, 'v', sizeof value);
    for (size_t n = 3066; n <= 3067; n++) {
        struct text tar CLEANUP_TEXT = {0}, records CLEANUP_TEXT = {0};
        pax_record(&records, "SCHILY.xattr.user.a", value, n);
        pax(&tar, &records);
        file(&tar, "f", "", 0);
        end(&tar);
        if (n + 6 > LIMIT_XATTRS_MAX) {
            refuses(&tar, usual, ERR_TOO_LARGE_FILE, "3072");
            continue;
        }
        struct run run CLEANUP_RUN = unpack(&tar);
        cr_assert_eq(run.last.kind, WIRE_END, "%s", run.message);
    }
}

Test(unpack, refuses_owners_that_are_no_ids)
{
    static const char *const ids[] = {"4294967295", "-1", "99999999999999999999"};
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        struct text tar CLEANUP_TEXT = {0};
        pax_one(&tar, i % 2 ? "gid" : "uid", ids[i]);
        header(&tar, '0', "f", NULL, 0);
        refuses(&tar, usual, ERR_CORRUPT_ARCHIVE, "owner or group");
    }
    struct text tar CLEANUP_TEXT = {0};
    pax_one(&tar, "uid", "4294967294");
    header(&tar, '0', "f", NULL, 0);
    struct run run CLEANUP_RUN = unpack(&tar);
    struct wire_record rec;
    entry(&run, 0, &rec);
    cr_assert_eq(rec.uid, 4294967294U);
}

Test(unpack, refuses_a_hard_link_with_contents)
{
    struct text tar CLEANUP_TEXT = {0};
    file(&tar, "f", "old", 3);
    pax_one(&tar, "comment", "pax: sizes of links count");
    header(&tar, '1', "h", "f", 3);
    text_add(&tar, "new");
    pad(&tar);
    end(&tar);
    refuses(&tar, usual, ERR_CORRUPT_ARCHIVE, "hard link");
}

Test(unpack, ends_bombs_soon)
{
    /* Headers without end, a sparse map of nothing, a tail of zeros. */
    struct text headers CLEANUP_TEXT = {0};
    for (int i = 0; i < 50; i++)
        pax_one(&headers, "comment", "once more");
    header(&headers, '0', "f", NULL, 0);
    refuses(&headers, usual, ERR_CORRUPT_ARCHIVE, "");

    struct text map CLEANUP_TEXT = {0}, records CLEANUP_TEXT = {0};
    pax_record(&records, "GNU.sparse.major", "1", 1);
    pax_record(&records, "GNU.sparse.minor", "0", 1);
    pax_record(&records, "GNU.sparse.realsize", "0", 1);
    pax(&map, &records);
    header(&map, '0', "f", NULL, 4000008);
    text_add(&map, "1000000\n");
    for (int i = 0; i < 1000000; i++)
        text_add(&map, "0\n0\n");
    pad(&map);
    end(&map);
    refuses(&map, usual, ERR_CORRUPT_ARCHIVE, "1 MiB");

    struct text tail CLEANUP_TEXT = {0};
    char *zeros CLEANUP_FREE = calloc(1, 1 << 20);
    end(&tail);
    for (int i = 0; i < 66; i++)
        text_addn(&tail, zeros, 1 << 20);
    gzip(&tail);
    refuses(&tail, usual, ERR_CORRUPT_ARCHIVE, "64 MiB");
}

Test(unpack, says_no_space)
{
    struct text tar CLEANUP_TEXT = {0};
    file(&tar, "f", "x", 1);
    end(&tar);
    struct run run CLEANUP_RUN = unpack_with(&tar, open("/dev/full", O_WRONLY | O_CLOEXEC), usual);
    cr_assert_eq(run.last.mode, ERR_NO_SPACE, "%s", run.message);
    cr_assert_eq(run.last.error_num, ENOSPC);
    cr_assert_eq(entries(&run), 0); /* no record without its contents */
}

Test(unpack, refuses_limits_that_it_cannot_read)
{
    struct text tar CLEANUP_TEXT = {0};
    end(&tar);
    static const char *const bad[] = {"", "-1", "10K", "99999999999999999999", " 1"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        const char *limits[] = {"1", bad[i], "1"};
        refuses(&tar, limits, ERR_INTERNAL, "use:");
    }
}

/* ---- its jail ---- */

static bool read_status(pid_t pid, char out[8192])
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    int fd CLEANUP_CLOSE = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, 8191);
    if (n < 0)
        return false;
    out[n] = '\0';
    return true;
}

static int count_fds(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    DIR *dir CLEANUP_CLOSEDIR = opendir(path);
    int n = 0;
    while (dir && readdir(dir))
        n++;
    return dir ? n - 2 : -1;
}

/* It waits for its first byte then. */
static void wait_for_jail(pid_t pid, char status[8192])
{
    for (int i = 0; i < 1000; i++) {
        cr_assert(read_status(pid, status));
        if (strstr(status, "\nSeccomp:\t2\n") && strstr(status, "\nState:\tS"))
            return;
        usleep(10000);
    }
    cr_assert_fail("no filter: %s", status);
}

Test(unpack, is_jailed_before_it_reads)
{
    static const char *const want[] = {
        "\nNoNewPrivs:\t1\n",
        "\nSeccomp_filters:\t1\n",
        "\nCapInh:\t0000000000000000\n",
        "\nCapPrm:\t0000000000000000\n",
        "\nCapEff:\t0000000000000000\n",
        "\nCapAmb:\t0000000000000000\n",
    };
    static const char *const want_of_root[] = {
        "\nUid:\t65534\t65534\t65534\t65534\n",
        "\nGid:\t65534\t65534\t65534\t65534\n",
        "\nGroups:\t \n",
        "\nCapBnd:\t0000000000000000\n",
    };
    int archive[2], records;
    cr_assert_eq(pipe2(archive, O_CLOEXEC), 0);
    struct run run CLEANUP_RUN = {.data = memfd_create("data", MFD_CLOEXEC)};
    pid_t pid = start(archive[0], run.data, usual, &records);
    close(archive[0]);
    char status[8192];
    wait_for_jail(pid, status);
    for (size_t i = 0; i < ARRAY_SIZE(want); i++)
        cr_assert(strstr(status, want[i]), "%s in %s", want[i], status);
    for (size_t i = 0; geteuid() == 0 && i < ARRAY_SIZE(want_of_root); i++)
        cr_assert(strstr(status, want_of_root[i]), "%s in %s", want_of_root[i], status);
    int fds = count_fds(pid);
    cr_assert(fds == (SANITIZED ? 4 : 3) || (fds == -1 && geteuid() != 0), "%d descriptors", fds);

    /* And works in there. */
    struct text tar CLEANUP_TEXT = {0};
    pax_one(&tar, "path", "caf\xc3\xa9");
    file(&tar, "f", "data", 4);
    end(&tar);
    cr_assert_eq(write(archive[1], tar.data, tar.len), (ssize_t)tar.len);
    close(archive[1]);
    collect(&run, pid, records);
    find_last(&run);
    cr_assert_eq(run.last.kind, WIRE_END, "%s", run.message);
    struct wire_record rec;
    entry(&run, 0, &rec);
    holds(&run, &rec, "data");
}
