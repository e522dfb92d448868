#include "jail.h"

#include "base/cleanup.h"
#include "base/wire.h"

#include <signal.h>
#include <sys/resource.h>

#define STACK_BYTES ((rlim_t)8 << 20)

int jail_descriptors(struct err *err)
{
    if (!JAIL_SANITIZED)
        close(STDERR_FILENO);
    if (close_range(WIRE_RECORDS_FD + 1, ~0U, 0) < 0)
        return err_sys(err, errno, "cannot close descriptors");
    return 0;
}

static rlim_t limit_of(int64_t n)
{
    return n == INT64_MAX ? RLIM_INFINITY : (rlim_t)n;
}

static int lower(__rlimit_resource_t what, rlim_t soft, rlim_t hard, struct err *err)
{
    struct rlimit now;
    if (getrlimit(what, &now) < 0)
        return err_sys(err, errno, "cannot read a resource limit");
    now.rlim_max = hard < now.rlim_max ? hard : now.rlim_max;
    now.rlim_cur = soft < now.rlim_cur ? soft : now.rlim_cur;
    return setrlimit(what, &now) < 0 ? err_sys(err, errno, "cannot set a resource limit") : 0;
}

int jail_limits(const struct limits *limits, int64_t data_max, struct err *err)
{
    /* At the hard limit of processor time comes SIGKILL, which says nothing: a second later. */
    rlim_t cpu = limit_of(limits_cpu_seconds(limits)), after = cpu == RLIM_INFINITY ? cpu : cpu + 1;
    rlim_t memory = JAIL_SANITIZED ? RLIM_INFINITY : (rlim_t)JAIL_MEMORY_BYTES;
    rlim_t data = limit_of(data_max);
    const struct {
        __rlimit_resource_t what;
        rlim_t soft, hard;
    } all[] = {
        {RLIMIT_AS, memory, memory}, {RLIMIT_CPU, cpu, after},
        {RLIMIT_FSIZE, data, data},  {RLIMIT_NOFILE, 0, 0}, /* those that are open stay so */
        {RLIMIT_NPROC, 0, 0},        {RLIMIT_STACK, STACK_BYTES, STACK_BYTES},
        {RLIMIT_CORE, 0, 0},         {RLIMIT_LOCKS, 0, 0},
        {RLIMIT_MEMLOCK, 0, 0},      {RLIMIT_MSGQUEUE, 0, 0},
        {RLIMIT_SIGPENDING, 0, 0},   {RLIMIT_NICE, 0, 0},
        {RLIMIT_RTPRIO, 0, 0},
    };
    signal(SIGXFSZ, SIG_IGN); /* EFBIG says more than a death */
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        int r = lower(all[i].what, all[i].soft, all[i].hard, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int jail_enter(const struct limits *limits, int64_t data_max, struct err *err)
{
    int r = jail_privileges(err);
    if (r == 0)
        r = jail_paths(err); /* from here on nothing can be mounted */
    if (r == 0)
        r = jail_limits(limits, data_max, err);
    return r == 0 ? jail_calls(err) : r;
}
