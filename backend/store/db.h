/* db: the SQLite database: WAL, every commit on disk before it returns, prepared statements.
 *
 * All of store's SQL belongs to one thread at a time (the engine's); there are no locks here. */
#ifndef STORE_DB_H
#define STORE_DB_H

#include "base/err.h"

#include <stdint.h>

struct db;

/* Opens path (made if missing, 0600), brings it up to date, refuses one that is newer than this
 * program, damaged or not ours. */
int db_open(struct db **db, const char *path, struct err *err);
void db_close(struct db *db);

/* One transaction at a time. A failed commit rolls back. */
int db_begin(struct db *db, struct err *err);
int db_commit(struct db *db, struct err *err);
void db_rollback(struct db *db);

/* For store's own files. */
enum query {
#define QUERY(id, sql) id,
#include "store/queries.def"
#undef QUERY
    QUERIES
};
struct sqlite3_stmt *db_query(struct db *db, enum query q);            /* reset, bindings cleared */
int db_run(struct db *db, struct sqlite3_stmt *stmt, struct err *err); /* to the end, no rows */
int64_t db_last_id(struct db *db);
int db_error(struct db *db, const char *doing, struct err *err); /* the last failure, as err */

#endif
