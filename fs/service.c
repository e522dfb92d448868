#include "fs/service.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Not libsystemd: that starts libgcrypt and five more libraries before main, 15 ms where we take
 * 1 without it, for one datagram. */
static struct {
    struct sockaddr_un address;
    socklen_t len; /* 0: nobody to tell */
} manager;

void service_begin(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    size_t n = path ? strlen(path) : 0;
    if (n > 1 && n < sizeof manager.address.sun_path && strchr("/@", *path)) {
        manager.address.sun_family = AF_UNIX;
        memcpy(manager.address.sun_path, path, n);
        if (*path == '@') /* a name without a file */
            manager.address.sun_path[0] = '\0';
        manager.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    }
    unsetenv("NOTIFY_SOCKET");
}

/* Waits if the manager has much to read: a READY=1 that is lost is a service that never starts. */
static void tell(const struct text *state)
{
    if (manager.len == 0 || state->failed)
        return;
    int fd CLEANUP_CLOSE = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    while (fd >= 0 &&
           sendto(fd, state->data, state->len, MSG_NOSIGNAL,
                  (const struct sockaddr *)&manager.address, manager.len) < 0 &&
           errno == EINTR)
        ;
}

/* A line is one assignment: a path or a message with a newline must not be two. */
static void add_status(struct text *state, const char *status)
{
    text_add(state, "STATUS=");
    text_add_printable(state, status);
    text_add(state, "\n");
}

void service_ready(bool forked, const char *store, const char *mountpoint)
{
    struct text state CLEANUP_TEXT = {0}, status CLEANUP_TEXT = {0};
    text_addf(&status, "serving %s at %s", store, mountpoint);
    text_add(&state, "READY=1\n");
    if (forked)
        text_addf(&state, "MAINPID=%d\n", (int)getpid());
    if (!status.failed)
        add_status(&state, status.data);
    tell(&state);
}

void service_stopping(bool keep_mounts)
{
    struct text state CLEANUP_TEXT = {0};
    text_add(&state, "STOPPING=1\n");
    add_status(&state, keep_mounts ? "stopping, active mounts stay" : "stopping");
    tell(&state);
}

void service_failed(const struct err *err)
{
    struct text state CLEANUP_TEXT = {0};
    text_addf(&state, "ERRNO=%d\n", err->num);
    add_status(&state, err->text);
    tell(&state);
}
