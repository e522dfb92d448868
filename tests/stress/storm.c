/* storm: sixteen writers, and readers of everything, on one mount; what the writers know must be
 * so.
 *
 *   storm queue MOUNT MODEL URL PID   queues WRITERS times LINES names that a server never answers,
 *                                     cancels, retries and removes some; activates and deactivates
 *                                     few-0 … all the while; notes in MODEL what must be there
 *   storm check MOUNT MODEL           is it so?
 *   storm clear MOUNT MODEL URL PID   cancels and removes all of it
 *
 * Every name is one writer's, which so knows how each command must end, whoever else is at it: each
 * line is acknowledged, or refused with the errno that is due and a line in error_log that says
 * why. EAGAIN is due when the queue is full, and at no other time; full it must become. A daemon
 * that is killed meanwhile is none of storm's business. PID is the daemon, whose memory is looked
 * at. Each call is measured, the table goes to stdout. From the environment: STRESS_WRITERS (16),
 * STRESS_LINES (1000, each), STRESS_READERS (4), STRESS_FEW (0), STRESS_TURNS (0), STRESS_QUEUE
 * (5000: the daemon's). */
#include "storm.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS_MAX 128
#define MEMORY_MS   20
#define STUCK_S     60 /* of no call that ends */

static atomic_ullong ended; /* calls: the watchdog looks at it */

void storm_fail(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "FAIL: ");
    vfprintf(stderr, fmt, ap);
    fprintf(stderr, "\n");
    _exit(1);
}

void storm_name(char name[static STORM_NAME_MAX], unsigned writer, unsigned line)
{
    snprintf(name, STORM_NAME_MAX, "w%u-%u", writer, line);
}

/* --- calls */

/* The kernel lets one writer at a time into a file. With STRESS_TURNS they wait here instead, so
 * that the call is told from the wait for it; all zero is PTHREAD_MUTEX_INITIALIZER. */
static pthread_mutex_t turn[CALLS];

static bool is_gone(int error)
{
    return error == ENOTCONN || error == ECONNABORTED || error == ECANCELED || error == EINTR;
}

static int over(struct worker *w, enum call call, int64_t begun, bool failed)
{
    int error = failed ? errno : 0;
    latency_add(&w->calls[call], begun);
    ended++;
    if (is_gone(error))
        w->storm->gone = true;
    return error;
}

int storm_write(struct worker *w, enum call call, const char *text)
{
    static const char *const files[] = {
        [CALL_FETCH] = "fetch", [CALL_REMOVE] = "remove",     [CALL_CANCEL] = "cancel",
        [CALL_RETRY] = "retry", [CALL_ACTIVATE] = "activate", [CALL_DEACTIVATE] = "deactivate"};
    char path[1100];
    snprintf(path, sizeof path, "%s/ctl/%s", w->storm->mount, files[call]);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 && (is_gone(errno) || errno == ENOENT)) {
        w->storm->gone = true; /* a mount point without its mount has no ctl */
        return ENOTCONN;
    }
    if (fd < 0)
        storm_fail("%s: %s", path, strerror(errno));
    judge_begin(w);
    int64_t queued = latency_now();
    if (w->storm->turns)
        pthread_mutex_lock(&turn[call]);
    int64_t begun = latency_now();
    ssize_t n = write(fd, text, strlen(text));
    int error = over(w, call, begun, n < 0);
    if (w->storm->turns) {
        pthread_mutex_unlock(&turn[call]);
        latency_add(&w->calls[CALL_TURN], queued);
    }
    close(fd);
    if (error && !is_gone(error))
        judge_refusal(w, files[call], text, error);
    return error;
}

int storm_rmdir(struct worker *w, const char *name)
{
    char path[1100];
    snprintf(path, sizeof path, "%s/images/%s", w->storm->mount, name);
    int64_t begun = latency_now();
    int n = rmdir(path);
    return over(w, CALL_RMDIR, begun, n < 0);
}

/* --- writers: each knows its names */

static unsigned char *known_of(struct worker *w, unsigned line)
{
    return &w->storm->known[w->number * w->storm->lines + line];
}

