/* array: room for one more at the end of a growing list. Pure; any thread. */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#include <stdlib.h>

/* The list, moved or not, with room for at least one element of `size` bytes behind the `count`
 * that it has; NULL: out of memory, and it is where and as it was. */
static inline void *array_more(void *list, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return list;
    size_t more = *capacity ? 2 * *capacity : 16;
    list = reallocarray(list, more, size);
    if (list)
        *capacity = more;
    return list;
}

#endif
