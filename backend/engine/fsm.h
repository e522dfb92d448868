/* fsm: the state machine of fsm.def as pure functions. Any thread. */
#ifndef ENGINE_FSM_H
#define ENGINE_FSM_H

#include "base/text.h"

#include <stdbool.h>

enum fsm_state {
#define STATE(id, word) FSM_##id,
#include "engine/fsm.def"
#undef STATE
    FSM_STATES,
    FSM_GONE = FSM_STATES, /* removed: no state at all */
};

enum fsm_event {
#define EVENT(id, word) FSM_EV_##id,
#include "engine/fsm.def"
#undef EVENT
    FSM_EVENTS
};

/* What a row runs; engine/work.c says how. */
enum fsm_stage { FSM_RUN_NOTHING, FSM_RUN_FETCH, FSM_RUN_UNPACK, FSM_RUN_PUBLISH, FSM_RUN_MOUNT };

struct fsm_row {
    enum fsm_state from;
    enum fsm_event event;
    enum fsm_state to;
    enum fsm_stage stage;
};

/* The row for that event in that state; NULL: the event does not fit the state. */
const struct fsm_row *fsm_next(enum fsm_state state, enum fsm_event event);

/* The stage that runs in a state, to be run again after a crash; FSM_RUN_NOTHING where none does.
 */
enum fsm_stage fsm_stage_in(enum fsm_state state);

/* Does the state lie on the way from NEW to ACTIVE? STORED does: whether it is meant to stay there
 * is `want`'s to say. */
bool fsm_is_underway(enum fsm_state state);

const char *fsm_state_word(enum fsm_state state); /* "" for FSM_GONE */
const char *fsm_event_word(enum fsm_event event);
bool fsm_parse_state(const char *word, enum fsm_state *state);

/* The machine in Graphviz's language. */
void fsm_print(struct text *out);

#endif
