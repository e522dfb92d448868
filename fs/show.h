/* show: values as the text that users read. Pure, but for what they ask the backend (memory). */
#ifndef FS_SHOW_H
#define FS_SHOW_H

#include "backend/backend.h"

struct error_log;

struct show {
    struct backend *backend;
    struct error_log *error_log;
    const struct backend_view *view;         /* of an image's files; else NULL */
    const struct backend_snapshot *snapshot; /* of a snapshot's; else NULL */
    int64_t *changed; /* ms: when the value last changed; left alone by what changes with the image
                         or never */
};

typedef void show_fn(const struct show *s, struct text *out);

show_fn show_readme, show_version, show_health, show_metrics, show_cleanup, show_error_log;
show_fn show_usage_fetch, show_usage_remove, show_usage_cancel, show_usage_retry,
    show_usage_activate, show_usage_deactivate, show_usage_reset, show_usage_log_level;
show_fn show_state, show_progress, show_error, show_info, show_rootfs;
show_fn show_snapshot_state, show_snapshot_info, show_snapshot_rootfs;

#endif
