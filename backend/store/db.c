#include "store/db.h"

#include "base/cleanup.h"
#include "store/migrate.h"
#include "store/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>

/* A file as it was when it was opened. */
struct seen {
    char path[PATH_MAX];
    dev_t dev;
    ino_t ino; /* 0: not there yet */
};

struct db {
    sqlite3 *sql;
    sqlite3_stmt *stmts[QUERIES];
    struct seen file, wal;
    struct seal *seal;
    bool lazy; /* commits are not synced */
};

static const char *const queries[QUERIES] = {
#define QUERY(id, sql) [id] = (sql),
#include "store/queries.def"
#undef QUERY
};

/* SQLite keeps the errno of some failures and not of others, that of a commit's among them; it is
 * still the thread's own. */
int db_error(struct db *db, const char *doing, struct err *err)
{
    int system = errno, rc = sqlite3_errcode(db->sql) & 0xff;
    int num = rc == SQLITE_FULL       ? ENOSPC
              : rc == SQLITE_READONLY ? EROFS
              : rc == SQLITE_NOMEM    ? ENOMEM
                                      : EIO;
    if (rc == SQLITE_IOERR && system != 0)
        return err_sys(err, system, "database: cannot %s: %s", doing, sqlite3_errmsg(db->sql));
    return err_set(err, num == ENOSPC ? ERR_NO_SPACE : ERR_IO, num, "database: cannot %s: %s",
                   doing, sqlite3_errmsg(db->sql));
}

/* --- the files, seen from outside */

static void see(struct seen *s, const char *path, const char *suffix)
{
    struct stat st;
    snprintf(s->path, sizeof s->path, "%s%s", path, suffix);
    if (stat(s->path, &st) == 0) {
        s->dev = st.st_dev;
        s->ino = st.st_ino;
    }
}

static int is_in_place(const struct seen *s, struct err *err)
{
    struct stat st;
    int r = stat(s->path, &st);
    if (s->ino == 0 || (r == 0 && st.st_dev == s->dev && st.st_ino == s->ino))
        return 0;
    return err_set(
        err, ERR_IO, EIO,
        "database: %s was %s while it is in use: nothing is written any more; stop the "
        "daemon, put the database back (all of its files, from a backup if need be), and "
        "start it again",
        s->path, r < 0 ? "deleted" : "replaced");
}

const char *db_path(const struct db *db)
{
    return db->file.path;
}

int db_in_place(const struct db *db, struct err *err)
{
    int r = is_in_place(&db->file, err);
    return r < 0 ? r : is_in_place(&db->wal, err);
}

/* --- open */

static int cannot_use(struct db *db, const char *path, struct err *err)
{
    return err_set(err, ERR_IO, EIO, MIGRATE_CANNOT_USE, path, sqlite3_errmsg(db->sql));
}

static int damaged(const char *path, const char *how, struct err *err)
{
    char why[256];
    snprintf(why, sizeof why, "it is damaged (%s)", how);
    return err_set(err, ERR_IO, EIO, MIGRATE_CANNOT_USE, path, why);
}

/* Damage that would show only when the page is read, in the middle of work: 20 ms for 10,000 images
 * and their history. */
static int check_pages(struct db *db, const char *path, struct err *err)
{
    sqlite3_stmt *s = NULL;
    int r = 0;
    if (sqlite3_prepare_v2(db->sql, "PRAGMA quick_check(1)", -1, &s, NULL) != SQLITE_OK ||
        sqlite3_step(s) != SQLITE_ROW) {
        r = cannot_use(db, path, err);
    } else {
        const char *found = (const char *)sqlite3_column_text(s, 0);
        const char *line = found ? strrchr(found, '\n') : NULL; /* behind a heading */
        if (!found)
            r = cannot_use(db, path, err);
        else if (strcmp(found, "ok") != 0)
            r = damaged(path, line ? line + 1 : found, err);
    }
    sqlite3_finalize(s);
    return r;
}

/* One that was here before may be open to others, and SQLite gives its log the same mode. By name:
 * to close a descriptor of the file would drop SQLite's locks. */
static int make_private(const char *path, struct err *err)
{
    static const char *const files[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        char name[PATH_MAX];
        snprintf(name, sizeof name, "%s%s", path, files[i]);
        if (chmod(name, 0600) < 0 && errno != ENOENT)
            return err_sys(err, errno, "cannot make %s private", name);
    }
    return 0;
}

static int configure(struct db *db, const char *path, struct err *err)
{
    static const char pragmas[] = "PRAGMA trusted_schema = OFF;"
                                  "PRAGMA foreign_keys = ON;"
                                  "PRAGMA synchronous = FULL;"
                                  "PRAGMA secure_delete = ON;"
                                  "PRAGMA temp_store = MEMORY;"
                                  "PRAGMA cache_size = -1024;";
    sqlite3_busy_timeout(db->sql, 5000);
    if (sqlite3_exec(db->sql, pragmas, NULL, NULL, NULL) != SQLITE_OK)
        return cannot_use(db, path, err);
    int r = check_pages(db, path, err);
    if (r == 0)
        r = migrate_run(db->sql, path, err);
    if (r == 0)
        r = make_private(path, err);
    /* The mode is written to the file: only once it is known to be ours. */
    if (r == 0 && sqlite3_exec(db->sql, "PRAGMA journal_mode = WAL", NULL, NULL, NULL) != SQLITE_OK)
        r = cannot_use(db, path, err);
    return r;
}

