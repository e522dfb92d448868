/* imgstorefs-unpack: unpacks one archive in a jail, for imgstorefs alone (base/wire.h says how the
 * two talk). Exits with 0 after WIRE_END, with 1 after WIRE_ERROR, with 2 if not even that could be
 * said. */
#include "jail.h"
#include "unpack.h"
#include "warm.h"

#include "base/cleanup.h"
#include "base/wire.h"

/* Nothing is freed on the way out, and a leak check would need ptrace. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

static bool parse_limit(const char *s, int64_t *limit)
{
    int64_t n = 0;
    if (!*s)
        return false;
    for (; *s; s++)
        if (*s < '0' || *s > '9' || __builtin_mul_overflow(n, 10, &n) ||
            __builtin_add_overflow(n, *s - '0', &n))
            return false;
    *limit = n;
    return true;
}

static int parse_limits(int argc, char **argv, struct limits *limits, struct err *err)
{
    limits->max_download_size = INT64_MAX;
    if (argc != 4 || !parse_limit(argv[1], &limits->max_files) ||
        !parse_limit(argv[2], &limits->max_file_size) ||
        !parse_limit(argv[3], &limits->max_total_size))
        return err_set(err, ERR_INTERNAL, EINVAL, "use: %s MAX_FILES MAX_FILE_SIZE MAX_TOTAL_SIZE",
                       argc > 0 ? argv[0] : "imgstorefs-unpack");
    return 0;
}

/* In this order: what needs files, then the jail, then the archive. */
static int run(struct unpack *u, int argc, char **argv, struct limits *limits, struct err *err)
{
    int r = jail_descriptors(err);
    if (r == 0)
        r = unpack_init(u, limits, WIRE_ARCHIVE_FD, WIRE_DATA_FD, WIRE_RECORDS_FD, err);
    if (r == 0)
        r = parse_limits(argc, argv, limits, err);
    if (r == 0)
        r = warm_up(err);
    if (r == 0)
        r = jail_enter(limits, unpack_data_max(limits), err);
    return r == 0 ? unpack_run(u, err) : r;
}

int main(int argc, char **argv)
{
    struct limits limits = {0};
    struct unpack u = {0};
    struct err err = {0};
    int failed = run(&u, argc, argv, &limits, &err) < 0;
    int told = u.emit.gathered ? emit_last(&u.emit, failed ? &err : NULL, u.inflate.consumed)
                               : emit_failure(WIRE_RECORDS_FD, &err);
    _exit(told < 0 ? 2 : failed);
}
