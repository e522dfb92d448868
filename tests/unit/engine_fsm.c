#include "engine/fsm.h"

#include "base/cleanup.h"

#include <criterion/criterion.h>
#include <string.h>

#define EVENT_COUNT 11
#define GOLDEN      9

/* The machine, written down a second time: where each event leads from each state, "-" where it
 * does not fit. The columns are `events`, the rows the contract's states in their order. */
static const char *const events[EVENT_COUNT] = {"claim",  "done",      "again",    "fail",
                                                "cancel", "retry",     "activate", "deactivate",
                                                "remove", "unmounted", "missing"};

/* clang-format off */
static const char *const golden[GOLDEN][1 + EVENT_COUNT] = {
    /*              claim          done          again          fail      cancel    retry  activate      deactivate remove  unmounted missing */
    {"NEW",         "DOWNLOADING", "-",          "-",           "-",      "FAILED", "-",   "-",          "-",       "GONE", "-",      "-"},
    {"DOWNLOADING", "-",           "DOWNLOADED", "DOWNLOADING", "FAILED", "FAILED", "-",   "-",          "-",       "GONE", "-",      "-"},
    {"DOWNLOADED",  "UNPACKING",   "-",          "-",           "-",      "FAILED", "-",   "-",          "-",       "GONE", "-",      "NEW"},
    {"UNPACKING",   "-",           "UNPACKED",   "-",           "FAILED", "FAILED", "-",   "-",          "-",       "GONE", "-",      "NEW"},
    {"UNPACKED",    "-",           "STORED",     "-",           "FAILED", "FAILED", "-",   "-",          "-",       "GONE", "-",      "NEW"},
    {"STORED",      "ACTIVATING",  "-",          "-",           "-",      "FAILED", "-",   "ACTIVATING", "STORED",  "GONE", "-",      "NEW"},
    {"ACTIVATING",  "-",           "ACTIVE",     "-",           "FAILED", "FAILED", "-",   "ACTIVATING", "-",       "GONE", "-",      "NEW"},
    {"ACTIVE",      "-",           "-",          "-",           "-",      "-",      "-",   "ACTIVE",     "STORED",  "GONE", "ACTIVATING", "NEW"},
    {"FAILED",      "-",           "-",          "-",           "-",      "-",      "NEW", "-",          "-",       "GONE", "-",      "-"},
};
/* clang-format on */

static const struct {
    const char *from, *event;
    enum fsm_stage stage;
} stages[] = {
    {"NEW", "claim", FSM_RUN_FETCH},        {"DOWNLOADED", "claim", FSM_RUN_UNPACK},
    {"UNPACKING", "done", FSM_RUN_PUBLISH}, {"STORED", "claim", FSM_RUN_MOUNT},
    {"STORED", "activate", FSM_RUN_MOUNT},
};

static enum fsm_stage golden_stage(const char *from, const char *event)
{
    for (size_t i = 0; i < ARRAY_SIZE(stages); i++)
        if (strcmp(stages[i].from, from) == 0 && strcmp(stages[i].event, event) == 0)
            return stages[i].stage;
    return FSM_RUN_NOTHING;
}

static const char *target(const struct fsm_row *row)
{
    return !row ? "-" : row->to == FSM_GONE ? "GONE" : fsm_state_word(row->to);
}

Test(fsm, every_state_and_event_as_in_the_golden_table)
{
    cr_assert_eq(FSM_STATES, GOLDEN);
    cr_assert_eq(FSM_EVENTS, EVENT_COUNT);
    for (int s = 0; s < GOLDEN; s++) {
        cr_assert_str_eq(fsm_state_word((enum fsm_state)s), golden[s][0]);
        for (int e = 0; e < EVENT_COUNT; e++) {
            const struct fsm_row *row = fsm_next((enum fsm_state)s, (enum fsm_event)e);
            cr_expect_str_eq(target(row), golden[s][1 + e], "%s, %s", golden[s][0], events[e]);
            cr_expect_eq(row ? row->stage : FSM_RUN_NOTHING, golden_stage(golden[s][0], events[e]),
                         "the stage of %s, %s", golden[s][0], events[e]);
            if (row)
                cr_expect(row->from == (enum fsm_state)s && row->event == (enum fsm_event)e);
        }
    }
}