static int prepare(struct db *db, struct err *err)
{
    for (size_t q = 0; q < QUERIES; q++)
        if (sqlite3_prepare_v3(db->sql, queries[q], -1, SQLITE_PREPARE_PERSISTENT, &db->stmts[q],
                               NULL) != SQLITE_OK)
            return db_error(db, queries[q], err);
    return 0;
}

/* SQLite would make it with the umask's mode. And it takes an empty file for a new database, whose
 * log it deletes. */
static int open_file(const char *path, bool make, struct err *err)
{
    struct stat st;
    int fd CLEANUP_CLOSE = open(path, O_RDWR | O_CLOEXEC | (make ? O_CREAT : 0), 0600);
    if (fd < 0 && errno == ENOENT && !make)
        return err_set(err, ERR_IO, ENOENT, MIGRATE_CANNOT_USE, path, "it is missing");
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(err, errno, "cannot open %s", path);
    if (st.st_size == 0 && !make)
        return err_set(err, ERR_IO, EIO, MIGRATE_CANNOT_USE, path, "it is empty");
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED); /* check_pages will, a page at a time */
    return 0;
}

int db_open(struct db **out, const char *path, bool make, struct err *err)
{
    int r = open_file(path, make, err);
    if (r < 0)
        return r;
    struct db *db = calloc(1, sizeof *db);
    if (!db)
        return err_sys(err, ENOMEM, "database");
    if (sqlite3_open_v2(path, &db->sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK)
        r = cannot_use(db, path, err);
    if (r == 0) {
        see(&db->file, sqlite3_db_filename(db->sql, "main"), ""); /* absolute */
        r = configure(db, path, err);
    }
    if (r == 0)
        r = prepare(db, err);
    if (r < 0)
        db_close(db);
    else
        *out = db;
    return r;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    for (size_t q = 0; q < QUERIES; q++)
        sqlite3_finalize(db->stmts[q]);
    sqlite3_close(db->sql);
    seal_close(db->seal);
    free(db);
}

void db_set_seal(struct db *db, struct seal *seal)
{
    seal_close(db->seal);
    db->seal = seal;
}

const struct seal *db_seal(const struct db *db)
{
    return db->seal;
}

int db_scrub(struct db *db, struct err *err)
{
    if (sqlite3_exec(db->sql, "VACUUM", NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_wal_checkpoint_v2(db->sql, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) !=
            SQLITE_OK)
        return db_error(db, "rewrite itself", err);
    return 0;
}

struct sqlite3_stmt *db_query(struct db *db, enum query q)
{
    sqlite3_reset(db->stmts[q]);
    sqlite3_clear_bindings(db->stmts[q]);
    return db->stmts[q];
}

int db_run(struct db *db, struct sqlite3_stmt *stmt, struct err *err)
{
    errno = 0;
    int rc = sqlite3_step(stmt);
    int r = rc == SQLITE_DONE ? 0 : db_error(db, "write", err);
    sqlite3_reset(stmt);
    return r;
}

int64_t db_last_id(struct db *db)
{
    return sqlite3_last_insert_rowid(db->sql);
}

/* In WAL mode NORMAL forgets the last commits at a power cut, and no more than that. */
int db_set_durable(struct db *db, bool durable, struct err *err)
{
    if (db->lazy != durable)
        return 0;
    const char *pragma = durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL";
    if (sqlite3_exec(db->sql, pragma, NULL, NULL, NULL) != SQLITE_OK)
        return db_error(db, pragma, err);
    db->lazy = !durable;
    return 0;
}

int db_begin(struct db *db, struct err *err)
{
    int r = db_in_place(db, err);
    if (r < 0)
        return r;
    return db_run(db, db_query(db, QUERY_BEGIN), err);
}

/* What the commit finds gone has not been asked for yet to be there at the next start. */
int db_commit(struct db *db, struct err *err)
{
    int r = db_in_place(db, err);
    if (r == 0)
        r = db_run(db, db_query(db, QUERY_COMMIT), err);
    if (db->wal.ino == 0) /* it comes with the first one */
        see(&db->wal, db->file.path, "-wal");
    if (r < 0)
        db_rollback(db);
    return r;
}

void db_rollback(struct db *db)
{
    if (!sqlite3_get_autocommit(db->sql))
        db_run(db, db_query(db, QUERY_ROLLBACK), NULL);
}

int db_try_write(struct db *db, struct err *err)
{
    return db_run(db, db_query(db, QUERY_STORE_TOUCH), err);
}
