#include "stages/fetch/http_url.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#define SHOWN_MAX 300 /* bytes of a URL in an error: the text has to hold more than that */

static void cleanup_url(CURLU **u)
{
    curl_url_cleanup(*u);
}
#define CLEANUP_URL __attribute__((cleanup(cleanup_url)))

static void cleanup_curl_free(char **s)
{
    curl_free(*s);
}
#define CLEANUP_CURL_FREE __attribute__((cleanup(cleanup_curl_free)))

/* Owned; NULL if the URL has no such part. */
static char *part(CURLU *u, CURLUPart what)
{
    char *s = NULL;
    return curl_url_get(u, what, &s, CURLU_DEFAULT_PORT) == CURLUE_OK ? s : NULL;
}

static bool same(CURLU *a, CURLU *b, CURLUPart what)
{
    char *x CLEANUP_CURL_FREE = part(a, what);
    char *y CLEANUP_CURL_FREE = part(b, what);
    return x && y && strcasecmp(x, y) == 0;
}

static bool same_origin(CURLU *a, CURLU *b)
{
    return same(a, b, CURLUPART_SCHEME) && same(a, b, CURLUPART_HOST) && same(a, b, CURLUPART_PORT);
}

static bool is_scheme(CURLU *u, const char *scheme)
{
    char *s CLEANUP_CURL_FREE = part(u, CURLUPART_SCHEME);
    return s && strcasecmp(s, scheme) == 0;
}

static const char *flaw(CURLU *u)
{
    char *host CLEANUP_CURL_FREE = part(u, CURLUPART_HOST);
    char *port CLEANUP_CURL_FREE = part(u, CURLUPART_PORT);
    if (!is_scheme(u, "http") && !is_scheme(u, "https"))
        return "the scheme is neither http nor https";
    if (!host || !host[0])
        return "there is no host";
    if (port && port[strspn(port, "0")] == '\0')
        return "0 is no port";
    return NULL;
}

/* curl takes "http:/h" and "http:h" for "http://h", where credentials would not be recognised. */
static const char *spelling_flaw(const char *url)
{
    for (const char *p = url; *p; p++)
        if (*p <= ' ' || *p > '~')
            return "it holds a space, a control character or a byte that is not ASCII";
    const char *colon = strchr(url, ':');
    if (!colon || strncmp(colon, "://", 3) != 0)
        return "it does not begin with http:// or https://";
    return colon[3] == '/' ? "there is no host" : NULL;
}

bool http_url_valid(const char *url, struct err *err)
{
    const char *why = spelling_flaw(url);
    if (!why) {
        CURLU *u CLEANUP_URL = curl_url();
        CURLUcode code = u ? curl_url_set(u, CURLUPART_URL, url, 0) : CURLUE_OUT_OF_MEMORY;
        why = code == CURLUE_OK ? flaw(u) : curl_url_strerror(code);
    }
    if (why)
        err_set(err, ERR_UNREACHABLE, EINVAL, "bad URL: %s", why);
    return !why;
}

static bool copy_part(CURLU *to, CURLU *from, CURLUPart what)
{
    char *s CLEANUP_CURL_FREE = part(from, what);
    return !s || curl_url_set(to, what, s, 0) == CURLUE_OK;
}

/* A relative location has inherited them; an absolute one of the same origin gets them back. */
static bool carry_credentials(CURLU *from, CURLU *next)
{
    char *user CLEANUP_CURL_FREE = part(next, CURLUPART_USER);
    if (user || !same_origin(from, next))
        return true;
    return copy_part(next, from, CURLUPART_USER) && copy_part(next, from, CURLUPART_PASSWORD);
}

/* As browsers and curl do: spaces and bytes beyond ASCII are encoded, what is encoded stays. */
static const char *resolve(CURLU *next, const char *location)
{
    CURLUcode code =
        curl_url_set(next, CURLUPART_URL, location, CURLU_URLENCODE | CURLU_ALLOW_SPACE);
    return code == CURLUE_OK ? flaw(next) : curl_url_strerror(code);
}

static int refuse(const char *from, const char *why, struct err *err)
{
    struct text t CLEANUP_TEXT = {0};
    http_url_show(&t, from);
    return err_set(err, ERR_HTTP_STATUS, EPROTO, "redirect from %s refused: %s",
                   t.data ? t.data : "", why);
}

static bool link_local4(const uint8_t a[static 4])
{
    return a[0] == 169 && a[1] == 254;
}

static bool link_local6(const struct in6_addr *a)
{
    return IN6_IS_ADDR_LINKLOCAL(a) || (IN6_IS_ADDR_V4MAPPED(a) && link_local4(a->s6_addr + 12));
}

bool http_url_address_link_local(const char *ip)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, ip, &v4) == 1)
        return link_local4((const uint8_t *)&v4);
    return inet_pton(AF_INET6, ip, &v6) == 1 && link_local6(&v6);
}

/* libcurl spells IPv4 addresses in dots, however they came: 0xa9fea9fe, 2852039166. */
static bool is_link_local(CURLU *u)
{
    char *host CLEANUP_CURL_FREE = part(u, CURLUPART_HOST);
    if (!host || host[0] != '[')
        return host && http_url_address_link_local(host);
    host[1 + strcspn(host + 1, "%]")] = '\0'; /* a zone, or the end */
    return http_url_address_link_local(host + 1);
}

bool http_url_link_local(const char *url)
{
    CURLU *u CLEANUP_URL = curl_url();
    return u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK && is_link_local(u);
}

int http_url_follow(const char *from, const char *location, char **to, struct err *err)
{
    CURLU *base CLEANUP_URL = curl_url();
    if (!base || curl_url_set(base, CURLUPART_URL, from, 0) != CURLUE_OK)
        return err_set(err, ERR_INTERNAL, ENOMEM, "cannot parse a URL that was taken before");
    CURLU *next CLEANUP_URL = curl_url_dup(base);
    const char *why = next ? resolve(next, location) : "out of memory";
    if (why)
        return refuse(from, why, err);
    if (is_scheme(base, "https") && !is_scheme(next, "https"))
        return refuse(from, "it leads from https to http", err);
    if (is_link_local(next) && !is_link_local(base))
        return refuse(from, "it leads to a link-local address", err);
    char *url CLEANUP_CURL_FREE = NULL;
    if (!carry_credentials(base, next) || curl_url_get(next, CURLUPART_URL, &url, 0) != CURLUE_OK)
        return refuse(from, "out of memory", err);
    if ((why = spelling_flaw(url))) /* libcurl encodes a path, and takes a host as it comes */
        return refuse(from, why, err);
    *to = strdup(url);
    return *to ? 0 : refuse(from, "out of memory", err);
}

void http_url_show(struct text *t, const char *url)
{
    struct text masked CLEANUP_TEXT = {0};
    text_add_masked_url(&masked, url, strlen(url));
    if (masked.failed)
        return;
    size_t len = strcspn(masked.data, "?#");
    size_t shown = len > SHOWN_MAX ? SHOWN_MAX : len;
    text_add_escaped(t, masked.data, shown);
    if (shown < strlen(masked.data) && masked.data[len] != '#')
        text_add(t, shown < len ? "..." : "?...");
}
