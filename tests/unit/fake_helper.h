/* fake_helper: an unpacking helper that does what its archive says, and so can lie. The archive is
 * a struct fake_script, data_len bytes for the data file (from WIRE_BLOCK on) and wire_len bytes
 * for the pipe. */
#ifndef TESTS_FAKE_HELPER_H
#define TESTS_FAKE_HELPER_H

#include <stdint.h>

enum fake_action {
    FAKE_EXIT,   /* arg: status */
    FAKE_SIGNAL, /* arg: signal to die of */
    FAKE_HANG,   /* writes, then sleeps for ever */
    FAKE_LINGER, /* writes, closes the pipe, sleeps for ever */
    FAKE_FLOOD,  /* writes the same for ever */
    FAKE_SLOW,   /* a byte at a time, arg ms apart */
    FAKE_FUZZ, /* FAKE_RECORDS random records of the seed arg (fake_fuzz.c says which), then wire */
    FAKE_TELL  /* an error record that says what this process was given */
};

#define FAKE_RECORDS 1500

/* Writes them to the pipe. */
void fake_fuzz(uint32_t seed);

struct fake_script {
    uint32_t action, arg;
    uint64_t data_len, wire_len;
};

#endif
