/* What the built helper refuses, how it says so, and that it soon does. */
#include "helper_run.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/limits.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static void refuses(const struct text *tar, const char *const limits[3], enum err_code code,
                    const char *says)
{
    struct run run CLEANUP_RUN = run_with(tar, memfd_create("data", MFD_CLOEXEC), limits);
    cr_assert_eq(run.last.kind, WIRE_ERROR, "%s", says);
    cr_assert_eq(run.last.mode, code, "%s: %s, %s", says, err_word(run.last.mode), run.message);
    cr_assert(strstr(run.message, says), "%s: %s", says, run.message);
    cr_assert_neq(run.last.error_num, 0);
}

Test(refuse, refuses_what_is_no_tar)
{
    struct text t CLEANUP_TEXT = {0};
    refuses(&t, run_usual, ERR_UNSUPPORTED_FORMAT, "empty");
    for (int i = 0; i < 1000; i++)
        text_add(&t, "some text\n");
    refuses(&t, run_usual, ERR_UNSUPPORTED_FORMAT, "no tar");
    tar_gzip(&t);
    refuses(&t, run_usual, ERR_UNSUPPORTED_FORMAT, "no tar");
    struct text twice CLEANUP_TEXT = {0};
    tar_file(&twice, "f", "x", 1);
    tar_end(&twice);
    tar_gzip(&twice);
    tar_gzip(&twice);
    refuses(&twice, run_usual, ERR_UNSUPPORTED_FORMAT, "no tar");
}

Test(refuse, refuses_damage)
{
    struct text tar CLEANUP_TEXT = {0}, bad CLEANUP_TEXT = {0};
    tar_file(&tar, "f", "0123456789", 10);
    text_addn(&bad, tar.data, tar.len);
    size_t second = tar.len;
    tar_file(&tar, "g", "0123456789", 10);
    for (size_t cut = 1; cut < 512; cut += 37) {
        struct text short_ = {.data = tar.data, .len = second + cut};
        refuses(&short_, run_usual, ERR_CORRUPT_ARCHIVE, "");
    }
    struct text body = {.data = tar.data, .len = second + 512 + 3};
    refuses(&body, run_usual, ERR_CORRUPT_ARCHIVE, "Truncated");
    tar.data[second + 10] ^= 1; /* the header's checksum fails: a retry for libarchive */
    refuses(&tar, run_usual, ERR_CORRUPT_ARCHIVE, "Damaged");
    tar.data[second + 10] ^= 1;
    tar_gzip(&tar);
    tar.data[tar.len - 5] ^= 1;
    refuses(&tar, run_usual, ERR_CORRUPT_ARCHIVE, "tar.gz: ");
}

Test(refuse, refuses_malformed_pax_records)
{
    static const char *const bad[] = {"path=x\n",    "0 path=x\n", "99 path=x\n",
                                      "-9 path=x\n", "5 =x\n",     "10 path=xyz"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct text tar CLEANUP_TEXT = {0}, records CLEANUP_TEXT = {0};
        text_add(&records, bad[i]);
        tar_pax(&tar, &records);
        tar_file(&tar, "f", "x", 1);
        tar_end(&tar);
        refuses(&tar, run_usual, ERR_CORRUPT_ARCHIVE, "");
        /* A GNU long link makes libarchive forget the warning. */
        struct text hidden CLEANUP_TEXT = {0};
        tar_header(&hidden, 'K', "././@LongLink", NULL, 2);
        text_add(&hidden, "t");
        tar_pad(&hidden);
        text_addn(&hidden, tar.data, tar.len);
        refuses(&hidden, run_usual, ERR_CORRUPT_ARCHIVE, "");
    }
}

static void refuses_record(const char *key, size_t key_len, const char *value, size_t n,
                           const char *says)
{
    struct text tar CLEANUP_TEXT = {0}, records CLEANUP_TEXT = {0};
    tar_pax_one(&tar, "path", "usual");
    tar_file(&tar, "usual", "x", 1);
    text_addf(&records, "%zu ", key_len + n + 5);
    cr_assert(key_len + n + 5 >= 10 && key_len + n + 5 < 100);
    text_addn(&records, key, key_len);
    text_add(&records, "=");
    text_addn(&records, value, n);
    text_add(&records, "\n");
    tar_pax(&tar, &records);
    tar_file(&tar, "f", "x", 1);
    tar_end(&tar);
    refuses(&tar, run_usual, ERR_CORRUPT_ARCHIVE, says);
}

