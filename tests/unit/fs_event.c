#include "fs/event.h"

#include "base/cleanup.h"
#include "fs/lines.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct backend_event plain = {.seq = 12,
                                           .time = 1795968570123,
                                           .image = "web",
                                           .from = "NEW",
                                           .to = "DOWNLOADING",
                                           .code = "",
                                           .message = ""};

static const char *line_of(const struct backend_event *event)
{
    static char out[LINES_LINE_MAX + 1];
    struct text t CLEANUP_TEXT = {0};
    event_add(&t, event);
    cr_assert_leq(t.len, LINES_LINE_MAX);
    cr_assert_geq(t.len, EVENT_LINE_MIN);
    snprintf(out, sizeof out, "%s", t.data);
    return out;
}

Test(event, keys_are_in_their_order)
{
    cr_assert_str_eq(line_of(&plain),
                     "{\"seq\":12,\"time\":\"2026-11-29T16:09:30.123Z\",\"image\":\"web\","
                     "\"from\":\"NEW\",\"to\":\"DOWNLOADING\",\"code\":null,\"message\":null}\n");
    cr_assert_eq(event_seq(line_of(&plain)), 12);
    cr_assert_eq(event_seq("{\"missed\":3}\n"), 0);
    cr_assert_eq(event_seq(""), 0);
}

Test(event, what_is_not_there_is_null)
{
    struct backend_event e = plain;
    e.from = "";
    cr_assert(strstr(line_of(&e), "\"from\":null,\"to\":\"DOWNLOADING\""));
    e = plain;
    e.to = "";
    cr_assert(strstr(line_of(&e), "\"from\":\"NEW\",\"to\":null"));
}

Test(event, a_message_is_one_line_of_ascii)
{
    struct backend_event e = plain;
    e.code = "io";
    e.message = "a \"quote\", a \\, \n and \xff\xc3\xa4";
    cr_assert(strstr(line_of(&e),
                     "\"code\":\"io\",\"message\":\"a \\\"quote\\\", a \\\\, \\\\n and "
                     "\\\\377\\\\303\\\\244\"}\n"),
              "%s", line_of(&e));
}

Test(event, the_longest_there_can_be)
{
    static char message[ERR_TEXT_MAX], name[BACKEND_NAME_MAX + 1];
    struct backend_event e = plain;
    memset(message, '\xff', sizeof message - 1);
    memset(name, 'n', sizeof name - 1);
    e.seq = INT64_MAX;
    e.image = name;
    e.from = e.to = "DOWNLOADING";
    e.code = "checksum-mismatch";
    e.message = message;
    const char *line = line_of(&e);
    cr_assert_eq(strcspn(line, "\n"), strlen(line) - 1);
    cr_assert_eq(event_seq(line), INT64_MAX);
}

Test(event, the_shortest_there_can_be)
{
    struct backend_event e = plain;
    e.seq = 1;
    e.image = "n";
    e.from = "";
    e.to = "NEW";
    cr_assert_geq(strlen(line_of(&e)), EVENT_LINE_MIN);
}
