#include "base/boot.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "fake_helper.h"
#include "stages/stage.h"
#include "stages/unpack/info.h"
#include "wire_build.h"

#include "stages/unpack/sink.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

struct fixture {
    char dir[64], helper[PATH_MAX];
    struct paths paths;
    struct stage_settings settings;
    struct stage_job job;
    struct stage_result result;
    struct err err;
    struct text data, wire;
    int64_t last_done, last_total;
    bool fell;
};

static void progress(void *ctx, int64_t done, int64_t total)
{
    struct fixture *f = ctx;
    f->fell = f->fell || done < f->last_done || done > total;
    f->last_done = done;
    f->last_total = total;
}

static struct fixture *fixture(void)
{
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->dir, "/tmp/unpack_run.XXXXXX");
    cr_assert(mkdtemp(f->dir));
    ssize_t n = readlink("/proc/self/exe", f->helper, sizeof f->helper - 1);
    cr_assert_gt(n, 0);
    strcpy(strrchr(f->helper, '/') + 1, "fake_helper");
    cr_assert_eq(paths_open(&f->paths, f->dir, &f->err), 0, "%s", f->err.text);
    f->settings = (struct stage_settings){.limits = {10000, 100 << 20, 10LL << 30, 10LL << 30},
                                          .helper = f->helper,
                                          .sink = &sink_dir};
    f->job = (struct stage_job){.name = "test",
                                .sha256 = SHA,
                                .policy = POLICY_STRICT,
                                .paths = &f->paths,
                                .settings = &f->settings,
                                .cancel_fd = -1,
                                .progress = progress,
                                .ctx = f};
    return f;
}

static void done(struct fixture *f)
{
    paths_close(&f->paths);
    text_free(&f->data);
    text_free(&f->wire);
    cr_assert_eq(io_remove_tree(AT_FDCWD, f->dir), 0);
    free(f);
}