/* The answer must be the expected one, unless nobody answers any more. */
static void expect(struct worker *w, unsigned line, const char *what, int error, int due,
                   enum known then)
{
    char name[STORM_NAME_MAX];
    storm_name(name, w->number, line);
    w->refused += error != 0;
    if (is_gone(error))
        *known_of(w, line) = UNSURE;
    else if (error != due)
        storm_fail("%s %s, which was %d: '%s' instead of '%s'", what, name, *known_of(w, line),
                   strerror(error), strerror(due));
    else if (!error)
        *known_of(w, line) = (unsigned char)then;
}

static void put_line(struct worker *w, unsigned line, char *text, size_t size)
{
    char name[STORM_NAME_MAX];
    storm_name(name, w->number, line);
    snprintf(text, size, "%s %064x %s\n", w->storm->url, w->number * w->storm->lines + line + 1,
             name);
}

/* A write of which one line is wrong must leave nothing of the other. */
static void ask_wrong(struct worker *w, unsigned line)
{
    char text[1024];
    put_line(w, line, text, sizeof text - 64);
    snprintf(text + strlen(text), 64, "http://nobody/x no-digest w%u-%u\n", w->number, line);
    expect(w, line, "half wrong", storm_write(w, CALL_FETCH, text), EINVAL, ABSENT);
}

static void ask_fetch(struct worker *w, unsigned line)
{
    char text[1024];
    put_line(w, line, text, sizeof text);
    judge_asks(w, true);
    int error = storm_write(w, CALL_FETCH, text);
    if (is_gone(error))
        return expect(w, line, "fetch", error, 0, PRESENT);
    judge_answer(w, true, error);
    if (!error)
        judge_taken(w);
    expect(w, line, "fetch", error, error == EAGAIN ? EAGAIN : 0, PRESENT);
}

static int due_of(enum call call, enum known is)
{
    if (is == ABSENT)
        return ENOENT;
    if (call == CALL_CANCEL)
        return is == PRESENT ? 0 : EBUSY;
    if (call == CALL_RETRY)
        return is == FAILED ? 0 : EBUSY;
    return 0;
}

static void ask(struct worker *w, enum call call, unsigned line)
{
    static const char *const words[] = {[CALL_REMOVE] = "remove",
                                        [CALL_RMDIR] = "rmdir",
                                        [CALL_CANCEL] = "cancel",
                                        [CALL_RETRY] = "retry"};
    static const enum known then[] = {[CALL_REMOVE] = ABSENT,
                                      [CALL_RMDIR] = ABSENT,
                                      [CALL_CANCEL] = FAILED,
                                      [CALL_RETRY] = PRESENT};
    char name[STORM_NAME_MAX], text[STORM_NAME_MAX + 1];
    enum known is = *known_of(w, line);
    bool adds = call == CALL_RETRY, counts = is == (adds ? FAILED : PRESENT);
    storm_name(name, w->number, line);
    snprintf(text, sizeof text, "%s\n", name);
    if (is == UNSURE)
        return;
    if (counts)
        judge_asks(w, adds);
    int error = call == CALL_RMDIR ? storm_rmdir(w, name) : storm_write(w, call, text);
    if (counts && !is_gone(error))
        judge_answer(w, adds, error);
    if (counts && adds && !error)
        judge_taken(w);
    bool full = counts && adds && error == EAGAIN;
    expect(w, line, words[call], error, full ? EAGAIN : due_of(call, is), then[call]);
}

static void *write_much(void *arg)
{
    static const enum call others[] = {CALL_REMOVE, CALL_CANCEL, CALL_RETRY, CALL_RMDIR};
    struct worker *w = arg;
    for (unsigned i = 0; i < w->storm->lines && !w->storm->gone; i++) {
        if (i % 50 == 49)
            ask_wrong(w, i);
        else
            ask_fetch(w, i);
        if (rand_r(&w->random) % 2 == 0)
            ask(w, others[rand_r(&w->random) % 4], (unsigned)rand_r(&w->random) % (i + 1));
    }
    return NULL;
}

static void *clear_all(void *arg)
{
    struct worker *w = arg;
    for (unsigned i = 0; i < w->storm->lines && !w->storm->gone; i++) {
        if (i % 2)
            ask(w, CALL_CANCEL, i);
        ask(w, i % 4 < 2 ? CALL_REMOVE : CALL_RMDIR, i);
    }
    return NULL;
}

