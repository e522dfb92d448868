/* nearest: what a mistyped word was meant to be. Pure. */
#ifndef CLIENT_NEAREST_H
#define CLIENT_NEAREST_H

#include <stddef.h>

/* The one of n words that is so like `word` that it may be meant; NULL: none is. */
const char *nearest(const char *word, char *const *words, size_t n);

#endif
