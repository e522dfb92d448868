/* What the built helper says of an archive and writes of it, and that it is in its jail before it
 * reads. */
#include "helper_run.h"

#include "base/cleanup.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

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
        tar_header(&tar, kinds[i].type, "name", kinds[i].link, 0);
    tar_end(&tar);
    struct run run CLEANUP_RUN = run_tar(&tar);
    cr_assert_eq(run.last.kind, WIRE_END);
    cr_assert_eq(run.last.consumed, tar.len);
    cr_assert_eq(run_entries(&run), (int)ARRAY_SIZE(kinds));
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        struct wire_record rec;
        const char *strings = run_entry(&run, (int)i, &rec);
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
            tar_file(&tar, "f", data + i, sizes[i] - (sizes[i] == 300000) * i);
        tar_end(&tar);
        if (packed)
            tar_gzip(&tar);
        struct run run CLEANUP_RUN = run_tar(&tar);
        cr_assert_eq(run.last.kind, WIRE_END, "%s", run.message);
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
            struct wire_record rec;
            run_entry(&run, (int)i, &rec);
            cr_assert_eq(rec.size, sizes[i] - (sizes[i] == 300000) * i);
            if (rec.size)
                run_holds(&run, &rec, data + i);
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
    tar_pax_record(&records, "GNU.sparse.size", "50000000", 8);
    tar_pax_record(&records, "GNU.sparse.numblocks", "2", 1);
    tar_pax_record(&records, "GNU.sparse.map", "1000,3,40000000,3", 17);
    tar_pax(&tar, &records);
    tar_file(&tar, "sparse", "abcdef", 6);
    tar_file(&tar, "after", "x", 1);
    tar_end(&tar);
    struct run run CLEANUP_RUN = run_tar(&tar);
    cr_assert_eq(run.last.kind, WIRE_END, "%s", run.message);
    struct wire_record rec, after;
    run_entry(&run, 0, &rec);
    run_entry(&run, 1, &after);
    cr_assert_eq(rec.size, 50000000);
    cr_assert_geq(after.offset, rec.offset + rec.size);
    run_holds(&run, &after, "x");
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
        tar_pax_one(&tar, "path", names[i]);
        tar_header(&tar, '0', "short", NULL, 0);
        tar_header(&tar, '0', names[i], NULL, 0);
    }
    tar_pax_one(&tar, "linkpath", names[0]);
    tar_header(&tar, '2', "l", "short", 0);
    tar_end(&tar);
    struct run run CLEANUP_RUN = run_tar(&tar);
    cr_assert_eq(run.last.kind, WIRE_END, "%s", run.message);
    struct wire_record rec;
    const char *strings;
    for (size_t i = 0; i < 2 * ARRAY_SIZE(names); i++) {
        strings = run_entry(&run, (int)i, &rec);
        cr_assert_eq(rec.path_len, strlen(names[i / 2]));
        cr_assert_eq(memcmp(strings, names[i / 2], rec.path_len), 0);
    }
    strings = run_entry(&run, 2 * ARRAY_SIZE(names), &rec);
    cr_assert_eq(rec.target_len, strlen(names[0]));
    cr_assert_eq(memcmp(strings + 1, names[0], rec.target_len), 0);
}

/* Headers lie across the pieces in which the archive is read, wherever those end. */
Test(unpack, sees_all_headers_of_a_long_archive)
{
    enum { ENTRIES = 1500 };
    struct text tar CLEANUP_TEXT = {0};
    char path[400], body[700];
    memset(path, 'p', sizeof path);
    memset(body, 'b', sizeof body);
    for (int i = 0; i < ENTRIES; i++) {
        snprintf(path + 200, 16, "%d", i);
        tar_pax_one(&tar, "path", path);
        tar_file(&tar, "short", body, (size_t)i % sizeof body);
    }
    tar_end(&tar);
    struct run run CLEANUP_RUN = run_tar(&tar);
    cr_assert_eq(run.last.kind, WIRE_END, "%s", run.message);
    cr_assert_eq(run_entries(&run), ENTRIES);
}

