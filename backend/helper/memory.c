/* memory: malloc for the whole helper, libraries included (an executable's own comes before the C
 * library's). One that fails ends the helper, which says so. The libraries do not live up to it:
 * libarchive unpacks an xattr without its value, loops for ever, or follows NULL; libseccomp
 * asserts. Not in helper_lib, whose users keep a malloc that returns. */
#include "emit.h"
#include "jail.h"

#include "base/cleanup.h"
#include "base/wire.h"

/* What the C library, or the runtime of a sanitizer, would have been called for. */
#if JAIL_SANITIZED
#define REAL(name) __interceptor_##name
#else
#define REAL(name) __libc_##name
#endif

void *REAL(malloc)(size_t n);
void *REAL(calloc)(size_t n, size_t size);
void *REAL(realloc)(void *p, size_t n);

/* What is gathered goes with us: it may speak of contents that are not written yet. Nobody
 * allocates in the middle of a record. */
static _Noreturn void give_up(void)
{
    struct err err = {0};
    err_set(&err, ERR_INTERNAL, ENOMEM, "out of memory");
    _exit(emit_failure(WIRE_RECORDS_FD, &err) < 0 ? 2 : 1);
}

static void *got(void *p, size_t n)
{
    if (!p && n > 0)
        give_up();
    return p;
}

void *malloc(size_t n)
{
    return got(REAL(malloc)(n), 1);
}

void *calloc(size_t n, size_t size)
{
    return got(REAL(calloc)(n, size), 1);
}

/* To nothing it frees, and returns nothing. */
void *realloc(void *p, size_t n)
{
    return got(REAL(realloc)(p, n), p ? n : 1);
}
