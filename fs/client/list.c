#include "fs/client/list.h"

#include "base/cleanup.h"
#include "fs/client/colour.h"
#include "fs/client/print.h"
#include "fs/client/screen.h"
#include "fs/client/sort.h"

#include <errno.h>
#include <string.h>

struct images {
    struct image *image;
    size_t n;
};

static void free_images(struct images *all)
{
    for (size_t i = 0; i < all->n; i++)
        image_free(&all->image[i]);
    free(all->image);
}

/* Those that are still there by the time that they are read. */
static int read_images(const struct tree *tree, struct images *all, struct err *err)
{
    struct tree_names names __attribute__((cleanup(tree_free_names))) = {0};
    int r = tree_list(tree, &names, err);
    if (r < 0)
        return r;
    all->image = calloc(names.n + 1, sizeof *all->image);
    if (!all->image)
        return err_set(err, ERR_NONE, ENOMEM, "out of memory");
    for (size_t i = 0; i < names.n; i++) {
        r = image_read(tree, names.name[i], &all->image[all->n], err);
        if (r < 0)
            image_free(&all->image[all->n]);
        if (r < 0 && r != -ENOENT)
            return r;
        all->n += r == 0;
    }
    return 0;
}

static int print_all_json(const struct images *all)
{
    json_t *array = json_array();
    for (size_t i = 0; i < all->n; i++)
        if (json_array_append_new(array, image_json(&all->image[i])) < 0) {
            json_decref(array);
            return -ENOMEM;
        }
    return print_json(array);
}

static void print_table(const struct images *all)
{
    struct print_style style = {.terminal = screen_is_terminal(STDOUT_FILENO)};
    if (style.terminal && all->n == 0) {
        fputs("no images yet; `imgstore fetch NAME URL SHA256 --wait` gets the first one\n",
              stderr);
        return;
    }
    if (style.terminal) {
        int height;
        screen_size(STDOUT_FILENO, &style.width, &height);
        style.colour = colour_on(stdout);
        style.now = text_now_ms();
    }
    print_images(all->image, all->n, &style);
}

enum outcome list_run(const struct request *request)
{
    const char *key = request->options->sort ? request->options->sort : "name";
    struct images all __attribute__((cleanup(free_images))) = {0};
    struct err err = {0};
    int r = sort_images(NULL, 0, key, &err); /* a wrong key is told before anything is read */
    if (r < 0)
        return commands_fail("list", r, &err);
    if ((r = read_images(request->tree, &all, &err)) < 0 ||
        (r = sort_images(all.image, all.n, key, &err)) < 0)
        return commands_fail(NULL, r, &err);
    if (!request->options->json)
        print_table(&all);
    else if ((r = print_all_json(&all)) < 0)
        err_set(&err, ERR_NONE, -r, "cannot print");
    return r < 0 ? commands_fail(NULL, r, &err) : OUTCOME_DONE;
}
