#include "store/removals.h"

#include <sqlite3.h>

int removals_add(struct db *db, const char *name, int64_t time, struct err *err)
{
    sqlite3_stmt *s = db_query(db, QUERY_REMOVAL_ADD);
    sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, time);
    return db_run(db, s, err);
}

int removals_drop(struct db *db, const char *name, struct err *err)
{
    sqlite3_stmt *s = db_query(db, QUERY_REMOVAL_DROP);
    sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
    return db_run(db, s, err);
}

int removals_at(struct db *db, const char *name, int64_t *when, struct err *err)
{
    sqlite3_stmt *s = db_query(db, QUERY_REMOVAL);
    sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
    int rc = sqlite3_step(s);
    *when = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    return sqlite3_reset(s) == SQLITE_OK ? 0 : db_error(db, "read the removals", err);
}

int removals_each(struct db *db, int (*each)(void *ctx, const char *name), void *ctx,
                  struct err *err)
{
    sqlite3_stmt *s = db_query(db, QUERY_REMOVALS);
    int r = 0, rc;
    while (r == 0 && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(s, 0);
        r = name ? each(ctx, name) : db_error(db, "read the removals", err);
    }
    if (r == 0 && rc != SQLITE_DONE)
        r = db_error(db, "read the removals", err);
    sqlite3_reset(s);
    return r;
}
