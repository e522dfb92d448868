#include "world.h"

#include "base/io.h"
#include "stages/digest.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define WAIT_MS 20000

static const char *const archives[WORLD_ARCHIVES] = {"a0.tar", "a1.tar.gz", "a2.tar", "a3.tar"};

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\n");
    abort();
}

/* --- archives */

/* Each holds its number in etc/number and something to read besides. */
static void make_archives(struct world *w)
{
    char cmd[1024];
    for (int i = 0; i < WORLD_ARCHIVES; i++) {
        snprintf(cmd, sizeof cmd,
                 "set -e; cd %s; rm -rf t; mkdir -p t/etc t/bin; echo %d > t/etc/number;"
                 "seq %d000 %d999 > t/etc/seq; ln -s /etc/number t/link; ln t/etc/number t/hard;"
                 "for i in 1 2 3 4 5 6 7 8; do head -c 16384 /dev/urandom > t/bin/$i; done;"
                 "tar -C t -%scf www/%s .; rm -rf t",
                 w->tmp, i, i + 1, i + 1, strstr(archives[i], "gz") ? "z" : "", archives[i]);
        if (system(cmd) != 0)
            die("cannot make %s", archives[i]);
    }
}

static void digest_archive(struct world *w, int archive)
{
    char path[128], buf[65536];
    snprintf(path, sizeof path, "%s/%s", w->www, archives[archive]);
    int fd CLEANUP_CLOSE = open(path, O_RDONLY | O_CLOEXEC);
    struct digest *d = digest_new();
    for (ssize_t n; (n = io_read(fd, buf, sizeof buf)) > 0;)
        digest_add(d, buf, (size_t)n);
    if (!digest_hex(d, w->sha256[archive]))
        die("cannot digest %s", path);
    digest_free(d);
}

/* --- the server */

static bool start_server(struct world *w)
{
    char file[128], line[16] = "";
    snprintf(file, sizeof file, "%s/port", w->tmp);
    w->server = fork();
    if (w->server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execlp("python3", "python3", HTTPD, "0", w->www, "--port-file", file, NULL);
        _exit(127);
    }
    for (int i = 0; i < 1000 && waitpid(w->server, NULL, WNOHANG) == 0; i++) {
        int fd CLEANUP_CLOSE = open(file, O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && io_read(fd, line, sizeof line - 1) > 0) {
            w->port = atoi(line);
            return true;
        }
        usleep(20000);
    }
    w->server = 0;
    return false;
}

/* --- up and down */

static void configure(struct world *w)
{
    w->config = (struct backend_config){
        .store = w->store,
        .database = w->database,
        .helper = UNPACK_HELPER,
        .sink = "auto",
        .limits = {10000, 100 << 20, 1 << 30, 1 << 30},
        .downloads = 4,
        .host_downloads = 64,
        .unpacks = 2,
        .queue = 1000,
        .attempts = 3,
        .retry_delay = 10,
        .retry_max = 100,
        .connect_timeout = 10000,
        .stall_timeout = 10000,
        .keep_unused = 86400000,
    };
}

const char *world_up(struct world *w)
{
    static const char *const proxies[] = {"http_proxy", "all_proxy", "ALL_PROXY"};
    *w = (struct world){.tmp = "/tmp/imgstore-world-XXXXXX"};
    for (size_t i = 0; i < ARRAY_SIZE(proxies); i++)
        unsetenv(proxies[i]);
    if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return "needs root and leave to mount";
    if (!mkdtemp(w->tmp))
        die("%s: %s", w->tmp, strerror(errno));
    if (mount("world", w->tmp, "tmpfs", 0, "mode=755") < 0)
        return "needs leave to mount a tmpfs";
    snprintf(w->store, sizeof w->store, "%s/store", w->tmp);
    snprintf(w->database, sizeof w->database, "%s/store.db", w->tmp);
    snprintf(w->www, sizeof w->www, "%s/www", w->tmp);
    mkdir(w->www, 0755);
    make_archives(w);
    for (int i = 0; i < WORLD_ARCHIVES; i++)
        digest_archive(w, i);
    configure(w);
    if (world_open(w) < 0)
        return w->err.text;
    world_close(w, false);
    return start_server(w) ? NULL : "the test server needs python3, which did not start";
}