/* libarchive takes what comes before the NUL for the name, and warns of nothing. */
Test(refuse, refuses_names_that_hold_a_nul)
{
    static const char *const keys[] = {"path", "linkpath", "uname", "gname", "GNU.sparse.name"};
    static const char value[] = "ok\0/../../x";
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        refuses_record(keys[i], strlen(keys[i]), value, sizeof value - 1, "holds a NUL");
    static const char key[] = "SCHILY.xattr.user.a\0b";
    refuses_record(key, sizeof key - 1, "1", 1, ""); /* libarchive says so itself */
}

/* Readers of tar disagree about whose size it is, and so about where the next header lies. */
Test(refuse, refuses_a_pax_size_before_an_extension_header)
{
    struct text tar CLEANUP_TEXT = {0};
    tar_pax_one(&tar, "size", "1024");
    tar_header(&tar, 'L', "././@LongLink", NULL, 5);
    text_addn(&tar, "name", 5);
    tar_pad(&tar);
    tar_header(&tar, '0', "f", NULL, 1024);
    for (int i = 0; i < 1024; i++)
        text_add(&tar, "x");
    tar_end(&tar);
    refuses(&tar, run_usual, ERR_CORRUPT_ARCHIVE, "a pax size before");
}

Test(refuse, refuses_over_the_limits_and_names_them)
{
    struct text tar CLEANUP_TEXT = {0};
    char data[3000] = {0};
    for (int i = 0; i < 4; i++)
        tar_file(&tar, "f", data, sizeof data);
    tar_header(&tar, '5', "d", NULL, 0);
    tar_end(&tar);
    const char *files[] = {"4", "3000", "12000"}, *size[] = {"5", "2999", "12000"},
               *total[] = {"5", "3000", "11999"}, *fits[] = {"5", "3000", "12000"};
    refuses(&tar, files, ERR_TOO_MANY_FILES, "-o max_files=");
    refuses(&tar, size, ERR_TOO_LARGE_FILE, "-o max_file_size=");
    refuses(&tar, total, ERR_TOO_LARGE_TOTAL, "-o max_total_size=");
    struct run run CLEANUP_RUN = run_with(&tar, memfd_create("data", MFD_CLOEXEC), fits);
    cr_assert_eq(run.last.kind, WIRE_END, "%s", run.message);
    struct run all CLEANUP_RUN = run_with(&tar, memfd_create("data", MFD_CLOEXEC), run_unlimited);
    cr_assert_eq(all.last.kind, WIRE_END, "%s", all.message);
}

Test(refuse, judges_a_size_before_it_writes)
{
    struct text tar CLEANUP_TEXT = {0}, records CLEANUP_TEXT = {0};
    tar_pax_record(&records, "GNU.sparse.size", "104857601", 9);
    tar_pax_record(&records, "GNU.sparse.map", "0,6", 3);
    tar_pax(&tar, &records);
    tar_file(&tar, "sparse", "abcdef", 6);
    struct run run CLEANUP_RUN = run_tar(&tar);
    cr_assert_eq(run.last.mode, ERR_TOO_LARGE_FILE, "%s", run.message);
    struct stat st;
    cr_assert_eq(fstat(run.data, &st), 0);
    cr_assert_leq(st.st_size, WIRE_BLOCK);
}

Test(refuse, refuses_names_that_linux_cannot_hold)
{
    char name[5000];
    memset(name, 'n', sizeof name);
    name[256] = '\0';
    struct text component CLEANUP_TEXT = {0}, path CLEANUP_TEXT = {0}, link CLEANUP_TEXT = {0};
    tar_pax_one(&component, "path", name);
    tar_header(&component, '0', "f", NULL, 0);
    refuses(&component, run_usual, ERR_UNSAFE_PATH, "255");
    for (size_t i = 0; i < 4096; i++)
        name[i] = i % 2 ? '/' : 'n';
    name[4096] = '\0';
    tar_pax_one(&path, "path", name);
    tar_header(&path, '0', "f", NULL, 0);
    refuses(&path, run_usual, ERR_UNSAFE_PATH, "4095");
    tar_pax_one(&link, "linkpath", name);
    tar_header(&link, '2', "f", "t", 0);
    refuses(&link, run_usual, ERR_UNSAFE_PATH, "4095");
}

