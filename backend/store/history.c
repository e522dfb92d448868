#include "store/history.h"

#include "base/boot.h"

#include <sqlite3.h>
#include <string.h>

/* --- numbers */

static int read_boot(struct db *db, char boot[static BOOT_ID_MAX], struct err *err)
{
    sqlite3_stmt *s = db_query(db, QUERY_STORE_BOOT);
    int rc = sqlite3_step(s);
    const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
    boot[0] = '\0';
    if (text)
        strncat(boot, text, BOOT_ID_MAX - 1);
    return sqlite3_reset(s) == SQLITE_OK ? 0 : db_error(db, "read its state", err);
}

static int write_boot(struct db *db, const char *boot, struct err *err)
{
    sqlite3_stmt *s = db_query(db, QUERY_STORE_BOOT_SET);
    sqlite3_bind_text(s, 1, boot, -1, SQLITE_STATIC);
    return db_run(db, s, err);
}

static int jump(struct db *db, struct err *err)
{
    sqlite3_stmt *s = db_query(db, QUERY_HISTORY_JUMP);
    sqlite3_bind_int64(s, 1, HISTORY_JUMP);
    return db_run(db, s, err);
}

static int note(struct db *db, const char *boot, bool forgotten, struct err *err)
{
    int r = db_set_durable(db, true, err);
    if (r == 0)
        r = db_begin(db, err);
    if (r < 0)
        return r;
    if (forgotten)
        r = jump(db, err);
    if (r == 0)
        r = write_boot(db, boot, err);
    if (r == 0)
        return db_commit(db, err);
    db_rollback(db);
    return r;
}

/* Where boots cannot be told apart, each start may be another one's. */
int history_open(struct db *db, struct err *err)
{
    char before[BOOT_ID_MAX], now[BOOT_ID_MAX];
    int r = read_boot(db, before, err);
    if (r < 0)
        return r;
    boot_id(now);
    bool same = strcmp(before, now) == 0 && strcmp(now, BOOT_ID_NONE) != 0;
    return same ? 0 : note(db, now, *before != '\0', err);
}

int history_close(struct db *db, struct err *err)
{
    return note(db, "", false, err);
}

/* --- rows */

int64_t history_add(struct db *db, const struct images_row *row, const char *from, const char *to,
                    int64_t time, struct err *err)
{
    sqlite3_stmt *s = db_query(db, QUERY_HISTORY_ADD);
    const char *texts[] = {row->name, from, to, row->code, row->error};
    int i = 0;
    sqlite3_bind_int64(s, ++i, time);
    sqlite3_bind_int64(s, ++i, row->id);
    for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++)
        sqlite3_bind_text(s, ++i, texts[t], -1, SQLITE_STATIC);
    int r = db_run(db, s, err);
    return r < 0 ? r : db_last_id(db);
}

/* false: no memory. */
static bool read_row(sqlite3_stmt *s, struct history_row *row)
{
    const char **texts[] = {&row->name, &row->from, &row->to, &row->code, &row->message};
    int i = 0;
    row->seq = sqlite3_column_int64(s, i++);
    row->time = sqlite3_column_int64(s, i++);
    for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++)
        if (!(*texts[t] = (const char *)sqlite3_column_text(s, i++)))
            return false;
    return true;
}

int history_newest(struct db *db, int64_t most,
                   void (*each)(void *ctx, const struct history_row *row), void *ctx,
                   struct err *err)
{
    struct history_row row;
    sqlite3_stmt *s = db_query(db, QUERY_HISTORY_NEWEST);
    sqlite3_bind_int64(s, 1, most);
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW && read_row(s, &row))
        each(ctx, &row);
    int r = rc == SQLITE_DONE ? 0 : db_error(db, "read the history", err);
    sqlite3_reset(s);
    return r;
}

static int any_before(struct db *db, int64_t seq, bool *any, struct err *err)
{
    sqlite3_stmt *s = db_query(db, QUERY_HISTORY_FIRST);
    int rc = sqlite3_step(s);
    *any = rc == SQLITE_ROW && sqlite3_column_type(s, 0) != SQLITE_NULL &&
           sqlite3_column_int64(s, 0) < seq;
    return sqlite3_reset(s) == SQLITE_OK ? 0 : db_error(db, "read the history", err);
}

int history_trim(struct db *db, int64_t seq, bool *more, struct err *err)
{
    sqlite3_stmt *s = db_query(db, QUERY_HISTORY_TRIM);
    sqlite3_bind_int64(s, 1, seq);
    sqlite3_bind_int64(s, 2, HISTORY_TRIM_MAX);
    int r = db_run(db, s, err);
    return r < 0 ? r : any_before(db, seq, more, err);
}
