/* migrate: brings a database to this program's version, one transaction a migration. */
#ifndef STORE_MIGRATE_H
#define STORE_MIGRATE_H

#include "base/err.h"

struct sqlite3;

#define MIGRATE_APPLICATION_ID 0x696d6773 /* "imgs": PRAGMA application_id of our databases */

/* For err_set: path, SQLite's message. */
#define MIGRATE_CANNOT_USE "database %s cannot be used: %s; bring it back from a backup"

/* Refuses a database that is newer than the program, and one of another program. */
int migrate_run(struct sqlite3 *sql, const char *path, struct err *err);

#endif