Test(refuse, refuses_xattrs_that_are_too_large)
{
    char value[3100];
    memset(value, 'v', sizeof value);
    for (size_t n = 3066; n <= 3067; n++) {
        struct text tar CLEANUP_TEXT = {0}, records CLEANUP_TEXT = {0};
        tar_pax_record(&records, "SCHILY.xattr.user.a", value, n);
        tar_pax(&tar, &records);
        tar_file(&tar, "f", "", 0);
        tar_end(&tar);
        if (n + 6 > LIMIT_XATTRS_MAX) {
            refuses(&tar, run_usual, ERR_TOO_LARGE_FILE, "3072");
            continue;
        }
        struct run run CLEANUP_RUN = run_tar(&tar);
        cr_assert_eq(run.last.kind, WIRE_END, "%s", run.message);
    }
}

Test(refuse, refuses_owners_that_are_no_ids)
{
    static const char *const ids[] = {"4294967295", "-1", "99999999999999999999"};
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        struct text tar CLEANUP_TEXT = {0};
        tar_pax_one(&tar, i % 2 ? "gid" : "uid", ids[i]);
        tar_header(&tar, '0', "f", NULL, 0);
        refuses(&tar, run_usual, ERR_CORRUPT_ARCHIVE, "owner or group");
    }
    struct text tar CLEANUP_TEXT = {0};
    tar_pax_one(&tar, "uid", "4294967294");
    tar_header(&tar, '0', "f", NULL, 0);
    struct run run CLEANUP_RUN = run_tar(&tar);
    struct wire_record rec;
    run_entry(&run, 0, &rec);
    cr_assert_eq(rec.uid, 4294967294U);
}

Test(refuse, refuses_a_hard_link_with_contents)
{
    struct text tar CLEANUP_TEXT = {0};
    tar_file(&tar, "f", "old", 3);
    tar_pax_one(&tar, "comment", "pax: sizes of links count");
    tar_header(&tar, '1', "h", "f", 3);
    text_add(&tar, "new");
    tar_pad(&tar);
    tar_end(&tar);
    refuses(&tar, run_usual, ERR_CORRUPT_ARCHIVE, "hard link");
}

Test(refuse, ends_bombs_soon)
{
    /* Headers without end, a sparse map of nothing, a tail of zeros. */
    struct text headers CLEANUP_TEXT = {0};
    for (int i = 0; i < 50; i++)
        tar_pax_one(&headers, "comment", "once more");
    tar_header(&headers, '0', "f", NULL, 0);
    refuses(&headers, run_usual, ERR_CORRUPT_ARCHIVE, "");

    struct text map CLEANUP_TEXT = {0}, records CLEANUP_TEXT = {0};
    tar_pax_record(&records, "GNU.sparse.major", "1", 1);
    tar_pax_record(&records, "GNU.sparse.minor", "0", 1);
    tar_pax_record(&records, "GNU.sparse.realsize", "0", 1);
    tar_pax(&map, &records);
    tar_header(&map, '0', "f", NULL, 4000008);
    text_add(&map, "1000000\n");
    for (int i = 0; i < 1000000; i++)
        text_add(&map, "0\n0\n");
    tar_pad(&map);
    tar_end(&map);
    refuses(&map, run_usual, ERR_CORRUPT_ARCHIVE, "1 MiB");

    struct text tail CLEANUP_TEXT = {0};
    char *zeros CLEANUP_FREE = calloc(1, 1 << 20);
    tar_end(&tail);
    for (int i = 0; i < 66; i++)
        text_addn(&tail, zeros, 1 << 20);
    tar_gzip(&tail);
    refuses(&tail, run_usual, ERR_CORRUPT_ARCHIVE, "64 MiB");
}

Test(refuse, says_no_space)
{
    struct text tar CLEANUP_TEXT = {0};
    tar_file(&tar, "f", "x", 1);
    tar_end(&tar);
    struct run run CLEANUP_RUN = run_with(&tar, open("/dev/full", O_WRONLY | O_CLOEXEC), run_usual);
    cr_assert_eq(run.last.mode, ERR_NO_SPACE, "%s", run.message);
    cr_assert_eq(run.last.error_num, ENOSPC);
    cr_assert_eq(run_entries(&run), 0); /* no record without its contents */
}

Test(refuse, refuses_limits_that_it_cannot_read)
{
    struct text tar CLEANUP_TEXT = {0};
    tar_end(&tar);
    static const char *const bad[] = {"", "-1", "10K", "99999999999999999999", " 1"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        const char *limits[] = {"1", bad[i], "1"};
        refuses(&tar, limits, ERR_INTERNAL, "use:");
    }
}
