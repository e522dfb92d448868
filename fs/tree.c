#include "fs/tree.h"

#include <string.h>

const struct tree_row tree_rows[TREE_NODES] = {
#define NODE(id, parent, of, name, mode, kind, show, store, children, life)                        \
    [TREE_##id] = {TREE_##parent, TREE_OF_##of, (name), (mode), show, store, children, life},
#include "fs/nodes.def"
#undef NODE
};

enum tree_node tree_unpack(uint64_t inode, uint64_t *of)
{
    uint64_t node = inode & 0xff;
    *of = inode >> 8;
    if (node == TREE_NONE || node >= TREE_NODES)
        return TREE_NONE;
    return (tree_rows[node].of != TREE_OF_NOTHING) == (*of != 0) ? (enum tree_node)node : TREE_NONE;
}

enum tree_node tree_child(enum tree_node parent, const char *name)
{
    for (enum tree_node n = TREE_NONE + 1; n < TREE_NODES; n++)
        if (tree_rows[n].parent == parent && tree_rows[n].name &&
            strcmp(tree_rows[n].name, name) == 0)
            return n;
    return TREE_NONE;
}

void tree_path_of_snapshot(enum tree_node node, const char *image, const char *id, struct text *out)
{
    if (tree_rows[node].parent != TREE_NONE && tree_rows[node].parent != TREE_ROOT) {
        tree_path_of_snapshot(tree_rows[node].parent, image, id, out);
        text_add(out, "/");
    }
    if (node == TREE_EXPORT_IMAGE)
        text_addf(out, "%s" TREE_EXPORT_SUFFIX, image);
    else if (node == TREE_EXPORT_SNAPSHOT)
        text_addf(out, "%s@%s" TREE_EXPORT_SUFFIX, image, id);
    else if (tree_rows[node].name)
        text_add(out, tree_rows[node].name);
    else
        text_add(out, node == TREE_SNAPSHOT ? id : image);
}

void tree_path(enum tree_node node, const char *image, struct text *out)
{
    tree_path_of_snapshot(node, image, "", out);
}