void world_down(struct world *w)
{
    world_close(w, false);
    if (w->server > 0) {
        kill(w->server, SIGKILL);
        waitpid(w->server, NULL, 0);
    }
    umount2(w->tmp, MNT_DETACH);
    rmdir(w->tmp);
}

int world_open(struct world *w)
{
    w->err = (struct err){0};
    return backend_open(&w->backend, &w->config, &w->err);
}

int world_start(struct world *w)
{
    int r = w->backend ? 0 : world_open(w);
    return r < 0 ? r : backend_start(w->backend, &w->err);
}

void world_close(struct world *w, bool keep_mounts)
{
    backend_close(steal_ptr(w->backend), keep_mounts);
}

const char *world_url(struct world *w, const char *path)
{
    static _Thread_local char urls[8][256];
    static _Thread_local unsigned turn;
    char *url = urls[turn++ % 8];
    snprintf(url, sizeof urls[0], "http://127.0.0.1:%d/%s", w->port, path);
    return url;
}

const char *world_archive(struct world *w, const char *mode, int archive)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s%s", mode, archives[archive],
             strcmp(mode, "slow") == 0 ? "?bps=100000" : "");
    return world_url(w, path);
}

/* --- commands */

struct answer {
    struct world *world;
    pthread_mutex_t lock;
    pthread_cond_t given;
    int times;
    struct err *err;
    size_t line;
};

static void take_answer(void *ctx, const struct err *err, size_t line)
{
    struct answer *a = ctx;
    a->world->answered++;
    pthread_mutex_lock(&a->lock);
    *a->err = *err;
    a->line = line;
    a->times++;
    pthread_cond_signal(&a->given);
    pthread_mutex_unlock(&a->lock);
}

int world_submit(struct world *w, const struct backend_command *command, struct err *err,
                 size_t *line)
{
    struct answer a = {.world = w,
                       .lock = PTHREAD_MUTEX_INITIALIZER,
                       .given = PTHREAD_COND_INITIALIZER,
                       .err = err};
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 3 * WAIT_MS / 1000;
    w->asked++;
    backend_submit(w->backend, command, take_answer, &a);
    pthread_mutex_lock(&a.lock);
    while (a.times == 0)
        if (pthread_cond_timedwait(&a.given, &a.lock, &end) != 0)
            die("no answer to command %d of %s", (int)command->kind,
                command->name    ? command->name
                : command->count ? command->lines[0].name
                                 : "");
    pthread_mutex_unlock(&a.lock);
    if (line)
        *line = a.line;
    return err->num;
}

int world_do(struct world *w, enum backend_command_kind kind, const char *name)
{
    return world_submit(w, &(struct backend_command){.kind = kind, .name = name}, &w->err,
                        &w->line);
}

int world_fetch(struct world *w, const char *url, const char *sha256, const char *name)
{
    struct backend_fetch line = {.url = url, .name = name};
    snprintf(line.sha256, sizeof line.sha256, "%s", sha256);
    struct backend_command command = {.kind = BACKEND_FETCH, .lines = &line, .count = 1};
    return world_submit(w, &command, &w->err, &w->line);
}

bool world_look(struct world *w, const char *name, struct backend_view *view)
{
    uint64_t id;
    return backend_find(w->backend, name, &id) && backend_view(w->backend, id, view);
}

const char *world_state(struct world *w, const char *name)
{
    struct backend_view view;
    return world_look(w, name, &view) ? view.state : "";
}

bool world_wait(struct world *w, const char *name, const char *state)
{
    int64_t end = text_monotonic_ms() + WAIT_MS;
    while (strcmp(world_state(w, name), state) != 0) {
        if (text_monotonic_ms() > end)
            return false;
        usleep(1000);
    }
    return true;
}
