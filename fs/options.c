#include "fs/options.h"

#include "base/cleanup.h"
#include "fs/config.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

enum type { STRING, COUNT, SIZE, AMOUNT, TIME, FLAG, WORD };

struct setting {
    const char *name, *env;
    enum type type;
    size_t field;
    int64_t min, max;
    const char *words, *initial, *help;
};

/* WORD gives its words in `min`'s place. */
#define BOUND_STRING(min) (min)
#define BOUND_COUNT(min)  (min)
#define BOUND_SIZE(min)   (min)
#define BOUND_AMOUNT(min) (min)
#define BOUND_TIME(min)   (min)
#define BOUND_FLAG(min)   (min)
#define BOUND_WORD(min)   0
#define WORDS_STRING(min) NULL
#define WORDS_COUNT(min)  NULL
#define WORDS_SIZE(min)   NULL
#define WORDS_AMOUNT(min) NULL
#define WORDS_TIME(min)   NULL
#define WORDS_FLAG(min)   NULL
#define WORDS_WORD(min)   (min)

static const struct setting settings[] = {
#define SETTING(field, name, env, type, min, max, initial, help)                                   \
    {(name),                                                                                       \
     (env),                                                                                        \
     type,                                                                                         \
     offsetof(struct options, field),                                                              \
     BOUND_##type(min),                                                                            \
     (max),                                                                                        \
     WORDS_##type(min),                                                                            \
     (initial),                                                                                    \
     (help)},
#include "fs/settings.def"
#undef SETTING
};

static bool is_word_of(const char *words, const char *value)
{
    size_t len = strlen(value);
    for (const char *p = words; *p; p += strspn(p, " ")) {
        size_t n = strcspn(p, " ");
        if (n == len && memcmp(p, value, n) == 0)
            return true;
        p += n;
    }
    return false;
}

static bool parse_number(const struct setting *s, const char *value, int64_t *number)
{
    if (s->type == TIME)
        return text_parse_duration(value, number);
    if (s->type == COUNT && value[strspn(value, "0123456789")] && strcmp(value, "max") != 0)
        return false;
    return text_parse_size(value, number);
}

static int refuse(const struct setting *s, const char *value, const char *takes, struct err *err)
{
    return err_set(err, ERR_INTERNAL, EINVAL, "%s=%s: takes %s", s->name, value, takes);
}

static int set_number(const struct setting *s, int64_t *field, const char *value, struct err *err)
{
    int64_t number;
    if (!parse_number(s, value, &number))
        return refuse(s, value,
                      s->type == TIME   ? "a time such as 500ms, 30s, 5m, 1h, 1d or max"
                      : s->type == SIZE ? "a size such as 64K, 100M, 10G or max"
                                        : "a number, or max",
                      err);
    if (number < s->min || number > s->max) {
        char takes[64];
        snprintf(takes, sizeof takes, "%lld to %lld", (long long)s->min, (long long)s->max);
        return refuse(s, value, takes, err);
    }
    *field = number;
    return 0;
}

static int set_amount(const struct setting *s, struct amount *field, const char *value,
                      struct err *err)
{
    return text_parse_amount(value, field)
               ? 0
               : refuse(s, value, "a size such as 64K, 100M, 10G or max, or 1% to 100%", err);
}

static int set_flag(const struct setting *s, bool *field, const char *value, struct err *err)
{
    *field = is_word_of("yes true on 1", value);
    return *field || is_word_of("no false off 0", value) ? 0 : refuse(s, value, "yes or no", err);
}

static int set_value(struct options *o, const struct setting *s, const char *value, struct err *err)
{
    void *field = (char *)o + s->field;
    switch (s->type) {
    case WORD:
        if (!is_word_of(s->words, value))
            return refuse(s, value, s->words, err);
        *(const char **)field = value;
        return 0;
    case STRING:
        *(const char **)field = value;
        return 0;
    case COUNT:
    case SIZE:
    case TIME:
        return set_number(s, field, value, err);
    case AMOUNT:
        return set_amount(s, field, value, err);
    case FLAG:
        return set_flag(s, field, value, err);
    }
    return 0;
}

