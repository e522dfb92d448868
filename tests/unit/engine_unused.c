#include "engine/unused.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A digest is one letter, 64 times. */
static const char *name_of(char digest, const char *rest)
{
    static char name[PATHS_FILE_MAX];
    memset(name, digest, PATHS_DIGEST_LEN);
    snprintf(name + PATHS_DIGEST_LEN, sizeof name - PATHS_DIGEST_LEN, "%s", rest);
    return name;
}

static void add(struct unused *u, bool image, char digest, const char *rest, int64_t bytes,
                int64_t used)
{
    struct unused_item item;
    cr_assert(unused_parse(&item, image, name_of(digest, rest)));
    item.bytes = bytes;
    item.used = used;
    cr_assert_eq(unused_add(u, &item), 0);
}

/* "a.blob b.image" … of those that go. */
static void expect_going(const struct unused *u, int64_t before, int64_t wanted, const char *want)
{
    struct text got CLEANUP_TEXT = {0};
    int64_t gone = 0;
    for (size_t i = 0; i < u->count; i++) {
        const struct unused_item *item = &u->items[i];
        if (!unused_goes(item, before, wanted, gone))
            continue;
        text_addf(&got, "%s%c.%s", got.len ? " " : "", item->sha256[0], unused_word(item->kind));
        gone += item->bytes;
    }
    cr_expect_str_eq(got.data ? got.data : "", want);
}

Test(unused, names_tell_what_it_is)
{
    struct unused_item item;
    cr_assert(unused_parse(&item, false, name_of('a', ".tar.gz")));
    cr_expect_eq(item.kind, UNUSED_BLOB);
    cr_expect_str_eq(item.sha256, name_of('a', ""));
    cr_assert(unused_parse(&item, false, name_of('a', ".part")));
    cr_expect_eq(item.kind, UNUSED_PART);
    cr_assert(unused_parse(&item, true, name_of('a', "")));
    cr_expect_eq(item.kind, UNUSED_IMAGE);
    cr_assert(unused_parse(&item, true, name_of('a', ".faithful")));
    cr_expect_str_eq(item.name, name_of('a', ".faithful"));
    static const char *const strange[] = {"", ".", ".trash-1-2", "web", ".kept-web-1"};
    for (size_t i = 0; i < ARRAY_SIZE(strange); i++) {
        cr_expect_not(unused_parse(&item, false, strange[i]), "%s", strange[i]);
        cr_expect_not(unused_parse(&item, true, strange[i]), "%s", strange[i]);
    }
    cr_expect_not(unused_parse(&item, false, name_of('a', "")));
    cr_expect_not(unused_parse(&item, false, name_of('a', "a.tar")));
    cr_expect_not(unused_parse(&item, false, name_of('A', ".tar")));
    cr_expect_not(unused_parse(&item, true, name_of('a', ".part")), "it is being unpacked");
    cr_expect_not(unused_parse(&item, true, name_of('a', ".faithful.part")));
    char longer[300];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    memcpy(longer, name_of('a', "."), PATHS_DIGEST_LEN + 1);
    cr_expect_not(unused_parse(&item, false, longer));
}

Test(unused, oldest_use_first_and_the_blob_before_its_image)
{
    struct unused u = {0};
    unused_sort(&u);
    add(&u, true, 'c', "", 1, 30);
    add(&u, true, 'a', "", 1, 10);
    add(&u, false, 'b', ".tar", 1, 20);
    add(&u, false, 'c', ".tar.gz", 1, 30);
    add(&u, false, 'a', ".tar", 1, 10);
    add(&u, true, 'a', ".faithful", 1, 10);
    unused_sort(&u);
    expect_going(&u, INT64_MAX, 0, "a.blob a.image a.image b.blob c.blob c.image");
    unused_free(&u);
}

