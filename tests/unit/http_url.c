#include "stages/fetch/http_url.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void valid(const char *url)
{
    struct err err = {0};
    cr_assert(http_url_valid(url, &err), "%s: %s", url, err.text);
    cr_assert_eq(err.num, 0);
}

static void refused(const char *url)
{
    struct err err = {0};
    cr_assert_not(http_url_valid(url, &err), "%s", url);
    cr_assert_neq(err.num, 0);
    cr_assert_not_null(strstr(err.text, "bad URL: "));
    cr_assert_not(http_url_valid(url, NULL));
}

Test(http_url, valid)
{
    valid("http://h");
    valid("http://h/x.tar.gz");
    valid("https://h:65535/x?q=a%20b#frag");
    valid("HTTP://H/x");
    valid("HttpS://H/x");
    valid("http://127.0.0.1:1/x#/../y");
    valid("http://127.0.0.1:1/%0d%0aX-Evil:1");
    valid("http://[::1]:8080/x");
    valid("http://user:secret@127.0.0.1:1/x");
    valid("http://user@h/x");
    valid("http://h/?a=http://b/");
}

Test(http_url, refused)
{
    refused("");
    refused("http");
    refused("http:");
    refused("http://");
    refused("http:///x");
    refused("http:h/x");
    refused("http:/h/x");
    refused("http:/u:p@h/x"); /* would be taken for http://u:p@h/x, and shown unmasked */
    refused("http:\\\\h\\x");
    refused("http://:80/x");
    refused("http://u:p@/x");
    refused("http://h:0/x");
    refused("http://h:000/x");
    refused("http://h:99999/x");
    refused("http://h:-1/x");
    refused("http://h:x/x");
    refused("http://[::1/x");
    refused("http://::1/x");
    refused("http://[zz]/x");
    refused("http://a b/x");
    refused("http://h/a b");
    refused("http://h/\tx");
    refused("http://h/\x7f");
    refused("http://h/\xc3\xa9");
    refused(" http://h/x");
    refused("http://h/x\r\nX-Evil: 1");
    refused("ftp://h/x");
    refused("file:///etc/passwd");
    refused("gopher://h/x");
    refused("javascript:alert(1)");
    refused("etc/passwd");
    refused("h/x");
    refused("-o/tmp/x");
}

