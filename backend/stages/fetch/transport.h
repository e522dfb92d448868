/* transport: one way of getting bytes from a URL. One file a transport; fetch.c holds the array.
 *
 * A transport speaks its protocol and nothing more: it knows neither files nor digests. It says
 * where the bytes begin, hands them over, and classes its failures. */
#ifndef STAGES_FETCH_TRANSPORT_H
#define STAGES_FETCH_TRANSPORT_H

#include "stages/stage.h"

struct transport_request {
    const char *url;    /* with its credentials; errors show it masked */
    int64_t offset;     /* the first byte wanted; 0: all of it */
    const char *tag;    /* names the version that the bytes before `offset` are of; "" if 0 */
    int64_t connect_ms; /* until a connection stands */
    int64_t stall_ms;   /* without a byte, headers included */
    int cancel_fd;      /* becomes readable when it is no longer wanted: -ECANCELED, at once */
};

/* Where the bytes go. A negative return ends the transfer, and run returns it. */
struct transport_sink {
    void *ctx;
    /* Once, before any byte, also if there is none. `offset` is where the bytes begin, `total` the
     * whole length (-1: not announced), `tag` names this version exactly enough to resume it later
     * (NULL: nothing does). */
    int (*begin)(void *ctx, int64_t offset, int64_t total, const char *tag, struct err *err);
    int (*bytes)(void *ctx, const void *bytes, size_t n, struct err *err);
};

/* How a failure is to be taken. Zeroed (RETRY_NEVER) before the run. */
struct transport_outcome {
    enum stage_retry retry;
    int64_t retry_after; /* ms that the server asked for; 0: it did not */
};

struct transport {
    const char *schemes[4]; /* lower case, NULL-terminated */
    /* Once, before anything else, in one thread. */
    int (*prepare)(struct err *err);
    /* Pure; any thread. False, and err says why. */
    bool (*url_valid)(const char *url, struct err *err);
    /* One request, redirects followed. 0 once the sink has had every byte that was announced;
     * -ESTALE if the bytes from `offset` on cannot be had of that version: ask for all of it. */
    int (*run)(const struct transport_request *request, const struct transport_sink *sink,
               struct transport_outcome *outcome, struct err *err);
};

extern const struct transport transport_http;

#endif
