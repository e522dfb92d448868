/* replay: runs a target over files and folders of inputs, without libFuzzer.
 *
 * usage: replay_TARGET FILE|DIR…     exits 1 if there was no input at all; a finding aborts */
#include "fuzz.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define INPUT_MAX  (64L << 20)
#define MEMORY_MAX (1536L << 10) /* KiB at the worst, a sanitizer's own included */
#define INPUT_S    60            /* one input; libFuzzer's own bound is tighter */

static char current[256]; /* what runs just now */

/* As it may end in any way, only what a handler may do. */
static void say_current(int signal)
{
    static const char label[] = "replay: the input is ";
    if (write(STDERR_FILENO, label, sizeof label - 1) > 0 &&
        write(STDERR_FILENO, current, strlen(current)) > 0 && write(STDERR_FILENO, "\n", 1) > 0) {
    }
    (void)!raise(signal);
}

static void catch_ends(void)
{
    static const int ends[] = {SIGABRT, SIGALRM};
    struct sigaction action = {.sa_handler = say_current, .sa_flags = (int)SA_RESETHAND};
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
        sigaction(ends[i], &action, NULL);
}

static size_t run_file(int at, const char *name)
{
    struct stat st;
    int fd CLEANUP_CLOSE = openat(at, name, O_RDONLY | O_CLOEXEC);
    FUZZ_MUST(fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= INPUT_MAX);
    uint8_t *bytes CLEANUP_FREE = malloc((size_t)st.st_size + !st.st_size);
    FUZZ_MUST(bytes && io_read(fd, bytes, (size_t)st.st_size) == st.st_size);
    snprintf(current, sizeof current, "%s", name);
    alarm(INPUT_S);
    FUZZ_MUST(LLVMFuzzerTestOneInput(bytes, (size_t)st.st_size) == 0);
    alarm(0);
    return 1;
}

static size_t run(const char *path)
{
    int fd CLEANUP_CLOSE = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return run_file(AT_FDCWD, path);
    size_t n = 0;
    DIR *dir CLEANUP_CLOSEDIR = io_list(fd);
    for (struct dirent *d; dir && (d = readdir(dir));)
        if (d->d_name[0] != '.')
            n += run_file(fd, d->d_name);
    return n;
}

int main(int argc, char **argv)
{
    size_t n = 0;
    struct rusage use;
    catch_ends();
    for (int i = 1; i < argc; i++)
        n += run(argv[i]);
    FUZZ_MUST(getrusage(RUSAGE_SELF, &use) == 0);
    printf("%zu inputs, %ld KiB at most\n", n, use.ru_maxrss);
    FUZZ_MUST(use.ru_maxrss < MEMORY_MAX);
    return n == 0;
}
