#include "stages/digest.h"

#include <criterion/criterion.h>
#include <string.h>

static void hashes(const char *bytes, const char *want)
{
    char got[DIGEST_HEX_MAX];
    struct digest *d = digest_new();
    digest_add(d, bytes, strlen(bytes));
    cr_assert(digest_hex(d, got));
    cr_assert_str_eq(got, want);
    digest_free(d);
}

/* FIPS 180-4's examples. */
Test(digest, known_answers)
{
    hashes("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    hashes("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    hashes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
           "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

Test(digest, a_million_bytes_in_odd_pieces)
{
    char as[997], got[DIGEST_HEX_MAX];
    memset(as, 'a', sizeof as);
    struct digest *d = digest_new();
    for (size_t left = 1000000; left > 0;) {
        size_t n = left < sizeof as ? left : sizeof as;
        digest_add(d, as, n);
        left -= n;
    }
    cr_assert(digest_hex(d, got));
    cr_assert_str_eq(got, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    digest_free(d);
}

Test(digest, goes_on_after_a_look_and_starts_over)
{
    char got[DIGEST_HEX_MAX];
    struct digest *d = digest_new();
    digest_add(d, "a", 1);
    cr_assert(digest_hex(d, got));
    digest_add(d, "bc", 2);
    cr_assert(digest_hex(d, got));
    cr_assert_str_eq(got, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest_restart(d);
    cr_assert(digest_hex(d, got));
    cr_assert_str_eq(got, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    digest_free(d);
    digest_free(NULL);
}
