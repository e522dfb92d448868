/* Over a real socket: fetch_run against tests/system/httpd.py. */
#include "stages/fetch/fetch.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"
#include "stages/digest.h"
#include "stages/stage.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <jansson.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#define SIZE 3000000
#define HALF (SIZE / 2)
#define TAG  "user.imgstore.etag"

static struct {
    char dir[64];
    struct paths paths;
    pid_t server;
    int port;
    char *data;
    char sha256[DIGEST_HEX_MAX];
    struct stage_settings settings;
    int cancel_fd;
    /* of the last run */
    struct stage_result result;
    struct err err;
    int64_t done, total, took;
    bool fell;
} t;

static void hash(const void *bytes, size_t n, char out[static DIGEST_HEX_MAX])
{
    struct digest *d = digest_new();
    digest_add(d, bytes, n);
    cr_assert(digest_hex(d, out));
    digest_free(d);
}

static void put(int dirfd, const char *name, const void *bytes, size_t n)
{
    int fd CLEANUP_CLOSE = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0);
    cr_assert_eq(io_write(fd, bytes, n), 0);
}

static void make_data(void)
{
    t.data = malloc(SIZE);
    unsigned seed = 1;
    for (int i = 0; i < SIZE; i++)
        t.data[i] = (char)((seed = seed * 1103515245 + 12345) >> 16);
    hash(t.data, SIZE, t.sha256);
}

/* A store cannot lie on an overlay, which /tmp is in many containers. */
static void make_store(void)
{
    static const char *const places[] = {"/tmp", "/var/tmp", "/dev/shm"};
    struct err err = {0};
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        snprintf(t.dir, sizeof t.dir, "%s/fetch-test-XXXXXX", places[i]);
        cr_assert(mkdtemp(t.dir));
        char store[80];
        snprintf(store, sizeof store, "%s/store", t.dir);
        if (paths_open(&t.paths, store, &err) == 0)
            return;
        paths_close(&t.paths);
        io_remove_tree(AT_FDCWD, t.dir);
    }
    t.dir[0] = '\0';
    cr_skip_test("nowhere to put a store: %s", err.text);
}

static void need_xattrs(void)
{
    if (fsetxattr(t.paths.blobs, "user.imgstore.test", "x", 1, 0) < 0)
        cr_skip_test("no user xattrs in %s, so nothing is resumed there", t.dir);
}

static pid_t start_server(const char *tls, int *port)
{
    char www[80], file[80], line[16] = "";
    snprintf(www, sizeof www, "%s/www", t.dir);
    snprintf(file, sizeof file, "%s/port%s", t.dir, tls ? "-tls" : "");
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execlp("python3", "python3", HTTPD, "0", www, "--port-file", file, tls ? "--tls" : NULL,
               tls, NULL);
        _exit(127);
    }
    for (int i = 0; i < 1000 && waitpid(pid, NULL, WNOHANG) == 0; i++) {
        int fd CLEANUP_CLOSE = open(file, O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && io_read(fd, line, sizeof line - 1) > 0) {
            *port = atoi(line);
            return pid;
        }
        usleep(20000);
    }
    cr_skip_test("the test server needs python3, which did not start");
    return -1;
}

