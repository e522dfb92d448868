#include "base/flow.h"

#include "base/text.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A reader that says how it was answered. */
struct reader {
    struct flow_read read;
    struct flow *flow;
    sem_t answered;
    char *to; /* where the bytes go; NULL: nowhere */
    size_t n;
    int num, times;
    pthread_t by;
};

static void answer(struct flow_read *r, const void *data, size_t n, const struct err *err)
{
    struct reader *reader = (struct reader *)r;
    if (reader->to && n)
        memcpy(reader->to, data, n);
    reader->n = n;
    reader->num = err ? err->num : 0;
    reader->times++;
    reader->by = pthread_self();
    sem_post(&reader->answered);
}

static void ask(struct reader *r, struct flow *f, size_t size)
{
    *r = (struct reader){.read = {.size = size, .answer = answer}, .flow = f, .to = r->to};
    sem_init(&r->answered, 0, 0);
    flow_read(f, &r->read);
}

static bool is_answered(struct reader *r)
{
    int value;
    sem_getvalue(&r->answered, &value);
    return value > 0;
}

static struct flows *flows;

static void set_up(void)
{
    cr_assert(flows = flows_open());
}

static void tear_down(void)
{
    flows_close(flows);
}

TestSuite(flow, .init = set_up, .fini = tear_down, .timeout = 60);

static void fill(struct flow *f, const char *bytes, size_t n)
{
    while (n > 0) {
        size_t room;
        char *to = flow_room(f, &room);
        cr_assert(to);
        cr_assert_gt(room, 0);
        room = room < n ? room : n;
        memcpy(to, bytes, room);
        flow_filled(f, room);
        bytes += room;
        n -= room;
    }
}

Test(flow, a_reader_waits_for_what_is_made)
{
    struct flow *f = flow_new(flows);
    char got[16] = "";
    struct reader r = {.to = got};
    ask(&r, f, sizeof got);
    cr_assert_not(is_answered(&r));
    fill(f, "abc", 3);
    cr_assert_not(is_answered(&r), "a piece is shown whole, or with the end");
    flow_end(f, NULL);
    sem_wait(&r.answered);
    cr_assert_eq(r.n, 3);
    cr_assert_str_eq(got, "abc");
    cr_assert_neq(r.by, pthread_self(), "not by the maker");
    flow_settle(f);
    ask(&r, f, sizeof got);
    cr_assert(is_answered(&r));
    cr_assert_eq(r.by, pthread_self(), "at once, by the reader");
    cr_assert_eq(r.n, 0);
    cr_assert_eq(r.num, 0);
    flow_free(f);
}

Test(flow, readers_are_answered_in_their_order)
{
    struct flow *f = flow_new(flows);
    char got[4][2] = {""};
    struct reader r[3];
    for (int i = 0; i < 3; i++) {
        r[i].to = got[i];
        ask(&r[i], f, 1);
    }
    fill(f, "xyz", 3);
    flow_end(f, NULL);
    for (int i = 0; i < 3; i++)
        sem_wait(&r[i].answered);
    cr_assert_str_eq(got[0], "x");
    cr_assert_str_eq(got[1], "y");
    cr_assert_str_eq(got[2], "z");
    flow_free(f);
}

Test(flow, a_cancelled_read_is_not_answered)
{
    struct flow *f = flow_new(flows);
    struct reader r[3] = {{.to = NULL}};
    for (int i = 0; i < 3; i++)
        ask(&r[i], f, 1);
    cr_assert(flow_cancel(f, &r[2].read), "the last in line");
    cr_assert(flow_cancel(f, &r[0].read));
    cr_assert_not(flow_cancel(f, &r[0].read));
    struct reader last = {.to = NULL};
    ask(&last, f, 1);
    fill(f, "xyz", 3);
    flow_end(f, NULL);
    sem_wait(&r[1].answered);
    sem_wait(&last.answered);
    cr_assert_eq(last.n, 1);
    flow_settle(f);
    cr_assert_not(is_answered(&r[0]));
    cr_assert_not(is_answered(&r[2]));
    cr_assert_not(flow_cancel(f, &r[1].read), "it has its answer");
    flow_free(f);
}

Test(flow, a_read_that_is_cancelled_too_early_does_not_wait)
{
    struct flow *f = flow_new(flows);
    struct reader r = {.read = {.size = 1, .answer = answer}};
    sem_init(&r.answered, 0, 0);
    cr_assert_not(flow_cancel(f, &r.read));
    flow_read(f, &r.read);
    cr_assert(is_answered(&r));
    cr_assert_eq(r.num, ECANCELED);
    flow_free(f);
}

