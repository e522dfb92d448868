#include "fs/config.h"
#include "fs/daemon.h"
#include "fs/events.h"
#include "fs/log_to.h"
#include "fs/loop.h"
#include "fs/mount_help.h"
#include "fs/ops.h"
#include "fs/options.h"
#include "fs/tree.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>

struct program {
    struct options options;
    struct backend_config config;
    struct ops ops;
    struct fuse_session *session;
    struct mounted mount;
    bool mounted;
    char mountpoint[PATH_MAX], helper[PATH_MAX]; /* absolute: the background's folder is / */
};

/* --- what only prints */

static int print(const struct text *t)
{
    return fwrite(t->data, 1, t->len, stdout) == t->len && fflush(stdout) == 0 ? 0 : 1;
}

static int print_action(const struct options *o)
{
    struct text t CLEANUP_TEXT = {0};
    if (o->action == OPTIONS_HELP)
        options_help(&t);
    else if (o->action == OPTIONS_PRINT_FSM)
        backend_print_fsm(&t);
    else
        text_addf(&t, "imgstorefs %s%s, libfuse %s\n", CONFIG_VERSION, CONFIG_TEST_POINTS,
                  fuse_pkgversion());
    return print(&t);
}

/* --- the log */

__attribute__((format(printf, 2, 0))) static void log_of_fuse(enum fuse_log_level level,
                                                              const char *fmt, va_list ap)
{
    char line[1024];
    vsnprintf(line, sizeof line, fmt, ap);
    line[strcspn(line, "\n")] = '\0';
    log_write(level <= FUSE_LOG_ERR       ? LOG_LEVEL_ERROR
              : level <= FUSE_LOG_WARNING ? LOG_LEVEL_WARN
              : level <= FUSE_LOG_INFO    ? LOG_LEVEL_INFO
                                          : LOG_LEVEL_DEBUG,
              NULL, ERR_NONE, "%s", line);
}

static int set_up_log(const struct options *o, struct err *err)
{
    enum log_level level;
    if (log_parse_level(o->log_level, &level))
        log_set_level(o->debug ? LOG_LEVEL_DEBUG : level);
    return log_to(o->log_format, !o->foreground, err);
}

/* --- set-up, in the order of need */

static int find_group(struct program *p, struct err *err)
{
    p->ops.has_ctl_group = *p->options.ctl_group != '\0';
    if (!p->ops.has_ctl_group)
        return 0;
    errno = 0;
    const struct group *group = getgrnam(p->options.ctl_group);
    if (!group)
        return err_set(err, ERR_INTERNAL, EINVAL, "ctl_group=%s: there is no such group",
                       p->options.ctl_group);
    p->ops.ctl_gid = group->gr_gid;
    return 0;
}

/* Someone else's tree must not disappear below ours. */
static int check_free(const char *mountpoint, int fd, struct err *err)
{
    struct statfs fs;
    struct statx stx;
    if (fstatfs(fd, &fs) == 0 && fs.f_type == FUSE_SUPER_MAGIC &&
        statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx) == 0 &&
        (stx.stx_attributes & STATX_ATTR_MOUNT_ROOT))
        return err_set(err, ERR_INTERNAL, EBUSY,
                       "mount point %s is in use by another FUSE file system; unmount that, or "
                       "choose another",
                       mountpoint);
    return 0;
}

