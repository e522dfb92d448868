#include "jail.h"

#include "base/cleanup.h"

#include <sys/syscall.h>

/* struct landlock_ruleset_attr of Linux 6.12; an older kernel takes it while what it does not know
 * is 0. */
struct rights {
    uint64_t handled[3]; /* of files, of the network, of what is outside of the domain */
};

static int make_ruleset(const struct rights *r)
{
    return (int)syscall(SYS_landlock_create_ruleset, r, sizeof *r, 0);
}

/* All that this very kernel knows, also what came after this was written: a right is a bit, without
 * gaps, and one that is not known is refused. */
static struct rights all_rights(void)
{
    struct rights all = {0};
    for (size_t i = 0; i < ARRAY_SIZE(all.handled); i++)
        for (int bit = 0; bit < 64; bit++) {
            struct rights more = all;
            more.handled[i] |= UINT64_C(1) << bit;
            int fd CLEANUP_CLOSE = make_ruleset(&more);
            if (fd < 0)
                break;
            all = more;
        }
    return all;
}

int jail_paths(struct err *err)
{
    struct rights all = all_rights();
    int ruleset CLEANUP_CLOSE = make_ruleset(&all);
    if (ruleset < 0 && errno != ENOSYS && errno != EOPNOTSUPP) /* those say: none here */
        return err_sys(err, errno, "cannot begin to give up files");
    if (ruleset < 0)
        return 0;
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        return err_sys(err, errno, "cannot give up files");
    return 0;
}
