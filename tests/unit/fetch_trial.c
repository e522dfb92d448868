#include "fetch_trial.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"
#include "stages/fetch/fetch.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>

struct trial trial;

void trial_hash(const void *bytes, size_t n, char out[static DIGEST_HEX_MAX])
{
    struct digest *d = digest_new();
    digest_add(d, bytes, n);
    cr_assert(digest_hex(d, out));
    digest_free(d);
}

void trial_put(int dirfd, const char *name, const void *bytes, size_t n)
{
    int fd CLEANUP_CLOSE = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0);
    cr_assert_eq(io_write(fd, bytes, n), 0);
}

static void make_data(void)
{
    trial.data = malloc(SIZE);
    unsigned seed = 1;
    for (int i = 0; i < SIZE; i++)
        trial.data[i] = (char)((seed = seed * 1103515245 + 12345) >> 16);
    trial_hash(trial.data, SIZE, trial.sha256);
}

/* A store cannot lie on an overlay, which /tmp is in many containers. */
static void make_store(void)
{
    static const char *const places[] = {"/tmp", "/var/tmp", "/dev/shm"};
    struct err err = {0};
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        snprintf(trial.dir, sizeof trial.dir, "%s/fetch-test-XXXXXX", places[i]);
        cr_assert(mkdtemp(trial.dir));
        char store[80];
        snprintf(store, sizeof store, "%s/store", trial.dir);
        if (paths_open(&trial.paths, store, &err) == 0)
            return;
        paths_close(&trial.paths);
        io_remove_tree(AT_FDCWD, trial.dir);
    }
    trial.dir[0] = '\0';
    cr_skip_test("nowhere to put a store: %s", err.text);
}

void trial_needs_xattrs(void)
{
    if (fsetxattr(trial.paths.blobs, "user.imgstore.test", "x", 1, 0) < 0)
        cr_skip_test("no user xattrs in %s, so nothing is resumed there", trial.dir);
}

