#include "base/cleanup.h"
#include "base/text.h"
#include "stages/fetch/http_header.h"
#include "stages/fetch/http_outcome.h"
#include "stages/fetch/http_url.h"
#include "stages/fetch/transport.h"

#include <curl/curl.h>
#include <string.h>

#define MAX_REDIRECTS    10
#define MAX_HEADER_BYTES ((size_t)256 << 10) /* of one answer, interim answers included */
#define BUFFER_SIZE      (512L << 10)
#define TICK_MS          1000 /* the longest sleep between two looks at the clock */

/* One request and its answer. */
struct exchange {
    CURLM *multi;
    CURL *easy;
    const struct transport_request *request;
    const struct transport_sink *sink;
    struct transport_outcome *outcome;
    struct err *err;
    const char *url; /* of this hop */
    char *next;      /* where a redirect leads; owned */
    bool may_link;   /* it may lead to an address of the link */
    bool linked;     /* it does */
    bool answered;   /* the final header was whole, and judged */
    bool accepted;   /* body bytes are for the sink */
    int result;      /* a negative errno stops the transfer */
    size_t header_bytes;
    int64_t asked;    /* when the request went out */
    int64_t received; /* when the last byte came */
    char detail[CURL_ERROR_SIZE];
};

/* NULL if there is no such field, or if there are several that differ: none can be believed. */
static const char *field(struct exchange *x, const char *name)
{
    struct curl_header *h;
    if (curl_easy_header(x->easy, name, 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
        return NULL;
    const char *value = h->value;
    size_t amount = h->amount;
    for (size_t i = 1; i < amount; i++)
        if (curl_easy_header(x->easy, name, i, CURLH_HEADER, -1, &h) != CURLHE_OK ||
            strcmp(h->value, value) != 0)
            return NULL;
    return value;
}

/* -1: not announced, which a chunked body's length never is. */
static int64_t announced_length(struct exchange *x)
{
    int64_t length;
    const char *value = field(x, "Content-Length");
    bool known = value && !field(x, "Transfer-Encoding") && http_header_length(value, &length);
    return known ? length : -1;
}

static int bad_answer(struct exchange *x, const char *what, enum stage_retry retry)
{
    return http_outcome_answer(what, x->url, retry, x->outcome, x->err);
}

static int accept_body(struct exchange *x, int64_t first, int64_t total)
{
    const char *tag = field(x, "ETag");
    if (tag && !http_header_strong(tag))
        tag = NULL;
    x->accepted = true;
    return x->sink->begin(x->sink->ctx, first, total, tag, x->err);
}

/* All from the byte that was asked for to the end, of the version that was asked for: anything else
 * could not be put behind what is there. */
static int accept_rest(struct exchange *x)
{
    struct http_range range;
    int64_t length = announced_length(x);
    const char *value = field(x, "Content-Range"), *tag = field(x, "ETag");
    bool good = value && http_header_range(value, &range) && range.first == x->request->offset &&
                (range.total < 0 || range.last == range.total - 1) &&
                (length < 0 || length == range.last - range.first + 1) &&
                (!tag || strcmp(tag, x->request->tag) == 0);
    if (good)
        return accept_body(x, range.first, range.total);
    if (x->request->offset == 0)
        return bad_answer(x, "a part of the file where all of it was asked for", RETRY_LATER);
    return err_set(x->err, ERR_HTTP_STATUS, ESTALE, "the rest cannot be had");
}

static int judge(struct exchange *x, long status)
{
    const char *location = field(x, "Location");
    switch (status) {
    case 200:
        return accept_body(x, 0, announced_length(x));
    case 206:
        return accept_rest(x);
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
        return location ? http_url_follow(x->url, location, &x->next, x->err)
                        : bad_answer(x, "a redirect without a Location", RETRY_NEVER);
    case 416:
        if (x->request->offset > 0)
            return err_set(x->err, ERR_HTTP_STATUS, ESTALE, "the rest cannot be had");
        break;
    }
    return http_outcome_status(status, x->url, field(x, "Retry-After"), x->outcome, x->err);
}

static bool is_blank(const char *line, size_t n)
{
    return n > 0 && (line[0] == '\r' || line[0] == '\n');
}

/* A whole final header decides everything: whatever body a redirect or an error brings is never
 * waited for. */
static size_t on_header(char *line, size_t size, size_t n, void *ctx)
{
    struct exchange *x = ctx;
    long status = 0;
    x->received = text_monotonic_ms();
    x->header_bytes += n;
    if (x->header_bytes > MAX_HEADER_BYTES)
        x->result = bad_answer(x, "endless headers", RETRY_LATER);
    else if (!x->answered && is_blank(line, n) &&
             curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK &&
             status >= 200) {
        x->answered = true;
        x->result = judge(x, status);
    }
    return x->result < 0 || x->next ? CURL_WRITEFUNC_ERROR : n;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *ctx)
{
    struct exchange *x = ctx;
    if (!x->accepted)
        x->result = bad_answer(x, "a body without an answer", RETRY_LATER);
    else
        x->result = x->sink->bytes(x->sink->ctx, bytes, n, x->err);
    x->received = text_monotonic_ms();
    return x->result < 0 ? CURL_WRITEFUNC_ERROR : n;
}

/* A body may be slow as long as it comes; a header has to be whole some time. */
static int overdue(struct exchange *x)
{
    int64_t stall = x->request->stall_ms, now = text_monotonic_ms(), header;
    curl_off_t connected = 0;
    curl_easy_getinfo(x->easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
    if (connected == 0) { /* libcurl's connect timeout holds until then */
        x->asked = x->received = now;
        return 0;
    }
    if (now - x->received >= stall)
        return http_outcome_timeout("no byte", stall, x->url, x->outcome, x->err);
    if (x->answered || __builtin_mul_overflow(stall, 2, &header) || now - x->asked < header)
        return 0;
    return http_outcome_timeout("no whole header", header, x->url, x->outcome, x->err);
}

static int sleep_ms(const struct exchange *x)
{
    int64_t left = x->request->stall_ms - (text_monotonic_ms() - x->received);
    return left > TICK_MS ? TICK_MS : left < 1 ? 1 : (int)left;
}

/* Sleeps until there is something to do. -ECANCELED if that is to stop. */
static int await(struct exchange *x)
{
    int r = overdue(x);
    if (r < 0)
        return r;
    struct curl_waitfd cancel = {.fd = x->request->cancel_fd, .events = CURL_WAIT_POLLIN};
    if (curl_multi_poll(x->multi, &cancel, cancel.fd >= 0, sleep_ms(x), NULL) != CURLM_OK)
        return err_set(x->err, ERR_INTERNAL, EIO, "libcurl cannot wait");
    return cancel.revents ? err_set(x->err, ERR_CANCELLED, ECANCELED, "cancelled") : 0;
}

/* A name that a redirect leads to may resolve to an address that the redirect itself may not. With
 * a proxy the address is the proxy's. */
static int on_connected(void *ctx, char *ip, char *local_ip, int port, int local_port)
{
    struct exchange *x = ctx;
    (void)local_ip, (void)port, (void)local_port;
    x->linked = http_url_address_link_local(ip);
    if (!x->linked || x->may_link)
        return CURL_PREREQFUNC_OK;
    x->result = bad_answer(x, "a redirect to a link-local address", RETRY_NEVER);
    return CURL_PREREQFUNC_ABORT;
}

static int conclude(struct exchange *x, CURLcode code)
{
    if (x->next)
        return 0;
    if (x->result < 0)
        return x->result;
    if (code != CURLE_OK)
        return http_outcome_curl(code, x->detail, x->url, x->outcome, x->err);
    return x->accepted ? 0 : bad_answer(x, "no answer", RETRY_LATER);
}

static int drive(struct exchange *x)
{
    for (;;) {
        int running = 0, left;
        if (curl_multi_perform(x->multi, &running) != CURLM_OK)
            return err_set(x->err, ERR_INTERNAL, EIO, "libcurl cannot go on");
        CURLMsg *done = running ? NULL : curl_multi_info_read(x->multi, &left);
        if (done)
            return conclude(x, done->data.result);
        int r = await(x);
        if (r < 0)
            return r;
    }
}

/* A time in ms as libcurl takes it, where 0 would mean its own default. */
static long clamp_ms(int64_t ms)
{
    return ms < 1 ? 1 : ms > INT32_MAX ? INT32_MAX : (long)ms;
}

/* Where OpenSSL's and curl's users say that their own authorities are; the system's, where they say
 * nothing. */
static unsigned configure_trust(CURL *easy)
{
    const char *bundle = getenv("CURL_CA_BUNDLE"), *file = getenv("SSL_CERT_FILE");
    const char *dir = getenv("SSL_CERT_DIR");
    unsigned failed = 0;
    if (bundle || file)
        failed |= curl_easy_setopt(easy, CURLOPT_CAINFO, bundle ? bundle : file);
    if (dir)
        failed |= curl_easy_setopt(easy, CURLOPT_CAPATH, dir);
    return failed;
}

/* What is the same for every hop. libcurl fails here for want of memory alone. No cookies, no
 * netrc, no decoding: their options are left alone, and off. */
static bool configure(CURL *easy, const struct transport_request *request)
{
    unsigned failed = configure_trust(easy);
    failed |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    failed |= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    /* One body gains nothing from multiplexing, and HTTP/1.1 is faster on one stream. */
    failed |= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    failed |= curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    failed |= curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
    failed |= curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    failed |= curl_easy_setopt(easy, CURLOPT_USERAGENT, "imgstorefs");
    failed |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    failed |= curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* a cancel does not wait for DNS */
    failed |= curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, BUFFER_SIZE);
    failed |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, clamp_ms(request->connect_ms));
    failed |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    failed |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    failed |= curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
    return !failed;
}

static bool configure_hop(struct exchange *x)
{
    unsigned failed = 0;
    failed |= curl_easy_setopt(x->easy, CURLOPT_URL, x->url);
    failed |= curl_easy_setopt(x->easy, CURLOPT_ERRORBUFFER, x->detail);
    failed |= curl_easy_setopt(x->easy, CURLOPT_HEADERDATA, x);
    failed |= curl_easy_setopt(x->easy, CURLOPT_WRITEDATA, x);
    failed |= curl_easy_setopt(x->easy, CURLOPT_PREREQDATA, x);
    return !failed;
}

static void cleanup_list(struct curl_slist **list)
{
    curl_slist_free_all(*list);
}
#define CLEANUP_LIST __attribute__((cleanup(cleanup_list)))

static bool configure_range(CURL *easy, const struct transport_request *request,
                            struct curl_slist **list)
{
    struct text range CLEANUP_TEXT = {0};
    struct text condition CLEANUP_TEXT = {0};
    text_addf(&range, "%lld-", (long long)request->offset);
    text_addf(&condition, "If-Range: %s", request->tag);
    if (range.failed || condition.failed)
        return false;
    *list = curl_slist_append(NULL, condition.data);
    return *list && curl_easy_setopt(easy, CURLOPT_RANGE, range.data) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTPHEADER, *list) == CURLE_OK;
}

