/* fetch: URL → blobs/<sha256>.<format>, verified and durable (fetch_run, in stages/stage.h).
 *
 * One run is one attempt; who calls decides whether another follows, and when. */
#ifndef STAGES_FETCH_FETCH_H
#define STAGES_FETCH_FETCH_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Once, before the first fetch, in one thread: what the libraries make ready when they are first
 * used is ready then. Without memory they would not try again (OpenSSL even crashes at its next
 * use). */
int fetch_prepare(struct err *err);

/* Could this URL be fetched, as far as its spelling tells? Pure; any thread. False, and err says
 * why, without the URL. */
bool fetch_url_valid(const char *url, struct err *err);

/* In place of a URL, of what was written here: nothing but what is in the store can be had of it.
 */
#define FETCH_IMPORTED "import:"

/* Stands for the server (host and port) of a valid URL: the same number for all URLs of one. Pure;
 * any thread. */
uint64_t fetch_server(const char *url);

#endif
