#include "stages/unpack/wire_read.h"

#include "base/io.h"
#include "wire_build.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct fixture {
    struct wire_read w;
    struct wire_item item;
    struct err err;
    int in, out;
};

static struct fixture *fixture(int cancel_fd, int64_t stall_ms)
{
    struct fixture *f = calloc(1, sizeof *f);
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    f->in = ends[0];
    f->out = ends[1];
    cr_assert_eq(wire_read_init(&f->w, f->in, cancel_fd, stall_ms, INT64_MAX, &f->err), 0);
    return f;
}

static void done(struct fixture *f)
{
    close(f->in);
    if (f->out >= 0)
        close(f->out);
    free(f);
}

/* All of it fits into the pipe. */
static void say(struct fixture *f, const void *bytes, size_t n)
{
    cr_assert_eq(io_write(f->out, bytes, n), 0);
    close(f->out);
    f->out = -1;
}

static int next(struct fixture *f)
{
    f->err = (struct err){0};
    return wire_read_next(&f->w, &f->item, &f->err);
}

static void sample(struct text *t)
{
    struct text x CLEANUP_TEXT = {0};
    wire_add_xattr(&x, "user.a", "value", 5);
    wire_add_file(t, "dir/file", 4096, 10);
    wire_add(t, (struct wire_record){.kind = WIRE_ENTRY, .type = WIRE_SYMLINK}, "link", "target",
             x.data, x.len);
    wire_add(t, (struct wire_record){.kind = WIRE_PROGRESS, .consumed = 77}, "", "", "", 0);
    wire_add_end(t);
}

Test(wire_read, records_one_at_a_time)
{
    struct text t CLEANUP_TEXT = {0};
    struct fixture *f = fixture(-1, 5000);
    sample(&t);
    say(f, t.data, t.len);
    cr_assert_eq(next(f), 1);
    cr_assert(f->item.head.type == WIRE_FILE && f->item.head.size == 10);
    cr_assert_eq(memcmp(f->item.path, "dir/file", 8), 0);
    cr_assert_eq(next(f), 1);
    cr_assert_eq(memcmp(f->item.path, "linktarget", 10), 0);
    cr_assert_eq(memcmp(f->item.target, "target", 6), 0);
    cr_assert_eq(f->item.head.xattrs_len, 15);
    cr_assert_eq(memcmp(f->item.xattrs + 4, "user.avalue", 11), 0);
    cr_assert_eq(next(f), 1);
    cr_assert_eq(f->item.head.consumed, 77);
    cr_assert_eq(next(f), 1);
    cr_assert_eq(f->item.head.kind, WIRE_END);
    cr_assert_eq(next(f), 0);
    done(f);
}

Test(wire_read, every_truncation_is_an_error)
{
    struct text t CLEANUP_TEXT = {0};
    sample(&t);
    size_t whole[5] = {0}, n = 0;
    for (size_t at = 0; at < t.len; n++) {
        struct wire_record h;
        memcpy(&h, t.data + at, sizeof h);
        at += h.length;
        whole[n + 1] = at;
    }
    for (size_t cut = 0; cut < t.len; cut++) {
        struct fixture *f = fixture(-1, 5000);
        bool between = false;
        for (size_t i = 0; i < 5; i++)
            between = between || whole[i] == cut;
        say(f, t.data, cut);
        int r;
        while ((r = next(f)) == 1)
            ;
        cr_assert_eq(r, between ? 0 : -EPIPE, "cut at %zu: %d", cut, r);
        done(f);
    }
}

/* One record whose header is changed by `change`; must be refused. */
static void refuses(const char *what, void (*change)(struct wire_record *h))
{
    struct text t CLEANUP_TEXT = {0};
    struct wire_record h;
    struct fixture *f = fixture(-1, 5000);
    wire_add_file(&t, "abcd", 4096, 1);
    memcpy(&h, t.data, sizeof h);
    change(&h);
    memcpy(t.data, &h, sizeof h);
    say(f, t.data, t.len);
    cr_assert_eq(next(f), -EPROTO, "%s", what);
    cr_assert_eq(f->err.code, ERR_INTERNAL, "%s", what);
    done(f);
}

#define CHANGE(name, statement)                                                                    \
    static void name(struct wire_record *h)                                                        \
    {                                                                                              \
        statement;                                                                                 \
    }
