#include "fs/client/hint.h"

#include <stdio.h>
#include <string.h>

/* By the error's code; %s is the image. */
static const struct {
    const char *code, *format;
} hints[] = {
    {"unreachable",
     "`imgstore retry %s` tries again; `imgstore fetch` with another URL takes that one"},
    {"timeout",
     "`imgstore retry %s` tries again; `imgstore fetch` with another URL takes that one"},
    {"http-status",
     "`imgstore fetch` with the right URL takes that one; `imgstore retry %s` tries this "
     "one again"},
    {"checksum-mismatch",
     "compare the SHA256 with the publisher's; if it was mistyped: `imgstore remove "
     "%s`, and fetch it again"},
    {"unsupported-format",
     "it takes tar, plain or in gzip, xz, zstd or bzip2: `imgstore remove %s`"},
    {"corrupt-archive",
     "the archive itself is damaged: `imgstore remove %s`, and fetch one that is not"},
    {"unsafe-path", "the archive may not be unpacked: `imgstore remove %s`"},
    {"unsafe-link",
     "the daemon's policy=faithful may take it: `imgstore remove %s`, and fetch it again "
     "then"},
    {"too-", "with the limit that the error names raised, `imgstore retry %s`"},
    {"no-space", "make room (`imgstore cleanup`), then `imgstore retry %s`"},
    {"mount-failed", "the daemon's log says why; then `imgstore retry %s`"},
    {"", "`imgstore retry %s` tries again"},
};

static const char *format_of(const char *error)
{
    size_t i = 0;
    while (strncmp(hints[i].code, error, strlen(hints[i].code)) != 0)
        i++;
    return hints[i].format;
}

/* The formats are those above. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
bool hint_next(const char *name, const char *state, const char *want, const char *error, char *out,
               size_t max)
{
    if (strcmp(state, "FAILED") == 0)
        snprintf(out, max, format_of(error ? error : ""), name);
    else if (strcmp(state, "STORED") == 0 && strcmp(want, "stored") == 0)
        snprintf(out, max, "`imgstore activate %s` mounts it", name);
    else if (strcmp(state, "ACTIVE") == 0)
        return false;
    else
        snprintf(out, max, "`imgstore wait %s` returns once it is ready", name);
    return true;
}
#pragma GCC diagnostic pop
