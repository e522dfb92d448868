#include "fs/show.h"

#include "base/log.h"
#include "fs/config.h"
#include "fs/error_log.h"

#include <inttypes.h>

extern const char readme_text[];

void show_readme(const struct show *s, struct text *out)
{
    text_add(out, readme_text);
}

void show_version(const struct show *s, struct text *out)
{
    text_add(out, CONFIG_VERSION "\n");
}

void show_health(const struct show *s, struct text *out)
{
    *s->changed = backend_health(s->backend, out);
}

void show_cleanup(const struct show *s, struct text *out)
{
    *s->changed = backend_cleanup(s->backend, out);
}

void show_error_log(const struct show *s, struct text *out)
{
    *s->changed = error_log_show(s->error_log, out);
}

/* --- control files say how they are used */

void show_usage_fetch(const struct show *s, struct text *out)
{
    text_add(out, "write: URL SHA256 [NAME], a line each\n");
}

void show_usage_remove(const struct show *s, struct text *out)
{
    text_add(out, "write: NAME, to remove the image and its writable layer\n");
}

void show_usage_cancel(const struct show *s, struct text *out)
{
    text_add(out, "write: NAME, to stop the work under way\n");
}

void show_usage_retry(const struct show *s, struct text *out)
{
    text_add(out, "write: NAME, to try again what FAILED\n");
}

void show_usage_activate(const struct show *s, struct text *out)
{
    text_add(out, "write: NAME, to mount what is STORED\n");
}

void show_usage_deactivate(const struct show *s, struct text *out)
{
    text_add(out, "write: NAME, to unmount what is ACTIVE; the writable layer is kept\n");
}

void show_usage_reset(const struct show *s, struct text *out)
{
    text_add(out, "write: NAME, or NAME/ID of a snapshot, to drop what was written to its layer\n");
}

void show_usage_log_level(const struct show *s, struct text *out)
{
    int64_t since;
    enum log_level level = log_get_level(&since);
    if (since)
        *s->changed = since;
    text_addf(out, "write: error, warn, info or debug; now %s\n", log_level_word(level));
}

/* --- images */

void show_state(const struct show *s, struct text *out)
{
    text_addf(out, "%s\n", s->view->state);
}

static void add_number(struct text *out, int64_t n)
{
    if (n < 0)
        text_add(out, "-");
    else
        text_addf(out, "%" PRId64, n);
}

void show_progress(const struct show *s, struct text *out)
{
    text_addf(out, "%d ", s->view->percent);
    add_number(out, s->view->done);
    text_add(out, " ");
    add_number(out, s->view->total);
    text_addf(out, " %s\n", s->view->phase);
    *s->changed = s->view->progressed;
}

/* The reason may quote what an archive or a server said: it stays one line of plain ASCII. */
void show_error(const struct show *s, struct text *out)
{
    if (s->view->code == ERR_NONE)
        return;
    text_addf(out, "%s: ", err_word(s->view->code));
    text_add_printable(out, s->view->error);
    text_add(out, "\n");
}

static void add_count(struct text *out, const char *key, int64_t n)
{
    text_addf(out, "%s ", key);
    add_number(out, n);
    text_add(out, "\n");
}

static void add_time(struct text *out, const char *key, int64_t ms)
{
    char when[TEXT_TIME_MAX];
    text_addf(out, "%s %s\n", key, text_time(ms, when));
}

void show_info(const struct show *s, struct text *out)
{
    const struct backend_view *v = s->view;
    text_addf(out, "name %s\nurl %s\nsha256 %s\nstate %s\nwant %s\npolicy %s\nsink %s\nformat %s\n",
              v->name, v->url, v->sha256, v->state, v->want, v->policy, v->sink, v->format);
    add_count(out, "size", v->size);
    add_count(out, "entries", v->entries);
    add_count(out, "bytes", v->bytes);
    add_count(out, "skipped", v->skipped);
    add_count(out, "attempts", v->attempts);
    add_time(out, "next_retry", v->next_retry);
    add_time(out, "created", v->created);
    add_time(out, "updated", v->updated);
}

/* A link's target: no newline. */
void show_rootfs(const struct show *s, struct text *out)
{
    text_addf(out, "%s/%s", backend_active_dir(s->backend), s->view->name);
}

/* --- snapshots */

void show_snapshot_state(const struct show *s, struct text *out)
{
    text_addf(out, "%s\n", s->snapshot->state);
}

void show_snapshot_info(const struct show *s, struct text *out)
{
    const struct backend_snapshot *v = s->snapshot;
    text_addf(out, "image %s\nid %s\nstate %s\n", v->image_name, v->id, v->state);
    add_time(out, "created", v->created);
    add_count(out, "upper_bytes", v->upper_bytes);
    *s->changed = v->measured;
}

void show_snapshot_rootfs(const struct show *s, struct text *out)
{
    backend_snapshot_rootfs(s->backend, s->snapshot->number, out);
}
