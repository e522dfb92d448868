/* Every allocation of every library in the process: the malloc of an executable comes before the C
 * library's own. The program's allocations are steps of the kind ALLOC, where it is linked with
 * wrap.c, and are not counted here again. */
#include "fault.h"

#include <errno.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define REAL(name) __interceptor_##name
#else
#define REAL(name) __libc_##name
#endif

void *REAL(malloc)(size_t n);
void *REAL(calloc)(size_t n, size_t m);
void *REAL(realloc)(void *p, size_t n);

#define LIBRARIES_MAX 128

static struct library {
    uintptr_t from, to;
    char name[40]; /* its file's; "" is the program */
} libraries[LIBRARIES_MAX];
static size_t count;
static bool counted;
static struct library unknown = {.name = "dlopened"};

static int note(struct dl_phdr_info *info, size_t size, void *only)
{
    const char *slash = strrchr(info->dlpi_name, '/');
    const char *name = slash ? slash + 1 : info->dlpi_name;
    for (size_t i = 0; i < info->dlpi_phnum && count < LIBRARIES_MAX; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
            continue;
        struct library *l = &libraries[count++];
        l->from = info->dlpi_addr + p->p_vaddr;
        l->to = l->from + p->p_memsz;
        /* Without memory for a thread's variables the loader itself ends the process. */
        bool skipped = strncmp(name, "ld-linux", 8) == 0 || (only && !strstr(name, only)) ||
                       strncmp(name, "libasan", 7) == 0 || strncmp(name, "libtsan", 7) == 0;
        snprintf(l->name, sizeof l->name, "%s", skipped ? "" : name);
    }
    return 0;
}

void fault_malloc_begin(const char *only)
{
    dl_iterate_phdr(note, (void *)(uintptr_t)only);
    if (only)
        unknown.name[0] = '\0';
    counted = true;
}

static const struct library *library_of(const void *caller)
{
    uintptr_t at = (uintptr_t)caller;
    for (size_t i = 0; i < count; i++)
        if (at >= libraries[i].from && at < libraries[i].to)
            return &libraries[i];
    return &unknown;
}

static bool is_due(const void *caller)
{
    const struct library *l = library_of(caller);
    struct fault_step step = {FAULT_MALLOC, l->name, caller, ENOMEM, 0};
    if (!*l->name || !fault_before(&step))
        return false;
    errno = ENOMEM;
    return true;
}

#define REPLACES(name, parameters, arguments)                                                      \
    FAULT_EARLY void *name parameters                                                              \
    {                                                                                              \
        return counted && is_due(__builtin_return_address(0)) ? NULL : REAL(name) arguments;       \
    }
REPLACES(malloc, (size_t n), (n))
REPLACES(calloc, (size_t n, size_t m), (n, m))
REPLACES(realloc, (void *p, size_t n), (p, n))
