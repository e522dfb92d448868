#include "stages/unpack/namespace.h"

#include "base/text.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

struct fixture {
    struct namespace *ns;
    struct namespace_place place;
    struct err err;
};

static struct fixture fixture(void)
{
    struct fixture f = {.ns = namespace_new()};
    cr_assert(f.ns);
    return f;
}

static int add_entry(struct fixture *f, struct entry e)
{
    e.target = e.target ? e.target : "";
    f->err = (struct err){0};
    return namespace_add(f->ns, &e, &f->place, &f->err);
}

static int add(struct fixture *f, enum wire_type type, const char *path)
{
    return add_entry(f, (struct entry){.type = type, .path = path, .meta.mode = 0711});
}

static int add_link(struct fixture *f, const char *path, const char *target)
{
    return add_entry(f, (struct entry){.type = WIRE_HARDLINK, .path = path, .target = target});
}

static int add_skipped(struct fixture *f, const char *path)
{
    return add_entry(f, (struct entry){.type = WIRE_FIFO, .path = path, .skip = true});
}

static void done(struct fixture *f)
{
    namespace_free(f->ns);
}

Test(namespace, implied_parents_are_counted_once)
{
    struct fixture f = fixture();
    cr_assert_eq(add(&f, WIRE_FILE, "a/b/c/f"), 0);
    cr_assert(f.place.implied == 3 && f.place.existing == 0);
    cr_assert_eq(f.place.action, NAMESPACE_CREATE);
    cr_assert_eq(add(&f, WIRE_FILE, "a/b/g"), 0);
    cr_assert_eq(f.place.implied, 0);
    cr_assert_eq(add(&f, WIRE_FILE, "a/b/x/y/h"), 0);
    cr_assert(f.place.implied == 2 && f.place.existing == 3);
    cr_assert_eq(namespace_count(f.ns), 8);
    cr_assert_eq(add(&f, WIRE_DIR, ""), 0);
    cr_assert_eq(f.place.action, NAMESPACE_UPDATE);
    cr_assert_eq(namespace_count(f.ns), 8);
    done(&f);
}

Test(namespace, names_that_begin_alike_are_different)
{
    struct fixture f = fixture();
    cr_assert_eq(add(&f, WIRE_FILE, "ab"), 0);
    cr_assert_eq(add(&f, WIRE_FILE, "a"), 0);
    cr_assert_eq(f.place.action, NAMESPACE_CREATE);
    cr_assert_not(f.place.removes);
    cr_assert_eq(add(&f, WIRE_FILE, "d/a"), 0);
    cr_assert_not(f.place.removes);
    cr_assert_eq(namespace_count(f.ns), 4);
    done(&f);
}

Test(namespace, nothing_lies_below_what_is_no_directory)
{
    struct fixture f = fixture();
    cr_assert_eq(add(&f, WIRE_FILE, "file"), 0);
    cr_assert_eq(add(&f, WIRE_SYMLINK, "d/link"), 0);
    cr_assert_eq(add(&f, WIRE_FIFO, "fifo"), 0);
    cr_assert_eq(add_skipped(&f, "skipped"), 0);
    const char *bad[] = {"file/x", "file/x/y", "d/link/x", "d/link/a/b", "fifo/x", "skipped/x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert_lt(add(&f, WIRE_FILE, bad[i]), 0, "%s", bad[i]);
        cr_assert_eq(f.err.code, ERR_UNSAFE_PATH);
        cr_assert_lt(add(&f, WIRE_DIR, bad[i]), 0, "%s", bad[i]);
        cr_assert_lt(add_link(&f, bad[i], "file"), 0, "%s", bad[i]);
        cr_assert_eq(f.err.code, ERR_UNSAFE_PATH);
    }
    cr_assert_eq(namespace_count(f.ns), 4);
    done(&f);
}

Test(namespace, a_later_entry_replaces_an_earlier_one)
{
    const enum wire_type leaves[] = {WIRE_FILE, WIRE_SYMLINK, WIRE_FIFO};
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < 3; j++) {
            struct fixture f = fixture();
            cr_assert_eq(add(&f, leaves[i], "x"), 0);
            cr_assert_eq(add(&f, leaves[j], "x"), 0);
            cr_assert(f.place.removes && !f.place.removes_dir);
            cr_assert_eq(f.place.action, NAMESPACE_CREATE);
            cr_assert_eq(add(&f, WIRE_DIR, "x"), 0);
            cr_assert(f.place.removes && !f.place.removes_dir);
            cr_assert_eq(add(&f, leaves[j], "x"), 0);
            cr_assert(f.place.removes && f.place.removes_dir);
            cr_assert_eq(namespace_count(f.ns), 1);
            done(&f);
        }
}

