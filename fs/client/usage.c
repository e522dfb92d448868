#include "fs/client/usage.h"

#include "fs/client/nearest.h"
#include "fs/client/options.h"

static void print_option(FILE *out, const struct option_row *row, const char *whose)
{
    char form[32];
    snprintf(form, sizeof form, "%s%c%s--%s%s%s", row->is_short ? "-" : "",
             row->is_short ? row->letter : ' ', row->is_short ? ", " : "   ", row->name,
             row->arg ? " " : "", row->arg ? row->arg : "");
    fprintf(out, "  %-17s  %s%s%s\n", form, whose, *whose ? ": " : "", row->help);
}

static void print_options(FILE *out, const struct command *command)
{
    for (const struct option_row *row = options_all(); row->name; row++)
        if (options_fits(row, command))
            print_option(out, row, "");
}

/* Those that are not everyone's, each with the commands that take it. */
static void print_special_options(FILE *out)
{
    for (const struct option_row *row = options_all(); row->name; row++) {
        struct text whose CLEANUP_TEXT = {0};
        for (const struct command *c = commands_all(); c->name; c++)
            if (row->flag & c->flags)
                text_addf(&whose, "%s%s", whose.len ? ", " : "", c->name);
        if (whose.len > 0 && !whose.failed)
            print_option(out, row, whose.data);
    }
}

static void print_one(FILE *out, const struct command *c)
{
    fprintf(out, "Usage: imgstore %s%s%s\n\n  %s\n", c->name, *c->args ? " " : "", c->args,
            c->help);
    if (c->more)
        fprintf(out, "\n%s", c->more);
    fputs("\nOptions:\n", out);
    print_options(out, c);
}

static void print_all(FILE *out)
{
    fputs("Usage: imgstore [--mount DIR] [--json] COMMAND [ARGUMENT...]\n\nCommands:\n", out);
    for (const struct command *c = commands_all(); c->name; c++)
        if (!(c->flags & COMMAND_HIDDEN))
            fprintf(out, "  %-10s %-24s %s\n", c->name, c->args, c->help);
    fputs("\nOptions:\n", out);
    print_options(out, NULL);
    print_special_options(out);
    fputs("\n`imgstore COMMAND --help` says more of a command.\n"
          "\nExit codes: 0 done; 1 an image failed (of wait and --wait); 2 wrong use;\n"
          "3 no daemon; 4 no such image; 5 refused (busy, exists, full, not permitted);\n"
          "of shell, the status of what ran there.\n",
          out);
}

void usage_print(FILE *out, const struct command *command)
{
    if (command)
        print_one(out, command);
    else
        print_all(out);
}

enum outcome usage_hint(const struct command *command)
{
    if (command)
        fprintf(stderr, "Usage: imgstore %s%s%s\n", command->name, *command->args ? " " : "",
                command->args);
    else
        fputs("imgstore --help shows what there is\n", stderr);
    return OUTCOME_USAGE;
}

enum outcome usage_unknown(const char *word)
{
    char *names[64];
    size_t n = 0;
    for (const struct command *c = commands_all(); c->name && n < 64; c++)
        if (!(c->flags & COMMAND_HIDDEN))
            names[n++] = (char *)c->name;
    const char *near = nearest(word, names, n);
    fprintf(stderr, "imgstore: no command %s; ", word);
    if (near)
        fprintf(stderr, "did you mean %s? ", near);
    return usage_hint(NULL);
}
