/* outcome: what a negative errno means to whoever ran the client. Pure. */
#ifndef CLIENT_OUTCOME_H
#define CLIENT_OUTCOME_H

/* The exit codes of the contract. */
enum outcome {
    OUTCOME_DONE = 0,
    OUTCOME_FAILED = 1, /* an image failed: from `wait` and `fetch --wait` alone */
    OUTCOME_USAGE = 2,
    OUTCOME_NO_DAEMON = 3,
    OUTCOME_NO_IMAGE = 4,
    OUTCOME_REFUSED = 5,
    OUTCOME_SIGNAL = 128, /* and the signal's number: broken off by it, as a shell has it */
};

/* r is 0 or -errno. Inside the client -ENOTCONN says that there is no daemon, -ENOENT that there
 * is no such image: tree.c turns the kernel's many ways of saying so into these. */
enum outcome outcome_of(int r);

/* "busy", "exists" …: the short word before the reason. */
const char *outcome_word(int r);

#endif