Test(flow, an_error_comes_behind_what_was_made)
{
    struct flow *f = flow_new(flows);
    struct err err = {0};
    struct reader r = {.to = NULL};
    fill(f, "abc", 3);
    err_sys(&err, EIO, "a bad disk");
    flow_end(f, &err);
    ask(&r, f, 100);
    cr_assert_eq(r.n, 3);
    for (int i = 0; i < 2; i++) {
        ask(&r, f, 100);
        cr_assert_eq(r.n, 0);
        cr_assert_eq(r.num, EIO);
    }
    flow_free(f);
}

/* --- a maker on a thread of its own */

#define BYTES (5 * FLOW_SIZE + 12345)

static char byte_at(size_t i)
{
    return (char)(i * 2654435761U >> 16);
}

struct maker {
    struct flow *flow;
    size_t most, made;
    sem_t ended;
};

static void *make(void *arg)
{
    struct maker *m = arg;
    for (size_t room; m->made < m->most;) {
        char *to = flow_room(m->flow, &room);
        if (!to)
            break;
        room = room < m->most - m->made ? room : m->most - m->made;
        room = m->made % 3 && room > 1000 ? 1000 : room;
        for (size_t i = 0; i < room; i++)
            to[i] = byte_at(m->made + i);
        flow_filled(m->flow, room);
        m->made += room;
    }
    flow_end(m->flow, NULL);
    sem_post(&m->ended);
    return NULL;
}

static void start(struct maker *m, struct flow *f, size_t most)
{
    pthread_t thread;
    *m = (struct maker){.flow = f, .most = most};
    sem_init(&m->ended, 0, 0);
    cr_assert_eq(pthread_create(&thread, NULL, make, m), 0);
    pthread_detach(thread);
}

static void read_all(struct flow *f, size_t most)
{
    static char got[FLOW_SIZE];
    struct reader r = {.to = got};
    size_t at = 0;
    for (size_t size = 1;; size = size * 7 % 200003 + 1) {
        ask(&r, f, size);
        sem_wait(&r.answered);
        cr_assert_eq(r.times, 1);
        cr_assert_leq(r.n, size);
        for (size_t i = 0; i < r.n; i++)
            cr_assert_eq(got[i], byte_at(at + i), "byte %zu", at + i);
        at += r.n;
        if (r.n == 0)
            break;
    }
    cr_assert_eq(at, most);
}

Test(flow, all_bytes_go_through_once_and_in_order)
{
    static const size_t sizes[] = {0, 1, FLOW_PIECE, FLOW_SIZE, BYTES};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct flow *f = flow_new(flows);
        struct maker m;
        start(&m, f, sizes[i]);
        read_all(f, sizes[i]);
        sem_wait(&m.ended);
        flow_free(f);
    }
}

Test(flow, a_maker_waits_for_its_reader_and_is_broken_off)
{
    struct flow *f = flow_new(flows);
    struct maker m;
    struct err err = {0};
    struct reader r = {.to = NULL}, waits = {.to = NULL};
    struct timespec until;
    start(&m, f, BYTES);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 200000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    cr_assert_neq(sem_timedwait(&m.ended, &until), 0, "it has made more than there is room for");
    cr_assert_leq(m.made, FLOW_SIZE);
    err_set(&err, ERR_INTERRUPTED, EIO, "enough");
    flow_break(f, &err);
    sem_wait(&m.ended);
    ask(&r, f, 100);
    cr_assert_eq(r.num, EIO, "at once, whatever was there");
    ask(&waits, f, 100);
    cr_assert_eq(waits.num, EIO);
    flow_free(f);
}

Test(flow, a_break_answers_who_waits)
{
    struct flow *f = flow_new(flows);
    struct err err = {0};
    struct reader r = {.to = NULL};
    ask(&r, f, 100);
    err_set(&err, ERR_INTERRUPTED, EIO, "enough");
    flow_break(f, &err);
    sem_wait(&r.answered);
    cr_assert_eq(r.num, EIO);
    flow_free(f);
}

Test(flow, who_waits_is_not_idle)
{
    struct flow *f = flow_new(flows);
    struct reader r = {.to = NULL};
    cr_assert_lt(flow_idle(f), 10000);
    flow_rest(f);
    cr_assert_eq(flow_idle(f), INT64_MAX);
    ask(&r, f, 100);
    cr_assert_eq(flow_idle(f), 0);
    fill(f, "abc", 3);
    flow_end(f, NULL);
    sem_wait(&r.answered);
    flow_settle(f);
    cr_assert_lt(flow_idle(f), 10000, "it has taken something");
    nanosleep(&(struct timespec){.tv_nsec = 30000000}, NULL);
    cr_assert_geq(flow_idle(f), 20);
    flow_free(f);
}
