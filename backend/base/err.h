/* err: why something failed, carried up to the one who can say it.
 *
 * A function that can fail returns 0 or a negative errno and takes a `struct err *` last. It is
 * untouched on success; the place that fails sets it, callers on the way up add context. NULL is
 * allowed. No locks; an err belongs to one thread. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define ERR_TEXT_MAX 1024 /* bytes with the NUL; longer text is cut */

enum err_code {
    ERR_NONE,
#define ERR_CODE(id, word) id,
#include "base/err_code.def"
#undef ERR_CODE
    ERR_CODES
};

struct err {
    int num;            /* positive errno */
    enum err_code code; /* the contract's word for it */
    char text[ERR_TEXT_MAX];
};

/* Returns -num, so that `return err_set(…)` reads well. The text there is may be an argument. */
int err_set(struct err *err, enum err_code code, int num, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* As err_set, for a failed system call: picks `no-space` or `io` and appends strerror(num). */
int err_sys(struct err *err, int num, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "fmt: " before the text there is. */
void err_context(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* "checksum-mismatch" …; "" for ERR_NONE. */
const char *err_word(enum err_code code);

/* The code of a word; ERR_NONE for "" and for words that are none. */
enum err_code err_code_of(const char *word);

#endif
