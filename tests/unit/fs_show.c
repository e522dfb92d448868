#include "fs/show.h"

#include "fs/config.h"
#include "fs/error_log.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static struct text out;
static struct backend_view view;
static int64_t changed;
static struct backend_snapshot snapshot;
static const struct show show = {.view = &view, .snapshot = &snapshot, .changed = &changed};

/* An image as it is when it was just asked for. */
static void set_up(void)
{
    view = (struct backend_view){
        .id = 1,
        .name = "web",
        .url = "http://user:***@h/web.tar.gz",
        .sha256 = A,
        .state = "NEW",
        .want = "active",
        .policy = "strict",
        .sink = "-",
        .format = "-",
        .phase = "queued",
        .total = -1,
        .size = -1,
        .entries = -1,
        .bytes = -1,
        .skipped = -1,
    };
}

static void tear_down(void)
{
    text_free(&out);
}

TestSuite(show, .init = set_up, .fini = tear_down);

static const char *text_of(show_fn *fn)
{
    text_free(&out);
    fn(&show, &out);
    return out.data ? out.data : "";
}

Test(show, a_snapshot)
{
    snapshot = (struct backend_snapshot){.number = 7,
                                         .image_name = "web",
                                         .id = "build",
                                         .state = "ACTIVE",
                                         .created = 1700000000123,
                                         .measured = 5,
                                         .upper_bytes = -1};
    cr_assert_str_eq(text_of(show_snapshot_state), "ACTIVE\n");
    cr_assert_str_eq(text_of(show_snapshot_info),
                     "image web\nid build\nstate ACTIVE\ncreated 2023-11-14T22:13:20.123Z\n"
                     "upper_bytes -\n");
    cr_assert_eq(changed, 5);
    snapshot.upper_bytes = 4096;
    cr_assert(strstr(text_of(show_snapshot_info), "\nupper_bytes 4096\n"));
}

Test(show, state)
{
    cr_assert_str_eq(text_of(show_state), "NEW\n");
    view.state = "ACTIVE";
    cr_assert_str_eq(text_of(show_state), "ACTIVE\n");
}

Test(show, progress)
{
    cr_assert_str_eq(text_of(show_progress), "0 0 - queued\n");
    view.percent = 42;
    view.done = 12582912;
    view.total = 29360128;
    view.phase = "download";
    cr_assert_str_eq(text_of(show_progress), "42 12582912 29360128 download\n");
    view.percent = 100;
    view.done = view.total = INT64_MAX;
    view.phase = "active";
    cr_assert_str_eq(text_of(show_progress),
                     "100 9223372036854775807 9223372036854775807 active\n");
    view.done = view.total = 0;
    cr_assert_str_eq(text_of(show_progress), "100 0 0 active\n");
}

Test(show, error)
{
    cr_assert_str_eq(text_of(show_error), "");
    strcpy(view.error, "left from before");
    cr_assert_str_eq(text_of(show_error), "", "no code is no error");
    view.code = ERR_CHECKSUM_MISMATCH;
    strcpy(view.error, "wanted aa, got bb");
    cr_assert_str_eq(text_of(show_error), "checksum-mismatch: wanted aa, got bb\n");
}

Test(show, an_error_stays_one_line_of_ascii)
{
    view.code = ERR_UNSAFE_PATH;
    strcpy(view.error, "member \"a\\b\" \n../\xc3\xa9\x1b[2J\x7f\r\t");
    cr_assert_str_eq(text_of(show_error),
                     "unsafe-path: member \"a\\b\" \\n../\\303\\251\\033[2J\\177\\r\\t\n");
}

