/* boot: which boot of the machine this is: what an earlier one has written may have lost its data.
 */
#ifndef BASE_BOOT_H
#define BASE_BOOT_H

#include <stdbool.h>

#define BOOT_ID_MAX  40  /* the NUL counted */
#define BOOT_ID_NONE "-" /* of a system that has none */

/* Any thread. */
void boot_id(char out[static BOOT_ID_MAX]);

/* Notes on an open file that it is known to be whole; and was it in this boot? Where the file
 * system keeps no notes it never was. */
void boot_mark(int fd);
bool boot_marked(int fd);

#endif
