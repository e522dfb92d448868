/* The bytes of a write to a control file. The first byte says which file. */
#include "fuzz.h"

#include "base/cleanup.h"
#include "fs/control.h"

#include <string.h>

static size_t lines_that_say_something(const char *s, size_t n)
{
    size_t count = 0;
    bool says = false;
    for (size_t i = 0; i < n; i++) {
        count += s[i] == '\n' && says;
        says = s[i] != '\n' && (says || (s[i] != ' ' && s[i] != '\t'));
    }
    return count + says;
}

static void check_fetch(const struct backend_fetch *f)
{
    struct err err = {0};
    FUZZ_MUST(backend_url_valid(f->url, &err));
    FUZZ_MUST(strlen(f->sha256) == 64 && strspn(f->sha256, "0123456789abcdef") == 64);
    FUZZ_MUST(f->name && backend_name_valid(f->name, strlen(f->name)));
}

static void check_command(const struct control *c, enum control_file file, const char *bytes,
                          size_t len)
{
    size_t lines = lines_that_say_something(bytes, len);
    FUZZ_MUST(lines > 0 && !memchr(bytes, '\r', len) && !memchr(bytes, '\0', len));
    if (file != CONTROL_FETCH) {
        FUZZ_MUST(lines == 1);
        if (file != CONTROL_CLEANUP && file != CONTROL_LOG_LEVEL)
            FUZZ_MUST(backend_name_valid(c->command.name, strlen(c->command.name)));
        if (c->command.snapshot)
            FUZZ_MUST(file == CONTROL_RESET &&
                      backend_name_valid(c->command.snapshot, strlen(c->command.snapshot)));
        return;
    }
    FUZZ_MUST(c->command.kind == BACKEND_FETCH && c->command.count == lines);
    FUZZ_MUST(lines == 1 || !control_is_torn(bytes, len));
    for (size_t i = 0; i < lines; i++) {
        check_fetch(&c->command.lines[i]);
        FUZZ_MUST(c->spans[i].at + c->spans[i].len <= len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct control c;
    struct err err = {0};
    enum control_file file = CONTROL_FETCH + data[0] % (CONTROL_LOG_LEVEL - CONTROL_FETCH + 1);
    size_t len = size - 1;
    char *bytes CLEANUP_FREE = malloc(len + !len);
    FUZZ_MUST(bytes);
    memcpy(bytes, data + 1, len);
    int r = control_parse(&c, file, bytes, len, &err);
    FUZZ_MUST(c.line_at + c.line_len <= len);
    if (r < 0)
        fuzz_error(r, &err);
    else
        check_command(&c, file, bytes, len);
    control_free(&c);
    return 0;
}
