#include "fs/client/commands.h"

#include "base/cleanup.h"
#include "fs/client/export.h"
#include "fs/client/import.h"
#include "fs/client/list.h"
#include "fs/client/print.h"
#include "fs/client/screen.h"
#include "fs/client/wait.h"
#include "fs/client/watch.h"
#include "fs/client/worker.h"

#include <errno.h>
#include <string.h>

enum outcome commands_fail(const char *subject, int r, const struct err *err)
{
    fprintf(stderr, "imgstore: %s%s%s\n", subject ? subject : "", subject ? ": " : "", err->text);
    return outcome_of(r);
}

enum outcome commands_show(const struct request *request, const char *name)
{
    struct image image CLEANUP_IMAGE = {0};
    struct err err = {0};
    int r = image_read(request->tree, name, &image, &err);
    if (r == 0 && !request->options->json)
        print_image(&image);
    else if (r == 0 && (r = print_json(image_json(&image))) < 0)
        err_set(&err, ERR_NONE, -r, "cannot print");
    return r < 0 ? commands_fail(name, r, &err) : OUTCOME_DONE;
}

static enum outcome run_status(const struct request *request)
{
    return commands_show(request, request->argv[0]);
}

/* One field of a control line: a blank or a newline in it would make it another request. */
static bool is_field(const char *s)
{
    for (const char *p = s; *p; p++)
        if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f)
            return false;
    return *s != '\0';
}

int commands_check_name(const char *name, struct err *err)
{
    if (image_name_ok(name))
        return 0;
    return err_set(err, ERR_NONE, EINVAL,
                   "a name is 1 to 128 of A-Z a-z 0-9 . _ - and begins with a letter or digit");
}

/* The control file is called what the command is. */
static enum outcome run_control(const struct request *request)
{
    enum outcome outcome = OUTCOME_DONE;
    for (int i = 0; i < request->argc; i++) {
        struct err err = {0};
        const char *name = request->argv[i];
        int r = commands_check_name(name, &err);
        if (r == 0)
            r = tree_write(request->tree, request->command->name, name, &err);
        enum outcome each = r < 0 ? commands_fail(name, r, &err) : OUTCOME_DONE;
        if (outcome == OUTCOME_DONE)
            outcome = each;
    }
    return outcome;
}

/* The first line of standard input: what is on a command line, everyone can read in /proc. */
static char *read_url(void)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n = getline(&line, &cap, stdin);
    if (n > 0 && line[n - 1] == '\n')
        line[n - 1] = '\0';
    if (n <= 0) {
        free(line);
        return NULL;
    }
    return line;
}

static int write_fetch(const struct tree *tree, const char *name, const char *url,
                       const char *sha256, struct err *err)
{
    struct text line CLEANUP_TEXT = {0};
    int r = commands_check_name(name, err);
    if (r < 0)
        return r;
    if (!url || !is_field(url) || !is_field(sha256))
        return err_set(err, ERR_NONE, EINVAL,
                       "the URL and the SHA256 are one word of ASCII each, and not empty");
    text_addf(&line, "%s %s %s", url, sha256, name);
    return line.failed ? err_set(err, ERR_NONE, ENOMEM, "out of memory")
                       : tree_write(tree, "fetch", line.data, err);
}

static enum outcome run_fetch(const struct request *request)
{
    struct err err = {0};
    char *name = request->argv[0], *url = request->argv[1];
    char *given CLEANUP_FREE = strcmp(url, "-") == 0 ? read_url() : strdup(url);
    int r = write_fetch(request->tree, name, given, request->argv[2], &err);
    if (r < 0)
        return commands_fail(name, r, &err);
    enum outcome outcome = OUTCOME_DONE;
    if (request->options->wait)
        outcome = wait_for(request->tree, &name, 1, true, NULL);
    else if (screen_is_terminal(STDERR_FILENO))
        fprintf(stderr, "%s  is on its way; imgstore wait %s\n", name, name);
    if (request->options->json && outcome <= OUTCOME_FAILED) {
        enum outcome shown = commands_show(request, name);
        outcome = outcome == OUTCOME_DONE ? shown : outcome;
    }
    return outcome;
}

static enum outcome run_wait(const struct request *request)
{
    struct err err = {0};
    for (int i = 0; i < request->argc; i++)
        if (commands_check_name(request->argv[i], &err) < 0)
            return commands_fail(request->argv[i], -EINVAL, &err);
    json_t *seen = request->options->json ? json_array() : NULL;
    enum outcome outcome =
        wait_for(request->tree, request->argv, (size_t)request->argc, false, seen);
    if (seen)
        print_json(seen);
    return outcome;
}

static json_t *lines_json(char *text)
{
    json_t *lines = json_array();
    char *save;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        json_array_append_new(lines, json_string(line));
    return lines;
}

static enum outcome run_cleanup(const struct request *request)
{
    struct text report CLEANUP_TEXT = {0};
    struct err err = {0};
    const char *mode = request->options->dry_run ? "dry-run" : "run";
    int r = tree_write(request->tree, "cleanup", mode, &err);
    if (r == 0)
        r = tree_read(request->tree, "ctl/cleanup", &report, &err);
    if (r < 0)
        return commands_fail("cleanup", r, &err);
    if (request->options->json)
        print_json(json_pack("{s:s, s:o}", "mode", mode, "report", lines_json(report.data)));
    else if (report.len > 0)
        puts(report.data);
    return OUTCOME_DONE;
}

static enum outcome run_worker(const struct request *request)
{
    struct err err = {0};
    const char *at = request->argc > 0 ? request->argv[0] : request->options->mount;
    return commands_fail(NULL, worker_exec(at, &err), &err);
}

static const struct command table[] = {
    {"worker", "[MOUNTPOINT]", "run the daemon in the foreground", 0, 1, COMMAND_NO_TREE,
     run_worker},
    {"fetch", "NAME URL SHA256 [--wait]", "download, verify, unpack and mount an image", 3, 3,
     COMMAND_WAIT, run_fetch},
    {"status", "NAME", "show all about one image", 1, 1, 0, run_status},
    {"list", "[--sort KEY]", "show all images, a line each", 0, 0, COMMAND_SORT, list_run},
    {"wait", "NAME...", "return once they are ready, or have failed", 1, -1, 0, run_wait},
    {"watch", "[NAME...]", "show how all images, or those, come on, until q", 0, -1, 0, watch_run},
    {"import", "NAME FILE|- [--wait]", "make an image of an archive that is here", 2, 2,
     COMMAND_WAIT, import_run},
    {"export", "NAME[@ID] [FILE]", "write an active image or snapshot as a tar", 1, 2, 0,
     export_run},
    {"remove", "NAME...", "remove images and their writable layers", 1, -1, 0, run_control},
    {"retry", "NAME...", "try again what has failed", 1, -1, 0, run_control},
    {"cancel", "NAME...", "stop the work on an image", 1, -1, 0, run_control},
    {"activate", "NAME...", "mount a stored image", 1, -1, 0, run_control},
    {"deactivate", "NAME...", "unmount an image, keep it and its writable layer", 1, -1, 0,
     run_control},
    {"cleanup", "[--dry-run]", "remove downloads and images that no name refers to", 0, 0,
     COMMAND_DRY_RUN, run_cleanup},
    {0},
};

const struct command *commands_all(void)
{
    return table;
}

const struct command *commands_find(const char *name)
{
    for (const struct command *c = table; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}
