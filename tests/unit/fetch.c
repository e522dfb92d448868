/* Over a real socket: fetch_run against tests/system/httpd.py. What is resumed: fetch_resume.c. */
#include "stages/fetch/fetch.h"

#include "base/cleanup.h"
#include "fetch_trial.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

TestSuite(fetch, .init = trial_setup, .fini = trial_teardown, .timeout = 60);

Test(fetch, servers)
{
    static const char *const same[] = {"http://h:8080/a",  "http://H:8080/b/c?d#e",
                                       "http://h:8080",    "http://u:p@h:8080/x@y",
                                       "http://h:8080?@q", "http://user:***@h:8080#f"};
    static const char *const others[] = {"http://h/a", "http://h:80801/a", "http://h:8080@i/",
                                         "http://i:8080/a"};
    for (size_t i = 0; i < ARRAY_SIZE(same); i++)
        cr_expect_eq(fetch_server(same[i]), fetch_server(same[0]), "%s", same[i]);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        cr_expect_neq(fetch_server(others[i]), fetch_server(same[0]), "%s", others[i]);
}

Test(fetch, brings_a_blob)
{
    trial_succeeds("ok/f");
    cr_assert_eq(trial.total, SIZE);
    cr_assert_not(trial.fell);
    char name[PATHS_FILE_MAX];
    struct stat st;
    paths_blob(name, trial.sha256, FORMAT_TAR);
    cr_assert_eq(fstatat(trial.paths.blobs, name, &st, 0), 0);
    cr_assert_eq(st.st_mode, S_IFREG | 0600);
}

Test(fetch, what_is_there_is_not_fetched_again)
{
    trial_succeeds("ok/f");
    cr_assert_eq(trial_run("ok/f"), 0);
    cr_assert_eq(trial.result.size, SIZE);
    cr_assert_eq(trial.result.format, FORMAT_TAR);
    cr_assert_eq(trial_requests("/ok/f"), 1);
}

Test(fetch, is_named_by_content)
{
    static const char gz[] = "\x1f\x8b\x08 and so on";
    int www CLEANUP_CLOSE = open(trial.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    trial_put(www, "www/g.tar", gz, sizeof gz);
    trial_hash(gz, sizeof gz, trial.sha256);
    cr_assert_eq(trial_run("ok/g.tar"), 0);
    cr_assert_eq(trial.result.format, FORMAT_GZIP);
    cr_assert(trial_has("tar.gz"));
}

Test(fetch, every_way_of_ending_a_body)
{
    static const char *const modes[] = {"nolength/f",   "closelength/f",   "truncchunk/f",
                                        "lie-length/f", "redirect-body/f", "headers/100/f"};
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        trial_succeeds(modes[i]);
        trial_drop_blob();
    }
}

Test(fetch, a_wrong_digest_names_both)
{
    trial_fails("wrong/f", ERR_CHECKSUM_MISMATCH, RETRY_SCRATCH);
    char got[DIGEST_HEX_MAX], want[256];
    trial.data[SIZE / 3] = (char)~trial.data[SIZE / 3];
    trial_hash(trial.data, SIZE, got);
    snprintf(want, sizeof want, "expected %s, got %s", trial.sha256, got);
    cr_assert_str_eq(trial.err.text, want);
    cr_assert_eq(trial_part_size(), -1);
    trial_succeeds("wrongx0/f");
}

Test(fetch, what_is_not_the_file_has_a_wrong_digest)
{
    trial_fails("empty", ERR_CHECKSUM_MISMATCH, RETRY_SCRATCH);
    trial_fails("html", ERR_CHECKSUM_MISMATCH, RETRY_SCRATCH);
    trial_fails("lie-length/f?d=-100", ERR_CHECKSUM_MISMATCH, RETRY_SCRATCH);
}

Test(fetch, nothing_is_no_archive)
{
    trial_hash("", 0, trial.sha256);
    trial_fails("empty", ERR_UNSUPPORTED_FORMAT, RETRY_NEVER);
    cr_assert_eq(trial_part_size(), -1);
}

Test(fetch, statuses)
{
    trial_fails("404/f", ERR_HTTP_STATUS, RETRY_NEVER);
    cr_assert(strstr(trial.err.text, "404 Not Found from http://127.0.0.1:"));
    trial_fails("status/410/f", ERR_HTTP_STATUS, RETRY_NEVER);
    trial_fails("status/204/f", ERR_HTTP_STATUS, RETRY_NEVER);
    trial_fails("408/f", ERR_HTTP_STATUS, RETRY_LATER);
    trial_fails("500x2/f", ERR_HTTP_STATUS, RETRY_LATER);
    trial_fails("500x2/f", ERR_HTTP_STATUS, RETRY_LATER);
    trial_succeeds("500x2/f");
}

