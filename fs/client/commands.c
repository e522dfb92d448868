#include "fs/client/commands.h"

#include "base/cleanup.h"
#include "fs/client/complete.h"
#include "fs/client/export.h"
#include "fs/client/import.h"
#include "fs/client/list.h"
#include "fs/client/logs.h"
#include "fs/client/print.h"
#include "fs/client/screen.h"
#include "fs/client/shell.h"
#include "fs/client/snapshot.h"
#include "fs/client/status.h"
#include "fs/client/target.h"
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
    if (r == 0 && (r = print_json(image_json(&image))) < 0)
        err_set(&err, ERR_NONE, -r, "cannot print");
    return r < 0 ? commands_fail(name, r, &err) : OUTCOME_DONE;
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
    return err_set(err, ERR_NONE, EINVAL, "the name of an image is " IMAGE_NAME_RULE);
}

/* The control file is called what the command is. */
static int write_name(const struct request *request, const char *name, struct err *err)
{
    struct target target;
    const char *command = request->command->name;
    if (target_parse(name, &target, NULL) == 0 && *target.id)
        return err_set(
            err, ERR_NONE, EINVAL,
            "%s takes images; for a snapshot there are `imgstore snapshot %s %s --remove` "
            "and `imgstore reset %s`",
            command, target.name, target.id, name);
    int r = commands_check_name(name, err);
    return r < 0 ? r : tree_write(request->tree, command, name, err);
}

static enum outcome run_control(const struct request *request)
{
    enum outcome outcome = OUTCOME_DONE;
    for (int i = 0; i < request->argc; i++) {
        struct err err = {0};
        const char *name = request->argv[i];
        int r = write_name(request, name, &err);
        enum outcome each = r < 0 ? target_fail(request->tree, name, r, &err) : OUTCOME_DONE;
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
                       "the URL and the SHA256 are one word of ASCII each, and not empty; a "
                       "SHA256 is 64 hex digits");
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
        fprintf(stderr, "%s  is on its way; `imgstore wait %s` returns once it is ready\n", name,
                name);
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
     run_worker,
     "  MOUNTPOINT, where none is given, is $IMGSTORE_MOUNT, else /run/imgstore (not\n"
     "  as root: $XDG_RUNTIME_DIR/imgstore).\n"},
    {"fetch", "NAME URL SHA256 [--wait]", "fetch, verify, unpack and mount an image", 3, 3,
     COMMAND_WAIT, run_fetch,
     "  A URL of - is read from standard input: what is in it is in no list of\n"
     "  processes. `sha256sum FILE` gives the SHA256.\n"},
    {"status", "[NAME[@ID]...]", "show all about images, or the store", 0, -1, 0, status_run,
     "  NAME is an image, NAME@ID one of its snapshots; without either: the store.\n"},
    {"list", "[--sort KEY]", "show all images, a line each", 0, 0, COMMAND_SORT, list_run,
     "  KEY is name, state, progress, size, created or updated; -KEY turns it round.\n"},
    {"logs", "NAME [-f] [-n N]", "show what happened to an image", 1, 1,
     COMMAND_FOLLOW | COMMAND_LINES, logs_run,
     "  With -f it ends when the image is removed, and with 3 when the daemon goes.\n"
     "  --json prints the lines of MOUNT/events as they are.\n"},
    {"wait", "NAME...", "return once they are ready, or have failed", 1, -1, 0, run_wait, NULL},
    {"watch", "[NAME...]", "show how all images, or those, come on", 0, -1, 0, watch_run,
     "  Until the key q or Ctrl-C. Where it is no terminal, a line for each change.\n"},
    {"shell", "NAME[@ID] [COMMAND...]", "run a shell, or a command, in an image", 1, -1,
     COMMAND_REST, shell_run,
     "  In a mount and a process namespace of its own, with /proc, /sys (read-only),\n"
     "  /dev, /run, /tmp and the host's resolv.conf, none of which stays in the image;\n"
     "  a folder that the image lacks is left out, and named. The environment is PATH,\n"
     "  HOME, USER, LOGNAME, SHELL, the terminal's, and debian_chroot (Debian's\n"
     "  prompts show it). The shell is that of the image's root. Not a sandbox: root\n"
     "  in there is root.\n"
     "  Exit code: the command's; 125 if it could not be entered, 126 and 127 as a\n"
     "  shell has it.\n"},
    {"snapshot", "NAME [ID [OPTION]]", "list, make, remove, rename snapshots", 1, 2,
     COMMAND_REMOVE | COMMAND_RENAME, snapshot_run,
     "  Without an ID it lists them, with one it makes it, unless an option says\n"
     "  otherwise. A snapshot is another writable layer over the image, as pristine\n"
     "  as it was fetched. `imgstore shell NAME@ID` enters it.\n"},
    {"reset", "NAME[@ID]...", "drop what was written to images", 1, -1, 0, reset_run,
     "  Images and snapshots are as they were fetched then. What is in use is not\n"
     "  reset.\n"},
    {"export", "NAME[@ID] [FILE]", "write an image or a snapshot as a tar", 1, 2, 0, export_run,
     "  As it stands now. FILE left out, or -, is standard output; half a FILE is\n"
     "  never left.\n"},
    {"import", "NAME FILE|- [--wait]", "make an image of an archive that is here", 2, 2,
     COMMAND_WAIT, import_run, "  In any format that fetch takes; - is standard input.\n"},
    {"remove", "NAME...", "remove images and their writable layers", 1, -1, 0, run_control, NULL},
    {"retry", "NAME...", "try again what has failed", 1, -1, 0, run_control, NULL},
    {"cancel", "NAME...", "stop the work on an image", 1, -1, 0, run_control, NULL},
    {"activate", "NAME...", "mount stored images", 1, -1, 0, run_control, NULL},
    {"deactivate", "NAME...", "unmount images, keep what was written", 1, -1, 0, run_control, NULL},
    {"cleanup", "[--dry-run]", "remove what no name refers to", 0, 0, COMMAND_DRY_RUN, run_cleanup,
     NULL},
    {"__complete", "WORD...", "", 0, -1, COMMAND_NO_TREE | COMMAND_HIDDEN, complete_run, NULL},
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