static void stop_server(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void setup(void)
{
    static const char *const proxies[] = {"http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY",
                                          "ALL_PROXY"};
    for (size_t i = 0; i < ARRAY_SIZE(proxies); i++)
        unsetenv(proxies[i]);
    t.cancel_fd = -1;
    t.settings = (struct stage_settings){
        .limits.max_download_size = 100 << 20, .connect_timeout = 5000, .stall_timeout = 5000};
    make_data();
    make_store();
    int www = open(t.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_eq(mkdirat(www, "www", 0700), 0);
    put(www, "www/f", t.data, SIZE);
    close(www);
    t.server = start_server(NULL, &t.port);
}

static void teardown(void)
{
    if (t.server > 0)
        stop_server(t.server);
    paths_close(&t.paths);
    if (t.dir[0])
        io_remove_tree(AT_FDCWD, t.dir);
    free(t.data);
}

TestSuite(fetch, .init = setup, .fini = teardown, .timeout = 60);

static void note_progress(void *ctx, int64_t done, int64_t total)
{
    t.fell |= done < t.done && done != 0;
    t.done = done;
    t.total = total;
}

static int run_url(const char *url)
{
    struct stage_job job = {.name = "n",
                            .url = url,
                            .sha256 = t.sha256,
                            .paths = &t.paths,
                            .settings = &t.settings,
                            .cancel_fd = t.cancel_fd,
                            .progress = note_progress};
    t.result = (struct stage_result){0};
    t.err = (struct err){0};
    t.done = t.total = 0;
    t.fell = false;
    int64_t start = text_monotonic_ms();
    int r = fetch_run(&job, &t.result, &t.err);
    t.took = text_monotonic_ms() - start;
    cr_assert_eq(r, -t.err.num, "%d, but err says %d: %s", r, t.err.num, t.err.text);
    return r;
}

static int run(const char *path)
{
    char url[512];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/%s", t.port, path);
    return run_url(url);
}

static bool exists(const char *suffix)
{
    char name[PATHS_FILE_MAX];
    snprintf(name, sizeof name, "%s.%s", t.sha256, suffix);
    return faccessat(t.paths.blobs, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int64_t part_size(void)
{
    char name[PATHS_FILE_MAX];
    struct stat st;
    paths_part(name, t.sha256);
    return fstatat(t.paths.blobs, name, &st, 0) == 0 ? st.st_size : -1;
}

/* The digest was taken on the way; what lies there must have it too. */
static void blob_holds_the_data(void)
{
    static char there[SIZE + 1];
    char name[PATHS_FILE_MAX], got[DIGEST_HEX_MAX];
    paths_blob(name, t.sha256, FORMAT_TAR);
    int fd CLEANUP_CLOSE = openat(t.paths.blobs, name, O_RDONLY | O_CLOEXEC);
    cr_assert_eq(io_read(fd, there, sizeof there), SIZE);
    hash(there, SIZE, got);
    cr_assert_str_eq(got, t.sha256);
    cr_assert_lt(fgetxattr(fd, TAG, NULL, 0), 0);
}

static void succeeds(const char *path)
{
    cr_assert_eq(run(path), 0, "%s: %s", path, t.err.text);
    cr_assert_eq(t.result.format, FORMAT_TAR);
    cr_assert_eq(t.result.size, SIZE);
    cr_assert_eq(t.done, SIZE);
    cr_assert_not(exists("part"));
    blob_holds_the_data();
}

static void fails(const char *path, enum err_code code, enum stage_retry retry)
{
    cr_assert_lt(run(path), 0, "%s", path);
    cr_assert_eq(t.err.code, code, "%s: %s: %s", path, err_word(t.err.code), t.err.text);
    cr_assert_eq(t.result.retry, retry, "%s: %d", path, t.result.retry);
    cr_assert_not(exists("tar"));
}

static void drop_blob(void)
{
    char name[PATHS_FILE_MAX];
    paths_blob(name, t.sha256, FORMAT_TAR);
    cr_assert_eq(unlinkat(t.paths.blobs, name, 0), 0);
}

/* What the server was asked for under that path; to be released. */
static json_t *asked(const char *path)
{
    static const char request[] = "GET /_stats HTTP/1.0\r\n\r\n";
    int fd CLEANUP_CLOSE = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)t.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    cr_assert_eq(io_write(fd, request, sizeof request - 1), 0);
    static char answer[65536];
    ssize_t n = io_read(fd, answer, sizeof answer - 1);
    cr_assert_gt(n, 0);
    answer[n] = '\0';
    char *body = strstr(answer, "\r\n\r\n");
    cr_assert(body);
    json_t *all = json_loads(body + 4, 0, NULL);
    json_t *one = json_incref(json_object_get(all, path));
    json_decref(all);
    return one;
}

static int requests(const char *path)
{
    json_t *s = asked(path);
    int n = (int)json_integer_value(json_object_get(s, "requests"));
    json_decref(s);
    return n;
}

/* The nth request's Range ("ranges"), If-Range or Authorization; "" if it had none. */
static const char *header_of(const char *path, const char *what, size_t n)
{
    static char value[256];
    json_t *s = asked(path);
    const char *v = json_string_value(json_array_get(json_object_get(s, what), n));
    snprintf(value, sizeof value, "%s", v ? v : "");
    json_decref(s);
    return value;
}

Test(fetch, brings_a_blob)
{
    succeeds("ok/f");
    cr_assert_eq(t.total, SIZE);
    cr_assert_not(t.fell);
    char name[PATHS_FILE_MAX];
    struct stat st;
    paths_blob(name, t.sha256, FORMAT_TAR);
    cr_assert_eq(fstatat(t.paths.blobs, name, &st, 0), 0);
    cr_assert_eq(st.st_mode, S_IFREG | 0600);
}

Test(fetch, what_is_there_is_not_fetched_again)
{
    succeeds("ok/f");
    cr_assert_eq(run("ok/f"), 0);
    cr_assert_eq(t.result.size, SIZE);
    cr_assert_eq(t.result.format, FORMAT_TAR);
    cr_assert_eq(requests("/ok/f"), 1);
}

Test(fetch, is_named_by_content)
{
    static const char gz[] = "\x1f\x8b\x08 and so on";
    int www CLEANUP_CLOSE = open(t.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    put(www, "www/g.tar", gz, sizeof gz);
    hash(gz, sizeof gz, t.sha256);
    cr_assert_eq(run("ok/g.tar"), 0);
    cr_assert_eq(t.result.format, FORMAT_GZIP);
    cr_assert(exists("tar.gz"));
}

Test(fetch, every_way_of_ending_a_body)
{
    static const char *const modes[] = {"nolength/f",   "closelength/f",   "truncchunk/f",
                                        "lie-length/f", "redirect-body/f", "headers/100/f"};
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        succeeds(modes[i]);
        drop_blob();
    }
}

Test(fetch, resumes_by_range)
{
    need_xattrs();
    fails("rangetrunc/f", ERR_UNREACHABLE, RETRY_LATER);
    cr_assert_eq(part_size(), HALF);
    succeeds("rangetrunc/f");
    cr_assert_not(t.fell);
    cr_assert_eq(requests("/rangetrunc/f"), 2);
    cr_assert_str_eq(header_of("/rangetrunc/f", "ranges", 0), "");
    cr_assert_str_eq(header_of("/rangetrunc/f", "ranges", 1), "bytes=1500000-");
    cr_assert_eq(header_of("/rangetrunc/f", "if_ranges", 1)[0], '"');
}

Test(fetch, another_version_restarts)
{
    need_xattrs();
    fails("etagchange/f", ERR_UNREACHABLE, RETRY_LATER);
    cr_assert_eq(part_size(), HALF);
    succeeds("etagchange/f");
    cr_assert_eq(requests("/etagchange/f"), 2);
}

Test(fetch, an_ignored_range_restarts)
{
    need_xattrs();
    fails("rangeignore/f", ERR_UNREACHABLE, RETRY_LATER);
    succeeds("rangeignore/f");
    cr_assert_eq(requests("/rangeignore/f"), 2);
}

Test(fetch, a_lying_range_restarts_in_the_same_attempt)
{
    need_xattrs();
    static const char *const how[] = {"offset", "total", "garbage", "none", "etag"};
    for (size_t i = 0; i < ARRAY_SIZE(how); i++) {
        char path[64];
        snprintf(path, sizeof path, "rangelie/f?how=%s", how[i]);
        fails(path, ERR_UNREACHABLE, RETRY_LATER);
        succeeds(path);
        drop_blob();
        cr_assert_eq(requests("/rangelie/f"), 3 * ((int)i + 1));
        cr_assert_str_eq(header_of("/rangelie/f", "ranges", 3 * i + 1), "bytes=1500000-");
        cr_assert_str_eq(header_of("/rangelie/f", "ranges", 3 * i + 2), "");
    }
}

Test(fetch, a_weak_tag_resumes_nothing)
{
    fails("weaktag/f", ERR_UNREACHABLE, RETRY_LATER);
    cr_assert_eq(part_size(), -1);
    succeeds("weaktag/f");
    cr_assert_str_eq(header_of("/weaktag/f", "ranges", 1), "");
}

static void make_part(const void *bytes, size_t n, const char *tag)
{
    char name[PATHS_FILE_MAX];
    paths_part(name, t.sha256);
    put(t.paths.blobs, name, bytes, n);
    int fd CLEANUP_CLOSE = openat(t.paths.blobs, name, O_RDWR | O_CLOEXEC);
    if (tag)
        cr_assert_eq(fsetxattr(fd, TAG, tag, strlen(tag), 0), 0);
}

/* The server's tag of a content: the first digits of its digest. */
static const char *tag_of(const char *sha256)
{
    static char tag[32];
    snprintf(tag, sizeof tag, "\"%.16s\"", sha256);
    return tag;
}

Test(fetch, a_whole_part_needs_no_server)
{
    make_part(t.data, SIZE, NULL);
    cr_assert_eq(run("404/f"), 0, "%s", t.err.text);
    cr_assert(exists("tar"));
    cr_assert_eq(requests("/404/f"), 0);
}

Test(fetch, a_part_without_a_tag_starts_over)
{
    make_part(t.data, HALF, NULL);
    succeeds("range/f");
    cr_assert_str_eq(header_of("/range/f", "ranges", 0), "");
}

Test(fetch, a_part_with_a_forged_tag_starts_over)
{
    need_xattrs();
    make_part(t.data, HALF, "\"a\"\r\nX-Evil: 1");
    succeeds("range/f");
    cr_assert_eq(requests("/range/f"), 1);
    cr_assert_str_eq(header_of("/range/f", "if_ranges", 0), "");
}

Test(fetch, a_part_that_is_too_long_starts_over_at_416)
{
    need_xattrs();
    char *longer = calloc(1, SIZE + 1000);
    make_part(longer, SIZE + 1000, tag_of(t.sha256));
    free(longer);
    succeeds("range/f");
    cr_assert_eq(requests("/range/f"), 2);
    cr_assert_str_eq(header_of("/range/f", "ranges", 0), "bytes=3001000-");
}

Test(fetch, a_corrupt_part_is_found_out)
{
    need_xattrs();
    t.data[5] ^= 1;
    make_part(t.data, HALF, tag_of(t.sha256));
    fails("range/f", ERR_CHECKSUM_MISMATCH, RETRY_SCRATCH);
    cr_assert_eq(part_size(), -1);
    succeeds("range/f");
}

Test(fetch, a_part_that_cannot_go_on_is_not_kept_for_nothing)
{
    need_xattrs();
    make_part(t.data, HALF, tag_of(t.sha256));
    fails("503/f", ERR_HTTP_STATUS, RETRY_LATER);
    cr_assert_eq(part_size(), HALF);
    fails("404/f", ERR_HTTP_STATUS, RETRY_NEVER);
    cr_assert_eq(part_size(), -1);
    fails("503/f", ERR_HTTP_STATUS, RETRY_LATER);
    cr_assert_eq(part_size(), -1);
}

Test(fetch, a_wrong_digest_names_both)
{
    fails("wrong/f", ERR_CHECKSUM_MISMATCH, RETRY_SCRATCH);
    char got[DIGEST_HEX_MAX], want[256];
    t.data[SIZE / 3] = (char)~t.data[SIZE / 3];
    hash(t.data, SIZE, got);
    snprintf(want, sizeof want, "expected %s, got %s", t.sha256, got);
    cr_assert_str_eq(t.err.text, want);
    cr_assert_eq(part_size(), -1);
    succeeds("wrongx0/f");
}

Test(fetch, what_is_not_the_file_has_a_wrong_digest)
{
    fails("empty", ERR_CHECKSUM_MISMATCH, RETRY_SCRATCH);
    fails("html", ERR_CHECKSUM_MISMATCH, RETRY_SCRATCH);
    fails("lie-length/f?d=-100", ERR_CHECKSUM_MISMATCH, RETRY_SCRATCH);
}

Test(fetch, nothing_is_no_archive)
{
    hash("", 0, t.sha256);
    fails("empty", ERR_UNSUPPORTED_FORMAT, RETRY_NEVER);
    cr_assert_eq(part_size(), -1);
}

Test(fetch, statuses)
{
    fails("404/f", ERR_HTTP_STATUS, RETRY_NEVER);
    cr_assert(strstr(t.err.text, "404 Not Found from http://127.0.0.1:"));
    fails("status/410/f", ERR_HTTP_STATUS, RETRY_NEVER);
    fails("status/204/f", ERR_HTTP_STATUS, RETRY_NEVER);
    fails("408/f", ERR_HTTP_STATUS, RETRY_LATER);
    fails("500x2/f", ERR_HTTP_STATUS, RETRY_LATER);
    fails("500x2/f", ERR_HTTP_STATUS, RETRY_LATER);
    succeeds("500x2/f");
}

Test(fetch, retry_after)
{
    fails("429/f?after=7", ERR_HTTP_STATUS, RETRY_LATER);
    cr_assert_eq(t.result.retry_after, 7000);
    fails("503/f?after=date&in=30", ERR_HTTP_STATUS, RETRY_LATER);
    cr_assert(t.result.retry_after > 20000 && t.result.retry_after <= 30000);
    fails("503/f?after=soon", ERR_HTTP_STATUS, RETRY_LATER);
    cr_assert_eq(t.result.retry_after, 0);
}

Test(fetch, size_cap)
{
    t.settings.limits.max_download_size = SIZE;
    succeeds("ok/f");
    drop_blob();
    succeeds("nolength/f");
    drop_blob();
    t.settings.limits.max_download_size = SIZE - 1;
    static const char *const modes[] = {"ok/f",    "nolength/f",      "closelength/f",
                                        "endless", "endless-chunked", "huge-length/f"};
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        fails(modes[i], ERR_TOO_LARGE_DOWNLOAD, RETRY_NEVER);
        cr_assert(strstr(t.err.text, "2999999"));
        cr_assert(strstr(t.err.text, "raise it with -o max_download_size=SIZE"));
        cr_assert_eq(part_size(), -1);
    }
}

Test(fetch, no_room_is_said_before_the_body)
{
    t.settings.limits.max_download_size = INT64_MAX;
    fails("huge-length/f", ERR_NO_SPACE, RETRY_NEVER);
    cr_assert(strstr(t.err.text, "needs 1000000000000000000 bytes"));
}

Test(fetch, unreachable)
{
    char url[64];
    fails("drop/f", ERR_UNREACHABLE, RETRY_LATER);
    fails("reset/f", ERR_UNREACHABLE, RETRY_LATER);
    fails("badchunk/f", ERR_UNREACHABLE, RETRY_LATER);
    stop_server(t.server);
    t.server = 0;
    snprintf(url, sizeof url, "http://user:secret@127.0.0.1:%d/x", t.port);
    cr_assert_eq(run_url(url), -ECONNREFUSED);
    cr_assert_eq(t.err.code, ERR_UNREACHABLE);
    cr_assert_eq(t.result.retry, RETRY_LATER);
    cr_assert_null(strstr(t.err.text, "secret"));
}

Test(fetch, malformed_answers)
{
    static const char *const modes[] = {"http09", "badstatus", "bad-length/f", "header-endless",
                                        "headers/1000/f"};
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
        fails(modes[i], ERR_HTTP_STATUS, RETRY_LATER);
}

Test(fetch, silence_times_out)
{
    t.settings.stall_timeout = 300;
    fails("hang", ERR_TIMEOUT, RETRY_LATER);
    cr_assert(t.took >= 300 && t.took < 3000, "%lld", (long long)t.took);
    fails("stall/f", ERR_TIMEOUT, RETRY_LATER);
    cr_assert(t.took >= 300 && t.took < 3000, "%lld", (long long)t.took);
}

Test(fetch, a_trickling_header_times_out)
{
    t.settings.stall_timeout = 500;
    fails("slowheader/f?bps=100", ERR_TIMEOUT, RETRY_LATER);
    cr_assert(t.took >= 1000 && t.took < 4000, "%lld", (long long)t.took);
}

Test(fetch, a_slow_body_is_well)
{
    t.settings.stall_timeout = 600;
    succeeds("slow/f?bps=1500000");
    cr_assert_geq(t.took, 1000);
}

static void *cancel_soon(void *ctx)
{
    usleep(300000);
    cr_assert_eq(write(*(int *)ctx, "x", 1), 1);
    return NULL;
}

static void cancels(const char *path)
{
    int fds[2];
    pthread_t thread;
    cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
    t.cancel_fd = fds[0];
    pthread_create(&thread, NULL, cancel_soon, &fds[1]);
    cr_assert_eq(run(path), -ECANCELED, "%s: %s", path, t.err.text);
    cr_assert_eq(t.err.code, ERR_CANCELLED);
    cr_assert(t.took >= 250 && t.took < 1500, "%lld", (long long)t.took);
    pthread_join(thread, NULL);
    t.cancel_fd = -1;
    close(fds[0]);
    close(fds[1]);
}

Test(fetch, a_cancel_is_heard_at_once)
{
    t.settings.limits.max_download_size = INT64_C(100) << 30;
    cancels("hang");
    cancels("slowheader/f?bps=1000");
    cancels("slow/f?bps=100000");
}

Test(fetch, a_cancelled_download_is_resumed)
{
    need_xattrs();
    cancels("stallx1/f");
    cr_assert_eq(part_size(), HALF);
    succeeds("stallx1/f");
    cr_assert_str_eq(header_of("/stallx1/f", "ranges", 1), "bytes=1500000-");
}

Test(fetch, a_cancel_before_the_start_keeps_the_part)
{
    need_xattrs();
    int fds[2];
    cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
    cr_assert_eq(write(fds[1], "x", 1), 1);
    make_part(t.data, HALF, tag_of(t.sha256));
    t.cancel_fd = fds[0];
    cr_assert_eq(run("range/f"), -ECANCELED);
    cr_assert_eq(part_size(), HALF);
    cr_assert_eq(requests("/range/f"), 0);
    close(fds[0]);
    close(fds[1]);
}

Test(fetch, redirects)
{
    static const int codes[] = {301, 302, 303, 307, 308};
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        char path[64];
        snprintf(path, sizeof path, "redirect/%d/f", codes[i]);
        succeeds(path);
        drop_blob();
    }
    succeeds("redirect-chain/10/f");
    drop_blob();
    fails("redirect-chain/11/f", ERR_HTTP_STATUS, RETRY_NEVER);
    fails("redirect-loop", ERR_HTTP_STATUS, RETRY_NEVER);
    cr_assert_eq(requests("/redirect-loop"), 11);
    fails("redirect-none", ERR_HTTP_STATUS, RETRY_NEVER);
    fails("redirect/300/f", ERR_HTTP_STATUS, RETRY_NEVER);
    fails("redirect/304/f", ERR_HTTP_STATUS, RETRY_NEVER);
    fails("redirect-to?url=file:///etc/hostname", ERR_HTTP_STATUS, RETRY_NEVER);
    fails("redirect-to?url=ftp://127.0.0.1/f", ERR_HTTP_STATUS, RETRY_NEVER);
    fails("redirect-to?url=http://%01", ERR_HTTP_STATUS, RETRY_NEVER);
}

/* As run(), with credentials in the URL; "%d" in the path is the port. */
static int run_as_user(const char *path_format)
{
    char url[512], path[256];
    snprintf(path, sizeof path, "%s%d/auth/f", path_format, t.port);
    snprintf(url, sizeof url, "http://u:secret@127.0.0.1:%d/%s", t.port, path);
    return run_url(url);
}

Test(fetch, credentials)
{
    char url[128];
    fails("auth/f", ERR_HTTP_STATUS, RETRY_NEVER);
    snprintf(url, sizeof url, "http://u:secret@127.0.0.1:%d/auth/f", t.port);
    cr_assert_eq(run_url(url), 0, "%s", t.err.text);
    drop_blob();
    cr_assert_eq(run_as_user("redirect-to?url=http://127.0.0.1:"), 0, "%s", t.err.text);
    cr_assert_eq(header_of("/auth/f", "auth", 2)[0], 'B');
}

Test(fetch, credentials_do_not_go_to_another_host)
{
    cr_assert_lt(run_as_user("redirect-to?url=http://localhost:"), 0);
    cr_assert(strstr(t.err.text, "401 Unauthorized from http://localhost:"), "%s", t.err.text);
    cr_assert_eq(header_of("/redirect-to", "auth", 0)[0], 'B');
    cr_assert_str_eq(header_of("/auth/f", "auth", 0), "");
}

Test(fetch, bytes_are_taken_as_sent)
{
    succeeds("gzip-encoding/f");
    json_t *s = asked("/gzip-encoding/f");
    json_t *last = json_object_get(s, "last");
    cr_assert_null(json_object_get(last, "Accept-Encoding"));
    cr_assert_null(json_object_get(last, "Cookie"));
    json_decref(s);
}

Test(fetch, an_unknown_certificate_is_final)
{
    char pem[128], command[512];
    int port;
    snprintf(pem, sizeof pem, "%s/pem", t.dir);
    snprintf(command, sizeof command,
             "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1 -keyout %s "
             "-out %s.crt >/dev/null 2>&1 && cat %s.crt >> %s",
             pem, pem, pem, pem);
    if (system(command) != 0)
        cr_skip_test("the openssl command is needed to make a certificate");
    pid_t tls = start_server(pem, &port);
    char url[64];
    snprintf(url, sizeof url, "https://127.0.0.1:%d/ok/f", port);
    int r = run_url(url);
    stop_server(tls);
    cr_assert_lt(r, 0);
    cr_assert_eq(t.err.code, ERR_UNREACHABLE);
    cr_assert_eq(t.result.retry, RETRY_NEVER, "%s", t.err.text);
}

Test(fetch, schemes)
{
    struct err err = {0};
    cr_assert(fetch_url_valid("HTTPS://h/x", &err));
    cr_assert_not(fetch_url_valid("ftp://h/x", &err));
    cr_assert_not(fetch_url_valid("httpx://h/x", NULL));
    cr_assert_not(fetch_url_valid("", NULL));
    cr_assert_lt(run_url("file:///etc/hostname"), 0);
    cr_assert_eq(t.result.retry, RETRY_NEVER);
}