Test(namespace, directories_keep_their_children)
{
    struct fixture f = fixture();
    cr_assert_eq(add(&f, WIRE_FILE, "d/f"), 0);
    cr_assert_eq(add(&f, WIRE_DIR, "d"), 0);
    cr_assert_eq(f.place.action, NAMESPACE_UPDATE);
    cr_assert_not(f.place.removes);
    cr_assert_eq(add(&f, WIRE_DIR, "d"), 0);
    cr_assert_lt(add(&f, WIRE_FILE, "d"), 0);
    cr_assert_eq(f.err.code, ERR_UNSAFE_PATH);
    cr_assert_lt(add(&f, WIRE_SYMLINK, "d"), 0);
    cr_assert_lt(add_skipped(&f, "d"), 0);
    cr_assert_lt(add_link(&f, "d", "d/f"), 0);
    cr_assert_eq(f.err.code, ERR_UNSAFE_PATH);
    cr_assert_eq(add(&f, WIRE_FILE, "d/f"), 0);
    cr_assert(f.place.removes);
    done(&f);
}

Test(namespace, a_directory_that_became_a_file_is_one)
{
    struct fixture f = fixture();
    cr_assert_eq(add(&f, WIRE_DIR, "d"), 0);
    cr_assert_eq(add(&f, WIRE_SYMLINK, "d"), 0);
    cr_assert_lt(add(&f, WIRE_FILE, "d/x"), 0);
    cr_assert_eq(add(&f, WIRE_DIR, "d"), 0);
    cr_assert_eq(add(&f, WIRE_FILE, "d/x"), 0);
    done(&f);
}

Test(namespace, hard_links)
{
    struct fixture f = fixture();
    cr_assert_eq(add(&f, WIRE_FILE, "d/f"), 0);
    cr_assert_eq(add_entry(&f, (struct entry){.type = WIRE_SYMLINK, .path = "l", .climb = 2}), 0);
    cr_assert_eq(add_link(&f, "h", "d/f"), 0);
    cr_assert_eq(f.place.action, NAMESPACE_CREATE);
    cr_assert_eq(add_link(&f, "new/h2", "h"), 0);
    cr_assert_eq(f.place.implied, 1);
    cr_assert_eq(add_link(&f, "hl", "l"), 0);
    cr_assert_eq(f.place.climb, 2);
    cr_assert_lt(add(&f, WIRE_FILE, "hl/x"), 0);
    cr_assert_eq(f.err.code, ERR_UNSAFE_PATH);
    cr_assert_eq(add_link(&f, "hl2", "hl"), 0);
    cr_assert_eq(f.place.climb, 2);
    cr_assert_eq(add_link(&f, "h", "h"), 0);
    cr_assert_eq(f.place.action, NAMESPACE_NOTHING);
    cr_assert_not(f.place.removes);
    cr_assert_eq(add_link(&f, "h", "d/f"), 0);
    cr_assert(f.place.removes && f.place.action == NAMESPACE_CREATE);
    const char *bad[] = {"nothing", "d", "", "d/nothing", "d/f/x", "l/x", "hl/x", "new"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert_lt(add_link(&f, "b", bad[i]), 0, "%s", bad[i]);
        cr_assert_eq(f.err.code, ERR_UNSAFE_LINK, "%s", bad[i]);
    }
    cr_assert_lt(add_link(&f, "p/q", "p"), 0);
    cr_assert_eq(f.err.code, ERR_UNSAFE_LINK);
    done(&f);
}

