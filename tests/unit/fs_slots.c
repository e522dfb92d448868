#include "fs/slots.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "fs/notify.h"

#include <criterion/criterion.h>

#define ALL (BACKEND_STATE | BACKEND_ERROR | BACKEND_PROGRESS)

static struct slots s;

static void begin(void)
{
    cr_assert(slots_init(&s));
}

static void end(void)
{
    slots_free(&s);
}

TestSuite(slots, .init = begin, .fini = end);

static void change(unsigned changes, uint64_t id)
{
    char name[32];
    snprintf(name, sizeof name, "image-%d", (int)id);
    cr_assert(slots_change(&s, changes, id, name, 1000));
}

/* All that is to be told: "1:appear 1:modify(se) 2:vanish". */
static const char *told(void)
{
    static struct text t;
    static const char *const kinds[] = {
        [REPLAY_APPEAR] = "appear", [REPLAY_LINK] = "link",     [REPLAY_UNLINK] = "unlink",
        [REPLAY_MODIFY] = "modify", [REPLAY_VANISH] = "vanish", [REPLAY_GONE] = "gone",
    };
    struct replay_command c;
    text_free(&t);
    text_add(&t, "");
    while (slots_take_command(&s, &c)) {
        cr_assert_eq(atoi(c.name + strlen("image-")), (int)c.id);
        text_addf(&t, "%s%d:%s", t.len ? " " : "", (int)c.id, kinds[c.kind]);
        if (c.kind == REPLAY_MODIFY)
            text_addf(&t, "(%s%s%s)", c.files & BACKEND_STATE ? "s" : "",
                      c.files & BACKEND_ERROR ? "e" : "", c.files & BACKEND_PROGRESS ? "p" : "");
        if (c.rootfs)
            text_add(&t, "+rootfs");
    }
    return t.data;
}

#define TOLD(what) cr_expect_str_eq(told(), what)

static unsigned woken(uint64_t id)
{
    uint64_t who;
    unsigned files = 0, mine = 0;
    while (slots_take_woken(&s, &who, &files))
        if (who == id)
            mine |= files;
    return mine;
}

/* Nothing is held of what has been told, once its rest is over. */
static void expect_empty(void)
{
    woken(0);
    slots_release_due(&s, 1000 + NOTIFY_PROGRESS_MS);
    cr_expect_eq(s.count, 0);
}

Test(slots, first_come_first_told)
{
    change(BACKEND_APPEARED, 1);
    change(BACKEND_STATE, 2);
    change(BACKEND_STATE, 1);
    change(BACKEND_ERROR, 2);
    TOLD("1:appear 1:modify(s) 2:modify(se)");
    TOLD("");
    expect_empty();
}

Test(slots, what_changes_again_before_it_is_told_is_told_once)
{
    for (int i = 0; i < 100; i++)
        change(BACKEND_STATE | BACKEND_PROGRESS, 7);
    TOLD("7:modify(sp)");
    cr_expect_eq(woken(7), BACKEND_STATE | BACKEND_PROGRESS);
    cr_expect_eq(woken(7), 0);
    change(BACKEND_STATE, 7);
    TOLD("7:modify(s)");
    cr_expect_eq(woken(7), BACKEND_STATE);
}

Test(slots, the_link_takes_turns)
{
    change(BACKEND_ROOTFS_COMES, 1);
    change(BACKEND_ROOTFS_GOES, 1);
    TOLD("");
    change(BACKEND_ROOTFS_GOES, 1);
    change(BACKEND_ROOTFS_COMES, 1);
    TOLD("1:unlink 1:link");
    change(BACKEND_ROOTFS_GOES, 1);
    change(BACKEND_ROOTFS_COMES, 1);
    change(BACKEND_ROOTFS_GOES, 1);
    TOLD("1:unlink");
    expect_empty();
}

Test(slots, the_link_comes_before_the_state_is_told)
{
    change(BACKEND_STATE | BACKEND_ROOTFS_COMES, 1);
    TOLD("1:link 1:modify(s)");
    change(BACKEND_ROOTFS_GOES, 1);
    change(BACKEND_STATE, 1);
    TOLD("1:unlink 1:modify(s)");
}

