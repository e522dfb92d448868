#include "stages/unpack/info.h"

#include "base/boot.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"
#include "stages/unpack/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define INFO_MAX 1024

int info_write(int dirfd, const struct stage_result *result, struct err *err)
{
    char boot[BOOT_ID_MAX];
    struct text t CLEANUP_TEXT = {0};
    boot_id(boot);
    text_addf(&t,
              "format %s\nsize %lld\nentries %lld\nbytes %lld\nskipped %lld\nsink %s\nboot %s\n",
              format_name(result->format), (long long)result->size, (long long)result->entries,
              (long long)result->bytes, (long long)result->skipped, result->sink, boot);
    if (t.failed)
        return err_sys(err, ENOMEM, "cannot write the image's info");
    int fd CLEANUP_CLOSE =
        openat(dirfd, INFO_FILE, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int r = fd < 0 ? -errno : io_write(fd, t.data, t.len);
    return r < 0 ? err_sys(err, -r, "cannot write the image's info") : 0;
}

static int64_t number(const char *s)
{
    int64_t n;
    return text_parse_size(s, &n) ? n : -1;
}

static void take(const char *key, const char *value, struct stage_result *result, bool *this_boot)
{
    char boot[BOOT_ID_MAX];
    if (strcmp(key, "format") == 0)
        result->format = format_of(value);
    else if (strcmp(key, "size") == 0)
        result->size = number(value);
    else if (strcmp(key, "entries") == 0)
        result->entries = number(value);
    else if (strcmp(key, "bytes") == 0)
        result->bytes = number(value);
    else if (strcmp(key, "skipped") == 0)
        result->skipped = number(value);
    else if (strcmp(key, "sink") == 0)
        result->sink = sink_word(value);
    else if (strcmp(key, "boot") == 0) {
        boot_id(boot);
        *this_boot = strcmp(value, boot) == 0;
    }
}

int info_read(int images, const char *name, struct stage_result *result, bool *this_boot)
{
    char path[PATHS_FILE_MAX + sizeof INFO_FILE], text[INFO_MAX];
    bool ignored;
    this_boot = this_boot ? this_boot : &ignored;
    *this_boot = false;
    result->size = result->entries = result->bytes = result->skipped = -1;
    snprintf(path, sizeof path, "%s/" INFO_FILE, name);
    int fd CLEANUP_CLOSE = openat(images, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    result->sink = sink_dir.name; /* older ones do not say, and are of no other */
    ssize_t n = io_read(fd, text, sizeof text - 1);
    if (n < 0)
        return (int)n;
    text[n] = '\0';
    char *save, *key, *value;
    for (key = strtok_r(text, " \n", &save); key && (value = strtok_r(NULL, " \n", &save));
         key = strtok_r(NULL, " \n", &save))
        take(key, value, result, this_boot);
    return 0;
}
