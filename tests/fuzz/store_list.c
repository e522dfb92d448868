#include "store_list.h"

#include "fuzz.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define SHOWN_MAX 4096 /* bytes of a file's contents, or of a link's target */

static void add_contents(struct text *t, int dirfd, const char *name, const struct stat *st)
{
    char bytes[SHOWN_MAX];
    ssize_t n = 0;
    if (S_ISLNK(st->st_mode)) {
        n = readlinkat(dirfd, name, bytes, sizeof bytes);
    } else if (S_ISREG(st->st_mode)) {
        int fd CLEANUP_CLOSE = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        n = io_read(fd, bytes, sizeof bytes);
    }
    text_add_escaped(t, bytes, n > 0 ? (size_t)n : 0);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, as no file system promises an order; the caller frees each, and the array. */
static char **names_in(int dirfd, size_t *count)
{
    char **names = NULL;
    DIR *dir CLEANUP_CLOSEDIR = io_list(dirfd);
    *count = 0;
    for (struct dirent *d; dir && (d = readdir(dir));) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        names = reallocarray(names, *count + 1, sizeof *names);
        FUZZ_MUST(names && (names[*count] = strdup(d->d_name)));
        ++*count;
    }
    if (*count)
        qsort(names, *count, sizeof *names, by_name);
    return names;
}

static void add(struct text *t, const char *path, int dirfd, const char *name)
{
    struct stat st;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    text_addf(t, "%s %o ", path, st.st_mode);
    add_contents(t, dirfd, name, &st);
    text_add(t, "\n");
    if (!S_ISDIR(st.st_mode))
        return;
    int fd CLEANUP_CLOSE = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    size_t count;
    char **names CLEANUP_FREE = names_in(fd, &count);
    for (size_t i = 0; i < count; i++) {
        char below[PATH_MAX];
        snprintf(below, sizeof below, "%s/%s", path, names[i]);
        add(t, below, fd, names[i]);
        free(names[i]);
    }
}

void store_list(struct text *t, int dirfd, const char *name)
{
    add(t, name, dirfd, name);
}
