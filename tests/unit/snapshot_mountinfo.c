#include "stages/snapshot/mountinfo.h"

#include "base/cleanup.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

TestSuite(mountinfo, .timeout = 20);

static const char table[] =
    "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
    "30 22 0:25 / /home/u/My\\040store/active/web rw,nosuid,nodev shared:12 master:3 - "
    "fuse.fuse-overlayfs fuse-overlayfs rw,user_id=1000\n"
    "nonsense\n"
    "31 22 0:26 / /a\\134b rw - overlay imgstore:x rw,upperdir=/s/overlays/x/upper\n"
    "32 22 0:27 / /b rw master:77 propagate_from:5 unbindable - tmpfs tmpfs rw\n";

struct seen {
    int count, groups[8], masters[8], ids[8], parents[8];
    char points[8][64], types[8][32];
    dev_t dev;
};

static bool see(void *ctx, const struct mountinfo *m)
{
    struct seen *s = ctx;
    int i = s->count++;
    s->ids[i] = m->id;
    s->parents[i] = m->parent;
    s->groups[i] = mountinfo_group(m, "shared");
    s->masters[i] = mountinfo_group(m, "master");
    snprintf(s->points[i], sizeof s->points[i], "%s", m->point);
    snprintf(s->types[i], sizeof s->types[i], "%s", m->type);
    s->dev = m->dev;
    return false;
}

static void parse(struct seen *s)
{
    char path[] = "/tmp/imgstore-mountinfo-XXXXXX";
    int fd CLEANUP_CLOSE = mkostemp(path, O_CLOEXEC);
    cr_assert_eq(write(fd, table, sizeof table - 1), (ssize_t)(sizeof table - 1));
    cr_assert_eq(mountinfo_each(path, see, s), 0);
    unlink(path);
}

Test(mountinfo, each_field_is_found_and_nonsense_passed_over)
{
    struct seen s = {0};
    parse(&s);
    cr_assert_eq(s.count, 4);
    cr_assert_eq(s.ids[1], 30);
    cr_assert_eq(s.parents[1], 22);
    cr_assert_str_eq(s.points[1], "/home/u/My store/active/web");
    cr_assert_str_eq(s.types[1], "fuse.fuse-overlayfs");
    cr_assert_str_eq(s.points[2], "/a\\b");
    cr_assert_eq(s.dev, makedev(0, 27));
}

Test(mountinfo, who_follows_whom)
{
    struct seen s = {0};
    const int groups[] = {1, 12, 0, 0}, masters[] = {0, 3, 0, 77};
    parse(&s);
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(s.groups[i], groups[i], "%d", i);
        cr_assert_eq(s.masters[i], masters[i], "%d", i);
    }
}