Test(slots, an_image_that_came_and_went_is_not_told_of)
{
    change(BACKEND_APPEARED, 1);
    change(BACKEND_STATE | BACKEND_ROOTFS_COMES | BACKEND_PROGRESS, 1);
    change(BACKEND_ROOTFS_GOES, 1);
    change(BACKEND_VANISHED, 1);
    cr_expect_eq(woken(1), ALL, "but those who polled it are woken");
    TOLD("");
    expect_empty();
}

Test(slots, the_end_is_told_alone)
{
    change(BACKEND_STATE | BACKEND_ERROR, 1);
    change(BACKEND_VANISHED, 1);
    TOLD("1:vanish");
    change(BACKEND_ROOTFS_GOES, 2);
    change(BACKEND_STATE, 2);
    change(BACKEND_VANISHED, 2);
    TOLD("2:vanish+rootfs");
    change(BACKEND_VANISHED | BACKEND_ROOTFS_GOES, 3);
    TOLD("3:vanish+rootfs");
    change(BACKEND_ROOTFS_COMES, 4);
    change(BACKEND_VANISHED | BACKEND_ROOTFS_GOES, 4);
    TOLD("4:vanish");
    expect_empty();
}

/* Between two steps of one image. */
Test(slots, the_end_of_what_is_being_told)
{
    struct replay_command c;
    change(BACKEND_APPEARED | BACKEND_STATE | BACKEND_ROOTFS_COMES, 1);
    cr_assert(slots_take_command(&s, &c));
    cr_assert_eq(c.kind, REPLAY_APPEAR);
    change(BACKEND_VANISHED | BACKEND_ROOTFS_GOES, 1);
    TOLD("1:vanish");
    expect_empty();
}

Test(slots, the_end_waits_for_the_rmdir)
{
    slots_rmdir_begins(&s, 1, "image-1");
    change(BACKEND_STATE | BACKEND_ROOTFS_GOES, 1);
    change(BACKEND_VANISHED, 1);
    change(BACKEND_STATE, 2);
    TOLD("2:modify(s)");
    slots_rmdir_ended(&s, 1, true);
    TOLD("1:gone");
    expect_empty();
}

Test(slots, an_rmdir_that_was_refused_has_told_of_nothing)
{
    slots_rmdir_begins(&s, 1, "image-1");
    change(BACKEND_VANISHED, 1);
    TOLD("");
    slots_rmdir_ended(&s, 1, false);
    TOLD("1:vanish");
    slots_rmdir_begins(&s, 2, "image-2");
    slots_rmdir_ended(&s, 2, false);
    slots_rmdir_ended(&s, 3, false);
    expect_empty();
}

Test(slots, progress_rests)
{
    change(BACKEND_PROGRESS, 1);
    cr_expect(s.fresh);
    s.fresh = false;
    TOLD("1:modify(p)");
    cr_expect_eq(woken(1), BACKEND_PROGRESS);
    change(BACKEND_PROGRESS, 1);
    cr_expect_not(s.fresh, "nobody need be woken for it");
    change(BACKEND_STATE | BACKEND_PROGRESS, 1);
    TOLD("1:modify(s)");
    cr_expect_eq(woken(1), BACKEND_STATE);
    cr_expect_eq(slots_next_due(&s), 1000 + NOTIFY_PROGRESS_MS);
    slots_release_due(&s, 1000 + NOTIFY_PROGRESS_MS - 1);
    TOLD("");
    slots_release_due(&s, 1000 + NOTIFY_PROGRESS_MS);
    TOLD("1:modify(p)");
    cr_expect_eq(woken(1), BACKEND_PROGRESS);
    slots_release_due(&s, 1000 + 2 * NOTIFY_PROGRESS_MS);
    TOLD("");
    cr_expect_eq(slots_next_due(&s), INT64_MAX);
    expect_empty();
}

/* Whoever is to be told may hang: images come, change and go all the same. */
Test(slots, what_is_held_is_bounded_by_the_images)
{
    for (uint64_t id = 1; id <= 100; id++)
        change(BACKEND_STATE, id);
    for (uint64_t id = 1000; id < 11000; id++) {
        change(BACKEND_APPEARED | BACKEND_STATE, id);
        change(BACKEND_ROOTFS_COMES | BACKEND_STATE, id);
        change(BACKEND_VANISHED | BACKEND_ROOTFS_GOES, id);
        woken(id);
    }
    struct replay_command c;
    size_t commands = 0;
    while (slots_take_command(&s, &c))
        commands++;
    cr_expect_eq(commands, 100);
    expect_empty();
}
