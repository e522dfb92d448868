/* fetch: URL → blobs/<sha256>.<format>, verified and durable (fetch_run, in stages/stage.h).
 *
 * One run is one attempt; who calls decides whether another follows, and when. */
#ifndef STAGES_FETCH_FETCH_H
#define STAGES_FETCH_FETCH_H

#include "base/err.h"

#include <stdbool.h>

/* Could this URL be fetched, as far as its spelling tells? Pure; any thread. False, and err says
 * why, without the URL. */
bool fetch_url_valid(const char *url, struct err *err);

#endif
