/* colour: the few colours there are, where they are wanted. One thread. */
#ifndef CLIENT_COLOUR_H
#define CLIENT_COLOUR_H

#include <stdbool.h>
#include <stdio.h>

enum colour { COLOUR_NONE, COLOUR_GOOD, COLOUR_BAD, COLOUR_BUSY, COLOUR_DIM, COLOUR_BOLD };

/* Only on a terminal that can show them, and where $NO_COLOR (no-color.org) says nothing. */
bool colour_on(FILE *out);

/* That sequence, wherever it goes ("" for COLOUR_NONE), and what ends any. */
const char *colour_begin(enum colour which);
#define COLOUR_END "\033[0m"

/* What begins that colour on `out` ("" where there are none), and what ends each. */
const char *colour(FILE *out, enum colour which);
const char *colour_end(FILE *out);

/* What the word of a state, or of a phase, is shown in. */
enum colour colour_of_state(const char *state);

/* "●"; "*" where the locale cannot show it. */
const char *colour_dot(void);

#endif
