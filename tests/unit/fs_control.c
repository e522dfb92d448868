#include "fs/control.h"

#include "base/cleanup.h"

#include <criterion/criterion.h>
#include <string.h>

#define A      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DIGITS "0123456789ABCDEFabcdef0123456789abcdefABCDEF01234567890123456789"
#define LOWER  "0123456789abcdefabcdef0123456789abcdefabcdef01234567890123456789"
#define U      "http://h/web.tar.gz"
#define N127   N64 N63
#define N64    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._"
#define N63    "bcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._"

/* Parses from a buffer of exactly that size, so that a byte too far is found out. */
static int parse(struct control *c, enum control_file file, const char *bytes, size_t len,
                 struct err *err)
{
    char *exact CLEANUP_FREE = malloc(len ? len : 1);
    memcpy(exact, bytes, len);
    *err = (struct err){0};
    return control_parse(c, file, exact, len, err);
}

/* --- the lines of ctl/fetch that are taken, and what is made of them */

static const struct {
    const char *write, *url, *sha256, *name;
} taken[] = {
    {U " " A " web\n", U, A, "web"},
    {U " " A " web", U, A, "web"},
    {U " " A "\n", U, A, "web"},
    {U " " A, U, A, "web"},
    /* fields are apart by spaces or tabs, any number of them */
    {U "\t" A "\tweb\n", U, A, "web"},
    {"  " U " \t  " A "\t \tweb \t \n", U, A, "web"},
    {U " " A "  \n", U, A, "web"},
    /* empty lines are ignored */
    {"\n\n" U " " A " web\n\n", U, A, "web"},
    {" \t\n" U " " A " web\n \n", U, A, "web"},
    {"\n" U " " A " web", U, A, "web"},
    /* digests in either case, and with their algorithm */
    {U " " DIGITS " web\n", U, LOWER, "web"},
    {U " sha256:" DIGITS " web\n", U, LOWER, "web"},
    /* schemes */
    {"https://h/web.tar " A "\n", "https://h/web.tar", A, "web"},
    {"HTTP://h/web.tar " A "\n", "HTTP://h/web.tar", A, "web"},
    {"http://u:p@h:8080/a/b/web.tar " A "\n", "http://u:p@h:8080/a/b/web.tar", A, "web"},
    {"http://[::1]:80/web.tar " A "\n", "http://[::1]:80/web.tar", A, "web"},
    /* names */
    {U " " A " a\n", U, A, "a"},
    {U " " A " 0\n", U, A, "0"},
    {U " " A " Z.\n", U, A, "Z."},
    {U " " A " a..b\n", U, A, "a..b"},
    {U " " A " a-b_c.d-\n", U, A, "a-b_c.d-"},
    {U " " A " x" N127 "\n", U, A, "x" N127},
    {U " " A " web.tar.gz\n", U, A, "web.tar.gz"}, /* one that was given stays as it is */
    {U " " A " state\n", U, A, "state"},
};

Test(control, fetch_takes)
{
    struct control c;
    struct err err;
    for (size_t i = 0; i < ARRAY_SIZE(taken); i++) {
        int r = parse(&c, CONTROL_FETCH, taken[i].write, strlen(taken[i].write), &err);
        cr_expect_eq(r, 0, "%s: %s", taken[i].write, err.text);
        cr_expect(c.command.kind == BACKEND_FETCH && c.command.count == 1, "%s", taken[i].write);
        if (r == 0 && c.command.count == 1) {
            cr_expect_str_eq(c.command.lines[0].url, taken[i].url);
            cr_expect_str_eq(c.command.lines[0].sha256, taken[i].sha256);
            cr_expect_str_eq(c.command.lines[0].name, taken[i].name);
        }
        control_free(&c);
    }
}

/* --- names that are left out: the URL's last segment; NULL: EINVAL */