CHANGE(wrong_magic, h->magic++)
CHANGE(no_length, h->length = 0)
CHANGE(short_length, h->length = sizeof *h - 1)
CHANGE(oversize, h->length = WIRE_RECORD_MAX + 1)
CHANGE(huge, h->length = UINT32_MAX)
CHANGE(longer_than_strings, h->length++)
CHANGE(path_too_long, h->path_len++)
CHANGE(sum_wraps, (h->path_len = UINT32_MAX, h->target_len = 5))
CHANGE(sum_huge, h->path_len = h->target_len = h->xattrs_len = UINT32_MAX)
CHANGE(no_kind, h->kind = 0)
CHANGE(unknown_kind, h->kind = WIRE_ERROR + 1)
CHANGE(no_type, h->type = 0)
CHANGE(unknown_type, h->type = WIRE_SOCKET + 1)
CHANGE(mode_with_type, h->mode = 0100644)
CHANGE(long_second, h->mtime_nsec = 1000000000)
CHANGE(reserved, h->reserved = 1)
CHANGE(target_of_file, (h->path_len = 2, h->target_len = 2))
CHANGE(size_of_directory, h->type = WIRE_DIR)
CHANGE(broken_xattrs, (h->path_len = 1, h->xattrs_len = 3))
CHANGE(end_with_strings, h->kind = WIRE_END)
CHANGE(progress_with_strings, h->kind = WIRE_PROGRESS)
CHANGE(error_with_xattrs, (h->kind = WIRE_ERROR, h->path_len = 0, h->xattrs_len = 4))
#define REFUSES(name) refuses(#name, name)

Test(wire_read, fields_that_cannot_be)
{
    REFUSES(wrong_magic);
    REFUSES(no_length);
    REFUSES(short_length);
    REFUSES(oversize);
    REFUSES(huge);
    REFUSES(longer_than_strings);
    REFUSES(path_too_long);
    REFUSES(sum_wraps);
    REFUSES(sum_huge);
    REFUSES(no_kind);
    REFUSES(unknown_kind);
    REFUSES(no_type);
    REFUSES(unknown_type);
    REFUSES(mode_with_type);
    REFUSES(long_second);
    REFUSES(reserved);
    REFUSES(target_of_file);
    REFUSES(size_of_directory);
    REFUSES(broken_xattrs);
    REFUSES(end_with_strings);
    REFUSES(progress_with_strings);
    REFUSES(error_with_xattrs);
}

Test(wire_read, xattrs_that_do_not_add_up)
{
    const struct {
        uint16_t name_len, value_len;
        size_t n;
        int want;
    } cases[] = {{1, 1, 6, 1},       {0, 0, 4, 1},
                 {2, 1, 6, -EPROTO}, {65535, 65535, 6, -EPROTO},
                 {1, 0, 6, -EPROTO}, {0, 0, 3, -EPROTO}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct text t CLEANUP_TEXT = {0};
        struct fixture *f = fixture(-1, 5000);
        char xattrs[6] = {0};
        memcpy(xattrs, &cases[i], 4);
        wire_add(&t, (struct wire_record){.kind = WIRE_ENTRY, .type = WIRE_FILE}, "f", "", xattrs,
                 cases[i].n);
        say(f, t.data, t.len);
        cr_assert_eq(next(f), cases[i].want, "case %zu", i);
        done(f);
    }
}

Test(wire_read, noise)
{
    unsigned seed = 12345;
    for (int round = 0; round < 2000; round++) {
        struct text t CLEANUP_TEXT = {0};
        struct fixture *f = fixture(-1, 5000);
        sample(&t);
        for (int flips = 0; flips < 4; flips++) {
            seed = seed * 1103515245 + 12345;
            t.data[seed / 65536 % t.len] ^= (char)(1u << (seed >> 8) % 8);
        }
        say(f, t.data, t.len);
        int r, records = 0;
        while ((r = next(f)) == 1)
            cr_assert_lt(++records, 10);
        cr_assert(r == 0 || r == -EPROTO || r == -EPIPE, "%d", r);
        done(f);
    }
}

