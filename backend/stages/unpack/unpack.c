#include "stages/unpack/unpack.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "stages/snapshot/lower.h"
#include "stages/stage.h"
#include "stages/unpack/ahead.h"
#include "stages/unpack/blob.h"
#include "stages/unpack/info.h"
#include "stages/unpack/jail.h"
#include "stages/unpack/namespace.h"
#include "stages/unpack/policy.h"
#include "stages/unpack/sink.h"
#include "stages/unpack/unpack.h"
#include "stages/unpack/wire_read.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define OWN_INODES 4 /* the image's folder, its data file, its info, the root */

/* One attempt. Zeroed but for what UNPACK_INIT says; release() takes any half of it. */
struct unpack {
    const struct stage_job *job;
    struct stage_result *result;
    int archive; /* the caller's */
    int part;    /* the caller's, too */
    int data;
    struct jail jail;
    const struct sink_kind *kind;
    void *sink;
    struct namespace *names;
    int64_t consumed;
    uint64_t produced; /* bytes of the tar, by the helper's word */
    struct policy_gate gate;
    struct wire_read wire;
};

static struct unpack *new_unpack(const struct stage_job *job, int archive,
                                 struct stage_result *result)
{
    struct unpack *u = calloc(1, sizeof *u);
    if (!u)
        return NULL;
    u->job = job;
    u->result = result;
    u->archive = archive;
    u->kind = job->settings->sink;
    u->part = u->data = -1;
    u->jail = (struct jail)JAIL_INIT;
    policy_init(&u->gate, job->policy, &job->settings->limits);
    return u;
}

/* The helper first: it must not write on while the rest goes. */
static void release(struct unpack **up)
{
    struct unpack *u = *up;
    if (!u)
        return;
    jail_kill(&u->jail);
    u->kind->close(u->sink);
    namespace_free(u->names);
    if (u->data >= 0)
        close(u->data);
    free(u);
}

/* An empty part directory, of whose existence a power cut leaves at least the name: publish tells
 * by what is missing in it that it is not whole. */
