#include "jail.h"

#include "base/cleanup.h"
#include "base/wire.h"

#include <grp.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) ||                         \
    __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(SANITIZED)
static const bool sanitized = true;
#else
static const bool sanitized = false;
#endif

#define NOBODY       65534
#define MEMORY_BYTES ((rlim_t)512 << 20) /* libraries, and a decoder's 128 MiB, twice and more */

int jail_descriptors(struct err *err)
{
    if (!sanitized)
        close(STDERR_FILENO);
    if (close_range(WIRE_RECORDS_FD + 1, ~0U, 0) < 0)
        return err_sys(err, errno, "cannot close descriptors");
    return 0;
}

/* To an id that owns nothing. Ids that aren't mapped here (a user namespace) or may not be changed
 * are left: no capability remains in any case. */
static int drop_ids(struct err *err)
{
    if (geteuid() != 0)
        return 0;
    if (setgroups(0, NULL) < 0 && errno != EPERM)
        return err_sys(err, errno, "cannot drop groups");
    if ((setresgid(NOBODY, NOBODY, NOBODY) < 0 && errno != EINVAL && errno != EPERM) ||
        (setresuid(NOBODY, NOBODY, NOBODY) < 0 && errno != EINVAL && errno != EPERM))
        return err_sys(err, errno, "cannot become nobody");
    return 0;
}

static int drop_capabilities(struct err *err)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
    /* The bounding set takes a capability to drop; without one it can give nothing back either,
     * with no_new_privs. */
    for (int cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0;)
        cap++;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return err_sys(err, errno, "cannot drop ambient capabilities");
    int r = drop_ids(err);
    if (r < 0)
        return r;
    if (syscall(SYS_capset, &head, none) < 0)
        return err_sys(err, errno, "cannot drop capabilities");
    return 0;
}

static int set_attributes(struct err *err)
{
    umask(0);
    signal(SIGXFSZ, SIG_IGN); /* EFBIG says more than a death */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return err_sys(err, errno, "cannot give up privileges");
    return 0;
}

static int set_limits(int64_t data_max, struct err *err)
{
    rlim_t fsize = data_max == INT64_MAX ? RLIM_INFINITY : (rlim_t)data_max;
    const struct {
        __rlimit_resource_t what;
        rlim_t max;
    } limits[] = {
        {RLIMIT_AS, sanitized ? RLIM_INFINITY : MEMORY_BYTES},
        {RLIMIT_FSIZE, fsize},
        {RLIMIT_NOFILE, WIRE_RECORDS_FD + 1},
        {RLIMIT_NPROC, 0},
        {RLIMIT_CORE, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
        struct rlimit now;
        if (getrlimit(limits[i].what, &now) < 0)
            return err_sys(err, errno, "cannot read a resource limit");
        rlim_t max = limits[i].max < now.rlim_max ? limits[i].max : now.rlim_max;
        if (setrlimit(limits[i].what, &(struct rlimit){max, max}) < 0)
            return err_sys(err, errno, "cannot set a resource limit");
    }
    return 0;
}

struct rule {
    int call;
    unsigned n;
    struct scmp_arg_cmp args[2];
};

/* What the work takes: nothing here opens, creates, connects, executes or signals. */
static const struct rule rules[] = {
    {SCMP_SYS(read), 1, {{0, SCMP_CMP_EQ, WIRE_ARCHIVE_FD}}},
    {SCMP_SYS(pwrite64), 1, {{0, SCMP_CMP_EQ, WIRE_DATA_FD}}},
    {SCMP_SYS(ftruncate), 1, {{0, SCMP_CMP_EQ, WIRE_DATA_FD}}},
    {SCMP_SYS(write), 1, {{0, SCMP_CMP_EQ, WIRE_RECORDS_FD}}},
    {SCMP_SYS(brk)},
    /* Memory of no file, never to be executed. */
    {SCMP_SYS(mmap),
     2,
     {{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0},
      {3, SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS}}},
    {SCMP_SYS(munmap)},
    {SCMP_SYS(mremap)},
    {SCMP_SYS(madvise)},
    {SCMP_SYS(clock_gettime)}, /* where there is no vDSO */
    {SCMP_SYS(exit_group)},
};

/* What the runtimes of sanitizers do beside, to report a finding. */
static const struct rule sanitizer_rules[] = {
    {SCMP_SYS(write), 1, {{0, SCMP_CMP_EQ, STDERR_FILENO}}},
    {SCMP_SYS(getpid)},
    {SCMP_SYS(gettid)},
    {SCMP_SYS(futex)},
    {SCMP_SYS(sched_yield)},
    {SCMP_SYS(sigaltstack)},
    {SCMP_SYS(rt_sigaction)},
    {SCMP_SYS(rt_sigprocmask)},
    {SCMP_SYS(mprotect)},
};

static int add_rules(scmp_filter_ctx ctx, const struct rule *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int r = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, list[i].call, list[i].n, list[i].args);
        if (r < 0)
            return r;
    }
    return 0;
}

static int build_filter(scmp_filter_ctx ctx)
{
    int r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (r == 0)
        r = add_rules(ctx, rules, ARRAY_SIZE(rules));
    if (r == 0 && sanitized)
        r = add_rules(ctx, sanitizer_rules, ARRAY_SIZE(sanitizer_rules));
    return r == 0 ? seccomp_load(ctx) : r;
}

static int filter_calls(struct err *err)
{
    scmp_filter_ctx ctx = seccomp_init(sanitized ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_KILL_PROCESS);
    if (!ctx)
        return err_set(err, ERR_INTERNAL, ENOMEM, "out of memory");
    int r = build_filter(ctx);
    seccomp_release(ctx);
    return r < 0 ? err_sys(err, -r, "cannot filter system calls") : 0;
}

int jail_enter(int64_t data_max, struct err *err)
{
    int r = drop_capabilities(err);
    if (r == 0)
        r = set_attributes(err); /* after the ids: changing them resets some */
    if (r == 0)
        r = set_limits(data_max, err);
    return r == 0 ? filter_calls(err) : r;
}
