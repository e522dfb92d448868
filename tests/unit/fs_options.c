#include "fs/options.h"

#include "base/cleanup.h"
#include "fs/config.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define K 1024LL
#define S 1000LL

enum kind { WORDS, NUMBER, YES };

/* Every setting, written down a second time: its default, the least and the most it takes (NUMBER;
 * as given and as the field's unit has it), or the words that it takes. */
static const struct setting {
    const char *name, *env;
    enum kind kind;
    size_t field;
    const char *initial; /* of WORDS; of NUMBER see below */
    int64_t number;
    const char *least, *below, *most, *above;
    int64_t least_is, most_is;
    const char *other, *refused; /* of WORDS: another value, and one that it is not */
} table[] = {
#define FIELD(f) offsetof(struct options, f)
    {"db", "IMGSTORE_DB_PATH", WORDS, FIELD(database), .other = "/x/y.db"},
    {"store", "IMGSTORE_STORE_PATH", WORDS, FIELD(store), .other = "/x"},
    {"log_level", "IMGSTORE_LOG_LEVEL", WORDS, FIELD(log_level), "info", .other = "debug",
     .refused = "loud"},
    {"log_format", "IMGSTORE_LOG_FORMAT", WORDS, FIELD(log_format), "auto", .other = "json",
     .refused = "xml"},
    {"policy", "IMGSTORE_POLICY", WORDS, FIELD(policy), "strict", .other = "faithful",
     .refused = "strict faithful"},
    {"sink", "IMGSTORE_SINK", WORDS, FIELD(sink), "auto", .other = "dir", .refused = "di"},
    {"ctl_group", "IMGSTORE_CTL_GROUP", WORDS, FIELD(ctl_group), "", .other = "staff"},
    {"helper", "IMGSTORE_HELPER", WORDS, FIELD(helper), .other = "/x/helper"},
    {"allow_other", "IMGSTORE_ALLOW_OTHER", YES, FIELD(allow_other)},
    {"downloads", "IMGSTORE_DOWNLOADS", NUMBER, FIELD(downloads), NULL, 8, "1", "0", "64", "65", 1,
     64},
    {"host_downloads", "IMGSTORE_HOST_DOWNLOADS", NUMBER, FIELD(host_downloads), NULL, 6, "1", "0",
     "64", "65", 1, 64},
    {"unpacks", "IMGSTORE_UNPACKS", NUMBER, FIELD(unpacks), NULL, 2, "1", "0", "64", "max", 1, 64},
    {"queue", "IMGSTORE_QUEUE", NUMBER, FIELD(queue), NULL, 10000, "1", "0", "1000000", "1000001",
     1, 1000000},
    {"max_files", "IMGSTORE_MAX_FILES", NUMBER, FIELD(max_files), NULL, 10000, "1", "0", "max",
     "1K", 1, INT64_MAX},
    {"max_file_size", "IMGSTORE_MAX_FILE_SIZE", NUMBER, FIELD(max_file_size), NULL, 100 * K *K, "0",
     "-1", "max", "9999999T", 0, INT64_MAX},
    {"max_total_size", "IMGSTORE_MAX_TOTAL_SIZE", NUMBER, FIELD(max_total_size), NULL, 10 * K *K *K,
     "0", "1.5G", "2T", "1KB", 0, 2 * K *K *K *K},
    {"max_download_size", "IMGSTORE_MAX_DOWNLOAD_SIZE", NUMBER, FIELD(max_download_size), NULL,
     10 * K *K *K, "7K", "", "max", "10g", 7 * K, INT64_MAX},
    {"connect_timeout", "IMGSTORE_CONNECT_TIMEOUT", NUMBER, FIELD(connect_timeout), NULL, 30 * S,
     "1ms", "0", "max", "1w", 1, INT64_MAX},
    {"stall_timeout", "IMGSTORE_STALL_TIMEOUT", NUMBER, FIELD(stall_timeout), NULL, 60 * S, "1ms",
     "0ms", "1d", "10K", 1, 86400 * S},
    {"attempts", "IMGSTORE_ATTEMPTS", NUMBER, FIELD(attempts), NULL, 3, "1", "0", "100", "101", 1,
     100},
    {"retry_delay", "IMGSTORE_RETRY_DELAY", NUMBER, FIELD(retry_delay), NULL, S, "0", "-1s", "30d",
     "max", 0, 30 * 86400 * S},
    {"retry_max", "IMGSTORE_RETRY_MAX", NUMBER, FIELD(retry_max), NULL, 60 * S, "0", "s", "2h",
     "1 h", 0, 7200 * S},
    {"keep_unused", "IMGSTORE_KEEP_UNUSED", NUMBER, FIELD(keep_unused), NULL, 86400 * S, "0", "+1",
     "max", "1d1h", 0, INT64_MAX},
    {"keep_events", "IMGSTORE_KEEP_EVENTS", NUMBER, FIELD(keep_events), NULL, K *K, "4K", "4095",
     "1G", "max", 4 * K, K *K *K},
    {"min_free", "IMGSTORE_MIN_FREE", NUMBER, FIELD(min_free.bytes), NULL, 64 * K *K, "0", "x",
     "1T", "1T ", 0, K *K *K *K},
};

