#include "base/boot.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

#define FILE_OF_ID "/proc/sys/kernel/random/boot_id"
#define MARK       "user.imgstore.boot"

void boot_id(char out[static BOOT_ID_MAX])
{
    int fd CLEANUP_CLOSE = open(FILE_OF_ID, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : io_read(fd, out, BOOT_ID_MAX - 1);
    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    if (*out == '\0')
        memcpy(out, BOOT_ID_NONE, sizeof BOOT_ID_NONE);
}

void boot_mark(int fd)
{
    char id[BOOT_ID_MAX];
    boot_id(id);
    fsetxattr(fd, MARK, id, strlen(id), 0);
}

bool boot_marked(int fd)
{
    char id[BOOT_ID_MAX], mark[BOOT_ID_MAX];
    ssize_t n = fgetxattr(fd, MARK, mark, sizeof mark);
    boot_id(id);
    return n > 0 && strcmp(id, BOOT_ID_NONE) != 0 && (size_t)n == strlen(id) &&
           memcmp(mark, id, (size_t)n) == 0;
}
