#include "stages/unpack/namespace.h"

#include "base/limits.h"
#include "stages/unpack/siphash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define ROOT NAMESPACE_ROOT
#define NONE NAMESPACE_NONE

enum kind { KIND_DIR, KIND_FILE, KIND_SYMLINK, KIND_SPECIAL, KIND_SKIPPED };

/* A name keeps its node for good: what replaces an entry takes its node over. So a child's number
 * is always above its parent's. */
struct node {
    uint32_t parent;
    uint32_t next; /* in the hash chain */
    uint32_t name; /* where it begins in names */
    uint32_t children;
    uint8_t name_len;
    uint8_t kind;
    uint16_t climb;         /* KIND_SYMLINK */
    struct entry_meta meta; /* KIND_DIR */
};

struct namespace
{
    struct node *nodes;
    uint32_t *buckets; /* as many as there is room for nodes */
    char *names;
    size_t len, cap, names_len, names_cap;
    int64_t skipped;
    uint64_t key[2];
};

#define NODES_AT_FIRST 1024u /* a power of two, as are the hash table's sizes */

struct namespace *namespace_new(void)
{
    struct namespace *ns = calloc(1, sizeof *ns);
    if (!ns || getrandom(ns->key, sizeof ns->key, 0) != sizeof ns->key)
        goto fail;
    ns->cap = NODES_AT_FIRST;
    ns->names_cap = 16 * ns->cap;
    ns->nodes = malloc(ns->cap * sizeof *ns->nodes);
    ns->buckets = malloc(ns->cap * sizeof *ns->buckets);
    ns->names = malloc(ns->names_cap);
    if (!ns->nodes || !ns->buckets || !ns->names)
        goto fail;
    memset(ns->buckets, 0xff, ns->cap * sizeof *ns->buckets);
    ns->nodes[ROOT] = (struct node){.parent = NONE, .next = NONE, .meta = ENTRY_META_IMPLIED};
    ns->len = 1;
    return ns;
fail:
    namespace_free(ns);
    return NULL;
}

void namespace_free(struct namespace *ns)
{
    if (!ns)
        return;
    free(ns->nodes);
    free(ns->buckets);
    free(ns->names);
    free(ns);
}

int64_t namespace_count(const struct namespace *ns)
{
    return (int64_t)ns->len - 1 - ns->skipped;
}

size_t namespace_memory(const struct namespace *ns)
{
    return sizeof *ns + ns->cap * (sizeof *ns->nodes + sizeof *ns->buckets) + ns->names_cap;
}

static uint32_t *bucket(const struct namespace *ns, uint32_t parent, const char *name, size_t n)
{
    const uint64_t key[2] = {ns->key[0], ns->key[1] ^ parent};
    return &ns->buckets[siphash(key, name, n) & (ns->cap - 1)];
}

static uint32_t lookup(const struct namespace *ns, uint32_t parent, const char *name, size_t n)
{
    uint32_t i = *bucket(ns, parent, name, n);
    for (; i != NONE; i = ns->nodes[i].next) {
        const struct node *x = &ns->nodes[i];
        if (x->parent == parent && x->name_len == n && memcmp(ns->names + x->name, name, n) == 0)
            break;
    }
    return i;
}

static void rehash(struct namespace *ns)
{
    memset(ns->buckets, 0xff, ns->cap * sizeof *ns->buckets);
    for (uint32_t i = 1; i < ns->len; i++) {
        struct node *x = &ns->nodes[i];
        uint32_t *b = bucket(ns, x->parent, ns->names + x->name, x->name_len);
        x->next = *b;
        *b = i;
    }
}

static bool grow_nodes(struct namespace *ns)
{
    if (ns->len < ns->cap)
        return true;
    if (ns->cap > UINT32_MAX / 2)
        return false;
    struct node *nodes = reallocarray(ns->nodes, 2 * ns->cap, sizeof *nodes);
    if (!nodes)
        return false;
    ns->nodes = nodes;
    uint32_t *buckets = reallocarray(ns->buckets, 2 * ns->cap, sizeof *buckets);
    if (!buckets)
        return false;
    ns->buckets = buckets;
    ns->cap *= 2;
    rehash(ns);
    return true;
}

static bool grow_names(struct namespace *ns, size_t n)
{
    if (n <= ns->names_cap - ns->names_len)
        return true;
    if (ns->names_cap > UINT32_MAX / 2)
        return false;
    char *names = realloc(ns->names, 2 * ns->names_cap);
    if (!names)
        return false;
    ns->names = names;
    ns->names_cap *= 2;
    return true;
}

