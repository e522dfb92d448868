#include "engine/engine.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/point.h"
#include "engine/unused.h"
#include "store/space.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

#define ITEMS_A_TURN    256 /* looked at, before users are looked after again */
#define DISCARDS_A_TURN 8   /* of these, each a rename in the store */
#define ROOM_TRIES      2   /* for one state of an image */

/* A chore lists what no name refers to; the engine's thread then goes through it piece by piece.
 * Whether a name refers to an item is asked in the same breath in which it is renamed away: who
 * fetches that digest later finds nothing, who came before keeps it. All that takes long,
 * unmounting too, is for the sweep. */
struct cleanup {
    struct cleanup *after; /* the next one in line */
    struct request *request;
    bool dry_run;
    struct job *starved; /* waits for the room; its image's, too */
    bool hopes;          /* others gave some back when it began */
    uint64_t discarded;  /* the engine's, then */
    int64_t enough;      /* free bytes that it waits for */
    int64_t before;      /* what was last used before that goes, ms */
    int64_t wanted;      /* and, whatever its age, until so many bytes are free again */
    struct unused unused;
    size_t at, gone;
    int64_t bytes;
    struct text report;
};

static void free_cleanup(struct cleanup *c)
{
    unused_free(&c->unused);
    text_free(&c->report);
    free(c);
}

static bool is_named(void *ctx, const char *sha256, int64_t *size)
{
    const struct engine *e = ctx;
    return registry_is_named(e->registry, sha256, size) || imports_need(e->imports, sha256);
}

static int scan(struct job *job, struct err *err)
{
    struct cleanup *c = job->stage.ctx;
    struct engine *e = job->owner;
    const struct unused_ask ask = {is_named, e, &job->cancelled};
    point_wait("scan", &job->cancelled);
    int r = unused_scan(&c->unused, job->stage.paths, &ask);
    if (r == 0)
        metrics_count_store(&e->metrics, c->unused.census);
    return r < 0 ? err_sys(err, -r, "cannot look through the store") : 0;
}

static void push(struct engine *e, const struct cleanup *wanted)
{
    struct err err = {0};
    struct cleanup *c = malloc(sizeof *c);
    struct job *job = c ? job_new(e, NULL, QUEUE_CHORE, scan) : NULL;
    if (!job) {
        free(c);
        err_sys(&err, ENOMEM, "cannot clean up");
        request_reply(wanted->request, &err);
        return;
    }
    *c = *wanted;
    job->stage.ctx = c;
    e->cleanings++;
    queue_push(e->queue, job);
}

void cleanup_asked(struct engine *e, struct request *request)
{
    push(e, &(struct cleanup){
                .request = request, .dry_run = request->command.dry_run, .before = INT64_MAX});
}

void cleanup_due(struct engine *e, int64_t wanted)
{
    int64_t keep = e->config->keep_unused;
    if (e->cleanings == 0)
        push(e, &(struct cleanup){.before = keep == TEXT_UNLIMITED ? 0 : text_now_ms() - keep,
                                  .wanted = wanted});
}

/* --- what has no room */

static bool wants_room(const struct engine *e, const struct image *image, const struct job *job)
{
    const struct amount *least = &e->config->min_free;
    return job->status < 0 && job->err.code == ERR_NO_SPACE && image->room_tries < ROOM_TRIES &&
           (least->bytes > 0 || least->percent > 0);
}

/* What it needs is known in part at best; the second time all goes that can. */
static void reckon(const struct engine *e, const struct image *image, const struct job *job,
                   struct cleanup *c)
{
    struct statvfs fs;
    c->wanted = c->enough = INT64_MAX;
    if (image->room_tries > 1 || statvfs(e->paths.dir, &fs) < 0)
        return;
    int64_t missing = space_missing_of(&fs, &e->config->min_free, job->result.need.bytes);
    c->wanted = missing > 0 ? missing : 1;
    c->enough = space_free(&fs) + c->wanted;
}

bool cleanup_starved(struct engine *e, struct image *image, struct job *job)
{
    if (!wants_room(e, image, job))
        return false;
    log_debug(image->name, "%s: what is unused makes room", job->err.text);
    image->room_tries++;
    size_t before = e->cleanings;
    struct cleanup c = {.starved = job,
                        .discarded = e->discarded,
                        .hopes = e->sweeping || e->cleanings > 0 ||
                                 text_monotonic_ms() < atomic_load(&e->owed_until)};
    reckon(e, image, job, &c);
    push(e, &c);
    if (e->cleanings == before)
        return false;
    image->job = job;
    return true;
}

static bool may_go_on(const struct image *image, const struct job *job)
{
    return image && image->job == job && !image->waits && !image->removing &&
           !atomic_load(&job->cancelled) && job->state == (int)image->state;
}

