/* A URL, and in the lines behind it the redirects that are answered one after another. */
#include "fuzz.h"

#include "base/cleanup.h"
#include "stages/fetch/http_url.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

/* As libcurl will understand it when it makes the request; NULL where there is no such part. */
struct parts {
    char *scheme, *host, *port, *user, *password;
};

static char *part(CURLU *u, CURLUPart what)
{
    char *s = NULL;
    return curl_url_get(u, what, &s, CURLU_DEFAULT_PORT) == CURLUE_OK ? s : NULL;
}

static struct parts split(const char *url)
{
    CURLU *u = curl_url();
    FUZZ_MUST(u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK);
    struct parts p = {part(u, CURLUPART_SCHEME), part(u, CURLUPART_HOST), part(u, CURLUPART_PORT),
                      part(u, CURLUPART_USER), part(u, CURLUPART_PASSWORD)};
    FUZZ_MUST(p.scheme && p.host && *p.host && p.port);
    FUZZ_MUST(strcmp(p.scheme, "http") == 0 || strcmp(p.scheme, "https") == 0);
    curl_url_cleanup(u);
    return p;
}

static void cleanup_parts(struct parts *p)
{
    char *all[] = {p->scheme, p->host, p->port, p->user, p->password};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        curl_free(all[i]);
}
#define CLEANUP_PARTS __attribute__((cleanup(cleanup_parts)))

/* Does the string stand in one place of s and no other, and is it long enough to be told? */
static bool is_telling(const char *s, const char *word)
{
    const char *at = word && strlen(word) > 3 ? strstr(s, word) : NULL;
    return at && !strstr(at + 1, word) && !strstr("user:***", word);
}

static void check_shown(const char *url, const struct parts *p)
{
    struct text t CLEANUP_TEXT = {0};
    http_url_show(&t, url);
    FUZZ_MUST(!t.failed && t.len < 2000 && (!t.data || fuzz_printable(t.data)));
    FUZZ_MUST(!is_telling(url, p->user) || !strstr(t.data, p->user));
    FUZZ_MUST(!is_telling(url, p->password) || !strstr(t.data, p->password));
}

static bool same_origin(const struct parts *a, const struct parts *b)
{
    return strcmp(a->scheme, b->scheme) == 0 && strcasecmp(a->host, b->host) == 0 &&
           strcmp(a->port, b->port) == 0;
}

static void check_step(const char *from, const char *location, const char *to)
{
    struct err err = {0};
    FUZZ_MUST(http_url_valid(to, &err));
    struct parts a CLEANUP_PARTS = split(from), b CLEANUP_PARTS = split(to);
    FUZZ_MUST(strcmp(a.scheme, "https") != 0 || strcmp(b.scheme, "https") == 0);
    if (same_origin(&a, &b))
        return;
    FUZZ_MUST(!is_telling(from, a.user) || strstr(location, a.user) || !strstr(to, a.user));
    FUZZ_MUST(!is_telling(from, a.password) || strstr(location, a.password) ||
              !strstr(to, a.password));
}

/* The URL that is asked for next; NULL after a refusal, which says nothing of credentials. */
static char *follow(const char *from, const char *location)
{
    struct err err = {0};
    char *to = NULL;
    struct parts p CLEANUP_PARTS = split(from);
    check_shown(from, &p);
    int r = http_url_follow(from, location, &to, &err);
    if (r == 0)
        check_step(from, location, to);
    else
        fuzz_error(r, &err);
    FUZZ_MUST(r == 0 || !is_telling(from, p.password) || !strstr(err.text, p.password));
    return to;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *lines CLEANUP_FREE = fuzz_string(data, size), *rest = lines;
    struct err err = {0};
    char *first = strsep(&rest, "\n");
    if (!http_url_valid(first, &err)) {
        fuzz_error(-EINVAL, &err);
        return 0;
    }
    char *url = strdup(first);
    for (char *location; url && (location = strsep(&rest, "\n"));) {
        char *to = follow(url, location);
        free(url);
        url = to;
    }
    if (url) {
        struct parts p CLEANUP_PARTS = split(url);
        check_shown(url, &p);
    }
    free(url);
    return 0;
}
