#include "fs/client/colour.h"
#include "fs/client/events.h"
#include "fs/client/hint.h"
#include "fs/client/human.h"
#include "fs/client/nearest.h"
#include "fs/client/target.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(client_texts, what_was_meant)
{
    static const char *const words[] = {"status",     "list",  "activate",
                                        "deactivate", "retry", "wait"};
    static const struct {
        const char *typed, *meant;
    } due[] = {{"stauts", "status"},
               {"lsit", "list"},
               {"lst", "list"},
               {"activte", "activate"},
               {"deact", "deactivate"},
               {"wiat", "wait"},
               {"xyzzy", NULL},
               {"", NULL},
               {"x", NULL}};
    for (size_t i = 0; i < sizeof due / sizeof due[0]; i++) {
        const char *got =
            nearest(due[i].typed, (char *const *)words, sizeof words / sizeof words[0]);
        cr_expect(got == due[i].meant || (got && due[i].meant && strcmp(got, due[i].meant) == 0),
                  "%s: %s", due[i].typed, got ? got : "none");
    }
    char long_word[4096];
    memset(long_word, 'a', sizeof long_word);
    long_word[sizeof long_word - 1] = '\0';
    cr_expect_null(nearest(long_word, (char *const *)words, 1));
    cr_expect_null(nearest("list", NULL, 0));
}

Test(client_texts, sizes)
{
    static const struct {
        const char *bytes, *due;
    } sizes[] = {{"0", "0 B"}, {"29360128", "28.0 MiB"}, {"-", "-"}, {"", ""}, {"1x", "1x"}};
    char out[HUMAN_MAX];
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        cr_expect_str_eq(human_size_of(sizes[i].bytes, out), sizes[i].due);
}

Test(client_texts, targets)
{
    struct target t;
    char path[TARGET_PATH_MAX], word[300];
    cr_assert_eq(target_parse("web", &t, NULL), 0);
    target_path(&t, "state", path);
    cr_expect_str_eq(path, "images/web/state");
    cr_assert_eq(target_parse("web@build", &t, NULL), 0);
    target_path(&t, "rootfs", path);
    cr_expect_str_eq(path, "images/web/snapshots/build/rootfs");
    memset(word, 'a', sizeof word);
    word[128] = '@';
    word[257] = '\0';
    cr_assert_eq(target_parse(word, &t, NULL), 0);
    target_path(&t, "rootfs", path);
    cr_expect_str_eq(path + strlen(path) - 7, "/rootfs");
    const char *bad[] = {"", "@", "@a", "web@", "web@../x", "a/b", "web@a@b", "../x", word + 100};
    word[257] = 'a';
    word[299] = '\0';
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect_eq(target_parse(bad[i], &t, NULL), -EINVAL, "%s", bad[i]);
}

Test(client_texts, a_line_is_of_its_image_alone)
{
    static const char line[] =
        "{\"seq\":1,\"time\":\"T\",\"image\":\"web\",\"from\":\"NEW\",\"to\":null,"
        "\"code\":\"io\",\"message\":\"\\\"image\\\":\\\"db\\\"\"}";
    struct event e;
    cr_expect(events_is_of(line, "web"));
    cr_expect_not(events_is_of(line, "we"));
    cr_expect_not(events_is_of(line, "webb"));
    cr_expect_not(events_is_of(line, "db"));
    cr_expect_not(events_is_of("{\"missed\":3}", "web"));
    cr_assert(events_parse(line, &e));
    cr_expect_str_eq(e.from, "NEW");
    cr_expect_null(e.to);
    cr_expect_str_eq(e.message, "\"image\":\"db\"");
    json_decref(e.json);
    cr_expect_not(events_parse("{\"missed\":3}", &e));
    cr_expect_not(events_parse("", &e));
}

Test(client_texts, what_to_do_next)
{
    char out[256];
    cr_expect_not(hint_next("web", "ACTIVE", "active", "", out, sizeof out));
    cr_expect(hint_next("web", "STORED", "stored", "", out, sizeof out));
    cr_expect_str_eq(out, "`imgstore activate web` mounts it");
    cr_expect(hint_next("web", "STORED", "active", "", out, sizeof out));
    cr_expect(strstr(out, "wait web"), "%s", out);
    static const char *const errors[][2] = {{"no-space: x", "cleanup"},
                                            {"too-large-file: x", "limit"},
                                            {"unsafe-link: x", "faithful"},
                                            {"cancelled: x", "retry web"},
                                            {"", "retry web"}};
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        cr_expect(hint_next("web", "FAILED", "active", errors[i][0], out, sizeof out));
        cr_expect(strstr(out, errors[i][1]), "%s: %s", errors[i][0], out);
    }
}

Test(client_texts, colours_are_for_terminals)
{
    FILE *f = tmpfile();
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    cr_expect_not(colour_on(f));
    cr_expect_str_eq(colour(f, COLOUR_BAD), "");
    fclose(f);
    setenv("LC_ALL", "C", 1);
    cr_expect_str_eq(colour_dot(), "*");
    setenv("LC_ALL", "de_DE.UTF-8", 1);
    cr_expect_str_eq(colour_dot(), "●");
}