Test(fetch, retry_after)
{
    trial_fails("429/f?after=7", ERR_HTTP_STATUS, RETRY_LATER);
    cr_assert_eq(trial.result.retry_after, 7000);
    trial_fails("503/f?after=date&in=30", ERR_HTTP_STATUS, RETRY_LATER);
    cr_assert(trial.result.retry_after > 20000 && trial.result.retry_after <= 30000);
    trial_fails("503/f?after=soon", ERR_HTTP_STATUS, RETRY_LATER);
    cr_assert_eq(trial.result.retry_after, 0);
}

Test(fetch, size_cap)
{
    trial.settings.limits.max_download_size = SIZE;
    trial_succeeds("ok/f");
    trial_drop_blob();
    trial_succeeds("nolength/f");
    trial_drop_blob();
    trial.settings.limits.max_download_size = SIZE - 1;
    static const char *const modes[] = {"ok/f",    "nolength/f",      "closelength/f",
                                        "endless", "endless-chunked", "huge-length/f"};
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        trial_fails(modes[i], ERR_TOO_LARGE_DOWNLOAD, RETRY_NEVER);
        cr_assert(strstr(trial.err.text, "2999999"));
        cr_assert(strstr(trial.err.text, "raise it with -o max_download_size=SIZE"));
        cr_assert_eq(trial_part_size(), -1);
    }
}

Test(fetch, no_room_is_said_before_the_body)
{
    trial.settings.limits.max_download_size = INT64_MAX;
    trial_fails("huge-length/f", ERR_NO_SPACE, RETRY_NEVER);
    cr_assert_eq(trial.result.need.bytes, 1000000000000000000);
}

Test(fetch, unreachable)
{
    char url[64];
    trial_fails("drop/f", ERR_UNREACHABLE, RETRY_LATER);
    trial_fails("reset/f", ERR_UNREACHABLE, RETRY_LATER);
    trial_fails("badchunk/f", ERR_UNREACHABLE, RETRY_LATER);
    trial_stop_server(trial.server);
    trial.server = 0;
    snprintf(url, sizeof url, "http://user:secret@127.0.0.1:%d/x", trial.port);
    cr_assert_eq(trial_run_url(url), -ECONNREFUSED);
    cr_assert_eq(trial.err.code, ERR_UNREACHABLE);
    cr_assert_eq(trial.result.retry, RETRY_LATER);
    cr_assert_null(strstr(trial.err.text, "secret"));
}

Test(fetch, malformed_answers)
{
    static const char *const modes[] = {"http09", "badstatus", "bad-length/f", "header-endless",
                                        "headers/1000/f"};
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
        trial_fails(modes[i], ERR_HTTP_STATUS, RETRY_LATER);
}

Test(fetch, silence_times_out)
{
    trial.settings.stall_timeout = 300;
    trial_fails("hang", ERR_TIMEOUT, RETRY_LATER);
    cr_assert(trial.took >= 300 && trial.took < 3000, "%lld", (long long)trial.took);
    trial_fails("stall/f", ERR_TIMEOUT, RETRY_LATER);
    cr_assert(trial.took >= 300 && trial.took < 3000, "%lld", (long long)trial.took);
}

Test(fetch, a_trickling_header_times_out)
{
    trial.settings.stall_timeout = 500;
    trial_fails("slowheader/f?bps=100", ERR_TIMEOUT, RETRY_LATER);
    cr_assert(trial.took >= 1000 && trial.took < 4000, "%lld", (long long)trial.took);
}

Test(fetch, a_slow_body_is_well)
{
    trial.settings.stall_timeout = 600;
    trial_succeeds("slow/f?bps=1500000");
    cr_assert_geq(trial.took, 1000);
}

Test(fetch, a_cancel_is_heard_at_once)
{
    trial.settings.limits.max_download_size = INT64_C(100) << 30;
    trial_cancels("hang");
    trial_cancels("slowheader/f?bps=1000");
    trial_cancels("slow/f?bps=100000");
}