static const struct {
    const char *url, *name;
} left_out[] = {
    {"http://h/a.tar", "a"},
    {"http://h/a.tar.gz", "a"},
    {"http://h/a.tgz", "a"},
    {"http://h/a.tar.xz", "a"},
    {"http://h/a.txz", "a"},
    {"http://h/a.tar.zst", "a"},
    {"http://h/a.tzst", "a"},
    {"http://h/a.tar.bz2", "a"},
    {"http://h/a.tbz2", "a"},
    {"http://h/a", "a"},
    {"http://h/a.zip", "a.zip"},
    {"http://h/a.gz", "a.gz"},
    {"http://h/a.tar.Z", "a.tar.Z"},
    {"http://h/a.TAR", "a.TAR"},
    {"http://h/a.tar.tar", "a.tar"}, /* one of them */
    {"http://h/a.tar.gz.tar.gz", "a.tar.gz"},
    {"http://h/atar", "atar"},
    {"http://h/x/y/z-1.2_3.tar.gz", "z-1.2_3"},
    {"http://h/a.tar?x=/b.tar", "a"}, /* no query, */
    {"http://h/a.tar#/b.tar", "a"},   /* no fragment */
    {"http://h/a.tar?#", "a"},
    {"http://h/a?x=1.tar", "a"},
    {"http://h/d//a.tar", "a"},
    {"http://u:p@h/a.tar", "a"},
    {"http://h/a%20b.tar", NULL}, /* not decoded */
    {"http://h/a+b.tar", NULL},
    {"http://h/~a.tar", NULL},
    {"http://h", NULL}, /* no path has no segment: the host is none */
    {"http://h/", NULL},
    {"http://h/a/", NULL},
    {"http://h?a", NULL},
    {"http://h?x=/a", NULL},
    {"http://h#/a", NULL},
    {"http://h/.tar", NULL}, /* nothing is left, or what is no name */
    {"http://h/.tar.gz", NULL},
    {"http://h/.a.tar", NULL},
    {"http://h/-a.tar", NULL},
    {"http://h/..", NULL},
    {"http://h/x" N127, "x" N127},
    {"http://h/x" N127 ".tar", "x" N127},
    {"http://h/xx" N127, NULL},
};

Test(control, a_name_that_is_left_out_is_the_urls)
{
    struct control c;
    struct err err;
    for (size_t i = 0; i < ARRAY_SIZE(left_out); i++) {
        char line[1024];
        int n = snprintf(line, sizeof line, "%s " A "\n", left_out[i].url);
        int r = parse(&c, CONTROL_FETCH, line, (size_t)n, &err);
        cr_expect_eq(r, left_out[i].name ? 0 : -EINVAL, "%s: %s", line, err.text);
        if (r == 0 && left_out[i].name)
            cr_expect_str_eq(c.command.lines[0].name, left_out[i].name, "%s", line);
        control_free(&c);
    }
}

/* --- what is refused with EINVAL, the line that is blamed, and what the reason says */

#define BYTES(s) (s), sizeof(s) - 1