/* A directory, as implied, until its maker says otherwise. */
static uint32_t add_node(struct namespace *ns, uint32_t parent, const char *name, size_t n)
{
    if (!grow_nodes(ns) || !grow_names(ns, n))
        return NONE;
    uint32_t *b = bucket(ns, parent, name, n), i = (uint32_t)ns->len++;
    ns->nodes[i] = (struct node){
        .parent = parent,
        .next = *b,
        .name = (uint32_t)ns->names_len,
        .name_len = (uint8_t)n,
        .kind = KIND_DIR,
        .meta = ENTRY_META_IMPLIED,
    };
    *b = i;
    memcpy(ns->names + ns->names_len, name, n);
    ns->names_len += n;
    ns->nodes[parent].children++;
    return i;
}

static int no_memory(struct err *err)
{
    return err_set(err, ERR_INTERNAL, ENOMEM, "no memory for the names of the image");
}

/* How far a path could be followed from the root. */
struct trail {
    uint32_t node; /* the last that exists */
    size_t at;     /* what of the path leads there, without a slash behind it */
};

/* Follows `len` bytes of a path as long as names exist and lie in directories. */
static struct trail follow(const struct namespace *ns, const char *path, size_t len)
{
    struct trail t = {ROOT, 0};
    while (t.at < len && ns->nodes[t.node].kind == KIND_DIR) {
        size_t from = t.at + (t.at > 0);
        const char *slash = memchr(path + from, '/', len - from);
        size_t n = slash ? (size_t)(slash - path) - from : len - from;
        uint32_t child = lookup(ns, t.node, path + from, n);
        if (child == NONE)
            break;
        t = (struct trail){child, from + n};
    }
    return t;
}

static const char *word_of(enum kind kind)
{
    switch (kind) {
    case KIND_DIR:
        return "a directory";
    case KIND_FILE:
        return "a file";
    case KIND_SYMLINK:
        return "a symlink";
    case KIND_SPECIAL:
    case KIND_SKIPPED:
        return "a special file";
    }
    return "";
}

static int refuse_parent(const char *path, size_t at, enum kind kind, struct err *err)
{
    char shown[ENTRY_SHOWN_MAX], parent[ENTRY_SHOWN_MAX];
    return err_set(err, ERR_UNSAFE_PATH, EINVAL, "path \"%s\" lies below \"%s\", which is %s",
                   entry_shown(path, strlen(path), shown), entry_shown(path, at, parent),
                   word_of(kind));
}

static int refuse_link(const struct entry *e, const char *why, struct err *err)
{
    char shown[ENTRY_SHOWN_MAX], target[ENTRY_SHOWN_MAX];
    return err_set(err, ERR_UNSAFE_LINK, EINVAL, "hard link \"%s\" to \"%s\", %s",
                   entry_shown(e->path, strlen(e->path), shown),
                   entry_shown(e->target, strlen(e->target), target), why);
}

/* What an entry is to be. */
struct fate {
    enum kind kind;
    unsigned climb;
    uint32_t target; /* of a hard link; else NONE */
};

/* A hard link becomes what it names: a symlink too, and never what that points to. */
static int judge_link(const struct namespace *ns, const struct entry *e, struct fate *f,
                      struct err *err)
{
    size_t len = strlen(e->target);
    struct trail t = follow(ns, e->target, len);
    const struct node *x = &ns->nodes[t.node];
    if (t.at < len && x->kind == KIND_SYMLINK)
        return refuse_link(e, "which lies below a symlink", err);
    if (t.at < len)
        return refuse_link(e, "which is not there (yet)", err);
    if (x->kind == KIND_DIR)
        return refuse_link(e, "which is a directory", err);
    *f = (struct fate){x->kind, x->climb, t.node};
    return 0;
}

static enum kind kind_of(const struct entry *e)
{
    if (e->skip)
        return KIND_SKIPPED;
    switch (e->type) {
    case WIRE_DIR:
        return KIND_DIR;
    case WIRE_SYMLINK:
        return KIND_SYMLINK;
    case WIRE_FILE:
    case WIRE_HARDLINK:
        return KIND_FILE;
    case WIRE_CHARDEV:
    case WIRE_BLOCKDEV:
    case WIRE_FIFO:
    case WIRE_SOCKET:
        return KIND_SPECIAL;
    }
    return KIND_SKIPPED;
}

static int add_implied(struct namespace *ns, const char *path, size_t parent_len, struct trail *t,
                       struct namespace_place *place, struct err *err)
{
    place->existing = t->at;
    while (t->at < parent_len) {
        size_t from = t->at + (t->at > 0);
        size_t n = strcspn(path + from, "/");
        t->node = add_node(ns, t->node, path + from, n);
        if (t->node == NONE)
            return no_memory(err);
        t->at = from + n;
        place->implied++;
    }
    return 0;
}

