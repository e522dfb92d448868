#include "stages/fetch/http_outcome.h"

#include "stages/fetch/http_header.h"
#include "stages/fetch/http_url.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>

/* 4xx say that the request is at fault, but for these two; 5xx that the server is. */
static enum stage_retry retry_of(long status)
{
    return status == 408 || status == 429 || status >= 500 ? RETRY_LATER : RETRY_NEVER;
}

int http_outcome_status(long status, const char *url, const char *retry_after,
                        struct transport_outcome *outcome, struct err *err)
{
    struct text t CLEANUP_TEXT = {0};
    const char *reason = http_header_reason(status);
    text_addf(&t, "%ld%s%s from ", status, *reason ? " " : "", reason);
    http_url_show(&t, url);
    outcome->retry = retry_of(status);
    if (retry_after && outcome->retry == RETRY_LATER)
        outcome->retry_after = http_header_retry_after(retry_after, text_now_ms());
    return err_set(err, ERR_HTTP_STATUS, EPROTO, "%s", t.data ? t.data : "");
}

/* Every code that an http or https GET of ours can end with. The network and the server may do
 * better next time; certificates, URLs and settings will not. */
static const struct verdict {
    CURLcode code;
    enum err_code word;
    int num;
    enum stage_retry retry;
} verdicts[] = {
    {CURLE_COULDNT_RESOLVE_PROXY, ERR_UNREACHABLE, EHOSTUNREACH, RETRY_LATER},
    {CURLE_COULDNT_RESOLVE_HOST, ERR_UNREACHABLE, EHOSTUNREACH, RETRY_LATER},
    {CURLE_COULDNT_CONNECT, ERR_UNREACHABLE, ECONNREFUSED, RETRY_LATER},
    {CURLE_INTERFACE_FAILED, ERR_UNREACHABLE, ENETUNREACH, RETRY_LATER},
    {CURLE_NO_CONNECTION_AVAILABLE, ERR_UNREACHABLE, ENETUNREACH, RETRY_LATER},
    {CURLE_PROXY, ERR_UNREACHABLE, EHOSTUNREACH, RETRY_LATER},
    {CURLE_SSL_CONNECT_ERROR, ERR_UNREACHABLE, ECONNABORTED, RETRY_LATER},
    {CURLE_SSL_SHUTDOWN_FAILED, ERR_UNREACHABLE, ECONNABORTED, RETRY_LATER},
    {CURLE_GOT_NOTHING, ERR_UNREACHABLE, ECONNRESET, RETRY_LATER},
    {CURLE_SEND_ERROR, ERR_UNREACHABLE, ECONNRESET, RETRY_LATER},
    {CURLE_RECV_ERROR, ERR_UNREACHABLE, ECONNRESET, RETRY_LATER},
    {CURLE_PARTIAL_FILE, ERR_UNREACHABLE, ECONNRESET, RETRY_LATER},
    {CURLE_HTTP2, ERR_UNREACHABLE, EPROTO, RETRY_LATER},
    {CURLE_HTTP2_STREAM, ERR_UNREACHABLE, EPROTO, RETRY_LATER},
    {CURLE_OPERATION_TIMEDOUT, ERR_TIMEOUT, ETIMEDOUT, RETRY_LATER},
    {CURLE_WEIRD_SERVER_REPLY, ERR_HTTP_STATUS, EPROTO, RETRY_LATER},
    {CURLE_UNSUPPORTED_PROTOCOL, ERR_HTTP_STATUS, EPROTO, RETRY_LATER}, /* no HTTP/1 answer */
    {CURLE_BAD_CONTENT_ENCODING, ERR_HTTP_STATUS, EPROTO, RETRY_LATER},
    {CURLE_RANGE_ERROR, ERR_HTTP_STATUS, EPROTO, RETRY_LATER},
    {CURLE_FILESIZE_EXCEEDED, ERR_HTTP_STATUS, EPROTO, RETRY_NEVER}, /* a length over 2^63 */
    {CURLE_REMOTE_ACCESS_DENIED, ERR_HTTP_STATUS, EACCES, RETRY_NEVER},
    {CURLE_LOGIN_DENIED, ERR_HTTP_STATUS, EACCES, RETRY_NEVER},
    {CURLE_AUTH_ERROR, ERR_HTTP_STATUS, EACCES, RETRY_NEVER},
    {CURLE_URL_MALFORMAT, ERR_UNREACHABLE, EINVAL, RETRY_NEVER},
    {CURLE_PEER_FAILED_VERIFICATION, ERR_UNREACHABLE, EACCES, RETRY_NEVER},
    {CURLE_SSL_CERTPROBLEM, ERR_UNREACHABLE, EACCES, RETRY_NEVER},
    {CURLE_SSL_CIPHER, ERR_UNREACHABLE, EACCES, RETRY_NEVER},
    {CURLE_SSL_ISSUER_ERROR, ERR_UNREACHABLE, EACCES, RETRY_NEVER},
    {CURLE_SSL_CACERT_BADFILE, ERR_UNREACHABLE, EACCES, RETRY_NEVER},
    {CURLE_SSL_CRL_BADFILE, ERR_UNREACHABLE, EACCES, RETRY_NEVER},
    {CURLE_SSL_PINNEDPUBKEYNOTMATCH, ERR_UNREACHABLE, EACCES, RETRY_NEVER},
    {CURLE_SSL_INVALIDCERTSTATUS, ERR_UNREACHABLE, EACCES, RETRY_NEVER},
    {CURLE_SSL_CLIENTCERT, ERR_UNREACHABLE, EACCES, RETRY_NEVER},
    {CURLE_SSL_ENGINE_NOTFOUND, ERR_UNREACHABLE, EACCES, RETRY_NEVER},
    {CURLE_SSL_ENGINE_SETFAILED, ERR_UNREACHABLE, EACCES, RETRY_NEVER},
    {CURLE_SSL_ENGINE_INITFAILED, ERR_UNREACHABLE, EACCES, RETRY_NEVER},
    {CURLE_OUT_OF_MEMORY, ERR_INTERNAL, ENOMEM, RETRY_LATER},
    /* Other protocols' codes, uploads', and our own mistakes. */
    {CURLE_OK, ERR_INTERNAL, EIO, RETRY_NEVER},
};

