/* cleanup: scope-bound release of memory, descriptors and streams.
 *
 * Declare with CLEANUP_…; hand a value on with steal_ptr() or steal_fd(). */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free(void *p)
{
    free(*(void **)p);
}

/* Keeps errno: a close on the way out must not hide why we are on the way out. */
static inline void cleanup_close(const int *fd)
{
    if (*fd >= 0) {
        int saved = errno;
        close(*fd);
        errno = saved;
    }
}

static inline void cleanup_fclose(FILE **f)
{
    if (*f)
        fclose(*f);
}

static inline void cleanup_closedir(DIR **d)
{
    if (*d)
        closedir(*d);
}

#define CLEANUP_FREE     __attribute__((cleanup(cleanup_free)))
#define CLEANUP_CLOSE    __attribute__((cleanup(cleanup_close)))
#define CLEANUP_FCLOSE   __attribute__((cleanup(cleanup_fclose)))
#define CLEANUP_CLOSEDIR __attribute__((cleanup(cleanup_closedir)))

#define steal_ptr(p)                                                                               \
    ({                                                                                             \
        __typeof__(p) stolen_ = (p);                                                               \
        (p) = NULL;                                                                                \
        stolen_;                                                                                   \
    })

#define steal_fd(fd)                                                                               \
    ({                                                                                             \
        int stolen_ = (fd);                                                                        \
        (fd) = -1;                                                                                 \
        stolen_;                                                                                   \
    })

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