Test(unpack, hands_over_each_xattr_once)
{
    struct text tar CLEANUP_TEXT = {0}, records CLEANUP_TEXT = {0};
    tar_pax_record(&records, "SCHILY.xattr.user.a", "old", 3);
    tar_pax_record(&records, "LIBARCHIVE.xattr.user.a", "AAEC", 4);
    tar_pax_record(&records, "SCHILY.xattr.user.a", "\0\1\2", 3);
    tar_pax(&tar, &records);
    tar_file(&tar, "f", "", 0);
    tar_end(&tar);
    struct run run CLEANUP_RUN = run_tar(&tar);
    cr_assert_eq(run.last.kind, WIRE_END, "%s", run.message);
    struct wire_record rec;
    const char *strings = run_entry(&run, 0, &rec);
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
        {"-1.5", -2, 500000000},
        {"-100.000000001", -101, 999999999},
        {"99999999999", 0, 0},
        {"9223372036854775807", 0, 0},
        {"nan", 0, 0},
        {"1e300", 1, 0},
    };
    struct text tar CLEANUP_TEXT = {0};
    for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
        tar_pax_one(&tar, "mtime", times[i].pax);
        tar_header(&tar, '5', "d", NULL, 0);
    }
    tar_end(&tar);
    struct run run CLEANUP_RUN = run_tar(&tar);
    cr_assert_eq(run.last.kind, WIRE_END, "%s", run.message);
    for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
        struct wire_record rec;
        run_entry(&run, (int)i, &rec);
        cr_assert_eq(rec.mtime, times[i].sec, "%s", times[i].pax);
        cr_assert_eq(rec.mtime_nsec, times[i].nsec, "%s", times[i].pax);
    }
}

Test(unpack, shows_progress_within_a_file)
{
    char *data CLEANUP_FREE = calloc(1, 8 << 20);
    struct text tar CLEANUP_TEXT = {0};
    tar_file(&tar, "f", data, 8 << 20);
    tar_end(&tar);
    struct run run CLEANUP_RUN = run_tar(&tar);
    struct wire_record rec;
    uint64_t consumed = 0, produced = 0;
    int n = 0;
    for (size_t at = 0; run_next(&run, &at, &rec) && rec.kind == WIRE_PROGRESS; n++) {
        cr_assert_geq(rec.consumed, consumed);
        cr_assert_gt(rec.size, produced);
        produced = rec.size;
        consumed = rec.consumed;
    }
    cr_assert_eq(rec.kind, WIRE_ENTRY);
    cr_assert_geq(n, 7);
}

Test(unpack, takes_an_archive_of_nothing_and_one_without_an_end)
{
    struct text tar CLEANUP_TEXT = {0};
    tar_end(&tar);
    struct run empty CLEANUP_RUN = run_tar(&tar);
    cr_assert_eq(empty.last.kind, WIRE_END);
    cr_assert_eq(run_entries(&empty), 0);
    struct text open CLEANUP_TEXT = {0};
    tar_file(&open, "f", "x", 1);
    struct run run CLEANUP_RUN = run_tar(&open);
    cr_assert_eq(run.last.kind, WIRE_END);
}

Test(unpack, takes_what_follows_the_end)
{
    struct text tar CLEANUP_TEXT = {0};
    tar_file(&tar, "f", "x", 1);
    tar_end(&tar);
    tar_file(&tar, "second", "x", 1);
    text_add(&tar, "noise");
    struct run run CLEANUP_RUN = run_tar(&tar);
    cr_assert_eq(run.last.kind, WIRE_END, "%s", run.message);
    cr_assert_eq(run_entries(&run), 1);
    cr_assert_eq(run.last.consumed, tar.len);
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
    pid_t pid = run_start(archive[0], run.data, run_usual, &records);
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
    tar_pax_one(&tar, "path", "caf\xc3\xa9");
    tar_file(&tar, "f", "data", 4);
    tar_end(&tar);
    cr_assert_eq(write(archive[1], tar.data, tar.len), (ssize_t)tar.len);
    close(archive[1]);
    run_collect(&run, pid, records);
    run_find_last(&run);
    cr_assert_eq(run.last.kind, WIRE_END, "%s", run.message);
    struct wire_record rec;
    run_entry(&run, 0, &rec);
    run_holds(&run, &rec, "data");
}