/* What becomes of the entry that has the path already. */
static int replace(const struct node *old, const struct entry *e, enum kind new,
                   struct namespace_place *place, struct err *err)
{
    char shown[ENTRY_SHOWN_MAX];
    if (old->kind == KIND_DIR && new == KIND_DIR) {
        place->action = NAMESPACE_UPDATE;
        return 0;
    }
    if (old->kind == KIND_DIR && old->children > 0)
        return err_set(err, ERR_UNSAFE_PATH, EINVAL,
                       "path \"%s\" would replace a directory that is not empty",
                       entry_shown(e->path, strlen(e->path), shown));
    place->removes = old->kind != KIND_SKIPPED;
    place->removes_dir = old->kind == KIND_DIR;
    return 0;
}

/* Writes down what the node is from now on. */
static void become(struct namespace *ns, struct node *x, const struct entry *e,
                   const struct fate *f)
{
    ns->skipped += (f->kind == KIND_SKIPPED) - (x->kind == KIND_SKIPPED);
    x->kind = (uint8_t)f->kind;
    x->climb = (uint16_t)f->climb;
    x->meta = e->meta;
}

static int put(struct namespace *ns, uint32_t parent, const char *name, const struct entry *e,
               const struct fate *f, struct namespace_place *place, struct err *err)
{
    uint32_t old = lookup(ns, parent, name, strlen(name)), node = old;
    if (f->kind == KIND_SKIPPED || (old != NONE && old == f->target))
        place->action = NAMESPACE_NOTHING;
    if (old != NONE && old == f->target)
        return 0;
    int r = old == NONE ? 0 : replace(&ns->nodes[old], e, f->kind, place, err);
    if (r < 0)
        return r;
    if (old == NONE && (node = add_node(ns, parent, name, strlen(name))) == NONE)
        return no_memory(err);
    become(ns, &ns->nodes[node], e, f);
    place->node = node;
    place->target = f->target;
    return 0;
}

static int put_root(struct namespace *ns, const struct entry *e, struct namespace_place *place)
{
    place->action = NAMESPACE_UPDATE;
    place->node = ROOT;
    ns->nodes[ROOT].meta = e->meta;
    return 0;
}

int namespace_add(struct namespace *ns, const struct entry *e, struct namespace_place *place,
                  struct err *err)
{
    struct fate f = {kind_of(e), e->climb, NONE};
    *place = (struct namespace_place){.action = NAMESPACE_CREATE, .node = NONE, .target = NONE};
    if (*e->path == '\0')
        return put_root(ns, e, place);
    const char *slash = strrchr(e->path, '/');
    size_t parent_len = slash ? (size_t)(slash - e->path) : 0;
    struct trail t = follow(ns, e->path, parent_len);
    if (ns->nodes[t.node].kind != KIND_DIR)
        return refuse_parent(e->path, t.at, ns->nodes[t.node].kind, err);
    int r = 0;
    if (e->type == WIRE_HARDLINK && (r = judge_link(ns, e, &f, err)) < 0)
        return r;
    place->climb = e->type == WIRE_HARDLINK ? f.climb : 0;
    place->skipped = f.kind == KIND_SKIPPED;
    if ((r = add_implied(ns, e->path, parent_len, &t, place, err)) < 0)
        return r;
    return put(ns, t.node, slash ? slash + 1 : e->path, e, &f, place, err);
}

uint32_t namespace_nodes(const struct namespace *ns)
{
    return (uint32_t)ns->len;
}

struct namespace_node namespace_at(const struct namespace *ns, uint32_t node)
{
    const struct node *x = &ns->nodes[node];
    return (struct namespace_node){
        .parent = x->parent,
        .children = x->children,
        .name = ns->names + x->name,
        .name_len = x->name_len,
        .is_dir = x->kind == KIND_DIR,
        .skipped = x->kind == KIND_SKIPPED,
    };
}

/* The path of a node, built from its end. */
static const char *path_of(const struct namespace *ns, uint32_t i, char buf[LIMIT_PATH_MAX + 1])
{
    char *p = buf + LIMIT_PATH_MAX;
    *p = '\0';
    for (; i != ROOT; i = ns->nodes[i].parent) {
        const struct node *x = &ns->nodes[i];
        if (*p)
            *--p = '/';
        p -= x->name_len;
        memcpy(p, ns->names + x->name, x->name_len);
    }
    return p;
}

int namespace_each_dir(const struct namespace *ns,
                       int (*each)(void *ctx, const char *path, const struct entry_meta *meta,
                                   struct err *err),
                       void *ctx, struct err *err)
{
    char buf[LIMIT_PATH_MAX + 1];
    for (uint32_t i = (uint32_t)ns->len; i-- > 0;) {
        const struct node *x = &ns->nodes[i];
        int r = x->kind == KIND_DIR ? each(ctx, path_of(ns, i, buf), &x->meta, err) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}
