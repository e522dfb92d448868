#include "fs/control.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

#define FIELDS_MAX 3

static const char *const suffixes[] = {".tar.gz", ".tar.xz", ".tar.zst", ".tar.bz2", ".tgz",
                                       ".txz",    ".tzst",   ".tbz2",    ".tar"};

static int refuse(struct err *err, const char *reason)
{
    return err_set(err, ERR_INTERNAL, EINVAL, "%s", reason);
}

/* --- characters */

static int check_characters(struct control *c, size_t len, struct err *err)
{
    for (size_t i = 0, line = 0; i < len; i++) {
        unsigned char b = (unsigned char)c->bytes[i];
        if (b == '\n') {
            line = i + 1;
        } else if (b != '\t' && (b < 0x20 || b > 0x7e)) {
            const char *end = memchr(c->bytes + line, '\n', len - line);
            c->line_at = line;
            c->line_len = end ? (size_t)(end - c->bytes) - line : len - line;
            return refuse(err, b == '\r' ? "carriage return: lines end in a newline alone"
                                         : "only printable ASCII, spaces, tabs and newlines");
        }
    }
    return 0;
}

/* --- fields of a line */

static size_t split(char *line, char *fields[static FIELDS_MAX + 1])
{
    size_t n = 0;
    for (char *field; (field = strsep(&line, " \t"));)
        if (*field && n <= FIELDS_MAX)
            fields[n++] = field;
    return n;
}

static int parse_sha256(const char *s, char out[static 65], struct err *err)
{
    if (strncmp(s, "sha256:", 7) == 0)
        s += 7;
    if (strlen(s) != 64 || strspn(s, "0123456789abcdefABCDEF") != 64)
        return refuse(err, "the second field is no SHA-256: 64 hex digits");
    for (size_t i = 0; i <= 64; i++)
        out[i] = (char)(s[i] >= 'A' && s[i] <= 'F' ? s[i] + ('a' - 'A') : s[i]);
    return 0;
}

/* The last segment of the URL's path, less a suffix that archives have. In place: the URL stays
 * whole, so the name is a copy. */
static char *name_of(const char *url)
{
    const char *path = strstr(url, "://");
    path = path ? path + 3 + strcspn(path + 3, "/?#") : url;
    size_t end = strcspn(path, "?#"), begin = end;
    while (begin > 0 && path[begin - 1] != '/')
        begin--;
    for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
        size_t n = strlen(suffixes[i]);
        if (end - begin > n && memcmp(path + end - n, suffixes[i], n) == 0) {
            end -= n;
            break;
        }
    }
    return strndup(path + begin, end - begin);
}

static int parse_fetch(char *line, struct backend_fetch *f, struct err *err)
{
    char *fields[FIELDS_MAX + 1];
    size_t n = split(line, fields);
    if (n < 2 || n > 3)
        return refuse(err, "a line is URL SHA256 [NAME]");
    if (!backend_url_valid(fields[0], err))
        return err && err->num == ENOMEM ? -ENOMEM : -EINVAL;
    f->url = fields[0];
    int r = parse_sha256(fields[1], f->sha256, err);
    if (r < 0)
        return r;
    char *name = n == 3 ? strdup(fields[2]) : name_of(fields[0]);
    f->name = name;
    if (!name)
        return err_sys(err, ENOMEM, "cannot hold the write");
    if (backend_name_valid(name, strlen(name)))
        return 0;
    return refuse(err, n == 3 ? "a name is 1 to 128 of A-Z a-z 0-9 . _ - and begins with a letter "
                                "or digit"
                              : "the URL's last segment is no name: give one as the third field");
}

/* --- lines */

static bool is_blank(const char *line, size_t len)
{
    return strspn(line, " \t") >= len;
}

/* Ends each line with NUL and notes where those stand that say something. */
static size_t find_lines(struct control *c, size_t len)
{
    size_t n = 0;
    for (size_t at = 0; at < len;) {
        size_t line = strcspn(c->bytes + at, "\n");
        c->bytes[at + line] = '\0';
        if (!is_blank(c->bytes + at, line))
            c->spans[n++] = (struct control_span){at, line};
        at += line + 1;
    }
    return n;
}

