#include "fs/client/logs.h"

#include "fs/client/events.h"
#include "fs/client/target.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* Should a wake-up be missed, it is not missed for longer. */
#define LOOK_MS 2000

static void print_line(const struct request *request, const char *line)
{
    if (request->options->json)
        puts(line);
    else
        events_print(line);
}

static bool ends_it(const char *line)
{
    struct event e;
    if (!events_parse(line, &e))
        return false;
    json_decref(e.json);
    return !e.to;
}

static enum outcome say_removed(const char *name)
{
    fflush(stdout);
    fprintf(stderr, "imgstore: %s: removed; nothing more will happen to it\n", name);
    return OUTCOME_DONE;
}

/* Prints what has come. 1: the image was removed. */
static int print_new(const struct request *request, struct events *events, const char *name)
{
    char *line;
    int r;
    while ((r = events_next(events, &line)) > 0) {
        bool missed = strncmp(line, "{\"missed\"", 9) == 0; /* it may have been one of ours */
        if (missed || events_is_of(line, name))
            print_line(request, line);
        if (!missed && events_is_of(line, name) && ends_it(line))
            return 1;
    }
    return r;
}

/* Until something may have come; false: nobody reads what is printed any more. */
static bool wait_for_more(const struct events *events)
{
    struct pollfd fds[] = {{.fd = events->fd, .events = POLLIN}, {.fd = STDOUT_FILENO}};
    fflush(stdout);
    poll(fds, 2, LOOK_MS);
    return !(fds[1].revents & POLLERR) && !ferror(stdout);
}

static enum outcome follow(const struct request *request, struct events *events, const char *name)
{
    int r;
    while ((r = print_new(request, events, name)) == 0)
        if (!wait_for_more(events))
            return OUTCOME_DONE;
    if (r > 0)
        return say_removed(name);
    fflush(stdout);
    return commands_fail(name, r,
                         &(struct err){.text = "the daemon has gone; `imgstore logs` goes on once "
                                               "it is back"});
}

static bool is_there(const struct tree *tree, const char *name, struct err *err, int *r)
{
    struct text state CLEANUP_TEXT = {0};
    char path[TARGET_PATH_MAX];
    snprintf(path, sizeof path, "images/%s/state", name);
    *r = tree_read(tree, path, &state, err);
    return *r == 0;
}

static enum outcome print_and_follow(const struct request *request, struct events *events,
                                     const struct events_lines *lines, const char *name)
{
    struct err err = {0};
    int r;
    /* Looked at once the log was read: what goes after that, the log will tell. */
    bool there = is_there(request->tree, name, &err, &r);
    if (!there && (r != -ENOENT || lines->n == 0))
        return target_fail(request->tree, name, r, &err);
    size_t first = request->options->lines >= 0 && lines->n > (size_t)request->options->lines
                       ? lines->n - (size_t)request->options->lines
                       : 0;
    for (size_t i = first; i < lines->n; i++)
        print_line(request, lines->line[i]);
    if (!request->options->follow)
        return OUTCOME_DONE;
    if (there)
        return follow(request, events, name);
    print_new(request, events, name); /* its removal, if that came in between */
    return say_removed(name);
}

enum outcome logs_run(const struct request *request)
{
    struct events events CLEANUP_EVENTS = {.fd = -1};
    struct events_lines lines __attribute__((cleanup(events_free_lines))) = {0};
    struct target target;
    struct err err = {0};
    const char *word = request->argv[0];
    int r = target_parse(word, &target, &err);
    if (r == 0 && *target.id)
        r = err_set(&err, ERR_NONE, EINVAL,
                    "a snapshot has no log; `imgstore logs %s` has the image's", target.name);
    if (r == 0)
        r = events_open(request->tree, &events, &err);
    if (r < 0)
        return commands_fail(word, r, &err);
    r = events_last(&events, target.name, -1, &lines);
    if (r < 0)
        return commands_fail(word, r, &(struct err){.text = "cannot read the tree's events"});
    return print_and_follow(request, &events, &lines, target.name);
}