/* - and _ are the same in a name. */
static bool is_name(const char *name, const char *given, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (name[i] != (given[i] == '-' ? '_' : given[i]))
            return false;
    return name[len] == '\0';
}

static const struct setting *find(const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
        if (is_name(settings[i].name, name, len))
            return &settings[i];
    return NULL;
}

/* --- -o name=value,name=value */

static int set_listed(struct options *o, char *item, struct err *err)
{
    char *equals = strchr(item, '=');
    const struct setting *s = find(item, equals ? (size_t)(equals - item) : strlen(item));
    if (!s)
        return err_set(err, ERR_INTERNAL, EINVAL, "-o %s: there is no such setting; see --help",
                       item);
    if (!equals && s->type != FLAG)
        return err_set(err, ERR_INTERNAL, EINVAL, "-o %s: wants a value, %s=…", item, s->name);
    return set_value(o, s, equals ? equals + 1 : "yes", err);
}

struct options_list {
    struct options_list *next;
    char text[];
};

/* The values point into the copy, which lives as long as they do. What `ps` shows stays whole. */
static int set_list(struct options *o, const char *given, struct err *err)
{
    int r = 0;
    size_t size = strlen(given) + 1;
    struct options_list *list = malloc(sizeof *list + size);
    if (!list)
        return err_sys(err, ENOMEM, "-o");
    list->next = o->lists;
    o->lists = list;
    char *text = memcpy(list->text, given, size);
    for (char *item; r == 0 && (item = strsep(&text, ","));)
        if (*item)
            r = set_listed(o, item, err);
    return r;
}

/* --- the command line */

static int set_long(struct options *o, const char *name, char **next, struct err *err)
{
    const char *equals = strchr(name, '=');
    const struct setting *s = find(name, equals ? (size_t)(equals - name) : strlen(name));
    if (!s)
        return err_set(err, ERR_INTERNAL, EINVAL, "--%s: there is no such option; see --help",
                       name);
    if (equals)
        return set_value(o, s, equals + 1, err);
    if (s->type == FLAG)
        return set_value(o, s, "yes", err);
    if (!*next)
        return err_set(err, ERR_INTERNAL, EINVAL, "--%s: wants a value", name);
    int r = set_value(o, s, *next, err);
    return r < 0 ? r : 1;
}

static bool set_plain(struct options *o, const char *word)
{
    static const struct {
        const char *word;
        int action;
    } actions[] = {{"-h", OPTIONS_HELP},
                   {"--help", OPTIONS_HELP},
                   {"-V", OPTIONS_VERSION},
                   {"--version", OPTIONS_VERSION},
                   {"--print-fsm", OPTIONS_PRINT_FSM}};
    for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
        if (strcmp(word, actions[i].word) == 0) {
            o->action = actions[i].action;
            return true;
        }
    if (strcmp(word, "-f") == 0)
        o->foreground = true;
    else if (strcmp(word, "-d") == 0)
        o->debug = o->foreground = true;
    else
        return false;
    return true;
}

/* Returns how many further words it took, or -EINVAL. */
static int set_word(struct options *o, char *word, char **next, struct err *err)
{
    if (set_plain(o, word))
        return 0;
    if (strcmp(word, "-o") == 0) {
        if (!*next)
            return err_set(err, ERR_INTERNAL, EINVAL, "-o: wants name=value");
        int r = set_list(o, *next, err);
        return r < 0 ? r : 1;
    }
    if (strncmp(word, "-o", 2) == 0)
        return set_list(o, word + 2, err);
    if (strncmp(word, "--", 2) == 0)
        return set_long(o, word + 2, next, err);
    if (word[0] == '-')
        return err_set(err, ERR_INTERNAL, EINVAL, "%s: there is no such option; see --help", word);
    if (o->mountpoint)
        return err_set(err, ERR_INTERNAL, EINVAL, "%s: there is a mount point already, %s", word,
                       o->mountpoint);
    o->mountpoint = word;
    return 0;
}

