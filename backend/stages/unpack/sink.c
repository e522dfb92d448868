#include "stages/unpack/sink.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

static const struct sink_kind *const kinds[] = {&sink_dir};

int sink_choose(const char *name, const struct paths *paths, const struct sink_kind **kind,
                struct err *err)
{
    bool any = strcmp(name, "auto") == 0;
    struct err why;
    int r = err_set(&why, ERR_INTERNAL, EINVAL, "there is no sink \"%s\"", name);
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (!any && strcmp(name, kinds[i]->name) != 0)
            continue;
        r = kinds[i]->probe(paths, &why);
        if (r == 0) {
            *kind = kinds[i];
            return 0;
        }
    }
    if (err)
        *err = why;
    return r;
}