/* --- the few: several threads at the same ones, so any of these may be the answer */

static void *toggle(void *arg)
{
    struct worker *w = arg;
    char text[32];
    while (!w->storm->over && !w->storm->gone) {
        enum call call = rand_r(&w->random) % 2 ? CALL_ACTIVATE : CALL_DEACTIVATE;
        /* Blanks tell one's lines in error_log from the other's. */
        snprintf(text, sizeof text, "%*sfew-%u\n", (int)(w->number + 1), "",
                 (unsigned)rand_r(&w->random) % w->storm->few);
        int error = storm_write(w, call, text);
        w->refused += error != 0;
        if (error && error != EBUSY && !is_gone(error))
            storm_fail("%s %s: %s", call == CALL_ACTIVATE ? "activate" : "deactivate", text,
                       strerror(error));
        usleep(1000);
    }
    return NULL;
}

/* --- the model on paper */

static void write_model(const struct storm *s, const char *path)
{
    char name[STORM_NAME_MAX];
    FILE *f = fopen(path, "w");
    for (unsigned i = 0; f && i < s->writers * s->lines; i++) {
        storm_name(name, i / s->lines, i % s->lines);
        fprintf(f, "%s %d\n", name, s->known[i]);
    }
    if (!f || fclose(f) != 0)
        storm_fail("%s: %s", path, strerror(errno));
}

static void read_model(struct storm *s, const char *path)
{
    int known;
    FILE *f = fopen(path, "r");
    for (unsigned i = 0; f && i < s->writers * s->lines; i++) {
        if (fscanf(f, "%*s %d", &known) != 1)
            storm_fail("%s is of another run", path);
        s->known[i] = (unsigned char)known;
    }
    if (!f)
        storm_fail("%s: %s", path, strerror(errno));
    fclose(f);
}

static bool read_state(const struct storm *s, const char *name, char state[static 16])
{
    char path[1100];
    snprintf(path, sizeof path, "%s/images/%s/state", s->mount, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, state, 15);
    if (fd >= 0)
        close(fd);
    state[n < 0 ? 0 : n] = '\0';
    state[strcspn(state, "\n")] = '\0';
    return n > 0;
}

static void check_one(struct storm *s, unsigned i, unsigned long counts[static 4])
{
    char name[STORM_NAME_MAX], state[16];
    storm_name(name, i / s->lines, i % s->lines);
    bool there = read_state(s, name, state), failed = strcmp(state, "FAILED") == 0;
    counts[s->known[i]]++;
    if (s->known[i] == UNSURE)
        s->known[i] = !there ? ABSENT : failed ? FAILED : PRESENT;
    else if (there != (s->known[i] != ABSENT) || (there && failed != (s->known[i] == FAILED)))
        storm_fail("%s should be %d (0 absent, 1 queued, 2 failed), is '%s'", name, s->known[i],
                   state);
}

static void check(struct storm *s)
{
    unsigned long counts[4] = {0};
    for (unsigned i = 0; i < s->writers * s->lines; i++)
        check_one(s, i, counts);
    printf("%lu not there, %lu queued, %lu cancelled, as they should be; %lu without an answer\n",
           counts[ABSENT], counts[PRESENT], counts[FAILED], counts[UNSURE]);
}

/* --- memory, and the watchdog */

static long memory_kib(pid_t pid)
{
    char path[64], line[256];
    long kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmRSS: %ld", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib;
}

static void *watch(void *arg)
{
    struct storm *s = arg;
    unsigned long long seen = 0;
    long before = memory_kib(s->daemon), most = before, now = before;
    for (int64_t since = latency_now(); !s->over; usleep(MEMORY_MS * 1000)) {
        now = memory_kib(s->daemon);
        most = now > most ? now : most;
        if (ended != seen)
            since = latency_now();
        else if (latency_now() - since > STUCK_S * 1000000000LL)
            storm_fail("no call has ended for %d s", STUCK_S);
        seen = ended;
    }
    printf("memory: %ld KiB before, %ld KiB at most, %ld KiB after\n", before, most, now);
    return NULL;
}

/* --- all together */

static void start(struct storm *s, struct worker *w, pthread_t *thread, unsigned number,
                  void *(*run)(void *))
{
    *w = (struct worker){.storm = s, .number = number, .random = number + 1};
    if (pthread_create(thread, NULL, run, w))
        storm_fail("no thread");
}

