#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The steps that the layer itself takes. */
ssize_t __real_write(int fd, const void *p, size_t n);
int __real_fstat64(int fd, struct stat *s);
int __real_ftruncate64(int fd, off_t n);
int __real_openat64(int fd, const char *path, int flags, ...);

enum action { NOTHING, TRACE, FAIL, BREAK, BEFORE, AFTER, POWER, ZERO };

static const char *const kinds[FAULT_KINDS] = {"ALLOC", "READ",   "WRITE", "SQL",    "MOUNT",
                                               "FORK",  "THREAD", "DB",    "MALLOC", "JAIL"};
static const char *const actions[] = {"",       "trace", "fail",  "break",
                                      "before", "after", "power", "zero"};

static struct {
    enum action action;
    enum fault_kind kind;
    long number;
    int num;          /* 0: the table's */
    const char *path; /* of the log; or NULL */
    int log;
    dev_t dev;
    ino_t ino;
    pid_t owner;
} fault = {.log = -1};

static atomic_long counts[FAULT_KINDS], leaving;

extern const char __executable_start[];

static int index_of(const char *word, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (*words[i] && strcmp(word, words[i]) == 0)
            return (int)i;
    fprintf(stderr, "IMGSTORE_FAULT: what is %s?\n", word);
    _exit(2);
}

static int open_log(const char *path)
{
    return __real_openat64(AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
}

__attribute__((constructor)) static void begin(void)
{
    const char *what = getenv("IMGSTORE_FAULT"), *log = getenv("IMGSTORE_FAULT_LOG");
    char copy[64], *save, *word;
    if (!what)
        return;
    snprintf(copy, sizeof copy, "%s", what);
    word = strtok_r(copy, ":", &save);
    enum action action = (enum action)index_of(word, actions, sizeof actions / sizeof actions[0]);
    if ((action == FAIL || action == BREAK) && (word = strtok_r(NULL, ":", &save)))
        fault.kind = (enum fault_kind)index_of(word, kinds, FAULT_KINDS);
    if ((word = strtok_r(NULL, ":", &save)))
        fault.number = atol(word);
    if ((word = strtok_r(NULL, ":", &save)))
        fault.num = atoi(word);
    struct stat s;
    if (log && (fault.log = open_log(log)) >= 0 && __real_fstat64(fault.log, &s) == 0) {
        fault.path = log;
        fault.dev = s.st_dev;
        fault.ino = s.st_ino;
    }
    fault.owner = getpid();
    fault_vfs_begin();
    if (fault.kind == FAULT_MALLOC)
        fault_malloc_begin(getenv("IMGSTORE_FAULT_LIBRARY"));
    fault.action = action;
}

/* False in a thread that has let go of the program's descriptors: what they stand for cannot be
 * lost from there. */
static bool has_descriptors(void)
{
    struct stat s;
    return !fault.path ||
           (__real_fstat64(fault.log, &s) == 0 && s.st_dev == fault.dev && s.st_ino == fault.ino);
}

static void tell(const char *action, const struct fault_step *s, long number)
{
    char line[160];
    int n =
        snprintf(line, sizeof line, "%s %s %ld %s 0x%lx\n", action, kinds[s->kind], number, s->name,
                 (unsigned long)((uintptr_t)s->caller - (uintptr_t)__executable_start - 1));
    bool ours = has_descriptors();
    int log = ours ? fault.log : open_log(fault.path);
    if (log >= 0)
        (void)!__real_write(log, line, (size_t)n);
    if (!ours)
        close(log);
}

/* --- what a power cut takes along */

#define DIRTY_MAX 8192

static bool loses_power(void)
{
    return fault.action == POWER || fault.action == ZERO;
}

static struct dirty {
    dev_t dev;
    ino_t ino;
    int fd;
    off_t size; /* when it was last synced */
} dirty[DIRTY_MAX];
static size_t dirty_count;
static pthread_mutex_t dirty_lock = PTHREAD_MUTEX_INITIALIZER;

void fault_dirty(int fd)
{
    struct stat s;
    int saved = errno;
    if (!loses_power() || __real_fstat64(fd, &s) < 0 || !S_ISREG(s.st_mode))
        return;
    pthread_mutex_lock(&dirty_lock);
    size_t i = 0;
    while (i < dirty_count && (dirty[i].dev != s.st_dev || dirty[i].ino != s.st_ino))
        i++;
    if (i == dirty_count && i < DIRTY_MAX)
        dirty[dirty_count++] =
            (struct dirty){s.st_dev, s.st_ino, fcntl(fd, F_DUPFD_CLOEXEC, 512), s.st_size};
    pthread_mutex_unlock(&dirty_lock);
    errno = saved;
}

void fault_moved(int from, const char *a, int to, const char *b)
{
    if (loses_power() && getpid() == fault.owner)
        fault_renamed(from, a, to, b);
}

static void forget(dev_t dev, ino_t ino, bool all)
{
    fault_renames_synced(dev, all ? 0 : ino);
    pthread_mutex_lock(&dirty_lock);
    for (size_t i = dirty_count; i-- > 0;)
        if (dirty[i].dev == dev && (all || dirty[i].ino == ino)) {
            close(dirty[i].fd);
            dirty[i] = dirty[--dirty_count];
        }
    pthread_mutex_unlock(&dirty_lock);
}

void fault_synced(int fd)
{
    struct stat s;
    if (loses_power() && __real_fstat64(fd, &s) == 0)
        forget(s.st_dev, s.st_ino, false);
}

void fault_synced_all(int fd)
{
    struct stat s;
    if (loses_power() && __real_fstat64(fd, &s) == 0)
        forget(s.st_dev, 0, true);
}

static void lose(void)
{
    pthread_mutex_lock(&dirty_lock);
    for (size_t i = 0; i < dirty_count; i++) {
        struct stat s;
        int known = __real_fstat64(dirty[i].fd, &s);
        (void)!__real_ftruncate64(dirty[i].fd, dirty[i].size);
        if (fault.action == ZERO && known == 0 && s.st_size > dirty[i].size)
            (void)!__real_ftruncate64(dirty[i].fd, s.st_size);
    }
    fault_vfs_lose();
    fault_renames_lose();
}

/* --- steps */

_Noreturn static void die(const struct fault_step *s)
{
    tell(actions[fault.action], s, s->leaves);
    if (loses_power())
        lose();
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

static bool leaves_something(enum fault_kind kind)
{
    return kind == FAULT_WRITE || kind == FAULT_MOUNT || kind == FAULT_SQL || kind == FAULT_DB;
}

bool fault_before(struct fault_step *s)
{
    if (fault.action == NOTHING || getpid() != fault.owner)
        return false;
    long number = atomic_fetch_add(&counts[s->kind], 1) + 1;
    if (leaves_something(s->kind) && has_descriptors())
        s->leaves = atomic_fetch_add(&leaving, 1) + 1;
    if (fault.action == TRACE)
        tell("trace", s, number);
    if ((fault.action == BEFORE || loses_power()) && s->leaves == fault.number)
        die(s);
    bool due = fault.action == FAIL    ? number == fault.number
               : fault.action == BREAK ? number >= fault.number
                                       : false;
    if (!due || s->kind != fault.kind)
        return false;
    tell(actions[fault.action], s, number);
    if (fault.num)
        s->num = fault.num;
    return true;
}

void fault_after(const struct fault_step *s)
{
    int saved = errno;
    if (fault.action == AFTER && s->leaves && s->leaves == fault.number && getpid() == fault.owner)
        die(s);
    errno = saved;
}
