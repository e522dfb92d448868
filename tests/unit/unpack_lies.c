/* A helper that was taken over: whatever it says, nothing gets past the policy, and it can neither
 * make the parent wait for ever nor grow. */
#include "base/boot.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "fake_helper.h"
#include "stages/stage.h"
#include "wire_build.h"

#include "stages/unpack/sink.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Of memory, over all rounds: ten times of what it is. AddressSanitizer keeps 256 MiB of what is
 * freed. */
#ifdef __SANITIZE_ADDRESS__
#define GROWTH_KIB (384 << 10)
#else
#define GROWTH_KIB (8 << 10)
#endif

#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

#define MAX_FILES 2000
#define MAX_SIZE  12288
#define MAX_TOTAL (8 << 20)

struct fixture {
    char dir[64], store[80], helper[PATH_MAX];
    struct paths paths;
    struct stage_settings settings;
    struct stage_job job;
    struct stage_result result;
    struct err err;
};

static void progress(void *ctx, int64_t done, int64_t total)
{
    cr_assert(done >= 0 && done <= total);
}

static void fixture(struct fixture *f)
{
    *f = (struct fixture){.dir = "/tmp/unpack_lies.XXXXXX"};
    cr_assert(mkdtemp(f->dir));
    cr_assert_gt(readlink("/proc/self/exe", f->helper, sizeof f->helper - 1), 0);
    strcpy(strrchr(f->helper, '/') + 1, "fake_helper");
    snprintf(f->store, sizeof f->store, "%s/store", f->dir);
    cr_assert_eq(paths_open(&f->paths, f->store, &f->err), 0, "%s", f->err.text);
    f->settings = (struct stage_settings){.limits = {MAX_FILES, MAX_SIZE, MAX_TOTAL, INT64_MAX},
                                          .helper = f->helper,
                                          .sink = &sink_dir,
                                          .helper_stall = 60000,
                                          .helper_grace = 10000};
    f->job = (struct stage_job){.name = "test",
                                .sha256 = SHA,
                                .paths = &f->paths,
                                .settings = &f->settings,
                                .cancel_fd = -1,
                                .progress = progress};
}

static void done(struct fixture *f)
{
    paths_close(&f->paths);
    cr_assert_eq(io_remove_tree(AT_FDCWD, f->dir), 0);
}

