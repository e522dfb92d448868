#include "stages/fetch/fetch.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "stages/digest.h"
#include "stages/fetch/part.h"
#include "stages/fetch/transport.h"
#include "stages/snapshot/lower.h"
#include "stages/unpack/ahead.h"
#include "stages/unpack/info.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

static const struct transport *const transports[] = {&transport_http};

int fetch_prepare(struct err *err)
{
    int r = digest_prepare(err);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(transports); i++)
        r = transports[i]->prepare(err);
    return r;
}

static bool serves(const struct transport *t, const char *url)
{
    size_t len = strcspn(url, ":");
    for (const char *const *scheme = t->schemes; *scheme; scheme++)
        if (strlen(*scheme) == len && strncasecmp(url, *scheme, len) == 0)
            return true;
    return false;
}

static const struct transport *transport_of(const char *url, struct err *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(transports); i++)
        if (serves(transports[i], url))
            return transports[i];
    err_set(err, ERR_UNREACHABLE, EINVAL, "bad URL: the scheme is neither http nor https");
    return NULL;
}

bool fetch_url_valid(const char *url, struct err *err)
{
    const struct transport *t = transport_of(url, err);
    if (t && text_is_masked_url(url, strlen(url))) {
        err_set(err, ERR_UNREACHABLE, EINVAL, "bad URL: its credentials are masked; give them");
        return false;
    }
    return t && t->url_valid(url, err);
}

uint64_t fetch_server(const char *url)
{
    size_t at, len;
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    if (text_find_credentials(url, strlen(url), &at, &len))
        host = url + at + len + 1;
    uint64_t h = TEXT_HASH_INIT;
    for (const char *end = host + strcspn(host, "/?#"); host < end; host++)
        h = text_hash_byte(h, (unsigned char)tolower((unsigned char)*host));
    return h;
}

/* One attempt. */
struct fetch {
    const struct stage_job *job;
    struct stage_result *result;
    struct part part;
    int64_t total;       /* -1: not announced */
    struct ahead *ahead; /* NULL: it is unpacked afterwards */
};

static void report(const struct fetch *f)
{
    if (f->job->progress)
        f->job->progress(f->job->ctx, f->part.in.size, f->total);
}

static int64_t limit(const struct fetch *f)
{
    return f->job->settings->limits.max_download_size;
}

static int too_large(const struct fetch *f, const char *what, struct err *err)
{
    return err_set(err, ERR_TOO_LARGE_DOWNLOAD, EFBIG,
                   "%s over the limit of %lld bytes; raise it with -o max_download_size=SIZE", what,
                   (long long)limit(f));
}

/* Better now than after hours. */
static int check_space(struct fetch *f, struct err *err)
{
    f->result->need.bytes = f->total - f->part.in.size;
    return space_check(f->part.in.fd, "the download", &f->result->need, err);
}

static int check_total(struct fetch *f, struct err *err)
{
    if (f->total < 0)
        return 0;
    f->result->size = f->total;
    if (f->total <= limit(f))
        return check_space(f, err);
    char what[64];
    snprintf(what, sizeof what, "the download has %lld bytes,", (long long)f->total);
    return too_large(f, what, err);
}

/* What was unpacked of other bytes goes with them. */
static int restart(struct fetch *f, const char *tag, struct err *err)
{
    ahead_end(steal_ptr(f->ahead));
    return part_restart(&f->part, tag, err);
}

/* Called by the transport: bytes from `offset` on follow. */
static int begin(void *ctx, int64_t offset, int64_t total, const char *tag, struct err *err)
{
    struct fetch *f = ctx;
    if (offset != 0 && offset != f->part.in.size)
        return err_set(err, ERR_INTERNAL, ESTALE, "bytes begin where none were asked for");
    int r = offset == 0 ? restart(f, tag, err) : 0;
    if (r < 0)
        return r;
    f->total = total;
    report(f);
    if ((r = check_total(f, err)) == 0 && !f->ahead)
        f->ahead = ahead_begin(f->job, f->part.in.fd, total, false);
    return r;
}

static int bytes(void *ctx, const void *buf, size_t n, struct err *err)
{
    struct fetch *f = ctx;
    if ((int64_t)n > limit(f) - f->part.in.size)
        return too_large(f, "the download is", err);
    int r = intake_add(&f->part.in, buf, n, err);
    ahead_bytes(f->ahead, f->part.in.size - (int64_t)f->part.in.buffered, false);
    report(f);
    return r;
}

