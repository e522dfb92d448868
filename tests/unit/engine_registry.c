#include "engine/changes.h"
#include "engine/metrics.h"

#include "base/cleanup.h"

#include <criterion/criterion.h>
#include <string.h>

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct registry *r;

static void set_up(void)
{
    cr_assert_eq(registry_open(&r), 0);
}

static void tear_down(void)
{
    registry_close(r);
}

TestSuite(registry, .init = set_up, .fini = tear_down);

static const struct images_row plain = {
    .id = 1,
    .name = "web",
    .url = "http://h/web.tar",
    .sha256 = A,
    .policy = "strict",
    .state = "NEW",
    .want = "active",
    .code = "",
    .error = "",
    .format = "",
    .size = -1,
    .entries = -1,
    .bytes = -1,
    .skipped = -1,
    .created = 1000,
    .updated = 2000,
};

static struct image *add(int64_t id, const char *name, const char *sha256, const char *state)
{
    struct images_row row = plain;
    row.id = id;
    row.name = name;
    row.sha256 = sha256;
    row.state = state;
    struct image *image = registry_image(&row);
    cr_assert(image);
    registry_add(r, image);
    return image;
}

static struct backend_view *view_of(uint64_t id)
{
    static struct backend_view view;
    memset(&view, 0xa5, sizeof view);
    cr_assert(registry_view(r, id, &view));
    return &view;
}

static struct metrics metrics;

/* As one word: how many of each state, then how many are under way. */
static const char *states(void)
{
    static char word[64];
    struct metrics_values values;
    registry_metrics(r, &metrics, &values);
    size_t n = 0;
    for (size_t i = 0; i < METRICS_STATES; i++)
        n += (size_t)sprintf(word + n, "%d", (int)values.of[METRICS_IMAGES + i]);
    sprintf(word + n, "/%d", (int)values.of[METRICS_UNDERWAY]);
    return word;
}

Test(registry, images_are_counted_by_state)
{
    metrics_init(&metrics);
    cr_expect_str_eq(states(), "000000000/0");
    struct image *web = add(7, "web", A, "NEW"), *db = add(8, "db", B, "ACTIVE");
    add(9, "old", B, "FAILED");
    cr_expect_str_eq(states(), "100000011/1");
    registry_edit(r, web);
    web->state = FSM_STORED;
    registry_publish(r, web);
    cr_expect_str_eq(states(), "000001011/1");
    registry_edit(r, web);
    web->want_stored = true;
    registry_publish(r, web);
    cr_expect_str_eq(states(), "000001011/0");
    registry_remove(r, db);
    registry_remove(r, web);
    cr_expect_str_eq(states(), "000000001/0");
    metrics_destroy(&metrics);
}

Test(registry, a_digests_size_is_what_one_of_its_names_knows)
{
    int64_t size = 0;
    cr_expect(!registry_is_named(r, A, &size) && size == -1);
    struct image *first = add(7, "one", A, "NEW"), *second = add(8, "two", A, "NEW");
    cr_expect(registry_is_named(r, A, &size) && size == -1);
    first->size = 12;
    cr_expect(registry_is_named(r, A, &size) && size == 12);
    first->size = -1;
    second->size = 12;
    cr_expect(registry_is_named(r, A, &size) && size == 12);
}

Test(registry, what_is_added_is_found_until_it_is_removed)
{
    uint64_t id = 0;
    bool rootfs = true;
    struct image *web = add(7, "web", A, "NEW"), *db = add(8, "db", B, "ACTIVE");
    cr_assert(registry_find(r, "web", &id) && id == 7);
    cr_assert(registry_find(r, "db", &id) && id == 8);
    cr_assert_not(registry_find(r, "we", &id));
    cr_assert_not(registry_find(r, "", &id));
    cr_assert(registry_get(r, 7) == web && registry_named(r, "db") == db);
    cr_assert(registry_exists(r, 7, &rootfs) && !rootfs);
    cr_assert(registry_exists(r, 8, &rootfs) && rootfs);
    int64_t size;
    cr_assert(registry_is_named(r, A, &size) && registry_is_named(r, B, &size));
    registry_remove(r, web);
    cr_assert(!registry_is_named(r, A, &size) && registry_is_named(r, B, &size));
    cr_assert_not(registry_find(r, "web", &id));
    cr_assert_null(registry_get(r, 7));
    rootfs = true;
    cr_assert(!registry_exists(r, 7, &rootfs) && !rootfs);
    struct backend_view view;
    cr_assert_not(registry_view(r, 7, &view));
}

