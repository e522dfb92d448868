#include "stages/fetch/http_outcome.h"

#include <criterion/criterion.h>
#include <curl/curl.h>
#include <string.h>

static void status(long code, enum stage_retry retry)
{
    struct transport_outcome outcome = {0};
    struct err err = {0};
    cr_assert_lt(http_outcome_status(code, "http://u:secret@h/x", "7", &outcome, &err), 0);
    cr_assert_eq(err.code, ERR_HTTP_STATUS);
    cr_assert_eq(outcome.retry, retry, "%ld", code);
    cr_assert_eq(outcome.retry_after, retry == RETRY_LATER ? 7000 : 0, "%ld", code);
    cr_assert_null(strstr(err.text, "secret"));
}

Test(http_outcome, what_a_status_means)
{
    for (long code = 400; code < 500; code++)
        status(code, code == 408 || code == 429 ? RETRY_LATER : RETRY_NEVER);
    for (long code = 500; code < 600; code++)
        status(code, RETRY_LATER);
    status(204, RETRY_NEVER);
    status(304, RETRY_NEVER);
}

Test(http_outcome, a_status_in_words)
{
    struct transport_outcome outcome = {0};
    struct err err = {0};
    http_outcome_status(404, "http://user:secret@h/x", NULL, &outcome, &err);
    cr_assert_str_eq(err.text, "404 Not Found from http://user:***@h/x");
    http_outcome_status(418, "http://h/x", NULL, &outcome, &err);
    cr_assert_str_eq(err.text, "418 from http://h/x");
}

static void gave_up(CURLcode code, enum err_code word, enum stage_retry retry)
{
    struct transport_outcome outcome = {0};
    struct err err = {0};
    cr_assert_lt(http_outcome_curl(code, "", "http://u:secret@h/x", &outcome, &err), 0);
    cr_assert_eq(err.code, word, "%d", code);
    cr_assert_eq(outcome.retry, retry, "%d", code);
    cr_assert_null(strstr(err.text, "secret"));
}

Test(http_outcome, what_libcurl_gave_up_for)
{
    gave_up(CURLE_COULDNT_RESOLVE_HOST, ERR_UNREACHABLE, RETRY_LATER);
    gave_up(CURLE_COULDNT_CONNECT, ERR_UNREACHABLE, RETRY_LATER);
    gave_up(CURLE_GOT_NOTHING, ERR_UNREACHABLE, RETRY_LATER);
    gave_up(CURLE_PARTIAL_FILE, ERR_UNREACHABLE, RETRY_LATER);
    gave_up(CURLE_SSL_CONNECT_ERROR, ERR_UNREACHABLE, RETRY_LATER);
    gave_up(CURLE_PEER_FAILED_VERIFICATION, ERR_UNREACHABLE, RETRY_NEVER);
    gave_up(CURLE_OPERATION_TIMEDOUT, ERR_TIMEOUT, RETRY_LATER);
    gave_up(CURLE_WEIRD_SERVER_REPLY, ERR_HTTP_STATUS, RETRY_LATER);
    gave_up(CURLE_FTP_WEIRD_PASS_REPLY, ERR_INTERNAL, RETRY_NEVER);
}

Test(http_outcome, what_libcurl_says_is_escaped)
{
    struct transport_outcome outcome = {0};
    struct err err = {0};
    http_outcome_curl(CURLE_RECV_ERROR, "bad\nline\x1b", "http://h/", &outcome, &err);
    cr_assert_str_eq(err.text, "http://h/: bad\\nline\\033");
}