/* to: NULL where the redirect is refused. */
static const struct {
    const char *from, *location, *to;
} hops[] = {
    {"http://h/a/b?q", "/c", "http://h/c"},
    {"http://h/a/b?q", "c", "http://h/a/c"},
    {"http://h/a/b?q", "../c", "http://h/c"},
    {"http://h/a/b?q", "?x=1", "http://h/a/b?x=1"},
    {"http://h/a", "//g/c", "http://g/c"},
    {"http://h/a", "http://g:8080/c", "http://g:8080/c"},
    {"http://h/a", "https://h/a", "https://h/a"},
    {"https://h/a", "https://g/c", "https://g/c"},
    {"https://h/a", "//g/c", "https://g/c"},
    {"http://h/a", "HTTP://G/c", "http://G/c"},
    {"http://h/a", "/c d", "http://h/c%20d"},
    {"http://h/a", "/%63%20%2f", "http://h/%63%20%2f"},
    {"http://h/a", "/caf\xc3\xa9", "http://h/caf%c3%a9"},
    /* downgrades and other schemes */
    {"https://h/a", "http://h/a", NULL},
    {"https://h/a", "HTTP://h/a", NULL},
    {"http://h/a", "ftp://h/a", NULL},
    {"http://h/a", "file:///etc/passwd", NULL},
    {"http://h/a", "gopher://h/_x", NULL},
    {"http://h/a", "javascript:alert(1)", NULL},
    {"http://h/a", "http://h:0/", NULL},
    {"http://h/a", "http://h:99999/", NULL},
    {"http://h/a", "http://[::1/", NULL},
    {"http://h/a", "http://", NULL},
    {"http://h/a", "/a\x01", NULL},
    /* no host that could not be fetched from either */
    {"http://h/a", "http://caf\xc3\xa9/", NULL},
    {"http://h/a", "//\xff/", NULL},
    /* where clouds keep credentials, however it is spelt */
    {"http://h/a", "http://169.254.169.254/latest/meta-data/", NULL},
    {"http://h/a", "//169.254.0.1:80/", NULL},
    {"http://h/a", "http://0xa9fea9fe/", NULL},
    {"http://h/a", "http://2852039166/", NULL},
    {"http://h/a", "http://169.254.43518/", NULL},
    {"http://h/a", "http://[fe80::1]/", NULL},
    {"http://h/a", "http://[FEBF::1%25eth0]/", NULL},
    {"http://h/a", "http://[::ffff:169.254.169.254]/", NULL},
    {"http://127.0.0.1/a", "http://u:p@169.254.169.254/", NULL},
    {"http://169.254.1.2/a", "http://169.254.169.254/", "http://169.254.169.254/"},
    {"http://[fe80::2]/a", "/c", "http://[fe80::2]/c"},
    {"http://h/a", "http://169.253.1.1/", "http://169.253.1.1/"},
    {"http://h/a", "http://[fec0::1]/", "http://[fec0::1]/"},
    {"http://h/a", "http://169.254.example/", "http://169.254.example/"},
    /* credentials stay with their scheme, host and port */
    {"http://u:p@h/a", "/c", "http://u:p@h/c"},
    {"http://u:p@h/a", "http://h/c", "http://u:p@h/c"},
    {"http://u:p@h/a", "http://H:80/c", "http://u:p@H:80/c"},
    {"http://u%40x:p%2f@h/a", "http://h/c", "http://u%40x:p%2f@h/c"},
    {"http://u@h/a", "http://h/c", "http://u@h/c"},
    {"http://u:p@h/a", "http://h:8080/c", "http://h:8080/c"},
    {"http://u:p@h:8080/a", "http://h/c", "http://h/c"},
    {"http://u:p@h/a", "https://h/c", "https://h/c"},
    {"http://u:p@h/a", "http://g/c", "http://g/c"},
    {"http://u:p@h/a", "//g/c", "http://g/c"},
    {"http://u:p@h/a", "http://x:y@g/c", "http://x:y@g/c"},
    {"http://u:p@h/a", "http://x:y@h/c", "http://x:y@h/c"},
    {"http://u:p@h/a", "http://x@h/c", "http://x@h/c"},
};

Test(http_url, redirects)
{
    for (size_t i = 0; i < sizeof hops / sizeof hops[0]; i++) {
        char *to = NULL;
        struct err err = {0};
        int r = http_url_follow(hops[i].from, hops[i].location, &to, &err);
        if (hops[i].to)
            cr_expect(r == 0 && strcmp(to, hops[i].to) == 0, "%s -> %s: %s", hops[i].from,
                      hops[i].location, r ? err.text : to);
        else
            cr_expect(r < 0 && !to && err.code == ERR_HTTP_STATUS, "%s -> %s: %s", hops[i].from,
                      hops[i].location, to ? to : err.text);
        free(to);
    }
}

Test(http_url, addresses_of_the_link)
{
    cr_assert(http_url_address_link_local("fe80::1"));
    cr_assert(http_url_address_link_local("::ffff:169.254.1.1"));
    cr_assert(http_url_address_link_local("64:ff9b::a9fe:a9fe"));
    cr_assert_not(http_url_address_link_local("64:ff9b::7f00:1"));
    cr_assert_not(http_url_address_link_local("127.0.0.1"));
    cr_assert_not(http_url_address_link_local("::1"));
    cr_assert_not(http_url_address_link_local(""));
}

static void shows(const char *url, const char *want)
{
    struct text t = {0};
    http_url_show(&t, url);
    cr_assert_str_eq(t.data, want);
    text_free(&t);
}

Test(http_url, shown_without_secrets)
{
    shows("http://h/x", "http://h/x");
    shows("http://u:secret@h/x?token=secret", "http://user:***@h/x?...");
    shows("http://h/x#frag", "http://h/x");
    shows("http://h\xc3\xa9/", "http://h\\303\\251/");
    char longest[2000] = "http://h/";
    memset(longest + 9, 'a', sizeof longest - 10);
    struct text t = {0};
    http_url_show(&t, longest);
    cr_assert(t.len < 320);
    cr_assert_str_eq(t.data + t.len - 4, "a...");
    text_free(&t);
}