static int out_of_memory(struct err *err)
{
    return err_set(err, ERR_INTERNAL, ENOMEM, "out of memory");
}

/* One hop: 0 with x->next set where a redirect leads on. */
static int run_hop(struct exchange *x)
{
    x->asked = x->received = text_monotonic_ms();
    if (!configure_hop(x) || curl_multi_add_handle(x->multi, x->easy) != CURLM_OK)
        return out_of_memory(x->err);
    int r = drive(x);
    curl_multi_remove_handle(x->multi, x->easy);
    return r;
}

static int run_hops(const struct exchange *common)
{
    char *url CLEANUP_FREE = strdup(common->request->url);
    bool may_link = true; /* as the user's own URL does, or not */
    for (int hop = 0; url && hop <= MAX_REDIRECTS; hop++) {
        struct exchange x = *common;
        x.url = url;
        x.may_link = may_link;
        int r = run_hop(&x);
        may_link = may_link && x.linked;
        if (r < 0 || !x.next) {
            free(x.next);
            return r;
        }
        free(url);
        url = x.next;
    }
    if (!url)
        return out_of_memory(common->err);
    return http_outcome_answer("more than 10 redirects", common->request->url, RETRY_NEVER,
                               common->outcome, common->err);
}

static void cleanup_multi(CURLM **multi)
{
    curl_multi_cleanup(*multi);
}
#define CLEANUP_MULTI __attribute__((cleanup(cleanup_multi)))