Test(registry, count_tells_when_the_last_one_came_or_went)
{
    size_t n = 99;
    int64_t before = text_now_ms(), came, went;
    struct image *web = add(1, "web", A, "NEW");
    registry_count(r, &n, &came);
    cr_assert(n == 1 && came >= before && came <= text_now_ms());
    while (text_now_ms() == came)
        ;
    registry_count(r, &n, &went);
    cr_assert_eq(came, went);
    registry_remove(r, web);
    registry_count(r, &n, &went);
    cr_assert(n == 0 && went > came);
}

Test(registry, the_list_is_in_the_order_of_names)
{
    struct backend_name *names CLEANUP_FREE = NULL;
    cr_assert_eq(registry_list(r, &names), 0);
    free(steal_ptr(names));
    static const char *const sorted[] = {"0", "A", "Z", "a", "a-b", "a.b", "a1", "aa", "b"};
    for (size_t i = 0; i < ARRAY_SIZE(sorted); i++)
        add((int64_t)(i * 5 % ARRAY_SIZE(sorted)) + 1, sorted[i * 5 % ARRAY_SIZE(sorted)], A,
            "NEW");
    cr_assert_eq(registry_list(r, &names), (int64_t)ARRAY_SIZE(sorted));
    for (size_t i = 0; i < ARRAY_SIZE(sorted); i++) {
        cr_expect_str_eq(names[i].name, sorted[i]);
        cr_expect_eq(names[i].id, i + 1);
    }
}

#define MANY 20000

static void many_name(char name[static 16], int i)
{
    snprintf(name, 16, "image-%d", i);
}

static void many_sha256(char sha256[static 65], int i)
{
    snprintf(sha256, 65, "%064x", i % 1000);
}

static size_t of_digest(const char *sha256)
{
    size_t n = 0;
    for (struct image *i = NULL; (i = registry_next_of_digest(r, sha256, i)); n++)
        cr_assert_str_eq(i->sha256, sha256);
    return n;
}

static size_t all(void)
{
    size_t n = 0;
    for (struct image *i = NULL; (i = registry_next(r, i));)
        n++;
    return n;
}

Test(registry, grows_to_20000_and_shrinks_again)
{
    char name[16], sha256[65];
    for (int i = 0; i < MANY; i++) {
        many_name(name, i);
        many_sha256(sha256, i);
        add(i + 1, name, sha256, "STORED");
    }
    for (int i = 0; i < MANY; i++) {
        uint64_t id = 0;
        many_name(name, i);
        cr_assert(registry_find(r, name, &id) && id == (uint64_t)i + 1, "%s", name);
        cr_assert_str_eq(registry_get(r, id)->name, name);
    }
    struct backend_name *names CLEANUP_FREE = NULL;
    cr_assert_eq(registry_list(r, &names), MANY);
    for (int i = 1; i < MANY; i++)
        cr_assert_lt(strcmp(names[i - 1].name, names[i].name), 0);
    cr_assert_eq(all(), MANY);
    for (int i = 0; i < 1000; i++) {
        many_sha256(sha256, i);
        cr_assert_eq(of_digest(sha256), MANY / 1000);
    }
    for (int i = 0; i < MANY; i += 2)
        registry_remove(r, registry_get(r, (uint64_t)i + 1));
    cr_assert_eq(all(), MANY / 2);
    many_sha256(sha256, 1);
    cr_assert_eq(of_digest(sha256), MANY / 1000);
    many_sha256(sha256, 2);
    cr_assert_eq(of_digest(sha256), 0);
}

Test(registry, walks_by_digest_meet_each_once)
{
    bool seen[4] = {0};
    add(1, "one", A, "NEW");
    add(2, "two", B, "NEW");
    add(3, "three", A, "NEW");
    cr_assert_null(registry_next_of_digest(r, "", NULL));
    for (struct image *i = NULL; (i = registry_next_of_digest(r, A, i));) {
        cr_assert_not(seen[i->id]);
        seen[i->id] = true;
    }
    cr_assert(seen[1] && !seen[2] && seen[3]);
}

static void set(struct image *image, enum fsm_state state, bool want_stored)
{
    registry_edit(r, image);
    image->state = state;
    image->want_stored = want_stored;
    registry_publish(r, image);
}

Test(registry, underway_is_what_is_not_at_rest)
{
    static const char *const states[] = {"NEW",       "DOWNLOADING", "DOWNLOADED",
                                         "UNPACKING", "UNPACKED",    "ACTIVATING"};
    for (size_t i = 0; i < ARRAY_SIZE(states); i++)
        add((int64_t)i + 1, states[i], A, states[i]);
    add(10, "on-its-way", A, "STORED");
    struct image *meant = add(11, "meant", A, "STORED");
    set(meant, FSM_STORED, true);
    struct image *active = add(12, "active", A, "ACTIVE");
    struct image *failed = add(13, "failed", A, "FAILED");
    cr_assert_eq(registry_underway(r), 7);
    set(meant, FSM_STORED, false);
    set(failed, FSM_NEW, false);
    cr_assert_eq(registry_underway(r), 9);
    set(failed, FSM_ACTIVE, false);
    cr_assert_eq(registry_underway(r), 8);
    registry_remove(r, meant);
    registry_remove(r, active);
    cr_assert_eq(registry_underway(r), 7);
}

