#include "stages/snapshot/mountinfo.h"

#include "base/cleanup.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

/* The number behind " shared:" in " shared:12 master:3". */
int mountinfo_group(const struct mountinfo *m, const char *tag)
{
    size_t n = strlen(tag);
    for (const char *p = m->tags; p && *p; p = strchr(p + 1, ' '))
        if (strncmp(p + 1, tag, n) == 0 && p[n + 1] == ':')
            return atoi(p + n + 2);
    return 0;
}

static bool is_octal(char c)
{
    return c >= '0' && c <= '7';
}

/* The kernel writes space, tab, newline, `\` and, in options, `,` as \ooo. */
static void unescape(char *s)
{
    char *out = s;
    while (*s) {
        if (s[0] == '\\' && is_octal(s[1]) && is_octal(s[2]) && is_octal(s[3])) {
            *out++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
            s += 4;
        } else {
            *out++ = *s++;
        }
    }
    *out = '\0';
}

/* ID PARENT MAJOR:MINOR ROOT POINT FLAGS [TAG…] - TYPE SOURCE OPTIONS */
static bool parse(char *line, struct mountinfo *m)
{
    unsigned major, minor;
    char *rest = line;
    line[strcspn(line, "\n")] = '\0';
    char *id = strsep(&rest, " "), *parent = strsep(&rest, " ");
    char *dev = strsep(&rest, " ");
    char *root = strsep(&rest, " "), *point = strsep(&rest, " ");
    char *tail = rest ? strstr(rest, " - ") : NULL;
    if (!tail || sscanf(dev, "%u:%u", &major, &minor) != 2)
        return false;
    *tail = '\0';
    tail += 3;
    char *type = strsep(&tail, " "), *source = strsep(&tail, " ");
    if (!tail)
        return false;
    unescape(root);
    unescape(point);
    unescape(source);
    unescape(tail);
    *m = (struct mountinfo){.id = atoi(id),
                            .parent = atoi(parent),
                            .dev = makedev(major, minor),
                            .root = root,
                            .point = point,
                            .tags = strpbrk(rest, " "),
                            .type = type,
                            .source = source,
                            .options = tail};
    return true;
}

int mountinfo_each(const char *file, bool (*each)(void *ctx, const struct mountinfo *m), void *ctx)
{
    FILE *f CLEANUP_FCLOSE = fopen(file, "re");
    if (!f)
        return -errno;
    char *line CLEANUP_FREE = NULL;
    size_t cap = 0;
    struct mountinfo m;
    while (getline(&line, &cap, f) >= 0)
        if (parse(line, &m) && each(ctx, &m))
            return 1;
    return ferror(f) ? -EIO : 0;
}

const char *mountinfo_below(const char *path, const char *dir)
{
    size_t n = strlen(dir);
    return strncmp(path, dir, n) == 0 && path[n] == '/' && path[n + 1] ? path + n + 1 : NULL;
}

struct below {
    char dir[PATH_MAX];
    struct text *points;
};

static bool list(void *ctx, const struct mountinfo *m)
{
    struct below *b = ctx;
    const char *below = mountinfo_below(m->point, b->dir);
    if (below)
        text_addn(b->points, below, strlen(below) + 1);
    return b->points->failed;
}

int mountinfo_list_below(const char *dir, struct text *points)
{
    struct below b = {.points = points};
    if (!realpath(dir, b.dir))
        return -errno;
    int r = mountinfo_each("/proc/self/mountinfo", list, &b);
    return r > 0 ? -ENOMEM : r;
}
