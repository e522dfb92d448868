#include "fs/metrics.h"

#include "base/cleanup.h"
#include "fs/config.h"

#include <criterion/criterion.h>
#include <string.h>

static struct metrics_values values;
static struct text out;

static void tear_down(void)
{
    text_free(&out);
}

TestSuite(metrics, .fini = tear_down);

static const char *shown(void)
{
    text_free(&out);
    metrics_show(&values, &out);
    return out.data;
}

static bool shows(const char *line)
{
    struct text whole CLEANUP_TEXT = {0};
    text_addf(&whole, "\n%s\n", line);
    return strstr(shown(), whole.data);
}

static size_t count(const char *what)
{
    size_t n = 0;
    for (const char *p = shown(); (p = strstr(p, what)); p++)
        n++;
    return n;
}

Test(metrics, each_says_what_it_is)
{
    size_t metrics = 0;
#define METRIC(id, type, unit, labels, name, help)                                                 \
    cr_expect(strstr(shown(), "# HELP " name " "), name);                                          \
    cr_expect_eq(strcmp(#type, "COUNTER") == 0, strstr(name "$", "_total$") != NULL, name);        \
    cr_expect(unit == 1 || strstr(name "$", "_seconds$"), name);                                   \
    metrics++;
    enum { ONE = 1, MS, US };
#include "backend/metrics.def"
#undef METRIC
    cr_expect_eq(count("# HELP imgstorefs_"), metrics);
    cr_expect_eq(count("# TYPE imgstorefs_"), metrics);
    cr_expect_eq(strncmp(shown(), "# HELP ", 7), 0);
    const char *end = shown() + out.len;
    cr_expect(end[-1] == '\n' && end[-2] != '\n');
}

Test(metrics, every_combination_is_there_from_the_start)
{
    cr_expect_eq(count("\nimgstorefs_fetches_total{"), 3 + ERR_CODES - 1);
    cr_expect_eq(count("\nimgstorefs_fetches_total{outcome=\"failed\",code=\""), ERR_CODES - 2);
    cr_expect(shows("imgstorefs_fetches_total{outcome=\"active\",code=\"\"} 0"));
    cr_expect(shows("imgstorefs_fetches_total{outcome=\"stored\",code=\"\"} 0"));
    cr_expect(shows("imgstorefs_fetches_total{outcome=\"removed\",code=\"\"} 0"));
    cr_expect(shows("imgstorefs_fetches_total{outcome=\"cancelled\",code=\"cancelled\"} 0"));
    cr_expect(shows("imgstorefs_fetches_total{outcome=\"failed\",code=\"unreachable\"} 0"));
    cr_expect(shows("imgstorefs_fetches_total{outcome=\"failed\",code=\"internal\"} 0"));
    cr_expect_eq(count("\nimgstorefs_images{state=\""), 9);
    cr_expect(shows("imgstorefs_images{state=\"NEW\"} 0"));
    cr_expect(shows("imgstorefs_images{state=\"FAILED\"} 0"));
    cr_expect_eq(count("\nimgstorefs_refused_writes_total{errno=\"E"), METRICS_REFUSALS - 1);
    cr_expect(shows("imgstorefs_refused_writes_total{errno=\"EAGAIN\"} 0"));
    cr_expect(shows("imgstorefs_refused_writes_total{errno=\"other\"} 0"));
    cr_expect(shows("imgstorefs_cache_hits_total{kind=\"blob\"} 0"));
    cr_expect(shows("imgstorefs_cache_hits_total{kind=\"image\"} 0"));
}

Test(metrics, values_stand_behind_their_labels)
{
    values.of[METRICS_BUILD_INFO] = 1;
    values.of[METRICS_START_TIME] = 1700000000012;
    values.of[METRICS_IMAGES] = 2;
    values.of[METRICS_IMAGES + 8] = 3;
    values.of[METRICS_FETCHES + METRICS_FAILED + ERR_HTTP_STATUS - 1] = 4;
    values.of[METRICS_FETCHES + METRICS_FAILED + ERR_CANCELLED - 1] = 5;
    values.of[METRICS_JOBS + 2 * METRICS_POOL_UNPACK + 1] = 6;
    values.of[METRICS_REFUSED + METRICS_REFUSAL_EBUSY] = 7;
    values.of[METRICS_DOWNLOADED] = INT64_C(9000000000000000001);
    cr_expect(shows("imgstorefs_build_info{version=\"" CONFIG_VERSION "\"} 1"));
    cr_expect(shows("imgstorefs_process_start_time_seconds 1700000000.012"));
    cr_expect(shows("imgstorefs_images{state=\"NEW\"} 2"));
    cr_expect(shows("imgstorefs_images{state=\"FAILED\"} 3"));
    cr_expect(shows("imgstorefs_fetches_total{outcome=\"failed\",code=\"http-status\"} 4"));
    cr_expect(shows("imgstorefs_fetches_total{outcome=\"cancelled\",code=\"cancelled\"} 5"));
    cr_expect(shows("imgstorefs_jobs{pool=\"unpack\",state=\"running\"} 6"));
    cr_expect(shows("imgstorefs_refused_writes_total{errno=\"EBUSY\"} 7"));
    cr_expect(shows("imgstorefs_downloaded_bytes_total 9000000000000000001"));
}

Test(metrics, what_is_not_known_is_left_out)
{
    cr_expect(shows("imgstorefs_blobs 0"));
    values.of[METRICS_BLOBS] = -1;
    cr_expect_eq(count("imgstorefs_blobs"), 0);
    cr_expect(shows("imgstorefs_blob_bytes 0"));
}

Test(metrics, buckets_hold_what_is_below_them_too)
{
    int64_t *of = &values.of[METRICS_DOWNLOAD_TIME];
    of[0] = 1;
    of[2] = 2;
    of[METRICS_BOUNDS] = 4;
    of[METRICS_BOUNDS + 1] = 7200000001;
    cr_expect(shows("imgstorefs_download_duration_seconds_bucket{le=\"0.001\"} 1"));
    cr_expect(shows("imgstorefs_download_duration_seconds_bucket{le=\"0.0025\"} 1"));
    cr_expect(shows("imgstorefs_download_duration_seconds_bucket{le=\"0.005\"} 3"));
    cr_expect(shows("imgstorefs_download_duration_seconds_bucket{le=\"3600\"} 3"));
    cr_expect(shows("imgstorefs_download_duration_seconds_bucket{le=\"+Inf\"} 7"));
    cr_expect(shows("imgstorefs_download_duration_seconds_sum 7200.000001"));
    cr_expect(shows("imgstorefs_download_duration_seconds_count 7"));
    cr_expect(shows("imgstorefs_unpack_duration_seconds_count 0"));
}

/* A bound's text is its number, and they ascend. */
Test(metrics, bounds_are_what_they_say)
{
    double before = 0;
#define BOUND(us, text)                                                                            \
    cr_expect_float_eq(strtod(text, NULL), us / 1e6, 1e-9, text);                                  \
    cr_expect_gt(strtod(text, NULL), before);                                                      \
    before = strtod(text, NULL);
#include "backend/metrics.def"
#undef BOUND
    cr_expect_eq(before, 3600);
}
