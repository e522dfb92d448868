#include "fs/client/human.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

/* The unit in which it takes at most three digits before the point. */
static int unit_of(double bytes)
{
    int unit = 0;
    for (; bytes >= 999.5 && unit < 6; unit++)
        bytes /= 1024;
    return unit;
}

static void spell(double bytes, int unit, char *out, size_t max)
{
    for (int i = 0; i < unit; i++)
        bytes /= 1024;
    int digits = unit == 0 || bytes >= 99.95 ? 0 : bytes >= 9.995 ? 1 : 2;
    snprintf(out, max, "%.*f", digits, bytes);
}

const char *human_size(int64_t bytes, char out[static HUMAN_MAX])
{
    int unit = unit_of((double)bytes);
    if (bytes < 0)
        return strcpy(out, "-");
    spell((double)bytes, unit, out, HUMAN_MAX);
    size_t n = strlen(out);
    snprintf(out + n, HUMAN_MAX - n, " %s", units[unit]);
    return out;
}

const char *human_size_of(const char *bytes, char out[static HUMAN_MAX])
{
    char *end;
    long long n = strtoll(bytes, &end, 10);
    if (end != bytes && *end == '\0')
        return human_size(n, out);
    snprintf(out, HUMAN_MAX, "%s", bytes);
    return out;
}

const char *human_part(int64_t done, int64_t total, char out[static HUMAN_PART_MAX])
{
    char part[HUMAN_MAX], whole[HUMAN_MAX];
    if (total <= 0 || done >= total)
        return human_size(done, out);
    spell((double)done, unit_of((double)total), part, sizeof part);
    snprintf(out, HUMAN_PART_MAX, "%s/%s", part, human_size(total, whole));
    return out;
}

const char *human_duration(int64_t ms, char out[static HUMAN_MAX])
{
    int64_t s = ms / 1000;
    if (ms < 0)
        return strcpy(out, "-");
    if (ms < 9950)
        snprintf(out, HUMAN_MAX, "%.1f s", (double)ms / 1000);
    else if (s < 60)
        snprintf(out, HUMAN_MAX, "%" PRId64 " s", s);
    else if (s < 3600)
        snprintf(out, HUMAN_MAX, "%" PRId64 "m%02" PRId64 "s", s / 60, s % 60);
    else if (s < 86400)
        snprintf(out, HUMAN_MAX, "%" PRId64 "h%02" PRId64 "m", s / 3600, s / 60 % 60);
    else
        snprintf(out, HUMAN_MAX, "%" PRId64 "d%02" PRId64 "h", s / 86400, s / 3600 % 24);
    return out;
}

const char *human_age(int64_t ms, char out[static HUMAN_MAX])
{
    int64_t s = ms / 1000;
    if (s < 1) /* clocks differ: what is yet to come is now */
        return strcpy(out, "now");
    if (s < 60)
        snprintf(out, HUMAN_MAX, "%" PRId64 "s ago", s);
    else if (s < 3600)
        snprintf(out, HUMAN_MAX, "%" PRId64 "m ago", s / 60);
    else if (s < 86400)
        snprintf(out, HUMAN_MAX, "%" PRId64 "h ago", s / 3600);
    else
        snprintf(out, HUMAN_MAX, "%" PRId64 "d ago", s / 86400);
    return out;
}

int64_t human_time(const char *rfc3339)
{
    struct tm tm = {0};
    const char *rest = strptime(rfc3339, "%Y-%m-%dT%H:%M:%S", &tm);
    char *end;
    if (!rest || *rest != '.')
        return 0;
    long ms = strtol(rest + 1, &end, 10);
    return end == rest + 4 && strcmp(end, "Z") == 0 ? (int64_t)timegm(&tm) * 1000 + ms : 0;
}
