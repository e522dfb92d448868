#include "fs/client/events.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "fs/client/colour.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define BLOCK 65536

int events_open(const struct tree *tree, struct events *events, struct err *err)
{
    *events = (struct events){.fd = -1};
    int root CLEANUP_CLOSE = tree_open_root(tree, err);
    if (root < 0)
        return root;
    events->fd = openat(root, "events", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    return events->fd < 0 ? tree_explain(tree, errno, err) : 0;
}

void events_close(struct events *events)
{
    if (events->fd >= 0)
        close(events->fd);
    text_free(&events->kept);
    *events = (struct events){.fd = -1};
}

/* What was handed out is forgotten; a block is added to what remains. Bytes, 0 or -errno. */
static int fill(struct events *events)
{
    char block[BLOCK];
    ssize_t n;
    do
        n = read(events->fd, block, sizeof block);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return n < 0 && errno != EAGAIN ? -ENOTCONN : 0;
    struct text more = {0};
    if (events->at < events->kept.len)
        text_addn(&more, events->kept.data + events->at, events->kept.len - events->at);
    text_addn(&more, block, (size_t)n);
    text_free(&events->kept);
    events->kept = more;
    events->at = 0;
    return more.failed ? -ENOMEM : (int)n;
}

int events_next(struct events *events, char **line)
{
    for (;;) {
        char *begin = events->kept.data ? events->kept.data + events->at : NULL;
        char *end = begin ? memchr(begin, '\n', events->kept.len - events->at) : NULL;
        if (end) {
            *end = '\0';
            events->at += (size_t)(end - begin) + 1;
            *line = begin;
            return 1;
        }
        int r = fill(events);
        if (r <= 0)
            return r;
    }
}

/* Quotes inside of a string are escaped, so that this stands nowhere else. */
bool events_is_of(const char *line, const char *image)
{
    static const char key[] = "\"image\":\"";
    const char *at = strstr(line, key);
    size_t n = strlen(image);
    return at && strncmp(at + sizeof key - 1, image, n) == 0 && at[sizeof key - 1 + n] == '"';
}

static int add_line(struct events_lines *lines, const char *line)
{
    char **more = array_more(lines->line, lines->n, &lines->cap, sizeof *more);
    if (!more)
        return -ENOMEM;
    lines->line = more;
    char *copy = strdup(line);
    if (!copy)
        return -ENOMEM;
    lines->line[lines->n++] = copy;
    return 0;
}

int events_last(struct events *events, const char *image, long max, struct events_lines *lines)
{
    char *line;
    int r;
    while ((r = events_next(events, &line)) > 0)
        if (events_is_of(line, image) && (r = add_line(lines, line)) < 0)
            return r;
    size_t drop = max >= 0 && lines->n > (size_t)max ? lines->n - (size_t)max : 0;
    for (size_t i = 0; i < drop; i++)
        free(lines->line[i]);
    lines->n -= drop;
    if (drop > 0)
        memmove(lines->line, lines->line + drop, lines->n * sizeof *lines->line);
    return r;
}

void events_free_lines(struct events_lines *lines)
{
    for (size_t i = 0; i < lines->n; i++)
        free(lines->line[i]);
    free(lines->line);
    *lines = (struct events_lines){0};
}

bool events_parse(const char *line, struct event *event)
{
    *event = (struct event){.json = json_loads(line, 0, NULL)};
    event->time = json_string_value(json_object_get(event->json, "time"));
    event->from = json_string_value(json_object_get(event->json, "from"));
    event->to = json_string_value(json_object_get(event->json, "to"));
    event->code = json_string_value(json_object_get(event->json, "code"));
    event->message = json_string_value(json_object_get(event->json, "message"));
    if (event->time)
        return true;
    json_decref(event->json);
    *event = (struct event){0};
    return false;
}

void events_print(const char *line)
{
    struct event e;
    if (!events_parse(line, &e)) {
        puts(line);
        return;
    }
    const char *to = e.to ? e.to : "removed";
    enum colour paint = colour_of_state(to);
    if (paint == COLOUR_BUSY) /* on its way: not what one looks for */
        paint = COLOUR_NONE;
    printf("%s%s%s  %s%s%s%s%s", colour(stdout, COLOUR_DIM), e.time, colour_end(stdout),
           e.from ? e.from : "", e.from ? " -> " : "", colour(stdout, paint), to,
           colour_end(stdout));
    if (e.code)
        printf("  %s: %s", e.code, e.message ? e.message : "");
    putchar('\n');
    json_decref(e.json);
}