Test(wire_read, the_longest_record)
{
    static char path[WIRE_RECORD_MAX];
    struct text t CLEANUP_TEXT = {0};
    memset(path, 'p', sizeof path - sizeof(struct wire_record) - 1);
    for (int i = 0; i < 5; i++)
        wire_add_file(&t, path, 0, 0);
    struct fixture *f = fixture(-1, 5000);
    fcntl(f->out, F_SETPIPE_SZ, 1 << 20);
    say(f, t.data, t.len);
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(next(f), 1);
        cr_assert_eq(memcmp(f->item.path, path, strlen(path)), 0);
    }
    cr_assert_eq(next(f), 0);
    done(f);
}

Test(wire_read, silence_ends)
{
    struct text t CLEANUP_TEXT = {0};
    struct fixture *f = fixture(-1, 150);
    int64_t began = text_monotonic_ms();
    cr_assert_eq(next(f), -ETIMEDOUT);
    cr_assert_eq(f->err.code, ERR_INTERNAL);
    sample(&t);
    wire_read_news(&f->w);
    cr_assert_eq(io_write(f->out, t.data, 20), 0);
    cr_assert_eq(next(f), -ETIMEDOUT);
    int64_t took = text_monotonic_ms() - began;
    cr_assert(took >= 300 && took < 3000, "%lld", (long long)took);
    done(f);
}

Test(wire_read, cancel_ends_the_wait_and_goes_before_records)
{
    struct text t CLEANUP_TEXT = {0};
    int cancel[2];
    cr_assert_eq(pipe(cancel), 0);
    struct fixture *f = fixture(cancel[0], 60000);
    pid_t pid = fork();
    if (pid == 0) {
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
        _exit(write(cancel[1], "x", 1) != 1);
    }
    int64_t began = text_monotonic_ms();
    cr_assert_eq(next(f), -ECANCELED);
    cr_assert_eq(f->err.code, ERR_CANCELLED);
    cr_assert_lt(text_monotonic_ms() - began, 5000);
    sample(&t);
    say(f, t.data, t.len);
    cr_assert_eq(next(f), -ECANCELED);
    waitpid(pid, NULL, 0);
    done(f);
}

/* Four records, a byte at a time. */
static int read_slowly(int64_t stall_ms, bool news, int *records)
{
    struct text t CLEANUP_TEXT = {0};
    struct fixture *f = fixture(-1, stall_ms);
    sample(&t);
    pid_t pid = fork();
    if (pid == 0) {
        for (size_t i = 0; i < t.len; i++) {
            if (write(f->out, t.data + i, 1) != 1)
                _exit(1);
            nanosleep(&(struct timespec){.tv_nsec = 4000000}, NULL);
        }
        _exit(0);
    }
    close(f->out);
    f->out = -1;
    int r;
    for (*records = 0; (r = next(f)) == 1; ++*records)
        if (news)
            wire_read_news(&f->w);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    done(f);
    return r;
}

Test(wire_read, a_slow_peer_is_not_an_idle_one)
{
    int records;
    cr_assert_eq(read_slowly(20000, true, &records), 0);
    cr_assert_eq(records, 4);
    cr_assert_eq(read_slowly(200, false, &records), -ETIMEDOUT);
    cr_assert_lt(records, 4);
}

/* Says the same for ever, at full speed. */
static void flood(struct fixture *f, const struct text *t, pid_t *pid)
{
    *pid = fork();
    if (*pid == 0) {
        signal(SIGPIPE, SIG_DFL);
        while (io_write(f->out, t->data, t->len) == 0)
            ;
        _exit(0);
    }
    close(f->out);
    f->out = -1;
}

Test(wire_read, who_never_stops_is_ended)
{
    for (int news = 0; news < 2; news++) {
        struct text t CLEANUP_TEXT = {0};
        struct fixture *f = fixture(-1, news ? 60000 : 200);
        pid_t pid;
        if (news)
            f->w.end = text_monotonic_ms() + 200;
        wire_add(&t, (struct wire_record){.kind = WIRE_PROGRESS}, "", "", "", 0);
        flood(f, &t, &pid);
        int r;
        while ((r = next(f)) == 1)
            if (news)
                wire_read_news(&f->w);
        cr_assert_eq(r, news ? -ETIME : -ETIMEDOUT, "%d", r);
        cr_assert_eq(f->err.code, news ? ERR_TOO_LARGE_TOTAL : ERR_INTERNAL);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        done(f);
    }
}
