/* world_suite: one world for a program's suites, and what is asked of it, as assertions. */
#ifndef WORLD_SUITE_H
#define WORLD_SUITE_H

#include "world.h"

#include <criterion/criterion.h>

static struct world w;

static void set_up(void)
{
    const char *why = world_up(&w);
    if (why)
        cr_skip_test("%s", why);
}

static void tear_down(void)
{
    world_down(&w);
}

static void start(void)
{
    cr_assert_eq(world_start(&w), 0, "%s", w.err.text);
}

#define DO(kind, name)                                                                             \
    cr_assert_eq(world_do(&w, BACKEND_##kind, name), 0, "%s: %s", name, w.err.text)
#define FETCH(mode, archive, name)                                                                 \
    cr_assert_eq(world_fetch(&w, world_archive(&w, mode, archive), w.sha256[archive], name), 0,    \
                 "%s: %s", name, w.err.text)

#endif
