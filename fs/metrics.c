#include "fs/metrics.h"

#include "base/cleanup.h"
#include "fs/config.h"
#include "fs/error_log.h"

#include <inttypes.h>

enum type { COUNTER, GAUGE, HISTOGRAM };
enum unit { ONE = 1, MS = 1000, US = 1000000 }; /* how many of them are what is shown */

/* --- labels: each adds those of a metric's i-th series */

typedef void label_fn(struct text *out, size_t i);

static void label_nothing(struct text *out, size_t i)
{
}

static void label_version(struct text *out, size_t i)
{
    text_add(out, "{version=\"" CONFIG_VERSION "\"}");
}

static void label_state(struct text *out, size_t i)
{
    text_addf(out, "{state=\"%s\"}", backend_state_word(i));
}

static void label_job(struct text *out, size_t i)
{
    static const char *const pools[METRICS_POOLS] = {
        [METRICS_POOL_DOWNLOAD] = "download",
        [METRICS_POOL_UNPACK] = "unpack",
        [METRICS_POOL_MOUNT] = "mount",
    };
    text_addf(out, "{pool=\"%s\",state=\"%s\"}", pools[i / 2], i % 2 ? "running" : "waiting");
}

static void label_outcome(struct text *out, size_t i)
{
    static const char *const words[] = {
        [METRICS_ACTIVE] = "active", [METRICS_STORED] = "stored", [METRICS_REMOVED] = "removed"};
    enum err_code code = i < METRICS_FAILED ? ERR_NONE : (enum err_code)(i - METRICS_FAILED + 1);
    const char *word = i < METRICS_FAILED      ? words[i]
                       : code == ERR_CANCELLED ? "cancelled"
                                               : "failed";
    text_addf(out, "{outcome=\"%s\",code=\"%s\"}", word, err_word(code));
}

static void label_cache(struct text *out, size_t i)
{
    text_addf(out, "{kind=\"%s\"}", i == METRICS_CACHE_BLOB ? "blob" : "image");
}

static void label_refusal(struct text *out, size_t i)
{
    static const char *const names[METRICS_REFUSALS] = {
#define REFUSAL(errno_) [METRICS_REFUSAL_##errno_] = #errno_,
#include "backend/metrics.def"
#undef REFUSAL
        [METRICS_REFUSAL_OTHER] = "other",
    };
    text_addf(out, "{errno=\"%s\"}", names[i]);
}

/* --- metrics */

struct metric {
    const char *name, *help;
    enum type type;
    enum unit unit;
    label_fn *label; /* NULL: a histogram's */
    size_t series, count;
};

#define LABEL_NOTHING label_nothing
#define LABEL_VERSION label_version
#define LABEL_STATE   label_state
#define LABEL_JOB     label_job
#define LABEL_OUTCOME label_outcome
#define LABEL_CACHE   label_cache
#define LABEL_REFUSAL label_refusal
#define LABEL_BUCKET  NULL

static const struct metric metrics[] = {
#define METRIC(id, type, unit, labels, name, help)                                                 \
    {name, help, type, unit, LABEL_##labels, METRICS_##id, METRICS_PER_##labels},
#include "backend/metrics.def"
#undef METRIC
};

static void add_value(struct text *out, int64_t value, enum unit unit)
{
    int64_t rest = value % unit;
    text_addf(out, " %" PRId64, value / unit);
    if (unit == MS)
        text_addf(out, ".%03" PRId64, rest);
    else if (unit == US)
        text_addf(out, ".%06" PRId64, rest);
    text_add(out, "\n");
}

static void add_series(struct text *out, const struct metric *m, const int64_t *of)
{
    for (size_t i = 0; i < m->count; i++) {
        text_add(out, m->name);
        m->label(out, i);
        add_value(out, of[i], m->unit);
    }
}

/* A bucket holds what is below it, too. */
static void add_histogram(struct text *out, const struct metric *m, const int64_t *of)
{
    static const char *const bounds[] = {
#define BOUND(us, text) text,
#include "backend/metrics.def"
#undef BOUND
        "+Inf"};
    int64_t count = 0;
    for (size_t i = 0; i <= METRICS_BOUNDS; i++) {
        count += of[i];
        text_addf(out, "%s_bucket{le=\"%s\"} %" PRId64 "\n", m->name, bounds[i], count);
    }
    text_addf(out, "%s_sum", m->name);
    add_value(out, of[METRICS_BOUNDS + 1], m->unit);
    text_addf(out, "%s_count %" PRId64 "\n", m->name, count);
}

static void add_metric(struct text *out, const struct metric *m, const int64_t *of)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    if (of[0] < 0)
        return;
    text_addf(out, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name, types[m->type]);
    if (m->type == HISTOGRAM)
        add_histogram(out, m, of);
    else
        add_series(out, m, of);
}

void metrics_show(const struct metrics_values *values, struct text *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(metrics); i++)
        add_metric(out, &metrics[i], &values->of[metrics[i].series]);
}

void show_metrics(const struct show *s, struct text *out)
{
    struct metrics_values values;
    backend_metrics(s->backend, &values);
    error_log_refusals(s->error_log, &values.of[METRICS_REFUSED]);
    values.of[METRICS_BUILD_INFO] = 1;
    metrics_show(&values, out);
    *s->changed = text_now_ms();
}
