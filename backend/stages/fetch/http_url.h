/* http_url: which URLs are taken, and where a redirect may lead. Pure; any thread. */
#ifndef STAGES_FETCH_HTTP_URL_H
#define STAGES_FETCH_HTTP_URL_H

#include "base/err.h"
#include "base/text.h"

#include <stdbool.h>

/* False, and err says why, without the URL. */
bool http_url_valid(const char *url, struct err *err);

/* Where `location`, answered to a request for `from`, leads: *to is to be freed. http and https
 * only, never from https to http. The credentials of `from` go along to the same scheme, host and
 * port alone; others that the location itself brings are used. An address of the link (where clouds
 * keep credentials for whoever asks: 169.254.169.254) only from one such. */
int http_url_follow(const char *from, const char *location, char **to, struct err *err);

/* Is that address, as text and without brackets, one of the link: 169.254.0.0/16, fe80::/10, or one
 * that stands for such a one (mapped, or behind a NAT64)? */
bool http_url_address_link_local(const char *ip);

/* Adds the URL as errors show it: credentials masked, without its query (which often is one), cut
 * when long, ASCII only. */
void http_url_show(struct text *t, const char *url);

#endif