static void put_blob(struct fixture *f, enum fake_action action, uint32_t arg)
{
    struct fake_script s = {action, arg, f->data.len, f->wire.len};
    int fd CLEANUP_CLOSE = openat(f->paths.blobs, SHA ".tar", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    cr_assert(fd >= 0);
    cr_assert(io_write(fd, &s, sizeof s) == 0 && io_write(fd, f->data.data, f->data.len) == 0);
    cr_assert_eq(io_write(fd, f->wire.data, f->wire.len), 0);
    boot_mark(fd); /* else its digest would be looked at, which is not SHA */
}

static int run(struct fixture *f, enum fake_action action, uint32_t arg)
{
    put_blob(f, action, arg);
    f->err = (struct err){0};
    f->result = (struct stage_result){0};
    return unpack_run(&f->job, &f->result, &f->err);
}

static bool there(struct fixture *f, const char *path)
{
    return faccessat(f->paths.images, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Refused with that code, nothing kept, no child left. */
static void fails(struct fixture *f, enum fake_action action, uint32_t arg, enum err_code code)
{
    int r = run(f, action, arg);
    cr_assert_lt(r, 0);
    cr_assert_eq(f->err.code, code, "%s: %s", err_word(f->err.code), f->err.text);
    cr_assert_eq(f->err.num, -r);
    cr_assert_not(there(f, SHA ".part"));
    cr_assert_not(there(f, SHA));
    cr_assert(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

static void add_data(struct fixture *f, const char *s)
{
    text_add(&f->data, s);
    while (f->data.len % WIRE_BLOCK)
        text_addn(&f->data, "", 1);
}

static bool holds(struct fixture *f, const char *path, const char *want)
{
    char buf[256] = {0};
    int fd CLEANUP_CLOSE = openat(f->paths.images, path, O_RDONLY | O_NOFOLLOW);
    return fd >= 0 && io_read(fd, buf, sizeof buf - 1) >= 0 && strcmp(buf, want) == 0;
}

static void sample(struct fixture *f)
{
    add_data(f, "hello");
    add_data(f, "world");
    wire_add_file(&f->wire, "./a/b/f", WIRE_BLOCK, 5);
    wire_add_file(&f->wire, "g", 2 * WIRE_BLOCK, 5);
    wire_add_entry(&f->wire, WIRE_HARDLINK, "h", "a/b/f");
    wire_add_entry(&f->wire, WIRE_FIFO, "fifo", "");
    wire_add_entry(&f->wire, WIRE_HARDLINK, "fifo2", "fifo");
    wire_add(&f->wire, (struct wire_record){.kind = WIRE_PROGRESS, .consumed = 100}, "", "", "", 0);
    wire_add_end(&f->wire);
}

Test(unpack, from_records_to_a_published_image)
{
    struct fixture *f = fixture();
    sample(f);
    cr_assert_eq(run(f, FAKE_EXIT, 0), 0, "%s", f->err.text);
    cr_assert(there(f, SHA ".part/rootfs") && !there(f, SHA));
    cr_assert_not(there(f, SHA ".part/data"));
    cr_assert_eq(f->result.format, FORMAT_TAR);
    cr_assert(f->result.entries == 5 && f->result.bytes == 10 && f->result.skipped == 2);
    cr_assert(f->last_done == 100 && f->last_total == f->result.size && !f->fell);
    cr_assert_eq(publish_run(&f->job, &f->result, &f->err), 0, "%s", f->err.text);
    cr_assert(!there(f, SHA ".part") && there(f, SHA));
    cr_assert(holds(f, SHA "/rootfs/a/b/f", "hello") && holds(f, SHA "/rootfs/g", "world"));
    cr_assert(holds(f, SHA "/rootfs/h", "hello"));
    cr_assert_not(there(f, SHA "/rootfs/fifo"));
    done(f);
}

Test(unpack, a_second_name_is_told_what_the_first_was)
{
    struct fixture *f = fixture();
    sample(f);
    cr_assert_eq(run(f, FAKE_EXIT, 0), 0);
    int64_t size = f->result.size;
    cr_assert_eq(publish_run(&f->job, &f->result, &f->err), 0);
    unlinkat(f->paths.blobs, SHA ".tar", 0);
    f->settings.helper = "/nonexistent";
    for (int i = 0; i < 2; i++) {
        f->result = (struct stage_result){0};
        cr_assert_eq((i ? publish_run : unpack_run)(&f->job, &f->result, &f->err), 0);
        cr_assert(f->result.format == FORMAT_TAR && f->result.size == size);
        cr_assert(f->result.entries == 5 && f->result.bytes == 10 && f->result.skipped == 2);
    }
    done(f);
}

Test(unpack, policies_have_images_of_their_own)
{
    struct fixture *f = fixture();
    sample(f);
    f->job.policy = POLICY_FAITHFUL;
    cr_assert_eq(run(f, FAKE_EXIT, 0), 0, "%s", f->err.text);
    cr_assert_eq(publish_run(&f->job, &f->result, &f->err), 0);
    cr_assert(there(f, SHA ".faithful/rootfs/fifo2") && !there(f, SHA));
    cr_assert(f->result.entries == 7 && f->result.skipped == 0);
    done(f);
}

Test(unpack, no_blob)
{
    struct fixture *f = fixture();
    cr_assert_eq(unpack_run(&f->job, &f->result, &f->err), -EIO);
    cr_assert_eq(f->err.code, ERR_IO);
    cr_assert_eq(f->result.retry, RETRY_SCRATCH);
    done(f);
}

Test(unpack, a_leftover_is_replaced)
{
    struct fixture *f = fixture();
    sample(f);
    cr_assert_eq(mkdirat(f->paths.images, SHA ".part", 0700), 0);
    cr_assert_eq(mkdirat(f->paths.images, SHA ".part/rootfs", 0700), 0);
    cr_assert_eq(mkdirat(f->paths.images, SHA ".part/rootfs/old", 0700), 0);
    cr_assert_eq(run(f, FAKE_EXIT, 0), 0, "%s", f->err.text);
    cr_assert(there(f, SHA ".part/rootfs/g") && !there(f, SHA ".part/rootfs/old"));
    done(f);
}

Test(unpack, what_the_helper_is_given)
{
    struct fixture *f = fixture();
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGXCPU);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    cr_assert_eq(open("/dev/null", O_RDONLY), open("/dev/null", O_RDONLY) - 1); /* no O_CLOEXEC */
    f->settings.limits = (struct limits){1, 2, INT64_MAX, 4};
    cr_assert_eq(run(f, FAKE_TELL, 0), -5);
    cr_assert_str_eq(f->err.text, "fds 0 1 3; cloexec 0; data 1; archive 0; env 0; blocked 0; "
                                  "ignored 0; death 9; session 1; args 1 2 9223372036854775807");
    done(f);
}

/* The places of the helper's descriptors may be ours, in any order. */
Test(unpack, low_descriptors_are_no_trouble)
{
    struct fixture *f = fixture();
    sample(f);
    put_blob(f, FAKE_EXIT, 0);
    int out = dup(1), errs = dup(2);
    close(0);
    close(1);
    close(2);
    int r = unpack_run(&f->job, &f->result, &f->err);
    dup2(out, 1);
    dup2(errs, 2);
    cr_assert_eq(r, 0, "%s", f->err.text);
    done(f);
}

Test(unpack, no_helper)
{
    struct fixture *f = fixture();
    f->settings.helper = "/nonexistent/helper";
    fails(f, FAKE_EXIT, 0, ERR_INTERNAL);
    cr_assert(strstr(f->err.text, "/nonexistent/helper: No such file"));
    done(f);
}

Test(unpack, the_helpers_errors_are_passed_on)
{
    struct fixture *f = fixture();
    wire_add_file(&f->wire, "a", 0, 0);
    wire_add_error(&f->wire, ERR_UNSAFE_PATH, EBADMSG, "gzip:\n\x1b[31m \\303 \xff damaged");
    fails(f, FAKE_EXIT, 1, ERR_UNSAFE_PATH);
    cr_assert_str_eq(f->err.text, "gzip:\\n\\033[31m \\303 \\377 damaged");
    done(f);
}

Test(unpack, the_helper_cannot_say_what_is_not_its_to_say)
{
    const uint32_t codes[] = {0,  ERR_CANCELLED, ERR_CHECKSUM_MISMATCH, ERR_INTERRUPTED, ERR_CODES,
                              99, UINT32_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        struct fixture *f = fixture();
        wire_add_error(&f->wire, codes[i], i % 2 ? ECANCELED : UINT32_MAX, i ? "x" : "");
        fails(f, FAKE_EXIT, 0, ERR_INTERNAL);
        cr_assert_eq(f->err.num, EIO);
        cr_assert_gt(strlen(f->err.text), 0);
        done(f);
    }
}

Test(unpack, a_helper_that_dies)
{
    const struct {
        enum fake_action action;
        uint32_t arg;
        enum err_code code;
        const char *says;
    } cases[] = {
        {FAKE_EXIT, 0, ERR_INTERNAL, "without a last record"},
        {FAKE_EXIT, 3, ERR_INTERNAL, "status 3"},
        {FAKE_SIGNAL, SIGKILL, ERR_INTERNAL, "SIGKILL"},
        {FAKE_SIGNAL, SIGSYS, ERR_INTERNAL, "SIGSYS"},
        {FAKE_SIGNAL, SIGSEGV, ERR_INTERNAL, "SIGSEGV"},
        {FAKE_SIGNAL, SIGXFSZ, ERR_TOO_LARGE_TOTAL, "max_total_size"},
        {FAKE_SIGNAL, SIGXCPU, ERR_TOO_LARGE_TOTAL, "processor time"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        for (int within = 0; within < 2; within++) {
            struct fixture *f = fixture();
            wire_add_file(&f->wire, "a", 0, 0);
            f->wire.len -= (size_t)within; /* a record cut short */
            fails(f, cases[i].action, cases[i].arg, cases[i].code);
            cr_assert(strstr(f->err.text, cases[i].says), "%s", f->err.text);
            done(f);
        }
}

Test(unpack, an_end_that_is_none)
{
    struct fixture *f = fixture();
    sample(f);
    fails(f, FAKE_EXIT, 1, ERR_INTERNAL);
    fails(f, FAKE_SIGNAL, SIGKILL, ERR_INTERNAL);
    wire_add_file(&f->wire, "more", 0, 0);
    fails(f, FAKE_EXIT, 0, ERR_INTERNAL);
    cr_assert(strstr(f->err.text, "behind its last record"));
    done(f);
}

Test(unpack, garbage)
{
    struct fixture *f = fixture();
    wire_add_file(&f->wire, "a", 0, 0);
    text_add(&f->wire, "garbage, and enough of it that it can be taken for a whole header of a "
                       "record, which it is not, whatever it may say of itself; garbage it is");
    fails(f, FAKE_HANG, 0, ERR_INTERNAL);
    fails(f, FAKE_FLOOD, 0, ERR_INTERNAL);
    done(f);
}

Test(unpack, a_flood_of_records_ends_at_the_limit)
{
    struct fixture *f = fixture();
    for (int i = 0; i < 100; i++)
        wire_add_file(&f->wire, "same", 0, 0);
    fails(f, FAKE_FLOOD, 0, ERR_TOO_MANY_FILES);
    done(f);
}

Test(unpack, one_entry_too_many)
{
    for (int over = 0; over < 2; over++) {
        struct fixture *f = fixture();
        char path[32];
        for (int i = 0; i < 9999 + over; i++) {
            snprintf(path, sizeof path, "d/%d", i); /* d is the one more */
            wire_add_file(&f->wire, path, 0, 0);
        }
        wire_add_end(&f->wire);
        if (over) {
            fails(f, FAKE_EXIT, 0, ERR_TOO_MANY_FILES);
        } else {
            cr_assert_eq(run(f, FAKE_EXIT, 0), 0, "%s", f->err.text);
            cr_assert_eq(f->result.entries, 10000);
        }
        done(f);
    }
}

Test(unpack, each_rule_reaches_the_archive)
{
    const struct {
        enum wire_type type;
        const char *path, *target;
        enum err_code code;
    } cases[] = {
        {WIRE_FILE, "../x", "", ERR_UNSAFE_PATH},
        {WIRE_FILE, "/x", "", ERR_UNSAFE_PATH},
        {WIRE_SYMLINK, ".", "x", ERR_UNSAFE_PATH},
        {WIRE_FILE, "l/x", "", ERR_UNSAFE_PATH},
        {WIRE_FILE, "d", "", ERR_UNSAFE_PATH},
        {WIRE_SYMLINK, "x", "../../y", ERR_UNSAFE_LINK},
        {WIRE_HARDLINK, "x", "../y", ERR_UNSAFE_LINK},
        {WIRE_HARDLINK, "x", "nothing", ERR_UNSAFE_LINK},
        {WIRE_HARDLINK, "x", "d", ERR_UNSAFE_LINK},
        {WIRE_HARDLINK, "x", "d/up", ERR_UNSAFE_LINK},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fixture *f = fixture();
        wire_add_entry(&f->wire, WIRE_SYMLINK, "l", "/tmp");
        wire_add_entry(&f->wire, WIRE_SYMLINK, "d/up", "../..");
        wire_add_entry(&f->wire, cases[i].type, cases[i].path, cases[i].target);
        wire_add_end(&f->wire);
        fails(f, FAKE_EXIT, 0, cases[i].code);
        done(f);
    }
}

Test(unpack, a_helper_that_lies_about_places)
{
    struct fixture *f = fixture();
    add_data(f, "secret of the next file's");
    wire_add_file(&f->wire, "a", WIRE_BLOCK, 1 << 20);
    wire_add_file(&f->wire, "b", WIRE_BLOCK, 6);
    wire_add_file(&f->wire, "c", 1ull << 50, 6);
    wire_add_end(&f->wire);
    cr_assert_eq(run(f, FAKE_EXIT, 0), 0, "%s", f->err.text);
    struct stat st;
    cr_assert_eq(fstatat(f->paths.images, SHA ".part/rootfs/a", &st, 0), 0);
    cr_assert(st.st_size == 1 << 20 && st.st_blocks <= 8);
    cr_assert(holds(f, SHA ".part/rootfs/b", "secret"));
    cr_assert(holds(f, SHA ".part/rootfs/c", ""));
    done(f);
    f = fixture();
    wire_add_file(&f->wire, "a", WIRE_BLOCK + 1, 1);
    wire_add_end(&f->wire);
    fails(f, FAKE_EXIT, 0, ERR_INTERNAL);
    done(f);
}

Test(unpack, a_helper_that_lies_about_progress)
{
    struct fixture *f = fixture();
    const uint64_t said[] = {10, 5, UINT64_MAX, 0, 1ull << 63};
    for (size_t i = 0; i < ARRAY_SIZE(said); i++) {
        const struct wire_record r = {.kind = WIRE_PROGRESS, .consumed = said[i]};
        wire_add(&f->wire, r, "", "", "", 0);
    }
    wire_add_end(&f->wire);
    cr_assert_eq(run(f, FAKE_EXIT, 0), 0);
    cr_assert(!f->fell && f->last_done == f->last_total);
    done(f);
}

Test(unpack, a_slow_helper)
{
    struct fixture *f = fixture();
    sample(f);
    cr_assert_eq(run(f, FAKE_SLOW, 1), 0, "%s", f->err.text);
    done(f);
}

static void cancel_of(enum fake_action action)
{
    struct fixture *f = fixture();
    int cancel[2];
    cr_assert_eq(pipe2(cancel, O_CLOEXEC), 0);
    f->job.cancel_fd = cancel[0];
    wire_add(&f->wire, (struct wire_record){.kind = WIRE_PROGRESS}, "", "", "", 0);
    pid_t pid = fork();
    if (pid == 0) {
        nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
        _exit(write(cancel[1], "x", 1) != 1);
    }
    cr_assert_eq(run(f, action, 0), -ECANCELED);
    cr_assert(f->err.code == ERR_CANCELLED && !there(f, SHA ".part"));
    cr_assert(waitpid(pid, NULL, 0) == pid && waitpid(-1, NULL, 0) < 0 && errno == ECHILD);
    done(f);
}

Test(unpack, cancel_of_a_silent_and_of_a_busy_helper)
{
    cancel_of(FAKE_HANG);
    cancel_of(FAKE_FLOOD);
}

Test(unpack, failures_leave_only_trash)
{
    struct fixture *f = fixture();
    wire_add_file(&f->wire, "a/b/c", 0, 0);
    fails(f, FAKE_EXIT, 0, ERR_INTERNAL);
    cr_assert_eq(paths_empty_trash(f->paths.images, NULL, NULL), 0);
    cr_assert_eq(unlinkat(f->paths.root, "images", AT_REMOVEDIR), 0);
    done(f);
}

Test(publish, what_is_missing_is_fetched_anew_or_unpacked_again)
{
    struct fixture *f = fixture();
    cr_assert(publish_run(&f->job, &f->result, &f->err) == -EIO &&
              f->result.retry == RETRY_SCRATCH);
    sample(f);
    cr_assert_eq(run(f, FAKE_EXIT, 0), 0);
    cr_assert_eq(paths_discard(f->paths.images, SHA ".part", &f->err), 0);
    cr_assert(publish_run(&f->job, &f->result, &f->err) == 0 && there(f, SHA "/rootfs/g"));
    done(f);
}

Test(publish, ours_goes_where_one_is_there_already)
{
    struct fixture *f = fixture();
    sample(f);
    cr_assert_eq(run(f, FAKE_EXIT, 0), 0);
    cr_assert(mkdirat(f->paths.images, SHA, 0700) == 0 &&
              mkdirat(f->paths.images, SHA "/rootfs", 0700) == 0);
    cr_assert_eq(publish_run(&f->job, &f->result, &f->err), 0);
    cr_assert(!there(f, SHA ".part") && there(f, SHA) && !there(f, SHA "/rootfs/g"));
    cr_assert_eq(f->result.entries, -1);
    done(f);
}

/* As a power cut leaves it: a row that says unpacked, and who knows what on disk. */
Test(publish, a_part_of_another_boot_is_made_again)
{
    const char *stale[] = {NULL, "format tar\nentries 5\nboot 00000000-0000\n"};
    for (size_t i = 0; i < 2; i++) {
        struct fixture *f = fixture();
        sample(f);
        cr_assert_eq(run(f, FAKE_EXIT, 0), 0);
        cr_assert_eq(unlinkat(f->paths.images, SHA ".part/rootfs/g", 0), 0);
        cr_assert_eq(unlinkat(f->paths.images, SHA ".part/info", 0), 0);
        if (stale[i]) {
            int fd CLEANUP_CLOSE =
                openat(f->paths.images, SHA ".part/info", O_WRONLY | O_CREAT, 0600);
            cr_assert_eq(io_write(fd, stale[i], strlen(stale[i])), 0);
        }
        cr_assert_eq(publish_run(&f->job, &f->result, &f->err), 0, "%s", f->err.text);
        cr_assert(holds(f, SHA "/rootfs/g", "world"));
        done(f);
    }
}
