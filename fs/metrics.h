/* metrics: the numbers of backend/metrics.def as Prometheus' text exposition. Pure. */
#ifndef FS_METRICS_H
#define FS_METRICS_H

#include "fs/show.h"

/* github.com/prometheus/docs: content/docs/instrumenting/exposition_formats.md, version 0.0.4.
 * Without times, as node_exporter's textfile collector wants it. */
void metrics_show(const struct metrics_values *values, struct text *out);

#endif
