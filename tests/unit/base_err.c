#include "base/err.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(err, set_returns_minus_num)
{
    struct err e = {0};
    cr_assert_eq(err_set(&e, ERR_TIMEOUT, ETIMEDOUT, "no byte for %d s", 30), -ETIMEDOUT);
    cr_assert_eq(e.num, ETIMEDOUT);
    cr_assert_eq(e.code, ERR_TIMEOUT);
    cr_assert_str_eq(e.text, "no byte for 30 s");
}

Test(err, null_is_allowed)
{
    cr_assert_eq(err_set(NULL, ERR_IO, EIO, "x"), -EIO);
    cr_assert_eq(err_sys(NULL, ENOSPC, "x"), -ENOSPC);
    err_context(NULL, "x");
}

Test(err, system_calls_pick_their_code)
{
    struct err e = {0};
    cr_assert_eq(err_sys(&e, ENOSPC, "cannot write %s", "f"), -ENOSPC);
    cr_assert_eq(e.code, ERR_NO_SPACE);
    cr_assert_str_eq(e.text, "cannot write f: No space left on device");
    err_sys(&e, EDQUOT, "q");
    cr_assert_eq(e.code, ERR_NO_SPACE);
    err_sys(&e, EACCES, "q");
    cr_assert_eq(e.code, ERR_IO);
    cr_assert_eq(e.num, EACCES);
}

Test(err, context_goes_before)
{
    struct err e = {0};
    err_set(&e, ERR_IO, EIO, "inner");
    err_context(&e, "outer %d", 7);
    cr_assert_str_eq(e.text, "outer 7: inner");
    cr_assert_eq(e.code, ERR_IO);
}

Test(err, its_own_text_may_be_an_argument)
{
    struct err e = {0};
    err_set(&e, ERR_IO, EIO, "inner");
    err_set(&e, ERR_MOUNT_FAILED, EBUSY, "outer (%s), again %s", e.text, e.text);
    cr_assert_str_eq(e.text, "outer (inner), again inner");
    err_sys(&e, EIO, "[%s]", e.text);
    cr_assert_str_eq(e.text, "[outer (inner), again inner]: Input/output error");
}

Test(err, long_text_is_cut)
{
    char text[3 * ERR_TEXT_MAX];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    struct err e = {0};
    err_set(&e, ERR_IO, EIO, "%s", text);
    cr_assert_eq(strlen(e.text), ERR_TEXT_MAX - 1);
    err_sys(&e, EIO, "%s", text);
    cr_assert_eq(strlen(e.text), ERR_TEXT_MAX - 1);
    err_context(&e, "%s", text);
    cr_assert_eq(strlen(e.text), ERR_TEXT_MAX - 1);
}

Test(err, words_go_there_and_back)
{
    for (enum err_code c = ERR_NONE; c < ERR_CODES; c++)
        cr_assert_eq(err_code_of(err_word(c)), c, "%s", err_word(c));
    cr_assert_str_eq(err_word(ERR_CHECKSUM_MISMATCH), "checksum-mismatch");
    cr_assert_eq(err_code_of("checksum"), ERR_NONE);
    cr_assert_eq(ERR_CODES, 19);
}