static int request(struct fetch *f, const struct transport *t, struct transport_outcome *outcome,
                   struct err *err)
{
    bool resume = f->part.tag[0] && f->part.in.size > 0 && f->part.in.size < limit(f);
    struct transport_request request = {
        .url = f->job->url,
        .offset = resume ? f->part.in.size : 0,
        .tag = f->part.tag,
        .connect_ms = f->job->settings->connect_timeout,
        .stall_ms = f->job->settings->stall_timeout,
        .cancel_fd = f->job->cancel_fd,
    };
    struct transport_sink sink = {.ctx = f, .begin = begin, .bytes = bytes};
    int r = t->run(&request, &sink, outcome, err);
    if (r == 0 && f->total >= 0 && f->part.in.size != f->total) {
        outcome->retry = RETRY_LATER;
        r = err_set(err, ERR_UNREACHABLE, ECONNRESET, "%lld bytes came where %lld were announced",
                    (long long)f->part.in.size, (long long)f->total);
    }
    return r;
}

/* The rest, and if that cannot be had, all of it. */
static int transfer(struct fetch *f, struct transport_outcome *outcome, struct err *err)
{
    const struct transport *t = transport_of(f->job->url, err);
    if (!t)
        return -EINVAL;
    if (text_is_masked_url(f->job->url, strlen(f->job->url)))
        return err_set(err, ERR_IO, ENOKEY,
                       "the credentials of its URL cannot be read: they were sealed with another "
                       "key than the store has in .key; fetch the name again with its whole URL");
    int r = request(f, t, outcome, err);
    if (r != -ESTALE || (r = restart(f, NULL, err)) < 0)
        return r;
    *outcome = (struct transport_outcome){0};
    return request(f, t, outcome, err);
}

/* A connection that breaks behind the last byte has brought all there is: the digest says so. */
static int fill(struct fetch *f, struct err *err)
{
    struct transport_outcome outcome = {0};
    if (part_whole(&f->part))
        return 0;
    int r = transfer(f, &outcome, err);
    if (r < 0 && outcome.retry == RETRY_LATER && part_whole(&f->part))
        return 0;
    f->result->retry = outcome.retry;
    f->result->retry_after = outcome.retry_after;
    return r;
}

static int attempt(struct fetch *f, struct err *err)
{
    int r = part_open(&f->part, f->job->paths, f->job->sha256, f->job->cancel_fd, err);
    if (r < 0 || (r = fill(f, err)) < 0 || (r = intake_flush(&f->part.in, err)) < 0)
        return r;
    ahead_bytes(f->ahead, f->part.in.size, true);
    r = part_finish(&f->part, &f->result->format, err);
    if (r == -EBADMSG)
        f->result->retry = RETRY_SCRATCH;
    if (r == 0)
        f->result->size = f->part.in.size;
    return r;
}

/* The blob, or what was unpacked of it: then nothing more is to be had from the archive, which may
 * have gone where room was needed. 0: there is neither. */
static int find(const struct stage_job *job, struct stage_result *result, struct err *err)
{
    char image[PATHS_FILE_MAX];
    struct stage_result known = *result;
    result->format = paths_find_blob(job->paths, job->sha256, &result->size);
    if (result->format != FORMAT_UNKNOWN) {
        result->found = STAGE_FOUND_BLOB;
        return 1;
    }
    if (errno != ENOENT)
        return err_sys(err, errno, "cannot look for the blob");
    paths_image(image, job->sha256, job->policy);
    if (!lower_is_there(job->paths, job->sha256, job->policy))
        return errno == ENOENT ? 0 : err_sys(err, errno, "cannot look at images/%s", image);
    if (info_read(job->paths->images, image, &known, NULL) < 0 || known.format == FORMAT_UNKNOWN ||
        known.size < 0)
        return 0;
    *result = known;
    result->found = STAGE_FOUND_IMAGE;
    return 1;
}

int fetch_run(const struct stage_job *job, struct stage_result *result, struct err *err)
{
    int found = find(job, result, err);
    if (found != 0)
        return found < 0 ? found : 0;
    if (strcmp(job->url, FETCH_IMPORTED) == 0)
        return err_set(
            err, ERR_UNREACHABLE, ENOENT,
            "it was imported, and what was is not in the store any more; import it again, "
            "or fetch the name from a URL");
    struct fetch f = {.job = job, .result = result, .total = -1};
    struct err why = {0};
    int r = attempt(&f, &why);
    if (r == 0)
        ahead_seal(f.ahead);
    else
        ahead_end(f.ahead);
    part_close(&f.part,
               r == -ECANCELED || why.code == ERR_NO_SPACE || result->retry == RETRY_LATER);
    if (r < 0 && err)
        *err = why;
    return r;
}
