#include "fs/mount_help.h"

#include <criterion/criterion.h>

TestSuite(mount_help, .timeout = 20);

Test(mount_help, the_line_of_fuse_conf_is_found)
{
    static const char *const with[] = {"user_allow_other", "user_allow_other\n",
                                       "# it\n\n  user_allow_other  # yes\nmount_max = 5\n",
                                       "mount_max = 5\nuser_allow_other"};
    static const char *const without[] = {"",
                                          "#user_allow_other\n",
                                          "# user_allow_other",
                                          "mount_max = 5\n",
                                          "user_allow_others\n",
                                          "user_allow_other no\n"};
    for (size_t i = 0; i < sizeof with / sizeof *with; i++)
        cr_assert(mount_help_allows_others(with[i]), "%s", with[i]);
    for (size_t i = 0; i < sizeof without / sizeof *without; i++)
        cr_assert_not(mount_help_allows_others(without[i]), "%s", without[i]);
}
