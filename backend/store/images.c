#include "store/images.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "store/seal.h"

#include <errno.h>
#include <sqlite3.h>
#include <string.h>

#define SECRET_COLUMN 18 /* behind those of struct images_row */

/* --- credentials */

/* What a sealed value belongs to: it opens for no other name, digest or URL. */
static void add_bound(struct text *bound, const struct images_row *row, const char *masked)
{
    const char *parts[] = {row->name, row->sha256, masked};
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        text_addn(bound, parts[i], strlen(parts[i]) + 1);
}

/* The URL as the table has it, and its credentials, sealed; "" if there are none. */
static int hide(struct db *db, const struct images_row *row, struct text *url, struct text *secret,
                struct err *err)
{
    struct text bound CLEANUP_TEXT = {0};
    size_t at, len, n = strlen(row->url);
    text_add_masked_url(url, row->url, n);
    text_add(secret, "");
    if (url->failed || secret->failed)
        return err_sys(err, ENOMEM, "cannot hold the URL");
    if (!text_find_credentials(row->url, n, &at, &len) || text_is_masked_url(row->url, n))
        return 0;
    add_bound(&bound, row, url->data);
    int r = db_seal(db) ? seal_lock(db_seal(db), &bound, row->url + at, len, secret) : -ENOKEY;
    return r < 0 ? err_sys(err, -r, "cannot seal the credentials of %s", row->name) : 0;
}

/* The whole URL from what the table has. What does not open stays masked: only a download needs
 * more, and it says so. */
static int reveal(struct db *db, const struct images_row *row, const void *secret, size_t n,
                  struct text *url)
{
    struct text bound CLEANUP_TEXT = {0};
    size_t at, len;
    if (!text_find_credentials(row->url, strlen(row->url), &at, &len) || n == 0) {
        text_add(url, row->url);
        return url->failed ? -ENOMEM : 0;
    }
    add_bound(&bound, row, row->url);
    text_addn(url, row->url, at);
    int r = db_seal(db) ? seal_unlock(db_seal(db), &bound, secret, n, url) : -EBADMSG;
    if (r == -EBADMSG) {
        log_warn(row->name, "the credentials of its URL cannot be read with this store's .key");
        text_addn(url, row->url + at, len);
    } else if (r < 0) {
        return r;
    }
    text_add(url, row->url + at + len);
    return url->failed ? -ENOMEM : 0;
}

/* --- rows */

/* Without memory it reads as if it were empty, too: sqlite3_reset and the next sqlite3_step say so.
 */
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

/* A URL that came masked leaves its secret as it is: the key may come back. */
static void bind_row(sqlite3_stmt *s, const struct images_row *row, const struct text *url,
                     const struct text *secret)
{
    const char *texts[] = {row->name, url->data, row->sha256, row->policy, row->state,
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
    if (!text_is_masked_url(row->url, strlen(row->url)))
        sqlite3_bind_blob64(s, ++i, secret->data, secret->len, SQLITE_STATIC);
}

static int write_row(struct db *db, enum query q, const struct images_row *row, struct err *err)
{
    struct text url CLEANUP_TEXT = {0}, secret CLEANUP_TEXT = {0};
    int r = hide(db, row, &url, &secret, err);
    if (r < 0)
        return r;
    sqlite3_stmt *s = db_query(db, q);
    bind_row(s, row, &url, &secret);
    return db_run(db, s, err);
}

static int hand_out(struct db *db, sqlite3_stmt *s,
                    int (*each)(void *ctx, const struct images_row *row), void *ctx,
                    struct err *err)
{
    struct images_row row;
    struct text url CLEANUP_TEXT = {0};
    read_row(s, &row);
    const void *secret = sqlite3_column_blob(s, SECRET_COLUMN);
    int r = reveal(db, &row, secret, (size_t)sqlite3_column_bytes(s, SECRET_COLUMN), &url);
    row.url = url.data;
    if (sqlite3_errcode(sqlite3_db_handle(s)) == SQLITE_NOMEM)
        return db_error(db, "read images", err);
    return r < 0 ? err_sys(err, -r, "cannot read the credentials of %s", row.name)
                 : each(ctx, &row);
}

int images_each(struct db *db, int (*each)(void *ctx, const struct images_row *row), void *ctx,
                struct err *err)
{
    sqlite3_stmt *s = db_query(db, QUERY_IMAGES);
    int r = 0, rc;
    while (r == 0 && (rc = sqlite3_step(s)) == SQLITE_ROW)
        r = hand_out(db, s, each, ctx, err);
    if (r == 0 && rc != SQLITE_DONE)
        r = db_error(db, "read images", err);
    sqlite3_reset(s);
    return r;
}

int64_t images_insert(struct db *db, const struct images_row *row, struct err *err)
{
    int r = write_row(db, QUERY_IMAGE_INSERT, row, err);
    return r < 0 ? r : db_last_id(db);
}

int images_update(struct db *db, const struct images_row *row, struct err *err)
{
    return write_row(db, QUERY_IMAGE_UPDATE, row, err);
}

int images_delete(struct db *db, int64_t id, struct err *err)
{
    sqlite3_stmt *s = db_query(db, QUERY_IMAGE_DELETE);
    sqlite3_bind_int64(s, 1, id);
    return db_run(db, s, err);
}

/* --- the key */

struct resealing {
    struct db *db;
    struct err *err;
};

/* A row that was visited is not visited again: its id stays. */
static int reseal(void *ctx, const struct images_row *row)
{
    struct resealing *r = ctx;
    return images_update(r->db, row, r->err);
}

static int seal_rows(struct db *db, struct err *err)
{
    int r = db_begin(db, err);
    if (r == 0 && (r = images_each(db, reseal, &(struct resealing){db, err}, err)) == 0)
        return db_commit(db, err);
    db_rollback(db);
    return r;
}

static int is_sealed(struct db *db, bool *sealed, struct err *err)
{
    sqlite3_stmt *s = db_query(db, QUERY_STORE_SEALED);
    int rc = sqlite3_step(s);
    *sealed = rc == SQLITE_ROW && sqlite3_column_int(s, 0);
    sqlite3_reset(s);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : db_error(db, "read its state", err);
}

int images_open(struct db *db, const struct paths *paths, struct err *err)
{
    struct seal *seal = NULL;
    struct err why = {0};
    bool sealed;
    int r = seal_open(&seal, paths, err);
    if (r < 0)
        return r;
    db_set_seal(db, seal);
    if ((r = is_sealed(db, &sealed, err)) < 0 || sealed || (r = seal_rows(db, err)) < 0)
        return r;
    /* For want of room it waits until the next start. */
    if (db_scrub(db, &why) < 0 || db_run(db, db_query(db, QUERY_STORE_SEALED_SET), &why) < 0)
        log_warn(NULL, "credentials of old may still be in the database's free space: %s",
                 why.text);
    return 0;
}
