#include "fs/client/colour.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* By number and not by shade: the terminal's own scheme, light or dark, says how they look. */
static const char *const begins[] = {
    [COLOUR_NONE] = "",           [COLOUR_GOOD] = "\033[1;32m", [COLOUR_BAD] = "\033[1;31m",
    [COLOUR_BUSY] = "\033[1;33m", [COLOUR_DIM] = "\033[2m",     [COLOUR_BOLD] = "\033[1m",
};

bool colour_on(FILE *out)
{
    const char *term = getenv("TERM"), *none = getenv("NO_COLOR");
    return isatty(fileno(out)) && !(none && *none) && term && *term && strcmp(term, "dumb") != 0;
}

const char *colour(FILE *out, enum colour which)
{
    return colour_on(out) ? begins[which] : "";
}

const char *colour_end(FILE *out)
{
    return colour_on(out) ? "\033[0m" : "";
}

enum colour colour_of_state(const char *state)
{
    if (strcmp(state, "ACTIVE") == 0)
        return COLOUR_GOOD;
    if (strcmp(state, "FAILED") == 0)
        return COLOUR_BAD;
    return strcmp(state, "STORED") == 0 ? COLOUR_NONE : COLOUR_BUSY;
}

/* The locale as setlocale(3) would find it, without the time that it takes. */
const char *colour_dot(void)
{
    const char *names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return strcasestr(value, "utf-8") || strcasestr(value, "utf8") ? "●" : "*";
    }
    return "*";
}