static void tell(const struct worker *w, unsigned n, int64_t begun)
{
    static const char *const kinds[CALLS] = {
        "fetch",      "remove",      "cancel", "retry", "activate", "deactivate", "rmdir",
        "read image", "read others", "stat",   "miss",  "opendir",  "getdents",   "with its wait"};
    struct latency sums[CALLS + 1] = {0};
    unsigned long long refused = 0, logged = 0, displaced = 0;
    for (unsigned t = 0; t < n; t++) {
        refused += w[t].refused;
        logged += w[t].logged;
        displaced += w[t].displaced;
        for (size_t i = 0; i < CALLS; i++) {
            latency_merge(&sums[i], &w[t].calls[i]);
            if (i != CALL_TURN)
                latency_merge(&sums[CALLS], &w[t].calls[i]);
        }
    }
    latency_print_head();
    for (size_t i = 0; i < CALLS; i++)
        latency_print(kinds[i], &sums[i]);
    latency_print("all", &sums[CALLS]);
    printf("%.1f s, %llu refused; error_log showed %llu, eight others behind %llu\n",
           (double)(latency_now() - begun) / 1e9, refused, logged, displaced);
    if (!w->storm->gone && logged <= displaced)
        storm_fail("too few refusals were seen in error_log to say anything");
}

static void run(struct storm *s, void *(*write)(void *))
{
    static struct worker w[THREADS_MAX];
    pthread_t threads[THREADS_MAX], watcher;
    unsigned n = 0;
    int64_t begun = latency_now();
    if (s->writers + s->readers + s->togglers > THREADS_MAX)
        storm_fail("more than %d threads", THREADS_MAX);
    for (unsigned i = 0; i < s->writers; i++, n++)
        start(s, &w[n], &threads[n], i, write);
    for (unsigned i = 0; i < s->readers; i++, n++)
        start(s, &w[n], &threads[n], i, storm_read);
    for (unsigned i = 0; i < s->togglers; i++, n++)
        start(s, &w[n], &threads[n], i, toggle);
    pthread_create(&watcher, NULL, watch, s);
    for (unsigned i = 0; i < n; i++) {
        pthread_join(threads[i], NULL);
        s->over = i + 1 >= s->writers;
    }
    pthread_join(watcher, NULL);
    tell(w, n, begun);
}

/* Nothing of it is due to chance: there are three times as many lines as places. */
static void check_full(const struct storm *s)
{
    long least = (long)s->queue - (long)s->few - (long)s->writers;
    printf("%ld queued at once, of %u; %ld refused\n", s->fullest, s->queue, s->refused);
    if (!s->gone && (s->fullest < least || s->refused == 0))
        storm_fail("the queue has never been full: %ld of %u", s->fullest, s->queue);
}

static unsigned setting(const char *name, unsigned otherwise)
{
    const char *value = getenv(name);
    return value ? (unsigned)strtoul(value, NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    static struct storm s;
    bool checks = argc == 4 && strcmp(argv[1], "check") == 0;
    if (!checks && argc != 6)
        return 2;
    s.writers = setting("STRESS_WRITERS", 16);
    s.lines = setting("STRESS_LINES", 1000);
    s.readers = setting("STRESS_READERS", 4);
    s.few = setting("STRESS_FEW", 0);
    s.togglers = s.few ? 2 : 0;
    s.queue = setting("STRESS_QUEUE", 5000);
    s.turns = setting("STRESS_TURNS", 0) != 0;
    s.known = calloc((size_t)s.writers * s.lines + 1, 1);
    snprintf(s.mount, sizeof s.mount, "%s", argv[2]);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!checks) {
        snprintf(s.url, sizeof s.url, "%s", argv[4]);
        s.daemon = (pid_t)atoi(argv[5]);
    }
    if (checks || strcmp(argv[1], "clear") == 0)
        read_model(&s, argv[3]);
    bool clears = strcmp(argv[1], "clear") == 0;
    if (checks)
        check(&s);
    else
        run(&s, clears ? clear_all : write_much);
    if (!checks && !clears)
        check_full(&s);
    write_model(&s, argv[3]);
    return 0;
}