static struct options o;
static struct err err;
static const void *kept[1000]; /* the lists live as long as the program: none is lost */
static size_t kept_count;

static void set_up(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        unsetenv(table[i].env);
}

TestSuite(options, .init = set_up);

#define PARSE(...) parse((const char *[]){"imgstorefs", __VA_ARGS__, NULL})

static int parse(const char *const *argv)
{
    int argc = 0;
    while (argv[argc])
        argc++;
    kept[kept_count++ % ARRAY_SIZE(kept)] = o.lists;
    err = (struct err){0};
    return options_parse(&o, argc, (char **)argv, &err);
}

static const char *word(const struct setting *s)
{
    return *(const char **)((char *)&o + s->field);
}

static int64_t number(const struct setting *s)
{
    return *(int64_t *)((char *)&o + s->field);
}

/* The four ways in which a setting is given; how: 0 to 3. */
static int give(const struct setting *s, const char *value, int how)
{
    static char arg[256], dashed[64];
    snprintf(dashed, sizeof dashed, "%s", s->name);
    for (char *p = dashed; *p; p++)
        *p = *p == '_' ? '-' : *p;
    if (how == 0) {
        cr_assert_eq(setenv(s->env, value, 1), 0);
        int r = PARSE("/m");
        unsetenv(s->env);
        return r;
    }
    if (how == 1) {
        snprintf(arg, sizeof arg, "%s=%s", s->name, value);
        return PARSE("-o", arg, "/m");
    }
    snprintf(arg, sizeof arg, how == 2 ? "--%s" : "--%s=%s", dashed, value);
    return how == 2 && s->kind != YES ? PARSE(arg, value, "/m") : PARSE(arg, "/m");
}

static void takes_word(const struct setting *s, int how)
{
    cr_expect_eq(give(s, s->other, how), 0, "%s: %s", s->name, err.text);
    cr_expect_str_eq(word(s), s->other, "%s", s->name);
    if (s->refused) {
        cr_expect_eq(give(s, s->refused, how), -EINVAL, "%s", s->name);
        cr_expect(strstr(err.text, s->name) && strstr(err.text, s->refused), "%s", err.text);
    }
}

static void takes_number(const struct setting *s, int how)
{
    cr_expect_eq(give(s, s->least, how), 0, "%s: %s", s->name, err.text);
    cr_expect_eq(number(s), s->least_is, "%s", s->name);
    cr_expect_eq(give(s, s->most, how), 0, "%s: %s", s->name, err.text);
    cr_expect_eq(number(s), s->most_is, "%s", s->name);
    const char *const beyond[] = {s->below, s->above};
    for (size_t i = 0; i < 2; i++) {
        char want[64];
        cr_expect_eq(give(s, beyond[i], how), -EINVAL, "%s=%s", s->name, beyond[i]);
        snprintf(want, sizeof want, "%s=%s: takes ", s->name, beyond[i]);
        cr_expect(strstr(err.text, want), "%s", err.text);
        if (how == 0)
            cr_expect(strstr(err.text, s->env), "%s", err.text);
    }
}

Test(options, every_setting_in_every_way)
{
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        for (int how = 0; how < 4; how++) {
            if (table[i].kind == NUMBER)
                takes_number(&table[i], how);
            else if (table[i].kind == WORDS)
                takes_word(&table[i], how);
        }
}

Test(options, defaults)
{
    cr_assert_eq(PARSE("/m"), 0, "%s", err.text);
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (table[i].kind == NUMBER)
            cr_expect_eq(number(&table[i]), table[i].number, "%s", table[i].name);
        else if (table[i].kind == WORDS && table[i].initial)
            cr_expect_str_eq(word(&table[i]), table[i].initial, "%s", table[i].name);
    }
    cr_expect_str_eq(o.helper, CONFIG_HELPER);
    cr_expect_str_eq(o.mountpoint, "/m");
    cr_expect(!o.allow_other && !o.foreground && !o.debug && o.action == OPTIONS_RUN);
}