/* With nothing gone there is no more to hope for: the failure stands. */
static void feed(struct engine *e, struct job *job, bool more)
{
    struct image *image = registry_get(e->registry, job->image);
    if (more && may_go_on(image, job)) {
        image->job = NULL;
        job_free(job);
        work_resume(e, image);
        return;
    }
    if (image && image->job == job)
        image->room_tries = ROOM_TRIES;
    job->next = NULL;
    work_finished(e, job);
}

/* --- one item, one piece, the end */

static bool remove_item(struct engine *e, struct cleanup *c, const struct unused_item *item)
{
    struct err err = {0};
    int r = c->dry_run ? 0 : unused_discard(item, &e->paths, &err);
    if (r < 0 && r != -ENOENT)
        log_failure(NULL, &err, "cleanup: %s", err.text);
    if (r < 0)
        return false;
    text_addf(&c->report, "%s %s %s %lld\n", c->dry_run ? "would-remove" : "removed",
              unused_word(item->kind), item->name, (long long)item->bytes);
    if (!c->dry_run)
        metrics_uncount(&e->metrics, unused_census_of(item));
    e->discarded += !c->dry_run;
    c->bytes += item->bytes;
    c->gone++;
    return true;
}

/* False: it is through. */
static bool go_on(struct engine *e, struct cleanup *c)
{
    int discards = c->dry_run ? ITEMS_A_TURN : DISCARDS_A_TURN;
    for (int n = 0; n < ITEMS_A_TURN && discards > 0 && c->at < c->unused.count; n++) {
        const struct unused_item *item = &c->unused.items[c->at++];
        if (unused_goes(item, c->before, c->wanted, c->bytes) &&
            !registry_next_of_digest(e->registry, item->sha256, NULL) &&
            !imports_need(e->imports, item->sha256))
            discards -= remove_item(e, c, item);
    }
    return c->at < c->unused.count;
}

static void tell(struct engine *e, struct cleanup *c)
{
    text_addf(&c->report, "total %zu %lld\n", c->gone, (long long)c->bytes);
    if (c->gone && !c->dry_run)
        log_info(NULL, "cleanup: removed %zu unused, %lld bytes", c->gone, (long long)c->bytes);
    if (c->request || c->gone) {
        engine_set_text(e, &e->cleanup, &c->report);
        c->report = (struct text){0};
    }
}

struct cleanup *cleanup_chain(struct cleanup *line, struct cleanup *last)
{
    struct cleanup **p = &line;
    while (*p)
        p = &(*p)->after;
    *p = last;
    return line;
}

int64_t cleanup_enough(const struct cleanup *line)
{
    int64_t most = 0;
    for (const struct cleanup *c = line; c; c = c->after)
        if (c->starved && c->enough > most)
            most = c->enough;
    return most;
}

/* Its room is back, or it was not to be had. What another one has taken away since is room as well:
 * two that have none at the same time find the same. */
static void end(struct engine *e, struct cleanup *c, const struct err *err)
{
    e->cleanings--;
    if (!c->request && c->gone == 0)
        e->next_room = text_monotonic_ms() + CHORES_SAMPLE_MS;
    if (c->starved)
        feed(e, c->starved, c->hopes || e->discarded != c->discarded);
    request_reply(c->request, err);
    free_cleanup(c);
}

void cleanup_ended(struct engine *e, struct cleanup *line, const struct err *err)
{
    for (struct cleanup *next; line; line = next) {
        next = line->after;
        end(e, line, err);
    }
}

void cleanup_scanned(struct engine *e, struct job *job)
{
    struct cleanup *c = job->stage.ctx;
    if (job->status == 0) {
        e->cleanups = cleanup_chain(e->cleanups, c);
        return;
    }
    log_failure(NULL, &job->err, "cleanup: %s", job->err.text);
    end(e, c, &job->err);
}

void cleanup_go_on(struct engine *e)
{
    struct cleanup *c = e->cleanups;
    if (!c)
        return;
    if (point_held("cleanup")) {
        e->held = true;
        return;
    }
    if (go_on(e, c))
        return;
    e->cleanups = steal_ptr(c->after);
    tell(e, c);
    unused_free(&c->unused);
    if (!c->dry_run && (c->gone || c->request || c->starved))
        chores_sweep(e, c); /* until that has ended there is no more room than there was */
    else
        end(e, c, NULL);
}

void cleanup_refuse(struct cleanup *line, const struct err *err)
{
    for (struct cleanup *next; line; line = next) {
        next = line->after;
        request_reply(line->request, err);
        if (line->starved)
            job_free(line->starved);
        free_cleanup(line);
    }
}
