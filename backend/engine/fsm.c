#include "engine/fsm.h"

#include "base/cleanup.h"

#include <string.h>

static const char *const states[FSM_STATES + 1] = {
#define STATE(id, word) [FSM_##id] = (word),
#include "engine/fsm.def"
#undef STATE
    [FSM_GONE] = "",
};

static const char *const events[FSM_EVENTS] = {
#define EVENT(id, word) [FSM_EV_##id] = (word),
#include "engine/fsm.def"
#undef EVENT
};

static const struct fsm_row rows[] = {
#define ROW(from, event, to, stage) {FSM_##from, FSM_EV_##event, FSM_##to, FSM_RUN_##stage},
#include "engine/fsm.def"
#undef ROW
};

const struct fsm_row *fsm_next(enum fsm_state state, enum fsm_event event)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].from == state && rows[i].event == event)
            return &rows[i];
    return NULL;
}

enum fsm_stage fsm_stage_in(enum fsm_state state)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].to == state && rows[i].stage != FSM_RUN_NOTHING)
            return rows[i].stage;
    return FSM_RUN_NOTHING;
}

bool fsm_is_underway(enum fsm_state state)
{
    return fsm_next(state, FSM_EV_CANCEL) != NULL;
}

const char *fsm_state_word(enum fsm_state state)
{
    return states[state];
}

const char *fsm_event_word(enum fsm_event event)
{
    return events[event];
}

bool fsm_parse_state(const char *word, enum fsm_state *state)
{
    for (size_t s = 0; s < FSM_STATES; s++)
        if (strcmp(states[s], word) == 0) {
            *state = (enum fsm_state)s;
            return true;
        }
    return false;
}

void fsm_print(struct text *out)
{
    static const char *const stages[] = {"", "fetch", "unpack", "publish", "mount"};
    text_add(out, "digraph imgstorefs {\n    rankdir=LR;\n    node [shape=box];\n");
    for (size_t s = 0; s < FSM_STATES; s++) {
        enum fsm_stage stage = fsm_stage_in((enum fsm_state)s);
        text_addf(out, "    %s", states[s]);
        if (stage != FSM_RUN_NOTHING)
            text_addf(out, " [label=\"%s\\n(%s)\"]", states[s], stages[stage]);
        text_add(out, ";\n");
    }
    text_add(out, "    GONE [shape=point];\n");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        text_addf(out, "    %s -> %s [label=\"%s\"];\n", states[rows[i].from],
                  rows[i].to == FSM_GONE ? "GONE" : states[rows[i].to], events[rows[i].event]);
    text_add(out, "}\n");
}
