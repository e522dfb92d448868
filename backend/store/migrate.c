#include "store/migrate.h"

#include "base/cleanup.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>

extern const char migration_001[];
extern const char migration_002[];
extern const char migration_003[];
extern const char migration_004[];

static const char *const migrations[] = {migration_001, migration_002, migration_003,
                                         migration_004};

static int failed(sqlite3 *sql, const char *path, struct err *err)
{
    return err_set(err, ERR_IO, EIO, MIGRATE_CANNOT_USE, path, sqlite3_errmsg(sql));
}

static int pragma(sqlite3 *sql, const char *query, int *value)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(sql, query, -1, &stmt, NULL);
    if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        *value = sqlite3_column_int(stmt, 0);
        rc = SQLITE_OK;
    }
    sqlite3_finalize(stmt);
    return rc;
}

/* The version is written inside the migration's own transaction: both happen, or neither. */
static int apply(sqlite3 *sql, int number)
{
    char mark[128];
    snprintf(mark, sizeof mark, "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
             MIGRATE_APPLICATION_ID, number);
    int rc = sqlite3_exec(sql, "BEGIN EXCLUSIVE", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(sql, migrations[number - 1], NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(sql, mark, NULL, NULL, NULL);
    return rc;
}

int migrate_run(struct sqlite3 *sql, const char *path, struct err *err)
{
    const int newest = (int)ARRAY_SIZE(migrations);
    int version = 0, application = 0, schema = 0;
    if (pragma(sql, "PRAGMA user_version", &version) != SQLITE_OK ||
        pragma(sql, "PRAGMA application_id", &application) != SQLITE_OK ||
        pragma(sql, "SELECT count(*) FROM sqlite_schema", &schema) != SQLITE_OK)
        return failed(sql, path, err);
    if (schema > 0 && application != MIGRATE_APPLICATION_ID)
        return err_set(err, ERR_IO, EINVAL,
                       "%s is a database of another program; choose another with --db", path);
    if (version < 0)
        return err_set(err, ERR_IO, EINVAL, "%s is damaged: its version is %d", path, version);
    if (version > newest)
        return err_set(err, ERR_IO, EINVAL,
                       "%s has version %d, this program knows %d at most: start the newer program, "
                       "or choose another database with --db",
                       path, version, newest);
    for (int n = version + 1; n <= newest; n++)
        if (apply(sql, n) != SQLITE_OK)
            return failed(sql, path, err);
    return 0;
}
