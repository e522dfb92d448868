#include "stages/export/links.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 64

static size_t hash_of(dev_t dev, ino_t ino)
{
    uint64_t h = TEXT_HASH_INIT;
    uint64_t number = (uint64_t)ino ^ (uint64_t)dev << 40;
    for (int i = 0; i < 8; i++)
        h = text_hash_byte(h, (unsigned char)(number >> 8 * i));
    return (size_t)h;
}

/* That of the file, or the empty one where it belongs. */
static struct links_slot *find(const struct links *l, dev_t dev, ino_t ino)
{
    size_t i = hash_of(dev, ino);
    for (;; i++) {
        struct links_slot *slot = &l->slots[i & (l->capacity - 1)];
        if (!slot->path || (slot->ino == ino && slot->dev == dev))
            return slot;
    }
}

static int grow(struct links *l)
{
    struct links old = *l;
    l->capacity = old.capacity ? 2 * old.capacity : FIRST_CAPACITY;
    l->slots = calloc(l->capacity, sizeof *l->slots);
    if (!l->slots) {
        *l = old;
        return -ENOMEM;
    }
    for (size_t i = 0; i < old.capacity; i++)
        if (old.slots[i].path)
            *find(l, old.slots[i].dev, old.slots[i].ino) = old.slots[i];
    free(old.slots);
    return 0;
}

int links_see(struct links *l, const struct stat *st, const char *path, const char **first)
{
    if (4 * l->count >= 3 * l->capacity && grow(l) < 0)
        return -ENOMEM;
    struct links_slot *slot = find(l, st->st_dev, st->st_ino);
    *first = slot->path ? l->paths.data + slot->path : NULL;
    if (*first)
        return 0;
    if (l->paths.len == 0)
        text_addn(&l->paths, "", 1);
    *slot = (struct links_slot){st->st_dev, st->st_ino, l->paths.len};
    text_addn(&l->paths, path, strlen(path) + 1);
    l->count++;
    return l->paths.failed ? -ENOMEM : 0;
}

void links_free(struct links *l)
{
    free(l->slots);
    text_free(&l->paths);
    *l = (struct links){0};
}
