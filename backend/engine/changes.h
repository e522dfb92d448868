/* changes: what of an image is another after a change, as those who watch it are told. Pure. */
#ifndef ENGINE_CHANGES_H
#define ENGINE_CHANGES_H

#include "engine/registry.h"

/* Between registry_edit() and registry_publish(): what of backend_change the image is changed by,
 * compared with what it was; counted in it. */
unsigned changes_note(struct image *image, const struct image *was, bool other_error);

/* Which the link did, of backend_change, or 0. */
unsigned changes_of_rootfs(bool before, bool now);

#endif