static const struct refusal {
    enum control_file file;
    const char *write;
    size_t len;
    const char *line, *reason;
} refused[] = {
    /* a write that asks for nothing */
    {CONTROL_FETCH, BYTES(""), "", "nothing"},
    {CONTROL_FETCH, BYTES("\n"), "", "nothing"},
    {CONTROL_FETCH, BYTES(" \t \n\n\t\n"), " \t ", "nothing"},
    {CONTROL_REMOVE, BYTES(""), "", "nothing"},
    {CONTROL_CANCEL, BYTES("\n\n"), "", "nothing"},
    {CONTROL_CLEANUP, BYTES(" "), " ", "nothing"},
    /* characters, wherever they stand */
    {CONTROL_FETCH, BYTES(U " " A " web\r\n"), U " " A " web\r", "carriage return"},
    {CONTROL_FETCH, BYTES(U " " A " w\0b\n"), NULL, "ASCII"},
    {CONTROL_FETCH, BYTES(U " " A " web\n\0"), NULL, "ASCII"},
    {CONTROL_FETCH, BYTES("\0"), NULL, "ASCII"},
    {CONTROL_FETCH, BYTES(U " " A " w\x01b\n"), U " " A " w\x01b", "ASCII"},
    {CONTROL_FETCH, BYTES(U " " A " w\x1b[2J\n"), U " " A " w\x1b[2J", "ASCII"},
    {CONTROL_FETCH, BYTES(U " " A " w\x7f\n"), U " " A " w\x7f", "ASCII"},
    {CONTROL_FETCH, BYTES(U " " A " w\x80\n"), U " " A " w\x80", "ASCII"},
    {CONTROL_FETCH, BYTES(U " " A " w\xc3\xa9\n"), U " " A " w\xc3\xa9", "ASCII"},
    {CONTROL_FETCH, BYTES(U " " A " w\v\n"), U " " A " w\v", "ASCII"},
    {CONTROL_FETCH, BYTES(U " " A " w\f\n"), U " " A " w\f", "ASCII"},
    {CONTROL_FETCH, BYTES(U " " A " a\n" U " " A " b\xff\n"), U " " A " b\xff", "ASCII"},
    {CONTROL_REMOVE, BYTES("web\r\n"), "web\r", "carriage return"},
    {CONTROL_REMOVE, BYTES("web\0"), NULL, "ASCII"},
    {CONTROL_CLEANUP, BYTES("run\r\n"), "run\r", "carriage return"},
    /* fields */
    {CONTROL_FETCH, BYTES(U "\n"), U, "URL SHA256 [NAME]"},
    {CONTROL_FETCH, BYTES(U " " A " web x\n"), U " " A " web x", "URL SHA256 [NAME]"},
    {CONTROL_FETCH, BYTES("a b c d e f g h\n"), "a b c d e f g h", "URL SHA256 [NAME]"},
    {CONTROL_FETCH, BYTES(A " " U " web\n"), A " " U " web", "http"},
    /* digests */
    {CONTROL_FETCH, BYTES(U " web " A "\n"), U " web " A, "SHA-256"},
    {CONTROL_FETCH, BYTES(U " " A "a web\n"), U " " A "a web", "SHA-256"},
    {CONTROL_FETCH, BYTES(U " aaaa web\n"), U " aaaa web", "SHA-256"},
    {CONTROL_FETCH, BYTES(U " g" N63 " web\n"), U " g" N63 " web", "SHA-256"},
    {CONTROL_FETCH, BYTES(U " sha256: web\n"), U " sha256: web", "SHA-256"},
    {CONTROL_FETCH, BYTES(U " SHA256:" A " web\n"), U " SHA256:" A " web", "SHA-256"},
    {CONTROL_FETCH, BYTES(U " sha512:" A " web\n"), U " sha512:" A " web", "SHA-256"},
    {CONTROL_FETCH, BYTES(U " sha256:sha256:" A " web\n"), U " sha256:sha256:" A " web", "SHA-256"},
    {CONTROL_FETCH, BYTES(U " 0x" A " web\n"), U " 0x" A " web", "SHA-256"},
    /* URLs */
    {CONTROL_FETCH, BYTES("ftp://h/a " A "\n"), "ftp://h/a " A, "http"},
    {CONTROL_FETCH, BYTES("file:///etc/passwd " A " a\n"), "file:///etc/passwd " A " a", "scheme"},
    {CONTROL_FETCH, BYTES("http:/h/a " A "\n"), "http:/h/a " A, "http"},
    {CONTROL_FETCH, BYTES("http:// " A " a\n"), "http:// " A " a", "URL"},
    {CONTROL_FETCH, BYTES("http:///a " A "\n"), "http:///a " A, "host"},
    {CONTROL_FETCH, BYTES("/etc/passwd " A " a\n"), "/etc/passwd " A " a", "http"},
    {CONTROL_FETCH, BYTES("h/a " A "\n"), "h/a " A, "http"},
    {CONTROL_FETCH, BYTES("http://h:99999/a " A "\n"), "http://h:99999/a " A, "URL"},
    /* names */
    {CONTROL_FETCH, BYTES(U " " A " .\n"), U " " A " .", "a name is"},
    {CONTROL_FETCH, BYTES(U " " A " ..\n"), U " " A " ..", "a name is"},
    {CONTROL_FETCH, BYTES(U " " A " .a\n"), U " " A " .a", "a name is"},
    {CONTROL_FETCH, BYTES(U " " A " -a\n"), U " " A " -a", "a name is"},
    {CONTROL_FETCH, BYTES(U " " A " _a\n"), U " " A " _a", "a name is"},
    {CONTROL_FETCH, BYTES(U " " A " a/b\n"), U " " A " a/b", "a name is"},
    {CONTROL_FETCH, BYTES(U " " A " ../a\n"), U " " A " ../a", "a name is"},
    {CONTROL_FETCH, BYTES(U " " A " a:b\n"), U " " A " a:b", "a name is"},
    {CONTROL_FETCH, BYTES(U " " A " a\\b\n"), U " " A " a\\b", "a name is"},
    {CONTROL_FETCH, BYTES(U " " A " \"a\"\n"), U " " A " \"a\"", "a name is"},
    {CONTROL_FETCH, BYTES(U " " A " xx" N127 "\n"), U " " A " xx" N127, "a name is"},
    {CONTROL_REMOVE, BYTES("../web\n"), "../web", "a name is"},
    {CONTROL_REMOVE, BYTES("xx" N127 "\n"), "xx" N127, "a name is"},
    {CONTROL_ACTIVATE, BYTES(".\n"), ".", "a name is"},
    /* one line, one name; several lines must end in a newline */
    {CONTROL_REMOVE, BYTES("web db\n"), "web db", "one NAME"},
    {CONTROL_REMOVE, BYTES("web\ndb\n"), "web", "one line"},
    {CONTROL_CANCEL, BYTES("web\nweb\n"), "web", "one line"},
    {CONTROL_RETRY, BYTES("\nweb\n\ndb\n"), "web", "one line"},
    {CONTROL_DEACTIVATE, BYTES("web\ndb"), "db", "newline"},
    {CONTROL_CLEANUP, BYTES("run\ndry-run\n"), "run", "one line"},
    {CONTROL_FETCH, BYTES(U " " A " a\n" U " " A " b"), U " " A " b", "newline"},
    {CONTROL_FETCH, BYTES(U " " A " a\n" U " " A " b\n "), U " " A " b", "newline"},
    /* the line at fault is the one that is blamed */
    {CONTROL_FETCH, BYTES(U " " A " a\n\n" U " x b\n" U " " A " c\n"), U " x b", "SHA-256"},
    /* reset's NAME or NAME/ID */
    {CONTROL_RESET, BYTES("web/\n"), "web/", "a name is"},
    {CONTROL_RESET, BYTES("/a\n"), "/a", "a name is"},
    {CONTROL_RESET, BYTES("web//a\n"), "web//a", "a name is"},
    {CONTROL_RESET, BYTES("web/a/b\n"), "web/a/b", "a name is"},
    {CONTROL_RESET, BYTES("web/../a\n"), "web/../a", "a name is"},
    {CONTROL_RESET, BYTES("web/.snap\n"), "web/.snap", "a name is"},
    {CONTROL_RESET, BYTES("web/xx" N127 "\n"), "web/xx" N127, "a name is"},
    {CONTROL_RESET, BYTES("web /a\n"), "web /a", "one NAME"},
    {CONTROL_RESET, BYTES("web/a\nweb/b\n"), "web/a", "one line"},
    /* cleanup's two words */
    {CONTROL_CLEANUP, BYTES("1\n"), "1", "run or dry-run"},
    {CONTROL_CLEANUP, BYTES("Run\n"), "Run", "run or dry-run"},
    {CONTROL_CLEANUP, BYTES("dry-run run\n"), "dry-run run", "run or dry-run"},
    {CONTROL_CLEANUP, BYTES("dry-run dry-run\n"), "dry-run dry-run", "run or dry-run"},
    {CONTROL_CLEANUP, BYTES("runs\n"), "runs", "run or dry-run"},
    /* log_level's four */
    {CONTROL_LOG_LEVEL, BYTES("loud\n"), "loud", "error, warn, info or debug"},
    {CONTROL_LOG_LEVEL, BYTES("Debug\n"), "Debug", "error, warn, info or debug"},
    {CONTROL_LOG_LEVEL, BYTES("info debug\n"), "info debug", "error, warn, info or debug"},
    {CONTROL_LOG_LEVEL, BYTES("info\ndebug\n"), "info", "one line"},
    {CONTROL_LOG_LEVEL, BYTES("\n"), "", "nothing"},
};