static void cleanup_easy(CURL **easy)
{
    curl_easy_cleanup(*easy);
}
#define CLEANUP_EASY __attribute__((cleanup(cleanup_easy)))

static int http_prepare(struct err *err)
{
    CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    return code == CURLE_OK ? 0
                            : err_set(err, ERR_INTERNAL, ENOMEM, "libcurl cannot start: %s",
                                      curl_easy_strerror(code));
}

static int http_run(const struct transport_request *request, const struct transport_sink *sink,
                    struct transport_outcome *outcome, struct err *err)
{
    if (request->offset > 0 && !http_header_strong(request->tag))
        return err_set(err, ERR_INTERNAL, ESTALE, "no version to resume");
    struct curl_slist *list CLEANUP_LIST = NULL;
    CURLM *multi CLEANUP_MULTI = curl_multi_init();
    CURL *easy CLEANUP_EASY = curl_easy_init();
    if (!multi || !easy || !configure(easy, request) ||
        (request->offset > 0 && !configure_range(easy, request, &list)))
        return out_of_memory(err);
    struct exchange common = {.multi = multi,
                              .easy = easy,
                              .request = request,
                              .sink = sink,
                              .outcome = outcome,
                              .err = err};
    return run_hops(&common);
}

const struct transport transport_http = {
    .schemes = {"http", "https", NULL},
    .prepare = http_prepare,
    .url_valid = http_url_valid,
    .run = http_run,
};
