#include "stages/unpack/entry.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

int entry_xattr_next(const char **at, size_t *left, struct entry_xattr *x)
{
    uint16_t lengths[2];
    if (*left == 0)
        return 0;
    if (*left < sizeof lengths)
        return -1;
    memcpy(lengths, *at, sizeof lengths);
    size_t whole = sizeof lengths + lengths[0] + lengths[1];
    if (whole > *left)
        return -1;
    *x = (struct entry_xattr){
        .name = *at + sizeof lengths,
        .value = *at + sizeof lengths + lengths[0],
        .name_len = lengths[0],
        .value_len = lengths[1],
    };
    *at += whole;
    *left -= whole;
    return 1;
}

unsigned entry_depth(const char *path)
{
    unsigned depth = *path != '\0';
    for (; *path; path++)
        depth += *path == '/';
    return depth;
}

const char *entry_shown(const char *path, size_t len, char out[static ENTRY_SHOWN_MAX])
{
    struct text t CLEANUP_TEXT = {0};
    const size_t room = ENTRY_SHOWN_MAX - sizeof "...";
    bool cut = false;
    for (size_t i = 0; i < len && !cut; i++) {
        size_t before = t.len;
        text_add_escaped(&t, path + i, 1);
        if ((cut = t.len > room))
            t.len = before;
    }
    snprintf(out, ENTRY_SHOWN_MAX, "%.*s%s", (int)t.len, t.data ? t.data : "", cut ? "..." : "");
    return out;
}
