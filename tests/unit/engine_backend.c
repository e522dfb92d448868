#include "world_suite.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define OTHER "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

TestSuite(backend, .init = set_up, .fini = tear_down, .timeout = 100);

#define REFUSED(num, kind, name)                                                                   \
    cr_assert_eq(world_do(&w, BACKEND_##kind, name), num, "%s: %s", name, w.err.text)
#define BECOMES(name, state)                                                                       \
    cr_assert(world_wait(&w, name, state), "%s is %s: %s", name, world_state(&w, name),            \
              look(name)->error)

static struct backend_view *look(const char *name)
{
    static struct backend_view view;
    if (!world_look(&w, name, &view))
        view = (struct backend_view){.state = ""};
    return &view;
}

/* Below the store. */
__attribute__((format(printf, 1, 2))) static bool on_disk(const char *fmt, ...)
{
    char path[256];
    struct stat st;
    size_t n = (size_t)snprintf(path, sizeof path, "%s/", w.store);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(path + n, sizeof path - n, fmt, ap);
    va_end(ap);
    return lstat(path, &st) == 0;
}

/* The first column of what the query finds, a word each. */
static char *ask(const char *query)
{
    static char out[4096];
    sqlite3 *sql;
    sqlite3_stmt *s;
    size_t len = 0;
    out[0] = '\0';
    cr_assert_eq(sqlite3_open_v2(w.database, &sql, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    cr_assert_eq(sqlite3_prepare_v2(sql, query, -1, &s, NULL), SQLITE_OK, "%s",
                 sqlite3_errmsg(sql));
    while (sqlite3_step(s) == SQLITE_ROW)
        len += (size_t)snprintf(out + len, sizeof out - len, "%s%s", len ? " " : "",
                                (const char *)sqlite3_column_text(s, 0));
    sqlite3_finalize(s);
    sqlite3_close(sql);
    return out;
}

Test(backend, from_a_line_to_a_root_file_system)
{
    start();
    FETCH("ok", 1, "web");
    BECOMES("web", "ACTIVE");
    const struct backend_view *v = look("web");
    cr_expect(v->rootfs && v->percent == 100 && v->done == v->size && v->total == v->size);
    cr_expect(v->attempts == 1 && v->entries > 12 && v->bytes > 8 * 16384 && v->skipped == 0);
    cr_expect(v->created > 0 && v->updated >= v->created && v->next_retry == 0);
    cr_expect_str_eq(v->format, "tar.gz");
    cr_expect_str_eq(v->want, "active");
    cr_expect_str_eq(v->error, "");
    cr_assert(on_disk("active/%s/etc/number", "web"));
    cr_assert_str_eq(ask("SELECT from_state || '>' || to_state FROM history ORDER BY seq"),
                     ">NEW NEW>DOWNLOADING DOWNLOADING>DOWNLOADED DOWNLOADED>UNPACKING"
                     " UNPACKING>UNPACKED UNPACKED>STORED STORED>ACTIVATING ACTIVATING>ACTIVE");
    DO(REMOVE, "web");
    cr_assert_str_eq(world_state(&w, "web"), "");
    cr_assert_not(on_disk("active/%s", "web") || on_disk("overlays/%s", "web"));
    cr_assert_str_eq(ask("SELECT to_state = '' FROM history ORDER BY seq DESC LIMIT 1"), "1");
}

Test(backend, names_that_do_not_exist)
{
    start();
    REFUSED(ENOENT, REMOVE, "web");
    REFUSED(ENOENT, CANCEL, "web");
    REFUSED(ENOENT, RETRY, "web");
    REFUSED(ENOENT, ACTIVATE, "web");
    REFUSED(ENOENT, DEACTIVATE, "web");
    cr_assert(strstr(w.err.text, "web"));
}

Test(backend, up_and_down_and_what_does_not_fit)
{
    start();
    FETCH("ok", 0, "web");
    BECOMES("web", "ACTIVE");
    REFUSED(EBUSY, CANCEL, "web");
    REFUSED(EBUSY, RETRY, "web");
    DO(ACTIVATE, "web");
    cr_assert_str_eq(ask("SELECT count(*) FROM history"), "8", "what is so leaves no trace");
    DO(DEACTIVATE, "web");
    cr_assert_str_eq(look("web")->state, "STORED");
    cr_assert_str_eq(look("web")->want, "stored");
    cr_assert_not(look("web")->rootfs || on_disk("active/%s/etc", "web"));
    cr_assert(on_disk("overlays/%s/upper", "web"), "the layer is kept");
    DO(DEACTIVATE, "web");
    REFUSED(EBUSY, CANCEL, "web");
    REFUSED(EBUSY, RETRY, "web");
    DO(ACTIVATE, "web");
    BECOMES("web", "ACTIVE");
    cr_assert_str_eq(look("web")->want, "active");
}

Test(backend, one_that_is_in_use_stays)
{
    start();
    FETCH("ok", 0, "web");
    BECOMES("web", "ACTIVE");
    char path[160];
    snprintf(path, sizeof path, "%s/active/web/etc/number", w.store);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    REFUSED(EBUSY, DEACTIVATE, "web");
    REFUSED(EBUSY, REMOVE, "web");
    cr_assert(look("web")->rootfs && on_disk("active/%s/etc/number", "web"));
    close(fd);
    DO(REMOVE, "web");
}

/* --- fetch */

static int fetch_lines(struct backend_fetch *lines, size_t n)
{
    struct backend_command command = {.kind = BACKEND_FETCH, .lines = lines, .count = n};
    return world_submit(&w, &command, &w.err, &w.line);
}

static struct backend_fetch line(const char *mode, int archive, const char *name)
{
    struct backend_fetch f = {.url = world_archive(&w, mode, archive), .name = name};
    strcpy(f.sha256, w.sha256[archive]);
    return f;
}

Test(backend, all_lines_or_none)
{
    start();
    FETCH("ok", 0, "web");
    struct backend_fetch lines[] = {line("ok", 1, "a"), line("ok", 1, "web"), line("ok", 1, "b")};
    cr_assert_eq(fetch_lines(lines, 3), EEXIST);
    cr_assert_eq(w.line, 1, "the refused line is named");
    cr_assert(strstr(w.err.text, w.sha256[0]), "%s", w.err.text);
    cr_assert_str_eq(world_state(&w, "a"), "");
    cr_assert_str_eq(world_state(&w, "b"), "");
    lines[1] = line("ok", 2, "a");
    cr_assert_eq(fetch_lines(lines, 3), EEXIST, "within one write, too");
    cr_assert_eq(w.line, 1);
    lines[1] = line("ok", 1, "c");
    cr_assert_eq(fetch_lines(lines, 3), 0, "%s", w.err.text);
    BECOMES("a", "ACTIVE");
    BECOMES("b", "ACTIVE");
    BECOMES("c", "ACTIVE");
}

Test(backend, one_name_twice_in_a_write_is_one_image)
{
    start();
    struct backend_fetch lines[] = {line("ok", 0, "a"), line("ok", 0, "a")};
    cr_assert_eq(fetch_lines(lines, 2), 0, "%s", w.err.text);
    BECOMES("a", "ACTIVE");
    cr_assert_str_eq(ask("SELECT count(*) FROM images"), "1");
}

Test(backend, fetching_what_is_there_changes_nothing_unless_it_failed)
{
    start();
    FETCH("404", 0, "web");
    BECOMES("web", "FAILED");
    cr_assert_eq(look("web")->code, ERR_HTTP_STATUS);
    cr_assert_eq(look("web")->attempts, 1);
    FETCH("ok", 0, "web");
    BECOMES("web", "ACTIVE");
    cr_assert_str_eq(look("web")->url, world_archive(&w, "ok", 0));
    int64_t updated = look("web")->updated;
    FETCH("range", 0, "web");
    cr_assert_str_eq(look("web")->url, world_archive(&w, "ok", 0));
    cr_assert_eq(look("web")->updated, updated);
}

/* After the first of the lines it is NEW, and the second changes nothing. */
Test(backend, one_that_failed_is_retried_once_in_a_write)
{
    start();
    FETCH("404", 0, "web");
    BECOMES("web", "FAILED");
    struct backend_fetch lines[] = {line("ok", 0, "web"), line("404", 0, "web")};
    cr_assert_eq(fetch_lines(lines, 2), 0, "%s", w.err.text);
    BECOMES("web", "ACTIVE");
    cr_assert_str_eq(ask("SELECT count(*) FROM history WHERE from_state = 'FAILED'"), "1");
}

Test(backend, a_full_queue_refuses)
{
    w.config.queue = 2;
    cr_assert_eq(world_open(&w), 0);
    start();
    FETCH("hang", 0, "a");
    FETCH("hang", 1, "b");
    struct backend_fetch lines[] = {line("hang", 2, "c")};
    cr_assert_eq(fetch_lines(lines, 1), EAGAIN);
    FETCH("hang", 0, "a");
    DO(CANCEL, "a");
    cr_assert_eq(fetch_lines(lines, 1), 0, "%s", w.err.text);
    REFUSED(0, REMOVE, "b");
}

Test(backend, names_share_a_download)
{
    start();
    FETCH("slow", 0, "a");
    BECOMES("a", "DOWNLOADING");
    FETCH("404", 0, "b");
    BECOMES("a", "ACTIVE");
    BECOMES("b", "ACTIVE");
}

Test(backend, a_wrong_digest_names_both)
{
    start();
    cr_assert_eq(world_fetch(&w, world_archive(&w, "ok", 0), OTHER, "web"), 0);
    BECOMES("web", "FAILED");
    const struct backend_view *v = look("web");
    cr_expect_eq(v->code, ERR_CHECKSUM_MISMATCH);
    cr_expect(strstr(v->error, OTHER) && strstr(v->error, w.sha256[0]), "%s", v->error);
    cr_expect_eq(v->attempts, 2);
    cr_expect_not(on_disk("blobs/%s.part", OTHER) || on_disk("blobs/%s.tar", OTHER));
}

Test(backend, what_may_pass_is_tried_as_often_as_allowed)
{
    start();
    FETCH("500", 0, "web");
    BECOMES("web", "FAILED");
    cr_assert_eq(look("web")->attempts, 3);
    FETCH("500x2", 1, "db");
    BECOMES("db", "ACTIVE");
    cr_assert_eq(look("db")->attempts, 3);
}

Test(backend, waits_without_limit_overflow_nothing)
{
    w.config.retry_delay = w.config.retry_max = INT64_MAX;
    start();
    cr_assert_eq(
        world_fetch(&w, world_url(&w, "503/a0.tar?after=99999999999999999999"), w.sha256[0], "web"),
        0);
    for (int i = 0; look("web")->next_retry == 0; i++) {
        cr_assert_lt(i, 10000);
        usleep(1000);
    }
    cr_assert_gt(look("web")->next_retry, text_now_ms());
    cr_assert_str_eq(look("web")->state, "DOWNLOADING");
    world_close(&w, false);
    start();
    cr_assert_gt(look("web")->next_retry, text_now_ms());
    DO(CANCEL, "web");
}

/* --- cancel, remove */

Test(backend, cancelled_reads_failed_at_once_and_can_be_retried)
{
    start();
    FETCH("slow", 0, "web");
    BECOMES("web", "DOWNLOADING");
    DO(CANCEL, "web");
    cr_assert_str_eq(look("web")->state, "FAILED");
    cr_assert_eq(look("web")->code, ERR_CANCELLED);
    REFUSED(EBUSY, CANCEL, "web");
    DO(RETRY, "web");
    cr_assert_eq(look("web")->code, ERR_NONE);
    BECOMES("web", "ACTIVE");
}

Test(backend, removed_while_downloading_is_gone_at_once_and_leaves_nothing)
{
    start();
    FETCH("slow", 0, "web");
    BECOMES("web", "DOWNLOADING");
    DO(REMOVE, "web");
    cr_assert_str_eq(world_state(&w, "web"), "");
    for (int i = 0; on_disk("blobs/%s.part", w.sha256[0]); i++) {
        cr_assert_lt(i, 10000);
        usleep(1000);
    }
    FETCH("ok", 0, "web");
    BECOMES("web", "ACTIVE");
}

Test(backend, cleanup_removes_what_no_name_refers_to)
{
    struct text text CLEANUP_TEXT = {0};
    struct backend_command dry = {.kind = BACKEND_CLEANUP, .dry_run = true};
    start();
    FETCH("ok", 0, "web");
    FETCH("ok", 2, "db");
    BECOMES("web", "ACTIVE");
    BECOMES("db", "ACTIVE");
    DO(REMOVE, "web");
    cr_assert_eq(world_submit(&w, &dry, &w.err, NULL), 0);
    cr_assert(on_disk("blobs/%s.tar", w.sha256[0]) && on_disk("images/%s", w.sha256[0]));
    backend_cleanup(w.backend, &text);
    cr_assert(strstr(text.data, "would-remove blob ") && strstr(text.data, "total 2 "), "%s",
              text.data);
    cr_assert_eq(world_do(&w, BACKEND_CLEANUP, NULL), 0, "%s", w.err.text);
    cr_assert_not(on_disk("blobs/%s.tar", w.sha256[0]) || on_disk("images/%s", w.sha256[0]));
    cr_assert(on_disk("blobs/%s.tar", w.sha256[2]) && on_disk("images/%s", w.sha256[2]));
}

/* --- close and open */

struct answered {
    int times, num;
};

static void count(void *ctx, const struct err *err, size_t at)
{
    struct answered *a = ctx;
    a->times++;
    a->num = err->num;
}

Test(backend, what_waits_is_answered_when_it_closes)
{
    struct answered a = {0};
    cr_assert_eq(world_open(&w), 0);
    struct backend_command remove = {.kind = BACKEND_REMOVE, .name = "web"};
    backend_submit(w.backend, &remove, count, &a);
    backend_submit(w.backend, &remove, count, &a);
    world_close(&w, false);
    cr_assert(a.times == 2 && a.num == ECANCELED);
}

Test(backend, active_mounts_are_adopted_or_come_back)
{
    start();
    FETCH("ok", 0, "web");
    BECOMES("web", "ACTIVE");
    uint64_t id = look("web")->id;
    world_close(&w, true);
    cr_assert(on_disk("active/%s/etc/number", "web"));
    start();
    cr_assert_str_eq(world_state(&w, "web"), "ACTIVE", "adopted");
    cr_assert_eq(look("web")->id, id);
    cr_assert_str_eq(ask("SELECT count(*) FROM history"), "8");
    world_close(&w, false);
    cr_assert_not(on_disk("active/%s/etc/number", "web"));
    start();
    BECOMES("web", "ACTIVE");
    DO(DEACTIVATE, "web");
    world_close(&w, false);
    start();
    usleep(100000);
    cr_assert_str_eq(world_state(&w, "web"), "STORED", "as it was meant");
}

Test(backend, what_was_under_way_goes_on)
{
    start();
    FETCH("slow", 0, "web");
    BECOMES("web", "DOWNLOADING");
    FETCH("hang", 1, "fail");
    world_close(&w, false);
    start();
    BECOMES("web", "ACTIVE");
    DO(CANCEL, "fail");
}

/* Workers end while the engine does: what they hand in then is not lost, as a leak check shows. */
Test(backend, it_can_be_closed_at_any_moment)
{
    unsigned random = 1;
    w.config.downloads = w.config.unpacks = 16;
    for (int round = 0; round < 60; round++) {
        start();
        for (int i = 0; i < 16; i++) {
            char name[16];
            snprintf(name, sizeof name, "n%d", i);
            if (strcmp(world_state(&w, name), "ACTIVE") == 0)
                DO(REMOVE, name);
            FETCH("ok", i % WORLD_ARCHIVES, name);
        }
        usleep((unsigned)rand_r(&random) % 10000);
        world_close(&w, rand_r(&random) % 2);
    }
    cr_assert_str_eq(ask("SELECT count(*) FROM images"), "16");
}

Test(backend, a_second_process_is_refused)
{
    int status;
    start();
    pid_t pid = fork();
    if (pid == 0) {
        struct backend *other;
        struct err err = {0};
        char holder[32];
        snprintf(holder, sizeof holder, "process %d", (int)getppid());
        _exit(backend_open(&other, &w.config, &err) == -EBUSY && strstr(err.text, holder) ? 0 : 1);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0);
}

/* --- news */

struct news {
    char log[256];
    size_t len;
};

/* Progress comes as it comes. */
static void note(void *ctx, unsigned changes, uint64_t id, const char *name)
{
    struct news *n = ctx;
    changes &= ~(unsigned)BACKEND_PROGRESS;
    if (!changes || strcmp(name, "web") != 0 || n->len + 8 >= sizeof n->log)
        return;
    for (unsigned bit = 0; bit < 7; bit++)
        if (changes & 1U << bit)
            n->log[n->len++] = "ASEPCGV"[bit];
    n->log[n->len++] = ' ';
}

Test(backend, news_of_an_image_come_in_order)
{
    struct news n = {0};
    cr_assert_eq(world_open(&w), 0);
    backend_set_observer(w.backend, note, &n);
    start();
    FETCH("ok", 0, "web");
    BECOMES("web", "ACTIVE");
    DO(REMOVE, "web");
    world_close(&w, false);
    cr_assert_str_eq(n.log, "A S S S S S S SC G V ");
}
