#include "jail.h"

#include "base/cleanup.h"
#include "base/wire.h"

#include <seccomp.h>
#include <sys/mman.h>

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
    if (r == 0 && JAIL_SANITIZED)
        r = add_rules(ctx, sanitizer_rules, ARRAY_SIZE(sanitizer_rules));
    return r == 0 ? seccomp_load(ctx) : r;
}

int jail_calls(struct err *err)
{
    scmp_filter_ctx ctx =
        seccomp_init(JAIL_SANITIZED ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_KILL_PROCESS);
    if (!ctx)
        return err_set(err, ERR_INTERNAL, ENOMEM, "out of memory");
    int r = build_filter(ctx);
    seccomp_release(ctx);
    return r < 0 ? err_sys(err, -r, "cannot filter system calls") : 0;
}
