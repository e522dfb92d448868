#include "store/snapshots.h"

#include <sqlite3.h>

/* Without memory it reads as if it were empty: sqlite3_reset and the next sqlite3_step say so. */
static const char *column(sqlite3_stmt *s, int i)
{
    const char *text = (const char *)sqlite3_column_text(s, i);
    return text ? text : "";
}

int snapshots_each(struct db *db, int (*each)(void *ctx, const struct snapshots_row *row),
                   void *ctx, struct err *err)
{
    sqlite3_stmt *s = db_query(db, QUERY_SNAPSHOTS);
    int r = 0, rc = SQLITE_DONE;
    while (r == 0 && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct snapshots_row row = {.number = sqlite3_column_int64(s, 0),
                                    .image = sqlite3_column_int64(s, 1),
                                    .id = column(s, 2),
                                    .state = column(s, 3),
                                    .created = sqlite3_column_int64(s, 4)};
        r = sqlite3_errcode(sqlite3_db_handle(s)) == SQLITE_NOMEM
                ? db_error(db, "read snapshots", err)
                : each(ctx, &row);
    }
    if (r == 0 && rc != SQLITE_DONE)
        r = db_error(db, "read snapshots", err);
    sqlite3_reset(s);
    return r;
}

int snapshots_last(struct db *db, uint64_t *number, struct err *err)
{
    sqlite3_stmt *s = db_query(db, QUERY_SNAPSHOTS_LAST);
    *number = sqlite3_step(s) == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
    return sqlite3_reset(s) == SQLITE_OK ? 0 : db_error(db, "read snapshots", err);
}

int snapshots_insert(struct db *db, const struct snapshots_row *row, struct err *err)
{
    sqlite3_stmt *s = db_query(db, QUERY_SNAPSHOT_INSERT);
    sqlite3_bind_int64(s, 1, row->number);
    sqlite3_bind_int64(s, 2, row->image);
    sqlite3_bind_text(s, 3, row->id, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 4, row->state, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 5, row->created);
    return db_run(db, s, err);
}

static int set_text(struct db *db, enum query q, uint64_t number, const char *text, struct err *err)
{
    sqlite3_stmt *s = db_query(db, q);
    sqlite3_bind_int64(s, 1, (sqlite3_int64)number);
    sqlite3_bind_text(s, 2, text, -1, SQLITE_STATIC);
    return db_run(db, s, err);
}

int snapshots_set_state(struct db *db, uint64_t number, const char *state, struct err *err)
{
    return set_text(db, QUERY_SNAPSHOT_STATE, number, state, err);
}

int snapshots_rename(struct db *db, uint64_t number, const char *id, struct err *err)
{
    return set_text(db, QUERY_SNAPSHOT_RENAME, number, id, err);
}

static int delete_of(struct db *db, enum query q, uint64_t number, struct err *err)
{
    sqlite3_stmt *s = db_query(db, q);
    sqlite3_bind_int64(s, 1, (sqlite3_int64)number);
    return db_run(db, s, err);
}

int snapshots_delete(struct db *db, uint64_t number, struct err *err)
{
    return delete_of(db, QUERY_SNAPSHOT_DELETE, number, err);
}

int snapshots_delete_all(struct db *db, uint64_t image, struct err *err)
{
    return delete_of(db, QUERY_SNAPSHOTS_DELETE, image, err);
}