Test(control, refuses)
{
    struct control c;
    struct err err;
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        const struct refusal *t = &refused[i];
        int r = parse(&c, t->file, t->write, t->len, &err);
        cr_expect_eq(r, -EINVAL, "%zu: %s", i, t->write);
        cr_expect_eq(err.num, EINVAL, "%zu: %s", i, t->write);
        cr_expect(strstr(err.text, t->reason), "%zu: %s: %s", i, t->write, err.text);
        cr_expect_leq(c.line_at + c.line_len, t->len, "%zu: %s", i, t->write);
        if (t->line)
            cr_expect(c.line_len == strlen(t->line) &&
                          memcmp(t->write + c.line_at, t->line, c.line_len) == 0,
                      "%zu: %s: blamed %.*s", i, t->write, (int)c.line_len, t->write + c.line_at);
        control_free(&c);
    }
}

/* --- log_level */

Test(control, the_words_of_log_level)
{
    static const char *const words[] = {"error", "warn\n", " info \n", "debug"};
    struct control c;
    struct err err;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        cr_expect_eq(parse(&c, CONTROL_LOG_LEVEL, words[i], strlen(words[i]), &err), 0, "%s",
                     words[i]);
        cr_expect_eq(c.level, i, "%s", words[i]);
        control_free(&c);
    }
}

