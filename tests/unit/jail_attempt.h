/* jail_attempt: how that program ends. */
#ifndef TESTS_JAIL_ATTEMPT_H
#define TESTS_JAIL_ATTEMPT_H

#define ATTEMPT_REFUSED 40
#define ATTEMPT_DONE    41

#endif