/* An image is older than its blob where the blob was fetched anew; it is of the same use. */
Test(unused, what_was_last_used_of_a_digest_counts_for_all_of_it)
{
    struct unused u = {0};
    add(&u, true, 'a', "", 1, 10);
    add(&u, false, 'a', ".tar", 1, 40);
    add(&u, true, 'b', "", 1, 20);
    add(&u, false, 'b', ".tar", 1, 30);
    unused_sort(&u);
    expect_going(&u, INT64_MAX, 0, "b.blob b.image a.blob a.image");
    expect_going(&u, 40, 0, "b.blob b.image");
    expect_going(&u, 30, 0, "");
    expect_going(&u, 31, 0, "b.blob b.image");
    unused_free(&u);
}

Test(unused, as_much_goes_as_is_wanted)
{
    struct unused u = {0};
    add(&u, false, 'a', ".tar", 5, 10);
    add(&u, true, 'a', "", 10, 10);
    add(&u, false, 'b', ".tar", 5, 20);
    add(&u, true, 'b', "", 10, 20);
    unused_sort(&u);
    expect_going(&u, 0, 0, "");
    expect_going(&u, 0, 1, "a.blob");
    expect_going(&u, 0, 5, "a.blob");
    expect_going(&u, 0, 6, "a.blob a.image");
    expect_going(&u, 0, 16, "a.blob a.image b.blob");
    expect_going(&u, 0, INT64_MAX, "a.blob a.image b.blob b.image");
    /* What is too old goes, and counts. */
    expect_going(&u, 15, 15, "a.blob a.image");
    expect_going(&u, 15, 16, "a.blob a.image b.blob");
    unused_free(&u);
}

/* --- the disk */

static struct paths p;
static char store[] = "/tmp/unused.XXXXXX";

static void make_file(int dirfd, const char *name, size_t bytes)
{
    static const char zeros[4096];
    int fd CLEANUP_CLOSE = openat(dirfd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0, "%s", strerror(errno));
    for (size_t n = 0; n < bytes; n += sizeof zeros)
        cr_assert_eq(write(fd, zeros, sizeof zeros), (ssize_t)sizeof zeros);
}

