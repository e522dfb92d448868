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

/* Owned; NULL if the URL has no such part. False without memory. */
static bool part(CURLU *u, CURLUPart what, char **s)
{
    *s = NULL;
    return curl_url_get(u, what, s, CURLU_DEFAULT_PORT) != CURLUE_OUT_OF_MEMORY;
}

struct origin {
    char *scheme, *host, *port; /* NULL: the URL has none */
};

static void cleanup_origin(struct origin *o)
{
    curl_free(o->scheme);
    curl_free(o->host);
    curl_free(o->port);
}
#define CLEANUP_ORIGIN __attribute__((cleanup(cleanup_origin)))

/* False without memory. */
static bool origin_of(CURLU *u, struct origin *o)
{
    return part(u, CURLUPART_SCHEME, &o->scheme) && part(u, CURLUPART_HOST, &o->host) &&
           part(u, CURLUPART_PORT, &o->port);
}

static bool same(const char *x, const char *y)
{
    return x && y && strcasecmp(x, y) == 0;
}

static bool same_origin(const struct origin *a, const struct origin *b)
{
    return same(a->scheme, b->scheme) && same(a->host, b->host) && same(a->port, b->port);
}

static const char *flaw(const struct origin *o)
{
    if (!same(o->scheme, "http") && !same(o->scheme, "https"))
        return "the scheme is neither http nor https";
    if (!o->host || !o->host[0])
        return "there is no host";
    if (o->port && o->port[strspn(o->port, "0")] == '\0')
        return "0 is no port";
    return NULL;
}

static int out_of_memory(struct err *err)
{
    return err_set(err, ERR_INTERNAL, ENOMEM, "out of memory");
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
    struct origin origin CLEANUP_ORIGIN = {0};
    const char *why = spelling_flaw(url);
    if (!why) {
        CURLU *u CLEANUP_URL = curl_url();
        CURLUcode code = u ? curl_url_set(u, CURLUPART_URL, url, 0) : CURLUE_OUT_OF_MEMORY;
        if (code == CURLUE_OUT_OF_MEMORY || (code == CURLUE_OK && !origin_of(u, &origin)))
            return out_of_memory(err) == 0;
        why = code == CURLUE_OK ? flaw(&origin) : curl_url_strerror(code);
    }
    if (why)
        err_set(err, ERR_UNREACHABLE, EINVAL, "bad URL: %s", why);
    return !why;
}

static bool copy_part(CURLU *to, CURLU *from, CURLUPart what)
{
    char *s CLEANUP_CURL_FREE = NULL;
    return part(from, what, &s) && (!s || curl_url_set(to, what, s, 0) == CURLUE_OK);
}

/* A relative location has inherited them; an absolute one of the same origin gets them back. */
static bool carry_credentials(CURLU *from, CURLU *next)
{
    char *user CLEANUP_CURL_FREE = NULL;
    return part(next, CURLUPART_USER, &user) &&
           (user ||
            (copy_part(next, from, CURLUPART_USER) && copy_part(next, from, CURLUPART_PASSWORD)));
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

/* A NAT64 translates behind its well-known prefix (RFC 6052, 2.1). */
static bool holds_v4(const struct in6_addr *a)
{
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
    return IN6_IS_ADDR_V4MAPPED(a) || memcmp(a->s6_addr, nat64, sizeof nat64) == 0;
}

static bool link_local6(const struct in6_addr *a)
{
    return IN6_IS_ADDR_LINKLOCAL(a) || (holds_v4(a) && link_local4(a->s6_addr + 12));
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
static bool is_link_local(const struct origin *o)
{
    char ip[INET6_ADDRSTRLEN];
    if (!o->host || o->host[0] != '[')
        return o->host && http_url_address_link_local(o->host);
    size_t len = strcspn(o->host + 1, "%]"); /* a zone, or the end */
    if (len >= sizeof ip)
        return false;
    memcpy(ip, o->host + 1, len);
    ip[len] = '\0';
    return http_url_address_link_local(ip);
}

static const char *forbidden(const struct origin *from, const struct origin *to)
{
    const char *why = flaw(to);
    if (why)
        return why;
    if (same(from->scheme, "https") && !same(to->scheme, "https"))
        return "it leads from https to http";
    if (is_link_local(to) && !is_link_local(from))
        return "it leads to a link-local address";
    return NULL;
}

/* Spaces and bytes beyond ASCII are encoded, as browsers and curl do; what is encoded stays. */
static int resolve(CURLU *base, CURLU *next, const char *from, const char *location,
                   struct err *err)
{
    struct origin old CLEANUP_ORIGIN = {0}, new CLEANUP_ORIGIN = {0};
    CURLUcode code =
        curl_url_set(next, CURLUPART_URL, location, CURLU_URLENCODE | CURLU_ALLOW_SPACE);
    if (code == CURLUE_OUT_OF_MEMORY ||
        (code == CURLUE_OK && (!origin_of(base, &old) || !origin_of(next, &new))))
        return out_of_memory(err);
    const char *why = code == CURLUE_OK ? forbidden(&old, &new) : curl_url_strerror(code);
    if (why)
        return refuse(from, why, err);
    return !same_origin(&old, &new) || carry_credentials(base, next) ? 0 : out_of_memory(err);
}

int http_url_follow(const char *from, const char *location, char **to, struct err *err)
{
    CURLU *base CLEANUP_URL = curl_url();
    if (!base || curl_url_set(base, CURLUPART_URL, from, 0) != CURLUE_OK)
        return err_set(err, ERR_INTERNAL, ENOMEM, "cannot parse a URL that was taken before");
    CURLU *next CLEANUP_URL = curl_url_dup(base);
    if (!next)
        return out_of_memory(err);
    int r = resolve(base, next, from, location, err);
    if (r < 0)
        return r;
    char *url CLEANUP_CURL_FREE = NULL;
    if (curl_url_get(next, CURLUPART_URL, &url, 0) != CURLUE_OK)
        return out_of_memory(err);
    const char *why = spelling_flaw(url); /* libcurl encodes a path, and takes a host as it comes */
    if (why)
        return refuse(from, why, err);
    *to = strdup(url);
    return *to ? 0 : out_of_memory(err);
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
