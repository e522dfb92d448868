#include "fs/client/print.h"

#include "base/cleanup.h"
#include "fs/client/human.h"

#include <errno.h>
#include <string.h>

enum column { COLUMN_NAME, COLUMN_STATE, COLUMN_PROGRESS, COLUMN_SIZE, COLUMN_ERROR, COLUMNS };

static const char *const titles[COLUMNS] = {"NAME", "STATE", "PROGRESS", "SIZE", "ERROR"};

struct row {
    char progress[64], size[16];
    const char *cell[COLUMNS];
};

static const char *or_dash(const struct text *t)
{
    return t->len > 0 ? t->data : "-";
}

static void fill(struct row *row, const struct image *image)
{
    char percent[24] = "-", phase[24] = "";
    sscanf(image->progress.data, "%23s %*s %*s %23s", percent, phase);
    snprintf(row->progress, sizeof row->progress, "%s%s%s", percent, *phase ? "% " : "", phase);
    human_size(image_value(image, "size"), row->size, sizeof row->size);
    row->cell[COLUMN_NAME] = image_value(image, "name");
    row->cell[COLUMN_STATE] = image_value(image, "state");
    row->cell[COLUMN_PROGRESS] = row->progress;
    row->cell[COLUMN_SIZE] = row->size;
    row->cell[COLUMN_ERROR] = or_dash(&image->error);
}

static void widen(int width[COLUMNS], const char *const cell[COLUMNS])
{
    for (int c = 0; c < COLUMNS; c++)
        if ((int)strlen(cell[c]) > width[c])
            width[c] = (int)strlen(cell[c]);
}

static void print_row(const int width[COLUMNS], const char *const cell[COLUMNS])
{
    for (int c = 0; c < COLUMN_ERROR; c++) /* numbers to the right, words to the left */
        printf("%*s  ", c == COLUMN_SIZE ? width[c] : -width[c], cell[c]);
    printf("%s\n", cell[COLUMN_ERROR]);
}

void print_images(const struct image *images, size_t n)
{
    struct row *rows CLEANUP_FREE = calloc(n ? n : 1, sizeof *rows);
    int width[COLUMNS] = {0};
    if (!rows)
        return;
    widen(width, titles);
    for (size_t i = 0; i < n; i++) {
        fill(&rows[i], &images[i]);
        widen(width, rows[i].cell);
    }
    print_row(width, titles);
    for (size_t i = 0; i < n; i++)
        print_row(width, rows[i].cell);
}

int print_json(json_t *value)
{
    int r = value ? json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII) : -1;
    json_decref(value);
    putchar('\n');
    return r < 0 ? -ENOMEM : 0;
}
