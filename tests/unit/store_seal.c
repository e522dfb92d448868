#include "store/seal.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static char tmp[] = "/tmp/imgstore-seal-XXXXXX";
static struct paths paths;
static struct seal *seal;
static struct err err;

static void open_seal(void)
{
    seal_close(steal_ptr(seal));
    cr_assert_eq(seal_open(&seal, &paths, &err), 0, "%s", err.text);
}

static void set_up(void)
{
    cr_assert(mkdtemp(tmp));
    paths = (struct paths){.root = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    cr_assert_geq(paths.root, 0);
    open_seal();
}

static void tear_down(void)
{
    seal_close(seal);
    paths_close(&paths);
    io_remove_tree(AT_FDCWD, tmp);
}

TestSuite(seal, .init = set_up, .fini = tear_down);

static const char canary[] = "CanaryUser:CanaryPass";

static void seal_canary(struct text *sealed, const char *row)
{
    struct text bound CLEANUP_TEXT = {0};
    text_add(&bound, row);
    cr_assert_eq(seal_lock(seal, &bound, canary, strlen(canary), sealed), 0);
}

static int unseal(const struct text *sealed, size_t n, const char *row)
{
    struct text bound CLEANUP_TEXT = {0}, bytes CLEANUP_TEXT = {0};
    text_add(&bound, row);
    int r = seal_unlock(seal, &bound, sealed->data, n, &bytes);
    if (r == 0)
        cr_assert_str_eq(bytes.data, canary);
    else
        cr_assert_eq(bytes.len, 0, "nothing is added");
    return r;
}

Test(seal, what_was_sealed_opens_also_after_a_restart)
{
    struct text sealed CLEANUP_TEXT = {0};
    seal_canary(&sealed, "row");
    cr_assert_null(memmem(sealed.data, sealed.len, "Canary", 6));
    cr_assert_eq(unseal(&sealed, sealed.len, "row"), 0);
    open_seal();
    cr_assert_eq(unseal(&sealed, sealed.len, "row"), 0);
}

Test(seal, the_same_is_never_sealed_the_same)
{
    struct text a CLEANUP_TEXT = {0}, b CLEANUP_TEXT = {0};
    seal_canary(&a, "row");
    seal_canary(&b, "row");
    cr_assert_eq(a.len, b.len);
    cr_assert_neq(memcmp(a.data + 1, b.data + 1, 12), 0, "a nonce was used twice");
    cr_assert_neq(memcmp(a.data + 13, b.data + 13, a.len - 13), 0);
}

Test(seal, another_row_opens_nothing)
{
    struct text sealed CLEANUP_TEXT = {0};
    seal_canary(&sealed, "row");
    cr_assert_eq(unseal(&sealed, sealed.len, "rov"), -EBADMSG);
    cr_assert_eq(unseal(&sealed, sealed.len, ""), -EBADMSG);
}

Test(seal, every_bit_and_the_length_count)
{
    struct text sealed CLEANUP_TEXT = {0};
    seal_canary(&sealed, "row");
    for (size_t bit = 0; bit < sealed.len * 8; bit++) {
        sealed.data[bit / 8] ^= (char)(1 << bit % 8);
        cr_assert_eq(unseal(&sealed, sealed.len, "row"), -EBADMSG, "bit %zu", bit);
        sealed.data[bit / 8] ^= (char)(1 << bit % 8);
    }
    for (size_t n = 0; n < sealed.len; n++)
        cr_assert_eq(unseal(&sealed, n, "row"), -EBADMSG, "%zu bytes", n);
    cr_assert_eq(unseal(&sealed, sealed.len, "row"), 0);
}

Test(seal, nothing_can_be_sealed_too)
{
    struct text bound CLEANUP_TEXT = {0}, sealed CLEANUP_TEXT = {0}, bytes CLEANUP_TEXT = {0};
    text_add(&bound, "row");
    cr_assert_eq(seal_lock(seal, &bound, "", 0, &sealed), 0);
    cr_assert_eq(seal_unlock(seal, &bound, sealed.data, sealed.len, &bytes), 0);
    cr_assert_eq(bytes.len, 0);
}

Test(seal, two_stores_have_two_keys)
{
    struct text sealed CLEANUP_TEXT = {0};
    seal_canary(&sealed, "row");
    cr_assert_eq(unlinkat(paths.root, ".key", 0), 0);
    open_seal();
    cr_assert_eq(unseal(&sealed, sealed.len, "row"), -EBADMSG);
}

/* Whatever lies there: it is kept, and a key takes its place. */
static void is_replaced(const char *what)
{
    struct stat st;
    open_seal();
    cr_assert_eq(fstatat(paths.root, ".key", &st, AT_SYMLINK_NOFOLLOW), 0);
    cr_assert_eq(st.st_mode, S_IFREG | 0600, "%s", what);
    cr_assert_eq(st.st_size, 32, "%s", what);
    cr_assert_eq(fstatat(paths.root, ".key.damaged", &st, AT_SYMLINK_NOFOLLOW), 0, "%s", what);
    cr_assert_eq(unlinkat(paths.root, ".key.damaged", S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0), 0);
    cr_assert_eq(unlinkat(paths.root, ".key", 0), 0);
}

Test(seal, what_is_no_key_is_kept_aside)
{
    static const size_t sizes[] = {0, 1, 31, 33, 4096};
    static const char zeros[4096];
    cr_assert_eq(unlinkat(paths.root, ".key", 0), 0);
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        cr_assert_eq(paths_write_file(&paths, ".key", zeros, sizes[i], &err), 0);
        is_replaced("a file");
    }
    cr_assert_eq(mkdirat(paths.root, ".key", 0700), 0);
    is_replaced("a folder");
    cr_assert_eq(symlinkat("/dev/zero", paths.root, ".key"), 0);
    is_replaced("a link");
    cr_assert_eq(mkfifoat(paths.root, ".key", 0600), 0);
    is_replaced("a fifo");
}

Test(seal, a_crash_while_it_was_made_leaves_no_half_key)
{
    cr_assert_eq(unlinkat(paths.root, ".key", 0), 0);
    cr_assert_eq(paths_write_file(&paths, ".key.new", "half", 4, &err), 0);
    open_seal();
    cr_assert_eq(faccessat(paths.root, ".key.new", F_OK, 0), -1);
    cr_assert_eq(faccessat(paths.root, ".key.damaged", F_OK, 0), -1);
}

Test(seal, where_no_key_can_be_made_it_says_so)
{
    struct seal *none = NULL;
    cr_assert_eq(unlinkat(paths.root, ".key", 0), 0);
    cr_assert_eq(mkdirat(paths.root, ".key.new", 0700), 0);
    cr_assert_lt(seal_open(&none, &paths, &err), 0);
    cr_assert_null(none);
    cr_assert(strstr(err.text, ".key"), "%s", err.text);
}
