#include "base/format.h"

#include <string.h>

/* Magic numbers: RFC 1952 (gzip), xz-file-format 1.1.0 2.1.1.1, RFC 8878 3.1.1 and 3.1.2 (a
 * skippable frame may come first), bzip2's "BZh". */
static const struct {
    enum format format;
    const char *magic;
    size_t len;
    const char *name;
} formats[] = {
    {FORMAT_GZIP, "\x1f\x8b", 2, "tar.gz"},
    {FORMAT_XZ,
     "\xfd"
     "7zXZ\0",
     6, "tar.xz"},
    {FORMAT_ZSTD, "\x28\xb5\x2f\xfd", 4, "tar.zst"},
    {FORMAT_BZIP2, "BZh", 3, "tar.bz2"},
    {FORMAT_TAR, "", 0, "tar"},
};

static int skippable_zstd(const unsigned char *b, size_t n)
{
    return n >= 4 && (b[0] & 0xf0) == 0x50 && b[1] == 0x2a && b[2] == 0x4d && b[3] == 0x18;
}

/* POSIX.1-1988 and later; before it a tar has no magic at all. */
static int is_ustar(const unsigned char *b, size_t n)
{
    return n >= 262 && memcmp(b + 257, "ustar", 5) == 0;
}

enum format format_sniff(const void *bytes, size_t n)
{
    if (n == 0)
        return FORMAT_UNKNOWN;
    if (is_ustar(bytes, n))
        return FORMAT_TAR; /* whatever its first member is called: "BZh" is a name too */
    if (skippable_zstd(bytes, n))
        return FORMAT_ZSTD;
    size_t i = 0;
    while (n < formats[i].len || memcmp(bytes, formats[i].magic, formats[i].len) != 0)
        i++;
    return formats[i].format;
}

const char *format_name(enum format f)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (formats[i].format == f)
            return formats[i].name;
    return "-";
}

enum format format_of(const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (strcmp(formats[i].name, name) == 0)
            return formats[i].format;
    return FORMAT_UNKNOWN;
}
