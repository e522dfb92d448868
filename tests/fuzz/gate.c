#include "gate.h"

#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

/* Of what namespace holds for a name: generous, but no archive makes it more. */
#define BYTES_A_NAME 1024

void gate_open(struct gate *g, enum policy policy, const struct limits *limits)
{
    policy_init(&g->policy, policy, limits);
    g->names = namespace_new();
    g->count = 0;
    g->full = false;
    g->seen = 0;
    g->bytes = 0;
    FUZZ_MUST(g->names);
}

/* --- one entry */

static void check_path(const char *path)
{
    FUZZ_MUST(strlen(path) <= LIMIT_PATH_MAX);
    for (size_t n; *path; path += n + (path[n] == '/')) {
        n = strcspn(path, "/");
        FUZZ_MUST(n > 0 && n <= LIMIT_NAME_MAX);
        FUZZ_MUST(!(path[0] == '.' && n == 1) && !(path[0] == '.' && path[1] == '.' && n == 2));
        FUZZ_MUST(path[n] != '/' || path[n + 1] != '\0');
    }
}

static bool is_special(const struct entry *e)
{
    return e->type >= WIRE_CHARDEV && e->type <= WIRE_SOCKET;
}

static bool begins(const struct entry_xattr *x, const char *prefix)
{
    return x->name_len > strlen(prefix) && memcmp(x->name, prefix, strlen(prefix)) == 0;
}

static void check_xattrs(const struct gate *g, const struct entry *e)
{
    const char *at = e->xattrs;
    size_t left = e->xattrs_len, total = 0;
    struct entry_xattr x;
    int r;
    while ((r = entry_xattr_next(&at, &left, &x)) > 0) {
        total += x.name_len + x.value_len;
        FUZZ_MUST(x.name_len <= LIMIT_NAME_MAX && !memchr(x.name, '\0', x.name_len));
        FUZZ_MUST(!begins(&x, "trusted.overlay.") && !begins(&x, "user.overlay."));
        if (begins(&x, "user."))
            FUZZ_MUST(e->type == WIRE_FILE || e->type == WIRE_DIR);
        else
            FUZZ_MUST(g->policy.policy == POLICY_FAITHFUL);
    }
    FUZZ_MUST(r == 0 && total <= LIMIT_XATTRS_MAX);
}

static void check_meta(const struct gate *g, const struct entry *e)
{
    bool strict = g->policy.policy == POLICY_STRICT;
    FUZZ_MUST(!(e->meta.mode & ~(strict ? 0755u : 07777u)));
    FUZZ_MUST(!strict || e->type != WIRE_DIR || (e->meta.mode & 0700) == 0700);
    FUZZ_MUST(e->meta.uid != UINT32_MAX && e->meta.gid != UINT32_MAX);
    FUZZ_MUST(e->meta.mtime_nsec < 1000000000);
    FUZZ_MUST(e->skip == (strict && is_special(e)));
}

static void check_contents(struct gate *g, const struct entry *e)
{
    const struct limits *l = g->policy.limits;
    if (e->type != WIRE_FILE) {
        FUZZ_MUST(e->size == 0 && e->offset == 0);
        return;
    }
    FUZZ_MUST(e->size <= (uint64_t)l->max_file_size && e->offset % WIRE_BLOCK == 0);
    FUZZ_MUST(e->offset <= INT64_MAX && e->size <= INT64_MAX - e->offset);
    g->bytes += e->size;
    FUZZ_MUST(g->bytes <= (uint64_t)l->max_total_size && g->bytes == (uint64_t)g->policy.bytes);
}

static void check_entry(struct gate *g, const struct entry *e)
{
    check_path(e->path);
    FUZZ_MUST(*e->path || e->type == WIRE_DIR);
    if (e->type == WIRE_HARDLINK)
        check_path(e->target);
    else if (e->type == WIRE_SYMLINK)
        FUZZ_MUST(*e->target && strlen(e->target) <= LIMIT_PATH_MAX);
    else
        FUZZ_MUST(*e->target == '\0');
    check_meta(g, e);
    check_contents(g, e);
    check_xattrs(g, e);
}

/* --- the tree */

static struct gate_name *find(struct gate *g, const char *path, size_t len)
{
    for (size_t i = 0; i < g->count; i++)
        if (strncmp(g->model[i].path, path, len) == 0 && g->model[i].path[len] == '\0')
            return &g->model[i];
    return NULL;
}

static struct gate_name *put(struct gate *g, const char *path, size_t len, enum wire_type type)
{
    struct gate_name *name = find(g, path, len);
    if (!name && g->count == GATE_NAMES) {
        g->full = true;
        return NULL;
    }
    if (!name) {
        name = &g->model[g->count++];
        name->path = strndup(path, len);
        FUZZ_MUST(name->path);
    }
    name->type = type;
    name->skipped = false;
    name->climb = 0;
    return name;
}

static bool is_dir(const struct gate_name *name)
{
    return name && name->type == WIRE_DIR && !name->skipped;
}

/* Every parent is a directory, and what was implied was not there. */
static void put_parents(struct gate *g, const struct entry *e, const struct namespace_place *place)
{
    unsigned implied = 0;
    for (const char *p = strchr(e->path, '/'); p && !g->full; p = strchr(p + 1, '/')) {
        struct gate_name *parent = find(g, e->path, (size_t)(p - e->path));
        implied += !parent;
        FUZZ_MUST(!parent || is_dir(parent));
        if (!parent) {
            FUZZ_MUST((size_t)(p - e->path) > place->existing || place->existing == 0);
            put(g, e->path, (size_t)(p - e->path), WIRE_DIR);
        }
    }
    FUZZ_MUST(g->full || implied == place->implied);
}