Test(show, the_codes_are_the_contracts_words)
{
    static const char *const words[] = {"unreachable",        "timeout",
                                        "http-status",        "checksum-mismatch",
                                        "unsupported-format", "corrupt-archive",
                                        "unsafe-path",        "unsafe-link",
                                        "too-large-file",     "too-many-files",
                                        "too-large-total",    "too-large-download",
                                        "no-space",           "io",
                                        "mount-failed",       "cancelled",
                                        "interrupted",        "internal"};
    strcpy(view.error, "x");
    for (int c = 1; c < ERR_CODES; c++) {
        char want[64];
        view.code = (enum err_code)c;
        snprintf(want, sizeof want, "%s: x\n", words[c - 1]);
        cr_expect_str_eq(text_of(show_error), want);
    }
    cr_assert_eq(ERR_CODES - 1, sizeof words / sizeof words[0]);
}

Test(show, info_of_what_is_not_known_yet)
{
    cr_assert_str_eq(text_of(show_info), "name web\n"
                                         "url http://user:***@h/web.tar.gz\n"
                                         "sha256 " A "\n"
                                         "state NEW\n"
                                         "want active\n"
                                         "policy strict\n"
                                         "sink -\n"
                                         "format -\n"
                                         "size -\n"
                                         "entries -\n"
                                         "bytes -\n"
                                         "skipped -\n"
                                         "attempts 0\n"
                                         "next_retry -\n"
                                         "created -\n"
                                         "updated -\n");
}

Test(show, info_of_what_is)
{
    view.state = "FAILED";
    view.want = "stored";
    view.policy = "faithful";
    view.sink = "dir";
    view.format = "tar.gz";
    view.size = 1;
    view.entries = 2;
    view.bytes = 0;
    view.skipped = 4;
    view.attempts = 3;
    view.next_retry = 1700000000000;
    view.created = 1;
    view.updated = 1795467540999;
    cr_assert_str_eq(text_of(show_info), "name web\n"
                                         "url http://user:***@h/web.tar.gz\n"
                                         "sha256 " A "\n"
                                         "state FAILED\n"
                                         "want stored\n"
                                         "policy faithful\n"
                                         "sink dir\n"
                                         "format tar.gz\n"
                                         "size 1\n"
                                         "entries 2\n"
                                         "bytes 0\n"
                                         "skipped 4\n"
                                         "attempts 3\n"
                                         "next_retry 2023-11-14T22:13:20.000Z\n"
                                         "created 1970-01-01T00:00:00.001Z\n"
                                         "updated 2026-11-23T20:59:00.999Z\n");
}

Test(show, version_is_one_line)
{
    cr_assert_str_eq(text_of(show_version), CONFIG_VERSION "\n");
}

Test(show, readme_tells_in_a_page)
{
    const char *text = text_of(show_readme);
    size_t lines = 0;
    for (const char *p = text; (p = strchr(p, '\n')); p++)
        lines++;
    cr_assert(lines >= 10 && lines <= 24, "%zu lines", lines);
    cr_assert(strstr(text, "ctl/fetch"));
    cr_assert_eq(out.data[out.len - 1], '\n');
    for (const char *p = text; *p; p++)
        cr_assert(*p == '\n' || (*p >= 0x20 && *p <= 0x7e), "byte %d", *p);
}

Test(show, usage_is_one_line_each)
{
    show_fn *const usages[] = {show_usage_fetch,    show_usage_remove,   show_usage_cancel,
                               show_usage_retry,    show_usage_activate, show_usage_deactivate,
                               show_usage_log_level};
    for (size_t i = 0; i < sizeof usages / sizeof usages[0]; i++) {
        const char *text = text_of(usages[i]);
        cr_expect_eq(strncmp(text, "write: ", 7), 0, "%s", text);
        cr_expect_eq(strchr(text, '\n'), text + strlen(text) - 1, "%s", text);
    }
}

Test(show, error_log_is_the_logs)
{
    struct error_log *elog = error_log_new();
    struct err err = {.num = ENOENT, .text = "no image is named x"};
    error_log_add(elog, "ctl/remove", "x", 1, &err);
    show_error_log(&(struct show){.error_log = elog, .changed = &changed}, &out);
    cr_assert(strstr(out.data, " ctl/remove ENOENT \"x\" no image is named x\n"), "%s", out.data);
    error_log_free(elog);
}