pid_t trial_start_server(const char *tls, int *port)
{
    char www[80], file[80], line[16] = "";
    snprintf(www, sizeof www, "%s/www", trial.dir);
    snprintf(file, sizeof file, "%s/port%s", trial.dir, tls ? "-tls" : "");
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

void trial_stop_server(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

void trial_setup(void)
{
    static const char *const proxies[] = {"http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY",
                                          "ALL_PROXY"};
    for (size_t i = 0; i < ARRAY_SIZE(proxies); i++)
        unsetenv(proxies[i]);
    trial.cancel_fd = -1;
    trial.settings = (struct stage_settings){
        .limits.max_download_size = 100 << 20, .connect_timeout = 5000, .stall_timeout = 5000};
    make_data();
    make_store();
    int www = open(trial.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_eq(mkdirat(www, "www", 0700), 0);
    trial_put(www, "www/f", trial.data, SIZE);
    close(www);
    trial.server = trial_start_server(NULL, &trial.port);
}

void trial_teardown(void)
{
    if (trial.server > 0)
        trial_stop_server(trial.server);
    paths_close(&trial.paths);
    if (trial.dir[0])
        io_remove_tree(AT_FDCWD, trial.dir);
    free(trial.data);
}

static void note_progress(void *ctx, int64_t done, int64_t total)
{
    trial.fell |= done < trial.done && done != 0;
    trial.done = done;
    trial.total = total;
}

int trial_run_url(const char *url)
{
    struct stage_job job = {.name = "n",
                            .url = url,
                            .sha256 = trial.sha256,
                            .paths = &trial.paths,
                            .settings = &trial.settings,
                            .cancel_fd = trial.cancel_fd,
                            .progress = note_progress};
    trial.result = (struct stage_result){0};
    trial.err = (struct err){0};
    trial.done = trial.total = 0;
    trial.fell = false;
    int64_t start = text_monotonic_ms();
    int r = fetch_run(&job, &trial.result, &trial.err);
    trial.took = text_monotonic_ms() - start;
    cr_assert_eq(r, -trial.err.num, "%d, but err says %d: %s", r, trial.err.num, trial.err.text);
    return r;
}

int trial_run(const char *path)
{
    char url[512];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/%s", trial.port, path);
    return trial_run_url(url);
}

bool trial_has(const char *suffix)
{
    char name[PATHS_FILE_MAX];
    snprintf(name, sizeof name, "%s.%s", trial.sha256, suffix);
    return faccessat(trial.paths.blobs, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int64_t trial_part_size(void)
{
    char name[PATHS_FILE_MAX];
    struct stat st;
    paths_part(name, trial.sha256);
    return fstatat(trial.paths.blobs, name, &st, 0) == 0 ? st.st_size : -1;
}

/* The digest was taken on the way; what lies there must have it too. */
static void blob_holds_the_data(void)
{
    static char there[SIZE + 1];
    char name[PATHS_FILE_MAX], got[DIGEST_HEX_MAX];
    paths_blob(name, trial.sha256, FORMAT_TAR);
    int fd CLEANUP_CLOSE = openat(trial.paths.blobs, name, O_RDONLY | O_CLOEXEC);
    cr_assert_eq(io_read(fd, there, sizeof there), SIZE);
    trial_hash(there, SIZE, got);
    cr_assert_str_eq(got, trial.sha256);
    cr_assert_lt(fgetxattr(fd, TAG, NULL, 0), 0);
}

void trial_succeeds(const char *path)
{
    cr_assert_eq(trial_run(path), 0, "%s: %s", path, trial.err.text);
    cr_assert_eq(trial.result.format, FORMAT_TAR);
    cr_assert_eq(trial.result.size, SIZE);
    cr_assert_eq(trial.done, SIZE);
    cr_assert_not(trial_has("part"));
    blob_holds_the_data();
}

void trial_fails(const char *path, enum err_code code, enum stage_retry retry)
{
    cr_assert_lt(trial_run(path), 0, "%s", path);
    cr_assert_eq(trial.err.code, code, "%s: %s: %s", path, err_word(trial.err.code),
                 trial.err.text);
    cr_assert_eq(trial.result.retry, retry, "%s: %d", path, trial.result.retry);
    cr_assert_not(trial_has("tar"));
}

void trial_drop_blob(void)
{
    char name[PATHS_FILE_MAX];
    paths_blob(name, trial.sha256, FORMAT_TAR);
    cr_assert_eq(unlinkat(trial.paths.blobs, name, 0), 0);
}

json_t *trial_asked(const char *path)
{
    static const char request[] = "GET /_stats HTTP/1.0\r\n\r\n";
    int fd CLEANUP_CLOSE = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)trial.port),
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

int trial_requests(const char *path)
{
    json_t *s = trial_asked(path);
    int n = (int)json_integer_value(json_object_get(s, "requests"));
    json_decref(s);
    return n;
}

const char *trial_header(const char *path, const char *what, size_t n)
{
    static char value[256];
    json_t *s = trial_asked(path);
    const char *v = json_string_value(json_array_get(json_object_get(s, what), n));
    snprintf(value, sizeof value, "%s", v ? v : "");
    json_decref(s);
    return value;
}

static void *cancel_soon(void *ctx)
{
    usleep(300000);
    cr_assert_eq(write(*(int *)ctx, "x", 1), 1);
    return NULL;
}

void trial_cancels(const char *path)
{
    int fds[2];
    pthread_t thread;
    cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
    trial.cancel_fd = fds[0];
    pthread_create(&thread, NULL, cancel_soon, &fds[1]);
    cr_assert_eq(trial_run(path), -ECANCELED, "%s: %s", path, trial.err.text);
    cr_assert_eq(trial.err.code, ERR_CANCELLED);
    cr_assert(trial.took >= 250 && trial.took < 1500, "%lld", (long long)trial.took);
    pthread_join(thread, NULL);
    trial.cancel_fd = -1;
    close(fds[0]);
    close(fds[1]);
}
