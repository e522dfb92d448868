#include "fs/client/options.h"

#include <errno.h>
#include <string.h>

static enum outcome run(struct request *request)
{
    struct tree tree;
    struct err err = {0};
    if (!(request->command->flags & COMMAND_NO_TREE)) {
        int r = tree_find(&tree, request->options->mount, &err);
        if (r < 0)
            return commands_fail(NULL, r, &err);
        request->tree = &tree;
    }
    return request->command->run(request);
}

int main(int argc, char **argv)
{
    struct options options;
    struct request request = {0};
    bool done;
    int status = (int)options_parse(argc, argv, &options, &request, &done);
    if (!done)
        status = (int)run(&request);
    /* Nobody must take half an answer for a whole one. */
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == OUTCOME_DONE) {
        fprintf(stderr, "imgstore: cannot write: %s\n", strerror(errno));
        status = OUTCOME_REFUSED;
    }
    return status;
}