static const struct verdict *verdict_of(int code)
{
    const struct verdict *v = verdicts;
    while (v->code != CURLE_OK && (int)v->code != code)
        v++;
    return v;
}

int http_outcome_curl(int code, const char *detail, const char *url,
                      struct transport_outcome *outcome, struct err *err)
{
    const struct verdict *v = verdict_of(code);
    struct text t CLEANUP_TEXT = {0};
    http_url_show(&t, url);
    text_add(&t, ": ");
    if (!*detail)
        detail = curl_easy_strerror((CURLcode)code);
    text_add_escaped(&t, detail, strlen(detail));
    outcome->retry = v->retry;
    return err_set(err, v->word, v->num, "%s", t.data ? t.data : "");
}

int http_outcome_timeout(const char *what, int64_t ms, const char *url,
                         struct transport_outcome *outcome, struct err *err)
{
    struct text t CLEANUP_TEXT = {0};
    http_url_show(&t, url);
    outcome->retry = RETRY_LATER;
    return err_set(err, ERR_TIMEOUT, ETIMEDOUT, "%s from %s within %g s", what,
                   t.data ? t.data : "", (double)ms / 1000);
}

int http_outcome_answer(const char *what, const char *url, enum stage_retry retry,
                        struct transport_outcome *outcome, struct err *err)
{
    struct text t CLEANUP_TEXT = {0};
    http_url_show(&t, url);
    outcome->retry = retry;
    return err_set(err, ERR_HTTP_STATUS, EPROTO, "%s from %s", what, t.data ? t.data : "");
}