/* --- the files that take one NAME, and cleanup */

Test(control, a_name_for_each_file)
{
    static const enum backend_command_kind kinds[] = {
        [CONTROL_REMOVE] = BACKEND_REMOVE,         [CONTROL_CANCEL] = BACKEND_CANCEL,
        [CONTROL_RETRY] = BACKEND_RETRY,           [CONTROL_ACTIVATE] = BACKEND_ACTIVATE,
        [CONTROL_DEACTIVATE] = BACKEND_DEACTIVATE, [CONTROL_RESET] = BACKEND_RESET,
    };
    static const char *const writes[] = {"web\n",      "web",         " web\n",
                                         "\tweb \t\n", "\n\nweb\n\n", "\nweb"};
    struct control c;
    struct err err;
    for (enum control_file f = CONTROL_REMOVE; f <= CONTROL_RESET; f++)
        for (size_t i = 0; i < ARRAY_SIZE(writes); i++) {
            cr_expect_eq(parse(&c, f, writes[i], strlen(writes[i]), &err), 0, "%s", err.text);
            cr_expect_eq(c.command.kind, kinds[f]);
            cr_expect_str_eq(c.command.name, "web");
            cr_expect_null(c.command.snapshot);
            control_free(&c);
        }
}

Test(control, reset_takes_a_snapshot_too)
{
    static const char *const writes[] = {"web/a.b-c_9\n", "\t web/a.b-c_9", "\nweb/a.b-c_9 \n"};
    struct control c;
    struct err err;
    for (size_t i = 0; i < ARRAY_SIZE(writes); i++) {
        cr_assert_eq(parse(&c, CONTROL_RESET, writes[i], strlen(writes[i]), &err), 0, "%s",
                     err.text);
        cr_expect_eq(c.command.kind, BACKEND_RESET);
        cr_expect_str_eq(c.command.name, "web");
        cr_expect_str_eq(c.command.snapshot, "a.b-c_9");
        control_free(&c);
    }
}