Test(namespace, what_is_left_out_leaves_its_traces)
{
    struct fixture f = fixture();
    cr_assert_eq(add_skipped(&f, "dev/null"), 0);
    cr_assert(f.place.skipped && f.place.action == NAMESPACE_NOTHING && f.place.implied == 1);
    cr_assert_eq(namespace_count(f.ns), 1);
    cr_assert_eq(add_link(&f, "h", "dev/null"), 0);
    cr_assert(f.place.skipped && f.place.action == NAMESPACE_NOTHING);
    cr_assert_eq(add_link(&f, "h2", "h"), 0);
    cr_assert(f.place.skipped);
    cr_assert_eq(namespace_count(f.ns), 1);
    cr_assert_eq(add(&f, WIRE_FILE, "f"), 0);
    cr_assert_eq(add_skipped(&f, "f"), 0);
    cr_assert(f.place.removes && f.place.action == NAMESPACE_NOTHING);
    cr_assert_eq(namespace_count(f.ns), 1);
    cr_assert_eq(add_skipped(&f, "f"), 0);
    cr_assert_not(f.place.removes);
    cr_assert_eq(add(&f, WIRE_FILE, "f"), 0);
    cr_assert(!f.place.removes && f.place.action == NAMESPACE_CREATE);
    cr_assert_eq(add(&f, WIRE_DIR, "h"), 0);
    cr_assert_not(f.place.removes);
    cr_assert_eq(namespace_count(f.ns), 3);
    done(&f);
}

struct walk {
    struct text seen;
    unsigned modes;
};

static int seen(void *ctx, const char *path, const struct entry_meta *meta, struct err *err)
{
    struct walk *w = ctx;
    text_addf(&w->seen, "[%s]", path);
    w->modes = w->modes * 01000 + meta->mode;
    return strcmp(path, "stop") == 0 ? -7 : 0;
}

Test(namespace, directories_come_before_their_parents)
{
    struct fixture f = fixture();
    struct walk w = {0};
    cr_assert_eq(add(&f, WIRE_FILE, "z/y/f"), 0);
    cr_assert_eq(add(&f, WIRE_DIR, "z/y"), 0);
    cr_assert_eq(add(&f, WIRE_FILE, "b"), 0);
    cr_assert_eq(add(&f, WIRE_DIR, "b"), 0); /* the node is older than its child */
    cr_assert_eq(add(&f, WIRE_DIR, "b/c"), 0);
    cr_assert_eq(namespace_each_dir(f.ns, seen, &w, NULL), 0);
    cr_assert_str_eq(w.seen.data, "[b/c][b][z/y][z][]");
    cr_assert_eq(w.modes & 0777777, 0755755); /* z and the root are implied */
    text_free(&w.seen);
    cr_assert_eq(add(&f, WIRE_DIR, "stop"), 0);
    cr_assert_eq(namespace_each_dir(f.ns, seen, &w, NULL), -7);
    cr_assert_str_eq(w.seen.data, "[stop]");
    text_free(&w.seen);
    done(&f);
}

Test(namespace, the_deepest_path)
{
    char path[4096] = {0};
    struct walk w = {0};
    struct fixture f = fixture();
    for (int i = 0; i < 4095; i++)
        path[i] = i % 2 ? '/' : 'a';
    cr_assert_eq(add(&f, WIRE_DIR, path), 0);
    cr_assert_eq(f.place.implied, 2047);
    cr_assert_eq(namespace_count(f.ns), 2048);
    cr_assert_eq(namespace_each_dir(f.ns, seen, &w, NULL), 0);
    cr_assert_eq(strncmp(w.seen.data + 1, path, 4095), 0);
    text_free(&w.seen);
    done(&f);
}

Test(namespace, a_hundred_thousand_names_are_small)
{
    struct fixture f = fixture();
    char path[64];
    size_t names = 0;
    int64_t began = text_monotonic_ms();
    for (int i = 0; i < 100000; i++) {
        snprintf(path, sizeof path, "usr/share/%02d/%03d/file-%06d", i % 10, i % 100, i);
        cr_assert_eq(add(&f, WIRE_FILE, path), 0);
        names += 11;
    }
    for (int i = 0; i < 100000; i++) {
        snprintf(path, sizeof path, "usr/share/%02d/%03d/file-%06d", i % 10, i % 100, i);
        cr_assert_eq(add(&f, WIRE_FILE, path), 0);
        cr_assert(f.place.removes);
    }
    int64_t count = namespace_count(f.ns);
    cr_log_info("%lld names: %zu bytes, %lld ms", (long long)count, namespace_memory(f.ns),
                (long long)(text_monotonic_ms() - began));
    cr_assert_eq(count, 100112);
    cr_assert_leq(namespace_memory(f.ns), 100 * (size_t)count + names);
    cr_assert_lt(text_monotonic_ms() - began, 5000);
    done(&f);
}
