/* gate: policy and namespace, as unpack drives them, held against a model of their own: whatever
 * goes in, what comes out is what INTERFACE allows. */
#ifndef TESTS_FUZZ_GATE_H
#define TESTS_FUZZ_GATE_H

#include "stages/unpack/namespace.h"
#include "stages/unpack/policy.h"

#define GATE_NAMES 128 /* in an image, as far as the model remembers them */

/* One name of the image, in the model. */
struct gate_name {
    char *path;
    enum wire_type type; /* HARDLINK: what it is a link to, never itself */
    bool skipped;
    unsigned climb; /* SYMLINK */
};

struct gate {
    struct policy_gate policy;
    struct namespace *names;
    struct gate_name model[GATE_NAMES];
    size_t count;
    bool full; /* the model remembers no more: only single entries are checked */
    int64_t seen;
    uint64_t bytes;
};

void gate_open(struct gate *g, enum policy policy, const struct limits *limits);

/* 0, or a negative errno where the archive is refused. Aborts if something got through. */
int gate_add(struct gate *g, const struct wire_item *item);

/* Checks the whole, and frees. */
void gate_close(struct gate *g);

#endif