Test(control, cleanup_runs_or_only_says)
{
    struct control c;
    struct err err;
    cr_assert_eq(parse(&c, CONTROL_CLEANUP, "run\n", 4, &err), 0);
    cr_assert(c.command.kind == BACKEND_CLEANUP && !c.command.dry_run);
    control_free(&c);
    cr_assert_eq(parse(&c, CONTROL_CLEANUP, " dry-run", 8, &err), 0);
    cr_assert(c.command.kind == BACKEND_CLEANUP && c.command.dry_run);
    control_free(&c);
}

/* --- several lines, and the size of a write */

Test(control, fetch_takes_lines_in_their_order)
{
    static const char lines[] = U " " A " a\n\n  \n" U " " A " b\n" U " " A "\n";
    struct control c;
    struct err err;
    cr_assert_eq(parse(&c, CONTROL_FETCH, lines, strlen(lines), &err), 0, "%s", err.text);
    cr_assert_eq(c.command.count, 3);
    cr_assert_str_eq(c.command.lines[0].name, "a");
    cr_assert_str_eq(c.command.lines[1].name, "b");
    cr_assert_str_eq(c.command.lines[2].name, "web");
    cr_assert_eq(strncmp(lines + c.spans[1].at, U " " A " b\n", c.spans[1].len + 1), 0);
    cr_assert_eq(c.spans[2].at + c.spans[2].len, strlen(lines) - 1);
    control_free(&c);
}

Test(control, a_write_is_at_most_64_KiB)
{
    static char bytes[CONTROL_WRITE_MAX + 1];
    struct control c;
    struct err err;
    cr_assert_eq(CONTROL_WRITE_MAX, 65536);
    memset(bytes, '\n', sizeof bytes);
    memcpy(bytes, "web", 3);
    cr_assert_eq(parse(&c, CONTROL_REMOVE, bytes, CONTROL_WRITE_MAX, &err), 0, "%s", err.text);
    control_free(&c);
    cr_assert_eq(parse(&c, CONTROL_REMOVE, bytes, CONTROL_WRITE_MAX + 1, &err), -E2BIG);
    cr_assert_eq(err.num, E2BIG);
    cr_assert_eq(c.line_len, 3);
    control_free(&c);
    memset(bytes, 'x', sizeof bytes);
    cr_assert_eq(parse(&c, CONTROL_FETCH, bytes, sizeof bytes, &err), -E2BIG);
    control_free(&c);
    cr_assert_eq(parse(&c, CONTROL_FETCH, bytes, CONTROL_WRITE_MAX, &err), -EINVAL);
    control_free(&c);
}

Test(control, as_many_lines_as_fit)
{
    char *bytes CLEANUP_FREE = malloc(CONTROL_WRITE_MAX + 1);
    struct control c;
    struct err err;
    size_t len = 0, n = 0;
    for (; len + 90 < CONTROL_WRITE_MAX; n++)
        len += (size_t)sprintf(bytes + len, "http://h/a " A " n%zu\n", n);
    cr_assert_eq(parse(&c, CONTROL_FETCH, bytes, len, &err), 0, "%s", err.text);
    cr_assert_eq(c.command.count, n);
    cr_assert_str_eq(c.command.lines[10].name, "n10");
    control_free(&c);
}

Test(control, a_url_has_its_limit)
{
    char line[BACKEND_URL_MAX + 128], url[BACKEND_URL_MAX + 2] = "http://h/";
    struct control c;
    struct err err;
    memset(url + 9, 'x', sizeof url - 10);
    int n = snprintf(line, sizeof line, "%s " A " web\n", url);
    cr_assert_eq(parse(&c, CONTROL_FETCH, line, (size_t)n, &err), -EINVAL);
    cr_assert(strstr(err.text, "4096"), "%s", err.text);
    control_free(&c);
    url[BACKEND_URL_MAX] = '\0';
    n = snprintf(line, sizeof line, "%s " A " web\n", url);
    cr_assert_eq(parse(&c, CONTROL_FETCH, line, (size_t)n, &err), 0, "%s", err.text);
    control_free(&c);
}

