#include "fs/lines.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The number of the first line that begins there or later is noted for each of these positions, so
 * that to find the number of any line takes a look at so many bytes at most. */
#define BLOCK 65536

static int64_t *mark_at(const struct lines *l, int64_t position)
{
    return &l->marks[position / BLOCK % (l->capacity / BLOCK + 2)];
}

int lines_init(struct lines *l, int64_t keep)
{
    int64_t capacity = keep > LINES_LINE_MAX ? keep : LINES_LINE_MAX;
    *l = (struct lines){.capacity = capacity, .keep = keep};
    l->bytes = malloc((size_t)capacity);
    l->marks = calloc((size_t)(capacity / BLOCK + 2), sizeof *l->marks);
    if (l->bytes && l->marks)
        return 0;
    lines_free(l);
    return -ENOMEM;
}

void lines_free(struct lines *l)
{
    free(l->bytes);
    free(l->marks);
    *l = (struct lines){0};
}

/* --- the ring */

/* What lies at position, up to `until` or the ring's seam. */
static const char *piece(const struct lines *l, int64_t position, int64_t until, size_t *len)
{
    int64_t at = position % l->capacity, n = l->capacity - at;
    *len = (size_t)(until - position < n ? until - position : n);
    return l->bytes + at;
}

static bool is_newline(const struct lines *l, int64_t position)
{
    return l->bytes[position % l->capacity] == '\n';
}

static int64_t count_lines(const struct lines *l, int64_t from, int64_t to)
{
    int64_t count = 0;
    for (size_t len; from < to; from += (int64_t)len) {
        const char *p = piece(l, from, to, &len), *end = p + len;
        for (; (p = memchr(p, '\n', (size_t)(end - p))); p++)
            count++;
    }
    return count;
}

static void copy_in(struct lines *l, const char *line, size_t len)
{
    size_t at = (size_t)(l->end % l->capacity), n = (size_t)l->capacity - at;
    memcpy(l->bytes + at, line, len < n ? len : n);
    if (len > n)
        memcpy(l->bytes, line + n, len - n);
}

static void copy_out(const struct lines *l, int64_t position, char *buf, size_t n)
{
    for (size_t len; n; position += (int64_t)len, buf += len, n -= len) {
        const char *p = piece(l, position, position + (int64_t)n, &len);
        memcpy(buf, p, len);
    }
}

/* --- writing */

/* The first line that begins at position or later is the oldest. */
static void drop_before(struct lines *l, int64_t position)
{
    while (position < l->end && !is_newline(l, position - 1))
        position++;
    if (position > l->end)
        position = l->end;
    l->first += count_lines(l, l->oldest, position);
    l->oldest = position;
}

bool lines_add(struct lines *l, const char *line, size_t len)
{
    int64_t n = (int64_t)len, before = l->oldest;
    if (l->end + n - l->oldest > l->keep)
        drop_before(l, l->end + n - (l->keep - l->keep / 4));
    copy_in(l, line, len);
    l->next++;
    for (int64_t at = (l->end / BLOCK + 1) * BLOCK; at <= l->end + n; at += BLOCK)
        *mark_at(l, at) = l->next;
    l->end += n;
    return l->oldest != before;
}

void lines_peek(const struct lines *l, char *out, size_t n)
{
    size_t there = (size_t)(l->end - l->oldest);
    if (n > there)
        n = there;
    copy_out(l, l->oldest, out, n);
    out[n] = '\0';
}

/* --- reading */

static int64_t line_at(const struct lines *l, int64_t position)
{
    int64_t block = position - position % BLOCK;
    if (block <= l->oldest)
        return l->first + count_lines(l, l->oldest, position);
    return *mark_at(l, block) - 1 + count_lines(l, block - 1, position);
}

void lines_seek(const struct lines *l, struct lines_reader *r, int64_t position)
{
    if (position < l->oldest)
        position = l->oldest;
    if (position > l->end)
        position = l->end;
    *r = (struct lines_reader){
        .position = position,
        .line = line_at(l, position),
        .within = position > l->oldest && !is_newline(l, position - 1),
    };
}

int64_t lines_ready(const struct lines *l, const struct lines_reader *r)
{
    if (r->note_at < r->note_len || r->position < l->oldest)
        return sizeof r->note;
    return l->end - r->position;
}

/* Half a line that was read stays one of its own. */
static void note_missed(const struct lines *l, struct lines_reader *r)
{
    int n = snprintf(r->note, sizeof r->note, "%s{\"missed\":%" PRId64 "}\n", r->within ? "\n" : "",
                     l->first - r->line);
    r->note_len = (size_t)n;
    r->note_at = 0;
    r->position = l->oldest;
    r->line = l->first;
    r->within = false;
}

static size_t read_note(struct lines_reader *r, char *buf, size_t size)
{
    size_t n = r->note_len - r->note_at < size ? r->note_len - r->note_at : size;
    memcpy(buf, r->note + r->note_at, n);
    r->note_at += n;
    return n;
}

size_t lines_read(const struct lines *l, struct lines_reader *r, char *buf, size_t size)
{
    if (r->note_at == r->note_len && r->position < l->oldest)
        note_missed(l, r);
    if (r->note_at < r->note_len)
        return read_note(r, buf, size);
    size_t there = (size_t)(l->end - r->position), n = there < size ? there : size;
    copy_out(l, r->position, buf, n);
    const char *last = memrchr(buf, '\n', n);
    if (last)
        n = (size_t)(last + 1 - buf);
    r->line += count_lines(l, r->position, r->position + (int64_t)n);
    r->position += (int64_t)n;
    r->within = n ? !last : r->within;
    return n;
}
