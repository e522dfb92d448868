#include "stages/export/walk.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char tmp[64];
static int root;
static struct walk w;
static struct err err;

static void set_up(void)
{
    strcpy(tmp, "/tmp/imgstore-walk-XXXXXX");
    cr_assert(mkdtemp(tmp));
    root = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    err = (struct err){0};
}

static void tear_down(void)
{
    walk_free(&w);
    close(root);
    io_remove_tree(AT_FDCWD, tmp);
}

TestSuite(walk, .init = set_up, .fini = tear_down, .timeout = 60);

static void make(const char *name)
{
    size_t len = strlen(name);
    if (name[len - 1] == '/') {
        cr_assert_eq(mkdirat(root, name, 0755), 0, "%s: %s", name, strerror(errno));
        return;
    }
    int fd CLEANUP_CLOSE = openat(root, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    cr_assert_geq(fd, 0, "%s: %s", name, strerror(errno));
}

static void begin(void)
{
    cr_assert_eq(walk_begin(&w, root, &err), 0, "%s", err.text);
}

static void expect(const char *path)
{
    int r = walk_next(&w, &err);
    cr_assert_geq(r, 0, "%s", err.text);
    cr_assert_eq(r, path != NULL, "%s is too much", w.path.data);
    if (path)
        cr_assert_str_eq(w.path.data, path);
}

Test(walk, an_empty_tree_has_its_root)
{
    begin();
    expect("./");
    cr_assert(S_ISDIR(w.st.st_mode));
    expect(NULL);
    expect(NULL);
}

Test(walk, names_are_in_the_order_of_their_bytes)
{
    static const char *const names[] = {"b",    "a/",       "a/z", "a/b/", "a/b/c", "a.x",
                                        "\xff", "\xc3\xa9", "B",   " ",    "a/b0"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        make(names[i]);
    begin();
    static const char *const order[] = {"./",     "./ ",   "./B",   "./a/", "./a/b/",     "./a/b/c",
                                        "./a/b0", "./a/z", "./a.x", "./b",  "./\xc3\xa9", "./\xff"};
    for (size_t i = 0; i < ARRAY_SIZE(order); i++)
        expect(order[i]);
    expect(NULL);
}

Test(walk, only_files_and_folders_are_opened)
{
    make("d/");
    make("f");
    cr_assert_eq(mkfifoat(root, "p", 0600), 0);
    cr_assert_eq(symlinkat("f", root, "s"), 0);
    begin();
    expect("./");
    expect("./d/");
    cr_assert_geq(w.fd, 0);
    expect("./f");
    cr_assert_geq(w.fd, 0);
    cr_assert(S_ISREG(w.st.st_mode));
    expect("./p");
    cr_assert_lt(w.fd, 0);
    cr_assert(S_ISFIFO(w.st.st_mode));
    expect("./s");
    cr_assert_lt(w.fd, 0);
    cr_assert(S_ISLNK(w.st.st_mode));
    cr_assert_str_eq(w.name, "s");
    expect(NULL);
}

Test(walk, what_is_gone_is_passed_over)
{
    static const char *const names[] = {"a", "b", "c/", "c/d", "e/", "e/f", "g"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        make(names[i]);
    begin();
    expect("./");
    expect("./a");
    cr_assert_eq(unlinkat(root, "b", 0), 0);
    expect("./c/");
    cr_assert_eq(io_remove_tree(root, "c"), 0);
    expect("./e/");
    expect("./e/f");
    cr_assert_eq(unlinkat(root, "g", 0), 0);
    expect(NULL);
}

/* What has another type by now than the listing said is shown as it is. */
Test(walk, what_is_replaced_is_there)
{
    static const char *const names[] = {"a", "b", "c/", "d"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        make(names[i]);
    begin();
    expect("./");
    expect("./a");
    unlinkat(root, "b", 0);
    unlinkat(root, "c", AT_REMOVEDIR);
    unlinkat(root, "d", 0);
    cr_assert_eq(symlinkat("/etc/passwd", root, "b"), 0);
    make("c");
    make("d/");
    make("d/e");
    expect("./b");
    cr_assert(S_ISLNK(w.st.st_mode));
    expect("./c");
    cr_assert(S_ISREG(w.st.st_mode));
    expect("./d/");
    expect("./d/e");
    expect(NULL);
}

/* Deeper than descriptors may be open, longer than a path can be; and on the way back up each
 * folder has another file. */
#define DEEP 3000

static void make_deep(void)
{
    int fd = dup(root);
    for (int i = 0; i < DEEP; i++) {
        cr_assert_eq(mkdirat(fd, "dd", 0755), 0);
        int file = openat(fd, "z", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        cr_assert_geq(file, 0);
        close(file);
        int below = openat(fd, "dd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        cr_assert_geq(below, 0);
        close(fd);
        fd = below;
    }
    close(fd);
}

static int descriptors(void)
{
    int n = 0;
    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

Test(walk, depth_costs_no_descriptors)
{
    make_deep();
    int before = descriptors(), most = 0, folders = 0, files = 0;
    begin();
    while (walk_next(&w, &err) > 0) {
        folders += S_ISDIR(w.st.st_mode);
        files += S_ISREG(w.st.st_mode);
        int now = (folders + files) % 100 == 0 ? descriptors() - before : 0;
        most = now > most ? now : most;
    }
    cr_assert_eq(err.num, 0, "%s", err.text);
    cr_assert_eq(folders, DEEP + 1);
    cr_assert_eq(files, DEEP);
    cr_assert_leq(most, WALK_OPEN + 2);
    walk_free(&w);
    cr_assert_eq(descriptors(), before);
    w = (struct walk){.fd = -1};
}

/* A folder that is elsewhere by now, when the way back up leads there. */
Test(walk, what_was_moved_away_is_passed_over)
{
    make_deep();
    make("y");
    begin();
    int depth = 0;
    while (depth < DEEP) {
        cr_assert_eq(walk_next(&w, &err), 1);
        depth += S_ISDIR(w.st.st_mode) && w.path.len > 2;
    }
    cr_assert_eq(renameat(root, "dd", root, "ee"), 0);
    make("dd/");
    int files = 0;
    while (walk_next(&w, &err) > 0)
        files += S_ISREG(w.st.st_mode);
    cr_assert_eq(err.num, 0, "%s", err.text);
    cr_assert_lt(files, DEEP);
    cr_assert_gt(files, 2, "those that are near, and what is in the root");
}
