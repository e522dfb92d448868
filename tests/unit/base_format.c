#include "base/format.h"

#include <criterion/criterion.h>
#include <string.h>

#define SNIFF(literal) format_sniff(literal, sizeof(literal) - 1)

Test(format, by_magic)
{
    cr_assert_eq(SNIFF("\x1f\x8b\x08\0\0"), FORMAT_GZIP);
    cr_assert_eq(SNIFF("\xfd"
                       "7zXZ\0"),
                 FORMAT_XZ);
    cr_assert_eq(SNIFF("\x28\xb5\x2f\xfd\x04"), FORMAT_ZSTD);
    cr_assert_eq(SNIFF("\x5a\x2a\x4d\x18\x04"), FORMAT_ZSTD); /* a skippable frame first */
    cr_assert_eq(SNIFF("BZh91AY&SY"), FORMAT_BZIP2);
}

Test(format, what_has_no_magic_is_a_tar)
{
    cr_assert_eq(SNIFF("x"), FORMAT_TAR);
    cr_assert_eq(SNIFF("\x1f"), FORMAT_TAR);
    cr_assert_eq(SNIFF("BZ"), FORMAT_TAR);
    cr_assert_eq(SNIFF("PK\x03\x04"), FORMAT_TAR);
    cr_assert_eq(SNIFF("\xfd"
                       "7zXZ"),
                 FORMAT_TAR);
    cr_assert_eq(format_sniff("", 0), FORMAT_UNKNOWN);
}

Test(format, a_member_may_be_named_like_a_magic)
{
    char block[FORMAT_SNIFF_BYTES] = "BZh/";
    cr_assert_eq(format_sniff(block, sizeof block), FORMAT_BZIP2);
    memcpy(block + 257, "ustar", 5);
    cr_assert_eq(format_sniff(block, sizeof block), FORMAT_TAR);
    cr_assert_eq(format_sniff(block, 262), FORMAT_TAR);
    cr_assert_eq(format_sniff(block, 261), FORMAT_BZIP2);
}

Test(format, names_go_there_and_back)
{
    for (enum format f = FORMAT_TAR; f < FORMATS; f++)
        cr_assert_eq(format_of(format_name(f)), f, "%s", format_name(f));
    cr_assert_str_eq(format_name(FORMAT_UNKNOWN), "-");
    cr_assert_eq(format_of("-"), FORMAT_UNKNOWN);
    cr_assert_eq(format_of("tar.lz4"), FORMAT_UNKNOWN);
}
