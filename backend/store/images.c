#include "store/images.h"

#include <sqlite3.h>
#include <string.h>

static const char *column(sqlite3_stmt *s, int i)
{
    const char *text = (const char *)sqlite3_column_text(s, i);
    return text ? text : "";
}

static void read_row(sqlite3_stmt *s, struct images_row *row)
{
    const char **texts[] = {&row->name, &row->url,  &row->sha256, &row->policy, &row->state,
                            &row->want, &row->code, &row->error,  &row->format};
    int64_t *numbers[] = {&row->size,     &row->entries,    &row->bytes,   &row->skipped,
                          &row->attempts, &row->next_retry, &row->created, &row->updated};
    int i = 0;
    row->id = sqlite3_column_int64(s, i++);
    for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++)
        *texts[t] = column(s, i++);
    for (size_t n = 0; n < sizeof numbers / sizeof numbers[0]; n++)
        *numbers[n] = sqlite3_column_int64(s, i++);
}

static void bind_row(sqlite3_stmt *s, const struct images_row *row)
{
    const char *texts[] = {row->name, row->url,  row->sha256, row->policy, row->state,
                           row->want, row->code, row->error,  row->format};
    int64_t numbers[] = {row->size,     row->entries,    row->bytes,   row->skipped,
                         row->attempts, row->next_retry, row->created, row->updated};
    int i = 1;
    if (row->id)
        sqlite3_bind_int64(s, i, row->id);
    for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++)
        sqlite3_bind_text(s, ++i, texts[t], -1, SQLITE_STATIC);
    for (size_t n = 0; n < sizeof numbers / sizeof numbers[0]; n++)
        sqlite3_bind_int64(s, ++i, numbers[n]);
}

int images_each(struct db *db, int (*each)(void *ctx, const struct images_row *row), void *ctx,
                struct err *err)
{
    sqlite3_stmt *s = db_query(db, QUERY_IMAGES);
    int r = 0, rc;
    while (r == 0 && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct images_row row;
        read_row(s, &row);
        r = each(ctx, &row);
    }
    if (r == 0 && rc != SQLITE_DONE)
        r = db_error(db, "read images", err);
    sqlite3_reset(s);
    return r;
}

int64_t images_insert(struct db *db, const struct images_row *row, struct err *err)
{
    sqlite3_stmt *s = db_query(db, QUERY_IMAGE_INSERT);
    bind_row(s, row);
    int r = db_run(db, s, err);
    return r < 0 ? r : db_last_id(db);
}

int images_update(struct db *db, const struct images_row *row, struct err *err)
{
    sqlite3_stmt *s = db_query(db, QUERY_IMAGE_UPDATE);
    bind_row(s, row);
    return db_run(db, s, err);
}

int images_delete(struct db *db, int64_t id, struct err *err)
{
    sqlite3_stmt *s = db_query(db, QUERY_IMAGE_DELETE);
    sqlite3_bind_int64(s, 1, id);
    return db_run(db, s, err);
}

int images_history(struct db *db, const struct images_row *row, const char *from, const char *to,
                   int64_t time, struct err *err)
{
    sqlite3_stmt *s = db_query(db, QUERY_HISTORY_ADD);
    const char *texts[] = {row->name, from, to, row->code, row->error};
    int i = 0;
    sqlite3_bind_int64(s, ++i, time);
    sqlite3_bind_int64(s, ++i, row->id);
    for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++)
        sqlite3_bind_text(s, ++i, texts[t], -1, SQLITE_STATIC);
    return db_run(db, s, err);
}
