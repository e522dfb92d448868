#include "fs/client/print.h"

#include "base/cleanup.h"
#include "fs/client/bar.h"
#include "fs/client/colour.h"
#include "fs/client/human.h"
#include "fs/client/screen.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

enum column {
    COLUMN_NAME,
    COLUMN_STATE,
    COLUMN_PROGRESS,
    COLUMN_SIZE,
    COLUMN_UPDATED,
    COLUMN_ERROR,
    COLUMNS
};

#define GAP       2
#define NAME_MIN  12
#define ERROR_MIN 16 /* of one that is longer */

static const char *const titles[COLUMNS] = {"NAME", "STATE",   "PROGRESS",
                                            "SIZE", "UPDATED", "ERROR"};

struct row {
    char progress[64], size[16], age[HUMAN_MAX];
    const char *cell[COLUMNS];
};

/* "29360128" → "28.0M"; what is no number stays as it is. */
static void human_bytes(const char *bytes, char *out, size_t max)
{
    static const char units[] = "BKMGTP";
    char *end;
    double n = strtod(bytes, &end);
    size_t unit = 0;
    if (end == bytes || *end) {
        snprintf(out, max, "%s", bytes);
        return;
    }
    for (; n >= 1024 && units[unit + 1]; unit++)
        n /= 1024;
    if (unit == 0)
        snprintf(out, max, "%s", bytes);
    else
        snprintf(out, max, "%.1f%c", n, units[unit]);
}

static void fill(struct row *row, const struct image *image, const struct print_style *style)
{
    char percent[24] = "-", phase[24] = "";
    int64_t updated = human_time(image_value(image, "updated"));
    sscanf(image->progress.data, "%23s %*s %*s %23s", percent, phase);
    snprintf(row->progress, sizeof row->progress, "%s%s%s", percent, *phase ? "% " : "", phase);
    human_bytes(image_value(image, "size"), row->size, sizeof row->size);
    if (updated > 0)
        human_age(style->now - updated, row->age);
    row->cell[COLUMN_NAME] = image_value(image, "name");
    row->cell[COLUMN_STATE] = image_value(image, "state");
    row->cell[COLUMN_PROGRESS] = row->progress;
    row->cell[COLUMN_SIZE] = row->size;
    row->cell[COLUMN_UPDATED] = updated > 0 ? row->age : "-";
    row->cell[COLUMN_ERROR] = image->error.len > 0 ? image->error.data : style->terminal ? "" : "-";
}

static void widen(int width[COLUMNS], const char *const cell[COLUMNS])
{
    for (int c = 0; c < COLUMNS; c++)
        if ((int)strlen(cell[c]) > width[c])
            width[c] = (int)strlen(cell[c]);
}

/* On a terminal a name that is very long gives way to what there is to say of it. */
static void narrow(int width[COLUMNS], const struct print_style *style)
{
    int others = 0, error = width[COLUMN_ERROR] < ERROR_MIN ? width[COLUMN_ERROR] : ERROR_MIN;
    for (int c = COLUMN_NAME + 1; c < COLUMN_ERROR; c++)
        others += GAP + width[c];
    int most = style->width - others - GAP - error;
    if (style->terminal && width[COLUMN_NAME] > most)
        width[COLUMN_NAME] = most > NAME_MIN ? most : NAME_MIN;
}

/* Adds no more than `room` columns of it; *room is what is left. */
static void add_cell(struct text *line, const char *s, int width, bool right, int *room)
{
    int n = (int)strlen(s), blank = width > n ? width - n : 0;
    if (right)
        bar_add_cut(line, "", blank < *room ? blank : *room);
    *room -= right ? blank : 0;
    if (n <= *room)
        text_add(line, s);
    else
        bar_add_cut(line, s, *room);
    *room -= n;
    if (!right && blank > 0 && *room > 0)
        bar_add_cut(line, "", blank < *room ? blank : *room);
    *room -= right ? 0 : blank;
}

/* The one column that may be narrower than what is in it. */
static void add_name(struct text *line, const char *name, int width, int *room)
{
    bar_add_cut(line, name, width < *room ? width : *room);
    *room -= width < *room ? width : *room;
}

static enum colour colour_of(int column, const char *cell, const struct print_style *style)
{
    if (!style->colour || (column != COLUMN_STATE && column != COLUMN_ERROR) || !*cell)
        return COLOUR_NONE;
    return column == COLUMN_ERROR ? COLOUR_BAD : colour_of_state(cell);
}

static void print_row(const int width[COLUMNS], const char *const cell[COLUMNS], bool is_title,
                      const struct print_style *style)
{
    struct text line CLEANUP_TEXT = {0};
    int room = style->terminal ? style->width : INT_MAX / 2;
    for (int c = 0; c < COLUMNS; c++) {
        if (c == COLUMN_UPDATED && !style->terminal)
            continue;
        enum colour colour = is_title ? COLOUR_NONE : colour_of(c, cell[c], style);
        if (c > 0)
            add_cell(&line, "", GAP, false, &room);
        text_add(&line, colour_begin(colour));
        if (c == COLUMN_NAME)
            add_name(&line, cell[c], width[c], &room);
        else
            add_cell(&line, cell[c], c == COLUMN_ERROR ? 0 : width[c],
                     c == COLUMN_SIZE || c == COLUMN_UPDATED, &room);
        text_add(&line, colour ? COLOUR_END : "");
    }
    puts(line.failed ? "" : line.data);
}

void print_images(const struct image *images, size_t n, const struct print_style *style)
{
    struct row *rows CLEANUP_FREE = calloc(n ? n : 1, sizeof *rows);
    int width[COLUMNS] = {0};
    if (!rows)
        return;
    widen(width, titles);
    for (size_t i = 0; i < n; i++) {
        fill(&rows[i], &images[i], style);
        widen(width, rows[i].cell);
    }
    narrow(width, style);
    print_row(width, titles, true, style);
    for (size_t i = 0; i < n; i++)
        print_row(width, rows[i].cell, false, style);
}

int print_json(json_t *value)
{
    int r = value ? json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII) : -1;
    json_decref(value);
    putchar('\n');
    return r < 0 ? -ENOMEM : 0;
}
