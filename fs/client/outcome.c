#include "fs/client/outcome.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

static const struct {
    int num;
    enum outcome outcome;
    const char *word;
} meanings[] = {
    {EINVAL, OUTCOME_USAGE, "not valid"},       {E2BIG, OUTCOME_USAGE, "too long"},
    {ENOTCONN, OUTCOME_NO_DAEMON, "no daemon"}, {ENOENT, OUTCOME_NO_IMAGE, "no such image"},
    {EBUSY, OUTCOME_REFUSED, "busy"},           {EEXIST, OUTCOME_REFUSED, "exists"},
    {ENOSPC, OUTCOME_REFUSED, "full"},          {EDQUOT, OUTCOME_REFUSED, "full"},
    {EAGAIN, OUTCOME_REFUSED, "queue full"},    {EPERM, OUTCOME_REFUSED, "not permitted"},
    {EACCES, OUTCOME_REFUSED, "not permitted"},
};

enum outcome outcome_of(int r)
{
    if (r >= 0)
        return OUTCOME_DONE;
    for (size_t i = 0; i < ARRAY_SIZE(meanings); i++)
        if (meanings[i].num == -r)
            return meanings[i].outcome;
    return OUTCOME_REFUSED;
}

const char *outcome_word(int r)
{
    for (size_t i = 0; i < ARRAY_SIZE(meanings); i++)
        if (meanings[i].num == -r)
            return meanings[i].word;
    return strerror(-r);
}
