/* fuzz: what the targets share. A target is one file with LLVMFuzzerTestOneInput: libFuzzer drives
 * it in a build with -Dfuzz=true (contrib/fuzz), replay.c over the corpus in every build. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One input. Returns 0; what must not be aborts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What libFuzzer calls instead of its own mutations, and these. Only in its builds. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

/* Says what was not so, and aborts. */
void fuzz_fail(const char *file, int line, const char *what) __attribute__((noreturn));
#define FUZZ_MUST(so)                                                                              \
    do {                                                                                           \
        if (!(so))                                                                                 \
            fuzz_fail(__FILE__, __LINE__, #so);                                                    \
    } while (0)

/* A failure says why, in one printable line. */
void fuzz_error(int r, const struct err *err);
/* Every byte is printable ASCII. */
bool fuzz_printable(const char *s);

/* An unnamed file of these bytes, at its beginning; the caller's to close. */
int fuzz_file(const void *bytes, size_t n);

/* A copy with a NUL behind it, of just that size: what reads beyond it is seen. Free it. */
char *fuzz_string(const uint8_t *bytes, size_t n);

/* Takes bytes off the front of an input; zeros once there are none left. */
struct fuzz_input {
    const uint8_t *data;
    size_t left;
};
uint32_t fuzz_take(struct fuzz_input *in, size_t bytes);          /* 1 to 4, little-endian */
const uint8_t *fuzz_take_bytes(struct fuzz_input *in, size_t *n); /* as many as there are */

#endif
