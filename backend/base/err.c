#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const words[ERR_CODES] = {
    [ERR_NONE] = "",
#define ERR_CODE(id, word) [id] = (word),
#include "base/err_code.def"
#undef ERR_CODE
};

static void set(struct err *err, enum err_code code, int num, const char *fmt, va_list ap)
    __attribute__((format(printf, 4, 0)));

static void set(struct err *err, enum err_code code, int num, const char *fmt, va_list ap)
{
    /* Aside first: what is formatted may be the text there is. */
    char text[ERR_TEXT_MAX];
    vsnprintf(text, sizeof text, fmt, ap);
    memcpy(err->text, text, strlen(text) + 1);
    err->num = num;
    err->code = code;
}

int err_set(struct err *err, enum err_code code, int num, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        set(err, code, num, fmt, ap);
        va_end(ap);
    }
    return -num;
}

int err_sys(struct err *err, int num, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        set(err, num == ENOSPC || num == EDQUOT ? ERR_NO_SPACE : ERR_IO, num, fmt, ap);
        va_end(ap);
        size_t len = strlen(err->text);
        snprintf(err->text + len, sizeof err->text - len, ": %s", strerror(num));
    }
    return -num;
}

void err_context(struct err *err, const char *fmt, ...)
{
    if (!err)
        return;
    char text[ERR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    size_t len = strlen(text);
    snprintf(text + len, sizeof text - len, ": %s", err->text);
    memcpy(err->text, text, sizeof text);
}

const char *err_word(enum err_code code)
{
    return words[code];
}

enum err_code err_code_of(const char *word)
{
    for (enum err_code code = ERR_NONE; code < ERR_CODES; code++)
        if (strcmp(words[code], word) == 0)
            return code;
    return ERR_NONE;
}