Test(fetch, redirects)
{
    static const int codes[] = {301, 302, 303, 307, 308};
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        char path[64];
        snprintf(path, sizeof path, "redirect/%d/f", codes[i]);
        trial_succeeds(path);
        trial_drop_blob();
    }
    trial_succeeds("redirect-chain/10/f");
    trial_drop_blob();
    trial_fails("redirect-chain/11/f", ERR_HTTP_STATUS, RETRY_NEVER);
    trial_fails("redirect-loop", ERR_HTTP_STATUS, RETRY_NEVER);
    cr_assert_eq(trial_requests("/redirect-loop"), 11);
    trial_fails("redirect-none", ERR_HTTP_STATUS, RETRY_NEVER);
    trial_fails("redirect/300/f", ERR_HTTP_STATUS, RETRY_NEVER);
    trial_fails("redirect/304/f", ERR_HTTP_STATUS, RETRY_NEVER);
    trial_fails("redirect-to?url=file:///etc/hostname", ERR_HTTP_STATUS, RETRY_NEVER);
    trial_fails("redirect-to?url=ftp://127.0.0.1/f", ERR_HTTP_STATUS, RETRY_NEVER);
    trial_fails("redirect-to?url=http://%01", ERR_HTTP_STATUS, RETRY_NEVER);
}

/* As trial_run(), with credentials in the URL; "%d" in the path is the port. */
static int run_as_user(const char *path_format)
{
    char url[512], path[256];
    snprintf(path, sizeof path, "%s%d/auth/f", path_format, trial.port);
    snprintf(url, sizeof url, "http://u:secret@127.0.0.1:%d/%s", trial.port, path);
    return trial_run_url(url);
}

Test(fetch, credentials)
{
    char url[128];
    trial_fails("auth/f", ERR_HTTP_STATUS, RETRY_NEVER);
    snprintf(url, sizeof url, "http://u:secret@127.0.0.1:%d/auth/f", trial.port);
    cr_assert_eq(trial_run_url(url), 0, "%s", trial.err.text);
    trial_drop_blob();
    cr_assert_eq(run_as_user("redirect-to?url=http://127.0.0.1:"), 0, "%s", trial.err.text);
    cr_assert_eq(trial_header("/auth/f", "auth", 2)[0], 'B');
}

Test(fetch, credentials_do_not_go_to_another_host)
{
    cr_assert_lt(run_as_user("redirect-to?url=http://localhost:"), 0);
    cr_assert(strstr(trial.err.text, "401 Unauthorized from http://localhost:"), "%s",
              trial.err.text);
    cr_assert_eq(trial_header("/redirect-to", "auth", 0)[0], 'B');
    cr_assert_str_eq(trial_header("/auth/f", "auth", 0), "");
}

Test(fetch, bytes_are_taken_as_sent)
{
    trial_succeeds("gzip-encoding/f");
    json_t *s = trial_asked("/gzip-encoding/f");
    json_t *last = json_object_get(s, "last");
    cr_assert_null(json_object_get(last, "Accept-Encoding"));
    cr_assert_null(json_object_get(last, "Cookie"));
    json_decref(s);
}

Test(fetch, an_unknown_certificate_is_final)
{
    char pem[128], command[512];
    int port;
    snprintf(pem, sizeof pem, "%s/pem", trial.dir);
    snprintf(command, sizeof command,
             "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1 -keyout %s "
             "-out %s.crt >/dev/null 2>&1 && cat %s.crt >> %s",
             pem, pem, pem, pem);
    if (system(command) != 0)
        cr_skip_test("the openssl command is needed to make a certificate");
    pid_t tls = trial_start_server(pem, &port);
    char url[64];
    snprintf(url, sizeof url, "https://127.0.0.1:%d/ok/f", port);
    int r = trial_run_url(url);
    trial_stop_server(tls);
    cr_assert_lt(r, 0);
    cr_assert_eq(trial.err.code, ERR_UNREACHABLE);
    cr_assert_eq(trial.result.retry, RETRY_NEVER, "%s", trial.err.text);
}

Test(fetch, schemes)
{
    struct err err = {0};
    cr_assert(fetch_url_valid("HTTPS://h/x", &err));
    cr_assert_not(fetch_url_valid("ftp://h/x", &err));
    cr_assert_not(fetch_url_valid("httpx://h/x", NULL));
    cr_assert_not(fetch_url_valid("", NULL));
    cr_assert_lt(trial_run_url("file:///etc/hostname"), 0);
    cr_assert_eq(trial.result.retry, RETRY_NEVER);
}