Test(options, help_names_every_setting_and_no_other)
{
    struct text help CLEANUP_TEXT = {0};
    size_t settings = 0;
    options_help(&help);
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        char line[128];
        snprintf(line, sizeof line, "(%s)", table[i].env);
        cr_expect(strstr(help.data, line), "%s", line);
    }
    for (const char *p = help.data; (p = strstr(p, "(IMGSTORE_")); p++)
        settings++;
    cr_assert_eq(settings, ARRAY_SIZE(table));
}

Test(options, yes_and_no)
{
    const struct setting *s = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        s = table[i].kind == YES ? &table[i] : s;
    static const char *const yes[] = {"yes", "true", "on", "1"};
    static const char *const no[] = {"no", "false", "off", "0"};
    static const char *const none[] = {"", "2", "Yes", "y"};
    for (size_t i = 0; i < 4; i++)
        for (int how = 0; how < 2; how++) {
            cr_expect(give(s, yes[i], how) == 0 && o.allow_other, "%s", yes[i]);
            cr_expect(give(s, no[i], how) == 0 && !o.allow_other, "%s", no[i]);
            cr_expect_eq(give(s, none[i], how), -EINVAL, "%s", none[i]);
        }
    cr_expect(PARSE("--allow-other", "/m") == 0 && o.allow_other);
    cr_expect(PARSE("--allow_other", "/m") == 0 && o.allow_other);
    cr_expect(PARSE("-o", "allow_other", "/m") == 0 && o.allow_other);
    cr_expect(PARSE("--allow-other=no", "/m") == 0 && !o.allow_other);
}

Test(options, the_command_line_wins_over_the_environment_and_the_last_word_over_the_first)
{
    setenv("IMGSTORE_QUEUE", "7", 1);
    cr_assert(PARSE("/m") == 0 && o.queue == 7);
    cr_assert(PARSE("--queue", "8", "/m") == 0 && o.queue == 8);
    cr_assert(PARSE("--queue", "8", "-o", "queue=9,queue=10", "/m") == 0 && o.queue == 10);
    unsetenv("IMGSTORE_QUEUE");
}

Test(options, lists)
{
    cr_assert_eq(PARSE("-o", "queue=5,policy=faithful,allow-other,,db=/a=b", "/m"), 0, "%s",
                 err.text);
    cr_assert(o.queue == 5 && o.allow_other);
    cr_assert_str_eq(o.policy, "faithful");
    cr_assert_str_eq(o.database, "/a=b");
    cr_assert_eq(PARSE("-oqueue=6", "/m"), 0, "%s", err.text);
    cr_assert_eq(o.queue, 6);
}

Test(options, what_was_given_stays_as_it_was)
{
    char list[] = "queue=5,policy=faithful";
    cr_assert_eq(PARSE("-o", list, "/m"), 0);
    cr_assert_str_eq(list, "queue=5,policy=faithful");
}

Test(options, ctl_group_implies_allow_other)
{
    cr_assert(PARSE("-o", "ctl_group=staff", "/m") == 0 && o.allow_other);
    cr_assert(PARSE("-o", "allow_other=no,ctl_group=staff", "/m") == 0 && o.allow_other);
}

Test(options, plain_words)
{
    cr_assert(PARSE("-f", "/m") == 0 && o.foreground && !o.debug);
    cr_assert(PARSE("/m", "-d") == 0 && o.foreground && o.debug);
    cr_assert(PARSE("-h") == 0 && o.action == OPTIONS_HELP);
    cr_assert(PARSE("--help") == 0 && o.action == OPTIONS_HELP);
    cr_assert(PARSE("-V") == 0 && o.action == OPTIONS_VERSION);
    cr_assert(PARSE("--version") == 0 && o.action == OPTIONS_VERSION);
    cr_assert(PARSE("--print-fsm") == 0 && o.action == OPTIONS_PRINT_FSM);
}

