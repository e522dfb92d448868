/* db: the SQLite database: WAL, commits on disk before they return, prepared statements.
 *
 * All of store's SQL belongs to one thread at a time (the engine's); there are no locks here. */
#ifndef STORE_DB_H
#define STORE_DB_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct db;

/* Opens path, brings it up to date, refuses one that is newer than this program, damaged or not
 * ours. One that is missing or empty is made (0600) if `make`; else it is refused, and left as it
 * is. */
int db_open(struct db **db, const char *path, bool make, struct err *err);
void db_close(struct db *db);

const char *db_path(const struct db *db); /* absolute */

/* Are the files that are written to still those that the next start will find? -EIO, and err says
 * what to do, if one was deleted or replaced. */
int db_in_place(const struct db *db, struct err *err);

struct seal; /* what images.c keeps secrets with; taken over, NULL until it is set */
void db_set_seal(struct db *db, struct seal *seal);
const struct seal *db_seal(const struct db *db);

/* Rewrites the file, so that nothing which was deleted or changed before is left in it or in its
 * log. */
int db_scrub(struct db *db, struct err *err);

/* Are commits on disk when they return, as they are at first? Else a power cut may forget the last
 * of them; never one that a later, durable one came after. Not within a transaction. */
int db_set_durable(struct db *db, bool durable, struct err *err);

/* One transaction at a time. A failed commit rolls back; so does one into files that are not in
 * place. */
int db_begin(struct db *db, struct err *err);
int db_commit(struct db *db, struct err *err);
void db_rollback(struct db *db);
/* Within one: writes, and changes nothing. */
int db_try_write(struct db *db, struct err *err);

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
