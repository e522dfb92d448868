#include "fs/client/human.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void human_size(const char *bytes, char *out, size_t max)
{
    static const char units[] = "BKMGTP";
    char *end;
    double n = strtod(bytes, &end);
    size_t unit = 0;
    if (end == bytes || *end) {
        snprintf(out, max, "%s", bytes);
        return;
    }
    for (; n >= 1024 && units[unit + 1]; unit++)
        n /= 1024;
    if (unit == 0)
        snprintf(out, max, "%s", bytes);
    else
        snprintf(out, max, "%.1f%c", n, units[unit]);
}

int64_t human_time(const char *time)
{
    struct tm tm = {0};
    const char *rest = strptime(time, "%Y-%m-%dT%H:%M:%S", &tm);
    char *end;
    if (!rest || *rest != '.')
        return -1;
    long ms = strtol(rest + 1, &end, 10);
    return end == rest + 4 && strcmp(end, "Z") == 0 ? (int64_t)timegm(&tm) * 1000 + ms : -1;
}

void human_ago(int64_t ms, int64_t now, char *out, size_t max)
{
    long long s = (now - ms) / 1000;
    if (s < 1) /* also where the clock was set back */
        snprintf(out, max, "just now");
    else if (s < 60)
        snprintf(out, max, "%llds ago", s);
    else if (s < 3600)
        snprintf(out, max, "%lldmin %llds ago", s / 60, s % 60);
    else if (s < 2 * 86400)
        snprintf(out, max, "%lldh %lldmin ago", s / 3600, s % 3600 / 60);
    else
        snprintf(out, max, "%lld days ago", s / 86400);
}
