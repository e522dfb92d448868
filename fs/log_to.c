#include "fs/log_to.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#define IDENT "imgstorefs"

static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};

/* --- to syslog, and JSON, there or on the standard error */

static bool to_syslog;

static void put(const struct log_line *line, const char *s)
{
    if (to_syslog)
        syslog(priorities[line->level], "%s", s);
    else
        fprintf(stderr, "%s\n", s);
}

/* syslog has a time and a level of its own. */
static void write_syslog(const struct log_line *line)
{
    struct text text CLEANUP_TEXT = {0};
    log_add_fields(&text, line);
    if (!text.failed)
        put(line, text.data);
}

/* What is no UTF-8 is escaped. */
static json_t *json_text(const char *s)
{
    json_t *string = json_string(s);
    if (string)
        return string;
    struct text plain CLEANUP_TEXT = {0};
    text_add_printable(&plain, s);
    return plain.failed ? NULL : json_string(plain.data);
}

static void write_json(const struct log_line *line)
{
    char when[TEXT_TIME_MAX];
    const char *code = line->code == ERR_NONE ? NULL : err_word(line->code);
    json_t *image = line->image ? json_text(line->image) : json_null();
    json_t *object = json_pack("{s:s, s:s, s:o, s:s?, s:o}", "time", text_time(line->time, when),
                               "level", log_level_word(line->level), "image", image, "code", code,
                               "message", json_text(line->message));
    char *s CLEANUP_FREE = object ? json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    json_decref(object);
    if (s)
        put(line, s);
}

/* --- the journal */

#define JOURNAL         "/run/systemd/journal/socket"
#define JOURNAL_WAIT_MS 200

static const struct sockaddr_un journal_address = {.sun_family = AF_UNIX, .sun_path = JOURNAL};
static int journal = -1;
static unsigned long long lost; /* lines that it did not take; under the log's lock */

static const struct sockaddr *journal_name(void)
{
    return (const struct sockaddr *)&journal_address;
}

/* By its name each time: it may be another one after a restart. */
static bool send_text(const struct text *text, int how)
{
    return sendto(journal, text->data, text->len, MSG_NOSIGNAL | how, journal_name(),
                  sizeof journal_address) >= 0;
}

static bool journal_send(const struct log_line *line)
{
    struct text text CLEANUP_TEXT = {0};
    text_addf(&text,
              "PRIORITY=%d\nSYSLOG_FACILITY=%d\nSYSLOG_IDENTIFIER=" IDENT
              "\nSYSLOG_PID=%d\nMESSAGE=",
              priorities[line->level], LOG_FAC(LOG_DAEMON), (int)getpid());
    log_add_plain(&text, line->message);
    if (line->image) {
        text_add(&text, "\nIMGSTORE_IMAGE=");
        log_add_plain(&text, line->image);
    }
    if (line->code != ERR_NONE)
        text_addf(&text, "\nIMGSTORE_CODE=%s", err_word(line->code));
    text_add(&text, "\n");
    if (text.failed)
        return false;
    bool sent = send_text(&text, lost ? MSG_DONTWAIT : 0);
    return sent || (errno == EINTR && send_text(&text, MSG_DONTWAIT));
}

static void write_journal(const struct log_line *line)
{
    if (!journal_send(line)) {
        lost++;
        return;
    }
    if (lost == 0)
        return;
    char message[64];
    struct log_line told = {LOG_LEVEL_WARN, line->time, NULL, ERR_NONE, message};
    snprintf(message, sizeof message, "%llu lines of the log were lost before this", lost);
    if (journal_send(&told))
        lost = 0;
}

static int journal_open(void)
{
    int fd CLEANUP_CLOSE = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int trial CLEANUP_CLOSE = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const struct timeval wait = {.tv_usec = JOURNAL_WAIT_MS * 1000};
    if (fd < 0 || trial < 0 || connect(trial, journal_name(), sizeof journal_address) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) < 0)
        return -errno;
    journal = steal_fd(fd);
    return 0;
}

/* systemd says so of what it starts (systemd.exec(5)). */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;
    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

int log_to(const char *format, bool background, struct err *err)
{
    bool automatic = strcmp(format, "auto") == 0, wanted = strcmp(format, "journal") == 0;
    if (wanted || (automatic && (background || stderr_is_journal()))) {
        int r = journal_open();
        if (r < 0 && wanted)
            return err_set(err, ERR_INTERNAL, -r,
                           "log_format=journal: " JOURNAL ": %s; choose text or json",
                           strerror(-r));
        if (r == 0) {
            log_set_writer(write_journal);
            return 0;
        }
    }
    to_syslog = background;
    if (background)
        openlog(IDENT, LOG_PID, LOG_DAEMON);
    log_set_writer(strcmp(format, "json") == 0 ? write_json : background ? write_syslog : NULL);
    return 0;
}