/* What a killed daemon left behind answers ENOTCONN, but to stat(2) only once its cache is old. */
static int detach_stale(const char *mountpoint, struct err *err)
{
    int fd CLEANUP_CLOSE = open(mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        return check_free(mountpoint, fd, err);
    if (errno != ENOTCONN)
        return err_set(err, ERR_INTERNAL, errno, "mount point %s: %s", mountpoint, strerror(errno));
    log_info(NULL, "detaching a stale mount at %s", mountpoint);
    int r = mount_help_detach(mountpoint, err);
    return r < 0 ? r : detach_stale(mountpoint, err);
}

/* The kernel lets root do what he likes, and leaves it to us to refuse what makes no sense. An
 * ordinary user's own tree, which is closed to all others, is his in the same way: else he could
 * not remove an image by rmdir, nor could inotify events be made. */
static int make_session(struct program *p, struct err *err)
{
    char options[128];
    bool others = p->options.allow_other;
    snprintf(options, sizeof options, "fsname=imgstorefs,subtype=imgstorefs%s%s",
             others || geteuid() == 0 ? ",default_permissions" : "", others ? ",allow_other" : "");
    char *argv[] = {(char *)"imgstorefs", (char *)"-o", options,
                    p->options.debug ? (char *)"-d" : NULL, NULL};
    struct fuse_args args = FUSE_ARGS_INIT(p->options.debug ? 4 : 3, argv);
    p->session = fuse_session_new(&args, &ops_table, sizeof ops_table, &p->ops);
    fuse_opt_free_args(&args);
    return p->session
               ? 0
               : err_set(err, ERR_INTERNAL, EINVAL, "FUSE refuses its options, or has no memory");
}

static int mount_tree(struct program *p, struct err *err)
{
    int r = detach_stale(p->options.mountpoint, err);
    if (r < 0)
        return r;
    if (!realpath(p->options.mountpoint, p->mountpoint))
        return err_sys(err, errno, "cannot resolve the mount point %s", p->options.mountpoint);
    if (fuse_session_mount(p->session, p->mountpoint) < 0)
        return err_set(err, ERR_INTERNAL, EIO, "cannot mount at %s%s", p->options.mountpoint,
                       mount_help(p->mountpoint, p->options.allow_other));
    p->mounted = true;
    r = mounted_open(&p->mount, p->mountpoint);
    return r < 0 ? err_sys(err, -r, "cannot look at %s", p->mountpoint) : 0;
}

static int find_helper(struct program *p, struct err *err)
{
    if (!realpath(p->options.helper, p->helper))
        return err_set(err, ERR_INTERNAL, errno,
                       "unpacking helper %s: %s; say where it is with "
                       "--helper",
                       p->options.helper, strerror(errno));
    p->config.helper = p->helper;
    return 0;
}

static void observe(void *ctx, unsigned changes, uint64_t id, const char *name)
{
    struct program *p = ctx;
    if (changes & BACKEND_VANISHED)
        ops_vanished(&p->ops, p->session, id);
    notify_change(p->ops.notify, changes, id, name);
}

static int start_replayer(void *ctx, pid_t *pid)
{
    const struct program *p = ctx;
    return replay_start(&p->mount, pid);
}

static int is_gone(void *ctx)
{
    const struct program *p = ctx;
    return mounted_is_gone(&p->mount);
}

static void wake(void *ctx, uint64_t image, unsigned files)
{
    struct program *p = ctx;
    if (files & BACKEND_STATE)
        poll_wake(&p->ops.waiters, tree_inode(image, TREE_STATE));
    if (files & BACKEND_ERROR)
        poll_wake(&p->ops.waiters, tree_inode(image, TREE_ERROR));
    if (files & BACKEND_PROGRESS)
        poll_wake(&p->ops.waiters, tree_inode(image, TREE_PROGRESS));
}

static int make_notify(struct program *p, struct err *err)
{
    const struct notify_ways ways = {
        .wake = wake, .start = start_replayer, .is_gone = is_gone, .ctx = p};
    poll_init(&p->ops.waiters);
    p->ops.notify = notify_new(&ways);
    return p->ops.notify ? 0 : err_sys(err, ENOMEM, "cannot start");
}

static void stop(void *ctx)
{
    fuse_session_exit(ctx);
}

/* Better no image than one that is called faithful and is not. */
static int check_policy(const struct program *p, struct err *err)
{
    if (p->config.policy != POLICY_FAITHFUL || geteuid() == 0)
        return 0;
    return err_set(err, ERR_INTERNAL, EPERM,
                   "policy=faithful: owners, devices, and trusted and security attributes are "
                   "root's to give; without root leave it out (strict), and all files are yours");
}

/* The stores first: a second daemon must not disturb the first one's mount. */
static int set_up(struct program *p, struct err *err)
{
    p->ops.uid = geteuid();
    p->ops.gid = getegid();
    p->ops.started = text_now_ms();
    p->ops.error_log = error_log_new();
    p->ops.events = events_new(p->options.keep_events);
    int r = p->ops.error_log && p->ops.events ? find_group(p, err)
                                              : err_sys(err, ENOMEM, "cannot start");
    if (r == 0)
        r = check_policy(p, err);
    if (r == 0)
        r = make_notify(p, err);
    if (r == 0)
        r = find_helper(p, err);
    if (r == 0)
        r = make_session(p, err);
    if (r == 0)
        r = backend_open(&p->ops.backend, &p->config, err);
    if (r == 0)
        r = events_attach(p->ops.events, p->ops.backend, err);
    if (r == 0)
        r = mount_tree(p, err);
    return r;
}

/* All answers are out before FUSE's descriptor is closed: its number may be someone else's next. */
static void tear_down(struct program *p, bool keep_mounts)
{
    if (p->ops.backend)
        backend_stop(p->ops.backend);
    if (p->ops.events)
        events_stop(p->ops.events);
    notify_stop(p->ops.notify);
    if (p->mounted)
        fuse_session_unmount(p->session);
    backend_close(p->ops.backend, keep_mounts);
    if (p->session)
        fuse_session_destroy(p->session);
    events_free(p->ops.events);
    notify_free(p->ops.notify);
    if (p->mounted)
        mounted_close(&p->mount);
    error_log_free(p->ops.error_log);
}

static int run(struct program *p, int background, struct err *err)
{
    int r = set_up(p, err);
    if (r == 0)
        r = daemon_signals_begin(stop, p->session, err);
    if (r == 0)
        r = notify_start(p->ops.notify, p->mount.table, err);
    if (r == 0) {
        backend_set_observer(p->ops.backend, observe, p);
        r = backend_start(p->ops.backend, err);
    }
    if (r == 0)
        r = events_start(p->ops.events, err);
    if (r < 0) {
        tear_down(p, true);
        return r;
    }
    log_info(NULL, "imgstorefs %s serves %s at %s", CONFIG_VERSION, p->options.store,
             p->options.mountpoint);
    if (background >= 0)
        daemon_ready(background);
    fuse_set_log_func(log_of_fuse); /* until now it is the caller who is told */
    if ((r = loop_run(p->session)) < 0)
        log_error(NULL, "FUSE ended: %s", strerror(-r));
    bool keep_mounts = daemon_signals_end();
    log_info(NULL, "stopping%s", keep_mounts ? ", active mounts stay" : "");
    tear_down(p, keep_mounts);
    return r < 0 ? err_sys(err, -r, "FUSE ended before it was asked to") : 0;
}

/* A core would hold what users have written into URLs. 1, not 0: a handler that cores are piped to
 * gets them whatever the limit, but for this one. The helper inherits it. */
static void leave_no_core(void)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){1, 1});
}

static int complain(const struct err *err)
{
    fprintf(stderr, "imgstorefs: %s\n", err->text);
    return err->num == EINVAL ? 2 : 1;
}

int main(int argc, char **argv)
{
    static struct program p;
    struct err err = {0};
    int r = 0, background = -1;
    if (argc > 0 && strcmp(argv[0], REPLAY_NAME) == 0)
        return replay_main(argc, argv);
    if (options_parse(&p.options, argc, argv, &err) < 0)
        return complain(&err);
    if (p.options.action != OPTIONS_RUN)
        return print_action(&p.options);
    leave_no_core();
    options_backend(&p.options, &p.config);
    if (!p.options.foreground && (background = daemon_fork()) < 0)
        r = err_sys(&err, -background, "cannot go to the background");
    if (r == 0)
        r = set_up_log(&p.options, &err);
    if (r == 0)
        r = run(&p, background, &err);
    return r < 0 ? complain(&err) : 0;
}
