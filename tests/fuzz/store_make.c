#include "store_make.h"

#include "fuzz.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"
#include "store/db.h"
#include "store/identity.h"
#include "store/images.h"
#include "store/paths.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define FIELDS_MAX 32

/* --- words */

/* The digests' names spelled out; the text is the caller's to free. */
static void expand(struct text *t, const char *s)
{
    static const char *const digests[] = {
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc",
    };
    text_add(t, "");
    for (; *s; s++) {
        if (s[0] == '@' && s[1] >= 'A' && s[1] <= 'C')
            text_add(t, digests[*++s - 'A']);
        else
            text_addn(t, s, 1);
    }
    FUZZ_MUST(!t->failed);
}

/* --- things in the store */

/* The folder that holds path's last name, reached without leaving the store; *name is that name. */
static int open_parent(int store, char *path, const char **name)
{
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    char *slash = strrchr(path, '/');
    if (slash)
        *slash = '\0';
    *name = slash ? slash + 1 : path;
    return (int)syscall(SYS_openat2, store, slash ? path : ".", &how, sizeof how);
}

static void make_file(int dir, const char *name, const char *contents)
{
    int fd CLEANUP_CLOSE =
        openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fd >= 0)
        (void)io_write(fd, contents, strlen(contents));
}

/* What cannot be made is not made: another input says it better. */
static void make_thing(int store, const char *kind, const char *spelled, const char *rest)
{
    struct text path CLEANUP_TEXT = {0};
    struct text contents CLEANUP_TEXT = {0};
    const char *name;
    expand(&path, spelled);
    expand(&contents, rest);
    int dir CLEANUP_CLOSE = open_parent(store, path.data, &name);
    if (dir < 0 || !*name || strcmp(name, "..") == 0 || strcmp(name, ".") == 0)
        return;
    if (strcmp(kind, "dir") == 0)
        (void)!mkdirat(dir, name, 0700);
    else if (strcmp(kind, "file") == 0)
        make_file(dir, name, contents.data);
    else if (strcmp(kind, "link") == 0)
        (void)!symlinkat(contents.data, dir, name);
    else if (strcmp(kind, "fifo") == 0)
        (void)!mkfifoat(dir, name, 0600);
}

static void set_id(int store, const char *how)
{
    if (strcmp(how, "match") == 0)
        return;
    unlinkat(store, ".id", 0);
    if (strcmp(how, "other") == 0)
        make_file(store, ".id", "00112233445566778899aabbccddeeff");
    else if (strcmp(how, "link") == 0)
        (void)!symlinkat("../outside/file", store, ".id");
}

/* --- rows */

static void set_field(struct images_row *row, const char *key, const char *value)
{
    const struct {
        const char *key, **text;
    } texts[] = {
        {"name", &row->name},     {"url", &row->url},     {"sha256", &row->sha256},
        {"policy", &row->policy}, {"state", &row->state}, {"want", &row->want},
        {"code", &row->code},     {"error", &row->error}, {"format", &row->format},
    };
    const struct {
        const char *key;
        int64_t *number;
    } numbers[] = {
        {"id", &row->id},           {"size", &row->size},       {"entries", &row->entries},
        {"bytes", &row->bytes},     {"skipped", &row->skipped}, {"attempts", &row->attempts},
        {"created", &row->created}, {"updated", &row->updated}, {"next_retry", &row->next_retry},
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        if (strcmp(key, texts[i].key) == 0)
            *texts[i].text = value;
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        if (strcmp(key, numbers[i].key) == 0)
            *numbers[i].number = strtoll(value, NULL, 10);
}

static void add_row(struct db *db, char *fields)
{
    struct images_row row = {.name = "alpha",
                             .url = "http://u:p@h/a.tar",
                             .sha256 = "",
                             .policy = "strict",
                             .state = "NEW",
                             .want = "active",
                             .code = "",
                             .error = "",
                             .format = "-",
                             .size = -1,
                             .entries = -1,
                             .bytes = -1,
                             .skipped = -1,
                             .created = 1700000000000,
                             .updated = 1700000000000};
    struct text values[FIELDS_MAX] = {0};
    size_t n = 0;
    for (char *field; n < FIELDS_MAX && (field = strsep(&fields, "|"));) {
        char *key = strsep(&field, "=");
        if (!field)
            continue;
        expand(&values[n], field);
        set_field(&row, key, values[n++].data);
    }
    (void)images_insert(db, &row, NULL); /* refused: a name twice */
    while (n > 0)
        text_free(&values[--n]);
}

/* --- the database's file */

static void patch(int fd, const char *hex)
{
    for (unsigned byte; sscanf(hex, "%2x", &byte) == 1; hex += 2) {
        uint8_t b = (uint8_t)byte;
        FUZZ_MUST(write(fd, &b, 1) == 1);
        if (!hex[0] || !hex[1])
            return;
    }
}

static void damage(const char *database, const char *what, const char *number, const char *hex)
{
    struct stat st;
    int fd CLEANUP_CLOSE = open(database, O_RDWR | O_CLOEXEC);
    FUZZ_MUST(fd >= 0 && fstat(fd, &st) == 0);
    long long at = strtoll(number, NULL, 10);
    if (at < 0 || at > st.st_size)
        at = st.st_size;
    if (strcmp(what, "cut") == 0)
        FUZZ_MUST(ftruncate(fd, at) == 0);
    else if (lseek(fd, at, SEEK_SET) == at)
        patch(fd, hex);
}

/* --- all of it */

/* `what` may be NULL: any line that is about the database's file comes last. */
static void run_line(const struct store_place *place, int store, struct db *db, char *line)
{
    char *kind = strsep(&line, " "), *first;
    if (!line)
        return;
    if (db && strcmp(kind, "row") == 0) {
        add_row(db, line);
        return;
    }
    first = strsep(&line, " ");
    bool damages = strcmp(kind, "patch") == 0 || strcmp(kind, "cut") == 0;
    if (!db && damages)
        damage(place->database, kind, first, line ? line : "");
    else if (db && strcmp(kind, "id") == 0)
        set_id(store, first);
    else if (db && !damages)
        make_thing(store, kind, first, line ? line : "");
}

static void run_lines(const struct store_place *place, int store, struct db *db, const char *lines)
{
    char *copy CLEANUP_FREE = strdup(lines), *rest = copy;
    FUZZ_MUST(copy);
    for (char *line; (line = strsep(&rest, "\n"));)
        run_line(place, store, db, line);
}

int store_make(const struct store_place *place, char *lines, struct err *err)
{
    struct paths paths;
    struct db *db = NULL;
    int r = paths_open(&paths, place->store, err);
    if (r == 0)
        r = identity_open(&db, place->database, &paths, err);
    if (r == 0)
        r = images_open(db, &paths, err);
    if (r == 0)
        run_lines(place, paths.root, db, lines);
    db_close(db);
    paths_close(&paths);
    if (r == 0)
        run_lines(place, -1, NULL, lines); /* the file's bytes, once nobody has it open */
    return r;
}
