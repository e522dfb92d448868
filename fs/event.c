#include "fs/event.h"

#include "base/cleanup.h"

#include <jansson.h>
#include <string.h>

#define SEQ "{\"seq\":" /* what each line begins with: jansson keeps the order of keys */

static const char *or_null(const char *s)
{
    return *s ? s : NULL;
}

/* As `error` shows it: it may quote what an archive or a server said. */
static json_t *render(const struct backend_event *e)
{
    struct text message CLEANUP_TEXT = {0};
    char when[TEXT_TIME_MAX];
    text_add(&message, "");
    text_add_printable(&message, e->message);
    if (message.failed)
        return NULL;
    return json_pack("{s:I, s:s, s:s, s:s?, s:s?, s:s?, s:s?}", "seq", (json_int_t)e->seq, "time",
                     text_time(e->time, when), "image", e->image, "from", or_null(e->from), "to",
                     or_null(e->to), "code", or_null(e->code), "message", or_null(message.data));
}

void event_add(struct text *out, const struct backend_event *event)
{
    json_t *object = render(event);
    char *line CLEANUP_FREE = object ? json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    json_decref(object);
    text_add(out, line ? line : "");
    text_add(out, "\n");
    out->failed = out->failed || !line;
}

int64_t event_seq(const char *line)
{
    size_t n = strlen(SEQ);
    return strncmp(line, SEQ, n) == 0 ? strtoll(line + n, NULL, 10) : 0;
}