Test(options, what_is_refused_is_named)
{
    static const struct {
        const char *argv[5];
        const char *reason;
    } of[] = {
        {{"x"}, "no mount point"},
        {{"x", "/a", "/b"}, "/a"},
        {{"x", "-x", "/m"}, "-x"},
        {{"x", "--nothing", "/m"}, "--nothing"},
        {{"x", "--nothing=1", "/m"}, "--nothing"},
        {{"x", "--", "/m"}, "--"},
        {{"x", "--que", "1", "/m"}, "--que"},
        {{"x", "--queuex", "1", "/m"}, "--queuex"},
        {{"x", "/m", "--queue"}, "wants a value"},
        {{"x", "/m", "-o"}, "name=value"},
        {{"x", "/m", "-o", "queue"}, "queue=…"},
        {{"x", "/m", "-o", "nothing=1"}, "nothing=1"},
        {{"x", "/m", "-o", "queue=1,nothing"}, "nothing"},
        {{"x", "/m", "-o", "queue="}, "queue=: takes"},
        {{"x", "/m", "-o", "=1"}, "=1"},
        {{"x", "/m", "-o", "downloads=65"}, "1 to 64"},
        {{"x", "/m", "-o", "policy=lax"}, "strict faithful"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(of); i++) {
        cr_expect_eq(parse(of[i].argv), -EINVAL, "%s", of[i].reason);
        cr_expect_eq(err.num, EINVAL);
        cr_expect(strstr(err.text, of[i].reason), "%s: %s", of[i].reason, err.text);
    }
}

static bool defaults_lie_in(const char *dir)
{
    char database[128], store[128];
    snprintf(database, sizeof database, "%s/store.db", dir);
    snprintf(store, sizeof store, "%s/store", dir);
    return PARSE("/m") == 0 && strcmp(o.database, database) == 0 && strcmp(o.store, store) == 0;
}

Test(options, where_things_are)
{
    int status;
    setenv("HOME", "/home/me", 1);
    setenv("XDG_DATA_HOME", "/data", 1);
    cr_assert(defaults_lie_in(geteuid() == 0 ? "/var/lib/imgstore" : "/data/imgstore"));
    pid_t pid = fork(); /* the user of a process with findings to report must not change */
    if (pid == 0) {
        if (geteuid() == 0 && seteuid(65534) < 0)
            _exit(1);
        bool xdg = defaults_lie_in("/data/imgstore");
        unsetenv("XDG_DATA_HOME");
        _exit(xdg && defaults_lie_in("/home/me/.local/share/imgstore") ? 0 : 2);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0);
}

Test(options, min_free_may_be_a_part_of_the_disk)
{
    struct backend_config c;
    cr_assert_eq(PARSE("-o", "min_free=5%", "/m"), 0, "%s", err.text);
    options_backend(&o, &c);
    cr_expect_eq(c.min_free.percent, 5);
    cr_expect_eq(c.min_free.bytes, 0);
    cr_assert_eq(PARSE("-o", "min_free=5%", "--min-free", "7K", "/m"), 0, "%s", err.text);
    cr_expect_eq(o.min_free.percent, 0, "the last one counts");
    cr_expect_eq(o.min_free.bytes, 7 * K);
    cr_assert_eq(PARSE("-o", "min_free=101%", "/m"), -EINVAL);
    cr_expect_str_eq(err.text, "min_free=101%: takes a size such as 64K, 100M, 10G or max, or 1% "
                               "to 100%");
}

Test(options, the_backend_gets_them)
{
    struct backend_config c;
    cr_assert_eq(
        PARSE("-o", "db=/d,store=/s,helper=/h,policy=faithful,downloads=1,unpacks=3", "-o",
              "queue=4,attempts=5,retry_delay=6ms,retry_max=7ms,connect_timeout=8ms", "-o",
              "stall_timeout=9ms,keep_unused=10ms,min_free=11,max_files=12", "-o",
              "max_file_size=13,max_total_size=14,max_download_size=15,sink=dir,host_downloads=16",
              "/m"),
        0, "%s", err.text);
    options_backend(&o, &c);
    cr_expect_str_eq(c.database, "/d");
    cr_expect_str_eq(c.store, "/s");
    cr_expect_str_eq(c.helper, "/h");
    cr_expect_str_eq(c.sink, "dir");
    cr_expect_eq(c.policy, POLICY_FAITHFUL);
    const int64_t got[] = {c.downloads,
                           c.unpacks,
                           c.queue,
                           c.attempts,
                           c.retry_delay,
                           c.retry_max,
                           c.connect_timeout,
                           c.stall_timeout,
                           c.keep_unused,
                           c.min_free.bytes,
                           c.limits.max_files,
                           c.limits.max_file_size,
                           c.limits.max_total_size,
                           c.limits.max_download_size,
                           c.host_downloads};
    static const int64_t want[] = {1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    for (size_t i = 0; i < ARRAY_SIZE(want); i++)
        cr_expect_eq(got[i], want[i], "%zu", i);
}
