/* probe: what the figures are taken with, so that no shell's start-up is in them. Times are in ms.
 *
 *   probe active MOUNT NAME LINE      writes LINE to ctl/fetch; until images/NAME is ACTIVE
 *   probe reads PATH READERS SECONDS  how often a second PATH is opened, read and closed
 *   probe walk DIR SECONDS            the same of DIR/NAME/state, another NAME each time
 *   probe random ROOT                 until 4 KiB are read at each `OFFSET PATH` of standard input
 *   probe list DIR                    until all names are read; then how many they are
 *   probe rmdir PATH                  until it returns
 *   probe exists PATH                 until PATH is there */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void pause_us(long us)
{
    nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

static void die(const char *what)
{
    fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
    exit(1);
}

static ssize_t read_once(const char *path, char *buf, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = read(fd, buf, size - 1);
    close(fd);
    if (n >= 0)
        buf[n] = '\0';
    return n;
}

static int probe_active(const char *mount, const char *name, const char *line)
{
    char path[4096], state[64] = "";
    snprintf(path, sizeof path, "%s/ctl/fetch", mount);
    double begun = now();
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, line, strlen(line)) < 0)
        die(path);
    double returned = now();
    close(fd);
    snprintf(path, sizeof path, "%s/images/%s/state", mount, name);
    while (read_once(path, state, sizeof state) < 0 || strcmp(state, "ACTIVE\n") != 0) {
        if (strcmp(state, "FAILED\n") == 0)
            return 1;
        pause_us(200);
    }
    printf("%.1f %.1f\n", now() - begun, returned - begun);
    return 0;
}

struct reader {
    pthread_t thread;
    const char *path;
    const atomic_bool *stop;
    long reads;
};

static void *read_on(void *arg)
{
    struct reader *r = arg;
    char buf[64];
    while (!atomic_load_explicit(r->stop, memory_order_relaxed)) {
        if (read_once(r->path, buf, sizeof buf) <= 0)
            die(r->path);
        r->reads++;
    }
    return NULL;
}

static int probe_reads(const char *path, int readers, int seconds)
{
    atomic_bool stop = false;
    struct reader r[64];
    if (readers < 1 || readers > 64)
        return 2;
    double begun = now();
    for (int i = 0; i < readers; i++) {
        r[i] = (struct reader){.path = path, .stop = &stop};
        pthread_create(&r[i].thread, NULL, read_on, &r[i]);
    }
    sleep((unsigned)seconds);
    atomic_store(&stop, true);
    long total = 0;
    for (int i = 0; i < readers; i++) {
        pthread_join(r[i].thread, NULL);
        total += r[i].reads;
    }
    printf("%.0f\n", (double)total * 1e3 / (now() - begun));
    return 0;
}

/* The kernel has nothing of these in its caches but what the last round left. */
static int probe_walk(const char *dir, int seconds)
{
    char path[4096], buf[64];
    long reads = 0;
    double begun = now();
    while (now() - begun < seconds * 1e3) {
        DIR *d = opendir(dir);
        if (!d)
            die(dir);
        for (struct dirent *e; now() - begun < seconds * 1e3 && (e = readdir(d));) {
            snprintf(path, sizeof path, "%s/%s/state", dir, e->d_name);
            reads += e->d_name[0] != '.' && read_once(path, buf, sizeof buf) > 0;
        }
        closedir(d);
    }
    printf("%.0f\n", (double)reads * 1e3 / (now() - begun));
    return 0;
}

static int probe_exists(const char *path)
{
    double begun = now();
    while (access(path, F_OK) < 0)
        pause_us(500);
    printf("%.1f\n", now() - begun);
    return 0;
}

static int probe_random(const char *root)
{
    char line[4096], buf[4096];
    double begun = now();
    if (chdir(root) < 0)
        die(root);
    while (fgets(line, sizeof line, stdin)) {
        char *path;
        long long offset = strtoll(line, &path, 10);
        path += strspn(path, " ");
        path[strcspn(path, "\n")] = '\0';
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || pread(fd, buf, sizeof buf, offset) <= 0)
            die(path);
        close(fd);
    }
    printf("%.1f\n", now() - begun);
    return 0;
}

static int probe_list(const char *path)
{
    long names = 0;
    double begun = now();
    DIR *dir = opendir(path);
    if (!dir)
        die(path);
    while (readdir(dir))
        names++;
    closedir(dir);
    printf("%.1f %ld\n", now() - begun, names - 2);
    return 0;
}

static int probe_rmdir(const char *path)
{
    double begun = now();
    if (rmdir(path) < 0)
        die(path);
    printf("%.1f\n", now() - begun);
    return 0;
}

static bool is(int argc, char **argv, const char *command, int args)
{
    return argc == args + 2 && strcmp(argv[1], command) == 0;
}

int main(int argc, char **argv)
{
    if (is(argc, argv, "active", 3))
        return probe_active(argv[2], argv[3], argv[4]);
    if (is(argc, argv, "reads", 3))
        return probe_reads(argv[2], atoi(argv[3]), atoi(argv[4]));
    if (is(argc, argv, "random", 1))
        return probe_random(argv[2]);
    if (is(argc, argv, "list", 1))
        return probe_list(argv[2]);
    if (is(argc, argv, "rmdir", 1))
        return probe_rmdir(argv[2]);
    if (is(argc, argv, "walk", 2))
        return probe_walk(argv[2], atoi(argv[3]));
    if (is(argc, argv, "exists", 1))
        return probe_exists(argv[2]);
    fprintf(stderr, "usage: see the top of probe.c\n");
    return 2;
}