/* How far above its own directory the target leads at its highest. */
static unsigned climb_of(const char *target)
{
    long level = 0, least = 0;
    for (size_t n; *target && *target != '/'; target += n + strspn(target + n, "/")) {
        n = strcspn(target, "/");
        if (n == 2 && memcmp(target, "..", 2) == 0)
            level--;
        else if (n != 1 || *target != '.')
            level++;
        least = level < least ? level : least;
    }
    return (unsigned)-least;
}

static bool is_below(const char *path, const char *dir)
{
    size_t n = strlen(dir);
    return strncmp(path, dir, n) == 0 && path[n] == '/';
}

/* An earlier entry of that path may go, but no directory that holds something. */
static void check_replaced(struct gate *g, const struct entry *e,
                           const struct namespace_place *place)
{
    struct gate_name *old = find(g, e->path, strlen(e->path));
    if (place->action == NAMESPACE_UPDATE) {
        FUZZ_MUST(e->type == WIRE_DIR && is_dir(old) && !place->removes);
        return;
    }
    if (place->action != NAMESPACE_NOTHING)
        FUZZ_MUST(place->removes == (old && !old->skipped));
    if (!place->removes)
        return;
    FUZZ_MUST(old && place->removes_dir == is_dir(old));
    for (size_t i = 0; i < g->count; i++)
        FUZZ_MUST(!is_below(g->model[i].path, e->path));
}

static void put_link(struct gate *g, const struct entry *e, const struct namespace_place *place)
{
    struct gate_name *old = find(g, e->target, strlen(e->target));
    FUZZ_MUST(old && !is_dir(old) && place->skipped == old->skipped);
    struct gate_name target = *old;
    FUZZ_MUST(g->policy.policy == POLICY_FAITHFUL || target.type != WIRE_SYMLINK ||
              target.climb <= entry_depth(e->path));
    if (strcmp(e->path, e->target) == 0) {
        FUZZ_MUST(place->action == NAMESPACE_NOTHING);
        return;
    }
    struct gate_name *name = put(g, e->path, strlen(e->path), target.type);
    if (name) {
        name->skipped = target.skipped;
        name->climb = target.climb;
    }
}

static void put_entry(struct gate *g, const struct entry *e, const struct namespace_place *place)
{
    if (*e->path == '\0') {
        FUZZ_MUST(place->action == NAMESPACE_UPDATE && !place->implied);
        return;
    }
    put_parents(g, e, place);
    if (g->full)
        return;
    check_replaced(g, e, place);
    if (e->type == WIRE_HARDLINK) {
        put_link(g, e, place);
        return;
    }
    FUZZ_MUST(place->skipped == e->skip);
    struct gate_name *name = put(g, e->path, strlen(e->path), e->type);
    if (!name)
        return;
    name->skipped = e->skip;
    name->climb = e->type == WIRE_SYMLINK ? climb_of(e->target) : 0;
    FUZZ_MUST(g->policy.policy == POLICY_FAITHFUL || name->climb <= entry_depth(e->path));
}

int gate_add(struct gate *g, const struct wire_item *item)
{
    struct entry e;
    struct err err = {0};
    struct namespace_place place = {0};
    int r;
    if ((r = policy_check(&g->policy, item, &e, &err)) < 0 ||
        (r = namespace_add(g->names, &e, &place, &err)) < 0 ||
        (r = policy_count_implied(&g->policy, place.implied, &err)) < 0 ||
        (r = policy_check_linked(&g->policy, &e, place.climb, &err)) < 0) {
        fuzz_error(r, &err);
        g->full = true; /* the archive is refused: what namespace holds matters no more */
        return r;
    }
    g->seen += 1 + (int64_t)place.implied;
    FUZZ_MUST(g->seen == g->policy.entries && g->seen <= g->policy.limits->max_files);
    check_entry(g, &e);
    if (!g->full)
        put_entry(g, &e, &place);
    return 0;
}

/* --- the whole */

struct walk {
    struct gate *gate;
    size_t dirs;
    char *visited[GATE_NAMES + 1];
};

/* Children before their parents, each once. */
static int see_dir(void *ctx, const char *path, const struct entry_meta *meta, struct err *err)
{
    struct walk *w = ctx;
    FUZZ_MUST(*path == '\0' || is_dir(find(w->gate, path, strlen(path))));
    for (size_t i = 0; i < w->dirs; i++)
        FUZZ_MUST(strcmp(w->visited[i], path) != 0 && !is_below(path, w->visited[i]));
    FUZZ_MUST(w->dirs <= GATE_NAMES && (w->visited[w->dirs++] = strdup(path)));
    return 0;
}

static void check_whole(struct gate *g)
{
    struct walk w = {.gate = g};
    size_t dirs = 1, there = 0;
    for (size_t i = 0; i < g->count; i++) {
        dirs += is_dir(&g->model[i]);
        there += !g->model[i].skipped;
    }
    FUZZ_MUST(namespace_count(g->names) == (int64_t)there);
    FUZZ_MUST(namespace_each_dir(g->names, see_dir, &w, NULL) == 0);
    FUZZ_MUST(w.dirs == dirs);
    while (w.dirs > 0)
        free(w.visited[--w.dirs]);
}

void gate_close(struct gate *g)
{
    if (!g->full)
        check_whole(g);
    FUZZ_MUST(namespace_memory(g->names) <=
              ((size_t)1 << 20) + BYTES_A_NAME * (size_t)(g->seen + LIMIT_PATH_MAX));
    while (g->count > 0)
        free(g->model[--g->count].path);
    namespace_free(g->names);
}