static int begin_part(struct unpack *u, const char *part, int *folder, struct err *err)
{
    int images = u->job->paths->images;
    int r = paths_discard(images, part, err);
    if (r < 0)
        return r;
    if (mkdirat(images, part, 0700) < 0)
        return err_sys(err, errno, "cannot make images/%s", part);
    u->part = *folder = openat(images, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (u->part < 0 || fsync(images) < 0)
        return err_sys(err, errno, "cannot open images/%s", part);
    u->data = openat(u->part, SINK_DATA, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return u->data < 0 ? err_sys(err, errno, "cannot make the data file") : 0;
}

/* Before anything is written, and never against what would fit: contents are taken to be as large
 * as the archive, as `bytes` counts the holes of sparse files. A compressed one holds more, of
 * which the writes will tell. How many files it makes is known from an earlier time, if there was
 * one. */
static int check_space(struct unpack *u, struct err *err)
{
    const struct stage_job *job = u->job;
    int64_t size = u->result->size < 0 ? 0 : u->result->size;
    int64_t bytes = job->bytes > 0 && job->bytes < size ? job->bytes : size;
    u->result->need = u->kind->need(bytes, job->entries);
    u->result->need.inodes += OWN_INODES;
    return space_check(job->paths->images, "the unpacked image", &u->result->need, err);
}

static int begin_sink(struct unpack *u, struct err *err)
{
    struct sink_place place = {u->part, u->data, u->job->cancel_fd,
                               u->job->settings->limits.max_total_size};
    u->names = namespace_new();
    if (!u->names)
        return err_set(err, ERR_INTERNAL, ENOMEM, "no memory for the names of the image");
    return u->kind->open(&place, &u->sink, err);
}

int64_t unpack_stall_ms(const struct stage_settings *settings)
{
    return settings->helper_stall ? settings->helper_stall : UNPACK_STALL_MS;
}

static int64_t grace_ms(const struct unpack *u)
{
    int64_t set = u->job->settings->helper_grace;
    return set ? set : UNPACK_GRACE_MS;
}

int64_t unpack_total_ms(const struct stage_settings *settings)
{
    int64_t ms;
    if (settings->helper_total)
        return settings->helper_total;
    int64_t seconds = limits_cpu_seconds(&settings->limits);
    return __builtin_mul_overflow(seconds, 1000 * UNPACK_PATIENCE, &ms) ? INT64_MAX : ms;
}

/* The helper gets a data file of its own: it shares no position with us, and can write only. */
static int begin_helper(struct unpack *u, struct err *err)
{
    const struct stage_job *job = u->job;
    int data CLEANUP_CLOSE = openat(u->part, SINK_DATA, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (data < 0)
        return err_sys(err, errno, "cannot open the data file");
    int r =
        jail_spawn(&u->jail, job->settings->helper, &job->settings->limits, u->archive, data, err);
    if (r < 0)
        return r;
    return wire_read_init(&u->wire, u->jail.records, job->cancel_fd, unpack_stall_ms(job->settings),
                          unpack_total_ms(job->settings), err);
}

/* The helper's word for it, within what the archive can have. */
static void tell_progress(struct unpack *u, uint64_t consumed)
{
    int64_t size = u->result->size, most = size < 0 ? INT64_MAX : size;
    int64_t done = consumed > (uint64_t)most ? most : (int64_t)consumed;
    if (done > u->consumed)
        wire_read_news(&u->wire);
    u->consumed = done > u->consumed ? done : u->consumed;
    u->job->progress(u->job->ctx, u->consumed, size);
}

static int make_implied(struct unpack *u, const char *path, size_t existing, struct err *err)
{
    char dir[LIMIT_PATH_MAX + 1];
    size_t from = existing + (existing > 0);
    for (const char *p = strchr(path + from, '/'); p; p = strchr(p + 1, '/')) {
        memcpy(dir, path, (size_t)(p - path));
        dir[p - path] = '\0';
        int r = u->kind->implied(u->sink, dir, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int take_entry(struct unpack *u, const struct wire_item *item, struct err *err)
{
    struct entry e;
    struct namespace_place place;
    int r;
    if ((r = policy_check(&u->gate, item, &e, err)) < 0 ||
        (r = namespace_add(u->names, &e, &place, err)) < 0 ||
        (r = policy_count_implied(&u->gate, place.implied, err)) < 0 ||
        (r = policy_check_linked(&u->gate, &e, place.climb, err)) < 0)
        return r;
    u->result->skipped += place.skipped;
    if (place.implied > 0 && (r = make_implied(u, e.path, place.existing, err)) < 0)
        return r;
    if (place.removes && (r = u->kind->remove(u->sink, e.path, place.removes_dir, err)) < 0)
        return r;
    if (place.action == NAMESPACE_NOTHING)
        return 0;
    return u->kind->entry(u->sink, &e, &place, err);
}

/* What an archive can be refused for; all else the helper has no say in. */
static enum err_code code_of(uint32_t said)
{
    static const enum err_code sayable[] = {
        ERR_UNSUPPORTED_FORMAT, ERR_CORRUPT_ARCHIVE, ERR_UNSAFE_PATH,
        ERR_UNSAFE_LINK,        ERR_TOO_LARGE_FILE,  ERR_TOO_MANY_FILES,
        ERR_TOO_LARGE_TOTAL,    ERR_NO_SPACE,        ERR_IO,
    };
    for (size_t i = 0; i < ARRAY_SIZE(sayable); i++)
        if (said == (uint32_t)sayable[i])
            return sayable[i];
    return ERR_INTERNAL;
}

/* An errno of the helper's must not pass for a meaning of ours, as ECANCELED is. */
static int errno_of(uint32_t said)
{
    return said > 0 && said < 4096 && said != ECANCELED ? (int)said : EIO;
}

/* Its text is printable already, unless it lies. */
static int helper_error(const struct wire_item *item, struct err *err)
{
    struct text t CLEANUP_TEXT = {0};
    for (const char *p = item->path; p < item->path + item->head.path_len; p++)
        if (*p < 0x20 || *p > 0x7e)
            text_add_escaped(&t, p, 1);
        else
            text_addn(&t, p, 1);
    bool mute = t.failed || t.len == 0;
    return err_set(err, code_of(item->head.mode), errno_of(item->head.error_num), "%s",
                   mute ? "the unpacking helper failed and did not say why" : t.data);
}

/* Behind the end there is nothing, and the helper ends well, soon. */
static int last_record(struct unpack *u, struct err *err)
{
    struct wire_item item;
    wire_read_news(&u->wire);
    u->wire.stall_ms = grace_ms(u);
    int r = wire_read_next(&u->wire, &item, err);
    if (r < 0)
        return r;
    if (r > 0)
        return err_set(err, ERR_INTERNAL, EPROTO,
                       "the unpacking helper wrote more behind its last record");
    return jail_end(&u->jail, grace_ms(u), err);
}

/* How it died says more than that it did. */
static int helper_gone(struct unpack *u, struct err *err)
{
    int r = jail_end(&u->jail, grace_ms(u), err);
    return r < 0 ? r
                 : err_set(err, ERR_INTERNAL, EPROTO,
                           "the unpacking helper ended without a last record");
}

static int take_records(struct unpack *u, struct err *err)
{
    for (;;) {
        struct wire_item item;
        int r = wire_read_next(&u->wire, &item, err);
        if (r == 0 || r == -EPIPE)
            return helper_gone(u, err);
        if (r < 0)
            return r;
        tell_progress(u, item.head.consumed);
        switch ((enum wire_kind)item.head.kind) {
        case WIRE_ENTRY:
            if ((r = take_entry(u, &item, err)) < 0)
                return r;
            wire_read_news(&u->wire);
            break;
        case WIRE_PROGRESS:
            if (item.head.size > u->produced)
                wire_read_news(&u->wire);
            u->produced = item.head.size > u->produced ? item.head.size : u->produced;
            u->kind->grown(u->sink);
            break;
        case WIRE_END:
            u->result->ended = item.head.mode != 0;
            return last_record(u, err);
        case WIRE_ERROR:
            return helper_error(&item, err);
        }
    }
}

int unpack_image(const struct stage_job *job, int archive, const char *part, int *folder,
                 struct stage_result *result, struct err *err)
{
    struct unpack *u __attribute__((cleanup(release))) = new_unpack(job, archive, result);
    int r;
    if (!u)
        return err_set(err, ERR_INTERNAL, ENOMEM, "no memory to unpack");
    result->skipped = 0;
    if ((r = check_space(u, err)) < 0 || (r = begin_part(u, part, folder, err)) < 0 ||
        (r = begin_sink(u, err)) < 0 || (r = begin_helper(u, err)) < 0 ||
        (r = take_records(u, err)) < 0 || (r = u->kind->finish(u->sink, u->names, err)) < 0)
        return r;
    result->entries = namespace_count(u->names);
    result->bytes = u->gate.bytes;
    result->sink = u->kind->name;
    return 0;
}

int unpack_run(const struct stage_job *job, struct stage_result *result, struct err *err)
{
    char image[PATHS_FILE_MAX], part[PATHS_FILE_MAX];
    paths_image(image, job->sha256, job->policy);
    paths_image_part(part, job->sha256, job->policy);
    if (lower_is_there(job->paths, job->sha256, job->policy)) {
        ahead_pass_over(job);
        info_read(job->paths->images, image, result, NULL);
        result->found = STAGE_FOUND_IMAGE;
        return 0;
    }
    if (errno != ENOENT)
        return err_sys(err, errno, "cannot look at images/%s", image);
    (void)lower_unmount(job->paths, image);
    int gone = paths_discard(job->paths->images, image, err); /* a folder that is not whole */
    if (gone < 0)
        return gone;
    /* Another name's run made it whole just now, and that name is about to publish it. */
    bool this_boot = false;
    if (info_read(job->paths->images, part, result, &this_boot) == 0 && this_boot) {
        ahead_pass_over(job);
        result->found = STAGE_FOUND_IMAGE;
        return 0;
    }
    result->entries = result->bytes = result->skipped = -1;
    if (ahead_take(job, result))
        return 0;
    struct err why = {0};
    int archive CLEANUP_CLOSE = blob_open(job, result, &why);
    int folder CLEANUP_CLOSE = -1;
    if (archive >= 0 && unpack_image(job, archive, part, &folder, result, &why) == 0 &&
        info_write(folder, result, &why) == 0)
        return 0;
    paths_discard(job->paths->images, part, NULL);
    if (archive >= 0 && (why.code == ERR_CORRUPT_ARCHIVE || why.code == ERR_UNSUPPORTED_FORMAT))
        blob_suspect(job, archive, result, &why);
    if (err)
        *err = why;
    return -why.num;
}
