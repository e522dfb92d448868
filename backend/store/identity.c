#include "store/identity.h"

#include "base/text.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define ID_FILE  ".id"
#define ID_BYTES 16
#define ID_MAX   (2 * ID_BYTES + 1) /* hex digits and the NUL */

/* "" if it has none yet. */
static int read_database(struct db *db, char id[static ID_MAX], struct err *err)
{
    sqlite3_stmt *s = db_query(db, QUERY_STORE_ID);
    int rc = sqlite3_step(s);
    id[0] = '\0';
    const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
    if (text)
        snprintf(id, ID_MAX, "%s", text);
    return sqlite3_reset(s) == SQLITE_OK ? 0 : db_error(db, "read the store's id", err);
}

static int read_store(const struct paths *p, char id[static ID_MAX], struct err *err)
{
    ssize_t n = paths_read_file(p, ID_FILE, id, ID_MAX - 1);
    if (n < 0 && n != -ENOENT)
        return err_sys(err, (int)-n, "cannot read %s/" ID_FILE, p->dir);
    id[n < 0 ? 0 : n] = '\0';
    id[strcspn(id, "\n")] = '\0';
    return 0;
}

static int make_id(struct db *db, char id[static ID_MAX], struct err *err)
{
    uint8_t bytes[ID_BYTES];
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        return err_sys(err, errno, "cannot make an id for the store");
    text_hex(bytes, sizeof bytes, id);
    sqlite3_stmt *s = db_query(db, QUERY_STORE_ID_SET);
    sqlite3_bind_text(s, 1, id, -1, SQLITE_STATIC);
    return db_run(db, s, err);
}

/* Read first: a store that belongs to a database must not be given a new one unasked. */
static int check(struct db *db, const char *database, const struct paths *paths, const char *found,
                 struct err *err)
{
    char known[ID_MAX];
    int r = read_database(db, known, err);
    if (r < 0)
        return r;
    if (*found && strcmp(found, known) != 0)
        return err_set(err, ERR_IO, EINVAL, "store %s belongs to another database than %s",
                       paths->dir, database);
    if (!*known && (r = make_id(db, known, err)) < 0)
        return r;
    return *found ? 0 : paths_write_file(paths, ID_FILE, known, strlen(known), err);
}

static void tell_way_out(const struct paths *p, const char *database, struct err *err)
{
    size_t len = strlen(err->text);
    snprintf(err->text + len, sizeof err->text - len,
             ". Store %s takes no other database than its own: give that one with --db. If it is "
             "lost, begin anew: move away what there is of %s, and remove %s/" ID_FILE
             "; the images in the store are removed then, its layers kept as overlays/.kept-*",
             p->dir, database, p->dir);
}

int identity_open(struct db **db, const char *database, const struct paths *paths, struct err *err)
{
    char found[ID_MAX];
    int r = read_store(paths, found, err);
    if (r < 0)
        return r;
    r = db_open(db, database, !*found, err);
    if (r == 0)
        r = check(*db, database, paths, found, err);
    if (r < 0 && *found && err)
        tell_way_out(paths, database, err);
    return r;
}
