#include "backend/backend.h"

#include "base/cleanup.h"
#include "engine/engine.h"
#include "engine/exports.h"
#include "stages/fetch/fetch.h"

#include <errno.h>
#include <string.h>

struct backend {
    struct engine engine;
    struct backend_config config;
    char active[PATH_MAX + 8];
};

int backend_open(struct backend **out, const struct backend_config *config, struct err *err)
{
    struct backend *b = calloc(1, sizeof *b);
    if (!b)
        return err_sys(err, ENOMEM, "cannot start");
    b->config = *config;
    int r = fetch_prepare(err);
    if (r < 0) {
        free(b);
        return r;
    }
    r = engine_open(&b->engine, &b->config, err);
    if (r < 0) {
        backend_close(b, true);
        return r;
    }
    snprintf(b->active, sizeof b->active, "%s/active", b->engine.paths.dir);
    *out = b;
    return 0;
}

int backend_start(struct backend *b, struct err *err)
{
    return engine_start(&b->engine, err);
}

void backend_stop(struct backend *b)
{
    engine_stop(&b->engine);
}

void backend_close(struct backend *b, bool keep_mounts)
{
    if (!b)
        return;
    engine_close(&b->engine, keep_mounts);
    free(b);
}

void backend_submit(struct backend *b, const struct backend_command *command, backend_done *done,
                    void *ctx)
{
    engine_submit(&b->engine, command, done, ctx);
}

bool backend_url_valid(const char *url, struct err *err)
{
    if (strlen(url) > BACKEND_URL_MAX) {
        err_set(err, ERR_INTERNAL, EINVAL, "the URL is longer than %d bytes", BACKEND_URL_MAX);
        return false;
    }
    return fetch_url_valid(url, err);
}

bool backend_name_valid(const char *name, size_t len)
{
    return paths_name_valid(name, len);
}

bool backend_view(struct backend *b, uint64_t id, struct backend_view *view)
{
    return registry_view(b->engine.registry, id, view);
}

bool backend_find(struct backend *b, const char *name, uint64_t *id)
{
    return registry_find(b->engine.registry, name, id);
}

bool backend_exists(struct backend *b, uint64_t id, bool *rootfs)
{
    return registry_exists(b->engine.registry, id, rootfs);
}

int64_t backend_list(struct backend *b, struct backend_name **names)
{
    return registry_list(b->engine.registry, names);
}

void backend_count(struct backend *b, size_t *count, int64_t *changed)
{
    registry_count(b->engine.registry, count, changed);
}

bool backend_snapshot_view(struct backend *b, uint64_t number, struct backend_snapshot *view)
{
    return snaps_view(b->engine.snaps, number, view);
}

bool backend_snapshot_find(struct backend *b, uint64_t image, const char *id, uint64_t *number)
{
    return snaps_find(b->engine.snaps, image, id, number);
}

int64_t backend_snapshot_list(struct backend *b, uint64_t image, struct backend_name **names)
{
    return snaps_list(b->engine.snaps, image, names);
}

void backend_snapshot_count(struct backend *b, uint64_t image, size_t *count, int64_t *changed)
{
    snaps_count(b->engine.snaps, image, count, changed);
}

void backend_snapshot_rootfs(struct backend *b, uint64_t number, struct text *out)
{
    char place[PATHS_PLACE_MAX];
    paths_snapshot(place, number);
    text_addf(out, "%s/%s", b->active, place);
}

const char *backend_active_dir(struct backend *b)
{
    return b->active;
}

int backend_export_open(struct backend *b, uint64_t image, uint64_t snapshot,
                        struct backend_export **out, struct err *err)
{
    return exports_open(b->engine.exports, image, snapshot, out, err);
}

void backend_export_read(struct backend_export *x, struct flow_read *r)
{
    exports_read(x, r);
}

bool backend_export_cancel(struct backend_export *x, struct flow_read *r)
{
    return exports_cancel(x, r);
}

void backend_export_rest(struct backend_export *x)
{
    exports_rest(x);
}

void backend_export_close(struct backend_export *x)
{
    exports_close(x);
}

static int64_t copy_text(struct engine *e, const struct engine_text *from, struct text *out)
{
    LOCK_SCOPE(&e->health_lock);
    text_addn(out, from->text.data ? from->text.data : "", from->text.len);
    return from->changed;
}

int64_t backend_health(struct backend *b, struct text *out)
{
    return copy_text(&b->engine, &b->engine.health, out);
}

int64_t backend_cleanup(struct backend *b, struct text *out)
{
    return copy_text(&b->engine, &b->engine.cleanup, out);
}

void backend_metrics(struct backend *b, struct metrics_values *out)
{
    engine_metrics(&b->engine, out);
}

const char *backend_state_word(size_t i)
{
    return fsm_state_word((enum fsm_state)i);
}

int backend_import_begin(struct backend *b, const char *name, int64_t by,
                         struct backend_import **import, struct err *err)
{
    return import_begin(b->engine.imports, name, by, import, err);
}

int backend_import_unlink(struct backend *b, const char *name, struct err *err)
{
    return import_unlink(b->engine.imports, name, err);
}

bool backend_import_view(struct backend *b, uint64_t id, struct backend_import_view *view)
{
    return import_view(b->engine.imports, id, view);
}

bool backend_import_find(struct backend *b, const char *name, uint64_t *id)
{
    return import_find(b->engine.imports, name, id);
}

int64_t backend_import_list(struct backend *b, struct backend_name **names, int64_t *changed)
{
    return import_list(b->engine.imports, names, changed);
}

void backend_set_observer(struct backend *b, backend_observer *observer, void *ctx)
{
    b->engine.observer = observer;
    b->engine.observer_ctx = ctx;
}

void backend_set_reporter(struct backend *b, backend_reporter *reporter, void *ctx)
{
    b->engine.reporter = reporter;
    b->engine.reporter_ctx = ctx;
}

int backend_history(struct backend *b, int64_t most, backend_reporter *reporter, void *ctx,
                    struct err *err)
{
    return news_of_old(&b->engine, most, reporter, ctx, err);
}

void backend_keep_history(struct backend *b, int64_t seq)
{
    atomic_store(&b->engine.history_kept, seq);
}

void backend_print_fsm(struct text *out)
{
    fsm_print(out);
}