/* --- where things are */

static void default_paths(struct options *o)
{
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    char dir[PATH_MAX];
    if (geteuid() == 0)
        snprintf(dir, sizeof dir, "/var/lib/imgstore");
    else if (data && *data)
        snprintf(dir, sizeof dir, "%s/imgstore", data);
    else
        snprintf(dir, sizeof dir, "%s/.local/share/imgstore", home ? home : "");
    snprintf(o->default_database, sizeof o->default_database, "%s/store.db", dir);
    snprintf(o->default_store, sizeof o->default_store, "%s/store", dir);
    if (!*o->database)
        o->database = o->default_database;
    if (!*o->store)
        o->store = o->default_store;
    if (!*o->helper)
        o->helper = CONFIG_HELPER;
}

int options_parse(struct options *o, int argc, char **argv, struct err *err)
{
    *o = (struct options){0};
    int r = 0;
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(settings); i++)
        r = set_value(o, &settings[i], settings[i].initial, err);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(settings); i++) {
        const char *value = getenv(settings[i].env);
        if (value && (r = set_value(o, &settings[i], value, err)) < 0)
            err_context(err, "environment variable %s", settings[i].env);
    }
    for (int i = 1; r == 0 && i < argc; i++) {
        int taken = set_word(o, argv[i], &argv[i + 1], err);
        r = taken < 0 ? taken : 0;
        i += taken > 0;
    }
    if (r < 0)
        return r;
    default_paths(o);
    if (*o->ctl_group)
        o->allow_other = true;
    if (o->action == OPTIONS_RUN && !o->mountpoint)
        return err_set(err, ERR_INTERNAL, EINVAL, "no mount point given; see --help");
    return 0;
}

void options_backend(const struct options *o, struct backend_config *c)
{
    *c = (struct backend_config){
        .store = o->store,
        .database = o->database,
        .helper = o->helper,
        .sink = o->sink,
        .policy = strcmp(o->policy, "faithful") == 0 ? POLICY_FAITHFUL : POLICY_STRICT,
        .limits = {.max_files = o->max_files,
                   .max_file_size = o->max_file_size,
                   .max_total_size = o->max_total_size,
                   .max_download_size = o->max_download_size},
        .downloads = o->downloads,
        .host_downloads = o->host_downloads,
        .unpacks = o->unpacks,
        .queue = o->queue,
        .attempts = o->attempts,
        .retry_delay = o->retry_delay,
        .retry_max = o->retry_max,
        .connect_timeout = o->connect_timeout,
        .stall_timeout = o->stall_timeout,
        .keep_unused = o->keep_unused,
        .min_free = o->min_free,
    };
}

void options_help(struct text *out)
{
    text_add(
        out,
        "usage: imgstorefs [OPTIONS] MOUNTPOINT\n\n"
        "Mounts the image store at MOUNTPOINT. Write `URL SHA256 [NAME]` to\n"
        "MOUNTPOINT/ctl/fetch, and a root file system appears as\n"
        "MOUNTPOINT/images/NAME/rootfs.\n\n"
        "  -f            stay in the foreground, log to standard error\n"
        "  -d            the same, and log all that FUSE does\n"
        "  -h, --help    this text\n"
        "  -V, --version the version\n"
        "  --print-fsm   the state machine in Graphviz's language\n\n"
        "Settings: --name VALUE, -o name=value[,name=value…], or the environment\n"
        "variable. Sizes take K M G T, times ms s m h d; max, where it is taken, is no limit.\n\n");
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        const struct setting *s = &settings[i];
        text_addf(out, "  %s%s%s  (%s)\n        %s\n", s->name, *s->initial ? "=" : "", s->initial,
                  s->env, s->help);
    }
}