/* --- progress */

static size_t moved;

static void count_moved(void *ctx, const struct image *image)
{
    moved++;
}

static void report(int64_t done, int64_t total)
{
    registry_progress(r, A, FSM_DOWNLOADING, done, total, count_moved, NULL);
}

Test(registry, progress_never_falls)
{
    add(1, "web", A, "DOWNLOADING");
    static const struct {
        int64_t done, total;
        int percent;
    } steps[] = {{0, -1, 0},     {10, 100, 10},     {5, 100, 10},    {50, 100, 50},
                 {60, 1000, 50}, {70, -1, 50},      {999, 1000, 99}, {0, 0, 99},
                 {7, 5, 99},     {1000, 1000, 100}, {1, 1000, 100}};
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        report(steps[i].done, steps[i].total);
        const struct backend_view *v = view_of(1);
        cr_expect_eq(v->percent, steps[i].percent, "step %zu", i);
        cr_expect(v->done == steps[i].done && v->total == steps[i].total, "step %zu", i);
    }
}

Test(registry, progress_of_huge_archives)
{
    add(1, "web", A, "DOWNLOADING");
    report(INT64_MAX / 2, INT64_MAX);
    cr_assert_eq(view_of(1)->percent, 50);
    report(INT64_MAX, INT64_MAX);
    cr_assert_eq(view_of(1)->percent, 100);
}

Test(registry, progress_reaches_those_who_share_it_alone)
{
    add(1, "one", A, "DOWNLOADING");
    add(2, "two", A, "DOWNLOADING");
    add(3, "waits", A, "NEW");
    add(4, "other", B, "DOWNLOADING");
    report(25, 100);
    cr_assert_eq(view_of(1)->percent, 25);
    cr_assert_eq(view_of(2)->done, 25);
    cr_assert(view_of(3)->percent == 0 && view_of(3)->done == 0);
    cr_assert(view_of(4)->percent == 0 && view_of(4)->done == 0);
    cr_assert_eq(moved, 2);
    report(25, 100);
    cr_assert_eq(moved, 2, "the same again is no news");
    cr_assert_eq(view_of(1)->progress_changes, 1);
}

/* --- what a change of an image is told as */

static unsigned change(struct image *i, enum fsm_state state, const char *error, bool hides)
{
    bool other_error = strcmp(i->error, error) != 0;
    registry_edit(r, i);
    struct image was = *i;
    i->state = state;
    i->hides_rootfs = hides;
    if (other_error) {
        free(i->error);
        i->error = strdup(error);
    }
    unsigned changes = changes_note(i, &was, other_error);
    registry_publish(r, i);
    return changes;
}

Test(registry, what_changes_is_told_and_counted)
{
    struct image *i = add(1, "web", A, "ACTIVATING");
    cr_expect_eq(change(i, FSM_ACTIVE, "", false),
                 BACKEND_STATE | BACKEND_ROOTFS_COMES | BACKEND_PROGRESS);
    cr_expect_eq(change(i, FSM_ACTIVE, "", false), 0);
    cr_expect_eq(registry_hide_rootfs(r, 1, true), BACKEND_ROOTFS_GOES);
    cr_expect_eq(registry_hide_rootfs(r, 1, true), 0);
    cr_expect_eq(change(i, FSM_STORED, "", false), BACKEND_STATE | BACKEND_PROGRESS);
    cr_expect_eq(change(i, FSM_FAILED, "why", false),
                 BACKEND_STATE | BACKEND_ERROR | BACKEND_PROGRESS);
    cr_expect_eq(change(i, FSM_FAILED, "why", false), 0);
    cr_expect_eq(change(i, FSM_FAILED, "another", false), BACKEND_ERROR);
    const struct backend_view *v = view_of(1);
    cr_expect(v->state_changes == 3 && v->error_changes == 2 && v->progress_changes == 3);
}

Test(registry, a_phase_has_its_progress)
{
    static const struct {
        const char *state, *phase;
        int percent;
        int64_t done;
    } of[] = {{"NEW", "queued", 0, 0},          {"DOWNLOADING", "download", 0, 0},
              {"DOWNLOADED", "unpack", 0, 0},   {"UNPACKING", "unpack", 0, 0},
              {"UNPACKED", "unpack", 100, 9},   {"STORED", "stored", 100, 9},
              {"ACTIVATING", "activate", 0, 9}, {"ACTIVE", "active", 100, 9},
              {"FAILED", "failed", 0, 0}};
    for (size_t i = 0; i < ARRAY_SIZE(of); i++) {
        add((int64_t)i + 1, of[i].state, A, of[i].state)->size = 9;
        const struct backend_view *v = view_of(i + 1);
        cr_expect_str_eq(v->phase, of[i].phase);
        cr_expect_eq(v->percent, of[i].percent, "%s", of[i].state);
        cr_expect_eq(v->done, of[i].done, "%s", of[i].state);
    }
}