static int parse_fetches(struct control *c, size_t n, struct err *err)
{
    if (!(c->fetches = calloc(n, sizeof *c->fetches)))
        return err_sys(err, ENOMEM, "cannot hold the write");
    c->command.lines = c->fetches;
    for (size_t i = 0; i < n; i++) {
        c->line_at = c->spans[i].at;
        c->line_len = c->spans[i].len;
        c->command.count = i + 1;
        int r = parse_fetch(c->bytes + c->spans[i].at, &c->fetches[i], err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int parse_name(struct control *c, char *line, struct err *err)
{
    char *fields[FIELDS_MAX + 1];
    if (split(line, fields) != 1)
        return refuse(err, "takes one NAME");
    if (!backend_name_valid(fields[0], strlen(fields[0])))
        return refuse(err, "a name is 1 to 128 of A-Z a-z 0-9 . _ - and begins with a letter or "
                           "digit");
    c->command.name = fields[0];
    return 0;
}

/* NAME or NAME/ID */
static int parse_target(struct control *c, char *line, struct err *err)
{
    char *fields[FIELDS_MAX + 1];
    if (split(line, fields) != 1)
        return refuse(err, "takes one NAME or NAME/ID");
    char *id = fields[0], *name = strsep(&id, "/");
    if (!backend_name_valid(name, strlen(name)) || (id && !backend_name_valid(id, strlen(id))))
        return refuse(err, "a name is 1 to 128 of A-Z a-z 0-9 . _ - and begins with a letter or "
                           "digit; NAME/ID is a snapshot's");
    c->command.name = name;
    c->command.snapshot = id;
    return 0;
}

static int parse_cleanup(struct control *c, char *line, struct err *err)
{
    char *fields[FIELDS_MAX + 1];
    size_t n = split(line, fields);
    c->command.dry_run = n == 1 && strcmp(fields[0], "dry-run") == 0;
    if (n == 1 && (c->command.dry_run || strcmp(fields[0], "run") == 0))
        return 0;
    return refuse(err, "takes run or dry-run");
}

static int parse_level(struct control *c, char *line, struct err *err)
{
    char *fields[FIELDS_MAX + 1];
    if (split(line, fields) == 1 && log_parse_level(fields[0], &c->level))
        return 0;
    return refuse(err, "takes error, warn, info or debug");
}

static int parse_lines(struct control *c, enum control_file file, size_t n, struct err *err)
{
    static const enum backend_command_kind kinds[] = {
        [CONTROL_FETCH] = BACKEND_FETCH,       [CONTROL_REMOVE] = BACKEND_REMOVE,
        [CONTROL_CANCEL] = BACKEND_CANCEL,     [CONTROL_RETRY] = BACKEND_RETRY,
        [CONTROL_ACTIVATE] = BACKEND_ACTIVATE, [CONTROL_DEACTIVATE] = BACKEND_DEACTIVATE,
        [CONTROL_CLEANUP] = BACKEND_CLEANUP,   [CONTROL_RESET] = BACKEND_RESET,
    };
    char *line = c->bytes + c->spans[0].at;
    if (file < ARRAY_SIZE(kinds))
        c->command.kind = kinds[file];
    if (file == CONTROL_FETCH)
        return parse_fetches(c, n, err);
    if (n != 1)
        return refuse(err, "takes one line a write");
    return file == CONTROL_CLEANUP     ? parse_cleanup(c, line, err)
           : file == CONTROL_LOG_LEVEL ? parse_level(c, line, err)
           : file == CONTROL_RESET     ? parse_target(c, line, err)
                                       : parse_name(c, line, err);
}

static int parse_write(struct control *c, enum control_file file, size_t len, bool torn,
                       struct err *err)
{
    size_t n = find_lines(c, len);
    if (n == 0)
        return refuse(err, "asks for nothing");
    c->line_at = c->spans[0].at;
    c->line_len = c->spans[0].len;
    if (n > 1 && torn) {
        c->line_at = c->spans[n - 1].at;
        c->line_len = c->spans[n - 1].len;
        return refuse(err, "a write of several lines must end in a newline: the last may be cut");
    }
    return parse_lines(c, file, n, err);
}

static size_t count_lines(const char *bytes, size_t len)
{
    size_t n = 1;
    for (size_t i = 0; i < len; i++)
        n += bytes[i] == '\n';
    return n;
}

int control_parse(struct control *c, enum control_file file, const char *bytes, size_t len,
                  struct err *err)
{
    *c = (struct control){.line_len = strnlen(bytes, len)};
    const char *newline = memchr(bytes, '\n', len);
    if (newline)
        c->line_len = (size_t)(newline - bytes);
    if (len > CONTROL_WRITE_MAX)
        return err_set(err, ERR_INTERNAL, E2BIG,
                       "a write is at most %d bytes: send the lines in several", CONTROL_WRITE_MAX);
    c->bytes = malloc(len + 1);
    c->spans = calloc(count_lines(bytes, len), sizeof *c->spans);
    if (!c->bytes || !c->spans)
        return err_sys(err, ENOMEM, "cannot hold the write");
    memcpy(c->bytes, bytes, len);
    c->bytes[len] = '\0';
    int r = check_characters(c, len, err);
    return r < 0 ? r : parse_write(c, file, len, control_is_torn(bytes, len), err);
}

void control_free(struct control *c)
{
    for (size_t i = 0; i < c->command.count; i++)
        free((char *)c->fetches[i].name);
    free(c->fetches);
    free(c->spans);
    free(c->bytes);
}

bool control_is_torn(const char *bytes, size_t len)
{
    return len > 0 && bytes[len - 1] != '\n';
}
