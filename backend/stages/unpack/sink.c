#include "stages/unpack/sink.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct sink_kind *const kinds[] = {&sink_erofs, &sink_dir};

const char *sink_word(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (strcmp(name, kinds[i]->name) == 0)
            return kinds[i]->name;
    return NULL;
}

int sink_choose(const char *name, struct paths *paths, const struct sink_kind **kind,
                struct err *err)
{
    bool any = strcmp(name, "auto") == 0;
    struct err why;
    char how[SINK_HOW_MAX], better[SINK_HOW_MAX] = "";
    int r = err_set(&why, ERR_INTERNAL, EINVAL, "there is no sink \"%s\"", name);
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        struct err one = {0};
        int tried = kinds[i]->probe(paths, how, &one); /* its images may be there already */
        if (!any && strcmp(name, kinds[i]->name) != 0)
            continue;
        if (tried == 0) {
            log_info(NULL, "images: %s%s", how, any ? better : "");
            *kind = kinds[i];
            return 0;
        }
        snprintf(better, sizeof better, ", because %s", one.text);
        why = one;
        r = tried;
    }
    if (err)
        *err = why;
    return r;
}