Test(fsm, events_have_their_words)
{
    for (int e = 0; e < EVENT_COUNT; e++)
        cr_expect_str_eq(fsm_event_word((enum fsm_event)e), events[e]);
}

Test(fsm, nothing_happens_to_what_is_gone)
{
    cr_assert_str_eq(fsm_state_word(FSM_GONE), "");
    for (int e = 0; e < FSM_EVENTS; e++)
        cr_assert_null(fsm_next(FSM_GONE, (enum fsm_event)e));
}

Test(fsm, a_word_is_one_state)
{
    enum fsm_state state = FSM_GONE;
    for (int s = 0; s < GOLDEN; s++) {
        cr_assert(fsm_parse_state(golden[s][0], &state));
        cr_assert_eq(state, (enum fsm_state)s);
    }
    static const char *const others[] = {"", "GONE", "new", "ACTIV", "ACTIVE ", "UNPACKEDX"};
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        cr_assert_not(fsm_parse_state(others[i], &state), "%s", others[i]);
}

Test(fsm, the_stage_of_a_state_is_run_again_after_a_crash)
{
    static const enum fsm_stage in[GOLDEN] = {
        [FSM_DOWNLOADING] = FSM_RUN_FETCH,
        [FSM_UNPACKING] = FSM_RUN_UNPACK,
        [FSM_UNPACKED] = FSM_RUN_PUBLISH,
        [FSM_ACTIVATING] = FSM_RUN_MOUNT,
    };
    for (int s = 0; s < GOLDEN; s++)
        cr_expect_eq(fsm_stage_in((enum fsm_state)s), in[s], "%s", golden[s][0]);
}

/* Each state that a stage runs in must know what to do with success and with failure; the way on
 * from one where none runs begins with a claim or by the user's word. */
Test(fsm, no_outcome_is_without_a_row)
{
    for (int s = 0; s < GOLDEN; s++) {
        enum fsm_state state = (enum fsm_state)s;
        bool runs = fsm_stage_in(state) != FSM_RUN_NOTHING;
        cr_expect_eq(fsm_next(state, FSM_EV_DONE) != NULL, runs, "%s", golden[s][0]);
        cr_expect_eq(fsm_next(state, FSM_EV_FAIL) != NULL, runs, "%s", golden[s][0]);
        cr_expect_not(runs && fsm_next(state, FSM_EV_CLAIM), "%s", golden[s][0]);
    }
}

Test(fsm, underway_is_what_cancel_fits)
{
    for (int s = 0; s < GOLDEN; s++)
        cr_expect_eq(fsm_is_underway((enum fsm_state)s), s != FSM_ACTIVE && s != FSM_FAILED, "%s",
                     golden[s][0]);
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;
    for (; (text = strstr(text, what)); text += strlen(what))
        n++;
    return n;
}

Test(fsm, the_printed_machine_names_nine_states_and_every_row)
{
    struct text out CLEANUP_TEXT = {0};
    char line[128];
    size_t arrows = 0;
    fsm_print(&out);
    cr_assert_eq(strncmp(out.data, "digraph imgstorefs {\n", 21), 0);
    cr_assert_str_eq(out.data + out.len - 2, "}\n");
    for (int s = 0; s < GOLDEN; s++) {
        snprintf(line, sizeof line, "\n    %s", golden[s][0]);
        const char *node = strstr(out.data, line);
        cr_assert(node && strchr(" ;", node[strlen(line)]), "%s", golden[s][0]);
        for (int e = 0; e < EVENT_COUNT; e++) {
            const char *to = golden[s][1 + e];
            snprintf(line, sizeof line, "\n    %s -> %s [label=\"%s\"];\n", golden[s][0], to,
                     events[e]);
            cr_expect_eq(count(out.data, line), strcmp(to, "-") != 0, "%s", line);
            arrows += strcmp(to, "-") != 0;
        }
    }
    cr_assert_eq(count(out.data, "->"), arrows);
    cr_assert_eq(count(out.data, "("), 4); /* fetch, unpack, publish, mount */
}
