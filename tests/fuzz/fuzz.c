#include "fuzz.h"

#include "base/io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void fuzz_fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
    abort();
}

bool fuzz_printable(const char *s)
{
    for (; *s; s++)
        if (*s < 0x20 || *s > 0x7e)
            return false;
    return true;
}

void fuzz_error(int r, const struct err *err)
{
    FUZZ_MUST(r < 0 && err->num == -r);
    FUZZ_MUST(err->code > ERR_NONE && err->code < ERR_CODES);
    FUZZ_MUST(*err->text && fuzz_printable(err->text));
}

int fuzz_file(const void *bytes, size_t n)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    FUZZ_MUST(fd >= 0 && io_write(fd, bytes, n) == 0 && lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

char *fuzz_string(const uint8_t *bytes, size_t n)
{
    char *s = malloc(n + 1);
    FUZZ_MUST(s);
    if (n)
        memcpy(s, bytes, n);
    s[n] = '\0';
    return s;
}

uint32_t fuzz_take(struct fuzz_input *in, size_t bytes)
{
    uint32_t value = 0;
    for (size_t i = 0; i < bytes && in->left > 0; i++, in->data++, in->left--)
        value |= (uint32_t)*in->data << 8 * i;
    return value;
}

const uint8_t *fuzz_take_bytes(struct fuzz_input *in, size_t *n)
{
    const uint8_t *bytes = in->data;
    if (*n > in->left)
        *n = in->left;
    in->data += *n;
    in->left -= *n;
    return bytes;
}