static void make_image(char digest, const char *file, const char *text)
{
    char path[PATHS_FILE_MAX];
    cr_assert_eq(mkdirat(p.images, name_of(digest, ""), 0700), 0);
    snprintf(path, sizeof path, "%s/%s", name_of(digest, ""), file);
    int fd CLEANUP_CLOSE = openat(p.images, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void set_used(int dirfd, const char *name, time_t seconds)
{
    cr_assert_eq(utimensat(dirfd, name,
                           (struct timespec[]){{.tv_sec = seconds}, {.tv_sec = seconds}},
                           AT_SYMLINK_NOFOLLOW),
                 0);
}

static void open_store(void)
{
    struct err err = {0};
    cr_assert(mkdtemp(store));
    cr_assert_eq(paths_open(&p, store, &err), 0, "%s", err.text);
}

static void close_store(void)
{
    char command[128];
    paths_close(&p);
    snprintf(command, sizeof command, "rm -r %s", store);
    cr_assert_eq(system(command), 0);
}

static atomic_bool cancelled;

/* The first letters of what is needed; behind each a digit, the blob's size, or `?`. */
static bool is_digest(void *ctx, const char *sha256, int64_t *size)
{
    for (const char *word = ctx; *word; word += 2)
        if (*sha256 == *word) {
            *size = word[1] == '?' ? -1 : word[1] - '0';
            return true;
        }
    *size = -1;
    return false;
}

static const struct unused_ask ask = {is_digest, (char[]){"c7d?"}, &cancelled};

Test(unused_disk, is_scanned, .init = open_store, .fini = close_store)
{
    struct unused u = {0};
    make_file(p.blobs, name_of('b', ".tar"), 40960);
    make_file(p.blobs, "stranger", 4096);
    set_used(p.blobs, name_of('b', ".tar"), 1000);
    make_image('a', "info", "format tar\nbytes 123456789\nsink dir\n");
    set_used(p.images, name_of('a', ""), 2000);
    make_image('b', "image", "an image in a file, which takes up a block");
    make_file(p.images, ".trash-1-2", 4096);
    set_used(p.images, name_of('b', ""), 1000);
    make_file(p.blobs, name_of('c', ".tar"), 4096);
    make_image('c', "image", "needed");
    cr_assert_eq(unused_scan(&u, &p, &ask), 0);
    cr_assert_eq(u.count, 3);
    cr_expect_eq(u.items[0].kind, UNUSED_BLOB);
    cr_expect_eq(u.items[0].bytes, 40960);
    cr_expect_eq(u.items[0].used, 1000000);
    cr_expect_eq(u.items[1].kind, UNUSED_IMAGE);
    cr_expect_leq(u.items[1].bytes, 65536);
    cr_expect_eq(u.items[2].bytes, 123456789, "what its info says");
    cr_expect_eq(u.items[2].used, 2000000);
    unused_free(&u);
}

/* Sizes of what is needed are who asks's to know; only where it does not are they looked up. */
Test(unused_disk, is_counted_on_the_way, .init = open_store, .fini = close_store)
{
    struct unused u = {0};
    make_file(p.blobs, name_of('b', ".tar"), 40960);
    make_file(p.blobs, name_of('c', ".tar"), 4096);
    make_file(p.blobs, name_of('d', ".tar.gz"), 8192);
    make_file(p.blobs, name_of('e', ".part"), 4096);
    make_file(p.blobs, ".trash-1-2", 4096);
    make_image('b', "image", "");
    make_image('c', "image", "");
    cr_assert_eq(mkdirat(p.images, name_of('e', ".part"), 0700), 0);
    cr_assert_eq(unused_scan(&u, &p, &ask), 0);
    cr_expect_eq(u.census.blobs, 3);
    cr_expect_eq(u.census.blob_bytes, 40960 + 7 + 8192);
    cr_expect_eq(u.census.images, 2);
    struct unused_census all = {0};
    for (size_t i = 0; i < u.count; i++) {
        struct unused_census one = unused_census_of(&u.items[i]);
        all.blobs += one.blobs;
        all.blob_bytes += one.blob_bytes;
        all.images += one.images;
    }
    cr_expect(all.blobs == 1 && all.blob_bytes == 40960 && all.images == 1, "what is not needed");
    unused_free(&u);
}

Test(unused_disk, is_not_scanned_to_the_end_once_nobody_waits, .init = open_store,
     .fini = close_store)
{
    struct unused u = {0};
    make_file(p.blobs, name_of('b', ".tar"), 4096);
    atomic_store(&cancelled, true);
    cr_expect_eq(unused_scan(&u, &p, &ask), -ECANCELED);
    cr_expect_eq(u.count, 0);
    unused_free(&u);
}

Test(unused_disk, goes_once, .init = open_store, .fini = close_store)
{
    struct err err = {0};
    struct unused_item item;
    make_image('a', "image", "");
    make_file(p.blobs, name_of('a', ".tar"), 4096);
    cr_assert(unused_parse(&item, true, name_of('a', "")));
    cr_expect_eq(unused_discard(&item, &p, &err), 0);
    cr_expect_eq(unused_discard(&item, &p, &err), -ENOENT);
    cr_expect_eq(faccessat(p.images, name_of('a', ""), F_OK, 0), -1);
    cr_expect_eq(faccessat(p.blobs, name_of('a', ".tar"), F_OK, 0), 0);
    cr_assert(unused_parse(&item, false, name_of('a', ".tar")));
    cr_expect_eq(unused_discard(&item, &p, &err), 0);
    cr_expect_eq(faccessat(p.blobs, name_of('a', ".tar"), F_OK, 0), -1);
    cr_expect_eq(err.num, 0);
}