/* --- views and rows */

Test(registry, a_view_masks_what_the_row_keeps)
{
    struct images_row row = plain, back;
    row.url = "https://me:secret@h/web.tar?t=1";
    struct image *image = registry_image(&row);
    registry_add(r, image);
    const struct backend_view *v = view_of(1);
    cr_assert_str_eq(v->url, "https://user:***@h/web.tar?t=1");
    registry_row(image, &back);
    cr_assert_str_eq(back.url, row.url);
    registry_edit(r, image);
    cr_assert_eq(registry_set_url(image, "http://you:other@i/x"), 0);
    registry_publish(r, image);
    cr_assert_str_eq(view_of(1)->url, "http://user:***@i/x");
    cr_assert_str_eq(image->url, "http://you:other@i/x");
}

Test(registry, the_longest_url_fits_a_view_masked)
{
    struct images_row row = plain;
    char url[BACKEND_URL_MAX + 1] = "http://u@";
    memset(url + 9, 'x', sizeof url - 10);
    row.url = url;
    registry_add(r, registry_image(&row));
    const struct backend_view *v = view_of(1);
    cr_assert_eq(strlen(v->url), BACKEND_URL_MAX + strlen("user:***") - 1);
    cr_assert_eq(v->url[strlen(v->url) - 1], 'x');
}

Test(registry, a_row_comes_back_as_it_went)
{
    struct images_row back, row = plain;
    row.state = "FAILED";
    row.want = "stored";
    row.policy = "faithful";
    row.code = "checksum-mismatch";
    row.error = "not what was asked for";
    row.format = "tar.gz";
    row.size = 1;
    row.entries = 2;
    row.bytes = 3;
    row.skipped = 4;
    row.attempts = 5;
    row.next_retry = 6;
    struct image *image = registry_image(&row);
    registry_row(image, &back);
    const char *const were[] = {row.name, row.url,  row.sha256, row.policy, row.state,
                                row.want, row.code, row.error,  row.format};
    const char *const are[] = {back.name, back.url,  back.sha256, back.policy, back.state,
                               back.want, back.code, back.error,  back.format};
    for (size_t i = 0; i < ARRAY_SIZE(were); i++)
        cr_expect_str_eq(are[i], were[i]);
    cr_expect(back.id == 1 && back.size == 1 && back.entries == 2 && back.bytes == 3);
    cr_expect(back.skipped == 4 && back.attempts == 5 && back.next_retry == 6);
    cr_expect(back.created == 1000 && back.updated == 2000);
    registry_add(r, image);
    const struct backend_view *v = view_of(1);
    cr_expect_str_eq(v->state, "FAILED");
    cr_expect_str_eq(v->want, "stored");
    cr_expect_str_eq(v->policy, "faithful");
    cr_expect_str_eq(v->format, "tar.gz");
    cr_expect_str_eq(v->error, "not what was asked for");
    cr_expect_eq(v->code, ERR_CHECKSUM_MISMATCH);
}

Test(registry, rows_that_make_no_sense_give_no_image)
{
    struct images_row row = plain;
    cr_expect_null((row.name = "", registry_image(&row)));
    cr_expect_null((row.name = "../x", registry_image(&row)));
    row = plain;
    cr_expect_null((row.sha256 = "abc", registry_image(&row)));
    cr_expect_null((row.sha256 = "A" A, registry_image(&row)));
    cr_expect_null((row.sha256 = "/" A, registry_image(&row)));
    row = plain;
    cr_expect_null((row.state = "", registry_image(&row)));
    cr_expect_null((row.state = "GONE", registry_image(&row)));
}

Test(registry, rootfs_is_hidden_before_it_goes)
{
    bool rootfs;
    struct image *web = add(1, "web", A, "ACTIVE");
    cr_assert(view_of(1)->rootfs);
    registry_edit(r, web);
    web->hides_rootfs = true;
    registry_publish(r, web);
    cr_assert_not(view_of(1)->rootfs);
    cr_assert(registry_exists(r, 1, &rootfs) && !rootfs);
    cr_assert_str_eq(view_of(1)->state, "ACTIVE");
}

Test(registry, closing_what_was_never_opened)
{
    registry_close(NULL);
    registry_free_image(NULL);
}
