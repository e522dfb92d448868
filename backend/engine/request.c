#include "engine/engine.h"

#include "base/cleanup.h"

#include <string.h>

static void free_request(struct request *r)
{
    for (size_t i = 0; i < r->command.count; i++) {
        free((char *)r->command.lines[i].url);
        free((char *)r->command.lines[i].name);
    }
    free((struct backend_fetch *)r->command.lines);
    free((char *)r->command.name);
    free((char *)r->command.snapshot);
    free((char *)r->command.to);
    free(r);
}

static bool copy_lines(struct request *r, const struct backend_command *from)
{
    struct backend_fetch *lines = calloc(from->count + 1, sizeof *lines);
    r->command.lines = lines;
    r->command.count = 0;
    for (size_t i = 0; lines && i < from->count; i++) {
        lines[i] = from->lines[i];
        lines[i].url = strdup(from->lines[i].url);
        lines[i].name = strdup(from->lines[i].name);
        r->command.count++;
        if (!lines[i].url || !lines[i].name)
            return false;
    }
    return lines != NULL;
}

static bool copy_string(const char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return !from || *to;
}

struct request *request_new(const struct backend_command *command, backend_done *done, void *ctx)
{
    struct request *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->command = *command;
    r->command.name = r->command.snapshot = r->command.to = NULL;
    r->command.lines = NULL;
    r->command.count = 0;
    r->done = done;
    r->ctx = ctx;
    if (!copy_string(&r->command.name, command->name) ||
        !copy_string(&r->command.snapshot, command->snapshot) ||
        !copy_string(&r->command.to, command->to) || !copy_lines(r, command)) {
        free_request(r);
        return NULL;
    }
    return r;
}

void request_reply(struct request *request, const struct err *err)
{
    static const struct err success;
    if (!request)
        return;
    request->done(request->ctx, err ? err : &success, request->refused);
    free_request(request);
}