static int run(struct fixture *f, enum fake_action action, uint32_t arg, const struct text *wire)
{
    struct fake_script s = {action, arg, 0, wire->len};
    int fd CLEANUP_CLOSE = openat(f->paths.blobs, SHA ".tar", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    cr_assert(fd >= 0 && io_write(fd, &s, sizeof s) == 0 &&
              io_write(fd, wire->data, wire->len) == 0);
    boot_mark(fd); /* else its digest would be looked at, which is not SHA */
    f->err = (struct err){0};
    f->result = (struct stage_result){0};
    int r = unpack_run(&f->job, &f->result, &f->err);
    cr_assert(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
    return r;
}

/* ---- what it may leave behind ---- */

static struct {
    enum policy policy;
    const char *store;
    size_t nodes;
    uint64_t bytes;
} seen;

/* No more components up than there are to the root of the image, read as text. */
static void stays_inside(const char *path, int level)
{
    char target[PATH_MAX];
    ssize_t n = readlink(path, target, sizeof target - 1);
    cr_assert_gt(n, 0);
    target[n] = '\0';
    int depth = 0, lowest = 0;
    if (*target == '/' || seen.policy == POLICY_FAITHFUL)
        return;
    for (char *part = strtok(target, "/"); part; part = strtok(NULL, "/")) {
        depth += strcmp(part, "..") == 0 ? -1 : strcmp(part, ".") != 0;
        lowest = depth < lowest ? depth : lowest;
    }
    cr_assert_leq(-lowest, level, "%s", path);
}

static int look(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    const char *root = strstr(path, "/rootfs/");
    if (!root)
        return 0;
    int level = 0;
    for (const char *p = root + 8; *p; p++)
        level += *p == '/';
    seen.nodes++;
    cr_assert_leq(strlen(root + 8), LIMIT_PATH_MAX);
    if (S_ISREG(st->st_mode)) {
        cr_assert_leq(st->st_size, MAX_SIZE);
        seen.bytes += (uint64_t)st->st_size / st->st_nlink;
    }
    if (S_ISLNK(st->st_mode))
        stays_inside(path, level + 1);
    else if (seen.policy == POLICY_STRICT) {
        cr_assert(S_ISREG(st->st_mode) || S_ISDIR(st->st_mode), "%s", path);
        cr_assert_eq(st->st_mode & 07777 & ~0755u, 0, "%s has mode %o", path, st->st_mode);
    }
    return 0;
}

/* Discarded ones included: they lie in the trash until it is emptied. */
static void check_store(struct fixture *f)
{
    static const char *const ours[] = {"blobs", "images", "overlays", "active"};
    seen.policy = f->job.policy;
    seen.nodes = seen.bytes = 0;
    cr_assert_eq(nftw(f->store, look, 64, FTW_PHYS | FTW_MOUNT), 0);
    cr_assert_leq(seen.nodes, MAX_FILES);
    cr_assert_leq(seen.bytes, MAX_TOTAL);
    DIR *d CLEANUP_CLOSEDIR = opendir(f->dir);
    for (struct dirent *e; (e = readdir(d));)
        cr_assert(e->d_name[0] == '.' || !strcmp(e->d_name, "store") ||
                      !strcmp(e->d_name, "outside"),
                  "%s", e->d_name);
    DIR *s CLEANUP_CLOSEDIR = opendir(f->store);
    for (struct dirent *e; (e = readdir(s));) {
        bool known = e->d_name[0] == '.' || strcmp(e->d_name, "lock") == 0;
        for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
            known = known || strcmp(e->d_name, ours[i]) == 0;
        cr_assert(known, "%s", e->d_name);
    }
}

static long peak_kib(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

Test(lies, nothing_gets_past_the_policy, .timeout = 110)
{
    struct fixture f;
    struct text end CLEANUP_TEXT = {0};
    int made = 0, refused = 0;
    int64_t stop = text_monotonic_ms() + 20000;
    const char *more = getenv("IMGSTORE_LIES"); /* rounds; not by the clock then */
    long before = peak_kib();
    wire_add_end(&end);
    fixture(&f);
    for (uint32_t seed = 0; more ? seed < (uint32_t)atoi(more)
                                 : seed < 24 || (seed < 200 && text_monotonic_ms() < stop);
         seed++) {
        f.job.policy = seed & 4 ? POLICY_FAITHFUL : POLICY_STRICT;
        f.settings.limits.max_files = seed & 8 ? 300 : MAX_FILES;
        if (geteuid() != 0)
            f.job.policy = POLICY_STRICT;
        int r = run(&f, FAKE_FUZZ, seed, &end);
        made += r == 0;
        refused += r < 0;
        cr_assert(r == 0 || (f.err.num == -r && f.err.text[0]), "seed %u", seed);
        for (const char *p = f.err.text; *p; p++)
            cr_assert(*p >= 0x20 && *p < 0x7f, "seed %u: %s", seed, f.err.text);
        check_store(&f);
        cr_assert_eq(io_remove_tree(f.paths.root, "images"), 0);
        paths_close(&f.paths);
        cr_assert_eq(paths_open(&f.paths, f.store, &f.err), 0);
    }
    cr_log_info("%d made, %d refused", made, refused);
    cr_assert(made > 0 && refused > 0, "%d made, %d refused", made, refused);
    cr_assert_lt(peak_kib() - before, GROWTH_KIB);
    done(&f);
}

static int64_t ends(enum fake_action action, uint32_t arg, const struct text *wire, int want)
{
    struct fixture f;
    fixture(&f);
    f.settings.helper_stall = f.settings.helper_grace = want == -ETIMEDOUT ? 300 : 60000;
    f.settings.helper_total = want == -ETIME ? 600 : 600000;
    int64_t began = text_monotonic_ms();
    int r = run(&f, action, arg, wire);
    cr_assert_eq(r, want, "%d: %s", r, f.err.text);
    int64_t took = text_monotonic_ms() - began;
    check_store(&f);
    done(&f);
    return took;
}

static void add_progress(struct text *t, uint64_t consumed, uint64_t produced)
{
    wire_add(t, (struct wire_record){.kind = WIRE_PROGRESS, .consumed = consumed, .size = produced},
             "", "", "", 0);
}

/* Times with room for a machine that is busy; without a bound there would be no end at all. Only
 * where it is the time that ends it, it is short. */
Test(lies, a_helper_that_never_ends_is_ended)
{
    struct text progress CLEANUP_TEXT = {0}, end CLEANUP_TEXT = {0}, half CLEANUP_TEXT = {0};
    struct text news CLEANUP_TEXT = {0};
    add_progress(&progress, UINT64_MAX, UINT64_MAX);
    cr_assert_lt(ends(FAKE_FLOOD, 0, &progress, -ETIMEDOUT), 20000);
    cr_assert_lt(ends(FAKE_HANG, 0, &progress, -ETIMEDOUT), 20000);
    wire_add_file(&half, "a-file-with-a-name-of-some-length", 0, 0);
    cr_assert_lt(ends(FAKE_SLOW, 20, &half, -ETIMEDOUT), 20000);
    wire_add_end(&end);
    cr_assert_lt(ends(FAKE_HANG, 0, &end, -ETIMEDOUT), 20000);
    cr_assert_lt(ends(FAKE_LINGER, 0, &end, -ETIMEDOUT), 20000);
    cr_assert_lt(ends(FAKE_FLOOD, 0, &end, -EPROTO), 20000);
    for (int i = 1; i < 4000; i++)
        add_progress(&news, 0, (uint64_t)i);
    cr_assert_lt(ends(FAKE_SLOW, 1, &news, -ETIME), 20000);
}

/* The same path again and again is an entry each time. */
Test(lies, memory_and_work_end_at_max_files)
{
    struct text same CLEANUP_TEXT = {0}, deep CLEANUP_TEXT = {0};
    char path[LIMIT_PATH_MAX + 1];
    long before = peak_kib();
    wire_add_file(&same, "same", 0, 0);
    cr_assert_lt(ends(FAKE_FLOOD, 0, &same, -E2BIG), 60000);
    /* 2,000 directories implied by each entry, none of them the other's. */
    for (int i = 0; i < 3; i++) {
        for (size_t at = 0; at < LIMIT_PATH_MAX - 1; at += 2) {
            path[at] = (char)('a' + i);
            path[at + 1] = '/';
        }
        path[LIMIT_PATH_MAX - 2] = '\0';
        wire_add_file(&deep, path, 0, 0);
    }
    cr_assert_lt(ends(FAKE_FLOOD, 0, &deep, -E2BIG), 60000);
    cr_assert_lt(peak_kib() - before, GROWTH_KIB);
}
