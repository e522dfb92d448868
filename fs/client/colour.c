#include "fs/client/colour.h"

#include "base/cleanup.h"
#include "fs/client/screen.h"

#include <stdlib.h>
#include <string.h>

/* By number and not by shade: the terminal's own scheme, light or dark, says how they look. Not
 * bold, which many show as bright: a bright green is not to be read on white, and yellow never is.
 */
static const char *const begins[] = {
    [COLOUR_NONE] = "",         [COLOUR_GOOD] = "\033[32m", [COLOUR_BAD] = "\033[31m",
    [COLOUR_BUSY] = "\033[35m", [COLOUR_DIM] = "\033[2m",   [COLOUR_BOLD] = "\033[1m",
};

bool colour_on(FILE *out)
{
    const char *none = getenv("NO_COLOR");
    return !(none && *none) && screen_is_terminal(fileno(out));
}

const char *colour_begin(enum colour which)
{
    return begins[which];
}

const char *colour(FILE *out, enum colour which)
{
    return colour_on(out) ? begins[which] : "";
}

const char *colour_end(FILE *out)
{
    return colour_on(out) ? COLOUR_END : "";
}

enum colour colour_of_state(const char *state)
{
    static const struct {
        const char *word;
        enum colour colour;
    } known[] = {{"ACTIVE", COLOUR_GOOD},
                 {"FAILED", COLOUR_BAD},
                 {"STORED", COLOUR_NONE},
                 {"NEW", COLOUR_DIM},
                 {"queued", COLOUR_DIM}};
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (strcasecmp(known[i].word, state) == 0)
            return known[i].colour;
    return COLOUR_BUSY;
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