Test(control, torn_is_what_lacks_its_newline)
{
    cr_assert(control_is_torn("web", 3));
    cr_assert(control_is_torn("web\n ", 5));
    cr_assert_not(control_is_torn("web\n", 4));
    cr_assert_not(control_is_torn("\n", 1));
    cr_assert_not(control_is_torn("", 0));
}

/* --- names */

Test(control, the_rule_for_names)
{
    char longest[] = "x" N127, s[3] = "";
    cr_assert(backend_name_valid(longest, 128));
    cr_assert_not(backend_name_valid("xx" N127, 129));
    cr_assert_not(backend_name_valid("", 0));
    for (int b = 0; b < 256; b++) {
        bool alnum = (b >= '0' && b <= '9') || (b >= 'A' && b <= 'Z') || (b >= 'a' && b <= 'z');
        s[0] = (char)b;
        cr_expect_eq(backend_name_valid(s, 1), alnum, "%d first", b);
        s[0] = 'a';
        s[1] = (char)b;
        cr_expect_eq(backend_name_valid(s, 2), alnum || b == '.' || b == '_' || b == '-', "%d", b);
        s[1] = '\0';
    }
}

/* --- bytes of any kind: refused or taken, never worse, and what is taken is sane */

static void check_sane(const struct control *c, enum control_file file)
{
    for (size_t i = 0; i < c->command.count; i++) {
        const struct backend_fetch *f = &c->command.lines[i];
        cr_assert(backend_name_valid(f->name, strlen(f->name)) && strlen(f->sha256) == 64);
        cr_assert(strspn(f->sha256, "0123456789abcdef") == 64);
        cr_assert_eq(strncasecmp(f->url, "http", 4), 0);
    }
    if (file != CONTROL_FETCH && file != CONTROL_CLEANUP)
        cr_assert(backend_name_valid(c->command.name, strlen(c->command.name)));
}

/* Pieces that lines are made of, so that some get far. */
static const char *const pieces[] = {
    U,     "https://x/y.tar", A,   "sha256:", " ",   "\t", "\n", "\n", "web",
    "run", "dry-run",         ".", "/",       "://", "?",  "#",  "@",  "\r"};

static size_t make_bytes(char *out, size_t most, unsigned *seed)
{
    size_t len = 0, parts = (size_t)rand_r(seed) % 12;
    for (size_t i = 0; i < parts; i++) {
        char byte[2] = {(char)rand_r(seed)};
        bool raw = rand_r(seed) % 8 == 0;
        const char *p = raw ? byte : pieces[(size_t)rand_r(seed) % ARRAY_SIZE(pieces)];
        size_t n = raw ? 1 : strlen(p);
        if (len + n > most)
            break;
        memcpy(out + len, p, n);
        len += n;
    }
    return len;
}

Test(control, bytes_of_any_kind)
{
    unsigned seed = 1;
    size_t good = 0;
    for (int i = 0; i < 100000; i++) {
        char bytes[2048];
        struct control c;
        struct err err;
        size_t len = make_bytes(bytes, sizeof bytes, &seed);
        enum control_file file = (enum control_file)(CONTROL_FETCH + i % 7);
        int r = parse(&c, file, bytes, len, &err);
        if (r == 0) {
            check_sane(&c, file);
            good++;
        } else {
            cr_assert(r == -EINVAL && err.num == EINVAL && err.text[0]);
            cr_assert_leq(c.line_at + c.line_len, len);
        }
        control_free(&c);
    }
    cr_assert_gt(good, 1000, "%zu were taken: too few to say anything", good);
}
